"""Generation: the same bytes each time, full coverage, and nothing held out in training."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from flowc.data_card import data_card
from flowc.filling import Deviations
from flowc.generate import Generated, GenerateParams, generate
from flowc.graph import Graph, edges, is_held_out, part
from flowc.read_mermaid import read_mermaid
from flowc.records import Conversation, canonical, read_jsonl, run_stage, write_json
from flowc.scenarios import Scenario, is_held_out_path
from stages.generate import main
from tests.example import example_graph
from tests.gates import GATE
from tests.reading import graph_of

PARAMS = GenerateParams(
    teacher="scripted",
    train=80,
    branches=2,
    variety=0.3,
    eval=12,
    scenarios=40,
    interrupts=0.2,
    deviations=Deviations(volunteer=0.35, correction=0.2, side_question=0.25, off_topic=0.2),
    gate=GATE,
)


@pytest.fixture(scope="module")
def travel_data(travel: Graph) -> Generated:
    return generate(travel, PARAMS, 0)


@pytest.fixture(scope="module")
def made(table: Graph) -> Generated:
    return generate(table, PARAMS, 0)


def bytes_of(made: Generated) -> list[str]:
    return [canonical(r) for records in (made.train, made.eval, made.scenarios) for r in records]


def test_the_same_arguments_give_the_same_bytes(made: Generated) -> None:
    assert bytes_of(made) == bytes_of(generate(example_graph(), PARAMS, 0))


def test_another_seed_gives_other_bytes(table: Graph, made: Generated) -> None:
    assert bytes_of(generate(table, PARAMS, 1)) != bytes_of(made)


def test_a_user_phrase_edited_at_one_edge_leaves_the_paths_alone(table: Graph, made: Generated) -> None:
    offer = table.nodes["offer"]
    says = ("Certainly.", *offer.edges[0].says[1:])
    edges_ = (offer.edges[0].model_copy(update={"says": says}), *offer.edges[1:])
    edited = table.model_copy(update={"nodes": {**table.nodes, "offer": offer.model_copy(update={"edges": edges_})}})
    after = generate(edited, PARAMS, 0)
    assert sorted(s.path for s in made.scenarios) == sorted(s.path for s in after.scenarios)


def test_records_are_sorted_by_id_and_distinct(made: Generated) -> None:
    for ids in ([c.id for c in made.train], [c.id for c in made.eval], [s.id for s in made.scenarios]):
        assert ids == sorted(set(ids))


def test_the_counts_are_those_asked_for(made: Generated) -> None:
    assert len([c for c in made.train if c.family == c.id]) == 80
    assert 200 <= len(made.train) <= 240  # a short trunk has fewer ways to branch off
    assert (len(made.eval), len(made.scenarios)) == (12, 40)
    assert made.metrics["conversations"] == {"train": len(made.train), "eval": 12}
    assert made.metrics["scenarios"] == {"seen_path": 20, "held_out_path": 20}
    assert {c.split for c in made.train} == {"train"}
    assert {c.split for c in made.eval} == {"eval"}


def test_travel_booking_is_covered_whole(travel: Graph, travel_data: Generated) -> None:
    coverage = travel_data.metrics["coverage"]
    assert (coverage["nodes"], coverage["edges"], coverage["interrupts"]) == (1.0, 1.0, 1.0)
    assert set(travel_data.metrics["node_visits"]) == set(travel.nodes)
    assert set(travel_data.metrics["edge_visits"]) == {f"{n}.{e.id}" for n, e in edges(travel)}
    assert coverage["held_out_paths"] == len({s.path for s in travel_data.scenarios if s.split == "held_out_path"})


def test_visits_are_counts_of_the_conversations(travel_data: Generated) -> None:
    labels = [label for c in travel_data.train for step in c.steps for label in step]
    visits = travel_data.metrics["node_visits"]
    assert {n: labels.count(n) for n in visits} == visits
    steps = [step for c in travel_data.train for step in c.path]
    assert {e: steps.count(e) for e in travel_data.metrics["edge_visits"]} == travel_data.metrics["edge_visits"]


def test_pairs_of_edges_and_endings_are_counted(table: Graph, made: Generated) -> None:
    visits = made.metrics["edge_pair_visits"]
    assert len(visits) == sum(len(table.nodes[e.to].edges) for _, e in edges(table))
    path_pairs = [f"{one} {two}" for c in made.train for one, two in zip(c.path, c.path[1:], strict=False)]
    assert visits == {pair: path_pairs.count(pair) for pair in visits}
    assert made.metrics["coverage"]["edge_pairs"] == round(sum(v > 0 for v in visits.values()) / len(visits), 4)
    endings = [c.ending for c in made.train]
    assert made.metrics["ending_visits"] == {n: endings.count(n) for n in ("done", "goodbye", "hand_over")}
    assert made.metrics["coverage"]["endings"] == 1.0


def user_text(conversations: list[Conversation]) -> str:
    return "\n".join(m.content.casefold() for c in conversations for m in c.messages if m.role == "user")


def test_no_held_out_value_is_told_in_training(travel: Graph, travel_data: Generated) -> None:
    told = [v for s in travel_data.scenarios for step in s.script for v in step.gives.values() if v[:1].isupper()]
    cities = [v for v in told if v in travel.slots["destination"].values]
    text = f" {user_text(travel_data.train)} "
    assert len(cities) >= 50
    assert [c for c in cities if f" {c.casefold()} " in text] == []
    assert [v for v in travel.slots["hotel"].values if is_held_out(v) and any(
        v in m.content for c in travel_data.train for m in c.messages)] == []  # fmt: skip


def test_no_held_out_phrase_without_a_slot_is_spoken_in_training(travel: Graph, travel_data: Generated) -> None:
    text = [m.content for c in travel_data.train for m in c.messages if m.role == "user"]
    banks = [e.says for _, e in edges(travel) if e.says and not e.gives]
    banks += [f.asks for f in travel.knowledge.values()] + [i.says for i in travel.interrupts.values()]
    held_out = {p for bank in banks for p in part(bank, "held_out")}
    trained = {p for bank in banks for p in part(bank, "train")}
    assert held_out & set(text) - trained == set()
    assert len(trained & set(text)) > 50


def test_every_held_out_path_is_unknown_to_training_and_every_seen_path_known(travel_data: Generated) -> None:
    # A branch stops before an ending and is then no path; what counts is whole paths.
    trained = {c.path for c in travel_data.train if c.ending in ("confirm_booking", "close_declined", "hand_over")}
    assert not any(is_held_out_path(p) for p in trained)
    for scenario in travel_data.scenarios:
        assert (scenario.path in trained) == (scenario.split == "seen_path")
    assert sum(c.path not in trained for c in travel_data.eval) == len(travel_data.eval) // 2


def test_in_a_small_chart_training_sees_every_arrow_and_paths_are_held_out_where_any_is_left() -> None:
    ways = "".join(f"  ask -->|way {i}| end{i}([Goodbye {i}])\n" for i in range(3))
    chart = read_mermaid(f"flowchart TD\n  start([Hello]) --> ask{{Which road?}}\n{ways}", "x.mmd", "x")
    params = PARAMS.model_copy(update={"train": 12, "scenarios": 8})
    straight, leaving = (
        generate(graph_of(chart, "x.mmd"), params.model_copy(update={"interrupts": share}), 0) for share in (0.0, 0.5)
    )
    for made in (straight, leaving):
        assert made.metrics["coverage"]["edges"] == 1.0  # two of the three paths would be held out by their hash
    assert straight.metrics["scenarios"] == {"seen_path": 8, "held_out_path": 0}
    assert leaving.metrics["scenarios"] == {"seen_path": 4, "held_out_path": 4}
    trained = {c.path for c in leaving.train}
    assert all((s.path in trained) == (s.split == "seen_path") for s in leaving.scenarios)


def test_a_branch_begins_with_the_words_of_its_trunk(travel_data: Generated) -> None:
    trunks = {c.id: c for c in travel_data.train if c.family == c.id}
    branches = [c for c in travel_data.train if c.family != c.id]
    assert len(branches) > 100
    for branch in branches:
        trunk = trunks[branch.family]
        pairs = zip(branch.messages, trunk.messages, strict=False)
        shared = next(i for i, (mine, theirs) in enumerate(pairs) if mine != theirs)
        assert shared >= 2, branch.id
        assert branch.path != trunk.path or branch.deviations != trunk.deviations


def test_scenarios_use_held_out_words_and_values_in_both_splits(travel_data: Generated) -> None:
    assert {s.bank for s in travel_data.scenarios} == {"held_out"}


def test_no_trip_ends_where_it_starts(travel_data: Generated) -> None:
    for scenario in travel_data.scenarios:
        told: dict[str, str] = {}
        for step in scenario.script:
            told |= {**step.gives, **step.volunteers, **step.corrects}
            assert "origin" not in told or told["origin"] != told.get("destination")


def test_the_stage_writes_what_generate_gives(
    table: Graph, made: Generated, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_json(tmp_path / "table.json", table.model_dump(mode="json"))
    # The section asks for another number, and the procedure's own entry for that of PARAMS.
    shared = PARAMS.model_dump() | {"train": 7}
    sources = {"table": {"file": "table.yaml", "generate": {"train": PARAMS.train}}, "other": {"file": "other.yaml"}}
    write_json(tmp_path / "params.yaml", {"seed": 0, "generate": shared, "sources": sources})
    monkeypatch.chdir(tmp_path)
    arguments = [
        "generate",
        "table.json",
        "--own",
        "none",
        "--prompts",
        "prompts",
        "--out",
        "out",
        "--scenarios",
        "s.jsonl",
        "--metrics",
        "m.json",
    ]
    monkeypatch.setattr(sys, "argv", arguments)
    run_stage(main)
    assert read_jsonl(tmp_path / "out" / "train.jsonl", Conversation) == made.train
    assert read_jsonl(tmp_path / "out" / "eval.jsonl", Conversation) == made.eval
    assert read_jsonl(tmp_path / "s.jsonl", Scenario) == made.scenarios
    card = (tmp_path / "out" / "README.md").read_text(encoding="utf-8")
    assert card == data_card(table, "scripted", PARAMS, 0, made.metrics)
