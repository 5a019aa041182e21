"""The German procedure goes the way of the English one: parsed, generated and gated, tokenised, tracked."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from dvc.utils.hydra import compose_and_dump
from transformers import AutoTokenizer

from flowc.graph import Graph
from flowc.languages import foreign
from flowc.records import Conversation, read_jsonl, read_record
from flowc.tokens import read_tokens
from flowc.tracker import Tracker, measure
from tests.workspace import ROOT, stage

NAME = "travel_booking_de"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the procedure has gone through the stages before training, at scale=smoke."""
    folder = tmp_path_factory.mktemp("german")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        listed = f"+sources.{NAME}={{file: {NAME}.yaml}}"
        compose_and_dump("params.yaml", str(ROOT / "conf"), None, "config", "", ["scale=smoke", listed])
        stage("base", "--out", "models/base/tiny")
        stage("parse", str(ROOT / "data" / "procedures" / f"{NAME}.yaml"), "--out", f"{NAME}.json")
        written = ("--out", "conversations", "--scenarios", "scenarios.jsonl", "--metrics", "metrics.json")
        prompts = str(ROOT / "src" / "flowc" / "prompts")
        stage("generate", f"{NAME}.json", "--own", "none", "--prompts", prompts, *written)
        stage("tokenize", "conversations", "models/base/tiny", "--out", "tokens")
    return folder


@pytest.fixture(scope="module")
def german(folder: Path) -> Graph:
    return read_record(folder / f"{NAME}.json", Graph)


@pytest.fixture(scope="module")
def conversations(folder: Path) -> list[Conversation]:
    return [
        c for split in ("train", "eval") for c in read_jsonl(folder / "conversations" / f"{split}.jsonl", Conversation)
    ]


def test_it_has_the_steps_slots_and_functions_of_the_english_one(german: Graph, travel: Graph) -> None:
    assert german.language == "de"
    for name, node in travel.nodes.items():
        same = german.nodes[name]
        assert (same.role, same.calls, same.terminal) == (node.role, node.calls, node.terminal)
        assert [(e.id, e.to, e.outcome, e.renews) for e in same.edges] == [
            (e.id, e.to, e.outcome, e.renews) for e in node.edges
        ]
    assert german.slots.keys() == travel.slots.keys()
    for name, tool in travel.tools.items():
        assert german.tools[name].arguments == tool.arguments
        assert german.tools[name].outcomes == tool.outcomes
    assert german.knowledge.keys() == travel.knowledge.keys()
    assert {n: i.to for n, i in german.interrupts.items()} == {n: i.to for n, i in travel.interrupts.items()}


def test_the_gate_keeps_all_that_is_generated(folder: Path) -> None:
    metrics = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    assert (metrics["gate"]["written"], metrics["gate"]["dropped_share"]) == (metrics["gate"]["kept"], 0)
    assert metrics["gate"]["kept"] > 24  # trunks and their branches


def test_users_and_the_assistant_speak_german(conversations: list[Conversation]) -> None:
    for role in ("user", "assistant"):
        for c in conversations:
            said = [m.content for m in c.messages if m.role == role and m.content]
            assert foreign(said, "de") is None
    spoken = [[m.content for m in c.messages if m.role == "assistant" and m.content] for c in conversations]
    assert {found.language for said in spoken if (found := foreign(said, "en"))} == {"German"}
    assert all(foreign(said, "en") for said in spoken)


def test_dates_and_amounts_are_written_as_in_german(conversations: list[Conversation]) -> None:
    calls = [call for c in conversations for m in c.messages for call in m.tool_calls if call.name == "search_trips"]
    assert calls
    for call in calls:
        assert re.fullmatch(r"\d{1,2}\.\d{1,2}\.(?:\d{2}|\d{4})", call.arguments["depart_date"])
        assert re.fullmatch(r"\d{3,4} (?:Euro|€)|EUR \d{3,4}", call.arguments["budget"])


def test_what_is_trained_on_are_the_assistants_words_umlauts_too(
    folder: Path, conversations: list[Conversation]
) -> None:
    tokenizer = AutoTokenizer.from_pretrained(folder / "models" / "base" / "tiny")
    wanted = {c.id: c for c in conversations}
    trained = ""
    for example in read_tokens(folder / "tokens" / "train.parquet"):
        ids = [i for i, m in zip(example.input_ids, example.loss_mask, strict=True) if m]
        text = tokenizer.decode(ids)
        assert all(m.content in text for m in wanted[example.conversation_id].messages if m.role == "assistant")
        trained += text
    assert set("äöüß") <= set(trained)


def test_the_tracker_reads_german_as_well_as_english(german: Graph) -> None:
    right = measure(german, Tracker(german), 0)["right"]
    assert len(right) > 200
    assert sum(right) / len(right) > 0.92
