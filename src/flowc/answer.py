"""The report's answer: does the compiled model follow the procedure, and how do the other arms compare?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from pydantic import Field

from flowc.markdown import table, text
from flowc.metrics import ARMS, SPLITS, Json, Rate, arm, arms, number, rate, reason_not_run, section
from flowc.records import Record
from flowc.scoreboard import NOT_RUN, STRICTER, cell, percent, ran, sentence, titled

_SIGNIFICANT = 0.05


class Targets(Record):
    """What the compiled model has to reach to be said to follow the procedure, shares in [0, 1]."""

    seen_path: float = Field(ge=0, le=1)
    """Task success on paths of the training data."""
    held_out_path: float = Field(ge=0, le=1)
    """Task success on paths that training never saw."""
    information_accuracy: float = Field(ge=0, le=1)
    """Values stated correctly."""
    knowledge: float | None = Field(default=None, ge=0, le=1)
    """Facts that customers ask for, stated and nothing else made up; None where that is no aim."""


class Wanted(NamedTuple):
    """One target: what it is about, what was found, and the least that it may be."""

    what: str
    found: Rate | None
    least: float
    asked: bool = True
    """Whether there are scenarios that ask for it: where training needs every path, none is held out."""


def _wanted(scores: Json, targets: Targets) -> list[Wanted]:
    compiled = arm(scores, ARMS[0])
    by_split = {s: rate((section(compiled, "by_split", s) or {}).get("task_success")) for s in SPLITS}
    facts = rate(compiled.get("information_accuracy"))
    held_out = f"task success on {SPLITS['held_out_path']}"
    any_held_out = by_split["seen_path"] is None or by_split["held_out_path"] is not None
    out = [
        Wanted(f"task success on {SPLITS['seen_path']}", by_split["seen_path"], targets.seen_path),
        Wanted(held_out, by_split["held_out_path"], targets.held_out_path, any_held_out),
        Wanted("information accuracy", facts, targets.information_accuracy),
    ]
    if targets.knowledge is not None:
        out.append(Wanted("facts stated rightly", _knowledge(compiled), targets.knowledge))
    return out


def _knowledge(one: Json) -> Rate | None:
    return rate((section(one, "knowledge") or {}).get("stated"))


def _missed(wanted: Sequence[Wanted]) -> list[str]:
    return [w.what for w in wanted if w.found and w.found.mean is not None and w.found.mean < w.least]


def _unsure(wanted: Sequence[Wanted]) -> list[str]:
    """What meets its target by the mean, while the interval reaches below it."""
    met = [(w.what, w.found.low, w.least) for w in wanted if w.found and (w.found.mean or 0.0) >= w.least]
    return [what for what, low, least in met if low is not None and low < least]


def _unknown(wanted: Sequence[Wanted]) -> list[str]:
    return [w.what for w in wanted if w.asked and (w.found is None or w.found.mean is None)]


def _answer(wanted: Sequence[Wanted]) -> str:
    return "No" if _missed(wanted) else "Not known" if _unknown(wanted) else "Yes"


def overview(scores: Sequence[Json], titles: Sequence[str], targets: Sequence[Targets]) -> str:
    """Lay out the compiled models of several procedures, one a row, each with its targets."""
    rows = []
    for one, title, least in zip(scores, titles, targets, strict=True):
        wanted = _wanted(one, least)
        compiled = arm(one, ARMS[0])
        n = number(compiled, "n")
        if n is None:
            rows.append([text(title), _answer(wanted), *[NOT_RUN] * 7])
            continue
        success, facts, known = rate(compiled.get("task_success")), wanted[2].found, _knowledge(compiled)
        by_split = [cell(w.found, w.found.n if w.found else None) for w in wanted[:2]]
        strict = rate((section(compiled, "strict") or {}).get("in_order"))
        cells = [cell(r, int(n)) for r in (success, strict)] + [*by_split, cell(facts, int(n)), cell(known, int(n))]
        rows.append([text(title), _answer(wanted), f"{n:.0f}", *cells])
    head = ["compiled model of", "Meets its targets", "n", "Task success", "With right calls, in order"]
    shares = ["Information accuracy", "Facts stated rightly"]
    return table([*head, *(titled(s) for s in SPLITS.values()), *shares], rows)


def verdict(scores: Json, targets: Targets) -> str:
    """Say whether the compiled model follows the procedure, and how surely."""
    reason = reason_not_run(scores, ARMS[0])
    if reason is not None:
        return f"**Does the compiled model follow the procedure? Not known.** It was {NOT_RUN}: {text(reason)}."
    wanted = _wanted(scores, targets)
    seen, held_out, facts = (w.found for w in wanted[:3])
    missed, unknown, unsure = _missed(wanted), _unknown(wanted), _unsure(wanted)
    goals = ", ".join(f"{w.what} at least {percent(w.least)}" for w in wanted if w.asked)
    elsewhere = f"on held-out paths {sentence(held_out)}" if wanted[1].asked else "with none held out, for it needs all"
    short = [f"missed: {', '.join(missed)}"] if missed else []
    short += [f"not known: {', '.join(unknown)}"] if unknown else []
    short = short or ["all met"]
    short += [f"by the mean alone, since the interval reaches below: {', '.join(unsure)}"] if unsure else []
    known = _knowledge(arm(scores, ARMS[0]))
    levels = section(arm(scores, ARMS[0]), "strict") or {}
    right, in_order, faultless = (sentence(rate(levels.get(level))) for level in STRICTER)
    asked = (
        f"Facts that customers ask for are stated rightly, with nothing made up, in {sentence(known)}. "
        if known and known.n
        else ""
    )
    return (
        f"**Does the compiled model follow the procedure? {_answer(wanted)}.** Its conversations reach the ending "
        f"that their scenario calls for in {sentence(rate(arm(scores, ARMS[0]).get('task_success')))}: on paths that "
        f"training saw {sentence(seen)}, {elsewhere}, always with phrases from users that training never saw. "
        f"Counted more strictly: with right values in every function's last call too {right}, with every step in order "
        f"besides {in_order}, without a fault of any kind {faultless}. "
        f"Information accuracy (what a conversation states is right) is {sentence(facts)}. {asked}Targets: {goals} "
        f"({'; '.join(short)})."
    )


def against_others(scores: Json) -> str:
    """Say how the other arms did on the same scenarios and which differences are larger than chance."""
    others = [name for name in ran(scores) if name != ARMS[0]]
    shown = [f"{name} {sentence(rate(arm(scores, name).get('task_success')))}" for name in others]
    out = (
        f"**Against the other arms**, on the same scenarios: {'; '.join(shown)}." if shown else "No other arm was run."
    )
    surely: dict[str, list[str]] = {"ahead of": [], "behind": [], "not distinguishable from": []}
    for c in scores.get("comparisons") or []:
        if c["criterion"] != "task_success" or c["a"] != ARMS[0] or c.get("p_holm") is None:
            continue
        # The difference over the pairs: the arms' means may be of unlike scenarios and repeats.
        side = "ahead of" if c["difference"] > 0 else "behind"
        surely[side if c["p_holm"] < _SIGNIFICANT else "not distinguishable from"].append(c["b"])
    said = [f"{side} {', '.join(names)}" for side, names in surely.items() if names]
    if said:
        out += f" The compiled model is {'; '.join(said)} (a Holm-adjusted p below {_SIGNIFICANT} counts)."
    idle = [f"{n} ({text(str(reason_not_run(scores, n)))})" for n in arms(scores) if n not in ran(scores)]
    return out + (f" Not run: {', '.join(idle)}." if idle else "")
