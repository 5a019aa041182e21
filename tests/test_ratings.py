"""Human ratings: matched by content, kept to the menu, and averaged into scores."""

from __future__ import annotations

from pathlib import Path

import pytest

from flowc.briefing import item_id
from flowc.evaluate import EvaluateParams, evaluate
from flowc.ratings import Matched, Preference, Rating, RatingFile, match, means, read_ratings, summary
from flowc.records import UserError, write_json
from flowc.rubric import RUBRIC, is_challenged, menus
from tests.example import MANY_DEVIATIONS, NO_DEVIATIONS, example_graph, example_scenarios, play

GRAPH = example_graph()
CALM = example_scenarios(GRAPH, 8, NO_DEVIATIONS)
PLAYED = {arm: [play(GRAPH, s).model_copy(update={"arm": arm}) for s in CALM] for arm in ("compiled", "floor")}
EVERY = [*PLAYED["compiled"], *PLAYED["floor"]]
QUIET = next(t for t in EVERY if not is_challenged(t))


def file_of(rater: str, *ratings: Rating, rubric: str = RUBRIC.version, procedure: str = "table") -> RatingFile:
    return RatingFile(rubric=rubric, procedure=procedure, page="p", rater=rater, ratings=ratings)


def rating(item: str, **scores: int) -> Rating:
    return Rating(item=item, scores=scores)


def test_the_mean_over_people_stands_for_a_conversation() -> None:
    first, second = map(item_id, EVERY[:2])
    files = [
        file_of("a", rating(first, task_success=5), rating(second, naturalness=2)),
        file_of("b", rating(first, task_success=2)),
    ]
    matched = match(files, "table", EVERY)
    assert means(matched, EVERY[:2])["task_success"] == [3.5, None]
    assert means(matched, EVERY[:2])["naturalness"] == [None, 2.0]
    assert summary(matched) == {
        "rubric": RUBRIC.version, "raters": 2, "conversations": 2, "ratings": 3, "preferences": {}, "left_out": {}
    }  # fmt: skip


def test_what_does_not_count_is_left_aside_and_counted() -> None:
    item = item_id(QUIET)
    files = [
        file_of("a", rating(item, task_success=6, graceful_handling=5, beauty=3, consistency=4)),
        file_of("b", rating("gone", task_success=5)),
        file_of("c", rating(item, task_success=5), rubric="0-00000000"),
        file_of("d", rating(item, task_success=1), procedure="another"),
    ]
    matched = match(files, "table", EVERY)
    assert matched.by_rater == {"a": {item: {"consistency": 4}}}
    assert matched.left_out == {"off_menu": 3, "other_rubric": 1, "unknown_conversation": 1}


def test_the_later_file_of_a_person_counts() -> None:
    item = item_id(QUIET)
    files = [file_of("a", rating(item, task_success=1)), file_of("a", rating(item, task_success=4))]
    assert match(files, "table", EVERY).by_rater == {"a": {item: {"task_success": 4}}}


def test_the_file_that_was_exported_later_counts_whatever_its_name(tmp_path: Path) -> None:
    item, pair = item_id(QUIET), {"left": item_id(PLAYED["compiled"][0]), "right": item_id(PLAYED["floor"][0])}
    # A browser names the second export of a page "(1)", which sorts before the first.
    for name, hour, score, better in (
        ("ann.json", 9, 1, "left"),
        ("ann (1).json", 11, 4, "right"),
        ("b.json", 10, 2, "tie"),
    ):
        file = file_of("ann", rating(item, task_success=score)).model_dump(mode="json")
        more = {"exported": f"2027-01-31T{hour:02}:00:00.000Z", "preferences": [pair | {"better": better}]}
        write_json(tmp_path / name, file | more)
    matched = match(read_ratings(tmp_path), "table", EVERY)
    assert matched.by_rater == {"ann": {item: {"task_success": 4}}}
    assert matched.preferences == {"compiled or floor": {"floor": 1}}


def test_a_remark_alone_is_no_rating() -> None:
    remark = Rating(item=item_id(QUIET), scores={}, note="odd")
    assert match([file_of("a", remark, Rating(item="gone", scores={}, note="odd"))], "table", EVERY) == ({}, {}, {})


