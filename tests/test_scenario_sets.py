"""Scenario sets: one kind of deviation in every scenario, for procedures that answer it and for those that do not."""

from __future__ import annotations

import pytest

from flowc.built_in_phrases import BACK
from flowc.conformance import judge
from flowc.deviation_phrases import SAYS
from flowc.graph import Graph
from flowc.records import UserError
from flowc.scenario_sets import ADVERSARIAL, PLAYABLE, scenario_set, steering_back
from flowc.scenarios import kinds
from tests.example import play


@pytest.mark.parametrize("kind", [k for k in PLAYABLE if k != "human"])
def test_every_scenario_of_a_set_has_its_kind_and_no_other(table: Graph, kind: str) -> None:
    graph = steering_back(table, [kind])
    made = scenario_set(graph, kind, 12, 0)
    assert len({s.id for s in made}) == 12
    assert {k.removesuffix("_several") for s in made for k in kinds(graph, s)} == {kind}
    assert {s.split for s in made} == {"seen_path"}
    for scenario in made:
        assert judge(graph, scenario, play(graph, scenario)).faults == ()


def test_a_procedure_keeps_its_own_answers_and_gets_words_that_lead_back_for_the_rest(table: Graph) -> None:
    graph = steering_back(table, [*ADVERSARIAL, "human", "off_topic"])
    assert graph.interrupts["human"] == table.interrupts["human"]
    assert graph.interrupts["off_topic"] == table.interrupts["off_topic"]
    assert {k: (graph.interrupts[k].says, graph.interrupts[k].say) for k in ADVERSARIAL} == {
        k: (SAYS[k], BACK) for k in ADVERSARIAL
    }
    assert steering_back(graph, ADVERSARIAL) == graph


def test_what_cannot_be_made_is_refused_by_name(table: Graph) -> None:
    with pytest.raises(UserError, match=r"'sarcasm' is no kind of deviation.*vague"):
        scenario_set(table, "sarcasm", 3, 0)
    with pytest.raises(UserError, match="answers 'human' by going elsewhere"):
        scenario_set(table, "human", 3, 0)
