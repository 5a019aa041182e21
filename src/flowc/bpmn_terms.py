"""The words of BPMN 2.0: what is read, what is left out by name, and what everything else is told.

Whatever stands in none of these lists is refused, since leaving it out could change what the process says.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal

from flowc.bpmn_xml import Element, fail

MODEL = "http://www.omg.org/spec/BPMN/20100524/MODEL"
DIAGRAM = "http://www.omg.org/spec/BPMN/20100524/DI"


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


CUSTOMERS = _words("applicant buyer caller client consumer customer guest passenger patient shopper user")
"""Whose lane or pool is the customer's: it has exactly such a name, with or without an article, in the singular."""
STEPS = _words("task userTask manualTask sendTask receiveTask")
TOOLS = _words("serviceTask scriptTask businessRuleTask")
GATEWAYS = _words("exclusiveGateway inclusiveGateway eventBasedGateway parallelGateway complexGateway")
CATCHING = _words("startEvent intermediateCatchEvent boundaryEvent")
EVENTS = CATCHING | {"intermediateThrowEvent", "endEvent"}
SUBS = _words("subProcess transaction callActivity adHocSubProcess")
FLOW_NODES = STEPS | TOOLS | GATEWAYS | EVENTS | SUBS

IGNORED_EVERYWHERE = _words("documentation extensionElements textAnnotation association group")
IGNORED = {
    "definitions": _words(
        """category correlationProperty dataStore endPoint error escalation extension globalBusinessRuleTask
        globalManualTask globalScriptTask globalTask globalUserTask import interface itemDefinition message
        partnerEntity partnerRole relationship resource signal"""
    ),
    "collaboration": _words("messageFlow messageFlowAssociation correlationKey participantAssociation"),
    "process": _words(
        """artifact auditing correlationSubscription dataObject dataObjectReference dataStoreReference humanPerformer
        ioBinding ioSpecification laneSet monitoring performer potentialOwner property resourceRole
        supportedInterfaceRef supports"""
    ),
    "node": _words(
        """auditing categoryValueRef dataInput dataInputAssociation dataOutput dataOutputAssociation humanPerformer
        incoming inputSet ioSpecification monitoring outgoing outputSet performer potentialOwner property rendering
        resourceRole script"""
    ),
}
"""What is left out, by where it stands: data, people, technical definitions, and what is drawn elsewhere again."""
DIAGRAM_PARTS = frozenset({"BPMNDiagram"})
"""The picture, in its own namespace: where everything stands."""

ATTRIBUTES = _words(
    """id name default isInterrupting cancelActivity attachedToRef triggeredByEvent calledElement isForCompensation
    completionQuantity eventGatewayType gatewayDirection implementation instantiate isClosed isExecutable
    isMarkerVisible messageRef method operationRef parallelMultiple processType definitionalCollaborationRef
    scriptFormat startQuantity sourceRef targetRef isImmediate"""
)
"""Attributes of processes, flow nodes and flows: the first line says something, the rest is technical and left out."""

DEFINITIONS = frozenset(
    f"{kind}EventDefinition"
    for kind in ("message", "timer", "signal", "conditional", "error", "escalation", "terminate", "compensate",
                 "cancel", "link")
)  # fmt: skip
"""What an event can be about."""


def check_known(file: str, element: Element, names: frozenset[str]) -> None:
    """Refuse an element that is neither read nor left out on purpose."""
    if element.space != MODEL:
        fail(file, element, f"<{element.name[:40]}> is no element of BPMN; put it into <extensionElements>, which is "
             "left out, or remove it")  # fmt: skip
    if element.name not in names | IGNORED_EVERYWHERE:
        fail(file, element, f"<{element.name[:40]}> is not understood here, and leaving it out could change what the "
             "process says; remove it, or draw it with tasks, gateways, events and sub-processes")  # fmt: skip


def check_plain(file: str, element: Element) -> None:
    """Refuse attributes that are not known, and text where BPMN has none."""
    for attribute in element.attributes:
        if attribute not in ATTRIBUTES:
            fail(file, element, f"the attribute {attribute[:40]!r} is not understood here; remove it")
    if element.text:
        fail(file, element, f"the text {element.text[:40]!r} stands here between elements; put it into a name")


def name_of(element: Element) -> str:
    """Give an element's name, white space collapsed."""
    return " ".join(element.attributes.get("name", "").split())


def local(reference: str | None) -> str:
    """Give a reference without the prefix of its namespace."""
    return (reference or "").strip().rpartition(":")[2]


def is_customer(name: str) -> bool:
    """Whether a lane or pool of that name is the customer's."""
    return re.sub(r"^(the|a|an) ", "", name.lower()) in CUSTOMERS


def received(name: str) -> str:
    """Give what arrives in a task that waits for it: of "Receive the address" and "Address received" the address."""
    found = re.fullmatch(
        r"(?:receive|get|await|wait for) (?:(?:the|an?) )?(.+)|(?:(?:the|an?) )?(.+?) (?:is |was )?received", name, re.I
    )
    return found[1] or found[2] if found else name


