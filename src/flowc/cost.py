"""What conversations cost: by tokens, by how busy the machine is, and by volume with the compiling included.

A token's price on an own machine is that of arXiv 2605.22502, dollars an hour over tokens an hour
(`dollars_per_million` in benchmark.py). It holds for a machine that is always busy; one that is busy a tenth of the
time costs ten times as much.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from flowc.spend import Price

HOURS_PER_MONTH = 730


class Need(NamedTuple):
    """Tokens of a conversation; `cached` is the part of `prompt` that a cache would find, None where none would."""

    prompt: float
    cached: float | None
    completion: float


class Machine(NamedTuple):
    """A rented machine, which costs the same idle: dollars and conversations an hour."""

    dollars_per_hour: float
    conversations_per_hour: float


def own_price(per_million_input: float, per_million_output: float) -> Price:
    """Give the price on an own machine that is always busy; a cached token costs no work."""
    return Price(input=per_million_input, output=per_million_output, cache_read=0.0)


def dollars(need: Need, price: Price, cache: bool) -> float:
    """Price a conversation, with or without the prompt cache."""
    cached = (need.cached or 0.0) if cache else 0.0
    read = price.input if price.cache_read is None else price.cache_read
    write = price.cache_write if cached and price.cache_write is not None else price.input
    return ((need.prompt - cached) * write + cached * read + need.completion * price.output) / 1e6


def break_even(compiling: float, own: float, other: float) -> float | None:
    """Give the conversations after which compiling has paid, at `own` and `other` dollars each; None: never."""
    return math.ceil(compiling / (other - own)) if other > own else None


def machines(volume: float, machine: Machine) -> int:
    """Count the machines for a volume of conversations a month that come evenly."""
    return max(1, math.ceil(volume / (machine.conversations_per_hour * HOURS_PER_MONTH)))


def per_thousand(volume: float, machine: Machine, compiling: float) -> float:
    """Give dollars per 1,000 conversations of a month: its machines, busy or idle, and its `compiling`."""
    return 1000 * (machines(volume, machine) * HOURS_PER_MONTH * machine.dollars_per_hour + compiling) / volume


def break_even_volume(other: float, machine: Machine, compiling: float) -> int | None:
    """Give the least conversations a month at which rented machines cost no more than `other` dollars each.

    None where even full machines cost more.
    """
    month = HOURS_PER_MONTH * machine.dollars_per_hour
    capacity = HOURS_PER_MONTH * machine.conversations_per_hour
    if other * capacity <= month:
        return None
    count = max(1, math.ceil(compiling / (other * capacity - month)))
    return math.ceil((count * month + compiling) / other)
