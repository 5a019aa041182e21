"""Fixtures that several test modules share."""

from __future__ import annotations

import pytest

from flowc.graph import Graph
from flowc.parse import parse_procedure
from flowc.tracker import Tracker
from tests.example import example_graph
from tests.workspace import ROOT

TRAVEL = ROOT / "data" / "procedures" / "travel_booking.yaml"


@pytest.fixture(scope="session")
def table() -> Graph:
    """The small procedure of tests/example.py."""
    return example_graph()


@pytest.fixture(scope="session")
def table_tracker(table: Graph) -> Tracker:
    return Tracker(table)


@pytest.fixture(scope="session")
def travel() -> Graph:
    """The shipped procedure."""
    return parse_procedure(TRAVEL.read_text(encoding="utf-8"), str(TRAVEL))
