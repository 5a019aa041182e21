"""Personas: how a simulated user's phrase sounds when a terse, chatty, sloppy or impatient person types it.

Noise touches the words around a value, never the value: whether a value was repeated rightly must stay
decidable.
"""

from __future__ import annotations

from random import Random

from flowc.graph import PLACEHOLDER, Bank, part

PERSONAS = ("plain", "terse", "chatty", "sloppy", "impatient")

_OPENERS = {
    "chatty": (
        "Hi there!", "Oh, good question.", "Let me see.", "Thanks for asking!", "Right, so.", "Sure thing.",
        "Ah yes.", "Hmm, well.", "Okay, lovely.", "Good to hear from you.", "Well, let me think.", "Oh nice.",
    ),
    "impatient": (
        "Look,", "Quickly please:", "I am in a hurry.", "Short on time here.", "Come on,", "Let us be quick.",
        "I have a meeting in five.", "Fast please.", "No time to waste.", "Just get on with it:",
    ),
}  # fmt: skip
_CLOSERS = {
    "chatty": (
        "Thanks so much!", "I am really looking forward to it.", "You are very helpful.", "Hope that helps!",
        "It is for a special occasion.", "My sister told me about you.", "What a day it has been.",
        "I have been planning this for ages.", "Thank you kindly.", "That would be great.",
    ),
    "impatient": ("Hurry up.", "Next.", "Make it quick.", "What else?", "Go on.", "Can we move on?"),
}  # fmt: skip
_CONFUSED = (
    "Sorry, what do you need from me?", "I did not get that.", "What do you mean?", "I am not sure what you want.",
    "Could you say that again?", "Sorry, I am lost. What is next?",
)  # fmt: skip


def speak(phrase: str, persona: str, rng: Random, bank: Bank) -> str:
    """Give the phrase (placeholders still in it) as the persona would type it."""
    if persona == "terse":
        return phrase.rstrip(".!")
    if persona in _OPENERS:
        choice = rng.random()
        if choice < 0.35:
            return f"{rng.choice(part(_OPENERS[persona], bank))} {phrase}"
        if choice < 0.7:
            closer = rng.choice(part(_CLOSERS[persona], bank))
            return f"{phrase} {closer}" if phrase.endswith((".", "!", "?")) else f"{phrase}. {closer}"
        return phrase
    if persona == "sloppy":
        return _sloppy(phrase, rng)
    return phrase


def confused(rng: Random, bank: Bank) -> str:
    """Give what a user says who cannot make sense of the assistant's last message."""
    return rng.choice(part(_CONFUSED, bank))


def _sloppy(phrase: str, rng: Random) -> str:
    words = phrase.split(" ")
    plain = [i for i, w in enumerate(words) if len(w) > 4 and not PLACEHOLDER.search(w)]
    words = [w if PLACEHOLDER.search(w) else w.lower() for w in words]
    if plain and rng.random() < 0.6:
        i = rng.choice(plain)
        at = rng.randrange(1, len(words[i]) - 2)
        word = words[i]
        swapped = word[:at] + word[at + 1] + word[at] + word[at + 2 :]
        words[i] = swapped if rng.random() < 0.5 else word[:at] + word[at + 1 :]
    text = " ".join(words)
    return text.rstrip(".!") if rng.random() < 0.7 else text
