"""The report's part on judges and people: every figure with its n, nothing where nothing was asked."""

from __future__ import annotations

from typing import Any

import pytest

from flowc.judging_report import figure, judging

FIGURE = {"value": 0.5, "ci95": [0.25, 0.75], "n": 8}
OPEN = {"value": None, "ci95": None, "n": 0}
JUDGING: dict[str, Any] = {
    "rubric": "1-abc",
    "judges": {"a|b": {"model": "m<1>", "verdicts": 40, "unscored": {"off_menu": 3}, "unfounded_quotes": 2}},
    "agreement": {
        "task_success": {"raters": ["a|b", "human ann"], "alpha": FIGURE},
        "naturalness": {"raters": ["a|b"], "alpha": OPEN},
    },
    "with_deterministic": {"a|b": FIGURE},
    "with_people": {"a|b": OPEN},
    "corrected_success": {
        "deterministic": {"compiled": {**FIGURE, "people": 3}, "floor": {**OPEN, "people": 0}},
    },
    "stability": {"a|b": {"task_success": {**FIGURE, "repeats": 2}}},
    "self_preference": {"a|b": {"task_success": OPEN, "consistency": FIGURE}},
    "pairwise": [
        {"judge": "a|b", "a": "compiled", "b": "floor", "n": 4, "unscored": 1, "wins": {"compiled": 3, "floor": 0},
         "ties": 0, "inconsistent": 1, "position_consistency": 0.75, "first_preferred": 0.5}
    ],
}  # fmt: skip
RATINGS = {"rubric": "1-abc", "raters": 2, "conversations": 5, "ratings": 25, "left_out": {"off_menu": 1}}
RATINGS |= {"preferences": {"compiled or floor": {"compiled": 3, "tie": 1}}}


def rows(page: list[str]) -> list[list[str]]:
    """The cells of every row of every table."""
    lines = [line for part in page for line in part.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]


def test_a_figure_has_interval_and_n() -> None:
    assert figure(FIGURE) == "0.50 [0.25–0.75], n=8"
    assert figure(OPEN) == "not defined, n=0"
    assert figure(None) == "—"


@pytest.mark.parametrize("scores", [{}, {"judging": "not run: none configured"}])
def test_without_judges_and_people_it_says_that_none_was_asked(scores: dict[str, Any]) -> None:
    assert judging(scores) == [
        "LLM judges (naturalness and the like): not run: none configured.",
        "No human ratings: `make review` writes a page for them.",
    ]


def test_people_who_only_compared_are_not_left_out() -> None:
    rated = RATINGS | {"raters": 0, "conversations": 0, "ratings": 0}
    page = judging({"judging": "not run: none configured", "ratings": rated})
    assert page[0] == "LLM judges (naturalness and the like): not run: none configured."
    assert page[1].endswith(
        "left aside: 1 for off menu. Compared side by side, compiled or floor (n = 4): compiled 3, tie 1."
    )


def test_every_part_is_laid_out() -> None:
    page = judging({"judging": JUDGING, "ratings": RATINGS})
    assert page[0] == (
        "Human ratings on rubric 1&#45;abc: 25 ratings of 5 conversations by 2 people; left aside: 1 for off menu. "
        "Compared side by side, compiled or floor (n = 4): compiled 3, tie 1."
    )
    found = rows(page)
    assert ["a&#124;b", "m&#60;1&#62;", "40", "3 off menu", "2", "0.50 [0.25–0.75], n=8", "not defined, n=0"] in found
    assert ["task success", "a&#124;b, human ann", "0.50 [0.25–0.75], n=8"] in found
    assert ["a&#124;b", "task success", "0.50 [0.25–0.75], n=8", "2"] in found
    assert ["a&#124;b", "consistency", "0.50 [0.25–0.75], n=8"] in found
    assert ["deterministic", "0.50 [0.25–0.75], n=8, 3 rated by people", "— (none rated by people)"] in found
    assert ["a&#124;b", "compiled or floor", "3 : 0", "0", "1", "0.75", "4, 1 unscored"] in found


def test_people_alone_correct_the_deterministic_judge() -> None:
    alone = JUDGING | {"judges": {}, "agreement": {}, "stability": {}, "self_preference": {}, "pairwise": []}
    page = judging({"judging": alone, "ratings": RATINGS})
    assert [part for part in page if part.endswith(":")] == ["Success rates corrected by people's ratings:"]
    assert page[1] == "LLM judges (naturalness and the like): not run: none configured."
