"""The demo company: a sign-making plant with people, work in hand, vacations. The same for the same `now`."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from typing import Any, Final

from b24tools.sandbox.records import COMPLETED, IN_PROGRESS, Department, User
from b24tools.sandbox.state import Portal

GROUP: Final = "Задачи из 1с"
PRODUCTION: Final = "Производство"
# Department: under which, and who works there; the names are positions of 1C's orders
SHOPS: Final[dict[str, tuple[str, tuple[tuple[str, str], ...]]]] = {
    "Макетчик": (PRODUCTION, (("Ольга", "Белова"), ("Игорь", "Данилов"))),
    "Цех": (PRODUCTION, ()),
    "Печатник/плотер": ("Цех", (("Антон", "Егоров"), ("Марина", "Жукова"), ("Тимур", "Галиев"))),
    "Фрезеровщик": ("Цех", (("Сергей", "Зайцев"), ("Павел", "Исаев"))),
    "Сварщик": ("Цех", (("Виктор", "Козлов"), ("Фёдор", "Лебедев"))),
    "Монтажник": (PRODUCTION, (("Роман", "Морозов"), ("Денис", "Новиков"), ("Кирилл", "Орлов"), ("Глеб", "Попов"))),
    "Поклейщик": (PRODUCTION, (("Елена", "Романова"), ("Ирина", "Соколова"))),
}
HOLIDAYS: Final = ((1, 1), (1, 2), (1, 5), (1, 6), (1, 7), (1, 8), (2, 23), (3, 8), (5, 1), (5, 9), (6, 12), (11, 4))


def build(now: Callable[[], datetime], **options: Any) -> Portal:
    """Build the portal of the plant, the server and everybody in Moscow. `options` are those of Portal."""
    portal = Portal(now, **({"default_time_zone": "Europe/Moscow"} | options))
    _departments_and_people(portal)
    _hours_groups_and_disk(portal)
    _absences(portal)
    _open_work(portal)
    _closed_work(portal)
    return portal


def person(portal: Portal, last_name: str) -> User:
    """Find somebody of the plant by the last name."""
    return next(user for user in portal.users.values() if user.last_name == last_name)


def department(portal: Portal, name: str) -> Department:
    """Find a department of the plant by its name."""
    return next(row for row in portal.departments.values() if row.name == name)


def _departments_and_people(portal: Portal) -> None:
    portal.departments[1].name = "Вывески и конструкции"
    office = portal.add_department("Офис")
    managers = portal.add_department("Менеджеры", parent=office.id)
    portal.add_department(PRODUCTION)
    director = portal.add_user("Наталья", "Громова", departments=[office.id], position="Директор")
    portal.departments[1].head = director.id
    boss = portal.add_user("Борис", "Авдеев", departments=[department(portal, PRODUCTION).id], position="Начальник")
    department(portal, PRODUCTION).head = boss.id
    for name, (above, people) in SHOPS.items():
        shop = portal.add_department(name, parent=department(portal, above).id)
        for first, last in people:
            portal.add_user(first, last, departments=[shop.id], position=name)
    for first, second, last in (("Вадим", "Петрович", "Сидоров"), ("Анна", "Олеговна", "Тихонова")):
        portal.add_user(first, last, second_name=second, departments=[managers.id], position="Менеджер")
    # someone dismissed, someone who never came in, someone in two departments, a worker who heads a shop
    welders, fitters = department(portal, "Сварщик"), department(portal, "Монтажник")
    portal.add_user("Олег", "Ушаков", departments=[welders.id], position="Сварщик", active=False)
    portal.add_user("Лев", "Фомин", departments=[fitters.id], position="Монтажник", last_login=None)
    person(portal, "Исаев").departments.append(welders.id)
    fitters.head = person(portal, "Морозов").id


def _hours_groups_and_disk(portal: Portal) -> None:
    """Monday to Friday 9–18 with an hour's break; the holidays of the year and the two around it; two projects."""
    this_year = _today(portal).year
    days_off = [date(year, month, day) for year in (this_year - 1, this_year, this_year + 1) for month, day in HOLIDAYS]
    portal.add_schedule(9, 18, days_off=days_off)
    portal.calendar_settings["work_time_end"] = "18"
    boss, workers = person(portal, "Авдеев"), [user.id for user in portal.users.values() if user.id != 1]
    portal.add_group(GROUP, boss.id, members=[1, *workers])
    portal.add_group("Выставка", person(portal, "Громова").id, members=[boss.id])
    portal.add_storage("user", "Алексей Админов", "1")
    common = portal.add_storage("common", "Общий диск", "shared_files_s1")
    portal.add_folder(common.root, "Прайс-листы")


