"""Save the closed tasks of some weeks, and the people who closed them, from the portal into SQLite.

All the weeks are one list read by key, so that many of them share a request. What a request brought is
saved together with the cursor: a run that was killed goes on where it stopped.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, wait
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from b24tools.bitrix24 import queries
from b24tools.bitrix24.batch import MOST_COMMANDS, Batch, Pending
from b24tools.bitrix24.client import Client
from b24tools.bitrix24.error_codes import ErrorCode
from b24tools.bitrix24.pagination import PROBE_PAGES, TASKS, USERS, Pages, Paginator
from b24tools.bitrix24.portal_time import PortalClock, read_iso
from b24tools.core import errors, periods
from b24tools.core.i18n import _, ngettext
from b24tools.core.models import Department, Owner, Person, Progress, Status, TaskRecord
from b24tools.store import Store

RESUMABLE = timedelta(hours=1)
NOTICEABLE_SKEW = timedelta(minutes=5)
# Asked for beyond both ends: a clock change may put a portal's wall clock and its filter an hour apart.
MARGIN = timedelta(hours=1)
FEWER_COMMANDS = 12  # in a request, after a full one took the portal too long
MOST_NAMED = 5  # rows that are left out
_LIMITS = (ErrorCode.QUERY_LIMIT_EXCEEDED.name, ErrorCode.OPERATION_TIME_LIMIT.name)


@dataclass(frozen=True)
class Rules:
    """The settings that a snapshot obeys.

    `parallel`: how many batches may be under way; of two, one is saved while the next is asked for.
    """

    zone: ZoneInfo
    directory_h: float
    people_h: float
    non_admin: bool
    parallel: int = 2


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
    run = _SnapshotRun(store, client, span, rules, now, progress)
    run.read_lists()
    return run.finish()


@dataclass
class _Request:
    """A batch on its way, under the number of this reading, and what in it belongs to which list."""

    batch: Batch
    requests_before: int
    reading: int = 0
    departments: Sequence[Pending[list[Department]]] = ()
    people: Pages | None = None
    tasks: Pages | None = None
    answered: Future[None] = field(default_factory=Future)

    def send(self) -> None:
        """Send the batch in a thread, which does not keep the program from ending."""

        def work() -> None:
            try:
                self.batch.send()
                self.answered.set_result(None)
            except BaseException as error:  # noqa: BLE001 - it is raised where the answer is waited for
                self.answered.set_exception(error)

        threading.Thread(target=work, name="snapshot", daemon=True).start()


class _SnapshotRun:
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
        self._started_at = started_at = now()
        self._run = run = store.snapshot_runs.unfinished(self._start, self._end, started_at - RESUMABLE, started_at)
        self._first_no = run.first_no if run else None
        self._requests_before = client.requests - (run.requests if run else 0)
        self._room, self._parallel = MOST_COMMANDS, rules.parallel
        self._owner: Pending[Owner] | None = None
        self._server_time: Pending[str] | None = None
        self._portal_clock: PortalClock | None = None
        self._portal_now: datetime | None = None
        self._skew = timedelta()
        self._admin = False
        self._names: dict[int, str] = {}  # of people, as the tasks' rows have them
        self._undated: list[int] = []  # tasks without a readable closing date
        self._departments = self._read_departments()
        self._people = self._read_people()
        self._tasks = self._read_tasks()

    def _is_stale(self, what: str, lifetime_h: float) -> bool:
        read_at = self._store.people.last_read(what, self._started_at)
        return read_at is None or self._started_at - read_at >= timedelta(hours=lifetime_h)

    def _read_departments(self) -> queries.Departments | None:
        stale = self._is_stale("departments", self._rules.directory_h)
        return queries.Departments(self._store.people.count_departments()) if stale else None

    def _read_people(self) -> Paginator | None:
        after = self._run.people_cursor if self._run else 0
        if after is None or (self._run is None and not self._is_stale("people", self._rules.people_h)):
            return None
        known = None if self._run else self._store.people.count() or None
        return Paginator(USERS, queries.everybody(), after=after, left=known)

    def _read_tasks(self) -> Paginator:
        known = None
        if self._run is None and self._store.snapshot_runs.latest_covering(
            self._start, self._span[0].end, self._started_at
        ):
            known = sum(self._store.tasks.count_by_week(self._start, self._end).values()) or None
        return Paginator(
            TASKS,
            queries.closed_between(self._start - MARGIN, self._end + MARGIN),
            after=self._run.cursor if self._run else 0,
            left=known,
            probe=PROBE_PAGES * len(self._span),
            split=self._rules.parallel > 2,
        )

    def read_lists(self) -> None:
        """Read all lists to their ends, and save what each request brings."""
        coming: list[_Request] = []
        while self._ask(coming):
            request = min(coming, key=lambda one: one.tasks.after if one.tasks else -1)
            coming.remove(request)
            try:
                request.answered.result()
            except errors.PortalBusy as error:
                if not self._ask_less(error, request):
                    raise
                wait([other.answered for other in coming])
                coming.clear()
                continue
            people, tasks = self._take(request)
            if self._parallel > 1:
                self._ask(coming)  # the portal works while this is saved
            self._save(request, people, tasks)
            del request, people, tasks  # a hundred thousand objects, to be forgotten while the portal works, too

    def _ask(self, coming: list[_Request]) -> bool:
        """Ask for what is known to be needed, as far as it may be under way; whether anything is."""
        while len(coming) < max(1, self._parallel - 1) and (request := self._next_request(alone=not coming)):
            request.send()
            coming.append(request)
        return bool(coming)

    def _next_request(self, *, alone: bool) -> _Request | None:
        """Make the next batch; None when all is asked for, or while it is not known yet what to ask for.

        Tasks are split into parts, so several requests may have some. The other lists ride in the room they leave.
        """
        batch = self._client.new_batch()
        request = _Request(batch, self._client.requests)
        if self._owner is None:
            self._owner, self._server_time = batch.add(queries.profile()), batch.add(queries.server_time())
        request.tasks = self._tasks.add_to(batch, self._room - len(batch))
        if request.tasks is None and not alone:
            return None
        if self._departments:
            request.departments = self._departments.add_to(batch, self._room - len(batch))
        if self._people:
            request.people = self._people.add_to(batch, self._room - len(batch))
        if not len(batch):
            return None
        request.reading = self._store.snapshot_runs.number_reading()
        self._first_no = self._first_no or request.reading
        return request

    def _ask_less(self, error: errors.PortalBusy, request: _Request) -> bool:
        """Go on from the cursors with few commands in a batch, if so many may have taken the portal too long."""
        sent = self._client.requests > request.requests_before
        if error.portal_code in _LIMITS or error.until or not sent or len(request.batch) <= FEWER_COMMANDS:
            return False
        self._room, self._parallel = FEWER_COMMANDS, min(2, self._parallel)
        if self._portal_clock is None:
            self._owner = None
        for one in (self._departments, self._people, self._tasks):
            if one:
                one.restart()
        return True

    def _take(self, request: _Request) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        """Take the people and the tasks that count out of an answer, as rows; then it is known what to ask next."""
        if self._portal_clock is None and self._owner and self._server_time:
            self._meet(self._owner.value, self._server_time.value)
        if self._departments:
            self._departments.read(request.departments)
        people = self._people.read(request.people) if self._people and request.people else []
        tasks = self._tasks.read(request.tasks) if request.tasks else []
        return people, tasks

    def _meet(self, owner: Owner, server_now: str) -> None:
        """Learn whose eyes these are, and whose clock."""
        self._admin = owner.admin
        self._portal_clock = PortalClock(owner, self._rules.zone, server_now)
        self._portal_now = read_iso(server_now)
        self._skew = self._now() - self._portal_now if self._portal_now else timedelta()
        self._store.settings.remember_host(self._client.host)

    def _save(self, request: _Request, people: list[dict[str, Any]], tasks: list[dict[str, Any]]) -> None:
        """Save what a request brought, and the cursors with it."""
        zone = self._portal_clock.see(tasks) if self._portal_clock else self._rules.zone
        records = [queries.read_record(row, zone) for row in tasks]
        closed = [record for record in records if self._counts(record)]
        persons, departments = queries.read_people(people), self._departments
        self._undated += [one.id for one in records if one.status == Status.COMPLETED and one.closed_at is None]
        self._names |= {record.responsible_id: record.responsible_name for record in closed}
        with self._store.transaction():
            run = self._run or self._store.snapshot_runs.begin(
                self._start,
                self._end,
                self._started_at,
                None if self._people is None else 0,
                admin=self._admin,
                first_no=self._first_no,
            )
            if departments and departments.complete:
                self._store.people.save_departments(departments.found.values(), self._now())
                self._store.people.save_last_read("departments", self._started_at)
                self._departments = None
            self._store.people.save(persons, self._now(), request.reading)
            people_cursor = self._people.after if self._people and not self._people.complete else None
            if self._people and people_cursor is None and run.people_cursor is not None:  # these were the last
                if not self._people.nameless:
                    self._store.people.retire_unseen(run)
                self._store.people.save_last_read("people", run.started_at)
            newer = self._store.events.followed_since([record.id for record in closed], request.reading)  # for an event
            current = [record for record in closed if record.id not in newer]
            saved = self._store.tasks.save(current, self._now(), self._rules.zone, request.reading)
            self._run = replace(
                run,
                tasks=run.tasks + len(closed),
                people=run.people + len(persons),
                counts=_add_counts(run.counts, vars(saved)),
                requests=self._client.requests - self._requests_before,
                cursor=self._tasks.after,
                people_cursor=people_cursor,
            )
            self._store.snapshot_runs.advance(self._run)
        left = self._tasks.left
        self._progress("closed", self._run.tasks, None if left is None else self._run.tasks + left)

    def _counts(self, task: TaskRecord) -> bool:
        """Whether the task was closed in one of the weeks; the margin, or an ignored filter, brings others, too."""
        start, end = self._window
        return task.closed_at is not None and start <= task.closed_at < end

    def finish(self) -> Result:
        """Mark what is gone, close the run, and forget events of a month ago."""
        if self._run is None or not self._tasks.complete or self._departments or self._run.people_cursor is not None:
            raise RuntimeError("the lists have not been read to their ends")  # what was not seen would be marked gone
        unknown = self._store.people.missing(self._start, self._end)
        # if everybody has just been shown there is no need to ask for some
        found = {} if self._people else queries.fetch_people(self._client, list(unknown))
        unseen = self._name_unseen({user_id: task_id for user_id, task_id in unknown.items() if user_id not in found})
        complete = self._admin and self._run.admin
        gone: Mapping[str, int] = {}
        with self._store.transaction():
            self._store.people.save([*found.values(), *unseen], self._now())
            if complete and not self._tasks.nameless:
                gone = self._store.tasks.mark_unseen_gone(self._run)
            requests = self._client.requests - self._requests_before
            run = replace(self._run, people=self._run.people + len(found), requests=requests)
            self._store.snapshot_runs.finish(run, self._now(), complete=complete)
            if self._portal_now is not None:
                self._store.events.forget_old(self._portal_now)
        tasks = self._store.tasks.count_by_week(self._start, self._end)
        weeks = []
        for week in self._span:
            new, changed, same = (run.counts.get(kind, {}).get(week.label, 0) for kind in ("new", "changed", "same"))
            weeks.append(WeekResult(week, tasks.get(week.label, 0), new, changed, same, gone.get(week.label, 0)))
        status = 0 if complete or self._rules.non_admin else 3
        return Result(tuple(weeks), complete, run.people, run.requests, status, tuple(self._warnings()))

    def _name_unseen(self, unknown: Mapping[int, int]) -> list[Person]:
        """Make people of those whom the portal does not show, by the names that their tasks have.

        A killed run took the names that it had read along: these tasks are read once more.
        """
        nameless = [task_id for user_id, task_id in unknown.items() if user_id not in self._names]
        names = self._names | queries.fetch_names_on_tasks(self._client, nameless)
        return [queries.unknown_person(user_id, names.get(user_id, "")) for user_id in unknown]

    def _warnings(self) -> Iterator[str]:
        if self._portal_now is not None and abs(self._skew) > NOTICEABLE_SKEW:
            moment = self._portal_now.astimezone(self._rules.zone)
            yield _(
                "this machine's clock shows {machine}, the portal's {portal}: the weeks were chosen by this machine's"
            ).format(machine=f"{moment + self._skew:%d.%m.%Y %H:%M}", portal=f"{moment:%d.%m.%Y %H:%M}")
        if self._portal_clock is not None and self._portal_clock.warning:
            yield self._portal_clock.warning
        if count := len(self._undated):
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
