"""What `/openapi.json` shows as examples, with dates around the day on which it is asked for."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any


def make_examples(today: date) -> dict[str, Any]:
    """Make an example for each of the schemas that have one, by its name."""

    def day(days: int) -> str:
        return (today + timedelta(days=days)).isoformat()

    def at(days: int, clock: str) -> str:
        return f"{day(days)}T{clock}:00+03:00"

    week = today - timedelta(days=today.weekday())
    year, number, _day = week.isocalendar()
    name = {"id": "b7c57163-8c5d-11ef-905d-a41731192b22", "number": "1Ц-00000069"}
    person = {"id": 10, "name": "Павел Исаев"}
    assigned = {
        "order": name,
        "outcome": "created",
        "tasks": [
            {
                "position": "Сварщик",
                "outcome": "created",
                "task_id": 69,
                "title": "Сварщик: 1Ц-00000069",
                "responsible": person,
                "department": {"id": 9, "name": "Сварщик"},
                "start": at(1, "09:00"),
                "end": at(1, "12:40"),
                "ready": at(1, "12:40"),
                "deadline": at(14, "18:00"),
                "estimate_s": 13200,
                "files": ["макет.txt"],
                "warnings": [],
                "error": None,
            }
        ],
        "finish": at(1, "12:40"),
        "wanted": f"{day(14)}T23:59:59+03:00",
        "late_s": 0,
        "late_work_s": 0,
        "promise": day(1),
        "bottleneck": {
            "position": "Сварщик",
            "wait_s": 0,
            "work_s": 13200,
            "person": "Павел Исаев",
            "away_until": None,
            "planned_later": False,
            "accepted": None,
        },
    }
    standing = {
        **name,
        "customer": "ООО «Ромашка»",
        "wanted": f"{day(14)}T23:59:59+03:00",
        "promised_first": day(1),
        "finish": at(2, "12:40"),
        "late_s": 0,
        "done": 0,
        "of": 1,
        "state": "open",
        "cancelled": False,
        "holds_up": {"position": "Сварщик", "person": "Павел Исаев", "reason": "away", "until": day(1)},
        "changed_at": at(0, "08:15"),
        "lines": [
            {
                "position": "Сварщик",
                "task_id": 69,
                "status": "pending",
                "responsible": person,
                "start": at(1, "09:00"),
                "end": at(1, "12:40"),
                "ready": at(2, "12:40"),
                "estimate_s": 13200,
                "spent_s": 0,
                "closed_at": None,
                "moved_by_hand": False,
            }
        ],
    }
    ranking = {
        "period": {
            "kind": "week",
            "label": f"{year}-W{number:02}",
            "from": f"{week.isoformat()}T00:00:00+03:00",
            "to": f"{(week + timedelta(days=7)).isoformat()}T00:00:00+03:00",
            "complete": True,
        },
        "by": "tasks",
        "as_of": at(0, "08:15"),
        "rows": [
            {
                "place": 1,
                "user_id": 10,
                "name": "Павел Исаев",
                "department": "Сварщик",
                "tasks": 7,
                "hours": 21.5,
                "on_time": 7,
                "on_time_of": 7,
                "moved": "new",
                "badges": ["all_on_time"],
            }
        ],
        "benchmarks": {
            "ranked": 1,
            "median": 7.0,
            "first_quarter": None,
            "me": None,
        },
        "scope": {"group": None, "department": None},
        "goal": {"unit": "tasks", "per_member": 5, "target": 15, "done": 7, "members": 3, "present": 3},
    }
    return {
        "Order": {
            "ИдентификаторЗаказа": name["id"],
            "НомерЗаказа": name["number"],
            "ДатаЗаказа": f"{day(-1)}T13:56:45",
            "Исполнитель": "Производство",
            "Выполнен": False,
            "РекоммендуемаяДатаСдачи": f"{day(14)}T00:00:00",
            "ДатаПриема": f"{day(0)}T00:00:00",
            "Контрагент": "ООО «Ромашка»",
            "Менеджер": "Иванова Мария",
            "Калькуляция": [
                {
                    "Должность": "Макетчик",
                    "ДолжностьИдентификатор": "878944cb-75a2-47d4-8b62-1f2fd573aabd",
                    "Время": 1310.48,
                    "Сумма": 5320.55,
                }
            ],
            "ПрисоединенныеФайлы": [{"Имя": "test.json", "ДвоичныеДанные": "eyJ0ZXN0IjogInRlc3QifQ=="}],
        },
        "PortalEvent": {
            "event": "ONTASKUPDATE",
            "event_handler_id": "1",
            "data": {
                "FIELDS_BEFORE": {"ID": "69"},
                "FIELDS_AFTER": {"ID": "69"},
                "IS_ACCESSIBLE_BEFORE": "undefined",
                "IS_ACCESSIBLE_AFTER": "undefined",
            },
            "ts": "1769071218",
            "auth": {
                "domain": "example.bitrix24.ru",
                "client_endpoint": "https://example.bitrix24.ru/rest/",
                "server_endpoint": "https://oauth.bitrix24.tech/rest/",
                "member_id": "…",
                "application_token": "…",
            },
        },
        "OrderAnswer": {"message": "ok", "orders": [assigned]},
        "AssignedOrder": assigned,
        "OrdersAsTheyStand": {"cursor": "7", "orders": [standing]},
        "OrderStanding": standing,
        "Leaderboard": ranking,
        "PeopleNames": {"10": "Павел Исаев"},
        "ClosedTasks": {"10": [69, 70]},
        "Setting": {"key": "producer_mode", "value": "webhook"},
        "Problem": {
            "detail": 'Калькуляция[0].Время: "abc" is not a number of minutes',
            "code": "bad_order",
            "hint": "Correct the order in 1C and send it again.",
        },
    }
