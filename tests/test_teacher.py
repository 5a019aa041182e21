"""The scripted teacher follows the procedure exactly and writes what it knows."""

from __future__ import annotations

from flowc.graph import Graph, part
from flowc.records import Message, ToolCall
from flowc.scenarios import Result, Scenario, Step
from flowc.teacher import ScriptedAgent, converse
from flowc.user import UserTurn
from tests.example import example_graph, example_scenarios

PLAN = Scenario(
    id="train-1",
    family="train-1",
    procedure="table",
    split="train",
    persona="plain",
    seed=5,
    path=("ask_day.day", "ask_guests.guests", "ask_budget.budget", "find_table.found", "offer.accept"),
    ending="done",
    script=(
        Step(node="ask_day", edge="day", gives={"day": "2027-03-05"}, volunteers={"guests": "four"}),
        Step(node="ask_guests", edge="guests", gives={"guests": "four"}),
        Step(node="ask_budget", edge="budget", gives={"budget": "$200"}, before="side_question:parking"),
        Step(node="offer", edge="accept"),
    ),
    results={"find_table": (Result(outcome="found", values={"place": "Old Mill", "deposit": "$40"}),)},
)


def test_a_conversation_goes_step_by_step(table: Graph) -> None:
    made = converse(table, PLAN, "train")
    assert made.steps == (
        (),
        ("ask_day",), ("edge:ask_day.day", "volunteer:guests"),
        ("ask_budget",), ("side_question:parking",),
        ("ask_budget",), ("edge:ask_budget.budget",),
        ("find_table",), ("outcome:found",),
        ("offer",), ("edge:offer.accept",),
        ("done",),
    )  # fmt: skip
    assert [m.role for m in made.messages] == [
        "system", "assistant", "user", "assistant", "user", "assistant", "user", "assistant", "tool", "assistant",
        "user", "assistant",
    ]  # fmt: skip


def test_the_record_says_where_it_comes_from(table: Graph) -> None:
    made = converse(table, PLAN, "train")
    assert (made.id, made.procedure, made.split, made.ending) == ("train-1", "table", "train", "done")
    assert (made.path, made.persona, made.deviations) == (PLAN.path, "plain", ("side_question", "volunteer"))
    assert converse(table, PLAN.model_copy(update={"split": "seen_path"}), "train").split == "eval"
    assert made.messages[0] == Message(role="system", content="You reserve tables.")


def test_the_call_and_its_result_carry_the_values(table: Graph) -> None:
    made = converse(table, PLAN, "train")
    call = ToolCall(name="find_table", arguments={"day": "2027-03-05", "guests": "four", "budget": "$200"})
    assert made.messages[7] == Message(role="assistant", tool_calls=(call,))
    assert made.messages[8].content == '{"status": "found", "deposit": "$40", "place": "Old Mill"}'
    assert all(value in made.messages[9].content for value in ("$40", "Old Mill"))


def test_a_side_question_is_answered_before_the_question_is_put_again(table: Graph) -> None:
    said = converse(table, PLAN, "train").messages[5].content
    assert any(said.startswith(answer) for answer in table.knowledge["parking"].say)
    assert any(said.endswith(again) for again in table.nodes["ask_budget"].again)


def test_a_correction_is_acknowledged_with_the_new_value(table: Graph) -> None:
    agent = ScriptedAgent(table, 1, "train")
    agent.hear(UserTurn("", ("edge:ask_day.day",), {"day": "2027-03-05"}))
    agent.hear(UserTurn("", ("edge:ask_guests.guests", "correction:day"), {"guests": "four", "day": "2027-04-01"}))
    text, names = agent.speak()
    assert names == ("ask_budget",)
    assert any(text.startswith(n.format(day="2027-04-01")) for n in table.slots["day"].noted)


def test_a_correction_that_a_call_passes_on_needs_no_further_word(table: Graph) -> None:
    agent = ScriptedAgent(table, 1, "train")
    agent.hear(UserTurn("", ("edge:ask_day.day",), {"day": "2027-03-05"}))
    agent.hear(UserTurn("", ("edge:ask_guests.guests",), {"guests": "four"}))
    agent.hear(UserTurn("", ("edge:ask_budget.budget", "correction:day"), {"budget": "$90", "day": "2027-04-01"}))
    agent.returned("found", {"deposit": "$40", "place": "Old Mill"})
    said = {p.format(**agent.values) for p in table.nodes["offer"].say}
    assert agent.speak()[0] in said


def test_a_request_for_a_person_is_obeyed_at_once(table: Graph) -> None:
    agent = ScriptedAgent(table, 1, "train")
    agent.hear(UserTurn("", ("interrupt:human",), {}))
    assert agent.speak()[1] == ("hand_over",)


def test_small_talk_is_met_and_the_question_put_again(table: Graph) -> None:
    agent = ScriptedAgent(table, 1, "train")
    agent.hear(UserTurn("", ("off_topic:off_topic",), {}))
    text, names = agent.speak()
    assert names == ("ask_day",)
    assert any(text.startswith(s) for s in table.interrupts["off_topic"].say)
    assert any(text.endswith(s) for s in table.nodes["ask_day"].again)


def test_nodes_that_ask_nothing_are_spoken_in_one_breath(table: Graph) -> None:
    hello = table.nodes["done"].model_copy(
        update={"terminal": None, "say": ("Hello.",), "edges": (table.nodes["ask_day"].edges[0].model_copy(
            update={"id": "on", "says": (), "to": "ask_day"}),)}
    )  # fmt: skip
    graph = table.model_copy(update={"start": "hello", "nodes": {**table.nodes, "hello": hello}})
    text, names = ScriptedAgent(graph, 1, "train").speak()
    assert names == ("hello", "ask_day")
    assert text.startswith("Hello. ")


def test_every_scenario_of_a_sample_ends_where_it_should() -> None:
    graph = example_graph()
    for scenario in example_scenarios(graph, 60):
        made = converse(graph, scenario, "train")
        assert made.steps[-1] == (scenario.ending,)
        assert len(made.steps) == len(made.messages)
        assert all("{" not in m.content or m.role == "tool" for m in made.messages)


def test_variety_is_the_share_of_utterances_off_the_first_phrase(table: Graph) -> None:
    first = part(table.nodes[table.start].say, "train")[0]
    said = {v: [ScriptedAgent(table, seed, "train", v).speak()[0] for seed in range(200)] for v in (0.0, 0.3, 1.0)}
    off = {v: sum(text != first for text in texts) / 200 for v, texts in said.items()}
    others = 1 - 1 / len(part(table.nodes[table.start].say, "train"))
    assert off[0.0] == 0
    assert abs(off[0.3] - 0.3 * others) < 0.1
    assert abs(off[1.0] - others) < 0.1
