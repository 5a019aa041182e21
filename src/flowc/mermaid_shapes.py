"""What Mermaid's shapes of boxes mean in a conversation; the names are those that Mermaid 11.17 takes in `@{shape: x}`.

A name with capitals or underscores is not among them, whatever older pages say: Mermaid refuses it.
"""

from __future__ import annotations

from typing import Literal

Meaning = Literal["step", "question", "tool", "round", "start", "end", "comment", "fork"]
"""round: a start or an end, which the arrows tell. comment: no box of the procedure. fork: several ways at once."""

_NAMES: dict[Meaning, str] = {
    "step": """
        rect proc process rectangle rounded event lean-r lean-right in-out
        lean-l lean-left out-in trap-b priority trapezoid-bottom trapezoid trap-t manual trapezoid-top
        inv-trapezoid text notch-rect card notched-rectangle lin-rect lined-rectangle lined-process
        lin-proc shaded-process hourglass collate bolt com-link lightning-bolt doc document delay
        half-rounded-rectangle curv-trap curved-trapezoid display div-rect div-proc divided-rectangle
        divided-process tri extract triangle win-pane internal-storage window-pane f-circ junction filled-circle
        notch-pent loop-limit notched-pentagon flip-tri manual-file flipped-triangle sl-rect manual-input
        sloped-rectangle docs documents st-doc stacked-document st-rect procs processes stacked-rectangle
        bow-rect stored-data bow-tie-rectangle cross-circ summary crossed-circle tag-doc tagged-document tag-rect
        tagged-rectangle tag-proc tagged-process flag paper-tape odd lin-doc lined-document
        state icon anchor ellipse bang cloud folder directory bucket console browser person
    """,
    "question": "diam decision diamond question hex hexagon prepare choice",
    "tool": """
        fr-rect subprocess subproc framed-rectangle subroutine cyl db database cylinder h-cyl das
        horizontal-cylinder lin-cyl disk lined-cylinder datastore data-store
    """,
    "round": "stadium terminal pill circle circ dbl-circ double-circle doublecircle",
    "start": "sm-circ start small-circle",
    "end": "fr-circ stop framed-circle",
    "comment": "brace comment brace-l brace-r braces note",
    "fork": "fork join",
}
SHAPES: dict[str, Meaning] = {name: meaning for meaning, names in _NAMES.items() for name in names.split()}
_WORDLESS = """
    sm-circ start small-circle fr-circ stop framed-circle f-circ junction filled-circle hourglass
    collate cross-circ summary crossed-circle bolt com-link lightning-bolt choice fork join anchor
"""
UNNAMED = frozenset({"ellipse"})
"""Shapes that only brackets draw."""
WORDLESS = frozenset(_WORDLESS.split())
"""Shapes that Mermaid draws without words: the id of such a box is never seen."""

BRACKETS: dict[str, tuple[tuple[str, str], ...]] = {
    "(((": ((")))", "dbl-circ"),),
    "((": (("))", "circle"),),
    "([": (("])", "stadium"),),
    "(-": (("-)", "ellipse"),),
    "[[": (("]]", "fr-rect"),),
    "[(": ((")]", "cyl"),),
    "[/": (("/]", "lean-r"), ("\\]", "trap-b")),
    "[\\": (("\\]", "lean-l"), ("/]", "trap-t")),
    "{{": (("}}", "hex"),),
    "[": (("]", "rect"),),
    "(": ((")", "rounded"),),
    "{": (("}", "diam"),),
    ">": (("]", "odd"),),
}
"""Opening bracket to its closing brackets, each with the shape's name; longer openings first."""
