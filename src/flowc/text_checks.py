"""What is wrong with the words of a message alone: annotations that leaked, mixed-up roles, length, language.

Nothing that stands in the procedure's own phrase banks is a fault: those are what the model is to say and to hear.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from enum import StrEnum
from typing import NamedTuple

from pydantic import Field

from flowc.graph import PLACEHOLDER, Graph, Slot
from flowc.languages import NAMES, foreign
from flowc.records import Message, Record
from flowc.tracker import own_words

_SENTENCE = 5  # an instruction of fewer words may be said by chance
_LABELS = r"\b(?:edge|interrupt|outcome|side_question|off_topic|volunteer|correction|system):\w"
_MARKUP = r"```|<\|?/?[a-z_]+\|?>|\{\w+\}|\[[A-Z][A-Z_ ]+\]|\"\w+\"\s*:"
_DIRECTION = r"^\s*(?:\*[^*\n]*[^\W\d_]{2}[^*\n]*\*|\((?=[^)]*[^\W\d_]{3})[^)\n]*\)|\[(?=[^\]]*[^\W\d_])[^\]\n]*\])"
_SPEAKER = re.compile(
    r"(?:^|\n|[.!?] )\s*\W{0,2}(?:user|customer|client|caller|human|assistant|agent|bot|ai|system|"
    r"nutzer|kunde|kundin|assistent|assistentin|cliente|asistente|utente)\W{0,2}:",
    re.IGNORECASE,
)


class Reason(StrEnum):
    """Why a conversation is not trained on."""

    OFF_PATH = "off_path"
    """It takes a step that is not due, or does not end where its path ends."""
    SLOTS = "slots"
    """A value is not told, stated wrongly, invented or asked for twice."""
    TOOLS = "tools"
    """A function is unknown, called with wrong arguments, or returns what is not planned."""
    KNOWLEDGE = "knowledge"
    """A question that the procedure knows the answer to is not answered by it."""
    RECOVERY = "recovery"
    """The assistant does not come back to the path after the user has left it."""
    LEAK = "leak"
    """The text shows an annotation, a placeholder, or words of the flowchart that are not for the user."""
    ROLES = "roles"
    """Someone speaks out of turn or in the other's part."""
    LENGTH = "length"
    """A message is empty, or one or all are too long."""
    LANGUAGE = "language"
    """The user or the assistant does not keep to the procedure's language."""
    NEAR_DUPLICATE = "near_duplicate"
    """It nearly repeats another one."""


class Flaw(NamedTuple):
    """What is wrong with a conversation, at the message with this index."""

    reason: Reason
    message: int
    detail: str


class Lengths(Record):
    """How long a conversation may be, in words."""

    message: int = Field(ge=1)
    conversation: int = Field(ge=1)


