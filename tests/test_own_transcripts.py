"""Real conversations are masked before anything else, followed along the graph, and mixed in where they can be."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from flowc.data_card import data_card
from flowc.generate import GenerateParams, generate
from flowc.graph import Graph
from flowc.own_transcripts import Own, own_transcripts, read_own
from flowc.records import Conversation, Message, UserError, read_jsonl, run_stage, to_openai, write_json
from flowc.sampling import sample
from flowc.teacher import converse
from stages.generate import main
from tests.example import NO_DEVIATIONS
from tests.gates import GATE
from tests.test_generate import PARAMS

SECRETS = ("ann@work.org", "+49 30 1234567", "4111 1111 1111 1111", "AB-123456")
SAID = f"Yes, write to {SECRETS[0]} or call {SECRETS[1]}, card {SECRETS[2]}, policy number {SECRETS[3]}."
MASKED = "Yes, write to person1@example.com or call +1 202 555 0101, card 0000 0000 0000 0001, policy number XX-000001."
PATH = ("ask_day.day", "ask_guests.guests", "ask_budget.budget", "find_table.found", "offer.accept")


def openai(messages: Sequence[Message]) -> list[dict[str, Any]]:
    return [to_openai(m) for m in messages]


def read(graph: Graph, folder: Path, *conversations: Sequence[dict[str, Any]]) -> Own:
    file = folder / "table.jsonl"
    file.write_text("".join(json.dumps({"messages": list(c)}) + "\n" for c in conversations), encoding="utf-8")
    return read_own(file, graph, GATE)


@pytest.fixture(scope="module")
def real(table: Graph) -> list[dict[str, Any]]:
    """A conversation as a log has it: what the user says last is full of personal data."""
    every = sample(table, 60, "held_out_path", NO_DEVIATIONS, 0, seed=5)
    plan = next(s for s in every if s.ending == "done" and s.persona == "plain" and len(s.script) == 4)
    written = openai(converse(table, plan, "train").messages)
    assert [m["role"] for m in written[-4:]] == ["tool", "assistant", "user", "assistant"]
    return [*written[:-2], {"role": "user", "content": SAID}, written[-1]]


def changed(real: Sequence[dict[str, Any]], at: int, **fields: Any) -> list[dict[str, Any]]:
    return [m | fields if i == at % len(real) else m for i, m in enumerate(real)]


def test_a_conversation_that_follows_the_graph_is_kept_masked(
    table: Graph, tmp_path: Path, real: list[dict[str, Any]]
) -> None:
    own = read(table, tmp_path, real, real)
    [kept] = own.kept
    assert kept.path == PATH
    assert (kept.ending, kept.split, kept.procedure, kept.id) == ("done", "train", "table", kept.family)
    assert [s for s in kept.steps if s] == [
        ("ask_day",), ("edge:ask_day.day",), ("ask_guests",), ("edge:ask_guests.guests",), ("ask_budget",),
        ("edge:ask_budget.budget",), ("find_table",), ("outcome:found",), ("offer",), ("edge:offer.accept",), ("done",),
    ]  # fmt: skip
    assert kept.messages[-2].content == MASKED
    assert openai(kept.messages[:-2]) == real[:-2]
    assert own.masked == {"card": 2, "email": 2, "phone": 2, "policy": 2}
    assert own.metrics == {"kept": 1, "dropped": {"near_duplicate": 1}, "masked": own.masked}
    assert own.told == "own transcripts: 1 are trained on, 1 dropped\n  line 2: near_duplicate at message 11"


def test_what_comes_behind_an_ending_is_left_out(table: Graph, tmp_path: Path, real: list[dict[str, Any]]) -> None:
    more = [{"role": "user", "content": "Thanks!"}, {"role": "assistant", "content": "You are welcome."}]
    [kept] = read(table, tmp_path, [*real, *more]).kept
    assert kept == read(table, tmp_path, real).kept[0]


def test_a_question_that_is_answered_already_may_be_passed_over(
    table: Graph, tmp_path: Path, real: list[dict[str, Any]]
) -> None:
    told = {"role": "user", "content": "On 3 April 2027, and we are six."}
    [kept] = read(table, tmp_path, [*real[:2], told, *real[5:]]).kept
    assert kept.path == PATH
    assert kept.steps[2:4] == (("edge:ask_day.day",), ("ask_budget",))


def test_leaving_for_a_person_is_an_interrupt(table: Graph, tmp_path: Path, real: list[dict[str, Any]]) -> None:
    leaving = [
        {"role": "user", "content": "I want a human."},
        {"role": "assistant", "content": table.nodes["hand_over"].say[0]},
    ]
    [kept] = read(table, tmp_path, [*real[:4], *leaving]).kept
    assert (kept.path, kept.ending) == (("ask_day.day", "ask_guests!human"), "hand_over")
    assert kept.steps[-2:] == (("interrupt:human",), ("hand_over",))


def test_personal_data_in_calls_and_results_is_masked_whatever_hides_it(
    table: Graph, tmp_path: Path, real: list[dict[str, Any]]
) -> None:
    at = next(i for i, m in enumerate(real) if m["role"] == "tool")
    arguments = json.loads(real[at - 1]["tool_calls"][0]["function"]["arguments"]) | {
        "guests": {"who": ["ann@work.org"]}
    }
    call = {"type": "function", "id": "call_0", "function": {"name": "find_table", "arguments": json.dumps(arguments)}}
    result = '{"status": "found", "mail": "ann\\u0040work.org", "card": 4111111111111111, "seats": [4], "nobody": null}'
    hidden = changed(changed(real, at - 1, tool_calls=[call]), at, content=result)
    [kept] = read(table, tmp_path, hidden).kept
    assert kept.messages[at - 1].tool_calls[0].arguments["guests"] == '{"who": ["person1@example.com"]}'
    assert json.loads(kept.messages[at].content) == {
        "status": "found", "mail": "person1@example.com", "card": "0000 0000 0000 0001", "seats": [4], "nobody": None,
    }  # fmt: skip


def test_parts_of_text_no_calls_and_byte_order_marks_are_read(
    table: Graph, tmp_path: Path, real: list[dict[str, Any]]
) -> None:
    part = [{"type": "text", "text": real[2]["content"]}]
    foreign = [m | {"name": "x", "refusal": None} | ({} if m.get("tool_calls") else {"tool_calls": None}) for m in real]
    file = tmp_path / "table.jsonl"
    line = json.dumps({"id": 1, "messages": changed(foreign, 2, content=part)})
    file.write_text(f"\ufeff\r\n{line}\r\n\r\n", encoding="utf-8")
    assert read_own(file, table, GATE).kept == read(table, tmp_path, real).kept


def test_a_line_separator_within_a_text_ends_no_line(table: Graph, tmp_path: Path, real: list[dict[str, Any]]) -> None:
    said = changed(real, 2, content=real[2]["content"] + "\u2028\x85")
    file = tmp_path / "table.jsonl"
    file.write_text(json.dumps({"messages": said}, ensure_ascii=False), encoding="utf-8")
    assert len(read_own(file, table, GATE).kept) == 1


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda r: r[:-2], "off_path"),  # stops
        (lambda r: [*r[:3], *r[9:]], "off_path"),  # jumps over a function
        (lambda r: [r[0], *r[5:]], "off_path"),  # begins in the middle
        (lambda r: changed(r, 3, content="The weather is fine today."), "off_path"),
        (lambda r: r[1:-1], "roles"),
        (lambda r: [*r[:3], *r[4:]], "roles"),  # two users in a row
        (lambda r: [*r[:2], *r[3:]], "roles"),  # two assistants in a row
        (lambda r: [m for m in r if m["role"] != "tool"], "roles"),  # no result behind a call
        (lambda r: [m for m in r if not m.get("tool_calls")], "roles"),  # a result without a call
        (lambda r: changed(r, 2, tool_calls=r[7]["tool_calls"]), "roles"),  # a user who calls
        (lambda r: changed(r, 3, content="User: hello"), "roles"),
        (lambda r: changed(r, 2, content=""), "length"),
        (lambda r: r[:1], "roles"),
        (lambda r: changed(r, 8, content='{"status": "full"}'), "off_path"),  # goes on as if it were not
        (lambda r: changed(r, 8, content='{"status": "lost"}'), "tools"),
        (lambda r: changed(r, 8, content="[1]"), "tools"),
        (lambda r: changed(r, 8, content="found"), "tools"),
        (lambda r: changed(r, 7, content="One moment."), "tools"),  # speaks and calls at once
        (lambda r: changed(r, 7, tool_calls=r[7]["tool_calls"] * 2), "tools"),
        (lambda r: changed(r, 7, tool_calls=[{"function": {"name": "sell", "arguments": "{}"}}]), "tools"),
        (lambda r: changed(r, 7, tool_calls=[{"function": {"name": "find_table", "arguments": "{}"}}]), "tools"),
    ],
)
def test_what_does_not_follow_the_graph_is_dropped_for_a_reason(
    table: Graph, tmp_path: Path, real: list[dict[str, Any]], spoil: Any, reason: str
) -> None:
    assert real[7].get("tool_calls") and real[8]["role"] == "tool"
    own = read(table, tmp_path, real, spoil(real))
    assert (len(own.kept), [(d.line, d.reason.value) for d in own.dropped]) == (1, [(2, reason)])


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ("{", "the line is not OpenAI's chat format"),
        ("[]", "the line is not OpenAI's chat format"),
        ('{"text": "secret"}', "messages is not OpenAI's chat format"),
        ('{"messages": []}', "messages is not OpenAI's chat format"),
        ('{"messages": "secret"}', "messages is not OpenAI's chat format"),
        ('{"messages": [{"content": "secret"}]}', "messages.0.role is not OpenAI's chat format"),
        ('{"messages": [{"role": "user", "content": 5}]}', "messages.0.content"),
        ('{"messages": [{"role": "robot", "content": "secret"}]}', "message 0 has an unknown role"),
        ('{"messages": [{"role": "secret", "content": "x"}]}', "message 0 has an unknown role"),
        ('{"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}', "message 0 has a part"),
        ('{"messages": [{"role": "user", "content": "\\ud800"}]}', "the line is not OpenAI's chat format"),
        ('{"messages": [{"role": "tool", "content": "{\\"a\\": \\"\\\\ud800\\"}"}]}', "message 0 has half a character"),
        ('{"messages": [{"role": "assistant", "tool_calls": [{"function": {"name": "f", "arguments": "secret"}}]}]}',
         "message 0: the arguments of a call are no JSON object"),
        ('{"messages": [{"role": "assistant", "tool_calls": [{"function": {"name": "f", "arguments": "[1]"}}]}]}',
         "message 0: the arguments of a call are no JSON object"),
        (json.dumps({"messages": [{"role": "tool", "content": "[" * 100_000}]}), "JSON within a message is nested"),
        (json.dumps({"messages": [{"role": "tool", "content": '{"a":' * 600 + "1" + "}" * 600}]}), "JSON within"),
        (b'{"messages": [{"role": "user", "content": "\xe9"}]}', "the line is not UTF-8"),
    ],
)  # fmt: skip
def test_a_line_of_another_form_is_named_by_its_number_and_not_quoted(
    table: Graph, tmp_path: Path, real: list[dict[str, Any]], line: str | bytes, error: str
) -> None:
    file = tmp_path / "table.jsonl"
    first = json.dumps({"messages": real}).encode()
    file.write_bytes(first + b"\n\n" + (line if isinstance(line, bytes) else line.encode()) + b"\n" + first)
    with pytest.raises(UserError) as told:
        read_own(file, table, GATE)
    assert re.match(rf"{re.escape(str(file))}:3: {re.escape(error)}", str(told.value))
    assert "secret" not in str(told.value)


def run_stage_in(folder: Path, graph: Graph, monkeypatch: pytest.MonkeyPatch, own: str, **entry: Any) -> None:
    """Run the stage in a folder, as DVC would."""
    sources = {"table": {"file": "table.yaml"} | entry}
    write_json(folder / "table.json", graph.model_dump(mode="json"))
    params = PARAMS.model_copy(update={"own": own}).model_dump()
    write_json(folder / "params.yaml", {"seed": 0, "generate": params, "sources": sources})
    monkeypatch.chdir(folder)
    words = ["table.json", "--own", f"own/{own}", "--prompts", "p", "--out", "out", "--scenarios", "s.jsonl"]
    monkeypatch.setattr(sys, "argv", ["generate", *words, "--metrics", "m.json"])
    run_stage(main)


def test_the_stage_mixes_them_in_and_writes_nothing_personal(
    table: Graph,
    tmp_path: Path,
    real: list[dict[str, Any]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "own" / "real").mkdir(parents=True)
    off = changed(real, 3, content=f"assistant: {SAID}")
    own = read(table, tmp_path / "own" / "real", real, off)
    run_stage_in(tmp_path, table, monkeypatch, "real")
    invented = generate(table, PARAMS, 0)
    train = read_jsonl(tmp_path / "out" / "train.jsonl", Conversation)
    assert [c for c in train if c.persona == "own"] == own.kept
    assert [c for c in train if c.persona != "own"] == invented.train
    assert read_jsonl(tmp_path / "out" / "eval.jsonl", Conversation) == invented.eval
    metrics = json.loads((tmp_path / "m.json").read_text())
    assert metrics["own"] == own.metrics and metrics["conversations"]["train"] == len(invented.train) + 1
    assert metrics["edge_visits"]["offer.accept"] == invented.metrics["edge_visits"]["offer.accept"] + 1
    written = [tmp_path / "m.json", tmp_path / "s.jsonl", *(tmp_path / "out").iterdir()]
    said = "".join(capsys.readouterr()) + "".join(f.read_text(encoding="utf-8") for f in written)
    assert [s for s in SECRETS if s in said] == []
    assert "  line 2: roles at message 3" in said
    card = (tmp_path / "out" / "README.md").read_text(encoding="utf-8")
    assert card == data_card(table, "scripted", PARAMS.model_copy(update={"own": "real"}), 0, metrics)
    assert "Own transcripts stay their owner's." in card and "| dropped: roles " in card and "| masked: email " in card


@pytest.mark.parametrize(
    ("file", "entry", "error"),
    [
        ("tabel.jsonl", {}, "tabel.jsonl: no procedure has this name; name the file after one of table"),
        ("table.jsonl", {"generate": {"own": "other"}}, "generate.own is other for table and real for all"),
        ("table.jsonl", {}, "table.jsonl:1: the line is not OpenAI's chat format"),
    ],
)
def test_the_stage_ends_with_what_is_wrong(
    table: Graph, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file: str, entry: dict[str, Any], error: str
) -> None:
    (tmp_path / "own" / "real").mkdir(parents=True)
    (tmp_path / "own" / "real" / file).write_text("secret")
    with pytest.raises(SystemExit) as ended:
        run_stage_in(tmp_path, table, monkeypatch, "real", **entry)
    assert error in str(ended.value) and "secret" not in str(ended.value)


def test_a_procedure_without_a_file_has_none(table: Graph, tmp_path: Path) -> None:
    (tmp_path / "zoom.jsonl").write_text("{}")
    assert own_transcripts(tmp_path, tmp_path.name, table, GATE, ("table", "zoom")) is None


@pytest.mark.parametrize(("own", "gate"), [("real", None), ("../up", GATE), ("", GATE), ("a/b", GATE)])
def test_a_folder_has_a_plain_name_and_needs_the_gate(own: str, gate: Any) -> None:
    with pytest.raises(ValidationError):
        GenerateParams.model_validate(PARAMS.model_dump() | {"own": own, "gate": gate and gate.model_dump()})
