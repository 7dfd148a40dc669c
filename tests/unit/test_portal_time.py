"""The zone in force: told by the offset behind the dates of tasks, whatever profiles and settings say."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from b24tools.bitrix24 import parsing
from b24tools.bitrix24.portal_time import PortalClock
from b24tools.core.models import Owner
from b24tools.jobs import load
from tests.support.orders import Works, order, rules
from tests.support.snapshots import close, new_collector

MOSCOW, BERLIN, OMSK = ZoneInfo("Europe/Moscow"), ZoneInfo("Europe/Berlin"), ZoneInfo("Asia/Omsk")
PLACES = ("Europe/Berlin", "America/New_York", "Asia/Kathmandu", "Asia/Vladivostok")
WINTER, SUMMER = "2026-11-23T07:00:00+03:00", "2026-07-23T07:00:00+03:00"


def hours(number: float) -> timezone:
    """A bare offset."""
    return timezone(timedelta(hours=number))


def clock(profile_zone: str, server_now: str | None) -> PortalClock:
    """Before any date has been seen; B24_TZ is Europe/Moscow."""
    return PortalClock(Owner(1, "", True, profile_zone), MOSCOW, server_now)


def row(offset: str) -> dict[str, Any]:
    """A task of a portal where it is now so far from UTC."""
    return {"id": "1", "createdDate": f"2026-05-01T10:00:00{offset}", "deadline": None, "changedDate": "0000-00-00"}


@pytest.mark.parametrize(
    ("profile_zone", "server_now", "expected"),
    [
        ("Asia/Omsk", WINTER, OMSK),
        ("", WINTER, MOSCOW),
        ("", "2026-11-23T10:00:00+06:00", hours(6)),
        ("US/Nowhere", WINTER, MOSCOW),
        ("", "", MOSCOW),
        ("", None, MOSCOW),
        ("", "2026-11-23T07:00:00", MOSCOW),
    ],
)
def test_without_a_date_the_profile_and_the_server_tell(
    profile_zone: str, server_now: str | None, expected: Any
) -> None:
    """The owner's; else the server's, of which only the offset is known; else the configured one."""
    portal_clock = clock(profile_zone, server_now)
    assert (expected, "") == (portal_clock.see([{"id": "1", "createdDate": None}]), portal_clock.warning)
    assert not portal_clock.seen


@pytest.mark.parametrize(
    ("profile_zone", "server_now", "offset", "expected", "source"),
    [
        ("Europe/Berlin", WINTER, "+01:00", BERLIN, "profile"),
        ("Europe/Berlin", SUMMER, "+02:00", BERLIN, "profile"),
        ("Europe/Berlin", WINTER, "+03:00", MOSCOW, "settings"),  # "use time zones" is off
        ("", WINTER, "+03:00", MOSCOW, "settings"),
        ("", "2026-11-23T09:00:00+05:00", "+03:00", MOSCOW, "settings"),  # the portal's default is not the server's
        ("Europe/Berlin", WINTER, "+02:00", hours(2), "offset"),  # that of summer
        ("", WINTER, "+05:00", hours(5), "offset"),
        ("US/Nowhere", WINTER, "-05:00", hours(-5), "offset"),
        ("", WINTER, "+05:30", hours(5.5), "offset"),
        ("", WINTER, "+00:00", hours(0), "offset"),
    ],
)
def test_the_offset_of_a_date_decides(
    profile_zone: str, server_now: str, offset: str, expected: Any, source: str
) -> None:
    """A zone with a name only where it is as far from UTC now; the warning names what disagrees."""
    portal_clock = clock(profile_zone, server_now)
    assert (expected, source, True) == (portal_clock.see([row(offset)]), portal_clock.source, portal_clock.seen)
    assert (offset in portal_clock.warning, "Europe/Moscow" in portal_clock.warning) == ((source == "offset"),) * 2
    assert portal_clock.see([row("+09:00")]) == expected, "it is settled"


def test_a_date_of_the_distant_past_with_an_offset_of_its_own_decides_nothing() -> None:
    """Most dates do; zero dates never."""
    odd = {"id": "2", "createdDate": "-0001-11-30T00:00:00+02:30", "deadline": "1900-01-01T00:00:00+02:30"}
    assert clock("", WINTER).see([odd, row("+03:00"), row("+03:00")]) == MOSCOW


@given(
    now=st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
    moment=st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
    force=st.sampled_from(["Europe/Moscow", "Europe/Berlin", "America/New_York", "Asia/Kathmandu", "Asia/Vladivostok"]),
    profile=st.sampled_from(
        ["", "Europe/Berlin", "America/New_York", "Asia/Kathmandu", "Asia/Vladivostok", "Mars/Base"]
    ),
    server=st.sampled_from(["UTC", "Europe/Moscow", "Asia/Vladivostok"]),
)
def test_a_date_is_read_as_it_was_meant(now: datetime, moment: datetime, force: str, profile: str, server: str) -> None:
    """Whatever the option, the profile and the server: exactly where a name agrees, else as clocks stand now."""
    now, moment = now.replace(microsecond=0), moment.replace(microsecond=0)
    zone = ZoneInfo(force)
    wall = moment.astimezone(zone)
    text = f"{wall.replace(tzinfo=None).isoformat()}{now.astimezone(zone).isoformat()[-6:]}"
    portal_clock = clock(profile, now.astimezone(ZoneInfo(server)).isoformat())
    read = parsing.read_moment(text, portal_clock.see([{"id": "1", "closedDate": text}]))
    meant = wall.replace(fold=0).astimezone(UTC)
    if portal_clock.zone == zone:
        assert read == meant
    assert now.astimezone(portal_clock.zone).utcoffset() == now.astimezone(zone).utcoffset()
    if wall.utcoffset() == now.astimezone(zone).utcoffset() and portal_clock.source == "offset":
        assert read == moment


# what comes of it

IN_FORCE = [
    # profile, default of the portal, option "use time zones", server; whether a zone with a name has the offset of now
    ("Asia/Vladivostok", "", True, "Europe/Moscow", True),
    ("Asia/Vladivostok", "", False, "Europe/Moscow", True),
    ("Asia/Vladivostok", "Asia/Omsk", False, "Asia/Yekaterinburg", False),
    ("", "Europe/Moscow", True, "America/Bogota", True),
    ("", "Asia/Yekaterinburg", True, "Europe/Moscow", False),
    ("", "America/Bogota", True, "UTC", False),
]


@pytest.mark.parametrize(("profile", "default", "use_zones", "server"), [case[:4] for case in IN_FORCE])
def test_weeks_are_right_whatever_zone_is_in_force(
    tmp_path: Path, profile: str, default: str, use_zones: bool, server: str
) -> None:
    """Tasks closed around midnight on Mondays, to the second."""
    options = {"server_zone": server, "use_time_zones": use_zones, "default_time_zone": default}
    works = new_collector(tmp_path, datetime(2026, 11, 27, 12, tzinfo=MOSCOW), **options)
    works.portal.owner.time_zone = profile
    for monday in (9, 16, 23):
        for second in (-3600, -1, 0, 1, 3600):
            close(works.portal, datetime(2026, 11, monday, tzinfo=MOSCOW) + timedelta(seconds=second))
    works.since(2026, 11, 2)
    assert works.true_rows() == works.saved()


@pytest.mark.parametrize(("profile", "default", "use_zones", "server", "named"), IN_FORCE)
def test_plans_are_right_whatever_zone_is_in_force(
    works: Works, profile: str, default: str, use_zones: bool, server: str, named: bool
) -> None:
    """A slot from nine to twelve in Moscow is taken, and a doubt about the zone is said by `assign` and `load`."""
    portal = works.portal
    portal.server_zone, portal.default_time_zone, portal.use_time_zones = ZoneInfo(server), default, use_zones
    portal.owner.time_zone = profile
    shop = portal.add_department("Резчик", parent=4)
    person = portal.add_user("Иван", "Первый", departments=[shop.id]).id
    nine = datetime(2026, 11, 23, 9, tzinfo=MOSCOW)
    portal.add_task(
        "А",
        responsible=person,
        xml_id="1c:x:y",
        time_estimate=3 * 3600,
        start_plan=nine,
        end_plan=nine + timedelta(hours=3),
    )
    (result,) = works.assign(order([("Резчик", 60)]))
    (task,) = result.tasks
    assert ("created", nine + timedelta(hours=3), nine + timedelta(hours=4)) == (task.outcome, task.start, task.end)
    with works.tools(dry_run=True) as tools:
        seen = load.load(tools, rules(), "Резчик")
    assert [named] * 2 == [all("offset" not in text for text in texts) for texts in (result.warnings, seen.warnings)]
