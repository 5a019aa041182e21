"""The scripted teacher: a conversation in which the assistant follows the procedure exactly, offline.

What is said in which order is its plan, which every other teacher keeps to, in words of its own.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from random import Random
from typing import Literal, NamedTuple

from flowc.deviations import interrupt_for
from flowc.graph import Bank, Graph, part
from flowc.records import Conversation, Message
from flowc.scenarios import Scenario
from flowc.tools import call_for, execute
from flowc.user import ScriptedUser, UserTurn
from flowc.walk import State, begin, edge_of, follow, outcome_edge

_ROUNDS = 4  # for each step of a path: a call, its answer and what is said aside; more means that the walk does not end


class Part(NamedTuple):
    """A piece of an utterance of the assistant: a node realised (`again` after an interruption), a correction noted,
    or an answer to a side question or to a user who strays from the path."""

    kind: Literal["node", "again", "noted", "knowledge", "stray"]
    name: str
    confirms: str = ""
    """The slot whose value is said first, because the user asked whether it was noted."""


class Line(NamedTuple):
    """One planned message in the scripted words, with what is true of it."""

    message: Message
    labels: tuple[str, ...]
    parts: tuple[Part, ...]
    """What the assistant's message consists of."""
    values: dict[str, str]
    """Slots that a user's message tells; for the assistant's, all that are known."""


class ScriptedAgent:
    """The assistant that follows the Graph, told by labels what the user meant."""

    def __init__(self, graph: Graph, seed: int, bank: Bank, variety: float = 1.0) -> None:
        self._graph, self._rng, self._bank, self._variety = graph, Random(f"{seed}:agent"), bank, variety
        self.state: State = begin(graph)
        self.values: dict[str, str] = {}
        self._corrected: list[str] = []
        self._prefix: list[Part] = []
        self._again = False

    def hear(self, turn: UserTurn) -> None:
        """Take in what the user said and move."""
        self.values |= turn.gives
        self._prefix, self._again = [], False
        label, name = turn.labels[0].split(":")
        told = frozenset(turn.gives)
        self._corrected = [slot for kind, slot in (x.split(":") for x in turn.labels[1:]) if kind == "correction"]
        if label == "edge":
            node, edge = name.split(".")
            self.state = follow(self._graph, self.state, edge_of(self._graph, node, edge), told)
        elif label == "side_question":
            self._prefix.append(Part("knowledge", name))
            self._again = True
        elif label == "interrupt":
            self.state = State(self._graph.interrupts[name].to or self.state.node, self.state.known)
        elif interrupt := interrupt_for(self._graph, turn.labels[0]):
            self._prefix.append(Part("stray", interrupt, name if label == "confirmation" else ""))
            self.state = State(self.state.node, self.state.known | told)
            self._again = True

    def returned(self, outcome: str, values: dict[str, str]) -> None:
        """Take in a tool's result and move; a correction that the call passed on needs no further word."""
        passed = self._graph.tools[self._graph.nodes[self.state.node].calls or ""].arguments.values()
        self._corrected = [slot for slot in self._corrected if slot not in passed]
        self.values |= values
        edge = outcome_edge(self._graph, self.state.node, outcome)
        self.state = follow(self._graph, self.state, edge, frozenset(values))

    def speak(self) -> tuple[str, tuple[str, ...]]:
        """Say what the present node says, behind what the last turn calls for, and name the nodes realised."""
        parts = self.due()
        return self.say(parts), realised(parts)

    def due(self) -> tuple[Part, ...]:
        """Give what is to be said now, and move to the node that is said last.

        Nodes that ask nothing and do not end are spoken in one breath with the next.
        """
        parts = [Part("noted", slot) for slot in self._corrected] + self._prefix
        while True:
            node = self._graph.nodes[self.state.node]
            parts.append(Part("again" if self._again and node.again else "node", self.state.node))
            if node.waits or node.terminal or self._graph.nodes[node.edges[0].to].role != "agent":
                return tuple(parts)
            self.state = follow(self._graph, self.state, node.edges[0])

    def say(self, parts: Sequence[Part]) -> str:
        """Put parts into phrases of the banks."""
        return " ".join(self._word(p) for p in parts)

    def _word(self, piece: Part) -> str:
        text = self._fill(bank_of(self._graph, piece))
        if not piece.confirms:
            return text
        value = self.values[piece.confirms]
        return f"{value[:1].upper()}{value[1:]}: {text}"

    def _fill(self, bank: tuple[str, ...]) -> str:
        phrases = part(bank, self._bank)
        phrase = self._rng.choice(phrases if self._rng.random() < self._variety else phrases[:1])
        return phrase.format(**self.values)


