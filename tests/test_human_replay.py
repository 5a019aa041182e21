"""One command for the human replay: what it runs, where, and what it leaves out."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from flowc.records import run_stage, write_json
from scripts.human_replay import GRAPH, compiling, fetch, main, model_of, replaying, there
from scripts.replay import made_of


def test_it_compiles_the_task_from_its_chart_and_replays_each_arm_with_its_model() -> None:
    star, out = Path("/star"), Path("/out")
    assert compiling(star, ["scale=smoke"]) == [
        ["scripts.star_chart", "/star", "hotel_book", "--out", "data/procedures/hotel_book.mmd"],
        ["scripts.compose", "+sources.hotel_book={file: hotel_book.mmd}", "scale=smoke"],
        ["dvc", "repro", "train@hotel_book"],
    ]
    assert replaying("compiled", "tiny", star, out, 3) == [
        "scripts.replay", "compiled", "models/compiled/hotel_book", "data/graphs/hotel_book.json", "/star",
        "--out", "/out/replay-compiled.json", "--answers", "replay-compiled.jsonl", "--limit", "3",
    ]  # fmt: skip
    assert replaying("in_context", "tiny", star, out, None)[2] == "models/base/tiny"


def test_figures_stay_only_while_model_graph_and_number_of_dialogues_are_the_same(tmp_path: Path) -> None:
    figures, clone, model = tmp_path / "replay-compiled.json", tmp_path / "clone", model_of("compiled", "tiny")
    (clone / model).mkdir(parents=True)
    (clone / GRAPH).parent.mkdir(parents=True)
    (clone / model / "weights").write_text("1")
    (clone / GRAPH).write_text("{}")
    assert not there(figures, clone, model, None)
    write_json(figures, {"arm": {}})
    assert not there(figures, clone, model, None)
    write_json(figures, {"of": made_of(clone / model, clone / GRAPH, None)})
    assert there(figures, clone, model, None)
    assert not there(figures, clone, model, 3)
    for file in (clone / model / "weights", clone / GRAPH):
        before = file.read_text()
        file.write_text("[]")
        assert not there(figures, clone, model, None)
        file.write_text(before)
    assert there(figures, clone, model, None)
    (clone / model / "weights").rename(clone / model / "other")
    assert not there(figures, clone, model, None)


def test_the_clone_is_brought_to_the_present_commit_and_shares_the_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def git(*words: str) -> None:
        identity = ("-c", "user.name=test", "-c", "user.email=test@example.invalid")
        subprocess.run(["git", *identity, *words], check=True, capture_output=True)

    monkeypatch.chdir(tmp_path)
    git("init", "--quiet")
    (tmp_path / ".gitignore").write_text("/.flowc/\n")
    subprocess.run([sys.executable, "-m", "dvc", "init", "--quiet"], check=True)
    clone = tmp_path / ".flowc" / "hotel"
    for text in ("one", "two"):
        (tmp_path / "file").write_text(text)
        git("add", "--all")
        git("commit", "--quiet", "-m", text)
        fetch(Path(".flowc/hotel"))
        assert (clone / "file").read_text() == text
        (clone / "file").write_text("edited there")
    assert str(tmp_path / ".dvc" / "cache") in (clone / ".dvc" / "config.local").read_text()


def test_no_dialogues_at_all_cannot_be_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["human_replay", "star", "--out", "human", "--limit", "0"])
    with pytest.raises(SystemExit) as ended:
        run_stage(main)
    assert ended.value.code == 2


def test_data_that_are_not_there_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["human_replay", "star", "--out", "human"])
    with pytest.raises(SystemExit, match="error: star: no such folder; give the one of the STAR data"):
        run_stage(main)
    assert list(tmp_path.iterdir()) == []
