"""What is in a process or a sub-process becomes nodes and ways of a Net, the sub-processes in it too."""

from __future__ import annotations

from typing import NamedTuple

from flowc.bpmn_net import Net, Node, Part
from flowc.bpmn_terms import (
    DEFINITIONS,
    EVENTS,
    FLOW_NODES,
    GATEWAYS,
    IGNORED,
    MODEL,
    SUBS,
    TOOLS,
    begun_by_event,
    called_by,
    check_known,
    check_plain,
    condition,
    descend,
    flows_of,
    is_default,
    link_name,
    local,
    name_of,
    on_event,
    received,
    received_as,
    refuse_beside,
    refuse_clock,
    refuse_loop,
    spoken_in,
)
from flowc.bpmn_xml import Element, fail
from flowc.chart import Kind
from flowc.graph import Terminal

DEEPEST = 40
"""Sub-processes in sub-processes, called ones too; the limit keeps hostile files off Python's stack."""


class BpmnFile(NamedTuple):
    """What is known of the whole file."""

    name: str
    root: Element
    processes: dict[str, Element]
    named: dict[str, str]
    """The names of messages, errors, signals and escalations, by id."""
    fed: frozenset[str] = frozenset()
    """The ids of what gets its messages from other pools than the customer's."""


class _Catch(NamedTuple):
    """A boundary event of an activity around: what it catches and where it stands."""

    kind: str
    reference: str | None
    boundary: str
    label: str
    tools: bool
    """Whether only the tools inside can be what fails: no end in there is an error."""


class Around(NamedTuple):
    """What a scope knows of the one around it; `exit` is where its plain ends lead, None to end everything."""

    prefix: str = ""
    exit: str | None = None
    catches: tuple[_Catch, ...] = ()
    calls: tuple[str, ...] = ()
    depth: int = 0
    spoken: bool = False
    event: Element | None = None
    """The event sub-process whose inside this is."""


def read_scope(source: BpmnFile, net: Net, scope: Element, around: Around) -> str | None:
    """Read what is in a process or sub-process; give its start, or the node that stands first."""
    file, prefix = source.name, around.prefix
    nodes: dict[str, Element] = {}
    check_plain(file, scope)
    for child in scope.children:
        check_known(file, child, IGNORED["process"] | FLOW_NODES | {"sequenceFlow"} | (_inside(scope)))
        if child.name in FLOW_NODES:
            if not child.attributes.get("id"):
                fail(file, child, f"this {child.name} has no id; give it one")
            if child.attributes["id"] in nodes:
                fail(file, child, f"the id {child.attributes['id'][:80]!r} is given twice; rename one")
            nodes[child.attributes["id"]] = child
        if child.name in FLOW_NODES or child.name == "sequenceFlow":
            check_plain(file, child)
    flows = flows_of(file, scope, nodes)
    out: dict[str, list[Element]] = {name: [] for name in nodes}
    into: dict[str, list[Element]] = {name: [] for name in nodes}
    for flow in flows:
        out[flow.attributes["sourceRef"]].append(flow)
        into[flow.attributes["targetRef"]].append(flow)
    for name, element in nodes.items():
        default = element.attributes.get("default")
        if default is not None and all(flow.attributes.get("id") != default for flow in out[name]):
            fail(file, element, f"the default of {name!r} is {default[:80]!r}, which is no flow out of it; correct it")
    reader = _Reader(source, net, around, nodes, out, into, spoken_in(file, scope, nodes, around.spoken), set())
    for name, element in nodes.items():
        if element.name != "boundaryEvent":
            reader.read(name, element)
    for name, element in nodes.items():
        if element.name == "boundaryEvent":
            reader.edge(name, element)
    for flow in flows:
        reader.lead(flow)
    events = [n for n, e in nodes.items() if e.name == "startEvent"]
    if len(events) > 1:
        fail(file, nodes[events[1]], f"{events[1]!r} is a second start beside {events[0]!r}; a conversation begins at "
             "one place, so draw one start and a gateway behind it")  # fmt: skip
    firsts = events or [n for n, e in nodes.items() if not into[n] and not begun_by_event(e)]
    if len(firsts) != 1 and around.depth:
        fail(file, scope, f"it is not clear where {scope.name} {name_of(scope)!r} begins; draw one start event")
    return prefix + firsts[0] if len(firsts) == 1 else None


