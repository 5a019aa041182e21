"""Personas: how a simulated user's phrase sounds when a terse, chatty, sloppy or impatient person types it.

Noise touches the words around a value, never the value: whether a value was repeated rightly must stay
decidable.
"""

from __future__ import annotations

from random import Random

from flowc import voices_de
from flowc.graph import PLACEHOLDER, Bank, part

PERSONAS = ("plain", "terse", "chatty", "sloppy", "impatient")

_OPENERS = {
    "chatty": (
        "Hi there!", "Oh, good question.", "Let me see.", "Thanks for asking!", "Right, so.", "Sure thing.",
        "Ah yes.", "Hmm, well.", "Okay, lovely.", "Good to hear from you.", "Well, let me think.", "Oh nice.",
        "Great, thanks.", "Oh, that is easy.", "Let me have a look.", "Good, good.", "Thank you, you are kind.",
        "Hello again!", "Okay, so here we go.", "Oh dear, let me think.", "How exciting!", "Wonderful.",
        "Ha, all right.", "You know what?", "I was hoping you would ask.", "Now let me remember.",
        "Well, as I told my husband,", "Yes yes, of course.", "Oh, you will like this.",
        "I have my notes right here.", "Bear with me a second.", "So glad you are here.", "Good day to you.",
        "Alright, my friend.", "To be honest with you,", "Just a moment.", "As far as I know,",
        "I talked about it at dinner yesterday.", "Let me put my glasses on.", "Isn't this fun?",
        "Good morning!", "Good evening!", "Hello, and thank you.", "Okay.", "Well,", "So,", "Oh,", "Oh yes.",
        "Yes, of course.", "I see.", "Thank you for the quick reply.", "Nice to hear that.", "That is a good point.",
        "I am glad that you ask.", "We talked about this at home.", "I wrote this down somewhere.",
        "One second, please.", "I have it right here.", "Right, let me tell you.", "As I told my sister,",
        "It is a nice day here.", "I am sitting in the garden.", "Thank you so far.", "Very well.",
    ),
    "impatient": (
        "Look,", "Quickly please:", "I am in a hurry.", "Short on time here.", "Come on,", "Let us be quick.",
        "I have a meeting in five.", "Fast please.", "No time to waste.", "Just get on with it:", "Right, fast:",
        "I do not have all day.", "Listen,", "As I said,", "Okay okay.", "My taxi is waiting.", "Hurry,",
        "Keep it short:", "I need to leave soon.", "Again?", "So many questions.", "Fine.", "I have two minutes.",
        "Skip the small talk.",
        "Okay, quickly.", "Quick answer:", "As quick as possible, please.", "Please be fast.", "I am in a rush.",
        "We are in a hurry.", "I am short of time.", "I am busy.", "I am at work, so quickly.", "Let us speed up.",
        "This takes long.", "Let us go on.", "Next, then.", "Right.", "Okay, next.", "I have little time.",
        "I must go in a minute.", "One minute left.", "Make it fast.", "Hurry, please.",
    ),
}  # fmt: skip
_CLOSERS = {
    "chatty": (
        "Thanks so much!", "I am really looking forward to it.", "You are very helpful.", "Hope that helps!",
        "It is for a special occasion.", "My sister told me about you.", "What a day it has been.",
        "I have been planning this for ages.", "Thank you kindly.", "That would be great.", "I can hardly wait.",
        "It has been a long week.", "We talked about it all weekend.", "You are doing a fine job.",
        "This is so exciting.", "My friends are all jealous.", "I hope that is all right.",
        "I am so happy about this.", "Isn't that lovely?", "I found you on the internet.",
        "My neighbour said that you are good.", "Thank you for your patience.", "Oh, it will be so nice.",
        "I have told everybody.", "Well, that is life.", "You made my day.", "How are you, by the way?",
        "I hope your day is going well.", "We have waited so long for this.", "It is the talk of the family.",
        "I should have asked you sooner.", "Goodness, time flies.", "I am all ears.", "That is all that I know.",
        "Just so you know.", "I wrote it all down.", "Nice talking to you.", "It was my wife's idea.",
        "We need it after this year.", "I am a bit nervous.",
        "Thank you.", "Thanks.", "Thanks again.", "Thank you for asking.", "That is what we agreed on.",
        "I am sure about that.", "My family is happy with that.", "I am excited.", "We are so excited.",
        "It will be a nice break.", "I need a break.", "My friend told me about it.", "I hope the weather is good.",
        "I asked my wife.", "My children are so happy.", "We talked about it yesterday.",
        "I have been thinking about it.", "I have checked with my family.", "You are very kind.",
        "Good that you are here.", "I like this chat.", "It is easier than I thought.", "I am writing from the train.",
        "I am on my sofa now.", "It is raining here.", "My dog is waiting for his walk.",
    ),
    "impatient": (
        "Hurry up.", "Next.", "Make it quick.", "What else?", "Go on.", "Can we move on?", "Next question.",
        "And now?", "Is that all?", "Are we done?", "Come on now.", "Quick, please.", "How long does this take?",
        "I am waiting.", "Time is money.", "Let us get this over with.", "What now?", "Keep going.",
        "That is all you need, right?", "Faster, please.", "Anything else?", "I have to run.",
        "Please do not take long.", "Well?", "Get a move on.", "Move along.", "Let us go on.", "Let us move on.",
        "Next step, please.", "What is next?", "Do you need more?", "Anything more?", "Something else?",
        "Is there more?", "Done?", "Okay, next.", "And?", "Let us finish this.", "Let us get it done.",
        "I am running late.", "My train leaves soon.", "Can we speed up?", "Can we hurry?", "Can we go faster?",
        "Do hurry.", "No more delays, please.", "You heard me.", "There, now go on.",
        "Quickly, please.", "Please be quick.", "Please hurry.", "Hurry, please.", "I am in a hurry.",
        "I am in a rush.", "I have no time.", "I have little time.", "I don't have much time.", "We have no time.",
        "What else do you need?", "What do you need next?", "What comes next?", "What is the next question?",
        "Next question, please.", "Please go on.", "Please move on.", "Let us continue.", "Let us go faster.",
        "Let us keep going.", "Let us be quick.", "Let us finish soon.", "Let us get on with it.",
        "Let us do this fast.", "Let us speed this up.", "Let us hurry.", "Can you hurry?", "Can we continue?",
        "Can we finish soon?", "Is this the last question?", "How many more questions?", "I must leave soon.",
        "I have to go soon.", "I have a call in a minute.", "The meeting starts soon.", "That should be enough.",
    ),
}  # fmt: skip
_CONFUSED = (
    "Sorry, what do you need from me?", "I did not get that.", "What do you mean?", "I am not sure what you want.",
    "Could you say that again?", "Sorry, I am lost. What is next?",
)  # fmt: skip

