"""The others, as documented and, *at once*, at their quickest: `python -m tests.bench.peers NAME FROM TO`.

They read what `b24tools snapshot` reads (people, departments, the tasks closed in [FROM, TO)) and say how many tasks
that was; the portal's address comes from the environment. Into memory alone, or, with BENCH_KEEP in the environment,
into that SQLite file with the least that does it: b24tools saves what it reads, and that is in its time.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
import sys
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

PEOPLE = ["ID", "ACTIVE", "NAME", "LAST_NAME", "SECOND_NAME", "UF_DEPARTMENT"]
SELECT = [
    *("ID", "TITLE", "RESPONSIBLE_ID", "CREATED_BY", "GROUP_ID", "STATUS", "CREATED_DATE", "CHANGED_DATE"),
    *("CLOSED_DATE", "DEADLINE", "TIME_ESTIMATE", "TIME_SPENT_IN_LOGS"),
]


def closed(start: str, end: str) -> dict[str, Any]:
    """The parameters of the list of tasks closed in [start, end)."""
    return {"select": SELECT, "filter": {"REAL_STATUS": 5, ">=CLOSED_DATE": start, "<CLOSED_DATE": end}}


def lists(start: str, end: str) -> list[tuple[str, dict[str, Any]]]:
    """What is read: people, departments, tasks."""
    return [("user.get", {"select": PEOPLE}), ("department.get", {}), ("tasks.task.list", closed(start, end))]


def fast_bitrix24(start: str, end: str) -> int:
    """All batches of a list at once. Without its velocity policy 1.8.14 fails on answers that tell `operating`."""
    from fast_bitrix24 import BitrixAsync

    async def read() -> int:
        portal = BitrixAsync(os.environ["BITRIX_WEBHOOK_URL"], verbose=False)
        return keep(*[await portal.get_all(*query) for query in lists(start, end)])

    return asyncio.run(read())


def fast_bitrix24_at_once(start: str, end: str) -> int:
    """And all three lists at once."""
    from fast_bitrix24 import BitrixAsync

    async def read() -> int:
        portal = BitrixAsync(os.environ["BITRIX_WEBHOOK_URL"], verbose=False)
        return keep(*await asyncio.gather(*(portal.get_all(*query) for query in lists(start, end))))

    return asyncio.run(read())


def b24pysdk(start: str, end: str) -> int:
    """By offset, what it says itself is best for lists of up to 2,550 rows."""
    token = _sdk()
    return keep(*[token.call_list(method, _sorted(params))["result"] for method, params in lists(start, end)])


def b24pysdk_at_once(start: str, end: str) -> int:
    """And a thread for each list."""
    token = _sdk()
    with ThreadPoolExecutor(3) as pool:
        results = pool.map(lambda query: token.call_list(query[0], _sorted(query[1]))["result"], lists(start, end))
        return keep(*results)


def _sorted(params: dict[str, Any]) -> dict[str, Any]:
    return params | ({"order": {"ID": "ASC"}} if "filter" in params else {})


def b24pysdk_fast(start: str, end: str) -> int:
    """Its chain of ids, for the long ones: a generator, of which no more than an answer is held at once."""
    token = _sdk()
    people, departments, tasks = lists(start, end)
    return keep(
        token.call_list_fast(*people)["result"],
        token.call_list(*departments)["result"],
        token.call_list_fast(*tasks)["result"],
    )


COLUMNS = {
    "people": ("ID", "NAME", "LAST_NAME", "SECOND_NAME", "ACTIVE"),
    "departments": ("ID", "NAME", "PARENT", "UF_HEAD"),
    "tasks": (
        *("id", "title", "responsibleId", "createdBy", "groupId", "status", "createdDate", "changedDate"),
        *("closedDate", "deadline", "timeEstimate", "timeSpentInLogs"),
    ),
}


def keep(people: Iterable[Any], departments: Iterable[Any], tasks: Iterable[Any]) -> int:
    """How many tasks there are, after saving all of it if that is wanted."""
    path = os.environ.get("BENCH_KEEP")
    if not path:
        assert _count(people) and _count(departments)
        return _count(tasks)
    database = sqlite3.connect(path)
    with database:
        for (table, columns), rows in zip(COLUMNS.items(), (people, departments, tasks), strict=True):
            database.execute(f"CREATE TABLE {table} ({', '.join(columns)}, PRIMARY KEY ({columns[0]}))")
            marks = ", ".join("?" * len(columns))
            values = ([row.get(name) for name in columns] for row in rows)
            database.executemany(f"INSERT OR REPLACE INTO {table} VALUES ({marks})", values)
    [count] = database.execute("SELECT count(*) FROM tasks").fetchone()
    database.close()
    return int(count)


def _count(rows: Iterable[Any]) -> int:
    return sum(1 for _row in rows)


def _sdk() -> Any:
    from b24pysdk import BitrixWebhook

    domain, _rest, owner, secret = os.environ["BITRIX_WEBHOOK_URL"].removeprefix("https://").strip("/").split("/")
    return BitrixWebhook(domain=domain, webhook_token=f"{owner}/{secret}")


PROGRAMS = {
    "fast-bitrix24": fast_bitrix24,
    "fast-bitrix24-at-once": fast_bitrix24_at_once,
    "b24pysdk": b24pysdk,
    "b24pysdk-at-once": b24pysdk_at_once,
    "b24pysdk-fast": b24pysdk_fast,
}

if __name__ == "__main__":
    sys.stdout.write(str(PROGRAMS[sys.argv[1]](sys.argv[2], sys.argv[3])) + "\n")
