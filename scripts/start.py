"""Where a recompile's training starts: at the former model after a small edit, at the base otherwise.

The answer is written into conf/, so that params.yaml stays what conf/ says and `dvc repro` alone repeats the run
(docs/decisions/0010-the-start-is-written-into-conf.md).
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from dvc.repo import Repo
from pydantic import ValidationError

from flowc.params import load_value
from flowc.records import UserError
from flowc.stage_runs import Lock
from scripts.compose import composed
from scripts.revision import Revision, git

_HEAD = """# @package train
# Where training starts. `make recompile` decides and writes it; docs/recompile.md says how to decide for it.
"""
_INIT, _REVISION = "train.init=", "train.previous.revision="
_OF_A_START = ("init", "previous")  # params that a model trained from the base does not depend on


class Start(NamedTuple):
    """Values of train.init and train.previous.revision."""

    init: str
    revision: str | None


class Part(NamedTuple):
    """What one procedure's training would see from the former model, or the reason why that is no start."""

    procedure: str
    reason: str = ""
    edit: float = 0.0
    changed: int = 0
    replayed: int = 0
    whole: int = 0
    """Tokens to compute: of families that changed, of the sample of the others, and of all."""


class Chosen(NamedTuple):
    """Where to start, and a sentence a procedure that is trained."""

    start: Start
    notes: list[str]


def read_start(file: Path) -> Start:
    """Read what conf/ says now."""
    values = yaml.safe_load(file.read_text(encoding="utf-8"))
    return Start(values["init"], values["previous"]["revision"])


def write_start(file: Path, start: Start) -> None:
    """Write conf's file; the same start gives the same bytes.

    What else a start from a former model reads is taken in from conf/previous.yaml, by none from the base: so that its
    params, which every model trained from the base depends on, stay as they are when it is edited.
    """
    values: dict[str, Any] = {"defaults": ["previous", "_self_"]} if start.init == "previous" else {}
    values |= {"init": start.init, "previous": {"revision": start.revision}}
    file.write_text(_HEAD + yaml.safe_dump(values, sort_keys=False), encoding="utf-8")


def asked_for(overrides: Sequence[str], compiled: str | None) -> tuple[Start | None, list[str]]:
    """Take a start out of overrides; give it, or None where none is named, and the other overrides.

    `compiled` is the commit to start from when train.init=previous names none.
    """
    rest = [o for o in overrides if not o.startswith((_INIT, _REVISION))]
    inits = [o.removeprefix(_INIT) for o in overrides if o.startswith(_INIT)]
    revisions = [o.removeprefix(_REVISION).strip("'\"") for o in overrides if o.startswith(_REVISION)]
    if not inits:
        return None, list(overrides)
    return Start(inits[-1], (revisions[-1] if revisions else compiled) if inits[-1] == "previous" else None), rest


def compiled_at(base: Revision) -> str | None:
    """Give the last commit up to the base that compiled anything, in full: what lies between changed no model."""
    return git("log", "-1", "--format=%H", base.commit, "--", "dvc.lock") or None


def stale(procedures: Sequence[str]) -> list[str]:
    """Name the procedures whose training would run for what it reads; a model that is nowhere is no reason."""
    with Repo() as repo:
        found = repo.status(targets=[f"train@{p}" for p in procedures])
    return [
        p for p in procedures if any(c == "changed command" or "changed deps" in c for c in found.get(f"train@{p}", ()))
    ]


def params_of(start: Start, conf: Path, overrides: Sequence[str], folder: Path) -> dict[str, Any]:
    """Compose what `train` would be with a start; conf/ itself stays as it is. `folder` is for a copy of it."""
    other = folder / "conf"
    shutil.copytree(conf, other, dirs_exist_ok=True)
    write_start(other / "start.yaml", start)
    found: dict[str, Any] = composed(other, overrides).params["train"]
    return found


def choose(
    base: Revision,
    procedures: Sequence[str],
    present: Start,
    lock: Lock,
    conf: Path,
    overrides: Sequence[str],
    folder: Path,
) -> Chosen | None:
    """Decide where to start once the tokens are made; None when nothing is to be trained.

    `lock` is that of now, `overrides` what conf/ is composed with; `folder` is for what has to be fetched.
    """
    trained = stale(procedures)
    if not trained:
        return None
    revision = compiled_at(base)
    train = params_of(Start("previous", revision), conf, overrides, folder)
    found = [_part(p, base, revision, lock, train, folder) for p in trained]
    return decide(found, revision, present, [p for p in procedures if p not in trained])


