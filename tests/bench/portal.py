"""The sandbox portal as a process of its own: `with portal.running(folder, people, tasks) as running: …`.

https, 50 ms for every answer if nothing else is said, the brake of two requests a second and fifty at once. What a
portal's server spends on an answer is not the client's doing, and the sandbox is no portal in this: an answer that
reads is kept and given again. After a round to warm up every client gets its answers after the same time, whatever it
asks for, and however much at once.
"""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from tests.bench.measuring import Cost, program

LATENCY_S = 0.05
FOLDER = "Прикрепленные файлы"


@dataclass
class Running:
    """The portal's process, seen from the one that measures."""

    url: str
    folder_id: int
    authority: Path
    _ask: IO[str]
    _answer: IO[str]

    @property
    def environment(self) -> dict[str, str]:
        """Whom each client's TLS is to trust: the portal's authority besides the public ones, as on any machine.

        Ours is an addition, the others' is all there is.
        """
        public = str(self.authority.with_name("public.pem"))
        trusted = {"B24_CA_BUNDLE": str(self.authority), "REQUESTS_CA_BUNDLE": public, "SSL_CERT_FILE": public}
        return trusted | {"NO_PROXY": "127.0.0.1", "BITRIX_WEBHOOK_URL": self.url}

    def ready(self, *, brake: bool = True, latency_s: float = LATENCY_S) -> None:
        """As if nobody had asked anything for a long while."""
        self._say({"brake": brake, "latency_s": latency_s})

    def counted(self, cost: Cost, tasks: int) -> Cost:
        """The cost with what was asked of the portal since `ready`."""
        asked = self._say({})
        return Cost(cost.seconds, cost.cpu_s, cost.peak_mb, asked["requests"], asked["refused"], tasks)

    def _say(self, order: dict[str, Any]) -> dict[str, Any]:
        self._ask.write(json.dumps(order) + "\n")
        self._ask.flush()
        return dict(json.loads(self._answer.readline()))


@contextmanager
def running(folder: Path, people: int, tasks: int) -> Iterator[Running]:
    """A company of that size; made anew, it is the same company."""
    folder.mkdir()
    command = program("tests.bench.portal", str(folder), str(people), str(tasks))
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None and process.stdout is not None
        try:
            line = process.stdout.readline()
            assert line, "the portal did not start"
            yield Running(*json.loads(line), folder / "ca.pem", process.stdin, process.stdout)
        finally:
            process.stdin.close()
            process.wait()


def serve(folder: Path, people: int, tasks: int) -> None:
    """The portal's process: its address, then an answer to each order on stdin, until that is closed."""
    from b24tools.sandbox import server
    from b24tools.sandbox.limits import RequestRate

    gc.disable()
    portal = _company(people, tasks)
    gc.freeze()
    chain, key = _certificate(folder)
    with server.serve(portal, certfile=chain, keyfile=key) as base_url:
        _print(json.dumps([portal.webhook_url(base_url), portal.files_folder]))
        for line in sys.stdin:
            order = json.loads(line)
            if "brake" in order:
                portal.rate_limit, portal.rate = order["brake"], RequestRate()
                portal.latency_s = order["latency_s"]
                portal.log.clear()
            refused = sum(entry.outcome == "QUERY_LIMIT_EXCEEDED" for entry in portal.log)
            _print(json.dumps({"requests": len(portal.log), "refused": refused}))


def _print(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _company(people: int, tasks: int) -> Any:
    from b24tools.sandbox import rest
    from b24tools.sandbox.methods import task_list
    from b24tools.sandbox.state import Portal
    from tests.bench.company import company

    class Distant(Portal):
        """A portal that answers after a while, and twice the same to the same question while nothing is written."""

        latency_s: float

        def handle(self, *request: Any, **more: Any) -> Any:
            time.sleep(self.latency_s)
            return rest.handle(self, *request, **more)

    def execute(portal: Portal, request: Any, entry: Any, **more: Any) -> Any:
        if entry.is_write:
            kept.clear()
            return carry_out(portal, request, entry, **more)
        question = repr((request.method, request.params, request.start))
        if question not in kept:
            kept[question] = carry_out(portal, request, entry, **more)
        entry.outcome = "ok"
        return kept[question]

    def find(call: Any, order: Any) -> Any:
        """The rows of a list are looked for once, not for each of its pages."""
        question = repr((call.array("filter"), order))
        if question not in kept:
            kept[question] = find_rows(call, order)
        return kept[question]

    kept: dict[str, Any] = {}
    find_rows, task_list.find = task_list.find, find
    carry_out, rest.execute = rest.execute, execute
    portal: Any = company(tasks, people)
    portal.__class__ = Distant
    portal.rate_limit, portal.latency_s = True, LATENCY_S
    portal.add_schedule(9, 18)
    storage = portal.add_storage("common", "Общий диск", "shared_files_s1")
    portal.files_folder = portal.add_folder(storage.root, FOLDER).id
    return portal


def _certificate(folder: Path) -> tuple[Path, Path]:
    import certifi
    import trustme

    authority = trustme.CA()
    certificate = authority.issue_cert("127.0.0.1")
    chain, key = folder / "chain.pem", folder / "key.pem"
    for blob in certificate.cert_chain_pems:
        blob.write_to_path(str(chain), append=True)
    certificate.private_key_pem.write_to_path(str(key))
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    public = Path(certifi.where()).read_bytes() + b"\n" + authority.cert_pem.bytes()
    (folder / "public.pem").write_bytes(public)
    return chain, key


if __name__ == "__main__":
    serve(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
    os._exit(0)  # a company of this size is not worth tidying up
