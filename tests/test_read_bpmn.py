"""A BPMN process becomes the conversation that it describes; what cannot be one is refused with place and reason."""

from __future__ import annotations

from xml.sax.saxutils import quoteattr

import pytest

from flowc.chart import Arrow, Box, Chart, Escape
from flowc.graph import Terminal
from flowc.read_bpmn import read_bpmn
from flowc.records import UserError
from tests.reading import graph_of

SPACE = "http://www.omg.org/spec/BPMN/20100524/MODEL"

ORDER = f"""<?xml version="1.0" encoding="UTF-8"?>
<bpmn:definitions xmlns:bpmn="{SPACE}" xmlns:di="http://www.omg.org/spec/BPMN/20100524/DI"
    xmlns:zeebe="http://camunda.org/schema/zeebe/1.0" id="d" exporter="a tool">
  <bpmn:collaboration id="c">
    <bpmn:participant id="p1" name="Pizza shop" processRef="shop" />
    <bpmn:participant id="p2" name="Customer" processRef="hungry" />
    <bpmn:messageFlow id="m" sourceRef="p2" targetRef="begin" />
  </bpmn:collaboration>
  <bpmn:process id="shop" isExecutable="true">
    <bpmn:documentation>How an order is taken</bpmn:documentation>
    <bpmn:startEvent id="begin" name="A customer&#10;calls">
      <bpmn:outgoing>f1</bpmn:outgoing>
      <bpmn:messageEventDefinition id="md" />
    </bpmn:startEvent>
    <bpmn:userTask id="ask" name="Ask which  pizza">
      <bpmn:extensionElements><zeebe:assignment assignee="x" /></bpmn:extensionElements>
    </bpmn:userTask>
    <bpmn:serviceTask id="stock" name="Check the stock" />
    <bpmn:exclusiveGateway id="there" name="In stock?" default="f5" />
    <bpmn:exclusiveGateway id="join" />
    <bpmn:sendTask id="sorry" name="Say that it is &lt;out&gt;" />
    <bpmn:endEvent id="done" name="Order taken" />
    <bpmn:boundaryEvent id="down" name="stock is unknown" attachedToRef="stock">
      <bpmn:errorEventDefinition id="ed" />
    </bpmn:boundaryEvent>
    <bpmn:endEvent id="over"><bpmn:terminateEventDefinition id="td" /></bpmn:endEvent>
    <bpmn:boundaryEvent id="cancel" name="The customer gives up" attachedToRef="ask">
      <bpmn:messageEventDefinition id="md2" />
    </bpmn:boundaryEvent>
    <bpmn:sequenceFlow id="f1" sourceRef="begin" targetRef="join" />
    <bpmn:sequenceFlow id="f2" sourceRef="join" targetRef="ask" />
    <bpmn:sequenceFlow id="f3" sourceRef="ask" targetRef="stock" />
    <bpmn:sequenceFlow id="f4" sourceRef="stock" targetRef="there" />
    <bpmn:sequenceFlow id="f5" sourceRef="there" targetRef="sorry" />
    <bpmn:sequenceFlow id="f6" sourceRef="there" targetRef="done">
      <bpmn:conditionExpression>${{ in_stock }}</bpmn:conditionExpression>
    </bpmn:sequenceFlow>
    <bpmn:sequenceFlow id="f7" name="another one" sourceRef="sorry" targetRef="join" />
    <bpmn:sequenceFlow id="f8" sourceRef="down" targetRef="over" />
    <bpmn:sequenceFlow id="f9" sourceRef="cancel" targetRef="over" />
    <bpmn:textAnnotation id="t"><bpmn:text>note</bpmn:text></bpmn:textAnnotation>
    <bpmn:association id="a" sourceRef="ask" targetRef="t" />
  </bpmn:process>
  <bpmn:process id="hungry"><bpmn:task id="eat" /></bpmn:process>
  <di:BPMNDiagram id="x"><di:BPMNPlane id="y" /></di:BPMNDiagram>
</bpmn:definitions>
"""


