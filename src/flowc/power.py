"""The smallest difference that a sample could have shown, so that "no difference found" says how hard it was looked.

Answers for the strictest step of Holm's correction: a level of alpha divided by the number of tests.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence

import numpy as np
from scipy.stats import binom, norm

_STEP = 0.001  # differences of rates are found to a tenth of a percentage point


def smallest_difference(one: Sequence[float], other: Sequence[float], alpha: float, power: float) -> float | None:
    """Give the smallest true difference of the means of pairs that the test finds with probability `power`.

    Verdicts of 0 and 1: by the exact paired test, where as many pairs as were seen to go against the majority
    still would. Other scores: by the normal approximation with the spread of the differences seen. None where even
    the largest difference would be missed, where nothing varies, or where there is no pair.
    """
    differences = np.asarray(one, dtype=float) - np.asarray(other, dtype=float)
    n = len(differences)
    if n < 2:
        return None
    if set(np.concatenate([one, other])) <= {0.0, 1.0}:
        noise = min(int((differences > 0).sum()), int((differences < 0).sum())) / n
        return _smallest_of_verdicts(n, noise, alpha, power)
    spread = float(differences.std(ddof=1))
    if spread < 1e-9:
        return None
    return float((norm.ppf(1 - alpha / 2) + norm.ppf(power)) * spread / math.sqrt(n))


def power_of_verdicts(n: int, better: float, worse: float, alpha: float) -> float:
    """Give the chance that the exact paired test of `n` pairs comes out below `alpha`.

    `better` and `worse` are the shares of pairs in which only the one side, or only the other, is right.
    """
    differing = np.arange(n + 1)
    # The most pairs against the majority with which so many differing pairs are still significant; -1: none is.
    limit = binom.ppf(alpha / 2, differing, 0.5)
    limit = np.where(binom.cdf(limit, differing, 0.5) <= alpha / 2, limit, limit - 1)
    share = better / (better + worse)
    found = binom.cdf(limit, differing, share) + binom.cdf(limit, differing, 1 - share)
    return float((binom.pmf(differing, n, better + worse) * found).sum())


def _smallest_of_verdicts(n: int, noise: float, alpha: float, power: float) -> float | None:
    steps = range(1, math.floor((1 - 2 * noise) / _STEP + 1e-9) + 1)
    enough = bisect_left(
        steps, True, key=lambda step: power_of_verdicts(n, noise + step * _STEP, noise, alpha) >= power
    )
    return None if enough == len(steps) else round(steps[enough] * _STEP, 3)
