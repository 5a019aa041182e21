"""Shared value types and canonical JSON: same input, same bytes.

Every record is frozen and closed to unknown fields; writers sort keys and replace files atomically, so
a killed stage never leaves half a file behind.
"""

from __future__ import annotations

import argparse
import errno
import json
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError


class Record(BaseModel):
    """A frozen value without unknown fields."""

    model_config = ConfigDict(frozen=True, extra="forbid")


R = TypeVar("R", bound=Record)


class UserError(ValueError):
    """Something that a user gave is wrong; the message names the thing and the remedy."""


class ToolCall(Record):
    """One function call by the assistant; argument values are strings in the declared order."""

    name: str
    arguments: dict[str, str]


class Message(Record):
    """One chat message; only the assistant has tool calls."""

    role: Literal["system", "user", "assistant", "tool"]
    content: str = ""
    tool_calls: tuple[ToolCall, ...] = ()


class Conversation(Record):
    """A finished conversation. `steps` labels each message and is never part of the text."""

    id: str
    family: str
    """The conversation that this one begins like; its own id where it is no branch."""
    procedure: str
    split: Literal["train", "eval"]
    path: tuple[str, ...]
    ending: str
    persona: str
    deviations: tuple[str, ...]
    messages: tuple[Message, ...]
    steps: tuple[tuple[str, ...], ...]


def to_openai(message: Message) -> dict[str, Any]:
    """Give the message in OpenAI's chat format (arguments as a JSON string)."""
    out: dict[str, Any] = {"role": message.role, "content": message.content}
    if message.tool_calls:
        out["tool_calls"] = [
            {
                "id": f"call_{i}",
                "type": "function",
                "function": {"name": c.name, "arguments": json.dumps(c.arguments, ensure_ascii=False)},
            }
            for i, c in enumerate(message.tool_calls)
        ]
    if message.role == "tool":
        out["tool_call_id"] = "call_0"
    return out


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.part")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(path)


def write_json(path: Path, value: Any) -> None:
    """Write sorted, indented JSON with a final newline; NaN is refused."""
    _write(path, json.dumps(value, sort_keys=True, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def write_jsonl(path: Path, records: Iterable[Record]) -> None:
    """Write one canonical JSON object a line, fields sorted (tool arguments keep their order)."""
    _write(path, "".join(canonical(r) + "\n" for r in records))


def canonical(record: Record) -> str:
    """One line of JSON with the record's fields in declared order: the same value gives the same bytes."""
    return json.dumps(record.model_dump(mode="json"), ensure_ascii=False, allow_nan=False)


def read_record(path: Path, kind: type[R]) -> R:
    """Read one JSON record.

    Raises UserError with the file's name when it is missing or malformed.
    """
    try:
        return kind.model_validate_json(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; `dvc repro` makes it") from None
    except ValidationError as e:
        raise UserError(f"{path}: not a {kind.__name__}: {_first(e)}; remove it and run `dvc repro`") from None


def read_jsonl(path: Path, kind: type[R]) -> list[R]:
    """Read one record a line.

    Raises UserError with file and line when a line is malformed.
    """
    if not path.exists():
        raise UserError(f"{path}: no such file; `dvc repro` makes it")
    out = []
    with path.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            try:
                out.append(kind.model_validate_json(line))
            except ValidationError as e:
                raise UserError(
                    f"{path}:{number}: not a {kind.__name__}: {_first(e)}; remove the file and run `dvc repro`"
                ) from None
    return out


def _first(error: ValidationError) -> str:
    detail = error.errors()[0]
    return f"{'.'.join(map(str, detail['loc'])) or 'value'}: {detail['msg']}"


def stage_parser(description: str | None) -> argparse.ArgumentParser:
    """Give the parser that every stage starts from, with the option `--timing`."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--timing", type=Path, help="where to write how long the stage took, JSON")
    return parser


def run_stage(main: Callable[[], Path | None]) -> None:
    """Run a stage's main and write its wall time to the path that it returns.

    A user's mistake or a full disk ends with one clear line and status 1.
    """
    start = time.monotonic()
    try:
        timing = main()
        if timing:
            write_json(timing, {"seconds": round(time.monotonic() - start, 1)})
    except UserError as e:
        sys.exit(f"error: {e}")
    except OSError as e:
        if e.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        sys.exit(
            f"error: no space left on the disk while writing {e.filename or 'an output'}; free some space "
            "(`dvc gc -w` drops unused results) and run `dvc repro` again: finished stages are kept"
        )
