"""What a language model is asked and what it answered, as values: the same request has the same key everywhere."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Literal

from pydantic import Field

from flowc.records import Record, ToolCall, canonical

ProviderName = Literal["anthropic", "openai", "compatible"]
KEYS = {"anthropic": "ANTHROPIC_API_KEY", "openai": "OPENAI_API_KEY", "compatible": "FLOWC_COMPATIBLE_KEY"}
"""Provider to the environment's variable with its key."""
URLS = {"anthropic": "ANTHROPIC_BASE_URL", "openai": "OPENAI_BASE_URL", "compatible": "FLOWC_COMPATIBLE_URL"}
Effort = Literal["none", "low", "medium", "high"]


class Said(Record):
    """One message of a request."""

    role: Literal["user", "assistant", "tool"]
    text: str
    call: ToolCall | None = Field(default=None, exclude_if=lambda call: call is None)
    """The function that the assistant calls with this message; the next one, of the tool, is its result."""


class Function(Record):
    """A function that the model may call; its arguments are texts, all required."""

    name: str
    description: str
    arguments: tuple[str, ...]


class Request(Record):
    """One call to a model, without anything that only says where it is sent to or how it is paid."""

    provider: ProviderName
    model: str
    system: str
    messages: tuple[Said, ...]
    properties: tuple[str, ...] = ()
    """Names of the texts in the JSON object that is asked for, all required; empty asks for plain text."""
    temperature: float | None
    """None leaves it to the model: newer ones refuse the setting."""
    effort: Effort | None
    """How much a reasoning model thinks; None leaves it to the model."""
    max_tokens: int
    grows: bool
    """Whether the next request begins with all of this one, so that its prompt is worth caching."""
    seed: int
    """Tells equal questions of different conversations apart, so that each gets its own answer; it is not sent."""
    functions: tuple[Function, ...] = Field(default=(), exclude_if=lambda functions: not functions)
    """What the model may call, one at a time."""

    @property
    def key(self) -> str:
        """The content address: a hash of all of the request."""
        return hashlib.sha256(canonical(self).encode("utf-8")).hexdigest()

    @property
    def size(self) -> int:
        """All of its text in bytes of UTF-8; no tokenizer makes more tokens of a text than it has bytes."""
        texts = [self.system, *(m.text for m in self.messages), *self.properties]
        texts += [canonical(m.call) for m in self.messages if m.call]
        texts += [f"{f.name} {f.description} {json.dumps(schema(f.arguments))}" for f in self.functions]
        return sum(len(text.encode("utf-8")) for text in texts)


class Stop(StrEnum):
    """Why an answer ended."""

    END = "end"
    LENGTH = "length"
    REFUSAL = "refusal"


class Response(Record):
    """One answer, with the provider's own counts of tokens."""

    text: str
    stop: Stop
    model: str
    input_tokens: int
    """Tokens of the prompt that were neither read from the provider's cache nor written to it."""
    cache_read_tokens: int
    cache_write_tokens: int
    output_tokens: int
    batch: bool
    """Whether it came from a batch, which costs less."""
    calls: tuple[ToolCall, ...] = Field(default=(), exclude_if=lambda calls: not calls)
    """Functions that the model wants to be called."""


class Fault(StrEnum):
    """What can go wrong with a call; the last five concern an answer that arrived and was paid for."""

    RATE_LIMIT = "rate_limit"
    OVERLOADED = "overloaded"
    SERVER_ERROR = "server_error"
    TIMEOUT = "timeout"
    NO_ANSWER = "no_answer"
    UNREADABLE = "unreadable"
    EXPIRED = "expired"
    MALFORMED = "malformed"
    TRUNCATED = "truncated"
    EMPTY = "empty"
    REFUSAL = "refusal"
    UNSTATED = "unstated"


def unset(name: ProviderName, environment: Mapping[str, str]) -> str | None:
    """Name the variable without which a provider cannot be asked and that is not set, or None."""
    needed = URLS[name] if name == "compatible" else KEYS[name]
    return None if environment.get(needed) else needed


def schema(properties: tuple[str, ...]) -> dict[str, Any]:
    """Give the JSON schema of an object of texts.

    One required property for each text, because providers enforce those while few enforce the length of a list.
    """
    return {
        "type": "object",
        "properties": {name: {"type": "string"} for name in properties},
        "required": list(properties),
        "additionalProperties": False,
    }
