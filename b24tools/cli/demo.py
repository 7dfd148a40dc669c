"""The story of b24tools, told on the sandbox portal with nothing configured and nothing left behind."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from contextlib import closing
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import unquote

from b24tools import context
from b24tools.cli import leaderboard, snapshot, why
from b24tools.core import config
from b24tools.core.i18n import _, ngettext
from b24tools.core.models import OPEN_WORK as OPEN
from b24tools.jobs import assign as jobs_assign
from b24tools.jobs.events import process
from b24tools.onec import order as onec_order
from b24tools.render import assign, console
from b24tools.sandbox import demo_company, server
from b24tools.sandbox.records import COMPLETED
from b24tools.sandbox.state import Portal
from b24tools.store import open_store

NUMBER = "1Ц-00000069"
WELDING = "Сварщик"
DEMO_TOKEN = "demo"  # noqa: S105 - of a portal that ends with the story


def run_demo(talk: console.Talk) -> int:
    """An order sent, sent again, changed and finished; the week counted; its changes reported; the exit status."""
    portal = demo_company.build(context.now)
    with tempfile.TemporaryDirectory(prefix="b24tools-demo-", ignore_cleanup_errors=True) as folder:
        settings = config.Settings.model_validate(
            {"BITRIX_WEBHOOK_URL": portal.webhook_url("https://portal.example"), "B24_DATA_DIR": folder}
            | {"B24_REQUESTS_PER_SECOND": 1000}
        )
        here = context.Session(settings, talk.say, server.transport(portal))
        acts = (_first, _again, _changed, _finished, _counted, _reported)
        statuses = [act(here, portal, talk) for act in acts]
    console.heading("\n" + _("What to type next"))
    console.text(_next())
    return max(statuses)


def _first(here: context.Session, portal: Portal, talk: console.Talk) -> int:
    people = sum(user.active for user in portal.users.values())
    console.text(
        _(
            "A sign factory plans in 1C and works in Bitrix24. Its portal here is a sandbox\n"
            "with {people} people and {tasks} tasks; nothing of yours is read or changed.\n"
        ).format(people=people, tasks=len(portal.tasks))
    )
    console.heading(_("1. 1C sends an order: six operations, one file. A part of the JSON:"))
    order = _order(here)
    console.text(_excerpt(order))
    console.text("\n$ b24tools assign order.json")
    status = _send(here, talk, order)
    console.text(
        _(
            "\nEach operation became a task for whoever in the right department finishes it\n"
            "first: open work, vacations, breaks and weekends were counted. The file hangs\n"
            "on every task. And why was this person the one to weld?\n"
        )
    )
    return status or _asked(here, portal)


def _asked(here: context.Session, portal: Portal) -> int:
    welding = next(task.id for task in portal.tasks if task.title == f"{WELDING}: {NUMBER}")
    console.text(f"$ b24tools why {welding}")
    status = why.run(here, welding, as_json=False)
    console.text("")
    return status


def _again(here: context.Session, portal: Portal, talk: console.Talk) -> int:
    console.heading(_("2. Somebody in 1C presses the button again."))
    console.text("$ b24tools assign order.json")
    before = len(portal.writes())
    status = _send(here, talk, _order(here))
    written = len(portal.writes()) - before
    console.text(_("\nOne look at the portal, {count} writes: it is still one set of tasks.\n").format(count=written))
    return status


def _changed(here: context.Session, _portal: Portal, talk: console.Talk) -> int:
    console.heading(_("3. The welding takes longer than thought: 1C sends new minutes."))
    console.text("$ b24tools assign order.json")
    status = _send(here, talk, _order(here, welding=516.05))
    console.text(_("\nOnly the changed task was written; who does it stays.\n"))
    return status


def _finished(here: context.Session, _portal: Portal, talk: console.Talk) -> int:
    console.heading(_('4. The order is done: 1C sends it with "Выполнен": true.'))
    console.text("$ b24tools assign order.json")
    return _send(here, talk, _order(here, welding=516.05, done=True))


def _counted(here: context.Session, portal: Portal, talk: console.Talk) -> int:
    console.heading("\n" + _("5. People close tasks in Bitrix24; a snapshot counts them for the leaderboard."))
    for task in [task for task in portal.tasks if task.status in OPEN][:5]:
        portal.act("tasks.task.complete", {"taskId": str(task.id)}, user_id=task.responsible)
    console.text("$ b24tools snapshot && b24tools leaderboard --top 8")
    status = snapshot.take(here, console.Talk(-1), snapshot.Wanted())
    return status or _board(here, talk, 8)


def _reported(here: context.Session, portal: Portal, talk: console.Talk) -> int:
    console.heading("\n" + _("6. In webhook mode nobody has to ask: the portal reports what changes."))
    portal.add_handler("http://127.0.0.1:8000/webhook", DEMO_TOKEN)
    for task in [task for task in portal.tasks if task.status in OPEN][:3]:
        portal.act("tasks.task.complete", {"taskId": task.id}, user_id=task.responsible)
    again = max((task for task in portal.tasks if task.status == COMPLETED), key=lambda task: task.id)
    portal.act("tasks.task.renew", {"taskId": again.id})
    console.text(_("Three tasks are closed, one of the order is reopened. What b24tools hears of each is its number:"))
    pairs = unquote(portal.outbox[-1].body.decode()).split("&")
    told = "&…&".join(pair for pair in pairs if pair.startswith(("event=", "data[FIELDS_AFTER]")))
    console.text(f"POST /webhook  {told}&…")
    with here.open_client() as client, closing(open_store(here.settings.database)) as opened:
        opened.settings.save("producer_mode", "webhook")
        for one in portal.outbox:
            process.receive(opened, one.body, "", [DEMO_TOKEN], context.now())
        done = process.process(opened, client, here.settings.zone, context.now())
        requests = client.requests
    console.text(
        _("{events} events, all of them read in {requests}:\n").format(
            events=done.applied,
            requests=ngettext("{n} request", "{n} requests", requests).format(n=requests),
        )
    )
    console.text("$ b24tools leaderboard --top 4")
    return _board(here, talk, 4)


def _board(here: context.Session, talk: console.Talk, top: int) -> int:
    wanted = leaderboard.Wanted(None, True, False, "tasks", False, top, "table", None, False)
    return leaderboard.run(here, talk, wanted)


def _next() -> str:
    return _(
        "  b24tools sandbox                   this portal on a port, its webhook for .env\n"
        "  b24tools assign ORDER --dry-run    look at a plan before anything is written\n"
        "  b24tools load                      who has how much to do, day by day\n"
        "  b24tools assign --inbox FOLDER     for cron: take the orders that 1C drops\n"
        "Your own portal: copy .env-example to .env and set BITRIX_WEBHOOK_URL (README)."
    )


def _send(here: context.Session, talk: console.Talk, order: Mapping[str, Any]) -> int:
    orders = onec_order.read_orders(json.dumps(order, ensure_ascii=False).encode(), here.settings.zone)
    with here.assign_tools(dry_run=False, progress=lambda _stage, _done, _total: None) as tools:
        results = jobs_assign.orders(orders, tools, context.assign_rules(here.settings, tools.store, {}))
        url = tools.client.url
    assign.orders(results, here.settings.zone, url, context.now(), console.Talk(-1))
    return max(result.exit_status for result in results)


def _order(here: context.Session, *, welding: float = 216.05, done: bool = False) -> dict[str, Any]:
    """The order as 1C writes it: dates without a zone, the misspelt key, minutes with fractions."""
    today = datetime.combine(context.now().astimezone(here.settings.zone).date(), datetime.min.time())
    lines = [
        ("Макетчик", "878944cb-75a2-47d4-8b62-1f2fd573aabd", 1310.48, 5320.55),
        ("Печатник/плотер", "f2244a48-e526-11e6-8b87-f07959705c55", 68.67, 240.35),
        ("Фрезеровщик", "b1de1b37-e6c0-11e6-8d98-f07959705c55", 107.13, 374.97),
        (WELDING, "7703741f-2084-46b1-9abd-c7df534dfeb8", welding, 1080.25),
        ("Монтажник", "2ea74570-48a3-4ad8-a94d-3cb82e7725cc", 932.1, 4008.03),
        ("Поклейщик", "b421c97f-9d9f-4285-b39c-1f99490b2461", 490.9, 2110.87),
    ]
    names = ("Должность", "ДолжностьИдентификатор", "Время", "Сумма")
    return {
        "ИдентификаторЗаказа": "b7c57163-8c5d-11ef-905d-a41731192b22",
        "НомерЗаказа": NUMBER,
        "ДатаЗаказа": (today - timedelta(days=1)).isoformat(),
        "Исполнитель": "Производство",
        "Контрагент": "ООО «Ромашка»",
        "Менеджер": "Тихонова Анна",
        "Выполнен": done,
        "РекоммендуемаяДатаСдачи": (today + timedelta(days=14)).isoformat(),
        "Калькуляция": [dict(zip(names, line, strict=True)) for line in lines],
        "ПрисоединенныеФайлы": [{"Имя": "макет.json", "ДвоичныеДанные": "eyJ0ZXN0IjogInRlc3QifQ=="}],
    }


def _excerpt(order: Mapping[str, Any]) -> str:
    keys = ("НомерЗаказа", "Контрагент", "РекоммендуемаяДатаСдачи")
    part = {key: order[key] for key in keys}
    line = order["Калькуляция"][3]
    part["Калькуляция"] = [{key: line[key] for key in ("Должность", "Время")}]
    return json.dumps(part, ensure_ascii=False, indent=2).replace("\n    }\n", "\n    },\n    …\n")
