"""Where a recompile starts: the model compiled at an earlier revision, what changed since, and a sample of the rest.

docs/training.md says how to use it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from pydantic import Field

from flowc.checkpoint import remove
from flowc.packing import Family, Tokens, length
from flowc.records import Record, UserError


class PreviousParams(Record):
    """How train.init=previous starts; only read there."""

    revision: str | None = Field(pattern="^[0-9a-f]{40}$")
    """Commit whose dvc.lock names the model to start from, in full."""
    replay: float = Field(ge=0)
    """Tokens of unchanged conversations to train on, for each token that changed."""
    largest_edit: float = Field(ge=0, le=1)
    """Share of tokens above which an edit is large: training then starts from the base, with everything."""
    learning_rate: float = Field(gt=0)
    """Peak of the schedule of a full update from the previous model."""


class Selection(NamedTuple):
    """What to train on; `edit` is the changed or the removed share of tokens, whichever is larger."""

    families: list[Family]
    changed: int
    replayed: int
    edit: float


def restore(repository: Path, revision: str, outputs: dict[str, Path], folder: Path) -> bool:
    """Fetch outputs as they were at a revision, from DVC's cache or its remote, as `folder`/name.

    Gives False where the revision has no such outputs. Raises UserError for an unknown revision, and for
    outputs that its dvc.lock names but nobody kept.
    """
    from dvc.api import DVCFileSystem  # here: takes a second, and no other start needs it
    from dvc.exceptions import DvcException
    from dvc_data.index import DataIndexDirError

    files = DVCFileSystem(str(repository), rev=revision)
    try:
        files.ls("/")  # opens the revision; `exists` would answer False for one that is unknown
    except DvcException as e:
        raise UserError(f"train.previous.revision: {e}; fetch that commit, or set train.init to base") from None
    remove(folder)
    if not all(files.exists(path.as_posix()) for path in outputs.values()):
        return False
    folder.mkdir(parents=True)
    for name, path in outputs.items():
        try:
            files.get(path.as_posix(), str(folder / name), recursive=True)
        except (OSError, DvcException, DataIndexDirError):
            raise UserError(
                f"{path} of {revision[:12]} is neither in DVC's cache nor in a remote; `dvc fetch` it there, "
                "or set train.init to base"
            ) from None
    return True


def select(now: Sequence[Family], then: Sequence[Family], replay: float, least: int, seed: int) -> Selection:
    """Keep what changed and `replay` tokens of the rest for each changed or removed one, `least` families at least.

    Of a family whose first conversation is the same, only the branches that changed are kept beside it.
    """
    before = {_content(row) for family in then for row in family}
    after = {_content(row) for family in now for row in family}
    kept: list[Family] = []
    rest: list[Family] = []
    changed = 0
    for family in now:
        trunk, *branches = family
        fresh = [row for row in branches if _content(row) not in before]
        if _content(trunk) not in before:
            kept.append(family)
            changed += length(family)
        elif fresh:
            kept.append((trunk, *fresh))
            changed += length(tuple(fresh))
        else:
            rest.append(family)
    removed = sum(len(row.ids) - row.shared for family in then for row in family if _content(row) not in after)
    wanted = replay * max(changed, removed)
    sample: list[Family] = []
    for i in np.random.default_rng([seed, len(rest)]).permutation(len(rest)):
        if sum(map(length, sample)) >= wanted and len(kept) + len(sample) >= least:
            break
        sample.append(rest[i])
    whole = max(1, sum(map(length, now)), sum(map(length, then)))
    return Selection([*kept, *sample], len(kept), len(sample), max(changed, removed) / whole)


def _content(row: Tokens) -> bytes:
    digest = hashlib.sha256(row.ids.numpy().tobytes())
    digest.update(row.targets.numpy().tobytes())
    return digest.digest()
