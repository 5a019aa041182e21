"""Makes the base model that params.yaml names: safetensors, tokenizer, chat template, base.json."""

from __future__ import annotations

from pathlib import Path

from flowc import params
from flowc.base import BaseParams, make_base
from flowc.records import run_stage, stage_parser


def main() -> Path | None:
    """Read params.yaml, make the base, write it."""
    parser = stage_parser(__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder of the base model; replaced as a whole")
    arguments = parser.parse_args()
    make_base(params.load("base", BaseParams), arguments.out)
    return arguments.timing


if __name__ == "__main__":
    run_stage(main)
