"""Make a canonical Graph of a Chart: boxes speak their labels, arrows are answers, phrases are built in.

Every chart can be left at any moment: for a person, to cancel, or with something beside the point. The phrases are
English, so a chart in another language is refused.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import islice, permutations
from typing import NamedTuple

from flowc.built_in_phrases import (
    AGAIN,
    ANSWERS,
    BACK,
    CLAUSES,
    CORRECTIONS,
    ENDINGS,
    HEARD,
    MENTIONS,
    NOTED,
    QUESTIONS,
    STATEMENTS,
    VALUES,
    kinds_of,
)
from flowc.chart import Arrow, Box, Chart, Escape
from flowc.chart_flow import OTHERWISE, Fail, Flow, failing, flow_of, loops, said
from flowc.chart_words import (
    answer,
    identifier,
    identifiers,
    is_only_end,
    last_words,
    sentence,
    small,
    speech,
    terminal_of,
)
from flowc.checks import known_slots
from flowc.graph import Change, Edge, Graph, Interrupt, Node, Slot, Terminal, Tool, split_bank
from flowc.languages import foreign
from flowc.parse import Draft, Drawn, Mistakes, shape
from flowc.yaml_lines import Loc, Source

_TO: dict[str, tuple[Terminal, str]] = {"human": ("escalation", "the customer wants to talk to a person"),
                                        "cancel": ("abandonment", "the customer does not want to go on")}  # fmt: skip
_LAST: dict[Terminal, str] = {
    "success": "End the conversation.",
    "escalation": "Hand over to a colleague.",
    "abandonment": "Stop here.",
}
"""What teachers are told of an end without words."""
_ORDERS = 1000  # orders of a pool that are tried


class _Slots(NamedTuple):
    """The slots of a chart: the Graph's, and what the chart calls each; values of slots with only one; who asks."""

    slots: dict[str, Slot]
    names: dict[str, str]
    only: dict[str, str]
    asked: dict[str, str]
    """What a box asks for, as the chart calls it, for the boxes that do."""


def draft_of(chart: Chart, file: str) -> Draft:
    """Make the procedure that the chart draws, without the checks of `flowc.checks`; `file` names it in messages.

    Lines are those of boxes, arrows and ways out; a slot's is that of the first box that asks for it. What is built in
    has none. Raises UserError `file:line: what is wrong; what to do` for the first mistake.
    """
    fail = failing(file)
    _refuse_other_languages(chart, fail)
    flow = flow_of(chart, fail)
    names = identifiers({box_id: box.label for box_id, box in flow.boxes.items()})
    slots = _slots(chart, flow)
    anew = _asked_anew(slots)
    again = {key: {anew[b] for b in boxes & anew.keys()} for key, boxes in (loops(flow) if anew else {}).items()}
    nodes, tools = dict[str, Node](), dict[str, Tool]()
    for box_id, box in flow.boxes.items():
        renews = [again.get((box_id, i), set()) for i in range(len(flow.ways[box_id]))]
        node = _node(flow, box_id, names, slots, renews)
        nodes[names[box_id]] = node
        if node.calls:
            outcomes: dict[str, tuple[str, ...]] = {e.outcome: () for e in node.edges if e.outcome}
            tools[node.calls] = Tool(description=sentence(box.label or box_id), arguments={}, outcomes=outcomes)
    title = chart.title.rstrip(". ") or chart.name.replace("_", " ").strip().capitalize() or chart.name
    interrupts, drawn = _interrupts(chart, flow, names, nodes)
    graph = Graph(
        procedure=chart.name,
        title=title,
        system=f"You are a helpful assistant for this matter: {small(title)}.",
        start=names[flow.start],
        slots=slots.slots,
        tools=tools,
        nodes=nodes,
        interrupts=interrupts,
    )
    graph = _with_arguments(graph)
    assumed = tuple(
        ("nodes", names[n], "edges", i) for n, ways in flow.ways.items() for i, a in enumerate(ways) if a.assumed
    )
    unasked = tuple(s for s, values in chart.slots.items() if values and s not in {*slots.names, *slots.only})
    draft = Draft(graph, Source(None, _lines(flow, names, slots) | drawn, {}), Drawn(assumed, flow.guessed, unasked))
    if found := shape(graph):
        raise Mistakes(file, draft.source, found)
    return draft


