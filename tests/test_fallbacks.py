"""What a machine cannot do is done otherwise, and said."""

from __future__ import annotations

import os

import pytest

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
    assert found.notes[0].startswith(f"This machine has no GPU: compiled at the scale laptop instead of paper, {CORES}")


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
