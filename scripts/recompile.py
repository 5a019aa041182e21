"""Recompiles what an edit made stale, compares with the model that is replaced, and passes or refuses the new one.

Usage: python -m scripts.recompile --out FOLDER [--base REVISION] [--link NAME=URL ...] [--gate-only] [OVERRIDE ...].
FOLDER gets comment.md (for a pull request) and gate.json. The stages that the gate reads run first, the others behind.
Exit status: 0 the gate passed, 1 it failed or the recompile stopped, 3 it cannot decide. FLOWC_REMOTE is the URL of a
DVC remote for machines on which none is configured.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import deque
from pathlib import Path
from typing import NamedTuple

from dvc.repo import Repo
from dvc.stage.cache import RunCacheNotSupported

from flowc.gate import GateParams, Outcome
from flowc.metrics import Json, number
from flowc.params import load, load_value
from flowc.recompile_comment import ProcedurePart, Recompile, comment, overall
from flowc.records import run_stage, write_json
from flowc.stage_runs import Lock, Watch
from scripts.compose import write_params
from scripts.fallbacks import fallbacks
from scripts.revision import Revision, branched_from, stages_of
from scripts.sides import compare_sides, made
from scripts.start import asked_for, choose, compiled_at, read_start, write_start

DVC = (sys.executable, "-m", "dvc")
STATUS = {Outcome.PASSED: 0, Outcome.FAILED: 1, Outcome.UNDECIDED: 3}
CONF, START = Path("conf"), Path("conf/start.yaml")


class SoFar(NamedTuple):
    """What a page can tell of a recompile at any moment: its stages, its start (monotonic clock, s), its notes."""

    watch: Watch
    begun: float
    notes: list[str]


class Restored(NamedTuple):
    """The remote to take more from, None without one that can be read, and what is to be said of it."""

    remote: str | None
    notes: list[str]


def main() -> None:
    """Recompile and write comment.md and gate.json, whatever happens: an older page may say that the gate passed."""
    parser = argparse.ArgumentParser(prog="python -m scripts.recompile", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder for comment.md and gate.json")
    parser.add_argument("--base", default="origin/main", help="the revision of the model that is replaced")
    parser.add_argument(
        "--link", type=link, action="append", default=[], metavar="NAME=URL", help="shown below the comment"
    )
    parser.add_argument("--gate-only", action="store_true", help="leave out what the gate does not read")
    parser.add_argument("overrides", nargs="*", help="other params, as for `make params`")
    args = parser.parse_args()
    so_far = SoFar(Watch(), time.monotonic(), [])
    before: Lock = {}
    try:
        remote = configure(os.environ.get("FLOWC_REMOTE"))  # before the revision is opened, which then knows of it
        with branched_from(args.base) as base, tempfile.TemporaryDirectory() as folder:
            before = base.lock()
            done, as_configured = recompile(args, base, remote, Path(folder), so_far)
        write_answer(done, args.out, base.commit, as_configured)
    except Exception as e:
        write_answer(stopped(args, so_far, before, str(e)), args.out, args.base, False)
        raise
    sys.exit(STATUS[overall(done)])


def recompile(
    args: argparse.Namespace, base: Revision, remote: str | None, folder: Path, so_far: SoFar
) -> tuple[Recompile, bool]:
    """Restore, reproduce up to the gate, compare, reproduce the rest; also give whether all was as conf/ asks."""
    watch, begun, notes = so_far
    start, named = asked_for(args.overrides, compiled_at(base))
    overrides, instead = fallbacks(named, CONF)
    notes += instead
    as_configured = overrides == named and not args.gate_only
    if start:
        write_start(START, start)
    write_params(overrides)
    remote, said = restore(remote)
    notes += said
    failed = reproduce(watch, remote, "tokenize")
    names = [str(p) for p in load_value("procedures", list)]
    if not (failed or start) and (chosen := choose(base, names, read_start(START), now(), CONF, overrides, folder)):
        notes += chosen.notes
        write_start(START, chosen.start)
        write_params(overrides)
    failed = failed or reproduce(watch, remote, "simulate")
    touched = [] if failed else [p for p in names if made(base.lock(), p) != made(now(), p)]
    params = load("gate", GateParams)
    parts = [compare_sides(p, base, now(), params, folder) for p in touched]
    gate_seconds = time.monotonic() - begun
    if args.gate_only:
        notes.append("Only what the gate reads was made: `dvc repro` makes load sweep, baselines and report.")
    elif not failed:
        results = ", ".join(f"{p.procedure} {p.result.outcome if p.result else Outcome.UNDECIDED}" for p in parts)
        print(f"\nGate, after {gate_seconds:.0f} s: {results or 'no model changed'}. The rest follows.", flush=True)
        failed = reproduce(watch, remote)
    done = Recompile(
        base=base.name,
        stages=watch.runs(base.lock(), now()),
        seconds=time.monotonic() - begun,
        gate_seconds=gate_seconds,
        dollars_per_hour=number(load_value("benchmark", dict), "dollars_per_hour"),
        notes=notes,
        parts=parts if failed or args.gate_only else [with_metrics(p, base) for p in parts],
        unchanged=[] if failed else [p for p in names if p not in touched],
        links=dict(args.link),
        failed=failed,
    )
    return done, as_configured


def stopped(args: argparse.Namespace, so_far: SoFar, before: Lock, why: str) -> Recompile:
    """Give what is known when something else than a stage stopped the recompile; nothing is passed."""
    so_far.watch.end(time.monotonic())
    seconds = time.monotonic() - so_far.begun
    return Recompile(
        base=args.base,
        stages=so_far.watch.runs(before, now()),
        seconds=seconds,
        gate_seconds=seconds,
        dollars_per_hour=None,
        notes=so_far.notes,
        parts=[],
        unchanged=[],
        links=dict(args.link),
        failed=why,
    )


def link(text: str) -> tuple[str, str]:
    """Read NAME=URL."""
    name, _, url = text.partition("=")
    if not url:
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=URL")
    return name, url


def write_answer(done: Recompile, out: Path, base: str, as_configured: bool) -> None:
    """Write comment.md and gate.json."""
    out.mkdir(parents=True, exist_ok=True)
    (out / "comment.md").write_text(comment(done), encoding="utf-8")
    answer = {
        "outcome": overall(done),
        "procedures": {p.procedure: p.result.model_dump(mode="json") if p.result else None for p in done.parts},
        "base": base,
        "as_configured": as_configured,
        "seconds": {"to_gate": round(done.gate_seconds, 1), "in_all": round(done.seconds, 1)},
        "stages": [s.model_dump(mode="json") for s in done.stages],
        "notes": list(done.notes),
    }
    write_json(out / "gate.json", answer)
    print(f"\nGate: {overall(done)}. {out / 'comment.md'} has the whole.")


def configure(url: str | None) -> str | None:
    """Make a URL this clone's DVC remote; give the name of the remote that is configured now."""
    if url:
        subprocess.run([*DVC, "remote", "add", "--quiet", "--local", "--force", "--default", "flowc", url], check=True)
    with Repo() as repo:
        name: str | None = repo.config["core"].get("remote")
    return name


