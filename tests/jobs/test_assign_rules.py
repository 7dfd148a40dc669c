"""Who gets a line of an order, and what exactly is written to the portal for it."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from datetime import datetime
from decimal import Decimal
from typing import Any

import diskcache
import pytest

from b24tools.assignment import workspace
from b24tools.bitrix24.org_cache import CacheAnchor
from b24tools.core import errors
from b24tools.jobs.orders import list_orders
from b24tools.onec import order as onec_order
from b24tools.onec import task_fields
from b24tools.sandbox import demo_company
from b24tools.sandbox.faults import Fault
from tests.support.orders import MOSCOW, Works, order, rules


def at(day: int, hour: int = 0, minute: int = 0, month: int = 11) -> datetime:
    """A moment of that autumn in Moscow; Monday is the 23rd."""
    return datetime(2026, month, day, hour, minute, tzinfo=MOSCOW)


def line(position: str = "Сварщик", minutes: float = 60, **values: Any) -> onec_order.Line:
    """A line of a costing."""
    return onec_order.Line(position=position, minutes=minutes, **values)


def lined(*lines: onec_order.Line, **values: Any) -> onec_order.Order:
    """An order of these lines."""
    return order([], **values).model_copy(update={"lines": lines})


def surname(works: Works, user_id: int) -> str:
    """Whom an id means."""
    return works.portal.users[user_id].last_name


def chosen(works: Works, position: str = "Сварщик", **changes: Any) -> str:
    """The surname of whoever is given an hour's work of this position."""
    task = works.assign(order([(position, 60)]), **changes)[0].tasks[0]
    assert task.error is None and task.responsible is not None, task.error
    return surname(works, task.responsible[0])


def stored(works: Works, task_id: int | None) -> dict[str, Any]:
    """A task as the portal has it, without the stamps that say when."""
    assert task_id is not None
    task = works.portal.tasks[task_id]
    names = (
        "title description creator responsible group status xml_id deadline start_plan end_plan time_estimate"
        " allow_time_tracking task_control match_work_time accomplices auditors tags"
    )
    fields = {name: getattr(task, name) for name in names.split()}
    for name in ("deadline", "start_plan", "end_plan"):
        fields[name] = fields[name] and datetime.fromtimestamp(fields[name], MOSCOW)
    fields["files"] = [works.portal.disk.objects[object_id].name for object_id in attached(works, task_id)]
    return fields


def attached(works: Works, task_id: int) -> list[int]:
    """The disk objects that hang on a task."""
    disk = works.portal.disk
    return [disk.attachments[tie].object_id for tie in works.portal.tasks[task_id].attachments]


def test_a_whole_task_is_stored_as_the_rules_say(works: Works) -> None:
    """Every field of a new task, as the portal keeps it."""
    new = lined(
        line("Сварщик", 216.05, position_id="7703741F-2084-46B1-9ABD-C7DF534DFEB8", amount=Decimal("1080.25")),
        number="1Ц-00000069",
        id="B7C57163-8C5D-11EF-905D-A41731192B22",
        customer="ООО «Ромашка»",
        manager="Сидоров Вадим",
        wanted=at(27),
        files=(
            onec_order.Attachment(name="чертёж.pdf", content=b"one"),
            onec_order.Attachment(name="b.txt", content=b"two"),
        ),
    )
    result = works.assign(new)[0]
    assert {
        "title": "Сварщик: 1Ц-00000069",
        "description": "Заказчик: ООО «Ромашка»\nСумма: 1\u00a0080,25\nДата сдачи: 27.11.2026",
        "creator": demo_company.person(works.portal, "Авдеев").id,
        "responsible": demo_company.person(works.portal, "Исаев").id,
        "group": 1,
        "status": 2,
        "xml_id": "1c:b7c57163-8c5d-11ef-905d-a41731192b22:a9012d957d",
        "deadline": at(27, 18),
        "start_plan": at(23, 9),
        "end_plan": at(23, 12, 40),
        "time_estimate": 220 * 60,
        "allow_time_tracking": True,
        "task_control": False,
        "match_work_time": False,
        "accomplices": (),
        "auditors": (demo_company.person(works.portal, "Сидоров").id,),
        "tags": (),
        "files": ["чертёж (1Ц-00000069, 7692c3ad).pdf", "b (1Ц-00000069, 3fc4ccfe).txt"],
    } == stored(works, result.tasks[0].task_id)
    folder = next(row for row in works.portal.disk.objects.values() if row.name == "Прикрепленные файлы")
    assert {"чертёж (1Ц-00000069, 7692c3ad).pdf": b"one", "b (1Ц-00000069, 3fc4ccfe).txt": b"two"} == {
        row.name: row.content for row in works.portal.disk.objects.values() if row.parent == folder.id
    }


def test_a_bare_order_leaves_the_optional_fields_empty(works: Works) -> None:
    """No customer, manager, dates, department or sum: the owner creates, the deadline is the end of the plan."""
    result = works.assign(order(department=None, date=None))[0]
    fields = stored(works, result.tasks[0].task_id)
    assert {
        "description": "",
        "creator": 1,
        "auditors": (),
        "deadline": at(23, 10),
        "files": [],
        "xml_id": "1c:11111111-2222-3333-4444-555555555555:aee0ff8d29",
    } == {name: fields[name] for name in ("description", "creator", "auditors", "deadline", "files", "xml_id")}
    assert ("created", (), 0) == (result.outcome, result.tasks[0].warnings, result.late_s)


def test_the_sum_is_kept_from_the_worker_when_asked(works: Works) -> None:
    """B24_SHOW_SUM=0."""
    result = works.assign(lined(line(amount=Decimal(5)), customer="Р"), show_sum=False)[0]
    assert stored(works, result.tasks[0].task_id)["description"] == "Заказчик: Р"


# departments


@pytest.mark.parametrize(
    "position",
    [
        "Печатник/плотер",
        "печатник/ПЛОТЕР",
        " Печатник / плотер ",
        "Печатник/\u00a0плотер",
        "Печатник\u2009/\u202fплотер",
    ],
)
def test_a_position_finds_its_department_whatever_its_case_and_spaces(works: Works, position: str) -> None:
    """At any depth under production: this one lies below the workshop."""
    assert chosen(works, position) in ("Галиев", "Жукова")


@pytest.mark.parametrize(("department", "position"), [("Чертёжник", "Чертежник"), ("Чертежник", "ЧЕРТЁЖНИК")])
def test_e_with_and_without_dots_are_one_letter(works: Works, department: str, position: str) -> None:
    """ё and е in names of departments."""
    made = works.portal.add_department(department, parent=4)
    works.portal.add_user("Яна", "Ёлкина", departments=[made.id])
    assert chosen(works, position) == "Ёлкина"


