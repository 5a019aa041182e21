"""Read a flow of Rasa CALM (flows.yml) into a Chart; flows that it calls or links to become part of it.

Every step is a box but those that only lead on: `noop` without conditions, `call` and `link`. A `collect` is a step
that collects its slot, each of its rejections a step that leads back to it. `action_*` is a tool, `utter_*` a step,
and `set_slots`, which changes what later conditions see, a tool too, as is the call of an MCP tool. Conditions are the
labels of arrows; those on the slot that is collected right there are what the user answers.
"""

from __future__ import annotations

from collections import Counter, deque
from typing import NamedTuple

from flowc.chart import Arrow, Box, Chart
from flowc.rasa_steps import END, Step, condition, either, label_of, read_flow
from flowc.yaml_fields import Fields
from flowc.yaml_lines import Loc

_PERSON = "pattern_human_handoff"
"""Rasa's own flow that hands the conversation over; a project may write it anew."""
_MANY_BOXES = 5000  # a flow that is called at two places is drawn twice; calls in calls multiply


class _Copy(NamedTuple):
    """A flow drawn once: where it goes on when it ends, the flows that wait for that, and the ids of its steps."""

    flow: str
    then: str
    callers: tuple[str, ...]
    ids: dict[Loc, str]


def read_rasa(text: str, file: str, name: str, flow: str | None) -> Chart:
    """Read one flow of a file; `name` is the procedure's name, and `flow` which to read where there are several.

    Raises UserError `file:line:column: what is wrong; what to do`.
    """
    doc = Fields(text, file, "there are no flows; write them under `flows`")
    doc.keys((), ("flows", "version"))
    flows = doc.keys(("flows",))
    if not flows:
        doc.fail(("flows",), "there are no flows; write them under `flows`")
    listed = ", ".join(flows[:20]) + (", ..." if len(flows) > 20 else "")
    if flow is None and len(flows) > 1:
        doc.fail(("flows",), f"there are {len(flows)} flows ({listed}); choose one: `flow: {flows[0]}` "
                 "beside the `file` in conf/config.yaml and `make params`, or --flow (make: FLOW=)")  # fmt: skip
    flow = flows[0] if flow is None else flow
    if flow not in flows:
        doc.fail(("flows",), f"there is no flow {flow!r}; choose one of {listed}")
    return _Drawing(doc, flows).draw(flow, name)


