"""One arm against each of the others, criterion by criterion: test, difference with interval, effect, power."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from flowc.bootstrap import ratio_interval
from flowc.paired import MANN_WHITNEY, NO_TEST, WILCOXON, cohens_d, holm, mann_whitney, wilcoxon
from flowc.power import smallest_difference
from flowc.transcripts import Transcript

Scores = Mapping[str, Mapping[str, float]]
"""Criterion to scenario to score; what was not scored is not there."""


def compare(
    arms: Mapping[str, Scores], own: str, *, resamples: int, confidence: float, power: float, seed: int
) -> list[dict[str, Any]]:
    """Compare `own` with each other arm on every criterion that both have; the family of Holm is all that come out.

    Scenarios that both arms have a score for are pairs; arms without such a scenario are compared unpaired, and where
    one has no score at all there is no test.
    """
    pairs = [(other, c) for other in sorted(set(arms) - {own}) for c in sorted(set(arms[own]) & set(arms[other]))]
    tests = sum(bool(arms[own][c]) and bool(arms[other][c]) for other, c in pairs)
    alpha = (1 - confidence) / max(1, tests)

    def one(other: str, criterion: str) -> dict[str, Any]:
        a, b = arms[own][criterion], arms[other][criterion]
        shared = sorted(set(a) & set(b))
        out: dict[str, Any] = {"a": own, "b": other, "criterion": criterion}
        if not shared:
            left, right = [a[s] for s in sorted(a)], [b[s] for s in sorted(b)]
            return out | {
                "test": MANN_WHITNEY if left and right else NO_TEST,
                "n": len(left) + len(right),
                "p": mann_whitney(left, right),
                "effect": _round(cohens_d(left, right)),
                "difference": _round(float(np.mean(left) - np.mean(right))) if left and right else None,
                "ci95": None,
                "smallest": None,
            }
        left, right = [a[s] for s in shared], [b[s] for s in shared]
        apart = [x - y for x, y in zip(left, right, strict=True)]
        return out | {
            "test": WILCOXON,
            "n": len(shared),
            "p": wilcoxon(left, right),
            "effect": _round(cohens_d(left, right)),
            "difference": _round(float(np.mean(apart))),
            "ci95": ratio_interval(apart, [1.0] * len(apart), resamples, confidence, seed),
            "smallest": _round(smallest_difference(left, right, alpha, power)),
        }

    found = [one(other, criterion) for other, criterion in pairs]
    adjusted = holm([f["p"] for f in found])
    return [f | {"p": _digits(f["p"]), "p_holm": _digits(p)} for f, p in zip(found, adjusted, strict=True)]


def by_scenario(played: Sequence[Transcript], values: Sequence[float | None], repeats: int) -> dict[str, float]:
    """Give each scenario's mean over its first `repeats`, which are not independent; what was not scored is left out.

    `repeats` are those that both sides have. A mean of three against one conversation is no pair: where both succeed
    nine times in ten, the signed-rank test at 0.05 found a difference in 11 % of 400 drawn samples of 100 scenarios,
    and in 4 % with one conversation a side.
    """
    found: dict[str, list[float]] = {}
    for transcript, value in zip(played, values, strict=True):
        if value is not None and transcript.repeat < repeats:
            found.setdefault(transcript.scenario, []).append(value)
    return {scenario: sum(some) / len(some) for scenario, some in found.items()}


def _round(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


def _digits(p: float | None) -> float | None:
    """Four significant digits: a p of 1e-15 is not zero."""
    return None if p is None else float(f"{p:.4g}")
