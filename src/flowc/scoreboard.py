"""The report's tables of scores: every mean with its interval and n, no unknown as zero."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from flowc.deviations import KINDS
from flowc.markdown import table, text
from flowc.metrics import (
    ARMS,
    SPLITS,
    Json,
    Rate,
    arm,
    arms,
    counted,
    criteria,
    number,
    rate,
    reason_not_run,
    section,
)

NOT_RUN = "not run"
NOT_MEASURED = "not measured"
FEW = 5  # scenarios, of which an interval says next to nothing: one scenario played three times has three equal scores
STRICTER = {
    "right_calls": "With right values in calls",
    "in_order": "And every step in order",
    "faultless": "And without any fault",
}
COMPARED = (
    "Wilcoxon: paired, on the scenarios that both arms have a score for, each with as many repeats as every arm has. "
    "Mann-Whitney: where they share none; none: where one arm has no score. n: pairs, or else the scores of both arms. "
    "Differences of rates are in percentage points, with 95 % bootstrap intervals. Holm: corrected over all rows of "
    "this table. Could have shown: the smallest difference that a sample of this size finds four times in five, "
    "corrected likewise. A dash: not defined, as Cohen's d is where nothing varies."
)


def percent(share: float) -> str:
    """Write a share as a percentage with at most one decimal."""
    return f"{100 * share:.1f}".removesuffix(".0") + " %"


def cell(value: Rate | None, expected_n: int | None = None, judged: bool = False) -> str:
    """Write a rate for a table: mean, interval, and n where it is not `expected_n`.

    A dash stands for a verdict that could not be had, with the count of those. Few scenarios have no interval.
    """
    if value is None:
        return NOT_MEASURED
    if value.mean is None:
        return f"— ({value.unscored} unscored)" if value.unscored else "— (n=0)"
    scale, digits = (1, 2) if judged else (100, 1)

    def show(x: float) -> str:
        return f"{scale * x:.{digits}f}" if judged else f"{scale * x:.{digits}f}".removesuffix(".0")

    out = show(value.mean) + ("" if judged else " %")
    few = value.clusters is not None and value.clusters < FEW
    if value.low is not None and value.high is not None and not few:
        out += f" [{show(value.low)}–{show(value.high)}]"
    if value.n != expected_n:
        out += f" n={value.n}"
    if few and value.n != value.clusters:
        out += f" ({value.clusters} scenario{'s' * (value.clusters != 1)})"
    return out + (f", {value.unscored} unscored" if value.unscored else "")


def sentence(value: Rate | None) -> str:
    """Write a rate for running text: mean, interval and n."""
    if value is None or value.mean is None:
        return cell(value)
    return f"{cell(value, value.n)} (n = {value.n})"


def headline(scores: Sequence[Json]) -> str:
    """Lay out arms against criteria, one table a procedure, to be read on a terminal as well as rendered."""
    return "\n\n".join(f"{text(str(s.get('procedure')))}\n\n{arms_table(s, criteria(s))}" for s in scores)


def arms_table(scores: Json, names: Sequence[str], judged: bool = False) -> str:
    """Lay out arms against criteria, and below it why arms were not run and what a dash means."""
    rows, notes = [], []
    for name in arms(scores):
        reason = reason_not_run(scores, name)
        if reason is not None:
            rows.append([name, *[NOT_RUN] * (len(names) + 1)])
            notes.append(f"{name} not run: {text(reason)}")
            continue
        one = arm(scores, name)
        n = number(one, "n")
        if used := section(scores, "models", name):
            notes.append(_used(name, used))
        cells = [cell(rate(one.get(c)), None if n is None else int(n), judged) for c in names]
        rows.append([name, NOT_MEASURED if n is None else _played(one, n), *cells])
    if any("—" in c or "unscored" in c for row in rows for c in row):
        notes.append("—, unscored: verdicts that could not be had. They are counted and never taken as zero")
    if any(_is_point(rate(arm(scores, name).get(c))) for name in ran(scores) for c in names):
        notes.append(
            "Where all verdicts agree the interval is a point, for it resamples them; a true rate about 3/k away, "
            "k the number of scenarios, would still be no surprise (the rule of three)"
        )
    listed = "".join(f"\n- {note}" for note in notes)
    return table(["arm", "n", *(titled(c) for c in names)], rows) + (f"\n{listed}" if notes else "")


def models(bases: Sequence[str]) -> str:
    """Name the model of the arms on our own server; those of providers stand below the tables."""
    return (
        f"compiled, in_context, orchestrated and floor are all {text(', '.join(dict.fromkeys(bases)))}, of which "
        "compiled alone is trained. in_context has the flowchart in its prompt, orchestrated is led by LangGraph, "
        "floor has the one line that compiled has."
    )


def _played(one: Json, n: float) -> str:
    """Count an arm's conversations, and the scenarios where each was played several times."""
    times = number(one, "repeats") or 1
    return f"{n:.0f}" if times == 1 else f"{n:.0f} ({n / times:.0f} scenarios, {times:.0f} times)"


