"""Schedules, the calendar's settings and the working day; the portal's own working-time arithmetic."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any, Final

from b24tools.sandbox import php
from b24tools.sandbox.records import User, WorkDay
from b24tools.sandbox.rest import Call, Method, RestError

if TYPE_CHECKING:
    from b24tools.sandbox.state import Portal

WEEK: Final = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
FORGOTTEN_AFTER_S: Final = 18 * 3600
FINISH_BY_DEFAULT_S: Final = 18 * 3600
SETTINGS: Final[dict[str, Any]] = {
    "work_time_start": "9",
    "work_time_end": "19",
    "year_holidays": "1.01,2.01,7.01,23.02,8.03,1.05,9.05,12.06,4.11",
    "year_workdays": "",
    "week_holidays": ["SA", "SU"],
    "week_start": "MO",
    "user_name_template": "#NAME# #LAST_NAME#",
    "sync_by_push": False,
    "user_show_login": True,
    "path_to_user": "/company/personal/user/#user_id#/",
    "dep_manager_sub": True,
    "denied_superpose_types": [],
}


def new_schedule(number: int, *, kind: str = "FIXED", name: str = "Для всех") -> dict[str, Any]:
    """A schedule in the shape timeman.schedule.get gives it; the caller fills SHIFTS and the exclusions."""
    return {
        "ID": number,
        "NAME": name,
        "SCHEDULE_TYPE": kind,
        "REPORT_PERIOD": "MONTH",
        "REPORT_PERIOD_OPTIONS": {"START_WEEK_DAY": 0},
        "CALENDAR_ID": number,
        "ALLOWED_DEVICES": {"browser": True},
        "DELETED": "0",
        "IS_FOR_ALL_USERS": True,
        "WORKTIME_RESTRICTIONS": ["[]"],
        "CONTROLLED_ACTIONS": 3,
        "UPDATED_BY": 1,
        "DELETED_BY": 0,
        "DELETED_AT": "",
        "CREATED_BY": 0,
        "CREATED_AT": "2019-09-19T21:22:22+03:00",
        "SHIFTS": [],
        "CALENDAR": {"ID": number, "NAME": "", "PARENT_CALENDAR_ID": 0, "SYSTEM_CODE": "", "EXCLUSIONS": {}},
    }


def new_shift(number: int, schedule: int, start: int, end: int, *, days: str, break_s: int) -> dict[str, Any]:
    """A shift: seconds from midnight, days as digits from 1 = Monday."""
    times = {"BREAK_DURATION": break_s, "WORK_TIME_START": start, "WORK_TIME_END": end, "WORK_DAYS": days}
    return {"ID": number, "NAME": "", **times, "SCHEDULE_ID": schedule, "DELETED": False}


def get_schedule(call: Call) -> Any:
    """One schedule. A wrong id, or an owner who is no administrator, is `[]` with status 200."""
    schedule = call.portal.schedules.get(php.to_int(call.required("id")))
    if schedule is None or not call.user.admin:
        return []
    # Deleted shifts are not returned, and no key at all is left when there is none
    shifts = [shift for shift in schedule.get("SHIFTS", []) if not shift.get("DELETED")]
    shown = {key: value for key, value in schedule.items() if key != "SHIFTS"}
    return shown | ({"SHIFTS": shifts} if shifts else {})


def get_settings(call: Call) -> dict[str, Any]:
    """Portal-wide hours and holidays."""
    return dict(call.portal.calendar_settings)


def get_status(call: Call) -> dict[str, Any]:
    """A person's working day: nothing but a status where there has never been one."""
    portal, params = call.portal, php.upper_keys(call.params)
    user = call.user
    if "USER_ID" in params and php.to_text(params["USER_ID"]) != str(user.id):
        if not user.admin:
            raise RestError("", "User does not have access to managing other users work time")
        other = portal.users.get(php.to_int(params["USER_ID"]))
        if other is None:
            raise RestError("", "User not found")
        user = other
    days = [day for day in portal.work_days if day.user == user.id]
    return _status_of(call, user, days[-1]) if days else {"STATUS": "CLOSED"}


