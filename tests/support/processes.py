"""Real processes of `b24tools`, against a sandbox on a port."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from b24tools.sandbox import demo_company, server
from b24tools.sandbox.state import Portal
from tests.support import database

# A sandbox works off a request at once: a second is as good as the minute that a portal may take
START = "from b24tools.assignment import recovery; recovery.EXECUTES_S = 1; "
MAIN = "from b24tools.__main__ import main; main()"
PATIENCE_S = 30.0


@dataclass
class Shop:
    """A portal on a port and the folder of its users' files."""

    portal: Portal
    folder: Path
    base_url: str

    def write_order(self, order_id: str, lines: Iterable[tuple[str, float]], **changes: Any) -> Path:
        """An order as 1C writes it, in a file of its own."""
        values: dict[str, Any] = {
            "ИдентификаторЗаказа": order_id,
            "НомерЗаказа": f"1Ц-{order_id}",
            "ДатаЗаказа": "2024-10-17T13:56:45",
            "Калькуляция": [{"Должность": position, "Время": minutes} for position, minutes in lines],
        }
        file = self.folder / f"{order_id}.json"
        file.write_text(json.dumps(values | changes, ensure_ascii=False), encoding="utf-8")
        return file

    def environment(self, **changes: str) -> dict[str, str]:
        """The settings of a user of this portal."""
        ours = {
            "BITRIX_WEBHOOK_URL": self.portal.webhook_url(self.base_url),
            "B24_DATA_DIR": str(self.folder / "data"),
            "B24_REQUESTS_PER_SECOND": "1000",
            "B24_LANG": "en",
        }
        return os.environ | ours | database.environment(self.folder / "data") | changes

    def start(self, *arguments: str | Path, code: str = "", **changes: str) -> subprocess.Popen[str]:
        """`b24tools` with these arguments, running. `code` is run first."""
        return subprocess.Popen(
            [sys.executable, "-c", START + code + MAIN, *map(str, arguments)],
            env=self.environment(**changes),
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
        )

    def made(self) -> dict[str, list[str]]:
        """By key: to whom the tasks that we made were given."""
        by_key: dict[str, list[str]] = {}
        for task in self.portal.tasks:
            if task.xml_id:
                by_key.setdefault(task.xml_id, []).append(self.portal.users[task.responsible].last_name)
        return by_key


@contextmanager
def open_shop(folder: Path) -> Iterator[Shop]:
    """The demo plant on a port, by the clock on the wall."""
    portal = demo_company.build(lambda: datetime.now(UTC))
    with server.serve(portal) as base_url:
        yield Shop(portal, folder, base_url)


def wait_for(reached: Callable[[], bool], running: subprocess.Popen[str]) -> None:
    """Until it is so, or the process has ended."""
    end = time.monotonic() + PATIENCE_S
    while not reached() and running.poll() is None:
        assert time.monotonic() < end
        time.sleep(0.001)


def end(running: subprocess.Popen[str]) -> tuple[int, str, str]:
    """Exit status, stdout, stderr."""
    out, err = running.communicate(timeout=PATIENCE_S)
    return running.returncode, out, err
