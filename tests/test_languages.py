"""A procedure in another language goes the whole way: it is parsed, linted, generated, gated, tracked and judged."""

from __future__ import annotations

import pytest

from flowc.conformance import judge
from flowc.generate import GenerateParams, generate
from flowc.graph import Graph, edges
from flowc.languages import foreign
from flowc.lint import lint
from flowc.parse import parse_procedure
from flowc.sampling import sample
from flowc.tracker import Tracker, measure
from tests.example import GATE, MANY_DEVIATIONS, play
from tests.workspace import ROOT


@pytest.fixture(scope="module")
def german() -> Graph:
    file = ROOT / "data" / "procedures" / "travel_booking_de.yaml"
    return parse_procedure(file.read_text(encoding="utf-8"), str(file))


def test_the_german_procedure_has_the_steps_of_the_english_one_and_no_findings(german: Graph, travel: Graph) -> None:
    assert german.language == "de"
    assert [f.message for f in lint(german)] == []
    assert [(n, e.id, e.to) for n, e in edges(german)] == [(n, e.id, e.to) for n, e in edges(travel)]
    assert german.slots.keys() == travel.slots.keys()


def test_its_conversations_are_german_cover_everything_and_pass_the_gate_whole(german: Graph) -> None:
    params = GenerateParams(
        teacher="scripted",
        train=60,
        branches=4,
        variety=0.3,
        eval=8,
        scenarios=20,
        interrupts=0.2,
        deviations=MANY_DEVIATIONS,
        gate=GATE.model_copy(update={"near_duplicate": 0.8}),
    )
    made = generate(german, params, 0)
    coverage = made.metrics["coverage"]
    assert (coverage["nodes"], coverage["edges"], coverage["interrupts"]) == (1.0, 1.0, 1.0)
    assert made.metrics["gate"]["dropped_share"] == 0
    spoken = [m.content for c in made.train for m in c.messages if m.role in ("user", "assistant") and m.content]
    assert {foreign(text, "de") for text in spoken} == {None}
    assert sum(foreign(text, "en") == "German" for text in spoken) > len(spoken) / 4


def test_an_assistant_without_fault_gets_full_marks_in_german(german: Graph) -> None:
    for split in ("train", "held_out_path"):
        for scenario in sample(german, 20, split, MANY_DEVIATIONS, 0.2, seed=1):
            assert judge(german, scenario, play(german, scenario)).faults == ()


def test_the_tracker_reads_german(german: Graph) -> None:
    right = measure(german, Tracker(german), 0)["right"]
    assert sum(right) / len(right) > 0.85
