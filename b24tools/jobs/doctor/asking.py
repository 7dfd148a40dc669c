"""What the portal is asked: all of it in two batches, with more only for big companies and what failed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any, TypeVar

from b24tools.bitrix24 import org_cache, pagination, parsing, queries
from b24tools.bitrix24.batch import Command, Item, Query, is_batchable
from b24tools.bitrix24.client import Client
from b24tools.core import errors
from b24tools.core.models import Department
from b24tools.core.org_structure import Staff, find_root
from b24tools.jobs.doctor.subject import Subject
from b24tools.onec import order as onec_order

T = TypeVar("T")

DEPARTMENT_PAGES = 4
PEOPLE_PAGES = 6  # everybody of a company of 300; of a larger one production is asked for by its departments
CREW_PAGES = 20
CHUNK = 50
KEYS_A_COMMAND = 40  # of the 50 rows of a page: room for duplicates
ABSENCE_DAYS = 92
MOST_ABSENT = 500


@dataclass(frozen=True)
class Known:
    """What is known from the database. Ids are users' ids."""

    excluded: frozenset[int] = frozenset()
    hidden: frozenset[int] = frozenset()
    positions: Sequence[str] = ()
    key: str = ""
    mode: str = "polling"


@dataclass
class Answers:
    """What the portal said. `before`, `after`: our clock around the first batch; `failure`: of a later one.

    `people`: rows of `user.get` by id. `absences_of`: of how many people absences were asked for.
    """

    items: dict[str, Item]
    before: datetime
    after: datetime
    departments: list[Department] = field(default_factory=list)
    root: Department | None = None
    people: dict[int, Mapping[str, Any]] = field(default_factory=dict)
    absences_of: int = 0
    failure: errors.PortalError | None = None

    def has(self, key: str) -> bool:
        """Whether this was asked."""
        return key in self.items

    @property
    def knows_people(self) -> bool:
        """Whether the portal shows people at all."""
        return self.items["people0"].error is None

    def read(self, key: str, query: Query[T]) -> T:
        """The answer to a query; raises its error."""
        return query.of(self.items[key])

    @property
    def staff(self) -> Staff | None:
        """Departments and people; None without the production department."""
        if self.root is None:
            return None
        return Staff(self.departments, queries.read_people(list(self.people.values())), self.root.id)


def ask(client: Client, subject: Subject, known: Known, orders: Sequence[onec_order.Order], clock: Any) -> Answers:
    """Ask everything. Raises what the client raises while nothing has been answered."""
    before = clock()
    items = _ask(client, _first(subject, known, orders))
    answers = Answers(items, before, clock())
    try:
        _read_departments(client, answers, subject)
        answers.people = {int(row["ID"]): row for row in _everybody(answers)}
        _ask_more(client, answers, subject, known)
    except errors.PortalError as error:
        answers.failure = error
    return answers


def _first(subject: Subject, known: Known, orders: Sequence[onec_order.Order]) -> dict[str, Command]:
    commands = {
        "profile": queries.profile().command,
        "server": queries.server_time().command,
        "scopes": queries.scopes().command,
        **{f"departments{page}": queries.departments(page * CHUNK).command for page in range(DEPARTMENT_PAGES)},
        "schedule": queries.schedule(subject.schedule_id).command,
        "settings": queries.calendar_settings().command,
        "group": queries.projects(subject.group).command,
        **org_cache.folder_commands(subject.folder),
        "open": queries.open_work_count().command,
        "foreign_key": queries.foreign_key().command,
        "newest": queries.newest_tasks().command,
        **pagination.commands(pagination.USERS, _active(), length=PEOPLE_PAGES, prefix="people"),
    }
    if subject.folder.isdecimal():
        commands["folder"] = queries.children(int(subject.folder), subject.folder).command
    if known.key:
        commands["known_key"] = queries.tasks_by_key([known.key]).command
    order_keys = sorted({key for order in orders for keys in onec_order.all_keys(order) for key in keys})
    for number, keys in enumerate(_chunks(order_keys, KEYS_A_COMMAND)):
        commands[f"keys{number}"] = queries.tasks_by_key(keys).command
    for number, name in enumerate(surnames(orders)):
        commands[f"surname{number}"] = queries.people_by_surname(name).command
    return commands


