"""The graph of a LangGraph file becomes a Chart; its code runs in another process, and only when it is trusted."""

from __future__ import annotations

import ast
import os
import sys
import tempfile
import time
from pathlib import Path

import pytest

from flowc.chart import Arrow, Box, Chart
from flowc.langgraph_probe import probe
from flowc.read_langgraph import chart_of, read_langgraph
from flowc.records import UserError

HEAD = '''\
"""Booking a table.

More of it."""
from functools import partial, wraps
from typing import Literal, TypedDict

from langgraph.graph import END, START, StateGraph


class State(TypedDict):
    day: str


def logged(function):
    @wraps(function)
    def inner(state):
        return function(state)
    return inner


def greet(state):
    """Welcome the guest
    and ask for the day.

    Args: state."""
    return state


@logged
def offer_table(state: State):
    return state


async def book(state, where):
    """Book it."""
    return state


print("printed while importing")
graph = StateGraph(State)
'''
BODY = """\
graph.add_node("greet", greet)
graph.add_node("offer_table", offer_table)
graph.add_node("book", partial(book, where="here"))
graph.add_node("say_goodbye", lambda state: state)
graph.add_edge(START, "greet")
graph.add_edge("greet", "offer_table")
graph.add_conditional_edges(
    "offer_table",
    lambda s: "y",
    {"yes please": "book", "no": END, "greet": "greet", True: "say_goodbye", "yes": "book"},
)
graph.add_edge("book", "say_goodbye")
graph.add_edge("say_goodbye", END)
"""
COMPILED = "app = graph.compile()\n"


def read(tmp_path: Path, text: str, seconds: float = 600) -> Chart:
    path = tmp_path / "table.py"
    path.write_text(text, encoding="utf-8")
    return read_langgraph(path, "table", trust=True, seconds=seconds)


