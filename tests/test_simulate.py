"""Simulation: an assistant that follows the procedure succeeds, and every other one ends for the right reason."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence

import pytest

from flowc.client import Completion, ContextOverflow
from flowc.conformance import judge
from flowc.graph import Graph
from flowc.records import Message, ToolCall, UserError
from flowc.scenarios import Scenario
from flowc.simulate import Arm, MakeArm, Reply, SimulateParams, sampling, simulate
from flowc.teacher import ScriptedAgent
from flowc.tools import call_for
from flowc.tracker import Tracker
from flowc.transcripts import Ended, Tokens, Transcript, Turn
from flowc.user import ScriptedUser, UserTurn
from tests.example import example_graph, example_scenarios

PARAMS = SimulateParams(temperature=0, top_p=1, max_tokens=64, max_turns=30, concurrency=1)
GRAPH = example_graph()
SCENARIOS = sorted(example_scenarios(GRAPH, 40), key=lambda s: s.id)
COST = Completion(
    content="",
    tool_calls=(),
    malformed=False,
    prompt_tokens=10,
    completion_tokens=2,
    cached_tokens=0,
    finish_reason="stop",
)


class Follower:
    """Follows the graph. It knows what the user means because it plays the same user along."""

    def __init__(self, graph: Graph, scenario: Scenario) -> None:
        self._graph = graph
        self._agent, self._shadow = (
            ScriptedAgent(graph, scenario.seed, "train"),
            ScriptedUser(graph, scenario),
        )
        self._said = ""

    async def reply(self, history: Sequence[Message]) -> Reply:
        if history and history[-1].role == "tool":
            values = json.loads(history[-1].content)
            self._agent.returned(values.pop("status"), values)
        elif history:
            turn = self._shadow.reply(self._said)
            assert turn.text == history[-1].content
            self._agent.hear(turn)
        name = self._agent.state.node
        if self._graph.nodes[name].role == "tool":
            call = call_for(self._graph, name, self._agent.values)
            return Reply(Message(role="assistant", tool_calls=(call,)), (COST,))
        text, names = self._agent.speak()
        self._said = names[-1]
        return Reply(Message(role="assistant", content=text), (COST,))


class Reciting:
    """Says the same things in the same order, the last one for ever."""

    def __init__(self, *messages: Message) -> None:
        self._messages = list(messages)

    async def reply(self, history: Sequence[Message]) -> Reply:
        message = self._messages[0] if len(self._messages) == 1 else self._messages.pop(0)
        return Reply(message, (COST,))


class Failing:
    """Raises instead of answering."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    async def reply(self, history: Sequence[Message]) -> Reply:
        raise self._error


def said(text: str) -> Message:
    return Message(role="assistant", content=text)


def called(name: str) -> Message:
    arguments = {"day": "x", "guests": "y", "budget": "z"}
    return Message(role="assistant", tool_calls=(ToolCall(name=name, arguments=arguments),))


def played(tracker: Tracker, make: MakeArm, scenarios: Sequence[Scenario]) -> list[Transcript]:
    return asyncio.run(simulate(GRAPH, scenarios, "x", make, tracker, PARAMS))


def one(tracker: Tracker, arm: Arm) -> Transcript:
    scenario = next(s for s in SCENARIOS if s.ending == "done")
    return played(tracker, lambda _: arm, [scenario])[0]


def test_an_assistant_that_follows_the_graph_succeeds_in_every_scenario(table_tracker: Tracker) -> None:
    transcripts = played(table_tracker, lambda s: Follower(GRAPH, s), SCENARIOS)
    assert [t.scenario for t in transcripts] == [s.id for s in SCENARIOS]
    for scenario, transcript in zip(SCENARIOS, transcripts, strict=True):
        assert transcript.ended == Ended.TERMINAL
        assert judge(GRAPH, scenario, transcript).faults == ()


def test_transcripts_come_in_the_order_of_their_scenarios(table_tracker: Tracker) -> None:
    transcripts = played(table_tracker, lambda _: Reciting(said("A colleague will help you.")), SCENARIOS[::-1])
    assert [t.scenario for t in transcripts] == [s.id for s in SCENARIOS]
    assert {t.arm for t in transcripts} == {"x"}


class Quoting:
    """A user with one thing to say."""

    def __init__(self, text: str, label: str) -> None:
        self._turn, self.heard = UserTurn(text, (label,), {}), list[tuple[str, str | None]]()

    async def reply(self, history: Sequence[Message], node: str | None) -> UserTurn:
        self.heard.append((history[-1].content, node))
        return self._turn


@pytest.mark.parametrize(
    ("label", "why"), [("stop", Ended.USER_STOPPED), ("error:invented_fact", Ended.USER_ERROR)]
)  # fmt: skip
def test_another_user_may_stop_or_go_wrong_itself(table_tracker: Tracker, label: str, why: Ended) -> None:
    user, arm = Quoting("Bye.", label), Reciting(said("Welcome! For which day?"))
    transcript = asyncio.run(simulate(GRAPH, SCENARIOS[:1], "x", lambda _: arm, table_tracker, PARAMS, lambda s: user))[
        0
    ]
    assert (transcript.ended, user.heard) == (why, [("Welcome! For which day?", "ask_day")])
    assert transcript.turns[-1] == Turn(message=Message(role="user", content="Bye."), labels=(label,))


