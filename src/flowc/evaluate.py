"""Scores of every arm: means of the judge's criteria with bootstrap intervals, whole and by slice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from pydantic import Field

from flowc.conformance import CRITERIA, Judgement, judge
from flowc.graph import Graph
from flowc.records import Record, UserError
from flowc.scenarios import Scenario
from flowc.tracker import Tracker, measure
from flowc.transcripts import Transcript

FRONTIER_ARMS = ("frontier_in_context", "frontier_orchestrated")


class EvaluateParams(Record):
    """How scores get their intervals."""

    resamples: int = Field(ge=100)
    """Bootstrap resamples."""
    confidence: float = Field(gt=0, lt=1)
    """Coverage of the intervals."""


class Evaluation(NamedTuple):
    """What evaluating one procedure gives."""

    judgements: list[Judgement]
    scores: dict[str, Any]
    examples: dict[str, Any]


def evaluate(
    graph: Graph,
    scenarios: Sequence[Scenario],
    transcripts: Mapping[str, Sequence[Transcript]],
    params: EvaluateParams,
    seed: int,
) -> Evaluation:
    """Judge all transcripts, by arm.

    Raises UserError when an arm's transcripts are not of these scenarios.
    """
    by_id = {s.id: s for s in scenarios}
    judgements: list[Judgement] = []
    arms: dict[str, Any] = {}
    examples: dict[str, Any] = {}
    for arm, played in sorted(transcripts.items()):
        if sorted(t.scenario for t in played) != sorted(by_id):
            raise UserError(f"the transcripts of arm {arm!r} are not of the present scenarios; run `dvc repro`")
        judged = [judge(graph, by_id[t.scenario], t) for t in played]
        judgements += judged
        arms[arm] = _score_arm(by_id, played, judged, params, seed)
        examples[arm] = _examples(by_id, played, judged)
    measured = measure(graph, Tracker(graph, seed), seed)
    scores = {
        "procedure": graph.procedure,
        "seed": seed,
        "arms": arms,
        "comparisons": [],
        "not_run": dict.fromkeys(FRONTIER_ARMS, "not run: no frontier arm is built yet, with or without a key"),
        "tracker": {
            "accuracy": interval(measured["right"], params, seed),
            "by_node": measured["by_node"],
            "on": "held-out agent phrases",
        },
    }
    return Evaluation(judgements, scores, examples)


def interval(values: Sequence[float | None], params: EvaluateParams, seed: int) -> dict[str, Any]:
    """Give mean, bootstrap interval, n and the number of unscored values (None).

    The mean and the interval of no values are null, never zero.
    """
    scored = np.array([v for v in values if v is not None], dtype=float)
    unscored = len(values) - len(scored)
    if not len(scored):
        return {"mean": None, "ci95": None, "n": 0, "unscored": unscored}
    rng = np.random.default_rng(seed)
    means = scored[rng.integers(0, len(scored), (params.resamples, len(scored)))].mean(axis=1)
    tail = (1 - params.confidence) / 2
    low, high = np.quantile(means, [tail, 1 - tail])
    return {
        "mean": round(float(scored.mean()), 4),
        "ci95": [round(float(low), 4), round(float(high), 4)],
        "n": len(scored),
        "unscored": unscored,
    }


def _score_arm(
    by_id: Mapping[str, Scenario],
    played: Sequence[Transcript],
    judged: Sequence[Judgement],
    params: EvaluateParams,
    seed: int,
) -> dict[str, Any]:
    def criteria(chosen: Sequence[Judgement]) -> dict[str, Any]:
        return {c: interval([j.scores[c] for j in chosen], params, seed) for c in CRITERIA}

    splits = sorted({s.split for s in by_id.values()})
    kinds = sorted({d for s in by_id.values() for d in s.deviations})
    n = len(played)
    return {
        "n": n,
        "unscored": 0,
        "simulator_errors": 0,
        **criteria(judged),
        "by_split": {x: criteria([j for j in judged if by_id[j.scenario].split == x]) for x in splits},
        "by_deviation": {k: criteria([j for j in judged if k in by_id[j.scenario].deviations]) for k in kinds},
        "by_node": _by_node(judged),
        "endings": dict(sorted(Counter(t.ended.value for t in played).items())),
        "tokens": {
            "prompt_per_conversation": round(sum(t.tokens.prompt for t in played) / n, 1),
            "completion_per_conversation": round(sum(t.tokens.completion for t in played) / n, 1),
            "calls_per_conversation": round(sum(t.tokens.calls for t in played) / n, 2),
        },
    }


def _by_node(judged: Sequence[Judgement]) -> dict[str, Any]:
    """Count the decisions at each node over all conversations, and those that were right."""
    out: dict[str, Any] = {}
    for judgement in judged:
        for node, found in judgement.decisions.items():
            sums = out.setdefault(node, {"n": 0, "right": 0})
            sums["n"] += found.n
            sums["right"] += found.right
    return out


def _examples(
    by_id: Mapping[str, Scenario], played: Sequence[Transcript], judged: Sequence[Judgement]
) -> dict[str, Any]:
    """Choose a good conversation (without a fault, the longest) and a bad one (the most faults)."""
    pairs = list(zip(played, judged, strict=True))
    good = [p for p in pairs if not p[1].faults]
    bad = [p for p in pairs if p[1].faults]
    best = max(good, key=lambda p: (len(p[0].turns), p[0].scenario), default=None)
    worst = max(
        bad,
        key=lambda p: (1 - (p[1].scores["task_success"] or 0), -len(p[0].turns), p[0].scenario),
        default=None,
    )
    return {"good": _example(by_id, best), "bad": _example(by_id, worst)}


def _example(by_id: Mapping[str, Scenario], pair: tuple[Transcript, Judgement] | None) -> dict[str, Any] | None:
    if pair is None:
        return None
    transcript, judgement = pair
    scenario = by_id[transcript.scenario]
    return {
        "scenario": scenario.id,
        "split": scenario.split,
        "persona": scenario.persona,
        "ended": transcript.ended.value,
        "expected_ending": scenario.ending,
        "faults": [f"turn {f.turn}: {f.criterion}: {f.text}" for f in judgement.faults],
        "messages": [
            {
                "role": t.message.role,
                "content": t.message.content,
                "tool_calls": [c.model_dump() for c in t.message.tool_calls],
                "steps": list(t.labels),
            }
            for t in transcript.turns
        ],
    }
