"""Read a Graphviz drawing (DOT) into a Chart.

What a box is follows from its shape: a diamond is a question; component, cylinder, folder and box3d call a tool; a
double circle or octagon is an end, and so is a round box without an arrow out of it; every other shape is a step. A
round box or a point without an arrow into it is a start where nothing else tells it from a step: it is a point, has
no text, is called start or begin, or has been given a shape that no box in the middle of the drawing has.

Clusters are flattened, and their titles are left out. What is not drawn (`style=invis`) is left out too, and so is
a note beside the drawing: a box of plain text or of shape note that no arrow touches, with the lines without a head
that tie it to what it explains.
"""

from __future__ import annotations

import html
import re
from typing import NamedTuple

from flowc.chart import Arrow, Box, Chart, Kind
from flowc.dot_tokens import Document, Statement, Token, fail, read_document
from flowc.records import UserError


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


QUESTIONS = frozenset({"diamond", "Mdiamond"})
TOOLS = frozenset({"component", "cylinder", "folder", "box3d"})
ENDS = frozenset({"doublecircle", "doubleoctagon", "tripleoctagon"})
ROUND = frozenset({"ellipse", "oval", "circle", "egg", "Mcircle", "Msquare", "Mdiamond", "point"})
REMARKS = frozenset({"note", "plaintext", "plain", "none", "underline"})
STEPS = REMARKS | _words(
    """box rect rectangle square polygon Mrecord record tab house invhouse trapezium invtrapezium parallelogram
    triangle invtriangle pentagon hexagon septagon octagon star cds larrow rarrow lpromoter rpromoter"""
)
SHAPES = QUESTIONS | TOOLS | ENDS | ROUND | STEPS

STYLING = _words(
    """_background area arrowsize bb beautify bgcolor center charset class cluster clusterrank
    color colorscheme comment compound concentrate constraint Damping decorate defaultdist dim dimen
    diredgeconstraints distortion dpi edgehref edgetarget edgetooltip edgeURL epsilon esep fillcolor fixedsize
    fontcolor fontname fontnames fontpath fontsize forcelabels gradientangle group head_lp headclip headhref
    headport headtarget headtooltip headURL height href id image imagepath imagepos imagescale inputscale K key
    label_scheme labelangle labeldistance labelfloat labelfontcolor labelfontname labelfontsize labelhref labeljust
    labelloc labeltarget labeltooltip labelURL landscape layer layerlistsep layers layerselect layersep layout len
    levels levelsgap lhead lheight linelength lp ltail lwidth margin maxiter mclimit mindist minlen mode model
    newrank nodesep nojustify normalize notranslate nslimit nslimit1 oneblock ordering orientation outputorder
    overlap overlap_scaling overlap_shrink pack packmode pad page pagedir pencolor penwidth peripheries pin pos
    quadtree quantum radius rank rankdir ranksep ratio rects regular remincross repulsiveforce resolution root
    rotate rotation samehead sametail samplepoints scale searchsize sep shapefile showboxes sides size skew
    smoothing sortv splines start style stylesheet tail_lp tailclip tailhref tailport tailtarget tailtooltip tailURL
    target TBbalance tooltip truecolor URL vertices viewport voro_margin weight width xdotversion xlp z"""
)
"""Graphviz's attributes that say how and where to draw: left out. `style` is looked at for what is invisible."""

MEANING = {
    "graph": frozenset({"label", "name"}),
    "node": frozenset({"label", "shape", "xlabel"}),
    "edge": frozenset({"label", "xlabel", "headlabel", "taillabel", "dir", "arrowhead", "arrowtail"}),
}
"""The attributes that say something, for each kind of object; the name of a graph is of networkx's."""

TAGS = _words("b br font hr i img o s sub sup table td tr u vr")
"""The elements of Graphviz's HTML-like labels; the text between them is what counts."""

_CALLED_START = re.compile(r"(?:start|begin)\s*(?:[^\w\s].*)?$", re.IGNORECASE | re.DOTALL)
_ENTITY = r"&#?\w{1,32};"

MOST_ARROWS = 5000
"""`{a b c} -> {d e f}` draws every pair: nine arrows here, millions in a hostile file."""


