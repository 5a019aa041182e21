"""Human ratings as the review page exports them, and what they say about the conversations at hand."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

from pydantic import Field

from flowc.briefing import item_id
from flowc.records import Record, UserError, read_record
from flowc.rubric import RUBRIC, menus
from flowc.transcripts import Transcript

HUMAN = "human"
"""What people's ratings are called among the judges."""


class Rating(Record):
    """One person's ratings of one conversation, by criterion."""

    item: str
    scores: dict[str, int]
    note: str = ""


class Preference(Record):
    """Which of two conversations one person finds better."""

    left: str
    right: str
    better: Literal["left", "tie", "right"]


class RatingFile(Record):
    """What one person exported from one page."""

    rubric: str
    procedure: str
    page: str
    rater: str = Field(min_length=1)
    exported: str = Field(default="", pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")
    """When, in UTC; a file without it counts as older than any other."""
    ratings: tuple[Rating, ...]
    preferences: tuple[Preference, ...] = ()


class Matched(NamedTuple):
    """Ratings of the transcripts at hand, and how many were left aside, by reason."""

    by_rater: dict[str, dict[str, dict[str, int]]]
    """Rater to conversation (its `item_id`) to criterion to rating."""
    preferences: dict[str, dict[str, int]]
    """Two arms, as "one or other", to how often each was found better, and `tie`."""
    left_out: dict[str, int]


def read_ratings(folder: Path) -> list[RatingFile]:
    """Read every JSON file of a folder, in the order of the names; a folder that is not there has none.

    Raises UserError with the file's name when one is not an export of the review page.
    """
    return [_read(file) for file in sorted(folder.glob("*.json"))]


def _read(file: Path) -> RatingFile:
    try:
        return read_record(file, RatingFile)
    except UnicodeDecodeError as e:
        raise UserError(f"{file}: not UTF-8 ({e.reason}); export it from the page again, or remove it") from None


def match(files: Iterable[RatingFile], procedure: str, transcripts: Iterable[Transcript]) -> Matched:
    """Find the transcripts that were rated, by their content.

    Left aside and counted: ratings on another edition of the rubric, of conversations that are not there any more
    (after a recompile), and outside the menu. Where a person rated a conversation or compared two of them twice, the
    file that was exported later counts, whatever its name: browsers call a second export `NAME (1).json`, which comes
    before `NAME.json`.
    """
    by_item = {item_id(t): t for t in transcripts}
    by_rater: dict[str, dict[str, dict[str, int]]] = {}
    better: dict[tuple[str, frozenset[str]], tuple[str, str]] = {}  # who compared what, to the arms and the better one
    out: Counter[str] = Counter()
    for file in sorted((f for f in files if f.procedure == procedure), key=lambda f: f.exported):
        for rating in (r for r in file.ratings if r.scores):  # the others are a remark alone
            if file.rubric != RUBRIC.version:
                out["other_rubric"] += 1
            elif rating.item not in by_item:
                out["unknown_conversation"] += 1
            else:
                kept = _on_menu(rating.scores, by_item[rating.item])
                out["off_menu"] += len(rating.scores) - len(kept)
                by_rater.setdefault(file.rater, {}).setdefault(rating.item, {}).update(kept)
        for given in file.preferences:
            left, right = by_item.get(given.left), by_item.get(given.right)
            if left is None or right is None:
                out["unknown_conversation"] += 1
            else:
                chosen = {"left": left.arm, "tie": "tie", "right": right.arm}[given.better]
                pair = " or ".join(sorted((left.arm, right.arm)))
                better[file.rater, frozenset((given.left, given.right))] = (pair, chosen)
    counted: dict[str, dict[str, int]] = {}
    for (pair, chosen), n in sorted(Counter(better.values()).items()):
        counted.setdefault(pair, {})[chosen] = n
    return Matched(by_rater, counted, {reason: n for reason, n in sorted(out.items()) if n})


def _on_menu(scores: Mapping[str, int], transcript: Transcript) -> dict[str, int]:
    allowed = menus(transcript)
    return {name: value for name, value in scores.items() if value in allowed.get(name, ())}


def means(matched: Matched, played: Sequence[Transcript]) -> dict[str, list[float | None]]:
    """Give each criterion's rating of every transcript, the mean over people, None where nobody rated it."""
    items = [item_id(t) for t in played]

    def mean(item: str, criterion: str) -> float | None:
        given = [r[item][criterion] for r in matched.by_rater.values() if criterion in r.get(item, {})]
        return sum(given) / len(given) if given else None

    return {c.name: [mean(item, c.name) for item in items] for c in RUBRIC.criteria}


def summary(matched: Matched) -> dict[str, Any]:
    """Count what people gave: raters, ratings, preferences by pair of arms, and what was left aside."""
    return {
        "rubric": RUBRIC.version,
        "raters": len(matched.by_rater),
        "conversations": len({item for rated in matched.by_rater.values() for item in rated}),
        "ratings": sum(len(scores) for rated in matched.by_rater.values() for scores in rated.values()),
        "preferences": matched.preferences,
        "left_out": matched.left_out,
    }
