"""A procedure is read from whatever file it is in; what no format fits is said with the formats that there are."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowc.graph import Graph
from flowc.parse import parse_procedure
from flowc.read_any import Origin, names_in, origin_in, origin_of, read_draft, read_graph
from flowc.records import UserError
from tests.example import TEXT

MERMAID = """\
flowchart TD
  ask[Ask for the day] --> free{Is a table free?}
  free -->|yes| booked([Table booked])
  free -->|no| other[Ask for another day] --> free
"""
DOT = """\
digraph { ask [label="Ask for the day"]; free [label="Is a table free?", shape=diamond];
  booked [label="Table booked", shape=oval]; ask -> free; free -> booked [label=yes];
  free -> other [label=no]; other [label="Ask for another day"]; other -> free }
"""
BPMN = """\
<definitions xmlns="http://www.omg.org/spec/BPMN/20100524/MODEL"><process id="p">
  <startEvent id="s"/><userTask id="ask" name="Ask for the day"/><exclusiveGateway id="free" name="Is a table free?"/>
  <endEvent id="booked" name="Table booked"/>
  <sequenceFlow id="a" sourceRef="s" targetRef="ask"/><sequenceFlow id="b" sourceRef="ask" targetRef="free"/>
  <sequenceFlow id="c" name="yes" sourceRef="free" targetRef="booked"/>
  <userTask id="other" name="Ask for another day"/>
  <sequenceFlow id="d" name="no" sourceRef="free" targetRef="other"/>
  <sequenceFlow id="e" sourceRef="other" targetRef="free"/>
</process></definitions>
"""
AGENT2MODEL = """\
start: ask
nodes:
  ask: {role: agent, prompt: Ask for the day, next: free}
  free: {role: decision, prompt: "Is a table free?", next: [{to: booked, when: yes}, {to: other, when: no}]}
  other: {role: agent, prompt: Ask for another day, next: free}
  booked: {terminal: success, prompt: Table booked}
"""
RASA = """\
flows:
  table: {description: x, steps: [{action: utter_greet}, {action: utter_bye}]}
  other: {description: y, steps: [{action: utter_bye}]}
