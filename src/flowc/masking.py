"""Personal data in real texts, masked by pattern: e-mail addresses, telephone and card numbers, policy numbers.

Each value is replaced by one of its kind that belongs to nobody, the same one wherever it comes back in a
conversation, so that the text still shows how a value is repeated. In doubt a number is masked: whatever has nine
digits and more, and is no date and no amount of money. What no pattern tells, such as a person's name, is not found.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence

_INVISIBLE = re.compile(
    "[\u00ad\u200b\u2060\ufeff\ue000-\uf8ff]"
)  # would split a number; the last stand for masks here
_FIRST = 0xE000  # of the characters that stand for a masked value until all patterns have been looked for
_MOST = 0xF8FF - _FIRST

_AT = r"(?:\s?[@\uff20]\s?|\s?[(\[{]\s?at\s?[)\]}]\s?)"
_DOT = r"(?:\.|\uff0e|\s?[(\[{]\s?dot\s?[)\]}]\s?)"
_LOCAL = r"(?:\"[^\"\n]{1,64}\"|[\w.!#$%&'*+/=?^`{|}~-]{1,64})"  # bounded, or a long word takes quadratic time
_LAST = r"(?:xn--[\w-]{1,59}|[^\W\d_]{2,63})"
_EMAIL = re.compile(
    rf"{_LOCAL}{_AT}(?:[\w-]{{1,63}}{_DOT}){{1,9}}{_LAST}|[\w.+-]{{1,64}} at (?:[\w-]{{1,63}} dot ){{1,9}}{_LAST}\b",
    re.IGNORECASE,
)
_DAY, _MONTH, _YEAR = "(?:0?[1-9]|[12][0-9]|3[01])", "(?:0?[1-9]|1[0-2])", "(?:(?:19|20)[0-9]{2}|[0-9]{2})"
_DATE = re.compile(
    rf"(?<![\w./-])(?:(?:19|20)[0-9]{{2}}-{_MONTH}-{_DAY}"
    rf"|(?:{_DAY}(?P<one>[./-]){_MONTH}(?P=one)|{_MONTH}(?P<two>[./-]){_DAY}(?P=two)){_YEAR})(?!\w|[./-]\d)"
)
_GAP = r"[\s\u200c\u200d().\-\u2010-\u2015\u2212/]{0,3}"
_NUMBER = re.compile(rf"(?:[+\uff0b]\s?)?[(\uff08]?\d(?:{_GAP}\d)*")
_MONEY = re.compile(r"(?:[$€£¥]|\b(?:USD|EUR|GBP|CHF))\s?$|\d,$")
_CALLED = re.compile(
    r"\b(?:tel|phone|telephone|mobile|cell|call|fax|ring|whatsapp|handy|telefon|mobil|ruf|rufnummer|teléfono|móvil)\b"
    r"\W{1,3}(?:\w{1,12}\W{1,3}){0,3}$",
    re.IGNORECASE,
)
_POLICY = re.compile(
    r"\b(?:policy|policen?|contract|claim|customer|member(?:ship)?|insurance|account|reference|vertrags?|"
    r"versicherungs?(?:schein)?|kunden|mitglieds?|schaden|póliza)"
    r"(?P<number>[ -]?(?:number|num\.?|no\.?|nr\.?|id|nummer|número|#))?[ :#]{0,3}(?:(?:is|ist|lautet|es)\b)?[ :#]{0,3}"
    r"(?P<code>(?-i:[A-Z]{1,4} )?(?=\w)[\w/-]{0,40}\d[\w/-]{0,40}(?: [\w/-]{0,40}\d[\w/-]{0,40}){0,6})",
    re.IGNORECASE,
)


class Mask:
    """Masks the texts of one conversation. `codes` are patterns of codes, `@` a letter and `#` a digit."""

    def __init__(self, codes: Sequence[str] = ()) -> None:
        self._codes = [re.compile(_code_pattern(code)) for code in codes]
        self._known: dict[str, str] = {}
        self._count: dict[str, int] = {}
        self._hidden: list[str] = []

    @property
    def count(self) -> dict[str, int]:
        """How many different values of each kind have been masked."""
        return dict(self._count)

    def __call__(self, text: str) -> str:
        """Give the text with every value that a pattern tells replaced."""
        self._hidden = []
        text = _INVISIBLE.sub("", text)
        text = _EMAIL.sub(lambda m: self._mask("email", m[0]), text)
        for code in self._codes:
            text = code.sub(lambda m: self._mask("policy", m[0]), text)
        text = _DATE.sub(lambda m: self._hide(m[0]), text)
        text = _POLICY.sub(self._policy, text)
        text = _NUMBER.sub(self._number, text)
        return re.sub(f"[{chr(_FIRST)}-{chr(_FIRST + _MOST)}]", lambda m: self._hidden[ord(m[0]) - _FIRST], text)

    def _policy(self, found: re.Match[str]) -> str:
        code = found["code"]
        digits = sum(c.isdecimal() for c in code)
        amount = not found["number"] and (len(code) < 5 or (digits < 7 and re.fullmatch(r"[\d ]+", code)))
        if amount or digits < 3:
            return found[0]
        return found[0][: found.start("code") - found.start()] + self._mask("policy", code)

    def _number(self, found: re.Match[str]) -> str:
        text, before, out = found[0], found.string[max(0, found.start() - 60) : found.start()], ""
        while card := next(_cards(text), None):
            out += self._plain(text[: card[0]], before) + self._mask("card", text[card[0] : card[1]])
            text, before = text[card[1] :], ""
        return out + self._plain(text, before)

    def _plain(self, text: str, before: str) -> str:
        """A number that is no payment card's."""
        digits = sum(c.isdecimal() for c in text)
        if _MONEY.search(before) or digits < 6:
            return text
        if before[-1:].isalnum() and digits >= 9:  # goes on from letters
            return self._mask("policy", text)
        called = text.strip()[0] in "+0(\uff0b\uff08" and digits >= 7
        if digits > 15:
            return self._mask("number", text)
        return self._mask("phone", text) if called or digits >= 9 or _CALLED.search(before) else text

    def _mask(self, kind: str, value: str) -> str:
        if value in self._known.values():
            return self._hide(value)
        key = f"{kind} {_key(value) if kind == 'email' else _key(value, keep='')}"
        if key not in self._known:
            self._count[kind] = number = self._count.get(kind, 0) + 1
            self._known[key] = _MASKS[kind](value, number)
        return self._hide(self._known[key])

    def _hide(self, value: str) -> str:
        """Put a character for a value, so that no other pattern looks into it."""
        if len(self._hidden) > _MOST:
            return value
        self._hidden.append(value)
        return chr(_FIRST + len(self._hidden) - 1)


