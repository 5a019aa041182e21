"""The gate: a recompiled model must not be worse than the one that it replaces, beyond a stated margin.

Both models are asked the same scenarios and differences are taken scenario by scenario. Conversations through edited
nodes have no fair counterpart in the replaced model; they are tested apart, on being right there. What the scenarios
cannot decide is said, with the number that could.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from enum import StrEnum
from typing import NamedTuple

from pydantic import Field

from flowc.conformance import CRITERIA, Judgement
from flowc.margins import needed_pairs, paired_difference, share_interval
from flowc.paired import holm, wilcoxon
from flowc.records import Record
from flowc.transcripts import Transcript

_DUE = re.compile(r" where (.+) was due$")


class GateParams(Record):
    """When a recompiled model passes."""

    confidence: float = Field(gt=0, lt=1)
    """Coverage of the two-sided intervals."""
    margins: dict[str, float]
    """Criterion to the loss (a share) that is not tolerated; criteria that are not named are shown, not judged."""
    changed_nodes: float = Field(gt=0, lt=1)
    """Least share of the conversations through edited nodes that have to be right at them."""


class Outcome(StrEnum):
    """What the gate says."""

    PASSED = "passed"
    FAILED = "failed"
    UNDECIDED = "undecided"
    """The interval covers both sides of the margin."""


class Verdict(StrEnum):
    """What the scenarios say of one criterion."""

    BETTER = "better"
    WORSE = "worse"
    NO_EVIDENCE = "no evidence"


class Asked(NamedTuple):
    """One model's conversation on one scenario, with its verdict; a scenario that is repeated has several."""

    transcript: Transcript
    judgement: Judgement


class Comparison(Record):
    """One criterion over the scenarios that both models were asked and that could be judged for both."""

    criterion: str
    n: int
    before: float | None = None
    after: float | None = None
    difference: float | None = None
    low: float | None = None
    high: float | None = None
    p: float | None = None
    """Of the exact paired test, two-sided."""
    p_holm: float | None = None
    """The same after Holm's correction over the criteria."""
    verdict: Verdict = Verdict.NO_EVIDENCE
    margin: float | None = None
    outcome: Outcome | None = None
    """None where the criterion has no margin."""
    needed: int | None = None
    """About how many paired scenarios would decide; None where it is decided or no number would."""

    @property
    def points(self) -> str:
        """The difference in percentage points with its interval and n; a dash where no scenario could be compared."""
        if self.difference is None or self.low is None or self.high is None:
            return "—"
        return f"{100 * self.difference:+.1f} [{100 * self.low:+.1f}, {100 * self.high:+.1f}] n={self.n}"


class NodeTest(Record):
    """Conversations through the edited nodes: how many there are, and how many are right at each such node."""

    n: int
    right: int
    low: float | None = None
    high: float | None = None
    least: float
    outcome: Outcome
    needed: int | None = None
    """About how many conversations through edited nodes would decide; None as in a comparison."""
    nodes: dict[str, tuple[int, int]]
    """By edited node: conversations through it, and those that are right at it."""


class NodeLoss(Record):
    """A node with its conversations and those right at it, before (None: not there before) and after."""

    node: str
    before: tuple[int, int] | None
    after: tuple[int, int]


class GateResult(Record):
    """The gate's answer for one procedure."""

    procedure: str
    outcome: Outcome
    comparisons: tuple[Comparison, ...]
    changed: NodeTest | None
    """None when no node was edited."""
    worse_nodes: tuple[NodeLoss, ...]
    """Where conversations went wrong more often than before, the worst first."""
    failures: tuple[str, ...]
    """Scenarios that end wrongly now and did not before, or were not there before."""


def gate(
    procedure: str,
    before: Mapping[str, Sequence[Asked]] | None,
    after: Mapping[str, Sequence[Asked]],
    edited: Collection[str],
    params: GateParams,
    current: Collection[str],
) -> GateResult:
    """Compare two models by their conversations, keyed by scenario; without a former model the nodes are tested alone.

    `edited` are the nodes that an edit touches; `current` the scenarios of the new evaluation, on which those are
    tested (`after` may hold more: scenarios of the former evaluation, asked again).
    """
    comparisons = _comparisons(before, after, params) if before is not None else ()
    before = before or {}
    now = {s: node_rights(after[s]) for s in sorted(after)}
    then = {s: node_rights(before[s]) for s in sorted(before)}
    changed = _test_nodes({s: now[s] for s in sorted(current)}, edited, params) if edited else None
    outcomes = [c.outcome for c in comparisons if c.outcome] + ([changed.outcome] if changed else [])
    worst = next((o for o in (Outcome.FAILED, Outcome.UNDECIDED) if o in outcomes), Outcome.PASSED)
    failed = [s for s in sorted(after) if _failed(after[s]) and not (s in before and _failed(before[s]))]
    return GateResult(
        procedure=procedure,
        outcome=worst,
        comparisons=comparisons,
        changed=changed,
        worse_nodes=_losses(then, now),
        failures=tuple(failed),
    )


def _comparisons(
    before: Mapping[str, Sequence[Asked]], after: Mapping[str, Sequence[Asked]], params: GateParams
) -> tuple[Comparison, ...]:
    common = sorted(before.keys() & after.keys())
    found = [compare(c, [(score(before[s], c), score(after[s], c)) for s in common], params) for c in CRITERIA]
    adjusted = holm([c.p for c in found])
    return tuple(
        c.model_copy(update={"p_holm": p, "verdict": _verdict(c.difference, p, params.confidence)})
        for c, p in zip(found, adjusted, strict=True)
    )


