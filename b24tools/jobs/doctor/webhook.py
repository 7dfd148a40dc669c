"""The webhook: its address, whose it is, what it may, the portal's clock, zone and keys."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

from b24tools.bitrix24 import queries, webhook_url
from b24tools.bitrix24.portal_time import PortalClock, find_zone
from b24tools.core import errors
from b24tools.core.i18n import _
from b24tools.jobs.doctor.asking import Answers, Known
from b24tools.jobs.doctor.checks import Check, fail, from_error, guarded, listed, ok, warn
from b24tools.jobs.doctor.subject import Subject

LOCAL = {"localhost", "127.0.0.1", "::1"}
A_LITTLE_OFF = timedelta(seconds=60)
FAR_OFF = timedelta(minutes=10)
REFUSALS = {"NO_AUTH_FOUND", "INVALID_CREDENTIALS", "EXPIRED_TOKEN", "INVALID_TOKEN", "AUTHORIZATION_ERROR"}
READING_TAKES = timedelta(seconds=1)  # the server's clock is told in whole seconds


def check_address(subject: Subject) -> Check:
    """The form of the webhook's URL, as far as it can be judged here. Never repeats it: it is a password."""
    if subject.webhook_problem is not None:
        return from_error("webhook", subject.webhook_problem)
    url = subject.webhook_url
    try:
        found = webhook_url.read(url)
    except errors.ConfigError as error:
        reason = _misshape(url)
        detail = f"{error.message}: {reason}" if reason else error.message
        return fail("webhook", detail, error.hint)
    if found.owner_id is None:
        told = _("{portal}, by a login").format(portal=found.portal)
    else:
        told = _("{portal}, user {id}").format(portal=found.portal, id=found.owner_id)
    if found.portal.startswith("http:") and urlsplit(found.portal).hostname not in LOCAL:
        return warn(
            "webhook",
            _("{told}: begins with http://, so the secret crosses the network in clear").format(told=told),
            _("Write https:// in BITRIX_WEBHOOK_URL."),
        )
    if found.tail:
        return warn(
            "webhook",
            _("{told}: something follows the code, the method of the example perhaps").format(told=told),
            _("It works, but better end BITRIX_WEBHOOK_URL with the code and a slash."),
        )
    return ok("webhook", told)


def check_refusal(error: errors.B24ToolsError, detail: str) -> Check | None:
    """What is wrong with a webhook whose calls the portal refuses; None for any other error. `detail`: its address."""
    if not isinstance(error, errors.PortalError) or error.portal_code.upper() not in REFUSALS:
        return None
    return fail(
        "webhook",
        _("{detail}; the portal refuses it: {reason}").format(detail=detail, reason=error.message),
        _(
            "Open the webhook on the portal (Developer resources → Other → Incoming webhook). If it was deleted, or "
            "edited by another administrator (that makes a new code), or if its date has passed, create it again; if "
            "its owner was dismissed or has lost the right to use webhooks, let an active administrator create it. "
            "Then put its URL into BITRIX_WEBHOOK_URL."
        ),
    )


def check(subject: Subject, answers: Answers, known: Known) -> Iterator[Check]:
    """What the first batch tells about the webhook and the portal."""
    yield from guarded("owner", lambda: [_owner(subject, answers)])
    yield from _scopes(answers)
    yield from guarded("clock", lambda: [_clock(answers)])
    yield from guarded("zones", lambda: [_zones(subject, answers)])
    yield from guarded("tasks", lambda: [_tasks(answers)])
    yield from guarded("keys", lambda: [_keys(answers, known)])


def missing_scopes(answers: Answers) -> set[str]:
    """Scopes that the webhook lacks; none where they are not told."""
    try:
        told = answers.read("scopes", queries.scopes())
    except errors.PortalError:
        return set()
    given = set(told)
    return {scope for scope in _purposes() if scope not in given and not (scope == "user" and _USERS & given)}


_USERS = {"user_basic", "user_brief"}