class _Node(NamedTuple):
    token: Token
    attributes: dict[str, Token]


class _Edge(NamedTuple):
    source: str
    target: str
    token: Token
    attributes: dict[str, Token]


class _Scope(NamedTuple):
    """A graph or a subgraph: its nodes in the order of writing, and the defaults set in it."""

    members: dict[str, None]
    defaults: dict[str, dict[str, Token]]


class _Drawing(NamedTuple):
    document: Document
    file: str
    nodes: dict[str, _Node]
    edges: dict[tuple[str, str, int], _Edge]
    title: dict[str, Token]
    named: dict[str, _Scope]
    seen: dict[int, _Scope]


def read_dot(text: str, file: str, name: str) -> Chart:
    """Read the one digraph of a DOT file; `name` is the procedure's name.

    Raises UserError `file:line:column: what is wrong; remedy`: also for what has no direction, for an attribute or
    a shape that is not known, and for files of more than 20,000 words, which pydot takes too long for.
    """
    try:
        text.encode()
    except UnicodeEncodeError as e:
        line = text.count("\n", 0, e.start) + 1
        raise UserError(f"{file}:{line}: half of a character; save the file as UTF-8") from None
    document = read_document(text, file)
    drawing = _Drawing(document, file, {}, {}, {}, {}, {})
    _open(drawing, len(document.groups) - 1, [])
    graph_name = document.groups[-1].name or ""
    graph_name = graph_name or (drawing.title["name"].text if "name" in drawing.title else "")
    title = _label(drawing.title["label"], file, {"G": graph_name}) if "label" in drawing.title else ""
    edges = [_turned(edge, file) for edge in _without_remarks(drawing, _visible(drawing))]
    boxes = _boxes(drawing, edges, graph_name)
    if not boxes:
        raise UserError(f"{file}:1:1: no box is drawn; write digraph {{ a -> b }}")
    starts = [n for n, box in boxes.items() if box.kind == "start"]
    if len(starts) > 1:
        fail(file, drawing.nodes[starts[1]].token, f"{starts[1]!r} is a second start beside {starts[0]!r}; "
             "a conversation begins at one place, so lead one to the other or make it a box")  # fmt: skip
    arrows = tuple(
        Arrow(source=e.source, target=e.target, label=_edge_label(e, file, graph_name), line=e.token.line)
        for e in edges
    )
    for arrow in edges:
        if boxes[arrow.source].kind == "end":
            fail(file, arrow.token, f"an arrow leaves {arrow.source!r}, which is drawn as an end; remove the arrow, "
                 "or give the box another shape")  # fmt: skip
    return Chart(name=name, title=title or _collapse(graph_name), start=starts[0] if starts else None, boxes=boxes,
                 arrows=arrows)  # fmt: skip


def _open(drawing: _Drawing, number: int, around: list[_Scope]) -> _Scope:
    """Carry out the statements of a group once, and give its nodes."""
    if number in drawing.seen:
        return drawing.seen[number]
    tokens, (_, name, statements) = drawing.document.tokens, drawing.document.groups[number]
    scope = _Scope({}, {"node": {}, "edge": {}})
    if name is not None and around:
        scope = drawing.named.setdefault(name, scope)
    drawing.seen[number] = scope
    scopes = [*around, scope]
    for statement in statements:
        kind = statement.kind.strip("[]")
        given = _attributes(drawing, statement, kind if kind in MEANING else "graph")
        if kind == "graph" and not around:
            drawing.title.update(given)
        if statement.kind in ("[node]", "[edge]"):
            scope.defaults[kind].update(given)
        ends = [_members(drawing, end, scopes) for end in statement.ends]
        if statement.kind == "node":
            drawing.nodes[ends[0][0]].attributes.update(given)
        elif statement.kind == "edge":
            place = statement.ends[0]
            token = tokens[place] if place >= 0 else drawing.document.groups[-1 - place].brace
            pairs = [(source, target) for source in ends[0] for target in ends[1]]
            if len(drawing.edges) + len(pairs) > MOST_ARROWS:
                fail(drawing.file, token, f"the drawing has more than {MOST_ARROWS} arrows; split it")
            attributes = {**_defaults(scopes, "edge"), **given}
            for source, target in pairs:
                _connect(drawing, _Edge(source, target, token, attributes), given)
    return scope


