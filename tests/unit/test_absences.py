"""When people are away: the text of a row is the wall clock of its own zone, in the order that the site writes dates.

Rows are as the documentation and the server's source have them; the sandbox disagrees where the portal does.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from b24tools.assignment.report import OrderResult
from b24tools.bitrix24 import queries
from b24tools.bitrix24.absences import Absences, read_absences
from b24tools.core.models import Absence
from b24tools.jobs import load
from b24tools.sandbox.records import Absence as Bar
from b24tools.sandbox.records import Meeting
from b24tools.sandbox.state import Portal
from tests.sandbox.client import Asker
from tests.support.orders import MOSCOW, Clock, Works, order, rules

NEW_YORK, OMSK = ZoneInfo("America/New_York"), ZoneInfo("Asia/Omsk")
FIRST, LAST = date(2026, 11, 23), date(2027, 2, 23)


def read(
    *rows: Any, days_in: tzinfo = MOSCOW, clock_in: tzinfo = MOSCOW, known: str = "", first: date = FIRST
) -> Absences:
    """What the rows of person 7 say of three months from the end of November (or from `first`)."""
    last = first + (LAST - FIRST)
    return read_absences([{"7": list(rows)}], first, last, days_in=days_in, clock_in=clock_in, order=known)


def away(*rows: Any, **changes: Any) -> list[Absence]:
    """When person 7 is away; nothing is doubtful."""
    absences = read(*rows, **changes)
    assert [] == absences.warnings
    return absences.away[7]


def span(start: str, end: str, zone: tzinfo = MOSCOW, zone_to: tzinfo | None = None) -> Absence:
    """Between two wall clocks."""
    ends = (datetime.fromisoformat(text).replace(tzinfo=tz) for text, tz in ((start, zone), (end, zone_to or zone)))
    return Absence(*(moment.astimezone(UTC) for moment in ends))


def stamp(text: str) -> int:
    """What the portal makes of a wall clock, give or take its zones."""
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


def event(start: str, end: str, stamps: tuple[str, str] | None = None, **changes: Any) -> dict[str, Any]:
    """A timed event in Moscow; without stamps unless they are given."""
    seconds = [str(stamp(text)) for text in stamps] if stamps else ["", ""]
    row = {
        "ID": "1213",
        "NAME": "[Отсутствует]",
        "DATE_FROM": start,
        "DATE_TO": end,
        "DATE_FROM_TS_UTC": seconds[0],
        "DATE_TO_TS_UTC": seconds[1],
        "~USER_OFFSET_FROM": 0,
        "~USER_OFFSET_TO": 0,
        "DT_SKIP_TIME": "N",
        "TZ_FROM": "Europe/Moscow",
        "TZ_TO": "Europe/Moscow",
        "ACCESSIBILITY": "absent",
        "IMPORTANCE": "normal",
        "EVENT_TYPE": "",
    }
    return row | changes


def bar(start: str, end: str, stamps: tuple[str, str] | None = None) -> dict[str, Any]:
    """A bar of the absence chart."""
    ends = dict(zip(("FROM", "TO"), map(stamp, stamps), strict=True)) if stamps else {}
    kind = {"ACCESSIBILITY": "absent", "IMPORTANCE": "normal"}
    return {"FROM_HR": True, "ID": "55", "DT_FROM": start, "DT_TO": end, **kind, **ends}


# one row


@pytest.mark.parametrize(
    ("start", "end"),
    [
        ("16.12.2026 09:00:00", "16.12.2026 21:30:00"),
        ("16.12.2026 9:00", "16.12.2026 21:30"),
        ("16/12/2026 09:00:00", "16/12/2026 21:30:00"),
        ("16-12-2026 09:00:00", "16-12-2026 21:30:00"),
        ("12/16/2026 09:00:00 AM", "12/16/2026 09:30:00 PM"),
        ("12/16/2026 9:00 am", "12/16/2026 9:30 pm"),
        ("12/16/2026 09:00:00am", "12/16/2026 09:30:00pm"),
        ("2026-12-16 09:00:00", "2026-12-16 21:30:00"),
        ("2026-12-16T09:00:00", "2026-12-16T21:30:00"),
    ],
)
def test_every_format_of_a_site_is_read(start: str, end: str) -> None:
    """With seconds or without, with twelve hours or twenty-four."""
    assert [span("2026-12-16T09:00", "2026-12-16T21:30")] == away(event(start, end))


def test_midnight_and_noon_of_twelve_hours() -> None:
    """12 am is the first hour, 12 pm the thirteenth."""
    row = event("12/16/2026 12:15:00 am", "12/16/2026 12:30:00 pm")
    assert [span("2026-12-16T00:15", "2026-12-16T12:30")] == away(row)


@pytest.mark.parametrize(
    ("zones", "expected"),
    [
        ({}, span("2026-12-16T09:00", "2026-12-16T10:00")),
        (
            {"TZ_FROM": "America/New_York", "TZ_TO": "America/New_York"},
            span("2026-12-16T09", "2026-12-16T10", NEW_YORK),
        ),
        ({"TZ_FROM": "Asia/Omsk"}, span("2026-12-16T09:00", "2026-12-16T10:00", OMSK, MOSCOW)),
        ({"TZ_FROM": "Asia/Omsk", "TZ_TO": None}, span("2026-12-16T09:00", "2026-12-16T10:00", OMSK)),
        ({"TZ_FROM": "", "TZ_TO": ""}, span("2026-12-16T09:00", "2026-12-16T10:00", NEW_YORK)),
        ({"TZ_FROM": "Mars/Base", "TZ_TO": "Europe"}, span("2026-12-16T09:00", "2026-12-16T10:00", NEW_YORK)),
        ({"TZ_FROM": 7, "TZ_TO": ["x"]}, span("2026-12-16T09:00", "2026-12-16T10:00", NEW_YORK)),
        ({"TZ_FROM": "../etc/passwd", "TZ_TO": "/etc/passwd"}, span("2026-12-16T09", "2026-12-16T10", NEW_YORK)),
    ],
)
def test_a_clock_time_is_of_the_events_zone(zones: Mapping[str, Any], expected: Absence) -> None:
    """Each end of its own; where none is known, of the zone in force."""
    assert [expected] == away(event("16.12.2026 09:00:00", "16.12.2026 10:00:00") | zones, clock_in=NEW_YORK)


@pytest.mark.parametrize("shift", [-14, -5, 0, 3, 12])
def test_stamps_do_not_say_when(shift: int) -> None:
    """They are off by the server's own offset."""
    moments = tuple(f"2026-12-{16 + (hour - shift) // 24}T{(hour - shift) % 24:02}:00" for hour in (9, 10))
    row = event("16.12.2026 09:00:00", "16.12.2026 10:00:00", (moments[0], moments[1]))
    assert [span("2026-12-16T09:00", "2026-12-16T10:00")] == away(row)


