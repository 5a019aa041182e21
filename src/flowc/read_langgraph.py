"""Read a LangGraph graph (a Python file) into a Chart.

Nodes are boxes, labelled with the first paragraph of their function's docstring or the words of their name; a node
with several conditional edges is a question, a ToolNode a tool. What the functions do is not in the graph and so not in
the Chart; a `Command` that leads to where nothing says, and `Send`, are refused.
"""

from __future__ import annotations

import ast
import os
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from pydantic import ValidationError

from flowc.chart import Arrow, Box, Chart, Kind
from flowc.langgraph_probe import Probed, ProbedEdge, ProbedNode
from flowc.records import UserError
from flowc.yaml_fields import words

_SECONDS = 120  # importing langgraph takes 2 of them on a laptop, a graph that loads a model many more
_START, _END = "__start__", "__end__"
_ENTRIES = {"set_entry_point": "add_edge", "set_conditional_entry_point": "add_conditional_edges"}
"""Methods that are another for the graph's start."""


def read_langgraph(path: Path, name: str, trust: bool, seconds: float = _SECONDS) -> Chart:
    """Read the only graph that a file defines at its top level; `name` is the procedure's name.

    Importing the file runs its code, in a process of its own for at most `seconds`; without `trust` it is refused.
    Raises UserError `file:line: what is wrong; what to do`.
    """
    try:
        source = path.read_text(encoding="utf-8")
        tree = ast.parse(source)
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; correct its name") from None
    except (UnicodeDecodeError, IsADirectoryError):
        raise UserError(f"{path}: not a Python file; name one that defines a StateGraph") from None
    except SyntaxError as e:
        raise UserError(f"{path}:{e.lineno or 1}:{e.offset or 1}: not valid Python: {e.msg}; mend it") from None
    except (ValueError, RecursionError, MemoryError) as e:
        raise UserError(f"{path}:1: not valid Python: {e}; mend it") from None
    if not trust:
        raise UserError(
            f"{path}:1: reading a LangGraph file runs its code; look through it, then allow it: "
            "`trust: true` beside its `file` in conf/config.yaml and `make params`, or --trust (make: TRUST=1)"
        )
    return chart_of(path, name, tree, _probe(path, seconds))


def chart_of(path: Path, name: str, tree: ast.Module, probed: Probed) -> Chart:
    """Make a Chart of what importing the file told, with its text parsed as `tree`; raises as `read_langgraph` does."""
    if probed.error:
        raise UserError(f"{path}:{_place(tree, probed)}: {probed.error}")
    _refuse_sends(path, tree)
    lines = _definitions(tree)
    _check_commands(path, tree, lines, probed)
    times = Counter(e.source for e in probed.edges)
    edges = [e.model_copy(update={"conditional": e.conditional and times[e.source] > 1}) for e in probed.edges]
    nodes = [n if n.id != _START else n.model_copy(update={"line": _start_line(tree, probed.edges)})
             for n in probed.nodes]  # fmt: skip
    boxes = {n.id: _box(n, lines, edges) for n in nodes if n.id != _END or _reached(edges)}
    for node in boxes:
        _check_one_at_a_time(path, node, boxes[node].line, [e for e in edges if e.source == node])
    arrows = tuple(Arrow(source=e.source, target=e.target, label=_label(e), line=boxes[e.source].line) for e in edges)
    title = _first_paragraph(ast.get_docstring(tree) or "")
    return Chart(name=name, title=title, start=_START, boxes=boxes, arrows=arrows)


