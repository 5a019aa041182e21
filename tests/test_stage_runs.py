"""What DVC printed and two versions of dvc.lock, read as stages with reasons."""

from __future__ import annotations

from typing import Any

from flowc.stage_runs import Did, Watch, reasons

BEFORE: dict[str, Any] = {
    "parse@a": {
        "cmd": "parse",
        "deps": [{"path": "data/procedures/a.yaml", "md5": "1"}, {"path": "src/flowc/old.py", "md5": "1"}],
        "outs": [{"path": "data/graphs/a.json", "md5": "1"}],
    },
    "train@a": {
        "cmd": "train",
        "deps": [{"path": "data/graphs/a.json", "md5": "1"}, {"path": "src/flowc/train.py", "md5": "1"}],
        "params": {"params.yaml": {"train": {"epochs": 1, "rate": 2}, "seed": 0}},
        "outs": [{"path": "models/a", "md5": "1"}],
    },
}
AFTER: dict[str, Any] = {
    "parse@a": {
        "cmd": "parse",
        "deps": [{"path": "data/procedures/a.yaml", "md5": "2"}, {"path": "src/flowc/new.py", "md5": "1"}],
        "outs": [{"path": "data/graphs/a.json", "md5": "2"}],
    },
    "train@a": {
        "cmd": "train",
        "deps": [{"path": "data/graphs/a.json", "md5": "2"}, {"path": "src/flowc/train.py", "md5": "1"}],
        "params": {"params.yaml": {"train": {"epochs": 3, "rate": 2}, "seed": 0}},
        "outs": [{"path": "models/a", "md5": "2"}],
    },
}
PRINTED = [
    "Stage 'base' didn't change, skipping\n",
    "Running stage 'parse@a':\n",
    "> parse\n",
    "Stage 'train@a' is cached - skipping run, checking out outputs\n",
]


def test_stages_are_told_apart_by_what_dvc_prints_with_their_times() -> None:
    watch = Watch()
    for second, line in enumerate(PRINTED):
        watch.line(line, float(second))
    watch.end(10.0)
    runs = watch.runs(BEFORE, AFTER)
    assert [(r.stage, r.did, r.seconds) for r in runs] == [("parse@a", Did.RAN, 2.0), ("train@a", Did.RESTORED, 7.0)]
    assert runs[1].why == ("train.epochs: 1 → 3", "after parse@a")


def test_what_passes_between_two_runs_of_dvc_is_time_of_no_stage() -> None:
    watch = Watch()
    watch.line(PRINTED[1], 0.0)
    watch.end(2.0)
    watch.line(PRINTED[3], 50.0)
    watch.end(51.0)
    watch.end(60.0)
    assert [r.seconds for r in watch.runs(BEFORE, AFTER)] == [2.0, 1.0]


def test_reasons_are_files_params_commands_and_stages_before() -> None:
    found = reasons("parse@a", BEFORE, AFTER, ())
    assert found == ["data/procedures/a.yaml", "src/flowc/new.py is new", "src/flowc/old.py is gone"]
    assert reasons("parse@b", BEFORE, AFTER, ()) == ["new stage"]
    other = {**AFTER, "parse@a": {**BEFORE["parse@a"], "cmd": "parse --fast"}}
    assert reasons("parse@a", BEFORE, other, ()) == ["its command"]


def test_a_stage_without_a_reason_had_no_output_anywhere() -> None:
    watch = Watch()
    watch.line("Running stage 'parse@a':", 0.0)
    watch.end(1.0)
    assert watch.runs(BEFORE, BEFORE)[0].why == ("its output was neither here nor in the remote",)


def test_the_stage_that_failed_is_named() -> None:
    watch = Watch()
    watch.line("Running stage 'train@a':", 0.0)
    watch.line("ERROR: failed to reproduce 'train@a': failed to run: python -m stages.train, exited with 1", 5.0)
    watch.end(6.0)
    assert watch.runs(BEFORE, BEFORE)[0].did == Did.FAILED
