"""A provider on loopback that follows the published shapes of Anthropic's and OpenAI's APIs and obeys a script.

Its answers contain what the request asks to contain, as a good teacher's would; `spoil` says for each call what goes
wrong with it.
"""

from __future__ import annotations

import json
import re
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

from flowc.records import ToolCall

KEY = "sk-planted-0123456789abcdef"
INPUT, OUTPUT = 100, 50  # tokens that every answer reports

BatchSpoil = Callable[[int], str]
"""Number of the request among all in batches to what becomes of it: empty for an answer, `expired`, `errored`,
`invalid`."""
Spoil = Callable[[int], str]
"""Number of the call to what goes wrong with it: empty for nothing, a status, or one of `broken`, `nothing`, `half`,
`refusal`, `cut`, `empty`."""


class Said(NamedTuple):
    """What the model says, why it stopped (`stop`, `length` or `refusal`), and the function that it calls."""

    text: str
    stop: str = "stop"
    call: ToolCall | None = None


class Provider(ThreadingHTTPServer):
    """Answers both APIs and keeps what it was asked."""

    daemon_threads = True

    def __init__(self, spoil: Spoil) -> None:
        super().__init__(("127.0.0.1", 0), _Answer)
        self.spoil = spoil
        self.answer: Callable[[dict[str, Any]], str | ToolCall | Said] = text_for
        self.calls = 0
        self.asked: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.answered: Counter[str] = Counter()
        self.spoilt: Counter[str] = Counter()
        self.retry_after = ""
        self.batch_spoil: BatchSpoil = lambda _: ""
        self.batches: dict[str, list[tuple[str, dict[str, Any]]]] = {}
        """Requests of each batch, by the id that the client has given each."""
        self.creation_spoil: Spoil = lambda _: ""
        self.creations = 0
        self.polls: Counter[str] = Counter()
        self.unseen, self.working = 0, 1
        """How often a new batch is not found, and how often it is at work then."""
        self.stuck = ""
        """A batch that stays at work."""
        self.files: dict[str, list[dict[str, Any]]] = {}
        self.fates: dict[str, list[str]] = {}
        self.lock = threading.Lock()

    @property
    def url(self) -> str:
        """Where it listens, as the Anthropic SDK wants it; the OpenAI SDK wants /v1 behind it."""
        return f"http://127.0.0.1:{self.server_address[1]}"

    @property
    def environment(self) -> dict[str, str]:
        """What the environment has to say for every provider to be this one."""
        places = {"ANTHROPIC_BASE_URL": self.url, "OPENAI_BASE_URL": f"{self.url}/v1"}
        keys = {"ANTHROPIC_API_KEY": KEY, "OPENAI_API_KEY": KEY}
        return places | keys | {"FLOWC_COMPATIBLE_URL": f"{self.url}/v1"}


@contextmanager
def provider(spoil: Spoil = lambda _: "") -> Iterator[Provider]:
    """Run a scripted provider for the length of a block."""
    with Provider(spoil) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        try:
            yield server
        finally:
            server.shutdown()


def text_for(body: dict[str, Any]) -> str:
    """Answer a request: its JSON object where it wants one, else a line, with the values that are asked for."""
    told = str(body["messages"][-1]["content"])
    names = names_in(body)
    if not names:
        return _line(told)
    tasks = re.findall(r"^\d+\. .*$", told, re.M)
    assert len(tasks) == len(names), told
    return json.dumps({name: _line(task) for name, task in zip(names, tasks, strict=True)})


def _line(task: str) -> str:
    example = re.search(r'Example words: "(.*)"$', task, re.M)
    if example:
        return f"{example[1]} Thank you."
    contain = re.search(r"Contain: (.*?)\.$", task, re.M)
    values = re.findall(r'"(.*?)"', contain[1]) if contain else []
    return f"Here you are: {', '.join(values)}." if values else "Fine."


def names_in(body: dict[str, Any]) -> list[str]:
    """List the fields that a request asks for; none where it asks for plain text."""
    wanted = body.get("response_format", {}).get("json_schema") or body.get("output_config", {}).get("format") or {}
    return list(wanted.get("schema", {}).get("required", []))


def _said(answer: str | ToolCall | Said) -> Said:
    if isinstance(answer, Said):
        return answer
    return Said("", call=answer) if isinstance(answer, ToolCall) else Said(answer)


