"""Killed by SIGKILL at ten random moments, training ends with the model of a run that nobody disturbed."""

from __future__ import annotations

import random
from pathlib import Path

from tests import ranks
from tests.training import assert_same_run, job, kill, make_workspace


def latest(workspace: Path) -> int:
    """Step of the last complete checkpoint; 0 without one."""
    found = list((workspace / ".flowc" / "train").glob("*/latest"))
    return int(found[0].read_text(encoding="utf-8").removeprefix("step-")) if found else 0


def test_ten_kills_at_random_moments_change_nothing_and_lose_no_checkpoint(tmp_path: Path) -> None:
    workspace = make_workspace(tmp_path, epochs=20)
    whole = ranks.run(workspace, job("whole"), 2)
    seconds = whole["seconds"]["total"]
    moments = random.Random(11)
    metrics = workspace / "killed.json"
    kills = 0
    while kills < 10:
        before = latest(workspace)
        stage = ranks.start(workspace, job("killed", checkpoint_seconds=0), 2)
        stage.join(moments.uniform(0, seconds))
        if stage.is_alive():
            kill(stage.pid, stage.join)
            kills += 1
            assert metrics.exists() or latest(workspace) >= before, "work before the last checkpoint was lost"
        else:
            assert stage.exitcode == 0
        metrics.unlink(missing_ok=True)  # it had ended, and starts anew
    killed = ranks.run(workspace, job("killed"), 2)
    assert_same_run(workspace, ("whole", whole), ("killed", killed))
