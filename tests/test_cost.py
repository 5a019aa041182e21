"""Cost: the published figures to the digit, and the arithmetic of caches, idle machines and volume."""

from __future__ import annotations

import pytest

from flowc.benchmark import dollars_per_million
from flowc.cost import (
    Machine,
    Need,
    break_even,
    break_even_volume,
    dollars,
    machines,
    own_price,
    per_thousand,
)
from flowc.spend import Price

# arXiv 2605.22502: an A100 at $2.50 an hour, 15,000 prefill and 3,000 decode tokens a second; Claude Sonnet 4.5.
A100 = own_price(dollars_per_million(2.50, 15_000), dollars_per_million(2.50, 3_000))
SONNET = Price(input=3.0, output=15.0, cache_read=0.3, cache_write=3.75)
# How many times the tokens of a compiled conversation one with the procedure in its prompt takes.
FACTORS = {"travel": 1.98, "zoom": 4.57, "insurance": 7.13}
PUBLISHED = {"travel": (0.133, 0.0010, 128), "zoom": (0.103, 0.0003, 296), "insurance": (0.327, 0.0007, 462)}


def test_the_prices_of_a_token_are_the_papers() -> None:
    assert (round(A100.input, 4), round(A100.output, 4)) == (0.0463, 0.2315)
    assert [round(x, 1) for x in (SONNET.input / A100.input, SONNET.output / A100.output)] == [64.8, 64.8]


@pytest.mark.parametrize("domain", FACTORS)
def test_the_ratios_are_the_papers_whatever_a_conversation_has_of_each_token(domain: str) -> None:
    *_, ratio = PUBLISHED[domain]
    for prompt, completion in ((3000, 300), (10, 900)):
        own = Need(prompt, None, completion)
        long = Need(prompt * FACTORS[domain], None, completion * FACTORS[domain])
        assert round(dollars(long, SONNET, cache=False) / dollars(own, A100, cache=False)) == ratio


@pytest.mark.parametrize("domain", FACTORS)
def test_the_compiled_column_follows_from_the_in_context_one(domain: str) -> None:
    in_context, compiled, _ = PUBLISHED[domain]
    prompt = in_context / SONNET.input * 1e6  # of prompt tokens alone: input and output have the same ratio
    assert dollars(Need(prompt, None, 0), SONNET, cache=False) == pytest.approx(in_context)
    assert round(dollars(Need(prompt / FACTORS[domain], None, 0), A100, cache=False), 4) == compiled


def test_compiling_has_paid_after_about_five_hundred_conversations() -> None:
    # $50 to $80 once, against $0.133 with the procedure in the prompt: the paper says about 500.
    assert [break_even(c, 0.0010, 0.133) for c in (50, 65, 80)] == [379, 493, 607]
    assert break_even(50, 0.2, 0.1) is None


def test_a_cache_spares_reading_and_may_cost_writing() -> None:
    need = Need(prompt=10_000, cached=8_000, completion=100)
    assert dollars(need, SONNET, cache=False) == pytest.approx(0.03 + 0.0015)
    assert dollars(need, SONNET, cache=True) == pytest.approx(0.0075 + 0.0024 + 0.0015)
    own = own_price(1.0, 10.0)
    assert dollars(need, own, cache=True) == pytest.approx(0.002 + 0.001)


def test_prompts_that_share_no_beginning_gain_nothing_and_pay_no_writing() -> None:
    need = Need(prompt=10_000, cached=None, completion=100)
    assert dollars(need, SONNET, cache=True) == dollars(need, SONNET, cache=False)


def test_machines_are_counted_whole_and_paid_idle() -> None:
    machine = Machine(dollars_per_hour=2.0, conversations_per_hour=100)  # 73,000 a month for $1,460
    assert [machines(v, machine) for v in (1, 73_000, 73_001)] == [1, 1, 2]
    assert per_thousand(1_000, machine, compiling=40) == pytest.approx(1500)
    assert per_thousand(73_000, machine, compiling=0) == pytest.approx(20)


def test_the_break_even_volume_is_the_first_at_which_renting_costs_no_more() -> None:
    machine = Machine(dollars_per_hour=2.0, conversations_per_hour=100)
    found = break_even_volume(0.05, machine, compiling=40)
    assert found == 30_000
    assert per_thousand(found, machine, 40) <= 50 < per_thousand(found - 1, machine, 40)


def test_a_dear_compile_may_pay_only_with_several_machines() -> None:
    machine = Machine(dollars_per_hour=2.0, conversations_per_hour=100)
    found = break_even_volume(0.021, machine, compiling=200)
    assert found is not None and machines(found, machine) == 3
    assert per_thousand(found, machine, 200) <= 21 < per_thousand(2 * 73_000, machine, 200)
    assert break_even_volume(0.02, machine, compiling=0) is None
