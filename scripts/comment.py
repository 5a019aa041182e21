"""Posts a page as the pull request's comment, in place of its former version; elsewhere into the job's summary.

Usage: python -m scripts.comment FILE. Under GitHub Actions everything comes from the environment: GITHUB_TOKEN,
GITHUB_API_URL, GITHUB_REPOSITORY, GITHUB_EVENT_PATH and GITHUB_STEP_SUMMARY. A token that may not write (a fork's) is
no error: the summary has the page, and the log says why.
"""

from __future__ import annotations

import argparse
import json
import os
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from flowc.records import UserError, run_stage

_PAGE = 100  # comments a request, the API's most
_TIMEOUT = 60  # seconds


def main() -> None:
    """Write the page into the summary, then post or update the comment."""
    parser = argparse.ArgumentParser(prog="python -m scripts.comment", description=__doc__)
    parser.add_argument("file", type=Path, help="the page; its first line is what it is found again by")
    page = parser.parse_args().file.read_text(encoding="utf-8")
    if summary := os.environ.get("GITHUB_STEP_SUMMARY"):
        with Path(summary).open("a", encoding="utf-8") as out:
            out.write(page)
    event = json.loads(Path(_needed("GITHUB_EVENT_PATH")).read_text(encoding="utf-8"))
    if "pull_request" not in event:
        print("no pull request: the page is in the job's summary")
        return
    try:
        print(post(page, int(event["pull_request"]["number"])))
    except urllib.error.HTTPError as e:
        if e.code not in (401, 403, 404):
            said = e.read().decode(errors="replace")[:300]
            raise UserError(f"GitHub refused the comment: {e.code} {said}; the page is in the job's summary") from None
        print(f"this token may not comment ({e.code}), as on a fork: the page is in the job's summary")


def post(page: str, number: int) -> str:
    """Update the comment with the same first line, or add one; say which."""
    marker = page.partition("\n")[0]
    issues = f"/repos/{_needed('GITHUB_REPOSITORY')}/issues"
    for found in _comments(f"{issues}/{number}/comments"):
        if str(found["body"]).startswith(marker):
            _call("PATCH", f"{issues}/comments/{found['id']}", {"body": page})
            return f"updated comment {found['id']}"
    made = _call("POST", f"{issues}/{number}/comments", {"body": page})
    return f"added comment {made['id']}"


def _comments(path: str) -> Iterator[dict[str, Any]]:
    number = 1
    while True:
        found = _call("GET", f"{path}?per_page={_PAGE}&page={number}")
        yield from found
        if len(found) < _PAGE:
            return
        number += 1


def _call(method: str, path: str, body: dict[str, str] | None = None) -> Any:
    request = urllib.request.Request(
        _needed("GITHUB_API_URL") + path,
        data=None if body is None else json.dumps(body).encode(),
        method=method,
        headers={
            "Authorization": f"Bearer {_needed('GITHUB_TOKEN')}",
            "Accept": "application/vnd.github+json",
            "Content-Type": "application/json",
        },
    )
    with urllib.request.urlopen(request, timeout=_TIMEOUT) as answer:
        return json.loads(answer.read())


def _needed(name: str) -> str:
    value = os.environ.get(name)
    if not value:
        raise UserError(f"{name} is not set; this runs under GitHub Actions")
    return value


if __name__ == "__main__":
    run_stage(main)
