"""Comparisons: what is paired, what is not, and which numbers are left open."""

from __future__ import annotations

from typing import Any

import pytest

from flowc.comparisons import Scores, by_scenario, compare
from flowc.transcripts import Ended, Tokens, Transcript


def compared(own: dict[str, float], other: dict[str, float]) -> dict[str, Any]:
    arms: dict[str, Scores] = {"compiled": {"task_success": own}, "floor": {"task_success": other}}
    (found,) = compare(arms, "compiled", resamples=1000, confidence=0.95, power=0.8, seed=0)
    return found


def test_scenarios_that_both_have_are_pairs_and_others_are_left_out() -> None:
    own, other = {str(i): 1.0 for i in range(12)}, {str(i): 0.0 for i in range(2, 20)}
    found = compared(own, other)
    assert found == {
        "a": "compiled",
        "b": "floor",
        "criterion": "task_success",
        "test": "Wilcoxon",
        "n": 10,
        "p": 0.001953,
        "p_holm": 0.001953,
        "effect": None,
        "difference": 1.0,
        "ci95": [1.0, 1.0],
        "smallest": 0.674,  # the chance of at least six differing pairs among ten is 0.8
    }


def test_arms_without_a_common_scenario_are_compared_unpaired() -> None:
    found = compared({f"a{i}": i / 10 for i in range(10)}, {f"b{i}": i / 10 - 0.35 for i in range(10)})
    assert (found["test"], found["n"], found["ci95"], found["smallest"]) == ("Mann-Whitney", 20, None, None)
    assert found["difference"] == pytest.approx(0.35)
    assert 0.01 < found["p"] < 0.05


def test_an_arm_without_any_score_is_listed_without_a_test() -> None:
    found = compared({"a": 1.0}, {})
    assert (found["p"], found["p_holm"], found["effect"], found["difference"]) == (None, None, None, None)
    assert found["test"] == "none"


def test_what_could_have_been_shown_is_corrected_for_the_tests_that_were_made() -> None:
    good, bad = {str(i): 1.0 for i in range(12)}, {str(i): 0.0 for i in range(12)}
    alone = compared(good, bad)["smallest"]
    arms: dict[str, Scores] = {
        "compiled": {"task_success": good, "recovery": good},
        "floor": {"task_success": bad, "recovery": {}},
    }
    found = compare(arms, "compiled", resamples=1000, confidence=0.95, power=0.8, seed=0)
    assert [(c["criterion"], c["p_holm"], c["smallest"]) for c in found] == [
        ("recovery", None, None), ("task_success", 0.0004883, alone)
    ]  # fmt: skip


def test_the_family_of_holm_is_every_test_of_every_arm() -> None:
    good, bad = {str(i): 1.0 for i in range(8)}, {str(i): 0.0 for i in range(8)}
    arms: dict[str, Scores] = {
        "compiled": {"task_success": good, "recovery": good},
        "floor": {"task_success": bad, "recovery": good},
        "other": {"task_success": bad},
    }
    found = compare(arms, "compiled", resamples=1000, confidence=0.95, power=0.8, seed=0)
    assert [(c["b"], c["criterion"], c["p_holm"]) for c in found] == [
        ("floor", "recovery", 1.0),
        ("floor", "task_success", 0.02344),
        ("other", "task_success", 0.02344),
    ]


def played(scenario: str, repeat: int = 0) -> Transcript:
    return Transcript(
        scenario=scenario, repeat=repeat, arm="x", ended=Ended.TERMINAL, turns=(), tokens=Tokens(prompt=0, completion=0)
    )


def test_repeats_of_a_scenario_are_one_score() -> None:
    some = [played("a"), played("b"), played("a", 1), played("c")]
    assert by_scenario(some, [1.0, 0.0, 0.0, None], 2) == {"a": 0.5, "b": 0.0}
    assert by_scenario(some, [1.0, 0.0, 0.0, None], 1) == {"a": 1.0, "b": 0.0}
