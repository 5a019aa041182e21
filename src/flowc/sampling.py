"""Paths through a Graph, sampled within a budget of conversations.

Edges that few paths have taken so far are preferred, and those with more behind them, so that rare branches are
not starved.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from itertools import pairwise
from random import Random

from flowc.filling import Deviations, fill
from flowc.graph import Graph, edges
from flowc.scenarios import Scenario, SplitName, is_held_out_path
from flowc.voices import PERSONAS
from flowc.walk import State, begin, edge_of, follow

_LOOP_BOUND = 2  # an edge is taken at most twice in one path
_TRIES = 20_000
_TRIES_TO_TARGET = 20

Pair = tuple[str, str]
"""Two edges, `node.edge` each, of which the second leaves the node that the first leads to."""


class TooFewPathsError(ValueError):
    """A procedure has no path for a split."""


def without_spare(graph: Graph, seed: int) -> frozenset[tuple[str, ...]]:
    """Give a path for each edge that walks find on paths that would be held out alone: training has to see each edge.

    Small charts have such edges, and in one whose ways never meet again every edge to an ending is on a single path.
    """
    rng, none = Random(f"{seed}:{graph.procedure}:without_spare"), Counter[str]()
    covered: set[str] = set()
    out = set()
    for name, edge in edges(graph):
        target = f"{name}.{edge.id}"
        if target in covered:
            continue
        steps = _distances(graph, name)
        path: tuple[str, ...] = ()
        for nearer in (*[None] * _TRIES_TO_TARGET, *[steps] * _TRIES_TO_TARGET):  # anywhere, then the shortest way
            walked = _walk(graph, rng, none, begin(graph), (target, ""), nearer)
            path = walked if target in walked else path
            if path and not is_held_out_path(path):
                break
        covered.update(path)
        if path and is_held_out_path(path):
            out.add(path)
    return frozenset(out)


def sample(
    graph: Graph,
    count: int,
    split: SplitName,
    shares: Deviations,
    interrupt_share: float,
    seed: int,
    among: Collection[tuple[str, ...]] = (),
    never_held_out: Collection[tuple[str, ...]] = (),
) -> list[Scenario]:
    """Sample `count` scenarios of one split; the same arguments give the same scenarios.

    With `among` the paths are drawn from it, each as likely as the next: those that training has seen. Those of
    `never_held_out` belong to training, which begins with them.

    Edges that few scenarios have taken so far are preferred at hubs, so that rare branches are not starved. In
    training, pairs of edges that none has taken are walked to, from when as many are missing as paths may still be
    drawn; so the budget covers what it can, and ordinary paths fill what is left.
    Raises TooFewPathsError when the procedure has no path for the split.
    """
    rng = Random(f"{seed}:{graph.procedure}:{split}")
    first = sorted(never_held_out) if split == "train" else []
    visits: Counter[str] = Counter()
    missing = set() if among or split != "train" else edge_pairs(graph)
    out = []
    for i in range(count):
        path: tuple[str, ...] = first[i] if i < len(first) else ()
        if among:
            path = rng.choice(sorted(set(among)))
        while not path and missing and len(missing) >= count - i:
            target = rng.choice(sorted(missing))
            missing.discard(target)  # where no walk leads there, it is not tried again
            path = _path_to(graph, rng, visits, target)
        path = path or _sample_path(graph, rng, visits, split, interrupt_share, never_held_out)
        visits.update(path)
        missing -= set(pairwise(path))
        persona = PERSONAS[i % len(PERSONAS)]
        out.append(fill(graph, path, split, persona, shares, Random(f"{seed}:{split}:{i}"), i))
    return out


def edge_pairs(graph: Graph) -> set[Pair]:
    """All pairs of edges of which the second leaves the node that the first leads to."""
    return {
        (f"{name}.{first.id}", f"{first.to}.{second.id}")
        for name, first in edges(graph)
        for second in graph.nodes[first.to].edges
    }


def _sample_path(
    graph: Graph,
    rng: Random,
    visits: Counter[str],
    split: SplitName,
    interrupt_share: float,
    never_held_out: Collection[tuple[str, ...]],
) -> tuple[str, ...]:
    for _ in range(_TRIES):
        path = _walk(graph, rng, visits, begin(graph))
        if path and rng.random() < interrupt_share:
            path = _interrupt(graph, path, rng, visits)
        held_out = is_held_out_path(path) and path not in never_held_out
        if path and held_out == (split == "held_out_path"):
            return path
    raise TooFewPathsError(
        f"procedure {graph.procedure!r} has too few paths for the split {split}: none was found in {_TRIES} "
        "walks; add a branch or an interrupt"
    )


def _path_to(graph: Graph, rng: Random, visits: Counter[str], target: Pair) -> tuple[str, ...]:
    """A training path that takes a pair of edges; empty when none was found.

    A pair may be out of reach: its second edge is skipped when its slots are known, or its paths are held out.
    """
    steps = _distances(graph, target[0].split(".")[0])
    for _ in range(_TRIES_TO_TARGET):
        path = _walk(graph, rng, visits, begin(graph), target, steps)
        if target in set(pairwise(path)) and not is_held_out_path(path):
            return path
    return ()


def _distances(graph: Graph, target: str) -> dict[str, int]:
    """Edges to take from each node to the target, for the nodes that lead there."""
    before: dict[str, set[str]] = {}
    for name, edge in edges(graph):
        before.setdefault(edge.to, set()).add(name)
    steps, front = {target: 0}, [target]
    for name in front:
        for former in sorted(before.get(name, ())):
            if former not in steps:
                steps[former] = steps[name] + 1
                front.append(former)
    return steps


def _walk(
    graph: Graph,
    rng: Random,
    visits: Counter[str],
    state: State,
    target: Pair = ("", ""),
    steps: Mapping[str, int] | None = None,
    before: Sequence[str] = (),
) -> tuple[str, ...]:
    """Walk from a state to a terminal; empty when the loop bound closes every way.

    Steps taken `before` count for the loop bound. With a target, `steps` gives the distance of each node to it, and
    the way there is the shortest.
    """
    path: list[str] = []
    taken = Counter(before)
    visited: set[str] = set()
    while not graph.nodes[state.node].terminal:
        node = state.node
        options = [e for e in graph.nodes[node].edges if taken[f"{node}.{e.id}"] < _LOOP_BOUND]
        if not options:
            return ()
        visited.add(node)
        weights = [
            (1 + _ahead(graph, e.to, visited))
            / (1 + visits[f"{node}.{e.id}"]) ** 0.5
            / (1 + 3 * taken[f"{node}.{e.id}"])
            for e in options
        ]
        if steps is not None and target[0] not in taken:
            weights = [
                w * _leads(f"{node}.{e.id}", e.to, node, target[0], steps)
                for w, e in zip(weights, options, strict=True)
            ]
        elif path and path[-1] == target[0] and target[1]:
            weights = [w * (f"{node}.{e.id}" == target[1]) for w, e in zip(weights, options, strict=True)]
        if not any(weights):
            return ()
        edge = rng.choices(options, weights)[0]
        step = f"{node}.{edge.id}"
        path.append(step)
        taken[step] += 1
        returned = graph.tools[graph.nodes[node].calls or ""].outcomes[edge.outcome] if edge.outcome else ()
        state = follow(graph, state, edge, frozenset(returned))
    return tuple(path)


def _leads(step: str, to: str, node: str, target: str, steps: Mapping[str, int]) -> bool:
    """Whether a step is the target, or nearer to it than its node is."""
    if node not in steps:
        return False
    if steps[node] == 0:
        return step == target
    return to in steps and steps[to] < steps[node]


def _ahead(graph: Graph, node: str, visited: set[str]) -> int:
    """Count the edges that can be reached from a node without passing one visited before.

    A branch with more behind it is taken more often: its steps have no other way to be learned.
    """
    seen, front, count = set(visited), [node], 0
    while front:
        name = front.pop()
        if name not in seen:
            seen.add(name)
            count += len(graph.nodes[name].edges)
            front.extend(e.to for e in graph.nodes[name].edges)
    return count


def _interrupt(graph: Graph, path: tuple[str, ...], rng: Random, visits: Counter[str]) -> tuple[str, ...]:
    """Leave a path by an interrupt, and walk on from where it leads; empty when no way leads on from there."""
    leaving = sorted(n for n, i in graph.interrupts.items() if i.to)
    places = [i for i, step in enumerate(path) if graph.nodes[step.split(".")[0]].waits]
    if not leaving or not places:
        return path
    at = rng.choice(places)
    name = rng.choice(leaving)
    before = (*path[:at], f"{path[at].split('.')[0]}!{name}")
    to = graph.interrupts[name].to or ""
    if graph.nodes[to].terminal:
        return before
    rest = _walk(graph, rng, visits, State(to, _known(graph, path[:at])), before=before)
    return (*before, *rest) if rest else ()


def _known(graph: Graph, path: Sequence[str]) -> frozenset[str]:
    """The slots known behind a path without interrupts."""
    state = begin(graph)
    for step in path:
        node, _, edge_id = step.partition(".")
        edge = edge_of(graph, node, edge_id)
        returned = graph.tools[graph.nodes[node].calls or ""].outcomes[edge.outcome] if edge.outcome else ()
        state = follow(graph, state, edge, frozenset(returned))
    return state.known
