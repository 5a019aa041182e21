"""A chart becomes a procedure that can be played: boxes speak, arrows are answers, and every mistake has its line."""

from __future__ import annotations

from itertools import pairwise

import pytest

from flowc.built_in_phrases import ANSWERS, ENDINGS, VALUES, kind_of, kinds_of
from flowc.chart import Arrow, Box, Chart, Escape
from flowc.chart_flow import said
from flowc.chart_words import speech
from flowc.from_chart import draft_of
from flowc.graph import Graph, breadth_first
from flowc.lint import lint, told_of
from flowc.parse import Drawn
from flowc.read_mermaid import read_mermaid
from flowc.records import UserError
from flowc.sampling import sample
from flowc.teacher import converse
from tests.example import MANY_DEVIATIONS
from tests.playing import assert_playable
from tests.reading import graph_of

CLAIMS = """\
flowchart TD
  S([Start]) --> D[Ask for the date of loss]
  D --> P[Ask for the policy number]
  P --> C[[Look up the policy]]
  C --> V{Is the policy valid?}
  V -->|yes| O{Offer a repair}
  V -->|no| R([Claim rejected])
  O -->|accepts| Q[Tell the customer that the repair is booked]
  O -->|wants money| A[Transfer to a human agent]
  O -->|other date| D
  Q --> E([Done])
"""


def claims(collects: bool = True) -> Chart:
    chart = read_mermaid(CLAIMS, "claims.mmd", "claims")
    if not collects:
        return chart
    boxes = {**chart.boxes, "D": chart.boxes["D"].model_copy(update={"collects": "date-of-loss"}),
             "P": chart.boxes["P"].model_copy(update={"collects": "policy"})}  # fmt: skip
    days = tuple(f"{day} May" for day in range(1, 31))
    return chart.model_copy(update={"boxes": boxes, "slots": {"date-of-loss": days, "policy": ()}})


def mermaid(text: str) -> Graph:
    return graph_of(read_mermaid(f"flowchart TD\n{text}", "x.mmd", "x"), "x.mmd")


def ways(graph: Graph) -> dict[str, list[tuple[str, str]]]:
    return {name: [(e.id, e.to) for e in node.edges] for name, node in graph.nodes.items()}


def test_a_chart_becomes_the_procedure_that_it_draws() -> None:
    graph = graph_of(claims(), "claims.mmd")
    assert ways(graph) == {
        "ask_for_the_date_of_loss": [("next", "ask_for_the_policy_number")],
        "ask_for_the_policy_number": [("next", "look_up_the_policy")],
        "look_up_the_policy": [("yes", "offer_a_repair"), ("no", "claim_rejected")],
        "offer_a_repair": [
            ("accepts", "tell_the_customer_that_the_repair"),
            ("wants_money", "transfer_to_a_human_agent"),
            ("other_date", "ask_for_the_date_of_loss"),
        ],
        "claim_rejected": [],
        "tell_the_customer_that_the_repair": [("next", "done")],
        "transfer_to_a_human_agent": [],
        "done": [],
    }
    assert {n: (x.role, x.terminal, x.say[0] if x.say else x.calls) for n, x in graph.nodes.items()} == {
        "ask_for_the_date_of_loss": ("agent", None, "What is the date of loss?"),
        "ask_for_the_policy_number": ("agent", None, "What is the policy number?"),
        "look_up_the_policy": ("tool", None, "look_up_the_policy"),
        "offer_a_repair": ("agent", None, "Would you like a repair?"),
        "claim_rejected": ("agent", "abandonment", "Claim rejected."),
        "tell_the_customer_that_the_repair": ("agent", None, "The repair is booked."),
        "transfer_to_a_human_agent": ("agent", "escalation", "I will now transfer you to a human agent."),
        "done": ("agent", "success", "That is all, thank you and goodbye."),
    }
    assert (graph.procedure, graph.title, graph.start) == ("claims", "Claims", "ask_for_the_date_of_loss")
    assert graph.system == "You are a helpful assistant for this matter: claims."
    assert graph.nodes["ask_for_the_date_of_loss"].instruction == "Ask for the date of loss."


