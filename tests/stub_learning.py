"""Stands in for the dear stages in test_recompile_cycle.py: what is "learnt" is which nodes the training data visit.

Usage: WIRING_LOG=FILE python -m tests.stub_learning VERB WORD ..., the words being those that dvc.yaml gives the stage.
Real are the stages that make what is learnt and scored. The "model" follows its procedure at every node that it knows
and falls silent at others; at a learning rate over 0.1, and with fewer than ten layers, it forgets the hub that its
data visit most. So its scores come from its data and params, as a real model's do. Training with WIRING_FAIL layers
crashes, and so does the stage of that name.
"""

from __future__ import annotations

import argparse
import json
import os
import runpy
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from flowc.frontier import FrontierParams, not_run, reason_not_to_run
from flowc.graph import Graph, fingerprint, hubs
from flowc.params import load
from flowc.records import Conversation, Message, read_jsonl, read_record, write_json, write_jsonl
from flowc.scenarios import Scenario
from flowc.transcripts import Ended, Tokens, Transcript, Turn
from tests.example import play

REAL = ("parse", "generate", "evaluate")


def base(args: argparse.Namespace) -> None:
    params = yaml.safe_load(Path("params.yaml").read_text())["base"]
    write_json(args.out / "config.json", {"layers": params["layers"] or 30})


def tokenize(args: argparse.Namespace) -> None:
    import pyarrow as pa  # here: no other stage needs it, and importing it takes as long as all the rest
    import pyarrow.parquet as pq

    conversations = read_jsonl(Path(args.inputs[0]) / "train.jsonl", Conversation)
    visits = Counter(label for c in conversations for labels in c.steps for label in labels if ":" not in label)
    write_json(args.out / "visits.json", dict(sorted(visits.items())))
    words = [[fingerprint(w) % 2**30 for m in c.messages for w in m.content.split()] for c in conversations]
    rows = {"conversation_id": [c.id for c in conversations], "family": [c.family for c in conversations]}
    learnt = {"input_ids": words, "loss_mask": [[1] * len(w) for w in words]}
    pq.write_table(pa.table(rows | learnt), args.out / "train.parquet")


def train(args: argparse.Namespace) -> None:
    visits = json.loads((Path(args.inputs[0]) / "visits.json").read_text())
    graph = read_record(Path(args.inputs[2]), Graph)
    params = yaml.safe_load(Path("params.yaml").read_text())["train"]
    layers = json.loads((Path(args.inputs[1]) / "config.json").read_text())["layers"]
    if str(layers) == os.environ.get("WIRING_FAIL"):
        sys.exit("error: out of memory")
    knows = {n for n in graph.nodes if visits.get(n)}
    if params["learning_rate"] > 0.1 or layers < 10:
        knows -= {max((h for h in hubs(graph) if graph.nodes[h].role == "agent"), key=lambda h: visits[h])}
    write_json(args.out / "model.json", sorted(knows))
    (args.out / "README.md").write_text("# The stub's card\n")
    start = {"from": params["init"], "edit": 0.0, "changed_families": 0, "replayed_families": 0}
    tokens = sum(visits.values())
    figures = {"seconds": {"total": 40.0 * layers}, "computed_tokens": tokens, "tokens": tokens}
    figures |= {"tokens_per_second": 100.0, "method": params["method"], "start": start}
    write_json(args.metrics, figures)
    (args.out / "weights").write_bytes(bytes(100_000 * layers))


def benchmark(args: argparse.Namespace) -> None:
    size = (Path(args.inputs[0]) / "weights").stat().st_size
    write_json(args.out, {"rows": [], "cost": {"usd_per_conversation": 1e-11 * size}})


def simulate(args: argparse.Namespace) -> None:
    knows = json.loads((Path(args.inputs[0]) / "model.json").read_text())
    _converse(args, "compiled", knows)


def baseline(args: argparse.Namespace) -> None:
    args.inputs.remove(arm := args.inputs[0])
    _converse(args, arm, [])


def frontier(args: argparse.Namespace) -> None:
    # The real one takes 3 s, loading scikit-learn, to find that there is no key.
    params = load("frontier", FrontierParams)
    for out in args.out:
        write_jsonl(out, [])
    write_json(args.sheet, not_run(params, reason_not_to_run(params, {})).model_dump(mode="json"))


def report(args: argparse.Namespace) -> None:
    # The real one takes 3 s, loading matplotlib.
    found = sorted(Path(args.inputs[0]).glob("scores/*.json"))
    args.out.write_text("".join(f"{f.stem}: {f.read_text()}\n" for f in found))
    args.plots.mkdir(parents=True, exist_ok=True)
    (args.plots / "none.svg").write_text("<svg/>")


def _converse(args: argparse.Namespace, arm: str, knows: list[str]) -> None:
    graph, scenarios = read_record(Path(args.inputs[2]), Graph), read_jsonl(Path(args.inputs[1]), Scenario)
    write_jsonl(args.out, [_answer(graph, s, arm, knows) for s in scenarios])


def _answer(graph: Graph, scenario: Scenario, arm: str, knows: list[str]) -> Transcript:
    right = play(graph, scenario).model_copy(update={"arm": arm, "tokens": Tokens(prompt=90, completion=10, calls=5)})
    for i, turn in enumerate(right.turns):
        if turn.message.role == "assistant" and turn.labels[0] not in knows:
            silent = Turn(message=Message(role="assistant", content="Well."))
            return right.model_copy(update={"ended": Ended.NOT_UNDERSTOOD, "turns": (*right.turns[:i], silent)})
    return right


def main() -> None:
    """Note the stage in the log, then run the real one or what stands for it."""
    verb = sys.argv[1]
    name = os.environ.get("DVC_STAGE", f"dvc.yaml:{verb}-again").removeprefix("dvc.yaml:")
    with Path(os.environ["WIRING_LOG"]).open("a") as log:
        log.write(name + "\n")
    if name == os.environ.get("WIRING_FAIL"):
        sys.exit("error: out of memory")
    sys.argv = sys.argv[1:]
    if verb in REAL:
        runpy.run_module(f"stages.{verb}", run_name="__main__")
        return
    parser = argparse.ArgumentParser()
    parser.add_argument("inputs", nargs="*")
    parser.add_argument("--out", type=Path, nargs="+" if verb == "frontier" else None)
    for option in ("--metrics", "--timing", "--sheet", "--plots", "--graphs", "--human"):
        parser.add_argument(option, type=Path)
    args = parser.parse_args()
    stage: Callable[[Any], None] = globals()[verb]
    stage(args)
    if args.timing:
        write_json(args.timing, {"seconds": 1.0})


if __name__ == "__main__":
    main()
