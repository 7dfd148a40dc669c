"""The orders of `--order`: readable, whom they mean, which of their tasks are there already."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from b24tools.assignment.plan import wanted_end
from b24tools.bitrix24 import queries
from b24tools.bitrix24.batch import Batch, Pending
from b24tools.core.i18n import _, ngettext
from b24tools.core.models import Person
from b24tools.core.names import (
    describe_foreign_letters,
    describe_near_manager,
    matches_person,
    nearest_name,
    surname_masks,
)
from b24tools.core.sizes import MIB, format_size
from b24tools.jobs.doctor.checks import Checks, Examination, Finding, Need, fail, from_error, listed, ok, warn
from b24tools.jobs.doctor.company import COMPANY, company, look_at_position, name_with_id
from b24tools.jobs.doctor.webhook import is_system_user, login_owner, owner
from b24tools.onec.order import Order
from b24tools.onec.task_fields import all_keys

LARGE_FILE = 50 * MIB

file_checks = Checks(lambda: _("Orders"))
checks = Checks(lambda: _("Order {number}"))


def _add_tasks(batch: Batch, exam: Examination) -> list[Pending[list[Mapping[str, Any]]]]:
    keys = sorted({key for order in exam.orders for of_line in all_keys(order) for key in of_line})
    return batch.add_chunked(queries.tasks_by_key, keys, queries.KEYS_A_COMMAND)


def _add_managers(batch: Batch, exam: Examination) -> dict[str, Pending[list[Person]]]:
    asked = {order.manager: surname_masks(order.manager) for order in exam.orders if order.manager}
    return {name: batch.add(queries.people_by_surname(*masks)) for name, masks in asked.items() if masks}


tasks = Need(_add_tasks)
managers = Need(_add_managers)


@file_checks.add("order", lambda: _("file"))
def check_file(exam: Examination) -> Finding | None:
    if exam.order_error:
        return from_error(exam.order_error)
    if exam.order_file and not exam.orders:
        return warn(_("{path}: an empty list"), _("Put an order into it."), path=exam.order_file)
    return None


@checks.add("order {number}", lambda: _("file"))
def check_contents(_exam: Examination, order: Order) -> Finding:
    lines = ngettext("{n} line", "{n} lines", len(order.lines)).format(n=len(order.lines))
    files = ngettext("{n} file", "{n} files", len(order.files)).format(n=len(order.files))
    hours = sum(line.minutes for line in order.lines) / 60
    detail = _("readable: {lines}, {hours:.1f} h of work, {files}").format(lines=lines, hours=hours, files=files)
    if not order.lines:
        return warn(detail, _("Without Калькуляция no task is made: see the document in 1C."))
    if order.done:
        return ok(_("{contents}; finished: it only completes tasks that are there"), contents=detail)
    return ok(detail)


@checks.add("order {number} wanted", lambda: _("dates"))
def check_dates(exam: Examination, order: Order) -> Finding:
    fix = _("Correct the dates in 1C.")
    latest = wanted_end(order)
    if order.wanted is None or latest is None:
        return ok(_("no wanted date: the deadline is the end of the plan"))
    if latest < exam.now:
        detail = _("wanted by {day:%d.%m.%Y}, which has passed: the deadline will be the end of the plan")
        return warn(detail, fix, day=order.wanted)
    if order.accepted and order.accepted > latest:
        detail = _("wanted by {day:%d.%m.%Y}, but accepted only on {accepted:%d.%m.%Y}")
        return warn(detail, fix, day=order.wanted, accepted=order.accepted)
    return ok(_("wanted by {day:%d.%m.%Y}"), day=order.wanted)


@checks.add("order {number} files", lambda: _("files"))
def check_files(_exam: Examination, order: Order) -> Finding | None:
    if not order.files:
        return None
    size = format_size(sum(len(file.content) for file in order.files))
    detail = f"{listed([file.name for file in order.files])}: {size}"
    if any(len(file.content) > LARGE_FILE for file in order.files):
        return warn(detail, _("A file of this size may not get through within the portal's minute: make it smaller."))
    return ok(detail)


@checks.add("order {number}", lambda: "", *COMPANY)
def check_positions(exam: Examination, order: Order) -> list[Finding]:
    """Say for each position of the order whom it means."""
    names = dict.fromkeys(line.position for line in order.lines)
    return [look_at_position(exam, exam[company], name, order.department) for name in names]


@checks.add("order {number} Исполнитель", lambda: "Исполнитель", *COMPANY, owner, login_owner)
def check_performer(exam: Examination, order: Order) -> Finding | None:
    """The head of the department `Исполнитель` becomes the creator."""
    if not order.department:
        return None
    otherwise = _("the webhook's owner will be the creator")
    if is_system_user(exam):  # the line about the owner says what to do
        otherwise = _("B24_FALLBACK_USER will be the creator, if it is set")
    staff = exam[company].staff
    department = staff.department_named(order.department)
    if department is None:
        nearest = nearest_name(order.department, (other.name for other in staff.departments.values()))
        detail = _("“{name}” is no department: {otherwise}")
        if nearest:
            detail = _("“{name}” is no department: {otherwise}; the nearest is “{nearest}”{letters}")
        fix = _("Name the department in 1C as on the portal.")
        letters = describe_foreign_letters(order.department, nearest or "")
        return warn(detail, fix, name=order.department, otherwise=otherwise, nearest=nearest, letters=letters)
    name, head = name_with_id(department), department.head_id
    if head and exam[company].is_active(head):
        return ok(_("{department}, headed by {head}"), department=name, head=exam[company].describe(head))
    fix = _("Set the department's head on the portal.")
    return warn(_("{department} has no active head: {otherwise}"), fix, department=name, otherwise=otherwise)


@checks.add("order {number} Менеджер", lambda: "Менеджер", managers)
def check_manager(exam: Examination, order: Order) -> Finding | None:
    """The manager watches the tasks, where exactly one person is meant."""
    if not order.manager:
        return None
    pending = exam[managers].get(order.manager)
    namesakes = pending.value if pending else []
    names = [name_with_id(who) for who in namesakes if who.active and matches_person(order.manager or "", who)]
    if len(names) == 1:
        return ok(_("{text} is {name}, and will watch"), text=order.manager, name=names[0])
    detail = _("“{text}” may be {names}: the task gets no observer")
    if not names:
        detail = _("the portal has no “{text}”: the task gets no observer") + "{letters}"
    fix = _("Write it in 1C as on the portal: surname, given name, patronymic.")
    return warn(
        detail, fix, text=order.manager, names=listed(names), letters=describe_near_manager(order.manager, namesakes)
    )


@checks.add("order {number} tasks", lambda: _("tasks"), tasks)
def check_tasks(exam: Examination, order: Order) -> Finding:
    """Name the tasks that are there. Rows with a key that was not asked for come from a filter that is ignored."""
    lines = all_keys(order)
    keys = {key for keys_of_line in lines for key in keys_of_line}
    rows = [row for page in exam[tasks] for row in page.value if str(row.get("xmlId")) in keys]
    if not rows:
        return ok(_("none on the portal yet: sending makes them"))
    there = {row.get("xmlId") for row in rows}
    missing = sum(not there.intersection(keys_of_line) for keys_of_line in lines)
    ids = listed([f"#{row.get('id')}" for row in rows])
    if len(rows) > len(lines) - missing:
        fix = _("Send the order again: what a cut send made twice is deleted; copies made by people stay, delete them.")
        return fail(_("there are several tasks for one line: {ids}"), fix, ids=ids)
    if missing:
        text = ngettext(
            "on the portal: {ids}; {n} is missing and would be made",
            "on the portal: {ids}; {n} are missing and would be made",
            missing,
        )
        return ok(text, ids=ids, n=missing)
    return ok(_("on the portal: {ids}; sending changes only what changed in 1C"), ids=ids)
