"""The headline: exact cells, what was not run, and verdicts that could not be had."""

from __future__ import annotations

from flowc.metrics import Rate
from flowc.scoreboard import (
    Targets,
    against_others,
    cell,
    comparisons_table,
    deviation_table,
    headline,
    overview,
    recovery_table,
    reliability_table,
    strict_table,
    tokens_table,
    verdict,
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


def test_a_success_is_counted_more_strictly_as_well() -> None:
    assert row_of(strict_table(scores()), "compiled") == [
        "compiled", "96.7 % [86.7–100] n=60", "90 % [80–95] n=60", "85 % [75–90] n=60", "70 % [60–80] n=60"
    ]  # fmt: skip
    said = verdict(scores(), Targets(seen_path=0.95, held_out_path=0.9, information_accuracy=0.98))
    assert "with every step in order besides 85 % [75–90] (n = 60), without a fault of any kind 70 % [60–80]" in said


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


def test_a_target_that_the_interval_does_not_bear_out_is_named() -> None:
    found = scores()
    targets = Targets(seen_path=0.95, held_out_path=0.9, information_accuracy=0.98)
    for name, low in (("seen_path", 0.95), ("held_out_path", 0.8667)):
        found["arms"]["compiled"]["by_split"][name]["task_success"] = rate(0.9667, low, 1.0, n=30)
    below = "(all met; by the mean alone, since the interval reaches below: task success on held-out paths)."
    assert verdict(found, targets).endswith(f"information accuracy at least 98 % {below}")
    surely = verdict(found, targets.model_copy(update={"held_out_path": 0.85}))
    assert surely.endswith("information accuracy at least 98 % (all met).")


def test_where_training_needs_every_path_none_is_held_out_and_no_target_asks_for_it() -> None:
    found = scores()
    del found["arms"]["compiled"]["by_split"]["held_out_path"]
    targets = Targets(seen_path=0.95, held_out_path=0.9, information_accuracy=0.98)
    said = verdict(found, targets)
    assert "follow the procedure? Yes.**" in said
    assert ", with none held out, for it needs all, always with phrases" in said
    assert "task success on held-out paths" not in said
    assert row_of(overview([found], ["a"], [targets]), "a")[1] == "Yes"


def test_what_judges_see_as_failure_stands_in_a_column_for_each() -> None:
    found = scores()
    found["arms"]["compiled"]["failure"] |= {"claude.task_success": rate(0.2, 0.1, 0.3, n=40, unscored=20)}
    table = reliability_table(found)
    assert row_of(table, "arm") == ["arm", "Failures", "Failures by claude", "pass^1", "pass^3"]
    assert row_of(table, "compiled")[2] == "20 % [10–30] n=40, 20 unscored"
    assert row_of(table, "floor")[2] == "not measured"


def test_facts_stated_rightly_are_a_target_where_one_is_set() -> None:
    found = scores()
    found["arms"]["compiled"]["knowledge"] = {"stated": rate(0.95, 0.9, 0.98, n=88)}
    free = Targets(seen_path=0.95, held_out_path=0.9, information_accuracy=0.98)
    bound = free.model_copy(update={"knowledge": 0.97})
    assert "information accuracy at least 98 % (all met; by" in verdict(found, free)
    missed = verdict(found, bound)
    assert "follow the procedure? No.**" in missed
    assert "facts stated rightly at least 97 % (missed: facts stated rightly; by" in missed
    assert "Not known.**" in verdict(scores(), bound)
    table = overview([found, found, scores()], ["a", "b", "c"], [free, bound, bound])
    assert [row_of(table, name)[1] for name in "abc"] == ["Yes", "No", "Not known"]
    assert [row_of(table, name)[-2:] for name in "ac"] == [
        ["99.5 % [98.5–100]", "95 % [90–98] n=88"], ["99.5 % [98.5–100]", "not measured"]
    ]  # fmt: skip


def test_who_is_ahead_follows_from_the_pairs_and_not_from_means_of_unlike_scenarios() -> None:
    found = scores()
    assert "The compiled model is ahead of in_context (a Holm" in against_others(found)
    found["comparisons"][0]["difference"] = -0.2
    assert "The compiled model is behind in_context (a Holm" in against_others(found)
    found["comparisons"][0]["p_holm"] = 0.06
    assert "The compiled model is not distinguishable from in_context" in against_others(found)


def test_tokens_are_compared_by_the_request_for_conversations_end_early_where_an_arm_is_lost() -> None:
    lost = scores()
    lost["arms"]["in_context"]["tokens"] |= {"prompt_per_conversation": 3600.0, "calls_per_conversation": 3.0}
    # 3,780.4 tokens in 3 requests against 2,580.4 in 9.25.
    assert row_of(tokens_table(lost), "in_context") == ["in_context", "3,600", "180", "3,780", "3.0", "4.5 x"]
