"""The whole cycle of continuous integration on one machine: the real dvc.yaml, a Git remote and a DVC remote.

The dear stages are those of stub_learning.py, whose scores come from data and params as a real model's do.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from flowc.markdown import text
from tests.test_pipeline import paths
from tests.workspace import Workspace, copy_repository, cut_prices

SIZES = {"train": 24, "branches": 2, "eval": 4, "scenarios": 60}
TRAVEL = ("parse", "generate", "tokenize", "train", "benchmark", "simulate", "frontier", "evaluate")
COMMANDS = (
    RECOMPILE := "make recompile",
    COMMENT := ".venv/bin/python -m scripts.comment recompile/comment.md",
    PUSH := ".venv/bin/python -m scripts.push",
    REGISTER := ".venv/bin/python -m scripts.register recompile/gate.json models",
)
"""What the workflows run, word for word; test_workflows.py compares them."""
PLAIN = ".venv/bin/python -m scripts.recompile --out recompile"
"""The command of `make recompile`, whose exit status make does not pass on."""
SMALL = ("Welcome! Which city would you like to visit?", "Welcome! Which city would you like to go to?")
"""A phrase that few conversations of training have, at these sizes."""
OF_TRAVEL = {f"{verb}@travel_booking" for verb in TRAVEL} | {"baseline@travel_booking-floor"}
TO_THE_GATE = {f"{verb}@travel_booking" for verb in ("parse", "generate", "tokenize", "train", "simulate")}
UP_TO_IT = ("~sources.zoom_support", "--gate-only")
"""For tests of what comes before the gate, or of its answer: the rest takes longer than all that they are about."""
PROCEDURE = "data/procedures/travel_booking.yaml"
GREETING, REWORDED = "Good day! What is your destination?", "Good day! Where may we take you?"


class Clone(Workspace):
    """A fresh clone of the Git remote, with the DVC remote's URL in its environment."""

    def __init__(self, folder: Path, site: Path) -> None:
        super().__init__(folder)
        self.log = folder.parent / f"{folder.name}.log"
        self.environment |= {"WIRING_LOG": str(self.log), "FLOWC_REMOTE": str(site / "remote")}
        self.environment |= {"DVC_SITE_CACHE_DIR": str(folder.parent / f"{folder.name}.site-cache")}

    def step(self, command: str, *words: str) -> int:
        """Run a workflow's command with this environment in place of one of its own; give its exit status."""
        (installed := self.folder.parent / "installed").touch()
        own = (f"BIN={Path(sys.executable).parent}", f"STAMP={installed}") if command.startswith("make ") else ()
        argv = (*command.replace(".venv/bin/python", sys.executable).split(), *own, *words)
        done = subprocess.run(argv, cwd=self.folder, env=self.environment, capture_output=True, text=True, timeout=600)
        print(done.stdout, done.stderr)
        return done.returncode

    def recompile(self, *words: str, command: str = RECOMPILE) -> int:
        """Recompile, and keep which stages' commands ran."""
        self.log.write_text("")
        return self.step(command, *words)

    def ran(self) -> set[str]:
        return set(self.log.read_text().split())

    def comment(self) -> str:
        return (self.folder / "recompile/comment.md").read_text()

    def gate(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.folder / "recompile/gate.json").read_text())
        return found


def put_stubs(folder: Path) -> None:
    """Put stub_learning.py in front of every stage."""
    pipeline = yaml.safe_load((folder / "dvc.yaml").read_text())
    for verb, entry in pipeline["stages"].items():
        stage = entry.get("do", entry)
        own = (f"stages/{verb}.py", f"src/flowc/{verb}.py")  # fewer deps make DVC faster: see test_wiring.py
        stage["deps"] = [d for d in paths(stage["deps"]) if not d.endswith(".py") or d in own]
        stage["cmd"] = stage["cmd"].replace(f"python -m stages.{verb}", f"python -m tests.stub_learning {verb}")
    (folder / "dvc.yaml").write_text(yaml.safe_dump(pipeline, sort_keys=False))


