"""Answers of language models, kept by the content of their request: what has been paid for is never asked again.

One SQLite file, in which several processes may write at once. Every change is one transaction in a write-ahead log,
so a kill at any moment loses nothing that was stored. Failed calls are not stored. What a killed process had in flight
is known by its `started` row: perhaps the provider has charged for it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from flowc.completion import Request, Response
from flowc.records import canonical

_SCHEMA = """
create table if not exists responses (key text primary key, request text not null, response text not null);
create table if not exists started (key text primary key, dollars real not null);
create table if not exists batches (id text primary key, requests text not null);
"""
_BUSY_SECONDS = 60


class Batch(NamedTuple):
    """A batch that a provider is working on: its id there, and its requests."""

    id: str
    requests: tuple[Request, ...]


class ResponseCache:
    """The file, opened by one process; use as a context."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._db = sqlite3.connect(path, timeout=_BUSY_SECONDS, isolation_level=None)
        self._db.execute("pragma journal_mode=wal")
        # In a write-ahead log NORMAL survives a kill of the process; only a power failure may undo the last commits.
        self._db.execute("pragma synchronous=normal")
        self._db.executescript(_SCHEMA)

    def __enter__(self) -> ResponseCache:
        return self

    def __exit__(self, *_: object) -> None:
        self._db.close()

    def get(self, key: str) -> Response | None:
        """Look an answer up."""
        row = self._one("select response from responses where key = ?", key)
        return Response.model_validate_json(row[0]) if row else None

    def put(self, key: str, request: Request, response: Response, dollars: float) -> Response:
        """Store an answer and end its start; give the one that holds, which is the first when two came.

        `key` is the request's; `dollars` is what was noted when this call started.

        The request is kept beside it for people to read; it has no key of a provider in it.
        """
        with self._transaction():
            row = (key, canonical(request), canonical(response))
            is_first = self._db.execute("insert or ignore into responses values (?, ?, ?)", row).rowcount == 1
            self._end(key, dollars)
        return response if is_first else self.get(key) or response

    def start(self, costs: Iterable[tuple[str, float]]) -> None:
        """Note calls as in flight, each with the most that it can cost, on top of what was lost there before."""
        with self._transaction():
            self._db.executemany(
                "insert into started values (?, ?) "
                "on conflict (key) do update set dollars = dollars + excluded.dollars",
                costs,
            )

    def end(self, costs: Iterable[tuple[str, float]]) -> None:
        """Take calls back that the provider has not charged for."""
        with self._transaction():
            for key, dollars in costs:
                self._end(key, dollars)

    def lost(self, key: str) -> float:
        """The dollars at most that earlier calls of this request have cost without an answer that was kept."""
        row = self._one("select dollars from started where key = ?", key)
        return float(row[0]) if row else 0.0

    def open_batches(self) -> list[Batch]:
        """List the batches whose answers have not been stored."""
        with closing(self._db.execute("select id, requests from batches order by rowid")) as rows:
            return [Batch(row[0], tuple(map(Request.model_validate_json, row[1].splitlines()))) for row in rows]

    def open_batch(self, batch: Batch) -> None:
        """Note a batch before waiting for it."""
        lines = "\n".join(map(canonical, batch.requests))
        self._db.execute("insert or ignore into batches values (?, ?)", (batch.id, lines))

    def close_batch(self, id: str) -> None:
        """Forget a batch whose answers have been stored."""
        self._db.execute("delete from batches where id = ?", (id,))

    def _end(self, key: str, dollars: float) -> None:
        self._db.execute("update started set dollars = dollars - ? where key = ?", (dollars, key))
        self._db.execute("delete from started where key = ? and dollars < 1e-12", (key,))

    def _one(self, query: str, key: str) -> tuple[str, ...] | None:
        with closing(self._db.execute(query, (key,))) as rows:
            row: tuple[str, ...] | None = rows.fetchone()
            return row

    def _transaction(self) -> _Transaction:
        return _Transaction(self._db)


class _Transaction:
    """A transaction that takes the write lock at once, so that two writers wait instead of failing half-way."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def __enter__(self) -> None:
        self._db.execute("begin immediate")

    def __exit__(self, kind: object, *_: object) -> None:
        self._db.execute("rollback" if kind else "commit")