def document(body: str, more: str = "") -> str:
    """A file with one process; a line of the body is the same line of the file."""
    return f'<definitions xmlns="{SPACE}"><process id="p">{body}</process>{more}</definitions>'


def parts(text: str) -> str:
    """Nodes and flows in short: `task a` and `a b` with a label behind."""
    out = []
    for line in (part.strip() for part in text.split(";")):
        kind, name, *label = line.split(" ", 2)
        tag, _, inner = kind.partition("/")
        if tag[0].islower() and tag.endswith(("task", "Task", "Event", "Gateway")):
            inside = f"<{inner}EventDefinition/>" if inner else ""
            out.append(f'<{tag} id="{name}" {label[0] if label else f"""name={quoteattr(name)}"""}>{inside}</{tag}>')
        else:
            out.append(f'<sequenceFlow sourceRef="{kind}" targetRef="{name}" name="{"".join(label)}"/>')
    return "\n".join(out)


def chart(text: str) -> Chart:
    return read_bpmn(text, "some/x.bpmn", "x")


def ways(text: str) -> list[tuple[str, str, str]]:
    return [(a.source, a.target, a.label) for a in chart(text).arrows]


def mistake(text: str) -> str:
    with pytest.raises(UserError) as raised:
        chart(text)
    return str(raised.value)


def test_a_process_is_read_box_by_box_and_arrow_by_arrow() -> None:
    lines = {name: ORDER[: ORDER.index(f'id="{name}"')].count("\n") + 1 for name in (
        "begin", "ask", "stock", "there", "sorry", "done", "over", "cancel", *(f"f{i}" for i in range(1, 10)), "down"
    )}  # fmt: skip
    assert read_bpmn(ORDER, "order.bpmn", "order") == Chart(
        name="order",
        title="Pizza shop",
        start="begin",
        event_start=True,
        boxes={
            "begin": Box(label="A customer calls", kind="start", line=lines["begin"]),
            "ask": Box(label="Ask which pizza", line=lines["ask"]),
            "stock": Box(label="Check the stock", kind="tool", line=lines["stock"]),
            "there": Box(label="In stock?", kind="question", line=lines["there"]),
            "sorry": Box(label="Say that it is <out>", line=lines["sorry"]),
            "done": Box(label="Order taken", kind="end", line=lines["done"]),
            "over": Box(label="", kind="end", terminal="abandonment", line=lines["over"]),
        },
        arrows=(
            Arrow(source="stock", target="over", label="stock is unknown", line=lines["down"]),
            Arrow(source="begin", target="ask", line=lines["f1"]),
            Arrow(source="ask", target="stock", line=lines["f3"]),
            Arrow(source="stock", target="there", default=True, line=lines["f4"]),
            Arrow(source="there", target="sorry", default=True, line=lines["f5"]),
            Arrow(source="there", target="done", label="in_stock", line=lines["f6"]),
            Arrow(source="sorry", target="ask", label="another one", line=lines["f7"]),
        ),
        escapes=(Escape(label="The customer gives up", target="over", line=lines["cancel"]),),
    )


@pytest.mark.parametrize(
    ("event", "terminal"),
    [("", None), ("terminate", "abandonment"), ("error", "abandonment"), ("escalation", "escalation"),
     ("message", None), ("signal", None)],
)  # fmt: skip
def test_an_end_event_says_how_it_ends(event: str, terminal: Terminal | None) -> None:
    read = chart(document(parts(f"task a; endEvent/{event} z; a z")))
    assert (read.boxes["z"].kind, read.boxes["z"].terminal, read.start) == ("end", terminal, None)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [("task", "step"), ("userTask", "step"), ("manualTask", "step"), ("sendTask", "step"),
     ("serviceTask", "tool"), ("scriptTask", "tool"), ("businessRuleTask", "tool")],
)  # fmt: skip
def test_tasks_that_a_machine_does_are_tools(kind: str, expected: str) -> None:
    assert chart(document(parts(f"{kind} a"))).boxes == {"a": Box(label="a", kind=expected, line=1)}  # type: ignore[arg-type]


