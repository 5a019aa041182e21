"""Read a procedure, or a chart of another tool, into its canonical graph: comments and layout leave no trace in it."""

import sys
from pathlib import Path

from flowc.lint import told_of
from flowc.params import load_value
from flowc.parse import Mistakes
from flowc.read_any import origin_of, read_draft
from flowc.records import UserError, run_stage, stage_parser, write_json


def main() -> Path | None:
    """Read the file, refuse it with its first error, print warnings, write the graph."""
    parser = stage_parser(__doc__)
    parser.add_argument("procedure", type=Path, help="the procedure, in any format that flowc reads")
    parser.add_argument("--out", type=Path, required=True, help="the graph to write, JSON, named after the procedure")
    args = parser.parse_args()
    name = args.out.stem
    origin = origin_of(load_value("sources", dict), name)
    try:
        draft = read_draft(args.procedure, name, trust=origin.trust, flow=origin.flow)
    except Mistakes as e:
        raise _refused(e.lines, name) from None
    errors, warnings, _ = told_of(draft, str(args.procedure))
    if errors:
        raise _refused(errors, name)
    if warnings:
        print(*warnings, f"{name}: {len(warnings)} warnings", sep="\n", file=sys.stderr)
    write_json(args.out, draft.graph.model_dump(mode="json"))
    return args.timing


def _refused(errors: list[str], name: str) -> UserError:
    """Tell the first of all errors, and that there are more."""
    more = f" (the first of {len(errors)} errors: `make lint P={name}` lists all)" if len(errors) > 1 else ""
    return UserError(errors[0].replace(": error: ", ": ", 1) + more)


if __name__ == "__main__":
    run_stage(main)
