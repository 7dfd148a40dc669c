"""What every emulated method is made of: its entry in the portal's list, the call, the answer, the refusal."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from b24tools.sandbox import php

if TYPE_CHECKING:
    from b24tools.sandbox.records import User
    from b24tools.sandbox.state import Portal

PAGE: Final = 50
SCRAMBLE: Final = 2654435761  # Knuth's multiplier: rows without ORDER BY come arbitrarily, yet the same every time


class RestError(Exception):
    """A refusal in the portal's words; `error` is always a string and may be empty."""

    def __init__(self, code: str, description: str, status: int = 400, **extra: Any) -> None:
        super().__init__(code, description)
        self.code = code
        self.status = status
        self.body = {"error": code, "error_description": description, **extra}  # without `time`


def core_error(text: str) -> RestError:
    """Refuse with an application exception of a module: its text ends with `<br>`."""
    return RestError("ERROR_CORE", f"{text}<br>")


def wrong_type(name: str, value: Any, kind: str) -> RestError:
    """Refuse a parameter of a controller method that is of another type."""
    text = f"Invalid value {{{php.to_text(value)}}} to match with parameter {{{name}}}."
    return RestError("100", f"{text} Should be value of type {kind}.")


@dataclass(frozen=True)
class Answer:
    """A method's result with the two values that go to the top of the envelope."""

    result: Any
    total: int | None = None
    next: int | None = None


@dataclass(frozen=True)
class Call:
    """One call of a method: by whom, with what."""

    portal: Portal
    user: User
    params: dict[str, Any]
    start: Any = None
    base_url: str = ""

    def write_date(self, at: int | None) -> str | None:
        """Write a date on the server's clock, whatever the caller's is."""
        return None if at is None else datetime.fromtimestamp(at, self.portal.server_zone).isoformat()

    def required(self, name: str) -> Any:
        """Give a parameter of a controller method; a missing one is error 100."""
        if self.params.get(name) is None:
            raise RestError("100", f"Could not find value for parameter {{{name}}}")
        return self.params[name]

    def array(self, name: str) -> Any:
        """Give an optional array of a controller method: null and scalars are refused, not taken for "none"."""
        value = self.params.get(name, {})
        if not php.is_array(value):
            raise wrong_type(name, value, "array")
        return value

    def task_id(self) -> int:
        """Give the task's number: under `taskId`, or `id`. An array counts as 1, the curse of broken references."""
        value = self.params.get("taskId", self.params.get("id"))
        if value is None:
            raise RestError("100", "CTaskItem All parameters in the constructor must have real class type")
        number = php.to_int(value)
        if number <= 0:
            raise RestError("0", "wrong task id")
        return number


@dataclass(frozen=True)
class Method:
    """An entry of the portal's list of methods. No scope: every webhook may call it."""

    name: str
    scope: str
    run: Callable[[Call], Any]
    writes: bool = False


METHODS: Final[dict[str, Method]] = {}  # by name in lower case; filled by the modules below


def method(name: str, scope: str = "", *, writes: bool = False) -> Callable[[Callable[[Call], Any]], Any]:
    """Enter the function below into the portal's list of methods."""

    def enter(run: Callable[[Call], Any]) -> Callable[[Call], Any]:
        METHODS[name.lower()] = Method(name, scope, run, writes)
        return run

    return enter


def page(rows: list[Any], start: Any, show: Callable[[Any], Any], *, floored: bool, restarts: bool = True) -> Answer:
    """Give a page of a list.

    Those of the ORM (users, disk) take `start` as a true offset. The older ones are floored to 50, -1 counts nothing,
    and past the end some of them give page 1 again.
    """
    offset = max(-1, php.to_int(start))
    if floored and offset == -1:
        return Answer([show(row) for row in rows[:PAGE]])
    offset = max(0, offset // PAGE * PAGE if floored else offset)
    if floored and restarts and offset >= len(rows):
        offset = 0
    shown = [show(row) for row in rows[offset : offset + PAGE]]
    following = offset + len(shown)
    return Answer(shown, total=len(rows), next=following if shown and following < len(rows) else None)


from b24tools.sandbox.methods import (  # noqa: E402 - they fill METHODS
    calendars,  # noqa: F401
    disk,  # noqa: F401
    groups,  # noqa: F401
    messages,  # noqa: F401
    people,  # noqa: F401
    task_list,  # noqa: F401
    task_time,  # noqa: F401
    tasks,  # noqa: F401
    work_day,  # noqa: F401
)
