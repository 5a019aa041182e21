"""A flow of Rasa CALM becomes a Chart, with the flows that it calls, or a mistake with its line."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowc.chart import Arrow, Box, Chart, Kind
from flowc.read_rasa import read_rasa
from flowc.records import UserError
from tests.reading import graph_of, reads, without_column, without_lines

TEXT = """\
version: "3.1"
flows:
  send_money:
    name: send money
    description: Send money to a friend.
    if: slots.logged_in
    nlu_trigger:
      - intent: send
    persisted_slots: [recipient]
    always_include_in_prompt: true
    steps:
      - action: utter_hello
      - id: ask
        collect: recipient
        description: a name
        ask_before_filling: true
        reset_after_flow_ends: false
        rejections:
          - if: slots.recipient = "me"
            utter: utter_not_you
      - collect: amount
        utter: utter_how_much
      - noop: true
        next:
          - if: slots.amount > 100
            then:
              - call: check
                next: send
          - else: send
      - id: send
        action: action_send_money
        next:
          - if: slots.sent
            then: thank
          - if: not slots.sent
            then:
              - set_slots:
                  - recipient: null
                  - tries: 2
                next: ask
          - else: END
      - id: thank
        link: bye
  check:
    description: Ask for a code.
    if: False
    steps:
      - collect: code
  bye:
    description: Say goodbye.
    steps:
      - action: utter_bye
"""


def read(text: str = TEXT, flow: str | None = "send_money") -> Chart:
    return read_rasa(text, "flows.yml", "money", flow)


def test_a_flow_becomes_boxes_arrows_and_slots_with_their_lines() -> None:
    noop, cleared = "3_noop", "6_set_slots"
    reject = "ask.not_you"
    assert read() == Chart(
        name="money",
        title="send money",
        start="0_action_utter_hello",
        boxes={
            "0_action_utter_hello": Box(label="hello", line=12),
            "ask": Box(label="ask recipient", note="a name", collects="recipient", line=13),
            reject: Box(label="not you", line=19),
            "2_collect_amount": Box(label="how much", collects="amount", line=21),
            noop: Box(label="amount > 100", kind="question", line=23),
            "send": Box(label="send money", kind="tool", line=30),
            cleared: Box(label="clear recipient and set tries to 2", kind="tool", line=37),
            "check.0_collect_code": Box(label="ask code", collects="code", line=48),
            "bye.0_action_utter_bye": Box(label="bye", line=52),
            "END": Box(label="END", kind="end", line=41),
        },
        arrows=(
            Arrow(source="0_action_utter_hello", target="ask", line=12),
            Arrow(source="ask", target=reject, label="recipient = me", line=19),
            Arrow(source=reject, target="ask", line=20),
            Arrow(source="ask", target="2_collect_amount", default=True, line=13),
            Arrow(source="2_collect_amount", target=noop, line=21),
            Arrow(source=noop, target="check.0_collect_code", label="amount > 100", line=25),
            Arrow(source=noop, target="send", default=True, line=29),
            Arrow(source="send", target="bye.0_action_utter_bye", label="sent", line=33),
            Arrow(source="send", target=cleared, label="not sent", line=35),
            Arrow(source="send", target="END", default=True, line=41),
            Arrow(source=cleared, target="ask", line=40),
            Arrow(source="check.0_collect_code", target="send", line=48),
            Arrow(source="bye.0_action_utter_bye", target="END", line=52),
        ),
        slots={"recipient": (), "amount": (), "code": ()},
    )


def test_a_flow_that_is_called_twice_is_drawn_twice_and_one_that_is_linked_to_once() -> None:
    text = """\
flows:
  a: {steps: [{call: b}, {call: b, next: [{if: x, then: l}, {else: m}]}, {id: l, link: c}, {id: m, link: c}]}
  b: {steps: [{action: utter_b}]}
  c: {steps: [{action: utter_c}]}
