"""The sandbox's calendar: stamps that are no UTC, series, site formats, and whose clock a date is on."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from b24tools.sandbox import php
from b24tools.sandbox.state import Portal
from tests.sandbox.client import Asker, Clock

ZONES = ("America/New_York", "UTC", "Europe/Berlin", "Europe/Moscow", "Asia/Yekaterinburg", "Asia/Kamchatka")


def moscow(day: int, hour: int = 0, minute: int = 0) -> datetime:
    """A moment of December 2026 in Moscow; the first of it is a Tuesday."""
    return datetime(2026, 12, day, hour, minute, tzinfo=ZoneInfo("Europe/Moscow"))


def new_portal(**options: Any) -> Portal:
    """Noon in Moscow on November 18; person 2 beside the administrator."""
    portal = Portal(Clock(), **options)
    portal.add_user("Анна", "Сидорова", departments=[1])
    return portal


def ask(portal: Portal, first: str = "2026-12-01", last: str = "2026-12-31") -> list[dict[str, Any]]:
    """The rows of person 2."""
    rows: list[dict[str, Any]] = Asker(portal).result(
        "calendar.accessibility.get", users=[2], **{"from": first, "to": last}
    )["2"]
    return rows


def spans(rows: list[dict[str, Any]]) -> list[tuple[str, str]]:
    """The texts of rows."""
    return [(row["DATE_FROM"], row["DATE_TO"]) for row in rows]


def stamps(row: dict[str, Any]) -> tuple[datetime, datetime]:
    """What one would take for moments."""
    return tuple(datetime.fromtimestamp(int(row[f"DATE_{end}_TS_UTC"]), UTC) for end in ("FROM", "TO"))  # type: ignore[return-value]


# stamps


@given(
    st.sampled_from(ZONES),
    st.sampled_from(ZONES),
    st.integers(0, 17_000).map(lambda hour: datetime(2026, 1, 5, tzinfo=UTC) + timedelta(hours=hour)),
    st.integers(1, 30),
)
def test_stamps_of_an_event_are_off_by_the_servers_offset(server: str, own: str, moment: datetime, hours: int) -> None:
    """The text is the clock of the event's zone; the stamp is right only where the server is in UTC."""
    portal = new_portal(server_zone=server)
    portal.add_meeting(2, moment, moment + timedelta(hours=hours), zone=own)
    day = moment.date()
    [row] = ask(portal, str(day - timedelta(days=2)), str(day + timedelta(days=4)))
    for end, at in (("FROM", moment), ("TO", moment + timedelta(hours=hours))):
        clock = at.astimezone(ZoneInfo(own)).replace(tzinfo=None)
        assert (f"{clock:%d.%m.%Y %H:%M:%S}", own) == (row[f"DATE_{end}"], row[f"TZ_{end}"])
        taken = clock.replace(tzinfo=ZoneInfo(server))
        off = at.timestamp() - (taken.utcoffset() or timedelta()).total_seconds()
        # the event's own offset is taken hours away from it: an hour out around a change of the clocks
        assert abs(int(row[f"DATE_{end}_TS_UTC"]) - off) in (0, 3600)
        if own in ("UTC", "Europe/Moscow", "Asia/Yekaterinburg", "Asia/Kamchatka"):
            assert int(row[f"DATE_{end}_TS_UTC"]) == off


@pytest.mark.parametrize(
    ("start", "found"),
    [
        (moscow(6, 23), False),
        (moscow(7, 1), False),
        (moscow(7, 2), True),
        (moscow(11, 22), True),
        (moscow(12, 2, 59), True),
        (moscow(12, 3), False),
    ],
)
def test_events_are_looked_for_by_the_wrong_stamps(start: datetime, found: bool) -> None:
    """Of December 7 to 11: the first hours are missing, those after the last midnight are not."""
    portal = new_portal()
    portal.add_meeting(2, start, start + timedelta(hours=1), accessibility="absent")
    assert found == bool(ask(portal, "2026-12-07", "2026-12-11"))


def test_an_event_is_in_its_persons_zone_and_offsets_are_the_callers() -> None:
    """The event's offset less the caller's, both at the clock as the server takes it."""
    portal = new_portal()
    portal.owner.time_zone, portal.users[2].time_zone = "Asia/Omsk", "Asia/Vladivostok"
    portal.add_meeting(2, moscow(3, 5), moscow(3, 6))
    portal.add_meeting(2, moscow(3, 12), moscow(3, 15), zone="Europe/Berlin", zone_to="Asia/Tbilisi")
    rows = ask(portal)
    assert spans(rows) == [
        ("03.12.2026 12:00:00", "03.12.2026 13:00:00"),
        ("03.12.2026 10:00:00", "03.12.2026 16:00:00"),
    ]
    hours = [
        (row["TZ_FROM"], row["TZ_TO"], row["~USER_OFFSET_FROM"] / 3600, row["~USER_OFFSET_TO"] / 3600) for row in rows
    ]
    assert hours == [("Asia/Vladivostok", "Asia/Vladivostok", 4, 4), ("Europe/Berlin", "Asia/Tbilisi", -5, -2)]
    assert stamps(rows[1]) == (moscow(3, 9).astimezone(UTC), moscow(3, 12).astimezone(UTC))


