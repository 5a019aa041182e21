"""Mermaid flowcharts are read as Mermaid draws them; what it would not draw is named with line, column and remedy."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowc.chart import Arrow, Box, Chart
from flowc.mermaid_shapes import SHAPES, UNNAMED
from flowc.read_mermaid import read_mermaid
from flowc.records import UserError
from flowc.write_mermaid import write_mermaid
from tests.reading import without_lines

FULL = """\
---
title: "Claims: a start"
config:
  theme: dark
---
%%{init: {"theme": "dark"}}%%
flowchart LR
  %% Comments stand on lines of their own --> A
  accTitle: Claims
  accDescr {
    Two lines --> of words.
  }
  S([Start]) --> A["Ask for the date<br/>of loss"]:::warm --> B{Is it ok?}
  B -- yes --> C[[Look up]]
  B e1@-. no .-> E(((Bye #35;1)))
  e1@{ animate: true }
  subgraph one [The search]
    direction TB
    C ==>|"`**found** it`"| F@{ shape: stadium, label: "The &amp; end" }
    subgraph two
      C -->|#quot;none#quot;| E
    end
  end
  D ~~~ E; style D fill:#f9f,stroke:#333
  A --o D
  D
  --> F
  classDef warm fill:#f96
  class A,B warm
  linkStyle 0,1 stroke:#ff3,color:red;
  click A "http://example.org/a;b" "a tip" _blank
"""


def read(text: str) -> Chart:
    return read_mermaid(text, "some/claims.mmd", "claims")


def labels(text: str) -> list[str]:
    return [box.label for box in read(f"graph TD\n{text}").boxes.values()]


def arrows(text: str) -> list[tuple[str, str, str]]:
    return [(a.source, a.label, a.target) for a in read(f"graph TD\n{text}").arrows]


def mistake(text: str, file: str = "some/claims.mmd") -> str:
    with pytest.raises(UserError) as raised:
        read_mermaid(text, file, "claims")
    return str(raised.value)


def test_a_whole_flowchart_becomes_boxes_and_arrows() -> None:
    assert read(FULL) == Chart(
        name="claims",
        title="Claims: a start",
        boxes={
            "S": Box(label="Start", kind="start", line=13),
            "A": Box(label="Ask for the date of loss", line=13),
            "B": Box(label="Is it ok?", kind="question", line=13),
            "C": Box(label="Look up", kind="tool", line=14),
            "E": Box(label="Bye #1", kind="end", line=15),
            "F": Box(label="The & end", kind="end", line=19),
            "D": Box(label="D", line=24),
        },
        arrows=(
            Arrow(source="S", target="A", line=13),
            Arrow(source="A", target="B", line=13),
            Arrow(source="B", target="C", label="yes", line=14),
            Arrow(source="B", target="E", label="no", line=15),
            Arrow(source="C", target="F", label="found it", line=19),
            Arrow(source="C", target="E", label='"none"', line=21),
            Arrow(source="A", target="D", line=25),
            Arrow(source="D", target="F", line=27),
        ),
    )


@pytest.mark.parametrize(
    ("drawn", "kind"),
    [
        ("[x]", "step"), ("(x)", "step"), ("[/x/]", "step"), ("[\\x\\]", "step"), ("[/x\\]", "step"),
        ("[\\x/]", "step"), (">x]", "step"), ("(-x-)", "step"), ("{x}", "question"), ("{{x}}", "question"),
        ("[[x]]", "tool"), ("[(x)]", "tool"), ("([x])", "end"), ("((x))", "end"), ("(((x)))", "end"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("quoted", [False, True])
def test_every_shape_has_its_meaning(drawn: str, kind: str, quoted: bool) -> None:
    text = drawn.replace("x", '"x (y)"' if quoted else "x y")
    chart = read(f"graph TD\n  Z --> A{text}")
    assert chart.boxes["A"] == Box(label="x (y)" if quoted else "x y", kind=kind, line=2)  # type: ignore[arg-type]


def test_every_named_shape_is_known_and_others_are_not() -> None:
    forks = {"fork", "join"}
    comments = {"brace", "comment", "brace-l", "brace-r", "braces", "note"}
    kinds = {
        name: read(f"graph TD\nZ --> B\nA@{{ shape: {name}, label: x }}").boxes["A"].kind
        for name in sorted(set(SHAPES) - UNNAMED - forks - comments)
    }
    assert len(set(SHAPES) - UNNAMED) == 146
    assert {n for n, k in kinds.items() if k == "question"} == {
        "diam", "decision", "diamond", "question", "hex", "hexagon", "prepare", "choice",
    }  # fmt: skip
    assert (kinds["cyl"], kinds["subproc"], kinds["doc"], kinds["sm-circ"], kinds["stop"]) == (
        "tool", "tool", "step", "start", "end",
    )  # fmt: skip
    assert mistake("graph TD\nA@{ shape: squircle }").startswith(
        "some/claims.mmd:2:1: unknown shape 'squircle'; use one of Mermaid's, such as rect"
    )
    assert mistake("graph TD\nA@{ shape: fork } --> B & C").startswith(
        "some/claims.mmd:2:1: box 'A' forks into several ways at once"
    )


def test_round_shapes_are_starts_and_ends_by_their_arrows() -> None:
    chart = read("graph TD\nA([go]) --> B((on)) --> C([stop])")
    assert [b.kind for b in chart.boxes.values()] == ["start", "step", "end"]


def test_a_start_to_which_an_arrow_leads_is_a_junction_unless_nothing_else_begins() -> None:
    joined = read("graph TD\nA[Hi] --> J@{ shape: sm-circ }\nB[Ho] --> J --> C[Bye]").boxes["J"].kind
    looped = read("graph TD\nS@{ shape: sm-circ } --> A[Hi] --> S").boxes["S"].kind
    assert (joined, looped) == ("step", "start")


def test_a_shape_without_words_says_nothing() -> None:
    assert labels("A@{ shape: sm-circ } --> B") == ["", "B"]


def test_a_comment_and_its_line_are_left_out() -> None:
    assert list(read("graph TD\nA --> B\nN@{ shape: brace, label: Why }\nN -.- A").boxes) == ["A", "B"]


@pytest.mark.parametrize("arrow", ["-->", "--->", "------>", "-.->", "-...->", "==>", "====>", "--o", "--x", "==x"])
def test_arrows_of_every_kind_and_length_lead_on(arrow: str) -> None:
    assert arrows(f"A {arrow} B") == [("A", "", "B")]
    assert arrows(f"A {arrow}|so, it is| B") == [("A", "so, it is", "B")]
    assert arrows(f'A{arrow}| "say (it)" | B') == [("A", "say (it)", "B")]
    assert arrows(f"A e1@{arrow} B") == [("A", "", "B")]
    assert arrows(f"A\n  {arrow}\n  B") == [("A", "", "B")]


@pytest.mark.parametrize(
    "arrow",
    ["-- text e.g. x -->", "--text ---->", "-. text, so x .->", "-. text -..->", "== text ==>", "== text ====x"],
)
def test_words_may_stand_inside_an_arrow(arrow: str) -> None:
    words = next(w for w in ("text e.g. x", "text, so x", "text") if w in arrow)
    assert arrows(f"A {arrow} B") == [("A", words, "B")]
    assert arrows(f"A{arrow}B") == [("A", words, "B")]
    assert arrows(f"A {arrow.replace(words, chr(34) + 'a -- b' + chr(34))} B") == [("A", "a -- b", "B")]


def test_chains_and_groups_multiply() -> None:
    assert arrows("A --> B -- x --> C") == [("A", "", "B"), ("B", "x", "C")]
    assert arrows("A & B --> C & D") == [("A", "", "C"), ("A", "", "D"), ("B", "", "C"), ("B", "", "D")]
    assert arrows("A-->B;B-->C;") == [("A", "", "B"), ("B", "", "C")]


def test_ids_may_have_dashes_dots_and_other_alphabets() -> None:
    assert arrows("a-b --> c.d\nc.d-->größe\ngröße --> 1") == [
        ("a-b", "", "c.d"), ("c.d", "", "größe"), ("größe", "", "1"),
    ]  # fmt: skip


def test_labels_are_plain_text() -> None:
    assert labels('A["a <b>bold</b> &lt;tag&gt; #lt;b#gt; <name> 1 < 2"]') == ["a bold <tag> <b> <name> 1 < 2"]
    assert labels('A["`**Yes**, _really_ 2 * 3 snake_case`"]') == ["Yes, really 2 * 3 snake_case"]
    assert labels('A["`Line 1\n  Line 2`"]') == ["Line 1 Line 2"]
    assert labels("A[one<br>two<BR />three\\nfour]") == ["one two three four"]
    assert labels('A["#quot;#35;&#x41;&nbsp;#9829; AT&T #nosuch;"]') == ['"#A ♥ AT&T #nosuch;']
    assert labels('A["fa:fa-car Drive"]') == ["Drive"]
    assert labels('A["it is **not** Markdown"]') == ["it is **not** Markdown"]
    assert labels("A[one\n   two]") == ["one two"]
    assert labels('A[" "]') == [""]


def test_properties_take_quotes_line_breaks_and_looks() -> None:
    text = "A@{\n  shape: diam\n  label: \"`a, **b** }`\"\n}\nB@{ icon: 'fa:user', form: square, label: 'it', h: 60 }"
    chart = read(f"graph TD\n{text}")
    assert [(b.label, b.kind) for b in chart.boxes.values()] == [("a, b }", "question"), ("it", "step")]


def test_a_mermaid_block_in_markdown_keeps_the_lines_of_the_file() -> None:
    text = "# Title\n\n```python\n```mermaid\n```\n\n  ```mermaid\n  graph TD\n  A --> B\n  ```\nmore\n"
    assert read_mermaid(text, "x.md", "x").boxes["B"].line == 9
    assert mistake(text.replace("A -->", "A ->"), "x.md").startswith("x.md:9:5: '-> B' is not understood here")


MISTAKES = {
    "nothing at all": ("", "1:1: a flowchart begins with `flowchart` or `graph`"),
    "another diagram": ("\n  sequenceDiagram\n A->>B: x", "2:3: a flowchart begins with `flowchart` or `graph`"),
    "no boxes": ("graph TD\n\n", "1:1: the flowchart has no boxes; draw some"),
    "an unknown direction": ("graph XY\nA", "1:7: unknown direction 'XY'; use one of TB, TD, BT, RL, LR"),
    "a box in the first line": ("graph TD A --> B", "1:10: the first box stands on a line of its own"),
    "a line": ("graph TD\nA --- B", "2:3: this line has no direction; which way does the conversation go?"),
    "a dotted line": ("graph TD\nA -.-|x| B", "2:3: this line has no direction; which way"),
    "a line with words": ("graph TD\nA -- x --- B", "2:3: this line has no direction; which way"),
    "both ways": ("graph TD\nA <--> B", "2:3: this arrow points both ways; which way does the conversation go?"),
    "two circles": ("graph TD\nA o--o B", "2:3: this arrow points both ways"),
    "two crosses": ("graph TD\nA x-- no --x B", "2:3: this arrow points both ways"),
    "an arrow to a subgraph": (
        "graph TD\nsubgraph s [Title]\nB\nend\nA --> s",
        "5:7: 's' is the subgraph of line 2, and a conversation goes from box to box; lead the arrow to a box inside",
    ),
    "an arrow to a titled subgraph": ("graph TD\nA --> s\nsubgraph s\nB\nend", "2:7: 's' is the subgraph of line 3"),
    "an open subgraph": ("graph TD\nsubgraph s\nA", "2:1: this subgraph is not closed; write `end` behind it"),
    "an end too many": ("graph TD\nA\nend", "3:1: `end` without a subgraph; remove it, or write End if it is a box"),
    "a box called end": ("graph TD\nA --> end", "2:7: `end` closes a subgraph and is no box for Mermaid; write End"),
    "a box called style": ("graph TD\nstyle --> B", "2:1: `style` is a word of Mermaid's and needs a name"),
    "an open bracket": ("graph TD\nA[x\nB", "2:2: the box's [ is not closed by ]; close it, or put the whole label"),
    "a bracket in a label": ("graph TD\nA[x (y)]", "2:2: the box's [ is not closed by ]; close it, or put the whole"),
    "a quote in a label": ('graph TD\nA[say "x"]', "2:2: the box's [ is not closed by ]"),
    "a wrong bracket": ("graph TD\nA([x)]", "2:2: the box's ([ is not closed by ])"),
    "an open quote": ('graph TD\nA["x]', "2:3: this quote is not closed; write another behind the label"),
    "open Markdown": ('graph TD\nA["`x"]', '2:3: this Markdown label is not closed; it ends with `"'),
    "a space before the bracket": ("graph TD\nA [x]", "2:3: a box's bracket follows its id without a space"),
    "old properties": ("graph TD\nA[|borders:lt|x]", "2:2: boxes with [|...|...] are not supported"),
    "an arrow without words' end": ("graph TD\nA -- x\nB --> C", "2:3: the label of this arrow is not closed; write"),
    "an arrow's label without end": ("graph TD\nA -->|x (y)| B", "2:6: the arrow's label is not closed by |"),
    "two labels": ("graph TD\nA -- x -->|y| B", "2:11: this arrow has two labels; keep one"),
    "a quote inside words": ('graph TD\nA -- say "x" --> B', "2:3: a quote inside this arrow's label"),
    "an arrow to nowhere": ("graph TD\nA -->", "2:6: a box is expected here, not 'the end'"),
    "a half arrow": ("graph TD\nA -> B", "2:3: '-> B' is not understood here; write an arrow"),
    "a comment behind": ("graph TD\nA --> B %% why", "2:9: a comment stands on a line of its own"),
    "no space round &": ("graph TD\nA&B --> C", "2:2: `&` between boxes needs a space on both sides"),
    "two labels for a box": (
        "graph TD\nA[x] --> B\nA[y] --> B",
        "3:1: box 'A' has the label 'x' on line 2 and 'y' here; keep one, or give this box another id",
    ),
    "two shapes for a box": (
        "graph TD\nA[x] --> B\nA{x}",
        "3:1: box 'A' has the shape 'rect' on line 2 and 'diam' here",
    ),
    "an unknown property": (
        "graph TD\nA@{ colour: red }",
        "2:5: unknown key 'colour'; known here are shape, label, icon",
    ),
    "an arrow's look on a box": ("graph TD\ne1@{ animate: true }", "2:6: unknown key 'animate'; known here are shape"),
    "a property twice": ("graph TD\nA@{ label: a, label: b }", "2:15: 'label' is given twice; remove one"),
    "open properties": ("graph TD\nA@{ label: a", "2:2: @{ wants `key: value` pairs with commas between them and }"),
    "an arrow to a comment": (
        "graph TD\nA --> N@{ shape: brace }",
        "2:3: an arrow leads to or from a comment; use a line (---), or another shape of box",
    ),
    "an empty label": ('graph TD\nA[""]', "2:3: an empty label is no label for Mermaid"),
    "a class behind properties": ("graph TD\nA@{ shape: diam }:::x", "2:18: the class stands before @{"),
    "a name behind properties": ("graph TD\nA@{ shape: diam } e1@--> B", "2:19: an arrow's name stands on the line of"),
    "an x before an arrow": ("graph TD\nA\nx--> B", "3:1: Mermaid takes the x before this arrow for the arrow's tip"),
    "an o that is led to": ("graph TD\nA --> o--> B", "2:7: Mermaid takes the o before this arrow for the arrow's tip"),
    "a box called call": ("graph TD\ncall --> B", "2:1: `call` is a word of Mermaid's and no box; write Call"),
    "a dot in a dotted arrow": ("graph TD\nA -. v1.5 .-> B", "2:3: Mermaid takes no dot in the words inside a dotted"),
    "a direction behind a box": ("graph TD\nA --> B; direction LR", "2:10: `direction` stands on a line of its own"),
    "a box behind a direction": ("graph TD\ndirection LR; A --> B", "2:1: `direction` stands on a line of its own"),
    "a colour before a box": ("graph TD\nstyle A fill:#f00; A --> B", "2:1: Mermaid takes the colour's # and the ;"),
    "an arrow's colour with ;": ("graph TD\nA-->B\nlinkStyle 0 stroke:#f00;", "3:1: Mermaid takes the colour's #"),
    "a style of no box": ("graph TD\nA --> B\nstyle C fill:red", "3:1: style names 'C', which is not drawn; draw it"),
    "a style of no arrow": ("graph TD\nA --> B\nlinkStyle 1 color:red", "3:1: no arrow has the number 1 yet, counted"),
    "a space behind a title": ("graph TD\nsubgraph s [t] \nA\nend", "2:1: Mermaid wants no space at the end of this"),
    "a bracket in a title": ("graph TD\nsubgraph s [a (b)]\nA\nend", "2:1: a bracket in the subgraph's title; put the"),
    "a shape with capitals": ("graph TD\nA@{ shape: roundedRect }", "2:1: unknown shape 'roundedRect'; use one of"),
    "an open directive": ("%%{init: x\ngraph TD\nA", "1:1: the directive %%{ is not closed; write }%% behind it"),
    "an unknown directive": ("%%{run: x}%%\ngraph TD\nA", "1:1: unknown directive; only init, initialize, wrap are"),
    "open front matter": ("---\ntitle: x\ngraph TD\nA", "1:1: the front matter is not closed; write --- on a line"),
    "unknown front matter": (
        "---\nauthor: x\n---\ngraph TD\nA",
        "2:1: the front matter knows title, config and displayMode, not 'author: x'; remove it",
    ),
    "a title in a block": (
        "---\ntitle: |\n  x\n---\ngraph TD\nA",
        "2:1: the title is no plain text; write it on one line",
    ),
    "a title with an open quote": ('---\ntitle: "x\n---\ngraph TD\nA', "2:1: the title's quotes do not close"),
    "an open description": ("graph TD\naccDescr { x", "2:1: accDescr is not closed; write } behind it"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_named_with_line_column_and_remedy(name: str) -> None:
    text, expected = MISTAKES[name]
    assert mistake(text).startswith(f"some/claims.mmd:{expected}")


def test_markdown_needs_exactly_one_block() -> None:
    assert mistake("# x\n", "x.md") == (
        "x.md:1:1: no ```mermaid block; put the flowchart into one, or give a .mmd file"
    )
    two = "```mermaid\ngraph TD\nA\n```\n\n```mermaid\ngraph TD\nB\n```\n"
    assert mistake(two, "x.md") == "x.md:6:1: 2 mermaid blocks, on lines 1, 6; leave the one to be compiled"
    assert mistake("\n```mermaid\ngraph TD\nA", "x.md") == (
        "x.md:2:1: the mermaid block is not closed; write ``` behind it"
    )


def test_titles_are_read_in_every_kind_of_quotes() -> None:
    for written, title in (("a b # c", "a b"), ("'it''s  so'", "it's so"), ('"a \\" # b"', 'a " # b'), ("", "")):
        assert read(f"---\ntitle: {written}\ndisplayMode: compact\n---\ngraph TD\nA").title == title


def test_thousands_of_boxes_take_no_time() -> None:
    lines = [
        f'  n{i}["Step {i}: ask for (it)"] -- "yes {i}" --> n{i + 1}\n  n{i} -->|no| n{i + 2}' for i in range(2000)
    ]
    text = "flowchart TD\n" + "\n".join(lines) + "\n"
    begin = time.perf_counter()
    chart = read(text)
    assert time.perf_counter() - begin < 2  # 0.1 s on one busy core
    assert (len(chart.boxes), len(chart.arrows)) == (2002, 4000)


@pytest.mark.parametrize(
    "text",
    [
        "A -. " + "." * 60_000, "A -- " + "-" * 60_000, "A[" + "[" * 60_000, "A" + "@" * 60_000, " " * 60_000 + "A ->",
        "A[" + "/\\" * 30_000, "A & " * 20_000, "A@{" + " ," * 30_000, "subgraph a\n" * 20_000, "%%{init}%%" * 6_000,
        "A|" + " " * 60_000, "A --> B\n" + "\n" * 60_000 + ";" * 60_000 + "?->", "A[" + "&amp" * 15_000 + "]",
        "A[" + "<b " * 20_000 + "]", 'A["`' + "*_" * 30_000 + '`"]', "click A " + '"' * 60_001,
        "style A " + ":#" * 30_000, "style A b#;" * 6_000, "linkStyle " + "9" * 60_000 + " x:y", "direction L" * 6_000,
    ],
)  # fmt: skip
def test_hostile_texts_take_no_time_either(text: str) -> None:
    begin = time.perf_counter()
    for whole in (f"graph TD\n{text}", f"---\n{text}", text):
        with pytest.raises(UserError):
            read(whole)
            raise UserError("a text may also be a flowchart")
    assert time.perf_counter() - begin < 5


PIECES = [
    "graph TD\n", "flowchart", "---\n", "title: x\n", "%%{init: {}}%%", "%% c\n", "A", "B", "end", "subgraph ", "s",
    " --> ", "-->", " -- ", " --- ", "-.->", " -. ", " .-> ", "==>", " == ", " ~~~ ", "<-->", "o--o", "|", "&", " & ",
    ";", "\n", " ", '"', "`", "[", "]", "(", ")", "{", "}", "[[", "]]", "([", "])", ">", "/", "\\", "@{", "shape: diam",
    "label: ", ",", ":::c", "e1@", "style A x", "click ", "accTitle: x", "accDescr {", "direction LR", "#35;", "<br/>",
    "```mermaid\n", "```\n", "text", "\\n", "*", "-", ".", "=", "~", "%%", "é", "\t", "\r\n", "\u2028", "\x00",
]  # fmt: skip


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.lists(st.sampled_from(PIECES), max_size=60).map("".join), st.sampled_from(["x.mmd", "x.md"]))
def test_pieces_of_mermaid_in_any_order_give_a_chart_or_a_mistake(text: str, file: str) -> None:
    for whole in (text, f"graph TD\n{text}"):
        try:
            assert read_mermaid(whole, file, "x").boxes
        except UserError as e:
            assert str(e).startswith(f"{file}:")


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.integers(0, len(FULL)), st.integers(0, 12), st.sampled_from(["", *PIECES]), st.text(max_size=5))
def test_a_spoilt_flowchart_gives_a_chart_or_a_mistake(at: int, cut: int, piece: str, noise: str) -> None:
    for new in (piece, noise):
        try:
            assert read(FULL[:at] + new + FULL[at + cut :]).boxes
        except UserError as e:
            assert str(e).startswith("some/claims.mmd:")


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.text(max_size=200))
def test_any_text_gives_a_chart_or_a_mistake(text: str) -> None:
    for whole in (text, f"graph TD\n{text}"):
        try:
            assert read(whole).boxes
        except UserError as e:
            assert str(e).startswith("some/claims.mmd:")


WORDS = st.text(max_size=30).filter(lambda s: not any("\ud800" <= c <= "\udfff" for c in s)).map(
    lambda s: " ".join(s.split())
)  # fmt: skip


IDS = ["A", "b", "a1", "1", "a-b", "c_d", "End", "a.b", "größe", "Node", "STYLE", "n,m", "k:l", "e=f", "Ax"]


@st.composite
def charts(draw: st.DrawFn) -> Chart:
    """A chart as Mermaid can draw it: what is round starts or ends by its arrows."""
    names = draw(st.lists(st.sampled_from(IDS), min_size=1, max_size=8, unique=True))
    pairs = draw(st.lists(st.tuples(st.sampled_from(names), st.sampled_from(names), WORDS), max_size=12))
    boxes = {}
    for name in names:
        leads = any(s == name for s, _, _ in pairs)
        led = any(t == name for _, t, _ in pairs)
        kinds = ["step", "question", "tool", *([] if leads else ["end"]), *(["start"] if leads and not led else [])]
        boxes[name] = Box(label=draw(WORDS), kind=draw(st.sampled_from(kinds)), line=1)
    return Chart(
        name="claims",
        title=draw(WORDS),
        boxes=boxes,
        arrows=tuple(Arrow(source=s, target=t, label=label, line=1) for s, t, label in pairs),
    )


@settings(max_examples=200, deadline=None, derandomize=True)
@given(charts())
def test_a_written_chart_is_read_as_it_was(chart: Chart) -> None:
    again = read(write_mermaid(chart))
    assert without_lines(again) == without_lines(chart)
    assert read(write_mermaid(again)) == again
    markdown = f"# Title\n\n```mermaid\n{write_mermaid(chart)}```\n"
    assert without_lines(read_mermaid(markdown, "claims.md", "claims")) == without_lines(chart)


def test_a_chart_is_written_line_by_line() -> None:
    assert write_mermaid(read("graph TD\nA([Go]) --> B{It is <ok>?}\nB -- a;b --> C[[x]]")) == (
        'flowchart TD\n    A(["Go"])\n    B{"It is #60;ok#62;?"}\n    C[["x"]]\n    A --> B\n    B -->|"a#59;b"| C\n'
    )


def test_what_mermaid_cannot_draw_is_written_as_comments() -> None:
    chart = Chart.model_validate(
        {
            "name": "x",
            "start": "end",
            "boxes": {
                "end": {"label": "Ask", "collects": "day", "line": 1},
                "b c": {"label": "Bye", "kind": "end", "terminal": "abandonment", "line": 2},
            },
            "arrows": [{"source": "end", "target": "b c", "default": True, "line": 1}],
            "escapes": [{"label": "stop", "target": "b c", "line": 3}],
            "slots": {"day": ["Monday", "Friday"], "name": []},
        }
    )
    assert write_mermaid(chart).splitlines() == [
        "flowchart TD",
        '    box1["Ask"]',
        '    box2(["Bye"])',
        "    box1 --> box2",
        "    %% starts at box1",
        "    %% box1 collects day",
        "    %% box2 ends with abandonment",
        "    %% box1 leads to box2 by default",
        "    %% at any moment: stop, then box2",
        "    %% slot day: Monday, Friday",
        "    %% slot name: any text",
    ]
    assert list(read(write_mermaid(chart)).boxes) == ["box1", "box2"]
