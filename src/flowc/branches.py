"""Branches: conversations that begin like another one and turn off at one of its steps.

Most of a conversation is the way to a decision. Branches put every decision to the model many times for the
price of its last turns, because training computes a beginning that conversations share only once (`packing`).
A branch takes another edge of a hub, another outcome of a tool, an interrupt, or an aside, and ends soon after.
"""

from __future__ import annotations

import hashlib
from random import Random
from typing import NamedTuple

from flowc.graph import Graph
from flowc.scenarios import Result, Scenario, Step, is_held_out_path
from flowc.slots import draw
from flowc.walk import State, begin, edge_of, follow

_MOST_STEPS = 20


class _Turn(NamedTuple):
    """A place at which a trunk can be left: its step in the path, what of the script is said, what is known."""

    at: int
    said: int
    state: State
    values: dict[str, str]


def branches(graph: Graph, trunk: Scenario, count: int, rng: Random) -> list[Scenario]:
    """Give up to `count` different scenarios that leave `trunk` at one of its steps, on no held-out path."""
    leaving = sorted(n for n, i in graph.interrupts.items() if i.to)
    options: list[tuple[_Turn, str, str]] = []
    for turn in _turns(graph, trunk):
        name = trunk.path[turn.at]
        node = graph.nodes[turn.state.node]
        options += [(turn, "edge", e.id) for e in node.edges if name != f"{turn.state.node}.{e.id}"]
        if node.waits and leaving:
            options += [(turn, "interrupt", i) for i in leaving]
            options += [(turn, "side_question", rng.choice(sorted(graph.knowledge)))] if graph.knowledge else []
            options += [(turn, "off_topic", i) for i in sorted(graph.interrupts) if graph.interrupts[i].say]
    rng.shuffle(options)
    options.sort(key=lambda o: o[1] != "edge")  # choices first: they are what goes wrong
    out: dict[tuple[str, ...], Scenario] = {}
    for turn, kind, name in options:
        if len(out) == count:
            break
        made = _leave(graph, trunk, turn, kind, name, leaving, rng)
        if made and not is_held_out_path(made.path):
            out.setdefault((*made.path, kind), made)
    return list(out.values())


def _turns(graph: Graph, trunk: Scenario) -> list[_Turn]:
    """List the steps that the assistant really takes (questions answered early are skipped)."""
    state, values = begin(graph), dict[str, str]()
    said, used = 0, dict[str, int]()
    out = []
    for at, name in enumerate(trunk.path):
        if "!" in name:
            break
        node, edge_id = name.split(".")
        edge = edge_of(graph, node, edge_id)
        told: dict[str, str] = {}
        if state.node == node:
            out.append(_Turn(at, said, state, dict(values)))
        if graph.nodes[node].role == "tool":
            tool = graph.nodes[node].calls or ""
            told = trunk.results[tool][used.get(tool, 0)].values
            used[tool] = used.get(tool, 0) + 1
        elif edge.says:
            step = trunk.script[said]
            told = {**step.gives, **step.volunteers, **step.corrects}
            said += 1
        values |= told
        if state.node == node:
            state = follow(graph, state, edge, frozenset(told))
    return out


def _leave(
    graph: Graph, trunk: Scenario, turn: _Turn, kind: str, name: str, leaving: list[str], rng: Random
) -> Scenario | None:
    path, script = list(trunk.path[: turn.at]), list(trunk.script[: turn.said])
    results = _results_before(graph, trunk, turn.at)
    state, values = turn.state, dict(turn.values)
    if kind == "edge":
        edge_id = name
        for _ in range(_MOST_STEPS):
            edge = edge_of(graph, state.node, edge_id)
            told: dict[str, str] = {}
            if edge.outcome is not None:
                tool = graph.nodes[state.node].calls or ""
                for slot in graph.tools[tool].outcomes[edge.outcome]:
                    told[slot] = draw(graph, slot, rng, "train", values | told)
                results.setdefault(tool, []).append(Result(outcome=edge.outcome, values=told))
            elif edge.says:
                told = {s: draw(graph, s, rng, "train", values) for s in edge.gives}
                script.append(Step(node=state.node, edge=edge.id, gives=told))
            path.append(f"{state.node}.{edge.id}")
            values |= told
            state = follow(graph, state, edge, frozenset(told))
            node = graph.nodes[state.node]
            if node.waits or node.terminal:
                break
            edge_id = rng.choice(node.edges).id
        if graph.nodes[state.node].waits:
            if not leaving:
                return None
            _interrupt(path, script, state.node, rng.choice(leaving), "")
    else:
        before = "" if kind == "interrupt" else f"{kind}:{name}"
        _interrupt(path, script, state.node, name if kind == "interrupt" else rng.choice(leaving), before)
    ending = graph.interrupts[script[-1].interrupt].to if "!" in path[-1] else state.node
    digest = hashlib.sha256(f"{trunk.id}{path}{script}{results}".encode()).hexdigest()[:12]
    return Scenario(
        id=f"{trunk.split}-{digest}",
        family=trunk.id,
        procedure=trunk.procedure,
        split=trunk.split,
        persona=trunk.persona,
        seed=trunk.seed,  # the same words up to where the branch leaves
        path=tuple(path),
        ending=ending or state.node,
        script=tuple(script),
        results={tool: tuple(r) for tool, r in results.items()},
    )


def _interrupt(path: list[str], script: list[Step], node: str, interrupt: str, before: str) -> None:
    path.append(f"{node}!{interrupt}")
    script.append(Step(node=node, interrupt=interrupt, before=before))


def _results_before(graph: Graph, trunk: Scenario, at: int) -> dict[str, list[Result]]:
    """The results of the calls that the trunk has made before step `at`."""
    out: dict[str, list[Result]] = {}
    for name in trunk.path[:at]:
        tool = graph.nodes[name.replace("!", ".").split(".")[0]].calls
        if tool:
            out.setdefault(tool, []).append(trunk.results[tool][len(out.get(tool, []))])
    return out
