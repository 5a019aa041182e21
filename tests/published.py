"""Charts that others have published, from ../shared/data beside the repository; tests skip where it is absent."""

from __future__ import annotations

from pathlib import Path

import pytest

from flowc.star import chart, read_task
from flowc.write_mermaid import write_mermaid

_DATA = Path(__file__).parents[2] / "shared" / "data"
TAU2 = _DATA / "tau2" / "tech_support_path2_mobile_data.dot"
STAR = _DATA / "star"
MULTIDOGO = _DATA / "multidogo"
TASKS = {
    "bank_fraud_report": 13, "doctor_schedule": 15, "hotel_book": 16, "party_plan": 17,
    "plane_book": 13, "ride_book": 14,
}  # fmt: skip
"""The six STAR tasks, each with the number of nodes that its chart has."""

needs_tau2 = pytest.mark.skipif(not TAU2.exists(), reason="no tau2 chart in shared/data beside the repository")
needs_star = pytest.mark.skipif(not STAR.exists(), reason="no STAR data in shared/data beside the repository")

needs_multidogo = pytest.mark.skipif(not MULTIDOGO.exists(), reason="no MultiDoGO in shared/data beside the repository")

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
    path.write_text(write_mermaid(chart(read_task(STAR, task))), encoding="utf-8")
