"""A conversation that nobody planned, followed along the graph: its nodes by what is said, its edges from node to node.

What the user means is read off where the assistant goes next. Values are not checked, for nobody planned them either.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import NamedTuple

from flowc.graph import Graph
from flowc.recognise import Tracked
from flowc.records import Message
from flowc.text_checks import Flaw, Reason


class Followed(NamedTuple):
    """The messages up to the first ending, labels for each, the edges and interrupts taken, and that ending."""

    messages: Sequence[Message]
    steps: Sequence[tuple[str, ...]]
    path: Sequence[str]
    ending: str


def follow_along(graph: Graph, messages: Sequence[Message], track: Callable[[str], Tracked]) -> Followed | Flaw:
    """Follow a conversation, whose roles take turns behind its system prompt, to its first ending.

    `track` names the node that an utterance realises. What is said behind an ending is left out. Gives the first flaw
    where an utterance or a call is no step of the procedure, no way leads from one to the next, or it ends nowhere.
    """
    steps: list[tuple[str, ...]] = [()] * len(messages)
    path: list[str] = []
    at = ""
    outcome: str | None = None
    for index, message in enumerate(messages):
        if message.role == "tool":
            outcome = _outcome(graph, at, message.content)
            if outcome is None:
                return Flaw(Reason.TOOLS, index, f"a result that {at} has no way on for")
            steps[index] = (f"outcome:{outcome}",)
        if message.role != "assistant":
            continue
        nodes = _nodes(graph, message, track)
        if not nodes:
            called = bool(message.tool_calls)
            return Flaw(Reason.TOOLS if called else Reason.OFF_PATH, index, "what no step says or calls")
        ways = [(n, [] if n == at and outcome is None else _way(graph, at, n, outcome)) for n in nodes]
        node, way = next(((n, w) for n, w in ways if w is not None), (nodes[0], None))
        if way is None or (not at and index == 1 and node != graph.start):
            return Flaw(Reason.OFF_PATH, index, f"no way from {at or 'the beginning'} to {node}")
        steps[index] = (node,)
        if messages[index - 1].role == "user":
            steps[index - 1] = (_meant(way),)
        path += way
        at, outcome = node, None
        if graph.nodes[at].terminal:
            return Followed(messages[: index + 1], steps[: index + 1], path, at)
    return Flaw(Reason.OFF_PATH, len(messages) - 1, f"stops at {at}")


def _nodes(graph: Graph, message: Message, track: Callable[[str], Tracked]) -> list[str]:
    """The nodes that a message of the assistant may realise."""
    if not message.tool_calls:
        node = track(message.content).node
        return [node] if node else []
    call = message.tool_calls[0]
    tool = graph.tools.get(call.name)
    if len(message.tool_calls) > 1 or message.content.strip() or not tool or set(call.arguments) != set(tool.arguments):
        return []
    return [name for name, node in sorted(graph.nodes.items()) if node.calls == call.name]


def _outcome(graph: Graph, at: str, content: str) -> str | None:
    """The outcome that a function's result names, where the node has an edge for it."""
    try:
        found = json.loads(content)
    except ValueError:
        return None
    status = found.get("status") if isinstance(found, dict) else None
    return next((e.outcome for e in graph.nodes[at].edges if e.outcome is not None and e.outcome == status), None)


def _meant(way: Sequence[str]) -> str:
    """What a user meant who was answered by this way."""
    if not way:
        return "aside"
    return f"interrupt:{way[0].split('!')[1]}" if "!" in way[0] else f"edge:{way[0]}"


def _way(graph: Graph, at: str, node: str, outcome: str | None) -> list[str] | None:
    """The steps from one node to another: an edge, then questions passed over that may have been answered already.

    From the beginning, those that lead to it from the start; an interrupt where only that leads there. Behind a
    function's result, by its edge.
    """
    if node == graph.start and not at:
        return []
    fronts: list[tuple[str, list[str]]] = [(at or graph.start, [])]
    seen = {at}
    for here, way in fronts:
        if way and not (graph.nodes[here].asks or _silent(graph, here)):
            continue
        for edge in graph.nodes[here].edges:
            if not way and outcome is not None and edge.outcome != outcome:
                continue
            steps = [*way, f"{here}.{edge.id}"]
            if edge.to == node:
                return steps
            if edge.to not in seen:
                seen.add(edge.to)
                fronts.append((edge.to, steps))
    for name, interrupt in sorted(graph.interrupts.items()):
        if at and outcome is None and interrupt.to == node:
            return [f"{at}!{name}"]
    return None


def _silent(graph: Graph, name: str) -> bool:
    node = graph.nodes[name]
    return node.role == "agent" and not node.waits and not node.terminal
