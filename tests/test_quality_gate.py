"""The gate: what the scripted teacher writes passes whole, and each kind of damage is dropped for its reason."""

from __future__ import annotations

import time
from collections.abc import Callable
from random import Random

import pytest

from flowc.branches import branches
from flowc.graph import Graph
from flowc.quality_gate import Curated, Gate, curate, gate_metrics
from flowc.records import Conversation, Message, ToolCall
from flowc.sampling import sample
from flowc.scenarios import Scenario
from flowc.teacher import converse
from flowc.text_checks import Reason
from tests.example import MANY_DEVIATIONS, NO_DEVIATIONS, example_scenarios
from tests.gates import GATE

OPEN = GATE.model_copy(update={"most_dropped": 1})


def gated(graph: Graph, *pairs: tuple[Scenario, Conversation], gate: Gate = OPEN) -> Curated:
    return curate([c for _, c in pairs], {s.id: s for s, _ in pairs}, graph, gate)


@pytest.fixture(scope="module")
def scenario(table: Graph) -> Scenario:
    """A table that is found at once and taken, without a deviation."""
    every = sample(table, 60, "held_out_path", NO_DEVIATIONS, 0, seed=5)
    return next(s for s in every if s.ending == "done" and s.persona == "plain" and len(s.script) == 4)


@pytest.fixture(scope="module")
def written(table: Graph, scenario: Scenario) -> Conversation:
    return converse(table, scenario, "train")


def said(conversation: Conversation, index: int, change: Callable[[str], str]) -> Conversation:
    messages = list(conversation.messages)
    messages[index] = messages[index].model_copy(update={"content": change(messages[index].content)})
    return conversation.model_copy(update={"messages": tuple(messages)})


def called(conversation: Conversation, call: ToolCall) -> Conversation:
    messages = tuple(m.model_copy(update={"tool_calls": (call,)}) if m.tool_calls else m for m in conversation.messages)
    return conversation.model_copy(update={"messages": messages})


def without(conversation: Conversation, *gone: int) -> Conversation:
    keep = [i for i in range(len(conversation.messages)) if i not in gone]
    return conversation.model_copy(
        update={
            "messages": tuple(conversation.messages[i] for i in keep),
            "steps": tuple(conversation.steps[i] for i in keep),
        }
    )


def reason(graph: Graph, scenario: Scenario, conversation: Conversation) -> tuple[Reason, int, str]:
    """The reason for which the gate drops a conversation, where, and what it says."""
    [drop] = gated(graph, (scenario, conversation)).dropped
    assert drop.conversation is conversation
    return drop.flaw.reason, drop.flaw.message, drop.flaw.detail


def test_what_the_scripted_teacher_writes_passes_whole(table: Graph) -> None:
    trunks = example_scenarios(table, 80)
    plans = [s for t in trunks for s in (t, *branches(table, t, 8, Random(t.seed)))]
    plans += sample(table, 20, "held_out_path", MANY_DEVIATIONS, 0.3, seed=2)
    pairs = [(s, converse(table, s, "train")) for s in plans]
    curated = gated(table, *pairs)
    assert [d.flaw for d in curated.dropped] == []
    assert curated.kept == sorted({c.id: c for _, c in pairs}.values(), key=lambda c: c.id)


def test_the_agents_held_out_words_pass_through_the_tracker(table: Graph, scenario: Scenario) -> None:
    assert gated(table, (scenario, converse(table, scenario, "held_out"))).dropped == []


