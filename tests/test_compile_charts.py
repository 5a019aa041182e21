"""Charts that others have published are compiled at scale=smoke: every stage up to training, and a conversation.

Real are the stages base, parse, generate and tokenize (their `main`, in this process), and DeepSpeed ZeRO-3 over two
ranks of tests/ranks.py. In the conversation the compiled model speaks through transformers, as vLLM takes a minute to
start: test_smoke.py has the served one.
"""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from dvc.utils.hydra import compose_and_dump
from transformers import AutoModelForCausalLM, AutoTokenizer

from flowc.arms import one_line
from flowc.chatml import render
from flowc.client import Completion
from flowc.conformance import judge
from flowc.graph import Graph
from flowc.params import load
from flowc.records import Message, read_jsonl, read_record
from flowc.scenarios import Scenario
from flowc.simulate import Reply, SimulateParams, converse
from flowc.tracker import Tracker
from flowc.train_inputs import Job
from flowc.transcripts import Ended
from tests import ranks
from tests.published import TASKS, TAU2, needs_star, needs_tau2, write_star
from tests.workspace import ROOT, stage

pytestmark = [needs_star, needs_tau2]
TECH_SUPPORT = "tech_support"
FILES = {TECH_SUPPORT: f"{TECH_SUPPORT}.dot"} | {task: f"{task}.mmd" for task in TASKS}


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which all seven charts are compiled."""
    folder = tmp_path_factory.mktemp("charts")
    (folder / "data" / "procedures").mkdir(parents=True)
    shutil.copy(TAU2, folder / "data" / "procedures" / FILES[TECH_SUPPORT])
    for task in TASKS:
        write_star(task, folder / "data" / "procedures" / FILES[task])
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        listed = [f"+sources.{name}={{file: {file}}}" for name, file in FILES.items()]
        scale = ["scale=smoke", "train.precision=fp32", "train.init=base"]
        compose_and_dump("params.yaml", str(ROOT / "conf"), None, "config", "", [*scale, *listed])
        stage("base", "--out", "models/base/tiny")
        for name, file in FILES.items():
            graph, talks = f"data/graphs/{name}.json", f"data/conversations/{name}"
            stage("parse", f"data/procedures/{file}", "--out", graph)
            scenarios, metrics = f"data/scenarios/{name}.jsonl", f"reports/generation/{name}.json"
            written = ("--out", talks, "--scenarios", scenarios, "--metrics", metrics)
            stage("generate", graph, "--own", "none", "--prompts", str(ROOT / "src" / "flowc" / "prompts"), *written)
            stage("tokenize", talks, "models/base/tiny", "--out", f"data/tokens/{name}")
    for name in FILES:
        tokens, base, made = Path("data/tokens", name), Path("models/base/tiny"), Path("models/compiled", name)
        report, side = Path(f"reports/training/{name}.json"), Path(".flowc/train")
        ranks.run(folder, Job(tokens, base, Path(f"data/graphs/{name}.json"), made, report, side, 600), 2)
    return folder


class Speaker:
    """A compiled model that speaks through transformers, likeliest token first."""

    def __init__(self, model: Path, graph: Graph, max_tokens: int) -> None:
        self._tokenizer: Any = AutoTokenizer.from_pretrained(model)
        self._model: Any = AutoModelForCausalLM.from_pretrained(model)
        self._system, self._most = Message(role="system", content=one_line(graph)), max_tokens

    async def reply(self, history: Sequence[Message]) -> Reply:
        """Say the next message; a call stays text, as with a server that cannot read it."""
        text = render(self._tokenizer, [self._system, *history], generation_prompt=True)
        asked = self._tokenizer(text, return_tensors="pt", add_special_tokens=False)
        told = self._model.generate(**asked, max_new_tokens=self._most, do_sample=False)[0][asked.input_ids.shape[1] :]
        said = self._tokenizer.decode(told, skip_special_tokens=True)
        cost = Completion(said, (), False, asked.input_ids.shape[1], len(told), 0, "stop")
        return Reply(Message(role="assistant", content=said), (cost,))


@pytest.mark.parametrize("name", FILES)
def test_a_published_chart_is_compiled_and_talks(compiled: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(compiled)
    generation = json.loads(Path(f"reports/generation/{name}.json").read_text(encoding="utf-8"))
    training = json.loads(Path(f"reports/training/{name}.json").read_text(encoding="utf-8"))
    losses = [loss for _, loss in training["eval_curve"]]
    assert generation["conversations"]["train"] > 24  # trunks and their branches
    assert (training["world_size"], training["steps"]) == (2, 6)  # four trunks a step
    assert losses[-1] < losses[0]
    graph = read_record(Path(f"data/graphs/{name}.json"), Graph)
    scenario = read_jsonl(Path(f"data/scenarios/{name}.jsonl"), Scenario)[0]
    params = load("simulate", SimulateParams)
    speaker = Speaker(Path(f"models/compiled/{name}"), graph, params.max_tokens)
    talk = asyncio.run(converse(graph, scenario, "compiled", speaker, Tracker(graph), params.max_turns))
    assert talk.tokens.calls > 0 and talk.tokens.completion > 0
    assert talk.ended in (Ended.EMPTY_REPLY, Ended.NOT_UNDERSTOOD, Ended.TURN_LIMIT, Ended.TERMINAL)
    assert judge(graph, scenario, talk).scenario == scenario.id
