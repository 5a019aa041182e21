"""A Chart as a conversation can follow it: one start, a word on every choice, a way out of every loop.

Boxes without words are passed over, a question without words is asked by the box before it, and a question about a
tool's result becomes the tool's outcomes.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, NoReturn

from flowc.chart import Arrow, Box, Chart
from flowc.chart_words import hands_over, is_only_end, is_start, is_trigger, terminal_of, undecorated
from flowc.records import UserError

_MOST_ARROWS = 30
_LONGEST = 400  # characters of a label: what one speaks in a breath
OTHERWISE = "otherwise"
_SEVERAL = "write on each when it is taken, and in the box what the customer is asked"
Fail = Callable[[int, str], NoReturn]
"""Raises UserError for what is wrong on a line."""


class Flow(NamedTuple):
    """What is left of a chart: the boxes where something happens, in order, and the arrows out of each."""

    start: str
    boxes: dict[str, Box]
    ways: dict[str, tuple[Arrow, ...]]
    escapes: dict[int, str]
    """Index of an escape to the box where it leads."""
    guessed: bool
    """Whether an arrow leads to each box, so that the first one written is taken for the start."""


def failing(file: str) -> Fail:
    """Give the function that raises UserError with file and line."""

    def fail(line: int, message: str) -> NoReturn:
        raise UserError(f"{file}:{line}: {message}")

    return fail


def said(label: str) -> str:
    """Give a label without case and closing marks: what tells one answer from another."""
    return " ".join(label.casefold().split()).strip(" .!?,;:") or label


def flow_of(chart: Chart, fail: Fail) -> Flow:
    """Check a chart and reduce it to what happens in a conversation.

    Raises UserError for the first mistake, with its line and a remedy.
    """
    _check_size(chart, fail)
    _check_ends(chart, fail)
    start, guessed = _start(chart, fail)
    out: dict[str, list[Arrow]] = {name: [] for name in chart.boxes}
    for arrow in chart.arrows:
        label = arrow.label or (OTHERWISE if arrow.default else "")
        out[arrow.source].append(arrow.model_copy(update={"label": label}))
    _check_reach(chart, start, out, fail)
    asked = _ask_before(chart, start, out)
    silent = {
        n
        for n, box in chart.boxes.items()
        if n not in asked and _is_silent(n == start and _only_starts(box, chart.event_start, out[n]), box, out[n])
    }
    ends = _plain_ends(chart, out)

    def onward(name: str) -> str:
        passed: set[str] = set()
        while name in silent:
            if name in passed:
                fail(chart.boxes[name].line, f"box {name!r} is in a loop of boxes without words; give it a way out")
            passed.add(name)
            name = out[name][0].target
        return ends.get(name, name)

    results = {onward(arrows[0].target) for n, arrows in out.items()
               if chart.boxes[n].kind == "tool" and len(arrows) == 1 and not arrows[0].label}  # fmt: skip
    for name, box in chart.boxes.items():
        if name not in silent | asked:
            if box.kind != "tool" and name not in results:
                out[name] = _worded(out[name], chart.boxes)
            only_starts = name == start and _only_starts(box, chart.event_start, out[name])
            _check_arrows(name, box, out[name], only_starts, fail)
    ways = {n: tuple(a.model_copy(update={"target": onward(a.target)}) for a in arrows)
            for n, arrows in out.items() if n not in silent | asked}  # fmt: skip
    first = onward(start)
    merged = {n: _merged(n, chart.boxes, ways, first) for n in ways}
    handed = _handed_over(chart.boxes, merged, first)
    merged |= dict.fromkeys(handed, ())
    if not ways[first]:
        fail(chart.boxes[first].line, f"the conversation ends with its first box, {first!r}; put a step before it")
    escapes = {i: onward(escape.target) for i, escape in enumerate(chart.escapes)}
    used = reach([first, *escapes.values()], {n: [a.target for a in arrows] for n, arrows in merged.items()})
    boxes = {n: handed.get(n, b) for n, b in chart.boxes.items() if n in used}
    flow = Flow(first, boxes, {n: merged[n] for n in boxes}, escapes, guessed)
    _check_way_out(flow, fail)
    return flow


def _check_size(chart: Chart, fail: Fail) -> None:
    labels = [
        (what.line, what.label) for group in (chart.boxes.values(), chart.arrows, chart.escapes) for what in group
    ]
    for line, label in labels:
        if len(label) > _LONGEST:
            fail(line, f"a label of {len(label)} characters is too long to be said, at most {_LONGEST}; "
                 "shorten it, or split the box")  # fmt: skip
    for name, number in Counter(a.source for a in chart.arrows).items():
        if number > _MOST_ARROWS and name in chart.boxes:
            fail(chart.boxes[name].line, f"{number} arrows leave box {name!r}, at most {_MOST_ARROWS} can be "
                 "told apart; ask in two steps")  # fmt: skip


def _check_ends(chart: Chart, fail: Fail) -> None:
    for arrow in chart.arrows:
        for name in (arrow.source, arrow.target):
            if name not in chart.boxes:
                fail(arrow.line, f"this arrow joins box {name!r}, which does not exist; draw it or correct the id")
    for escape in chart.escapes:
        if escape.target not in chart.boxes:
            fail(escape.line, f"this way out leads to box {escape.target!r}, which does not exist; draw it")
        if not re.search(r"\w", escape.label):
            fail(escape.line, "this way out has no words; write when the customer takes it")


def _start(chart: Chart, fail: Fail) -> tuple[str, bool]:
    """Find the first box, and say whether it is a guess.

    Charts whose last question leads back to the first box are common, and drawn from there on: the first box written is
    taken where all others can be reached from it.
    """
    if chart.start is not None:
        if chart.start not in chart.boxes:
            fail(1, f"the start is box {chart.start!r}, which does not exist; draw it or correct the id")
        return chart.start, False
    led_to = {a.target for a in chart.arrows if a.source != a.target} | {e.target for e in chart.escapes}
    drawn = [n for n, box in chart.boxes.items() if box.kind == "start"]
    found = drawn or [n for n in chart.boxes if n not in led_to]
    first, box = next(iter(chart.boxes.items()))
    if not found:
        following: dict[str, list[str]] = {n: [] for n in chart.boxes}
        for arrow in chart.arrows:
            following[arrow.source].append(arrow.target)
        if len(reach([first], following)) == len(chart.boxes):
            return first, True
        fail(box.line, "no box is the start, for an arrow leads to each, and from the first one not all can be "
             "reached; draw a start box with an arrow to the first step")  # fmt: skip
    if len(found) > 1:
        where = ", ".join(f"{n!r} (line {chart.boxes[n].line})" for n in found[:10])
        fail(chart.boxes[found[1]].line, f"{len(found)} boxes may be the start: {where}; leave one, and lead an "
             "arrow to each of the others or remove it")  # fmt: skip
    return found[0], False


def _check_reach(chart: Chart, start: str, out: Mapping[str, Sequence[Arrow]], fail: Fail) -> None:
    reached = reach([start, *(e.target for e in chart.escapes)], {n: [a.target for a in w] for n, w in out.items()})
    for name, box in chart.boxes.items():
        if name not in reached:
            fail(box.line, f"box {name!r} is unreachable from the start, {start!r}; lead an arrow to it or remove it")


def _ask_before(chart: Chart, start: str, out: dict[str, list[Arrow]]) -> set[str]:
    """Give the arrows of a question without words to the steps and tools right before it, and name such questions.

    BPMN's gateways often have no name, event-based ones never have: what stands on their arrows answers what was said
    before. Not so where the way to the question has words of its own, or where nothing stands before it.
    """
    into: dict[str, list[Arrow]] = {n: [] for n in chart.boxes}
    for arrows in out.values():
        for arrow in arrows:
            into[arrow.target].append(arrow)
    escaped = {e.target for e in chart.escapes}

    def speaks(arrow: Arrow) -> bool:
        box = chart.boxes[arrow.source]
        starts = arrow.source == start and _only_starts(box, chart.event_start, out[arrow.source])
        silent = starts or not re.search(r"\w", box.label)
        says = box.kind == "tool" or not silent
        return says and box.kind != "question" and len(out[arrow.source]) == 1 and not arrow.label

    found = set()
    for name, box in chart.boxes.items():
        wordless = box.kind == "question" and not re.search(r"\w", box.label) and len(out[name]) > 1
        if wordless and into[name] and name not in escaped and name != start and all(map(speaks, into[name])):
            found.add(name)
            for arrow in into[name]:
                out[arrow.source] = [a.model_copy(update={"source": arrow.source}) for a in out[name]]
    return found


def _plain_ends(chart: Chart, out: Mapping[str, Sequence[Arrow]]) -> dict[str, str]:
    """Take ends that only say that the chart ends, with the same words and in the same way, for one.

    An end without words says End, and is taken for one that does.
    """
    first: dict[tuple[str, str], str] = {}
    ends = {}
    for name, box in sorted(chart.boxes.items(), key=lambda b: not re.search(r"\w", b[1].label)):
        if not out[name] and is_only_end(box.label) and box.kind in ("step", "end"):
            words = said(undecorated(box.label)) if re.search(r"\w", box.label) else "end"
            ends[name] = first.setdefault((words, box.terminal or terminal_of(box.label)), name)
    return ends


def _only_starts(box: Box, event_start: bool, arrows: Sequence[Arrow]) -> bool:
    """Whether the words of a chart's first box are no speech."""
    if box.kind == "step" and len(arrows) == 1 and not arrows[0].label and is_trigger(box.label, drawn=False):
        return True
    return is_start(box.label) or (box.kind == "start" and (event_start or is_trigger(box.label)))


