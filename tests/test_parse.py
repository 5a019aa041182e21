"""Every mistake in a procedure is named with file, line and remedy; comments and layout leave no trace."""

from __future__ import annotations

import json
import re

import pytest

from flowc.graph import Graph, hubs, terminals
from flowc.lint import lint
from flowc.parse import Mistakes, parse_procedure
from flowc.records import UserError
from tests.example import TEXT
from tests.workspace import ROOT


def canonical(text: str) -> str:
    return json.dumps(parse_procedure(text, "table.yaml").model_dump(mode="json"), sort_keys=True)


def mistake(old: str, new: str) -> tuple[str, str]:
    """The message for the example with one edit, and the edited text."""
    assert old in TEXT, old
    text = TEXT.replace(old, new, 1)
    with pytest.raises(UserError) as raised:
        parse_procedure(text, "some/table.yaml")
    return str(raised.value), text


MISTAKES = {
    "a dangling edge": (
        "to: ask_guests",
        "to: ask_gests",
        "to: ask_gests",
        "edge ask_day.day goes to 'ask_gests', which does not exist; known are ask_budget, ask_day, ",
    ),
    "an unreachable ending": (
        "  hand_over:\n",
        "  lost:\n    role: agent\n    instruction: x\n    say: [Bye.]\n    terminal: success\n  hand_over:\n",
        "  lost:",
        "ending 'lost' is unreachable from 'ask_day'; add an edge to it or remove it",
    ),
    "an unreachable node": (
        "  hand_over:\n",
        "  lost:\n    role: agent\n    instruction: x\n    say: [Bye.]\n"
        "    edges: [{id: on, to: done}]\n  hand_over:\n",
        "  lost:",
        "node 'lost' is unreachable from 'ask_day'; add an edge to it or remove it",
    ),
    "an undefined slot in a phrase": (
        '"Fine, {day} it is."',
        '"Fine, {dya} it is."',
        "{dya}",
        "phrase 'Fine, {dya} it is.': slot 'dya' is not defined; add it under `slots` or correct the name (known are",
    ),
    "a key given twice": (
        "title: Table reservation\n",
        "title: Table reservation\ntitle: Another\n",
        "title: Another",
        "'title' is given twice; remove one",
    ),
    "an unknown key": (
        "start: ask_day",
        "start: ask_day\nbegin: ask_day",
        "begin: ask_day",
        "begin: unknown key; remove it or check its spelling",
    ),
    "an unknown key deep inside": (
        "    terminal: abandonment",
        "    terminl: abandonment",
        "terminl",
        "nodes.goodbye.terminl: unknown key; did you mean 'terminal'?",
    ),
    "invalid YAML": (
        "title: Table",
        "title: Table: two",
        "title: Table: two",
        "not valid YAML: mapping values are not allowed here; put text with a colon in it in quotes, or check",
    ),
    "a tab": (
        "  hand_over:\n    role: agent",
        "  hand_over:\n\trole: agent",
        "\trole: agent",
        "not valid YAML: found character '\\t' that cannot start any token; indent with spaces, not with tabs",
    ),
    "text that begins with a star": (
        "title: Table reservation",
        "title: *Table* reservation",
        "title:",
        "not valid YAML: expected alphabetic or numeric character, but found '*'; put text that begins with * or & in",
    ),
    "a bracket that is not closed": (
        '"Now, on which day will you come?"]',
        '"Now, on which day will you come?"',
        "re:edges:",
        "not valid YAML: expected ',' or ']', but got '<scalar>'; check quotes and indentation",
    ),
    "a second document": (
        "knowledge:\n",
        "---\nknowledge:\n",
        "---",
        "not valid YAML: but found another document; leave one document, without ---",
    ),
    "a language that is not two letters": (
        "title: Table",
        "language: english\ntitle: Table",
        "language:",
        "language: must be two letters, as in en",
    ),
    "a bank that is too small": (
        'asks: ["Where can I park?", "Is there parking?", "What does parking cost?", "Can we park nearby?"]',
        'asks: ["Where can I park?"]',
        "asks:",
        "knowledge.parking.asks: has too few entries; write 2 or more",
    ),
    "a character that YAML forbids": (
        "title: Table",
        "title: \x01Table",
        "title:",
        "the character #x0001 is not allowed; remove it",
    ),
    "a missing key": ("start: ask_day\n", "", "procedure:", "start: is missing; add it, docs/procedure.md"),
    "a key that is misspelt": (
        "title: Table",
        "titel: Table",
        "titel:",
        "titel: unknown key; did you mean 'title'?",
    ),
    "a key of a slot's dates that is misspelt": (
        "days: 300",
        "day: 300",
        "day: 300",
        "slots.day.date.day: unknown key; did you mean 'days'?",
    ),
    "text where a list belongs": (
        'again: ["So, for which day?", "Now, on which day will you come?"]',
        "again: So, for which day?",
        "again: So",
        "nodes.ask_day.again: must be a list; put it in brackets, or each item on a line of its own behind `- `",
    ),
    "a slot in braces without quotes": (
        'says: ["{day}", ',
        "says: [{day}, ",
        "says: [{day}",
        "nodes.ask_day.edges.0.says.0: must be text; put it in quotes",
    ),
    "a key without a value": (
        "title: Table reservation",
        "title:",
        "title:",
        "title: has no value; write one behind the colon",
    ),
    "more than a name in braces": (
        '"On {day}."',
        '"On {day!r}."',
        "{day!r}",
        "phrase 'On {day!r}.' has more than a name in braces; write {day}",
    ),
    "a wrong type": (
        "terminal: abandonment",
        "terminal: lost",
        "terminal: lost",
        "nodes.goodbye.terminal: must be 'success', 'abandonment' or 'escalation'; see docs/procedure.md",
    ),
    "a dead end": (
        "    terminal: abandonment\n",
        "",
        "  goodbye:",
        "node 'goodbye' is a dead end; give it an edge, or `terminal: success|abandonment|escalation`",
    ),
    "a terminal with edges": (
        "    terminal: abandonment\n",
        "    terminal: abandonment\n    edges: [{id: on, to: done}]\n",
        "  goodbye:",
        "terminal 'goodbye' has edges; remove them or `terminal`",
    ),
    "a loop without a way out": (
        "    terminal: abandonment\n",
        "    edges: [{id: on, to: goodbye, says: [Bye.]}]\n",
        "  goodbye:",
        "no ending can be reached from 'goodbye'; give its loop a way out",
    ),
    "an outcome without an edge": (
        "      - {id: full, to: ask_budget, outcome: full, renews: {budget: higher}}\n",
        "",
        "re:  find_table:\n    role",
        "tool node 'find_table' has no edge for outcome 'full'; add one",
    ),
    "an edge for an outcome that the tool has not": (
        "outcome: full,",
        "outcome: empty,",
        "outcome: empty",
        "tool 'find_table' has no outcome 'empty'; known are found, full",
    ),
    "an edge of a tool node without an outcome": (
        ", outcome: found}",
        "}",
        "{id: found, to: offer}",
        "edge find_table.found leaves a tool node; say for which `outcome`",
    ),
    "a user who speaks to a tool": (
        "outcome: found}",
        "outcome: found, says: [Hello]}",
        "says: [Hello]",
        "edge find_table.found leaves a tool node, where no user speaks; remove its `says`",
    ),
    "an outcome behind an agent": (
        "{id: accept, to: done,",
        "{id: accept, outcome: full, to: done,",
        "{id: accept",
        "edge offer.accept has an outcome, but 'offer' is no tool node",
    ),
    "a tool node that calls nothing known": (
        "    calls: find_table",
        "    calls: find_tabel",
        "find_tabel",
        "tool node 'find_table' calls 'find_tabel'; known are find_table",
    ),
    "an agent that calls a tool": (
        "    terminal: abandonment\n",
        "    terminal: abandonment\n    calls: find_table\n",
        "re:(?<=abandonment\n)    calls",
        "node 'goodbye' has role agent; only a tool node calls a tool",
    ),
    "phrases of an edge with other slots": (
        '"For {guests}."',
        '"For {guests} on {day}."',
        "For {guests} on",
        "this phrase mentions ['day', 'guests'], but the first of the bank mentions ['guests']; all phrases",
    ),
    "a phrase without the edge's slot": (
        '"For {guests}."',
        '"For many."',
        "For many.",
        "this phrase mentions [], but the first of the bank mentions ['guests']; all phrases of an edge give the same",
    ),
    "a wrong file name": (
        "procedure: table",
        "procedure: tables",
        "procedure: tables",
        "procedure 'tables' must have the file's name, 'table'",
    ),
    "a start that does not exist": (
        "start: ask_day",
        "start: greet",
        "start: greet",
        "start names the node 'greet', which does not exist; known are ask_budget,",
    ),
    "a name with a space": (
        "  parking:",
        "  the parking:",
        "the parking",
        "'the parking' is not a name; use letters, digits and underscores",
    ),
    "a tool's argument without a slot": (
        "{day: day, guests",
        "{day: date, guests",
        "day: date, guests",
        "slot 'date' is not defined; add it under `slots` or correct the name (known are budget, day, deposit, ",
    ),
    "an outcome that returns an unknown slot": (
        "found: [place, deposit]",
        "found: [places, deposit]",
        "found: [places",
        "slot 'places' is not defined; add it under `slots`",
    ),
    "an outcome that returns what the user tells": (
        "found: [place, deposit]",
        "found: [place, deposit, day]",
        "found: [place",
        "slot 'day' is told by the user; add `source: tool` to it",
    ),
    "a user who tells what only a tool knows": (
        '["Yes.", "Yes, please.", "Gladly.", "Take it."]',
        '["{place}.", "Yes, {place}."]',
        "{id: accept",
        "slot 'place' comes from a tool, so a user cannot tell it; take it out",
    ),
    "a renewed slot that does not exist": (
        "renews: {budget: lower}",
        "renews: {buget: lower}",
        "buget",
        "slot 'buget' is not defined",
    ),
    "a direction for what is no number": (
        "renews: {budget: lower}",
        "renews: {guests: lower}",
        "guests: lower",
        "slot 'guests' has no numbers to go lower; write `any`",
    ),
    "two edges with one id": (
        "{id: decline,",
        "{id: accept,",
        "{id: accept, to: goodbye",
        "node 'offer' has two edges with the id 'accept'; rename one",
    ),
    "an edge that nobody speaks beside one that the user speaks": (
        "{id: decline, to: goodbye, when: the guest declines, "
        'says: ["No.", "No, thanks.", "Not for us.", "Leave it."]}',
        "{id: decline, to: goodbye}",
        "  offer:",
        "node 'offer' mixes edges that the user speaks with edges without `says`; give each a bank",
    ),
    "an agent without words": (
        'say: ["Nothing is reserved, goodbye.", "All right, no reservation then. Goodbye.", '
        '"Goodbye, nothing was reserved."]',
        "say: []",
        "  goodbye:",
        "agent node 'goodbye' has nothing to say; give it `say`, a bank of phrasings",
    ),
    "two generators": (
        "    values: [Red",
        '    code: "##"\n    values: [Red',
        "  place:",
        "slot 'place' has values and code; give exactly one of values, join, date, number, code, share_of",
    ),
    "nothing to invent from": (
        "source: tool, share_of: budget, low: 0.1, high: 0.5, format",
        "invent: 0.5, source: tool, share_of: budget, low: 0.1, high: 0.5, format",
        "  deposit:",
        "slot 'deposit' has no pool to invent from; give `values` or `join` four or more values, or take `invent` out",
    ),
    "no generator": (
        "source: tool, share_of: budget, low: 0.1, high: 0.5, format",
        "source: tool, low: 0.1, high: 0.5, format",
        "  deposit:",
        "slot 'deposit' has no generator; give exactly one of values,",
    ),
    "a share of what is no number": (
        "share_of: budget",
        "share_of: guests",
        "share_of: guests",
        "share_of names 'guests', which is not a slot of numbers",
    ),
    "a share that the user tells": (
        "  place:\n",
        "  half: {share_of: budget}\n  place:\n",
        "share_of",
        "slot 'half' is a share, which only a tool can tell; add `source: tool`",
    ),
    "a pool of one value": (
        "[two, three, four, five, six, seven, eight, nine, ten, eleven, twelve, thirteen, fourteen, fifteen]",
        "[two]",
        "values: [two]",
        "slot 'guests' has one value; give at least two, or write it out",
    ),
    "a code that never varies": (
        "  place:\n",
        "  seat: {source: tool, code: AB}\n  place:\n",
        "code: AB",
        "code 'AB' never varies; write @ for a letter, # for a digit",
    ),
    "a day that is no date": (
        'start: "2027-03-01"',
        "start: soon",
        "start: soon",
        "slots.day.date.start: must be",
    ),
    "a date in an unknown format": (
        '"%Y-%m-%d"]',
        '"%Y-%j"]',
        "%j",
        "slots.day.date.formats.1: '%Y-%j' does not write a date; use %-d, %d, ",
    ),
    "a number in an unknown format": (
        '"{n} dollars"',
        '"{m} dollars"',
        "{m}",
        "slots.budget.number.formats.1: '{m} dollars' does not write a number; use {n} or {n:,} once in it",
    ),
    "a range upside down": (
        "low: 40, high: 900",
        "low: 900, high: 40",
        "low: 900",
        "slots.budget.number: low is 900 and high is 40; exchange them",
    ),
    "a brace that is left open": (
        '"Up to {budget}."',
        '"Up to {budget."',
        "{budget.",
        "phrase 'Up to {budget.': expected '}' before end of string; braces are for slots, as in {city}",
    ),
    "an empty phrase": ('"My dog barks."', '" "', '" "', "an empty phrase; remove it"),
    "a phrase that stands twice": (
        '"What a day."',
        '"My dog barks."',
        "My dog barks.",
        "phrase 'My dog barks.' stands twice in its bank; remove one",
    ),
    "a mention without its slot": (
        '"the day is {day}"',
        '"the day is fixed"',
        "the day is fixed",
        "phrase 'the day is fixed' does not mention {day}; put it in",
    ),
    "a mention of another slot too": (
        '"we are {guests}"',
        '"we are {guests} on {day}"',
        "we are {guests} on",
        "phrase 'we are {guests} on {day}' mentions 'day', whose value may not be known when it is said; take it out",
    ),
    "an answer with a slot": (
        '"You can park for 7 euros."',
        '"Near {place} for 7 euros."',
        "Near {place}",
        "phrase 'Near {place} for 7 euros.' mentions 'place', whose value may not be known when it is said",
    ),
    "an answer without its fact": (
        '"You can park for 7 euros."',
        '"You can park for 8 euros."',
        "8 euros",
        "the answer lacks '7 euros', which `must` asks for",
    ),
    "an interrupt to nowhere": (
        "to: hand_over",
        "to: nobody",
        "to: nobody",
        "interrupt 'human' goes to 'nobody', which does not exist; known are",
    ),
    "an interrupt that neither goes nor speaks": (
        "    to: hand_over\n",
        "",
        "  human:",
        "interrupt 'human' needs either `to` (a node) or `say` (and resume)",
    ),
    "a value stated where an interrupt may lead before it is known": (
        '"A colleague will help you."',
        '"A colleague will help you with {place}."',
        "with {place}",
        "phrase 'A colleague will help you with {place}.' needs 'place', which is not known on every way here; ask for",
    ),
    "a call before its arguments are known": (
        "{day: day, guests: guests,",
        "{day: day, guests: place,",
        "re:    calls: find_table",
        "tool 'find_table' needs 'place', which is not known on every way here; ask for it before, or take it out",
    ),
}