def _connect(drawing: _Drawing, edge: _Edge, given: dict[str, Token]) -> None:
    # In a strict graph there is one edge for each pair of nodes, and what comes later is said of the same one.
    key = (edge.source, edge.target, 0 if drawing.document.strict else len(drawing.edges))
    if key in drawing.edges:
        drawing.edges[key].attributes.update(given)
    else:
        drawing.edges[key] = edge._replace(attributes=dict(edge.attributes))


def _members(drawing: _Drawing, end: int, scopes: list[_Scope]) -> list[str]:
    """Give the nodes that an endpoint stands for, made with the defaults of here where they are new."""
    if end < 0:
        members = list(_open(drawing, -1 - end, scopes).members)
    else:
        token = drawing.document.tokens[end]
        members = [token.text]
        if token.text not in drawing.nodes:
            drawing.nodes[token.text] = _Node(token, _defaults(scopes, "node"))
    for scope in scopes:
        scope.members.update(dict.fromkeys(members))
    return members


def _defaults(scopes: list[_Scope], kind: str) -> dict[str, Token]:
    out: dict[str, Token] = {}
    for scope in scopes:
        out.update(scope.defaults[kind])
    return out


def _attributes(drawing: _Drawing, statement: Statement, kind: str) -> dict[str, Token]:
    tokens = drawing.document.tokens
    out = {}
    for key, value in statement.attributes.items():
        name = tokens[key].text
        if name in MEANING[kind] or name == "style":
            out[name] = tokens[value]
        elif name not in STYLING:
            fail(drawing.file, tokens[key], f"{name!r} is not a known attribute of this {kind}; remove it or "
                 "check its spelling")  # fmt: skip
    return out


def _hidden(attributes: dict[str, Token]) -> bool:
    return "style" in attributes and "invis" in re.split(r"[\s,]+", attributes["style"].text)


def _visible(drawing: _Drawing) -> list[_Edge]:
    edges = [e for e in drawing.edges.values() if not _hidden(e.attributes)]
    for edge in edges:
        for end in edge[:2]:
            if _hidden(drawing.nodes[end].attributes):
                fail(drawing.file, edge.token, f"this arrow is drawn, but {end!r} is invisible; draw both or none")
    return edges


def _headless(edge: _Edge) -> Token | None:
    """Give the attribute because of which the edge is drawn as a line, if it is."""
    token = edge.attributes.get("dir")
    direction = token.text if token else ""
    head = edge.attributes.get({"back": "arrowtail", "forward": "arrowhead", "": "arrowhead"}.get(direction, ""))
    return token if direction == "none" else head if head and head.text == "none" else None


def _without_remarks(drawing: _Drawing, edges: list[_Edge]) -> list[_Edge]:
    """Leave out the lines to a note or a plain text that no arrow touches: it explains what they lead to.

    Not so where boxes that arrows touch have its shape: there it may be a step.
    """
    touched = {end for edge in edges if not _headless(edge) for end in edge[:2]}
    shapes = {end: _shape(drawing.nodes[end], drawing.file) for edge in edges for end in edge[:2]}
    remarks = REMARKS - {shapes[end] for end in touched}
    return [edge for edge in edges if not (_headless(edge) and remarks & {shapes[end] for end in edge[:2]})]


def _turned(edge: _Edge, file: str) -> _Edge:
    """Give the edge in the direction in which its head is drawn."""
    token = edge.attributes.get("dir")
    if (line := _headless(edge)) and line is not token:
        fail(file, line, "an arrow without a head leaves open which way the conversation goes; draw the head, or lead "
             "it to a box of shape note if it is a remark")  # fmt: skip
    if token is None or token.text in ("forward", ""):
        return edge
    if token.text == "back":
        return edge._replace(source=edge.target, target=edge.source)
    fail(file, token, f"dir={token.text} leaves open which way the conversation goes; write forward or back")


