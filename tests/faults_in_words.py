"""Planted faults in what the assistant says and passes on: values, prices, facts, corrections."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from flowc.graph import part
from flowc.records import Message, ToolCall
from tests.faults import (
    ERROR,
    Broken,
    Case,
    another,
    called,
    calls,
    edge_before,
    falls,
    heard,
    line,
    other_numbers,
    replaced,
    speeches,
    spoken,
    values_before,
    with_text,
)


def _stated(case: Case, source: str) -> Iterator[tuple[int, str, str]]:
    """Where the assistant states a value that its step is there to state: turn, slot, value."""
    for i in speeches(case):
        again = case.turns[i - 1].labels[:1] and not case.turns[i - 1].labels[0].startswith(("edge", "outcome"))
        for slot in case.graph.nodes[case.turns[i].labels[0]].states:
            value = values_before(case, i).get(slot, "")
            text = case.turns[i].message.content
            if not again and case.graph.slots[slot].source == source and value and replaced(text, value, "") != text:
                yield i, slot, value


@falls("information_accuracy")
def invents_what_a_function_returns(case: Case) -> Iterator[Broken]:
    for i, slot, value in _stated(case, "tool"):
        yield with_text(case, i, replaced(case.turns[i].message.content, value, another(case, slot, i)))


@falls("information_accuracy")
def misquotes_the_user(case: Case) -> Iterator[Broken]:
    for i, slot, value in _stated(case, "user"):
        yield with_text(case, i, replaced(case.turns[i].message.content, value, another(case, slot, i)))


@falls("information_accuracy")
def leaves_a_value_out(case: Case) -> Iterator[Broken]:
    for source in ("user", "tool"):
        for i, _, value in _stated(case, source):
            yield with_text(case, i, replaced(case.turns[i].message.content, value, "that"))


def _with_a_word_before(case: Case, text: str) -> Iterator[Broken]:
    for i in speeches(case)[1:]:
        yield with_text(case, i, f"{text} {case.turns[i].message.content}")


@falls("information_accuracy")
def invents_a_price(case: Case) -> Iterator[Broken]:
    yield from _with_a_word_before(case, "There is a fee of $17.")


@falls("information_accuracy")
def invents_a_price_in_words_of_its_own(case: Case) -> Iterator[Broken]:
    yield from _with_a_word_before(case, "It costs 19.50 euros a month.")


@falls("information_accuracy")
def invents_a_discount(case: Case) -> Iterator[Broken]:
    yield from _with_a_word_before(case, "You save 15 % with us.")


@falls("information_accuracy")
def invents_a_rule(case: Case) -> Iterator[Broken]:
    """A fact that nobody asked for, with other numbers than it has."""
    for i in speeches(case)[1:]:
        facts = [f for f in case.graph.knowledge.values() if any(re.match(r"\d+ \w", must) for must in f.must)]
        yield with_text(case, i, f"{other_numbers(facts[i % len(facts)].say[0])} {case.turns[i].message.content}")


@falls("information_accuracy")
def passes_on_a_wrong_value(case: Case) -> Iterator[Broken]:
    for i in calls(case):
        call = case.turns[i].message.tool_calls[0]
        for argument, slot in case.graph.tools[call.name].arguments.items():
            wrong = called(case.turns[i], **{argument: another(case, slot, i)})
            yield Broken((*case.turns[:i], wrong, *case.turns[i + 1 :]), i)


@falls("information_accuracy")
def leaves_an_argument_out(case: Case) -> Iterator[Broken]:
    yield from _with_arguments(case, lambda given: dict(list(given.items())[1:]))


@falls("information_accuracy")
def adds_an_argument(case: Case) -> Iterator[Broken]:
    yield from _with_arguments(case, lambda given: given | {"discount": "20"})


def _with_arguments(case: Case, change: Callable[[dict[str, str]], dict[str, str]]) -> Iterator[Broken]:
    for i in calls(case):
        call = case.turns[i].message.tool_calls[0]
        message = Message(role="assistant", tool_calls=(ToolCall(name=call.name, arguments=change(call.arguments)),))
        turn = case.turns[i].model_copy(update={"message": message, "labels": ()})
        yield Broken((*case.turns[:i], turn, ERROR, *case.turns[i:]), i)


@falls("information_accuracy")
def makes_a_second_call_in_the_same_breath(case: Case) -> Iterator[Broken]:
    for i in calls(case):
        call = case.turns[i].message.tool_calls[0]
        second = {a: another(case, s, i) for a, s in case.graph.tools[call.name].arguments.items()}
        message = Message(role="assistant", tool_calls=(call, ToolCall(name=call.name, arguments=second)))
        yield Broken((*case.turns[:i], case.turns[i].model_copy(update={"message": message}), *case.turns[i + 1 :]), i)


def _corrected(case: Case) -> Iterator[tuple[int, str, str, str]]:
    """Every correction: the user's turn, the slot, its old and its new value."""
    for i, turn in enumerate(case.turns):
        for slot in (x.split(":")[1] for x in turn.labels if x.startswith("correction:")):
            yield i, slot, values_before(case, i)[slot], turn.gives[slot]


