"""The dry run: what would be asked and about what it would cost, without a key and without asking."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from flowc.graph import Graph
from flowc.records import UserError
from scripts.dry_run import told
from tests.workspace import ROOT


def dry(graph: Graph, folder: Path, *overrides: str) -> str:
    return told(graph, ROOT / "src/flowc/prompts", ["scale=smoke", *overrides], ROOT / "conf", folder / "r.sqlite")


@pytest.mark.parametrize("name", ["anthropic", "openai"])
def test_it_shows_the_first_request_the_calls_and_the_dollars(
    table: Graph, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    for variable in ("ANTHROPIC_API_KEY", "OPENAI_API_KEY"):
        monkeypatch.delenv(variable, raising=False)
    said = dry(table, tmp_path, f"generate={name}")
    assert f'"provider": "{name}"' in said
    assert "Table reservation" in said and "line_1" in said
    counts = re.search(
        r"(\d+) conversations in (\d+) calls, 0 of them answered before; .* about \$(\d+\.\d\d); nothing", said
    )
    assert counts and 60 <= int(counts[1]) == int(counts[2]) <= 76
    assert 0 < float(counts[3]) < 1


def test_turns_are_more_calls_than_conversations(table: Graph, tmp_path: Path) -> None:
    said = dry(table, tmp_path, "generate=anthropic", "generate.llm.mode=turns")
    counts = re.search(r"(\d+) conversations in (\d+) calls", said)
    assert counts and int(counts[2]) > 3 * int(counts[1])


def test_the_scripted_teacher_asks_nobody(table: Graph, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="asks nobody; choose another"):
        dry(table, tmp_path)


def test_a_model_without_a_price_needs_one(table: Graph, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no price is known for the model 'new'"):
        dry(table, tmp_path, "generate=openai", "generate.llm.model=new")
    assert "its price is not known" in dry(
        table, tmp_path, "generate=openai", "generate.llm.model=new", "generate.llm.cap=none"
    )