# 0 system, 1 ask_day, 2 day, 3 ask_guests, 4 guests, 5 ask_budget, 6 budget, 7 call, 8 result, 9 offer, 10 yes, 11 done
DAMAGE: dict[str, tuple[int, Callable[[str], str], Reason, str]] = {
    "another step": (3, lambda _: "What is your budget?", Reason.OFF_PATH, "ask_budget where ask_guests was due"),
    "no step": (3, lambda _: "Bananas are yellow.", Reason.OFF_PATH, "an unknown step where ask_guests was due"),
    "a wrong price": (9, lambda t: t.replace("$", "$9"), Reason.SLOTS, "deposit should be"),
    "a value that the user never tells": (6, lambda _: "Not too much.", Reason.SLOTS, "does not tell budget"),
    "an invented place": (5, lambda t: "Like at Old Mill. " + t, Reason.SLOTS, "'Old Mill' is no place of this"),
    "another result": (8, lambda t: t.replace("found", "full"), Reason.TOOLS, "is not what the function returns"),
    "a step's name": (3, lambda t: t + " ask_guests", Reason.LEAK, "'ask_guests' in the text"),
    "a placeholder": (9, lambda _: "{place} has a table, shall I take it?", Reason.LEAK, "'{place}' in the text"),
    "a label": (2, lambda t: t + " edge:day", Reason.LEAK, "'edge:d' in the text"),
    "a stage direction": (1, lambda t: "*smiles* " + t, Reason.LEAK, "'*smiles*' in the text"),
    "an instruction": (
        3,
        lambda t: f"Ask how many guests there will be. {t}",
        Reason.LEAK,
        "ask how many guests there",
    ),
    "another speaker": (2, lambda t: t + "\nAssistant: Fine.", Reason.ROLES, "user writes 'Assistant:'"),
    "the other's words": (10, lambda _: "How many guests will there be?", Reason.ROLES, "assistant says at ask_guests"),
    "nothing": (10, lambda _: " ", Reason.LENGTH, "says nothing"),
    "a speech": (10, lambda _: "Yes. " * 121, Reason.LENGTH, "121 words in one message"),
    "German": (
        1,
        lambda _: "Willkommen! Für welchen Tag möchten Sie bitte einen Tisch?",
        Reason.LANGUAGE,
        "German where English is spoken",
    ),
}


@pytest.mark.parametrize("case", DAMAGE)
def test_each_kind_of_damage_is_dropped_for_its_reason(
    case: str, table: Graph, scenario: Scenario, written: Conversation
) -> None:
    index, change, why, detail = DAMAGE[case]
    assert [m.role for m in written.messages][6:10] == ["user", "assistant", "tool", "assistant"]
    found = reason(table, scenario, said(written, index, change))
    assert (found[0], found[1]) == (why, index)
    assert detail in found[2]


def test_a_call_with_another_value_is_dropped(table: Graph, scenario: Scenario, written: Conversation) -> None:
    call = written.messages[7].tool_calls[0]
    wrong = call.model_copy(update={"arguments": {**call.arguments, "guests": "ninety"}})
    assert reason(table, scenario, called(written, wrong))[:2] == (Reason.TOOLS, 7)
    unknown = call.model_copy(update={"name": "find_seat"})
    assert reason(table, scenario, called(written, unknown))[0] == Reason.TOOLS


def test_a_conversation_that_ends_early_or_skips_a_turn_is_dropped(
    table: Graph, scenario: Scenario, written: Conversation
) -> None:
    assert reason(table, scenario, without(written, 10, 11))[::2] == (
        Reason.OFF_PATH,
        "ended as terminal, not at done",
    )
    assert reason(table, scenario, without(written, 10))[:2] == (Reason.ROLES, 10)
    assert reason(table, scenario, without(written, 11))[0] == Reason.ROLES
    assert reason(table, scenario, without(written, 3, 4))[:2] == (Reason.OFF_PATH, 3)


def test_a_side_question_needs_the_fact(table: Graph) -> None:
    asked = [s for s in example_scenarios(table, 60) if any(x.before.startswith("side") for x in s.script)]
    scenario = asked[0]
    written = converse(table, scenario, "train")
    index = next(i for i, x in enumerate(written.steps) if x[:1] == ("side_question:parking",)) + 1
    wrong = said(written, index, lambda t: t.replace("7 euros", "nothing"))
    assert reason(table, scenario, wrong) == (Reason.KNOWLEDGE, index, "no recovery after side_question (parking)")


