"""What makes a procedure impossible to follow: parse refuses the first of it, lint lists all.

The names in the Graph must resolve (edges, tools, slots), as those of every Graph do that parse has read.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

from flowc.graph import Edge, Graph, edges, placeholders
from flowc.paths import components, depth_first
from flowc.records import Record
from flowc.yaml_lines import Loc


class Finding(Record):
    """Something to mend. `loc` is where it stands in the YAML, for the lines of `yaml_lines.Source`."""

    code: str
    severity: Literal["error", "warning"]
    loc: Loc
    message: str
    remedy: str


def faults(graph: Graph) -> Iterator[Finding]:
    """Give dead ends, what cannot be reached, loops without a way out, and slots used before they are known."""
    yield from _reach(graph)
    yield from _unknown(graph)


def told(graph: Graph) -> set[str]:
    """Name the slots that some edge gives or some tool returns."""
    given = {slot for _, edge in edges(graph) for slot in edge.gives}
    return given | {slot for t in graph.tools.values() for returned in t.outcomes.values() for slot in returned}


def error(code: str, loc: Loc, message: str, remedy: str) -> Finding:
    """Make a finding with which the procedure cannot work."""
    return Finding(code=code, severity="error", loc=loc, message=message, remedy=remedy)


def _reach(graph: Graph) -> Iterator[Finding]:
    for name, node in graph.nodes.items():
        if not node.terminal and not node.edges:
            yield error("dead-end", ("nodes", name), f"node {name!r} is a dead end",
                        "give it an edge, or `terminal: success|abandonment|escalation`")  # fmt: skip
    reached = set(depth_first(graph, _roots(graph)).left)
    for name, node in graph.nodes.items():
        if name not in reached:
            what = "ending" if node.terminal else "node"
            yield error(f"unreachable-{what}", ("nodes", name), f"{what} {name!r} is unreachable from {graph.start!r}",
                        "add an edge to it or remove it")  # fmt: skip
    if not any(node.terminal for node in graph.nodes.values()):
        yield error("no-ending", ("nodes",), "no node is terminal", "give at least one node `terminal: success`")
    place = {name: i for i, name in enumerate(graph.nodes)}
    loops = (sorted(loop, key=place.__getitem__) for loop in components(following(graph)))
    for loop in sorted(loops, key=lambda loop: place[loop[0]]):
        leads = [e.to for name in loop for e in graph.nodes[name].edges]
        if leads and set(leads) <= set(loop) and not any(graph.nodes[name].terminal for name in loop):
            yield error("endless-loop", ("nodes", loop[0]), f"no ending can be reached from {loop[0]!r}",
                        "give its loop a way out")  # fmt: skip


def known_slots(graph: Graph) -> dict[str, set[str]]:
    """Give the slots that are known at each node on all ways to there."""
    bit = {slot: 1 << i for i, slot in enumerate(graph.slots)}
    return {n: {s for s, b in bit.items() if have & b} for n, have in _known_everywhere(graph, bit).items()}


def following(graph: Graph) -> dict[str, list[str]]:
    """Give the nodes that the edges of each node lead to."""
    return {name: [e.to for e in node.edges] for name, node in graph.nodes.items()}


def _roots(graph: Graph) -> list[str]:
    """The start, and the nodes that interrupts lead to."""
    return [graph.start, *(i.to for i in graph.interrupts.values() if i.to)]


def _unknown(graph: Graph) -> Iterator[Finding]:
    """Hold every value that is stated, passed to a tool or shared against what is known on all ways to there."""
    bit = {slot: 1 << i for i, slot in enumerate(graph.slots)}  # sets as bits: 2,000 slots are 250 bytes
    known = _known_everywhere(graph, bit)
    provided = told(graph)

    def missing(loc: Loc, slots: Sequence[str], have: int, what: str) -> Iterator[Finding]:
        for slot in slots:
            if not have & bit[slot]:
                yield error("unknown-slot", loc, f"{what} needs {slot!r}, which is not known on every way here",
                            "ask for it before, or take it out")  # fmt: skip

    for name, node in graph.nodes.items():
        for bank in ("say", "again"):
            for i, phrase in enumerate(getattr(node, bank)):
                loc: Loc = ("nodes", name, bank, i)
                yield from missing(loc, placeholders([phrase]), known[name], f"phrase {phrase!r}")
        if node.calls:
            tool = graph.tools[node.calls]
            loc = ("nodes", name, "calls")
            for slot in dict.fromkeys(tool.arguments.values()):
                if slot not in provided:
                    yield error("unprovided-argument", loc, f"tool {node.calls!r} needs {slot!r}, which nobody tells",
                                "ask for it before, or take it out")  # fmt: skip
                else:
                    yield from missing(loc, [slot], known[name], f"tool {node.calls!r}")
            for outcome, returned in tool.outcomes.items():
                for i, slot in enumerate(returned):
                    base = graph.slots[slot].share_of
                    loc = ("tools", node.calls, "outcomes", outcome)
                    have = known[name] | _bits(returned[:i], bit)
                    yield from missing(loc, [base] if base else [], have, f"slot {slot!r}")


def _known_everywhere(graph: Graph, bit: Mapping[str, int]) -> dict[str, int]:
    """Give the slots that are known on all ways to each node; where no way leads, all are."""
    known: dict[str, int] = dict.fromkeys(graph.nodes, (1 << len(bit)) - 1)
    roots = _roots(graph)
    known.update(dict.fromkeys(roots, 0))
    gains = {
        (n, i): _bits(_learned(graph, n, e), bit) for n, node in graph.nodes.items() for i, e in enumerate(node.edges)
    }
    front = deque(reversed(depth_first(graph, roots).left))
    queued = set(front)
    while front:
        name = front.popleft()
        queued.discard(name)
        for i, edge in enumerate(graph.nodes[name].edges):
            have = known[edge.to] & (known[name] | gains[name, i])
            if have != known[edge.to]:
                known[edge.to] = have
                if edge.to not in queued:
                    queued.add(edge.to)
                    front.append(edge.to)
    return known


def _learned(graph: Graph, name: str, edge: Edge) -> tuple[str, ...]:
    """The slots that an edge makes known: those that the user tells there, and those that the tool returns."""
    calls = graph.nodes[name].calls
    return (*edge.gives, *(graph.tools[calls].outcomes[edge.outcome] if calls and edge.outcome else ()))


def _bits(slots: Sequence[str], bit: Mapping[str, int]) -> int:
    out = 0
    for slot in slots:
        out |= bit[slot]
    return out
