"""Branches: conversations that begin like another one and turn off at one of its steps.

Most of a conversation is the way to a decision. Branches put every decision to the model many times for the price
of a turn or two, because training computes a beginning that conversations share only once (`packing`). A branch
takes another edge of a hub or another outcome of a tool, volunteers or corrects a value, asks or says something
beside the point, or leaves by an interrupt; it stops with the assistant's answer to that.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import chain, cycle, islice, zip_longest
from random import Random
from typing import NamedTuple

from flowc.deviations import answering
from flowc.filling import asked_next, beside
from flowc.graph import Graph
from flowc.scenarios import Result, Scenario, Step, is_held_out_path
from flowc.slots import draw
from flowc.walk import State, begin, edge_of, follow


class _Turn(NamedTuple):
    """A place at which a trunk can be left: its step in path and script, what has been said, what is known."""

    at: int
    next: int
    said: tuple[Step, ...]
    state: State
    values: dict[str, str]


class _Option(NamedTuple):
    """A way to leave: the edge taken (none: an interrupt) and the user's step, where the user speaks."""

    turn: _Turn
    edge: str
    step: Step | None


def branches(graph: Graph, trunk: Scenario, count: int, rng: Random, strays: Sequence[str] = ()) -> list[Scenario]:
    """Give up to `count` different scenarios that leave `trunk` at one of its steps.

    The kinds of leaving (another edge, each deviation) take turns; `strays` names the kinds of deviation that the
    user may also say before an answer, of which each trunk gets half, in turns too, and two at least. With `strays` the
    order of all kinds is drawn anew for each trunk, so that a small `count` starves none. None of the scenarios is a
    complete held-out path.
    """
    turns = _turns(graph, trunk)
    kinds = [[o for t in turns for o in made(graph, trunk, t, rng)] for made in _KINDS]
    places = max(_STRAYED, (len(strays) + 1) // 2) if strays else 0
    for kind in islice(cycle(rng.sample(strays, len(strays))), places):
        kinds.append([o for t in turns for o in _strayed(graph, trunk, t, kind, rng)])
    if strays:
        rng.shuffle(kinds)
    for options in kinds:
        rng.shuffle(options)
    out: dict[str, Scenario] = {}
    for option in (o for o in chain.from_iterable(zip_longest(*kinds)) if o is not None):
        if len(out) == count:
            break
        made = _leave(graph, trunk, option, rng)
        if _is_trained(graph, made):
            out.setdefault(made.id, made)
    return list(out.values())


def at_hubs(graph: Graph, families: Iterable[Sequence[Scenario]], count: int, rng: Random) -> list[list[Scenario]]:
    """Add to each family, a trunk with its branches, up to `count` more that leave the trunk where users choose.

    Each takes another edge than the trunk, the one that users have taken least in all families so far: an edge that
    few paths reach, or that needs many examples to be told from its neighbours, has few in the turns of `branches`.
    """
    out = [list(family) for family in families]
    taken = Counter(f"{s.node}.{s.edge}" for trunk, *others in out for s in chain(trunk.script, *_last(others)))
    for family in out:
        trunk = family[0]
        turns = [t for t in _turns(graph, trunk) if graph.nodes[t.state.node].is_hub]
        options = [o for t in turns for o in _other_edges(graph, trunk, t, rng) if o.step]
        rng.shuffle(options)
        for _ in range(count):
            options.sort(key=lambda o: taken[f"{o.turn.state.node}.{o.edge}"])
            paths = {s.path for s in family}
            made = (_leave(graph, trunk, option, rng) for option in options)
            found = next((m for m in made if m.path not in paths and _is_trained(graph, m)), None)
            if found is None:
                break
            family.append(found)
            taken[f"{found.script[-1].node}.{found.script[-1].edge}"] += 1
    return out


def about_facts(graph: Graph, families: Iterable[Sequence[Scenario]], count: int, rng: Random) -> list[list[Scenario]]:
    """Add to each family up to `count` more branches in which the user asks for a fact before an answer.

    Each asks for the fact that has been asked for least in all families so far, for the number of its questions: many
    are written where a fact is hard to tell from another. An answer of the trunk is used once; without facts nothing
    is added.
    """
    out = [list(family) for family in families]
    steps = (s for trunk, *others in out for s in chain(trunk.script, *_last(others)))
    asked = Counter(s.before.removeprefix(_ASKS) for s in steps if s.before.startswith(_ASKS))
    for family in out:
        trunk = family[0]
        answers = [(t, s) for t in _turns(graph, trunk) if (s := _answer(graph, trunk, t)) and not s.before]
        for turn, step in rng.sample(answers, min(count, len(answers))) if graph.knowledge else ():
            fact = min(graph.knowledge, key=lambda name: asked[name] / len(graph.knowledge[name].asks))
            asking = step.model_copy(update={"before": _ASKS + fact})
            made = _leave(graph, trunk, _Option(turn, step.edge, asking), rng)
            if _is_trained(graph, made) and made.id not in {s.id for s in family}:
                family.append(made)
                asked[fact] += 1
    return out


def _last(branches: Iterable[Scenario]) -> Iterable[tuple[Step, ...]]:
    return (b.script[-1:] for b in branches)


def _is_trained(graph: Graph, made: Scenario) -> bool:
    return not (graph.nodes[made.ending].terminal and is_held_out_path(made.path))


def _turns(graph: Graph, trunk: Scenario) -> list[_Turn]:
    """List the steps that the assistant really takes (questions answered early are skipped)."""
    state, values = begin(graph), dict[str, str]()
    index, said, used = 0, list[Step](), dict[str, int]()
    out = []
    for at, name in enumerate(trunk.path):
        node, _, edge_id = name.replace("!", ".").partition(".")
        if state.node == node:
            out.append(_Turn(at, index, tuple(said), state, dict(values)))
        if "!" in name:
            break
        edge = edge_of(graph, node, edge_id)
        told: dict[str, str] = {}
        if graph.nodes[node].role == "tool":
            tool = graph.nodes[node].calls or ""
            told = trunk.results[tool][used.get(tool, 0)].values
            used[tool] = used.get(tool, 0) + 1
        elif edge.says:
            step = trunk.script[index]
            index += 1
            if state.node == node:  # else it was answered early
                told = {**step.gives, **step.volunteers, **step.corrects}
                said.append(step)
        values |= told
        if state.node == node:
            state = follow(graph, state, edge, frozenset(told))
    return out


def _other_edges(graph: Graph, trunk: Scenario, turn: _Turn, rng: Random) -> Iterable[_Option]:
    node = turn.state.node
    for edge in graph.nodes[node].edges:
        if trunk.path[turn.at] != f"{node}.{edge.id}":
            gives = {s: draw(graph, s, rng, "train", turn.values) for s in edge.gives}
            yield _Option(turn, edge.id, Step(node=node, edge=edge.id, gives=gives) if edge.says else None)


def _volunteered(graph: Graph, trunk: Scenario, turn: _Turn, rng: Random) -> Iterable[_Option]:
    step = _answer(graph, trunk, turn)
    if step is None or step.before or not graph.nodes[step.node].asks:
        return
    known, ahead = _known(turn, step), _ahead(graph, trunk, turn, step)
    # The more there is to tell, the more ways there are to tell some of it. All but one is the hardest to answer: what
    # is missing is then easily taken for told.
    sizes = [rng.randint(1, len(ahead)) for _ in ahead] + [len(ahead) - 1] * (len(ahead) - 2)
    for size in sizes:
        slots = rng.sample(ahead, k=size)
        told = {s: draw(graph, s, rng, "train", known) for s in slots}
        yield _Option(turn, step.edge, step.model_copy(update={"volunteers": told}))
    if step.volunteers:
        yield _Option(turn, step.edge, step.model_copy(update={"volunteers": {}}))


def _corrected(graph: Graph, trunk: Scenario, turn: _Turn, rng: Random) -> Iterable[_Option]:
    step = _answer(graph, trunk, turn)
    if (
        step is None
        or step.before
        or not graph.nodes[step.node].asks
        or (trunk.results and _called(graph, trunk, turn))
    ):
        return
    edge = edge_of(graph, step.node, step.edge)
    slots = [s for s in sorted(turn.values) if graph.slots[s].corrections and s not in step.gives]
    if slots and graph.nodes[edge.to].role == "agent":
        slot = rng.choice(slots)
        told = {slot: draw(graph, slot, rng, "train", turn.values)}
        yield _Option(turn, step.edge, step.model_copy(update={"corrects": told}))


def _aside(graph: Graph, trunk: Scenario, turn: _Turn, rng: Random) -> Iterable[_Option]:
    step = _answer(graph, trunk, turn)
    resuming = answering(graph, "off_topic")
    befores = [_ASKS + rng.choice(sorted(graph.knowledge))] if graph.knowledge else []
    befores += [f"off_topic:{rng.choice(resuming)}"] if resuming else []
    if step is not None and not step.before and befores:
        yield _Option(turn, step.edge, step.model_copy(update={"before": rng.choice(befores)}))


def _strayed(graph: Graph, trunk: Scenario, turn: _Turn, kind: str, rng: Random) -> Iterable[_Option]:
    step = _answer(graph, trunk, turn)
    if step is None or step.before:
        return
    if kind == "side_question" and graph.knowledge:
        before = _ASKS + _fact(graph, rng)
    else:
        before = beside(graph, kind, step.gives, turn.values, rng)
    if not before:
        return
    volunteers = step.volunteers
    if kind == "restructuring":  # a later question is answered first
        ahead = _ahead(graph, trunk, turn, step) if graph.nodes[step.node].asks else []
        if not ahead:
            return
        slots = rng.sample(ahead, k=rng.randint(1, len(ahead)))
        volunteers = {s: draw(graph, s, rng, "train", _known(turn, step)) for s in slots}
    yield _Option(turn, step.edge, step.model_copy(update={"before": before, "volunteers": volunteers}))


def _fact(graph: Graph, rng: Random) -> str:
    """Choose a fact, those with many questions more often: they are many because it is hard to tell from another."""
    return rng.choices(list(graph.knowledge), [len(fact.asks) for fact in graph.knowledge.values()])[0]


def _known(turn: _Turn, step: Step) -> dict[str, str]:
    """The values that are known once the user has answered."""
    return {**turn.values, **step.gives, **step.corrects}


def _ahead(graph: Graph, trunk: Scenario, turn: _Turn, step: Step) -> list[str]:
    """The slots of the plain questions ahead that the user could tell early."""
    known = _known(turn, step)
    return [s for s in dict.fromkeys(asked_next(graph, trunk.path[turn.at + 1 :])) if s not in known]


def _interrupted(graph: Graph, trunk: Scenario, turn: _Turn, rng: Random) -> Iterable[_Option]:
    here = f"{turn.state.node}!"
    leaving = sorted(n for n, i in graph.interrupts.items() if i.to and trunk.path[turn.at] != here + n)
    if graph.nodes[turn.state.node].waits and leaving:
        yield _Option(turn, "", Step(node=turn.state.node, interrupt=rng.choice(leaving)))


# Ten branches take one each, and without strays a trunk with fewer leaves out the last. Interruptions stand late: with
# as many as of each other kind the model ended conversations that went on, with half as many it overheard some who
# wanted to stop. Volunteering has three places: with two the model took all for told after one value told early, and
# called too soon.
_KINDS = (
    _other_edges, _volunteered, _aside, _corrected, _interrupted, _volunteered, _aside, _volunteered, _other_edges,
    _interrupted,
)  # fmt: skip
# Further places, for the kinds that `strays` names; more where there are more kinds. Sixteen that shared two had 34 to
# 104 examples each in 300 trunks with their branches, and a compiled Zoom support answered few of the rarest.
_STRAYED = 2
_ASKS = "side_question:"


def _answer(graph: Graph, trunk: Scenario, turn: _Turn) -> Step | None:
    """What the trunk's user answers there, if it is an answer."""
    if not graph.nodes[turn.state.node].waits or trunk.script[turn.next].interrupt:
        return None
    return trunk.script[turn.next]


def _called(graph: Graph, trunk: Scenario, turn: _Turn) -> bool:
    """Whether a tool has been called with the values known so far."""
    return any(graph.nodes[s.partition(".")[0]].role == "tool" for s in trunk.path[: turn.at])


def _leave(graph: Graph, trunk: Scenario, option: _Option, rng: Random) -> Scenario:
    turn = option.turn
    path, script = list(trunk.path[: turn.at]), list(turn.said)
    results = _results_before(graph, trunk, turn.at)
    state, values = turn.state, dict(turn.values)
    if option.step:
        script.append(option.step)
    if not option.edge:
        assert option.step, "an interrupt is spoken"
        interrupt = option.step.interrupt
        path.append(f"{state.node}!{interrupt}")
        state = State(graph.interrupts[interrupt].to or state.node, state.known)
    edge_id = option.edge or _unspoken(graph, state.node, rng)
    while edge_id:
        edge = edge_of(graph, state.node, edge_id)
        told: dict[str, str] = {}
        if edge.outcome is not None:
            tool = graph.nodes[state.node].calls or ""
            for slot in graph.tools[tool].outcomes[edge.outcome]:
                told[slot] = draw(graph, slot, rng, "train", values | told)
            results.setdefault(tool, []).append(Result(outcome=edge.outcome, values=told))
        elif option.step:
            told = {**option.step.gives, **option.step.volunteers, **option.step.corrects}
        path.append(f"{state.node}.{edge.id}")
        values |= told
        state = follow(graph, state, edge, frozenset(told))
        edge_id = _unspoken(graph, state.node, rng)
    digest = hashlib.sha256(f"{trunk.id}{path}{script}{results}".encode()).hexdigest()[:12]
    return Scenario(
        id=f"{trunk.split}-{digest}",
        family=trunk.id,
        procedure=trunk.procedure,
        split=trunk.split,
        persona=trunk.persona,
        seed=trunk.seed,  # the same words up to where the branch leaves
        path=tuple(path),
        ending=state.node,
        script=tuple(script),
        results={tool: tuple(r) for tool, r in results.items()},
    )


def _unspoken(graph: Graph, name: str, rng: Random) -> str:
    """The edge taken without a word of the user, empty where the assistant waits for one or the end is reached."""
    node = graph.nodes[name]
    return "" if node.waits or node.terminal else rng.choice(node.edges).id


def _results_before(graph: Graph, trunk: Scenario, at: int) -> dict[str, list[Result]]:
    """The results of the calls that the trunk has made before step `at`."""
    out: dict[str, list[Result]] = {}
    for name in trunk.path[:at]:
        tool = graph.nodes[name.replace("!", ".").split(".")[0]].calls
        if tool:
            out.setdefault(tool, []).append(trunk.results[tool][len(out.get(tool, []))])
    return out
