"""Personal data in real texts, masked by pattern: e-mail addresses, telephone and card numbers, policy numbers.

Each value is replaced by one of its kind that belongs to nobody, the same one wherever it comes back in a
conversation, so that the text still shows how a value is repeated. What no pattern tells, such as the name of a
person or an address, is not found.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

_EMAIL = re.compile(r"[\w.+%-]+@[\w-]+(?:\.[\w-]+)+")
_DIGITS = r"(?:[ ().\-/]{0,2}\d)"
_CARD = re.compile(r"(?<![\w+])\d(?:[ -]?\d){12,18}(?![\w])")
_PHONE = re.compile(rf"(?<![\w.,$€£])(?<!\d[ -])(?:\+|\(?0|\(|(?=\d)){_DIGITS}{{7,15}}(?![\w%])(?![ .\-/]\d)")
_DATE = re.compile(r"\d{4}-\d{1,2}-\d{1,2}|\d{1,2}[./-]\d{1,2}[./-]\d{2,4}")
_POLICY = re.compile(
    r"(?P<before>\b(?:policy|contract|claim|customer|member|insurance|police|vertrags?|versicherungs?|kunden|"
    r"schaden|póliza)[ -]?(?:number|no\.?|nr\.?|id|nummer|número)?[ :#]*(?:is|ist|lautet|es)?[ :#]*)"
    r"(?P<code>(?=[\w/-]*\d[\w/-]*\d[\w/-]*\d)[A-Za-z0-9][\w/-]{4,})",
    re.IGNORECASE,
)


class Mask:
    """Masks the texts of one conversation. `codes` are patterns of codes, `@` a letter and `#` a digit."""

    def __init__(self, codes: Sequence[str] = ()) -> None:
        self._codes = [re.compile(_code_pattern(code)) for code in codes]
        self._known: dict[str, str] = {}
        self._count: dict[str, int] = {}

    @property
    def count(self) -> dict[str, int]:
        """How many different values of each kind have been masked."""
        return dict(self._count)

    def __call__(self, text: str) -> str:
        """Give the text with every value that a pattern tells replaced."""
        text = _EMAIL.sub(lambda m: self._mask("email", m[0]), text)
        for code in self._codes:
            text = code.sub(lambda m: self._mask("policy", m[0]), text)
        text = _CARD.sub(lambda m: self._mask("card", m[0]) if _is_card(m[0]) else m[0], text)
        text = _POLICY.sub(lambda m: m["before"] + self._mask("policy", m["code"]), text)
        return _PHONE.sub(lambda m: self._mask("phone", m[0]) if _is_phone(m[0]) else m[0], text)

    def _mask(self, kind: str, value: str) -> str:
        if value in self._known.values():
            return value
        key = f"{kind} {re.sub(r'[^0-9a-z@.+]', '', value.casefold())}"
        if key not in self._known:
            self._count[kind] = number = self._count.get(kind, 0) + 1
            self._known[key] = _MASKS[kind](value, number)
        return self._known[key]


def _code_pattern(code: str) -> str:
    body = "".join("[A-Za-z]" if c == "@" else r"\d" if c == "#" else re.escape(c) for c in code)
    return rf"(?<!\w){body}(?!\w)"


def _code(value: str, number: int) -> str:
    """A code of the same form: letters become X, digits count."""
    digits = sum(c.isdigit() for c in value)
    left = iter(f"{number % 10**digits:0{digits}d}")
    return "".join(next(left) if c.isdigit() else "X" if c.isalpha() else c for c in value)


_MASKS: dict[str, Callable[[str, int], str]] = {
    "email": lambda _, n: f"person{n}@example.com",
    "card": lambda _, n: f"0000 0000 0000 {n:04d}",
    "policy": _code,
    "phone": lambda _, n: f"+1 202 555 {100 + n % 100:04d}",  # 0100 to 0199 are nobody's
}


def _is_card(value: str) -> bool:
    """Whether the digits pass the check of Luhn (ISO/IEC 7812-1), as those of a payment card do."""
    digits = [int(c) for c in value if c.isdigit()]
    doubled = [d * 2 - 9 * (d > 4) if i % 2 else d for i, d in enumerate(reversed(digits))]
    return any(digits) and sum(doubled) % 10 == 0


def _is_phone(value: str) -> bool:
    """A number with a prefix, or one of nine digits and more that are written in groups, is called; a date is not."""
    digits = sum(c.isdigit() for c in value)
    if _DATE.fullmatch(value.strip()) or digits > 15:
        return False
    return (value[0] in "+0(" and digits >= 7) or (digits >= 9 and re.search(r"[ ()./-]", value) is not None)
