"""The architecture: what dvc.yaml, conf/, stages/ and src/flowc/ promise each other, held by tests."""

from __future__ import annotations

import ast
import importlib
import re
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from flowc.read_any import origin_of
from flowc.records import Record
from tests.workspace import ROOT, repository_files

STAGES = yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))["stages"]
PIPELINE = {verb: stage.get("do", stage) for verb, stage in STAGES.items()}  # `do` is the stage of a `foreach`
VERBS = sorted(p.stem for p in (ROOT / "stages").glob("*.py") if p.stem != "__init__")
LIBRARY = sorted((ROOT / "src" / "flowc").glob("*.py"))
WITHOUT_PARAMS = {"parse", "baseline"}  # baseline simulates as `simulate` does
SHARED = {"prices", "serve"}  # sections that several stages read and none is named after
LISTS = {"sources"}  # what the stages run over
BESIDE = {"gate"}  # sections of what is no stage
CONF = ROOT / "conf"


@cache
def imported(file: Path) -> frozenset[Path]:
    """List the repository's files that a file imports, at its top or inside functions."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {a.name for a in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file.name} line {node.lineno}: import by the full name"
            names |= {f"{node.module}.{a.name}" for a in node.names} | {str(node.module)}
    paths = {folder / f"{name.replace('.', '/')}.py" for name in names for folder in (ROOT / "src", ROOT)}
    return frozenset(p for p in paths if p.is_file())


def closure(file: Path) -> set[Path]:
    """List the repository's files that running a file loads, itself among them."""
    seen, todo = {file}, [file]
    while todo:
        new = imported(todo.pop()) - seen
        seen |= new
        todo += new
    return seen


def paths(entries: list[Any]) -> list[str]:
    """Give the paths of deps, outs, metrics or plots, whose entries may carry options."""
    return [e if isinstance(e, str) else next(iter(e)) for e in entries]


def composed(*overrides: str) -> dict[str, Any]:
    """Compose conf/ to plain values."""
    with initialize_config_dir(str(CONF), version_base=None):
        values = OmegaConf.to_container(compose("config", overrides=list(overrides)), resolve=True)
    assert isinstance(values, dict)
    return {str(k): v for k, v in values.items()}


def params_class(section: str) -> type[Record]:
    """Find the one class in the library that owns a section of params.yaml."""
    name = f"{section.capitalize()}Params"
    owners = [m for m in LIBRARY if re.search(rf"^class {name}\b", m.read_text(encoding="utf-8"), re.M)]
    assert len(owners) == 1, f"{name} must be defined in one module of src/flowc, found {[o.name for o in owners]}"
    found: type[Record] = getattr(importlib.import_module(f"flowc.{owners[0].stem}"), name)
    return found


@pytest.mark.parametrize("verb", VERBS)
def test_a_stage_depends_on_exactly_the_code_that_it_imports(verb: str) -> None:
    needed = {p.relative_to(ROOT).as_posix() for p in closure(ROOT / "stages" / f"{verb}.py")}
    listed = [d for d in paths(PIPELINE[verb]["deps"]) if d.endswith(".py")]
    assert len(listed) == len(set(listed))
    assert sorted(listed) == sorted(needed)


@pytest.mark.parametrize("verb", VERBS)
def test_no_stage_imports_another(verb: str) -> None:
    file = ROOT / "stages" / f"{verb}.py"
    assert [p.name for p in closure(file) if p.parent.name == "stages"] == [file.name]


def test_package_files_hold_only_a_docstring_and_so_need_no_dep() -> None:
    for folder in ("stages", "src/flowc"):
        body = ast.parse((ROOT / folder / "__init__.py").read_text(encoding="utf-8")).body
        assert len(body) == 1 and isinstance(body[0], ast.Expr), f"{folder}/__init__.py has code"


@pytest.mark.parametrize("verb", VERBS)
def test_a_stage_lists_the_params_that_its_shell_loads(verb: str) -> None:
    calls = [
        n
        for n in ast.walk(ast.parse((ROOT / "stages" / f"{verb}.py").read_text(encoding="utf-8")))
        if isinstance(n, ast.Call) and re.search(r"\bload(_value)?$", ast.unparse(n.func))
    ]
    loaded = {n.args[0].value for n in calls if isinstance(n.args[0], ast.Constant)}
    assert len(loaded) == len(calls), "name the section literally"
    # A procedure's stage depends on its own entry of `sources`: an edit of another one does not run it.
    listed = [re.sub(r"\.\$\{(key|item\.procedure)\}$", "", p) for p in PIPELINE[verb].get("params", [])]
    assert sorted(listed) == sorted(map(str, loaded))


