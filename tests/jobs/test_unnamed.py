"""Whoever has opted out of a small team, or is hidden, can be told from nothing that is shown."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from itertools import product

import pytest

from b24tools.core import periods
from b24tools.core.models import Department
from b24tools.jobs import leaderboard
from b24tools.jobs.snapshot import freeze_seasons
from b24tools.render import leaderboard as render_leaderboard
from b24tools.render import leaderboard_export, messages
from b24tools.store import Store, export, open_store
from tests.support.closed_tasks import LAST, MOSCOW, NOW, THIS, collect, person, save, task

OCTOBER = periods.parse("2026-10", MOSCOW)
PERIODS = [THIS, OCTOBER, periods.parse("2026-Q4", MOSCOW)]
WELDERS, PAINTERS = 11, 12
TIMES = [LAST.start + timedelta(hours=9), THIS.start + timedelta(hours=9), OCTOBER.start + timedelta(days=5)]


@pytest.fixture
def opened() -> Iterator[Store]:
    """Four welders and two painters, all with work in each period; a goal."""
    with closing(open_store(None)) as memory:
        memory.people.save_departments(
            [
                Department(1, "Производство", None, None),
                Department(WELDERS, "Сварка", 1, None),
                Department(PAINTERS, "Покраска", 1, None),
            ],
            NOW,
        )
        team = {1: WELDERS, 2: WELDERS, 3: WELDERS, 4: WELDERS, 5: PAINTERS, 6: PAINTERS}
        memory.people.save([person(number, f"Имя {number}", home) for number, home in team.items()], NOW)
        memory.settings.save("team_goal", "5 tasks")
        close(memory, {number: number for number in team})
        yield memory


def close(opened: Store, counts: dict[int, int], first: int = 0) -> None:
    """So many tasks more of each in every period."""
    for number, at in enumerate(TIMES, 1):
        ids = {who: range(first + 10_000 * number + 100 * who, 10**9)[:count] for who, count in counts.items()}
        deadline = at + timedelta(days=4)
        save(opened, [task(id_, who, at, deadline=deadline) for who, theirs in ids.items() for id_ in theirs])


def show(opened: Store) -> dict[str, object]:
    """All that is shown to others, by what it is."""
    shown: dict[str, object] = {
        "ids": opened.tasks.closed_ids(LAST.start, THIS.end, opened.settings.opted_out_users()),
        "export": list(export.rows(opened, "tasks", None, MOSCOW)),
        "view": [tuple(row) for row in opened.database.query("SELECT * FROM leaderboard_this_week")],
    }
    scopes = [{}, {"department": "1"}, {"department": str(WELDERS)}, {"department": str(PAINTERS)}, {"group": "1"}]
    views = [{}, {"teams": True}, {"spares_last": True, "top": 10}, {"me": "5"}]
    for period, by, scope, view in product(PERIODS, ("tasks", "hours"), scopes, views):
        board = leaderboard.board(opened, period, now=NOW, by=by, **scope, **view)  # type: ignore[arg-type]
        texts = (
            leaderboard_export.to_csv(board),
            leaderboard_export.to_markdown(board, MOSCOW, NOW),
            leaderboard_export.to_html(board, MOSCOW, NOW),
            messages.write_board(board),
        )
        shown[f"{period.label} {by} {scope} {view}"] = board, render_leaderboard.data(board, MOSCOW), texts
    return shown


@pytest.mark.long
@pytest.mark.parametrize("is_frozen", [False, True])
@pytest.mark.parametrize("setting", ["opted_out_users", "hidden_users"])
def test_the_work_of_an_unnamed_one_of_a_team_of_two_changes_nothing(
    opened: Store, setting: str, is_frozen: bool
) -> None:
    """Whatever is asked, in whatever form; the rules may be set after a month was frozen.

    Ids of tasks and exports leave out only who has opted out.
    """
    if is_frozen:
        weeks = periods.week_of(OCTOBER.start, MOSCOW), periods.week_of(OCTOBER.end, MOSCOW)
        collect(opened, weeks[0].start, weeks[1].end, NOW - timedelta(days=1))
    with closing(open_store(None)) as other:
        opened.database.connection.backup(other.database.connection)
        close(other, {6: 3}, first=50)
        for store in (opened, other):
            if is_frozen:
                freeze_seasons(store, NOW, MOSCOW)
                assert {"2026-10"} == store.seasons.labels()
            store.settings.save(setting, "6")
        fewer, more = show(opened), show(other)

        lists = ("ids", "export")
        assert {name: fewer[name] == more[name] for name in lists} == dict.fromkeys(lists, setting == "opted_out_users")
        assert [name for name in fewer if name not in lists and fewer[name] != more[name]] == []
