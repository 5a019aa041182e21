"""Personal data is replaced by values that belong to nobody, and nothing else is touched."""

from __future__ import annotations

import pytest

from flowc.masking import Mask


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("Write to jo.doe+x@mail.co.uk, please.", "Write to person1@example.com, please."),
        ("My card is 4111 1111 1111 1111.", "My card is 0000 0000 0000 0001."),
        ("5500-0055-5555-5559 expires soon", "0000 0000 0000 0001 expires soon"),
        ("Call +49 30 1234567 or 0171-2345678.", "Call +1 202 555 0101 or +1 202 555 0102."),
        ("Call (415) 555-2671 now", "Call +1 202 555 0101 now"),
        ("My policy number is AB-123456.", "My policy number is XX-000001."),
        ("Versicherungsnummer: 77/4711-X", "Versicherungsnummer: 00/0001-X"),
        ("It is KX4-2231, I think.", "It is XX0-0001, I think."),
    ],
)
def test_each_kind_is_masked(text: str, masked: str) -> None:
    assert Mask(["@@#-####"])(text) == masked


@pytest.mark.parametrize(
    "text",
    [
        "On 2027-03-01 or 14.3.2027, for $2,400 or 7900 dollars.",
        "Two adults and 3 children, 23 kg, 48 hours, 10:30.",
        "The policy covers water damage; policy holders may cancel.",
        "Order 4111 1111 1111 1112 has no valid check digit",
        "We are 12 people in 2027.",
        "",
    ],
)
def test_dates_amounts_and_words_stay(text: str) -> None:
    assert Mask(["@@#-####"])(text) == text


def test_a_value_that_comes_back_gets_the_same_mask_however_it_is_written() -> None:
    mask = Mask()
    assert mask("a@b.org and c@d.org") == "person1@example.com and person2@example.com"
    assert mask("C@D.org") == "person2@example.com"
    assert mask("4111111111111111, that is 4111 1111 1111 1111") == "0000 0000 0000 0001, that is 0000 0000 0000 0001"
    assert mask.count == {"email": 2, "card": 1}


def test_masking_twice_changes_nothing_more() -> None:
    text = "a@b.org, +49 30 1234567, 4111 1111 1111 1111, policy number AB-123456"
    mask = Mask()
    once = mask(text)
    assert mask(once) == once
    assert Mask()(text) == once
