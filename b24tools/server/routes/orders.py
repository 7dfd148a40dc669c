"""What 1C is answered: from what became of its orders."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from b24tools.assignment.report import FAILED, OrderResult, TaskResult
from b24tools.core import errors
from b24tools.core.i18n import _

OK = {"message": "ok"}
# a client of the replaced system compares it, so it is the same in every language
UPDATE_FAILED = {"message": "При обновлении задачи произошла ошибка"}
TRY_LATER = 75  # the exit status of errors that pass by themselves
RETRY_AFTER_S = 30
LONGEST_RETRY_S = 3600


@dataclass(frozen=True)
class Answer:
    """A status with a body, and for 503 after how many seconds to come again."""

    status: int
    body: dict[str, Any]
    retry_after_s: int | None = None

    @property
    def headers(self) -> dict[str, str]:
        """Retry-After, where it applies."""
        return {} if self.retry_after_s is None else {"Retry-After": str(self.retry_after_s)}


def answer(results: Sequence[OrderResult], now: datetime) -> Answer:
    """The answer to `POST /`.

    | what failed                                    | answer |
    |------------------------------------------------|--------|
    | nothing                                        | 200 ok |
    | anything that will pass (portal busy)          | 503    |
    | only updates and completions of existing tasks | 200 При обновлении… |
    | anything else                                  | 500    |

    Warnings, where there are any, stand beside it: whatever was deleted or left alone is among them.
    """
    said = _status_and_body(results, now)
    return replace(said, body={**said.body, "warnings": found}) if (found := warnings_of(results)) else said


def warnings_of(results: Iterable[OrderResult]) -> list[str]:
    """What is to be said of orders and of their lines, each line's with its position."""
    found = [
        f"{order.number}: {text}"
        for order in results
        for text in [
            *order.warnings,
            *(f"{task.position}: {warning}" for task in order.tasks for warning in task.warnings),
        ]
    ]
    return list(dict.fromkeys(found))


def _status_and_body(results: Sequence[OrderResult], now: datetime) -> Answer:
    bad = [order for order in results if order.exit_status]
    failures = [task for order in bad for task in order.tasks if task.outcome == FAILED]
    if not bad:
        return Answer(200, OK)
    reasons = [task.error for task in failures if task.error is not None]
    passing = [error for error in reasons if error.exit_status == TRY_LATER]
    if passing:
        return Answer(503, {"detail": summary(results)}, retry_after_s(passing, now))
    if failures and all(task.task_id is not None for task in failures):
        return Answer(200, UPDATE_FAILED)
    return Answer(500, {"detail": summary(results)})


def refusal(error: errors.B24ToolsError, now: datetime) -> Answer:
    """The answer when an error ended everything before anything was written."""
    detail = {"detail": told(error)}
    if error.code == "too_large":
        return Answer(413, detail)
    if isinstance(error, errors.OrderError):
        return Answer(422, {"detail": error.message})
    if error.exit_status == TRY_LATER:
        return Answer(503, detail, retry_after_s([error], now))
    return Answer(500, detail)


def told(error: errors.B24ToolsError) -> str:
    """What happened, and what to do about it."""
    end = "" if error.message.endswith((".", "!", "?")) else "."
    return f"{error.message}{end} {error.hint}" if error.hint else error.message


def retry_after_s(reasons: Iterable[errors.B24ToolsError], now: datetime) -> int:
    """When it is worth trying again: when the portal said so, else soon."""
    known = [error.until for error in reasons if isinstance(error, errors.PortalBusy) and error.until]
    if not known:
        return RETRY_AFTER_S
    return min(max(1, math.ceil((max(known) - now).total_seconds())), LONGEST_RETRY_S)


def summary(results: Sequence[OrderResult]) -> str:
    """Which lines are done, which failed and why, in one text that 1C can show."""
    parts = []
    for order in results:
        done = [_named(task) for task in order.tasks if task.outcome != FAILED]
        failed = [_why(task) for task in order.tasks if task.outcome == FAILED]
        words = [
            *([_("done: {lines}").format(lines=", ".join(done))] if done else []),
            *([_("failed: {lines}").format(lines="; ".join(failed))] if failed else []),
        ]
        parts.append(_("order {number} - {words}").format(number=order.number, words="; ".join(words)))
    return ". ".join(parts)


def _named(task: TaskResult) -> str:
    return task.position if task.task_id is None else f"{task.position} (#{task.task_id})"


def _why(task: TaskResult) -> str:
    if task.error is None:
        return _named(task)
    return f"{_named(task)} - {task.error.message.rstrip('.')}"
