"""What b24tools replaces, as far as the portal sees it: `python -m tests.bench.replaced poll FROM TO | serve`.

Written anew from what is known of the two services: which calls they make, in which order, and what they keep between
calls; not a line is theirs. `poll` says how many tasks it has seen, `serve` takes orders by `POST /`.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

ATTEMPTS, PAUSE_S, BETWEEN_BATCHES_S = 4, 0.6, 0.2
BATCH = 50


async def poll(start: str, end: str) -> int:
    """The leaderboard's collector: people page by page, then a list for each of them, fifty to a batch.

    No brake of its own; what was refused is sent again after 0.6, 1.2, 2.4 seconds.
    """
    import aiohttp

    async with aiohttp.ClientSession() as session:

        async def ask(method: str, params: dict[str, Any]) -> Any:
            for attempt in range(ATTEMPTS):
                async with session.post(os.environ["BITRIX_WEBHOOK_URL"] + method, json=params) as answer:
                    if answer.status == 200:
                        return await answer.json()
                await asyncio.sleep(PAUSE_S * 2**attempt)
            raise RuntimeError(f"{method}: refused {ATTEMPTS} times, at last with {answer.status}")

        people: list[int] = []
        page: int | None = 0
        while page is not None:
            fields = {"FILTER": {"ACTIVE": "Y"}, "SELECT": ["ID", "NAME", "LAST_NAME"], "start": page}
            answer = await ask("user.search", fields)
            people += [int(row["ID"]) for row in answer["result"]]
            page = answer.get("next")
        count, waiting = 0, dict.fromkeys(people, 0)
        while waiting:
            some = list(waiting.items())[:BATCH]
            cmd = {f"u{user}": _tasks_of(user, start, end, offset) for user, offset in some}
            result = (await ask("batch", {"halt": 0, "cmd": cmd}))["result"]
            following = result["result_next"] or {}
            for user, _offset in some:
                count += len(result["result"][f"u{user}"]["tasks"])
                waiting.pop(user)
                if f"u{user}" in following:
                    waiting[user] = following[f"u{user}"]
            await asyncio.sleep(BETWEEN_BATCHES_S)
        return count


def _tasks_of(user_id: int, start: str, end: str, offset: int) -> str:
    wanted = {"filter[RESPONSIBLE_ID]": user_id, "filter[STATUS]": 5, "order[ID]": "asc", "start": offset}
    dates = {"filter[>=CLOSED_DATE]": start, "filter[<CLOSED_DATE]": end, "select[]": "ID"}
    return "tasks.task.list?" + urlencode(wanted | dates)


class Service:
    """The order service: each line asks for itself, and all lines of an order at once.

    Departments, their people and the schedule are kept for hours, but whoever finds nothing kept asks again: at the
    first order that is every line.
    """

    def __init__(self) -> None:
        from fast_bitrix24 import BitrixAsync

        # The client's own count of fifty at once would let the second order wait for the first; a minute later it is
        # empty again, as the portal's is.
        self._portal = BitrixAsync(os.environ["BITRIX_WEBHOOK_URL"], verbose=False, request_pool_size=1000)
        self._kept: dict[str, Any] = {}

    async def take(self, order: dict[str, Any]) -> None:
        """The files, whether they are there already or not, and a task for every line."""
        files = asyncio.gather(*(self._upload(file) for file in order.get("ПрисоединенныеФайлы", ())))
        await asyncio.gather(*(self._line(order, line, files) for line in order["Калькуляция"]))

    async def _line(self, order: dict[str, Any], line: dict[str, Any], files: Awaitable[list[int]]) -> None:
        async def staff_and_tasks() -> tuple[list[Any], list[Any]]:
            department = await self._department(line["Должность"])
            staff = await self._once(
                f"staff{department['ID']}",
                lambda: self._portal.get_all("user.get", {"UF_DEPARTMENT": department["ID"]}),
            )
            cmd = {
                str(number): f"tasks.task.list?filter[!STATUS]=5&filter[RESPONSIBLE_ID]={user['ID']}"
                for number, user in enumerate(staff[:BATCH])  # a batch has no room for more
            }
            answer = await self._portal.call_batch({"halt": 0, "cmd": cmd})
            return staff, [answer[key]["tasks"] for key in cmd] if isinstance(answer, dict) else [
                result["tasks"] for result in answer
            ]

        uploaded, _schedule, (staff, tasks), head = await asyncio.gather(
            files, self._schedule(), staff_and_tasks(), self._department(order.get("Исполнитель", ""))
        )
        person, start = _least_busy(staff, tasks)
        end = (start + timedelta(minutes=line["Время"])).isoformat()
        fields = {
            "TITLE": f"{line['Должность']}: {order['НомерЗаказа']}",
            "GROUP_ID": 1,
            "CREATED_BY": head.get("UF_HEAD", "1"),
            "RESPONSIBLE_ID": person["ID"],
            "DESCRIPTION": f"Сумма: {line.get('Сумма')}",
            "START_DATE_PLAN": start.isoformat(),
            "END_DATE_PLAN": end,
            "DEADLINE": end,
            "TIME_ESTIMATE": round(line["Время"] * 60),
            "UF_TASK_WEBDAV_FILES": [f"n{number}" for number in uploaded],
            "ALLOW_TIME_TRACKING": "Y",
        }
        await self._portal.call("tasks.task.add", {"fields": fields})

    async def _once(self, key: str, ask: Callable[[], Awaitable[Any]]) -> Any:
        if key not in self._kept:
            self._kept[key] = await ask()
        return self._kept[key]

    async def _department(self, name: str) -> Any:
        rows = await self._once("departments", lambda: self._portal.get_all("department.get"))
        return next((row for row in rows if row["NAME"] == name), rows[0])

    async def _schedule(self) -> Any:
        return await self._once("schedule", lambda: self._portal.call("timeman.schedule.get", {"id": 1}, raw=True))

    async def _upload(self, file: dict[str, str]) -> int:
        content = [file["Имя"], file["ДвоичныеДанные"]]
        values = {"id": int(os.environ["BENCH_FOLDER_ID"]), "fileContent": content, "data": {"NAME": file["Имя"]}}
        answer = await self._portal.call("disk.folder.uploadfile", values | {"generateUniqueName": True}, raw=True)
        return int(answer["result"]["ID"])


def _least_busy(staff: list[Any], tasks: list[Any]) -> tuple[Any, datetime]:
    """Whoever has nothing to do, else whoever has the task that is due first."""
    best, first = staff[0], None
    for person, open_tasks in zip(staff, tasks, strict=False):
        if not open_tasks:
            return person, datetime.now(UTC)
        for task in open_tasks:
            due = datetime.fromisoformat(task["deadline"]) if task["deadline"] else datetime.now(UTC)
            if first is None or due < first:
                best, first = person, due
    return best, first or datetime.now(UTC)


def serve() -> None:
    """The order service on a port of its choice, behind the framework and the server that it had."""
    import uvicorn
    from fastapi import FastAPI

    api = FastAPI()
    kept: list[Service] = []

    @api.post("/")
    async def take(order: dict[str, Any]) -> None:
        if not kept:  # its client wants to be made where the loop runs
            kept.append(Service())
        await kept[0].take(order)

    uvicorn.run(api, port=0, access_log=False)


if __name__ == "__main__":
    what, *arguments = sys.argv[1:]
    if what == "poll":
        sys.stdout.write(json.dumps(asyncio.run(poll(*arguments))) + "\n")
    else:
        serve()
