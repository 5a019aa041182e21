"""Differences of two graphs, and which scenarios survive them."""

from __future__ import annotations

from flowc.graph import Graph
from flowc.parse import parse_procedure
from flowc.procedure_diff import Change, procedure_diff, still_plays
from tests.example import TEXT, example_graph, example_scenarios

GRAPH = example_graph()


def edited(old: str, new: str) -> Graph:
    assert old in TEXT
    return parse_procedure(TEXT.replace(old, new, 1), "table.yaml")


def test_equal_graphs_have_no_changes() -> None:
    assert procedure_diff(GRAPH, GRAPH) == ((), ())


def test_a_reworded_phrase_is_one_change_of_one_node() -> None:
    after = edited("And for how many people?", "How many people, please?")
    found = procedure_diff(GRAPH, after)
    change = Change(
        where="node ask_guests",
        field="say",
        before=("And for how many people?",),
        after=("How many people, please?",),
    )
    assert found.changes == (change,)
    assert found.nodes == ("ask_guests",)
    assert all(still_plays(GRAPH, after, s) for s in example_scenarios(GRAPH, 20))


def test_an_edge_that_leads_elsewhere_ends_the_scenarios_that_take_it() -> None:
    offer = GRAPH.nodes["offer"]
    edges = tuple(e.model_copy(update={"to": "hand_over"}) if e.id == "decline" else e for e in offer.edges)
    nodes = {**GRAPH.nodes, "offer": offer.model_copy(update={"edges": edges})}
    after = GRAPH.model_copy(update={"nodes": nodes})
    found = procedure_diff(GRAPH, after)
    assert found.changes == (Change(where="edge offer.decline", field="to", before=("goodbye",), after=("hand_over",)),)
    assert found.nodes == ("offer",)
    for scenario in example_scenarios(GRAPH, 40):
        assert still_plays(GRAPH, after, scenario) == ("offer.decline" not in scenario.path)


def test_an_edge_that_is_gone_is_named_with_its_phrases() -> None:
    edges = tuple(e for e in GRAPH.nodes["offer"].edges if e.id != "cheaper")
    node = GRAPH.nodes["offer"].model_copy(update={"edges": edges})
    found = procedure_diff(GRAPH, GRAPH.model_copy(update={"nodes": {**GRAPH.nodes, "offer": node}}))
    assert [(c.where, c.field) for c in found.changes] == [("edge offer.cheaper", "removed")]
    assert found.changes[0].before[:2] == ("to ask_budget", "when the guest wants something cheaper")


def test_an_edited_slot_touches_the_nodes_that_use_it() -> None:
    found = procedure_diff(GRAPH, edited("[two, three, four,", "[two, three, fourteen hundred,"))
    assert [c.where for c in found.changes] == ["slot guests"]
    assert found.nodes == ("ask_guests",)


def test_an_edited_tool_touches_the_node_that_calls_it() -> None:
    found = procedure_diff(GRAPH, edited("description: Find a table.", "description: Look one up."))
    assert [(c.where, c.field) for c in found.changes] == [("tool find_table", "description")]
    assert found.nodes == ("find_table",)


def test_of_a_new_procedure_every_node_is_new() -> None:
    found = procedure_diff(None, GRAPH)
    assert found.nodes == tuple(sorted(GRAPH.nodes))
