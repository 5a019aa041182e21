"""Read a procedure's YAML into a Graph; every mistake is named with file, line and remedy.

Run through the stage: `python -m stages.parse data/procedures/P.yaml --out data/graphs/P.json`.
"""

from __future__ import annotations

import string
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

from pydantic import ValidationError

from flowc.checks import faults
from flowc.deviation_phrases import with_phrases
from flowc.graph import Edge, Graph, Node, Slot, placeholders
from flowc.records import UserError
from flowc.yaml_lines import Loc, Source, load_yaml

Fail = Callable[[Loc, str], NoReturn]


class Drawn(NamedTuple):
    """What is known of a Graph that was a chart: all its phrases are its labels and built-in ones."""

    assumed: tuple[Loc, ...]
    """Edges whose arrow had no words, so that those of the box where it leads stand for them."""
    start_guessed: bool = False
    """Whether an arrow leads to each box, so that the first one written is taken for the start."""
    unasked: tuple[str, ...] = ()
    """What the chart lists values for and no box asks for."""


class Draft(NamedTuple):
    """A Graph whose names resolve, and the lines of its source."""

    graph: Graph
    source: Source
    drawn: Drawn | None = None
    """None for a procedure that was written with phrases of its own."""


def parse_procedure(text: str, file: str) -> Graph:
    """Parse and validate one procedure.

    `file` names the source in messages; its stem must be the procedure's name.
    Raises UserError `file:line: what is wrong; what to do` for the first mistake.
    """
    return sound(read_procedure(text, file), file)


def sound(draft: Draft, file: str) -> Graph:
    """Give the Graph of a draft; raises UserError for the first of its faults."""
    for fault in faults(draft.graph):
        raise UserError(f"{draft.source.place(file, fault.loc)}: {fault.message}; {fault.remedy}")
    return draft.graph


def read_procedure(text: str, file: str) -> Draft:
    """Read a procedure as `parse_procedure` does, without the checks of `flowc.checks`, which lint lists at once."""
    source = load_yaml(text, file, "the procedure is empty; docs/procedure.md shows the smallest one")

    def fail(loc: Loc, message: str) -> NoReturn:
        raise UserError(f"{file}:{source.line(loc)}: {message}")

    try:
        graph = Graph.model_validate(with_phrases(source.values))
    except ValidationError as e:
        detail = e.errors()[0]
        where = ".".join(map(str, detail["loc"])) or "the document"
        if detail["type"] == "extra_forbidden":
            fail(detail["loc"], f"{where}: unknown key; remove it or check its spelling")
        problem = detail["msg"].removeprefix("Value error, ")
        fail(detail["loc"], f"{where}: {problem}; see docs/procedure.md for what belongs here")
    if graph.procedure != Path(file).stem:
        fail(("procedure",), f"procedure {graph.procedure!r} must have the file's name, {Path(file).stem!r}")
    check_shape(graph, fail)
    return Draft(graph, source)


def check_shape(graph: Graph, fail: Fail) -> None:
    """Check that names resolve and that each part is whole; `fail` raises for the first mistake."""
    _check_names(graph, fail)
    for name, slot in graph.slots.items():
        _check_slot(graph, name, slot, fail)
    _check_phrases(graph, fail)
    for name, node in graph.nodes.items():
        _check_node(graph, name, node, fail)


def _check_names(graph: Graph, fail: Fail) -> None:
    for kind in ("slots", "tools", "nodes", "knowledge", "interrupts"):
        for name in getattr(graph, kind):
            if not name.isidentifier():
                fail((kind, name), f"{name!r} is not a name; use letters, digits and underscores")
    if graph.start not in graph.nodes:
        fail(("start",), f"start names the node {graph.start!r}, which does not exist; {_known(graph.nodes)}")
    for name, tool in graph.tools.items():
        for argument, slot in tool.arguments.items():
            if slot not in graph.slots:
                fail(("tools", name, "arguments", argument), _no_slot(slot, graph))
        for outcome, returned in tool.outcomes.items():
            for slot in returned:
                loc = ("tools", name, "outcomes", outcome)
                if slot not in graph.slots:
                    fail(loc, _no_slot(slot, graph))
                if graph.slots[slot].source != "tool":
                    fail(loc, f"slot {slot!r} is told by the user; add `source: tool` to it")
    for name, interrupt in graph.interrupts.items():
        if interrupt.to and interrupt.to not in graph.nodes:
            fail(
                ("interrupts", name, "to"),
                f"interrupt {name!r} goes to {interrupt.to!r}, which does not exist; {_known(graph.nodes)}",
            )
        if bool(interrupt.to) == bool(interrupt.say):
            fail(("interrupts", name), f"interrupt {name!r} needs either `to` (a node) or `say` (and resume)")
    for name, fact in graph.knowledge.items():
        for i, phrase in enumerate(fact.say):
            for must in fact.must:
                if must not in phrase:
                    fail(("knowledge", name, "say", i), f"the answer lacks {must!r}, which `must` asks for")


