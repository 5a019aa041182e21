"""The gate's arithmetic on small sets of conversations, and what it says when it cannot know."""

from __future__ import annotations

import math

import pytest

from flowc.conformance import judge
from flowc.gate import Asked, GateParams, Outcome, Verdict, compare, gate, node_rights
from flowc.margins import needed_pairs, paired_difference, share_interval
from flowc.records import Message
from flowc.scenarios import Scenario
from flowc.transcripts import Ended, Turn
from tests.example import NO_DEVIATIONS, example_graph, example_scenarios, play

PARAMS = GateParams(confidence=0.95, margins={"task_success": 0.1}, changed_nodes=0.8)
GRAPH = example_graph()
SCENARIOS = example_scenarios(GRAPH, 60, NO_DEVIATIONS)


def asked(scenario: Scenario, silent_at: str = "") -> Asked:
    """A conversation that follows the procedure, or one that ends where `silent_at` should be said."""
    right = play(GRAPH, scenario)
    at = [i for i, t in enumerate(right.turns) if t.message.role == "assistant" and t.labels == (silent_at,)]
    if at:
        turns = (*right.turns[: at[0]], Turn(message=Message(role="assistant", content="Well.")))
        right = right.model_copy(update={"turns": turns, "ended": Ended.NOT_UNDERSTOOD})
    return Asked(right, judge(GRAPH, scenario, right))


PERFECT = {s.id: [asked(s)] for s in SCENARIOS}
BROKEN = {s.id: [asked(s, "offer")] for s in SCENARIOS}


def test_equal_models_pass_with_an_interval_that_is_no_point() -> None:
    found = gate("table", PERFECT, PERFECT, (), PARAMS, PERFECT)
    assert found.outcome == Outcome.PASSED
    success = found.comparisons[0]
    assert (success.criterion, success.n, success.difference, success.verdict) == (
        "task_success",
        len(PERFECT),
        0.0,
        Verdict.NO_EVIDENCE,
    )
    assert success.low == pytest.approx(-1.95996 / (len(PERFECT) + 2), abs=1e-4)
    assert found.changed is None and found.worse_nodes == () and found.failures == ()


def test_a_model_that_lost_a_node_fails_and_the_node_is_named_first() -> None:
    through = [s for s, a in PERFECT.items() if any("offer" in t.labels for t in a[0].transcript.turns)]
    found = gate("table", PERFECT, BROKEN, (), PARAMS, BROKEN)
    assert found.outcome == Outcome.FAILED
    assert found.comparisons[0].verdict == Verdict.WORSE
    assert found.worse_nodes[0].node == "offer"
    assert found.worse_nodes[0].before == (len(through), len(through))
    assert found.worse_nodes[0].after == (len(through), 0)
    assert list(found.failures) == sorted(through)


def test_edited_nodes_are_tested_apart_whatever_the_rest_does() -> None:
    found = gate("table", PERFECT, BROKEN, ("offer",), PARAMS, BROKEN)
    assert found.changed is not None
    assert (found.changed.right, found.changed.outcome) == (0, Outcome.FAILED)
    fine = gate("table", PERFECT, PERFECT, ("offer",), PARAMS, PERFECT)
    assert fine.changed is not None and fine.changed.nodes["offer"] == (fine.changed.n, fine.changed.n)
    assert fine.outcome == Outcome.PASSED


def test_a_new_procedure_is_tested_on_its_nodes_alone() -> None:
    found = gate("table", None, PERFECT, tuple(GRAPH.nodes), PARAMS, PERFECT)
    assert found.comparisons == ()
    assert found.outcome == Outcome.PASSED


def test_an_edited_node_that_no_conversation_came_to_is_not_decided_and_16_would() -> None:
    found = gate("table", PERFECT, PERFECT, ("nowhere",), PARAMS, PERFECT)
    assert found.outcome == Outcome.UNDECIDED
    assert found.changed is not None and found.changed.needed == 16
    assert share_interval(16, 16, 0.95)[0] >= 0.8 > share_interval(15, 15, 0.95)[0]


