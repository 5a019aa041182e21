"""The card beside a procedure's conversations: who wrote them, from what, how many, and what was dropped.

No clock, host or path, and of own transcripts nothing but counts.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from flowc.gate_report import gate as gate_report
from flowc.graph import Graph
from flowc.languages import NAMES
from flowc.markdown import table, text
from flowc.records import Record, canonical

_CHARACTERS = 300  # of a dropped message that is shown
LICENCES = {
    "scripted": "Every phrase comes from the procedure or from flowc (Apache-2.0); the data are under the procedure's "
    "licence. No language model has written any of it.",
    "model": "The wording was written by the model named above; what may be done with it is what its licence or its "
    "provider's terms allow. The procedure's own phrases are under the procedure's licence.",
}


def data_card(graph: Graph, teacher: str, params: Record, seed: int, metrics: Mapping[str, Any]) -> str:
    """Write the card as Markdown from the metrics of the generation."""
    own, asked = metrics["own"], metrics.get("teacher")
    dollars = sum(d or 0 for d in asked["dollars"].values()) if asked else None
    made = [
        ["Teacher", text(teacher)],
        ["Model", text(asked["model"]) if asked else "none, offline"],
        ["Cost", "nothing" if dollars is None else f"USD {dollars:.4f}"],
        ["Language", NAMES.get(graph.language, text(graph.language))],
        ["Seed", str(seed)],
        ["Graph, sha256", hashlib.sha256(canonical(graph).encode()).hexdigest()],
        *([["Prompts, sha256", asked["prompts"]["sha256"]]] if asked else []),
    ]
    counts = [
        ["Training conversations", f"{metrics['conversations']['train']:,}"],
        ["of these own transcripts", f"{own['kept']:,}"],
        ["Eval conversations", f"{metrics['conversations']['eval']:,}"],
        ["Messages per conversation", f"{metrics['turns_per_conversation']}"],
        *(
            [f"{what} covered", f"{metrics['coverage'][key]:.1%}"]
            for what, key in (("Nodes", "nodes"), ("Edges", "edges"), ("Endings", "endings"))
        ),
        ["Distinct paths", f"{metrics['coverage']['distinct_paths']:,}"],
    ]
    mixed = [
        *([f"dropped for {reason}", f"{n:,}"] for reason, n in sorted(own["dropped"].items())),
        *([f"masked: {kind}", f"{n:,}"] for kind, n in sorted(own["masked"].items())),
    ]
    licence = [LICENCES["model" if asked else "scripted"]]
    licence += ["Own transcripts stay their owner's."] if own["kept"] else []
    return (
        "\n\n".join(
            [
                f"# Conversations of {text(graph.title)}",
                f"`train.jsonl` and `eval.jsonl` hold conversations about `{graph.procedure}`, one a line, to train a "
                "model that follows it. Users, their names and what they buy are invented"
                + (", but for those of own transcripts." if own["kept"] else "."),
                "## Made by",
                table(["", ""], made),
                "## Counts and coverage",
                table(["", ""], counts),
                "## Dropped",
                *gate_report(metrics, _CHARACTERS),
                *([table(["Own transcripts", ""], mixed)] if mixed else []),
                "## Licence",
                " ".join(licence),
                "## Parameters",
                f"```json\n{json.dumps(params.model_dump(mode='json'), indent=2, sort_keys=True)}\n```",
            ]
        )
        + "\n"
    )
