"""Words of real customers in scenarios: what people typed to an airline and to an insurer, said by simulated users.

The words are theirs, the values are the scenario's: a labelled span ("arrival" + a city) becomes the procedure's slot.
What does not fit is left out: a turn with a label that the procedure has no slot for (a booking number, an address), or
with something outside a span that varies: a digit, a word that is mostly a value elsewhere, or what reading the phrases
showed. Source: MultiDoGO (Peskov et al. 2019, CDLA-Permissive-1.0), files with the columns conversationId, turnNumber,
utteranceId, utterance, slot-labels, intent.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from random import Random
from typing import NamedTuple

from flowc.graph import Graph
from flowc.records import Message, UserError
from flowc.scenarios import Scenario
from flowc.user import ScriptedUser, UserTurn

COLUMNS = 6
Bank = dict[str, tuple[str, ...]]
"""Phrases by `node.edge`, with the procedure's slots in braces."""


class Domain(NamedTuple):
    """How the data's labels are to be read in a procedure."""

    slots: Mapping[str, str]
    """The data's label to the procedure's slot."""
    openings: tuple[str, ...]
    """Intents with which a customer begins, in front of the answer to the procedure's first question."""
    answers: Mapping[str, tuple[str, str]]
    """An edge that gives no value: the intent that means it, and how such a turn begins."""
    unfit: str
    """What marks a phrase that does not fit: values that nobody labelled, units, answers to other questions."""


_YES, _NO = r"(ok|okay|yes|yeah|ya|sure)\b", r"(no|nope)\b"
DOMAINS = {
    "travel_booking": Domain(
        {"arrival_city": "destination", "departure_city": "origin", "start_date": "depart_date",
         "number_of_passengers": "travellers", "name": "traveller_name"},
        ("openinggreeting", "bookflight"),
        {"present_offer.accept": ("confirmation", _YES), "confirm_details.confirm": ("confirmation", _YES),
         "present_offer.decline": ("rejection", _NO)},
        r"detroit|los mochis|taxes|texas|kolkatta|\bnc\b|seat|persons?|passengers?|mis-?spell|spelled",
    ),
    "insurance_claims": Domain(
        {"name": "caller_name", "policyid": "policy_number"},
        ("openinggreeting",),
        {"confirm_claim.register": ("confirmation", _YES)},
        r"what details",
    ),
}  # fmt: skip


class _Turn(NamedTuple):
    number: int
    template: str
    labels: tuple[str, ...]
    intent: str


def read_words(path: Path, graph: Graph) -> Bank:
    """Give the phrases of real customers for the edges of a procedure; those of its first question are first turns.

    Raises UserError when the file is not there or not of this kind, and when no domain fits the procedure.
    """
    domain = DOMAINS.get(graph.procedure)
    if domain is None:
        raise UserError(f"no words of real customers are known for {graph.procedure}; there are for {list(DOMAINS)}")
    turns = [t for t in _turns(path, domain) if not re.search(rf"\d|{domain.unfit}", t.template)]
    out: dict[str, list[str]] = {}
    for name, node in sorted(graph.nodes.items()):
        for edge in node.edges:
            key = f"{name}.{edge.id}"
            intent, begins = domain.answers.get(key, ("", ""))
            if edge.gives:
                out[key] = [t.template for t in turns if t.labels == edge.gives and t.intent == "contentonly"]
            elif intent:
                meant = [t.template for t in turns if t.intent == intent and not t.labels]
                out[key] = [template for template in meant if re.match(begins, template)]
    openings = [t.template for t in turns if t.number <= 2 and not t.labels and t.intent in domain.openings]
    first = [f"{graph.start}.{e.id}" for e in graph.nodes[graph.start].edges]
    for key in first:
        out[key] = [f"{opening} {answer}" for opening in openings for answer in out.get(key, [])]
    return {key: tuple(dict.fromkeys(phrases)) for key, phrases in out.items() if phrases}


def _turns(path: Path, domain: Domain) -> list[_Turn]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()[1:]
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; give a .tsv of MultiDoGO") from None
    rows = [line.split("\t") for line in lines]
    # Some utterances contain a line break, some labels are not one a word: 13 of 3,960 lines.
    whole = [(row, row[3].split(), row[4].split()) for row in rows if len(row) == COLUMNS]
    whole = [(row, words, spans) for row, words, spans in whole if len(words) == len(spans)]
    leaning = Counter[str]()
    for _, words, spans in whole:
        leaning.update(w for w, s in zip(words, spans, strict=True) if s != "O")
        leaning.subtract(w for w, s in zip(words, spans, strict=True) if s == "O")
    out = []
    for (_, number, _, _, _, intent), words, spans in whole:
        if any(s not in domain.slots if s != "O" else leaning[w] > 0 for w, s in zip(words, spans, strict=True)):
            continue
        template = _template(words, [domain.slots.get(s, "") for s in spans])
        found = tuple(sorted(set(re.findall(r"\{(\w+)\}", template))))
        out.append(_Turn(int(number), template, found, intent))
    return out


def _template(words: Sequence[str], slots: Sequence[str]) -> str:
    """Put a slot in the place of the words that give its value."""
    out: list[str] = []
    for word, slot in zip(words, slots, strict=True):
        if not slot:
            out.append(word.replace("{", "").replace("}", ""))
        elif not out or out[-1] != f"{{{slot}}}":
            out.append(f"{{{slot}}}")
    return " ".join(out)


class RealWords:
    """A scripted user that means what its scenario plans, and says it in the words of real customers where there are.

    Where a turn has a deviation, or nobody said such a thing, the scenario's own phrase stays.
    """

    def __init__(self, graph: Graph, scenario: Scenario, words: Mapping[str, tuple[str, ...]]) -> None:
        self._user, self._words = ScriptedUser(graph, scenario), words
        self._rng = Random(f"{scenario.seed}:real words")

    async def reply(self, history: Sequence[Message], node: str | None) -> UserTurn:
        """Answer an utterance that realised `node`."""
        turn = self._user.reply(node)
        bank = bank_of(self._words, turn.labels)
        return turn._replace(text=self._rng.choice(bank).format(**turn.gives)) if bank else turn


def bank_of(words: Mapping[str, tuple[str, ...]], labels: Sequence[str]) -> tuple[str, ...]:
    """Give what customers said in a turn's place, from its labels; nothing where the scenario's phrase stays."""
    return words.get(labels[0].removeprefix("edge:"), ()) if len(labels) == 1 else ()
