"""Languages told apart: by the message where it is long, else by what somebody says in several, never by a name."""

from __future__ import annotations

import csv
import json

import pytest

from flowc.graph import Graph
from flowc.languages import Foreign, foreign
from flowc.records import Message
from flowc.text_checks import Flaw, Lengths, Reason, TextChecks
from tests.published import MULTIDOGO, STAR, needs_multidogo, needs_star


@pytest.mark.parametrize(
    ("text", "language", "found"),
    [
        ("Where would you like to go, and when?", "en", None),
        ("We fly from Los Angeles to La Paz.", "en", None),
        ("Wohin möchten Sie reisen, und wann?", "en", "German"),
        ("Wohin möchten Sie reisen, und wann?", "de", None),
        ("Wohin möchten Sie reisen, und wann?", "nl", "German"),
        ("Los geht es in La Paz.", "de", None),
        ("Also die Reise war so teuer, was man will.", "de", None),
        ("Where would you like to go, and when?", "de", "English"),
        ("¿Dónde quiere ir usted, y cuándo?", "en", "Spanish"),
        ("Je voudrais aller avec vous dans le sud, merci.", "en", "French"),
        ("Vorrei il biglietto, grazie, quanto costa?", "de", "Italian"),
        ("Wij willen graag op vakantie naar het zuiden.", "de", "Dutch"),
        ("Não quero mais do que isso, obrigado.", "es", "Portuguese"),
        ("Куда вы хотите поехать?", "en", "another script"),
        ("Москва", "en", None),
        ("Ja, bitte.", "en", None),
        ("Rome", "en", None),
        ("What would you like?", "la", None),
    ],
)
def test_a_foreign_language_is_named(text: str, language: str, found: str | None) -> None:
    assert foreign([text], language) == (Foreign(0, found) if found else None)


def test_short_messages_decide_together() -> None:
    assert foreign(["Hello, I am Ann.", "Ja, bitte.", "Bonn", "Nein, danke."], "en") == Foreign(3, "German")


def test_a_message_in_the_right_language_takes_back_what_came_before() -> None:
    assert foreign(["Ja, bitte.", "I want to go to Bonn.", "Nein, danke.", "No, I do not."], "en") is None


def test_words_of_names_speak_for_no_other_language() -> None:
    said = ["las vegas", "los angeles", "la paz"]
    assert foreign(said, "en") == Foreign(2, "Spanish")
    assert foreign(said, "en", frozenset({"las", "los", "la"})) is None


def test_values_of_a_procedure_are_names(table: Graph) -> None:
    places = (*table.slots["place"].values, "Casa de la Luna", "Mesón de los Reyes", "Plaza de las Flores")
    slots = {**table.slots, "place": table.slots["place"].model_copy(update={"values": places})}
    knowing = table.model_copy(update={"slots": slots})
    messages = [Message(role="system", content="You reserve tables."), Message(role="assistant", content="Welcome!")]
    for place in places[-3:]:
        messages += [Message(role="user", content=place.lower()), Message(role="assistant", content="Welcome!")]
    lengths = Lengths(message=120, conversation=1500)
    assert list(TextChecks(knowing, lengths).flaws(messages)) == []
    assert list(TextChecks(table, lengths).flaws(messages)) == [
        Flaw(Reason.LANGUAGE, 4, "Spanish where English is spoken")
    ]


def none_is_foreign(speakers: dict[tuple[str, str], list[str]]) -> None:
    assert {who: said for who, said in speakers.items() if foreign(said, "en")} == {}
    as_german = [foreign(said, "de") for said in speakers.values()]
    assert sum(f is not None and f.language == "English" for f in as_german) / len(speakers) > 0.95


@needs_star
def test_what_people_type_in_english_is_english() -> None:
    speakers: dict[tuple[str, str], list[str]] = {}
    for file in sorted((STAR / "dialogues").glob("*.jsonl")):
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines()):
            for event in json.loads(line)["events"]:
                if event.get("Agent") in ("User", "Wizard") and event.get("Text"):
                    speakers.setdefault((f"{file.stem}-{number}", event["Agent"]), []).append(event["Text"])
    assert len(speakers) == 1440
    none_is_foreign(speakers)


@needs_multidogo
def test_what_customers_type_in_haste_is_english() -> None:
    speakers: dict[tuple[str, str], list[str]] = {}
    for file in sorted(MULTIDOGO.glob("*.tsv")):
        with file.open(encoding="utf-8", newline="") as rows:
            for row in csv.DictReader(rows, delimiter="\t", quoting=csv.QUOTE_NONE):
                speakers.setdefault((file.stem, row["conversationId"]), []).append(row["utterance"] or "")
    assert len(speakers) == 481
    none_is_foreign(speakers)
