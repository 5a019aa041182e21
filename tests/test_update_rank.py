"""The rank of an update is that of the matrix that was added."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from flowc.records import UserError
from flowc.update_rank import update_ranks


def save(folder: Path, **tensors: torch.Tensor) -> Path:
    folder.mkdir()
    save_file({name.replace("__", "."): t.contiguous() for name, t in tensors.items()}, folder / "model.safetensors")
    return folder


def test_ranks_are_exact_for_updates_of_known_rank(tmp_path: Path) -> None:
    zero = torch.zeros(6, 4)
    even, uneven = torch.zeros(6, 4), torch.zeros(6, 4)
    even[0, 0] = even[1, 1] = 2.0
    uneven[0, 0], uneven[1, 1] = 4.0, 1.0
    before = save(tmp_path / "a", one=torch.ones(6, 4), two=torch.ones(6, 4), none=torch.ones(6, 4), norm=torch.ones(4))
    after = save(tmp_path / "b", one=1 + uneven, two=1 + even, none=1 + zero, norm=torch.zeros(4))
    found = {rank.name: rank for rank in update_ranks(before, after)}
    assert list(found) == ["none", "one", "two"]
    assert found["none"][1:] == (4, 0.0, 0.0, 0.0, 0)
    assert found["two"].stable == pytest.approx(2.0)
    assert found["two"].entropy == pytest.approx(2.0)
    assert (found["two"].full, found["two"].ninety) == (4, 2)
    assert found["two"].norm == pytest.approx((8 / 24) ** 0.5)
    assert found["one"].stable == pytest.approx(17 / 16)
    assert found["one"].ninety == 1


def test_models_of_other_shapes_are_refused(tmp_path: Path) -> None:
    before, after = save(tmp_path / "a", w=torch.ones(2, 2)), save(tmp_path / "b", w=torch.ones(2, 3))
    with pytest.raises(UserError, match="models of different shapes"):
        update_ranks(before, after)
    with pytest.raises(UserError, match=r"no \*\.safetensors there"):
        update_ranks(tmp_path, before)


def test_the_script_prints_the_median_of_each_kind_of_matrix(tmp_path: Path) -> None:
    change = torch.zeros(4, 4)
    change[0, 0] = 1.0
    layers = {f"model__layers__{i}__q_proj__weight": torch.eye(4) for i in range(3)}
    before = save(tmp_path / "a", **layers)
    after = save(tmp_path / "b", **{name: w + change for name, w in layers.items()})
    command = [sys.executable, "-m", "scripts.update_rank", str(before), str(after)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "| q_proj.weight | 3 | 4 | 0.5000 | 1.0 | 1.0 | 1 |"
