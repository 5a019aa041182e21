"""The report's part on load: which loads keep the service levels, and what was offered."""

from __future__ import annotations

from flowc.serving_report import cost_table, kept_up_with, levels_said, offered_rates, offered_table, serving_table
from tests.parcel import benchmark, row_of


def test_the_loads_that_keep_the_levels_end_at_the_first_that_does_not() -> None:
    found = benchmark()
    kept, broken = kept_up_with(found, "cold")
    # At 16 requests at once 95 of 100 first tokens take up to 2,400 ms, with a warm cache 1,440.
    assert [row["concurrency"] for row in kept] == [1, 4]
    assert broken is not None and broken["concurrency"] == 16
    assert [row["concurrency"] for row in kept_up_with(found, "warm")[0]] == [1, 4, 16]
    for row in found["rows"]:
        if row["concurrency"] == 4:
            row["tpot_ms"]["p95"] = 181.0
    kept, broken = kept_up_with(found, "warm")
    assert [row["concurrency"] for row in kept] == [1]  # 16 keeps them, above one that does not
    assert broken is not None and broken["concurrency"] == 4


def test_the_levels_stand_with_the_highest_load_that_keeps_them() -> None:
    said = levels_said(benchmark())
    assert said.startswith("Service levels: 2 s to the first token and 180 ms a further one.")
    assert "up to 4 requests at once with a cold prefix cache (not 16), up to 16 requests at once with a warm" in said
    none = benchmark() | {"levels": {"ttft_ms": 1, "tpot_ms": 180}}
    assert "no load measured with a cold prefix cache (not 1)" in levels_said(none)
    assert levels_said({}) == "Service levels: not measured."


def test_it_is_said_on_how_few_requests_a_level_rests() -> None:
    assert levels_said(benchmark()).endswith(
        " Each load was measured on 2 to 32 requests, so that one slow one may decide."
    )
    assert row_of(serving_table(benchmark()), "cold, 4")[1] == "8"
    assert row_of(offered_table(benchmark()), "25 %")[1] == "12"


def test_a_conversation_stands_with_its_price_by_tokens_and_by_time() -> None:
    found = benchmark()
    found["cost"]["usd_per_conversation_by_time"] = 0.00033
    table = cost_table(found)
    assert row_of(table, "A conversation, by tokens at the highest rates")[1] == "0.00019"
    assert row_of(table, "A conversation, by the time that a few at once took")[1] == "0.00033"


def test_goodput_stands_beside_what_was_offered_and_its_price() -> None:
    table = offered_table(benchmark())
    # USD 0.1 an hour, 9.25 requests a conversation: 1.25 good ones a second are 486 conversations an hour.
    assert row_of(table, "25 %")[2:] == ["1.30", "1.25", "1.25", "300 / 900 / 1,000", "50 / 60 / not measured", "0.21"]
    assert row_of(table, "100 %")[2:5] == ["5.20", "4.60", "0.00"]
    assert row_of(table, "100 %")[-1] == "—"
    assert offered_rates(benchmark()) == [(1.3, 1.25, 1.25), (5.2, 4.6, 0.0)]
    assert offered_table({}) == "Offered load: not run: no rates were measured"


def test_rates_that_contradict_one_another_are_remarked_on() -> None:
    assert "so something else ran on the machine" not in offered_table(benchmark())
    found = benchmark()
    found["offered"][0]["goodput_per_second"] = 0.0
    found["offered"][1]["goodput_per_second"] = 4.6
    assert "A rate was served in time more often than a lower one, so something else ran" in offered_table(found)


def test_every_row_of_the_sweep_has_its_goodput() -> None:
    assert row_of(serving_table(benchmark()), "cold, 4")[3] == "1.50"
    bare = benchmark()
    del bare["rows"][0]["goodput_per_second"]
    assert row_of(serving_table(bare), "warm, 1")[3] == "not measured"
