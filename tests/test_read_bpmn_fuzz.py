"""Random BPMN: charts survive being written and read, and whatever else comes is read or refused."""

from __future__ import annotations

from collections import Counter
from xml.sax.saxutils import quoteattr

from hypothesis import given, settings
from hypothesis import strategies as st

from flowc.chart import Arrow, Box, Chart, Escape, Kind
from flowc.graph import Terminal
from flowc.read_bpmn import read_bpmn
from tests.reading import reads
from tests.test_read_bpmn import ORDER, SPACE, chart, document, parts

WORDS = st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "S", "Zs")), max_size=10).map(
    lambda t: " ".join(t.split())
)
TAGS: dict[Kind, str] = {
    "start": "startEvent", "step": "userTask", "question": "exclusiveGateway", "tool": "serviceTask", "end": "endEvent"
}  # fmt: skip
KINDS: tuple[Kind, ...] = ("step", "question", "tool", "end")
ENDINGS: tuple[Terminal | None, ...] = (None, "abandonment", "escalation")
DEFINED = {None: "", "abandonment": "<x:terminateEventDefinition/>", "escalation": "<x:escalationEventDefinition/>"}


@st.composite
def charts(draw: st.DrawFn) -> Chart:
    boxes: dict[str, Box] = {"a0": Box(label=draw(WORDS.filter(bool)), line=1)}
    for i in range(1, draw(st.integers(1, 7))):
        kind = draw(st.sampled_from(KINDS))
        label = draw(WORDS if kind in ("end", "question") else WORDS.filter(bool))
        boxes[f"a{i}"] = Box(
            label=label, kind=kind, line=1, terminal=draw(st.sampled_from(ENDINGS)) if kind == "end" else None
        )
    arrows: list[Arrow] = []
    names = list(boxes)
    for name, box in boxes.items():
        ways = {"end": 0, "question": draw(st.integers(2, 3))}.get(box.kind, draw(st.integers(0, 2)))
        fallback = draw(st.booleans()) and ways > 1
        for i in range(ways):
            default = fallback and i == 0
            label = draw(WORDS if default or box.kind == "question" or ways == 1 else WORDS.filter(bool))
            arrows.append(Arrow(source=name, target=draw(st.sampled_from(names)), label=label, default=default, line=1))
    start = None
    if draw(st.booleans()):
        start = "s"
        boxes[start] = Box(label=draw(WORDS), kind="start", line=1)
        arrows.append(Arrow(source="s", target=names[0], label=draw(WORDS), line=1))
    found = draw(st.lists(st.tuples(WORDS.filter(bool), st.sampled_from(names)), max_size=2))
    escapes = tuple(Escape(label=label, target=target, line=1) for label, target in found)
    title = draw(WORDS)
    return Chart(
        name="x", title=title, start=start, event_start=True, boxes=boxes, arrows=tuple(arrows), escapes=escapes
    )


def written(drawn: Chart) -> tuple[str, Chart]:
    """The chart as BPMN, and the chart with the lines that it has there."""
    lines = [f'<x:definitions xmlns:x="{SPACE}"><x:process id="p" name={quoteattr(drawn.title)}>']
    boxes, arrows, escapes = {}, [], []
    flows = {i: f"f{i}" for i in range(len(drawn.arrows))}
    for name, box in drawn.boxes.items():
        usual = [flows[i] for i, a in enumerate(drawn.arrows) if a.source == name and a.default]
        default = f' default="{usual[0]}"' if usual else ""
        tag = f"x:{TAGS[box.kind]}"
        lines.append(f'<{tag} id="{name}" name={quoteattr(box.label)}{default}>{DEFINED[box.terminal]}</{tag}>')
        boxes[name] = box.model_copy(update={"line": len(lines)})
    for i, escape in enumerate(drawn.escapes):
        lines.append(f'<x:boundaryEvent id="e{i}" name={quoteattr(escape.label)} attachedToRef="a0"/>')
        escapes.append(escape.model_copy(update={"line": len(lines)}))
        lines.append(f'<x:sequenceFlow sourceRef="e{i}" targetRef="{escape.target}"/>')
    for i, arrow in enumerate(drawn.arrows):
        ends = f'sourceRef="{arrow.source}" targetRef="{arrow.target}"'
        lines.append(f'<x:sequenceFlow id="{flows[i]}" {ends} name={quoteattr(arrow.label)}/>')
        arrows.append(arrow.model_copy(update={"line": len(lines)}))
    changed = {"boxes": boxes, "arrows": tuple(arrows), "escapes": tuple(escapes)}
    return "\n".join([*lines, "</x:process></x:definitions>"]), drawn.model_copy(update=changed)


