"""Hand-written metrics and the graph of a small procedure, for the tests of the report's parts."""

from __future__ import annotations

import re
from datetime import date
from typing import Any

from flowc.cost_report import CostAssumptions
from flowc.graph import Edge, Graph, Interrupt, Node
from flowc.spend import ListPrice

PRICES = {
    "small-1": ListPrice(input=1.0, output=5.0, cache_read=0.1, cache_write=1.25, batch=0.5,
                         as_of=date(2026, 11, 1), source="https://prices.example/small"),
    "plain-2": ListPrice(input=0.5, output=2.0, as_of=date(2026, 10, 1), source="https://prices.example/plain"),
}  # fmt: skip
ASSUMED = CostAssumptions(
    models=("small-1", "plain-2"),
    utilisations=(0.01, 0.5, 1.0),
    volumes=(1000, 10_000, 1_000_000),
    compiles_per_month=1,
)
HOSTILE = "</details>| `x` *b* [l](http://e.x) <script>\n# head $1 and $2 @me ~~s~~ __u__"


def rate(mean: float | None, low: float = 0.0, high: float = 1.0, n: int = 60, unscored: int = 0) -> dict[str, Any]:
    ci95 = None if mean is None else [low, high]
    return {"mean": mean, "ci95": ci95, "n": n if mean is not None else 0, "unscored": unscored}