# series


def test_each_event_of_a_series_has_a_row_with_the_stamps_of_the_whole_series() -> None:
    """From the first start to the day after the last; asked for in the middle, with a day more before."""
    portal = new_portal()
    portal.add_meeting(
        2, moscow(1, 14), moscow(1, 15, 30), accessibility="absent", repeats="weekly", until=date(2027, 3, 1)
    )
    rows = ask(portal, "2026-12-09", "2026-12-21")
    assert spans(rows) == [
        ("08.12.2026 14:00:00", "08.12.2026 15:30:00"),
        ("15.12.2026 14:00:00", "15.12.2026 15:30:00"),
    ]
    end = datetime(2027, 3, 2, tzinfo=ZoneInfo("Europe/Moscow"))
    assert {stamps(row) for row in rows} == {(moscow(1, 11).astimezone(UTC), end.astimezone(UTC))}
    assert {(row["ID"], row["ACCESSIBILITY"]) for row in rows} == {("1200", "absent")}


def test_a_series_without_an_end_lasts_until_2038() -> None:
    """Years after its start it is still there."""
    portal = new_portal()
    portal.add_meeting(2, moscow(1, 9), moscow(1, 10), repeats="daily")
    rows = ask(portal, "2030-01-01", "2030-01-02")
    assert [row["DATE_FROM"][:10] for row in rows] == ["01.01.2030", "02.01.2030"]
    assert stamps(rows[0])[1] == datetime(2038, 1, 1, 21, tzinfo=UTC)


@pytest.mark.parametrize(
    ("weekdays", "expected"),
    [((), ["08", "15"]), ((0, 2), ["07", "09", "14", "16"]), ((4,), ["11"])],
)
def test_a_weekly_series_may_have_other_weekdays(weekdays: tuple[int, ...], expected: list[str]) -> None:
    """By default that of its start, a Tuesday; a series ends with its last day, though it is asked for longer."""
    portal = new_portal()
    portal.add_meeting(2, moscow(1, 9), moscow(1, 10), repeats="weekly", weekdays=weekdays, until=date(2026, 12, 16))
    assert [row["DATE_FROM"][:2] for row in ask(portal, "2026-12-07")] == expected


def test_a_series_of_whole_days_has_dates_without_a_time() -> None:
    """One event of whole days has midnights."""
    portal = new_portal()
    meeting = portal.add_days_off(2, date(2026, 12, 1), date(2026, 12, 2))
    assert spans(ask(portal)) == [("01.12.2026 00:00:00", "02.12.2026 00:00:00")]
    meeting.repeats, meeting.weekdays, meeting.until = "weekly", (1,), date(2026, 12, 13)
    assert spans(ask(portal)) == [("01.12.2026", "02.12.2026"), ("08.12.2026", "09.12.2026")]


def test_a_daily_series_far_in_the_east_begins_a_day_too_early() -> None:
    """Twelve hours are rounded up to a day."""
    portal = new_portal()
    portal.users[2].time_zone = "Asia/Kamchatka"
    start = datetime(2026, 12, 8, 9, tzinfo=ZoneInfo("Asia/Kamchatka"))
    portal.add_meeting(2, start, start + timedelta(hours=1), repeats="daily", until=date(2026, 12, 9))
    assert [row["DATE_FROM"][:2] for row in ask(portal)] == ["07", "08", "09"]


# site formats


@pytest.mark.parametrize(
    ("date_format", "event", "whole_day", "bar"),
    [
        ("DD.MM.YYYY", "03.12.2026 00:05:00", "04.12.2026 00:00:00", "05.12.2026 15:00:00"),
        ("DD/MM/YYYY", "03/12/2026 00:05:00", "04/12/2026 00:00:00", "05/12/2026 15:00:00"),
        ("MM/DD/YYYY", "12/03/2026 12:05:00 am", "12/04/2026 12:00:00 am", "12/05/2026 03:00:00 PM"),
        ("YYYY-MM-DD", "2026-12-03 00:05:00", "2026-12-04 00:00:00", "2026-12-05 15:00:00"),
    ],
)
def test_dates_are_written_as_the_site_writes_them(date_format: str, event: str, whole_day: str, bar: str) -> None:
    """Events by PHP, bars by MySQL, whose AM and PM are capitals."""
    portal = new_portal(date_format=date_format)
    portal.add_meeting(2, moscow(3, 0, 5), moscow(3, 4))
    portal.add_days_off(2, date(2026, 12, 4), date(2026, 12, 4))
    portal.add_absence(2, moscow(5, 15), date(2026, 12, 6))
    rows = ask(portal)
    assert [row.get("DATE_FROM", row.get("DT_FROM")) for row in rows] == [event, whole_day, bar]
    assert rows[2]["DT_TO"] == php.site_text(moscow(6), date_format)


