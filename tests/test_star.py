"""STAR's files: a task of our own in their format, its chart, its phrasings and a dialogue."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from flowc.recognise import Labelled
from flowc.records import UserError
from flowc.star import Task, branches, chart, folded, phrasings, read_dialogues, read_task, typed

REPLIES = {
    "hello": "Hello!",
    "table_ask_day": "For which day?",
    "table_offer": "There is a table, shall I take it?",
    "table_full": "All tables are taken.",
    "table_bye": "Bye.",
    "no": "No",
    "yes": "Yes",
    "available": "Available",
    "unavailable": "Unavailable",
    "query_check": "Query Check",
    "query_book": "Query Book",
}
FOLLOWS = {
    "hello": "table_ask_day",
    "table_ask_day": "query_check",
    "available": "table_offer",
    "unavailable": "table_full",
    "no": "table_ask_day",
    "yes": "query_book",
}
EVENTS = [
    {"Action": "utter", "Agent": "User", "Text": "Friday, please"},
    {"Action": "request_suggestions", "Agent": "Wizard", "Text": "there is one"},
    {"Action": "pick_suggestion", "Agent": "Wizard", "ActionLabel": "table_offer", "Text": "There is a table"},
    {"Action": "request_suggestions", "Agent": "Wizard", "Text": "hm"},
    {"Action": "pick_suggestion", "Agent": "Wizard", "ActionLabel": "custom", "Text": "hm"},
    {"Action": "request_suggestions", "Agent": "Wizard", "Text": "see you"},
    {"Action": "utter", "Agent": "User", "Text": "bye"},
    {"Action": "request_suggestions", "Agent": "Wizard", "Text": "see you"},
    {"Action": "pick_suggestion", "Agent": "Wizard", "ActionLabel": "goodbye_2", "Text": "Bye."},
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    tasks, dialogues = tmp_path / "tasks" / "table", tmp_path / "dialogues"
    tasks.mkdir(parents=True)
    dialogues.mkdir()
    (tasks / "table.json").write_text(json.dumps({"replies": REPLIES, "graph": FOLLOWS}), encoding="utf-8")
    (tasks / "responses.json").write_text(json.dumps({"hello": "Hi!", "table_late": "Until when?"}), encoding="utf-8")
    examples = "## intent:table_bye\n- So long\n\n## intent:confirm\n- Sure\n"
    (tasks / "wizard_nlu_training_data.md").write_text(examples, encoding="utf-8")
    (dialogues / "table.happy.jsonl").write_text(json.dumps({"id": 7, "events": EVENTS}) + "\n", encoding="utf-8")
    return tmp_path


@pytest.fixture
def task(folder: Path) -> Task:
    return read_task(folder, "table")


def test_queries_and_outcomes_are_said_by_nobody(task: Task) -> None:
    assert branches(task) == {"no", "yes", "available", "unavailable", "query_check", "query_book"}


def test_phrasings_are_replies_examples_of_them_and_outcomes_of_queries(task: Task) -> None:
    assert phrasings(task) == [
        *(Labelled(REPLIES[k], k) for k in ("hello", "table_ask_day", "table_offer", "table_full")),
        Labelled("Bye.", "goodbye"),
        Labelled("Hi!", "hello"),
        Labelled("Until when?", "table_late"),
        Labelled("So long", "goodbye"),
        Labelled("Available", "table_offer"),
        Labelled("Unavailable", "table_full"),
    ]


def test_outcomes_become_the_arrows_of_the_box_before_them(task: Task) -> None:
    arrows = {(a.source, a.target): a.label for a in chart(task).arrows}
    assert arrows == {
        ("hello", "table_ask_day"): "",
        ("table_ask_day", "query_check"): "",
        ("query_check", "table_offer"): "Available",
        ("query_check", "table_full"): "Unavailable",
        ("table_offer", "table_ask_day"): "No",
        ("table_offer", "query_book"): "Yes",
    }
    kinds = {n: b.kind for n, b in chart(task).boxes.items()}
    assert (kinds["query_check"], kinds["table_offer"], kinds["hello"]) == ("tool", "question", "step")


def test_what_was_typed_has_the_label_of_the_pick_behind_it(folder: Path, task: Task) -> None:
    dialogue = read_dialogues(folder, "table", "happy")[0]
    assert dialogue.id == "table-happy-7"
    assert typed(dialogue, task) == [Labelled("there is one", "table_offer"), Labelled("see you", "goodbye")]


def test_goodbye_has_one_spelling() -> None:
    assert {folded(x) for x in ("goodbye_1", "goodbye_2", "ride_bye")} == {"goodbye"}
    assert folded("doctor_inform_booking_succesful") == "doctor_inform_booking_successful"


def test_a_folder_without_the_data_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"table\.json: no such file; give the folder of the STAR data"):
        read_task(tmp_path, "table")
    with pytest.raises(UserError, match=r"table\.happy\.jsonl: no such file"):
        read_dialogues(tmp_path, "table", "happy")
