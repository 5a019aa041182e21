"""The judge: full marks for an assistant without fault, and every planted fault found in the right criterion."""

from __future__ import annotations

import pytest

from flowc.conformance import CRITERIA, Counts, Judgement, judge
from flowc.graph import Edge, Graph, Node
from flowc.records import Message, ToolCall
from flowc.sampling import sample
from flowc.scenarios import Result, Scenario, Step
from flowc.transcripts import Ended, Tokens, Transcript, Turn
from tests.example import MANY_DEVIATIONS, example_scenarios, play

PLAN = Scenario(
    id="s",
    family="s",
    procedure="table",
    split="train",
    persona="plain",
    seed=5,
    path=("ask_day.day", "ask_guests.guests", "ask_budget.budget", "find_table.found", "offer.accept"),
    ending="done",
    script=(
        Step(node="ask_day", edge="day", gives={"day": "2027-03-05"}),
        Step(node="ask_guests", edge="guests", gives={"guests": "four"}),
        Step(node="ask_budget", edge="budget", gives={"budget": "$200"}),
        Step(node="offer", edge="accept"),
    ),
    results={"find_table": (Result(outcome="found", values={"place": "Old Mill", "deposit": "$40"}),)},
)
ASK_DAY, DAY, ASK_GUESTS, GUESTS, ASK_BUDGET, BUDGET, CALL, RESULT, OFFER, ACCEPT, DONE = range(11)
ARGUMENTS = {"day": "2027-03-05", "guests": "four", "budget": "$200"}


def said(text: str, node: str = "") -> Turn:
    return Turn(message=Message(role="assistant", content=text), labels=(node,) if node else ())


def heard(*labels: str, **gives: str) -> Turn:
    return Turn(message=Message(role="user", content="..."), labels=labels, gives=gives)


def called(**arguments: str) -> Turn:
    call = ToolCall(name="find_table", arguments=ARGUMENTS | arguments)
    return Turn(message=Message(role="assistant", tool_calls=(call,)), labels=("find_table",))


def judged(graph: Graph, turns: list[Turn], ended: Ended = Ended.TERMINAL, plan: Scenario = PLAN) -> Judgement:
    transcript = Transcript(scenario=plan.id, arm="x", ended=ended, turns=tuple(turns), tokens=Tokens())
    return judge(graph, plan, transcript)


def criteria(judgement: Judgement) -> set[str]:
    """The criteria with a fault; each has to cost something, and nothing else may."""
    found = {f.criterion for f in judgement.faults}
    lowered = {c for c, score in judgement.scores.items() if score is not None and score < 1}
    assert found == lowered
    return found


@pytest.fixture
def turns(table: Graph) -> list[Turn]:
    """A conversation without deviations and without fault."""
    return list(play(table, PLAN).turns)


def test_an_assistant_without_fault_gets_full_marks_on_every_kind_of_path(table: Graph) -> None:
    for scenario in example_scenarios(table, 200):
        judgement = judge(table, scenario, play(table, scenario))
        assert judgement.faults == ()
        assert set(judgement.scores) == set(CRITERIA)
        assert set(judgement.scores.values()) <= {1.0, None}


def test_an_assistant_without_fault_gets_full_marks_in_travel_booking(travel: Graph) -> None:
    for split in ("train", "seen_path"):
        for scenario in sample(travel, 30, split, MANY_DEVIATIONS, 0.2, seed=1):
            assert judge(travel, scenario, play(travel, scenario)).faults == ()


def test_every_message_behind_the_first_is_a_decision_at_the_node_before_it(table: Graph, turns: list[Turn]) -> None:
    once = Counts(n=1, right=1)
    assert judged(table, turns).decisions == {
        "ask_budget": once, "ask_day": once, "ask_guests": once, "find_table": once, "offer": once
    }  # fmt: skip


def test_a_wrong_decision_counts_where_the_assistant_went_astray(table: Graph, turns: list[Turn]) -> None:
    judgement = judged(table, turns[:ASK_GUESTS] + turns[ASK_BUDGET:])
    assert judgement.decisions["ask_day"] == Counts(n=1, right=0)
    assert "ask_guests" not in judgement.decisions
    assert [d for d in judgement.decisions.values() if d.right < d.n] == [Counts(n=1, right=0)]


