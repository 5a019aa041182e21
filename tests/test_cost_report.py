"""The cost section on hand-written metrics: what is read from where, and what is not known."""

from __future__ import annotations

from typing import Any

import pytest

from flowc.cost import Need
from flowc.cost_report import alternatives, cost_section, curve, held, lead, needs, own, rivals
from flowc.metrics import Metrics
from flowc.records import UserError
from flowc.spend import Price, PricesParams
from tests.parcel import ASSUMED, PRICES, benchmark, generation, row_of, scores, training


def metrics(**changed: Any) -> Metrics:
    timings = {"base": 60.0, "train": 3480.0, "baseline floor": 900.0, "evaluate": None}
    values = {"generation": generation(), "training": training(), "benchmark": benchmark(), "scores": scores()}
    return Metrics("parcel", **(values | {"examples": {}, "timings": timings} | changed))


def test_the_highest_load_that_keeps_the_latency_gives_the_machines_capacity() -> None:
    found = own(metrics())
    assert found is not None
    # At 16 requests at once 95 of 100 first tokens take up to 2,400 ms: too long. At 4 it is 600.
    assert found.concurrency == 4
    assert found.tokens_per_second == pytest.approx(20 * 4**0.6)
    assert found.machine.conversations_per_hour == pytest.approx(3600 * 20 * 4**0.6 / 180)
    # An hour less a minute of training, and a minute for the base; baselines are no part of compiling.
    assert found.compiling == pytest.approx(0.1 * 3540 / 3600)


def test_what_the_teacher_was_paid_is_part_of_compiling() -> None:
    def compiled(dollars: float | None) -> Metrics:
        return metrics(generation=generation() | {"teacher": {"dollars": {"m": dollars}}})

    machine = own(metrics())
    paid = own(compiled(4.5))
    assert machine is not None and paid is not None
    assert paid.compiling == pytest.approx(machine.compiling + 4.5)
    said = "\n".join(cost_section(compiled(4.5), PRICES, ASSUMED, ""))
    assert "Compiling costs USD 4.60: 0.098 of the machine's time, 4.50 for the teacher's answers." in said
    # 77.60 a month in place of 73.10, and each conversation with the flowchart in plain-2's prompt is 0.0060.
    assert row_of(said, "1,000")[3] == "77.60"
    said = "\n".join(cost_section(compiled(None), PRICES, ASSUMED, ""))
    assert "Compiling costs USD 0.098 of the machine's time, and what the teacher's answers cost is not known." in said
    assert (
        "Compiling costs USD 0.098 of the machine's time. The machine keeps"
        in cost_section(metrics(), PRICES, ASSUMED, "")[0]
    )


def test_always_busy_and_a_full_machine_are_told_apart() -> None:
    found, said = own(metrics()), "\n".join(cost_section(metrics(), PRICES, ASSUMED, ""))
    assert found is not None
    assert found.most_per_hour == pytest.approx(0.1 / 0.000192)
    # 919 conversations an hour within the service levels, 521 by the tokens and the highest rates.
    assert (
        "Always busy means here 521 conversations an hour, at the highest rates; a full machine above takes 919,"
        in said
    )
    assert row_of(said, "Conversations a month")[2] == "Full to"


def test_without_a_load_that_keeps_the_latency_nothing_is_claimed() -> None:
    strict = metrics(benchmark=benchmark() | {"levels": {"ttft_ms": 10, "tpot_ms": 180}})
    assert own(strict) is None
    assert cost_section(strict, PRICES, ASSUMED, "")[0].startswith("Cost by volume: not run: ")
    assert lead(strict, PRICES, ASSUMED).endswith("as many). What a conversation costs was not measured.")
    assert curve(strict, PRICES, ASSUMED) == ([], [])


def test_the_flowchart_in_the_prompt_comes_on_top_of_every_call_and_recurs() -> None:
    found = needs(scores())
    # System prompts of 40 and 1,000 tokens; 9.25 calls a conversation.
    assert found["compiled"] == Need(2400, 1760, 180.4)
    assert found["in_context"] == Need(2400 + 9.25 * 960, 1760 + 8.25 * 960, 180.4)
    assert "orchestrated" not in found


def test_an_orchestrated_conversation_is_taken_as_long_as_the_compiled_one() -> None:
    more = scores()
    more["arms"]["orchestrated"] = {"tokens": {
        "prompt_per_conversation": 900.0, "completion_per_conversation": 90.0, "calls_per_conversation": 6.0,
        "messages_per_conversation": 3.0, "recurring_per_conversation": None, "system_prompt": None,
    }}  # fmt: skip
    assert needs(more)["orchestrated"] == Need(900 * 9.25 / 3, None, 90 * 9.25 / 3)


