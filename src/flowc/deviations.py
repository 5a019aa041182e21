"""The ways in which users leave the path: their kinds, and how a procedure answers each.

The kinds of FlowAgent's taxonomy in its three groups, with the adding of information split by how much is added and
corrections beside it; and those that every service meets: a wish for a person, abuse, and two attacks. A procedure
allows a kind by an interrupt of its name: with `to` the conversation goes there, with `say` the assistant says that
and puts its question again.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from flowc.graph import Graph, Interrupt


class Kind(NamedTuple):
    """A kind of deviation: its group, and what the user does."""

    group: str
    what: str


KINDS = {
    "side_question": Kind("intent switching", "the customer asks for a detail"),
    "confirmation": Kind("intent switching", "the customer asks whether something was noted"),
    "attitude": Kind("intent switching", "the customer says how they feel about the conversation"),
    "cancel": Kind("intent switching", "the customer does not want to go on"),
    "volunteer": Kind("intent switching", "the customer adds one thing that was not asked yet"),
    "volunteer_several": Kind("intent switching", "the customer adds several things that were not asked yet"),
    "correction": Kind("intent switching", "the customer replaces what was said before"),
    "incorrect": Kind("irrelevant answer", "the customer answers with something impossible"),
    "vague": Kind("irrelevant answer", "the customer answers without saying anything definite"),
    "off_topic": Kind("irrelevant answer", "the customer shifts to another topic"),
    "counter_question": Kind("irrelevant answer", "the customer asks why this is being asked"),
    "irrelevant": Kind("irrelevant answer", "the customer tells something that the matter does not need"),
    "partial": Kind("irrelevant answer", "the customer gives a part of the answer"),
    "step_skipping": Kind("process jumping", "the customer wants to skip the question"),
    "restructuring": Kind("process jumping", "the customer answers a later question instead"),
    "repetition": Kind("process jumping", "the customer asks to hear the question again"),
    "return_to_start": Kind("process jumping", "the customer wants to begin again"),
    "rule_ignoring": Kind("process jumping", "the customer asks for an exception from the rules"),
    "step_splitting": Kind("process jumping", "the customer wants to answer bit by bit"),
    "human": Kind("any service", "the customer asks for a person"),
    "abuse": Kind("any service", "the customer insults the assistant"),
    "injection": Kind("any service", "the customer orders the assistant to ignore its instructions and grant a favour"),
    "extraction": Kind("any service", "the customer asks for the assistant's instructions"),
}
"""All kinds by name, in the order of the report."""

OTHER = "interrupt"
"""What an interrupt with `to` is when it has no kind's name; one with `say` is then small talk, `off_topic`."""


def kind_of(name: str, interrupt: Interrupt) -> str:
    """Name the kind of deviation that an interrupt answers."""
    return name if name in KINDS else "off_topic" if interrupt.say else OTHER


def answering(graph: Graph, kind: str) -> list[str]:
    """List the interrupts that answer a kind with words and put the question again, in order of their names."""
    return sorted(n for n, i in graph.interrupts.items() if i.say and kind_of(n, i) == kind)


def interrupt_for(graph: Graph, label: str) -> str | None:
    """Name the interrupt with words that a user's label calls for; None for other labels.

    Labels are `kind:interrupt`, but for `confirmation:slot`.
    """
    kind, _, name = label.partition(":")
    names = answering(graph, kind)
    return name if name in names else names[0] if kind == "confirmation" and names else None


def first_part(value: str) -> str:
    """Give the first half of a value of several words or hyphened pieces; empty where there is nothing to split."""
    pieces = re.findall(r"[^ -]+[ -]*", value)
    return "".join(pieces[: len(pieces) // 2]).rstrip(" -")
