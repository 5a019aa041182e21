"""What people and judge models read of a conversation: the procedure, what the user had in mind, and the messages.

Nothing here tells which arm spoke.
"""

from __future__ import annotations

import hashlib
import json
from typing import NamedTuple

from flowc.deviations import KINDS
from flowc.graph import Graph, breadth_first
from flowc.records import Message
from flowc.scenarios import Scenario
from flowc.transcripts import Transcript
from flowc.walk import edge_of


class Line(NamedTuple):
    """One message as it is shown: who it is from (user, assistant, call, result), and its text."""

    who: str
    text: str


def item_id(transcript: Transcript) -> str:
    """Name a conversation by its content, so that neither its arm nor its scenario shows."""
    said = [t.message.model_dump(mode="json") for t in transcript.turns]
    content = json.dumps([transcript.arm, transcript.scenario, said], ensure_ascii=False)
    return hashlib.sha256(content.encode("utf-8")).hexdigest()[:16]


def procedure(graph: Graph) -> list[str]:
    """Write the procedure, one line a step, then what holds at any time and the facts."""
    lines = []
    for name in breadth_first(graph):
        node = graph.nodes[name]
        ways = [f"{e.when or e.outcome or 'then'} → {e.to}" for e in node.edges]
        ends = [f"ends the conversation: {node.terminal}"] if node.terminal else []
        lines.append(f"{name}: {node.instruction} [{'; '.join([*ways, *ends])}]")
    for interrupt in graph.interrupts.values():
        lines.append(f"At any time: {interrupt.when} → {interrupt.to or 'back to the question in hand'}")
    return lines + [f"Fact: {fact.fact}" for fact in graph.knowledge.values()]


def wishes(graph: Graph, scenario: Scenario) -> list[str]:
    """Write what the user will tell and choose, step by step, and where that has to end."""
    lines = []
    for step in scenario.script:
        if step.before:
            kind, name = step.before.split(":")
            lines.append(f"at {step.node}, first: {KINDS[kind].what} ({name})")
        if step.interrupt:
            lines.append(f"at {step.node}: {graph.interrupts[step.interrupt].when}")
            continue
        told = [
            f"{slot}: {value}" for slot, value in sorted({**step.gives, **step.volunteers, **step.corrects}.items())
        ]
        changed = [f"corrects {slot}" for slot in sorted(step.corrects)]
        lines.append("; ".join([f"at {step.node}: {edge_of(graph, step.node, step.edge).when}", *changed, *told]))
    return [*lines, f"has to end at {scenario.ending}: {graph.nodes[scenario.ending].instruction}"]


def lines(transcript: Transcript) -> list[Line]:
    """Give the messages in order; a call is written as name and arguments."""
    return [line for turn in transcript.turns for line in _lines(turn.message)]


def _lines(message: Message) -> list[Line]:
    if message.role == "tool":
        return [Line("result", message.content)]
    calls = [Line("call", f"{c.name} {json.dumps(c.arguments, ensure_ascii=False)}") for c in message.tool_calls]
    return ([Line(message.role, message.content)] if message.content or not calls else []) + calls