def edit(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert old in text, f"{file} has no {old!r}"
    file.write_text(text.replace(old, new, 1))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `origin`, a Git remote whose main is compiled, and `remote`, where DVC has its outputs."""
    site = tmp_path_factory.mktemp("site")
    work = copy_repository(site / "work")
    work.environment["WIRING_LOG"] = str(site / "work.log")
    shutil.rmtree(work.folder / "reports", ignore_errors=True)
    scale = work.folder / "conf/scale/laptop.yaml"
    values = yaml.safe_load(scale.read_text())
    values["generate"] |= SIZES
    scale.write_text("# @package _global_\n" + yaml.safe_dump(values))
    cut_prices(work.folder)
    edit(work.folder / "conf/evaluate/default.yaml", "resamples: 10000", "resamples: 200")
    config = work.folder / "conf/config.yaml"
    edit(config, "arms: [floor, in_context, orchestrated]", "arms: [floor]")
    edit(config, "\nsources:", "\nsources:\n  zoom_support: {file: zoom_support.yaml}")
    work.run("python", "-m", "scripts.compose")
    put_stubs(work.folder)
    work.dvc("repro", timeout=600)
    work.commit()
    work.dvc("remote", "add", "--local", "--default", "shared", str(site / "remote"))
    work.run("python", "-m", "scripts.push")
    work.run("git", "clone", "--quiet", "--bare", ".", str(site / "origin"))
    return site


def branch(site: Path, name: str, file: str, old: str, new: str) -> None:
    """Push a branch with one edit, as somebody who compiles nothing."""
    folder = site / f"author-{name}"
    subprocess.run(["git", "clone", "--quiet", site / "origin", folder], check=True)
    author = Workspace(folder)
    author.run("git", "checkout", "--quiet", "-b", name)
    edit(folder / file, old, new)
    author.commit()
    author.run("git", "push", "--quiet", "origin", name)


def clone(site: Path, folder: Path, name: str) -> Clone:
    subprocess.run(["git", "clone", "--quiet", "--branch", name, site / "origin", folder], check=True)
    return Clone(folder, site)


class Reworded(NamedTuple):
    """A site of its own with a branch that edits one node, and the fresh clone that has recompiled and pushed it."""

    site: Path
    runner: Clone
    status: int
    """Exit status of the recompile."""


@pytest.fixture(scope="module")
def reworded(site: Path, tmp_path_factory: pytest.TempPathFactory) -> Reworded:
    folder = tmp_path_factory.mktemp("reworded")
    own = folder / "site"
    subprocess.run(["git", "clone", "--quiet", "--bare", site / "origin", own / "origin"], check=True)
    shutil.copytree(site / "remote", own / "remote", copy_function=os.link)
    branch(own, "reword", PROCEDURE, GREETING, REWORDED)
    runner = clone(own, folder / "clone", "reword")
    status = runner.recompile("LINKS=model=https://example.org/model")
    assert runner.step(PUSH) == 0
    return Reworded(own, runner, status)


def test_a_reworded_node_is_recompiled_alone_and_passes(reworded: Reworded, tmp_path: Path) -> None:
    runner = reworded.runner
    assert reworded.status == 0
    assert runner.ran() == OF_TRAVEL | {"report"}
    gate, page = runner.gate(), runner.comment()
    assert gate["outcome"] == "passed"
    assert gate["procedures"]["travel_booking"]["changed"]["nodes"].keys() == {"greet"}
    assert page.startswith("<!-- flowc: recompile -->\n## Recompile: gate passed\n")
    assert ": 10 stages ran, 0 came from the run cache, in " in page
    assert "Untouched: zoom_support." in page
    assert text("zoom_support would be trained again.") in page
    assert f"| node greet | say | {text(GREETING)} | {text(REWORDED)} |" in page
    assert "60 scenarios asked of both models" in page
    assert "[model](https://example.org/model)" in page

    summary = tmp_path / "summary.md"
    (tmp_path / "event.json").write_text("{}")
    runner.environment |= {"GITHUB_STEP_SUMMARY": str(summary), "GITHUB_EVENT_PATH": str(tmp_path / "event.json")}
    assert runner.step(COMMENT) == 0
    assert summary.read_text() == page


def test_a_small_edit_is_trained_from_the_former_model_and_a_second_compile_repeats_it(
    site: Path, tmp_path: Path
) -> None:
    branch(site, "small", PROCEDURE, *SMALL)
    runner = clone(site, tmp_path / "clone", "small")
    edit(runner.folder / "conf/previous.yaml", "learning_rate: 1.0e-4", "learning_rate: 2.0e-4")

    assert runner.recompile(f"ARGS={' '.join(UP_TO_IT)}") == 0

    base = runner.run("git", "rev-parse", "origin/main").strip()
    assert runner.ran() == TO_THE_GATE
    assert f"revision: {base}\n" in (runner.folder / "conf/start.yaml").read_text()
    assert f"travel_booking is trained from the model of {base[:10]}, on " in runner.gate()["notes"][1]
    assert yaml.safe_load((runner.folder / "params.yaml").read_text())["train"]["previous"]["learning_rate"] == 2e-4
    assert text("Only what the gate reads was made") in runner.comment()
    assert not runner.gate()["as_configured"]

    # What was decided stands in conf/: composed again, it is what has been compiled.
    runner.log.write_text("")
    runner.run("python", "-m", "scripts.compose", "~sources.zoom_support")
    runner.dvc("repro", "simulate")
    assert runner.ran() == set()


def test_broken_training_fails_the_gate_and_names_the_node(site: Path, tmp_path: Path) -> None:
    rate = "learning_rate: 8.0e-4"
    branch(site, "break", "conf/train/default.yaml", rate, "learning_rate: 0.5")
    runner = clone(site, tmp_path / "clone", "break")

    assert runner.recompile("--gate-only", command=PLAIN) == 1

    assert runner.ran() == {f"{verb}@{p}" for verb in ("train", "simulate") for p in ("travel_booking", "zoom_support")}
    assert runner.gate()["outcome"] == "failed"
    found = runner.gate()["procedures"]
    assert {p: f["outcome"] for p, f in found.items()} == {"travel_booking": "failed", "zoom_support": "failed"}
    assert found["travel_booking"]["worse_nodes"][0]["node"] == "present_offer"
    page = runner.comment()
    assert text("from the base, with everything: training itself changed (train.learning_rate), not only") in page
    assert page.startswith("<!-- flowc: recompile -->\n## Recompile: gate FAILED\n")
    assert "most goes wrong at `present_offer`, right in 0 of" in page
    assert text("train.learning_rate: 0.0008 → 0.5") in page


def test_another_way_to_an_ending_is_tested_apart_and_the_former_scenarios_are_asked_again(
    site: Path, tmp_path: Path
) -> None:
    old = "    edges:\n      - to: ask_name\n        id: accept\n"
    new = """    edges:
      - to: close_declined
        id: think_it_over
        when: the customer wants to think about it
        says: ["Let me sleep on it.", "I have to think about it.", "I will think it over.", "Not today, maybe later.",
               "I need some time.", "I want to talk to my wife first.", "Later, perhaps.", "I cannot decide now."]
      - to: ask_name
        id: accept
"""
    branch(site, "edge", PROCEDURE, old, new)
    runner = clone(site, tmp_path / "clone", "edge")
    runner.recompile()
    found = runner.gate()["procedures"]["travel_booking"]
    assert runner.ran() == OF_TRAVEL | {"report", "simulate-again"}
    assert found["changed"]["nodes"].keys() == {"present_offer"}
    assert {c["n"] for c in found["comparisons"] if c["criterion"] == "task_success"} == {60}
    assert "| edge present_offer.think_it_over | added |" in runner.comment()
    *of_machine, of_start = runner.gate()["notes"]  # without a GPU one note says so
    assert "from the base, with everything" in of_start

    # What stops the recompile beside the stages replaces the page too.
    runner.environment["WIRING_FAIL"] = "simulate-again"
    assert runner.recompile(command=PLAIN) == 1
    assert runner.ran() == {"simulate-again"}
    why = "asking the new model of travel_booking again failed; what it printed stands above"
    assert runner.comment().startswith("<!-- flowc: recompile -->\n## Recompile: gate FAILED\n")
    assert f"The pipeline stopped.\n\n```\n{why}\n```" in runner.comment()
    assert (runner.gate()["outcome"], runner.gate()["as_configured"]) == ("failed", False)
    assert runner.gate()["notes"] == of_machine  # how training starts had been decided


def test_an_override_that_names_nothing_replaces_an_older_page(site: Path, tmp_path: Path) -> None:
    runner = clone(site, tmp_path / "clone", "main")
    (runner.folder / "recompile").mkdir()
    (runner.folder / "recompile/comment.md").write_text("## Recompile: gate passed\n")
    assert runner.recompile("train.epoch=2", command=PLAIN) == 1
    assert "## Recompile: gate FAILED" in runner.comment() and "train.epoch=2: Could not override" in runner.comment()
    assert runner.recompile("--base", "nowhere", command=PLAIN) == 1
    assert "Compared with nowhere: 0 stages ran" in runner.comment()
    assert runner.gate()["outcome"] == "failed"


def test_a_fork_without_key_remote_and_gpu_is_compiled_all_the_same_and_says_so(site: Path, tmp_path: Path) -> None:
    branch(site, "fork", PROCEDURE, "Good day! What is your", "Good day! So what is your")
    runner = clone(site, tmp_path / "clone", "fork")
    # The plugin is not among the requirements; a key that is missing ends in an error at the same place.
    runner.environment |= {"FLOWC_REMOTE": "s3://nowhere/x", "CUDA_VISIBLE_DEVICES": ""}
    asked = ("generate=anthropic", "scale=paper", "~sources.zoom_support")
    assert runner.recompile(*asked, command=PLAIN) == 3
    found = runner.gate()
    assert (found["outcome"], found["as_configured"]) == ("undecided", False)
    gpu, key, remote, start = found["notes"]
    assert gpu.startswith("This machine has no GPU: compiled with the scale laptop instead of paper, on ")
    assert key.startswith("ANTHROPIC_API_KEY is not set (forks have no secrets): conversations come from the scripted")
    assert remote.startswith("The DVC remote flowc cannot be read (unexpected error - s3 is supported, but requires")
    assert remote.endswith("): what this machine does not have is made anew.")
    assert "neither in the cache nor in the remote" in start
    assert "train@travel_booking" in runner.ran() and "report" in runner.ran()

    # Without any remote neither can the gate decide.
    del runner.environment["FLOWC_REMOTE"]
    (runner.folder / ".dvc/config.local").unlink()
    assert runner.recompile(*asked, "--gate-only", command=PLAIN) == 3
    assert runner.ran() == set()
    assert runner.gate()["outcome"] == "undecided"
    assert text("No DVC remote is configured: what this machine does not have is made anew.") in runner.comment()


def merge(site: Path, name: str) -> str:
    """Make a branch the remote's main; give what that was before."""
    before = subprocess.run(["git", "rev-parse", "main"], cwd=site / "origin", capture_output=True, text=True).stdout
    subprocess.run(["git", "update-ref", "refs/heads/main", f"refs/heads/{name}"], cwd=site / "origin", check=True)
    return before.strip()


def register(site: Path, folder: Path, before: str) -> Clone:
    """Do what the workflow does after a merge."""
    runner = clone(site, folder, "main")
    who = {"NAME": "somebody", "EMAIL": "somebody@example.invalid"}
    runner.environment |= {f"GIT_{role}_{k}": v for role in ("AUTHOR", "COMMITTER") for k, v in who.items()}
    assert runner.recompile(f"BASE={before}") == 0
    assert runner.step(REGISTER) == 0
    return runner


def test_a_merge_registers_the_new_model_with_version_stage_and_card(reworded: Reworded, tmp_path: Path) -> None:
    """Twice: the branch, with what was pushed when it was compiled, then one that goes back to the words before it."""
    site = reworded.site
    runner = register(site, tmp_path / "reworded", merge(site, "reword"))
    # DVC keeps no run of a stage with a page in Git; the base's conversations come from the remote.
    assert runner.ran() == {"evaluate@travel_booking", "report"}
    assert runner.gate()["procedures"] == reworded.runner.gate()["procedures"]

    branch(site, "back", PROCEDURE, REWORDED, GREETING)
    before = merge(site, "back")
    runner = register(site, tmp_path / "back", before)
    assert runner.ran() == {"evaluate@travel_booking", "report"}
    assert runner.gate()["procedures"]["travel_booking"]["changed"]["nodes"].keys() == {"greet"}

    # Who commits dvc.lock and reports has compiled for all.
    last = clone(site, tmp_path / "last", "main")
    assert last.recompile(f"BASE={before}") == 0
    assert last.ran() == set()
    assert last.gate()["procedures"] == runner.gate()["procedures"]
    tags = last.run("git", "tag", "--list").split()
    assert tags == [
        "models=travel_booking#staging#1",
        "models=travel_booking#staging#2",
        "models=travel_booking@v0.0.1",
        "models=travel_booking@v0.1.0",
    ]
    assert last.run("git", "log", "-1", "--format=%an: %s") == "somebody: Compile travel_booking\n"
    assert last.run("git", "tag", "--list", "--format=%(contents:subject)", tags[-1]) == "# The stub's card\n"
    last.dvc("artifacts", "get", ".", "models:travel_booking", "--stage", "staging", "--out", "got")
    assert "greet" in json.loads((last.folder / "got/model.json").read_text())


@pytest.mark.parametrize(("outcome", "as_configured"), [("undecided", True), ("failed", True), ("passed", False)])
def test_what_did_not_pass_as_configured_is_not_registered(
    site: Path, tmp_path: Path, outcome: str, as_configured: bool
) -> None:
    runner = clone(site, tmp_path / "clone", "main")
    (runner.folder / "recompile").mkdir()
    (runner.folder / "recompile/gate.json").write_text(
        json.dumps({"outcome": outcome, "as_configured": as_configured, "procedures": {}})
    )
    assert runner.step(REGISTER) == 1
    assert runner.run("git", "tag", "--list") == ""


def test_a_sweep_survives_a_crash_of_one_and_is_compared(site: Path, tmp_path: Path) -> None:
    desk = clone(site, tmp_path / "desk", "main")
    desk.dvc("remote", "add", "--local", "--default", "shared", str(site / "remote"))
    desk.dvc("pull", "--run-cache", "--allow-missing")
    desk.environment["WIRING_FAIL"] = "12"
    bases = "base=smollm2-135m-6l,smollm2-135m-12l,smollm2-135m-18l"
    desk.dvc("exp", "run", "--queue", "--set-param", "procedures=[travel_booking]", "--set-param", bases)
    desk.log.write_text("")
    desk.step(".venv/bin/python -m dvc exp run --run-all --jobs 1")
    ran = desk.log.read_text().split()
    assert (ran.count("base"), ran.count("train@travel_booking")) == (3, 3)
    assert not [s for s in ran if s.startswith(("parse", "generate"))]
    assert len(desk.dvc("exp", "list", "--name-only").split()) == 2
    desk.run("python", "-m", "scripts.compose", "~sources.zoom_support")
    desk.run("python", "-m", "scripts.compare", "docs/sizes.md")
    page = (desk.folder / "docs/sizes.md").read_text()
    rows = [[c.strip() for c in line.split("|")[1:-1]] for line in page.splitlines() if line.startswith("|")][2:]
    assert [(r[0], r[1], r[4], r[5]) for r in rows[:3]] == [
        ("1", "base smollm2-135m-6l", "0.6", "240"),
        ("2", "base smollm2-135m-18l", "1.8", "720"),
        ("3", "base smollm2-135m (as committed)", "3.0", "1,200"),
    ]
    assert len(rows) == 4 and rows[3][1:3] == ["base smollm2-135m-12l", "Experiment run failed"]
    assert rows[0][2] != rows[1][2] and rows[1][2] == "100 % [100–100] n=60"
    assert (desk.folder / "docs/sizes-travel_booking.png").is_file()
