"""Who is away, as a snapshot reads it once a day for a team's goal."""

from __future__ import annotations

from contextlib import closing
from datetime import date, datetime, timedelta
from pathlib import Path

import pytest

from b24tools.scheduling.calendar import DAY_OFF
from b24tools.scheduling.holidays import MOVED, production_calendar
from b24tools.store import open_store
from tests.support.orders import MOSCOW
from tests.support.snapshots import FRIDAY, Collector, close, new_collector


@pytest.fixture
def small(tmp_path: Path) -> Collector:
    """Three people on a Friday; a goal is set."""
    works = new_collector(tmp_path)
    with closing(open_store(works.database)) as store:
        store.settings.save("team_goal", "5 tasks")
    close(works.portal, FRIDAY - timedelta(days=1))
    return works


def asked_for_absences(works: Collector) -> int:
    return sum("calendar.accessibility.get" in methods for methods in works.asked())


def test_absences_and_holidays_are_read_once_a_day(small: Collector) -> None:
    """Whole days and most of a day count, a few hours do not; days off are the country's and one's own."""
    first, second, third = sorted(small.portal.users)[-3:]
    small.portal.add_absence(first, date(2026, 11, 16), date(2026, 11, 18))
    small.portal.add_absence(
        second, datetime(2026, 11, 19, 9, tzinfo=MOSCOW), datetime(2026, 11, 19, 15, tzinfo=MOSCOW)
    )
    small.portal.add_absence(third, datetime(2026, 11, 20, 9, tzinfo=MOSCOW), datetime(2026, 11, 20, 12, tzinfo=MOSCOW))

    result = small.take(days=[production_calendar("RU").days])

    assert (2, ()) == (result.requests, result.warnings)
    days = {row[0]: row[1:] for row in small.query("SELECT day, works, away FROM presence")}
    assert ("2026-11-09", "2026-12-25") == (min(days), max(days))
    assert [(1, f"[{first}]")] * 3 + [(1, f"[{second}]"), (1, "[]"), (0, "[]"), (0, "[]")] == [
        days[f"2026-11-{day}"] for day in range(16, 23)
    ]

    small.take()
    assert 1 == asked_for_absences(small)

    small.clock.now += timedelta(days=1)
    small.take()
    assert 2 == asked_for_absences(small)


def test_without_a_goal_nothing_is_asked(small: Collector) -> None:
    """The snapshot costs what it did."""
    with closing(open_store(small.database)) as store:
        store.settings.save("team_goal", "")

    assert 1 == small.take().requests
    assert 0 == asked_for_absences(small)


def test_a_portal_that_does_not_show_absences(tmp_path: Path, small: Collector) -> None:
    """The snapshot is complete all the same, and says what the goal lacks; the next run asks again."""
    small.portal.scopes.discard("calendar")

    result = small.take()

    assert result.complete
    assert ["the absences are not known, the team goal counts everybody"] == [
        warning.partition(":")[0] for warning in result.warnings
    ]
    assert [] == small.query("SELECT * FROM presence")
    small.take()
    assert 2 == asked_for_absences(small)


def test_the_country_has_its_holidays(small: Collector) -> None:
    """A moved day of January, and a day of one's own above it."""
    small.clock.now = datetime(2026, 12, 18, 12, tzinfo=MOSCOW)
    small.take(days=[{date(2026, 12, 28): DAY_OFF, date(2027, 1, 2): MOVED}, production_calendar("RU").days])

    days = dict(small.query("SELECT day, works FROM presence WHERE day >= '2026-12-28' AND day < '2027-01-05'"))
    assert {"2026-12-28": 0, "2026-12-29": 1, "2026-12-30": 1, "2026-12-31": 0} == dict(list(days.items())[:4])
    assert [0, 1, 0, 0] == list(days.values())[4:]
