"""The portal's error codes: what each means, whether the call may be sent again, and what a person can do about it.

The code in the body decides, not the HTTP status: the two disagree between the cloud, the
documentation and on-premise portals (apidocs.bitrix24.com/_includes/system-errors).
"""

from __future__ import annotations

import enum
import re
from collections.abc import Mapping
from typing import Any

from b24tools.core import errors
from b24tools.core.i18n import _

DESCRIPTION_LENGTH = 300


class Retry(enum.Enum):
    """Whether a call may be sent again after an error."""

    ALWAYS = "it did not run: any call may be sent again after a pause"
    READS_ONLY = "it may have run: only a read may be sent again"
    NEVER = "the method refused: the same call will fail again"
    AFTER_A_FIX = "it did not run, and will not until a person changes something"


class ErrorCode(enum.Enum):
    """A code with its meaning, and whether the call may be sent again."""

    QUERY_LIMIT_EXCEEDED = "more requests than the portal's rate allows", Retry.ALWAYS
    OPERATION_TIME_LIMIT = "the method has used up the server time it has in ten minutes", Retry.ALWAYS
    PORTAL_DELETED = "the portal was deleted; on a box: its public part is closed for a while", Retry.ALWAYS

    INTERNAL_SERVER_ERROR = "the portal failed while it worked on the call", Retry.READS_ONLY
    ERROR_UNEXPECTED_ANSWER = "a server behind the portal gave no proper answer", Retry.READS_ONLY
    CONNECTION_ERROR = "the box cannot reach the authorization server", Retry.READS_ONLY

    NO_AUTH_FOUND = "no webhook has this code", Retry.AFTER_A_FIX
    INVALID_CREDENTIALS = "the user of the webhook and its code do not match", Retry.AFTER_A_FIX
    EXPIRED_TOKEN = "the webhook has expired", Retry.AFTER_A_FIX
    INVALID_TOKEN = "the code is no token", Retry.AFTER_A_FIX
    AUTHORIZATION_ERROR = "the user of the webhook may not sign in", Retry.AFTER_A_FIX
    APPLICATION_NOT_FOUND = "the application behind the code is gone", Retry.AFTER_A_FIX
    INSUFFICIENT_SCOPE = "the webhook lacks the scope of this method", Retry.AFTER_A_FIX
    USER_ACCESS_ERROR = "the webhook's owner may not use REST", Retry.AFTER_A_FIX
    ACCESS_DENIED = "the owner lacks a right, or the plan has no REST", Retry.AFTER_A_FIX
    WRONG_AUTH_TYPE = "the method is not for webhooks", Retry.AFTER_A_FIX
    INVALID_REQUEST = "the call did not come by https", Retry.AFTER_A_FIX
    METHOD_CONFIRM_WAITING = "an administrator has yet to confirm the method", Retry.AFTER_A_FIX
    METHOD_CONFIRM_DENIED = "an administrator has refused the method", Retry.AFTER_A_FIX
    WRONG_LICENSE = "the box's licence does not allow this", Retry.AFTER_A_FIX
    PAYMENT_REQUIRED = "the plan has to be paid for", Retry.AFTER_A_FIX

    OVERLOAD_LIMIT = "REST was blocked by hand because of overload", Retry.NEVER
    ERROR_METHOD_NOT_FOUND = "the portal does not know the method", Retry.NEVER
    ERROR_MANIFEST_IS_NOT_AVAILABLE = "the module's description is missing", Retry.NEVER
    ERROR_BATCH_METHOD_NOT_ALLOWED = "the method may not be in a batch", Retry.NEVER
    ERROR_BATCH_LENGTH_EXCEEDED = "a batch of more than fifty commands", Retry.NEVER
    INTERNAL_WRONG_TRANSPORT = "the address ends in another form than JSON or XML", Retry.NEVER
    INTERNAL_WRONG_HANDLER_CLASS = "the portal's own code is broken", Retry.NEVER
    ERROR_ARGUMENT = "an argument is missing or has the wrong form", Retry.NEVER
    ERROR_NOT_FOUND = "what the call is about does not exist", Retry.NEVER

    def __init__(self, _meaning: str, retry: Retry) -> None:
        self.retry = retry


