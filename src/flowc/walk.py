"""How a procedure moves: which step follows when the user has said something.

Shared by the teacher (which follows it), the orchestrator (which routes by it) and the judge (which checks
against it), so that the three cannot disagree.
"""

from __future__ import annotations

from typing import NamedTuple

from flowc.graph import Edge, Graph


class State(NamedTuple):
    """Where a conversation stands: the node to be realised next, and the slots known so far."""

    node: str
    known: frozenset[str]


def begin(graph: Graph) -> State:
    """Give the state before the first utterance."""
    return State(graph.start, frozenset())


def edge_of(graph: Graph, node: str, edge_id: str) -> Edge:
    """Look up an edge by its node and id.

    Raises KeyError when there is none.
    """
    for edge in graph.nodes[node].edges:
        if edge.id == edge_id:
            return edge
    raise KeyError(f"{node}.{edge_id}")


def follow(graph: Graph, state: State, edge: Edge, told: frozenset[str] = frozenset()) -> State:
    """Take an edge: slots that it gives or the user volunteered are known, those that it renews are not.

    Questions whose slots are all known are skipped.
    """
    known = (state.known | told | frozenset(edge.gives)) - frozenset(edge.renews)
    return State(skip_known(graph, edge.to, known)[-1], known)


def skip_known(graph: Graph, node: str, known: frozenset[str]) -> list[str]:
    """List the nodes that may come next, from `node` to the first question not yet answered.

    A step whose slots are already known may be skipped, and so may each one behind it.
    """
    chain = [node]
    while True:
        asks = graph.nodes[chain[-1]].asks
        if not asks or not set(asks) <= known:
            return chain
        following = graph.nodes[chain[-1]].edges[0].to
        if following in chain:
            return chain
        chain.append(following)


def outcome_edge(graph: Graph, node: str, outcome: str) -> Edge:
    """Give the edge that a tool's outcome chooses.

    Raises KeyError when the node has none for it.
    """
    for edge in graph.nodes[node].edges:
        if edge.outcome == outcome:
            return edge
    raise KeyError(f"{node} has no edge for outcome {outcome!r}")
