"""What the portal has, as far as some orders need it: one batch, all of it read at one moment."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timedelta, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

from b24tools.bitrix24 import org_cache, pagination, queries
from b24tools.bitrix24.absences import read_absences
from b24tools.bitrix24.batch import MOST_COMMANDS, PAGE, Batch, Pending
from b24tools.bitrix24.client import Client
from b24tools.bitrix24.org_cache import Places
from b24tools.bitrix24.portal_time import PortalClock, read_iso
from b24tools.core import errors
from b24tools.core.chunks import chunked
from b24tools.core.i18n import _
from b24tools.core.models import Absence, Owner, Person, Task
from b24tools.core.names import surname_masks
from b24tools.store.orders import LedgerTask

UNKNOWN_PERSON_TASKS = 5  # how many open tasks a person is expected to have who was never seen
PEOPLE_A_CHAIN = 900  # whose tasks one command can ask for, with its other values
ABSENCE_DAYS = 92
ABSENCE_DAYS_BEYOND = 31  # and after the last end that lies beyond them
ABSENCE_DAYS_BEFORE = 31  # for tasks that were begun then, on which no time is noted

Row = Mapping[str, Any]


@dataclass(frozen=True)
class TitleQuestion:
    """Tasks of the project whose title contains `part`, created not before `since`."""

    order_id: str
    part: str
    since: datetime


@dataclass(frozen=True)
class Questions:
    """What has to be known. `expected_open`: about how many open tasks the workers have.

    `date_order`: see `absences.Absences`, as remembered. `named`: open work with its titles and deadlines.
    """

    workers: Sequence[int]
    expected_open: int
    today: date
    zone: ZoneInfo
    group: str
    folder: str
    places: Places
    date_order: str
    keys: Sequence[str] = ()
    task_ids: Sequence[int] = ()
    titles: Sequence[TitleQuestion] = ()
    people: Sequence[int] = ()
    managers: Sequence[str] = ()
    file_names: Sequence[str] = ()
    named: bool = False


@dataclass(frozen=True)
class PortalState:
    """The answers. `by_key` lists the tasks of a key, the lowest id first.

    `doubts`: warnings about absences. `date_order`: as in the questions, or as the answers show it. `project_end`: the
    midnight of the project's last day, if it has one and may be read.
    """

    owner: Owner
    clock: PortalClock
    places: Places
    server_now: datetime | None = None
    by_id: Mapping[int, Task] = field(default_factory=dict)
    by_key: Mapping[str, list[Task]] = field(default_factory=dict)
    titled: Mapping[str, list[Task]] = field(default_factory=dict)
    open: Sequence[Task] = ()
    absences: Mapping[int, list[Absence]] = field(default_factory=dict)
    absences_until: date = date.max
    people: Mapping[int, Person] = field(default_factory=dict)
    namesakes: Mapping[str, list[Person]] = field(default_factory=dict)
    stored: Mapping[str, int] = field(default_factory=dict)
    missing_scopes: Sequence[str] = ()
    absences_problem: str = ""
    doubts: Sequence[str] = ()
    date_order: str = ""
    project_end: datetime | None = None

    @property
    def zone(self) -> tzinfo:
        """In whose wall clock dates are to be read."""
        return self.clock.zone

    def read_task(self, row: Row) -> Task:
        """A task from its row. The first row that the portal shows decides which zone is in force."""
        return queries.read_task(row, self.clock.see([row]))

    def found_ids(self) -> list[int]:
        """The ids of all tasks that were found by keys or titles."""
        return [task.id for index in (self.titled, self.by_key) for tasks in index.values() for task in tasks]

    def of_line(self, known: LedgerTask) -> Task | None:
        """The task that the ledger has for a line. One with another's key is not it: a restored portal repeats ids."""
        task = self.by_id.get(known.task_id or 0)
        return task if task is not None and known.is_carried_by(task.xml_id) else None


