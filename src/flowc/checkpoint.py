"""The side folder of a training run, from which a killed run continues; half-written parts are never read.

<side>/step-000120/     DeepSpeed's shards and progress.json
<side>/best-000090/     the model with the lowest eval loss so far
<side>/latest           name of the step folder to continue from, replaced last
"""

from __future__ import annotations

import errno
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

from safetensors import SafetensorError

from flowc.records import UserError, write_json

LATEST = "latest"


@dataclass
class Progress:
    """Where a run stands; all that is needed besides DeepSpeed's shards to continue it."""

    world_size: int
    step: int = 0
    loss_curve: list[tuple[int, float]] = field(default_factory=list)
    eval_curve: list[tuple[int, float]] = field(default_factory=list)
    best_step: int = 0
    best_loss: float = float("inf")
    tokens: int = 0
    computed_tokens: int = 0
    supervised_tokens: int = 0
    flops: float = 0.0
    resumed: int = 0
    seconds: dict[str, float] = field(
        default_factory=lambda: {"train": 0.0, "eval": 0.0, "checkpoint": 0.0, "load": 0.0}
    )


def step_name(step: int) -> str:
    """Folder of a checkpoint."""
    return f"step-{step:06d}"


def best_name(step: int) -> str:
    """Folder of the best model so far."""
    return f"best-{step:06d}"


def part_name(step: int) -> str:
    """Folder of a checkpoint that is being written."""
    return f".part-{step:06d}"


def read_progress(side: Path) -> Progress | None:
    """Give the progress of the last complete checkpoint, or None; its `world_size` is that of its shards."""
    pointer = side / LATEST
    if not pointer.exists():
        return None
    values = json.loads((side / pointer.read_text(encoding="utf-8") / "progress.json").read_text("utf-8"))
    for curve in ("loss_curve", "eval_curve"):
        values[curve] = [(int(step), float(loss)) for step, loss in values[curve]]
    values["best_loss"] = float("inf") if values["best_loss"] is None else values["best_loss"]
    return Progress(**values)


def commit(side: Path, progress: Progress) -> None:
    """Make the checkpoint in the part folder the latest: rename, point to it, then drop what it replaces."""
    values = asdict(progress)
    if not progress.eval_curve:
        values["best_loss"] = None  # JSON has no infinity
    part, final = side / part_name(progress.step), side / step_name(progress.step)
    write_json(part / "progress.json", values)
    replace_folder(part, final)
    pointer = side / f".{LATEST}.part"
    pointer.write_text(final.name, encoding="utf-8")
    pointer.replace(side / LATEST)
    keep = {final.name, best_name(progress.best_step), LATEST}
    for path in side.iterdir():
        if path.name not in keep:
            remove(path)


def replace_folder(source: Path, target: Path) -> None:
    """Move a finished folder to its place, over an older one; copies where a rename cannot reach."""
    remove(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        source.rename(target)
    except OSError as e:
        if e.errno != errno.EXDEV:
            raise
        part = target.with_name(f".{target.name}.part")
        remove(part)
        shutil.copytree(source, part)
        part.rename(target)
        remove(source)


def remove(path: Path) -> None:
    """Remove a file or a folder if it is there."""
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def check_space(side: Path, needed: int) -> None:
    """Raise UserError if the disk of `side` has less than `needed` bytes free."""
    free = shutil.disk_usage(side).free
    if free < needed:
        raise UserError(_full(side, f"{free / 2**30:.1f} GiB free, {needed / 2**30:.1f} GiB needed"))


@contextmanager
def full_disk_named(part: Path) -> Iterator[None]:
    """Turn each library's way to say that the disk is full into one UserError; drops the half-written part.

    torch says RuntimeError("... PytorchStreamWriter failed writing file"), safetensors "os error 28".
    """
    try:
        yield
    except (OSError, RuntimeError, SafetensorError) as e:
        full = isinstance(e, OSError) and e.errno in (errno.ENOSPC, errno.EDQUOT)
        if not full and not any(s in str(e) for s in ("PytorchStreamWriter", "inline_container", "os error 28")):
            raise
        remove(part)
        raise UserError(_full(part.parent, "full")) from None


def _full(side: Path, detail: str) -> str:
    return (
        f"no space left for the training checkpoint in {'/'.join(side.parts[-3:])} ({detail}); free some "
        "space (`dvc gc -w` drops unused results) and run `dvc repro`: it continues from the last checkpoint"
    )
