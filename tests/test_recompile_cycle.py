"""The whole cycle of continuous integration on one machine: the real dvc.yaml, a Git remote and a DVC remote.

The dear stages are those of stub_learning.py, whose scores come from data and params as a real model's do.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

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
    work.dvc("push", "--run-cache")
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


def test_a_reworded_node_is_recompiled_alone_and_passes(site: Path, tmp_path: Path) -> None:
    old, new = "Good day! What is your destination?", "Good day! Where may we take you?"
    branch(site, "reword", "data/procedures/travel_booking.yaml", old, new)
    runner = clone(site, tmp_path / "first", "reword")

    assert runner.recompile("LINKS=model=https://example.org/model") == 0

    assert runner.ran() == OF_TRAVEL | {"report"}
    gate, page = runner.gate(), runner.comment()
    assert gate["outcome"] == "passed"
    assert gate["procedures"]["travel_booking"]["changed"]["nodes"].keys() == {"greet"}
    assert page.startswith("<!-- flowc: recompile -->\n## Recompile: gate passed\n")
    assert ": 10 stages ran, 0 came from the run cache, in " in page
    assert "Untouched: zoom_support." in page
    assert text("zoom_support would be trained again.") in page
    assert f"| node greet | say | {text(old)} | {text(new)} |" in page
    assert "60 scenarios asked of both models" in page
    assert "[model](https://example.org/model)" in page

    summary = tmp_path / "summary.md"
    (tmp_path / "event.json").write_text("{}")
    runner.environment |= {"GITHUB_STEP_SUMMARY": str(summary), "GITHUB_EVENT_PATH": str(tmp_path / "event.json")}
    assert runner.step(COMMENT) == 0
    assert summary.read_text() == page

    # What this clone made and pushed is there for the next one; DVC keeps no run of a stage with a page in Git.
    assert runner.step(PUSH) == 0
    again = clone(site, tmp_path / "second", "reword")
    assert again.recompile() == 0
    assert again.ran() == {"evaluate@travel_booking", "report"}
    assert again.gate()["procedures"] == gate["procedures"]

    # Whoever commits dvc.lock and reports has compiled for all; the base's conversations come from the remote.
    again.commit()
    assert again.step(PUSH) == 0
    again.run("git", "push", "--quiet", "origin", "reword")
    reviewer = clone(site, tmp_path / "third", "reword")
    assert reviewer.recompile() == 0
    assert reviewer.ran() == set()
    assert reviewer.gate()["procedures"] == gate["procedures"]


def test_a_small_edit_is_trained_from_the_former_model_and_a_second_compile_repeats_it(
    site: Path, tmp_path: Path
) -> None:
    branch(site, "small", "data/procedures/travel_booking.yaml", *SMALL)
    runner = clone(site, tmp_path / "clone", "small")
    edit(runner.folder / "conf/previous.yaml", "learning_rate: 1.0e-4", "learning_rate: 2.0e-4")

    assert runner.recompile("ARGS=~sources.zoom_support --gate-only") == 0

    base = runner.run("git", "rev-parse", "origin/main").strip()
    needed = ("parse", "generate", "tokenize", "train", "simulate")
    assert runner.ran() == {f"{verb}@travel_booking" for verb in needed}
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

    assert runner.recompile(command=PLAIN) == 1

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
    branch(site, "edge", "data/procedures/travel_booking.yaml", old, new)
    runner = clone(site, tmp_path / "clone", "edge")
    runner.recompile()
    found = runner.gate()["procedures"]["travel_booking"]
    assert runner.ran() == OF_TRAVEL | {"report", "simulate-again"}
    assert found["changed"]["nodes"].keys() == {"present_offer"}
    assert {c["n"] for c in found["comparisons"] if c["criterion"] == "task_success"} == {60}
    assert "| edge present_offer.think_it_over | added |" in runner.comment()
    notes = runner.gate()["notes"]
    assert notes

    # What stops the recompile beside the stages replaces the page too.
    runner.environment["WIRING_FAIL"] = "simulate-again"
    assert runner.recompile(command=PLAIN) == 1
    assert runner.ran() == {"simulate-again"}
    why = "asking the new model of travel_booking again failed; what it printed stands above"
    assert runner.comment().startswith("<!-- flowc: recompile -->\n## Recompile: gate FAILED\n")
    assert f"The pipeline stopped.\n\n```\n{why}\n```" in runner.comment()
    assert (runner.gate()["outcome"], runner.gate()["as_configured"]) == ("failed", False)
    assert runner.gate()["notes"] == notes


def test_an_override_that_names_nothing_replaces_an_older_page(site: Path, tmp_path: Path) -> None:
    runner = clone(site, tmp_path / "clone", "main")
    assert runner.recompile(command=PLAIN) == 0
    assert "gate passed" in runner.comment()
    assert runner.recompile("train.epoch=2", command=PLAIN) == 1
    assert "## Recompile: gate FAILED" in runner.comment() and "train.epoch=2: Could not override" in runner.comment()
    assert runner.recompile("--base", "nowhere", command=PLAIN) == 1
    assert "Compared with nowhere: 0 stages ran" in runner.comment()
    assert runner.gate()["outcome"] == "failed"


def test_without_a_remote_and_without_the_former_conversations_the_gate_cannot_decide(
    site: Path, tmp_path: Path
) -> None:
    branch(site, "alone", "data/procedures/travel_booking.yaml", "Good day! What is your", "Good day! And what is your")
    runner = clone(site, tmp_path / "clone", "alone")
    del runner.environment["FLOWC_REMOTE"]
    assert runner.recompile(command=PLAIN) == 3
    assert runner.gate()["outcome"] == "undecided"
    assert text("No DVC remote is configured: what this machine does not have is made anew.") in runner.comment()


def test_a_fork_without_key_remote_and_gpu_is_compiled_all_the_same_and_says_so(site: Path, tmp_path: Path) -> None:
    branch(site, "fork", "data/procedures/travel_booking.yaml", "Good day! What is your", "Good day! So what is your")
    runner = clone(site, tmp_path / "clone", "fork")
    # The plugin is not among the requirements; a key that is missing ends in an error at the same place.
    runner.environment |= {"FLOWC_REMOTE": "s3://nowhere/x", "CUDA_VISIBLE_DEVICES": ""}
    assert runner.recompile("generate=anthropic", "scale=paper", command=PLAIN) == 3
    found = runner.gate()
    assert (found["outcome"], found["as_configured"]) == ("undecided", False)
    gpu, key, remote, start = found["notes"]
    assert gpu.startswith("This machine has no GPU: compiled with the scale laptop instead of paper, on ")
    assert key.startswith("ANTHROPIC_API_KEY is not set (forks have no secrets): conversations come from the scripted")
    assert remote.startswith("The DVC remote flowc cannot be read (unexpected error - s3 is supported, but requires")
    assert remote.endswith("): what this machine does not have is made anew.")
    assert "neither in the cache nor in the remote" in start
    assert "train@travel_booking" in runner.ran() and "report" in runner.ran()


def test_a_merge_registers_the_new_model_with_version_stage_and_card(site: Path, tmp_path: Path) -> None:
    """Twice, on a main of its own: the first version, then one of an edited procedure."""
    subprocess.run(["git", "clone", "--quiet", "--bare", site / "origin", tmp_path / "origin"], check=True)
    shutil.copytree(site / "remote", tmp_path / "remote")
    file = "data/procedures/travel_booking.yaml"
    for old, new, version in (("Good day! What is your", "Good day. What is your", "v0.0.1"),
                              ("Good day. What is your", "Good day, what is your", "v0.1.0")):  # fmt: skip
        branch(tmp_path, version, file, old, new)
        merge = ["git", "push", "--quiet", "origin", f"{version}:main"]
        subprocess.run(merge, cwd=tmp_path / f"author-{version}", check=True)
        runner = clone(tmp_path, tmp_path / f"runner-{version}", "main")
        who = {"NAME": "somebody", "EMAIL": "somebody@example.invalid"}
        runner.environment |= {f"GIT_{role}_{k}": v for role in ("AUTHOR", "COMMITTER") for k, v in who.items()}
        assert runner.recompile("BASE=HEAD~1") == 0
        assert runner.step(REGISTER) == 0

    last = clone(tmp_path, tmp_path / "last", "main")
    tags = last.run("git", "tag", "--list").split()
    assert tags == [
        "models=travel_booking#staging#1",
        "models=travel_booking#staging#2",
        "models=travel_booking@v0.0.1",
        "models=travel_booking@v0.1.0",
    ]
    assert last.run("git", "log", "-1", "--format=%an: %s") == "somebody: Compile travel_booking\n"
    assert last.run("git", "tag", "--list", "--format=%(contents:subject)", tags[-1]) == "# The stub's card\n"
    last.dvc("remote", "add", "--local", "--default", "shared", str(tmp_path / "remote"))
    last.dvc("artifacts", "get", ".", "models:travel_booking", "--stage", "staging", "--out", "got")
    assert "greet" in json.loads((last.folder / "got/model.json").read_text())
    assert last.recompile("BASE=HEAD") == 0
    assert last.ran() == set()


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
    desk.step(".venv/bin/python -m dvc exp run --run-all --jobs 1")
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
