"""A server of one sentence in the place of vLLM, for scripts that serve a model and talk to it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

import pytest

from flowc.server import ServeParams, Server
from tests.test_client import Script, reply

Run = Callable[..., None]
"""Runs a script's `main` with these arguments."""


def url(script: Script) -> str:
    return f"http://127.0.0.1:{script.server_address[1]}/v1"


def runner(module: ModuleType, script: Script, text: str, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Have the script's model served from loopback by a server that says `text` whatever it hears."""
    script.replies = [reply({"content": text})] * 1000

    @contextmanager
    def serve(model: Path, params: ServeParams) -> Iterator[Server]:
        yield Server(url(script), "m", params.max_model_len, Path("none"))

    def run(*arguments: str | Path) -> None:
        monkeypatch.setattr(sys, "argv", [module.__name__, *map(str, arguments)])
        module.main()

    monkeypatch.setattr(module, "serve", serve)
    return run
