"""A Graph drawn in layers as SVG: the start on top, arrows downwards, labels on their arrows.

The layers are those of Sugiyama, Tagawa and Toda (1981): a node stands below all that lead to it, arrows back are
turned for the layout, and what crosses a layer has a place in it. Labels have layers of their own, so that none lies
upon another or upon a node.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from html import escape
from itertools import pairwise
from typing import NamedTuple

from flowc.graph import Graph, Node, breadth_first, edges
from flowc.paths import depth_first

_SIZE, _LINE, _CHARACTER = 12, 15, 7.2  # pixels of the font, a line, and a wide character of a sans-serif font
_GAP, _DEPTH, _MARGIN = 18, 34, 24  # between neighbours, between layers, round the picture
_SWEEPS = 12  # after these, orders of charts with 60 boxes change no more
_COLOURS = {
    "agent": ("#d9ebf7", "#0072b2"), "tool": ("#fbf6c3", "#a89a00"), "hub": ("#ffdfae", "#d55e00"),
    "success": ("#bfe8dc", "#00694d"), "abandonment": ("#e2e2e2", "#555555"), "escalation": ("#f3d3e5", "#a2437b"),
}  # fmt: skip


class Place(NamedTuple):
    """A node, a label or a bend: its lines of text and where its middle is, in pixels."""

    lines: tuple[str, ...]
    x: float
    y: float
    width: float
    height: float


class Way(NamedTuple):
    """An edge: the places that it passes, from its node to the one where it leads."""

    places: tuple[str, ...]


class Layout(NamedTuple):
    """Where everything is. Nodes have their names as keys; labels and bends other ones, with a space."""

    places: dict[str, Place]
    ways: list[Way]
    width: float
    height: float


def layout(graph: Graph) -> Layout:
    """Give every node, label and bend its place; the same graph gives the same places."""
    level = _levels(graph)
    texts = {name: _wrapped(name.replace("_", " "), 24) for name in level}
    layers: list[list[str]] = [[] for _ in range(2 * max(level.values()) + 2)]
    for name, at in level.items():
        layers[2 * at].append(name)
    ways: list[Way] = []
    for number, (source, edge) in enumerate(edges(graph)):
        top, bottom = 2 * level[source], 2 * level[edge.to]
        label = _wrapped(textwrap.shorten(edge.when or edge.outcome or edge.id, 44, placeholder="…"), 20)
        # A label is next to the arrow's source; an arrow to the same layer or back bends below and above its ends.
        between = range(top + 1, bottom) if bottom > top else range(top + 1, bottom - 2, -1)
        passed = []
        for at in between:
            key = f"{number} {at}"
            texts[key] = label if at == top + 1 else ()
            layers[at].append(key)
            passed.append(key)
        ways.append(Way((source, *passed, edge.to)))
    layers = [layer for layer in layers if layer]
    beside: dict[str, list[str]] = {key: [] for key in texts}
    for way in ways:
        for one, other in pairwise(way.places):
            beside[one].append(other)
            beside[other].append(one)
    sizes = {key: _size(lines, key in level) for key, lines in texts.items()}
    x = _spread(_ordered(layers, beside), beside, sizes)
    left = min(x[key] - sizes[key][0] / 2 for key in x)
    places, y = {}, float(_MARGIN)
    for layer in layers:
        height = max(sizes[key][1] for key in layer)
        for key in layer:
            places[key] = Place(texts[key], x[key] - left + _MARGIN, y + height / 2, *sizes[key])
        y += height + _DEPTH
    width = max(p.x + p.width / 2 for p in places.values()) + _MARGIN
    return Layout(places, ways, width, y)


def _levels(graph: Graph) -> dict[str, int]:
    """Give each node its layer: below all that lead to it but for arrows back; what only interrupts reach is last."""
    left, back = depth_first(graph, [graph.start])
    level = {graph.start: 0}
    for name in reversed(left):
        for edge in graph.nodes[name].edges:
            if (name, edge.to) not in back:
                level[edge.to] = max(level.get(edge.to, 0), level[name] + 1)
    last = max(level.values())
    rest = [n for n in (*breadth_first(graph), *sorted(graph.nodes)) if n not in level]
    return {**level, **dict.fromkeys(rest, last)}


def _wrapped(text: str, width: int) -> tuple[str, ...]:
    return tuple(textwrap.wrap(text, width))


def _size(lines: Sequence[str], boxed: bool) -> tuple[float, float]:
    width = max((len(line) for line in lines), default=0) * _CHARACTER
    return (width + 20, len(lines) * _LINE + 14) if boxed else (width + 4, len(lines) * _LINE)


def _ordered(layers: Sequence[list[str]], beside: Mapping[str, Sequence[str]]) -> Sequence[list[str]]:
    """Sort each layer by the mean place of what it is joined to, above and below in turn: few arrows cross."""
    at = {key: float(i) for layer in layers for i, key in enumerate(layer)}
    of = {key: i for i, layer in enumerate(layers) for key in layer}
    for sweep in range(_SWEEPS):
        down = sweep % 2 == 0
        for number, layer in enumerate(layers) if down else reversed(list(enumerate(layers))):

            def mean(key: str, number: int = number, down: bool = down) -> float:
                joined = [at[k] for k in beside[key] if (of[k] < number) == down and of[k] != number]
                return sum(joined) / len(joined) if joined else at[key]

            layer.sort(key=mean)
            at.update({key: float(i) for i, key in enumerate(layer)})
    return layers


def _spread(
    layers: Sequence[Sequence[str]], beside: Mapping[str, Sequence[str]], sizes: Mapping[str, tuple[float, float]]
) -> dict[str, float]:
    """Give each a middle near those that it is joined to, with a gap between neighbours of a layer."""
    x = dict.fromkeys(sizes, 0.0)
    for _ in range(_SWEEPS):
        for layer in layers:
            wanted = [sum(x[k] for k in beside[key]) / len(beside[key]) if beside[key] else 0.0 for key in layer]
            apart = [(sizes[a][0] + sizes[b][0]) / 2 + _GAP for a, b in pairwise(layer)]
            right, left = list(wanted), list(wanted)
            for i, gap in enumerate(apart):
                right[i + 1] = max(wanted[i + 1], right[i] + gap)
            for i in reversed(range(len(apart))):
                left[i] = min(wanted[i], left[i + 1] - apart[i])
            # Both keep the gaps, and so does their mean.
            x.update({key: (a + b) / 2 for key, a, b in zip(layer, left, right, strict=True)})
    return x


def svg(graph: Graph) -> str:
    """Draw the graph; below it stands what users may say at any moment."""
    plan = layout(graph)
    notes = [f"At any moment: {i.when}; {f'on to {i.to}' if i.to else 'then back'}" for i in graph.interrupts.values()]
    width = max(plan.width, *(len(n) * _CHARACTER + 2 * _MARGIN for n in (graph.title, *notes)))
    height = plan.height + len(notes) * (_LINE + 3) + _MARGIN
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}" '
        f'height="{height:.0f}" font-family="DejaVu Sans, Verdana, sans-serif" font-size="{_SIZE}">',
        f"<title>{escape(graph.title)}</title>",
        '<defs><marker id="tip" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="8" markerHeight="8" orient="auto">'
        '<path d="M0 0L10 5L0 10z" fill="#555555"/></marker></defs>',
        f'<rect width="{width:.0f}" height="{height:.0f}" fill="#ffffff"/>',
    ]
    out += [_arrow(way, plan.places) for way in plan.ways]
    for key, place in plan.places.items():
        if key in graph.nodes:
            out.append(_box(graph.nodes[key], place))
        elif place.lines:
            out.append(f'<rect {_corner(place)} fill="#ffffff" opacity="0.9"/>')
        out += _text(place)
    for i, note in enumerate(notes):
        out.append(f'<text x="{_MARGIN}" y="{plan.height + (i + 1) * (_LINE + 3):.1f}">{escape(note)}</text>')
    return "\n".join([*out, "</svg>"]) + "\n"


def _box(node: Node, place: Place) -> str:
    fill, line = _COLOURS[node.terminal or ("hub" if node.is_hub and node.role == "agent" else node.role)]
    corner = 2 if node.role == "tool" else place.height / 2 if node.terminal else 8
    return f'<rect {_corner(place)} rx="{corner:.1f}" fill="{fill}" stroke="{line}" stroke-width="1.5"/>'


def _corner(place: Place) -> str:
    return (
        f'x="{place.x - place.width / 2:.1f}" y="{place.y - place.height / 2:.1f}" '
        f'width="{place.width:.1f}" height="{place.height:.1f}"'
    )


def _text(place: Place) -> list[str]:
    first = place.y - len(place.lines) * _LINE / 2 + _LINE * 0.75
    return [f'<text x="{place.x:.1f}" y="{first + i * _LINE:.1f}" text-anchor="middle">{escape(line)}</text>'
            for i, line in enumerate(place.lines)]  # fmt: skip


def _arrow(way: Way, places: Mapping[str, Place]) -> str:
    source, *between, target = (places[key] for key in way.places)
    down = (between[-1] if between else source).y < target.y
    points = [(source.x, source.y + source.height / 2), *((p.x, p.y) for p in between)]
    points.append((target.x, target.y - target.height / 2))
    path = f"M{points[0][0]:.1f} {points[0][1]:.1f}"
    for (x0, y0), (x1, y1) in pairwise(points):
        bend = (y1 - y0) / 2 if down or y1 > y0 else (y1 - y0) / 4
        path += f"C{x0:.1f} {y0 + bend:.1f} {x1:.1f} {y1 - bend:.1f} {x1:.1f} {y1:.1f}"
    return f'<path d="{path}" fill="none" stroke="#555555" stroke-width="1.2" marker-end="url(#tip)"/>'
