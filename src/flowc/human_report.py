"""The report's part on words of real people: the node tracker on human wizards, scenarios in the words of real
customers, and replayed human dialogues.

The figures are committed: scripts make them from data that lie outside the repository, and no stage can.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from flowc.markdown import details, table, text
from flowc.metrics import ARMS, Json, number, rate, read_object, section
from flowc.scoreboard import NOT_MEASURED, NOT_RUN, percent, sentence

_CRITERIA = {"task_success": "Task success", "information_accuracy": "Information accuracy", "recovery": "Recovery"}
_HABITS = {
    "most_frequent": "always the most frequent step",
    "most_frequent_after": "the most frequent behind the step before",
}


class Human(NamedTuple):
    """What was measured."""

    tracker: Json | None
    """None where it was not."""
    words: Mapping[str, Json]
    """In the words of customers, by procedure."""
    replay: Mapping[str, Json]
    """By arm."""


def read_human(folder: Path, procedures: Sequence[str]) -> Human:
    """Read the folder's files, of which every one may be missing; customers' words of these procedures.

    Raises UserError when one is broken.
    """
    words = {p: found for p in procedures if (found := _read(folder / f"real-words-{p}.json"))}
    replays = {arm: found for arm in ARMS if (found := _read(folder / f"replay-{arm}.json"))}
    return Human(_read(folder / "star_tracker.json"), words, replays)


def _read(path: Path) -> Json | None:
    return read_object(path, "what docs/human-input.md says") if path.exists() else None


def human(found: Human) -> list[str]:
    """Write the part, beginning with its heading."""
    return ["## Words of real people", *_tracker(found.tracker), *_words(found.words), *_replay(found.replay)]


def _tracker(found: Json | None) -> list[str]:
    what = "The node tracker on what human wizards typed (six STAR tasks)"
    if found is None:
        return [f"{what}: {NOT_RUN}; docs/human-input.md says how."]
    tasks = section(found, "by_task") or {}
    rows = [
        [text(name), *(sentence(rate(one.get(k))) for k in ("right", "none_on_other_tasks"))]
        for name, one in sorted(tasks.items())
    ]
    return [
        f"{what} names the right step in {sentence(rate(found.get('right')))}. To turns of another task, whose step "
        f'this task does not have, it says "none" in {sentence(rate(found.get("none_on_other_tasks")))}.',
        details("By task", table(["Task", "Right", '"None" on other tasks'], rows)),
    ]


def _words(found: Mapping[str, Json]) -> list[str]:
    what = (
        "The compiled model's scenarios once more, users saying what real customers typed to an airline or an insurer "
        "where that fits (MultiDoGO)"
    )
    if not found:
        return [f"{what}: {NOT_RUN}; docs/human-input.md says how."]
    rows = []
    for procedure, one in found.items():
        users, real = (number(one, "messages", key) for key in ("users", "real_words"))
        share = f"{percent(real / users)} (n = {users:.0f})" if users and real is not None else NOT_MEASURED
        rows.append([text(procedure), share, *(sentence(rate(one.get(c))) for c in _CRITERIA)])
    return [f"{what}:", table(["Procedure", "Messages in their words", *_CRITERIA.values()], rows)]


def _replay(found: Mapping[str, Json]) -> list[str]:
    what = "Human replay (STAR hotel booking: given what two people said so far, is the next step the human wizard's?)"
    if not found:
        return [f"{what}: {NOT_RUN}; docs/human-input.md says how."]
    one = next(iter(found.values()))
    rows = [[text(arm), *_moods(section(f, "arm"))] for arm, f in found.items()]
    rows += [[text(title), *_moods(section(one, key))] for key, title in _HABITS.items()]
    return [f"{what}:", table(["Next step by", "All", "Happy users", "Unhappy users"], rows)]


def _moods(found: Json | None) -> list[str]:
    return [sentence(rate((found or {}).get(mood))) for mood in ("all", "happy", "unhappy")]
