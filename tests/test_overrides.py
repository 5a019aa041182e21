"""A procedure's own values over a section of params.yaml, and what is wrong with them."""

from __future__ import annotations

import pytest

from flowc.overrides import for_procedure
from flowc.records import Record, UserError


class Group(Record):
    low: float
    high: float


class ToyParams(Record):
    size: int
    group: Group


TOY = ToyParams(size=3, group=Group(low=0.1, high=0.9))


def test_a_procedure_without_values_of_its_own_has_those_of_the_section() -> None:
    sources = {"a": {"file": "a.yaml"}, "b": {"file": "b.yaml", "toy": {"size": 9}}}
    assert for_procedure(TOY, "toy", sources, "a") is TOY


def test_own_values_go_over_the_section_group_by_group() -> None:
    sources = {"a": {"file": "a.yaml", "toy": {"size": 9, "group": {"low": 0.5}}, "other": {"size": 1}}}
    assert for_procedure(TOY, "toy", sources, "a") == ToyParams(size=9, group=Group(low=0.5, high=0.9))


@pytest.mark.parametrize(
    ("own", "message"),
    [
        ({"sise": 9}, "sources.a.toy.sise: Extra inputs are not permitted (got 9)"),
        ({"size": "x"}, "sources.a.toy.size: Input should be a valid integer"),
        ({"group": {"middle": 1}}, "sources.a.toy.group.middle: Extra inputs are not permitted"),
        ({"group": 7}, "sources.a.toy.group: Input should be a valid dictionary"),
    ],
)
def test_a_mistake_is_named_with_its_key(own: dict[str, object], message: str) -> None:
    with pytest.raises(UserError) as raised:
        for_procedure(TOY, "toy", {"a": {"file": "a.yaml", "toy": own}}, "a")
    assert str(raised.value).startswith(f"params.yaml: {message}")
    assert "make params" in str(raised.value)