def test_only_departments_under_production_count(works: Works) -> None:
    """A namesake elsewhere in the company gives no people."""
    office = works.portal.add_department("Макетчик", parent=2)
    works.portal.add_user("Олег", "Чужой", departments=[office.id])
    assert chosen(works, "Макетчик") == "Данилов"
    assert works.assign(order([("Менеджеры", 60)], id="2"))[0].outcome == "failed"


def test_people_below_the_department_work_for_it_too(works: Works) -> None:
    """A position that is the name of a whole workshop: everybody in and under it."""
    result = works.assign(order([("Цех", 60)]))[0].tasks[0]
    assert result.department == (6, "Цех")
    assert result.responsible is not None and surname(works, result.responsible[0]) in ("Жукова", "Галиев", "Исаев")


def test_production_itself_is_no_position(works: Works) -> None:
    """Only its sub-departments are."""
    assert works.assign(order([("Производство", 60)]))[0].outcome == "failed"


def two_workshops(works: Works) -> None:
    """«Цех 1» and «Цех 2» with a «Резчик» each."""
    for name, worker in (("Цех 1", "Первый"), ("Цех 2", "Второй")):
        shop = works.portal.add_department(name, parent=4)
        cutters = works.portal.add_department("Резчик", parent=shop.id)
        works.portal.add_user("Иван", worker, departments=[cutters.id])


@pytest.mark.parametrize(("shop", "worker"), [("Цех 1", "Первый"), ("цех  2", "Второй")])
def test_of_departments_of_one_name_the_one_under_the_orders_shop_is_meant(
    works: Works, shop: str, worker: str
) -> None:
    """Исполнитель chooses between them."""
    two_workshops(works)
    assert chosen_in(works, shop) == [worker, worker]


@pytest.mark.parametrize("shop", [None, "Производство", "Офис", "Нет такого"])
def test_departments_of_one_name_give_their_people_together_otherwise(works: Works, shop: str | None) -> None:
    """Nothing to choose by: two lines go to the two people."""
    two_workshops(works)
    assert sorted(chosen_in(works, shop)) == ["Второй", "Первый"]


def chosen_in(works: Works, shop: str | None) -> list[str]:
    """Whom two lines «Резчик» of an order for this shop go to."""
    tasks = works.assign(order([("Резчик", 60), ("Резчик", 60)], department=shop))[0].tasks
    return [surname(works, task.responsible[0]) for task in tasks if task.responsible]


def test_all_departments_of_a_person_count(works: Works) -> None:
    """Исаев mills, and welds in his second department."""
    assert chosen(works, "Сварщик") == "Исаев"


def test_excluded_people_get_nothing(works: Works) -> None:
    """excluded_users: the other welders take over."""
    excluded = frozenset({demo_company.person(works.portal, "Исаев").id})
    assert chosen(works, "Сварщик", excluded=excluded) == "Лебедев"


def test_dismissed_people_get_nothing(works: Works) -> None:
    """Ушаков is free, but gone: he is never among the candidates."""
    tasks = works.assign(order([("Сварщик", 480)] * 6))[0].tasks
    assert {"Исаев", "Лебедев", "Козлов"} == {surname(works, task.responsible[0]) for task in tasks if task.responsible}


# nobody there


def test_a_position_without_a_department_fails_alone_and_names_the_nearest(works: Works) -> None:
    """No fallback: the other line is done, the status says so."""
    result = works.assign(order([("Сварщег", 60), ("Сварщик", 60)]))[0]
    bad, good = result.tasks
    assert ("partial", 3, "failed", "created") == (result.outcome, result.exit_status, bad.outcome, good.outcome)
    assert bad.error is not None
    assert bad.error.message == (
        'there is no department "Сварщег" under "Производство" (the nearest name is "Сварщик")'
    )
    assert "B24_FALLBACK_USER" in bad.error.hint
    assert [good.task_id] == [
        task_id for ids in works.tasks_of(order([("Сварщег", 60), ("Сварщик", 60)])).values() for task_id in ids
    ]


def test_the_fallback_user_takes_what_has_no_department_with_a_warning(works: Works) -> None:
    """B24_FALLBACK_USER; the warning names the nearest department."""
    boss = demo_company.person(works.portal, "Авдеев")
    task = works.assign(order([("Сварщег", 60)]), fallback_user=boss.id)[0].tasks[0]
    assert ("created", (boss.id, "Борис Авдеев"), None) == (task.outcome, task.responsible, task.department)
    assert task.warnings == (
        'there is no department "Сварщег" under "Производство" (the nearest name is "Сварщик"): given to Борис Авдеев',
    )


def test_the_fallback_user_may_work_outside_production(works: Works) -> None:
    """And that person's own open work counts: it is read as well."""
    chief = demo_company.person(works.portal, "Громова")
    works.portal.add_task("Отчёт", responsible=chief.id, time_estimate=7200, creator=1)
    task = works.assign(order([("Водитель", 60)]), fallback_user=chief.id)[0].tasks[0]
    assert ((chief.id, "Наталья Громова"), at(23, 11)) == (task.responsible, task.start)


def test_the_next_operation_waits_for_what_the_fallback_user_has(works: Works) -> None:
    """As it waits for everybody's work, on the first send, too; and the promise counts it."""
    boss = demo_company.person(works.portal, "Авдеев")
    welded = order([("Сварщег", 120), ("Сварщик", 60)])
    result = works.assign(welded, fallback_user=boss.id, route=("Сварщег", "Сварщик"))[0]
    assert ([at(23, 9), at(23, 11)], at(23, 12)) == ([task.start for task in result.tasks], result.finish)
    assert result.promise is not None and result.promise.bottleneck is not None
    assert (at(23, 12), "Сварщег") == (result.promise.ready, result.promise.bottleneck.position)


def test_the_fallback_user_takes_what_an_empty_department_cannot(works: Works) -> None:
    """The department exists, but all its people are excluded."""
    works.portal.add_department("Маляр", parent=4)
    task = works.assign(order([("Маляр", 60)]), fallback_user=3)[0].tasks[0]
    assert task.warnings == ('the department "Маляр" has no active people: given to Борис Авдеев',)


@pytest.mark.parametrize("user_id", [21, 999])
def test_a_fallback_user_who_is_gone_or_unknown_fails_the_line(works: Works, user_id: int) -> None:
    """Nothing is given to a dismissed person."""
    task = works.assign(order([("Водитель", 60)]), fallback_user=user_id)[0].tasks[0]
    assert task.error is not None
    assert f"B24_FALLBACK_USER={user_id}: the portal has no active employee {user_id}" == task.error.message
    assert [] == works.portal.writes()


