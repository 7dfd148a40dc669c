"""What the leaderboard asks: who closed how much in a period, and how much of it was collected."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from b24tools.core import clock
from b24tools.core.periods import SEASON_KINDS, Period
from b24tools.core.timestamps import from_text, to_seconds, to_text
from b24tools.store import closings
from b24tools.store.database import Database
from b24tools.store.presence import read_homes
from b24tools.store.seasons import Season, Seasons
from b24tools.store.settings import CountingRules

# Of the tasks of an order's line the first one that was closed; of others those that somebody else set.
COUNTS = """tasks.gone = 0
        AND (tasks.line IS NOT NULL OR coalesce(tasks.created_by, 0) <> tasks.responsible_id OR :count_own = 1)
        AND (tasks.line IS NULL OR tasks.line NOT IN (SELECT line FROM repeated_lines)
            OR NOT EXISTS (SELECT 1 FROM closed_tasks AS first WHERE first.line = tasks.line AND first.gone = 0
                AND (first.closed_at, first.id) < (tasks.closed_at, tasks.id)))"""


def _write_question(condition: str = "1 = 1", project: str = "") -> str:
    """Return SQL for who closed how much from `before` to `start` and from there to `end`.

    `condition`: of which tasks. `project`: SQL for what there are rows of their own for.
    """
    per, named = (f", {project} AS project", ", project") if project else ("", "")
    counted = " UNION ALL ".join(
        f"""SELECT responsible_id, {current} AS current{per}, count(*) AS tasks, sum(estimate_s) AS estimate_s,
        count(CASE WHEN closed_at <= first_deadline THEN 1 END) AS on_time, count(first_deadline) AS on_time_of
    FROM closed_tasks AS tasks
    WHERE {condition} AND {closings.within(*times)} AND {COUNTS}
    GROUP BY responsible_id, {project or closings.SPAN}"""  # noqa: S608 - constants
        for current, times in enumerate(((":before", ":start"), (":start", ":end")))
    )
    if not project:  # as the index has them, nothing is sorted but these sums
        counted = f"""SELECT responsible_id, current, sum(tasks) AS tasks, sum(estimate_s) AS estimate_s,
        sum(on_time) AS on_time, sum(on_time_of) AS on_time_of
    FROM ({counted}) AS by_span
    GROUP BY responsible_id, current"""  # noqa: S608 - constants
    return f"""WITH counted AS (
    {counted}
)
SELECT responsible_id, current{named}, people.name, people.department_id, departments.name, tasks, estimate_s,
    on_time, on_time_of
