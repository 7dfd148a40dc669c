"""When people are away, from `calendar.accessibility.get`.

Two kinds of rows come mixed: calendar events, and the absence chart (`FROM_HR`: vacations, sick
leave), whose shape is known from the server's source only.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Any

from b24tools.bitrix.shapes import int_of, mapping_or_none, php_values
from b24tools.models import Absence


def read_absences(result: Any, zone: tzinfo) -> dict[int, list[Absence]]:
    """The absences in the method's answer, by person. `zone`: for days without a clock time."""
    found: dict[int, list[Absence]] = {}
    for user_id, rows in (mapping_or_none(result) or {}).items():
        away = [_absence(row, zone) for row in php_values(rows)]
        found[int(user_id)] = [absence for absence in away if absence]
    return found


def _absence(row: Any, zone: tzinfo) -> Absence | None:
    if not isinstance(row, Mapping) or row.get("ACCESSIBILITY") != "absent":
        return None
    if row.get("FROM_HR"):
        start, end = _edge(row, "DT_FROM", "FROM", zone), _edge(row, "DT_TO", "TO", zone, last=True)
    else:
        start, end = (
            _edge(row, "DATE_FROM", "DATE_FROM_TS_UTC", zone),
            _edge(row, "DATE_TO", "DATE_TO_TS_UTC", zone, last=True),
        )
    return Absence(start, end) if start and end and start < end else None


def _edge(row: Mapping[str, Any], name: str, stamp_name: str, zone: tzinfo, *, last: bool = False) -> datetime | None:
    """One end of an absence. A last day without a clock time is meant whole; in the absence chart midnight is none."""
    text, stamp = str(row.get(name) or ""), int_of(row.get(stamp_name))
    moment = datetime.fromtimestamp(stamp, zone) if stamp else None
    is_day = row.get("DT_SKIP_TIME") == "Y" or ":" not in text
    if row.get("FROM_HR") and moment is not None and moment.time() == time():
        is_day = True
    if not is_day:
        return moment and moment.astimezone(UTC)
    day = _site_date(text) or (moment and moment.date())
    if day is None:
        return None
    return datetime.combine(day + timedelta(days=1) if last else day, time(), zone).astimezone(UTC)


def _site_date(text: str) -> date | None:
    """The date of `01.07.2026` or `01.07.2026 00:00:00`, the format of Russian portals."""
    try:
        return datetime.strptime(text[:10], "%d.%m.%Y").date()  # noqa: DTZ007 - a date has no zone
    except ValueError:
        return None