def _probe(path: Path, seconds: float) -> Probed:
    """Import the file in another process. Its output goes to files: a pipe could be kept open behind its back."""
    file = path.resolve()
    code = f"from flowc.langgraph_probe import main; main({str(file)!r})"
    quiet = {"LANGSMITH_TRACING": "false", "LANGCHAIN_TRACING_V2": "false"}  # no report to a server from here
    env = {**os.environ, **quiet, "PYTHONPATH": os.pathsep.join([str(file.parent), *filter(None, sys.path)])}
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        process = subprocess.Popen(
            [sys.executable, "-P", "-c", code],
            stdin=subprocess.DEVNULL, stdout=out, stderr=err, env=env, start_new_session=True,
        )  # fmt: skip
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise UserError(f"{path}:1: importing the file takes more than {seconds:g} seconds; put what takes long "
                            "behind `if __name__ == \"__main__\":`") from None  # fmt: skip
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        out.seek(0)
        err.seek(0)
        try:
            return Probed.model_validate_json(out.read())
        except ValidationError:
            last = err.read().decode("utf-8", "replace").strip().splitlines()[-1:] or ["no message"]
            raise UserError(f"{path}:1: importing the file ends its process ({last[0][:200]}); mend it until `python` "
                            "runs it") from None  # fmt: skip


def _place(tree: ast.Module, probed: Probed) -> str:
    """Give the line and column of the call that an error is about.

    Line 1 where the text does not tell which it is: a name may be put together while the file runs, and a call that
    looks alike may be for another graph.
    """
    calls = _calls(tree, probed.call, probed.node)
    if len(calls) != probed.times:
        return str(probed.line)
    return f"{calls[-1].end_lineno}:{(calls[-1].end_col_offset or 0) - len(calls[-1].attr) + 1}"


def _start_line(tree: ast.Module, edges: Sequence[ProbedEdge]) -> int:
    """Give the line of the call that leads on from the start, 1 where the text does not tell which it is."""
    plain = sum(e.source == _START and not e.conditional for e in edges)
    calls = _calls(tree, "add_edge" if plain else "add_conditional_edges", _START)
    return calls[-1].end_lineno or 1 if len(calls) == (plain or 1) else 1


def _calls(tree: ast.Module, method: str, node: str) -> list[ast.Attribute]:
    """List where a method of a graph is called for a node, as the attributes that name it, in the text's order."""
    names = _imported(tree)
    found = []
    for call in ast.walk(tree):
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute):
            name = call.func.attr
            given = _START if name in _ENTRIES else _first_given(call, names)
            if (_ENTRIES.get(name, name), given) == (method, node):
                found.append(call.func)
    return sorted(found, key=lambda f: (f.end_lineno, f.end_col_offset))


def _first_given(call: ast.Call, names: dict[str, str]) -> str:
    """Name the node that a call is for: a text, START, or a function, after which `add_node` names a node."""
    given = [*call.args[:1], *(k.value for k in call.keywords if k.arg in ("node", "source", "start_key"))]
    if given and isinstance(given[0], ast.Constant):
        return str(given[0].value)
    name = _called(given[0], names).rpartition(".")[2] if given else ""
    return _START if name == "START" else name


def _refuse_sends(path: Path, tree: ast.Module) -> None:
    """Refuse what leads to several nodes at once, `Send` and a `Command` with a list: nothing of it is in the graph."""
    names = _imported(tree)
    for call in (n for n in ast.walk(tree) if isinstance(n, ast.Call)):
        at = f"{path}:{call.lineno}:{call.col_offset + 1}"
        called = _called(call.func, names)
        if called.startswith("langgraph.") and called.endswith(".Send"):
            raise UserError(f"{at}: Send runs a node several times at once, but a conversation goes one way; lead to "
                            "the nodes one after the other")  # fmt: skip
        if any(_several(goto) for goto in _gotos(call, names)):
            raise UserError(f"{at}: this Command leads to several nodes at the same time; lead to one after the other, "
                            "or choose one of them")  # fmt: skip


