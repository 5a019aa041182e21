"""Read a procedure's YAML into a Graph; every mistake is named with file, line and remedy.

Run through the stage: `python -m stages.parse data/procedures/P.yaml --out data/graphs/P.json`.
"""

from __future__ import annotations

import string
from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from pathlib import Path
from types import UnionType
from typing import Any, NamedTuple, get_args, get_origin

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from flowc.checks import faults
from flowc.deviation_phrases import with_phrases
from flowc.graph import PLACEHOLDER, Edge, Graph, Node, Slot, placeholders
from flowc.records import Record, UserError
from flowc.yaml_lines import Loc, Source, load_yaml

_PLAIN = {
    "missing": "is missing; add it, docs/procedure.md shows how",
    "tuple_type": "must be a list; put it in brackets, or each item on a line of its own behind `- `",
    "string_type": "must be text; put it in quotes",
    "string_pattern_mismatch": "must be two letters, as in en",  # of all keys only `language` has a pattern
    "dict_type": "must be keys with values; check its indentation",
    "model_type": "must be keys with values; check its indentation",
}
"""What pydantic calls tuples, dictionaries and instances, in the words of YAML."""


class Mistake(NamedTuple):
    """What the schema or an unresolved name makes wrong, and where it stands."""

    loc: Loc
    message: str


class Mistakes(UserError):
    """All that the schema refuses in a file, or else all wrong names: the first as message, each in `lines`."""

    def __init__(self, file: str, source: Source, found: Sequence[Mistake]) -> None:
        self.lines = [f"{source.place(file, m.loc)}: error: {m.message}" for m in found]
        super().__init__(f"{source.place(file, found[0].loc)}: {found[0].message}")


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
    """Read a procedure as `parse_procedure` does, without the checks of `flowc.checks`, which lint lists at once.

    Raises Mistakes where its keys, values or names are wrong.
    """
    source = load_yaml(text, file, "the procedure is empty; docs/procedure.md shows the smallest one")
    try:
        graph = Graph.model_validate(with_phrases(source.values))
    except ValidationError as e:
        found = sorted(_schema(e.errors()), key=lambda m: source.line(m.loc))
        raise Mistakes(file, source, found) from None
    found = []
    if graph.procedure != Path(file).stem:
        found.append(Mistake(("procedure",), f"procedure {graph.procedure!r} must have the file's name, "
                             f"{Path(file).stem!r}"))  # fmt: skip
    if found := [*found, *shape(graph)]:
        raise Mistakes(file, source, found)
    return Draft(graph, source)


def _schema(details: Sequence[ErrorDetails]) -> list[Mistake]:
    """Say what the schema refuses in the words of YAML; pydantic's speak of tuples, dictionaries and instances."""
    unknown = [d["loc"] for d in details if d["type"] == "extra_forbidden"]
    near = {loc: get_close_matches(str(loc[-1]), _keys(loc[:-1]), 1) for loc in unknown}
    meant = {(*loc[:-1], *match) for loc, match in near.items()}
    out: list[Mistake] = []
    for detail in details:
        loc, kind = detail["loc"], detail["type"]
        if kind == "missing" and loc in meant:
            continue  # said with the key that is misspelt
        if kind == "extra_forbidden":
            remedy = f"did you mean {near[loc][0]!r}?" if near[loc] else "remove it or check its spelling"
            told = f"unknown key; {remedy}"
        elif kind == "string_type" and detail["input"] is None:
            told = "has no value; write one behind the colon"
        elif kind == "too_short":
            told = f"has too few entries; write {detail['ctx']['min_length']} or more"
        else:
            problem = detail["msg"].removeprefix("Value error, ").replace("Input should be", "must be")
            told = _PLAIN.get(kind, f"{problem}; see docs/procedure.md for what belongs here")
        out.append(Mistake(loc, f"{'.'.join(map(str, loc)) or 'the document'}: {told}"))
    return out


def _keys(loc: Loc) -> list[str]:
    """Name the keys that the schema has at a location."""
    kind: Any = Graph
    for key in loc:
        if isinstance(kind, type) and issubclass(kind, Record):
            kind = kind.model_fields[str(key)].annotation
            kind = get_args(kind)[0] if get_origin(kind) is UnionType else kind
        else:
            kind = get_args(kind)[-1 if get_origin(kind) is dict else 0]
    return list(kind.model_fields)


def shape(graph: Graph) -> list[Mistake]:
    """Find names that do not resolve and parts that are not whole."""
    found = list(_names(graph))
    for name, slot in graph.slots.items():
        found += _slot(graph, name, slot)
    found += _phrases(graph)
    for name, node in graph.nodes.items():
        found += _node(graph, name, node)
    return found


