"""The Graph's own arithmetic: what nodes ask and state, how banks split, and in which order nodes come."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from flowc.graph import (
    Graph,
    Node,
    breadth_first,
    edges,
    fingerprint,
    hubs,
    is_held_out,
    part,
    placeholders,
    split_bank,
    terminals,
)
from tests.example import example_graph

BANK = tuple(f"phrase {i}" for i in range(40))


def test_a_plain_question_asks_for_what_its_answer_gives(table: Graph) -> None:
    assert table.nodes["ask_day"].asks == ("day",)
    assert table.nodes["offer"].asks == ()


def test_a_node_states_the_slots_that_all_its_phrases_mention(table: Graph) -> None:
    assert table.nodes["offer"].states == ("deposit", "place")
    assert table.nodes["ask_day"].states == ()
    node = Node(role="agent", instruction="", say=("{a} and {b}", "{b} alone"))
    assert node.states == ("b",)


def test_the_user_speaks_after_a_question_but_not_after_a_tool_or_an_ending(table: Graph) -> None:
    assert [n for n in sorted(table.nodes) if table.nodes[n].waits] == [
        "ask_budget",
        "ask_day",
        "ask_guests",
        "offer",
    ]


def test_hubs_and_terminals_come_by_name(table: Graph) -> None:
    assert hubs(table) == ["find_table", "offer"]
    assert terminals(table) == ["done", "goodbye", "hand_over"]


def test_nodes_come_from_the_start_outwards_and_each_once(table: Graph) -> None:
    assert breadth_first(table) == [
        "ask_day", "ask_guests", "ask_budget", "find_table", "offer", "done", "goodbye", "hand_over",
    ]  # fmt: skip


def test_nodes_behind_an_interrupts_node_are_listed_too(table: Graph) -> None:
    last = Node(role="agent", instruction="", say=("Bye.",), terminal="escalation")
    apology = table.nodes["hand_over"].model_copy(
        update={
            "terminal": None,
            "edges": (table.nodes["ask_day"].edges[0].model_copy(update={"to": "last"}),),
        }
    )
    graph = table.model_copy(update={"nodes": {**table.nodes, "hand_over": apology, "last": last}})
    assert breadth_first(graph)[-2:] == ["hand_over", "last"]


def test_edges_come_with_the_node_that_they_leave(table: Graph) -> None:
    assert [(n, e.id) for n, e in edges(table)][:3] == [
        ("ask_budget", "budget"),
        ("ask_day", "day"),
        ("ask_guests", "guests"),
    ]
    assert len(list(edges(table))) == 8


def test_a_fingerprint_is_the_same_on_every_machine() -> None:
    assert fingerprint("Yes, please.") == 3434432653214559325


def test_a_split_is_a_partition_with_about_a_quarter_held_out() -> None:
    split = split_bank(BANK)
    assert sorted(split.train + split.held_out) == sorted(BANK)
    assert split.held_out == tuple(p for p in BANK if is_held_out(p))
    assert 4 <= len(split.held_out) <= 16


def test_editing_one_phrase_moves_no_other() -> None:
    before, after = split_bank(BANK), split_bank(("another", *BANK[1:]))
    assert set(before.train) - {BANK[0]} == set(after.train) - {"another"}
    assert set(before.held_out) - {BANK[0]} == set(after.held_out) - {"another"}


def test_both_parts_of_a_bank_of_two_have_a_phrase() -> None:
    kept = tuple(p for p in BANK if not is_held_out(p))[:2]
    held = tuple(p for p in BANK if is_held_out(p))[:2]
    for bank in (kept, held):
        split = split_bank(bank)
        assert (len(split.train), len(split.held_out)) == (1, 1)


def test_a_bank_of_one_phrase_has_it_in_both_parts() -> None:
    assert split_bank(("only",)) == (("only",), ("only",))
    assert split_bank(()) == ((), ())


def test_parts_are_named_by_bank() -> None:
    assert part(BANK, "train") == split_bank(BANK).train
    assert part(BANK, "held_out") == split_bank(BANK).held_out


def test_placeholders_are_sorted_and_each_once() -> None:
    assert placeholders(["{b} to {a}", "{a}!"]) == ("a", "b")


def test_a_graph_is_frozen_and_closed() -> None:
    graph = example_graph()
    with pytest.raises(ValidationError, match="frozen"):
        graph.start = "offer"
    with pytest.raises(ValidationError, match="Extra inputs"):
        Graph.model_validate({**graph.model_dump(), "colour": "red"})