GATES = {
    "a gateway that joins is no box": (
        "task a; task b; exclusiveGateway x; task c; a x; b x yes; x c",
        [("a", "c", ""), ("b", "c", "yes")],
    ),
    "gateways that join in a row": (
        "task a; exclusiveGateway x; inclusiveGateway y; exclusiveGateway z; task c; a x; x y; y z; z c",
        [("a", "c", "")],
    ),
    "an inclusive gateway with conditions is a question": (
        "inclusiveGateway x; task a; task b; x a yes; x b no",
        [("x", "a", "yes"), ("x", "b", "no")],
    ),
    "an event-based gateway is a question that messages answer": (
        "eventBasedGateway x; intermediateCatchEvent/message yes; receiveTask no; task a; task b; "
        "x yes; x no; yes a; no b",
        [("x", "a", "yes"), ("x", "b", "no")],
    ),
    "a message that is caught is what the customer says": (
        "task a; intermediateCatchEvent/message hello; task b; a hello; hello b",
        [("a", "b", "hello")],
    ),
    "a milestone without a name is no box": (
        'task a; intermediateThrowEvent m name=""; task b; a m; m b',
        [("a", "b", "")],
    ),
    "links jump": (
        "task a; intermediateThrowEvent/link l name='on'; intermediateCatchEvent/link k name='on'; task b; a l; k b",
        [("a", "b", "")],
    ),
    "a fork of plain steps is put in a row": (
        "task a; parallelGateway f; task b; serviceTask c; task d; parallelGateway j; task e; "
        "a f; f b; f d; b c; c j; d j; j e",
        [("a", "b", ""), ("b", "c", ""), ("c", "d", ""), ("d", "e", "")],
    ),
    "a fork in a fork too": (
        "parallelGateway f; task a; parallelGateway g; task b; task c; parallelGateway k; parallelGateway j; task s; "
        "task e; s f; f a; f g; g b; g c; b k; c k; k j; a j; j e",
        [("s", "a", ""), ("a", "b", ""), ("b", "c", ""), ("c", "e", "")],
    ),
    "a branch of a fork without a step": (
        "task a; parallelGateway f; task b; parallelGateway j; task e; a f; f j; f b; b j; j e",
        [("a", "b", ""), ("b", "e", "")],
    ),
}


@pytest.mark.parametrize("name", GATES)
def test_gateways_and_events(name: str) -> None:
    text, expected = GATES[name]
    assert ways(document(parts(text))) == expected


SUB = """<startEvent id="s"/><task id="a" name="A"/>
<subProcess id="sub" name="Pay">{}<startEvent id="is"/><task id="b" name="B"/><endEvent id="ie" name="paid"/>
{}<sequenceFlow sourceRef="is" targetRef="b"/><sequenceFlow sourceRef="b" targetRef="ie"/></subProcess>
<task id="c" name="C"/><endEvent id="z"/>
<sequenceFlow sourceRef="s" targetRef="a"/><sequenceFlow sourceRef="a" targetRef="sub" name="x"/>
<sequenceFlow sourceRef="sub" targetRef="c" name="y"/><sequenceFlow sourceRef="c" targetRef="z"/>"""


def test_a_sub_process_is_flattened() -> None:
    assert ways(document(SUB.format("", ""))) == [
        ("b", "c", "y"), ("s", "a", ""), ("a", "b", "x"), ("c", "z", "")
    ]  # fmt: skip


def test_what_ends_in_a_sub_process_without_a_flow_out_of_it_ends_everything() -> None:
    text = document(SUB.format("", "").replace('<sequenceFlow sourceRef="sub" targetRef="c" name="y"/>', ""))
    assert ("b", "ie", "") in ways(text)
    assert chart(text).boxes["ie"] == Box(label="paid", kind="end", line=2)