def line_of(text: str, marker: str) -> int:
    """The line of the first match; a marker is plain, or an expression behind `re:`."""
    expression = marker[3:] if marker.startswith("re:") else re.escape(marker)
    found = re.search(expression, text)
    assert found, marker
    return text.count("\n", 0, found.start()) + 1


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_named_with_file_line_and_remedy(name: str) -> None:
    old, new, marker, expected = MISTAKES[name]
    message, text = mistake(old, new)
    assert message.startswith(f"some/table.yaml:{line_of(text, marker)}: {expected}")


def test_all_mistakes_of_a_kind_are_told_at_once_in_the_order_of_their_lines() -> None:
    keys = TEXT.replace("title: Table reservation", "titel: Table").replace("role: agent", "roll: agent", 1)
    with pytest.raises(Mistakes) as raised:
        parse_procedure(keys.replace("terminal: escalation", "terminal: person"), "table.yaml")
    assert [line.split(": error: ")[1] for line in raised.value.lines] == [
        "titel: unknown key; did you mean 'title'?",
        "nodes.ask_day.roll: unknown key; did you mean 'role'?",
        "nodes.hand_over.terminal: must be 'success', 'abandonment' or 'escalation'; see docs/procedure.md for what "
        "belongs here",
    ]
    names = TEXT.replace("calls: find_table", "calls: find_tabel").replace('"{day}", ', '"{dya}", ', 1)
    names = names.replace("to: goodbye, when", "to: godbye, when").replace("start: ask_day", "start: ask_dya")
    with pytest.raises(Mistakes) as raised:
        parse_procedure(names, "table.yaml")
    assert [(int(line.split(":")[1]), line.split(": error: ")[1].split(";")[0]) for line in raised.value.lines] == [
        (line_of(names, "start:"), "start names the node 'ask_dya', which does not exist"),
        (line_of(names, "{dya}"), "phrase '{dya}': slot 'dya' is not defined"),
        (line_of(names, "calls:"), "tool node 'find_table' calls 'find_tabel'"),
        (line_of(names, "to: godbye"), "edge offer.decline goes to 'godbye', which does not exist"),
    ]
    assert str(raised.value) == raised.value.lines[0].replace(" error:", "")