def _is_silent(only_starts: bool, box: Box, arrows: Sequence[Arrow]) -> bool:
    wordless = only_starts or not re.search(r"\w", box.label)
    return wordless and box.kind not in ("tool", "end") and len(arrows) == 1 and not arrows[0].label


def _worded(arrows: list[Arrow], boxes: Mapping[str, Box]) -> list[Arrow]:
    """Let arrows without a label, where a customer chooses among several, have the words of the box where they lead.

    Lint names each of them. Not so where these words say nothing or lead another way already, nor for what a tool
    returns, which no box behind it can tell.
    """
    if len(arrows) == 1:
        return arrows
    words = [a.label or boxes[a.target].label for a in arrows]
    times = Counter(map(said, words))

    def speaks(label: str) -> bool:
        return times[said(label)] == 1 and not is_only_end(label) and not is_start(label)

    return [a if a.label or not speaks(label) else a.model_copy(update={"label": label, "assumed": True})
            for a, label in zip(arrows, words, strict=True)]  # fmt: skip


def _check_arrows(name: str, box: Box, arrows: Sequence[Arrow], only_starts: bool, fail: Fail) -> None:
    if box.kind == "end" and arrows:
        fail(box.line, f"box {name!r} is drawn as an end, but an arrow leaves it; remove the arrow or draw a step")
    if not arrows:
        if box.kind in ("question", "tool"):
            fail(box.line, f"no arrow leaves the {box.kind} {name!r}; draw one for each "
                 f"{'answer' if box.kind == 'question' else 'result'}")  # fmt: skip
        return
    if only_starts:
        remedy = "remove the label" if len(arrows) == 1 else "put a box behind it that asks which way to go"
        fail(arrows[-1].line, f"the start {name!r} asks nothing, but its arrows want an answer; {remedy}")
    if not re.search(r"\w", box.label) and box.kind != "tool":
        fail(box.line, f"box {name!r} has no words, so nobody can answer; write in it what the customer is asked")
    seen: dict[str, int] = {}
    for arrow in arrows:
        if not arrow.label and box.kind == "question":
            fail(arrow.line, f"an arrow of the question {name!r} has no label; write on it which answer leads there")
        if not arrow.label and len(arrows) > 1:
            fail(arrow.line, f"{len(arrows)} arrows leave box {name!r}, and this one has no label; {_SEVERAL}")
        if arrow.label and not re.search(r"\w", arrow.label):
            fail(arrow.line, f"nobody can say the label {arrow.label!r} of this arrow; write words")
        if said(arrow.label) in seen:
            fail(arrow.line, f"two arrows of box {name!r} have the label {arrow.label!r}, the other on line "
                 f"{seen[said(arrow.label)]}; tell them apart or remove one")  # fmt: skip
        seen[said(arrow.label)] = arrow.line