def decide(found: Sequence[Part], revision: str | None, present: Start, others: Sequence[str]) -> Chosen:
    """Choose one start for all procedures that are trained; `others` would be, for no other reason than a new start."""
    start = Start("previous", revision) if any(not p.reason for p in found) else Start("base", None)
    if others and start != present:
        why = (
            f"The start is one param of all procedures and stays as it is: with another, {', '.join(others)} would be "
            "trained again."
        )
        return Chosen(present, [why])
    return Chosen(start, [_sentence(p, start) for p in found])


def _sentence(part: Part, start: Start) -> str:
    if part.reason:
        return f"{part.procedure} is trained from the base, with everything: {part.reason}."
    return (
        f"{part.procedure} is trained from the model of {str(start.revision)[:10]}, on {part.changed:,} tokens of "
        f"changed conversations and {part.replayed:,} of others, of {part.whole:,} in all (edit: {part.edit:.1%})."
    )


def _part(
    procedure: str, base: Revision, revision: str | None, lock: Lock, train: Mapping[str, Any], folder: Path
) -> Part:
    from flowc.packing import length, read_token_set  # here: torch takes seconds, and often nothing is to be trained
    from flowc.previous import select
    from flowc.train_inputs import TrainParams

    entry = base.lock().get(f"train@{procedure}")
    if entry is None or revision is None:
        return Part(procedure, "no model was compiled before")
    try:
        params = TrainParams.model_validate(train)
    except ValidationError as e:
        raise UserError(f"what a start from a former model would read is wrong: {e}; mend conf/previous.yaml") from None
    seed = load_value("seed", int)
    tokens, model = f"data/tokens/{procedure}", f"models/compiled/{procedure}"
    data = (tokens, f"data/graphs/{procedure}.json")
    if changed := settings_changed(entry, lock, {"train": train, "seed": seed}, data):
        return Part(procedure, f"training itself changed ({', '.join(changed[:3])}), not only its conversations")
    if {d["path"]: d["md5"] for d in entry["deps"]}.get(tokens) != _outputs(base.lock()).get(tokens):
        return Part(procedure, f"the model of {revision[:10]} was trained on other conversations than that commit has")
    then = base.fetch(f"{tokens}/train.parquet", folder)
    if then is None or not base.holds(model):
        return Part(
            procedure,
            f"the model of {revision[:10]} and its tokens are neither in the cache nor in the remote; "
            "`python -m scripts.push` there would keep them",
        )
    any_vocabulary = 2**31
    before, now = (read_token_set(f, any_vocabulary) for f in (then, Path(tokens) / "train.parquet"))
    got = select(now, before, params.previous.replay, params.batch_size, seed)
    if got.edit > (most := params.previous.largest_edit):
        return Part(procedure, f"the edit changes {got.edit:.0%} of the tokens, above {most:.0%} (largest_edit)")
    sizes = [length(family) for family in got.families]
    return Part(
        procedure, "", got.edit, sum(sizes[: got.changed]), sum(sizes[got.changed :]), sum(length(f) for f in now)
    )


def settings_changed(entry: Mapping[str, Any], lock: Lock, params: Mapping[str, Any], data: Sequence[str]) -> list[str]:
    """Name what else than its data and its start a former training read otherwise: code, base model, params."""
    made = _outputs(lock)
    out = [d["path"] for d in entry["deps"] if d["path"] not in data and d["md5"] != _hash(d["path"], made)]
    then = entry["params"]["params.yaml"]
    for section, now in params.items():
        was = then.get(section)
        if isinstance(now, dict) and isinstance(was, dict):
            keys = sorted({*now, *was} - set(_OF_A_START))
            out += [f"{section}.{key}" for key in keys if now.get(key) != was.get(key)]
        elif now != was:
            out.append(section)
    return out


def _outputs(lock: Lock) -> dict[str, str]:
    """Hash by path of all that stages made and DVC keeps."""
    return {out["path"]: out["md5"] for stage in lock.values() for out in stage.get("outs", []) if "md5" in out}


def _hash(path: str, made: Mapping[str, str]) -> str | None:
    """A file's hash as DVC takes it; of an output, what dvc.lock says."""
    if path in made:
        return made[path]
    file = Path(path)
    return hashlib.md5(file.read_bytes(), usedforsecurity=False).hexdigest() if file.is_file() else None
