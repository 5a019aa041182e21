"""The part of the report on judge models and people: what they gave, how far they agree, and what that corrects."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flowc.markdown import table, text
from flowc.metrics import Json, section

UNKNOWN = "not defined"
NO_JUDGES = "LLM judges (naturalness and the like): not run: none configured."
NO_PEOPLE = "No human ratings: `make review` writes a page for them."


def judging(scores: Json) -> list[str]:
    """Write what is known of the judges, or that none was asked."""
    found = section(scores, "judging")
    if found is None:
        return [NO_JUDGES, _people(scores)]  # who only compared conversations has rated none
    return [_people(scores), *_judges(found), *_agreement(found), *_corrected(found), *_pairs(found)]


def figure(values: Any) -> str:
    """Write a figure with its interval and n."""
    if not isinstance(values, Mapping):
        return "—"
    n = f"n={values.get('n')}"
    if values.get("value") is None:
        return f"{UNKNOWN}, {n}"
    ends = values.get("ci95")
    interval = f" [{ends[0]:.2f}–{ends[1]:.2f}]" if ends else ""
    return f"{values['value']:.2f}{interval}, {n}"


def _people(scores: Json) -> str:
    rated = section(scores, "ratings")
    if rated is None:
        return NO_PEOPLE
    left = ", ".join(f"{n} for {reason.replace('_', ' ')}" for reason, n in rated["left_out"].items())
    said = (
        f"Human ratings on rubric {text(str(rated['rubric']))}: {rated['ratings']} ratings of "
        f"{rated['conversations']} conversations by {rated['raters']} people{f'; left aside: {left}' if left else ''}."
    )
    for pair, times in rated["preferences"].items():
        found = ", ".join(f"{text(name)} {n}" for name, n in times.items())
        said += f" Compared side by side, {text(pair)} (n = {sum(times.values())}): {found}."
    return said


def _judges(found: Json) -> list[str]:
    if not found["judges"]:
        return [NO_JUDGES]
    rows = []
    for name, one in found["judges"].items():
        unscored = ", ".join(f"{n} {reason.replace('_', ' ')}" for reason, n in one["unscored"].items())
        people = (found["with_people"] or {}).get(name)
        rows.append(
            [
                text(name),
                text(one["model"]),
                str(one["verdicts"]),
                unscored or "0",
                str(one["unfounded_quotes"]),
                figure(found["with_deterministic"].get(name)),
                figure(people),
            ]
        )
    head = ["judge", "model", "verdicts", "unscored", "quotations not said", "kappa with deterministic", "with people"]
    return [f"Judges on rubric {text(found['rubric'])}, success as they see it:", table(head, rows)]


def _agreement(found: Json) -> list[str]:
    rows = []
    for criterion, one in found["agreement"].items():
        if len(one["raters"]) > 1:
            rows.append([criterion.replace("_", " "), text(", ".join(one["raters"])), figure(one["alpha"])])
    stable = [
        [text(name), criterion.replace("_", " "), figure(one), str(one["repeats"])]
        for name, by in found["stability"].items()
        for criterion, one in by.items()
    ]
    own = [
        [text(name), criterion.replace("_", " "), figure(one)]
        for name, by in found["self_preference"].items()
        for criterion, one in by.items()
        if one["value"] is not None
    ]
    out: list[str] = []
    for title, head, body in (
        ("Agreement of all who rated (Krippendorff's alpha, ordinal):", ["criterion", "raters", "alpha"], rows),
        ("Stability over repeats (alpha among them):", ["judge", "criterion", "alpha", "repeats"], stable),
        ("Points more for the own family than judges of others see:", ["judge", "criterion", "points"], own),
    ):
        out += [title, table(head, body)] if body else []
    return out


def _corrected(found: Json) -> list[str]:
    by_judge = found["corrected_success"]
    if not by_judge:
        return []
    arms = sorted({arm for by_arm in by_judge.values() for arm in by_arm})

    def cell(found: Json) -> str:
        return f"{figure(found)}, {found['people']} rated by people" if found["people"] else "— (none rated by people)"

    rows = [[text(judge), *(cell(by_arm[arm]) for arm in arms)] for judge, by_arm in by_judge.items()]
    return ["Success rates corrected by people's ratings:", table(["judge", *arms], rows)]


def _pairs(found: Json) -> list[str]:
    rows = []
    for one in found["pairwise"]:
        consistency = one["position_consistency"]
        rows.append(
            [
                text(one["judge"]),
                text(f"{one['a']} or {one['b']}"),
                " : ".join(str(one["wins"][arm]) for arm in (one["a"], one["b"])),
                str(one["ties"]),
                str(one["inconsistent"]),
                "—" if consistency is None else f"{consistency:.2f}",
                str(one["n"]) + (f", {one['unscored']} unscored" if one["unscored"] else ""),
            ]
        )
    head = ["judge", "arms", "wins", "ties", "not consistent", "position consistency", "n"]
    return ["Compared in both orders; a win is one in both:", table(head, rows)] if rows else []
