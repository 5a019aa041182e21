"""Simulated users talk to an arm: many conversations at once over one served model."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

from pydantic import Field
from tqdm import tqdm

from flowc.client import Completion, ContextOverflow, Sampling
from flowc.graph import Graph
from flowc.records import Message, Record
from flowc.repeats import repeated
from flowc.scenarios import Scenario
from flowc.tools import execute
from flowc.tracker import Tracker
from flowc.transcripts import Ended, Tokens, Transcript, Turn
from flowc.user import ScriptedUser, UserTurn

_CONFUSIONS = 3  # a person gives up after as many replies that make no sense
_VISITS = 5  # of one step, with asides and both rounds of its loops; at the sixth a person gives up
_TOOL_CALLS = 3  # in a row; no procedure needs more than one


class SimulateParams(Record):
    """How conversations are simulated; the same for every arm."""

    temperature: float = Field(ge=0)
    """Sampling temperature; 0 takes the likeliest token."""
    top_p: float = Field(gt=0, le=1)
    """Nucleus sampling."""
    max_tokens: int = Field(ge=1)
    """Longest reply in tokens."""
    max_turns: int = Field(ge=1)
    """Assistant messages after which a conversation is stopped."""
    concurrency: int = Field(ge=1)
    """Conversations at once."""
    repeats: int = Field(default=1, ge=1)
    """Conversations on each scenario, each with words of its user's own; the arms that are not compiled have one."""


def sampling(params: SimulateParams, seed: int, repeat: int = 0) -> Sampling:
    """Give the one sampling setting of all arms; each repeat draws otherwise, where the temperature is not 0."""
    return Sampling(
        temperature=params.temperature, top_p=params.top_p, max_tokens=params.max_tokens, seed=seed + repeat
    )


class Reply(NamedTuple):
    """An arm's next message, and the calls to the model that it took."""

    message: Message
    completions: tuple[Completion, ...]


class Arm(Protocol):
    """Whatever plays the assistant in one conversation."""

    async def reply(self, history: Sequence[Message]) -> Reply:
        """Give the next message; `history` begins without a system prompt."""


MakeArm = Callable[[Scenario], Arm]


class User(Protocol):
    """Whoever plays the user in one conversation."""

    async def reply(self, history: Sequence[Message], node: str | None) -> UserTurn:
        """Answer the last message of `history`, which realised `node` as far as the tracker can tell.

        A first label `stop` ends the conversation, and `error:<what>` too: the user itself went wrong.
        """


MakeUser = Callable[[Scenario], User]


class _Planned:
    """The scripted user, which looks at nothing but the node."""

    def __init__(self, graph: Graph, scenario: Scenario) -> None:
        self._user = ScriptedUser(graph, scenario)

    async def reply(self, history: Sequence[Message], node: str | None) -> UserTurn:
        return self._user.reply(node)


async def simulate(
    graph: Graph,
    scenarios: Sequence[Scenario],
    name: str,
    make_arm: MakeArm,
    tracker: Tracker,
    params: SimulateParams,
    make_user: MakeUser | None = None,
) -> list[Transcript]:
    """Play every scenario as often as `params.repeats` says; transcripts come by their scenarios' ids and repeats.

    Without `make_user` the scripted user plays it. Raises what an arm or a user raises, as it is: UserError when a
    server is gone.
    """
    gate = asyncio.Semaphore(params.concurrency)
    planned = repeated(scenarios, params.repeats)
    with tqdm(total=len(planned), desc=f"{name}: conversations", unit="conv") as bar:

        async def one(scenario: Scenario) -> Transcript:
            async with gate:
                user = make_user(scenario) if make_user else None
                transcript = await converse(graph, scenario, name, make_arm(scenario), tracker, params.max_turns, user)
            bar.update()
            return transcript

        try:
            async with asyncio.TaskGroup() as group:
                running = [group.create_task(one(s)) for s in planned]
        except ExceptionGroup as failed:  # one killed server fails all conversations alike: one error says it
            raise failed.exceptions[0] from failed
    return [t.result() for t in running]


async def converse(
    graph: Graph,
    scenario: Scenario,
    name: str,
    arm: Arm,
    tracker: Tracker,
    max_turns: int,
    user: User | None = None,
) -> Transcript:
    """Play one scenario until it ends, without a `user` with the scripted one; the transcript says why it did."""
    user = user or _Planned(graph, scenario)
    turns: list[Turn] = []
    tokens = Tokens()
    calls: Counter[str] = Counter()
    visits: Counter[str] = Counter()
    confused = in_a_row = 0

    def end(why: Ended) -> Transcript:
        return Transcript(
            scenario=scenario.id, arm=name, ended=why, turns=tuple(turns), tokens=tokens, repeat=scenario.repeat
        )

    for _ in range(max_turns):
        try:
            reply = await arm.reply([t.message for t in turns])
        except ContextOverflow:
            return end(Ended.TOO_LONG)
        tokens = Tokens(
            prompt=tokens.prompt + sum(c.prompt_tokens for c in reply.completions),
            completion=tokens.completion + sum(c.completion_tokens for c in reply.completions),
            calls=tokens.calls + len(reply.completions),
        )
        message = reply.message
        if message.tool_calls:
            in_a_row += 1
            call = message.tool_calls[0]
            result = execute(graph, scenario, call, calls)
            turns.append(Turn(message=message, labels=(result.node,) if result.node else ()))
            turns.append(
                Turn(
                    message=Message(role="tool", content=result.content),
                    labels=(f"outcome:{result.outcome}",) if result.outcome else ("error",),
                    gives=result.values,
                )
            )
            if in_a_row >= _TOOL_CALLS:
                return end(Ended.TOOL_LOOP)
            continue
        in_a_row = 0
        if not message.content.strip():
            return end(Ended.EMPTY_REPLY)
        node = tracker.track(message.content).node
        turns.append(Turn(message=message, labels=(node,) if node else ()))
        if node and graph.nodes[node].terminal:
            return end(Ended.TERMINAL)
        if node:
            visits[node] += 1
            if visits[node] > _VISITS:
                return end(Ended.IN_CIRCLES)
        turn = await user.reply([t.message for t in turns], node)
        confused = confused + 1 if turn.labels[0] == "confused" else 0
        if confused >= _CONFUSIONS:
            return end(Ended.NOT_UNDERSTOOD)
        turns.append(Turn(message=Message(role="user", content=turn.text), labels=turn.labels, gives=turn.gives))
        if turn.labels[0] == "stop":
            return end(Ended.USER_STOPPED)
        if turn.labels[0].startswith("error:"):
            return end(Ended.USER_ERROR)
    return end(Ended.TURN_LIMIT)
