"""What a machine cannot do as conf/ asks, and what is done instead: said aloud, never in silence."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from scripts.compose import composed

WITHOUT_GPU = ("smoke", "study_smoke", "laptop")
"""Scales that two cores compile in less than an hour."""
WANTS_GPU = ("qwen2.5-3b", "qwen3-8b")
"""Base models for which two cores would need weeks, and most machines without a GPU have too little memory."""
SMALL_BASE = "smollm2-135m"
ON_CPU = {"optimizer": "adamw", "offload": "none"}
"""Keys of `train` that training refuses to have otherwise without a GPU."""
NEEDS = {"anthropic": "ANTHROPIC_API_KEY", "openai": "OPENAI_API_KEY", "compatible": "FLOWC_COMPATIBLE_URL"}
"""Teacher to what the environment has to hold for it."""


class Fallback(NamedTuple):
    """Overrides to compose with, and the sentences that say why."""

    overrides: list[str]
    notes: list[str]


def fallbacks(
    overrides: Sequence[str],
    conf: Path,
    environment: Mapping[str, str] | None = None,
    has_gpu: Callable[[], bool] | None = None,
) -> Fallback:
    """Add what this machine needs: what a laptop compiles without a GPU, the scripted teacher without a key.

    Raises UserError for an override that names nothing.
    """
    environment = os.environ if environment is None else environment
    out = Fallback(list(overrides), [])
    if not (has_gpu or _has_gpu)():
        out = _on_cpu(out.overrides, conf)
    teacher = composed(conf, out.overrides).params["generate"]["teacher"]
    needed = NEEDS.get(teacher)
    if needed and not environment.get(needed):
        out.overrides[:] = _with(out.overrides, "generate", "scripted")
        out.notes.append(
            f"{needed} is not set (forks have no secrets): conversations come from the scripted teacher instead of "
            f"{teacher}."
        )
    return out


def _on_cpu(overrides: list[str], conf: Path) -> Fallback:
    scale = composed(conf, overrides).choices["scale"]
    instead: list[str] = []
    if scale not in WITHOUT_GPU:
        overrides = _with(overrides, "scale", "laptop")
        instead.append(f"the scale laptop instead of {scale}")
    config = composed(conf, overrides)
    base = config.choices["base"]
    if base in WANTS_GPU:
        overrides = _with(overrides, "base", SMALL_BASE)
        instead.append(f"base {SMALL_BASE} instead of {base}")
    for key, value in ON_CPU.items():
        if (asked := config.params["train"][key]) != value:
            overrides = _with(overrides, f"train.{key}", value)
            instead.append(f"train.{key}={value} instead of {asked}")
    cores = f"on {os.cpu_count()} cores"
    if not instead:
        return Fallback(overrides, [f"This machine has no GPU: compiled at the scale {scale}, {cores}."])
    note = (
        f"This machine has no GPU: compiled with {', '.join(instead)}, {cores}. The model that is replaced was "
        "compiled as its own revision says, so they are not equals."
    )
    return Fallback(overrides, [note])


def _with(overrides: list[str], key: str, value: str) -> list[str]:
    """Say it once, in place of what was asked."""
    return [*(o for o in overrides if not o.lstrip("+").startswith(f"{key}=")), f"{key}={value}"]


def _has_gpu() -> bool:
    import torch  # takes seconds

    return bool(torch.cuda.is_available())
