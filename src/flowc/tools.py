"""The scenario's side of a tool call: checks it and returns what the scenario planned."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from typing import Any, NamedTuple

from flowc.graph import Graph
from flowc.records import ToolCall
from flowc.scenarios import Scenario


class ToolResult(NamedTuple):
    """A tool's answer. `node` is the procedure's node that the call realises, None for a call that failed."""

    content: str
    node: str | None
    outcome: str | None
    values: dict[str, str]


def schemas(graph: Graph) -> list[dict[str, Any]]:
    """Describe the tools in OpenAI's function format; every argument is a string."""
    return [
        {
            "type": "function",
            "function": {
                "name": name,
                "description": tool.description,
                "parameters": {
                    "type": "object",
                    "properties": {argument: {"type": "string"} for argument in tool.arguments},
                    "required": list(tool.arguments),
                },
            },
        }
        for name, tool in sorted(graph.tools.items())
    ]


def call_for(graph: Graph, node: str, known: Mapping[str, str]) -> ToolCall:
    """Give the call that tool node `node` makes with the values known so far."""
    name = graph.nodes[node].calls
    assert name, f"{node} is not a tool node"
    return ToolCall(name=name, arguments={a: known[s] for a, s in graph.tools[name].arguments.items()})


def execute(graph: Graph, scenario: Scenario, call: ToolCall, calls: Counter[str]) -> ToolResult:
    """Answer a call as the scenario plans; `calls` counts the successful calls of each tool so far.

    An unknown tool or a wrong set of arguments gives an error as a real service would; a call beyond the
    planned ones repeats the last result. Wrong argument values are the judge's business.
    """
    tool = graph.tools.get(call.name)
    if tool is None:
        return _error(f"unknown function {call.name}")
    if set(call.arguments) != set(tool.arguments):
        return _error(f"{call.name} takes {', '.join(sorted(tool.arguments))}")
    planned = scenario.results.get(call.name, ())
    if not planned:
        return _error(f"{call.name} is not available")
    result = planned[min(calls[call.name], len(planned) - 1)]
    calls[call.name] += 1
    node = next(n for n, x in sorted(graph.nodes.items()) if x.calls == call.name)
    return ToolResult(result_text(result.outcome, result.values), node, result.outcome, result.values)


def result_text(outcome: str, values: Mapping[str, str]) -> str:
    """Write a result as the model reads it."""
    return json.dumps({"status": outcome, **dict(sorted(values.items()))}, ensure_ascii=False)


def _error(message: str) -> ToolResult:
    return ToolResult(json.dumps({"error": message}), None, None, {})
