"""The webhook: its address, whose it is, what it may do; the portal's clock, zone, and how it finds tasks."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, timedelta
from typing import Any
from urllib.parse import urlsplit

from b24tools.bitrix24 import queries
from b24tools.bitrix24.portal_time import PortalClock, find_zone, read_iso
from b24tools.core import certificates, errors
from b24tools.core.i18n import _, ngettext
from b24tools.core.sizes import format_duration
from b24tools.jobs.doctor.checks import Checks, Examination, Finding, Need, fail, from_error, listed, ok, require, warn

LOCAL = {"localhost", "127.0.0.1", "::1"}
CLOUD = ".bitrix24."
USUAL_RATE, USUAL_BURST = 2.0, 50
BEST_RATE, BEST_BURST = 5.0, 250
A_LITTLE_OFF, FAR_OFF = 60, 600  # seconds
READING_TAKES = timedelta(seconds=1)  # the server's clock is given in whole seconds
REFUSALS = {"NO_AUTH_FOUND", "INVALID_CREDENTIALS", "EXPIRED_TOKEN", "INVALID_TOKEN", "AUTHORIZATION_ERROR"}
NARROW_USER_SCOPES = {"user_basic", "user_brief"}

checks = Checks(lambda: _("The portal"))

owner = Need(lambda batch, _exam: batch.add(queries.profile()))
login_owner = Need(  # whether `user.get` shows the owner, where a login stands in the address
    lambda batch, exam: (
        None if require(exam.webhook).owner_id else batch.add(queries.people_by_id([exam[owner].reference("ID")]))
    )
)
server_time = Need(lambda batch, _exam: batch.add(queries.server_time()))
scopes = Need(lambda batch, _exam: batch.add(queries.scopes()))
open_tasks = Need(lambda batch, _exam: batch.add(queries.open_work_count()))
newest_tasks = Need(lambda batch, _exam: batch.add(queries.newest_tasks()))
foreign_key = Need(lambda batch, _exam: batch.add(queries.foreign_key()))
last_key = Need(lambda batch, exam: batch.add(queries.tasks_by_key([exam.last_key])) if exam.last_key else None)


def is_in_cloud(exam: Examination) -> bool:
    """Whether the portal is Bitrix24's own, and not on a server of the company's."""
    return CLOUD in f".{require(exam.webhook).host}."


def is_system_user(exam: Examination) -> bool:
    """Whether the webhook has outlived its owner: its calls are another user's than its address says.

    Where the address has a login in place of the id, it is a user whom `user.get` does not show.
    """
    shown = exam[login_owner]
    if shown is not None:
        return shown.error is None and not shown.value
    return require(exam.webhook).owner_id != exam[owner].value.id


@checks.add("webhook", lambda: _("webhook"))
def check_address(exam: Examination) -> Finding:
    """Judge the form of the webhook's URL, and what the portal says to it. Never repeat it: it is a password."""
    address = exam.webhook
    if address is None:
        error, flaw = require(exam.webhook_error), _find_flaw(exam)
        return fail(f"{error.message}: {flaw}" if flaw else error.message, error.hint)
    detail = _("{portal}, by a login") if address.owner_id is None else _("{portal}, user {id}")
    detail = detail.format(portal=address.portal, id=address.owner_id)
    if exam.failure and _is_refusal(exam.failure):
        fix = _(
            "Open the webhook on the portal (Developer resources → Other → Incoming webhook). If it was deleted, or "
            "edited by another administrator (that makes a new code), or if its date has passed, create it again; if "
            "its owner was dismissed or has lost the right to use webhooks, let an active administrator create it. "
            "Then put its URL into BITRIX_WEBHOOK_URL."
        )
        return fail(_("{address}; the portal refuses it: {reason}"), fix, address=detail, reason=exam.failure.message)
    if address.portal.startswith("http:") and urlsplit(address.portal).hostname not in LOCAL:
        text = _("{address}: begins with http://, so the secret crosses the network in clear")
        return warn(text, _("Write https:// in BITRIX_WEBHOOK_URL."), address=detail)
    if address.tail:
        text = _("{address}: something follows the code, the method of the example perhaps")
        fix = _("It works, but better end BITRIX_WEBHOOK_URL with the code and a slash.")
        return warn(text, fix, address=detail)
    return ok(detail)


def _find_flaw(exam: Examination) -> str:
    """Say what is wrong with an address, as far as that can be done without showing it."""
    url = exam.settings.webhook_url.get_secret_value() if exam.settings.webhook_url else ""
    flaws = {
        _("there are blanks in it"): re.search(r"\s", url.strip()),
        _("it does not begin with https://"): url and not re.match(r"https?://", url, re.IGNORECASE),
        _("there is no /rest/ in it: that is the address of a page"): url and "/rest/" not in url,
        _("no user's number follows /rest/"): re.search(r"/rest/(?:api/)?[^/]*[^/\d][^/]*/", url),
    }
    return next((text for text, is_there in flaws.items() if is_there), "")


