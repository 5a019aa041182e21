"""Parse a procedure into its canonical graph: comments and layout of the source leave no trace in it."""

from pathlib import Path

from flowc.parse import parse_procedure
from flowc.records import UserError, run_stage, stage_parser, write_json


def main() -> Path | None:
    """Read the YAML, validate it, write the graph."""
    parser = stage_parser(__doc__)
    parser.add_argument("procedure", type=Path, help="the procedure, a YAML file")
    parser.add_argument("--out", type=Path, required=True, help="the graph to write, JSON")
    args = parser.parse_args()
    if not args.procedure.exists():
        raise UserError(f"{args.procedure}: no such file; write it, or take its name out of `procedures`")
    graph = parse_procedure(args.procedure.read_text(encoding="utf-8"), str(args.procedure))
    write_json(args.out, graph.model_dump(mode="json"))
    return args.timing


if __name__ == "__main__":
    run_stage(main)
