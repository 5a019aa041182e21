"""The two sides that a gate compares: the conversations of a procedure's new model, and of the one that it replaces."""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from flowc.conformance import judge
from flowc.gate import Asked, GateParams, GateResult, gate
from flowc.graph import Graph
from flowc.procedure_diff import procedure_diff, still_plays
from flowc.recompile_comment import Failure, ProcedurePart
from flowc.records import UserError, read_jsonl, read_record, write_jsonl
from flowc.scenarios import Scenario
from flowc.stage_runs import Lock
from flowc.transcripts import Transcript
from scripts.revision import Revision


class Side(NamedTuple):
    """One side of a comparison."""

    graph: Graph
    scenarios: dict[str, Scenario]
    asked: dict[str, list[Asked]]


def made(lock: Lock, procedure: str) -> dict[str, str]:
    """Hash by path of what identifies a compiled model and its conversations."""
    entries = [lock.get(f"{verb}@{procedure}", {}) for verb in ("parse", "train", "simulate")]
    outs = [out for entry in entries for out in entry.get("outs", [])]
    return {out["path"]: out["md5"] for out in outs if not out["path"].startswith("reports/")}


def compare_sides(procedure: str, base: Revision, lock: Lock, params: GateParams, folder: Path) -> ProcedurePart:
    """Pass or refuse a procedure's new model; its metrics before and after are left open.

    `folder` is for what has to be fetched or asked again.
    """
    after = read_side(procedure, Path())
    is_new = f"train@{procedure}" not in base.lock()
    before = None if is_new else fetch_side(procedure, base, folder)
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
        scores=({}, {}),
        training=({}, {}),
        revision=None,
        benchmark=({}, {}),
        result=result,
        why_no_result=(
            "the conversations of the model that is replaced are neither in the cache nor in the remote; run "
            f"`dvc repro` and `python -m scripts.push` at {base.name}"
        ),
        failures=failures,
    )


def read_side(procedure: str, folder: Path) -> Side:
    """Read one side, and judge it with the judge of today, so that both sides are measured alike."""
    graph_file, scenarios_file, transcripts_file = (folder / path for path in _paths(procedure))
    graph = read_record(graph_file, Graph)
    scenarios = {s.id: s for s in read_jsonl(scenarios_file, Scenario)}
    return Side(graph, scenarios, _judged(graph, scenarios, transcripts_file))


def fetch_side(procedure: str, base: Revision, folder: Path) -> Side | None:
    """Get the base's side from cache or remote; None when a part of it is nowhere."""
    found = [base.fetch(path, folder) for path in _paths(procedure)]
    return None if None in found else read_side(procedure, folder)


def _paths(procedure: str) -> tuple[str, str, str]:
    return (
        f"data/graphs/{procedure}.json",
        f"data/scenarios/{procedure}.jsonl",
        f"data/transcripts/{procedure}/compiled.jsonl",
    )


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
