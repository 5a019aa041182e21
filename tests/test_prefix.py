"""What a prefix cache would spare, on transcripts whose prompts are known exactly."""

from __future__ import annotations

import pytest

from flowc.prefix import growth
from flowc.records import Message
from flowc.transcripts import Ended, Tokens, Transcript, Turn

SYSTEM, PER_CHARACTER, MARKERS = 120, 0.25, 5


def conversation(words: list[int], calls_more: int = 0) -> Transcript:
    """The assistant and the user speak in turn, so many characters each; every call sends all that came before."""
    turns, prompts, characters = [], [], 0
    for i, length in enumerate(words):
        role = "user" if i % 2 else "assistant"
        if role == "assistant":
            prompts.append(SYSTEM + MARKERS * i + PER_CHARACTER * characters)
        turns.append(Turn(message=Message.model_validate({"role": role, "content": "x" * length})))
        characters += length
    tokens = Tokens(prompt=round(sum(prompts)), completion=10, calls=len(prompts) + calls_more)
    return Transcript(scenario="s", arm="a", ended=Ended.TERMINAL, turns=tuple(turns), tokens=tokens)


def test_the_system_prompt_and_what_recurs_are_found() -> None:
    played = [conversation([40, 80, 120, 40, 60]), conversation([40, 200, 40]), conversation([80, 40, 40, 400, 8])]
    found = growth(played)
    assert found is not None
    assert found.system == pytest.approx(SYSTEM, abs=0.5)
    # The last prompts have 280, 240 and 560 characters and 4, 2 and 4 messages before them: all else recurs.
    last = 3 * SYSTEM + PER_CHARACTER * (280 + 240 + 560) + MARKERS * 10
    assert found.recurring == pytest.approx(1 - last / sum(t.tokens.prompt for t in played), abs=0.002)


def test_a_conversation_that_ended_with_a_call_without_a_message_is_left_out() -> None:
    some = [conversation([40, 80, 120, 40, 60]), conversation([40, 200, 40]), conversation([80, 40, 40, 400, 8])]
    assert growth([*some, conversation([40, 20, 20], calls_more=1)]) == growth(some)


def test_an_arm_that_calls_more_than_once_a_message_has_no_growing_prompt() -> None:
    assert growth([conversation([40, 80, 120], 1), conversation([40, 20, 20], 1), conversation([9, 9, 9])]) is None


def test_conversations_that_are_all_alike_say_nothing() -> None:
    assert growth([conversation([40, 80, 120])] * 3) is None
    assert growth([]) is None
