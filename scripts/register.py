"""Registers the models that a gate let pass: pushes them to the DVC remote, commits, tags versions and stage.

Usage: python -m scripts.register GATE MODELS [--stage STAGE] [--branch BRANCH]. GATE is the gate.json of `make
recompile`, MODELS the folder whose dvc.yaml lists the models as DVC artifacts. Versions and stages are Git tags as GTO
reads them: `dvc artifacts get . models:PROCEDURE --stage staging` fetches the model from then on.
"""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path
from typing import Any

import gto.api
import yaml

from flowc.gate import GateResult, Outcome
from flowc.params import load, load_value
from flowc.records import Record, UserError, run_stage
from scripts.push import push
from scripts.revision import git


class BaseName(Record, extra="ignore"):
    """Which base model params.yaml names."""

    name: str


def main() -> None:
    """Push, list, commit, tag, push the tags; models that did not change keep their version."""
    parser = argparse.ArgumentParser(prog="python -m scripts.register", description=__doc__)
    parser.add_argument("gate", type=Path, help="gate.json of the recompile")
    parser.add_argument("models", type=Path, help="the folder of the compiled models' folder")
    parser.add_argument("--stage", default="staging", help="the stage that the new versions are given")
    parser.add_argument("--branch", default="main", help="the branch to push to")
    args = parser.parse_args()
    found = json.loads(args.gate.read_text(encoding="utf-8"))
    if found["outcome"] != Outcome.PASSED:
        raise UserError(f"{args.gate}: the gate says {found['outcome']!r}; only what passed is registered")
    if not found["as_configured"]:
        raise UserError(
            "this machine could not compile as conf/ asks, or stopped at the gate (see the comment); such a model is "
            "not registered"
        )
    push()
    names = [str(p) for p in load_value("procedures", list)]
    write_artifacts(args.models, names, load("base", BaseName).name)
    _commit(args.models, found["procedures"])
    tags = [tag for name in names if name in found["procedures"] for tag in _register(name, found, args)]
    git("push", "--atomic", "origin", f"HEAD:{args.branch}", *(f"refs/tags/{tag}" for tag in tags))
    print("\n".join(tags) or "no model changed")


def write_artifacts(models: Path, procedures: list[str], base: str) -> None:
    """List the compiled models in a dvc.yaml of their own, so that the pipeline's names no procedure."""
    listed = {
        name: {
            "path": f"compiled/{name}",
            "type": "model",
            "desc": f"{name} compiled into {base}; its card is README.md in that folder",
            "labels": [base],
        }
        for name in sorted(procedures)
    }
    text = "# Written by scripts/register.py: the compiled models as DVC artifacts, one a procedure.\n"
    text += yaml.safe_dump({"artifacts": listed}, sort_keys=False, width=120)
    (models / "dvc.yaml").write_text(text, encoding="utf-8")


def _commit(models: Path, procedures: dict[str, Any]) -> None:
    """Commit what the recompile wrote, if it did."""
    git("add", "--update")
    git("add", str(models / "dvc.yaml"))
    git("add", "reports")
    if git("status", "--porcelain", "--untracked-files=no"):
        git("commit", "--quiet", "--message", f"Compile {', '.join(sorted(procedures)) or 'nothing anew'}")


def _register(name: str, found: dict[str, Any], args: argparse.Namespace) -> list[str]:
    """Tag version and stage of one model; give the tags."""
    artifact = f"{args.models.name}:{name}"
    edited = GateResult.model_validate(found["procedures"][name]).changed is not None
    is_first = not git("tag", "--list", f"{args.models.name}={name}@v*")
    card = (args.models / "compiled" / name / "README.md").read_text(encoding="utf-8")
    author, email = os.environ.get("GIT_COMMITTER_NAME"), os.environ.get("GIT_COMMITTER_EMAIL")
    version = gto.api.register(
        ".",
        artifact,
        "HEAD",
        message=card,
        bump_minor=edited and not is_first,
        author=author,
        author_email=email,
    )
    stage = gto.api.assign(
        ".", artifact, args.stage, version=version.version, message=card, author=author, author_email=email
    )
    return [str(version.tag), str(stage.tag)]


if __name__ == "__main__":
    run_stage(main)
