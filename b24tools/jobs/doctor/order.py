"""One order file against the portal: readable, whom it means, what is there already."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from b24tools.bitrix24 import queries
from b24tools.core.i18n import _, ngettext
from b24tools.core.org_structure import Staff, matches_person, nearest_name
from b24tools.jobs.doctor import company, machine, webhook
from b24tools.jobs.doctor.asking import Answers, Known, surnames
from b24tools.jobs.doctor.checks import Check, fail, from_error, guarded, listed, ok, warn
from b24tools.jobs.doctor.subject import Subject
from b24tools.onec import order as onec_order

LARGE_FILE = 50 * machine.MIB


def check(subject: Subject, answers: Answers | None, known: Known, now: datetime) -> Iterator[Check]:
    """What the file says by itself, and what the portal makes of it, where it answers. `now` in the dates' zone."""
    file = subject.order_file
    if file is None:
        return
    if file.error is not None:
        yield from_error("order", file.error)
    elif not file.orders:
        yield warn("order", _("{path}: an empty list").format(path=file.path), _("Put an order into it."))
    for order in file.orders:
        found = [_contents(order), *_dates(order, now), *_files(order)]
        if answers is not None:
            found += _on_portal(order, subject, answers, known)
        for one in found:
            yield replace(one, check=f"order {order.number} {one.check}".rstrip(), order=order.number)


def _on_portal(order: onec_order.Order, subject: Subject, answers: Answers, known: Known) -> Iterator[Check]:
    staff = answers.staff
    if staff is not None and answers.knows_people:
        for name in dict.fromkeys(line.position for line in order.lines):
            yield company.position(name, staff, order.department, subject, known, name)
        if answers.failure is None:
            yield from guarded("Исполнитель", lambda: _performer(order, subject, answers, staff))
    yield from guarded("Менеджер", lambda: _manager(order, orders_of(subject), answers))
    yield from guarded("tasks", lambda: _tasks(order, answers))


def orders_of(subject: Subject) -> list[onec_order.Order]:
    """The orders of the file that was named, if any."""
    return list(subject.order_file.orders) if subject.order_file else []


def _contents(order: onec_order.Order) -> Check:
    lines = ngettext("{n} line", "{n} lines", len(order.lines)).format(n=len(order.lines))
    files = ngettext("{n} file", "{n} files", len(order.files)).format(n=len(order.files))
    minutes = sum(line.minutes for line in order.lines)
    told = _("readable: {lines}, {hours:.1f} h of work, {files}").format(lines=lines, hours=minutes / 60, files=files)
    if not order.lines:
        return warn("", told, _("Without Калькуляция no task is made: see the document in 1C."))
    if order.done:
        told = _("{told}; finished: it only completes tasks that are there").format(told=told)
    return ok("", told)


def _dates(order: onec_order.Order, now: datetime) -> Iterator[Check]:
    name = "wanted"
    mend = _("Correct the dates in 1C.")
    if order.wanted is None:
        yield ok(name, _("no wanted date: the deadline is the end of the plan"))
    elif order.wanted.date() < now.date():
        told = _("wanted by {day}, which has passed: the deadline will be the end of the plan")
        yield warn(name, told.format(day=order.wanted.strftime("%d.%m.%Y")), mend)
    elif order.accepted and order.accepted > order.wanted:
        told = _("wanted by {day}, but accepted only on {accepted}")
        yield warn(
            name,
            told.format(day=order.wanted.strftime("%d.%m.%Y"), accepted=order.accepted.strftime("%d.%m.%Y")),
            mend,
        )
    else:
        yield ok(name, _("wanted by {day}").format(day=order.wanted.strftime("%d.%m.%Y")))


def _files(order: onec_order.Order) -> Iterator[Check]:
    if not order.files:
        return
    total = sum(len(file.content) for file in order.files)
    told = _("{names}: {size}").format(names=listed([file.name for file in order.files]), size=machine.size(total))
    name = "files"
    if any(len(file.content) > LARGE_FILE for file in order.files):
        yield warn(
            name, told, _("A file of this size may not get through within the portal's minute: make it smaller.")
        )
    else:
        yield ok(name, told)


