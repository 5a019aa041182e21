"""Personal data is replaced by values that belong to nobody, however it is written; dates, amounts and words stay."""

from __future__ import annotations

import time

import pytest

from flowc.masking import Mask

PHONE, CARD, MAIL = "+1 202 555 0101", "0000 0000 0000 0001", "person1@example.com"


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("Write to jo.doe+x@mail.co.uk, please.", f"Write to {MAIL}, please."),
        ("It is jo@mail.com.", f"It is {MAIL}."),
        ("jo (at) mail [dot] com", MAIL),
        ("jo.doe at mail dot com", MAIL),
        ('"jo doe"@mail.org', MAIL),
        ("jo\uff20mail\uff0ecom and jo@münchen.de", f"{MAIL} and person2@example.com"),
        ("jo\u200b@ma\u00adil.com", MAIL),
        ("mailto:jo@mail.com?subject=x", f"mailto:{MAIL}?subject=x"),
    ],
)
def test_addresses(text: str, masked: str) -> None:
    assert Mask()(text) == masked


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("My card is 4111 1111 1111 1111.", f"My card is {CARD}."),
        ("5500-0055-5555-5559 expires soon", f"{CARD} expires soon"),
        ("378282246310005, American", f"{CARD}, American"),
        ("4111.1111.1111.1111 or 4111\u00a01111\u20111111\u20091111", f"{CARD} or {CARD}"),
        ("4 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1", CARD),
        ("4111 1111 1111 1111 12/27 123", f"{CARD} 12/27 123"),
        ("for 2 4111111111111111", f"for 2 {CARD}"),
        ("4111111111111111 5500005555555559", f"{CARD} 0000 0000 0000 0002"),
        ("٤١١١ ١١١١ ١١١١ ١١١١", CARD),
        ("４１１１１１１１１１１１１１１１", CARD),
        ("card,4111111111111111", f"card,{CARD}"),
    ],
)
def test_cards(text: str, masked: str) -> None:
    assert Mask()(text) == masked


def test_a_card_with_a_wrong_digit_is_masked_as_a_number() -> None:
    mask = Mask()
    assert mask("It is 4111 1111 1111 1112") == "It is 0000 0000 0000 0001"
    assert mask.count == {"number": 1}


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("Call +49 30 1234567 or 0171-2345678.", f"Call {PHONE} or +1 202 555 0102."),
        ("Call (415) 555-2671 now", f"Call {PHONE} now"),
        ("0 1 7 1 2 3 4 5 6 7 8", PHONE),
        ("4 1 5  5 5 5 - 2 6 7 1", PHONE),
        ("+49 (0)30 / 12 34 56 7", PHONE),
        ("0171\u200d234\u202f5678", PHONE),
        ("٠١٧١ ٢٣٤٥٦٧٨", PHONE),
        ("4155552671", PHONE),
        ("06.12.23.45.67", PHONE),
        ("phone,01712345678", f"phone,{PHONE}"),
        ("my phone is 555-1234", f"my phone is {PHONE}"),
        ("0171 2345678, on 14.3.2027", f"{PHONE}, on 14.3.2027"),
        ("on 14.3.2027 0171 2345678", f"on 14.3.2027 {PHONE}"),
    ],
)
def test_telephone_numbers(text: str, masked: str) -> None:
    assert Mask()(text) == masked


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("My policy number is AB-123456.", "My policy number is XX-000001."),
        ("policy no. 12 34 567 8", "policy no. 00 00 000 1"),
        ("Versicherungsscheinnummer: 77/4711-X", "Versicherungsscheinnummer: 00/0001-X"),
        ("Kundennummer 47110815", "Kundennummer 00000001"),
        ("my policy 12345678", "my policy 00000001"),
        ("It is KX4-2231, I think.", "It is XX0-0001, I think."),
        ("KD123456789", "KD000000001"),
    ],
)
def test_policy_numbers(text: str, masked: str) -> None:
    mask = Mask(["@@#-####"])
    assert mask(text) == masked
    assert mask.count == {"policy": 1}


@pytest.mark.parametrize(
    "text",
    [
        "On 2027-03-01 or 14.3.2027, for $2,400 or 7900 dollars.",
        "From 2027-03-01 2027-03-08, 3/14/2027, on 01.03.2027 2 people.",
        "Two adults and 3 children, 23 kg, 48 hours, 10:30, 50 %.",
        "The policy covers water damage; policy holders may cancel.",
        "I claim 10000 dollars, the claim is 12 500; the policy from 2024 on.",
        "We are 12 people in 2027, or at home.",
        "Meet me @ 5.30pm; it costs $120000000.",
        "Ich möchte am 1.3. fliegen \N{SLIGHTLY SMILING FACE} – für 1.200,50 EUR.",
        "",
    ],
)
def test_dates_amounts_and_words_stay(text: str) -> None:
    mask = Mask(["@@#-####"])
    assert mask(text) == text
    assert mask.count == {}


def test_a_value_that_comes_back_gets_the_same_mask_however_it_is_written() -> None:
    mask = Mask()
    assert mask("a@b.org and c@d.org") == "person1@example.com and person2@example.com"
    assert mask("C@D.org") == "person2@example.com"
    assert mask("4111111111111111, that is ٤١١١ ١١١١ ١١١١ ١١١١") == f"{CARD}, that is {CARD}"
    assert mask("+49 30 1234567 or +49301234567") == f"{PHONE} or {PHONE}"
    assert mask.count == {"email": 2, "card": 1, "phone": 1}


def test_what_is_masked_is_not_masked_again() -> None:
    text = "a@b.org, +49 30 1234567, 4111 1111 1111 1111, policy number AB-123456, CLM-12345678"
    mask = Mask(["@@@-########"])
    once = mask(text)
    assert once == f"{MAIL}, {PHONE}, {CARD}, policy number XX-000002, XXX-00000001"
    assert mask(once) == once


@pytest.mark.parametrize("text", ["a" * 200_000, "1 " * 3000, "a@" + "b." * 50_000, "(" * 100_000, "policy " * 20_000])
def test_no_text_takes_long(text: str) -> None:
    start = time.process_time()
    Mask(["@@#-####"])(text)
    assert time.process_time() - start < 5
