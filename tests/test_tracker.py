"""The node tracker: sure of what it was fitted on, good on phrases it never saw, and deaf to users."""

from __future__ import annotations

import pytest

from flowc.graph import Graph, is_held_out, part
from flowc.recognise import NONE
from flowc.tracker import Tracker, measure, utterances


@pytest.fixture(scope="module")
def travel_tracker(travel: Graph) -> Tracker:
    return Tracker(travel)


def heard(tracker: Tracker, text: str) -> str:
    return tracker.track(text).node or NONE


def test_training_phrases_are_all_recognised(travel: Graph, travel_tracker: Tracker) -> None:
    examples = utterances(travel, "train", 1)  # other values than it was fitted with
    assert [e for e in examples if e.node != NONE and heard(travel_tracker, e.text) != e.node] == []


def test_held_out_phrases_are_mostly_recognised(travel: Graph, travel_tracker: Tracker) -> None:
    examples = [e for e in utterances(travel, "held_out", 0) if e.node != NONE]
    right = sum(heard(travel_tracker, e.text) == e.node for e in examples)
    assert right / len(examples) >= 0.8  # 0.86 measured


def test_words_of_users_and_bare_answers_are_mostly_no_step(travel: Graph, travel_tracker: Tracker) -> None:
    examples = [e for e in utterances(travel, "held_out", 0) if e.node == NONE]
    quiet = sum(travel_tracker.track(e.text).node is None for e in examples)
    assert len(examples) > 100
    assert quiet / len(examples) >= 0.93  # 0.965 measured


def test_the_measure_is_of_held_out_phrases_by_node(travel: Graph, travel_tracker: Tracker) -> None:
    found = measure(travel, travel_tracker, 0)
    assert len(found["right"]) == len(utterances(travel, "held_out", 0))
    assert set(found["right"]) == {0.0, 1.0}
    assert set(found["by_node"]) == {n for n, x in travel.nodes.items() if x.role == "agent"} | {NONE}
    assert sum(found["right"]) / len(found["right"]) >= 0.88  # 0.92 measured


@pytest.mark.parametrize(
    "before", ["Understood, 2027-03-05.", "Parking costs 7 euros.", "Oh well. Let us go on with the table."]
)
def test_what_is_said_before_a_step_does_not_hide_it(table: Graph, table_tracker: Tracker, before: str) -> None:
    for name, node in table.nodes.items():
        for phrase in part(node.again, "train"):
            assert heard(table_tracker, f"{before} {phrase}") == name


def test_nonsense_and_silence_are_no_step(table_tracker: Tracker) -> None:
    for text in ("Xylophone zebra quartz.", "", "   ", "?!"):
        assert table_tracker.track(text).node is None


def test_values_do_not_matter(table_tracker: Tracker) -> None:
    for place, deposit in (("Old Mill", "$7"), ("Two Bells", "$123"), ("White Horse", "$45")):
        assert heard(table_tracker, f"I found {place} with a deposit of {deposit}. Do you want it?") == "offer"


def test_two_fits_agree(table: Graph, table_tracker: Tracker) -> None:
    again = Tracker(table)
    for example in utterances(table, "held_out", 0):
        assert again.track(example.text) == table_tracker.track(example.text)


def test_no_held_out_phrase_is_among_the_training_utterances(table: Graph) -> None:
    texts = {e.text for e in utterances(table, "train", 0)}
    plain = {p for n in table.nodes.values() for p in (*n.say, *n.again) if "{" not in p}
    banks = [b for n in table.nodes.values() for b in (n.say, n.again)]
    assert texts & plain == {p for b in banks for p in part(b, "train") if "{" not in p}
    assert any(is_held_out(p) for p in plain)
