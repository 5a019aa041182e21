"""The scripted user answers what is asked, as planned, and never contradicts what was said before."""

from __future__ import annotations

from typing import Any

import pytest

from flowc.graph import Graph, part
from flowc.scenarios import Scenario, Step
from flowc.user import ScriptedUser

DAY, GUESTS, BUDGET = (
    Step(node="ask_day", edge="day", gives={"day": "2027-03-05"}),
    Step(node="ask_guests", edge="guests", gives={"guests": "four"}),
    Step(node="ask_budget", edge="budget", gives={"budget": "$200"}),
)
CHEAPER, ACCEPT = Step(node="offer", edge="cheaper"), Step(node="offer", edge="accept")
LESS = Step(node="ask_budget", edge="budget", gives={"budget": "$100"})


def scenario(*script: Step, persona: str = "plain", **changes: Any) -> Scenario:
    plan: dict[str, Any] = {
        "id": "s",
        "family": "s",
        "procedure": "table",
        "split": "train",
        "persona": persona,
        "seed": 1,
        "path": (),
        "ending": "done",
        "script": script,
        "results": {},
    }
    return Scenario.model_validate(plan | changes)


def test_each_question_gets_its_planned_answer(table: Graph) -> None:
    user = ScriptedUser(table, scenario(DAY, GUESTS, BUDGET, ACCEPT))
    turns = [user.reply(n) for n in ("ask_day", "ask_guests", "ask_budget", "offer")]
    assert [t.labels for t in turns] == [
        ("edge:ask_day.day",), ("edge:ask_guests.guests",), ("edge:ask_budget.budget",), ("edge:offer.accept",)
    ]  # fmt: skip
    assert [t.gives for t in turns] == [{"day": "2027-03-05"}, {"guests": "four"}, {"budget": "$200"}, {}]
    assert all(value in t.text for t in turns for value in t.gives.values())


def test_the_words_come_from_the_scenarios_part_of_the_bank(table: Graph) -> None:
    says = table.nodes["offer"].edges[0].says
    for split, bank in (("train", "train"), ("seen_path", "held_out")):
        said = {ScriptedUser(table, scenario(ACCEPT, split=split, seed=i)).reply("offer").text for i in range(40)}
        assert said == set(part(says, "train" if bank == "train" else "held_out"))


def test_the_same_scenario_gives_the_same_words(table: Graph) -> None:
    plan = scenario(DAY, GUESTS, persona="chatty")
    first, second = ScriptedUser(table, plan), ScriptedUser(table, plan)
    assert [first.reply("ask_day"), first.reply(None)] == [second.reply("ask_day"), second.reply(None)]


def test_what_is_not_understood_is_met_with_confusion_and_loses_nothing(table: Graph) -> None:
    user = ScriptedUser(table, scenario(DAY, GUESTS))
    assert user.reply(None).labels == ("confused",)
    assert user.reply("goodbye").labels == ("confused",)
    assert user.reply("ask_day").labels == ("edge:ask_day.day",)


def test_a_question_may_be_jumped_over(table: Graph) -> None:
    user = ScriptedUser(table, scenario(DAY, GUESTS, BUDGET))
    assert user.reply("ask_budget").gives == {"budget": "$200"}


def test_a_choice_is_not_jumped_over(table: Graph) -> None:
    user = ScriptedUser(table, scenario(BUDGET, CHEAPER, LESS, ACCEPT))
    assert user.reply("ask_budget").gives == {"budget": "$200"}
    assert user.reply("ask_budget").gives == {"budget": "$200"}
    assert user.reply("offer").labels == ("edge:offer.cheaper",)
    assert user.reply("ask_budget").gives == {"budget": "$100"}
    assert user.reply("offer").labels == ("edge:offer.accept",)


def test_an_answer_given_again_is_the_same(table: Graph) -> None:
    user = ScriptedUser(table, scenario(DAY, GUESTS))
    assert user.reply("ask_day").gives == user.reply("ask_day").gives == {"day": "2027-03-05"}
    assert user.reply("ask_guests").gives == {"guests": "four"}


def test_an_answer_given_again_after_a_correction_is_the_corrected_one(table: Graph) -> None:
    correcting = GUESTS.model_copy(update={"corrects": {"day": "2027-04-01"}})
    user = ScriptedUser(table, scenario(DAY, correcting, BUDGET))
    user.reply("ask_day")
    turn = user.reply("ask_guests")
    assert turn.labels == ("edge:ask_guests.guests", "correction:day")
    assert turn.gives == {"guests": "four", "day": "2027-04-01"}
    assert user.reply("ask_day").gives == {"day": "2027-04-01"}
    again = user.reply("ask_guests")
    assert (again.labels, again.gives) == (("edge:ask_guests.guests",), {"guests": "four"})


def test_several_answers_at_once_are_all_in_the_text(table: Graph) -> None:
    early = DAY.model_copy(update={"volunteers": {"guests": "four", "budget": "$200"}})
    turn = ScriptedUser(table, scenario(early, GUESTS, BUDGET)).reply("ask_day")
    assert turn.labels == ("edge:ask_day.day", "volunteer:budget", "volunteer:guests")
    assert turn.gives == {"day": "2027-03-05", "budget": "$200", "guests": "four"}
    assert all(value in turn.text for value in turn.gives.values())


def test_a_slot_told_early_and_then_asked_anew_gets_its_new_value(table: Graph) -> None:
    early = DAY.model_copy(update={"volunteers": {"guests": "four", "budget": "$200"}})
    user = ScriptedUser(table, scenario(early, GUESTS, BUDGET, LESS, ACCEPT))
    assert user.reply("ask_day").gives["budget"] == "$200"
    assert user.reply("ask_budget").gives == {"budget": "$100"}
    assert user.reply("offer").labels == ("edge:offer.accept",)


def test_an_aside_comes_first_and_once(table: Graph) -> None:
    aside = DAY.model_copy(update={"before": "side_question:parking"})
    user = ScriptedUser(table, scenario(aside, GUESTS))
    turn = user.reply("ask_day")
    assert (turn.labels, turn.gives) == (("side_question:parking",), {})
    assert turn.text in part(table.knowledge["parking"].asks, "train")
    assert user.reply("ask_day").labels == ("edge:ask_day.day",)


def test_small_talk_is_an_aside_too(table: Graph) -> None:
    turn = ScriptedUser(table, scenario(DAY.model_copy(update={"before": "off_topic:off_topic"}))).reply("ask_day")
    assert turn.labels == ("off_topic:off_topic",)
    assert turn.text in part(table.interrupts["off_topic"].says, "train")


def test_a_user_who_wants_a_person_says_so(table: Graph) -> None:
    turn = ScriptedUser(table, scenario(Step(node="ask_day", interrupt="human"))).reply("ask_day")
    assert turn.labels == ("interrupt:human",)
    assert turn.text in part(table.interrupts["human"].says, "train")


@pytest.mark.parametrize("persona", ["plain", "terse", "chatty", "sloppy", "impatient"])
def test_values_survive_every_persona_but_for_their_case(table: Graph, persona: str) -> None:
    early = DAY.model_copy(update={"volunteers": {"guests": "four", "budget": "$200"}})
    for seed in range(60):
        turn = ScriptedUser(table, scenario(early, GUESTS, persona=persona, seed=seed)).reply("ask_day")
        assert all(value in turn.text.lower() for value in turn.gives.values())
        assert "{" not in turn.text
