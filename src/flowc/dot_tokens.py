"""The words of a DOT file with their places, and its statements as pydot's grammar reads them.

pydot 4.0.1 prints a syntax error and gives None, keeps no lines, takes an attribute called `name` for an argument of
its own, stops at the end of the first graph without a word about the rest, and needs twice the time for each level
of nesting (17 s for nine). So it is given one `{...}` at a time, in which every word is `t` and its number here and
every inner `{...}` is `s` and its number: what it gives back are numbers, and those have places and exact texts.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from typing import NamedTuple, NoReturn

from pydot.dot_parser import GraphParser
from pyparsing import ParseBaseException

from flowc.records import UserError

MOST_TOKENS = 20_000
"""A drawing of two thousand arrows; pydot reads some four hundred arrows a second."""
DEEPEST = 50
"""Clusters in clusters. Drawings have two or three levels; the limit keeps hostile files off Python's stack."""

KEYWORDS = ("strict", "graph", "digraph", "node", "edge", "subgraph")

_TOKEN = re.compile(
    r"""(?P<space>\s+|//[^\n]*|/\*.*?\*/)
    |(?P<quoted>"(?:[^"\\]|\\.)*")
    |(?P<number>-?(?:\.\d+|\d+(?:\.\d*)?))(?![A-Za-z_\x80-\U0010ffff])
    |(?P<word>[A-Za-z_\x80-\U0010ffff][A-Za-z0-9_\x80-\U0010ffff]*)
    |(?P<mark>->|--|[{}\[\]=;,:+])""",
    re.DOTALL | re.VERBOSE | re.ASCII,
)
_ANGLE = re.compile("[<>]")


class Token(NamedTuple):
    """A word or a mark. `text` is what it stands for: quotes gone, escapes of labels still in it."""

    kind: str
    """word, keyword, quoted, html or mark."""
    text: str
    line: int
    column: int


class Statement(NamedTuple):
    """One statement. A name is a token's number; an endpoint below zero is the group `-1 - endpoint`."""

    kind: str
    """node, edge, group, or defaults of node, edge or graph as `[node]`, `[edge]` and `[graph]`."""
    ends: tuple[int, ...]
    attributes: dict[int, int]
    """The token of an attribute's name, and that of its value."""


class Group(NamedTuple):
    """What stands in one pair of braces."""

    brace: Token
    name: str | None
    statements: tuple[Statement, ...]


class Document(NamedTuple):
    """A digraph. Its last group is the whole; inner groups come before the one that they stand in."""

    tokens: tuple[Token, ...]
    groups: tuple[Group, ...]
    strict: bool


class _Open(NamedTuple):
    brace: int
    name: str | None
    words: list[tuple[str, int]]