"""
    chart = read(text, "a")
    assert [(a.source, a.target, a.label, a.default) for a in chart.arrows] == [
        ("1_call_b.next", "c.0_action_utter_c", "x", False),
        ("1_call_b.next", "c.0_action_utter_c", "", True),
        ("b.0_action_utter_b", "b.2.0_action_utter_b", "", False),
        ("b.2.0_action_utter_b", "1_call_b.next", "", False),
        ("c.0_action_utter_c", "END", "", False),
    ]
    assert (chart.start, chart.boxes["1_call_b.next"].kind) == ("b.0_action_utter_b", "question")


def test_links_may_lead_round_in_a_circle() -> None:
    chart = read("flows: {a: {steps: [{action: x}, {link: b}]}, b: {steps: [{action: y}, {link: a}]}}", "a")
    assert [(a.source, a.target) for a in chart.arrows] == [
        ("0_action_x", "b.0_action_y"),
        ("b.0_action_y", "0_action_x"),
    ]
    assert "END" not in chart.boxes


def test_steps_may_stand_directly_under_next() -> None:
    chart = read("flows: {a: {steps: [{collect: x, next: [{collect: y, next: END}]}]}}", None)
    assert [(a.source, a.target) for a in chart.arrows] == [("0_collect_x", "1_collect_y"), ("1_collect_y", "END")]


def answers(*conditions: str, collect: str = "confirm_order") -> tuple[str, list[str]]:
    """Give the label of a collect and those of its branches."""
    branches = [{"if": c, "then": "END"} for c in conditions]
    step = {"id": "c", "collect": collect, "next": [*branches, {"else": "END"}]}
    chart = read(json.dumps({"flows": {"f": {"steps": [step]}}}), None)
    return chart.boxes["c"].label, [a.label for a in chart.arrows]


def test_conditions_on_the_slot_that_is_collected_are_what_the_user_answers() -> None:
    assert answers("slots.confirm_order") == ("confirm order?", ["yes", ""])
    assert answers("not slots.confirm_order") == ("confirm order?", ["no", ""])
    assert answers("slots.confirm_order is true", "slots.confirm_order is false") == (
        "confirm order?",
        ["yes", "no", ""],
    )
    assert answers("slots.pay is 'card'", 'slots.pay = "gift_card"', collect="pay") == (
        "ask pay",
        ["card", "gift card", ""],
    )
    assert answers("slots.pay > 8", "slots.pay and slots.other", collect="pay") == (
        "ask pay",
        ["pay > 8", "pay and other", ""],
    )
    assert answers("slots.pay", collect="pay") == ("ask pay", ["pay", ""])
    assert answers("slots.pay is null", "slots.pay is not card", collect="pay")[1] == [
        "pay is null",
        "pay is not card",
        "",
    ]
    assert answers("slots.pay = false", collect="pay") == ("pay?", ["no", ""])
    assert answers("slots.is_new", "slots.is_new = true", collect="is_new")[1] == ["is new", "is new = true", ""]
    assert answers('not (slots.pin matches "^[0-9_]{4}$")', collect="pin")[1] == ['not (pin matches "^[0-9_]{4}$")', ""]


@pytest.mark.parametrize(
    ("slot", "label", "answer"),
    [("book_table_name_of_guest", "ask name of guest", "book table name of guest"),
     ("book_table_is_late", "is late?", "yes"), ("book_table", "ask book table", "book table"),
     ("book_tables", "ask book tables", "book tables")],
)  # fmt: skip
def test_the_name_of_the_flow_before_a_slots_own_is_not_asked_for(slot: str, label: str, answer: str) -> None:
    steps = [{"id": "c", "collect": slot, "next": [{"if": f"slots.{slot}", "then": "END"}, {"else": "END"}]}]
    chart = read(json.dumps({"flows": {"book_table": {"steps": steps}}}), None)
    assert chart.boxes["c"] == Box(label=label, collects=slot, line=1)
    assert chart.arrows[0].label == answer


VALUES = {
    'slots.pay is "savings" or slots.pay is "deposit"': "savings or deposit",
    "slots.pay = 'a' or slots.pay == 'b_c' or slots.pay equals d": "a or b c or d",
    "slots.pay='card'": "card",
    'slots.pay is "bed and breakfast" or slots.pay is "none"': "bed and breakfast or none",
    'slots.pay is "now or never"': "now or never",
    "slots.pay is very large": "very large",
    'slots.pay is "card" and slots.age > 3': "pay is card and age > 3",
    'slots.pay is "card" or slots.other is "card"': "pay is card or other is card",
    'slots.pay is "card" or': "pay is card or",
    "slots.pay is card and cash": "pay is card and cash",
    "slots.pay is card or null": "pay is card or null",
    'slots.pay is "card" or slots.pay is null': "pay is card or pay is null",
    'slots.payment is "card"': "payment is card",
}


@pytest.mark.parametrize("condition", VALUES)
def test_values_of_the_slot_that_is_collected_are_what_the_user_answers(condition: str) -> None:
    assert answers(condition, collect="pay")[1] == [VALUES[condition], ""]


def chosen(*before: dict[str, Any], conditions: tuple[str, ...], **more: str) -> tuple[str, list[str]]:
    """Give the label of a `noop` with an id behind some steps, and those of its branches."""
    branches = [{"if": c, "then": "END"} for c in conditions]
    steps = [*before, {"id": "route", "noop": True, **more, "next": [*branches, {"else": "END"}]}]
    chart = read(json.dumps({"flows": {"move": {"steps": steps}}}), None)
    assert chart.boxes["route"].kind == "question"
    return chart.boxes["route"].label, [a.label for a in chart.arrows if a.source == "route"]


KINDS = ('slots.move_kind = "e_mail"', 'slots.move_kind is "fax" or slots.move_kind is "phone"')


def test_a_noop_that_compares_one_slot_asks_for_it() -> None:
    asked = ("ask kind", ["e mail", "fax or phone", ""])
    assert chosen(conditions=KINDS) == asked
    assert chosen({"collect": "name"}, conditions=KINDS) == asked
    mixed = (KINDS[0], 'slots.move_kind = "fax" and slots.open')
    assert chosen(conditions=mixed) == ("ask kind", ["e mail", "move kind = fax and open", ""])


def test_a_noop_that_does_not_compare_one_slot_with_values_stays_as_it_is() -> None:
    whole = ("route", ["move kind = e mail", "move kind is fax or move kind is phone", ""])
    assert chosen({"action": "look_up"}, conditions=KINDS) == whole
    assert chosen(conditions=KINDS, description="Which way?") == ("Which way?", whole[1])
    assert chosen(conditions=(KINDS[0], "slots.open")) == ("route", ["move kind = e mail", "open", ""])
    assert chosen(conditions=(KINDS[0], "slots.sum = 'low'"))[0] == "route"
    assert chosen(conditions=(KINDS[0], KINDS[0]))[0] == "route"
    assert chosen(conditions=("slots.sum > 3",)) == ("route", ["sum > 3", ""])
    assert chosen(conditions=("slots.sum is null",)) == ("route", ["sum is null", ""])


def test_a_noop_behind_the_collect_of_its_slot_does_not_ask_again() -> None:
    collect = {"collect": "move_kind"}
    assert chosen(collect, conditions=KINDS)[0] == ""
    rejection = {"rejections": [{"if": "slots.move_kind = 'x'", "utter": "utter_no"}]}
    assert chosen(collect | rejection, conditions=KINDS)[0] == "ask kind"
    assert chosen(collect, {"action": "utter_thanks"}, conditions=KINDS)[0] == "ask kind"
    first = {
        "id": "route",
        "noop": True,
        "next": [{"if": KINDS[0], "then": "END"}, {"else": [{**collect, "next": "route"}]}],
    }
    assert read(json.dumps({"flows": {"move": {"steps": [first]}}}), None).boxes["route"].label == "ask kind"
    steps = [collect, {"noop": True, "next": [{"if": KINDS[0], "then": "END"}, {"else": "END"}]}]
    graph = graph_of(read(json.dumps({"flows": {"move": {"steps": steps}}}), None), "flows.yml")
    start = graph.nodes[graph.start]
    assert (start.say[0], [e.when for e in start.edges]) == ("What is the kind?", ["e mail", "otherwise"])


def test_a_call_of_a_tool_is_a_tool_and_rasas_own_handover_an_escalation() -> None:
    text = """flows:
  f:
    block_digressions: true
    steps:
      - collect: part
        silence_timeout: 5
      - call: check_stock
        mcp_server: shop
        mapping: {input: [{param: part, slot: part}], output: [{slot: stock, value: result}]}
        next: [{if: slots.stock, then: [{action: utter_there, next: END}]}, {else: [{link: pattern_human_handoff}]}]
