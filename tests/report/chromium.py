"""A headless Chromium, driven over its own debugging pipe: no package is needed, only the browser.

with Chromium() as chromium:
    page = chromium.page(path.as_uri(), width=390)
    page.run("document.title")
"""

from __future__ import annotations

import base64
import json
import os
import select
import shutil
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
PATIENCE = 60.0


def find_chromium() -> str | None:
    return next((found for name in NAMES if (found := shutil.which(name))), None)


class Chromium:
    """`events`: everything that the browser said unasked, requests and console messages too."""

    def __init__(self) -> None:
        binary = find_chromium()
        assert binary is not None
        self.profile = tempfile.TemporaryDirectory(prefix="sambench-chromium-")
        here_in, there_out = os.pipe()
        there_in, here_out = os.pipe()
        command = [
            *(binary, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"),
            *("--no-first-run", "--disable-extensions", "--disable-background-networking"),
            *("--disable-component-update", "--disable-sync", "--hide-scrollbars"),
            *(f"--user-data-dir={self.profile.name}", "--remote-debugging-pipe", "about:blank"),
        ]
        # The browser reads its pipe at 3 and writes at 4, whatever ours are called.
        script = f'exec 3<&{there_in} 4>&{there_out}; exec "$@"'
        self.process = subprocess.Popen(
            ["/bin/bash", "-c", script, "bash", *command],
            pass_fds=(there_in, there_out),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(there_in)
        os.close(there_out)
        self.reading, self.writing = here_in, here_out
        self.buffer = b""
        self.count = 0
        self.events: list[dict[str, Any]] = []

    def __enter__(self) -> Chromium:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self.reading)
        os.close(self.writing)
        for _ in range(50):  # its children may write for a moment longer
            try:
                self.profile.cleanup()
                return
            except OSError:
                time.sleep(0.1)

    def call(self, method: str, session: str | None = None, **params: Any) -> dict[str, Any]:
        self.count += 1
        message: dict[str, Any] = {"id": self.count, "method": method, "params": params}
        if session:
            message["sessionId"] = session
        os.write(self.writing, json.dumps(message).encode() + b"\0")
        end = time.monotonic() + PATIENCE
        while True:
            answer = self._next(end)
            if answer.get("id") == self.count:
                assert "error" not in answer, answer
                return dict(answer["result"])
            self.events.append(answer)

    def _next(self, end: float) -> dict[str, Any]:
        while b"\0" not in self.buffer:
            ready, _, _ = select.select([self.reading], [], [], max(0.0, end - time.monotonic()))
            assert ready, "the browser gave no answer"
            self.buffer += os.read(self.reading, 1 << 20)
        line, self.buffer = self.buffer.split(b"\0", 1)
        return dict(json.loads(line))

    def page(
        self, address: str, *, width: int = 1200, height: int = 900, dark: bool = False
    ) -> Page:
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        page = Page(self, session)
        for domain in ("Page", "Runtime", "Network", "Log"):
            page.call(f"{domain}.enable")
        page.size(width, height)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        page.call("Emulation.setEmulatedMedia", features=[scheme])
        page.call("Page.navigate", url=address)
        page.until("document.readyState === 'complete'")
        return page


class Page:
    def __init__(self, chromium: Chromium, session: str) -> None:
        self.chromium, self.session = chromium, session

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        return self.chromium.call(method, self.session, **params)

    def size(self, width: int, height: int) -> None:
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=width < 600,
        )

    def run(self, expression: str) -> Any:
        found = self.call(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True
        )
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    def until(self, expression: str) -> None:
        end = time.monotonic() + PATIENCE
        while not self.run(expression):
            assert time.monotonic() < end, f"never true: {expression}"
            time.sleep(0.05)

    def press(self, *keys: str) -> None:
        codes = {"Tab": 9, "Enter": 13, " ": 32, "ArrowRight": 39, "ArrowDown": 40, "ArrowUp": 38}
        for key in keys:
            text = {"Enter": "\r", " ": " "}.get(key)
            shared = {"key": key, "code": "Space" if key == " " else key}
            shared |= {"windowsVirtualKeyCode": codes[key]}  # type: ignore[dict-item]
            down = {"type": "keyDown" if text else "rawKeyDown", **({"text": text} if text else {})}
            self.call("Input.dispatchKeyEvent", **down, **shared)
            self.call("Input.dispatchKeyEvent", type="keyUp", **shared)

    def type(self, text: str) -> None:
        self.call("Input.insertText", text=text)

    def screenshot(self, path: Path, *, whole: bool = False) -> None:
        found = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        path.write_bytes(base64.b64decode(found["data"]))

    def complaints(self) -> list[str]:
        """Errors of scripts, what the policy refused, and console messages."""
        return [
            json.dumps(event["params"])
            for event in self.chromium.events
            if event.get("sessionId") == self.session
            and event["method"]
            in ("Runtime.exceptionThrown", "Log.entryAdded", "Runtime.consoleAPICalled")
        ]

    def requested(self) -> Sequence[str]:
        """Addresses that were asked for, data addresses apart."""
        asked = [
            event["params"]["request"]["url"]
            for event in self.chromium.events
            if event.get("sessionId") == self.session
            and event["method"] == "Network.requestWillBeSent"
        ]
        return [address for address in asked if not address.startswith("data:")]
