"""What a machine cannot do as conf/ asks, and what is done instead: said aloud, never in silence."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from hydra import compose, initialize_config_dir

WITHOUT_GPU = ("smoke", "study_smoke", "laptop")
"""Scales that two cores compile in less than an hour."""
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
    """Add what this machine needs: the laptop's scale without a GPU, the scripted teacher without a key."""
    environment = os.environ if environment is None else environment
    with initialize_config_dir(str(conf.resolve()), version_base=None):
        config = compose("config", overrides=list(overrides), return_hydra_config=True)
    scale, teacher = str(config.hydra.runtime.choices.scale), str(config.generate.teacher)
    out = Fallback(list(overrides), [])
    if not (has_gpu or _has_gpu)():
        cores = os.cpu_count()
        if scale in WITHOUT_GPU:
            out.notes.append(f"This machine has no GPU: compiled at the scale {scale}, on {cores} cores.")
        else:
            out.overrides[:] = [*(o for o in overrides if not o.startswith("scale=")), "scale=laptop"]
            out.notes.append(
                f"This machine has no GPU: compiled at the scale laptop instead of {scale}, on {cores} cores. The "
                "model that is replaced was compiled as its own revision says, so they are not equals."
            )
    needed = NEEDS.get(teacher)
    if needed and not environment.get(needed):
        out.overrides[:] = [*(o for o in out.overrides if not o.startswith("generate=")), "generate=scripted"]
        out.notes.append(
            f"{needed} is not set (forks have no secrets): conversations come from the scripted teacher instead of "
            f"{teacher}."
        )
    return out


def _has_gpu() -> bool:
    import torch  # takes seconds

    return bool(torch.cuda.is_available())
