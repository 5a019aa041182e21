"""Starts a stage's ranks on several hosts by DeepSpeed's own launcher, from the command that starts them on one.

The hostfile is DeepSpeed's (`worker-1 slots=8`, a line a host). Hosts share this folder and the environment at the
same paths, and the first of them is reached from all under its name in the file, at port 29500 or MASTER_PORT.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import torch

from flowc.launch import CPU_ENVIRONMENT, ERROR_FILE, die_with_parent
from flowc.records import UserError

_CARRIED = ("FLOWC_", "DVC_ROOT", "DS_", "GLOO_", "MALLOC_", "GLIBC_", "OMP_", "HF_", "CUDA_", "PATH", "LD_LIBRARY_")


def read_hostfile(path: Path) -> dict[str, int]:
    """Read DeepSpeed's hostfile: ranks by host, in its order.

    Raises UserError with the line that is none, and where no host is listed.
    """
    if not path.is_file():
        raise UserError(f"FLOWC_HOSTFILE={path}: no such file; unset it to train on this machine alone")
    hosts: dict[str, int] = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        found = re.fullmatch(r"(\S+)\s+slots=([1-9]\d*)\s*", line.strip())
        if found is None or found[1] in hosts:
            raise UserError(
                f"{path}:{number}: {line.strip()!r} is not a new host with its ranks, as in `worker-1 slots=8`"
            )
        hosts[found[1]] = int(found[2])
    if not hosts:
        raise UserError(f"{path}: lists no host; a line looks like `worker-1 slots=8`")
    return hosts


def start_hosts(module: str, arguments: Sequence[str], hostfile: Path, threads: int, shared: Path) -> None:
    """Run `python -m module arguments` as the hostfile's ranks and wait; `shared` is a folder that all hosts see.

    Raises UserError with a rank's own message, or with how the launcher ended.
    """
    hosts = read_hostfile(hostfile)
    if len(hosts) > 1 and shutil.which("pdsh") is None:
        raise UserError("several hosts are started by DeepSpeed over pdsh, which is not installed; install it here")
    shared.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="hosts-", dir=shared) as folder:
        error, carried = Path(folder).absolute() / "error", Path(folder).absolute() / "environment"
        environment = dict(os.environ)
        if not torch.cuda.is_available():
            on_one = {"GLOO_SOCKET_IFNAME"}  # the loopback interface: of no use between hosts
            environment = {k: v for k, v in CPU_ENVIRONMENT.items() if k not in on_one} | environment
        environment = {"OMP_NUM_THREADS": str(threads)} | environment | {ERROR_FILE: str(error)}
        lines = [f"{k}={v}\n" for k, v in environment.items() if k.startswith(_CARRIED) and v and "\n" not in v]
        carried.write_text("".join(lines), encoding="utf-8")
        command = [
            sys.executable, "-m", "deepspeed.launcher.runner", "--quiet", "--hostfile", str(hostfile),
            "--no_ssh_check", "--no_local_rank", "--master_addr", next(iter(hosts)),
            "--master_port", environment.get("MASTER_PORT", "29500"), "--module", module, *arguments,
        ]  # fmt: skip
        done = subprocess.run(
            command,
            env=environment | {"DS_ENV_FILE": str(carried)},
            check=False,
            preexec_fn=partial(die_with_parent, signal.SIGTERM),  # upon which the launcher ends ranks on all hosts
        )
        if error.exists():
            raise UserError(error.read_text(encoding="utf-8"))
    if done.returncode:
        raise UserError(
            f"training on {len(hosts)} hosts ended with status {done.returncode}; its messages stand above. "
            "`dvc repro` continues from the last checkpoint"
        )
