"""Real conversations are masked before anything else, followed along the graph, and mixed in where they can be."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from flowc.graph import Graph
from flowc.own_transcripts import NOTHING, Own, read_own
from flowc.records import Message, UserError, to_openai
from flowc.sampling import sample
from flowc.teacher import converse
from tests.example import GATE, NO_DEVIATIONS


def read(graph: Graph, folder: Path, *conversations: Sequence[Message]) -> Own:
    lines = [json.dumps({"messages": [to_openai(m) for m in c]}) for c in conversations]
    (folder / "table.jsonl").write_text("\n".join(lines), encoding="utf-8")
    return read_own(folder / "table.jsonl", graph, GATE.longest)


@pytest.fixture(scope="module")
def real(table: Graph) -> tuple[Message, ...]:
    every = sample(table, 60, "held_out_path", NO_DEVIATIONS, 0, seed=5)
    plan = next(s for s in every if s.ending == "done" and s.persona == "plain" and len(s.script) == 4)
    written = converse(table, plan, "train").messages
    said = "Yes, write to ann@work.org or call +49 30 1234567, card 4111 1111 1111 1111."
    return tuple(m.model_copy(update={"content": said}) if i == 10 else m for i, m in enumerate(written))


def test_a_conversation_that_follows_the_graph_is_kept_masked(
    table: Graph, tmp_path: Path, real: tuple[Message, ...]
) -> None:
    own = read(table, tmp_path, real, real)
    [kept] = own.kept
    assert kept.path == ("ask_day.day", "ask_guests.guests", "ask_budget.budget", "find_table.found", "offer.accept")
    assert (kept.ending, kept.split, kept.id) == ("done", "train", kept.family)
    assert [s for s in kept.steps if s][:3] == [("ask_day",), ("edge:ask_day.day",), ("ask_guests",)]
    assert kept.messages[10].content == (
        "Yes, write to person1@example.com or call +1 202 555 0101, card 0000 0000 0000 0001."
    )
    assert own.masked == {"card": 2, "email": 2, "phone": 2}
    assert own.dropped == {"near_duplicate": 1}


def test_what_does_not_follow_the_graph_is_counted_and_not_quoted(
    table: Graph, tmp_path: Path, real: tuple[Message, ...]
) -> None:
    early, jumps = real[:-2], (*real[:3], *real[9:])
    assert read(table, tmp_path, early, jumps) == Own([], {"off_path": 2}, {})._replace(
        masked=read(table, tmp_path, early, jumps).masked
    )


def test_without_a_file_there_are_none(table: Graph, tmp_path: Path) -> None:
    assert read_own(tmp_path / "none.jsonl", table, GATE.longest) is NOTHING


def test_a_line_of_another_form_is_named_by_its_number_and_not_quoted(table: Graph, tmp_path: Path) -> None:
    file = tmp_path / "table.jsonl"
    file.write_text('{"messages": [{"role": "robot", "content": "secret"}]}', encoding="utf-8")
    with pytest.raises(UserError, match=r"table.jsonl:1: a message has an unknown role"):
        read_own(file, table, GATE.longest)
    file.write_text('{"text": "secret"}', encoding="utf-8")
    with pytest.raises(UserError) as told:
        read_own(file, table, GATE.longest)
    assert "secret" not in str(told.value)
