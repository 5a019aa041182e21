"""Human replay: dialogues cut before each step, arms that answer behind a prefix, and what counts as right."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from flowc.client import ContextOverflow
from flowc.graph import Graph
from flowc.metrics import read_object
from flowc.recognise import Recogniser
from flowc.records import Message, ToolCall, read_jsonl, write_json
from flowc.replay import Answer, Prefix, nodes_by_label, prefixes, replay, score, tracker
from flowc.simulate import Arm, Reply
from flowc.star import Dialogue, Task, chart, read_dialogues, read_task
from scripts import replay as replay_script
from tests.published import STAR, needs_star
from tests.reading import graph_of
from tests.served import runner
from tests.test_client import Script
from tests.test_client import script as script  # a fixture
from tests.test_star import FOLLOWS, REPLIES

TASK = Task("table", REPLIES | {"table_done": "It is yours."}, {}, FOLLOWS | {"query_book": "table_done"}, ())
EVENTS = (
    {"Action": "utter", "Agent": "User", "Text": "Hi"},
    {"Action": "request_suggestions", "Agent": "Wizard", "Text": "hello"},
    {"Action": "pick_suggestion", "Agent": "Wizard", "ActionLabel": "hello", "Text": "Hello!"},
    {"Action": "utter", "Agent": "User", "Text": "A table"},
    {"Action": "request_suggestions", "Agent": "Wizard", "Text": "which day"},
    {"Action": "pick_suggestion", "Agent": "Wizard", "ActionLabel": "table_ask_day", "Text": "For which day?"},
    {"Action": "utter", "Agent": "User", "Text": "Friday"},
    {"Action": "instruct", "Agent": "UserGuide", "Text": "be rude"},
    {"Action": "query", "Agent": "Wizard", "Constraints": [{"Name": '"x"'}, {"RequestType": '"Check"'}]},
    {"Action": "return_item", "Agent": "KnowledgeBase", "Item": {"Message": "Unavailable"}},
    {"Action": "pick_suggestion", "Agent": "Wizard", "ActionLabel": "custom", "Text": "Hm."},
    {"Action": "utter", "Agent": "Wizard", "Text": "Wait."},
    {"Action": "pick_suggestion", "Agent": "Wizard", "ActionLabel": "table_full", "Text": "All tables are taken."},
    {"Action": "query", "Agent": "Wizard", "Constraints": [{"RequestType": '"Book"'}]},
    {"Action": "return_item", "Agent": "KnowledgeBase", "Item": None},
    {"Action": "pick_suggestion", "Agent": "Wizard", "ActionLabel": "table_bye", "Text": "Bye."},
)
CUT = prefixes(Dialogue("one", "table", "happy", EVENTS), TASK)


@pytest.fixture(scope="module")
def reader() -> Recogniser:
    return tracker(TASK)


@pytest.fixture(scope="module")
def graph() -> Graph:
    return graph_of(chart(TASK), "table.mmd")


class Saying:
    """An arm that says one thing; keeps the history that it was given."""

    def __init__(self, message: Message) -> None:
        self.message = message
        self.heard: Sequence[Message] = ()

    async def reply(self, history: Sequence[Message]) -> Reply:
        self.heard = history
        return Reply(self.message, ())


class Forgetful:
    """An arm whose context is too short."""

    async def reply(self, history: Sequence[Message]) -> Reply:
        raise ContextOverflow("too long")


def said(content: str) -> Message:
    return Message(role="assistant", content=content)


def test_a_dialogue_is_cut_before_each_picked_reply_and_each_query_but_the_greeting() -> None:
    assert [(p.before, p.step) for p in CUT] == [
        (("hello",), "table_ask_day"),
        (("hello", "table_ask_day"), "query_check"),
        (("hello", "table_ask_day", "query_check"), "table_full"),
        (("hello", "table_ask_day", "query_check", "table_full"), "query_book"),
        (("hello", "table_ask_day", "query_check", "table_full", "query_book"), "goodbye"),
    ]


def test_a_history_is_what_both_said_behind_one_greeting_with_calls_and_their_results() -> None:
    assert CUT[-1].history == (
        said("Hello!"),
        Message(role="user", content="Hi A table"),
        said("For which day?"),
        Message(role="user", content="Friday"),
        Message(role="assistant", tool_calls=(ToolCall(name="query_check", arguments={}),)),
        Message(role="tool", content='{"status": "unavailable"}'),
        said("Hm."),
        said("Wait."),
        said("All tables are taken."),
        Message(role="assistant", tool_calls=(ToolCall(name="query_book", arguments={}),)),
        Message(role="tool", content='{"error": "nothing found"}'),
    )
    assert CUT[0].history == CUT[-1].history[:2]


def test_each_step_of_the_chart_has_its_node(graph: Graph, reader: Recogniser) -> None:
    found = nodes_by_label(graph, reader)
    assert {"hello", "table_ask_day", "query_check", "table_offer", "table_full", "query_book"} <= found.keys()
    assert found["query_check"] == "query_check"
    assert graph.nodes[found["table_ask_day"]].instruction == "For which day?"


def test_an_arm_goes_on_from_the_last_node_that_the_graph_has(graph: Graph, reader: Recogniser) -> None:
    begun, nodes = [], nodes_by_label(graph, reader)
    arm = Saying(said("For which day?"))

    def make(at: str) -> Arm:
        begun.append(at)
        return arm

    beyond = CUT[0]._replace(before=("hello", "out_of_scope"))
    answers = asyncio.run(replay([beyond, CUT[1]], make, reader, nodes, concurrency=1))
    assert begun == [nodes["hello"], nodes["table_ask_day"]]
    assert list(arm.heard) == list(CUT[1].history)
    assert [a.took for a in answers] == ["table_ask_day", "table_ask_day"]


@pytest.mark.parametrize(
    ("arm", "took"),
    [
        (Saying(Message(role="assistant", tool_calls=(ToolCall(name="query_book", arguments={}),))), "query_book"),
        (Saying(said("all tables are taken")), "table_full"),
        (Saying(said("Xylophone zebra quartz.")), "none"),
        (Forgetful(), "none"),
    ],
)
def test_what_an_arm_did_is_its_call_or_what_the_tracker_hears(
    graph: Graph, reader: Recogniser, arm: Arm, took: str
) -> None:
    nodes = nodes_by_label(graph, reader)
    assert asyncio.run(replay(CUT[:1], lambda at: arm, reader, nodes, 1))[0].took == took


def test_scores_are_by_mood_and_beside_the_wizards_habits() -> None:
    def cut(mood: str, before: str, step: str) -> Prefix:
        return Prefix(f"{mood}-1", mood, (), (before,), step)

    prefixes = [cut("happy", "a", "b"), cut("happy", "b", "c"), cut("unhappy", "a", "b"), cut("unhappy", "b", "b")]
    answers = [
        Answer(dialogue=p.dialogue, mood=p.mood, step=p.step, took=t, said="")
        for p, t in zip(prefixes, "bbbx", strict=True)
    ]
    found = score(prefixes, answers, seed=0)
    assert [found["arm"][m]["mean"] for m in ("all", "happy", "unhappy")] == [0.5, 0.5, 0.5]
    assert [found["most_frequent"][m]["mean"] for m in ("all", "happy", "unhappy")] == [0.75, 0.5, 1.0]
    assert found["most_frequent_after"]["all"]["mean"] == 0.75
    assert found["by_step"] == {"b": {"n": 3, "right": 2}, "c": {"n": 1, "right": 0}}
    assert found["arm"]["all"] == {"mean": 0.5, "ci95": [0.5, 0.5], "n": 4, "unscored": 0}


def test_the_script_scores_every_dialogue_and_says_what_its_figures_are_made_of(
    graph: Graph, script: Script, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    task, dialogues, model = tmp_path / "tasks" / "hotel_book", tmp_path / "dialogues", tmp_path / "model"
    for folder in (task, dialogues, model):
        folder.mkdir(parents=True)
    (task / "hotel_book.json").write_text(json.dumps({"replies": TASK.replies, "graph": TASK.follows}))
    (task / "responses.json").write_text("{}")
    (task / "wizard_nlu_training_data.md").write_text("")
    for mood in ("happy", "unhappy"):
        lines = [json.dumps({"id": n, "events": EVENTS}) for n in range(2)]
        (dialogues / f"hotel_book.{mood}.jsonl").write_text("\n".join(lines))
    (model / "weights").write_text("1")
    write_json(tmp_path / "graph.json", graph.model_dump(mode="json"))
    run = runner(replay_script, script, "For which day?", monkeypatch)
    for arm in ("compiled", "in_context"):
        out, answers = tmp_path / f"{arm}.json", tmp_path / f"{arm}.jsonl"
        run(arm, model, tmp_path / "graph.json", tmp_path, "--out", out, "--answers", answers, "--limit", "1")
        found = read_object(out, "nothing")
        assert [(found["arm"][m]["n"], found["arm"][m]["mean"]) for m in ("all", "happy", "unhappy")] == [
            (10, 0.2), (5, 0.2), (5, 0.2)
        ]  # fmt: skip
        assert {a.took for a in read_jsonl(answers, Answer)} == {"table_ask_day"}
        assert found["of"] == replay_script.made_of(model, tmp_path / "graph.json", 1)
    with pytest.raises(SystemExit):
        run("compiled", model, tmp_path / "graph.json", tmp_path, "--out", tmp_path / "none.json", "--limit", "0")


@needs_star
def test_star_gives_prefixes_for_happy_and_unhappy_users() -> None:
    task = read_task(STAR, "hotel_book")
    graph = graph_of(chart(task), "hotel_book.mmd")
    nodes = nodes_by_label(graph, tracker(task))
    cut = [p for m in ("happy", "unhappy") for d in read_dialogues(STAR, "hotel_book", m) for p in prefixes(d, task)]
    assert graph.nodes[nodes["goodbye"]].instruction == "Thank you and goodbye."
    assert len(set(nodes.values())) == len(nodes)
    assert len(cut) == 690 + 363  # picks without greetings and custom ones, and queries
    assert {p.step for p in cut} - nodes.keys() == {"hotel_inform_nothing_found", "out_of_scope"}
    assert all(p.history[0].role == "assistant" for p in cut)
