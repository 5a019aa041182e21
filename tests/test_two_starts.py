"""One edit compiled twice: what the page says of time and of quality, and how an edit is made and read."""

from __future__ import annotations

from pathlib import Path

import pytest

from flowc.evaluate import EvaluateParams
from flowc.records import UserError
from flowc.side_by_side import Statistics, difference, scores_of
from flowc.two_starts import Compiled, Count, count, two_starts_page
from scripts.incremental import EDIT, Edit, keep_overrides, make_edit, read
from tests.test_gate import BROKEN, PARAMS, PERFECT
from tests.workspace import ROOT

BY = Statistics(EvaluateParams(resamples=200, confidence=0.95, power=0.8), PARAMS, 0)
PREVIOUS = {"from": "previous", "edit": 0.05, "changed_families": 14, "replayed_families": 15}


def compiled(minutes: float, start: dict[str, object], broken: bool = False) -> Compiled:
    asked = BROKEN if broken else PERFECT
    return Compiled(
        revision="0123456789" if start["from"] == "previous" else None,
        outcome="passed",
        notes=("A note.",),
        to_gate=60 * minutes,
        stages={"parse@table": 2.0, "train@table": 50 * minutes},
        training={"start": start, "tokens": 20_000, "tokens_per_second": 190.5, "device": "2 cores"},
        scores=scores_of(asked),
        changed=count(asked, {"offer"}),
        unchanged=count(asked, {"ask_day"}),
    )


def page(minutes: float, broken: bool = False) -> str:
    full = compiled(40, {"from": "base"})
    return two_starts_page("a edit", ["offer"], compiled(minutes, PREVIOUS, broken), full, BY, "command")


def table_lines(made: str) -> list[str]:
    return [line for line in made.splitlines() if line.startswith("|")]


def test_a_quarter_of_the_time_at_equal_success_is_what_is_wanted() -> None:
    made = page(10)
    assert "10.0 min from the former model, 40.0 min from the base. That is 25% of it; wanted are at most 25%" in made
    success = f"100 % [100–100] n={len(PERFECT)}"
    assert f"{success} from the former model, {success} from the base: the intervals overlap." in made
    rows = {line.split("|")[1].strip(): [c.strip() for c in line.split("|")[2:4]] for line in table_lines(made)}
    assert rows["**to the gate**"] == ["**600.0**", "**2,400.0**"]
    assert rows["fetching, deciding, judging, DVC between stages"] == ["98.0", "398.0"]
    assert "trained on 20,000 tokens at 190.5 a second, the model of 0123456789, on 14 families" in made


def test_too_slow_and_worse_is_said_with_the_nodes_apart() -> None:
    made = page(12, broken=True)
    assert "That is 30% of it; wanted are at most 25%: missed." in made
    assert "the intervals do not overlap." in made
    through = count(PERFECT, {"offer"}).n
    rows = {line.split("|")[1].strip(): line.split("|")[2].strip() for line in table_lines(made)}
    assert rows["changed"].startswith(f"0 of {through} [0 % to ")
    assert rows["unchanged"].startswith(f"{len(PERFECT)} of {len(PERFECT)} [")


def test_conversations_count_once_for_all_their_nodes() -> None:
    assert count(BROKEN, {"ask_day", "offer"}) == Count(n=len(BROKEN), right=count(PERFECT, {"ask_day"}).n - _through())
    assert count(PERFECT, {"nowhere"}) == Count(n=0, right=0)


def _through() -> int:
    return count(BROKEN, {"offer"}).n


def test_a_difference_is_taken_on_common_scenarios() -> None:
    some = dict(list(scores_of(PERFECT).items())[:10])
    assert difference(scores_of(PERFECT), some, "task_success", BY).startswith("+0.0 [")
    assert difference(scores_of(PERFECT), some, "task_success", BY).endswith(" n=10")
    assert difference(scores_of(PERFECT), {}, "task_success", BY) == "—"


def test_an_edit_is_made_once_or_refused(tmp_path: Path) -> None:
    file = tmp_path / "p.yaml"
    file.write_text("one two two")
    make_edit(file, Edit("p", "one", "three"))
    assert file.read_text() == "three two two"
    for old, times in (("two", 2), ("four", 0)):
        with pytest.raises(UserError, match=f"stands there {times} times"):
            make_edit(file, Edit("p", old, ""))


def test_the_edit_that_is_measured_is_one_of_the_committed_procedure() -> None:
    text = (ROOT / "data" / "procedures" / f"{EDIT.procedure}.yaml").read_text(encoding="utf-8")
    assert text.count(EDIT.old) == 1 and EDIT.new not in text


def test_a_folder_keeps_the_measurements_of_one_set_of_overrides(tmp_path: Path) -> None:
    file = tmp_path / "made" / "overrides.json"
    keep_overrides(file, ["train.previous.learning_rate=1e-4"])
    keep_overrides(file, ["train.previous.learning_rate=1e-4"])
    with pytest.raises(UserError, match=r"with the overrides train.previous.learning_rate=1e-4, not none; name anoth"):
        keep_overrides(file, [])


def test_a_recompile_that_stopped_is_no_measurement(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="the recompile stopped before its gate"):
        read(tmp_path, "travel_booking")
