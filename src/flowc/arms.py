"""The arms of the evaluation that are one prompt: `compiled`, `floor` and `in_context`.

All use one client, one sampling setting and one account of tokens. What differs is the model and the system
prompt.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Protocol

from flowc.client import Completion, Sampling
from flowc.graph import Graph, breadth_first
from flowc.records import Message
from flowc.simulate import Reply
from flowc.tools import schemas


class ChatModel(Protocol):
    """What completes a conversation: `client.Client`, or a provider's model."""

    async def complete(
        self, messages: Sequence[Message], tools: list[dict[str, Any]] | None, sampling: Sampling
    ) -> Completion:
        """Give the next message."""


class Prompted:
    """An assistant that is a model with a system prompt."""

    def __init__(self, client: ChatModel, system: str, tools: list[dict[str, Any]], sampling: Sampling) -> None:
        self._client, self._system, self._tools, self._sampling = client, system, tools, sampling

    async def reply(self, history: Sequence[Message]) -> Reply:
        """Ask the model for the next message."""
        messages = [Message(role="system", content=self._system), *history]
        completion = await self._client.complete(messages, self._tools, self._sampling)
        return Reply(as_message(completion.content, completion.tool_calls), (completion,))


def as_message(content: str, tool_calls: Sequence[Any]) -> Message:
    """Give a completion as an assistant message; only the first of several calls is kept."""
    return Message(role="assistant", content=content, tool_calls=tuple(tool_calls)[:1])


def one_line(graph: Graph) -> str:
    """Give the system prompt of the compiled model and of the floor."""
    return graph.system


def flowchart(graph: Graph, calls_as_text: bool = True) -> str:
    """Write the whole procedure as a system prompt, as it is pasted into a large model's prompt today.

    `calls_as_text` also says how a call is written, for models without an interface of their own for it.
    """
    lines = [graph.system, "", "Follow this procedure exactly. Take one step per message.", ""]
    for name in breadth_first(graph):
        node = graph.nodes[name]
        end = f" This ends the conversation ({node.terminal})." if node.terminal else ""
        start = " Start here." if name == graph.start else ""
        lines.append(f"Step {name}: {node.instruction}{start}{end}")
        if node.calls:
            lines.append(f"  Call the function {node.calls}.")
        for edge in node.edges:
            condition = edge.when or f"the result is {edge.outcome}" if edge.when or edge.outcome else "always"
            lines.append(f"  If {condition}: go to {edge.to}.")
    if graph.interrupts:
        lines += ["", "At any time:"]
        for interrupt in graph.interrupts.values():
            then = f"go to {interrupt.to}" if interrupt.to else "steer back politely and repeat the question"
            lines.append(f"  If {interrupt.when}: {then}.")
    if graph.knowledge:
        lines += ["", "If asked, answer from these facts, then repeat the question:"]
        lines += [f"  {fact.fact}" for fact in graph.knowledge.values()]
    if graph.tools and not calls_as_text:
        lines += ["", "Skip questions that the customer has answered already."]
    elif graph.tools:
        lines += ["", "Skip questions that the customer has answered already. Functions:"]
        lines += [f"  {json.dumps(s['function'])}" for s in schemas(graph)]
        lines += [
            "To call a function reply only with:",
            '<tool_call>\n{"name": "...", "arguments": {...}}\n</tool_call>',
        ]
    return "\n".join(lines)
