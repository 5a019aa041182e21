"""Typed access to the metrics files under reports/: what a file does not say is None, never zero."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from flowc.records import UserError

Json = Mapping[str, Any]

ARMS = ("compiled", "in_context", "orchestrated", "floor", "frontier_in_context", "frontier_orchestrated")
CRITERIA = ("task_success", "procedure_order", "information_accuracy", "consistency", "recovery")
SPLITS = {"seen_path": "seen paths", "held_out_path": "held-out paths"}
FILES = {
    "generation": "generate",
    "training": "train",
    "benchmark": "benchmark",
    "scores": "evaluate",
    "examples": "evaluate",
}
"""Folder of reports/ to the stage that writes into it."""
STAGES = ("base", "generate", "tokenize", "train", "benchmark", "simulate", "baseline", "frontier", "evaluate")
"""The timed ones. `parse` writes no timing, so that an edit of a comment ends there."""


class Rate(NamedTuple):
    """A mean over n verdicts with its 95 % interval; `unscored` counts the verdicts that could not be had.

    `clusters` are the scenarios that the verdicts are of, where that is known.
    """

    mean: float | None
    low: float | None
    high: float | None
    n: int
    unscored: int
    clusters: int | None = None


class Metrics(NamedTuple):
    """Everything measured for one procedure. `timings` are seconds by stage, None where none was written."""

    procedure: str
    generation: Json
    training: Json
    benchmark: Json
    scores: Json
    examples: Json
    timings: dict[str, float | None]


def read_metrics(reports: Path, procedure: str) -> Metrics:
    """Read one procedure's metrics.

    Raises UserError with the stage to run when a file is missing or broken.
    """
    found = {kind: _read(reports / kind / f"{procedure}.json", f"{stage}@{procedure}") for kind, stage in FILES.items()}
    run = [arm for arm in arms(found["scores"]) if reason_not_run(found["scores"], arm) is None]
    base = str(found["training"].get("base"))
    return Metrics(procedure, **found, timings=_timings(reports / "timings", procedure, base, run))


def read_object(path: Path, how: str) -> Json:
    """Read a JSON object.

    Raises UserError when it is missing or broken; `how` says in it what to run.
    """
    if not path.exists():
        raise UserError(f"{path}: no such file; {how} makes it")
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as e:
        raise UserError(f"{path}: not JSON ({e}); remove it and run {how}") from None
    if not isinstance(values, dict):
        raise UserError(f"{path}: not a JSON object; remove it and run {how}")
    return values


def _read(path: Path, stage: str) -> Json:
    return read_object(path, f"`dvc repro {stage}`")


def _timings(folder: Path, procedure: str, base: str, run: Sequence[str]) -> dict[str, float | None]:
    files: dict[str, Path] = {}
    for stage in STAGES:
        if stage == "baseline":
            files |= {f"baseline {a}": folder / stage / f"{procedure}-{a}.json" for a in run if a != ARMS[0]}
        else:
            files[stage] = folder / stage / f"{base if stage == 'base' else procedure}.json"
    return {
        name: number(_read(path, name.split()[0]), "seconds") if path.exists() else None for name, path in files.items()
    }


def section(values: Json | None, *keys: str) -> Json | None:
    """Follow keys to an object, or None where one is missing."""
    for key in keys:
        found = values.get(key) if values is not None else None
        values = found if isinstance(found, dict) else None
    return values


def number(values: Json | None, *keys: str) -> float | None:
    """Follow keys to a number, or None."""
    inside = section(values, *keys[:-1])
    found = inside.get(keys[-1]) if inside is not None else None
    return float(found) if isinstance(found, int | float) and not isinstance(found, bool) else None


def training_start(training: Json, revision: str | None) -> str | None:
    """Say what training started from and what it saw; None where the metrics do not tell.

    `revision` is the commit of the previous model, of which the metrics say nothing.
    """
    start = section(training, "start")
    if start is None:
        return None
    if start.get("from") == "base":
        return "the base model" + (f" ({start['reason']})" if "reason" in start else "")
    return (
        f"the model of {str(revision)[:10]}, on {start['changed_families']} families of conversations that changed and "
        f"{start['replayed_families']} others; the edit changed {start['edit']:.1%} of the tokens"
    )


def rate(values: Any) -> Rate | None:
    """Read a mean with its interval and counts, or None when `values` is nothing of the kind."""
    if not isinstance(values, dict) or not {"mean", "n"} <= values.keys():
        return None
    low, high = values.get("ci95") or (None, None)
    return Rate(values["mean"], low, high, int(values["n"]), int(values.get("unscored", 0)), values.get("clusters"))


def counted(values: Json) -> Rate | None:
    """Read counts with the interval of their ratio, or None where nothing was counted."""
    low, high = values.get("ci95") or (None, None)
    n = int(values.get("n", 0))
    return Rate(values["right"] / n, low, high, n, 0, values.get("clusters")) if n else None


def arms(scores: Json) -> list[str]:
    """List the arms, the six of the design first, then others by name."""
    found = {*(section(scores, "arms") or {}), *(section(scores, "not_run") or {})}
    return [*ARMS, *sorted(found - set(ARMS))]


def arm(scores: Json, name: str) -> Json:
    """Give an arm's scores; empty when it was not run."""
    return section(scores, "arms", name) or {}


def reason_not_run(scores: Json, name: str) -> str | None:
    """Why an arm has no scores, or None when it has."""
    if section(scores, "arms", name) is not None:
        return None
    reason = str((section(scores, "not_run") or {}).get(name, "no transcripts"))
    return reason.removeprefix("not run:").strip()


def criteria(scores: Json, judged: bool = False) -> list[str]:
    """List the criteria in [0, 1], or with `judged` those that LLM judges gave, from 1 to 5."""
    every = section(scores, "arms") or {}
    found = {key for one in every.values() for key, value in one.items() if rate(value)}
    fixed = () if judged else CRITERIA
    return [*fixed, *sorted(c for c in found - set(fixed) if ("." in c) == judged)]