@given(charts())
@settings(max_examples=200, deadline=None, derandomize=True)
def test_a_chart_survives_being_written_and_read(drawn: Chart) -> None:
    text, expected = written(drawn)
    assert chart(text) == expected


NODES = """task task userTask serviceTask exclusiveGateway exclusiveGateway inclusiveGateway parallelGateway
    parallelGateway eventBasedGateway startEvent endEvent endEvent/error intermediateCatchEvent/message
    intermediateThrowEvent boundaryEvent intermediateThrowEvent/link intermediateCatchEvent/link"""


@st.composite
def processes(draw: st.DrawFn, depth: int = 0) -> str:
    """What may stand in a process: any nodes, joined at random, with sub-processes."""
    kinds = draw(st.lists(st.sampled_from(NODES.split()), min_size=1, max_size=7))
    found = {f"{'n' * (depth + 1)}{i}": kind for i, kind in enumerate(kinds)}
    shorts = []
    for name, kind in found.items():
        host = draw(st.sampled_from(list(found)))
        shorts.append(f"{kind} {name} " + (f"name='e' attachedToRef='{host}'" if "bound" in kind else "name='l'"))
    out = parts(";".join(shorts))
    if depth < 2 and draw(st.booleans()):
        event = draw(st.booleans())
        found[f"sub{depth}"] = "startEvent" if event else "subProcess"  # no flow leads to either
        how = ' triggeredByEvent="true"' if event else ""
        out += f'<subProcess id="sub{depth}" name="s"{how}>{draw(processes(depth + 1))}</subProcess>'
    sources = [name for name, kind in found.items() if "end" not in kind] or list(found)
    targets = [name for name, kind in found.items() if "start" not in kind and "bound" not in kind] or list(found)
    labels = st.sampled_from(["yes", "no", "why", ""])
    flow = st.tuples(st.sampled_from(sources), st.sampled_from(targets), labels)
    for source, target, label in draw(st.lists(flow, max_size=10)):
        out += f'<sequenceFlow sourceRef="{source}" targetRef="{target}" name="{label}"/>'
    return out


def readable(text: str) -> bool:
    """Whether a text is read and not refused; nothing else may happen."""
    read = reads(lambda: read_bpmn(text, "some/x.bpmn", "x"), "some/x.bpmn")
    if read is None:
        return False
    ends = {a.source for a in read.arrows} | {a.target for a in read.arrows} | {e.target for e in read.escapes}
    assert ends <= set(read.boxes)
    assert not any("\0" in name for name in read.boxes)
    return True


def test_nearly_valid_processes_are_read_or_refused() -> None:
    fares = Counter[bool]()

    @given(processes())
    @settings(max_examples=300, deadline=None, derandomize=True)
    def one(body: str) -> None:
        fares[readable(document(body))] += 1

    one()
    assert fares[True] >= 20 and fares[False] >= 150, fares  # 30 of 300 are read


def test_a_damaged_file_is_read_or_refused() -> None:
    fares = Counter[bool]()

    @given(st.integers(0, len(ORDER)), st.integers(0, 60), st.text(max_size=3))
    @settings(max_examples=200, deadline=None, derandomize=True)
    def one(at: int, length: int, put: str) -> None:
        fares[readable(ORDER[:at] + put + ORDER[at + length :])] += 1

    one()
    assert fares[True] >= 20 and fares[False] >= 100, fares  # 32 of 200 are read


@given(st.text())
@settings(max_examples=100, deadline=None, derandomize=True)
def test_any_text_is_read_or_refused(text: str) -> None:
    readable(text)
    readable(document(text))
