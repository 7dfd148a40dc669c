"""`assign` by the production calendar and calendar.json: the plan, and what is said of years nobody has checked."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

import pytest

from b24tools.assignment.report import OrderResult
from b24tools.scheduling.calendar import DAY_OFF, DayRule
from b24tools.scheduling.calendar_file import OwnDays
from tests.support.orders import MOSCOW, Works, order


def at(text: str) -> datetime:
    """A moment in Moscow."""
    return datetime.fromisoformat(text).replace(tzinfo=MOSCOW)


def planned(works: Works, now: str, hours: float, **changes: Any) -> OrderResult:
    """An order of one line for a position with one new person, planned at a moment."""
    shop = works.portal.add_department("Резчик", parent=4)
    works.portal.add_user("Иван", "Первый", departments=[shop.id])
    works.clock.now = at(now)
    values = {key: changes.pop(key) for key in ("wanted", "wanted_is_day") if key in changes}
    values["date"] = at(now) - timedelta(days=1)
    return works.assign(order([("Резчик", hours * 60)], **values), dry_run=True, **changes)[0]


def slot(result: OrderResult) -> tuple[str, str]:
    """When the line is to be done, on Moscow's clock."""
    task = result.tasks[0]
    assert task.start is not None
    assert task.end is not None
    return tuple(f"{moment.astimezone(MOSCOW):%Y-%m-%d %H:%M}" for moment in (task.start, task.end))  # type: ignore[return-value]


@pytest.mark.parametrize(
    ("country", "now", "hours", "expected"),
    [
        ("RU", "2026-11-23T07:00", 2, ("2026-11-23 09:00", "2026-11-23 11:00")),
        ("RU", "2026-12-30T16:00", 8, ("2026-12-30 16:00", "2027-01-11 16:00")),
        ("none", "2026-12-30T16:00", 8, ("2026-12-30 16:00", "2026-12-31 16:00")),
        ("BY", "2026-12-30T16:00", 8, ("2026-12-30 16:00", "2026-12-31 16:00")),
        ("BY", "2026-12-31T16:00", 2, ("2026-12-31 16:00", "2027-01-04 10:00")),
        ("RU", "2027-02-19T16:00", 4, ("2027-02-19 16:00", "2027-02-20 11:00")),
        ("RU", "2027-02-20T16:00", 4, ("2027-02-20 16:00", "2027-02-24 12:00")),
        ("RU", "2027-04-30T16:30", 1, ("2027-04-30 16:30", "2027-05-04 09:30")),
        ("UZ", "2026-12-11T17:00", 2, ("2026-12-11 17:00", "2026-12-12 10:00")),
        ("KZ", "2026-12-15T17:00", 2, ("2026-12-15 17:00", "2026-12-17 10:00")),
    ],
)
def test_the_countrys_days_count(works: Works, country: str, now: str, hours: float, expected: tuple[str, str]) -> None:
    """Before the shift, over New Year with a moved day off, into a moved Saturday, at the end of a short day."""
    assert expected == slot(planned(works, now, hours, country=country))


def test_a_short_friday_before_a_holiday_is_an_hour_shorter_still(works: Works) -> None:
    """Friday, 30 April 2027, is worked until four, and that day until three."""
    friday = works.portal.schedules[1]["SHIFTS"][0] | {"ID": 2, "WORK_DAYS": "5", "WORK_TIME_END": 16 * 3600}
    works.portal.schedules[1]["SHIFTS"][0]["WORK_DAYS"] = "1234"
    works.portal.schedules[1]["SHIFTS"].append(friday)
    assert ("2027-04-30 14:30", "2027-05-04 09:30") == slot(planned(works, "2027-04-30T14:30", 1, country="RU"))


def test_the_users_days_count_above_all(works: Works) -> None:
    """31 December is worked and 11 January is not, whatever the country and the portal say."""
    own = OwnDays({date(2026, 12, 31): DayRule(worked=True), date(2027, 1, 11): DAY_OFF})
    works.portal.schedules[1]["CALENDAR"]["EXCLUSIONS"] = {"2026": {"12": {"31": "0"}}}
    result = planned(works, "2026-12-30T17:00", 10, country="RU", own=own)
    assert ("2026-12-30 17:00", "2027-01-12 10:00") == slot(result)


