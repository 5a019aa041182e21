"""The node tracker: which node does an utterance of the assistant realise, if any?

It learns from the agent's phrases of the training part, and which step also from the answers to a question, which
share its subject. Accuracy is measured on held-out phrases, which the fit never sees; utterances of another kind must
come out as "none".
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from random import Random
from typing import Any

from flowc.graph import PLACEHOLDER, Bank, Graph, part
from flowc.recognise import NONE, Labelled, Recogniser, Tracked
from flowc.slots import draw, pattern

_RENDERINGS = 2  # of each phrase: with different values; a held-out one alone and behind something said before it
_STRANGERS = 8  # user phrases of each edge that teach "none"


class Tracker:
    """Fitted on one procedure's agent phrases of the training part."""

    def __init__(self, graph: Graph, seed: int = 0) -> None:
        self._patterns = [
            (name, found) for name, slot in sorted(graph.slots.items()) if (found := pattern(slot, own_words(graph)))
        ]
        examples = list(dict.fromkeys(Labelled(self._mask(e.text), e.node) for e in utterances(graph, "train", seed)))
        self._recogniser = Recogniser(examples, _answers(graph))

    def track(self, text: str) -> Tracked:
        """Name the node that an utterance realises."""
        return self._recogniser.recognise(self._mask(text))

    def _mask(self, text: str) -> str:
        """Replace slot values by their kind."""
        for name, found in self._patterns:
            text = found.sub(f"<{name}>", text)
        return text.lower()


def _answers(graph: Graph) -> list[Labelled]:
    """What users say to a plain question, as utterances about its node, with the kinds of slots for values."""
    return [
        Labelled(PLACEHOLDER.sub(r"<\1>", phrase).lower(), name)
        for name, node in sorted(graph.nodes.items())
        if node.asks
        for phrase in (node.edges[0].when, *part(node.edges[0].says, "train"))
    ]


@cache
def _own_words(phrases: tuple[str, ...]) -> str:
    return "\n".join(phrases)


def own_words(graph: Graph) -> str:
    """Give every phrase that the agent may say, as one text."""
    phrases = [p for node in graph.nodes.values() for p in (*node.say, *node.again)]
    phrases += [p for slot in graph.slots.values() for p in slot.noted]
    phrases += [p for fact in graph.knowledge.values() for p in fact.say]
    phrases += [p for interrupt in graph.interrupts.values() for p in interrupt.say]
    return _own_words(tuple(phrases))


def utterances(graph: Graph, bank: Bank, seed: int) -> list[Labelled]:
    """Render the agent's phrases of one part with values; held-out ones also behind something said first.

    What belongs to no node (users' phrases, bare answers) is labelled `none`.
    """
    rng = Random(f"{seed}:{bank}:tracker")
    out = []
    prefixes = _prefixes(graph, bank)
    for name, node in sorted(graph.nodes.items()):
        if node.role != "agent":
            continue
        banks = part(node.say, bank) + (part(node.again, bank) if node.again else ())
        if bank == "train":
            out.append(Labelled(node.instruction, name))
        for phrase in banks:
            for i in range(_RENDERINGS):
                before = rng.choice(prefixes) + " " if prefixes and i % 2 and bank == "held_out" else ""
                out.append(Labelled((before + phrase).format(**_values(graph, rng, bank)), name))
    strangers = list(prefixes)
    for node in graph.nodes.values():
        strangers += [p for e in node.edges for p in part(e.says, bank)[:_STRANGERS]]
    strangers += [p for fact in graph.knowledge.values() for p in part(fact.asks, bank)]
    out += [Labelled(p.format(**_values(graph, rng, bank)), NONE) for p in strangers]
    return out


def _prefixes(graph: Graph, bank: Bank) -> list[str]:
    banks: Sequence[tuple[str, ...]] = [
        *(slot.noted for slot in graph.slots.values()),
        *(fact.say for fact in graph.knowledge.values()),
        *(i.say for i in graph.interrupts.values()),
    ]
    return [phrase for b in banks if b for phrase in part(b, bank)]


def _values(graph: Graph, rng: Random, bank: Bank) -> dict[str, str]:
    values: dict[str, str] = {}
    for name in sorted(graph.slots, key=lambda n: (graph.slots[n].share_of is not None, n)):
        values[name] = draw(graph, name, rng, bank, {k: v for k, v in values.items() if k != name})
    return values


def measure(graph: Graph, tracker: Tracker, seed: int) -> dict[str, Any]:
    """Measure a tracker on the held-out phrases: each utterance right (1.0) or wrong (0.0), by node."""
    right: dict[str, list[float]] = {}
    for example in utterances(graph, "held_out", seed):
        tracked = tracker.track(example.text).node or NONE
        right.setdefault(example.node, []).append(float(tracked == example.node))
    return {
        "right": [r for name in sorted(right) for r in right[name]],
        "by_node": {name: round(sum(r) / len(r), 4) for name, r in sorted(right.items())},
    }
