"""The closed tasks of some weeks, and the people who closed them, from the portal into SQLite.

All the weeks are one list read by key, so that many of them share a request. What a request brought is
saved together with the cursor: a run that was killed goes on where it stopped.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, wait
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

from b24tools.bitrix24 import error_codes, pagination, queries
from b24tools.bitrix24.batch import MOST_COMMANDS, Command, Item
from b24tools.bitrix24.client import Client
from b24tools.bitrix24.portal_time import PortalClock, read_iso
from b24tools.bitrix24.queries import missing_people
from b24tools.core import errors, periods
from b24tools.core.i18n import _, ngettext
from b24tools.core.models import Department, Owner, Person, Progress, Status, TaskRecord
from b24tools.store import Store
from b24tools.store.snapshot_runs import Run

RESUMABLE = timedelta(hours=1)
NOTICEABLE_SKEW = timedelta(minutes=5)
# Asked for beyond both ends: a clock change may put a portal's wall clock and its filter an hour apart.
MARGIN = timedelta(hours=1)
DEPARTMENT_PAGES = 4  # asked for before it is known how many there are
IN_FLIGHT = 6  # requests at once, as many as a browser sends to one host: a portal has others to serve
UNHURRIED_S = 15  # an answer that takes so long is waited for alone: perhaps the portal does one thing after the other
LEAVING_S = 0.05  # longer than a request takes to leave
FEWER_COMMANDS = 12  # in a request, after a full one took the portal too long
MOST_NAMED = 5  # rows that are left out
_LIMITS = (error_codes.QUERY_LIMIT, error_codes.OPERATION_LIMIT)

_Ask = Callable[[Mapping[str, Command], Callable[[], None]], "_Answer"]


@dataclass(frozen=True)
class Rules:
    """The settings that a snapshot obeys."""

    zone: ZoneInfo
    directory_h: float
    people_h: float
    non_admin: bool


@dataclass(frozen=True)
class WeekResult:
    """A week: tasks that count in it now, and what this run made of them."""

    week: periods.Period
    tasks: int
    new: int
    changed: int
    same: int
    gone: int


@dataclass(frozen=True)
class Result:
    """What a run saved. `complete`: nothing was hidden from it. `people`: those it read. `warnings`: of what is odd."""

    weeks: tuple[WeekResult, ...]
    complete: bool
    people: int
    requests: int
    exit_status: int
    warnings: tuple[str, ...] = ()


def due(store: Store, now: datetime, zone: ZoneInfo) -> list[periods.Period]:
    """This week, and the one before until a complete run that began after its end has covered it."""
    week = periods.week_of(now, zone)
    covering = store.snapshot_runs.latest_covering(week.before.start, week.before.end, now)
    return [week] if covering and covering.started_at >= week.before.end else last_two(now, zone)


def last_two(now: datetime, zone: ZoneInfo) -> list[periods.Period]:
    """The week before and this one."""
    week = periods.week_of(now, zone)
    return [week.before, week]


def since(day: date, now: datetime, zone: ZoneInfo) -> list[periods.Period]:
    """Every week from the one of that day to this one; none for a day to come."""
    week = periods.week_of(now, zone)
    first = periods.containing(day, periods.WEEK, zone)
    return list(replace(week, first=first.first).weeks()) if first <= week else []


def take(
    store: Store,
    client: Client,
    span: Sequence[periods.Period],
    rules: Rules,
    *,
    now: Callable[[], datetime],
    progress: Progress = lambda _stage, _done, _total: None,
) -> Result:
    """Read the tasks closed in these weeks (which follow each other), and people and departments if they are stale.

    Raises PortalError as the client does; what was saved until then stays, and the next run goes on from there.
    """
    harvest = _Harvest(store, client, span, rules, now, progress)
    coming: deque[Future[_Answer]] = deque()
    while _fill(coming, harvest):
        answer = coming.popleft().result()
        if answer.too_long is not None:
            harvest.ask_less(answer.too_long)
            wait(coming)
            coming.clear()
            continue
        part = harvest.take(answer)
        del answer
        if part.trouble is None:
            _fill(coming, harvest)  # the portal works while this is read and saved
        harvest.save(part)
        if part.trouble is not None:
            raise part.trouble
        if harvest.complete:
            break  # what else is on its way was for a longer list
        del part  # a hundred thousand objects, to be forgotten while the portal works, too
    return harvest.finish()


def _fill(coming: deque[Future[_Answer]], harvest: _Harvest) -> bool:
    """Ask for what is known to be needed, as far as there is room; whether anything is on its way."""
    while len(coming) < harvest.in_flight and (commands := harvest.commands()):
        coming.append(_asked(partial(harvest.ask, harvest.number_reading()), commands))
    return bool(coming)


@dataclass(frozen=True)
class _Answer:
    """A batch's items, and when they were asked for and came; `too_long`: none, for the portal could not do so many.

    `reading`: the number it was asked under.
    """

    reading: int
    items: Mapping[str, Item]
    asked_at: datetime
    came_at: datetime
    too_long: errors.PortalBusy | None = None


@dataclass(frozen=True)
class _Part:
    """What of an answer counts, people and tasks as rows. `trouble`: why the lists cannot be read any further."""

    departments: Sequence[Department]
    people: Sequence[Mapping[str, Any]]
    tasks: Sequence[Mapping[str, Any]]
    reading: int
    requests: int
    trouble: errors.PortalError | None


def _asked(ask: _Ask, commands: Mapping[str, Command]) -> Future[_Answer]:
    """The answer to come, asked for in a thread: one that nobody waits for must not keep the program from ending.

    Comes back when the request has left, or must wait: of two threads that work, each only keeps the other waiting.
    """
    future: Future[_Answer] = Future()
    sent = threading.Event()

    def work() -> None:
        try:
            future.set_result(ask(commands, sent.set))
        except BaseException as error:  # noqa: BLE001 - it is raised where the answer is waited for
            future.set_exception(error)
        finally:
            sent.set()

    threading.Thread(target=work, name="snapshot", daemon=True).start()
    sent.wait(LEAVING_S)
    return future


class _Departments:
    """The departments' pages, counted by their offsets: the list is short and has no key to read it by."""

    def __init__(self, pages: int) -> None:
        self._planned = pages
        self._waiting = set(range(pages))
        self._coming: set[int] = set()
        self._found: dict[int, Department] = {}

    def commands(self, room: int) -> dict[str, Command]:
        """The pages not asked for yet, as far as there is room."""
        pages = sorted(self._waiting - self._coming)[: max(0, room)]
        self._coming |= set(pages)
        return {f"departments{page}": queries.departments(page * pagination.PAGE).command for page in pages}

    @property
    def complete(self) -> bool:
        """Whether all pages have come."""
        return not self._waiting

    def forget(self) -> None:
        """What is on its way no longer counts: it is asked for again."""
        self._coming.clear()

    def read(self, items: Mapping[str, Item]) -> list[Department]:
        """All the departments once, when the last page has come; nothing before and after."""
        mine = {page: items[f"departments{page}"] for page in self._waiting if f"departments{page}" in items}
        for page, item in mine.items():
            # Past the end the portal gives the first page again.
            self._found |= {one.id: one for one in queries.read_departments(item.value)}
            self._waiting.remove(page)
            needed = -(-(item.total or 0) // pagination.PAGE)
            self._waiting |= set(range(self._planned, needed))
            self._planned = max(self._planned, needed)
        return list(self._found.values()) if mine and not self._waiting else []


class _Harvest:
    """A run under way."""

    def __init__(
        self,
        store: Store,
        client: Client,
        span: Sequence[periods.Period],
        rules: Rules,
        now: Callable[[], datetime],
        progress: Progress,
    ) -> None:
        self._store, self._client, self._span, self._rules = store, client, span, rules
        self._now, self._progress = now, progress
        self._start, self._end = span[0].start, span[-1].end
        self._window = self._start.isoformat(), self._end.isoformat()  # as the tasks' moments are written
        self._started_at = now()
        self._run = self._unfinished()
        self._first_no = self._run.first_no if self._run else None
        self._requests_before = client.requests - (self._run.requests if self._run else 0)
        self.in_flight = IN_FLIGHT
        self._room = MOST_COMMANDS
        self._begun = False
        self._owner: Owner | None = None
        self._portal_clock: PortalClock | None = None
        self._skew = timedelta()
        self._portal_now: datetime | None = None
        self._names: dict[int, str] = {}  # of people, as the tasks' rows have them
        self._undated: list[int] = []  # tasks without a readable closing date
        self._departments = self._department_reader()
        self._people = self._people_reader()
        self._tasks = self._task_reader()
        self._lists = [one for one in (self._departments, self._people, self._tasks) if one is not None]

    def _unfinished(self) -> Run | None:
        now = self._started_at
        return self._store.snapshot_runs.unfinished(self._start, self._end, now - RESUMABLE, now)

    def _is_stale(self, what: str, lifetime_h: float) -> bool:
        read_at = self._store.people.last_read(what, self._started_at)
        return read_at is None or self._started_at - read_at >= timedelta(hours=lifetime_h)

    def _department_reader(self) -> _Departments | None:
        if not self._is_stale("departments", self._rules.directory_h):
            return None
        known = self._store.people.count_departments()
        return _Departments(known // pagination.PAGE + 1 if known else DEPARTMENT_PAGES)

    def _people_reader(self) -> pagination.Reader | None:
        run = self._run
        after = 0 if run is None else run.people_cursor
        if after is None or (run is None and not self._is_stale("people", self._rules.people_h)):
            return None
        known = None if run else self._store.people.count() or None
        return pagination.Reader(pagination.USERS, queries.everybody(), prefix="people", after=after, left=known)

    def _task_reader(self) -> pagination.Reader:
        params = queries.closed_between(self._start - MARGIN, self._end + MARGIN)
        known = after = None
        if self._run is not None:
            after = self._run.cursor
        elif self._store.snapshot_runs.latest_covering(self._start, self._span[0].end, self._started_at):
            known = sum(self._store.tasks.count_by_week(self._start, self._end).values()) or None
        probe = pagination.PROBE_PAGES * len(self._span)
        return pagination.Reader(pagination.TASKS, params, prefix="page", after=after or 0, left=known, probe=probe)

    def commands(self) -> dict[str, Command]:
        """The next batch; nothing when all is asked for, or while it is not known yet what to ask for."""
        found: dict[str, Command] = {}
        if self._owner is None:
            if self._begun:
                return {}
            self._begun = True
            found |= {"profile": queries.profile().command, "time": queries.server_time().command}
        for one in self._lists:
            found |= one.commands(self._room - len(found))
        return found

    @property
    def complete(self) -> bool:
        """Whether all lists have been read to their ends."""
        return all(one.complete for one in self._lists)

    def number_reading(self) -> int:
        """The number of a batch that is about to be asked for."""
        number = self._store.snapshot_runs.number_reading()
        self._first_no = self._first_no or number
        return number

    def ask(self, reading: int, commands: Mapping[str, Command], on_sent: Callable[[], None]) -> _Answer:
        """Send a batch under this number."""
        sent = self._client.requests
        asked_at = self._now()
        try:
            return _Answer(reading, self._client.batch(commands, on_sent=on_sent), asked_at, self._now())
        except errors.PortalBusy as error:
            too_long = error.portal_code not in _LIMITS and error.until is None and self._client.requests > sent
            if not too_long or len(commands) <= FEWER_COMMANDS:
                raise
            return _Answer(reading, {}, asked_at, self._now(), error)

    def ask_less(self, error: errors.PortalBusy) -> None:
        """From here on `commands` are few, from where the last good answer ended; raises the error if they were few."""
        if self._room == FEWER_COMMANDS:
            raise error
        self._room, self.in_flight, self._begun = FEWER_COMMANDS, 1, False
        for one in self._lists:
            one.forget()

    def take(self, answer: _Answer) -> _Part:
        """Take the rows that count out of an answer; from here on `commands` are the next ones."""
        items = answer.items
        taken_s = max(0.001, (answer.came_at - answer.asked_at).total_seconds())
        self.in_flight = max(1, min(IN_FLIGHT if self._room == MOST_COMMANDS else 1, int(UNHURRIED_S / taken_s)))
        if self._owner is None:
            self._meet(items)
        departments = self._departments.read(items) if self._departments else []
        people = self._people.read(items) if self._people else []
        tasks = self._tasks.read(items)
        trouble = None
        try:
            for reader in (self._people, self._tasks):
                if reader:
                    reader.check()
        except errors.PortalError as error:
            trouble = error
        requests = self._client.requests - self._requests_before
        return _Part(departments, people, tasks, answer.reading, requests, trouble)

    def save(self, part: _Part) -> None:
        """Read and save what a batch brought, and the cursor with it."""
        people = queries.read_people(part.people)
        zone = self._portal_clock.see(part.tasks) if self._portal_clock else self._rules.zone
        records = [queries.read_record(row, zone) for row in part.tasks]
        tasks = [task for task in records if self._counts(task)]
        self._undated += [task.id for task in records if task.status == Status.COMPLETED and task.closed_at is None]
        self._names |= {task.responsible_id: task.responsible_name for task in tasks}
        with self._store.transaction():
            run = self._run or self._begin()
            self._store.people.save_departments(part.departments, self._now())
            self._store.people.save(people, self._now(), part.reading)
            if part.departments:
                self._store.people.save_last_read("departments", self._started_at)
            if self._people and self._people.complete and run.people_cursor is not None:  # these are the last
                if not self._people.nameless:
                    self._store.people.retire_unseen(run)
                self._store.people.save_last_read("people", run.started_at)
            newer = self._store.events.followed_since(
                [task.id for task in tasks], part.reading
            )  # for an event, meanwhile
            current = [task for task in tasks if task.id not in newer]
            saved = self._store.tasks.save(current, self._now(), self._rules.zone, part.reading)
            run = replace(run, tasks=run.tasks + len(tasks), people=run.people + len(people))
            run = replace(run, counts=_add_counts(run.counts, vars(saved)), requests=part.requests)
            self._run = self._with_cursors(run)
            self._store.snapshot_runs.advance(self._run)
        left = self._tasks.left
        self._progress("closed", self._run.tasks, None if left is None else self._run.tasks + left)

    def _meet(self, items: Mapping[str, Item]) -> None:
        """Learn from the first answer whose eyes these are, and whose clock."""
        self._owner = queries.profile().of(items["profile"])
        server_now = queries.server_time().of(items["time"])
        self._portal_clock = PortalClock(self._owner, self._rules.zone, server_now)
        self._portal_now = read_iso(server_now)
        self._skew = self._now() - self._portal_now if self._portal_now else timedelta()
        self._store.settings.remember_host(self._client.host)

    def _begin(self) -> Run:
        admin = self._owner is not None and self._owner.admin
        people_cursor = None if self._people is None else 0
        return self._store.snapshot_runs.begin(
            self._start, self._end, self._started_at, people_cursor, admin=admin, first_no=self._first_no
        )

    def _with_cursors(self, run: Run) -> Run:
        going = self._people is not None and not self._people.complete
        return replace(
            run,
            cursor=self._tasks.after,
            people_cursor=self._people.after if going and self._people else None,
        )

    def _counts(self, task: TaskRecord) -> bool:
        """Whether the task was closed in one of the weeks; the margin, or an ignored filter, brings others, too."""
        start, end = self._window
        return task.closed_at is not None and start <= task.closed_at < end

    def finish(self) -> Result:
        """Mark what is gone, close the run, and forget events of a month ago."""
        if self._run is None or self._owner is None or not self.complete:
            raise RuntimeError("the lists have not been read to their ends")  # what was not seen would be marked gone
        unknown = self._store.people.missing(self._start, self._end)
        # nobody need be asked for if everybody has just been shown
        found = missing_people.fetch_people(self._client, list(unknown)) if self._people is None else {}
        unseen = self._unseen({one: task_id for one, task_id in unknown.items() if one not in found})
        complete = self._owner.admin and self._run.admin
        gone: Mapping[str, int] = {}
        with self._store.transaction():
            self._store.people.save([*found.values(), *unseen], self._now())
            if complete and not self._tasks.nameless:
                gone = self._store.tasks.mark_unseen_gone(self._run)
            requests = self._client.requests - self._requests_before
            self._run = replace(self._run, people=self._run.people + len(found), requests=requests)
            self._store.snapshot_runs.finish(self._run, self._now(), complete=complete)
            if self._portal_now is not None:
                self._store.events.forget_old(self._portal_now)
        return self._result(self._run, gone, complete=complete)

    def _unseen(self, unknown: Mapping[int, int]) -> list[Person]:
        """People whom the portal does not show, by the names that tasks have; a killed run took what it read along."""
        nameless = [task_id for one, task_id in unknown.items() if one not in self._names]
        names = self._names | missing_people.fetch_names_on_tasks(self._client, nameless)
        return [missing_people.unseen(one, names.get(one, "")) for one in unknown]

    def _result(self, run: Run, gone: Mapping[str, int], *, complete: bool) -> Result:
        tasks = self._store.tasks.count_by_week(self._start, self._end)

        def of(kind: str, week: periods.Period) -> int:
            return run.counts.get(kind, {}).get(week.label, 0)

        found = tuple(
            WeekResult(
                week=week,
                tasks=tasks.get(week.label, 0),
                new=of("new", week),
                changed=of("changed", week),
                same=of("same", week),
                gone=gone.get(week.label, 0),
            )
            for week in self._span
        )
        status = 0 if complete or self._rules.non_admin else 3
        return Result(found, complete, run.people, run.requests, status, tuple(self._warnings()))

    def _warnings(self) -> Iterator[str]:
        if self._portal_now is not None and abs(self._skew) > NOTICEABLE_SKEW:
            moment = self._portal_now.astimezone(self._rules.zone)
            yield _(
                "this machine's clock shows {machine}, the portal's {portal}: the weeks were chosen by this machine's"
            ).format(machine=f"{moment + self._skew:%d.%m.%Y %H:%M}", portal=f"{moment:%d.%m.%Y %H:%M}")
        if self._portal_clock is not None and self._portal_clock.warning:
            yield self._portal_clock.warning
        count = len(self._undated)
        if count:
            ids = ", ".join(map(str, self._undated[:MOST_NAMED])) + (", …" if count > MOST_NAMED else "")
            yield ngettext(
                "{n} closed task has no readable closing date and is left out: {ids}",
                "{n} closed tasks have no readable closing date and are left out: {ids}",
                count,
            ).format(n=count, ids=ids)
        if self._tasks.nameless or (self._people and self._people.nameless):
            yield _("the portal sent rows without an id: they are left out, and nothing is marked gone")


def _add_counts(one: Mapping[str, Mapping[str, int]], other: Mapping[str, Any]) -> dict[str, dict[str, int]]:
    return {
        kind: {
            week: one.get(kind, {}).get(week, 0) + other[kind].get(week, 0)
            for week in sorted({*one.get(kind, {}), *other[kind]})
        }
        for kind in other
    }