def _check_commands(path: Path, tree: ast.Module, lines: dict[int, int], probed: Probed) -> None:
    """Refuse a node whose function goes on with `Command(goto=...)` to where neither annotation nor node says."""
    names = _imported(tree)
    known = {e.source for e in probed.edges if e.conditional}
    at = {lines.get(n.line, n.line): n.id for n in probed.nodes if n.line > 1 and n.id not in known}
    for function in ast.walk(tree):
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) and function.lineno in at:
            for call in ast.walk(function):
                if isinstance(call, ast.Call) and _gotos(call, names):
                    raise UserError(
                        f"{path}:{call.lineno}:{call.col_offset + 1}: where this Command leads from "
                        f"{at[function.lineno]!r} is not said; annotate the function's result, as in "
                        'Command[Literal["next_node"]], or give add_node its destinations'
                    )


def _gotos(call: ast.Call, names: dict[str, str]) -> list[ast.expr]:
    """Give where a `Command` leads, nothing for other calls and for one that does not lead on."""
    if _called(call.func, names).rpartition(".")[2] != "Command":
        return []
    return [k.value for k in call.keywords if k.arg == "goto"]


def _several(goto: ast.expr) -> bool:
    """Whether more than one node may stand there: a list of several, or one whose length the text does not tell."""
    if isinstance(goto, ast.IfExp):
        return _several(goto.body) or _several(goto.orelse)
    if isinstance(goto, ast.List | ast.Tuple | ast.Set):
        return len(goto.elts) > 1 or any(isinstance(e, ast.Starred) for e in goto.elts)
    return isinstance(goto, ast.ListComp | ast.SetComp | ast.GeneratorExp)


def _imported(tree: ast.Module) -> dict[str, str]:
    """Give what is behind the names that a file imports: after `from langgraph.types import Send as S` that of `S`."""
    names: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {a.asname: a.name for a in node.names if a.asname}
        elif isinstance(node, ast.ImportFrom):
            found = [n for a in node.names for n in ([a] if a.name != "*" else map(ast.alias, ("Command", "Send")))]
            names |= {a.asname or a.name: f"{node.module or ''}.{a.name}" for a in found}
    return names


def _called(function: ast.expr, names: dict[str, str]) -> str:
    """Name what a name or an attribute of a module stands for, with its module; empty for anything else."""
    if isinstance(function, ast.Attribute):
        return f"{_called(function.value, names)}.{function.attr}"
    return names.get(function.id, function.id) if isinstance(function, ast.Name) else ""


def _definitions(tree: ast.Module) -> dict[int, int]:
    """Give the line of each `def` by the line where Python says that it begins: that of its first decorator."""
    found = [n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)]
    return {min([n.lineno, *(d.lineno for d in n.decorator_list)]): n.lineno for n in found}


def _reached(edges: Sequence[ProbedEdge]) -> bool:
    return any(e.target == _END for e in edges)


def _box(node: ProbedNode, lines: dict[int, int], edges: Sequence[ProbedEdge]) -> Box:
    kind: Kind = "step"
    if node.id in (_START, _END):
        kind = "start" if node.id == _START else "end"
    elif node.tool:
        kind = "tool"
    elif any(e.conditional for e in edges if e.source == node.id):
        kind = "question"
    return Box(label=_first_paragraph(node.doc) or words(node.id), kind=kind, line=lines.get(node.line, node.line))


def _check_one_at_a_time(path: Path, node: str, line: int, edges: Sequence[ProbedEdge]) -> None:
    """LangGraph follows all plain edges of a node at once; a conversation goes one way."""
    if len(edges) > 1 and not all(e.conditional for e in edges):
        targets = ", ".join(sorted({e.target for e in edges}))
        raise UserError(f"{path}:{line}: {node!r} leads to {targets} at the same time; lead to one after the other, or "
                        "choose with conditional edges")  # fmt: skip


def _label(edge: ProbedEdge) -> str:
    """Give the key of the path map, in words where it is the target's name, as it is without a map."""
    if not edge.conditional:
        return ""
    return words(edge.target) if edge.label in (edge.target, "") else " ".join(edge.label.split())


def _first_paragraph(text: str) -> str:
    return " ".join(text.strip().split("\n\n")[0].split())
