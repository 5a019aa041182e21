"""How well the node tracker names what human wizards typed, over the six STAR tasks.

It is fitted on a task's own replies and examples and reads the dialogues alone. A "none" on a turn of the task is an
error. A turn of another task counts as foreign where its label is none of this task's: all six greet, ask for the name
and say goodbye, and a recognised greeting is no error.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from flowc.bootstrap import ratio_interval
from flowc.recognise import Recogniser
from flowc.star import MOODS, TASKS, phrasings, read_dialogues, read_task, typed

_RESAMPLES, _CONFIDENCE = 2_000, 0.95


class Count(NamedTuple):
    """How many turns of one dialogue there were, and for how many the tracker did what it should."""

    n: int
    right: int


def measure(folder: Path, seed: int) -> dict[str, Any]:
    """Measure on the data set's folder: rates with intervals clustered by dialogue, whole and by task.

    Raises UserError when a file of the data set is not there.
    """
    tasks = {name: read_task(folder, name) for name in TASKS}
    said = {name: [typed(d, tasks[name]) for m in MOODS for d in read_dialogues(folder, name, m)] for name in TASKS}
    own: dict[str, list[Count]] = {}
    foreign: dict[str, list[Count]] = {}
    for name, task in tasks.items():
        steps = phrasings(task)
        heard, labels = cache(Recogniser(steps).recognise), {s.node for s in steps}
        own[name] = [Count(len(d), sum(heard(t.text).node == t.node for t in d)) for d in said[name]]
        others = [[t for t in d if t.node not in labels] for other in TASKS if other != name for d in said[other]]
        foreign[name] = [Count(len(d), sum(heard(t.text).node is None for t in d)) for d in others]
    return {
        "data": "STAR: what wizards typed before they picked a reply, 120 dialogues a task",
        "right": _rate([c for name in TASKS for c in own[name]], seed),
        "none_on_other_tasks": _rate([c for name in TASKS for c in foreign[name]], seed),
        "by_task": {
            name: {"right": _rate(own[name], seed), "none_on_other_tasks": _rate(foreign[name], seed)} for name in TASKS
        },
    }


def _rate(counts: Sequence[Count], seed: int) -> dict[str, Any]:
    n, right = sum(c.n for c in counts), sum(c.right for c in counts)
    interval = ratio_interval([c.right for c in counts], [c.n for c in counts], _RESAMPLES, _CONFIDENCE, seed)
    return {"mean": round(right / n, 4), "ci95": interval, "n": n, "unscored": 0}
