"""Try a compiled model on users who leave the path, one set of conversations a kind, or on the scenarios of a file.

A language model may play them; FLOWC_USER_URL and FLOWC_USER_KEY say where it is served and with which key.
"""

import argparse
import asyncio
import os
from pathlib import Path
from random import Random

from flowc.arms import Prompted, one_line
from flowc.client import Client, Sampling, connect
from flowc.evaluate import EvaluateParams, evaluate
from flowc.graph import Graph
from flowc.llm_user import LlmUser
from flowc.params import load, load_value
from flowc.records import UserError, read_jsonl, read_record, run_stage, write_json, write_jsonl
from flowc.scenario_sets import ADVERSARIAL, PLAYABLE, scenario_set, steering_back
from flowc.scenarios import Scenario
from flowc.server import ServeParams, serve
from flowc.simulate import MakeUser, SimulateParams, sampling, simulate
from flowc.tools import schemas
from flowc.tracker import Tracker
from flowc.user_guard import Guard

_TIMEOUT = 120.0  # seconds for one message of the user's model


def main() -> None:
    """Draw the sets, serve the model, play, judge, and write transcripts and scores."""
    parser = argparse.ArgumentParser(prog="python -m scripts.interview", description=__doc__)
    parser.add_argument("model", type=Path, help="the compiled model's folder")
    parser.add_argument("graph", type=Path, help="the procedure's graph, JSON")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--kinds", nargs="+", choices=PLAYABLE, default=ADVERSARIAL, help="kinds of deviation")
    what.add_argument("--scenarios", type=Path, help="play the scenarios of this file instead, JSONL")
    parser.add_argument("-n", type=int, default=30, help="conversations of each kind, or so many drawn from the file")
    parser.add_argument("--user-model", help="the language model that plays the user, else a script")
    parser.add_argument("--temperature", type=float, default=0.7, help="of the user's model")
    parser.add_argument("--out", type=Path, required=True, help="folder for transcripts.jsonl and scores.json")
    args = parser.parse_args()
    if args.n < 1:
        parser.error("-n has to be 1 or more")
    graph, seed = read_record(args.graph, Graph), load_value("seed", int)
    if args.scenarios:
        found = read_jsonl(args.scenarios, Scenario)  # the file has one split behind the other
        scenarios = Random(seed).sample(found, min(args.n, len(found)))
    else:
        graph = steering_back(graph, args.kinds)
        scenarios = [s for kind in dict.fromkeys(args.kinds) for s in scenario_set(graph, kind, args.n, seed)]
    params, tracker = load("simulate", SimulateParams), Tracker(graph, seed)
    user = played_by(args.user_model, args.temperature, graph, seed) if args.user_model else None
    with serve(args.model, load("serve", ServeParams)) as server:
        client = connect(server)

        def arm(scenario: Scenario) -> Prompted:
            return Prompted(client, one_line(graph), schemas(graph), sampling(params, seed, scenario.repeat))

        played = asyncio.run(simulate(graph, scenarios, "compiled", arm, tracker, params, user))
    write_jsonl(args.out / "transcripts.jsonl", played)  # at once: what a model said as the user may be paid for
    scoring = load("evaluate", EvaluateParams).model_copy(update={"judges": ()})  # models are not asked here
    done = evaluate(graph, scenarios, {"compiled": played}, scoring, seed)
    write_json(args.out / "scores.json", done.scores)
    print(f"{len(played)} conversations in {args.out}")


def played_by(model: str, temperature: float, graph: Graph, seed: int) -> MakeUser:
    """Give users that a served language model plays; raises UserError when nothing says where it is served."""
    url = os.environ.get("FLOWC_USER_URL")
    if not url:
        raise UserError(f"FLOWC_USER_URL is not set; say where {model} is served, as in http://127.0.0.1:8000/v1")
    client = Client(url, model, os.environ.get("FLOWC_USER_KEY", "none"), timeout=_TIMEOUT, max_retries=2)
    guard, choice = Guard(graph), Sampling(temperature=temperature, top_p=1, max_tokens=96, seed=seed)

    def make(scenario: Scenario) -> LlmUser:
        return LlmUser(client, choice, guard, graph, scenario)

    return make


if __name__ == "__main__":
    run_stage(main)
