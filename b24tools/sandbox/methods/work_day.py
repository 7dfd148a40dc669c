"""timeman.status: a person's working day, and how far the clock there is from UTC."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final

from b24tools.sandbox import php
from b24tools.sandbox.methods import Call, RestError, method
from b24tools.sandbox.records import User, WorkDay

FORGOTTEN_AFTER_S: Final = 18 * 3600
FINISH_BY_DEFAULT_S: Final = 18 * 3600


@method("timeman.status", "timeman")
def get_status(call: Call) -> dict[str, Any]:
    """Show a person's last working day: nothing but a status where there has never been one."""
    params, user = php.upper_keys(call.params), call.user
    if "USER_ID" in params and php.to_text(params["USER_ID"]) != str(user.id):
        if not user.admin:
            raise RestError("", "User does not have access to managing other users work time")
        other = call.portal.users.get(php.to_int(params["USER_ID"]))
        if other is None:
            raise RestError("", "User not found")
        user = other
    days = [day for day in call.portal.work_days if day.user == user.id]
    return _show(call, user, days[-1]) if days else {"STATUS": "CLOSED"}


def _show(call: Call, user: User, day: WorkDay) -> dict[str, Any]:
    """Show a day: dates on the caller's clock, times on the person's."""
    portal = call.portal
    # Only the hours are compared: where the person has another date than the server, it is a whole day out
    person, server = (
        _seconds(datetime.fromtimestamp(day.start, zone)) for zone in (portal.zone_of(user), portal.server_zone)
    )
    server_offset = portal.now().astimezone(portal.server_zone).utcoffset() or timedelta()
    offset = person - server + round(server_offset.total_seconds())
    shown_offset = f"{'-' if offset < 0 else '+'}{abs(offset) // 3600:02}:{abs(offset) // 60 % 60:02}"

    def write(at: int, seconds: int | None = None) -> str:
        clock = datetime.fromtimestamp(at + portal.caller_shift(call.user), portal.server_zone)
        seconds = _seconds(datetime.fromtimestamp(at, portal.zone_of(user))) if seconds is None else seconds
        return f"{clock:%Y-%m-%d}T{_hms(seconds)}{shown_offset}"

    is_open, more = day.finish is None, {}
    status = "PAUSED" if day.paused else "OPENED" if is_open else "CLOSED"
    if is_open and portal.stamp > day.start + FORGOTTEN_AFTER_S:
        status, more = "EXPIRED", {"TIME_FINISH_DEFAULT": write(day.start, FINISH_BY_DEFAULT_S)}
    worked = 0 if day.finish is None else day.finish - day.start - day.leaks_s
    finish = None if day.finish is None else write(day.finish)
    answer = {"STATUS": status, "ID": day.id, "TIME_START": write(day.start), "TIME_FINISH": finish}
    answer |= {"DURATION": _hms(worked), "TIME_LEAKS": _hms(day.leaks_s), "ACTIVE": True}
    answer |= {"IP_OPEN": "127.0.0.1", "IP_CLOSE": "" if is_open else "127.0.0.1"}
    return answer | dict.fromkeys(("LAT_OPEN", "LON_OPEN", "LAT_CLOSE", "LON_CLOSE"), 0) | {"TZ_OFFSET": offset} | more


def _seconds(clock: datetime) -> int:
    return clock.hour * 3600 + clock.minute * 60 + clock.second


def _hms(seconds: int) -> str:
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
