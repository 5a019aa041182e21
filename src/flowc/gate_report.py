"""The report's part on the quality gate: what a teacher's conversations were dropped for, with samples."""

from __future__ import annotations

from flowc.markdown import details, prose_table, shorten, table, text
from flowc.metrics import Json, number, section


def gate(generation: Json, characters: int) -> list[str]:
    """Say what was dropped and why; a sample's text is cut at `characters`."""
    found = section(generation, "gate")
    written, share = number(found, "written"), number(found, "dropped_share")
    if found is None or written is None or share is None:
        return ["Quality gate: not measured."]
    reasons = [[text(name), f"{n:,}"] for name, n in sorted((section(found, "dropped") or {}).items()) if n]
    twice = number(found, "near_duplicate_share") or 0.0
    said = (
        f"The quality gate dropped {100 * share:.4g} % of {written:,.0f} conversations that were written, "
        f"near-duplicates {100 * twice:.4g} %."
    )
    if not reasons:
        return [said]
    rows = [
        [
            text(sample["reason"]),
            text(sample["detail"]),
            text(f"{sample['role']}: {shorten(sample['text'], characters)}"),
        ]
        for sample in found.get("samples") or []
    ]
    return [
        said,
        table(["Dropped for", "Conversations"], reasons),
        details("Some of what was dropped", prose_table(["Reason", "What", "Message"], rows)),
    ]
