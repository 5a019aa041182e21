"""Ranks on two hosts: DeepSpeed's launcher and hostfile, gloo between two network namespaces of this machine."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from flowc.hosts import read_hostfile
from flowc.records import UserError
from tests import ranks
from tests.training import assert_same_run, job, make_workspace, run

# Stands in for pdsh, which would go by ssh: runs the command in the namespace of each host named with -w.
PDSH = """#!/bin/bash
while [[ $1 == -* ]]; do
  case $1 in -w) hosts=$2; shift 2;; -f) shift 2;; *) shift;; esac
done
n=0
for host in ${hosts//,/ }; do
  ip netns exec "$NAMESPACE-${host##*.}" bash -c "${*//%n/$n}" &
  pids+=($!); n=$((n + 1))
done
status=0
for pid in "${pids[@]}"; do wait "$pid" || status=$?; done
exit $status
"""


def ip(*arguments: str) -> str:
    return subprocess.run(["ip", *arguments], capture_output=True, text=True, check=True).stdout


@pytest.fixture
def namespaces() -> Iterator[str]:
    """Two hosts, 10.77.0.1 and 10.77.0.2, with a wire between their eth0; gives the names' beginning."""
    if os.geteuid() != 0 or shutil.which("ip") is None:
        pytest.skip("network namespaces want root and the ip command")
    name = f"flowc{os.getpid()}"
    try:
        ip("netns", "add", f"{name}-1")
    except subprocess.CalledProcessError as e:
        pytest.skip(f"no network namespace may be made here: {e.stderr.strip()}")
    try:
        ip("netns", "add", f"{name}-2")
        ip("-n", f"{name}-1", "link", "add", "eth0", "type", "veth", "peer", "name", "eth0", "netns", f"{name}-2")
        for i in (1, 2):
            ip("-n", f"{name}-{i}", "addr", "add", f"10.77.0.{i}/24", "dev", "eth0")
            ip("-n", f"{name}-{i}", "link", "set", "eth0", "up")
            ip("-n", f"{name}-{i}", "link", "set", "lo", "up")
        yield name
    finally:
        for i in (1, 2):
            subprocess.run(["ip", "netns", "delete", f"{name}-{i}"], check=False, capture_output=True)


def test_two_hosts_learn_what_two_ranks_of_one_host_learn_and_talk_over_the_wire(
    tmp_path: Path, namespaces: str
) -> None:
    workspace = make_workspace(tmp_path)
    (workspace / "pdsh").write_text(PDSH, encoding="utf-8")
    (workspace / "pdsh").chmod(0o755)
    (workspace / "hosts").write_text("10.77.0.1 slots=1\n10.77.0.2 slots=1\n", encoding="utf-8")
    more = {"FLOWC_HOSTFILE": "hosts", "GLOO_SOCKET_IFNAME": "eth0", "NAMESPACE": namespaces}
    there = run(workspace, "there", 1, PATH=f"{workspace}{os.pathsep}{os.environ['PATH']}", **more)
    sent = ip("netns", "exec", f"{namespaces}-2", "cat", "/sys/class/net/eth0/statistics/tx_bytes")
    here = ranks.run(workspace, job("here"), 2)
    assert there["world_size"] == here["world_size"] == 2
    assert_same_run(workspace, ("here", here), ("there", there))
    # Each of 12 steps reduces a gradient of 22,000 parameters in fp32, half of which goes over the wire.
    assert int(sent) > 12 * 22_000 * 4 / 2


def test_a_hosts_user_error_comes_back_as_one_message(tmp_path: Path, namespaces: str) -> None:
    workspace = make_workspace(tmp_path)
    weights = workspace / "base" / "model.safetensors"
    spoilt = {name: tensor.fill_(torch.nan) for name, tensor in load_file(weights).items()}
    save_file(spoilt, weights, metadata={"format": "pt"})
    (workspace / "pdsh").write_text(PDSH, encoding="utf-8")
    (workspace / "pdsh").chmod(0o755)
    (workspace / "hosts").write_text("10.77.0.1 slots=1\n10.77.0.2 slots=1\n", encoding="utf-8")
    more = {"FLOWC_HOSTFILE": "hosts", "GLOO_SOCKET_IFNAME": "eth0", "NAMESPACE": namespaces}
    with pytest.raises(AssertionError, match="training loss is nan at step 1; lower its learning rate"):
        run(workspace, "there", 1, PATH=f"{workspace}{os.pathsep}{os.environ['PATH']}", **more)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("worker-1\n", r"hosts:1: 'worker-1' is not a new host with its ranks"),
        ("a slots=1\na slots=2\n", r"hosts:2: 'a slots=2' is not a new host"),
        ("# none\n", r"hosts: lists no host; a line looks like `worker-1 slots=8`"),
    ],
)
def test_a_hostfile_that_says_nothing_clear_is_refused_with_its_line(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "hosts").write_text(text, encoding="utf-8")
    with pytest.raises(UserError, match=said):
        read_hostfile(tmp_path / "hosts")


def test_hosts_keep_their_order(tmp_path: Path) -> None:
    (tmp_path / "hosts").write_text("# first\nb slots=2\n\na slots=8\n", encoding="utf-8")
    assert list(read_hostfile(tmp_path / "hosts").items()) == [("b", 2), ("a", 8)]
    with pytest.raises(UserError, match="no such file; unset it"):
        read_hostfile(tmp_path / "none")
