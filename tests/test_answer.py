"""The answer: targets met, missed and unsure, and who is ahead."""

from __future__ import annotations

from flowc.answer import Targets, against_others, overview, verdict
from flowc.scoreboard import strict_table
from tests.parcel import rate, row_of, scores


def test_a_success_is_counted_more_strictly_as_well() -> None:
    assert row_of(strict_table(scores()), "compiled") == [
        "compiled", "96.7 % [86.7–100] n=60", "90 % [80–95] n=60", "85 % [75–90] n=60", "70 % [60–80] n=60"
    ]  # fmt: skip
    said = verdict(scores(), Targets(seen_path=0.95, held_out_path=0.9, information_accuracy=0.98))
    assert "with every step in order besides 85 % [75–90] (n = 60), without a fault of any kind 70 % [60–80]" in said


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
