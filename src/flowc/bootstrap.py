"""Bootstrap intervals over clusters: what shares a scenario is drawn together, for it is not independent.

Source: B. Efron and R. Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13 (percentile intervals).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np


def ratio_interval(
    sums: Sequence[float], counts: Sequence[float], resamples: int, confidence: float, seed: int
) -> list[float] | None:
    """Give low and high of the ratio of all `sums` to all `counts`, one of each a cluster, to four digits.

    The mean of values is such a ratio: their sum to their number, cluster by cluster. None where nothing is counted.
    """
    total = np.asarray(counts, dtype=float)
    kept = total > 0
    if not kept.any():
        return None
    drawn = _draws(int(kept.sum()), resamples, seed)
    ratios = (drawn @ np.asarray(sums, dtype=float)[kept]) / (drawn @ total[kept])
    tail = (1 - confidence) / 2
    low, high = np.quantile(ratios, [tail, 1 - tail])
    return [round(float(low), 4), round(float(high), 4)]


@lru_cache(maxsize=16)  # criteria and slices of an evaluation have few sizes; one of 200 clusters takes 16 MB
def _draws(clusters: int, resamples: int, seed: int) -> np.ndarray:
    """How often each cluster is drawn in each resample, (resamples, clusters)."""
    chosen = np.random.default_rng(seed).integers(0, clusters, (resamples, clusters))
    rows = np.arange(resamples)[:, None] * clusters
    counts = np.bincount((chosen + rows).ravel(), minlength=resamples * clusters)
    return counts.reshape(resamples, clusters).astype(float)
