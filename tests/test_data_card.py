"""The card says who wrote the data, how many there are, at what cost and what was dropped; so does the report."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest

from flowc.data_card import data_card
from flowc.gate_report import gate
from flowc.generate import Generated, generate
from flowc.graph import Graph
from flowc.records import write_json
from tests.test_generate import PARAMS

DROPPED = {
    "written": 50,
    "kept": 48,
    "dropped": {"leak": 1, "near_duplicate": 1, "slots": 0},
    "dropped_share": 0.04,
    "near_duplicate_share": 0.02,
    "samples": [{"reason": "leak", "detail": "'{day}' in the text", "role": "user", "text": "On {day}."}],
}
ASKED: dict[str, Any] = {
    "model": "m-1",
    "mode": "turns",
    "calls": 1200,
    "prompts": {"version": "v1", "sha256": "ab12"},
    "dollars": {"m-1": 1.25},
    "dropped": {"refusal": 2, "trunk": 6},
    "this_run": {"asked": 7},
}


@pytest.fixture(scope="module")
def made(table: Graph) -> Generated:
    return generate(table, PARAMS, 0)


def rows(card: str) -> dict[str, str]:
    """The tables' rows of two cells."""
    lines = [line.strip("| ").split("|") for line in card.splitlines() if line.startswith("| ")]
    return {cells[0].strip(): cells[1].strip() for cells in lines if len(cells) == 2}


def test_the_card_of_scripted_data(table: Graph, made: Generated, tmp_path: Path) -> None:
    card = data_card(table, "scripted", PARAMS, 0, made.metrics)
    found = rows(card)
    assert card.startswith("# Conversations of Table reservation\n")
    assert found["Teacher"] == "scripted" and found["Model"] == "none, offline" and found["Cost"] == "nothing"
    assert found["Language"] == "English" and found["Seed"] == "0"
    write_json(tmp_path / "table.json", table.model_dump(mode="json"))
    assert found["Graph, sha256"] == hashlib.sha256((tmp_path / "table.json").read_bytes()).hexdigest()
    assert found["Training conversations"] == f"{len(made.train)}" and found["Eval conversations"] == "12"
    assert found["Nodes covered in training"] == "100.0%" and found["Distinct paths in training"].isdigit()
    written = len(made.train) + len(made.eval)
    assert found["passed the quality gate"] == f"{written} of {written}" and found["near-duplicate rate"] == "0.00%"
    assert "no language model has written any of it" in card and '"train": 80' in card
    assert card == data_card(table, "scripted", PARAMS, 0, generate(table, PARAMS, 0).metrics)


def test_the_card_of_a_models_data_names_model_prompts_cost_and_drops(table: Graph, made: Generated) -> None:
    card = data_card(table, "compatible", PARAMS, 0, made.metrics | {"teacher": ASKED, "gate": DROPPED})
    found = rows(card)
    assert found["Model"] == "m-1" and found["Prompts, sha256"] == "ab12" and found["Calls"] == "1,200"
    assert found["Cost of m-1"] == "USD 1.2500"
    assert found["not written: refusal"] == "2" and found["not written: trunk"] == "6"
    assert found["passed the quality gate"] == "48 of 50" and found["near-duplicate rate"] == "2.00%"
    assert found["dropped: leak"] == "1" and "dropped: slots" not in found
    assert "its licence or its provider's terms" in card
    assert "On" not in found and "asked" not in card  # no sample, and nothing that only one run did


def test_a_cost_that_nobody_knows_is_no_zero(table: Graph, made: Generated) -> None:
    unknown = ASKED | {"dollars": {"m-1": None}}
    found = rows(data_card(table, "compatible", PARAMS, 0, made.metrics | {"teacher": unknown}))
    assert found["Cost of m-1"] == "not known: no price"


def test_data_that_no_gate_has_seen_say_so(table: Graph, made: Generated) -> None:
    ungated = {k: v for k, v in made.metrics.items() if k != "gate"}
    assert rows(data_card(table, "scripted", PARAMS, 0, ungated))["quality gate"] == "not applied"


def test_the_report_shows_drops_by_reason_with_samples() -> None:
    said, table, samples = gate({"gate": DROPPED}, 5)
    assert said == "The quality gate dropped 4 % of 50 conversations that were written, near-duplicates 2 %."
    assert rows(table)["leak"] == "1" and rows(table)["near_duplicate"] == "1" and "slots" not in rows(table)
    assert "| leak | '&#123;day&#125;' in the text | user&#58; On &#123;d … (4 more characters) |" in samples


def test_the_report_says_where_nothing_was_dropped_or_measured() -> None:
    clean = DROPPED | {"dropped": {"leak": 0}, "dropped_share": 0.0, "near_duplicate_share": 0.0, "samples": []}
    assert gate({"gate": clean}, 5) == [
        "The quality gate dropped 0 % of 50 conversations that were written, near-duplicates 0 %."
    ]
    assert gate({}, 5) == ["Quality gate: not measured."]
