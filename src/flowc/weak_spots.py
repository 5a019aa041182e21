"""The part of the report on where the compiled model fails: by node, hub, deviation, slot and fact, and three
failures.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from flowc.graph import Graph
from flowc.markdown import shorten, table, text
from flowc.metrics import ARMS, Json, Rate, arm, counted, section
from flowc.scoreboard import FEW, NOT_MEASURED, cell, percent, sentence

_WORST = 3  # of each kind


class Part(NamedTuple):
    """One kind of place where a conversation can go wrong: what is counted there, and the rates by name."""

    kind: str
    unit: str
    found: Mapping[str, Rate]

    @property
    def wrong(self) -> list[tuple[str, Rate]]:
        """The names that are not always right, the worst first; of equals the surer one."""
        some = [(name, r) for name, r in self.found.items() if r.mean is not None and r.mean < 1]
        return sorted(some, key=lambda item: (item[1].mean, -item[1].n, item[0]))


def _parts(scores: Json, graph: Graph) -> list[Part]:
    own = arm(scores, ARMS[0])
    nodes = _rates(section(own, "by_node"))
    hubs = {name for name, node in graph.nodes.items() if len(node.edges) > 1}
    return [
        Part("hub", "decisions", {n: r for n, r in nodes.items() if n in hubs}),
        Part("other node", "decisions", {n: r for n, r in nodes.items() if n not in hubs}),
        Part("deviation", "times", _rates(section(own, "by_recovery"))),
        Part("slot", "values", _rates(section(own, "by_slot"))),
        *([Part("fact", "answers", facts)] if (facts := _rates(section(own, "by_fact"))) else []),
    ]


def weak_spots(scores: Json, graph: Graph) -> str:
    """Lay out the worst hubs, other nodes, deviations and slots, and the rest of each kind together."""
    rows = []
    for part in _parts(scores, graph):
        shown = part.wrong[:_WORST]
        rows += [[part.kind, _name(name), f"{r.n:,} {part.unit}", cell(r, r.n)] for name, r in shown]
        rest = [r for name, r in part.found.items() if name not in dict(shown)]
        if rest:
            low = min(r.mean or 0.0 for r in rest)
            title = f"the other {len(rest)}" if shown else "all"
            right = percent(low) + ("" if low == 1 else " or more")
            rows.append([part.kind, title, f"{sum(r.n for r in rest):,} {part.unit}", right])
        elif not shown:
            rows.append([part.kind, "—", "—", NOT_MEASURED])
    return table(["Where", "Name", "n", "Right"], rows)


def lead(scores: Json, graph: Graph) -> str:
    """Name in a sentence the worst hub, node, deviation, slot and fact of those that enough scenarios have."""
    often = [(part, [w for w in part.wrong if (w[1].clusters or w[1].n) >= FEW]) for part in _parts(scores, graph)]
    said = [f"{part.kind} {_name(w[0][0])} {sentence(w[0][1])[:-1]} {part.unit})" for part, w in often if w]
    if said:
        found = f"The least right of each kind, counted in {FEW} scenarios or more: {'; '.join(said)}"
    else:
        found = f"Nowhere that was counted in {FEW} scenarios or more" if arm(scores, ARMS[0]) else NOT_MEASURED
    return f"**Where does it fail?** {found}."


def _name(name: str) -> str:
    return text(name.replace("_", " "))


def _rates(by_name: Json | None) -> dict[str, Rate]:
    """Read counts with their intervals as rates; what was never counted has none."""
    return {name: found for name, d in (by_name or {}).items() if (found := counted(d))}


def quoted(examples: Mapping[str, Any], characters: int) -> str:
    """Quote the compiled model's failures, each with the step at which it went wrong."""
    found: Sequence[Json] = (section(examples, ARMS[0]) or {}).get("failures") or []
    if not found:
        return "No conversation had a fault."
    return "\n".join(f"{i}. {_failure(one, characters)}" for i, one in enumerate(found, 1))


def _failure(one: Json, characters: int) -> str:
    def quote(words: str) -> str:
        return f"“{text(shorten(words, characters))}”"

    calls = [f"{c['name']}({', '.join(f'{k}={v}' for k, v in c['arguments'].items())})" for c in one["called"]]
    said = f"with a call of {text(shorten('; '.join(calls), characters))}" if calls else quote(one["said"])
    where = f"After {text(one['step'])}" if one["step"] else "At the opening"
    outcome = "failed" if one["failed"] else "still succeeded"
    heard = f"the user said {quote(one['heard'])} and the assistant answered" if one["heard"] else "the assistant began"
    return (
        f"**{where}** {heard} {said}. {text(one['criterion'].replace('_', ' ').capitalize())}: "
        f"{text(one['why'])}. The conversation {outcome} (scenario {text(one['scenario'])}, message {one['turn'] + 1})."
    )
