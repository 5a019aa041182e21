"""The deterministic judge over the shipped procedures: every planted fault falls in its criterion, at its turn.

What comes before a fault stays without one, and a perfect transcript keeps full marks.
"""

from __future__ import annotations

from functools import cache
from itertools import islice

import pytest

from flowc.conformance import Judgement, judge
from flowc.graph import Graph
from flowc.parse import parse_procedure
from flowc.sampling import sample
from flowc.tracker import Tracker
from flowc.transcripts import Ended, Tokens, Transcript
from tests import faults_in_order, faults_in_words
from tests.example import MANY_DEVIATIONS, play
from tests.faults import KINDS, Broken, Case, Turns
from tests.workspace import ROOT

PROCEDURES = ("travel_booking", "zoom_support", "insurance_claims")
SCENARIOS = 60
PLACES = 12  # of one fault in one procedure, at most 2 in one conversation
NOWHERE = {
    ("zoom_support", "states_what_was_corrected"),
    ("zoom_support", "tells_a_wrong_value_in_passing"),
    ("zoom_support", "leaves_out_what_is_told_in_passing"),
    ("travel_booking", "tells_a_wrong_value_in_passing"),
    ("travel_booking", "leaves_out_what_is_told_in_passing"),
}


@cache
def graph_of(procedure: str) -> Graph:
    file = ROOT / "data" / "procedures" / f"{procedure}.yaml"
    return parse_procedure(file.read_text(encoding="utf-8"), str(file))


@cache
def cases(procedure: str) -> tuple[Case, ...]:
    graph = graph_of(procedure)
    tracker = Tracker(graph)
    scenarios = sample(graph, SCENARIOS, "train", MANY_DEVIATIONS, 0.3, seed=7)
    return tuple(Case(graph, s, play(graph, s).turns, tracker) for s in scenarios)


def judged(case: Case, turns: Turns, ended: Ended = Ended.TERMINAL) -> Judgement:
    played = Transcript(scenario=case.scenario.id, arm="x", ended=ended, turns=turns, tokens=Tokens())
    return judge(case.graph, case.scenario, played)


def missed(case: Case, broken: Broken, criteria: tuple[str, ...]) -> list[str]:
    """The criteria that should have fallen and did not, or not at the planted turn; those that fell before it."""
    judgement = judged(case, broken.turns, broken.ended)
    seen = {f.criterion for f in judgement.faults if f.turn == broken.at}
    same = [a == b for a, b in zip(case.turns, broken.turns, strict=False)]
    sound = min(broken.at, same.index(False)) if False in same else broken.at
    early = [f"{f.criterion} at {f.turn}" for f in judgement.faults if f.turn < sound]
    return [c for c in criteria if c not in seen or judgement.scores[c] == 1.0] + early


@pytest.mark.parametrize("procedure", PROCEDURES)
def test_a_perfect_transcript_keeps_full_marks(procedure: str) -> None:
    for case in cases(procedure):
        judgement = judged(case, case.turns)
        assert judgement.faults == ()
        assert set(judgement.scores.values()) <= {1.0, None}


@pytest.mark.parametrize("kind", sorted(KINDS))
@pytest.mark.parametrize("procedure", PROCEDURES)
def test_a_planted_fault_falls_in_its_criterion(procedure: str, kind: str) -> None:
    criteria, plant = KINDS[kind]
    places = [(case, broken) for case in cases(procedure) for broken in islice(plant(case), 2)][:PLACES]
    assert bool(places) == ((procedure, kind) not in NOWHERE)
    wrong = [(case.scenario.id, broken.at, m) for case, broken in places if (m := missed(case, broken, criteria))]
    assert wrong == []


def test_forty_six_kinds_of_fault_are_planted() -> None:
    planters = {kind.plant.__module__ for kind in KINDS.values()}
    assert planters == {faults_in_order.__name__, faults_in_words.__name__}
    assert len(KINDS) == 46