def _is_refusal(error: errors.B24ToolsError) -> bool:
    return isinstance(error, errors.PortalError) and error.portal_code.upper() in REFUSALS


@checks.add("rate", lambda: _("request rate"))
def check_rate(exam: Examination) -> Finding:
    """More than the portal's plan allows would be refused; less only takes longer."""
    rate, burst = exam.settings.requests_per_second, exam.settings.burst
    if is_in_cloud(exam) and (rate > BEST_RATE or burst > BEST_BURST):
        detail = _("{rate:g} a second, {burst} at once: more than any plan of Bitrix24 allows")
        fix = _("Set B24_REQUESTS_PER_SECOND and B24_BURST to 2 and 50 (Enterprise: 5 and 250).")
        return warn(detail, fix, rate=rate, burst=burst)
    if rate > USUAL_RATE or burst > USUAL_BURST:
        detail = _("{rate:g} a second, {burst} at once: right for the plan Enterprise and for an own server")
        return ok(detail, rate=rate, burst=burst)
    return ok(_("{rate:g} a second, {burst} at once"), rate=rate, burst=burst)


@checks.add("portal_host", lambda: _("whose data"))
def check_host(exam: Examination) -> Finding:
    """Ids of one portal mean nothing on another."""
    settings = require(exam.database).settings
    try:
        settings.check_host(require(exam.webhook).host)
    except errors.ConfigError as error:
        return from_error(error)
    return ok(settings.get("portal_host") or _("the database knows none yet"))


@checks.add("portal", lambda: _("portal"))
def check_portal(exam: Examination) -> Finding | None:
    """Whether the portal answers; a refusal stands in the line about the webhook."""
    if exam.failure:
        return None if _is_refusal(exam.failure) else from_error(exam.failure)
    if exam.client is None:
        return None
    requests = ngettext("{n} request", "{n} requests", exam.client.requests).format(n=exam.client.requests)
    detail = _("{url} answers ({requests})").format(url=exam.client.url, requests=requests)
    if exam.client.url.startswith("http:"):
        return ok(detail)
    store, bundle = certificates.name_store(), exam.settings.ca_bundle
    vouches = _("for its certificate vouches {store}").format(store=f"{store}, {bundle}" if bundle else store)
    if store == certificates.CERTIFI:
        fix = _("Install the system's certificates (on Linux the package ca-certificates): the list of certifi ages.")
        return warn(f"{detail}; {vouches}", fix)
    return ok(f"{detail}; {vouches}")


@checks.add("owner", lambda: _("owner"), owner, login_owner)
def check_owner(exam: Examination) -> Finding:
    """Only an active administrator sees all tasks, and may create them everywhere."""
    person, fallback = exam[owner].value, exam.settings.fallback_user
    values: dict[str, Any] = {"name": f"{person.name} (#{person.id})", "id": person.id, "fallback": fallback}
    if is_system_user(exam):
        detail = _(
            "the webhook's owner was dismissed, and it lives on as the invisible user #{id}: tasks that he creates "
            "belong to no person"
        )
        if fallback and person.admin:
            instead = _("user {fallback} of B24_FALLBACK_USER creates them instead")
            fix = _("Let an active administrator create the webhook anew, and put its URL into BITRIX_WEBHOOK_URL.")
            return warn(f"{detail}; {instead}", fix, **values)
        fix = _(
            "Let an active administrator create the webhook anew, and put its URL into BITRIX_WEBHOOK_URL; until then "
            "set B24_FALLBACK_USER: he creates them."
        )
        return fail(detail, fix, **values)
    if person.admin:
        return ok(_("{name}, an administrator"), **values)
    detail, judge = _("{name} is no administrator, and sees only a part of the tasks"), fail
    if exam.settings.non_admin:
        detail = _("{name} is no administrator; B24_NON_ADMIN=1 plans by the part of the tasks that he sees")
        judge = warn
    fix = _("Let an administrator create the webhook, and put its URL into BITRIX_WEBHOOK_URL.")
    return judge(detail, fix, **values)


@checks.add("scopes", lambda: _("scopes"), scopes)
def check_scopes_answer(exam: Examination) -> None:
    """Report a portal that does not list the scopes: none can be missed then."""
    _given = exam[scopes].value


