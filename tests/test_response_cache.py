"""The response cache: content addresses, two writers, and what a killed process leaves behind."""

from __future__ import annotations

import multiprocessing
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from flowc.completion import Request, Response, Said, Stop
from flowc.response_cache import Batch, ResponseCache


def request(text: str = "hello", **changes: Any) -> Request:
    base = Request(
        provider="openai", model="m", system="s", messages=(Said(role="user", text=text),), temperature=None,
        effort=None, max_tokens=10, grows=False, seed=1,
    )  # fmt: skip
    return base.model_copy(update=changes)


def response(text: str = "fine") -> Response:
    return Response(
        text=text, stop=Stop.END, model="m", input_tokens=3, cache_read_tokens=0, cache_write_tokens=0, output_tokens=2,
        batch=False,
    )  # fmt: skip


def test_an_answer_is_found_by_all_of_its_request_and_by_nothing_less(tmp_path: Path) -> None:
    with ResponseCache(tmp_path / "side" / "r.sqlite") as cache:
        cache.put(request().key, request(), response(), 0)
        assert cache.get(request().key) == response()
        others: list[dict[str, Any]] = [
            {"model": "n"}, {"system": "t"}, {"temperature": 0.5}, {"max_tokens": 11}, {"seed": 2}, {"effort": "low"},
            {"properties": ("line_1",)}, {"provider": "anthropic"},
        ]  # fmt: skip
        assert [o for o in others if cache.get(request(**o).key)] == []


def test_the_key_of_a_request_never_changes() -> None:
    assert request().key == "4b62d487d6906be4343b49e5ab5cf3d409dead7880447a0f24c0ef1781c5a979"


def test_answers_outlive_the_process_and_the_first_of_two_holds(tmp_path: Path) -> None:
    with ResponseCache(tmp_path / "r.sqlite") as cache:
        assert cache.put(request().key, request(), response("first"), 0) == response("first")
    with ResponseCache(tmp_path / "r.sqlite") as cache:
        assert cache.put(request().key, request(), response("second"), 0) == response("first")


def test_what_was_in_flight_at_a_kill_stays_in_the_account(tmp_path: Path) -> None:
    key = request().key
    with ResponseCache(tmp_path / "r.sqlite") as cache:
        cache.start([(key, 0.25)])  # and here the process is killed
    with ResponseCache(tmp_path / "r.sqlite") as cache:
        assert cache.lost(key) == 0.25
        cache.start([(key, 0.5)])
        cache.put(request().key, request(), response(), 0.5)
        assert cache.lost(key) == 0.25
        cache.start([(key, 0.5)])
        cache.end([(key, 0.5)])
        assert cache.lost(key) == 0.25


def test_a_call_that_was_not_charged_leaves_nothing(tmp_path: Path) -> None:
    with ResponseCache(tmp_path / "r.sqlite") as cache:
        cache.start([("a", 0.1), ("b", 0.3)])
        cache.end([("a", 0.1)])
        assert (cache.lost("a"), cache.lost("b")) == (0, 0.3)


def test_a_batch_is_remembered_with_its_requests_until_it_is_closed(tmp_path: Path) -> None:
    batch = Batch("batch_1", (request("one"), request("two\nlines")))
    with ResponseCache(tmp_path / "r.sqlite") as cache:
        cache.open_batch(batch)
    with ResponseCache(tmp_path / "r.sqlite") as cache:
        assert cache.open_batches() == [batch]
        cache.close_batch("batch_1")
        assert cache.open_batches() == []


def write(path: Path, name: str, count: int) -> None:
    with ResponseCache(path) as cache:
        for i in range(count):
            asked = request(f"{name} {i}")
            cache.start([(asked.key, 0.1)])
            cache.put(asked.key, asked, response(f"{name} {i}"), 0.1)


def test_several_processes_write_at_once_and_lose_nothing(tmp_path: Path) -> None:
    path = tmp_path / "r.sqlite"
    spawn = multiprocessing.get_context("fork")
    writers = [spawn.Process(target=write, args=(path, name, 100)) for name in "abc"]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(60)
    assert [w.exitcode for w in writers] == [0, 0, 0]
    with ResponseCache(path) as cache:
        found = [cache.get(request(f"{name} {i}").key) for name in "abc" for i in range(100)]
    assert found == [response(f"{name} {i}") for name in "abc" for i in range(100)]


def test_a_file_that_is_no_cache_is_not_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "r.sqlite"
    path.write_text("not a database, but something of the user's" * 50)
    with pytest.raises(sqlite3.DatabaseError):
        ResponseCache(path)
    assert path.read_text().startswith("not a database")
