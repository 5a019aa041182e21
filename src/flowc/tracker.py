"""The node tracker: which node does an utterance of the assistant realise, if any?

Two logistic regressions over character and word n-grams: whether an utterance is a step at all, and which one.
The second also learns from the answers to a question, which share its subject. Accuracy is measured on held-out
phrases, which the fit never sees; utterances of another kind must come out as "none".
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from random import Random
from typing import Any, NamedTuple

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_union

from flowc.graph import PLACEHOLDER, Bank, Graph, part
from flowc.slots import draw, pattern

NONE = "none"
_RENDERINGS = 2  # of each phrase: with different values; a held-out one alone and behind something said before it
_STRANGERS = 8  # user phrases of each edge that teach "none"
# An utterance less likely than this to be a step is "none", and so is one whose node is less likely. Chosen on six
# random splits of the phrases: 0.5 recognises 1 in 100 steps less, 0.25 takes 1 in 100 user phrases more for a step.
_WHETHER, _WHICH = 0.4, 0.2


class Tracked(NamedTuple):
    """The node of an utterance, or None, with the class's probability."""

    node: str | None
    probability: float


class Labelled(NamedTuple):
    """An utterance and the node that it realises (or `none`)."""

    text: str
    node: str


class Tracker:
    """Fitted on one procedure's agent phrases of the training part."""

    def __init__(self, graph: Graph, seed: int = 0) -> None:
        self._patterns = [
            (name, found) for name, slot in sorted(graph.slots.items()) if (found := pattern(slot, own_words(graph)))
        ]
        examples = list(dict.fromkeys(Labelled(self._mask(e.text), e.node) for e in utterances(graph, "train", seed)))
        about = [e for e in examples if e.node != NONE] + _answers(graph)
        self._vectorizer = make_union(
            TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 4), sublinear_tf=True),
            TfidfVectorizer(analyzer="word", ngram_range=(1, 2), sublinear_tf=True, token_pattern=r"[\w<>']+|\?"),
        )
        self._vectorizer.fit([e.text for e in (*examples, *about)])
        self._whether = self._fit(10.0, examples, [e.node != NONE for e in examples])
        self._which = self._fit(30.0, about, [e.node for e in about])

    def _fit(self, c: float, examples: Sequence[Labelled], labels: Sequence[Any]) -> LogisticRegression:
        model = LogisticRegression(C=c, max_iter=400, class_weight="balanced")
        return model.fit(self._vectorizer.transform([e.text for e in examples]), labels)

    def track(self, text: str) -> Tracked:
        """Name the node that an utterance realises.

        Its last sentence, last two and last three are each looked at, since an acknowledgement or an answer may
        come before the step itself; the most certain reading wins.
        """
        if not re.search(r"\w", text):
            return Tracked(None, 0.0)
        sentences = re.split(r"(?<=[.!?]) ", self._mask(text).strip())
        readings = [" ".join(sentences[-n:]) for n in (1, 2, 3) if n <= max(1, len(sentences))]
        features = self._vectorizer.transform(readings)
        step = self._whether.predict_proba(features)[:, 1:]
        by_node = (self._which.predict_proba(features) * step).max(axis=0)
        best = int(np.argmax(by_node))
        likely = float(by_node[best])
        known = step.max() >= _WHETHER and likely >= _WHICH
        return Tracked(str(self._which.classes_[best]) if known else None, likely)

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
