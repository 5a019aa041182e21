"""Scenarios: paths that the procedure allows, values that hold, deviations that really happen."""

from __future__ import annotations

from collections import Counter

import pytest

from flowc.filling import Deviations
from flowc.graph import Graph, is_held_out
from flowc.sampling import sample
from flowc.scenarios import Scenario, Step, phrases_of
from flowc.slots import number_in
from flowc.voices import PERSONAS
from tests.example import MANY_DEVIATIONS, NO_DEVIATIONS, example_graph, example_scenarios, play

SCENARIOS = example_scenarios(example_graph(), 200)
PLAIN = example_scenarios(example_graph(), 100, NO_DEVIATIONS)


def test_the_same_arguments_give_the_same_scenarios(table: Graph) -> None:
    assert example_scenarios(table, 200) == SCENARIOS


def test_another_seed_gives_other_scenarios(table: Graph) -> None:
    assert sample(table, 20, "train", MANY_DEVIATIONS, 0.2, seed=4) != SCENARIOS[:20]


def test_only_training_uses_the_training_banks() -> None:
    banks = {s: Scenario.model_validate({**SCENARIOS[0].model_dump(), "split": s}).bank for s in
             ("train", "seen_path", "held_out_path")}  # fmt: skip
    assert banks == {"train": "train", "seen_path": "held_out", "held_out_path": "held_out"}


def test_values_come_from_the_part_of_the_split(table: Graph) -> None:
    held_out = sample(table, 60, "seen_path", MANY_DEVIATIONS, 0.2, seed=0)
    for scenarios, held in ((SCENARIOS, False), (held_out, True)):
        told = [v for s in scenarios for step in s.script for v in (*step.gives.values(), *step.volunteers.values())]
        told += [r.values["place"] for s in scenarios for rs in s.results.values() for r in rs if r.values]
        assert {is_held_out(v) for v in told} == {held}


def test_personas_take_turns() -> None:
    assert [s.persona for s in SCENARIOS[:5]] == list(PERSONAS)


def test_ids_are_distinct_and_name_the_split() -> None:
    assert len({s.id for s in SCENARIOS}) == len(SCENARIOS)
    assert {s.id.split("-")[0] for s in SCENARIOS} == {"train"}


def test_without_deviations_there_are_none_but_interrupts() -> None:
    assert {d for s in PLAIN for d in s.deviations} == {"interrupt"}


def test_with_deviations_each_kind_is_planned() -> None:
    kinds = Counter(d for s in SCENARIOS for d in s.deviations)
    assert set(kinds) == {"volunteer", "correction", "side_question", "off_topic", "interrupt"}
    assert min(kinds.values()) >= 30


def test_every_planned_deviation_happens_in_the_conversation(table: Graph) -> None:
    for scenario in SCENARIOS:
        said = {label.split(":")[0] for turn in play(table, scenario).turns for label in turn.labels}
        assert set(scenario.deviations) <= said, scenario.id


def test_a_volunteered_value_is_the_one_given_when_asked_after_all() -> None:
    found = 0
    for scenario in SCENARIOS:
        for i, step in enumerate(scenario.script):
            for slot, value in step.volunteers.items():
                later = scenario.script[i + 1 :]
                answer = next(s for s in later if slot in s.gives)
                changed = [s.corrects[slot] for s in later[: later.index(answer)] if slot in s.corrects]
                assert answer.gives[slot] == (changed or [value])[-1]
                found += 1
    assert found > 50


def test_a_correction_replaces_what_was_told_by_something_else() -> None:
    found = 0
    for scenario in SCENARIOS:
        told: dict[str, str] = {}
        for step in scenario.script:
            for slot, value in step.corrects.items():
                assert told[slot] != value
                assert slot not in step.gives
                found += 1
            told |= {**step.gives, **step.volunteers, **step.corrects}
    assert found > 20


def test_a_renewed_number_moves_as_the_edge_says(table: Graph) -> None:
    directions = {"find_table.full": 1, "offer.cheaper": -1}
    found = 0
    for scenario in PLAIN:
        budgets = [number_in(s.gives["budget"]) for s in scenario.script if "budget" in s.gives]
        moves = [directions[step] for step in scenario.path if step in directions]
        for before, after, move in zip(budgets, budgets[1:], moves, strict=False):
            assert (after > before) == (move > 0)
            found += 1
    assert found > 30


def test_each_call_of_a_path_has_its_planned_result() -> None:
    for scenario in SCENARIOS:
        outcomes = [s.split(".")[1] for s in scenario.path if s.startswith("find_table.")]
        assert [r.outcome for r in scenario.results.get("find_table", ())] == outcomes


def test_a_share_is_taken_of_the_value_that_holds_at_the_call(table: Graph) -> None:
    found = 0
    for scenario in SCENARIOS:
        values: dict[str, str] = {}
        for turn in play(table, scenario).turns:
            values |= turn.gives
            if "deposit" in turn.gives:
                budget, deposit = number_in(values["budget"]), number_in(values["deposit"])
                assert 0.1 * budget - 1 <= deposit <= 0.5 * budget
                found += 1
    assert found > 100


def test_questions_that_stay_answered_are_not_planned_twice(table: Graph) -> None:
    offer = table.nodes["offer"]
    back = tuple(e.model_copy(update={"to": "ask_day"}) if e.id == "cheaper" else e for e in offer.edges)
    graph = table.model_copy(update={"nodes": {**table.nodes, "offer": offer.model_copy(update={"edges": back})}})
    for scenario in sample(graph, 60, "train", NO_DEVIATIONS, 0.2, seed=0):
        assert scenario.path.count("ask_day.day") <= 1
        play(graph, scenario)


def test_shares_outside_zero_and_one_are_refused() -> None:
    with pytest.raises(ValueError, match="less than or equal to 1"):
        Deviations(volunteer=1.5, correction=0, side_question=0, off_topic=0)


def test_phrases_of_a_step_come_from_its_edge_or_interrupt(table: Graph) -> None:
    edge = table.nodes["offer"].edges[0]
    accept, human = Step(node="offer", edge="accept"), Step(node="offer", interrupt="human")
    assert {*phrases_of(table, accept, "train"), *phrases_of(table, accept, "held_out")} == set(edge.says)
    both = {*phrases_of(table, human, "train"), *phrases_of(table, human, "held_out")}
    assert both == set(table.interrupts["human"].says)
