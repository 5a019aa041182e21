"""Slot values: drawn from their own part of the pool, and found again in a text."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

from flowc.graph import DateRange, Graph, NumberRange, Slot, is_held_out, part
from flowc.slots import draw, number_in, pattern


def graph_of(**slots: dict[str, Any]) -> Graph:
    return Graph.model_validate(
        {
            "procedure": "p",
            "title": "",
            "system": "",
            "start": "a",
            "slots": slots,
            "nodes": {"a": {"role": "agent", "instruction": ""}},
        }
    )


CITIES = tuple(f"City{i}" for i in range(30))
BUDGET = {"number": {"low": 100, "high": 2000, "step": 50, "formats": ["${n:,}", "{n} dollars"]}}
GRAPH = graph_of(
    origin={"values": CITIES},
    destination={"values": CITIES},
    name={"join": [["Ana", "Bea", "Cem", "Dan"], ["One", "Two", "Three", "Four"]]},
    day={"date": {"start": "2027-02-27", "days": 60, "formats": ["%-d %B %Y", "%Y-%m-%d"]}},
    budget=BUDGET,
    price={"source": "tool", "share_of": "budget", "low": 0.5, "high": 0.9, "format": "${n:,}"},
    code={"source": "tool", "code": "@@#-###"},
)


@pytest.mark.parametrize("name", ["origin", "day", "budget", "code"])
def test_training_and_held_out_values_are_disjoint(name: str) -> None:
    train = {draw(GRAPH, name, Random(i), "train", {}) for i in range(200)}
    held_out = {draw(GRAPH, name, Random(i), "held_out", {}) for i in range(200)}
    assert train & held_out == set()
    assert len(train) > 3
    assert len(held_out) > 3


def test_joined_values_take_every_piece_from_its_part() -> None:
    first, last = GRAPH.slots["name"].join
    for i in range(50):
        given, family = draw(GRAPH, "name", Random(i), "held_out", {}).split(" ")
        assert given in part(first, "held_out")
        assert family in part(last, "held_out")


PLACES = ("Bergen", "Toledo", "New York", "Paris", "Ghent", "Lima", "Quito", "Cape Town", "Oslo", "Riga")
INVENTING = graph_of(place={"values": PLACES, "invent": 0.5}, name={"join": [PLACES, PLACES], "invent": 1})


def test_a_share_of_training_values_is_spliced_from_two_of_the_pool() -> None:
    drawn = [draw(INVENTING, "place", Random(i), "train", {}) for i in range(2000)]
    invented = [v for v in drawn if v not in PLACES]
    assert len(invented) / len(drawn) == pytest.approx(0.5, abs=0.04)
    train = part(PLACES, "train")
    heads = {w[: (len(w) + 1) // 2] for v in train for w in [max(v.split(), key=len)]}
    tails = {w[len(w) // 2 :].lower() for v in train for w in [max(v.split(), key=len)]}
    for value in set(invented):
        assert any(h + t in value for h in heads for t in tails), value
    assert set(drawn) - set(invented) == set(train)


def test_each_piece_of_a_joined_value_is_invented_by_itself() -> None:
    for i in range(50):
        value = draw(INVENTING, "name", Random(i), "train", {})
        assert not any(value.startswith(f"{p} ") or value.endswith(f" {p}") for p in PLACES), value


def test_held_out_values_are_never_invented() -> None:
    drawn = {draw(INVENTING, "place", Random(i), "held_out", {}) for i in range(500)}
    assert drawn == set(part(PLACES, "held_out"))


def test_the_same_seed_draws_the_same_value() -> None:
    for name in ("origin", "name", "day", "budget", "code"):
        assert draw(GRAPH, name, Random(7), "train", {}) == draw(GRAPH, name, Random(7), "train", {})


def test_a_new_value_differs_from_the_present_one() -> None:
    for i in range(100):
        present = draw(GRAPH, "origin", Random(i), "train", {})
        assert draw(GRAPH, "origin", Random(i), "train", {"origin": present}) != present


def test_slots_with_one_pool_never_have_the_same_value() -> None:
    for i in range(200):
        origin = draw(GRAPH, "origin", Random(i), "held_out", {})
        assert draw(GRAPH, "destination", Random(i), "held_out", {"origin": origin}) != origin


def test_numbers_move_as_told() -> None:
    known = {"budget": "$1,000"}
    for i in range(50):
        assert number_in(draw(GRAPH, "budget", Random(i), "train", known, "higher")) > 1000
        assert number_in(draw(GRAPH, "budget", Random(i), "train", known, "lower")) < 1000


def test_a_number_at_the_end_of_its_range_moves_the_other_way() -> None:
    assert number_in(draw(GRAPH, "budget", Random(1), "train", {"budget": "$2,000"}, "higher")) < 2000


def test_a_share_lies_in_its_bounds() -> None:
    for i in range(50):
        assert 500 <= number_in(draw(GRAPH, "price", Random(i), "train", {"budget": "$1,000"})) <= 900


def test_a_pool_that_is_used_up_names_the_slot() -> None:
    graph = graph_of(size={"values": ["small", "large"]})
    present = part(("small", "large"), "train")[0]
    with pytest.raises(ValueError, match=r"slot 'size' has too few train values .* widen its pool"):
        draw(graph, "size", Random(0), "train", {"size": present})


def test_a_range_without_held_out_values_says_so() -> None:
    low = next(n for n in range(100) if not is_held_out(str(n)))
    number = {"low": low, "high": low, "step": 1, "formats": ["{n}"]}
    with pytest.raises(ValueError, match="a slot's range has no held_out value; widen it"):
        draw(graph_of(n={"number": number}), "n", Random(0), "held_out", {})


def test_the_number_in_an_amount_is_read() -> None:
    assert [number_in(t) for t in ("$2,400", "900 dollars", "USD 1,250")] == [2400, 900, 1250]
    with pytest.raises(ValueError, match="no number in 'none'"):
        number_in("none")


@pytest.mark.parametrize("name", ["origin", "day", "budget", "price", "code"])
def test_every_drawn_value_is_found_whole_in_a_text(name: str) -> None:
    expression = pattern(GRAPH.slots[name], "")
    assert expression is not None
    for i in range(100):
        value = draw(GRAPH, name, Random(i), "train", {"budget": "$1,500"})
        assert expression.findall(f"It is {value}, then.") == [value]
        assert expression.findall(f"It is {value}.") == [value]


def test_parts_of_words_and_of_longer_numbers_are_not_values() -> None:
    city, price = pattern(GRAPH.slots["origin"], ""), pattern(GRAPH.slots["price"], "")
    assert city is not None
    assert price is not None
    assert city.findall("City1s or MyCity2 or City100") == []
    assert price.findall("US$5x") == []


def test_values_in_the_agents_own_words_are_not_looked_for() -> None:
    slot = Slot(values=("Nice", "Paris"))
    expression = pattern(slot, "Nice choice.")
    assert expression is not None
    assert expression.findall("Nice choice, Paris.") == ["Paris"]
    assert pattern(Slot(values=("one", "two")), "") is None


def test_names_of_people_are_not_looked_for() -> None:
    assert pattern(GRAPH.slots["name"], "") is None


def test_a_longer_value_is_found_before_a_shorter_one() -> None:
    expression = pattern(Slot(source="tool", values=("Hotel Sun", "Hotel Sun Palace")), "")
    assert expression is not None
    assert expression.findall("In Hotel Sun Palace.") == ["Hotel Sun Palace"]


def test_special_characters_of_a_format_are_literal() -> None:
    slot = Slot(number=NumberRange(low=1, high=9, step=1, formats=("(+{n}.0)",)))
    expression = pattern(slot, "")
    assert expression is not None
    assert expression.findall("a (+7.0) b (+7x0)") == ["(+7.0)"]


def test_dates_are_found_in_each_of_their_formats() -> None:
    slot = Slot(
        date=DateRange.model_validate({"start": "2027-05-01", "days": 9, "formats": ["%A, %-d %b", "%d.%m.%y"]})
    )
    expression = pattern(slot, "")
    assert expression is not None
    assert expression.findall("Saturday, 1 May or 02.05.27, not 1 Maybe.") == ["Saturday, 1 May", "02.05.27"]
