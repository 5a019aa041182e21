"""Experiments side by side, from `dvc exp show --json`: what varied, and quality against size, time and cost."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib as mpl

from flowc.markdown import table, text
from flowc.metrics import Json, Rate, arm, number, rate, section
from flowc.plots import BLUE, STYLE, new_figure, save
from flowc.records import UserError
from flowc.scoreboard import NOT_MEASURED, cell
from flowc.stage_runs import flat

_ABOUT_BASE = "base."  # a base model's own numbers follow from its name
_COMMITTED = "as committed"
_BESIDE = {"procedures", "arms"}  # what else was compiled or talked to changes nothing in what is compared


class Point(NamedTuple):
    """One experiment on one procedure; None is what was not measured."""

    name: str
    values: Mapping[str, Any]
    """Params that vary over the sweep."""
    success: Rate | None
    held_out: Rate | None
    megabytes: float | None
    """The compiled model with its tokenizer, as stored."""
    train_seconds: float | None
    resumed: bool
    """Whether training was stopped and continued, so that its time is no measure of speed."""
    dollars: float | None
    """For a thousand conversations."""
    failed: str | None
    """Why the experiment has no metrics, if it has none."""

    @property
    def label(self) -> str:
        """What sets this experiment apart."""
        varied = ", ".join(f"{_short(k)} {v}" for k, v in self.values.items())
        return f"{varied} ({self.name})" if varied and self.name == _COMMITTED else varied or self.name


class Layout(NamedTuple):
    """Where a repository keeps what is compared; `{}` is the procedure."""

    scores: str
    training: str
    benchmark: str
    model: str
    params: str


def read_sweep(
    shown: Sequence[Mapping[str, Any]], procedure: str, layout: Layout, read: Callable[[str, str], Json]
) -> list[Point]:
    """Read the commits that DVC showed, where they were compiled, and their experiments; the smallest model first.

    `read` gives a JSON file of a revision: DVC shows single numbers, and drops the intervals of the scores.
    Raises UserError when there is none.
    """
    runs = [run for commit in shown for run in commit.get("experiments") or ()]
    if not runs:
        raise UserError(
            "there is no experiment on this commit; run some, for example "
            "`dvc exp run --queue -S base=smollm2-135m-6l,smollm2-135m-12l && dvc queue start -j 1`"
        )
    found: list[tuple[Mapping[str, Any], Mapping[str, Any]]] = [(run, run["revs"][0]) for run in runs]
    found += [({}, {**c, "name": _COMMITTED}) for c in shown if _is_compiled(c, layout.training.format(procedure))]
    params = [flat(_files(rev, "params").get(layout.params, {})) for _, rev in found]
    varied = _varied([p for p in params if p])
    points = [
        _point(run, rev, {k: p.get(k) for k in varied} if p else {}, procedure, layout, read)
        for (run, rev), p in zip(found, params, strict=True)
    ]
    return sorted(points, key=lambda p: (p.failed is not None, p.megabytes or 0.0, p.label))


def _is_compiled(commit: Mapping[str, Any], training: str) -> bool:
    return commit.get("rev") != "workspace" and training in _files(commit, "metrics")


def _point(
    run: Mapping[str, Any],
    rev: Mapping[str, Any],
    values: Mapping[str, Any],
    procedure: str,
    layout: Layout,
    read: Callable[[str, str], Json],
) -> Point:
    name = str(rev.get("name") or rev["rev"][:7])
    if failed := _why_failed(run, rev):  # what DVC shows of it are the metrics of the commit that it began from
        return Point(name, values, None, None, None, None, False, None, failed)
    metrics = _files(rev, "metrics")
    training, benchmark = (metrics.get(p.format(procedure), {}) for p in (layout.training, layout.benchmark))
    compiled = arm(read(rev["rev"], layout.scores.format(procedure)), "compiled")
    size = number((rev.get("data") or {}).get("outs"), layout.model.format(procedure), "size")
    dollars = number(benchmark, "cost", "usd_per_conversation")
    return Point(
        name=name,
        values=values,
        success=rate(compiled.get("task_success")),
        held_out=rate((section(compiled, "by_split", "held_out_path") or {}).get("task_success")),
        megabytes=None if size is None else size / 1e6,
        train_seconds=number(training, "seconds", "total"),
        resumed=bool(number(training, "resumed")),
        dollars=None if dollars is None else 1000 * dollars,
        failed=None,
    )


def _why_failed(run: Mapping[str, Any], rev: Mapping[str, Any]) -> str | None:
    error = rev.get("error")
    if error:
        return str(error.get("msg") or error.get("type"))
    state = str((run.get("executor") or {}).get("state") or "")
    return state if state in ("failed", "queued", "running") else None


def _files(rev: Mapping[str, Any], kind: str) -> dict[str, Json]:
    files = (rev.get("data") or {}).get(kind) or {}
    return {path: one["data"] for path, one in files.items() if isinstance(one.get("data"), dict)}


def _varied(params: Sequence[Mapping[str, Any]]) -> list[str]:
    keys = sorted({k for p in params for k in p} - _BESIDE)
    varied = [k for k in keys if len({repr(p.get(k)) for p in params}) > 1]
    by_name = f"{_ABOUT_BASE}name"
    return [k for k in varied if k == by_name or by_name not in varied or not k.startswith(_ABOUT_BASE)]


def _short(key: str) -> str:
    return "base" if key == f"{_ABOUT_BASE}name" else key


def sweep_table(points: Sequence[Point]) -> str:
    """Lay out the experiments, smallest model first; failed ones stand last with their reason."""
    rows = []
    for row, p in enumerate(points, 1):
        if p.failed:
            rows.append([f"{row}", text(p.label), text(p.failed), *["—"] * 4])
            continue
        n = p.success.n if p.success else None
        seconds = "{:,.0f}, continued" if p.resumed else "{:,.0f}"
        measured = [(p.megabytes, "{:,.1f}"), (p.train_seconds, seconds), (p.dollars, "{:.4f}")]
        rows.append(
            [
                f"{row}",
                text(p.label),
                cell(p.success),
                cell(p.held_out, n),
                *(NOT_MEASURED if v is None else form.format(v) for v, form in measured),
            ]
        )
    head = [
        "no.",
        "Experiment",
        "Task success",
        "On held-out paths",
        "Model, MB",
        "Training, s",
        "$ for 1,000 conversations",
    ]
    return table(head, rows)


def draw_sweep(path: Path, points: Sequence[Point], title: str) -> None:
    """Draw task success with its 95 % interval against the model's size, training time and cost."""
    axes_of = [("size of the compiled model (MB)", "megabytes"), ("training (s)", "train_seconds")]
    axes_of.append(("$ for 1,000 conversations", "dollars"))
    with mpl.rc_context(STYLE):
        figure, panels = new_figure(13, 4.2, 3)
        for axes, (label, field) in zip(panels, axes_of, strict=True):
            for row, p in enumerate(points, 1):
                x = None if field == "train_seconds" and p.resumed else getattr(p, field)
                if x is None or p.success is None or p.success.mean is None:
                    continue
                low, high = p.success.low, p.success.high
                if low is not None and high is not None:
                    axes.plot([x, x], [100 * low, 100 * high], color=BLUE, lw=2, solid_capstyle="butt")
                axes.plot([x], [100 * p.success.mean], "o", color=BLUE, ms=7, clip_on=False)
                axes.annotate(str(row), (x, 100 * p.success.mean), xytext=(7, 4), textcoords="offset points")
            axes.set(xlabel=label, xlim=(0, None), ylim=(-2, 102))
            axes.margins(x=0.12)
        panels[0].set_ylabel("task success (%)")
        panels[0].set_title(title)
        save(figure, path)


def sweep_page(procedures: Mapping[str, Sequence[Point]], plots: Mapping[str, str]) -> str:
    """Write the page; `plots` are paths relative to it, by procedure."""
    parts = [
        "# Experiments compared",
        "Written by `make compare` from `dvc exp show`. Intervals are 95 %; numbers in a plot are rows of its table. A "
        "training that was stopped and continued has its time in the table and not in the plot. What is as committed "
        "stands in the commit that the experiments began from; a later one may have trained the same model again, in "
        "another time.",
    ]
    for procedure, points in procedures.items():
        parts += [f"## {procedure}", f"![Task success of {procedure} against size, time and cost]({plots[procedure]})"]
        parts += [sweep_table(points)]
    return "\n\n".join(parts) + "\n"
