"""The canonical Graph of a procedure: slots, tools, nodes, edges, knowledge and interrupts.

A Graph has the shape of the YAML that people write, so that an error's location in one is its location in
the other. Persistent structure lives here; values that change from one conversation to the next are slots.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from datetime import date
from functools import cache
from typing import Annotated, Literal, NamedTuple, Self

from pydantic import AfterValidator, Field, model_validator

from flowc.records import Record

Bank = Literal["train", "held_out"]
Role = Literal["agent", "tool"]
Terminal = Literal["success", "abandonment", "escalation"]
Change = Literal["any", "higher", "lower"]

PLACEHOLDER = re.compile(r"\{(\w+)\}")

DATE_PARTS = {
    "%-d": r"\d{1,2}", "%d": r"\d{2}", "%-m": r"\d{1,2}", "%m": r"\d{2}", "%Y": r"\d{4}", "%y": r"\d{2}",
    "%B": r"(?:January|February|March|April|May|June|July|August|September|October|November|December)",
    "%b": r"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)",
    "%A": r"(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day", "%a": r"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)",
}  # fmt: skip
"""What a written date is made of (strftime), and the expression that finds each part."""


def _number_format(text: str) -> str:
    if re.findall(r"[{}]", re.sub(r"\{n(:,)?\}", "#", text, count=1)) or "{n" not in text:
        raise ValueError(f"{text!r} does not write a number; use {{n}} or {{n:,}} once in it")
    return text


def _date_format(text: str) -> str:
    unknown = set(re.findall(r"%-?.?", text)) - set(DATE_PARTS)
    if unknown or "%" not in text:
        raise ValueError(f"{text!r} does not write a date; use {', '.join(DATE_PARTS)} in it")
    return text


NumberFormat = Annotated[str, AfterValidator(_number_format)]
DateFormat = Annotated[str, AfterValidator(_date_format)]


class DateRange(Record):
    """Dates from `start` (ISO) over `days` days, written in any of `formats` (strftime)."""

    start: date
    days: int = Field(gt=0)
    formats: tuple[DateFormat, ...] = Field(min_length=1)


class NumberRange(Record):
    """Numbers from low to high in steps, written in any of `formats` (with `{n}` or `{n:,}`)."""

    low: int
    high: int
    step: int = Field(gt=0)
    formats: tuple[NumberFormat, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.low > self.high:
            raise ValueError(f"low is {self.low} and high is {self.high}; exchange them")
        return self


class Slot(Record):
    """A scenario variable: told by the user, or returned by a tool. Exactly one generator is set."""

    source: Literal["user", "tool"] = "user"
    values: tuple[str, ...] = ()
    join: tuple[tuple[str, ...], ...] = ()
    date: DateRange | None = None
    number: NumberRange | None = None
    code: str | None = None
    """Pattern of a code: `@` is a letter, `#` a digit."""
    share_of: str | None = None
    """Another slot of numbers; the value is a share of it between `low` and `high`, written as `format`."""
    low: float = 0.5
    high: float = 1.0
    format: NumberFormat = "{n}"
    invent: float = Field(default=0, ge=0, le=1)
    """Share of training values that are spliced from two of the pool: names that nobody can know by heart."""
    mention: tuple[str, ...] = ()
    """Clauses with which a user volunteers the slot before being asked."""
    corrections: tuple[str, ...] = ()
    """Sentences with which a user replaces a value given before."""
    noted: tuple[str, ...] = ()
    """The agent's acknowledgement of a correction."""


class Tool(Record):
    """A function of the outside world: argument name to slot, and outcome to the slots it returns."""

    description: str = ""
    arguments: dict[str, str]
    outcomes: dict[str, tuple[str, ...]] = Field(min_length=1)


class Edge(Record):
    """A way on. With `says` the user speaks it; with `outcome` a tool's result chooses it."""

    id: str
    to: str
    when: str = ""
    says: tuple[str, ...] = ()
    outcome: str | None = None
    renews: dict[str, Change] = Field(default_factory=dict)
    """Slots that are asked anew behind this edge, and in which direction numbers move."""

    @property
    def gives(self) -> tuple[str, ...]:
        """Slots that the user tells when speaking this edge, sorted."""
        return placeholders(self.says[:1])


