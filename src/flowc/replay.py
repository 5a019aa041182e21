"""Human replay: given what real people have said so far, does an arm take the step that the human wizard took?

STAR's dialogues are cut before each step of the wizard; what was said before, by both, is the arm's history. Its next
message is right when it calls the function or says the reply that the wizard picked, as the node tracker reads it. The
procedure greets first and people in STAR do, so every history begins with its greeting, and greetings are no steps.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from tqdm import tqdm

from flowc.bootstrap import ratio_interval
from flowc.client import ContextOverflow
from flowc.graph import Graph
from flowc.recognise import NONE, Recogniser, Tracked
from flowc.records import Message, Record, ToolCall
from flowc.simulate import Arm
from flowc.star import CUSTOM, MOODS, Dialogue, Task, folded, phrasings

OUTCOMES = {
    "Available": "available",
    "Unavailable": "unavailable",
    "Reservation Confirmed": "succeeded",
    "Reservation Failed": "failed",
}
"""What the knowledge base of hotel booking answers, as the outcome of the procedure's function."""
_GREETING = "hello"
_RESAMPLES, _CONFIDENCE = 10_000, 0.95


class Prefix(NamedTuple):
    """A dialogue up to a step: its history, the steps so far (in the task's labels), and the one that was taken."""

    dialogue: str
    mood: str
    history: tuple[Message, ...]
    before: tuple[str, ...]
    step: str


class Answer(Record):
    """What an arm did with a prefix."""

    dialogue: str
    mood: str
    step: str
    took: str
    """The label of what it said or called, `none` where the tracker knew none."""
    said: str


MakeArm = Callable[[str], Arm]
"""Makes an arm that goes on from a node of the graph."""


def prefixes(dialogue: Dialogue, task: Task) -> list[Prefix]:
    """Cut a dialogue before each step of its wizard: a picked reply, or a query."""
    history = [Message(role="assistant", content=task.replies[_GREETING])]
    before, out = [_GREETING], []

    def step(label: str) -> None:
        out.append(Prefix(dialogue.id, dialogue.mood, tuple(history), tuple(before), label))
        before.append(label)

    for event in dialogue.events:
        who, action = event["Agent"], event["Action"]
        if (who, action) == ("User", "utter"):
            _say(history, "user", event["Text"])
        elif action == "pick_suggestion" and folded(event["ActionLabel"]) != _GREETING:
            if event["ActionLabel"] != CUSTOM:
                step(folded(event["ActionLabel"]))
            _say(history, "assistant", event["Text"])
        elif (who, action) == ("Wizard", "utter"):
            _say(history, "assistant", event["Text"])
        elif action == "query":
            kinds = [c["RequestType"] for c in event["Constraints"] if "RequestType" in c]
            label = f"query_{json.loads(kinds[0]).lower()}" if kinds else "query_check"
            step(label)
            history.append(Message(role="assistant", tool_calls=(ToolCall(name=label, arguments={}),)))
        elif action == "return_item":
            outcome = OUTCOMES.get((event.get("Item") or {}).get("Message", ""))
            result = {"status": outcome} if outcome else {"error": "nothing found"}
            history.append(Message(role="tool", content=json.dumps(result)))
    return out


def _say(history: list[Message], role: str, text: str) -> None:
    """Add what somebody said; two messages of a person in a row are one, for a person waits for no answer."""
    if role == "user" and history[-1].role == "user":
        history[-1] = Message(role="user", content=f"{history[-1].content} {text}")
    else:
        history.append(Message(role="user" if role == "user" else "assistant", content=text))


def nodes_by_label(graph: Graph, recogniser: Recogniser) -> dict[str, str]:
    """Find the node of each label: the one that calls the label's query, or says the label's reply most clearly."""
    found: dict[str, tuple[float, str]] = {}
    for name, node in graph.nodes.items():
        heard = Tracked(node.calls, 1.0) if node.calls else recogniser.recognise(node.say[0])
        if heard.node:
            found[heard.node] = max(found.get(heard.node, (0.0, "")), (heard.probability, name))
    return {label: name for label, (_, name) in found.items()}