def test_an_error_in_a_sub_process_leads_where_its_boundary_event_leads() -> None:
    inner = ('<endEvent id="bad"><errorEventDefinition errorRef="E"/></endEvent><task id="b2" name="B2"/>'
             '<sequenceFlow sourceRef="b2" targetRef="bad"/>'
             '<sequenceFlow sourceRef="b" targetRef="b2" name="no"/>')  # fmt: skip
    outer = ('<boundaryEvent id="e" attachedToRef="sub"><errorEventDefinition/></boundaryEvent>'
             '<sequenceFlow sourceRef="e" targetRef="z"/>')  # fmt: skip
    text = document((SUB.format("", inner) + outer).replace('targetRef="ie"', 'targetRef="ie" name="yes"'))
    assert ("b2", "z", "") in ways(text)
    assert chart(text).escapes == ()
    alone = chart(document(SUB.format("", inner).replace('targetRef="ie"', 'targetRef="ie" name="yes"')))
    assert alone.boxes["bad"].terminal == "abandonment"


def test_an_error_around_a_sub_process_is_a_result_of_the_tools_in_it() -> None:
    body = """<task id="a" name="Ask"/><subProcess id="sub">
        <task id="in" name="Ask for the card"/><serviceTask id="charge" name="Charge"/>
        <serviceTask id="own" name="Own"/>
        <boundaryEvent id="near" name="no luck" attachedToRef="own"><errorEventDefinition/></boundaryEvent>
        <task id="other" name="Other"/><sequenceFlow sourceRef="near" targetRef="other"/>
        <sequenceFlow sourceRef="in" targetRef="own"/><sequenceFlow sourceRef="own" targetRef="charge"/></subProcess>
        <boundaryEvent id="far" attachedToRef="sub"><errorEventDefinition errorRef="E"/></boundaryEvent>
        <task id="good" name="Good"/><task id="bad" name="Bad"/><sequenceFlow sourceRef="a" targetRef="sub"/>
        <sequenceFlow sourceRef="sub" targetRef="good"/><sequenceFlow sourceRef="far" targetRef="bad"/>"""
    read = chart(document(body, '<error id="E" name="Card refused"/>'))
    assert [(a.source, a.target, a.label, a.default) for a in read.arrows if a.source in ("charge", "own")] == [
        ("charge", "bad", "Card refused", False),
        ("charge", "good", "", True),
        ("own", "other", "no luck", False),
        ("own", "charge", "", True),
    ]
    assert read.escapes == ()


def test_what_a_start_event_says_happened_before_and_an_event_based_gateway_asks_nothing() -> None:
    body = parts('startEvent s; task a; eventBasedGateway x name=""; intermediateCatchEvent/message m; '
                 "intermediateCatchEvent/message n; task b; task c; s a; a x; x m; x n; m b; n c")  # fmt: skip
    body = body.replace('name="s"', 'name="Good morning"')
    graph = graph_of(chart(document(body)), "x.bpmn")
    assert (graph.start, graph.nodes["a"].say[0]) == ("a", "A.")
    assert [(e.when, e.to) for e in graph.nodes["a"].edges] == [("m", "b"), ("n", "c")]


def test_an_event_sub_process_is_an_escape() -> None:
    event = """<subProcess id="ev" triggeredByEvent="true">
        <startEvent id="es" name="asks for a human"><messageEventDefinition/></startEvent>
        <task id="h" name="Hand over"/><endEvent id="he"><escalationEventDefinition/></endEvent>
        <sequenceFlow sourceRef="es" targetRef="h"/><sequenceFlow sourceRef="h" targetRef="he"/></subProcess>"""
    read = chart(document(SUB.format("", "") + event))
    assert read.escapes == (Escape(label="asks for a human", target="h", line=7),)
    assert (read.boxes["he"].terminal, read.start) == ("escalation", "s")


def test_a_called_process_of_the_file_is_flattened_at_each_call() -> None:
    body = ('<startEvent id="s"/><callActivity id="one" calledElement="q"/><callActivity id="two" calledElement="q"/>'
            + parts("s one; one two"))  # fmt: skip
    called = f'<process id="q" isExecutable="true">{parts("task ask; endEvent e; ask e")}</process>'
    assert ways(document(body, called)) == [("one.ask", "two.ask", ""), ("two.ask", "two.e", ""), ("s", "one.ask", "")]