def test_a_slot_with_values_is_told_corrected_and_asked_anew() -> None:
    graph = graph_of(claims(), "claims.mmd")
    assert list(graph.slots) == ["date_of_loss"]
    slot, asks = graph.slots["date_of_loss"], graph.nodes["ask_for_the_date_of_loss"].edges[0]
    assert slot.values[:2] == ("1 May", "2 May")
    assert slot.mention[0] == "the date of loss is {date_of_loss}"
    assert slot.corrections[0] == "Sorry, the date of loss is {date_of_loss}."
    assert slot.noted[0] == "Understood, the date of loss is {date_of_loss}."
    assert asks.gives == ("date_of_loss",)
    assert asks.says[:2] == ("{date_of_loss}", "{date_of_loss}, please.")
    assert graph.nodes["offer_a_repair"].edges[2].renews == {"date_of_loss": "any"}
    assert graph.tools["look_up_the_policy"].arguments == {"date_of_loss": "date_of_loss"}
    assert graph.tools["look_up_the_policy"].outcomes == {"yes": (), "no": ()}


def test_a_slot_without_values_is_answered_openly_and_one_value_is_written_out() -> None:
    chart = claims()
    assert graph_of(chart, "x").nodes["ask_for_the_policy_number"].edges[0].says == ANSWERS["open"]
    one = chart.model_copy(update={"slots": {"date-of-loss": ("{today}", "{today}"), "policy": ()}})
    graph = graph_of(one, "x")
    assert graph.slots == {}
    assert graph.nodes["ask_for_the_date_of_loss"].edges[0].says[:2] == ("(today).", "(today), please.")


def test_what_has_been_told_is_not_asked_a_second_time_unless_the_end_is_next() -> None:
    boxes = {n: Box(label=f"Ask for day {n}", collects="day", line=1) for n in "abc"}
    arrows = tuple(Arrow(source=s, target=t, line=1) for s, t in pairwise("abcd"))
    chart = Chart(
        name="x", boxes={**boxes, "d": Box(label="Bye", line=2)}, arrows=arrows, slots={"day": ("Mon", "Tue")}
    )
    says = [node.edges[0].says[0] for node in graph_of(chart, "x").nodes.values() if node.edges]
    assert says == ["{day}", "{day}", ANSWERS["open"][0]]


def test_slots_with_one_pool_of_few_values_can_all_be_told() -> None:
    boxes = {f"q{i}": Box(label=f"Ask for the answer {i}", collects=f"answer{i}", line=i + 1) for i in range(4)}
    boxes |= {"h": Box(label="Is it fine?", kind="question", line=6), "e": Box(label="End", kind="end", line=7),
              "c": Box(label="Cancelled", kind="end", line=8)}  # fmt: skip
    names = [*boxes][:5]
    arrows = [Arrow(source=a, target=b, line=1) for a, b in pairwise(names)]
    arrows += [Arrow(source="h", target=t, label=w, line=1) for t, w in (("e", "yes"), ("c", "no"), ("q0", "again"))]
    chart = Chart(
        name="x", start="q0", boxes=boxes, arrows=tuple(arrows), slots={f"answer{i}": ("yes", "no") for i in range(4)}
    )
    graph = graph_of(chart, "x")
    assert [s.values for s in graph.slots.values()] == [("yes", "no"), ("no", "yes"), (), ()]
    assert [s.corrections for s in graph.slots.values()] == [()] * 4
    assert_playable(graph)


def test_a_statement_in_a_question_box_is_asked() -> None:
    assert speech("Warranty valid", True) == ("Warranty valid?", "yes_no")


def test_a_hub_is_answered_by_its_labels_and_their_banks() -> None:
    graph = mermaid('A{Do you have a car?} -->|Yes| B[ok]\nA -->|No| C[bad]\nA -->|"a {red} one"| D[fine]')
    yes, no, red = graph.nodes["do_you_have_a_car"].edges
    assert yes.says == ANSWERS["yes"]
    assert no.says == ANSWERS["no"]
    assert red.says[:3] == ("A (red) one.", "A (red) one, please.", "It is a (red) one.")
    assert yes.when == "Yes"


