"""Batches against a scripted provider that follows the published shapes of both APIs."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from flowc.completion import Fault
from flowc.graph import Graph
from flowc.providers import Access
from flowc.records import UserError
from flowc.response_cache import ResponseCache
from tests.provider_script import INPUT, KEY, OUTPUT, Provider, provider
from tests.test_llm_teacher import LLM, Run, families_of, teacher

BOTH = pytest.mark.parametrize("name", ["anthropic", "openai"])


def sent(server: Provider) -> Counter[str]:
    """Count how often each request was sent in a batch."""
    return Counter(key for requests in server.batches.values() for key, _ in requests)


@BOTH
@pytest.mark.parametrize(("mode", "live"), [("waves", "turns"), ("batch", "conversation")])
def test_batches_ask_what_live_calls_ask_and_cost_less(
    table: Graph, tmp_path: Path, name: str, mode: str, live: str
) -> None:
    price = LLM.price.model_copy(update={"batch": 0.5}) if LLM.price else None
    with provider() as server:
        batched = Run(table, server, tmp_path / "r.sqlite", name, mode=mode, price=price)
        assert server.calls == 0
        assert set(sent(server).values()) == {1}
        count = len(sent(server))
        assert batched.report["dollars"] == {"m": pytest.approx(count * (INPUT + 2 * OUTPUT) / 2e6)}
        again = Run(table, server, tmp_path / "r.sqlite", name, mode=live, price=price)
        assert again.bytes == batched.bytes
        assert server.calls == 0  # a live call finds the answer of a batch


@BOTH
def test_a_wave_is_one_batch_for_each_turn(table: Graph, tmp_path: Path, name: str) -> None:
    with provider() as server:
        run = Run(table, server, tmp_path / "r.sqlite", name, mode="waves")
        waves = len(server.batches)
    spoken = [sum(m.role in ("user", "assistant") and not m.tool_calls for m in c.messages) for c in run.written]
    # Trunks first; then their branches, which need only their own turns.
    assert waves <= 2 * max(spoken)
    assert waves >= max(spoken)


@BOTH
def test_only_what_expired_or_failed_is_sent_again(table: Graph, tmp_path: Path, name: str) -> None:
    fates = ["expired", "", "errored", ""]
    with provider() as server:
        server.batch_spoil = lambda n: fates[n] if n < len(fates) else ""
        run = Run(table, server, tmp_path / "r.sqlite", name, mode="batch")
        first = server.batches["batch_1"]
        again = sent(server)
    assert {key: n for key, n in again.items() if n > 1} == {first[0][0]: 2, first[2][0]: 2}
    assert [key for key, _ in server.batches["batch_2"]] == [first[0][0], first[2][0]]
    assert run.report["this_run"]["faults"] == {Fault.EXPIRED: 1, Fault.SERVER_ERROR: 1}
    assert run.report["dropped"] == {}


@BOTH
def test_a_batch_that_is_not_found_at_once_is_waited_for(table: Graph, tmp_path: Path, name: str) -> None:
    with provider() as server:
        server.unseen = 5
        run = Run(table, server, tmp_path / "r.sqlite", name, mode="batch")
        assert set(sent(server).values()) == {1}
    assert run.report["this_run"]["faults"] == {}


@BOTH
def test_a_request_that_a_batch_refuses_ends_the_stage_and_the_others_are_kept(
    table: Graph, tmp_path: Path, name: str
) -> None:
    with provider() as server:
        server.batch_spoil = lambda n: "invalid" if n == 0 else ""
        with pytest.raises(UserError, match=r"refused 1 requests of a batch: .*too odd"):
            Run(table, server, tmp_path / "r.sqlite", name, mode="batch")
        count = len(server.batches["batch_1"])
        with ResponseCache(tmp_path / "r.sqlite") as cache:
            assert cache.open_batches() == []
            kept = [key for key, _ in server.batches["batch_1"] if cache.get(key)]
    assert len(kept) == count - 1


@BOTH
def test_what_does_not_fit_into_the_cap_at_once_goes_in_several_batches(
    table: Graph, tmp_path: Path, name: str
) -> None:
    with provider() as server:
        Run(table, server, tmp_path / "r.sqlite", name, mode="batch", cap=0.03)
        assert len(server.batches) > 2
        assert set(sent(server).values()) == {1}


@BOTH
def test_a_creation_without_an_answer_is_in_the_account_and_tried_again(
    table: Graph, tmp_path: Path, name: str
) -> None:
    with provider() as server:
        server.creation_spoil = lambda n: "nothing" if n == 0 else "500" if n == 1 else ""
        run = Run(table, server, tmp_path / "r.sqlite", name, mode="batch")
    now = run.report["this_run"]
    assert now["faults"] == {Fault.NO_ANSWER: 1, Fault.SERVER_ERROR: 1}
    assert now["dollars_perhaps_lost"] > now["dollars_paid"] > 0
    assert run.report["dropped"] == {}


def generate_in(folder: Path, graph: Graph, name: Any, url: str) -> None:
    teacher(graph, folder / "r.sqlite", name, mode="waves").write(families_of(graph), Access(url, KEY))


@BOTH
def test_a_crash_while_waiting_resumes_the_same_batch(table: Graph, tmp_path: Path, name: str) -> None:
    fork = multiprocessing.get_context("fork")
    (tmp_path / "calm").mkdir()
    with provider() as server:
        undisturbed = Run(table, server, tmp_path / "calm" / "r.sqlite", name, mode="waves").bytes
    with provider() as server:
        url = server.url if name == "anthropic" else f"{server.url}/v1"
        for number in (1, 2, 3):
            server.stuck = f"batch_{number}"
            process = fork.Process(target=generate_in, args=(tmp_path, table, name, url))
            process.start()
            deadline = time.monotonic() + 60
            while server.polls[server.stuck] < 2:
                assert time.monotonic() < deadline
                time.sleep(0.01)
            os.kill(process.pid or 0, signal.SIGKILL)
            process.join()
        server.stuck = ""
        run = Run(table, server, tmp_path / "r.sqlite", name, mode="waves")
        assert run.bytes == undisturbed
        assert set(sent(server).values()) == {1}
        assert run.report["this_run"]["dollars_perhaps_lost"] == pytest.approx(0, abs=1e-9)
