"""A server as a process of its own, seen from outside."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.bench.measuring import environment, program

TOKEN = "benchmark-token"


@dataclass(frozen=True)
class Served:
    """Where it listens, and as which process it runs."""

    port: int
    pid: int

    def memory_mb(self, what: str = "VmRSS") -> float:
        """The memory it holds now; of `VmHWM` the most so far. In MiB."""
        match = re.search(rf"{what}:\s+(\d+) kB", Path(f"/proc/{self.pid}/status").read_text())
        assert match
        return int(match[1]) / 1024

    def cpu_s(self) -> float:
        """Seconds of the processor so far."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def process(words: Sequence[str], folder: Path, env: Mapping[str, str]) -> Iterator[Served]:
    """A server, once it listens."""
    settings = {"B24_DATA_DIR": str(folder), "BITRIX_OUTGOING_TOKEN": TOKEN, "B24_LANG": "en", **env}
    with (folder / "server").open("w+") as said:
        running = subprocess.Popen(words, env=environment(settings), cwd=folder, stderr=said)
        try:
            match = None
            while match is None:
                time.sleep(0.05)
                assert running.poll() is None, (folder / "server").read_text()
                match = re.search(r"(?:127.0.0.1:|port )(\d+)", (folder / "server").read_text())
            port = int(match[1])
            while True:
                with socket.socket() as probe:
                    if probe.connect_ex(("127.0.0.1", port)) == 0:
                        break
                time.sleep(0.05)
            yield Served(port, running.pid)
        finally:
            running.terminate()
            running.wait()


def ours() -> list[str]:
    """`b24tools serve` on a port of its choice."""
    return program("b24tools", "serve", "--port", "0")


def free_port() -> str:
    """A port nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return str(listener.getsockname()[1])
