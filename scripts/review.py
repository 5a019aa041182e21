"""Write a page on which people rate simulated conversations, blind and in random order; it works from the file alone.

What the page exports goes into data/ratings/, where `evaluate` reads it.
"""

import argparse
from pathlib import Path

from flowc.frontier import Sheet
from flowc.graph import Graph
from flowc.params import load_value
from flowc.records import UserError, read_jsonl, read_record, run_stage
from flowc.review import page, payload, screens
from flowc.scenarios import Scenario
from flowc.transcripts import Transcript


def main() -> None:
    """Read transcripts, graph and scenarios; write the page."""
    parser = argparse.ArgumentParser(prog="python -m scripts.review", description=__doc__)
    parser.add_argument("transcripts", type=Path, help="folder with <arm>.jsonl")
    parser.add_argument("graph", type=Path, help="the procedure's graph, JSON")
    parser.add_argument("scenarios", type=Path, help="the scenarios, JSONL")
    parser.add_argument("--out", type=Path, required=True, help="the page to write, HTML")
    parser.add_argument("--count", type=int, default=20, help="how many conversations, or pairs of them")
    parser.add_argument("--arms", nargs="+", help="the arms to show; all without it")
    parser.add_argument("--pairs", action="store_true", help="show two arms side by side, and ask which is better")
    parser.add_argument("--seed", type=int, help="what the order is drawn by; the seed of params.yaml without it")
    args = parser.parse_args()
    if args.count < 1:
        parser.error("--count has to be 1 or more")
    seed = load_value("seed", int) if args.seed is None else args.seed
    arms = args.arms or ("compiled", *load_value("arms", list), *played_by_providers(args.transcripts))
    there = sorted(f.stem for f in args.transcripts.glob("*.jsonl"))
    if lost := [arm for arm in args.arms or () if arm not in there]:
        raise UserError(f"{args.transcripts}: no conversations of {lost[0]!r}; name others with --arms, there are "
                        f"{', '.join(there) or 'none'}")  # fmt: skip
    transcripts = {arm: read_jsonl(args.transcripts / f"{arm}.jsonl", Transcript) for arm in arms}
    shown = screens(transcripts, args.count, args.pairs, seed)
    if not shown:
        raise UserError(f"there is nothing to show of {', '.join(transcripts)}; name other --arms or a higher --count")
    template = Path(__file__).with_suffix(".html").read_text(encoding="utf-8")
    content = payload(read_record(args.graph, Graph), read_jsonl(args.scenarios, Scenario), shown)
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_text(page(template, content), encoding="utf-8")
    print(f"{args.out}: {len(shown)} pages; open it in a browser, and put what it exports into data/ratings/")


def played_by_providers(transcripts: Path) -> list[str]:
    """Name the arms of a provider's model that were run."""
    sheet = transcripts / "frontier.json"
    arms = read_record(sheet, Sheet).arms if sheet.exists() else {}
    return [arm for arm, how in arms.items() if not how.not_run]


if __name__ == "__main__":
    run_stage(main)
