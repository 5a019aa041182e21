"""Facts that customers ask for: which answers count, and which state the fact."""

from __future__ import annotations

import pytest

from flowc.conformance import Counts, Fault, Judgement
from flowc.facts import facts_asked_for
from flowc.graph import Graph
from flowc.parse import parse_procedure
from flowc.records import Message
from flowc.transcripts import Ended, Tokens, Transcript, Turn
from tests.example import TEXT
from tests.workspace import ROOT

MORE = """
  terrace:
    fact: The terrace is open until 22:00.
    must: ["terrace", "22:00"]
    asks: ["Is there a terrace?", "Can we sit outside?", "Do you have tables outside?", "Is the terrace open?"]
    say: ["The terrace is open until 22:00.", "You can use the terrace until 22:00."]
interrupts:"""
GRAPH = parse_procedure(TEXT.replace("\ninterrupts:", MORE), "table.yaml")


def user(label: str) -> Turn:
    return Turn(message=Message(role="user", content="..."), labels=(label,))


def assistant(text: str) -> Turn:
    return Turn(message=Message(role="assistant", content=text), labels=("ask_day",))


def counted(
    *turns: Turn, ended: Ended = Ended.TURN_LIMIT, faults: tuple[Fault, ...] = (), graph: Graph = GRAPH
) -> dict[str, Counts]:
    played = Transcript(scenario="s", arm="compiled", ended=ended, turns=turns, tokens=Tokens())
    judgement = Judgement(scenario="s", arm="compiled", scores={}, faults=faults, decisions={}, values={})
    return facts_asked_for(graph, played, judgement)


def test_an_answer_is_right_when_it_has_all_that_the_fact_must_have() -> None:
    asked = user("side_question:parking")
    assert counted(asked, assistant("Parking is 7 EUROS. So, for which day?")) == {"parking": Counts(n=1, right=1)}
    assert counted(asked, assistant("It is cheap. So, for which day?")) == {"parking": Counts(n=1, right=0)}
    both = (asked, assistant("7 euros."), asked, assistant("Cheap."))
    assert counted(*both) == {"parking": Counts(n=2, right=1)}


def test_an_answer_with_a_value_that_is_wrong_is_not_right() -> None:
    turns = (user("side_question:parking"), assistant("Parking costs 7 euros."))
    (fault,) = (Fault(criterion="information_accuracy", turn=1, text="'70 euros' is an invention"),)
    other = fault.model_copy(update={"criterion": "recovery"})
    before = fault.model_copy(update={"turn": 0})
    told = (*turns[:1], assistant("Parking costs 7 euros."))
    assert counted(*told, faults=(fault,)) == {"parking": Counts(n=1, right=0)}
    assert counted(*told, faults=(other, before)) == {"parking": Counts(n=1, right=1)}


def test_an_answer_that_embroiders_is_not_right() -> None:
    asked = user("side_question:parking")
    right, wrong = {"parking": Counts(n=1, right=1)}, {"parking": Counts(n=1, right=0)}
    assert counted(asked, assistant("Parking costs 7 euros on 3 floors.")) == wrong
    told = Turn(message=Message(role="user", content="We are 3."), labels=("edge:ask_guests.guests",))
    assert counted(told, asked, assistant("Parking costs 7 euros. Is it for 3?")) == right
    assert counted(asked, assistant("Parking costs 7 euros. The terrace is open until 22:00.")) == wrong
    assert counted(asked, assistant("Parking costs 7 euros. Shall I take the terrace until 22:00?")) == right
    assert counted(asked, assistant("Parking costs 7 euros. We have a terrace.")) == right


@pytest.mark.parametrize("procedure", ["travel_booking", "zoom_support", "insurance_claims"])
def test_no_phrase_of_a_shipped_procedure_is_taken_for_embroidery(procedure: str) -> None:
    file = ROOT / "data" / "procedures" / f"{procedure}.yaml"
    graph = parse_procedure(file.read_text(encoding="utf-8"), str(file))
    back = sorted({phrase for node in graph.nodes.values() for phrase in (*node.again, *node.say)})
    for name, fact in graph.knowledge.items():
        answers = [*fact.say, *(f"{fact.say[0]} {phrase}" for phrase in back)]
        asked = [(user(f"side_question:{name}"), assistant(answer)) for answer in answers]
        found = [answer for answer, turns in zip(answers, asked, strict=True)
                 if counted(*turns, graph=graph) != {name: Counts(n=1, right=1)}]  # fmt: skip
        assert found == []


def test_what_has_no_answer_or_asks_for_no_fact_is_not_counted() -> None:
    assert counted(assistant("For which day?"), user("side_question:parking")) == {}
    assert counted(user("off_topic:off_topic"), assistant("7 euros.")) == {}
    spoilt = (user("side_question:parking"), assistant("7 euros."))
    assert counted(*spoilt, ended=Ended.USER_ERROR) == {}
