"""What the portal's error codes mean: whether to repeat, who must act, and how to mend it.

The code in the body decides, not the HTTP status: the two disagree between the cloud, the
documentation and on-premise portals (apidocs.bitrix24.com/_includes/system-errors).
"""

from __future__ import annotations

import enum
import re
from collections.abc import Mapping
from typing import Any

from b24tools.bitrix24.retry import said
from b24tools.core import errors
from b24tools.core.i18n import _

QUERY_LIMIT = "QUERY_LIMIT_EXCEEDED"
OPERATION_LIMIT = "OPERATION_TIME_LIMIT"

DESCRIPTION_LENGTH = 300


class Verdict(enum.Enum):
    """What an error code says about the call."""

    AGAIN = "it did not run: any call may be repeated after a pause"
    UNSURE = "it may have run: only a read may be repeated"
    DENIED = "it did not run, and will not until a person changes something"
    REFUSED = "the method itself said no; the same call will fail again"


_AGAIN = {QUERY_LIMIT, OPERATION_LIMIT, "PORTAL_DELETED"}
_UNSURE = {"INTERNAL_SERVER_ERROR", "ERROR_UNEXPECTED_ANSWER", "CONNECTION_ERROR"}
_CREDENTIALS = {
    "NO_AUTH_FOUND",
    "INVALID_CREDENTIALS",
    "EXPIRED_TOKEN",
    "INVALID_TOKEN",
    "AUTHORIZATION_ERROR",
    "APPLICATION_NOT_FOUND",
}
_SCOPE = "INSUFFICIENT_SCOPE"
_DENIED = _CREDENTIALS | {
    _SCOPE,
    "USER_ACCESS_ERROR",
    "ACCESS_DENIED",
    "WRONG_AUTH_TYPE",
    "INVALID_REQUEST",
    "METHOD_CONFIRM_WAITING",
    "METHOD_CONFIRM_DENIED",
    "WRONG_LICENSE",
    "PAYMENT_REQUIRED",
}
_REFUSED = {
    "OVERLOAD_LIMIT",
    "ERROR_METHOD_NOT_FOUND",
    "ERROR_BATCH_METHOD_NOT_ALLOWED",
    "ERROR_BATCH_LENGTH_EXCEEDED",
    "ERROR_MANIFEST_IS_NOT_AVAILABLE",
    "ERROR_ARGUMENT",
    "ERROR_NOT_FOUND",
    "INTERNAL_WRONG_TRANSPORT",
    "INTERNAL_WRONG_HANDLER_CLASS",
}
# Said before anything is changed: the server that takes calls, the binding of parameters, the check of rights.
_BEFORE = _DENIED | (_REFUSED - {"ERROR_ARGUMENT", "ERROR_NOT_FOUND"}) | {"100", "1048578", "1048582"}
_BEFORE_ENDINGS = ("ACCESS_DENIED", "_OUT_OF_PROJECT_RANGE")
# REST 3.0 names its exceptions in full, BITRIX_REST_V3_EXCEPTION_…; the end of the name is ours.
_V3_ENDINGS = {
    "RATELIMITEXCEPTION": QUERY_LIMIT,
    "ACCESSDENIEDEXCEPTION": "ACCESS_DENIED",
    "INSUFFICIENTSCOPEEXCEPTION": _SCOPE,
}

_SCOPES = {
    "task": "task",
    "tasks": "task",
    "user": "user",
    "department": "department",
    "timeman": "timeman",
    "calendar": "calendar",
    "disk": "disk",
    "sonet_group": "sonet_group",
    "socialnetwork": "sonet_group",
}

_READS = {"get", "list", "getlist", "getchildren", "getfields", "fields", "getdata", "getaccess", "current", "search"}
_READS_BY_NAME = {
    *("profile", "scope", "methods", "server.time", "user.admin", "app.info", "timeman.status"),
    "sonet_group.feature.access",
}
_WRITES_BY_NAME = {"event.offline.get"}  # it clears what it gives


def is_read(method: str) -> bool:
    """Whether a method only reads, by its name: its last part, a few names, and one trap."""
    name = method.lower()
    return name not in _WRITES_BY_NAME and (name in _READS_BY_NAME or name.rpartition(".")[2] in _READS)


def scope_of(method: str) -> str:
    """The webhook's scope that a method needs, or "" where that is not known."""
    return _SCOPES.get(method.lower().partition(".")[0], "")


def read_error(body: Mapping[str, Any]) -> tuple[str, str] | None:
    """The code and the description in an answer or in an item of a batch; None if it is no error.

    The code may be empty, a number, or an object with `code` and `message` (REST 3.0).
    """
    if "error" not in body or (body["error"] is None and "result" in body):
        return None
    error = body["error"]
    if not isinstance(error, Mapping):
        return ("" if error is None else str(error)).strip(), clean(body.get("error_description"))
    details = error.get("validation")
    rows = [error, *details] if isinstance(details, list) else [error]
    texts = [clean(row.get("message")) for row in rows if isinstance(row, Mapping)]
    return str(error.get("code", "")).strip(), clean("; ".join(text for text in texts if text))


