"""Weeks and months of a zone."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from b24tools.cli.days_away import read_days_away
from b24tools.core import errors, periods
from b24tools.core.timestamps import to_seconds

MOSCOW, BERLIN = ZoneInfo("Europe/Moscow"), ZoneInfo("Europe/Berlin")
DAYS = st.dates(date(2000, 1, 10), date(2060, 12, 31))


def test_a_week_begins_on_monday_on_the_wall_clock_of_the_zone() -> None:
    """Sunday 23:59:59 is the old week, a second later the new one."""
    sunday = datetime(2026, 11, 22, 23, 59, 59, tzinfo=MOSCOW)

    labels = [periods.week_of(moment, MOSCOW).label for moment in (sunday, sunday + timedelta(seconds=1))]

    assert ["2026-W47", "2026-W48"] == labels
    assert datetime(2026, 11, 22, 21, tzinfo=UTC) == periods.parse("2026-W47", MOSCOW).end


def test_the_turn_of_the_year_splits_no_week() -> None:
    """2026 has 53 weeks; the last one ends in January."""
    week = periods.parse("2026-W53", MOSCOW)

    assert (date(2026, 12, 28), date(2027, 1, 4)) == (week.first, week.after)
    assert "2027-W01" == periods.containing(week.after, periods.WEEK, MOSCOW).label
    assert "2026-W53" == periods.parse("2027-W01", MOSCOW).before.label


@pytest.mark.parametrize(("label", "hours"), [("2026-W43", 169), ("2026-W13", 167), ("2026-W44", 168)])
def test_a_week_with_a_clock_change_has_not_168_hours(label: str, hours: int) -> None:
    """Its ends stand on the wall clock."""
    week = periods.parse(label, BERLIN)

    assert timedelta(hours=hours) == week.end - week.start


def test_a_month_has_the_weeks_that_have_a_day_in_it() -> None:
    """November 2026 begins on a Sunday and ends on a Monday."""
    month = periods.parse("2026-11", MOSCOW)

    labels = [week.label for week in month.weeks()]

    assert ["2026-W44", "2026-W45", "2026-W46", "2026-W47", "2026-W48", "2026-W49"] == labels
    assert ("2026-11", "2026-10") == (month.label, month.before.label)


@given(DAYS, st.sampled_from([periods.WEEK, periods.MONTH]))
def test_periods_stand_side_by_side(day: date, kind: str) -> None:
    """Each ends where the next begins, and its label names it."""
    period = periods.containing(day, kind, BERLIN)

    assert period.first <= day < period.after
    assert period.before.end == period.start
    assert period == periods.parse(period.label, BERLIN)


@pytest.mark.parametrize(
    "text",
    [
        "2026-W54",
        "2025-W53",
        "2026-13",
        "2026-0",
        "2026-Q5",
        "2026-Q",
        "W47",
        "",
        "last week",
        "0000-W01",
        "0001-W01",
        "0001-01",
        "9999-12",
    ],
)
def test_what_is_no_period_is_refused_with_examples(text: str) -> None:
    """A week that the year does not have, too."""
    with pytest.raises(errors.ConfigError, match="is not a period") as caught:
        periods.parse(text, MOSCOW)

    assert "2026-W47" in caught.value.hint


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("26h", timedelta(hours=26)),
        ("90m", timedelta(minutes=90)),
        ("2d", timedelta(days=2)),
        (" 1.5 H", timedelta(minutes=90)),
    ],
)
def test_a_span_of_time_is_read(text: str, span: timedelta) -> None:
    """Hours, minutes, days."""
    assert span == periods.parse_span(text)


@pytest.mark.parametrize("text", ["", "26", "h", "-1h", "1w", "99999999d"])
def test_what_is_no_span_is_refused(text: str) -> None:
    """With examples."""
    with pytest.raises(errors.ConfigError, match="is not a span of time"):
        periods.parse_span(text)


@pytest.mark.parametrize(
    ("moment", "zone", "label"),
    [
        ("2026-11-15T18:29:59+00:00", "Asia/Kolkata", "2026-W46"),  # a week begins inside an hour of UTC
        ("2026-11-15T18:30:00+00:00", "Asia/Kolkata", "2026-W47"),
        ("2026-11-15T20:59:59+00:00", "Europe/Moscow", "2026-W46"),
        ("2026-11-15T21:00:00+00:00", "Europe/Moscow", "2026-W47"),
    ],
)
def test_a_moments_week_is_that_of_the_zones_wall_clock(moment: str, zone: str, label: str) -> None:
    """To the second, whatever the zone's offset."""
    assert label == periods.label_at(to_seconds(datetime.fromisoformat(moment)), ZoneInfo(zone))


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("today", "2026-11-28"),
        (" Завтра ", "2026-11-29"),
        ("tomorrow", "2026-11-29"),
        ("послезавтра", "2026-11-30"),
        ("2026-12-01", "2026-12-01"),
        ("1.12.2026", "2026-12-01"),
        ("30.11.", "2026-11-30"),
        ("20.11", "2026-11-20"),
        ("10.01", "2027-01-10"),
    ],
)
def test_days_are_read_as_people_write_them(text: str, day: str) -> None:
    """Without a year the nearest one is meant."""
    assert date.fromisoformat(day) == periods.read_day(text, date(2026, 11, 28))


@pytest.mark.parametrize("text", ["", "soon", "31.11", "1/12/2026", "30.11.26", "2026-13-01"])
def test_what_is_no_day_is_refused(text: str) -> None:
    """With examples."""
    with pytest.raises(errors.ConfigError) as refused:
        periods.read_day(text, date(2026, 11, 28))
    assert "Examples: tomorrow, 30.11, 30.11.2026, 2026-11-30." == refused.value.hint


@pytest.mark.parametrize("text", ["9999-12-31", "0001-01-01", "31.12.9999", "2032-01-01"])
def test_days_of_other_centuries_are_refused(text: str) -> None:
    """No plan reaches there, and Python's calendar ends."""
    with pytest.raises(errors.ConfigError, match="is too far away"):
        periods.read_day(text, date(2026, 11, 28))


@pytest.mark.parametrize(
    ("first", "last", "expected"),
    [
        (None, None, (None, None)),
        ("today", None, (date(2026, 11, 28), date(2026, 11, 28))),
        ("1.11", "29.11", (date(2026, 11, 1), date(2026, 11, 29))),
        (None, "28.11", (None, date(2026, 11, 28))),
        ("27.11", None, "27.11.2026 is past"),
        ("2026-11-01", "2026-11-05", "05.11.2026 is past"),
        (None, "2026-11-27", "27.11.2026 is past"),
        ("30.11", "29.11", "lies before"),
    ],
)
def test_days_away_are_not_over(first: str | None, last: str | None, expected: object) -> None:
    """What is past cannot be planned without somebody."""
    if isinstance(expected, str):
        with pytest.raises(errors.ConfigError, match=expected):
            read_days_away(first, last, date(2026, 11, 28))
    else:
        assert expected == read_days_away(first, last, date(2026, 11, 28))
