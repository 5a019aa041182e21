"""Read a BPMN 2.0 process into a Chart.

Tasks are steps, and those that a machine does are tools; exclusive and event-based gateways, and inclusive ones with
conditions, are questions where they part and nothing where they join. Sub-processes and called processes of the same
file are flattened, without their names and those of their starts and ends. Boundary events and event sub-processes
that interrupt are escapes, which hold at any moment of the conversation; an error at the edge of a tool is another
way on from it. What the customer does, in a lane of that name or as a message that is caught or received, becomes the
label of the arrow; what other pools send to a receive task does not. Forks are put in a row where that is plain.
Whatever cannot be one conversation is refused with the reason: what runs beside it, waits for a clock, or repeats for
each of many.
"""

from __future__ import annotations

from collections.abc import Callable

from flowc.bpmn_net import Net, to_chart
from flowc.bpmn_scope import Around, BpmnFile, read_scope
from flowc.bpmn_terms import (
    DIAGRAM,
    DIAGRAM_PARTS,
    IGNORED,
    IGNORED_EVERYWHERE,
    MODEL,
    called_by,
    check_known,
    descend,
    is_customer,
    local,
    name_of,
)
from flowc.bpmn_xml import Element, fail, read_xml
from flowc.chart import Chart
from flowc.records import UserError


def read_bpmn(text: str, file: str, name: str) -> Chart:
    """Read the assistant's process of a BPMN file; `name` is the procedure's name.

    It is the only process with anything in it, or else the only executable one, or else the only one that is not in a
    customer's pool. Raises UserError `file:line:column: what is wrong; remedy`.
    """
    root = read_xml(text, file)
    if (root.space, root.name) != (MODEL, "definitions"):
        fail(file, root, f"the root is <{root.name[:40]}> of the namespace {root.space[:80]!r}, but BPMN 2.0 has "
             f"<definitions> of {MODEL!r}; export the diagram as BPMN 2.0 XML")  # fmt: skip
    for child in root.children:
        if not (child.space == DIAGRAM and child.name in DIAGRAM_PARTS):
            check_known(file, child, IGNORED["definitions"] | {"process", "collaboration"})
    processes: dict[str, Element] = {}
    for child in root.children:
        if child.name == "process":
            if child.attributes.get("id", "") in processes:
                fail(file, child, "another process has the same id, or none of them has one; give each its own")
            processes[child.attributes.get("id", "")] = child
    named = {
        child.attributes.get("id", ""): child.attributes.get("name", "")
        for child in root.children
        if child.name in ("message", "error", "signal", "escalation")
    }
    source = BpmnFile(file, root, processes, named, _fed_by_others(root, processes))
    process, title = _assistant(source)
    net = Net(file)
    start = read_scope(source, net, process, Around(calls=(process.attributes.get("id", ""),)))
    chart_start = start if start is not None and net.nodes[start].kind == "start" else None
    if not any(node.kind in ("step", "tool", "question") for node in net.nodes.values()):
        fail(file, process, "the process has no task and no question; draw what the assistant does")
    return to_chart(net, name, title, chart_start)


def _fed_by_others(root: Element, processes: dict[str, Element]) -> frozenset[str]:
    """Name what gets all of its messages from pools that are not the customer's."""
    customers = set()
    for pool in descend(root):
        process = processes.get(local(pool.attributes.get("processRef")))
        if pool.name == "participant" and is_customer(name_of(pool) or (name_of(process) if process else "")):
            customers |= {e.attributes.get("id", "") for e in (pool, *(descend(process) if process else ()))}
    flows = [e for e in descend(root) if e.name == "messageFlow"]
    said = {local(f.attributes.get("targetRef")) for f in flows if local(f.attributes.get("sourceRef")) in customers}
    return frozenset(local(f.attributes.get("targetRef")) for f in flows) - said


def _assistant(source: BpmnFile) -> tuple[Element, str]:
    """Choose the process that is the assistant's, and give it with its title."""
    pools: dict[str, str] = {}
    for collaboration in source.root.children:
        if collaboration.name == "collaboration":
            for child in collaboration.children:
                check_known(source.name, child, IGNORED["collaboration"] | {"participant"})
                if child.name == "participant":
                    pools[local(child.attributes.get("processRef"))] = name_of(child)
    called = {called_by(e) for e in descend(source.root) if e.name == "callActivity"}
    nothing = IGNORED["process"] | IGNORED_EVERYWHERE
    found = {n: p for n, p in source.processes.items() if any(c.name not in nothing for c in p.children)}
    if not found:
        raise UserError(f"{source.name}:{source.root.line}:{source.root.column}: no process with anything in it; "
                        "draw one, and export its flow, not only its picture")  # fmt: skip
    filters: tuple[Callable[[str], bool], ...] = (
        lambda n: n not in called,
        lambda n: found[n].attributes.get("isExecutable") == "true",
        lambda n: not is_customer(pools.get(n, "") or name_of(found[n])),
    )
    left = list(found)
    for keep in filters:
        left = [n for n in left if keep(n)] or left
    if len(left) > 1:
        fail(source.name, found[left[1]], f"the processes {left[0]!r} and {left[1]!r} could both be the assistant's; "
             "mark one with isExecutable=\"true\", or name the customer's pool Customer")  # fmt: skip
    process = found[left[0]]
    return process, name_of(process) or pools.get(left[0], "")
