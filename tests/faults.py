"""Faults planted into the transcripts of a perfect assistant, each with the criteria that have to fall for it.

A planter breaks one transcript at every place where its fault fits, and says at which turn the judge has to see it.
Planted words are labelled as in a simulation, by the node tracker.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from random import Random
from typing import NamedTuple

from flowc.graph import Edge, Graph, part, terminals
from flowc.records import Message, ToolCall
from flowc.scenarios import Scenario
from flowc.slots import draw
from flowc.tracker import Tracker
from flowc.transcripts import Ended, Turn
from flowc.walk import edge_of, outcome_edge

Turns = tuple[Turn, ...]


class Case(NamedTuple):
    """A conversation without fault."""

    graph: Graph
    scenario: Scenario
    turns: Turns
    tracker: Tracker


class Broken(NamedTuple):
    """The same conversation with one fault; `at` is the index of the turn that the judge has to name."""

    turns: Turns
    at: int
    ended: Ended = Ended.TERMINAL


Plant = Callable[[Case], Iterator[Broken]]


class Kind(NamedTuple):
    """A fault and the criteria that have to fall, each with the planted turn as its place."""

    criteria: tuple[str, ...]
    plant: Plant


KINDS: dict[str, Kind] = {}
ERROR = Turn(message=Message(role="tool", content='{"error": "service unavailable"}'), labels=("error",))


def falls(*criteria: str) -> Callable[[Plant], Plant]:
    """Register a planter under its name."""

    def add(plant: Plant) -> Plant:
        assert plant.__name__ not in KINDS
        KINDS[plant.__name__] = Kind(criteria, plant)
        return plant

    return add


def spoken(case: Case, text: str) -> Turn:
    """What an assistant says, with the node that the tracker hears."""
    node = case.tracker.track(text).node
    return Turn(message=Message(role="assistant", content=text), labels=(node,) if node else ())


def values_before(case: Case, index: int) -> dict[str, str]:
    """The slots' values when the turn with this index comes."""
    values: dict[str, str] = {}
    for turn in case.turns[:index]:
        values |= turn.gives
    return values


def another(case: Case, slot: str, index: int) -> str:
    """A value of the slot that is true nowhere in the conversation."""
    held = {v.casefold() for t in case.turns for v in t.gives.values()}
    rng, known = Random(f"{case.scenario.seed}:{index}"), values_before(case, len(case.turns))
    known = {**{s.share_of: "$2,000" for s in case.graph.slots.values() if s.share_of}, **known}
    while True:
        value = draw(case.graph, slot, rng, "train", known)
        if value.casefold() not in held:
            return value


def line(case: Case, node: str, index: int) -> str:
    """What the assistant says at a node when the turn with this index comes; what it cannot know it makes up."""
    phrase = part(case.graph.nodes[node].say, "train")[0]
    known = values_before(case, index)
    made_up = {s: another(case, s, index) for s in re.findall(r"\{(\w+)\}", phrase) if s not in known}
    return phrase.format(**known, **made_up)


def replaced(text: str, old: str, new: str) -> str:
    """The text with another value, or as it is where the old one is not in it."""
    return re.sub(rf"(?<!\w){re.escape(old)}(?!\w)", lambda _: new, text, flags=re.IGNORECASE)


def other_numbers(text: str) -> str:
    """The text with every number doubled and one more."""
    return re.sub(r"\d+", lambda found: str(2 * int(found[0]) + 1), text)


def speeches(case: Case) -> list[int]:
    """Where the assistant speaks."""
    return [i for i, t in enumerate(case.turns) if t.message.role == "assistant" and not t.message.tool_calls]


def calls(case: Case) -> list[int]:
    """Where the assistant calls a function."""
    return [i for i, t in enumerate(case.turns) if t.message.tool_calls]


def questions(case: Case) -> list[int]:
    """Where the assistant asks for values and is told them at once."""
    asked = [i for i in speeches(case) if i + 1 < len(case.turns) and case.graph.nodes[case.turns[i].labels[0]].asks]
    return [i for i in asked if set(case.graph.nodes[case.turns[i].labels[0]].asks) <= set(case.turns[i + 1].gives)]


def heard(case: Case, kind: str) -> list[tuple[int, str]]:
    """Where the user's turn has a label of this kind and the assistant speaks next, with the label's name."""
    found = []
    for i, turn in enumerate(case.turns[:-1]):
        if turn.message.role == "user" and i + 1 in speeches(case):
            found += [(i, x.split(":")[1]) for x in turn.labels if x.split(":")[0] == kind]
    return found


def edge_before(case: Case, index: int) -> tuple[str, Edge] | None:
    """The edge that led to a turn, with the node that it left; None after an aside."""
    kind, _, name = (case.turns[index - 1].labels or ("",))[0].partition(":")
    if kind == "edge":
        node, edge = name.split(".")
        return node, edge_of(case.graph, node, edge)
    if kind == "outcome":
        node = case.turns[index - 2].labels[0]
        return node, outcome_edge(case.graph, node, name)
    return None


def after_a_choice(case: Case) -> list[tuple[int, str]]:
    """Where the assistant goes on from a decision or a result, with a node that another edge would have led to."""
    found = []
    for i in range(1, len(case.turns)):
        taken = edge_before(case, i)
        if taken:
            node, edge = taken
            others = {e.to for e in case.graph.nodes[node].edges} - {edge.to, case.turns[i].labels[0]}
            wrong = sorted(n for n in others if case.graph.nodes[n].say)
            found += [(i, wrong[i % len(wrong)])] if wrong else []
    return found


def called(turn: Turn, **changed: str) -> Turn:
    """The same call with other arguments."""
    call = turn.message.tool_calls[0]
    new = ToolCall(name=call.name, arguments=call.arguments | changed)
    return turn.model_copy(update={"message": Message(role="assistant", tool_calls=(new,))})


def ends_at(case: Case, index: int, node: str) -> Broken:
    """The conversation is ended at this turn with the words of a node."""
    return Broken((*case.turns[:index], spoken(case, line(case, node, index))), index)


def with_text(case: Case, index: int, text: str) -> Broken:
    """The assistant says this at this turn, and all goes on as before."""
    return Broken((*case.turns[:index], spoken(case, text), *case.turns[index + 1 :]), index)


def unplanned_endings(case: Case, kind: str) -> list[str]:
    """Endings of one kind at which this conversation should not arrive."""
    return [n for n in terminals(case.graph) if case.graph.nodes[n].terminal == kind and n != case.scenario.ending]