def scored(success: float, recovery: dict[str, Any], prompt: float) -> dict[str, Any]:
    criteria = {
        "task_success": rate(success, max(0.0, success - 0.1), min(1.0, success + 0.0345)),
        "procedure_order": rate(0.9667, 0.91, 1.0),
        "information_accuracy": rate(0.995, 0.985, 1.0),
        "consistency": rate(1.0, 1.0, 1.0),
        "recovery": recovery,
    }
    halves = {k: v | {"n": v["n"] // 2} for k, v in criteria.items()}
    return criteria | {
        "n": 60,
        "unscored": 0,
        "simulator_errors": 1,
        "by_split": {"seen_path": halves, "held_out_path": dict(halves)},
        "strict": {
            "right_calls": rate(0.9, 0.8, 0.95),
            "in_order": rate(0.85, 0.75, 0.9),
            "faultless": rate(0.7, 0.6, 0.8),
        },
        "by_deviation": {"side_question": criteria},
        "by_recovery": {"side_question": {"n": 31, "right": 28, "ci95": [0.8, 0.97], "clusters": 28}},
        "failure": {"task_success": rate(1 - success)},
        "pass_all": {"1": criteria["task_success"], "3": rate(success**3, n=20)},
        "endings": {"terminal": 58, "turn_limit": 2},
        "by_node": {
            "ask": {"n": 60, "right": 57, "ci95": [0.9, 1.0]},
            "find": {"n": 50, "right": 50, "ci95": [1.0, 1.0]},
        },
        "by_slot": {
            "code": {"n": 40, "right": 30, "ci95": [0.6, 0.9]},
            "street": {"n": 10, "right": 10, "ci95": [1.0, 1.0]},
        },
        "tokens": {
            "prompt_per_conversation": prompt,
            "completion_per_conversation": 180.4,
            "calls_per_conversation": 9.25,
            "messages_per_conversation": 9.25,
            "recurring_per_conversation": prompt - 400 - prompt / 10,
            "system_prompt": prompt / 10 - 200,
        },
    }


def scores() -> dict[str, Any]:
    return {
        "procedure": "parcel",
        "seed": 0,
        "arms": {
            "compiled": scored(0.9667, rate(0.9, 0.8, 0.97, n=31), 2400),
            "in_context": scored(0.25, rate(None, unscored=60), 12000),
            "floor": scored(0.1, rate(None), 2500),
        },
        "comparisons": [
            {
                "a": "compiled",
                "b": "in_context",
                "criterion": "task_success",
                "test": "Wilcoxon",
                "n": 60,
                "p": 0.0001,
                "p_holm": 0.0004,
                "effect": 1.25,
                "difference": 0.7167,
                "ci95": [0.6, 0.8333],
                "smallest": 0.225,
            }
        ],
        "not_run": {"frontier_in_context": "not run: no key", "orchestrated": "not in baseline.arms"},
        "tracker": {"accuracy": rate(0.98, 0.96, 1.0, n=400), "by_node": {"ask": 0.98}},
    }


def examples() -> dict[str, Any]:
    example = {
        "scenario": "s1",
        "split": "held_out_path",
        "persona": "terse",
        "ended": "terminal",
        "expected_ending": "done",
        "faults": ["turn 3: recovery: " + HOSTILE],
        "messages": [
            {"role": "assistant", "content": "Where is it?", "tool_calls": [], "steps": ["ask"]},
            {"role": "user", "content": HOSTILE, "tool_calls": [], "steps": ["told"]},
            {
                "role": "assistant",
                "content": "",
                "tool_calls": [{"name": "track", "arguments": {"code": "A|1"}}],
                "steps": [],
            },
            {"role": "user", "content": "bye", "tool_calls": [], "steps": []},
        ],
    }
    failure = {
        "scenario": "s1", "failed": True, "ended": "terminal", "step": "find", "turn": 2, "criterion": "recovery",
        "why": "no recovery after " + HOSTILE, "heard": HOSTILE, "said": "Sorry.", "called": [],
    }  # fmt: skip
    called = failure | {"step": "", "failed": False, "heard": "", "said": "", "turn": 0, "scenario": "s2"}
    called["called"] = [{"name": "track", "arguments": {"code": "A|1"}}]
    own = {"good": example, "bad": None, "failures": [failure, called]}
    return {"compiled": own, "in_context": {"good": None, "bad": example}}


def benchmark() -> dict[str, Any]:
    def row(concurrency: int, cache: str, factor: float) -> dict[str, Any]:
        def latency(x: float) -> dict[str, float]:
            return {"p50": x * factor, "p95": 1.5 * x * factor, "p99": 2 * x * factor}

        return {
            "concurrency": concurrency,
            "cache": cache,
            "requests": 2 * concurrency,
            "requests_per_second": concurrency**0.6 / factor,
            "goodput_per_second": (1.5 if concurrency == 4 else 1.0) / factor,
            "output_tokens_per_second": 20 * concurrency**0.6 / factor,
            "ttft_ms": latency(100 * concurrency),
            "tpot_ms": latency(40 + concurrency),
            "itl_ms": latency(42 + concurrency),
        }

    rates = [(0.25, 1.3, 1.25, 1.25), (1.0, 5.2, 4.6, 0.0)]
    return {
        "levels": {"ttft_ms": 2000, "tpot_ms": 180},
        "offered": [
            {
                "share": share,
                "requests": 12,
                "offered_per_second": came,
                "requests_per_second": done,
                "goodput_per_second": good,
                "ttft_ms": {"p50": 300.0, "p95": 900.0, "p99": 1000.0},
                "tpot_ms": {"p50": 50.0, "p95": 60.0, "p99": None},
            }
            for share, came, done, good in rates
        ],
        "rows": [row(c, cache, f) for cache, f in (("warm", 0.6), ("cold", 1.0)) for c in (1, 4, 16)],
        "cost": {
            "usd_per_hour": 0.1,
            "usd_per_million_input": 0.05,
            "usd_per_million_output": 0.4321,
            "usd_per_conversation": 0.000192,
            "usd_per_conversation_without_cache": 0.0003,
            "tokens_per_conversation": {"prompt": 2400, "cached": 2000, "completion": 180, "requests": 9.25},
        },
        "machine": {"processor": "AMD EPYC", "cores": 2, "memory_gib": 23.5},
    }


def training() -> dict[str, Any]:
    return {
        "base": "small",
        "method": "full",
        "start": {"from": "base", "reason": "no model was compiled at that revision"},
        "tokens": 173000,
        "tokens_per_second": 412.55,
        "peak_share": {"bf16": 0.6123, "fp32": 0.304},
        "peak_gflops": {"bf16": 132.4, "fp32": 266.6},
        "device": "2 cores of AMD EPYC",
        "world_size": 2,
        "precision": "fp32",
        "loss_curve": [[step, 1.6 / step**0.6 + 0.02 * (step % 3)] for step in range(1, 61)],
        "eval_curve": [[20, 0.31], [40, 0.1902], [60, 0.2]],
        "best_step": 40,
        "steps": 60,
        "seconds": {"train": 410.2, "total": 455.0},
    }


def generation() -> dict[str, Any]:
    return {
        "conversations": {"train": 480, "eval": 16},
        "scenarios": {"seen_path": 30, "held_out_path": 30},
        "coverage": {
            "nodes": 1.0,
            "edges": 0.5,
            "edge_pairs": 0.75,
            "endings": 1.0,
            "interrupts": 1.0,
            "distinct_paths": 12,
            "held_out_paths": 3,
        },
        "node_visits": {"ask": 480, "end": 300, "find": 310, "lost": 0},
        "edge_visits": {"ask.told": 480, "find.found": 300, "find.none": 0},
        "interrupt_visits": {"stop": 7},
        "turns_per_conversation": 6.5,
    }


def graph() -> Graph:
    told = Edge(
        id="told",
        to="find",
        when='the customer gives "the" code & <name> of the lost parcel',
        says=("x",),
    )
    return Graph(
        procedure="parcel",
        title="Lost parcels",
        system="You help with parcels.",
        start="ask",
        nodes={
            "ask": Node(role="agent", instruction="Ask.", say=("Where?",), edges=(told,)),
            "find": Node(
                role="tool",
                instruction="Look.",
                calls="track",
                edges=(
                    Edge(id="found", to="end", outcome="found"),
                    Edge(id="none", to="lost", outcome="none"),
                ),
            ),
            "end": Node(role="agent", instruction="Say where.", say=("There.",), terminal="success"),
            "lost": Node(role="agent", instruction="Hand over.", say=("Sorry.",), terminal="escalation"),
        },
        interrupts={"stop": Interrupt(when="the customer gives up", says=("no", "bye"), to="lost")},
    )


def cells(line: str) -> list[str]:
    return [c.strip() for c in line.strip("|").split("|")]


def row_of(markdown: str, head: str) -> list[str]:
    return next(cells(line) for line in markdown.splitlines() if re.match(rf"\| {re.escape(head)} +\|", line))
