"""The steps of one flow of Rasa CALM (flows.yml) as they are written, checked: what `read_rasa` draws."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from flowc.chart import Box, Kind
from flowc.yaml_fields import Fields, where, words
from flowc.yaml_lines import Loc

END = "END"
_FLOW = ("name", "description", "steps")
# When Rasa may start a flow, and what it keeps afterwards: nothing that happens in the conversation itself. Flows
# that are called or linked to start whatever their `if` says.
_DIGRESSIONS = ("ask_confirm_digressions", "block_digressions")  # what Rasa does when the user leaves the flow
_FLOW_IGNORED = ("if", "nlu_trigger", "persisted_slots", "always_include_in_prompt", "run_pattern_completed",
                 *_DIGRESSIONS)  # fmt: skip
_STEP = ("id", "next", "description")
_STEP_IGNORED = ("metadata",)  # where the editor draws the step
# When Rasa fills a slot, and how long it waits.
_COLLECT_IGNORED = ("ask_before_filling", "reset_after_flow_ends", "force_slot_filling", "silence_timeout",
                    *_DIGRESSIONS)  # fmt: skip
_AGENT = ("exit_if",)  # of a call to an agent, which decides by itself what is said
_TYPES: dict[str, tuple[str, ...]] = {
    "action": (), "collect": ("utter", "rejections", *_COLLECT_IGNORED), "set_slots": (), "noop": (),
    "call": ("mcp_server", "mapping", *_AGENT), "link": (),
}  # fmt: skip
_YES_NO = re.compile(
    r"(?:is|are|was|were|has|have|does|did|can|will)\b|.*(?:confirm|accept|agree|consent|correct)", re.I
)
_VALUE = (
    r"""(?:"[^"]*"|'[^']*'|(?!(?:null|none|not|empty|true|false)\b)[^\s"'<>=()]+"""
    r"""(?:\s+(?!(?:and|or|not|is|equals)\b)[^\s"'<>=()]+)*)"""
)
"""A value in quotes, or words without that are no rule of their own."""
_BOOLEAN = re.compile(r"\b(?:true|false|bool|boolean|yes|affirms?|confirms?|whether)\b", re.I)


class Link(NamedTuple):
    """A way on: to a step at a place, to one with an id, or (neither) to the end of the flow."""

    loc: Loc
    label: str = ""
    default: bool = False
    to: Loc = ()
    id: str = ""


class Step(NamedTuple):
    """A step of a flow as it is written. `box` is what it is drawn as, None for what only leads on."""

    loc: Loc
    type: str
    own: str
    """The id that it has in the file, or empty."""
    id: str
    box: Box | None
    links: tuple[Link, ...]


def read_flow(doc: Fields, flow: str) -> list[Step]:
    """List the steps of a flow, those inside branches behind the one that branches."""
    loc: Loc = ("flows", flow)
    doc.keys(loc, (*_FLOW, *_FLOW_IGNORED))
    places = doc.items((*loc, "steps"))
    if not places:
        doc.fail(loc, f"flow {flow!r} has no steps; add one under `steps`")
    steps: list[Step] = []
    _read_sequence(doc, places, True, steps)
    named: set[str] = set()
    for step in steps:
        if step.own in named:
            doc.fail((*step.loc, "id"), f"the id {step.own!r} stands twice in flow {flow!r}; rename one")
        named |= {step.own} - {""}
    for step in steps:
        for link in step.links:
            if link.id and link.id not in named:
                doc.fail(link.loc, f"there is no step {link.id!r} in flow {flow!r}; correct the id, or write {END}")
    return [_chosen_by_slot(doc, step, steps) for step in steps]


def _read_sequence(doc: Fields, places: list[Loc], root: bool, steps: list[Step]) -> None:
    for i, loc in enumerate(places):
        keys = doc.keys(loc)
        types = [key for key in keys if key in _TYPES]
        if len(types) != 1:
            doc.fail(loc, f"a step needs exactly one of {', '.join(_TYPES)}; it has {' and '.join(types) or 'none'}")
        doc.keys(loc, (types[0], *_STEP, *_STEP_IGNORED, *_TYPES[types[0]]))
        for key in {*_AGENT} & set(keys):
            doc.fail((*loc, key), f"{key} belongs to a call of an agent, which decides by itself what is said; draw "
                     "what it says as steps, or put an action in its place")  # fmt: skip
        nested: list[list[Loc]] = []
        links = _read_next(doc, (*loc, "next"), nested)
        if types[0] == "link" and links:
            doc.fail((*loc, "next"), "nothing comes behind a link; remove this `next`, or write `call` for `link`")
        if not links and i + 1 < len(places):
            links = [Link(loc, to=places[i + 1])]
        elif not links and not root and types[0] != "link":
            doc.fail(loc, f"the last step of a branch needs a `next`; add one, `next: {END}` to end the flow")
        number = len(steps)
        own = doc.name((*loc, "id"))
        if own == END:
            doc.fail((*loc, "id"), f"the id {END} means the end of a flow; rename the step")
        if types[0] == "collect":
            links = _answers(doc, loc, links)
        box = _box(doc, loc, types[0], own, links)
        what = doc.get((*loc, types[0]))
        plain = f"{number}_{types[0]}" + (f"_{what}" if isinstance(what, str) and types[0] != "noop" else "")
        steps.append(Step(loc, types[0], own, own or plain, box, tuple(links or [Link(loc)])))
        for inner in nested:
            _read_sequence(doc, inner, False, steps)


