"""A judge model on loopback that speaks both APIs: it reads the conversation as data and rates it by a plain rule."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

from tests.provider_script import anthropic_message, openai_completion


class Answer(NamedTuple):
    """What the model says, and why it stopped: `stop`, `length` or `refusal`."""

    text: str
    stop: str = "stop"


Judge = Callable[[str, str, list[str]], Answer]
"""System prompt, question and names of the fields that are asked for, to an answer."""


def blocks(text: str, name: str) -> list[Any]:
    """Read the values of the one block of this name, as the prompt lays them out."""
    found = re.findall(rf"^<{name}>\n(.*?)^</{name}>$", text, re.MULTILINE | re.DOTALL)
    assert len(found) == 1 == text.count(f"<{name}>") == text.count(f"</{name}>"), name
    return [json.loads(line) for line in found[0].splitlines()]


def by_length(system: str, question: str, fields: list[str]) -> Answer:
    """Rate 4 where the assistant speaks at least four times, else 2, and 3 for graceful handling; prefer the longer."""
    if fields == ["reason", "better"]:
        a, b = (len(blocks(question, f"conversation_{side}")) for side in "ab")
        return Answer(json.dumps({"reason": "longer", "better": "A" if a > b else "B" if b > a else "tie"}))
    said = [m["text"] for m in blocks(question, "conversation") if m["from"] == "assistant"]
    rating = "4" if len(said) >= 4 else "2"
    values = {f: said[0] if f.endswith("quote") else "counted" if f.endswith("reason") else rating for f in fields}
    return Answer(json.dumps(values | {"graceful_handling_rating": "3"}))


class JudgeServer(ThreadingHTTPServer):
    """Answers with a judge's rule and keeps what it was asked."""

    daemon_threads = True

    def __init__(self, judge: Judge) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.judge = judge
        self.asked: list[dict[str, Any]] = []

    @property
    def environment(self) -> dict[str, str]:
        """What the environment has to say for every provider to be this server."""
        url = f"http://127.0.0.1:{self.server_address[1]}"
        keys = {"ANTHROPIC_API_KEY": "sk-planted-0123456789", "OPENAI_API_KEY": "sk-planted-0123456789"}
        return keys | {"ANTHROPIC_BASE_URL": url, "OPENAI_BASE_URL": f"{url}/v1", "FLOWC_COMPATIBLE_URL": f"{url}/v1"}


@contextmanager
def judge_server(judge: Judge = by_length) -> Iterator[JudgeServer]:
    """Run a scripted judge for the length of a block."""
    with JudgeServer(judge) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        try:
            yield server
        finally:
            server.shutdown()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: JudgeServer

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.server.asked.append(body)
        anthropic = self.path == "/v1/messages"
        system = body["system"] if anthropic else body["messages"][0]["content"]
        wanted = body["output_config"]["format"] if anthropic else body["response_format"]["json_schema"]
        text, stop = self.server.judge(system, body["messages"][-1]["content"], wanted["schema"]["required"])
        if anthropic:
            made = anthropic_message(body, text, {"stop": "end_turn", "length": "max_tokens"}.get(stop, stop))
        else:
            made = openai_completion(body, text, stop)
        payload = json.dumps(made).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(payload)))
        self.end_headers()
        self.wfile.write(payload)

    def log_message(self, format: str, *args: Any) -> None:
        """Keep quiet."""
