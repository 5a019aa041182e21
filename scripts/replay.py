"""Replay the human dialogues of STAR's hotel booking: does an arm take the wizard's next step?

Usage: python -m scripts.replay ARM MODEL GRAPH ../shared/data/star --out docs/human/replay-ARM.json
[--answers FILE] [--limit N]. ARM is compiled, floor, in_context or orchestrated; docs/human-input.md has the rest.
"""

import argparse
import asyncio
import hashlib
from pathlib import Path
from typing import Any

from flowc.arms import Prompted, flowchart, one_line
from flowc.client import connect
from flowc.graph import Graph
from flowc.orchestrated import Orchestrated
from flowc.params import load, load_value
from flowc.records import read_record, run_stage, write_json, write_jsonl
from flowc.replay import nodes_by_label, prefixes, replay, score, tracker
from flowc.server import ServeParams, serve
from flowc.simulate import Arm, SimulateParams, sampling
from flowc.star import MOODS, read_dialogues, read_task
from flowc.tools import schemas

TASK = "hotel_book"


def main() -> None:
    """Cut the dialogues, serve the model, ask for every next step, write the scores."""
    parser = argparse.ArgumentParser(prog="python -m scripts.replay", description=__doc__)
    parser.add_argument("arm", choices=("compiled", "floor", "in_context", "orchestrated"))
    parser.add_argument("model", type=Path, help="the compiled model's or the base model's folder")
    parser.add_argument("graph", type=Path, help="the graph of the task's chart, JSON")
    parser.add_argument("folder", type=Path, help="the STAR data, with tasks/ and dialogues/")
    parser.add_argument("--out", type=Path, required=True, help="the scores to write, JSON")
    parser.add_argument("--answers", type=Path, help="where to write what was said, JSONL")
    parser.add_argument("--limit", type=int, help="only so many dialogues of each mood")
    args = parser.parse_args()
    if args.limit is not None and args.limit < 1:
        parser.error("--limit has to be 1 or more")
    graph, task = read_record(args.graph, Graph), read_task(args.folder, TASK)
    cut = [p for m in MOODS for d in read_dialogues(args.folder, TASK, m)[: args.limit] for p in prefixes(d, task)]
    params, seed = load("simulate", SimulateParams), load_value("seed", int)
    reader = tracker(task)
    with serve(args.model, load("serve", ServeParams)) as server:
        client, choice = connect(server), sampling(params, seed)

        def arm(at: str) -> Arm:
            if args.arm == "orchestrated":
                return Orchestrated(client, graph, choice, at)
            system = flowchart(graph) if args.arm == "in_context" else one_line(graph)
            return Prompted(client, system, schemas(graph), choice)

        answers = asyncio.run(replay(cut, arm, reader, nodes_by_label(graph, reader), params.concurrency))
    found = score(cut, answers, seed)
    write_json(args.out, found | {"of": made_of(args.model, args.graph, args.limit)})
    if args.answers:
        write_jsonl(args.answers, answers)
    print({mood: rate["mean"] for mood, rate in found["arm"].items()})


def made_of(model: Path, graph: Path, limit: int | None = None) -> dict[str, Any]:
    """Give what an arm's figures are made of: the model's and the graph's SHA-256, and the limit, None for all."""
    digest = hashlib.sha256()
    for file in sorted(f for f in model.rglob("*") if f.is_file()):
        digest.update(file.relative_to(model).as_posix().encode())
        with file.open("rb") as content:
            digest.update(hashlib.file_digest(content, "sha256").digest())
    return {"model": digest.hexdigest(), "graph": hashlib.sha256(graph.read_bytes()).hexdigest(), "limit": limit}


if __name__ == "__main__":
    run_stage(main)
