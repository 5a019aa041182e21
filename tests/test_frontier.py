"""The arms with a provider's model, against a scripted server of both APIs: what is sent, judged, paid, and not run."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from openai.types.chat import ChatCompletion

from flowc.completion import Said
from flowc.conformance import judge
from flowc.evaluate import EvaluateParams, evaluate
from flowc.frontier import ARMS, FrontierParams, Sheet, not_run, reason_not_to_run
from flowc.frontier_arms import OPENING, as_said
from flowc.graph import part
from flowc.providers import from_openai
from flowc.records import Message, ToolCall, read_jsonl, read_record, run_stage, write_json, write_jsonl
from flowc.sampling import sample
from flowc.scenarios import Scenario
from flowc.scoreboard import headline
from flowc.spend import Price
from flowc.transcripts import Ended, Transcript
from stages.frontier import main
from tests.example import NO_DEVIATIONS, example_graph
from tests.parcel import row_of
from tests.provider_script import INPUT, KEY, OUTPUT, Provider, openai_completion, provider
from tests.test_pipeline import composed
from tests.test_simulate import PARAMS as TALK

GRAPH = example_graph()
STRAIGHT = [s for s in sample(GRAPH, 40, "held_out_path", NO_DEVIATIONS, 0, seed=3) if s.ending == "done"]
SCENARIOS = [s.model_copy(update={"persona": "plain"}) for s in STRAIGHT if len(s.path) == 5][:3]
PARAMS = FrontierParams(
    provider="anthropic",
    model="m-1",
    temperature=None,
    effort="none",
    max_tokens=64,
    cap=5.0,
    price=Price(input=2, output=10, cache_write=2.5),
    concurrency=4,
    timeout=20,
)
ADDRESS = {"anthropic": "ANTHROPIC_BASE_URL", "openai": "OPENAI_BASE_URL"}
VARIABLE = {"anthropic": "ANTHROPIC_API_KEY", "openai": "OPENAI_API_KEY"}


def written(body: Mapping[str, Any]) -> list[str]:
    """All texts of a request's messages, results of functions among them."""
    found = []
    for message in body["messages"]:
        content = message["content"] or ""
        blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content
        found += [str(b.get("text") or b.get("content") or "") for b in blocks]
    return found


def knowing(body: Mapping[str, Any]) -> str | ToolCall:
    """A model that books a table: it finds the scenario by what the user has told, and the step by what was said."""
    texts = [x for x in written(body) if x != body["messages"][0]["content"]]
    system = str(body.get("system") or body["messages"][0]["content"])
    if "Answer with one of these words only" in system:
        return system.rsplit(": ", 1)[1].split(",")[0]  # the first way out is the one that these scenarios take
    told = "\n".join(texts)
    known = next((facts(s) for s in SCENARIOS if facts(s)["day"] in told), {})
    task = re.search(r"Your task now: (.*?) Write one short message", system)
    if "one JSON object" in system:
        return json.dumps({slot: known[slot] for slot in ("day", "guests", "budget")})
    result = re.search(r'"place": "(.*?)"', told)
    deposit = re.search(r'"deposit": "(.*?)"', told)
    asked = [n for n in ("ask_day", "ask_guests", "ask_budget") if any(say in told for say in GRAPH.nodes[n].say)]
    if task:
        node = next(n for n, x in GRAPH.nodes.items() if x.instruction == task[1])
    elif result and told.count(result[1]) > 1:  # returned, and offered
        node = "done"
    elif result:
        node = "offer"
    elif len(asked) == 3:
        return ToolCall(name="find_table", arguments={slot: known[slot] for slot in ("day", "guests", "budget")})
    else:
        node = ("ask_day", "ask_guests", "ask_budget")[len(asked)]
    values = {"place": result and result[1], "deposit": deposit and deposit[1]}
    return part(GRAPH.nodes[node].say, "train")[0].format(**values)


def facts(scenario: Scenario) -> dict[str, str]:
    return {slot: value for step in scenario.script for slot, value in step.gives.items()}


