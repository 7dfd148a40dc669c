"""Who closed how much: SQLite → ranked rows. No network."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timedelta
from itertools import groupby
from typing import TYPE_CHECKING, Any, NamedTuple
from zoneinfo import ZoneInfo

from b24tools.core import errors, periods
from b24tools.core.database_url import Location
from b24tools.core.i18n import _
from b24tools.core.periods import Period
from b24tools.core.team_goal import TeamGoal, find_goal, read_setting
from b24tools.core.timestamps import from_text
from b24tools.jobs.leaderboard import badges
from b24tools.jobs.leaderboard.benchmarks import Benchmarks, OwnStanding, WeekFigure, find_benchmarks, find_next
from b24tools.jobs.leaderboard.scope import Scope, find_scope
from b24tools.store import Store, read_store
from b24tools.store.database import explain_failures, is_missing
from b24tools.store.leaderboard import PersonTotal, Totals
from b24tools.store.seasons import Season
from b24tools.store.settings import POLLING, WEBHOOK, CountingRules

if TYPE_CHECKING:  # a ranking of all must not pay for it
    from b24tools.core.models import Person

TASKS, HOURS = "tasks", "hours"
FEWEST = 3  # people: among fewer the sum shows what one has done
ALL_WORK, NO_BENCHMARKS = Scope(), Benchmarks()
SPANS = timedelta(weeks=3), timedelta(weeks=12), timedelta(weeks=52)
FRIDAY = timedelta(days=5)  # to its end
MOST_HISTORIES = 20  # people, those who have risen most, whose weeks are looked through for a best one


@dataclass(frozen=True, slots=True)
class Row:
    """A person's or a team's place.

    `moved`: places up since the period before, None for whoever was not on that board. `figure`: what the ranking
    goes by: tasks or hours; for a team, of these, per active member (None: it has none, and comes last).
    `on_time` of `on_time_of` tasks with a deadline were closed by it. `people`: a team's active members. `badges`: see
    `badges`; only a person has any. `accounts`: of many portals, the profile with the id there, the one of most
    tasks first; then `id` is only a number of this ranking.
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
    badges: tuple[str, ...] = ()
    accounts: tuple[tuple[str, int], ...] = ()
    estimate_s: int = field(default=0, compare=False)


