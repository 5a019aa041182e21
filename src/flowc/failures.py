"""Where conversations went wrong: the first fault of some that failed, quoted with the step at which it happened."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flowc.conformance import Fault, Judgement
from flowc.transcripts import Transcript

_QUOTED = 3


def failures(played: Sequence[Transcript], judged: Sequence[Judgement]) -> list[dict[str, Any]]:
    """Quote three failed conversations, of unlike steps and faults as far as there are; faulty ones where none failed.

    Of like ones the first by scenario. A quote holds what the user said last, what the assistant made of it, and why
    that is wrong.
    """
    found = [(t, j) for t, j in zip(played, judged, strict=True) if j.faults]
    # Failed ones first; the scenario decides between equals, so that the same transcripts give the same quotes.
    found.sort(key=lambda pair: (pair[1].scores["task_success"] or 0.0, pair[0].scenario))
    quotes = [_quote(t, j) for t, j in found]
    seen: set[tuple[str, str]] = set()
    fresh: list[dict[str, Any]] = []
    alike: list[dict[str, Any]] = []
    for quote in quotes:
        kind = (quote["step"], quote["criterion"])
        (alike if kind in seen else fresh).append(quote)
        seen.add(kind)
    return [*fresh, *alike][:_QUOTED]


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
