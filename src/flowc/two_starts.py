"""One edit, compiled twice: from the former model and from the base. Time to the gate and quality, side by side."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from flowc.conformance import CRITERIA
from flowc.gate import Asked, node_rights
from flowc.margins import share_interval
from flowc.markdown import table, text
from flowc.metrics import Json, training_start
from flowc.records import Record
from flowc.scoreboard import percent
from flowc.side_by_side import Scores, Statistics, difference, mean, shown

_SHARE = 0.25  # of the full compile's time from edit to gate that an incremental one may take
_TITLES = ("From the former model", "From the base")


class Count(Record):
    """Conversations through some nodes, and those in which all was right at each of these."""

    n: int
    right: int


class Compiled(Record):
    """One compilation of the edited procedure, up to its gate. Times are seconds of wall time."""

    revision: str | None
    """The commit whose model it started from; None for the base."""
    outcome: str
    """What the gate said."""
    notes: tuple[str, ...]
    to_gate: float
    """From the command's start."""
    stages: dict[str, float]
    """By stage that ran or was restored; what is left of `to_gate` is fetching, deciding, judging and DVC."""
    training: Json
    """The training's metrics."""
    scores: Scores
    changed: Count
    unchanged: Count


def count(asked: Mapping[str, Sequence[Asked]], nodes: Collection[str]) -> Count:
    """Count the conversations through these nodes, and those that are right at all of them."""
    through = [[right for node, right in node_rights(repeats).items() if node in nodes] for repeats in asked.values()]
    return Count(n=sum(bool(found) for found in through), right=sum(bool(found) and all(found) for found in through))


def two_starts_page(
    edit: str, nodes: Sequence[str], incremental: Compiled, full: Compiled, by: Statistics, command: str
) -> str:
    """Write the page; `edit` says in words what was edited, `nodes` are those that it touches."""
    share = incremental.to_gate / full.to_gate
    took = [f"{c.to_gate / 60:.1f} min" for c in (incremental, full)]
    success = [shown(c.scores, "task_success", by) for c in (incremental, full)]
    parts = [
        "# A one-node edit, compiled from the former model and from the base",
        f"Written by `{command}` from the figures in the JSON file beside it. The edit: {edit}. Nodes it touches: "
        f"{', '.join(f'`{n}`' for n in nodes)}. Both were fresh clones with the same DVC remote and ran up to the gate "
        f"of `make recompile`, one after the other, on {text(str(full.training.get('device')))}.",
        f"- **Time from edit to gate**: {took[0]} from the former model, {took[1]} from the base. That is {share:.0%} "
        f"of it; wanted are at most {_SHARE:.0%}: {'reached' if share <= _SHARE else 'missed'}.\n"
        f"- **Task success**: {success[0]} from the former model, {success[1]} from the base: the intervals "
        f"{'overlap' if _overlap(incremental, full, by) else 'do not overlap'}.",
        "## Time",
        _times(incremental, full),
        "\n".join(f"- {title}: {_started(c)}" for title, c in zip(_TITLES, (incremental, full), strict=True)),
        "## Quality",
        "On the same scenarios, with 95 % intervals. Differences are in points, former model minus base.",
        _quality(incremental, full, by),
        "Nodes: conversations through them in which all was right at each, with Wilson's interval.",
        _nodes(incremental, full, by.gate.confidence),
    ]
    return "\n\n".join(parts) + "\n"


def _overlap(one: Compiled, other: Compiled, by: Statistics) -> bool:
    first, second = (mean(c.scores, "task_success", by) for c in (one, other))
    assert first.low is not None and first.high is not None and second.low is not None and second.high is not None
    return first.low <= second.high and second.low <= first.high


def _times(*both: Compiled) -> str:
    names = dict.fromkeys(name for c in reversed(both) for name in c.stages)
    rows = [[f"`{name}`", *(f"{c.stages[name]:,.1f}" if name in c.stages else "—" for c in both)] for name in names]
    rest = [c.to_gate - sum(c.stages.values()) for c in both]
    rows += [
        ["fetching, deciding, judging, DVC between stages", *(f"{r:,.1f}" for r in rest)],
        ["**to the gate**", *(f"**{c.to_gate:,.1f}**" for c in both)],
    ]
    return table(["Seconds", *_TITLES], rows)


def _started(compiled: Compiled) -> str:
    training = compiled.training
    return (
        f"the gate {compiled.outcome}; trained on {training['tokens']:,} tokens at {training['tokens_per_second']:,} "
        f"a second, {text(str(training_start(training, compiled.revision)))}. {text(' '.join(compiled.notes))}"
    )


def _quality(incremental: Compiled, full: Compiled, by: Statistics) -> str:
    rows = [
        [
            criterion.replace("_", " "),
            *(shown(c.scores, criterion, by) for c in (incremental, full)),
            difference(full.scores, incremental.scores, criterion, by),
        ]
        for criterion in CRITERIA
    ]
    return table(["Criterion", *_TITLES, "Difference"], rows)


def _nodes(incremental: Compiled, full: Compiled, confidence: float) -> str:
    rows = [
        ["changed", *(_share(c.changed, confidence) for c in (incremental, full))],
        ["unchanged", *(_share(c.unchanged, confidence) for c in (incremental, full))],
    ]
    return table(["Nodes", *_TITLES], rows)


def _share(found: Count, confidence: float) -> str:
    if not found.n:
        return "no conversation"
    low, high = share_interval(found.right, found.n, confidence)
    return f"{found.right} of {found.n} [{percent(low)} to {percent(high)}]"
