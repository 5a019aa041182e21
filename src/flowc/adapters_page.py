"""Adapters beside a full update, on the same conversations: quality, speed, and the rank of what each changed."""

from __future__ import annotations

from collections.abc import Sequence

from flowc.markdown import table, text
from flowc.metrics import Json, number
from flowc.records import Record
from flowc.scoreboard import NOT_MEASURED
from flowc.side_by_side import Scores, Statistics, compared, difference, shown
from flowc.update_rank import Kind, kinds_table

_SHOWN = ("task_success", "procedure_order", "information_accuracy")


class Trained(Record):
    """One way of training: its metrics, its scores, and what it changed."""

    title: str
    rate: float
    """Peak of its schedule."""
    training: Json
    scores: Scores
    kinds: tuple[Kind, ...]


def adapters_page(full: Trained, adapters: Sequence[Trained], setting: str, by: Statistics, command: str) -> str:
    """Write the page; `setting` says what all of them were trained on."""
    ways = [full, *adapters]
    parts = [
        "# Can adapters of low rank hold a procedure?",
        f"Written by `{command}` from the figures in the JSON file beside it. {setting} All saw the same conversations "
        "in the same number of steps, from the same base, and talked to the same simulated users, on "
        f"{text(str(full.training.get('device')))}. Adapters are on every linear layer but the output layer, with "
        "alpha twice the rank, and are merged before they are served.",
        "Intervals are 95 %. Differences from the full update are in points on the same scenarios, with the gate's "
        "interval.",
        _quality(full, ways, by),
        *(f"- **{w.title}**: {_verdict(full, w, by)}" for w in adapters),
        "## Training",
        _training(ways),
        "## The rank of the full update",
        "How far the change of each kind of matrix is from low rank, as the median over the layers. Stable rank: the "
        "squared singular values' sum over the largest. Entropy rank: exp of the entropy of their shares. The last "
        "column is the rank that an adapter would need to hold 90 % of the squared change.",
        kinds_table(full.kinds),
        "## The rank of the adapters' updates",
        "The largest over the kinds of matrices that they change: the entropy rank cannot pass the adapter's rank.",
        _largest(adapters),
    ]
    return "\n\n".join(parts) + "\n"


def _quality(full: Trained, ways: Sequence[Trained], by: Statistics) -> str:
    rows = [
        [
            w.title,
            *(shown(w.scores, c, by) for c in _SHOWN),
            "—" if w is full else difference(full.scores, w.scores, "task_success", by),
        ]
        for w in ways
    ]
    return table(["Trained", *(c.replace("_", " ").capitalize() for c in _SHOWN), "Success, difference"], rows)


def _verdict(full: Trained, way: Trained, by: Statistics) -> str:
    found = compared(full.scores, way.scores, "task_success", by)
    low, high = found.low, found.high
    if low is None or high is None:
        return "not measured on a scenario of both."
    if high < 0:
        return f"fewer conversations succeed than with the full update, by at least {-100 * high:.1f} points."
    if low > 0:
        return f"more conversations succeed than with the full update, by at least {100 * low:.1f} points."
    return f"no evidence of a difference; it is not larger than {100 * max(-low, high):.1f} points."


def _training(ways: Sequence[Trained]) -> str:
    rows = []
    for w in ways:
        t = w.training
        evals = dict(t.get("eval_curve") or [])
        seconds = number(t, "seconds", "total")
        rows.append(
            [
                w.title,
                f"{w.rate:g}",
                f"{t['tokens']:,}",
                f"{t['steps']}",
                f"{t['tokens_per_second']:,}",
                NOT_MEASURED if seconds is None else f"{seconds / 60:.1f}",
                f"{t['loss_curve'][-1][1]:.3f}",
                f"{evals[t['best_step']]:.4f}" if t["best_step"] in evals else NOT_MEASURED,
            ]
        )
    head = ["Trained", "Rate", "Tokens", "Steps", "Tokens/s", "Minutes", "Last loss", "Held-out loss"]
    return table(head, rows)


def _largest(adapters: Sequence[Trained]) -> str:
    rows = []
    for w in adapters:
        most = [max(values) for values in zip(*((k.norm, k.entropy, k.ninety) for k in w.kinds), strict=True)]
        rows.append([w.title, f"{most[0]:.4f}", f"{most[1]:.1f}", f"{most[2]:.0f}"])
    return table(["Trained", "Change / weights", "Entropy rank", "Rank of 90 %"], rows)
