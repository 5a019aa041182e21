"""A Graphviz drawing becomes the chart that it shows, and what has no meaning there is refused with its place."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowc.chart import Arrow, Box, Chart, Kind
from flowc.read_dot import MEANING, STYLING, read_dot
from flowc.records import UserError

REAL = Path(__file__).parents[2] / "shared" / "data" / "tau2" / "tech_support_path2_mobile_data.dot"

REFUND = r"""// how a refund goes
digraph refund {
    label = "Refund of an order"
    rankdir=LR; node [fontname="Helvetica", shape=box]
    begin [shape=circle, label=""];
    ask [label="Ask for the\norder number"]
    look_up [shape=cylinder label="Look the order up"]
    subgraph cluster_decide {
        label="Decide"; node [shape=diamond]
        late [label=<Older than<br/><b>30&nbsp;days</b> &amp; unused?>]
    }
    pay [label="Pay \"in full\""]
    bye [shape=doublecircle, label="Bye"]
    begin -> ask -> look_up -> late
    late -> pay [label="no"]   /* the good way */
    late -> bye:n [xlabel="yes"]
# a remark
    pay:e -> bye
    edge [style=invis] ask -> pay
    note1 [shape=note, label="drawn by Kim"]
}
"""


def chart(text: str) -> Chart:
    return read_dot(text, "some/x.dot", "x")


def mistake(text: str) -> str:
    with pytest.raises(UserError) as raised:
        chart(text)
    return str(raised.value)


def arrows(text: str) -> list[tuple[str, str, str]]:
    return [(a.source, a.target, a.label) for a in chart(text).arrows]


def kinds(text: str) -> dict[str, str]:
    return {name: box.kind for name, box in chart(text).boxes.items()}


def test_the_name_that_networkx_gives_a_graph_is_its_title() -> None:
    assert chart('strict digraph "" {graph [name=support]; a -> b}').title == "support"
    assert chart("digraph own {graph [name=support]; a -> b}").title == "own"


def test_a_drawing_is_read_box_by_box_and_arrow_by_arrow() -> None:
    assert read_dot(REFUND, "refund.dot", "refund") == Chart(
        name="refund",
        title="Refund of an order",
        start="begin",
        boxes={
            "begin": Box(label="", kind="start", line=5),
            "ask": Box(label="Ask for the order number", line=6),
            "look_up": Box(label="Look the order up", kind="tool", line=7),
            "late": Box(label="Older than 30 days & unused?", kind="question", line=10),
            "pay": Box(label='Pay "in full"', line=12),
            "bye": Box(label="Bye", kind="end", line=13),
        },
        arrows=(
            Arrow(source="begin", target="ask", line=14),
            Arrow(source="ask", target="look_up", line=14),
            Arrow(source="look_up", target="late", line=14),
            Arrow(source="late", target="pay", label="no", line=15),
            Arrow(source="late", target="bye", label="yes", line=16),
            Arrow(source="pay", target="bye", line=18),
        ),
    )


@pytest.mark.skipif(not REAL.exists(), reason="the real inputs are not beside the project")
def test_nothing_of_a_real_drawing_is_lost() -> None:
    text = REAL.read_text(encoding="utf-8")
    read = read_dot(text, REAL.name, "mobile_data")
    lines = text.split("\n")
    nodes = {}
    drawn = []
    for number, line in enumerate(lines, 1):
        label = re.search(r'label="([^"]*)"', line)
        words = " ".join(label[1].replace("\\n", " ").split()) if label else ""
        if arrow := re.match(r"\s+(\w+) -> (\w+)", line):
            drawn.append(Arrow(source=arrow[1], target=arrow[2], label=words, line=number))
        elif (node := re.match(r"\s+(\w+) \[", line)) and node[1] not in ("node", "edge"):
            nodes[node[1]] = (words, "question" if "diamond" in line else "step", number)
    for name, kind in (("Start", "start"), ("End_Resolve", "end"), ("End_Escalate_Tech", "end")):
        nodes[name] = (nodes[name][0], kind, nodes[name][2])
    assert {name: (b.label, b.kind, b.line) for name, b in read.boxes.items()} == nodes
    assert read.arrows == tuple(drawn)
    assert (len(nodes), len(drawn)) == (60, 84)
    assert (read.start, read.title) == ("Start", "TechSupportWorkflow")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{a b} -> {c d}", [("a", "c", ""), ("a", "d", ""), ("b", "c", ""), ("b", "d", "")]),
        ("a -> b -> c [label=x]", [("a", "b", "x"), ("b", "c", "x")]),
        ("a -> {b -> c} [label=x]", [("b", "c", ""), ("a", "b", "x"), ("a", "c", "x")]),
        ("a -> subgraph s {b {c}} -> d", [("a", "b", ""), ("a", "c", ""), ("b", "d", ""), ("c", "d", "")]),
        ("subgraph s {a} subgraph s {b} -> c", [("a", "c", ""), ("b", "c", "")]),
        ("a -> b; a -> b [label=x]", [("a", "b", ""), ("a", "b", "x")]),
        ("edge [label=y] a -> b {edge [label=z] a -> c} b -> c", [("a", "b", "y"), ("a", "c", "z"), ("b", "c", "y")]),
        ('"a b":p:nw -> 3 [taillabel="no"]', [("a b", "3", "no")]),
        ('a -> b [dir=back, headlabel="on"]', [("b", "a", "on")]),
        ("a -> b [label=<>] b -> c [label=x][xlabel=\"\"; weight=2]", [("a", "b", ""), ("b", "c", "x")]),
        (r'a -> b [label="\T to \H\\\G &lt;now&gt; &unknown; \E"]', [("a", "b", r"a to b\ <now> &unknown; a->b")]),
        ('"a" + "b" -> "c\\\nd" a -> a', [("ab", "cd", ""), ("a", "a", "")]),
    ],
)  # fmt: skip
def test_edges_mean_what_graphviz_draws(text: str, expected: list[tuple[str, str, str]]) -> None:
    assert arrows(f"digraph {{ {text} }}") == expected


@pytest.mark.parametrize("line", ["dir=none", "arrowhead=none style=dashed", "dir=back, arrowtail=none, label=x"])
@pytest.mark.parametrize("shape", ["note", "plaintext"])
def test_a_note_that_a_line_ties_to_a_box_is_left_out_with_the_line(line: str, shape: str) -> None:
    text = f"a [shape=box] a -> b [arrowhead=normal]; n [shape={shape} label=Legal] n -> b [{line}] a -> n [{line}]"
    read = chart(f"digraph {{ {text} }}")
    assert {n: b.kind for n, b in read.boxes.items()} == {"a": "step", "b": "end"}
    assert [(a.source, a.target) for a in read.arrows] == [("a", "b")]


def test_an_edge_drawn_twice_in_a_strict_graph_is_one() -> None:
    assert arrows("strict digraph { a -> b [label=x]; a -> b [label=y]; b -> a }") == [("a", "b", "y"), ("b", "a", "")]


def test_defaults_hold_for_the_nodes_that_come_after_them_in_their_braces() -> None:
    text = """digraph { a; node [shape=diamond label="?"] b; { node [shape=box] c; a } d [label="\\N:\\G"]
        x -> {a b c d} }"""
    assert {n: (b.label, b.kind) for n, b in chart(text).boxes.items()} == {
        "a": ("a", "end"),
        "b": ("?", "question"),
        "c": ("?", "step"),
        "d": ("d:", "question"),
        "x": ("?", "question"),
    }


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a -> b -> c", {"a": "step", "b": "step", "c": "end"}),
        ("a [shape=oval] b [shape=box] a -> b", {"a": "start", "b": "step"}),
        ("a [shape=oval] a -> b -> c", {"a": "step", "b": "step", "c": "end"}),
        ("Start -> b -> c", {"Start": "start", "b": "step", "c": "end"}),
        ('a [label="Start: the user calls"] a -> b -> c', {"a": "start", "b": "step", "c": "end"}),
        ('a [label="Start with the name"] a -> b -> c', {"a": "step", "b": "step", "c": "end"}),
        ("a [shape=point] a -> b -> a", None),
        ("a [shape=Mdiamond] z [shape=Msquare] a -> b -> z", {"a": "start", "z": "end", "b": "step"}),
        ("node [shape=component] a node [shape=folder] b -> a", {"a": "tool", "b": "tool"}),
        ("node [shape=rect] a -> b", {"a": "step", "b": "step"}),
        ("alone", {"alone": "step"}),
    ],
)
def test_shapes_tell_what_a_box_is(text: str, expected: dict[str, str] | None) -> None:
    if expected is None:
        assert mistake(f"digraph {{ {text} }}").startswith("some/x.dot:1:11: 'a' has no text; write in its label")
    else:
        assert kinds(f"digraph {{ {text} }}") == expected


def test_the_fields_of_a_record_are_its_text() -> None:
    text = r'digraph { a [shape=record, label="{<in> Ask|the \{name\}|<out>}"] a -> b }'
    assert chart(text).boxes["a"].label == "Ask the {name}"


MISTAKES = {
    "an empty file": ("", "1:1: the file is empty; write digraph"),
    "no box": ("digraph {}", "1:1: no box is drawn; write digraph"),
    "an undirected graph": ("graph { a -- b }", "1:1: an undirected graph, so which way does the conversation go?"),
    "an undirected edge": ("digraph {\n a -- b }", "2:4: `--` has no direction, so which way does the conversation go"),
    "an edge with two heads": ("digraph { a -> b [dir=both] }", "1:23: dir=both leaves open which way"),
    "an edge without a head": (
        "digraph { a -> b\n a -> b [arrowhead=none] }",
        "2:20: an arrow without a head leaves open which way the conversation goes; draw the head",
    ),
    "an edge back without a head": ("digraph { a -> b [dir=back arrowtail=none] }", "1:38: an arrow without a head"),
    "a line to a plain text that is a step": (
        "digraph { node [shape=plaintext] a -> b\n b -> c -> d [dir=none]; d -> e }",
        "2:19: dir=none leaves open which way",
    ),
    "no graph": ("a -> b", "1:1: a DOT file begins with `digraph {`"),
    "no brace": ("digraph x", "1:9: a `{` is missing behind `digraph`"),
    "two graphs": ("digraph { a }\ndigraph { b }", "2:1: something follows the graph; keep one graph a file"),
    "an open brace": ("digraph { a -> {\n b", "1:16: this `{` is never closed; add a `}`"),
    "an open bracket": ("digraph { a [label=x }", "1:22: a `[` before this is not closed"),
    "an open quote": ('digraph { a [label="x] }', "1:20: this quoted text never ends; close it"),
    "an open comment": ("digraph { /* a }", "1:11: this comment never ends; close it"),
    "an open label": ("digraph { a [label=<b] }", "1:20: this HTML-like text never ends; close it"),
    "an arrow to nothing": ("digraph { a -> }", "1:13: not valid DOT from '->' on; a statement is"),
    "an arrow from an end": (
        "digraph { a [shape=doublecircle] b -> a\n a -> b }",
        "2:2: an arrow leaves 'a', which is drawn as an end; remove the arrow",
    ),
    "two starts": (
        "digraph { start -> a -> b\nnode [shape=point] x -> a }",
        "2:20: 'x' is a second start beside 'start'; a conversation begins at one place",
    ),
    "an unknown attribute": ("digraph { a [lable=x] }", "1:14: 'lable' is not a known attribute of this node"),
    "an attribute that pydot trips over": ("digraph { a -> b [src=x] }", "1:19: 'src' is not a known attribute of"),
    "an unknown shape": ("digraph { a [shape=dimond] }", "1:20: the shape 'dimond' is not known; use diamond"),
    "an attribute without a value": ("digraph { a -> b [label] }", "1:19: an attribute has no value; write name=value"),
    "two labels": (
        "digraph { a -> b [label=x, headlabel=y] }",
        "1:38: this arrow has a label and a headlabel; write one label",
    ),
    "a text beside a box": ("digraph { a [xlabel=x] }", "1:21: 'a' has a text beside its box; put it into the label"),
    "a box with an empty text": ('digraph { b -> a -> b a [label=" "] }', "1:32: 'a' has no text; write in its label"),
    "an arrow to what is invisible": (
        "digraph { b [style=invis] a -> b }",
        "1:27: this arrow is drawn, but 'b' is invisible; draw both or none",
    ),
    "a keyword as a name": ("digraph { a -> Node }", "1:16: 'node' is a word of the language"),
    "a subgraph without braces": ("digraph { subgraph x; a }", "1:11: this subgraph has no `{...}`"),
    "a name that begins with a digit": ("digraph { 2nd -> a }", "1:11: a name that begins with a digit"),
    "a colour without quotes": ("digraph { a [color=#ff0000] }", "1:20: `#` begins a comment only at the beginning"),
    "a dot in a name": ("digraph { a.b }", "1:12: the character '.' cannot stand here"),
    "an unknown element in a label": ("digraph { a [label=<<div>x</div>>] }", "1:20: <div> is not an element of"),
    "half a character": ("digraph {\n \ud800 }", "2: half of a character; save the file as UTF-8"),
    "too deep a nesting": ("digraph {" + "{" * 50, "1:59: groups are nested more than 50 deep; flatten them"),
    "too long a file": ("digraph {" + "a " * 20_000, "1:40006: the file has more than 20000 words"),
    "too many pairs": (
        "digraph {{" + " ".join(f"a{i}" for i in range(80)) + "} -> {" + " ".join(f"b{i}" for i in range(80)) + "}}",
        "1:10: the drawing has more than 5000 arrows; split it",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_named_with_its_place_and_a_remedy(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    text, expected = MISTAKES[name]
    message = mistake(text)
    assert message.startswith(f"some/x.dot:{expected}")
    assert ";" in message or "?" in message
    assert capsys.readouterr() == ("", "")  # pydot's own report of a syntax error goes to stdout


def test_styling_is_left_out_by_name_and_never_what_has_a_meaning() -> None:
    plain = chart('digraph { a [label="x"] a -> b [label=y] }')
    styled = " ".join(f'{name}="1"' for name in sorted(STYLING))
    text = f'digraph {{ graph [{styled}] a [label="x" {styled}] a -> b [label=y {styled}] }}'
    assert chart(text) == plain
    assert not STYLING & set().union(*MEANING.values())


# Random charts, written and read again.

IDS = st.text(st.characters(codec="utf-8", exclude_characters="\\"), max_size=6)
LABELS = st.text(st.characters(codec="utf-8"), max_size=12).map(lambda t: " ".join(t.split()))
WORDED = LABELS.filter(bool)
SHAPE_OF: dict[Kind, str] = {
    "start": "circle", "step": "box", "question": "diamond", "tool": "component", "end": "doublecircle",
}  # fmt: skip
KINDS: tuple[Kind, ...] = ("step", "question", "tool", "end")


@st.composite
def charts(draw: st.DrawFn) -> Chart:
    names = draw(st.lists(IDS, min_size=1, max_size=7, unique=True))
    boxes = {}
    for name in names:
        kind: Kind = draw(st.sampled_from(KINDS))
        boxes[name] = Box(label=draw(LABELS if kind == "end" else WORDED), kind=kind, line=1)
    sources = [n for n in names if boxes[n].kind != "end"]
    found = draw(st.lists(st.tuples(st.sampled_from(sources or names), st.sampled_from(names), LABELS), max_size=9))
    pairs = found if sources else []
    start = None
    if draw(st.booleans()) and "the start" not in names:
        start = "the start"
        boxes[start] = Box(label=draw(LABELS), kind="start", line=1)
        pairs = [*pairs, (start, names[0], draw(LABELS))]
    arrows = tuple(Arrow(source=s, target=t, label=label, line=1) for s, t, label in pairs)
    return Chart(name="x", title=draw(LABELS), start=start, boxes=boxes, arrows=arrows)


def quoted(text: str, label: bool = True) -> str:
    if label:
        text = text.replace("\\", "\\\\").replace("&", "&amp;")
    return '"' + text.replace('"', '\\"') + '"'


def written(chart: Chart) -> tuple[str, Chart]:
    """The chart as DOT, and the chart with the lines that it has there."""
    lines, boxes, arrows = [f"digraph {{ label={quoted(chart.title)}"], {}, []

    def add(line: str) -> int:
        lines.append(line)
        return sum(written.count("\n") + 1 for written in lines[:-1]) + 1

    for name, box in chart.boxes.items():
        line = add(f"{quoted(name, False)} [shape={SHAPE_OF[box.kind]}, label={quoted(box.label)}];")
        boxes[name] = box.model_copy(update={"line": line})
    for arrow in chart.arrows:
        ends = f"{quoted(arrow.source, False)}  ->  {quoted(arrow.target, False)}"
        arrows.append(arrow.model_copy(update={"line": add(f"{ends} [label={quoted(arrow.label)}]")}))
    return "\n".join([*lines, "}"]), chart.model_copy(update={"boxes": boxes, "arrows": tuple(arrows)})


@given(charts())
@settings(max_examples=200, deadline=None, derandomize=True)
def test_a_chart_survives_being_written_and_read(drawn: Chart) -> None:
    text, expected = written(drawn)
    assert chart(text) == expected


PIECES = """digraph strict graph subgraph node edge { } { } [ ] [ ] -> -> -- = ; , : + a b "c d" "a\\" <b> <<i>x</i>> 1
    label= shape=diamond shape=point [shape=doublecircle] [label="\\N"] [label=""] dir=back style=invis // /* */ # -.5
    {a->b} a->b->c -> x[label=1] y &amp; . @"""


@given(st.lists(st.sampled_from(PIECES.split()), max_size=25), st.sampled_from([" ", "\n"]))
@settings(max_examples=200, deadline=None, derandomize=True)
def test_nearly_valid_drawings_are_read_or_refused(pieces: list[str], between: str) -> None:
    for text in (between.join(pieces), f"digraph {{ a -> b {between.join(pieces)} }}"):
        try:
            assert chart(text).boxes
        except UserError as e:
            assert str(e).startswith("some/x.dot:")


@given(st.text())
@settings(max_examples=200, deadline=None, derandomize=True)
def test_any_text_is_read_or_refused(text: str) -> None:
    for whole in (
        text,
        f"digraph {{ {text} }}",
        f'digraph {{ a [label="{text}"] }}',
        f"digraph {{ a [label=<{text}>] }}",
    ):
        try:
            assert chart(whole).boxes
        except UserError as e:
            assert str(e).startswith("some/x.dot:")