class Node(Record):
    """A step. `say` is the agent's phrase bank, `again` how it asks after an interruption."""

    role: Role
    instruction: str
    say: tuple[str, ...] = ()
    again: tuple[str, ...] = ()
    calls: str | None = None
    terminal: Terminal | None = None
    edges: tuple[Edge, ...] = ()

    @property
    def waits(self) -> bool:
        """Whether the user speaks next."""
        return any(e.says for e in self.edges)

    @property
    def is_hub(self) -> bool:
        """Whether several edges leave the node."""
        return len(self.edges) > 1

    @property
    def asks(self) -> tuple[str, ...]:
        """Slots that a plain question asks for: those its only spoken edge gives."""
        return self.edges[0].gives if len(self.edges) == 1 else ()

    @property
    def states(self) -> tuple[str, ...]:
        """Slots whose values every phrase of the node states."""
        sets = [set(placeholders([phrase])) for phrase in self.say]
        return tuple(sorted(set.intersection(*sets))) if sets else ()


class Fact(Record):
    """Knowledge that the agent may state when asked; an answer contains every `must` verbatim."""

    fact: str
    must: tuple[str, ...]
    asks: tuple[str, ...] = Field(min_length=2)
    say: tuple[str, ...] = Field(min_length=1)


class Interrupt(Record):
    """What happens when the user leaves the path: go `to` a node, or `say` something and resume."""

    when: str
    says: tuple[str, ...] = Field(min_length=2)
    to: str | None = None
    say: tuple[str, ...] = ()


class Graph(Record):
    """A compiled-from procedure, canonical: comments and layout of the source are gone."""

    procedure: str
    title: str
    language: str = Field(default="en", pattern=r"^[a-z]{2}$")
    """The language of every phrase, as ISO 639-1 writes it."""
    system: str
    start: str
    slots: dict[str, Slot] = Field(default_factory=dict)
    tools: dict[str, Tool] = Field(default_factory=dict)
    nodes: dict[str, Node]
    knowledge: dict[str, Fact] = Field(default_factory=dict)
    interrupts: dict[str, Interrupt] = Field(default_factory=dict)


class Split(NamedTuple):
    """The two parts of a phrase bank."""

    train: tuple[str, ...]
    held_out: tuple[str, ...]


def fingerprint(text: str) -> int:
    """Give a stable 64-bit hash of a text, the same on every machine and in every version."""
    return int.from_bytes(hashlib.sha256(text.encode("utf-8")).digest()[:8], "big")


def is_held_out(text: str) -> bool:
    """Whether a phrase or a slot value belongs to the held-out quarter."""
    return fingerprint(text) % 4 == 0


@cache
def split_bank(bank: tuple[str, ...]) -> Split:
    """Split a bank by a stable hash of each phrase, so that editing one phrase moves no other.

    A bank in which the hash leaves one part empty gives that part its phrase with the lowest hash; a bank
    of one phrase has the same phrase in both.
    """
    train = [p for p in bank if not is_held_out(p)]
    held_out = [p for p in bank if is_held_out(p)]
    if len(bank) < 2:
        return Split(tuple(bank), tuple(bank))
    if not held_out:
        held_out = [min(train, key=fingerprint)]
        train = [p for p in train if p not in held_out]
    elif not train:
        train = [min(held_out, key=fingerprint)]
        held_out = [p for p in held_out if p not in train]
    return Split(tuple(train), tuple(held_out))


def part(bank: tuple[str, ...], which: Bank) -> tuple[str, ...]:
    """Give one part of a phrase bank."""
    split = split_bank(bank)
    return split.train if which == "train" else split.held_out


def placeholders(phrases: Sequence[str]) -> tuple[str, ...]:
    """Name the slots that the phrases mention, sorted, each once."""
    return tuple(sorted({name for phrase in phrases for name in PLACEHOLDER.findall(phrase)}))


def hubs(graph: Graph) -> list[str]:
    """List the nodes with several outgoing edges, in order of their names."""
    return sorted(n for n, node in graph.nodes.items() if node.is_hub)


def terminals(graph: Graph) -> list[str]:
    """List the nodes that end a conversation, in order of their names."""
    return sorted(n for n, node in graph.nodes.items() if node.terminal)


def breadth_first(graph: Graph) -> list[str]:
    """List the nodes from the start outwards; nodes that only an interrupt reaches come last."""
    order: list[str] = []
    for root in (graph.start, *sorted({i.to for i in graph.interrupts.values() if i.to})):
        order.append(root)
        for name in order:
            order += dict.fromkeys(e.to for e in graph.nodes[name].edges if e.to not in order)
    return list(dict.fromkeys(order))


def edges(graph: Graph) -> Iterator[tuple[str, Edge]]:
    """Give every edge with the name of the node that it leaves."""
    for name in sorted(graph.nodes):
        for edge in graph.nodes[name].edges:
            yield name, edge