def test_two_arrows_of_one_meaning_are_told_apart_by_their_words_alone() -> None:
    graph = mermaid("A{Since when?} -->|Yes, today| B[ok]\nA -->|Yes, long ago| C[bad]")
    banks = [e.says for e in graph.nodes["since_when"].edges]
    assert banks[0][0] == "Yes, today."
    assert not {said(p) for p in banks[0]} & {said(p) for p in banks[1]}
    assert not set(ANSWERS["yes"]) & set(banks[0])


def test_interrupts_lead_to_the_charts_own_endings_or_to_new_ones() -> None:
    graph = graph_of(claims(), "x")
    assert {n: i.to for n, i in graph.interrupts.items()} == {
        "human": "transfer_to_a_human_agent", "cancel": "claim_rejected", "off_topic": None,
    }  # fmt: skip
    graph = mermaid("A[Hello] --> B[Bye]")
    assert {n: i.to for n, i in graph.interrupts.items()} == {
        "human": "colleague_takes_over", "cancel": "cancelled", "off_topic": None,
    }  # fmt: skip
    assert graph.nodes["cancelled"].terminal == "abandonment"


def test_escapes_are_interrupts_in_place_of_the_built_in_ones() -> None:
    chart = claims().model_copy(
        update={"escapes": (Escape(label="Customer asks for an agent", target="A", line=3),
                            Escape(label="Customer reports an injury", target="P", line=4))}
    )  # fmt: skip
    graph = graph_of(chart, "x")
    assert list(graph.interrupts) == ["customer_asks_for_an_agent", "customer_reports_an_injury", "cancel", "off_topic"]
    assert graph.interrupts["customer_asks_for_an_agent"].says[:2] == ("I ask for an agent.", ANSWERS["human"][0])
    injury = graph.interrupts["customer_reports_an_injury"]
    assert (injury.says[0], injury.to) == ("I report an injury.", "ask_for_the_policy_number")
    assert graph.tools["look_up_the_policy"].arguments == {}
    assert_playable(graph)


def test_tools_have_the_outcomes_of_their_arrows() -> None:
    graph = mermaid(
        "A[Hi] --> T[[Check stock]]\nT --> B[Wait] --> U[(Stock)]\nU -->|in stock| C[Yes]\nU -->|sold out| D[No]"
    )
    assert {n: dict(t.outcomes) for n, t in graph.tools.items()} == {
        "check_stock": {"done": ()}, "stock": {"in_stock": (), "sold_out": ()},
    }  # fmt: skip
    assert graph.tools["check_stock"].description == "Check stock."


def test_a_question_that_others_lead_to_stays_beside_the_tool_it_is_merged_with() -> None:
    graph = mermaid("A{Known?} -->|yes| Q\nA -->|no| T[[Find]]\nT --> Q{Open?}\nQ -->|yes| B[Good]\nQ -->|no| C[Bad]")
    assert ways(graph)["find"] == ways(graph)["open"] == [("yes", "good"), ("no", "bad")]


def test_a_question_that_chose_the_tool_is_asked_again_behind_it() -> None:
    graph = mermaid("A[Hi] --> Q{What next?}\nQ -->|search| T[[Search]] --> Q\nQ -->|nothing| E[Bye]")
    assert ways(graph)["search"] == [("done", "what_next")]
    retried = mermaid("A[Hi] --> T[[Charge]] --> Q{Charged?}\nQ -->|no| T\nQ -->|yes| E[Bye]")
    assert ways(retried)["charge"] == [("no", "charge"), ("yes", "bye")]


def test_otherwise_is_any_other_value_where_a_slot_is_asked_for() -> None:
    chart = read_mermaid("graph TD\nA[Ask for the pin] -->|too short| B[Sorry]\nA --> C[Bye]", "x.mmd", "x")
    boxes = {**chart.boxes, "A": chart.boxes["A"].model_copy(update={"collects": "pin", "note": "four digits"})}
    arrows = (chart.arrows[0], chart.arrows[1].model_copy(update={"default": True}))
    node = graph_of(chart.model_copy(update={"boxes": boxes, "arrows": arrows}), "x").nodes["ask_for_the_pin"]
    assert node.edges[1].says == ANSWERS["open"]
    assert (node.instruction, node.say[0]) == ("Ask for the pin. Four digits.", "What is the pin?")


