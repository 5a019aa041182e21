"""What the words in a chart's boxes and on its arrows become: the assistant's speech, the user's, and names.

Boxes instruct ("Ask for the date of loss"); the customer hears a question ("What is the date of loss?").
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Literal, NamedTuple

from flowc.graph import Terminal

Manner = Literal["open", "yes_no", "offer", "request", "statement"]
"""What is answered: with anything, with yes or no, by agreeing, by doing it, or just acknowledged."""


class Speech(NamedTuple):
    """A sentence of the assistant's and how users answer it."""

    text: str
    manner: Manner


_WHO = r"(?:(?:the |your )?(?:customer|user|caller|client|patient|guest|member|visitor|person)s?)"
_ENDS: tuple[tuple[Terminal, str], ...] = (
    ("escalation", r"transfer\w*|human|agent|escalat\w*|hand(?:ed|s|ing)?[ -]?(?:over|off)|supervisor|specialist|"
     r"representative|colleague|manager|operator|call (?:centre|center)|forward(?:ed)? to|support team"),
    ("abandonment", r"cancel\w*|abandon\w*|declin\w*|reject\w*|refus\w*|giv(?:e|es|ing) up|gave up|abort\w*|denied|"
     r"deny|fail\w*|not eligible|unsuccessful|quit|without (?:booking|purchase|order|result)|no deal"),
)  # fmt: skip
_START = re.compile(
    r"(?:start|begin|beginning|entry(?: point)?)(?: here)?"
    r"(?: (?:of )?(?:the )?(?:call|chat|conversation|dialog|dialogue|process|flow|procedure|workflow))?\W*",
    re.IGNORECASE,
)
_WHO_CAME = re.compile(
    rf"{_WHO} (?:calls?|contacts?|opens?|starts?|begins?|wants?|needs?|sends?|writes?|reports?|requests?|submits?"
    r"|visits?|logs in|dials?|complains?|initiates?|enters?|arrives?|rings?)\b.*",
    re.IGNORECASE,
)
_WHAT_CAME = re.compile(
    r"(?:incoming|inbound|new) \S+(?: \S+)?"
    r"|(?:\S+ ){1,3}(?:is |was |has been )?(?:received|arrives?|arrived|comes in|came in)\W*",
    re.IGNORECASE,
)
_ONLY_END = re.compile(
    r"(?:the )?(?:end|stop|finish|finished|done|exit|close|closed|complete|completed|goodbye|bye|success|failure|"
    r"terminate|cancel|cancelled|canceled|abandoned|escalate|escalated|abort|aborted)"
    r"(?: (?:of )?(?:the )?(?:call|chat|conversation|dialog|dialogue|process|flow|procedure|workflow))?\W*",
    re.IGNORECASE,
)
_HANDS = re.compile(
    rf"escalate\b.*|(?:transfer|connect|hand)(?: (?:over|off))?"
    rf"(?: (?:{_WHO}|(?:the |your )?(?:call|chat|conversation|case|ticket|issue|matter)|it|them|you))?"
    rf"(?: (?:over|off))? (?:to|with)\b(?! {_WHO}$|.*\b(?:account|savings|wallet|card)$).*",
    re.IGNORECASE,
)
_DOES = (
    "accept|activate|add|allow|answer|apply|approve|arrange|assign|authorize|authorise|block|book|calculate|call|"
    "cancel|change|check|close|complete|connect|contact|continue|create|deactivate|delete|deliver|deny|dispatch|email|"
    "escalate|evaluate|file|find|finish|flag|forward|generate|give|hand|initiate|issue|lock|log|look|mark|notify|open|"
    "order|pay|perform|prepare|process|refund|register|reject|remove|renew|replace|reset|reserve|return|review|route|"
    "run|save|schedule|search|send|set|ship|show|start|submit|transfer|trigger|unblock|unlock|update|upgrade|validate|"
    "waive|write"
)
_HAPPENED = re.compile(
    rf"(?:{_DOES}|offer|request|report) (?:(?:(?:is|are|was|were|has been|not|now|successfully|already) )*"
    r"(?:\w+ed|found|sent|paid|lost|made|given|done|complete|successful|unsuccessful|valid|invalid|open|due)(?: \w+ly)?"
    r"|.* (?:failed|completed|succeeded))",
    re.IGNORECASE,
)
"""A noun that could be a verb, and what became of it: "Order placed", "Return rejected"."""
_HELPERS = "is|are|was|were|can|could|will|would|should|must|does|do|did|has|have|had"
_ASKING = "what|which|when|where|who|whom|why|how"
_DETERMINER = re.compile(r"(?:a|an|another|the|your|our|my|this|that|these|those|any|some|all|each|every|more|which"
                         r"|what|how|who|whom|when|where|why|\d+)\b", re.IGNORECASE)  # fmt: skip


