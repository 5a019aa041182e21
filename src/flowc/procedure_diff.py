"""What an edit changed in a procedure: nodes, edges, phrases and the rest, said in words a reviewer can check."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from flowc.graph import Edge, Graph, Node, placeholders
from flowc.records import Record
from flowc.scenarios import Scenario

_TOP = ("title", "language", "system", "start")
_PARTS = {"slots": "slot", "tools": "tool", "knowledge": "fact", "interrupts": "interrupt"}


class Change(Record):
    """One difference: what it is about, which field, and both sides; an empty side is absent."""

    where: str
    field: str
    before: tuple[str, ...] = ()
    after: tuple[str, ...] = ()


class ProcedureDiff(NamedTuple):
    """All differences of two graphs, and the nodes at which a conversation may go otherwise than before."""

    changes: tuple[Change, ...]
    nodes: tuple[str, ...]
    """Names that the new graph has, sorted: added, edited, or using an edited slot or tool."""


def procedure_diff(before: Graph | None, after: Graph) -> ProcedureDiff:
    """Compare two graphs; without a former one every node is new."""
    if before is None:
        return ProcedureDiff(
            (Change(where="procedure", field="added", after=(after.title,)),), tuple(sorted(after.nodes))
        )
    changes = [
        Change(where="procedure", field=f, before=(str(getattr(before, f)),), after=(str(getattr(after, f)),))
        for f in _TOP
        if getattr(before, f) != getattr(after, f)
    ]
    changes += _nodes(before.nodes, after.nodes)
    for part, word in _PARTS.items():
        changes += _records(word, getattr(before, part), getattr(after, part))
    return ProcedureDiff(tuple(changes), _touched(before, after))


def _touched(before: Graph, after: Graph) -> tuple[str, ...]:
    slots = {n for n, slot in after.slots.items() if before.slots.get(n) != slot}
    tools = {n for n, tool in after.tools.items() if before.tools.get(n) != tool}

    def uses(node: Node) -> bool:
        phrases = [*node.say, *node.again, *(p for e in node.edges for p in e.says)]
        return node.calls in tools or bool(slots & set(placeholders(phrases)))

    return tuple(sorted(n for n, node in after.nodes.items() if before.nodes.get(n) != node or uses(node)))


def _nodes(before: Mapping[str, Node], after: Mapping[str, Node]) -> list[Change]:
    out = []
    for name in sorted({*before, *after}):
        old, new = before.get(name), after.get(name)
        where = f"node {name}"
        if old is None and new is not None:
            out.append(Change(where=where, field="added", after=(new.instruction, *new.say)))
        elif new is None and old is not None:
            out.append(Change(where=where, field="removed", before=(old.instruction, *old.say)))
        if old is not None and new is not None:
            out += _fields(where, old, new, skip=("edges",))
        out += _edges(name, old.edges if old else (), new.edges if new else ())
    return out


def _edges(node: str, before: Sequence[Edge], after: Sequence[Edge]) -> list[Change]:
    old, new = {e.id: e for e in before}, {e.id: e for e in after}
    out = []
    for name in sorted({*old, *new}):
        where = f"edge {node}.{name}"
        if name not in old:
            out.append(Change(where=where, field="added", after=(f"to {new[name].to}", *_words(new[name]))))
        elif name not in new:
            out.append(Change(where=where, field="removed", before=(f"to {old[name].to}", *_words(old[name]))))
        else:
            out += _fields(where, old[name], new[name])
    if list(old) != list(new) and set(old) == set(new):
        out.append(Change(where=f"node {node}", field="order of edges", before=tuple(old), after=tuple(new)))
    return out


def _words(edge: Edge) -> tuple[str, ...]:
    return (*([f"when {edge.when}"] if edge.when else []), *edge.says)


def _records(word: str, before: Mapping[str, Record], after: Mapping[str, Record]) -> list[Change]:
    out = []
    for name in sorted({*before, *after}):
        if name not in before:
            out.append(Change(where=f"{word} {name}", field="added", after=_values(after[name])))
        elif name not in after:
            out.append(Change(where=f"{word} {name}", field="removed", before=_values(before[name])))
        else:
            out += _fields(f"{word} {name}", before[name], after[name])
    return out


def _values(record: Record) -> tuple[str, ...]:
    set_by_hand = record.model_dump(mode="json", exclude_defaults=True)
    return tuple(f"{k}: {v}" for k, v in set_by_hand.items())


def _fields(where: str, before: Record, after: Record, skip: Sequence[str] = ()) -> list[Change]:
    """Compare field by field; of a bank of phrases only what came and what went is named."""
    out = []
    for field in type(after).model_fields:
        old, new = getattr(before, field), getattr(after, field)
        if old == new or field in skip:
            continue
        if isinstance(old, tuple) and isinstance(new, tuple):
            left, right = [str(x) for x in old], [str(x) for x in new]
            gone, come = [x for x in left if x not in right], [x for x in right if x not in left]
            word = field if gone or come else f"order of {field}"
            out.append(Change(where=where, field=word, before=tuple(gone), after=tuple(come)))
        else:
            out.append(Change(where=where, field=field, before=_side(old), after=_side(new)))
    return out


def _side(value: object) -> tuple[str, ...]:
    return () if value in (None, "") else (str(value),)


def still_plays(before: Graph, after: Graph, scenario: Scenario) -> bool:
    """Whether a scenario that was planned on one graph asks the same of an assistant on another.

    Every step has to exist there and lead to the same node, give the same slots and renew the same; functions on the
    way take and return the same. Words may differ.
    """
    try:
        return before.start == after.start and all(_step(before, s) == _step(after, s) for s in scenario.path)
    except KeyError:
        return False


def _step(graph: Graph, step: str) -> tuple[object, ...]:
    """What of a step a scenario relies on.

    Raises KeyError when the graph does not have it.
    """
    if "!" in step:
        node, name = step.split("!")
        return graph.nodes[node].role, graph.interrupts[name].to
    node, name = step.split(".")
    at = graph.nodes[node]
    edge = {e.id: e for e in at.edges}[name]
    tool = graph.tools[at.calls] if at.calls else None
    return at.role, at.calls, tool, edge.to, graph.nodes[edge.to].terminal, edge.gives, edge.outcome, edge.renews
