"""Tools: what the assistant may call, and what the scenario answers."""

from __future__ import annotations

import json
from collections import Counter

import pytest

from flowc.graph import Graph
from flowc.records import ToolCall
from flowc.scenarios import Result, Scenario
from flowc.tools import call_for, execute, schemas

ARGUMENTS = {"day": "2027-03-05", "guests": "four", "budget": "$200"}
FOUND = Result(outcome="found", values={"place": "Old Mill", "deposit": "$40"})
PLAN = Scenario(
    id="s", family="s", procedure="table", split="train", persona="plain", seed=1, path=(), ending="done", script=(),
    results={"find_table": (Result(outcome="full", values={}), FOUND)},
)  # fmt: skip


def test_a_schema_takes_strings_and_requires_them_all(table: Graph) -> None:
    (schema,) = schemas(table)
    assert schema["function"]["name"] == "find_table"
    assert schema["function"]["parameters"]["properties"] == {a: {"type": "string"} for a in ARGUMENTS}
    assert schema["function"]["parameters"]["required"] == ["day", "guests", "budget"]


def test_a_call_has_the_known_values_in_the_declared_order(table: Graph) -> None:
    call = call_for(table, "find_table", {"budget": "$200", "guests": "four", "day": "2027-03-05", "place": "x"})
    assert list(call.arguments.items()) == list(ARGUMENTS.items())


def test_a_node_that_calls_nothing_has_no_call(table: Graph) -> None:
    with pytest.raises(AssertionError, match="offer is not a tool node"):
        call_for(table, "offer", {})


def test_planned_results_come_in_order_and_the_last_one_repeats(table: Graph) -> None:
    calls: Counter[str] = Counter()
    results = [execute(table, PLAN, ToolCall(name="find_table", arguments=ARGUMENTS), calls) for _ in range(3)]
    assert [r.outcome for r in results] == ["full", "found", "found"]
    assert [r.node for r in results] == ["find_table"] * 3
    assert [json.loads(r.content) for r in results] == [
        {"status": "full"},
        {"status": "found", "deposit": "$40", "place": "Old Mill"},
        {"status": "found", "deposit": "$40", "place": "Old Mill"},
    ]
    assert results[1].values == {"place": "Old Mill", "deposit": "$40"}
    assert calls["find_table"] == 3


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (ToolCall(name="find", arguments={}), "unknown function find"),
        (ToolCall(name="find_table", arguments={"day": "x"}), "find_table takes budget, day, guests"),
        (
            ToolCall(name="find_table", arguments={**ARGUMENTS, "x": "y"}),
            "find_table takes budget, day, guests",
        ),
    ],
)
def test_a_wrong_call_gets_an_error_and_counts_for_nothing(table: Graph, call: ToolCall, error: str) -> None:
    calls: Counter[str] = Counter()
    result = execute(table, PLAN, call, calls)
    assert json.loads(result.content) == {"error": error}
    assert (result.node, result.outcome, result.values) == (None, None, {})
    assert not calls


def test_a_tool_that_the_scenario_does_not_need_is_not_available(table: Graph) -> None:
    plan = PLAN.model_copy(update={"results": {}})
    result = execute(table, plan, ToolCall(name="find_table", arguments=ARGUMENTS), Counter())
    assert json.loads(result.content) == {"error": "find_table is not available"}
