"""What calls cost: a price for each model, an upper bound before a call, the real cost after it, and a cap between.

The cap counts what the data at hand cost, whenever it was paid: answers used again count as well, and so does a call
that was perhaps charged for without an answer arriving.
"""

from __future__ import annotations

from collections import Counter
from datetime import date
from typing import Literal

from pydantic import Field

from flowc.completion import Request, Response
from flowc.records import Record, UserError

_FRAME_TOKENS = 1000  # what a provider puts around a request: roles, its own words on the JSON that is asked for
_BYTES_PER_TOKEN = 4  # of English text, for estimates only
_MILLION = 1_000_000


class Price(Record):
    """Dollars for a million tokens, as the provider publishes them."""

    input: float = Field(ge=0)
    output: float = Field(ge=0)
    cache_read: float | None = Field(default=None, ge=0)
    """None: as input."""
    cache_write: float | None = Field(default=None, ge=0)
    """None: as input."""
    batch: float = Field(default=1.0, gt=0, le=1)
    """Share of the price that is paid in a batch."""
    prompt_limit: int | None = Field(default=None, ge=1)
    """Longest prompt in tokens for which the price holds; None: any."""


class ListPrice(Price):
    """A price with where and when it was read."""

    as_of: date
    source: str


class PricesParams(Record):
    """The prices that are known."""

    models: dict[str, ListPrice]


class CapReached(UserError):
    """The next call might pass the cap."""


def price_for(
    prices: PricesParams, model: str, own: Price | None, cap: float | Literal["none"], section: str = "generate.llm"
) -> Price | None:
    """Give a model's price: the user's own, else the listed one; None when it is unknown and the user wants no cap.

    `section` is where the params say so.

    Raises UserError for an unknown price under a cap.
    """
    known = own or prices.models.get(model)
    if known is None and cap != "none":
        raise UserError(
            f"no price is known for the model {model!r}, so the cap of ${cap:g} cannot be kept: set {section}.price "
            "to {input: DOLLARS, output: DOLLARS} for a million tokens (0 for a server of your own), or "
            f"{section}.cap to none"
        )
    return known


def most(request: Request, price: Price, batch: bool) -> float:
    """Give an upper bound of a call's dollars: a token for each byte, all written to a cache, and the longest answer.

    Raises UserError when the prompt may be longer than the price holds for.
    """
    tokens = request.size + _FRAME_TOKENS
    if price.prompt_limit is not None and tokens > price.prompt_limit:
        raise UserError(
            f"a prompt of {tokens:,} bytes to {request.model!r} may pass {price.prompt_limit:,} tokens, above which "
            "its price is not known here; set the price in the params to the higher one"
        )
    dearest = max(price.input, price.cache_read or 0.0, price.cache_write or 0.0)
    return (tokens * dearest + request.max_tokens * price.output) / _MILLION * (price.batch if batch else 1.0)


def likely(request: Request, answer: str, price: Price, batch: bool) -> float:
    """Estimate a call's dollars from the lengths of its prompt and of an answer of the expected length."""
    tokens_in, tokens_out = request.size / _BYTES_PER_TOKEN, len(answer.encode("utf-8")) / _BYTES_PER_TOKEN
    return (tokens_in * price.input + tokens_out * price.output) / _MILLION * (price.batch if batch else 1.0)


def cost(response: Response, price: Price) -> float:
    """Give the dollars that an answer cost by the provider's counts."""
    read = price.input if price.cache_read is None else price.cache_read
    write = price.input if price.cache_write is None else price.cache_write
    dollars = (
        response.input_tokens * price.input
        + response.cache_read_tokens * read
        + response.cache_write_tokens * write
        + response.output_tokens * price.output
    ) / _MILLION
    return dollars * (price.batch if response.batch else 1.0)


class Spend:
    """The account of one run. Nothing is asked that might pass the cap."""

    def __init__(self, cap: float | Literal["none"], price: Price | None, section: str = "generate.llm") -> None:
        """`section` is where the params have the cap."""
        self._cap, self.price, self._section = (float("inf") if cap == "none" else float(cap)), price, section
        self.used = 0.0
        """Dollars that the answers in use cost, in this run or before."""
        self.paid = 0.0
        """Dollars paid in this run."""
        self.lost = 0.0
        """Dollars at most for calls that were perhaps charged without an answer."""
        self.held = 0.0
        """Dollars at most for the calls in flight."""
        self._holds = 0
        self.tokens: Counter[str] = Counter()

    @property
    def left(self) -> float:
        """Dollars that may still be promised."""
        return self._cap - self.used - self.lost - self.held

    def most(self, request: Request, batch: bool) -> float:
        """Give the upper bound of a call, 0 where no price is known."""
        return most(request, self.price, batch) if self.price else 0.0

    def reserve(self, dollars: float) -> bool:
        """Hold dollars for a call; False when it has to wait for others to settle.

        Raises CapReached when waiting would not help.
        """
        if dollars <= self.left:
            self.held += dollars
            self._holds += 1
            return True
        if not self._holds:
            raise CapReached(
                f"the cap of ${self._cap:g} leaves ${max(self.left, 0.0):.4f}, and the next call may cost "
                f"${dollars:.4f} (used ${self.used:.4f}, perhaps lost ${self.lost:.4f}); what is paid for is kept: "
                f"raise {self._section}.cap, lower {self._section}.max_tokens or ask for fewer conversations, and "
                "start again"
            )
        return False

    def release(self, dollars: float) -> None:
        """Give back what a call was not charged."""
        self._holds -= 1
        self.held = max(0.0, self.held - dollars) if self._holds else 0.0

    def lose(self, dollars: float) -> None:
        """Count a call as charged at most, because nobody knows."""
        self.release(dollars)
        self.lost += dollars

    def regain(self, dollars: float) -> None:
        """Hold again what an earlier run had in flight: its answer can still be had."""
        self.lost = max(0.0, self.lost - dollars)
        self.held += dollars
        self._holds += 1

    def settle(self, response: Response, dollars: float) -> None:
        """Replace what a call held by what it cost."""
        self.release(dollars)
        self.use(response)
        self.paid += cost(response, self.price) if self.price else 0.0

    def use(self, response: Response) -> None:
        """Count an answer that was paid before."""
        self.used += cost(response, self.price) if self.price else 0.0
        for name in ("input_tokens", "cache_read_tokens", "cache_write_tokens", "output_tokens"):
            self.tokens[name] += getattr(response, name)
