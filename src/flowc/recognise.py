"""Which node does an utterance realise, if any? Learnt from labelled examples alone.

Two logistic regressions over character and word n-grams: whether an utterance is a step at all, and which one. Where
no example is labelled `none`, familiarity stands in for the first. MiniLM embeddings were tried beside the n-grams on
what human wizards typed (docs/human-input.md): they brought nothing.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_union

NONE = "none"
# An utterance less likely than this to be a step is "none", and so is one whose node is less likely. Chosen on six
# random splits of the phrases: 0.5 recognises 1 in 100 steps less, 0.25 takes 1 in 100 user phrases more for a step.
_WHETHER, _WHICH = 0.4, 0.2
# The second where nothing is labelled `none`. Chosen on the replies and examples of six STAR tasks: of examples left
# out of the fit and named rightly it loses 1 in 20, and it calls "none" 57 in 100 of a step that is left out whole.
_WHICH_ALONE = 0.35


class Tracked(NamedTuple):
    """The node of an utterance, or None, with the class's probability."""

    node: str | None
    probability: float


class Labelled(NamedTuple):
    """An utterance and the node that it realises (or `none`)."""

    text: str
    node: str


class Recogniser:
    """Fitted on examples, whose upper case does not matter; `about` only teaches which step, not what a step is."""

    def __init__(self, examples: Sequence[Labelled], about: Sequence[Labelled] = ()) -> None:
        steps = [e for e in examples if e.node != NONE]
        words = TfidfVectorizer(analyzer="word", ngram_range=(1, 2), sublinear_tf=True, token_pattern=r"[\w<>']+|\?")
        self._chars = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 4), sublinear_tf=True)
        self._vectorizer = make_union(self._chars, words)
        self._vectorizer.fit([e.text for e in (*examples, *steps, *about)])
        strangers = len(steps) < len(examples)
        self._whether = self._fit(10.0, examples, [e.node != NONE for e in examples]) if strangers else None
        self._which = self._fit(30.0, [*steps, *about], [e.node for e in (*steps, *about)])

    def _fit(self, c: float, examples: Sequence[Labelled], labels: Sequence[Any]) -> LogisticRegression:
        model = LogisticRegression(C=c, max_iter=400, class_weight="balanced")
        return model.fit(self._vectorizer.transform([e.text for e in examples]), labels)

    def recognise(self, text: str) -> Tracked:
        """Name the node that an utterance realises.

        Its last sentence, last two and last three are each looked at, since an acknowledgement or an answer may
        come before the step itself; the most certain reading wins.
        """
        if not re.search(r"\w", text):
            return Tracked(None, 0.0)
        sentences = re.split(r"(?<=[.!?]) ", text.strip())
        readings = [" ".join(sentences[-n:]) for n in (1, 2, 3) if n <= max(1, len(sentences))]
        features = self._vectorizer.transform(readings)
        if self._whether is None:
            step, least = np.array([[self._familiar(r)] for r in readings]), _WHICH_ALONE
        else:
            step, least = self._whether.predict_proba(features)[:, 1:], _WHICH
        by_node = (self._which.predict_proba(features) * step).max(axis=0)
        best = int(np.argmax(by_node))
        likely = float(by_node[best])
        known = step.max() >= _WHETHER and likely >= least
        return Tracked(str(self._which.classes_[best]) if known else None, likely)

    def _familiar(self, text: str) -> float:
        """Give the share of a text's character n-grams that the examples have."""
        grams = self._chars.build_analyzer()(text)
        return sum(g in self._chars.vocabulary_ for g in grams) / len(grams) if grams else 0.0
