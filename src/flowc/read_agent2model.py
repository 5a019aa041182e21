"""Read an agent2model flowchart (YAML) into a Chart.

The file has `name`, `description`, `start`, `nodes` and `scenario_variables`. A node is an end with `terminal:
success | abandonment | escalation`, or has a `role` (agent, user, decision or tool), a `prompt` and `next`, a list of
node ids or of `{to, when}`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection
from typing import get_args

from flowc.chart import Arrow, Box, Chart, Kind
from flowc.graph import Terminal
from flowc.yaml_fields import Fields, words
from flowc.yaml_lines import Loc

_KINDS: dict[str, Kind] = {"agent": "step", "decision": "question", "tool": "tool"}
_ASKS = re.compile(
    r"\b(?:ask|request|collect|get|obtain|gather|enquire|inquire|what|which|when|where|who|how)\b|\?", re.I
)
_TERMINALS: tuple[Terminal, ...] = get_args(Terminal)


def read_agent2model(text: str, file: str, name: str) -> Chart:
    """Read one flowchart; `name` is the procedure's name, and the title is the description or else the file's `name`.

    A box is labelled with the prompt, or with the words of its id. What a user says is no box of a Chart: a node of
    that role becomes the label of the arrows that lead through it. Each scenario variable becomes a slot with the
    values of its list, numbers as they are written; where a description stands in place of a list, any text will do.
    It is collected where a prompt asks for it by its name and one way leads on; in braces, its name stands in words.
    Raises UserError `file:line:column: what is wrong; what to do`.
    """
    doc = Fields(text, file, "the flowchart is empty; it needs `nodes`")
    doc.keys((), ("name", "description", "start", "nodes", "scenario_variables"))
    ids = dict.fromkeys(doc.keys(("nodes",)))
    if not ids:
        doc.fail(("nodes",), "the flowchart has no node; add one under `nodes`")
    users = {i for i in ids if _role(doc, i) == "user"}
    start = doc.name(("start",)) or None
    if start is not None and start not in ids:
        doc.fail(("start",), f"start names the node {start!r}, which does not exist; correct it or add the node")
    if start in users:
        doc.fail(("start",), f"start names {start!r}, where the user speaks; start with a node of the role agent")
    boxes = {i: _box(doc, i) for i in ids if i not in users}
    if not boxes:
        doc.fail(("nodes",), "nobody but the user speaks; add a node of the role agent")
    drawn = {i: _arrows(doc, i, ids) for i in ids}
    arrows = [arrow for i in boxes for arrow in _through(doc, drawn[i], drawn, users)]
    slots = {slot: _values(doc, slot) for slot in doc.keys(("scenario_variables",))}
    ways = Counter(arrow.source for arrow in arrows)
    for i, box in boxes.items():
        if box.kind == "step" and ways[i] == 1:
            boxes[i] = box.model_copy(update={"collects": _asked(box.label, slots)})
    reached = {arrow.target for i in boxes for arrow in drawn[i]}
    for i in ids:
        if i in users and i not in reached:
            doc.fail(("nodes", i), f"no node leads to {i!r}, where the user speaks; add it to a `next` or remove it")
    return Chart(
        name=name,
        title=doc.text(("description",)) or doc.text(("name",)),
        start=start,
        boxes=boxes,
        arrows=tuple(arrows),
        slots=slots,
    )


def _role(doc: Fields, node: str) -> str:
    """Give the role of a node that is no end, else an empty text."""
    loc: Loc = ("nodes", node)
    if not node.strip():
        doc.fail(loc, "a node has no id; name it")
    keys = doc.keys(loc, ("role", "prompt", "next", "terminal"))
    role = doc.text((*loc, "role"))
    if role not in (*_KINDS, "user", ""):
        doc.fail((*loc, "role"), f"role {role!r} is none of {', '.join(_KINDS)}, user; choose one")
    if "terminal" in keys:
        return ""
    if not role:
        doc.fail(loc, f"node {node!r} has neither a role nor `terminal`; give it one")
    return role


def _box(doc: Fields, node: str) -> Box:
    loc: Loc = ("nodes", node)
    variables = doc.keys(("scenario_variables",))
    prompt = re.sub(r"\{(\w+)\}", lambda m: words(m[1]) if m[1] in variables else m[0], doc.text((*loc, "prompt")))
    label = prompt or words(node)
    if "terminal" not in doc.keys(loc):
        return Box(label=label, kind=_KINDS[doc.text((*loc, "role"))], line=doc.line(loc))
    ending = doc.text((*loc, "terminal"))
    found = [t for t in _TERMINALS if t == ending]
    if not found:
        doc.fail((*loc, "terminal"), f"terminal {ending!r} is none of {', '.join(_TERMINALS)}; choose one")
    return Box(label=label, kind="end", terminal=found[0], line=doc.line(loc))


def _arrows(doc: Fields, node: str, ids: Collection[str]) -> list[Arrow]:
    loc: Loc = ("nodes", node, "next")
    ends = "terminal" in doc.keys(("nodes", node))
    places = [loc] if isinstance(doc.get(loc), str) else doc.items(loc)
    if ends and places:
        doc.fail(loc, f"node {node!r} ends the conversation, but leads on; remove `next` or `terminal`")
    if not ends and not places:
        doc.fail(("nodes", node), f"node {node!r} is a dead end; give it `next` or `terminal`")
    arrows = []
    for place in places:
        plain = not isinstance(doc.get(place), dict)
        if not plain:
            doc.keys(place, ("to", "when"))
        to = place if plain else (*place, "to")
        target = doc.name(to)
        if target not in ids:
            doc.fail(to, f"node {node!r} leads to {target!r}, which does not exist; correct it or add the node")
        when = "" if plain else doc.text((*place, "when"))
        arrows.append(Arrow(source=node, target=target, label=when, line=doc.line(to)))
    return arrows


def _through(doc: Fields, arrows: list[Arrow], drawn: dict[str, list[Arrow]], users: set[str]) -> list[Arrow]:
    """Lead the arrows into nodes where the user speaks on to what is behind them, with what is said as their label."""
    out = []
    for arrow in arrows:
        if arrow.target not in users:
            out.append(arrow)
            continue
        said = doc.text(("nodes", arrow.target, "prompt")) or words(arrow.target)
        for behind in drawn[arrow.target]:
            if behind.target in users:
                doc.fail(("nodes", behind.target), f"the user speaks at {arrow.target!r} and again at "
                         f"{behind.target!r}; join the two nodes")  # fmt: skip
            label = ": ".join(part for part in (arrow.label, said, behind.label) if part)
            out.append(Arrow(source=arrow.source, target=behind.target, label=label, line=behind.line))
    return out


def _asked(prompt: str, slots: Collection[str]) -> str | None:
    """Find the scenario variable that a prompt asks for: the one with the most words, of those named in it."""
    if not _ASKS.search(prompt):
        return None
    said = prompt.casefold()
    named = {s: words(s).casefold() for s in slots}
    found = [s for s, w in named.items() if w in said and re.search(rf"(?<!\w){re.escape(w)}s?(?!\w)", said)]
    return max(found, key=len, default=None)


def _values(doc: Fields, slot: str) -> tuple[str, ...]:
    loc: Loc = ("scenario_variables", slot)
    if not isinstance(doc.get(loc), tuple):
        doc.text(loc)  # a description, or nothing
        return ()
    values = tuple(doc.text(place) for place in doc.items(loc))
    if "" in values:
        doc.fail((*loc, values.index("")), f"variable {slot!r} has an empty value; remove it")
    return values
