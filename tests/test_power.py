"""The smallest difference that a sample could have shown, against counting and against drawing."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom

from flowc.paired import wilcoxon
from flowc.power import power_of_verdicts, smallest_difference


def test_six_pairs_one_way_are_the_least_that_five_per_cent_lets_pass() -> None:
    # All pairs differ and all one way: 2 / 2^6 is below 0.05, 2 / 2^5 is not.
    assert power_of_verdicts(6, 1.0, 0.0, 0.05) == pytest.approx(1)
    assert power_of_verdicts(5, 1.0, 0.0, 0.05) == pytest.approx(0)


def test_without_a_difference_the_test_errs_at_most_as_often_as_it_may() -> None:
    assert 0.005 < power_of_verdicts(200, 0.1, 0.1, 0.05) < 0.05


def test_the_power_is_how_often_drawn_samples_come_out() -> None:
    rng = np.random.default_rng(0)
    drawn = rng.choice([1.0, -1.0, 0.0], (2000, 60), p=[0.2, 0.05, 0.75])
    found = np.mean([wilcoxon(list(row), [0.0] * 60) < 0.05 for row in drawn])
    assert power_of_verdicts(60, 0.2, 0.05, 0.05) == pytest.approx(float(found), abs=0.03)


def test_a_larger_sample_shows_smaller_differences() -> None:
    found = [smallest_difference([1.0] * n, [1.0] * n, 0.05, 0.8) for n in (6, 60, 200)]
    assert found == [0.964, 0.129, 0.04]
    # Without pairs that go the other way it is the chance of six differing ones.
    assert binom.sf(5, 60, 0.129) >= 0.8 > binom.sf(5, 60, 0.128)


def test_noise_and_a_stricter_level_make_the_smallest_difference_larger() -> None:
    one, other = [1.0, 0.0] * 30, [0.0, 1.0] * 10 + [1.0, 0.0] * 20
    plain = smallest_difference([1.0] * 60, [1.0] * 60, 0.05, 0.8)
    noisy = smallest_difference(one, other, 0.05, 0.8)
    strict = smallest_difference([1.0] * 60, [1.0] * 60, 0.05 / 15, 0.8)
    assert plain is not None and noisy is not None and strict is not None
    assert noisy > plain and strict > plain


def test_the_smallest_difference_of_other_scores_follows_their_spread() -> None:
    one, other = [0.5, 0.7, 0.9, 0.6] * 25, [0.4, 0.8, 0.8, 0.7] * 25
    spread = np.std([0.1, -0.1, 0.1, -0.1] * 25, ddof=1)
    # (1.95996 + 0.84162) standard errors.
    assert smallest_difference(one, other, 0.05, 0.8) == pytest.approx(2.80158 * spread / 10, rel=1e-4)


def test_a_sample_that_could_show_nothing_says_so() -> None:
    assert smallest_difference([1.0] * 5, [0.0] * 5, 0.05, 0.8) is None
    assert smallest_difference([0.5] * 9, [0.25] * 9, 0.05, 0.8) is None
    assert smallest_difference([1.0], [0.0], 0.05, 0.8) is None