def _names(graph: Graph) -> Iterator[Mistake]:
    for kind in ("slots", "tools", "nodes", "knowledge", "interrupts"):
        for name in getattr(graph, kind):
            if not name.isidentifier():
                yield Mistake((kind, name), f"{name!r} is not a name; use letters, digits and underscores")
    if graph.start not in graph.nodes:
        yield Mistake(("start",), f"start names the node {graph.start!r}, which does not exist; {_known(graph.nodes)}")
    for name, tool in graph.tools.items():
        for argument, slot in tool.arguments.items():
            if slot not in graph.slots:
                yield Mistake(("tools", name, "arguments", argument), _no_slot(slot, graph))
        for outcome, returned in tool.outcomes.items():
            for slot in returned:
                loc = ("tools", name, "outcomes", outcome)
                if slot not in graph.slots:
                    yield Mistake(loc, _no_slot(slot, graph))
                elif graph.slots[slot].source != "tool":
                    yield Mistake(loc, f"slot {slot!r} is told by the user; add `source: tool` to it")
    for name, interrupt in graph.interrupts.items():
        if interrupt.to and interrupt.to not in graph.nodes:
            yield Mistake(
                ("interrupts", name, "to"),
                f"interrupt {name!r} goes to {interrupt.to!r}, which does not exist; {_known(graph.nodes)}",
            )
        if bool(interrupt.to) == bool(interrupt.say):
            yield Mistake(("interrupts", name), f"interrupt {name!r} needs either `to` (a node) or `say` (and resume)")
    for name, fact in graph.knowledge.items():
        for i, phrase in enumerate(fact.say):
            for must in fact.must:
                if must not in phrase:
                    yield Mistake(("knowledge", name, "say", i), f"the answer lacks {must!r}, which `must` asks for")


def _slot(graph: Graph, name: str, slot: Slot) -> Iterator[Mistake]:
    given = [g for g in ("values", "join", "date", "number", "code", "share_of") if getattr(slot, g)]
    if len(given) != 1:
        yield Mistake(
            ("slots", name),
            f"slot {name!r} has {' and '.join(given) or 'no generator'}; give exactly one of values, join, "
            "date, number, code, share_of",
        )
    if slot.share_of and (slot.share_of not in graph.slots or not graph.slots[slot.share_of].number):
        yield Mistake(("slots", name, "share_of"), f"share_of names {slot.share_of!r}, which is not a slot of numbers")
    if slot.share_of and slot.source != "tool":
        yield Mistake(
            ("slots", name, "share_of"),
            f"slot {name!r} is a share, which only a tool can tell; add `source: tool`",
        )
    if slot.code and not set("@#") & set(slot.code):
        yield Mistake(("slots", name, "code"), f"code {slot.code!r} never varies; write @ for a letter, # for a digit")
    if slot.invent and (not (slot.values or slot.join) or min(map(len, slot.join or (slot.values,))) < 4):
        yield Mistake(("slots", name, "invent"), f"slot {name!r} has no pool to invent from; give `values` or `join` "
                      "four or more values, or take `invent` out")  # fmt: skip
    if len(slot.values) == 1:
        yield Mistake(("slots", name, "values"), f"slot {name!r} has one value; give at least two, or write it out")


def _node(graph: Graph, name: str, node: Node) -> Iterator[Mistake]:
    loc: Loc = ("nodes", name)
    seen: set[str] = set()
    for i, edge in enumerate(node.edges):
        here = (*loc, "edges", i)
        if edge.to not in graph.nodes:
            yield Mistake((*here, "to"), f"edge {name}.{edge.id} goes to {edge.to!r}, which does not exist; "
                          f"{_known(graph.nodes)}")  # fmt: skip
        if edge.id in seen:
            yield Mistake((*here, "id"), f"node {name!r} has two edges with the id {edge.id!r}; rename one")
        seen.add(edge.id)
        for slot, change in edge.renews.items():
            if slot not in graph.slots:
                yield Mistake((*here, "renews"), _no_slot(slot, graph))
            elif change != "any" and not graph.slots[slot].number:
                yield Mistake((*here, "renews", slot), f"slot {slot!r} has no numbers to go {change}; write `any`")
        yield from _edge(graph, name, node, edge, here)
    if node.terminal and node.edges:
        yield Mistake(loc, f"terminal {name!r} has edges; remove them or `terminal`")
    if node.role == "tool":
        if node.calls not in graph.tools:
            yield Mistake((*loc, "calls"), f"tool node {name!r} calls {node.calls!r}; {_known(graph.tools)}")
        elif missing := set(graph.tools[node.calls].outcomes) - {e.outcome for e in node.edges if e.outcome}:
            yield Mistake(loc, f"tool node {name!r} has no edge for outcome {min(missing)!r}; add one")
    elif node.calls:
        yield Mistake((*loc, "calls"), f"node {name!r} has role {node.role}; only a tool node calls a tool")
    if node.role == "agent" and not node.say:
        yield Mistake(loc, f"agent node {name!r} has nothing to say; give it `say`, a bank of phrasings")
    if node.waits and not all(e.says for e in node.edges):
        yield Mistake(
            loc, f"node {name!r} mixes edges that the user speaks with edges without `says`; give each a bank"
        )
    if node.role == "agent" and not node.waits:
        yield from _silent(graph, name, node)


