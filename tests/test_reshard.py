"""A checkpoint of some ranks is continued by others, with the same numbers."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from flowc.reshard import _cut
from tests import ranks
from tests.training import await_checkpoint, job, kill, make_workspace


@pytest.mark.parametrize("size", [1, 5, 6, 7, 12])
@pytest.mark.parametrize(("old", "new"), [(1, 2), (2, 1), (2, 3), (3, 2), (4, 3)])
def test_parts_hold_the_same_numbers_however_they_are_cut(size: int, old: int, new: int) -> None:
    numbers = torch.arange(1.0, size + 1)

    def parts(world: int) -> list[torch.Tensor]:
        each = -(-size // world)
        padded = torch.cat([numbers, torch.zeros(each * world - size)])
        return list(torch.split(padded, each))

    for rank, wanted in enumerate(parts(new)):
        assert torch.equal(_cut(parts(old), size, rank, new), wanted)


@pytest.mark.parametrize(("killed", "continued"), [(2, 1), (1, 2)])
def test_a_run_killed_on_some_ranks_ends_on_others_at_the_same_loss(
    tmp_path: Path, killed: int, continued: int
) -> None:
    workspace = make_workspace(tmp_path, max_grad_norm=1000.0, weight_decay=0.0)
    whole = ranks.run(workspace, job("whole"), killed)
    stage = ranks.start(workspace, job("other", checkpoint_seconds=0), killed)
    await_checkpoint(workspace, stage.is_alive)
    kill(stage.pid, stage.join)
    other = ranks.run(workspace, job("other"), continued)
    assert (other["resumed"], other["world_size"]) == (1, continued)
    for curve in ("loss_curve", "eval_curve"):
        ours, theirs = ([loss for _, loss in m[curve]] for m in (other, whole))
        assert ours == pytest.approx(theirs, abs=2e-4), curve
