"""Branches where users choose: each choice is put to the model about equally often, and none is a held-out path."""

from __future__ import annotations

from collections import Counter
from random import Random

import pytest

from flowc.branches import branches
from flowc.filling import Deviations
from flowc.generate import GenerateParams, generate, planned
from flowc.graph import Graph
from flowc.scenarios import Scenario, is_held_out_path
from tests.gates import GATE
from tests.test_procedures import load

TRUNKS = 40
PARAMS = GenerateParams(
    teacher="scripted", train=TRUNKS, branches=4, hub_branches=3, variety=0.3, eval=4, scenarios=8, interrupts=0.1,
    deviations=Deviations(volunteer=0.2, correction=0.2, side_question=0.2, off_topic=0.2), gate=GATE,
)  # fmt: skip
Families = list[list[Scenario]]


@pytest.fixture(scope="module")
def insurance() -> Graph:
    return load("insurance_claims")


@pytest.fixture(scope="module")
def families(insurance: Graph) -> Families:
    return planned(insurance, PARAMS, 0).families


def plain(graph: Graph) -> Families:
    return planned(graph, PARAMS.model_copy(update={"hub_branches": 0}), 0).families


def choices(graph: Graph, families: Families) -> dict[str, list[int]]:
    """How often users take each edge of a node in which they choose, in trunks and where branches leave them."""
    said = [s for trunk, *others in families for s in (*trunk.script, *(b.script[-1] for b in others))]
    taken = Counter(f"{s.node}.{s.edge}" for s in said)
    hubs = {name: [e for e in node.edges if e.says] for name, node in graph.nodes.items()}
    return {name: [taken[f"{name}.{e.id}"] for e in spoken] for name, spoken in hubs.items() if len(spoken) > 1}


def test_the_choices_that_users_have_are_trained_about_equally_often(insurance: Graph, families: Families) -> None:
    before, now = choices(insurance, plain(insurance)), choices(insurance, families)
    assert sorted(now) == ["ask_kind", "ask_settlement", "confirm_claim"]
    assert max(before["ask_settlement"]) > 2 * min(before["ask_settlement"])
    assert max(now["ask_settlement"]) - min(now["ask_settlement"]) <= 1
    assert min(min(taken) for taken in now.values()) >= 2 * min(min(taken) for taken in before.values())


def test_they_are_added_to_the_branches_that_were_there(insurance: Graph, families: Families) -> None:
    for before, now in zip(plain(insurance), families, strict=True):
        assert now[: len(before)] == before
        assert len(now) <= len(before) + 3
        assert len({s.path for s in now[len(before) :]}) == len(now) - len(before)
    assert sum(map(len, families)) > sum(map(len, plain(insurance))) + 2 * TRUNKS


def test_each_leaves_its_trunk_at_a_hub_and_none_is_a_held_out_path(insurance: Graph, families: Families) -> None:
    for before, now in zip(plain(insurance), families, strict=True):
        for branch in now[len(before) :]:
            step = branch.script[-1]
            assert insurance.nodes[step.node].is_hub
            left = next(one for one, other in zip(branch.path, now[0].path, strict=False) if one != other)
            assert left == f"{step.node}.{step.edge}"
            assert not (insurance.nodes[branch.ending].terminal and is_held_out_path(branch.path))


def test_they_pass_the_gate_like_all_others(insurance: Graph) -> None:
    few = PARAMS.model_copy(update={"train": 6})
    made = generate(insurance, few, 0)
    assert {s.id for family in planned(insurance, few, 0).families for s in family} == {c.id for c in made.train}


def questions(families: Families) -> Counter[str]:
    """How often users ask for each fact, in trunks and where branches leave them."""
    said = [s for trunk, *others in families for s in (*trunk.script, *(b.script[-1] for b in others))]
    return Counter(s.before.partition(":")[2] for s in said if s.before.startswith("side_question:"))


def test_branches_about_facts_ask_for_all_as_often_as_they_have_questions(insurance: Graph, families: Families) -> None:
    facts = planned(insurance, PARAMS.model_copy(update={"fact_branches": 4}), 0).families
    for before, now in zip(families, facts, strict=True):
        assert now[: len(before)] == before
        assert all(branch.script[-1].before.startswith("side_question:") for branch in now[len(before) :])
        assert len({s.id for s in now}) == len(now)
    asked = questions(facts)
    assert sum(asked.values()) > sum(questions(families).values()) + 3 * TRUNKS
    rates = [asked[name] / len(fact.asks) for name, fact in insurance.knowledge.items()]
    assert max(rates) < 1.1 * min(rates)
    made = generate(insurance, PARAMS.model_copy(update={"train": 6, "fact_branches": 4}), 0)
    assert len(made.train) > 6 * 8


def test_without_facts_no_branch_asks_for_one(insurance: Graph) -> None:
    graph = insurance.model_copy(update={"knowledge": {}})
    params = PARAMS.model_copy(
        update={"train": 6, "deviations": Deviations(volunteer=0.2, correction=0, side_question=0, off_topic=0)}
    )
    more = params.model_copy(update={"fact_branches": 4})
    assert planned(graph, more, 0).families == planned(graph, params, 0).families


def test_facts_are_asked_for_in_proportion_to_their_questions(insurance: Graph) -> None:
    few = {name: fact.model_copy(update={"asks": fact.asks[:30]}) for name, fact in insurance.knowledge.items()}
    one = insurance.knowledge["deadline"]
    many = tuple(f"{ask} {i}" for ask in one.asks[:30] for i in range(5))
    facts = few | {"deadline": one.model_copy(update={"asks": many})}
    graph = insurance.model_copy(update={"knowledge": facts})
    trunk, rng = planned(insurance, PARAMS.model_copy(update={"branches": 0}), 0).families[0][0], Random(0)
    asked = Counter(
        step.before
        for _ in range(200)
        for branch in branches(graph, trunk, 30, rng, ["side_question"] * 20)
        if (step := branch.script[-1]).before.startswith("side_question:")
    )
    others = [asked[f"side_question:{name}"] for name in facts if name != "deadline"]
    assert min(others) > 100
    assert 3 < asked["side_question:deadline"] / (sum(others) / len(others)) < 6
