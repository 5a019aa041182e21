"""The arms with a provider's model: how it is asked, and what became of each arm. Apart from `frontier_arms`, which
loads both SDKs (1.6 s) and is needed only where a key is set.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field

from flowc.completion import Effort, ProviderName, unset
from flowc.records import Record
from flowc.spend import Price

ARMS = ("frontier_in_context", "frontier_orchestrated")


class FrontierParams(Record):
    """How the provider's model is asked. The turns that a conversation may have are those of `simulate`."""

    provider: ProviderName
    """Whose model."""
    model: str
    """The provider's name of it."""
    temperature: float | None = Field(ge=0, le=2)
    """None leaves it to the model; Claude from 4.7 on and OpenAI's reasoning models refuse the setting."""
    effort: Effort | None
    """How much a reasoning model thinks before it answers; None leaves it to the model."""
    max_tokens: int = Field(ge=16)
    """Longest message in tokens, thinking included."""
    cap: Annotated[float, Field(ge=0)] | Literal["none"]
    """Dollars that both arms may cost at most for one procedure; with 0 they are not run."""
    price: Price | None
    """Dollars for a million tokens, where conf/prices.yaml does not know the model or another price holds."""
    concurrency: int = Field(ge=1)
    """Most calls at once."""
    timeout: float = Field(gt=0)
    """Seconds that a message may take."""


class Played(Record):
    """What one arm was played with and what that took, or why it was not."""

    provider: ProviderName
    model: str
    not_run: str = ""
    """The reason, where it was not run."""
    calls: int = 0
    """Answers in use, whenever they were paid for."""
    dollars: float | None = None
    """What these cost; None where no price is known."""


class Sheet(Record):
    """What became of each arm."""

    arms: dict[str, Played]


def reason_not_to_run(params: FrontierParams, environment: Mapping[str, str]) -> str:
    """Say why the arms are not run; empty where they are."""
    missing = unset(params.provider, environment)
    if missing:
        return f"{missing} is not set"
    return "frontier.cap is 0" if params.cap == 0 else ""


def not_run(params: FrontierParams, reason: str) -> Sheet:
    """Give the sheet of arms that are not run."""
    return Sheet(arms={arm: Played(provider=params.provider, model=params.model, not_run=reason) for arm in ARMS})