# the absence chart


def test_hours_of_the_absence_chart_are_on_the_callers_clock() -> None:
    """Whole days are not moved; the stamp is the text taken for the server's."""
    portal = new_portal()
    portal.owner.time_zone = "Asia/Yekaterinburg"
    portal.add_absence(2, moscow(7, 9), moscow(7, 13))
    portal.add_absence(2, date(2026, 12, 1), date(2026, 12, 2))
    chart = [(row["DT_FROM"], row["DT_TO"], row["FROM"], row["TO"]) for row in ask(portal)]
    assert chart == [
        ("01.12.2026", "02.12.2026", int(moscow(1).timestamp()), int(moscow(2).timestamp())),
        ("07.12.2026 11:00:00", "07.12.2026 15:00:00", int(moscow(7, 11).timestamp()), int(moscow(7, 15).timestamp())),
    ]


@pytest.mark.parametrize(("zone", "bars"), [("Asia/Omsk", 1), ("", 1), ("Europe/Berlin", 0)])
def test_the_last_day_of_a_bar_is_missed_by_a_caller_west_of_the_server(zone: str, bars: int) -> None:
    """Midnight there comes later than the bar's."""
    portal = new_portal()
    portal.owner.time_zone = zone
    portal.add_absence(2, date(2026, 12, 1), date(2026, 12, 4))
    assert bars == len(ask(portal, "2026-12-04", "2026-12-10"))


# whose clock


@pytest.mark.parametrize(
    ("options", "own", "expected"),
    [
        ({}, "Asia/Yekaterinburg", "+05:00"),
        ({}, "", "+03:00"),
        ({"default_time_zone": "Asia/Omsk"}, "", "+06:00"),
        ({"default_time_zone": "Asia/Omsk"}, "Asia/Yekaterinburg", "+05:00"),
        ({"default_time_zone": "Asia/Omsk", "use_time_zones": False}, "Asia/Yekaterinburg", "+03:00"),
        ({"server_zone": "America/New_York", "use_time_zones": False}, "", "-05:00"),
        ({"server_zone": "UTC", "default_time_zone": "Europe/Moscow"}, "", "+03:00"),
        ({"server_zone": "America/New_York"}, "Nowhere/Town", "-05:00"),
        ({"server_zone": "America/St_Johns"}, "", "-03:30"),
    ],
)
def test_task_dates_are_on_the_clock_of_the_zone_in_force(options: dict[str, Any], own: str, expected: str) -> None:
    """The profile's, the portal's default, the server's; `profile` shows the profile's all the same."""
    portal = new_portal(**options)
    portal.owner.time_zone = own
    deadline = datetime(2026, 11, 20, 15, tzinfo=UTC)
    portal.add_task("Задача", responsible=2, deadline=deadline)
    asker = Asker(portal)
    for task in (
        asker.result("tasks.task.list", select=["DEADLINE"])["tasks"][0],
        asker.result("tasks.task.get", taskId=1)["task"],
    ):
        assert (expected, deadline) == (task["deadline"][-6:], datetime.fromisoformat(task["deadline"]))
    assert own == asker.result("profile")["TIME_ZONE"]


@pytest.mark.parametrize("now", [datetime(2026, 7, 1, tzinfo=UTC), datetime(2026, 12, 1, tzinfo=UTC)])
def test_the_offset_of_now_is_pasted_onto_dates_of_any_season(now: datetime) -> None:
    """A portal whose server is in Berlin, without zones: an hour out for half a year."""
    portal = Portal(Clock(now), server_zone="Europe/Berlin", use_time_zones=False)
    portal.owner.time_zone = "Asia/Omsk"
    for month in (1, 7):
        portal.add_task(
            str(month), responsible=1, deadline=datetime(2026, month, 1, 12, tzinfo=ZoneInfo("Europe/Berlin"))
        )
    tasks = Asker(portal).result("tasks.task.list", select=["DEADLINE"], order={"ID": "asc"})["tasks"]
    offset = "+02:00" if now.month == 7 else "+01:00"
    assert [task["deadline"] for task in tasks] == [f"2026-{month}-01T12:00:00{offset}" for month in ("01", "07")]


def test_input_without_an_offset_is_the_servers_clock_whatever_zone_is_in_force() -> None:
    """In fields and in filters."""
    portal = new_portal(default_time_zone="Asia/Omsk")
    asker = Asker(portal)
    fields = {"TITLE": "x", "RESPONSIBLE_ID": 2, "DEADLINE": "2026-11-20T18:00:00"}
    assert "2026-11-20T21:00:00+06:00" == asker.result("tasks.task.add", fields=fields)["task"]["deadline"]
    answers = [
        asker.result("tasks.task.list", filter={"<=DEADLINE": f"2026-11-20T{clock}"}, select=["ID"])["tasks"]
        for clock in ("17:59:59", "18:00:00")
    ]
    assert [0, 1] == [len(tasks) for tasks in answers]
