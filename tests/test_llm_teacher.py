"""Teachers that are language models, against a scripted provider on loopback and the official SDKs."""

from __future__ import annotations

import json
import multiprocessing
import os
import random
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import openai
import pytest

from flowc import llm_teacher
from flowc.briefs import read_prompts
from flowc.completer import Completer
from flowc.completion import Fault
from flowc.generate import GenerateParams, generate, planned
from flowc.graph import Graph
from flowc.llm_params import LlmParams
from flowc.llm_teacher import LlmTeacher
from flowc.providers import Access, OpenAI, access_from
from flowc.records import Conversation, UserError, canonical, read_jsonl, run_stage, write_json
from flowc.scenarios import Scenario
from flowc.spend import Price, PricesParams
from flowc.teacher import converse
from stages.generate import main
from tests import provider_script
from tests.example import MANY_DEVIATIONS
from tests.provider_script import INPUT, KEY, OUTPUT, Provider, openai_completion, provider, text_for
from tests.workspace import ROOT

PROMPTS = ROOT / "src" / "flowc" / "prompts"
LLM = LlmParams(
    mode="conversation", model="m", prompts="v1", temperature=None, effort=None, max_tokens=400, cap=5.0,
    price=Price(input=1, output=2), concurrency=8, timeout=20, poll=0.01,
)  # fmt: skip
PARAMS = GenerateParams(
    teacher="openai", llm=LLM, train=10, branches=2, eval=2, scenarios=4, variety=0.3, interrupts=0.2,
    deviations=MANY_DEVIATIONS,
)  # fmt: skip
SPOILS = ("429", "500", "nothing", "half", "refusal")


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let retries wait for milliseconds."""
    first = Completer.__init__

    def init(self: Completer, provider: Any, cache: Any, spend: Any, concurrency: int) -> None:
        first(self, provider, cache, spend, concurrency, pause=0.002)

    monkeypatch.setattr(Completer, "__init__", init)


def access(server: Provider, name: str = "openai") -> Access:
    return Access(server.url if name == "anthropic" else f"{server.url}/v1", KEY)


def teacher(graph: Graph, cache: Path, name: Any = "openai", **changes: Any) -> LlmTeacher:
    llm = LLM.model_copy(update=changes)
    return LlmTeacher(graph, name, llm, PricesParams(models={}), read_prompts(PROMPTS / "v1"), 0.3, cache)


def families_of(graph: Graph, params: GenerateParams = PARAMS) -> list[list[Scenario]]:
    """All that is to be written: trunks with their branches, and the conversations to evaluate on."""
    plan = planned(graph, params, 0)
    return [*plan.families, *([s] for s in plan.eval)]


class Run:
    """One teacher's work on all plans, sorted by id, before anything judges it."""

    def __init__(self, graph: Graph, server: Provider, cache: Path, name: Any = "openai", **changes: Any) -> None:
        asking = teacher(graph, cache, name, **changes)
        written = asking.write(families_of(graph), access(server, name))
        self.written = sorted({c.id: c for c in written}.values(), key=lambda c: c.id)
        self.report = asking.report

    @property
    def bytes(self) -> list[str]:
        return [canonical(c) for c in self.written]

    @property
    def lasting(self) -> dict[str, Any]:
        """The report without what only this run did."""
        return {k: v for k, v in self.report.items() if k != "this_run"}


@pytest.fixture
def server() -> Iterator[Provider]:
    with provider() as running:
        yield running


def scripted(graph: Graph) -> list[Conversation]:
    """The same plans in scripted words."""
    made = {s.id: converse(graph, s, "train") for family in families_of(graph) for s in family}
    return sorted(made.values(), key=lambda c: c.id)


