"""The client against a scripted server on loopback that answers in OpenAI's format."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from flowc.client import Client, Completion, ContextOverflow, Sampling
from flowc.records import Message, ToolCall, UserError

SAMPLING = Sampling(temperature=0.5, top_p=0.9, max_tokens=20, seed=7)
ASK = [Message(role="system", content="be kind"), Message(role="user", content="hello")]
TOOLS = [{"type": "function", "function": {"name": "search", "parameters": {"type": "object"}}}]


class Script(ThreadingHTTPServer):
    """Answers requests from a queue of (status, body) and keeps what it was asked."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.replies: list[tuple[int, dict[str, Any]]] = []
        self.asked: list[dict[str, Any]] = []


class Answer(BaseHTTPRequestHandler):
    """Takes the next reply of the script."""

    def do_POST(self) -> None:
        script = self.server
        assert isinstance(script, Script)
        script.asked.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
        status, body = script.replies.pop(0)
        payload = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(payload)))
        self.end_headers()
        self.wfile.write(payload)

    def log_message(self, format: str, *args: Any) -> None:
        """Keep quiet."""


@pytest.fixture
def script() -> Iterator[Script]:
    with Script() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def reply(message: dict[str, Any], finish: str = "stop", cached: int | None = None) -> tuple[int, dict[str, Any]]:
    usage: dict[str, Any] = {"prompt_tokens": 11, "completion_tokens": 5, "total_tokens": 16}
    if cached is not None:
        usage["prompt_tokens_details"] = {"cached_tokens": cached}
    choice = {"index": 0, "finish_reason": finish, "message": {"role": "assistant", **message}}
    body = {
        "id": "x",
        "object": "chat.completion",
        "created": 0,
        "model": "m",
        "choices": [choice],
        "usage": usage,
    }
    return 200, body


def call(arguments: str) -> dict[str, Any]:
    return {"id": "call_1", "type": "function", "function": {"name": "search", "arguments": arguments}}


def ask(script: Script, tools: list[dict[str, Any]] | None = None) -> Completion:
    url = f"http://127.0.0.1:{script.server_address[1]}/v1"
    client = Client(url, "m", api_key="none", timeout=10, max_retries=0)
    return asyncio.run(client.complete(ASK, tools, SAMPLING))


def test_a_reply_has_its_text_and_the_servers_counts(script: Script) -> None:
    script.replies = [reply({"content": "hi"}, cached=8)]
    assert ask(script) == Completion("hi", (), False, 11, 5, 8, "stop")


def test_sampling_is_always_sent_and_absent_tools_are_not(script: Script) -> None:
    script.replies = [reply({"content": "hi"})]
    ask(script)
    assert script.asked == [
        {
            "model": "m",
            "messages": [{"role": "system", "content": "be kind"}, {"role": "user", "content": "hello"}],
            "temperature": 0.5,
            "top_p": 0.9,
            "max_tokens": 20,
            "seed": 7,
        }
    ]


def test_tool_calls_keep_their_order_and_become_strings(script: Script) -> None:
    arguments = '{"to": "Rome", "from": " Oslo", "seats": 2}'
    script.replies = [reply({"content": None, "tool_calls": [call(arguments)]}, "tool_calls")]
    got = ask(script, TOOLS)
    expected = ToolCall(name="search", arguments={"to": "Rome", "from": "Oslo", "seats": "2"})
    assert got.tool_calls == (expected,)
    assert list(got.tool_calls[0].arguments) == ["to", "from", "seats"]
    assert not got.malformed
    assert script.asked[0]["tools"] == TOOLS


@pytest.mark.parametrize("arguments", ['{"to": "Rome"', "[1]", '"Rome"', ""])
def test_a_call_that_cannot_be_read_is_reported_and_kept(script: Script, arguments: str) -> None:
    good = call('{"to": "Rome"}')
    script.replies = [reply({"content": "", "tool_calls": [call(arguments), good]}, "tool_calls")]
    got = ask(script, TOOLS)
    assert got.malformed
    assert got.tool_calls == (ToolCall(name="search", arguments={"to": "Rome"}),)
    assert json.loads(got.content)["function"]["arguments"] == arguments


def test_a_call_that_the_server_left_in_the_text_is_reported(script: Script) -> None:
    script.replies = [reply({"content": '<tool_call>\n{"name": "search", '}, "length")]
    got = ask(script, TOOLS)
    assert (got.malformed, got.tool_calls, got.finish_reason) == (True, (), "length")


def test_a_conversation_that_has_grown_too_long_is_told_apart(script: Script) -> None:
    message = "This model's maximum context length is 256 tokens. However, you requested 300 tokens."
    script.replies = [(400, {"error": {"message": message, "type": "BadRequestError", "code": 400}})]
    with pytest.raises(ContextOverflow, match="256"):
        ask(script)


def test_a_failing_server_is_named_with_the_remedy(script: Script) -> None:
    script.replies = [(500, {"error": {"message": "EngineCore died"}})]
    with pytest.raises(UserError, match=r"server of m failed with status 500: .*EngineCore died.*dvc repro"):
        ask(script)


def test_a_server_that_is_gone_is_named_with_the_remedy() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    client = Client(f"http://127.0.0.1:{port}/v1", "m", api_key="none", timeout=10, max_retries=0)
    with pytest.raises(UserError, match=rf"server of m at http://127.0.0.1:{port}/v1 does not answer.*dvc repro"):
        asyncio.run(client.complete(ASK, None, SAMPLING))
