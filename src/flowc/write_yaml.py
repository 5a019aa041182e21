"""Write a Graph as the YAML that people edit: what was read from a chart, with every phrase laid open."""

from __future__ import annotations

import re
import textwrap
from typing import Any

import yaml

from flowc.graph import Graph

_SECTIONS = {
    "slots": "What changes from one conversation to the next. Edit the pools of values; twenty and more are robust.",
    "tools": "The functions that the assistant calls: edit the descriptions, what they are given (argument: slot), "
    "and the slots that come back with each outcome (such a slot has `source: tool`).",
    "nodes": "The steps. Edit `say`, how the assistant puts it (six phrases or more; the first ones are its usual "
    "words), and under each edge `says`, how users answer (twelve or more, forty at a hub). {slot} is a value.",
    "knowledge": "Facts that the assistant states when asked.",
    "interrupts": "What users may say at any moment: edit how they say it, and where it leads (`to`) or what is "
    "replied (`say`).",
}


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.Node:
    # A name is written plainly (the emitter still quotes a `yes`), a phrase in quotes and on one line.
    style = None if re.fullmatch(r"\w+", text, re.ASCII) else '"'
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _text)


def write_procedure(graph: Graph, origin: str) -> str:
    """Write the procedure; `origin` names the file that it was read from. `parse_procedure` reads the same Graph."""
    values = graph.model_dump(mode="json", exclude_defaults=True)
    name = graph.procedure
    head = (
        f"Read from {' '.join(origin.split())}, and complete: from now on edit this file, not the chart. What the "
        "chart does not say is filled in with phrases that fit any procedure; words of your own make it better. "
        f"docs/procedure.md explains each key, `make lint P={name}` lists what to mend, `make show P={name}` draws it."
    )
    plain = {key: value for key, value in values.items() if key not in _SECTIONS}
    parts = [_comment(head), _dump(plain)]
    for key, meaning in _SECTIONS.items():
        if key in values:
            entries = [textwrap.indent(_dump({name: entry}), "  ") for name, entry in values[key].items()]
            parts.append(f"\n{_comment(meaning)}{key}:\n" + ("\n".join(entries)))
    return "".join(parts)


def _dump(value: Any) -> str:
    return yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=10**9, default_flow_style=False)


def _comment(text: str) -> str:
    return "".join(f"# {line}\n" for line in textwrap.wrap(text, 116))