def test_no_production_department_stops_the_command(works: Works) -> None:
    """The setting is named, and the nearest name."""
    works.portal.departments[4].name = "Производства"
    with pytest.raises(errors.ConfigError) as caught:
        works.assign(order())
    assert 'the portal has no department "Производство"' == caught.value.message
    assert "B24_DEPARTMENT" in caught.value.hint and '"Производства"' in caught.value.hint


def test_of_two_production_departments_the_higher_one_is_meant(works: Works) -> None:
    """A department of the same name below a shop is not the root."""
    shop = works.portal.departments[2]
    works.portal.departments[0] = works.portal.departments.pop(4)  # listed after the other one
    works.portal.departments[4] = works.portal.departments.pop(0)
    inner = works.portal.add_department("Производство", parent=shop.id, sort=1)
    works.portal.add_department("Сварщик", parent=inner.id)
    assert chosen(works) == "Исаев"


# pins


def test_a_pinned_position_goes_to_that_person(works: Works) -> None:
    """--to, by the position's name as departments are matched; the others are not touched."""
    tasks = works.assign(order([("Сварщик", 60), ("Макетчик", 60)]), pins={"сварщик ": 11})[0].tasks
    assert ["Козлов", "Данилов"] == [surname(works, task.responsible[0]) for task in tasks if task.responsible]
    assert at(24, 14) == tasks[0].start  # after the twelve hours he has


def test_a_pin_overrides_department_and_exclusion(works: Works) -> None:
    """A person from elsewhere, for a position no department has."""
    task = works.assign(order([("Водитель", 60)]), pins={"Водитель": 2}, excluded=frozenset({2}))[0].tasks[0]
    assert ("created", (2, "Наталья Громова"), ()) == (task.outcome, task.responsible, task.warnings)


@pytest.mark.parametrize("user_id", [21, 999])
def test_a_pin_to_somebody_gone_or_unknown_fails_that_line(works: Works, user_id: int) -> None:
    """The other line goes on."""
    result = works.assign(order([("Сварщик", 60), ("Макетчик", 60)]), pins={"Сварщик": user_id})[0]
    assert ("partial", ["failed", "created"]) == (result.outcome, [task.outcome for task in result.tasks])
    assert result.tasks[0].error is not None
    assert f"--to Сварщик={user_id}: the portal has no active employee {user_id}" == result.tasks[0].error.message


def test_a_pin_for_a_position_that_no_order_has_is_said(works: Works) -> None:
    """A misspelt --to must not pass in silence: the work went to somebody else."""
    results = works.assign(order(), order([("Макетчик", 60)], id="2", number="2"), pins={"Сварщег": 11, "Макетчик": 5})
    assert [('--to Сварщег=11: no order has this position (the nearest name is "Сварщик")',)] * 2 == [
        result.warnings for result in results
    ]


# names that mean nothing


def test_a_name_in_the_route_that_is_no_position_is_said(works: Works) -> None:
    """A department or a position of the order is one; the operation after it would not wait."""
    route = ("Макетчик", "сварщик ", "Грузчик", "Cборщик")
    result = works.assign(order([("Грузчик", 60), ("Сварщик", 60)]), fallback_user=3, route=route, dry_run=True)[0]
    assert (
        'B24_ROUTE: "Cборщик" is no position, nothing waits for it (the nearest name is "Сварщик")',
    ) == result.warnings


@pytest.mark.parametrize(
    ("changes", "warnings"),
    [
        ({"department": "Нет такого"}, ['Исполнитель: the portal has no department "Нет такого"']),
        (
            {"department": "Cварщик"},
            [
                'Исполнитель: the portal has no department "Cварщик" (the nearest name is "Сварщик"); '
                '"C" is Latin here and Cyrillic there'
            ],
        ),
        (
            {"manager": "Никто Никак"},
            ['Менеджер: no active person of the portal is "Никто Никак", so the tasks have no observer'],
        ),
        (
            {"manager": "Тихонова"},
            ['Менеджер: no active person of the portal is "Тихонова", so the tasks have no observer'],
        ),
        ({"manager": "Тихонова А."}, []),
        ({"manager": "Тихонова Анна Олеговна", "department": "цех № 1"}, []),
    ],
)
def test_a_department_or_manager_that_is_not_there_is_said(
    works: Works, changes: dict[str, str], warnings: list[str]
) -> None:
    """The work goes on without them."""
    works.portal.add_department("Цех №1", parent=4)
    result = works.assign(order(**changes), dry_run=True)[0]
    assert ("planned", warnings) == (result.outcome, list(result.warnings))


def test_several_people_of_one_name_are_named(works: Works) -> None:
    """None of them observes."""
    first = demo_company.person(works.portal, "Тихонова")
    second = works.portal.add_user("Анна", "Тихонова", departments=[3])
    text = f'Менеджер: "Тихонова Анна" may be several people (#{first.id}, #{second.id}), so the tasks have no observer'
    assert (text,) == works.assign(order(manager="Тихонова Анна"), dry_run=True)[0].warnings


@pytest.mark.parametrize("name", ["Задачи  из 1С", "Задачи\u00a0из 1с", "задачи из\u200b 1с ", "Задачи из 1с\ufeff"])
def test_a_project_that_looks_the_same_is_not_made_again(works: Works, name: str) -> None:
    """Nobody could tell the two apart."""
    group = next(group for group in works.portal.groups.values() if group.name == "Задачи из 1с")
    group.name = name
    result = works.assign(order())[0]
    text = f'B24_GROUP: "{name}" on the portal is written differently, but looks the same; set B24_GROUP={group.id}'
    assert ("created", (text,)) == (result.outcome, result.warnings)
    assert group.id == stored(works, result.tasks[0].task_id)["group"]


@pytest.mark.parametrize(
    ("name", "letters"),
    [
        ("Задачи из 1c", '"с" is Cyrillic here and Latin there'),
        ("Зaдaчи из 1С", '"а" is Cyrillic here and Latin there'),
        ("3адачи из 1с", '"З" is Cyrillic here and a digit there'),
    ],
)
def test_a_project_with_a_letter_of_another_alphabet_is_not_made_again(works: Works, name: str, letters: str) -> None:
    """It is used, and the letter named."""
    group = next(group for group in works.portal.groups.values() if group.name == "Задачи из 1с")
    group.name = name
    count = len(works.portal.groups)
    [warning] = works.assign(order())[0].warnings
    assert warning.endswith(f"looks the same; set B24_GROUP={group.id}; {letters}")
    assert count == len(works.portal.groups)