@pytest.mark.parametrize("name", ["anthropic", "openai", "compatible"])
@pytest.mark.parametrize("mode", ["conversation", "turns"])
def test_a_teacher_keeps_to_the_plan_in_words_of_its_own(
    table: Graph, server: Provider, tmp_path: Path, name: str, mode: str
) -> None:
    run = Run(table, server, tmp_path / "r.sqlite", name, mode=mode)
    plans = scripted(table)
    written = run.written
    assert [(c.id, c.family, c.path, c.steps, c.deviations) for c in written] == [
        (c.id, c.family, c.path, c.steps, c.deviations) for c in plans
    ]
    for mine, theirs in zip(written, plans, strict=True):
        for message, scripted_message in zip(mine.messages, theirs.messages, strict=True):
            assert (message.role, message.tool_calls) == (scripted_message.role, scripted_message.tool_calls)
            if message.role in ("system", "tool") or message.tool_calls:
                assert message == scripted_message
            else:
                assert message.content != scripted_message.content
    assert run.report["faults"] == {} and run.report["dropped"] == {}
    asked = run.report["this_run"]["asked"]
    assert run.report["calls"] == asked == server.calls
    assert run.report["dollars"] == {"m": pytest.approx(asked * (INPUT + 2 * OUTPUT) / 1e6)}


def test_a_whole_conversation_is_one_call_and_a_branch_one_more_for_its_own_lines(
    table: Graph, server: Provider, tmp_path: Path
) -> None:
    run = Run(table, server, tmp_path / "r.sqlite")
    assert server.calls == len(run.written)
    trunks = {c.id: c for c in run.written if c.family == c.id}
    branches = [c for c in run.written if c.family != c.id]
    assert branches
    for branch in branches:
        assert branch.messages[:2] == trunks[branch.family].messages[:2]


def test_a_second_run_asks_nothing_and_gives_the_same_bytes(table: Graph, server: Provider, tmp_path: Path) -> None:
    first = Run(table, server, tmp_path / "r.sqlite")
    asked = server.calls
    second = Run(table, server, tmp_path / "r.sqlite")
    assert server.calls == asked
    assert second.bytes == first.bytes
    assert second.lasting == first.lasting
    assert second.report["this_run"] == {
        "asked": 0, "reused": asked, "dollars_paid": 0, "dollars_perhaps_lost": 0, "faults": {},
    }  # fmt: skip


@pytest.mark.parametrize("mode", ["conversation", "turns"])
def test_editing_a_node_asks_only_for_the_conversations_that_pass_it(
    table: Graph, server: Provider, tmp_path: Path, mode: str
) -> None:
    before = Run(table, server, tmp_path / "r.sqlite", mode=mode)
    offer = table.nodes["goodbye"].model_copy(update={"instruction": "Wish the guest a good evening."})
    edited = table.model_copy(update={"nodes": {**table.nodes, "goodbye": offer}})
    known = len(server.asked)
    after = Run(edited, server, tmp_path / "r.sqlite", mode=mode)
    passing = [c for c in before.written if c.ending == "goodbye"]
    new = server.asked[known:]
    assert 0 < len(new) <= len(passing)
    assert all("Wish the guest a good evening" in str(body["messages"][-1]["content"]) for body in new)
    assert after.report["this_run"]["reused"] == known - len(passing)


def third(server: Provider, number: int) -> str:
    """Spoil a third of the calls by what they ask and how often it was asked, so that no order of arrival matters."""
    with server.lock:
        before = server.asked[:number]
        asked = server.asked[number]["messages"]
    again = sum(body["messages"] == asked for body in before)
    rng = random.Random(f"1 {again} {json.dumps(asked)}")  # every kind is met
    return rng.choice(SPOILS) if rng.random() < 1 / 3 else ""


