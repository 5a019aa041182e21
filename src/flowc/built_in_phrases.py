"""Phrases for charts, which have none: what users answer, chosen by the words of an arrow, and what surrounds a label.

No phrase stands in two banks of `ANSWERS`, so two arrows of one box with different banks are never answered alike.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import permutations

from flowc.chart_words import undecorated

ANSWERS: dict[str, tuple[str, ...]] = {
    "yes": (
        "Yes.", "Yes, it is.", "Yes, that is right.", "Yeah.", "Yep.", "That is correct.", "Correct.", "Exactly.",
        "Indeed.", "Right.", "Yes, that is the case.", "Absolutely.", "Yes, definitely.", "True.", "It is, yes.",
        "Affirmative.", "Yup, exactly.", "That is so.", "I can say yes to that.", "Certainly, yes.",
    ),
    "no": (
        "No.", "No, it is not.", "Nope.", "No, that is not right.", "Not at all.", "That is not the case.", "Nah.",
        "No, not really.", "I have to say no.", "Not that I know.", "Negative.", "That is wrong.", "Not true.",
        "No, not in my case.", "Unfortunately not.", "Afraid not.", "It is not, no.", "Definitely not.", "No way.",
    ),
    "agree": (
        "I agree.", "That is fine with me.", "I accept.", "That suits me.", "Let us do that.", "Sounds good to me.",
        "I am happy with that.", "That works for me.", "Gladly.", "Please do.", "Go ahead.", "I would like that.",
        "You have my consent.", "Fine by me.", "I take it.", "That is what I want.", "Sure, go on with it.",
    ),
    "refuse": (
        "I do not agree.", "I do not want that.", "No thanks, I would rather not.", "I decline.", "That is not for me.",
        "I am not interested.", "I do not accept that.", "Please do not.", "I refuse.", "Leave it, please.",
        "I would rather not do that.", "That does not suit me.", "I turn that down.", "I am against it.",
        "You do not have my consent.", "I pass on that.",
    ),
    "done": (
        "Done.", "I have done that.", "It is done.", "Finished.", "I did it.", "I have just done it.", "All done.",
        "That is taken care of.", "I did what you said.", "I have finished that.", "Okay, I did that.", "Completed.",
        "That is behind me now.", "I followed your steps.", "There, I did it.", "Ready, I have done it.",
    ),
    "not_done": (
        "Not yet.", "I have not done that.", "It is not done.", "I did not do it.", "I have not finished.",
        "I could not do it.", "I did not manage that.", "Still not done.", "I have not got round to it.",
        "That is not done yet.", "I was not able to do that.", "I am not finished.", "I still have to do it.",
        "I could not complete it.",
    ),
    "works": (
        "It works now.", "That fixed it.", "The problem is gone.", "It is working again.", "That solved it.",
        "It is fixed.", "Everything works.", "That helped.", "It runs fine now.", "No more trouble.",
        "That did the trick.", "It is all right again.", "Solved, thank you.", "It works fine again.",
    ),
    "fails": (
        "It does not work.", "It still does not work.", "That did not help.", "The problem is still there.",
        "Nothing has changed.", "It is still broken.", "It fails again.", "It does not respond.", "Same problem.",
        "That did not fix it.", "It is as bad as before.", "Still the same trouble.", "It keeps failing.",
        "That did not solve it.",
    ),
    "unsure": (
        "I do not know.", "I am not sure.", "I have no idea.", "No clue.", "I cannot tell.", "I could not say.",
        "Hard to say.", "I really do not know.", "That I do not know.", "I am uncertain about that.", "Who knows.",
        "I cannot say for sure.", "I have forgotten.", "I would have to guess.",
    ),
    "other": (
        "None of these.", "Something else.", "It is something else.", "Neither.", "None of those.",
        "Another one.", "It is a different matter.", "That is not among them.", "Something different.",
        "Other than that.", "It is another thing.", "None of them fits.", "My case is different.",
        "Nothing of the kind.",
    ),
    "acknowledge": (
        "Okay.", "I see.", "Understood.", "Got it.", "All right.", "Thanks for telling me.", "Good to know.",
        "I understand.", "That is clear.", "Noted.", "Thank you.", "Alright.", "I hear you.", "Clear.",
        "Okay, thank you.", "Very well.", "Makes sense.", "Okay, go on.",
    ),
    "open": (
        "Let me explain how it is.", "I can tell you about that.", "It is the usual one.", "It is quite simple.",
        "I have written it down here for you.", "Here it is.", "Here you are.", "You will find it in my last letter.",
        "I would put it like this.", "That is easily told.", "I have the details at hand.", "It is as follows.",
        "I have it right in front of me.", "This is all that I know about it.", "It is the same as last time.",
        "I can give you that.",
    ),
    "human": (
        "I want to talk to a person.", "Can I speak to someone?", "Connect me to a human, please.", "Get me an agent.",
        "I would rather talk to a real person.", "Let me talk to your colleague.", "Put me through to somebody.",
        "I need a human being.", "Is there a person whom I can talk to?", "Give me a representative.",
        "I do not want to talk to a machine.", "May I speak with your supervisor?", "Please hand me over to someone.",
        "A person, please.", "Transfer me to customer service.", "I would like to speak with an employee.",
    ),
    "cancel": (
        "I want to stop here.", "Forget it.", "Never mind, let us drop it.", "Cancel that, please.",
        "I have changed my mind.", "I want to cancel the whole thing.", "Let us leave it.", "I do not want to go on.",
        "Please stop.", "I give up.", "That is enough, I am leaving.", "Let us call it off.", "Abort this.",
        "I do not need it any more.", "Drop it, please.", "I am going to quit here.",
    ),
    "off_topic": (
        "The weather is lovely today.", "What is your favourite colour?", "My cat is asleep on the sofa.",
        "Did you see the match last night?", "I had pasta for lunch.", "Do you know a good joke?",
        "I am learning to play the piano.", "Is it going to rain tomorrow?", "My neighbour is very loud.",
        "What do you think of modern art?", "I watched a good film yesterday.", "Coffee or tea, what do you prefer?",
        "The traffic was awful this morning.", "My sister is getting married.", "How old are you?",
        "I wonder who built the pyramids.",
    ),
}  # fmt: skip
"""What users say, by what it means."""

_NOT = r"(?:do not|does not|did not|don't|doesn't|didn't|not|isn't|hasn't|haven't|cannot|can't|could not|never)"
_KINDS = (
    ("unsure", rf"{_NOT} (?:know|sure|certain)|(?:unsure|unknown|uncertain|maybe|unclear)$"),
    ("not_done", rf"{_NOT} (?:yet )?(?:done|finish|finished|complete|completed|ready|received)|not yet"
     r"|(?:incomplete|unfinished|pending)$"),
    ("fails", rf"{_NOT} (?:work|fix|solve|resolve|help)|still (?:broken|fail|there|not)"
     r"|(?:unresolved|unsolved|broken|fails|failing|failed|failure)$"),
    ("refuse", rf"{_NOT} (?:agree|accept|want|interested|like|approve|consent)"
     r"|(?:decline|refuse|reject|disagree|deny|denies|denied)"),
    ("other", r"(?:else|otherwise|others?|something else|anything else|none|none of (?:these|those|the above)|default"
     r"|neither)$"),
    ("works", r"(?:works|working|worked|fixed|solved|resolved|helped)(?: now| again)?$"),
    ("done", r"(?:done|finished|completed?|ready|received)$"),
    ("agree", r"agree|accept|approve|(?:interested|consents?|confirm(?:s|ed)?|satisfied|happy)$"),
    ("no", r"(?:no|not|nope)(?!\w)|(?:n|false|incorrect|wrong|negative|invalid)$"),
    ("yes", r"(?:yes|yeah|yep)(?!\w)|(?:y|true|ok|okay|correct|right|sure|positive|valid)$"),
)  # fmt: skip
_FORMULA = re.compile(r"[<>=]|\bmatches\b")
_EXPLAINED = re.compile(r"(?<=[\w,.!?])(?<!\bnot)(?<!\band)(?<!\bor)\s*(?:\([^()]*\)|\[[^\[\]]*\])", re.IGNORECASE)
_OTHERWISE = ("otherwise", "else", "default")
_LEADING = re.compile(
    r"(?:(?:if|when|in case) )?(?:(?:the )?(?:customer|user|caller|client|patient|guest|they|it) )?"
    r"(?:(?:is|are|has|was|have) )?"
)

VALUES = (
    "{x}", "{x}, please.", "It is {x}.", "That would be {x}.", "I would say {x}.", "{x}, I think.", "Let me see: {x}.",
    "The answer is {x}.", "In my case {x}.", "Put down {x}.", "{x} is right.", "Make it {x}.", "You can write {x}.",
    "I am going with {x}.", "It should be {x}.", "That is {x}.",
)  # fmt: skip
"""How users answer with a value of a slot, or with the label of an arrow."""
CLAUSES = (
    "{text}", "Well, {small}", "I think {small}", "Actually, {small}", "As far as I know, {small}",
    "To be honest, {small}", "Let me see, {small}", "I can say that {small}", "It is like this: {small}",
    "In my case, {small}", "So, {small}", "I would say that {small}",
)  # fmt: skip
"""How users say a whole sentence."""
MENTIONS = (
    "the {name} is {x}", "{x} is the {name}", "my {name} is {x}", "for the {name} take {x}",
    "as for the {name}, it is {x}", "you may note {x} as the {name}", "by the way, the {name} is {x}",
    "the {name} would be {x}", "about the {name}: it is {x}", "concerning the {name}, I have {x}",
    "I can already say that the {name} is {x}", "put {x} down as the {name}",
)  # fmt: skip
CORRECTIONS = (
    "Sorry, the {name} is {x}.", "Actually, the {name} should be {x}.", "I have to correct the {name}, it is {x}.",
    "Wait, make the {name} {x}.", "I got the {name} wrong, it is {x}.", "Please change the {name} to {x}.",
    "My mistake, the {name} is {x}.", "No, hold on, {x} is the {name}.", "Correction, the {name} is {x}.",
    "Let me correct myself, the {name} is {x}.", "On second thought, the {name} is {x}.",
    "Could you change the {name} to {x}?",
)  # fmt: skip
NOTED = (
    "Understood, the {name} is {x}.", "I have changed the {name} to {x}.", "All right, {x} as the {name} then.",
    "Noted, the {name} is now {x}.", "No problem, I take {x} as the {name}.", "Thank you, {x} is the {name} now.",
)  # fmt: skip

QUESTIONS = (
    "{text}", "Please tell me: {small}", "My next question: {small}", "One question: {small}",
    "I would like to know: {small}", "Let me ask you: {small}", "Now, {small}", "May I ask: {small}",
)  # fmt: skip
STATEMENTS = (
    "{text}", "Just so you know: {small}", "Please note: {small}", "This is how it stands: {small}",
    "Let me say this: {small}", "Here is the next step: {small}", "For your information: {small}", "Now: {small}",
)  # fmt: skip
HEARD = ("{text}", "Very well, {small}", "One moment, {small}", "Of course, {small}")
AGAIN = ("{text}", "So, {small}", "Back to where we were: {small}", "As I said: {small}")
ENDINGS: dict[str, tuple[str, ...]] = {
    "success": (
        "That is all, thank you and goodbye.", "We are done, have a good day.", "Everything is settled, goodbye.",
        "That was it, thank you for your time.", "All is taken care of, goodbye.", "We have finished, take care.",
    ),
    "abandonment": (
        "All right, we stop here. Nothing has been done.", "I have stopped it, nothing will happen.",
        "As you wish, I leave it at that.", "Then we leave it, come back at any time.",
        "I have dropped it, goodbye.", "Nothing goes ahead, goodbye.",
    ),
    "escalation": (
        "A colleague will take over from here.", "I pass you on to one of my colleagues.",
        "One of our people will help you now.", "I am connecting you with a colleague.",
        "You will be talking to a person in a moment.", "My colleague takes it from here.",
    ),
}  # fmt: skip
BACK = (
    "I see. Let us go on.", "That is a matter for another day. Back to our topic.",
    "I would rather stay with our topic.",
    "I can only help you with this matter.", "Let us return to where we were.", "I hear you. Now, back to business.",
)  # fmt: skip


def kind_of(label: str) -> str | None:
    """Name the bank of answers that an arrow's words mean, by how they begin; None where no bank does."""
    words = _plain(label)
    rest = _LEADING.sub("", words, count=1)
    return next((kind for kind, expression in _KINDS if any(re.match(expression, w) for w in (words, rest))), None)


