"""The report on small hand-written metrics: exact cells, escaping, what was not run, and stable bytes."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from flowc.graph import Edge, Graph, Interrupt, Node
from flowc.markdown import text
from flowc.mermaid import flowchart
from flowc.metrics import Rate, read_metrics
from flowc.records import UserError, write_json
from flowc.report import CLOSE, OPEN, ReportParams, draw, duration, picture_names, report
from flowc.scoreboard import Targets, cell, headline

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
        "by_deviation": {"side_question": criteria},
        "endings": {"terminal": 58, "turn_limit": 2},
        "tokens": {
            "prompt_per_conversation": prompt,
            "completion_per_conversation": 180.4,
            "calls_per_conversation": 9.25,
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
                "test": "McNemar",
                "p": 0.0001,
                "p_holm": 0.0004,
                "effect": 1.25,
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
    return {"compiled": {"good": example, "bad": None}, "in_context": {"good": None, "bad": example}}


def benchmark() -> dict[str, Any]:
    def row(concurrency: int, cache: str, factor: float) -> dict[str, Any]:
        def latency(x: float) -> dict[str, float]:
            return {"p50": x * factor, "p95": 1.5 * x * factor, "p99": 2 * x * factor}

        return {
            "concurrency": concurrency,
            "cache": cache,
            "output_tokens_per_second": 20 * concurrency**0.6 / factor,
            "ttft_ms": latency(100 * concurrency),
            "tpot_ms": latency(40 + concurrency),
            "itl_ms": latency(42 + concurrency),
        }

    return {
        "rows": [row(c, cache, f) for cache, f in (("warm", 0.6), ("cold", 1.0)) for c in (1, 4, 16)],
        "cost": {
            "usd_per_hour": 0.1,
            "usd_per_million_input": 0.05,
            "usd_per_million_output": 0.4321,
            "usd_per_conversation": 0.000192,
        },
        "machine": {"processor": "AMD EPYC", "cores": 2, "memory_gib": 23.5},
    }


def training() -> dict[str, Any]:
    return {
        "base": "small",
        "tokens": 173000,
        "tokens_per_second": 412.55,
        "peak_share": 0.6123,
        "peak_gflops": 132.4,
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


PARAMS = ReportParams(
    targets=Targets(seen_path=0.95, held_out_path=0.9, information_accuracy=0.98),
    example_messages=3,
    example_characters=200,
)


@pytest.fixture
def reports(tmp_path: Path) -> Path:
    folder = tmp_path / "reports"
    files = {
        "generation": generation(),
        "training": training(),
        "benchmark": benchmark(),
        "scores": scores(),
        "examples": examples(),
    }
    for kind, values in files.items():
        write_json(folder / kind / "parcel.json", values)
    write_json(folder / "timings" / "base" / "small.json", {"seconds": 12.3})
    write_json(folder / "timings" / "train" / "parcel.json", {"seconds": 455.0})
    write_json(folder / "timings" / "baseline" / "parcel-floor.json", {"seconds": 3720.0})
    return folder


def page(reports: Path) -> str:
    return report([read_metrics(reports, "parcel")], {"parcel": graph()}, PARAMS, "plots")


def cells(line: str) -> list[str]:
    return [c.strip() for c in line.strip("|").split("|")]


def row_of(markdown: str, head: str) -> list[str]:
    return next(cells(line) for line in markdown.splitlines() if re.match(rf"\| {re.escape(head)} +\|", line))


def test_the_headline_gives_every_mean_with_interval_and_n() -> None:
    table = headline([scores()])
    assert row_of(table, "arm") == [
        "arm",
        "n",
        "Task success",
        "Procedure order",
        "Information accuracy",
        "Consistency",
        "Recovery",
    ]
    assert row_of(table, "compiled") == [
        "compiled",
        "60",
        "96.7 % [86.7–100]",
        "96.7 % [91–100]",
        "99.5 % [98.5–100]",
        "100 % [100–100]",
        "90 % [80–97] n=31",
    ]
    assert "a true rate about 3/n away" in table


def test_the_headline_reads_as_plain_text() -> None:
    lines = [line for line in headline([scores()]).splitlines() if line.startswith("|")]
    assert len({len(line) for line in lines}) == 1
    assert "&#" not in "".join(lines)


def test_an_unscored_criterion_is_a_dash_with_its_count_and_an_explanation() -> None:
    table = headline([scores()])
    assert row_of(table, "in_context")[-1] == "— (60 unscored)"
    assert row_of(table, "floor")[-1] == "— (n=0)"
    assert "- —, unscored: verdicts that could not be had. They are counted and never taken as zero" in table
    assert cell(Rate(0.5, 0.4, 0.6, 50, 10), 60) == "50 % [40–60] n=50, 10 unscored"


def test_an_arm_that_was_not_run_says_so_with_its_reason() -> None:
    table = headline([scores()])
    assert row_of(table, "orchestrated") == ["orchestrated", *["not run"] * 6]
    assert "- orchestrated not run: not in baseline.arms" in table
    assert "- frontier_in_context not run: no key" in table
    assert "- frontier_orchestrated not run: no transcripts" in table


def test_the_page_leads_with_the_answer(reports: Path) -> None:
    lead = page(reports).split(OPEN)[0]
    assert "Lost parcels:\n\n- **Does the compiled model follow the procedure? Yes.**" in lead
    assert "in 96.7 % [86.7–100] (n = 60): on paths that training saw 96.7 % [86.7–100] (n = 30), on" in lead
    assert "in_context 25 % [15–28.4] (n = 60); floor 10 % [0–13.5] (n = 60). The" in lead
    assert "The compiled model is ahead of in_context (a Holm-adjusted p below 0.05 counts)." in lead
    assert "takes 2,580 tokens (12,180 with the whole flowchart in the prompt, 4.7 times as many)" in lead
    assert "costs USD 0.00019 where the machine costs USD 0.10 an hour." in lead


def test_a_missed_target_turns_the_answer_to_no(reports: Path) -> None:
    low = scores()
    low["arms"]["compiled"]["by_split"]["held_out_path"]["task_success"] = rate(0.8999, n=30)
    write_json(reports / "scores" / "parcel.json", low)
    lead = page(reports).split(OPEN)[0]
    assert "follow the procedure? No.**" in lead
    assert "(missed: task success on held-out paths)" in lead


def test_the_first_table_of_the_page_is_the_headline(reports: Path) -> None:
    made = page(reports)
    before, inside = made.split(OPEN)
    assert "|" not in before
    assert inside.split(CLOSE)[0].strip() == headline([scores()])


def test_the_tables_show_what_the_metrics_say(reports: Path) -> None:
    made = page(reports)
    assert row_of(made, "compiled, held-out paths")[1:3] == ["30", "96.7 % [86.7–100]"]
    assert row_of(made, "Side question")[1:] == [
        "96.7 % [86.7–100] n=60",
        "25 % [15–28.4] n=60",
        "10 % [0–13.5] n=60",
    ]
    assert "| arm        | Terminal | Turn limit | Simulator errors |" in made
    assert "| in_context | 12,000 |        180 |   12,180 |      9.2 |            4.7 x |" in made
    assert row_of(made, "cold, 4") == ["cold, 4", "46", "400 / 600 / 800", "44 / 66 / 88", "46 / 69 / 92"]
    assert row_of(made, "A conversation") == ["A conversation", "0.00019"]
    assert row_of(made, "Share of the matrix peak")[1] == "61.2 %"
    assert row_of(made, "Eval loss of it")[1] == "0.1902"
    assert row_of(made, "Edges visited")[1] == "50 %"
    assert row_of(made, "Memory")[1] == "24 GiB"
    assert "its accuracy is 98 % [96–100] (n = 400)." in made
    assert "LLM judges (naturalness and the like): not run: none configured." in made


def test_stages_without_a_timing_are_shown_as_not_run(reports: Path) -> None:
    made = page(reports)
    assert row_of(made, "base")[1] == "12.3 s"
    assert row_of(made, "train")[1] == "7 min 35 s"
    assert row_of(made, "baseline floor")[1] == "1 h 02 min"
    assert row_of(made, "baseline in_context")[1] == "not run: no timing"
    assert [duration(59.96), duration(60), duration(3599.6)] == ["60.0 s", "1 min 00 s", "1 h 00 min"]


def test_what_users_and_models_say_cannot_break_the_page(reports: Path) -> None:
    made = page(reports)
    assert made.count("<details>") == made.count("</details>")
    assert "<script>" not in made
    assert (
        "| user | &#60;/details&#62;&#124; &#96;x&#96; &#42;b&#42; &#91;l&#93;(http&#58;//e.x) "
        "&#60;script&#62;<br>&#35; head &#36;1 and &#36;2 &#64;me &#126;&#126;s&#126;&#126; "
        "&#95;&#95;u&#95;&#95; | told |"
    ) in made
    assert "| assistant | calls track(code&#61;A&#124;1) | — |" in made
    assert "… and 1 more messages." in made
    assert text("- a\r\n12. b\x07 www.e.x snake_case") == "&#45; a<br>12&#46; b  www&#46;e.x snake_case"


def test_examples_that_do_not_exist_are_named(reports: Path) -> None:
    made = page(reports)
    assert "<summary>compiled: a good conversation</summary>" in made
    assert "compiled, bad: none; the evaluation found no such conversation." in made
    assert "\n\norchestrated: not run: not in baseline.arms.\n" in made


def test_a_missing_load_sweep_or_token_count_is_not_run(reports: Path) -> None:
    write_json(reports / "benchmark" / "parcel.json", {})
    bare = scores()
    for arm in bare["arms"].values():
        del arm["tokens"]
    write_json(reports / "scores" / "parcel.json", bare)
    made = page(reports)
    assert "not run: the load sweep has no rows" in made
    assert "Cost: not run: the benchmark has no cost table" in made
    assert "costs an amount that was not measured." in made
    assert "parcel-serving.png" not in made
    assert "parcel-tokens.png" not in made


def test_a_missing_metrics_file_names_the_stage_to_run(reports: Path) -> None:
    (reports / "benchmark" / "parcel.json").unlink()
    with pytest.raises(UserError, match=r"benchmark/parcel\.json: no such file; `dvc repro benchmark@parcel`"):
        read_metrics(reports, "parcel")
    (reports / "scores" / "parcel.json").write_text("{", encoding="utf-8")
    (reports / "benchmark" / "parcel.json").write_text("{}", encoding="utf-8")
    with pytest.raises(UserError, match=r"scores/parcel\.json: not JSON .* `dvc repro evaluate@parcel`"):
        read_metrics(reports, "parcel")


def test_the_diagram_shows_roles_hubs_endings_and_visits() -> None:
    values = generation()
    drawn = flowchart(graph(), values["node_visits"], values["edge_visits"], values["interrupt_visits"])
    assert drawn.splitlines()[:10] == [
        "flowchart TD",
        '    start((" ")) --> n0',
        '    n0("ask<br/>480"):::agent',
        '    n1[["find<br/>310"]]:::hub',
        '    n2(["end<br/>300"]):::success',
        '    n3(["lost<br/>0"]):::escalation',
        '    n0 -->|"the customer gives<br/>#34;the#34; code #38; #60;name#62;<br/>of…<br/>480"| n1',
        '    n1 -->|"found<br/>300"| n2',
        '    n1 -->|"none<br/>0"| n3',
        '    i0["at any point:<br/>the customer gives up<br/>7<br/>then lost"]:::interrupt',
    ]
    assert drawn.splitlines()[-2:] == [
        "    style n3 stroke-dasharray:4 3",
        "    linkStyle 3 stroke-dasharray:4 3",
    ]


def test_a_second_run_gives_the_same_bytes(reports: Path, tmp_path: Path) -> None:
    metrics = read_metrics(reports, "parcel")
    for folder in ("one", "two"):
        draw(metrics, tmp_path / folder)
    for name in picture_names("parcel").values():
        one = (tmp_path / "one" / name).read_bytes()
        assert one == (tmp_path / "two" / name).read_bytes()
        assert len(one) < 100_000
        assert b"tEXt" not in one
    assert page(reports) == page(reports)


def test_the_stage_writes_a_page_whose_pictures_exist(reports: Path, tmp_path: Path) -> None:
    write_json(tmp_path / "graphs" / "parcel.json", graph().model_dump(mode="json"))
    write_json(tmp_path / "reports" / "scores" / "removed.json", {})
    params = {"procedures": ["parcel"], "report": PARAMS.model_dump()}
    (tmp_path / "params.yaml").write_text(json.dumps(params), encoding="utf-8")
    root = Path(__file__).parent.parent
    command = [sys.executable, "-m", "stages.report", "reports", "--graphs", "graphs"]
    command += ["--out", "reports/report.md", "--plots", "reports/plots"]
    subprocess.run(command, cwd=tmp_path, env={"PYTHONPATH": f"{root}:{root / 'src'}"}, check=True)
    made = (reports / "report.md").read_text(encoding="utf-8")
    links = re.findall(r"!\[[^]]+\]\(([^)]+)\)", made)
    assert sorted(links) == sorted(f"plots/{name}" for name in picture_names("parcel").values())
    assert all((reports / link).exists() for link in links)