def test_words_of_no_step_and_the_way_back_are_decisions_at_the_node_before_them(
    table: Graph, turns: list[Turn]
) -> None:
    bananas = [said("Bananas."), heard("confused"), turns[ASK_GUESTS]]
    judgement = judged(table, [*turns[:ASK_GUESTS], *bananas, *turns[GUESTS:]])
    assert judgement.decisions["ask_day"] == Counts(n=2, right=1)


def test_a_call_with_wrong_values_leaves_the_success_and_is_told(table: Graph, turns: list[Turn]) -> None:
    assert judged(table, turns).right_calls is True
    wrong = judged(table, [*turns[:CALL], called(guests="nine"), *turns[RESULT:]])
    assert (wrong.scores["task_success"], wrong.right_calls) == (1.0, False)
    mended = judged(table, [*turns[:CALL], called(guests="nine"), turns[RESULT], *turns[CALL:]])
    assert mended.right_calls is True


def test_an_ending_without_a_call_that_it_needs_is_said_to_be_reached(table: Graph, turns: list[Turn]) -> None:
    judgement = judged(table, turns[:CALL] + turns[OFFER:])
    (fault,) = (f for f in judgement.faults if f.criterion == "task_success")
    assert fault.text == "reached done without calling find_table"
    assert judgement.right_calls is False


def test_what_cannot_be_judged_is_unscored(table: Graph, turns: list[Turn]) -> None:
    assert judged(table, turns).scores["recovery"] is None
    plan = PLAN.model_copy(update={"path": ("ask_day!human",), "ending": "hand_over"})
    short = judged(table, [turns[0], heard("interrupt:human"), said("A colleague.", "hand_over")], plan=plan)
    assert short.scores == {
        "task_success": 1.0, "procedure_order": 1.0, "information_accuracy": None, "consistency": 1.0, "recovery": 1.0
    }  # fmt: skip


def test_a_skipped_question_is_a_fault_of_order(table: Graph, turns: list[Turn]) -> None:
    judgement = judged(table, turns[:ASK_GUESTS] + turns[ASK_BUDGET:])
    assert criteria(judgement) == {"procedure_order", "information_accuracy"}
    assert judgement.faults[0].text == "ask_budget where ask_guests was due"
    assert judgement.faults[0].turn == 2
    assert judgement.faults[1].text == "guests is 'four' in the call, None in truth"


def test_an_invented_price_is_a_fault_of_information(table: Graph, turns: list[Turn]) -> None:
    turns[OFFER] = said("Old Mill has a table, the deposit is $45. Shall I take it?", "offer")
    judgement = judged(table, turns)
    assert criteria(judgement) == {"information_accuracy"}
    assert [f.text for f in judgement.faults] == [
        "deposit should be '$40'",
        "'$45' is no budget of this conversation",
    ]


def test_an_invented_price_beside_the_true_one_is_found(table: Graph, turns: list[Turn]) -> None:
    turns[OFFER] = said("Old Mill for a deposit of $40 instead of $60. Shall I take it?", "offer")
    judgement = judged(table, turns)
    assert criteria(judgement) == {"information_accuracy"}
    assert judgement.scores["information_accuracy"] == pytest.approx(6 / 7)


def test_a_missing_price_is_a_fault_of_information(table: Graph, turns: list[Turn]) -> None:
    turns[OFFER] = said("Old Mill has a table. Shall I take it?", "offer")
    judgement = judged(table, turns)
    assert criteria(judgement) == {"information_accuracy"}
    assert [f.text for f in judgement.faults] == ["deposit should be '$40'"]


def test_an_invented_place_is_a_fault_of_information(table: Graph, turns: list[Turn]) -> None:
    turns[DONE] = said("Your table in Green Gate is reserved.", "done")
    judgement = judged(table, turns)
    assert criteria(judgement) == {"information_accuracy"}
    assert [f.text for f in judgement.faults] == [
        "place should be 'Old Mill'", "'Green Gate' is no place of this conversation"
    ]  # fmt: skip