def read_portal(client: Client, questions: Questions) -> PortalState:
    """Ask everything in as few requests as it takes; with up to 2,000 open tasks that is one.

    Raises PortalError for whatever the plan cannot go without; a missing calendar scope is noted.
    """
    batch = client.new_batch()
    profile = batch.add(queries.profile())
    server_time = batch.add(queries.server_time())
    groups = batch.add(queries.groups_named(questions.group))
    by_key = _add_keys(batch, questions.keys)
    by_id = batch.add_chunked(queries.tasks_by_id, questions.task_ids)
    titled = _add_titles(batch, questions.titles, questions.places.group_id)
    # the workers last: the cache knows them, but not who was dismissed since
    people_chunks = list(chunked(dict.fromkeys([*questions.people, *questions.workers]), PAGE))
    needed = -(-len(questions.people) // PAGE)
    people = [batch.add(queries.people_by_id(ids)) for ids in people_chunks[:needed]]
    asked = {name: masks for name in questions.managers if (masks := surname_masks(name))}
    namesakes = {name: batch.add(queries.people_by_surname(*masks)) for name, masks in asked.items()}
    until = questions.today + timedelta(days=ABSENCE_DAYS)
    since = questions.today - timedelta(days=ABSENCE_DAYS_BEFORE)
    absences = _add_absences(batch, questions.workers, since, until)
    files = {}
    if questions.places.folder_id is not None:
        files = {name: batch.add(queries.children(questions.places.folder_id, name)) for name in questions.file_names}
    crews = list(chunked(questions.workers, PEOPLE_A_CHAIN))
    room = batch.room
    # room for what was made since it was counted: a page too many costs little, one too few another request
    expected = questions.expected_open // max(1, len(crews)) + PAGE // 2
    length = min(expected // PAGE + 1, room) if crews else 0
    pages = _add_open(batch, crews[:1], length, questions.named)
    people += [batch.add(queries.people_by_id(ids)) for ids in people_chunks[needed : needed + room - length]]
    dates = None
    if questions.places.group_id and batch.room < MOST_COMMANDS:  # for a warning no further request is spent
        dates = batch.add(queries.project_dates(questions.places.group_id))
    batch.send()

    first_rows = [row for pending in (*by_key, *by_id, *(answer for _, answer in titled)) for row in pending.value]
    open_rows = _read_open(client, crews, pages, questions.named)
    owner = profile.value
    clock = PortalClock(owner, questions.zone, server_time.value)
    clock.see([*first_rows, *open_rows])
    state = PortalState(
        owner,
        clock,
        replace(questions.places, group_id=org_cache.first_id(groups.value)),
        server_now=read_iso(server_time.value),
        absences_until=until,
        people={person.id: person for pending in people for person in pending.value},
        namesakes={name: _read_namesakes(client, pending) for name, pending in namesakes.items()},
        date_order=questions.date_order,
        project_end=dates.value[1] if dates and dates.error is None else None,
    )
    of_ids = [state.read_task(row) for pending in by_id for row in pending.value]
    state = replace(state, by_id={task.id: task for task in of_ids}, open=[state.read_task(row) for row in open_rows])
    state = _with_tasks(client, state, by_key, titled, questions.keys)
    state = _with_absences(state, absences, since, until, questions.zone)
    return _with_files(state, files, questions.folder)


def read_presence(client: Client, questions: Questions) -> PortalState:
    """Read of the workers only who they are and when they are away."""
    batch = client.new_batch()
    profile, server_time = batch.add(queries.profile()), batch.add(queries.server_time())
    people = batch.add_chunked(queries.people_by_id, questions.workers)
    until = questions.today + timedelta(days=1)
    absences = _add_absences(batch, questions.workers, questions.today, until)
    batch.send()
    state = PortalState(
        profile.value,
        PortalClock(profile.value, questions.zone, server_time.value),
        questions.places,
        server_now=read_iso(server_time.value),
        absences_until=until,
        people={person.id: person for pending in people for person in pending.value},
        date_order=questions.date_order,
    )
    return _with_absences(state, absences, questions.today, until, questions.zone)


def take_as_away(state: PortalState, user_id: int, first: date, last: date, zone: ZoneInfo) -> PortalState:
    """Add an absence of whole days, both included."""
    start, end = (datetime.combine(day, time(), zone) for day in (first, last + timedelta(days=1)))
    away = join_absences([*state.absences.get(user_id, ()), Absence(start, end)])
    return replace(state, absences={**state.absences, user_id: away})


def join_absences(absences: Iterable[Absence]) -> list[Absence]:
    """Make one of those that meet or overlap: a sick leave is entered anew as often as it is extended."""
    joined: list[Absence] = []
    for absence in sorted(absences, key=lambda absence: absence.start):
        if joined and absence.start <= joined[-1].end:
            absence = Absence(joined[-1].start, max(absence.end, joined.pop().end))
        joined.append(absence)
    return joined


def look_up(
    client: Client, state: PortalState, keys: Sequence[str], titles: Sequence[TitleQuestion] = ()
) -> PortalState:
    """Read the tasks of these keys again, and of these titles, to find out whether a write was done."""
    batch = client.new_batch()
    by_key = _add_keys(batch, keys)
    titled = _add_titles(batch, titles, state.places.group_id)
    batch.send()
    state = replace(state, by_key={key: tasks for key, tasks in state.by_key.items() if key not in keys})
    return _with_tasks(client, state, by_key, titled, keys)


def read_more_absences(
    client: Client, state: PortalState, questions: Questions, ends: Iterable[datetime | None]
) -> PortalState:
    """Add absences beyond the usual horizon where work ends there, once; the same state where none does."""
    last = max((end.date() for end in ends if end), default=date.min)
    if last <= state.absences_until or state.missing_scopes or state.absences_problem:
        return state
    until = last + timedelta(days=ABSENCE_DAYS_BEYOND)
    batch = client.new_batch()
    absences = _add_absences(batch, questions.workers, state.absences_until, until)
    batch.send()
    state = _with_absences(state, absences, state.absences_until, until, questions.zone)
    return replace(state, absences_until=until)


def read_workers(client: Client, state: PortalState, questions: Questions, user_ids: Sequence[int]) -> PortalState:
    """Add the open work and the absences of people whom the questions were not about: they were handed a task."""
    batch = client.new_batch()
    people = batch.add_chunked(queries.people_by_id, user_ids)
    first, last = questions.today - timedelta(days=ABSENCE_DAYS_BEFORE), state.absences_until
    absences = [] if state.missing_scopes else _add_absences(batch, user_ids, first, last)
    crews = list(chunked(user_ids, PEOPLE_A_CHAIN))
    pages = _add_open(batch, crews[:1], min(len(user_ids), batch.room), questions.named)
    batch.send()
    more = {person.id: person for pending in people for person in pending.value}
    open_tasks = [state.read_task(row) for row in _read_open(client, crews, pages, questions.named)]
    state = replace(state, people={**state.people, **more}, open=[*state.open, *open_tasks])
    return _with_absences(state, absences, first, last, questions.zone)


def _add_keys(batch: Batch, keys: Sequence[str]) -> list[Pending[list[Row]]]:
    return batch.add_chunked(queries.tasks_by_key, keys, queries.KEYS_A_COMMAND)


def _add_titles(
    batch: Batch, titles: Sequence[TitleQuestion], group_id: int | None
) -> list[tuple[TitleQuestion, Pending[list[Row]]]]:
    if group_id is None:
        return []
    return [(title, batch.add(queries.tasks_titled(title.part, group_id, title.since))) for title in titles]


def _add_absences(batch: Batch, user_ids: Sequence[int], first: date, last: date) -> list[Pending[Row]]:
    return batch.add_chunked(lambda ids: queries.absences(ids, first, last), user_ids)


def _add_open(batch: Batch, crews: Sequence[Sequence[int]], length: int, named: bool = False) -> list[pagination.Pages]:
    """Add the first pages of the open work of each crew."""
    params = (queries.open_work_of(crew, named=named) for crew in crews)
    return [pagination.add_pages(batch, pagination.TASKS, work, length=length) for work in params]


def _read_open(
    client: Client, crews: Sequence[Sequence[int]], pages: Sequence[pagination.Pages], named: bool = False
) -> list[Row]:
    """Read the open work of all crews; `pages` came with a batch, for the first of them."""
    rows: list[Row] = []
    for number, crew in enumerate(crews):
        read = pages[number].read() if number < len(pages) else pagination.PageRows([], False, 0)
        rows += read.rows
        if not read.complete:
            params = queries.open_work_of(crew, named=named)
            length = pagination.PROBE_PAGES if read.rows else MOST_COMMANDS
            for page in client.pages(pagination.TASKS, params, after=read.last_id, length=length):
                rows += page
    return rows


def _read_rest(
    client: Client, listing: pagination.ListMethod, pending: Pending[Any], after: int
) -> list[dict[str, Any]]:
    """Read what follows a full page of a list. What no batch can carry is too odd a text to be in many titles."""
    if pending.packed is None:
        return []
    return [row for page in client.pages(listing, pending.query.params, after=after) for row in page]


def _read_namesakes(client: Client, pending: Pending[list[Person]]) -> list[Person]:
    people = pending.value
    if len(people) < PAGE:
        return people
    return [*people, *queries.read_people(_read_rest(client, pagination.USERS, pending, people[-1].id))]


def _with_tasks(
    client: Client,
    state: PortalState,
    by_key: Iterable[Pending[list[Row]]],
    titled: Iterable[tuple[TitleQuestion, Pending[list[Row]]]],
    keys: Sequence[str],
) -> PortalState:
    """File tasks under their keys and titles, all pages: a short number is part of many titles.

    A task whose key was not asked for does not count: the filter was ignored. A title may show tasks with one of the
    keys: a portal may keep keys that it cannot search.
    """
    tasks = [state.read_task(row) for pending in by_key for row in pending.value]
    of_title = dict(state.titled)
    for question, pending in titled:
        rows = list(pending.value)
        if len(rows) >= PAGE:
            rows += _read_rest(client, pagination.TASKS, pending, int(rows[-1]["id"]))
        shown = [state.read_task(row) for row in rows]
        of_title[question.order_id] = [task for task in shown if task.group_id == state.places.group_id]
        tasks += shown
    asked = set(keys)
    tasks = [task for task in tasks if task.xml_id in asked]
    of_key = {key: {task.id: task for task in known} for key, known in state.by_key.items()}
    for task in tasks:
        of_key.setdefault(task.xml_id, {})[task.id] = task
    return replace(
        state,
        by_id={**state.by_id, **{task.id: task for task in tasks}},
        by_key={key: [known[task_id] for task_id in sorted(known)] for key, known in of_key.items()},
        titled=of_title,
    )


def _with_absences(
    state: PortalState, absences: Sequence[Pending[Row]], first: date, last: date, zone: ZoneInfo
) -> PortalState:
    """Add absences. Planning goes on without where the webhook lacks the scope, or the calendar is switched off."""
    answers = []
    for pending in absences:
        try:
            answers.append(pending.value)
        except errors.PortalBusy:
            raise
        except errors.PortalError as error:
            if error.portal_code == "insufficient_scope":
                state = replace(state, missing_scopes=["calendar"])
            else:
                state = replace(state, absences_problem=error.message)
            break
    read = read_absences(answers, first, last, days_in=zone, clock_in=state.zone, order=state.date_order)
    away = {user_id: join_absences([*state.absences.get(user_id, []), *more]) for user_id, more in read.away.items()}
    return replace(
        state,
        date_order=read.order,
        doubts=[*state.doubts, *read.warnings],
        absences={**state.absences, **away},
    )


def _with_files(
    state: PortalState, files: Mapping[str, Pending[list[tuple[int, str, str]]]], folder: str
) -> PortalState:
    """Add which of the files are in the folder. A folder that is gone since it was cached is forgotten."""
    stored: dict[str, int] = {}
    for name, pending in files.items():
        try:
            rows = pending.value
        except errors.PortalBusy:
            raise
        except errors.PortalError as error:
            if folder.isdecimal():
                raise errors.ConfigError(
                    _("B24_FOLDER={id}: the folder cannot be read: {reason}").format(id=folder, reason=error.message),
                    _("Give the id from the folder's address on the company drive, or the folder's name."),
                ) from None
            return replace(state, places=replace(state.places, folder_id=None), stored=stored)
        stored.update((name, file_id) for file_id, stored_name, kind in rows if (stored_name, kind) == (name, "file"))
    return replace(state, stored=stored)