@pytest.mark.parametrize("name", ["anthropic", "openai"])
@pytest.mark.parametrize("mode", ["conversation", "turns"])
def test_a_third_of_the_calls_going_wrong_is_survived_counted_and_paid_within_the_cap(
    table: Graph, tmp_path: Path, name: str, mode: str
) -> None:
    with provider() as server:
        server.spoil = lambda number: third(server, number)
        run = Run(table, server, tmp_path / "r.sqlite", name, mode=mode, cap=1.0)
        spoilt = dict(server.spoilt)
    now, lasting = run.report["this_run"], run.report
    assert now["faults"] == {
        Fault.RATE_LIMIT: spoilt["429"], Fault.SERVER_ERROR: spoilt["500"], Fault.NO_ANSWER: spoilt["nothing"],
    }  # fmt: skip
    half = Fault.MALFORMED if mode == "conversation" else Fault.EMPTY
    assert lasting["faults"] == {half: spoilt["half"], Fault.REFUSAL: spoilt["refusal"]}
    planned_count = len(scripted(table))
    assert len(run.written) + sum(lasting["dropped"].values()) == planned_count
    assert len(run.written) > planned_count * 0.5
    assert sum(lasting["dollars"].values()) + now["dollars_perhaps_lost"] <= 1.0


def told(server: Provider, number: int) -> str:
    return str(server.asked[number]["messages"][-1]["content"])


def test_what_stays_broken_is_dropped_with_its_branches_and_counted(table: Graph, tmp_path: Path) -> None:
    with provider() as server:
        server.spoil = lambda n: "cut" if told(server, n).startswith(told(server, 0)) else ""
        run = Run(table, server, tmp_path / "r.sqlite", concurrency=1)
    assert run.report["faults"] == {Fault.TRUNCATED: 2}
    assert run.report["dropped"] == {Fault.TRUNCATED: 1, "trunk": 2}
    assert {c.id for c in run.written} < {c.id for c in scripted(table)}


