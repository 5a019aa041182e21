"""Charts that others have published are read, linted and played: the tests that our own examples cannot give."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from flowc.chart import Arrow, Box, Chart, Kind
from flowc.generate import GenerateParams, generate
from flowc.graph import Graph, hubs, terminals
from flowc.lint import lint
from flowc.read_any import read_graph
from flowc.records import UserError
from flowc.scenarios import Deviations
from flowc.write_mermaid import write_mermaid

DATA = Path(__file__).parents[2] / "shared" / "data"
TAU2 = DATA / "tau2" / "tech_support_path2_mobile_data.dot"
STAR = DATA / "star" / "tasks"
TASKS = {
    "bank_fraud_report": 13, "doctor_schedule": 15, "hotel_book": 16, "party_plan": 17,
    "plane_book": 13, "ride_book": 14,
}  # fmt: skip

needs_tau2 = pytest.mark.skipif(not TAU2.exists(), reason="no tau2 chart in shared/data beside the repository")
needs_star = pytest.mark.skipif(not STAR.exists(), reason="no STAR tasks in shared/data beside the repository")

PARAMS = GenerateParams(
    teacher="scripted",
    train=12,
    branches=2,
    eval=4,
    scenarios=6,
    variety=0.3,
    interrupts=0.2,
    deviations=Deviations(volunteer=0.4, correction=0.25, side_question=0.3, off_topic=0.25),
)


def star_chart(task: dict[str, Any]) -> Chart:
    """Make a Chart of a STAR task: replies are boxes; labels that nothing leads to are outcomes of the box before.

    Those of availability belong to the check, success and failure to the query that nothing else leads on from, yes
    and no to the question behind a good result, and missing information to the last question that it is about.
    """
    texts, follows = task["replies"], task["graph"]
    good = follows.get("available") or follows["query_success"]
    query = next((q for q in ("query_book", "query_check", "query") if q in texts and q not in follows), None)
    owner = {"available": "query_check", "unavailable": "query_check", "query_success": query, "query_failure": query,
             "yes": good, "no": good, "info_missing": "bank_ask_pin",
             "info_missing2": "bank_ask_childhood_pets_name"}  # fmt: skip
    ways = [
        (owner.get(s) or s, t, texts[s] if s in owner else "All is known" if s in owner.values() else "")
        for s, t in follows.items()
    ]
    bye = next(n for n in texts if n == "goodbye_1" or n.endswith("_bye"))
    ways += [("anything_else", bye, "")] if "anything_else" in follows.values() else []
    names = list(dict.fromkeys(["hello", *(n for s, t, _ in ways for n in (s, t))]))
    asks = {s for s, _, _ in ways if sum(s == other for other, _, _ in ways) > 1}

    def kind(name: str) -> Kind:
        return "tool" if name.startswith("query") else "question" if name in asks else "step"

    boxes = {n: Box(label=" ".join(texts[n].split()), kind=kind(n), line=1) for n in names}
    arrows = tuple(Arrow(source=s, target=t, label=label, line=1) for s, t, label in ways)
    return Chart(name=task["task"], start="hello", boxes=boxes, arrows=arrows)


def star_graph(task: str, folder: Path) -> Graph:
    values = json.loads((STAR / task / f"{task}.json").read_text(encoding="utf-8"))
    path = folder / f"{task}.mmd"
    path.write_text(write_mermaid(star_chart(values)), encoding="utf-8")
    return read_graph(path, task)


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
    graph = star_graph(task, tmp_path)
    assert len(graph.nodes) == TASKS[task]
    playable(graph)


# What the published drawing leaves open for a reader: two boxes with arrows that do not say when they are taken.
MENDS = (
    ('Step 2.0: Check if user is facing a data issue"', 'Ask whether the data is unavailable or slow"'),
    ("P2_S0_RunSpeedTest -> P2_1_Start;", "P2_S0_RunSpeedTest -> P2_1_Start [label=unavailable];"),
    ("P2_S0_RunSpeedTest -> P2_2_Start;", "P2_S0_RunSpeedTest -> P2_2_Start [label=slow];"),
    ("P2_S0_Decision_NoConnection -> P2_2_Start;", "P2_S0_Decision_NoConnection -> P2_2_Start [label=No];"),
)


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
    text = TAU2.read_text(encoding="utf-8")
    for old, new in MENDS:
        text = text.replace(old, new)
    path = tmp_path / "tech_support.dot"
    path.write_text(text, encoding="utf-8")
    graph = read_graph(path, "tech_support")
    assert (len(graph.nodes), len(hubs(graph))) == (61, 23)
    assert {graph.nodes[n].terminal for n in terminals(graph)} == {"success", "abandonment", "escalation"}
    playable(graph)
