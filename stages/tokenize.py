"""Tokenises a procedure's conversations for training, with loss on the assistant's turns."""

from __future__ import annotations

from pathlib import Path

from transformers import AutoTokenizer

from flowc import params
from flowc.records import Conversation, read_jsonl, run_stage, stage_parser
from flowc.tokens import TokenizeParams, tokenize, write_tokens


def main() -> Path | None:
    """Read conversations and the base's tokenizer, encode, write one Parquet file a split."""
    parser = stage_parser(__doc__)
    parser.add_argument("conversations", type=Path, help="folder with train.jsonl and eval.jsonl")
    parser.add_argument("base", type=Path, help="folder of the base model, for its tokenizer")
    parser.add_argument("--out", type=Path, required=True, help="folder for train.parquet and eval.parquet")
    arguments = parser.parse_args()
    max_length = params.load("tokenize", TokenizeParams).max_length
    tokenizer = AutoTokenizer.from_pretrained(arguments.base, local_files_only=True)
    for split in ("train", "eval"):
        conversations = read_jsonl(arguments.conversations / f"{split}.jsonl", Conversation)
        write_tokens(arguments.out / f"{split}.parquet", tokenize(tokenizer, conversations, max_length))
    return arguments.timing


if __name__ == "__main__":
    run_stage(main)
