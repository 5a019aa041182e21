"""The text round and inside a Mermaid flowchart: Markdown fences, front matter, comments, and labels as plain text."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, NoReturn

from flowc.records import UserError

Fail = Callable[[int, str], NoReturn]
"""Raises UserError for what is wrong at an offset of the text."""

_FENCE = re.compile(r"[^\S\n]*(`{3,}|~{3,})[^\S\n]*([^\n`]*)$")
_COMMENT = re.compile(r"^[^\S\n]*%%(?!\{)[^\n]*$", re.MULTILINE)
_DIRECTIVE = re.compile(r"%%\{\s*(\w*)")
_FRONT = re.compile(r"\s*^---[^\S\n]*\n(?P<body>(?:(?!---[^\S\n]*$)[^\n]*\n)*)---[^\S\n]*$", re.MULTILINE)
_FRONT_KEY = re.compile(r"([^\s:]+)[^\S\n]*:[^\S\n]*(.*)$")
_BREAK = re.compile(r"<br\s*/?>|\\n", re.IGNORECASE)
_TAG = re.compile(
    r"</?(?:b|i|u|s|em|strong|small|big|sub|sup|span|font|code|center|p|div)(?:\s[^<>]*)?/?>", re.IGNORECASE
)
_ICON = re.compile(r"(?<!\w)fa[bsrldk]?:fa-[\w-]+")
_ENTITY = re.compile(r"[#&](#?\w{1,32});")
_EMPHASIS = re.compile(r"\*+(?=\S)|(?<=\S)\*+|(?<!\w)_+(?=\S)|(?<=\S)_+(?!\w)")
_STYLE_DIRECTIVES = ("init", "initialize", "wrap")  # ignored: they set looks
_STYLE_KEYS = ("config", "displayMode")  # ignored: they set looks


class Source(NamedTuple):
    """A flowchart's text with all that is not the flowchart blanked out: lines and columns are the file's."""

    text: str
    title: str


def source_of(text: str, file: str, fail_in: Callable[[str], Fail]) -> Source:
    """Take the flowchart out of a file: `.md` has it in its only mermaid block, any other is all flowchart."""
    text = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    if Path(file).suffix.lower() in (".md", ".markdown"):
        text = _fenced(text, file)
    fail = fail_in(text)
    title = ""
    if front := _FRONT.match(text):
        title = _front_matter(front["body"], front.start("body"), fail)
        text = _blank(text, 0, front.end())
    elif text.lstrip().startswith("---"):
        fail(text.index("---"), "the front matter is not closed; write --- on a line of its own behind it")
    text = _COMMENT.sub(lambda m: " " * len(m[0]), text)
    return Source(_without_directives(text, fail), title)


def _fenced(text: str, file: str) -> str:
    """Give the only mermaid block behind as many empty lines as stand before it."""
    blocks: list[tuple[int, list[str]]] = []
    opened, mermaid = "", False
    for number, line in enumerate(text.split("\n"), 1):
        fence = _FENCE.match(line)
        if opened:
            if fence and fence[1].startswith(opened) and not fence[2].strip():
                opened = ""
            elif mermaid:
                blocks[-1][1].append(line)
        elif fence:
            opened, mermaid = fence[1], fence[2].split()[:1] in (["mermaid"], ["{mermaid}"])
            if mermaid:
                blocks.append((number, []))
    if not blocks:
        raise UserError(f"{file}:1:1: no ```mermaid block; put the flowchart into one, or give a .mmd file")
    if len(blocks) > 1:
        lines = ", ".join(str(number) for number, _ in blocks)
        raise UserError(
            f"{file}:{blocks[1][0]}:1: {len(blocks)} mermaid blocks, on lines {lines}; leave the one to be compiled"
        )
    if opened and mermaid:
        raise UserError(f"{file}:{blocks[0][0]}:1: the mermaid block is not closed; write ``` behind it")
    number, lines_in = blocks[0]
    return "\n" * number + "\n".join(lines_in)


def _blank(text: str, start: int, end: int) -> str:
    return text[:start] + re.sub(r"[^\n]", " ", text[start:end]) + text[end:]


def _without_directives(text: str, fail: Fail) -> str:
    parts, at = [], 0
    while (start := text.find("%%{", at)) >= 0:
        end = text.find("}%%", start)
        if end < 0:
            fail(start, "the directive %%{ is not closed; write }%% behind it")
        word = _DIRECTIVE.match(text, start)
        if not word or word[1] not in _STYLE_DIRECTIVES:
            fail(start, f"unknown directive; only {', '.join(_STYLE_DIRECTIVES)} are known, remove it")
        parts += [text[at:start], re.sub(r"[^\n]", " ", text[start : end + 3])]
        at = end + 3
    return "".join([*parts, text[at:]])


def _front_matter(body: str, start: int, fail: Fail) -> str:
    """Read the title; what stands indented belongs to the key before and is looks."""
    title, key, at = "", "", start
    for line in body.split("\n"):
        here, at = at, at + len(line) + 1
        if not line.strip() or line.lstrip().startswith("#") or (line[0].isspace() and key in _STYLE_KEYS):
            continue
        pair = _FRONT_KEY.match(line)
        key = pair[1] if pair else ""
        if pair and key == "title":
            title = _scalar(pair[2].strip(), here, fail)
        elif key not in _STYLE_KEYS:
            fail(
                here, f"the front matter knows title, {' and '.join(_STYLE_KEYS)}, not {line.strip()[:40]!r}; remove it"
            )
    return " ".join(title.split())


def _scalar(value: str, at: int, fail: Fail) -> str:
    if value.startswith('"'):
        try:
            return str(json.loads(value))
        except ValueError:
            fail(at, "the title's quotes do not close; write it between two double quotes")
    if value.startswith("'"):
        if not re.fullmatch(r"'(?:[^']|'')*'", value):
            fail(at, "the title's quotes do not close; write it between two single quotes")
        return value[1:-1].replace("''", "'")
    if value[:1] in tuple("|>&*!{[%@`"):
        fail(at, "the title is no plain text; write it on one line, in double quotes")
    return re.split(r"\s#", value)[0]


def plain(label: str, markdown: bool = False) -> str:
    """Give a label as plain text: breaks are spaces, looks (tags, icons, emphasis) are gone, codes are characters."""
    label = _BREAK.sub(" ", label)
    label = _ICON.sub("", _TAG.sub("", label))
    if markdown:
        label = _EMPHASIS.sub("", label)
    return " ".join(_ENTITY.sub(_character, label).split())


def _character(code: re.Match[str]) -> str:
    """Decode Mermaid's `#35;` and `#quot;` and HTML's `&#35;` and `&quot;`; what is no code stays as it is."""
    name = code[1].removeprefix("#")
    entity = f"&#{name};" if name.isdecimal() or re.fullmatch(r"[xX][0-9a-fA-F]+", name) else f"&{name};"
    decoded = html.unescape(entity)
    return code[0] if decoded == entity else decoded
