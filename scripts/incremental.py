"""Measures what a one-node edit costs: compiled from the former model, and from the base, each up to the gate.

Usage: python -m scripts.incremental FOLDER PAGE.md [OVERRIDE ...]. FOLDER gets two clones of the present commit with
the same edit, which are recompiled one after the other with the same overrides, such as
train.previous.learning_rate=1e-4; what the commit compiled comes from FLOWC_REMOTE or, without it, from this
repository's cache. Started again it keeps what has been measured; what was interrupted begins anew, since its time
would be short. The page is written when both are there, with a JSON file of the figures beside it.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from dvc.repo import Repo

from flowc.evaluate import EvaluateParams
from flowc.gate import GateParams
from flowc.params import load, load_value
from flowc.records import UserError, run_stage, write_json
from flowc.side_by_side import Statistics, scores_of
from flowc.two_starts import Compiled, count, two_starts_page
from scripts.revision import git
from scripts.sides import read_side
from scripts.start import read_start


class Edit(NamedTuple):
    """A text in a procedure's file, replaced once."""

    procedure: str
    old: str
    new: str


EDIT = Edit(
    "travel_booking",
    "Please tell me the full name in your passport.",
    "Please tell me your full name as it is in the passport.",
)
WAYS = {"incremental": [], "full": ["train.init=base"]}
"""Name of a clone to the overrides of its recompile."""


def main() -> None:
    """Compile both ways what has not been compiled yet, and write the page."""
    parser = argparse.ArgumentParser(prog="python -m scripts.incremental", description=__doc__)
    parser.add_argument("folder", type=Path, help="for two clones, about 3 GB each")
    parser.add_argument("page", type=Path, help="the page to write, Markdown")
    parser.add_argument("overrides", nargs="*", help="params for both, as for `make params`")
    args = parser.parse_args()
    keep_overrides(args.folder / "overrides.json", args.overrides)
    found: dict[str, Compiled] = {}
    for way, overrides in WAYS.items():
        measured = args.folder / f"{way}.json"
        if not measured.exists():
            compiled = measure(args.folder / way, EDIT, [*overrides, *args.overrides])
            write_json(measured, compiled.model_dump(mode="json"))
        found[way] = Compiled.model_validate_json(measured.read_text(encoding="utf-8"))
    by = Statistics(load("evaluate", EvaluateParams), load("gate", GateParams), load_value("seed", int))
    said = f"in {EDIT.procedure}, “{EDIT.old}” became “{EDIT.new}”"
    nodes = json.loads((args.folder / "incremental" / "recompile" / "gate.json").read_text(encoding="utf-8"))
    touched = sorted(nodes["procedures"][EDIT.procedure]["changed"]["nodes"])
    command = shlex.join(["python", "-m", "scripts.incremental", "FOLDER", str(args.page), *args.overrides])
    page = two_starts_page(said, touched, found["incremental"], found["full"], by, command)
    args.page.parent.mkdir(parents=True, exist_ok=True)
    args.page.write_text(page, encoding="utf-8")
    write_json(args.page.with_suffix(".json"), {way: c.model_dump(mode="json") for way, c in found.items()})
    print(args.page)


def keep_overrides(file: Path, overrides: list[str]) -> None:
    """Note what a folder's measurements are made with.

    Raises UserError when it has those of others.
    """
    former = json.loads(file.read_text(encoding="utf-8")) if file.exists() else overrides
    if former != overrides:
        said = [shlex.join(o) or "none" for o in (former, overrides)]
        raise UserError(f"{file.parent} was measured with the overrides {said[0]}, not {said[1]}; name another folder")
    write_json(file, overrides)


def measure(folder: Path, edit: Edit, overrides: list[str]) -> Compiled:
    """Clone, edit, recompile to the gate; read what it says, and raise as `read` and `make_edit` do."""
    base = git("rev-parse", "HEAD")
    shutil.rmtree(folder, ignore_errors=True)
    git("clone", "--quiet", ".", str(folder))
    make_edit(folder / "data" / "procedures" / f"{edit.procedure}.yaml", edit)
    identity = ("-c", "user.name=flowc", "-c", "user.email=flowc@example.invalid")
    git("-C", str(folder), *identity, "commit", "--quiet", "--all", "--no-verify", "--message", "Edit one node")
    command = [sys.executable, "-m", "scripts.recompile", "--base", base, "--out", "recompile", "--gate-only"]
    subprocess.run([*command, *overrides], cwd=folder, env=_environment(), check=False)
    return read(folder, edit.procedure)


def make_edit(file: Path, edit: Edit) -> None:
    """Replace the text.

    Raises UserError when it does not stand there exactly once.
    """
    before = file.read_text(encoding="utf-8")
    if before.count(edit.old) != 1:
        times = before.count(edit.old)
        raise UserError(f"{file}: {edit.old!r} stands there {times} times, not once; correct EDIT in the script")
    file.write_text(before.replace(edit.old, edit.new), encoding="utf-8")


def read(folder: Path, procedure: str) -> Compiled:
    """Read what a recompile in a clone left.

    Raises UserError when it stopped before its gate.
    """
    answer = folder / "recompile" / "gate.json"
    gate = json.loads(answer.read_text(encoding="utf-8")) if answer.exists() else {}
    result = gate.get("procedures", {}).get(procedure)
    if result is None:
        raise UserError(f"{folder}: the recompile stopped before its gate; mend what is said above and start again")
    side = read_side(procedure, folder)
    nodes = set(result["changed"]["nodes"])
    training = (folder / "reports" / "training" / f"{procedure}.json").read_text(encoding="utf-8")
    return Compiled(
        revision=read_start(folder / "conf" / "start.yaml").revision,
        outcome=gate["outcome"],
        notes=tuple(gate["notes"]),
        to_gate=gate["seconds"]["to_gate"],
        stages={s["stage"]: s["seconds"] for s in gate["stages"]},
        training=json.loads(training),
        scores=scores_of(side.asked),
        changed=count(side.asked, nodes),
        unchanged=count(side.asked, side.graph.nodes.keys() - nodes),
    )


def _environment() -> dict[str, str]:
    """The clone's own code with this interpreter, and a remote that has what was compiled."""
    with Repo() as repo:
        cache = Path(repo.cache.local.path).parents[1]  # files/md5 in the cache, which is laid out like a remote
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return {"FLOWC_REMOTE": str(cache)} | os.environ | {"PATH": path, "PYTHONPATH": "src"}


if __name__ == "__main__":
    run_stage(main)
