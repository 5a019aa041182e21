"""Scores of several models on the same scenarios: what a page needs to set them side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from flowc.conformance import CRITERIA
from flowc.evaluate import EvaluateParams, interval
from flowc.gate import Asked, Comparison, GateParams, compare, score
from flowc.metrics import Rate, rate
from flowc.scoreboard import cell

Scores = dict[str, dict[str, float | None]]
"""Criterion by scenario; None could not be judged."""


class Statistics(NamedTuple):
    """How intervals are made: as the evaluation makes them, and as the gate does for differences."""

    evaluate: EvaluateParams
    gate: GateParams
    seed: int


def scores_of(asked: Mapping[str, Sequence[Asked]]) -> Scores:
    """Give each scenario's criteria; repeats of a scenario are averaged."""
    return {scenario: {c: score(repeats, c) for c in CRITERIA} for scenario, repeats in sorted(asked.items())}


def mean(scores: Scores, criterion: str, by: Statistics) -> Rate:
    """Give a criterion's mean with its bootstrap interval."""
    found = rate(interval([s[criterion] for s in scores.values()], by.evaluate, by.seed))
    assert found is not None, "an interval has a mean and an n, if only null and 0"
    return found


def shown(scores: Scores, criterion: str, by: Statistics) -> str:
    """Give a criterion's mean as a table shows it."""
    return cell(mean(scores, criterion, by))


def compared(then: Scores, now: Scores, criterion: str, by: Statistics) -> Comparison:
    """Compare `now` with `then` over the scenarios of both, as the gate does."""
    common = sorted(then.keys() & now.keys())
    return compare(criterion, [(then[s][criterion], now[s][criterion]) for s in common], by.gate)


def difference(then: Scores, now: Scores, criterion: str, by: Statistics) -> str:
    """Give `now` minus `then` in points with its interval; a dash where no scenario is common."""
    return compared(then, now, criterion, by).points