"""
    chart = read(text, None)
    assert [(b.label, b.kind, b.terminal) for b in chart.boxes.values()] == [
        ("ask part", "step", None),
        ("check stock", "tool", None),
        ("there", "step", None),
        ("hand over to a colleague", "end", "escalation"),
        ("END", "end", None),
    ]
    own = "  pattern_human_handoff: {steps: [{action: utter_wait}]}\n"
    assert "wait" in [b.label for b in read(text + own, "f").boxes.values()]


MISTAKES = {
    "an agent": (
        "collect: code",
        "call: helper\n        exit_if: [slots.done]",
        "49: exit_if belongs to a call of an agent,",
    ),
    "nothing": (TEXT, "", "1: there are no flows; write them under `flows`"),
    "no flows": (TEXT, "version: 1", "1: there are no flows; write them under `flows`"),
    "an unknown key": ("version:", "verson:", "1: verson: unknown key; remove it or check its spelling (known are fl"),
    "an unknown key of a flow": ("persisted_slots", "kept_slots", "9: flows.send_money.kept_slots: unknown key; rem"),
    "an unknown key of a step": ("utter: utter_how", "uter: utter_how", "22: flows.send_money.steps.2.uter: unknown k"),
    "a key of another step": (
        "action: utter_hello",
        "action: utter_hello\n        utter: x",
        "13: flows.send_money.st",
    ),
    "two kinds of step": (
        "action: utter_hello",
        "action: utter_hello\n        noop: true",
        "12: a step needs exactly one",
    ),
    "no kind of step": (
        "- action: utter_hello",
        "- id: hello",
        "12: a step needs exactly one of action, collect, set_s",
    ),
    "no steps": ("    steps:\n      - action: utter_bye\n", "", "49: flow 'bye' has no steps; add one under `steps`"),
    "a next to nowhere": ("next: ask", "next: asc", "40: there is no step 'asc' in flow 'send_money'; correct the id,"),
    "an id given twice": ("id: thank", "id: send", "42: the id 'send' stands twice in flow 'send_money'; rename one"),
    "the id of the end": ("id: thank", "id: END", "42: the id END means the end of a flow; rename the step"),
    "no else": ("          - else: END\n", "", "32: a branching `next` needs exactly one `else`; add it with where t"),
    "an empty condition": ("if: slots.sent", "if: ''", "33: flows.send_money.steps.4.next.0.if is empty; write a cond"),
    "no then": ("            then: thank\n", "", "33: flows.send_money.steps.4.next.0.then is empty; give it the id"),
    "an empty then": ("then: thank", "then: []", "34: flows.send_money.steps.4.next.0.then has no step; add one, or"),
    "a branch that stops": (
        "                next: ask\n",
        "",
        "37: the last step of a branch needs a `next`; add one, `ne",
    ),
    "a link that leads on": (
        "link: bye",
        "link: bye\n        next: ask",
        "44: nothing comes behind a link; remove this",
    ),
    "a flow elsewhere": ("link: bye", "link: byee", "43: link leads to the flow 'byee', which is not in this file; a"),
    "a flow that calls its caller": ("collect: code", "call: send_money", "48: flow 'send_money' is still waiting for"),
    "set_slots without a slot": (
        "- recipient: null\n                  - tries: 2",
        "[]",
        "37: set_slots sets nothing;",
    ),
    "an action without a name": (
        "action: utter_hello",
        "action: ''",
        "12: flows.send_money.steps.0.action is empty; give",
    ),
    "a step that is text": (
        "- action: utter_hello",
        "- hello",
        "12: flows.send_money.steps.0 must be a mapping of names",
    ),
    "a noop in a circle": (
        "- action: utter_hello",
        "- {id: x, noop: true, next: x}",
        "12: this step leads only back to ",
    ),
}


@pytest.mark.parametrize("case", MISTAKES)
def test_a_mistake_is_named_with_its_line_and_a_remedy(case: str) -> None:
    old, new, expected = MISTAKES[case]
    assert old in TEXT
    with pytest.raises(UserError) as raised:
        read(TEXT.replace(old, new, 1))
    assert without_column(str(raised.value)).startswith(f"flows.yml:{expected}")


@pytest.mark.parametrize(
    ("old", "new", "place"),
    [
        ("utter: utter_how", "uter: utter_how", "22:9"),
        ("next: ask", "next: asc", "40:17"),
    ],
)
def test_a_mistake_has_its_column(old: str, new: str, place: str) -> None:
    with pytest.raises(UserError) as raised:
        read(TEXT.replace(old, new, 1))
    assert str(raised.value).startswith(f"flows.yml:{place}: ")


def test_one_of_several_flows_must_be_chosen() -> None:
    with pytest.raises(UserError) as raised:
        read(flow=None)
    assert str(raised.value) == (
        "flows.yml:2:1: there are 3 flows (send_money, check, bye); choose one: `flow: send_money` beside the `file` "
        "in conf/config.yaml and `make params`, or --flow (make: FLOW=)"
    )
    with pytest.raises(
        UserError, match=r"^flows.yml:2:1: there is no flow 'send'; choose one of send_money, check, bye$"
    ):
        read(flow="send")


def test_calls_that_multiply_are_refused() -> None:
    flows = {f"f{i}": {"steps": [{"call": f"f{i + 1}"}] * 2} for i in range(30)} | {
        "f30": {"steps": [{"collect": "x"}]}
    }
    with pytest.raises(UserError, match="the flow and what it calls make more than 5000 boxes; read a smaller flow"):
        read(json.dumps({"flows": flows}), "f0")


def test_a_thousand_flows_that_link_to_each_other_are_read() -> None:
    flows = {f"f{i}": {"steps": [{"action": f"a{i}"}, {"link": f"f{(i + 1) % 1000}"}]} for i in range(1000)}
    assert len(read(json.dumps({"flows": flows}), "f0").boxes) == 1000


NAMES = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cc", "Cf", "Cs", "Co", "Cn", "Zs", "Zl", "Zp"]), min_size=1
)
IDS = NAMES.filter(lambda i: i != "END")
CONDITIONS = NAMES.filter(
    lambda c: not re.search(r"slots\.|context\.|['\"]|(?<=\w)_+(?=\w)", c) and c not in ("yes", "no")
)
WORDS = st.text("abcxyz", min_size=1, max_size=8)


def write(chart: Chart) -> str:
    """Write a chart of steps, questions and tools as one flow."""
    steps = []
    for i in sorted(chart.boxes, key=lambda i: i != chart.start):
        box = chart.boxes[i]
        step: dict[str, Any] = {"id": i}
        if box.collects:
            step |= {"collect": box.collects, "utter": f"utter_{box.label}"}
        elif box.kind == "question":
            step |= {"noop": True, "description": box.label}
        elif box.kind != "end":
            step |= {"action": f"{'action' if box.kind == 'tool' else 'utter'}_{box.label}"}
        arrows = [a for a in chart.arrows if a.source == i]
        if len(arrows) == 1:
            step["next"] = arrows[0].target
        else:
            step["next"] = [{"else": a.target} if a.default else {"if": a.label, "then": a.target} for a in arrows]
        steps += [step] if box.kind != "end" else []
    return json.dumps({"flows": {"f": {"name": chart.title, "steps": steps}}}, ensure_ascii=False)


@st.composite
def charts(draw: st.DrawFn) -> Chart:
    ids = draw(st.lists(IDS, min_size=1, max_size=6, unique=True))
    boxes, arrows = {}, []
    kinds: list[Kind] = ["step", "tool", "question"]
    for i in ids:
        kind = draw(st.sampled_from(kinds))
        collects = draw(st.none() | WORDS) if kind == "step" else None
        conditions = draw(st.lists(CONDITIONS, min_size=kind == "question", max_size=3))
        boxes[i] = Box(label=draw(WORDS), kind=kind, collects=collects, line=1)
        for label in [*conditions, ""]:
            target = draw(st.sampled_from([*ids, "END"]))
            arrows.append(Arrow(source=i, target=target, label=label, default=bool(conditions) and not label, line=1))
    if any(a.target == "END" for a in arrows):
        boxes["END"] = Box(label="END", kind="end", line=1)
    slots: dict[str, tuple[str, ...]] = {b.collects: () for b in boxes.values() if b.collects}
    return Chart(name="p", title=draw(WORDS), start=ids[0], boxes=boxes, arrows=tuple(arrows), slots=slots)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(charts())
def test_a_chart_that_is_written_and_read_again_is_the_same(chart: Chart) -> None:
    assert without_lines(read_rasa(write(chart), "f", "p", None)) == without_lines(chart)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.one_of(st.text(), st.text(alphabet="flows:{}[]\n -'&*")))
def test_any_text_gives_a_chart_or_a_named_mistake(text: str) -> None:
    reads(lambda: read_rasa(text, "f", "p", None), "f")
    reads(lambda: read_rasa("flows: {a: {steps:\n  " + text, "f", "p", None), "f")


REFERENCES = st.sampled_from(["i", "j", "END", "a", "b", "", 1, None, "slots."])
TARGETS = st.deferred(lambda: REFERENCES | st.lists(STEPS, max_size=2))
BRANCHES = st.lists(
    st.fixed_dictionaries({"if": REFERENCES, "then": TARGETS}) | st.fixed_dictionaries({"else": TARGETS}), max_size=3
)
STEPS: st.SearchStrategy[dict[str, Any]] = st.builds(
    lambda kind, rest: kind | rest,
    st.sampled_from(["action", "collect", "noop", "call", "link", "set_slots"]).flatmap(
        lambda kind: st.fixed_dictionaries({kind: REFERENCES | st.just([{"x": 1}])})
    ),
    st.fixed_dictionaries({}, optional={
        "next": TARGETS | BRANCHES, "id": st.sampled_from(["i", "j", "END"]),
        "rejections": st.lists(st.fixed_dictionaries({"if": REFERENCES, "utter": REFERENCES}), max_size=2),
        "description": REFERENCES,
    }),
)  # fmt: skip


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.dictionaries(st.sampled_from("ab"), st.fixed_dictionaries({"steps": st.lists(STEPS, max_size=4)})))
def test_what_is_nearly_a_flow_gives_a_chart_or_a_named_mistake(flows: Any) -> None:
    reads(lambda: read_rasa(json.dumps({"flows": flows}), "f", "p", "a"), "f")
