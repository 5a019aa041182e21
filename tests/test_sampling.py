"""Sampling of paths: the procedure allows them, the splits are apart, and a budget covers what it can."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import pytest

from flowc.graph import Graph, edges
from flowc.parse import parse_procedure
from flowc.sampling import TooFewPathsError, edge_pairs, sample, without_spare
from flowc.scenarios import Scenario, SplitName, is_held_out_path
from tests.example import NO_DEVIATIONS, TEXT, example_graph, example_scenarios, play

SCENARIOS = example_scenarios(example_graph(), 200)


def targets(graph: Graph, scenario: Scenario) -> list[str]:
    """The node behind each step of a path."""
    to = {f"{n}.{e.id}": e.to for n, e in edges(graph)}
    return [graph.interrupts[s.split("!")[1]].to or "" if "!" in s else to[s] for s in scenario.path]


def test_a_path_leads_edge_by_edge_from_the_start_to_its_ending(table: Graph) -> None:
    for scenario in SCENARIOS:
        ends = targets(table, scenario)
        starts = [s.replace("!", ".").split(".")[0] for s in scenario.path]
        assert starts == [table.start, *ends[:-1]]
        assert ends[-1] == scenario.ending
        assert table.nodes[scenario.ending].terminal


def test_no_edge_is_taken_more_than_twice() -> None:
    assert max(max(Counter(s.path).values()) for s in SCENARIOS) == 2


def test_all_edges_and_interrupts_that_lead_away_are_taken(table: Graph) -> None:
    taken = {step for s in SCENARIOS for step in s.path}
    assert {f"{n}.{e.id}" for n, e in edges(table)} <= taken
    assert {step.split("!")[1] for step in taken if "!" in step} == {"human"}


def test_paths_of_the_splits_are_disjoint(table: Graph) -> None:
    held_out = sample(table, 40, "held_out_path", NO_DEVIATIONS, 0.2, seed=0)
    assert {is_held_out_path(s.path) for s in held_out} == {True}
    assert {is_held_out_path(s.path) for s in SCENARIOS} == {False}


def test_seen_paths_come_from_among_those_of_training(table: Graph) -> None:
    among = {SCENARIOS[0].path, SCENARIOS[1].path, SCENARIOS[2].path}
    seen = sample(table, 40, "seen_path", NO_DEVIATIONS, 0.2, seed=0, among=among)
    assert {s.path for s in seen} == among


def test_rare_branches_are_not_starved(table: Graph) -> None:
    visits = Counter(step for s in SCENARIOS for step in s.path)
    assert min(visits[f"offer.{e.id}"] for e in table.nodes["offer"].edges) >= 10


def test_too_few_paths_are_named(table: Graph) -> None:
    nodes = {n: table.nodes[n] for n in ("ask_day", "done")}
    nodes["ask_day"] = nodes["ask_day"].model_copy(
        update={"edges": (nodes["ask_day"].edges[0].model_copy(update={"to": "done"}),)}
    )
    graph = table.model_copy(update={"nodes": nodes, "interrupts": {}})
    split: SplitName = "train" if is_held_out_path(("ask_day.day",)) else "held_out_path"
    with pytest.raises(ValueError, match=f"procedure 'table' has too few paths for the split {split}"):
        sample(graph, 1, split, NO_DEVIATIONS, 0, seed=0)


def test_pairs_of_edges_meet_in_a_node(table: Graph) -> None:
    assert ("ask_day.day", "ask_guests.guests") in edge_pairs(table)
    to = {f"{n}.{e.id}": e.to for n, e in edges(table)}
    assert {to[first] for first, _ in edge_pairs(table)} >= {second.split(".")[0] for _, second in edge_pairs(table)}
    assert all(to[first] == second.split(".")[0] for first, second in edge_pairs(table))


HUB = """\
  hub{i}:
    role: agent
    instruction: Ask question {i}.
    say: ["Question {i}?"]
    edges:
      - {{id: on, to: hub{next}, when: the answer is yes, says: ["yes {i}", "sure {i}"]}}