def received_as(
    name: str, nodes: dict[str, Element], into: set[str], out: dict[str, list[Element]], inside: bool
) -> Literal["spoken", "start", "through"]:
    """Say what a task is in which the customer's message arrives; `into` are the kinds of nodes right before it.

    What comes before the assistant has said anything tells what happened before, as a start event does. Behind a task
    that a gateway without a name follows, the gateway's flows say what the customer says.
    """
    first = not inside and into <= {"startEvent"}
    if first and not into and all(element.name != "startEvent" for element in nodes.values()):
        return "start"
    behind = [flow.attributes["targetRef"] for flow in out[name]]
    gateway = nodes[behind[0]] if len(behind) == 1 and len(out[behind[0]]) > 1 else None
    asks = gateway and gateway.name in ("exclusiveGateway", "inclusiveGateway") and not name_of(gateway)
    return "through" if (first and into) or (asks and "eventBasedGateway" not in into) else "spoken"


def descend(element: Element) -> Iterator[Element]:
    """Give an element and everything in it."""
    yield element
    for child in element.children:
        yield from descend(child)


def called_by(element: Element) -> str:
    """Name the process that a call activity calls, by BPMN's attribute or as Camunda 8 writes it."""
    for child in descend(element):
        if child.name == "calledElement" and child.space != MODEL:
            return child.attributes.get("processId", "")
    return local(element.attributes.get("calledElement"))


def condition(flow: Element) -> str:
    """Give the label of a flow: its name, or else its condition without the marks of an expression."""
    if name_of(flow):
        return name_of(flow)
    for child in flow.children:
        if child.name == "conditionExpression":
            expression = re.fullmatch(r"[#$]\{(.*)\}|=\s*(.*)", child.text)
            return (expression[1] or expression[2] or "").strip() if expression else child.text
    return ""


def on_event(element: Element) -> bool:
    """Whether a sub-process is begun by an event at any time."""
    return element.attributes.get("triggeredByEvent") == "true"


def refuse_beside(file: str, element: Element) -> None:
    """Refuse an event that does not interrupt."""
    fail(file, element, "this event does not interrupt, so two conversations would go on at once; make it "
         "interrupting, or draw it as a step")  # fmt: skip


def refuse_clock(file: str, name: str, element: Element, kinds: str) -> None:
    """Refuse an event of a clock, which no customer says."""
    if kinds == "timer":
        fail(file, element, f"{name!r} goes off by a clock, and in a conversation no time passes; draw what the "
             "customer says then, or remove it")  # fmt: skip


def refuse_loop(file: str, name: str, element: Element) -> None:
    """Refuse a task or sub-process with a marker for several runs."""
    for child in element.children:
        if child.name in ("standardLoopCharacteristics", "multiInstanceLoopCharacteristics"):
            fail(file, child, f"{name!r} repeats by itself; draw the loop with a gateway, so that it is clear when it "
                 "ends")  # fmt: skip


def begun_by_event(element: Element) -> bool:
    """Whether something else than a flow leads to a node."""
    linked = any(child.name == "linkEventDefinition" for child in element.children)
    return element.name == "boundaryEvent" or on_event(element) or linked


def link_name(element: Element) -> str | None:
    """Give the name of a link event, and None for other events."""
    for child in element.children:
        if child.name == "linkEventDefinition":
            return name_of(child) or name_of(element)
    return None


def is_default(flow: Element, source: Element) -> bool:
    """Whether a flow is the default of the node that it leaves."""
    return "id" in flow.attributes and flow.attributes["id"] == source.attributes.get("default")


def flows_of(file: str, scope: Element, nodes: dict[str, Element]) -> list[Element]:
    """Give the flows of a scope, which all join two of its nodes."""
    flows = [child for child in scope.children if child.name == "sequenceFlow"]
    for flow in flows:
        for key in ("sourceRef", "targetRef"):
            end = flow.attributes.get(key, "")
            if end not in nodes:
                fail(file, flow, f"{key} of this flow is {end[:80]!r}, which is not in the same process or "
                     "sub-process; correct it")  # fmt: skip
        if nodes[flow.attributes["sourceRef"]].name == "endEvent":
            fail(file, flow, "this flow leaves an end event; remove it, or make the end a task")
        target = nodes[flow.attributes["targetRef"]]
        if target.name in ("startEvent", "boundaryEvent") or on_event(target):
            fail(file, flow, "this flow leads to what only an event begins; lead it to the step behind that")
        for child in flow.children:
            check_known(file, child, IGNORED["node"] | {"conditionExpression"})
    return flows


def spoken_in(file: str, scope: Element, nodes: dict[str, Element], everything: bool) -> frozenset[str]:
    """Name the nodes of a scope that are in a lane of the customer."""
    out: set[str] = set(nodes) if everything else set()
    lanes = [e for child in scope.children if child.name == "laneSet" for e in descend(child) if e.name == "lane"]
    for lane in lanes:
        if is_customer(name_of(lane)):
            out |= {e.text for e in descend(lane) if e.name == "flowNodeRef"}
        for child in lane.children:
            check_known(file, child, frozenset({"flowNodeRef", "childLaneSet", "partitionElement"}))
    return frozenset(out)
