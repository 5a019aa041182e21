"""Let simulated users talk to a model in the words of real customers (MultiDoGO), and score it.

Usage: python -m scripts.real_words MODEL SCENARIOS GRAPH ../shared/data/multidogo/airline.dev.tsv
--out docs/human/real-words-PROCEDURE.json [--transcripts FILE.jsonl]. The report shows the figures. The scenarios keep
their paths and values; docs/human-input.md has the rest.
"""

import argparse
import asyncio
from pathlib import Path

from flowc.arms import Prompted, one_line
from flowc.client import connect
from flowc.evaluate import EvaluateParams, evaluate
from flowc.graph import Graph
from flowc.params import load, load_value
from flowc.real_words import RealWords, bank_of, read_words
from flowc.records import read_jsonl, read_record, run_stage, write_json, write_jsonl
from flowc.scenarios import Scenario
from flowc.server import ServeParams, serve
from flowc.simulate import SimulateParams, sampling, simulate
from flowc.tools import schemas
from flowc.tracker import Tracker
from scripts.replay import made_of


def main() -> None:
    """Serve the model, play every scenario, write scores and transcripts."""
    parser = argparse.ArgumentParser(prog="python -m scripts.real_words", description=__doc__)
    parser.add_argument("model", type=Path, help="the compiled model's folder")
    parser.add_argument("scenarios", type=Path, help="the scenarios, JSONL")
    parser.add_argument("graph", type=Path, help="the procedure's graph, JSON")
    parser.add_argument("words", type=Path, help="what customers typed, a .tsv of MultiDoGO")
    parser.add_argument("--out", type=Path, required=True, help="the scores to write, JSON")
    parser.add_argument("--transcripts", type=Path, help="where to write the conversations, JSONL")
    args = parser.parse_args()
    graph, scenarios = read_record(args.graph, Graph), read_jsonl(args.scenarios, Scenario)
    params, seed = load("simulate", SimulateParams), load_value("seed", int)
    words, tracker = read_words(args.words, graph), Tracker(graph, seed)
    with serve(args.model, load("serve", ServeParams)) as server:
        client = connect(server)

        def arm(scenario: Scenario) -> Prompted:
            return Prompted(client, one_line(graph), schemas(graph), sampling(params, seed, scenario.repeat))

        def user(scenario: Scenario) -> RealWords:
            return RealWords(graph, scenario, words)

        played = asyncio.run(simulate(graph, scenarios, "compiled", arm, tracker, params, user))
    scoring = load("evaluate", EvaluateParams).model_copy(update={"judges": ()})  # models are not asked here
    scores = evaluate(graph, scenarios, {"compiled": played}, scoring, seed).scores
    spoken = [turn for one in played for turn in one.turns if turn.message.role == "user"]
    real = sum(bool(bank_of(words, turn.labels)) for turn in spoken)
    messages = {"users": len(spoken), "real_words": real}
    write_json(args.out, scores["arms"]["compiled"] | {"messages": messages, "of": made_of(args.model, args.graph)})
    if args.transcripts:
        write_jsonl(args.transcripts, played)
    print(f"task success {scores['arms']['compiled']['task_success']['mean']} of {len(played)}")


if __name__ == "__main__":
    run_stage(main)
