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


def write_star(task: str, path: Path) -> None:
    """Write a STAR task as Mermaid."""
    path.write_text(write_mermaid(chart(read_task(STAR, task))), encoding="utf-8")