def test_boxes_without_words_are_passed_over() -> None:
    graph = mermaid('A[Hi] --> J@{ shape: junction }\nJ --> K[" "] --> B[Bye]')
    assert [n for n in breadth_first(graph) if graph.nodes[n].role == "agent"][:2] == ["hi", "bye"]


def test_a_default_arrow_needs_no_label() -> None:
    chart = read_mermaid("graph TD\nA{Colour?} -->|red| B[Good]\nA --> C[Bad]", "x.mmd", "x")
    default = chart.arrows[1].model_copy(update={"default": True})
    graph = graph_of(chart.model_copy(update={"arrows": (chart.arrows[0], default)}), "x.mmd")
    assert graph.nodes["colour"].edges[1].when == "otherwise"
    assert graph.nodes["colour"].edges[1].says == ANSWERS["other"]


def test_one_arrow_tells_what_another_means() -> None:
    for labels, kinds in (
        (["verified", "not verified"], ["yes", "no"]),
        (["customer has no insurance", "Customer has insurance"], ["no", "yes"]),
        (["order found", "order not found"], ["yes", "no"]),
        (["yes", "otherwise"], ["yes", "no"]),
        (["No", "else"], ["no", "yes"]),
        (["y", "n"], ["yes", "no"]),
        (["not (pin matches 4)", "otherwise"], [None, "other"]),
        (["x", "y"], [None, None]),
        (["red", "not blue"], [None, "no"]),
        (["red", "otherwise"], [None, "other"]),
        (["verified", "not verified", "unknown"], ["yes", "no", "unsure"]),
        (["yes (>=18)", "no"], ["yes", "no"]),
        (["verified (id shown)", "not verified"], ["yes", "no"]),
        (["size (small)", "size (not small)"], ["yes", "no"]),
    ):
        assert kinds_of(labels) == kinds
    graph = mermaid("A[Verify the customer] -->|verified| B[Good]\nA -->|not verified| C[Bad]")
    assert [e.says[:2] for e in graph.nodes["verify_the_customer"].edges] == [
        ("Verified.", "Yes."),
        ("Not verified.", "No."),
    ]


def test_numbers_before_labels_are_not_spoken_and_stay_in_the_instruction() -> None:
    graph = mermaid('A["1. Is it on?"] -->|1. Yes| B["2. Done"]\nA -->|2. No| C["3. Ask for a photo"] --> B')
    asks, end, gives = list(graph.nodes.values())[:3]
    assert (asks.say[0], gives.say[0], end.say) == ("Is it on?", "Can you give me a photo?", ENDINGS["success"])
    assert [n.instruction for n in (asks, gives, end)] == ["1. Is it on?", "3. Ask for a photo.", "2. Done."]
    assert [(e.when, e.says) for e in asks.edges] == [("1. Yes", ANSWERS["yes"]), ("2. No", ANSWERS["no"])]


@pytest.mark.parametrize("labels", [("score >= 700", "score < 700"), ("+1", "-1"), ("$100", "€100", "100%", "100")])
def test_thresholds_and_signs_tell_arrows_apart(labels: tuple[str, ...]) -> None:
    arrows = "\n".join(f'A{{Well?}} -->|"{label}"| B{i}[Go {i}]' for i, label in enumerate(labels))
    graph = mermaid(arrows)
    assert [f.code for f in lint(graph) if f.severity == "error"] == []
    assert [e.when for e in graph.nodes["well"].edges] == list(labels)
    assert {len(e.says) for e in graph.nodes["well"].edges} == {len(VALUES)}


