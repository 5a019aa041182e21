"""The training stage in a workspace of its own: a tiny model, random tokens, real ranks."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import torch
from safetensors.torch import load_file
from transformers import LlamaConfig, LlamaForCausalLM

from flowc.packing import Tokens
from flowc.train_inputs import Job
from tests.workspace import ROOT

VOCABULARY = 64
PARAMS = {
    "method": "full",
    "lora": {"rank": 4, "alpha": 8, "learning_rate": 5.0e-2},
    "init": "base",
    "previous": {"revision": None, "replay": 1.0, "largest_edit": 0.5, "learning_rate": 1.0e-3},
    "optimizer": "adamw",
    "offload": "none",
    "gradient_checkpointing": False,
    "epochs": 2,
    "learning_rate": 5.0e-3,
    "warmup_share": 0.1,
    "batch_size": 4,
    "micro_tokens": 64,
    "weight_decay": 0.1,
    "max_grad_norm": 1.0,
    "precision": "fp32",
    "evals": 2,
    "eval_conversations": 4,
}


def tiny_model() -> LlamaForCausalLM:
    """Make a model of 2 layers, always the same."""
    torch.manual_seed(0)
    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=VOCABULARY,
            hidden_size=32,
            intermediate_size=64,
            num_hidden_layers=2,
            num_attention_heads=4,
            num_key_value_heads=2,
            tie_word_embeddings=True,
        )
    )


def some_tokens(count: int, seed: int = 1) -> list[Tokens]:
    """Draw conversations of 8 to 39 tokens."""
    generator = torch.Generator().manual_seed(seed)
    rows = []
    for _ in range(count):
        n = int(torch.randint(8, 40, (1,), generator=generator))
        ids = torch.randint(0, VOCABULARY, (n,), generator=generator)
        rows.append(Tokens(ids, torch.rand(n, generator=generator) < 0.45))
    return rows


def write_tokens(path: Path, rows: list[Tokens]) -> None:
    """Write conversations without branches as a token set."""
    path.parent.mkdir(parents=True, exist_ok=True)
    names = [f"c{i:02d}" for i in range(len(rows))]
    table = {
        "conversation_id": names,
        "family": names,
        "input_ids": pa.array([r.ids.tolist() for r in rows], pa.list_(pa.int32())),
        "loss_mask": pa.array([r.targets.int().tolist() for r in rows], pa.list_(pa.int8())),
    }
    pq.write_table(pa.table(table), path)


def make_workspace(folder: Path, **changes: Any) -> Path:
    """Write all that the stage reads into a folder, with changed params of training, and give the folder."""
    write_tokens(folder / "tokens" / "train.parquet", some_tokens(24))
    write_tokens(folder / "tokens" / "eval.parquet", some_tokens(6, seed=2))
    tiny_model().save_pretrained(folder / "base")
    (folder / "base" / "chat_template.jinja").write_text("template", encoding="utf-8")
    (folder / "graph.json").write_text("{}\n", encoding="utf-8")
    params = {"seed": 7, "train": PARAMS | changes}
    (folder / "params.yaml").write_text(json.dumps(params), encoding="utf-8")
    return folder


def job(name: str, checkpoint_seconds: float = 240) -> Job:
    """Name the files of a run in a workspace."""
    out, metrics, side = Path("out", name), Path(f"{name}.json"), Path(".flowc", "train")
    return Job(Path("tokens"), Path("base"), Path("graph.json"), out, metrics, side, checkpoint_seconds)


def command(name: str) -> list[str]:
    """Give the stage's command in a workspace."""
    stage = [sys.executable, "-m", "stages.train", "tokens", "base", "graph.json"]
    return [*stage, "--out", f"out/{name}", "--metrics", f"{name}.json"]


def environment(ranks: int, **more: str) -> dict[str, str]:
    """Give an environment in which the stage runs this code on so many ranks."""
    outside = [path for path in [os.environ.get("PYTHONPATH")] if path]
    paths = {"PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "src"), *outside]), "FLOWC_RANKS": str(ranks)}
    return {k: v for k, v in os.environ.items() if k != "DVC_ROOT"} | paths | more


def run(workspace: Path, name: str, ranks: int, **more: str) -> dict[str, Any]:
    """Run the stage to its end and give its metrics."""
    done = subprocess.run(
        command(name),
        cwd=workspace,
        env=environment(ranks, **more),
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    metrics: dict[str, Any] = json.loads((workspace / f"{name}.json").read_text(encoding="utf-8"))
    return metrics


def ranks_of(parent: int) -> list[int]:
    """List the living children of a process."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            text = path.read_text(encoding="utf-8")
        except (FileNotFoundError, ProcessLookupError):
            continue  # it ended while we looked
        state, ppid = text.rpartition(")")[2].split()[:2]
        if int(ppid) == parent and state != "Z":
            found.append(int(path.parent.name))
    return found


def await_checkpoint(workspace: Path, is_alive: Callable[[], bool]) -> None:
    """Wait for a run's first checkpoint."""
    deadline = time.monotonic() + 200
    while not any((workspace / ".flowc" / "train").glob("*/latest")):
        assert is_alive() and time.monotonic() < deadline, "no checkpoint came"
        time.sleep(0.01)


def kill(stage: int | None, reap: Callable[[], object]) -> None:
    """Kill a running stage by SIGKILL; no rank survives it."""
    assert stage
    children = ranks_of(stage)
    os.kill(stage, signal.SIGKILL)
    reap()
    deadline = time.monotonic() + 60
    while any(Path(f"/proc/{pid}").exists() for pid in children):
        assert time.monotonic() < deadline, "a rank outlived its stage"
        time.sleep(0.02)


def assert_same_run(workspace: Path, *pair: tuple[str, dict[str, Any]]) -> None:
    """Two runs have the same curves and weights but for the last bits, which matrix products do not promise."""
    (first, there), (second, here) = pair
    for curve in ("loss_curve", "eval_curve"):
        torch.testing.assert_close(torch.tensor(here[curve]), torch.tensor(there[curve]), rtol=0, atol=2e-5)
    weights = [load_file(workspace / "out" / name / "model.safetensors") for name in (first, second)]
    torch.testing.assert_close(weights[1], weights[0], rtol=0, atol=1e-5)
