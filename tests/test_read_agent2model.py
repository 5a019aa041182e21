"""An agent2model flowchart becomes a Chart, whole, or a mistake with its line."""

from __future__ import annotations

import json
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowc.chart import Arrow, Box, Chart, Kind
from flowc.from_chart import draft_of
from flowc.graph import Terminal
from flowc.lint import told_of
from flowc.read_agent2model import read_agent2model
from flowc.records import UserError
from tests.reading import reads, without_column, without_lines

TEXT = """\
name: trips
description: Book a trip
start: greet
nodes:
  greet:
    role: agent
    prompt: >-
      Greet the customer and
      ask for the place.
    next: [answer]
  answer:
    role: user
    prompt: names a place
    next:
      - {to: ready, when: it is known}
      - greet
  ready:
    role: decision
    next:
      - to: search
        when: yes
      - to: greet
        when: something is missing
  search:
    role: tool
    next: bye
  bye:
    terminal: success
    prompt: Say goodbye.
scenario_variables:
  place: [Rome, 1984, on]
  mood: how the customer feels
"""


def test_a_flowchart_becomes_boxes_arrows_and_slots_with_their_lines() -> None:
    assert read_agent2model(TEXT, "trips.yaml", "booking") == Chart(
        name="booking",
        title="Book a trip",
        start="greet",
        boxes={
            "greet": Box(label="Greet the customer and ask for the place.", line=5),
            "ready": Box(label="ready", kind="question", line=17),
            "search": Box(label="search", kind="tool", line=24),
            "bye": Box(label="Say goodbye.", kind="end", terminal="success", line=27),
        },
        arrows=(
            Arrow(source="greet", target="ready", label="names a place: it is known", line=15),
            Arrow(source="greet", target="greet", label="names a place", line=16),
            Arrow(source="ready", target="search", label="yes", line=20),
            Arrow(source="ready", target="greet", label="something is missing", line=22),
            Arrow(source="search", target="bye", line=26),
        ),
        slots={"place": ("Rome", "1984", "on"), "mood": ()},
    )


def test_a_scenario_variable_is_collected_where_a_prompt_asks_for_it_and_one_way_leads_on() -> None:
    text = """nodes:
  a: {role: agent, prompt: "Ask for the {travel_class}.", next: b}
  b: {role: agent, prompt: "Which day and which travel class?", next: [answer]}
  answer: {role: user, prompt: names a day, next: c}
  c: {role: agent, prompt: "Which day?", next: [{to: d, when: today}, {to: d, when: tomorrow}]}
  d: {role: agent, prompt: "Note the travel class, and {mark}.", next: e}
  e: {terminal: success}
scenario_variables: {travel_class: [first, second], day: [Monday, Friday], class: [x, y], mood: [good, bad]}
"""
    chart = read_agent2model(text, "t.yaml", "t")
    assert {i: (b.label, b.collects) for i, b in chart.boxes.items()} == {
        "a": ("Ask for the travel class.", "travel_class"),
        "b": ("Which day and which travel class?", "travel_class"),
        "c": ("Which day?", None),
        "d": ("Note the travel class, and {mark}.", None),
        "e": ("e", None),
    }
    draft = draft_of(chart, "t.yaml")
    assert set(draft.graph.slots) == {"travel_class"}
    assert draft.drawn is not None and draft.drawn.unasked == ("day", "class", "mood")
    assert next(w for w in told_of(draft, "t.yaml").warnings if "no box asks" in w) == (
        "t.yaml: warning: no box asks for 'day', so the values listed for it are never used; name it in a box that "
        "asks for it and has one way on, or remove it"
    )


MISTAKES = {
    "nothing": (TEXT, "", "1: the flowchart is empty; it needs `nodes`"),
    "no nodes": (TEXT, "name: trips", "1: the flowchart has no node; add one under `nodes`"),
    "a list": (TEXT, "- a", "1: the document must be a mapping of names, not a list; see the tool's documentation"),
    "an unknown key": ("start: greet", "begin: greet", "3: begin: unknown key; remove it or check its spelling"),
    "an unknown key of a node": ("    prompt: names", "    promt: names", "13: nodes.answer.promt: unknown key;"),
    "an unknown key of an arrow": ("when: yes", "if: yes", "21: nodes.ready.next.0.if: unknown key;"),
    "a start that does not exist": ("start: greet", "start: gret", "3: start names the node 'gret', which does not"),
    "a start where the user speaks": ("start: greet", "start: answer", "3: start names 'answer', where the user spe"),
    "an unknown role": ("role: tool", "role: robot", "25: role 'robot' is none of agent, decision, tool, user; cho"),
    "no role": ("    role: tool\n", "", "24: node 'search' has neither a role nor `terminal`; give it one"),
    "an unknown ending": ("terminal: success", "terminal: won", "28: terminal 'won' is none of success, abandonment, "),
    "an arrow to nowhere": ("next: bye", "next: by", "26: node 'search' leads to 'by', which does not exist; correct"),
    "a dead end": ("    next: bye\n", "", "24: node 'search' is a dead end; give it `next` or `terminal`"),
    "an end that leads on": ("    prompt: Say", "    next: [greet]\n    prompt: Say", "29: node 'bye' ends the conver"),
    "two turns of the user": ("      - greet\n", "      - answer\n", "11: the user speaks at 'answer' and again at "),
    "a turn that nothing leads to": ("next: [answer]", "next: [ready]", "11: no node leads to 'answer', where the "),
    "a text that is a list": ("prompt: names a place", "prompt: [names]", "13: nodes.answer.prompt must be plain text"),
    "a list that is a mapping": ("next: [answer]", "next: {to: answer}", "10: nodes.greet.next must be a list, not a "),
    "an empty value": ("[Rome, 1984, on]", "[Rome, '']", "31: variable 'place' has an empty value; remove it"),
    "values in values": ("[Rome, 1984, on]", "[Rome, [Bari]]", "31: scenario_variables.place.1 must be plain text,"),
    "a node without an id": ("  search:\n", "  '':\n", "24: a node has no id; name it"),
    "no YAML": ("next: [answer]", "next: [answer", "11: not valid YAML: "),
}


