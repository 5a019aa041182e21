"""Intervals for asking whether something is worse by more than a margin, with the sample that could tell.

Percentile bootstrap intervals, as the scores have them, are points where all values agree; these are not.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import NormalDist
from typing import NamedTuple


class Difference(NamedTuple):
    """A mean over n paired differences in [-1, 1], with its interval and the standard deviation behind it."""

    mean: float
    low: float
    high: float
    n: int
    deviation: float


def paired_difference(pairs: Sequence[tuple[float, float]], confidence: float) -> Difference:
    """Give the mean of after minus before, for values in [0, 1].

    Agresti and Min (2005): two made-up pairs, half of one each way and one without a difference, are added before
    the Wald interval is taken; so the interval of equal values is no point, and covers what it should in small samples.
    """
    differences = [b - a for a, b in pairs]
    n = len(differences)
    mean = sum(differences) / (n + 2)
    variance = (sum(d * d for d in differences) + 1) / (n + 2) - mean * mean
    half = _z(confidence) * math.sqrt(variance / (n + 2))
    exact = sum(differences) / n if n else 0.0
    return Difference(exact, max(-1.0, mean - half), min(1.0, mean + half), n, math.sqrt(variance))


def needed_pairs(found: Difference, margin: float, confidence: float) -> int | None:
    """About how many pairs would bring the interval to one side of the margin, if mean and spread stay.

    None when the difference is the margin itself: no number tells on which side of it the truth lies.
    """
    z = _z(confidence)
    if not found.n:
        return math.ceil(z / margin - 2)  # the fewest that could: all pairs equal
    distance = abs(found.mean + margin)
    return max(found.n + 1, math.ceil((z * found.deviation / distance) ** 2)) if distance > 1e-9 else None


def share_interval(right: int, n: int, confidence: float) -> tuple[float, float]:
    """Wilson's interval of a share."""
    z = _z(confidence)
    middle = (right + z * z / 2) / (n + z * z)
    half = z / (n + z * z) * math.sqrt(right * (n - right) / n + z * z / 4)
    return max(0.0, middle - half), min(1.0, middle + half)


def _z(confidence: float) -> float:
    return NormalDist().inv_cdf((1 + confidence) / 2)
