"""Charts that others have published, from ../shared/data beside the repository; tests skip where it is absent."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from flowc.chart import Arrow, Box, Chart, Kind
from flowc.write_mermaid import write_mermaid

_DATA = Path(__file__).parents[2] / "shared" / "data"
TAU2 = _DATA / "tau2" / "tech_support_path2_mobile_data.dot"
_STAR = _DATA / "star" / "tasks"
TASKS = {
    "bank_fraud_report": 13, "doctor_schedule": 15, "hotel_book": 16, "party_plan": 17,
    "plane_book": 13, "ride_book": 14,
}  # fmt: skip
"""The six STAR tasks, each with the number of nodes that its chart has."""

needs_tau2 = pytest.mark.skipif(not TAU2.exists(), reason="no tau2 chart in shared/data beside the repository")
needs_star = pytest.mark.skipif(not _STAR.exists(), reason="no STAR tasks in shared/data beside the repository")

# What the published drawing leaves open for a reader: two boxes with arrows that do not say when they are taken.
MENDS = (
    ('Step 2.0: Check if user is facing a data issue"', 'Ask whether the data is unavailable or slow"'),
    ("P2_S0_RunSpeedTest -> P2_1_Start;", "P2_S0_RunSpeedTest -> P2_1_Start [label=unavailable];"),
    ("P2_S0_RunSpeedTest -> P2_2_Start;", "P2_S0_RunSpeedTest -> P2_2_Start [label=slow];"),
    ("P2_S0_Decision_NoConnection -> P2_2_Start;", "P2_S0_Decision_NoConnection -> P2_2_Start [label=No];"),
)


def write_tau2(path: Path) -> None:
    """Write the tau2 chart with words on its arrows, DOT."""
    text = TAU2.read_text(encoding="utf-8")
    for old, new in MENDS:
        text = text.replace(old, new)
    path.write_text(text, encoding="utf-8")


def write_star(task: str, path: Path) -> None:
    """Write a STAR task as Mermaid."""
    values = json.loads((_STAR / task / f"{task}.json").read_text(encoding="utf-8"))
    path.write_text(write_mermaid(_star_chart(values)), encoding="utf-8")


def _star_chart(task: dict[str, Any]) -> Chart:
    """Make a Chart of a STAR task: replies are boxes; labels that nothing leads to are outcomes of the box before.

    Those of availability belong to the check, success and failure to the query that nothing else leads on from, yes
    and no to the question behind a good result, and missing information to the last question that it is about.
    """
    texts, follows = task["replies"], task["graph"]
    good = follows.get("available") or follows["query_success"]
    query = next((q for q in ("query_book", "query_check", "query") if q in texts and q not in follows), None)
    owner = {"available": "query_check", "unavailable": "query_check", "query_success": query, "query_failure": query,
             "yes": good, "no": good, "info_missing": "bank_ask_pin",
             "info_missing2": "bank_ask_childhood_pets_name"}  # fmt: skip
    ways = [
        (owner.get(s) or s, t, texts[s] if s in owner else "All is known" if s in owner.values() else "")
        for s, t in follows.items()
    ]
    bye = next(n for n in texts if n == "goodbye_1" or n.endswith("_bye"))
    ways += [("anything_else", bye, "")] if "anything_else" in follows.values() else []
    names = list(dict.fromkeys(["hello", *(n for s, t, _ in ways for n in (s, t))]))
    asks = {s for s, _, _ in ways if sum(s == other for other, _, _ in ways) > 1}

    def kind(name: str) -> Kind:
        return "tool" if name.startswith("query") else "question" if name in asks else "step"

    boxes = {n: Box(label=" ".join(texts[n].split()), kind=kind(n), line=1) for n in names}
    arrows = tuple(Arrow(source=s, target=t, label=label, line=1) for s, t, label in ways)
    return Chart(name=task["task"], start="hello", boxes=boxes, arrows=arrows)
