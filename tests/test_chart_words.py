"""Labels become speech, answers, endings and names."""

from __future__ import annotations

import pytest

from flowc.built_in_phrases import ANSWERS, kind_of
from flowc.chart_flow import said
from flowc.chart_words import (
    answer,
    hands_over,
    identifier,
    identifiers,
    is_only_end,
    is_start,
    is_trigger,
    last_words,
    speech,
    terminal_of,
)


@pytest.mark.parametrize(
    ("label", "text", "manner"),
    [
        ("Ask for the date of loss", "What is the date of loss?", "open"),
        ("Ask the customer for their order details.", "What are your order details?", "open"),
        ("Request the customer's email address", "What is your email address?", "open"),
        ("ask what the problem is", "Can you tell me what the problem is?", "open"),
        ("Ask about symptoms", "What can you tell me about the symptoms?", "open"),
        ("Ask whether the customer has a receipt", "Do you have a receipt?", "yes_no"),
        ("Check if the device is plugged in", "Is the device plugged in?", "yes_no"),
        ("Verify that the user is over 18", "Are you over 18?", "yes_no"),
        ("Confirm the address with the customer", "Can you confirm the address?", "yes_no"),
        ("Ask the customer to restart the router", "Please restart the router.", "request"),
        ("Tell the customer to wait", "Please wait.", "request"),
        ("Tell the customer that the claim is closed", "The claim is closed.", "statement"),
        ("Inform the caller that the customer is late", "You are late.", "statement"),
        ("Inform customer about the delay", "Let me tell you about the delay.", "statement"),
        ("Offer a refund", "Would you like a refund?", "offer"),
        ("Offer to call back", "Would you like me to call back?", "offer"),
        ("Transfer to a human agent", "I will now transfer you to a human agent.", "statement"),
        ("Apologise for the delay", "I am sorry for the delay.", "statement"),
        ("Greet the customer", "Hello and welcome.", "statement"),
        ("What is your name?", "What is your name?", "open"),
        ("Is it raining?", "Is it raining?", "yes_no"),
        ("your order {id} has shipped", "Your order (id) has shipped.", "statement"),
        ("Order placed", "Order placed.", "statement"),
        ("Refund not approved", "Refund not approved.", "statement"),
        ("Transfer failed", "Transfer failed.", "statement"),
        ("Send a limited offer", "I will now send a limited offer.", "statement"),
        ("Hand over to a human agent", "I will now hand you over to a human agent.", "statement"),
        ("Say goodbye to the customer", "Thank you and goodbye.", "statement"),
        ("Say that it is a pity", "It is a pity.", "statement"),
        ("Greet the customer and ask for the order number", "Hello and welcome, what is the order number?", "open"),
        ("Thank the customer and say goodbye", "Thank you, thank you and goodbye.", "statement"),
        ("Ask for another date", "What is another date?", "open"),
        ("Offer declined", "Offer declined.", "statement"),
        ("Transfer to customer service", "I will now transfer you to customer service.", "statement"),
        ("Transfer the call to a real person", "I will now transfer you to a real person.", "statement"),
        ("Update the customer record", "I will now update the customer record.", "statement"),
        ("Thank you and goodbye", "Thank you and goodbye.", "statement"),
        ("Ask whether the offer suits the customer", "Can you tell me whether the offer suits you?", "yes_no"),
        ("Ask for a photo", "Can you give me a photo?", "open"),
        ("Ask the customer for an invoice.", "Can you give me an invoice?", "open"),
        ("1. Ask for name", "What is the name?", "open"),
        ("2) Tell the customer to wait", "Please wait.", "request"),
        ("(3) Is it on?", "Is it on?", "yes_no"),
        ("1.2. Ask for name", "What is the name?", "open"),
        ("1 - Billing", "Billing.", "statement"),
        ("Step 1: Ask for the name", "What is the name?", "open"),
        ("Step 2.1.0: Check if user is facing a data issue", "Are you facing a data issue?", "yes_no"),
        ("- Ask for name", "What is the name?", "open"),
        ("📞 Ask for name", "What is the name?", "open"),
        ("1️⃣ Ask for name ☎️", "What is the name?", "open"),
        ("1. Ask for name 2. Ask for phone", "1. Ask for name 2. Ask for phone.", "statement"),
        ("24 hours", "24 hours.", "statement"),
        ("-1", "-1.", "statement"),
        ("3.", "3.", "statement"),
        ("✅", "✅.", "statement"),
        ("Ask: is the router on?", "Is the router on?", "yes_no"),
        ("Ask: is the router on", "Is the router on?", "yes_no"),
        ("Ask customer: Do you want a receipt?", "Do you want a receipt?", "yes_no"),
        ("Ask: order number", "What is the order number?", "open"),
        ("Ask: please restart it", "Please restart it.", "statement"),
        ('Say: "All is well."', "All is well.", "statement"),
        ("Tell the customer: the claim is closed", "The claim is closed.", "statement"),
    ],
)
def test_instructions_become_what_the_customer_hears(label: str, text: str, manner: str) -> None:
    assert speech(label, False) == (text, manner)


