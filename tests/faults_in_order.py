"""Planted faults in what the assistant does: steps left out, swapped, repeated, and conversations ended wrongly."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from flowc.records import Message, ToolCall
from flowc.transcripts import Ended, Turn
from tests.faults import (
    ERROR,
    Broken,
    Case,
    after_a_choice,
    calls,
    ends_at,
    falls,
    heard,
    line,
    questions,
    speeches,
    spoken,
    unplanned_endings,
    with_text,
)


@falls("procedure_order")
def skips_a_question(case: Case) -> Iterator[Broken]:
    for i in questions(case):
        yield Broken(case.turns[:i] + case.turns[i + 2 :], i)


@falls("procedure_order")
def skips_the_verification(case: Case) -> Iterator[Broken]:
    """What the user has to confirm or to choose is not asked."""
    for i in speeches(case)[:-1]:
        if case.graph.nodes[case.turns[i].labels[0]].is_hub and case.turns[i + 1].labels[0].startswith("edge"):
            yield Broken(case.turns[:i] + case.turns[i + 2 :], i)


@falls("procedure_order")
def skips_a_call(case: Case) -> Iterator[Broken]:
    for i in calls(case):
        yield Broken(case.turns[:i] + case.turns[i + 2 :], i)


@falls("procedure_order")
def asks_in_the_wrong_order(case: Case) -> Iterator[Broken]:
    asked = questions(case)
    for i in asked:
        if i + 2 in asked:
            yield Broken(case.turns[:i] + case.turns[i + 2 : i + 4] + case.turns[i : i + 2] + case.turns[i + 4 :], i)


@falls("procedure_order")
def calls_before_asking(case: Case) -> Iterator[Broken]:
    for i in calls(case):
        if i - 2 in questions(case):
            yield Broken(
                case.turns[: i - 2] + case.turns[i : i + 2] + case.turns[i - 2 : i] + case.turns[i + 2 :], i - 2
            )


@falls("procedure_order")
def calls_twice(case: Case) -> Iterator[Broken]:
    for i in calls(case):
        yield Broken(case.turns[: i + 2] + case.turns[i : i + 2] + case.turns[i + 2 :], i + 2)


@falls("procedure_order")
def announces_a_call_that_never_comes(case: Case) -> Iterator[Broken]:
    for i in calls(case):
        yield Broken((*case.turns[:i], spoken(case, "One moment, I am looking."), *case.turns[i + 2 :]), i)


@falls("procedure_order")
def talks_of_something_else(case: Case) -> Iterator[Broken]:
    for i in speeches(case):
        yield with_text(case, i, "Bananas are rich in potassium and monkeys love them.")


@falls("procedure_order")
def takes_another_way_than_chosen(case: Case) -> Iterator[Broken]:
    for i, wrong in after_a_choice(case):
        yield with_text(case, i, line(case, wrong, i))


@falls("procedure_order", "consistency")
def starts_over(case: Case) -> Iterator[Broken]:
    for i in speeches(case)[2:]:
        yield Broken(
            (*case.turns[:i], spoken(case, line(case, case.graph.start, i)), *case.turns[1:2], *case.turns[i:]), i
        )


@falls("consistency")
def asks_again(case: Case) -> Iterator[Broken]:
    for i in questions(case):
        yield Broken(case.turns[: i + 2] + case.turns[i:], i + 2)


@falls("consistency", "recovery")
def asks_what_was_volunteered(case: Case) -> Iterator[Broken]:
    for i, slot in heard(case, "volunteer"):
        asking = sorted(n for n, node in case.graph.nodes.items() if node.asks == (slot,))
        yield with_text(case, i + 1, line(case, asking[0], i + 1))


@falls("task_success")
def loops_until_the_user_gives_up(case: Case) -> Iterator[Broken]:
    for i in questions(case):
        turns = case.turns[:i] + 5 * case.turns[i : i + 2] + case.turns[i : i + 1]
        yield Broken(turns, len(turns) - 1, Ended.IN_CIRCLES)


@falls("task_success")
def calls_in_a_loop(case: Case) -> Iterator[Broken]:
    for i in calls(case):
        turns = case.turns[:i] + 3 * case.turns[i : i + 2]
        yield Broken(turns, len(turns) - 1, Ended.TOOL_LOOP)


@falls("task_success")
def talks_until_the_limit(case: Case) -> Iterator[Broken]:
    for i in speeches(case)[1:]:
        yield Broken(case.turns[:i], i - 1, Ended.TURN_LIMIT)


@falls("task_success")
def falls_silent(case: Case) -> Iterator[Broken]:
    for i in speeches(case)[1:]:
        yield Broken(case.turns[:i], i - 1, Ended.EMPTY_REPLY)


@falls("task_success", "procedure_order")
def says_goodbye_early(case: Case) -> Iterator[Broken]:
    yield from _ends_early(case, "abandonment")


@falls("task_success", "procedure_order")
def hands_over_unasked(case: Case) -> Iterator[Broken]:
    yield from _ends_early(case, "escalation")


@falls("task_success", "procedure_order")
def claims_success_early(case: Case) -> Iterator[Broken]:
    yield from _ends_early(case, "success")


def _ends_early(case: Case, kind: str) -> Iterator[Broken]:
    for i in speeches(case)[1:-1]:
        for ending in unplanned_endings(case, kind):
            yield ends_at(case, i, ending)


@falls("task_success", "procedure_order")
def ends_otherwise_than_chosen(case: Case) -> Iterator[Broken]:
    last = len(case.turns) - 1
    for kind in ("success", "abandonment", "escalation"):
        for ending in unplanned_endings(case, kind):
            yield ends_at(case, last, ending)


@falls("task_success")
def confirms_without_the_call(case: Case) -> Iterator[Broken]:
    """The last function of a path is never called, yet the assistant says that all is done."""
    once = [i for i in calls(case) if _calls(case)[case.turns[i].message.tool_calls[0].name] == 1]
    for i in once[-1:]:
        broken = ends_at(case, i, case.scenario.ending)
        yield broken if broken.turns[-1].labels == (case.scenario.ending,) else Broken(case.turns[:i], i - 1)


@falls("task_success")
def confirms_a_call_that_failed(case: Case) -> Iterator[Broken]:
    for i in calls(case):
        if _calls(case)[case.turns[i].message.tool_calls[0].name] == 1:
            turns = (*case.turns[: i + 1], ERROR, *case.turns[i + 2 :])
            yield Broken(turns, len(turns) - 1)


@falls("procedure_order", "information_accuracy")
def calls_an_unknown_function(case: Case) -> Iterator[Broken]:
    for i in calls(case):
        call = ToolCall(name="look_it_up", arguments={})
        yield Broken(
            (*case.turns[:i], Turn(message=Message(role="assistant", tool_calls=(call,))), ERROR, *case.turns[i:]), i
        )


def _calls(case: Case) -> Counter[str]:
    return Counter(case.turns[i].message.tool_calls[0].name for i in calls(case))


@falls("recovery", "procedure_order")
def ignores_a_request_for_a_person(case: Case) -> Iterator[Broken]:
    yield from _goes_on(case, "human")


@falls("recovery", "procedure_order")
def ignores_a_cancellation(case: Case) -> Iterator[Broken]:
    yield from _goes_on(case, "cancel")


def _goes_on(case: Case, interrupt: str) -> Iterator[Broken]:
    for i, name in heard(case, "interrupt"):
        if name == interrupt:
            asked = case.turns[i - 1].labels[0]
            yield Broken((*case.turns[: i + 1], spoken(case, line(case, asked, i))), i + 1, Ended.TURN_LIMIT)


@falls("recovery", "procedure_order")
def follows_small_talk(case: Case) -> Iterator[Broken]:
    for i, _ in heard(case, "off_topic"):
        yield with_text(case, i + 1, "Oh, that is wonderful! I could listen to this for hours.")


@falls("recovery", "procedure_order")
def loses_its_place_after_a_side_question(case: Case) -> Iterator[Broken]:
    for i, fact in heard(case, "side_question"):
        node = case.graph.nodes[case.turns[i - 1].labels[0]]
        onward = case.graph.nodes[node.edges[0].to]
        if onward.role == "agent":
            answer = case.graph.knowledge[fact].say[0]
            yield with_text(case, i + 1, f"{answer} {line(case, node.edges[0].to, len(case.turns))}")
