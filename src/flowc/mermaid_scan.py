"""The pieces of a Mermaid flowchart's text: brackets with labels, properties, arrows; read from left to right."""

from __future__ import annotations

import re
from typing import NamedTuple, NoReturn

from flowc.mermaid_shapes import BRACKETS
from flowc.mermaid_text import Fail, plain

GAP = re.compile(r"\s*")
BLANK = re.compile(r"[^\S\n]*")
LINK = re.compile(r"([xo<]?)(?:(--+[-xo>]|==+[=xo>]|-\.+-[xo>]?)|(--|==|-\.))|~~~+")
_CLOSING = {
    "--": re.compile(r"--+[-xo>]"),
    "==": re.compile(r"==+[=xo>]"),
    "-.": re.compile(r"(?<!\.)-?\.+-[xo>]?"),  # not from every dot of a run: that would take quadratic time
}
HEAD = re.compile(r"[xo](?=--|==|-\.)")
_LINK_ID = re.compile(r'[^\s"@|{}\[\]()<>&;]+@(?=[-=~<xo])')
_BARE = re.compile(r'[^\[\](){}|"]*')
_COMMAS = re.compile(r"[\s,]*")
_PAIR = re.compile(r"""[\s,]*([A-Za-z_]\w*)\s*:\s*("[^"]*"|'[^'\n]*'|(?:[^,\n}"'][^,\n}"]*)?)(?=[\s,}])\s*""")
_QUOTE_IT = "put the whole label in double quotes (a quote inside is #quot;)"


class Link(NamedTuple):
    """An arrow; `flaw` says why it has no one direction, `id` is what Mermaid calls it."""

    at: int
    label: str
    flaw: str
    invisible: bool
    id: str


