"""The report's plots as PNG: the same numbers give the same bytes.

Colours are Okabe and Ito's, which colour-blind readers tell apart; markers differ too.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter
from PIL import Image

from flowc.metrics import Rate

BLUE, ORANGE, GREEN, GREY = "#0072b2", "#d55e00", "#009e73", "#666666"
_DPI = 144
_LINES = ["-", "--", "-.", ":"]
STYLE: dict[Any, Any] = {
    "font.family": "DejaVu Sans",  # comes with matplotlib, so that every machine draws the same
    "font.size": 11,
    "axes.titlesize": 12,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#dddddd",
    "axes.axisbelow": True,
    "legend.frameon": False,
    "figure.facecolor": "white",
}

Points = Sequence[tuple[float, float]]


class ArmRates(NamedTuple):
    """An arm's success: one rate a group (such as "all"), or the reason why there is none."""

    arm: str
    rates: Mapping[str, Rate | None]
    not_run: str | None


class ArmTokens(NamedTuple):
    """An arm's mean tokens a conversation, as the server counted them."""

    arm: str
    prompt: float
    completion: float


class Load(NamedTuple):
    """One row of the load sweep: goodput in requests a second, latencies in milliseconds by percentile.

    None where not measured.
    """

    concurrency: int
    cache: str
    requests: float | None
    tokens_per_second: float | None
    goodput: float | None
    ttft: Mapping[str, float | None]
    tpot: Mapping[str, float | None]
    itl: Mapping[str, float | None]


class CostLine(NamedTuple):
    """What 1,000 conversations cost at every volume, in dollars, and the volume at which own machines cost no more."""

    name: str
    dollars: float
    met: int | None


class NodePoint(NamedTuple):
    """A node: its visits in training, the share of decisions at it that were right, and their number."""

    node: str
    visits: int
    right: float
    n: int


def loss(path: Path, train: Points, held_out: Points, best_step: float | None) -> None:
    """Draw the loss (nats a target token) of training batches and of eval conversations over the steps."""
    with mpl.rc_context(STYLE):
        figure, (axes,) = new_figure(8, 3.8, 1)
        if train:
            axes.plot(*zip(*train, strict=True), color=BLUE, lw=1.2, alpha=0.75, label="training batches")
        if held_out:
            axes.plot(*zip(*held_out, strict=True), "o-", color=ORANGE, lw=2, ms=5, label="eval conversations")
        if best_step is not None:
            axes.axvline(best_step, color=GREY, ls="--", lw=1.2, label=f"kept: step {best_step:g}")
        axes.set(xlabel="optimiser step", ylabel="loss (nats per target token)", title="Training", ylim=(0, None))
        axes.legend()
        save(figure, path)


def success(path: Path, arms: Sequence[ArmRates]) -> None:
    """Draw each arm's task success with its 95 % interval, one marker a group."""
    groups = list(dict.fromkeys(g for a in arms for g in a.rates))
    looks = [(BLUE, "o", 8), (GREEN, "s", 5.5), (ORANGE, "D", 5.5), (GREY, "^", 5.5)]
    with mpl.rc_context(STYLE):
        figure, (axes,) = new_figure(8, 1.4 + 0.62 * len(arms), 1)
        for row, arm in enumerate(arms):
            if arm.not_run is not None:
                axes.text(1, row, f"not run: {arm.not_run}", va="center", color=GREY, style="italic")
            for i, group in enumerate(groups):
                rate = arm.rates.get(group)
                if rate is not None and rate.mean is not None:
                    _interval(axes, rate, row + 0.2 * (i - (len(groups) - 1) / 2), *looks[i % len(looks)])
        for group, (color, marker, size) in zip(groups, looks, strict=False):
            axes.plot([], [], marker=marker, ms=size, color=color, ls="none", label=group)
        axes.set_yticks(range(len(arms)), [a.arm for a in arms])
        axes.set(xlim=(-2, 102), ylim=(len(arms) - 0.4, -0.6), xlabel="conversations that end as they should (%)")
        axes.set_title("Task success with 95 % intervals")
        axes.grid(axis="y", visible=False)
        if groups:
            axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.9 / (1.4 + 0.62 * len(arms))), ncols=len(groups))
        save(figure, path)


def _interval(axes: Axes, rate: Rate, y: float, color: str, marker: str, size: float) -> None:
    assert rate.mean is not None
    low = rate.mean if rate.low is None else rate.low
    high = rate.mean if rate.high is None else rate.high
    axes.plot([100 * low, 100 * high], [y, y], color=color, lw=2, solid_capstyle="butt")
    axes.plot([100 * rate.mean], [y], marker=marker, ms=size, color=color, ls="none", clip_on=False)


