"""A Graph as a Mermaid flowchart, with how often each node and edge was visited, if that is known.

Shapes are roles (rounded: the assistant speaks, double-edged: a tool is called); colours mark hubs and
endings.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Mapping

from flowc.graph import Graph, Node, breadth_first

_LABEL = 44  # characters of a condition that are shown
_LINE = 22  # characters a line of a label
_CLASSES = {
    "agent": "fill:#d9ebf7,stroke:#0072b2,color:#1b1b1b",
    "tool": "fill:#fbf6c3,stroke:#a89a00,color:#1b1b1b",
    "hub": "fill:#ffdfae,stroke:#d55e00,color:#1b1b1b,stroke-width:3px",
    "success": "fill:#bfe8dc,stroke:#00694d,color:#1b1b1b,stroke-width:3px",
    "abandonment": "fill:#e2e2e2,stroke:#555555,color:#1b1b1b,stroke-width:3px",
    "escalation": "fill:#f3d3e5,stroke:#a2437b,color:#1b1b1b,stroke-width:3px",
    "interrupt": "fill:#ffffff,stroke:#555555,color:#1b1b1b,stroke-dasharray:4 3",
}
LEGEND = (
    "Rounded: the assistant speaks. Double-edged: a tool is called. Orange: a hub, where the conversation "
    "branches. Green, grey and pink: the endings success, abandonment and escalation. Numbers are visits "
    "in the training conversations; what was never visited is dashed. White: how a user may leave the "
    "path."
)


def flowchart(
    graph: Graph,
    node_visits: Mapping[str, int] | None = None,
    edge_visits: Mapping[str, int] | None = None,
    interrupt_visits: Mapping[str, int] | None = None,
) -> str:
    """Draw the graph; visits are keyed `node`, `node.edge` and by interrupt; no entry is 0, None draws no numbers."""
    names = [*breadth_first(graph), *sorted(set(graph.nodes) - set(breadth_first(graph)))]
    # Names such as "end" are words of Mermaid's grammar: ids are our own.
    ids = {name: f"n{i}" for i, name in enumerate(names)}
    lines = ["flowchart TD", f'    start((" ")) --> {ids[graph.start]}']
    idle = []
    for name in names:
        visits = _visits(node_visits, name)
        label = "<br/>".join([_escape(name), *([] if visits is None else [str(visits)])])
        lines.append(f"    {ids[name]}{_shape(graph.nodes[name], label)}:::{_class(graph.nodes[name])}")
        idle += [f"    style {ids[name]} stroke-dasharray:4 3"] if visits == 0 else []
    arrows = 1  # the one from the start
    for name in names:
        for edge in graph.nodes[name].edges:
            visits = _visits(edge_visits, f"{name}.{edge.id}")
            label = _label(edge.when or edge.outcome or edge.id, visits)
            lines.append(f'    {ids[name]} -->|"{label}"| {ids[edge.to]}')
            idle += [f"    linkStyle {arrows} stroke-dasharray:4 3"] if visits == 0 else []
            arrows += 1
    # Unconnected: arrows from here push the labels of the hubs' arrows upon one another.
    for i, (name, interrupt) in enumerate(sorted(graph.interrupts.items())):
        onward = f"then {_escape(interrupt.to)}" if interrupt.to else "then back"
        label = _label(interrupt.when, _visits(interrupt_visits, name))
        lines.append(f'    i{i}["at any point:<br/>{label}<br/>{onward}"]:::interrupt')
    lines += [f"    classDef {name} {style}" for name, style in _CLASSES.items()]
    return "\n".join([*lines, *idle])


def _visits(visits: Mapping[str, int] | None, key: str) -> int | None:
    return None if visits is None else visits.get(key, 0)


def _shape(node: Node, label: str) -> str:
    if node.role == "tool":
        return f'[["{label}"]]'
    return f'(["{label}"])' if node.terminal else f'("{label}")'


def _class(node: Node) -> str:
    return node.terminal or ("hub" if node.is_hub else node.role)


def _label(condition: str, visits: int | None) -> str:
    short = textwrap.shorten(condition, _LABEL, placeholder="…")
    lines = [_escape(line) for line in textwrap.wrap(short, _LINE)]
    return "<br/>".join(lines if visits is None else [*lines, str(visits)])


def _escape(label: str) -> str:
    """Write what Mermaid or HTML would read as markup as Mermaid's entity codes."""
    return re.sub(r'[#&<>"`|\\;]', lambda m: f"#{ord(m[0])};", label)
