"""Starts a stage again as several ranks under torch's elastic agent, and lets none of them outlive it."""

from __future__ import annotations

import ctypes
import logging
import os
import signal
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch.distributed.elastic.multiprocessing import SignalException
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
from torch.distributed.launcher.api import LaunchConfig, elastic_launch

from flowc.records import UserError

ERROR_FILE = "FLOWC_ERROR_FILE"

CPU_ENVIRONMENT = {
    "DS_ACCELERATOR": "cpu",
    "GLOO_SOCKET_IFNAME": "lo",
    # Keep what is freed up to 32 MB and take it in huge pages: glibc otherwise has the kernel zero small pages for
    # every tensor, a fifth of a step's time (234 against 296 tokens/s a thread, Zen 5). Larger tensors go back at
    # once, and all threads share one arena: with everything kept two ranks grew to 22 GB in 150 steps.
    "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1",
    "MALLOC_ARENA_MAX": "1",
    "MALLOC_MMAP_THRESHOLD_": str(32 * 2**20),
    "MALLOC_TRIM_THRESHOLD_": str(2**40),
}


def is_rank() -> bool:
    """Whether this process is a rank that an agent started."""
    return "LOCAL_RANK" in os.environ and "MASTER_ADDR" in os.environ


def start_ranks(module: str, arguments: Sequence[str], ranks: int, threads: int) -> None:
    """Run `python -m module arguments` as `ranks` processes and wait; the port is a free one.

    Raises UserError with a rank's own message, or with what ended it.
    """
    os.environ.setdefault("OMP_NUM_THREADS", str(threads))
    if not torch.cuda.is_available():
        for name, value in CPU_ENVIRONMENT.items():
            os.environ.setdefault(name, value)
    logging.getLogger("torch.distributed.elastic").setLevel(logging.CRITICAL)
    logging.getLogger("torch.distributed.launcher").setLevel(logging.CRITICAL)
    with tempfile.TemporaryDirectory(prefix="flowc-ranks-") as folder:
        error = Path(folder) / "error"
        os.environ[ERROR_FILE] = str(error)
        config = LaunchConfig(
            min_nodes=1,
            max_nodes=1,
            nproc_per_node=ranks,
            rdzv_backend="c10d",
            rdzv_endpoint="localhost:0",
            local_addr="127.0.0.1",
            max_restarts=0,
            shutdown_timeout=5,
        )
        try:
            elastic_launch(config, sys.executable)("-m", module, *arguments)
        except ChildFailedError as e:
            if error.exists():
                raise UserError(error.read_text(encoding="utf-8")) from None
            rank, failure = e.get_first_failure()
            raise UserError(_cause(rank, failure.exitcode)) from None
        except SignalException as e:
            sys.exit(128 + e.sigval)


def run_rank(work: Callable[[], None]) -> None:
    """Run a rank's work; a user's mistake goes to the agent as one message, a bug keeps its traceback."""
    die_with_parent(signal.SIGKILL)
    try:
        work()
    except UserError as e:
        path = Path(os.environ.get(ERROR_FILE, os.devnull))
        path.write_text(str(e), encoding="utf-8")
        # At once: interpreter shutdown would wait for collectives that no other rank will join.
        os._exit(1)


def die_with_parent(by: signal.Signals) -> None:
    """Ask Linux to end this process by a signal when its parent dies, even by SIGKILL: no rank is left behind."""
    parent = os.getppid()
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(1, by)  # 1 = PR_SET_PDEATHSIG
    if parent == 1 or os.getppid() != parent:
        raise SystemExit("the process that started this rank is gone")


def _cause(rank: int, code: int) -> str:
    if code == -signal.SIGKILL:
        return (
            f"training rank {rank} was killed, probably for want of memory; lower train.micro_tokens or set "
            "FLOWC_RANKS to fewer ranks, then run `dvc repro` again: it continues from the last checkpoint"
        )
    end = f"by signal {-code}" if code < 0 else f"with status {code}"
    return (
        f"training rank {rank} ended {end}; its traceback stands above. `dvc repro` continues from the last checkpoint"
    )