def _refuse_other_languages(chart: Chart, fail: Fail) -> None:
    """Refuse a chart in another language than that of the phrases which are built in."""
    drawn: list[Box | Arrow | Escape] = [*chart.boxes.values(), *chart.arrows, *chart.escapes]
    words = [" ".join(w for w in d.label.split() if len(w) > 1) for d in drawn]  # a box may be called A
    if found := foreign(words, "en"):
        fail(drawn[found.message].line,
             f"the chart is in {found.language}, and a chart's users and assistant are given English phrases; "
             "translate its labels, or write the procedure with phrases of its own (docs/procedure.md)")  # fmt: skip


def _lines(flow: Flow, names: Mapping[str, str], slots: _Slots) -> dict[Loc, int]:
    """Give the lines of nodes and their edges, of tools and of slots."""
    out: dict[Loc, int] = {}
    for box_id, box in flow.boxes.items():
        out["nodes", names[box_id]] = box.line
        out |= {("nodes", names[box_id], "edges", i): way.line for i, way in enumerate(flow.ways[box_id])}
        if box.kind == "tool":
            out["tools", names[box_id]] = box.line
        if slot := slots.names.get(slots.asked.get(box_id) or ""):
            out.setdefault(("slots", slot), box.line)
    return out


def _with_arguments(graph: Graph) -> Graph:
    """Pass to each tool what is known wherever it is called."""
    known = known_slots(graph)
    calls = {node.calls: name for name, node in graph.nodes.items() if node.calls}
    tools = {t: tool.model_copy(update={"arguments": {s: s for s in sorted(known[calls[t]])}})
             for t, tool in graph.tools.items()}  # fmt: skip
    return graph.model_copy(update={"tools": tools})


def _askers(flow: Flow) -> dict[str, str]:
    """Find the boxes that ask for something, each with what; where several arrows leave one, these are the answer.

    Nor does a box right before an end ask what another box asks too: what is known already is skipped, and scenarios
    do not look for their ending behind a step that is skipped.
    """
    times = Counter(box.collects for box in flow.boxes.values())
    out: dict[str, str] = {}
    for box_id, box in flow.boxes.items():
        ways = flow.ways[box_id]
        if box.collects is None or box.kind in ("tool", "end") or len(ways) != 1:
            continue
        if times[box.collects] == 1 or flow.ways[ways[0].target]:
            out[box_id] = box.collects
    return out


def _slots(chart: Chart, flow: Flow) -> _Slots:
    slots, names, only = dict[str, Slot](), dict[str, str](), dict[str, str]()
    pools: set[tuple[str, ...]] = set()
    askers = _askers(flow)
    for asked in dict.fromkeys(askers.values()):
        found = {" ".join(v.split()).casefold(): " ".join(v.split()) for v in reversed(chart.slots.get(asked, ()))}
        values = tuple(v for v in reversed(found.values()) if v)
        if len(values) == 1:
            only[asked] = values[0]
        if len(values) > 1:
            names[asked] = identifier(re.sub(r"(?<=[a-z])(?=[A-Z])", " ", asked), "slot", slots)
            slots[names[asked]] = _slot(names[asked], values, pools)
    return _Slots(slots, names, only, askers)


def _slot(name: str, values: tuple[str, ...], pools: set[tuple[str, ...]]) -> Slot:
    """Make a slot with built-in phrases.

    Slots with the very same pool never have the same value (`slots.draw`: no flight from Oslo to Oslo), but the pools
    of a chart are often yes and no: each gets an order of its own, or is a join, where no orders are left.
    """
    words = name.replace("_", " ")

    def bank(frames: Sequence[str]) -> tuple[str, ...]:
        return tuple(f.replace("{name}", words).replace("{x}", f"{{{name}}}") for f in frames)

    order = next((p for p in islice(permutations(values), _ORDERS) if p not in pools), None)
    pools.update([order] if order else [])
    return Slot(
        values=order or (),
        join=() if order else (values,),
        mention=bank(MENTIONS),
        corrections=bank(CORRECTIONS) if _has_others(values) else (),
        noted=bank(NOTED),
    )


