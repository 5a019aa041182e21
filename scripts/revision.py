"""A committed revision as DVC sees it: its files, and the outputs that its dvc.lock names, from cache or remote."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self, TypeVar

import yaml
from dvc.api import DVCFileSystem
from dvc_data.index import DataIndexDirError

from flowc.records import UserError
from flowc.stage_runs import Lock

T = TypeVar("T")


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
        return self._had(path, lambda: str(self._files.read_text(path, encoding="utf-8")))

    def fetch(self, path: str, folder: Path) -> Path | None:
        """Lay a copy of a file into a folder, under its own name; None as for `read`."""
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)

        def get() -> Path:
            self._files.get_file(path, str(target))
            return target

        return self._had(path, get)

    def holds(self, folder: str) -> bool:
        """Whether all files of an output that is a folder can be had, from cache or remote; none is copied."""

        def touch() -> bool:
            files = self._files.find(folder)
            for file in files:
                with self._files.open(file, "rb") as opened:
                    opened.read(1)
            return bool(files)

        return self._had(folder, touch) or False

    def _had(self, path: str, get: Callable[[], T]) -> T | None:
        """Get something; None when it is in neither revision, cache nor remote, or the remote cannot be read."""
        try:
            return get()
        except (FileNotFoundError, DataIndexDirError):  # the second for a file inside an output that nobody kept
            return None
        except Exception as e:  # the remotes' file systems have errors of their own for keys or plugins that they miss
            print(f"{path} of {self.name} cannot be had: {e}", file=sys.stderr)
            return None

    def lock(self) -> Lock:
        """Give the stages of its dvc.lock."""
        return stages_of(self.read("dvc.lock"))


def branched_from(name: str) -> Revision:
    """Give the commit at which the work here left `name`: what a branch began from, or `name` itself.

    Raises UserError when Git does not know it.
    """
    try:
        return Revision(git("merge-base", name, "HEAD"), name)
    except UserError as e:
        raise UserError(f"{e}; fetch it, or name another with --base (make recompile BASE=main)") from None


def stages_of(lock: str | None) -> Lock:
    """Read the stages out of a dvc.lock; none when there is no file yet."""
    values: dict[str, Any] = yaml.safe_load(lock or "") or {}
    stages: Lock = values.get("stages", {})
    return stages
