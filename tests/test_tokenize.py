"""The stage: Parquet with the contract's columns, sorted, the same bytes each time, and no truncation."""

from __future__ import annotations

import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from transformers import PreTrainedTokenizerFast

from flowc.chatml import CHAT_TEMPLATE, encode
from flowc.records import Conversation, Message, ToolCall, UserError, write_jsonl
from flowc.tiny import make_tiny
from flowc.tokens import read_tokens, tokenize, write_tokens
from stages.tokenize import main


def conversation(name: str, words: int = 1) -> Conversation:
    return Conversation(
        id=name,
        family=name,
        procedure="trip",
        split="train",
        path=("greet",),
        ending="booked",
        persona="chatty",
        deviations=(),
        messages=(
            Message(role="system", content="You book trips."),
            Message(role="user", content="hello " * words),
            Message(role="assistant", tool_calls=(ToolCall(name="search", arguments={"city": "Oslo"}),)),
            Message(role="tool", content="{}"),
            Message(role="assistant", content="Done."),
        ),
        steps=((),) * 5,
    )


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerFast:
    tokenizer = make_tiny()[1]
    tokenizer.chat_template = CHAT_TEMPLATE
    return tokenizer


def test_examples_are_sorted_by_id_and_equal_the_encoding(tokenizer: PreTrainedTokenizerFast) -> None:
    examples = tokenize(tokenizer, [conversation("b", 2), conversation("a")], 100)
    assert [e.conversation_id for e in examples] == ["a", "b"]
    encoded = encode(tokenizer, conversation("b", 2))
    assert examples[1] == ("b", "b", encoded.input_ids, encoded.loss_mask)


def test_a_conversation_of_exactly_the_limit_passes_and_one_token_less_names_it(
    tokenizer: PreTrainedTokenizerFast,
) -> None:
    length = len(encode(tokenizer, conversation("long", 9)).input_ids)
    assert len(tokenize(tokenizer, [conversation("long", 9)], length)[0].input_ids) == length
    with pytest.raises(UserError) as error:
        tokenize(tokenizer, [conversation("a"), conversation("long", 9)], length - 1)
    assert str(error.value).startswith(
        f"conversation long has {length} tokens and tokenize.max_length is {length - 1}; raise it "
    )


def test_a_repeated_id_is_refused(tokenizer: PreTrainedTokenizerFast) -> None:
    with pytest.raises(UserError, match="conversation a appears twice"):
        tokenize(tokenizer, [conversation("a"), conversation("a", 3)], 1000)


def test_parquet_has_the_contracts_columns_and_the_same_bytes_each_time(
    tokenizer: PreTrainedTokenizerFast, tmp_path: Path
) -> None:
    examples = tokenize(tokenizer, [conversation("b"), conversation("a")], 1000)
    write_tokens(tmp_path / "x" / "one.parquet", examples)
    write_tokens(tmp_path / "x" / "two.parquet", examples)
    schema = pq.read_schema(tmp_path / "x" / "one.parquet")
    assert schema.names == ["conversation_id", "family", "input_ids", "loss_mask"]
    assert schema.types[:2] == [pa.string(), pa.string()]
    assert [t.value_type for t in schema.types[2:]] == [pa.int32(), pa.int8()]
    assert read_tokens(tmp_path / "x" / "one.parquet") == examples
    assert (tmp_path / "x" / "one.parquet").read_bytes() == (tmp_path / "x" / "two.parquet").read_bytes()
    assert sorted(p.name for p in (tmp_path / "x").iterdir()) == ["one.parquet", "two.parquet"]


def test_the_stage_reads_two_splits_and_writes_two_files(
    tokenizer: PreTrainedTokenizerFast, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tokenizer.save_pretrained(tmp_path / "base")
    write_jsonl(tmp_path / "conversations" / "train.jsonl", [conversation("b"), conversation("a")])
    write_jsonl(tmp_path / "conversations" / "eval.jsonl", [conversation("c")])
    (tmp_path / "params.yaml").write_text("tokenize:\n  max_length: 200\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["tokenize", "conversations", "base", "--out", "tokens"])
    main()
    assert [e.conversation_id for e in read_tokens(tmp_path / "tokens" / "train.parquet")] == ["a", "b"]
    assert read_tokens(tmp_path / "tokens" / "eval.parquet") == tokenize(tokenizer, [conversation("c")], 200)