class _Drawing:
    """Boxes and arrows so far. Steps that only lead on have an entry in `aliases` in place of a box."""

    def __init__(self, doc: Fields, flows: list[str]) -> None:
        self._doc, self._flows = doc, set(flows)
        self._steps: dict[str, list[Step]] = {}
        self._copies: dict[tuple[str, str], _Copy] = {}
        self._todo: deque[_Copy] = deque()
        self._drawn: Counter[str] = Counter()
        self._boxes: dict[str, Box] = {}
        self._arrows: list[Arrow] = []
        self._aliases: dict[str, tuple[str, Loc]] = {}
        self._taken = {END}
        self._person = ""

    def draw(self, flow: str, name: str) -> Chart:
        """Draw a flow and all that it leads to."""
        doc, loc = self._doc, ("flows", flow)
        start = self._copy(flow, END, (), loc)
        while self._todo:
            self._draw_copy(self._todo.popleft())
        arrows = [a.model_copy(update={"target": self._end_of(a.target)}) for a in self._arrows]
        start = self._end_of(start)
        ends = [a.line for a in arrows if a.target == END] or ([doc.line(loc)] if start == END else [])
        if ends:
            self._boxes[END] = Box(label=END, kind="end", line=min(ends))
        slots: dict[str, tuple[str, ...]] = {box.collects: () for box in self._boxes.values() if box.collects}
        title = doc.text((*loc, "name")) or doc.text((*loc, "description"))
        return Chart(name=name, title=title, start=start, boxes=self._boxes, arrows=tuple(arrows), slots=slots)

    def _copy(self, flow: str, then: str, callers: tuple[str, ...], loc: Loc) -> str:
        """Give the id of the first step of a flow that goes on at `then`; the same copy for the same continuation."""
        if (flow, then) not in self._copies:
            if flow not in self._steps:
                self._steps[flow] = read_flow(self._doc, flow)
            self._drawn[flow] += 1
            again = self._drawn[flow]
            prefix = "" if not self._copies else f"{flow}." if again == 1 else f"{flow}.{again}."
            ids = {step.loc: self._new_id(prefix + step.id, loc) for step in self._steps[flow]}
            self._copies[flow, then] = _Copy(flow, then, callers, ids)
            self._todo.append(self._copies[flow, then])
        return next(iter(self._copies[flow, then].ids.values()))

    def _new_id(self, wanted: str, loc: Loc) -> str:
        if len(self._taken) > _MANY_BOXES:
            self._doc.fail(loc, f"the flow and what it calls make more than {_MANY_BOXES} boxes; read a smaller flow")
        while wanted in self._taken:
            wanted += "_"
        self._taken.add(wanted)
        return wanted

    def _draw_copy(self, copy: _Copy) -> None:
        named = {step.own: copy.ids[step.loc] for step in self._steps[copy.flow] if step.own}
        for step in self._steps[copy.flow]:
            here = copy.ids[step.loc]
            targets = [copy.ids[li.to] if li.to else named[li.id] if li.id else copy.then for li in step.links]
            if step.box:
                self._boxes[here] = step.box
                self._reject(here, step)
                self._lead_on(here, step, targets)
            elif step.type == "noop":
                self._aliases[here] = (targets[0], step.loc)
            else:
                if len(targets) > 1:  # the conditions hold when the called flow has ended
                    behind = self._new_id(f"{here}.next", step.loc)
                    self._boxes[behind] = Box(label=either(step.links), kind="question", line=self._doc.line(step.loc))
                    self._lead_on(behind, step, targets)
                    targets = [behind]
                self._aliases[here] = (self._enter(copy, step, targets), step.loc)

    def _enter(self, copy: _Copy, step: Step, targets: list[str]) -> str:
        """Give the first step of the flow that a call or a link leads to."""
        loc = (*step.loc, step.type)
        flow = self._doc.name(loc)
        if flow == _PERSON and flow not in self._flows:
            self._person = self._person or self._new_id(_PERSON, loc)
            line = self._doc.line(loc)
            self._boxes.setdefault(
                self._person, Box(label="hand over to a colleague", kind="end", terminal="escalation", line=line)
            )
            return self._person
        if flow not in self._flows:
            self._doc.fail(loc, f"{step.type} leads to the flow {flow!r}, which is not in this file; add it to the "
                           "file, or put an action in its place")  # fmt: skip
        callers = (*copy.callers, copy.flow) if step.type == "call" else copy.callers
        if flow in callers:
            self._doc.fail(loc, f"flow {flow!r} is still waiting for this one to end, so it would never end; lead "
                           "back with `next`, or call another flow")  # fmt: skip
        return self._copy(flow, targets[0] if step.type == "call" else copy.then, callers, loc)

    def _lead_on(self, here: str, step: Step, targets: list[str]) -> None:
        """Draw the arrows on; beside rejections the only one is taken when none of them holds."""
        only = len(targets) == 1 and bool(self._doc.items((*step.loc, "rejections")))
        for link, target in zip(step.links, targets, strict=True):
            self._arrow(here, target, link.label, link.default or only, link.loc)

    def _reject(self, here: str, step: Step) -> None:
        for place in self._doc.items((*step.loc, "rejections")) if step.type == "collect" else ():
            self._doc.keys(place, ("if", "utter"))
            label = condition(self._doc, (*place, "if"))
            said = label_of(self._doc, (*place, "utter"), "utter_")
            box = self._new_id(f"{here}.{said.replace(' ', '_')}", place)
            self._boxes[box] = Box(label=said, line=self._doc.line(place))
            self._arrow(here, box, label, False, (*place, "if"))
            self._arrow(box, here, "", False, (*place, "utter"))

    def _arrow(self, source: str, target: str, label: str, default: bool, loc: Loc) -> None:
        line = self._doc.line(loc)
        self._arrows.append(Arrow(source=source, target=target, label=label, default=default, line=line))

    def _end_of(self, target: str) -> str:
        """Follow what only leads on to the box behind it."""
        passed: set[str] = set()
        while target in self._aliases:
            if target in passed:
                self._doc.fail(self._aliases[target][1], "this step leads only back to itself; give it a `next`")
            passed.add(target)
            target = self._aliases[target][0]
        return target
