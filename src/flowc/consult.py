"""The judge models of the params, asked through their providers; every answer is kept and never paid twice.

Judges work at the same time, each on an account of its own: no batch waits for another judge's.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, TypeVar

from flowc.batches import Batcher
from flowc.completer import Completer
from flowc.completion import Request, Response
from flowc.graph import Graph
from flowc.judges import JudgeParams
from flowc.judging import Arms, Verdicts, ask
from flowc.providers import Access, access_from, connect
from flowc.records import UserError
from flowc.response_cache import ResponseCache
from flowc.scenarios import Scenario
from flowc.spend import Price, PricesParams, Spend, price_for

T = TypeVar("T")


class _Seat(NamedTuple):
    """A judge with what asking it takes."""

    judge: JudgeParams
    access: Access
    price: Price | None


def consult(
    judges: Sequence[JudgeParams],
    graph: Graph,
    scenarios: Sequence[Scenario],
    arms: Arms,
    own: str,
    against: Sequence[str],
    prices: PricesParams,
    environment: Mapping[str, str],
    cache: Path,
) -> Verdicts:
    """Ask every judge about all conversations, and about pairs of `own` with each arm of `against`.

    Without judges nothing is opened or sent. Raises UserError before anything is asked when a key is missing or a price
    is unknown under a cap, and afterwards when a cap is reached or a provider refuses; all that was answered is kept.
    """
    seats = [_seat(judge, prices, environment) for judge in judges]
    by_id = {s.id: s for s in scenarios}

    async def hear(seat: _Seat) -> Verdicts:
        with ResponseCache(cache) as kept:
            return await _hear(seat, kept, graph, by_id, arms, own, against)

    async def hear_all() -> list[Verdicts]:
        return await _all(map(hear, seats))

    said = asyncio.run(hear_all()) if seats else []
    return Verdicts(tuple(j for v in said for j in v.judged), tuple(c for v in said for c in v.compared))


def _seat(judge: JudgeParams, prices: PricesParams, environment: Mapping[str, str]) -> _Seat:
    price = price_for(prices, judge.model, judge.price, judge.cap, _section(judge))
    try:
        return _Seat(judge, access_from(judge.provider, environment), price)
    except UserError as e:
        raise UserError(f"{_named(judge)} {str(e).removeprefix(f'generate={judge.provider} ')}") from None


async def _hear(
    seat: _Seat,
    cache: ResponseCache,
    graph: Graph,
    scenarios: Mapping[str, Scenario],
    arms: Arms,
    own: str,
    against: Sequence[str],
) -> Verdicts:
    judge = seat.judge
    provider = connect(judge.provider, seat.access, judge.timeout)
    completer = Completer(provider, cache, Spend(judge.cap, seat.price, _section(judge)), judge.concurrency)

    async def answer(requests: Sequence[Request]) -> list[Response]:
        for request in requests:  # what earlier runs have paid goes into the account before anything new is paid
            completer.known(request.key)
        if judge.mode == "batch":
            answers = await Batcher(completer, judge.poll).answer(requests)
            return [answers[request.key] for request in requests]
        return await _all(map(completer.complete, requests))

    try:
        return await ask(judge, answer, graph, scenarios, arms, own, against)
    except UserError as e:
        raise UserError(f"{_named(judge)}: {e}") from None
    finally:
        await provider.close()
        used = f"${completer.spend.used:.2f}" if seat.price else "price not known"
        print(
            f"{_named(judge)} ({judge.model}, {judge.mode}): {completer.asked} answers asked for, "
            f"{completer.reused} there before; {used}",
            file=sys.stderr,
        )


async def _all(calls: Iterable[Awaitable[T]]) -> list[T]:
    """Wait for every call, also after one failed: what is in flight comes in and is kept."""
    results = await asyncio.gather(*calls, return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result
    return [r for r in results if not isinstance(r, BaseException)]


def _named(judge: JudgeParams) -> str:
    return f"judge {judge.name!r} of evaluate.judges"


def _section(judge: JudgeParams) -> str:
    return f"evaluate.judges.{judge.name}"