def test_a_frontier_arm_that_was_run_stands_with_its_own_tokens() -> None:
    more = scores()
    more["arms"]["frontier_in_context"] = {"tokens": more["arms"]["floor"]["tokens"]}
    assert needs(more)["in_context"] == Need(2500, 1850, 180.4)
    assert held(more)["in_context"] == held(scores())["in_context"]  # that of the same small model
    small, _, _ = alternatives(more, PRICES, Price(input=1.0, output=1.0))
    assert small.plain == pytest.approx((2400 + 9.25 * 960 + 180.4) / 1e6)


def test_the_lead_compares_tokens_over_as_many_calls_and_names_the_cheaper_way() -> None:
    lost = scores()
    for key, value in (("prompt", 3600.0), ("calls", 3.0), ("messages", 3.0), ("recurring", 2000.0)):
        lost["arms"]["in_context"]["tokens"][f"{key}_per_conversation"] = value
    lost["arms"]["orchestrated"] = {"tokens": {
        "prompt_per_conversation": 900.0, "completion_per_conversation": 90.0, "calls_per_conversation": 6.0,
        "messages_per_conversation": 3.0, "recurring_per_conversation": None, "system_prompt": None,
    }}  # fmt: skip
    said = lead(metrics(scores=lost), PRICES, ASSUMED)
    assert "takes 2,580 tokens (the same one with the whole flowchart in its prompts 11,460, 4.4 times as many)" in said
    assert said.endswith("small-1 3.87 (in_context), plain-2 1.94 (orchestrated).")


def test_alternatives_are_priced_with_and_without_the_providers_cache() -> None:
    small, plain = alternatives(scores(), PRICES, None)
    prompt, cached = 2400 + 9.25 * 960, 1760 + 8.25 * 960
    assert (small.way, small.model) == ("in_context", "small-1")
    assert small.plain == pytest.approx((prompt * 1.0 + 180.4 * 5) / 1e6)
    assert small.cached == pytest.approx(((prompt - cached) * 1.25 + cached * 0.1 + 180.4 * 5) / 1e6)
    assert (plain.model, plain.cached, plain.best) == ("plain-2", None, plain.plain)


def test_the_tables_show_volume_utilisation_and_break_even() -> None:
    page = "\n\n".join(cost_section(metrics(), PRICES, ASSUMED, "(picture)"))
    # A month of the machine is USD 73 and compiling 0.098.
    assert row_of(page, "1,000")[1:4] == ["1", "0.1 %", "73.10"]
    assert row_of(page, "10,000")[3:] == ["7.31", "3.87", "6.00"]
    assert row_of(page, "1,000,000")[1:3] == ["2", "74.5 %"]
    assert row_of(page, "without the prefix cache")[1:] == ["30.00", "0.60", "0.30"]
    assert row_of(page, "in_context, plain-2")[1:3] == ["6.00", "—"]
    assert row_of(page, "in_context, plain-2")[4:] == ["17", "12,182"]
    assert row_of(page, "in_context, same small model")[5] == "—"
    assert "plain-2 2026-10-01 (https://prices.example/plain)" in page


def test_the_curve_falls_to_a_full_machine_and_steps_up_with_the_next() -> None:
    points, lines = curve(metrics(), PRICES, ASSUMED)
    found = own(metrics())
    assert found is not None
    volumes = dict(points)
    full = float(int(found.machine.conversations_per_hour * 730))
    assert volumes[100] == pytest.approx(1000 * (73 + found.compiling) / 100)
    assert volumes[full + 1] > 1.9 * volumes[full]
    assert [(line.name, line.met) for line in lines] == [
        ("small-1, in_context", 18_889), ("plain-2, in_context", 12_182)
    ]  # fmt: skip


def test_scores_without_tokens_leave_the_alternatives_open() -> None:
    bare = scores()
    for arm in bare["arms"].values():
        del arm["tokens"]
    page = "\n\n".join(cost_section(metrics(scores=bare), PRICES, ASSUMED, ""))
    assert "Other ways to hold the conversation: not measured: the arms' tokens are not known." in page


def test_a_model_without_a_price_is_refused_by_name() -> None:
    assert rivals(PricesParams(models=PRICES), ASSUMED) == PRICES
    with pytest.raises(UserError, match=r"small-1 has no price; add it to conf/prices\.yaml"):
        rivals(PricesParams(models={}), ASSUMED)
