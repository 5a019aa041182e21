"""Charts that others have published are read, linted and played: the tests that our own examples cannot give."""

from __future__ import annotations

from pathlib import Path

import pytest

from flowc.filling import Deviations
from flowc.generate import GenerateParams, generate
from flowc.graph import Graph, hubs, terminals
from flowc.lint import lint
from flowc.read_any import read_graph
from flowc.records import UserError
from tests.gates import GATE
from tests.published import MENDS, TASKS, TAU2, needs_star, needs_tau2, write_star, write_tau2

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
def test_the_tau2_chart_is_refused_at_each_arrow_that_says_nothing(tmp_path: Path) -> None:
    text, said = TAU2.read_text(encoding="utf-8"), []
    path = tmp_path / "tech_support.dot"
    for old, new in MENDS:
        assert old in text
        path.write_text(text, encoding="utf-8")
        with pytest.raises(UserError) as raised:
            read_graph(path, "tech_support")
        said.append(str(raised.value).removeprefix(str(path)).split(",")[0])
        text = text.replace(old, new)
    assert said == [
        ":86: 2 arrows leave box 'P2_S0_RunSpeedTest'",
        ":86: 2 arrows leave box 'P2_S0_RunSpeedTest'",
        ":87: 2 arrows leave box 'P2_S0_RunSpeedTest'",
        ":93: an arrow of the question 'P2_S0_Decision_NoConnection' has no label; write on it which answer "
        "leads there",
    ]


@needs_tau2
def test_the_tau2_chart_with_words_on_its_arrows_is_linted_and_played(tmp_path: Path) -> None:
    path = tmp_path / "tech_support.dot"
    write_tau2(path)
    graph = read_graph(path, "tech_support")
    assert (len(graph.nodes), len(hubs(graph))) == (61, 23)
    assert {graph.nodes[n].terminal for n in terminals(graph)} == {"success", "abandonment", "escalation"}
    playable(graph)
