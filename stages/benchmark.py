"""Measure throughput, latency and cost of the compiled model under a vLLM server of this stage's own."""

from pathlib import Path

from transformers import AutoTokenizer

from flowc.benchmark import BenchmarkParams, benchmark, preload
from flowc.client import connect
from flowc.params import load
from flowc.records import Conversation, read_jsonl, run_stage, stage_parser, write_json
from flowc.server import ServeParams, serve


def main() -> Path | None:
    """Serve the model, sweep over the loads, write the metrics."""
    parser = stage_parser(__doc__)
    parser.add_argument("model", type=Path, help="the compiled model's folder")
    parser.add_argument("conversations", type=Path, help="the held-out conversations, JSONL")
    parser.add_argument("--out", type=Path, required=True, help="the metrics to write, JSON")
    args = parser.parse_args()
    timing: Path | None = args.timing
    conversations, params = read_jsonl(args.conversations, Conversation), load("benchmark", BenchmarkParams)
    importing = preload()
    with serve(args.model, load("serve", ServeParams)) as server:
        importing.join()
        tokenizer = AutoTokenizer.from_pretrained(args.model)
        metrics = benchmark(server, connect(server), conversations, params, tokenizer)
    write_json(args.out, {"procedure": args.out.stem, **metrics})
    return timing


if __name__ == "__main__":
    run_stage(main)