@pytest.mark.parametrize("verb", VERBS)
def test_a_command_names_its_inputs_and_outputs_and_nothing_else(verb: str) -> None:
    stage = PIPELINE[verb]
    words = stage["cmd"].split()
    assert words[:3] == ["python", "-m", f"stages.{verb}"]
    named = {w for w in words if "/" in w}
    data = {d for d in paths(stage["deps"]) if not d.endswith(".py")}
    if verb == "report":  # is given all metrics as one folder
        data = {d for d in data if not d.startswith("reports/")}
    outputs = {p for kind in ("outs", "metrics", "plots") for p in paths(stage.get(kind, []))}
    assert named == data | outputs


def test_the_pipeline_names_nothing_but_what_conf_lists_or_the_base_gives() -> None:
    text = (ROOT / "dvc.yaml").read_text(encoding="utf-8")
    assert set(re.findall(r"\$\{(.+?)\}", text)) <= {
        "sources",
        "procedures",
        "arms",
        "base.name",
        "key",
        "item.file",
        "item.procedure",
        "item.arm",
        "generate.own",
    }
    assert [p for p in composed()["procedures"] if p in text] == []


def test_the_procedures_are_the_names_of_the_sources() -> None:
    more = composed("+sources.claims={file: claims.mmd}")
    assert more["procedures"] == [*composed()["procedures"], "claims"]
    assert list(more["sources"]) == more["procedures"]


@pytest.mark.parametrize("scale", ["laptop", "study", "study_smoke", "paper_zoom", "paper_insurance"])
def test_every_source_is_a_file(scale: str) -> None:
    sources = composed(f"scale={scale}")["sources"]
    files = [origin_of(sources, name).file for name in sources]
    assert files and [f for f in files if not (ROOT / "data" / "procedures" / f).is_file()] == []


def test_one_word_names_a_stage_in_six_places() -> None:
    with_params = sorted(set(VERBS) - WITHOUT_PARAMS)
    sections = sorted(k for k, v in composed().items() if isinstance(v, dict) and k not in SHARED | LISTS | BESIDE)
    groups = sorted(p.name for p in CONF.iterdir() if p.is_dir() and p.name not in {"scale", *SHARED, *BESIDE})
    assert sorted(PIPELINE) == VERBS
    assert sections == with_params
    assert groups == with_params
    assert [v for v in VERBS if not (ROOT / "tests" / f"test_{v}.py").is_file()] == []
    for verb in with_params:
        owner = Path(str(importlib.import_module(params_class(verb).__module__).__file__))
        assert owner in closure(ROOT / "stages" / f"{verb}.py"), f"stage {verb} does not use {owner.name}"


def test_params_yaml_is_the_composition_to_the_byte() -> None:
    with initialize_config_dir(str(CONF), version_base=None):
        config = compose("config")
    OmegaConf.resolve(config)
    assert (ROOT / "params.yaml").read_text(encoding="utf-8") == OmegaConf.to_yaml(config), "run `make params`"


CHOICES = [
    f"{g}={p.stem}" for g in ("base", "frontier", "generate", "scale") for p in sorted((CONF / g).glob("*.yaml"))
]
OPEN = {"generate=compatible": ("generate.llm.model=m",)}  # what the user has to say as well


def test_the_study_trains_travel_on_what_the_default_run_does() -> None:
    study, default = composed("scale=study"), composed()
    assert study["sources"]["travel_booking"] == default["sources"]["travel_booking"]
    assert study["generate"] | {"scenarios": 60} == default["generate"]  # planned behind what is trained on
    assert [k for k in ("seed", "base", "tokenize", "train") if study[k] != default[k]] == []


@pytest.mark.parametrize(
    ("scale", "base", "procedure", "conversations", "epochs", "batch"),
    [
        ("paper", "qwen2.5-3b", "travel_booking", (1912, 213), 20, 16),
        ("paper_zoom", "qwen3-8b", "zoom_support", (6264, 213), 10, 32),  # how many are held out is not published
        ("paper_insurance", "qwen3-8b", "insurance_claims", (2700, 300), 20, 32),
    ],
)
def test_the_papers_scales_have_the_papers_values(
    scale: str, base: str, procedure: str, conversations: tuple[int, int], epochs: int, batch: int
) -> None:
    made = composed(f"scale={scale}")
    generate, train = made["generate"], made["train"]
    assert (made["base"]["name"], made["procedures"]) == (base, [procedure])
    assert "generate" not in made["sources"][procedure]
    assert (generate["train"], generate["eval"], generate["scenarios"]) == (*conversations, 200)
    wanted = ("full", epochs, batch, 2e-5, "bf16", epochs, conversations[1])
    keys = ("method", "epochs", "batch_size", "learning_rate", "precision", "evals", "eval_conversations")
    assert tuple(train[key] for key in keys) == wanted


@pytest.mark.parametrize("choice", CHOICES)
def test_every_base_teacher_and_scale_composes_to_valid_params(choice: str) -> None:
    values = composed(choice, *OPEN.get(choice, ()))
    for section in (set(VERBS) - WITHOUT_PARAMS) | SHARED | BESIDE:
        params_class(section).model_validate(values[section])
    assert isinstance(values["seed"], int)


