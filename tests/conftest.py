"""Fixtures that several test modules share."""

from __future__ import annotations

import pytest

from flowc.graph import Graph
from flowc.parse import parse_procedure
from flowc.tracker import Tracker
from tests.example import example_graph
from tests.workspace import ROOT

LONGEST = (
    "test_smoke.py",
    "test_recompile_cycle.py",
    "test_wiring.py",
    "test_teachers_served.py",
    "test_server.py",
    "test_train.py",
    "test_train_killed.py",
    "test_hosts.py",
    "test_previous.py",
    "test_compile_charts.py",
    "test_reshard.py",
)
"""The files that take half a minute and more; the dearest are first."""
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


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Begin with the longest files where several processes share the work, so that all end at about the same time."""
    assert [name for name in LONGEST if not (ROOT / "tests" / name).is_file()] == []
    if hasattr(config, "workerinput"):
        order = {name: place for place, name in enumerate(LONGEST)}
        items.sort(key=lambda item: order.get(item.path.name, len(order)))
