"""A language model as the user: it plays the scenario, and its own errors are told from the assistant's, unscored.

test_teachers_served.py has a real model in the role.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import pytest

from flowc.client import Client, Completion, ContextOverflow, Sampling
from flowc.conformance import judge
from flowc.evaluate import evaluate
from flowc.graph import Graph
from flowc.llm_user import LlmUser, Model, instructions, remark
from flowc.records import Message
from flowc.scenarios import Scenario, Step
from flowc.simulate import Reply, simulate
from flowc.tracker import Tracker
from flowc.transcripts import Ended, Transcript
from flowc.user import ScriptedUser, UserTurn
from flowc.user_guard import Guard, Said, Slip, ahead, split_stop
from tests.example import MANY_DEVIATIONS, example_scenarios
from tests.test_client import Script, reply
from tests.test_client import script as script  # a fixture
from tests.test_evaluate import PARAMS as SCORES
from tests.test_simulate import COST, GRAPH, PARAMS, Follower, Reciting, said
from tests.test_teacher import PLAN

CHOICE = Sampling(temperature=0.7, top_p=1, max_tokens=48, seed=1)
PLAIN = [s.model_copy(update={"persona": "plain"}) for s in example_scenarios(GRAPH, 30, MANY_DEVIATIONS)]
SHORT = PLAN.model_copy(
    update={"script": tuple(s.model_copy(update={"volunteers": {}, "before": ""}) for s in PLAN.script)}
)
WELCOME = [Message(role="assistant", content="Welcome! For which day?")]


class Saying:
    """A model that says these things in turn, the last for ever, and keeps what it was shown."""

    def __init__(self, *texts: str) -> None:
        self._texts, self.shown = list(texts), list[Sequence[Message]]()

    async def complete(self, messages: Sequence[Message], tools: None, sampling: Sampling) -> Completion:
        self.shown.append(messages)
        text = self._texts[0] if len(self._texts) == 1 else self._texts.pop(0)
        return COST._replace(content=text)


class Knowing:
    """A model that says what the scripted user of the same scenario would."""

    def __init__(self, graph: Graph, scenario: Scenario, tracker: Tracker) -> None:
        self._user, self._tracker = ScriptedUser(graph, scenario), tracker

    async def complete(self, messages: Sequence[Message], tools: None, sampling: Sampling) -> Completion:
        heard = messages[-1].content.rpartition("\n[")[0]
        return COST._replace(content=self._user.reply(self._tracker.track(heard).node).text)


class Along(Follower):
    """Follows the graph by the labels of the plan, whatever the words of the user."""

    async def reply(self, history: Sequence[Message]) -> Reply:
        if history and history[-1].role == "user":
            self._agent.hear(self._shadow.reply(self._said))
            history = ()
        return await super().reply(history)


@pytest.fixture(scope="module")
def guard() -> Guard:
    return Guard(GRAPH)


def user(model: Model, guard: Guard, scenario: Scenario = SHORT) -> LlmUser:
    return LlmUser(model, CHOICE, guard, GRAPH, scenario)


def answer(model: Model, guard: Guard) -> UserTurn:
    """What the user says to the first question."""
    return asyncio.run(user(model, guard).reply(WELCOME, "ask_day"))


def test_a_model_in_its_role_plays_every_scenario_as_the_scripted_user_does(
    guard: Guard, table_tracker: Tracker
) -> None:
    def make(scenario: Scenario) -> LlmUser:
        return user(Knowing(GRAPH, scenario, table_tracker), guard, scenario)

    played = asyncio.run(simulate(GRAPH, PLAIN, "x", lambda s: Follower(GRAPH, s), table_tracker, PARAMS, make))
    by_id = {s.id: s for s in PLAIN}
    assert {t.ended for t in played} == {Ended.TERMINAL}
    assert [f for t in played for f in judge(GRAPH, by_id[t.scenario], t).faults] == []


def test_it_is_told_who_it_is_and_what_it_knows_and_nothing_of_the_procedure() -> None:
    for scenario in example_scenarios(GRAPH, 30):
        text = instructions(scenario)
        known = {v for s in scenario.script for v in (*s.gives.values(), *s.volunteers.values())}
        assert any(v in text for v in known) or not known
        secrets = [n.instruction for n in GRAPH.nodes.values()] + [p for n in GRAPH.nodes.values() for p in n.say]
        assert [s for s in (*secrets, *GRAPH.nodes, GRAPH.system) if s in text] == []


def test_it_sees_the_conversation_from_its_side_with_what_it_means_at_the_end(guard: Guard) -> None:
    model = Saying("It will be 2027-03-05 for us.", "There are four of us.")
    one = user(model, guard)
    asyncio.run(one.reply(WELCOME, "ask_day"))
    history = [*WELCOME, Message(role="user", content="It will be 2027-03-05 for us."),
               Message(role="tool", content="{}"), Message(role="assistant", content="How many guests?")]  # fmt: skip
    turn = asyncio.run(one.reply(history, "ask_guests"))
    assert [m.role for m in model.shown[1]] == ["system", "user", "assistant", "user"]
    assert model.shown[1][-1].content == "How many guests?\n[Your answer: guests is four.]"
    assert turn == UserTurn("There are four of us.", ("edge:ask_guests.guests",), {"guests": "four"})


@pytest.mark.parametrize(
    ("turn", "words"),
    [
        (("", ("edge:ask_day.day",), {"day": "2027-03-05"}), "Your answer: day is 2027-03-05."),
        (("", ("edge:offer.accept",), {}), f"Your answer: {GRAPH.nodes['offer'].edges[0].when}."),
        (("", ("edge:ask_day.day", "volunteer:guests"), {"day": "2027-03-05", "guests": "four"}),
         "Your answer: day is 2027-03-05. Tell of your own accord: guests is four."),
        (("", ("edge:ask_guests.guests", "correction:day"), {"day": "2027-04-01", "guests": "four"}),
         "Your answer: guests is four. Correct what you said before: day is 2027-04-01."),
        (("", ("interrupt:human",), {}), "Do not answer. Instead the guest asks for a person."),
        (("Is there parking?", ("side_question:parking",), {}),
         "Do not answer yet. Instead the customer asks for a detail, for instance: Is there parking?"),
        (("", ("confused",), {}), "You could not make sense of that. Say so."),
    ],
)  # fmt: skip
def test_what_the_user_means_is_said_in_words(turn: tuple[str, tuple[str, ...], dict[str, str]], words: str) -> None:
    assert remark(GRAPH, UserTurn(*turn)) == words


SLIPS = {
    Slip.SILENT: ("", " ...", '""'),
    Slip.OUT_OF_ROLE: (
        "How can I help you today?", "As an AI language model I have no day.", "Assistant: 2027-03-05 is noted.",
        '<tool_call>{"name": "find_table"}</tool_call> 2027-03-05',
        "<think>The remark says what I mean.</think> 2027-03-05",
    ),
    Slip.INVENTED_FACT: ("On 2027-09-09, please.", "2027-03-05, and we can spend $777."),
    Slip.WITHHELD: ("Some day soon.", "The fifth of March."),
    Slip.EARLY_STOP: ("[stop: I have had enough]", "Never mind. [stop]"),
}  # fmt: skip


@pytest.mark.parametrize(("slip", "text"), [(slip, text) for slip, texts in SLIPS.items() for text in texts])
def test_an_error_of_the_user_is_named_when_it_stays(guard: Guard, slip: Slip, text: str) -> None:
    model = Saying(text)
    assert answer(model, guard).labels == (f"error:{slip}",)
    assert len(model.shown) == 2


@pytest.mark.parametrize("text", [t for texts in SLIPS.values() for t in texts])
def test_an_error_that_the_user_mends_is_none(guard: Guard, text: str) -> None:
    model = Saying(text, "2027-03-05, please.")
    assert answer(model, guard) == UserTurn("2027-03-05, please.", ("edge:ask_day.day",), {"day": "2027-03-05"})
    assert model.shown[1][-2] == Message(role="assistant", content=text)


def test_repeating_the_assistant_is_out_of_role(guard: Guard) -> None:
    echo = "Welcome to our small restaurant by the sea, for which day shall I write you down?"
    one = user(Saying(f"{echo} 2027-03-05"), guard)
    turn = asyncio.run(one.reply([Message(role="assistant", content=echo)], "ask_day"))
    assert turn.labels == ("error:out_of_role",)


def test_another_choice_than_the_planned_one_is_off_plan_and_free_words_are_not(guard: Guard) -> None:
    offer = GRAPH.nodes["offer"]
    plan = SHORT.model_copy(update={"script": (Step(node="offer", edge=offer.edges[0].id),)})
    history = [Message(role="assistant", content="The Old Mill for a deposit of $40?")]

    def labels(text: str) -> tuple[str, ...]:
        return asyncio.run(user(Saying(text), guard, plan).reply(history, "offer")).labels

    assert labels(GRAPH.interrupts["human"].says[0]) == ("error:off_plan",)
    assert labels(offer.edges[1].says[0]) == ("error:off_plan",)
    assert labels("Sounds wonderful to me!") == (f"edge:offer.{offer.edges[0].id}",)


def test_a_fact_that_the_assistant_named_is_not_invented_by_the_user(guard: Guard) -> None:
    history = [Message(role="assistant", content="For 2027-09-09, or which day?")]
    turn = asyncio.run(user(Saying("Not 2027-09-09 but 2027-03-05."), guard).reply(history, "ask_day"))
    assert turn.labels == ("edge:ask_day.day",)


def meaning(gives: dict[str, str], scenario: Scenario, text: str, guard: Guard) -> Slip | None:
    meant = UserTurn("", ("edge:x",), gives)
    return guard.slip(scenario, Said(text, None), meant, [], patient=True)


def test_a_longer_value_does_not_tell_the_shorter_one(guard: Guard) -> None:
    dear = {"budget": "$200"}
    assert meaning(dear, SHORT, "$200.", guard) is None
    assert meaning(dear, SHORT, "$200,000", guard) == Slip.INVENTED_FACT
    slots = GRAPH.slots | {"guests": GRAPH.slots["guests"].model_copy(update={"values": ("two", "two and a baby")})}
    pool = Guard(GRAPH.model_copy(update={"slots": slots}))
    assert meaning({"guests": "two"}, SHORT, "Two and a baby.", pool) == Slip.WITHHELD
    assert meaning({"guests": "two"}, SHORT, "Not two and a baby, two.", pool) is None


def test_a_number_inside_a_date_is_not_told_before_it_is_due() -> None:
    steps = (Step(node="ask_day", edge="day", gives={"day": "4 March"}),
             Step(node="ask_guests", edge="guests", gives={"guests": "4"}))  # fmt: skip
    scenario = SHORT.model_copy(update={"script": steps})
    assert ahead(GRAPH, scenario, "On 4 March.", {"day": "4 March"}) == {}
    assert ahead(GRAPH, scenario, "On 4 March, 4 of us.", {"day": "4 March"}) == {"guests": "4"}


def test_a_fact_told_before_it_is_due_is_volunteered(guard: Guard) -> None:
    turn = answer(Saying("2027-03-05, and there will be four of us."), guard)
    assert turn.labels == ("edge:ask_day.day", "volunteer:guests")
    assert turn.gives == {"day": "2027-03-05", "guests": "four"}


def test_leaving_an_assistant_that_talks_nonsense_is_no_error(guard: Guard, table_tracker: Tracker) -> None:
    assistant = Reciting(said("Xylophone zebra quartz."))
    model = Saying("[stop: it talks nonsense]")
    played = asyncio.run(
        simulate(GRAPH, [SHORT], "x", lambda _: assistant, table_tracker, PARAMS, lambda s: user(model, guard))
    )[0]
    assert (played.ended, played.turns[-1].labels) == (Ended.USER_STOPPED, ("stop", "reason:it talks nonsense"))
    assert judge(GRAPH, SHORT, played).scores["task_success"] == 0.0


def test_leaving_an_assistant_that_asks_the_same_for_the_third_time_is_no_error(guard: Guard) -> None:
    one = user(Saying("2027-03-05, please.", "2027-03-05, I said.", "[stop: it asks again]"), guard)
    turns = [asyncio.run(one.reply(WELCOME, "ask_day")) for _ in range(3)]
    assert [t.labels[0] for t in turns] == ["edge:ask_day.day", "edge:ask_day.day", "stop"]


def test_a_conversation_too_long_for_the_users_model_is_not_the_assistants_fault(guard: Guard) -> None:
    class Full:
        async def complete(self, messages: Sequence[Message], tools: None, sampling: Sampling) -> Completion:
            raise ContextOverflow("256")

    assert answer(Full(), guard).labels == ("error:too_long",)


def test_the_mark_to_stop_is_taken_out_of_the_words() -> None:
    assert split_stop('"Fine."') == Said("Fine.", None)
    assert split_stop("Bye. [STOP: no use ]") == Said("Bye.", "no use")
    assert split_stop("[stop]") == Said("", "no reason")


def talk(
    client: Client, guard: Guard, tracker: Tracker, arm: Callable[[Scenario], Follower], n: int
) -> list[Transcript]:
    scenarios = [SHORT.model_copy(update={"id": f"s{i}"}) for i in range(n)]

    def make(scenario: Scenario) -> LlmUser:
        return LlmUser(client, CHOICE, guard, GRAPH, scenario)

    return asyncio.run(simulate(GRAPH, scenarios, "x", arm, tracker, PARAMS, make))


def test_it_plays_through_a_server_and_a_served_slip_is_counted_and_not_scored(
    script: Script, guard: Guard, table_tracker: Tracker
) -> None:
    url = f"http://127.0.0.1:{script.server_address[1]}/v1"
    client = Client(url, "m", api_key="none", timeout=10, max_retries=0)
    accept = GRAPH.nodes["offer"].edges[0].says[0]
    good = ["2027-03-05", "four", "$200", accept]
    script.replies = [reply({"content": text}) for text in (*good, "On 2031-01-01.", "On 2031-01-01.")]
    played = talk(client, guard, table_tracker, lambda _: Along(GRAPH, SHORT), 2)
    assert [t.ended for t in played] == [Ended.TERMINAL, Ended.USER_ERROR]
    assert played[1].turns[-1].labels == ("error:invented_fact",)
    assert script.replies == []
    scenarios = [SHORT.model_copy(update={"id": t.scenario}) for t in played]
    scores = evaluate(GRAPH, scenarios, {"x": played}, SCORES, 0).scores["arms"]["x"]
    assert (scores["simulator_errors"], scores["unscored"]) == (1, 1)
    assert scores["task_success"] == {"mean": 1.0, "ci95": [1.0, 1.0], "n": 1, "clusters": 1, "unscored": 1}
