"""The comment on a recompile: what it says, in what order it is cut, and that nothing in it can break the page."""

from __future__ import annotations

import re

from flowc.gate import GateParams, Outcome, gate
from flowc.graph import Graph
from flowc.procedure_diff import procedure_diff
from flowc.recompile_comment import LIMIT, MARKER, Failure, ProcedurePart, Recompile, comment, overall
from flowc.stage_runs import Did, StageRun
from tests.test_gate import BROKEN, GRAPH, PARAMS, PERFECT

SCORES = {"arms": {"compiled": {"n": 60, "task_success": {"mean": 0.9, "ci95": [0.8, 1.0], "n": 60, "unscored": 0}}}}
START = {"from": "previous", "edit": 0.05, "changed_families": 14, "replayed_families": 15}
NODE = GRAPH.nodes["ask_day"]
EDITED = GRAPH.model_copy(
    update={"nodes": {**GRAPH.nodes, "ask_day": NODE.model_copy(update={"say": (*NODE.say, "A | *day* </table>?")})}}
)


def part(after: Graph = EDITED, broken: bool = False, params: GateParams = PARAMS) -> ProcedurePart:
    asked = BROKEN if broken else PERFECT
    diff = procedure_diff(GRAPH, after)
    result = gate("table", PERFECT, asked, diff.nodes, params, asked)
    failures = [Failure(scenario=s, ending="done", was_there=True, faults=("turn 3: silent",)) for s in result.failures]
    return ProcedurePart(
        procedure="table",
        before=GRAPH,
        after=after,
        diff=diff,
        scores=(SCORES, SCORES),
        training=({"seconds": {"total": 1000.0}}, {"seconds": {"total": 50.0}, "method": "full", "start": START}),
        revision="0123456789" * 4,
        benchmark=({}, {}),
        result=result,
        why_no_result="",
        failures=failures,
    )


def recompile(*parts: ProcedurePart, failed: str | None = None) -> Recompile:
    stages = [
        StageRun(stage="parse@table", did=Did.RAN, seconds=2.0, why=("data/procedures/table.yaml",)),
        StageRun(stage="train@table", did=Did.RESTORED, seconds=1.0, why=("after parse@table", "b", "c", "d")),
    ]
    return Recompile(
        base="main (0123456789)",
        stages=stages,
        seconds=360.0,
        gate_seconds=240.0,
        dollars_per_hour=0.15,
        notes=["This machine has no GPU."],
        parts=parts,
        unchanged=["other"],
        links={"the run": "https://example.org/1"},
        failed=failed,
    )


def test_a_gate_that_passes_says_so_with_cost_and_reasons() -> None:
    page = comment(recompile(part()))
    assert page.startswith(f"{MARKER}\n## Recompile: gate passed\n")
    assert (
        "Compared with main (0123456789): 1 stage ran, 1 came from the run cache, in 6.0 min "
        "($0.015 at $0.15 an hour), 4.0 min of them to the gate. Untouched: other." in page
    )
    assert (
        "Training: full, from the model of 0123456789, on 14 families of conversations that changed and 15 others; "
        "the edit changed 5.0% of the tokens." in page
    )
    assert "> This machine has no GPU." in page
    assert f"{len(PERFECT)} of {len(PERFECT)} conversations through edited nodes are right at them" in page
    assert "| `train@table` | from the run cache | 1 s | after parse&#64;table; b; c; 1 more |" in page
    assert "[the run](https://example.org/1)" in page
    assert page.count("```mermaid") == 2
    assert re.search(r"\| training, seconds +\| +1,000 \| +50 \|", page)


def test_a_gate_that_fails_names_the_node_the_loss_and_the_failures() -> None:
    page = comment(recompile(part(broken=True)))
    assert page.startswith(f"{MARKER}\n## Recompile: gate FAILED\n")
    assert "task success is worse by at least" in page
    assert "most goes wrong at `offer`, right in 0 of" in page
    assert "new failures" in page and "turn 3&#58; silent" in page


def test_a_gate_that_cannot_decide_says_how_many_scenarios_would() -> None:
    strict = PARAMS.model_copy(update={"margins": {"task_success": 0.01}})
    page = comment(recompile(part(GRAPH, params=strict)))
    assert page.startswith(f"{MARKER}\n## Recompile: gate CANNOT DECIDE\n")
    assert "paired scenarios would" in page
    assert "to have more, compile the base with a higher `generate.scenarios` first." in page
    assert "The procedure itself did not change." in page


def test_a_node_that_is_not_decided_asks_for_conversations_through_edited_nodes() -> None:
    n = len(PERFECT)
    page = comment(recompile(part(params=PARAMS.model_copy(update={"changed_nodes": 0.99}))))
    assert f"{n} of {n} conversations through edited nodes are right at them" in page
    assert "about 381 such conversations would decide, a higher `generate.scenarios` here has more" in page
    assert "compile the base with" not in page


def test_words_of_a_procedure_cannot_break_the_table() -> None:
    assert "A &#124; &#42;day&#42; &lt;/table&gt;?" in comment(recompile(part())).replace("&#60;", "&lt;").replace(
        "&#62;", "&gt;"
    )


def test_what_stopped_is_told_and_fails() -> None:
    done = recompile(failed="ERROR: failed to reproduce 'train@table'\n```")
    assert overall(done) == Outcome.FAILED
    assert "The pipeline stopped.\n\n```\nERROR: failed to reproduce 'train@table'\n'''\n```" in comment(done)


def test_a_long_comment_stays_under_the_limit_and_keeps_the_verdict() -> None:
    nodes = {
        f"node{i}": NODE.model_copy(update={"say": tuple(f"{i} {j} {'word ' * 30}" for j in range(12))})
        for i in range(400)
    }
    huge = GRAPH.model_copy(update={"nodes": {**GRAPH.nodes, **nodes}})
    page = comment(recompile(part(huge, broken=True)))
    assert len(page) <= LIMIT
    assert "gate FAILED" in page and "most goes wrong at `offer`" in page and "[the run]" in page
    assert "Left out, since a comment has a limit: the chart of table (after)" in page
    assert all(len(comment(recompile(part(huge)), limit)) <= limit for limit in (1000, 5000, 20000))