def test_each_event_of_a_series_is_by_itself() -> None:
    """Its stamps are those of the whole series, which ends in 2038."""
    series = ("2026-10-05T06:00", "2038-01-02T00:00")
    rows = [event(f"{day}.12.2026 09:00:00", f"{day}.12.2026 10:00:00", series) for day in ("07", "14", "21")]
    hours = [span(f"2026-12-{day}T09:00", f"2026-12-{day}T10:00") for day in ("07", "14", "21")]
    assert hours == away(*rows)


WHOLE = {"DT_SKIP_TIME": "Y", "TZ_FROM": None, "TZ_TO": None}


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        (event("05.12.2026", "06.12.2026", **WHOLE), ("2026-12-05", "2026-12-07")),
        (event("05.12.2026 00:00:00", "06.12.2026 00:00:00", **WHOLE), ("2026-12-05", "2026-12-07")),
        (event("12/05/2026 12:00:00 am", "12/16/2026 12:00:00 am", **WHOLE), ("2026-12-05", "2026-12-17")),
        (event("05.12.2026 18:00:00", "06.12.2026 00:00:00"), ("2026-12-05T18:00", "2026-12-06")),
        (bar("01.12.2026", "14.12.2026"), ("2026-12-01", "2026-12-15")),
        (bar("01.12.2026 00:00:00", "14.12.2026 00:00:00"), ("2026-12-01", "2026-12-15")),
        (bar("12/01/2026", "12/14/2026"), ("2026-12-01", "2026-12-15")),
        (bar("12/01/2026 12:00:00 AM", "12/14/2026 12:00:00 AM"), ("2026-12-01", "2026-12-15")),
        (bar("03.12.2026", "03.12.2026"), ("2026-12-03", "2026-12-04")),
        (bar("03.12.2026 09:00:00", "03.12.2026 13:00:00"), ("2026-12-03T09:00", "2026-12-03T13:00")),
        (bar("03.12.2026 12:00:00", "05.12.2026"), ("2026-12-03T12:00", "2026-12-06")),
        (bar("01.03.2020", "31.12.9999"), ("2020-03-01", "9999-12-30")),
    ],
)
def test_days_are_whole_and_the_last_one_is_included(row: dict[str, Any], expected: tuple[str, str]) -> None:
    """In the chart midnight is no clock time; the end of a timed event is."""
    assert [span(*expected)] == away(row)


