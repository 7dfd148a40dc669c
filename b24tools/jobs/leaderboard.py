"""Who closed how much: SQLite → ranked rows. No network."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby
from pathlib import Path

from b24tools.core.periods import Period
from b24tools.store import Store, read_store
from b24tools.store.database import explain_failures
from b24tools.store.leaderboard import PersonTotal, Totals
from b24tools.store.seasons import Season
from b24tools.store.settings import CountingRules

TASKS, HOURS = "tasks", "hours"
WEBHOOK = "webhook"
FEWEST = 3  # people among whom one cannot be told from the sum


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
    None: there are none. The totals are of everybody, `left_out` says how many rows `top` cut off. `others`: the tasks
    and hours of those without a row, where they are enough. `season`: the results are frozen; `rules`: counted by them,
    and by other ones than today's if `rules_differ`.
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
    others: tuple[int, float] | None = None
    season: Season | None = None
    rules: CountingRules | None = field(default=None, compare=False)
    rules_differ: bool = False


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


def read_rules(database: Path, period: Period) -> tuple[CountingRules, Season | None]:
    """Read by which rules a period is counted: those in force, or those of when it was frozen. Raises ConfigError."""
    with explain_failures(database), closing(read_store(database)) as source:
        return rules_of(source, period)


def rules_of(source: Store, period: Period) -> tuple[CountingRules, Season | None]:
    """Return the rules of a period, and the season where it is frozen."""
    season = source.seasons.find([period.label]).get(period.label)
    return (season.rules if season else source.settings.counting_rules(period.zone)), season


def board(
    source: Store, period: Period, *, now: datetime, by: str = TASKS, teams: bool = False, top: int | None = None
) -> Board:
    """The ranking of a period by closed tasks or their estimated hours; of people, or of teams per active member."""
    rules = source.settings.counting_rules(period.zone)
    closed, closed_before = source.leaderboard.closed(period, rules)
    members = source.leaderboard.active_by_department(rules.hidden) if teams or rules.opted_out else {}
    counted, before = (
        _choose_counted(closed, members, teams=teams),
        _choose_counted(closed_before, members, teams=teams),
    )
    places_before = _places(_entries(before, closed_before, members, teams=teams), by)
    rows = _ranked(_entries(counted, closed, members, teams=teams), places_before, by)
    absent = rules.opted_out | rules.hidden  # by now: a frozen ranking names them no more
    if not teams:
        rows = [row for row in rows if row.id not in absent]
    complete: bool
    as_of: datetime | None
    if closed.season:
        complete, as_of = True, closed.season.as_of
    else:
        complete, as_of = source.leaderboard.collected(period, now)
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
        total_tasks=sum(one.tasks for one in counted),
        total_hours=_hours(sum(one.estimate_s for one in counted)),
        others=_sum_others([one for one in counted if one.user_id in absent | closed.rules.opted_out]),
        season=closed.season,
        rules=closed.rules,
        rules_differ=closed.rules != rules,
    )


def _choose_counted(totals: Totals, members: Mapping[int, int], *, teams: bool) -> list[PersonTotal]:
    """Choose who counts.

    Who has opted out counts in a team of FEWEST at least: in a smaller one the others' rows would tell what is theirs.
    """
    rules, members = totals.rules, _members_of(totals, members)
    return [
        one
        for one in totals.people
        if one.user_id not in rules.hidden
        and (one.user_id not in rules.opted_out or members.get(one.department_id or 0, 0) >= FEWEST)
        and not (teams and one.department is None)
    ]


def _members_of(totals: Totals, members: Mapping[int, int]) -> Mapping[int, int]:
    """How many members departments have now, or had when the period was frozen."""
    return totals.season.members if totals.season else members


def _sum_others(others: Sequence[PersonTotal]) -> tuple[int, float] | None:
    if len(others) < FEWEST:
        return None
    return sum(one.tasks for one in others), _hours(sum(one.estimate_s for one in others))


def _entries(
    counted: Iterable[PersonTotal], totals: Totals, members: Mapping[int, int], *, teams: bool
) -> list[_Entry]:
    """One entry per team, or per person who has not opted out."""
    entries: dict[int, _Entry] = {}
    for one in counted:
        if teams:
            team = one.department_id or 0
            size = _members_of(totals, members).get(team, 0)
            new = _Entry(team, one.department or f"#{team}", one.department, size)
        elif one.user_id in totals.rules.opted_out:
            continue
        else:
            new = _Entry(one.user_id, one.name or f"#{one.user_id}", one.department, None)
        entries.setdefault(new.id, new).add(one)
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
