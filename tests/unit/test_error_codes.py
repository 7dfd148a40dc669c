"""Which errors of a write leave open whether it was done."""

from __future__ import annotations

import pytest

from b24tools.bitrix24 import error_codes
from b24tools.core import errors

ADD = "tasks.task.add"


@pytest.mark.parametrize(
    "code",
    [
        "ERROR_UNKNOWN_ADD_TASK_ERROR",
        "ERROR_CORE",
        "ERROR_ARGUMENT",
        "INTERNAL_SERVER_ERROR",
        "ERROR_UNEXPECTED_ANSWER",
        "SOME_NEW_CODE",
        "0",
        "",
    ],
)
def test_an_error_that_does_not_say_when_it_arose_leaves_the_write_open(code: str) -> None:
    """The row is saved before the chat, the files and the history, and any of them may fail."""
    assert error_codes.may_have_been_done(ADD, errors.PortalError("no", portal_code=code))


@pytest.mark.parametrize(
    "code",
    [
        "ERROR_TASK_CREATE_ACCESS_DENIED",
        "ACCESS_DENIED",
        "insufficient_scope",
        "INVALID_CREDENTIALS",
        "ERROR_METHOD_NOT_FOUND",
        "ERROR_BATCH_LENGTH_EXCEEDED",
        "OVERLOAD_LIMIT",
        "TASKS_PLAN_DATE_END_OUT_OF_PROJECT_RANGE",
        "TASKS_DEADLINE_OUT_OF_PROJECT_RANGE",
        "BITRIX_REST_V3_EXCEPTION_ACCESSDENIEDEXCEPTION",
        "100",
        "1048582",
    ],
)
def test_rights_limits_and_missing_parameters_are_checked_before_anything_is_changed(code: str) -> None:
    """No look-up is spent on them."""
    assert not error_codes.may_have_been_done(ADD, error_codes.refusal(ADD, code, "no"))


def test_the_kind_of_error_decides_before_its_code() -> None:
    """A lost answer is open whatever it says; a call that was never taken, and any read, are not."""
    seen = [
        error_codes.may_have_been_done(ADD, errors.PortalUncertain("lost")),
        error_codes.may_have_been_done(ADD, errors.PortalBusy("full", portal_code="QUERY_LIMIT_EXCEEDED")),
        error_codes.may_have_been_done(ADD, errors.PortalBusy("cannot connect")),
        error_codes.may_have_been_done(ADD, error_codes.refusal(ADD, "ERROR_CORE", "no", 403)),
        error_codes.may_have_been_done("tasks.task.list", errors.PortalError("odd", portal_code="ERROR_CORE")),
    ]
    assert seen == [True, False, False, False, False]