def clean(text: object) -> str:
    """A description for people: no tags, no entities, one line, not too long."""
    if not isinstance(text, (str, int, float)):
        return ""
    plain = re.sub(r"</?[A-Za-z][^>]*>", "", re.sub(r"<br\b[^>]*>", " ", str(text), flags=re.IGNORECASE))
    if "&" in plain:
        import html  # two thousand names of characters, for errors

        plain = html.unescape(plain)
    line = " ".join(plain.split())
    return line if len(line) <= DESCRIPTION_LENGTH else line[: DESCRIPTION_LENGTH - 1] + "…"


def canonical(code: str) -> str:
    """The code as the tables here have it."""
    upper = code.upper()
    return next((ours for ending, ours in _V3_ENDINGS.items() if upper.endswith(ending)), upper)


def judge(code: str, status: int = 200) -> Verdict:
    """What to do about a code; the status is asked only where the code says nothing."""
    name = canonical(code)
    if name in _AGAIN:
        return Verdict.AGAIN
    if name in _UNSURE:
        return Verdict.UNSURE
    if name in _DENIED:
        return Verdict.DENIED
    if name in _REFUSED:
        return Verdict.REFUSED
    if status == 429:
        return Verdict.AGAIN
    if status >= 500:  # ERROR_CORE "SQL query error!" among others
        return Verdict.UNSURE
    return Verdict.DENIED if status in (401, 403) else Verdict.REFUSED


def may_have_been_done(method: str, error: errors.PortalError) -> bool:
    """Whether a write may have been done in spite of its error: look before it is booked as not done.

    A method is no transaction: `tasks.task.add` saves the row, then makes the chat, the files and the history, and
    answers with the error of any of them. Texts are in the portal's language, so ERROR_CORE says nothing.
    """
    if is_read(method) or isinstance(error, errors.PortalDenied):
        return False
    if isinstance(error, errors.PortalBusy):
        return isinstance(error, errors.PortalUncertain)
    name = canonical(error.portal_code)
    return name not in _BEFORE and not name.endswith(_BEFORE_ENDINGS)


def refusal(method: str, code: str, description: str, status: int = 200) -> errors.PortalError:
    """The exception for an error that is not worth repeating."""
    kind = errors.PortalDenied if judge(code, status) is Verdict.DENIED else errors.PortalError
    return kind(describe(method, code, description), hint_for(method, code), method=method, portal_code=code)


def describe(method: str, code: str, description: str) -> str:
    """`tasks.task.add: text (CODE)`, of whatever is there."""
    reason = " ".join(part for part in (description, f"({code})" if code else "") if part)
    return said(method, reason or _("the portal refused without saying why"))


def hint_for(method: str, code: str) -> str:
    """What a person can do about an error."""
    name = canonical(code)
    if name in _CREDENTIALS:
        return _(
            "create the incoming webhook again (Developer resources → Other → Incoming webhook) "
            "and put its URL in BITRIX_WEBHOOK_URL"
        )
    if name == _SCOPE:
        scope = scope_of(method)
        if not scope:
            return _("give the incoming webhook the right that {method} needs").format(method=method)
        return _("give the incoming webhook the right “{scope}”: {method} needs it").format(scope=scope, method=method)
    return _hints().get(name, "")


def _hints() -> dict[str, str]:
    rights = _("the webhook's owner lacks the right to do this")
    plan = _("the portal's plan has no REST: it comes with a commercial plan or a subscription")
    either = _("the webhook's owner lacks the right to do this, or the portal's plan has no REST")
    own = _("this is a fault of b24tools: please report it")
    module = _("the portal does not have this method: its module is missing, switched off or too old")
    confirm = _("an administrator must confirm this method for the webhook on the portal")
    return {
        "USER_ACCESS_ERROR": rights,
        "ACCESS_DENIED": either,
        "WRONG_LICENSE": plan,
        "PAYMENT_REQUIRED": plan,
        "WRONG_AUTH_TYPE": _("an incoming webhook may not call this method"),
        "INVALID_REQUEST": _("the address in BITRIX_WEBHOOK_URL must begin with https://"),
        "METHOD_CONFIRM_WAITING": confirm,
        "METHOD_CONFIRM_DENIED": confirm,
        "OVERLOAD_LIMIT": _("REST is blocked by hand for this portal: only Bitrix24 support lifts that"),
        "ERROR_METHOD_NOT_FOUND": module,
        "ERROR_MANIFEST_IS_NOT_AVAILABLE": module,
        "ERROR_BATCH_METHOD_NOT_ALLOWED": own,
        "ERROR_BATCH_LENGTH_EXCEEDED": own,
        "INTERNAL_WRONG_TRANSPORT": own,
        "INTERNAL_WRONG_HANDLER_CLASS": _("a fault of the portal: ask its administrator"),
        "PORTAL_DELETED": _("the portal was deleted, or its public part is closed for maintenance"),
    }
