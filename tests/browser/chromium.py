"""A headless Chromium, driven through a pipe by its own protocol: nothing has to be installed besides it.

https://chromedevtools.github.io/devtools-protocol/
"""

from __future__ import annotations

import base64
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
TIMEOUT_S = 30.0
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--no-first-run",
    "--no-default-browser-check",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-domain-reliability",
    "--disable-extensions",
    "--disable-sync",
    "--metrics-recording-only",
    "--no-proxy-server",
    # the network is cut: every name and every address but this machine's leads nowhere
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
    "--remote-debugging-pipe",
)
# The protocol is spoken over the descriptors 3 and 4, which subprocess cannot give out.
LAUNCH = """import fcntl, os, sys
ends = [fcntl.fcntl(int(number), fcntl.F_DUPFD, 10) for number in sys.argv[1:3]]
os.dup2(ends[0], 3), os.dup2(ends[1], 4)
os.execv(sys.argv[3], sys.argv[3:])"""


def find() -> str | None:
    """The program; None where there is none."""
    if os.name != "posix":  # the pipe is given in another way there
        return None
    return next((path for path in map(shutil.which, NAMES) if path), None)


class Refused(Exception):
    """The browser's word, or that of a script in it, for what cannot be done."""


class Browser:
    """A Chromium with a folder of its own."""

    def __init__(self, process: subprocess.Popen[bytes], write: int, read: int) -> None:
        self._process = process
        self._write, self._read = write, read
        self._rest = b""
        self._number = 0
        self._pages: dict[str, Page] = {}

    def call(self, method: str, params: Mapping[str, Any] | None = None, session: str = "") -> Any:
        """What it answers; what happens meanwhile is noted by its page."""
        self._number += 1
        number = self._number
        message = {"id": number, "method": method, "params": params or {}} | ({"sessionId": session} if session else {})
        self._send(json.dumps(message).encode() + b"\0")
        deadline = time.monotonic() + TIMEOUT_S
        while True:
            for answer in self._receive(deadline):
                if answer.get("id") != number:
                    self._note(answer)
                    continue
                if "error" in answer:
                    raise Refused(f"{method}: {answer['error']}")
                return answer["result"]

    def _send(self, content: bytes) -> None:
        while content:
            content = content[os.write(self._write, content) :]

    def _receive(self, deadline: float) -> Iterator[dict[str, Any]]:
        ready, _w, _x = select.select([self._read], [], [], max(0.0, deadline - time.monotonic()))
        assert ready, "Chromium does not answer"
        got = os.read(self._read, 1 << 20)
        assert got, f"Chromium has ended: {self._process.poll()}"
        *whole, self._rest = (self._rest + got).split(b"\0")
        # all of them, or those after the answer would be lost
        yield from [json.loads(message) for message in whole]

    def _note(self, event: dict[str, Any]) -> None:
        page = self._pages.get(event.get("sessionId", ""))
        if page is not None:
            page.happened(event["method"], event["params"])

    @contextmanager
    def page(self, width: int = 1920, height: int = 1080, *, phone: bool = False, **media: str) -> Iterator[Page]:
        """A page of a visitor who was never here; `media`: `prefers_color_scheme="dark"` and the like."""
        context = self.call("Target.createBrowserContext")["browserContextId"]
        target = self.call("Target.createTarget", {"url": "about:blank", "browserContextId": context})["targetId"]
        session = self.call("Target.attachToTarget", {"targetId": target, "flatten": True})["sessionId"]
        page = self._pages[session] = Page(self, session)
        for domain in ("Page", "Runtime", "Log", "Network"):
            page.call(f"{domain}.enable")
        scale = 2 if phone else 1
        page.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=scale, mobile=phone
        )
        features = [{"name": name.replace("_", "-"), "value": value} for name, value in media.items()]
        page.call("Emulation.setEmulatedMedia", features=features)
        try:
            yield page
        finally:
            del self._pages[session]
            self.call("Target.disposeBrowserContext", {"browserContextId": context})


class Page:
    """One page. `errors`: what its console has; `requests`: the addresses it has asked."""

    def __init__(self, browser: Browser, session: str) -> None:
        self._browser = browser
        self._session = session
        self.errors: list[str] = []
        self.requests: list[str] = []

    def call(self, method: str, **params: Any) -> Any:
        """The protocol."""
        return self._browser.call(method, params, self._session)

    def happened(self, method: str, params: Any) -> None:
        """Something the browser reports."""
        if method == "Network.requestWillBeSent":
            self.requests.append(params["request"]["url"])
        elif method == "Runtime.exceptionThrown":
            details = params["exceptionDetails"]
            self.errors.append(details.get("exception", {}).get("description", details["text"]))
        elif method == "Log.entryAdded" and params["entry"]["level"] in ("error", "warning"):
            self.errors.append(params["entry"]["text"])
        elif method == "Runtime.consoleAPICalled" and params["type"] in ("error", "warning", "assert"):
            self.errors.append(" ".join(str(arg.get("value", arg.get("description"))) for arg in params["args"]))

    def open(self, url: str) -> None:
        """Go there."""
        result = self.call("Page.navigate", url=url)
        assert not result.get("errorText"), result["errorText"]
        self.wait_for("document.readyState === 'complete' && location.protocol !== 'about:'")

    def evaluate(self, expression: str) -> Any:
        """Its value."""
        result = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in result:
            raise Refused(result["result"].get("description", expression))
        return result["result"].get("value")

    def wait_for(self, expression: str, seconds: float = 15) -> None:
        """Until it is true. On the way from one page to the next there may be nothing to ask."""
        deadline = time.monotonic() + seconds
        while not self._is_true(expression):
            assert time.monotonic() < deadline, f"it did not happen: {expression}; {self.errors}"
            time.sleep(0.03)

    def _is_true(self, expression: str) -> bool:
        try:
            return bool(self.evaluate(expression))
        except Refused:
            return False

    def screenshot(self, path: Path) -> None:
        """To look at."""
        path.write_bytes(base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"]))


@contextmanager
def launched(program: str, folder: Path) -> Iterator[Browser]:
    """Until the block ends; `folder` becomes its profile."""
    to_read, our_write = os.pipe()
    our_read, to_write = os.pipe()
    command = [sys.executable, "-c", LAUNCH, str(to_read), str(to_write), program, *FLAGS, f"--user-data-dir={folder}"]
    environment = os.environ | {"HOME": str(folder), "XDG_CONFIG_HOME": str(folder), "XDG_CACHE_HOME": str(folder)}
    with (folder / "stderr").open("wb") as errors:
        process = subprocess.Popen(
            command, pass_fds=(to_read, to_write), stderr=errors, env=environment, start_new_session=True
        )
    os.close(to_read)
    os.close(to_write)
    try:
        yield Browser(process, our_write, our_read)
    finally:
        os.close(our_write)  # it ends by itself then
        os.close(our_read)
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
