"""Scores of every arm: means of the judge's criteria with bootstrap intervals, whole and by slice, and the tests
between arms. Several transcripts of one scenario are its repeats.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Self

from pydantic import Field, model_validator

from flowc.bootstrap import ratio_interval
from flowc.briefing import item_id
from flowc.comparisons import by_scenario, compare
from flowc.conformance import CRITERIA, Counts, Judgement, judge
from flowc.facts import facts_asked_for
from flowc.failures import failures
from flowc.frontier import ARMS as FRONTIER_ARMS
from flowc.frontier import Played
from flowc.graph import Graph
from flowc.judge_agreement import Sample, failed
from flowc.judges import JudgeParams
from flowc.judging import DETERMINISTIC, Verdicts, mean_ratings, worth
from flowc.prefix import growth
from flowc.ratings import HUMAN, Matched, RatingFile, match, means, summary
from flowc.records import Record, UserError
from flowc.repeats import again
from flowc.rubric import RUBRIC
from flowc.scenarios import Scenario, kinds
from flowc.tracker import Tracker, measure
from flowc.transcripts import Ended, Transcript

OWN_ARM = "compiled"
"""The arm that the others are compared with."""
STRICT = ("right_calls", "in_order", "faultless")
"""What may be asked of a success beyond its definition, each with those before it."""


class EvaluateParams(Record):
    """How scores get their intervals, and comparisons their tests."""

    resamples: int = Field(ge=100)
    """Bootstrap resamples."""
    confidence: float = Field(gt=0, lt=1)
    """Coverage of the intervals; what is left is the level of the tests."""
    power: float = Field(gt=0, lt=1)
    """Chance with which the smallest difference that a sample could have shown would be found."""
    judges: tuple[JudgeParams, ...] = ()
    """Models that judge as well."""
    pairs: tuple[str, ...] = ()
    """Arms that they compare with the compiled model, in both orders."""
    families: dict[str, str] = Field(default_factory=dict)
    """Arm to the family of its model, to see whether a judge favours its own. Arms that are not here do not count."""

    @model_validator(mode="after")
    def _named_apart(self) -> Self:
        names = [HUMAN, DETERMINISTIC, *(j.name for j in self.judges)]
        if len(set(names)) < len(names):
            raise ValueError(f"two judges have the same name among {', '.join(names)}; give each its own")
        return self

    @model_validator(mode="after")
    def _asked_apart(self) -> Self:
        # Equal questions have one answer: such judges would agree perfectly, and a pair asked twice counts for none.
        how = [(j.provider, j.model, j.temperature, j.effort, j.max_tokens) for j in self.judges]
        if same := [j.name for j, asked in zip(self.judges, how, strict=True) if how.count(asked) > 1]:
            raise ValueError(f"judges {', '.join(same)} ask one model alike; keep one, with `repeats` to ask it again")
        if len(set(self.pairs)) < len(self.pairs):
            raise ValueError(f"pairs name an arm twice: {', '.join(self.pairs)}")
        return self

    @model_validator(mode="after")
    def _families_to_compare(self) -> Self:
        # A judge's bonus for its own family is what it gives it above what it gives to the others.
        if len(set(self.families.values())) == 1:
            (family,) = set(self.families.values())
            raise ValueError(f"families: every arm is of {family!r}; name those of other families too, or none")
        return self


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
    ratings: Sequence[RatingFile] = (),
    frontier: Mapping[str, Played] | None = None,
    verdicts: Verdicts = Verdicts(),  # noqa: B008
) -> Evaluation:
    """Judge all transcripts, by arm; people's `ratings` and judge models' `verdicts` stand beside the scores.

    `frontier` says which model played the arms of a provider, or why none did.

    Raises UserError when an arm's transcripts are not of these scenarios, each with the same repeats.
    """
    by_id = {s.id: s for s in scenarios}
    judgements: list[Judgement] = []
    arms: dict[str, Any] = {}
    examples: dict[str, Any] = {}
    scored: dict[str, dict[str, dict[str, float]]] = {}
    own = growth(transcripts.get(OWN_ARM, ()))
    common = min((1 + max(t.repeat for t in played) for played in transcripts.values() if played), default=1)
    for arm, played in sorted(transcripts.items()):
        found = sorted((t.scenario, t.repeat) for t in played)
        repeats = 1 + max((repeat for _, repeat in found), default=0)
        if found != [(scenario, repeat) for scenario in sorted(by_id) for repeat in range(repeats)]:
            raise UserError(f"the transcripts of arm {arm!r} are not of the present scenarios; run `dvc repro`")
        judged = [judge(graph, by_id[t.scenario], t) for t in played]
        judgements += judged
        arms[arm] = _score_arm(graph, by_id, played, judged, params, seed)
        # A provider's tokenizer is another, so its arms are fitted alone.
        arms[arm]["tokens"] = _tokens(played, None if own is None or arm in FRONTIER_ARMS else own.per_piece)
        examples[arm] = _examples(by_id, played, judged) | {"failures": failures(played, judged)}
        scored[arm] = {c: by_scenario(played, [j.scores[c] for j in judged], common) for c in CRITERIA}
    people = match(ratings, graph.procedure, [t for played in transcripts.values() for t in played])
    for arm, played in transcripts.items():
        of = [t.scenario for t in played]
        given = {j.name: mean_ratings(verdicts.judged, j.name, played) for j in params.judges}
        scored[arm] |= {f"{j}.{c}": by_scenario(played, v, common) for j, by in given.items() for c, v in by.items()}
        given |= {HUMAN: means(people, played)} if people.by_rater else {}
        on = {"rubric": RUBRIC.version}
        arms[arm] |= {f"{j}.{c}": interval(v, params, seed, of) | on for j, by in given.items() for c, v in by.items()}
        arms[arm]["failure"] |= {
            f"{j}.task_success": interval(failed(by["task_success"]), params, seed, of) | on for j, by in given.items()
        }
    by_provider = frontier or {}
    models = {arm: p.model_dump(exclude={"not_run"}) for arm, p in by_provider.items() if arm in transcripts}
    measured = measure(graph, Tracker(graph, seed), seed)
    scores = {
        "procedure": graph.procedure,
        "seed": seed,
        "arms": arms,
        "comparisons": compare(
            scored,
            OWN_ARM,
            resamples=params.resamples,
            confidence=params.confidence,
            power=params.power,
            seed=seed,
        )
        if OWN_ARM in scored
        else [],
        "not_run": {
            arm: f"not run: {by_provider[arm].not_run if arm in by_provider else 'not asked for'}"
            for arm in FRONTIER_ARMS
            if arm not in transcripts
        },
        **({"models": models} if models else {}),
        **({"ratings": summary(people)} if any(people) else {}),
        "judging": _judging(transcripts, judgements, people, verdicts, params, seed)
        if params.judges or people.by_rater
        else "not run: none configured",
        "tracker": {
            "accuracy": interval(measured["right"], params, seed),
            "by_node": measured["by_node"],
            "on": "held-out agent phrases",
        },
    }
    return Evaluation(judgements, scores, examples)


def _judging(
    transcripts: Mapping[str, Sequence[Transcript]],
    judgements: Sequence[Judgement],
    people: Matched,
    verdicts: Verdicts,
    params: EvaluateParams,
    seed: int,
) -> dict[str, Any]:
    every = [t for _, played in sorted(transcripts.items()) for t in played]  # the order of the judgements
    sample = Sample(
        {item_id(t): t.scenario for t in every}, {item_id(t): t.arm for t in every}, params.confidence, seed
    )
    success = [(item_id(t), j.scores["task_success"]) for t, j in zip(every, judgements, strict=True)]
    succeeded = {item: score for item, score in success if score is not None}
    return worth(verdicts, params.judges, params.families, succeeded, people.by_rater, sample)


def interval(
    values: Sequence[float | None], params: EvaluateParams, seed: int, clusters: Sequence[str] | None = None
) -> dict[str, Any]:
    """Give mean, bootstrap interval, n and the number of unscored values (None).

    Values of the same cluster are drawn together; without `clusters` each stands for itself. The mean and the
    interval of no values are null, never zero. `clusters` counts what was drawn.
    """
    sums: dict[Any, float] = {}
    counts: Counter[Any] = Counter()
    for cluster, value in zip(range(len(values)) if clusters is None else clusters, values, strict=True):
        if value is not None:
            sums[cluster] = sums.get(cluster, 0.0) + value
            counts[cluster] += 1
    n = counts.total()
    return {
        "mean": round(sum(sums.values()) / n, 4) if n else None,
        "ci95": ratio_interval(
            list(sums.values()), [counts[c] for c in sums], params.resamples, params.confidence, seed
        ),
        "n": n,
        "clusters": len(sums),
        "unscored": len(values) - n,
    }


def pass_all(passed: int, played: int, k: int) -> float:
    """Give the unbiased estimate that `k` runs of a scenario would all pass, of which `passed` of `played` did.

    Source: pass^k of tau-bench (arXiv 2406.12045).
    """
    return math.comb(passed, k) / math.comb(played, k)


def _score_arm(
    graph: Graph,
    by_id: Mapping[str, Scenario],
    played: Sequence[Transcript],
    judged: Sequence[Judgement],
    params: EvaluateParams,
    seed: int,
) -> dict[str, Any]:
    def mean(values: Sequence[float | None], chosen: Sequence[Judgement]) -> dict[str, Any]:
        return interval(values, params, seed, [j.scenario for j in chosen])

    def criteria(chosen: Sequence[Judgement]) -> dict[str, Any]:
        return {c: mean([j.scores[c] for j in chosen], chosen) for c in CRITERIA}

    def counted(name: str) -> dict[str, Any]:
        return _counted([getattr(j, name) for j in judged], [j.scenario for j in judged], params, seed)

    passed = Counter(j.scenario for j in judged if j.scores["task_success"] == 1)
    scored = Counter(j.scenario for j in judged if j.scores["task_success"] is not None)
    failed = [None if (score := j.scores["task_success"]) is None else float(score != 1) for j in judged]
    strict = [_strict(j) for j in judged]
    facts = [facts_asked_for(graph, t, j) for t, j in zip(played, judged, strict=True)]
    stated = [(t.scenario, i < c.right) for t, found in zip(played, facts, strict=True) for c in found.values()
              for i in range(c.n)]  # fmt: skip
    spoilt = sum(t.ended == Ended.USER_ERROR for t in played)
    repeats = len(judged) // len(by_id)
    splits = sorted({s.split for s in by_id.values()})
    kinds_of = {i: kinds(graph, s) for i, s in by_id.items()}
    planned = sorted({kind for found in kinds_of.values() for kind in found})
    n = len(played)
    return {
        "n": n,
        "repeats": repeats,
        "unscored": spoilt,
        "simulator_errors": spoilt,
        **criteria(judged),
        "strict": {level: mean([s[level] for s in strict], judged) for level in STRICT},
        "by_split": {x: criteria([j for j in judged if by_id[j.scenario].split == x]) for x in splits},
        "by_deviation": {k: criteria([j for j in judged if k in kinds_of[j.scenario]]) for k in planned},
        "by_node": counted("decisions"),
        "by_slot": counted("values"),
        "by_recovery": counted("recoveries"),
        "by_fact": _counted(facts, [t.scenario for t in played], params, seed),
        "knowledge": {"stated": interval([float(right) for _, right in stated], params, seed, [s for s, _ in stated])},
        "failure": {"task_success": mean(failed, judged)},
        "pass_all": {
            str(k): interval(
                [pass_all(passed[s], scored[s], k) if scored[s] >= k else None for s in sorted(by_id)], params, seed
            )
            for k in range(1, repeats + 1)
        },
        "endings": dict(sorted(Counter(t.ended.value for t in played).items())),
    }


def _strict(judgement: Judgement) -> dict[str, float | None]:
    """Whether a conversation succeeds when more is asked of it than the ending and the calls; each level asks more."""
    success = judgement.scores["task_success"]
    if success is None:
        return dict.fromkeys(STRICT)
    right = bool(success) and judgement.right_calls is True
    in_order = right and judgement.scores["procedure_order"] == 1
    return dict(zip(STRICT, map(float, (right, in_order, not judgement.faults)), strict=True))


def _tokens(played: Sequence[Transcript], per_piece: float | None) -> dict[str, float | None]:
    """Give the tokens of a mean conversation by the server's counts, and what of the prompts recurs."""
    n = len(played)
    prompt = sum(t.tokens.prompt for t in played) / n
    grown = growth(played, per_piece)
    messages = sum(turn.message.role == "assistant" for t in played for turn in t.turns)
    return {
        "prompt_per_conversation": round(prompt, 1),
        "completion_per_conversation": round(sum(t.tokens.completion for t in played) / n, 1),
        "calls_per_conversation": round(sum(t.tokens.calls for t in played) / n, 2),
        "messages_per_conversation": round(messages / n, 2),
        "recurring_per_conversation": round(prompt * grown.recurring, 1) if grown else None,
        "system_prompt": round(grown.system, 1) if grown else None,
    }


def _counted(
    counts: Sequence[Mapping[str, Counts]], clusters: Sequence[str], params: EvaluateParams, seed: int
) -> dict[str, Any]:
    """Sum counts by name, with the interval of their ratio: what one conversation counts is drawn together."""
    out: dict[str, Any] = {}
    for name in sorted({name for one in counts for name in one}):
        n: Counter[str] = Counter()
        right: Counter[str] = Counter()
        for cluster, one in zip(clusters, counts, strict=True):
            if name in one:
                n[cluster] += one[name].n
                right[cluster] += one[name].right
        out[name] = {
            "n": n.total(),
            "right": right.total(),
            "clusters": len(n),
            "ci95": ratio_interval([right[c] for c in n], [n[c] for c in n], params.resamples, params.confidence, seed),
        }
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
    scenario = again(by_id[transcript.scenario], transcript.repeat)
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