def test_a_question_without_words_is_asked_by_the_boxes_before_it() -> None:
    text = """A[Ask for the amount] --> Q{" "}
  Q -->|over 100| T[[Ask the bank]] --> R{" "}
  Q -->|less| B[Pay]
  R -->|granted| B
  R -->|refused| A
"""
    assert ways(mermaid(text)) | {"colleague_takes_over": [], "cancelled": []} == {
        "ask_for_the_amount": [("over_100", "ask_the_bank"), ("less", "pay")],
        "ask_the_bank": [("granted", "pay"), ("refused", "ask_for_the_amount")],
        "pay": [],
        "colleague_takes_over": [],
        "cancelled": [],
    }
    for before in ('S([Start]) --> Q{" "}', 'A{Well?} -->|a| Q{" "}'):
        with pytest.raises(UserError, match="box 'Q' has no words, so nobody can answer"):
            mermaid(f"{before}\nQ -->|b| C[x]\nQ -->|c| D[y]")


def test_ends_of_the_same_words_are_one_ending() -> None:
    text = "A{Well?} -->|a| B[End]\nA -->|b| C([end])\nA -->|c| D[Cancel]\nA -->|d| E[Sold] --> F(((End)))"
    graph = mermaid(text)
    assert [e.to for n in ("well", "sold") for e in graph.nodes[n].edges] == ["end", "end", "cancel", "sold", "end"]
    assert [f.code for f in lint(graph, Drawn(assumed=())) if f.code == "shared-phrase"] == []


def test_an_end_without_words_is_one_that_says_end() -> None:
    graph = mermaid('A{Well?} -->|a| B(( ))\nA -->|b| C["⏹ End"]\nA -->|c| D(("⏹"))')
    assert [e.to for e in graph.nodes["well"].edges] == ["end", "end", "end"]
    assert graph.nodes["end"].say == ENDINGS["success"]


def test_an_end_without_words_is_told_to_teachers_in_words() -> None:
    boxes = {
        "a": Box(label="Well?", kind="question", line=1),
        "Event_0q": Box(label="", kind="end", line=2),
        "Event_1x": Box(label="", kind="end", terminal="escalation", line=3),
        "Event_2y": Box(label="", kind="end", terminal="abandonment", note="Nothing is sent", line=4),
    }
    arrows = tuple(Arrow(source="a", target=n, label=n[-1], line=5) for n in list(boxes)[1:])
    graph = graph_of(Chart(name="x", boxes=boxes, arrows=arrows), "x.bpmn")
    assert [n.instruction for n in graph.nodes.values()] == [
        "Well?", "End the conversation.", "Hand over to a colleague.", "Stop here. Nothing is sent.",
    ]  # fmt: skip


@pytest.mark.parametrize("end", ["End", '" "', "Done"])
def test_a_last_step_that_hands_over_is_the_ending(end: str) -> None:
    graph = mermaid(f"A{{Well?}} -->|a| B[Transfer to agent] --> E([{end}])\nA -->|b| C[Good] --> E")
    handed = graph.nodes["transfer_to_agent"]
    assert (handed.terminal, handed.edges) == ("escalation", ())
    assert (handed.instruction, handed.say[0]) == ("Transfer to agent.", "I will now transfer you to agent.")
    assert graph.interrupts["human"].to == "transfer_to_agent"
    assert graph.nodes["good"].edges[0].to in graph.nodes


@pytest.mark.parametrize(
    "way",
    [
        "B[Transfer to agent] -->|I wait| E([End])", "B[[Transfer to agent]] --> E([End])",
        "B[Transfer to agent] --> E([Bad luck])", "B[Transfer to agent] --> E([Escalated])",
        "B[Transfer to agent] --> E([Cancelled])",
    ],
)  # fmt: skip
def test_a_step_that_hands_over_stays_where_the_end_or_its_arrow_says_something(way: str) -> None:
    assert mermaid(f"A{{Well?}} -->|a| {way}\nA -->|b| C[Good]").nodes["transfer_to_agent"].edges != ()


def test_where_an_arrow_leads_to_each_box_the_first_one_written_is_the_start_and_lint_says_so() -> None:
    text = "flowchart TD\nA[Ask for the day] --> B{Free?}\nB -->|no| A\nB -->|yes| C[Booked]"
    draft = draft_of(read_mermaid(text, "x.mmd", "x"), "x.mmd")
    assert (draft.graph.start, draft.drawn) == ("ask_for_the_day", Drawn(assumed=(), start_guessed=True))
    told = [w for w in told_of(draft, "x.mmd").warnings if "leads to each box" in w]
    assert told == [
        "x.mmd:2: warning: an arrow leads to each box, so the conversation starts with the first that is written, "
        "'ask_for_the_day'; draw a start box with an arrow to the first step"
    ]


