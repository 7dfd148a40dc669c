"""Departments and people: whom a position means, and who should perhaps not get work."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property, partial
from typing import Any

from b24tools.bitrix24 import queries
from b24tools.bitrix24.batch import Batch, Pending
from b24tools.bitrix24.pagination import USERS, add_pages
from b24tools.bitrix24.parsing import rows_of
from b24tools.core import errors
from b24tools.core.i18n import _, ngettext
from b24tools.core.models import Department, Person
from b24tools.core.names import describe_foreign_letters, same_name, suggest_name
from b24tools.core.org_structure import Staff, find_root, no_department
from b24tools.jobs.doctor.checks import (
    Checks,
    Examination,
    Finding,
    Need,
    NotLookedAt,
    fail,
    from_error,
    listed,
    ok,
    require,
    warn,
)

FIRST_PAGES = 6  # everybody of a company of 300; of a larger one production is asked for by its departments
MOST_POSITIONS = 20

checks = Checks(lambda: _("The company"))


class Company:
    """The departments, those of production with the highest first, and the people who must be known.

    These are the active ones (only production's, where there are many), and whom others name.
    """

    def __init__(self, batch: Batch, exam: Examination) -> None:
        self._client, self._excluded, self._positions = require(exam.client), exam.excluded, exam.people.positions
        self._first = exam[everybody].read()
        try:
            self.departments, self.production = exam[departments], find_production(exam)
        except errors.PortalError:  # see the check of production
            self.departments, self.production = [], []
        named = {exam.settings.fallback_user or 0, *(d.head_id or 0 for d in self.departments), *exam.people.people}
        ids = sorted(
            (named | exam.excluded | exam.hidden | exam.opted_out) - {0} - {int(row["ID"]) for row in self._first.rows}
        )
        self._named = batch.add_chunked(lambda some: queries.people_by_id(some, "LAST_LOGIN"), ids)
        self._crew = None
        if self.production and not self._first.complete and self._first.error is None:
            self._params = queries.people_of([department.id for department in self.production], "LAST_LOGIN")
            self._crew = add_pages(batch, USERS, self._params, length=min(queries.PEOPLE_PAGES, batch.room))

    @cached_property
    def rows(self) -> list[Mapping[str, Any]]:
        """The people as `user.get` shows them. Raises what the portal answered instead."""
        if self._first.error is not None:
            raise self._first.error
        rows: list[Mapping[str, Any]] = [*self._first.rows]
        for page in self._named:
            rows += rows_of(page.item.value, "user.get")
        if self._crew:
            crew = self._crew.read()
            rows += crew.rows
            if not crew.complete:
                pages = self._client.pages(USERS, self._params, length=queries.PEOPLE_PAGES, after=crew.last_id)
                rows += [row for page in pages for row in page]
        return rows

    @cached_property
    def people(self) -> dict[int, Person]:
        """The people, by id."""
        return {person.id: person for person in queries.read_people(self.rows)}

    @cached_property
    def staff(self) -> Staff:
        """Departments and people of production."""
        if not self.production:
            raise NotLookedAt
        return Staff(self.departments, self.people.values(), self.production[0].id, self._positions)

    @cached_property
    def crew(self) -> list[Person]:
        """Those who can be given work."""
        homes = {department.id for department in self.production[1:]}
        people = [person for person in self.staff.people.values() if person.id not in self._excluded]
        return [person for person in people if person.active and homes & set(person.department_ids)]

    def is_active(self, user_id: int | None) -> bool:
        """Whether this is somebody who works there."""
        return user_id in self.people and self.people[user_id].active

    def describe(self, user_id: int) -> str:
        """Name somebody, and say if he does not work there."""
        if user_id not in self.people:
            return _("user {id} does not exist").format(id=user_id)
        name = name_with_id(self.people[user_id])
        return name if self.is_active(user_id) else _("{name} is dismissed").format(name=name)


department_pages: Need[Sequence[Pending[list[Department]]]] = Need(lambda batch, _exam: queries.add_departments(batch))
everybody = Need(
    lambda batch, _exam: add_pages(batch, USERS, {"FILTER": {"ACTIVE": "Y"}}, length=min(FIRST_PAGES, batch.room))
)
departments = Need(lambda _b, exam: queries.fetch_departments(require(exam.client), exam[department_pages]), late=True)
company = Need(Company, late=True)
DEPARTMENTS = (department_pages, departments)
COMPANY = (*DEPARTMENTS, everybody, company)


def find_production(exam: Examination) -> list[Department]:
    """Return the production department and all below it."""
    by_id = {department.id: department for department in exam[departments]}
    root = find_root(by_id.values(), exam.settings.department)
    return [by_id[id_] for id_ in Staff(by_id.values(), (), root.id).below(root.id)] if root else []


def name_with_id(one: Person | Department) -> str:
    """Name a person or a department."""
    return f"{one.name} (#{one.id})"


@checks.add("department", lambda: _("production"), *DEPARTMENTS)
def check_department(exam: Examination) -> Finding:
    """Whether there is one production department, with departments below it."""
    wanted, shown, production = exam.settings.department, exam[departments], find_production(exam)
    if not production:
        return from_error(no_department(wanted, shown))
    below = len(production) - 1
    count = ngettext("{n} department", "{n} departments", below).format(n=below)
    detail = _("{name}, {below} below it").format(name=name_with_id(production[0]), below=count)
    same = [f"#{department.id}" for department in shown if same_name(department.name) == same_name(wanted)]
    if len(same) > 1 and not wanted.isdecimal():
        fix = _("Set B24_DEPARTMENT to the id of the right one.")
        return warn(_("{department}; several have this name: {ids}"), fix, department=detail, ids=listed(same))
    if not below:
        fix = _("Make departments named as the positions of 1C below it, or set B24_DEPARTMENT to another one.")
        return fail(_("{department}: no position can be found"), fix, department=detail)
    return ok(detail)


@checks.add("people", lambda: _("people"), *COMPANY)
def check_people(exam: Examination) -> Finding:
    """Whether somebody works in every department below production."""
    staff, crew = exam[company].staff, exam[company].crew
    detail = ngettext("{n} person can be given work", "{n} people can be given work", len(crew)).format(n=len(crew))
    if not crew:
        return fail(detail, _("Put people into the departments below production; see excluded_users, too."))
    homes = {home for person in crew for home in person.department_ids}
    empty = [name_with_id(d) for d in exam[company].production[1:] if not homes & set(staff.below(d.id))]
    if empty:
        fix = _("Put people there, or delete the department: its work goes to B24_FALLBACK_USER, or fails.")
        return warn(_("{people}; no active people in {departments}"), fix, people=detail, departments=listed(empty))
    return ok(detail)


@checks.add("heads", lambda: _("heads"), *COMPANY)
def check_heads(exam: Examination) -> Finding:
    led: dict[int, list[str]] = defaultdict(list)
    for department in exam[company].departments:
        led[department.head_id or 0].append(department.name)
    heads = [person for person in exam[company].crew if person.id in led]
    if not heads:
        return ok(_("none of those who can be given work heads a department"))
    names = [f"{person.name} (#{person.id}, {', '.join(led[person.id])})" for person in heads]
    detail, fix = _("can be given work, and heads a department: {names}"), _("Should they have none: {command}")
    return warn(detail, fix, names=listed(names), command=_exclude(heads))


@checks.add("logins", lambda: _("logins"), *COMPANY)
def check_logins(exam: Examination) -> Finding | None:
    """LAST_LOGIN is left out where it is NULL, and for everybody where the scope does not show it."""
    crew = exam[company].crew
    seen = {int(row["ID"]) for row in exam[company].rows if row.get("LAST_LOGIN")}
    never = [person for person in crew if person.id not in seen]
    if not never:
        return ok(_("everybody who can be given work has logged in")) if crew else None
    if len(never) == len(crew):
        return ok(_("the portal does not show who has ever logged in"))
    fix = _("Send the invitation again, or leave them out: {command}")
    names = listed(list(map(name_with_id, never)))
    return warn(_("can be given work, but never logged in: {names}"), fix, names=names, command=_exclude(never))


def _exclude(people: Iterable[Person]) -> str:
    ids = sorted(person.id for person in people)
    return f"`b24tools config excluded_users add {','.join(map(str, ids))}`"


@checks.add("same_names", lambda: _("equal names"), *DEPARTMENTS)
def check_names(exam: Examination) -> Finding | None:
    by_name: dict[str, list[Department]] = defaultdict(list)
    for department in find_production(exam)[1:]:
        by_name[same_name(department.name)].append(department)
    twice = [sorted(same, key=lambda department: department.id) for same in by_name.values() if len(same) > 1]
    if not twice:
        return ok(_("every department below production has a name of its own")) if by_name else None
    fix = _("Rename them, unless Исполнитель of the orders tells them apart: else their people are taken together.")
    names = [f"{same[0].name} ({', '.join(f'#{department.id}' for department in same)})" for same in twice]
    return warn(_("several departments of one name: {names}"), fix, names=listed(names))


@checks.add("position", lambda: _("position"), *COMPANY)
def check_each_position(exam: Examination) -> list[Finding]:
    """Report the positions of past orders and of B24_ROUTE that have no people."""
    return [finding for finding in _look_at_positions(exam) if finding.fix][:MOST_POSITIONS]


@checks.add("positions", lambda: _("positions"), *COMPANY)
def check_positions(exam: Examination) -> Finding | None:
    findings = _look_at_positions(exam)
    bad = [finding.about for finding in findings if finding.fix]
    if len(bad) > MOST_POSITIONS:
        fix = _("As above; is B24_DEPARTMENT the right department?")
        return fail(_("likewise: {names}"), fix, names=listed(bad[MOST_POSITIONS:]))
    if not findings:
        return ok(_("no order was sent yet: `b24tools doctor --order FILE` looks at one"))
    names = listed([finding.about for finding in findings])
    return None if bad else ok(_("all of past orders and of B24_ROUTE have people: {names}"), names=names)


def _look_at_positions(exam: Examination) -> list[Finding]:
    names = dict.fromkeys([*exam.positions, *exam.settings.route])
    everyone = exam[company]
    return [look_at_position(exam, everyone, name) for name in names]


def look_at_position(exam: Examination, everyone: Company, name: str, under: str | None = None) -> Finding:
    """Find the department and the people that a position of 1C means."""
    match = everyone.staff.position(name, under, exam.excluded)
    if match.people:
        homes = ", ".join(map(name_with_id, match.departments))
        count = ngettext("{n} person", "{n} people", len(match.people)).format(n=len(match.people))
        return ok(f"{homes}: {count}", about=name)
    root = everyone.production[0].name
    target = everyone.staff.positions.department_of(name)
    if match.barred:
        names = listed([person.name for person in match.barred])
        detail = _("people.json gives this work to none of its people: {names}").format(names=names)
        remedy = _("Correct people.json")
    elif not match.departments and same_name(name) in everyone.staff.positions.departments:
        detail = _("people.json names the department “{name}”, which is not in {root}").format(name=target, root=root)
        detail += suggest_name(target, [match.nearest] if match.nearest else [])
        remedy = _("Correct people.json")
    elif match.departments:
        detail = _("{department}: no active people there").format(department=name_with_id(match.departments[0]))
        remedy = _("Put people into that department")
    elif match.nearest:
        detail = _("no such department in {root}; the nearest is “{nearest}”").format(root=root, nearest=match.nearest)
        detail += describe_foreign_letters(name, match.nearest)
        remedy = _("Give both one name, or name the department in people.json (positions)")
    else:
        detail = _("no such department in {root}").format(root=root)
        remedy = _("Make a department of that name in {root}, or name another one in people.json (positions)")
        remedy = remedy.format(root=root)
    if fallback := exam.settings.fallback_user:
        text = _("{problem}: user {id} of B24_FALLBACK_USER gets the work").format(problem=detail, id=fallback)
        return warn(text, f"{remedy}.", about=name)
    return fail(detail, _("{remedy}, or set B24_FALLBACK_USER.").format(remedy=remedy), about=name)


def _look_at_users(exam: Examination, setting: str) -> Finding | None:
    """Find those who are gone among the people that a running setting names."""
    lists = {"excluded_users": exam.excluded, "hidden_users": exam.hidden, "opted_out_users": exam.opted_out}
    everyone, ids = exam[company], sorted(lists[setting])
    gone = [user_id for user_id in ids if not everyone.is_active(user_id)]
    if not gone:
        return ok(listed(list(map(everyone.describe, ids)))) if ids else None
    left = ",".join(str(user_id) for user_id in ids if user_id not in gone)
    fix = _("Leave them out: {command}").format(command=f'`b24tools config {setting} "{left}"`')
    return warn(listed(list(map(everyone.describe, gone))), fix)


checks.add("excluded_users", lambda: "excluded_users", *COMPANY)(partial(_look_at_users, setting="excluded_users"))
checks.add("hidden_users", lambda: "hidden_users", *COMPANY)(partial(_look_at_users, setting="hidden_users"))
checks.add("opted_out_users", lambda: "opted_out_users", *COMPANY)(partial(_look_at_users, setting="opted_out_users"))


@checks.add("fallback_user", lambda: "B24_FALLBACK_USER", *COMPANY)
def check_fallback(exam: Examination) -> Finding | None:
    user_id = exam.settings.fallback_user
    if not user_id or exam[company].is_active(user_id):
        return ok(exam[company].describe(user_id)) if user_id else None
    fix = _("Set B24_FALLBACK_USER to the id of somebody who works there, or leave it empty.")
    return fail(exam[company].describe(user_id), fix)