def _has_others(values: tuple[str, ...]) -> bool:
    """Whether each part of a pool has another value to change to."""
    return min(len(bank) for bank in split_bank(values)) > 1


def _asked_anew(slots: _Slots) -> dict[str, str]:
    """Give the boxes whose slot may be asked anew, each with its slot."""
    named = {box_id: slots.names[asked] for box_id, asked in slots.asked.items() if asked in slots.names}
    return {box_id: name for box_id, name in named.items() if slots.slots[name].corrections}


def _node(flow: Flow, box_id: str, names: Mapping[str, str], slots: _Slots, renews: Sequence[set[str]]) -> Node:
    box, ways = flow.boxes[box_id], flow.ways[box_id]
    terminal = box.terminal or terminal_of(box.label)
    wordless = box_id if ways else _LAST[terminal]
    instruction = sentence(box.label if re.search(r"\w", box.label) else wordless)
    instruction += f" {sentence(box.note)}" if box.note else ""
    if not ways:
        only = is_only_end(box.label)
        said_last = ENDINGS[terminal] if only else _frames(STATEMENTS, last_words(box.label))
        return Node(role="agent", instruction=instruction, say=said_last, terminal=terminal)
    ids: list[str] = []
    for arrow in ways:
        ids.append(identifier(arrow.label or ("done" if box.kind == "tool" else "next"), "way", ids))
    changes: list[dict[str, Change]] = [dict.fromkeys(sorted(r), "any") for r in renews]
    if box.kind == "tool":
        edges = [Edge(id=i, to=names[a.target], when=a.label or "it is done", outcome=i, renews=r)
                 for i, a, r in zip(ids, ways, changes, strict=True)]  # fmt: skip
        return Node(role="tool", instruction=instruction, calls=names[box_id], edges=tuple(edges))
    spoken = speech(box.label, box.kind == "question")
    banks = _banks(ways, box.collects is not None) if ways[0].label else [_reply(spoken.manner)]
    collects = slots.asked.get(box_id)
    if collects in slots.names:
        banks = [tuple(f.replace("{x}", f"{{{slots.names[collects]}}}") for f in VALUES)]
    elif collects in slots.only:
        banks = [_values(slots.only[collects])]
    edges = [Edge(id=i, to=names[a.target], when=_when(a, spoken.manner), says=says, renews=r)
             for i, a, says, r in zip(ids, ways, banks, changes, strict=True)]  # fmt: skip
    frames = STATEMENTS if spoken.manner in ("statement", "request") else QUESTIONS
    return Node(role="agent", instruction=instruction, say=_frames(frames, spoken.text),
                again=_frames(AGAIN, spoken.text), edges=tuple(edges))  # fmt: skip


def _frames(frames: Sequence[str], text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(sentence(f.format(text=text, small=small(text))) for f in frames))


def _when(arrow: Arrow, manner: str) -> str:
    if arrow.label:
        return arrow.label
    return "the customer has understood" if manner in ("statement", "request") else "the customer answers"


def _reply(manner: str) -> tuple[str, ...]:
    """What is said to a box that a single arrow without words leaves: whatever it is, the way is the same."""
    if manner == "yes_no":
        return (*ANSWERS["yes"], *ANSWERS["no"])
    return ANSWERS[{"open": "open", "offer": "agree", "request": "done"}.get(manner, "acknowledge")]


