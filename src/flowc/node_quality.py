"""The part of the report on nodes: how surely the compiled model goes on from a node that training visited so often."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from flowc.graph import Graph
from flowc.markdown import table, text
from flowc.metrics import ARMS, Json, arm, section
from flowc.scoreboard import NOT_MEASURED, percent

WORST = 10
_BOUNDS = (1, 10, 100, 1000)


class NodeQuality(NamedTuple):
    """A node's visits in training (None where not counted), and its decisions in the evaluation: of `n`, `right`."""

    node: str
    visits: int | None
    n: int
    right: int

    @property
    def share(self) -> float:
        """Share of the decisions that were right."""
        return self.right / self.n


def node_qualities(scores: Json, generation: Json) -> list[NodeQuality]:
    """List the nodes at which the compiled model had to decide, the worst first; of equals the surer one first."""
    found = section(arm(scores, ARMS[0]), "by_node") or {}
    visits = section(generation, "node_visits") or {}
    out = [NodeQuality(name, visits.get(name), int(d["n"]), int(d["right"])) for name, d in found.items() if d["n"]]
    return sorted(out, key=lambda q: (q.share, -q.n, q.node))


def quality(nodes: Sequence[NodeQuality], graph: Graph, picture: str) -> list[str]:
    """Say how often decisions were right: over all, by visits in training, and at the worst nodes."""
    if not nodes:
        return [f"Decisions by node: {NOT_MEASURED}."]
    n, right = sum(q.n for q in nodes), sum(q.right for q in nodes)
    met = {q.node for q in nodes}
    unmet = sorted(name for name, node in graph.nodes.items() if not node.terminal and name not in met)
    out = [
        "A decision is what the compiled model does after a node: after the user's answer, or the tool's result. It "
        f"is right when the step is one that was due. Of {n:,} decisions {percent(right / n)} were right.",
    ]
    if unmet:
        out.append(f"No conversation of the evaluation went on from: {text(', '.join(unmet))}.")
    if any(q.visits is not None for q in nodes):
        out += [picture, _by_visits(nodes)]
    out.append(_worst(nodes))
    return out


def _by_visits(nodes: Sequence[NodeQuality]) -> str:
    rows = []
    for low, high in zip((0, *_BOUNDS), (*_BOUNDS, None), strict=True):
        some = [q for q in nodes if q.visits is not None and low <= q.visits and (high is None or q.visits < high)]
        if some:
            n, right = sum(q.n for q in some), sum(q.right for q in some)
            title = "none" if high == 1 else f"{low:,} or more" if high is None else f"{low:,} to {high - 1:,}"
            rows.append([title, str(len(some)), f"{n:,}", percent(right / n)])
    return table(["Visits in training", "Nodes", "Decisions", "Right"], rows)


def _worst(nodes: Sequence[NodeQuality]) -> str:
    wrong = [q for q in nodes if q.right < q.n]
    if not wrong:
        return "At every node all decisions were right."
    rows = [
        [text(q.node), NOT_MEASURED if q.visits is None else f"{q.visits:,}", f"{q.n:,}", f"{q.n - q.right:,}",
         percent(q.share)]
        for q in wrong[:WORST]
    ]  # fmt: skip
    said = f"Nodes with wrong decisions: {len(wrong)} of {len(nodes)}"
    said += f"; the {WORST} worst:" if len(wrong) > WORST else ", the worst first:"
    return f"{said}\n\n" + table(["Node", "Visits", "Decisions", "Wrong", "Right"], rows)