class Run:
    """The stage in a folder of its own, with a key and a scripted provider, or without."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch, server: Provider) -> None:
        self.folder, self.patch, self.server = folder, patch, server
        server.answer = knowing
        patch.chdir(folder)
        write_json(folder / "graph.json", GRAPH.model_dump(mode="json"))
        write_jsonl(folder / "scenarios.jsonl", SCENARIOS)
        for name in (*ADDRESS.values(), *VARIABLE.values()):
            patch.delenv(name, raising=False)

    def __call__(self, params: FrontierParams, key: bool = True) -> Sheet:
        values = {"seed": 0, "frontier": params.model_dump(), "prices": {"models": {}}, "simulate": TALK.model_dump()}
        write_json(self.folder / "params.yaml", values)
        if key:
            self.patch.setenv(VARIABLE[params.provider], KEY)
            self.patch.setenv(ADDRESS[params.provider], self.server.url + "/v1" * (params.provider == "openai"))
        words = "frontier scenarios.jsonl graph.json --out a.jsonl b.jsonl --sheet sheet.json"
        self.patch.setattr(sys, "argv", words.split())
        run_stage(main)
        return read_record(self.folder / "sheet.json", Sheet)

    def played(self) -> dict[str, list[Transcript]]:
        files = zip(ARMS, ("a.jsonl", "b.jsonl"), strict=True)
        return {arm: read_jsonl(self.folder / file, Transcript) for arm, file in files}


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Run]:
    with provider() as server:
        yield Run(tmp_path, monkeypatch, server)


@pytest.mark.parametrize("name", ["anthropic", "openai"])
def test_a_model_that_knows_its_task_succeeds_in_both_arms_and_is_paid_once(run: Run, name: str) -> None:
    params = PARAMS.model_copy(update={"provider": name, "effort": None})
    sheet = run(params)
    by_id = {s.id: s for s in SCENARIOS}
    for arm, played in run.played().items():
        assert [t.ended for t in played] == [Ended.TERMINAL] * 3, arm
        assert [f for t in played for f in judge(GRAPH, by_id[t.scenario], t).faults] == [], arm
        calls = sum(t.tokens.calls for t in played)
        assert sum(t.tokens.prompt for t in played) == INPUT * calls
        assert sheet.arms[arm].calls == calls
        assert sheet.arms[arm].dollars == pytest.approx(calls * (INPUT * 2 + OUTPUT * 10) / 1e6)
    asked, first = run.server.calls, (run.folder / "a.jsonl").read_bytes()
    assert run(params) == sheet
    assert (run.server.calls, (run.folder / "a.jsonl").read_bytes()) == (asked, first)
    assert KEY not in "".join(f.read_text(errors="ignore") for f in run.folder.rglob("*") if f.is_file())


def test_functions_are_called_and_answered_in_anthropics_own_way(run: Run) -> None:
    run(PARAMS)
    bodies = [b for b in run.server.asked if "tools" in b]
    assert {json.dumps(b["tool_choice"]) for b in bodies} == {'{"type": "auto", "disable_parallel_tool_use": true}'}
    assert sorted(bodies[0]["tools"][0]["input_schema"]["required"]) == ["budget", "day", "guests"]
    assert "<tool_call>" not in bodies[0]["system"] and "Step ask_day" in bodies[0]["system"]
    last = max(bodies, key=lambda b: len(b["messages"]))["messages"]
    assert last[0] == {"role": "user", "content": OPENING}
    call = next(i for i, m in enumerate(last) if isinstance(m["content"], list))
    used, result = last[call]["content"][0], last[call + 1]["content"][0]
    assert (last[call]["role"], used["type"], used["name"]) == ("assistant", "tool_use", "find_table")
    assert (last[call + 1]["role"], result["type"], result["tool_use_id"]) == ("user", "tool_result", used["id"])


def test_functions_are_called_and_answered_in_openais_own_way(run: Run) -> None:
    run(PARAMS.model_copy(update={"provider": "openai", "effort": None}))
    bodies = [b for b in run.server.asked if "tools" in b]
    assert {b["parallel_tool_calls"] for b in bodies} == {False}
    last = max(bodies, key=lambda b: len(b["messages"]))["messages"]
    assert [m["role"] for m in last[:3]] == ["system", "user", "assistant"]
    call = next(i for i, m in enumerate(last) if m.get("tool_calls"))
    assert (last[call + 1]["role"], last[call + 1]["tool_call_id"]) == ("tool", last[call]["tool_calls"][0]["id"])
    assert set(json.loads(last[call]["tool_calls"][0]["function"]["arguments"])) == {"day", "guests", "budget"}


def test_under_an_orchestrator_calls_and_results_are_told_in_words(run: Run) -> None:
    run(PARAMS)
    bodies = [b for b in run.server.asked if "tools" not in b]
    assert {b["messages"][0]["role"] for b in bodies} == {"user"}
    assert all(isinstance(m["content"], str) for b in bodies for m in b["messages"])
    assert any("[the function returned " in text for b in bodies for text in written(b))


def test_no_two_conversations_share_an_answer(run: Run) -> None:
    run(PARAMS)
    openings = [b for b in run.server.asked if "tools" in b and len(b["messages"]) == 1]
    assert len(openings) == 3


def test_a_call_whose_arguments_are_no_object_is_a_wrong_call() -> None:
    body = openai_completion({"model": "m"}, ToolCall(name="find_table", arguments={}))
    for arguments in ("[1]", "{"):
        body["choices"][0]["message"]["tool_calls"][0]["function"]["arguments"] = arguments
        found = from_openai(ChatCompletion.model_validate(body), batch=False).calls
        assert [c.name for c in found] == ["find_table"] and set(found[0].arguments) == {"arguments"}


def test_a_model_that_calls_wrongly_on_and_on_is_stopped(run: Run) -> None:
    def calling(body: Mapping[str, Any]) -> str | ToolCall:
        return ToolCall(name="find_table", arguments={"day": "x"}) if "tools" in body else "Fine."

    run.server.answer = calling
    run(PARAMS)
    assert {t.ended for t in run.played()[ARMS[0]]} == {Ended.TOOL_LOOP}


@pytest.mark.parametrize(
    ("change", "key", "reason"),
    [
        ({}, False, "ANTHROPIC_API_KEY is not set"),
        ({"provider": "openai"}, False, "OPENAI_API_KEY is not set"),
        ({"cap": 0}, True, "frontier.cap is 0"),
    ],
)
def test_without_a_key_or_dollars_nothing_is_sent_and_the_reason_stands_in_the_scores(
    run: Run, change: dict[str, Any], key: bool, reason: str
) -> None:
    sheet = run(PARAMS.model_copy(update=change), key)
    assert (run.server.calls, run.played()) == (0, {arm: [] for arm in ARMS})
    assert {p.not_run for p in sheet.arms.values()} == {reason}
    assert not (run.folder / ".flowc").exists()


def scored(played: Mapping[str, list[Transcript]], sheet: Sheet) -> dict[str, Any]:
    params = EvaluateParams(resamples=100, confidence=0.95, power=0.8)
    return evaluate(GRAPH, SCENARIOS, played, params, 0, (), sheet.arms).scores


def test_the_report_names_the_model_the_calls_and_the_dollars_or_the_reason(run: Run) -> None:
    sheet = run(PARAMS)
    played = run.played()
    table = headline([scored(played, sheet)])
    assert row_of(table, ARMS[0])[1] == "3"
    calls = sheet.arms[ARMS[0]].calls
    assert f"- {ARMS[0]}: m-1 (anthropic), {calls} calls, ${calls * 700 / 1e6:.2f}" in table
    idle = headline([scored({}, not_run(PARAMS, "ANTHROPIC_API_KEY is not set"))])
    assert row_of(idle, ARMS[1])[1] == "not run"
    assert f"- {ARMS[1]} not run: ANTHROPIC_API_KEY is not set" in idle


def test_the_cap_is_never_passed_and_what_was_paid_is_kept(run: Run) -> None:
    with pytest.raises(SystemExit, match=r"error: the cap of \$0\.02 leaves .* raise frontier\.cap"):
        run(PARAMS.model_copy(update={"cap": 0.02}))
    paid = run.server.calls
    assert 0 < paid * 700 / 1e6 <= 0.02
    sheet = run(PARAMS)
    assert run.server.calls == sum(p.calls for p in sheet.arms.values())


def test_a_model_without_a_price_needs_one_or_no_cap(run: Run) -> None:
    unpriced = PARAMS.model_copy(update={"price": None})
    with pytest.raises(SystemExit, match=r"no price is known for the model 'm-1'.*set frontier\.price"):
        run(unpriced)
    assert run.server.calls == 0
    sheet = run(unpriced.model_copy(update={"cap": "none"}))
    assert {p.dollars for p in sheet.arms.values()} == {None}


def test_the_default_is_not_run_without_a_key_and_the_tests_never_pay() -> None:
    default = FrontierParams.model_validate(composed()["frontier"])
    assert reason_not_to_run(default, {}) == "ANTHROPIC_API_KEY is not set"
    assert reason_not_to_run(default, {"ANTHROPIC_API_KEY": KEY}) == ""
    smoke = FrontierParams.model_validate(composed("scale=smoke")["frontier"])
    assert reason_not_to_run(smoke, {"ANTHROPIC_API_KEY": KEY}) == "frontier.cap is 0"


def test_a_conversation_that_the_user_begins_needs_no_opening() -> None:
    assert [s.text for s in as_said([Message(role="user", content="Hi.")], calls=True)] == ["Hi."]


def test_a_call_behind_white_space_is_sent_back_without_it() -> None:
    call = ToolCall(name="find_table", arguments={})
    message = Message(role="assistant", content="\n\n", tool_calls=(call,))
    assert as_said([Message(role="user", content="Hi."), message], calls=True)[1] == Said(
        role="assistant", text="", call=call
    )


@pytest.mark.skipif(not os.environ.get("ANTHROPIC_API_KEY"), reason="ANTHROPIC_API_KEY is not set")
def test_anthropics_model_plays_a_scenario(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_json(tmp_path / "graph.json", GRAPH.model_dump(mode="json"))
    write_jsonl(tmp_path / "scenarios.jsonl", SCENARIOS[:1])
    values = composed("frontier.cap=0.5")
    write_json(tmp_path / "params.yaml", {k: values[k] for k in ("seed", "frontier", "simulate", "prices")})
    words = "frontier scenarios.jsonl graph.json --out a b --sheet sheet.json"
    monkeypatch.setattr(sys, "argv", words.split())
    run_stage(main)
    assert read_jsonl(tmp_path / "a", Transcript)[0].tokens.calls > 3