def test_an_early_ending_is_an_ending(table_tracker: Tracker) -> None:
    transcript = one(table_tracker, Reciting(said("Goodbye, nothing was reserved.")))
    assert transcript.ended == Ended.TERMINAL
    assert [t.labels for t in transcript.turns] == [("goodbye",)]


def test_the_user_gives_up_when_the_same_step_comes_a_sixth_time(table_tracker: Tracker) -> None:
    transcript = one(table_tracker, Reciting(said("Welcome! For which day?")))
    assert transcript.ended == Ended.IN_CIRCLES
    assert sum(t.message.role == "assistant" for t in transcript.turns) == 6


def test_an_assistant_that_goes_on_and_on_reaches_the_turn_limit(table_tracker: Tracker) -> None:
    steps = [said("Welcome! For which day?"), said("How many guests?")]
    short = PARAMS.model_copy(update={"max_turns": 4})
    scenario = next(s for s in SCENARIOS if s.ending == "done")
    cut = asyncio.run(simulate(GRAPH, [scenario], "x", lambda _: Reciting(*(steps * 4)), table_tracker, short))[0]
    assert cut.ended == Ended.TURN_LIMIT
    assert sum(t.message.role == "assistant" for t in cut.turns) == 4


def test_the_user_gives_up_on_nonsense(table_tracker: Tracker) -> None:
    transcript = one(table_tracker, Reciting(said("Xylophone zebra quartz.")))
    assert transcript.ended == Ended.NOT_UNDERSTOOD
    assert [t.labels for t in transcript.turns] == [(), ("confused",), (), ("confused",), ()]


def test_one_understood_message_restarts_the_users_patience(table_tracker: Tracker) -> None:
    nonsense = said("Xylophone zebra quartz.")
    arm = Reciting(nonsense, nonsense, said("Welcome! For which day?"), nonsense, nonsense, nonsense)
    transcript = one(table_tracker, arm)
    assert transcript.ended == Ended.NOT_UNDERSTOOD
    assert sum(t.message.role == "assistant" for t in transcript.turns) == 6


@pytest.mark.parametrize("name", ["find_table", "unknown"])
def test_an_assistant_that_calls_on_and_on_is_stopped(table_tracker: Tracker, name: str) -> None:
    transcript = one(table_tracker, Reciting(called(name)))
    assert transcript.ended == Ended.TOOL_LOOP
    assert [t.message.role for t in transcript.turns] == ["assistant", "tool"] * 3
    expected = {"find_table": ("find_table",), "unknown": ()}[name]
    assert transcript.turns[0].labels == expected
    assert (transcript.turns[1].labels == ("error",)) == (name == "unknown")


@pytest.mark.parametrize("text", ["", "  \n"])
def test_silence_ends_the_conversation(table_tracker: Tracker, text: str) -> None:
    transcript = one(table_tracker, Reciting(said("Welcome! For which day?"), said(text)))
    assert transcript.ended == Ended.EMPTY_REPLY
    assert [t.message.role for t in transcript.turns] == ["assistant", "user"]


def test_a_conversation_that_outgrows_the_context_ends(table_tracker: Tracker) -> None:
    transcript = one(table_tracker, Failing(ContextOverflow("too long")))
    assert (transcript.ended, transcript.turns, transcript.tokens) == (Ended.TOO_LONG, (), Tokens())


def test_a_server_that_is_gone_is_one_error(table_tracker: Tracker) -> None:
    params = PARAMS.model_copy(update={"concurrency": 4})
    with pytest.raises(UserError, match=r"^the server does not answer$"):
        asyncio.run(
            simulate(
                GRAPH,
                SCENARIOS[:4],
                "x",
                lambda _: Failing(UserError("the server does not answer")),
                table_tracker,
                params,
            )
        )


def test_tokens_are_the_servers_counts_over_all_calls(table_tracker: Tracker) -> None:
    transcript = one(table_tracker, Reciting(said("Welcome! For which day?"), said("Goodbye, nothing was reserved.")))
    assert transcript.tokens == Tokens(prompt=20, completion=4, calls=2)


def test_no_more_conversations_run_at_once_than_allowed(table_tracker: Tracker) -> None:
    running: list[int] = []
    most: list[int] = []

    class Slow:
        async def reply(self, history: Sequence[Message]) -> Reply:
            running.append(1)
            await asyncio.sleep(0)
            most.append(len(running))
            running.pop()
            return Reply(said("A colleague will help you."), ())

    params = PARAMS.model_copy(update={"concurrency": 3})
    asyncio.run(simulate(GRAPH, SCENARIOS[:12], "x", lambda _: Slow(), table_tracker, params))
    assert max(most) == 3


def test_every_arm_is_sampled_alike() -> None:
    choice = sampling(PARAMS, 7)
    assert (choice.temperature, choice.top_p, choice.max_tokens, choice.seed) == (0, 1, 64, 7)
