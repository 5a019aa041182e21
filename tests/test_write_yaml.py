"""A chart is written as YAML that people edit, and reads as the same procedure."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowc.chart import Arrow, Box, Chart
from flowc.graph import Graph
from flowc.parse import parse_procedure
from flowc.read_any import read_graph
from flowc.records import UserError, run_stage
from flowc.write_yaml import write_procedure
from scripts.import_chart import main
from tests.example import TEXT
from tests.reading import graph_of
from tests.test_charts_played import sound_charts
from tests.test_read_any import CHARTS, LANGGRAPH, MERMAID, RASA


def again(graph: Graph) -> Graph:
    return parse_procedure(write_procedure(graph, "x.mmd"), f"{graph.procedure}.yaml")


@pytest.mark.parametrize("file", [*CHARTS, "rasa.yaml", "t.py"])
def test_any_format_reads_the_same_behind_an_import(tmp_path: Path, file: str) -> None:
    path = tmp_path / file
    path.write_text({**CHARTS, "rasa.yaml": RASA, "t.py": LANGGRAPH}[file], encoding="utf-8")
    graph = read_graph(path, "table", trust=file == "t.py", flow="table" if file == "rasa.yaml" else None)
    assert again(graph) == graph


def test_procedures_of_ones_own_read_the_same(travel: Graph, table: Graph) -> None:
    assert again(travel) == travel
    assert again(table) == table


@settings(max_examples=200, deadline=None, derandomize=True)
@given(sound_charts())
def test_any_sound_chart_reads_the_same(chart: Chart) -> None:
    try:
        graph = graph_of(chart, "x.mmd")
    except UserError:  # a step that none reaches, say
        return
    assert again(graph) == graph


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20) | st.sampled_from(
    [
        "yes",
        "no: 1",
        "1984",
        "2027-02-30",
        "null",
        "~",
        "- a",
        "# b",
        "=",
        "<<",
        "a: &b",
        "'",
        '"',
        "\u2028",
        "\x07",
        "🙂",
    ]
)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(TEXTS, TEXTS, st.lists(TEXTS, max_size=4))
def test_any_words_survive(label: str, title: str, values: list[str]) -> None:
    boxes = {"a": Box(label=label, collects="s", line=1), "b": Box(label=label, kind="end", line=2)}
    slots = {"s": tuple(values)}
    chart = Chart(name="x", title=title, boxes=boxes, arrows=(Arrow(source="a", target="b", line=1),), slots=slots)
    try:
        graph = graph_of(chart, "x.mmd")
    except UserError:
        return
    assert again(graph) == graph


def test_comments_say_what_to_edit_and_phrases_stand_one_a_line(table: Graph) -> None:
    lines = write_procedure(table, "drawn.mmd").splitlines()
    assert lines[0].startswith("# Read from drawn.mmd, and complete: from now on edit this file, not the chart.")
    for key in ("slots", "tools", "nodes", "knowledge", "interrupts"):
        assert lines[lines.index(f"{key}:") - 1].startswith("# ")
    assert '    - "Welcome! For which day?"' in lines
    assert max(map(len, lines)) <= 120


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str | Path) -> None:
    monkeypatch.setattr(sys, "argv", ["import_chart", *map(str, arguments)])
    run_stage(main)


def test_an_import_into_a_folder_that_is_not_there_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "table.mmd").write_text(MERMAID)
    with pytest.raises(SystemExit, match=r"^error: .*/nowhere: no such folder; name that of the procedures$"):
        run(monkeypatch, tmp_path / "table.mmd", tmp_path / "nowhere")


def test_an_import_is_named_after_its_file_and_never_overwrites(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "Table Booking.mmd").write_text(MERMAID)
    run(monkeypatch, tmp_path / "Table Booking.mmd", tmp_path)
    target = tmp_path / "table_booking.yaml"
    assert read_graph(target, "table_booking") == read_graph(tmp_path / "Table Booking.mmd", "table_booking")
    assert "`table_booking: {file: table_booking.yaml}`" in capsys.readouterr().out
    target.write_text(TEXT)
    with pytest.raises(SystemExit, match=r"table_booking.yaml exists already; remove it, or choose another name"):
        run(monkeypatch, tmp_path / "Table Booking.mmd", tmp_path)
    assert target.read_text() == TEXT
    run(monkeypatch, tmp_path / "Table Booking.mmd", tmp_path, "--name", "other")
    assert read_graph(tmp_path / "other.yaml", "other").title == "Other"
    (tmp_path / "flows.yml").write_text(RASA)
    run(monkeypatch, tmp_path / "flows.yml", tmp_path, "--flow", "table")
    assert read_graph(tmp_path / "table.yaml", "table").start == "greet"
