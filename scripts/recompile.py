"""Recompiles what an edit made stale, compares with the model that is replaced, and passes or refuses the new one.

Usage: python -m scripts.recompile --out FOLDER [--base REVISION] [--link NAME=URL ...] [OVERRIDE ...]. FOLDER gets
comment.md (for a pull request) and gate.json. Exit status: 0 the gate passed, 1 it failed or the pipeline stopped, 3 it
cannot decide. FLOWC_REMOTE is the URL of a DVC remote for machines on which none is configured.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from dvc.repo import Repo

from flowc.conformance import judge
from flowc.gate import Asked, GateParams, GateResult, Outcome, gate
from flowc.graph import Graph
from flowc.metrics import Json, number
from flowc.params import load, load_value
from flowc.procedure_diff import procedure_diff, still_plays
from flowc.recompile_comment import Failure, ProcedurePart, Recompile, comment, overall
from flowc.records import UserError, read_jsonl, read_record, run_stage, write_json, write_jsonl
from flowc.scenarios import Scenario
from flowc.stage_runs import Lock, Watch
from flowc.transcripts import Transcript
from scripts.fallbacks import fallbacks
from scripts.revision import Revision, stages_of

DVC = (sys.executable, "-m", "dvc")
STATUS = {Outcome.PASSED: 0, Outcome.FAILED: 1, Outcome.UNDECIDED: 3}


def main() -> None:
    """Restore, reproduce, compare, write the comment and the gate's answer."""
    parser = argparse.ArgumentParser(prog="python -m scripts.recompile", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder for comment.md and gate.json")
    parser.add_argument("--base", default="origin/main", help="the revision of the model that is replaced")
    parser.add_argument("--link", action="append", default=[], metavar="NAME=URL", help="shown below the comment")
    parser.add_argument("overrides", nargs="*", help="other params, as for `make params`")
    args = parser.parse_args()
    begun = time.monotonic()
    links = dict(link.split("=", 1) for link in args.link)
    remote = configure(os.environ.get("FLOWC_REMOTE"))
    with Revision(args.base) as base:
        overrides, notes = fallbacks(args.overrides, Path("conf"))
        as_configured = overrides == args.overrides
        if "train.init=previous" in overrides:
            overrides.append(f"train.previous.revision='{base.commit}'")  # quoted: 1e5 would be a number
        if subprocess.run([sys.executable, "-m", "scripts.compose", *overrides], check=False).returncode:
            sys.exit(1)
        notes += restore(remote)
        watch, failed = reproduce(remote)
        lock = Path("dvc.lock")
        before, after = base.lock(), stages_of(lock.read_text(encoding="utf-8") if lock.exists() else None)
        runs = watch.runs(time.monotonic(), before, after)
        names = [str(p) for p in load_value("procedures", list)]
        params = load("gate", GateParams)
        touched = [] if failed else [p for p in names if _made(before, p) != _made(after, p)]
        with tempfile.TemporaryDirectory() as folder:
            parts = [_part(p, base, after, params, Path(folder)) for p in touched]
    done = Recompile(
        base=base.name,
        stages=runs,
        seconds=time.monotonic() - begun,
        dollars_per_hour=number(load_value("benchmark", dict), "dollars_per_hour"),
        notes=notes,
        parts=parts,
        unchanged=[] if failed else [p for p in names if p not in touched],
        links=links,
        failed=failed,
    )
    page, outcome = comment(done), overall(done)
    args.out.mkdir(parents=True, exist_ok=True)
    (args.out / "comment.md").write_text(page, encoding="utf-8")
    results = {p.procedure: p.result.model_dump(mode="json") if p.result else None for p in parts}
    answer = {"outcome": outcome, "procedures": results, "base": base.commit}
    write_json(args.out / "gate.json", answer | {"as_configured": as_configured})
    print(f"\nGate: {outcome}. {args.out / 'comment.md'} has the whole.")
    sys.exit(STATUS[outcome])


def configure(url: str | None) -> str | None:
    """Make a URL this clone's DVC remote; give the name of the remote that is configured now."""
    if url:
        subprocess.run([*DVC, "remote", "add", "--quiet", "--local", "--force", "--default", "flowc", url], check=True)
    with Repo() as repo:
        name: str | None = repo.config["core"].get("remote")
    return name


def restore(remote: str | None) -> list[str]:
    """Pull outputs and the run cache from the DVC remote; what could not be had is said, and made anew."""
    if not remote:
        return ["No DVC remote is configured: what this machine does not have is made anew."]
    done = subprocess.run([*DVC, "pull", "--run-cache", "--allow-missing"], capture_output=True, text=True, check=False)
    print(done.stdout + done.stderr)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["it gave no reason"])[-1]
        return [f"Not all could be pulled from the DVC remote {remote} ({last}): the rest is made anew."]
    return []


def reproduce(remote: str | None) -> tuple[Watch, str | None]:
    """Run `dvc repro`; give what it did, and its last words when it failed.

    With a remote, what former runs made is fetched as it is needed: a pull brings only what dvc.lock names.
    """
    watch, last = Watch(), deque[str](maxlen=30)
    command = [*DVC, "repro", *(["--pull"] if remote else [])]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as running:
        assert running.stdout is not None
        for line in running.stdout:
            print(line, end="", flush=True)
            watch.line(line, time.monotonic())
            last.append(line)
    return watch, "".join(last).strip() or "dvc repro failed" if running.returncode else None


