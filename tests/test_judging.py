"""What judges are worth: agreement, stability, self-preference, and success rates corrected by people."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from random import Random
from typing import Any

import pytest

from flowc.briefing import item_id
from flowc.completion import Request, Response, Stop
from flowc.judge_agreement import Sample, agreement, corrected_rate, failed, passed, self_preference, stability, two
from flowc.judges import JudgeParams
from flowc.judging import ask
from flowc.judging import worth as worth_of
from tests.example import NO_DEVIATIONS, example_graph, example_scenarios, play

ITEMS = [f"i{k}" for k in range(40)]
SAMPLE = Sample({i: f"s{k // 2}" for k, i in enumerate(ITEMS)}, {i: "ab"[k % 2] for k, i in enumerate(ITEMS)}, 0.95, 0)


def test_raters_who_agree_have_kappa_and_alpha_of_one() -> None:
    given = {i: float(k % 5 + 1) for k, i in enumerate(ITEMS)}
    found = agreement({"x": given, "y": dict(given)}, SAMPLE)
    assert found["alpha"] == {"value": 1.0, "ci95": [1.0, 1.0], "n": 40}
    assert found["kappa"] == [{"a": "x", "b": "y", "value": 1.0, "ci95": [1.0, 1.0], "n": 40, "same": 1.0}]


def test_raters_who_guess_have_a_kappa_about_zero_within_its_interval() -> None:
    rng = Random(0)
    one, other = ({i: float(rng.randint(1, 2)) for i in ITEMS} for _ in range(2))
    found = two(one, other, SAMPLE)
    low, high = found["ci95"]
    assert low < 0 < high
    assert low <= found["value"] <= high


def test_conversations_that_only_one_rated_do_not_count() -> None:
    assert two({"i0": 1.0, "i1": 2.0}, {"i1": 2.0, "i2": 1.0}, SAMPLE) == {
        "value": None, "ci95": None, "n": 1, "same": 1.0
    }  # fmt: skip
    assert two({"i0": 1.0}, {"i2": 1.0}, SAMPLE) == {"value": None, "ci95": None, "n": 0, "same": None}


def test_task_success_up_to_3_is_failure() -> None:
    assert passed({"a": 3.0, "b": 3.5, "c": 4.0, "d": 1.0}) == {"a": 0.0, "b": 1.0, "c": 1.0, "d": 0.0}
    assert failed([3.0, 3.5, 1.0, None]) == [1.0, 0.0, 1.0, None]


def test_a_judge_who_repeats_himself_is_stable_and_one_who_wavers_is_not() -> None:
    given = {i: float(k % 5 + 1) for k, i in enumerate(ITEMS)}
    assert stability([given, dict(given)], SAMPLE) == {
        "repeats": 2, "value": 1.0, "ci95": [1.0, 1.0], "n": 40, "same": 1.0
    }  # fmt: skip
    wavering = stability([given, {i: 6 - r for i, r in given.items()}], SAMPLE)
    assert wavering["value"] < 0
    assert wavering["same"] == 0.2


def test_self_preference_is_what_is_given_to_the_own_family_above_what_others_give_it() -> None:
    fair = dict.fromkeys(ITEMS, 3.0)
    partial = {i: 4.5 if SAMPLE.arm_of[i] == "a" else 3.5 for i in ITEMS}
    families = {"a": "mine", "b": "theirs"}
    assert self_preference(partial, [fair], "mine", families, SAMPLE) == {"value": 1.0, "ci95": [1.0, 1.0], "n": 40}
    assert self_preference(partial, [fair], "theirs", families, SAMPLE)["value"] == -1.0
    lenient = dict.fromkeys(ITEMS, 4.0)
    assert self_preference(lenient, [fair], "mine", families, SAMPLE)["value"] == 0.0
    assert self_preference(partial, [fair], "mine", {"a": "mine"}, SAMPLE)["value"] is None
    assert self_preference(partial, [], "mine", families, SAMPLE) == {"value": None, "ci95": None, "n": 0}


def test_a_corrected_rate_is_the_truth_of_people_at_the_judges_n() -> None:
    lenient = dict.fromkeys(ITEMS, 1.0)
    people = {i: float(k % 4 == 0) for k, i in enumerate(ITEMS[:20])}
    found = corrected_rate(lenient, people, SAMPLE)
    assert (found["value"], found["n"], found["people"]) == (0.25, 40, 20)
    low, high = found["ci95"]
    assert 0.0 <= low < 0.25 < high <= 0.5


def test_people_who_confirm_the_judge_change_nothing() -> None:
    judge = {i: float(k % 3 > 0) for k, i in enumerate(ITEMS)}
    found = corrected_rate(judge, {i: judge[i] for i in ITEMS[:10]}, SAMPLE)
    assert found["value"] == round(sum(judge.values()) / 40, 4)


def test_without_people_no_rate_is_corrected() -> None:
    found = corrected_rate(dict.fromkeys(ITEMS, 1.0), {}, SAMPLE)
    assert found == {"value": None, "ci95": None, "n": 40, "people": 0}


def test_the_interval_of_a_corrected_rate_holds_the_truth_as_often_as_it_says() -> None:
    held = 0
    for seed in range(60):
        rng = Random(seed)
        truth = {i: float(rng.random() < 0.7) for i in ITEMS}
        judge = {i: t if rng.random() < 0.8 else 1 - t for i, t in truth.items()}
        sample = Sample({i: i for i in ITEMS}, dict.fromkeys(ITEMS, "a"), 0.95, seed)
        low, high = corrected_rate(judge, {i: truth[i] for i in ITEMS[:20]}, sample)["ci95"]
        held += low <= 0.7 <= high
    assert held >= 51  # 0.95 of 60 are 57; fewer than 51 come by chance once in some hundred tries


def test_a_few_people_who_confirm_the_judge_do_not_show_that_it_never_errs() -> None:
    sample = Sample({i: i for i in ITEMS}, dict.fromkeys(ITEMS, "a"), 0.95, 0)
    all_pass = dict.fromkeys(ITEMS, 1.0)
    few, many = (corrected_rate(all_pass, dict.fromkeys(ITEMS[:n], 1.0), sample) for n in (5, 40))
    assert (few["value"], many["value"]) == (1.0, 1.0)
    assert few["ci95"][1] == many["ci95"][1] == 1.0
    assert few["ci95"][0] < 0.8 < 0.9 < many["ci95"][0] < 1.0


GRAPH = example_graph()
SCENARIOS = example_scenarios(GRAPH, 8, NO_DEVIATIONS)
ARMS = {arm: [play(GRAPH, s).model_copy(update={"arm": arm}) for s in SCENARIOS] for arm in ("compiled", "frontier")}


@pytest.fixture(scope="module")
def worth() -> dict[str, Any]:
    judges = [
        JudgeParams(name=name, provider="compatible", model=name, family=family, repeats=repeats)
        for name, family, repeats in (("one", "x", 2), ("other", "y", 1))
    ]

    def complete(request: Request) -> Response:
        length = len(request.messages[0].text)
        rating = 2 + length % 3 if request.model == "one" else 2 + length % 2
        ratings = {p: "3" if p.startswith("graceful") else str(rating) for p in request.properties}
        values = {p: r if p.endswith("rating") else "quoted from nowhere" for p, r in ratings.items()}
        if request.model == "other":
            values["naturalness_rating"] = "much"
        return Response(
            text=json.dumps(values), stop=Stop.END, model="m", input_tokens=0, cache_read_tokens=0,
            cache_write_tokens=0, output_tokens=0, batch=False,
        )  # fmt: skip

    async def answer(requests: Sequence[Request]) -> list[Response]:
        return list(map(complete, requests))

    by_id = {s.id: s for s in SCENARIOS}
    said = [asyncio.run(ask(j, answer, GRAPH, by_id, ARMS, "compiled", ["frontier"])) for j in judges]
    every = [t for played in ARMS.values() for t in played]
    sample = Sample({item_id(t): t.scenario for t in every}, {item_id(t): t.arm for t in every}, 0.95, 0)
    people = {"ann": {item_id(t): {"task_success": 4} for t in every[:4]}}
    joined = said[0]._replace(judged=said[0].judged + said[1].judged)
    succeeded = {item_id(t): 1.0 for t in every}
    return worth_of(joined, judges, {"frontier": "x", "compiled": "z"}, succeeded, people, sample)


def test_the_summary_counts_verdicts_and_problems(worth: dict[str, Any]) -> None:
    assert worth["judges"]["one"] == {
        "provider": "compatible", "model": "one", "family": "x", "verdicts": 160, "unscored": {},
        "unfounded_quotes": 160,
    }  # fmt: skip
    assert worth["judges"]["other"]["unscored"] == {"off_menu": 16}


def test_the_summary_has_people_among_the_raters_and_repeats_apart(worth: dict[str, Any]) -> None:
    agreed = worth["agreement"]["task_success"]
    assert agreed["raters"] == ["human ann", "one", "other"]
    assert agreed["alpha"]["n"] == 16
    assert list(worth["stability"]) == ["one"]
    assert worth["agreement"]["naturalness"]["raters"] == ["one"]
    assert sorted(worth["with_people"]) == ["deterministic", "one", "other"]
    assert sorted(worth["corrected_success"]["deterministic"]) == ["compiled", "frontier"]
    assert worth["corrected_success"]["deterministic"]["frontier"]["value"] is None
    assert worth["pairwise"] == []