def surnames(orders: Iterable[onec_order.Order]) -> list[str]:
    """Those of the managers."""
    return sorted({order.manager.split()[0] for order in orders if order.manager and order.manager.split()})


def absence_span(now: datetime) -> tuple[date, date]:
    """From today, as far as a plan looks at first."""
    return now.date(), now.date() + timedelta(days=ABSENCE_DAYS)


def _ask(client: Client, commands: Mapping[str, Command]) -> dict[str, Item]:
    """One batch; alone what a batch would garble (`$result[` in a name from 1C)."""
    items = client.batch({key: command for key, command in commands.items() if is_batchable(command.params)})
    for key in commands.keys() - items.keys():
        try:
            answer = client.call(commands[key].method, commands[key].params)
            items[key] = Item(key, answer.result, total=answer.total, next=answer.next)
        except errors.PortalError as error:
            items[key] = Item(key, error=error)
    return items


def _read_departments(client: Client, answers: Answers, subject: Subject) -> None:
    total = answers.items["departments0"].total or 0
    starts = range(DEPARTMENT_PAGES * CHUNK, total, CHUNK)
    if starts and answers.items["departments0"].error is None:
        answers.items |= client.batch(
            {f"departments{start // CHUNK}": queries.departments(start).command for start in starts}
        )
    found: dict[int, Department] = {}
    for key, item in answers.items.items():
        if key.startswith("departments") and item.error is None:
            found |= {one.id: one for one in queries.read_departments(item.result)}
    answers.departments = list(found.values())
    answers.root = find_root(answers.departments, subject.department)


def _everybody(answers: Answers) -> list[dict[str, Any]]:
    return pagination.read(pagination.USERS, answers.items, prefix="people").rows


def _ask_more(client: Client, answers: Answers, subject: Subject, known: Known) -> None:
    """The people of a large company, those who are named by id, their absences, the right to make tasks."""
    read = pagination.read(pagination.USERS, answers.items, prefix="people")
    homes = list(Staff(answers.departments, (), answers.root.id).below(answers.root.id)) if answers.root else []
    commands: dict[str, Command] = {}
    heads = {one.head_id for one in answers.departments if one.head_id}
    owner = 0 if answers.items["profile"].error else queries.profile().of(answers.items["profile"]).id
    named = sorted(
        (known.excluded | known.hidden | heads | {subject.fallback_user or 0, owner}) - {0} - answers.people.keys()
    )
    for number, ids in enumerate(_chunks(named)):
        commands[f"named{number}"] = queries.people_by_id(ids, "LAST_LOGIN").command
    group = answers.items["group"]
    if group.error is None and (projects := queries.projects(subject.group).of(group)):
        commands["may_create"] = queries.may_create_tasks(projects[0].id).command
    workers = [int(row["ID"]) for row in read.rows if set(parsing.php_values(row.get("UF_DEPARTMENT"))) & set(homes)]
    workers = workers[:MOST_ABSENT]
    answers.absences_of = len(workers)
    for number, ids in enumerate(_chunks(workers)):
        commands[f"absences{number}"] = queries.absences(ids, *absence_span(answers.after)).command
    if not read.complete and read.error is None and homes:
        commands |= pagination.commands(
            pagination.USERS, queries.people_of(homes, "LAST_LOGIN"), length=CREW_PAGES, prefix="crew"
        )
    if not commands:
        return
    answers.items |= client.batch(commands)
    for key, item in answers.items.items():
        if key.rstrip("0123456789") == "named" and item.error is None:
            answers.people |= {int(row["ID"]): row for row in item.result}
    if "crew0" in commands:
        crew = pagination.read(pagination.USERS, answers.items, prefix="crew")
        rows = list(crew.rows)
        if not crew.complete:
            for page in client.pages(
                pagination.USERS, queries.people_of(homes, "LAST_LOGIN"), after=crew.last_id, length=CREW_PAGES
            ):
                rows += page
        answers.people |= {int(row["ID"]): row for row in rows}


def _active() -> dict[str, Any]:
    return {"FILTER": {"ACTIVE": "Y"}}


def _chunks(values: Sequence[Any], size: int = CHUNK) -> list[list[Any]]:
    return [list(values[start : start + size]) for start in range(0, len(values), size)]
