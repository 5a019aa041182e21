"""The node tracker on what human wizards typed: right in four turns of five, and rather silent than wrong elsewhere."""

from __future__ import annotations

import json
from typing import Any

import pytest

from flowc.star import TASKS
from flowc.star_tracker import measure
from tests.published import STAR, needs_star
from tests.workspace import ROOT

pytestmark = needs_star
COMMITTED = ROOT / "docs" / "human" / "star_tracker.json"


@pytest.fixture(scope="module")
def measured() -> dict[str, Any]:
    return measure(STAR, seed=0)


def test_it_names_the_step_that_a_human_wizard_meant_in_four_turns_of_five(measured: dict[str, Any]) -> None:
    assert measured["right"]["n"] == 4345  # every pick with a typed text; branches and custom are no steps
    assert measured["right"]["mean"] >= 0.80  # 0.825 measured, each "none" an error
    assert min(measured["by_task"][t]["right"]["mean"] for t in TASKS) >= 0.65  # 0.69 measured, for rides


def test_it_says_none_to_most_turns_of_another_task(measured: dict[str, Any]) -> None:
    assert measured["none_on_other_tasks"]["mean"] >= 0.57  # 0.600 measured
    assert measured["none_on_other_tasks"]["n"] > 10_000


def test_the_report_shows_what_the_tracker_does(measured: dict[str, Any]) -> None:
    committed = json.loads(COMMITTED.read_text(encoding="utf-8"))
    for name in ("right", "none_on_other_tasks"):
        assert committed[name]["n"] == measured[name]["n"]
        assert committed[name]["mean"] == pytest.approx(measured[name]["mean"], abs=0.003)
