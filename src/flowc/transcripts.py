"""The record of a simulated conversation, and why it ended."""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field

from flowc.records import Message, Record


class Ended(StrEnum):
    """Why a simulated conversation ended."""

    TERMINAL = "terminal"
    """The assistant reached an ending of the procedure."""
    TURN_LIMIT = "turn_limit"
    """Neither side came to an end within the allowed number of assistant messages."""
    NOT_UNDERSTOOD = "not_understood"
    """The user could not tell, several times running, what the assistant wanted."""
    IN_CIRCLES = "in_circles"
    """The assistant came back to the same step once too often, and the user gave up."""
    TOOL_LOOP = "tool_loop"
    """The assistant called tools again and again without speaking."""
    EMPTY_REPLY = "empty_reply"
    """The assistant said nothing."""
    TOO_LONG = "too_long"
    """The conversation outgrew the model's context."""
    USER_STOPPED = "user_stopped"
    """The user saw no sense in going on."""
    USER_ERROR = "user_error"
    """The simulated user itself went wrong: the conversation says nothing about the assistant and is not scored."""


class Turn(Record):
    """One message of a transcript with what it was understood to be.

    `labels`: for the assistant the node that its words or its call realised (none when nothing matched); for the
    user the edges, interrupts and deviations meant; for a tool its outcome. `gives`: slot values told or returned.
    """

    message: Message
    labels: tuple[str, ...] = ()
    gives: dict[str, str] = Field(default_factory=dict)


class Tokens(Record):
    """The server's own counts over all calls of one conversation."""

    prompt: int = 0
    completion: int = 0
    calls: int = 0


class Transcript(Record):
    """A simulated conversation of one arm on one scenario."""

    scenario: str
    arm: str
    ended: Ended
    turns: tuple[Turn, ...]
    tokens: Tokens
    repeat: int = Field(default=0, ge=0, exclude_if=lambda repeat: repeat == 0)
    """How often this scenario was played before; left out of the JSON where it was not."""
