"""How many ways lead through a procedure, and what it is made of; fast for thousands of nodes.

An acyclic path is a list of edges from the start to an ending that takes no edge back. Edges back are those that
a depth-first search from the start, edges in the order of the file, finds to lead to a node that it has not left
yet. Without loops these are all paths. With loops they are some of the paths that visit no node twice, whose exact
number takes exponential time to find: a node that can be entered at two places of its loop is counted as the
search entered it. Parallel edges make different paths; interrupts, which may happen anywhere, make none.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from flowc.graph import Graph, hubs, terminals


class Statistics(NamedTuple):
    """The size of a procedure."""

    nodes: int
    hubs: int
    endings: int
    acyclic_paths: int
    """May have more digits than Python writes out (4,300): see `written`."""


class Search(NamedTuple):
    """A depth-first search: nodes in the order in which they were left, and the edges that lead back."""

    left: list[str]
    back: set[tuple[str, str]]


def statistics(graph: Graph) -> Statistics:
    """Count nodes, hubs, endings and acyclic paths."""
    return Statistics(len(graph.nodes), len(hubs(graph)), len(terminals(graph)), acyclic_paths(graph))


def acyclic_paths(graph: Graph) -> int:
    """Count the acyclic paths from the start to any ending."""
    left, back = depth_first(graph, [graph.start])
    ways: dict[str, int] = {}
    for name in left:
        node = graph.nodes[name]
        ways[name] = 1 if node.terminal else sum(ways[e.to] for e in node.edges if (name, e.to) not in back)
    return ways[graph.start]


def longest(graph: Graph) -> int:
    """Give how many messages of the assistant, calls of tools included, the longest acyclic path takes."""
    left, back = depth_first(graph, [graph.start])
    most: dict[str, int] = {}
    for name in left:
        node = graph.nodes[name]
        ahead = [most[e.to] for e in node.edges if (name, e.to) not in back]
        own = node.role == "tool" or node.waits or node.terminal is not None  # what nobody answers joins the next one
        most[name] = own + max(ahead, default=0)
    return most[graph.start]


def written(count: int) -> str:
    """Write a count for people: exactly up to a billion, then as a power of ten that it reaches."""
    return f"{count:,}" if count <= 10**9 else f"at least 10^{max(9, int((count.bit_length() - 1) * 0.30102))}"


def depth_first(graph: Graph, roots: Sequence[str]) -> Search:
    """Search from the roots, one after the other; reversed, `left` has every node before those behind it."""
    left: list[str] = []
    back: set[tuple[str, str]] = set()
    state: dict[str, bool] = {}  # whether the search has left the node
    for root in roots:
        if root in state:
            continue
        state[root] = False
        stack: list[tuple[str, Iterator[str]]] = [(root, iter([e.to for e in graph.nodes[root].edges]))]
        while stack:
            name, following = stack[-1]
            to = next(following, None)
            if to is None:
                stack.pop()
                state[name] = True
                left.append(name)
            elif to not in state:
                state[to] = False
                stack.append((to, iter([e.to for e in graph.nodes[to].edges])))
            elif not state[to]:
                back.add((name, to))
    return Search(left, back)


def components(following: Mapping[str, Sequence[str]]) -> list[frozenset[str]]:
    """List the strongly connected components, each behind all that it leads to (Tarjan's algorithm)."""
    number: dict[str, int] = {}
    low: dict[str, int] = {}
    waiting: list[str] = []
    out: list[frozenset[str]] = []
    done: set[str] = set()
    for root in following:
        if root in number:
            continue
        stack: list[tuple[str, Iterator[str]]] = []
        to: str | None = root
        while to or stack:
            if to and to not in number:
                number[to] = low[to] = len(number)
                waiting.append(to)
                stack.append((to, iter(following[to])))
            elif to and to not in done:
                low[stack[-1][0]] = min(low[stack[-1][0]], number[to])
            name, ahead = stack[-1]
            to = next(ahead, None)
            if to is None:
                stack.pop()
                if stack:
                    low[stack[-1][0]] = min(low[stack[-1][0]], low[name])
                if low[name] == number[name]:
                    at = _last(waiting, name)
                    out.append(frozenset(waiting[at:]))
                    done |= out[-1]
                    del waiting[at:]
    return out


def _last(names: Sequence[str], name: str) -> int:
    at = len(names) - 1
    while names[at] != name:
        at -= 1
    return at
