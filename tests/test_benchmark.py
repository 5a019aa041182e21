"""The benchmark's arithmetic and layout; the server under it is tested in test_server.py."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest

from flowc.benchmark import (
    LoadParams,
    Request,
    Usage,
    cost,
    dollars_per_million,
    machine,
    offered_row,
    requests,
    rounded,
    row,
    spread,
)
from flowc.records import Conversation, Message, UserError


def test_the_price_of_a_token_is_the_papers() -> None:
    # An A100 at $2.50 an hour, 15,000 prefill and 3,000 decode tokens a second.
    assert round(dollars_per_million(2.50, 15_000), 4) == 0.0463
    assert round(dollars_per_million(2.50, 3_000), 4) == 0.2315


def test_a_conversation_costs_its_computed_tokens_and_no_cached_ones() -> None:
    usages = [Usage(prompt=2000, cached=500, completion=100, requests=5)] * 2
    assert cost(3.6, prefill=1000, decode=100, usages=usages, seconds=10) == {
        "usd_per_hour": 3.6,
        "prefill_tokens_per_second": 1000,
        "decode_tokens_per_second": 100,
        "usd_per_million_input": 1.0,
        "usd_per_million_output": 10.0,
        "usd_per_conversation": 0.0025,
        "usd_per_conversation_without_cache": 0.003,
        "usd_per_conversation_by_time": 0.005,
        "conversations": 2,
        "tokens_per_conversation": {"prompt": 2000, "cached": 500, "completion": 100, "requests": 5},
    }


def test_a_conversation_is_cut_before_every_assistant_turn() -> None:
    messages = (
        Message(role="system", content="be kind"),
        Message(role="user", content="hello there"),
        Message(role="assistant", content="where to now"),
        Message(role="user", content="rome"),
        Message(role="assistant", content="fine"),
    )
    conversation = Conversation(
        id="c",
        family="c",
        procedure="p",
        split="eval",
        path=(),
        ending="e",
        persona="terse",
        deviations=(),
        messages=messages,
        steps=((),) * 5,
    )

    def length(some: Sequence[Message], generation_prompt: bool) -> int:
        # A role, the words, an end and a newline a message; the prompt's last line is a role.
        return sum(3 + len(m.content.split()) for m in some) + generation_prompt

    assert requests(conversation, length) == [
        Request(messages[:2], 11, 4),
        Request(messages[:4], 21, 2),
    ]


def test_requests_are_spread_over_what_there_is() -> None:
    assert spread("abcdefgh", 4) == ["a", "c", "e", "g"]
    assert spread("ab", 4) == ["a", "a", "b", "b"]
    with pytest.raises(UserError, match=r"generate\.eval"):
        spread("", 1)


def test_a_row_has_every_percentile_and_never_nan() -> None:
    result = {"output_throughput": 12.3456, "total_token_throughput": 100.0}
    result |= {"request_throughput": 1.23456, "request_goodput": 0.5}
    result |= {f"p{p}_{kind}_ms": 10.0 + p for kind in ("ttft", "tpot") for p in (50, 95, 99)}
    result |= {f"p{p}_itl_ms": math.nan for p in (50, 95, 99)}
    measured = {
        "requests_per_second": 1.235,
        "goodput_per_second": 0.5,
        "output_tokens_per_second": 12.35,
        "total_tokens_per_second": 100.0,
        "ttft_ms": {"p50": 60.0, "p95": 105.0, "p99": 109.0},
        "tpot_ms": {"p50": 60.0, "p95": 105.0, "p99": 109.0},
        "itl_ms": {"p50": None, "p95": None, "p99": None},
    }
    head = {"concurrency": 8, "cache": "cold", "requests": 16}
    assert row(LoadParams(concurrency=8, requests=16), "cold", result) == head | measured
    offered = {"share": 0.75, "offered_per_second": 0.9876, "requests": 12}
    assert offered_row(0.75, 0.98761, 12, result) == offered | measured


def test_numbers_keep_four_digits() -> None:
    assert [rounded(x) for x in (1234.56, 0.000123456, math.inf)] == [1235.0, 0.0001235, None]


def test_the_machine_is_described_without_its_name() -> None:
    assert set(machine()) == {"processor", "cores", "memory_gib"}