@checks.add("scope", lambda: _("scope"), scopes)
def check_scopes(exam: Examination) -> Iterator[Finding]:
    given = set(exam[scopes].value)
    purposes = {  # with how bad it is without
        "task": (fail, _("reads and makes tasks: nothing goes without it")),
        "user": (fail, _("reads people: without it no work can be given out")),
        "department": (fail, _("reads departments: positions are looked for there")),
        "sonet_group": (fail, _("finds and makes the project for the tasks")),
        "disk": (fail, _("stores the orders' files: orders with files fail without it")),
        "timeman": (warn, _("reads the work schedule: without it the calendar's hours count")),
        "calendar": (warn, _("reads absences and holidays: without it people on leave are given work")),
    }
    if exam.settings.notify or (exam.database is not None and exam.database.messages.is_used()):
        purposes["im"] = (warn, _("sends messages: without it none arrive"))
    for scope, (judge, purpose) in purposes.items():
        fix = _("Edit the webhook on the portal (Developer resources) and tick “{scope}”.").format(scope=scope)
        if scope in given:
            yield ok(purpose, about=scope)
        elif scope == "user" and (narrow := sorted(NARROW_USER_SCOPES & given)):
            yield warn(_("only {others}: shows fewer fields").format(others=listed(narrow)), fix, about=scope)
        else:
            if scope == "task" and "tasks" in given:
                fix = _("{tick} “tasks”, which it has, is another one (REST 3.0).").format(tick=fix)
            yield judge(_("missing; {purpose}").format(purpose=purpose), fix, about=scope)


@checks.add("clock", lambda: _("clock"), server_time)
def check_clock(exam: Examination) -> Finding:
    text = exam[server_time].value
    server = read_iso(text)
    if server is None:
        fix = _("Report this: it cannot be seen whether the clocks agree.")
        return warn(_("server.time answered {text!r}"), fix, text=text[:40])
    is_behind = server < exam.asked_at - READING_TAKES
    off = server - exam.asked_at if is_behind else max(server - exam.answered_at, timedelta())
    seconds = int(off.total_seconds())
    if abs(seconds) <= A_LITTLE_OFF:
        return ok(_("agrees with the portal's, which says {text}"), text=text)
    ahead = _("the portal is ahead of this machine by {off}")
    behind = _("this machine is ahead of the portal by {off}")
    fix = _("Let this machine keep its time by NTP (`timedatectl set-ntp true`; Windows: `w32tm /resync`).")
    judge = fail if abs(seconds) > FAR_OFF else warn
    return judge(ahead if seconds > 0 else behind, fix, off=format_duration(abs(seconds)))


@checks.add("zones", lambda: _("zones"), owner, server_time, newest_tasks)
def check_zones(exam: Examination) -> Finding:
    """Show the zone in whose wall clock the portal writes dates: the offset of a task's date tells it."""
    profile, server, ours = exam[owner].value, exam[server_time].value, exam.settings.zone
    clock = PortalClock(profile, ours, server)
    zone = clock.see(exam[newest_tasks].value)
    sources = {
        "profile": _("the profile of the webhook's owner"),
        "settings": _("B24_TZ, and the portal's offset agrees"),
        "offset": _("the offset of the tasks' dates"),
        "server": _("the server's offset, there is no task yet"),
    }
    detail = _("dates are read in {zone} (from: {source}); B24_TZ {ours}, server {server}").format(
        zone=zone, source=sources[clock.source], ours=ours.key, server=server[-6:]
    )
    if profile.time_zone and not find_zone(profile.time_zone):
        fix = _("Choose another time zone in the profile of the webhook's owner.")
        return warn(_("{zones}; the owner's zone {zone} is unknown here"), fix, zones=detail, zone=profile.time_zone)
    if clock.warning:
        fix = _("Set B24_TZ to the portal's time zone, or choose it in the profile of the webhook's owner.")
        return warn(f"{detail}; {clock.warning}", fix)
    now = exam.answered_at.astimezone(UTC)
    if now.astimezone(zone).utcoffset() != now.astimezone(ours).utcoffset():
        fix = _("Set B24_TZ to the zone of the plant; if it is, the owner's profile has another one.")
        return warn(_("{zones}: hours of work are meant in B24_TZ"), fix, zones=detail)
    return ok(detail)


@checks.add("tasks", lambda: _("tasks"), open_tasks)
def check_tasks(exam: Examination) -> Finding:
    item = exam[open_tasks].item
    if item.error:
        raise item.error
    return ok(_("{n} open on the portal, as far as the owner sees"), n=item.total or 0)


@checks.add("keys", lambda: _("task keys"), foreign_key, last_key, newest_tasks)
def check_keys(exam: Examination) -> Finding:
    """XML_ID is in the server's code but not in its documentation: see what this portal does with it."""
    fix = _(
        "Nothing to set: tasks are found by the database and by their exact titles. Keep copies of the data folder."
    )
    if exam[foreign_key].value:
        return warn(_("the filter XML_ID is ignored: a key that no task has brings tasks"), fix)
    if last := exam[last_key]:
        if any(row.get("xmlId") == exam.last_key for row in last.value):
            return ok(_("XML_ID is stored and found: the last order's task came by its key"))
        return warn(_("the task sent last is not found by its key: deleted, or XML_ID is not stored"), fix)
    if any("xmlId" not in row for row in exam[newest_tasks].value):
        return warn(_("tasks have no field xmlId"), fix)
    return ok(_("the filter XML_ID works"))