def _made(lock: Lock, procedure: str) -> dict[str, str]:
    """Hash by path of what identifies a compiled model and its conversations."""
    entries = [lock.get(f"{verb}@{procedure}", {}) for verb in ("parse", "train", "simulate")]
    outs = [out for entry in entries for out in entry.get("outs", [])]
    return {out["path"]: out["md5"] for out in outs if not out["path"].startswith("reports/")}


class Files(NamedTuple):
    """One side of a comparison; empty where it could not be had."""

    graph: Graph
    scenarios: dict[str, Scenario]
    asked: dict[str, list[Asked]]


def _part(procedure: str, base: Revision, lock: Lock, params: GateParams, folder: Path) -> ProcedurePart:
    """Compare a procedure's two models."""
    after = _files(procedure, Path())
    is_new = f"train@{procedure}" not in base.lock()
    before = None if is_new else _fetched(procedure, base, folder)
    diff = procedure_diff(before.graph if before else None, after.graph)
    result: GateResult | None = None
    asked = dict(after.asked)
    if before:
        old = {
            s: a for s, a in before.asked.items() if after.scenarios.get(s, before.scenarios[s]) == before.scenarios[s]
        }
        again = [
            before.scenarios[s]
            for s in sorted(old.keys() - asked.keys())
            if still_plays(before.graph, after.graph, before.scenarios[s])
        ]
        asked |= _ask_again(procedure, lock, after.graph, again, folder)
        result = gate(procedure, old, asked, diff.nodes, params, after.asked)
    elif is_new:
        old = {}
        result = gate(procedure, None, asked, diff.nodes, params, after.asked)
    scenarios = after.scenarios | (before.scenarios if before else {})
    failures = [
        Failure(
            scenario=s,
            ending=scenarios[s].ending,
            was_there=before is not None and s in before.asked,
            faults=tuple(f"turn {f.turn}: {f.text}" for a in asked[s] for f in a.judgement.faults),
        )
        for s in (result.failures if result else ())
    ]
    return ProcedurePart(
        procedure=procedure,
        before=before.graph if before else None,
        after=after.graph,
        diff=diff,
        scores=_metrics(base, "scores", procedure),
        training=_metrics(base, "training", procedure),
        benchmark=_metrics(base, "benchmark", procedure),
        result=result,
        why_no_result=(
            "the conversations of the model that is replaced are neither in the cache nor in the remote; run "
            f"`dvc repro` and `python -m scripts.push` at {base.name}"
        ),
        failures=failures,
    )


def _fetched(procedure: str, base: Revision, folder: Path) -> Files | None:
    """Get the base's side from cache or remote; None when a part of it is nowhere."""
    found = [base.fetch(path, folder) for path in _paths(procedure)]
    return None if None in found else _files(procedure, folder)


def _paths(procedure: str) -> tuple[str, str, str]:
    return (
        f"data/graphs/{procedure}.json",
        f"data/scenarios/{procedure}.jsonl",
        f"data/transcripts/{procedure}/compiled.jsonl",
    )


def _files(procedure: str, folder: Path) -> Files:
    """Read one side, and judge it with the judge of today, so that both sides are measured alike."""
    graph_file, scenarios_file, transcripts_file = (folder / path for path in _paths(procedure))
    graph = read_record(graph_file, Graph)
    scenarios = {s.id: s for s in read_jsonl(scenarios_file, Scenario)}
    return Files(graph, scenarios, _judged(graph, scenarios, transcripts_file))


def _judged(graph: Graph, scenarios: dict[str, Scenario], transcripts: Path) -> dict[str, list[Asked]]:
    out: dict[str, list[Asked]] = {}
    for played in read_jsonl(transcripts, Transcript):
        out.setdefault(played.scenario, []).append(Asked(played, judge(graph, scenarios[played.scenario], played)))
    return out


def _ask_again(
    procedure: str, lock: Lock, graph: Graph, scenarios: Sequence[Scenario], folder: Path
) -> dict[str, list[Asked]]:
    """Play scenarios of the former evaluation with the new model, by the command of its own stage."""
    if not scenarios:
        return {}
    asked, answers, timing = (folder / procedure / name for name in ("asked.jsonl", "answers.jsonl", "timing.json"))
    write_jsonl(asked, scenarios)
    _, old_asked, old_answers = _paths(procedure)
    entry = lock[f"simulate@{procedure}"]
    command = str(entry["cmd"])
    paths = {old_asked: asked, old_answers: answers, f"reports/timings/simulate/{procedure}.json": timing}
    for path, other in paths.items():
        assert path in command, f"the command of simulate does not name {path}"
        command = command.replace(path, shlex.quote(str(other)))
    print(f"\nAsking the new model {len(scenarios)} scenarios of the former evaluation again", flush=True)
    if subprocess.run(command, shell=True, check=False).returncode:
        raise UserError(f"asking the new model of {procedure} again failed; what it printed stands above")
    return _judged(graph, {s.id: s for s in scenarios}, answers)


def _metrics(base: Revision, kind: str, procedure: str) -> tuple[Json, Json]:
    path = f"reports/{kind}/{procedure}.json"
    own = Path(path)
    return _object(base.read(path)), _object(own.read_text(encoding="utf-8") if own.exists() else None)


def _object(text: str | None) -> Json:
    found = json.loads(text or "{}")
    return found if isinstance(found, dict) else {}


if __name__ == "__main__":
    run_stage(main)
