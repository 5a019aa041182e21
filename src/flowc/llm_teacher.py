"""Teachers that are language models: the plans of the scripted teacher, put into words by a provider's model.

`generate=anthropic`, `generate=openai` and `generate=compatible` choose one; docs/teachers.md says how to use them.
"""

from __future__ import annotations

import asyncio
import sys
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from tqdm import tqdm

from flowc.batches import Batcher
from flowc.briefs import Prompts, briefs, is_spoken, system_prompt
from flowc.completer import Completer
from flowc.completion import ProviderName, Request, Response, Stop
from flowc.graph import Graph
from flowc.llm_params import LlmParams
from flowc.providers import Access, connect
from flowc.records import Conversation
from flowc.response_cache import ResponseCache
from flowc.scenarios import Scenario
from flowc.spend import PricesParams, Spend, likely, price_for
from flowc.teacher import Line, assemble, play
from flowc.writers import Job, Style, Writer, Written, shared, write_turns, write_whole

Drive = Callable[[Sequence[Writer]], Awaitable[list[Written]]]


class Estimate(NamedTuple):
    """What a run would ask. `dollars` is None where no price is known."""

    conversations: int
    calls: int
    reused: int
    dollars: float | None
    keys: tuple[str, ...]
    """Of all requests that can be foreseen."""
    first: str
    """The first request that would be sent, as it stands in the cache's file; empty when there is none."""

    @property
    def told(self) -> str:
        """The counts in a sentence."""
        price = "its price is not known" if self.dollars is None else f"the others cost about ${self.dollars:.2f}"
        calls = self.calls + self.reused
        return f"{self.conversations} conversations in {calls} calls, {self.reused} of them answered before; {price}"


class LlmTeacher:
    """Writes families of scenarios; `report` says afterwards what it took."""

    def __init__(
        self,
        graph: Graph,
        provider: ProviderName,
        params: LlmParams,
        prices: PricesParams,
        prompts: Prompts,
        variety: float,
        cache: Path,
    ) -> None:
        """Raises UserError when the price of the model is unknown and a cap is set."""
        self._graph, self._params, self._variety, self._cache = graph, params, variety, cache
        self._provider = provider
        self._price = price_for(prices, params.model, params.price, params.cap)
        self._by_turn, self._batched = params.mode in ("turns", "waves"), params.mode in ("batch", "waves")
        text = prompts.turn if self._by_turn else prompts.conversation
        system = system_prompt(text, graph, prompts)
        self._style = Style(
            provider, params.model, system, prompts, params.temperature, params.effort, params.max_tokens
        )
        self.report: dict[str, Any] = {}

    def write(self, families: Sequence[Sequence[Scenario]], access: Access) -> list[Conversation]:
        """Write the conversations of families, trunks first; those that failed twice are left out and counted.

        Raises UserError when the provider refuses, keeps failing, or the cap is reached.
        """
        expected = self.estimate(families)
        _tell(f"{self._name}: {expected.told}")
        with ResponseCache(self._cache) as cache:
            return asyncio.run(self._write(families, access, cache, expected.keys))

    def estimate(self, families: Sequence[Sequence[Scenario]]) -> Estimate:
        """Say what writing would ask, without asking; answers that are not there yet are guessed to be as long as the
        scripted ones."""
        calls, reused, dollars, first = 0, 0, 0.0, ""
        seen: set[str] = set()

        with ResponseCache(self._cache) as cache:

            async def drive(writers: Sequence[Writer]) -> list[Written]:
                return [offline(w) for w in writers]

            def offline(writer: Writer) -> Written:
                nonlocal calls, reused, dollars, first
                try:
                    ask = next(writer)
                    while True:
                        key = ask.request.key
                        response = cache.get(key)
                        if key not in seen:
                            seen.add(key)
                            reused += response is not None
                            calls += response is None
                            if response is None:
                                first = first or ask.request.model_dump_json(indent=2)
                                dollars += (
                                    likely(ask.request, ask.draft, self._price, self._batched) if self._price else 0.0
                                )
                        ask = writer.send(response or _guess(ask.draft))
                except StopIteration as e:
                    done: Written = e.value
                    return done

            written = asyncio.run(self._through(families, drive))
        return Estimate(len(written), calls, reused, dollars if self._price else None, tuple(sorted(seen)), first)

    @property
    def _name(self) -> str:
        return f"teacher {self._provider} ({self._params.model}, {self._params.mode})"

    async def _write(
        self, families: Sequence[Sequence[Scenario]], access: Access, cache: ResponseCache, keys: Sequence[str]
    ) -> list[Conversation]:
        provider = connect(self._provider, access, self._params.timeout)
        spend = Spend(self._params.cap, self._price)
        completer = Completer(provider, cache, spend, self._params.concurrency)
        for key in keys:  # what earlier runs have paid goes into the account before anything new is paid
            completer.known(key)
        total = sum(len(family) for family in families)
        try:
            with tqdm(total=total, unit="conversation", disable=None, file=sys.stderr) as bar:
                batcher = Batcher(completer, self._params.poll) if self._batched else None
                written = await self._through(
                    families, lambda ws: _waves(ws, batcher, bar) if batcher else _live(ws, completer, bar)
                )
        finally:
            await provider.close()
            _tell(f"{self._name}: {_summary(completer)}")
        self.report = self._counted(written, completer)
        _tell(f"{self._name}: answers with faults: {_listed(self.report['faults'])}; dropped: "
              f"{_listed(self.report['dropped'])}")  # fmt: skip
        return [assemble(self._graph, job.scenario, _worded(job, w.texts)) for job, w in written if w.texts is not None]

    async def _through(self, families: Sequence[Sequence[Scenario]], drive: Drive) -> list[tuple[Job, Written]]:
        """Write all trunks, then all branches: what a branch begins with has to be there."""
        trunks = [self._job(family[0]) for family in families]
        written = list(zip(trunks, await drive([self._writer(job) for job in trunks]), strict=True))
        jobs = []
        lost: list[tuple[Job, Written]] = []
        for (trunk, done), family in zip(written, families, strict=True):
            for scenario in family[1:]:
                branch = self._job(scenario)
                if done.texts is None:
                    lost.append((branch, Written(None, ())))
                else:
                    jobs.append(shared(branch, trunk, done.texts))
        branches = zip(jobs, await drive([self._writer(job) for job in jobs]), strict=True)
        return [*written, *branches, *lost]

    def _job(self, scenario: Scenario) -> Job:
        lines = list(play(self._graph, scenario, "train", self._variety))
        return Job(scenario, lines, briefs(self._graph, lines, self._style.prompts))

    def _writer(self, job: Job) -> Writer:
        return write_turns(job, self._style) if self._by_turn else write_whole(job, self._style)

    def _counted(self, written: Sequence[tuple[Job, Written]], completer: Completer) -> dict[str, Any]:
        """What it took. All but `this_run` follows from the answers, whenever they came."""
        faults = Counter(fault for _, fault in {found for _, w in written for found in w.faults})
        dropped = Counter(w.faults[-1][1] if w.faults else "trunk" for _, w in written if w.texts is None)
        return {
            "provider": self._provider,
            "model": self._params.model,
            "mode": self._params.mode,
            "prompts": {"version": self._params.prompts, "sha256": self._style.prompts.sha256},
            "calls": completer.asked + completer.reused,
            "tokens": dict(sorted(completer.spend.tokens.items())),
            "dollars": {self._params.model: round(completer.spend.used, 6) if self._price else None},
            "faults": {fault: faults[fault] for fault in sorted(faults)},
            "dropped": {reason: dropped[reason] for reason in sorted(dropped)},
            "this_run": {
                "asked": completer.asked,
                "reused": completer.reused,
                "dollars_paid": round(completer.spend.paid, 6) if self._price else None,
                "dollars_perhaps_lost": round(completer.spend.lost, 6) if self._price else None,
                "faults": {fault: completer.faults[fault] for fault in sorted(completer.faults)},
            },
        }


