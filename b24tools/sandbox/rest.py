"""What every emulated method is made of: the call, the answer, the refusal."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from b24tools.sandbox import php

if TYPE_CHECKING:
    from b24tools.sandbox.records import User
    from b24tools.sandbox.state import Portal

PAGE = 50


class RestError(Exception):
    """A refusal in the portal's words; `error` is always a string and may be empty."""

    def __init__(self, code: str, description: str, status: int = 400, **extra: Any) -> None:
        super().__init__(code, description)
        self.code = code
        self.description = description
        self.status = status
        self.extra = extra

    def body(self) -> dict[str, Any]:
        """The error envelope: it has no `time`."""
        return {"error": self.code, "error_description": self.description, **self.extra}


def core_error(text: str) -> RestError:
    """An application exception of a module: its text ends with `<br>`."""
    return RestError("ERROR_CORE", f"{text}<br>")


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
    path: str = ""

    def required(self, name: str) -> Any:
        """A parameter of a controller method; a missing one is error 100."""
        if self.params.get(name) is None:
            raise RestError("100", f"Could not find value for parameter {{{name}}}")
        return self.params[name]

    def array(self, name: str) -> Any:
        """An optional array of a controller method: null and scalars are refused, not taken for "none"."""
        value = self.params.get(name, {})
        if not php.is_array(value):
            text = f"Invalid value {{{php.to_text(value)}}} to match with parameter {{{name}}}."
            raise RestError("100", f"{text} Should be value of type array.")
        return value

    def required_array(self, name: str) -> Any:
        """Likewise, for one that must be there."""
        self.required(name)
        return self.array(name)

    def task_id(self) -> int:
        """The task's number: under `taskId`, or `id`. An array counts as 1, the curse of broken references."""
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


@dataclass(frozen=True)
class Response:
    """What goes back over HTTP; of a truncated one only the first half of the body arrives."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    truncated: bool = False


def floored_page(rows: list[Any], start: Any, *, restarts: bool = True) -> Answer:
    """A page of the old CDBResult lists: `start` is floored to 50, past the end comes page 1 again."""
    if php.to_int(start) == -1:
        return Answer(rows[:PAGE])
    offset = max(0, php.to_int(start)) // PAGE * PAGE
    if restarts and offset >= len(rows):
        offset = 0
    return _page(rows, offset)


def offset_page(rows: list[Any], start: Any) -> Answer:
    """A page of the ORM lists (users, disk): `start` is a true offset."""
    return _page(rows, max(0, php.to_int(start)))


def _page(rows: list[Any], offset: int) -> Answer:
    page = rows[offset : offset + PAGE]
    more = offset + len(page) < len(rows)
    return Answer(page, total=len(rows), next=offset + len(page) if more and page else None)
