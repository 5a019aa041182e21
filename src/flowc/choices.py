"""How a model is trained and where its states lie: adapters, optimizer, offloading, recomputed activations.

None of the choices for large models has been run on a GPU yet; what needs none is tested on the processor.
"""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import torch
from torch import nn

from flowc.lora import LoraParams, put_adapters
from flowc.records import UserError

Optimizer = Literal["adamw", "adamw8bit"]
Offload = Literal["none", "optimizer", "all"]


class Choices(NamedTuple):
    """What of a run is no size and no rate; `lora` is None for a full update."""

    lora: LoraParams | None
    optimizer: Optimizer
    offload: Offload
    gradient_checkpointing: bool


def check_choices(choices: Choices, world: int) -> None:
    """Raise UserError for a choice that this machine or `world` ranks cannot have."""
    cuda = torch.cuda.is_available()
    if choices.offload != "none" and not cuda:
        raise UserError(
            f"train.offload={choices.offload} moves states from a GPU to the machine's memory, and there is no GPU; "
            "set it to none"
        )
    if choices.optimizer == "adamw8bit":
        if not cuda or world > 1:
            here = f"{world} ranks" if cuda else "no GPU"
            raise UserError(
                f"train.optimizer=adamw8bit is for one GPU, and here are {here}; set it to adamw: "
                "ZeRO-3 divides its states by the number of ranks"
            )
        if choices.offload != "none":
            raise UserError("train.optimizer=adamw8bit steps on the GPU; set train.offload to none, or take adamw")


def offload_settings(offload: Offload) -> dict[str, Any]:
    """Give DeepSpeed's settings of `zero_optimization` that say what lies in the machine's memory."""
    host = {"device": "cpu", "pin_memory": True}
    return {
        "none": {},
        "optimizer": {"offload_optimizer": host},
        "all": {"offload_optimizer": host, "offload_param": host},
    }[offload]


def prepare(model: nn.Module, choices: Choices) -> None:
    """Put adapters in and switch recomputation on, where chosen."""
    if choices.lora is not None:
        put_adapters(model, choices.lora)
    if choices.gradient_checkpointing:
        model.gradient_checkpointing_enable({"use_reentrant": False})  # type: ignore[operator]
        model.train()  # transformers recomputes in this mode only; there is no dropout that it would switch on


def make_optimizer(optimizer: Optimizer, groups: list[dict[str, Any]], rate: float) -> torch.optim.Optimizer:
    """AdamW over those parameter groups that are not empty, its moments in fp32 or in blocks of 8 bits.

    Raises UserError where bitsandbytes is not installed.
    """
    groups = [group for group in groups if group["params"]]
    if optimizer == "adamw":
        return torch.optim.AdamW(groups, lr=rate, betas=(0.9, 0.95), fused=True)
    try:
        from bitsandbytes.optim import AdamW8bit  # a package of the GPU environment
    except ImportError:
        raise UserError(
            "train.optimizer=adamw8bit needs bitsandbytes, which is not installed; "
            "install requirements-gpu.lock (`make repro LOCK=requirements-gpu.lock`) or take adamw"
        ) from None
    made: torch.optim.Optimizer = AdamW8bit(groups, lr=rate, betas=(0.9, 0.95))
    return made