def test_preferences_are_counted_by_arm_whatever_side_it_stood_on() -> None:
    pairs = [tuple(item_id(PLAYED[arm][i]) for arm in ("compiled", "floor")) for i in range(4)]
    given = [("left", *pairs[0]), ("right", *pairs[1][::-1]), ("tie", *pairs[2]), ("right", *pairs[3])]
    preferences = [Preference(left=a, right=b, better=x) for x, a, b in given]  # type: ignore[arg-type]
    file = file_of("a").model_copy(
        update={"preferences": (*preferences, Preference(left="gone", right=pairs[0][0], better="tie"))}
    )
    assert match([file], "table", EVERY) == Matched(
        {}, {"compiled or floor": {"compiled": 2, "floor": 1, "tie": 1}}, {"unknown_conversation": 1}
    )


def test_a_pair_that_a_person_compared_in_two_files_counts_once_as_the_later_one_says() -> None:
    left, right = (item_id(PLAYED[arm][0]) for arm in ("compiled", "floor"))
    first = file_of("a").model_copy(update={"preferences": (Preference(left=left, right=right, better="tie"),)})
    again = file_of("a").model_copy(update={"preferences": (Preference(left=right, right=left, better="right"),)})
    other = file_of("b").model_copy(update={"preferences": (Preference(left=left, right=right, better="right"),)})
    assert match([first, again], "table", EVERY).preferences == {"compiled or floor": {"compiled": 1}}
    assert match([first, again, other], "table", EVERY).preferences == {
        "compiled or floor": {"compiled": 1, "floor": 1}
    }


def test_a_conversation_is_known_by_its_arm_and_words() -> None:
    assert len({item_id(t) for t in EVERY}) == len(EVERY)
    assert item_id(QUIET) == item_id(QUIET.model_copy(update={"tokens": QUIET.tokens.model_copy(update={"calls": 9})}))


def test_scores_of_people_stand_beside_the_judges(tmp_path: Path) -> None:
    params = EvaluateParams(resamples=200, confidence=0.95, power=0.8)
    ratings = [file_of("a", *(rating(item_id(t), task_success=4) for t in PLAYED["floor"][:3]))]
    without = evaluate(GRAPH, CALM, PLAYED, params, 0).scores
    scores = evaluate(GRAPH, CALM, PLAYED, params, 0, ratings).scores
    assert scores["arms"]["floor"]["human.task_success"] == {
        "mean": 4.0, "ci95": [4.0, 4.0], "n": 3, "clusters": 3, "unscored": 5, "rubric": RUBRIC.version
    }  # fmt: skip
    assert scores["arms"]["compiled"]["human.task_success"]["mean"] is None
    assert scores["ratings"]["conversations"] == 3
    assert "ratings" not in without
    assert not [key for arm in without["arms"].values() for key in arm if key.startswith("human.")]


def test_a_folder_that_is_not_there_or_has_no_export_has_no_ratings(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("nothing here")
    assert read_ratings(tmp_path) == read_ratings(tmp_path / "gone") == []


def test_a_file_that_is_no_export_is_named(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"rubric": "1", "rater": ""})
    with pytest.raises(UserError, match=r"a\.json: not a RatingFile"):
        read_ratings(tmp_path)


@pytest.mark.parametrize("content", [b"", b'{"rubric": "1-', b"[]", "{}".encode("utf-16"), b"\xff\x00"])
def test_a_broken_file_is_named_whatever_is_wrong_with_it(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(content)
    with pytest.raises(UserError, match=r"a\.json: not .*remove it"):
        read_ratings(tmp_path)


def test_a_changed_word_is_a_changed_version() -> None:
    first = RUBRIC.criteria[0].model_copy(update={"title": "Success"})
    changed = RUBRIC.model_copy(update={"criteria": (first, *RUBRIC.criteria[1:])})
    assert changed.version != RUBRIC.version
    assert RUBRIC.version == RUBRIC.model_copy().version


def test_graceful_handling_is_at_most_3_where_the_user_only_answered() -> None:
    assert {name: allowed[-1] for name, allowed in menus(QUIET).items()} == {
        "task_success": 5, "information_accuracy": 5, "consistency": 5, "graceful_handling": 3, "naturalness": 5
    }  # fmt: skip
    for scenario in example_scenarios(GRAPH, 30, MANY_DEVIATIONS):
        played = play(GRAPH, scenario)
        assert is_challenged(played) == bool(scenario.deviations)
        assert set(menus(played).values()) == (
            {(1, 2, 3, 4, 5)} if scenario.deviations else {(1, 2, 3), (1, 2, 3, 4, 5)}
        )
