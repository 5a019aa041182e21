"""A section of params.yaml as one procedure has it: its entry under `sources` may set values of its own.

`insurance_claims: {file: insurance_claims.yaml, generate: {train: 900}}` gives that procedure more conversations and
leaves the others as they are. Stages that read such a section depend on `sources.<procedure>`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import ValidationError

from flowc.records import Record, UserError

P = TypeVar("P", bound=Record)


def for_procedure(params: P, section: str, sources: Mapping[str, Any], procedure: str) -> P:
    """Give a section's params with the values that the procedure's source sets for it; the same where it sets none.

    Raises UserError with the key when one is unknown or out of range.
    """
    own = (sources.get(procedure) or {}).get(section)
    if not own:
        return params
    try:
        return type(params).model_validate(_over(params.model_dump(), own))
    except ValidationError as e:
        detail = e.errors()[0]
        key = ".".join(["sources", procedure, section, *map(str, detail["loc"])])
        raise UserError(
            f"params.yaml: {key}: {detail['msg']} (got {detail['input']!r}); mend conf/ and run `make params`"
        ) from None


def _over(values: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """Put a procedure's own values over the section's, group by group."""
    nested = {
        key: _over(values[key], value)
        for key, value in own.items()
        if isinstance(value, Mapping) and isinstance(values.get(key), Mapping)
    }
    return {**values, **own, **nested}
