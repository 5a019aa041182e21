"""Boxes and arrows of a process on the way to a Chart: what is no step of a conversation is taken out.

A part that only joins or passes on (`through`) goes, and its arrows are joined. What the customer does (`spoken`)
goes as well, and becomes the label of the arrows through it. A fork whose branches are plain steps up to one join is
put in a row, in the order in which its flows are written: a conversation says one thing after the other.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from typing import Literal, NamedTuple, NoReturn, get_args

from flowc.bpmn_xml import Element, fail
from flowc.chart import Arrow, Box, Chart, Escape, Kind
from flowc.graph import Terminal

Part = Literal["through", "spoken", "escape", "fork", "join"]

MOST_PARTS = 2000
"""Called processes are copied for each call: ten that call the next one twice are a thousand copies of the last."""
MOST_ARROWS = 5000
"""Joining makes an arrow for each pair of a way in and a way out."""
MOST_FORKS = 50
"""Forks in forks are looked at again after each that is put in a row."""


class Node(NamedTuple):
    """A box of the chart, or a part that is taken out."""

    kind: Kind | Part
    label: str
    element: Element
    terminal: Terminal | None = None


class Way(NamedTuple):
    """An arrow, written at `element`."""

    source: str
    target: str
    label: str
    default: bool
    element: Element


@dataclass
class Net:
    """What has been read of a file so far."""

    file: str
    nodes: dict[str, Node] = field(default_factory=dict)
    ways: list[Way] = field(default_factory=list)

    def add(self, name: str, node: Node) -> None:
        """Add a node under a name that is new."""
        if name in self.nodes:
            fail(self.file, node.element, f"the id {name!r} is given twice; rename one")
        if len(self.nodes) == MOST_PARTS:
            fail(self.file, node.element, f"the process has more than {MOST_PARTS} parts; split it")
        self.nodes[name] = node

    def lead(self, source: str, target: str, element: Element, label: str = "", default: bool = False) -> None:
        """Add an arrow."""
        self.ways.append(Way(source, target, label, default, element))


def to_chart(net: Net, name: str, title: str, start: str | None) -> Chart:
    """Take out what is no box, and give the rest.

    Raises UserError where that cannot be done without losing something.
    """
    for part in [n for n, node in net.nodes.items() if node.kind in ("through", "spoken")]:
        _take_out(net, part)
    forks = [n for n, node in net.nodes.items() if node.kind == "fork"][::-1]  # inner ones are mostly written later
    if len(forks) > MOST_FORKS:
        fail(net.file, net.nodes[forks[0]].element, f"the process has more than {MOST_FORKS} forks; split it")
    while any(_in_a_row(net, n) for n in forks):
        forks = [n for n in forks if n in net.nodes]
    for node in net.nodes.values():
        if node.kind == "fork":
            fail(net.file, node.element, "this fork leads to several things at the same time, and a conversation does "
                 "one after the other; put them in a row, or use an exclusive gateway")  # fmt: skip
        if node.kind == "join":
            fail(net.file, node.element, "this gateway waits for all of its ways in, but they do not come from one "
                 "fork; use an exclusive gateway")  # fmt: skip
    boxes: dict[str, Box] = {}
    for key, node in net.nodes.items():
        if node.kind in get_args(Kind):
            boxes[key] = Box.model_validate(
                {"label": node.label, "kind": node.kind, "terminal": node.terminal, "line": node.element.line}
            )
    escapes = []
    for key, node in net.nodes.items():
        if node.kind == "escape":
            ways = [way for way in net.ways if way.source == key]
            if len(ways) != 1:
                fail(net.file, node.element, f"{len(ways)} ways lead on from {key!r}; draw exactly one")
            label = _joined(node.label, ways[0].label)
            escapes.append(Escape(label=label, target=ways[0].target, line=node.element.line))
    arrows = tuple(
        Arrow(source=w.source, target=w.target, label=w.label, default=w.default, line=w.element.line)
        for w in net.ways
        if w.source in boxes
    )
    return Chart(name=name, title=title, start=start, event_start=True, boxes=boxes, arrows=arrows,
                 escapes=tuple(escapes))  # fmt: skip


def _joined(*labels: str) -> str:
    return "; ".join(label for label in labels if label)


def _take_out(net: Net, name: str) -> None:
    """Remove a part and join every arrow into it with every arrow out of it."""
    node = net.nodes.pop(name)
    into = [way for way in net.ways if way.target == name]
    out = [way for way in net.ways if way.source == name]
    what = f"{node.element.name} {node.label or name.strip(chr(0))!r}"

    def refuse(message: str) -> NoReturn:
        fail(net.file, node.element, f"{what} {message}")

    if any(way.source == name for way in into):
        refuse("leads back to itself without a step of the assistant between; add one, or remove the flow")
    if into and not out:
        refuse("leads nowhere; draw a flow out of it, to an end if need be")
    label = node.label if node.kind == "spoken" else ""
    if not into and (label or any(way.label for way in out)):
        refuse("is left out, with what is written on the flows out of it, since nothing leads there; draw a flow to it")
    if len(net.ways) + len(into) * len(out) > MOST_ARROWS:
        refuse(f"makes the process have more than {MOST_ARROWS} arrows; split it")
    ways = []
    for way in net.ways:
        if way.target == name:
            for on in out:
                label_on = _joined(way.label, label, on.label)
                ways.append(Way(way.source, on.target, label_on, way.default or on.default, way.element))
        elif way.source != name:
            ways.append(way)
    net.ways = ways


def _in_a_row(net: Net, fork: str) -> bool:
    """Put the branches of a fork one after the other, if they are plain steps up to one join."""
    into: dict[str, list[Way]] = {}
    out: dict[str, list[Way]] = {}
    for way in net.ways:
        into.setdefault(way.target, []).append(way)
        out.setdefault(way.source, []).append(way)
    branches: list[list[str]] = []
    joins: set[str] = set()
    for way in out[fork]:
        branch: list[str] = []
        while net.nodes[way.target].kind in ("step", "tool") and not way.label and way.target not in branch:
            branch.append(way.target)
            if len(into[way.target]) != 1 or len(out.get(way.target, [])) != 1:
                return False
            way = out[way.target][0]
        if net.nodes[way.target].kind != "join" or way.label:
            return False
        joins.add(way.target)
        branches.append(branch)
    join = joins.pop()
    if joins or len(into[join]) != len(branches):
        return False
    row = [fork, *(name for branch in branches for name in branch), join]
    inside = set(row[:-1])
    places = {way.target: way.element for way in net.ways if way.source in inside}
    kept = [way for way in net.ways if way.source not in inside]
    at = next(i for i, way in enumerate(net.ways) if way.source in inside)
    before = sum(way.source not in inside for way in net.ways[:at])
    chain = [Way(a, b, "", False, places[b]) for a, b in pairwise(row)]
    net.ways = kept[:before] + chain + kept[before:]
    _take_out(net, fork)
    _take_out(net, join)
    return True