def _today(portal: Portal) -> date:
    return portal.now().astimezone(portal.server_zone).date()


def _at(portal: Portal, days: int, hour: int, minute: int = 0) -> datetime:
    """A clock time so many weekdays away: weekends are stepped over."""
    day, step = _today(portal), 1 if days >= 0 else -1
    while days or day.weekday() > 4:
        day += timedelta(days=step)
        days -= step if day.weekday() <= 4 and days else 0
    return datetime.combine(day, time(hour, minute), portal.server_zone)


def _absences(portal: Portal) -> None:
    today = _today(portal)
    portal.add_absence(person(portal, "Соколова").id, today - timedelta(days=3), today + timedelta(days=11))
    portal.add_absence(person(portal, "Новиков").id, today + timedelta(days=7), today + timedelta(days=20))
    portal.add_days_off(person(portal, "Жукова").id, today + timedelta(days=1), today + timedelta(days=2))
    portal.add_meeting(person(portal, "Белова").id, _at(portal, 1, 10), _at(portal, 1, 11))
    boss = person(portal, "Авдеев").id
    portal.add_meeting(boss, _at(portal, -5, 14), _at(portal, -5, 15), accessibility="absent", repeats="weekly")
    portal.add_absence(boss, _at(portal, 3, 9), _at(portal, 3, 12))


def _open_work(portal: Portal) -> None:
    """Planned ahead, unplanned, of another project, and one whose plan ended last week."""

    def give(last_name: str, title: str, hours: float, **values: Any) -> None:
        boss = person(portal, "Авдеев")
        values = {"creator": boss.id, "group": 1, "created_at": _at(portal, -4, 10)} | values
        values |= {"time_estimate": round(hours * 3600), "allow_time_tracking": True}
        portal.add_task(title, responsible=person(portal, last_name).id, **values)

    ahead = {"start_plan": _at(portal, 1, 9), "end_plan": _at(portal, 2, 18), "deadline": _at(portal, 4, 18)}
    give("Белова", "Макетчик: 1Ц-00000051", 16, **ahead)
    give("Егоров", "Печатник/плотер: 1Ц-00000051", 6, status=IN_PROGRESS, time_spent=7200)
    give("Зайцев", "Фрезеровщик: 1Ц-00000052", 9, start_plan=_at(portal, 0, 9), end_plan=_at(portal, 1, 10))
    give("Козлов", "Сварщик: 1Ц-00000052", 12, deadline=_at(portal, 3, 18))
    give("Морозов", "Стенд для выставки", 20, group=2, deadline=_at(portal, 8, 18))
    give("Попов", "Разобрать склад", 0, group=0)
    last_week = {"start_plan": _at(portal, -6, 9), "end_plan": _at(portal, -5, 18), "deadline": _at(portal, -5, 18)}
    give("Орлов", "Монтажник: 1Ц-00000048", 8, **last_week)
    give("Романова", "Поклейщик: 1Ц-00000053", 3, deadline=_at(portal, 2, 18))


def _closed_work(portal: Portal) -> None:
    """Three weeks of finished tasks: enough for a leaderboard with movement in it."""
    chance = random.Random(24)  # noqa: S311 # the same company every time, no secrets
    people = [user for user in portal.users.values() if user.position in SHOPS and user.active and user.last_login]
    values: dict[str, Any] = {"creator": person(portal, "Авдеев").id, "group": 1, "status": COMPLETED}
    for number in range(60):
        worker = chance.choice(people)
        closed = _at(portal, -chance.randrange(15), chance.randrange(9, 18), chance.randrange(60))
        closed = min(closed, portal.now() - timedelta(minutes=number + 1))
        values |= {"created_at": closed - timedelta(days=3), "closed_at": closed, "closed_by": worker.id}
        values["deadline"] = closed + timedelta(hours=-5 if chance.random() < 0.2 else 20)
        title, estimate = f"{worker.position}: 1Ц-{number:08}", chance.randrange(1, 16) * 1800
        portal.add_task(title, responsible=worker.id, time_estimate=estimate, **values)
