"""Conversations and scenarios from a Graph: planned here, put into words by a teacher, counted here.

The plan is the same for every teacher; `scripted` is the offline one. Training conversations use the training part of
every path set, phrase bank and value pool; `eval` and the scenarios hold out user phrases and values, and half of the
scenarios hold out the path as well, where training can spare one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from random import Random
from typing import Any, Literal, NamedTuple, Self

from pydantic import Field, model_validator

from flowc.branches import about_facts, at_hubs, branches
from flowc.deviations import interrupt_for
from flowc.filling import STRAYS, Deviations
from flowc.graph import Graph, edges, terminals
from flowc.llm_params import LlmParams
from flowc.own_transcripts import Own
from flowc.quality_gate import Curated, Gate, curate, gate_metrics
from flowc.records import Conversation, Record
from flowc.sampling import TooFewPathsError, edge_pairs, sample, without_spare
from flowc.scenarios import Scenario, SplitName
from flowc.teacher import converse


class GenerateParams(Record):
    """What `generate` makes."""

    teacher: Literal["scripted", "anthropic", "openai", "compatible"]
    """Who writes the conversations."""
    llm: LlmParams | None = None
    """How a teacher that is a language model is asked; none for `scripted`."""
    train: int = Field(ge=1)
    """Conversations to train on, without their branches."""
    branches: int = Field(ge=0)
    """Branches of each of them: other ways on from one of its steps, cheap to train on."""
    hub_branches: int = Field(default=0, ge=0)
    """Further branches of each, where users choose between edges: onto those that they have taken least so far."""
    fact_branches: int = Field(default=0, ge=0)
    """Further branches of each, in which the user asks for a fact: in turns, those with more questions more often."""
    eval: int = Field(ge=1)
    """Held-out conversations for the eval loss and the benchmark, half of them on held-out paths if there are any."""
    scenarios: int = Field(ge=2)
    """Scenarios of the simulation, half of them on held-out paths if there are any."""
    variety: float = Field(ge=0, le=1)
    """Share of the assistant's utterances drawn from the whole of their bank; the others are its first phrase."""
    interrupts: float = Field(ge=0, le=1)
    """Share of conversations that the user leaves by an interrupt."""
    deviations: Deviations
    """Share of conversations with each kind of deviation."""
    gate: Gate | None = None
    """What a conversation has to be like to be kept; without it all are, as when a server of random words is tried."""
    own: str = Field(default="none", pattern=r"^\w[\w.-]*$")
    """Name of the folder of real conversations to train on as well; `none` has none."""

    @model_validator(mode="after")
    def _asked(self) -> Self:
        if (self.teacher == "scripted") == (self.llm is not None):
            raise ValueError("every teacher but `scripted` needs the section `llm`; choose one by generate=NAME")
        if self.own != "none" and self.gate is None:
            raise ValueError("own transcripts have to pass the section `gate`, which is missing")
        return self


Families = Sequence[Sequence[Scenario]]
Teacher = Callable[[Families], Iterable[Conversation]]
"""Puts families of scenarios into words, each a trunk with its branches; one that it cannot write is left out."""


class Planned(NamedTuple):
    """What is to be written, and the scenarios of the evaluation."""

    families: list[list[Scenario]]
    eval: list[Scenario]
    scenarios: list[Scenario]


class Generated(NamedTuple):
    """What one procedure's generation gives."""

    train: list[Conversation]
    eval: list[Conversation]
    scenarios: list[Scenario]
    metrics: dict[str, Any]


