"""Real ranks of training that fork from one process, which has imported torch, transformers and DeepSpeed for all.

A rank runs the stage's own `train` over gloo, as `flowc.launch` has it run. The launcher is left out: it imports those
libraries three times for two ranks, 20 s of a core. So is most of a measurement of the machine. Tests that start the
stage by its command are in test_train.py, test_hosts.py, test_previous.py and test_smoke.py.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import socket
import sys
from functools import partial
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import pytest

from flowc.launch import CPU_ENVIRONMENT, run_rank
from flowc.machine import matrix_peak
from flowc.params import load, load_value
from flowc.train import train
from flowc.train_inputs import Job, TrainParams
from tests.workspace import ROOT

_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload([__name__])


def start(folder: Path, job: Job, ranks: int) -> BaseProcess:
    """Start a process in a folder that starts so many ranks and waits for them; what they print goes to `out`.log.

    The folder has params.yaml, and the job's paths are relative to it.
    """
    stage = _CONTEXT.Process(target=_stage, args=(folder, job, ranks))
    paths = os.pathsep.join([str(ROOT), str(ROOT / "src")])
    with pytest.MonkeyPatch.context() as patch:  # the first process starts the one that all of them fork from
        for name, value in {**CPU_ENVIRONMENT, "OMP_NUM_THREADS": "1", "PYTHONPATH": paths}.items():
            patch.setenv(name, value)
        stage.start()
    return stage


def run(folder: Path, job: Job, ranks: int) -> dict[str, Any]:
    """Train to the end and give the metrics."""
    stage = start(folder, job, ranks)
    stage.join(300)
    assert stage.exitcode == 0, _log(folder, job).read_text(encoding="utf-8")[-3000:]
    metrics: dict[str, Any] = json.loads((folder / job.metrics).read_text(encoding="utf-8"))
    return metrics


def _log(folder: Path, job: Job) -> Path:
    return folder / f"{job.out.name}.log"


def _stage(folder: Path, job: Job, ranks: int) -> None:
    os.chdir(folder)
    with _log(folder, job).open("w", encoding="utf-8") as log:
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    os.environ |= {"WORLD_SIZE": str(ranks), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    context = multiprocessing.get_context("fork")
    started = [context.Process(target=_rank, args=(i, job)) for i in range(ranks)]
    for process in started:
        process.start()
    while alive := [process for process in started if process.is_alive()]:
        wait([process.sentinel for process in alive])
        if any(process.exitcode for process in started):  # the others would wait for it for ever
            for process in alive:
                process.kill()
    sys.exit(any(process.exitcode for process in started))


def _rank(number: int, job: Job) -> None:
    os.environ |= {"RANK": str(number), "LOCAL_RANK": str(number)}
    # Each run begins with a measurement of the machine that takes 1.5 s of every core, and nothing here reads it.
    pytest.MonkeyPatch().setattr("flowc.train.matrix_peak", partial(matrix_peak, seconds=0.1))
    run_rank(lambda: train(job, load("train", TrainParams), load_value("seed", int)))
