"""The only module that opens params.yaml: a section goes in, a frozen value comes out."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import ValidationError

from flowc.records import Record, UserError

P = TypeVar("P", bound=Record)
V = TypeVar("V")


def load(section: str, kind: type[P]) -> P:
    """Read a section of params.yaml in the working folder.

    Raises UserError with the key when one is missing, unknown or out of range.
    """
    values = _read().get(section)
    if values is None:
        raise UserError(f"params.yaml has no section {section!r}; compose it with `make params`")
    try:
        return kind.model_validate(values)
    except ValidationError as e:
        detail = e.errors()[0]
        key = ".".join([section, *map(str, detail["loc"])])
        raise UserError(
            f"params.yaml: {key}: {detail['msg']} (got {detail['input']!r}); mend conf/ and run `make params`"
        ) from None


def load_value(key: str, kind: type[V]) -> V:
    """Read one top-level value of params.yaml.

    Raises UserError when it is missing or of another type.
    """
    value = _read().get(key)
    if not isinstance(value, kind):
        raise UserError(f"params.yaml: {key} must be {kind.__name__}, not {value!r}; mend conf/config.yaml")
    return value


def _read() -> dict[str, Any]:
    path = Path("params.yaml")
    if not path.exists():
        raise UserError("params.yaml is missing; compose it with `make params`")
    values = yaml.safe_load(path.read_text(encoding="utf-8"))
    if not isinstance(values, dict):
        raise UserError("params.yaml is empty or not a mapping; compose it with `make params`")
    return values