@pytest.mark.parametrize(
    ("box", "start"),
    [
        ("([Customer calls])", "ask_for_the_day"),
        ("((Claim received))", "ask_for_the_day"),
        ("([Incoming chat])", "ask_for_the_day"),
        ("([New customer?])", "new_customer"),
        ("([Good morning])", "good_morning"),
        ("[Customer calls]", "ask_for_the_day"),
        ("[📞 Customer requests a refund]", "ask_for_the_day"),
        ("[Customer calls?]", "customer_calls"),
        ("[[Customer calls]]", "customer_calls"),
        ("[New order]", "new_order"),
        ("[Claim received]", "claim_received"),
    ],
)
def test_what_happened_before_the_conversation_is_not_said_in_it(box: str, start: str) -> None:
    assert mermaid(f"A{box} --> B[Ask for the day] --> C[Bye]").start == start


def test_what_a_box_says_of_the_customer_is_said_where_it_is_not_the_first_or_an_arrow_has_words() -> None:
    assert mermaid("A[Customer calls] -->|a| B[Good]\nA -->|b| C[Bad]").start == "customer_calls"
    assert mermaid("A[Customer calls] -->|a| B[Good] --> C[Bye]").start == "customer_calls"
    assert "customer_calls" in mermaid("A[Hello] --> B[Customer calls] --> C[Bye]").nodes


def test_an_end_asks_for_nothing() -> None:
    graph = mermaid('A{Well?} -->|a| B[Confirm the booking]\nA -->|b| C["Anything else?"]')
    assert [graph.nodes[n].say[0] for n in ("confirm_the_booking", "anything_else")] == [
        "I will now confirm the booking.",
        "Anything else?",
    ]


def test_a_title_with_a_full_stop_does_not_end_the_prompt_twice() -> None:
    graph = graph_of(claims().model_copy(update={"title": "Report a claim."}), "x.mmd")
    assert (graph.title, graph.system) == (
        "Report a claim",
        "You are a helpful assistant for this matter: report a claim.",
    )


def test_a_choice_without_words_has_those_of_the_box_where_it_leads_and_no_built_in_answers() -> None:
    text = "flowchart TD\nA{Which one?} -->|red| B[Good]\nA --> C[Not sure]\nA --> D[Offer blue]"
    draft = draft_of(read_mermaid(text, "x.mmd", "x"), "x.mmd")
    edges = draft.graph.nodes["which_one"].edges
    assert [(e.id, e.to, e.when) for e in edges] == [
        ("red", "good", "red"), ("not_sure", "not_sure", "Not sure"), ("offer_blue", "offer_blue", "Offer blue"),
    ]  # fmt: skip
    assert (kind_of("Not sure"), edges[1].says[0]) == ("unsure", "Not sure.")
    assert not set(edges[1].says) & set(ANSWERS["unsure"])
    assert draft.drawn == Drawn(assumed=(("nodes", "which_one", "edges", 1), ("nodes", "which_one", "edges", 2)))
    assert draft_of(claims(), "x.mmd").drawn == Drawn(assumed=())


def test_what_a_chart_draws_has_its_line_and_what_is_built_in_has_none() -> None:
    escapes = (
        Escape(label="wants a person", target="A", line=40),
        Escape(label="the link is lost", target="C", line=41),
    )
    chart = claims().model_copy(update={"escapes": escapes})
    draft = draft_of(chart, "claims.mmd")
    assert set(draft.graph.interrupts) == {"wants_a_person", "the_link_is_lost", "human", "cancel", "off_topic"}
    places = {
        ("slots", "date_of_loss", "values"): "claims.mmd:2",
        ("tools", "look_up_the_policy"): "claims.mmd:4",
        ("nodes", "offer_a_repair", "say", 0): "claims.mmd:6",
        ("nodes", "offer_a_repair", "edges", 2, "says"): "claims.mmd:10",
        ("interrupts", "wants_a_person", "says", 0): "claims.mmd:40",
        ("interrupts", "the_link_is_lost", "says"): "claims.mmd:41",
        ("nodes", "heard_the_link_is_lost", "say"): "claims.mmd:41",
        ("interrupts", "cancel", "says"): "claims.mmd",
        ("interrupts", "off_topic", "say"): "claims.mmd",
    }
    assert {loc: draft.source.place("claims.mmd", loc) for loc in places} == places