def read_document(text: str, file: str) -> Document:
    """Read the one digraph of a DOT file.

    Raises UserError `file:line:column: what is wrong; remedy`.
    """
    tokens = _tokens(text, file)
    position, strict = _header(tokens, file)
    groups: list[Group] = []
    name = tokens[position - 1].text if tokens[position - 1].kind != "keyword" else None
    stack = [_Open(position, name, [])]
    in_list = False
    position += 1
    while stack:
        if position == len(tokens):
            fail(file, tokens[stack[-1].brace], "this `{` is never closed; add a `}`")
        token, words = tokens[position], stack[-1].words
        following = tokens[position + 1].text if position + 1 < len(tokens) else ""
        if token[:2] in (("keyword", "subgraph"), ("mark", "{")):
            name, opens = None, position
            if token.text == "subgraph":
                if opens + 1 < len(tokens) and tokens[opens + 1].kind in ("word", "quoted"):
                    name, opens = tokens[opens + 1].text, opens + 1
                opens += 1
                if opens == len(tokens) or tokens[opens][:2] != ("mark", "{"):
                    fail(file, token, "this subgraph has no `{...}`; write what is in it")
            if in_list:
                fail(file, token, "a `[` before this is not closed; add a `]`")
            if len(stack) == DEEPEST:
                fail(file, token, f"groups are nested more than {DEEPEST} deep; flatten them")
            stack.append(_Open(opens, name, []))
            position = opens
        elif token.kind == "keyword":
            if token.text not in ("node", "edge", "graph") or following != "[":
                fail(file, token, f"{token.text!r} is a word of the language and stands alone here; put it in quotes")
            words.append((token.text, position))
        elif token.kind == "mark" and token.text == "--":
            fail(file, token, "`--` has no direction, so which way does the conversation go? Write `->`")
        elif token.kind == "mark" and token.text == "}":
            if in_list:
                fail(file, token, "a `[` before this is not closed; add a `]`")
            done = stack.pop()
            groups.append(Group(tokens[done.brace], done.name, _statements(done, tokens, token, file)))
            if stack:
                stack[-1].words.append((f"s{len(groups) - 1}", done.brace))
        elif token.kind == "mark":
            in_list = (in_list or token.text == "[") and token.text != "]"
            if not (in_list and token.text in ",;"):  # pydot knows no `;` between attributes, and needs neither
                words.append((token.text, position))
        else:
            words.append((f"t{position}", position))
        position += 1
    if position < len(tokens):
        fail(file, tokens[position], "something follows the graph; keep one graph a file and remove the rest")
    return Document(tuple(tokens), tuple(groups), strict)


def fail(file: str, token: Token, message: str) -> NoReturn:
    """Raise the UserError of a token's place."""
    raise UserError(f"{file}:{token.line}:{token.column}: {message}")


def _tokens(text: str, file: str) -> list[Token]:
    tokens: list[Token] = []
    position, line, begin = 0, 1, 0
    if text.startswith("\ufeff"):
        position = begin = 1
    while position < len(text):
        found = _TOKEN.match(text, position)
        kind, end, raw = (found.lastgroup or "", found.end(), found[0]) if found else ("", position, "")
        here = Token(kind, raw, line, position - begin + 1)
        if text[position] == "#" and not text[begin:position].strip():
            newline = text.find("\n", position)
            kind, end = "space", newline if newline >= 0 else len(text)
        if text[position] == "<":
            end = _html_end(text, position)
            kind, raw = "html", text[position:end]
        if end == position:
            _refuse(file, text, position, here)
        if kind == "quoted":
            raw = re.sub(r'\\(\r?\n|.)', lambda m: {'"': '"', "\n": "", "\r\n": ""}.get(m[1], m[0]), raw[1:-1],
                         flags=re.DOTALL)  # fmt: skip
            if len(tokens) > 1 and tokens[-1][:2] == ("mark", "+") and tokens[-2].kind == "quoted":
                tokens.pop()
                first = tokens.pop()
                here, raw = first, first.text + raw
        if kind == "word" and raw.lower() in KEYWORDS:
            kind, raw = "keyword", raw.lower()
        if kind != "space":
            tokens.append(here._replace(kind="word" if kind == "number" else kind, text=raw))
        if len(tokens) > MOST_TOKENS:
            fail(file, here, f"the file has more than {MOST_TOKENS} words; a procedure has some hundred boxes, "
                 "so split it")  # fmt: skip
        newlines = text.count("\n", position, end)
        if newlines:
            line, begin = line + newlines, text.rindex("\n", position, end) + 1
        position = end
    return tokens


def _html_end(text: str, position: int) -> int:
    depth = 0
    for mark in _ANGLE.finditer(text, position):
        depth += 1 if mark[0] == "<" else -1
        if depth == 0:
            return mark.end()
    return position