def test_words_before_a_tool_that_nobody_answers_are_refused() -> None:
    moment = "  moment: {role: agent, instruction: x, say: [One moment.], edges: [{id: on, to: find_table}]}\n"
    moment += "  find_table:\n"
    text = TEXT.replace("to: find_table", "to: moment").replace(
        "nodes:\n", f"nodes:\n{moment[: moment.index('  find')]}"
    )
    with pytest.raises(UserError) as raised:
        parse_procedure(text, "table.yaml")
    assert str(raised.value).startswith(
        f"table.yaml:{line_of(text, '  moment:')}: agent node 'moment' speaks, but nobody answers before a tool"
    )


def test_a_share_of_what_may_not_be_known_yet_is_refused() -> None:
    text = TEXT.replace("to: ask_budget\n", "to: find_table\n").replace(", budget: budget}", "}")
    with pytest.raises(UserError) as raised:
        parse_procedure(text, "table.yaml")
    assert str(raised.value).startswith(
        f"table.yaml:{line_of(text, 'found: [place')}: slot 'deposit' needs 'budget', which is not known on every way"
    )


def test_a_procedure_that_never_ends_says_so() -> None:
    text = re.sub(r"    terminal: \w+\n", "    edges: [{id: on, to: ask_day, says: [On.]}]\n", TEXT)
    with pytest.raises(UserError) as raised:
        parse_procedure(text, "table.yaml")
    assert str(raised.value).startswith(
        f"table.yaml:{line_of(text, 'nodes:')}: no node is terminal; give at least one node `terminal: success`"
    )