def test_an_exclusion_of_the_portal_counts_above_the_country(works: Works) -> None:
    """The moved Saturday is off where the portal's schedule has it so."""
    works.portal.schedules[1]["CALENDAR"]["EXCLUSIONS"] = {"2027": {"2": {"20": "0"}}}
    result = planned(works, "2027-02-19T16:00", 4, country="RU")
    assert ("2027-02-19 16:00", "2027-02-24 11:00") == slot(result)


def test_a_flexible_schedules_days_off_count_though_it_has_no_hours(works: Works) -> None:
    """The hours come from the calendar's settings, the exclusion from the schedule."""
    flexible = works.portal.schedules[1]
    flexible["SCHEDULE_TYPE"] = "FLEXTIME"
    flexible["SHIFTS"] = []
    flexible["CALENDAR"]["EXCLUSIONS"] = {"2026": {"11": {"24": "0"}}}
    works.portal.calendar_settings |= {"work_time_start": "10", "work_time_end": "15"}
    assert ("2026-11-23 10:00", "2026-11-25 11:00") == slot(planned(works, "2026-11-23T07:00", 6))


def test_a_wanted_day_off_means_the_last_working_day_before(works: Works) -> None:
    """Wanted on 31 December 2026: by the end of the 30th."""
    result = planned(works, "2026-12-21T10:00", 1, country="RU", wanted=at("2026-12-31"), wanted_is_day=True)
    assert at("2026-12-30T18:00") == result.tasks[0].deadline


def unchecked(country: str, *years: int) -> tuple[str, ...]:
    """What is said of years whose days off are not known to be official."""
    return tuple(
        f"the days off of {country} for {year} are not checked against its official calendar: moved days may be "
        f'missing; put them into calendar.json and add "checked": [{year}] to it'
        for year in years
    )


@pytest.mark.parametrize(
    ("now", "hours", "changes", "years"),
    [
        ("2026-12-28T10:00", 8, {"country": "BY"}, ()),
        ("2026-12-28T10:00", 48, {"country": "BY"}, (2027,)),
        ("2026-12-28T10:00", 2200, {"country": "BY"}, (2027, 2028)),
        ("2026-12-28T10:00", 48, {"country": "RU"}, ()),
        ("2026-12-28T10:00", 48, {"country": "none"}, ()),
        ("2026-12-28T10:00", 2200, {"country": "BY", "own": OwnDays(checked=frozenset({2028}))}, (2027,)),
        ("2028-03-01T10:00", 1, {"country": "RU"}, (2028,)),
    ],
)
def test_a_plan_into_a_year_nobody_has_checked_says_so(
    works: Works, now: str, hours: float, changes: dict[str, Any], years: tuple[int, ...]
) -> None:
    """One warning a year, with the mend; none where the user vouches for it, and none without a country."""
    assert unchecked(str(changes["country"]), *years) == planned(works, now, hours, **changes).warnings


def test_a_wanted_date_in_such_a_year_says_so(works: Works) -> None:
    """The end of that working day rests on the days off of its year."""
    wanted = {"wanted": at("2027-05-10"), "wanted_is_day": True}
    result = planned(works, "2026-12-01T10:00", 1, country="BY", **wanted)
    assert unchecked("BY", 2027) == result.warnings
    assert at("2027-05-10T17:00") == result.tasks[0].deadline


def test_a_wanted_moment_in_such_a_year_rests_on_no_days_off(works: Works) -> None:
    """It is the deadline, whatever day that is."""
    result = planned(works, "2026-12-01T10:00", 1, country="BY", wanted=at("2027-05-09T12:00"))
    assert ((), at("2027-05-09T12:00")) == (result.warnings, result.tasks[0].deadline)


def test_an_order_sent_again_says_nothing_of_years(works: Works) -> None:
    """Nothing is planned, so nothing rests on them."""
    works.clock.now = at("2028-03-01T10:00")
    sent = order(date=at("2028-02-28"))
    first = works.assign(sent, country="RU")[0]
    again = works.assign(sent, country="RU")[0]
    assert (unchecked("RU", 2028), "created") == (first.warnings, first.outcome)
    assert ((), "unchanged") == (again.warnings, again.outcome)
