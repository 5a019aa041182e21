"""A path becomes a Scenario: its values are drawn, and what the user does beside answering is planned."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from random import Random

from pydantic import Field

from flowc.deviations import answering, first_part
from flowc.graph import Bank, Edge, Graph
from flowc.records import Record
from flowc.scenarios import Result, Scenario, SplitName, Step
from flowc.slots import draw
from flowc.walk import edge_of


class Deviations(Record):
    """Shares of conversations in which the user does something beside answering, each in [0, 1].

    A kind that the procedure does not answer with words (`deviations.answering`) is left out; those that it answers
    by going elsewhere are drawn with `generate.interrupts`.
    """

    volunteer: float = Field(ge=0, le=1)
    """Tells several slots at once."""
    correction: float = Field(ge=0, le=1)
    """Replaces a value given before."""
    side_question: float = Field(ge=0, le=1)
    """Asks something that the knowledge answers."""
    off_topic: float = Field(ge=0, le=1)
    """Answers beside the point."""
    confirmation: float = Field(default=0, ge=0, le=1)
    """Asks whether a value told before was noted."""
    attitude: float = Field(default=0, ge=0, le=1)
    """Says how they feel about the conversation."""
    incorrect: float = Field(default=0, ge=0, le=1)
    """Answers with something impossible."""
    vague: float = Field(default=0, ge=0, le=1)
    """Answers without saying anything definite."""
    counter_question: float = Field(default=0, ge=0, le=1)
    """Asks why this is being asked."""
    irrelevant: float = Field(default=0, ge=0, le=1)
    """Tells what the matter does not need."""
    partial: float = Field(default=0, ge=0, le=1)
    """Gives the first part of an answer."""
    step_skipping: float = Field(default=0, ge=0, le=1)
    """Wants to skip the question."""
    restructuring: float = Field(default=0, ge=0, le=1)
    """Answers later questions instead."""
    repetition: float = Field(default=0, ge=0, le=1)
    """Asks to hear the question again."""
    return_to_start: float = Field(default=0, ge=0, le=1)
    """Wants to begin again."""
    rule_ignoring: float = Field(default=0, ge=0, le=1)
    """Asks for an exception from the rules."""
    step_splitting: float = Field(default=0, ge=0, le=1)
    """Wants to answer bit by bit."""
    human: float = Field(default=0, ge=0, le=1)
    """Asks for a person, where the procedure refuses one."""
    abuse: float = Field(default=0, ge=0, le=1)
    """Insults the assistant."""
    injection: float = Field(default=0, ge=0, le=1)
    """Orders the assistant to ignore its instructions and grant a favour."""
    extraction: float = Field(default=0, ge=0, le=1)
    """Asks for the assistant's instructions."""


STRAYS = tuple(k for k, f in Deviations.model_fields.items() if not f.is_required() and k != "restructuring")
"""Kinds that are said before an answer and need nothing to be told early."""


def fill(
    graph: Graph,
    path: tuple[str, ...],
    split: SplitName,
    persona: str,
    shares: Deviations,
    rng: Random,
    number: int,
) -> Scenario:
    """Draw what a path needs: who speaks, every value told or returned, and the deviations by their shares.

    Raises ValueError when a pool has too few values.
    """
    bank: Bank = "train" if split == "train" else "held_out"
    wanted = {kind for kind in Deviations.model_fields if (share := getattr(shares, kind)) and rng.random() < share}
    instead = "restructuring" in wanted - {"volunteer"} and bool(answering(graph, "restructuring"))
    early_told = instead or "volunteer" in wanted
    volunteer_at = rng.choice(_volunteer_places(graph, path) or [-1]) if early_told else -1
    ahead = list(dict.fromkeys(asked_next(graph, path[volunteer_at + 1 :]))) if volunteer_at >= 0 else []
    early = rng.sample(ahead, k=min(len(ahead), rng.randint(1, 3)))
    # Questions answered early are not asked, so nothing else can be said there.
    skipped = _skipped(graph, path, volunteer_at, early)
    places = [i for i in _correction_places(graph, path) if i not in skipped]
    correct_at = rng.choice(places or [-1]) if "correction" in wanted else -1
    spoken = [i for i, s in enumerate(path) if graph.nodes[_node(s)].waits and not _goes(graph, s) and i not in skipped]
    aside = {rng.choice(spoken or [-1]): kind for kind in sorted(wanted & {"side_question", "off_topic"})}
    for kind in sorted(wanted & set(STRAYS)):
        free = [i for i in spoken if i not in aside and i != volunteer_at]
        free = [i for i in free if kind != "partial" or any(_splits(graph, s) for s in _gives(graph, path[i]))]
        if free and answering(graph, kind):
            aside[rng.choice(free)] = kind
    if instead:
        aside[volunteer_at] = "restructuring"
    known: dict[str, str] = {}
    volunteered: set[str] = set()
    script: list[Step] = []
    results: dict[str, list[Result]] = {}
    ending = graph.start
    for i, name in enumerate(path):
        node = _node(name)
        if "!" in name:
            interrupt = name.split("!")[1]
            script.append(Step(node=node, interrupt=interrupt))
            ending = graph.interrupts[interrupt].to or ending
            continue
        edge = edge_of(graph, node, name.split(".")[1])
        ending = edge.to
        if graph.nodes[node].role == "tool":
            tool = graph.nodes[node].calls or ""
            values: dict[str, str] = {}
            for slot in graph.tools[tool].outcomes[edge.outcome or ""]:
                values[slot] = draw(graph, slot, rng, bank, known | values)
            known |= values
            results.setdefault(tool, []).append(Result(outcome=edge.outcome or "", values=values))
        elif edge.says:
            before = dict(known)
            gives = {
                s: known[s] if s in volunteered else known.get(f"next {s}") or draw(graph, s, rng, bank, known)
                for s in edge.gives
            }
            known |= gives
            volunteered -= set(gives)
            corrects: dict[str, str] = {}
            if i == correct_at:
                candidates = [s for s in sorted(known) if s in graph.slots and s not in gives
                              and graph.slots[s].corrections]  # fmt: skip
                if candidates:
                    slot = rng.choice(candidates)
                    corrects[slot] = draw(graph, slot, rng, bank, known)
                    known |= corrects
            extra: dict[str, str] = {}
            if i == volunteer_at:
                for slot in early:
                    extra[slot] = draw(graph, slot, rng, bank, known | extra)
                known |= extra
                volunteered |= set(extra)
            script.append(
                Step(
                    node=node,
                    edge=edge.id,
                    gives=gives,
                    volunteers=extra,
                    corrects=corrects,
                    before=beside(graph, aside.get(i, ""), gives, before, rng),
                )
            )
        for slot, change in edge.renews.items():
            if slot in known:
                known[f"next {slot}"] = draw(graph, slot, rng, bank, known, change)
        for slot in edge.gives:
            known.pop(f"next {slot}", None)
    digest = hashlib.sha256(f"{path}{script}{results}{persona}{number}".encode()).hexdigest()[:12]
    return Scenario(
        id=f"{split}-{digest}",
        family=f"{split}-{digest}",
        procedure=graph.procedure,
        split=split,
        persona=persona,
        seed=rng.randrange(2**31),
        path=path,
        ending=ending,
        script=tuple(script),
        results={tool: tuple(r) for tool, r in results.items()},
    )