def kinds_of(labels: Sequence[str]) -> list[str | None]:
    """Name the bank of each of a box's arrows. What one says tells what another means.

    "verified" is a yes beside "not verified" and alone is none, and so is "otherwise" beside a no, where there is no
    third; of one letter only y and n beside each other mean anything. What stands in brackets explains, "yes (>= 18)",
    unless it is what tells two arrows apart.
    """
    bare = [_EXPLAINED.sub(" ", label) for label in labels]
    if all(map(_plain, bare)) and len(set(map(_plain, bare))) == len(labels):
        labels = bare
    plain = [_plain(label) for label in labels]
    letters = set(plain) <= {"y", "n"}
    kinds = [None if _FORMULA.search(label) or (len(p) == 1 and not letters) else kind_of(label)
             for p, label in zip(plain, labels, strict=True)]  # fmt: skip
    for i, j in permutations(range(len(labels)), 2):
        if kinds[i] in (None, "no") and kinds[j] is None and plain[j] and _unsaid(plain[i]) == plain[j] != plain[i]:
            kinds[i], kinds[j] = "no", "yes"
        if len(labels) == 2 and plain[i] in _OTHERWISE and kinds[j] in ("yes", "no"):
            kinds[i] = "no" if kinds[j] == "yes" else "yes"
    return kinds


def _plain(label: str) -> str:
    return " ".join(re.sub(r"[^\w' ]", " ", undecorated(label).casefold().replace("’", "'")).split())


def _unsaid(words: str) -> str:
    return " ".join(w for w in words.split() if w not in ("not", "no"))
