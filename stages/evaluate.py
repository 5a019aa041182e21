"""Judge the transcripts of every arm against the graph, and score them with intervals.

Models that judge as well are asked with the key in ANTHROPIC_API_KEY, OPENAI_API_KEY or FLOWC_COMPATIBLE_KEY; their
answers are kept in .flowc/ and used again.
"""

import os
from pathlib import Path

from flowc.evaluate import OWN_ARM, EvaluateParams, evaluate
from flowc.frontier import Sheet
from flowc.graph import Graph
from flowc.judging import Verdicts
from flowc.params import load, load_value
from flowc.ratings import read_ratings
from flowc.records import read_jsonl, read_record, run_stage, stage_parser, write_json, write_jsonl
from flowc.scenarios import Scenario
from flowc.spend import PricesParams
from flowc.transcripts import Transcript


def main() -> Path | None:
    """Read transcripts, graph and scenarios; write judgements, scores and examples."""
    parser = stage_parser(__doc__)
    parser.add_argument("transcripts", type=Path, help="folder with <arm>.jsonl and frontier.json")
    parser.add_argument("graph", type=Path, help="the procedure's graph, JSON")
    parser.add_argument("scenarios", type=Path, help="the scenarios, JSONL")
    parser.add_argument(
        "--ratings", type=Path, required=True, help="folder with what people exported from the review page"
    )
    parser.add_argument("--out", type=Path, required=True, help="the judgements to write, JSONL")
    parser.add_argument("--verdicts", type=Path, required=True, help="what judge models said, to write, JSONL")
    parser.add_argument("--metrics", type=Path, required=True, help="the scores to write, JSON")
    parser.add_argument("--examples", type=Path, required=True, help="one good and one bad conversation an arm, JSON")
    args = parser.parse_args()
    graph, scenarios = read_record(args.graph, Graph), read_jsonl(args.scenarios, Scenario)
    arms = (OWN_ARM, *load_value("arms", list))  # not a glob: an arm taken out leaves its file behind
    transcripts = {arm: read_jsonl(args.transcripts / f"{arm}.jsonl", Transcript) for arm in arms}
    frontier = read_record(args.transcripts / "frontier.json", Sheet).arms
    played = [arm for arm, how in frontier.items() if not how.not_run]
    transcripts |= {arm: read_jsonl(args.transcripts / f"{arm}.jsonl", Transcript) for arm in played}
    params, ratings = load("evaluate", EvaluateParams), read_ratings(args.ratings)
    said, prices = Verdicts(), load("prices", PricesParams)
    if params.judges:
        from flowc.consult import consult  # the SDKs take seconds to load

        side = Path(os.environ.get("DVC_ROOT", ".")) / ".flowc" / "responses.sqlite"
        said = consult(params.judges, graph, scenarios, transcripts, OWN_ARM, params.pairs, prices, os.environ, side)
    done = evaluate(graph, scenarios, transcripts, params, load_value("seed", int), ratings, frontier, said)
    write_jsonl(args.out, done.judgements)
    write_jsonl(args.verdicts, [*said.judged, *said.compared])
    write_json(args.metrics, done.scores)
    write_json(args.examples, done.examples)
    return args.timing


if __name__ == "__main__":
    run_stage(main)
