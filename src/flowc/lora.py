"""Low-rank adapters in place of a full update: put in by peft, trained under ZeRO-3, merged for serving."""

from __future__ import annotations

import torch
from pydantic import Field
from torch import nn

from flowc.records import Record, UserError

_BASE, _DOWN, _UP = ".base_layer.weight", ".lora_A.default.weight", ".lora_B.default.weight"


class LoraParams(Record):
    """Adapters of every linear layer except the output layer; only read where train.method is lora."""

    rank: int = Field(ge=1)
    """Rank of each layer's update."""
    alpha: float = Field(gt=0)
    """The update counts alpha / rank times."""
    learning_rate: float = Field(gt=0)
    """Peak of the schedule; adapters commonly take about ten times the rate of a full update."""


def put_adapters(model: nn.Module, lora: LoraParams) -> None:
    """Replace the linear layers of a language model by adapted ones and freeze all that it had.

    The update starts at zero. Raises UserError where peft is not installed.
    """
    try:
        from peft import LoraConfig, inject_adapter_in_model  # here: a full update needs none of it
    except ImportError:
        raise UserError(
            "train.method=lora needs peft, which is not installed; install requirements.lock again (`make env`)"
        ) from None
    config = LoraConfig(r=lora.rank, lora_alpha=lora.alpha, target_modules="all-linear", lora_dropout=0.0)
    inject_adapter_in_model(config, model)


def adapter_parameters(model: nn.Module, rank: int) -> int:
    """Count what adapters of this rank would train: rank x (inputs + outputs) of each linear layer but the last."""
    layers = (m for name, m in model.named_modules() if isinstance(m, nn.Linear) and name != "lm_head")
    return sum(rank * (m.in_features + m.out_features) for m in layers)


def merge(state: dict[str, torch.Tensor], lora: LoraParams) -> dict[str, torch.Tensor]:
    """Add each adapter to its weight, in fp32, rounded once; the names are those of the model without adapters."""
    out = {}
    for name, weight in state.items():
        if name.endswith(_BASE):
            layer = name.removesuffix(_BASE)
            update = state[layer + _UP].float() @ state[layer + _DOWN].float()
            out[f"{layer}.weight"] = (weight.float() + lora.alpha / lora.rank * update).to(weight.dtype)
        elif not name.endswith((_DOWN, _UP)):
            out[name.replace(".base_layer.", ".")] = weight
    return out
