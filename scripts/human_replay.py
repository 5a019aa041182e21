"""Compile STAR's hotel booking from its replies alone, in a clone of its own, and replay the human dialogues.

Usage: python -m scripts.human_replay ../shared/data/star --out docs/human [--arms compiled in_context] [--limit N]
[OVERRIDE ...], with overrides as for `make params`: generate.train=100 generate.branches=8. The clone holds the present
commit and shares this repository's DVC cache. Started again it trains on from where it was ended, and an arm whose
figures are there, of the same model, graph and number of dialogues, is not asked again.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import yaml

from flowc.records import UserError, run_stage
from scripts.replay import made_of

TASK = "hotel_book"
GRAPH = f"data/graphs/{TASK}.json"
ARMS = ("compiled", "in_context", "orchestrated", "floor")


def main() -> None:
    """Bring the clone up to date, compile, replay each arm."""
    parser = argparse.ArgumentParser(prog="python -m scripts.human_replay", description=__doc__)
    parser.add_argument("star", type=Path, help="the STAR data, with tasks/ and dialogues/")
    parser.add_argument("overrides", nargs="*", help="other params, as for `make params`")
    parser.add_argument("--out", type=Path, required=True, help="folder for replay-ARM.json")
    parser.add_argument("--arms", nargs="+", choices=ARMS, default=ARMS, help="which arms to replay")
    parser.add_argument("--limit", type=int, help="only so many dialogues of each mood")
    parser.add_argument("--clone", type=Path, default=Path(".flowc/hotel"), help="where to compile")
    args = parser.parse_intermixed_args()
    if args.limit is not None and args.limit < 1:
        parser.error("--limit has to be 1 or more")
    if not args.star.is_dir():
        raise UserError(f"{args.star}: no such folder; give the one of the STAR data, with tasks/ and dialogues/")
    fetch(args.clone)
    for command in compiling(args.star.resolve(), args.overrides):
        _run(command, args.clone)
    base = yaml.safe_load((args.clone / "params.yaml").read_text(encoding="utf-8"))["base"]["name"]
    for arm in args.arms:
        if not there(args.out / f"replay-{arm}.json", args.clone, model_of(arm, base), args.limit):
            _run(replaying(arm, base, args.star.resolve(), args.out.resolve(), args.limit), args.clone)


def compiling(star: Path, overrides: Sequence[str]) -> list[list[str]]:
    """List the commands that compile the task, to be run in the clone."""
    chart = f"data/procedures/{TASK}.mmd"
    return [
        ["scripts.star_chart", str(star), TASK, "--out", chart],
        ["scripts.compose", f"+sources.{TASK}={{file: {TASK}.mmd}}", *overrides],
        ["dvc", "repro", f"train@{TASK}"],
    ]


def there(figures: Path, clone: Path, model: str, limit: int | None) -> bool:
    """Whether the file has an arm's figures of the clone's present model and graph, over as many dialogues."""
    if not figures.exists():
        return False
    of = json.loads(figures.read_text(encoding="utf-8")).get("of")
    return bool(of == made_of(clone / model, clone / GRAPH, limit))


def model_of(arm: str, base: str) -> str:
    """Name the folder of the model that an arm asks, in the clone."""
    return f"models/compiled/{TASK}" if arm == "compiled" else f"models/base/{base}"


def replaying(arm: str, base: str, star: Path, out: Path, limit: int | None) -> list[str]:
    """Give the command that replays an arm, to be run in the clone."""
    words = ["scripts.replay", arm, model_of(arm, base), GRAPH, str(star), "--out", f"{out}/replay-{arm}.json"]
    return [*words, "--answers", f"replay-{arm}.jsonl", *(["--limit", str(limit)] if limit else [])]


def fetch(clone: Path) -> None:
    """Make the clone, or bring it to the present commit; its trained models stay in the shared cache."""
    if not clone.exists():
        subprocess.run(["git", "clone", "--quiet", ".", str(clone)], check=True)
    subprocess.run(["git", "fetch", "--quiet", str(Path.cwd()), "HEAD"], cwd=clone, check=True)
    subprocess.run(["git", "reset", "--quiet", "--hard", "FETCH_HEAD"], cwd=clone, check=True)
    shared = subprocess.run([sys.executable, "-m", "dvc", "cache", "dir"], check=True, capture_output=True, text=True)
    _run(["dvc", "cache", "dir", "--local", str(Path(shared.stdout.strip()).resolve())], clone)


def _run(words: Sequence[str], folder: Path) -> None:
    print(">", *words, flush=True)
    # The installed package is the code that lies here; this path is the clone's own.
    environment = os.environ | {"PYTHONPATH": "src"}
    if subprocess.run([sys.executable, "-m", *words], cwd=folder, env=environment).returncode:
        raise UserError(
            f"`python -m {' '.join(words)}` failed in {folder}, see above; start again: what is done is kept"
        )


if __name__ == "__main__":
    run_stage(main)
