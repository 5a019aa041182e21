"""Tests between two arms on the same scenarios, their effect, and Holm's correction over many.

Paired: F. Wilcoxon, Individual Comparisons by Ranking Methods, 1945, by its exact distribution, ties and all.
Verdicts of 0 and 1 tie in large numbers, where the usual normal approximation calls five differences in one
direction significant (p = 0.025) although a fair coin does as much in one of 16 cases; with such verdicts the
exact test is the exact test of McNemar. Unpaired: H. B. Mann and D. R. Whitney, 1947.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from scipy.stats import mannwhitneyu, rankdata

WILCOXON, MANN_WHITNEY, NO_TEST = "Wilcoxon", "Mann-Whitney", "none"


def wilcoxon(one: Sequence[float], other: Sequence[float]) -> float:
    """Give the two-sided p of the signed-rank test for pairs of scores; pairs that are equal say nothing.

    1.0 where no pair differs. Costs n cubed operations: 0.1 s for 200 pairs.
    """
    # Scores are means of few verdicts: without rounding 0.1 + 0.2 - 0.3 would be a difference.
    differences = np.round(np.asarray(one, dtype=float) - np.asarray(other, dtype=float), 9)
    differences = differences[differences != 0]
    doubled = np.rint(2 * rankdata(np.abs(differences))).astype(int)  # ties share middle ranks, which end in .5
    # How often each sum of ranks arises when every difference's sign is a fair coin.
    ways = np.ones(1)
    for rank in doubled:
        ways = (np.pad(ways, (0, rank)) + np.pad(ways, (rank, 0))) / 2
    smaller = min(doubled[differences > 0].sum(), doubled[differences < 0].sum()) if len(doubled) else 0
    return min(1.0, 2 * float(ways[: smaller + 1].sum()))


def mann_whitney(one: Sequence[float], other: Sequence[float]) -> float | None:
    """Give the two-sided p of the rank-sum test for scores of unlike scenarios; None where one side is empty."""
    if not one or not other:
        return None
    return float(mannwhitneyu(one, other, alternative="two-sided").pvalue)


def cohens_d(one: Sequence[float], other: Sequence[float]) -> float | None:
    """Give the difference of the means in pooled standard deviations, positive where `one` is higher.

    None where neither side varies (all right against all wrong has no finite d) or one has fewer than two scores.
    Source: J. Cohen, Statistical Power Analysis for the Behavioral Sciences, 1988. Pairs are not used here, so that
    d means the same in paired and unpaired comparisons.
    """
    if min(len(one), len(other)) < 2:
        return None
    degrees = len(one) + len(other) - 2
    pooled = ((len(one) - 1) * np.var(one, ddof=1) + (len(other) - 1) * np.var(other, ddof=1)) / degrees
    return None if pooled < 1e-18 else float((np.mean(one) - np.mean(other)) / math.sqrt(pooled))


def holm(ps: Sequence[float | None]) -> list[float | None]:
    """Adjust the p of a family of tests, in their order; a test that could not be made (None) is not in the family.

    Source: S. Holm, A Simple Sequentially Rejective Multiple Test Procedure, 1979.
    """
    ranked = sorted((p, i) for i, p in enumerate(ps) if p is not None)
    out: list[float | None] = [None] * len(ps)
    least = 0.0
    for place, (p, i) in enumerate(ranked):
        least = max(least, min(1.0, p * (len(ranked) - place)))
        out[i] = least
    return out
