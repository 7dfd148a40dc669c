"""The others, each as its own documentation would have it: `python -m tests.bench.peers NAME FROM TO`.

They read what `b24tools snapshot` reads (people, departments, the tasks closed in [FROM, TO)) and say how many tasks
that was; the portal's address comes from the environment. Into memory alone, or, with BENCH_KEEP in the environment,
into that SQLite file, as one would do it in a line: b24tools saves what it reads, and that is in its time.
"""

from __future__ import annotations

import asyncio
import os
import sys
from typing import Any

SELECT = [
    *("ID", "TITLE", "RESPONSIBLE_ID", "CREATED_BY", "GROUP_ID", "STATUS", "CREATED_DATE", "CHANGED_DATE"),
    *("CLOSED_DATE", "DEADLINE", "TIME_ESTIMATE", "TIME_SPENT_IN_LOGS"),
]


def closed(start: str, end: str) -> dict[str, Any]:
    """The parameters of the list of tasks closed in [start, end)."""
    return {"select": SELECT, "filter": {"REAL_STATUS": 5, ">=CLOSED_DATE": start, "<CLOSED_DATE": end}}


def fast_bitrix24(start: str, end: str) -> int:
    """All batches of a list at once. Without its velocity policy 1.8.14 fails on answers that tell `operating`."""
    from fast_bitrix24 import BitrixAsync

    async def read() -> int:
        portal = BitrixAsync(os.environ["BITRIX_WEBHOOK_URL"], verbose=False)
        people = await portal.get_all("user.get")
        departments = await portal.get_all("department.get")
        tasks = await portal.get_all("tasks.task.list", closed(start, end))
        keep(people, departments, tasks)
        return len(tasks)

    return asyncio.run(read())


def b24pysdk(start: str, end: str) -> int:
    """By offset; what it says itself is best for lists of up to 2,550 rows."""
    token = _sdk()
    people, departments = (token.call_list(method, {})["result"] for method in ("user.get", "department.get"))
    tasks = token.call_list("tasks.task.list", closed(start, end) | {"order": {"ID": "ASC"}})["result"]
    keep(people, departments, tasks)
    return len(tasks)


def b24pysdk_fast(start: str, end: str) -> int:
    """Its chain of ids, for the long ones."""
    token = _sdk()
    people = list(token.call_list_fast("user.get", {})["result"])
    departments = token.call_list("department.get", {})["result"]
    tasks = list(token.call_list_fast("tasks.task.list", closed(start, end))["result"])
    keep(people, departments, tasks)
    return len(tasks)


def keep(people: list[Any], departments: list[Any], tasks: list[Any]) -> None:
    """Save all of it, if that is wanted."""
    assert people and departments
    if path := os.environ.get("BENCH_KEEP"):
        from sqlite_utils import Database

        database = Database(path)
        database["people"].upsert_all(people, pk="ID", alter=True)
        database["departments"].upsert_all(departments, pk="ID", alter=True)
        database["tasks"].upsert_all(tasks, pk="id", alter=True)
        database.close()


def _sdk() -> Any:
    from b24pysdk import BitrixWebhook

    domain, _rest, owner, secret = os.environ["BITRIX_WEBHOOK_URL"].removeprefix("https://").strip("/").split("/")
    return BitrixWebhook(domain=domain, webhook_token=f"{owner}/{secret}")


PROGRAMS = {
    "fast-bitrix24": fast_bitrix24,
    "b24pysdk": b24pysdk,
    "b24pysdk-fast": b24pysdk_fast,
}

if __name__ == "__main__":
    sys.stdout.write(str(PROGRAMS[sys.argv[1]](sys.argv[2], sys.argv[3])) + "\n")
