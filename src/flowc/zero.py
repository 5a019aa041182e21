"""ZeRO-3 as it is used here: its settings, the engine around a base model, and the weights gathered back."""

from __future__ import annotations

import os
import sys
import warnings
from pathlib import Path
from typing import Any

import deepspeed
import torch
import torch.distributed as dist
import transformers
from transformers import AutoModelForCausalLM
from transformers.integrations import HfDeepSpeedConfig

from flowc.attention import ATTENTION
from flowc.choices import Choices, make_optimizer, offload_settings, prepare
from flowc.lean import make_lean
from flowc.machine import DTYPES, Precision, fits_resident
from flowc.packing import PackedLoss


def join_group() -> torch.device:
    """Join the other ranks; gives this rank's device."""
    warnings.filterwarnings("ignore", category=FutureWarning, module="torch.distributed")  # DeepSpeed's calls
    transformers.utils.logging.disable_progress_bar()
    cuda = torch.cuda.is_available()
    # DeepSpeed would compile a shared-memory all-reduce for CPU ranks, meant for inference. That needs a
    # compiler, and a run killed while compiling leaves a lock on which every later run waits for ever.
    deepspeed.ops.__compatible_ops__["deepspeed_shm_comm"] = False
    deepspeed.init_distributed(dist_backend="nccl" if cuda else "gloo", verbose=False)
    return torch.device("cuda", int(os.environ["LOCAL_RANK"])) if cuda else torch.device("cpu")


def total(value: float, device: torch.device) -> float:
    """Sum a number over the ranks."""
    tensor = torch.tensor([value], dtype=torch.float64, device=device)
    dist.all_reduce(tensor)
    return float(tensor)


def zero_config(max_grad_norm: float, world: int, parameters: int, precision: Precision) -> dict[str, Any]:
    """Configure DeepSpeed: ZeRO-3, parameters kept resident where they fit, torch's own AdamW.

    Resident parameters are gathered once a step, not once a layer, pass and micro-batch.
    """
    resident = fits_resident(parameters, world, DTYPES[precision])
    bucket = min(parameters + 1, 30_000_000)  # one more large buffer on every rank
    return {
        "train_batch_size": world,
        "train_micro_batch_size_per_gpu": 1,
        "gradient_accumulation_steps": 1,
        "gradient_clipping": max_grad_norm,
        "bf16": {"enabled": precision == "bf16"},
        "zero_optimization": {
            "stage": 3,
            "overlap_comm": torch.cuda.is_available(),
            "contiguous_gradients": True,
            "reduce_bucket_size": bucket,
            "stage3_prefetch_bucket_size": bucket,
            "stage3_param_persistence_threshold": parameters + 1 if resident else 100_000,
            "stage3_max_live_parameters": 1_000_000_000,
            "stage3_max_reuse_distance": 1_000_000_000,
        },
        "zero_allow_untested_optimizer": True,
        "zero_force_ds_cpu_optimizer": False,
        "steps_per_print": sys.maxsize,
    }


def make_engine(
    base: Path,
    config: Any,
    rate: float,
    weight_decay: float,
    max_grad_norm: float,
    precision: Precision,
    choices: Choices,
) -> tuple[Any, int]:
    """Load the base straight into ZeRO-3 partitions and wrap it; also the number of parameters."""
    with torch.device("meta"):
        shape = AutoModelForCausalLM.from_config(config)
    parameters = sum(p.numel() for p in shape.parameters())
    settings = zero_config(max_grad_norm, dist.get_world_size(), parameters, precision)
    settings["zero_optimization"] |= offload_settings(choices.offload)
    keep = HfDeepSpeedConfig(settings)  # from_pretrained partitions while it loads as long as this lives
    model = AutoModelForCausalLM.from_pretrained(base, dtype=DTYPES[precision], attn_implementation=ATTENTION)
    del keep
    if choices.lora is None:  # an adapted layer is called otherwise, and frozen weights want no gradient
        make_lean(model)
    prepare(model, choices)
    module = PackedLoss(model)
    groups: dict[bool, list[torch.nn.Parameter]] = {True: [], False: []}
    for p in (p for p in module.parameters() if p.requires_grad):
        groups[len(getattr(p, "ds_shape", p.shape)) > 1].append(p)
    optimizer = make_optimizer(
        choices.optimizer,
        [
            {"params": groups[True], "weight_decay": weight_decay},
            {"params": groups[False], "weight_decay": 0.0},
        ],
        rate,
    )
    engine, *_ = deepspeed.initialize(model=module, optimizer=optimizer, config=settings)
    return engine, parameters


def gather_weights(engine: Any) -> dict[str, torch.Tensor]:
    """Collect the whole model's weights, one parameter at a time, on rank 0; the others get nothing."""
    state = {}
    for name, parameter in engine.module.lm.named_parameters():
        with deepspeed.zero.GatheredParameters([parameter]):
            if dist.get_rank() == 0:
                state[name] = parameter.detach().cpu().clone()
    return state
