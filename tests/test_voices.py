"""Personas change the words around a value, never the value."""

from __future__ import annotations

from random import Random

import pytest

from flowc.graph import PLACEHOLDER, Bank
from flowc.voices import _CHATTER, _CLOSERS, _CONFUSED, _OPENERS, _PUZZLED, PERSONAS, confused, speak

PHRASES = ("I would like to travel to {city} on {day}.", "{city}", "{city}, please.", "Yes!")


@pytest.mark.parametrize("persona", PERSONAS)
def test_placeholders_survive_every_persona(persona: str) -> None:
    for seed in range(300):
        for phrase in PHRASES:
            said = speak(phrase, persona, Random(seed), "train")
            assert PLACEHOLDER.findall(said) == PLACEHOLDER.findall(phrase)


def test_a_plain_person_says_the_phrase() -> None:
    assert [speak(p, "plain", Random(0), "train") for p in PHRASES] == list(PHRASES)


def test_a_terse_person_drops_the_last_stop() -> None:
    assert speak("To {city}.", "terse", Random(0), "train") == "To {city}"


def test_a_sloppy_person_writes_small_and_mistypes_at_most_one_letter() -> None:
    phrase = "Travelling towards {city}."
    said = {speak(phrase, "sloppy", Random(seed), "train") for seed in range(200)}
    assert len(said) > 10
    assert all(s == s.lower() for s in said)
    assert {abs(len(s.rstrip(".")) - len(phrase) + 1) for s in said} == {0, 1}


@pytest.mark.parametrize("persona", ["chatty", "impatient"])
def test_the_phrase_stands_whole_within_the_chatter(persona: str) -> None:
    said = {speak("To {city}", persona, Random(seed), "train") for seed in range(200)}
    assert len(said) > 5
    assert all("To {city}" in s for s in said)


def test_a_closer_follows_a_full_stop() -> None:
    said = [speak("To {city}", "chatty", Random(seed), "train") for seed in range(200)]
    assert all(s.endswith("To {city}") or "To {city}. " in s for s in said)


@pytest.mark.parametrize("persona", ["chatty", "impatient"])
def test_held_out_chatter_is_never_heard_in_training(persona: str) -> None:
    def heard(bank: Bank) -> set[str]:
        said = {speak("@", persona, Random(seed), bank) for seed in range(2000)}
        return {piece for s in said for piece in s.replace("@.", "@").split("@") if piece.strip()}

    assert heard("train") & heard("held_out") == set()
    known = {o + " " for o in _OPENERS[persona]} | {" " + c for c in _CLOSERS[persona]}
    assert heard("train") | heard("held_out") == known


def test_confusion_is_split_like_all_else() -> None:
    train = {confused(Random(seed), "train") for seed in range(100)}
    held_out = {confused(Random(seed), "held_out") for seed in range(100)}
    assert train & held_out == set()
    assert train | held_out == set(_CONFUSED)


def test_the_same_seed_speaks_the_same_words() -> None:
    for persona in PERSONAS:
        assert speak(PHRASES[0], persona, Random(5), "train") == speak(PHRASES[0], persona, Random(5), "train")


def test_chatter_is_in_the_language_of_the_procedure() -> None:
    for persona in ("chatty", "impatient"):
        openers, closers = (bank[persona] for bank in _CHATTER["de"])
        said = {speak("@.", persona, Random(seed), "train", "de") for seed in range(2000)} - {"@."}
        assert {piece for s in said for piece in s.split("@.") if piece} <= {o + " " for o in openers} | {
            " " + c for c in closers
        }
        assert not {*openers, *closers} & {*_OPENERS[persona], *_CLOSERS[persona]}
    assert confused(Random(0), "train", "de") in _PUZZLED["de"]


def test_in_a_language_without_chatter_the_phrase_stands_alone() -> None:
    assert {speak("Ad {city}.", p, Random(s), "train", "la") for p in PERSONAS[:3] for s in range(50)} == {
        "Ad {city}.",
        "Ad {city}",
    }
    assert confused(Random(0), "held_out", "la") == "?"