def planned(graph: Graph, params: GenerateParams, seed: int) -> Planned:
    """Plan everything for one procedure.

    Raises ValueError when the procedure has no path to an ending or a pool too few values.
    """
    covers = params.train >= sum(1 for _ in edges(graph))
    never_held_out = without_spare(graph, seed) if covers else ()

    def scenarios(count: int, split: SplitName, salt: int) -> list[Scenario]:
        among = {s.path for s in train_plans} if split == "seen_path" else ()
        return sample(graph, count, split, params.deviations, params.interrupts, seed + salt, among, never_held_out)

    def held_out_and_seen(count: int, salt: int) -> list[Scenario]:
        """Half of each, or all on seen paths where training needs every path."""
        try:
            held_out = scenarios(count // 2, "held_out_path", salt)
        except TooFewPathsError:
            held_out = []
        return held_out + scenarios(count - len(held_out), "seen_path", salt)

    train_plans: list[Scenario] = []
    train_plans = scenarios(params.train, "train", 0)
    rng = Random(f"{seed}:{graph.procedure}:branches")
    strays = [kind for kind in (*STRAYS, "restructuring") if getattr(params.deviations, kind)]
    if strays:  # the more a user says beside the point, the harder it is to tell which fact is asked for
        strays += ["side_question"] * len(graph.knowledge)
    families = [[trunk, *branches(graph, trunk, params.branches, rng, strays)] for trunk in train_plans]
    families = at_hubs(graph, families, params.hub_branches, rng)
    families = about_facts(graph, families, params.fact_branches, rng)
    eval_plans, tests = held_out_and_seen(params.eval, 1), held_out_and_seen(params.scenarios, 2)
    return Planned(families, eval_plans, sorted({s.id: s for s in tests}.values(), key=lambda s: s.id))


def generate(
    graph: Graph, params: GenerateParams, seed: int, teacher: Teacher | None = None, own: Own | None = None
) -> Generated:
    """Generate everything for one procedure, in the words of a teacher or, without one, in scripted words.

    Own transcripts are trained on too. The same arguments and, of a teacher, the same words give the same bytes.
    Raises ValueError when the procedure has no path to an ending or a pool too few values, when the gate would drop too
    much, or when nothing was written.
    """
    plan = planned(graph, params, seed)
    write = teacher or scripted(graph, params.variety)
    families = [*plan.families, *([s] for s in plan.eval)]
    written = _distinct(write(families))
    plans = {s.id: s for family in families for s in family}
    curated = curate(written, plans, graph, params.gate) if params.gate else Curated(written, [])
    train = [c for c in curated.kept if c.split == "train"]
    held_out = [c for c in curated.kept if c.split == "eval"]
    if not train or not held_out:
        raise ValueError(
            f"the teacher wrote {len(train)} conversations to train on and {len(held_out)} to evaluate on; none can be "
            "missing: see its faults above"
        )
    train = sorted([*train, *(own.kept if own else ())], key=lambda c: c.id)
    metrics = _metrics(graph, train, held_out, plan.scenarios)
    if params.gate:
        metrics["gate"] = gate_metrics(curated)
    if own:
        metrics["own"] = own.metrics
    return Generated(train, held_out, plan.scenarios, metrics)


def scripted(graph: Graph, variety: float) -> Teacher:
    """Give the offline teacher."""
    # The agent's words are not what is held out: the eval loss asks whether new users are understood.
    return lambda families: (converse(graph, s, "train", variety) for family in families for s in family)


def _distinct(conversations: Iterable[Conversation]) -> list[Conversation]:
    return sorted({c.id: c for c in conversations}.values(), key=lambda c: c.id)


def _metrics(
    graph: Graph, train: Sequence[Conversation], held_out: Sequence[Conversation], tests: Sequence[Scenario]
) -> dict[str, Any]:
    paths = {c.path for c in train}
    node_visits = dict.fromkeys(sorted(graph.nodes), 0)
    edge_visits = {f"{n}.{e.id}": 0 for n, e in edges(graph)}
    interrupts = dict.fromkeys(sorted(graph.interrupts), 0)
    followed = Counter(pair for c in train for pair in pairwise(c.path))
    pair_visits = {f"{one} {two}": followed[one, two] for one, two in sorted(edge_pairs(graph))}
    ended = Counter(c.ending for c in train)
    ending_visits = {name: ended[name] for name in terminals(graph)}
    for conversation in train:
        for labels in conversation.steps:
            for label in labels:
                if label in node_visits:
                    node_visits[label] += 1
        for step in conversation.path:
            if "!" in step:
                interrupts[step.split("!")[1]] += 1
            else:
                edge_visits[step] += 1
        for labels in conversation.steps:
            for label in labels:
                if name := interrupt_for(graph, label):
                    interrupts[name] += 1
    return {
        "procedure": graph.procedure,
        "conversations": {"train": len(train), "eval": len(held_out)},
        "scenarios": {
            "seen_path": sum(s.split == "seen_path" for s in tests),
            "held_out_path": sum(s.split == "held_out_path" for s in tests),
        },
        "coverage": {
            "nodes": _share(node_visits),
            "edges": _share(edge_visits),
            "edge_pairs": _share(pair_visits),
            "endings": _share(ending_visits),
            "interrupts": _share(interrupts),
            "distinct_paths": len(paths),
            "held_out_paths": len({s.path for s in tests if s.split == "held_out_path"} - paths),
        },
        "node_visits": node_visits,
        "edge_visits": edge_visits,
        "edge_pair_visits": pair_visits,
        "ending_visits": ending_visits,
        "interrupt_visits": interrupts,
        "turns_per_conversation": round(sum(len(c.messages) for c in train) / len(train), 2),
    }


def _share(visits: dict[str, int]) -> float:
    return round(sum(v > 0 for v in visits.values()) / len(visits), 4) if visits else 1.0