def test_what_a_customer_does_in_its_lane_is_the_label_of_the_arrow() -> None:
    lanes = """<laneSet><lane name="The customer"><flowNodeRef>says</flowNodeRef><flowNodeRef>x</flowNodeRef></lane>
        <lane name="Customer service"><flowNodeRef>a</flowNodeRef><flowNodeRef>b</flowNodeRef></lane></laneSet>"""
    body = parts("task a; task says; exclusiveGateway x; task b; task c; a says; says x; x b yes; x c no")
    read = chart(document(lanes + body))
    assert ways(document(lanes + body)) == [("a", "x", "says"), ("x", "b", "yes"), ("x", "c", "no")]
    assert list(read.boxes) == ["a", "x", "b", "c"]


def received(task: str, flows: str = "", pools: tuple[str, ...] = ("Customer", "Bank")) -> Chart:
    """Read the process of a shop with a task in it that receives something, which `flows` sends from the pools."""
    body = f"{parts('task ask; task b')}<receiveTask id='r' {task}/>{parts('ask r; r b')}"
    others = "".join(f'<participant id="{p}" name="{p}" processRef="of{p}"/>' for p in pools)
    inside = "".join(f'<process id="of{p}"><task id="in{p}"/></process>' for p in pools)
    return chart(document(body, f"""{inside}<message id="m" name="Serial  number"/>
        <collaboration><participant id="shop" name="Shop" processRef="p"/>{others}{flows}</collaboration>""").replace(
        'process id="p"', 'process id="p" isExecutable="true"'))  # fmt: skip


def sent(*sources: str) -> str:
    return "".join(f'<messageFlow sourceRef="{source}" targetRef="x:r"/>' for source in sources)


@pytest.mark.parametrize(
    ("task", "said"),
    [("messageRef='m'", "Serial number"), ("name='Receive the serial number'", "serial number"),
     ("name='Payment received' messageRef='m'", "Payment"), ("name='Wait for an answer'", "answer"),
     ("name='Bank details'", "Bank details")],
)  # fmt: skip
@pytest.mark.parametrize("flows", ["", sent("Customer"), sent("Bank", "inCustomer")])
def test_a_receive_task_is_what_the_customer_says(task: str, said: str, flows: str) -> None:
    read = received(task, flows)
    assert ([a.label for a in read.arrows], list(read.boxes)) == ([said], ["ask", "b"])


@pytest.mark.parametrize("source", ["Bank", "inBank"])
def test_what_another_pool_sends_is_no_word_of_the_customer(source: str) -> None:
    read = received("messageRef='m'", sent(source))
    assert [(a.source, a.target, a.label) for a in read.arrows] == [("ask", "r", ""), ("r", "b", "")]
    assert read.boxes["r"].label == "Serial number"
    named = received("name='Receive the money'", sent(source))
    assert named.boxes["r"].label == "Receive the money"


@pytest.mark.parametrize("start", ["startEvent s; s r; ", ""])
def test_what_is_received_before_the_assistant_speaks_tells_what_happened_before(start: str) -> None:
    graph = graph_of(chart(document(parts(f"{start}receiveTask r; task a; endEvent z; r a; a z"))), "x.bpmn")
    assert (graph.start, graph.nodes["a"].say[0]) == ("a", "A.")
    assert "r" not in graph.nodes


@pytest.mark.parametrize(
    ("gateway", "edges"),
    [('name=""', [("ask", "yes", "b"), ("ask", "no", "c")]),
     ('name="Well?"', [("ask", "answer", "well"), ("well", "yes", "b"), ("well", "no", "c")])],
)  # fmt: skip
def test_behind_a_receive_task_a_gateway_without_a_name_says_what_was_received(
    gateway: str, edges: list[tuple[str, str, str]]
) -> None:
    body = f"task ask; receiveTask r name='Receive the answer'; exclusiveGateway g {gateway}; task b; task c; "
    graph = graph_of(chart(document(parts(body + "ask r; r g; g b yes; g c no"))), "x.bpmn")
    assert [(n, e.when, e.to) for n, node in graph.nodes.items() for e in node.edges] == edges


