"""Prints what rank a compiled model's update has, for each kind of matrix: the median over the layers.

Usage: python -m scripts.update_rank BASE COMPILED, two folders of models, before and after training.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from flowc.records import run_stage
from flowc.update_rank import by_kind, kinds_table, update_ranks


def main() -> None:
    """Measure, and print a table in Markdown."""
    parser = argparse.ArgumentParser(prog="python -m scripts.update_rank", description=__doc__)
    parser.add_argument("before", type=Path, help="the base model")
    parser.add_argument("after", type=Path, help="the compiled model")
    args = parser.parse_args()
    print(kinds_table(by_kind(update_ranks(args.before, args.after))))


if __name__ == "__main__":
    run_stage(main)