"""
OFF = """\
      - {{id: off{k}, to: end, when: reason {k}, says: ["no {i} {k}", "never {i} {k}"]}}
"""


def chain_of_hubs() -> Graph:
    """A chain of thirteen hubs: each has one way on, and eight that end."""
    hubs = [HUB.format(i=i, next=i + 1) + "".join(OFF.format(i=i, k=k) for k in range(8)) for i in range(12)]
    last = HUB.format(i=12, next="").replace("to: hub,", "to: end,")
    text = "procedure: chain\ntitle: Chain\nsystem: You ask questions.\nstart: hub0\nnodes:\n" + "".join([*hubs, last])
    text += "  end: {role: agent, terminal: success, instruction: Say goodbye., say: [Goodbye.]}\n"
    return parse_procedure(text, "chain.yaml")


def test_a_budget_that_can_cover_every_pair_of_edges_does() -> None:
    graph = chain_of_hubs()
    drawn = sample(graph, 110, "train", NO_DEVIATIONS, 0.0, seed=0)
    missing = edge_pairs(graph) - {pair for s in drawn for pair in pairwise(s.path)}
    # What is left would need a path that is held out.
    plain = [f"hub{i}.on" for i in range(12)]
    held_out = {
        (plain[i], f"hub{i + 1}.off{k}")
        for i in range(11)
        for k in range(8)
        if is_held_out_path((*plain[: i + 1], f"hub{i + 1}.off{k}"))
    }
    assert len(edge_pairs(graph)) == 100
    assert 0 < len(held_out) < 40
    assert missing == held_out


def test_an_edge_that_lies_on_held_out_paths_alone_is_trained_on() -> None:
    graph = chain_of_hubs()
    every = {f"{n}.{e.id}" for n, e in edges(graph)}
    plain = [f"hub{i}.on" for i in range(13)]
    single = {(*plain[:i], f"hub{i}.off{k}") for i in range(12) for k in range(8)} | {tuple(plain)}
    spare = without_spare(graph, 0)
    assert spare == {path for path in single if is_held_out_path(path)}
    without = sample(graph, 110, "train", NO_DEVIATIONS, 0.0, seed=0)
    assert every - {step for s in without for step in s.path} == {path[-1] for path in spare}
    drawn = sample(graph, 130, "train", NO_DEVIATIONS, 0.0, seed=0, never_held_out=spare)
    assert {step for s in drawn for step in s.path} == every
    with pytest.raises(TooFewPathsError):
        sample(graph, 1, "held_out_path", NO_DEVIATIONS, 0.0, seed=0, never_held_out=spare)


def test_where_edges_have_other_paths_all_that_are_held_out_stay_so(table: Graph) -> None:
    assert without_spare(table, 0) == frozenset()


def test_pairs_are_walked_to_in_training_alone() -> None:
    graph = chain_of_hubs()
    held_out = sample(graph, 110, "held_out_path", NO_DEVIATIONS, 0.0, seed=0)
    assert {is_held_out_path(s.path) for s in held_out} == {True}


def test_behind_an_interrupt_that_leads_to_a_step_the_path_goes_on_to_an_end() -> None:
    again = "interrupts:\n  again:\n    when: the guest wants to begin again\n    to: ask_day\n"
    again += '    says: ["From the start, please.", "Let us begin again.", "Start over.", "All of it once more."]\n'
    graph = parse_procedure(TEXT.replace("interrupts:\n", again), "table.yaml")
    drawn = sample(graph, 60, "train", NO_DEVIATIONS, 1.0, seed=0)
    assert any(step.endswith("!again") for s in drawn for step in s.path)
    for scenario in drawn:
        assert max(Counter(scenario.path).values()) <= 2
        assert graph.nodes[scenario.ending].terminal
        assert play(graph, scenario).turns[-1].labels == (scenario.ending,)
