"""Fields that were sent and are not in the task: small plans of Bitrix24 drop them without an error."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

from b24tools.bitrix24.parsing import int_or_zero, php_values
from b24tools.bitrix24.portal_time import read_iso

# The offset of a returned date is today's, whatever its season: an hour says nothing.
SAME_MOMENT = timedelta(hours=1)


def dropped_fields(sent: Mapping[str, Any], row: Mapping[str, Any]) -> list[str]:
    """Name the fields of `tasks.task.add` or `update` that the answered task does not show as they were sent.

    `row`: the task in the answer. What was sent empty, and what the answer does not show at all, is not judged.
    """
    return [
        name
        for name, (key, is_there) in _CHECKS.items()
        if sent.get(name) and key in row and not is_there(sent[name], row[key])
    ]


def _same_number(sent: Any, shown: Any) -> bool:
    return int_or_zero(sent) == int_or_zero(shown)


def _same_people(sent: Any, shown: Any) -> bool:
    return set(map(int_or_zero, php_values(sent))) <= set(map(int_or_zero, php_values(shown)))


def _any_date(_sent: Any, shown: Any) -> bool:
    return read_iso(shown) is not None  # the portal's scheduler may move the dates of a plan


def _same_deadline(sent: Any, shown: Any) -> bool:
    """Instead of one that is missing the portal sets its default, five days ahead."""
    wanted, actual = read_iso(sent), read_iso(shown)
    return actual is not None and (wanted is None or abs(actual - wanted) <= SAME_MOMENT)


_CHECKS: dict[str, tuple[str, Callable[[Any, Any], bool]]] = {
    "GROUP_ID": ("groupId", _same_number),
    "RESPONSIBLE_ID": ("responsibleId", _same_number),
    "CREATED_BY": ("createdBy", _same_number),
    "AUDITORS": ("auditors", _same_people),
    "ACCOMPLICES": ("accomplices", _same_people),
    "ALLOW_TIME_TRACKING": ("allowTimeTracking", lambda sent, shown: sent != "Y" or shown == "Y"),
    "TIME_ESTIMATE": ("timeEstimate", _same_number),
    "START_DATE_PLAN": ("startDatePlan", _any_date),
    "END_DATE_PLAN": ("endDatePlan", _any_date),
    "DEADLINE": ("deadline", _same_deadline),
}
