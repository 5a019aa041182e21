"""The arms that are not compiled: the flowchart as a prompt, and the procedure under LangGraph."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from flowc.arms import Prompted, as_message, flowchart, one_line
from flowc.client import Client, Completion, Sampling
from flowc.graph import Graph, edges
from flowc.orchestrated import Orchestrated, _pick
from flowc.records import Message, ToolCall, read_jsonl, read_record, write_json, write_jsonl
from flowc.tools import schemas
from flowc.transcripts import Transcript
from stages import baseline
from tests.example import example_scenarios
from tests.served import runner
from tests.test_client import Script
from tests.test_client import script as script  # a fixture
from tests.workspace import ROOT

SAMPLING = Sampling(temperature=0, top_p=1, max_tokens=64, seed=0)


class Scripted(Client):
    """A client with a queue of replies; remembers what it was asked."""

    def __init__(self, *replies: str | ToolCall) -> None:
        self._replies = list(replies)
        self.asked: list[tuple[list[Message], list[dict[str, Any]] | None, Sampling]] = []

    async def complete(
        self,
        messages: Sequence[Message],
        tools: list[dict[str, Any]] | None,
        sampling: Sampling,
        extra_body: dict[str, Any] | None = None,
    ) -> Completion:
        self.asked.append((list(messages), tools, sampling))
        reply = self._replies.pop(0)
        text, calls = ("", (reply,)) if isinstance(reply, ToolCall) else (reply, ())
        return Completion(text, calls, False, 5, 1, 0, "stop")

    def systems(self) -> list[str]:
        return [messages[0].content for messages, _, _ in self.asked]


def user(text: str) -> Message:
    return Message(role="user", content=text)


def tool(status: str) -> Message:
    return Message(role="tool", content=json.dumps({"status": status}))


def test_the_flowchart_has_every_step_condition_fact_and_function(travel: Graph) -> None:
    text = flowchart(travel)
    assert text.startswith(travel.system)
    for name, node in travel.nodes.items():
        assert f"Step {name}: {node.instruction}" in text
        assert node.calls is None or f"Call the function {node.calls}." in text
    for _, edge in edges(travel):
        assert f"go to {edge.to}." in text
        assert edge.when in text
    for fact in travel.knowledge.values():
        assert fact.fact in text
    for interrupt in travel.interrupts.values():
        assert f"If {interrupt.when}: " in text
    for schema in schemas(travel):
        assert json.dumps(schema["function"]) in text


def test_the_flowchart_says_where_it_starts_and_ends(table: Graph) -> None:
    text = flowchart(table)
    assert text.count("Start here.") == 1
    assert "Step ask_day: Welcome the guest and ask for the day. Start here." in text
    assert "Step done: Confirm the reservation. This ends the conversation (success)." in text
    assert "  If the result is full: go to ask_budget." in text


def test_the_compiled_arm_has_one_line(travel: Graph) -> None:
    assert one_line(travel) == travel.system
    assert "\n" not in one_line(travel)


def test_a_prompted_arm_puts_its_system_prompt_before_the_history(table: Graph) -> None:
    client = Scripted("For which day?")
    reply = asyncio.run(Prompted(client, "Be kind.", schemas(table), SAMPLING).reply([user("Hello")]))
    messages, tools, sampling = client.asked[0]
    assert [(m.role, m.content) for m in messages] == [("system", "Be kind."), ("user", "Hello")]
    assert (tools, sampling) == (schemas(table), SAMPLING)
    assert reply.message == Message(role="assistant", content="For which day?")
    assert [c.prompt_tokens for c in reply.completions] == [5]


def test_only_the_first_of_several_calls_is_kept() -> None:
    calls = (ToolCall(name="a", arguments={}), ToolCall(name="b", arguments={}))
    assert as_message("x", calls).tool_calls == calls[:1]


def play(graph: Graph, client: Scripted, *turns: Message | None) -> list[Message]:
    """One message of the assistant for each turn (None: it begins)."""

    async def run() -> list[Message]:
        arm, history, out = Orchestrated(client, graph, SAMPLING), [], []
        for turn in turns:
            history += [turn] if turn else []
            reply = await arm.reply(history)
            history.append(reply.message)
            out.append(reply.message)
        return out

    return asyncio.run(run())


def task(graph: Graph, node: str) -> str:
    return f"Your task now: {graph.nodes[node].instruction}"


def test_the_orchestrator_goes_from_node_to_node(table: Graph) -> None:
    client = Scripted(
        "Which day?", "day", "How many?", "guests", "What may it cost?", "budget",
        'Sure: {"day": "2027-03-05", "guests": "four", "budget": "$200"}', "Old Mill?", "accept", "Reserved.",
    )  # fmt: skip
    out = play(table, client, None, user("2027-03-05"), user("four"), user("$200"), tool("found"), user("yes"))
    call = ToolCall(name="find_table", arguments={"day": "2027-03-05", "guests": "four", "budget": "$200"})
    assert [m.content for m in out] == [
        "Which day?",
        "How many?",
        "What may it cost?",
        "",
        "Old Mill?",
        "Reserved.",
    ]
    assert out[3].tool_calls == (call,)
    nodes = [n for s in client.systems() for n in table.nodes if task(table, n) in s]
    assert nodes == ["ask_day", "ask_guests", "ask_budget", "offer", "done"]


def test_the_orchestrator_goes_on_from_a_node_that_it_is_told(table: Graph) -> None:
    client = Scripted("guests", "What may it cost?")
    history = [Message(role="assistant", content="How many?"), user("four")]
    reply = asyncio.run(Orchestrated(client, table, SAMPLING, at="ask_guests").reply(history))
    assert reply.message.content == "What may it cost?"
    assert task(table, "ask_budget") in client.systems()[1]


def test_the_router_sees_the_last_exchange_and_every_choice(table: Graph) -> None:
    client = Scripted("Which day?", "day", "How many?")
    play(table, client, None, user("2027-03-05"))
    messages, _, sampling = client.asked[1]
    assert [m.content for m in messages[1:]] == ["Which day?", "2027-03-05"]
    assert "the guest names a day" in messages[0].content
    assert messages[0].content.endswith("Answer with one of these words only: day, human, off_topic, question.")
    assert sampling.max_tokens == 12
    assert client.asked[2][2].max_tokens == SAMPLING.max_tokens


@pytest.mark.parametrize(
    ("answer", "node"),
    [
        ("human", "hand_over"),
        ("question", "ask_day"),
        ("off_topic", "ask_day"),
        ("day", "ask_guests"),
        ("?", "ask_guests"),
    ],
)
def test_the_router_obeys_the_classifier(table: Graph, answer: str, node: str) -> None:
    client = Scripted("Which day?", answer, "...")
    play(table, client, None, user("..."))
    assert task(table, node) in client.systems()[2]


@pytest.mark.parametrize(("status", "node"), [("found", "offer"), ("full", "ask_budget")])
def test_a_tools_outcome_routes_without_a_model(table: Graph, status: str, node: str) -> None:
    client = Scripted("Which day?", "day", "How many?", "guests", "Cost?", "budget", "{}", "...")
    play(table, client, None, user("a"), user("b"), user("c"), tool(status))
    assert task(table, node) in client.systems()[-1]


def test_an_error_of_the_tool_is_met_with_another_call(table: Graph) -> None:
    client = Scripted("Which day?", "day", "How many?", "guests", "Cost?", "budget", "{}", "{}")
    broken = Message(role="tool", content='{"error": "down"}')
    out = play(table, client, None, user("a"), user("b"), user("c"), broken)
    assert out[-1].tool_calls[0].name == "find_table"


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ('{"day": "2027-03-05"}', "2027-03-05"),
        ('```json\n{"day": "2027-03-05",\n "guests": 4}\n```', "2027-03-05"),
        ('{"name": "find_table", "arguments": {"day": "2027-03-05"}}', "2027-03-05"),
        ("The day is 2027-03-05.", ""),
        ("{not json}", ""),
        ('{"arguments": "none"}', ""),
    ],
)
def test_arguments_are_read_from_whatever_the_model_writes(table: Graph, text: str, day: str) -> None:
    client = Scripted("Which day?", "day", "How many?", "guests", "Cost?", "budget", text)
    call = play(table, client, None, user("a"), user("b"), user("c"))[-1].tool_calls[0]
    assert list(call.arguments) == ["day", "guests", "budget"]
    assert call.arguments["day"] == day


def test_all_calls_to_the_model_are_accounted_for(table: Graph) -> None:
    async def run() -> list[int]:
        arm = Orchestrated(Scripted("Which day?", "day", "How many?"), table, SAMPLING)
        first = await arm.reply([])
        second = await arm.reply([first.message, user("a")])
        return [len(first.completions), len(second.completions)]

    assert asyncio.run(run()) == [1, 2]


def test_a_node_may_be_called_route(table: Graph) -> None:
    nodes = {**table.nodes, "route": table.nodes["ask_day"]}
    client = Scripted("Which day?")
    assert play(table.model_copy(update={"nodes": nodes, "start": "route"}), client, None)[0].content == "Which day?"


@pytest.mark.parametrize(
    ("answer", "option"),
    [
        ("accept", "accept"),
        ("  Decline.", "decline"),
        ("I think decline, not accept", "decline"),
        ("new_budget", "new_budget"),
        ("none of these", "accept"),
        ("", "accept"),
    ],
)
def test_a_classifiers_answer_is_the_option_that_it_names_first(answer: str, option: str) -> None:
    assert _pick(answer, ["accept", "budget", "decline", "new_budget"]) == option


@pytest.mark.parametrize(("arm", "system"), [("floor", one_line), ("in_context", flowchart)])
def test_the_stage_plays_every_scenario_with_the_prompt_of_its_arm(
    arm: str,
    system: Callable[[Graph], str],
    script: Script,
    table: Graph,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    params = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    write_json(tmp_path / "params.yaml", {key: params[key] for key in ("seed", "serve", "simulate")})
    write_json(tmp_path / "graph.json", table.model_dump(mode="json"))
    scenarios = example_scenarios(table, 3)
    write_jsonl(tmp_path / "scenarios.jsonl", scenarios)
    run = runner(baseline, script, "Well.", monkeypatch)

    run(arm, "base", "scenarios.jsonl", "graph.json", "--out", "out.jsonl")

    graph = read_record(tmp_path / "graph.json", Graph)
    assert {asked["messages"][0]["content"] for asked in script.asked} == {system(graph)}
    played = read_jsonl(tmp_path / "out.jsonl", Transcript)
    assert sorted((t.scenario, t.arm) for t in played) == sorted((s.id, arm) for s in scenarios)
