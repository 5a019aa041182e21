"""What a teacher is told: a planned conversation in words, from the prompt files of one version.

Nothing of the procedure enters but the nodes, edges, facts and interrupts that the conversation passes, so that an edit
elsewhere leaves the words the same.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from flowc.deviations import interrupt_for
from flowc.graph import Graph, part
from flowc.records import UserError
from flowc.scenarios import Scenario
from flowc.teacher import Line, Part, bank_of
from flowc.walk import edge_of


class Prompts(NamedTuple):
    """The texts of one version, and their hash."""

    conversation: str
    turn: str
    briefs: dict[str, Any]
    sha256: str


class Brief(NamedTuple):
    """What is to be written for one line: who speaks, what is asked, what it has to state.

    A call of a function is no line to write: it is told to whoever writes the next one (`before`).
    """

    speaker: str
    before: str
    task: str
    values: tuple[str, ...]


def read_prompts(folder: Path) -> Prompts:
    """Read the prompt files of a version.

    Raises UserError when one is missing.
    """
    texts = []
    for name in ("conversation.txt", "turn.txt", "briefs.yaml"):
        file = folder / name
        if not file.exists():
            raise UserError(f"{file}: no such prompt file; generate.llm.prompts names a folder that has it")
        texts.append(file.read_text(encoding="utf-8"))
    digest = hashlib.sha256("\0".join(texts).encode("utf-8")).hexdigest()
    return Prompts(texts[0].strip(), texts[1].strip(), yaml.safe_load(texts[2]), digest)


def system_prompt(text: str, graph: Graph, prompts: Prompts) -> str:
    """Fill a system prompt in; a language that the prompts have no name for is called by its code."""
    named = prompts.briefs["languages"]
    language = named.get(graph.language, f"the language whose ISO 639-1 code is {graph.language!r}")
    return text.format(title=graph.title, language=language)


def manner(prompts: Prompts, scenario: Scenario) -> str:
    """Tell how the user of a scenario writes."""
    return str(prompts.briefs["persona"]).format(manner=prompts.briefs["personas"][scenario.persona])


def briefs(graph: Graph, lines: Sequence[Line], prompts: Prompts) -> list[Brief]:
    """Tell what each spoken line has to do, in the order of the lines that have to be written."""
    words = prompts.briefs
    out: list[Brief] = []
    before = ""
    for i, line in enumerate(lines):
        if line.message.tool_calls:
            call = line.message.tool_calls[0]
            arguments = ", ".join(f"{k}={json.dumps(v, ensure_ascii=False)}" for k, v in call.arguments.items())
            told = words["looked_up"].format(tool=call.name, arguments=arguments, result=lines[i + 1].message.content)
            before = f"{before}\n{told}".strip()
        elif line.message.role == "assistant":
            task, values = _assistant(graph, line, words)
            out.append(Brief("assistant", before, words["speaker"]["assistant"].format(task=task), values))
            before = ""
        elif line.message.role == "user":
            task, values = _user(graph, line, words)
            out.append(Brief("user", before, words["speaker"]["user"].format(task=task), values))
            before = ""
    return out


def transcript(lines: Sequence[Line], texts: Sequence[str]) -> str:
    """Write the spoken part of a beginning down: its texts are those of its spoken lines, in order."""
    spoken = [line for line in lines if is_spoken(line)]
    return "\n".join(f"{s.message.role}: {t}" for s, t in zip(spoken, texts, strict=False))


def is_spoken(line: Line) -> bool:
    """Whether a line is put into words by a teacher."""
    return line.message.role != "tool" and not line.message.tool_calls


def _assistant(graph: Graph, line: Line, words: dict[str, Any]) -> tuple[str, tuple[str, ...]]:
    asked = []
    for piece in line.parts:
        kind = "confirmed" if piece.confirms else piece.kind
        slot = _slot(piece.confirms or piece.name)
        asked.append(words["assistant"][kind].format(text=_text(graph, piece), slot=slot))
    examples, values = [], dict[str, str]()
    for piece in line.parts:
        phrase = part(bank_of(graph, piece), "train")[0]
        examples.append(phrase.format(**line.values))
        values |= {slot: line.values[slot] for slot in _stated(graph, piece)}
        if piece.kind == "knowledge":
            values |= {must: must for must in graph.knowledge[piece.name].must}
    asked += _values(values, words)
    asked.append(words["example"].format(example=" ".join(examples)))
    return " ".join(asked), tuple(values.values())


def _text(graph: Graph, piece: Part) -> str:
    if piece.kind in ("node", "again"):
        return graph.nodes[piece.name].instruction
    return graph.knowledge[piece.name].fact if piece.kind == "knowledge" else ""


def _stated(graph: Graph, piece: Part) -> tuple[str, ...]:
    if piece.kind == "noted" or piece.confirms:
        return (piece.confirms or piece.name,)
    return graph.nodes[piece.name].states if piece.kind == "node" else ()


def _user(graph: Graph, line: Line, words: dict[str, Any]) -> tuple[str, tuple[str, ...]]:
    asked = []
    for label in line.labels:
        kind, _, name = label.partition(":")
        text = ""
        if kind == "edge":
            node, _, edge_id = name.partition(".")
            edge = edge_of(graph, node, edge_id)
            text = edge.when
            if not text:
                kind, text = "unnamed", part(edge.says, "train")[0].format(**line.values)
        elif kind == "interrupt":
            text = graph.interrupts[name].when
        elif kind == "side_question":
            text = graph.knowledge[name].fact
        elif kind not in ("volunteer", "correction"):
            # What is half said, or said again, stands in no value that is told: the scripted words have it.
            what = graph.interrupts[interrupt_for(graph, label) or name].when
            kind, text = "stray", f'{what}, for example: "{line.message.content}"'
        asked.append(words["user"][kind].format(text=text, slot=_slot(name)))
    return " ".join(asked + _values(line.values, words)), tuple(line.values.values())


def _values(values: dict[str, str], words: dict[str, Any]) -> list[str]:
    told = ", ".join(
        f'"{value}"' if slot == value else f'{_slot(slot)} "{value}"' for slot, value in sorted(values.items())
    )
    return [words["values"].format(values=told)] if values else []


def _slot(name: str) -> str:
    return name.replace("_", " ")