def test_a_base_is_named_after_its_file() -> None:
    for file in (CONF / "base").glob("*.yaml"):
        assert yaml.safe_load(file.read_text(encoding="utf-8"))["name"] == file.stem


def test_a_named_base_wins_over_that_of_a_scale() -> None:
    assert composed("scale=smoke")["base"]["name"] == "tiny"
    assert composed("scale=smoke", "base=smollm2-135m-6l")["base"]["name"] == "smollm2-135m-6l"


@pytest.mark.parametrize("verb", VERBS)
def test_a_stage_shell_has_at_most_60_lines(verb: str) -> None:
    assert len((ROOT / "stages" / f"{verb}.py").read_text(encoding="utf-8").splitlines()) <= 60


@pytest.mark.parametrize("module", LIBRARY, ids=lambda p: p.stem)
def test_the_library_knows_neither_the_command_line_nor_the_layout(module: Path) -> None:
    tree = ast.parse(module.read_text(encoding="utf-8"))
    docstrings = {
        id(n.body[0].value)
        for n in ast.walk(tree)
        if isinstance(n, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        and n.body
        and isinstance(n.body[0], ast.Expr)
    }
    texts = [
        n.value
        for n in ast.walk(tree)
        if isinstance(n, ast.Constant) and isinstance(n.value, str) and id(n) not in docstrings
    ]
    assert [t for t in texts if re.match(r"(data|models|reports)/", t)] == []
    assert [t for t in texts if t == "params.yaml"] == (["params.yaml"] if module.stem == "params" else [])
    if module.stem != "guard":  # a program of its own, which the server runs under
        assert "sys.argv" not in module.read_text(encoding="utf-8")


def test_no_library_file_passes_400_lines() -> None:
    assert [m.name for m in LIBRARY if len(m.read_text(encoding="utf-8").splitlines()) > 400] == []


def test_git_holds_no_file_over_one_megabyte() -> None:
    sizes = {f.as_posix(): (ROOT / f).stat().st_size for f in repository_files()}
    assert {f: s for f, s in sizes.items() if s > 1_000_000} == {}


def test_metrics_reports_and_plots_are_in_git_and_all_else_in_the_cache() -> None:
    for verb, stage in PIPELINE.items():
        for kind in ("outs", "metrics", "plots"):
            for entry in stage.get(kind, []):
                path = paths([entry])[0]
                cached = isinstance(entry, str) or entry[path].get("cache", True)
                assert cached == (not path.startswith("reports/")), f"{verb}: {path}"


def test_make_help_names_every_target() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = re.findall(r"^([a-z_]+):", makefile, re.M)
    said = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert [t for t in targets if f"make {t}" not in said] == ["help"]


def test_the_readme_lists_exactly_the_files_of_stages_scripts_and_library() -> None:
    tree = (ROOT / "README.md").read_text(encoding="utf-8").split("## What is where")[1].split("```")[1]
    listed: dict[str, list[str]] = {}
    folder = ""
    for line in tree.splitlines():
        name = re.match(r"(?:  )?(\S+)", line)
        if name and line.startswith("  "):
            listed.setdefault(folder, []).append(name[1].rstrip("/"))
        elif name:
            folder = name[1]
    for folder in ("stages/", "scripts/", "src/flowc/"):
        there = {p.name for p in (ROOT / folder).iterdir() if not p.name.startswith("__")}
        assert sorted(listed[folder]) == sorted(there)


PAGES = ["README.md", *sorted(p.relative_to(ROOT).as_posix() for p in (ROOT / "docs").rglob("*.md"))]


@pytest.mark.parametrize("page", PAGES)
def test_what_a_page_links_to_and_tells_to_run_is_there(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    links = [link for link in re.findall(r"\]\(([^)#]+)", text) if not link.startswith("http")]
    assert [link for link in links if not ((ROOT / page).parent / link).exists()] == []
    modules = re.findall(r"python -m ((?:scripts|stages)\.\w+)", re.sub(r"-m\s+", "-m ", text))
    assert [m for m in modules if not (ROOT / f"{m.replace('.', '/')}.py").is_file()] == []
    targets = re.findall(r"^([a-z_]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M)
    named = re.findall(r"(?:^|`)make ([a-z_]+)", text, re.M)
    assert [t for t in named if t not in targets] == []


def test_every_compiled_procedure_is_listed_as_an_artifact() -> None:
    listed = yaml.safe_load((ROOT / "models" / "dvc.yaml").read_text(encoding="utf-8"))["artifacts"]
    assert {name: (ROOT / "models" / a["path"]).relative_to(ROOT).as_posix() for name, a in listed.items()} == {
        p: paths(PIPELINE["train"]["outs"])[0].replace("${item.procedure}", p) for p in composed()["procedures"]
    }
