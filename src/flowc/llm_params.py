"""How a teacher that is a language model is asked; apart from the teacher, which loads both SDKs (1.6 s)."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from flowc.completion import Effort
from flowc.records import Record
from flowc.spend import Price

Mode = Literal["conversation", "turns", "batch", "waves"]


class LlmParams(Record):
    """How a language model is asked."""

    mode: Mode
    """`conversation`: a call writes a whole conversation. `turns`: a call writes a message, as in the paper.
    `batch` and `waves`: the same through the provider's batches, all conversations at once, or all turns of an index.
    """
    model: str
    """The provider's name of it."""
    prompts: str
    """Version of the prompt files."""
    temperature: float | None = Field(ge=0, le=2)
    """None leaves it to the model; Claude from 4.7 on and OpenAI's reasoning models refuse the setting."""
    effort: Effort | None
    """How much a reasoning model thinks before it answers; None leaves it to the model."""
    max_tokens: int = Field(ge=16)
    """Longest answer in tokens, thinking included."""
    cap: Annotated[float, Field(ge=0)] | Literal["none"]
    """Dollars that one procedure's data may cost at most."""
    price: Price | None
    """Dollars for a million tokens, where conf/prices.yaml does not know the model or another price holds."""
    concurrency: int = Field(ge=1)
    """Most calls at once."""
    timeout: float = Field(gt=0)
    """Seconds that an answer may take."""
    poll: float = Field(gt=0)
    """Seconds between two looks at a batch."""
