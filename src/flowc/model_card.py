"""The model card of a compiled model: what went in, by hash, and what came out. No clock, host or path."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any


def sha256_of(paths: Iterable[Path]) -> str:
    """Hash files, sorted by name, as one; the names themselves do not count."""
    digest = hashlib.sha256()
    for path in sorted(paths, key=lambda p: p.name):
        with path.open("rb") as f:
            digest.update(hashlib.file_digest(f, "sha256").digest())
    return digest.hexdigest()


def model_card(
    procedure: str,
    base: str,
    hashes: dict[str, str],
    params: dict[str, Any],
    precision: str,
    results: dict[str, float | int],
) -> str:
    """Write the card as Markdown."""
    rows = "\n".join(f"| {name} | `{value}` |" for name, value in sorted(hashes.items()))
    if params["method"] == "lora":
        trained = f"Adapters of rank {params['lora']['rank']} were trained and merged into the weights of `{base}`"
        stored = "the adapters were added in fp32 and rounded once, which the eval loss below has not seen"
    else:
        trained = f"Every parameter of `{base}` was trained"
        stored = "the precision of training, so nothing is lost between the eval loss below and what a server loads"
    found = "\n".join(f"| {name.replace('_', ' ')} | {value} |" for name, value in results.items())
    return f"""# {procedure}, compiled into {base}

A language model that follows the procedure `{procedure}` from a one-line system prompt: the flowchart is in
its weights, what is on offer comes with the conversation. {trained}, on
synthetic conversations sampled from the procedure's graph, with the loss on the assistant's turns only.

Weights are stored in {precision}, {stored}; a server
may cast them (`--dtype`). Chat template and tokenizer are the base's.

## Made from
| input | sha256 |
|---|---|
{rows}

## Result
| | |
|---|---|
{found}

## Parameters
```json
{json.dumps(params, indent=2, sort_keys=True)}
```
"""