def test_a_folder_with_a_letter_of_another_alphabet_is_not_made_again(works: Works) -> None:
    """The same."""
    root = next(storage.root for storage in works.portal.disk.storages.values() if storage.entity_type == "common")
    folder = works.portal.add_folder(root, "Прикpeпленные файлы")
    [warning] = works.assign(order(files=(onec_order.Attachment(name="a.txt", content=b"a"),)))[0].warnings
    assert f'set B24_FOLDER={folder.id}; "р" is Cyrillic here and Latin there, "е" is' in warning
    assert 1 == len(works.portal.disk.children(folder.id))


def test_a_folder_that_looks_the_same_is_not_made_again(works: Works) -> None:
    """A file of that name is none."""
    root = next(storage.root for storage in works.portal.disk.storages.values() if storage.entity_type == "common")
    folder = works.portal.add_folder(root, "Прикреплённые\u00a0файлы")
    result = works.assign(order(files=(onec_order.Attachment(name="a.txt", content=b"a"),)))[0]
    assert "created" == result.outcome
    assert (
        'B24_FOLDER: "Прикреплённые\u00a0файлы" on the portal is written differently, but looks the same; '
        f"set B24_FOLDER={folder.id}",
    ) == result.warnings
    assert 1 == len(works.portal.disk.children(folder.id))


