"""Runs a scale as a DVC experiment in a workspace of its own, and lays its report, metrics, plots and params out.

Usage: python -m scripts.study FOLDER [OVERRIDE ...], with scale=study unless an override says another. The files here
stay as they are. Started again after an interruption it continues: finished stages come from DVC's run cache, and
training from its last checkpoint.
"""

from __future__ import annotations

import argparse
import io
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Sequence
from pathlib import Path

from dvc.lock import LockError
from dvc.repo import Repo

from flowc.records import UserError, run_stage


def main() -> None:
    """Run the experiment, then replace the folder by what it reports."""
    parser = argparse.ArgumentParser(prog="python -m scripts.study", description=__doc__)
    parser.add_argument("folder", type=Path, help="where to lay the report out; replaced")
    parser.add_argument("overrides", nargs="*", help="other params, as for `make params`")
    args = parser.parse_args()
    named = [o for o in args.overrides if o.startswith("scale=")]
    overrides = args.overrides if named else ["scale=study", *args.overrides]
    name = (named or overrides)[0].removeprefix("scale=")
    _sweep()
    for reference in _references(name):  # DVC refuses a name that an earlier run has
        subprocess.run(["git", "update-ref", "-d", reference], check=True)
    command = ["exp", "run", "--temp", "--name", name]
    status = _wait([sys.executable, "-m", "dvc", *command, *(w for o in overrides for w in ("--set-param", o))])
    found = _references(name)
    if status or not found:
        raise UserError(
            f"the experiment {name} stopped before its end; mend what is said above, if anything, and start it again: "
            "it continues from there"
        )
    lay_out(found[0], args.folder)
    print(f"The report: {args.folder / 'report.md'}. `dvc exp apply {name}` fetches its models, data and params.")


def _sweep() -> None:
    """Remove the workspaces of killed runs, gigabytes each. DVC holds its lock while a run lasts: none is alive."""
    try:
        with Repo() as repo, repo.lock:
            shutil.rmtree(Path(repo.tmp_dir) / "exps" / "standalone", ignore_errors=True)
    except LockError as e:
        raise UserError(f"DVC is at work in this repository; wait for it, or end it ({e})") from None


def _references(name: str) -> list[str]:
    """Give Git's references to experiments of this name."""
    listing = ["git", "for-each-ref", "--format=%(refname)", f"refs/exps/*/*/{name}"]
    return subprocess.run(listing, check=True, capture_output=True, text=True).stdout.split()


def _wait(command: Sequence[str]) -> int:
    """Run a command to its end. Ctrl-C reaches it too, and it needs time to stop its stage and to clean up."""
    # The installed package is the code that lies here, which may be edited meanwhile; this path is the workspace's own.
    with subprocess.Popen(command, env=os.environ | {"PYTHONPATH": "src"}) as running:
        while True:
            try:
                return running.wait()
            except KeyboardInterrupt:
                print("stopping", file=sys.stderr)


def lay_out(revision: str, folder: Path) -> None:
    """Replace a folder by what the stages of a revision write into reports/, with its params.yaml.

    Git has more there: what the commit under the experiment had of stages that the experiment does without.
    """
    with Repo(rev=revision) as repo:
        made = sorted(o.fs_path.lstrip("/") for o in repo.index.outs)
    reports = [path for path in made if path.startswith("reports/")]
    command = ["git", "archive", revision, "params.yaml", *reports]
    archive = subprocess.run(command, check=True, stdout=subprocess.PIPE)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".study-") as part:
        with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as files:
            files.extractall(part, filter="data")
        laid = Path(part) / "reports"
        (Path(part) / "params.yaml").rename(laid / "params.yaml")
        shutil.rmtree(folder, ignore_errors=True)
        laid.rename(folder)


if __name__ == "__main__":
    run_stage(main)
