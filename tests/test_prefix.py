"""What a prefix cache would spare, on transcripts whose prompts are known exactly."""

from __future__ import annotations

import pytest

from flowc.prefix import growth
from flowc.records import Message, ToolCall
from flowc.transcripts import Ended, Tokens, Transcript, Turn

SYSTEM, PER_PIECE, MARKERS = 120, 1.25, 5


def conversation(words: list[int], calls_more: int = 0) -> Transcript:
    """The assistant and the user speak in turn, so many words each; every call sends all that came before."""
    turns, prompts, pieces = [], [], 0
    for i, length in enumerate(words):
        role = "user" if i % 2 else "assistant"
        if role == "assistant":
            prompts.append(SYSTEM + MARKERS * i + PER_PIECE * pieces)
        turns.append(Turn(message=Message.model_validate({"role": role, "content": "x " * length})))
        pieces += length
    tokens = Tokens(prompt=round(sum(prompts)), completion=10, calls=len(prompts) + calls_more)
    return Transcript(scenario="s", arm="a", ended=Ended.TERMINAL, turns=tuple(turns), tokens=tokens)


def test_the_system_prompt_and_what_recurs_are_found() -> None:
    played = [conversation([40, 80, 120, 40, 60]), conversation([40, 200, 40]), conversation([80, 40, 40, 400, 8])]
    found = growth(played)
    assert found is not None
    assert found.system == pytest.approx(SYSTEM, abs=0.5)
    assert found.per_piece == pytest.approx(PER_PIECE, abs=0.005)
    # The last prompts have 280, 240 and 560 words and 4, 2 and 4 messages before them: all else recurs.
    last = 3 * SYSTEM + PER_PIECE * (280 + 240 + 560) + MARKERS * 10
    assert found.recurring == pytest.approx(1 - last / sum(t.tokens.prompt for t in played), abs=0.002)


def test_a_conversation_that_ended_with_a_call_without_a_message_is_left_out() -> None:
    some = [conversation([40, 80, 120, 40, 60]), conversation([40, 200, 40]), conversation([80, 40, 40, 400, 8])]
    assert growth([*some, conversation([40, 20, 20], calls_more=1)]) == growth(some)


def test_an_arm_that_calls_more_than_once_a_message_has_no_growing_prompt() -> None:
    assert growth([conversation([40, 80, 120], 1), conversation([40, 20, 20], 1), conversation([9, 9, 9])]) is None


def test_conversations_that_are_all_alike_say_nothing_of_their_own() -> None:
    assert growth([conversation([40, 80, 120])] * 3) is None
    # One that is a little longer does not save the fit: the slope would hang on it alone.
    assert growth([conversation([40, 80, 120])] * 3 + [conversation([41, 80, 120])]) is None
    assert growth([]) is None


def test_conversations_that_are_all_alike_take_the_tokens_a_piece_of_another_arm() -> None:
    varied = growth([conversation([40, 80, 120, 40, 60]), conversation([40, 200, 40]), conversation([80, 40, 40, 400])])
    assert varied is not None
    found = growth([conversation([40, 80, 120])] * 3, varied.per_piece)
    assert found is not None
    assert found.system == pytest.approx(SYSTEM, abs=0.5)
    # Two calls; the last prompt has 120 words and two messages before it.
    last = SYSTEM + PER_PIECE * 120 + MARKERS * 2
    assert found.recurring == pytest.approx(1 - last / (SYSTEM + last), abs=0.002)


def test_what_is_varied_is_fitted_alone() -> None:
    some = [conversation([40, 80, 120, 40, 60]), conversation([40, 200, 40]), conversation([80, 40, 40, 400, 8])]
    assert growth(some, per_piece=9.0) == growth(some)


def test_words_digits_and_runs_of_signs_are_pieces_of_calls_too() -> None:
    asked = Message(role="assistant", tool_calls=(ToolCall(name="pay", arguments={"sum": "12"}),))
    messages = (asked, Message(role="tool", content='{"ok": true}'), Message(role="assistant", content="Paid."))
    turns = tuple(Turn(message=m) for m in messages)
    # < tool _ call > {" name ": " pay ", " arguments ": {" sum ": " 1 2 "}} </ tool _ call > and {" ok ": true }
    called = 26 + 5
    tokens = Tokens(prompt=2 * 50 + MARKERS * 2 + called, calls=2)
    played = Transcript(scenario="s", arm="a", ended=Ended.TERMINAL, turns=turns, tokens=tokens)
    found = growth([played], per_piece=1.0)
    assert found is not None and found.system == pytest.approx(50)
