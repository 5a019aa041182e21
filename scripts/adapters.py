"""Trains a procedure fully and with adapters, on the same conversations, and writes a page on what each can hold.

Usage: python -m scripts.adapters PAGE.md [OVERRIDE ...] [--procedure travel_booking] [--ranks 16 64] [--times 1 10].
Each way of training is a DVC experiment of the present commit, up to the simulation, in a workspace of its own; the
rates are `times` that of the full update. An experiment that is there already is not run again, one that fails does
not stop the others. `dvc exp show` lists them. Figures go into a JSON file beside the page.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from flowc.adapters_page import Trained, adapters_page
from flowc.evaluate import EvaluateParams
from flowc.gate import GateParams
from flowc.params import load, load_value
from flowc.records import UserError, run_stage, write_json
from flowc.side_by_side import Statistics, scores_of
from flowc.update_rank import by_kind, update_ranks
from scripts.revision import Revision, git
from scripts.sides import fetch_side


class Way(NamedTuple):
    """A way of training: the name of its experiment, its title, its rate, and its params."""

    name: str
    title: str
    rate: float
    overrides: tuple[str, ...]


def main() -> None:
    """Run what has not been run, read everything, write the page."""
    parser = argparse.ArgumentParser(prog="python -m scripts.adapters", description=__doc__)
    parser.add_argument("page", type=Path, help="the page to write, Markdown")
    parser.add_argument("--procedure", default="travel_booking", help="what is compiled")
    parser.add_argument("--ranks", type=int, nargs="+", default=[16, 64], help="ranks of the adapters")
    parser.add_argument("--times", type=float, nargs="+", default=[1, 10], help="their rates, in full updates' rates")
    parser.add_argument("overrides", nargs="*", help="other params of all, such as generate.train=100")
    args = parser.parse_args()
    ways = ways_of(args.ranks, args.times, load_value("train", dict)["learning_rate"], args.overrides)
    for way in ways:
        if not _revision(way.name):
            _run(way, [*args.overrides, *way.overrides], args.procedure)
    found = [_read(way, revision, args.procedure) for way in ways if (revision := _revision(way.name))]
    if not found or found[0].title != ways[0].title:
        raise UserError(f"the experiment {ways[0].name} has no result; see what it said above")
    by = Statistics(load("evaluate", EvaluateParams), load("gate", GateParams), load_value("seed", int))
    failed = [way.title for way in ways if way.title not in {f.title for f in found}]
    setting = f"Params: {', '.join(f'`{o}`' for o in args.overrides) or 'as committed'}."
    setting += f" Failed, and so not shown: {', '.join(failed)}." if failed else ""
    page = adapters_page(found[0], found[1:], setting, by, "python -m scripts.adapters")
    args.page.parent.mkdir(parents=True, exist_ok=True)
    args.page.write_text(page, encoding="utf-8")
    write_json(args.page.with_suffix(".json"), {f.title: f.model_dump(mode="json") for f in found})
    print(args.page)


def ways_of(ranks: Sequence[int], times: Sequence[float], full: float, overrides: Sequence[str]) -> list[Way]:
    """List the full update, then adapters of each rank at each rate; what is common to all is part of a name."""
    common = "-".join(["", *(re.sub(r"\W+", "-", o).strip("-") for o in overrides)])
    out = [Way(f"full{common}", "full update", full, ("train.method=full",))]
    for rank in ranks:
        for factor in times:
            rate = full * factor
            params = ("method=lora", f"lora.rank={rank}", f"lora.alpha={2 * rank}", f"lora.learning_rate={rate}")
            title = f"rank {rank}, {factor:g} x the rate"
            name = f"rank{rank}-x{factor:g}".replace(".", "-")
            out.append(Way(f"{name}{common}", title, rate, tuple(f"train.{p}" for p in params)))
    return out


def _run(way: Way, overrides: Sequence[str], procedure: str) -> None:
    command = [sys.executable, "-m", "dvc", "exp", "run", "--temp", "--name", way.name]
    command += [word for o in overrides for word in ("--set-param", o)]
    # The path is the experiment's own code; what is installed is the code that lies here and may be edited meanwhile.
    environment = os.environ | {"PYTHONPATH": "src"}
    status = subprocess.run([*command, f"simulate@{procedure}"], env=environment, check=False).returncode
    if status:
        print(f"{way.name} ended with {status}; the others follow", file=sys.stderr, flush=True)


def _revision(name: str) -> str | None:
    """Give the commit of an experiment that began from the present one."""
    head = git("rev-parse", "HEAD")
    return git("for-each-ref", "--format=%(objectname)", f"refs/exps/{head[:2]}/{head[2:]}/{name}") or None


def _read(way: Way, commit: str, procedure: str) -> Trained:
    """Read one experiment's metrics and conversations, and measure what its training changed."""
    with Revision(commit, way.name) as revision, tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        side = fetch_side(procedure, revision, folder)
        training = json.loads(revision.read(f"reports/training/{procedure}.json") or "{}")
        models = [f"models/base/{training.get('base')}", f"models/compiled/{procedure}"]
        weights = [revision.fetch(f"{model}/model.safetensors", folder) for model in models]
        if side is None or None in weights:
            raise UserError(f"{way.name}: its outputs are neither in the cache nor in a remote; `dvc exp remove` it")
        return Trained(
            title=way.title,
            rate=way.rate,
            training=training,
            scores=scores_of(side.asked),
            kinds=by_kind(update_ranks(*(folder / model for model in models))),
        )


if __name__ == "__main__":
    run_stage(main)