def sentence(text: str) -> str:
    """Make a label a sentence: no braces (they are for slots), a capital first, a full stop last."""
    text = " ".join(text.replace("{", "(").replace("}", ")").split())
    text = text[:1].upper() + text[1:]
    return text if text.endswith((".", "!", "?", "…")) else f"{text.rstrip(' ,:;-')}."


def small(text: str) -> str:
    """Give a sentence as it stands behind a colon: a lower first letter unless the first word is a name or I."""
    first = text.split(" ")[0].rstrip(".,!?")
    keeps = first == "I" or first.startswith("I'") or (len(first) > 1 and not first[1:].islower())
    return text if keeps else text[:1].lower() + text[1:]


_ADORNS = "[\u2190-\u21ff\u2300-\u23ff\u25a0-\u27bf\u2b00-\u2bff\U0001f000-\U0001faff\ufe0f\u200d\u20e3]"
_NUMBERING = re.compile(
    rf"(?:{_ADORNS}+\s*|\d[\ufe0f\u20e3]+\s*|[-*•·–—]\s+|\(\d{{1,2}}\)\s+|[a-z]\)\s+"
    r"|\d{1,2}(?:\.\d{1,2})*(?:[.):]\s+|\s+[-–—]\s+(?=[^\W\d]))"
    r"|step\s+\d{1,2}(?:\.\d{1,2})*[a-z]?\s*(?:[.):]|[-–—](?=\s))\s*)+",
    re.IGNORECASE,
)
_NEXT_NUMBER = re.compile(r"\s\d{1,2}[.)]\s+\S")


def undecorated(label: str) -> str:
    """Take off what only numbers or adorns a label, "1.", "2)", "Step 3:", a dash, an emoji, and never all of it.

    A label that is itself a numbered list stays as it is.
    """
    numbering = _NUMBERING.match(label.strip())
    text = re.sub(rf"\s*{_ADORNS}+$", "", label.strip()[numbering.end() if numbering else 0 :])
    return text if re.search(r"\w", text) and not _NEXT_NUMBER.search(text) else label


def is_start(label: str) -> bool:
    """Whether a box only says that the chart starts."""
    return not label or bool(_START.fullmatch(undecorated(label)))


def is_trigger(label: str, drawn: bool = True) -> bool:
    """Whether a start says what happened before the conversation ("Customer calls"), which nobody says in it.

    Where it is not `drawn` as a start, it has to begin with who came: "New order" may be a topic.
    """
    text = undecorated(label)
    came = _WHO_CAME.fullmatch(text) or (drawn and _WHAT_CAME.fullmatch(text))
    return not label.endswith("?") and bool(came)


def is_only_end(label: str) -> bool:
    """Whether a box only says that the chart ends."""
    return not re.search(r"\w", label) or bool(_ONLY_END.fullmatch(undecorated(label)))


def terminal_of(label: str) -> Terminal:
    """Read from an end's words how it ends."""
    for terminal, words in _ENDS:
        if re.search(rf"\b(?:{words})\b", label, re.IGNORECASE):
            return terminal
    return "success"


def hands_over(label: str) -> bool:
    """Whether a step gives the customer to a colleague ("Transfer to an agent")."""
    text = undecorated(label).rstrip(". ")
    if not _HANDS.fullmatch(text) or _HAPPENED.fullmatch(text):
        return False
    return not re.match("connect", text, re.IGNORECASE) or terminal_of(text) == "escalation"


def speech(label: str, asks: bool) -> Speech:
    """Turn a box's label into what the assistant says; `asks` where the chart draws it as a question."""
    text = _prompted(undecorated(label).strip())
    said = _speech(text)
    if asks and said.manner == "statement":
        said = Speech(f"{text.rstrip('.?! ')}?", "yes_no" if len(text.split()) > 1 else "open")
    return Speech(sentence(said.text), said.manner)


def last_words(label: str) -> str:
    """Turn an end's label into what the assistant says there; nobody answers, so it does not ask for anything."""
    spoken = speech(label, False)
    if spoken.text.endswith("?") and not label.rstrip().endswith("?"):
        return sentence(f"I will now {small(_to_you(undecorated(label).strip().rstrip('. ')))}")
    return spoken.text


