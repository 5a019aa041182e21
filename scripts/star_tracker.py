"""Measure the node tracker on what human wizards typed, STAR's six tasks; the report shows the figures.

Usage: python -m scripts.star_tracker ../shared/data/star --out docs/human/star_tracker.json
"""

import argparse
from pathlib import Path

from flowc.params import load_value
from flowc.records import run_stage, write_json
from flowc.star_tracker import measure


def main() -> None:
    """Measure, write the metrics, print the two rates."""
    parser = argparse.ArgumentParser(prog="python -m scripts.star_tracker", description=__doc__)
    parser.add_argument("folder", type=Path, help="the STAR data, with tasks/ and dialogues/")
    parser.add_argument("--out", type=Path, required=True, help="the metrics to write, JSON")
    args = parser.parse_args()
    found = measure(args.folder, load_value("seed", int))
    write_json(args.out, found)
    for name in ("right", "none_on_other_tasks"):
        print(f"{name}: {found[name]['mean']:.1%} of {found[name]['n']:,}")


if __name__ == "__main__":
    run_stage(main)
