"""Paired and unpaired tests against published examples, and what a fair coin gives."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from flowc.paired import cohens_d, holm, mann_whitney, wilcoxon

# Hollander and Wolfe, Nonparametric Statistical Methods, 1973: depression scores before and after, page 29.
BEFORE = [1.83, 0.50, 1.62, 2.48, 1.68, 1.88, 1.55, 3.06, 1.30]
AFTER = [0.878, 0.647, 0.598, 2.05, 1.06, 1.29, 1.06, 3.14, 1.29]
# The same, page 69: permeability of membranes at term and earlier.
AT_TERM = [0.80, 0.83, 1.89, 1.04, 1.45, 1.38, 1.91, 1.64, 0.73, 1.46]
EARLIER = [1.15, 0.88, 0.90, 0.74, 1.21]


def test_the_signed_rank_test_of_hollander_and_wolfe() -> None:
    assert round(wilcoxon(BEFORE, AFTER), 5) == 0.03906
    assert wilcoxon(AFTER, BEFORE) == wilcoxon(BEFORE, AFTER)


def test_the_rank_sum_test_of_hollander_and_wolfe() -> None:
    found = mann_whitney(AT_TERM, EARLIER)
    assert found is not None and round(found, 4) == 0.2544
    assert mann_whitney([], EARLIER) is None


def test_verdicts_of_zero_and_one_give_the_exact_test_of_mcnemar() -> None:
    one, other = [1.0] * 9 + [0.0] + [1.0] * 30, [0.0] * 9 + [1.0] + [1.0] * 30
    assert wilcoxon(one, other) == pytest.approx(2 * (1 + 10) / 2**10)
    assert wilcoxon([1.0] * 5, [0.0] * 5) == 2 / 2**5


def test_pairs_that_never_differ_show_nothing() -> None:
    assert wilcoxon([1.0, 0.3], [1.0, 0.3]) == 1.0
    assert wilcoxon([], []) == 1.0
    assert wilcoxon([0.1 + 0.2], [0.3]) == 1.0


def test_without_ties_it_is_the_exact_test_of_scipy() -> None:
    rng = np.random.default_rng(1)
    for n in (6, 15, 40):
        one, other = rng.normal(0.3, 1, n), rng.normal(0, 1, n)
        expected = stats.wilcoxon(one, other, method="exact").pvalue
        assert wilcoxon(list(one), list(other)) == pytest.approx(expected)


def test_with_ties_every_sign_is_a_fair_coin() -> None:
    # Differences 1, 1, 2, -1: middle ranks 2, 2, 4, 2. Of 16 signs 5 leave at most 2 on the negative side.
    assert wilcoxon([1, 1, 2, 0], [0, 0, 0, 1]) == pytest.approx(2 * 4 / 16)


def test_two_hundred_pairs_that_all_differ_alike_are_beyond_doubt() -> None:
    assert 0 < wilcoxon([1.0] * 200, [0.0] * 200) < 1e-50


def test_cohens_d_is_the_difference_in_pooled_standard_deviations() -> None:
    # Means 3 and 1, variances 2.5 and 1: 2 / sqrt((4 x 2.5 + 2 x 1) / 6).
    assert cohens_d([1, 2, 3, 4, 5], [0, 1, 2]) == pytest.approx(2 / math.sqrt(2))
    assert cohens_d([1.0, 1.0], [0.0, 0.0]) is None
    assert cohens_d([1.0], [0.0, 1.0]) is None


def test_holm_multiplies_the_smallest_by_all_and_never_falls() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []


def test_a_test_that_could_not_be_made_is_not_in_the_family() -> None:
    assert holm([0.02, None, 0.5]) == [0.04, None, 0.5]
