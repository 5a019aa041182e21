"""A recogniser that was shown examples of steps alone: sure of those, silent on what is like none of them."""

from __future__ import annotations

import pytest

from flowc.recognise import NONE, Labelled, Recogniser

STEPS = [
    Labelled("When are you arriving?", "arrival"),
    Labelled("What is your arrival date?", "arrival"),
    Labelled("When do you want to check in?", "arrival"),
    Labelled("The room is available, shall I book it?", "offer"),
    Labelled("We have a room for you. Can I book it now?", "offer"),
    Labelled("I am sorry, there is no room left.", "full"),
    Labelled("Unfortunately the hotel is fully booked.", "full"),
]


@pytest.fixture(scope="module")
def shown_steps() -> Recogniser:
    return Recogniser(STEPS)


def test_examples_are_recognised_in_any_case(shown_steps: Recogniser) -> None:
    for example in STEPS:
        assert shown_steps.recognise(example.text.upper()).node == example.node


def test_another_wording_is_recognised_and_what_comes_before_it_ignored(shown_steps: Recogniser) -> None:
    assert shown_steps.recognise("ok, when will you be arriving ?").node == "arrival"
    assert shown_steps.recognise("Thanks a lot. Let me see. Sorry, the hotel is booked.").node == "full"


@pytest.mark.parametrize("text", ["Could you give me the PIN of your account?", "Xylophone zebra quartz.", "?!", ""])
def test_what_is_like_no_example_is_no_step(shown_steps: Recogniser, text: str) -> None:
    assert shown_steps.recognise(text).node is None


def test_strangers_among_the_examples_teach_what_is_no_step() -> None:
    said = [Labelled(t, NONE) for t in ("I am arriving on Monday", "yes please book it", "no thanks", "two nights")]
    assert Recogniser([*STEPS, *said]).recognise("I am arriving on Tuesday").node is None
    assert Recogniser([*STEPS, *said]).recognise("When are you arriving?").node == "arrival"


def test_hints_say_which_step_but_make_none_of_themselves() -> None:
    hints = [Labelled("fully booked, no vacancy whatsoever", "full")]
    assert Recogniser(STEPS, hints).recognise("There is no vacancy.").node == "full"
    assert Recogniser(STEPS).recognise("There is no vacancy.").probability < 0.9