def _purposes() -> dict[str, tuple[bool, str]]:
    """Each scope: whether nothing goes without it, and what it is for."""
    return {
        "task": (True, _("reads and makes tasks: nothing goes without it")),
        "user": (True, _("reads people: nobody can be given work without it")),
        "department": (True, _("reads departments: positions are looked for there")),
        "sonet_group": (True, _("finds and makes the project for the tasks")),
        "disk": (True, _("stores the orders' files: orders with files fail without it")),
        "timeman": (False, _("reads the work schedule: without it the calendar's hours count")),
        "calendar": (False, _("reads absences and holidays: without it people on leave are given work")),
    }


def _misshape(url: str) -> str:
    """What is wrong with an address, as far as one can tell without showing it."""
    if re.search(r"\s", url.strip()):
        return _("there are blanks in it")
    if not re.match(r"https?://", url, re.IGNORECASE):
        return _("it does not begin with https://")
    if "/rest/" not in url:
        return _("there is no /rest/ in it: that is the address of a page")
    if re.search(r"/rest/(?:api/)?[^/]*[^/\d][^/]*/", url):
        return _("no user's number follows /rest/")
    return ""


def _owner(subject: Subject, answers: Answers) -> Check:
    owner = answers.read("profile", queries.profile())
    told = f"{owner.name} (#{owner.id})"
    if is_system_user(subject, answers):
        detail = _(
            "the webhook's owner was dismissed, and it lives on as the invisible user #{id}: tasks that he creates "
            "belong to no person"
        ).format(id=owner.id)
        fix = _("Let an active administrator create the webhook anew, and put its URL into BITRIX_WEBHOOK_URL")
        if subject.fallback_user and owner.admin:
            detail = _("{detail}; user {fallback} of B24_FALLBACK_USER creates them instead").format(
                detail=detail, fallback=subject.fallback_user
            )
            return warn("owner", detail, f"{fix}.")
        return fail("owner", detail, _("{fix}; until then set B24_FALLBACK_USER: he creates them.").format(fix=fix))
    if owner.admin:
        return ok("owner", _("{name}, an administrator").format(name=told))
    detail = _("{name} is no administrator, and sees only a part of the tasks").format(name=told)
    mend = _("Let an administrator create the webhook, and put its URL into BITRIX_WEBHOOK_URL.")
    if subject.non_admin:
        return warn("owner", _("{detail}; B24_NON_ADMIN=1 plans by these").format(detail=detail), mend)
    return fail("owner", detail, mend)


def is_system_user(subject: Subject, answers: Answers) -> bool:
    """Whether the webhook has outlived its owner: its calls are another user's than its address says.

    Where the address has a login in place of the id, it is a user whom `user.get` does not show.
    """
    owner = answers.read("profile", queries.profile())
    in_address = webhook_url.read(subject.webhook_url).owner_id
    if in_address:
        return in_address != owner.id
    return answers.knows_people and answers.failure is None and owner.id not in answers.people


def _scopes(answers: Answers) -> Iterator[Check]:
    try:
        told = answers.read("scopes", queries.scopes())
    except errors.PortalError as error:
        yield from_error("scopes", error)
        return
    given = set(told)
    missing = missing_scopes(answers)
    for scope, (needed, purpose) in _purposes().items():
        name = f"scope {scope}"
        mend = _("Edit the webhook on the portal (Developer resources) and tick “{scope}”.").format(scope=scope)
        if scope == "task" and scope in missing and "tasks" in given:
            mend = _("{mend} “tasks”, which it has, is another one (REST 3.0).").format(mend=mend)
        if scope in missing:
            yield (fail if needed else warn)(name, _("missing; {purpose}").format(purpose=purpose), mend)
        elif scope not in given:
            yield warn(name, _("only {others}: shows fewer fields").format(others=listed(sorted(_USERS & given))), mend)
        else:
            yield ok(name, purpose)


