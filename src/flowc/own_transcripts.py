"""Real conversations as training data: masked, tracked onto the graph, and kept where they follow the procedure.

A file has one conversation a line, `{"messages": [...]}` in OpenAI's chat format. Masking comes first: no other code
sees, and nothing writes, what a mask has replaced.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import ConfigDict, Field, ValidationError

from flowc.graph import Graph
from flowc.masking import Mask
from flowc.path_checks import PathChecks
from flowc.records import Conversation, Message, Record, ToolCall, UserError
from flowc.text_checks import Flaw, Lengths, Reason, TextChecks


class _Foreign(Record):
    """What others write: fields that mean nothing here are passed over."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class _Function(_Foreign):
    name: str
    arguments: str


class _Call(_Foreign):
    function: _Function


class _Said(_Foreign):
    role: str
    content: str | None = None
    tool_calls: tuple[_Call, ...] = ()


class _Line(_Foreign):
    messages: tuple[_Said, ...] = Field(min_length=1)


class Own(NamedTuple):
    """Real conversations that follow the procedure, sorted by id; what was dropped by reason; what was masked by kind.

    Samples of what was dropped are left out on purpose: they are real.
    """

    kept: list[Conversation]
    dropped: dict[str, int]
    masked: dict[str, int]


NOTHING = Own([], {}, {})
"""No own transcripts."""


def read_own(file: Path, graph: Graph, longest: Lengths) -> Own:
    """Read, mask and track the conversations of one file; without the file there are none.

    Raises UserError `file:line: what is wrong; what to do` for a line that is no conversation; it quotes nothing of it.
    """
    kept: dict[str, Conversation] = {}
    dropped: Counter[str] = Counter()
    masked: Counter[str] = Counter()
    if not file.exists():
        return NOTHING
    texts, path = TextChecks(graph, longest), PathChecks(graph)
    codes = sorted({s.code for s in graph.slots.values() if s.code})
    for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
        mask = Mask(codes)
        messages = (Message(role="system", content=graph.system), *_messages(line, f"{file}:{number}", mask))
        masked.update(mask.count)
        flaw = next(texts.flaws(messages), None)
        found = flaw or track(graph, messages, path)
        if isinstance(found, Flaw):
            dropped[found.reason] += 1
        elif found.id in kept:
            dropped[Reason.NEAR_DUPLICATE] += 1
        else:
            kept[found.id] = found
    return Own([kept[i] for i in sorted(kept)], dict(sorted(dropped.items())), dict(sorted(masked.items())))


def _messages(line: str, place: str, mask: Mask) -> Iterator[Message]:
    """The messages of a line without its system prompt, masked as they are read."""
    try:
        said = _Line.model_validate_json(line)
    except ValidationError as e:
        where = ".".join(map(str, e.errors()[0]["loc"])) or "the line"
        raise UserError(f'{place}: {where} is not OpenAI\'s chat format; write {{"messages": [...]}}') from None
    for message in said.messages:
        calls = tuple(_call(c.function, place, mask) for c in message.tool_calls)
        if message.role in ("system", "developer"):
            continue
        if message.role not in ("user", "assistant", "tool"):
            raise UserError(f"{place}: a message has an unknown role; use system, user, assistant or tool")
        yield Message.model_validate(
            {"role": message.role, "content": mask(message.content or ""), "tool_calls": calls}
        )


def _call(function: _Function, place: str, mask: Mask) -> ToolCall:
    try:
        arguments: Any = json.loads(function.arguments)
    except ValueError:
        arguments = None
    if not isinstance(arguments, dict):
        raise UserError(f"{place}: the arguments of a call are no JSON object in a string; write them as OpenAI does")
    return ToolCall(name=function.name, arguments={str(k): mask(str(v)) for k, v in arguments.items()})


def own_metrics(own: Own) -> dict[str, Any]:
    """Count what was kept, dropped by reason and masked by kind."""
    return {"kept": len(own.kept), "dropped": own.dropped, "masked": own.masked}


def track(graph: Graph, messages: Sequence[Message], path: PathChecks) -> Conversation | Flaw:
    """Follow a conversation along the graph: its nodes from the tracker, its edges from node to node.

    What the user means is read off where the assistant goes next, and values are not checked: nobody planned them. The
    first flaw is given where an utterance is no step of the procedure or no way leads from one step to the next.
    """
    steps: list[tuple[str, ...]] = [()] * len(messages)
    went: list[str] = []
    at = ""
    for index, message in enumerate(messages):
        if message.role != "assistant":
            continue
        node = _node(graph, message, path)
        if node is None:
            what = "a call that no step makes" if message.tool_calls else "an utterance that is no step"
            return Flaw(Reason.TOOLS if message.tool_calls else Reason.OFF_PATH, index, what)
        way = [] if node == at else _way(graph, at, node)
        if way is None:
            return Flaw(Reason.OFF_PATH, index, f"no way from {at or 'the beginning'} to {node}")
        steps[index] = (node,)
        if at and index:
            steps[index - 1] = (f"edge:{way[0]}" if way and "!" not in way[0] else "aside",)
        went += way
        at = node
    if not graph.nodes[at].terminal:
        return Flaw(Reason.OFF_PATH, len(messages) - 1, f"stops at {at}")
    digest = hashlib.sha256("\n".join(m.model_dump_json() for m in messages).encode()).hexdigest()[:12]
    name = f"own-{digest}"
    return Conversation(
        id=name,
        family=name,
        procedure=graph.procedure,
        split="train",
        path=tuple(went),
        ending=at,
        persona="own",
        deviations=(),
        messages=tuple(messages),
        steps=tuple(steps),
    )


def _node(graph: Graph, message: Message, path: PathChecks) -> str | None:
    if not message.tool_calls:
        return path.track(message.content).node
    call = message.tool_calls[0]
    tool = graph.tools.get(call.name)
    if tool is None or set(call.arguments) != set(tool.arguments):
        return None
    return next((n for n, x in sorted(graph.nodes.items()) if x.calls == call.name), None)


def _way(graph: Graph, at: str, node: str) -> list[str] | None:
    """The steps from one node to another: an edge, then questions passed over that are answered already.

    From the beginning, those that lead to it from the start; an interrupt where only that leads there.
    """
    if node == graph.start and not at:
        return []
    fronts: list[tuple[str, list[str]]] = [(at or graph.start, [])]
    seen = {at}
    for here, way in fronts:
        if way and not (graph.nodes[here].asks or _silent(graph, here)):
            continue
        for edge in graph.nodes[here].edges:
            steps = [*way, f"{here}.{edge.id}"]
            if edge.to == node:
                return steps
            if edge.to not in seen:
                seen.add(edge.to)
                fronts.append((edge.to, steps))
    for name, interrupt in sorted(graph.interrupts.items()):
        if at and interrupt.to == node:
            return [f"{at}!{name}"]
    return None


def _silent(graph: Graph, name: str) -> bool:
    node = graph.nodes[name]
    return node.role == "agent" and not node.waits and not node.terminal