def read_here(text: str) -> Chart:
    """Read a file in this process: importing LangGraph in another one takes two seconds each time."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "table.py"
        path.write_text(text, encoding="utf-8")
        try:
            return chart_of(Path("table.py"), "table", ast.parse(text), probe(str(path)))
        finally:
            sys.modules.pop("flowc_imported_graph", None)


def refused_here(text: str) -> str:
    with pytest.raises(UserError) as raised:
        read_here(text)
    assert str(raised.value).startswith("table.py:")
    return str(raised.value).removeprefix("table.py:")


def refused(tmp_path: Path, text: str, seconds: float = 600) -> str:
    with pytest.raises(UserError) as raised:
        read(tmp_path, text, seconds)
    assert str(raised.value).startswith(f"{tmp_path}/table.py:")
    return str(raised.value).removeprefix(f"{tmp_path}/table.py:")


def line_of(text: str, part: str) -> int:
    return text[: text.index(part)].count("\n") + 1


@pytest.mark.parametrize("end", ["", COMPILED])
def test_a_graph_becomes_boxes_and_arrows_with_the_lines_of_its_functions(tmp_path: Path, end: str) -> None:
    text = HEAD + BODY + end
    greet, offer, book, bye, start = (line_of(text, p) for p in (
        "def greet", "def offer", "async def", 'graph.add_node("say', "graph.add_edge(START"
    ))  # fmt: skip
    chart = read(tmp_path, text)
    assert (chart.name, chart.title, chart.start) == ("table", "Booking a table.", "__start__")
    assert chart.boxes == {
        "__start__": Box(label="start", kind="start", line=start),
        "greet": Box(label="Welcome the guest and ask for the day.", line=greet),
        "offer_table": Box(label="offer table", kind="question", line=offer),
        "book": Box(label="Book it.", line=book),
        "say_goodbye": Box(label="say goodbye", line=bye),
        "__end__": Box(label="end", kind="end", line=1),
    }
    assert set(chart.arrows) == {
        Arrow(source="__start__", target="greet", line=start),
        Arrow(source="greet", target="offer_table", line=greet),
        Arrow(source="offer_table", target="book", label="yes please", line=offer),
        Arrow(source="offer_table", target="book", label="yes", line=offer),
        Arrow(source="offer_table", target="__end__", label="no", line=offer),
        Arrow(source="offer_table", target="greet", label="greet", line=offer),
        Arrow(source="offer_table", target="say_goodbye", label="True", line=offer),
        Arrow(source="book", target="say_goodbye", line=book),
        Arrow(source="say_goodbye", target="__end__", line=bye),
    }
    assert len(chart.arrows) == 9


def test_an_annotated_choice_needs_no_path_map(tmp_path: Path) -> None:
    text = HEAD + (
        'def choose(state) -> Literal["b", "c"]:\n    return "b"\n'
        'for n in "abc":\n    graph.add_node(n, greet)\n'
        'graph.add_edge(START, "a")\ngraph.add_conditional_edges("a", choose)\n'
        'graph.add_edge("b", END)\ngraph.add_edge("c", END)\n'
    )
    arrows = read(tmp_path, text).arrows
    assert {(a.target, a.label) for a in arrows if a.source == "a"} == {("b", "b"), ("c", "c")}


def test_a_choice_over_a_state_of_one_value_and_a_row_of_hundreds_are_read_as_they_were_added(tmp_path: Path) -> None:
    text = HEAD.replace("StateGraph(State)", "StateGraph(dict)") + (
        "for i in range(300):\n"
        "    graph.add_node(f'n{i}', greet)\n    graph.add_edge(f'n{i - 1}' if i else START, f'n{i}')\n"
        "graph.add_node('a', greet)\ngraph.add_node('b', greet)\n"
        "graph.add_conditional_edges('n299', greet, {'yes': 'a', 'no': 'b', 'again': 'n0'})\n"
    )
    arrows = read(tmp_path, text).arrows
    assert {(a.target, a.label) for a in arrows if a.source == "n299"} == {("a", "yes"), ("b", "no"), ("n0", "again")}
    assert {(a.source, a.target) for a in arrows if a.source in "ab"} == {("a", "__end__"), ("b", "__end__")}
    assert len(arrows) == 300 + 3 + 2


def test_a_command_leads_where_its_annotation_says(tmp_path: Path) -> None:
    text = HEAD + (
        "from langgraph.types import Command\n"
        'def choose(state) -> Command[Literal["b_node", "__end__"]]:\n    return state\n'
        'graph.add_node("a", choose)\ngraph.add_node("b_node", greet)\ngraph.add_edge(START, "a")\n'
    )
    chart = read(tmp_path, text)
    assert chart.boxes["a"].kind == "question"
    assert {(a.source, a.target, a.label) for a in chart.arrows} == {
        ("__start__", "a", ""), ("a", "b_node", "b node"), ("a", "__end__", "end"), ("b_node", "__end__", ""),
    }  # fmt: skip


def test_one_conditional_edge_is_no_choice(tmp_path: Path) -> None:
    text = HEAD + 'graph.add_node("greet", greet)\ngraph.add_edge(START, "greet")\n'
    text += 'graph.add_conditional_edges("greet", lambda state: "x", {"x": END})\n'
    chart = read(tmp_path, text)
    assert chart.boxes["greet"].kind == "step"
    assert [(a.source, a.target, a.label) for a in chart.arrows] == [
        ("__start__", "greet", ""),
        ("greet", "__end__", ""),
    ]


def test_a_tool_node_is_a_tool(tmp_path: Path) -> None:
    text = HEAD + (
        "from langgraph.prebuilt import ToolNode\n"
        'graph.add_node("look_up", ToolNode([]))\ngraph.add_edge(START, "look_up")\ngraph.add_edge("look_up", END)\n'
    )
    assert read(tmp_path, text).boxes["look_up"] == Box(label="look up", kind="tool", line=1)


def test_a_file_may_import_what_lies_beside_it(tmp_path: Path) -> None:
    (tmp_path / "beside.py").write_text('def ask(state):\n    """Ask."""\n', encoding="utf-8")
    text = HEAD + 'import beside\ngraph.add_node("a", beside.ask)\ngraph.add_edge(START, "a")\n'
    assert read(tmp_path, text).boxes["a"] == Box(label="Ask.", line=1)


def test_nothing_runs_without_trust(tmp_path: Path) -> None:
    path, mark = tmp_path / "table.py", tmp_path / "ran"
    path.write_text(f"open({str(mark)!r}, 'w')\n" + HEAD + BODY, encoding="utf-8")
    with pytest.raises(UserError) as raised:
        read_langgraph(path, "table", trust=False)
    assert str(raised.value) == (
        f"{path}:1: reading a LangGraph file runs its code; look through it, then allow it: "
        "`trust: true` beside its `file` in conf/config.yaml and `make params`, or --trust (make: TRUST=1)"
    )
    assert not mark.exists()
    read_langgraph(path, "table", trust=True)
    assert mark.exists()


MISTAKES = {
    "no Python": ("graph = (\n", "1:9: not valid Python: '(' was never closed; mend it"),
    "no graph": ("x = 1\n", "1: the file defines no graph at its top level; leave exactly one StateGraph there"),
    "two graphs": (
        HEAD + BODY + "other = StateGraph(State)\n",
        "1: the file defines several graphs (graph, other) at its top level; leave exactly one StateGraph there",
    ),
    "an exception": (
        "x = 1\ny = x / 0\n",
        "2: importing the file ends with ZeroDivisionError: division by zero; mend it until `python` runs it",
    ),
    "an end": ("import sys\nsys.exit(3)\n", "2: importing the file ends with SystemExit: 3; mend it until"),
    "a sudden end": (
        "import os, sys\nprint('lost', file=sys.stderr, flush=True)\nos._exit(0)\n",
        "1: importing the file ends its process (lost); mend it until `python` runs it",
    ),
    "a question at the terminal": ("input()\n", "1: importing the file ends with EOFError: EOF when reading a line"),
    "a choice without a path map": (
        HEAD + 'graph.add_node("a", greet)\ngraph.add_edge(START, "a")\n'
        'def choose(state):\n    return "a"\ngraph.add_conditional_edges("a", choose)\n',
        "45:7: where 'choose' leads from 'a' is not said; give add_conditional_edges a path map, or annotate",
    ),
    "two choices at once": (
        HEAD + BODY + 'graph.add_conditional_edges("offer_table", logged, {1: "book"})\n',
        "54:7: 'offer_table' makes 2 choices at the same time; join their path maps in one",
    ),
    "two ways at once": (
        HEAD + BODY + 'graph.add_edge("greet", "book")\n',
        "21: 'greet' leads to book, offer_table at the same time; lead to one after the other, or choose with",
    ),
    "a graph in a graph": (
        HEAD + BODY.replace('"greet", greet)', '"greet", inner().compile())').join(
            ["def inner():\n    g = StateGraph(State)\n    g.add_node('x', greet)\n    g.add_edge(START, 'x')\n"
             "    return g\n", ""]
        ),
        "46:7: node 'greet' is a graph of its own; add its nodes to this graph in its place",
    ),
    "a graph in a graph, both with a name": (
        HEAD + BODY.replace('"greet", greet)', '"greet", part)').join(
            ["b = StateGraph(State)\nb.add_node('x', greet)\nb.add_edge(START, 'x')\npart = b.compile()\n", ""]
        ),
        "45:7: node 'greet' is a graph of its own; add its nodes to this graph in its place",
    ),
    "a command that leads nobody knows where": (
        HEAD + "from langgraph.types import Command\ndef jump(state):\n    return Command(goto='book')\n"
        + BODY.replace("greet)", "jump)"),
        "43:12: where this Command leads from 'greet' is not said; annotate the function's result, as in",
    ),
    "one node several times": (
        HEAD + "from langgraph.types import Send\ndef fan(state):\n    return [Send('book', state)]\n" + BODY,
        "43:13: Send runs a node several times at once, but a conversation goes one way; lead to the nodes one after",
    ),
    "a graph that does not compile": (HEAD, "1: importing the file ends with ValueError: "),
}  # fmt: skip


@pytest.mark.parametrize("case", MISTAKES)
def test_a_mistake_is_named_with_its_line_and_a_remedy(tmp_path: Path, case: str) -> None:
    text, expected = MISTAKES[case]
    assert refused(tmp_path, text).startswith(expected)


IMPORTS = [
    ("from langgraph.types import Command, Send", "Command", "Send"),
    ("from langgraph.types import Command as Go, Send as Fan", "Go", "Fan"),
    ("from langgraph.types import *", "Command", "Send"),
    ("from langgraph import types", "types.Command", "types.Send"),
    ("import langgraph.types", "langgraph.types.Command", "langgraph.types.Send"),
    ("import langgraph.types as t", "t.Command", "t.Send"),
]


@pytest.mark.parametrize(("imports", "command", "send"), IMPORTS)
def test_command_and_send_are_known_under_every_name_that_a_file_gives_them(
    imports: str, command: str, send: str
) -> None:
    head, jumping = HEAD + imports, BODY.replace("greet)", "jump)")
    assert refused_here(f"{head}\ndef fan(state):\n    return [{send}('book', state)]\n{BODY}").startswith(
        "43:13: Send runs a node several times at once, but a conversation goes one way; lead to the nodes one after"
    )
    assert refused_here(f"{head}\ndef jump(state):\n    return {command}(goto='book')\n{jumping}").startswith(
        "43:12: where this Command leads from 'greet' is not said; annotate the function's result, as in"
    )
    here = BODY.replace("lambda state: state)", f"lambda s: {command}(goto=END))")
    assert refused_here(f"{head}\n{here}").startswith("45:41: where this Command leads from 'say_goodbye' is not")


def test_what_another_library_calls_send_is_none_of_langgraphs() -> None:
    text = HEAD + "import types as mail\nmail.Send = print\ndef tell(state):\n    mail.Send('book')\n" + BODY
    assert read_here(text).boxes["book"].label == "Book it."


GOTOS = ["['book', 'b']", "('book', 'b')", "'book' if state else ['book', 'b']", "[*state]", "[n for n in state]"]


@pytest.mark.parametrize("goto", GOTOS)
def test_a_command_that_leads_to_several_nodes_is_refused_also_where_they_are_said(goto: str) -> None:
    jump = "def jump(state) -> Command[Literal['book', 'b']]:\n    return Command(goto={})\n"
    text = HEAD + "from langgraph.types import Command\n" + jump + (
        "for n in ('book', 'b'):\n    graph.add_node(n, greet)\n"
        "graph.add_node('a', jump)\ngraph.add_edge(START, 'a')\n"
    )  # fmt: skip
    assert refused_here(text.replace("{}", goto)) == (
        "43:12: this Command leads to several nodes at the same time; lead to one after the other, or choose one of "
        "them"
    )
    for one in ("['book']", "'book' if state else 'b'"):
        assert {a.target for a in read_here(text.replace("{}", one)).arrows if a.source == "a"} == {"book", "b"}


UNSAID = "where 'choose' leads from {} is not said; give add_conditional_edges a path map, or annotate the function's"
CHOICES = {
    "a chain": (
        "(graph.add_node('a', greet)\n .add_edge(START, 'a')\n    .add_conditional_edges('a', choose))\n", "45:6", "'a'"
    ),
    "names": ("graph.add_node(greet).add_edge(START, 'greet')\n"
              "graph.add_conditional_edges(source='greet', path=choose)\n", "44:7", "'greet'"),
    "the start": (
        "graph.add_node('a', greet)\ngraph.add_conditional_edges(START, choose)\n", "44:7", "'__start__'"
    ),
    "an entry": (
        "graph.add_node('a', greet)\ngraph.set_conditional_entry_point(choose)\n", "44:7", "'__start__'"
    ),
    "a name that is put together": (
        "for n in 'a':\n    graph.add_node(n, greet)\n    graph.add_edge(START, n)\n"
        "    graph.add_conditional_edges(n, choose)\n", "1", "'a'"
    ),
    "two calls of which one does not run": (
        "graph.add_node('a', greet).add_edge(START, 'a')\nif False:\n    graph.add_conditional_edges('a', greet)\n"
        "graph.add_conditional_edges('a', choose)\n", "1", "'a'"
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CHOICES)
def test_a_choice_without_ways_is_named_where_it_is_added_if_the_text_tells_it(case: str) -> None:
    text, place, source = CHOICES[case]
    refusal = refused_here(f"{HEAD}def choose(state):\n    return 'a'\n{text}")
    assert refusal.startswith(f"{place}: {UNSAID.format(source)}")


def test_a_node_named_after_its_function_is_found_where_it_is_added() -> None:
    text = (
        "b = StateGraph(State)\nb.add_node('x', greet)\nb.add_edge(START, 'x')\npart = b.compile()\n"
        "part.name = 'part'\ngraph.add_edge(START, 'part')\nif True:\n    graph.add_node(part)\n"
    )
    assert refused_here(HEAD + text).startswith("48:11: node 'part' is a graph of its own; add its nodes to this graph")


AGENT = """
from langgraph.prebuilt import ToolNode, tools_condition
graph.add_node("chatbot", lambda state: state)
graph.add_node("tools", ToolNode([]))
graph.add_edge(START, "chatbot")
graph.add_edge("tools", "chatbot")
graph.add_conditional_edges("chatbot", tools_condition)
"""


@pytest.mark.parametrize("ways", ["", ", {'tools': 'tools', END: END}", ", ['tools', END]"])
def test_a_model_that_chooses_its_tools_by_itself_is_no_procedure(ways: str) -> None:
    assert refused_here(HEAD + AGENT.replace("tools_condition)", f"tools_condition{ways})")) == (
        "47:7: the model itself chooses what comes behind 'chatbot' (tools_condition), so no procedure is drawn; draw "
        "the steps as nodes, and lead to the tool from the one that needs it"
    )


@pytest.mark.parametrize("module", ["langgraph.prebuilt.chat_agent_executor", "langchain.agents.factory"])
def test_an_agent_that_a_library_builds_is_no_procedure(module: str) -> None:
    named = f"def choose(state):\n    return END\nchoose.__module__ = {module!r}\n"
    text = HEAD + named + AGENT.replace("tools_condition)", "choose, {'tools': 'tools', END: END})")
    assert refused_here(text).startswith("50:7: the model itself chooses what comes behind 'chatbot' (choose), so no")


@pytest.mark.parametrize(
    ("leads", "line"),
    [("graph.set_entry_point('a')", 42), ("\ngraph.add_edge(START, 'a')", 43),
     ("graph.set_conditional_entry_point(greet, {'yes': 'a', 'no': END})", 42),
     ("for start in [START]:\n    graph.add_edge(start, 'a')", 1)],
)  # fmt: skip
def test_the_start_has_the_line_that_leads_on_from_it(leads: str, line: int) -> None:
    assert read_here(f"{HEAD}graph.add_node('a', greet)\n{leads}\n").boxes["__start__"].line == line


def test_a_file_that_never_ends_is_stopped_with_all_that_it_started(tmp_path: Path) -> None:
    text = f"""\
import os, subprocess, time
child = subprocess.Popen(["sleep", "100"])
open({str(tmp_path / "pid")!r}, "w").write(str(child.pid))
time.sleep(100)
"""
    start = time.monotonic()
    # A busy machine takes seconds to start Python: with 2 the file did not get to write its child's id.
    assert refused(tmp_path, text, seconds=5).startswith("1: importing the file takes more than 5 seconds; put what")
    assert time.monotonic() - start < 60
    pid = int((tmp_path / "pid").read_text())
    for _ in range(50):
        if not Path(f"/proc/{pid}").exists() or "Z (" in Path(f"/proc/{pid}/status").read_text():
            break
        time.sleep(0.1)
    else:
        os.kill(pid, 9)
        pytest.fail("the child outlived the file")


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"lost.py: no such file; correct its name$"):
        read_langgraph(tmp_path / "lost.py", "lost", trust=True)
