"""The headline: exact cells, what was not run, and verdicts that could not be had."""

from __future__ import annotations

from flowc.metrics import Rate
from flowc.scoreboard import cell, headline
from tests.parcel import row_of, scores


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
    assert "a true rate about 3/n away" in table


def test_the_headline_reads_as_plain_text() -> None:
    lines = [line for line in headline([scores()]).splitlines() if line.startswith("|")]
    assert len({len(line) for line in lines}) == 1
    assert "&#" not in "".join(lines)


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
