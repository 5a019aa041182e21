"""The report's part on serving: the load sweep, what a conversation costs, and the machine that it ran on."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise

from flowc.markdown import details, table, text
from flowc.metrics import Json, number, section
from flowc.plots import Load
from flowc.scoreboard import NOT_MEASURED, NOT_RUN, percent

_PERCENTILES = ("p50", "p95", "p99")
_COSTS = {
    "usd_per_hour": "The machine, an hour",
    "usd_per_million_input": "A million prompt tokens",
    "usd_per_million_output": "A million completion tokens",
    "usd_per_conversation": "A conversation, by tokens at the highest rates",
    "usd_per_conversation_by_time": "A conversation, by the time that a few at once took",
}


def serving_section(benchmark: Json, sweep_picture: str, offered_picture: str) -> list[str]:
    """Write the section: the service levels, the sweep over concurrency, the offered loads."""
    return [
        levels_said(benchmark),
        sweep_picture if loads(benchmark) else f"{NOT_RUN}: the load sweep has no rows",
        details("Every row of the load sweep", serving_table(benchmark)),
        "Requests that come at a rate, whether or not earlier ones are answered, all with a cold cache. Load: share of "
        "the most that the sweep got through. Dollars: by the goodput, at this load all the time.",
        *([offered_picture] if offered_rates(benchmark) else []),
        offered_table(benchmark),
    ]


def loads(benchmark: Json) -> list[Load]:
    """Read the rows of the load sweep, by cache and concurrency."""
    rows = [
        Load(
            int(row["concurrency"]),
            str(row["cache"]),
            number(row, "requests"),
            number(row, "output_tokens_per_second"),
            number(row, "goodput_per_second"),
            *({p: number(row, f"{kind}_ms", p) for p in _PERCENTILES} for kind in ("ttft", "tpot", "itl")),
        )
        for row in benchmark.get("rows") or []
    ]
    return sorted(rows, key=lambda r: (r.cache, r.concurrency))


_UNEVEN = (
    "A rate was served in time more often than a lower one, so something else ran on the machine or so few requests do "
    "not tell. Until it is measured again, all that is sure is the highest rate below the first that was late."
)


def kept_up_with(benchmark: Json, cache: str) -> tuple[list[Json], Json | None]:
    """Give the loads that keep the service levels 95 of 100 times, lowest first, and the first that does not.

    What lies above that one does not count, for it kept them by chance.
    """
    levels = [(kind, number(benchmark, "levels", kind)) for kind in ("ttft_ms", "tpot_ms")]
    kept: list[Json] = []
    some = [r for r in benchmark.get("rows") or [] if r["cache"] == cache]
    for row in sorted(some, key=lambda r: int(r["concurrency"])):
        if any(level is None or (number(row, kind, "p95") or math.inf) > level for kind, level in levels):
            return kept, row
        kept.append(row)
    return kept, None


def levels_said(benchmark: Json) -> str:
    """Say what the service levels are, and the most requests at once with which they are kept."""
    first, later = (number(benchmark, "levels", kind) for kind in ("ttft_ms", "tpot_ms"))
    if first is None or later is None:
        return f"Service levels: {NOT_MEASURED}."
    said = []
    for cache in ("cold", "warm"):
        kept, broken = kept_up_with(benchmark, cache)
        most = f"up to {kept[-1]['concurrency']} requests at once" if kept else "no load measured"
        said.append(f"{most} with a {cache} prefix cache" + (f" (not {broken['concurrency']})" if broken else ""))
    n = [row.requests for row in loads(benchmark) if row.requests is not None]
    few = (
        f" Each load was measured on {min(n):.0f} to {max(n):.0f} requests, so that one slow one may decide."
        if n
        else ""
    )
    return (
        f"Service levels: {first / 1000:g} s to the first token and {later:g} ms a further one. 95 of 100 requests "
        f"keep each with {', '.join(said)}. Goodput: requests a second that keep both. A cold cache holds nothing, a "
        f"warm one the whole prompt; a conversation under way finds nearly all of its prompt.{few}"
    )


def offered_rates(benchmark: Json) -> list[tuple[float, float, float]]:
    """Read what was offered, answered and answered in time, in requests a second."""
    found = [
        tuple(number(row, f"{key}_per_second") for key in ("offered", "requests", "goodput"))
        for row in benchmark.get("offered") or []
    ]
    return [(a, b, c) for a, b, c in found if a is not None and b is not None and c is not None]


def offered_table(benchmark: Json) -> str:
    """Lay out goodput, latency and cost at each rate at which requests came."""
    rows = benchmark.get("offered") or []
    if not rows:
        return f"Offered load: {NOT_RUN}: no rates were measured"
    hour = number(benchmark, "cost", "usd_per_hour")
    each = number(benchmark, "cost", "tokens_per_conversation", "requests")
    body = []
    for row in rows:
        offered, done, good = (number(row, f"{key}_per_second") for key in ("offered", "requests", "goodput"))
        dollars = 1000 * hour * each / (3600 * good) if hour and each and good else None
        body.append([
            percent(row["share"]),
            _shown(number(row, "requests")),
            *(NOT_MEASURED if x is None else f"{x:.2f}" for x in (offered, done, good)),
            *(_percentiles(section(row, f"{kind}_ms") or {}) for kind in ("ttft", "tpot")),
            "—" if dollars is None else usd(dollars),
        ])  # fmt: skip
    head = ["Load", "Requests", "Offered/s", "Done/s", "Goodput/s", "TTFT ms p50/p95/p99", "TPOT ms p50/p95/p99"]
    laid = table([*head, "USD per 1,000 conversations"], body)
    return f"{laid}\n\n{_UNEVEN}" if _uneven(offered_rates(benchmark)) else laid


def _uneven(rates: Sequence[tuple[float, float, float]]) -> bool:
    """Whether a rate was served in time clearly more often than a lower one."""
    in_time = [good / done for _, done, good in sorted(rates) if done]
    return any(later > earlier + 0.25 for earlier, later in pairwise(in_time))


def serving_table(benchmark: Json) -> str:
    """Lay out throughput and the latency percentiles of every row."""
    rows = loads(benchmark)
    if not rows:
        return f"{NOT_RUN}: the load sweep has no rows"

    body = [
        [
            f"{row.cache}, {row.concurrency}",
            _shown(row.requests),
            _shown(row.tokens_per_second),
            NOT_MEASURED if row.goodput is None else f"{row.goodput:.2f}",
            *(_percentiles(kind) for kind in (row.ttft, row.tpot, row.itl)),
        ]
        for row in rows
    ]
    head = [
        "Prefix cache, concurrency",
        "Requests",
        "Output tokens/s",
        "Goodput, requests/s",
        *(f"{k} ms p50/p95/p99" for k in ("TTFT", "TPOT", "ITL")),
    ]
    return table(head, body)


def _percentiles(values: Mapping[str, float | None]) -> str:
    return " / ".join(_shown(values.get(p)) for p in _PERCENTILES)


def _shown(value: float | None) -> str:
    return NOT_MEASURED if value is None else f"{value:,.0f}"


def cost_table(benchmark: Json) -> str:
    """Lay out the cost, at the machine's price an hour."""
    cost = section(benchmark, "cost")
    if cost is None:
        return f"Cost: {NOT_RUN}: the benchmark has no cost table"
    amounts = {title: number(cost, key) for key, title in _COSTS.items()}
    return table(["Cost", "USD"], [[t, NOT_MEASURED if x is None else usd(x)] for t, x in amounts.items()])


def usd(amount: float) -> str:
    """Write dollars with two digits that matter, cents where there are dollars."""
    return f"{amount:,.0f}" if amount >= 100 else f"{amount:.2f}" if amount >= 0.1 else f"{amount:.2g}"


def machine_table(training: Json, benchmark: Json) -> str:
    """Name the machine, from what training and benchmark saw."""
    machine = section(benchmark, "machine") or {}
    peaks = section(training, "peak_gflops") or {}
    memory = number(machine, "memory_gib")
    cores = number(machine, "cores")
    rows = [
        ["Processor", text(str(machine.get("processor", NOT_MEASURED)))],
        ["Cores", NOT_MEASURED if cores is None else f"{cores:.0f}"],
        ["Memory", NOT_MEASURED if memory is None else f"{memory:.0f} GiB"],
        ["Trained on", text(str(training.get("device", NOT_MEASURED)))],
        ["Matrix peak, all ranks", ", ".join(f"{p:,.0f} GFLOP/s ({f})" for f, p in peaks.items()) or NOT_MEASURED],
    ]
    return table(["Machine", ""], rows)
