"""Save the closed tasks of some weeks, and the people who closed them, from the portal into SQLite.

All the weeks are one list read by key, so that many of them share a request. What a request brought is
saved together with the cursor: a run that was killed goes on where it stopped.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import Future, wait
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

from b24tools.bitrix24 import queries
from b24tools.bitrix24.batch import MOST_COMMANDS, Batch, Pending
from b24tools.bitrix24.client import Client
from b24tools.bitrix24.error_codes import ErrorCode
from b24tools.bitrix24.pagination import PROBE_PAGES, TASKS, USERS, Pages, Paginator
from b24tools.bitrix24.portal_time import PortalClock
from b24tools.core import errors, periods
from b24tools.core.i18n import _, ngettext
from b24tools.core.models import Department, Owner, Progress, Status, no_progress
from b24tools.core.threads import run_beside
from b24tools.core.timestamps import to_seconds
from b24tools.jobs.snapshot.team_presence import save_team_presence
from b24tools.scheduling.calendar import DayRule
from b24tools.store import Store

MISSED = "missed"  # among the counts of a run
COUNTING_RULES = "counting_rules"  # since when they are known, among what was last read
UNDER_WAY = timedelta(minutes=5)  # how long an event may take
SETTLED = timedelta(days=7)  # after its end a month changes no more
RESUMABLE = timedelta(hours=1)
NOTICEABLE_SKEW = timedelta(minutes=5)
# Asked for beyond both ends: a clock change may put a portal's wall clock and its filter an hour apart.
MARGIN = timedelta(hours=1)
FEWER_COMMANDS = 12  # in a request, after a full one took the portal too long
MOST_NAMED = 5  # rows that are left out
_LIMITS = (ErrorCode.QUERY_LIMIT_EXCEEDED.name, ErrorCode.OPERATION_TIME_LIMIT.name)


@dataclass(frozen=True)
class SnapshotRules:
    """The settings that a snapshot obeys.

    `parallel`: how many batches may be under way; of two, one is saved while the next is asked for. `days`: those
    that differ from the plain week, what counts first in front.
    `keep`: how long details of closed orders stay; None: nothing is trimmed. `at_night`: this is the time for it.
    `hide` takes secrets out of a text.
    """

    zone: ZoneInfo
    directory_h: float
    people_h: float
    non_admin: bool
    parallel: int = 2
    days: Sequence[Mapping[date, DayRule]] = ()
    keep: timedelta | None = None
    at_night: bool = False
    hide: Callable[[str], str] = str


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
    """What a run saved. `complete`: nothing was hidden from it. `people`: those it read. `warnings`: of what is odd.

    In webhook mode: `changes` since the complete run before, and how many of them were `missed`: without an event.
    """

    weeks: tuple[WeekResult, ...]
    complete: bool
    people: int
    requests: int
    exit_status: int
    warnings: tuple[str, ...] = ()
    changes: int | None = None
    missed: int | None = None


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


def find_settled(store: Store, today: datetime, zone: ZoneInfo) -> Iterator[tuple[periods.Period, datetime]]:
    """Find what can be frozen: months and quarters that ended SETTLED ago and were collected whole, and up to when."""
    frozen, earliest = store.seasons.labels(), store.snapshot_runs.earliest()
    for kind in periods.SEASON_KINDS:
        period = periods.containing((today - SETTLED).astimezone(zone).date(), kind, zone).before
        while earliest and period.start >= earliest:
            if period.label not in frozen:
                complete, as_of, _sees_part = store.leaderboard.collected(period, today)
                if complete and as_of:
                    yield period, as_of
            period = period.before


def freeze_seasons(store: Store, today: datetime, zone: ZoneInfo) -> None:
    """Freeze the months and quarters that can be."""
    for period, as_of in reversed(list(find_settled(store, today, zone))):  # each is compared with the one before
        with store.transaction():
            store.leaderboard.freeze(period, store.settings.counting_rules(zone), as_of, today)


def take(
    store: Store,
    client: Client,
    span: Sequence[periods.Period],
    rules: SnapshotRules,
    *,
    now: Callable[[], datetime],
    progress: Progress = no_progress,
) -> Result:
    """Read the tasks closed in these weeks (which follow each other), and people and departments if they are stale.

    Raises PortalError as the client does; what was saved until then stays, and the next run goes on from there.
    """
    run = _SnapshotRun(store, client, span, rules, now, progress)
    run.read_lists()
    result, requests = run.finish(), client.requests
    warnings = save_team_presence(store, client, rules.zone, run.portal_zone, rules.days, now())
    requests = result.requests + client.requests - requests
    return replace(result, requests=requests, warnings=(*result.warnings, *warnings))


@dataclass
class _Request:
    """A batch on its way, under the number of this reading, and what in it belongs to which list."""

    batch: Batch
    reading: int
    requests_before: int
    people: Pages | None
    tasks: Pages | None
    open_tasks: Pages | None
    answered: Future[None] = field(init=False)

    def send(self) -> None:
        """Send the batch; the answer is waited for elsewhere."""
        self.answered = run_beside(self.batch.send, "snapshot")


@dataclass
class _FirstAnswer:
    """What is asked once: whose eyes these are, what time it is there, and the departments if they are stale."""

    owner: Pending[Owner]
    server_time: Pending[str]
    departments: list[Pending[list[Department]]]


class _SnapshotRun:
    """A run under way."""

    def __init__(
        self,
        store: Store,
        client: Client,
        span: Sequence[periods.Period],
        rules: SnapshotRules,
        now: Callable[[], datetime],
        progress: Progress,
    ) -> None:
        self._store, self._client, self._span, self._rules = store, client, span, rules
        self._now, self._progress = now, progress
        self._start, self._end = span[0].start, span[-1].end
        self._started_at = started_at = now()
        self._run = run = store.snapshot_runs.unfinished(self._start, self._end, started_at - RESUMABLE, started_at)
        self._first_no = run.first_no if run else None
        self._requests_before = client.requests - (run.requests if run else 0)
        self._room, self._parallel = MOST_COMMANDS, rules.parallel
        self._first: _FirstAnswer | None = None
        self._portal_clock: PortalClock | None = None
        self._skew = timedelta()
        self._departments: list[Department] = []  # until they are saved
        self._names: dict[int, str] = {}  # of people, as the tasks' rows have them
        self._undated: list[int] = []  # tasks without a readable closing date
        self._people: Paginator | None = None
        if run.people_cursor is not None if run else self._is_stale("people", rules.people_h):
            after, known = (run.people_cursor or 0, None) if run else (0, store.people.count() or None)
            self._people = Paginator(USERS, queries.everybody(), after=after, left=known)
        known = None
        if run is None and store.snapshot_runs.latest_covering(self._start, span[0].end, started_at):
            known = sum(store.tasks.count_by_week(self._start, self._end).values()) or None
        self._tasks = Paginator(
            TASKS,
            queries.closed_between(self._start - MARGIN, self._end + MARGIN),
            after=run.cursor if run else 0,
            left=known,
            probe=PROBE_PAGES * len(span),
            split=rules.parallel > 2,
        )
        # the deadlines of work under way: what is moved after that is not the first one any more
        read_at = store.people.last_read("open_tasks", started_at)
        changed = queries.open_changed_since(read_at and read_at - MARGIN)
        self._open = Paginator(TASKS, changed, left=None if read_at is None else 0)
        self._is_known = store.snapshot_runs.has_complete()
        self._frozen_from: datetime | None = None  # to be said
        self._reopened: list[int] = []  # closed before these weeks
        follows = store.settings.follows_events()
        self._events_since = store.snapshot_runs.last_complete(started_at) if follows else None

    @property
    def portal_zone(self) -> tzinfo:
        """In whose wall clock the portal writes dates."""
        return self._portal_clock.zone if self._portal_clock else self._rules.zone

    def _is_stale(self, what: str, lifetime_h: float) -> bool:
        read_at = self._store.people.last_read(what, self._started_at)
        return read_at is None or self._started_at - read_at >= timedelta(hours=lifetime_h)

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
            people, tasks, open_tasks = self._take(request)
            if self._parallel > 1:
                self._ask(coming)  # the portal works while this is saved
            self._save(request, people, tasks, open_tasks)
            # a hundred thousand objects, to be forgotten while the portal works, too
            del request, people, tasks, open_tasks

    def _ask(self, coming: list[_Request]) -> bool:
        """Ask for what is known to be needed, as far as it may be under way; whether anything is."""
        while len(coming) < max(1, self._parallel - 1) and (request := self._next_request(alone=not coming)):
            request.send()
            coming.append(request)
        return bool(coming)

    def _next_request(self, *, alone: bool) -> _Request | None:
        """Make the next batch; None when all is asked for, or while it is not known yet what to ask for.

        Tasks are split into parts, so several requests may have some. People ride in the room they leave.
        """
        batch = self._client.new_batch()
        if self._first is None:
            owner, server_time, departments = batch.add(queries.profile()), batch.add(queries.server_time()), []
            if self._is_stale("departments", self._rules.directory_h):
                departments = queries.add_departments(batch, self._store.people.count_departments())
            self._first = _FirstAnswer(owner, server_time, departments)
        tasks = self._tasks.add_to(batch, self._room - len(batch))
        if tasks is None and not alone:
            return None
        people = self._people.add_to(batch, self._room - len(batch)) if self._people else None
        open_tasks = self._open.add_to(batch, self._room - len(batch))
        if not len(batch):
            return None
        reading = self._store.snapshot_runs.number_reading()
        self._first_no = self._first_no or reading
        return _Request(batch, reading, self._client.requests, people, tasks, open_tasks)

    def _ask_less(self, error: errors.PortalBusy, request: _Request) -> bool:
        """Go on from the cursors with few commands in a batch, if so many may have taken the portal too long."""
        sent = self._client.requests > request.requests_before
        if error.portal_code in _LIMITS or error.until or not sent or len(request.batch) <= FEWER_COMMANDS:
            return False
        self._room, self._parallel = FEWER_COMMANDS, min(2, self._parallel)
        if self._portal_clock is None:
            self._first = None
        for one in (self._people, self._tasks, self._open):
            if one:
                one.restart()
        return True

    def _take(self, request: _Request) -> tuple[list[dict[str, Any]], list[dict[str, Any]], list[dict[str, Any]]]:
        """Take people, closed and open tasks out of an answer, as rows; then it is known what to ask next."""
        if self._portal_clock is None and self._first:
            self._portal_clock = PortalClock(self._first.owner.value, self._rules.zone, self._first.server_time.value)
            server_now = self._portal_clock.server_now
            self._skew = self._now() - server_now if server_now else timedelta()
            self._departments = queries.fetch_departments(self._client, self._first.departments)
            self._store.settings.remember_host(self._client.host)
        people = self._people.read(request.people) if self._people and request.people else []
        closed = self._tasks.read(request.tasks) if request.tasks else []
        return people, closed, self._open.read(request.open_tasks) if request.open_tasks else []

    def _save(
        self,
        request: _Request,
        people: list[dict[str, Any]],
        tasks: list[dict[str, Any]],
        open_tasks: list[dict[str, Any]],
    ) -> None:
        """Save what a request brought, and the cursors with it."""
        zone = self._portal_clock.see(tasks or open_tasks) if self._portal_clock else self._rules.zone
        records = [queries.read_record(row, zone) for row in tasks]
        # the margin, or an ignored filter, brings others, too
        start, end = to_seconds(self._start), to_seconds(self._end)
        closed = [one for one in records if one.closed_at is not None and start <= one.closed_at < end]
        persons = queries.read_people(people)
        self._undated += [one.id for one in records if one.status == Status.COMPLETED and one.closed_at is None]
        self._names |= {record.responsible_id: record.responsible_name for record in closed}
        people_cursor = self._people.after if self._people and not self._people.complete else None
        with self._store.transaction():
            run = self._run or self._store.snapshot_runs.begin(
                self._start,
                self._end,
                self._started_at,
                None if self._people is None else 0,
                admin=self._is_admin(),
                first_no=self._first_no,
            )
            if self._departments:
                self._store.people.save_departments(self._departments, self._now())
                self._store.people.save_last_read("departments", self._started_at)
                self._departments = []
            self._store.people.save(persons, self._now(), request.reading)
            if self._people and people_cursor is None and run.people_cursor is not None:  # these were the last
                if not self._people.nameless:
                    self._store.people.retire_unseen(run)
                self._store.people.save_last_read("people", run.started_at)
            newer = self._store.events.followed_since([record.id for record in closed], request.reading)  # for an event
            current = [record for record in closed if record.id not in newer]
            saved = self._store.tasks.save(current, self._now(), self._rules.zone, request.reading)
            deadlines = queries.read_deadlines(open_tasks, zone)
            self._store.tasks.note_open(deadlines.items(), self._now())
            # in the weeks themselves it is what a complete run did not see that is gone
            before = self._start if self._is_admin() and run.admin else self._end
            self._reopened += self._store.tasks.mark_reopened(deadlines, before, self._now(), request.reading)
            found = {"new": saved.new, "changed": saved.changed, "same": saved.same}
            found[MISSED] = self._note_changes(saved.changes)
            self._run = replace(
                run,
                tasks=run.tasks + len(closed),
                people=run.people + len(persons),
                counts={
                    kind: dict(Counter(weeks) + Counter(run.counts.get(kind, {}))) for kind, weeks in found.items()
                },
                requests=self._client.requests - self._requests_before,
                cursor=self._tasks.after,
                people_cursor=people_cursor,
            )
            self._store.snapshot_runs.advance(self._run)
        left = self._tasks.left
        self._progress("closed", self._run.tasks, None if left is None else self._run.tasks + left)

    def _is_admin(self) -> bool:
        return self._first is not None and self._first.owner.value.admin

    def finish(self) -> Result:
        """Mark what is gone, close the run, and forget events of a month ago."""
        lists_read = self._tasks.complete and self._open.complete
        if self._run is None or not lists_read or self._run.people_cursor is not None:
            raise RuntimeError("the lists have not been read to their ends")  # what was not seen would be marked gone
        store = self._store
        missing = store.people.missing(self._start, self._end)
        # if everybody has just been shown there is no need to ask for some
        found = {} if self._people else queries.fetch_people(self._client, list(missing))
        unseen = [user_id for user_id in missing if user_id not in found]
        # a killed run took the names that it had read along: such tasks are read once more
        nameless = [missing[user_id] for user_id in unseen if user_id not in self._names]
        names = self._names | queries.fetch_names_on_tasks(self._client, nameless)
        found |= {user_id: queries.unknown_person(user_id, names.get(user_id, "")) for user_id in unseen}
        shown = len(found) - len(unseen)
        complete = self._is_admin() and self._run.admin
        gone: Mapping[int, str] = {}
        with store.transaction():
            store.people.save(found.values(), self._now())
            if complete and not self._tasks.nameless:
                gone = store.tasks.mark_unseen_gone(self._run)
            requests = self._client.requests - self._requests_before
            changes, missed = self._count_missed([*gone, *self._reopened]) if self._events_since else (None, None)
            run = replace(self._run, people=self._run.people + shown, requests=requests, changes=changes, missed=missed)
            store.snapshot_runs.finish(run, self._now(), complete=complete)
            server_now = self._portal_clock.server_now if self._portal_clock else None
            if server_now:
                store.events.forget_old(server_now)
            today = min(self._started_at, server_now or self._started_at)
            store.people.save_last_read("open_tasks", today)
        if complete:
            self._freeze(today)
        if self._portal_clock and self._portal_clock.server_now:
            self._trim(self._portal_clock.server_now)
        lost = Counter(gone.values())
        tasks = store.tasks.count_by_week(self._start, self._end)
        weeks = []
        for week in self._span:
            new, changed, same = (run.counts.get(kind, {}).get(week.label, 0) for kind in ("new", "changed", "same"))
            weeks.append(WeekResult(week, tasks.get(week.label, 0), new, changed, same, lost[week.label]))
        status = 0 if complete or self._rules.non_admin else 3
        return Result(
            tuple(weeks), complete, run.people, run.requests, status, tuple(self._warnings()), changes, missed
        )

    def _freeze(self, today: datetime) -> None:
        """Freeze what can be; in a database older than the rules only SETTLED after they came, to be set before."""
        store, zone = self._store, self._rules.zone
        since = store.people.last_read(COUNTING_RULES, today)
        if since is None:
            since = today if self._is_known else today - SETTLED
            with store.transaction():
                store.people.save_last_read(COUNTING_RULES, since)
            if self._is_known and any(find_settled(store, today, zone)):
                self._frozen_from = since + SETTLED
        if today - since >= SETTLED:
            freeze_seasons(store, today, zone)

    def _note_changes(self, changes: Mapping[int, int | None]) -> dict[str, int]:
        """Count those of the changes that this run found and that should have come with an event, as `counts` has them.

        Just now is too late to say: their events may be under way.
        """
        server_now = self._portal_clock.server_now if self._portal_clock else None
        if self._events_since is None or server_now is None:
            return {}
        since, until = to_seconds(self._events_since.started_at), to_seconds(server_now - UNDER_WAY)
        late = [task_id for task_id, at in changes.items() if at is not None and since <= at <= until]
        missed = len(late) - len(self._store.events.waiting_for(late))
        return {"": missed} if missed else {}

    def _count_missed(self, gone: Collection[int]) -> tuple[int, int]:
        """Count the changes since the last complete run, and those of them that came without an event."""
        assert self._run is not None and self._events_since is not None  # noqa: S101 - for mypy
        missed = sum(self._run.counts.get(MISSED, {}).values())
        missed += len(gone) - len(self._store.events.waiting_for(gone))
        return missed + self._store.tasks.count_followed(self._events_since.first_no), missed

    def _trim(self, now: datetime) -> None:
        """Forget details of orders that were closed long ago, once a night; `now` is the portal's."""
        retention, keep = self._store.retention, self._rules.keep
        if keep is not None and retention.is_due(now, at_night=self._rules.at_night):
            retention.hide_secrets(self._rules.hide, now)
            retention.trim(now, keep)
            retention.shrink()

    def _warnings(self) -> Iterator[str]:
        clock = self._portal_clock
        if clock and clock.server_now and abs(self._skew) > NOTICEABLE_SKEW:
            moment = clock.server_now.astimezone(self._rules.zone)
            yield _(
                "this machine's clock shows {machine}, the portal's {portal}: the weeks were chosen by this machine's"
            ).format(machine=f"{moment + self._skew:%d.%m.%Y %H:%M}", portal=f"{moment:%d.%m.%Y %H:%M}")
        if clock and clock.warning:
            yield clock.warning
        if self._frozen_from:
            yield _(
                "the months and quarters that are over will be frozen from {day} on, by the rules in force then: "
                "`b24tools leaderboard --rules` prints them"
            ).format(day=f"{self._frozen_from.astimezone(self._rules.zone):%d.%m.%Y}")
        if count := len(self._undated):
            ids = ", ".join(map(str, self._undated[:MOST_NAMED])) + (", …" if count > MOST_NAMED else "")
            yield ngettext(
                "{n} closed task has no readable closing date and is left out: {ids}",
                "{n} closed tasks have no readable closing date and are left out: {ids}",
                count,
            ).format(n=count, ids=ids)
        if self._tasks.nameless or (self._people and self._people.nameless):
            yield _("the portal sent rows without an id: they are left out, and nothing is marked gone")