@pytest.mark.parametrize("case", MISTAKES)
def test_a_mistake_is_named_with_its_line_and_a_remedy(case: str) -> None:
    old, new, expected = MISTAKES[case]
    assert old in TEXT
    with pytest.raises(UserError) as raised:
        read_agent2model(TEXT.replace(old, new, 1), "trips.yaml", "booking")
    assert without_column(str(raised.value)).startswith(f"trips.yaml:{expected}")


ROLES: dict[Kind, str] = {"step": "agent", "question": "decision", "tool": "tool"}


def write(chart: Chart) -> str:
    nodes: dict[str, Any] = {}
    for i, box in chart.boxes.items():
        leads = [{"to": a.target, "when": a.label} if a.label else a.target for a in chart.arrows if a.source == i]
        nodes[i] = {"prompt": box.label} | (
            {"terminal": box.terminal} if box.terminal else {"role": ROLES[box.kind], "next": leads}
        )
    top = {"description": chart.title, "start": chart.start, "nodes": nodes}
    return json.dumps(top | {"scenario_variables": chart.slots}, ensure_ascii=False)  # JSON is YAML


TEXTS = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cc", "Cf", "Cs", "Co", "Cn"]), min_size=1, max_size=12
).map(lambda s: " ".join(s.split()))
NAMES = TEXTS.filter(bool)


@st.composite
def charts(draw: st.DrawFn) -> Chart:
    ids = draw(st.lists(NAMES, min_size=1, max_size=6, unique=True))
    boxes, arrows = {}, []
    for i in ids:
        ending = draw(st.sampled_from([None, None, *get_args(Terminal)]))
        kind: Kind = "end" if ending else draw(st.sampled_from(sorted(ROLES)))
        boxes[i] = Box(label=draw(NAMES), kind=kind, terminal=ending, line=1)
        for target in draw(st.lists(st.sampled_from(ids), min_size=1, max_size=3)) if not ending else ():
            arrows.append(Arrow(source=i, target=target, label=draw(TEXTS), line=1))
    slots = draw(st.dictionaries(NAMES, st.lists(NAMES, max_size=3).map(tuple), max_size=2))
    start = draw(st.sampled_from([None, *ids]))
    return Chart(name="p", title=draw(TEXTS), start=start, boxes=boxes, arrows=tuple(arrows), slots=slots)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(charts())
def test_a_chart_that_is_written_and_read_again_is_the_same(chart: Chart) -> None:
    assert without_lines(read_agent2model(write(chart), "f.yaml", "p")) == chart


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.one_of(st.text(), st.text(alphabet="nodes:{}[]\n -'&*")))
def test_any_text_gives_a_chart_or_a_named_mistake(text: str) -> None:
    reads(lambda: read_agent2model(text, "f", "p"), "f")
    reads(lambda: read_agent2model("nodes:\n  " + text, "f", "p"), "f")


SCALARS = st.sampled_from(["a", "b", "c", "agent", "user", "decision", "success", "", "on", 1, None, 2.5])
KEYS = st.sampled_from(["role", "prompt", "next", "terminal", "to", "when", "a", "b"])
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(KEYS, inner, max_size=3)),
    max_leaves=6,
)
NODES = st.dictionaries(
    st.sampled_from(["a", "b", "c", ""]),
    st.one_of(
        st.fixed_dictionaries(
            {
                "role": st.sampled_from(["agent", "user", "decision"]),
                "next": st.lists(st.sampled_from("abc"), max_size=3),
            }
        ),
        st.fixed_dictionaries({"terminal": SCALARS}),
        st.dictionaries(KEYS, VALUES, max_size=4),
    ),
    max_size=4,
)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(NODES, VALUES, VALUES)
def test_what_is_nearly_a_flowchart_gives_a_chart_or_a_named_mistake(nodes: Any, start: Any, slots: Any) -> None:
    reads(lambda: read_agent2model(json.dumps({"nodes": nodes}), "f", "p"), "f")
    more = {"nodes": nodes, "start": start, "scenario_variables": slots}
    reads(lambda: read_agent2model(json.dumps(more), "f", "p"), "f")