def _check_slot(graph: Graph, name: str, slot: Slot, fail: Fail) -> None:
    given = [g for g in ("values", "join", "date", "number", "code", "share_of") if getattr(slot, g)]
    if len(given) != 1:
        fail(
            ("slots", name),
            f"slot {name!r} has {' and '.join(given) or 'no generator'}; give exactly one of values, join, "
            "date, number, code, share_of",
        )
    if slot.share_of and (slot.share_of not in graph.slots or not graph.slots[slot.share_of].number):
        fail(("slots", name, "share_of"), f"share_of names {slot.share_of!r}, which is not a slot of numbers")
    if slot.share_of and slot.source != "tool":
        fail(
            ("slots", name, "share_of"),
            f"slot {name!r} is a share, which only a tool can tell; add `source: tool`",
        )
    if slot.code and not set("@#") & set(slot.code):
        fail(("slots", name, "code"), f"code {slot.code!r} never varies; write @ for a letter, # for a digit")
    if slot.invent and (not (slot.values or slot.join) or min(map(len, slot.join or (slot.values,))) < 4):
        fail(("slots", name, "invent"), f"slot {name!r} has no pool to invent from; give `values` or `join` four or "
             "more values, or take `invent` out")  # fmt: skip
    if len(slot.values) == 1:
        fail(("slots", name, "values"), f"slot {name!r} has one value; give at least two, or write it out")


def _check_node(graph: Graph, name: str, node: Node, fail: Fail) -> None:
    loc: Loc = ("nodes", name)
    seen: set[str] = set()
    for i, edge in enumerate(node.edges):
        here = (*loc, "edges", i)
        if edge.to not in graph.nodes:
            fail((*here, "to"), f"edge {name}.{edge.id} goes to {edge.to!r}, which does not exist; "
                 f"{_known(graph.nodes)}")  # fmt: skip
        if edge.id in seen:
            fail((*here, "id"), f"node {name!r} has two edges with the id {edge.id!r}; rename one")
        seen.add(edge.id)
        for slot, change in edge.renews.items():
            if slot not in graph.slots:
                fail((*here, "renews"), _no_slot(slot, graph))
            if change != "any" and not graph.slots[slot].number:
                fail((*here, "renews", slot), f"slot {slot!r} has no numbers to go {change}; write `any`")
        _check_edge(graph, name, node, edge, here, fail)
    if node.terminal and node.edges:
        fail(loc, f"terminal {name!r} has edges; remove them or `terminal`")
    if node.role == "tool":
        if node.calls not in graph.tools:
            fail((*loc, "calls"), f"tool node {name!r} calls {node.calls!r}; {_known(graph.tools)}")
        missing = set(graph.tools[node.calls].outcomes) - {e.outcome for e in node.edges if e.outcome}
        if missing:
            fail(loc, f"tool node {name!r} has no edge for outcome {min(missing)!r}; add one")
    elif node.calls:
        fail((*loc, "calls"), f"node {name!r} has role {node.role}; only a tool node calls a tool")
    if node.role == "agent" and not node.say:
        fail(loc, f"agent node {name!r} has nothing to say; give it `say`, a bank of phrasings")
    if node.waits and not all(e.says for e in node.edges):
        fail(loc, f"node {name!r} mixes edges that the user speaks with edges without `says`; give each a bank")
    if node.role == "agent" and not node.waits:
        _check_silent(graph, name, node, fail)