def test_an_empty_file_says_where_to_begin() -> None:
    with pytest.raises(UserError, match=r"^table.yaml:1: the procedure is empty; docs/procedure.md shows"):
        parse_procedure("# nothing yet\n", "table.yaml")


def test_a_list_is_no_procedure() -> None:
    with pytest.raises(UserError, match=r"^table.yaml:1: the document: must be keys with values; check"):
        parse_procedure("- one\n- two\n", "table.yaml")


def test_yes_and_no_and_on_are_words() -> None:
    text = TEXT.replace('["Yes.", "Yes, please."', "[Yes, No").replace("id: accept", "id: on")
    edge = parse_procedure(text, "table.yaml").nodes["offer"].edges[0]
    assert (edge.id, edge.says[:2]) == ("on", ("Yes", "No"))


def test_comments_and_layout_leave_the_canonical_bytes_alone() -> None:
    commented = "# first\n" + TEXT.replace("slots:\n", "\n# all slots\nslots:   # here\n").replace(
        'say: ["Welcome! For which day?", ', "say:\n      - 'Welcome! For which day?'\n      - "
    ).replace('"Hello, on which day will you come?", "Good evening, what day suits you?",\n          ',
              '"Hello, on which day will you come?"\n      - Good evening, what day suits you?\n      - ').replace(
        '"Hello! Which day shall I reserve?"]', '"Hello! Which day shall I reserve?"'
    )  # fmt: skip
    assert commented != TEXT
    assert canonical(commented) == canonical(TEXT)


