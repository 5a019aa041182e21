"""The report's part on words of real people: the node tracker on human wizards, and replayed human dialogues.

The figures are committed: scripts make them from data that lie outside the repository, and no stage can.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from flowc.markdown import details, table, text
from flowc.metrics import ARMS, Json, rate, read_object, section
from flowc.scoreboard import NOT_RUN, sentence

_HABITS = {
    "most_frequent": "always the most frequent step",
    "most_frequent_after": "the most frequent behind the step before",
}


class Human(NamedTuple):
    """What was measured: of the tracker, None where it was not, and by arm of the replay."""

    tracker: Json | None
    replay: Mapping[str, Json]


def read_human(folder: Path) -> Human:
    """Read the folder's files, of which every one may be missing.

    Raises UserError when one is broken.
    """
    replays = {arm: found for arm in ARMS if (found := _read(folder / f"replay-{arm}.json"))}
    return Human(_read(folder / "star_tracker.json"), replays)


def _read(path: Path) -> Json | None:
    return read_object(path, "what docs/human-input.md says") if path.exists() else None


def human(found: Human) -> list[str]:
    """Write the part, beginning with its heading."""
    return ["## Words of real people", *_tracker(found.tracker), *_replay(found.replay)]


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