def _merged(
    name: str, boxes: Mapping[str, Box], ways: Mapping[str, tuple[Arrow, ...]], start: str
) -> tuple[Arrow, ...]:
    """Give a tool the answers of the question right behind it: they are the tool's results.

    Not so where the question itself chose the tool and others lead to it: that one asks the customer, and asks again.
    """
    arrows = ways[name]
    if boxes[name].kind == "tool" and len(arrows) == 1 and not arrows[0].label:
        behind = arrows[0].target
        chosen = any(a.target == name for a in ways[behind])
        others = behind == start or any(a.target == behind for n in ways if n not in (name, behind) for a in ways[n])
        if boxes[behind].kind == "question" and not (chosen and others):
            return tuple(a.model_copy(update={"source": name}) for a in ways[behind])
    return arrows


def _handed_over(boxes: Mapping[str, Box], ways: Mapping[str, Sequence[Arrow]], start: str) -> dict[str, Box]:
    """Make endings of last steps that hand the customer over: the plain end behind them would be a success."""

    def says_nothing(name: str) -> bool:
        box = boxes[name]
        return not ways[name] and is_only_end(box.label) and (box.terminal or terminal_of(box.label)) == "success"

    def is_last(name: str) -> bool:
        box, arrows = boxes[name], ways[name]
        alone = len(arrows) == 1 and not arrows[0].label and says_nothing(arrows[0].target)
        return alone and name != start and box.kind == "step" and box.collects is None and hands_over(box.label)

    return {n: boxes[n].model_copy(update={"terminal": "escalation"}) for n in ways if is_last(n)}


