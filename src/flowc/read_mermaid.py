"""Read a Mermaid flowchart (`.mmd`, or the mermaid block of a Markdown file) into a Chart.

Strict: what Mermaid would not draw, and what a conversation cannot follow, is an error with line, column and remedy.
Looks are ignored by name: style, classDef, class, linkStyle, click, `:::`, accTitle, accDescr, direction, subgraphs.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from typing import NamedTuple, NoReturn

from flowc.chart import Arrow, Box, Chart, Kind
from flowc.mermaid_scan import BLANK, GAP, HEAD, LINK, Link, Scanner
from flowc.mermaid_shapes import SHAPES, UNNAMED, WORDLESS, Meaning
from flowc.mermaid_text import Fail, source_of
from flowc.records import UserError

_DIRECTIONS = ("TB", "TD", "BT", "RL", "LR")
_SIGNS = ("<", ">", "^", "v")  # of older charts: left, right, up, down
BOX_ID = re.compile(r"(?:\w|[!$'*+.?/,#]|:(?!::)|-(?![-.>])|=(?!=))+")
_HEADER = re.compile(r"\s*(?:graph|flowchart-elk|flowchart)(?![\w-])[^\S\n]*([^\s;]*)[^\S\n]*")
_KEYWORD = re.compile(
    r"(subgraph|end|direction(?=[^\S\n]+(?:TB|TD|BT|RL|LR)\b)|style|classDef|class|linkStyle|click)(?=[\s;]|$)"
    r"|(accTitle|accDescr)(?=\s*[:{])"
)
_REST = re.compile(r'(?:"[^"\n]*"|[^"\n;])*')
_TWO_WORDS = re.compile(r"[^\S\n]+[^\s;]+[^\S\n]+[^\s;]")
_ACCESSIBLE = re.compile(r"acc\w+\s*(?::[^\n]*|\{[^}]*\})")
_GROUP_ID = re.compile(r"([^\s\[\"]+)[^\S\n]*\[.*\]$")
_AND = re.compile(r"([^\S\n]*)&([^\S\n]*)")
_CLASS = re.compile(r":::(?:\w|,|-(?![-.>]))+")
_WORDS = ("interpolate", "call", "href", "_self", "_blank", "_parent", "_top")  # no ids of boxes
_CODE = re.compile(r"#\w+;")
_DIRECTION = re.compile(r"^([^\n]*?)(direction[^\S\n]+(?:TB|TD|BT|RL|LR))([^\n]*)$", re.MULTILINE)
_STYLED = re.compile(r"[^\S\n]+([^\s;]+)")
_NUMBERS = re.compile(r"[^\S\n]+(\d{1,9}(?:,\d{1,9})*)[^\S\n]")
_BETWEEN = re.compile(r"[\s;]*")
_BOX_LOOKS = ("icon", "img", "form", "pos", "h", "w", "constraint")
_ARROW_LOOKS = ("animate", "animation", "curve")


class _Drawn(NamedTuple):
    """A box as far as it has been read: a label or shape of None was not given yet."""

    at: int
    label: str | None = None
    shape: str | None = None


def read_mermaid(text: str, file: str, name: str) -> Chart:
    """Parse one flowchart; `file` names it in messages, `name` is the procedure's.

    Raises UserError `file:line:column: what is wrong; what to do` for the first mistake.
    """

    def fail_in(text: str) -> Fail:
        def fail(at: int, message: str) -> NoReturn:
            line, column = text.count("\n", 0, at) + 1, at - text.rfind("\n", 0, at)
            raise UserError(f"{file}:{line}:{column}: {message}")

        return fail

    source = source_of(text, file, fail_in)
    return _Reader(source.text, fail_in(source.text)).read(name, source.title)


class _Reader:
    """Reads the text once, from left to right."""

    def __init__(self, text: str, fail: Fail) -> None:
        self._scan, self._fail = Scanner(text, fail), fail
        self._boxes: dict[str, _Drawn] = {}
        self._links: list[tuple[str, str, Link]] = []
        self._link_ids: set[str] = set()
        self._groups: dict[str, int] = {}
        self._open: list[int] = []
        self._styled: list[tuple[str, int]] = []
        self._lines = [0, *(m.end() for m in re.finditer("\n", text))]

    def read(self, name: str, title: str) -> Chart:
        header = _HEADER.match(self._scan.text)
        if not header:
            at = self._scan.skip(GAP)
            self._fail(
                min(at, len(self._scan.text)),
                "a flowchart begins with `flowchart` or `graph`; other diagrams are no procedure",
            )
        if header[1] not in ("", *_DIRECTIONS, *_SIGNS):
            self._fail(header.start(1), f"unknown direction {header[1]!r}; use one of {', '.join(_DIRECTIONS)}")
        for line in _DIRECTION.finditer(self._scan.text):
            if re.sub(r"[\s;]", "", line[1] + line[3]):
                self._fail(line.start(2), "`direction` stands on a line of its own: Mermaid drops what else is on it")
        self._scan.at = header.end()
        if header.end() < len(self._scan.text) and self._scan.text[header.end()] not in "\n;":
            self._fail(header.end(), "the first box stands on a line of its own; break the line before it")
        while self._scan.skip(_BETWEEN) < len(self._scan.text):
            self._statement()
        if self._open:
            self._fail(self._open[-1], "this subgraph is not closed; write `end` behind it")
        return self._chart(name, title)

    def _statement(self) -> None:
        keyword = _KEYWORD.match(self._scan.text, self._scan.at)
        if keyword:
            self._command(keyword[1] or keyword[2])
        elif not self._arrow_looks():
            sources = self._some_boxes()
            while link := self._scan.link():
                targets = self._some_boxes()
                self._link_ids |= {link.id} - {""}
                self._links += [(s, t, link) for s in sources for t in targets]
                sources = targets
        at = self._scan.skip(BLANK)
        if at < len(self._scan.text) and self._scan.text[at] not in "\n;":
            self._unexpected(at)

    def _arrow_looks(self) -> bool:
        """Pass over `e1@{...}`, the looks of the arrow e1, if it stands here."""
        name = BOX_ID.match(self._scan.text, self._scan.at)
        if not name or name[0] not in self._link_ids or not self._scan.starts("@{", name.end()):
            return False
        self._scan.at = name.end()
        self._scan.properties(_ARROW_LOOKS, ())
        return True

    def _unexpected(self, at: int) -> NoReturn:
        if self._scan.starts("%%", at):
            self._fail(at, "a comment stands on a line of its own; move it there")
        if self._scan.text[at] in "[({>" and self._scan.text[at - 1].isspace():
            self._fail(at, "a box's bracket follows its id without a space; remove the space")
        self._fail(at, f"{self._scan.text[at : at + 12].split(chr(10))[0]!r} is not understood here; write an arrow, "
                   "a line break or `;` before it, or quote it if it belongs to a label")  # fmt: skip

    def _command(self, word: str) -> None:
        start = self._scan.at
        if word == "subgraph":
            self._subgraph(start)
        elif word == "end":
            if not self._open:
                self._fail(start, "`end` without a subgraph; remove it, or write End if it is a box")
            self._open.pop()
            self._scan.at += len(word)
        elif word.startswith("acc"):
            found = _ACCESSIBLE.match(self._scan.text, start)
            if not found:
                self._fail(start, f"{word} is not closed; write }} behind it")
            self._scan.at = found.end()
        elif word == "direction":
            self._scan.skip(_REST)
        else:
            self._scan.at += len(word)
            behind = self._scan.skip(BLANK)
            if not _TWO_WORDS.match(self._scan.text, start + len(word)) or LINK.match(self._scan.text, behind):
                self._fail(start, f"`{word}` is a word of Mermaid's and needs a name and a value behind it; if it is "
                           f"a box, write {word.capitalize()}")  # fmt: skip
            self._check_looks(word, start)
            self._scan.skip(_REST)

    def _check_looks(self, word: str, start: int) -> None:
        """Check what Mermaid stumbles over in a line of looks: colours before `;`, and what is not drawn."""
        text, at = self._scan.text, start + len(word)
        if _is_code(word, text[at : text.find("\n", at) if text.find("\n", at) >= 0 else None]):
            self._fail(start, "Mermaid takes the colour's # and the ; behind it for a code; end the line without ;")
        if word == "style" and (name := _STYLED.match(text, at)):
            self._styled.append((name[1], start))
        if word == "linkStyle" and (numbers := _NUMBERS.match(text, at)):
            for number in numbers[1].split(","):
                if int(number) >= len(self._links):
                    self._fail(start, f"no arrow has the number {number} yet, counted from 0; put this line behind it")

    def _subgraph(self, start: int) -> None:
        self._scan.at += len("subgraph")
        begin = self._scan.at
        rest = self._scan.text[begin : self._scan.skip(_REST)]
        if rest[-1:].isspace() and (not rest.strip() or rest.rstrip().endswith("]")):
            self._fail(start, "Mermaid wants no space at the end of this line; remove it")
        rest = rest.strip()
        found = _GROUP_ID.match(rest)
        title = rest[found.end(1) :].strip()[1:-1].strip() if found else ""
        if not re.fullmatch(r'"[^"]*"|[^\[\](){}|"]*', title):
            self._fail(start, "a bracket in the subgraph's title; put the whole title in double quotes")
        name = found[1] if found else rest.strip('"`')
        if name and not re.search(r"\s", name):
            self._groups.setdefault(name, start)
        self._open.append(start)

    def _some_boxes(self) -> list[str]:
        boxes = [self._box()]
        while (found := _AND.match(self._scan.text, self._scan.at)) is not None:
            if not (found[1] and found[2]):
                self._fail(found.start(), "`&` between boxes needs a space on both sides; write A & B")
            self._scan.at = found.end()
            boxes.append(self._box())
        return boxes

    def _box(self) -> str:
        start = self._scan.at
        found = BOX_ID.match(self._scan.text, start)
        if not found:
            what = self._scan.text[start : start + 12].split("\n")[0]
            self._fail(start, f"a box is expected here, not {what or 'the end'!r}; write its id, letters and digits")
        name = found[0]
        if HEAD.match(self._scan.text, start):
            self._scan.head(start)
        if name in _WORDS:
            self._fail(start, f"`{name}` is a word of Mermaid's and no box; write {name.strip('_').capitalize()}")
        if name == "end":
            self._fail(start, "`end` closes a subgraph and is no box for Mermaid; write End")
        self._scan.at = found.end()
        drawn = self._boxes.setdefault(name, _Drawn(start))
        label, shape = self._scan.brackets()
        self._class()
        if self._scan.starts("@{"):
            values = self._scan.properties(_BOX_LOOKS, ("shape", "label"))
            label, shape = values.get("label") or label, values.get("shape", shape)
            if shape is not None and (shape not in SHAPES or (shape in UNNAMED and "shape" in values)):
                self._fail(
                    start, f"unknown shape {shape!r}; use one of Mermaid's, such as rect, diam, stadium, fr-rect"
                )
            if self._scan.starts(":::"):
                self._fail(self._scan.at, "the class stands before @{; move it there, as in A:::warm@{...}")
        for old, new, what in ((drawn.label, label, "label"), (drawn.shape, shape, "shape")):
            if old is not None and new is not None and old != new:
                self._fail(start, f"box {name!r} has the {what} {old!r} on line {self._line(drawn.at)} and {new!r} "
                           "here; keep one, or give this box another id")  # fmt: skip
        self._boxes[name] = _Drawn(drawn.at, drawn.label if label is None else label, shape or drawn.shape)
        return name

    def _class(self) -> None:
        if found := _CLASS.match(self._scan.text, self._scan.at):
            self._scan.at = found.end()

    def _line(self, at: int) -> int:
        return bisect_right(self._lines, at)

    def _chart(self, name: str, title: str) -> Chart:
        meanings: dict[str, Meaning] = {b: SHAPES[d.shape or "rect"] for b, d in self._boxes.items()}
        for box, drawn in self._boxes.items():
            if box in self._groups:
                self._fail(drawn.at, f"{box!r} is the subgraph of line {self._line(self._groups[box])}, and a "
                           "conversation goes from box to box; lead the arrow to a box inside it")  # fmt: skip
            if meanings[box] == "fork":
                self._fail(drawn.at, f"box {box!r} forks into several ways at once, but a conversation goes one way; "
                           "draw a question, or put the steps behind one another")  # fmt: skip
        for box, at in self._styled:
            for one in box.split(","):
                if one not in self._boxes and one not in self._groups:
                    self._fail(at, f"style names {one!r}, which is not drawn; draw it, or correct the name")
        arrows, sources, targets = [], set[str](), set[str]()
        for source, target, link in self._links:
            comment = "comment" in (meanings[source], meanings[target])
            if link.invisible or (comment and link.flaw):
                continue
            if comment:
                self._fail(link.at, "an arrow leads to or from a comment; use a line (---), or another shape of box")
            if link.flaw:
                self._fail(link.at, f"{link.flaw}; which way does the conversation go? write --> in that direction")
            arrows.append(Arrow(source=source, target=target, label=link.label, line=self._line(link.at)))
            sources.add(source)
            targets.add(target)
        begins = [box for box in self._boxes if box not in targets and meanings[box] != "comment"]
        for box in targets if begins else ():
            if meanings[box] == "start":  # Mermaid's pages draw small circles as junctions too
                meanings[box] = "step"
        boxes = {
            box: Box(label=_label(box, drawn), kind=_kind(meanings[box], box in sources, box in targets),
                     line=self._line(drawn.at))
            for box, drawn in self._boxes.items() if meanings[box] != "comment"
        }  # fmt: skip
        if not boxes:
            self._fail(0, "the flowchart has no boxes; draw some, as in A[Ask for the date] --> B([Goodbye])")
        return Chart(name=name, title=title, boxes=boxes, arrows=tuple(arrows))


def _is_code(word: str, line: str) -> bool:
    """Whether Mermaid takes the # of a colour and a ; behind it for a code, and loses what follows."""
    colour = line.find("#")
    if colour < 0:
        return False
    if word == "linkStyle":
        return _CODE.search(line, colour) is not None
    before = line[:colour].rsplit(maxsplit=1)
    return (
        word in ("style", "classDef")
        and ":" in (before[-1] if before else "")
        and bool(line[colour:].partition(";")[2].strip())
    )


def _label(box: str, drawn: _Drawn) -> str:
    if drawn.label is None:
        return "" if drawn.shape in WORDLESS else box
    return drawn.label


def _kind(meaning: Meaning, leads_on: bool, is_led_to: bool) -> Kind:
    if meaning == "round":
        return "end" if not leads_on else "start" if not is_led_to else "step"
    if meaning == "comment" or meaning == "fork":
        raise AssertionError(f"a {meaning} is no box")
    return meaning
