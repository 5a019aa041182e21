"""The flowchart that the report draws, with visits."""

from __future__ import annotations

from flowc.mermaid import flowchart
from tests.parcel import generation, graph


def test_the_diagram_shows_roles_hubs_endings_and_visits() -> None:
    values = generation()
    drawn = flowchart(graph(), values["node_visits"], values["edge_visits"], values["interrupt_visits"])
    assert drawn.splitlines()[:10] == [
        "flowchart TD",
        '    start((" ")) --> n0',
        '    n0("ask<br/>480"):::agent',
        '    n1[["find<br/>310"]]:::hub',
        '    n2(["end<br/>300"]):::success',
        '    n3(["lost<br/>0"]):::escalation',
        '    n0 -->|"the customer gives<br/>#34;the#34; code #38; #60;name#62;<br/>of…<br/>480"| n1',
        '    n1 -->|"found<br/>300"| n2',
        '    n1 -->|"none<br/>0"| n3',
        '    i0["at any point:<br/>the customer gives up<br/>7<br/>then lost"]:::interrupt',
    ]
    assert drawn.splitlines()[-2:] == [
        "    style n3 stroke-dasharray:4 3",
        "    linkStyle 3 stroke-dasharray:4 3",
    ]
