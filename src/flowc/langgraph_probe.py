"""Imports a file that defines a LangGraph graph and tells what it is made of; `read_langgraph` runs it in a process
of its own, since importing runs whatever the file holds.
"""

from __future__ import annotations

import importlib.util
import inspect
import os
import sys
import traceback
from collections.abc import Callable
from functools import partial
from typing import Any

from flowc.records import Record


class ProbedNode(Record):
    """A node, with its function's docstring and place where it is defined in the file itself."""

    id: str
    doc: str = ""
    line: int = 1
    tool: bool = False


class ProbedEdge(Record):
    """An edge, once for each key of a path map that leads over it; without a map the label is empty."""

    source: str
    target: str
    label: str
    conditional: bool


class Probed(Record):
    """What was found, or with `error` what kept it from being found, and at which line or call."""

    nodes: tuple[ProbedNode, ...] = ()
    edges: tuple[ProbedEdge, ...] = ()
    error: str = ""
    line: int = 1
    call: str = ""
    """The method of the graph whose call is wrong, empty where no single one is."""
    node: str = ""
    """The node for which it was called."""
    times: int = 1
    """How often it was called for that node; the last call is the wrong one."""


def main(path: str) -> None:
    """Write a Probed as JSON to standard output; what the file itself prints goes to standard error."""
    answer = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    probed = probe(path)
    with answer:
        answer.write(probed.model_dump_json())


def probe(path: str) -> Probed:
    """Import the file and look at its only graph. An exception in it becomes an `error`."""
    try:
        spec = importlib.util.spec_from_file_location("flowc_imported_graph", path)
        assert spec and spec.loader, path
        module = importlib.util.module_from_spec(spec)
        sys.modules[spec.name] = module  # annotations are looked up there
        spec.loader.exec_module(module)
        return _graph(vars(module), path)
    except (Exception, SystemExit) as e:
        lines = [frame.lineno for frame in traceback.extract_tb(e.__traceback__) if frame.filename == path]
        what = f"{type(e).__name__}: {e}".strip(": ").splitlines()[0][:200]
        return Probed(
            error=f"importing the file ends with {what}; mend it until `python` runs it", line=(lines or [1])[-1] or 1
        )


def _graph(names: dict[str, Any], path: str) -> Probed:
    from langgraph.graph import END, START, StateGraph
    from langgraph.graph.state import CompiledStateGraph
    from langgraph.pregel import Pregel

    found: dict[int, tuple[str, Any, Any]] = {}
    for name, value in names.items():
        builder = value.builder if isinstance(value, CompiledStateGraph) else value
        # A graph and what was compiled of it are one: mostly both have a name.
        if isinstance(builder, StateGraph) and (id(builder) not in found or builder is not value):
            found[id(builder)] = (name, builder, value)
    parts = {id(n.runnable.builder) for _, b, _ in found.values() for n in b.nodes.values()
             if isinstance(n.runnable, CompiledStateGraph)}  # fmt: skip
    found = {key: graph for key, graph in found.items() if key not in parts}
    if len(found) != 1:
        listed = ", ".join(name for name, _, _ in found.values())
        what = f"several graphs ({listed})" if found else "no graph"
        return Probed(error=f"the file defines {what} at its top level; leave exactly one StateGraph there, "
                            "as in `graph = build()`")  # fmt: skip
    ((_, builder, graph),) = found.values()
    for name, node in builder.nodes.items():
        if isinstance(node.runnable, Pregel):
            return Probed(error=f"node {name!r} is a graph of its own; add its nodes to this graph in its place",
                          call="add_node", node=name)  # fmt: skip
    for source, branches in builder.branches.items():
        if len(branches) > 1:
            return Probed(
                error=f"{source!r} makes {len(branches)} choices at the same time; join their path maps in one",
                call="add_conditional_edges", node=source, times=len(branches),
            )  # fmt: skip
        for name, branch in branches.items():
            if _chosen_by_model(name, branch):
                return Probed(error=f"the model itself chooses what comes behind {source!r} ({name}), so no procedure "
                              "is drawn; draw the steps as nodes, and lead to the tool from the one that needs it",
                              call="add_conditional_edges", node=source)  # fmt: skip
            if branch.ends is None:
                return Probed(error=f"where {name!r} leads from {source!r} is not said; give add_conditional_edges a "
                              "path map, or annotate the function's result as a Literal",
                              call="add_conditional_edges", node=source)  # fmt: skip
    if graph is builder:
        builder.compile()  # LangGraph's own checks
    nodes = [_node(name, builder.nodes[name].runnable if name in builder.nodes else None, path)
             for name in (START, *builder.nodes, END)]  # fmt: skip
    return Probed(nodes=tuple(nodes), edges=tuple(_edges(builder)))


def _chosen_by_model(name: str, branch: Any) -> bool:
    """Whether a choice is the one of LangGraph's and LangChain's own agents: whether the model calls a tool."""
    function = _function(getattr(branch.path, "func", None) or getattr(branch.path, "afunc", None))
    module = getattr(function, "__module__", None) or ""
    return name == "tools_condition" or module.startswith(("langgraph.prebuilt", "langchain.agents"))


def _edges(builder: Any) -> list[ProbedEdge]:
    """Give the edges as they were added, sorted, those over a path map once for each of its keys.

    LangGraph's own drawing plays all ways of a choice at once: it fails where the state is one value, as with
    `StateGraph(dict)` ("can receive only one value per step"), and ends after 250 steps.
    """
    from langgraph.graph import END

    labels: dict[tuple[str, str, bool], dict[str, None]] = {}
    for source, target in (*builder.edges, *((s, t) for many, t in builder.waiting_edges for s in many)):
        labels[source, target, False] = {"": None}
    for source, branches in builder.branches.items():
        for key, target in (way for branch in branches.values() for way in branch.ends.items()):
            labels.setdefault((source, target, True), {})[str(key)] = None
    for source, node in builder.nodes.items():
        for target in node.ends or ():  # what a Command may lead to: names, or names with a label
            label = node.ends[target] if isinstance(node.ends, dict) else ""
            labels.setdefault((source, target, True), {})[label or ""] = None
    sources = {source for source, _, _ in labels}
    for name in builder.nodes:
        if name not in sources:
            labels[name, END, False] = {"": None}
    return [
        ProbedEdge(source=source, target=target, label=label, conditional=conditional)
        for (source, target, conditional), found in sorted(labels.items(), key=lambda entry: entry[0])
        for label in found
    ]


def _node(name: str, runnable: Any, path: str) -> ProbedNode:
    function = _function(getattr(runnable, "func", None) or getattr(runnable, "afunc", None))
    tool = type(runnable).__name__ == "ToolNode"
    if function is None or tool:
        return ProbedNode(id=name, tool=tool)
    code = getattr(function, "__code__", None)
    line = code.co_firstlineno if code is not None and code.co_filename == path else 1
    return ProbedNode(id=name, doc=inspect.getdoc(function) or "", line=line)


def _function(value: Any) -> Callable[..., Any] | None:
    """Give the function behind partial applications and decorators; None for objects, whose docstring is a class's."""
    while isinstance(value, partial):
        value = value.func
    value = inspect.unwrap(value) if callable(value) else None
    return value if inspect.isfunction(value) or inspect.ismethod(value) else None
