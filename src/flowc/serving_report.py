"""The report's part on serving: the load sweep, what a conversation costs, and the machine that it ran on."""

from __future__ import annotations

from flowc.markdown import table, text
from flowc.metrics import Json, number, section
from flowc.plots import Load
from flowc.scoreboard import NOT_MEASURED, NOT_RUN

_PERCENTILES = ("p50", "p95", "p99")
_COSTS = {
    "usd_per_hour": "The machine, an hour",
    "usd_per_million_input": "A million prompt tokens",
    "usd_per_million_output": "A million completion tokens",
    "usd_per_conversation": "A conversation",
}


def loads(benchmark: Json) -> list[Load]:
    """Read the rows of the load sweep, by cache and concurrency."""
    rows = [
        Load(
            int(row["concurrency"]),
            str(row["cache"]),
            number(row, "output_tokens_per_second"),
            *({p: number(row, f"{kind}_ms", p) for p in _PERCENTILES} for kind in ("ttft", "tpot", "itl")),
        )
        for row in benchmark.get("rows") or []
    ]
    return sorted(rows, key=lambda r: (r.cache, r.concurrency))


def serving_table(benchmark: Json) -> str:
    """Lay out throughput and the latency percentiles of every row."""
    rows = loads(benchmark)
    if not rows:
        return f"{NOT_RUN}: the load sweep has no rows"

    def shown(value: float | None) -> str:
        return NOT_MEASURED if value is None else f"{value:,.0f}"

    body = [
        [
            f"{row.cache}, {row.concurrency}",
            shown(row.tokens_per_second),
            *(" / ".join(shown(kind[p]) for p in _PERCENTILES) for kind in (row.ttft, row.tpot, row.itl)),
        ]
        for row in rows
    ]
    head = [
        "Prefix cache, concurrency",
        "Output tokens/s",
        *(f"{k} ms p50/p95/p99" for k in ("TTFT", "TPOT", "ITL")),
    ]
    return table(head, body)


def cost_table(benchmark: Json) -> str:
    """Lay out the cost, at the machine's price an hour."""
    cost = section(benchmark, "cost")
    if cost is None:
        return f"Cost: {NOT_RUN}: the benchmark has no cost table"
    return table(["Cost", "USD"], [[title, _usd(number(cost, key))] for key, title in _COSTS.items()])


def _usd(amount: float | None) -> str:
    return NOT_MEASURED if amount is None else f"{amount:.2f}" if amount >= 0.1 else f"{amount:.2g}"


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
