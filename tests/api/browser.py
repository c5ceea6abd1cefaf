"""A headless Chromium, driven over its debugging protocol: enough for the pages that the gateway serves.

::

    with browser(tmp_path) as page:
        page.open("http://127.0.0.1:8025/docs")
        page.wait("document.querySelector('h1')")
        assert page.problems == []        # errors on the console, exceptions, violations of the policy
"""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from websockets.sync.client import ClientConnection, connect

PROGRAM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
_SECONDS = 60.0


@dataclass
class Page:
    """The one tab. ``problems``: what the console and the policy complained of since the page was opened."""

    socket: ClientConnection
    session: str = ""
    problems: list[str] = field(default_factory=list)
    _last: int = 0

    def send(self, method: str, **params: Any) -> Any:
        """One command of the protocol; answers its result."""
        self._last += 1
        message = {"id": self._last, "method": method, "params": params}
        self.socket.send(json.dumps(message | ({"sessionId": self.session} if self.session else {})))
        while True:
            got = json.loads(self.socket.recv(_SECONDS))
            if got.get("id") == self._last:
                assert "error" not in got, f"{method}: {got['error']}"
                return got["result"]
            self._notice(got.get("method", ""), got.get("params", {}))

    def _notice(self, method: str, params: dict[str, Any]) -> None:
        if method == "Log.entryAdded" and params["entry"]["level"] in ("error", "warning"):
            self.problems.append(f"{params['entry']['source']}: {params['entry']['text']}")
        elif method == "Runtime.exceptionThrown":
            thrown = params["exceptionDetails"]
            self.problems.append(f"{thrown['text']} {thrown.get('exception', {}).get('description', '')}")
        elif method == "Runtime.consoleAPICalled" and params["type"] in ("error", "warning", "assert"):
            self.problems.append(" ".join(str(one.get("value")) for one in params["args"]))

    def open(self, url: str) -> None:
        """Go to an address; what was noticed before is forgotten."""
        self.problems.clear()
        self.send("Page.navigate", url=url)
        self.wait("document.readyState === 'complete'")

    def ask(self, script: str) -> Any:
        """The value of an expression in the page; what it promises is waited for."""
        got = self.send("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in got, f"{script}: {got['exceptionDetails']}"
        return got["result"].get("value")

    def wait(self, script: str) -> None:
        """Wait until an expression is true."""
        end = time.monotonic() + _SECONDS
        while not self.ask(f"Boolean({script})"):
            assert time.monotonic() < end, f"never true: {script}"
            time.sleep(0.05)

    def type(self, text: str) -> None:
        """Write into what has the focus."""
        self.send("Input.insertText", text=text)

    def press(self, key: str) -> None:
        """Press and release a key: ``Tab``, ``Enter``, ``Escape``, ``ArrowRight`` or one character."""
        code = {"Tab": 9, "Enter": 13, "Escape": 27, "ArrowRight": 39}.get(key, ord(key[0].upper()))
        text = {"Enter": "\r"}.get(key, key if len(key) == 1 else "")
        pressed = {"key": key, "windowsVirtualKeyCode": code}
        self.send("Input.dispatchKeyEvent", type="keyDown", text=text, **pressed)
        self.send("Input.dispatchKeyEvent", type="keyUp", **pressed)

    def size(self, width: int, height: int = 800) -> None:
        """Give the page another size, in CSS pixels."""
        self.send(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=False,
        )


@contextmanager
def browser(folder: Path) -> Iterator[Page]:
    """A running Chromium with its profile in ``folder``."""
    assert PROGRAM is not None
    quiet = "--disable-background-networking --disable-component-update --disable-sync --disable-quic --no-first-run"
    process = subprocess.Popen(
        [
            *(
                PROGRAM,
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-dev-shm-usage",
                *quiet.split(),
            ),
            *("--remote-debugging-port=0", "--no-proxy-server", f"--user-data-dir={folder}", "about:blank"),
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        port, path = _where(folder / "DevToolsActivePort", process)
        with connect(f"ws://127.0.0.1:{port}{path}", max_size=None, proxy=None) as socket:
            page = Page(socket)
            target = page.send("Target.createTarget", url="about:blank")["targetId"]
            page.session = page.send("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
            for domain in ("Page", "Runtime", "Log"):
                page.send(f"{domain}.enable")
            yield page
            page.session = ""
            page.send("Browser.close")
        process.wait(_SECONDS)
    finally:
        process.kill()
        process.wait()


def _where(file: Path, process: subprocess.Popen[bytes]) -> tuple[str, str]:
    """Port and path of the debugging protocol, once Chromium has written them."""
    end = time.monotonic() + _SECONDS
    while not file.exists() or file.read_text().count("\n") < 1:
        assert process.poll() is None, "Chromium ended by itself"
        assert time.monotonic() < end, "Chromium does not start"
        time.sleep(0.05)
    port, path = file.read_text().split("\n", 1)
    return port, path.strip()