class Scanner:
    """A place in the text; each method reads one piece from there and moves behind it."""

    def __init__(self, text: str, fail: Fail) -> None:
        self.text, self.fail, self.at = text, fail, 0
        self._sealed = -1  # the end of the last properties

    def skip(self, what: re.Pattern[str]) -> int:
        """Move behind what the pattern matches, at least the empty text, and give the new place."""
        found = what.match(self.text, self.at)
        assert found, "only patterns that match the empty text are skipped"
        self.at = found.end()
        return self.at

    def starts(self, what: str, at: int | None = None) -> bool:
        """Whether the text goes on with `what`, here or at another place."""
        return self.text.startswith(what, self.at if at is None else at)

    def brackets(self) -> tuple[str | None, str | None]:
        """Read a box's label in brackets, if there is one, and give label and shape."""
        start = self.at
        opening = next((o for o in BRACKETS if self.starts(o)), None)
        if opening is None:
            return None, None
        if self.starts("[|"):
            self.fail(start, "boxes with [|...|...] are not supported; write [...]")
        self.at += len(opening)
        self.skip(GAP)
        if self.starts('"'):
            label = self._filled()
            self.skip(GAP)
            for closing, shape in BRACKETS[opening]:
                if self.starts(closing):
                    self.at += len(closing)
                    return label, shape
        else:
            begin, end = self.at, self.skip(_BARE)
            for closing, shape in BRACKETS[opening]:
                inside = len(closing) if closing.strip("/\\-") == "" else len(closing) - len(closing.lstrip("/\\-"))
                if end - inside >= begin and self.starts(closing, end - inside):
                    self.at = end - inside + len(closing)
                    return plain(self.text[begin : end - inside]), shape
        closings = " or ".join(closing for closing, _ in BRACKETS[opening])
        self.fail(start, f"the box's {opening} is not closed by {closings}; close it, or {_QUOTE_IT}")

    def _filled(self) -> str:
        if self.starts('""'):
            self.fail(self.at, 'an empty label is no label for Mermaid; write " " for a box without words')
        return self.quoted()

    def quoted(self) -> str:
        """Read a string from its opening quote on; with backquotes inside it is Markdown."""
        start = self.at
        end = self.text.find('"', start + 1)
        if end < 0:
            self.fail(start, "this quote is not closed; write another behind the label")
        raw = self.text[start + 1 : end]
        self.at = end + 1
        if raw.startswith("`"):
            if len(raw) < 2 or not raw.endswith("`"):
                self.fail(start, 'this Markdown label is not closed; it ends with `"')
            return plain(raw[1:-1], markdown=True)
        return plain(raw)

    def properties(self, looks: tuple[str, ...], wanted: tuple[str, ...]) -> dict[str, str]:
        """Read `@{key: value, ...}` and give the wanted keys; looks are passed over, other keys are errors."""
        start, out, given = self.at, dict[str, str](), set[str]()
        self.at += len("@{")
        while (pair := _PAIR.match(self.text, self.at)) is not None:
            key, value = pair[1], pair[2].strip()
            if key in given:
                self.fail(pair.start(1), f"{key!r} is given twice; remove one")
            given.add(key)
            if key in wanted:
                markdown = value[:2] == '"`' and value[-2:] == '`"'
                bare = value[2:-2] if markdown else value[1:-1] if value[:1] in ('"', "'") else value
                out[key] = plain(bare, markdown=True) if key == "label" else bare
            elif key not in looks:
                self.fail(pair.start(1), f"unknown key {key!r}; known here are {', '.join([*wanted, *looks])}")
            self.at = pair.end()
        self.skip(_COMMAS)
        if not self.starts("}"):
            self.fail(start, "@{ wants `key: value` pairs with commas between them and } behind; correct it")
        self.at += 1
        self._sealed = self.at
        return out

    def link(self) -> Link | None:
        """Read an arrow with its label, if one follows; it may stand on the next line."""
        gap = GAP.match(self.text, self.at)
        at = gap.end() if gap else self.at
        name = _LINK_ID.match(self.text, at)
        link = LINK.match(self.text, name.end() if name else at)
        if not link:
            return None
        if link[1] in ("x", "o") and "\n" in self.text[self.at : at]:
            self.head(at)
        if name and (self.at == self._sealed or "\n" in self.text[self.at : at]):
            self.fail(at, "an arrow's name stands on the line of its first box, and not behind }; take it out")
        self.at = link.end()
        label, drawn = "", link[2] or ""
        if link[3]:
            label, drawn = self._words_of(link[3], at)
        self.skip(GAP)
        if self.starts("|"):
            if label:
                self.fail(self.at, "this arrow has two labels; keep one")
            label = self._piped()
            self.skip(GAP)
        flaw = ""
        if link[0].startswith("~"):
            return Link(at, label, "", True, "")
        if link[1]:
            flaw = "this arrow points both ways"
        elif drawn[-1] not in ">xo":
            flaw = "this line has no direction"
        return Link(at, label, flaw, False, name[0][:-1] if name else "")

    def head(self, at: int) -> NoReturn:
        """Refuse the box x or o before an arrow without a space."""
        self.fail(at, f"Mermaid takes the {self.text[at]} before this arrow for the arrow's tip; write a space "
                  "between, or give the box another id")  # fmt: skip

    def _words_of(self, opening: str, start: int) -> tuple[str, str]:
        """Read the label inside an arrow (`-- label -->`) and the arrow's other half."""
        self.skip(BLANK)
        line_end = self.text.find("\n", self.at)
        line_end = len(self.text) if line_end < 0 else line_end
        closing = _CLOSING[opening]
        if self.starts('"'):
            label = self._filled()
            self.skip(BLANK)
            end = closing.match(self.text, self.at)
        else:
            end = closing.search(self.text, self.at, line_end)
            raw = self.text[self.at : end.start()] if end else ""
            if '"' in raw:
                self.fail(start, f"a quote inside this arrow's label; {_QUOTE_IT}")
            if opening == "-." and "." in raw:
                self.fail(start, "Mermaid takes no dot in the words inside a dotted arrow; put them in double quotes")
            label = plain(raw)
        if not end:
            self.fail(start, f"the label of this arrow is not closed; write `{opening} label {opening[::-1]}>`")
        self.at = end.end()
        return label, end[0]

    def _piped(self) -> str:
        start = self.at
        self.at += 1
        self.skip(GAP)
        if self.starts('"'):
            label = self._filled()
            self.skip(GAP)
        else:
            begin = self.at
            label = plain(self.text[begin : self.skip(_BARE)])
        if not self.starts("|"):
            self.fail(start, f"the arrow's label is not closed by |; close it, or {_QUOTE_IT}")
        self.at += 1
        return label
