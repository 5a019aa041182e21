"""The headline: exact cells, what was not run, and verdicts that could not be had."""

from __future__ import annotations

from flowc.metrics import Rate
from flowc.scoreboard import (
    cell,
    comparisons_table,
    deviation_table,
    headline,
    recovery_table,
    reliability_table,
    tokens_table,
)
from tests.parcel import rate, row_of, scores


def test_the_headline_gives_every_mean_with_interval_and_n() -> None:
    table = headline([scores()])
    assert row_of(table, "arm") == [
        "arm",
        "n",
        "Task success",
        "Procedure order",
        "Information accuracy",
        "Consistency",
        "Recovery",
    ]
    assert row_of(table, "compiled") == [
        "compiled",
        "60",
        "96.7 % [86.7–100]",
        "96.7 % [91–100]",
        "99.5 % [98.5–100]",
        "100 % [100–100]",
        "90 % [80–97] n=31",
    ]
    assert "a true rate about 3/k away, k the number of scenarios" in table


def test_the_headline_reads_as_plain_text() -> None:
    lines = [line for line in headline([scores()]).splitlines() if line.startswith("|")]
    assert len({len(line) for line in lines}) == 1
    assert "&#" not in "".join(lines)


def test_one_scenario_played_three_times_has_no_interval() -> None:
    assert cell(Rate(2 / 3, 0.6667, 0.6667, 3, 0, 1), 3) == "66.7 % (1 scenario)"
    assert cell(Rate(8 / 9, 0.6667, 1.0, 9, 0, 3)) == "88.9 % n=9 (3 scenarios)"
    assert cell(Rate(0.8, 0.4, 1.0, 5, 0, 5)) == "80 % [40–100] n=5"


def test_recovery_is_from_the_deviation_itself() -> None:
    table = recovery_table(scores())
    assert row_of(table, "Side question") == ["Side question", "Intent switching", *["90.3 % [80–97] n=31"] * 3]
    assert row_of(deviation_table(scores()), "Side question")[2] == "96.7 % [86.7–100] n=60"
    assert recovery_table({"arms": {}}) == "not run: no scenario has a deviation"


def test_repeats_are_told_from_scenarios() -> None:
    found = scores()
    found["arms"]["compiled"] |= {"n": 180, "repeats": 3}
    assert row_of(headline([found]), "compiled")[1] == "180 (60 scenarios, 3 times)"


def test_an_unscored_criterion_is_a_dash_with_its_count_and_an_explanation() -> None:
    table = headline([scores()])
    assert row_of(table, "in_context")[-1] == "— (60 unscored)"
    assert row_of(table, "floor")[-1] == "— (n=0)"
    assert "- —, unscored: verdicts that could not be had. They are counted and never taken as zero" in table
    assert cell(Rate(0.5, 0.4, 0.6, 50, 10), 60) == "50 % [40–60] n=50, 10 unscored"


def test_an_arm_that_was_not_run_says_so_with_its_reason() -> None:
    table = headline([scores()])
    assert row_of(table, "orchestrated") == ["orchestrated", *["not run"] * 6]
    assert "- orchestrated not run: not in baseline.arms" in table
    assert "- frontier_in_context not run: no key" in table
    assert "- frontier_orchestrated not run: no transcripts" in table


def test_comparisons_stand_with_n_interval_and_what_could_have_been_shown() -> None:
    assert row_of(comparisons_table(scores()), "compiled and in_context") == [
        "compiled and in_context", "Task success", "Wilcoxon", "60", "71.7 [60 to 83.3]", "1.2", "0.0001", "0.0004",
        "22.5",
    ]  # fmt: skip


def test_a_comparison_that_could_not_be_made_is_dashes() -> None:
    judged = {"a": "compiled", "b": "floor", "criterion": "small.task_success", "test": "Mann-Whitney", "n": 7}
    judged |= {"difference": -0.456, "ci95": None, "effect": None, "p": None, "p_holm": None, "smallest": None}
    assert row_of(comparisons_table({"comparisons": [judged]}), "compiled and floor") == [
        "compiled and floor", "small.task_success", "Mann-Whitney", "7", "-0.46", "—", "—", "—", "—"
    ]  # fmt: skip
    assert comparisons_table({}) == "not run: the evaluation made no tests between arms"


def test_failures_stand_beside_pass_k() -> None:
    table = reliability_table(scores())
    assert row_of(table, "arm") == ["arm", "Failures", "pass^1", "pass^3"]
    assert row_of(table, "compiled") == [
        "compiled",
        "3.3 % [0–100] n=60",
        "96.7 % [86.7–100] n=60",
        "90.3 % [0–100] n=20",
    ]


def test_what_judges_see_as_failure_stands_in_a_column_for_each() -> None:
    found = scores()
    found["arms"]["compiled"]["failure"] |= {"claude.task_success": rate(0.2, 0.1, 0.3, n=40, unscored=20)}
    table = reliability_table(found)
    assert row_of(table, "arm") == ["arm", "Failures", "Failures by claude", "pass^1", "pass^3"]
    assert row_of(table, "compiled")[2] == "20 % [10–30] n=40, 20 unscored"
    assert row_of(table, "floor")[2] == "not measured"


def test_tokens_are_compared_by_the_request_for_conversations_end_early_where_an_arm_is_lost() -> None:
    lost = scores()
    lost["arms"]["in_context"]["tokens"] |= {"prompt_per_conversation": 3600.0, "calls_per_conversation": 3.0}
    # 3,780.4 tokens in 3 requests against 2,580.4 in 9.25.
    assert row_of(tokens_table(lost), "in_context") == ["in_context", "3,600", "180", "3,780", "3.0", "4.5 x"]
