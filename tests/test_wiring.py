"""Which stages run after which change: the real dvc.yaml, with a stub that hashes for every command."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import yaml

from tests.test_pipeline import paths
from tests.workspace import ROOT, Workspace, copy_repository, cut_prices

VERBS = ("parse", "generate", "tokenize", "train", "benchmark", "simulate", "frontier", "evaluate")
PER_PROCEDURE = (*VERBS, "baseline-floor")

ONE = ("--set-param", "procedures=[travel_booking]")


class Wired(Workspace):
    """A settled pipeline of stubs over two procedures, travel_booking (YAML) and zoom_support (a Mermaid chart)."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.log = folder.parent / "log"
        self.environment["WIRING_LOG"] = str(self.log)

    def repro(self) -> set[str]:
        """Run `dvc repro` and give the stages that ran, as stage@procedure-arm."""
        return self.ran("repro")

    def ran(self, *arguments: str) -> set[str]:
        """Run DVC and give the stages that ran."""
        self.log.write_text("")
        self.dvc(*arguments)
        return set(self.log.read_text().split())

    def edit(self, file: str, old: str, new: str) -> None:
        """Replace what stands in a file; it must stand there."""
        path = self.folder / file
        text = path.read_text()
        assert old in text, f"{file} has no {old!r}"
        path.write_text(text.replace(old, new, 1))

    def add(self, name: str, step: str) -> None:
        """Put a chart among the procedures and list it."""
        chart = f"flowchart TD\n  A[{step}] --> B([Done])\n"
        (self.folder / f"data/procedures/{name}.mmd").write_text(chart)
        self.edit("conf/config.yaml", "\nsources:", f"\nsources:\n  {name}: {{file: {name}.mmd}}")

    def compose(self, *overrides: str) -> None:
        """Compose params.yaml as `make params` does."""
        self.run("python", "-m", "scripts.compose", *overrides)


def of(procedure: str, *verbs: str) -> set[str]:
    """Name the stages of a procedure: `baseline-floor` becomes baseline@procedure-floor."""
    return {f"{v.split('-')[0]}@{'-'.join([procedure, *v.split('-')[1:]])}" for v in verbs}


def of_both(*verbs: str) -> set[str]:
    """Name the stages of both procedures."""
    return of("travel_booking", *verbs) | of("zoom_support", *verbs)


def put_stubs(folder: Path) -> None:
    pipeline = yaml.safe_load((folder / "dvc.yaml").read_text())
    for verb, entry in pipeline["stages"].items():
        stage = entry.get("do", entry)
        # DVC reads and writes the whole dvc.lock for every stage, slowly. That all code is listed is held by
        # test_pipeline.py; here a stage's own two files do, which makes this test four times as fast.
        own = (f"stages/{verb}.py", f"src/flowc/{verb}.py")
        stage["deps"] = [d for d in stage["deps"] if not d.endswith(".py") or d in own]
        outs = [p for kind in ("outs", "metrics", "plots") for p in paths(stage.get(kind, []))]
        lists = {"--deps": paths(stage["deps"]), "--params": stage.get("params", []), "--outs": outs}
        words = [w for option, values in lists.items() for w in (option, *values)]
        stage["cmd"] = " ".join(["python", "tests/stub.py", *words])
    (folder / "dvc.yaml").write_text(yaml.safe_dump(pipeline, sort_keys=False))


