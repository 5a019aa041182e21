"""The stage parse: one line for a mistake, warnings counted, and the same bytes after a comment."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from flowc.graph import Graph
from flowc.parse import parse_procedure
from flowc.records import read_record, run_stage
from stages.parse import main
from tests.example import TEXT
from tests.test_parse import line_of


def run(monkeypatch: pytest.MonkeyPatch, source: Path, out: Path) -> None:
    monkeypatch.chdir(source.parent)
    Path("params.yaml").write_text(f"sources: {{{out.stem}: {{file: {source.name}}}}}")
    monkeypatch.setattr(sys, "argv", ["parse", str(source), "--out", str(out)])
    run_stage(main)


def test_the_stage_writes_the_same_bytes_after_a_comment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source, out = tmp_path / "table.yaml", tmp_path / "graphs" / "table.json"
    source.write_text(TEXT, encoding="utf-8")
    run(monkeypatch, source, out)
    before = out.read_bytes()
    source.write_text("# a remark\n\n" + TEXT, encoding="utf-8")
    run(monkeypatch, source, out)
    assert out.read_bytes() == before
    assert read_record(out, Graph) == parse_procedure(TEXT, "table.yaml")


def test_the_stage_ends_with_one_line_for_a_mistake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source, out = tmp_path / "table.yaml", tmp_path / "table.json"
    source.write_text(TEXT.replace("to: ask_guests", "to: nowhere"), encoding="utf-8")
    with pytest.raises(SystemExit) as ended:
        run(monkeypatch, source, out)
    line = line_of(source.read_text(), "to: nowhere")
    assert str(ended.value).startswith(f"error: {source}:{line}: edge ask_day.day goes to 'nowhere'")
    assert "\n" not in str(ended.value)
    assert not out.exists()


@pytest.mark.parametrize(
    ("wrong", "first"),
    [
        ({"    terminal: abandonment\n": "", '"Too much."': '"Gladly.", "Human!"'}, ("goodbye:", "node 'goodbye' is")),
        (
            {"to: ask_guests": "to: nowhere", "start: ask_day": "start: ask"},
            ("start: ask", "start names the node 'ask', which does not exist"),
        ),
    ],
    ids=["checks", "names"],
)
def test_the_stage_says_how_many_more_errors_there_are(
    wrong: dict[str, str], first: tuple[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, text = tmp_path / "table.yaml", TEXT
    for old, mistaken in wrong.items():
        text = text.replace(old, mistaken)
    source.write_text(text, encoding="utf-8")
    with pytest.raises(SystemExit) as ended:
        run(monkeypatch, source, tmp_path / "table.json")
    assert str(ended.value).startswith(f"error: {source}:{line_of(text, first[0])}: {first[1]}")
    assert str(ended.value).endswith("(the first of 2 errors: `make lint P=table` lists all)")


def test_the_stage_prints_its_warnings_and_their_number(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    source = tmp_path / "table.yaml"
    source.write_text(TEXT, encoding="utf-8")
    run(monkeypatch, source, tmp_path / "table.json")
    *warnings, last = capsys.readouterr().err.splitlines()
    assert last == f"table: {len(warnings)} warnings"
    assert warnings[0] == (
        f"{source}:{line_of(TEXT, 'say: [')}: warning: node 'ask_day' has 4 agent phrases, too few for a fair held-out "
        "test; write 6 or more"
    )


def test_the_stage_reads_a_chart_and_the_name_is_that_of_the_graph(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, out = tmp_path / "drawn.mmd", tmp_path / "graphs" / "claims.json"
    source.write_text("flowchart TD\n  A[Ask for the claim] --> B([Done])\n", encoding="utf-8")
    run(monkeypatch, source, out)
    graph = read_record(out, Graph)
    assert (graph.procedure, graph.start) == ("claims", "ask_for_the_claim")


def test_the_stage_wants_the_procedure_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("params.yaml").write_text("sources: {other: {file: other.yaml}}")
    monkeypatch.setattr(sys, "argv", ["parse", "table.yaml", "--out", "table.json"])
    with pytest.raises(SystemExit, match=r"no procedure 'table' under `sources` \(known are other\); add it in conf"):
        run_stage(main)


def test_the_stage_names_a_procedure_that_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SystemExit, match=r"error: .*lost.yaml: no such file; write it, or correct its name"):
        run(monkeypatch, tmp_path / "lost.yaml", tmp_path / "lost.json")
