"""The script that tries a model on users: sets of deviations, scenarios of a file, played by a script or a model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from flowc.graph import Graph
from flowc.metrics import read_object
from flowc.records import UserError, read_jsonl, write_json, write_jsonl
from flowc.transcripts import Ended, Transcript
from scripts import interview
from tests.example import example_scenarios
from tests.served import Run, runner, url
from tests.test_client import Script
from tests.test_client import script as script  # a fixture
from tests.test_pipeline import composed

ASKS = "Welcome! For which day?"


@pytest.fixture
def run(script: Script, monkeypatch: pytest.MonkeyPatch) -> Run:
    return runner(interview, script, ASKS, monkeypatch)


@pytest.fixture
def graph(tmp_path: Path, table: Graph) -> Path:
    write_json(tmp_path / "table.json", table.model_dump(mode="json"))
    return tmp_path / "table.json"


@pytest.fixture
def scenarios(tmp_path: Path, table: Graph) -> Path:
    write_jsonl(tmp_path / "scenarios.jsonl", example_scenarios(table, 4))
    return tmp_path / "scenarios.jsonl"


def found(folder: Path) -> tuple[list[Transcript], dict[str, Any]]:
    scores = read_object(folder / "scores.json", "nothing")["arms"]["compiled"]
    return read_jsonl(folder / "transcripts.jsonl", Transcript), scores


def test_scenarios_of_a_file_are_drawn_played_and_scored(
    run: Run, graph: Path, scenarios: Path, table: Graph, tmp_path: Path
) -> None:
    every = {s.id for s in example_scenarios(table, 4)}
    for n, count in (("3", 3), ("9", 4)):
        run("model", graph, "--scenarios", scenarios, "-n", n, "--out", tmp_path / n)
        played, scores = found(tmp_path / n)
        assert len({t.scenario for t in played} & every) == len(played) == count
        assert {t.turns[0].message.content for t in played} == {ASKS}
        assert (scores["n"], scores["task_success"]["mean"], scores["simulator_errors"]) == (count, 0.0, 0)


def test_sets_of_deviations_are_played_where_no_file_is_given(run: Run, graph: Path, tmp_path: Path) -> None:
    run("model", graph, "--kinds", "abuse", "injection", "-n", "2", "--out", tmp_path / "out")
    played, scores = found(tmp_path / "out")
    assert len(played) == 4
    assert {kind: by["task_success"]["n"] for kind, by in scores["by_deviation"].items()} == {
        "abuse": 2, "injection": 2
    }  # fmt: skip


def test_a_kind_named_twice_is_one_set_and_no_set_is_empty(run: Run, graph: Path, tmp_path: Path) -> None:
    run("model", graph, "--kinds", "abuse", "abuse", "-n", "2", "--out", tmp_path / "out")
    assert len(found(tmp_path / "out")[0]) == 2
    with pytest.raises(SystemExit):
        run("model", graph, "-n", "0", "--out", tmp_path / "none")
    assert not (tmp_path / "none").exists()


def test_models_that_judge_are_not_said_to_have_been_asked(
    run: Run, graph: Path, scenarios: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = composed()
    values["evaluate"]["judges"] = [{"name": "strict", "provider": "openai", "model": "m", "family": "f"}]
    write_json(tmp_path / "params.yaml", values)
    monkeypatch.chdir(tmp_path)
    run("model", graph, "--scenarios", scenarios, "--out", tmp_path / "out")
    scores = read_object(tmp_path / "out" / "scores.json", "nothing")
    assert scores["judging"] == "not run: none configured"
    assert "strict.task_success" not in scores["arms"]["compiled"]


def test_a_language_model_plays_the_scenarios_and_its_own_errors_are_not_the_assistants(
    run: Run, script: Script, graph: Path, scenarios: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ("model", graph, "--scenarios", scenarios, "--user-model", "m", "--out", tmp_path / "out")
    monkeypatch.delenv("FLOWC_USER_URL", raising=False)
    with pytest.raises(UserError, match="FLOWC_USER_URL is not set; say where m is served"):
        run(*words)
    monkeypatch.setenv("FLOWC_USER_URL", url(script))
    run(*words)
    played, scores = found(tmp_path / "out")
    assert {t.ended for t in played} == {Ended.USER_ERROR}  # as a user, the server of one sentence is out of its role
    assert (scores["simulator_errors"], scores["task_success"]["unscored"]) == (4, 4)


def test_sets_and_a_file_are_not_asked_for_at_once(run: Run, graph: Path, scenarios: Path, tmp_path: Path) -> None:
    with pytest.raises(SystemExit):
        run("model", graph, "--kinds", "abuse", "--scenarios", scenarios, "--out", tmp_path / "out")
