"""Everything about a procedure that is wrong or will make it work badly, each with its place and a remedy.

Errors are what parse refuses (all of it, not the first), and phrases at which nobody could tell what the user means.
Warnings are what makes a procedure hard to learn or to measure. What the schema refuses is not looked for again: a
fact without `asks` cannot be written. Time grows with the size of the file: 2,000 nodes take under a second.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from flowc.checks import Finding, error, faults, told
from flowc.graph import PLACEHOLDER, Graph, placeholders
from flowc.parse import Draft, Drawn
from flowc.paths import acyclic_paths, components, depth_first, longest, written
from flowc.yaml_lines import Loc

_USER_PHRASES, _AGENT_PHRASES = 12, 6  # docs/procedure.md: a quarter of a bank is held out; of fewer, too little is
_MANY_PATHS = 1000  # scale=study trains on 500 trunks at the most: beyond, most paths are never seen whole
_LONG_PATH = 30  # messages of the assistant: conf/simulate ends a conversation of the evaluation behind them
_MOST_NAMED = 5  # nodes that lack a bank: more lines would bury the other findings
_HEARD = re.compile(r"[\w{}]+|(?<![\w{}])[+-](?=[€$£]?\d)|[€$£](?= ?\d)|(?<=\d) ?[%€$£]|(?<=\d)\+(?!\d)")
"""Words, and the signs at a number that are spoken: +1 and -1, $100 and €100 and 100% are not alike."""
_YES = {"en": {"yes", "yeah", "yep", "yup"}, "de": {"ja", "jawohl", "jap"}}
_NO = {"en": {"no", "nope", "nah"}, "de": {"nein", "nö", "nee"}}
_FILLER = re.compile(
    "am|and|are|can|did|do|does|had|has|have|i|is|it|not|of|course|please|really|so|sure|thanks?|that|there|they|this|was"
    "|we|were|will|would|you|bitte|danke|das|doch|es|gerne?|ich|ist|nicht"
)
"""What may stand beside a plain yes or no: "no idea" and "no more trouble" are none."""
_DATE_WORDS = {"%A", "%a", "%B", "%b"}


def lint(graph: Graph, drawn: Drawn | None = None) -> list[Finding]:
    """List what is to be mended: first errors, then warnings. `drawn` is given where the graph was a chart.

    The names in the graph must resolve, as those of `read_procedure` do.
    """
    texts = _Texts(graph)
    found = [*faults(graph), *_overlaps(graph, texts), *_branches(graph, texts), *_asked_twice(graph), *_loops(graph)]
    found += [*_unused(graph), *_shared(graph, texts), *_dates(graph), *_paths(graph)]
    found += [*_assumed(graph, drawn), *_built_in(graph)] if drawn else _small(graph)
    return sorted(dict.fromkeys(found), key=lambda f: f.severity)


class Told(NamedTuple):
    """Findings as lines for people: `file:line: error: message; remedy`, without a line where a chart has none."""

    errors: list[str]
    warnings: list[str]
    whole: bool = True
    """Whether all was looked for. What cannot be read has errors that hide others."""


def told_of(draft: Draft, file: str) -> Told:
    """Lint a draft and write each finding with its place."""
    told = Told([], [])
    for f in lint(draft.graph, draft.drawn):
        kept = told.errors if f.severity == "error" else told.warnings
        kept.append(f"{draft.source.place(file, f.loc)}: {f.severity}: {f.message}; {f.remedy}")
    return told


class _Texts:
    """Phrases as they are heard: without case and punctuation, slots of the same values told apart no more.

    The signs at a number are heard.
    """

    def __init__(self, graph: Graph) -> None:
        first: dict[object, int] = {}
        self._slots = {
            name: first.setdefault((s.values, s.join, s.date, s.number, s.code, s.share_of), len(first))
            for name, s in graph.slots.items()
        }

        self._heard: dict[str, str] = {}

    def heard(self, phrase: str) -> str:
        if phrase not in self._heard:
            marked = PLACEHOLDER.sub(lambda m: f"{{{self._slots[m[1]]}}}", phrase) if "{" in phrase else phrase
            words = " ".join(_HEARD.findall(marked.casefold().replace("'", "").replace("’", ""))).replace("  ", " ")
            self._heard[phrase] = words or phrase.strip()
        return self._heard[phrase]


def _warning(code: str, loc: Loc, message: str, remedy: str) -> Finding:
    return Finding(code=code, severity="warning", loc=loc, message=message, remedy=remedy)


def _overlaps(graph: Graph, texts: _Texts) -> Iterator[Finding]:
    """Whatever a user may say at one moment must mean one thing: an edge of the node, an interrupt or a question."""
    anywhere: dict[str, str] = {}
    for kind, what, bank in (("interrupts", "interrupt", "says"), ("knowledge", "question", "asks")):
        for name, entry in getattr(graph, kind).items():
            yield from _clashes(anywhere, {}, f"{what} {name}", (kind, name, bank), getattr(entry, bank), texts)
    for name, node in graph.nodes.items():
        here: dict[str, str] = {}
        for i, edge in enumerate(node.edges):
            loc: Loc = ("nodes", name, "edges", i, "says")
            yield from _clashes(here, anywhere, f"edge {name}.{edge.id}", loc, edge.says, texts)


def _clashes(
    said: dict[str, str], beside: dict[str, str], what: str, loc: Loc, bank: Sequence[str], texts: _Texts
) -> Iterator[Finding]:
    """Compare a bank with those in `said` and `beside`, one finding for each other bank, and add it to `said`."""
    common: dict[str, list[int]] = {}
    for i, phrase in enumerate(bank):
        key = texts.heard(phrase)
        other = said.setdefault(key, what)
        for name in {other, beside.get(key, what)} - {what}:
            common.setdefault(name, []).append(i)
    for name, places in common.items():
        more = f" and {len(places) - 1} more" if len(places) > 1 else ""
        yield error("overlap", (*loc, places[0]), f"{what} and {name} share the phrase {bank[places[0]]!r}{more}",
                    "reword it in one of them: nobody could tell which is meant")  # fmt: skip


def _branches(graph: Graph, texts: _Texts) -> Iterator[Finding]:
    """Find questions that may be answered with yes and not with no, or the other way round."""
    yes, no = _YES.get(graph.language, set()), _NO.get(graph.language, set())
    leaving = {texts.heard(p).split(" ")[0] for i in graph.interrupts.values() for p in i.says}
    for name, node in graph.nodes.items():
        heard = [texts.heard(p).split(" ") for e in node.edges for p in e.says]
        first = {words[0] for words in heard} | leaving
        short = {words[0] for words in heard if len(words) <= 3 and all(map(_FILLER.fullmatch, words[1:]))}
        for word, these, those in (("no", yes, no), ("yes", no, yes)):
            if short & these and not first & those:
                yield _warning("missing-branch", ("nodes", name),
                               f"node {name!r} understands {min(short & these)!r}, but no edge takes a plain {word!r}",
                               f"add an edge for it, or an interrupt that says {word!r}")  # fmt: skip


def _asked_twice(graph: Graph) -> Iterator[Finding]:
    """Find slots that two nodes of one path ask for: the second question is skipped, unless an edge renews the slot."""
    given = {(name, i): edge.gives for name, node in graph.nodes.items() for i, edge in enumerate(node.edges)}
    askers = sorted({(name, slot) for (name, _), gives in given.items() for slot in gives})
    bit = {asker: 1 << i for i, asker in enumerate(askers)}  # sets as bits: 2,000 askers are 250 bytes
    of_slot: dict[str, int] = {}
    for (_, slot), b in bit.items():
        of_slot[slot] = of_slot.get(slot, 0) | b
    asked = dict.fromkeys(graph.nodes, 0)
    # The order of the search lets most bits arrive in one round; only loops need another.
    front = deque(reversed(depth_first(graph, [graph.start]).left))
    queued = set(front)
    while front:
        name = front.popleft()
        queued.discard(name)
        for i, edge in enumerate(graph.nodes[name].edges):
            bits = asked[name]
            for slot in given[name, i]:
                bits |= bit[name, slot]
            for slot in edge.renews:
                bits &= ~of_slot.get(slot, 0)
            if bits & ~asked[edge.to]:
                asked[edge.to] |= bits
                if edge.to not in queued:
                    queued.add(edge.to)
                    front.append(edge.to)
    for name, node in graph.nodes.items():
        for i in range(len(node.edges)):
            for slot in given[name, i]:
                others = asked[name] & of_slot[slot] & ~bit[name, slot]
                if others:
                    other = askers[(others & -others).bit_length() - 1][0]
                    yield _warning("asked-twice", ("nodes", name, "edges", i, "says"),
                                   f"{name!r} asks for {slot!r}, which {other!r} may have asked for before",
                                   f"put `renews: {{{slot}: any}}` on the edge that leads back to the question, or "
                                   "remove one of the two: what is known is not asked again")  # fmt: skip


def _loops(graph: Graph) -> Iterator[Finding]:
    """Find loops that ask without renewing anything: from the second round on, plain questions in them are skipped."""
    kept = {name: [e.to for e in node.edges if not e.renews] for name, node in graph.nodes.items()}
    round_of = {name: loop for loop in components(kept) for name in loop}
    for name, node in graph.nodes.items():
        for i, edge in enumerate(node.edges):
            if node.asks and not edge.renews and edge.to in round_of[name]:
                slots = ", ".join(repr(s) for s in edge.gives)
                yield _warning("asked-twice", ("nodes", name, "edges", i, "says"),
                               f"{name!r} asks for {slots} in a loop whose edges renew nothing",
                               "put `renews` on the edge that leads back to the question: what is known is not asked "
                               "again")  # fmt: skip


def _unused(graph: Graph) -> Iterator[Finding]:
    called = {node.calls for node in graph.nodes.values()}
    for name in graph.tools:
        if name not in called:
            yield _warning("uncalled-tool", ("tools", name), f"no node calls the tool {name!r}",
                           f"add a node with `calls: {name}`, or remove the tool")  # fmt: skip
    heard = any(node.waits for node in graph.nodes.values())
    for name in graph.knowledge:
        if not heard:
            yield _warning("unreachable-knowledge", ("knowledge", name), f"nobody can ask for {name!r}: no user speaks",
                           "give an edge `says`, or remove the fact")  # fmt: skip
    used = {slot for tool in graph.tools.values() for slot in tool.arguments.values()}
    used |= {slot.share_of for slot in graph.slots.values() if slot.share_of}
    used |= set(placeholders([p for node in graph.nodes.values() for p in (*node.say, *node.again)]))
    given = told(graph)
    for name in graph.slots:
        if name not in used:
            what = "asked for or returned, but never" if name in given else "never"
            yield _warning("unused-slot", ("slots", name), f"slot {name!r} is {what} said or passed to a tool",
                           "use it, or remove it and what asks for it")  # fmt: skip


def _shared(graph: Graph, texts: _Texts) -> Iterator[Finding]:
    """Find what two nodes say alike: which step it was, the tracker could only guess."""
    said: dict[str, str] = {}
    for name, node in graph.nodes.items():
        common: dict[str, list[tuple[Loc, str]]] = {}
        for bank in ("say", "again"):
            for i, phrase in enumerate(getattr(node, bank)):
                other = said.setdefault(texts.heard(phrase), name)
                if other != name:
                    common.setdefault(other, []).append((("nodes", name, bank, i), phrase))
        for other, places in common.items():
            more = f" and {len(places) - 1} more" if len(places) > 1 else ""
            yield _warning("shared-phrase", places[0][0], f"{name!r} and {other!r} both say {places[0][1]!r}{more}",
                           "reword it in one of them: the judge could not tell the steps apart")  # fmt: skip


def _small(graph: Graph) -> Iterator[Finding]:
    for name, node in graph.nodes.items():
        if node.role == "agent" and len(node.say) < _AGENT_PHRASES:
            yield _warning("small-bank", ("nodes", name, "say"),
                           f"node {name!r} has {len(node.say)} agent phrases, too few for a fair held-out test",
                           f"write {_AGENT_PHRASES} or more")  # fmt: skip
        for i, edge in enumerate(node.edges):
            if edge.says and len(edge.says) < _USER_PHRASES:
                yield _warning("small-bank", ("nodes", name, "edges", i, "says"),
                               f"edge {name}.{edge.id} has {len(edge.says)} user phrases, too few for a fair held-out "
                               "test", f"write {_USER_PHRASES} or more")  # fmt: skip


def _assumed(graph: Graph, drawn: Drawn) -> Iterator[Finding]:
    """Name what a chart leaves open: which box is the start, and what is said to take an arrow without words."""
    if drawn.start_guessed:
        yield _warning("assumed-start", ("nodes", graph.start),
                       "an arrow leads to each box, so the conversation starts with the first that is written, "
                       f"{graph.start!r}", "draw a start box with an arrow to the first step")  # fmt: skip
    for slot in drawn.unasked:
        yield _warning("unasked-slot", ("slots",),
                       f"no box asks for {slot!r}, so the values listed for it are never used",
                       "name it in a box that asks for it and has one way on, or remove it")  # fmt: skip
    for loc in drawn.assumed:
        _, name, _, i = loc
        edge = graph.nodes[str(name)].edges[int(i)]
        yield _warning("assumed-answer", loc, f"the arrow from {name!r} to {edge.to!r} has no label, so its users say "
                       f"what stands in that box, {edge.when!r}", "write on it when it is taken")  # fmt: skip


def _built_in(graph: Graph) -> Iterator[Finding]:
    """Name the nodes of a chart that would gain from a bank: hubs first, as phrasing decides there."""
    speaks = [n for n, node in graph.nodes.items() if node.role == "agent"]
    speaks.sort(key=lambda n: (not graph.nodes[n].is_hub, not graph.nodes[n].waits))
    only = "have only the chart's words and built-in phrases"
    remedy = (f"`make import` writes the chart as YAML: give `say` {_AGENT_PHRASES} phrases or more, and the `says` of "
              f"each edge {_USER_PHRASES}, forty at a hub")  # fmt: skip
    for name in speaks[:_MOST_NAMED]:
        node = graph.nodes[name]
        answers = f" and its {len(node.edges)} answers" if node.is_hub else " and its answer" if node.waits else ""
        verb = only if answers else only.replace("have", "has", 1)
        yield _warning("built-in-bank", ("nodes", name), f"{'hub' if node.is_hub else 'node'} {name!r}{answers} {verb}",
                       remedy)  # fmt: skip
    if rest := speaks[_MOST_NAMED:]:
        hubs = sum(graph.nodes[n].is_hub for n in rest)
        named = ", ".join(rest[:_MOST_NAMED]) + (", ..." if len(rest) > _MOST_NAMED else "")
        yield _warning("built-in-bank", ("nodes",), f"{len(rest)} more nodes, {hubs} of them hubs, {only}: {named}",
                       remedy)  # fmt: skip


def _dates(graph: Graph) -> Iterator[Finding]:
    for name, slot in graph.slots.items():
        words = {w for f in (slot.date.formats if slot.date else ()) for w in _DATE_WORDS if w in f}
        if words and graph.language != "en":
            yield _warning("english-date", ("slots", name, "date"),
                           f"slot {name!r} writes {' and '.join(sorted(words))} in English, in a procedure in "
                           f"{graph.language!r}", "write dates in numbers, such as %-d.%-m.%Y")  # fmt: skip


def _paths(graph: Graph) -> Iterator[Finding]:
    """Find more, or longer, ways than training and evaluation can take."""
    count = acyclic_paths(graph)
    if count > _MANY_PATHS:
        yield _warning("path-explosion", ("nodes",),
                       f"{written(count)} acyclic paths lead from {graph.start!r} to an ending; most will be in no "
                       "training conversation", "split the procedure, or join branches that differ in one "
                       "answer")  # fmt: skip
    steps = longest(graph)
    if steps > _LONG_PATH:
        yield _warning("long-path", ("nodes",),
                       f"the longest way from {graph.start!r} to an ending takes {steps} messages of the assistant; "
                       f"the evaluation ends a conversation behind {_LONG_PATH}", "split the procedure, or set "
                       "`simulate.max_turns` to more")  # fmt: skip
