"""Who closed how much: SQLite → ranked rows. No network."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from pathlib import Path

from b24tools.core.periods import Period
from b24tools.store import Store, read_store
from b24tools.store.database import explain_failures
from b24tools.store.leaderboard import PersonTotal, Window

TASKS, HOURS = "tasks", "hours"
WEBHOOK = "webhook"


@dataclass(frozen=True, slots=True)
class Row:
    """A person's or a team's place.

    `moved`: places up since the period before, None for whoever was not on that board. `figure`: what the ranking
    goes by: tasks or hours; for a team, of these, per active member (None: it has none, and comes last).
    `on_time` of `on_time_of` tasks with a deadline were closed by it. `people`: a team's active members.
    """

    place: int
    moved: int | None
    id: int
    name: str
    department: str | None
    figure: float | None
    tasks: int
    hours: float
    on_time: int
    on_time_of: int
    people: int = 1


@dataclass(frozen=True)
class Board:
    """The ranking of a period, the best first.

    `complete`: nothing of the period that has begun was left uncollected. `as_of`: the moment the data are true of;
    None: there are none. The totals are of everybody, `left_out` says how many rows `top` cut off.
    """

    period: Period
    by: str
    teams: bool
    complete: bool
    as_of: datetime | None
    mode: str
    rows: tuple[Row, ...] = ()
    left_out: int = 0
    total_tasks: int = 0
    total_hours: float = 0.0


@dataclass
class _Entry:
    """What is being added up for a person or a team."""

    id: int
    name: str
    department: str | None
    members: int | None
    tasks: int = 0
    estimate_s: int = 0
    on_time: int = 0
    on_time_of: int = 0

    def add(self, tally: PersonTotal) -> None:
        self.tasks += tally.tasks
        self.estimate_s += tally.estimate_s
        self.on_time += tally.on_time
        self.on_time_of += tally.on_time_of

    def figure(self, by: str) -> float | None:
        """As it is shown: what looks equal shares a place."""
        value = self.tasks if by == TASKS else _hours(self.estimate_s)
        if self.members is None:
            return value
        return round(value / self.members, 2) if self.members else None


def read_board(
    database: Path, period: Period, *, now: datetime, by: str = TASKS, teams: bool = False, top: int | None = None
) -> Board:
    """Rank a period from a database file; where nothing was ever collected the board is empty. Raises ConfigError."""
    with explain_failures(database), closing(read_store(database)) as source:
        return board(source, period, now=now, by=by, teams=teams, top=top)


def board(
    source: Store, period: Period, *, now: datetime, by: str = TASKS, teams: bool = False, top: int | None = None
) -> Board:
    """The ranking of a period by closed tasks or their estimated hours; of people, or of teams per active member."""
    hidden = source.settings.hidden_users()
    closed = [
        tally
        for tally in source.leaderboard.closed(period.before.start, period.start, period.end)
        if tally.user_id not in hidden and not (teams and tally.department is None)
    ]
    members = source.leaderboard.active_by_department(hidden) if teams else None
    entries = _entries((tally for tally in closed if tally.current), members)
    before = _entries((tally for tally in closed if not tally.current), members)
    rows = _ranked(entries, _places(before, by), by)
    complete, as_of = _collected(period, source.leaderboard.windows(period.start, period.end, now), now)
    mode = source.settings.get("producer_mode")
    if mode == WEBHOOK and as_of is not None and now < period.end:
        as_of = max(as_of, source.leaderboard.events_until(now) or as_of)
    return Board(
        period=period,
        by=by,
        teams=teams,
        complete=complete,
        as_of=as_of,
        mode=mode,
        rows=tuple(rows[:top]),
        left_out=len(rows) - len(rows[:top]),
        total_tasks=sum(entry.tasks for entry in entries),
        total_hours=_hours(sum(entry.estimate_s for entry in entries)),
    )


def _entries(tallies: Iterable[PersonTotal], members: Mapping[int, int] | None) -> list[_Entry]:
    """One entry per person; per team, where its `members` are given."""
    entries: dict[int, _Entry] = {}
    for tally in tallies:
        if members is None:
            new = _Entry(tally.user_id, tally.name or f"#{tally.user_id}", tally.department, None)
        else:
            team = tally.department_id or 0
            new = _Entry(team, tally.department or f"#{team}", tally.department, members.get(team, 0))
        entries.setdefault(new.id, new).add(tally)
    return list(entries.values())


def _places(entries: Sequence[_Entry], by: str) -> dict[int, int]:
    """1-2-2-4: equal figures share the best of their places."""
    places: dict[int, int] = {}
    for _figure, group in groupby(sorted(entries, key=lambda entry: _rank(entry, by)), lambda entry: _rank(entry, by)):
        place = len(places) + 1
        places.update({entry.id: place for entry in group})
    return places


def _rank(entry: _Entry, by: str) -> float:
    figure = entry.figure(by)
    return 1.0 if figure is None else -figure


def _ranked(entries: Sequence[_Entry], before: Mapping[int, int], by: str) -> list[Row]:
    places = _places(entries, by)
    rows = [
        Row(
            place=places[entry.id],
            moved=before[entry.id] - places[entry.id] if entry.id in before else None,
            id=entry.id,
            name=entry.name,
            department=entry.department,
            figure=entry.figure(by),
            tasks=entry.tasks,
            hours=_hours(entry.estimate_s),
            on_time=entry.on_time,
            on_time_of=entry.on_time_of,
            people=1 if entry.members is None else entry.members,
        )
        for entry in entries
    ]
    return sorted(rows, key=lambda row: (row.place, _alphabetic(row.name), row.id))


def _alphabetic(name: str) -> str:
    """Ё beside Е, where Unicode has it after Я."""
    return name.casefold().replace("ё", "е")


def _hours(seconds: int) -> float:
    """To 0.1, halves up: 0.05 and its like are not exact in binary, so the rounding is done before."""
    return (seconds + 180) // 360 / 10


def _collected(period: Period, windows: Sequence[Window], now: datetime) -> tuple[bool, datetime | None]:
    """Whether each week that has begun was collected to its end, and the moment up to which the data go.

    A run sees what was closed until it begins; so a past week needs one that began after its end.
    """
    complete = False
    as_of = None
    for number, (start, end) in enumerate(_begun_parts(period, now)):
        covering = [
            window
            for window in windows
            if window.start <= start and window.end >= min(end, window.started_at) and window.started_at >= start
        ]
        latest = max((window.started_at for window in covering), default=None)
        whole = any(window.complete and (end > now or window.started_at >= end) for window in covering)
        complete = whole and (complete or number == 0)
        as_of = latest or as_of
    return complete, as_of


def _begun_parts(period: Period, now: datetime) -> Iterator[tuple[datetime, datetime]]:
    """The period's weeks, cut to the period, as far as they have begun."""
    for week in period.weeks():
        start, end = max(week.start, period.start), min(week.end, period.end)
        if start <= now:
            yield start, end
