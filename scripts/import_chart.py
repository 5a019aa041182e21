"""Turn a chart of another tool into a procedure that can be edited: FOLDER/NAME.yaml. It never overwrites."""

import argparse
from pathlib import Path

from flowc.chart_words import identifier
from flowc.parse import parse_procedure
from flowc.read_any import read_graph
from flowc.records import UserError, run_stage
from flowc.write_yaml import write_procedure


def main() -> None:
    """Read the chart, write the YAML, say how to compile it."""
    parser = argparse.ArgumentParser(prog="python -m scripts.import_chart", description=__doc__)
    parser.add_argument("file", type=Path, help="the chart, in any format that flowc reads")
    parser.add_argument("folder", type=Path, help="the folder of the procedures' files")
    parser.add_argument("--name", help="the procedure's name; otherwise that of the flow or the file")
    parser.add_argument("--flow", help="which flow of the file (Rasa CALM)")
    parser.add_argument("--trust", action="store_true", help="let the file's code run (LangGraph)")
    args = parser.parse_args()
    name = args.name or identifier(args.flow or args.file.stem, "procedure", ())
    target = args.folder / f"{name}.yaml"
    graph = read_graph(args.file, name, trust=args.trust, flow=args.flow)
    text = write_procedure(graph, args.file.name)
    assert parse_procedure(text, str(target)) == graph, "what is written reads as what was read"
    try:
        with target.open("x", encoding="utf-8") as out:
            out.write(text)
    except (FileNotFoundError, NotADirectoryError):
        raise UserError(f"{args.folder}: no such folder; name that of the procedures") from None
    except FileExistsError:
        raise UserError(
            f"{target} exists already; remove it, or choose another name with --name (make: NAME=)"
        ) from None
    print(f"{target} is written. List it under `sources` in conf/config.yaml: `{name}: {{file: {target.name}}}`")


if __name__ == "__main__":
    run_stage(main)