def _boxes(drawing: _Drawing, edges: list[_Edge], graph_name: str) -> dict[str, Box]:
    into, out = {e.target for e in edges}, {e.source for e in edges}
    nodes = {n: node for n, node in drawing.nodes.items() if not _hidden(node.attributes)}
    shapes = {n: _shape(node, drawing.file) for n, node in nodes.items()}
    middle = {shapes[n] for n in nodes if n in into and n in out}
    boxes: dict[str, Box] = {}
    for name, (token, attributes) in nodes.items():
        shape, written = shapes[name], attributes.get("label")
        if shape in REMARKS and name not in into | out:
            continue
        label = _collapse(name)
        if written:
            label = _label(written, drawing.file, {"N": name, "G": graph_name}, shape in ("record", "Mrecord"))
        if shape == "point":  # which Graphviz draws without its label
            label = ""
        if "xlabel" in attributes and attributes["xlabel"].text:
            fail(drawing.file, attributes["xlabel"], f"{name!r} has a text beside its box; put it into the label")
        called = _CALLED_START.fullmatch(name) or _CALLED_START.match(label)
        alone = "shape" in attributes and shape not in middle
        kind: Kind = "step"
        if shape in ENDS or (shape in ROUND and name in into - out):
            kind = "end"
        elif shape in ROUND and name in out - into and (not label or called or alone):
            kind = "start"
        elif shape in QUESTIONS:
            kind = "question"
        elif shape in TOOLS:
            kind = "tool"
        if not label and kind in ("step", "tool", "question"):
            fail(drawing.file, written or token, f"{name!r} has no text; write in its label what happens there")
        boxes[name] = Box(label=label, kind=kind, line=token.line)
    return boxes


def _shape(node: _Node, file: str) -> str:
    token = node.attributes.get("shape")
    if token is None or not token.text:
        return "ellipse"  # which is what Graphviz draws
    if token.text not in SHAPES:
        fail(file, token, f"the shape {token.text!r} is not known; use diamond for a question, box for a step, "
             "component for a tool, doublecircle for an end")  # fmt: skip
    return {"oval": "ellipse", "rect": "box", "rectangle": "box"}.get(token.text, token.text)


def _edge_label(edge: _Edge, file: str, graph_name: str) -> str:
    names = {"T": edge.source, "H": edge.target, "E": f"{edge.source}->{edge.target}", "G": graph_name}
    labels = {}
    for key in ("label", "xlabel", "taillabel", "headlabel"):
        if key in edge.attributes:
            labels[key] = _label(edge.attributes[key], file, names)
    written = [key for key, label in labels.items() if label]
    if len(written) > 1:
        fail(file, edge.attributes[written[1]], f"this arrow has a {written[0]} and a {written[1]}; write one label")
    return labels[written[0]] if written else ""


def _label(token: Token, file: str, names: dict[str, str], record: bool = False) -> str:
    """Give the plain text of a label; `names` are what `\\N`, `\\G` and so on stand for."""
    text = token.text
    if token.kind == "html":
        text = re.sub(r"<!--.*?-->", "", text[1:-1], flags=re.DOTALL)
        for tag in re.findall(r"</?\s*([^\s/>]*)", text):
            if tag.lower() not in TAGS:
                fail(file, token, f"<{tag[:40]}> is not an element of Graphviz's labels; remove it")
        text = re.sub(r"</?\s*(?:br|hr|vr|td|tr|table)\b[^>]*>", " ", text, flags=re.IGNORECASE)
        return _collapse(_entities(re.sub(r"<[^>]*>", "", text)))
    if record:  # fields `{a|<port> b}`: bars and braces part them, ports are names
        text = re.sub(r"(?<!\\)<[^<>]*>|(?<!\\)[{}|]", " ", text)

    def spelled(found: re.Match[str]) -> str:
        if found[1] is None:
            return _entities(found[0])
        return " " if found[1] in "nlr\n" else names.get(found[1], found[1])

    return _collapse(re.sub(rf"\\(.)|{_ENTITY}", spelled, text, flags=re.DOTALL))


def _entities(text: str) -> str:
    return re.sub(_ENTITY, lambda found: html.unescape(found[0]), text)


def _collapse(text: str) -> str:
    return " ".join(text.split())
