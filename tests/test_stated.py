"""Values in calls and in words: what holds counts, what holds nowhere is an invention."""

from __future__ import annotations

import pytest

from flowc.graph import Graph
from flowc.parse import parse_procedure
from flowc.records import ToolCall
from flowc.stated import Values, call_values, stated_values
from tests.workspace import ROOT

TRUE = {"day": "2027-03-05", "guests": "four", "budget": "$200"}


def summed(values: Values) -> tuple[int, tuple[str, ...]]:
    return values.right, values.wrong


def checked(graph: Graph, **arguments: str) -> tuple[int, tuple[str, ...]]:
    return summed(call_values(graph, ToolCall(name="find_table", arguments=arguments), TRUE))


def test_case_and_outer_space_of_an_argument_do_not_count(table: Graph) -> None:
    assert checked(table, day="2027-03-05", guests=" FOUR ", budget="$200") == (3, ())


def test_a_missing_argument_counts_as_wrong(table: Graph) -> None:
    assert checked(table, day="2027-03-05", budget="$200") == (2, ("guests is '' in the call, 'four' in truth",))


def test_an_argument_that_the_function_does_not_have_counts_as_wrong(table: Graph) -> None:
    values = checked(table, **TRUE, discount="20")
    assert values == (3, ("discount is no argument of find_table",))


def test_a_value_within_a_longer_one_is_not_that_value(table: Graph) -> None:
    values = stated_values(table, "It costs $405.", ("deposit",), {"deposit": "$40"})
    assert values.right == 0
    assert values.wrong == ("deposit should be '$40'", "'$405' is no budget of this conversation")


def test_an_amount_with_more_thousands_is_another_one(table: Graph) -> None:
    values = stated_values(table, "It costs $40,000.", ("deposit",), {"deposit": "$40"})
    assert summed(values) == (0, ("deposit should be '$40'", "'$40,000' is no budget of this conversation"))
    assert summed(stated_values(table, "It costs $40.00, no $40.", ("deposit",), {"deposit": "$40"})) == (1, ())


def test_more_people_are_not_those_of_a_shorter_value(travel: Graph) -> None:
    booked = {"travellers": "two adults"}
    wrong = stated_values(travel, "Places for two adults and one child.", ("travellers",), booked).wrong
    assert wrong == ("travellers should be 'two adults'",)
    assert stated_values(travel, "Not two adults and one child, two adults.", ("travellers",), booked).wrong == ()


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("You pay 12.50 euros more.", "12.50 euros"),
        ("That is € 15.", "€ 15"),
        ("It is EUR 1,500 in all.", "EUR 1,500"),
        ("You save 15 % today.", "15 %"),
        ("Ten per cent, no, 10 percent off.", "10 percent"),
        ("Parking costs 9 euros.", "9 euros"),
    ],
)
def test_amounts_that_nobody_told_are_inventions_in_any_wording(table: Graph, text: str, found: str) -> None:
    assert summed(stated_values(table, text, (), TRUE)) == (0, (f"{found!r} is an invention",))


@pytest.mark.parametrize(
    "text", ["Parking costs 7 Euros.", "It is $200 at most.", "We close at 10, on floor 2.", "100"]
)
def test_facts_told_values_and_plain_numbers_are_no_inventions(table: Graph, text: str) -> None:
    assert summed(stated_values(table, text, (), TRUE)) == (0, ())


def test_a_fact_with_another_number_is_an_invention(travel: Graph) -> None:
    wrong = stated_values(travel, "You may cancel within 72 hours, and take 230 kg.", (), {}).wrong
    assert wrong == ("'230 kg' is an invention", "'72 hours' is an invention")


def test_numbers_in_facts_are_no_inventions(travel: Graph) -> None:
    for fact in travel.knowledge.values():
        for answer in fact.say:
            assert stated_values(travel, answer, (), {}).wrong == ()


def test_the_end_of_a_number_in_a_fact_is_another_number() -> None:
    zoom = parse_procedure(
        (ROOT / "data/procedures/zoom_support.yaml").read_text(encoding="utf-8"), "zoom_support.yaml"
    )
    assert stated_values(zoom, "Meetings last 40 minutes.", (), {}).wrong == ()
    assert stated_values(zoom, "Meetings last 0 minutes.", (), {}).wrong == ("'0 minutes' is an invention",)
