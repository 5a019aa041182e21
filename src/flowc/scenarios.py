"""Scenarios: one planned conversation each, as a path through the Graph with every value that it needs.

A path is the list of its steps, `node.edge` or `node!interrupt`. A quarter of all paths, chosen by hash, is
never used in training.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from random import Random
from typing import Literal

from pydantic import Field

from flowc.graph import Bank, Edge, Graph, fingerprint, part
from flowc.records import Record
from flowc.slots import draw
from flowc.voices import PERSONAS
from flowc.walk import begin, edge_of, follow

SplitName = Literal["train", "seen_path", "held_out_path"]
_LOOP_BOUND = 2  # an edge is taken at most twice in one path
_TRIES = 20_000


class Deviations(Record):
    """Shares of conversations in which the user does something beside answering, each in [0, 1]."""

    volunteer: float = Field(ge=0, le=1)
    """Tells several slots at once."""
    correction: float = Field(ge=0, le=1)
    """Replaces a value given before."""
    side_question: float = Field(ge=0, le=1)
    """Asks something that the knowledge answers."""
    off_topic: float = Field(ge=0, le=1)
    """Answers beside the point."""


class Step(Record):
    """What the user will say when the assistant realises `node`: an edge, or an interrupt."""

    node: str
    edge: str = ""
    interrupt: str = ""
    gives: dict[str, str] = Field(default_factory=dict)
    volunteers: dict[str, str] = Field(default_factory=dict)
    corrects: dict[str, str] = Field(default_factory=dict)
    before: str = ""
    """Said first, instead of an answer: `side_question:<fact>` or `off_topic:<interrupt>`."""


class Result(Record):
    """What a tool will return: its outcome and the values of the slots that come with it."""

    outcome: str
    values: dict[str, str]


class Scenario(Record):
    """A planned conversation. `seed` fixes the choice of phrases."""

    id: str
    family: str
    """The scenario that this one begins like; its own id where it is no branch."""
    procedure: str
    split: SplitName
    persona: str
    seed: int
    path: tuple[str, ...]
    ending: str
    script: tuple[Step, ...]
    results: dict[str, tuple[Result, ...]]

    @property
    def bank(self) -> Bank:
        """The part of every phrase bank and value pool that this scenario uses."""
        return "train" if self.split == "train" else "held_out"

    @property
    def deviations(self) -> tuple[str, ...]:
        """The kinds of deviation in the script, sorted, each once."""
        kinds = {s.before.split(":")[0] for s in self.script if s.before}
        kinds |= {"volunteer" for s in self.script if s.volunteers}
        kinds |= {"correction" for s in self.script if s.corrects}
        kinds |= {"interrupt" for s in self.script if s.interrupt}
        return tuple(sorted(kinds))


def sample(
    graph: Graph,
    count: int,
    split: SplitName,
    shares: Deviations,
    interrupt_share: float,
    seed: int,
    among: Collection[tuple[str, ...]] = (),
) -> list[Scenario]:
    """Sample `count` scenarios of one split; the same arguments give the same scenarios.

    With `among` the paths are drawn from it, each as likely as the next: those that training has seen.

    Edges that few scenarios have taken so far are preferred at hubs, so that rare branches are not starved.
    Raises ValueError when the procedure has too few paths to hold any out.
    """
    rng = Random(f"{seed}:{graph.procedure}:{split}")
    visits: Counter[str] = Counter()
    out = []
    for i in range(count):
        path = rng.choice(sorted(set(among))) if among else _sample_path(graph, rng, visits, split, interrupt_share)
        visits.update(path)
        persona = PERSONAS[i % len(PERSONAS)]
        out.append(_fill(graph, path, split, persona, shares, Random(f"{seed}:{split}:{i}"), i))
    return out


def is_held_out_path(path: Sequence[str]) -> bool:
    """Whether a path is kept out of training."""
    return fingerprint(" ".join(path)) % 4 == 0


def _sample_path(
    graph: Graph, rng: Random, visits: Counter[str], split: SplitName, interrupt_share: float
) -> tuple[str, ...]:
    for _ in range(_TRIES):
        path = _walk(graph, rng, visits)
        if path and rng.random() < interrupt_share:
            path = _interrupt(graph, path, rng)
        if path and is_held_out_path(path) == (split == "held_out_path"):
            return path
    raise ValueError(
        f"procedure {graph.procedure!r} has too few paths for the split {split}: none was found in {_TRIES} "
        "walks; add a branch or an interrupt, or set the number of conversations of this split to 0"
    )


def _walk(graph: Graph, rng: Random, visits: Counter[str]) -> tuple[str, ...]:
    """Walk from the start to a terminal; empty when the loop bound closes every way."""
    state, path, taken = begin(graph), [], Counter[str]()
    visited: set[str] = set()
    while not graph.nodes[state.node].terminal:
        node = state.node
        options = [e for e in graph.nodes[node].edges if taken[f"{node}.{e.id}"] < _LOOP_BOUND]
        if not options:
            return ()
        visited.add(node)
        weights = [
            (1 + _ahead(graph, e.to, visited))
            / (1 + visits[f"{node}.{e.id}"]) ** 0.5
            / (1 + 3 * taken[f"{node}.{e.id}"])
            for e in options
        ]
        edge = rng.choices(options, weights)[0]
        step = f"{node}.{edge.id}"
        path.append(step)
        taken[step] += 1
        returned = graph.tools[graph.nodes[node].calls or ""].outcomes[edge.outcome] if edge.outcome else ()
        state = follow(graph, state, edge, frozenset(returned))
    return tuple(path)


def _ahead(graph: Graph, node: str, visited: set[str]) -> int:
    """Count the edges that can be reached from a node without passing one visited before.

    A branch with more behind it is taken more often: its steps have no other way to be learned.
    """
    seen, front, count = set(visited), [node], 0
    while front:
        name = front.pop()
        if name not in seen:
            seen.add(name)
            count += len(graph.nodes[name].edges)
            front.extend(e.to for e in graph.nodes[name].edges)
    return count


def _interrupt(graph: Graph, path: tuple[str, ...], rng: Random) -> tuple[str, ...]:
    leaving = sorted(n for n, i in graph.interrupts.items() if i.to)
    places = [i for i, step in enumerate(path) if graph.nodes[step.split(".")[0]].waits]
    if not leaving or not places:
        return path
    at = rng.choice(places)
    return (*path[:at], f"{path[at].split('.')[0]}!{rng.choice(leaving)}")


def _fill(
    graph: Graph,
    path: tuple[str, ...],
    split: SplitName,
    persona: str,
    shares: Deviations,
    rng: Random,
    number: int,
) -> Scenario:
    bank: Bank = "train" if split == "train" else "held_out"
    wanted = {kind for kind in Deviations.model_fields if rng.random() < getattr(shares, kind)}
    volunteer_at = rng.choice(_volunteer_places(graph, path) or [-1]) if "volunteer" in wanted else -1
    ahead = list(dict.fromkeys(asked_next(graph, path[volunteer_at + 1 :]))) if volunteer_at >= 0 else []
    early = rng.sample(ahead, k=min(len(ahead), rng.randint(1, 3)))
    # Questions answered early are not asked, so nothing else can be said there.
    skipped = _skipped(graph, path, volunteer_at, early)
    places = [i for i in _correction_places(graph, path) if i not in skipped]
    correct_at = rng.choice(places or [-1]) if "correction" in wanted else -1
    spoken = [i for i, s in enumerate(path) if graph.nodes[_node(s)].waits and not _goes(graph, s) and i not in skipped]
    aside = {rng.choice(spoken or [-1]): kind for kind in sorted(wanted & {"side_question", "off_topic"})}
    known: dict[str, str] = {}
    volunteered: set[str] = set()
    script: list[Step] = []
    results: dict[str, list[Result]] = {}
    ending = graph.start
    for i, name in enumerate(path):
        node = _node(name)
        if "!" in name:
            interrupt = name.split("!")[1]
            script.append(Step(node=node, interrupt=interrupt))
            ending = graph.interrupts[interrupt].to or ending
            continue
        edge = edge_of(graph, node, name.split(".")[1])
        ending = edge.to
        if graph.nodes[node].role == "tool":
            tool = graph.nodes[node].calls or ""
            values: dict[str, str] = {}
            for slot in graph.tools[tool].outcomes[edge.outcome or ""]:
                values[slot] = draw(graph, slot, rng, bank, known | values)
            known |= values
            results.setdefault(tool, []).append(Result(outcome=edge.outcome or "", values=values))
        elif edge.says:
            gives = {
                s: known[s] if s in volunteered else known.get(f"next {s}") or draw(graph, s, rng, bank, known)
                for s in edge.gives
            }
            known |= gives
            volunteered -= set(gives)
            corrects: dict[str, str] = {}
            if i == correct_at:
                candidates = [s for s in sorted(known) if s in graph.slots and s not in gives
                              and graph.slots[s].corrections]  # fmt: skip
                if candidates:
                    slot = rng.choice(candidates)
                    corrects[slot] = draw(graph, slot, rng, bank, known)
                    known |= corrects
            extra: dict[str, str] = {}
            if i == volunteer_at:
                for slot in early:
                    extra[slot] = draw(graph, slot, rng, bank, known | extra)
                known |= extra
                volunteered |= set(extra)
            script.append(
                Step(
                    node=node,
                    edge=edge.id,
                    gives=gives,
                    volunteers=extra,
                    corrects=corrects,
                    before=_aside(graph, aside.get(i, ""), rng),
                )
            )
        for slot, change in edge.renews.items():
            if slot in known:
                known[f"next {slot}"] = draw(graph, slot, rng, bank, known, change)
        for slot in edge.gives:
            known.pop(f"next {slot}", None)
    digest = hashlib.sha256(f"{path}{script}{results}{persona}{number}".encode()).hexdigest()[:12]
    return Scenario(
        id=f"{split}-{digest}",
        family=f"{split}-{digest}",
        procedure=graph.procedure,
        split=split,
        persona=persona,
        seed=rng.randrange(2**31),
        path=path,
        ending=ending,
        script=tuple(script),
        results={tool: tuple(r) for tool, r in results.items()},
    )


def _node(step: str) -> str:
    return step.replace("!", ".").split(".")[0]


def _goes(graph: Graph, step: str) -> bool:
    return "!" in step and graph.interrupts[step.split("!")[1]].to is not None


def _plain(graph: Graph, step: str) -> Edge | None:
    """The edge of a plain question-and-answer step, else None."""
    if "!" in step or not graph.nodes[_node(step)].asks:
        return None
    return edge_of(graph, _node(step), step.split(".")[1])


def asked_next(graph: Graph, steps: Sequence[str]) -> Iterator[str]:
    """Slots asked by the unbroken run of plain questions ahead, if users have words to volunteer them."""
    for step in steps:
        edge = _plain(graph, step)
        if edge is None:
            return
        yield from (s for s in edge.gives if graph.slots[s].mention)


def _volunteer_places(graph: Graph, path: Sequence[str]) -> list[int]:
    return [i for i, s in enumerate(path) if _plain(graph, s) and any(True for _ in asked_next(graph, path[i + 1 :]))]


def _skipped(graph: Graph, path: Sequence[str], at: int, told: Sequence[str]) -> set[int]:
    """Steps of the run of plain questions behind `at` that are not asked when the slots in `told` are known."""
    skipped = set()
    for i in range(at + 1, len(path)):
        edge = _plain(graph, path[i])
        if edge is None:
            break
        if set(edge.gives) <= set(told):
            skipped.add(i)
    return skipped


def _correction_places(graph: Graph, path: Sequence[str]) -> list[int]:
    """Plain questions before the first tool call, except the one right before it: the agent speaks next."""
    places = []
    for i, step in enumerate(path):
        edge = _plain(graph, step)
        if edge is None or graph.nodes[edge.to].role != "agent":
            break
        if i > 0:
            places.append(i)
    return places


def _aside(graph: Graph, kind: str, rng: Random) -> str:
    if kind == "side_question" and graph.knowledge:
        return f"side_question:{rng.choice(sorted(graph.knowledge))}"
    resuming = sorted(n for n, i in graph.interrupts.items() if i.say)
    if kind == "off_topic" and resuming:
        return f"off_topic:{rng.choice(resuming)}"
    return ""


def phrases_of(graph: Graph, step: Step, bank: Bank) -> tuple[str, ...]:
    """Give the bank that the user's main phrase of a step comes from."""
    if step.interrupt:
        return part(graph.interrupts[step.interrupt].says, bank)
    return part(edge_of(graph, step.node, step.edge).says, bank)
