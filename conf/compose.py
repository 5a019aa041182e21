"""Composes conf/ into params.yaml with DVC's own function, so that the bytes are those of `dvc exp run`.

Usage: python conf/compose.py [OVERRIDE ...], for example: python conf/compose.py scale=smoke train.epochs=2
"""

from __future__ import annotations

import sys
from pathlib import Path

from dvc.utils.hydra import compose_and_dump
from hydra.errors import HydraException
from omegaconf.errors import OmegaConfBaseException

CONF = Path(__file__).resolve().parent


def compose(out: Path, overrides: list[str]) -> None:
    """Write the composed and resolved configuration to `out`.

    Raises HydraException or OmegaConfBaseException when an override names what does not exist.
    """
    compose_and_dump(str(out), str(CONF), None, "config", "", overrides)


if __name__ == "__main__":
    try:
        compose(Path("params.yaml"), sys.argv[1:])
    except (HydraException, OmegaConfBaseException) as e:
        sys.exit(f"error: conf/ cannot be composed with {sys.argv[1:]}: {e}")
