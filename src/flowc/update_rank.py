"""What rank the change of a model's weights has: how far a low-rank adapter could have made it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import torch
from safetensors import safe_open

from flowc.records import UserError


class Rank(NamedTuple):
    """The change of one matrix. `full` is the most that its rank can be; without any change the rest is 0."""

    name: str
    full: int
    norm: float
    """Frobenius norm of the change over that of the matrix before."""
    stable: float
    """Sum of the squared singular values over the largest: 1 where one direction has it all."""
    entropy: float
    """exp of the entropy of the squared singular values' shares (Roy and Vetterli, 2007)."""
    ninety: int
    """Singular values that hold 90 % of the squared sum: the rank that an adapter needs for as much."""


def update_ranks(before: Path, after: Path) -> list[Rank]:
    """Measure every matrix that two model folders have in common, in the order of their names.

    Raises UserError where a folder has no safetensors or the models' matrices are not the same.
    """
    old, new = dict(_matrices(before)), dict(_matrices(after))
    if {n: w.shape for n, w in old.items()} != {n: w.shape for n, w in new.items()}:
        raise UserError(f"{before} and {after} are models of different shapes; give a model and its base")
    return [_rank(name, old[name].float(), new[name].float()) for name in sorted(old)]


def _matrices(folder: Path) -> Iterator[tuple[str, torch.Tensor]]:
    files = sorted(folder.glob("*.safetensors"))
    if not files:
        raise UserError(f"{folder}: no *.safetensors there; give the folder of a model")
    for file in files:
        with safe_open(file, framework="pt") as tensors:
            for name in tensors.keys():  # noqa: SIM118
                if len(tensors.get_slice(name).get_shape()) == 2:
                    yield name, tensors.get_tensor(name)


def _rank(name: str, old: torch.Tensor, new: torch.Tensor) -> Rank:
    energy = torch.linalg.svdvals(new - old).double().square()
    total, full = float(energy.sum()), len(energy)
    if not total:
        return Rank(name, full, 0.0, 0.0, 0.0, 0)
    shares = energy / total
    entropy = float(-(shares * shares.clamp_min(1e-300).log()).sum())
    ninety = int((shares.cumsum(0) < 0.9).sum()) + 1
    norm = total**0.5 / max(float(old.norm()), 1e-30)
    return Rank(name, full, norm, 1 / float(shares[0]), float(torch.tensor(entropy).exp()), ninety)