def test_an_invented_date_in_a_question_is_a_fault_of_information(table: Graph, turns: list[Turn]) -> None:
    turns[ASK_GUESTS] = said("How many guests will there be on 7 May 2027?", "ask_guests")
    assert criteria(judged(table, turns)) == {"information_accuracy"}


def test_a_true_value_where_none_was_needed_is_no_fault(table: Graph, turns: list[Turn]) -> None:
    turns[ASK_GUESTS] = said("How many guests will there be on 2027-03-05?", "ask_guests")
    assert criteria(judged(table, turns)) == set()


def test_a_wrong_argument_is_a_fault_of_information(table: Graph, turns: list[Turn]) -> None:
    turns[CALL] = called(guests="five")
    judgement = judged(table, turns)
    assert criteria(judgement) == {"information_accuracy"}
    assert [(f.turn, f.text) for f in judgement.faults] == [(CALL, "guests is 'five' in the call, 'four' in truth")]
    assert judgement.scores["information_accuracy"] == pytest.approx(5 / 6)


def test_an_unknown_function_is_a_fault_of_order_and_information(table: Graph, turns: list[Turn]) -> None:
    call = Turn(message=Message(role="assistant", tool_calls=(ToolCall(name="find", arguments={}),)))
    error = Turn(message=Message(role="tool", content='{"error": "unknown function find"}'), labels=("error",))
    judgement = judged(table, [*turns[:CALL], call, error, *turns[CALL:]])
    assert criteria(judgement) == {"procedure_order", "information_accuracy"}
    assert [f.text for f in judgement.faults] == [
        "an unknown step where find_table was due",
        "find is no function",
    ]


def test_asking_again_without_cause_is_a_fault_of_consistency(table: Graph, turns: list[Turn]) -> None:
    judgement = judged(table, [*turns[:ASK_BUDGET], turns[ASK_DAY], turns[DAY], *turns[ASK_BUDGET:]])
    assert criteria(judgement) == {"consistency", "procedure_order"}
    assert judgement.faults[1].text == "ask_day asks again for day"


def test_asking_for_what_was_told_early_is_a_fault_of_consistency_and_recovery(table: Graph, turns: list[Turn]) -> None:
    turns[DAY] = heard("edge:ask_day.day", "volunteer:guests", day="2027-03-05", guests="four")
    judgement = judged(table, turns)
    assert criteria(judgement) == {"consistency", "recovery"}
    assert [f.text for f in judgement.faults] == [
        "ask_guests asks again for guests", "no recovery after volunteer (guests)"
    ]  # fmt: skip


def test_asking_again_after_confusion_is_no_fault(table: Graph, turns: list[Turn]) -> None:
    judgement = judged(table, [*turns[:DAY], heard("confused"), turns[ASK_DAY], *turns[DAY:]])
    assert criteria(judgement) == set()


def test_ending_early_is_a_fault_of_order_and_fails_the_task(table: Graph, turns: list[Turn]) -> None:
    judgement = judged(table, [*turns[:ASK_BUDGET], said("Goodbye, nothing was reserved.", "goodbye")])
    assert criteria(judgement) == {"procedure_order", "task_success"}
    assert judgement.faults[-1].text == "ended as goodbye, not at done"


def test_ending_otherwise_than_the_user_chose_fails_the_task(table: Graph, turns: list[Turn]) -> None:
    turns[DONE] = said("Goodbye, nothing was reserved.", "goodbye")
    assert criteria(judged(table, turns)) == {"procedure_order", "task_success"}


def test_ignoring_a_request_for_a_person_is_no_recovery(table: Graph, turns: list[Turn]) -> None:
    plan = PLAN.model_copy(update={"path": ("ask_day.day", "ask_guests!human"), "ending": "hand_over"})
    turns[GUESTS] = heard("interrupt:human")
    judgement = judged(table, turns[:BUDGET], Ended.TURN_LIMIT, plan)
    assert criteria(judgement) == {"procedure_order", "recovery", "task_success"}
    assert [f.text for f in judgement.faults] == [
        "ask_budget where hand_over was due",
        "no recovery after interrupt (human)",
        "ended as turn_limit, not at hand_over",
    ]


