"""How far judges can be believed: agreement with each other, with the deterministic judge and with people, stability
over repeats, preference for their own family, and success rates corrected by what people say.

Every figure has its n and an interval from a bootstrap over scenarios, since conversations on one scenario are not
independent.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import combinations
from random import Random
from typing import Any, NamedTuple

import numpy as np

from flowc.agreement import alpha, kappa

Given = Mapping[str, float]
"""Conversation (its `item_id`) to rating; what was not scored is not there."""

RESAMPLES = 1000  # of statistics that are computed anew for each resample
FAILED = 3  # task success up to this is a failure, as in the paper (arXiv 2605.22502)


class Sample(NamedTuple):
    """How conversations hang together, and how intervals are drawn."""

    scenario_of: Mapping[str, str]
    """Conversation to its scenario."""
    arm_of: Mapping[str, str]
    confidence: float
    seed: int


def agreement(raters: Mapping[str, Given], sample: Sample) -> dict[str, Any]:
    """Give Krippendorff's alpha (ordinal) over all raters of one criterion, and Cohen's kappa for every two.

    `n` counts the conversations that two or more rated.
    """
    names = sorted(raters)
    items = sorted({i for r in raters.values() for i in r})
    shared = [i for i in items if sum(i in raters[name] for name in names) > 1]

    def of_all(units: Sequence[str]) -> float | None:
        return alpha([[raters[name].get(i) for i in units] for name in names])

    return {
        "raters": names,
        "alpha": _figure(shared, of_all, sample),
        "kappa": [{"a": a, "b": b, **two(raters[a], raters[b], sample)} for a, b in combinations(names, 2)],
    }


def two(one: Given, other: Given, sample: Sample) -> dict[str, Any]:
    """Give Cohen's kappa of two raters, and how often they said the same."""
    shared = sorted(one.keys() & other.keys())
    same = sum(one[i] == other[i] for i in shared)
    return {
        **_figure(shared, lambda units: kappa([one[i] for i in units], [other[i] for i in units]), sample),
        "same": round(same / len(shared), 4) if shared else None,
    }


def passed(given: Given) -> dict[str, float]:
    """Turn ratings of task success into success and failure."""
    return {item: float(rating > FAILED) for item, rating in given.items()}


def failed(ratings: Sequence[float | None]) -> list[float | None]:
    """Turn ratings of task success into 1 for failure and 0 for success; None stays."""
    return [None if rating is None else float(rating <= FAILED) for rating in ratings]


def stability(repeats: Sequence[Given], sample: Sample) -> dict[str, Any]:
    """Compare the repeats of one judge: alpha (ordinal) among them, and how often all were the same."""
    shared = sorted({i for r in repeats for i in r if sum(i in other for other in repeats) > 1})

    def among(units: Sequence[str]) -> float | None:
        return alpha([[r.get(i) for i in units] for r in repeats])

    same = sum(len({r[i] for r in repeats if i in r}) == 1 for i in shared)
    return {
        "repeats": len(repeats),
        **_figure(shared, among, sample),
        "same": round(same / len(shared), 4) if shared else None,
    }


def self_preference(
    judge: Given, others: Sequence[Given], family: str, families: Mapping[str, str], sample: Sample
) -> dict[str, Any]:
    """How much more a judge gives to arms of its own family than judges of other families do, above what it gives more
    elsewhere: positive favours its own.

    `families` names the family of an arm's model; arms without one are left out. None where one side has none.
    """
    apart: dict[str, float] = {}
    for item in sorted(judge):
        said = [o[item] for o in others if item in o]
        if said and sample.arm_of[item] in families:
            apart[item] = judge[item] - sum(said) / len(said)

    def more(units: Sequence[str]) -> float | None:
        own = [apart[i] for i in units if families[sample.arm_of[i]] == family]
        rest = [apart[i] for i in units if families[sample.arm_of[i]] != family]
        return sum(own) / len(own) - sum(rest) / len(rest) if own and rest else None

    return _figure(sorted(apart), more, sample)


def corrected_rate(judge: Given, people: Given, sample: Sample) -> dict[str, Any]:
    """Correct a judge's success rate by the conversations that people rated too.

    Its rate over all, plus the mean of people's verdict less the judge's where both are known: unbiased whatever
    the judge is worth, as long as people rated a random part. Both map to 1 for success and 0 for failure.
    The interval reckons with two conversations more, half of one judged too well and half of one too ill: five that
    people judged alike do not show that the judge never errs. Of 1,000 draws of 60 conversations with a judge that
    passes half of the failures, which are one in ten, a normal interval with them held the truth in 98 % where people
    rated 20 and in all where they rated 5; without them in 85 % and 68 %.
    Sources: A. Angelopoulos et al., Prediction-powered inference, 2023 (the mean's estimator); A. Agresti and Y. Min,
    Simple improved confidence intervals for comparing matched proportions, 2005.
    """
    items = sorted(judge)
    known = [people[i] - judge[i] for i in items if i in people]
    mean = sum(known) / len(known) if known else 0.0
    rng = Random(sample.seed)

    def rate(units: Sequence[str], apart: Sequence[float]) -> float | None:
        if not apart:
            return None
        return min(1.0, max(0.0, sum(judge[i] for i in units) / len(units) + sum(apart) / len(apart)))

    def drawn(units: Sequence[str]) -> float | None:
        apart = [people[i] - judge[i] for i in units if i in people]
        unmet = 2 / (len(known) + 2)
        return rate(units, [mean + rng.choice((-1, 0, 0, 1)) if rng.random() < unmet else a for a in apart])

    found = _figure(items, lambda units: rate(units, known), sample, drawn)
    return {**found, "people": len(known)}


def _figure(
    items: Sequence[str],
    statistic: Callable[[Sequence[str]], float | None],
    sample: Sample,
    drawn: Callable[[Sequence[str]], float | None] | None = None,
) -> dict[str, Any]:
    """Give a statistic of conversations with n and interval; null where it is not defined.

    `drawn` is the statistic of a resample, where that is another.
    """
    by_scenario: dict[str, list[str]] = {}
    for item in items:
        by_scenario.setdefault(sample.scenario_of[item], []).append(item)
    value = statistic(items) if items else None
    return {
        "value": None if value is None else round(value, 4),
        "ci95": None if value is None else _interval(list(by_scenario.values()), drawn or statistic, sample),
        "n": len(items),
    }


def _interval(
    clusters: Sequence[Sequence[str]], statistic: Callable[[Sequence[str]], float | None], sample: Sample
) -> list[float] | None:
    """Percentiles over resampled clusters; resamples in which the statistic is not defined do not count."""
    rng = np.random.default_rng(sample.seed)
    drawn = rng.integers(0, len(clusters), (RESAMPLES, len(clusters)))
    values = [statistic([item for c in row for item in clusters[c]]) for row in drawn]
    defined = [v for v in values if v is not None]
    if not defined:
        return None
    tail = (1 - sample.confidence) / 2
    low, high = np.quantile(defined, [tail, 1 - tail])
    return [round(float(low), 4), round(float(high), 4)]
