"""The card beside a procedure's conversations: who wrote them, from what, at what cost, how many, and what was dropped.

It follows from the graph, the parameters and the answers alone: no clock, host or path.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from flowc.graph import Graph
from flowc.languages import NAMES
from flowc.markdown import table, text
from flowc.records import Record

SCRIPTED = (
    "Every phrase comes from the procedure or from flowc (Apache-2.0), and no language model has written any of it: "
    "the data are under the procedure's licence."
)
WRITTEN = (
    "The wording is that of the model named above: what may be done with it is what its licence or its provider's "
    "terms allow. The procedure's own phrases are under the procedure's licence."
)
OWN = "Own transcripts stay their owner's."
COVERED = {
    "nodes": "Nodes", "edges": "Edges", "edge_pairs": "Pairs of edges", "endings": "Endings",
    "interrupts": "Interrupts",
}  # fmt: skip


def data_card(graph: Graph, teacher: str, params: Record, seed: int, metrics: Mapping[str, Any]) -> str:
    """Write the card as Markdown. `metrics` are those of the generation; `params` are shown as they are."""
    asked, own = metrics.get("teacher"), metrics.get("own")
    parts = [
        f"# Conversations of {text(graph.title)}",
        f"`train.jsonl` and `eval.jsonl` hold conversations about `{graph.procedure}`, one a line, to train a model "
        "that follows it. "
        + (
            "Own transcripts are real and masked; all else is invented."
            if own
            else "Users and what they tell are invented."
        ),
        "## Made by",
        table(["", ""], _made(graph, teacher, seed, asked)),
        "## Counts and coverage",
        table(["", ""], _counts(metrics)),
        "## Dropped",
        _dropped(metrics.get("gate"), asked),
        *(["## Own transcripts", table(["", ""], _own(own))] if own else []),
        "## Licence",
        WRITTEN if asked else SCRIPTED,
        *([OWN] if own else []),
        "## Parameters",
        f"```json\n{_json(params)}\n```",
    ]
    return "\n\n".join(parts) + "\n"


def _made(graph: Graph, teacher: str, seed: int, asked: Mapping[str, Any] | None) -> list[list[str]]:
    written = _json(graph) + "\n"  # as its file has it, so that `sha256sum` gives the same
    graph_hash = hashlib.sha256(written.encode("utf-8")).hexdigest()
    rows = [["Teacher", text(teacher)]]
    if asked:
        rows += [["Model", text(asked["model"])], ["Mode", text(asked["mode"])], ["Calls", f"{asked['calls']:,}"]]
        rows += [["Prompts, sha256", asked["prompts"]["sha256"]]]
        rows += [[f"Cost of {text(m)}", _money(d)] for m, d in asked["dollars"].items()]
    else:
        rows += [["Model", "none, offline"], ["Cost", "nothing"]]
    language = NAMES.get(graph.language, text(graph.language))
    return [*rows, ["Language", language], ["Seed", str(seed)], ["Graph, sha256", graph_hash]]


def _json(record: Record) -> str:
    return json.dumps(record.model_dump(mode="json"), sort_keys=True, indent=2, ensure_ascii=False)


def _money(dollars: float | None) -> str:
    return "not known: no price" if dollars is None else f"USD {dollars:.4f}"


def _counts(metrics: Mapping[str, Any]) -> list[list[str]]:
    count, covered = metrics["conversations"], metrics["coverage"]
    return [
        ["Training conversations", f"{count['train']:,}"],
        ["Eval conversations", f"{count['eval']:,}"],
        ["Messages per training conversation", f"{metrics['turns_per_conversation']}"],
        ["Distinct paths in training", f"{covered['distinct_paths']:,}"],
        *([f"{what} covered in training", f"{covered[key]:.1%}"] for key, what in COVERED.items()),
    ]


def _dropped(gate: Mapping[str, Any] | None, asked: Mapping[str, Any] | None) -> str:
    """What the gate dropped by reason, and before it what the teacher could not write."""
    rows = [[f"not written: {text(r)}", f"{n:,}"] for r, n in sorted(asked["dropped"].items())] if asked else []
    if gate is None:
        rows.append(["quality gate", "not applied"])
    else:
        rows += [["passed the quality gate", f"{gate['kept']:,} of {gate['written']:,}"]]
        rows += [[f"dropped: {text(reason)}", f"{n:,}"] for reason, n in sorted(gate["dropped"].items()) if n]
        rows += [["near-duplicate rate", f"{gate['near_duplicate_share']:.2%}"]]
    return table(["", "Conversations"], rows)


def _own(own: Mapping[str, Any]) -> list[list[str]]:
    return [
        ["trained on", f"{own['kept']:,}"],
        *([f"dropped: {text(reason)}", f"{n:,}"] for reason, n in own["dropped"].items()),
        *([f"masked: {text(kind)}", f"{n:,}"] for kind, n in own["masked"].items()),
    ]
