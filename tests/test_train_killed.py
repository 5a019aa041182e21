"""Killed by SIGKILL at ten random moments, training ends with the model of a run that nobody disturbed."""

from __future__ import annotations

import random
import re
from pathlib import Path

from flowc.checkpoint import Progress, read_progress
from tests import ranks
from tests.training import assert_same_run, job, kill, make_workspace


def saved(workspace: Path) -> Progress:
    """What the last complete checkpoint says; nothing done without one."""
    found = list((workspace / ".flowc" / "train").glob("*/latest"))
    return (read_progress(found[0].parent) if found else None) or Progress(world_size=2)


def began(log: Path) -> int | None:
    """Tokens that were trained on when a start began with its steps, by its own bar; None when it came to none."""
    bars = re.findall(r"\| (\d+)/\d+ \[", log.read_text(encoding="utf-8")) if log.exists() else []
    return int(bars[0]) if bars else None


def test_ten_kills_at_random_moments_change_nothing_and_each_start_continues_from_the_last_checkpoint(
    tmp_path: Path,
) -> None:
    workspace = make_workspace(tmp_path, epochs=10)
    whole = ranks.run(workspace, job("whole"), 2)
    seconds = whole["seconds"]["total"]
    moments = random.Random(11)
    metrics, log = workspace / "killed.json", workspace / "killed.log"
    kills = continued = 0
    while kills < 10:
        before = saved(workspace)
        log.unlink(missing_ok=True)
        stage = ranks.start(workspace, job("killed", checkpoint_seconds=0), 2)
        stage.join(moments.uniform(0, seconds))
        if stage.is_alive():
            kill(stage.pid, stage.join)
            kills += 1
            assert metrics.exists() or saved(workspace).step >= before.step, "work before the last checkpoint was lost"
        else:
            assert stage.exitcode == 0
        if (tokens := began(log)) is not None:
            assert tokens == before.tokens, "work before the last checkpoint was done again"
            continued += tokens > 0
        metrics.unlink(missing_ok=True)  # it had ended, and starts anew
    before = saved(workspace)
    killed = ranks.run(workspace, job("killed"), 2)
    assert began(log) == before.tokens
    assert continued > 0 and killed["resumed"] == (before.resumed + 1 if before.step else 0)
    assert_same_run(workspace, ("whole", whole), ("killed", killed))
