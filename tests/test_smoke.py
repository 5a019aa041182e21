"""The real pipeline end to end at scale=smoke: tiny model, DeepSpeed over two ranks, vLLM."""

from __future__ import annotations

import json
import re
import shutil
from typing import Any

import pytest
import yaml

from tests.workspace import Workspace, copy_repository

P = "travel_booking"
ARMS = ("compiled", "in_context", "orchestrated")  # `floor` asks as `compiled` does, and takes one more server
SCENARIOS = 8
RAN = re.compile(r"Running stage '(.+?)'")


class Smoke(Workspace):
    """A repository in which the pipeline has run once."""

    def json(self, path: str) -> Any:
        """Read a metrics file."""
        return json.loads((self.folder / path).read_text())

    def repro(self, *targets: str) -> list[str]:
        """Run `dvc repro` and give the stages that ran, in order."""
        return RAN.findall(self.dvc("repro", *targets, timeout=900))


@pytest.fixture(scope="module")
def smoke(tmp_path_factory: pytest.TempPathFactory) -> Smoke:
    folder = tmp_path_factory.mktemp("smoke") / "repository"
    workspace = Smoke(copy_repository(folder).folder)
    shutil.rmtree(folder / "reports", ignore_errors=True)
    workspace.environment["FLOWC_RANKS"] = "2"
    workspace.run("python", "-m", "scripts.compose", "scale=smoke", "train.init=base", f"arms=[{','.join(ARMS[1:])}]")
    workspace.commit()
    ran = workspace.repro()
    assert sorted(ran) == sorted(
        ["base", "report"]
        + [
            f"{v}@{P}"
            for v in ("parse", "generate", "tokenize", "train", "benchmark", "simulate", "frontier", "evaluate")
        ]
        + [f"baseline@{P}-{arm}" for arm in ARMS[1:]]
    )
    return workspace


def test_training_over_two_ranks_lowers_the_loss(smoke: Smoke) -> None:
    training = smoke.json(f"reports/training/{P}.json")
    losses = [loss for _, loss in training["eval_curve"]]
    assert training["world_size"] == 2
    assert losses[-1] < losses[0]
    assert training["tokens"] > 0 and training["seconds"]["total"] > 0


def test_the_compiled_model_is_plain_safetensors_with_a_card(smoke: Smoke) -> None:
    model = smoke.folder / "models" / "compiled" / P
    assert json.loads((model / "config.json").read_text())["model_type"] == "llama"
    assert (model / "model.safetensors").stat().st_size > 0
    assert (model / "chat_template.jinja").is_file()
    assert P in (model / "README.md").read_text()


def test_generation_covers_every_node_and_edge(smoke: Smoke) -> None:
    generation = smoke.json(f"reports/generation/{P}.json")
    assert generation["conversations"]["train"] > 0
    assert sum(generation["scenarios"].values()) == SCENARIOS


def test_the_benchmark_has_a_row_for_each_load(smoke: Smoke) -> None:
    rows = smoke.json(f"reports/benchmark/{P}.json")["rows"]
    params = yaml.safe_load((smoke.folder / "params.yaml").read_text())
    assert {r["concurrency"] for r in rows} == {load["concurrency"] for load in params["benchmark"]["loads"]}


def test_the_benchmark_has_goodput_at_each_offered_load(smoke: Smoke) -> None:
    found = smoke.json(f"reports/benchmark/{P}.json")
    params = yaml.safe_load((smoke.folder / "params.yaml").read_text())["benchmark"]
    assert found["levels"] == params["levels"]
    assert [r["share"] for r in found["offered"]] == params["offered"]["shares"]
    for row in (*found["rows"], *found["offered"]):
        assert 0 <= row["goodput_per_second"] <= row["requests_per_second"]


@pytest.mark.parametrize("arm", ARMS)
def test_an_arm_is_scored_on_every_scenario_with_n_and_interval(smoke: Smoke, arm: str) -> None:
    score = smoke.json(f"reports/scores/{P}.json")["arms"][arm]
    assert score["n"] == SCENARIOS
    success = score["task_success"]
    assert success["n"] + success["unscored"] == SCENARIOS
    low, high = success["ci95"]
    assert 0 <= low <= success["mean"] <= high <= 1
    assert sum(score["endings"].values()) == SCENARIOS
    assert score["tokens"]["prompt_per_conversation"] > 0