def test_few_scenarios_cannot_decide_and_the_needed_number_can() -> None:
    found = compare("task_success", [(1.0, 1.0)] * 5, PARAMS)
    assert (found.outcome, found.n) == (Outcome.UNDECIDED, 5)
    assert found.needed is not None
    fewest = compare("task_success", [], PARAMS).needed
    assert fewest == 18
    assert compare("task_success", [(1.0, 1.0)] * 18, PARAMS).outcome == Outcome.PASSED
    assert compare("task_success", [(1.0, 1.0)] * 17, PARAMS).outcome == Outcome.UNDECIDED


def test_the_needed_number_decides_when_mean_and_spread_stay() -> None:
    one = [(1.0, 0.0)] * 3 + [(0.0, 1.0)] * 2 + [(1.0, 1.0)] * 15
    found = compare("task_success", one, PARAMS)
    assert found.outcome == Outcome.UNDECIDED and found.needed is not None
    times = math.ceil(found.needed / len(one)) + 1
    assert compare("task_success", one * times, PARAMS).outcome == Outcome.PASSED


def test_a_difference_that_is_the_margin_is_decided_by_no_number() -> None:
    found = paired_difference([(1.0, 0.0)] + [(1.0, 1.0)] * 9, 0.95)
    assert found.mean == pytest.approx(-0.1)
    assert needed_pairs(found, 0.1, 0.95) is None


def test_the_interval_is_that_of_agresti_and_min() -> None:
    # 53 pairs of which 16 lost and 8 gained, by hand: mean -8/55, variance (24 + 1)/55 - (8/55)^2.
    found = paired_difference([(1.0, 0.0)] * 16 + [(0.0, 1.0)] * 8 + [(1.0, 1.0)] * 29, 0.95)
    half = 1.959964 * math.sqrt(((24 + 1) / 55 - (8 / 55) ** 2) / 55)
    assert found.low == pytest.approx(-8 / 55 - half, abs=1e-6)
    assert found.high == pytest.approx(-8 / 55 + half, abs=1e-6)


def test_what_could_not_be_judged_for_both_does_not_count() -> None:
    found = compare("recovery", [(None, 1.0), (1.0, None), (1.0, 1.0)], PARAMS)
    assert (found.n, found.margin, found.outcome) == (1, None, None)


def test_the_words_of_the_judge_are_those_that_name_the_node_due() -> None:
    broken = next(a for a in BROKEN.values() if a[0].judgement.scores["task_success"] == 0)
    assert node_rights(broken)["offer"] is False
    assert node_rights(broken)["ask_day"] is True


def test_repeats_of_a_scenario_are_one_pair_with_their_mean() -> None:
    half = {s: [*PERFECT[s], *BROKEN[s]] for s in PERFECT}
    whole, found = (gate("table", PERFECT, x, (), PARAMS, x).comparisons[0] for x in (BROKEN, half))
    assert found.n == whole.n == len(PERFECT)
    assert found.difference is not None and whole.difference is not None
    assert found.difference == pytest.approx(whole.difference / 2, abs=1e-4)
    assert (
        node_rights(half[next(s for s in PERFECT if not node_rights(BROKEN[s]).get("offer", True))])["offer"] is False
    )


def test_one_loss_in_sixty_is_no_evidence() -> None:
    one = next(s for s in PERFECT if BROKEN[s][0].judgement.scores["task_success"] == 0)
    found = gate("table", PERFECT, PERFECT | {one: BROKEN[one]}, (), PARAMS, PERFECT)
    assert found.comparisons[0].p == 1.0
    assert found.comparisons[0].verdict == Verdict.NO_EVIDENCE
    assert found.outcome == Outcome.PASSED
    assert found.failures == (one,)
