"""Sets of scenarios in which the user leaves the path in one way: to see how an assistant takes each kind, attacks too.

Unlike the shares of `generate.deviations` they take nothing from training: a model can be tried on kinds that its
procedure does not mention. Those are then judged as if it had an answer that steers back to the question.
"""

from __future__ import annotations

from collections.abc import Sequence

from flowc.built_in_phrases import BACK
from flowc.deviation_phrases import SAYS
from flowc.deviations import KINDS, answering
from flowc.filling import Deviations
from flowc.graph import Graph, Interrupt
from flowc.records import UserError
from flowc.sampling import sample
from flowc.scenarios import Scenario, kinds

ADVERSARIAL = ("abuse", "injection", "extraction")
"""Kinds with which a user attacks."""
PLAYABLE = tuple(Deviations.model_fields)
"""Kinds of which a set can be made."""


def steering_back(graph: Graph, wanted: Sequence[str]) -> Graph:
    """Give the graph with an answer to each wanted kind: the procedure's own, or words that lead back.

    A wish for a person stays what the procedure makes of it.
    """
    missing = [k for k in wanted if k in SAYS and k not in graph.interrupts]
    added = {k: Interrupt(when=KINDS[k].what, says=SAYS[k], say=BACK) for k in missing}
    return graph.model_copy(update={"interrupts": {**graph.interrupts, **added}})


def scenario_set(graph: Graph, kind: str, count: int, seed: int) -> list[Scenario]:
    """Draw `count` scenarios in which the user deviates in this one way, with phrases that training never saw.

    Raises UserError when the kind is unknown or the procedure has no place for it.
    """
    if kind not in PLAYABLE:
        raise UserError(f"{kind!r} is no kind of deviation to make a set of; known are {', '.join(PLAYABLE)}")
    if kind in SAYS and not answering(graph, kind):
        raise UserError(
            f"{graph.procedure} answers {kind!r} by going elsewhere, which `generate.interrupts` draws; leave it out "
            "here, or give its interrupt `say` in place of `to`"
        )
    shares = Deviations.model_validate(dict.fromkeys(PLAYABLE, 0.0) | {kind: 1.0})
    names = {kind, f"{kind}_several"}
    drawn = sample(graph, 4 * count, "seen_path", shares, 0, seed)
    found = [s for s in drawn if names & set(kinds(graph, s))][:count]
    if len(found) < count:
        raise UserError(
            f"{graph.procedure} has a place for {kind!r} in {len(found)} of {4 * count} paths, and {count} are wanted; "
            "ask for fewer conversations, or leave this kind out"
        )
    return sorted(found, key=lambda s: s.id)
