"""The account: bounds before a call, costs after it, and a cap that nothing passes."""

from __future__ import annotations

from datetime import date

import pytest

from flowc.completion import Response, Stop
from flowc.records import UserError
from flowc.spend import CapReached, ListPrice, Price, PricesParams, Spend, cost, likely, most, price_for
from tests.test_response_cache import request

PRICE = Price(input=2, output=10, cache_read=0.1, cache_write=2.5, batch=0.5)
PRICES = PricesParams(models={"known": ListPrice(input=1, output=5, as_of=date(2026, 11, 25), source="a page")})


def answer(batch: bool = False) -> Response:
    return Response(
        text="", stop=Stop.END, model="m", input_tokens=1_000_000, cache_read_tokens=2_000_000,
        cache_write_tokens=4_000_000, output_tokens=500_000, batch=batch,
    )  # fmt: skip


def test_a_cost_counts_what_was_read_from_and_written_to_the_cache() -> None:
    assert cost(answer(), PRICE) == pytest.approx(2 + 0.2 + 10 + 5)
    assert cost(answer(), Price(input=2, output=10)) == pytest.approx(2 + 4 + 8 + 5)


def test_a_batch_costs_its_share() -> None:
    assert cost(answer(batch=True), PRICE) == pytest.approx(17.2 / 2)


def test_the_bound_is_a_token_a_byte_at_the_dearest_price_and_the_longest_answer() -> None:
    asked = request("é" * 500, system="", max_tokens=1000)
    assert asked.size == 1000
    assert most(asked, PRICE, batch=False) == pytest.approx((2000 * 2.5 + 1000 * 10) / 1e6)
    assert most(asked, PRICE, batch=True) == pytest.approx((2000 * 2.5 + 1000 * 10) / 2e6)


def test_an_estimate_takes_four_bytes_a_token() -> None:
    assert likely(request("x" * 800, system=""), "y" * 400, PRICE, batch=False) == pytest.approx((200 * 2 + 1000) / 1e6)


def test_a_prompt_that_may_be_too_long_for_the_price_is_refused() -> None:
    limited = Price(input=1, output=1, prompt_limit=2000)
    assert most(request("x" * 900, system=""), limited, False) > 0
    with pytest.raises(UserError, match="2,000 tokens, above which its price is not known"):
        most(request("x" * 1001, system=""), limited, False)


def test_a_known_model_has_its_price_and_the_users_own_comes_first() -> None:
    assert price_for(PRICES, "known", None, 5.0) == PRICES.models["known"]
    assert price_for(PRICES, "known", PRICE, 5.0) == PRICE


def test_an_unknown_price_needs_the_word_none_for_a_cap() -> None:
    with pytest.raises(
        UserError, match=r"no price is known for the model 'new'.*generate\.llm\.price.*generate\.llm\.cap"
    ):
        price_for(PRICES, "new", None, 5.0)
    assert price_for(PRICES, "new", None, "none") is None


def test_what_is_held_used_and_lost_together_never_passes_the_cap() -> None:
    spend = Spend(1.0, Price(input=1, output=1))
    assert spend.reserve(0.6)
    assert not spend.reserve(0.5)  # waits for the first
    spend.lose(0.6)
    with pytest.raises(CapReached, match=r"cap of \$1 leaves \$0.4000, and the next call may cost \$0.5000"):
        spend.reserve(0.5)
    assert spend.reserve(0.4)


def test_settling_replaces_the_bound_by_the_cost_and_an_old_answer_counts_too() -> None:
    spend = Spend(10.0, Price(input=1, output=1))
    old = answer().model_copy(update={"cache_read_tokens": 0, "cache_write_tokens": 0})
    spend.use(old)
    assert (spend.used, spend.paid) == (1.5, 0)
    assert spend.reserve(8.5)
    spend.settle(old, 8.5)
    assert (spend.used, spend.paid, spend.held, spend.left) == (3.0, 1.5, 0, 7.0)


def test_no_cap_holds_nothing_back() -> None:
    spend = Spend("none", None)
    assert spend.most(request(), False) == 0
    assert spend.reserve(10**9)