class TextChecks:
    """The checks of one procedure, prepared once. Messages that many conversations share are looked at once."""

    def __init__(self, graph: Graph, lengths: Lengths) -> None:
        self._language, self._lengths = graph.language, lengths
        self._names = frozenset(_plain(" ".join(v for s in graph.slots.values() for v in _pool(s))).split())
        self._own = PLACEHOLDER.sub("", f"{own_words(graph)}\n{_heard(graph)}").casefold()
        own = _plain(self._own)
        names = {*graph.nodes, *graph.tools, *graph.slots, *graph.interrupts, *graph.knowledge}
        marked = sorted(n for n in names if "_" in n and _plain(n) not in own)
        named = [rf"\b(?:{'|'.join(map(re.escape, marked))})\b"] if marked else []
        self._leak = re.compile("|".join([_MARKUP, _DIRECTION, _LABELS, *named]))
        self._secret = [s for s in _instructions(graph) if s not in own]
        self._found: dict[tuple[str, str], tuple[Reason, str] | None] = {}

    def flaws(self, messages: Sequence[Message]) -> Iterator[Flaw]:
        """Give the flaws of a conversation's words, in order of its messages.

        `messages` starts with the system prompt, which is not looked at.
        """
        yield from _turns(messages)
        strange = self._strange(messages)
        words = 0
        for index, message in enumerate(messages[1:], 1):
            if message.role == "tool" or message.tool_calls:
                continue
            key = (message.role, message.content)
            if key not in self._found:
                self._found[key] = self._look(message)
            if found := self._found[key]:
                yield Flaw(found[0], index, found[1])
            elif index in strange:
                yield Flaw(Reason.LANGUAGE, index, f"{strange[index]} where {NAMES[self._language]} is spoken")
            words += len(message.content.split())
        if words > self._lengths.conversation:
            yield Flaw(Reason.LENGTH, len(messages) - 1, f"{words} words in all")

    def _look(self, message: Message) -> tuple[Reason, str] | None:
        text = message.content
        count = len(text.split())
        if not re.search(r"\w|\?", text):
            return Reason.LENGTH, "says nothing"
        if count > self._lengths.message:
            return Reason.LENGTH, f"{count} words in one message"
        for reason, expression, what in (
            (Reason.ROLES, _SPEAKER, f"{message.role} writes {{!r}}"),
            (Reason.LEAK, self._leak, "{!r} in the text"),
        ):
            found = expression.search(text)
            if found and found[0].strip(" \n.!?").casefold() not in self._own:
                return reason, what.format(found[0].strip())
        plain = _plain(text)
        if secret := next((s for s in self._secret if s in plain), None):
            return Reason.LEAK, f"words of the procedure: {secret!r}"
        return None

    def _strange(self, messages: Sequence[Message]) -> dict[int, str]:
        """The messages at which it is plain that the user or the assistant writes another language, and which."""
        out = {}
        for role in ("user", "assistant"):
            places = [i for i, m in enumerate(messages[1:], 1) if m.role == role and m.content]
            if found := foreign([messages[i].content for i in places], self._language, self._names):
                out[places[found.message]] = found.language
        return out


def _turns(messages: Sequence[Message]) -> Iterator[Flaw]:
    """Roles take turns: user and assistant, and a function's result behind its call."""
    if not messages or messages[0].role != "system":
        yield Flaw(Reason.ROLES, 0, "does not begin with the system prompt")
    for index in range(1, len(messages)):
        before, here = messages[index - 1], messages[index]
        if here.role == "user":
            good = (before.role == "assistant" and not before.tool_calls) or before.role == "system"
        elif here.role == "tool":
            good = bool(before.tool_calls)
        else:
            good = here.role == "assistant" and (before.role != "assistant") and not before.tool_calls
        if not good or (here.tool_calls and here.role != "assistant"):
            yield Flaw(Reason.ROLES, index, f"{here.role} behind {before.role}")
    if messages and messages[-1].role != "assistant":
        yield Flaw(Reason.ROLES, len(messages) - 1, f"ends with {messages[-1].role}")


def _plain(text: str) -> str:
    return " ".join(re.findall(r"\w+", text.casefold()))


def _pool(slot: Slot) -> tuple[str, ...]:
    return (*slot.values, *(v for values in slot.join for v in values))


def _heard(graph: Graph) -> str:
    """Every phrase of the users, as one text."""
    phrases = [p for node in graph.nodes.values() for e in node.edges for p in e.says]
    phrases += [p for fact in graph.knowledge.values() for p in fact.asks]
    phrases += [p for interrupt in graph.interrupts.values() for p in interrupt.says]
    phrases += [p for slot in graph.slots.values() for p in (*slot.mention, *slot.corrections)]
    return "\n".join(phrases)


def _instructions(graph: Graph) -> list[str]:
    """What only a teacher or an orchestrator is told, sentence by sentence."""
    texts = [node.instruction for node in graph.nodes.values()]
    texts += [e.when for node in graph.nodes.values() for e in node.edges]
    texts += [i.when for i in graph.interrupts.values()] + [t.description for t in graph.tools.values()]
    sentences = {_plain(s) for text in texts for s in re.split(r"(?<=[.!?:;])\s", text)}
    return sorted(s for s in sentences if len(s.split()) >= _SENTENCE)
