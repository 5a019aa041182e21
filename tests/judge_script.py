"""A judge model behind the scripted provider: it reads the conversation as data and rates it by a plain rule."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from tests.provider_script import Provider, Said, names_in, provider

Judge = Callable[[str, str, list[str]], Said]
"""System prompt, question and names of the fields that are asked for, to what the model says."""


def blocks(text: str, name: str) -> list[Any]:
    """Read the values of the one block of this name, as the prompt lays them out."""
    found = re.findall(rf"^<{name}>\n(.*?)^</{name}>$", text, re.MULTILINE | re.DOTALL)
    assert len(found) == 1 == text.count(f"<{name}>") == text.count(f"</{name}>"), name
    return [json.loads(line) for line in found[0].splitlines()]


def by_length(system: str, question: str, fields: list[str]) -> Said:
    """Rate 4 where the assistant speaks at least four times, else 2, and 3 for graceful handling; prefer the longer."""
    if fields == ["reason", "better"]:
        a, b = (len(blocks(question, f"conversation_{side}")) for side in "ab")
        return Said(json.dumps({"reason": "longer", "better": "A" if a > b else "B" if b > a else "tie"}))
    said = [m["text"] for m in blocks(question, "conversation") if m["from"] == "assistant"]
    rating = "4" if len(said) >= 4 else "2"
    values = {f: said[0] if f.endswith("quote") else "counted" if f.endswith("reason") else rating for f in fields}
    return Said(json.dumps(values | {"graceful_handling_rating": "3"}))


@contextmanager
def judge_server(judge: Judge = by_length) -> Iterator[Provider]:
    """Run a scripted judge for the length of a block."""

    def answer(body: dict[str, Any]) -> Said:
        system = body["system"] if "system" in body else body["messages"][0]["content"]
        return judge(system, body["messages"][-1]["content"], names_in(body))

    with provider() as server:
        server.answer = answer
        yield server