def test_days_are_the_plants_and_clock_times_of_the_chart_the_owners() -> None:
    """Neither kind has a zone of its own."""
    rows = bar("03.12.2026", "03.12.2026"), bar("04.12.2026 09:00:00", "04.12.2026 13:00:00")
    whole, timed = span("2026-12-03", "2026-12-04", OMSK), span("2026-12-04T09:00", "2026-12-04T13:00", NEW_YORK)
    assert [whole, timed] == away(*rows, days_in=OMSK, clock_in=NEW_YORK)


@pytest.mark.parametrize("kind", ["busy", "quest", "free", None])
def test_only_rows_marked_absent_count(kind: str | None) -> None:
    """A meeting is no absence."""
    assert [] == away(event("05.12.2026 09:00:00", "05.12.2026 10:00:00", ACCESSIBILITY=kind))


def test_what_lies_beside_the_days_asked_for_is_left_out() -> None:
    """The portal is asked for a day more at each end; what reaches into the window is whole."""
    rows = [
        event(f"{start}:00:00", f"{end}:00:00")
        for start, end in (
            ("22.11.2026 09", "22.11.2026 23"),
            ("22.11.2026 09", "23.11.2026 01"),
            ("23.02.2027 23", "24.02.2027 05"),
            ("24.02.2027 01", "24.02.2027 05"),
        )
    ]
    assert [span("2026-11-22T09", "2026-11-23T01"), span("2027-02-23T23", "2027-02-24T05")] == away(*rows)


def test_rows_may_come_as_an_object_and_nobody_as_a_list() -> None:
    """PHP arrays; a key that is no person's id breaks nothing."""
    row = event("05.12.2026 09:00:00", "05.12.2026 10:00:00")
    answers: list[Any] = [{"7": {"2": row}, "8": False, "x": []}, [], {"9": [row]}]
    absence = span("2026-12-05T09:00", "2026-12-05T10:00")
    absences = read_absences(answers, FIRST, LAST, days_in=MOSCOW, clock_in=MOSCOW)
    assert {7: [absence], 8: [], 0: [], 9: [absence]} == absences.away


@pytest.mark.parametrize(
    "row",
    [
        {"ACCESSIBILITY": "absent"},
        {"ACCESSIBILITY": "absent", "FROM_HR": True, "DT_FROM": "?", "DT_TO": "05.12.2026"},
        event("31.02.2026 09:00:00", "05.12.2026 10:00:00"),
        event("05.12.2026 25:00:00", "05.12.2026 26:00:00"),
        event("Dec 5, 2026", "Dec 6, 2026"),
        event("05.12.26 09:00:00", "05.12.26 10:00:00"),
        event("05.12.2036 09:00:00", "05.12.2036 10:00:00"),  # far from the days asked for
    ],
)
def test_absences_that_cannot_be_read_are_named(row: dict[str, Any]) -> None:
    """They stop nothing, the others count."""
    good = event("16.12.2026 09:00:00", "16.12.2026 10:00:00")
    absences = read(row, good, "x", None, event("?", "?", ACCESSIBILITY="busy"))
    assert [span("2026-12-16T09:00", "2026-12-16T10:00")] == absences.away[7]
    (warning,) = absences.warnings
    start = row.get("DATE_FROM") or row.get("DT_FROM")
    assert f"dates of absences cannot be read, these absences are not counted: {start} – " in warning