def test_another_word_changes_the_canonical_bytes() -> None:
    assert canonical(TEXT.replace("Gladly.", "Sure.")) != canonical(TEXT)


def test_anchors_and_aliases_are_values() -> None:
    text = TEXT.replace("again: [", "again: &again [", 1)
    assert canonical(text) == canonical(TEXT)


def test_a_graph_survives_its_json() -> None:
    graph = parse_procedure(TEXT, "table.yaml")
    assert Graph.model_validate_json(graph.model_dump_json()) == graph


def test_the_smallest_procedure_of_the_documentation_is_one() -> None:
    example = (ROOT / "docs/procedure.md").read_text(encoding="utf-8").split("```yaml\n")[1].split("```")[0]
    graph = parse_procedure(example, "opening_hours.yaml")
    assert (hubs(graph), terminals(graph)) == ([], ["answer", "goodbye"])
    assert [f.code for f in lint(graph) if f.code != "small-bank"] == []


def test_the_shipped_procedure_has_the_promised_shape(travel: Graph) -> None:
    assert len(travel.nodes) == 14
    assert hubs(travel) == ["confirm_details", "present_offer", "search_trips"]
    assert {travel.nodes[n].terminal for n in terminals(travel)} == {"success", "abandonment", "escalation"}
    spoken = [e for n in travel.nodes.values() for e in n.edges if n.role == "agent"]
    assert min(len(e.says) for e in spoken) >= 12
    assert min(len(n.say) for n in travel.nodes.values() if n.role == "agent") >= 6