def test_a_conversation_through_hundreds_of_boxes_is_played_to_its_end() -> None:
    asks = "\n".join(f"n{i}[Ask for part {i}] --> n{i + 1}" for i in range(300))
    graph = mermaid(f"{asks}\nn300{{Again?}} -->|yes| n0\nn300 -->|no| n301([Done])\nS([Start]) --> n0")
    scenario = next(s for s in sample(graph, 20, "train", MANY_DEVIATIONS, 0.0, seed=1) if len(s.path) > 600)
    made = converse(graph, scenario, "train")
    assert made.ending == "done"
    assert sum(m.role == "assistant" for m in made.messages) > 600


MISTAKES = {
    "no start": (
        "A[x] -->|a| B[y]\nC[z] -->|b| A\nC -->|c| C2[u] --> C",
        "2: no box is the start, for an arrow leads to each, and from the first one not all can be reached; draw a",
    ),
    "no end": ("A[x] --> B[y]\nB --> A", "2: no end can be reached from box 'A'; give its loop a way out"),
    "two starts": (
        "A[x] --> C[z]\nB[y] --> C",
        "3: 2 boxes may be the start: 'A' (line 2), 'B' (line 3); leave one, and lead an arrow to each of the others",
    ),
    "arrows without labels": (
        "A[x] --> B[y]\nA --> B",
        "2: 2 arrows leave box 'A', and this one has no label; write on each when it is taken, and in the box what",
    ),
    "a question with an arrow without a label": (
        "A{x?} -->|yes| B[y]\nA --> C([End])",
        "3: an arrow of the question 'A' has no label; write on it which answer leads there",
    ),
    "a question with one arrow, without a label": (
        "A{x?} --> B[y]",
        "2: an arrow of the question 'A' has no label; write on it which answer leads there",
    ),
    "an arrow that leads where the words of another do": (
        "A{x?} -->|Yes| B[y]\nA --> C[yes]",
        "3: an arrow of the question 'A' has no label; write on it which answer leads there",
    ),
    "results of a tool without labels": (
        "A[x] --> T[[Find it]]\nT --> B[y]\nT --> C[z]",
        "3: 2 arrows leave box 'T', and this one has no label; write on each when it is taken",
    ),
    "results of a tool without labels behind a question": (
        "A[x] --> T[[Find it]] --> J@{ shape: junction } --> Q{Found?}\nQ -->|yes| B[y]\nQ --> C[z]",
        "4: an arrow of the question 'Q' has no label; write on it which answer leads there",
    ),
    "the same label twice": (
        "A{x?} -->|Yes| B[y]\nA -->|yes.| C[z]",
        "3: two arrows of box 'A' have the label 'yes.', the other on line 2; tell them apart or remove one",
    ),
    "a label without words": ("A{x?} -->|+| B[y]", "2: nobody can say the label '+' of this arrow; write words"),
    "an unreachable box": (
        "S([Start]) --> A[x] --> B[y]\nC[z] --> B",
        "3: box 'C' is unreachable from the start, 'S'; lead an arrow to it or remove it",
    ),
    "a loop without a way out": (
        "S[go] --> Q{x?}\nQ -->|yes| E[Bye]\nQ -->|no| A[y] --> B[z] --> A",
        "4: no end can be reached from box 'A'; give its loop a way out",
    ),
    "a loop without words": (
        'S[go] --> A[" "] --> B[" "] --> A',
        "2: box 'A' is in a loop of boxes without words; give it a way out",
    ),
    "a tool without results": ("A[x] --> T[[y]]", "2: no arrow leaves the tool 'T'; draw one for each result"),
    "a question without answers": ("A[x] --> Q{y?}", "2: no arrow leaves the question 'Q'; draw one for each answer"),
    "a start that goes two ways": (
        "S([Start]) -->|a| B[y]\nS -->|b| C[z]",
        "3: the start 'S' asks nothing, but its arrows want an answer; put a box behind it that asks which way to go",
    ),
    "a start with a labelled arrow": (
        "S([Start]) -->|a| B[y] --> C[z]",
        "2: the start 'S' asks nothing, but its arrows want an answer; remove the label",
    ),
    "a hub without words": (
        'S[go] --> A[" "]\nA -->|a| B[y]\nA -->|b| C[z]',
        "2: box 'A' has no words, so nobody can answer; write in it what the customer is asked",
    ),
    "an end at the start": ("S([Start]) --> E[Bye]", "2: the conversation ends with its first box, 'E'; put a step"),
    "a single box": ("E[Bye]", "2: the conversation ends with its first box, 'E'; put a step before it"),
    "too many answers": (
        "\n".join(f"A{{x?}} -->|{i}| n{i}" for i in range(31)),
        "2: 31 arrows leave box 'A', at most 30 can be told apart; ask in two steps",
    ),
    "a label that nobody can say": (
        f"A[{'x ' * 300}] --> B[y]",
        "2: a label of 599 characters is too long to be said, at most 400; shorten it, or split the box",
    ),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_named_with_line_and_remedy(name: str) -> None:
    text, expected = MISTAKES[name]
    with pytest.raises(UserError) as raised:
        mermaid(text)
    assert str(raised.value).startswith(f"x.mmd:{expected}")


def test_mistakes_that_only_other_formats_can_make_are_named_too() -> None:
    good = claims(collects=False)
    end = good.boxes["E"].model_copy(update={"kind": "end"})
    for change, expected in (
        ({"start": "nobody"}, "1: the start is box 'nobody', which does not exist"),
        (
            {"arrows": (*good.arrows, Arrow(source="E", target="X", line=9))},
            "9: this arrow joins box 'X', which does not",
        ),
        (
            {"escapes": (Escape(label="x", target="X", line=8),)},
            "8: this way out leads to box 'X', which does not exist",
        ),
        ({"escapes": (Escape(label="", target="D", line=8),)}, "8: this way out has no words"),
        (
            {"boxes": {**good.boxes, "E": end}, "arrows": (*good.arrows, Arrow(source="E", target="D", line=9))},
            "11: box 'E' is drawn as an end, but an arrow leaves it; remove the arrow or draw a step",
        ),
    ):
        with pytest.raises(UserError) as raised:
            graph_of(good.model_copy(update=change), "x.bpmn")
        assert str(raised.value).startswith(f"x.bpmn:{expected}")


def test_an_escape_to_a_tool_is_heard_before_the_tool_is_called() -> None:
    graph = graph_of(claims().model_copy(update={"escapes": (Escape(label="Bill", target="C", line=3),)}), "x")
    assert graph.interrupts["bill"].to == "heard_bill"
    assert graph.nodes["heard_bill"].edges[0].to == "look_up_the_policy"
    assert_playable(graph)


def test_a_chart_in_another_language_is_refused_where_that_shows() -> None:
    german = """flowchart TD
  A[Kundennummer erfragen] --> B{Ist die Nummer gültig?}
  B -- ja --> C[Den Schaden aufnehmen]
  B -- nein --> D[An eine Kollegin übergeben]
"""
    with pytest.raises(UserError) as raised:
        graph_of(read_mermaid(german, "schaden.mmd", "schaden"), "schaden.mmd")
    assert str(raised.value) == (
        "schaden.mmd:3: the chart is in German, and a chart's users and assistant are given English phrases; translate "
        "its labels, or write the procedure with phrases of its own (docs/procedure.md)"
    )


def test_boxes_called_by_a_letter_are_in_no_language() -> None:
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    chain = "\n".join(f"  {a} --> {b}" for a, b in pairwise(letters))
    assert len(mermaid(chain).nodes) > len(letters)