def test_near_duplicates_go_with_their_branches_and_the_first_stays(table: Graph) -> None:
    [trunk] = example_scenarios(table, 1)
    family = [trunk, *branches(table, trunk, 3, Random(1))]
    written = [converse(table, s, "train") for s in family]
    other = {c.id: f"x{c.id}" for c in written}
    again = [c.model_copy(update={"id": other[c.id], "family": other[c.family]}) for c in written]
    plans = [*family, *(s.model_copy(update={"id": other[s.id]}) for s in family)]
    curated = gated(table, *zip(plans, [*written, *again], strict=True))
    assert curated.kept == sorted(written, key=lambda c: c.id)
    assert {d.flaw.reason for d in curated.dropped} == {Reason.NEAR_DUPLICATE}
    assert {d.flaw.detail for d in curated.dropped} == {f"nearly repeats {trunk.id}"}
    assert len(curated.dropped) == 4


def test_branches_outlive_a_trunk_that_goes_wrong_behind_them(table: Graph) -> None:
    trunk = next(s for s in example_scenarios(table, 20) if s.ending == "done")
    family = [trunk, *branches(table, trunk, 6, Random(1))]
    written = [converse(table, s, "train") for s in family]
    last = len(written[0].messages) - 1
    broken = said(written[0], last, lambda _: "Bananas.")
    curated = gated(table, *zip(family, [broken, *written[1:]], strict=True))
    assert [d.conversation.id for d in curated.dropped] == [trunk.id]
    assert {c.family for c in curated.kept} == {min(c.id for c in written[1:])}


def test_a_gate_that_drops_too_much_fails_and_says_why(table: Graph, scenario: Scenario, written: Conversation) -> None:
    others = [s for s in example_scenarios(table, 9) if s.id != scenario.id]
    pairs = [(s, converse(table, s, "train")) for s in others]
    pairs.append((scenario, said(written, 1, lambda _: "```")))
    count = len(pairs)
    strict = GATE.model_copy(update={"most_dropped": 0.05})
    with pytest.raises(ValueError, match=f"would drop 1 of {count} conversations .* length 1. {scenario.id} message 1"):
        gated(table, *pairs, gate=strict)
    assert len(gated(table, *pairs, gate=GATE.model_copy(update={"most_dropped": 0.2})).dropped) == 1


def test_drops_are_counted_with_samples(table: Graph, scenario: Scenario, written: Conversation) -> None:
    pairs = [
        (scenario.model_copy(update={"id": f"t{i}"}), written.model_copy(update={"id": f"t{i}", "family": f"t{i}"}))
        for i in range(5)
    ]
    pairs.append((scenario, said(written, 1, lambda t: t + " {day}")))
    told = gate_metrics(gated(table, *pairs))
    assert (told["written"], told["kept"], told["dropped_share"]) == (6, 1, 0.8333)
    assert {k: n for k, n in told["dropped"].items() if n} == {"leak": 1, "near_duplicate": 4}
    assert set(told["dropped"]) == {r.value for r in Reason}
    assert told["near_duplicate_share"] == 0.6667
    assert [s["conversation"] for s in told["samples"]] == [scenario.id, "t1", "t2", "t3"]
    assert told["samples"][0]["text"].endswith("{day}")


def test_two_hundred_conversations_are_written_and_checked_in_a_second(travel: Graph) -> None:
    plans = sample(travel, 40, "train", MANY_DEVIATIONS, 0.2, seed=1)
    plans = [s for t in plans for s in (t, *branches(travel, t, 12, Random(t.seed)))]
    start = time.process_time()
    curated = gated(travel, *((s, converse(travel, s, "train", 0.3)) for s in plans))
    seconds = time.process_time() - start
    assert curated.dropped == []
    assert len(curated.kept) / seconds > 200, seconds


def test_a_system_prompt_alone_is_no_conversation(table: Graph, scenario: Scenario, written: Conversation) -> None:
    empty = written.model_copy(update={"messages": written.messages[:1], "steps": written.steps[:1]})
    assert reason(table, scenario, empty)[0] == Reason.ROLES
    bare = written.model_copy(update={"messages": (Message(role="user", content="Hi"),), "steps": ((),)})
    assert reason(table, scenario, bare)[0] == Reason.ROLES
