"""Prints what rank a compiled model's update has, for each kind of matrix: the median over the layers.

Usage: python -m scripts.update_rank BASE COMPILED, two folders of models, before and after training.
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path
from statistics import median

from flowc.records import UserError
from flowc.update_rank import Rank, update_ranks


def main() -> None:
    """Measure, and print a table in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("before", type=Path, help="the base model")
    parser.add_argument("after", type=Path, help="the compiled model")
    args = parser.parse_args()
    kinds: dict[str, list[Rank]] = {}
    try:
        for rank in update_ranks(args.before, args.after):
            kinds.setdefault(re.sub(r"^.*layers\.\d+\.", "", rank.name), []).append(rank)
    except UserError as e:
        sys.exit(f"error: {e}")
    print("| matrix | layers | full rank | change / weights | stable rank | entropy rank | rank of 90 % |")
    print("|---|---|---|---|---|---|---|")
    for kind, ranks in kinds.items():
        _, full, *rest = (median(values) if i else kind for i, values in enumerate(zip(*ranks, strict=True)))
        norm, stable, entropy, ninety = rest
        print(f"| {kind} | {len(ranks)} | {full} | {norm:.4f} | {stable:.1f} | {entropy:.1f} | {ninety:.0f} |")


if __name__ == "__main__":
    main()
