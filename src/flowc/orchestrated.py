"""The `orchestrated` arm: the procedure as a LangGraph, one graph node per procedure node.

Every turn the orchestrator runs the graph from where the conversation stands: a router decides what the
user's message means (a call to the model as a classifier where there is a choice), tool nodes fill in arguments
by a call to the model, and the agent node that is reached writes the message from its instruction.
"""

from __future__ import annotations

import json
import re
from collections.abc import Hashable, Sequence
from typing import Any, TypedDict

from langgraph.graph import END, START, StateGraph

from flowc.arms import ChatModel, as_message
from flowc.client import Completion, Sampling
from flowc.graph import Graph
from flowc.records import Message, ToolCall
from flowc.simulate import Reply
from flowc.tools import schemas

_ROUTER = "(route)"  # no identifier, so that no node of a procedure has this name


class Situation(TypedDict):
    """The graph's state: the history, where it stands, and what this turn has produced."""

    history: Sequence[Message]
    at: str
    out: Message | None
    completions: tuple[Completion, ...]


class Orchestrated:
    """One conversation under LangGraph; keeps only the name of the current node between turns.

    `at` is the node that the last message realised, for a conversation that has begun without it.
    """

    def __init__(self, client: ChatModel, graph: Graph, sampling: Sampling, at: str = "") -> None:
        self._client, self._graph, self._sampling = client, graph, sampling
        self._at = at
        self._app = self._build()

    async def reply(self, history: Sequence[Message]) -> Reply:
        """Run the graph from the present node to the next message."""
        state = await self._app.ainvoke(
            Situation(history=history, at=self._at, out=None, completions=()), {"recursion_limit": 100}
        )
        self._at = state["at"]
        assert state["out"] is not None
        return Reply(state["out"], state["completions"])

    def _build(self) -> Any:
        builder = StateGraph(Situation)
        names = sorted(self._graph.nodes)
        builder.add_node(_ROUTER, self._route)
        builder.add_edge(START, _ROUTER)
        for name in names:
            builder.add_node(name, self._runner(name))
            builder.add_edge(name, END)
        where: dict[Hashable, str] = {name: name for name in names}
        builder.add_conditional_edges(_ROUTER, lambda state: state["at"], where)
        return builder.compile()

    async def _route(self, state: Situation) -> dict[str, Any]:
        """Decide the next node from the last message: a tool's outcome, or what the user meant."""
        at, history = state["at"], state["history"]
        if not at:
            return {"at": self._graph.start}
        node = self._graph.nodes[at]
        if node.role == "tool":
            try:
                status = json.loads(history[-1].content).get("status")
            except (ValueError, AttributeError):
                status = None
            chosen = [e.to for e in node.edges if e.outcome == status]
            return {"at": chosen[0] if chosen else at}
        if node.terminal:
            return {"at": at}
        if not node.waits:
            return {"at": node.edges[0].to}
        options = {e.id: (e.when or e.id, e.to) for e in node.edges}
        options |= {n: (i.when, i.to or at) for n, i in self._graph.interrupts.items()}
        if self._graph.knowledge:
            options["question"] = ("the customer asks a question of their own", at)
        listing = "\n".join(f"{k}: {when}" for k, (when, _) in options.items())
        prompt = (
            f"The assistant's task was: {node.instruction}\n"
            f"What does the customer's last message mean?\n{listing}\n"
            f"Answer with one of these words only: {', '.join(options)}."
        )
        completion = await self._ask(prompt, history[-2:], 12)
        return {
            "at": options[_pick(completion.content, list(options))][1],
            "completions": (*state["completions"], completion),
        }

    def _runner(self, name: str) -> Any:
        async def run(state: Situation) -> dict[str, Any]:
            node = self._graph.nodes[name]
            if node.role == "tool":
                return await self._call(name, state)
            facts = " ".join(f.fact for f in self._graph.knowledge.values())
            known = f" Facts you may use if asked: {facts}" if facts else ""
            prompt = f"{self._graph.system} Your task now: {node.instruction} Write one short message.{known}"
            completion = await self._ask(prompt, state["history"], self._sampling.max_tokens)
            message = as_message(completion.content, ())
            return {"out": message, "completions": (*state["completions"], completion)}

        return run

    async def _call(self, name: str, state: Situation) -> dict[str, Any]:
        tool = self._graph.nodes[name].calls or ""
        schema = next(s["function"] for s in schemas(self._graph) if s["function"]["name"] == tool)
        arguments = list(self._graph.tools[tool].arguments)
        prompt = (
            f"Read the conversation and give the arguments of the function {tool} as one JSON object with the "
            f"keys {', '.join(arguments)}, each value copied from the customer's words. {json.dumps(schema)}"
        )
        completion = await self._ask(prompt, state["history"], self._sampling.max_tokens)
        found = re.search(r"\{.*\}", completion.content, re.DOTALL)
        try:
            read = json.loads(found.group()) if found else {}
        except ValueError:
            read = {}
        read = read.get("arguments", read) if isinstance(read, dict) else {}
        values = (
            {a: str(read.get(a, "")) for a in arguments} if isinstance(read, dict) else dict.fromkeys(arguments, "")
        )
        message = as_message("", (ToolCall(name=tool, arguments=values),))
        return {"out": message, "completions": (*state["completions"], completion)}

    async def _ask(self, system: str, history: Sequence[Message], max_tokens: int) -> Completion:
        messages = [Message(role="system", content=system), *history]
        sampling = self._sampling.model_copy(update={"max_tokens": max_tokens})
        return await self._client.complete(messages, None, sampling)


def _pick(answer: str, options: Sequence[str]) -> str:
    """Read a classifier's answer: the option that it names first, or the first option when it names none."""
    places = {o: answer.lower().find(o.lower()) for o in options}
    named = [o for o in options if places[o] >= 0]
    return min(named, key=lambda o: (places[o], -len(o))) if named else options[0]
