"""A headless Chromium driven over its DevTools protocol: real clicks and keys in a real page."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest
from websockets.sync.client import ClientConnection, connect

NAMES = ("chromium", "chromium-browser", "google-chrome")


class Page:
    """One open page."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket, self._sent = socket, 0
        self.events: list[dict[str, Any]] = []
        """What the browser reported meanwhile: exceptions, requests, dialogs."""
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")
        self.call("Emulation.setFocusEmulationEnabled", enabled=True)  # else typing may begin before there is focus

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Send one command and wait for its answer."""
        self._sent += 1
        self._socket.send(json.dumps({"id": self._sent, "method": method, "params": parameters}))
        while True:
            answer = json.loads(self._socket.recv(timeout=60))
            if answer.get("id") == self._sent:
                assert "error" not in answer, answer
                result: dict[str, Any] = answer["result"]
                return result
            self.events.append(answer)

    def open(self, file: Path) -> None:
        """Load a file and wait until it has."""
        self._load("Page.navigate", url=file.as_uri())

    def reload(self) -> None:
        """Load the page anew and wait until it has."""
        self._load("Page.reload")

    def _load(self, method: str, **parameters: Any) -> None:
        """Wait for the page's own event: until then the old document answers."""
        before = len(self.events)
        self.call(method, **parameters)
        while not any(e["method"] == "Page.loadEventFired" for e in self.events[before:]):
            self.events.append(json.loads(self._socket.recv(timeout=60)))

    def run(self, expression: str) -> Any:
        """Evaluate JavaScript and give its value."""
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def key(self, key: str) -> None:
        """Press a key."""
        text = {"text": key} if len(key) == 1 else {}
        self.call("Input.dispatchKeyEvent", type="keyDown", key=key, **text)
        self.call("Input.dispatchKeyEvent", type="keyUp", key=key)

    def click(self, selector: str) -> None:
        """Click with the mouse in the middle of what a CSS selector names first."""
        find = f"document.querySelector({json.dumps(selector)})"
        self.run(f"{find}.scrollIntoView({{block: 'center'}})")
        x, y = self.run(f"(r => [r.x + r.width / 2, r.y + r.height / 2])({find}.getBoundingClientRect())")
        for kind in ("mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)


@contextmanager
def browser(folder: Path) -> Iterator[Page]:
    """Start Chromium with a profile of its own in `folder`; skips the test where none is installed."""
    program = next((p for name in NAMES if (p := shutil.which(name))), None)
    if program is None:
        pytest.skip(f"none of {', '.join(NAMES)} is installed")
    profile = folder / "profile"
    command = [program, "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--window-size=1280,1000"]
    command += ["--remote-debugging-port=0", f"--user-data-dir={profile}", "about:blank"]
    with (folder / "browser.log").open("w", encoding="utf-8") as log:
        running = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            with connect(_address(profile / "DevToolsActivePort"), max_size=None) as socket:
                yield Page(socket)
        finally:
            running.terminate()
            running.wait(timeout=30)


def _address(port_file: Path) -> str:
    """Wait for the browser to say its port, and give the address of its first page."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        if port_file.exists() and (lines := port_file.read_text().splitlines()):
            with urlopen(f"http://127.0.0.1:{lines[0]}/json/list", timeout=30) as answer:
                pages = [t for t in json.load(answer) if t["type"] == "page"]
            if pages:
                return str(pages[0]["webSocketDebuggerUrl"])
        time.sleep(0.1)
    raise AssertionError("the browser did not start within 60 s")
