"""How fast events are kept, and how many of them share a write to the disk: `python -m tests.bench.events`.

The server's own figures, over HTTP, are another benchmark; this is the job alone.
"""

from __future__ import annotations

import sys
import tempfile
import time
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from b24tools import store
from b24tools.jobs import event_body, events
from b24tools.sandbox.portal import Portal

EVENTS = 5_000
TOKEN = "benchmark"


def now() -> datetime:
    return datetime.now(UTC)


def bodies(count: int) -> list[bytes]:
    """What the portal would send about so many tasks."""
    portal = Portal(now)
    handler = portal.add_handler("http://127.0.0.1/webhook", TOKEN)
    return [portal.event_body("ONTASKUPDATE", number + 1, handler) for number in range(count)]


def keep(sent: list[bytes], together: int) -> tuple[float, int]:
    """Events a second, and writes to the disk, when so many come at once."""
    with tempfile.TemporaryDirectory() as folder, closing(store.open_store(Path(folder) / "b24tools.db")) as opened:
        opened.save_setting("producer_mode", "webhook")
        commits = []
        opened._db.conn.set_trace_callback(lambda sql: commits.append(1) if sql == "COMMIT" else None)
        started = time.perf_counter()
        for first in range(0, len(sent), together):
            events.receive_all(opened, [(body, "") for body in sent[first : first + together]], [TOKEN], now())
        spent = time.perf_counter() - started
        assert len(sent) == len(opened.events(status="waiting"))
        return len(sent) / spent, len(commits)


def tell(line: str) -> None:
    sys.stdout.write(line + "\n")


def main() -> None:
    sent = bodies(EVENTS)
    started = time.perf_counter()
    for body in sent:
        event_body.read_body(body, "", [TOKEN])
    tell(f"read only:          {len(sent) / (time.perf_counter() - started):8.0f} events/s")
    for together in (1, 8, 40):
        rate, writes = keep(sent, together)
        tell(f"kept, {together:2} at once:    {rate:8.0f} events/s, {writes} writes to the disk for {len(sent)} events")


if __name__ == "__main__":
    main()