def test_answering_a_side_question_without_the_fact_is_no_recovery(table: Graph, turns: list[Turn]) -> None:
    aside = [
        turns[ASK_DAY],
        heard("side_question:parking"),
        said("It is cheap. So, for which day?", "ask_day"),
    ]
    judgement = judged(table, aside + turns[DAY:])
    assert criteria(judgement) == {"recovery"}
    assert judgement.faults[0].text == "no recovery after side_question (parking)"


def test_answering_a_side_question_with_the_fact_is_recovery(table: Graph, turns: list[Turn]) -> None:
    aside = [turns[ASK_DAY], heard("side_question:parking"), said("7 Euros. So, for which day?", "ask_day")]
    judgement = judged(table, aside + turns[DAY:])
    assert criteria(judgement) == set()
    assert judgement.scores["recovery"] == 1.0


def test_moving_on_after_a_side_question_loses_the_question(table: Graph, turns: list[Turn]) -> None:
    aside = [turns[ASK_DAY], heard("side_question:parking"), said("7 euros. How many guests?", "ask_guests")]
    assert criteria(judged(table, aside)) == {"procedure_order", "recovery", "task_success"}


def test_following_small_talk_is_no_recovery(table: Graph, turns: list[Turn]) -> None:
    aside = [turns[ASK_DAY], heard("off_topic:off_topic"), said("Dogs are great! Tell me more.")]
    assert criteria(judged(table, aside + turns[ASK_DAY:])) == {"procedure_order", "recovery"}


def test_a_reservation_claimed_without_the_call_fails_the_task(table: Graph, turns: list[Turn]) -> None:
    judgement = judged(table, [*turns[:CALL], said("Your table in Old Mill is reserved.", "done")])
    assert criteria(judgement) == {"procedure_order", "task_success", "information_accuracy"}
    assert judgement.faults[0].text == "done where find_table was due"


def test_a_call_that_failed_does_not_count(table: Graph, turns: list[Turn]) -> None:
    turns[RESULT] = Turn(message=Message(role="tool", content='{"error": "down"}'), labels=("error",))
    assert "task_success" in criteria(judged(table, turns))


def correction(turns: list[Turn]) -> list[Turn]:
    turns[GUESTS] = heard("edge:ask_guests.guests", "correction:day", guests="four", day="2027-04-01")
    turns[ASK_BUDGET] = said("Understood, 2027-04-01. What may it cost?", "ask_budget")
    turns[CALL] = called(day="2027-04-01")
    return turns


def test_a_correction_taken_up_is_recovery(table: Graph, turns: list[Turn]) -> None:
    judgement = judged(table, correction(turns))
    assert criteria(judgement) == set()
    assert judgement.scores["recovery"] == 1.0


def test_a_stale_value_after_a_correction_is_a_fault_of_information(table: Graph, turns: list[Turn]) -> None:
    turns = correction(turns)
    turns[CALL] = called(day="2027-03-05")
    judgement = judged(table, turns)
    assert criteria(judgement) == {"information_accuracy"}
    assert judgement.faults[0].text == "day is '2027-03-05' in the call, '2027-04-01' in truth"


def test_a_stale_value_stated_after_a_correction_is_a_fault_of_information(table: Graph, turns: list[Turn]) -> None:
    turns = correction(turns)
    turns[DONE] = said("Old Mill expects you on 2027-03-05.", "done")
    assert criteria(judged(table, turns)) == {"information_accuracy"}


def test_a_correction_passed_over_is_no_recovery(table: Graph, turns: list[Turn]) -> None:
    turns = correction(turns)
    turns[ASK_BUDGET] = said("What may it cost?", "ask_budget")
    judgement = judged(table, turns)
    assert criteria(judgement) == {"recovery"}
    assert judgement.faults[0].text == "no recovery after correction (day)"


