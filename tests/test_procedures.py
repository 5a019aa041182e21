"""The shipped procedures: their shape, the size of their phrase banks, and that they can be generated and judged."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import pytest

from flowc.conformance import judge
from flowc.deviation_phrases import SAYS
from flowc.generate import GenerateParams, generate
from flowc.graph import Graph, edges, hubs, part, split_bank, terminals
from flowc.lint import lint
from flowc.parse import parse_procedure
from flowc.paths import depth_first, statistics
from flowc.sampling import sample
from tests.example import EVERY_DEVIATION, MANY_DEVIATIONS, play
from tests.gates import GATE
from tests.workspace import ROOT

SMALL = GenerateParams(
    teacher="scripted",
    train=60,
    branches=2,
    variety=0.3,
    eval=8,
    scenarios=20,
    interrupts=0.2,
    deviations=EVERY_DEVIATION,
    gate=GATE,
)


class Shape(NamedTuple):
    """What a procedure is made of."""

    nodes: int
    acyclic_paths: int
    hubs: list[str]
    endings: dict[str, str]
    back: set[tuple[str, str]]
    """Edges that close a loop."""
    tools: list[str]
    facts: int


TRAVEL = Shape(
    nodes=14,
    acyclic_paths=3,
    hubs=["confirm_details", "present_offer", "search_trips"],
    endings={"confirm_booking": "success", "close_declined": "abandonment", "hand_over": "escalation"},
    back={("ask_new_budget", "search_trips"), ("confirm_details", "ask_name")},
    tools=["book_trip", "search_trips"],
    facts=6,
)
SHAPES = {
    "travel_booking": TRAVEL,
    "travel_booking_de": TRAVEL,
    "zoom_support": Shape(
        nodes=14,
        acyclic_paths=57,
        hubs=["ask_problem", "ask_result", "check_service"],
        endings={"close_solved": "success", "close_unsolved": "abandonment", "hand_over": "escalation"},
        back={("ask_result", "ask_problem")},
        tools=["check_service"],
        facts=9,
    ),
}


def load(name: str) -> Graph:
    file = ROOT / "data" / "procedures" / f"{name}.yaml"
    return parse_procedure(file.read_text(encoding="utf-8"), str(file))


@pytest.fixture(scope="module", params=sorted(SHAPES))
def graph(request: pytest.FixtureRequest) -> Graph:
    return load(request.param)


def banks(graph: Graph) -> Iterator[tuple[str, tuple[str, ...], int]]:
    """Every phrase bank with its place and the least number of phrases that it is to have."""
    for name, slot in graph.slots.items():
        if slot.source == "user":
            yield f"{name}.mention", slot.mention, 14
            yield f"{name}.corrections", slot.corrections, 14
            yield f"{name}.noted", slot.noted, 6
    for name, node in graph.nodes.items():
        if node.role == "agent":
            yield f"{name}.say", node.say, 8
        if node.waits:
            yield f"{name}.again", node.again, 6
        for edge in node.edges:
            if edge.says:
                yield f"{name}.{edge.id}", edge.says, 95 if node.is_hub else 50
    for name, fact in graph.knowledge.items():
        yield f"{name}.asks", fact.asks, 20
        yield f"{name}.say", fact.say, 5
    for name, interrupt in graph.interrupts.items():
        if interrupt.says != SAYS.get(name):
            yield f"{name}.says", interrupt.says, 80 if interrupt.to else 100


def test_the_shape_is_the_one_stated_above(graph: Graph) -> None:
    size = statistics(graph)
    endings = {n: str(graph.nodes[n].terminal) for n in terminals(graph)}
    back = depth_first(graph, [graph.start]).back
    assert SHAPES[graph.procedure] == Shape(
        size.nodes, size.acyclic_paths, hubs(graph), endings, back, sorted(graph.tools), len(graph.knowledge)
    )


def test_lint_finds_nothing(graph: Graph) -> None:
    assert [f.message for f in lint(graph)] == []


def test_every_bank_is_large_enough(graph: Graph) -> None:
    assert {place: (len(bank), least) for place, bank, least in banks(graph) if len(bank) < least} == {}


def test_the_hash_leaves_both_parts_of_the_banks_of_users_some_phrases(graph: Graph) -> None:
    spoken = [(place, bank) for place, bank, least in banks(graph) if least >= 14]
    assert [p for p, bank in spoken if min(map(len, split_bank(bank))) < 2] == []


def test_users_have_many_first_words_at_each_edge(graph: Graph) -> None:
    firsts = {f"{n}.{e.id}": {p.split()[0].strip(".,!?") for p in e.says} for n, e in edges(graph) if e.says}
    assert {place: len(words) for place, words in firsts.items() if len(words) < 20} == {}


def test_each_step_is_opened_by_a_word_of_its_own_and_never_by_a_value() -> None:
    said = {n: part(node.say, "train")[0].split()[0] for n, node in load("zoom_support").nodes.items() if node.say}
    assert len(set(said.values())) == len(said) == 13
    assert not [word for word in said.values() if "{" in word]


def test_pools_of_values_are_large_and_have_both_parts(graph: Graph) -> None:
    for name, slot in graph.slots.items():
        for pool in (slot.values, *slot.join):
            assert not pool or min(map(len, split_bank(pool))) >= 10, name
            assert not pool or slot.source == "tool" or len(pool) >= 180, name
            assert len(set(map(str.casefold, pool))) == len(pool), name


def test_small_generation_covers_every_node_edge_and_interrupt(graph: Graph) -> None:
    made = generate(graph, SMALL, 0)
    coverage = made.metrics["coverage"]
    assert (coverage["nodes"], coverage["edges"], coverage["interrupts"]) == (1.0, 1.0, 1.0)
    assert (len(made.eval), len(made.scenarios)) == (8, 20)


def test_an_assistant_without_fault_gets_full_marks(graph: Graph) -> None:
    for split in ("train", "held_out_path"):
        for scenario in sample(graph, 20, split, MANY_DEVIATIONS, 0.2, seed=1):
            assert judge(graph, scenario, play(graph, scenario)).faults == ()
