"""Generate training conversations, held-out conversations and scenarios from a procedure's graph.

A teacher that is a language model is asked with the key in ANTHROPIC_API_KEY, OPENAI_API_KEY or FLOWC_COMPATIBLE_KEY;
its answers are kept in .flowc/ and used again.
"""

import os
from pathlib import Path

from flowc.briefs import read_prompts
from flowc.data_card import data_card
from flowc.generate import GenerateParams, generate
from flowc.graph import Graph
from flowc.overrides import for_procedure
from flowc.own_transcripts import own_transcripts
from flowc.params import load, load_value
from flowc.records import UserError, read_record, run_stage, stage_parser, write_json, write_jsonl
from flowc.spend import PricesParams


def main() -> Path | None:
    """Read the graph, generate, write conversations with their card, scenarios and coverage."""
    parser = stage_parser(__doc__)
    parser.add_argument("graph", type=Path, help="the procedure's graph, JSON")
    parser.add_argument("--own", type=Path, required=True, help="folder of own transcripts, <procedure>.jsonl")
    parser.add_argument("--prompts", type=Path, required=True, help="folder of the teachers' prompts, by version")
    parser.add_argument("--out", type=Path, required=True, help="folder for train.jsonl, eval.jsonl and their card")
    parser.add_argument("--scenarios", type=Path, required=True, help="the scenarios to write, JSONL")
    parser.add_argument("--metrics", type=Path, required=True, help="the coverage report to write, JSON")
    args = parser.parse_args()
    graph = read_record(args.graph, Graph)
    seed, sources = load_value("seed", int), load_value("sources", dict)
    params = for_procedure(load("generate", GenerateParams), "generate", sources, graph.procedure)
    own = own_transcripts(args.own, params.own, graph, params.gate, sources)
    try:
        if params.teacher == "scripted" or params.llm is None:
            made = generate(graph, params, seed, own=own)
        else:
            from flowc.llm_teacher import LlmTeacher  # loads the SDKs, which the scripted teacher does not need
            from flowc.providers import access_from

            prompts = read_prompts(args.prompts / params.llm.prompts)
            side = Path(os.environ.get("DVC_ROOT", ".")) / ".flowc" / "responses.sqlite"
            prices = load("prices", PricesParams)
            teacher = LlmTeacher(graph, params.teacher, params.llm, prices, prompts, params.variety, side)
            access = access_from(params.teacher, os.environ)
            made = generate(graph, params, seed, lambda families: teacher.write(families, access), own)
            made.metrics["teacher"] = teacher.report
    except ValueError as e:
        raise e if isinstance(e, UserError) else UserError(f"{args.graph}: {e}") from e
    write_jsonl(args.out / "train.jsonl", made.train)
    write_jsonl(args.out / "eval.jsonl", made.eval)
    write_jsonl(args.scenarios, made.scenarios)
    write_json(args.metrics, made.metrics)
    (args.out / "README.md").write_text(data_card(graph, params.teacher, params, seed, made.metrics), encoding="utf-8")
    return args.timing


if __name__ == "__main__":
    run_stage(main)
