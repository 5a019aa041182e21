"""Where conversations went wrong: the first fault of some that failed, quoted with the step at which it happened."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flowc.conformance import Fault, Judgement
from flowc.transcripts import Transcript

_QUOTED = 3


def failures(played: Sequence[Transcript], judged: Sequence[Judgement]) -> list[dict[str, Any]]:
    """Quote three conversations: failed ones, then faulty ones where fewer failed.

    Either with unlike steps and faults first, and of like ones the first by scenario. A quote holds what the user
    said last, what the assistant made of it, and why that is wrong.
    """
    found = [(t, j) for t, j in zip(played, judged, strict=True) if j.faults]
    # The scenario decides between equals, so that the same transcripts give the same quotes.
    quotes = sorted((_quote(t, j) for t, j in found), key=lambda quote: (not quote["failed"], quote["scenario"]))
    seen: set[tuple[str, str]] = set()
    ranked: list[tuple[bool, bool, dict[str, Any]]] = []
    for quote in quotes:
        kind = (quote["step"], quote["criterion"])
        ranked.append((not quote["failed"], kind in seen, quote))
        seen.add(kind)
    return [quote for *_, quote in sorted(ranked, key=lambda one: one[:2])[:_QUOTED]]


def _quote(transcript: Transcript, judgement: Judgement) -> dict[str, Any]:
    fault: Fault = min(judgement.faults, key=lambda f: f.turn)
    turns = transcript.turns[: fault.turn + 1]
    steps = [t.labels[0] for t in turns[:-1] if t.message.role == "assistant" and t.labels]
    heard = [t.message.content for t in turns[:-1] if t.message.role == "user"]
    said = turns[-1].message if turns else None
    return {
        "scenario": transcript.scenario,
        "failed": judgement.scores["task_success"] == 0,
        "ended": transcript.ended.value,
        "step": steps[-1] if steps else "",
        "turn": fault.turn,
        "criterion": fault.criterion,
        "why": fault.text,
        "heard": heard[-1] if heard else "",
        "said": said.content if said else "",
        "called": [c.model_dump() for c in said.tool_calls] if said else [],
    }
