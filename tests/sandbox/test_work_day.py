"""The sandbox's timeman.status: a person's working day, and how far the clock there is from UTC."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from b24tools.sandbox.state import Portal
from tests.sandbox.client import Asker, Clock

MOSCOW = ZoneInfo("Europe/Moscow")


@pytest.fixture
def clock() -> Clock:
    """Noon in Moscow on November 18."""
    return Clock()


@pytest.fixture
def portal(clock: Clock) -> Portal:
    """An administrator and one more person."""
    portal = Portal(clock)
    portal.add_user("Анна", "Сидорова", departments=[1])
    return portal


def at(hour: int, minute: int = 0, day: int = 18) -> datetime:
    """A moment of that November in Moscow."""
    return datetime(2026, 11, day, hour, minute, tzinfo=MOSCOW)


def status(portal: Portal, **params: Any) -> dict[str, Any]:
    """The answer."""
    answer: dict[str, Any] = Asker(portal).result("timeman.status", **params)
    return answer


def test_a_person_who_never_opened_a_day_has_a_status_and_nothing_else(portal: Portal) -> None:
    """No offset either."""
    portal.add_work_day(1, at(9))
    assert {"STATUS": "CLOSED"} == status(portal, USER_ID=2)


def test_an_open_day_is_shown_whole(portal: Portal) -> None:
    """The last one; ours when nobody is asked for."""
    portal.add_work_day(1, at(9, day=17), at(18, day=17))
    portal.add_work_day(1, at(8, 55), leaks_s=17 * 60 + 53)
    assert status(portal) == {
        "STATUS": "OPENED", "ID": 301, "TIME_START": "2026-11-18T08:55:00+03:00", "TIME_FINISH": None,
        "DURATION": "00:00:00", "TIME_LEAKS": "00:17:53", "ACTIVE": True, "IP_OPEN": "127.0.0.1", "IP_CLOSE": "",
        "LAT_OPEN": 0, "LON_OPEN": 0, "LAT_CLOSE": 0, "LON_CLOSE": 0, "TZ_OFFSET": 10800,
    }  # fmt: skip


def test_a_day_is_paused_closed_or_forgotten(portal: Portal, clock: Clock) -> None:
    """A forgotten one proposes an end."""
    day = portal.add_work_day(2, at(9), at(11, 30), paused=True, leaks_s=600)
    shown = [(row["STATUS"], row["TIME_FINISH"], row["DURATION"]) for row in [status(portal, user_id="2")]]
    day.paused = False
    shown += [(row["STATUS"], row["TIME_FINISH"], row["DURATION"]) for row in [status(portal, user_id="2")]]
    assert shown == [
        ("PAUSED", "2026-11-18T11:30:00+03:00", "02:20:00"),
        ("CLOSED", "2026-11-18T11:30:00+03:00", "02:20:00"),
    ]
    day.finish = None
    clock.move(hours=16)
    row = status(portal, USER_ID=2)
    assert ("EXPIRED", "2026-11-18T18:00:00+03:00") == (row["STATUS"], row["TIME_FINISH_DEFAULT"])


@pytest.mark.parametrize(
    ("server", "own", "start", "hours", "shown"),
    [
        ("Europe/Moscow", "Asia/Yekaterinburg", at(6, 30), 5, "2026-11-18T08:30:00+05:00"),
        ("Europe/Moscow", "", at(9), 3, "2026-11-18T09:00:00+03:00"),
        ("UTC", "Asia/Kolkata", at(9), 5.5, "2026-11-18T11:30:00+05:30"),
        ("America/New_York", "America/St_Johns", at(20), -3.5, "2026-11-18T13:30:00-03:30"),
        # eight in the morning there is yesterday evening on the server
        ("Europe/Moscow", "Asia/Kamchatka", at(23, day=17), -12, "2026-11-17T08:00:00-12:00"),
    ],
)
def test_the_offset_is_the_persons_unless_the_date_is_another_there(
    portal: Portal, server: str, own: str, start: datetime, hours: float, shown: str
) -> None:
    """Only hours of the clock are compared: far in the east it comes out a day too little."""
    portal.server_zone, portal.users[2].time_zone = ZoneInfo(server), own
    portal.add_work_day(2, start)
    row = status(portal, USER_ID=2)
    assert (hours * 3600, shown) == (row["TZ_OFFSET"], row["TIME_START"])


def test_the_date_is_on_the_callers_clock(portal: Portal) -> None:
    """The time is the person's: together they are a moment of another day."""
    portal.owner.time_zone = "Asia/Kamchatka"
    portal.add_work_day(2, at(16))
    assert status(portal, USER_ID=2)["TIME_START"] == "2026-11-19T16:00:00+03:00"


@pytest.mark.parametrize("own", ["Asia/Omsk", ""])
def test_without_zones_the_offset_is_the_servers(portal: Portal, own: str) -> None:
    """A cheap look at the zone in force."""
    portal.use_time_zones, portal.default_time_zone, portal.users[2].time_zone = False, "Asia/Tokyo", own
    portal.add_work_day(2, at(9))
    assert status(portal, USER_ID=2)["TZ_OFFSET"] == 10800


def test_others_are_for_administrators(portal: Portal) -> None:
    """Without a code, like all errors of this method."""
    unknown = Asker(portal).error("timeman.status", USER_ID=99)
    assert (400, "", "User not found") == unknown
    portal.owner.admin = False
    text = "User does not have access to managing other users work time"
    assert (400, "", text) == Asker(portal).error("timeman.status", USER_ID=2)
    assert {"STATUS": "CLOSED"} == status(portal, USER_ID="1")