def test_the_report_names_every_arm_and_its_pictures_exist(smoke: Smoke) -> None:
    report = (smoke.folder / "reports" / "report.md").read_text()
    headline = report.split("<!-- headline -->")[1].split("<!-- /headline -->")[0]
    assert [arm for arm in ARMS if arm not in headline] == []
    pictures = re.findall(r"!\[.+?\]\((.+?)\)", report)
    assert len(pictures) >= 4
    assert [p for p in pictures if not (smoke.folder / "reports" / p).is_file()] == []


def test_nothing_written_names_this_machine(smoke: Smoke) -> None:
    written = [f for d in ("data", "reports") for f in (smoke.folder / d).rglob("*.*") if f.suffix != ".png"]
    assert len(written) > 20
    assert [f.name for f in written if str(smoke.folder).encode() in f.read_bytes()] == []


def test_a_second_run_runs_nothing(smoke: Smoke) -> None:
    assert smoke.repro() == []


def test_parse_generate_and_tokenize_give_the_same_bytes_again(smoke: Smoke) -> None:
    graph, data = f"data/graphs/{P}.json", f"data/conversations/{P}"
    prompts = ("--own", "data/own/none", "--prompts", "src/flowc/prompts")
    parts = (
        *prompts,
        "--scenarios",
        f"again/data/scenarios/{P}.jsonl",
        "--metrics",
        f"again/reports/generation/{P}.json",
    )
    base = "models/base/tiny"
    stage = ("python", "-m")
    smoke.run(*stage, "stages.parse", f"data/procedures/{P}.yaml", "--out", f"again/{graph}")
    smoke.run(*stage, "stages.generate", graph, "--out", f"again/{data}", *parts)
    smoke.run(*stage, "stages.tokenize", data, base, "--out", f"again/data/tokens/{P}")
    again = smoke.folder / "again"
    files = [f.relative_to(again) for f in again.rglob("*") if f.is_file()]
    assert len(files) == 8  # graph; two of conversations, and their card; scenarios; metrics; two of tokens
    assert [f for f in files if (again / f).read_bytes() != (smoke.folder / f).read_bytes()] == []
    shutil.rmtree(again)


def test_a_comment_runs_parse_alone(smoke: Smoke) -> None:
    path = smoke.folder / "data" / "procedures" / f"{P}.yaml"
    path.write_text("# A comment.\n" + path.read_text())
    assert smoke.repro() == [f"parse@{P}"]


def test_a_broken_procedure_is_one_error_and_the_next_run_continues(smoke: Smoke) -> None:
    path = smoke.folder / "data" / "procedures" / f"{P}.yaml"
    good = path.read_text()
    target = re.search(r"\bto: (\w+)", good)
    assert target
    path.write_text(good.replace(target[0], "to: nowhere", 1))
    with pytest.raises(AssertionError) as failed:
        smoke.dvc("repro")
    errors = [line for line in str(failed.value).splitlines() if line.startswith("error: ")]
    assert len(errors) == 1
    assert f"data/procedures/{P}.yaml" in errors[0] and "nowhere" in errors[0]
    assert "Traceback" not in str(failed.value)
    path.write_text(good)
    assert smoke.repro() == []


def test_other_phrases_of_users_run_the_procedure_and_never_the_base(smoke: Smoke) -> None:
    path = smoke.folder / "data" / "procedures" / f"{P}.yaml"
    path.write_text(re.sub(r'(says:\n\s+- ")', r"\1Right. ", path.read_text()))
    assert smoke.repro(f"tokenize@{P}") == [f"{v}@{P}" for v in ("parse", "generate", "tokenize")]
    changed = set(json.loads(smoke.dvc("status", "--json")))
    assert changed >= {f"train@{P}", *(f"baseline@{P}-{arm}" for arm in ARMS[1:])}
    assert "base" not in changed
