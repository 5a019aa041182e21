"""Playing a procedure of a chart, as the tests of charts do."""

from __future__ import annotations

from random import Random

from flowc.branches import branches
from flowc.chart_flow import reach
from flowc.graph import Graph
from flowc.sampling import sample
from flowc.teacher import converse
from tests.example import MANY_DEVIATIONS, play


def assert_playable(graph: Graph) -> None:
    """Play twenty scenarios of every split and kind, and their branches, to the end that they plan."""
    seen: set[str] = set()
    for split in ("train", "seen_path", "held_out_path"):
        for scenario in sample(graph, 20, split, MANY_DEVIATIONS, 0.3, seed=1):
            made = converse(graph, scenario, "train")
            assert made.steps[-1] == (scenario.ending,) or made.steps[-1][-1] == scenario.ending
            assert all("{" not in m.content or m.role == "tool" for m in made.messages)
            seen |= {*scenario.path, *scenario.deviations}
            if split == "train":
                for branch in branches(graph, scenario, 6, Random(scenario.seed)):
                    converse(graph, branch, "train")
                if graph.nodes[scenario.ending].terminal:
                    play(graph, scenario)
    led_to = reach([graph.start], {n: [e.to for e in node.edges] for n, node in graph.nodes.items()})
    edges = {f"{n}.{e.id}" for n in led_to for e in graph.nodes[n].edges}
    assert edges <= seen
    assert {"off_topic", "interrupt"} <= seen
