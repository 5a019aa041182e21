"""Scenarios: one planned conversation each, as a path through the Graph with every value that it needs.

A path is the list of its steps, `node.edge` or `node!interrupt`. A quarter of all paths, chosen by hash, is
never used in training.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pydantic import Field

from flowc.deviations import kind_of
from flowc.graph import Bank, Graph, fingerprint, part
from flowc.records import Record
from flowc.walk import edge_of

SplitName = Literal["train", "seen_path", "held_out_path"]


class Step(Record):
    """What the user will say when the assistant realises `node`: an edge, or an interrupt."""

    node: str
    edge: str = ""
    interrupt: str = ""
    gives: dict[str, str] = Field(default_factory=dict)
    volunteers: dict[str, str] = Field(default_factory=dict)
    corrects: dict[str, str] = Field(default_factory=dict)
    before: str = ""
    """Said first, instead of an answer: `side_question:<fact>`, `confirmation:<slot>` or `<kind>:<interrupt>`."""


class Result(Record):
    """What a tool will return: its outcome and the values of the slots that come with it."""

    outcome: str
    values: dict[str, str]


class Scenario(Record):
    """A planned conversation. `seed` fixes the choice of phrases."""

    id: str
    family: str
    """The scenario that this one begins like; its own id where it is no branch."""
    procedure: str
    split: SplitName
    persona: str
    seed: int
    path: tuple[str, ...]
    ending: str
    script: tuple[Step, ...]
    results: dict[str, tuple[Result, ...]]
    repeat: int = Field(default=0, ge=0, exclude_if=lambda repeat: repeat == 0)
    """How often this scenario has been played before; left out of the JSON where it has not."""

    @property
    def bank(self) -> Bank:
        """The part of every phrase bank and value pool that this scenario uses."""
        return "train" if self.split == "train" else "held_out"

    @property
    def deviations(self) -> tuple[str, ...]:
        """The kinds of deviation in the script, sorted, each once."""
        kinds = {s.before.split(":")[0] for s in self.script if s.before}
        kinds |= {"volunteer" for s in self.script if s.volunteers}
        kinds |= {"correction" for s in self.script if s.corrects}
        kinds |= {"interrupt" for s in self.script if s.interrupt}
        return tuple(sorted(kinds))


def kinds(graph: Graph, scenario: Scenario) -> tuple[str, ...]:
    """Name the kinds of deviation (`deviations.KINDS`) that a scenario plans, sorted, each once."""
    found = {s.before.split(":")[0] for s in scenario.script if s.before}
    found |= {"correction" for s in scenario.script if s.corrects}
    found |= {kind_of(s.interrupt, graph.interrupts[s.interrupt]) for s in scenario.script if s.interrupt}
    for step in scenario.script:
        if step.volunteers and not step.before.startswith("restructuring:"):
            found.add("volunteer_several" if len(step.volunteers) > 1 else "volunteer")
    return tuple(sorted(found))


def is_held_out_path(path: Sequence[str]) -> bool:
    """Whether a path is kept out of training."""
    return fingerprint(" ".join(path)) % 4 == 0


def phrases_of(graph: Graph, step: Step, bank: Bank) -> tuple[str, ...]:
    """Give the bank that the user's main phrase of a step comes from."""
    if step.interrupt:
        return part(graph.interrupts[step.interrupt].says, bank)
    return part(edge_of(graph, step.node, step.edge).says, bank)
