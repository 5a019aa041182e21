"""The scripted teacher: a conversation in which the assistant follows the procedure exactly, offline."""

from __future__ import annotations

from collections import Counter
from random import Random

from flowc.deviations import interrupt_for
from flowc.graph import Bank, Graph, part
from flowc.records import Conversation, Message
from flowc.scenarios import Scenario
from flowc.tools import call_for, execute
from flowc.user import ScriptedUser, UserTurn
from flowc.walk import State, begin, edge_of, follow, outcome_edge

_MOST_TURNS = 200  # a path is bounded; more means that the walk does not end


class ScriptedAgent:
    """The assistant that follows the Graph, told by labels what the user meant."""

    def __init__(self, graph: Graph, seed: int, bank: Bank, variety: float = 1.0) -> None:
        self._graph, self._rng, self._bank, self._variety = graph, Random(f"{seed}:agent"), bank, variety
        self.state: State = begin(graph)
        self.values: dict[str, str] = {}
        self._corrected: list[str] = []
        self._prefix: list[str] = []
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
            self._prefix.append(self._fill(self._graph.knowledge[name].say))
            self._again = True
        elif label == "interrupt":
            self.state = State(self._graph.interrupts[name].to or self.state.node, self.state.known)
        elif interrupt := interrupt_for(self._graph, turn.labels[0]):
            said = self._fill(self._graph.interrupts[interrupt].say)
            if label == "confirmation":
                said = f"{self.values[name][:1].upper()}{self.values[name][1:]}: {said}"
            self._prefix.append(said)
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
        """Say what the present node says, behind what the last turn calls for, and name the nodes realised.

        Nodes that ask nothing and do not end are spoken in one breath with the next.
        """
        texts = [self._fill(self._graph.slots[slot].noted) for slot in self._corrected] + self._prefix
        names = []
        while True:
            node = self._graph.nodes[self.state.node]
            names.append(self.state.node)
            texts.append(self._fill(node.again if self._again and node.again else node.say))
            if node.waits or node.terminal or self._graph.nodes[node.edges[0].to].role != "agent":
                return " ".join(texts), tuple(names)
            self.state = follow(self._graph, self.state, node.edges[0])

    def _fill(self, bank: tuple[str, ...]) -> str:
        phrases = part(bank, self._bank)
        phrase = self._rng.choice(phrases if self._rng.random() < self._variety else phrases[:1])
        return phrase.format(**self.values)


def converse(graph: Graph, scenario: Scenario, agent_bank: Bank, variety: float = 1.0) -> Conversation:
    """Play a scenario with the scripted user and the scripted agent.

    The agent's phrases come from `agent_bank`: a share `variety` is drawn from the whole of a bank, the others
    are its first phrase. The user's come from the scenario's own part.
    Raises AssertionError when the conversation ends elsewhere than the scenario says.
    """
    user, agent = ScriptedUser(graph, scenario), ScriptedAgent(graph, scenario.seed, agent_bank, variety)
    messages = [Message(role="system", content=graph.system)]
    steps: list[tuple[str, ...]] = [()]
    calls: Counter[str] = Counter()
    for _ in range(_MOST_TURNS):
        name = agent.state.node
        node = graph.nodes[name]
        if node.role == "tool":
            call = call_for(graph, name, agent.values)
            result = execute(graph, scenario, call, calls)
            assert result.outcome is not None, f"{scenario.id}: {name} is not planned"
            messages += [
                Message(role="assistant", tool_calls=(call,)),
                Message(role="tool", content=result.content),
            ]
            steps += [(name,), (f"outcome:{result.outcome}",)]
            agent.returned(result.outcome, result.values)
            continue
        text, names = agent.speak()
        messages.append(Message(role="assistant", content=text))
        steps.append(names)
        if graph.nodes[names[-1]].terminal or user.has_finished:
            break
        turn = user.reply(names[-1])
        messages.append(Message(role="user", content=turn.text))
        steps.append(turn.labels)
        agent.hear(turn)
    assert agent.state.node == scenario.ending, f"{scenario.id} ended at {agent.state.node}"
    return Conversation(
        id=scenario.id,
        family=scenario.family,
        procedure=graph.procedure,
        split="train" if scenario.split == "train" else "eval",
        path=scenario.path,
        ending=scenario.ending,
        persona=scenario.persona,
        deviations=scenario.deviations,
        messages=tuple(messages),
        steps=tuple(steps),
    )
