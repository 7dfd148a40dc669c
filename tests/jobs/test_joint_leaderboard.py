"""The leaderboard of many portals: whose rows are one person's, and by whose rules, days and data."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from b24tools.core.models import Department
from b24tools.jobs.leaderboard import Board, read_joint_board
from b24tools.store import open_store
from tests.support.closed_tasks import LAST, MOSCOW, NOW, THIS, collect, person, save, task
from tests.support.snapshots import new_collector

OMSK = ZoneInfo("Asia/Omsk")
Closed = Mapping[int, tuple[str, str, int, int]]  # by id: name, e-mail, tasks this week and the last one


class Portals:
    """The databases of portals."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.databases: dict[str, tuple[Path, ZoneInfo]] = {}

    def add(self, name: str, people: Closed, *, zone: ZoneInfo = MOSCOW, hours: float = 1.0, **settings: str) -> None:
        """A portal with a department in which these people have closed so many tasks."""
        path = self.folder / f"{name}.db"
        self.databases[name] = (path, zone)
        with closing(open_store(path)) as store:
            store.people.save_departments([Department(5, f"Цех {name}", None, None)], NOW)
            store.people.save(
                (replace(person(number, who, 5), email=email) for number, (who, email, _n, _b) in people.items()), NOW
            )
            for key, value in settings.items():
                store.settings.save(key, value)
            for number, (_who, _email, now, before) in people.items():
                for start, count, first in ((THIS.start, now, 0), (LAST.start, before, 500)):
                    closed = [start + timedelta(hours=9 + hour) for hour in range(count)]
                    save(
                        store, (task(number * 1000 + first + n, number, at, hours=hours) for n, at in enumerate(closed))
                    )
            for week in (LAST, THIS):
                own = replace(week, zone=zone)
                collect(store, own.start, own.end, min(NOW, own.end + timedelta(minutes=5)))

    def rank(self, **options: object) -> Board:
        """This week's ranking of all."""
        return read_joint_board(self.databases, THIS, now=NOW, **options)  # type: ignore[arg-type]


@pytest.fixture
def portals(tmp_path: Path) -> Portals:
    """Two portals; Anna works on both, Boris is somebody else on each, Vera has no address."""
    made = Portals(tmp_path)
    made.add("a", {1: ("Анна Ли", "anna@x.ru", 3, 1), 2: ("Борис Ким", "b1@x.ru", 4, 2), 3: ("Вера Цой", "", 1, 9)})
    made.add("b", {1: ("Вера Цой", "", 2, 0), 7: ("A. Li", "anna@x.ru", 2, 0), 8: ("Борис Ким", "b2@x.ru", 4, 0)})
    return made


def rows(board: Board, *names: str) -> list[tuple[object, ...]]:
    """These columns of the rows."""
    return [tuple(getattr(row, name) for name in names) for row in board.rows]


def test_people_are_joined_by_e_mail_and_namesakes_are_not(portals: Portals) -> None:
    """The name and the department are those of where most was done."""
    board = portals.rank()

    assert [
        (1, "Анна Ли", "Цех a", 5, (("a", 1), ("b", 7))),
        (2, "Борис Ким", "Цех a", 4, (("a", 2),)),
        (2, "Борис Ким", "Цех b", 4, (("b", 8),)),
        (4, "Вера Цой", "Цех b", 2, (("b", 1),)),
        (5, "Вера Цой", "Цех a", 1, (("a", 3),)),
    ] == rows(board, "place", "name", "department", "tasks", "accounts")
    assert [2, 0, None, None, -4] == [row.moved for row in board.rows]
    assert (16, 16.0, {"Борис Ким", "Вера Цой"}) == (board.total_tasks, board.total_hours, board.namesakes)
    assert (True, NOW, ("a", "b")) == (board.complete, board.as_of, board.portals)
    first = portals.rank(top=2)
    assert (board.rows[:2], 3, board.benchmarks) == (first.rows, first.left_out, first.benchmarks)


def test_hours_are_added_before_they_are_rounded(tmp_path: Path) -> None:
    """Two times 0.05 are 0.1."""
    portals = Portals(tmp_path)
    for name in ("a", "b"):
        portals.add(name, {1: ("Анна Ли", "anna@x.ru", 1, 0)}, hours=0.04)

    assert [(0.1,)] == rows(portals.rank(by="hours"), "hours")


@pytest.mark.parametrize("key", ["hidden_users", "opted_out_users"])
def test_who_is_not_shown_on_one_portal_has_no_row(key: str, portals: Portals) -> None:
    """On none of them; of who is hidden the tasks of that portal are in no sum, either."""
    with closing(open_store(portals.folder / "b.db")) as store:
        store.settings.save(key, "7")

    board = portals.rank()

    assert {"Борис Ким", "Вера Цой"} == {row.name for row in board.rows}
    assert (14 if key == "hidden_users" else 16) == board.total_tasks


def test_teams_are_those_of_their_portal(portals: Portals) -> None:
    """Per member: three people have closed eight tasks on each."""
    board = portals.rank(teams=True)

    assert [(1, "Цех a", 2.67, 3), (1, "Цех b", 2.67, 3)] == rows(board, "place", "name", "figure", "people")


def test_days_rules_and_data_are_each_portals_own(tmp_path: Path) -> None:
    """A task of Sunday night in Moscow is one of Monday in Omsk; own tasks count where they do."""
    portals = Portals(tmp_path)
    late = LAST.end - timedelta(hours=1)
    for name, zone in (("a", MOSCOW), ("b", OMSK)):
        portals.add(name, {1: ("Анна Ли", f"{name}@x.ru", 0, 0)}, zone=zone, count_own="1" if name == "b" else "0")
        with closing(open_store(tmp_path / f"{name}.db")) as store:
            save(store, [task(1, 1, late), task(2, 1, THIS.start, created_by=1)])
            if name == "a":
                store.database.execute("UPDATE snapshot_runs SET complete = 0, finished_at = NULL")

    board = portals.rank()

    assert [(("b", 1), 2)] == [(row.accounts[0], row.tasks) for row in board.rows]
    assert (False, None, None) == (board.complete, board.rules, board.as_of)


def test_a_snapshot_reads_e_mails(tmp_path: Path) -> None:
    """In one spelling; who has none has none."""
    works = new_collector(tmp_path)
    first, second, *_others = works.portal.users.values()
    first.email, second.email = " Anna@X.ru", ""

    works.take([works.week("2026-W47")])
    with closing(open_store(works.database)) as store:
        emails = store.people.emails()

    assert ("anna@x.ru", None) == (emails[first.id], emails.get(second.id))
