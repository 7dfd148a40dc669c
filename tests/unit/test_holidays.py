"""Production calendars of four countries against their decrees, and how they are laid over a portal's hours."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from b24tools.scheduling.calendar import DAY_OFF, DayRule, NoWorkingTime, Shift, Timeline, WorkCalendar
from b24tools.scheduling.holidays import production_calendar, with_production
from tests.support.minute_model import MINUTE, MONDAY, calendars, days_that_differ, working_minutes
from tests.unit.test_calendar import HOUR, MOSCOW, WEEKDAYS, at, plan, shown, thorough

FORTY_HOURS = WorkCalendar(MOSCOW, (Shift(WEEKDAYS, 9 * HOUR, 18 * HOUR, HOUR),))


def laid(country: str, portal: WorkCalendar = FORTY_HOURS, own: dict[date, DayRule] | None = None) -> WorkCalendar:
    """A portal's calendar under a country's."""
    return with_production(portal, production_calendar(country).days, own or {})


def year_of(calendar: WorkCalendar, year: int) -> dict[date, int]:
    """The hours of each day of a year."""
    first = date(year, 1, 1)
    days = (first + timedelta(days=n) for n in range((date(year + 1, 1, 1) - first).days))
    return {day: calendar.working_s(day) // HOUR for day in days}


def unlike_the_week(country: str, year: int) -> dict[str, list[str]]:
    """Weekdays off, weekend days worked (and as which weekday's), short days of a five-day week."""
    calendar = laid(country)
    days = calendar.days
    hours = year_of(calendar, year)
    return {
        "off": [f"{day:%d.%m}" for day, worked in hours.items() if not worked and day.weekday() < 5],
        "worked": [
            f"{day:%d.%m}={days[day].as_weekday}" for day, worked in hours.items() if worked and day.weekday() > 4
        ],
        "short": [f"{day:%d.%m}" for day, worked in hours.items() if worked == 7],
    }


@pytest.mark.parametrize(
    ("country", "year", "off", "worked", "short"),
    [
        (
            "RU",
            2024,
            "01.01 02.01 03.01 04.01 05.01 08.01 23.02 08.03 29.04 30.04 01.05 09.05 10.05 12.06 04.11 30.12 31.12",
            "27.04=1 02.11=2 28.12=1",
            "22.02 07.03 08.05 11.06 02.11",
        ),
        (
            "RU",
            2025,
            "01.01 02.01 03.01 06.01 07.01 08.01 01.05 02.05 08.05 09.05 12.06 13.06 03.11 04.11 31.12",
            "01.11=1",
            "07.03 30.04 11.06 01.11",
        ),
        (
            "RU",
            2026,
            "01.01 02.01 05.01 06.01 07.01 08.01 09.01 23.02 09.03 01.05 11.05 12.06 04.11 31.12",
            "",
            "30.04 08.05 11.06 03.11",
        ),
        (
            "RU",
            2027,
            "01.01 04.01 05.01 06.01 07.01 08.01 22.02 23.02 08.03 03.05 10.05 14.06 04.11 05.11 31.12",
            "20.02=1",
            "20.02 30.04 11.06 03.11",
        ),
        (
            "BY",
            2025,
            "01.01 02.01 06.01 07.01 28.04 29.04 01.05 09.05 03.07 04.07 07.11 25.12 26.12",
            "11.01=1 26.04=1 12.07=5 20.12=5",
            "11.01 07.03 26.04 30.04 08.05 02.07 06.11 24.12 31.12",
        ),
        (
            "BY",
            2026,
            "01.01 02.01 07.01 20.04 21.04 01.05 03.07 25.12",
            "25.04=1",
            "06.01 25.04 30.04 08.05 02.07 06.11 24.12 31.12",
        ),
        (
            "KZ",
            2025,
            "01.01 02.01 03.01 07.01 10.03 21.03 24.03 25.03 01.05 07.05 09.05 06.06 07.07 01.09 27.10 16.12",
            "05.01=5",
            "",
        ),
        ("KZ", 2026, "01.01 02.01 07.01 09.03 23.03 24.03 25.03 01.05 07.05 11.05 27.05 06.07 26.10 16.12", "", ""),
        (
            "UZ",
            2024,
            "01.01 02.01 08.03 21.03 22.03 10.04 11.04 12.04 09.05 17.06 18.06 02.09 03.09 01.10 09.12 30.12 31.12",
            "06.01=2 13.04=5 14.12=1",
            "07.03 20.03 09.04 08.05 30.09",
        ),
        (
            "UZ",
            2025,
            "01.01 02.01 10.03 21.03 31.03 09.05 06.06 01.09 01.10 08.12 31.12",
            "04.01=4",
            "07.03 20.03 08.05 05.06 30.09",
        ),
        (
            "UZ",
            2026,
            "01.01 02.01 09.03 20.03 23.03 11.05 27.05 28.05 29.05 31.08 01.09 01.10 08.12 31.12",
            "12.12=4",
            "19.03 08.05 26.05 30.09 07.12",
        ),
    ],
)
def test_a_checked_year_is_as_decreed(country: str, year: int, off: str, worked: str, short: str) -> None:
    """Days off on weekdays, moved working days with the weekday they are worked as, and short days."""
    expected = {"off": off.split(), "worked": worked.split(), "short": short.split()}
    assert expected == unlike_the_week(country, year)
    assert year in production_calendar(country).verified


@pytest.mark.parametrize(
    ("country", "year", "hours"),
    [
        ("RU", 2024, 1979),
        ("RU", 2025, 1972),
        ("RU", 2026, 1972),
        ("RU", 2027, 1972),
        ("BY", 2023, 2011),
        ("BY", 2026, 2024),
        ("KZ", 2025, 1968),
    ],
)
def test_a_year_has_the_hours_of_the_official_norm(country: str, year: int, hours: int) -> None:
    """The sum of a forty-hour week's days is what the labour ministries publish."""
    assert hours == sum(year_of(laid(country), year).values())


def test_the_years_that_were_checked() -> None:
    """Each is in the table above; no others are promised."""
    verified = {country: sorted(production_calendar(country).verified) for country in ("RU", "BY", "KZ", "UZ", "none")}
    assert {
        "RU": [2024, 2025, 2026, 2027],
        "BY": [2025, 2026],
        "KZ": [2025, 2026],
        "UZ": [2024, 2025, 2026],
        "none": [],
    } == verified


def test_other_years_are_as_the_law_says_and_beyond_the_library_plain() -> None:
    """1 January 2035 is off though nothing is decreed; the years that the library does not reach are plain weeks."""
    days = production_calendar("RU").days
    assert DAY_OFF == days.get(date(2035, 1, 1))
    assert [None, None, None] == [days.get(date(year, 12, 31)) for year in (1, 2500, 9999)]
    assert {} == production_calendar("none").days


def test_a_plan_goes_over_the_moved_day_off_before_new_year() -> None:
    """30 December 2026 16:00 and eight hours: two that day, 31 December is off, six on 11 January."""
    line = Timeline(laid("RU"), (), at("2026-12-30T16:00"))
    assert ("2026-12-30 16:00", "2027-01-11 16:00") == plan(line, 8)


def test_a_moved_saturday_is_worked_as_the_day_it_replaces() -> None:
    """Thursday's late hours on Saturday, 12 December 2026, in Uzbekistan; an hour less where that day was an eve."""
    thursday = Shift(frozenset({4}), 11 * HOUR, 20 * HOUR, HOUR)
    usual = Shift(frozenset({1, 2, 3, 5}), 9 * HOUR, 18 * HOUR, HOUR)
    portal = WorkCalendar(MOSCOW, (usual, thursday))
    assert ["12 11:00-12 15:00", "12 16:00-12 20:00"] == shown(laid("UZ", portal), "2026-12-12")
    assert ["20 09:00-20 13:00", "20 14:00-20 17:00"] == shown(laid("RU", portal), "2027-02-20")


def test_who_works_on_saturdays_works_the_moved_one_as_others() -> None:
    """Six days a week with a short Saturday: the eve's hour off, but no Monday's hours."""
    portal = WorkCalendar(MOSCOW, (*FORTY_HOURS.shifts, Shift(frozenset({6}), 9 * HOUR, 14 * HOUR)))
    assert ["20 09:00-20 13:00"] == shown(laid("RU", portal), "2027-02-20")
    assert [] == shown(laid("RU", portal), "2026-05-09")
    assert ["07 09:00-07 13:00"] == shown(laid("RU", portal), "2026-03-07")


@pytest.mark.parametrize(
    ("shifts", "expected"),
    [
        ((Shift(frozenset({5}), 9 * HOUR, 9 * HOUR + 1800),), []),
        ((Shift(frozenset({5}), 9 * HOUR, 16 * HOUR, HOUR),), ["08 09:00-08 12:00", "08 13:00-08 15:00"]),
        ((Shift(frozenset({5}), 22 * HOUR, 6 * HOUR, 0),), ["08 22:00-09 05:00"]),
        ((Shift(frozenset({1, 2, 3, 4}), 9 * HOUR, 18 * HOUR),), []),
    ],
)
def test_an_eve_takes_the_last_hour_of_what_is_worked(shifts: tuple[Shift, ...], expected: list[str]) -> None:
    """Friday, 8 May 2026: off a short Friday, off a night, all of half an hour, and nothing of a day off."""
    assert expected == shown(laid("RU", WorkCalendar(MOSCOW, shifts)), "2026-05-08")


DAY = date(2026, 11, 24)  # a Tuesday
SATURDAY = date(2026, 11, 28)
WORK = DayRule(shifts=(Shift(frozenset(range(1, 8)), 9 * HOUR, 18 * HOUR, HOUR),))
SHORT = DayRule(shorter_s=HOUR)
HALF = DayRule(shorter_s=4 * HOUR)
AS_MONDAY = DayRule(as_weekday=1)


@pytest.mark.parametrize(
    ("day", "own", "dated", "production", "yearly", "hours"),
    [
        (DAY, None, None, None, None, 8),
        (DAY, None, None, DAY_OFF, None, 0),
        (DAY, None, HALF, DAY_OFF, None, 4),
        (DAY, DayRule(worked=True), HALF, DAY_OFF, DAY_OFF, 8),
        (DAY, DAY_OFF, WORK, SHORT, WORK, 0),
        (DAY, None, DAY_OFF, SHORT, WORK, 0),
        (DAY, None, None, DAY_OFF, WORK, 0),
        (DAY, None, None, SHORT, DAY_OFF, 0),
        (DAY, None, None, SHORT, WORK, 7),
        (DAY, None, None, None, DAY_OFF, 0),
        (SATURDAY, None, None, SHORT, None, 0),
        (SATURDAY, None, None, AS_MONDAY, None, 8),
        (SATURDAY, None, None, AS_MONDAY, DAY_OFF, 0),
        (SATURDAY, None, DAY_OFF, AS_MONDAY, None, 0),
        (SATURDAY, None, None, DayRule(as_weekday=1, shorter_s=HOUR), None, 7),
        (SATURDAY, None, None, None, WORK, 8),
        (SATURDAY, DayRule(worked=True, shorter_s=HOUR), None, DAY_OFF, None, 7),
    ],
)
def test_who_is_believed_about_a_day(
    day: date,
    own: DayRule | None,
    dated: DayRule | None,
    production: DayRule | None,
    yearly: DayRule | None,
    hours: int,
) -> None:
    """The user, then the portal's date, the country, the portal's years; a yearly day off is not worked."""

    def rules(rule: DayRule | None) -> dict[date, DayRule]:
        return {} if rule is None else {day: rule}

    portal = WorkCalendar(
        MOSCOW, FORTY_HOURS.shifts, rules(dated), {} if yearly is None else {(day.month, day.day): yearly}
    )
    assert hours * HOUR == with_production(portal, rules(production), rules(own)).working_s(day)


def test_the_days_of_both_can_be_gone_through() -> None:
    """Only the days that differ, in order, of the years that were asked for."""
    portal = WorkCalendar(MOSCOW, FORTY_HOURS.shifts, {DAY: HALF}, {(11, 28): DAY_OFF})
    together = with_production(portal, {SATURDAY: AS_MONDAY, date(2026, 11, 25): SHORT}, {date(2026, 11, 23): DAY_OFF})
    expected = [(date(2026, 11, 23), DAY_OFF), (DAY, HALF), (date(2026, 11, 25), SHORT)]
    assert HALF == together.days[DAY]
    assert expected == list(together.days.items())
    assert 3 == len(together.days)
    days = production_calendar("KZ").days
    assert 0 == len(days)
    assert DAY_OFF == days[date(2026, 12, 16)]
    assert 19 == len(list(days)) == len(days)


@pytest.mark.long
@thorough
@given(calendars(), days_that_differ(), days_that_differ(), st.integers(0, 3 * 1440), st.integers(0, 4000))
def test_laid_calendars_equal_counting_minutes(
    portal: WorkCalendar, production: dict[date, DayRule], own: dict[date, DayRule], offset: int, position: int
) -> None:
    """Moved days, short days and the user's, over night shifts and short Fridays: as a walker counts them."""
    calendar = with_production(portal, production, own)
    origin = MONDAY + offset * MINUTE
    worked = working_minutes(calendar, origin, 8)
    line = Timeline(calendar, (), origin)
    assert sum(worked) * 60 == line.worked(origin + timedelta(days=8))
    if position and position <= sum(worked):
        last = [minute for minute, is_worked in enumerate(worked) if is_worked][position - 1]
        assert origin + (last + 1) * MINUTE == line.end_at(position * 60)
    elif position:
        try:
            assert origin + timedelta(days=8) < line.end_at(position * 60)
        except NoWorkingTime:
            week_s = sum(calendar.working_s(MONDAY.date() + timedelta(days=n)) for n in range(30, 37))
            assert week_s * 300 < position * 60  # the six years that are looked at have 313 weeks
