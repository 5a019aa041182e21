"""What the tests of several readers share."""

from __future__ import annotations

import re
from collections.abc import Callable

from flowc.chart import Chart
from flowc.from_chart import draft_of
from flowc.graph import Graph
from flowc.parse import sound
from flowc.records import UserError


def graph_of(chart: Chart, file: str) -> Graph:
    """Make the procedure that a chart draws, with every check; `file` names it in messages."""
    return sound(draft_of(chart, file), file)


def reads(read: Callable[[], Chart], file: str) -> Chart | None:
    """Give the chart, or None where it is refused by a message that begins with the file; all else fails the test."""
    try:
        chart = read()
    except UserError as e:
        assert str(e).startswith(f"{file}:")
        return None
    assert chart.boxes
    return chart


def without_column(message: str) -> str:
    """Give a message of `file:line:column: ...` with the line alone."""
    return re.sub(r"^([^:]*:\d+):\d+", r"\1", message)


def without_lines(chart: Chart) -> Chart:
    """Give a chart with line 1 everywhere, its arrows in the order of the boxes that they leave."""
    boxes = {name: box.model_copy(update={"line": 1}) for name, box in chart.boxes.items()}
    place = {name: i for i, name in enumerate(boxes)}
    arrows = sorted((a.model_copy(update={"line": 1}) for a in chart.arrows), key=lambda a: place[a.source])
    return chart.model_copy(update={"boxes": boxes, "arrows": tuple(arrows)})