_CHATTER = {"en": (_OPENERS, _CLOSERS), "de": (voices_de.OPENERS, voices_de.CLOSERS)}
_PUZZLED = {"en": _CONFUSED, "de": voices_de.CONFUSED}


def speak(phrase: str, persona: str, rng: Random, bank: Bank, language: str = "en") -> str:
    """Give the phrase (placeholders still in it) as the persona would type it.

    In a language of which no chatter is known, chatty and impatient people say the phrase alone.
    """
    if persona == "terse":
        return phrase.rstrip(".!")
    if persona == "sloppy":
        return _sloppy(phrase, rng)
    if persona == "plain" or language not in _CHATTER:
        return phrase
    openers, closers = _CHATTER[language]
    choice = rng.random()
    if choice < 0.35:
        return f"{rng.choice(part(openers[persona], bank))} {phrase}"
    if choice < 0.7:
        closer = rng.choice(part(closers[persona], bank))
        return f"{phrase} {closer}" if phrase.endswith((".", "!", "?")) else f"{phrase}. {closer}"
    return phrase


def confused(rng: Random, bank: Bank, language: str = "en") -> str:
    """Give what a user says who cannot make sense of the assistant's last message: in any language, at least "?"."""
    return rng.choice(part(_PUZZLED.get(language, ("?",)), bank))


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
