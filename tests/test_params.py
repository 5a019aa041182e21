"""params.yaml: read strictly, and composed from conf/ with one clear error for an unknown choice."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from flowc.params import load, load_value
from flowc.records import Record, UserError
from tests.workspace import ROOT


class ToyParams(Record):
    """A section."""

    size: int


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_section_becomes_a_frozen_value(folder: Path) -> None:
    (folder / "params.yaml").write_text("toy: {size: 3}\nseed: 7\n")
    assert load("toy", ToyParams) == ToyParams(size=3)
    assert load_value("seed", int) == 7


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("toy: {}", "params.yaml: toy.size: Field required"),
        (
            "toy: {size: 3, colour: red}",
            "params.yaml: toy.colour: Extra inputs are not permitted (got 'red')",
        ),
        ("toy: {size: large}", "params.yaml: toy.size: Input should be a valid integer"),
        ("other: {size: 3}", "params.yaml has no section 'toy'"),
        ("", "params.yaml is empty"),
    ],
)
def test_a_mistake_is_named_with_its_key(folder: Path, text: str, message: str) -> None:
    (folder / "params.yaml").write_text(text)
    with pytest.raises(UserError) as raised:
        load("toy", ToyParams)
    assert str(raised.value).startswith(message)
    assert "make params" in str(raised.value)


def test_a_missing_file_says_how_to_make_it(folder: Path) -> None:
    with pytest.raises(UserError, match=r"params\.yaml is missing; compose it with `make params`"):
        load("toy", ToyParams)


def test_help_says_what_an_override_is_and_composes_nothing(folder: Path) -> None:
    for needed in ("conf", "scripts"):
        (folder / needed).symlink_to(ROOT / needed)
    done = subprocess.run(
        [sys.executable, "-m", "scripts.compose", "--help"], capture_output=True, text=True, cwd=folder
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "key=value, or the choice of a group: scale=smoke" in done.stdout
    assert not (folder / "params.yaml").exists()


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("base=smollm3", ["error: ", "Could not find 'base/smollm3'", "smollm2-135m", "tiny"]),
        ("scale=huge", ["error: ", "Could not find 'scale/huge'", "laptop", "smoke"]),
        ("train.epoch=2", ["error: ", "train.epoch"]),
        ("scale = smoke", ["error: scale = smoke: not understood; write KEY=VALUE without spaces, as in scale=smoke"]),
        ("scale", ["error: scale: not understood; write KEY=VALUE without spaces, as in scale=smoke"]),
    ],
)
def test_an_unknown_choice_is_one_error_that_lists_the_known_ones(
    folder: Path, override: str, expected: list[str]
) -> None:
    for needed in ("conf", "scripts"):
        (folder / needed).symlink_to(ROOT / needed)
    done = subprocess.run(
        [sys.executable, "-m", "scripts.compose", override], capture_output=True, text=True, cwd=folder
    )
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert [e for e in expected if e not in done.stderr] == []
    assert not (folder / "params.yaml").exists()