def test_what_an_event_based_gateway_waits_for_is_said_whatever_follows() -> None:
    body = ('task a; eventBasedGateway x; receiveTask r; receiveTask q; exclusiveGateway g name=""; task b; task c; '
            "a x; x r; x q; q b; r g; g b yes; g c no")  # fmt: skip
    assert ways(document(parts(body))) == [("a", "x", ""), ("x", "g", "r"), ("x", "b", "q"), ("g", "b", "yes"),
                                           ("g", "c", "no")]  # fmt: skip


def test_the_message_of_an_event_without_a_name_names_it() -> None:
    body = (
        parts("task a; task b; a b")
        + """<boundaryEvent id="e" attachedToRef="a">
        <messageEventDefinition messageRef="m:stop"/></boundaryEvent><sequenceFlow sourceRef="e" targetRef="b"/>"""
    )
    read = chart(document(body, '<message id="stop" name="Stop  it"/>'))
    assert read.escapes == (Escape(label="Stop it", target="b", line=3),)


REFUSED = {
    "no XML": ("digraph {}", ":1:1: not well-formed XML: syntax error; export the file anew"),
    "an empty file": ("", ":1:1: not well-formed XML: no element found;"),
    "a tag that is not closed": (f'<definitions xmlns="{SPACE}">\n<process>\n</definitions>', ":3:3: not well-formed"),
    "another root": ("<html/>", ":1:1: the root is <html> of the namespace '', but BPMN 2.0 has <definitions> of"),
    "entities": (
        '<!DOCTYPE x [<!ENTITY a "b"><!ENTITY c "&a;&a;&a;">]><x>&c;</x>',
        ":1:1: document types and entities are refused",
    ),
    "an external document type": ('<?xml version="1.0"?>\n<!DOCTYPE x SYSTEM "file:///etc/x"><x/>', ":2:1: document"),
    "an undefined entity": (f'<definitions xmlns="{SPACE}">&b;</definitions>', ":1:66: not well-formed XML: undefined"),
    "a great depth": ("<a>" * 5000, ":1:301: elements are nested more than 100 deep; flatten them"),
    "many elements": ("<a>" + "<a/>" * 50_000, ":1:200000: the file has more than 50000 elements; split it"),
    "half a character": (f'<definitions xmlns="{SPACE}">\n\ud800', ":2: half of a character; save the file as UTF-8"),
    "no process": (f'<definitions xmlns="{SPACE}"/>', ":1:1: no process with anything in it; draw one"),
    "a choreography": (
        f'<definitions xmlns="{SPACE}">\n<choreography/></definitions>',
        ":2:1: <choreography> is not understood here, and leaving it out could change",
    ),
    "an unknown element": (document("\n<taks/>"), ":2:1: <taks> is not understood here"),
    "a foreign element": (document('\n<x:a xmlns:x="y"/>'), ":2:1: <a> is no element of BPMN; put it into <extension"),
    "an unknown attribute": (document('\n<task id="a" nmae="x"/>'), ":2:1: the attribute 'nmae' is not understood"),
    "an unknown attribute of the process": (
        f'<definitions xmlns="{SPACE}">\n<process idd="p"><task id="a" name="A"/></process></definitions>',
        ":2:1: the attribute 'idd' is not understood here; remove it",
    ),
    "text between the elements": (document("\n<task id='a' name='A'>Ask</task>"), ":2:1: the text 'Ask' stands here"),
    "text between the tasks": (document("<task id='a' name='A'/> Ask"), ":1:66: the text 'Ask' stands here"),
    "a task without a name": (document('\n<task id="a"/>'), ":2:1: task 'a' has no name; write in it what happens"),
    "a task without an id": (document('\n<task name="a"/>'), ":2:1: this task has no id; give it one"),
    "an id twice": (document(parts("task a; task a")), ":2:1: the id 'a' is given twice; rename one"),
    "an id twice in two places": (
        document('<task id="a" name="A"/><subProcess id="s">\n<task id="a" name="A"/></subProcess>'),
        ":2:1: the id 'a' is given twice; rename one",
    ),
    "a flow to nowhere": (document(parts("task a; a b")), ":2:1: targetRef of this flow is 'b', which is not in"),
    "a flow out of an end": (document(parts("task a; endEvent e; e a")), ":3:1: this flow leaves an end event; remove"),
    "a flow into a start": (document(parts("task a; startEvent e; a e")), ":3:1: this flow leads to what only"),
    "two starts": (
        document(parts("startEvent s; startEvent t; task a; s a; t a")),
        ":2:1: 't' is a second start beside 's'; a conversation begins at one place",
    ),
    "a process without a task": (document(parts("startEvent s; endEvent e; s e")), ":1:66: the process has no task"),
    "a fork": (
        document(parts("task s; parallelGateway f; task a; task b; s f; f a; f b")),
        ":2:1: this fork leads to several things at the same time, and a conversation does one after the other; put",
    ),
    "a fork with a question in it": (
        document(parts("parallelGateway f; exclusiveGateway q; task b; task c; parallelGateway j; task e; "
                       "f q; f b; q j yes; q c no; c j; b j; j e")),
        ":1:82: this fork leads to several things at the same time",
    ),
    "a join without a fork": (
        document(parts("exclusiveGateway q; parallelGateway j; task a; task b; task c; q a; q b; a j; b j; j c")),
        ":2:1: this gateway waits for all of its ways in, but they do not come from one fork; use",
    ),
    "a fork without a gateway": (
        document(parts("task a; task b; task c; a b; a c yes")),
        ":4:1: several flows leave 'a' and this one has no condition, so it runs beside the others; write",
    ),
    "an inclusive gateway without conditions": (
        document(parts("inclusiveGateway x; task a; task b; x a yes; x b")),
        ":5:1: several flows leave 'x' and this one has no condition",
    ),
    "a complex gateway": (document(parts("complexGateway x; task a; x a")), ":1:82: a complex gateway follows a rule"),
    "a clock": (
        document(parts("task a; intermediateCatchEvent/timer t; task b; a t; t b")),
        ":2:1: 't' waits for something else than a message of the customer, and a conversation cannot wait",
    ),
    "a clock behind an event-based gateway": (
        document(parts("eventBasedGateway x; task a; x a")),
        ":2:1: an event-based gateway leads here, but this is not a message that the customer sends",
    ),
    "a gateway that leads nowhere": (
        document(parts("task a; exclusiveGateway x; a x")),
        ":2:1: exclusiveGateway 'x' leads nowhere; draw a flow out of it",
    ),
    "gateways that lead to each other": (
        document(parts("task a; exclusiveGateway x; exclusiveGateway y; a x; x y; y x")),
        ":3:1: exclusiveGateway 'y' leads back to itself without a step of the assistant between; add one",
    ),
    "a customer who is not asked": (
        document(parts("intermediateCatchEvent/message m; task a; m a")),
        ":1:82: intermediateCatchEvent 'm' is left out, with what is written",
    ),
    "an event that does not interrupt": (
        document(parts("task a") + '\n<boundaryEvent id="e" name="x" attachedToRef="a" cancelActivity="false"/>'),
        ":2:1: this event does not interrupt, so two conversations would go on at once; make it",
    ),
    "a boundary event without a name": (
        document(parts("task a") + '\n<boundaryEvent id="e" attachedToRef="a"/>'),
        ":2:1: boundary event 'e' has no name; write what the customer says or what happens",
    ),
    "a boundary event of nothing": (
        document(parts("task a") + '\n<boundaryEvent id="e" attachedToRef="b"/>'),
        ":2:1: 'e' is attached to 'b', which is not in the same process; correct it",
    ),
    "an escape to nowhere": (
        document(parts("task a") + '\n<boundaryEvent id="e" name="x" attachedToRef="a"/>'),
        ":2:1: 0 ways lead on from 'e'; draw exactly one",
    ),
    "a task for each of many": (
        document('<task id="a" name="A">\n<multiInstanceLoopCharacteristics/></task>'),
        ":2:1: 'a' repeats by itself; draw the loop with a gateway",
    ),
    "steps without an order": (
        document('\n<adHocSubProcess id="a" name="A"/>'),
        ":2:1: the steps of 'a' have no order; draw one with flows",
    ),
    "a call of another file": (
        document('\n<callActivity id="a" name="A" calledElement="n:other"/>'),
        ":2:1: 'a' calls 'other', which is not a process of this file; put that process in, or make this a task",
    ),
    "a call that names nothing": (
        document('<callActivity id="a"/>'),
        ":1:82: 'a' does not say which process it calls; put that process in this file and name it, or make this",
    ),
    "a call as Camunda 8 writes it": (
        document('<callActivity id="a" name="A"><extensionElements><z:calledElement xmlns:z="http://z" processId="q"/>'
                 "</extensionElements></callActivity>"),
        ":1:82: 'a' calls 'q', which is not a process of this file; put that process in, or make this a task",
    ),
    "a clock at the edge of a task": (
        document(parts("task a") + '\n<boundaryEvent id="t" name="10 min" attachedToRef="a"><timerEventDefinition/>'
                 "</boundaryEvent>"),
        ":2:1: 't' goes off by a clock, and in a conversation no time passes; draw what the customer says then, or",
    ),
    "a clock that begins a sub-process": (
        document(parts("task a") + '\n<subProcess id="e" triggeredByEvent="true"><startEvent id="t" name="late">'
                 "<timerEventDefinition/></startEvent>" + parts("task b; t b") + "</subProcess>"),
        ":2:44: 't' goes off by a clock",
    ),
    "a process that calls itself": (
        document('<callActivity id="a" name="A" calledElement="p"/>'),
        ":1:82: 'a' calls 'p' from within itself; draw a loop instead",
    ),
    "compensation": (
        document(parts("task a") + '\n<task id="b" name="B" isForCompensation="true"/>'),
        ":2:1: 'b' undoes something that was done, which has no place in the conversation",
    ),
    "two meanings of an event": (
        document('<startEvent id="a"><messageEventDefinition/>\n<timerEventDefinition/></startEvent>'),
        ":2:1: this event is about two things; draw one event for each",
    ),
    "a default that is no way out": (
        document(parts("exclusiveGateway x name='x' default='f'; task a; x a")),
        ":1:82: the default of 'x' is 'f', which is no flow out of it; correct it",
    ),
    "a link to nowhere": (
        document(parts("task a; intermediateThrowEvent/link l; a l")),
        ":2:1: no link event catches 'l'; draw one with that name",
    ),
    "a sub-process that begins nowhere": (
        document("\n<subProcess id='s' name='S'>" + parts("task a; task b; a b; b a") + "</subProcess>"),
        ":2:1: it is not clear where subProcess 'S' begins; draw one start event",
    ),
    "two assistants": (
        document(parts("task a"), f'\n<process id="q">{parts("task b")}</process>'),
        ":2:1: the processes 'p' and 'q' could both be the assistant's; mark one with isExecutable",
    ),
    "calls that multiply": (
        document('<callActivity id="a" calledElement="q0"/>', "".join(
            f'<process id="q{i}"><startEvent id="s"/><callActivity id="a" calledElement="q{i + 1}"/>'
            f'<callActivity id="b" calledElement="q{i + 1}"/>{parts("s a; a b")}</process>' for i in range(30)
        ) + f'<process id="q30">{parts("task x")}</process>'),
        ":29:100: the process has more than 2000 parts; split it",
    ),
    "calls in calls": (
        document('<callActivity id="a" calledElement="q0"/>', "".join(
            f'<process id="q{i}"><callActivity id="a" calledElement="q{i + 1}"/></process>' for i in range(300)
        )),
        ":1:2862: sub-processes are nested more than 40 deep; flatten them",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_conversation_is_refused_with_place_and_reason(name: str) -> None:
    text, expected = REFUSED[name]
    message = mistake(text)
    assert message.startswith(f"some/x.bpmn{expected}")
    assert ";" in message
    assert "\0" not in message