def _performer(order: onec_order.Order, subject: Subject, answers: Answers, staff: Staff) -> Iterator[Check]:
    """The department of `Исполнитель`: its head becomes the creator."""
    if not order.department:
        return
    name = "Исполнитель"
    otherwise = _("the webhook's owner will be the creator")
    if webhook.is_system_user(subject, answers):  # the line about the owner says what to do
        otherwise = _("B24_FALLBACK_USER will be the creator, if it is set")
    found = staff.department_named(order.department)
    if found is None:
        nearest = nearest_name(order.department, (one.name for one in staff.departments.values()))
        told = _("“{name}” is no department: {otherwise}").format(name=order.department, otherwise=otherwise)
        if nearest:
            told = _("{told}; the nearest is “{nearest}”").format(told=told, nearest=nearest)
        yield warn(name, told, _("Name the department in 1C as on the portal."))
        return
    row = answers.people.get(found.head_id or 0, {})
    if row.get("ACTIVE") in (True, "Y"):
        head = company.person_name(answers, found.head_id or 0)
        yield ok(
            name, _("{department} (#{id}), headed by {head}").format(department=found.name, id=found.id, head=head)
        )
        return
    yield warn(
        name,
        _("{department} (#{id}) has no active head: {otherwise}").format(
            department=found.name, id=found.id, otherwise=otherwise
        ),
        _("Set the department's head on the portal."),
    )


def _manager(order: onec_order.Order, orders: list[onec_order.Order], answers: Answers) -> Iterator[Check]:
    if not order.manager or not order.manager.split():
        return
    name = "Менеджер"
    key = f"surname{surnames(orders).index(order.manager.split()[0])}"
    namesakes = answers.read(key, queries.people_by_surname(""))
    found = [one for one in namesakes if one.active and matches_person(order.manager, one)]
    if len(found) == 1:
        yield ok(
            name,
            _("{text} is {name} (#{id}), and will watch").format(
                text=order.manager, name=found[0].name, id=found[0].id
            ),
        )
        return
    mend = _("Write it in 1C as on the portal: surname, given name, patronymic.")
    if found:
        names = listed([f"{one.name} (#{one.id})" for one in found])
        yield warn(name, _("“{text}” may be {names}: nobody will watch").format(text=order.manager, names=names), mend)
        return
    yield warn(name, _("“{text}” is nobody on the portal: nobody will watch").format(text=order.manager), mend)


def _tasks(order: onec_order.Order, answers: Answers) -> Iterator[Check]:
    """Which of the order's tasks are there. Rows with a key that was not asked for come from an ignored filter."""
    lines = onec_order.all_keys(order)
    keys = {key for keys_of_line in lines for key in keys_of_line}
    rows: list[Mapping[str, Any]] = []
    for key in answers.items:
        if key.rstrip("0123456789") == "keys":
            some = answers.read(key, queries.tasks_by_key(sorted(keys)))
            rows += some
    found = [row for row in rows if row.get("xmlId") in keys]
    name = "tasks"
    if not found:
        yield ok(name, _("none on the portal yet: sending makes them"))
        return
    told = listed([f"#{row.get('id')}" for row in found])
    there = {row.get("xmlId") for row in found}
    missing = sum(not there.intersection(keys_of_line) for keys_of_line in lines)
    several = len(found) - (len(lines) - missing)
    if several > 0:
        yield fail(
            name,
            _("there are several tasks for one line: {ids}").format(ids=told),
            _("Send the order again: what a cut send made twice is deleted; copies made by people stay, delete them."),
        )
    elif missing:
        yield ok(name, _("on the portal: {ids}; {n} are missing and would be made").format(ids=told, n=missing))
    else:
        yield ok(name, _("on the portal: {ids}; sending changes only what changed in 1C").format(ids=told))