def _refuse(file: str, text: str, position: int, here: Token) -> NoReturn:
    character = text[position]
    if character in '"<' or text.startswith("/*", position):
        name = {'"': "quoted text", "<": "HTML-like text", "/": "comment"}[character]
        fail(file, here, f"this {name} never ends; close it")
    if character == "#":
        fail(file, here, "`#` begins a comment only at the beginning of a line; put a colour in quotes")
    if re.match(r"-?\.?\d", text[position:]):
        fail(file, here, "a name that begins with a digit goes on with letters; put it in quotes")
    fail(file, here, f"the character {character!r} cannot stand here; put names and values in quotes")


def _header(tokens: list[Token], file: str) -> tuple[int, bool]:
    """Give the position of the graph's brace, and whether it is strict."""
    if not tokens:
        raise UserError(f"{file}:1:1: the file is empty; write digraph {{ a -> b }}")
    position = int(tokens[0][:2] == ("keyword", "strict"))
    strict = position == 1
    if position < len(tokens) and tokens[position][:2] == ("keyword", "graph"):
        fail(file, tokens[position], "an undirected graph, so which way does the conversation go? "
             "Write `digraph` and `->`")  # fmt: skip
    if position == len(tokens) or tokens[position][:2] != ("keyword", "digraph"):
        fail(file, tokens[min(position, len(tokens) - 1)], "a DOT file begins with `digraph {`; begin with that")
    position += 1
    if position < len(tokens) and tokens[position].kind in ("word", "quoted", "html"):
        position += 1
    if position == len(tokens) or tokens[position][:2] != ("mark", "{"):
        fail(file, tokens[min(position, len(tokens) - 1)], "a `{` is missing behind `digraph` and its name; add it")
    return position, strict


def _statements(group: _Open, tokens: list[Token], close: Token, file: str) -> tuple[Statement, ...]:
    text, places = "digraph {", [0]
    for word, _ in group.words:
        places.append(len(text) + 1)
        text += f" {word}"
    try:
        graph = GraphParser.parser.parse_string(text + " }", parse_all=True)[0].obj_dict
    except ParseBaseException as e:
        at = bisect_right(places, e.loc) - 2
        token = tokens[group.words[max(at, 0)][1]] if at < len(group.words) and group.words else close
        fail(file, token, f"not valid DOT from {token.text[:40]!r} on; a statement is `a -> b [label=\"...\"]`, "
             "`a [label=\"...\"]` or `name=value`")  # fmt: skip
    found: list[tuple[int, Statement]] = []

    def attributes(given: dict[str, str | None], token: Token) -> dict[int, int]:
        for name, value in given.items():
            if value is None or name[0] != "t" or value[0] != "t":
                fail(file, tokens[int(name[1:])] if name[1:].isdigit() else token,
                     "an attribute has no value; write name=value")  # fmt: skip
        return {int(name[1:]): int(value[1:]) for name, value in given.items() if value}

    def end(name: str) -> int:
        word = name.split(":")[0]
        return int(word[1:]) if word[0] == "t" else -1 - int(word[1:])

    if graph["attributes"]:
        found.append((0, Statement("[graph]", (), attributes(graph["attributes"], tokens[group.brace]))))
    for name, nodes in graph["nodes"].items():
        for node in nodes:
            if name in ("node", "edge", "graph"):
                statement = Statement(f"[{name}]", (), attributes(node["attributes"], tokens[group.brace]))
            elif end(name) < 0 and (node["attributes"] or node["port"]):
                fail(file, tokens[group.brace], "a `{...}` in here has attributes behind it; write them inside")
            else:
                statement = Statement("node" if end(name) >= 0 else "group", (end(name),),
                                      attributes(node["attributes"], tokens[group.brace]))  # fmt: skip
            found.append((node["sequence"], statement))
    for (source, target), edges in graph["edges"].items():
        for edge in edges:
            found.append((edge["sequence"], Statement(
                "edge", (end(source), end(target)), attributes(edge["attributes"], tokens[group.brace])
            )))  # fmt: skip
    return tuple(statement for _, statement in sorted(found, key=lambda f: f[0]))
