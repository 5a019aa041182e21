"""Where it fails: exact cells, what is summed up, and quotes that cannot break the page."""

from __future__ import annotations

from flowc.weak_spots import lead, quoted, weak_spots
from tests.parcel import examples, graph, row_of, scores

GRAPH = graph()


def test_the_worst_of_each_kind_stand_with_n_and_interval() -> None:
    page = weak_spots(scores(), GRAPH)
    assert row_of(page, "hub") == ["hub", "all", "50 decisions", "100 %"]
    assert row_of(page, "other node") == ["other node", "ask", "60 decisions", "95 % [90–100]"]
    assert row_of(page, "deviation") == ["deviation", "side question", "31 times", "90.3 % [80–97]"]
    slots = [line for line in page.splitlines() if line.startswith("| slot")]
    assert [[c.strip() for c in line.strip("|").split("|")] for line in slots] == [
        ["slot", "code", "40 values", "75 % [60–90]"],
        ["slot", "the other 1", "10 values", "100 %"],
    ]


def test_the_fourth_worst_is_summed_up_with_the_rest() -> None:
    many = scores()
    many["arms"]["compiled"]["by_node"] = {f"n{i}": {"n": 10, "right": i, "ci95": [0, 1]} for i in range(11)}
    page = weak_spots(many, GRAPH)
    assert [c in page for c in (" n0 |", " n1 |", " n2 |", " n3 |")] == [True, True, True, False]
    assert " the other 8 |" in page and "80 decisions" in page and "30 % or more |" in page


def test_the_sentence_names_the_worst_of_each_kind() -> None:
    assert lead(scores(), GRAPH) == (
        "**Where does it fail?** The least right of each kind, counted in 5 scenarios or more: other node ask 95 % "
        "[90–100] (n = 60 decisions); deviation side question 90.3 % [80–97] (n = 31 times); slot code 75 % [60–90] "
        "(n = 40 values)."
    )


def test_facts_have_rows_where_some_were_asked_for() -> None:
    asked = scores()
    asked["arms"]["compiled"]["by_fact"] = {"parking": {"n": 8, "right": 6, "ci95": [0.5, 1.0]}}
    page = weak_spots(asked, GRAPH)
    assert row_of(page, "fact") == ["fact", "parking", "8 answers", "75 % [50–100]"]
    assert lead(asked, GRAPH).endswith("; fact parking 75 % [50–100] (n = 8 answers).")
    assert "| fact" not in weak_spots(scores(), GRAPH)


def test_what_was_counted_a_few_times_does_not_lead() -> None:
    asked = scores()
    asked["arms"]["compiled"]["by_fact"] = {"parking": {"n": 4, "right": 0, "ci95": [0.0, 0.0]}}
    assert "fact" not in lead(asked, GRAPH)
    only = {"arms": {"compiled": {"by_fact": asked["arms"]["compiled"]["by_fact"]}}}
    assert lead(only, GRAPH) == "**Where does it fail?** Nowhere that was counted in 5 scenarios or more."


def test_what_few_scenarios_have_does_not_lead_however_often_each_was_played() -> None:
    asked = scores()
    counts = {"n": 12, "right": 9, "ci95": [0.5, 1.0], "clusters": 4}
    asked["arms"]["compiled"]["by_fact"] = {"parking": counts}
    assert "fact" not in lead(asked, GRAPH)
    assert row_of(weak_spots(asked, GRAPH), "fact")[2:] == ["12 answers", "75 % (4 scenarios)"]
    asked["arms"]["compiled"]["by_fact"] = {"parking": counts | {"clusters": 5}}
    assert "fact parking 75 % [50–100] (n = 12 answers)" in lead(asked, GRAPH)


def test_what_was_not_counted_is_not_measured() -> None:
    assert lead({"arms": {}}, GRAPH) == "**Where does it fail?** not measured."
    assert row_of(weak_spots({"arms": {}}, GRAPH), "slot") == ["slot", "—", "—", "not measured"]


def test_failures_are_quoted_with_their_step() -> None:
    said = quoted(examples(), 200).splitlines()
    assert said[0].startswith("1. **After find** the user said “&#60;/details&#62;&#124; &#96;x&#96;")
    assert "and the assistant answered “Sorry.”. Recovery: no recovery after &#60;/details&#62;" in said[0]
    assert said[0].endswith("The conversation failed (scenario s1, message 3).")
    assert said[1].startswith("2. **At the opening** the assistant began with a call of track(code&#61;A&#124;1). ")
    assert said[1].endswith("The conversation still succeeded (scenario s2, message 1).")
    assert quoted({}, 200) == "No conversation had a fault."