def tokens(path: Path, arms: Sequence[ArmTokens]) -> None:
    """Draw the tokens of a mean conversation, prompt and completion, by arm."""
    with mpl.rc_context(STYLE):
        figure, (axes,) = new_figure(8, 1.4 + 0.5 * len(arms), 1)
        rows = range(len(arms))
        prompt = [a.prompt for a in arms]
        axes.barh(rows, prompt, color=BLUE, height=0.6, label="prompt")
        axes.barh(rows, [a.completion for a in arms], left=prompt, color=ORANGE, height=0.6, label="completion")
        for row, arm in zip(rows, arms, strict=True):
            axes.annotate(
                f"{arm.prompt + arm.completion:,.0f}",
                (arm.prompt + arm.completion, row),
                xytext=(5, 0),
                textcoords="offset points",
                va="center",
            )
        axes.set_yticks(rows, [a.arm for a in arms])
        axes.set(ylim=(len(arms) - 0.4, -0.6), xlabel="tokens per conversation, all requests together")
        axes.set_title("What a conversation takes")
        axes.margins(x=0.12)
        axes.xaxis.set_major_formatter("{x:,.0f}")
        axes.grid(axis="y", visible=False)
        axes.legend(loc="lower right")
        save(figure, path)


def serving(path: Path, rows: Sequence[Load]) -> None:
    """Draw throughput and latency against concurrency, the prefix cache cold and warm.

    Latency lines are medians; the shade reaches to p95.
    """
    looks = {"cold": (BLUE, "o"), "warm": (ORANGE, "s")}
    with mpl.rc_context(STYLE):
        figure, (throughput, first, later) = new_figure(11, 3.9, 3)
        for cache in dict.fromkeys(r.cache for r in rows):
            color, marker = looks.get(cache, (GREY, "^"))
            some = sorted((r for r in rows if r.cache == cache), key=lambda r: r.concurrency)
            speeds = [(r.concurrency, r.tokens_per_second) for r in some if r.tokens_per_second is not None]
            if speeds:
                throughput.plot(*zip(*speeds, strict=True), color=color, marker=marker, label=f"{cache} cache")
            for axes, latencies in ((first, [r.ttft for r in some]), (later, [r.tpot for r in some])):
                _latency(axes, [r.concurrency for r in some], latencies, color, marker)
        throughput.set(ylabel="output tokens per second", title="Throughput")
        first.set(ylabel="milliseconds", title="Time to first token")
        later.set(ylabel="milliseconds", title="Time per further token")
        ticks = sorted({r.concurrency for r in rows})
        for axes in (throughput, first, later):
            axes.set_xscale("log", base=2)
            axes.set_xticks(ticks, [str(t) for t in ticks])
            axes.minorticks_off()
            axes.set(xlabel="concurrent requests", ylim=(0, None))
        throughput.legend(loc="best")
        first.plot([], [], color=GREY, label="median")
        first.fill_between([], [], color=GREY, alpha=0.2, label="up to p95")
        first.legend(loc="best")
        save(figure, path)


def offered(path: Path, rates: Sequence[tuple[float, float, float]]) -> None:
    """Draw requests a second that were answered, and answered in time, against those offered: (offered, done, good)."""
    at, done, good = zip(*sorted(rates), strict=True)
    with mpl.rc_context(STYLE):
        figure, (axes,) = new_figure(8, 3.8, 1)
        axes.plot([0, at[-1]], [0, at[-1]], color=GREY, ls="--", lw=1.2, label="offered")
        axes.plot(at, done, color=ORANGE, marker="s", label="answered")
        axes.plot(at, good, color=BLUE, marker="o", lw=2, label="answered in time (goodput)")
        axes.set(xlabel="requests offered a second", ylabel="requests a second", title="Goodput", ylim=(0, None))
        axes.legend(loc="best")
        save(figure, path)


