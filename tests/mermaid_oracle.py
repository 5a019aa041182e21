"""Mermaid itself as a judge: its npm package parses texts under node, and says which boxes and arrows it sees.

`INSTALL` installs it, run in the repository's folder; `FLOWC_MERMAID` names another folder that has `node_modules`.
It brings no browser: Mermaid's parser wants a document only to clean labels, and jsdom is one.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import pytest

from flowc.mermaid_text import plain
from tests.workspace import ROOT

INSTALL = "npm install --ignore-scripts --prefix .flowc/mermaid mermaid@11.17.2 jsdom@29.1.1"
"""One command; test_workflows.py holds the README and the workflow to it."""
FOLDER = Path(os.environ.get("FLOWC_MERMAID", ROOT / ".flowc" / "mermaid"))
_SCRIPT = """
import {readFileSync} from 'fs';
import {JSDOM} from 'jsdom';
globalThis.window = new JSDOM('').window;
globalThis.document = window.document;
const mermaid = (await import('mermaid')).default;
mermaid.initialize({startOnLoad: false, maxEdges: 100000});
const out = [];
for (const text of JSON.parse(readFileSync(0, 'utf8'))) {
  try {
    const {type, db} = await mermaid.mermaidAPI.getDiagramFromText(text);
    if (!type.startsWith('flowchart')) { out.push('another diagram: ' + type); continue; }
    const groups = db.getSubGraphs().map(s => s.id);
    const boxes = [...db.getVertices().values()].map(v =>
      [v.id, v.type ?? '', v.text == null ? null : String(v.text), v.labelType]);
    const arrows = db.getEdges().map(e => [e.start, e.end, e.type ?? '', e.stroke, e.text, e.labelType]);
    out.push({groups, boxes, arrows});
  } catch (e) { out.push(String(e.message)); }
}
console.log('\\nverdicts ' + JSON.stringify(out));
"""


class Seen(NamedTuple):
    """What Mermaid sees: boxes with their label, arrows with theirs, and how each arrow is drawn."""

    boxes: dict[str, str]
    arrows: list[tuple[str, str, str]]
    drawn: list[str]
    """`arrow_point`, `arrow_open` (a line), `double_arrow_point` and so on; an invisible link is `invisible`."""
    shapes: dict[str, str]
    groups: list[str]


def missing() -> str:
    """Say what is missing to ask Mermaid; empty when nothing is."""
    if shutil.which("node") is None:
        return "node is not installed"
    absent = [p for p in ("mermaid", "jsdom") if not (FOLDER / "node_modules" / p).is_dir()]
    return f"no npm package {' and '.join(absent)}; `{INSTALL}`" if absent else ""


needs_mermaid = pytest.mark.skipif(bool(missing()), reason=missing() or "nothing is missing")


def ask(texts: Sequence[str]) -> list[Seen | str]:
    """Give what Mermaid sees in each text, or its error."""
    done = subprocess.run(
        ["node", "--input-type=module", "-e", _SCRIPT],
        input=json.dumps(texts),
        capture_output=True,
        text=True,
        cwd=FOLDER,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    # Mermaid warns on the same stream, before and behind.
    verdicts = next(line for line in done.stdout.split("\n") if line.startswith("verdicts "))
    return [one if isinstance(one, str) else _seen(one) for one in json.loads(verdicts.removeprefix("verdicts "))]


def _seen(one: dict[str, list[list[str]]]) -> Seen:
    boxes = {name: _label(text, kind) if text is not None else name for name, _, text, kind in one["boxes"]}
    arrows = [(source, _label(text, kind), target) for source, target, _, _, text, kind in one["arrows"]]
    drawn = ["invisible" if stroke == "invisible" else kind for _, _, kind, stroke, _, _ in one["arrows"]]
    return Seen(boxes, arrows, drawn, {b[0]: b[1] for b in one["boxes"]}, [str(g) for g in one["groups"]])


def _label(text: str, kind: str) -> str:
    """Give a label as plain text, with the characters that Mermaid keeps in the place of `#`, `&` and `;`."""
    for theirs, ours in (("ﬂ°°", "#"), ("ﬂ°", "#"), ("¶ß", ";")):
        text = text.replace(theirs, ours)
    if kind == "markdown" and text[:1] == text[-1:] == "`":  # a Markdown string within the properties of a box
        text = text[1:-1]
    return plain(text, markdown=kind == "markdown")