def _check_way_out(flow: Flow, fail: Fail) -> None:
    back: dict[str, list[str]] = {n: [] for n in flow.boxes}
    for name, arrows in flow.ways.items():
        for arrow in arrows:
            back[arrow.target].append(name)
    ends = [n for n, arrows in flow.ways.items() if not arrows]
    ending = reach(ends, back)
    for name, box in flow.boxes.items():
        if name not in ending:
            fail(box.line, f"no end can be reached from box {name!r}; give its loop a way out")


def reach(starts: Sequence[str], following: Mapping[str, Sequence[str]]) -> set[str]:
    """Give all that can be reached, the starts among it."""
    seen: set[str] = set()
    front = list(starts)
    while front:
        name = front.pop()
        if name not in seen:
            seen.add(name)
            front.extend(following[name])
    return seen


def loops(flow: Flow) -> dict[tuple[str, int], set[str]]:
    """Find the arrows that lead back (box, index), each with the boxes that are passed again because of it."""
    state: dict[str, str] = {}
    found = []
    for root in (flow.start, *flow.escapes.values()):
        stack = [(root, iter(enumerate(flow.ways[root])))] if root not in state else []
        state.setdefault(root, "open")
        while stack:
            name, arrows = stack[-1]
            step = next(arrows, None)
            if step is None:
                state[name] = "closed"
                stack.pop()
                continue
            index, arrow = step
            if state.get(arrow.target) == "open":
                found.append((name, index, arrow.target))
            elif arrow.target not in state:
                state[arrow.target] = "open"
                stack.append((arrow.target, iter(enumerate(flow.ways[arrow.target]))))
    back: dict[str, list[str]] = {n: [] for n in flow.boxes}
    for name, ways in flow.ways.items():
        for arrow in ways:
            back[arrow.target].append(name)
    return {(name, index): reach([name], {**back, head: []}) | {head} for name, index, head in found}
