"""Read a procedure from any file that flowc understands: its own YAML, or a chart of another tool.

What a file is, its suffix says; of YAML, its keys. `conf/config.yaml` lists the files under `sources`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError

from flowc.from_chart import draft_of
from flowc.graph import Graph
from flowc.parse import Draft, read_procedure, sound
from flowc.read_agent2model import read_agent2model
from flowc.read_bpmn import read_bpmn
from flowc.read_dot import read_dot
from flowc.read_langgraph import read_langgraph
from flowc.read_mermaid import read_mermaid
from flowc.read_rasa import read_rasa
from flowc.records import Record, UserError
from flowc.yaml_lines import load_yaml

_TEXTS = {
    ".mmd": read_mermaid, ".mermaid": read_mermaid, ".md": read_mermaid,
    ".bpmn": read_bpmn, ".xml": read_bpmn,
    ".dot": read_dot, ".gv": read_dot,
}  # fmt: skip
_SUFFIXES = (*_TEXTS, ".yaml", ".yml", ".py")
_KNOWN = (
    ".yaml or .yml (flowc, Rasa CALM, agent2model), .mmd, .mermaid or .md (Mermaid), .bpmn or .xml (BPMN 2.0), .dot or "
    ".gv (Graphviz), .py (LangGraph)"
)
_EMPTY = "the file is empty; write a procedure into it, docs/procedure.md shows the smallest one"


class Origin(Record):
    """Where a procedure comes from: an entry of `sources`."""

    file: str
    """Its file in the folder of procedures."""
    trust: bool = False
    """Whether code may run to read the file (LangGraph)."""
    flow: str | None = None
    """Which flow of the file it is, where there are several (Rasa CALM)."""
    generate: dict[str, Any] = Field(default_factory=dict)
    """What the procedure has otherwise than the section `generate` (`flowc.overrides`)."""
    report: dict[str, Any] = Field(default_factory=dict)
    """The same of the section `report`."""


def origin_of(sources: Mapping[str, Any], name: str) -> Origin:
    """Find a procedure among the sources; raises UserError when it is missing or malformed."""
    if name not in sources:
        known = ", ".join(sources) or "none"
        raise UserError(f"there is no procedure {name!r} under `sources` (known are {known}); add it in "
                        "conf/config.yaml and run `make params`")  # fmt: skip
    try:
        return Origin.model_validate(sources[name])
    except ValidationError as e:
        detail = e.errors()[0]
        key = ".".join(["sources", name, *map(str, detail["loc"])])
        raise UserError(f"params.yaml: {key}: {detail['msg']}; mend conf/config.yaml, an entry is "
                        f"`{name}: {{file: {name}.yaml}}`, and run `make params`") from None  # fmt: skip


def origin_in(folder: Path, sources: Mapping[str, Any], name: str) -> Origin:
    """Find a procedure among the sources or else, by its name alone, in their folder: one need not be compiled to be
    looked at.

    Raises UserError when it is in neither, or when several files of the folder have its name.
    """
    files = [f for f in _readable(folder) if f.stem == name]
    if name in sources:
        return origin_of(sources, name)
    if not files:
        known = ", ".join(names_in(folder, sources)) or "none"
        raise UserError(f"there is no procedure {name!r}, neither under `sources` nor in {folder} (known are {known}); "
                        "correct the name, or write it")  # fmt: skip
    if len(files) > 1:
        raise UserError(f"{folder}: {' and '.join(f.name for f in files)} may both be the procedure {name!r}; rename "
                        "one, or list under `sources` in conf/config.yaml which it is")  # fmt: skip
    return Origin(file=files[0].name)


def names_in(folder: Path, sources: Mapping[str, Any]) -> list[str]:
    """Name the procedures of the sources, then those that only lie in the folder.

    A Python file counts where it is listed: reading it runs its code, and a module beside a graph is no procedure.
    """
    listed = {origin_of(sources, name).file for name in sources}
    others = [f.stem for f in _readable(folder) if f.name not in listed and f.suffix.lower() != ".py"]
    return list(dict.fromkeys([*sources, *others]))


def _readable(folder: Path) -> list[Path]:
    return sorted(f for f in folder.glob("*") if f.suffix.lower() in _SUFFIXES and f.is_file())


def read_graph(path: Path, name: str, *, trust: bool = False, flow: str | None = None) -> Graph:
    """Read and validate one procedure; `name` is its name, `flow` which one of a Rasa file.

    Raises UserError `file:line: what is wrong; what to do` for the first mistake.
    """
    return sound(read_draft(path, name, trust=trust, flow=flow), str(path))


def read_draft(path: Path, name: str, *, trust: bool = False, flow: str | None = None) -> Draft:
    """Read a procedure as `read_graph` does, without the checks of `flowc.checks`, which lint lists at once."""
    file, suffix = str(path), path.suffix.lower()
    if suffix not in _SUFFIXES:
        raise UserError(f"{file}: {suffix or 'a name without a suffix'} is of no known format; name the file after "
                        f"what it is: {_KNOWN}")  # fmt: skip
    if not name.isidentifier():
        raise UserError(f"{file}: {name!r} is no name for a procedure; use letters, digits and underscores")
    text = _text(path)
    if trust and suffix != ".py":
        raise UserError(f"{file}: `trust` is for LangGraph files alone (.py); leave it out")
    if suffix == ".py":
        _no_flow(file, flow)
        return draft_of(read_langgraph(path, name, trust), file)
    if suffix in _TEXTS:
        _no_flow(file, flow)
        return draft_of(_TEXTS[suffix](text, file, name), file)
    return _read_yaml(text, file, name, flow)


def _read_yaml(text: str, file: str, name: str, flow: str | None) -> Draft:
    values = load_yaml(text, file, _EMPTY, verbatim=True).values
    keys = values if isinstance(values, dict) else {}
    if "procedure" not in keys and "flows" in keys:
        return draft_of(read_rasa(text, file, name, flow), file)
    _no_flow(file, flow)
    if "procedure" in keys:
        draft = read_procedure(text, file)
        if draft.graph.procedure != name:
            line = draft.source.line(("procedure",))
            raise UserError(f"{file}:{line}: procedure {draft.graph.procedure!r} is listed under `sources` as "
                            f"{name!r}; give it one name")  # fmt: skip
        return draft
    if "nodes" in keys:
        return draft_of(read_agent2model(text, file, name), file)
    raise UserError(f"{file}:1: this is neither a procedure (it has the key `procedure`) nor flows of Rasa CALM "
                    "(`flows`) nor an agent2model flowchart (`nodes`); docs/procedure.md shows what a procedure looks "
                    "like")  # fmt: skip


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except (FileNotFoundError, NotADirectoryError):
        raise UserError(f"{path}: no such file; write it, or correct its name") from None
    except IsADirectoryError:
        raise UserError(f"{path}: this is a folder; name a file in it") from None
    except UnicodeDecodeError as e:
        line = path.read_bytes().count(b"\n", 0, e.start) + 1
        raise UserError(f"{path}:{line}: not UTF-8; save the file in this encoding") from None


def _no_flow(file: str, flow: str | None) -> None:
    if flow is not None:
        raise UserError(f"{file}: `flow` ({flow!r}) chooses among the flows of a Rasa file, and this is none; leave "
                        "it out")  # fmt: skip