# in which order day and month are written

TWOFOLD = event("01/02/2027 09:00:00", "01/02/2027 10:00:00")
FEBRUARY, JANUARY = span("2027-02-01T09:00", "2027-02-01T10:00"), span("2027-01-02T09:00", "2027-01-02T10:00")


def test_where_nothing_decides_both_readings_are_absence() -> None:
    """And that is said, with the dates; the order stays unknown."""
    absences = read(TWOFOLD)
    assert ([FEBRUARY, JANUARY], "") == (absences.away[7], absences.order)
    (warning,) = absences.warnings
    assert "can be read in two ways (01/02/2027 09:00:00 – 01/02/2027 10:00:00)" in warning


def test_a_day_that_is_its_month_has_one_reading() -> None:
    """Nothing to decide, and nothing to learn."""
    absences = read(event("02/02/2027 09:00:00", "02/02/2027 10:00:00"))
    assert ([span("2027-02-02T09", "2027-02-02T10")], "", []) == (absences.away[7], absences.order, absences.warnings)


@pytest.mark.parametrize(
    ("row", "order", "expected"),
    [
        (event("16/02/2027 09:00:00", "16/02/2027 10:00:00"), "DMY", FEBRUARY),
        (event("02/16/2027 09:00:00 AM", "02/16/2027 10:00:00 AM"), "MDY", JANUARY),
        (event("02/01/2027", "02/16/2027", **WHOLE), "MDY", JANUARY),
        (bar("16/02/2027", "17/02/2027"), "DMY", FEBRUARY),
        # only one reading lies within the days asked for
        (event("01/12/2026 09:00:00", "01/12/2026 10:00:00"), "DMY", FEBRUARY),
        (event("12/01/2026 09:00:00", "12/01/2026 10:00:00"), "MDY", JANUARY),
        # only one reading goes forward
        (bar("02/01/2027", "01/02/2027"), "DMY", FEBRUARY),
        # stamps: off by hours, or of a series that has not begun by the other reading
        (
            event("03/02/2027 09:00:00", "03/02/2027 10:00:00", ("2027-02-03T06:00", "2027-02-03T07:00")),
            "DMY",
            FEBRUARY,
        ),
        (event("01/03/2027 09:00:00", "01/03/2027 10:00:00", ("2027-01-03T20:00", "2027-01-03T21:00")), "MDY", JANUARY),
        (
            event("01/02/2027 09:00", "01/02/2027 10:00", ("2027-01-20T06:00", "2038-01-02T00:00")),
            "DMY",
            FEBRUARY,
        ),
        (bar("01/03/2027", "01/03/2027", ("2027-01-03T00:00", "2027-01-03T00:00")), "MDY", JANUARY),
    ],
)
@pytest.mark.parametrize("kind", ["absent", "busy"])
def test_one_date_shows_the_order_of_all(row: dict[str, Any], order: str, expected: Absence, kind: str) -> None:
    """A meeting's too, and another person's; and what was remembered counts no more."""
    for known in ("", "DMY", "MDY"):
        answers: list[Any] = [{"7": [TWOFOLD]}, {"8": [row | {"ACCESSIBILITY": kind}]}]
        absences = read_absences(answers, FIRST, LAST, days_in=MOSCOW, clock_in=MOSCOW, order=known)
        assert ([expected], order, []) == (absences.away[7], absences.order, absences.warnings)