async def _live(writers: Sequence[Writer], completer: Completer, bar: Any) -> list[Written]:
    """Run writers side by side. After a failure the calls in flight still come in, and are kept."""

    async def run(writer: Writer) -> Written:
        try:
            ask = next(writer)
            while True:
                ask = writer.send(await completer.complete(ask.request))
        except StopIteration as e:
            bar.set_postfix_str(f"${completer.spend.used:.2f}", refresh=False)
            bar.update()
            done: Written = e.value
            return done

    results = await asyncio.gather(*map(run, writers), return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result
    return [r for r in results if not isinstance(r, BaseException)]


async def _waves(writers: Sequence[Writer], batcher: Batcher, bar: Any) -> list[Written]:
    """Run writers in step: what all of them ask next goes into one batch."""
    done: dict[int, Written] = {}
    asking: dict[int, Request] = {}

    def advance(i: int, answer: Response | None) -> None:
        try:
            asking[i] = (next(writers[i]) if answer is None else writers[i].send(answer)).request
        except StopIteration as e:
            asking.pop(i, None)
            done[i] = e.value
            bar.update()

    for i in range(len(writers)):
        advance(i, None)
    while asking:
        bar.set_postfix_str(f"{len(asking)} in a batch", refresh=True)
        answers = await batcher.answer(asking.values())
        for i, request in list(asking.items()):
            advance(i, answers[request.key])
    return [done[i] for i in range(len(writers))]


def _worded(job: Job, texts: Sequence[str]) -> list[Line]:
    """Put texts into the places of the scripted words."""
    left = iter(texts)
    return [
        line._replace(message=line.message.model_copy(update={"content": next(left)})) if is_spoken(line) else line
        for line in job.lines
    ]


def _guess(draft: str) -> Response:
    return Response(
        text=draft, stop=Stop.END, model="", input_tokens=0, cache_read_tokens=0, cache_write_tokens=0, output_tokens=0,
        batch=False,
    )  # fmt: skip


def _summary(completer: Completer) -> str:
    spend = completer.spend
    money = f"${spend.paid:.4f} paid now, ${spend.used:.4f} in all" if spend.price else "price not known"
    lost = f", at most ${spend.lost:.4f} for calls without an answer" if spend.lost else ""
    return f"{completer.asked} calls, {completer.reused} reused; {money}{lost}; faults: {_listed(completer.faults)}"


def _listed(counts: Mapping[Any, int]) -> str:
    return ", ".join(f"{n} {name}" for name, n in sorted(counts.items())) or "none"


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
