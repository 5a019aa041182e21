"""Tells a simulated user's own errors from the assistant's: what a language model says as the user is read first.

A user who invents a fact, falls out of the role, keeps an answer back, or leaves while all goes well would cost the
assistant points that it did not lose. In tau2's retail domain up to 30 % of failed runs were the simulator's fault.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import NamedTuple

from sklearn.feature_extraction.text import TfidfVectorizer

from flowc.given_away import runs
from flowc.graph import PLACEHOLDER, Graph, edges
from flowc.records import Message
from flowc.scenarios import Scenario
from flowc.slots import pattern
from flowc.stated import contains, tells, without
from flowc.tracker import own_words
from flowc.user import UserTurn

_ECHO = 8  # words of the assistant's last message in a row: who answers repeats fewer
_SURELY = 0.5  # how like a phrase of another choice a message has to be to be taken for it,
_MARGIN = 0.25  # and by how much more than like those of its own; free words are much like no phrase
_STOP = re.compile(r"\[\s*stop\b[:\s]*([^\]\n]*)\]", re.IGNORECASE)
_ROLE = re.compile(
    r"<tool_call>|<\|im_|</?think>|\b(?:as|I am|I'm) an? (?:AI|language model|virtual assistant)\b"
    r"|\bhow (?:can|may) I (?:help|assist) you|^\s*(?:assistant|agent|customer|user)\s*:",
    re.IGNORECASE | re.MULTILINE,
)


class Slip(StrEnum):
    """What a simulated user did wrong."""

    SILENT = "silent"
    """Said nothing."""
    OUT_OF_ROLE = "out_of_role"
    """Spoke as the assistant or as a language model, or repeated the assistant's words."""
    INVENTED_FACT = "invented_fact"
    """Named a value of a slot that is neither the scenario's nor the assistant's."""
    WITHHELD = "withheld"
    """Did not tell what was due, or not as it is written."""
    OFF_PLAN = "off_plan"
    """Chose something else than the scenario wants."""
    EARLY_STOP = "early_stop"
    """Left while the assistant was doing what it should."""
    TOO_LONG = "too_long"
    """The conversation outgrew the context of the user's model."""


class Said(NamedTuple):
    """A message of the user: the words, and the reason to stop where there is one."""

    text: str
    stop: str | None


def split_stop(reply: str) -> Said:
    """Take the mark `[stop: reason]` out of a reply."""
    found = _STOP.search(reply)
    text = _STOP.sub("", reply).strip().strip('"').strip()
    return Said(text, (found[1].strip() or "no reason") if found else None)


class Guard:
    """Reads what simulated users of one procedure say."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._banks = {f"edge:{name}.{e.id}": e.says for name, e in edges(graph) if e.says}
        self._banks |= {f"interrupt:{name}": i.says for name, i in graph.interrupts.items()}
        self._vectorizer = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 4), sublinear_tf=True)
        self._vectorizer.fit([_plain(p) for bank in self._banks.values() for p in bank])

    def slip(
        self, scenario: Scenario, said: Said, meant: UserTurn, history: Sequence[Message], patient: bool
    ) -> Slip | None:
        """Name what is wrong with a message that should mean `meant`, None where nothing is.

        `patient` says that the user has no reason to leave: the assistant is understood and gets on.
        """
        if said.stop is not None:
            return Slip.EARLY_STOP if patient else None
        if not re.search(r"\w", said.text):
            return Slip.SILENT
        if _ROLE.search(said.text) or _echoes(said.text, history):
            return Slip.OUT_OF_ROLE
        known = values(scenario)
        if self._invents(said.text, known, history):
            return Slip.INVENTED_FACT
        if not all(self._tells(said.text, slot, value, known) for slot, value in meant.gives.items()):
            return Slip.WITHHELD
        return Slip.OFF_PLAN if self._contradicts(said.text, meant.labels[0]) else None

    def _invents(self, text: str, known: Sequence[str], history: Sequence[Message]) -> bool:
        rest = without(text, known)
        heard = "\n".join(m.content for m in history)
        for slot in self._graph.slots.values():
            expression = pattern(slot, own_words(self._graph))
            for found in expression.findall(rest) if expression else ():
                if not contains(heard, found):
                    return True
        return False

    def _tells(self, text: str, slot: str, value: str, known: Sequence[str]) -> bool:
        """Whether a text tells a slot's value, and not only another one that begins or ends like it."""
        return tells(text, value, (*self._graph.slots[slot].values, *known))

    def _contradicts(self, text: str, label: str) -> bool:
        """Whether the words are plainly those of another choice: an edge of the same hub, or a way out."""
        node = label.partition(":")[2].partition(".")[0]
        if label not in self._banks or (label.startswith("edge:") and not self._graph.nodes[node].is_hub):
            return False
        choices = [k for k in self._banks if k.startswith(f"edge:{node}.") and k != label]
        choices += [f"interrupt:{n}" for n, i in self._graph.interrupts.items() if i.to and f"interrupt:{n}" != label]
        other = max((self._likeness(text, k) for k in choices), default=0.0)
        return other >= _SURELY and other - self._likeness(text, label) >= _MARGIN

    def _likeness(self, text: str, choice: str) -> float:
        """The cosine of a text with the nearest phrase of a choice."""
        bank = self._vectorizer.transform([_plain(p) for p in self._banks[choice]])
        return float((bank @ self._vectorizer.transform([_plain(text)]).T).max())


def values(scenario: Scenario) -> tuple[str, ...]:
    """Give every value that a scenario's user may know: its own, and what tools tell the assistant."""
    own = [v for s in scenario.script for v in (*s.gives.values(), *s.volunteers.values(), *s.corrects.values())]
    told = [v for results in scenario.results.values() for r in results for v in r.values.values()]
    return tuple(dict.fromkeys([*own, *told]))


def facts(scenario: Scenario) -> dict[str, str]:
    """Give the slots that a scenario's user tells, sorted, with the value that each has first."""
    out: dict[str, str] = {}
    for step in scenario.script:
        for slot, value in (*step.gives.items(), *step.volunteers.items()):
            out.setdefault(slot, value)
    return dict(sorted(out.items()))


def ahead(graph: Graph, scenario: Scenario, text: str, told: Mapping[str, str]) -> dict[str, str]:
    """Give the scenario's facts that a text tells before they are due; `told` are those that are known by now."""
    return {
        slot: value
        for slot, value in facts(scenario).items()
        if slot not in told
        and value not in told.values()
        and graph.slots[slot].mention
        and tells(text, value, (*graph.slots[slot].values, *values(scenario)))
    }


def _plain(phrase: str) -> str:
    return PLACEHOLDER.sub(" ", phrase).lower()


def _echoes(text: str, history: Sequence[Message]) -> bool:
    last = next((m.content for m in reversed(history) if m.role == "assistant" and m.content), "")
    return bool(runs(text, _ECHO) & runs(last, _ECHO))
