"""What rank the change of a model's weights has: how far a low-rank adapter could have made it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median
from typing import NamedTuple

import torch
from safetensors import safe_open

from flowc.markdown import prose_table
from flowc.records import Record, UserError


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


class Kind(Record):
    """The change of one kind of matrix; from `full` on the median over its layers, as in `Rank`."""

    kind: str
    layers: int
    full: int
    norm: float
    stable: float
    entropy: float
    ninety: float


def by_kind(ranks: Sequence[Rank]) -> tuple[Kind, ...]:
    """Gather the layers of each kind of matrix."""
    found: dict[str, list[Rank]] = {}
    for rank in ranks:
        found.setdefault(re.sub(r"^.*layers\.\d+\.", "", rank.name), []).append(rank)
    fields = ("norm", "stable", "entropy", "ninety")
    return tuple(
        Kind(
            kind=kind,
            layers=len(layers),
            full=layers[0].full,
            **{field: float(median(getattr(rank, field) for rank in layers)) for field in fields},
        )
        for kind, layers in found.items()
    )


def kinds_table(kinds: Sequence[Kind]) -> str:
    """Lay out what `by_kind` gives."""
    rows = [
        [k.kind, f"{k.layers}", f"{k.full}", f"{k.norm:.4f}", f"{k.stable:.1f}", f"{k.entropy:.1f}", f"{k.ninety:.0f}"]
        for k in kinds
    ]
    head = ["matrix", "layers", "full rank", "change / weights", "stable rank", "entropy rank", "rank of 90 %"]
    return prose_table(head, rows)


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