async def replay(
    cut: Sequence[Prefix], make_arm: MakeArm, recogniser: Recogniser, nodes: Mapping[str, str], concurrency: int
) -> list[Answer]:
    """Ask an arm for its next message behind every prefix; answers come in the prefixes' order.

    Raises what an arm raises, as it is; a history beyond the model's context is answered with nothing.
    """
    gate = asyncio.Semaphore(concurrency)
    with tqdm(total=len(cut), desc="replay: steps", unit="step") as bar:

        async def one(prefix: Prefix) -> Answer:
            async with gate:
                try:
                    at = next(nodes[label] for label in reversed(prefix.before) if label in nodes)
                    message = (await make_arm(at).reply(prefix.history)).message
                except ContextOverflow:
                    message = Message(role="assistant")
            bar.update()
            took = message.tool_calls[0].name if message.tool_calls else recogniser.recognise(message.content).node
            said = message.content or json.dumps([c.model_dump() for c in message.tool_calls])
            return Answer(dialogue=prefix.dialogue, mood=prefix.mood, step=prefix.step, took=took or NONE, said=said)

        try:
            async with asyncio.TaskGroup() as group:
                running = [group.create_task(one(p)) for p in cut]
        except ExceptionGroup as failed:
            raise failed.exceptions[0] from failed
    return [t.result() for t in running]


def score(cut: Sequence[Prefix], answers: Sequence[Answer], seed: int) -> dict[str, Any]:
    """Give the share of right next steps, whole and by mood, beside two baselines that know the wizards' habits.

    `most_frequent` always takes the most frequent step of these very prefixes; `most_frequent_after` the most frequent
    one behind the step before. Intervals are clustered by dialogue.
    """
    common = Counter(p.step for p in cut).most_common(1)[0][0]
    following: dict[str, Counter[str]] = {}
    for p in cut:
        following.setdefault(p.before[-1], Counter())[p.step] += 1
    likely = {before: steps.most_common(1)[0][0] for before, steps in following.items()}
    right = {
        "arm": [a.took == p.step for p, a in zip(cut, answers, strict=True)],
        "most_frequent": [p.step == common for p in cut],
        "most_frequent_after": [p.step == likely[p.before[-1]] for p in cut],
    }
    by_step = {s: [ok for p, ok in zip(cut, right["arm"], strict=True) if p.step == s] for s in {p.step for p in cut}}
    return {
        **{name: _by_mood(cut, values, seed) for name, values in right.items()},
        "by_step": {s: {"n": len(v), "right": sum(v)} for s, v in sorted(by_step.items())},
    }


def _by_mood(cut: Sequence[Prefix], right: Sequence[bool], seed: int) -> dict[str, Any]:
    return {
        mood or "all": _rate([(p.dialogue, ok) for p, ok in zip(cut, right, strict=True) if mood in ("", p.mood)], seed)
        for mood in ("", *MOODS)
    }


def _rate(verdicts: Sequence[tuple[str, bool]], seed: int) -> dict[str, Any]:
    counts: dict[str, list[int]] = {}
    for dialogue, ok in verdicts:
        n = counts.setdefault(dialogue, [0, 0])
        n[0], n[1] = n[0] + ok, n[1] + 1
    sums, totals = [c[0] for c in counts.values()], [c[1] for c in counts.values()]
    mean = round(sum(sums) / sum(totals), 4) if totals else None
    interval = ratio_interval(sums, totals, _RESAMPLES, _CONFIDENCE, seed)
    return {"mean": mean, "ci95": interval, "n": sum(totals), "unscored": 0}


def tracker(task: Task) -> Recogniser:
    """Fit the tracker that reads an arm's words, on the task's replies and examples."""
    return Recogniser(phrasings(task))
