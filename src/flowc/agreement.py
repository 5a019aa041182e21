"""How far raters agree beyond chance: Cohen's kappa for two, Krippendorff's alpha for any number.

Kappa: J. Cohen, A Coefficient of Agreement for Nominal Scales, 1960. Alpha: K. Krippendorff, Computing
Krippendorff's Alpha-Reliability, 2011. Both are 1 for full agreement, 0 for what chance gives, and below 0
for less than that. Where nothing varies chance alone explains all: the answer is None, not a number.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence

import numpy as np


def kappa(one: Sequence[Hashable | None], other: Sequence[Hashable | None]) -> float | None:
    """Give Cohen's kappa of two raters over the same units; a unit that either left out (None) does not count.

    None when no unit is left, or when both raters gave one and the same rating throughout.
    """
    pairs = [(a, b) for a, b in zip(one, other, strict=True) if a is not None and b is not None]
    n = len(pairs)
    first, second = Counter(a for a, _ in pairs), Counter(b for _, b in pairs)
    by_chance = sum(first[c] * second[c] for c in first)  # times n squared
    if by_chance == n * n:  # also where n is 0
        return None
    return (n * sum(a == b for a, b in pairs) - by_chance) / (n * n - by_chance)


def alpha(ratings: Sequence[Sequence[float | None]]) -> float | None:
    """Give Krippendorff's ordinal alpha of `ratings`, one row a rater and one column a unit, None where not rated.

    Ordinal: two ratings are as far apart as there are ratings between them. A unit with fewer than two ratings does
    not count. None when no unit is left or when all ratings are one and the same.
    """
    units = [[r for r in unit if r is not None] for unit in zip(*ratings, strict=True)]
    units = [unit for unit in units if len(unit) > 1]
    values = sorted({r for unit in units for r in unit})
    if len(values) < 2:
        return None
    counts = np.array([[unit.count(v) for v in values] for unit in units], dtype=float)
    pairable = counts.sum(axis=1, keepdims=True) - 1
    coincidences = counts.T @ (counts / pairable) - np.diag((counts / pairable).sum(axis=0))
    totals = coincidences.sum(axis=0)
    # A rank is the middle of the places that its ratings take in the sorted list of all.
    ranks = np.cumsum(totals) - totals / 2
    apart = (ranks[:, None] - ranks[None, :]) ** 2
    observed = (coincidences * apart).sum()
    by_chance = (np.outer(totals, totals) * apart).sum() / (totals.sum() - 1)
    return float(1 - observed / by_chance)
