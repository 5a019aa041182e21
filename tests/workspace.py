"""A copy of this repository for tests that run DVC in it: own Git history, own cache, nothing computed."""

from __future__ import annotations

import importlib
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from flowc.completion import KEYS

ROOT = Path(__file__).resolve().parents[1]


def stage(name: str, *arguments: str) -> None:
    """Run a stage's main in this process and in the working folder."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", [f"stages.{name}", *arguments])
        importlib.import_module(f"stages.{name}").main()


def repository_files() -> list[Path]:
    """List what Git holds or would add, relative to the root."""
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    return [Path(f) for f in listing.split("\0") if f and (ROOT / f).is_file()]


class Workspace:
    """A folder in which to run commands with this interpreter as `python`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        outside = {"DVC_ROOT", "DVC_STAGE", *KEYS.values()}  # with a key a test would pay
        self.environment = {k: v for k, v in os.environ.items() if k not in outside} | {
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "DVC_SITE_CACHE_DIR": str(folder.parent / "site-cache"),
            "DVC_NO_ANALYTICS": "1",
            "PYTHONPATH": "src",  # the copy's, not the code that is installed
        }

    def run(self, *command: str, timeout: float = 120) -> str:
        """Run a command to its end and give what it printed; fails the test with it when it failed."""
        running = subprocess.Popen(
            command,
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        try:
            output, _ = running.communicate(timeout=timeout)
        finally:
            # A stage that DVC has started must not outlive a test that gave up on it.
            if running.poll() is None:
                os.killpg(running.pid, signal.SIGKILL)
        assert running.returncode == 0, f"{' '.join(command)} ended with {running.returncode}:\n{output}"
        return output

    def dvc(self, *arguments: str, timeout: float = 120) -> str:
        """Run DVC."""
        return self.run(sys.executable, "-m", "dvc", *arguments, timeout=timeout)

    def commit(self) -> None:
        """Commit everything."""
        self.run("git", "add", "--all")
        identity = ("-c", "user.name=test", "-c", "user.email=test@example.invalid")
        self.run("git", *identity, "commit", "--quiet", "--no-verify", "--allow-empty", "-m", "test")


def copy_repository(folder: Path) -> Workspace:
    """Copy the repository's files, uncommitted ones too, into a new Git repository."""
    for file in repository_files():
        target = folder / file
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / file, target)
    (folder / "dvc.lock").unlink(missing_ok=True)
    workspace = Workspace(folder)
    workspace.run("git", "init", "--quiet", "--initial-branch", "main")
    return workspace


def cut_prices(folder: Path) -> None:
    """Leave one model in the list of prices, which is nearly half of params.yaml and of dvc.lock.

    DVC parses params.yaml for every stage, and dvc.lock for every stage that ran: four fifths of its time.
    """
    prices, report = folder / "conf/prices.yaml", folder / "conf/report/default.yaml"
    values = yaml.safe_load(report.read_text())
    kept = values["cost"]["models"] = values["cost"]["models"][:1]
    models = yaml.safe_load(prices.read_text())["models"]
    prices.write_text("# @package prices\n" + yaml.safe_dump({"models": {name: models[name] for name in kept}}))
    report.write_text(yaml.safe_dump(values))