def bank_of(graph: Graph, piece: Part) -> tuple[str, ...]:
    """Give the phrase bank of a part."""
    if piece.kind == "noted":
        return graph.slots[piece.name].noted
    if piece.kind == "knowledge":
        return graph.knowledge[piece.name].say
    if piece.kind == "stray":
        return graph.interrupts[piece.name].say
    node = graph.nodes[piece.name]
    return node.again if piece.kind == "again" else node.say


def realised(parts: Sequence[Part]) -> tuple[str, ...]:
    """Name the nodes that an utterance realises."""
    return tuple(p.name for p in parts if p.kind in ("node", "again"))


def play(graph: Graph, scenario: Scenario, agent_bank: Bank, variety: float = 1.0) -> Iterator[Line]:
    """Play a scenario with the scripted user and the scripted agent, line by line behind the system prompt.

    The agent's phrases come from `agent_bank`: a share `variety` is drawn from the whole of a bank, the others
    are its first phrase. The user's come from the scenario's own part.
    Raises AssertionError when the conversation ends elsewhere than the scenario says.
    """
    user, agent = ScriptedUser(graph, scenario), ScriptedAgent(graph, scenario.seed, agent_bank, variety)
    calls: Counter[str] = Counter()
    for _ in range(_ROUNDS * (len(scenario.path) + 1)):
        name = agent.state.node
        node = graph.nodes[name]
        if node.role == "tool":
            call = call_for(graph, name, agent.values)
            result = execute(graph, scenario, call, calls)
            assert result.outcome is not None, f"{scenario.id}: {name} is not planned"
            yield Line(Message(role="assistant", tool_calls=(call,)), (name,), (), dict(agent.values))
            outcome = (f"outcome:{result.outcome}",)
            yield Line(Message(role="tool", content=result.content), outcome, (), dict(result.values))
            agent.returned(result.outcome, result.values)
            continue
        parts = agent.due()
        names = realised(parts)
        message = Message(role="assistant", content=agent.say(parts))
        yield Line(message, names, parts, dict(agent.values))
        if graph.nodes[names[-1]].terminal or user.has_finished:
            break
        turn = user.reply(names[-1])
        yield Line(Message(role="user", content=turn.text), turn.labels, (), dict(turn.gives))
        agent.hear(turn)
    assert agent.state.node == scenario.ending, f"{scenario.id} ended at {agent.state.node}"


def converse(graph: Graph, scenario: Scenario, agent_bank: Bank, variety: float = 1.0) -> Conversation:
    """Give the conversation of a scenario in scripted words, as `play` speaks it."""
    return assemble(graph, scenario, list(play(graph, scenario, agent_bank, variety)))


def assemble(graph: Graph, scenario: Scenario, lines: Sequence[Line]) -> Conversation:
    """Make a conversation of a scenario's lines, whoever has put them into words."""
    return Conversation(
        id=scenario.id,
        family=scenario.family,
        procedure=graph.procedure,
        split="train" if scenario.split == "train" else "eval",
        path=scenario.path,
        ending=scenario.ending,
        persona=scenario.persona,
        deviations=scenario.deviations,
        messages=(Message(role="system", content=graph.system), *(line.message for line in lines)),
        steps=((), *(line.labels for line in lines)),
    )
