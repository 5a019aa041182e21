"""One self-contained page on which people rate conversations, blind and in random order.

Everything that is shown travels as one JSON block in which no character can end the block, and the page writes it as
text alone, never as markup; its policy lets no script run but its own and no request leave it.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from random import Random
from typing import Any

from flowc.briefing import item_id, lines, procedure, wishes
from flowc.graph import Graph
from flowc.records import UserError
from flowc.rubric import RUBRIC, menus
from flowc.scenarios import Scenario
from flowc.transcripts import Ended, Transcript

_SLOT = "/*DATA*/"
_HASH = "SCRIPT-HASH"


def screens(
    transcripts: Mapping[str, Sequence[Transcript]], count: int, side_by_side: bool, seed: int
) -> list[list[Transcript]]:
    """Choose what is shown: `count` screens with one conversation each, or two arms on one scenario, left and right.

    Conversations are spread over the arms as evenly as can be; order and sides are random by the seed. Those that the
    simulated user spoilt are left out.
    Raises UserError where two arms are needed and fewer are there.
    """
    rng = Random(f"{seed}:review")
    transcripts = {arm: [t for t in every if t.ended != Ended.USER_ERROR] for arm, every in transcripts.items()}
    if not side_by_side:
        shuffled = [rng.sample(list(played), k=len(played)) for _, played in sorted(transcripts.items())]
        dealt = [column[i] for i in range(max(map(len, shuffled), default=0)) for column in shuffled if i < len(column)]
        chosen = [[t] for t in dealt[:count]]
        return rng.sample(chosen, k=len(chosen))
    if len(transcripts) != 2:
        raise UserError(f"side by side takes two arms, not {len(transcripts)}: name them with --arms")
    by_scenario = [{t.scenario: t for t in played if not t.repeat} for _, played in sorted(transcripts.items())]
    shared = sorted(by_scenario[0].keys() & by_scenario[1].keys())
    chosen_ids = rng.sample(shared, k=min(count, len(shared)))
    return [rng.sample([arm[s] for arm in by_scenario], k=2) for s in chosen_ids]


def payload(graph: Graph, scenarios: Sequence[Scenario], shown: Sequence[Sequence[Transcript]]) -> dict[str, Any]:
    """Give what the page shows, without a word on which arm spoke.

    Raises UserError for a transcript of another scenario.
    """
    by_id = {s.id: s for s in scenarios}
    unknown = sorted({t.scenario for screen in shown for t in screen} - set(by_id))
    if unknown:
        raise UserError(f"scenario {unknown[0]} of a transcript is not among the scenarios; run `dvc repro`")
    content: dict[str, Any] = {
        "procedure": graph.procedure,
        "title": graph.title,
        "steps": procedure(graph),
        "rubric": RUBRIC.version,
        "criteria": [
            {"name": c.name, "title": c.title, "question": c.question, "anchors": list(c.anchors)}
            for c in RUBRIC.criteria
        ],
        "screens": [
            {
                "wishes": wishes(graph, by_id[screen[0].scenario]),
                "items": [
                    {
                        "id": item_id(t),
                        "lines": [list(line) for line in lines(t)],
                        "menus": {name: list(allowed) for name, allowed in menus(t).items()},
                    }
                    for t in screen
                ],
            }
            for screen in shown
        ],
    }
    return content | {"page": hashlib.sha256(json.dumps(content).encode()).hexdigest()[:16]}


def page(template: str, content: Mapping[str, Any]) -> str:
    """Put the content into the template.

    Raises AssertionError when the template has no place for it.
    """
    assert template.count(_SLOT) == 1 and template.count(_HASH) == 1, "the template has lost a place"
    script = re.findall(r"<script>(.*?)</script>", template, re.DOTALL)
    assert len(script) == 1, "the template has one script of its own"
    allowed = base64.b64encode(hashlib.sha256(script[0].encode("utf-8")).digest()).decode("ascii")
    return template.replace(_HASH, allowed).replace(_SLOT, _inert(content))


def _inert(content: Mapping[str, Any]) -> str:
    """JSON in which no `<`, `>`, `&` or line separator is left: it cannot close its block or open another."""
    text = json.dumps(content, ensure_ascii=True, sort_keys=True)
    return re.sub(r"[<>&]", lambda found: f"\\u{ord(found[0]):04x}", text)