def _read_next(doc: Fields, loc: Loc, nested: list[list[Loc]]) -> list[Link]:
    """Read the ways on; none where nothing is written. Steps inside are added to `nested`."""
    value = doc.get(loc)
    if not isinstance(value, tuple):
        return [_target(doc, loc, Link(loc), nested)] if doc.name(loc) else []
    places = doc.items(loc)
    branches = [place for place in places if {"if", "else"} & set(doc.keys(place))]
    if not branches:
        return [_target(doc, loc, Link(loc), nested)]
    links = []
    for place in places:
        if "else" in doc.keys(place):
            doc.keys(place, ("else",))
            links.append(_target(doc, (*place, "else"), Link((*place, "else"), default=True), nested))
        else:
            doc.keys(place, ("if", "then"))
            label = condition(doc, (*place, "if"))
            links.append(_target(doc, (*place, "then"), Link((*place, "if"), label=label), nested))
    if sum(link.default for link in links) != 1:
        doc.fail(loc, "a branching `next` needs exactly one `else`; add it with where to go when nothing else holds")
    return links


def _target(doc: Fields, loc: Loc, link: Link, nested: list[list[Loc]]) -> Link:
    if isinstance(doc.get(loc), tuple):
        inner = doc.items(loc)
        if not inner:
            doc.fail(loc, f"{where(loc)} has no step; add one, or write {END}")
        nested.append(inner)
        return link._replace(to=inner[0])
    target = doc.name(loc)
    if not target:
        doc.fail(loc, f"{where(loc)} is empty; give it the id of a step, steps, or {END}")
    return link if target == END else link._replace(id=target)


def _answers(doc: Fields, loc: Loc, links: list[Link]) -> list[Link]:
    """Write conditions on the slot that is collected right here as what the user answers: values, yes or no.

    That a slot has a value at all means yes where its name or description says that it is true or false.
    """
    slot = doc.text((*loc, "collect"))
    name = re.escape(slot.replace("_", " "))
    own = slot.removeprefix(f"{loc[1]}_").replace("_", " ")
    boolean = _YES_NO.match(own) or _BOOLEAN.search(doc.text((*loc, "description")))
    plain = "" if boolean else "(?!)"
    same = r"(?:==?|is|equals)"
    rules = (
        (rf"{plain}{name}|{name} {same} true", "yes"),
        (rf"{plain}not {name}|{name} {same} false|{name} (?:!=|is not) true", "no"),
    )  # fmt: skip
    out = []
    for link in links:
        found = [word for rule, word in rules if re.fullmatch(rule, link.label, re.IGNORECASE)]
        out.append(link._replace(label=found[0]) if found else _by_values(doc, slot, link))
    return out if _differ(out) else links


def _chosen_by_slot(doc: Fields, step: Step, steps: Sequence[Step]) -> Step:
    """Let a `noop` whose conditions all compare one slot ask for it as a `collect` does, and the values be the answers.

    Behind the collect of that slot it has no words, as the step before has asked already. Behind a tool, whose results
    its conditions are, and with a description it stays as it is.
    """
    before = [s for s in steps for li in s.links if step.loc == li.to or (step.own and step.own == li.id)]
    slot = _compared(doc, step.links)
    if step.type != "noop" or step.box is None or not slot or doc.text((*step.loc, "description")):
        return step
    links = tuple(_by_values(doc, slot, link) for link in step.links)
    if links == step.links or not _differ(links) or any(s.box and s.box.kind == "tool" for s in before):
        return step
    asked = [s.box is not None and s.box.collects == slot and len(s.links) == 1
             and not doc.items((*s.loc, "rejections")) for s in before]  # fmt: skip
    label = (
        ""
        if asked and all(asked) and step is not steps[0]
        else _asked(words(slot.removeprefix(f"{step.loc[1]}_") or slot), links)
    )
    return step._replace(box=step.box.model_copy(update={"label": label}), links=links)


