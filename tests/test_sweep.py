"""Experiments side by side: what DVC shows of them becomes points, a table and a plot."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from flowc.records import UserError
from flowc.sweep import draw_sweep, read_sweep, sweep_page, sweep_table
from scripts.compare import LAYOUT
from tests.parcel import rate


def experiment(name: str, base: str, layers: int, success: float | None) -> dict[str, Any]:
    """One experiment as DVC shows it: of the scores, which hold lists, no more than single numbers."""
    metrics: dict[str, Any] = {}
    if success is not None:
        compiled = {"task_success": {"mean": success, "n": 60}}
        metrics = {
            "reports/scores/p.json": {"data": {"arms": {"compiled": compiled}}},
            "reports/training/p.json": {"data": {"seconds": {"total": 100.0 * layers}}},
            "reports/benchmark/p.json": {"data": {"cost": {"usd_per_conversation": 5e-05}}},
        }
    data = {
        "params": {"params.yaml": {"data": {"base": {"name": base, "layers": layers}, "arms": [name], "seed": 0}}},
        "metrics": metrics,
        "outs": {"models/compiled/p": {"size": 3_000_000 * layers}},
    }
    return {"revs": [{"rev": str(success), "name": name, "data": data, "error": None}], "executor": None}


def scores(revision: str, path: str) -> dict[str, Any]:
    """The scores file of a revision, here its success."""
    assert path == "reports/scores/p.json"
    if revision == "None":
        return {}
    return {"arms": {"compiled": {"task_success": rate(float(revision), 0.5, 1.0), "by_split": {}}}}


SHOWN: list[dict[str, Any]] = [
    {"rev": "workspace", "experiments": None},
    {"rev": "abc", "experiments": [experiment("big", "b-12l", 12, 0.9), experiment("small", "b-6l", 6, 0.7)]},
]


def test_what_varies_names_an_experiment_and_the_smallest_model_comes_first() -> None:
    points = read_sweep(SHOWN, "p", LAYOUT, scores)
    assert [p.label for p in points] == ["base b-6l", "base b-12l"]
    assert [p.success and (p.success.mean, p.success.low, p.success.n) for p in points] == [
        (0.7, 0.5, 60),
        (0.9, 0.5, 60),
    ]
    assert [(p.megabytes, p.train_seconds, p.dollars) for p in points] == [(18.0, 600.0, 0.05), (36.0, 1200.0, 0.05)]


def test_an_experiment_that_crashed_stands_last_with_its_state_and_no_number() -> None:
    crashed = experiment("lost", "b-9l", 9, 1.0)  # with the metrics of the commit that it began from
    shown = [{"experiments": [crashed | {"executor": {"state": "failed"}}, *SHOWN[1]["experiments"]]}]
    points = read_sweep(shown, "p", LAYOUT, scores)
    assert [(p.label, p.failed) for p in points] == [("base b-6l", None), ("base b-12l", None), ("base b-9l", "failed")]
    assert [c.strip() for c in sweep_table(points).splitlines()[-1].split("|")[1:-1]] == [
        "3",
        "base b-9l",
        "failed",
        *["—"] * 4,
    ]


def test_the_commit_itself_is_a_row_where_it_was_compiled() -> None:
    own = experiment("", "b-30l", 30, 0.95)["revs"][0]
    own["data"]["metrics"]["reports/training/p.json"]["data"]["resumed"] = 1
    shown = [{**own, "rev": "workspace"}, SHOWN[1] | {**own, "name": "main"}]
    points = read_sweep(shown, "p", LAYOUT, scores)
    assert [p.label for p in points] == ["base b-6l", "base b-12l", "base b-30l (as committed)"]
    assert sweep_table(points).splitlines()[-1].split("|")[-3].strip() == "3,000, continued"


def test_what_was_not_measured_is_said_and_not_drawn_as_zero(tmp_path: Path) -> None:
    shown = [{"experiments": [experiment("a", "b-6l", 6, None), experiment("b", "b-12l", 12, 0.9)]}]
    points = read_sweep(shown, "p", LAYOUT, scores)
    assert [c.strip() for c in sweep_table(points).splitlines()[2].split("|")[1:-1]] == [
        "1",
        "base b-6l",
        "not measured",
        "not measured",
        "18.0",
        "not measured",
        "not measured",
    ]
    draw_sweep(tmp_path / "plot.png", points, "p")
    assert Image.open(tmp_path / "plot.png").width > 1000


def test_without_experiments_there_is_a_remedy() -> None:
    with pytest.raises(UserError, match="dvc exp run --queue"):
        read_sweep(SHOWN[:1], "p", LAYOUT, scores)


def test_the_page_has_a_plot_and_a_table_a_procedure() -> None:
    page = sweep_page({"p": read_sweep(SHOWN, "p", LAYOUT, scores)}, {"p": "page-p.png"})
    assert "![Task success of p against size, time and cost](page-p.png)" in page
    assert "base b-6l" in page and "base b-12l" in page