@dataclass(frozen=True)
class Board:
    """The ranking of a period, the best first.

    `complete`: nothing of the period that has begun was left uncollected. `as_of`: the moment the data are true of;
    None: there are none. The totals are of everybody, `left_out` says how many rows were cut off. `others`: the tasks
    and hours of those without a row, where they are enough. `season`: the results are frozen; `rules`: counted by them,
    and by other ones than today's if `rules_differ`. `namesakes`: the names that several of all ranked have.
    `portals`: the profiles that are counted together, `without_data` those of them of which nothing is known.
    `sees_part`: nothing was left uncollected of what the webhook's owner sees, who is no administrator.
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
    total_estimate_s: int = field(default=0, compare=False)
    others: tuple[int, float] | None = None
    season: Season | None = None
    rules: CountingRules | None = field(default=None, compare=False)
    rules_differ: bool = False
    scope: Scope = ALL_WORK
    benchmarks: Benchmarks = NO_BENCHMARKS
    namesakes: frozenset[str] = frozenset()
    goal: TeamGoal | None = None
    portals: tuple[str, ...] = ()
    without_data: tuple[str, ...] = ()
    sees_part: bool = field(default=False, compare=False)

    @property
    def has_hours(self) -> bool:
        """Whether anything that was closed has an estimate: without one there are no hours, nor a ranking by them."""
        return self.total_hours > 0


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

    def add(self, total: PersonTotal | Row) -> None:
        self.tasks += total.tasks
        self.estimate_s += total.estimate_s
        self.on_time += total.on_time
        self.on_time_of += total.on_time_of

    def figure(self, by: str) -> float | None:
        """As it is shown: what looks equal shares a place."""
        value = self.tasks if by == TASKS else _hours(self.estimate_s)
        if self.members is None:
            return value
        return round(value / self.members, 2) if self.members else None


def read_board(database: Location, period: Period, *, now: datetime, **options: Any) -> Board:
    """Rank a period from a database file, as `board` does; where nothing was ever collected the board is empty."""
    with explain_failures(database):
        names = [options.get(name) for name in ("group", "department", "me")]
        if is_missing(database) and names == [None] * 3:  # a schema in memory would take longer than all the rest
            by, teams = options.get("by", TASKS), options.get("teams", False)
            rules = CountingRules(count_own=False, opted_out=frozenset(), hidden=frozenset(), zone=period.zone.key)
            mode = POLLING
            return Board(period, by, teams, complete=False, as_of=None, mode=mode, rules=rules)
        with closing(read_store(database)) as source:
            return board(source, period, now=now, **options)


def read_rules(database: Location, period: Period) -> tuple[CountingRules, Season | None]:
    """Read by which rules a period is counted: those in force, or those of when it was frozen. Raises ConfigError."""
    with explain_failures(database), closing(read_store(database)) as source:
        return rules_of(source, period)


def rules_of(source: Store, period: Period) -> tuple[CountingRules, Season | None]:
    """Return the rules of a period, and the season where it is frozen."""
    season = source.seasons.find([period.label]).get(period.label)
    return (season.rules if season else source.settings.counting_rules(period.zone)), season


def board(
    source: Store,
    period: Period,
    *,
    now: datetime,
    by: str = TASKS,
    teams: bool = False,
    top: int | None = None,
    spares_last: bool = False,
    group: str | None = None,
    department: str | None = None,
    me: str | None = None,
) -> Board:
    """Rank a period by closed tasks or their estimated hours: people, or teams per active member.

    `top`: so many rows at most. `spares_last`: without whoever has the last place. `group`, `department`, `me`: a
    project, a department with all below it, and the person whose own figures are wanted, by name or id.
    Raises ConfigError for a name that is unknown or means several.
    """
    rules = source.settings.counting_rules(period.zone)
    scope = read_scope(source, group, department)
    closed, closed_before = source.leaderboard.closed(period, rules, scope.group_id)
    is_sized = teams or rules.opted_out or closed.season or closed_before.season
    members = source.leaderboard.active_by_department(rules.hidden) if is_sized else {}
    counted = _choose_counted(closed, rules, members, scope, teams=teams)
    ranked, ranked_before = (  # places that are frozen stay, whoever has opted out since
        _choose_counted(one, rules if teams else one.rules, members, scope, teams=teams)
        for one in (closed, closed_before)
    )
    before = _entries(ranked_before, closed_before, members, teams=teams)
    total_tasks = sum(one.tasks for one in counted)
    total_estimate_s = sum(one.estimate_s for one in counted)
    total_hours = _hours(total_estimate_s)
    entries = _entries(ranked, closed, members, teams=teams)
    rows = _ranked(entries, _earlier_places(before, by), by) if by == TASKS or total_hours else []
    absent = rules.opted_out | rules.hidden  # by now: a frozen ranking names them no more
    if not teams:
        rows = [row for row in rows if row.id not in absent]
    complete: bool
    as_of: datetime | None
    if closed.season:
        complete, as_of, sees_part = True, closed.season.as_of, False
    else:
        complete, as_of, sees_part = source.leaderboard.collected(period, now)
    mode = source.settings.get("producer_mode")
    if mode == WEBHOOK and as_of is not None and now < period.end:
        as_of = max(as_of, source.leaderboard.events_until(now) or as_of)
    benchmarks = find_benchmarks([row.figure or 0.0 for row in rows], 2 if teams else 1)
    if me is not None:
        person = _find_ranked_person(source, me, absent)
        benchmarks = replace(benchmarks, me=_find_own_standing(source, person, rows, period, now, by, scope))
    shown = [row for row in rows if row.place < rows[-1].place or row.place == 1] if spares_last else rows
    shown = shown[:top]
    if not teams and shown:
        tasks_before = {entry.id: entry.tasks for entry in before}
        holders = _find_badge_holders(
            source, rows, shown, tasks_before, period, now, scope, is_frozen=closed.season is not None
        )
        chosen = ((row, badges.choose_badges(holders, row.id)) for row in shown)
        shown = [replace(row, badges=held) if held else row for row, held in chosen]
    return Board(
        period=period,
        by=by,
        teams=teams,
        complete=complete,
        as_of=as_of,
        mode=mode,
        rows=tuple(shown),
        left_out=len(rows) - len(shown),
        total_tasks=total_tasks,
        total_hours=total_hours,
        total_estimate_s=total_estimate_s,
        scope=scope,
        benchmarks=benchmarks,
        namesakes=_find_namesakes(rows),
        goal=None if closed.season else _find_goal(source, period, rules, members, scope, (total_tasks, total_hours)),
        others=_sum_others([one for one in counted if one.user_id in absent | closed.rules.opted_out]),
        season=closed.season,
        rules=closed.rules,
        rules_differ=closed.rules != rules,
        sees_part=sees_part,
    )


def read_joint_board(
    databases: Mapping[str, tuple[Location, ZoneInfo]],
    period: Period,
    *,
    now: datetime,
    by: str = TASKS,
    teams: bool = False,
    top: int | None = None,
) -> Board:
    """Rank many portals together, by the profiles' databases and zones: each counts by its own rules, in its own zone.

    People are joined by e-mail; teams, and people without one, are those of their portal. Who is hidden or has opted
    out on one portal has no row. The data are as old as the oldest of them; of unknown age if one portal has none.
    """
    portals = []
    for profile, (database, zone) in databases.items():
        own = replace(period, zone=zone)
        with explain_failures(database), closing(read_store(database)) as source:
            rules = source.settings.counting_rules(zone)
            emails = source.people.emails()
            absent = {email for user_id in rules.hidden | rules.opted_out if (email := emails.get(user_id))}
            current, previous = (board(source, one, now=now, teams=teams) for one in (own, own.before))
            portals.append(_Portal(profile, current, previous, {} if teams else emails, absent))
    absent = {email for one in portals for email in one.absent}
    numbers: dict[Hashable, int] = {}
    entries, accounts = _join([(one, one.board) for one in portals], absent, numbers, teams=teams)
    before, _accounts = _join([(one, one.before) for one in portals], absent, numbers, teams=teams)
    boards = tuple(one.board for one in portals)
    total_hours = _hours(sum(one.total_estimate_s for one in boards))
    rows = _ranked(entries, _earlier_places(before, by), by) if by == TASKS or total_hours else []
    rows = [replace(row, accounts=tuple(accounts[row.id])) for row in rows]
    known = [one.as_of for one in boards if one.as_of]
    first = boards[0]
    is_alike = all(one.rules and first.rules and one.rules.count_own == first.rules.count_own for one in boards)
    return Board(
        period=period,
        by=by,
        teams=teams,
        complete=all(one.complete for one in boards),
        as_of=min(known) if len(known) == len(boards) else None,
        mode=", ".join(sorted({one.mode for one in boards})),
        rows=tuple(rows[:top]),
        left_out=len(rows) - len(rows[:top]),
        total_tasks=sum(one.total_tasks for one in boards),
        total_hours=total_hours,
        benchmarks=find_benchmarks([row.figure or 0.0 for row in rows], 2 if teams else 1),
        namesakes=_find_namesakes(rows),
        rules=first.rules if is_alike else None,
        portals=tuple(databases),
        without_data=tuple(one.profile for one in portals if one.board.as_of is None),
    )


class _Portal(NamedTuple):
    """What is joined of a portal. `absent`: the addresses of those who have no row there."""

    profile: str
    board: Board
    before: Board
    emails: Mapping[int, str]
    absent: Collection[str]


def _join(
    boards: Sequence[tuple[_Portal, Board]], absent: Collection[str], numbers: dict[Hashable, int], *, teams: bool
) -> tuple[list[_Entry], dict[int, list[tuple[str, int]]]]:
    """Add up whose rows are one person's; return the entries, and their accounts by the entry's number.

    `numbers` gives the same person the same number in another period.
    """
    entries: dict[int, _Entry] = {}
    accounts: dict[int, list[tuple[str, int]]] = {}
    found = [(row, portal) for portal, one in boards for row in one.rows]
    for row, portal in sorted(found, key=lambda pair: -pair[0].tasks):  # the name is that of where most was done
        email = portal.emails.get(row.id)
        if email in absent:
            continue
        number = numbers.setdefault(email or (portal.profile, row.id), len(numbers) + 1)
        new = _Entry(number, row.name, row.department, row.people if teams else None)
        entries.setdefault(number, new).add(row)
        accounts.setdefault(number, []).append((portal.profile, row.id))
    return list(entries.values()), accounts


def _find_namesakes(rows: Iterable[Row]) -> frozenset[str]:
    counts = Counter(row.name for row in rows)
    return frozenset(name for name, count in counts.items() if count > 1)


def _find_badge_holders(
    source: Store,
    rows: Sequence[Row],
    shown: Sequence[Row],
    tasks_before: Mapping[int, int],
    period: Period,
    now: datetime,
    scope: Scope,
    *,
    is_frozen: bool,
) -> dict[str, Collection[int]]:
    """Find who has which badge. Best weeks and clean Fridays are those of a week; frozen results name no helpers."""
    rises = {row.id: row.tasks - tasks_before[row.id] for row in rows if row.id in tasks_before}
    holders: dict[str, Collection[int]] = dict.fromkeys(badges.BADGES, ())
    holders[badges.MOST_IMPROVED] = badges.find_most_improved(rises)
    holders[badges.ALL_ON_TIME] = {row.id for row in shown if row.on_time == row.on_time_of >= badges.ON_TIME_FROM}
    if not is_frozen:
        holders[badges.HELPED] = _find_helpers(source, period, scope)
    if period.kind == periods.WEEK:
        likely = [row for row in shown if row.tasks >= badges.BEST_FROM and rises.get(row.id, 1) > 0]
        likely = sorted(likely, key=lambda row: (-rises.get(row.id, 0), row.id))[:MOST_HISTORIES]
        holders[badges.BEST_WEEK] = _find_best_weeks(source, likely, period, scope)
        friday_end = datetime.combine(period.first + FRIDAY, time(), period.zone)
        if now >= friday_end:
            done = source.work_history.done_by(period.start, friday_end, now, scope.group_id)
            holders[badges.CLEAN_FRIDAY] = {user_id for user_id, tasks in done.items() if tasks >= badges.CLEAN_FROM}
    return holders


def _find_best_weeks(source: Store, rows: Sequence[Row], period: Period, scope: Scope) -> set[int]:
    """Find for whom a week is the best one of a year; few are left for its whole length after the last months."""
    tasks, found = {row.id: row.tasks for row in rows}, dict[int, list[int]]()
    for span in SPANS:
        if not tasks:
            break
        edges = [week.start for week in _list_weeks(period.first - span, period)]
        weeks = source.work_history.by_week(list(tasks), edges, scope.group_id)
        found = {user_id: [one for one, _estimate_s in of] for user_id, of in weeks.items()}
        tasks = {user_id: count for user_id, count in tasks.items() if count > max(found[user_id])}
    return {user_id for user_id, count in tasks.items() if badges.is_best_week(count, found[user_id])}


def _find_helpers(source: Store, period: Period, scope: Scope) -> set[int]:
    """Find who closed a line of an order that was given to another department."""
    worked_for = source.work_history.departments_worked_for(period.start, period.end, scope.group_id)
    above = {one.id: one.parent_id for one in source.people.departments()} if worked_for else {}

    def belongs(homes: Iterable[int], department_id: int) -> bool:
        waiting, seen = list(homes), set[int]()
        while waiting:
            home = waiting.pop()
            if home == department_id:
                return True
            seen.add(home)
            parent = above.get(home)
            if parent is not None and parent not in seen:
                waiting.append(parent)
        return False

    return {user_id for user_id, other, homes in worked_for if homes and other in above and not belongs(homes, other)}


def _list_weeks(first: date, last: Period) -> list[Period]:
    """List the weeks from the one of a day to a week."""
    return list(replace(last, first=periods.containing(first, periods.WEEK, last.zone).first).weeks())


def _find_goal(
    source: Store,
    period: Period,
    rules: CountingRules,
    members: Mapping[int, int],
    scope: Scope,
    done: tuple[int, float],
) -> TeamGoal | None:
    """Find the goal of those whose department it is, or of all; a single project has no members that are known.

    Whose work does not count is asked for none. What is frozen has no goal: it is a setting of today.
    """
    setting = read_setting(source.settings.get("team_goal"))
    if setting is None or scope.group is not None:
        return None
    days = source.presence.read(period.first, period.after)
    homes = source.presence.homes(rules.opted_out - rules.hidden) if rules.opted_out else {}
    absent = rules.hidden | {user_id for user_id, home in homes.items() if members[home] < FEWEST}
    return find_goal(setting, source.presence.members(absent, scope.inside), days, done)


def read_scope(source: Store, group: str | None, department: str | None) -> Scope:
    """Find the project and the department that names or ids mean. Raises ConfigError."""
    if group is None and department is None:
        return Scope()
    return find_scope(group, department, source.tasks.projects(), source.people.departments())


def _find_ranked_person(source: Store, text: str, hidden: Collection[int]) -> Person:
    """Find whose standing is wanted: of those who work here, or of all. Raises ConfigError."""
    from b24tools.core.names import find_person

    person = find_person(text, source.people.all(), active_first=True)
    if person.id in hidden:
        raise errors.ConfigError(
            _("{person} is on no leaderboard").format(person=person.name),
            _("`b24tools config` lists who is in hidden_users or opted_out_users."),
        )
    return person


def _find_own_standing(
    source: Store, person: Person, rows: Sequence[Row], period: Period, now: datetime, by: str, scope: Scope
) -> OwnStanding:
    """Find a person's place, what is missing to the next one, the best week, and the last four of the period."""
    row = next((row for row in rows if row.id == person.id), None)
    figure = row.figure or 0.0 if row else 0.0
    places = {row.figure or 0.0: row.place for row in reversed(rows)}
    next_place, missing = find_next(figure, places, 1)
    until = periods.week_of(min(now, period.end - timedelta(seconds=1)), period.zone)
    first = until.before.before.before
    history = source.work_history
    if begin := history.first_closing(person.id):
        first = min(first, periods.week_of(from_text(begin), period.zone))
    weeks = _list_weeks(first.first, until)
    totals = history.by_week([person.id], [*(week.start for week in weeks), until.end], scope.group_id)[person.id]
    figures = [
        WeekFigure(week.label, tasks if by == TASKS else _hours(estimate_s))
        for week, (tasks, estimate_s) in zip(weeks, totals, strict=True)
    ]
    best = max(figures, key=lambda one: one.figure)
    return OwnStanding(
        user_id=person.id,
        name=person.name,
        place=row.place if row else None,
        figure=figure,
        next_place=next_place,
        missing=missing,
        best=best if best.figure else None,
        trend=tuple(figures[-4:]),
    )


def _choose_counted(
    totals: Totals, now: CountingRules, members: Mapping[int, int], scope: Scope, *, teams: bool
) -> list[PersonTotal]:
    """Choose who counts.

    Who has opted out counts in a team of FEWEST at least: in a smaller one the others' rows would tell what is theirs.
    In what is frozen that goes for who has opted out, or is hidden, by `now`, too, with the teams of then.
    """
    rules, members = totals.rules, _members_of(totals, members)
    opted_out = rules.opted_out | now.opted_out | now.hidden
    return [
        one
        for one in totals.people
        if one.user_id not in rules.hidden
        and (one.user_id not in opted_out or members.get(one.department_id or 0, 0) >= FEWEST)
        and not (teams and one.department is None)
        and (scope.inside is None or one.department_id in scope.inside)
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


def _earlier_places(entries: Sequence[_Entry], by: str) -> dict[int, int]:
    """The places of the period before: none by hours where nothing had an estimate."""
    return _places(entries, by) if by == TASKS or _hours(sum(one.estimate_s for one in entries)) else {}


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
            estimate_s=entry.estimate_s,
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