@pytest.mark.parametrize(("known", "expected"), [("DMY", FEBRUARY), ("MDY", JANUARY)])
def test_what_is_remembered_decides(known: str, expected: Absence) -> None:
    """Where the answer itself shows nothing."""
    absences = read(TWOFOLD, known=known)
    assert ([expected], known, []) == (absences.away[7], absences.order, absences.warnings)


def test_a_year_in_front_says_nothing_of_the_others() -> None:
    """One odd row among those of the site: the others are read as the site writes them."""
    rows = [event("16/02/2027 09:00:00", "16/02/2027 10:00:00"), event("2027-02-17 09:00:00", "2027-02-17 10:00:00")]
    absences = read(*rows, TWOFOLD)
    days = [span(f"2027-02-{day}T09:00", f"2027-02-{day}T10:00") for day in (16, 17)]
    assert ([*days, FEBRUARY], "DMY", []) == (absences.away[7], absences.order, absences.warnings)


def test_dates_that_contradict_each_other_decide_nothing() -> None:
    """Each is read as it must be; both readings of the others count, whatever was remembered."""
    rows = [event("16/02/2027 09:00:00", "16/02/2027 10:00:00"), event("02/17/2027 09:00:00", "02/17/2027 10:00:00")]
    absences = read(*rows, TWOFOLD, known="DMY")
    days = [span(f"2027-02-{day}T09:00", f"2027-02-{day}T10:00") for day in (16, 17)]
    assert ([*days, FEBRUARY, JANUARY], "", 1) == (absences.away[7], absences.order, len(absences.warnings))


def test_of_two_readings_only_those_inside_the_days_asked_for_block_time() -> None:
    """The other one lies just before them: near enough not to be ruled out, but no doubt is left."""
    absences = read(event("12/01/2027 09:00:00", "12/01/2027 10:00:00"), first=date(2027, 12, 3))
    assert ([], []) == (absences.away[7], absences.warnings)
    absences = read(TWOFOLD, first=date(2027, 1, 4))
    assert ([FEBRUARY], "", []) == (absences.away[7], absences.order, absences.warnings)


# as the sandbox has them, which says when as the portal does

SERVERS = ["America/Bogota", "UTC", "Europe/Moscow", "Asia/Yekaterinburg"]
ZONES = [*SERVERS, "America/New_York", "Europe/Berlin", "Asia/Kathmandu", "Asia/Vladivostok", "Pacific/Auckland"]
FORMATS = ["DD.MM.YYYY", "DD/MM/YYYY", "MM/DD/YYYY"]


@st.composite
def meetings(draw: st.DrawFn) -> Meeting:
    """An event of person 2: timed in some zone, or whole days, or a series of either."""
    start = datetime.combine(
        draw(st.dates(FIRST - timedelta(days=120), LAST + timedelta(days=20))), time(draw(st.integers(0, 23)))
    )
    zone = draw(st.sampled_from(ZONES))
    repeats = draw(st.sampled_from(["", "", "daily", "weekly"]))
    until = draw(st.none() | st.integers(0, 60).map(lambda days: start.date() + timedelta(days=days)))
    weekdays = tuple({start.weekday(), *draw(st.sets(st.integers(0, 6), max_size=2))}) if repeats == "weekly" else ()
    kinds: dict[str, Any] = {"repeats": repeats, "until": until if repeats else None, "weekdays": weekdays}
    kinds["accessibility"] = draw(st.sampled_from(["absent", "absent", "busy", "quest", "free"]))
    if draw(st.booleans()):
        length = timedelta(minutes=draw(st.integers(1, 30 * 60)))
        return Meeting(1, 2, "", start, start + length, zone=zone, zone_to=zone, **kinds)
    day = datetime.combine(start, time())
    end = day + timedelta(days=draw(st.integers(0, 3)))
    return Meeting(1, 2, "", day, end, whole_day=True, **kinds)