# REST 3.0 names its exceptions in full, BITRIX_REST_V3_EXCEPTION_…; the end of the name tells.
_V3_ENDINGS = {
    "RATELIMITEXCEPTION": ErrorCode.QUERY_LIMIT_EXCEEDED,
    "ACCESSDENIEDEXCEPTION": ErrorCode.ACCESS_DENIED,
    "INSUFFICIENTSCOPEEXCEPTION": ErrorCode.INSUFFICIENT_SCOPE,
}
# A method may have begun to work before it answers with these.
_FROM_INSIDE = {ErrorCode.ERROR_ARGUMENT, ErrorCode.ERROR_NOT_FOUND}
# Without a name of their own, but answered before anything is changed: a missing parameter (100), and tasks' refusals
# for want of rights (0x100002, 0x100006).
_BEFORE_ANY_CHANGE = re.compile(r"100|1048578|1048582|.*(?:ACCESS_DENIED|_OUT_OF_PROJECT_RANGE)")

SCOPES = ("task", "user", "department", "sonet_group", "disk", "timeman", "calendar")  # of a webhook; im only to notify
# Of methods whose first part is the name of a scope, or has another one.
_SCOPES = {name: name for name in (*SCOPES, "im")} | {"tasks": "task", "socialnetwork": "sonet_group"}

_READS = {"get", "list", "getlist", "getchildren", "getfields", "fields", "getdata", "getaccess", "current", "search"}
_READS_BY_NAME = {
    *("profile", "scope", "methods", "server.time", "user.admin", "app.info", "timeman.status"),
    "sonet_group.feature.access",
}
_WRITES_BY_NAME = {"event.offline.get"}  # it clears what it gives


def is_read(method: str) -> bool:
    """Tell by a method's name whether it only reads: by its last part, a few names, and one trap."""
    name = method.lower()
    return name not in _WRITES_BY_NAME and (name in _READS_BY_NAME or name.rpartition(".")[2] in _READS)


