"""Many requests as one batch, at the providers' lower price: created, remembered, waited for, read.

A batch's id is stored before waiting for it, so that a run that was killed waits for the same batch again. Only what
failed or expired in it is sent another time.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, NamedTuple, Protocol, TypeVar

import anthropic
import openai
from openai.types.chat import ChatCompletion

from flowc.completer import ATTEMPTS, Completer
from flowc.completion import Fault, Request, Response
from flowc.providers import (
    Anthropic,
    CallFault,
    OpenAI,
    Provider,
    anthropic_body,
    clean,
    fault_of,
    from_anthropic,
    from_openai,
    openai_body,
    redact,
    translated,
)
from flowc.records import UserError
from flowc.response_cache import Batch

T = TypeVar("T")

_MOST_REQUESTS = 10_000  # both providers take 50,000 and more
_MOST_BYTES = 100_000_000  # OpenAI takes 200 MB, Anthropic 256
_POLLS_UNSEEN = 20  # a new batch may not be found at once
_PASSING_TYPES = {"api_error", "overloaded_error", "rate_limit_error", "timeout_error"}


class Outcome(NamedTuple):
    """What became of one request: an answer, or a fault that may pass, or the provider's refusal in its words."""

    response: Response | None = None
    fault: Fault | None = None
    refused: str = ""


class Unseen(Exception):
    """The provider does not know the batch (yet)."""


class Unsure(Exception):
    """Whether a batch was created is not known; if so, nobody will read it."""


class Batches(Protocol):
    """A provider's batches."""

    async def create(self, requests: Mapping[str, Request]) -> str:
        """Send requests by their keys and give the batch's id. Raises as Provider.complete."""
        ...

    async def outcomes(self, id: str) -> dict[str, Outcome] | None:
        """Give what became of the requests, None while the batch is at work; requests may be missing.

        Raises Unseen, or as Provider.complete.
        """
        ...


class AnthropicBatches:
    """Anthropic's Message Batches."""

    def __init__(self, provider: Anthropic) -> None:
        self._batches, self._access = provider.sdk.messages.batches, provider.access

    async def create(self, requests: Mapping[str, Request]) -> str:
        """See Batches."""
        # A cached prompt would be gone before the next batch, and writing it costs more than plain input.
        items: list[Any] = [
            {"custom_id": key, "params": anthropic_body(r, caching=False)} for key, r in requests.items()
        ]
        with translated(anthropic, self._access):
            return (await self._batches.create(requests=items)).id

    async def outcomes(self, id: str) -> dict[str, Outcome] | None:
        """See Batches."""
        out = {}
        with translated(anthropic, self._access):
            try:
                if (await self._batches.retrieve(id)).processing_status != "ended":
                    return None
                async for item in await self._batches.results(id):
                    out[item.custom_id] = self._outcome(item.result)
            except anthropic.NotFoundError:
                raise Unseen from None
        return out

    def _outcome(self, result: Any) -> Outcome:
        if result.type == "succeeded":
            return _read(lambda: clean(from_anthropic(result.message, batch=True), self._access))
        if result.type == "errored":
            error = result.error.error
            if error.type in _PASSING_TYPES:
                return Outcome(fault=Fault.SERVER_ERROR)
            return Outcome(refused=redact(error.message, self._access))
        return Outcome(fault=Fault.EXPIRED)  # or canceled by somebody


class OpenAIBatches:
    """OpenAI's Batch API."""

    def __init__(self, provider: OpenAI) -> None:
        self._sdk, self._access = provider.sdk, provider.access

    async def create(self, requests: Mapping[str, Request]) -> str:
        """See Batches."""
        lines = [
            {"custom_id": key, "method": "POST", "url": "/v1/chat/completions", "body": openai_body(request)}
            for key, request in requests.items()
        ]
        text = "\n".join(json.dumps(line, ensure_ascii=False) for line in lines)
        with translated(openai, self._access):
            file = await self._sdk.files.create(file=("requests.jsonl", text.encode("utf-8")), purpose="batch")
            made = await self._sdk.batches.create(
                input_file_id=file.id, endpoint="/v1/chat/completions", completion_window="24h"
            )
        return made.id

    async def outcomes(self, id: str) -> dict[str, Outcome] | None:
        """See Batches."""
        out: dict[str, Outcome] = {}
        with translated(openai, self._access):
            try:
                batch = await self._sdk.batches.retrieve(id)
            except openai.NotFoundError:
                raise Unseen from None
            if batch.status == "failed":
                said = [e.message or e.code or "" for e in (batch.errors.data or [] if batch.errors else [])]
                raise UserError(f"the provider refused a batch: {redact('; '.join(said), self._access)}")
            if batch.status not in ("completed", "expired", "cancelled"):
                return None
            for file in (batch.output_file_id, batch.error_file_id):
                text = (await self._sdk.files.content(file)).text if file else ""
                for line in filter(None, text.splitlines()):
                    found = json.loads(line)
                    out[found["custom_id"]] = self._outcome(found)
        return out

    def _outcome(self, line: Mapping[str, Any]) -> Outcome:
        response = line.get("response")
        if not response:
            return Outcome(fault=Fault.EXPIRED)
        if response["status_code"] == 200:
            completion = ChatCompletion.model_validate(response["body"])
            return _read(lambda: clean(from_openai(completion, batch=True), self._access))
        said = (response.get("body") or {}).get("error", {}).get("message", "")
        error = fault_of(Exception(said), response["status_code"], {}, self._access)
        return Outcome(fault=error.fault) if isinstance(error, CallFault) else Outcome(refused=str(error))


