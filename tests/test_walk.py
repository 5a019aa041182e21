"""How a procedure moves: edges, answers told early, and tools."""

from __future__ import annotations

import pytest

from flowc.graph import Graph
from flowc.walk import State, begin, edge_of, follow, outcome_edge, skip_known


def test_a_conversation_begins_at_the_start_knowing_nothing(table: Graph) -> None:
    assert begin(table) == State("ask_day", frozenset())


def test_an_answer_leads_on_and_is_known(table: Graph) -> None:
    assert follow(table, begin(table), edge_of(table, "ask_day", "day")) == State("ask_guests", frozenset({"day"}))


def test_a_question_answered_early_is_skipped(table: Graph) -> None:
    state = follow(table, begin(table), edge_of(table, "ask_day", "day"), frozenset({"guests"}))
    assert state == State("ask_budget", frozenset({"day", "guests"}))


def test_all_questions_answered_early_lead_to_the_tool(table: Graph) -> None:
    state = follow(table, begin(table), edge_of(table, "ask_day", "day"), frozenset({"guests", "budget"}))
    assert state.node == "find_table"


def test_a_renewed_slot_is_asked_again(table: Graph) -> None:
    known = frozenset({"day", "guests", "budget", "place", "deposit"})
    assert follow(table, State("offer", known), edge_of(table, "offer", "cheaper")) == State(
        "ask_budget", known - {"budget"}
    )


def test_what_a_tool_returns_is_known(table: Graph) -> None:
    edge = outcome_edge(table, "find_table", "found")
    assert follow(table, State("find_table", frozenset()), edge, frozenset({"place"})) == State(
        "offer", frozenset({"place"})
    )


def test_each_step_that_may_be_skipped_may_also_come_next(table: Graph) -> None:
    assert skip_known(table, "ask_day", frozenset()) == ["ask_day"]
    assert skip_known(table, "ask_day", frozenset({"guests"})) == ["ask_day"]
    assert skip_known(table, "ask_day", frozenset({"day", "guests"})) == [
        "ask_day",
        "ask_guests",
        "ask_budget",
    ]


def test_a_ring_of_answered_questions_is_walked_once(table: Graph) -> None:
    back = table.nodes["ask_guests"].edges[0].model_copy(update={"to": "ask_day"})
    ring = table.nodes["ask_guests"].model_copy(update={"edges": (back,)})
    graph = table.model_copy(update={"nodes": {**table.nodes, "ask_guests": ring}})
    assert skip_known(graph, "ask_day", frozenset({"day", "guests"})) == ["ask_day", "ask_guests"]


def test_an_unknown_edge_or_outcome_is_an_error(table: Graph) -> None:
    with pytest.raises(KeyError, match=r"ask_day\.other"):
        edge_of(table, "ask_day", "other")
    with pytest.raises(KeyError, match="find_table has no edge for outcome 'lost'"):
        outcome_edge(table, "find_table", "lost")