def _silent(graph: Graph, name: str, node: Node) -> Iterator[Mistake]:
    """An agent node to which the user does not reply is spoken in one breath with the one next agent node."""
    loc: Loc = ("nodes", name)
    if node.is_hub:
        yield Mistake(loc, f"agent node {name!r} has several edges and none that the user speaks; give each `says`")
    elif node.edges and node.edges[0].to in graph.nodes and graph.nodes[node.edges[0].to].role != "agent":
        yield Mistake(loc, f"agent node {name!r} speaks, but nobody answers before a tool is called; give its edge "
                      "`says`, or say it behind the tool")  # fmt: skip


def _edge(graph: Graph, name: str, node: Node, edge: Edge, here: Loc) -> Iterator[Mistake]:
    if edge.outcome is not None:
        if node.role != "tool":
            yield Mistake((*here, "outcome"), f"edge {name}.{edge.id} has an outcome, but {name!r} is no tool node")
        elif node.calls in graph.tools and edge.outcome not in graph.tools[node.calls].outcomes:
            yield Mistake((*here, "outcome"), f"tool {node.calls!r} has no outcome {edge.outcome!r}; "
                          f"{_known(graph.tools[node.calls].outcomes)}")  # fmt: skip
    elif node.role == "tool":
        yield Mistake(here, f"edge {name}.{edge.id} leaves a tool node; say for which `outcome`")
    if node.role == "tool" and edge.says:
        yield Mistake(
            (*here, "says"),
            f"edge {name}.{edge.id} leaves a tool node, where no user speaks; remove its `says`",
        )
    for slot in edge.gives:
        if slot in graph.slots and graph.slots[slot].source == "tool":
            yield Mistake((*here, "says"), f"slot {slot!r} comes from a tool, so a user cannot tell it; take it out")
    wanted = set(edge.gives)
    for i, phrase in enumerate(edge.says):
        mentioned = set(placeholders([phrase]))
        # What `_phrase` refuses, in this phrase or in the first, is not said a second time.
        if mentioned != wanted and _braced(graph, phrase) and _braced(graph, edge.says[0]):
            yield Mistake(
                (*here, "says", i),
                f"this phrase mentions {sorted(mentioned)}, but the first of the bank "
                f"mentions {sorted(wanted)}; all phrases of an edge give the same slots",
            )


def _braced(graph: Graph, phrase: str) -> bool:
    """Whether all that stands in braces is a slot."""
    return not {"{", "}"} & set(PLACEHOLDER.sub("", phrase)) and set(placeholders([phrase])) <= set(graph.slots)


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


def _phrases(graph: Graph) -> Iterator[Mistake]:
    for loc, bank in _banks(graph):
        for i, phrase in enumerate(bank):
            if wrong := _phrase(graph, loc, bank[:i], phrase):
                yield Mistake((*loc, i), wrong)


def _phrase(graph: Graph, loc: Loc, before: Sequence[str], phrase: str) -> str | None:
    """Say what is wrong with a phrase of the bank at `loc`, if anything is."""
    try:
        fields = [f for f in string.Formatter().parse(phrase) if f[1] is not None]
    except ValueError as e:
        return f"phrase {phrase!r}: {e}; braces are for slots, as in {{city}}"
    if not phrase.strip():
        return "an empty phrase; remove it"
    names = {str(field) for _, field, _, _ in fields}
    for slot in sorted(names - set(graph.slots)):
        return f"phrase {phrase!r}: {_no_slot(slot, graph)}"
    for _, name, form, conversion in fields:
        if form or conversion:
            return f"phrase {phrase!r} has more than a name in braces; write {{{name}}}"
    if phrase in before:
        return f"phrase {phrase!r} stands twice in its bank; remove one"
    kind, owner = str(loc[0]), str(loc[1])
    if kind == "slots" and owner not in names:
        return f"phrase {phrase!r} does not mention {{{owner}}}; put it in"
    allowed = {"slots": {owner}, "nodes": names}.get(kind, set())
    if names - allowed:
        return (f"phrase {phrase!r} mentions {min(names - allowed)!r}, whose value may not be known when it is said; "
                "take it out")  # fmt: skip
    return None


def _known(names: Any) -> str:
    listed = sorted(names)
    return f"known are {', '.join(listed[:20])}" if listed else "none is defined"


def _no_slot(slot: str, graph: Graph) -> str:
    return f"slot {slot!r} is not defined; add it under `slots` or correct the name ({_known(graph.slots)})"