def _status_of(call: Call, user: User, day: WorkDay) -> dict[str, Any]:
    """The last day: dates on the caller's clock, times on the person's."""
    portal, now = call.portal, int(call.portal.now().timestamp())
    server_clock = datetime.fromtimestamp(day.start, portal.server_zone)
    # Only the hours are compared: where the person has another date than the server, it is a whole day out
    offset = _seconds_of(datetime.fromtimestamp(day.start, portal.zone_of(user))) - _seconds_of(server_clock)
    offset += round((portal.now().astimezone(portal.server_zone).utcoffset() or timedelta()).total_seconds())
    sign, minutes = ("-" if offset < 0 else "+"), abs(offset) // 60
    shown_offset = f"{sign}{minutes // 60:02}:{minutes % 60:02}"

    def shown(at: int, seconds: int | None = None) -> str:
        clock = datetime.fromtimestamp(at + portal.caller_shift(call.user), portal.server_zone)
        seconds = _seconds_of(datetime.fromtimestamp(at, portal.zone_of(user))) if seconds is None else seconds
        return f"{clock:%Y-%m-%d}T{_hms(seconds)}{shown_offset}"

    status = "PAUSED" if day.paused else "OPENED" if day.finish is None else "CLOSED"
    if day.finish is None and now > day.start + FORGOTTEN_AFTER_S:
        status = "EXPIRED"
    worked = 0 if day.finish is None else day.finish - day.start - day.leaks_s
    answer: dict[str, Any] = {
        "STATUS": status,
        "ID": day.id,
        "TIME_START": shown(day.start),
        "TIME_FINISH": None if day.finish is None else shown(day.finish),
        "DURATION": _hms(worked),
        "TIME_LEAKS": _hms(day.leaks_s),
        "ACTIVE": True,
        "IP_OPEN": "127.0.0.1",
        "IP_CLOSE": "" if day.finish is None else "127.0.0.1",
        "LAT_OPEN": 0,
        "LON_OPEN": 0,
        "LAT_CLOSE": 0,
        "LON_CLOSE": 0,
        "TZ_OFFSET": offset,
    }
    return answer | ({"TIME_FINISH_DEFAULT": shown(day.start, FINISH_BY_DEFAULT_S)} if status == "EXPIRED" else {})


def _seconds_of(clock: datetime) -> int:
    return clock.hour * 3600 + clock.minute * 60 + clock.second


def _hms(seconds: int) -> str:
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"


def _clock(text: Any) -> time:
    """`9.30` is half past nine: the dot divides hours from minutes."""
    hours, _, minutes = php.to_text(text).partition(".")
    return time(int(hours), int(minutes or 0))


def _is_working_day(portal: Portal, day: date) -> bool:
    settings = portal.calendar_settings
    key = f"{day.day}.{day.month:02}"
    if key in php.to_text(settings["year_workdays"]).split(","):
        return True
    return WEEK[day.weekday()] not in settings["week_holidays"] and key not in settings["year_holidays"].split(",")


def next_working_moment(portal: Portal, at: int) -> int:
    """The moment itself when it is in working hours, else the start of the next working day."""
    settings = portal.calendar_settings
    opens, closes = _clock(settings["work_time_start"]), _clock(settings["work_time_end"])
    local = datetime.fromtimestamp(at, portal.server_zone)
    if _is_working_day(portal, local.date()):
        if local.time() < opens:
            return int(datetime.combine(local.date(), opens, portal.server_zone).timestamp())
        if local.time() <= closes:
            return at
    day = local.date() + timedelta(days=1)
    while not _is_working_day(portal, day):
        day += timedelta(days=1)
    return int(datetime.combine(day, opens, portal.server_zone).timestamp())


def end_of_day_in(portal: Portal, user: User, days: int, *, working_days: bool) -> int:
    """The end of the portal's working day so many days ahead."""
    zone = portal.zone_of(user)
    day = portal.now().astimezone(zone).date()
    while days:
        day += timedelta(days=1)
        days -= not working_days or _is_working_day(portal, day)
    closes = _clock(portal.calendar_settings["work_time_end"])
    return int(datetime.combine(day, closes, zone).timestamp())


METHODS: Final = (
    Method("timeman.schedule.get", "timeman", get_schedule),
    Method("timeman.status", "timeman", get_status),
    Method("calendar.settings.get", "calendar", get_settings),
)
