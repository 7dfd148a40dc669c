"""The webhook: its address, whose it is, what it may, the portal's clock, limits and keys."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

from b24tools import errors
from b24tools.bitrix import address, methods, probes
from b24tools.bitrix.zones import PortalClock, find_zone
from b24tools.i18n import _
from b24tools.jobs.doctor.asking import Answers, Known
from b24tools.jobs.doctor.checks import Check, fail, from_error, guarded, listed, ok, warn
from b24tools.jobs.doctor.subject import Subject

LOCAL = {"localhost", "127.0.0.1", "[::1]"}
A_LITTLE_OFF = timedelta(seconds=60)
FAR_OFF = timedelta(minutes=10)
READING_TAKES = timedelta(seconds=1)  # the server's clock is told in whole seconds


def check_address(subject: Subject) -> Check:
    """The form of the webhook's URL, as far as it can be judged here. Never repeats it: it is a password."""
    if subject.webhook_problem is not None:
        return from_error("webhook", subject.webhook_problem)
    url = subject.webhook_url
    try:
        found = address.read(url)
    except errors.ConfigError as error:
        reason = _misshape(url)
        detail = f"{error.message}: {reason}" if reason else error.message
        return fail("webhook", detail, error.hint)
    told = _("{portal}, user {id}").format(portal=found.portal, id=found.owner_id)
    parts = urlsplit(url.strip())
    if parts.scheme.lower() == "http" and found.host.partition(":")[0] not in LOCAL:
        return warn(
            "webhook",
            _("{told}: begins with http://, so the secret crosses the network in clear").format(told=told),
            _("Write https:// in BITRIX_WEBHOOK_URL."),
        )
    if re.sub(r"^/rest/(?:api/)?\d+/[^/]+/?", "", parts.path, flags=re.IGNORECASE) or parts.query or parts.fragment:
        return warn(
            "webhook",
            _("{told}: something follows the code, the method of the example perhaps").format(told=told),
            _("It works, but better end BITRIX_WEBHOOK_URL with the code and a slash."),
        )
    return ok("webhook", told)


def check(subject: Subject, answers: Answers, known: Known) -> Iterator[Check]:
    """What the first batch tells about the webhook and the portal."""
    yield from guarded("owner", lambda: [_owner(subject, answers)])
    yield from _scopes(answers)
    yield from guarded("clock", lambda: [_clock(answers)])
    yield from guarded("zones", lambda: [_zones(subject, answers)])
    yield _limits(answers)
    yield from guarded("tasks", lambda: [_tasks(answers)])
    yield from guarded("keys", lambda: [_keys(answers, known)])
    yield ok(
        "default_deadline",
        _("cannot be read without making a task; b24tools always says a deadline, so it never counts"),
    )


def missing_scopes(answers: Answers) -> set[str]:
    """Scopes that the webhook lacks; none where they are not told."""
    try:
        told = answers.read("scopes", probes.scopes())
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
    owner = answers.read("profile", methods.profile())
    told = f"{owner.name} (#{owner.id})"
    if owner.admin:
        return ok("owner", _("{name}, an administrator").format(name=told))
    detail = _("{name} is no administrator, and sees only a part of the tasks").format(name=told)
    mend = _("Let an administrator create the webhook, and put its URL into BITRIX_WEBHOOK_URL.")
    if subject.non_admin:
        return warn("owner", _("{detail}; B24_NON_ADMIN=1 plans by these").format(detail=detail), mend)
    return fail("owner", detail, mend)


def _scopes(answers: Answers) -> Iterator[Check]:
    try:
        told = answers.read("scopes", probes.scopes())
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
    text = answers.read("server", methods.server_time())
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
    owner = answers.read("profile", methods.profile())
    now = answers.after.astimezone(UTC)
    server_text = answers.read("server", methods.server_time())
    clock = PortalClock(owner, subject.zone, server_text)
    rows = answers.read("newest", probes.newest_tasks())
    read_in = clock.see(rows)
    ours = now.astimezone(subject.zone).utcoffset()
    names = _("B24_TZ {ours}; owner: {owner}; server: {server}").format(
        ours=subject.zone.key, owner=owner.time_zone or _("as the server"), server=server_text[-6:]
    )
    if owner.time_zone and not find_zone(owner.time_zone):
        return warn(
            "zones",
            _("{names}: that of the owner is unknown here").format(names=names),
            _("Choose another time zone in the profile of the webhook's owner."),
        )
    if clock.warning:
        return warn(
            "zones",
            f"{names}; {clock.warning}",
            _("Set B24_TZ to the portal's time zone, or choose it in the profile of the webhook's owner."),
        )
    if now.astimezone(read_in).utcoffset() != ours:
        return warn(
            "zones",
            _("{names}: dates are read in the owner's zone, hours of work are meant in B24_TZ").format(names=names),
            _("Set B24_TZ to the zone of the plant; if it is, the owner's profile has another one."),
        )
    return ok("zones", names)


def _limits(answers: Answers) -> Check:
    spent = [
        float(item.time["operating"])
        for item in answers.items.values()
        if isinstance(item.time.get("operating"), (int, float))
    ]
    if not spent:
        return ok("limits", _("the portal tells no counters of server time (an own server, or the limiter is off)"))
    return ok(
        "limits",
        _("the portal counts server time; the most used method has {n:.1f} s in ten minutes").format(n=max(spent)),
    )


def _tasks(answers: Answers) -> Check:
    rows = answers.read("newest", probes.newest_tasks())
    answers.read("open", methods.open_work_count())
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
    if answers.read("foreign_key", probes.foreign_key()):
        return warn("keys", _("the filter XML_ID is ignored: a key nobody has brings tasks"), mend)
    if known.key:
        rows = answers.read("known_key", methods.tasks_by_key([known.key]))
        if any(row.get("xmlId") == known.key for row in rows):
            return ok("keys", _("XML_ID is kept and found: the last order's task came by its key"))
        return warn("keys", _("the task sent last is not found by its key: deleted, or XML_ID is not kept"), mend)
    rows = answers.read("newest", probes.newest_tasks())
    if rows and "xmlId" not in rows[0]:
        return warn("keys", _("tasks have no field xmlId"), mend)
    if not rows:
        return ok("keys", _("the filter XML_ID works; there is no task yet to see the field on"))
    return ok("keys", _("the filter XML_ID works, and tasks show the field"))
