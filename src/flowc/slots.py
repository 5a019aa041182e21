"""Slot values: drawing them, and finding them in a text.

Pools are split by hash like phrases, so the evaluation's values are never seen in training.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from functools import cache
from random import Random

from flowc.graph import DATE_PARTS, Bank, Change, DateRange, Graph, NumberRange, Slot, is_held_out, part

_TRIES = 10_000


def draw(graph: Graph, name: str, rng: Random, bank: Bank, known: Mapping[str, str], change: Change = "any") -> str:
    """Draw a value of slot `name` from one part of its pool.

    `known` has the values that apply so far: a new value differs from the present one and from those of slots
    with the same pool (no flight from Oslo to Oslo), moves as `change` says where it is a number, and a share is
    taken of the slot that it names.
    Raises ValueError when the pool has no such value.
    """
    slot = graph.slots[name]
    present = known.get(name)
    if slot.share_of:
        base = number_in(known[slot.share_of])
        return slot.format.format(n=int(base * rng.uniform(slot.low, slot.high)))
    taken = {v.casefold() for n, v in known.items() if n == name or (slot.values and _same_pool(graph, n, slot))}
    for _ in range(_TRIES):
        value = _draw_once(slot, rng, bank)
        if value.casefold() not in taken and (present is None or _moves(value, present, change)):
            return value
    if change != "any":  # already at the end of the range: any other value
        return draw(graph, name, rng, bank, known)
    raise ValueError(f"slot {name!r} has too few {bank} values to draw another than {sorted(taken)}; widen its pool")


def _same_pool(graph: Graph, name: str, slot: Slot) -> bool:
    return name in graph.slots and graph.slots[name].values == slot.values


def _moves(value: str, present: str, change: Change) -> bool:
    if change == "any":
        return True
    higher = number_in(value) > number_in(present)
    return higher == (change == "higher")


def number_in(text: str) -> int:
    """Read the one number in a written amount, as 2400 in "$2,400".

    Raises ValueError when there is none.
    """
    digits = re.sub(r"\D", "", text)
    if not digits:
        raise ValueError(f"no number in {text!r}")
    return int(digits)


def _draw_once(slot: Slot, rng: Random, bank: Bank) -> str:
    if slot.values:
        return _from_pool(slot.values, slot.invent, rng, bank)
    if slot.join:
        return " ".join(_from_pool(pool, slot.invent, rng, bank) for pool in slot.join)
    for _ in range(_TRIES):
        value = _write(slot, rng)
        if is_held_out(value) == (bank == "held_out"):
            return value
    raise ValueError(f"a slot's range has no {bank} value; widen it")


def _from_pool(pool: tuple[str, ...], invent: float, rng: Random, bank: Bank) -> str:
    values = part(pool, bank)
    if bank == "held_out" or len(values) < 2 or not invent or rng.random() >= invent:
        return rng.choice(values)
    for _ in range(_TRIES):
        value = _splice(*rng.sample(values, k=2))
        if value not in pool:
            return value
    raise ValueError(f"nothing new can be spliced from a pool with {pool[0]!r}; set `invent` to 0")


def _splice(value: str, other: str) -> str:
    """Replace the second half of the value's longest word by that of the other's: Bergen and Toledo, Berledo."""
    word, donor = (max(v.split(), key=len) for v in (value, other))
    return value.replace(word, word[: (len(word) + 1) // 2] + donor[len(donor) // 2 :].lower(), 1)


def _write(slot: Slot, rng: Random) -> str:
    if slot.date:
        return _write_date(slot.date, rng)
    if slot.number:
        return _write_number(slot.number, rng)
    assert slot.code, "parse lets only slots with one generator through"
    letters, digits = "ABCDEFGHJKLMNPQRSTUVWXYZ", "0123456789"
    return "".join(rng.choice(letters) if c == "@" else rng.choice(digits) if c == "#" else c for c in slot.code)


def _write_date(dates: DateRange, rng: Random) -> str:
    day = dates.start + timedelta(days=rng.randrange(dates.days))
    return day.strftime(rng.choice(dates.formats))


def _write_number(numbers: NumberRange, rng: Random) -> str:
    n = rng.randrange(numbers.low, numbers.high + 1, numbers.step)
    return rng.choice(numbers.formats).format(n=n)


@cache
def pattern(slot: Slot, own_words: str) -> re.Pattern[str] | None:
    """Compile an expression that finds this slot's values in a text, or None where it cannot tell.

    Values that also stand in `own_words`, the agent's own phrasings, are left out: "Nice" would be found in
    "Nice choice". Values of joined pools (names of people) are not looked for.
    """
    if slot.values:
        found = [v for v in slot.values if (v not in own_words and len(v) > 2 and slot.source == "tool")
                 or (v[:1].isupper() and v not in own_words)]  # fmt: skip
        alternatives = [re.escape(v) for v in sorted(set(found), key=lambda v: (-len(v), v))]
    elif slot.date:
        alternatives = [_date_pattern(f) for f in slot.date.formats]
    elif slot.number:
        alternatives = [_number_pattern(f) for f in slot.number.formats]
    elif slot.share_of:
        alternatives = [_number_pattern(slot.format)]
    elif slot.code:
        alternatives = ["".join("[A-Z]" if c == "@" else r"\d" if c == "#" else re.escape(c) for c in slot.code)]
    else:
        return None
    if not alternatives:
        return None
    return re.compile(r"(?<!\w)(?:" + "|".join(alternatives) + r")(?!\w)")


def _number_pattern(written: str) -> str:
    before, _, after = re.split(r"(\{n(?::,)?\})", written, maxsplit=1)
    return re.escape(before) + r"\d(?:[\d,]*\d)?" + re.escape(after)


def _date_pattern(written: str) -> str:
    pieces = re.split(r"(%-?[a-zA-Z])", written)
    return "".join(DATE_PARTS.get(p, re.escape(p)) for p in pieces)