def _check_silent(graph: Graph, name: str, node: Node, fail: Fail) -> None:
    """An agent node to which the user does not reply is spoken in one breath with the one next agent node."""
    loc: Loc = ("nodes", name)
    if node.is_hub:
        fail(loc, f"agent node {name!r} has several edges and none that the user speaks; give each `says`")
    if node.edges and graph.nodes[node.edges[0].to].role != "agent":
        fail(loc, f"agent node {name!r} speaks, but nobody answers before a tool is called; give its edge `says`, "
             "or say it behind the tool")  # fmt: skip


def _check_edge(graph: Graph, name: str, node: Node, edge: Edge, here: Loc, fail: Fail) -> None:
    if edge.outcome is not None:
        if node.role != "tool":
            fail((*here, "outcome"), f"edge {name}.{edge.id} has an outcome, but {name!r} is no tool node")
        if node.calls in graph.tools and edge.outcome not in graph.tools[node.calls].outcomes:
            fail((*here, "outcome"), f"tool {node.calls!r} has no outcome {edge.outcome!r}; "
                 f"{_known(graph.tools[node.calls].outcomes)}")  # fmt: skip
    elif node.role == "tool":
        fail(here, f"edge {name}.{edge.id} leaves a tool node; say for which `outcome`")
    if node.role == "tool" and edge.says:
        fail(
            (*here, "says"),
            f"edge {name}.{edge.id} leaves a tool node, where no user speaks; remove its `says`",
        )
    for slot in edge.gives:
        if slot in graph.slots and graph.slots[slot].source == "tool":
            fail((*here, "says"), f"slot {slot!r} comes from a tool, so a user cannot tell it; take it out")
    wanted = set(edge.gives)
    for i, phrase in enumerate(edge.says):
        if set(placeholders([phrase])) != wanted:
            fail(
                (*here, "says", i),
                f"this phrase mentions {sorted(placeholders([phrase]))}, but the first of the bank "
                f"mentions {sorted(wanted)}; all phrases of an edge give the same slots",
            )


def _banks(graph: Graph) -> Iterator[tuple[Loc, Sequence[str]]]:
    for name, node in graph.nodes.items():
        yield ("nodes", name, "say"), node.say
        yield ("nodes", name, "again"), node.again
        for i, edge in enumerate(node.edges):
            yield ("nodes", name, "edges", i, "says"), edge.says
    for name, slot in graph.slots.items():
        for bank in ("mention", "corrections", "noted"):
            yield ("slots", name, bank), getattr(slot, bank)
    for name, fact in graph.knowledge.items():
        yield ("knowledge", name, "asks"), fact.asks
        yield ("knowledge", name, "say"), fact.say
    for name, interrupt in graph.interrupts.items():
        yield ("interrupts", name, "says"), interrupt.says
        yield ("interrupts", name, "say"), interrupt.say


def _check_phrases(graph: Graph, fail: Fail) -> None:
    for loc, bank in _banks(graph):
        for i, phrase in enumerate(bank):
            here = (*loc, i)
            try:
                names = [field for _, field, _, _ in string.Formatter().parse(phrase) if field is not None]
            except ValueError as e:
                fail(here, f"phrase {phrase!r}: {e}; braces are for slots, as in {{city}}")
            if not phrase.strip():
                fail(here, "an empty phrase; remove it")
            for slot in names:
                if slot not in graph.slots:
                    fail(here, f"phrase {phrase!r}: " + _no_slot(slot, graph))
            if phrase in bank[:i]:
                fail(here, f"phrase {phrase!r} stands twice in its bank; remove one")
            if loc[0] == "slots" and loc[1] not in names:
                fail(here, f"phrase {phrase!r} does not mention {{{loc[1]}}}; put it in")
            per_kind: dict[str, set[str]] = {"slots": {str(loc[1])}, "nodes": set(names)}
            allowed = per_kind.get(str(loc[0]), set())
            if set(names) - allowed:
                fail(here, f"phrase {phrase!r} mentions {min(set(names) - allowed)!r}, whose value may not be known "
                     "when it is said; take it out")  # fmt: skip


def _known(names: Any) -> str:
    listed = sorted(names)
    return f"known are {', '.join(listed[:20])}" if listed else "none is defined"


def _no_slot(slot: str, graph: Graph) -> str:
    return f"slot {slot!r} is not defined; add it under `slots` or correct the name ({_known(graph.slots)})"
