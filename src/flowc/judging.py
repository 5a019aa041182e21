"""Judge models at work: every conversation and pair is asked once, and what comes of it is summed up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, NamedTuple

from flowc.briefing import item_id
from flowc.completion import Request, Response
from flowc.graph import Graph
from flowc.judge_agreement import Sample, agreement, corrected_rate, passed, self_preference, stability, two
from flowc.judges import Judged, JudgeParams, rating_request, read
from flowc.pairwise import Compared, pair_request, read_pair, tally
from flowc.ratings import HUMAN
from flowc.records import UserError
from flowc.rubric import RUBRIC
from flowc.scenarios import Scenario
from flowc.transcripts import Ended, Transcript

Answer = Callable[[Sequence[Request]], Awaitable[Sequence[Response]]]
"""Whatever answers requests, in their order: a provider, call by call or by batch, or a script."""
Arms = Mapping[str, Sequence[Transcript]]

DETERMINISTIC = "deterministic"


class Verdicts(NamedTuple):
    """All that judge models said."""

    judged: tuple[Judged, ...] = ()
    compared: tuple[Compared, ...] = ()


async def ask(
    judge: JudgeParams,
    answer: Answer,
    graph: Graph,
    scenarios: Mapping[str, Scenario],
    arms: Arms,
    own: str,
    against: Sequence[str],
) -> Verdicts:
    """Let one judge rate every conversation, `judge.repeats` times, and compare `own` with the arms of `against`.

    Conversations that the simulated user spoilt are left out, and so are pairs in which both arms said the same.
    Raises what `answer` raises, and UserError for an arm to compare with that is not there.
    """
    for arm in against:
        if arm not in arms or arm == own:
            others = ", ".join(sorted(arms.keys() - {own}))
            raise UserError(f"evaluate.pairs has {arm!r}, which is no other arm of this run; those are {others}")
    arms = {arm: [t for t in every if t.ended != Ended.USER_ERROR] for arm, every in sorted(arms.items())}
    rated = [(t, repeat) for played in arms.values() for t in played for repeat in range(judge.repeats)]
    pairs = [pair for other in against for pair in _pairs(arms[own], arms[other])]
    both = [ordered for one, other in pairs for ordered in ((one, other), (other, one))]
    requests = [rating_request(judge, graph, scenarios[t.scenario], t, repeat) for t, repeat in rated]
    requests += [pair_request(judge, graph, scenarios[a.scenario], a, b) for a, b in both]
    exchanges = list(zip(requests, await answer(requests), strict=True))
    of_rated, of_both = exchanges[: len(rated)], exchanges[len(rated) :]
    return Verdicts(
        tuple(read(judge, t, repeat, *said) for (t, repeat), said in zip(rated, of_rated, strict=True)),
        tuple(read_pair(judge, a, b, *said) for (a, b), said in zip(both, of_both, strict=True)),
    )


def _pairs(own: Sequence[Transcript], other: Sequence[Transcript]) -> list[tuple[Transcript, Transcript]]:
    """The transcripts of each scenario in both arms where the two differ; of repeats the first, which both have."""
    firsts = [{t.scenario: t for t in played if not t.repeat} for played in (own, other)]
    return [
        (firsts[0][s], firsts[1][s])
        for s in sorted(firsts[0].keys() & firsts[1].keys())
        if [t.message for t in firsts[0][s].turns] != [t.message for t in firsts[1][s].turns]
    ]


def mean_ratings(judged: Sequence[Judged], judge: str, played: Sequence[Transcript]) -> dict[str, list[float | None]]:
    """Give a judge's rating of each transcript, the mean over its repeats, by criterion; None where unscored."""
    given: dict[tuple[str, str], list[int]] = {}
    for one in judged:
        for verdict in one.verdicts:
            if one.judge == judge and verdict.rating is not None:
                given.setdefault((one.item, verdict.criterion), []).append(verdict.rating)

    def mean(item: str, criterion: str) -> float | None:
        ratings = given.get((item, criterion))
        return sum(ratings) / len(ratings) if ratings else None

    items = [item_id(t) for t in played]
    return {c.name: [mean(i, c.name) for i in items] for c in RUBRIC.criteria}


