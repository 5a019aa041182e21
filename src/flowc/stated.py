"""The values that an assistant states or passes on, compared with those that hold.

What is a price, a discount or a rule is looked for in any wording: an amount of money, a percentage, or a fact of the
procedure with another number that nobody has told and no phrase of the procedure has is an invention.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import cache
from typing import NamedTuple

from flowc.graph import Fact, Graph
from flowc.records import ToolCall
from flowc.slots import pattern
from flowc.tracker import own_words

_NUMBER = r"\d(?:[\d.,]*\d)?"
_AMOUNT = re.compile(
    rf"(?<!\w)(?:(?:[$€£]|USD|EUR|GBP) ?{_NUMBER}"
    rf"|{_NUMBER} ?(?:[%$€£]|(?:percent|per cent|dollars?|euros?|pounds?|cents?|USD|EUR|GBP)\b))",
    re.IGNORECASE,
)


class Stated(NamedTuple):
    """One value that was stated or left out; `wrong` says what is wrong with it, empty if nothing.

    `slot` is empty for a value of no slot: an invention in words of the assistant's own, a call of what is no function.
    """

    slot: str
    wrong: str = ""


class Values(NamedTuple):
    """The values in one utterance or call."""

    stated: tuple[Stated, ...]

    @property
    def right(self) -> int:
        """How many were right."""
        return sum(not s.wrong for s in self.stated)

    @property
    def wrong(self) -> tuple[str, ...]:
        """What is wrong with the others."""
        return tuple(s.wrong for s in self.stated if s.wrong)


def call_values(graph: Graph, call: ToolCall, values: Mapping[str, str]) -> Values:
    """Compare a call's arguments with the slots' values; case and outer white space do not count.

    A missing argument counts as wrong, and so does one that the function does not have.
    """
    if call.name not in graph.tools:
        return Values((Stated("", f"{call.name} is no function"),))
    stated = []
    wanted = graph.tools[call.name].arguments
    for argument, slot in sorted(wanted.items()):
        said, true = call.arguments.get(argument, ""), values.get(slot)
        right = true is not None and said.strip().casefold() == true.casefold()
        stated.append(Stated(slot, "" if right else f"{argument} is {said!r} in the call, {true!r} in truth"))
    more = sorted(set(call.arguments) - set(wanted))
    return Values((*stated, *(Stated("", f"{argument} is no argument of {call.name}") for argument in more)))


def stated_values(graph: Graph, text: str, must: Sequence[str], values: Mapping[str, str]) -> Values:
    """Compare the values in an utterance with those that hold now.

    Slots in `must` have to be stated; any other value of a slot's kind that holds nowhere is an invention.
    """
    stated = []
    for slot in must:
        right = slot in values and tells(text, values[slot], graph.slots[slot].values)
        stated.append(Stated(slot, "" if right else f"{slot} should be {values.get(slot)!r}"))
    facts = [must for fact in graph.knowledge.values() for must in fact.must]
    rest = without(text, {*values.values(), *facts})
    own = own_words(graph)
    for name, kind in sorted(graph.slots.items()):
        expression = pattern(kind, own)
        for match in sorted(set(expression.findall(rest))) if expression else ():
            stated.append(Stated(name, f"{match!r} is no {name} of this conversation"))
            rest = rest.replace(match, " ")
    stated += [
        Stated("", f"{found!r} is an invention") for found in _inventions(graph, rest) if not contains(own, found)
    ]
    return Values(tuple(stated))


def _inventions(graph: Graph, text: str) -> Iterator[str]:
    """Amounts, then numbers with what stands beside a number in a fact: "72 hours" where a fact has "48 hours"."""
    for expression in (_AMOUNT, *(x for fact in graph.knowledge.values() for x in _like(fact))):
        for match in sorted(set(expression.findall(text))):
            yield match
            text = text.replace(match, " ")


@cache
def _like(fact: Fact) -> tuple[re.Pattern[str], ...]:
    """Expressions for the fact's terms with any number in place of theirs; none for a term without a number."""
    shapes = [re.sub(r"\d+", lambda _: _NUMBER, re.escape(must)) for must in fact.must if re.search(r"\d", must)]
    return tuple(re.compile(rf"(?<!\w){shape}(?!\w)", re.IGNORECASE) for shape in shapes)


def contains(text: str, value: str) -> bool:
    """Whether a value stands in the text as a whole, in any case; $900 stands in $900.00, not in $900,000."""
    return value.lower() in text.lower() and _whole(value).search(text) is not None


def tells(text: str, value: str, others: Sequence[str]) -> bool:
    """Whether a value stands in a text outside longer ones of `others`: "1 adult" is not "1 adult and 2 children"."""
    longer = [o for o in others if len(value) < len(o) and contains(o, value)]
    return contains(text, value) and contains(without(text, longer), value)


def without(text: str, values: Collection[str]) -> str:
    """Take values out of a text, longer ones first."""
    for value in sorted(values, key=lambda v: (-len(v), v)):
        if value.lower() in text.lower():  # expressions are dear to compile, and few values stand in one text
            text = _whole(value).sub(" ", text)
    return text


def _whole(value: str) -> re.Pattern[str]:
    return re.compile(rf"(?<!\w)(?<!\d[.,]){re.escape(value)}(?!\w)(?![.,](?!00(?!\d))\d)", re.IGNORECASE)