def batches_of(provider: Provider) -> Batches:
    """Give a provider's batches."""
    if isinstance(provider, Anthropic):
        return AnthropicBatches(provider)
    assert isinstance(provider, OpenAI)
    return OpenAIBatches(provider)


def _read(read: Callable[[], Response]) -> Outcome:
    try:
        return Outcome(response=read())
    except CallFault as e:
        return Outcome(fault=e.fault)


class Batcher:
    """Answers many requests at once through batches, on a completer's cache and account."""

    def __init__(self, completer: Completer, poll_seconds: float) -> None:
        self._completer, self._poll_seconds = completer, poll_seconds
        self._cache, self._spend = completer.cache, completer.spend
        self._batches = batches_of(completer.provider)
        self._resumed: set[str] = set()

    async def answer(self, requests: Iterable[Request]) -> dict[str, Response]:
        """Give the answers by key. Those of open batches are waited for; the others are sent.

        Raises UserError when the provider refuses a request, keeps failing one, or the cap is reached; answers that
        came beside it are kept.
        """
        todo: dict[str, Request] = {}
        answers: dict[str, Response] = {}
        for request in requests:
            known = self._completer.known(request.key)
            if known:
                answers[request.key] = known
            else:
                todo[request.key] = request
        tries: Counter[str] = Counter()
        while todo:
            for batch in self._open(todo) or await self._send(todo, tries):
                for key, response in (await self._collect(batch, tries)).items():
                    if todo.pop(key, None):
                        answers[key] = response
            worst = max((tries[key] for key in todo), default=0)
            if worst >= ATTEMPTS:
                raise UserError(f"the provider failed the same request in {ATTEMPTS} batches; what is paid for is kept")
        return answers

    def _open(self, todo: Mapping[str, Request]) -> list[Batch]:
        """List the open batches that will answer some of the requests; their dollars are held, not lost."""
        found = [b for b in self._cache.open_batches() if any(r.key in todo for r in b.requests)]
        for batch in found:
            if batch.id not in self._resumed:
                self._resumed.add(batch.id)
                for request in batch.requests:
                    self._completer.known(request.key)
                    self._spend.regain(self._most(request))
        return found

    async def _send(self, todo: Mapping[str, Request], tries: Counter[str]) -> list[Batch]:
        """Create a batch of as many requests as the cap allows; none when it is not known whether it exists."""
        chosen: dict[str, Request] = {}
        costs: list[tuple[str, float]] = []
        size = 0
        for key, request in todo.items():
            dollars = self._most(request)
            full = len(chosen) == _MOST_REQUESTS or size + request.size > _MOST_BYTES
            # Within a batch no other call settles: what does not fit into the cap now goes with the next one.
            if full or (chosen and dollars > self._spend.left) or not self._spend.reserve(dollars):
                break
            chosen[key] = request
            costs.append((key, dollars))
            size += request.size
        self._cache.start(costs)
        try:
            id = await self._completer.patiently(lambda: self._create(chosen))
        except (UserError, Unsure) as e:
            for key, dollars in costs:
                self._completer.give_back(key, dollars, charged=isinstance(e, Unsure))
            if isinstance(e, UserError):
                raise
            tries.update(chosen.keys())
            return []
        batch = Batch(id, tuple(chosen.values()))
        self._cache.open_batch(batch)
        self._resumed.add(id)
        return [batch]

    async def _create(self, requests: Mapping[str, Request]) -> str:
        try:
            return await self._counted(self._batches.create(requests))
        except CallFault as e:
            if e.charged:
                raise Unsure from None
            raise

    async def _counted(self, call: Awaitable[T]) -> T:
        try:
            return await call
        except CallFault as e:
            self._completer.faults[e.fault] += 1
            raise

    async def _collect(self, batch: Batch, tries: Counter[str]) -> dict[str, Response]:
        """Wait for a batch, store its answers, and forget it."""
        outcomes = await self._wait(batch.id)
        answers: dict[str, Response] = {}
        refused: list[str] = []
        for request in batch.requests:
            key, dollars = request.key, self._most(request)
            outcome = outcomes.get(key, Outcome(fault=Fault.EXPIRED))
            if outcome.response:
                answers[key] = self._cache.put(key, request, outcome.response, dollars)
                self._spend.settle(answers[key], dollars)
                self._completer.asked += 1
                continue
            self._completer.give_back(key, dollars, charged=False)
            if outcome.fault:
                self._completer.faults[outcome.fault] += 1
                tries[key] += 1
            else:
                refused.append(outcome.refused)
        self._cache.close_batch(batch.id)
        if refused:
            raise UserError(
                f"the provider refused {len(refused)} requests of a batch: {refused[0]}; the others are kept"
            )
        return answers

    async def _wait(self, id: str) -> dict[str, Outcome]:
        unseen = 0
        while True:
            try:
                outcomes = await self._completer.patiently(lambda: self._counted(self._batches.outcomes(id)))
                if outcomes is not None:
                    return outcomes
            except Unseen:
                unseen += 1
                if unseen > _POLLS_UNSEEN:
                    return {}
            await asyncio.sleep(self._poll_seconds)

    def _most(self, request: Request) -> float:
        return self._spend.most(request, batch=True)
