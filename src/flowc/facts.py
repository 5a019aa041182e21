"""Facts that customers ask for, counted by whether the assistant's answer states them and makes nothing up."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence

from flowc.conformance import Counts, Judgement
from flowc.graph import Fact, Graph
from flowc.tracker import own_words
from flowc.transcripts import Ended, Transcript

_NUMBER = re.compile(r"\d+")
_SENTENCES = re.compile(r"(?<=[.!?])\s+")


def facts_asked_for(graph: Graph, transcript: Transcript, judgement: Judgement) -> dict[str, Counts]:
    """Count a conversation's questions by the fact that they ask for, right where the next message states it alone.

    A fact is stated by all of its `must`, in any case. Such an answer is wrong all the same where the judge found a
    wrong or an invented value in it, where it has a number that neither the procedure's phrases nor the conversation
    so far have, and where one of its sentences states a fact that was not asked for. None is counted where the
    simulated user went wrong, or where no answer was given.
    """
    n: Counter[str] = Counter()
    right: Counter[str] = Counter()
    wrong = {fault.turn for fault in judgement.faults if fault.criterion == "information_accuracy"}
    turns = () if transcript.ended == Ended.USER_ERROR else transcript.turns
    for index in range(1, len(turns)):
        labels, answer = turns[index - 1].labels, turns[index].message
        asked = [name for kind, _, name in (label.partition(":") for label in labels) if kind == "side_question"]
        if asked and answer.role == "assistant":
            heard = [turn.message.content for turn in turns[:index]]
            sound = index not in wrong and not _embroiders(graph, asked, answer.content, heard)
            n.update(asked)
            right.update({name: sound and _states(graph.knowledge[name], answer.content) for name in asked})
    return {name: Counts(n=n[name], right=right[name]) for name in sorted(n)}


def _states(fact: Fact, text: str) -> bool:
    return all(must.casefold() in text.casefold() for must in fact.must)


def _embroiders(graph: Graph, asked: Sequence[str], text: str, heard: Iterable[str]) -> bool:
    numbers = set(_NUMBER.findall(text))
    if numbers and not numbers <= set(_NUMBER.findall("\n".join([own_words(graph), *heard]))):
        return True
    others = [fact for name, fact in graph.knowledge.items() if name not in asked]
    # What a question mentions it does not state: "Which meeting ID does the invitation show?" has a fact's very words.
    said = [sentence for sentence in _SENTENCES.split(text) if not sentence.endswith("?")]
    return any(_states(fact, sentence) for fact in others for sentence in said)