def _prompted(label: str) -> str:
    """Give what stands behind "Ask:" or "Tell the customer:": words to be said, or what is to be asked for."""
    found = re.fullmatch(rf"(ask|say|tell)(?: {_WHO})?\s*:\s*(.*\w.*)", label, re.IGNORECASE)
    if not found:
        return label
    rest = found[2].strip('"“” ')
    if found[1].lower() == "ask" and re.match(rf"(?:{_HELPERS}|{_ASKING})\b", rest, re.IGNORECASE):
        return f"{rest.rstrip('.? ')}?"
    verbatim = found[1].lower() != "ask" or rest.endswith("?") or re.match(r"please\b", rest, re.IGNORECASE)
    return rest if verbatim else f"ask {small(rest)}"


def _speech(label: str) -> Speech:
    text = _to_you(label.rstrip(". "))
    if label.endswith("?"):
        helper = re.match(rf"(?:{_HELPERS})\b", text, re.IGNORECASE)
        return Speech(text, "yes_no" if helper else "open")
    if _HAPPENED.fullmatch(text):
        return Speech(text, "statement")
    for expression, make in _RULES:
        found = re.match(rf"(?:{expression})$", text, re.IGNORECASE)
        if found:
            return make(*found.groups())
    return Speech(text, "statement")


def _to_you(text: str) -> str:
    """Let the customer of an instruction be the one who is spoken to."""
    text = re.sub(rf"\b{_WHO}['’]s?(?=\s)", "your", text, flags=re.IGNORECASE)
    text = re.sub(r"\b(?:their|his or her|his/her)\b", "your", text, flags=re.IGNORECASE)
    return re.sub(r"\b(?:they|them)\b", "you", text, flags=re.IGNORECASE)


def _thing(text: str) -> str:
    return text if _DETERMINER.match(text) else f"the {small(text)}"


def _what(thing: str) -> Speech:
    if re.match(rf"(?:{_ASKING})\b", thing, re.IGNORECASE):
        return Speech(f"can you tell me {small(thing)}?", "open")
    if re.match(r"an?\s", thing, re.IGNORECASE):
        return Speech(f"can you give me {small(thing)}?", "open")
    head = re.split(r"\s(?:of|for|in|on|at|to|from|with|about|that|which)\s", thing)[0]
    plural = re.search(r"(?:[^su]s|\band\b.*)$", head) is not None
    return Speech(f"what {'are' if plural else 'is'} {_thing(thing)}?", "open")


_YOU_DO = r"you (is|are|was|were|has|have|wants?|needs?|can|could|will|would|agrees?|accepts?|owns?|likes?) (.+)"
_IT_DOES = r"((?:the|your|this|that|it|a|an)\b(?: \w+){0,3}?) (is|are|was|were|has|have|can|will) (.+)"


def _whether(clause: str) -> Speech:
    clause = re.sub(rf"^{_WHO}\b", "you", clause, flags=re.IGNORECASE)
    you = re.match(_YOU_DO, f"{clause} ", re.IGNORECASE)
    if you:
        verb, rest = you[1].lower(), you[2].strip()
        if verb in ("is", "are"):
            return Speech(f"are you {rest}?", "yes_no")
        if verb in ("was", "were"):
            return Speech(f"were you {rest}?", "yes_no")
        if verb in ("can", "could", "will", "would"):
            return Speech(f"{verb} you {rest}?", "yes_no")
        if verb in ("has", "have"):
            perfect = re.match(r"(?:already |ever |been )?\w+(?:ed|en|ne)\b", rest)
            return Speech(f"have you {rest}?" if perfect else f"do you have {rest}?", "yes_no")
        return Speech(f"do you {verb.removesuffix('s')} {rest}?", "yes_no")
    other = re.match(_IT_DOES, clause, re.IGNORECASE)
    if other:
        return Speech(f"{other[2].lower()} {small(other[1])} {other[3]}?", "yes_no")
    clause = re.sub(rf"\b{_WHO}$", "you", clause, flags=re.IGNORECASE)
    return Speech(f"can you tell me whether {small(clause)}?", "yes_no")


_NO_DEPARTMENT = (
    r"(?! (?:account|advis[eo]r|agent|care|data|desk|file|history|id|number|portal|profile|record|relations"
    r"|representative|service|success|support|team)s?\b)"
)
"""What makes the customer before it a part of a name: customer service, the customer record."""


