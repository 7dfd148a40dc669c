"""What the portal has, as far as some orders need it: one batch, all of it read at one moment."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

from b24tools.bitrix24 import org_cache, pagination, queries
from b24tools.bitrix24.absences import read_absences
from b24tools.bitrix24.batch import Command, Item, Query, is_batchable
from b24tools.bitrix24.client import Client
from b24tools.bitrix24.org_cache import Places
from b24tools.bitrix24.portal_time import PortalClock, read_iso
from b24tools.core import errors
from b24tools.core.i18n import _
from b24tools.core.models import Absence, Owner, Person, Task
from b24tools.store.database import LedgerTask

UNKNOWN_PERSON_TASKS = 5  # how many open tasks a person is expected to have who was never seen
BATCH = 50
KEYS_A_COMMAND = 40  # of the 50 rows of a page: room for duplicates
PEOPLE_A_COMMAND = 50
PEOPLE_A_CHAIN = 900  # whose tasks one command can ask for, with its other values
ABSENCE_DAYS = 92


@dataclass(frozen=True)
class TitleQuestion:
    """Tasks of the project whose title contains `part`, created not before `since`."""

    order_id: str
    part: str
    since: datetime


@dataclass(frozen=True)
class Questions:
    """What has to be known. `expected_open`: about how many open tasks the workers have.

    `date_order`: see `absences.Absences`, as remembered.
    """

    keys: Sequence[str]
    task_ids: Sequence[int]
    titles: Sequence[TitleQuestion]
    people: Sequence[int]
    surnames: Sequence[str]
    workers: Sequence[int]
    file_names: Sequence[str]
    expected_open: int
    today: date
    zone: ZoneInfo
    group: str
    folder: str
    places: Places
    date_order: str = ""


@dataclass
class Portal:
    """The answers. `by_key` lists the tasks of a key, the lowest id first.

    `doubts`: warnings about absences. `date_order`: as in the questions, or as the answers show it.
    """

    owner: Owner
    clock: PortalClock
    places: Places
    server_now: datetime | None = None
    by_id: dict[int, Task] = field(default_factory=dict)
    by_key: dict[str, list[Task]] = field(default_factory=dict)
    titled: dict[str, list[Task]] = field(default_factory=dict)
    open: list[Task] = field(default_factory=list)
    absences: dict[int, list[Absence]] = field(default_factory=dict)
    absences_until: date = date.max
    people: dict[int, Person] = field(default_factory=dict)
    surnames: dict[str, list[Person]] = field(default_factory=dict)
    stored: dict[str, int] = field(default_factory=dict)
    missing_scopes: list[str] = field(default_factory=list)
    absences_problem: str = ""
    doubts: list[str] = field(default_factory=list)
    date_order: str = ""

    @property
    def zone(self) -> tzinfo:
        """In whose wall clock dates are to be read."""
        return self.clock.zone

    def read_task(self, row: Mapping[str, Any]) -> Task:
        """A task from its row. The first row that the portal shows tells which zone is in force."""
        return queries.read_task(row, self.clock.see([row]))

    def found_ids(self) -> list[int]:
        """The ids of all tasks that were found by keys or titles."""
        return [task.id for found in (self.titled, self.by_key) for tasks in found.values() for task in tasks]

    def of_line(self, known: LedgerTask) -> Task | None:
        """The task that the ledger has for a line. One with another's key is not it: a restored portal repeats ids."""
        task = self.by_id.get(known.task_id or 0)
        return task if task is not None and known.is_carried_by(task.xml_id) else None


