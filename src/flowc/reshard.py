"""Continues from the checkpoint of another number of ranks: each rank cuts its part out of the old parts.

A ZeRO-3 checkpoint of n ranks holds every parameter, flattened, in n parts of ceil(size / n) numbers, the last one
padded; rank i's file has part i of all parameters, one behind the other, group by group.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist

_MOMENTS = ("exp_avg", "exp_avg_sq")


def load_resharded(engine: Any, folder: Path, old_world: int) -> None:
    """Put weights, moments and step counts of a checkpoint of `old_world` ranks into an engine with its own.

    DeepSpeed's groups of parameters are the optimizer's, cut where they pass a size, so they too may differ.
    """
    files = [_read(folder / f"{_prefix(folder)}zero_pp_rank_{i}_mp_rank_00_optim_states.pt") for i in range(old_world)]
    states = [f["optimizer_state_dict"] for f in files]
    parts: dict[str, dict[str, list[torch.Tensor]]] = {}
    shapes = _read(folder / "zero_pp_rank_0_mp_rank_00_model_states.pt")["param_shapes"]
    for group, members in enumerate(shapes):
        inner = [s["optimizer_state_dict"]["state"][group] for s in states]
        kinds = {"fp32": [s["fp32_flat_groups"][group] for s in states]}
        kinds |= {kind: [s[kind] for s in inner] for kind in _MOMENTS}
        offset = 0
        for name, shape in members.items():
            size = math.ceil(math.prod(shape) / old_world)
            parts[name] = {k: [flat[offset : offset + size] for flat in flats] for k, flats in kinds.items()}
            offset += size
    step = states[0]["optimizer_state_dict"]["state"][0]["step"]
    _fill(engine.optimizer, parts, step)
    resident = engine.optimizer.persistent_parameters
    if resident:  # gathered before the new weights came: let go and gather again
        resident[0].partition(resident)
        resident[0].all_gather(resident)


def _fill(optimizer: Any, parts: dict[str, dict[str, list[torch.Tensor]]], step: Any) -> None:
    rank, world = dist.get_rank(), dist.get_world_size()
    for flat, members in zip(optimizer.fp32_partitioned_groups_flat, optimizer.fp16_groups, strict=True):
        moments = {kind: torch.zeros_like(flat) for kind in _MOMENTS}
        offset = 0
        for parameter in members:
            mine = {
                k: _cut(v, parameter.ds_numel, rank, world) for k, v in parts[optimizer.param_names[parameter]].items()
            }
            end = offset + len(mine["fp32"])
            flat.data[offset:end].copy_(mine["fp32"])
            parameter.ds_tensor.data.copy_(mine["fp32"])
            for kind, values in moments.items():
                values[offset:end].copy_(mine[kind])
            offset = end
        optimizer.optimizer.state[flat] = moments | {"step": step.clone() if isinstance(step, torch.Tensor) else step}


def _prefix(folder: Path) -> str:
    return "bf16_" if any(folder.glob("bf16_zero_pp_rank_0_*")) else ""


def _read(path: Path) -> Any:
    return torch.load(path, map_location="cpu", mmap=True, weights_only=False)  # our own file


def _cut(parts: list[torch.Tensor], size: int, rank: int, world: int) -> torch.Tensor:
    """Give rank's part of `world` of the numbers that `parts` hold in order, padded with zeros."""
    new = math.ceil(size / world)
    out = torch.zeros(new, dtype=parts[0].dtype)
    first, last = rank * new, min((rank + 1) * new, size)
    old = len(parts[0])
    for i, part in enumerate(parts):
        start, end = max(first, i * old), min(last, (i + 1) * old)
        if start < end:
            out[start - first : end - first] = part[start - i * old : end - i * old]
    return out
