"""Turns conversations into training tokens and keeps them in Parquet, one row a conversation."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from flowc.chatml import check_prefixes, encode
from flowc.records import Conversation, Record, UserError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

SCHEMA = pa.schema(
    [
        pa.field("conversation_id", pa.string(), nullable=False),
        pa.field("family", pa.string(), nullable=False),
        pa.field("input_ids", pa.list_(pa.int32()), nullable=False),
        pa.field("loss_mask", pa.list_(pa.int8()), nullable=False),
    ]
)


class TokenizeParams(Record):
    """What the tokens of a conversation must fit into."""

    max_length: int
    """Longest conversation allowed, in tokens; nothing is ever cut."""


class Example(NamedTuple):
    """One conversation's tokens; loss_mask is 1 where the token is a prediction target."""

    conversation_id: str
    family: str
    input_ids: list[int]
    loss_mask: list[int]


def tokenize(
    tokenizer: PreTrainedTokenizerBase, conversations: Sequence[Conversation], max_length: int
) -> list[Example]:
    """Encode every conversation, in the order of their ids.

    Raises UserError with the conversation's id when one is longer than max_length tokens, appears twice, or
    would not be served as it is trained (checked for each assistant turn of each conversation).
    """
    examples: list[Example] = []
    for conversation in sorted(conversations, key=lambda c: c.id):
        if examples and examples[-1].conversation_id == conversation.id:
            raise UserError(f"conversation {conversation.id} appears twice; generate the conversations again")
        encoded = encode(tokenizer, conversation)
        length = len(encoded.input_ids)
        if length > max_length:
            raise UserError(
                f"conversation {conversation.id} has {length} tokens and tokenize.max_length is "
                f"{max_length}; raise it in conf/tokenize/, or make the procedure's conversations shorter "
                "(nothing is ever cut)"
            )
        check_prefixes(tokenizer, conversation, encoded.input_ids)
        examples.append(Example(conversation.id, conversation.family, encoded.input_ids, encoded.loss_mask))
    return examples


def write_tokens(path: Path, examples: Iterable[Example]) -> None:
    """Write columns conversation_id, family, input_ids (list<int32>), loss_mask (list<int8>)."""
    rows = [e._asdict() for e in examples]
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.part")
    pq.write_table(pa.Table.from_pylist(rows, schema=SCHEMA), temporary, compression="zstd")
    temporary.replace(path)


def read_tokens(path: Path) -> list[Example]:
    """Read what write_tokens wrote."""
    return [Example(**row) for row in pq.read_table(path, schema=SCHEMA).to_pylist()]