def _used(name: str, used: Json) -> str:
    """Say which provider's model played an arm, and what that took."""
    dollars = number(used, "dollars")
    cost = "price not known" if dollars is None else f"${dollars:,.2f}"
    return (
        f"{name}: {text(str(used.get('model')))} ({text(str(used.get('provider')))}), "
        f"{number(used, 'calls') or 0:,.0f} calls, {cost}"
    )


def split_table(scores: Json) -> str:
    """Lay out the criteria on seen and on held-out paths, for every arm that was run."""
    names = criteria(scores)
    rows = []
    for name in ran(scores):
        for split, title in SPLITS.items():
            found = [rate((section(arm(scores, name), "by_split", split) or {}).get(c)) for c in names]
            n = found[0].n + found[0].unscored if found[0] else 0
            rows.append([f"{name}, {title}", str(n), *(cell(r, n) for r in found)])
    return table(["arm and split", "n", *(titled(c) for c in names)], rows)


def strict_table(scores: Json) -> str:
    """Lay out what is left of each arm's successes when more is asked of them."""
    rows = []
    for name in ran(scores):
        one = arm(scores, name)
        levels = (rate((section(one, "strict") or {}).get(level)) for level in STRICTER)
        rows.append([name, *(cell(r) for r in (rate(one.get("task_success")), *levels))])
    return table(["arm", "Task success", *STRICTER.values()], rows)


def deviation_table(scores: Json) -> str:
    """Lay out task success by planned kind of deviation; a conversation counts under each of its kinds."""
    return _by_kind(scores, "Task success", "by_deviation", lambda found: rate(found.get("task_success")))


def recovery_table(scores: Json) -> str:
    """Lay out how often the assistant came back from deviations that users made, by their kind."""
    return _by_kind(scores, "Recovery", "by_recovery", counted)


def _by_kind(scores: Json, title: str, where: str, read: Callable[[Json], Rate | None]) -> str:
    run, place = ran(scores), {kind: i for i, kind in enumerate(KINDS)}
    found = {kind for name in run for kind in section(arm(scores, name), where) or {}}
    kinds = sorted(found, key=lambda kind: (place.get(kind, len(place)), kind))
    if not kinds:
        return f"{NOT_RUN}: no scenario has a deviation"
    rows = [
        [
            titled(kind),
            titled(KINDS[kind].group) if kind in KINDS else "—",
            *(cell(read(section(arm(scores, name), where, kind) or {})) for name in run),
        ]
        for kind in kinds
    ]
    return table([title, "Group", *run], rows)


def endings_table(scores: Json) -> str:
    """Count why conversations ended, by arm; the simulated user's own errors stand apart."""
    run = ran(scores)
    reasons = sorted({r for name in run for r in section(arm(scores, name), "endings") or {}})
    rows = []
    for name in run:
        counts = [number(arm(scores, name), "endings", r) or 0 for r in reasons]
        errors = number(arm(scores, name), "simulator_errors")
        rows.append([name, *(f"{c:.0f}" for c in counts), NOT_MEASURED if errors is None else f"{errors:.0f}"])
    return table(["arm", *(titled(r) for r in reasons), "Simulator errors"], rows)