def _does(verb: str, rest: str) -> Speech:
    if re.fullmatch(r"escalate|transfer|connect|forward|route|hand over|hand off", verb, re.IGNORECASE):
        rest = re.sub(rf"^{_WHO}\b{_NO_DEPARTMENT}|^(?:the )?(?:call|chat)\b", "you", rest, flags=re.IGNORECASE)
        rest = rest if rest.startswith(("you", "your")) or not re.match(r"to\b|over\b", rest) else f"you {rest}"
    rest = re.sub(rf"(?<!\ba )\b(?!persons?\b){_WHO}(?!\w){_NO_DEPARTMENT}", "you", rest, flags=re.IGNORECASE)
    parted = re.fullmatch(r"(hand) (over|off) (you|your \w+)( .+)?", f"{verb} {rest}", re.IGNORECASE)
    if parted:
        return Speech(f"I will now hand {parted[3]} {parted[2].lower()}{parted[4] or ''}", "statement")
    return Speech(f"I will now {verb.lower()} {rest}", "statement")


def _first_polite(polite: str, rest: str) -> Speech:
    """Join a greeting or thanks with what is to be said behind it."""
    first, then = _speech(polite), _speech(rest)
    return Speech(f"{first.text}, {small(then.text)}", then.manner)


_ASK = rf"ask (?:{_WHO} )?"
_RULES = (
    (rf"{_ASK}(?:for|to (?:provide|give|state|enter|share)) (.+)", _what),
    (rf"{_ASK}(?:whether|if) (.+)", _whether),
    (rf"{_ASK}(?:you )?to (.+)", lambda x: Speech(f"please {small(x)}", "request")),
    (rf"{_ASK}about (.+)", lambda x: Speech(f"what can you tell me about {_thing(x)}?", "open")),
    (rf"{_ASK}(.+)", _what),
    (rf"(?:request|collect|get|obtain|gather|enquire about|inquire about) (.+?)(?: from {_WHO})?", _what),
    (r"(?:check|verify|confirm|determine|find out|see|establish|ensure|make sure) (?:whether|if|that) (.+)", _whether),
    (rf"(?:confirm|verify|validate) (?:with {_WHO} )?(.+?)(?: with {_WHO})?",
     lambda x: Speech(f"can you confirm {_thing(x)}?", "yes_no")),
    (rf"offer (?:{_WHO} )?to (.+)", lambda x: Speech(f"would you like me to {small(x)}?", "offer")),
    (rf"offer (?:{_WHO} |to {_WHO} )?(.+)", lambda x: Speech(f"would you like {_thing(x)}?", "offer")),
    (rf"(?:tell|inform|notify|advise|let|remind) {_WHO} (?:know )?that (.+)",
     lambda x: Speech(_you_are(x), "statement")),
    (rf"(?:tell|advise|instruct|remind|let) {_WHO} to (.+)", lambda x: Speech(f"please {small(x)}", "request")),
    (rf"(?:tell|inform|notify|advise|remind) (?:{_WHO} )?(?:about |of |on )?(.+)",
     lambda x: Speech(f"let me tell you about {_thing(x)}", "statement")),
    (rf"(?:explain|describe) (?:to {_WHO} )?(.+?)(?: to {_WHO})?",
     lambda x: Speech(f"let me explain {_thing(x)}", "statement")),
    (rf"(suggest|recommend|propose) (?:to {_WHO} )?(.+)", lambda v, x: Speech(f"I {v.lower()} {small(x)}", "offer")),
    (rf"thank (?:{_WHO})( for .+)?", lambda x: Speech(f"thank you{x or ''}", "statement")),
    (rf"(?:greet|welcome)(?: {_WHO})?", lambda: Speech("hello and welcome", "statement")),
    (rf"say (?:hello|hi)(?: to {_WHO})?", lambda: Speech("hello and welcome", "statement")),
    (rf"say (?:good ?bye|bye|farewell)(?: to {_WHO})?", lambda: Speech("thank you and goodbye", "statement")),
    (rf"(?:say|state|mention|announce) (?:to {_WHO} )?that (.+)", lambda x: Speech(_you_are(x), "statement")),
    (rf"((?:greet|welcome|thank|apologi[sz]e to) {_WHO}(?: for .+?)?|greet|welcome|apologi[sz]e|say hello)"
     r",? (?:and then|and|then) (.+)", _first_polite),
    (rf"apologi[sz]e(?: to {_WHO})?(?: for (.+))?",
     lambda x: Speech(f"I am sorry for {x}" if x else "I am sorry about that", "statement")),
    (rf"(hand over|hand off|look up|{_DOES}) (.+)", _does),
)  # fmt: skip


