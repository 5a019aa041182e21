"""Repeats: the same wishes in other words, one number each, and scores that agree within their intervals."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence

import pytest

from flowc.conformance import judge
from flowc.evaluate import EvaluateParams, Evaluation, evaluate
from flowc.graph import fingerprint
from flowc.records import Message, canonical
from flowc.repeats import again, repeated
from flowc.scenarios import Scenario
from flowc.simulate import Reply, sampling, simulate
from flowc.tracker import Tracker
from flowc.transcripts import Transcript
from tests.example import example_graph, example_scenarios
from tests.test_simulate import PARAMS, Follower, said

GRAPH = example_graph()
SCENARIOS = [s.model_copy(update={"split": "seen_path"}) for s in example_scenarios(GRAPH, 40)]
THRICE = PARAMS.model_copy(update={"repeats": 3})


class Stumbling(Follower):
    """Talks nonsense from about every twentieth message on: like a greedy model it errs by what it reads."""

    async def reply(self, history: Sequence[Message]) -> Reply:
        if any(m.role == "user" and fingerprint(m.content) % 20 == 0 for m in history):
            return Reply(said("Xylophone zebra quartz."), ())
        return await super().reply(history)


def users(transcript: Transcript) -> list[str]:
    return [t.message.content for t in transcript.turns if t.message.role == "user"]


@pytest.fixture(scope="module")
def played(table_tracker: Tracker) -> list[Transcript]:
    return asyncio.run(simulate(GRAPH, SCENARIOS, "x", lambda s: Stumbling(GRAPH, s), table_tracker, THRICE))


@pytest.fixture(scope="module")
def whole(played: list[Transcript]) -> Evaluation:
    return evaluate(GRAPH, SCENARIOS, {"x": played}, EvaluateParams(resamples=1000, confidence=0.95, power=0.8), 0)


def test_one_repeat_is_the_run_without_repeats_to_the_byte(table_tracker: Tracker, played: list[Transcript]) -> None:
    once = asyncio.run(simulate(GRAPH, SCENARIOS, "x", lambda s: Stumbling(GRAPH, s), table_tracker, PARAMS))
    assert [canonical(t) for t in once] == [canonical(t) for t in played if t.repeat == 0]
    assert "repeat" not in "".join(map(canonical, once))
    assert repeated(SCENARIOS, 1) == sorted(SCENARIOS, key=lambda s: s.id)
    assert sampling(PARAMS, 7) == sampling(PARAMS, 7, 0) != sampling(PARAMS, 7, 1)


def test_a_repeat_has_the_same_wishes_and_another_persona_and_wording() -> None:
    scenario = SCENARIOS[0]
    other = again(scenario, 2)
    changed = {k for k in Scenario.model_fields if getattr(scenario, k) != getattr(other, k)}
    assert (changed, other.repeat) == ({"persona", "seed", "repeat"}, 2)
    assert again(scenario, 2) == other


def test_every_repeat_has_as_many_of_each_persona() -> None:
    counts = [Counter(again(s, repeat).persona for s in SCENARIOS) for repeat in range(3)]
    assert counts[0] == counts[1] == counts[2] == dict.fromkeys(counts[0], 8)


def test_transcripts_come_by_scenario_and_number_and_users_say_it_otherwise(played: list[Transcript]) -> None:
    ids = sorted(s.id for s in SCENARIOS)
    assert [(t.scenario, t.repeat) for t in played] == [(i, repeat) for i in ids for repeat in range(3)]
    alike = sum(users(a)[:2] == users(b)[:2] for a, b in zip(played[::3], played[1::3], strict=True) if users(a))
    assert alike < 4


def test_an_assistant_that_follows_the_graph_succeeds_in_every_repeat(table_tracker: Tracker) -> None:
    by_id = {s.id: s for s in SCENARIOS}
    done = asyncio.run(simulate(GRAPH, SCENARIOS[:20], "x", lambda s: Follower(GRAPH, s), table_tracker, THRICE))
    judged = [judge(GRAPH, by_id[t.scenario], t) for t in done]
    assert [j.faults for j in judged] == [()] * 60
    assert [j.repeat for j in judged[:4]] == [0, 1, 2, 0]


def test_repeats_of_one_configuration_agree_within_their_intervals(played: list[Transcript]) -> None:
    params = EvaluateParams(resamples=1000, confidence=0.95, power=0.8)
    found = []
    for repeat in range(3):
        one = [t.model_copy(update={"repeat": 0}) for t in played if t.repeat == repeat]
        found.append(evaluate(GRAPH, SCENARIOS, {"x": one}, params, repeat).scores["arms"]["x"]["task_success"])
    assert all(0.2 < f["mean"] < 0.95 for f in found)
    assert max(f["ci95"][0] for f in found) <= min(f["ci95"][1] for f in found)


def test_what_passes_once_need_not_pass_every_time(whole: Evaluation) -> None:
    arm = whole.scores["arms"]["x"]
    assert (arm["n"], arm["repeats"], sorted(arm["pass_all"])) == (120, 3, ["1", "2", "3"])
    one, two, three = (arm["pass_all"][k]["mean"] for k in "123")
    assert one == pytest.approx(arm["task_success"]["mean"], abs=1e-4)
    assert one > two > three > one**3
    assert {arm["pass_all"][k]["n"] for k in "123"} == {40}


def test_an_example_names_the_persona_that_spoke(whole: Evaluation, played: list[Transcript]) -> None:
    shown = whole.examples["x"]["bad"]
    said_by = {
        again(next(s for s in SCENARIOS if s.id == t.scenario), t.repeat).persona
        for t in played
        if t.scenario == shown["scenario"]
        and [x.message.content for x in t.turns] == [m["content"] for m in shown["messages"]]
    }
    assert said_by == {shown["persona"]}