def tokens_table(scores: Json) -> str:
    """Lay out the tokens of a mean conversation by arm, and how many times the compiled model's a request takes.

    Conversations are of unlike length, shortest where an arm went wrong at once.
    """
    own_calls = number(arm(scores, ARMS[0]), "tokens", "calls_per_conversation")
    own = conversation_tokens(scores, ARMS[0])
    rows = []
    for name in ran(scores):
        values = [
            number(arm(scores, name), "tokens", f"{k}_per_conversation") for k in ("prompt", "completion", "calls")
        ]
        total = conversation_tokens(scores, name)
        times = NOT_MEASURED
        if total is not None and own and values[2] and own_calls:
            times = f"{total / values[2] / (own / own_calls):.1f} x"
        shown = [NOT_MEASURED if v is None else f"{v:,.0f}" for v in (*values[:2], total)]
        rows.append([name, *shown, NOT_MEASURED if values[2] is None else f"{values[2]:.1f}", times])
    return table(["arm", "Prompt", "Completion", "Together", "Requests", "A request against compiled"], rows)


def comparisons_table(scores: Json) -> str:
    """Lay out the tests between arms, with Holm's correction over all of them."""
    found = scores.get("comparisons") or []
    if not found:
        return f"{NOT_RUN}: the evaluation made no tests between arms"
    head = ["arms", "Criterion", "Test", "n", "Difference", "Cohen's d", "p", "p (Holm)", "Could have shown"]
    return table(head, [_compared(c) for c in found])


def _compared(c: Json) -> list[str]:
    judged = "." in c["criterion"]

    def points(value: float | None) -> str:
        return "—" if value is None else f"{value:.2f}" if judged else f"{100 * value:.1f}".removesuffix(".0")

    interval = f" [{' to '.join(map(points, c['ci95']))}]" if c.get("ci95") else ""
    return [
        f"{c['a']} and {c['b']}",
        titled(c["criterion"]),
        text(str(c["test"])),
        str(c["n"]),
        points(c["difference"]) + interval,
        *("—" if c.get(k) is None else f"{c[k]:.2g}" for k in ("effect", "p", "p_holm")),
        points(c["smallest"]),
    ]


def reliability_table(scores: Json) -> str:
    """Lay out how often each arm fails, and how often all of k conversations on one scenario succeed (pass^k).

    The failures that judge models and people see, who rate, stand in a column for each of them.
    """
    run = ran(scores)
    judges = sorted({j for name in run for j in section(arm(scores, name), "failure") or {}} - {"task_success"})
    ks = sorted({int(k) for name in run for k in section(arm(scores, name), "pass_all") or {}})
    rows = []
    for name in run:
        failure = section(arm(scores, name), "failure") or {}
        failures = [rate(failure.get(judge)) for judge in ("task_success", *judges)]
        passed = section(arm(scores, name), "pass_all") or {}
        rows.append([name, *(cell(r) for r in (*failures, *(rate(passed.get(str(k))) for k in ks)))])
    by = [text(f"Failures by {judge.removesuffix('.task_success')}") for judge in judges]
    return table(["arm", "Failures", *by, *(f"pass^{k}" for k in ks)], rows)


def conversation_tokens(scores: Json, name: str) -> float | None:
    """Tokens of an arm's mean conversation, prompt and completion together."""
    parts = [number(arm(scores, name), "tokens", f"{k}_per_conversation") for k in ("prompt", "completion")]
    return None if None in parts else sum(p for p in parts if p is not None)


def _is_point(value: Rate | None) -> bool:
    return value is not None and value.low is not None and value.low == value.high


def ran(scores: Json) -> list[str]:
    """List the arms that were run."""
    return [name for name in arms(scores) if reason_not_run(scores, name) is None]


def titled(name: str) -> str:
    """Write a name in a file of metrics as a heading."""
    return text(name.replace("_", " ").capitalize() if "." not in name else name)