def occasions(meeting: Meeting, beyond: int) -> list[tuple[datetime, datetime]]:
    """Each time of an event, as its wall clocks, with so many days more at the ends of a series.

    The model knows nothing of stamps and texts.
    """
    if meeting.accessibility != "absent":
        return []
    end = meeting.end + timedelta(days=1) if meeting.whole_day else meeting.end
    if not meeting.repeats:
        return [(meeting.start, end)]
    length = end - meeting.start
    until = (meeting.until or LAST) + timedelta(days=beyond)
    days = range(-beyond, max(0, (LAST - meeting.start.date()).days + 2))
    starts = [meeting.start + timedelta(days=number) for number in days]
    return [
        (start, start + length)
        for start in starts
        if (meeting.until is None or start.date() <= until)
        and (meeting.repeats == "daily" or start.weekday() in meeting.weekdays)
    ]


def expected(portal: Portal, days_in: ZoneInfo, beyond: int = 0) -> set[Absence]:
    """When person 2 is away within the days asked for."""
    absences: set[Absence] = set()
    for meeting in portal.meetings:
        zone = days_in if meeting.whole_day else ZoneInfo(str(meeting.zone))
        absences |= {span(first.isoformat(), last.isoformat(), zone) for first, last in occasions(meeting, beyond)}
    for chart in portal.absences:
        ends = [datetime.fromtimestamp(at, portal.server_zone) for at in (chart.start, chart.end)]
        days = [(edge.date() + timedelta(days=number)).isoformat() for number, edge in enumerate(ends)]
        is_whole = all(edge.time() == time() for edge in ends)
        absences.add(span(days[0], days[1], days_in) if is_whole else Absence(*(edge.astimezone(UTC) for edge in ends)))
    start, end = (datetime.combine(day, time(), days_in) for day in (FIRST, LAST + timedelta(days=1)))
    return {absence for absence in absences if absence.start < end and absence.end > start}


def ask(portal: Portal) -> Any:
    """What the portal answers about person 2."""
    command = queries.absences([2], FIRST, LAST)
    return Asker(portal).result(command.method, **command.params)


@pytest.mark.long
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.sampled_from(SERVERS),
    st.sampled_from(["", *ZONES]),
    st.sampled_from(["", *ZONES]),
    st.booleans(),
    st.sampled_from(FORMATS),
    st.sampled_from(["Europe/Moscow", "Asia/Vladivostok", "America/New_York"]),
    st.lists(meetings(), min_size=1, max_size=3),
    st.lists(st.tuples(st.integers(0, 60), st.integers(1, 20), st.sampled_from([0, 0, 9])), max_size=2),
)
def test_a_person_is_away_when_the_calendar_says_so(
    server: str,
    owner: str,
    default: str,
    use_zones: bool,
    site: str,
    plant_zone: str,
    events: list[Meeting],
    bars: list[tuple[int, int, int]],
) -> None:
    """Whatever the zones of the server, the owner, the event and the plant, and however the site writes dates."""
    portal, days_in = Portal(Clock(), server_zone=server), ZoneInfo(plant_zone)
    portal.owner.time_zone, portal.default_time_zone, portal.use_time_zones = owner, default, use_zones
    portal.date_format = site
    portal.add_user("Иван", "Первый")
    portal.meetings += events
    for first, length, hour in bars:
        start = datetime.combine(FIRST, time(hour, 7 if hour else 0), portal.server_zone) + timedelta(days=first)
        end = start + timedelta(days=length, hours=1 if hour else 0)
        portal.absences.append(Bar(50, 2, int(start.timestamp()), int(end.timestamp())))
    clock_in = portal.zone_of(portal.owner)
    answer = ask(portal)
    known = read_absences(
        [answer], FIRST, LAST, days_in=days_in, clock_in=clock_in, order="MDY" if site[0] == "M" else "DMY"
    )
    assert known.warnings == []
    # by the server's code a series may show once too often: a day before it begins, or at the midnight it ends
    assert expected(portal, days_in) <= set(known.away[2]) <= expected(portal, days_in, beyond=1)
    unknown = read_absences([answer], FIRST, LAST, days_in=days_in, clock_in=clock_in)
    assert unknown.order in ("", "MDY" if site[0] == "M" else "DMY")
    assert set(known.away[2]) <= set(unknown.away[2])
    assert bool(unknown.warnings) == (len(set(unknown.away[2])) > len(set(known.away[2])))


