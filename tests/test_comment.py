"""Posting the comment, against a small server that speaks as much of GitHub's API as is used."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlparse

import pytest

from flowc.records import UserError
from scripts.comment import main

MARKER = "<!-- flowc: recompile -->"


class Forge:
    """Comments of pull request 7, and whether the token may write."""

    def __init__(self) -> None:
        self.comments: list[dict[str, Any]] = []
        self.status = 200
        self.tokens: set[str | None] = set()


@pytest.fixture
def forge(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Forge]:
    forge = Forge()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            url = urlparse(self.path)
            assert url.path == "/repos/some/thing/issues/7/comments"
            query = parse_qs(url.query)
            size, page = int(query["per_page"][0]), int(query["page"][0])
            self._answer(200, forge.comments[(page - 1) * size : page * size])

        def do_POST(self) -> None:
            assert self.path == "/repos/some/thing/issues/7/comments"
            body = self._body()
            if forge.status == 200:
                forge.comments.append({"id": 1000 + len(forge.comments), **body})
            self._answer(forge.status, forge.comments[-1] if forge.comments else {})

        def do_PATCH(self) -> None:
            number = int(self.path.removeprefix("/repos/some/thing/issues/comments/"))
            found = next(c for c in forge.comments if c["id"] == number)
            found |= self._body()
            self._answer(200, found)

        def _body(self) -> dict[str, Any]:
            forge.tokens.add(self.headers["Authorization"])
            found: dict[str, Any] = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            return found

        def _answer(self, status: int, value: object) -> None:
            self.send_response(status)
            self.end_headers()
            self.wfile.write(json.dumps(value).encode())

        def log_message(self, *_: object) -> None:
            return

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    (tmp_path / "event.json").write_text(json.dumps({"pull_request": {"number": 7}}))
    for name, value in {
        "GITHUB_API_URL": f"http://127.0.0.1:{server.server_port}",
        "GITHUB_REPOSITORY": "some/thing",
        "GITHUB_TOKEN": "a-token",
        "GITHUB_EVENT_PATH": str(tmp_path / "event.json"),
        "GITHUB_STEP_SUMMARY": str(tmp_path / "summary.md"),
    }.items():
        monkeypatch.setenv(name, value)
    yield forge
    server.shutdown()
    server.server_close()


def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, page: str) -> None:
    (tmp_path / "page.md").write_text(page)
    monkeypatch.setattr("sys.argv", ["comment", str(tmp_path / "page.md")])
    main()


def test_the_comment_is_added_once_and_then_updated_in_place(
    forge: Forge, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    forge.comments = [{"id": i, "body": f"talk {i}, {MARKER}"} for i in range(130)]
    run(tmp_path, monkeypatch, f"{MARKER}\nfirst\n")
    assert capsys.readouterr().out == "added comment 1130\n"
    run(tmp_path, monkeypatch, f"{MARKER}\nsecond\n")
    assert capsys.readouterr().out == "updated comment 1130\n"
    assert [c["body"] for c in forge.comments if c["id"] == 1130] == [f"{MARKER}\nsecond\n"]
    assert len(forge.comments) == 131
    assert forge.tokens == {"Bearer a-token"}


def test_a_token_that_may_not_write_leaves_the_page_in_the_summary(
    forge: Forge, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    forge.status = 403
    run(tmp_path, monkeypatch, f"{MARKER}\nfirst\n")
    assert "this token may not comment (403)" in capsys.readouterr().out
    assert (tmp_path / "summary.md").read_text() == f"{MARKER}\nfirst\n"
    assert forge.comments == []


def test_without_a_pull_request_the_page_goes_into_the_summary(
    forge: Forge, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "event.json").write_text("{}")
    run(tmp_path, monkeypatch, f"{MARKER}\nfirst\n")
    assert (tmp_path / "summary.md").read_text() == f"{MARKER}\nfirst\n"
    assert forge.comments == []


@pytest.mark.parametrize(("status", "said"), [(422, "GitHub refused the comment: 422")])
def test_another_refusal_is_an_error(
    forge: Forge, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, status: int, said: str
) -> None:
    forge.status = status
    with pytest.raises(UserError, match=said):
        run(tmp_path, monkeypatch, f"{MARKER}\nfirst\n")


def test_outside_of_actions_it_says_what_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GITHUB_EVENT_PATH", raising=False)
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)
    with pytest.raises(UserError, match="GITHUB_EVENT_PATH is not set"):
        run(tmp_path, monkeypatch, "x")
