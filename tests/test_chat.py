"""Talking to a compiled model in the terminal."""

from __future__ import annotations

import io
import json
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

import pytest

from flowc.arms import Prompted
from flowc.client import Completion, ContextOverflow, Sampling
from flowc.graph import Graph
from flowc.records import Message, ToolCall, write_json, write_jsonl
from flowc.scenarios import Result, Scenario
from flowc.slots import number_in
from scripts.chat import answer, talk
from tests.workspace import ROOT

FOUND = Result(outcome="found", values={"airline": "Air", "hotel": "Inn", "price": "$3,601"})
PLAN = Scenario(
    id="s", family="s", procedure="travel_booking", split="seen_path", persona="plain", seed=1, path=(), ending="done",
    script=(), results={"search_trips": (Result(outcome="none", values={}), FOUND)},
)  # fmt: skip


def search(budget: str) -> ToolCall:
    told = {"origin": "Porto", "destination": "Salzburg", "depart_date": "3 May 2027", "travellers": "two adults"}
    return ToolCall(name="search_trips", arguments=told | {"budget": budget})


def test_an_offer_keeps_to_the_budget_that_the_person_named(travel: Graph) -> None:
    calls: Counter[str] = Counter()
    assert answer(travel, PLAN, search("1500 dollars"), calls, Random(0)) == '{"status": "none"}'
    for seed in range(20):
        offer = json.loads(answer(travel, PLAN, search("1500 dollars"), calls, Random(seed)))
        assert list(offer) == ["status", "airline", "hotel", "price"]
        assert 825 <= number_in(offer["price"]) <= 1455  # between 55 and 97 % of the budget


def test_a_call_that_says_nothing_usable_is_answered_as_planned(travel: Graph) -> None:
    calls = Counter({"search_trips": 1})
    assert json.loads(answer(travel, PLAN, search("plenty"), calls, Random(0)))["price"] == "$3,601"
    unknown = ToolCall(name="fly", arguments={})
    assert json.loads(answer(travel, PLAN, unknown, calls, Random(0))) == {"error": "unknown function fly"}


class Narrow:
    """A model that has room for a few messages; it says `saying`, or calls a function for ever."""

    def __init__(self, room: int, saying: str) -> None:
        self.room, self.saying = room, saying
        self.heard: list[str] = []

    async def complete(
        self, messages: Sequence[Message], tools: list[dict[str, Any]] | None, sampling: Sampling
    ) -> Completion:
        self.heard = [m.content for m in messages if m.role == "user"]
        if len(messages) > self.room:
            raise ContextOverflow("This model's maximum context length is 64 tokens")
        calls = () if self.saying else (ToolCall(name="fly", arguments={}),)
        return Completion(self.saying, calls, False, 1, 1, 0, "stop")


def spoken(graph: Graph, model: Narrow, typed: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(typed))
    talk(Prompted(model, "", [], Sampling(temperature=0, top_p=1, max_tokens=8, seed=0)), graph, PLAN)


@pytest.mark.parametrize("end", ["", "\n", "  \n"])
def test_the_end_of_input_and_an_empty_line_end_the_conversation(
    travel: Graph, end: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    model = Narrow(9, "Hello!")
    spoken(travel, model, "§$%\0 ü\n" + end, monkeypatch)
    assert model.heard == ["§$%\0 ü"]
    assert capsys.readouterr().out == "assistant: Hello!\nyou: assistant: Hello!\nyou: " + "\n" * (not end)


@pytest.mark.parametrize("saying", ["Hello!", ""])
def test_a_conversation_that_outgrows_the_context_ends_with_a_sentence(
    travel: Graph, saying: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    spoken(travel, Narrow(5, saying), "yes\n" * 9, monkeypatch)
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1].removeprefix("you: ") == "The conversation has become longer than the model's context, and ends."


def test_an_interrupt_while_the_server_starts_ends_with_a_word(travel: Graph, tmp_path: Path) -> None:
    for needed in ("scripts", "params.yaml"):
        (tmp_path / needed).symlink_to(ROOT / needed)
    write_json(tmp_path / "model/config.json", {"max_position_embeddings": 64})
    write_jsonl(tmp_path / "scenarios.jsonl", [PLAN])
    write_json(tmp_path / "graph.json", travel.model_dump(mode="json"))
    # A shell starts what it puts in the background without the signal; here it is heard wherever the tests run.
    heard = "import runpy, signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
    script = f"{heard}runpy.run_module('scripts.chat', run_name='__main__', alter_sys=True)"
    command = [sys.executable, "-c", script, "model", "scenarios.jsonl", "graph.json"]
    with subprocess.Popen(
        command, cwd=tmp_path, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as chat:
        assert chat.stderr
        assert chat.stdout
        assert chat.stderr.readline().startswith("starting vLLM for model: 0 s")
        chat.send_signal(signal.SIGINT)
        assert (chat.stdout.read(), chat.stderr.read(), chat.wait()) == ("\nstopped\n", "", 0)