@pytest.mark.parametrize(
    ("label", "text", "kind"),
    [
        ("Yes", "Yes", "yes"), ("Yes, within 30 days", "Yes, within 30 days", "yes"), ("If no", "no", "no"),
        ("Customer agrees", "I agree", "agree"), ("The user declines", "I decline", "refuse"),
        ("Customer does not want it", "I do not want it", "refuse"), ("Done", "Done", "done"),
        ("Not yet", "Not yet", "not_done"), ("It works", "It works", "works"),
        ("not resolved", "not resolved", "fails"),
        ("doesn’t work", "doesn’t work", "fails"), ("don't know", "don't know", "unsure"), ("else", "else", "other"),
        (">= 30 days", "at least 30 days", None), ("= 30", "30", None), ("!= 30", "not 30", None),
        ("score >= 700", "score at least 700", None), ("score<700", "score less than 700", None),
        ("plan = 'gold'", "plan is 'gold'", None), ("plan != gold", "plan is not gold", None),
        ("If price ≤ $5", "price at most $5", None), ("old (>=18)", "old (at least 18)", None),
        ("Customer has > 3 cards", "I have more than 3 cards", None), ("to <name> here", "to <name> here", None),
        ("1. Yes", "Yes", "yes"), ("2) No", "No", "no"), ("3. Other", "Other", "other"), ("No 👎", "No", "no"),
        ("- 3 - Billing", "Billing", None), ("a) if not sure", "not sure", "unsure"), ("-1", "-1", None),
        ("1.5 litres", "1.5 litres", None), ("3 - 5 days", "3 - 5 days", None),
        ("A -> B", "A -> B", None), ("a => b", "a => b", None), ("=", "=", None),
        ("Right side", "Right side", None), ("Fixed price", "Fixed price", None),
        ("accepts", "I accept", "agree"), ("Declines the offer", "I decline the offer", "refuse"),
        ("wants their money", "I want my money", None),
        ("User has their receipt", "I have my receipt", None), ("Other account", "Other account", None),
    ],
)  # fmt: skip
def test_arrows_choose_their_bank_by_their_words(label: str, text: str, kind: str | None) -> None:
    assert (answer(label), kind_of(label)) == (text, kind)


def test_built_in_banks_are_large_and_share_no_phrase() -> None:
    keys = [said(p) for bank in ANSWERS.values() for p in bank]
    assert min(len(bank) for bank in ANSWERS.values()) >= 12
    assert len(keys) == len(set(keys))


@pytest.mark.parametrize(
    ("label", "terminal"),
    [
        ("Escalate to a supervisor", "escalation"), ("Hand over to human", "escalation"),
        ("Order cancelled", "abandonment"),
        ("Customer gives up", "abandonment"), ("Thank you", "success"), ("Transfer declined case", "escalation"),
    ],
)  # fmt: skip
def test_an_end_is_read_from_its_words(label: str, terminal: str) -> None:
    assert terminal_of(label) == terminal


@pytest.mark.parametrize(
    ("label", "hands"),
    [
        ("Transfer to agent", True), ("3. Hand over to a human.", True), ("Hand the call over to support", True),
        ("Escalate", True), ("Escalate to L2", True), ("Connect the customer with a specialist", True),
        ("Connect to the network", False), ("Transfer the money to the agent's account", False),
        ("Transfer to savings account", False), ("Transfer failed", False), ("Escalate failed", False),
        ("Ask an agent", False), ("Hand over the keys", False), ("Hand it over to the customer", False),
        ("Transfer to customer service", True),
    ],
)  # fmt: skip
def test_a_step_that_hands_over_is_told_by_its_verb_and_its_object(label: str, hands: bool) -> None:
    assert hands_over(label) == hands


def test_numbers_and_emojis_are_no_words_of_a_start_or_an_end() -> None:
    assert is_start("▶ Start")
    assert is_trigger("📞 Customer calls")
    assert is_only_end("✅ Done")
    assert not is_only_end("✅ Booked")
    assert last_words("4. Confirm the booking") == "I will now confirm the booking."


def test_names_are_unique_identifiers() -> None:
    taken: list[str] = []
    for label in ("Ask?", "Ask!", "3 days", "", "Größe: 1/2", "²", "can't", "a very long label of more than six words"):
        taken.append(identifier(label, "id", taken))
    assert list(identifiers(dict.fromkeys("abc", "Ask?") | {"d": "ask 2", "e": "", "f": "Ask"}).values()) == [
        "ask", "ask_2", "ask_3", "ask_2_2", "e", "ask_4"
    ]  # fmt: skip
    assert taken == ["ask", "ask_2", "n_3_days", "id", "grösse_1_2", "id_2", "cant", "a_very_long_label_of_more"]
