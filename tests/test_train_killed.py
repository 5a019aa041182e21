"""Killed by SIGKILL at ten random moments, training ends with the model of a run that nobody disturbed."""

from __future__ import annotations

import random
import signal
import subprocess
import time
from pathlib import Path

from tests.training import assert_same_run, command, environment, make_workspace, ranks_of, run


def latest(workspace: Path) -> int:
    """Step of the last complete checkpoint; 0 without one."""
    found = list((workspace / ".flowc" / "train").glob("*/latest"))
    return int(found[0].read_text(encoding="utf-8").removeprefix("step-")) if found else 0


def test_ten_kills_at_random_moments_change_nothing_and_lose_no_checkpoint(tmp_path: Path) -> None:
    workspace = make_workspace(tmp_path, epochs=20)
    start = time.monotonic()
    whole = run(workspace, "whole", 2)
    seconds = time.monotonic() - start
    moments = random.Random(11)
    often = environment(2, FLOWC_CHECKPOINT_SECONDS="0")
    kills = 0
    while kills < 10:
        before = latest(workspace)
        stage = subprocess.Popen(command("killed"), cwd=workspace, env=often, stderr=subprocess.DEVNULL)
        try:
            status = stage.wait(moments.uniform(0, seconds))
        except subprocess.TimeoutExpired:
            children = ranks_of(stage.pid)
            stage.send_signal(signal.SIGKILL)
            stage.wait()
            kills += 1
            deadline = time.monotonic() + 60
            while any(Path(f"/proc/{pid}").exists() for pid in children):
                assert time.monotonic() < deadline, "a rank outlived its stage"
                time.sleep(0.02)
            if (workspace / "killed.json").exists():  # it had ended, and starts anew
                (workspace / "killed.json").unlink()
            else:
                assert latest(workspace) >= before, "work before the last checkpoint was lost"
        else:  # it was faster than we: it starts anew
            assert status == 0
            (workspace / "killed.json").unlink()
    killed = run(workspace, "killed", 2)
    assert_same_run(workspace, ("whole", whole), ("killed", killed))
