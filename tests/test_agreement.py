"""Agreement between raters, against the worked examples of the papers that define it."""

from __future__ import annotations

import pytest

from flowc.agreement import alpha, kappa

# Krippendorff 2011, section C: four observers, twelve units, some not rated.
OBSERVERS: list[list[float | None]] = [
    [1, 2, 3, 3, 2, 1, 4, 1, 2, None, None, None],
    [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, None, 3],
    [None, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, None],
    [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, None],
]


def expand(table: list[list[int]]) -> tuple[list[int], list[int]]:
    cells = [(row, column) for row, counts in enumerate(table) for column, n in enumerate(counts) for _ in range(n)]
    return [row for row, _ in cells], [column for _, column in cells]


def test_kappa_of_cohens_own_example() -> None:
    # Cohen 1960, table 1: two judges, 200 cases, three categories; 0.70 agree, 0.41 would by chance.
    assert kappa(*expand([[88, 14, 18], [10, 40, 10], [2, 6, 12]])) == pytest.approx(0.29 / 0.59)


def test_kappa_is_one_zero_and_below() -> None:
    assert kappa("abc", "abc") == 1
    assert kappa("aabb", "abab") == 0
    assert kappa("ab", "ba") == -1


def test_kappa_leaves_out_units_that_one_rater_left_out() -> None:
    assert kappa(["a", None, "b", "a"], ["a", "b", "b", None]) == kappa("ab", "ab")


def test_kappa_where_nothing_varies_is_unknown() -> None:
    assert kappa("aaa", "aaa") is None
    assert kappa([None], ["a"]) is None
    assert kappa("aaa", "bbb") == 0


def test_alpha_of_krippendorffs_example_with_missing_ratings() -> None:
    found = alpha(OBSERVERS)
    assert found is not None and round(found, 3) == 0.815


def test_alpha_of_krippendorffs_two_observers() -> None:
    # Krippendorff 2011, section A: of two values alpha is the same whatever the scale.
    found = alpha([[0, 1, 0, 0, 0, 0, 0, 0, 1, 0], [1, 1, 1, 0, 0, 1, 0, 0, 0, 0]])
    assert found is not None and round(found, 3) == 0.095


def test_alpha_is_one_for_full_agreement_and_unknown_where_nothing_varies() -> None:
    assert alpha([[1, 2, None], [1, 2, 5]]) == 1
    assert alpha([[3, 3], [3, 3]]) is None
    assert alpha([[1, None], [None, 2]]) is None


def test_raters_of_unlike_length_are_refused() -> None:
    with pytest.raises(ValueError, match="zip"):
        alpha([[1, 2], [1]])
