"""Typed access to a YAML document of another tool: what is not as expected is named with its place and a remedy."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, NoReturn

from flowc.records import UserError
from flowc.yaml_lines import Loc, Source, load_yaml


class Fields:
    """A document read verbatim; every place in it is given as a location."""

    def __init__(self, text: str, file: str, empty: str) -> None:
        self._file = file
        self._source: Source = load_yaml(text, file, empty, verbatim=True)

    def line(self, loc: Loc) -> int:
        """Give the line where a place is written."""
        return self._source.line(loc)

    def fail(self, loc: Loc, message: str) -> NoReturn:
        """Raise a UserError for a place."""
        raise UserError(f"{self._file}:{self.line(loc)}:{self._source.column(loc)}: {message}")

    def get(self, loc: Loc) -> Any:
        """Give the value at a place as it is, None where nothing stands."""
        value = self._source.values
        for key in loc:
            if isinstance(value, dict):
                value = value.get(key)
            else:
                value = value[key] if isinstance(value, tuple) and isinstance(key, int) and key < len(value) else None
        return value

    def text(self, loc: Loc) -> str:
        """Give the text at a place with single spaces, empty where nothing stands."""
        return " ".join(self.name(loc).split())

    def name(self, loc: Loc) -> str:
        """Give the text at a place as it is written, empty where nothing stands."""
        value = self.get(loc)
        if value is None:
            return ""
        if not isinstance(value, str):
            self.fail(loc, f"{where(loc)} must be plain text, not a {kind(value)}; put it in quotes")
        return value

    def keys(self, loc: Loc, known: Collection[str] | None = None) -> list[str]:
        """List the keys of a mapping, none where nothing stands; with `known`, no other may be there."""
        value = self.get(loc)
        if value is None:
            return []
        if not isinstance(value, dict):
            self.fail(
                loc, f"{where(loc)} must be a mapping of names, not a {kind(value)}; see the tool's documentation"
            )
        for key in value:
            if known is not None and key not in known:
                self.fail((*loc, key), f"{where((*loc, key))}: unknown key; remove it or check its spelling "
                          f"(known are {', '.join(sorted(known))})")  # fmt: skip
        return list(value)

    def items(self, loc: Loc) -> list[Loc]:
        """List the places of a list's items, none where nothing stands."""
        value = self.get(loc)
        if value is None:
            return []
        if not isinstance(value, tuple):
            self.fail(loc, f"{where(loc)} must be a list, not a {kind(value)}; write each item behind a dash")
        return [(*loc, i) for i in range(len(value))]


def where(loc: Loc) -> str:
    """Write a place for people."""
    return ".".join(map(str, loc)) or "the document"


def kind(value: Any) -> str:
    """Name what a value is for people."""
    return "mapping" if isinstance(value, dict) else "list" if isinstance(value, tuple) else "text"


def words(name: str) -> str:
    """Write an identifier as words, as the label of what has no other."""
    return " ".join(name.replace("_", " ").replace("-", " ").split()) or name
