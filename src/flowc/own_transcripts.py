"""Real conversations as training data: masked, tracked onto the graph, and kept where they follow the procedure.

A file has one conversation a line, `{"messages": [...]}` in OpenAI's chat format. Masking comes first: no other code
sees, and nothing writes or prints, what a mask has replaced.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import ConfigDict, Field, ValidationError

from flowc.graph import Graph
from flowc.masking import Mask
from flowc.near_duplicates import near_duplicates
from flowc.on_graph import follow_along
from flowc.path_checks import PathChecks
from flowc.quality_gate import Gate, spoken
from flowc.records import Conversation, Message, Record, ToolCall, UserError
from flowc.text_checks import Flaw, Reason, TextChecks

_TOLD = 20  # lines of a file that are named with why they were dropped


class _Foreign(Record):
    """What others write: fields that mean nothing here are passed over."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class _Function(_Foreign):
    name: str
    arguments: str


class _Call(_Foreign):
    function: _Function


class _Part(_Foreign):
    type: str
    text: str = ""


class _Said(_Foreign):
    role: str
    content: str | tuple[_Part, ...] | None = None
    tool_calls: tuple[_Call, ...] | None = None


class _Line(_Foreign):
    messages: tuple[_Said, ...] = Field(min_length=1)


class Drop(NamedTuple):
    """A line that is not trained on, why, and at which of its messages; its words are real and stay out of this."""

    line: int
    reason: Reason
    message: int


class Own(NamedTuple):
    """Real conversations that follow the procedure, sorted by id; what was dropped; different values masked by kind."""

    kept: list[Conversation]
    dropped: list[Drop]
    masked: dict[str, int]

    @property
    def metrics(self) -> dict[str, Any]:
        """What was kept, dropped by reason and masked by kind, counted."""
        dropped = Counter(d.reason.value for d in self.dropped)
        return {"kept": len(self.kept), "dropped": dict(sorted(dropped.items())), "masked": self.masked}

    @property
    def told(self) -> str:
        """Lines for people: how many were kept, and which lines of the file were dropped, the first by number."""
        lines = [f"own transcripts: {len(self.kept)} are trained on, {len(self.dropped)} dropped"]
        lines += [f"  line {d.line}: {d.reason} at message {d.message}" for d in self.dropped[:_TOLD]]
        left = len(self.dropped) - _TOLD
        return "\n".join([*lines, *([f"  and {left} more"] if left > 0 else [])])


def own_transcripts(
    folder: Path, named: str, graph: Graph, gate: Gate | None, procedures: Collection[str]
) -> Own | None:
    """Read the procedure's file in the folder that the pipeline gives, which the params call `named`; None without one.

    What was kept and dropped is told on the standard error output. Raises UserError when the two differ, a file belongs
    to no procedure, or as `read_own` does.
    """
    if folder.name != named:
        raise UserError(
            f"generate.own is {named} for {graph.procedure} and {folder.name} for all: set it in conf/generate, not "
            "under `sources`; a procedure without a file in that folder has no own transcripts"
        )
    strange = sorted(f.name for f in folder.glob("*.jsonl") if f.stem not in procedures)
    if strange:
        raise UserError(
            f"{folder / strange[0]}: no procedure has this name; name the file after one of "
            f"{', '.join(sorted(procedures))}, or take it away"
        )
    file = folder / f"{graph.procedure}.jsonl"
    if not gate or not file.exists():
        return None
    own = read_own(file, graph, gate)
    print(own.told, file=sys.stderr, flush=True)
    return own


def read_own(file: Path, graph: Graph, gate: Gate) -> Own:
    """Read, mask and track the conversations of one file.

    Raises UserError `file:line: what is wrong; what to do` for a line that is no conversation; it quotes nothing of it.
    """
    texts, path = TextChecks(graph, gate.longest), PathChecks(graph)
    codes = sorted({s.code for s in graph.slots.values() if s.code})
    found: list[tuple[int, Conversation]] = []
    dropped: list[Drop] = []
    masked: Counter[str] = Counter()
    for number, line in _lines(file):
        mask = Mask(codes)
        try:
            said = _messages(line, f"{file}:{number}", mask)
        except RecursionError:
            raise UserError(f"{file}:{number}: JSON within a message is nested too deeply; flatten it") from None
        messages = (Message(role="system", content=graph.system), *said)
        masked.update(mask.count)
        one = next(texts.flaws(messages), None) or follow_along(graph, messages, path.track)
        if isinstance(one, Flaw):
            dropped.append(Drop(number, one.reason, one.message))
        else:
            found.append((number, _conversation(graph, *one)))
    twice = near_duplicates([spoken(c) for _, c in found], gate.near_duplicate)
    dropped += [Drop(found[i][0], Reason.NEAR_DUPLICATE, len(found[i][1].messages) - 1) for i in twice]
    kept = [c for i, (_, c) in enumerate(found) if i not in twice]
    return Own(sorted(kept, key=lambda c: c.id), sorted(dropped), dict(sorted(masked.items())))


