"""A procedure is drawn so that it can be read: nothing lies upon anything else, arrows lead down or back."""

from __future__ import annotations

import sys
from itertools import combinations
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings

from flowc.chart import Chart
from flowc.draw import Place, layout, svg
from flowc.graph import Graph, edges
from flowc.mermaid import flowchart
from flowc.records import UserError, run_stage
from scripts.show import main
from tests.example import TEXT
from tests.reading import graph_of
from tests.test_charts_played import sound_charts


def apart(a: Place, b: Place) -> bool:
    return abs(a.x - b.x) >= (a.width + b.width) / 2 or abs(a.y - b.y) >= (a.height + b.height) / 2


def legible(graph: Graph) -> None:
    plan = layout(graph)
    boxes = [p for p in plan.places.values() if p.lines]
    assert set(graph.nodes) <= set(plan.places)
    assert [(a, b) for a, b in combinations(boxes, 2) if not apart(a, b)] == []
    assert all(p.x - p.width / 2 > 0 and p.x + p.width / 2 < plan.width and p.y < plan.height for p in boxes)
    assert [(w.places[0], w.places[-1]) for w in plan.ways] == [(n, e.to) for n, e in edges(graph)]


def test_nodes_and_labels_lie_apart(travel: Graph, table: Graph) -> None:
    legible(travel)
    legible(table)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(sound_charts())
def test_any_chart_is_legible(chart: Chart) -> None:
    try:
        graph = graph_of(chart, "x.mmd")
    except UserError:
        return
    legible(graph)
    ElementTree.fromstring(svg(graph))


def test_what_follows_stands_below(travel: Graph) -> None:
    y = {name: place.y for name, place in layout(travel).places.items()}
    assert y["greet"] < y["ask_origin"] < y["ask_budget"] < y["search_trips"] < y["present_offer"] < y["ask_name"]
    assert y["search_trips"] < y["ask_new_budget"]


def test_the_drawing_has_a_text_for_every_node_and_condition(table: Graph) -> None:
    root = ElementTree.fromstring(svg(table))
    said = " ".join(e.text or "" for e in root.iter("{http://www.w3.org/2000/svg}text"))
    assert [n for n in table.nodes if n.replace("_", " ") not in said] == []
    assert [i.when for i in table.interrupts.values() if i.when not in said] == []
    assert svg(table) == svg(table)


def test_markup_in_names_of_conditions_is_text(table: Graph) -> None:
    interrupts = {n: i.model_copy(update={"when": "<b>&"}) for n, i in table.interrupts.items()}
    drawn = svg(table.model_copy(update={"interrupts": interrupts, "title": "</svg>"}))
    assert ElementTree.fromstring(drawn)[0].text == "</svg>"


def test_a_flowchart_without_visits_has_neither_numbers_nor_dashes_on_its_boxes(table: Graph) -> None:
    drawn = flowchart(table)
    assert '("ask_day")' in drawn
    assert "<br/>0" not in drawn and "style n" not in drawn and "linkStyle" not in drawn


@pytest.mark.parametrize("sources", ["{table: {file: table.yaml}}", "{}"])
def test_show_prints_the_size_and_writes_both_charts_of_what_is_listed_or_only_in_the_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], table: Graph, sources: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("params.yaml").write_text(f"sources: {sources}")
    Path("table.yaml").write_text(TEXT)
    monkeypatch.setattr(sys, "argv", ["show", ".", "table", "--out", "charts"])
    run_stage(main)
    lines = capsys.readouterr().out.splitlines()
    assert lines[:2] == ["Table reservation (table)", f"nodes          {len(table.nodes)}"]
    assert [line.split("  ")[0] for line in lines[1:]] == [
        "nodes",
        "hubs",
        "endings",
        "acyclic paths",
        "chart",
        "chart",
    ]
    assert Path("charts/table.mmd").read_text() == flowchart(table) + "\n"
    assert Path("charts/table.svg").read_text() == svg(table)
