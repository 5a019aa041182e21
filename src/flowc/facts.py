"""Facts that customers ask for, counted by whether the assistant's answer states them."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

from flowc.conformance import Counts
from flowc.graph import Graph
from flowc.transcripts import Ended, Transcript


def facts_asked_for(graph: Graph, transcript: Transcript) -> dict[str, Counts]:
    """Count a conversation's questions by the fact that they ask for, right where the next message states it.

    A fact is stated by all of its `must`, in any case. None is counted where the simulated user went wrong, or where
    no answer was given.
    """
    n: Counter[str] = Counter()
    right: Counter[str] = Counter()
    if transcript.ended != Ended.USER_ERROR:
        for asked, answer in pairwise(transcript.turns):
            kind, _, name = (asked.labels or ("",))[0].partition(":")
            if kind == "side_question" and answer.message.role == "assistant":
                said = answer.message.content.casefold()
                n[name] += 1
                right[name] += all(must.casefold() in said for must in graph.knowledge[name].must)
    return {name: Counts(n=n[name], right=right[name]) for name in sorted(n)}
