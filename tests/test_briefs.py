"""What a teacher is told: every kind of turn, its values, and nothing of what the conversation does not pass."""

from __future__ import annotations

import pytest

from flowc.briefs import Brief, Prompts, briefs, is_spoken, read_prompts, system_prompt
from flowc.filling import STRAYS, Deviations
from flowc.graph import Graph
from flowc.languages import NAMES
from flowc.parse import parse_procedure
from flowc.records import UserError
from flowc.sampling import sample
from flowc.teacher import Line, play
from tests.example import example_scenarios
from tests.workspace import ROOT


@pytest.fixture(scope="module")
def prompts() -> Prompts:
    return read_prompts(ROOT / "src" / "flowc" / "prompts" / "v1")


@pytest.fixture(scope="module")
def insurance() -> Graph:
    file = ROOT / "data" / "procedures" / "insurance_claims.yaml"
    return parse_procedure(file.read_text(encoding="utf-8"), str(file))


def told(graph: Graph, prompts: Prompts, shares: Deviations) -> list[tuple[Line, Brief]]:
    out: list[tuple[Line, Brief]] = []
    for scenario in sample(graph, 60, "train", shares, 0.3, seed=1):
        lines = list(play(graph, scenario, "train"))
        out += zip([s for s in lines if is_spoken(s)], briefs(graph, lines, prompts), strict=True)
    return out


def test_every_kind_of_deviation_has_its_words(insurance: Graph, prompts: Prompts) -> None:
    shares = Deviations.model_validate(dict.fromkeys(Deviations.model_fields, 0.5))
    met = told(insurance, prompts, shares)
    kinds = {label.partition(":")[0] for line, _ in met for label in line.labels if line.message.role == "user"}
    assert kinds >= {"edge", "interrupt", "side_question", "volunteer", "correction", "restructuring", "confirmation"}
    assert len(kinds & set(STRAYS)) >= len(STRAYS) - 3
    assert {p.kind for line, _ in met for p in line.parts} == {"node", "again", "noted", "knowledge", "stray"}
    for line, brief in met:
        assert brief.speaker == line.message.role
        assert brief.task.startswith(f"{brief.speaker.capitalize()}: ")
        assert "{" not in brief.task


def test_the_scripted_words_contain_the_values_that_are_asked_for(insurance: Graph, prompts: Prompts) -> None:
    shares = Deviations.model_validate(dict.fromkeys(Deviations.model_fields, 0.5))
    for line, brief in told(insurance, prompts, shares):
        assert [v for v in brief.values if v.casefold() not in line.message.content.casefold()] == []
        assert [v for v in brief.values if f'"{v}"' not in brief.task] == []


def test_a_look_up_is_told_before_the_line_behind_it(table: Graph, prompts: Prompts) -> None:
    scenario = next(s for s in example_scenarios(table, 20) if s.ending == "done")
    lines = list(play(table, scenario, "train"))
    found = next(b for b in briefs(table, lines, prompts) if b.before and '"found"' in b.before)
    values = scenario.results["find_table"][-1].values
    assert found.before.splitlines()[-1].startswith("(The assistant looks something up with find_table(")
    assert values["place"] in found.before
    assert set(values.values()) == set(found.values)


@pytest.mark.parametrize(
    ("code", "written"),
    [("en", "English"), ("de", "German"), ("fi", "the language whose ISO 639-1 code is 'fi'")],
)
def test_a_teacher_is_told_to_write_in_the_procedures_language(
    code: str, written: str, table: Graph, prompts: Prompts
) -> None:
    graph = table.model_copy(update={"language": code})
    for text in (prompts.conversation, prompts.turn):
        assert f"Everything is written in {written}." in system_prompt(text, graph, prompts)


def test_every_language_that_the_gate_knows_has_its_name_in_the_prompts(prompts: Prompts) -> None:
    assert prompts.briefs["languages"].items() >= NAMES.items()


def test_a_folder_without_prompts_is_named() -> None:
    with pytest.raises(UserError, match=r"v9/conversation\.txt: no such prompt file; generate\.llm\.prompts names"):
        read_prompts(ROOT / "src" / "flowc" / "prompts" / "v9")
