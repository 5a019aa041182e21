"""Words of real customers: which of them fit a procedure, with what masked, and a user that says them."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from flowc.graph import Graph
from flowc.metrics import read_object
from flowc.real_words import RealWords, read_words
from flowc.records import UserError, read_jsonl, write_json, write_jsonl
from flowc.sampling import sample
from flowc.scenarios import Scenario, Step
from flowc.transcripts import Transcript
from scripts import real_words
from scripts.replay import made_of
from tests.example import NO_DEVIATIONS
from tests.published import MULTIDOGO, needs_multidogo
from tests.served import runner
from tests.test_client import Script
from tests.test_client import script as script  # a fixture

ROWS = [
    (0, "hi there", "O O", "openinggreeting"),
    (1, "i wanna book a flight", "O O O O O", "bookflight"),
    (2, "arrival new york", "O arrival_city arrival_city", "contentonly"),
    (2, "goa please", "arrival_city O", "contentonly"),
    (3, "mumbai to goa", "departure_city O arrival_city", "contentonly"),
    (3, "leaving from mumbai", "O O departure_city", "contentonly"),
    (3, "goa and mumbai", "O O departure_city", "contentonly"),
    (4, "on 5 may", "O start_date start_date", "contentonly"),
    (4, "at 9 on friday", "O O O start_date", "contentonly"),
    (5, "aisle seat number k 9", "O O O new_seat_number new_seat_number", "contentonly"),
    (6, "ok sure", "O O", "confirmation"),
    (7, "great", "O", "confirmation"),
    (8, "no thnx", "O O", "rejection"),
    (9, "nothing else", "O O", "rejection"),
    (9, "hello are you there", "O O O O", "openinggreeting"),
]


@pytest.fixture
def airline(tmp_path: Path) -> Path:
    lines = [f"c\t{n}\tu\t{text}\t{labels}\t{intent}" for n, text, labels, intent in ROWS]
    path = tmp_path / "airline.tsv"
    path.write_text("\n".join(["head", *lines, 'c\t9\tu\t"broken']), encoding="utf-8")
    return path


def test_values_become_slots_and_what_does_not_fit_is_left_out(airline: Path, travel: Graph) -> None:
    assert read_words(airline, travel) == {
        "greet.destination": (
            "hi there arrival {destination}",
            "hi there {destination} please",
            "i wanna book a flight arrival {destination}",
            "i wanna book a flight {destination} please",
        ),
        "ask_origin.origin": ("leaving from {origin}",),
        "ask_date.date": ("on {depart_date}",),
        "present_offer.accept": ("ok sure",),
        "present_offer.decline": ("no thnx",),
        "confirm_details.confirm": ("ok sure",),
    }


def test_a_user_says_them_with_the_scenarios_values_and_means_what_was_planned(airline: Path, travel: Graph) -> None:
    script = (
        Step(node="greet", edge="destination", gives={"destination": "Oslo"}),
        Step(node="ask_origin", edge="origin", gives={"origin": "Rome"}, corrects={"destination": "Bergen"}),
        Step(node="ask_budget", edge="budget", gives={"budget": "$900"}),
    )
    scenario = Scenario(id="a", family="a", procedure="travel_booking", split="held_out_path", persona="plain", seed=1,
                        path=("greet.destination",), ending="close_declined", script=script, results={})  # fmt: skip
    words = read_words(airline, travel)
    user = RealWords(travel, scenario, words)
    first, second, third = (asyncio.run(user.reply([], n)) for n in ("greet", "ask_origin", "ask_budget"))
    assert first.text in {w.format(destination="Oslo") for w in words["greet.destination"]}
    assert (first.labels, first.gives) == (("edge:greet.destination",), {"destination": "Oslo"})
    assert "Bergen" in second.text and "leaving from" not in second.text  # a correction keeps the scenario's phrase
    assert "$900" in third.text


def test_a_procedure_without_customers_and_a_missing_file_are_named(airline: Path, table: Graph, travel: Graph) -> None:
    with pytest.raises(UserError, match=r"no words of real customers are known for table; there are for \['travel_boo"):
        read_words(airline, table)
    with pytest.raises(UserError, match=r"none\.tsv: no such file"):
        read_words(airline.with_name("none.tsv"), travel)


def test_the_script_plays_scenarios_in_their_words_and_counts_how_many_of_the_messages_are_theirs(
    airline: Path, travel: Graph, script: Script, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_json(tmp_path / "graph.json", travel.model_dump(mode="json"))
    scenarios = sample(travel, 2, "seen_path", NO_DEVIATIONS, 0, seed=1)
    write_jsonl(tmp_path / "scenarios.jsonl", scenarios)
    run = runner(real_words, script, travel.nodes["greet"].say[0], monkeypatch)
    out, transcripts = tmp_path / "scores.json", tmp_path / "played.jsonl"
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "config.json").write_text("{}", encoding="utf-8")
    run(tmp_path / "model", tmp_path / "scenarios.jsonl", tmp_path / "graph.json", airline, "--out", out,
        "--transcripts", transcripts)  # fmt: skip
    said = [turn for t in read_jsonl(transcripts, Transcript) for turn in t.turns if turn.message.role == "user"]
    words = read_words(airline, travel)["greet.destination"]
    theirs = [turn for turn in said if turn.labels == ("edge:greet.destination",)]
    assert len(theirs) >= 2
    assert all(turn.message.content in {w.format(**turn.gives) for w in words} for turn in theirs)
    found = read_object(out, "nothing")
    assert (found["n"], found["task_success"]["mean"]) == (2, 0.0)
    assert found["messages"] == {"users": len(said), "real_words": len(theirs)}
    assert found["of"] == made_of(tmp_path / "model", tmp_path / "graph.json")


@needs_multidogo
def test_real_customers_give_words_for_half_of_travels_answers(travel: Graph) -> None:
    words = read_words(MULTIDOGO / "airline.dev.tsv", travel)
    assert {k: len(v) for k, v in words.items()} == {
        "ask_date.date": 5,
        "ask_name.name": 14,
        "ask_origin.origin": 3,
        "ask_travellers.travellers": 1,
        "confirm_details.confirm": 58,
        "greet.destination": 144,
        "present_offer.accept": 58,
        "present_offer.decline": 26,
    }
    assert not [w for bank in words.values() for w in bank if any(c.isdigit() for c in w)]
