"""Which failures are quoted, and what a quote holds."""

from __future__ import annotations

from flowc.conformance import judge
from flowc.failures import failures
from flowc.records import Message
from flowc.scenarios import Scenario
from flowc.transcripts import Ended, Transcript, Turn
from tests.example import example_graph, example_scenarios, play

GRAPH = example_graph()
# Long ones whose users answer the first question and nothing else.
SCENARIOS = [
    s
    for s in example_scenarios(GRAPH, 40)
    if len(s.script) > 3 and not (s.script[0].before or s.script[0].interrupt or s.script[0].volunteers)
]


def cut(scenario: Scenario, messages: int) -> Transcript:
    """A conversation that stops after so many messages of the assistant."""
    whole = play(GRAPH, scenario)
    ends = [i for i, t in enumerate(whole.turns) if t.message.role == "assistant"]
    return whole.model_copy(update={"ended": Ended.TURN_LIMIT, "turns": whole.turns[: ends[messages - 1] + 1]})


def lost(scenario: Scenario) -> Transcript:
    """A conversation whose second message of the assistant is none of the procedure, though it ends well."""
    whole = play(GRAPH, scenario)
    turns = list(whole.turns)
    turns[2] = Turn(message=Message(role="assistant", content="Lovely weather."))
    return whole.model_copy(update={"turns": tuple(turns)})


def quotes(played: list[Transcript]) -> list[dict[str, object]]:
    by_id = {s.id: s for s in SCENARIOS}
    return failures(played, [judge(GRAPH, by_id[t.scenario], t) for t in played])


def test_a_conversation_without_fault_is_not_quoted() -> None:
    assert quotes([play(GRAPH, s) for s in SCENARIOS]) == []


def test_three_are_quoted_failed_ones_first_and_unlike_ones_before_alike_among_them() -> None:
    first, second, third, fourth, *_ = sorted(SCENARIOS, key=lambda s: s.id)
    found = quotes([cut(first, 1), cut(second, 1), lost(third), cut(fourth, 2)])
    assert [q["scenario"] for q in found] == [first.id, fourth.id, second.id]
    assert [q["failed"] for q in found] == [True, True, True]


def test_one_that_failed_alike_is_quoted_before_those_that_succeeded() -> None:
    first, second, third, fourth, *_ = sorted(SCENARIOS, key=lambda s: s.id)
    found = quotes([lost(first), lost(second), cut(third, 1), cut(fourth, 1)])
    assert [q["scenario"] for q in found] == [third.id, fourth.id, first.id]
    assert [q["failed"] for q in found] == [True, True, False]


def test_a_quote_holds_the_step_the_words_and_the_reason() -> None:
    scenario = SCENARIOS[0]
    whole = play(GRAPH, scenario)
    (quote,) = quotes([lost(scenario)])
    assert quote["step"] == GRAPH.start
    assert (quote["turn"], quote["criterion"]) == (2, "procedure_order")
    assert quote["heard"] == whole.turns[1].message.content
    assert quote["said"] == "Lovely weather."
    assert str(quote["why"]).startswith("an unknown step where ")
