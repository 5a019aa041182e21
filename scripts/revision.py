"""A committed revision as DVC sees it: its files, and the outputs that its dvc.lock names, from cache or remote."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any, Self

import yaml
from dvc.api import DVCFileSystem
from dvc.exceptions import DvcException
from dvc_data.index import DataIndexDirError

from flowc.records import UserError
from flowc.stage_runs import Lock


def git(*arguments: str) -> str:
    """Run Git and give what it printed.

    Raises UserError with Git's own words when it failed.
    """
    done = subprocess.run(["git", *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise UserError(f"git {' '.join(arguments)}: {done.stderr.strip()}")
    return done.stdout.strip()


class Revision:
    """A commit, in full, with the name that it is to be called by."""

    def __init__(self, commit: str, name: str) -> None:
        self.commit, self.name = commit, f"{name} ({commit[:10]})"

    def __enter__(self) -> Self:
        self._files = DVCFileSystem(rev=self.commit)
        return self

    def __exit__(self, *_: object) -> None:
        self._files.close()

    def read(self, path: str) -> str | None:
        """Read a text file; None when the revision has none, or neither cache nor remote holds it."""
        try:
            text = self._files.read_text(path, encoding="utf-8")
        except (OSError, DataIndexDirError):  # the second for a file inside an output that nobody kept
            return None
        return str(text)

    def fetch(self, path: str, folder: Path) -> Path | None:
        """Lay a copy of a file into a folder, under its own name; None as for `read`."""
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._files.get_file(path, str(target))
        except (OSError, DataIndexDirError):
            return None
        return target

    def holds(self, folder: str) -> bool:
        """Whether all files of an output that is a folder can be had, from cache or remote; none is copied."""
        try:
            files = self._files.find(folder)
            for file in files:
                with self._files.open(file, "rb") as opened:
                    opened.read(1)
        except (OSError, DvcException, DataIndexDirError):
            return False
        return bool(files)

    def lock(self) -> Lock:
        """Give the stages of its dvc.lock."""
        return stages_of(self.read("dvc.lock"))


def branched_from(name: str) -> Revision:
    """Give the commit at which the work here left `name`: what a branch began from, or `name` itself."""
    try:
        return Revision(git("merge-base", name, "HEAD"), name)
    except UserError as e:
        raise UserError(f"{e}; fetch it, or name another with --base (make recompile BASE=main)") from None


def stages_of(lock: str | None) -> Lock:
    """Read the stages out of a dvc.lock; none when there is no file yet."""
    values: dict[str, Any] = yaml.safe_load(lock or "") or {}
    stages: Lock = values.get("stages", {})
    return stages
