"""Write a published STAR task as a chart that `sources` can list, Mermaid.

Usage: python -m scripts.star_chart ../shared/data/star hotel_book --out data/procedures/hotel_book.mmd
"""

import argparse
from pathlib import Path

from flowc.records import run_stage
from flowc.star import TASKS, chart, read_task
from flowc.write_mermaid import write_mermaid


def main() -> None:
    """Read the task, write its chart."""
    parser = argparse.ArgumentParser(prog="python -m scripts.star_chart", description=__doc__)
    parser.add_argument("folder", type=Path, help="the STAR data, with tasks/ and dialogues/")
    parser.add_argument("task", choices=TASKS)
    parser.add_argument("--out", type=Path, required=True, help="the chart to write, .mmd")
    args = parser.parse_args()
    args.out.write_text(write_mermaid(chart(read_task(args.folder, args.task))), encoding="utf-8")


if __name__ == "__main__":
    run_stage(main)