def test_a_value_that_is_missing_is_asked_for_once_more_and_then_left_to_the_judges(
    table: Graph, server: Provider, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(provider_script, "_line", lambda task: "Well.")
    run = Run(table, server, tmp_path / "r.sqlite", mode="turns")
    assert run.report["faults"][Fault.UNSTATED] % 2 == 0
    assert run.report["dropped"] == {}
    assert any("did not contain these values letter by letter: " in str(b["messages"][-1]) for b in server.asked)


def test_the_cap_is_not_passed_and_what_was_paid_is_kept(table: Graph, server: Provider, tmp_path: Path) -> None:
    cap = 0.008
    with pytest.raises(UserError, match=r"cap of \$0.008 leaves"):
        Run(table, server, tmp_path / "r.sqlite", cap=cap)
    paid = server.calls
    assert 0 < paid * (INPUT + 2 * OUTPUT) / 1e6 <= cap
    run = Run(table, server, tmp_path / "r.sqlite")
    assert run.report["this_run"]["reused"] == paid
    assert server.calls == run.report["calls"]


def test_a_refused_request_ends_the_stage_with_the_providers_words_and_without_the_key(
    table: Graph, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with provider(lambda n: "401" if n >= 3 else "") as server, pytest.raises(UserError) as failed:
        Run(table, server, tmp_path / "r.sqlite", concurrency=2)
    assert "status 401" in str(failed.value) and "[key]" in str(failed.value)
    assert KEY not in str(failed.value) + "".join(capsys.readouterr())


def test_an_account_that_stays_broken_gives_up_and_keeps_what_is_paid(table: Graph, tmp_path: Path) -> None:
    with provider(lambda n: "500" if n >= 5 else "") as server:
        with pytest.raises(UserError, match=r"failed 10 times in a row \(server_error: "):
            Run(table, server, tmp_path / "r.sqlite")
        server.spoil = lambda n: ""
        assert Run(table, server, tmp_path / "r.sqlite").report["this_run"]["reused"] == 5


def test_the_estimate_is_told_before_the_first_call_and_is_near_what_is_asked(
    table: Graph, server: Provider, tmp_path: Path
) -> None:
    families = families_of(table)
    asking = teacher(table, tmp_path / "r.sqlite")
    estimate = asking.estimate(families)
    assert server.calls == 0
    assert estimate.reused == 0 and estimate.dollars is not None and estimate.dollars > 0
    assert '"system": "You write conversations' in estimate.first
    asking.write(families, access(server))
    assert server.calls == estimate.calls
    again = asking.estimate(families)
    assert (again.calls, again.reused, again.dollars, again.first) == (0, estimate.calls, 0, "")


def generate_in(folder: Path, graph: Graph, url: str) -> None:
    teacher(graph, folder / "r.sqlite", concurrency=4).write(families_of(graph), Access(url, KEY))


def test_killed_at_twenty_random_moments_it_loses_no_answer_and_ends_with_the_same_bytes(
    table: Graph, tmp_path: Path
) -> None:
    rng = random.Random(5)
    fork = multiprocessing.get_context("fork")

    def slow(number: int) -> str:
        time.sleep(0.02)
        return ""

    with provider(slow) as server:
        (tmp_path / "calm").mkdir()
        undisturbed = Run(table, server, tmp_path / "calm" / "r.sqlite").bytes
        server.answered.clear()
        kills = 0
        while kills < 20:
            process = fork.Process(target=generate_in, args=(tmp_path, table, f"{server.url}/v1"))
            process.start()
            process.join(rng.uniform(0.05, 0.5))
            if process.exitcode is None:
                os.kill(process.pid or 0, signal.SIGKILL)
                process.join()
            elif kills < 19:
                (tmp_path / "r.sqlite").unlink()  # it was done: begin again, and kill earlier
                server.answered.clear()
                continue
            kills += 1
        time.sleep(0.1)
        run = Run(table, server, tmp_path / "r.sqlite")
        assert run.bytes == undisturbed
        # An answer is lost only with a call in flight at a kill, and four calls are.
        assert sum(n - 1 for n in server.answered.values()) <= 20 * 4


@pytest.mark.parametrize("mode", ["conversation", "turns"])
def test_our_own_code_takes_less_than_five_milliseconds_a_call_beside_the_network(
    travel: Graph, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    """All of a call but the network, in whose place a function answers: plan, prompt, cache, account, SDK, parsing."""

    def answer(asked: httpx2.Request) -> httpx2.Response:
        body = json.loads(asked.content)
        return httpx2.Response(200, json=openai_completion(body, text_for(body)))

    def without_network(name: Any, to: Access, timeout: float) -> OpenAI:
        made = OpenAI(to, timeout)
        http = httpx2.AsyncClient(transport=httpx2.MockTransport(answer))
        made.sdk = openai.AsyncOpenAI(api_key=to.key, base_url=to.url, max_retries=0, http_client=http)
        return made

    monkeypatch.setattr(llm_teacher, "connect", without_network)
    families = families_of(travel, PARAMS.model_copy(update={"train": 40}))
    to = Access("http://nowhere.invalid/v1", KEY)
    teacher(travel, tmp_path / "first.sqlite", mode=mode, cap="none").write(
        families[:4], to
    )  # imports, types made once
    asking = teacher(travel, tmp_path / "r.sqlite", mode=mode, cap="none")
    start = time.process_time()
    asking.write(families, to)
    assert (time.process_time() - start) / asking.report["this_run"]["asked"] < 0.005


def test_scripted_conversations_come_at_two_hundred_a_second(travel: Graph) -> None:
    params = PARAMS.model_copy(update={"teacher": "scripted", "llm": None, "train": 60, "branches": 4})
    start = time.process_time()
    made = generate(travel, params, 0)
    assert len(made.train) / (time.process_time() - start) > 200


def run_in(
    folder: Path,
    graph: Graph,
    server: Provider,
    monkeypatch: pytest.MonkeyPatch,
    name: str = "openai",
    mode: str = "conversation",
) -> None:
    """Run the stage in a folder, as DVC would."""
    write_json(folder / "table.json", graph.model_dump(mode="json"))
    section = PARAMS.model_dump() | {"train": 3, "teacher": name, "llm": LLM.model_dump() | {"mode": mode}}
    write_json(folder / "params.yaml", {"seed": 0, "generate": section, "sources": {}, "prices": {"models": {}}})
    monkeypatch.chdir(folder)
    monkeypatch.setenv(f"{name.upper()}_API_KEY", KEY)
    monkeypatch.setenv(f"{name.upper()}_BASE_URL", access(server, name).url or "")
    arguments = ["table.json", "--own", "none", "--prompts", str(PROMPTS), "--out", "out", "--scenarios", "s.jsonl"]
    monkeypatch.setattr(sys, "argv", ["generate", *arguments, "--metrics", "m.json"])
    run_stage(main)


@pytest.mark.parametrize("mode", ["conversation", "batch"])
@pytest.mark.parametrize("name", ["anthropic", "openai"])
def test_no_file_that_the_stage_writes_has_the_key_in_it(
    table: Graph,
    server: Provider,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    name: str,
    mode: str,
) -> None:
    line = provider_script._line
    monkeypatch.setattr(provider_script, "_line", lambda task: f"{line(task)} {KEY}")  # a server that echoes it
    monkeypatch.delenv("DVC_ROOT", raising=False)
    run_in(tmp_path, table, server, monkeypatch, name, mode)
    assert any(KEY in v for headers in server.headers for v in headers.values())
    written = [f for f in tmp_path.rglob("*") if f.is_file()]
    assert {f.name for f in written} >= {
        "responses.sqlite",
        "train.jsonl",
        "eval.jsonl",
        "README.md",
        "s.jsonl",
        "m.json",
    }
    assert [f for f in written if KEY.encode() in f.read_bytes()] == []
    assert "[key]" in read_jsonl(tmp_path / "out" / "train.jsonl", Conversation)[0].messages[1].content
    assert KEY not in "".join(capsys.readouterr())


def test_a_queued_experiment_finds_the_answers_in_the_repository(
    table: Graph, server: Provider, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("repository", "experiment"):
        (tmp_path / name).mkdir()
    monkeypatch.delenv("DVC_ROOT", raising=False)
    run_in(tmp_path / "repository", table, server, monkeypatch)
    asked = server.calls
    monkeypatch.setenv("DVC_ROOT", str(tmp_path / "repository"))
    run_in(tmp_path / "experiment", table, server, monkeypatch)
    assert server.calls == asked
    assert not (tmp_path / "experiment" / ".flowc").exists()


def test_a_teacher_without_its_key_says_which_variable_it_misses() -> None:
    with pytest.raises(UserError, match="needs a key: set ANTHROPIC_API_KEY in the environment"):
        access_from("anthropic", {})
    with pytest.raises(UserError, match="FLOWC_COMPATIBLE_URL, which is not set"):
        access_from("compatible", {"OPENAI_API_KEY": KEY})


def test_only_a_language_model_has_the_section_llm() -> None:
    for wrong in ({"teacher": "scripted"}, {"llm": None}):
        with pytest.raises(ValueError, match="needs the section `llm`"):
            GenerateParams.model_validate({**PARAMS.model_dump(), **wrong})


@pytest.mark.parametrize(
    ("name", "key", "model"),
    [("anthropic", "ANTHROPIC_API_KEY", "claude-haiku-5-5"), ("openai", "OPENAI_API_KEY", "gpt-6-luna")],
)
def test_the_real_provider_writes_a_conversation(table: Graph, tmp_path: Path, name: Any, key: str, model: str) -> None:
    if not os.environ.get(key):
        pytest.skip(f"{key} is not set: no live call")
    asking = teacher(table, tmp_path / "r.sqlite", name, model=model, cap=0.5, max_tokens=4000, timeout=300)
    written = asking.write(families_of(table)[:1], access_from(name, os.environ))
    assert written and asking.report["this_run"]["asked"] > 0
