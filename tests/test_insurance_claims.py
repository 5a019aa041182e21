"""The insurance procedure: its shape, its banks, and that generation reaches all of it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from flowc.conformance import judge
from flowc.deviation_phrases import SAYS
from flowc.filling import Deviations
from flowc.generate import Generated, GenerateParams, generate
from flowc.graph import Graph, edges, hubs, is_held_out, split_bank, terminals
from flowc.lint import lint
from flowc.parse import parse_procedure
from flowc.paths import statistics
from flowc.sampling import sample
from tests.example import MANY_DEVIATIONS, play
from tests.gates import GATE
from tests.workspace import ROOT

CLAIMS: Path = ROOT / "data" / "procedures" / "insurance_claims.yaml"
PARAMS = GenerateParams(
    teacher="scripted",
    train=250,
    branches=2,
    variety=0.3,
    eval=12,
    scenarios=40,
    interrupts=0.2,
    deviations=Deviations.model_validate(
        dict.fromkeys(SAYS, 0.015)
        | {"restructuring": 0.1, "volunteer": 0.4, "correction": 0.25, "side_question": 0.3, "off_topic": 0.25}
    ),
    gate=GATE,
)


@pytest.fixture(scope="module")
def claims() -> Graph:
    return parse_procedure(CLAIMS.read_text(encoding="utf-8"), str(CLAIMS))


@pytest.fixture(scope="module")
def made(claims: Graph) -> Generated:
    return generate(claims, PARAMS, 0)


def test_it_has_55_nodes_6_hubs_5_endings_and_over_2000_paths(claims: Graph) -> None:
    assert statistics(claims) == (55, 6, 5, 2035)
    assert hubs(claims) == [
        "ask_kind", "ask_settlement", "check_coverage", "confirm_claim", "find_policy", "screen_claim"
    ]  # fmt: skip
    assert {len(claims.nodes[n].edges) for n in hubs(claims)} <= {3, 4, 5, 6}
    assert {n: claims.nodes[n].terminal for n in terminals(claims)} == {
        "claim_registered": "success",
        "close_not_covered": "abandonment",
        "close_withdrawn": "abandonment",
        "hand_over": "escalation",
        "refer_fraud": "escalation",
    }


def test_lint_finds_only_the_number_of_paths(claims: Graph) -> None:
    assert [(f.severity, f.code) for f in lint(claims)] == [("warning", "path-explosion")]


def test_every_tool_is_called_by_one_step_with_at_most_three_arguments(claims: Graph) -> None:
    assert sorted(n.calls for n in claims.nodes.values() if n.calls) == sorted(claims.tools)
    assert {len(t.arguments) for t in claims.tools.values()} <= {1, 2, 3}


def test_the_banks_of_users_are_large_and_have_both_parts(claims: Graph) -> None:
    spoken = [(f"{n}.{e.id}", e.says, claims.nodes[n].is_hub) for n, e in edges(claims) if e.says]
    assert len(spoken) == 41
    assert [name for name, says, hub in spoken if len(says) < (50 if hub else 24)] == []
    assert [name for name, says, _ in spoken if not 4 <= sum(map(is_held_out, says)) < len(says) / 2] == []
    own = {i: x.says for i, x in claims.interrupts.items() if x.says != SAYS.get(i)}
    assert {i for i, says in own.items() if len(says) >= 80} == {"human", "cancel", "off_topic"}
    assert {i for i, x in claims.interrupts.items() if x.says == SAYS.get(i)} == {*SAYS} - {"human"}
    assert len(claims.knowledge) == 7
    assert all(len(f.asks) >= 20 and len(f.say) >= 5 for f in claims.knowledge.values())


def test_the_banks_of_the_assistant_have_both_parts(claims: Graph) -> None:
    for name, node in claims.nodes.items():
        if node.role == "agent":
            assert 6 <= len(node.say) <= 10, name
            assert {True, False} == set(map(is_held_out, node.say)), name
        if node.waits:
            assert 4 <= len(node.again) <= 7, name
            assert {True, False} == set(map(is_held_out, node.again)), name


def test_the_house_style_has_a_first_word_for_each_step(claims: Graph) -> None:
    first = {n: split_bank(x.say).train[0] for n, x in claims.nodes.items() if x.say}
    words = [re.sub(r"\W", "", phrase.split()[0]).casefold() for phrase in first.values()]
    assert len(set(words)) == len(first) == 47
    assert [phrase for phrase in first.values() if phrase.startswith("{")] == []


def test_generation_reaches_every_step_and_way(claims: Graph, made: Generated) -> None:
    coverage = made.metrics["coverage"]
    assert (coverage["nodes"], coverage["edges"], coverage["interrupts"]) == (1.0, 1.0, 1.0)
    assert {c.ending for c in made.train if c.family == c.id} == set(terminals(claims))
    assert len(made.scenarios) == 40


def test_conversations_stay_short(made: Generated) -> None:
    trunks = [c for c in made.train if c.family == c.id]
    turns = [sum(m.role == "assistant" for m in c.messages) for c in trunks]
    assert 10 <= sum(turns) / len(turns) <= 16
    assert max(turns) <= 32


def test_an_assistant_without_fault_gets_full_marks(claims: Graph) -> None:
    for split in ("train", "seen_path"):
        for scenario in sample(claims, 40, split, MANY_DEVIATIONS, 0.2, seed=1):
            assert judge(claims, scenario, play(claims, scenario)).faults == ()
