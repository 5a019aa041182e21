"""Any Python text gives a graph of LangGraph or a mistake with its line, and what is written reads as it was.

The generated files are probed in this process, as importing LangGraph in another one takes two seconds each;
test_read_langgraph.py has those that run apart. A text that is no generated one is never run: it is not trusted.
"""

from __future__ import annotations

import ast
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowc.chart import Arrow, Box, Chart
from flowc.parse import parse_procedure
from flowc.read_langgraph import read_langgraph
from flowc.records import UserError
from flowc.write_yaml import write_procedure
from tests.reading import graph_of, reads
from tests.test_read_langgraph import read as read_apart
from tests.test_read_langgraph import read_here as read

HEAD = "from langgraph.graph import END, START, StateGraph\nfrom langgraph.prebuilt import ToolNode\n"
WORDS = st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"]), max_size=20).map(
    lambda s: " ".join(s.split())
)
ASKED = st.sampled_from(["Ask for the day.", "Is it ok?", "Offer a refund.", "Say goodbye."])
IDS = ["ask", "offer_it", "book a table", "größe", "n.1", "2", "end"]


@st.composite
def charts(draw: st.DrawFn) -> Chart:
    """A chart as LangGraph can hold it: a question has a path map, all else one way on, and all is reached in a row."""
    names = draw(st.lists(st.sampled_from(IDS), min_size=1, max_size=5, unique=True))
    boxes = {"__start__": Box(label="start", kind="start", line=1)}
    arrows = [Arrow(source="__start__", target=names[0], line=1)]
    for name, behind in zip(names, [*names[1:], "__end__"], strict=True):
        keys = (WORDS | st.sampled_from(["yes", "no", "later"])).filter(lambda s: s not in ("", "__end__", *IDS))
        ways = draw(st.dictionaries(keys, st.sampled_from([*names, "__end__"]), max_size=2))
        label = draw(WORDS.filter(bool) | ASKED)
        boxes[name] = Box(label=label, kind="question" if ways else "step", line=1)
        labels = {**ways, "go on": behind} if ways else {"": behind}
        arrows += [Arrow(source=name, target=target, label=key, line=1) for key, target in labels.items()]
    boxes["__end__"] = Box(label="end", kind="end", line=1)
    return Chart(name="table", title=draw(WORDS), start="__start__", boxes=boxes, arrows=tuple(arrows))


def written(chart: Chart) -> str:
    """The chart as a LangGraph file; a function for each node, with the label as its docstring."""
    lines = [repr(chart.title), HEAD, "graph = StateGraph(dict)"]
    for i, (name, box) in enumerate(chart.boxes.items()):
        if box.kind in ("step", "question"):
            lines += [f"def f{i}(state):\n    return state", f"f{i}.__doc__ = {box.label!r}"]
            lines.append(f"graph.add_node({name!r}, f{i})")
    for name in chart.boxes:
        ways = [a for a in chart.arrows if a.source == name]
        if len(ways) > 1:
            keys = {a.label: a.target for a in ways}
            lines.append(f"graph.add_conditional_edges({name!r}, lambda state: '', {keys!r})")
        else:
            lines += [f"graph.add_edge({a.source!r}, {a.target!r})" for a in ways]
    return "\n".join(lines) + "\n"


def alike(chart: Chart) -> tuple[object, ...]:
    """What a chart says apart from lines and from the order in which LangGraph keeps it."""
    boxes = {n: b.model_copy(update={"line": 1}) for n, b in chart.boxes.items()}
    arrows = sorted((a.source, a.target, a.label) for a in chart.arrows)
    return chart.name, chart.title, chart.start, boxes, arrows


@settings(max_examples=100, deadline=None, derandomize=True)
@given(charts())
def test_a_chart_survives_being_written_and_read(chart: Chart) -> None:
    again = read(written(chart))
    assert alike(again) == alike(chart)
    try:
        graph = graph_of(again, "table.py")
    except UserError as e:  # a label that nobody can say, for one
        assert str(e).startswith("table.py:")
        return
    assert parse_procedure(write_procedure(graph, "table.py"), "table.yaml") == graph


PIECES = [
    "graph = StateGraph(dict)\n", "other = StateGraph(dict)\n", "app = graph.compile()\n", "x = 1 / 0\n", "1 +\n",
    "graph.add_node('a', f)\n", "graph.add_node('b', f)\n", "graph.add_node('b', ToolNode([]))\n", "graph = None\n",
    "graph.add_node('c', lambda s: s)\n", "graph.add_edge(START, 'a')\n", "graph.add_edge('a', 'b')\n",
    "graph.add_edge('b', END)\n", "graph.add_edge('a', END)\n", "graph.add_edge('b', 'lost')\n", "raise SystemExit\n",
    "graph.add_conditional_edges('a', f)\n", "graph.add_conditional_edges('a', f, {'yes': 'b', 'no': END})\n",
    "graph.add_conditional_edges('a', f, ['b', 'c'])\n", "graph.add_conditional_edges(START, f, {1: 'a', 2: 'b'})\n",
    "graph.set_entry_point('a')\n", "graph.set_finish_point('b')\n", "def f(state):\n    '''Ask.'''\n",
    "'''Title.'''\n", "graph.add_node('d', graph.compile())\n", "graph.add_edge(['a', 'b'], 'c')\n", "\x00", "\u2028",
]  # fmt: skip
SOUND = [*PIECES[:1], "graph.add_node('a', f)\n", "graph.add_node('b', f)\n", "graph.add_edge(START, 'a')\n"]


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.lists(st.sampled_from(PIECES), max_size=8), st.booleans())
def test_pieces_of_langgraph_in_any_order_give_a_chart_or_a_mistake(pieces: list[str], begun: bool) -> None:
    text = HEAD + "def f(state):\n    return state\n" + "".join([*(SOUND if begun else []), *pieces])
    try:
        ast.parse(text)
    except (SyntaxError, ValueError):  # never run: the next test has those
        return
    chart = reads(lambda: read(text), "table.py")
    try:
        graph = graph_of(chart, "table.py") if chart else None
    except UserError as e:
        assert str(e).startswith("table.py:")
    else:
        assert graph is None or parse_procedure(write_procedure(graph, "table.py"), "table.yaml") == graph


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.text() | st.lists(st.sampled_from(PIECES), max_size=8).map("".join))
def test_any_text_is_refused_with_its_line_before_it_is_trusted(text: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "table.py"
        path.write_text(text, encoding="utf-8")
        with pytest.raises(UserError) as raised:
            read_langgraph(path, "table", trust=False)
        assert str(raised.value).startswith(f"{path}:")


def test_a_file_that_runs_apart_reads_as_one_that_is_probed_here(tmp_path: Path) -> None:
    boxes = {
        "__start__": Box(label="start", kind="start", line=1), "ask": Box(label="Is it ok?", kind="question", line=1),
        "offer_it": Box(label="Offer a refund.", line=1), "__end__": Box(label="end", kind="end", line=1),
    }  # fmt: skip
    ways = (("__start__", "ask", ""), ("ask", "__end__", "yes"), ("ask", "offer_it", "no"), ("offer_it", "__end__", ""))
    arrows = tuple(Arrow(source=s, target=t, label=label, line=1) for s, t, label in ways)
    chart = Chart(name="table", title="A table", start="__start__", boxes=boxes, arrows=arrows)
    assert alike(read_apart(tmp_path, written(chart))) == alike(read(written(chart))) == alike(chart)