def anthropic_message(body: dict[str, Any], answer: str | ToolCall | Said) -> dict[str, Any]:
    """Give a Messages answer."""
    text, stop, call = _said(answer)
    stop = {"stop": "end_turn", "length": "max_tokens"}.get(stop, stop)
    called = [] if call is None else [{"type": "tool_use", "id": "toolu_1", "name": call.name, "input": call.arguments}]
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": body["model"],
        "content": [*([{"type": "text", "text": text}] if text else []), *called],
        "stop_reason": "tool_use" if call else stop,
        "stop_sequence": None,
        "usage": {"input_tokens": INPUT, "output_tokens": OUTPUT},
    }


def openai_completion(body: dict[str, Any], answer: str | ToolCall | Said) -> dict[str, Any]:
    """Give a Chat Completions answer."""
    text, stop, call = _said(answer)
    refusal = text if stop == "refusal" else None
    message: dict[str, Any] = {"role": "assistant", "content": None if refusal else text, "refusal": refusal}
    if call:
        function = {"name": call.name, "arguments": json.dumps(call.arguments)}
        message |= {"content": None, "tool_calls": [{"id": "call_x", "type": "function", "function": function}]}
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": body["model"],
        "choices": [
            {
                "index": 0,
                "finish_reason": "tool_calls" if call else "stop" if refusal else stop,
                "logprobs": None,
                "message": message,
            }
        ],
        "usage": {"prompt_tokens": INPUT, "completion_tokens": OUTPUT, "total_tokens": INPUT + OUTPUT},
    }