@pytest.fixture(scope="module")
def settled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a repository in which everything is up to date and committed."""
    folder = tmp_path_factory.mktemp("wiring") / "repository"
    workspace = Wired(copy_repository(folder).folder)
    for made in ("reports", "docs/study"):
        shutil.rmtree(folder / made, ignore_errors=True)
    cut_prices(folder)
    workspace.add("zoom_support", "Start zoom")
    workspace.edit("conf/config.yaml", "arms: [floor, in_context, orchestrated]", "arms: [floor]")
    workspace.compose()
    put_stubs(folder)
    assert workspace.repro() == {"base", "report"} | of_both(*PER_PROCEDURE)
    workspace.commit()
    return folder


@pytest.fixture
def pipeline(settled: Path, tmp_path: Path) -> Wired:
    shutil.copytree(settled, tmp_path / "repository", symlinks=True)
    return Wired(tmp_path / "repository")


def test_a_second_run_runs_nothing_and_leaves_git_clean(pipeline: Wired) -> None:
    assert pipeline.repro() == set()
    assert pipeline.run("git", "status", "--short") == ""


def test_editing_a_procedure_runs_its_own_stages_and_the_report(pipeline: Wired) -> None:
    pipeline.edit("data/procedures/zoom_support.mmd", "Start zoom", "Restart zoom")
    assert pipeline.repro() == of("zoom_support", *PER_PROCEDURE) | {"report"}


def test_a_comment_in_a_procedure_runs_parse_alone(pipeline: Wired) -> None:
    for procedure, file, comment in (
        ("zoom_support", "zoom_support.mmd", "%%"),
        ("travel_booking", "travel_booking.yaml", "#"),
    ):
        path = pipeline.folder / "data/procedures" / file
        path.write_text(f"{comment} A comment.\n{path.read_text()}")
        assert pipeline.repro() == of(procedure, "parse")


def test_adding_a_procedure_runs_its_own_stages_and_the_report(pipeline: Wired) -> None:
    pipeline.add("claims", "Ask for the claim")
    pipeline.compose()
    assert pipeline.repro() == of("claims", *PER_PROCEDURE) | {"report"}


@pytest.mark.parametrize("entry", ["trust=true", "generate={train: 5}"], ids=["reading", "size"])
def test_another_way_of_reading_a_source_or_its_size_runs_its_procedure_alone(pipeline: Wired, entry: str) -> None:
    pipeline.compose(f"+sources.zoom_support.{entry}")
    assert pipeline.repro() == of("zoom_support", *PER_PROCEDURE) | {"report"}


@pytest.mark.parametrize("change", ["code", "param"])
def test_another_rubric_runs_evaluate_and_the_report_alone(pipeline: Wired, change: str) -> None:
    if change == "code":
        path = pipeline.folder / "src/flowc/evaluate.py"
        path.write_text(path.read_text() + "\n")
    else:
        pipeline.compose("evaluate.confidence=0.9")
    assert pipeline.repro() == of_both("evaluate") | {"report"}


def test_retraining_leaves_the_baselines_alone_and_going_back_runs_nothing_dear(pipeline: Wired) -> None:
    pipeline.compose("train.epochs=2")
    assert pipeline.repro() == of_both("train", "benchmark", "simulate", "evaluate") | {"report"}
    pipeline.compose()
    # DVC keeps no run of a stage with an output in Git that is neither metric nor plot: examples, the page.
    assert pipeline.repro() <= of_both("evaluate") | {"report"}


def test_another_arm_runs_itself_and_what_judges_it(pipeline: Wired) -> None:
    pipeline.compose("arms=[floor,in_context]")
    assert pipeline.repro() == of_both("baseline-in_context", "evaluate") | {"report"}


def test_taking_a_procedure_out_runs_the_report_alone(pipeline: Wired) -> None:
    pipeline.compose("~sources.zoom_support")
    assert pipeline.repro() == {"report"}


def test_an_experiment_overrides_a_value(pipeline: Wired) -> None:
    expected = of("travel_booking", "train", "benchmark", "simulate", "evaluate") | {"report"}
    assert pipeline.ran("exp", "run", *ONE, "--set-param", "train.epochs=2") == expected
    assert yaml.safe_load((pipeline.folder / "params.yaml").read_text())["train"]["epochs"] == 2


def test_a_study_that_was_killed_continues_and_lays_its_report_out(pipeline: Wired) -> None:
    study = ("python", "-m", "scripts.study", "docs/study")
    names = ("travel_booking", "zoom_support", "insurance_claims")
    former = "timings/baseline/of_another_run.json"  # committed, and made by no stage of the study
    (pipeline.folder / "reports" / former).parent.mkdir(parents=True, exist_ok=True)
    (pipeline.folder / "reports" / former).write_text("{}")
    pipeline.run("git", "add", "reports")
    pipeline.run("git", "commit", "-qm", "of another run")
    pipeline.log.write_text("")
    pipeline.environment["WIRING_KILL"] = "train@insurance_claims"
    with pytest.raises(AssertionError, match="ended with -9"):
        pipeline.run(*study, timeout=300)
    before = pipeline.log.read_text().split()
    assert not (pipeline.folder / "docs/study").exists()

    pipeline.log.write_text("")
    del pipeline.environment["WIRING_KILL"]
    pipeline.run(*study, timeout=300)
    after = pipeline.log.read_text().split()
    # DVC keeps no run of evaluate: see above.
    assert [s for s in after if s in before and not s.startswith("evaluate")] == []
    # The default run has parsed travel and fetched the base already.
    default = {"parse@travel_booking", "base"}
    stages = {s for p in names for s in of(p, *PER_PROCEDURE)} | {"report"}
    assert {*before, *after} >= stages - default
    assert not default & {*before, *after}
    assert list(pipeline.folder.glob(".dvc/tmp/exps/standalone/tmp*")) == []
    laid = pipeline.folder / "docs/study"
    assert all((laid / f"{kind}/{p}.json").is_file() for kind in ("generation", "scores", "training") for p in names)
    assert (laid / "report.md").is_file() and list((laid / "plots").iterdir())
    assert (laid / former).parent.is_dir() and not (laid / former).exists()
    params = yaml.safe_load((laid / "params.yaml").read_text())
    assert params["procedures"] == sorted(names, key=params["procedures"].index)
    assert pipeline.run("git", "status", "--short") == "?? docs/study/\n"


def test_stubs_stand_for_the_real_pipeline() -> None:
    stages = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
    assert set(stages) == {"base", "report", "baseline", *VERBS}
