"""The report on small hand-written metrics: exact cells, escaping, what was not run, and stable bytes."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from flowc.answer import Targets
from flowc.graph import Graph
from flowc.human_report import Human
from flowc.markdown import text
from flowc.metrics import read_metrics
from flowc.records import UserError, write_json
from flowc.report import CLOSE, OPEN, ReportParams, draw, duration, picture_names, report
from flowc.scoreboard import headline
from flowc.spend import PricesParams
from tests.parcel import ASSUMED, PRICES, benchmark, examples, generation, graph, rate, row_of, scores, training
from tests.workspace import stage

PARAMS = ReportParams(
    command="make repro",
    targets=Targets(seen_path=0.95, held_out_path=0.9, information_accuracy=0.98),
    example_messages=3,
    example_characters=200,
    cost=ASSUMED,
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
    return made_of(reports, {"parcel": graph()}, {"parcel": PARAMS})


def made_of(reports: Path, graphs: dict[str, Graph], params: dict[str, ReportParams]) -> str:
    metrics = [read_metrics(reports, p) for p in graphs]
    return report(metrics, graphs, params, "make study", PRICES, Human(None, {}, {}), "plots", None)


def test_the_page_leads_with_the_answer(reports: Path) -> None:
    lead = page(reports).split(OPEN)[0]
    assert "Lost parcels:\n\n- **Does the compiled model follow the procedure? Yes.**" in lead
    assert "in 96.7 % [86.7–100] (n = 60): on paths that training saw 96.7 % [86.7–100] (n = 30), on" in lead
    assert "in_context 25 % [15–28.4] (n = 60); floor 10 % [0–13.5] (n = 60). The" in lead
    assert "The compiled model is ahead of in_context (a Holm-adjusted p below 0.05 counts)." in lead
    assert "takes 2,580 tokens (the same one with the whole flowchart in its prompts 11,460, 4.4 times as many)" in lead
    assert (
        "1,000 conversations cost USD 0.19 on a machine that is always busy at its highest rates, and USD 7.30" in lead
    )
    assert "USD 7.30 when 10,000 a" in lead
    assert "prompts a message): small-1 3.87 (in_context), plain-2 6.00 (in_context)." in lead


def test_a_missed_target_turns_the_answer_to_no(reports: Path) -> None:
    low = scores()
    low["arms"]["compiled"]["by_split"]["held_out_path"]["task_success"] = rate(0.8999, n=30)
    write_json(reports / "scores" / "parcel.json", low)
    lead = page(reports).split(OPEN)[0]
    assert "follow the procedure? No.**" in lead
    assert "(missed: task success on held-out paths; by the mean alone, since the interval" in lead


def test_the_first_table_of_the_page_is_the_headline(reports: Path) -> None:
    made = page(reports)
    before, inside = made.split(OPEN)
    assert "|" not in before
    assert inside.split(CLOSE)[0].strip() == headline([scores()])


def test_the_tables_show_what_the_metrics_say(reports: Path) -> None:
    made = page(reports)
    assert row_of(made, "compiled, held-out paths")[1:3] == ["30", "96.7 % [86.7–100]"]
    assert row_of(made, "Side question")[1:] == [
        "Intent switching",
        "96.7 % [86.7–100] n=60",
        "25 % [15–28.4] n=60",
        "10 % [0–13.5] n=60",
    ]
    assert "| arm        | Terminal | Turn limit | Simulator errors |" in made
    assert "| in_context | 12,000 |        180 |   12,180 |      9.2 |                      4.7 x |" in made
    assert row_of(made, "cold, 4") == ["cold, 4", "8", "46", "1.50", "400 / 600 / 800", "44 / 66 / 88", "46 / 69 / 92"]
    assert "with up to 4 requests at once of the loads measured, with a cold cache: 46 tokens a second" in made
    assert "(plots/parcel-offered.png)" in made
    assert row_of(made, "A conversation, by tokens at the highest rates")[1] == "0.00019"
    assert "compiled, in_context, orchestrated and floor are all small, of which compiled alone is trained" in made
    assert "an arm that asks nothing that can be understood has full marks" in made
    assert row_of(made, "Share of the matrix peak, over all seconds")[1] == "61.2 % (bf16), 30.4 % (fp32)"
    assert "The share of the matrix peak: what matrices and attention have to compute for real tokens" in made
    assert row_of(made, "Method")[1] == "full"
    assert row_of(made, "Started from")[1] == "the base model (no model was compiled at that revision)"
    assert row_of(made, "Eval loss of it")[1] == "0.1902"
    assert row_of(made, "Edges visited")[1] == "50 %"
    assert row_of(made, "Pairs of edges, one after the other")[1] == "75 %"
    assert row_of(made, "Lost parcels") == ["Lost parcels", "4", "1", "2", "2"]
    assert row_of(made, "Memory")[1] == "24 GiB"
    assert "its accuracy is 98 % [96–100] (n = 400). The compiled model was taught those that it was" in made
    assert "LLM judges (naturalness and the like): not run: none configured." in made


def test_quality_by_node_names_the_worst_and_sets_it_against_visits(reports: Path) -> None:
    made = page(reports)
    assert "Of 110 decisions 97.3 % were right." in made
    assert "Nodes with wrong decisions: 1 of 2, the worst first:" in made
    nodes = made.split("### Quality by node")[1]
    assert row_of(nodes, "ask") == ["ask", "480", "60", "3", "95 %"]
    assert row_of(nodes, "100 to 999") == ["100 to 999", "2", "110", "97.3 %"]
    assert "parcel-nodes.png" in made
    assert "No conversation of the evaluation went on from" not in made


def test_scores_without_decisions_are_not_measured_by_node(reports: Path) -> None:
    bare = scores()
    bare["arms"]["compiled"]["by_node"] = {}
    write_json(reports / "scores" / "parcel.json", bare)
    made = page(reports)
    assert "Decisions by node: not measured." in made
    assert "parcel-nodes.png" not in made


def test_several_procedures_stand_in_one_table_first_and_then_each_in_its_section(reports: Path) -> None:
    low = scores() | {"procedure": "letter"}
    low["arms"]["compiled"]["by_split"]["seen_path"]["task_success"] = rate(0.5, 0.4, 0.6, n=30)
    low["arms"]["compiled"]["by_node"] = {f"n{i}": {"n": 20, "right": i} for i in range(12)}
    for kind in ("generation", "training", "benchmark", "examples"):
        (reports / kind / "letter.json").write_text((reports / kind / "parcel.json").read_text())
    write_json(reports / "scores" / "letter.json", low)
    write_json(reports / "scores" / "note.json", scores() | {"arms": {}})
    for kind in ("generation", "training", "benchmark", "examples"):
        (reports / kind / "note.json").write_text((reports / kind / "parcel.json").read_text())
    names = {"parcel": "Lost parcels", "letter": "Lost letters", "note": "Lost notes"}
    graphs = {p: graph().model_copy(update={"procedure": p, "title": title}) for p, title in names.items()}
    made = made_of(reports, graphs, dict.fromkeys(names, PARAMS))
    before, rest = made.split(OPEN)
    first, sections = rest.split(CLOSE)
    assert "Does the compiled model" not in before + first
    assert row_of(first, "Lost parcels") == [
        "Lost parcels", "Yes", "60", "96.7 % [86.7–100]", "85 % [75–90]", "96.7 % [86.7–100]", "96.7 % [86.7–100]",
        "99.5 % [98.5–100]", "not measured",
    ]  # fmt: skip
    assert row_of(first, "Lost letters")[1:6] == ["No", "60", "96.7 % [86.7–100]", "85 % [75–90]", "50 % [40–60]"]
    assert row_of(first, "Lost notes")[1:] == ["Not known", *["not run"] * 7]
    assert [line for line in sections.splitlines() if line.startswith("## ")] == [
        "## Lost parcels", "## Lost letters", "## Lost notes", "## Words of real people", "## How to repeat"
    ]  # fmt: skip
    letters = sections.split("## Lost letters")[1].split("## Lost notes")[0]
    assert letters.index("follow the procedure? No.**") < letters.index("### Success")
    assert "Nodes with wrong decisions: 12 of 12; the 10 worst:" in letters
    assert "No conversation of the evaluation went on from: ask, find." in letters
    assert row_of(letters.split("### Quality by node")[1], "n9") == ["n9", "not measured", "20", "11", "45 %"]
    assert "| n10 " not in letters
    assert row_of(sections, "Lost notes") == ["Lost notes", "4", "1", "2", "2"]
    assert "```sh\nmake study\n```" in sections


def test_the_answer_says_how_often_facts_that_were_asked_for_are_right(reports: Path) -> None:
    asked = scores()
    asked["arms"]["compiled"]["knowledge"] = {"stated": rate(0.97, 0.93, 0.99, n=88)}
    write_json(reports / "scores" / "parcel.json", asked)
    said = "Facts that customers ask for are stated rightly, with nothing made up, in 97 % [93–99] (n = 88). Targets:"
    assert said in page(reports)
    write_json(reports / "scores" / "parcel.json", scores())
    assert "Facts that customers ask for" not in page(reports)


def test_each_procedure_is_held_to_its_own_targets(reports: Path) -> None:
    for kind in ("generation", "training", "benchmark", "examples", "scores"):
        (reports / kind / "letter.json").write_text((reports / kind / "parcel.json").read_text())
    graphs = {p: graph().model_copy(update={"procedure": p, "title": p}) for p in ("parcel", "letter")}
    higher = PARAMS.model_copy(update={"targets": PARAMS.targets.model_copy(update={"held_out_path": 0.97})})
    made = made_of(reports, graphs, {"parcel": PARAMS, "letter": higher})
    first, sections = made.split(OPEN)[1].split(CLOSE)
    assert [row_of(first, p)[1] for p in graphs] == ["Yes", "No"]
    letter = sections.split("## letter")[1]
    assert "held-out paths at least 97 %, information accuracy at least 98 % (missed: task success on held" in letter


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
    assert "What a conversation costs was not measured." in made
    assert "Cost by volume: not run: the benchmark has no cost" in made
    assert "parcel-cost.png" not in made
    assert "parcel-serving.png" not in made
    assert "parcel-offered.png" not in made
    assert "Offered load: not run: no rates were measured" in made
    assert "parcel-tokens.png" not in made


def test_a_missing_metrics_file_names_the_stage_to_run(reports: Path) -> None:
    (reports / "benchmark" / "parcel.json").unlink()
    with pytest.raises(UserError, match=r"benchmark/parcel\.json: no such file; `dvc repro benchmark@parcel`"):
        read_metrics(reports, "parcel")
    (reports / "scores" / "parcel.json").write_text("{", encoding="utf-8")
    (reports / "benchmark" / "parcel.json").write_text("{}", encoding="utf-8")
    with pytest.raises(UserError, match=r"scores/parcel\.json: not JSON .* `dvc repro evaluate@parcel`"):
        read_metrics(reports, "parcel")


def test_the_same_metrics_give_the_same_page(reports: Path) -> None:
    assert page(reports) == page(reports)


def test_the_stage_writes_a_page_whose_pictures_exist_and_are_the_same_when_drawn_again(
    reports: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_json(tmp_path / "graphs" / "parcel.json", graph().model_dump(mode="json"))
    write_json(tmp_path / "reports" / "scores" / "removed.json", {})
    prices = PricesParams(models=PRICES).model_dump(mode="json")
    params = {
        "procedures": ["parcel"],
        "report": PARAMS.model_dump(),
        "prices": prices,
        "sources": {"parcel": {"file": "parcel.yaml", "report": {"targets": {"held_out_path": 0.96}}}},
        "train": {"previous": {"revision": None}},
    }
    (tmp_path / "params.yaml").write_text(json.dumps(params), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    written = ("--out", "reports/report.md", "--plots", "reports/plots")
    stage("report", "reports", "--graphs", "graphs", "--human", "human", *written)
    made = (reports / "report.md").read_text(encoding="utf-8")
    assert "task success on held-out paths at least 96 %, information accuracy at least 98 %" in made
    links = re.findall(r"!\[[^]]+\]\(([^)]+)\)", made)
    assert sorted(links) == sorted(f"plots/{name}" for name in picture_names("parcel").values())
    draw(read_metrics(reports, "parcel"), PARAMS, PRICES, tmp_path / "again")
    for name in picture_names("parcel").values():
        drawn = (reports / "plots" / name).read_bytes()
        assert drawn == (tmp_path / "again" / name).read_bytes()
        assert len(drawn) < 100_000
        assert b"tEXt" not in drawn
