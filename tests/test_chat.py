"""Talking to a compiled model in the terminal."""

from __future__ import annotations

import json
from collections import Counter
from random import Random

from flowc.graph import Graph
from flowc.records import ToolCall
from flowc.scenarios import Result, Scenario
from flowc.slots import number_in
from scripts.chat import answer

FOUND = Result(outcome="found", values={"airline": "Air", "hotel": "Inn", "price": "$3,601"})
PLAN = Scenario(
    id="s", family="s", procedure="travel_booking", split="seen_path", persona="plain", seed=1, path=(), ending="done",
    script=(), results={"search_trips": (Result(outcome="none", values={}), FOUND)},
)  # fmt: skip


def search(budget: str) -> ToolCall:
    told = {"origin": "Porto", "destination": "Salzburg", "depart_date": "3 May 2027", "travellers": "two adults"}
    return ToolCall(name="search_trips", arguments=told | {"budget": budget})


def test_an_offer_keeps_to_the_budget_that_the_person_named(travel: Graph) -> None:
    calls: Counter[str] = Counter()
    assert answer(travel, PLAN, search("1500 dollars"), calls, Random(0)) == '{"status": "none"}'
    for seed in range(20):
        offer = json.loads(answer(travel, PLAN, search("1500 dollars"), calls, Random(seed)))
        assert list(offer) == ["status", "airline", "hotel", "price"]
        assert 825 <= number_in(offer["price"]) <= 1455  # between 55 and 97 % of the budget


def test_a_call_that_says_nothing_usable_is_answered_as_planned(travel: Graph) -> None:
    calls = Counter({"search_trips": 1})
    assert json.loads(answer(travel, PLAN, search("plenty"), calls, Random(0)))["price"] == "$3,601"
    unknown = ToolCall(name="fly", arguments={})
    assert json.loads(answer(travel, PLAN, unknown, calls, Random(0))) == {"error": "unknown function fly"}
