"""Compares DVC experiments: quality against model size, training time and cost, as a page with a plot a procedure.

Usage: python -m scripts.compare PAGE.md [--rev REVISION] [--name PREFIX]: the experiments on the present commit, or on
another, beside that commit itself; all of them, or those whose names begin so.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path

from flowc.metrics import Json
from flowc.params import load_value
from flowc.records import UserError, run_stage
from flowc.sweep import Layout, draw_sweep, read_sweep, sweep_page
from scripts.revision import git

LAYOUT = Layout(
    scores="reports/scores/{}.json",
    training="reports/training/{}.json",
    benchmark="reports/benchmark/{}.json",
    model="models/compiled/{}",
    params="params.yaml",
)


def main() -> None:
    """Ask DVC, draw, write the page."""
    parser = argparse.ArgumentParser(prog="python -m scripts.compare", description=__doc__)
    parser.add_argument("page", type=Path, help="the page to write, Markdown; plots stand beside it")
    parser.add_argument("--rev", default="HEAD", help="the commit that the experiments began from")
    parser.add_argument("--name", default="", metavar="PREFIX", help="how the experiments' names begin")
    args = parser.parse_args()
    shown = [_named(commit, args.name) for commit in json.loads(_ask(args.rev))]
    args.page.parent.mkdir(parents=True, exist_ok=True)
    sweeps, plots = {}, {}
    for procedure in load_value("procedures", list):
        sweeps[procedure] = read_sweep(shown, procedure, LAYOUT, _read)
        plots[procedure] = f"{args.page.stem}-{procedure}.png"
        draw_sweep(args.page.parent / plots[procedure], sweeps[procedure], procedure)
    args.page.write_text(sweep_page(sweeps, plots), encoding="utf-8")
    print(args.page)


def _named(commit: Json, prefix: str) -> Json:
    runs = [r for r in commit.get("experiments") or () if str(r["revs"][0].get("name") or "").startswith(prefix)]
    return {**commit, "experiments": runs}


def _read(revision: str, path: str) -> Json:
    found: Json = json.loads(git("show", f"{revision}:{path}"))
    return found


def _ask(revision: str) -> str:
    command = [sys.executable, "-m", "dvc", "exp", "show", "--json", "--rev", revision]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise UserError(f"dvc exp show: {done.stderr.strip()}; name a commit with --rev that this repository has")
    return done.stdout


if __name__ == "__main__":
    run_stage(main)
