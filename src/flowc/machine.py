"""What the machine is and does: ranks, precision, device name, matrix peak, the arithmetic of a token."""

from __future__ import annotations

import ctypes
import os
import time
from pathlib import Path
from typing import Any, Literal

import psutil
import torch

from flowc.records import UserError

Precision = Literal["bf16", "fp32"]
_MOST_HELD = 10 * 2**30
DTYPES: dict[Precision, torch.dtype] = {"bf16": torch.bfloat16, "fp32": torch.float32}


def cores() -> int:
    """Physical cores that this process may use."""
    allowed = len(os.sched_getaffinity(0))
    return max(1, min(allowed, psutil.cpu_count(logical=False) or allowed))


def rank_count(wanted: str | None) -> int:
    """Ranks to start: FLOWC_RANKS if given, else one a GPU, else one a core (at most 8).

    One thread a rank. In fp32 two ranks with one thread and one rank with two were equally fast (248 and 263
    tokens/s against 250 and 264, 12 layers, two cores); in bf16 with 30 layers 356 against 286.
    """
    if wanted:
        if not wanted.isdigit() or int(wanted) < 1:
            raise UserError(f"FLOWC_RANKS={wanted!r} is not a number of ranks; unset it or give 1 or more")
        return int(wanted)
    return torch.cuda.device_count() or min(cores(), 8)


def native_precisions() -> list[Precision]:
    """Number formats that the device multiplies in hardware.

    Without AVX512-BF16 or AMX a processor emulates bf16: 0.3 GFLOP/s against 132 in fp32 on two Zen 3 cores. With
    it, bf16 may be the faster (Zen 5: 860 against 220 on two cores) or not (Emerald Rapids with its AMX hidden by
    a virtual machine: 179 against 348), so the one to take has to be measured.
    """
    if torch.cuda.is_available():
        return ["bf16"] if torch.cuda.is_bf16_supported(including_emulation=False) else ["fp32"]
    native = {"avx512_bf16", "amx_bf16"} & set(_cpu_info().get("flags", "").split())
    return ["bf16", "fp32"] if native else ["fp32"]


def device_name() -> str:
    """Model of the GPU or the processor; never the host's name."""
    if torch.cuda.is_available():
        return f"{torch.cuda.device_count()} x {torch.cuda.get_device_name(0)}"
    return f"{cores()} cores of {_cpu_info().get('model name', 'an unnamed processor')}"


def matrix_peak(device: torch.device, dtype: torch.dtype, seconds: float = 1.5) -> float:
    """Fastest matrix product seen on this rank, FLOP/s: the best of short windows, other work slows some."""
    n = 4096 if device.type == "cuda" else 1024
    a, b, out = (torch.randn(n, n, device=device).to(dtype) for _ in range(3))
    torch.mm(a, b, out=out)
    best, end = 0.0, time.perf_counter() + seconds
    while time.perf_counter() < end:
        start = time.perf_counter()
        for _ in range(4):
            torch.mm(a, b, out=out)
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        best = max(best, 4 * 2 * n**3 / (time.perf_counter() - start))
    return best


def give_back_memory(world: int) -> None:
    """Return freed memory to the system where the C library can, once all ranks hold more than 10 GiB.

    Kept memory is faster (a forward pass after giving it back took 3 instead of 1.6 s), but tensors of unlike sizes
    leave holes: two ranks that never gave back grew from 9 to 22 GB in 150 steps. In fp32 a step holds 9 to 10.6 GiB,
    so that memory was given back after each: 219 tokens/s, against 223 where nothing was given back.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None and psutil.Process().memory_info().rss * world > _MOST_HELD:
        trim(0)


def fits_resident(parameters: int, world: int, dtype: torch.dtype) -> bool:
    """Whether every rank may keep all parameters between micro-batches: within a quarter of its memory."""
    size = parameters * dtype.itemsize
    if torch.cuda.is_available():
        return size < torch.cuda.get_device_properties(0).total_memory // 4
    return size * world < int(psutil.virtual_memory().total) // 4


def flops_per_token(config: Any, parameters: int, frozen: bool = False) -> tuple[float, float, float]:
    """Arithmetic of forward and backward: a token in the decoder, a supervised token, a token squared.

    6 x parameters for each matrix a token meets (2 forward, 4 backward, 2 of them for its own gradient, which frozen
    ones have not); causal attention reads half of n keys for each of n tokens, twice (scores and values). Norms,
    softmax and adapters are left out.
    """
    met = 4.0 if frozen else 6.0
    output = config.vocab_size * config.hidden_size
    embeddings = output if config.tie_word_embeddings else 2 * output
    head = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    attention = 6 * config.num_hidden_layers * config.num_attention_heads * head
    return met * (parameters - embeddings), met * output, float(attention)


def _cpu_info() -> dict[str, str]:
    path = Path("/proc/cpuinfo")
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    pairs = (line.partition(":") for line in lines if ":" in line)
    return {key.strip(): value.strip() for key, _, value in pairs}