@falls("information_accuracy")
def passes_on_what_was_corrected(case: Case) -> Iterator[Broken]:
    for heard_at, slot, old, new in _corrected(case):
        for i in (i for i in calls(case) if i > heard_at):
            given = case.turns[i].message.tool_calls[0].arguments
            wanted = case.graph.tools[case.turns[i].message.tool_calls[0].name].arguments
            stale = {a: old for a, s in wanted.items() if s == slot and given[a] == new}
            if stale:
                yield Broken((*case.turns[:i], called(case.turns[i], **stale), *case.turns[i + 1 :]), i)


@falls("information_accuracy")
def states_what_was_corrected(case: Case) -> Iterator[Broken]:
    for heard_at, slot, old, new in _corrected(case):
        for i, stated, value in _stated(case, "user"):
            if i > heard_at and stated == slot and value == new:
                yield with_text(case, i, replaced(case.turns[i].message.content, new, old))


@falls("recovery")
def passes_over_a_correction(case: Case) -> Iterator[Broken]:
    for i, slot in heard(case, "correction"):
        text = line(case, case.turns[i + 1].labels[0], i + 1)
        value = case.turns[i].gives[slot]
        if replaced(text, value, "") == text:
            yield with_text(case, i + 1, text)


@falls("recovery")
def dodges_a_side_question(case: Case) -> Iterator[Broken]:
    for i, _ in heard(case, "side_question"):
        node = case.turns[i + 1].labels[0]
        yield with_text(case, i + 1, f"I cannot tell. {part(case.graph.nodes[node].again, 'train')[0]}")


@falls("recovery")
def answers_another_question_than_asked(case: Case) -> Iterator[Broken]:
    for i, asked in heard(case, "side_question"):
        other = next(
            f
            for name, f in sorted(case.graph.knowledge.items())
            if name != asked and not set(f.must) & set(case.graph.knowledge[asked].must)
        )
        again = part(case.graph.nodes[case.turns[i + 1].labels[0]].again, "train")[0]
        yield with_text(case, i + 1, f"{other.say[0]} {again}")


@falls("recovery")
def bends_the_fact_that_was_asked_for(case: Case) -> Iterator[Broken]:
    for i, asked in heard(case, "side_question"):
        fact = case.graph.knowledge[asked]
        again = part(case.graph.nodes[case.turns[i + 1].labels[0]].again, "train")[0]
        if re.search(r"\d", " ".join(fact.must)):
            yield with_text(case, i + 1, f"{other_numbers(fact.say[0])} {again}")


@falls("information_accuracy")
def tells_a_wrong_value_in_passing(case: Case) -> Iterator[Broken]:
    """Of two steps said in one breath the first one is wrong."""
    for i, slot, value in _told_in_passing(case):
        yield with_text(case, i, replaced(case.turns[i].message.content, value, another(case, slot, i)))


@falls("information_accuracy")
def leaves_out_what_is_told_in_passing(case: Case) -> Iterator[Broken]:
    for i, _, _ in _told_in_passing(case):
        yield Broken((*case.turns[:i], spoken(case, line(case, case.turns[i].labels[0], i)), *case.turns[i + 1 :]), i)


def _told_in_passing(case: Case) -> Iterator[tuple[int, str, str]]:
    """Where a step that asks nothing is said in one breath with the next: turn, slot that only it states, value."""
    for i in speeches(case)[1:]:
        taken, last = edge_before(case, i), case.turns[i].labels[0]
        if taken and taken[1].to != last and not case.graph.nodes[taken[1].to].waits:
            for slot in sorted({*case.graph.nodes[taken[1].to].states} - {*case.graph.nodes[last].states}):
                yield i, slot, values_before(case, i)[slot]
