"""Where a recompile starts training: decided from facts, said in a sentence, written into conf/."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from scripts.compose import composed
from scripts.start import Part, Start, asked_for, decide, params_of, read_start, settings_changed, write_start
from tests.workspace import ROOT

COMMIT = "0123456789abcdef0123456789abcdef01234567"
BASE, PREVIOUS = Start("base", None), Start("previous", COMMIT)
SMALL = Part("travel", "", 0.05, 9000, 9100, 100_000)
LARGE = Part("zoom", "the edit changes 45% of the tokens, above 30% (largest_edit)")


def test_a_small_edit_starts_from_the_former_model_with_its_tokens_said() -> None:
    assert decide([SMALL], COMMIT, BASE, ()) == (
        PREVIOUS,
        [
            "travel is trained from the model of 0123456789, on 9,000 tokens of changed conversations and 9,100 of "
            "others, of 100,000 in all (edit: 5.0%)."
        ],
    )


def test_a_large_edit_starts_from_the_base_and_says_why() -> None:
    assert decide([LARGE], COMMIT, PREVIOUS, ()) == (
        BASE,
        [
            "zoom is trained from the base, with everything: the edit changes 45% of the tokens, above 30% "
            "(largest_edit)."
        ],
    )


def test_of_two_that_are_trained_each_gets_its_own_sentence() -> None:
    start, notes = decide([SMALL, LARGE], COMMIT, BASE, ())
    assert start == PREVIOUS
    assert [n.split(",")[0] for n in notes] == [
        "travel is trained from the model of 0123456789",
        "zoom is trained from the base",
    ]


def test_a_procedure_that_nobody_edited_is_not_trained_again_for_a_new_start() -> None:
    start, notes = decide([SMALL], COMMIT, BASE, ["zoom"])
    assert start == BASE
    assert notes == [
        "The start is one param of all procedures and stays as it is: with another, zoom would be trained again."
    ]
    assert decide([SMALL], COMMIT, PREVIOUS, ["zoom"]).start == PREVIOUS


def test_a_start_named_on_the_command_line_is_taken_out_of_the_overrides() -> None:
    assert asked_for(["scale=smoke", "train.init=base"], COMMIT) == (BASE, ["scale=smoke"])
    assert asked_for(["train.init=previous"], COMMIT) == (PREVIOUS, [])
    other = COMMIT[::-1]
    assert asked_for(["train.init=previous", f"train.previous.revision='{other}'"], COMMIT) == (
        Start("previous", other),
        [],
    )
    assert asked_for(["train.epochs=2"], COMMIT) == (None, ["train.epochs=2"])


@pytest.mark.parametrize("start", [BASE, PREVIOUS])
def test_what_is_written_is_read_and_composed(tmp_path: Path, start: Start) -> None:
    for file in (ROOT / "conf").rglob("*.yaml"):
        target = tmp_path / file.relative_to(ROOT / "conf")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(file.read_bytes())
    write_start(tmp_path / "start.yaml", start)
    assert read_start(tmp_path / "start.yaml") == start
    train = composed(tmp_path, []).params["train"]
    assert params_of(start, ROOT / "conf", [], tmp_path / "folder") == train
    assert (train["init"], train["previous"]["revision"]) == start


def test_another_rate_from_a_former_model_changes_no_start_from_the_base(tmp_path: Path) -> None:
    conf = tmp_path / "conf"
    shutil.copytree(ROOT / "conf", conf)
    before = (conf / "previous.yaml").read_text(encoding="utf-8")
    assert before.count("1.0e-4") == 1
    (conf / "previous.yaml").write_text(before.replace("1.0e-4", "2.0e-4"), encoding="utf-8")
    base, previous = (params_of(start, conf, [], tmp_path / "other") for start in (BASE, PREVIOUS))
    assert base == composed(ROOT / "conf", ["train.init=base", "train.previous.revision=null"]).params["train"]
    assert previous == base | {"init": "previous", "previous": previous["previous"]}
    assert previous["previous"] == base["previous"] | {"revision": COMMIT, "learning_rate": 2.0e-4}


def test_the_committed_file_is_what_would_be_written(tmp_path: Path) -> None:
    committed = ROOT / "conf" / "start.yaml"
    write_start(tmp_path / "start.yaml", read_start(committed))
    assert (tmp_path / "start.yaml").read_bytes() == committed.read_bytes()


@pytest.fixture
def former(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """A training's entry in dvc.lock, of which nothing has changed here."""
    monkeypatch.chdir(tmp_path)
    Path("train.py").write_text("code")
    code = hashlib.md5(b"code", usedforsecurity=False).hexdigest()
    entry = f"""
    deps: [{{path: train.py, md5: {code}}}, {{path: base, md5: b.dir}}, {{path: tokens, md5: t.dir}}]
    params:
      params.yaml: {{seed: 0, train: {{init: base, epochs: 1, previous: {{revision: null}}}}}}
    """
    found: dict[str, Any] = yaml.safe_load(entry)
    return found


NOW = {"base": {"outs": [{"path": "base", "md5": "b.dir"}]}, "tokenize@p": {"outs": [{"path": "tokens", "md5": "u"}]}}
PARAMS = {"seed": 0, "train": {"init": "previous", "epochs": 1, "previous": {"revision": COMMIT}}}


def test_other_conversations_and_another_start_are_no_change_of_training(former: dict[str, Any]) -> None:
    assert settings_changed(former, NOW, PARAMS, ["tokens"]) == []


def test_code_base_and_params_of_training_are_changes_and_named(former: dict[str, Any]) -> None:
    Path("train.py").write_text("other code")
    now = {"base": {"outs": [{"path": "base", "md5": "c.dir"}]}}
    params = {"seed": 1, "train": PARAMS["train"] | {"epochs": 2}}  # type: ignore[operator]
    assert settings_changed(former, now, params, ["tokens"]) == ["train.py", "base", "seed", "train.epochs"]
    Path("train.py").unlink()
    assert settings_changed(former, NOW, PARAMS, ["tokens"]) == ["train.py"]
