"""Generate training conversations, held-out conversations and scenarios from a procedure's graph."""

from pathlib import Path

from flowc.generate import GenerateParams, generate
from flowc.graph import Graph
from flowc.overrides import for_procedure
from flowc.params import load, load_value
from flowc.records import UserError, read_record, run_stage, stage_parser, write_json, write_jsonl


def main() -> Path | None:
    """Read the graph, generate, write conversations, scenarios and coverage."""
    parser = stage_parser(__doc__)
    parser.add_argument("graph", type=Path, help="the procedure's graph, JSON")
    parser.add_argument("--out", type=Path, required=True, help="folder for train.jsonl and eval.jsonl")
    parser.add_argument("--scenarios", type=Path, required=True, help="the scenarios to write, JSONL")
    parser.add_argument("--metrics", type=Path, required=True, help="the coverage report to write, JSON")
    args = parser.parse_args()
    graph = read_record(args.graph, Graph)
    shared, sources = load("generate", GenerateParams), load_value("sources", dict)
    params = for_procedure(shared, "generate", sources, graph.procedure)
    try:
        made = generate(graph, params, load_value("seed", int))
    except ValueError as e:
        raise UserError(f"{args.graph}: {e}") from e
    write_jsonl(args.out / "train.jsonl", made.train)
    write_jsonl(args.out / "eval.jsonl", made.eval)
    write_jsonl(args.scenarios, made.scenarios)
    write_json(args.metrics, made.metrics)
    return args.timing


if __name__ == "__main__":
    run_stage(main)
