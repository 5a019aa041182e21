"""What training needs of memory, estimated before it starts, and a refusal with numbers where it cannot fit.

Counted is what must be held at once: it is a lower bound, since allocators keep more than is used.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import psutil
import torch
from transformers import AutoModelForCausalLM

from flowc.choices import Choices
from flowc.lora import LoraParams, adapter_parameters
from flowc.machine import DTYPES, Precision, fits_resident
from flowc.packing import Family, length, supervised
from flowc.records import UserError

_PROCESS = 650 * 2**20  # a rank before it loads anything: Python, torch, transformers and DeepSpeed
_LIVE = 1_000_000_000  # parameters that DeepSpeed keeps gathered at most, see flowc.zero
_BUCKET = 30_000_000
_STEP = 1_000_000_000  # parameters that DeepSpeed steps on at a time
_RANKS = (2, 4, 8, 16, 32, 64)


class Shape(NamedTuple):
    """Size of a model: parameters, those that train, and its config."""

    parameters: int
    trained: int
    config: Any


class Batch(NamedTuple):
    """The largest micro-batch: its tokens, and those of them that are targets."""

    tokens: int
    targets: int


class Need(NamedTuple):
    """Bytes that one rank holds: on its device, except `host`, which is the machine's memory beside a GPU."""

    weights: int
    gradients: int
    optimizer: int
    activations: int
    logits: int
    process: int
    host: int

    @property
    def device(self) -> int:
        """All that lies on the device."""
        return sum(self) - self.host


class Room(NamedTuple):
    """Bytes that one rank may have: of a GPU, or without one its share of the machine's; `host` beside a GPU."""

    device: int
    host: int
    gpu: bool


def model_shape(config: Any, lora: LoraParams | None) -> Shape:
    """Count a model's parameters without making them."""
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config)
    parameters = sum(p.numel() for p in model.parameters())
    return Shape(parameters, adapter_parameters(model, lora.rank) if lora else parameters, config)


def largest_batch(families: Sequence[Family], micro_tokens: int) -> Batch:
    """Bound the micro-batches: as many tokens as are allowed or as the longest family has, most of them targets."""
    lengths = [length(f) for f in families]
    tokens = max(max(lengths), min(micro_tokens, sum(lengths)))
    targets = max(supervised(f) / n for f, n in zip(families, lengths, strict=True))
    return Batch(tokens, round(tokens * targets))


def estimate(shape: Shape, batch: Batch, world: int, choices: Choices, precision: Precision) -> Need:
    """Add up what a rank of `world` holds at the peak of a step.

    ZeRO-3 divides weights, gradients and the optimizer's states by the ranks. Beside the model's own weights there
    are fp32 copies to step on, two moments, and fp32 gradients of those that are stepped on together.
    """
    size = DTYPES[precision].itemsize
    mine, trained = shape.parameters / world, shape.trained / world
    resident = fits_resident(shape.parameters, world, DTYPES[precision])
    gathered = shape.parameters if resident else min(shape.parameters, _LIVE)
    moments = 2 if choices.optimizer == "adamw8bit" else 8
    weights, gradients, optimizer = size * mine, size * trained, (4 + moments) * trained + 4 * min(trained, _STEP)
    buckets = 2 * size * min(shape.trained, _BUCKET)
    host = optimizer + gradients if choices.offload != "none" else 0.0
    host += weights if choices.offload == "all" else 0.0
    return Need(
        weights=round(size * gathered + (0 if choices.offload == "all" else weights)),
        gradients=round(buckets + (0 if host else gradients)),
        optimizer=0 if host else round(optimizer),
        activations=round(size * batch.tokens * _kept(shape.config, choices)),
        logits=size * batch.targets * shape.config.vocab_size,
        process=_PROCESS,
        host=round(host),
    )