def _node(step: str) -> str:
    return step.replace("!", ".").split(".")[0]


def _goes(graph: Graph, step: str) -> bool:
    return "!" in step and graph.interrupts[step.split("!")[1]].to is not None


def _plain(graph: Graph, step: str) -> Edge | None:
    """The edge of a plain question-and-answer step, else None."""
    if "!" in step or not graph.nodes[_node(step)].asks:
        return None
    return edge_of(graph, _node(step), step.split(".")[1])


def asked_next(graph: Graph, steps: Sequence[str]) -> Iterator[str]:
    """Slots asked by the unbroken run of plain questions ahead, if users have words to volunteer them."""
    for step in steps:
        edge = _plain(graph, step)
        if edge is None:
            return
        yield from (s for s in edge.gives if graph.slots[s].mention)


def _volunteer_places(graph: Graph, path: Sequence[str]) -> list[int]:
    return [i for i, s in enumerate(path) if _plain(graph, s) and any(True for _ in asked_next(graph, path[i + 1 :]))]


def _skipped(graph: Graph, path: Sequence[str], at: int, told: Sequence[str]) -> set[int]:
    """Steps of the run of plain questions behind `at` that are not asked when the slots in `told` are known."""
    skipped = set()
    for i in range(at + 1, len(path)):
        edge = _plain(graph, path[i])
        if edge is None:
            break
        if set(edge.gives) <= set(told):
            skipped.add(i)
    return skipped


def _correction_places(graph: Graph, path: Sequence[str]) -> list[int]:
    """Plain questions before the first tool call, except the one right before it: the agent speaks next."""
    places = []
    for i, step in enumerate(path):
        edge = _plain(graph, step)
        if edge is None or graph.nodes[edge.to].role != "agent":
            break
        if i > 0:
            places.append(i)
    return places


def beside(graph: Graph, kind: str, gives: Mapping[str, str], known: Mapping[str, str], rng: Random) -> str:
    """Choose what a user says before an answer that `gives` values, when `known` ones have been told.

    Empty where the procedure has no answer to the kind, or the place has nothing that it needs.
    """
    if kind == "side_question" and graph.knowledge:
        return f"side_question:{rng.choice(sorted(graph.knowledge))}"
    names = answering(graph, kind)
    if not names or (kind == "partial" and not any(_splits(graph, s) and first_part(v) for s, v in gives.items())):
        return ""
    if kind == "confirmation":
        told = [s for s in sorted(known) if s in graph.slots and graph.slots[s].mention and f"next {s}" not in known]
        return f"confirmation:{rng.choice(told)}" if told else ""
    return f"{kind}:{rng.choice(names)}"


def _splits(graph: Graph, slot: str) -> bool:
    """Whether a part of a slot's value is plainly not the whole of it: half a name, a date or a code."""
    kind = graph.slots[slot]
    return bool(kind.join or kind.date or kind.code)


def _gives(graph: Graph, step: str) -> tuple[str, ...]:
    return () if "!" in step else edge_of(graph, _node(step), step.split(".")[1]).gives
