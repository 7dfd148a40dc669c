"""Fields that were sent and are not in the task: small plans of Bitrix24 drop them without an error."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from b24tools.bitrix24.parsing import int_of, php_values

# The offset of a returned date is today's, whatever its season: an hour says nothing.
SAME_MOMENT = timedelta(hours=1)


def dropped_fields(sent: Mapping[str, Any], row: Mapping[str, Any]) -> list[str]:
    """Name the fields of `tasks.task.add` or `update` that the answered task does not show as they were sent.

    `row`: the task in the answer. What was sent empty, and what the answer does not show at all, is not judged.
    """
    return [name for name, is_there in _CHECKS.items() if sent.get(name) and not is_there(sent[name], row)]


def _has_number(key: str) -> Callable[[Any, Mapping[str, Any]], bool]:
    return lambda sent, row: key not in row or int_of(sent) == int_of(row[key])


def _has_people(key: str) -> Callable[[Any, Mapping[str, Any]], bool]:
    return lambda sent, row: (
        key not in row or set(map(int_of, php_values(sent))) <= set(map(int_of, php_values(row[key])))
    )


def _has_a_date(key: str) -> Callable[[Any, Mapping[str, Any]], bool]:
    # the portal's scheduler may move the dates of a plan
    return lambda sent, row: key not in row or _read(row[key]) is not None


def _has_deadline(sent: Any, row: Mapping[str, Any]) -> bool:
    """Instead of one that is missing the portal sets its default, five days ahead."""
    if "deadline" not in row:
        return True
    wanted, found = _read(sent), _read(row["deadline"])
    return found is not None and (wanted is None or abs(found - wanted) <= SAME_MOMENT)


def _read(text: Any) -> datetime | None:
    try:
        moment = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return moment if moment.tzinfo else None


_CHECKS: dict[str, Callable[[Any, Mapping[str, Any]], bool]] = {
    "GROUP_ID": _has_number("groupId"),
    "RESPONSIBLE_ID": _has_number("responsibleId"),
    "CREATED_BY": _has_number("createdBy"),
    "AUDITORS": _has_people("auditors"),
    "ACCOMPLICES": _has_people("accomplices"),
    "ALLOW_TIME_TRACKING": lambda sent, row: sent != "Y" or row.get("allowTimeTracking", "Y") == "Y",
    "TIME_ESTIMATE": _has_number("timeEstimate"),
    "START_DATE_PLAN": _has_a_date("startDatePlan"),
    "END_DATE_PLAN": _has_a_date("endDatePlan"),
    "DEADLINE": _has_deadline,
}
