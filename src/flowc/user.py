"""The scripted user: answers what the assistant asks as its scenario plans, in words of one phrase bank."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import NamedTuple

from flowc.deviations import first_part, interrupt_for
from flowc.graph import Graph, part
from flowc.scenarios import Scenario, Step, phrases_of
from flowc.voices import confused, speak


class UserTurn(NamedTuple):
    """What the user said, and what it means: `labels` name edges, interrupts and deviations."""

    text: str
    labels: tuple[str, ...]
    gives: dict[str, str]
    """Slot values told in this turn, the last word on each."""


class ScriptedUser:
    """Plays one scenario. It sees only which node the assistant's last utterance realised."""

    def __init__(self, graph: Graph, scenario: Scenario) -> None:
        self._graph = graph
        self._scenario = scenario
        self._rng = Random(f"{scenario.seed}:user")
        self._next = 0
        self._said_first: set[int] = set()
        self._answered: set[int] = set()
        self._told: dict[str, str] = {}

    @property
    def has_finished(self) -> bool:
        """Whether everything planned has been said; a branch stops there."""
        return self._next >= len(self._scenario.script)

    def reply(self, node: str | None) -> UserTurn:
        """Answer an utterance that realised `node`; None when it could not be understood."""
        index = self._find(node) if node else None
        if index is None:
            return UserTurn(confused(self._rng, self._scenario.bank, self._graph.language), ("confused",), {})
        step = self._scenario.script[index]
        if step.before and index not in self._said_first:
            self._said_first.add(index)
            if aside := self._aside(step):
                self._told |= aside.gives
                return aside
        if index < self._next:  # behind the plan: what has been told or corrected meanwhile holds
            gives = {slot: self._told.get(slot, value) for slot, value in step.gives.items()}
            step = step.model_copy(update={"gives": gives})
        if index in self._answered:
            step = step.model_copy(update={"volunteers": {}, "corrects": {}})
        elif step.before.startswith("restructuring:"):  # they came before the answer
            step = step.model_copy(update={"volunteers": {}})
        self._answered.add(index)
        self._next = max(self._next, index + 1)
        turn = self._answer(step)
        self._told |= turn.gives
        return turn

    def _find(self, node: str) -> int | None:
        """The step that answers `node`: the next one planned unless a choice lies before it, else a past one."""
        script = self._scenario.script
        planned = []
        for i in range(self._next, len(script)):
            if script[i].node == node:
                planned.append(i)
            if script[i].interrupt or not self._graph.nodes[script[i].node].asks:
                break
        if planned:
            # An answer told early is not due any more: the question comes because its slot is asked anew.
            due = [i for i in planned if not script[i].gives.items() <= self._told.items() or not script[i].gives]
            return (due or planned)[0]
        past = [i for i in range(self._next) if script[i].node == node]
        ahead = [i for i in range(self._next, len(script)) if script[i].node == node]
        return past[-1] if past else ahead[0] if ahead else None

    def _aside(self, step: Step) -> UserTurn | None:
        """What is said before an answer; None where it asks about a value that has not been told after all."""
        kind, name = step.before.split(":")
        graph = self._graph
        if kind == "side_question":
            return UserTurn(self._say(self._pick(graph.knowledge[name].asks), {}), (step.before,), {})
        texts, labels, gives = list[str](), [step.before], dict[str, str]()
        if kind == "confirmation":
            if name not in self._told:
                return None
            texts.append(self._say(self._pick(graph.slots[name].mention), self._told, plain=True))
        elif kind == "partial":
            values = {slot: first_part(value) or value for slot, value in step.gives.items()}
            texts.append(self._say(self._rng.choice(phrases_of(graph, step, self._scenario.bank)), values))
        texts.append(self._say(self._pick(graph.interrupts[interrupt_for(graph, step.before) or name].says), {}))
        if kind == "restructuring":
            gives = step.volunteers
            for slot in sorted(gives):
                texts.append(self._say(self._pick(graph.slots[slot].mention), gives, plain=True))
                labels.append(f"volunteer:{slot}")
        return UserTurn(_sentences(texts), tuple(labels), gives)

    def _answer(self, step: Step) -> UserTurn:
        phrase = self._rng.choice(phrases_of(self._graph, step, self._scenario.bank))
        texts = [self._say(phrase, step.gives)]
        labels = [f"interrupt:{step.interrupt}" if step.interrupt else f"edge:{step.node}.{step.edge}"]
        for slot in sorted(step.volunteers):
            texts.append(self._say(self._pick(self._graph.slots[slot].mention), step.volunteers, plain=True))
            labels.append(f"volunteer:{slot}")
        for slot in sorted(step.corrects):
            correction = self._pick(self._graph.slots[slot].corrections)
            texts.append(self._say(correction, step.corrects, plain=True))
            labels.append(f"correction:{slot}")
        text = _sentences(texts)
        if self._scenario.persona == "sloppy" and self._rng.random() < 0.3:
            text = text.lower()
        return UserTurn(text, tuple(labels), {**step.gives, **step.volunteers, **step.corrects})

    def _pick(self, bank: tuple[str, ...]) -> str:
        return self._rng.choice(part(bank, self._scenario.bank))

    def _say(self, phrase: str, values: dict[str, str], plain: bool = False) -> str:
        persona = "plain" if plain and self._scenario.persona != "sloppy" else self._scenario.persona
        text = speak(phrase, persona, self._rng, self._scenario.bank, self._graph.language).format(**values)
        return text[:1].upper() + text[1:] if plain and persona == "plain" else text


def _sentences(texts: Sequence[str]) -> str:
    """Join what is said, with full stops between."""
    return " ".join([*(t if t.endswith((".", "!", "?", ":")) else f"{t}." for t in texts[:-1]), texts[-1]])