def _kept(config: Any, choices: Choices) -> float:
    """Numbers that the backward pass of the decoder keeps for a token.

    A lean layer keeps both its norms' inputs and results, queries, keys, values, attention's result, gate and up. What
    is not lean keeps 1.8 times as much (1,199 against 674 MiB, SmolLM2-135M in bf16, 1,695 tokens).
    """
    heads, groups = config.num_attention_heads, config.num_key_value_heads
    head = getattr(config, "head_dim", None) or config.hidden_size // heads
    layer = 4 * config.hidden_size + 2 * heads * head + 2 * groups * head + 2 * config.intermediate_size
    layer *= 1.8 if choices.lora else 1.0
    if choices.gradient_checkpointing:
        return float(config.num_hidden_layers * config.hidden_size + layer)
    return float(config.num_hidden_layers * layer)


def room_of_a_rank(local_ranks: int) -> Room:
    """Measure what a rank may have on this machine, all other programs ended."""
    memory = int(psutil.virtual_memory().total)
    limit = Path("/sys/fs/cgroup/memory.max")  # of a container
    if limit.exists() and (text := limit.read_text(encoding="utf-8").strip()).isdigit():
        memory = min(memory, int(text))
    if torch.cuda.is_available():
        return Room(torch.cuda.get_device_properties(0).total_memory, memory // local_ranks, True)
    return Room(memory // local_ranks, 0, False)


def fits(need: Need, room: Room) -> bool:
    """Whether a rank's need can be met."""
    return need.device <= room.device and (not room.gpu or need.host + need.process <= room.host)


def check_memory(
    config: Any, families: Sequence[Family], micro_tokens: int, world: int, choices: Choices, precision: Precision,
    room: Room,
) -> Need:  # fmt: skip
    """Estimate a run on `world` ranks and refuse it where it cannot fit; gives the estimate.

    Raises UserError with the numbers, and with the changes that would make it fit, each tried.
    """

    def tried(tokens: int, ranks: int, other: Choices) -> Need:
        shape = model_shape(config, other.lora)
        return estimate(shape, largest_batch(families, tokens), ranks, other, precision)

    need = tried(micro_tokens, world, choices)
    if fits(need, room):
        return need
    recomputed = choices._replace(gradient_checkpointing=True)
    adapters = choices._replace(lora=choices.lora or LoraParams(rank=16, alpha=32, learning_rate=1e-4))
    one = {f"train.micro_tokens={n}": (n, world, choices) for n in (micro_tokens // 2, micro_tokens // 4) if n}
    one["train.gradient_checkpointing=true"] = (micro_tokens, world, recomputed)
    one["train.method=lora"] = (micro_tokens, world, adapters)
    two = {}
    if room.gpu:
        one["train.offload=optimizer"] = (micro_tokens, world, choices._replace(offload="optimizer"))
        one["train.offload=all"] = (micro_tokens, world, choices._replace(offload="all"))
        more = next((n for n in _RANKS if n > world and fits(tried(micro_tokens, n, choices), room)), world)
        one[f"{more} such GPUs"] = (micro_tokens, more, choices)
        two["train.offload=all"] = (micro_tokens, world, recomputed._replace(offload="all"))
        if world == 1:
            two["train.optimizer=adamw8bit"] = (micro_tokens, 1, recomputed._replace(optimizer="adamw8bit"))
    two["train.method=lora"] = (micro_tokens, world, adapters._replace(gradient_checkpointing=True))
    helps = [name for name, change in one.items() if fits(tried(*change), room)] or [
        f"train.gradient_checkpointing=true with {name}" for name, change in two.items() if fits(tried(*change), room)
    ]
    gib = {name: value / 2**30 for name, value in need._asdict().items()}
    parts = ", ".join(f"{name} {value:.1f}" for name, value in gib.items() if value >= 0.05 and name != "host")
    asked = f"{need.device / 2**30:.1f} GiB for each of {world} ranks ({parts})"
    host = f" and {gib['host']:.1f} GiB of the machine's memory" if need.host else ""
    there = f"{room.device / 2**30:.1f} GiB for each" + (f" and {room.host / 2**30:.1f} GiB beside" if room.gpu else "")
    remedy = f"would fit: {'; '.join(helps)}" if helps else "nothing in train/ makes it fit: take a smaller base"
    raise UserError(f"training needs at least {asked}{host}, and there are {there}; {remedy}")
