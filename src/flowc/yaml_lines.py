"""YAML as plain values with the line of every key and item, so that a mistake is named where it stands.

Truth values stay the words that were written (users say "Yes" and "No"), a key given twice is a mistake, and so is
whatever would end in another exception: aliases that contain themselves or multiply, and half characters.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import yaml

from flowc.records import UserError

Loc = tuple[str | int, ...]
_ALIASES = 20  # times the length of the text: what a document may grow to; travel_booking.yaml grows to 0.04
_REMEDIES = (
    ("'\\t'", "indent with spaces, not with tabs"),
    ("mapping values are not allowed", "put text with a colon in it in quotes, or check the indentation"),
    ("undefined alias", "put text that begins with * in quotes"),
    ("expected alphabetic or numeric character", "put text that begins with * or & in quotes"),
    ("another document", "leave one document, without ---"),
)
"""What usually helps, by what PyYAML says."""


class Source(NamedTuple):
    """A YAML document as plain values, with the line of every key and item; or a chart, with what has a line there."""

    values: Any
    lines: dict[Loc, int]
    columns: dict[Loc, int]
    """Empty for a chart."""

    def line(self, loc: Loc) -> int:
        """Give the line of a location, or of the nearest one around it that is written in the document."""
        return self.lines.get(self._nearest(loc)) or 1

    def column(self, loc: Loc) -> int:
        """Give the column where that line has the location, from 1."""
        return self.columns.get(self._nearest(loc)) or 1

    def place(self, file: str, loc: Loc) -> str:
        """Give `file:line`, or the file alone where nothing is written: flowc adds endings and ways out to charts."""
        line = self.lines.get(self._nearest(loc))
        return f"{file}:{line}" if line else file

    def _nearest(self, loc: Loc) -> Loc:
        while loc and loc not in self.lines:
            loc = loc[:-1]
        return loc


def load_yaml(text: str, file: str, empty: str, verbatim: bool = False) -> Source:
    """Read one YAML document: mappings as dict, sequences as tuple.

    `empty` is what to say of a document without content. `verbatim` keeps numbers and dates as they are written.
    Raises UserError `file:line: what is wrong; what to do`.
    """
    try:
        loader = yaml.SafeLoader(text)
    except yaml.reader.ReaderError as e:
        line = text.count("\n", 0, e.position) + 1
        raise UserError(f"{file}:{line}: the character #x{e.character:04x} is not allowed; remove it") from None
    try:
        return _build(loader, _root(loader, file, empty), file, 100_000 + _ALIASES * len(text), verbatim)
    except yaml.MarkedYAMLError as e:
        line = e.problem_mark.line + 1 if e.problem_mark else 1
        remedy = next((then for words, then in _REMEDIES if words in str(e.problem)), "check quotes and indentation")
        raise UserError(f"{file}:{line}: not valid YAML: {e.problem}; {remedy}") from None
    except RecursionError:
        raise UserError(f"{file}:{loader.line + 1}: nested too deeply; write it flatter") from None
    finally:
        loader.dispose()


def _root(loader: yaml.SafeLoader, file: str, empty: str) -> yaml.Node:
    try:
        root = loader.get_single_node()
    except (ValueError, OverflowError):  # PyYAML hands numbers above 10FFFF in \U escapes to chr()
        line = loader.line + 1
        raise UserError(f"{file}:{line}: an escape names no character; write the character itself") from None
    if root is None:
        raise UserError(f"{file}:1: {empty}")
    return root


def _build(loader: yaml.SafeLoader, root: yaml.Node, file: str, limit: int, verbatim: bool) -> Source:
    lines: dict[Loc, int] = {}
    columns: dict[Loc, int] = {}
    inside: set[int] = set()

    def scalar(node: yaml.ScalarNode) -> Any:
        line = node.start_mark.line + 1
        if any("\ud800" <= c <= "\udfff" for c in node.value):
            raise UserError(f"{file}:{line}: an escape gives half a character; write the character itself")
        # A procedure has no truth values, but users say "Yes" and "No".
        if node.tag == "tag:yaml.org,2002:bool" or (verbatim and node.tag != "tag:yaml.org,2002:null"):
            return node.value
        try:
            return loader.construct_object(node, deep=True)
        except (ValueError, OverflowError, AttributeError, LookupError):  # 2027-02-30, 0x_, !!float abc
            raise UserError(f"{file}:{line}: {node.value[:40]!r} is no value; put it in quotes") from None

    def build(node: yaml.Node, loc: Loc) -> Any:
        line = node.start_mark.line + 1
        lines.setdefault(loc, line)
        columns.setdefault(loc, node.start_mark.column + 1)
        if isinstance(node, yaml.ScalarNode):
            return scalar(node)
        if id(node) in inside:
            raise UserError(f"{file}:{line}: this contains itself through an alias; write it out")
        if len(lines) > limit:
            raise UserError(f"{file}:{line}: aliases make too much of this; write it out")
        inside.add(id(node))
        out: Any = {}
        if isinstance(node, yaml.MappingNode):
            for key_node, value_node in node.value:
                line = key_node.start_mark.line + 1
                if not isinstance(key_node, yaml.ScalarNode):
                    raise UserError(f"{file}:{line}: a key must be a word; put it in quotes")
                scalar(key_node)
                key = str(key_node.value)
                if key in out:
                    raise UserError(f"{file}:{line}: {key!r} is given twice; remove one")
                lines[(*loc, key)] = line
                columns[(*loc, key)] = key_node.start_mark.column + 1
                out[key] = build(value_node, (*loc, key))
        else:
            out = tuple(build(item, (*loc, i)) for i, item in enumerate(node.value))
        inside.remove(id(node))
        return out

    return Source(build(root, ()), lines, columns)
