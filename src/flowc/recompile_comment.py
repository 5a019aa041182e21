"""The comment on a recompile: what ran and why, what changed, what got better or worse, and what the gate says.

GitHub refuses comments over 65,536 characters: parts that are long and not needed for the verdict are left out first,
and the comment says so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from flowc.gate import Comparison, GateResult, NodeTest, Outcome
from flowc.graph import Graph
from flowc.markdown import details, prose_table, shorten, table, text
from flowc.mermaid import flowchart
from flowc.metrics import Json, arm, number, rate, training_start
from flowc.procedure_diff import Change, ProcedureDiff
from flowc.records import Record
from flowc.scoreboard import cell, percent
from flowc.stage_runs import Did, StageRun

LIMIT = 65_536
MARKER = "<!-- flowc: recompile -->"
"""By this line the comment is found again, to be updated in place."""
_PHRASE = 200  # characters of a phrase that are shown
_CHANGES = 200  # rows of the diff
_FAILURES = 12  # failures told in full
_WHY = 3  # reasons a stage
_MARKS = {Outcome.PASSED: "passed", Outcome.FAILED: "FAILED", Outcome.UNDECIDED: "CANNOT DECIDE"}


class Failure(Record):
    """A conversation that ends wrongly and did not before."""

    scenario: str
    ending: str
    was_there: bool
    """Whether the replaced model was asked it too, and ended rightly."""
    faults: tuple[str, ...]


class ProcedurePart(NamedTuple):
    """All that the comment says of one procedure; None is what could not be had."""

    procedure: str
    before: Graph | None
    after: Graph
    diff: ProcedureDiff
    scores: tuple[Json, Json]
    """The metrics files before and after; empty when there are none."""
    training: tuple[Json, Json]
    revision: str | None
    """The commit whose model training started from, where it was not the base."""
    benchmark: tuple[Json, Json]
    result: GateResult | None
    why_no_result: str
    failures: Sequence[Failure]


class Recompile(NamedTuple):
    """What the comment is made from."""

    base: str
    """The revision that is compared with, as it is to be named."""
    stages: Sequence[StageRun]
    seconds: float
    gate_seconds: float
    """Of these, to the gate."""
    dollars_per_hour: float | None
    notes: Sequence[str]
    """What the machine could not do as configured: no GPU, no key, no remote."""
    parts: Sequence[ProcedurePart]
    unchanged: Sequence[str]
    links: Mapping[str, str]
    failed: str | None
    """What stopped the pipeline, with its last words; None when it came to its end."""


class _Block(NamedTuple):
    body: str
    rank: int
    """Blocks of the highest rank are left out first; 0 is never left out."""
    name: str = ""


def overall(recompile: Recompile) -> Outcome:
    """One outcome for all procedures: what stopped or failed counts most, then what could not be decided."""
    found = [p.result.outcome if p.result else Outcome.UNDECIDED for p in recompile.parts]
    if recompile.failed is not None or Outcome.FAILED in found:
        return Outcome.FAILED
    return Outcome.UNDECIDED if Outcome.UNDECIDED in found else Outcome.PASSED


def comment(recompile: Recompile, limit: int = LIMIT) -> str:
    """Write the comment, at most `limit` characters long."""
    blocks = [_Block(f"{MARKER}\n## Recompile: gate {_MARKS[overall(recompile)]}", 0), _Block(_lead(recompile), 0)]
    blocks += [_Block(f"> {text(note)}", 0) for note in recompile.notes]
    if recompile.failed is not None:
        blocks.append(_Block(f"The pipeline stopped.\n\n```\n{_fenced(recompile.failed)}\n```", 0))
    for part in recompile.parts:
        blocks += _part(part)
    blocks += [_Block(_stages(recompile), 2, "the table of stages"), _Block(_links(recompile.links), 0)]
    return _fit([b for b in blocks if b.body], limit)


def _fit(blocks: Sequence[_Block], limit: int) -> str:
    kept = list(blocks)
    left_out: list[str] = []
    while True:
        note = (
            f"Left out, since a comment has a limit: {', '.join(left_out)}. The artifacts have it." if left_out else ""
        )
        whole = "\n\n".join([*(b.body for b in kept), *([note] if note else [])]) + "\n"
        droppable = [b for b in kept if b.rank]
        if len(whole) <= limit:
            return whole
        if not droppable:
            return whole[: limit - 2] + "…\n"
        least = max(droppable, key=lambda b: (b.rank, len(b.body)))
        kept.remove(least)
        left_out.append(least.name)


def _lead(recompile: Recompile) -> str:
    ran = [s for s in recompile.stages if s.did != Did.RESTORED]
    restored = len(recompile.stages) - len(ran)
    took = f"{_minutes(recompile.seconds)}" + _dollars(recompile.seconds, recompile.dollars_per_hour)
    ran_now = f"{_count(len(ran), 'stage')} ran, {restored} came from the run cache"
    to_gate = f"{_minutes(recompile.gate_seconds)} of them to the gate"
    out = f"Compared with {recompile.base}: {ran_now}, in {took}, {to_gate}."
    if recompile.unchanged:
        out += f" Untouched: {', '.join(recompile.unchanged)}."
    return out


def _dollars(seconds: float, per_hour: float | None) -> str:
    if per_hour is None:
        return "; its cost is unknown: no price is set for an hour of this machine"
    return f" (${seconds / 3600 * per_hour:.3f} at ${per_hour:g} an hour)"


def _minutes(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.1f} min"


def _part(part: ProcedurePart) -> list[_Block]:
    name = part.procedure
    blocks = [_Block(f"### {name}", 0), _Block(_verdict(part), 0)]
    if part.result:
        blocks.append(_Block(_comparisons(part), 0))
        blocks.append(_Block(_worse_nodes(part.result), 1, f"nodes of {name}"))
    blocks.append(_Block(_training(part), 0))
    blocks.append(_Block(_failures(part), 3, f"failures of {name}"))
    blocks.append(_Block(_diff(part), 4, f"the diff of {name}"))
    blocks.append(_Block(_metrics(part), 1, f"metrics of {name}"))
    if part.diff.changes:
        for title, graph in (("Before", part.before), ("After", part.after)):
            if graph is not None:
                body = details(f"{title}: {name} as a chart", f"```mermaid\n{flowchart(graph)}\n```")
                blocks.append(_Block(body, 5, f"the chart of {name} ({title.lower()})"))
    return blocks


def _verdict(part: ProcedurePart) -> str:
    if part.result is None:
        return f"**Gate: CANNOT DECIDE**: {text(part.why_no_result)}"
    result = part.result
    said = [_said(c) for c in result.comparisons if c.outcome not in (None, Outcome.PASSED)]
    if result.changed is not None:
        said.append(_changed(result.changed))
    if result.outcome != Outcome.PASSED and result.worse_nodes:
        worst = result.worse_nodes[0]
        said.append(f"most goes wrong at `{worst.node}`, right in {worst.after[1]} of {worst.after[0]} conversations")
    n = max((c.n for c in result.comparisons), default=0)
    said.append(f"{n} scenarios asked of both models")
    if any(c.needed for c in result.comparisons):
        said.append(
            "pairs are scenarios that the replaced model was asked when it was compiled: to have more, compile the "
            "base with a higher `generate.scenarios` first"
        )
    return f"**Gate: {_MARKS[result.outcome]}**: {'; '.join(said)}."


def _said(found: Comparison) -> str:
    what = found.criterion.replace("_", " ")
    if found.outcome == Outcome.FAILED:
        assert found.high is not None and found.margin is not None
        return f"{what} is worse by at least {percent(-found.high)}, tolerated are {percent(found.margin)}"
    need = f"about {found.needed} paired scenarios would" if found.needed else "no number of scenarios would tell"
    return f"{what} is not decided by {found.n} paired scenarios, {need}"


def _changed(found: NodeTest) -> str:
    what = f"{found.right} of {found.n} conversations through edited nodes are right at them"
    if found.low is not None and found.high is not None:
        what += f" [{percent(found.low)} to {percent(found.high)}], wanted {percent(found.least)}"
    if found.outcome == Outcome.UNDECIDED:
        more = f"about {found.needed} such conversations would decide, a higher `generate.scenarios` here has more"
        what += f", {more if found.needed else 'no number would decide'}"
    return what


def _comparisons(part: ProcedurePart) -> str:
    assert part.result is not None
    before, after = (arm(s, "compiled") for s in part.scores)
    rows = []
    for c in part.result.comparisons:
        whole = [cell(rate(s.get(c.criterion))) for s in (before, after)]
        margin = "—" if c.margin is None else f"-{percent(c.margin)}"
        judged = "not judged" if c.outcome is None else _MARKS[c.outcome]
        rows.append([c.criterion.replace("_", " "), *whole, c.points, str(c.verdict), margin, judged])
    head = ["criterion", "Before", "After", "Same scenarios, points", "Verdict", "Margin", "Gate"]
    return table(head, rows)


def _worse_nodes(result: GateResult) -> str:
    if not result.worse_nodes:
        return ""
    rows = [
        [
            f"`{x.node}`",
            "new" if x.before is None else f"{x.before[1]} of {x.before[0]}",
            f"{x.after[1]} of {x.after[0]}",
        ]
        for x in result.worse_nodes[:10]
    ]
    return table(["right less often at", "Before", "After"], rows)


def _failures(part: ProcedurePart) -> str:
    if not part.failures:
        return "No new failures." if part.result else ""
    rows = [
        [
            f"`{f.scenario}`",
            "yes" if f.was_there else "not asked",
            text(f.ending),
            "<br>".join(text(shorten(x, _PHRASE)) for x in f.faults[:3]),
        ]
        for f in part.failures[:_FAILURES]
    ]
    more = len(part.failures) - len(rows)
    body = prose_table(["scenario", "right before", "should end at", "what went wrong"], rows)
    body += f"\n\n… and {more} more" if more > 0 else ""
    return details(_count(len(part.failures), "new failure"), body)


def _diff(part: ProcedurePart) -> str:
    changes = part.diff.changes
    if not changes:
        return "The procedure itself did not change."
    rows = [[text(c.where), text(c.field), _phrases(c.before), _phrases(c.after)] for c in changes[:_CHANGES]]
    body = prose_table(["what", "field", "before", "after"], rows)
    if len(changes) > len(rows):
        body += f"\n\n… and {len(changes) - len(rows)} more"
    nodes = ", ".join(f"`{n}`" for n in part.diff.nodes) or "none"
    title = f"{_count(len(changes), 'change')} of the procedure: {_named(changes)}"
    return details(title, f"{body}\n\nNodes touched: {nodes}.")


def _count(n: int, what: str) -> str:
    return f"{n} {what}" if n == 1 else f"{n} {what}s"


def _named(changes: Sequence[Change]) -> str:
    names = {c.where for c in changes}
    return ", ".join(text(n) for n in sorted(names)[:6]) + (f" and {len(names) - 6} more" if len(names) > 6 else "")


def _phrases(values: Sequence[str]) -> str:
    shown = [text(shorten(v, _PHRASE)) for v in values[:12]]
    return "<br>".join([*shown, *([f"… and {len(values) - 12} more"] if len(values) > 12 else [])])


def _metrics(part: ProcedurePart) -> str:
    wanted = [
        ("training, seconds", part.training, ("seconds", "total"), 0),
        ("tokens computed in training", part.training, ("computed_tokens",), 0),
        ("dollars a thousand conversations", part.benchmark, ("cost", "usd_per_conversation"), 4),
    ]
    rows = []
    for name, sides, keys, digits in wanted:
        values = [number(side, *keys) for side in sides]
        if any(v is not None for v in values):
            scale = 1000 if digits == 4 else 1
            rows.append([name, *("not measured" if v is None else f"{scale * v:,.{digits}f}" for v in values)])
    return table(["measured once, without an interval", "Before", "After"], rows) if rows else ""


def _training(part: ProcedurePart) -> str:
    training = part.training[1]
    start = training_start(training, part.revision)
    return f"Training: {text(str(training.get('method')))}, from {text(start)}." if start else ""


def _stages(recompile: Recompile) -> str:
    if not recompile.stages:
        return "" if recompile.failed is not None else "Every stage was up to date."
    rows = []
    for s in recompile.stages:
        why = [text(shorten(w, _PHRASE)) for w in s.why[:_WHY]]
        more = [f"{len(s.why) - _WHY} more"] if len(s.why) > _WHY else []
        rows.append([f"`{s.stage}`", str(s.did), _minutes(s.seconds), "; ".join([*why, *more])])
    return details(f"{_count(len(rows), 'stage')} and why", prose_table(["stage", "what", "time", "because of"], rows))


def _links(links: Mapping[str, str]) -> str:
    return " · ".join(f"[{text(name)}]({url})" for name, url in links.items())


def _fenced(words: str) -> str:
    return shorten(words.replace("```", "'''"), 4000)
