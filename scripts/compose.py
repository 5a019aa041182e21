"""Composes conf/ into params.yaml with DVC's own function, so that the bytes are those of `dvc exp run`.

Usage: python -m scripts.compose [OVERRIDE ...], for example with scale=smoke train.epochs=2.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from dvc.utils.hydra import compose_and_dump
from hydra import compose, initialize_config_dir
from hydra.errors import HydraException, OverrideParseException
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from flowc.records import UserError, run_stage

_REFUSED = (HydraException, OmegaConfBaseException)


def main() -> None:
    """Write params.yaml into the working folder; an override that names nothing is one clear error."""
    parser = argparse.ArgumentParser(prog="python -m scripts.compose", description=__doc__)
    parser.add_argument("overrides", nargs="*", help="key=value, or the choice of a group: scale=smoke")
    write_params(parser.parse_args().overrides)


def write_params(overrides: Sequence[str]) -> None:
    """Compose the working folder's conf/ into its params.yaml.

    Raises UserError with what is wrong with conf/ or an override.
    """
    try:
        compose_and_dump("params.yaml", str(Path("conf").resolve()), None, "config", "", list(overrides))
    except _REFUSED as e:
        raise _refusal(e, overrides) from None


class Composed(NamedTuple):
    """What conf/ says: the params, and which file of each group they come from."""

    params: dict[str, Any]
    choices: dict[str, str]


def composed(conf: Path, overrides: Sequence[str]) -> Composed:
    """Compose a folder in memory.

    Raises UserError for an override that names nothing.
    """
    try:
        with initialize_config_dir(str(conf.resolve()), version_base=None):
            config = compose("config", overrides=list(overrides), return_hydra_config=True)
        choices = config.hydra.runtime.choices
        params = OmegaConf.masked_copy(config, [str(key) for key in config if key != "hydra"])
        values = OmegaConf.to_container(params, resolve=True)
    except _REFUSED as e:
        raise _refusal(e, overrides) from None
    assert isinstance(values, dict)
    return Composed({str(k): v for k, v in values.items()}, {str(k): str(v) for k, v in choices.items()})


def _refusal(e: Exception, overrides: Sequence[str]) -> UserError:
    if isinstance(e, OverrideParseException):
        return UserError(f"{e.override}: not understood; write KEY=VALUE without spaces, as in scale=smoke, and in "
                         "quotes where the shell would change it, as in 'arms=[floor]'")  # fmt: skip
    known, _, _ = str(e).partition("Config search path")
    return UserError(f"{' '.join(overrides) or 'conf/'}: {known.strip()}")


if __name__ == "__main__":
    run_stage(main)