def _clock(answers: Answers) -> Check:
    text = answers.read("server", queries.server_time())
    try:
        server = datetime.fromisoformat(text)
    except ValueError:
        server = None
    if server is None or server.tzinfo is None:
        return warn(
            "clock",
            _("server.time answered {text!r}").format(text=text[:40]),
            _("Report this: it cannot be told whether the clocks agree."),
        )
    off = timedelta()
    if server < answers.before - READING_TAKES:
        off = server - answers.before
    elif server > answers.after:
        off = server - answers.after
    seconds = abs(off) // timedelta(seconds=1)
    if off > timedelta():
        told = _("the portal is {n} s ahead of this machine").format(n=seconds)
    else:
        told = _("this machine is {n} s ahead of the portal").format(n=seconds)
    mend = _("Let this machine keep its time by NTP (`timedatectl set-ntp true`; Windows: `w32tm /resync`).")
    if seconds > FAR_OFF.total_seconds():
        return fail("clock", told, mend)
    if seconds > A_LITTLE_OFF.total_seconds():
        return warn("clock", told, mend)
    return ok("clock", _("agrees with the portal's, which says {text}").format(text=text))


def _zones(subject: Subject, answers: Answers) -> Check:
    """The zone in whose wall clock the portal writes dates: the offset of a task's date shows it."""
    owner = answers.read("profile", queries.profile())
    now = answers.after.astimezone(UTC)
    server_text = answers.read("server", queries.server_time())
    clock = PortalClock(owner, subject.zone, server_text)
    rows = answers.read("newest", queries.newest_tasks())
    read_in = clock.see(rows)
    sources = {
        "profile": _("the profile of the webhook's owner"),
        "settings": _("B24_TZ, and the portal's offset agrees"),
        "offset": _("the offset of the tasks' dates"),
        "server": _("the server's offset, there is no task yet"),
    }
    detail = _("dates are read in {zone} (from: {source}); B24_TZ {ours}, server {server}").format(
        zone=read_in, source=sources[clock.source], ours=subject.zone.key, server=server_text[-6:]
    )
    if owner.time_zone and not find_zone(owner.time_zone):
        return warn(
            "zones",
            _("{detail}; the owner's zone {zone} is unknown here").format(detail=detail, zone=owner.time_zone),
            _("Choose another time zone in the profile of the webhook's owner."),
        )
    if clock.warning:
        return warn(
            "zones",
            f"{detail}; {clock.warning}",
            _("Set B24_TZ to the portal's time zone, or choose it in the profile of the webhook's owner."),
        )
    if now.astimezone(read_in).utcoffset() != now.astimezone(subject.zone).utcoffset():
        return warn(
            "zones",
            _("{detail}: hours of work are meant in B24_TZ").format(detail=detail),
            _("Set B24_TZ to the zone of the plant; if it is, the owner's profile has another one."),
        )
    return ok("zones", detail)


def _tasks(answers: Answers) -> Check:
    rows = answers.read("newest", queries.newest_tasks())
    answers.read("open", queries.open_work_count())
    item = answers.items["newest"]
    told = _("{n} open on the portal, as far as the owner sees").format(n=answers.items["open"].total or 0)
    counted = item.total is not None or item.next is not None
    if counted and len(rows):
        return ok("tasks", _("{told}; start=-1 is answered with a total: long lists take longer").format(told=told))
    return ok("tasks", _("{told}; start=-1 saves counting").format(told=told))


def _keys(answers: Answers, known: Known) -> Check:
    """XML_ID is in the server's code but not in its documentation: see what this portal does with it."""
    mend = _(
        "Nothing to set: tasks are found by the database and by their exact titles. Keep copies of the data folder."
    )
    if answers.read("foreign_key", queries.foreign_key()):
        return warn("keys", _("the filter XML_ID is ignored: a key nobody has brings tasks"), mend)
    if known.key:
        rows = answers.read("known_key", queries.tasks_by_key([known.key]))
        if any(row.get("xmlId") == known.key for row in rows):
            return ok("keys", _("XML_ID is kept and found: the last order's task came by its key"))
        return warn("keys", _("the task sent last is not found by its key: deleted, or XML_ID is not kept"), mend)
    rows = answers.read("newest", queries.newest_tasks())
    if rows and "xmlId" not in rows[0]:
        return warn("keys", _("tasks have no field xmlId"), mend)
    if not rows:
        return ok("keys", _("the filter XML_ID works; there is no task yet to see the field on"))
    return ok("keys", _("the filter XML_ID works, and tasks show the field"))
