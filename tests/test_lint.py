"""Lint names everything that is wrong with a procedure or will make it work badly, in time that grows with its size."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest

from flowc.checks import Finding
from flowc.from_chart import draft_of
from flowc.graph import Edge, Graph, Node, Slot
from flowc.lint import lint
from flowc.parse import parse_procedure, read_procedure
from flowc.paths import Statistics, acyclic_paths, components, longest, statistics, written
from flowc.read_mermaid import read_mermaid
from flowc.records import UserError, run_stage
from scripts.lint import findings, main
from tests.example import TEXT

SIZE = 2000


def found(text: str) -> list[tuple[str, str, str, str]]:
    """Code, severity, line's text and message of each finding but on small banks, which the example is full of."""
    draft = read_procedure(text, "table.yaml")
    lines = text.splitlines()
    return [
        (f.code, f.severity, lines[draft.source.line(f.loc) - 1].strip()[:24], f.message)
        for f in lint(draft.graph)
        if f.code != "small-bank"
    ]


def edited(*edits: tuple[str, str]) -> str:
    text = TEXT
    for old, new in edits:
        assert old in text, old
        text = text.replace(old, new, 1)
    return text


LOST = "  lost:\n    role: agent\n    instruction: x\n    say: [Bye.]\n"
CASES = {
    "an unreachable node": (
        ("  hand_over:\n", LOST + "    edges: [{id: on, to: done}]\n  hand_over:\n"),
        [("unreachable-node", "error", "lost:", "node 'lost' is unreachable from 'ask_day'")],
    ),
    "an ending that no path reaches": (
        ("  hand_over:\n", LOST + "    terminal: success\n  hand_over:\n"),
        [("unreachable-ending", "error", "lost:", "ending 'lost' is unreachable from 'ask_day'")],
    ),
    "a dead end": (
        ("    terminal: abandonment\n", ""),
        [("dead-end", "error", "goodbye:", "node 'goodbye' is a dead end")],
    ),
    "a loop without a way out": (
        ("    terminal: abandonment\n", "    edges: [{id: on, to: goodbye, says: [Bye.]}]\n"),
        [("endless-loop", "error", "goodbye:", "no ending can be reached from 'goodbye'")],
    ),
    "two edges that share phrases": (
        ('"Too much."', '"yes please!", "gladly", "Too much."'),
        [
            (
                "overlap",
                "error",
                'says: ["yes please!", "g',
                "edge offer.cheaper and edge offer.accept share the phrase 'yes please!' and 1 more",
            )
        ],
    ),
    "an edge and an interrupt that share a phrase": (
        ('"Too much."', '"I want a Human"'),
        [
            (
                "overlap",
                "error",
                'says: ["I want a Human",',
                "edge offer.cheaper and interrupt human share the phrase 'I want a Human'",
            )
        ],
    ),
    "an interrupt and a question that share a phrase": (
        ('"Where can I park?"', '"it rains again"'),
        [
            (
                "overlap",
                "error",
                'asks: ["it rains again",',
                "question parking and interrupt off_topic share the phrase 'it rains again'",
            )
        ],
    ),
    "yes without no": (
        ('"No.", "No, thanks.", ', ""),
        [("missing-branch", "warning", "offer:", "node 'offer' understands 'yes', but no edge takes a plain 'no'")],
    ),
    "no without yes": (
        ('"Yes.", "Yes, please.", ', ""),
        [("missing-branch", "warning", "offer:", "node 'offer' understands 'no', but no edge takes a plain 'yes'")],
    ),
    "a loop that renews nothing": (
        ("outcome: full, renews: {budget: higher}}", "outcome: full}"),
        [
            (
                "asked-twice",
                "warning",
                'says: ["{budget}", "Up t',
                "'ask_budget' asks for 'budget' in a loop whose edges renew nothing",
            )
        ],
    ),
    "a slot that is asked for by two nodes of a path": (
        ('"Yes.", "Yes, please.", "Gladly.", "Take it."', '"Yes for {guests}.", "Take it for {guests}."'),
        [
            (
                "asked-twice",
                "warning",
                "- {id: accept, to: done,",
                "'offer' asks for 'guests', which 'ask_guests' may have asked for before",
            ),
        ],
    ),
    "a slot used before it is known": (
        ('"What may it cost?"', '"What may {place} cost?"'),
        [
            (
                "unknown-slot",
                "error",
                'say: ["What may {place} ',
                "phrase 'What may {place} cost?' needs 'place', which is not known on every way here",
            )
        ],
    ),
    "an argument that nobody tells": (
        ("arguments: {day: day,", "arguments: {seat: seat, day: day,"),
        [("unprovided-argument", "error", "calls: find_table", "tool 'find_table' needs 'seat', which nobody tells")],
    ),
    "a tool that is never called": (
        ("tools:\n", "tools:\n  ring: {arguments: {day: day}, outcomes: {ok: []}}\n"),
        [("uncalled-tool", "warning", "ring: {arguments: {day: ", "no node calls the tool 'ring'")],
    ),
    "a slot that is asked for and never used": (
        ("{day: day, guests: guests, budget", "{day: day, budget"),
        [("unused-slot", "warning", "guests:", "slot 'guests' is asked for or returned, but never said or passed to ")],
    ),
    "a slot that nobody needs": (
        ("slots:\n", "slots:\n  spare: {values: [a, b]}\n"),
        [("unused-slot", "warning", "spare: {values: [a, b]}", "slot 'spare' is never said or passed to a tool")],
    ),
    "two nodes that say the same": (
        ('"And for how many people?"', '"WELCOME - for which day"'),
        [
            (
                "shared-phrase",
                "warning",
                'say: ["How many guests w',
                "'ask_guests' and 'ask_day' both say 'WELCOME - for which day'",
            )
        ],
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_what_is_to_be_mended_is_found_with_its_line_and_nothing_else(case: str) -> None:
    edit, expected = CASES[case]
    text = edited(edit)
    if "seat" in edit[1]:
        text = text.replace("slots:\n", "slots:\n  seat: {values: [a, b]}\n", 1)
    got = found(text)
    assert [g[:3] for g in got] == [e[:3] for e in expected]
    for (_, _, _, message), (_, _, _, wanted) in zip(got, expected, strict=True):
        assert message.startswith(wanted)


def test_the_example_has_nothing_but_small_banks() -> None:
    assert found(TEXT) == []
    small = {f.message for f in lint(parse_procedure(TEXT, "table.yaml"))}
    assert "node 'offer' has 3 agent phrases, too few for a fair held-out test" in small
    assert "edge offer.accept has 4 user phrases, too few for a fair held-out test" in small
    assert len(small) == 13


@pytest.mark.parametrize("count", [11, 12])
def test_twelve_user_phrases_are_enough(count: int) -> None:
    says = ", ".join(f"Answer {i}" for i in range(count))
    text = edited(('["Yes.", "Yes, please.", "Gladly.", "Take it."]', f"[{says}]"))
    places = [f.loc for f in lint(parse_procedure(text, "table.yaml")) if f.code == "small-bank"]
    assert (("nodes", "offer", "edges", 0, "says") in places) == (count == 11)


def test_slots_of_the_same_values_are_heard_alike() -> None:
    text = edited(
        ("slots:\n", "slots:\n  spot: {values: &spots [a, b, c]}\n  seat: {values: *spots}\n"),
        ('"Yes.", "Yes, please.", "Gladly.", "Take it."', '"{spot}"'),
        ('"No.", "No, thanks.", "Not for us.", "Leave it."', '"{seat}!"'),
    )
    assert [f[3] for f in found(text) if f[0] == "overlap"] == [
        "edge offer.decline and edge offer.accept share the phrase '{seat}!'"
    ]


@pytest.mark.parametrize(
    ("one", "other", "alike"),
    [
        ("-1", "+1", False), ("$100", "100%", False), ("$ 100", "$100.", True), ("100 €", "$100", False),
        ("18+", "18", False), ("5-10", "5 10", True), ("Well - 5", "well, 5", True), ("a+b", "a b", True),
    ],
)  # fmt: skip
def test_the_signs_at_a_number_are_heard(one: str, other: str, alike: bool) -> None:
    text = edited(('"Yes.", "Yes, please.", "Gladly.", "Take it."', f'"{one}"'),
                  ('"No.", "No, thanks.", "Not for us.", "Leave it."', f'"{other}"'))  # fmt: skip
    assert [f[0] for f in found(text) if f[0] == "overlap"] == ["overlap"] * alike


def test_an_interrupt_that_says_no_is_a_branch() -> None:
    text = edited(('"No.", "No, thanks.", ', ""), ('"My dog barks."', '"No, my dog barks."'))
    assert found(text) == []


@pytest.mark.parametrize(("phrases", "codes"), [("No idea.|No more luck.", []), ("No, thank you.", ["missing-branch"])])
def test_no_idea_is_no_plain_no(phrases: str, codes: list[str]) -> None:
    yes = ('"Yes.", "Yes, please.", "Gladly.", "Take it."', '"Gladly."')
    no = ('"No.", "No, thanks.", "Not for us.", "Leave it."', ", ".join(f'"{p}"' for p in phrases.split("|")))
    assert [f[0] for f in found(edited(yes, no))] == codes


def test_what_depends_on_the_language_is_found_in_the_language_of_the_procedure() -> None:
    german = ("title: Table reservation\n", "title: Tischreservierung\nlanguage: de\n")
    yes = ('says: ["Yes.", "Yes, please.", "Gladly.", "Take it."]', 'says: ["Ja.", "Ja, bitte.", "Gern.", "Gut."]')
    no = ('says: ["No.", "No, thanks.", "Not for us.", "Leave it."]', 'says: ["Lieber nicht.", "Danke, das war es."]')
    dates = "slot 'day' writes %B in English, in a procedure in 'de'"
    assert found(edited(german, yes, no)) == [
        ("missing-branch", "warning", "offer:", "node 'offer' understands 'ja', but no edge takes a plain 'no'"),
        ("english-date", "warning", 'date: {start: "2027-03-0', dates),
    ]
    assert found(edited(german, yes, (no[0], 'says: ["Nein.", "Nein, danke."]'))) == [
        ("english-date", "warning", 'date: {start: "2027-03-0', dates)
    ]


def test_knowledge_that_nobody_can_ask_for_is_named() -> None:
    node = Node(role="agent", instruction="x", say=("Hello.",), terminal="success")
    graph = parse_procedure(TEXT, "table.yaml").model_copy(
        update={"start": "end", "nodes": {"end": node}, "slots": {}, "tools": {}, "interrupts": {}}
    )
    assert [(f.code, f.loc) for f in lint(graph)] == [
        ("unreachable-knowledge", ("knowledge", "parking")),
        ("small-bank", ("nodes", "end", "say")),
    ]


def test_errors_come_before_warnings_and_all_of_them_at_once() -> None:
    text = edited(
        ("    terminal: abandonment\n", ""),
        ("  hand_over:\n", LOST + "    terminal: success\n  hand_over:\n"),
        ('"Too much."', '"gladly", "Too much."'),
    )
    findings = lint(read_procedure(text, "table.yaml").graph)
    assert [f.code for f in findings if f.severity == "error"] == ["dead-end", "unreachable-ending", "overlap"]
    assert [f.severity for f in findings] == sorted(f.severity for f in findings)


def test_parse_refuses_the_first_error_that_lint_lists() -> None:
    text = edited(
        ("    terminal: abandonment\n", ""), ("  hand_over:\n", LOST + "    terminal: success\n  hand_over:\n")
    )
    first = lint(read_procedure(text, "table.yaml").graph)[0]
    with pytest.raises(UserError) as raised:
        parse_procedure(text, "table.yaml")
    assert str(raised.value).endswith(f": {first.message}; {first.remedy}")


def test_the_shipped_procedure_has_no_findings(travel: Graph) -> None:
    assert lint(travel) == []
    assert statistics(travel) == Statistics(nodes=14, hubs=3, endings=3, acyclic_paths=3)


def graph_of(nodes: dict[str, list[str]], start: str) -> Graph:
    """A graph of hubs; names without edges are endings."""
    made = {
        name: Node(
            role="agent",
            instruction="x",
            say=tuple(f"Say {i} of {name}." for i in range(6)),
            terminal=None if leads else "success",
            edges=tuple(
                Edge(id=f"e{i}", to=to, says=tuple(f"Phrase {j} towards {i}." for j in range(12)))
                for i, to in enumerate(leads)
            ),
        )
        for name, leads in nodes.items()
    }
    return Graph(procedure="p", title="t", system="s", start=start, nodes=made)


def test_acyclic_paths_are_counted_without_edges_back() -> None:
    assert acyclic_paths(graph_of({"a": []}, "a")) == 1
    assert acyclic_paths(graph_of({"a": ["b", "b"], "b": []}, "a")) == 2
    assert acyclic_paths(graph_of({"a": ["b", "c"], "b": ["d", "a"], "c": ["d", "b"], "d": []}, "a")) == 3
    assert acyclic_paths(graph_of({"a": ["a", "b"], "b": ["a", "c"], "c": []}, "a")) == 1
    assert acyclic_paths(graph_of({"a": ["b"], "b": ["a"]}, "a")) == 0


def test_components_come_behind_what_they_lead_to() -> None:
    leads = {"a": ["b"], "b": ["c", "d"], "c": ["b"], "d": ["e"], "e": ["e"], "f": ["a"]}
    assert components(leads) == [frozenset("e"), frozenset("d"), frozenset("bc"), frozenset("a"), frozenset("f")]


def test_too_many_paths_are_counted_and_warned_of() -> None:
    leads = {f"n{i}": [f"n{i + 1}"] * 2 for i in range(10)} | {"n10": []}
    assert [f.message for f in lint(graph_of(leads, "n0")) if f.code == "path-explosion"] == [
        "1,024 acyclic paths lead from 'n0' to an ending; most will be in no training conversation"
    ]
    assert (written(10**9), written(10**9 + 1), written(2**100)) == (
        "1,000,000,000",
        "at least 10^9",
        "at least 10^30",
    )


def test_ways_longer_than_a_conversation_of_the_evaluation_are_warned_of(travel: Graph) -> None:
    leads = {f"n{i}": [f"n{i + 1}", "n30", "n0"] for i in range(29)} | {"n29": ["n30"], "n30": []}
    assert (longest(travel), longest(graph_of(leads, "n0"))) == (11, 31)
    assert [f.message for f in lint(graph_of(leads, "n0")) if f.code == "long-path"] == [
        "the longest way from 'n0' to an ending takes 31 messages of the assistant; the evaluation ends a conversation "
        "behind 30"
    ]
    assert [f for f in lint(graph_of(leads, "n1")) if f.code == "long-path"] == []


def big(names: list[str]) -> Graph:
    """A ladder with loops back, as wide as each name leads to the next two and to one far before it."""
    leads = {
        name: [names[min(i + 1, SIZE - 1)], names[min(i + 2, SIZE - 1)], names[i // 2]] for i, name in enumerate(names)
    }
    return graph_of(leads | {names[-1]: []}, names[0])


@pytest.mark.parametrize("backwards", [False, True])
def test_two_thousand_nodes_are_linted_in_under_a_second(backwards: bool) -> None:
    names = [f"n{i:04}" for i in range(SIZE)]
    graph = big(names[::-1] if backwards else names)
    start = time.process_time()
    findings = lint(graph)
    seconds = time.process_time() - start
    assert {f.code for f in findings} == {"path-explosion", "long-path"}
    assert findings[0].message.startswith("at least 10^417 acyclic paths")
    assert seconds < 1, seconds


def test_two_thousand_questions_with_a_slot_each_are_linted_in_under_a_second() -> None:
    names = [f"n{SIZE - i:04}" for i in range(SIZE)]
    graph = big(names)
    nodes = {
        name: node.model_copy(
            update={
                "edges": tuple(
                    e.model_copy(update={"says": tuple(f"{p} {{{name}}}" for p in e.says)}) for e in node.edges
                )
            }
        )
        for name, node in graph.nodes.items()
    }
    slots = {name: Slot(code=f"@@#{name}") for name in names}
    start = time.process_time()
    codes = {f.code for f in lint(graph.model_copy(update={"nodes": nodes, "slots": slots}))}
    seconds = time.process_time() - start
    assert codes == {"path-explosion", "long-path", "unused-slot"}
    assert seconds < 1, seconds


def boxes(kind: str) -> str:
    """A Mermaid file of SIZE boxes: a row, a row whose every fifth box has three arrows, or a row of one label."""
    lines = ["flowchart TD"]
    for i in range(SIZE - 1):
        if kind == "hubs" and i % 5 == 2:
            lines.append(f"  n{i}{{Is part {i} fine?}} -->|yes| n{i + 1}")
            lines += [f"  n{i} -->|no| n{min(i + 3, SIZE - 1)}", f"  n{i} -->|again| n{max(1, i // 2)}"]
        else:
            lines.append(f"  n{i}[Ask for {'the part' if kind == 'one label' else f'part {i}'}] --> n{i + 1}")
    return "\n".join([*lines, f"  n{SIZE - 1}([Done])", ""])


@pytest.mark.parametrize(("kind", "explodes"), [("row", 0), ("hubs", 1), ("one label", 0)])
def test_a_mermaid_file_of_two_thousand_boxes_is_read_and_linted_in_under_two_seconds(
    tmp_path: Path, kind: str, explodes: int
) -> None:
    text = boxes(kind)
    (tmp_path / "big.mmd").write_text(text)
    start = time.process_time()  # one thread: the time of a clock where nothing else runs
    errors, warnings, _ = findings(tmp_path, {}, "big")
    seconds = time.process_time() - start
    assert errors == []
    assert sum("acyclic paths lead from" in w for w in warnings) == explodes
    assert sum("to an ending takes" in w for w in warnings) == 1
    assert sum(" both say " in w for w in warnings) == (SIZE - 2 if kind == "one label" else 0)
    assert seconds < 2, seconds


def test_a_finding_is_a_value() -> None:
    one = lint(parse_procedure(TEXT, "table.yaml"))[0]
    assert Finding.model_validate_json(one.model_dump_json()) == one


def listed(folder: Path, monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    monkeypatch.chdir(folder)
    Path("params.yaml").write_text(
        "sources: {table: {file: table.yaml}, drawn: {file: drawn.mmd}, lost: {file: l.dot}}"
    )
    Path("in").mkdir()
    Path("in/table.yaml").write_text(edited(("    terminal: abandonment\n", ""), ('"Too much."', '"Gladly."')))
    for file in ("in/drawn.mmd", "in/unlisted.mmd"):
        Path(file).write_text("flowchart TD\n  A[Ask for the day] --> B([Done])\n")
    Path("in/helper.py").write_text("x = 1\n")
    monkeypatch.setattr(sys, "argv", ["lint", "in", *names])
    run_stage(main)


def test_the_command_lists_everything_and_fails_on_errors(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        listed(tmp_path, monkeypatch)
    assert ended.value.code == 1
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(": ", 2)[2].split(";")[0] for line in lines if ": error: " in line] == [
        "node 'goodbye' is a dead end",
        "edge offer.cheaper and edge offer.accept share the phrase 'Gladly.'",
    ]
    warnings = sum(line.startswith("in/table.yaml") and ": warning: " in line for line in lines)
    assert [line for line in lines if " errors, " in line] == [
        f"table: 2 errors, {warnings} warnings",
        "drawn: 0 errors, 4 warnings",
        "lost: 1 errors, 0 warnings; lint again when mended, for it could not look further",
        "unlisted: 0 errors, 4 warnings",
    ]
    assert "error: in/l.dot: no such file; write it, or correct its name" in lines


def test_the_command_lists_all_names_that_do_not_resolve_and_says_that_more_may_follow(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("params.yaml").write_text("sources: {}")
    Path("in").mkdir()
    Path("in/table.yaml").write_text(edited(("to: ask_guests", "to: nowhere"), ("start: ask_day", "start: ask")))
    monkeypatch.setattr(sys, "argv", ["lint", "in"])
    with pytest.raises(SystemExit):
        run_stage(main)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(";")[0] for line in lines] == [
        "in/table.yaml:5: error: start names the node 'ask', which does not exist",
        "in/table.yaml:41: error: edge ask_day.day goes to 'nowhere', which does not exist",
        "table: 2 errors, 0 warnings",
    ]
    assert lines[-1].endswith("; lint again when mended, for it could not look further")


def test_the_command_ends_well_where_only_warnings_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    listed(tmp_path, monkeypatch, "drawn")
    *lines, last = capsys.readouterr().out.splitlines()
    assert last == "drawn: 0 errors, 4 warnings"
    remedy = (
        "`make import` writes the chart as YAML: give `say` 6 phrases or more, and the `says` of each edge 12, forty"
    )
    only = f"only the chart's words and built-in phrases; {remedy} at a hub"
    assert lines == [
        f"in/drawn.mmd:2: warning: node 'ask_for_the_day' and its answer have {only}",
        f"in/drawn.mmd:2: warning: node 'done' has {only}",
        f"in/drawn.mmd: warning: node 'colleague_takes_over' has {only}",
        f"in/drawn.mmd: warning: node 'cancelled' has {only}",
    ]


def test_of_many_nodes_without_a_bank_the_first_are_named_one_by_one_hubs_before_others() -> None:
    text = "flowchart TD\n" + "\n".join(f"a{i}[Ask for part {i}] --> a{i + 1}" for i in range(12))
    text += "\na12{Is it whole?} -->|yes| e([Bye])\na12 --> f[Send it back]"
    draft = draft_of(read_mermaid(text, "x.mmd", "x"), "x.mmd")
    banks = [f for f in lint(draft.graph, draft.drawn) if f.code == "built-in-bank"]
    assert [f.message.split(" have")[0] for f in banks] == [
        "hub 'is_it_whole' and its 2 answers",
        *(f"node 'ask_for_part_{i}' and its answer" for i in range(4)),
        "12 more nodes, 0 of them hubs,",
    ]
    assert banks[-1].message.endswith(
        ": ask_for_part_4, ask_for_part_5, ask_for_part_6, ask_for_part_7, ask_for_part_8, ..."
    )
    assert [f.message for f in lint(draft.graph, draft.drawn) if f.code == "assumed-answer"] == [
        "the arrow from 'is_it_whole' to 'send_it_back' has no label, so its users say what stands in that box, "
        "'Send it back'"
    ]
    assert {f.code for f in lint(draft.graph)} & {"built-in-bank", "assumed-answer"} == set()
