"""A user played by a language model. It sees who it is, what it knows and wants, and the conversation; never the chart.

The scenario decides what the user means at each turn, as for the scripted user; the model finds the words, or leaves
when the assistant gives it a reason. What it says is read by the guard before the assistant hears it; an error is
shown to the model once, and if it stays the conversation ends as the user's own failure.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Protocol

from flowc.client import Completion, ContextOverflow, Sampling
from flowc.deviations import KINDS
from flowc.graph import Graph
from flowc.records import Message
from flowc.scenarios import Scenario
from flowc.user import ScriptedUser, UserTurn
from flowc.user_guard import Guard, Said, Slip, ahead, facts, split_stop

_PATIENCE = 3  # times that one step may come before leaving is no error of the user any more
_PERSONAS = {
    "plain": "You write plainly.",
    "terse": "You write as few words as possible.",
    "chatty": "You are talkative and friendly.",
    "sloppy": "You type carelessly, in lower case and with typing errors, but never in names, numbers or dates.",
    "impatient": "You are in a hurry and say so.",
}
_RULES = (
    "You are a customer who writes to a company's assistant. What you read is written by the assistant; answer it as "
    "the customer, in its language, in one short message, and never speak for the assistant.\n{persona}\n"
    "What you know, to be told only when it is asked for, and always exactly as it is written here:\n{facts}\n"
    "You know nothing else: never make up a name, a number, a date or a place.\n"
    "The remark in brackets behind the assistant's message says what you mean this time; say it in words of your own "
    "and do not mention the remark.\n"
    "If the assistant talks nonsense or goes round in circles, you may leave: write [stop: the reason] and nothing "
    "else. While it does its work, stay."
)
_REMARKS = {
    Slip.SILENT: "You said nothing. Write one short message.",
    Slip.OUT_OF_ROLE: "You are the customer. Write what the customer says, without repeating the assistant.",
    Slip.INVENTED_FACT: "You named something that you do not know. Use only what you know, exactly as it is written.",
    Slip.WITHHELD: "You did not tell what you mean, exactly as it is written. Tell it.",
    Slip.OFF_PLAN: "That is not what you mean this time. Say what the remark says.",
    Slip.EARLY_STOP: "There is no reason to leave yet. Say what the remark says.",
}


class Model(Protocol):
    """What completes a conversation: `client.Client`, for one."""

    async def complete(self, messages: Sequence[Message], tools: None, sampling: Sampling) -> Completion:
        """Give the next message."""


class LlmUser:
    """Plays one scenario through a language model."""

    def __init__(self, model: Model, sampling: Sampling, guard: Guard, graph: Graph, scenario: Scenario) -> None:
        self._model, self._sampling, self._guard = model, sampling, guard
        self._graph, self._scenario = graph, scenario
        self._plan = ScriptedUser(graph, scenario)
        self._told: dict[str, str] = {}
        self._visits: Counter[str] = Counter()

    async def reply(self, history: Sequence[Message], node: str | None) -> UserTurn:
        """Say what the scenario plans at `node`; an `error` label tells what the model did wrong twice."""
        finished = self._plan.has_finished
        meant = self._plan.reply(node)
        self._visits[node or ""] += 1
        is_met = node is not None and meant.labels[0] != "confused" and not finished
        patient = is_met and self._visits[node or ""] < _PATIENCE
        messages = [Message(role="system", content=instructions(self._scenario)), *_seen(history)]
        messages[-1] = Message(role="user", content=f"{messages[-1].content}\n[{remark(self._graph, meant)}]")
        said, slip = await self._say(messages, meant, history, patient)
        if slip:
            return UserTurn(said.text, (f"error:{slip}",), {})
        if said.stop is not None:
            return UserTurn(said.text, ("stop", f"reason:{said.stop}"), {})
        early = ahead(self._graph, self._scenario, said.text, {**self._told, **meant.gives})
        self._told |= {**meant.gives, **early}
        labels = (*meant.labels, *(f"volunteer:{slot}" for slot in early))
        return UserTurn(said.text, labels, {**meant.gives, **early})

    async def _say(
        self, messages: list[Message], meant: UserTurn, history: Sequence[Message], patient: bool
    ) -> tuple[Said, Slip | None]:
        """Ask for the message, and once more with what was wrong with it."""
        for again in (True, False):
            try:
                content = (await self._model.complete(messages, None, self._sampling)).content
            except ContextOverflow:
                return Said("", None), Slip.TOO_LONG
            said = split_stop(content)
            slip = self._guard.slip(self._scenario, said, meant, history, patient)
            if slip is None or not again:
                break
            answer = Message(role="assistant", content=content)
            messages = [*messages, answer, Message(role="user", content=f"[{_REMARKS[slip]}]")]
        return said, slip


def instructions(scenario: Scenario) -> str:
    """Write who the user is and what they know; nothing of the procedure's steps."""
    listed = "\n".join(f"- {slot.replace('_', ' ')}: {value}" for slot, value in facts(scenario).items())
    return _RULES.format(persona=_PERSONAS[scenario.persona], facts=listed or "- nothing in particular")


def remark(graph: Graph, meant: UserTurn) -> str:
    """Say in words what the user means this time."""
    kind, _, name = meant.labels[0].partition(":")
    gives = dict(meant.gives)
    parts = []
    for label in meant.labels[1:]:
        more, _, slot = label.partition(":")
        if more in ("volunteer", "correction") and slot in gives:
            how = "Tell of your own accord" if more == "volunteer" else "Correct what you said before"
            parts.append(f"{how}: {slot.replace('_', ' ')} is {gives.pop(slot)}.")
    if kind == "edge":
        node, _, edge_id = name.partition(".")
        edge = next(e for e in graph.nodes[node].edges if e.id == edge_id)
        told = "; ".join(f"{slot.replace('_', ' ')} is {value}" for slot, value in sorted(gives.items()))
        first = f"Your answer: {told or edge.when or meant.text}."
    elif kind == "interrupt":
        first = f"Do not answer. Instead {graph.interrupts[name].when}."
    elif kind == "confused":
        first = "You could not make sense of that. Say so."
    else:
        what = KINDS[kind].what if kind in KINDS else "say this"
        first = f"Do not answer yet. Instead {what}, for instance: {meant.text}"
    return " ".join([first, *parts])


def _seen(history: Sequence[Message]) -> list[Message]:
    """The conversation from the user's side: what the assistant wrote, and what the user did; no calls, no results."""
    return [
        Message(role="user" if m.role == "assistant" else "assistant", content=m.content)
        for m in history
        if m.role in ("assistant", "user") and m.content
    ]
