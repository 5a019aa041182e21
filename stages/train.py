"""Fine-tune a base model on tokens under DeepSpeed ZeRO-3, on every GPU or every core of this machine.

FLOWC_RANKS sets the number of ranks, FLOWC_CHECKPOINT_SECONDS (240) how often a checkpoint is written under
.flowc/train/. A killed run continues from its last checkpoint when it is started again.
"""

import os
import sys
from pathlib import Path

from flowc.launch import is_rank, run_rank, start_ranks
from flowc.machine import cores, rank_count
from flowc.params import load, load_value
from flowc.records import UserError, run_stage, stage_parser
from flowc.train import Job, TrainParams, read_inputs, train


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
    try:
        side = Path(os.environ.get("DVC_ROOT", ".")) / ".flowc" / "train"
        job = Job(args.tokens, args.base, args.graph, args.out, args.metrics, side, float(every))
    except ValueError:
        raise UserError(f"FLOWC_CHECKPOINT_SECONDS={every!r} is not a number; unset it") from None
    if is_rank():
        run_rank(lambda: train(job, params, seed))
        return None
    read_inputs(job, params)
    ranks = rank_count(os.environ.get("FLOWC_RANKS"))
    start_ranks("stages.train", sys.argv[1:], ranks, max(1, cores() // ranks))
    return args.timing


if __name__ == "__main__":
    run_stage(main)
