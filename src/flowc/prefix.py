"""What of an arm's prompts a prefix cache would spare, worked out from the server's counts.

An arm that is one prompt sends a conversation anew with every call, so that each prompt begins with the one before: all
but the last prompt of a conversation is computed twice or more. The server counts a conversation's prompt tokens
together. How long the last one was follows from a fit over all conversations: prompt tokens are those of the system
prompt for every call, and so many for every character of the messages before it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from flowc.transcripts import Transcript, Turn

_MARKERS = 5  # tokens of ChatML around a message: start, role, line end, end, line end


class Growth(NamedTuple):
    """Tokens of an arm's system prompt with its tools, and the share of all its prompt tokens that recur."""

    system: float
    recurring: float


def growth(transcripts: Sequence[Transcript]) -> Growth | None:
    """Fit how prompts grow; None for an arm that mostly does not make one call a message.

    The prompts of such an arm share no beginning. Needs conversations of unlike length. On 24 travel conversations
    whose prompts were counted one by one the last prompt came out as 569 for 559 tokens, and 1,269 for 1,259 with 700
    tokens more in the system prompt. The system prompt came out 21 too short both times, so that the difference
    between two arms is sound.
    """
    rows, counts, lasts, total = [], [], [], 0
    for transcript in transcripts:
        before = _before_each_call(transcript.turns)
        if not before or len(before) != transcript.tokens.calls:
            continue  # an orchestrator's, or one that ended with a call that gave no message
        total += transcript.tokens.prompt
        rows.append((len(before), sum(characters for _, characters in before)))
        counts.append(transcript.tokens.prompt - _MARKERS * sum(messages for messages, _ in before))
        lasts.append(before[-1])
    matrix = np.array(rows, dtype=float)
    if 2 * len(rows) <= len(transcripts) or np.linalg.matrix_rank(matrix) < 2:
        return None
    (system, per_character), *_ = np.linalg.lstsq(matrix, np.array(counts, dtype=float))
    last = sum(system + per_character * characters + _MARKERS * messages for messages, characters in lasts)
    return Growth(float(system), float(1 - last / total))


def _before_each_call(turns: Sequence[Turn]) -> list[tuple[int, int]]:
    """Messages and characters that stood before each of the assistant's messages."""
    out, characters = [], 0
    for messages, turn in enumerate(turns):
        if turn.message.role == "assistant":
            out.append((messages, characters))
        calls = [{"name": c.name, "arguments": c.arguments} for c in turn.message.tool_calls]
        characters += len(turn.message.content) + sum(len(json.dumps(c, ensure_ascii=False)) for c in calls)
    return out
