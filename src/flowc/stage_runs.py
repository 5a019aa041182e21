"""What DVC did and why: its own words while it runs, and two versions of dvc.lock side by side."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from enum import StrEnum
from typing import Any

from flowc.records import Record

_RUNS = re.compile(r"^Running stage '(.+?)'")
_RESTORED = re.compile(r"^Stage '(.+?)' is cached - skipping run")
_FAILED = re.compile(r"failed to (?:reproduce|run).*?'(.+?)'")
_ABSENT = "its output was neither here nor in the remote"

Lock = Mapping[str, Mapping[str, Any]]
"""The `stages` of a dvc.lock."""


class Did(StrEnum):
    """What became of a stage that was not up to date."""

    RAN = "ran"
    RESTORED = "from the run cache"
    FAILED = "failed"


class StageRun(Record):
    """A stage that was not up to date; seconds are wall time with DVC's own work."""

    stage: str
    did: Did
    seconds: float
    why: tuple[str, ...]


class Watch:
    """Follows the lines that `dvc repro` prints."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, Did, float]] = []
        """Stage, what became of it, and when it began (seconds)."""
        self.ended: list[float] = []
        self.failed: str | None = None

    def line(self, text: str, now: float) -> None:
        """Take one line, printed at `now`."""
        for pattern, did in ((_RUNS, Did.RAN), (_RESTORED, Did.RESTORED)):
            if found := pattern.match(text):
                self.end(now)
                self.seen.append((_name(found[1]), did, now))
        if found := _FAILED.search(text):
            self.failed = _name(found[1])

    def end(self, now: float) -> None:
        """Take note that DVC ended, or began its next stage; it may be followed again."""
        if len(self.ended) < len(self.seen):
            self.ended.append(now)

    def runs(self, before: Lock, after: Lock) -> list[StageRun]:
        """List the stages that were not up to date in their order, with the reason for each."""
        stale = {stage for stage, _, _ in self.seen}
        return [
            StageRun(
                stage=stage,
                did=Did.FAILED if stage == self.failed and did == Did.RAN else did,
                seconds=round(ended - begun, 1),
                why=tuple(reasons(stage, before, after, stale)) or (_ABSENT,),
            )
            for (stage, did, begun), ended in zip(self.seen, self.ended, strict=True)
        ]


def _name(stage: str) -> str:
    return stage.removeprefix("dvc.yaml:")


def reasons(stage: str, before: Lock, after: Lock, stale: Collection[str]) -> list[str]:
    """Say in what two locks of a stage differ: files, params, the command, and outputs of the `stale` stages.

    A stage that failed has no new entry; what is known then is which of the stages before it ran.
    """
    old, new = before.get(stage), after.get(stage)
    if old is None:
        return ["new stage"]
    if new is None:
        return ["its inputs or its code"]
    makers = {out["path"]: name for name, entry in after.items() for out in entry.get("outs", [])}
    out = [] if old.get("cmd") == new.get("cmd") else ["its command"]
    was = {d["path"]: d.get("md5") for d in old.get("deps", [])}
    upstream: list[str] = []
    for dep in new.get("deps", []):
        if was.get(dep["path"]) == dep.get("md5"):
            continue
        made_by = [s for path, s in makers.items() if _inside(path, dep["path"]) and s in stale]
        if made_by:
            upstream += made_by
        else:
            out.append(dep["path"] if dep["path"] in was else f"{dep['path']} is new")
    now = {d["path"] for d in new.get("deps", [])}
    out += [f"{path} is gone" for path in was if path not in now]
    out += _params(old.get("params", {}), new.get("params", {}))
    return out + [f"after {name}" for name in dict.fromkeys(upstream)]


def _inside(path: str, folder: str) -> bool:
    return path == folder or path.startswith(f"{folder}/") or folder.startswith(f"{path}/")


def _params(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    was, now = flat(old), flat(new)
    return [
        f"{key}: {was.get(key, 'absent')} → {now.get(key, 'absent')}"
        for key in sorted({*was, *now})
        if was.get(key) != now.get(key)
    ]


def flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Flatten nested params to dotted names; the file's own name is no part of them."""
    out: dict[str, Any] = {}
    for key, value in values.items():
        name = prefix if key.endswith(".yaml") else f"{prefix}.{key}".removeprefix(".")
        if isinstance(value, Mapping):
            out |= flat(value, name)
        else:
            out[name] = value
    return out
