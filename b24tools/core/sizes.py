"""Numbers of bytes and spans of time, as people read them."""

from __future__ import annotations

from b24tools.core.i18n import _, ngettext

KIB, MIB = 1024, 1024 * 1024
HOUR_S = 3600


def format_size(count: int) -> str:
    """Write a number of bytes, rounded; what is there is never 0."""
    if count < MIB:
        return _("{n} KiB").format(n=-(-count // KIB))
    if count < 10_000 * MIB:
        return _("{n} MiB").format(n=round(count / MIB))
    return _("{n} GiB").format(n=count // MIB // 1024)


def format_duration(seconds: int) -> str:
    """Write calendar time in days and hours, or hours and minutes."""
    days, hours, minutes = seconds // 86_400, seconds % 86_400 // HOUR_S, seconds % HOUR_S // 60
    in_hours, in_minutes = _("{n} h").format(n=hours), _("{n} min").format(n=minutes)
    if days:
        in_days = ngettext("{n} day", "{n} days", days).format(n=days)
        return f"{in_days} {in_hours}" if hours and days < 10 else in_days
    return f"{in_hours} {in_minutes}" if hours and minutes else in_hours if hours else in_minutes
