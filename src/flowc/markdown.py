"""Markdown that reads well both as plain text and on a code host, and text that cannot break it."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

# What starts markup in CommonMark and GFM tables, a code host's mathematics ($) or mentions (@), and
# autolinks (: and www.). An underscore inside a word means nothing and stays, for names are full of them.
_MARKUP = re.compile(r"[&<>|\\`*\[\]~#!$@:^{}=]|(?<![^\W_])_|_(?![^\W_])|(?<=www)\.", re.IGNORECASE)
_AT_START = re.compile(r"^(\d*)([-+.)])", re.MULTILINE)


def text(value: str) -> str:
    """Make foreign text safe inside a paragraph or a table cell; line ends become `<br>`.

    Markup characters become numeric entities: they show as they are and mean nothing.
    """
    lines = value.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return "<br>".join(_line(line) for line in lines)


def _line(value: str) -> str:
    printable = "".join(" " if unicodedata.category(c) in {"Cc", "Cs"} else c for c in value)
    safe = _MARKUP.sub(lambda m: f"&#{ord(m[0])};", printable).strip()
    return _AT_START.sub(lambda m: f"{m[1]}&#{ord(m[2])};", safe)


def shorten(value: str, limit: int) -> str:
    """Cut a text at `limit` characters and say how many are left out."""
    left_out = len(value) - limit
    return value if left_out <= 0 else f"{value[:limit]} … ({left_out} more characters)"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Lay out a table whose columns are aligned in plain text too; the first column is flush left."""
    widths = [max(3, *(len(row[i]) for row in [head, *rows])) for i in range(len(head))]
    rule = [":" + "-" * (w - 1) if i == 0 else "-" * (w - 1) + ":" for i, w in enumerate(widths)]

    def line(cells: Sequence[str]) -> str:
        padded = [
            cell.ljust(w) if i == 0 else cell.rjust(w) for i, (cell, w) in enumerate(zip(cells, widths, strict=True))
        ]
        return f"| {' | '.join(padded)} |"

    return "\n".join([line(head), line(rule), *(line(row) for row in rows)])


def prose_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Lay out a table of long texts: nothing is padded and everything is flush left."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def details(summary: str, body: str) -> str:
    """Fold a long part away; the blank lines let Markdown go on inside."""
    return f"<details>\n<summary>{summary}</summary>\n\n{body}\n\n</details>"
