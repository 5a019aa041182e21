"""Many calls at once: as fast as the provider likes, equal requests asked once, waits as long as it says."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from flowc.completer import ATTEMPTS, Completer, Pace
from flowc.completion import Fault, Request, Response
from flowc.providers import Access, CallFault
from flowc.records import UserError
from flowc.response_cache import ResponseCache
from flowc.spend import CapReached, Price, Spend
from tests.test_response_cache import request, response

PRICE = Price(input=1, output=1)


class Plain:
    """A provider that is a function."""

    access = Access(None, "none")

    def __init__(self, answer: Callable[[int], Response]) -> None:
        self.calls, self._answer = 0, answer
        self.running = self.most = 0

    async def complete(self, request: Request) -> Response:
        self.calls += 1
        number = self.calls
        self.running += 1
        self.most = max(self.most, self.running)
        await asyncio.sleep(0.005)
        self.running -= 1
        return self._answer(number)

    async def close(self) -> None:
        """Nothing to close."""


def complete(
    folder: Path, provider: Plain, texts: list[str], concurrency: int = 4, cap: float = 10.0
) -> tuple[Completer, list[Response | BaseException]]:
    async def run() -> tuple[Completer, list[Response | BaseException]]:
        with ResponseCache(folder / "r.sqlite") as cache:
            completer = Completer(provider, cache, Spend(cap, PRICE), concurrency, pause=0.001)
            answers = await asyncio.gather(*(completer.complete(request(t)) for t in texts), return_exceptions=True)
            return completer, answers

    return asyncio.run(run())


def test_equal_requests_in_flight_are_asked_and_paid_once(tmp_path: Path) -> None:
    provider = Plain(lambda n: response(f"answer {n}"))
    completer, answers = complete(tmp_path, provider, ["a", "b", "a", "a"])
    assert provider.calls == completer.asked == 2
    assert answers[0] == answers[2] == answers[3] != answers[1]
    assert completer.spend.used == pytest.approx(2 * 5 / 1e6)


def test_calls_at_once_start_few_grow_with_success_and_stay_within_the_limit(tmp_path: Path) -> None:
    provider = Plain(lambda n: response())
    completer, _ = complete(tmp_path, provider, [str(i) for i in range(100)], concurrency=8)
    assert provider.most == 8
    assert completer.pace.limit == 8
    provider = Plain(lambda n: response())
    complete(tmp_path, provider, [f"few {i}" for i in range(6)], concurrency=64)
    assert provider.most <= 5


def test_too_many_requests_halve_the_calls_once_for_all_that_hear_it_together() -> None:
    async def run() -> list[float]:
        pace = Pace(32)
        pace.limit = 16.0
        pace.slower(0.2)
        pace.slower(0.2)
        first = pace.limit
        await asyncio.sleep(0.25)
        pace.slower(None)
        return [first, pace.limit]

    assert asyncio.run(run()) == [8.0, 4.0]


def test_no_call_is_made_before_the_provider_said(tmp_path: Path) -> None:
    started: list[float] = []

    def answer(number: int) -> Response:
        started.append(time.monotonic())
        if number == 1:
            raise CallFault(Fault.RATE_LIMIT, "slow down", retry_after=0.3)
        return response()

    completer, _ = complete(tmp_path, Plain(answer), ["a", "b", "c"], concurrency=1)
    assert started[1] - started[0] >= 0.3
    assert completer.faults == {Fault.RATE_LIMIT: 1}


def test_a_provider_that_keeps_failing_is_asked_ten_times_and_nobody_else_after_that(tmp_path: Path) -> None:
    def answer(_: int) -> Response:
        raise CallFault(Fault.SERVER_ERROR, "down")

    provider = Plain(answer)
    completer, answers = complete(tmp_path, provider, ["a", "b"], concurrency=1)
    assert all(isinstance(a, UserError) for a in answers)
    assert provider.calls <= 2 * ATTEMPTS
    assert completer.spend.left == 10.0


def test_calls_in_flight_when_one_is_refused_are_still_kept(tmp_path: Path) -> None:
    def answer(number: int) -> Response:
        if number == 1:
            raise UserError("no")
        return response()

    _, answers = complete(tmp_path, Plain(answer), ["a", "b", "c", "d", "e"])
    assert [isinstance(a, UserError) for a in answers] == [True, False, False, False, True]
    with ResponseCache(tmp_path / "r.sqlite") as cache:
        assert [cache.get(request(t).key) is not None for t in "abcde"] == [False, True, True, True, False]


def test_a_call_waits_for_the_dollars_of_another_and_stops_when_none_come(tmp_path: Path) -> None:
    provider = Plain(lambda n: response())
    bound = Spend(1, PRICE).most(request("a"), batch=False)
    completer, answers = complete(tmp_path, provider, ["a", "b", "c"], cap=bound + 1.5 * 5 / 1e6)
    assert provider.most == 1
    assert [type(a) for a in answers] == [Response, Response, CapReached]
    assert completer.spend.used <= bound + 1.5 * 5 / 1e6


def test_an_answer_that_never_came_stays_in_the_account(tmp_path: Path) -> None:
    def answer(number: int) -> Response:
        if number == 1:
            raise CallFault(Fault.NO_ANSWER, "gone", charged=True)
        return response()

    completer, _ = complete(tmp_path, Plain(answer), ["a"])
    bound = Spend(1, PRICE).most(request("a"), batch=False)
    assert completer.spend.lost == pytest.approx(bound)
    again, _ = complete(tmp_path, Plain(answer), ["a"])
    assert again.reused == 1
    assert again.spend.lost == pytest.approx(bound)
