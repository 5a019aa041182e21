"""Trains several procedures one behind the other, each in two ranks of its own, and imports the libraries once.

Run as `python -m tests.train_charts NAME ...` in a folder with params.yaml, data/ and models/base/tiny. A rank runs the
stage's own `train`; only the stage's launcher, which would import DeepSpeed twice a procedure, is not used.
"""

from __future__ import annotations

import multiprocessing
import os
import socket
import sys
from pathlib import Path

from flowc.params import load, load_value

RANKS = 2


def rank(number: int, port: int, name: str) -> None:
    """Train as one rank of a procedure."""
    from flowc.train import train  # here: in the parent it would be imported for nothing
    from flowc.train_inputs import Job, TrainParams

    os.environ |= {
        "RANK": str(number),
        "LOCAL_RANK": str(number),
        "WORLD_SIZE": str(RANKS),
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
    }
    out, metrics = Path("models/compiled") / name, Path(f"reports/training/{name}.json")
    tokens, graph = Path("data/tokens") / name, Path(f"data/graphs/{name}.json")
    job = Job(tokens, Path("models/base/tiny"), graph, out, metrics, Path(".flowc/train"), 600)
    train(job, load("train", TrainParams), load_value("seed", int))


def main() -> None:
    """Train the procedures that the arguments name."""
    os.environ |= {"DS_ACCELERATOR": "cpu", "GLOO_SOCKET_IFNAME": "lo", "OMP_NUM_THREADS": "1"}
    # A server that has imported everything and forks: no thread runs in it yet.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["flowc.train"])
    for name in sys.argv[1:]:
        with socket.socket() as found:
            found.bind(("127.0.0.1", 0))
            port = found.getsockname()[1]
        ranks = [context.Process(target=rank, args=(i, port, name), daemon=True) for i in range(RANKS)]
        for process in ranks:
            process.start()
        for process in ranks:
            process.join(120)
        if any(process.exitcode != 0 for process in ranks):
            sys.exit(f"{name}: ranks ended with {[process.exitcode for process in ranks]}")


if __name__ == "__main__":
    main()
