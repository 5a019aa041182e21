"""The report's part on words of real people: figures with their n, and what was not measured."""

from __future__ import annotations

from pathlib import Path

import pytest

from flowc.human_report import Human, human, read_human
from flowc.records import UserError, write_json
from tests.parcel import rate, row_of

TRACKER = {
    "right": rate(0.825, 0.81, 0.84, n=4345),
    "none_on_other_tasks": rate(0.6, 0.59, 0.61, n=13295),
    "by_task": {"hotel_book": {"right": rate(0.85, 0.8, 0.9, n=732), "none_on_other_tasks": rate(0.5, 0.4, 0.6, n=90)}},
}
MOODS = {"all": rate(0.5, 0.4, 0.6, n=20), "happy": rate(0.6, 0.5, 0.7, n=10), "unhappy": rate(0.4, 0.3, 0.5, n=10)}
HABIT = {mood: rate(0.1, 0.1, 0.1, n=10) for mood in MOODS}
REPLAY = {"arm": MOODS, "most_frequent": HABIT, "most_frequent_after": MOODS}


def test_the_tracker_and_each_replayed_arm_stand_with_their_n(tmp_path: Path) -> None:
    write_json(tmp_path / "star_tracker.json", TRACKER)
    write_json(tmp_path / "replay-compiled.json", REPLAY)
    page = "\n\n".join(human(read_human(tmp_path, ["travel_booking", "zoom_support"])))
    assert "names the right step in 82.5 % [81–84] (n = 4345)." in page
    assert 'it says "none" in 60 % [59–61] (n = 13295).' in page
    assert row_of(page, "hotel_book") == ["hotel_book", "85 % [80–90] (n = 732)", "50 % [40–60] (n = 90)"]
    assert row_of(page, "compiled")[1:] == ["50 % [40–60] (n = 20)", "60 % [50–70] (n = 10)", "40 % [30–50] (n = 10)"]
    assert row_of(page, "always the most frequent step")[1].startswith("10 %")


def test_customers_words_stand_by_procedure_with_their_share_of_the_messages(tmp_path: Path) -> None:
    found = {
        "task_success": rate(0.9, 0.8, 0.95), "information_accuracy": rate(0.97, 0.95, 0.99, n=57, unscored=3),
        "recovery": rate(None), "messages": {"users": 400, "real_words": 250},
    }  # fmt: skip
    for name in ("travel_booking", "other"):  # the second is none of the report's procedures
        write_json(tmp_path / f"real-words-{name}.json", found)
    page = "\n\n".join(human(read_human(tmp_path, ["travel_booking", "zoom_support"])))
    assert row_of(page, "travel_booking")[1:] == [
        "62.5 % (n = 400)", "90 % [80–95] (n = 60)", "97 % [95–99], 3 unscored (n = 57)", "— (n=0)"
    ]  # fmt: skip
    assert "other" not in page
    assert page.count("not run; docs/human-input.md says how.") == 2


def test_what_was_not_measured_is_said_to_be_so(tmp_path: Path) -> None:
    assert read_human(tmp_path, ["travel_booking", "zoom_support"]) == Human(None, {}, {})
    page = "\n\n".join(human(Human(None, {}, {})))
    assert page.count("not run; docs/human-input.md says how.") == 3


def test_a_broken_file_is_named(tmp_path: Path) -> None:
    for content in ("{", "[]"):
        (tmp_path / "star_tracker.json").write_text(content, encoding="utf-8")
        with pytest.raises(
            UserError, match=r"star_tracker\.json: not .*; remove it and run what docs/human-input\.md says"
        ):
            read_human(tmp_path, ["travel_booking", "zoom_support"])