def cost(path: Path, own: Points, others: Sequence[CostLine]) -> None:
    """Draw dollars per 1,000 conversations over conversations a month: `own` on rented machines, `others` by token."""
    with mpl.rc_context(STYLE):
        figure, (axes,) = new_figure(8, 4.6, 1)
        axes.plot(*zip(*own, strict=True), color=BLUE, lw=2.5, label="compiled, on machines rented for it alone")
        for i, line in enumerate(sorted(others, key=lambda o: -o.dollars)):
            axes.axhline(line.dollars, color=ORANGE, ls=_LINES[i % len(_LINES)], lw=1.6, label=line.name)
            if line.met is not None and own[0][0] < line.met < own[-1][0]:
                axes.plot([line.met], [line.dollars], "o", color=BLUE, ms=5)
                # Levels are often close together: the numbers stand above and below them in turn.
                at, side = ((4, 5), "left") if i % 2 == 0 else ((-4, -12), "right")
                axes.annotate(f"{line.met:,}", (line.met, line.dollars), at, textcoords="offset points", ha=side)
        axes.set_xscale("log")
        axes.set_yscale("log")
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_minor_formatter(NullFormatter())
        axes.xaxis.set_major_formatter("{x:,.0f}")
        axes.yaxis.set_major_formatter("${x:,g}")
        axes.set(xlabel="conversations a month", ylabel="dollars per 1,000 conversations")
        axes.set_title("What a conversation costs, by how many there are")
        axes.legend(loc="upper right", fontsize=9)
        save(figure, path)


def nodes(path: Path, points: Sequence[NodePoint]) -> None:
    """Draw the share of right decisions at each node against its visits in training; the six worst are named."""
    worst = sorted((p for p in points if p.right < 1), key=lambda p: (p.right, -p.n, p.node))[:6]
    most = max(p.n for p in points)
    with mpl.rc_context(STYLE):
        figure, (axes,) = new_figure(8, 4.4, 1)
        for some, color in (([p for p in points if p not in worst], BLUE), (worst, ORANGE)):
            sizes = [_area(p.n, most) for p in some]
            at, right = [p.visits for p in some], [100 * p.right for p in some]
            axes.scatter(at, right, s=sizes, color=color, alpha=0.6, lw=0, clip_on=False)
        for n in dict.fromkeys((1, max(1, most // 4), most)):
            axes.scatter([], [], s=_area(n, most), color=GREY, alpha=0.6, lw=0, label=f"{n:,}")
        low = min(p.right for p in points)
        span = max(100 * (1 - low), 5)
        # A name stands beside its point, on the side with more room, and above names already there, with a line.
        middle = (max(1, min(p.visits for p in points)) * max(1, *(p.visits for p in points))) ** 0.5
        taken: list[float] = []
        for p in worst:
            height, y = 220 * p.right / span * 100, 0.0  # about 220 points are what the axis spans
            while any(abs(height + y - other) < 12 for other in taken):
                y += 12
            taken.append(height + y)
            left = p.visits > middle
            axes.annotate(
                p.node,
                (p.visits, 100 * p.right),
                xytext=(-16 if left else 16, y),
                textcoords="offset points",
                ha="right" if left else "left",
                va="center",
                fontsize=9,
                arrowprops={"arrowstyle": "-", "color": GREY, "lw": 0.8},
            )
        if any(p.visits == 0 for p in points):
            axes.set_xscale("symlog")
        else:
            axes.set_xscale("log")
            axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.xaxis.set_major_formatter("{x:,.0f}")
        axes.set(ylim=(100 - 1.08 * span, 100 + 0.06 * span), xlabel="visits in the training conversations")
        axes.set(ylabel="decisions that were right (%)", title="Quality by node")
        axes.legend(title="decisions", loc="center left", bbox_to_anchor=(1, 0.5), labelspacing=1.2)
        save(figure, path)


def _area(n: int, most: int) -> float:
    return 15 + 235 * n / most


def _latency(
    axes: Axes, at: Sequence[int], values: Sequence[Mapping[str, float | None]], color: str, marker: str
) -> None:
    known = [(x, v["p50"], v.get("p95")) for x, v in zip(at, values, strict=True) if v.get("p50") is not None]
    if not known:
        return
    x, median, high = zip(*known, strict=True)
    axes.plot(x, median, color=color, marker=marker)
    if None not in high:
        axes.fill_between(x, median, high, color=color, alpha=0.18, lw=0)


def new_figure(width: float, height: float, panels: int) -> tuple[Figure, list[Axes]]:
    """Give a figure (inches) with panels side by side."""
    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, [figure.add_subplot(1, panels, i + 1) for i in range(panels)]


def save(figure: Figure, path: Path) -> None:
    """Write a figure as PNG, the same bytes for the same figure."""
    drawn = io.BytesIO()
    figure.savefig(drawn, format="png", dpi=_DPI)
    path.parent.mkdir(parents=True, exist_ok=True)
    # 64 colours are enough for lines and text, a third of the size; saved anew, no date or version is in it.
    picture = Image.open(drawn).convert("RGB").quantize(64, dither=Image.Dither.NONE)
    picture.save(path, format="png", optimize=True)
