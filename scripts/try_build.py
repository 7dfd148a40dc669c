"""Try a one-folder build: `python -m scripts.try_build dist/b24tools/b24tools`.

The program runs with no Python on its path and no setting of this machine: version, demo, an order from the sandbox,
pages and API of `serve`, a ranking, a backup. Raises at the first thing that does not work.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any
from urllib.request import urlopen

WAIT_S = 60


def find_port() -> int:
    """Find a port that is free now."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def fetch(url: str) -> bytes:
    """Fetch a page as soon as the service answers."""
    deadline = time.monotonic() + WAIT_S
    while True:
        try:
            with urlopen(url, timeout=WAIT_S) as answer:  # noqa: S310 - our own service
                return bytes(answer.read())
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)


def main(program: str) -> None:
    """Run what people run first."""
    with tempfile.TemporaryDirectory() as folder:
        system = {name: os.environ[name] for name in ("SYSTEMROOT", "TEMP", "TMP") if name in os.environ}
        environment = {**system, "PATH": folder, "HOME": folder, "LOCALAPPDATA": folder, "B24_LANG": "en"}
        started: list[subprocess.Popen[bytes]] = []

        def run(*words: str, given: bytes | None = None) -> bytes:
            command = [str(Path(program).resolve()), *words]
            done = subprocess.run(command, input=given, capture_output=True, cwd=folder, env=environment)  # noqa: S603
            if done.returncode:
                raise SystemExit(f"{words}: exit status {done.returncode}\n{done.stderr.decode()}")
            print("ok:", *words)  # noqa: T201 - a tool's output
            return done.stdout

        def start(*words: str) -> None:
            command = [str(Path(program).resolve()), *words]
            started.append(subprocess.Popen(command, cwd=folder, env=environment))  # noqa: S603

        try:
            portal, service = find_port(), find_port()
            run("--version")
            run("demo")
            start("sandbox", "--port", str(portal), "--write-env", ".env")
            fetch(f"http://127.0.0.1:{portal}/")
            answer: Any = json.loads(run("assign", "-", "--json", given=run("sample")))
            if answer["data"][0]["outcome"] != "created":
                raise SystemExit(f"assign: {answer}")
            start("serve", "--port", str(service))
            base = f"http://127.0.0.1:{service}"
            for page in (
                "/ping/",
                "/docs",
                "/docs/swagger-ui.css",
                "/board",
                "/plan",
                "/load",
                "/today",
                "/openapi.json",
            ):
                print("ok:", page, len(fetch(base + page)), "bytes")  # noqa: T201 - likewise
            run("leaderboard")
            run("backup", "--keep", "1")
        finally:
            for process in reversed(started):
                process.terminate()
                process.wait(WAIT_S)


if __name__ == "__main__":
    main(sys.argv[1])
