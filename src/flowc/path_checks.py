"""Whether a written conversation is the one that was planned: its path, its values, its functions, its facts.

The judge of the evaluation decides, on the same grounds as for a compiled model. It needs to know which step each
message of the assistant realises: one that ends in a phrase of the step that the teacher names, with the values that
hold, is that step, and the node tracker reads all others. So conversations in the procedure's own words cost no model.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property

from flowc.conformance import judge
from flowc.graph import Graph
from flowc.recognise import Tracked
from flowc.records import Conversation, Message
from flowc.scenarios import Result, Scenario, Step
from flowc.stated import tells
from flowc.text_checks import Flaw, Reason
from flowc.tools import result_text
from flowc.tracker import Tracker
from flowc.transcripts import Ended, Tokens, Transcript, Turn

_RUN = 4  # words that a user's message must have in common with the assistant's phrases to be looked at
_SURE = 0.9  # how likely the tracker must hold a user's message for a step of the assistant

_CRITERIA = {
    "procedure_order": Reason.OFF_PATH,
    "task_success": Reason.OFF_PATH,
    "consistency": Reason.SLOTS,
    "information_accuracy": Reason.SLOTS,
    "recovery": Reason.RECOVERY,
}


class PathChecks:
    """The checks of one procedure. The tracker is fitted once, when the first message needs it."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._tracked: dict[str, Tracked] = {}
        said = {run for node in graph.nodes.values() for p in (*node.say, *node.again) for run in _runs(p)}
        self._agent_runs = said - {
            run for n in graph.nodes.values() for e in n.edges for p in e.says for run in _runs(p)
        }

    @cached_property
    def _tracker(self) -> Tracker:
        return Tracker(self._graph)

    def track(self, text: str) -> Tracked:
        """Name the node that an utterance realises, as the tracker reads it."""
        if text not in self._tracked:
            self._tracked[text] = self._tracker.track(text)
        return self._tracked[text]

    def flaws(self, plan: Scenario, written: Conversation) -> Iterator[Flaw]:
        """Give what differs from the plan, in order of the messages: `written` has labels for each in `steps`."""
        turns: list[Turn] = []
        cursor = _Cursor(plan)
        values: dict[str, str] = {}
        for index, (message, labels) in enumerate(zip(written.messages[1:], written.steps[1:], strict=True), 1):
            gives: dict[str, str] = {}
            if message.role == "assistant":
                labels = self._realised(message, labels, values)
            elif message.role == "user":
                planned = cursor.answer(labels) if labels else None
                if planned is None:
                    yield Flaw(Reason.OFF_PATH, index, f"the user does not plan {', '.join(labels) or 'this'}")
                    return
                gives = planned
                for slot, value in gives.items():
                    if not tells(message.content, value, self._graph.slots[slot].values):
                        yield Flaw(Reason.SLOTS, index, f"the user does not tell {slot} {value!r}")
                if not _runs(message.content).isdisjoint(self._agent_runs):
                    tracked = self.track(message.content)
                    if tracked.node and tracked.probability >= _SURE:
                        yield Flaw(Reason.ROLES, index, f"the user says what the assistant says at {tracked.node}")
            else:
                result = cursor.result(written.messages[index - 1])
                if result is None or message.content != result_text(result.outcome, result.values):
                    yield Flaw(Reason.TOOLS, index, f"{message.content!r} is not what the function returns")
                    return
                labels, gives = (f"outcome:{result.outcome}",), result.values
            values |= gives
            turns.append(Turn(message=message, labels=labels, gives=gives))
        yield from self._judged(plan, turns)

    def _realised(self, message: Message, named: Sequence[str], values: Mapping[str, str]) -> tuple[str, ...]:
        if message.tool_calls:
            called = message.tool_calls[0].name
            return tuple(n for n, x in sorted(self._graph.nodes.items()) if x.calls == called)[:1]
        node = self._graph.nodes.get(named[-1]) if named else None
        for phrase in (*node.say, *node.again) if node else ():
            if message.content.endswith(_filled(phrase, values)):
                return (named[-1],)
        found = self.track(message.content).node
        return (found,) if found else ()

    def _judged(self, plan: Scenario, turns: Sequence[Turn]) -> Iterator[Flaw]:
        transcript = Transcript(
            scenario=plan.id, arm="teacher", ended=Ended.TERMINAL, turns=tuple(turns), tokens=Tokens()
        )
        for fault in judge(self._graph, plan, transcript).faults:
            reason = _CRITERIA[fault.criterion]
            if reason == Reason.SLOTS and turns[fault.turn].message.tool_calls:
                reason = Reason.TOOLS
            if "after side_question" in fault.text:
                reason = Reason.KNOWLEDGE
            yield Flaw(reason, fault.turn + 1, fault.text)


class _Cursor:
    """Where a conversation stands in its plan."""

    def __init__(self, plan: Scenario) -> None:
        self._plan, self._next, self._calls = plan, 0, Counter[str]()
        self._told: dict[str, str] = {}

    def answer(self, labels: Sequence[str]) -> dict[str, str] | None:
        """The values that the user tells with these labels, or None where no step ahead has them.

        Of several such steps one is passed over whose values have been told early: its question is not asked.
        """
        ahead = range(self._next, len(self._plan.script))
        aside = next((s for s in self._plan.script[self._next :] if tuple(labels) == _aside(s)), None)
        if aside:
            told = aside.volunteers if len(labels) > 1 else {}
            self._told |= told
            return told
        same = [i for i in ahead if _labels(self._plan.script[i]) == tuple(labels)]
        if not same:
            return None
        due = [i for i in same if not self._plan.script[i].gives.items() <= self._told.items()]
        self._next = (due or same)[0] + 1
        step = self._plan.script[self._next - 1]
        told = {**step.gives, **step.corrects, **({} if _restructures(step) else step.volunteers)}
        self._told |= told
        return told

    def result(self, call: Message) -> Result | None:
        """The planned result of the call that a message makes, the last one again when none is left."""
        name = call.tool_calls[0].name if call.tool_calls else ""
        planned = self._plan.results.get(name, ())
        self._calls[name] += 1
        return planned[min(self._calls[name], len(planned)) - 1] if planned else None


def _labels(step: Step) -> tuple[str, ...]:
    """What a user's turn that says all of a step is labelled with."""
    first = f"interrupt:{step.interrupt}" if step.interrupt else f"edge:{step.node}.{step.edge}"
    early = () if _restructures(step) else _volunteered(step)
    return (first, *early, *(f"correction:{s}" for s in sorted(step.corrects)))


def _aside(step: Step) -> tuple[str, ...]:
    """What the turn that comes before a step's answer is labelled with: who restructures tells later values first."""
    return (step.before, *(_volunteered(step) if _restructures(step) else ()))


def _restructures(step: Step) -> bool:
    return step.before.startswith("restructuring:")


def _volunteered(step: Step) -> tuple[str, ...]:
    return tuple(f"volunteer:{slot}" for slot in sorted(step.volunteers))


def _filled(phrase: str, values: Mapping[str, str]) -> str:
    """A phrase with its values; where one is missing, what no text ends in."""
    try:
        return phrase.format(**values)
    except KeyError:
        return "\0"


def _runs(text: str) -> frozenset[tuple[str, ...]]:
    words = re.findall(r"\w+", text.casefold())
    return frozenset(tuple(words[i : i + _RUN]) for i in range(len(words) - _RUN + 1))