def _inside(scope: Element) -> frozenset[str]:
    return IGNORED["node"] if scope.name != "process" else frozenset()


class _Reader(NamedTuple):
    """What is needed to read the nodes of one scope."""

    source: BpmnFile
    net: Net
    around: Around
    nodes: dict[str, Element]
    out: dict[str, list[Element]]
    into: dict[str, list[Element]]
    spoken: frozenset[str]
    failing: set[str]
    """The tools with an error at their edge."""

    def read(self, name: str, element: Element) -> None:
        """Add a node of the scope."""
        file, kind = self.source.name, element.name
        waited = any(self.nodes[f.attributes["sourceRef"]].name == "eventBasedGateway" for f in self.into[name])
        if waited and kind not in ("receiveTask", "intermediateCatchEvent"):
            fail(file, element, "an event-based gateway leads here, but this is not a message that the customer "
                 "sends; use an exclusive gateway")  # fmt: skip
        if element.attributes.get("isForCompensation") == "true":
            fail(file, element, f"{name!r} undoes something that was done, which has no place in the conversation; "
                 "draw the way to it")  # fmt: skip
        if kind in SUBS:
            self.sub(name, element)
            return
        if kind in EVENTS:
            self.event(name, element)
            return
        refuse_loop(file, name, element)
        for child in element.children:
            check_known(file, child, IGNORED["node"])
        if kind in GATEWAYS:
            self.gateway(name, element)
            return
        part: Kind | Part = "tool" if kind in TOOLS else "step"
        if waited or name in self.spoken:
            part = "spoken"
        if part == "tool":
            self.fails_outward(name)
        if kind == "receiveTask":
            self.receive(name, element, waited or name in self.spoken or name not in self.source.fed)
        else:
            self.task(name, element, part)

    def receive(self, name: str, element: Element, spoken: bool) -> None:
        """Add a task that waits for a message: what the customer says, unless another pool sends it."""
        label = name_of(element) or self.meant(element)
        into = {self.nodes[flow.attributes["sourceRef"]].name for flow in self.into[name]}
        part = received_as(name, self.nodes, into, self.out, self.around.depth > 0) if spoken else "step"
        self.task(name, element, part, received(label) if spoken else label)

    def fails_outward(self, name: str) -> None:
        """Lead from a tool to the boundary event around it that catches its error: one more result of the tool."""
        attached = [e for e in self.nodes.values() if e.attributes.get("attachedToRef") == name]
        if any(child.name == "errorEventDefinition" for edge in attached for child in edge.children):
            return
        for catch in self.around.catches:
            if catch.kind == "error":
                if catch.tools:
                    self.net.lead(self.around.prefix + name, catch.boundary, self.nodes[name], catch.label)
                    self.failing.add(name)
                return

    def task(self, name: str, element: Element, part: Kind | Part, label: str = "") -> None:
        """Add a step, which needs a text; several ways out of it need conditions."""
        file, label = self.source.name, label or name_of(element)
        if not label:
            fail(file, element, f"{element.name} {name!r} has no name; write in it what happens there")
        self.conditions(name, element)
        self.net.add(self.around.prefix + name, Node(part, label, element))
        if not self.out[name] and self.around.exit:
            self.net.lead(self.around.prefix + name, self.around.exit, element, default=name in self.failing)

    def conditions(self, name: str, element: Element) -> None:
        """Refuse several ways on of which one has no condition: BPMN takes them all at the same time."""
        for flow in self.out[name] if len(self.out[name]) > 1 else []:
            if not condition(flow) and not is_default(flow, element):
                fail(self.source.name, flow, f"several flows leave {name!r} and this one has no condition, so it runs "
                     "beside the others; write the condition, or put a gateway between")  # fmt: skip

    def gateway(self, name: str, element: Element) -> None:
        """Add a gateway: a question where it parts, a part to be taken out where it joins."""
        file, kind = self.source.name, element.name
        parts = len(self.out[name]) > 1
        part: Kind | Part = "question" if parts else "through"
        if kind == "complexGateway":
            fail(file, element, "a complex gateway follows a rule that the drawing does not show; use exclusive "
                 "gateways")  # fmt: skip
        if kind == "inclusiveGateway":
            self.conditions(name, element)
        if kind == "parallelGateway":
            if parts and len(self.into[name]) > 1:
                fail(file, element, "this gateway joins and forks at once; draw two gateways")
            part = "fork" if parts else "join" if len(self.into[name]) > 1 else "through"
        self.net.add(self.around.prefix + name, Node(part, name_of(element), element))

    def event(self, name: str, element: Element) -> None:
        """Add an event that is not at an edge."""
        file, kind, key = self.source.name, element.name, self.around.prefix + name
        what = self.definition(element)
        label = name_of(element) or self.meant(what)
        kinds = what.name.removesuffix("EventDefinition") if what else ""
        if kind == "startEvent":
            self.conditions(name, element)
            part: Kind | Part = "through" if self.around.depth else "start"
            if self.around.event:
                refuse_clock(file, name, element, kinds)
                part, label = "escape", label or name_of(self.around.event)
                if element.attributes.get("isInterrupting") == "false":
                    refuse_beside(file, element)
                if not label:
                    fail(file, element, f"start event {name!r} has no name; write what the customer says then")
            self.net.add(key, Node(part, label, element))
        elif kind == "endEvent":
            self.end(key, element, kinds, label, what)
        elif kinds == "link":
            self.link(key, element)
        elif kind == "intermediateCatchEvent" and kinds not in ("message", "signal"):
            fail(file, element, f"{name!r} waits for something else than a message of the customer, and a conversation "
                 "cannot wait; make it a step or a question")  # fmt: skip
        elif kinds == "compensate":
            fail(file, element, f"{name!r} undoes other steps, which the drawing does not show; draw them")
        elif kind == "intermediateThrowEvent" and not label and not kinds:
            self.net.add(key, Node("through", "", element))
        else:
            spoken = kind == "intermediateCatchEvent" or name in self.spoken
            self.task(name, element, "spoken" if spoken else "step", label)

    def end(self, key: str, element: Element, kinds: str, label: str, what: Element | None) -> None:
        """Add an end event: an end of the conversation, or the way out of a sub-process."""
        if kinds == "compensate":
            fail(self.source.name, element, "this end undoes other steps, which the drawing does not show; draw them")
        if kinds in ("error", "escalation", "cancel"):
            reference = local(what.attributes.get(f"{kinds}Ref")) if what else ""
            for catch in self.around.catches:
                if catch.kind == kinds and catch.reference in (None, reference):
                    self.net.add(key, Node("through", label, element))
                    self.net.lead(key, catch.boundary, element)
                    return
        elif self.around.exit:
            self.net.add(key, Node("through", label, element))
            self.net.lead(key, self.around.exit, element)
            return
        terminal: Terminal | None = "escalation" if kinds == "escalation" else None
        if kinds in ("terminate", "error", "cancel"):
            terminal = "abandonment"
        self.net.add(key, Node("end", label, element, terminal))

    def link(self, key: str, element: Element) -> None:
        """Add a link event; the one that throws leads to the one that catches the same name."""
        self.net.add(key, Node("through", "", element))
        if element.name == "intermediateThrowEvent":
            name = link_name(element)
            for other, catching in self.nodes.items():
                if catching.name == "intermediateCatchEvent" and link_name(catching) == name:
                    self.net.lead(key, self.around.prefix + other, element)
                    return
            fail(self.source.name, element, f"no link event catches {name!r}; draw one with that name")

    def sub(self, name: str, element: Element) -> None:
        """Add a sub-process or a called process: what is in it, between a way in and a way out."""
        file, around, key = self.source.name, self.around, self.around.prefix + name
        inner, prefix, calls = element, around.prefix, around.calls
        refuse_loop(file, name, element)
        if element.name == "adHocSubProcess":
            fail(file, element, f"the steps of {name!r} have no order; draw one with flows")
        if element.name == "callActivity":
            called = called_by(element)
            if not called:
                fail(file, element, f"{name!r} does not say which process it calls; put that process in this file and "
                     "name it, or make this a task")  # fmt: skip
            if called not in self.source.processes:
                fail(file, element, f"{name!r} calls {called[:80]!r}, which is not a process of this file; put that "
                     "process in, or make this a task")  # fmt: skip
            if called in calls:
                fail(file, element, f"{name!r} calls {called!r} from within itself; draw a loop instead")
            for child in element.children:
                check_known(file, child, IGNORED["node"])
            inner, prefix, calls = self.source.processes[called], key + ".", (*calls, called)
        starts = [child for child in inner.children if child.name == "startEvent"]
        if on_event(element) and len(starts) != 1:
            fail(file, element, f"event sub-process {name!r} needs one start event; draw what begins it")
        if not any(child.name in FLOW_NODES for child in inner.children):
            for child in element.children:
                check_known(file, child, IGNORED["node"] | IGNORED["process"])
            self.task(name, element, "spoken" if name in self.spoken else "step")
            return
        way_out = around.exit
        if not on_event(element):
            self.conditions(name, element)
            self.net.add(key, Node("through", "", element))
            if self.out[name]:
                way_out = _exit(key)
                self.net.add(way_out, Node("through", "", element))
        thrown = any(
            c.name == "errorEventDefinition" for e in descend(inner) if e.name == "endEvent" for c in e.children
        )
        catches = []
        for other, edge in self.nodes.items():
            if edge.name == "boundaryEvent" and edge.attributes.get("attachedToRef") == name:
                what = self.definition(edge)
                kinds = what.name.removesuffix("EventDefinition") if what else ""
                reference = local(what.attributes.get(f"{kinds}Ref")) if what else ""
                label = name_of(edge) or self.meant(what)
                catches.append(_Catch(kinds, reference or None, around.prefix + other, label, not thrown))
        if around.depth == DEEPEST:
            fail(file, element, f"sub-processes are nested more than {DEEPEST} deep; flatten them")
        first = read_scope(self.source, self.net, inner, Around(
            prefix, way_out, (*catches, *around.catches), calls, around.depth + 1, name in self.spoken,
            element if on_event(element) else None,
        ))  # fmt: skip
        if not on_event(element) and first is not None:
            self.net.lead(key, first, element)

    def edge(self, name: str, element: Element) -> None:
        """Add a boundary event: an escape, or a way on from the tool or the sub-process that fails."""
        file, key = self.source.name, self.around.prefix + name
        host = element.attributes.get("attachedToRef", "")
        what = self.definition(element)
        label = name_of(element) or self.meant(what)
        if host not in self.nodes:
            fail(file, element, f"{name!r} is attached to {host[:80]!r}, which is not in the same process; correct it")
        if element.attributes.get("cancelActivity") == "false":
            refuse_beside(file, element)
        refuse_clock(file, name, element, what.name.removesuffix("EventDefinition") if what is not None else "")
        if what is not None and what.name == "compensateEventDefinition":
            fail(file, element, f"{name!r} undoes {host!r} later, which has no place in the conversation; draw the way")
        self.conditions(name, element)
        if any(way.target == key for way in self.net.ways):
            self.net.add(key, Node("through", label, element))
            return
        if not label:
            fail(file, element, f"boundary event {name!r} has no name; write what the customer says or what happens")
        if what is not None and what.name == "errorEventDefinition" and self.nodes[host].name in TOOLS:
            self.net.add(key, Node("spoken", label, element))
            self.net.lead(self.around.prefix + host, key, element)
            self.failing.add(host)
        else:
            self.net.add(key, Node("escape", label, element))

    def lead(self, flow: Element) -> None:
        """Add a sequence flow as an arrow."""
        source, target = flow.attributes["sourceRef"], flow.attributes["targetRef"]
        element, key = self.nodes[source], self.around.prefix + source
        label = condition(flow)
        default = is_default(flow, element) or (source in self.failing and not label)
        self.net.lead(_exit(key) if _exit(key) in self.net.nodes else key, self.around.prefix + target, flow, label,
                      default)  # fmt: skip

    def definition(self, element: Element) -> Element | None:
        """Give what an event is about, None for a plain one."""
        found = []
        for child in element.children:
            if child.space == MODEL and child.name in DEFINITIONS:
                found.append(child)
            else:
                check_known(self.source.name, child, IGNORED["node"])
        if len(found) > 1:
            fail(self.source.name, found[1], "this event is about two things; draw one event for each")
        return found[0] if found else None

    def meant(self, what: Element | None) -> str:
        """Give the name of the message, error, signal or escalation that an event is about."""
        for key in ("messageRef", "errorRef", "signalRef", "escalationRef"):
            if what is not None and key in what.attributes:
                return " ".join(self.source.named.get(local(what.attributes[key]), "").split())
        return ""


def _exit(key: str) -> str:
    """Name the way out of a sub-process; no id in XML has a NUL."""
    return key + "\0"