def _you_are(clause: str) -> str:
    clause = re.sub(rf"^{_WHO}\b", "you", clause, flags=re.IGNORECASE)
    forms = {"is": "are", "has": "have", "was": "were"}
    return re.sub(r"^you (is|has|was)\b", lambda m: f"you {forms[m[1]]}", clause)


def answer(label: str) -> str:
    """Turn an arrow's label into what a user would say: a condition about the customer in the first person."""
    text = " ".join(undecorated(label).replace("{", "(").replace("}", ")").split()).rstrip(".;:, ")
    text = re.sub(r"^(?:if|when|in case)\s+", "", text, flags=re.IGNORECASE) or text
    text = _compared(text)
    person = re.match(rf"(?:{_WHO} (\w+)|({_CHOOSES}))\b(.*)", text, re.IGNORECASE)
    verb = (person[1] or person[2]).lower() if person else ""
    if person and verb not in ("id", "name", "number", "service", "data", "account", "details", "and", "or"):
        text = f"I {_first_person(verb)}{_to_me(person[3])}"
    return text or label


_SIGNS = {
    ">=": "at least", "≥": "at least", "<=": "at most", "≤": "at most", ">": "more than", "<": "less than",
    "!=": "is not", "<>": "is not", "≠": "is not", "==": "is", "=": "is",
}  # fmt: skip
_BLANK = r"<[^\W\d][^<>=]*>"
_COMPARES = re.compile(
    rf"({_BLANK})|(?:^|(?<=\s)|(?<=[\w()\]\"'%])\s*)(?!{_BLANK})([<>!=]=|<>|[<>=≥≤≠])\s*(?=[\w(\"'$€£+-])"
)
"""A sign that compares what stands on its two sides, or the label with what was asked; `<name>` is a blank."""


def _compared(text: str) -> str:
    """Say the signs of comparison in words: nobody can hear the one of `score >= 700` and `score < 700`."""

    def words(found: re.Match[str]) -> str:
        if found[1]:
            return found[1]
        said = _SIGNS[found[2]]
        return f" {said} " if found.start() else f"{said.removeprefix('is').strip()} "

    return " ".join(_COMPARES.sub(words, text).split()).replace("( ", "(")


_CHOOSES = "accepts|agrees|approves|confirms|consents|declines|denies|disagrees|insists|prefers|refuses|rejects|wants"
"""What only the customer does, where no one is named."""


def _first_person(verb: str) -> str:
    irregular = {"is": "am", "has": "have", "does": "do", "doesn": "don", "was": "was", "goes": "go", "are": "am"}
    if verb in irregular:
        return irregular[verb]
    if verb.endswith("ies"):
        return f"{verb[:-3]}y"
    if verb.endswith(("sses", "shes", "ches", "xes")):
        return verb[:-2]
    return verb[:-1] if verb.endswith("s") and not verb.endswith("ss") else verb


def _to_me(text: str) -> str:
    return re.sub(r"\b(?:their|his|her)\b", "my", text)


def identifier(label: str, other: str, taken: Collection[str]) -> str:
    """Give a name made of a label's first words, or of `other` where it has none, unlike all in `taken`."""
    name = first = _name(label, other)
    number = 1
    while name in taken:
        number += 1
        name = f"{first}_{number}"
    return name


def identifiers(labels: Mapping[str, str]) -> dict[str, str]:
    """Give each key a name as `identifier` does, made of its label or else of the key, unlike those before it.

    It takes no time where thousands have one label: a number that was taken stays so.
    """
    names: dict[str, str] = {}
    taken: set[str] = set()
    last: dict[str, int] = {}
    for key, label in labels.items():
        name = first = _name(label, key)
        while name in taken:
            last[first] = last.get(first, 1) + 1
            name = f"{first}_{last[first]}"
        taken.add(name)
        names[key] = name
    return names


def _name(label: str, other: str) -> str:
    for text in (label, other, "step"):
        letters = "".join(c if f"a{c}".isidentifier() else " " for c in text.casefold().replace("'", ""))
        words = letters.split()[:6]
        if words:
            break
    name = "_".join(words)[:48].strip("_")
    return name if name.isidentifier() else f"n_{name}"