def _compared(doc: Fields, links: Sequence[Link]) -> str:
    """Name the slot that every condition compares with something, empty where there is none."""
    compared = r"\b(?:slots\.|context\.)?(\w+)\s*(?:==?|\b(?:is|equals)\b)"
    slots = [re.findall(compared, doc.text(link.loc), re.IGNORECASE) for link in links if link.label]
    return next((slot for slot in (slots[0] if slots else ()) if all(slot in found for found in slots)), "")


def _differ(links: Sequence[Link]) -> bool:
    return len({link.label for link in links}) == len(links)


def _by_values(doc: Fields, slot: str, link: Link) -> Link:
    """Write a condition that only compares a slot with a value, or with one or another, as the values."""
    if not link.label:
        return link
    compared = rf"(?:(?:slots|context)\.)?{re.escape(slot)}\s*(?:==?|\b(?:is|equals)\b)\s*(?P<value>{_VALUE})"
    rest, values = doc.text(link.loc), []
    while found := re.match(rf"{compared}(?:\s+or\s+|$)", rest, re.IGNORECASE):
        values.append(_plain(found["value"]))
        rest = rest[found.end() :]
        if not rest:
            return link._replace(label=" or ".join(values))
    return link


def _box(doc: Fields, loc: Loc, type_: str, own: str, links: list[Link]) -> Box | None:
    described = doc.text((*loc, "description"))
    place = (*loc, type_)
    kind: Kind = "tool"
    collects = None
    if type_ == "action":
        kind = "step" if doc.text(place).startswith("utter_") else "tool"
        label = label_of(doc, place, "utter_" if kind == "step" else "action_")
    elif type_ == "collect":
        collects, kind = doc.text(place), "step"
        asked = (*loc, "utter")
        label = _asked(label_of(doc, place, f"{loc[1]}_"), links)
        label = label_of(doc, asked, "utter_") if doc.text(asked) else label
    elif type_ == "set_slots":
        label = _assignments(doc, place)
    elif type_ == "noop" and len(links) > 1:
        label, kind = described or (words(own) if own else either(links)), "question"
        described = ""
    elif type_ == "call" and doc.text((*loc, "mcp_server")):
        label = label_of(doc, place, "")
    else:
        return None
    line = doc.line(loc)
    if kind == "step":
        return Box(label=label, kind=kind, collects=collects, note=described, line=line)
    return Box(label=f"{label}: {described}" if described else label, kind=kind, line=line)


def _asked(what: str, links: Sequence[Link]) -> str:
    """Word the question for a slot, whose words `what` are."""
    yes_no = {link.label for link in links} & {"yes", "no"} or _YES_NO.match(what)
    return f"{what}?" if yes_no else f"ask {what}"


def _assignments(doc: Fields, loc: Loc) -> str:
    """Write what `set_slots` does, a list of mappings from slots to values, as words."""
    places = doc.items(loc) if isinstance(doc.get(loc), tuple) else [loc]
    pairs = [(place, slot) for place in places for slot in doc.keys(place)]
    if not pairs:
        doc.fail(loc, "set_slots sets nothing; name a slot and its value, or remove the step")
    said = [(slot, doc.text((*place, slot))) for place, slot in pairs]
    return " and ".join(f"set {words(slot)} to {value}" if value else f"clear {words(slot)}" for slot, value in said)


def label_of(doc: Fields, loc: Loc, prefix: str) -> str:
    """Give the words of a name without its prefix."""
    name = doc.text(loc)
    if not name:
        doc.fail(loc, f"{where(loc)} is empty; give it a name")
    return words(name.removeprefix(prefix) or name)


def condition(doc: Fields, loc: Loc) -> str:
    """Give a condition as a label: names as words, without the word that says where they come from, no quotes."""
    text = doc.text(loc)
    if not text:
        doc.fail(loc, f"{where(loc)} is empty; write a condition")
    text = re.sub(r"\b(?:slots|context)\.(?=\w)", "", text)
    return text if " matches " in text else _plain(text)  # a regular expression is no word


def _plain(text: str) -> str:
    return re.sub(r"(?<=\w)_+(?=\w)", " ", text).replace('"', "").replace("'", "")


def either(links: Sequence[Link]) -> str:
    """Name a decision that has no name of its own by its conditions."""
    return " or ".join(link.label for link in links if link.label)
