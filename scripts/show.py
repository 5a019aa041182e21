"""Show a procedure: its size, and its chart as Mermaid and SVG, OUT/PROCEDURE.mmd and OUT/PROCEDURE.svg."""

import argparse
from pathlib import Path

from flowc.draw import svg
from flowc.graph import hubs, terminals
from flowc.mermaid import flowchart
from flowc.params import load_value
from flowc.paths import statistics, written
from flowc.read_any import origin_in, read_graph
from flowc.records import run_stage


def main() -> None:
    """Print the procedure's size, write its chart in both forms."""
    parser = argparse.ArgumentParser(prog="python -m scripts.show", description=__doc__)
    parser.add_argument("folder", type=Path, help="the folder of the procedures' files")
    parser.add_argument("procedure", help="a name under `sources`, or a file of the folder without its suffix")
    parser.add_argument("--out", type=Path, required=True, help="the folder for the chart")
    args = parser.parse_args()
    origin = origin_in(args.folder, load_value("sources", dict), args.procedure)
    graph = read_graph(args.folder / origin.file, args.procedure, trust=origin.trust, flow=origin.flow)
    size = statistics(graph)
    print(f"{graph.title} ({graph.procedure})")
    print(f"nodes          {size.nodes}")
    print(f"hubs           {size.hubs}: {', '.join(hubs(graph)) or 'none'}")
    print(f"endings        {size.endings}: {', '.join(f'{n} ({graph.nodes[n].terminal})' for n in terminals(graph))}")
    print(f"acyclic paths  {written(size.acyclic_paths)}")
    args.out.mkdir(parents=True, exist_ok=True)
    for suffix, text in ((".mmd", flowchart(graph) + "\n"), (".svg", svg(graph))):
        path = args.out / f"{args.procedure}{suffix}"
        path.write_text(text, encoding="utf-8")
        print(f"chart          {path}")


if __name__ == "__main__":
    run_stage(main)