# what comes of it


def one_person(works: Works) -> int:
    """A position with one person who has nothing to do; the id."""
    shop = works.portal.add_department("Резчик", parent=4)
    return works.portal.add_user("Иван", "Первый", departments=[shop.id], time_zone="Asia/Omsk").id


def planned(works: Works, hours: float) -> OrderResult:
    """An order of one line for that position."""
    return works.assign(order([("Резчик", hours * 60)], id=str(len(works.portal.log))), dry_run=True)[0]


def at(day: int, hour: int) -> datetime:
    """A moment of November in Moscow; Monday is the 23rd."""
    return datetime(2026, 11, day, hour, tzinfo=MOSCOW)


@pytest.mark.long
@pytest.mark.parametrize("site", FORMATS)
@pytest.mark.parametrize("server", SERVERS)
def test_a_weekly_absent_hour_leaves_all_other_hours(works: Works, server: str, site: str) -> None:
    """On Mondays from eleven to twelve in Moscow, put into a calendar in Omsk: since October, for ever."""
    works.portal.server_zone, works.portal.date_format = ZoneInfo(server), site
    works.portal.owner.time_zone = "Europe/Moscow"
    person = one_person(works)
    start = datetime(2026, 10, 5, 11, tzinfo=MOSCOW)
    works.portal.add_meeting(person, start, start + timedelta(hours=1), accessibility="absent", repeats="weekly")
    result = planned(works, 14)
    assert (at(23, 9), at(24, 17)) == (result.tasks[0].start, result.tasks[0].end)
    assert () == result.warnings
    with works.tools(dry_run=True) as tools:
        (group,) = load.load(tools, rules(), "Резчик").groups
    assert [7, 8, 8, 8, 8, 0, 0] == [day.work_s / 3600 for day in group.people[0].days[:7]]


def test_how_the_site_writes_dates_is_remembered(works: Works, monkeypatch: pytest.MonkeyPatch) -> None:
    """One date that has one meaning, and later ones that have two are read right; without it both count."""
    works.portal.absences.clear()  # those of the plant would show it
    works.portal.meetings.clear()
    works.portal.date_format = "MM/DD/YYYY"
    person = one_person(works)
    handle = works.portal.handle

    def without_stamps(*args: Any, **more: Any) -> Any:
        response = handle(*args, **more)
        body = json.loads(response.body)
        for result in body["result"]["result"].values():
            for row in result.get(str(person), []) if isinstance(result, dict) else ():
                row["DATE_FROM_TS_UTC"] = row["DATE_TO_TS_UTC"] = None
        return replace(response, body=json.dumps(body).encode())

    monkeypatch.setattr(works.portal, "handle", without_stamps)
    works.clock.now = datetime(2026, 12, 1, 7, tzinfo=MOSCOW)
    second_of_january = span("2027-01-02T09:00", "2027-01-02T10:00")
    first_of_february = span("2027-02-01T09:00", "2027-02-01T10:00")
    works.portal.add_meeting(
        person, second_of_january.start, second_of_january.end, accessibility="absent", zone="Europe/Moscow"
    )

    def look() -> tuple[list[Absence], int]:
        with works.tools(dry_run=True) as tools:
            seen = load.load(tools, rules(), "Резчик")
        return [Absence(*ends) for ends in seen.groups[0].people[0].absences], len(seen.warnings)

    assert ([second_of_january, first_of_february], 1) == look()
    assert 1 == len(planned(works, 8).warnings)
    works.portal.add_meeting(
        person, datetime(2026, 12, 16, 9, tzinfo=MOSCOW), datetime(2026, 12, 16, 10, tzinfo=MOSCOW)
    )
    assert () == planned(works, 8).warnings
    works.portal.meetings.pop()
    assert ([second_of_january], 0) == look()
    assert () == planned(works, 8).warnings