def score(repeats: Sequence[Asked], criterion: str) -> float | None:
    """Give a criterion's mean over a scenario's repeats, which are not independent; None where none could be judged."""
    known = [v for a in repeats if (v := a.judgement.scores[criterion]) is not None]
    return sum(known) / len(known) if known else None


def _verdict(difference: float | None, p: float | None, confidence: float) -> Verdict:
    if difference is None or p is None or p >= 1 - confidence:
        return Verdict.NO_EVIDENCE
    return Verdict.BETTER if difference > 0 else Verdict.WORSE


def compare(criterion: str, values: Sequence[tuple[float | None, float | None]], params: GateParams) -> Comparison:
    """Compare one criterion over pairs of (before, after); a pair of which one side was not judged does not count.

    The verdict is left open: it depends on how many criteria are tested together.
    """
    pairs = [(a, b) for a, b in values if a is not None and b is not None]
    margin = params.margins.get(criterion)
    found = paired_difference(pairs, params.confidence)
    outcome = None if margin is None else _outcome(found.low, found.high, -margin)
    needed = None
    if margin is not None and outcome == Outcome.UNDECIDED:
        needed = needed_pairs(found, margin, params.confidence)
    if not pairs:
        return Comparison(criterion=criterion, n=0, margin=margin, outcome=outcome, needed=needed)
    before, after = zip(*pairs, strict=True)
    return Comparison(
        criterion=criterion,
        n=found.n,
        before=_mean(before),
        after=_mean(after),
        difference=round(found.mean, 4),
        low=round(found.low, 4),
        high=round(found.high, 4),
        p=wilcoxon(before, after),
        margin=margin,
        outcome=outcome,
        needed=needed,
    )


def node_rights(repeats: Sequence[Asked]) -> dict[str, bool]:
    """Name the nodes that a scenario's conversations came to, and whether all was right at each.

    Wrong is a node that was due and for which nothing known came, and one from which a wrong way was taken.
    """
    out: dict[str, bool] = {}
    for asked in repeats:
        for node, right in _node_rights(asked).items():
            out[node] = right and out.get(node, True)
    return out


def _node_rights(asked: Asked) -> dict[str, bool]:
    due = {f.turn: _DUE.search(f.text) for f in asked.judgement.faults if f.criterion == "procedure_order"}
    out: dict[str, bool] = {}
    left: str | None = None
    for index, turn in enumerate(asked.transcript.turns):
        if turn.message.role != "assistant":
            continue
        node = turn.labels[0] if turn.labels else None
        if missed := due.get(index):
            # A step that nobody recognises is a fault of the one that was due; another step is a wrong choice.
            out |= dict.fromkeys([left] if node and left else missed[1].split(" or "), False)
        if node:
            out.setdefault(node, True)
            left = node
    return out


def _test_nodes(rights: Mapping[str, Mapping[str, bool]], edited: Collection[str], params: GateParams) -> NodeTest:
    through = {s: [good for node, good in found.items() if node in edited] for s, found in rights.items()}
    n = sum(bool(found) for found in through.values())
    right = sum(bool(found) and all(found) for found in through.values())
    nodes = {node: _count(rights, node) for node in sorted(edited)}
    least = params.changed_nodes
    if not n:
        fewest = next(i for i in range(1, 100_000) if share_interval(i, i, params.confidence)[0] >= least)
        return NodeTest(n=0, right=0, least=least, outcome=Outcome.UNDECIDED, needed=fewest, nodes=nodes)
    low, high = share_interval(right, n, params.confidence)
    outcome = _outcome(low, high, least)
    needed = None
    if outcome == Outcome.UNDECIDED:
        needed = _needed_share(right / n, n, params)
    return NodeTest(
        n=n,
        right=right,
        low=round(low, 4),
        high=round(high, 4),
        least=least,
        outcome=outcome,
        needed=needed,
        nodes=nodes,
    )


def _needed_share(share: float, n: int, params: GateParams) -> int | None:
    """The first number of conversations at which the same share would be decided."""
    for more in range(n + 1, 20 * n + 10_000):
        low, high = share_interval(round(share * more), more, params.confidence)
        if _outcome(low, high, params.changed_nodes) != Outcome.UNDECIDED:
            return more
    return None


def _outcome(low: float, high: float, bound: float) -> Outcome:
    return Outcome.PASSED if low >= bound else Outcome.FAILED if high < bound else Outcome.UNDECIDED


def _losses(then: Mapping[str, Mapping[str, bool]], now: Mapping[str, Mapping[str, bool]]) -> tuple[NodeLoss, ...]:
    nodes = sorted({n for found in now.values() for n in found})
    out = []
    for node in nodes:
        before, after = _count(then, node), _count(now, node)
        if _share(after) < (_share(before) if before[0] else 1.0):
            out.append(NodeLoss(node=node, before=before if before[0] else None, after=after))
    return tuple(sorted(out, key=lambda x: (x.after[1] - x.after[0], x.node)))


def _count(rights: Mapping[str, Mapping[str, bool]], node: str) -> tuple[int, int]:
    there = [found[node] for found in rights.values() if node in found]
    return len(there), sum(there)


def _share(count: tuple[int, int]) -> float:
    return count[1] / count[0]


def _failed(repeats: Sequence[Asked]) -> bool:
    """Whether a conversation went wrong; one that could not be judged did not."""
    return any(a.judgement.scores["task_success"] not in (1.0, None) for a in repeats)


def _mean(values: Sequence[float]) -> float:
    return round(sum(values) / len(values), 4)
