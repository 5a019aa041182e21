"""Fine-tune a base model on tokens under DeepSpeed ZeRO-3, on every GPU or every core of this machine.

FLOWC_RANKS sets the number of ranks, FLOWC_HOSTFILE names a hostfile of DeepSpeed for ranks on several hosts,
FLOWC_CHECKPOINT_SECONDS (240) how often a checkpoint is written under .flowc/train/. A killed run continues from its
last checkpoint when it is started again.
"""

import os
import sys
from pathlib import Path

from flowc.hosts import read_hostfile, start_hosts
from flowc.launch import is_rank, run_rank, start_ranks
from flowc.machine import cores, rank_count
from flowc.params import load, load_value
from flowc.records import UserError, run_stage, stage_parser
from flowc.train import check, train
from flowc.train_inputs import Job, TrainParams, restore_previous


def main() -> Path | None:
    """Check the inputs and start the ranks; in a rank, train."""
    parser = stage_parser(__doc__)
    parser.add_argument("tokens", type=Path, help="folder with train.parquet and eval.parquet")
    parser.add_argument("base", type=Path, help="folder of the base model")
    parser.add_argument("graph", type=Path, help="the procedure's graph, JSON; its hash goes into the card")
    parser.add_argument("--out", type=Path, required=True, help="folder of the compiled model; replaced")
    parser.add_argument("--metrics", type=Path, required=True, help="the training report to write, JSON")
    args = parser.parse_args()
    params, seed = load("train", TrainParams), load_value("seed", int)
    every = os.environ.get("FLOWC_CHECKPOINT_SECONDS", "240")
    root = Path(os.environ.get("DVC_ROOT", "."))
    try:
        job = Job(args.tokens, args.base, args.graph, args.out, args.metrics, root / ".flowc" / "train", float(every))
    except ValueError:
        raise UserError(f"FLOWC_CHECKPOINT_SECONDS={every!r} is not a number; unset it") from None
    if is_rank():
        run_rank(lambda: train(job, params, seed))
        return None
    restore_previous(job, params, root)
    if hostfile := os.environ.get("FLOWC_HOSTFILE"):
        slots = list(read_hostfile(Path(hostfile)).values())
        check(job, params, seed, sum(slots), max(slots))
        start_hosts("stages.train", sys.argv[1:], Path(hostfile), max(1, cores() // max(slots)), job.side)
    else:
        ranks = rank_count(os.environ.get("FLOWC_RANKS"))
        check(job, params, seed, ranks, ranks)
        start_ranks("stages.train", sys.argv[1:], ranks, max(1, cores() // ranks))
    return args.timing


if __name__ == "__main__":
    run_stage(main)
