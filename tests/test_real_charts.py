"""Charts that others have published are read, linted and played: the tests that our own examples cannot give."""

from __future__ import annotations

from pathlib import Path

import pytest

from flowc.filling import Deviations
from flowc.generate import GenerateParams, generate
from flowc.graph import Graph, hubs, terminals
from flowc.lint import lint, told_of
from flowc.parse import sound
from flowc.read_any import read_draft, read_graph
from tests.gates import GATE
from tests.published import TASKS, TAU2, needs_star, needs_tau2, write_star

PARAMS = GenerateParams(
    teacher="scripted",
    train=12,
    branches=2,
    eval=4,
    scenarios=6,
    variety=0.3,
    interrupts=0.2,
    deviations=Deviations(volunteer=0.4, correction=0.25, side_question=0.3, off_topic=0.25),
    gate=GATE,
)


def playable(graph: Graph) -> None:
    """Hold a procedure against what the pipeline needs of it up to training."""
    assert [f for f in lint(graph) if f.severity == "error"] == []
    generated = generate(graph, PARAMS, seed=1)
    assert len(generated.train) > PARAMS.train
    assert {s.split for s in generated.scenarios} == {"seen_path", "held_out_path"}
    assert all(c.messages[-1].role == "assistant" for c in generated.train)
    assert {c.path for c in generated.train}.isdisjoint(
        {s.path for s in generated.scenarios if s.split == "held_out_path"}
    )


@needs_star
@pytest.mark.parametrize("task", TASKS)
def test_a_star_task_is_read_linted_and_played(task: str, tmp_path: Path) -> None:
    path = tmp_path / f"{task}.mmd"
    write_star(task, path)
    graph = read_graph(path, task)
    assert len(graph.nodes) == TASKS[task]
    playable(graph)


@needs_tau2
def test_the_tau2_chart_is_linted_and_played_and_its_arrows_without_words_are_named() -> None:
    draft = read_draft(TAU2, "tech_support")
    graph = sound(draft, str(TAU2))
    assert (len(graph.nodes), len(hubs(graph))) == (61, 23)
    assert {graph.nodes[n].terminal for n in terminals(graph)} == {"success", "abandonment", "escalation"}
    guessed = [w.removeprefix(str(TAU2)).split(",")[0] for w in told_of(draft, str(TAU2)).warnings if "no label" in w]
    assert guessed == [
        ":86: warning: the arrow from 'step_2_0_check_if_user' to 'path_2_1_unavailable_mobile_data' has no label",
        ":87: warning: the arrow from 'step_2_0_check_if_user' to 'path_2_2_slow_mobile_data' has no label",
        ":93: warning: the arrow from 'speed_test_shows_no_connection' to 'path_2_2_slow_mobile_data' has no label",
    ]
    playable(graph)
