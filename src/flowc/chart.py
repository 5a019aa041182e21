"""A Chart: what every importer reads a foreign flowchart into, before it becomes a Graph.

Boxes and arrows as they were drawn, with the line where each stood, so that a mistake is named in the reader's
own file. What the boxes say to a customer, and what the customer says, is `from_chart`'s business.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from flowc.graph import Terminal
from flowc.records import Record

Kind = Literal["start", "step", "question", "tool", "end"]


class Box(Record):
    """A box of the chart."""

    label: str
    """Plain text: markup removed, entities decoded, white space collapsed to single spaces."""
    kind: Kind = "step"
    """start and end only where the format draws them as such; question for a decision (a diamond, a gateway)."""
    terminal: Terminal | None = None
    """How an end ends, where the format says so; otherwise `from_chart` reads it from the label."""
    collects: str | None = None
    """The slot that the box asks for, where the format says so."""
    note: str = ""
    """What the format says of the box to those who build it: part of the instruction, never spoken."""
    line: int
    """Where the box is first written, from 1."""


class Arrow(Record):
    """An arrow between two boxes; an empty label where none was drawn."""

    source: str
    target: str
    label: str = ""
    default: bool = False
    """Taken when no other arrow's condition holds, where the format says so."""
    assumed: bool = False
    """Whether the label is that of the box where it leads, as none was drawn: `chart_flow` says where."""
    line: int


class Escape(Record):
    """What the format draws as possible at any moment (a boundary event, say): a condition and where it leads."""

    label: str
    target: str
    line: int


class Chart(Record):
    """A flowchart as drawn. Ids of boxes are those of the file; `name` is the procedure's name, an identifier."""

    name: str
    title: str = ""
    start: str | None = None
    """The first box, where the format names it; otherwise the only box without an arrow into it."""
    event_start: bool = False
    """Whether the words of a start say what happened before, and are not spoken (BPMN's start events)."""
    boxes: dict[str, Box] = Field(min_length=1)
    arrows: tuple[Arrow, ...] = ()
    escapes: tuple[Escape, ...] = ()
    slots: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    """Slots that boxes collect, each with the values that the format lists for it (none: any text)."""