def worth(
    verdicts: Verdicts,
    judges: Sequence[JudgeParams],
    families: Mapping[str, str],
    succeeded: Mapping[str, float],
    people: Mapping[str, Mapping[str, Mapping[str, int]]],
    sample: Sample,
) -> dict[str, Any]:
    """Say what the judges are worth.

    `succeeded` is the deterministic judge's task success by conversation, `people` is rater to conversation to
    criterion to rating. With people's ratings each arm's success rate is corrected, for every judge.
    """
    given = {j.name: [_given(verdicts.judged, j.name, repeat) for repeat in range(j.repeats)] for j in judges}
    firsts = {name: repeats[0] for name, repeats in given.items()}
    raters = firsts | {f"{HUMAN} {name}": _by_criterion(rated) for name, rated in sorted(people.items())}
    success = {name: passed(by.get("task_success", {})) for name, by in firsts.items()}
    human = _human_success(people)
    family_of = {j.name: j.family for j in judges}
    return {
        "rubric": RUBRIC.version,
        "judges": {j.name: _counts(j, verdicts.judged) for j in judges},
        "agreement": {
            c.name: agreement({r: by[c.name] for r, by in raters.items() if by.get(c.name)}, sample)
            for c in RUBRIC.criteria
        },
        "with_deterministic": {name: two(given, succeeded, sample) for name, given in success.items()},
        "with_people": {n: two(g, human, sample) for n, g in {DETERMINISTIC: succeeded, **success}.items()}
        if human
        else None,
        "corrected_success": _corrected({DETERMINISTIC: succeeded, **success}, human, sample) if human else None,
        "stability": {
            name: {c.name: stability([r.get(c.name, {}) for r in repeats], sample) for c in RUBRIC.criteria}
            for name, repeats in given.items()
            if len(repeats) > 1
        },
        "self_preference": {
            name: {
                c.name: self_preference(
                    by.get(c.name, {}),
                    [o.get(c.name, {}) for other, o in firsts.items() if family_of[other] != family_of[name]],
                    family_of[name],
                    families,
                    sample,
                )
                for c in RUBRIC.criteria
            }
            for name, by in firsts.items()
        },
        "pairwise": tally(verdicts.compared),
    }


def _given(judged: Sequence[Judged], judge: str, repeat: int) -> dict[str, dict[str, float]]:
    """Criterion to conversation to rating."""
    out: dict[str, dict[str, float]] = {}
    for one in judged:
        for verdict in one.verdicts:
            if (one.judge, one.repeat) == (judge, repeat) and verdict.rating is not None:
                out.setdefault(verdict.criterion, {})[one.item] = float(verdict.rating)
    return out


def _by_criterion(rated: Mapping[str, Mapping[str, int]]) -> dict[str, dict[str, float]]:
    out: dict[str, dict[str, float]] = {}
    for item, scores in rated.items():
        for criterion, rating in scores.items():
            out.setdefault(criterion, {})[item] = float(rating)
    return out


def _human_success(people: Mapping[str, Mapping[str, Mapping[str, int]]]) -> dict[str, float]:
    """Whether the mean of people's ratings of task success is above failure."""
    ratings: dict[str, list[int]] = {}
    for rated in people.values():
        for item, scores in rated.items():
            if "task_success" in scores:
                ratings.setdefault(item, []).append(scores["task_success"])
    return passed({item: sum(some) / len(some) for item, some in ratings.items()})


def _corrected(
    success: Mapping[str, Mapping[str, float]], human: Mapping[str, float], sample: Sample
) -> dict[str, dict[str, Any]]:
    arms = sorted(set(sample.arm_of.values()))
    return {
        judge: {
            arm: corrected_rate({i: v for i, v in given.items() if sample.arm_of[i] == arm}, human, sample)
            for arm in arms
        }
        for judge, given in success.items()
    }


def _counts(judge: JudgeParams, judged: Sequence[Judged]) -> dict[str, Any]:
    """Count a judge's verdicts, the unscored ones by reason, and quotations that do not stand in the conversation."""
    verdicts = [v for one in judged if one.judge == judge.name for v in one.verdicts]
    problems = Counter(v.problem.value for v in verdicts if v.problem)
    return {
        "provider": judge.provider,
        "model": judge.model,
        "family": judge.family,
        "verdicts": len(verdicts),
        "unscored": dict(sorted(problems.items())),
        "unfounded_quotes": sum(v.problem is None and not v.founded for v in verdicts),
    }