class _Answer(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # else every answer waits 40 ms for an acknowledgement
    server: Provider

    def do_GET(self) -> None:
        server, parts = self.server, self.path.strip("/").split("/")
        if parts[:2] == ["v1", "files"]:
            lines = "\n".join(json.dumps(line) for line in server.files[parts[2]])
            self._send(200, lines.encode())
        elif parts[-1] == "results":
            self._send(200, "\n".join(map(json.dumps, self._anthropic_results(parts[-2]))).encode())
        else:
            id = parts[-1]
            server.polls[id] += 1
            if id not in server.batches or server.polls[id] <= server.unseen:
                self._send(404, b'{"error": {"type": "not_found_error", "message": "no such batch"}}')
            else:
                done = server.polls[id] > server.unseen + server.working and id != server.stuck
                self._send_batch(id, done)

    def _make_batch(self, requests: list[tuple[str, dict[str, Any]]]) -> None:
        server = self.server
        with server.lock:
            wrong = server.creation_spoil(server.creations)
            server.creations += 1
            if wrong == "nothing":
                self.close_connection = True
                self.connection.close()
                return
        if wrong:
            self._send(int(wrong), b'{"error": {"type": "api_error", "message": "down"}}')
            return
        with server.lock:
            id = f"batch_{len(server.batches) + 1}"
            first = sum(map(len, server.batches.values()))
            server.batches[id] = requests
            server.fates[id] = [server.batch_spoil(first + i) for i in range(len(requests))]
        self._send_batch(id, done=False)

    def _send_batch(self, id: str, done: bool) -> None:
        counts = Counter(self.server.fates[id])
        if id in self.server.batches and "messages" in self.path:
            made: dict[str, Any] = {
                "id": id,
                "type": "message_batch",
                "processing_status": "ended" if done else "in_progress",
                "request_counts": {"processing": 0 if done else sum(counts.values()), "succeeded": counts[""] * done,
                                   "errored": 0, "canceled": 0, "expired": counts["expired"] * done},
                "created_at": "2026-11-25T12:00:00Z",
                "expires_at": "2026-11-26T12:00:00Z",
                "results_url": f"{self.server.url}/v1/messages/batches/{id}/results" if done else None,
            }  # fmt: skip
        else:
            made = {
                "id": id,
                "object": "batch",
                "endpoint": "/v1/chat/completions",
                "input_file_id": "file-in",
                "completion_window": "24h",
                "created_at": 1,
                "status": ("expired" if counts["expired"] else "completed") if done else "in_progress",
                "request_counts": {"total": sum(counts.values()), "completed": counts[""], "failed": 0},
            }
            if done:
                good, bad = self._openai_results(id)
                made |= {name: file for name, file in (("output_file_id", good), ("error_file_id", bad)) if file}
        self._send(200, json.dumps(made).encode())

    def _anthropic_results(self, id: str) -> list[dict[str, Any]]:
        out = []
        for (custom_id, body), fate in zip(self.server.batches[id], self.server.fates[id], strict=True):
            if fate == "":
                result: dict[str, Any] = {
                    "type": "succeeded",
                    "message": anthropic_message(body, self.server.answer(body)),
                }
            elif fate == "expired":
                result = {"type": "expired"}
            else:
                kind = "invalid_request_error" if fate == "invalid" else "api_error"
                error = {"type": "error", "error": {"type": kind, "message": "too odd"}}
                result = {"type": "errored", "error": error}
            out.append({"custom_id": custom_id, "result": result})
        return out[::-1]  # in no particular order, as the providers say

    def _openai_results(self, id: str) -> tuple[str, str]:
        good: list[dict[str, Any]] = []
        bad: list[dict[str, Any]] = []
        for (custom_id, body), fate in zip(self.server.batches[id], self.server.fates[id], strict=True):
            line: dict[str, Any] = {"id": "batch_req_1", "custom_id": custom_id, "response": None, "error": None}
            if fate == "expired":
                line["error"] = {"code": "batch_expired", "message": "not executed in time"}
            else:
                status = {"": 200, "invalid": 400}.get(fate, 500)
                answer = (
                    {"error": {"message": "too odd"}} if fate else openai_completion(body, self.server.answer(body))
                )
                line["response"] = {"status_code": status, "request_id": "req_1", "body": answer}
            (good if fate == "" else bad).append(line)
        self.server.files |= {f"{id}-out": good[::-1], f"{id}-err": bad}
        return (f"{id}-out" if good else "", f"{id}-err" if bad else "")

    def do_POST(self) -> None:
        raw = self.rfile.read(int(self.headers["content-length"]))
        with self.server.lock:
            self.server.headers.append(dict(self.headers))
        if self.path == "/v1/files":
            lines = [json.loads(line) for line in raw.decode().splitlines() if line.startswith('{"custom_id"')]
            id = f"file-{len(self.server.files) + 1}"
            self.server.files[id] = lines
            made = {"id": id, "object": "file", "bytes": len(raw), "created_at": 1, "filename": "requests.jsonl",
                    "purpose": "batch", "status": "processed"}  # fmt: skip
            self._send(200, json.dumps(made).encode())
            return
        body = json.loads(raw)
        if self.path == "/v1/batches":
            lines = self.server.files[body["input_file_id"]]
            self._make_batch([(line["custom_id"], line["body"]) for line in lines])
            return
        if self.path == "/v1/messages/batches":
            self._make_batch([(item["custom_id"], item["params"]) for item in body["requests"]])
            return
        with self.server.lock:
            number = self.server.calls
            self.server.calls += 1
            self.server.asked.append(body)
        wrong = self.server.spoil(number)
        if wrong:
            with self.server.lock:
                self.server.spoilt[wrong] += 1
        anthropic = self.path == "/v1/messages"
        if wrong == "nothing":
            self.close_connection = True
            self.connection.close()
        elif wrong == "broken":
            self._send(200, b'{"id": "msg_1", "type": "mess')
        elif wrong.isdigit():
            message = f"status {wrong} for {self.headers.get('authorization') or self.headers.get('x-api-key')}"
            self._send(
                int(wrong), json.dumps({"type": "error", "error": {"type": "error", "message": message}}).encode()
            )
        else:
            said = _said(self.server.answer(body))
            half = said.text[: len(said.text) // 2]
            if wrong == "half":
                said = Said(half if names_in(body) else "")
            elif wrong == "cut":
                said = Said(half, "length")
            elif wrong == "refusal":
                said = Said("I cannot write that.", "refusal")
            elif wrong == "empty":
                said = Said("")
            made = anthropic_message(body, said) if anthropic else openai_completion(body, said)
            self._send(200, json.dumps(made).encode())
            with self.server.lock:
                self.server.answered[raw.decode()] += 1

    def _send(self, status: int, payload: bytes) -> None:
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(payload)))
        if status != 200 and self.server.retry_after:
            self.send_header("retry-after", self.server.retry_after)
        self.end_headers()
        self.wfile.write(payload)

    def log_message(self, format: str, *args: Any) -> None:
        """Keep quiet."""