def _key(value: str, keep: str = "@.+") -> str:
    """What two ways of writing the same value have in common."""
    return "".join(
        str(unicodedata.decimal(c)) if c.isdecimal() else c for c in value.casefold() if c.isalnum() or c in keep
    )


def _code_pattern(code: str) -> str:
    body = "".join("[A-Za-z]" if c == "@" else r"\d" if c == "#" else re.escape(c) for c in code)
    return rf"(?<!\w){body}(?!\w)"


def _code(value: str, number: int) -> str:
    """A code of the same form: letters become X, digits count."""
    digits = sum(c.isdecimal() for c in value)
    left = iter(f"{number % 10**digits:0{digits}d}")
    return "".join(next(left) if c.isdecimal() else "X" if c.isalpha() else c for c in value)


_MASKS: dict[str, Callable[[str, int], str]] = {
    "email": lambda _, n: f"person{n}@example.com",
    "card": lambda _, n: f"0000 0000 0000 {n:04d}",
    "policy": _code,
    "number": _code,
    "phone": lambda _, n: f"+1 202 555 {100 + n % 100:04d}",  # 0100 to 0199 are nobody's
}


def _cards(number: str) -> Iterator[tuple[int, int]]:
    """Where groups of digits make a payment card's number: 13 to 19 digits that pass Luhn's check (ISO/IEC 7812-1).

    Digits around it, such as the card's date, do not hide it; the longest comes first at each place.
    """
    groups = [m.span() for m in re.finditer(r"\d+", number)]
    for i, (start, _) in enumerate(groups):
        for _, end in reversed(groups[i : i + 19]):
            digits = [int(c) for c in number[start:end] if c.isdecimal()]
            if 13 <= len(digits) <= 19 and _passes(digits):
                yield start, end


def _passes(digits: Sequence[int]) -> bool:
    doubled = [d * 2 - 9 * (d > 4) if i % 2 else d for i, d in enumerate(reversed(digits))]
    return any(digits) and sum(doubled) % 10 == 0
