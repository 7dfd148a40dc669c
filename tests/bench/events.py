"""How fast events are kept, and how many of them share a write to the disk: `python -m tests.bench.events`.

The server's own figures, over HTTP, are another benchmark; this is the job alone.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from b24tools.core.secrets import Scrubber
from b24tools.jobs.events import payload, process
from b24tools.store import open_store
from tests.bench import measuring, serve
from tests.bench.serving import TOKEN

EVENTS = 5_000


def store(sent: list[bytes], scrub: Callable[[str], str]) -> tuple[float, int]:
    """Events a second, and writes to the disk."""
    with tempfile.TemporaryDirectory() as folder, closing(open_store(Path(folder) / "b24tools.db")) as opened:
        opened.settings.save("producer_mode", "webhook")
        commits = []
        opened.database.connection.set_trace_callback(lambda sql: commits.append(1) if sql == "COMMIT" else None)
        started = time.perf_counter()
        for body in sent:
            process.add(opened, [process.check(body, "", [TOKEN], datetime.now(UTC), scrub)])
        spent = time.perf_counter() - started
        assert len(sent) == len(opened.events.find(status="waiting"))
        return len(sent) / spent, len(commits)


def report() -> str:
    """The table, in Markdown."""
    sent, scrub = serve.bodies(EVENTS), Scrubber([TOKEN]).scrub
    started = time.perf_counter()
    for body in sent:
        payload.read_body(body, "", scrub)
    rows = [["read only", f"{len(sent) / (time.perf_counter() - started):.0f}", "0"]]
    rate, writes = store(sent, scrub)
    rows.append(["stored", f"{rate:.0f}", str(writes)])
    return f"Storing {EVENTS} events\n\n" + measuring.table(("", "a second", "writes to the disk"), rows)


if __name__ == "__main__":
    sys.stdout.write(report())