def _lines(file: Path) -> Iterator[tuple[int, str]]:
    """Number the lines that are not blank. Only \\n ends one: JSON may hold other line separators inside a text."""
    for number, raw in enumerate(file.read_bytes().removeprefix(b"\xef\xbb\xbf").split(b"\n"), 1):
        try:
            line = raw.decode("utf-8")
        except UnicodeDecodeError:
            raise UserError(f"{file}:{number}: the line is not UTF-8; save the file in that encoding") from None
        if line.strip():
            yield number, line


def _messages(line: str, place: str, mask: Mask) -> list[Message]:
    """The messages of a line without its system prompts, masked as they are read."""
    try:
        said = _Line.model_validate_json(line)
    except ValidationError as e:
        where = ".".join(map(str, e.errors()[0]["loc"])) or "the line"
        raise UserError(f'{place}: {where} is not OpenAI\'s chat format; write {{"messages": [...]}}') from None
    out = []
    for number, message in enumerate(said.messages):
        here = f"{place}: message {number}"
        if message.role in ("system", "developer"):
            continue
        if message.role not in ("user", "assistant", "tool"):
            raise UserError(f"{here} has an unknown role; use system, user, assistant or tool")
        calls = tuple(_call(c.function, here, mask) for c in message.tool_calls or ())
        text = _text(message, here)
        content = _result(text, mask) if message.role == "tool" else mask(text)
        values = [content, *(v for c in calls for v in (c.name, *c.arguments, *c.arguments.values()))]
        if any("\ud800" <= c <= "\udfff" for value in values for c in value):
            raise UserError(f"{here} has half a character (a lone surrogate); write the text out in UTF-8")
        out.append(Message.model_validate({"role": message.role, "content": content, "tool_calls": calls}))
    return out


def _text(message: _Said, here: str) -> str:
    parts = message.content or ""
    if isinstance(parts, str):
        return parts
    if any(p.type != "text" for p in parts):
        raise UserError(f"{here} has a part that is no text; take pictures, sound and files out")
    return "\n".join(p.text for p in parts)


def _call(function: _Function, here: str, mask: Mask) -> ToolCall:
    arguments = _object(function.arguments)
    if arguments is None:
        raise UserError(f"{here}: the arguments of a call are no JSON object in a string; write them as OpenAI does")
    masked = {mask(k): _masked(v, mask) for k, v in arguments.items()}
    texts = {k: v if isinstance(v, str) else json.dumps(v, ensure_ascii=False) for k, v in masked.items()}
    return ToolCall(name=mask(function.name), arguments=texts)


def _result(text: str, mask: Mask) -> str:
    """A function's result, masked value by value where it is JSON: escapes would hide an address from a pattern."""
    found = _object(text)
    return mask(text) if found is None else json.dumps(_masked(found, mask), ensure_ascii=False)


def _object(text: str) -> dict[str, Any] | None:
    try:
        found = json.loads(text)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def _masked(value: Any, mask: Mask) -> Any:
    """JSON with all of its texts and keys masked, and numbers that a pattern tells."""
    if isinstance(value, dict):
        return {mask(k): _masked(v, mask) for k, v in value.items()}
    if isinstance(value, list):
        return [_masked(v, mask) for v in value]
    if isinstance(value, str):
        return mask(value)
    if isinstance(value, bool) or value is None:
        return value
    written = json.dumps(value)
    return value if mask(written) == written else mask(written)


def _conversation(
    graph: Graph, messages: Sequence[Message], steps: Sequence[tuple[str, ...]], went: Sequence[str], ending: str
) -> Conversation:
    digest = hashlib.sha256("\n".join(m.model_dump_json() for m in messages).encode("utf-8")).hexdigest()[:12]
    name = f"own-{digest}"
    return Conversation(
        id=name,
        family=name,
        procedure=graph.procedure,
        split="train",
        path=tuple(went),
        ending=ending,
        persona="own",
        deviations=(),
        messages=tuple(messages),
        steps=tuple(steps),
    )
