"""Whatever becomes a procedure of a chart can be played: on every path, in every split, with every deviation."""

from __future__ import annotations

import re
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from flowc.chart import Arrow, Box, Chart, Escape, Kind
from flowc.chart_flow import said
from flowc.graph import Graph, hubs
from flowc.records import UserError
from flowc.sampling import sample
from flowc.teacher import converse
from tests.example import MANY_DEVIATIONS
from tests.playing import assert_playable
from tests.reading import graph_of
from tests.test_from_chart import claims


def test_a_converted_chart_can_be_played_on_every_path() -> None:
    assert_playable(graph_of(claims(), "x"))
    assert_playable(graph_of(claims(collects=False), "x"))


LABELS = [
    "",
    "Start",
    "Ask for the day",
    "Is it ok?",
    "Offer a refund",
    "Tell the customer to wait",
    "Bye",
    "{x} 50%",
    "End",
]
ANSWER_LABELS = [
    "",
    "yes",
    "no",
    "Yes, now",
    "else",
    "customer agrees",
    "{",
    "!",
    ".",
    "a",
    "a, please",
    "works",
    "> 3",
]


@st.composite
def charts(draw: st.DrawFn) -> Chart:
    """Charts that hang together more often than not, with all that any format can say."""
    names = [f"b{i}" for i in range(draw(st.integers(2, 7)))]
    kinds: st.SearchStrategy[Kind] = st.sampled_from(["step", "step", "question", "tool", "start", "end"])
    slots = {"day": ("Mon", "Tue", "Wed", "Thu", "Fri"), "it": ("yes", "no"), "too": ("yes", "no"), "one": ("x",)}
    boxes = {
        n: Box(label=draw(st.sampled_from(LABELS)), kind=draw(kinds), line=i,
               collects=draw(st.sampled_from([None, None, *slots, "text"])))
        for i, n in enumerate(names, 1)
    }  # fmt: skip
    label = st.sampled_from(ANSWER_LABELS)
    arrows = [Arrow(source=a, target=b, label=draw(label), line=1) for a, b in pairwise(names)]
    pairs = draw(st.lists(st.tuples(st.sampled_from(names), st.sampled_from(names), label, st.booleans()), max_size=4))
    arrows += [Arrow(source=s, target=t, label=a, default=d, line=2) for s, t, a, d in pairs]
    escapes = draw(st.lists(st.builds(Escape, label=label, target=st.sampled_from(names), line=st.just(3)), max_size=1))
    start = draw(st.sampled_from([None, "b0"]))
    return Chart(name="x", start=start, boxes=boxes, arrows=tuple(arrows), escapes=tuple(escapes), slots=slots)


@st.composite
def sound_charts(draw: st.DrawFn) -> Chart:
    """Charts without mistakes: each box leads to the next, hubs also elsewhere, forward or back."""
    names = [f"b{i}" for i in range(draw(st.integers(3, 8)))]
    slots = {"day": ("Mon", "Tue", "Wed", "Thu", "Fri"), "it": ("yes", "no"), "too": ("yes", "no"), "one": ("x",)}
    boxes, arrows = dict[str, Box](), list[Arrow]()
    kinds: st.SearchStrategy[Kind] = st.sampled_from(["step", "step", "question", "tool"])
    words = st.sampled_from([label for label in LABELS if label not in ("", "Start")])
    for i, n in enumerate(names[:-1]):
        kind = draw(kinds) if i else "step"
        least = 2 if kind == "question" else 1
        labels = draw(
            st.lists(
                st.sampled_from([a for a in ANSWER_LABELS if re.search(r"\w", a)]),
                min_size=least,
                max_size=3,
                unique=True,
            )
        )
        targets = [names[i + 1], *(draw(st.sampled_from(names[1:])) for _ in labels[1:])]
        labels = labels if len(labels) > 1 else [""]
        arrows += [Arrow(source=n, target=t, label=a, line=2) for a, t in zip(labels, targets, strict=True)]
        collects = draw(st.sampled_from([None, *slots, "text"]))
        boxes[n] = Box(label=draw(words), kind=kind, collects=collects, line=1)
    boxes[names[-1]] = Box(label="Bye", kind="end", line=1)
    target = st.sampled_from(names)
    escapes = draw(st.lists(st.builds(Escape, label=words, target=target, line=st.just(3)), max_size=2))
    return Chart(name="x", start="b0", boxes=boxes, arrows=tuple(arrows), escapes=tuple(escapes), slots=slots)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(sound_charts())
def test_sound_charts_give_procedures_that_can_be_played(chart: Chart) -> None:
    play_some(graph_of(chart, "x.mmd"))


@settings(max_examples=200, deadline=None, derandomize=True)
@given(charts())
def test_any_chart_gives_a_playable_procedure_or_a_mistake(chart: Chart) -> None:
    try:
        graph = graph_of(chart, "x.mmd")
    except UserError as e:
        assert str(e).startswith("x.mmd:")
        return
    assert graph_of(chart, "x.mmd") == graph
    play_some(graph)


def play_some(graph: Graph) -> None:
    """Hold a converted chart against what every one fulfils, and play some of its conversations."""
    assert Graph.model_validate_json(graph.model_dump_json()) == graph
    for name in hubs(graph):
        keys = [said(p) for e in graph.nodes[name].edges for p in set(e.says)]
        assert len(keys) == len(set(keys))
    assert min((len(e.says) for x in graph.nodes.values() if x.role == "agent" for e in x.edges), default=2) >= 2
    try:
        scenarios = sample(graph, 6, "train", MANY_DEVIATIONS, 0.3, seed=2)
    except ValueError as e:
        assert "too few paths" in str(e)
        return
    for scenario in scenarios:
        converse(graph, scenario, "train")
