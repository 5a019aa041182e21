"""Facts that customers ask for: which answers count, and which state the fact."""

from __future__ import annotations

from flowc.conformance import Counts
from flowc.facts import facts_asked_for
from flowc.records import Message
from flowc.transcripts import Ended, Tokens, Transcript, Turn
from tests.example import example_graph

GRAPH = example_graph()


def user(label: str) -> Turn:
    return Turn(message=Message(role="user", content="..."), labels=(label,))


def assistant(text: str) -> Turn:
    return Turn(message=Message(role="assistant", content=text), labels=("ask_day",))


def counted(*turns: Turn, ended: Ended = Ended.TURN_LIMIT) -> dict[str, Counts]:
    played = Transcript(scenario="s", arm="compiled", ended=ended, turns=turns, tokens=Tokens())
    return facts_asked_for(GRAPH, played)


def test_an_answer_is_right_when_it_has_all_that_the_fact_must_have() -> None:
    asked = user("side_question:parking")
    assert counted(asked, assistant("Parking is 7 EUROS. So, for which day?")) == {"parking": Counts(n=1, right=1)}
    assert counted(asked, assistant("It is cheap. So, for which day?")) == {"parking": Counts(n=1, right=0)}
    both = (asked, assistant("7 euros."), asked, assistant("8 euros."))
    assert counted(*both) == {"parking": Counts(n=2, right=1)}


def test_what_has_no_answer_or_asks_for_no_fact_is_not_counted() -> None:
    assert counted(assistant("For which day?"), user("side_question:parking")) == {}
    assert counted(user("off_topic:off_topic"), assistant("7 euros.")) == {}
    spoilt = (user("side_question:parking"), assistant("7 euros."))
    assert counted(*spoilt, ended=Ended.USER_ERROR) == {}
