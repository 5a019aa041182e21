"""Near-duplicates among texts: MinHash signatures find the pairs worth comparing, their words decide.

A text is the set of its runs of three words; two texts are near-duplicates when the sets' Jaccard similarity reaches
a threshold. Signatures in bands (A. Broder 1997; Leskovec, Rajaraman, Ullman, Mining of Massive Datasets, ch. 3) only
choose the pairs: at 0.8 a pair is overlooked once in 20 million times, and none is taken that is not one.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

_WORDS = 3
_BANDS, _ROWS = 32, 4  # two texts of similarity s share a band with probability 1 - (1 - s^4)^32
_GENERATOR = np.random.Generator(np.random.PCG64(2605))  # fixed: the same texts give the same signatures
_FACTORS = _GENERATOR.integers(0, 2**63, size=(_BANDS * _ROWS, 1), dtype=np.uint64) * np.uint64(2) + np.uint64(1)
_OFFSETS = _GENERATOR.integers(0, 2**63, size=(_BANDS * _ROWS, 1), dtype=np.uint64)


def near_duplicates(texts: Sequence[str], threshold: float) -> dict[int, int]:
    """Map each text that nearly repeats an earlier one to the first such, both by their index.

    What repeats a text that is itself a repetition counts only against those before that are none.
    """
    shingles = [_shingles(text) for text in texts]
    buckets: dict[tuple[int, bytes], list[int]] = {}
    found: dict[int, int] = {}
    for index, own in enumerate(shingles):
        bands = [(b, row.tobytes()) for b, row in enumerate(_signature(own).reshape(_BANDS, _ROWS))]
        candidates = sorted({other for band in bands for other in buckets.get(band, ())})
        same = next((other for other in candidates if similarity(own, shingles[other]) >= threshold), None)
        if same is not None:
            found[index] = same
            continue
        for band in bands:
            buckets.setdefault(band, []).append(index)
    return found


def similarity(one: frozenset[int], other: frozenset[int]) -> float:
    """Jaccard similarity in [0, 1]; two empty sets are the same."""
    return len(one & other) / len(one | other) if one or other else 1.0


def _shingles(text: str) -> frozenset[int]:
    words = re.findall(r"\w+", text.casefold())
    runs = {" ".join(words[i : i + _WORDS]) for i in range(max(1, len(words) - _WORDS + 1))}
    return frozenset(int.from_bytes(hashlib.blake2b(run.encode(), digest_size=8).digest(), "big") for run in runs)


def _signature(shingles: frozenset[int]) -> NDArray[np.uint64]:
    """The least of each of the hash functions x -> (ax + b) mod 2^64, of which the upper half is used."""
    values = np.fromiter(sorted(shingles), dtype=np.uint64, count=len(shingles))
    minima: NDArray[np.uint64] = ((_FACTORS * values + _OFFSETS) >> np.uint64(32)).min(axis=1)
    return minima