def read_portal(client: Client, questions: Questions) -> Portal:
    """Ask everything in as few requests as it takes; with up to 2,000 open tasks that is one.

    Raises PortalError for whatever the plan cannot go without; a missing calendar scope is noted.
    """
    commands = _commands(questions)
    room = _room(commands)
    crews = _chunks(questions.workers, PEOPLE_A_CHAIN)
    chain: dict[str, Command] = {}
    if crews:
        expected = questions.expected_open // len(crews)
        chain = _open_chain(crews[0], min(expected // BATCH + 1, room))
    spare = _people_to_check(questions, room - len(chain))
    items = ask(client, {**commands, **spare, **chain})
    owner = queries.profile().of(items["profile"])
    portal = Portal(owner, _clock(owner, items, questions.zone), questions.places)
    portal.date_order = questions.date_order
    portal.server_now = read_iso(queries.server_time().of(items["server"]))
    _read_places(portal, items, questions)
    remember(portal, _tasks(items, "keys", portal), questions.keys)
    for task in _tasks(items, "ids", portal):
        portal.by_id[task.id] = task
    _read_titled(client, portal, items, questions.titles, questions.keys)
    _read_people(client, portal, items, questions)
    _read_absences(portal, items, questions)
    for number, crew in enumerate(crews):
        _read_open(client, portal, items if number == 0 else {}, crew)
    _read_files(portal, items, questions)
    return portal


def ask(client: Client, commands: Mapping[str, Command]) -> dict[str, Item]:
    """The items of commands: one batch, and alone what a batch would garble (`$result[` in a name from 1C)."""
    together = _together(commands)
    items = client.batch(together)
    for key in commands.keys() - together.keys():
        command = commands[key]
        try:
            answer = client.call(command.method, command.params)
            items[key] = Item(key, answer.result, total=answer.total, next=answer.next)
        except errors.PortalError as error:
            items[key] = Item(key, error=error)
    return items


def remember(portal: Portal, tasks: Iterable[Task], keys: Sequence[str]) -> None:
    """File tasks under their keys. Those whose key was not asked for do not count: the filter was ignored."""
    asked = set(keys)
    for task in tasks:
        if task.xml_id in asked:
            portal.by_id[task.id] = task
            tasks_of_key = {one.id: one for one in portal.by_key.get(task.xml_id, [])} | {task.id: task}
            portal.by_key[task.xml_id] = [tasks_of_key[task_id] for task_id in sorted(tasks_of_key)]


def look_up(client: Client, portal: Portal, keys: Sequence[str], titles: Sequence[TitleQuestion] = ()) -> None:
    """Read the tasks of these keys again, and of these titles, into `portal`: what became of a write?"""
    group_id = portal.places.group_id
    commands = {
        f"keys{n}": queries.tasks_by_key(chunk).command for n, chunk in enumerate(_chunks(keys, KEYS_A_COMMAND))
    }
    if group_id is not None:
        for number, title in enumerate(titles):
            commands[f"title{number}"] = queries.tasks_titled(title.part, group_id, title.since).command
    items = ask(client, commands)
    for key in keys:
        portal.by_key.pop(key, None)
    remember(portal, _tasks(items, "keys", portal), keys)
    _read_titled(client, portal, items, titles, keys)


def read_more_absences(client: Client, portal: Portal, questions: Questions, until: date) -> None:
    """Absences beyond the usual horizon, for a plan that ends there."""
    span = portal.absences_until, until
    wanted = _absence_queries(questions, span)
    items = client.batch({key: query.command for key, query in wanted.items()})
    _take_absences(portal, wanted, items, span, questions.zone)
    portal.absences_until = until


def read_workers(client: Client, portal: Portal, questions: Questions, user_ids: Sequence[int]) -> None:
    """The open work and the absences of people whom the questions were not about: they were handed a task."""
    asked = replace(questions, workers=user_ids)
    crews = _chunks(user_ids, PEOPLE_A_CHAIN)
    span = questions.today, portal.absences_until
    wanted = _absence_queries(asked, span)
    commands = {
        **_people_commands(_chunks(user_ids, PEOPLE_A_COMMAND)),
        **({} if portal.missing_scopes else {key: query.command for key, query in wanted.items()}),
    }
    pages = min(len(user_ids), _room(commands))
    items = client.batch({**commands, **_open_chain(crews[0], pages)})
    _take_people(portal, items)
    if not portal.missing_scopes:
        _take_absences(portal, wanted, items, span, questions.zone)
    for number, crew in enumerate(crews):
        _read_open(client, portal, items if number == 0 else {}, crew)


def _commands(questions: Questions) -> dict[str, Command]:
    commands = {
        "profile": queries.profile().command,
        "server": queries.server_time().command,
        "group": queries.groups_named(questions.group).command,
    }
    for number, chunk in enumerate(_chunks(questions.keys, KEYS_A_COMMAND)):
        commands[f"keys{number}"] = queries.tasks_by_key(chunk).command
    for number, ids in enumerate(_chunks(questions.task_ids, BATCH)):
        commands[f"ids{number}"] = queries.tasks_by_id(ids).command
    if questions.places.group_id is not None:
        for number, title in enumerate(questions.titles):
            query = queries.tasks_titled(title.part, questions.places.group_id, title.since)
            commands[f"title{number}"] = query.command
    commands |= _people_commands(_people(questions)[: _needed(questions)])
    for number, surname in enumerate(questions.surnames):
        commands[f"surname{number}"] = queries.people_by_surname(surname).command
    for key, absence in _absence_queries(questions, (questions.today, _horizon(questions))).items():
        commands[key] = absence.command
    if questions.places.folder_id is not None:
        for number, name in enumerate(questions.file_names):
            commands[f"file{number}"] = queries.children(questions.places.folder_id, name).command
    return commands


def _together(commands: Mapping[str, Command]) -> dict[str, Command]:
    return {key: command for key, command in commands.items() if is_batchable(command.params)}


def _room(commands: Mapping[str, Command]) -> int:
    """How many commands still go into the last batch that these make: the pages of a chain must be in one."""
    return BATCH - len(_together(commands)) % BATCH


def _people(questions: Questions) -> list[list[int]]:
    """Whom to ask about, the workers last: the cache knows them, but not who was dismissed since."""
    return _chunks(list(dict.fromkeys([*questions.people, *questions.workers])), PEOPLE_A_COMMAND)


def _needed(questions: Questions) -> int:
    return -(-len(questions.people) // PEOPLE_A_COMMAND)


def _people_to_check(questions: Questions, room: int) -> dict[str, Command]:
    """The rest of the workers, as far as there is room for nothing: the pages of their work come first."""
    needed = _needed(questions)
    return _people_commands(_people(questions)[needed : needed + max(0, room)], first=needed)


def _people_commands(chunks: Sequence[Sequence[int]], first: int = 0) -> dict[str, Command]:
    return {f"people{number}": queries.people_by_id(chunk).command for number, chunk in enumerate(chunks, first)}


def _horizon(questions: Questions) -> date:
    return questions.today + timedelta(days=ABSENCE_DAYS)


def _absence_queries(questions: Questions, span: tuple[date, date]) -> dict[str, Query[Mapping[str, Any]]]:
    return {
        f"absences{number}": queries.absences(chunk, *span)
        for number, chunk in enumerate(_chunks(questions.workers, PEOPLE_A_COMMAND))
    }


def _clock(owner: Owner, items: Mapping[str, Item], configured: ZoneInfo) -> PortalClock:
    clock = PortalClock(owner, configured, queries.server_time().of(items["server"]))
    lists = [item.result for item in items.values() if isinstance(item.result, dict) and "tasks" in item.result]
    clock.see([row for one in lists for row in queries.task_rows(one)])
    return clock


def _read_places(portal: Portal, items: Mapping[str, Item], questions: Questions) -> None:
    group_id = org_cache.first_id(queries.groups_named(questions.group).of(items["group"]))
    portal.places = replace(questions.places, group_id=group_id)


def _read_files(portal: Portal, items: Mapping[str, Item], questions: Questions) -> None:
    """Which of the files are in the folder. One that is gone since it was cached is forgotten."""
    for number, name in enumerate(questions.file_names):
        item = items.get(f"file{number}")
        if item is None:
            continue
        try:
            found = queries.children(0, name).of(item)
        except errors.PortalBusy:
            raise
        except errors.PortalError as error:
            if questions.folder.isdecimal():
                raise errors.ConfigError(
                    _("B24_FOLDER={id}: the folder cannot be read: {reason}").format(
                        id=questions.folder, reason=error.message
                    ),
                    _("Give the id from the folder's address on the company drive, or the folder's name."),
                ) from None
            portal.places = replace(portal.places, folder_id=None)
            return
        for file_id, stored, kind in found:
            if kind == "file" and stored == name:
                portal.stored[name] = file_id


def _tasks(items: Mapping[str, Item], prefix: str, portal: Portal) -> list[Task]:
    """The tasks of the items `prefix` and `prefix0`, `prefix1`, …"""
    found = []
    for key, item in items.items():
        if key == prefix or key.rstrip("0123456789") == prefix:
            found += [portal.read_task(row) for row in queries.task_rows(item.value)]
    return found


def _read_titled(
    client: Client, portal: Portal, items: Mapping[str, Item], questions: Sequence[TitleQuestion], keys: Sequence[str]
) -> None:
    """The project's tasks that may be a line's, all pages: a short number is part of many titles.

    Those with one of `keys` are the line's for sure: a portal may keep keys that it cannot search.
    """
    group_id = portal.places.group_id
    for number, question in enumerate(questions):
        item = items.get(f"title{number}")
        rows = [] if item is None else queries.task_rows(item.value)
        if group_id is not None:
            command = queries.tasks_titled(question.part, group_id, question.since).command
            rows = [*rows, *_rest(client, pagination.TASKS, command, rows)]
        tasks = [portal.read_task(row) for row in rows]
        portal.titled[question.order_id] = [task for task in tasks if task.group_id == group_id]
        remember(portal, tasks, keys)


def _rest(
    client: Client, listing: pagination.ListMethod, command: Command, rows: Sequence[Mapping[str, Any]]
) -> list[Mapping[str, Any]]:
    """What follows a full page of a list by id. What no batch can carry is too odd a text to be in many titles."""
    if len(rows) < pagination.PAGE or not is_batchable(command.params):
        return []
    pages = client.pages(listing, queries.paged(command), after=int(rows[-1][listing.key]))
    return [row for page in pages for row in page]


def _open_chain(crew: Sequence[int], pages: int) -> dict[str, Command]:
    return pagination.commands(pagination.TASKS, queries.open_work_of(crew), length=pages, prefix="open")


def _read_open(client: Client, portal: Portal, items: Mapping[str, Item], crew: Sequence[int]) -> None:
    """The open tasks of these people; `items` may hold the first pages."""
    read = pagination.read(pagination.TASKS, items, prefix="open")
    rows = list(read.rows)
    if not read.complete:
        for page in client.pages(pagination.TASKS, queries.open_work_of(crew), after=read.last_id, length=BATCH):
            rows += page
    portal.open += [portal.read_task(row) for row in rows]


def _read_people(client: Client, portal: Portal, items: Mapping[str, Item], questions: Questions) -> None:
    _take_people(portal, items)
    for number, surname in enumerate(questions.surnames):
        rows = items[f"surname{number}"].value
        namesakes = queries.read_people(rows)
        rest = _rest(client, pagination.USERS, queries.people_by_surname(surname).command, rows)
        portal.surnames[surname] = [*namesakes, *queries.read_people(rest)]


def _take_people(portal: Portal, items: Mapping[str, Item]) -> None:
    for key, item in items.items():
        if key.rstrip("0123456789") == "people":
            portal.people |= {person.id: person for person in queries.read_people(item.value)}


def _read_absences(portal: Portal, items: Mapping[str, Item], questions: Questions) -> None:
    portal.absences_until = _horizon(questions)
    span = questions.today, portal.absences_until
    _take_absences(portal, _absence_queries(questions, span), items, span, questions.zone)


def _take_absences(
    portal: Portal,
    asked: Mapping[str, Query[Mapping[str, Any]]],
    items: Mapping[str, Item],
    span: tuple[date, date],
    zone: ZoneInfo,
) -> None:
    """Planning goes on without absences where the webhook lacks the scope, or the calendar is switched off."""
    answers = []
    for key, query in asked.items():
        try:
            answers.append(query.of(items[key]))
        except errors.PortalBusy:
            raise
        except errors.PortalError as error:
            if error.portal_code == "insufficient_scope":
                portal.missing_scopes = ["calendar"]
            else:
                portal.absences_problem = error.message
            break
    read = read_absences(answers, *span, days_in=zone, clock_in=portal.zone, order=portal.date_order)
    portal.date_order = read.order
    portal.doubts += read.warnings
    for user_id, away in read.away.items():
        portal.absences[user_id] = list(dict.fromkeys([*portal.absences.get(user_id, []), *away]))


def _chunks(values: Sequence[Any], size: int) -> list[list[Any]]:
    return [list(values[start : start + size]) for start in range(0, len(values), size)]
