"""Composes conf/ into params.yaml with DVC's own function, so that the bytes are those of `dvc exp run`.

Usage: python -m scripts.compose [OVERRIDE ...], for example with scale=smoke train.epochs=2.
"""

from __future__ import annotations

import sys
from pathlib import Path

from dvc.utils.hydra import compose_and_dump
from hydra.errors import HydraException
from omegaconf.errors import OmegaConfBaseException


def main() -> None:
    """Write params.yaml into the working folder; an override that names nothing is one clear error."""
    try:
        compose_and_dump("params.yaml", str(Path("conf").resolve()), None, "config", "", sys.argv[1:])
    except (HydraException, OmegaConfBaseException) as e:
        known, _, _ = str(e).partition("Config search path")
        sys.exit(f"error: {' '.join(sys.argv[1:]) or 'conf/'}: {known.strip()}")


if __name__ == "__main__":
    main()
