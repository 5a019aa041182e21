"""What a machine cannot do is done otherwise, and said."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from flowc.records import UserError
from scripts.fallbacks import fallbacks
from tests.workspace import ROOT

CONF = ROOT / "conf"
CORES = f"on {os.cpu_count()} cores."


def no() -> bool:
    return False


def yes() -> bool:
    return True


def test_the_laptops_scale_stays_and_is_named() -> None:
    found = fallbacks([], CONF, {}, no)
    assert found.overrides == []
    assert found.notes == [f"This machine has no GPU: compiled at the scale laptop, {CORES}"]


@pytest.mark.parametrize("asked", [["scale=paper"], ["scale=paper", "seed=1"]])
def test_without_a_gpu_a_larger_scale_becomes_the_laptops(asked: list[str]) -> None:
    found = fallbacks(asked, CONF, {}, no)
    assert found.overrides == [*asked[1:], "scale=laptop"]
    assert found.notes == [
        f"This machine has no GPU: compiled with the scale laptop instead of paper, {CORES} The model that is replaced "
        "was compiled as its own revision says, so they are not equals."
    ]


@pytest.mark.parametrize("base", ["qwen2.5-3b", "qwen3-8b"])
def test_without_a_gpu_a_large_base_and_what_only_a_gpu_does_are_replaced(base: str) -> None:
    asked = [f"base={base}", "train.optimizer=adamw8bit", "train.epochs=2", "++train.offload=all"]
    found = fallbacks(asked, CONF, {}, no)
    assert found.overrides == ["train.epochs=2", "base=smollm2-135m", "train.optimizer=adamw", "train.offload=none"]
    assert found.notes[0].startswith(
        f"This machine has no GPU: compiled with base smollm2-135m instead of {base}, train.optimizer=adamw instead of "
        f"adamw8bit, train.offload=none instead of all, {CORES}"
    )
    assert fallbacks(asked, CONF, {}, yes) == (asked, [])


def test_what_stands_in_conf_is_replaced_like_what_is_asked(tmp_path: Path) -> None:
    conf = tmp_path / "conf"
    shutil.copytree(CONF, conf)
    for name, old, new in (
        ("config.yaml", "base: smollm2-135m", "base: qwen3-8b"),
        ("train/default.yaml", "offload: none", "offload: optimizer"),
    ):
        before = (conf / name).read_text(encoding="utf-8")
        assert before.count(old) == 1
        (conf / name).write_text(before.replace(old, new), encoding="utf-8")
    found = fallbacks(["scale=paper"], conf, {}, no)
    assert found.overrides == ["scale=laptop", "base=smollm2-135m", "train.offload=none"]
    assert fallbacks(["scale=smoke"], conf, {}, no).overrides == ["scale=smoke", "train.offload=none"]


def test_an_override_that_names_nothing_is_a_users_error() -> None:
    with pytest.raises(UserError, match="scale=huge: In 'config': Could not find 'scale/huge'"):
        fallbacks(["scale=huge"], CONF, {}, no)


def test_with_a_gpu_nothing_changes_and_nothing_is_said() -> None:
    assert fallbacks(["scale=paper"], CONF, {}, yes) == (["scale=paper"], [])


@pytest.mark.parametrize(
    ("teacher", "needed"),
    [
        ("anthropic", "ANTHROPIC_API_KEY"),
        ("openai", "OPENAI_API_KEY"),
        ("compatible", "FLOWC_COMPATIBLE_URL"),
    ],
)
def test_without_what_a_teacher_needs_the_scripted_one_steps_in(teacher: str, needed: str) -> None:
    asked = [f"generate={teacher}", "scale=laptop"]
    found = fallbacks(asked, CONF, {needed: ""}, yes)
    assert found.overrides == [*asked[1:], "generate=scripted"]
    instead = f"conversations come from the scripted teacher instead of {teacher}."
    assert found.notes == [f"{needed} is not set (forks have no secrets): {instead}"]
    assert fallbacks(asked, CONF, {needed: "secret"}, yes) == (asked, [])