def test_a_folder_that_another_run_makes_meanwhile_is_taken(works: Works, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a word: it is the one that was wanted."""
    root = next(storage.root for storage in works.portal.disk.storages.values() if storage.entity_type == "common")
    ask, made = workspace.parts_to_ask, []

    def make_first(name: str) -> Any:
        made.append(works.portal.add_folder(root, name).id)
        return ask(name)

    monkeypatch.setattr(workspace, "parts_to_ask", make_first)
    result = works.assign(order(files=(onec_order.Attachment(name="a.txt", content=b"a"),)))[0]
    assert ("created", ()) == (result.outcome, result.warnings)
    assert [1] == [len(works.portal.disk.children(folder)) for folder in made]


# the creator


def test_the_creator_is_the_active_head_of_the_orders_department(works: Works) -> None:
    """Wherever in the company that department is."""
    works.portal.departments[3].head = demo_company.person(works.portal, "Тихонова").id
    result = works.assign(order(department=" менеджеры "))[0]
    assert "Тихонова" == surname(works, stored(works, result.tasks[0].task_id)["creator"])


@pytest.mark.parametrize("department", [None, "Цех", "Нет такого", "Сварщик"])
def test_the_webhooks_owner_creates_where_there_is_no_active_head(works: Works, department: str | None) -> None:
    """No department, a headless one, an unknown one, one headed by somebody dismissed."""
    works.portal.departments[9].head = 21
    result = works.assign(order(department=department))[0]
    assert 1 == stored(works, result.tasks[0].task_id)["creator"]


# the manager


@pytest.mark.parametrize(
    "manager",
    [
        "Сидоров Вадим",
        "Сидоров Вадим Петрович",
        "Сидоров В.П.",
        "Сидоров В. П.",
        "Сидоров В.",
        "Сидоров В",
        " сидоров  ВАДИМ ",
        "Сидоров\u00a0В.П.",
    ],
)
def test_the_manager_watches_the_task(works: Works, manager: str) -> None:
    """In every form 1C may have the name."""
    result = works.assign(order(manager=manager))[0]
    assert (demo_company.person(works.portal, "Сидоров").id,) == stored(works, result.tasks[0].task_id)["auditors"]


@pytest.mark.parametrize(
    "manager",
    [
        "Сидоров",
        "Сидоров Пётр",
        "Сидоров В.А.",
        "Сидоров Вадим Ильич",
        "Вадим Сидоров",
        "Нет Никого",
        ".",
        "Сидоров В.П. (продажи)",
    ],
)
def test_nobody_watches_when_the_name_fits_nobody(works: Works, manager: str) -> None:
    """A surname alone, another first name or patronymic, the wrong order."""
    result = works.assign(order(manager=manager))[0]
    assert () == stored(works, result.tasks[0].task_id)["auditors"]


def test_nobody_watches_when_two_people_fit(works: Works) -> None:
    """Вадим and Виктор are both В.; the whole name tells them apart."""
    works.portal.add_user("Виктор", "Сидоров", departments=[3])
    first = works.assign(order(manager="Сидоров В."))[0]
    second = works.assign(order(manager="Сидоров Виктор", id="2"))[0]
    assert [(), (23,)] == [stored(works, result.tasks[0].task_id)["auditors"] for result in (first, second)]


def test_a_dismissed_namesake_is_not_in_the_way(works: Works) -> None:
    """Only active people count, and a dismissed manager watches nothing."""
    works.portal.add_user("Вадим", "Сидоров", departments=[3], active=False)
    works.portal.users[20].active = False
    first = works.assign(order(manager="Сидоров Вадим"))[0]
    second = works.assign(order(manager="Тихонова Анна", id="2"))[0]
    assert [(19,), ()] == [stored(works, result.tasks[0].task_id)["auditors"] for result in (first, second)]


def test_the_managers_name_may_have_dots_over_e(works: Works) -> None:
    """ё on the portal, е in 1C."""
    works.portal.add_user("Пётр", "Королёв", departments=[3])
    result = works.assign(order(manager="Королев Петр"))[0]
    assert (23,) == stored(works, result.tasks[0].task_id)["auditors"]


@pytest.mark.parametrize(
    ("surname", "manager"),
    [
        ("Чаи\u0306ка", "Чайка Пётр"),
        ("Чайка", "Чаи\u0306ка Пётр"),
        ("О\u2019Нил", "О'Нил Пётр"),
        ("Салтыков Щедрин", "Салтыков Щедрин П."),
        ("Салтыков-Щедрин", "Салтыков Щедрин, П."),
        ("Салтыков\u2011Щедрин", "Салтыков-Щедрин П."),
    ],
)
def test_the_managers_surname_may_be_written_differently(works: Works, surname: str, manager: str) -> None:
    """With other signs, or letters put together of two."""
    works.portal.add_user("Пётр", surname, departments=[3])
    result = works.assign(order(manager=manager))[0]
    assert ((23,), ()) == (stored(works, result.tasks[0].task_id)["auditors"], result.warnings)


@pytest.mark.parametrize(
    ("manager", "letters"),
    [
        ("Cидоров В.П.", '"C" is Latin here and Cyrillic there'),
        ("Сидоров Bадим", '"B" is Latin here and Cyrillic there'),
    ],
)
def test_a_letter_of_another_alphabet_in_the_managers_name_is_named(works: Works, manager: str, letters: str) -> None:
    """Nobody sees it."""
    text = (
        f'Менеджер: no active person of the portal is "{manager}", so the tasks have no observer'
        f' (the nearest name is "Сидоров Вадим Петрович"); {letters}'
    )
    assert (text,) == works.assign(order(manager=manager), dry_run=True)[0].warnings


@pytest.mark.parametrize(
    ("surname", "letters"),
    [
        ("Cидоренко", '"С" is Cyrillic here and Latin there'),
        ("Сидоpенко", '"р" is Cyrillic here and Latin there'),
        ("Сидоренкo", '"о" is Cyrillic here and Latin there'),
    ],
)
def test_a_letter_of_another_alphabet_in_a_surname_of_the_portal_is_named(
    works: Works, surname: str, letters: str
) -> None:
    """Whoever typed it there saw nothing either."""
    works.portal.add_user("Пётр", surname, departments=[3])
    (warning,) = works.assign(order(manager="Сидоренко Пётр"), dry_run=True)[0].warnings
    assert warning.endswith(f' (the nearest name is "{surname} Пётр"); {letters}')


# the deadline


@pytest.mark.parametrize(
    ("wanted", "deadline"),
    [
        (at(25), at(25, 18)),
        (at(29), at(27, 18)),  # a Sunday
        (at(23), at(23, 18)),  # today
        (at(25, 14, 30), at(25, 14, 30)),
        (at(28, 23, 59), at(28, 23, 59)),  # a time is meant as it is, on a Saturday too
    ],
)
def test_the_wanted_date_becomes_the_deadline(works: Works, wanted: datetime, deadline: datetime) -> None:
    """A bare date is the end of that working day, on a day off of the last one before."""
    task = works.assign(order(wanted=wanted))[0].tasks[0]
    assert (deadline, ()) == (stored(works, task.task_id)["deadline"], task.warnings)
    assert deadline == task.deadline


def test_a_holiday_counts_as_a_day_off_for_the_deadline(works: Works) -> None:
    """The exclusions of the work schedule."""
    works.portal.schedules[1]["CALENDAR"]["EXCLUSIONS"]["2026"]["11"]["27"] = "0"
    task = works.assign(order(wanted=at(29)))[0].tasks[0]
    assert at(26, 18) == stored(works, task.task_id)["deadline"]


@pytest.mark.parametrize("wanted", [at(20), at(22), at(23, 6, 59)])
def test_a_wanted_date_that_has_passed_gives_way_to_the_end_of_the_plan(works: Works, wanted: datetime) -> None:
    """With a warning; Sunday the 22nd means Friday, which has passed too."""
    task = works.assign(order(wanted=wanted))[0].tasks[0]
    assert at(23, 10) == stored(works, task.task_id)["deadline"]
    assert (f"the wanted date {wanted:%d.%m.%Y} has passed: the deadline is the end of the plan",) == task.warnings


def test_a_plan_that_ends_after_the_wanted_day_is_late(works: Works) -> None:
    """Calendar seconds from the end of that day; a plan that ends on the day itself is not late."""
    late = works.assign(order([("Сварщик", 10 * 60)], wanted=at(23)))[0]
    on_time = works.assign(order([("Макетчик", 60)], wanted=at(23), id="2"))[0]
    assert (at(24, 11), at(23, 23, 59)) == (late.finish, late.wanted and late.wanted.replace(second=0))
    assert (11 * 3600, 0) == (late.late_s, on_time.late_s)


# the estimate


@pytest.mark.parametrize(
    ("minutes", "step_s", "estimate_min"),
    [(0, 300, 5), (0.01, 300, 5), (5, 300, 5), (5.01, 300, 10), (68.67, 300, 70), (61, 60, 61), (61, 3600, 120)],
)
def test_the_estimate_is_rounded_up_to_whole_steps(
    works: Works, minutes: float, step_s: int, estimate_min: int
) -> None:
    """At least one step; the slot has that length."""
    task = works.assign(order([("Сварщик", minutes)]), step_s=step_s)[0].tasks[0]
    fields = stored(works, task.task_id)
    assert (estimate_min * 60, at(23, 9)) == (fields["time_estimate"], fields["start_plan"])
    assert estimate_min * 60 == (fields["end_plan"] - fields["start_plan"]).total_seconds()


def test_the_start_is_rounded_up_on_the_clock(works: Works) -> None:
    """Sent at 10:03 in working hours, the work starts at 10:05."""
    works.clock.now = at(23, 10, 3)
    task = works.assign(order())[0].tasks[0]
    assert (at(23, 10, 5), at(23, 11, 5)) == (task.start, task.end)


# texts


def test_a_hash_that_would_make_a_tag_becomes_a_number_sign(works: Works) -> None:
    """In title and description; no tags on the portal."""
    task = works.assign(order([("Сварщик", 60)], number="#77 #78", customer="ООО #1 и C#"))[0].tasks[0]
    fields = stored(works, task.task_id)
    assert ("Сварщик: №77 №78", "Заказчик: ООО №1 и C#", ()) == (fields["title"], fields["description"], fields["tags"])


REFERENCE = "$result[profile][ID] $next[a] $total[a] $time[a] $ERROR[a]"


@pytest.mark.long
@pytest.mark.parametrize("place", ["number", "customer", "department", "manager", "id", "position", "file"])
def test_text_that_a_batch_would_replace_arrives_unharmed(works: Works, place: str) -> None:
    """`$result[…]` and its kin, wherever 1C may have them; and the second send finds everything again."""
    changes: dict[str, Any] = {} if place in ("position", "file") else {place: REFERENCE}
    if place == "file":
        changes["files"] = (onec_order.Attachment(name=REFERENCE + ".txt", content=b"x"),)
    if place == "position":
        shop = works.portal.add_department(REFERENCE, parent=4)
        works.portal.add_user("Иван", "Первый", departments=[shop.id])
    new = order([(REFERENCE if place == "position" else "Сварщик", 60)], **changes)
    result = works.assign(new)[0]
    assert ("created", None) == (result.outcome, result.tasks[0].error)
    fields = stored(works, result.tasks[0].task_id)
    assert (task_fields.title(new, new.lines[0]), task_fields.line_keys(new)[0]) == (fields["title"], fields["xml_id"])
    assert task_fields.description(new, new.lines[0], True) == fields["description"]
    assert [task_fields.stored_name(new.number, file) for file in new.files] == fields["files"]
    assert "unchanged" == works.assign(new)[0].outcome


# several orders, several lines


def test_two_lines_of_one_position_go_to_two_equally_free_people(works: Works) -> None:
    """What one line got, the next one sees taken; each has its own key."""
    tasks = works.assign(order([("Сварщик", 60), ("Сварщик", 60)]))[0].tasks
    assert ["Исаев", "Лебедев"] == [surname(works, task.responsible[0]) for task in tasks if task.responsible]
    assert [at(23, 9)] * 2 == [task.start for task in tasks]
    assert [
        "1c:11111111-2222-3333-4444-555555555555:aee0ff8d29",
        "1c:11111111-2222-3333-4444-555555555555:470bc4e70f",
    ] == [stored(works, task.task_id)["xml_id"] for task in tasks]


def test_orders_of_one_command_are_planned_together(works: Works) -> None:
    """Three orders, two free welders: the third waits its turn; everything is read once."""
    results = works.assign(*(order(id=str(number)) for number in range(3)))
    assert [("Исаев", at(23, 9)), ("Лебедев", at(23, 9)), ("Исаев", at(23, 10))] == [
        (surname(works, got.tasks[0].responsible[0]), got.tasks[0].start) for got in results if got.tasks[0].responsible
    ]
    assert 4 == len(works.portal.log)  # departments, people, state, tasks


def test_what_an_earlier_command_gave_out_counts(works: Works) -> None:
    """Two commands one after the other plan as one would."""
    assert ["Исаев", "Лебедев", "Исаев"] == [
        surname(works, works.assign(order(id=str(number)))[0].tasks[0].responsible[0])  # type: ignore[index]
        for number in range(3)
    ]


def test_the_same_order_twice_in_one_command_makes_its_tasks_once(works: Works) -> None:
    """The second is a change of the first."""
    first, second, other = works.assign(order(), order(customer="Р"), order(id="2"))
    assert ["created", "updated", "created"] == [first.outcome, second.outcome, other.outcome]
    assert first.tasks[0].task_id == second.tasks[0].task_id
    assert "Заказчик: Р" == stored(works, first.tasks[0].task_id)["description"]


def test_an_order_without_lines_makes_nothing(works: Works) -> None:
    """An empty Калькуляция, beside an order that has some."""
    said = ("Калькуляция: the list is empty, there is nothing to make tasks of",)
    empty = order([], id="2", number="2", warnings=said)
    result, other = works.assign(empty, order())
    assert ("unchanged", (), None, 0) == (result.outcome, result.tasks, result.finish, 0)
    assert said == result.warnings
    assert "created" == other.outcome


def test_an_order_without_lines_alone_writes_nothing(works: Works) -> None:
    """No request is left out or broken by having nothing to ask."""
    assert "unchanged" == works.assign(order([]))[0].outcome
    assert [] == works.portal.writes()


# dry run


def test_a_dry_run_plans_what_the_real_run_does(works: Works) -> None:
    """Same people, same slots; nothing written, neither to the portal nor to the data folder."""
    new = order([("Сварщик", 60), ("Сварщик", 90), ("Нет", 5)], files=(onec_order.Attachment(name="a", content=b"a"),))
    planned = works.assign(new, dry_run=True)[0]
    assert [] == works.portal.writes()
    assert not (works.folder / "b24tools.db").exists()
    real = works.assign(new)[0]
    assert ["planned", "planned", "failed"] == [task.outcome for task in planned.tasks]
    assert [(task.responsible, task.start, task.end, task.deadline) for task in planned.tasks] == [
        (task.responsible, task.start, task.end, task.deadline) for task in real.tasks
    ]


# what the cache does not know


def test_work_does_not_go_to_whoever_was_dismissed_since_the_people_were_cached(works: Works) -> None:
    """It costs no request to know."""
    works.assign(order())
    first = works.assign(order(id="second", number="2"), dry_run=True)[0].tasks[0]
    assert first.responsible is not None
    works.portal.users[first.responsible[0]].active = False
    works.portal.log.clear()
    second = works.assign(order(id="second", number="2"))[0].tasks[0]
    assert second.responsible not in (None, first.responsible)
    assert 2 == len(works.portal.log)


def test_work_does_not_go_to_whoever_changed_the_department_since_the_people_were_cached(works: Works) -> None:
    """Nobody is left there: the fallback user gets it."""
    shop = works.portal.add_department("Резчик", parent=4)
    cutter = works.portal.add_user("Иван", "Резчиков", departments=[shop.id])
    assert "Резчиков" == chosen(works, "Резчик")
    cutter.departments = [demo_company.department(works.portal, "Сварщик").id]
    task = works.assign(order([("Резчик", 60)], id="second", number="2"), fallback_user=1)[0].tasks[0]
    assert task.responsible is not None and 1 == task.responsible[0]


def test_of_more_than_fifty_people_asked_about_all_are_read(works: Works) -> None:
    """Fifty-one pins: the last one's person is known as well."""
    shop = works.portal.add_department("Контора", parent=1)
    ids = [works.portal.add_user("Иван", f"Пинов{n}", departments=[shop.id]).id for n in range(51)]
    pins = {f"Должность {n}": user_id for n, user_id in enumerate(ids)}
    (result,) = works.assign(order([(f"Должность {n}", 5) for n in range(51)]), pins=pins)
    assert ids == [task.responsible[0] for task in result.tasks if task.responsible]


def test_a_manager_with_more_than_fifty_namesakes_is_found(works: Works) -> None:
    """The one who is meant is on the second page."""
    for number in range(55):
        works.portal.add_user(f"Имя{number}", "Иванов", departments=[1])
    (task,) = works.assign(order(manager="Иванов Имя54"))[0].tasks
    auditors = stored(works, task.task_id)["auditors"]
    assert ["Имя54"] == [works.portal.users[auditor].name for auditor in auditors]


def test_an_owner_who_is_no_administrator_creates_the_tasks_himself(works: Works) -> None:
    """He may not name another creator: the head of the department."""
    works.portal.owner.admin = False
    result = works.assign(order(), non_admin=True)[0]
    assert [None] == [task.error for task in result.tasks]
    assert 1 == stored(works, result.tasks[0].task_id)["creator"]
    changed = works.assign(order(department="Сварщик"), non_admin=True)[0]
    assert [None] == [task.error for task in changed.tasks]


def test_only_the_orders_with_files_fail_where_the_storage_is_shut(works: Works) -> None:
    """The webhook has no scope for the disk."""
    works.portal.scopes.discard("disk")
    with_file = order(id="second", number="2", files=(onec_order.Attachment(name="a.txt", content=b"a"),))
    plain, filed = works.assign(order(), with_file)
    assert ["created", "failed"] == [plain.outcome, filed.outcome]
    assert isinstance(filed.tasks[0].error, errors.PortalDenied)
    assert "insufficient_scope" == filed.tasks[0].error.portal_code
    assert [[]] == list(works.tasks_of(with_file).values())


def test_a_failed_order_is_never_ready(works: Works) -> None:
    """It has a plan, but no task."""
    works.portal.scopes.discard("disk")
    new = order(wanted=at(23), wanted_is_day=True, files=(onec_order.Attachment(name="a.txt", content=b"a"),))
    (result,) = works.assign(new)
    assert ("failed", None, 0) == (result.outcome, result.finish, result.late_s)


def test_an_archived_project_of_the_same_name_is_not_used(works: Works) -> None:
    """Though its id is lower."""
    works.portal.groups[1].closed = True
    other = works.portal.add_group(demo_company.GROUP, owner=1)
    (task,) = works.assign(order())[0].tasks
    assert other.id == stored(works, task.task_id)["group"]


# the cache itself


def test_a_scope_that_was_granted_is_seen_at_once(works: Works) -> None:
    """Nobody waits a day for the cache to forget that it was missing."""
    works.portal.scopes.discard("timeman")
    assert any("timeman" in text for text in works.assign(order())[0].warnings)
    works.portal.scopes.add("timeman")
    assert () == works.assign(order(id="second", number="2"))[0].warnings


def test_hours_that_an_error_has_hidden_are_said_and_read_again(works: Works) -> None:
    """Else all would be planned by the portal's calendar for a day, without a word."""
    works.portal.calendar_settings |= {"work_time_start": "11", "work_time_end": "15"}
    works.portal.faults.add(Fault("error", method="timeman.schedule.get", description="no"))

    first, second = (works.assign(order(id=one, number=one))[0] for one in ("first", "second"))

    said = "the working hours could not be read: timeman.schedule.get: no (ERROR_CORE)"
    assert ((said,), ()) == (first.warnings, second.warnings)
    assert [11, 9] == [one.tasks[0].start.astimezone(MOSCOW).hour for one in (first, second)]


def test_a_portal_without_schedules_is_cached_like_others(works: Works) -> None:
    """Its calendar's hours count, as they will the next time."""
    works.portal.calendar_settings |= {"work_time_start": "11", "work_time_end": "15"}
    works.portal.faults.add(Fault("error", method="timeman.schedule.get", code="ERROR_METHOD_NOT_FOUND"))

    first = works.assign(order())[0]

    assert ((), 11) == (first.warnings, first.tasks[0].start.astimezone(MOSCOW).hour)
    with works.tools() as tools:
        assert not tools.directory.company(with_files=False).fresh


@pytest.mark.parametrize("damage", [b"no database at all", b"SQLite format 3\0" + b"\xff" * 5000])
def test_a_damaged_cache_is_made_anew(works: Works, damage: bytes) -> None:
    """It holds nothing that cannot be asked for again."""
    works.assign(order())
    for file in (works.folder / "cache").glob("cache.db*"):
        file.unlink()
    (works.folder / "cache" / "cache.db").write_bytes(damage)
    assert "created" == works.assign(order(id="second", number="2"))[0].outcome
    works.portal.log.clear()
    assert "unchanged" == works.assign(order(id="second", number="2"))[0].outcome
    assert 1 == len(works.portal.log)


@pytest.mark.parametrize("is_held", [False, True])
def test_a_cache_that_is_taken_away_under_a_process_is_made_anew(works: Works, is_held: bool) -> None:
    """`serve` holds it open from one order to the next."""
    with closing(CacheAnchor()) as anchor:
        works.anchor = anchor if is_held else None
        works.assign(order())
        assert is_held == (works.folder / "cache" / "cache.db-wal").exists()
        for file in (works.folder / "cache").glob("cache.db*"):
            file.unlink()
        counts = []
        for number in ("2", "3"):
            works.portal.log.clear()
            works.assign(order(id=f"order {number}", number=number))
            counts.append(len(works.portal.log))
    assert [4, 2] == counts


def test_a_pickle_in_the_cache_is_not_loaded(works: Works) -> None:
    """Whoever may write there cannot let us run his code; what was cached is asked for again."""
    planted = works.folder / "planted"
    code = f"cos\nmkdir\n(V{planted}\ntR.".encode()  # a pickle that calls os.mkdir
    works.assign(order())
    with closing(sqlite3.connect(works.folder / "cache" / "cache.db")) as cache, cache:
        cache.execute("UPDATE Cache SET value = ?, mode = ?", [code, diskcache.core.MODE_PICKLE])

    (result,) = works.assign(order())

    assert ("unchanged", False) == (result.outcome, planted.exists())


@pytest.mark.parametrize("is_held", [False, True])
def test_a_cache_damaged_in_the_middle_of_a_run_does_not_stop_it(works: Works, is_held: bool) -> None:
    """What was cached is asked for again."""
    with closing(CacheAnchor()) as anchor:
        works.anchor = anchor if is_held else None
        works.assign(order())
        with works.tools() as tools:
            with closing(sqlite3.connect(works.folder / "cache" / "cache.db")) as cache, cache:
                cache.execute("UPDATE Cache SET value = x'00ff', raw = 1, mode = 1")
            assert tools.directory.company(with_files=False).fresh
            assert not tools.directory.company(with_files=False).fresh


def test_a_service_reads_the_cache_again_when_another_process_has_written_to_it(
    works: Works, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And what is in it has its time all the same."""
    with closing(CacheAnchor()) as anchor:
        works.anchor = anchor
        works.assign(order())
        with works.tools() as tools:
            tools.directory.remember_date_order("dmy")
        read = []
        for other in (False, True):
            works.anchor = None
            with works.tools() as tools:
                if other:
                    tools.directory.remember_date_order("mdy")
            works.anchor = anchor
            with works.tools() as tools:
                read.append(tools.directory.date_order())
        assert ["dmy", "mdy"] == read
        with works.tools() as tools:
            assert tools.directory.is_owner_admin()
            tomorrow = time.time() + 25 * 3600
            monkeypatch.setattr(time, "time", lambda: tomorrow)
            assert not tools.directory.is_owner_admin()


def test_a_cache_that_somebody_empties_under_a_service_is_filled_again(works: Works) -> None:
    """Not only when the service is started anew."""
    with closing(CacheAnchor()) as anchor:
        works.anchor = anchor
        works.assign(order())
        (works.folder / "cache" / "cache.db").write_bytes(b"")
        fresh = []
        for _order in range(2):
            with works.tools() as tools:
                fresh.append(tools.directory.company(with_files=False).fresh)
        assert [True, False] == fresh


def test_who_still_has_the_old_file_of_the_cache_tells_nothing_of_it_to_others(works: Works) -> None:
    """It was damaged, or taken away, while an order or a page was at work."""
    with closing(CacheAnchor()) as anchor:
        works.anchor = anchor
        works.assign(order())
        with works.tools() as before:
            before.directory.remember_date_order("dmy")
            for file in (works.folder / "cache").glob("cache.db*"):
                file.unlink()
            with works.tools() as after:
                after.directory.remember_date_order("mdy")
                assert ("dmy", "mdy") == (before.directory.date_order(), after.directory.date_order())


def test_a_dry_run_says_that_the_data_folder_cannot_be_used(works: Works) -> None:
    """As a real run does."""
    works.folder.parent.mkdir(parents=True, exist_ok=True)
    works.folder.write_text("")
    with pytest.raises(errors.ConfigError, match="cannot be used") as caught:
        works.assign(order(), dry_run=True)
    assert (2, "B24_DATA_DIR") == (caught.value.exit_status, (caught.value.hint or "")[:12])


@pytest.mark.parametrize("dry_run", [True, False])
def test_a_cache_that_cannot_be_used_is_a_cache_less(works: Works, dry_run: bool) -> None:
    """It is said, and what it would have is read from the portal by each run."""
    works.folder.mkdir(parents=True, exist_ok=True)
    (works.folder / "cache").write_text("")

    outcomes = [works.assign(order(id=name, number=name), dry_run=dry_run)[0].outcome for name in ("first", "second")]

    assert ["planned" if dry_run else "created"] * 2 == outcomes
    reason = "File exists; what it would have is read from the portal"
    assert [f"the cache {works.folder / 'cache'} cannot be used: {reason}"] * 2 == works.said


def test_a_position_without_people_is_looked_for_once_an_hour_where_somebody_takes_its_work(works: Works) -> None:
    """The order again takes one request, another order with it no more than one with a department."""
    works.assign(order())
    works.assign(order([("Никто", 5)]), fallback_user=1)
    works.portal.log.clear()
    works.assign(order([("Никто", 5)]), fallback_user=1)
    assert 1 == len(works.portal.log)
    works.assign(order([("Никто", 5)], id="second", number="2"), fallback_user=1)
    assert 3 == len(works.portal.log)


def test_a_department_made_after_its_order_failed_is_seen_at_once(works: Works) -> None:
    """Without a fallback user every such order looks."""
    assert "failed" == works.assign(order([("Резчик", 5)]))[0].outcome
    shop = works.portal.add_department("Резчик", parent=4)
    works.portal.add_user("Иван", "Резчиков", departments=[shop.id])
    assert "Резчиков" == chosen(works, "Резчик")


def test_a_department_renamed_while_cached_is_looked_up_once(works: Works) -> None:
    """The new name is found by reading the departments anew; a name that is nowhere is given up after that."""
    works.assign(order())
    demo_company.department(works.portal, "Фрезеровщик").name = "Резчик"
    works.portal.log.clear()
    new, old = (works.assign(order([(name, 60)], id=name, number=name))[0].tasks[0] for name in ("Резчик", "Маляр"))
    assert ("created", "failed") == (new.outcome, old.outcome)
    assert 2 == sum("department.get" in str(entry.commands) for entry in works.portal.log)


def test_a_person_from_outside_production_is_found_by_name(works: Works) -> None:
    """The portal is asked for the surname; whoever is not there is not taken for somebody else."""
    user = demo_company.person(works.portal, "Тихонова")
    for name in ("Тихонова", "тихонова Анна", "Анна Тихонова"):
        sent = order(id=f"order-{name}", number=name)
        (task,) = works.assign(sent, pins={"Сварщик": name})[0].tasks
        assert (user.id, "Анна Тихонова") == task.responsible
    other = works.portal.add_user("Антон", "Ван Дейк", departments=[1]).id
    for name in ("Ван Дейк", "Антон ван дейк"):
        (task,) = works.assign(order(id=name, number=name), pins={"Сварщик": name})[0].tasks
        assert (other, "Антон Ван Дейк") == task.responsible
    with pytest.raises(errors.ConfigError) as told:
        works.assign(order(), pins={"Сварщик": "Тиханравина"})
    assert "Give the name and surname, or the id from the address of the person's profile page." == told.value.hint


def test_of_many_namesakes_outside_production_all_are_read(works: Works) -> None:
    """Who is meant is on the second page, and so is the second one of a name that two have."""
    ids = [works.portal.add_user(f"Имя{number % 53}", "Тихонов", departments=[1]).id for number in range(54)]
    (task,) = works.assign(order(), pins={"Сварщик": "Тихонов Имя52"})[0].tasks
    assert (ids[52], "Имя52 Тихонов") == task.responsible
    with pytest.raises(errors.ConfigError, match=f"#?{ids[53]}"):
        works.assign(order(), pins={"Сварщик": "Имя0 Тихонов"})


def test_a_number_that_another_open_order_has_is_said_once(works: Works) -> None:
    """When the second one comes; not of one that is over, nor when it is sent again."""
    said = "another open order has the number 7, too: order-1; in b24tools call them by their identifiers"
    first, second, third = (order(id=f"order-{n}", number="7") for n in (1, 2, 3))
    assert () == works.assign(first)[0].warnings
    assert [(said,), (said,), ()] == [
        works.assign(second, dry_run=dry_run)[0].warnings for dry_run in (True, False, False)
    ]
    for one in (first, second):
        works.assign(one.model_copy(update={"done": True}))
    with works.tools() as tools:
        list_orders(tools, rules())
    assert () == works.assign(third)[0].warnings


def test_a_number_that_two_orders_of_a_run_have_or_one_gets_is_said(works: Works) -> None:
    """A dry run says the same; nothing is said of a finished one."""
    text = "another open order has the number 7, too: {}; in b24tools call them by their identifiers"
    one, two, third = (order(id=f"order-{n}", number=number) for n, number in ((1, "7"), (2, "7"), (3, "8")))
    over = order(id="order-4", number="7", done=True)
    said = [(text.format("order-2"),), (text.format("order-1"),)]
    for dry_run in (True, False):
        assert said == [result.warnings for result in works.assign(one, two, over, dry_run=dry_run)][:2]
    assert [()] == [result.warnings for result in works.assign(third)]
    renumbered = third.model_copy(update={"number": "7"})
    assert [(text.format("order-1, order-2"),), ()] == [works.assign(renumbered)[0].warnings for _time in range(2)]
