"""Write a Chart as a Mermaid flowchart, which `read_mermaid` reads again.

Mermaid has no words for slots, escapes, defaults and how an end ends: they stand as comments at the end, for people.
"""

from __future__ import annotations

import json
import re

from flowc.chart import Chart, Kind
from flowc.read_mermaid import BOX_ID

_BRACKETS: dict[Kind, tuple[str, str]] = {
    "start": ("([", "])"), "end": ("([", "])"), "step": ("[", "]"), "question": ("{", "}"), "tool": ("[[", "]]"),
}  # fmt: skip
_RESERVED = re.compile(r"(?:subgraph|end|direction|style|classDef|class|linkStyle|click|default|href|call|graph"
                       r"|flowchart|acc(?:Title|Descr)|interpolate"
                       r"|_(?:self|blank|parent|top)).*|[ox].*", re.DOTALL)  # fmt: skip


def write_mermaid(chart: Chart) -> str:
    """Draw the chart from top to bottom; ids that Mermaid would not take are replaced by box1, box2 and so on."""
    ids = _ids(chart)
    lines = ["---", f"title: {json.dumps(chart.title, ensure_ascii=False)}", "---"] if chart.title else []
    lines.append("flowchart TD")
    for name, box in chart.boxes.items():
        opening, closing = _BRACKETS[box.kind]
        lines.append(f'    {ids[name]}{opening}"{_escape(box.label) or " "}"{closing}')
    for arrow in chart.arrows:
        label = f'|"{_escape(arrow.label)}"|' if arrow.label else ""
        lines.append(f"    {ids[arrow.source]} -->{label} {ids[arrow.target]}")
    lines += _comments(chart, ids)
    return "\n".join(lines) + "\n"


def _ids(chart: Chart) -> dict[str, str]:
    out = {n: n for n in chart.boxes if BOX_ID.fullmatch(n) and not _RESERVED.fullmatch(n) and n[-1] not in "-=:"}
    number = 0
    for name in chart.boxes:
        while name not in out:
            number += 1
            if f"box{number}" not in chart.boxes:
                out[name] = f"box{number}"
    return out


def _comments(chart: Chart, ids: dict[str, str]) -> list[str]:
    out = [f"starts at {ids[chart.start]}"] if chart.start else []
    for name, box in chart.boxes.items():
        out += [f"{ids[name]} ends with {box.terminal}"] if box.terminal else []
        out += [f"{ids[name]} collects {box.collects}"] if box.collects else []
    out += [f"{ids[a.source]} leads to {ids[a.target]} by default" for a in chart.arrows if a.default]
    out += [f"at any moment: {e.label}, then {ids.get(e.target, e.target)}" for e in chart.escapes]
    out += [f"slot {name}: {', '.join(values) or 'any text'}" for name, values in chart.slots.items()]
    return [f"    %% {' '.join(line.split())}" for line in out]


def _escape(label: str) -> str:
    """Write what Mermaid or HTML would read as markup as entity codes."""
    return re.sub(r'[#&<>"`|\\;:*_%]', lambda m: f"#{ord(m[0])};", label)