def _banks(ways: Sequence[Arrow], asks: bool) -> list[tuple[str, ...]]:
    """Give each of a box's arrows what users say to go that way; no phrase leads two ways.

    Words that were not meant as an answer have none of the built-in answers. Where the box asks for a slot, "otherwise"
    is any other value of it.
    """
    labels = [arrow.label for arrow in ways]
    kinds = kinds_of(["" if arrow.assumed else arrow.label for arrow in ways])
    if asks:
        kinds = [
            "open" if k == "other" and said(label) == OTHERWISE else k for label, k in zip(labels, kinds, strict=True)
        ]
    banks = []
    for label, kind in zip(labels, kinds, strict=True):
        alone = kind is not None and kinds.count(kind) == 1
        own = [] if alone and said(label) == OTHERWISE else [sentence(answer(label))]
        banks.append(dict.fromkeys([*own, *(ANSWERS[kind] if kind and alone else _values(label))]))
    shared = Counter(key for bank in banks for key in {said(p) for p in bank})
    out = []
    for label, bank in zip(labels, banks, strict=True):
        phrases = {said(p): p for p in reversed(bank) if shared[said(p)] == 1}
        kept = tuple(reversed(phrases.values()))
        more = sentence(f"I choose this: {small(answer(label))}"), sentence(f"This one: {small(answer(label))}")
        out.append(kept if len(kept) > 1 else (*kept, *more))
    return out


def _values(label: str) -> tuple[str, ...]:
    """Wrap the words of an arrow or a value as users say them, a sentence otherwise than a word."""
    text = answer(label)
    if re.match(r"I\b", text) or len(text.split()) > 4:
        return _frames(CLAUSES, sentence(text))
    return tuple(
        dict.fromkeys(sentence(f.replace("{x}", text if f.startswith("{x}") else small(text))) for f in VALUES)
    )


class _Interrupts(NamedTuple):
    """Interrupts, and the lines of those that the chart draws."""

    all: dict[str, Interrupt]
    lines: dict[Loc, int]


def _interrupts(chart: Chart, flow: Flow, names: Mapping[str, str], nodes: dict[str, Node]) -> _Interrupts:
    """Give the chart's ways out, and the built-in ones that it has not; their endings are added where none is."""
    out, lines = dict[str, Interrupt](), dict[Loc, int]()
    kinds = {"escalation": "human", "abandonment": "cancel"}
    found: set[str] = set()
    for i, escape in enumerate(chart.escapes):
        kind = kinds.get(terminal_of(escape.label), "")
        own = _frames(CLAUSES, sentence(answer(escape.label)))
        says = (own[0], *ANSWERS[kind]) if kind and kind not in found else own
        found.add(kind)
        name = identifier(escape.label, "way_out", [*out, "human", "cancel", "off_topic"])
        to = names[flow.escapes[i]]
        if nodes[to].role == "tool":
            to = _heard(escape.label, to, nodes)
            lines["nodes", to] = escape.line
        lines["interrupts", name] = escape.line
        out[name] = Interrupt(when=escape.label, says=tuple(dict.fromkeys(says)), to=to)
    for kind, (terminal, when) in _TO.items():
        if kind not in found:
            ending = next((n for n, node in nodes.items() if node.terminal == terminal), None)
            if ending is None:
                ending = identifier("colleague takes over" if kind == "human" else "cancelled", kind, nodes)
                nodes[ending] = Node(
                    role="agent", instruction=_LAST[terminal], say=ENDINGS[terminal], terminal=terminal
                )
            out[kind] = Interrupt(when=when, says=ANSWERS[kind], to=ending)
    out["off_topic"] = Interrupt(
        when="the customer says something beside the point", says=ANSWERS["off_topic"], say=BACK
    )
    return _Interrupts(out, lines)


def _heard(label: str, to: str, nodes: dict[str, Node]) -> str:
    """Add a step before a tool to which a way out leads: a conversation stops with the answer to an interruption."""
    name = identifier(f"heard {label}", "heard", nodes)
    edge = Edge(id="next", to=to, when="the customer has understood", says=ANSWERS["acknowledge"])
    text = f"I have understood this: {small(sentence(label))}"
    nodes[name] = Node(role="agent", instruction="Say that this has been understood.", say=_frames(HEARD, text),
                       edges=(edge,))  # fmt: skip
    return name