def restore(remote: str | None) -> Restored:
    """Pull outputs and the run cache from the DVC remote; what could not be had is said, and made anew."""
    if not remote:
        return Restored(None, ["No DVC remote is configured: what this machine does not have is made anew."])
    done = subprocess.run([*DVC, "pull", "--run-cache", "--allow-missing"], capture_output=True, text=True, check=False)
    print(done.stdout + done.stderr)
    if not done.returncode:
        return Restored(remote, [])
    errors = [line.removeprefix("ERROR: ") for line in done.stderr.splitlines() if line.startswith("ERROR: ")]
    last = errors[-1] if errors else "it gave no reason"
    if is_readable():
        note = f"Not all could be pulled from the DVC remote {remote} ({last}): the rest is made anew."
        return Restored(remote, [note])
    note = f"The DVC remote {remote} cannot be read ({last}): what this machine does not have is made anew."
    return Restored(None, [note])


def is_readable() -> bool:
    """Try the first step of `dvc repro --pull`, which without a key or a plugin ends the whole run (DVC 3.67)."""
    try:
        with Repo() as repo:
            repo.stage_cache.pull(None)
    except RunCacheNotSupported:  # which `dvc repro` goes on from
        return True
    except Exception as e:  # the remotes' file systems have errors of their own
        print(f"The DVC remote cannot be read: {e}", file=sys.stderr)
        return False
    return True


def reproduce(watch: Watch, remote: str | None, *targets: str) -> str | None:
    """Run `dvc repro` up to `targets`, all without one; give its last words when it failed.

    With a remote, what former runs made is fetched as it is needed: a pull brings only what dvc.lock names.
    """
    last = deque[str](maxlen=30)
    command = [*DVC, "repro", *(["--pull"] if remote else []), *targets]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as running:
        assert running.stdout is not None
        for line in running.stdout:
            print(line, end="", flush=True)
            watch.line(line, time.monotonic())
            last.append(line)
    watch.end(time.monotonic())
    return "".join(last).strip() or "dvc repro failed" if running.returncode else None


def now() -> Lock:
    """Give the stages of the dvc.lock that is here."""
    lock = Path("dvc.lock")
    return stages_of(lock.read_text(encoding="utf-8") if lock.exists() else None)


def with_metrics(part: ProcedurePart, base: Revision) -> ProcedurePart:
    """Fill in the metrics before and after."""
    return part._replace(
        scores=_metrics(base, "scores", part.procedure),
        training=_metrics(base, "training", part.procedure),
        revision=read_start(START).revision,
        benchmark=_metrics(base, "benchmark", part.procedure),
    )


def _metrics(base: Revision, kind: str, procedure: str) -> tuple[Json, Json]:
    path = f"reports/{kind}/{procedure}.json"
    own = Path(path)
    return _object(base.read(path)), _object(own.read_text(encoding="utf-8") if own.exists() else None)


def _object(text: str | None) -> Json:
    found = json.loads(text or "{}")
    return found if isinstance(found, dict) else {}


if __name__ == "__main__":
    run_stage(main)
