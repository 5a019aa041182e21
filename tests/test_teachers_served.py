"""A real vLLM server for all who ask one: teachers through `dvc repro` and judges, by both official SDKs, and users.

The model draws its next byte from fixed probabilities, whatever it reads: enough to end its sentences, and, held to the
JSON that is asked for, to write whole conversations.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch
import yaml
from transformers import AutoTokenizer, LlamaForCausalLM

from flowc.briefs import read_prompts
from flowc.client import connect
from flowc.consult import consult
from flowc.generate import GenerateParams, planned
from flowc.graph import Graph
from flowc.judges import JudgeParams, Problem
from flowc.judging import Verdicts
from flowc.llm_teacher import LlmTeacher
from flowc.providers import Access
from flowc.records import read_record
from flowc.server import ServeParams, Server, serve
from flowc.spend import PricesParams
from flowc.teacher import converse
from flowc.tracker import Tracker
from flowc.transcripts import Ended, Transcript
from flowc.user_guard import Guard
from tests.example import TEXT, example_graph, example_scenarios, play
from tests.test_llm_user import SHORT, Along, talk
from tests.test_server import write_model
from tests.test_simulate import GRAPH as USERS
from tests.workspace import ROOT, Workspace, copy_repository

CONTEXT = 16_384  # tokens are bytes; a judge reads rubric, procedure and conversation
PLANS: dict[str, dict[str, Any]] = {  # a procedure of its own for each teacher and mode
    f"{teacher}_{mode}": {"teacher": teacher, "llm": {"mode": mode}}
    for teacher in ("anthropic", "compatible")
    for mode in ("conversation", "turns")
}


def write_unigram(folder: Path) -> Path:
    """Write a model whose only layer adds nothing and whose output weights are the logarithms of probabilities."""
    model = LlamaForCausalLM.from_pretrained(write_model(folder, CONTEXT))
    vocabulary = AutoTokenizer.from_pretrained(folder).get_vocab()
    weights = dict.fromkeys("abcdefghijklmnopqrstuvwxyz", 1.0) | dict.fromkeys('"{}:,', 0.7)
    weights |= {"Ġ": 0.3, "<|im_end|>": 0.7}  # a text ends after some forty letters
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
        model.model.embed_tokens.weight.fill_(1.0)
        model.model.norm.weight.fill_(1.0)
        for token, id in vocabulary.items():
            model.lm_head.weight[id] = math.log(weights.get(token, 1e-9)) / model.config.hidden_size
    model.save_pretrained(folder)
    return folder


def prepare(workspace: Workspace, model: str) -> None:
    """Give the repository one procedure for each plan, at the size of a handful of conversations."""
    workspace.run(
        "python", "-m", "scripts.compose", "scale=smoke", "generate=compatible", f"generate.llm.model={model}"
    )
    path = workspace.folder / "params.yaml"
    params = yaml.safe_load(path.read_text())
    params["generate"] |= {"train": 3, "branches": 1, "eval": 2, "scenarios": 2, "gate": None}  # it babbles
    params["generate"]["llm"] |= {"temperature": 1.0, "max_tokens": 1500, "concurrency": 8}
    params["sources"] = {
        name: {"file": f"{name}.yaml", "generate": {"teacher": plan["teacher"], "llm": plan["llm"]}}
        for name, plan in PLANS.items()
    }
    params["procedures"] = list(PLANS)
    path.write_text(yaml.safe_dump(params))
    for name in PLANS:
        text = TEXT.replace("procedure: table", f"procedure: {name}")
        (workspace.folder / "data" / "procedures" / f"{name}.yaml").write_text(text)


class Served(NamedTuple):
    """A repository in which DVC has carried out every plan against one server, what it printed, verdicts and talks."""

    workspace: Workspace
    said: str
    verdicts: Verdicts
    played: list[Transcript]


def judge(environment: Mapping[str, str], cache: Path) -> Verdicts:
    """Let judges of both SDKs rate and compare two arms."""
    judges = [
        JudgeParams(
            name=name,
            provider=name,
            model="unigram",
            family=name,
            max_tokens=1500,
            cap="none",
            temperature=1,
            timeout=600,
        )
        for name in ("anthropic", "compatible")
    ]
    graph = example_graph()
    [scenario] = example_scenarios(graph, 1)
    whole = play(graph, scenario)
    arms = {arm: [whole.model_copy(update={"arm": arm, "turns": whole.turns[:n]})] for arm, n in (("a", 99), ("b", 3))}
    prices = PricesParams(models={})
    return consult(judges, graph, [scenario], arms, "a", ["b"], prices, environment, cache)


def play_users(server: Server) -> list[Transcript]:
    """Let the model play the user of some scenarios."""
    return talk(connect(server), Guard(USERS), Tracker(USERS), lambda _: Along(USERS, SHORT), 4)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Served:
    folder = tmp_path_factory.mktemp("served")
    model = write_unigram(folder / "unigram")
    workspace = copy_repository(folder / "repository")
    prepare(workspace, model.name)
    targets = [f"generate@{name}" for name in PLANS]
    with serve(model, ServeParams(max_num_seqs=16, kv_cache_gib=1, max_model_len=CONTEXT)) as server:
        workspace.environment |= {
            "FLOWC_COMPATIBLE_URL": server.base_url,
            "ANTHROPIC_BASE_URL": server.base_url.removesuffix("/v1"),
            "ANTHROPIC_API_KEY": "none-is-needed",
        }
        with ThreadPoolExecutor() as beside:  # judges and users wait for the server, as DVC does
            judging = beside.submit(judge, workspace.environment, folder / "verdicts.sqlite")
            playing = beside.submit(play_users, server)
            try:
                said = workspace.dvc("repro", "--keep-going", *targets, timeout=300)
            except AssertionError as e:  # whoever judges these texts may refuse them; the answers are there
                said = str(e)
            verdicts, played = judging.result(), playing.result()
    return Served(workspace, said, verdicts, played)


@pytest.mark.parametrize("name", PLANS)
def test_a_real_server_answers_both_sdks_under_dvc_and_its_answers_make_the_planned_conversations(
    served: Served, name: str
) -> None:
    folder = served.workspace.folder
    section = yaml.safe_load((folder / "params.yaml").read_text())["generate"]
    plan = PLANS[name]
    params = GenerateParams.model_validate(
        {**section, "teacher": plan["teacher"], "llm": {**section["llm"], **plan["llm"]}}
    )
    assert params.llm and params.teacher != "scripted"
    graph = read_record(folder / f"data/graphs/{name}.json", Graph)
    prompts = read_prompts(ROOT / "src" / "flowc" / "prompts" / "v1")
    cache = folder / ".flowc" / "responses.sqlite"
    teacher = LlmTeacher(graph, params.teacher, params.llm, PricesParams(models={}), prompts, params.variety, cache)
    planning = planned(graph, params, 0)
    families = [*planning.families, *([s] for s in planning.eval)]
    written = teacher.write(families, Access("http://127.0.0.1:9", "nobody-listens"))

    report = teacher.report
    told = rf"teacher {plan['teacher']} \(unigram, {plan['llm']['mode']}\): (\d+) calls, 0 reused"
    said = re.search(told, served.said)
    assert said and int(said[1]) == report["calls"] == report["this_run"]["reused"] > 0, served.said
    assert report["tokens"]["input_tokens"] + report["tokens"]["cache_read_tokens"] > 1000
    assert report["tokens"]["output_tokens"] > 100
    # A text that ends at once is empty: one in forty, and then once more for its conversation to be dropped.
    assert len(written) >= 4
    assert len(written) + sum(report["dropped"].values()) == sum(map(len, families))
    plans = {s.id: converse(graph, s, "train", params.variety) for family in families for s in family}
    for conversation in written:
        assert (conversation.path, conversation.steps) == (plans[conversation.id].path, plans[conversation.id].steps)
        assert all(m.content or m.tool_calls for m in conversation.messages)


@pytest.mark.parametrize("name", ["anthropic", "compatible"])
def test_a_real_server_judges_and_every_criterion_has_a_verdict_or_a_reason_for_none(served: Served, name: str) -> None:
    judged = [j for j in served.verdicts.judged if j.judge == name]
    compared = [c for c in served.verdicts.compared if c.judge == name]
    assert [j.arm for j in judged] == ["a", "b"]
    assert [(c.first, c.second) for c in compared] == [("a", "b"), ("b", "a")]
    for one in judged:
        assert len(one.verdicts) == 5
        assert all((v.rating is None) == (v.problem is not None) for v in one.verdicts)
        # The server holds it to the fields; letters drawn by chance are hardly ever a rating, and never a quotation.
        assert {v.problem for v in one.verdicts} <= {Problem.OFF_MENU, Problem.MISSING, Problem.TRUNCATED}
        assert not any(v.founded for v in one.verdicts if len(v.quote) > 9)
    assert all((c.better is None) == (c.problem is not None) for c in compared)
    for asked, answer in [*((j.request, j.response) for j in judged), *((c.request, c.response) for c in compared)]:
        assert asked.model == answer.model == "unigram"
        # The letters of the fields are a token each; what stands in the quotes is chance.
        assert answer.output_tokens >= len('{"reason":"","better":""}')
    assert any(v.reason for one in judged for v in one.verdicts)


def test_a_real_server_with_a_model_that_knows_nothing_gives_only_errors_of_the_user(served: Served) -> None:
    assert len(served.played) == 4
    assert {t.ended for t in served.played} == {Ended.USER_ERROR}
    assert all(t.turns[-1].labels[0].startswith("error:") for t in served.played)
