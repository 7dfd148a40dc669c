"""The story of b24tools on the sandbox portal, with nothing configured and nothing left behind."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any
from urllib.parse import unquote

from b24tools import context
from b24tools.assignment.plan import Rules
from b24tools.assignment.staffing import working_hours
from b24tools.assignment.tools import RunClock, Tools
from b24tools.cli.demo_chart import print_chart
from b24tools.core import config, periods
from b24tools.core.i18n import _, ngettext
from b24tools.core.models import OPEN_WORK
from b24tools.jobs import assign, leaderboard, messages, orders, replan, snapshot, why
from b24tools.jobs.events import process
from b24tools.onec.order import read_orders
from b24tools.onec.sample_order import LINES, WELDING, build_order
from b24tools.render.assign import print_orders
from b24tools.render.console import Messenger, Screen, print_text
from b24tools.render.leaderboard import print_board
from b24tools.render.messages import make_writer, to_plain
from b24tools.render.orders import order_data
from b24tools.render.replan import print_replan
from b24tools.render.why import print_why
from b24tools.sandbox import demo_company, server
from b24tools.sandbox.records import COMPLETED, Message
from b24tools.sandbox.state import Portal
from b24tools.scheduling.calendar import Timeline

TOKEN = "demo"  # noqa: S105 - of a portal that ends with the story


def run() -> int:
    """Tell the story; return the exit status."""
    portal = demo_company.build(context.now)
    with tempfile.TemporaryDirectory(prefix="b24tools-demo-", ignore_cleanup_errors=True) as folder:
        settings = config.Settings.model_validate(
            {
                "BITRIX_WEBHOOK_URL": portal.webhook_url("https://portal.example"),
                "B24_DATA_DIR": folder,
                "B24_REQUESTS_PER_SECOND": 1000,
                "B24_NOTIFY": config.PEOPLE,
            }
        )
        session = context.Session(settings, print_text, server.transport(portal))
        statuses = _send_orders(session, portal)
        _count_closed_tasks(session, portal)
        _receive_events(session, portal)
    _print_title("\n" + _("What to type next"))
    _print(
        _(
            "  b24tools sandbox --write-env .env          this portal on a port; its settings\n"
            "  b24tools sample > order.json               an order with today's dates\n"
            "  b24tools assign order.json --dry-run       look at a plan before it is written\n"
            "  b24tools load                              who has how much to do, day by day\n"
            "Your own portal: b24tools init asks for its webhook, checks it and writes .env."
        )
    )
    return max(statuses)


def _send_orders(session: context.Session, portal: Portal) -> list[int]:
    """Send an order, send it again, change it, finish it."""
    people = sum(user.active for user in portal.users.values())
    _print(
        _(
            "A sign factory plans in 1C and works in Bitrix24. Its portal here is a sandbox\n"
            "with {people} people and {tasks} tasks; nothing of yours is read or changed.\n"
        ).format(people=people, tasks=len(portal.tasks))
    )
    _print_title(_("1. 1C sends an order: six operations, one file. A part of the JSON:"))
    order = _build_order(session)
    part = {key: order[key] for key in ("НомерЗаказа", "Контрагент", "РекоммендуемаяДатаСдачи")}
    part["Калькуляция"] = [{key: order["Калькуляция"][3][key] for key in ("Должность", "Время")}]
    excerpt = json.dumps(part, ensure_ascii=False, indent=2).replace("\n    }\n", "\n    },\n    …\n")
    _print(excerpt + "\n")
    statuses = [_assign(session, order)]
    _print(
        _(
            "\nEach operation became a task for whoever in the right department finishes it\n"
            "first: open work, vacations, breaks and weekends were counted. The file hangs\n"
            "on every task. And why was this person the one to weld?\n"
        )
    )
    welding = next(task.id for task in portal.tasks if task.title == f"{WELDING}: {order['НомерЗаказа']}")
    _print(f"$ b24tools why {welding}")
    with session.open_store() as store:
        print_why(why.explain(store, welding, session.settings.data_dir), session.settings.zone)
    _print_title("\n" + _("2. Somebody in 1C presses the button again."))
    before = len(portal.writes())
    statuses.append(_assign(session, order))
    written = len(portal.writes()) - before
    _print(_("\nOne look at the portal, {count} writes: it is still one set of tasks.\n").format(count=written))
    _print_title(_("3. The welding takes longer than thought: 1C sends new minutes."))
    statuses.append(_assign(session, _build_order(session, welding=516.05)))
    _print(_("\nOnly the changed task was written; who does it stays.\n"))
    _fall_ill(session, portal, welding)
    _answer_1c(session, portal, f"Фрезеровщик: {order['НомерЗаказа']}")
    _print_title(_('6. The order is done: 1C sends it with "Выполнен": true.'))
    statuses.append(_assign(session, _build_order(session, welding=516.05, done=True)))
    return statuses


def _fall_ill(session: context.Session, portal: Portal, welding: int) -> None:
    """Let the welder fall ill, give the work to another one, and tell both of them."""
    welder = portal.users[portal.tasks[welding].responsible]
    first = context.now().astimezone(session.settings.zone).date()
    name = f"{welder.name} {welder.last_name}"
    with session.open_planning(read_only=False) as (tools, rules):
        messages.plan_news(tools.store, session.settings.notify, tools.clock.now())
        _tell(session, portal, tools, rules)  # of the work of before
        portal.add_absence(welder.id, first, first + timedelta(days=7))
        _print_title(_("4. {name} falls ill for a week. What that would do to the order:").format(name=name))
        _draw_order(tools, rules)
        _print("\n$ b24tools replan --yes")
        result = replan.write(tools, rules, replan.Request(), None, None)
        print_replan(result, session.settings.zone, tools.client.url, context.now())
        _print("")
        _draw_order(tools, rules)
        _print_title(
            "\n"
            + _(
                "5. With B24_NOTIFY=people it is said in Bitrix24: once, in working hours, and to\n"
                "who is ill after that."
            )
        )
        messages.plan_news(tools.store, session.settings.notify, tools.clock.now())
        for message in _tell(session, portal, tools, rules):
            person = portal.users[int(message.dialog.removeprefix("notify"))]
            _print(_("To {name}:").format(name=f"{person.name} {person.last_name}"))
            _print("\n".join(f"  {line}" for line in to_plain(message.text.replace("#BR#", "\n")).splitlines()))
    _print("")


def _tell(session: context.Session, portal: Portal, tools: Tools, rules: Rules) -> list[Message]:
    """Send the messages that wait as of the next working hours; return them as the portal has them."""
    calendar, _warnings = working_hours(tools.directory.company(with_files=False), rules)
    known, before = len(portal.messages), portal.now
    portal.now = lambda: start
    start = Timeline(calendar, (), context.now()).start_at(0) + timedelta(minutes=1)
    tools = replace(tools, clock=RunClock(lambda: start, tools.clock.sleep, tools.clock.progress, tools.clock.say))
    messages.send_due(tools, rules, make_writer(session.settings.zone, start))
    portal.now = before
    return portal.messages[known:]


def _draw_order(tools: Tools, rules: Rules) -> None:
    listing, standings = orders.list_with_standings(tools, rules)
    print_chart(listing.orders[0], standings.calendar, standings.now)


def _answer_1c(session: context.Session, portal: Portal, title: str) -> None:
    """Close a task, and show what 1C learns of that."""
    task = next(task for task in portal.tasks if task.title == title)
    portal.act("tasks.task.complete", {"taskId": task.id}, user_id=task.responsible)
    with session.open_planning(read_only=False) as (tools, rules):
        listing = orders.list_orders(tools, rules)
    data = order_data(listing.orders[0], session.settings.zone)
    names = ("number", "promised_first", "finish", "late_s", "done", "of", "state")
    _print(
        _(
            "Somebody closes the milling. 1C learns it from GET /orders, or from a file that\n"
            "`b24tools orders --outbox FOLDER` writes for each order that has changed. A part:\n"
        )
        + json.dumps({name: data[name] for name in names}, ensure_ascii=False, indent=2)
        + "\n"
    )


def _count_closed_tasks(session: context.Session, portal: Portal) -> None:
    _print_title("\n" + _("7. People close tasks in Bitrix24; a snapshot counts them for the leaderboard."))
    _complete_tasks(portal, 5)
    _print("$ b24tools snapshot && b24tools leaderboard --top 8")
    rules = snapshot.SnapshotRules(session.settings.zone, directory_h=24, people_h=4, non_admin=False)
    with session.snapshot_tools() as (client, store):
        weeks = snapshot.due(store, context.now(), session.settings.zone)
        snapshot.take(store, client, weeks, rules, now=context.now)
    _print_board(session, top=8)


def _receive_events(session: context.Session, portal: Portal) -> None:
    _print_title("\n" + _("8. In webhook mode the portal itself reports what changes."))
    portal.add_handler("http://127.0.0.1:8000/webhook", TOKEN)
    _complete_tasks(portal, 3)
    finished = max((task for task in portal.tasks if task.status == COMPLETED), key=lambda task: task.id)
    portal.act("tasks.task.renew", {"taskId": finished.id})
    _print(_("Three tasks are closed, one of the order is reopened. What b24tools hears of each is its number:"))
    pairs = unquote(portal.outbox[-1].body.decode()).split("&")
    shown = "&…&".join(pair for pair in pairs if pair.startswith(("event=", "data[FIELDS_AFTER]")))
    _print(f"POST /webhook  {shown}&…")
    with session.open_client() as client, session.open_store() as store:
        store.settings.save("producer_mode", "webhook")
        for event in portal.outbox:
            process.receive(store, event.body, "", [TOKEN], context.now())
        done = process.process(store, client, session.settings.zone, context.now())
        requests = ngettext("{n} request", "{n} requests", client.requests).format(n=client.requests)
    _print(_("{events} events, all of them read in {requests}:\n").format(events=done.applied, requests=requests))
    _print("$ b24tools leaderboard --top 4")
    _print_board(session, top=4)


def _complete_tasks(portal: Portal, count: int) -> None:
    for task in [task for task in portal.tasks if task.status in OPEN_WORK][:count]:
        portal.act("tasks.task.complete", {"taskId": task.id}, user_id=task.responsible)


def _print(text: str) -> None:
    Screen().print(text)


def _print_title(text: str) -> None:
    Screen().print(text, "bold")


def _print_board(session: context.Session, *, top: int) -> None:
    settings, now = session.settings, context.now()
    week = periods.week_of(now, settings.zone)
    print_board(leaderboard.read_board(settings.database, week, now=now, top=top), settings.zone, now)


def _assign(session: context.Session, order: Mapping[str, Any]) -> int:
    _print("$ b24tools assign order.json")
    settings = session.settings
    sent = read_orders(json.dumps(order).encode(), settings.zone)
    with session.open_planning(read_only=False) as (tools, rules):
        results = assign.orders(sent, tools, rules)
        url = tools.client.url
    print_orders(results, settings.zone, url, context.now(), Messenger(-1))
    return max(result.exit_status for result in results)


def _build_order(session: context.Session, *, welding: float = 216.05, done: bool = False) -> dict[str, Any]:
    """Build the order of the story, with so many minutes of welding."""
    today = context.now().astimezone(session.settings.zone).date()
    lines = [(name, id_, welding if name == WELDING else minutes, cost) for name, id_, minutes, cost in LINES]
    number, order_id = "1Ц-00000069", "b7c57163-8c5d-11ef-905d-a41731192b22"
    return build_order(today, number, order_id, lines, manager="Тихонова Анна", done=done)
