"""An order of six lines and one file, assigned by b24tools and the way it replaces: `python -m tests.bench.orders`."""

from __future__ import annotations

import base64
import json
import random
import sys
import tempfile
import time
import uuid
from collections.abc import Callable
from datetime import datetime
from http.client import HTTPConnection
from pathlib import Path

from tests.bench import measuring, portal
from tests.bench.measuring import Cost
from tests.bench.serving import ours as ours_served
from tests.bench.serving import process
from tests.bench.snapshot import HEAD, ZONE, rows

PEOPLE, TASKS = 500, 10_000
LINES, FILE_BYTES = 6, 100_000


def write(folder: Path) -> Path:
    """An order nobody has seen before, as 1C writes it."""
    order_id = str(uuid.uuid4())
    content = random.Random(order_id).randbytes(FILE_BYTES)
    order = {
        "ИдентификаторЗаказа": order_id,
        "НомерЗаказа": f"1Ц-{order_id[:8]}",
        "ДатаЗаказа": f"{datetime.now(ZONE):%Y-%m-%dT%H:%M:%S}",
        "Исполнитель": "Производство",
        "Калькуляция": [
            {"Должность": f"Участок {number}", "Время": 60.5 * number, "Сумма": 100 * number}
            for number in range(1, LINES + 1)
        ],
        "ПрисоединенныеФайлы": [{"Имя": "макет.pdf", "ДвоичныеДанные": base64.b64encode(content).decode()}],
    }
    file = folder / f"{order_id}.json"
    file.write_text(json.dumps(order, ensure_ascii=False), encoding="utf-8")
    return file


def ours(running: portal.Running, folder: Path, data: Path | None) -> Callable[[], Cost]:
    """`b24tools assign`, a process for each order; without `data` nothing is known before."""

    def measure() -> Cost:
        mine = data or Path(tempfile.mkdtemp(dir=folder))
        env = running.environment | {"B24_DATA_DIR": str(mine), "B24_LANG": "en", "B24_TZ": str(ZONE)}
        file = write(folder)
        running.ready()
        done = measuring.run(measuring.program("b24tools", "assign", "--json", str(file)), env, folder)
        tasks = [task for order in json.loads(done.output)["data"] for task in order["tasks"]]
        assert all(task["outcome"] == "created" and task["files"] for task in tasks), tasks
        return running.counted(done.cost, len(tasks))

    return measure


def served(running: portal.Running, folder: Path, before: int) -> Callable[[], Cost]:
    """An order of a `b24tools serve` that runs, after `before` others."""
    return lambda: _serve(running, folder, before, ours_served(), running.environment)


def theirs(running: portal.Running, folder: Path, before: int) -> Callable[[], Cost]:
    """The same of the replaced service."""
    env = running.environment | {"PYTHONPATH": str(Path.cwd()), "BENCH_FOLDER_ID": str(running.folder_id)}
    words = measuring.program("tests.bench.replaced", "serve")
    return lambda: _serve(running, folder, before, words, env)


def _serve(running: portal.Running, folder: Path, before: int, words: list[str], env: dict[str, str]) -> Cost:
    """One order by HTTP to a service that stays, so its start is left out, and long after the one before it."""
    with process(words, Path(tempfile.mkdtemp(dir=folder)), env) as served:
        for _number in range(before):
            running.ready(brake=False)
            _post(served.port, write(folder))
        running.ready()
        file = write(folder)
        started, worked = time.perf_counter(), served.cpu_s()
        _post(served.port, file)
        seconds, cpu_s = time.perf_counter() - started, served.cpu_s() - worked
        return running.counted(Cost(seconds, cpu_s, served.memory_mb("VmHWM")), LINES)


def _post(port: int, file: Path) -> None:
    connection = HTTPConnection("127.0.0.1", port)
    connection.request("POST", "/", file.read_bytes(), {"Content-Type": "application/json"})
    answer = connection.getresponse()
    assert answer.status == 200, answer.read(1000)
    connection.close()


def report(running: portal.Running, folder: Path, rounds: int = 5) -> str:
    """The table, in Markdown."""
    known = Path(tempfile.mkdtemp(dir=folder))
    cold = {
        "b24tools serve, the first order": served(running, folder, 0),
        "b24tools assign, the first order": ours(running, folder, None),
        "the replaced service, the first order": theirs(running, folder, 0),
    }
    warm = {
        "b24tools serve, the next": served(running, folder, 1),
        "b24tools assign, the next": ours(running, folder, known),
        "the replaced service, the next": theirs(running, folder, 1),
    }
    lines = rows(measuring.in_turns(cold, rounds)) + rows(measuring.in_turns(warm, rounds))
    return f"An order of {LINES} lines and one file; rounds: {rounds}\n\n" + measuring.table(
        (*HEAD[:-1], "× serve"), lines
    )


def main() -> None:
    with tempfile.TemporaryDirectory() as name, portal.running(Path(name) / "portal", PEOPLE, TASKS) as running:
        sys.stdout.write(report(running, Path(name)))


if __name__ == "__main__":
    main()