def read_error(body: Mapping[str, Any]) -> tuple[str, str] | None:
    """Read the code and the description of an answer or of a batch's item; None if it is no error.

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
    """Make a description fit for people: no tags, no entities, one line, not too long."""
    if not isinstance(text, (str, int, float)):
        return ""
    plain = re.sub(r"</?[A-Za-z][^>]*>", "", re.sub(r"<br\b[^>]*>", " ", str(text), flags=re.IGNORECASE))
    if "&" in plain:
        import html  # two thousand names of characters, for errors

        plain = html.unescape(plain)
    line = " ".join(plain.split())
    return line if len(line) <= DESCRIPTION_LENGTH else line[: DESCRIPTION_LENGTH - 1] + "…"


def find_code(code: str) -> ErrorCode | None:
    """Find a code in the table, in whatever case and version of REST; None for one that is not there."""
    upper = code.upper()
    of_v3 = (known for ending, known in _V3_ENDINGS.items() if upper.endswith(ending))
    return next(of_v3, ErrorCode.__members__.get(upper))


def judge(code: str, status: int = 200) -> Retry:
    """Decide whether to send a call again; the status counts only where the code says nothing."""
    if known := find_code(code):
        return known.retry
    if status == 429:
        return Retry.ALWAYS
    if status >= 500:  # ERROR_CORE "SQL query error!" among others
        return Retry.READS_ONLY
    return Retry.AFTER_A_FIX if status in (401, 403) else Retry.NEVER


def may_have_been_done(method: str, error: errors.PortalError) -> bool:
    """Tell whether a write may have been done in spite of its error: look before it is booked as not done.

    A method is no transaction: `tasks.task.add` saves the row, then makes the chat, the files and the history, and
    answers with the error of any of them. Texts are in the portal's language, so ERROR_CORE says nothing.
    """
    if is_read(method) or isinstance(error, errors.PortalDenied):
        return False
    if isinstance(error, errors.PortalBusy):
        return isinstance(error, errors.PortalUncertain)
    known = find_code(error.portal_code)
    if known and known not in _FROM_INSIDE and known.retry in (Retry.NEVER, Retry.AFTER_A_FIX):
        return False
    return not _BEFORE_ANY_CHANGE.fullmatch(error.portal_code.upper())


def refusal(method: str, code: str, description: str, status: int = 200) -> errors.PortalError:
    """Make the exception for an error after which the same call would fail again."""
    kind = errors.PortalDenied if judge(code, status) is Retry.AFTER_A_FIX else errors.PortalError
    return kind(describe(method, code, description), hint_for(method, code), method=method, portal_code=code)


def describe(method: str, code: str, description: str) -> str:
    """`tasks.task.add: text (CODE)`, of whatever is there."""
    reason = " ".join(part for part in (description, f"({code})" if code else "") if part)
    return name_method(method, reason or _("the portal refused without saying why"))


def name_method(method: str, text: str) -> str:
    """Put the method before a message about it. People need not know that calls travel in batches."""
    return text if method == "batch" else f"{method}: {text}"


def hint_for(method: str, code: str) -> str:
    """What a person can do about an error."""
    match find_code(code):
        case ErrorCode.INSUFFICIENT_SCOPE:
            if (scope := _SCOPES.get(method.lower().partition(".")[0])) is None:
                return _("Give the incoming webhook the right that {method} needs.").format(method=method)
            return _("Give the incoming webhook the right “{scope}”: {method} needs it.").format(
                scope=scope, method=method
            )
        case (
            ErrorCode.NO_AUTH_FOUND
            | ErrorCode.INVALID_CREDENTIALS
            | ErrorCode.EXPIRED_TOKEN
            | ErrorCode.INVALID_TOKEN
            | ErrorCode.AUTHORIZATION_ERROR
            | ErrorCode.APPLICATION_NOT_FOUND
        ):
            return _(
                "Create the incoming webhook again (Developer resources → Other → Incoming webhook) "
                "and put its URL in BITRIX_WEBHOOK_URL."
            )
        case ErrorCode.WRONG_LICENSE | ErrorCode.PAYMENT_REQUIRED:
            return _("The portal's plan has no REST: it comes with a commercial plan or a subscription.")
        case ErrorCode.METHOD_CONFIRM_WAITING | ErrorCode.METHOD_CONFIRM_DENIED:
            return _("An administrator must confirm this method for the webhook on the portal.")
        case ErrorCode.ERROR_METHOD_NOT_FOUND | ErrorCode.ERROR_MANIFEST_IS_NOT_AVAILABLE:
            return _("The portal does not have this method: its module is missing, switched off or too old.")
        case (
            ErrorCode.ERROR_BATCH_METHOD_NOT_ALLOWED
            | ErrorCode.ERROR_BATCH_LENGTH_EXCEEDED
            | ErrorCode.INTERNAL_WRONG_TRANSPORT
        ):
            return _("This is a fault of b24tools: please report it.")
        case ErrorCode.PORTAL_DELETED:
            return _("The portal was deleted, or its public part is closed for maintenance.")
        case ErrorCode.USER_ACCESS_ERROR:
            return _("The webhook's owner lacks the right to do this.")
        case ErrorCode.ACCESS_DENIED:
            return _("The webhook's owner lacks the right to do this, or the portal's plan has no REST.")
        case ErrorCode.WRONG_AUTH_TYPE:
            return _("An incoming webhook may not call this method.")
        case ErrorCode.INVALID_REQUEST:
            return _("The address in BITRIX_WEBHOOK_URL must begin with https://.")
        case ErrorCode.OVERLOAD_LIMIT:
            return _("REST is blocked by hand for this portal: only Bitrix24 support lifts that")
        case ErrorCode.INTERNAL_WRONG_HANDLER_CLASS:
            return _("A fault of the portal: ask its administrator.")
    return ""
