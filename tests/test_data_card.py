"""The card says who wrote the data, how many there are and what was dropped; the report shows the drops."""

from __future__ import annotations

from flowc.data_card import data_card
from flowc.gate_report import gate
from flowc.generate import generate
from flowc.graph import Graph
from tests.test_generate import PARAMS

DROPPED = {
    "written": 50,
    "dropped": {"leak": 2, "slots": 0},
    "dropped_share": 0.04,
    "near_duplicate_share": 0.0,
    "samples": [{"reason": "leak", "detail": "'{day}' in the text", "role": "user", "text": "On {day}."}],
}


def test_the_card_of_scripted_data(table: Graph) -> None:
    made = generate(table, PARAMS, 0)
    card = data_card(table, "scripted", PARAMS, 0, made.metrics)
    assert "# Conversations of Table reservation" in card
    for row in ("Teacher", "Seed", "Graph, sha256", "Training conversations", "Nodes covered"):
        assert f"\n| {row} " in card
    assert "| Cost          |" in card and "nothing |" in card
    assert "The quality gate dropped 0 % of" in card
    assert "No language model has written any of it." in card
    assert card == data_card(table, "scripted", PARAMS, 0, generate(table, PARAMS, 0).metrics)


def test_the_card_of_a_models_data_names_model_prompts_and_cost(table: Graph) -> None:
    asked = {"model": "m-1", "prompts": {"sha256": "ab12"}, "dollars": {"m-1": 1.25}}
    card = data_card(table, "compatible", PARAMS, 0, generate(table, PARAMS, 0).metrics | {"teacher": asked})
    for said in ("m-1", "ab12", "USD 1.2500", "its licence or its provider's terms"):
        assert said in card


def test_drops_are_shown_by_reason_with_samples() -> None:
    said, table, samples = gate({"gate": DROPPED}, 200)
    assert said == "The quality gate dropped 4 % of 50 conversations that were written, near-duplicates 0 %."
    assert "leak" in table and "slots" not in table
    assert "&#123;day&#125; in the text" in samples or "day" in samples
    assert gate({}, 200) == ["Quality gate: not measured."]
