"""The judge models of the params, asked through their providers; every answer is kept and never paid twice."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path

from flowc.completer import Completer
from flowc.graph import Graph
from flowc.judges import JudgeParams
from flowc.judging import Arms, Verdicts, ask
from flowc.providers import access_from, connect
from flowc.records import UserError
from flowc.response_cache import ResponseCache
from flowc.scenarios import Scenario
from flowc.spend import PricesParams, Spend, price_for


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
    """Ask every judge about all conversations and pairs; without judges nothing is opened or sent.

    Raises UserError when a key is missing, a price is unknown under a cap, the cap is reached or a provider refuses.
    """
    by_id = {s.id: s for s in scenarios}
    out = Verdicts()
    for judge in judges:
        try:
            said = asyncio.run(_consult(judge, graph, by_id, arms, own, against, prices, environment, cache))
        except UserError as e:
            raise UserError(f"judge {judge.name!r} of evaluate.judges: {e}") from None
        out = Verdicts(out.judged + said.judged, out.compared + said.compared)
    return out


async def _consult(
    judge: JudgeParams,
    graph: Graph,
    scenarios: Mapping[str, Scenario],
    arms: Arms,
    own: str,
    against: Sequence[str],
    prices: PricesParams,
    environment: Mapping[str, str],
    cache: Path,
) -> Verdicts:
    spend = Spend(judge.cap, price_for(prices, judge.model, judge.price, judge.cap))
    provider = connect(judge.provider, access_from(judge.provider, environment), judge.timeout)
    try:
        with ResponseCache(cache) as kept:
            completer = Completer(provider, kept, spend, judge.concurrency)
            return await ask(judge, completer.complete, graph, scenarios, arms, own, against)
    finally:
        await provider.close()
