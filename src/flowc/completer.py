"""Asks a provider for many answers at once: from the cache where it has them, within the cap, and not faster than
the provider likes.

The number of calls at once grows with every answer and halves when the provider says that it is too many.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from flowc.completion import Fault, Request, Response
from flowc.providers import CallFault, Provider
from flowc.records import UserError
from flowc.response_cache import ResponseCache
from flowc.spend import Spend

T = TypeVar("T")

ATTEMPTS = 10
_LONGEST_PAUSE = 60.0
_FIRST_CALLS = 4
_SLOWER = {Fault.RATE_LIMIT, Fault.OVERLOADED}


class Pace:
    """How many calls may run at once, at most `most`; a context for each call."""

    def __init__(self, most: int) -> None:
        self._most, self.limit = most, float(min(_FIRST_CALLS, most))
        self.running = 0
        self._not_before = 0.0
        self._changed = asyncio.Condition()

    @asynccontextmanager
    async def slot(self) -> AsyncIterator[None]:
        """Wait for a place and hold it."""
        loop = asyncio.get_running_loop()
        async with self._changed:
            await self._changed.wait_for(lambda: self.running < int(self.limit))
            self.running += 1
        try:
            while (wait := self._not_before - loop.time()) > 0:
                await asyncio.sleep(wait)
            yield
        finally:
            async with self._changed:
                self.running -= 1
                self._changed.notify_all()

    def faster(self) -> None:
        """A call succeeded: allow one more after as many calls as run at once."""
        self.limit = min(float(self._most), self.limit + 1 / self.limit)

    def slower(self, retry_after: float | None) -> None:
        """The provider has too much: halve, once for all calls that hear it in the same breath, and wait."""
        now = asyncio.get_running_loop().time()
        if now >= self._not_before:
            self.limit = max(1.0, self.limit / 2)
        self._not_before = max(self._not_before, now + (retry_after or 0.0))


class Completer:
    """Answers requests of one provider; `pause` is the first wait before a failed call is repeated, in seconds."""

    def __init__(
        self, provider: Provider, cache: ResponseCache, spend: Spend, concurrency: int, pause: float = 1.0
    ) -> None:
        self.provider, self.cache, self.spend, self.pause = provider, cache, spend, pause
        self.pace = Pace(concurrency)
        self.asked = 0
        """Answers that were paid in this run."""
        self.reused = 0
        """Answers that were there before it."""
        self.faults: Counter[Fault] = Counter()
        self._seen: set[str] = set()
        self._asking: dict[str, asyncio.Task[Response]] = {}
        self._in_flight: set[asyncio.Task[Response]] = set()
        self._failure: UserError | None = None
        self._settled = asyncio.Condition()

    async def complete(self, request: Request) -> Response:
        """Give the answer to a request; equal ones are asked once.

        Raises UserError when the provider refuses it, keeps failing, or the cap is reached. Calls in flight are then
        still brought in, but no new one is made.
        """
        key = request.key
        known = self.known(key)
        if known:
            return known
        if key not in self._asking:
            self._asking[key] = asyncio.create_task(self._ask(request, key))
            self._in_flight.add(self._asking[key])
            self._asking[key].add_done_callback(self._in_flight.discard)
        try:
            return await asyncio.shield(self._asking[key])
        finally:
            self._asking.pop(key, None)

    async def settle(self) -> None:
        """Bring in the calls in flight whose askers have been cancelled: they are paid for."""
        await asyncio.gather(*self._in_flight, return_exceptions=True)

    def known(self, key: str) -> Response | None:
        """Look a request up; the first time, count what it has cost so far."""
        response = self.cache.get(key)
        if key not in self._seen:
            self._seen.add(key)
            self.spend.lost += self.cache.lost(key)
            if response:
                self.reused += 1
                self.spend.use(response)
        return response

    async def patiently(self, call: Callable[[], Awaitable[T]]) -> T:
        """Repeat a call that fails for now, with growing waits.

        Raises UserError when it keeps failing.
        """
        retrying = AsyncRetrying(
            retry=retry_if_exception_type(CallFault),
            wait=self._wait,
            stop=stop_after_attempt(ATTEMPTS),
            reraise=True,
        )
        try:
            async for attempt in retrying:
                with attempt:
                    return await call()
        except CallFault as e:
            raise UserError(
                f"the provider failed {ATTEMPTS} times in a row ({e.fault}: {e}); what is paid for is kept: start "
                "again when it is well"
            ) from None
        raise AssertionError("unreachable")

    async def _ask(self, request: Request, key: str) -> Response:
        try:
            return await self.patiently(lambda: self._once(request, key))
        except UserError as e:
            self._failure = self._failure or e
            raise self._failure from None

    async def _once(self, request: Request, key: str) -> Response:
        async with self.pace.slot():
            dollars = self.spend.most(request, batch=False)
            await self._reserve(dollars)
            try:
                return await self._charged(request, key, dollars)
            finally:
                async with self._settled:
                    self._settled.notify_all()

    async def _charged(self, request: Request, key: str, dollars: float) -> Response:
        self.cache.start([(key, dollars)])
        try:
            response = await self.provider.complete(request)
        except CallFault as e:
            self.faults[e.fault] += 1
            if e.fault in _SLOWER:
                self.pace.slower(e.retry_after)
            self.give_back(key, dollars, e.charged)
            raise
        except UserError:
            self.give_back(key, dollars, charged=False)
            raise
        response = self.cache.put(key, request, response, dollars)
        self.spend.settle(response, dollars)
        self.asked += 1
        self.pace.faster()
        return response

    def give_back(self, key: str, dollars: float, charged: bool) -> None:
        """End a call that brought no answer; one that was perhaps charged stays in the account."""
        if charged:
            self.spend.lose(dollars)
        else:
            self.spend.release(dollars)
            self.cache.end([(key, dollars)])

    async def _reserve(self, dollars: float) -> None:
        async with self._settled:
            await self._settled.wait_for(lambda: self._failure is not None or self.spend.reserve(dollars))
        if self._failure:
            raise self._failure

    def _wait(self, state: RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        asked = error.retry_after if isinstance(error, CallFault) else None
        return max(asked or 0.0, wait_random_exponential(multiplier=self.pause, max=_LONGEST_PAUSE)(state))
