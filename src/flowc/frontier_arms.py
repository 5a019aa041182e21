"""A provider's model in the place of ours: with the flowchart in its prompt, and under LangGraph.

Every call goes through the completer that teachers use: answers are kept and never paid twice, and nothing is asked
that might pass the cap.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

from flowc.arms import Prompted, flowchart
from flowc.client import Completion, Sampling
from flowc.completer import Completer
from flowc.completion import Function, Request, Said
from flowc.frontier import ARMS, FrontierParams, Played, Sheet
from flowc.graph import Graph
from flowc.orchestrated import Orchestrated
from flowc.providers import Access, connect
from flowc.records import Message
from flowc.response_cache import ResponseCache
from flowc.scenarios import Scenario
from flowc.simulate import Arm, SimulateParams, sampling, simulate
from flowc.spend import PricesParams, Spend, price_for
from flowc.tools import schemas
from flowc.tracker import Tracker
from flowc.transcripts import Transcript

OPENING = "[The customer opens the chat.]"
"""What stands before the assistant's first message: providers want a conversation to begin with the user."""
Role = Literal["user", "assistant", "tool"]


class Frontier(NamedTuple):
    """The conversations of both arms, and what they were played with."""

    transcripts: dict[str, list[Transcript]]
    sheet: Sheet


class FrontierModel:
    """One conversation's line to the provider, where `client.Client` is the line to a server of ours.

    The provider's model has its own sampling. `seed` tells the conversation's questions from equal ones of others;
    `grows` says that each prompt begins with the one before it.
    """

    def __init__(self, completer: Completer, params: FrontierParams, seed: int, grows: bool) -> None:
        self._completer, self._params, self._seed, self._grows = completer, params, seed, grows

    async def complete(
        self, messages: Sequence[Message], tools: list[dict[str, Any]] | None, sampling: Sampling
    ) -> Completion:
        """Give the next message.

        Raises UserError when the provider refuses, keeps failing, or the cap is reached.
        """
        system, *history = messages
        request = Request(
            provider=self._params.provider,
            model=self._params.model,
            system=system.content,
            messages=as_said(history, bool(tools)),
            temperature=self._params.temperature,
            effort=self._params.effort,
            max_tokens=self._params.max_tokens,
            grows=self._grows,
            seed=self._seed,
            functions=tuple(_function(t["function"]) for t in tools or ()),
        )
        response = await self._completer.complete(request)
        return Completion(
            content=response.text,
            tool_calls=response.calls,
            malformed=False,
            prompt_tokens=response.input_tokens + response.cache_read_tokens + response.cache_write_tokens,
            completion_tokens=response.output_tokens,
            cached_tokens=response.cache_read_tokens,
            finish_reason=response.stop.value,
        )


def as_said(history: Sequence[Message], calls: bool) -> tuple[Said, ...]:
    """Give a conversation as a provider takes it, the user first.

    Without `calls`, where the model is given no functions, calls and results are told in words: a provider refuses
    them beside a request that defines none.
    """
    said = [] if history and history[0].role == "user" else [Said(role="user", text=OPENING)]
    for message in history:
        call = message.tool_calls[0] if message.tool_calls else None
        role: Role = (
            "assistant" if message.role == "assistant" else "tool" if message.role == "tool" and calls else "user"
        )
        text = message.content if message.content.strip() else ""  # providers refuse blocks of white space
        if not calls and call:
            text = f"[calls {call.name} with {json.dumps(call.arguments, ensure_ascii=False)}]"
        elif not calls and message.role == "tool":
            text = f"[the function returned {text}]"
        said.append(Said(role=role, text=text, call=call if calls else None))
    return tuple(said)


def _function(described: dict[str, Any]) -> Function:
    return Function(
        name=described["name"],
        description=described["description"],
        arguments=tuple(described["parameters"]["required"]),
    )


async def play(
    graph: Graph,
    scenarios: Sequence[Scenario],
    params: FrontierParams,
    talk: SimulateParams,
    prices: PricesParams,
    access: Access,
    cache: Path,
    seed: int,
) -> Frontier:
    """Let the simulated users talk to both arms, one after the other.

    Raises UserError for an unknown price under a cap, and as `FrontierModel` does; what is paid for is kept.
    """
    spend = Spend(params.cap, price_for(prices, params.model, params.price, params.cap, "frontier"), "frontier")
    provider, tracker, choice = (
        connect(params.provider, access, params.timeout),
        Tracker(graph, seed),
        sampling(talk, seed),
    )
    transcripts: dict[str, list[Transcript]] = {}
    played: dict[str, Played] = {}
    try:
        with ResponseCache(cache) as kept:
            completer = Completer(provider, kept, spend, params.concurrency)

            def in_context(scenario: Scenario) -> Arm:
                model = FrontierModel(completer, params, scenario.seed, grows=True)
                return Prompted(model, flowchart(graph, calls_as_text=False), schemas(graph), choice)

            def orchestrated(scenario: Scenario) -> Arm:
                return Orchestrated(FrontierModel(completer, params, scenario.seed, grows=False), graph, choice)

            for arm, make in zip(ARMS, (in_context, orchestrated), strict=True):
                calls, dollars = completer.asked + completer.reused, spend.used
                try:
                    transcripts[arm] = await simulate(graph, scenarios, arm, make, tracker, talk)
                finally:  # one conversation that fails ends all
                    await completer.settle()
                played[arm] = Played(
                    provider=params.provider,
                    model=params.model,
                    calls=completer.asked + completer.reused - calls,
                    dollars=round(spend.used - dollars, 6) if spend.price else None,
                )
    finally:
        await provider.close()
        paid = f"${spend.paid:.4f} paid now, ${spend.used:.4f} in all" if spend.price else "price not known"
        print(f"frontier ({params.provider}, {params.model}): {paid}", file=sys.stderr, flush=True)
    return Frontier(transcripts, Sheet(arms=played))