"""
LANGGRAPH = """\
from langgraph.graph import END, START, StateGraph
graph = StateGraph(dict)
graph.add_node("ask", lambda s: s)
graph.add_edge(START, "ask")
graph.add_edge("ask", END)
"""
CHARTS = {
    "t.mmd": MERMAID, "t.mermaid": MERMAID, "t.md": f"A chart:\n\n```mermaid\n{MERMAID}```\n",
    "t.dot": DOT, "t.GV": DOT,
    "t.bpmn": BPMN, "t.xml": BPMN, "t.yaml": AGENT2MODEL, "t.yml": AGENT2MODEL,
}  # fmt: skip


def read(folder: Path, file: str, text: str, trust: bool = False, flow: str | None = None) -> Graph:
    path = folder / file
    path.write_text(text, encoding="utf-8")
    return read_graph(path, "table", trust=trust, flow=flow)


def mistake(folder: Path, file: str, text: str, trust: bool = False, flow: str | None = None) -> str:
    with pytest.raises(UserError) as raised:
        read(folder, file, text, trust, flow)
    assert str(raised.value).startswith(str(folder / file))
    return str(raised.value).removeprefix(str(folder / file))


@pytest.mark.parametrize("file", CHARTS)
def test_the_same_chart_in_any_format_is_the_same_procedure(tmp_path: Path, file: str) -> None:
    graph = read(tmp_path, file, CHARTS[file])
    ways = {name: {e.id: e.to for e in node.edges} for name, node in graph.nodes.items()}
    ours = ("ask_for_the_day", "ask_for_another_day", "is_a_table_free", "table_booked")
    assert {name: ways[name] for name in ours} == {
        "ask_for_the_day": {"next": "is_a_table_free"},
        "ask_for_another_day": {"next": "is_a_table_free"},
        "is_a_table_free": {"yes": "table_booked", "no": "ask_for_another_day"},
        "table_booked": {},
    }
    assert (graph.procedure, graph.start) == ("table", "ask_for_the_day")


def test_own_yaml_is_read_as_it_is(tmp_path: Path) -> None:
    assert read(tmp_path, "table.yaml", TEXT) == parse_procedure(TEXT, "table.yaml")


def test_a_flow_of_rasa_is_chosen(tmp_path: Path) -> None:
    assert list(read(tmp_path, "t.yaml", RASA, flow="table").nodes)[:1] == ["greet"]
    assert mistake(tmp_path, "t.yaml", RASA).startswith(":1:1: there are 2 flows (table, other); choose one")


def test_python_is_read_when_it_is_trusted(tmp_path: Path) -> None:
    assert "look through it, then allow it: `trust: true`" in mistake(tmp_path, "t.py", LANGGRAPH)
    assert read(tmp_path, "t.py", LANGGRAPH, trust=True).start == "ask"


def test_a_draft_of_a_chart_knows_the_lines_of_its_boxes(tmp_path: Path) -> None:
    (tmp_path / "t.mmd").write_text(MERMAID)
    source = read_draft(tmp_path / "t.mmd", "table").source
    assert [source.place("t.mmd", ("nodes", n, "edges", 0)) for n in ("ask_for_the_day", "table_booked")] == [
        "t.mmd:2",
        "t.mmd:3",
    ]
    assert source.place("t.mmd", ("nodes", "cancelled", "say", 0)) == "t.mmd"


MISTAKES = {
    "an unknown suffix": (
        "t.docx",
        "x",
        ": .docx is of no known format; name the file after what it is: .yaml or .yml",
    ),
    "no suffix": ("t", "x", ": a name without a suffix is of no known format; name the file"),
    "YAML of another kind": (
        "t.yaml",
        "a: 1",
        ":1: this is neither a procedure (it has the key `procedure`) nor flows",
    ),
    "a list": ("t.yml", "[nodes]", ":1: this is neither a procedure"),
    "nothing": ("t.yml", "# x", ":1: the file is empty; write a procedure into it"),
    "broken YAML": ("t.yml", "a: [", ":1: not valid YAML"),
    "a mistake in a chart": ("t.mmd", "flowchart TD\n  A[Hi] --> B[Ho]\n  B --> A\n", ":2: no end can be reached"),
}


@pytest.mark.parametrize("case", MISTAKES)
def test_a_mistake_is_named_with_its_file(tmp_path: Path, case: str) -> None:
    file, text, message = MISTAKES[case]
    assert mistake(tmp_path, file, text).startswith(message)


def test_own_yaml_must_have_the_name_under_which_it_is_listed(tmp_path: Path) -> None:
    said = mistake(tmp_path, "other.yaml", TEXT.replace("procedure: table", "procedure: other"))
    assert said == ":2: procedure 'other' is listed under `sources` as 'table'; give it one name"


def test_options_of_other_formats_are_refused(tmp_path: Path) -> None:
    assert "`trust` is for LangGraph" in mistake(tmp_path, "t.mmd", MERMAID, trust=True)
    for file, text in (("t.mmd", MERMAID), ("table.yaml", TEXT), ("u.yaml", AGENT2MODEL), ("t.py", LANGGRAPH)):
        assert "`flow` ('x') chooses among the flows of a Rasa file" in mistake(tmp_path, file, text, flow="x")


def test_what_is_no_text_file_is_said(tmp_path: Path) -> None:
    (tmp_path / "t.mmd").write_bytes(b"flowchart TD\n  A[\xff]\n")
    (tmp_path / "u.mmd").mkdir()
    for file, message in (
        ("t.mmd", ":2: not UTF-8; save the file in this encoding"),
        ("u.mmd", ": this is a folder; name a file in it"),
        ("v.mmd", ": no such file; write it, or correct its name"),
    ):
        with pytest.raises(UserError) as raised:
            read_graph(tmp_path / file, "table")
        assert str(raised.value) == f"{tmp_path / file}{message}"


def test_a_name_is_an_identifier(tmp_path: Path) -> None:
    (tmp_path / "t.mmd").write_text(MERMAID)
    with pytest.raises(UserError, match="'my table' is no name for a procedure; use letters, digits and underscores"):
        read_graph(tmp_path / "t.mmd", "my table")


def test_an_origin_is_an_entry_of_the_sources() -> None:
    assert origin_of({"a": {"file": "a.py", "trust": True}}, "a") == Origin(file="a.py", trust=True)
    with pytest.raises(UserError, match=r"sources\.a\.trsut: Extra inputs .*; mend conf/config.yaml"):
        origin_of({"a": {"file": "a.py", "trsut": True}}, "a")
    with pytest.raises(UserError, match=r"params.yaml: sources\.a: .*an entry is `a: \{file: a.yaml\}`"):
        origin_of({"a": "a.py"}, "a")
    with pytest.raises(UserError, match=r"no procedure 'b' under `sources` .known are a.; add it"):
        origin_of({"a": {"file": "a.py"}}, "b")


def test_a_procedure_that_only_lies_in_the_folder_is_found_by_its_name(tmp_path: Path) -> None:
    for file in ("drawn.mmd", "listed.dot", "twice.mmd", "twice.bpmn", "helper.py", "notes.txt"):
        (tmp_path / file).write_text("")
    sources = {"other": {"file": "listed.dot"}, "drawn": {"file": "elsewhere.mmd", "flow": "f"}}
    assert names_in(tmp_path, sources) == ["other", "drawn", "twice"]
    assert names_in(tmp_path, {}) == ["drawn", "listed", "twice"]
    assert origin_in(tmp_path, {}, "drawn") == Origin(file="drawn.mmd")
    assert origin_in(tmp_path, sources, "drawn") == Origin(file="elsewhere.mmd", flow="f")
    with pytest.raises(UserError, match=r": twice.bpmn and twice.mmd may both be the procedure 'twice'; rename one"):
        origin_in(tmp_path, sources, "twice")
    with pytest.raises(UserError, match=r"no procedure 'notes', neither .* \(known are other, drawn, twice\); correct"):
        origin_in(tmp_path, sources, "notes")


@st.composite
def nearly(draw: st.DrawFn) -> tuple[str, str]:
    """A file of any format, cut, doubled and mixed with pieces of the others."""
    suffix = draw(st.sampled_from([".mmd", ".md", ".dot", ".bpmn", ".yaml"]))
    text = draw(st.sampled_from([*CHARTS.values(), RASA, TEXT[:1500]]))
    for _ in range(draw(st.integers(0, 3))):
        at, to = sorted(draw(st.tuples(st.integers(0, len(text)), st.integers(0, len(text)))))
        piece = draw(
            st.sampled_from(["", text[at:to], "procedure: table\n", "nodes:\n", "flows: {}\n", "\x00", "{", "%"])
        )
        text = text[:at] + piece + text[draw(st.sampled_from([at, min(to, at + 5)])) :]
    return suffix, text


@settings(max_examples=200, deadline=None, derandomize=True)
@given(nearly())
def test_any_file_is_a_procedure_or_a_mistake_in_it(file: tuple[str, str]) -> None:
    suffix, text = file
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"table{suffix}"
        path.write_text(text, encoding="utf-8")
        try:
            graph = read_graph(path, "table")
        except UserError as e:
            assert str(e).startswith(str(path))
        else:
            assert graph.procedure == "table"