FROM counted
LEFT JOIN people ON people.id = responsible_id
LEFT JOIN departments ON departments.id = people.department_id"""  # noqa: S608 - constants


CLOSED = _write_question()
CLOSED_IN_GROUP = _write_question("group_id = :group_id")
CLOSED_BY_GROUP = _write_question(project="coalesce(group_id, 0)")


@dataclass(frozen=True, slots=True)
class PersonTotal:
    """What one person closed in a period; name and department as of today, or as of when the period was frozen."""

    user_id: int
    name: str | None
    department_id: int | None
    department: str | None
    tasks: int
    estimate_s: int
    on_time: int
    on_time_of: int


@dataclass(frozen=True, slots=True)
class Totals:
    """What counts of a period, by which rules. `season`: it is frozen; else live."""

    people: Sequence[PersonTotal]
    rules: CountingRules
    season: Season | None = None


@dataclass(frozen=True, slots=True)
class Window:
    """[`start`, `end`) was collected, the last time by a run that began at `started_at`.

    `complete`: with an administrator's eyes, which see everything.
    """

    start: datetime
    end: datetime
    started_at: datetime
    complete: bool


class Leaderboard:
    """Questions about what was closed.

    Where it takes `now`, a stamp that lies in the future then counts as unknown and long ago.
    """

    def __init__(self, db: Database, seasons: Seasons) -> None:
        self._db = db
        self._seasons = seasons

    def closed(self, period: Period, rules: CountingRules, group_id: int | None = None) -> tuple[Totals, Totals]:
        """Return who closed how much in a period and, for comparison, in the one before; `group_id`: in this project.

        A frozen period is as it was when that was done, with the rules of then.
        """
        before = period.before
        seasons = self._seasons.find([period.label, before.label]) if period.kind in SEASON_KINDS else {}

        def read(season: Season, *, current: bool = True) -> list[PersonTotal]:
            rows = self._seasons.results(season.label, current=current, group_id=group_id)
            return [PersonTotal(*row) for row in rows]

        earlier = seasons.get(before.label)
        if season := seasons.get(period.label):
            # if the earlier one was live when this one was frozen, this one has what counted of it then
            people = read(earlier) if earlier and earlier.frozen_at <= season.frozen_at else read(season, current=False)
            return Totals(read(season), season.rules, season), Totals(people, season.rules, season)
        values = {
            "before": to_seconds(period.start if earlier else before.start),
            "start": to_seconds(period.start),
            "end": to_seconds(period.end),
            "count_own": int(rules.count_own),
            "group_id": group_id,
        }
        live: dict[bool, list[PersonTotal]] = {True: [], False: []}
        for row in self._db.query(CLOSED if group_id is None else CLOSED_IN_GROUP, values):
            live[bool(row[1])].append(PersonTotal(row[0], *row[2:]))
        compared = Totals(read(earlier), earlier.rules, earlier) if earlier else Totals(live[False], rules)
        return Totals(live[True], rules), compared

    def freeze(self, period: Period, rules: CountingRules, as_of: datetime, now: datetime) -> None:
        """Freeze what counts of a period, and of the one before if that is live, as it is now. In a transaction."""
        before = self._seasons.find([period.before.label])
        values = {
            "before": to_seconds(period.start if before else period.before.start),
            "start": to_seconds(period.start),
            "end": to_seconds(period.end),
            "count_own": int(rules.count_own),
        }
        season = Season(period.label, now, as_of, rules, self.active_by_department(rules.hidden))
        self._seasons.save(season, CLOSED_BY_GROUP, values)

    def active_by_department(self, hidden: frozenset[int]) -> dict[int, int]:
        """Return how many active people have each department as their first one, without the hidden."""
        return dict(Counter(home for user_id, home in read_homes(self._db).items() if user_id not in hidden))

    def collected(self, period: Period, now: datetime) -> tuple[bool, datetime | None, bool]:
        """Return whether each begun week of a period was collected to its end, and up to which moment the data go.

        A run sees what was closed until it begins; so a past week needs one that began after its end. The third: it
        was, but by an owner who sees only a part.
        """
        windows = self.windows(period.start, period.end, now)
        whole = False
        as_of = None
        for number, (start, end) in enumerate(_begun_parts(period, now)):
            covering = [
                window
                for window in windows
                if window.start <= start and window.end >= min(end, window.started_at) and window.started_at >= start
            ]
            latest = max((window.started_at for window in covering), default=None)
            whole = any(end > now or window.started_at >= end for window in covering) and (whole or number == 0)
            as_of = latest or as_of
        complete = whole and windows[0].complete  # all are, or none
        return complete, as_of, whole and not complete

    def windows(self, start: datetime, end: datetime, now: datetime) -> list[Window]:
        """Return what complete runs collected of [start, end); without a single one, what the others did."""
        values = [to_text(start), to_text(end), to_text(clock.latest_known(now))]
        for complete, which in ((True, "complete = 1"), (False, "finished_at IS NOT NULL")):
            sql = (
                f"SELECT from_at, to_at, max(started_at) FROM snapshot_runs WHERE {which}"  # noqa: S608 - constants
                " AND to_at > ? AND from_at < ? AND started_at <= ? GROUP BY from_at, to_at"
            )
            if rows := self._db.query(sql, values):
                return [Window(from_text(row[0]), from_text(row[1]), from_text(row[2]), complete) for row in rows]
        return []

    def events_until(self, now: datetime) -> datetime | None:
        """Return up to when all that the portal reported is in the tasks; None if nothing was, or it is unknown."""
        newest = "SELECT processed_at FROM events WHERE status = 'done' AND processed_at <= ? ORDER BY id DESC LIMIT 1"
        still_open = "SELECT min(received_at), max(received_at) FROM events WHERE status IN ('waiting', 'failed')"
        done = self._db.query(newest, [to_text(clock.latest_known(now))])
        oldest, latest = self._db.query(still_open)[0]
        if not done or (latest and clock.known_moment(latest, now) is None):
            return None
        until: str = min(stamp for stamp in (done[0][0], oldest) if stamp)
        return from_text(until)


def _begun_parts(period: Period, now: datetime) -> Iterator[tuple[datetime, datetime]]:
    """Yield the period's weeks, cut to the period, as far as they have begun."""
    for week in period.weeks():
        start, end = max(week.start, period.start), min(week.end, period.end)
        if start <= now:
            yield start, end
