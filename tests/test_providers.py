"""What is sent through the official SDKs, and how their answers and faults are read."""

from __future__ import annotations

import asyncio
import socket
import time
from typing import Any

import pytest

from flowc.completion import Fault, Request, Said, Stop
from flowc.providers import Access, CallFault, connect
from flowc.records import UserError
from tests.provider_script import INPUT, KEY, OUTPUT, Provider, provider

BOTH = pytest.mark.parametrize("name", ["anthropic", "openai"])


def request(name: Any, **changes: object) -> Request:
    base = Request(
        provider=name, model="m", system="be brief", messages=(Said(role="user", text="1. Greet."),),
        properties=("line_1",), temperature=None, effort=None, max_tokens=50, grows=False, seed=7,
    )  # fmt: skip
    return base.model_copy(update=changes)


def ask(server: Provider, asked: Request, timeout: float = 10) -> Any:
    url = server.url if asked.provider == "anthropic" else f"{server.url}/v1"

    async def run() -> Any:
        client = connect(asked.provider, Access(url, KEY), timeout)
        try:
            return await client.complete(asked)
        finally:
            await client.close()

    return asyncio.run(run())


SCHEMA = {
    "type": "object",
    "properties": {"line_1": {"type": "string"}},
    "required": ["line_1"],
    "additionalProperties": False,
}


def test_a_request_to_anthropic() -> None:
    with provider() as server:
        got = ask(server, request("anthropic", temperature=0.5, effort="low", grows=True))
        assert server.asked == [
            {
                "model": "m",
                "max_tokens": 50,
                "system": "be brief",
                "messages": [{"role": "user", "content": "1. Greet."}],
                "output_config": {"format": {"type": "json_schema", "schema": SCHEMA}, "effort": "low"},
                "cache_control": {"type": "ephemeral"},
                "temperature": 0.5,
            }
        ]
    assert (got.text, got.stop, got.input_tokens, got.output_tokens) == ('{"line_1": "Fine."}', Stop.END, INPUT, OUTPUT)


def test_a_request_to_openai_and_to_a_compatible_server() -> None:
    form = {"type": "json_schema", "json_schema": {"name": "lines", "schema": SCHEMA, "strict": True}}
    messages = [{"role": "system", "content": "be brief"}, {"role": "user", "content": "1. Greet."}]
    shared = {"model": "m", "messages": messages, "response_format": form}
    with provider() as server:
        got = ask(server, request("openai", effort="low"))
        ask(server, request("compatible", temperature=1.0))
        assert server.asked == [
            {**shared, "max_completion_tokens": 50, "reasoning_effort": "low"},
            {**shared, "max_tokens": 50, "temperature": 1.0},
        ]
    assert (got.text, got.stop, got.input_tokens, got.output_tokens) == ('{"line_1": "Fine."}', Stop.END, INPUT, OUTPUT)


@BOTH
@pytest.mark.parametrize(
    ("wrong", "fault", "charged"),
    [
        ("429", Fault.RATE_LIMIT, False),
        ("503", Fault.OVERLOADED, False),
        ("529", Fault.OVERLOADED, False),
        ("500", Fault.SERVER_ERROR, False),
        ("504", Fault.TIMEOUT, False),
        ("nothing", Fault.NO_ANSWER, True),
        ("broken", Fault.UNREADABLE, True),
    ],
)
def test_a_fault_that_passes(name: str, wrong: str, fault: Fault, charged: bool) -> None:
    with provider(lambda _: wrong) as server, pytest.raises(CallFault) as failed:
        ask(server, request(name))
    assert (failed.value.fault, failed.value.charged) == (fault, charged)
    assert KEY not in str(failed.value)


@BOTH
@pytest.mark.parametrize("status", ["400", "401", "403", "404", "413"])
def test_a_refusal_keeps_the_providers_words_and_not_the_key(name: str, status: str) -> None:
    with provider(lambda _: status) as server, pytest.raises(UserError, match=rf"status {status}: .*\[key\]") as failed:
        ask(server, request(name))
    assert KEY not in str(failed.value)


@BOTH
@pytest.mark.parametrize(("header", "seconds"), [("3", 3.0), ("0.25", 0.25), ("", None), ("soon", None)])
def test_how_long_the_provider_wants_us_to_wait(name: str, header: str, seconds: float | None) -> None:
    with provider(lambda _: "429") as server:
        server.retry_after = header
        with pytest.raises(CallFault) as failed:
            ask(server, request(name))
    assert failed.value.retry_after == seconds


@BOTH
def test_a_date_to_wait_for_that_is_past_is_no_wait(name: str) -> None:
    with provider(lambda _: "503") as server:
        server.retry_after = "Wed, 25 Nov 2020 12:00:00 GMT"
        with pytest.raises(CallFault) as failed:
            ask(server, request(name))
    assert failed.value.retry_after == 0


@BOTH
def test_a_late_answer_may_be_charged_and_a_connection_never_made_is_not(name: str) -> None:
    def late(_: int) -> str:
        time.sleep(0.5)
        return ""

    with provider(late) as server, pytest.raises(CallFault) as failed:
        ask(server, request(name), timeout=0.1)
    assert (failed.value.fault, failed.value.charged) == (Fault.TIMEOUT, True)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]

    async def run() -> None:
        client = connect(request(name).provider, Access(f"http://127.0.0.1:{port}", KEY), 5)
        await client.complete(request(name))

    with pytest.raises(CallFault) as failed:
        asyncio.run(run())
    assert (failed.value.fault, failed.value.charged) == (Fault.NO_ANSWER, False)


@BOTH
@pytest.mark.parametrize(("wrong", "stop"), [("cut", Stop.LENGTH), ("refusal", Stop.REFUSAL), ("empty", Stop.END)])
def test_why_an_answer_ended(name: str, wrong: str, stop: Stop) -> None:
    with provider(lambda _: wrong) as server:
        assert ask(server, request(name)).stop is stop
