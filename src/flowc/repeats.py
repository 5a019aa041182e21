"""The same scenarios again: a repeat has the same path, values and results, and a user who speaks otherwise.

What varies is what would vary between two people with the same wishes: the persona and the choice of phrases. The first
repeat is the scenario as it stands, so that a run without repeats is the first repeat of one with them.
"""

from __future__ import annotations

from collections.abc import Sequence

from flowc.graph import fingerprint
from flowc.scenarios import Scenario
from flowc.voices import PERSONAS


def again(scenario: Scenario, repeat: int) -> Scenario:
    """Give the scenario of a repeat, counted from 0.

    The persona moves on by one each time: every repeat has as many of each as the scenarios have.
    """
    if not repeat:
        return scenario
    persona = PERSONAS[(PERSONAS.index(scenario.persona) + repeat) % len(PERSONAS)]
    seed = fingerprint(f"{scenario.seed}:{repeat}")
    return scenario.model_copy(update={"persona": persona, "seed": seed, "repeat": repeat})


def repeated(scenarios: Sequence[Scenario], times: int) -> list[Scenario]:
    """List every repeat of every scenario, by the scenarios' ids."""
    return [again(s, repeat) for s in sorted(scenarios, key=lambda s: s.id) for repeat in range(times)]