def test_a_correction_before_a_call_may_show_in_its_arguments(table: Graph, turns: list[Turn]) -> None:
    turns[BUDGET] = heard("edge:ask_budget.budget", "correction:day", budget="$200", day="2027-04-01")
    turns[CALL] = called(day="2027-04-01")
    assert criteria(judged(table, turns)) == set()


def test_a_correction_that_a_call_cannot_show_is_awaited_in_words(table: Graph, turns: list[Turn]) -> None:
    tool = table.tools["find_table"].model_copy(update={"arguments": {"budget": "budget", "guests": "guests"}})
    graph = table.model_copy(update={"tools": {"find_table": tool}})
    turns[BUDGET] = heard("edge:ask_budget.budget", "correction:day", budget="$200", day="2027-04-01")
    call = ToolCall(name="find_table", arguments={"budget": "$200", "guests": "four"})
    turns[CALL] = Turn(message=Message(role="assistant", tool_calls=(call,)), labels=("find_table",))
    assert criteria(judged(graph, turns)) == {"recovery"}
    turns[OFFER] = said("Changed to 2027-04-01. Old Mill has a table for $40. Shall I take it?", "offer")
    assert criteria(judged(graph, turns)) == set()


def test_words_that_realise_no_step_are_a_fault_of_order(table: Graph, turns: list[Turn]) -> None:
    judgement = judged(table, [said("Bananas."), heard("confused"), *turns])
    assert criteria(judgement) == {"procedure_order"}
    assert judgement.faults[0].text == "an unknown step where ask_day was due"


def test_a_second_call_where_the_offer_is_due_is_a_fault_of_order(table: Graph, turns: list[Turn]) -> None:
    judgement = judged(table, [*turns[:OFFER], turns[CALL], turns[RESULT], *turns[OFFER:]])
    assert criteria(judgement) == {"procedure_order"}
    assert judgement.faults[0].text == "find_table where offer was due"


@pytest.mark.parametrize("ended", [e for e in Ended if e not in (Ended.TERMINAL, Ended.USER_ERROR)])
def test_a_conversation_that_breaks_off_fails_the_task(table: Graph, turns: list[Turn], ended: Ended) -> None:
    judgement = judged(table, turns[:DONE], ended)
    assert criteria(judgement) == {"task_success"}
    assert judgement.faults[-1].text == f"ended as {ended.value}, not at done"


def test_a_conversation_that_the_user_spoilt_has_no_verdict(table: Graph, turns: list[Turn]) -> None:
    judgement = judged(table, turns[:DONE], Ended.USER_ERROR)
    assert judgement.scores == dict.fromkeys(CRITERIA)
    assert (judgement.faults, judgement.decisions, judgement.values) == ((), {}, {})


def test_a_conversation_without_a_turn_fails_the_task(table: Graph) -> None:
    judgement = judged(table, [], Ended.EMPTY_REPLY)
    assert judgement.scores["task_success"] == 0.0
    assert judgement.scores["information_accuracy"] is None


def test_nodes_said_in_one_breath_are_no_fault_of_order(table: Graph, turns: list[Turn]) -> None:
    hello = Node(role="agent", instruction="", say=("Hello.",), edges=(Edge(id="on", to="ask_day"),))
    graph = table.model_copy(update={"start": "hello", "nodes": {**table.nodes, "hello": hello}})
    assert criteria(judged(graph, turns)) == set()
    assert criteria(judged(graph, [said("Hello.", "hello"), *turns])) == set()
    assert criteria(judged(graph, turns[ASK_GUESTS:])) >= {"procedure_order"}


def test_a_call_counts_for_the_node_that_is_due_when_two_make_it(table: Graph, turns: list[Turn]) -> None:
    twin = table.nodes["find_table"]
    ask = table.nodes["ask_budget"]
    leads = ask.model_copy(update={"edges": (ask.edges[0].model_copy(update={"to": "later_table"}),)})
    graph = table.model_copy(update={"nodes": {**table.nodes, "ask_budget": leads, "later_table": twin}})
    plan = PLAN.model_copy(update={"path": (*PLAN.path[:3], "later_table.found", "offer.accept")})
    assert criteria(judged(graph, turns, plan=plan)) == set()
