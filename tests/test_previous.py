"""A recompile starts from the model of a commit, trains on what changed and says why when it cannot."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from flowc.packing import Family, Tokens, length
from flowc.previous import restore, select
from flowc.records import UserError
from flowc.train_inputs import Job, TrainParams, read_inputs, restore_previous
from tests import ranks
from tests.training import PARAMS, job, make_workspace, some_tokens, tiny_model, write_tokens
from tests.workspace import Workspace


def row(*ids: int, shared: int = 0) -> Tokens:
    return Tokens(torch.tensor(ids), torch.ones(len(ids), dtype=torch.bool), shared)


OLD: list[Family] = [(row(1, 2, 3), row(1, 2, 4, shared=2)), (row(5, 6, 7),), (row(8, 9, 10),)]


def test_what_changed_is_kept_with_its_trunk_and_a_sample_of_the_rest() -> None:
    now = [(OLD[0][0], OLD[0][1], row(1, 2, 9, 9, shared=2)), OLD[1], OLD[2]]
    found = select(now, OLD, replay=1.0, least=1, seed=3)
    assert [r.ids.tolist() for r in found.families[0]] == [[1, 2, 3], [1, 2, 9, 9]]
    assert (found.changed, found.replayed) == (1, 1)
    assert found.edit == pytest.approx(2 / sum(map(length, now)))
    assert found.families[1] in (OLD[1], OLD[2])
    assert select(now, OLD, replay=0.0, least=1, seed=3).replayed == 0


def test_what_was_removed_counts_as_an_edit_and_is_replayed_against() -> None:
    found = select(OLD[:2], OLD, replay=1.0, least=1, seed=3)
    assert (found.changed, found.edit) == (0, 3 / 10)
    assert sum(map(length, found.families)) >= 3


def test_without_any_change_one_batch_is_replayed() -> None:
    found = select(OLD, OLD, replay=1.0, least=2, seed=3)
    assert (found.changed, found.replayed, found.edit) == (0, 2, 0.0)


def with_previous(**changes: Any) -> TrainParams:
    previous = {**PARAMS["previous"], "largest_edit": 0.3, **changes}  # type: ignore[dict-item]
    return TrainParams.model_validate(PARAMS | {"init": "previous", "previous": previous})


def job_in(folder: Path) -> Job:
    out, metrics, side = folder / "out" / "p", folder / "p.json", folder / ".flowc" / "train"
    return Job(folder / "tokens", folder / "base", folder / "graph.json", out, metrics, side, 240)


def previous_of(job: Job, rows: list[Tokens]) -> None:
    tiny_model().save_pretrained(job.previous / "model")
    write_tokens(job.previous / "tokens" / "train.parquet", rows)


def test_a_small_edit_starts_from_the_previous_model_at_its_own_rate(tmp_path: Path) -> None:
    job, rows = job_in(make_workspace(tmp_path)), some_tokens(24)
    previous_of(job, [*rows[:-1], Tokens(rows[0].ids[:9], rows[0].targets[:9])])
    inputs = read_inputs(job, with_previous(), 7)
    assert inputs.start == job.previous / "model"
    assert inputs.rate == 1.0e-3
    assert inputs.origin["from"] == "previous"
    assert inputs.origin["changed_families"] == 1
    assert len(inputs.train) == 1 + inputs.origin["replayed_families"] < 24
    assert {"previous weights", "previous train tokens"} <= inputs.hashes.keys()


def test_a_large_edit_starts_from_the_base_with_everything_and_says_so(tmp_path: Path) -> None:
    job, rows = job_in(make_workspace(tmp_path)), some_tokens(24)
    previous_of(job, rows[:10])
    inputs = read_inputs(job, with_previous(), 7)
    assert (inputs.start, inputs.rate, len(inputs.train)) == (job.base, PARAMS["learning_rate"], 24)
    assert "above train.previous.largest_edit of 30%" in inputs.origin["reason"]


def test_a_procedure_that_was_not_compiled_then_starts_from_the_base(tmp_path: Path) -> None:
    job = job_in(make_workspace(tmp_path))
    assert read_inputs(job, with_previous(), 7).origin == {
        "from": "base",
        "reason": "no model was compiled at that revision",
    }


def test_without_a_revision_the_start_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"init=previous needs train\.previous\.revision"):
        restore_previous(job_in(tmp_path), with_previous(), tmp_path)


def test_dvc_repro_starts_from_the_model_of_a_commit_out_of_the_cache(tmp_path: Path) -> None:
    """The stage under DVC itself, after one conversation of what was compiled from the base has changed."""
    folder = make_workspace(tmp_path / "repository")
    workspace = Workspace(folder)
    workspace.environment |= {
        "PYTHONPATH": ":".join(sys.path),
        "FLOWC_RANKS": "1",
    }
    command = "python -m stages.train tokens base graph.json --out models/p --metrics p.json"
    stage = {
        "cmd": command,
        "deps": ["tokens", "base", "graph.json"],
        "outs": ["models/p"],
        "params": ["train", "seed"],
    }
    (folder / "dvc.yaml").write_text(yaml.safe_dump({"stages": {"train": stage}}), encoding="utf-8")
    workspace.run("git", "init", "--quiet", "--initial-branch", "main")
    workspace.dvc("init", "--quiet")
    workspace.dvc("add", "--quiet", "tokens")
    ranks.run(folder, job("p")._replace(out=Path("models/p")), 1)
    workspace.dvc("commit", "--quiet", "--force")
    workspace.commit()
    revision = workspace.run("git", "rev-parse", "HEAD").strip()
    first = (folder / "models" / "p" / "model.safetensors").read_bytes()
    changed = some_tokens(24)
    changed[5] = some_tokens(1, seed=9)[0]
    write_tokens(folder / "tokens" / "train.parquet", changed)
    previous = {"revision": revision, "replay": 1.0, "largest_edit": 0.3, "learning_rate": 1.0e-3}
    params = {"seed": 7, "train": PARAMS | {"init": "previous", "previous": previous}}
    (folder / "params.yaml").write_text(json.dumps(params), encoding="utf-8")
    workspace.dvc("commit", "--quiet", "--force", "tokens.dvc")
    workspace.dvc("repro", timeout=300)
    metrics = json.loads((folder / "p.json").read_text(encoding="utf-8"))
    assert metrics["start"]["from"] == "previous"
    assert metrics["start"]["changed_families"] == 1
    assert metrics["steps"] < 12, "less is trained than at first"
    assert (folder / "models" / "p" / "model.safetensors").read_bytes() != first
    with pytest.raises(UserError, match=r"train\.previous\.revision: .*; fetch that commit"):
        restore(folder, "0" * 40, {"model": Path("models/p")}, tmp_path / "x")
    assert not restore(folder, revision, {"model": Path("models/other")}, tmp_path / "x")
    shutil.rmtree(folder / ".dvc" / "cache")
    with pytest.raises(UserError, match=r"models/p of .* is neither in DVC's cache nor in a remote"):
        restore(folder, revision, {"model": Path("models/p")}, tmp_path / "x")
