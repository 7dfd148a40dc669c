"""`doctor --write-probe`: one task made, looked at and deleted, to settle what differs from portal to portal.

Nothing in the checks names a person, the portal or the webhook: the block is for sending to the authors.
"""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from b24tools import __version__
from b24tools.bitrix24 import error_codes, parsing, queries
from b24tools.bitrix24.client import Client
from b24tools.bitrix24.dropped_fields import dropped_fields
from b24tools.bitrix24.portal_time import find_zone
from b24tools.core import errors, hosts
from b24tools.core.i18n import _
from b24tools.jobs.doctor import webhook
from b24tools.jobs.doctor.asking import Answers
from b24tools.jobs.doctor.checks import Check, fail, from_error, guarded, ok, warn
from b24tools.jobs.doctor.settings import CLOUD
from b24tools.jobs.doctor.subject import Subject
from b24tools.jobs.doctor.working_time import absence_rows
from b24tools.jobs.doctor.workspace import may_create

MOST_STAMPS = 3  # a series has those of its first event
LONGER = "0123456789"  # behind a key of 50 characters
LATE_PAUSES_S = (1, 2, 4, 8, 15, 15, 15, 0)  # the portal may work on a lost request for a minute
NEAR = timedelta(minutes=5)
LOOKED_AT = (
    *("ID", "XML_ID", "GROUP_ID", "RESPONSIBLE_ID", "CREATED_BY", "AUDITORS", "ALLOW_TIME_TRACKING", "TIME_ESTIMATE"),
    *("START_DATE_PLAN", "END_DATE_PLAN", "DEADLINE", "CREATED_DATE", "CHANGED_DATE", "ACTIVITY_DATE"),
)

Sleep = Callable[[float], None]
Say = Callable[[str], None]


def run(client: Client, subject: Subject, answers: Answers, sleep: Sleep, say: Say) -> list[Check]:
    """Make the task, look at it and delete it, whatever happens in between."""
    person = queries.profile().of(answers.items["profile"]).id
    if webhook.is_system_user(subject, answers):
        if subject.fallback_user is None:
            fix = _("Set B24_FALLBACK_USER to the id of a person, or create the webhook anew.")
            return [
                fail("probe task", _("not made: the webhook's owner is a system user, who can be given no task"), fix)
            ]
        person = subject.fallback_user
    token = secrets.token_hex(20)
    key = f"1c:doctor:{token}"  # 50 characters, as long as those of orders
    title = "{title} ({token})".format(title=_("b24tools: a test, this task is being deleted"), token=token[:8])
    fields = _fields(key, title, person, _project(subject, answers), answers.after)
    checks: list[Check] = []
    task_id: int | None = None
    pauses: tuple[int, ...] = LATE_PAUSES_S
    try:
        # the documentation knows no `select` here; without one the portal makes the task's chat
        answer = client.call("tasks.task.add", {"fields": fields, "select": ["ID", "XML_ID"]})
        row = queries.task_row(answer.result, "tasks.task.add")
        task_id = parsing.id_of(row, "id", "tasks.task.add")
        for check in _look(client, row, task_id, fields, answers):
            checks.append(check)
    except errors.PortalError as error:
        if not isinstance(error, errors.PortalUncertain):
            pauses = (0,) if error_codes.may_have_been_done("tasks.task.add", error) else ()
        checks.append(from_error("probe add" if task_id is None else "probe look", error))
    finally:
        checks.append(_clear_up(client, task_id, fields, sleep, say, pauses))
    for name in (client.host, hosts.to_wire(client.host)):
        checks = [replace(check, detail=check.detail.replace(name, "***")) for check in checks]
    return checks


def _project(subject: Subject, answers: Answers) -> int:
    """The project for orders, where tasks may be made in it; else 0."""
    try:
        found = answers.read("group", queries.projects(subject.group))
    except errors.PortalError:
        return 0
    return found[0].id if found and not found[0].archived and may_create(answers, found[0].id) else 0


def _fields(key: str, title: str, person: int, group_id: int, now: datetime) -> dict[str, Any]:
    """What `assign` sends, too."""
    start = (now + timedelta(days=1)).replace(minute=0, second=0, microsecond=0)
    fields = {
        "TITLE": title,
        "XML_ID": key,
        "RESPONSIBLE_ID": person,
        "CREATED_BY": person,
        "AUDITORS": [person],
        "START_DATE_PLAN": start.isoformat(),
        "END_DATE_PLAN": (start + timedelta(hours=1)).isoformat(),
        "DEADLINE": (start + timedelta(days=1)).isoformat(),
        "TIME_ESTIMATE": 3600,
        "ALLOW_TIME_TRACKING": "Y",
        "TASK_CONTROL": "N",
    }
    return fields | ({"GROUP_ID": group_id} if group_id else {})


# looking


def _look(
    client: Client, added: Mapping[str, Any], task_id: int, fields: Mapping[str, Any], answers: Answers
) -> Iterator[Check]:
    yield _portal(client, answers)
    key = fields["XML_ID"]
    items = client.batch(
        {
            "server": queries.server_time().command,
            "task": queries.task(task_id, LOOKED_AT).command,
            "found": queries.tasks_by_key([key]).command,
            "history": queries.history(task_id).command,
            "listed": queries.listed_chat(task_id).command,
            "chat": queries.task(task_id, ("ID", "CHAT_ID", "ACTIVITY_DATE")).command,  # last: it may make one
        }
    )
    task = queries.task(task_id, LOOKED_AT).of(items["task"])
    yield from guarded("probe filter", lambda: [_filter(queries.tasks_by_key([key]).of(items["found"]), key)])
    yield from guarded("probe zones", lambda: [_zones(task, fields, items["server"].value, answers)])
    yield from guarded("probe calendar", lambda: [_stamps(answers)])
    yield from guarded(
        "probe chat",
        lambda: [
            _chat(
                added,
                task,
                queries.listed_chat(task_id).of(items["listed"]),
                queries.task(task_id, ()).of(items["chat"]),
            )
        ],
    )
    yield from guarded("probe history", lambda: [_history(queries.history(task_id).of(items["history"]))])
    dropped = dropped_fields(fields, task)
    yield (
        warn("probe dropped", ", ".join(dropped), _("The portal's plan has none of that: see “dropped fields”."))
        if dropped
        else ok("probe dropped", _("none: the task is as it was sent"))
    )
    yield _key_width(client, task, task_id, key)
    yield _rest3(client)


def _portal(client: Client, answers: Answers) -> Check:
    kind = _("cloud") if CLOUD in f".{client.host}." else _("own server")
    return ok("probe portal", f"b24tools {__version__}; {kind}; {answers.after.isoformat(timespec='minutes')}")


def _filter(rows: list[Mapping[str, Any]], key: str) -> Check:
    found = [row.get("xmlId") == key for row in rows]
    if found == [True]:
        return ok("probe filter", _("XML_ID finds the task, and only that"))
    fix = _("Nothing to set: tasks are found by the database and by their exact titles.")
    if not found:
        return warn("probe filter", _("XML_ID finds nothing"), fix)
    return warn("probe filter", _("XML_ID is ignored: {n} tasks came").format(n=len(found)), fix)


def _key_width(client: Client, task: Mapping[str, Any], task_id: int, key: str) -> Check:
    """The column of XML_ID holds 50 characters as installed: MySQL cuts a longer value, PostgreSQL refuses it."""
    back = str(task.get("xmlId") or "")
    if back != key:
        return warn(
            "probe xml_id",
            _("of {sent} characters {back} come back").format(sent=len(key), back=len(back)),
            _("Nothing to set: tasks are found by the database and by their exact titles."),
        )
    longer, refusal = key + LONGER, ""
    try:
        client.call("tasks.task.update", {"taskId": task_id, "fields": {"XML_ID": longer}, "select": ["ID"]})
    except errors.PortalError as error:
        refusal = error.portal_code or error.code
    back = str(client.ask(queries.task(task_id, ("ID", "XML_ID"))).get("xmlId") or "")
    if refusal:
        detail = _("{sent} are refused ({code}), {back} remain").format(sent=len(longer), code=refusal, back=len(back))
    elif longer.startswith(back):
        detail = _("of {sent} characters {back} come back").format(sent=len(longer), back=len(back))
    else:
        detail = _("of {sent} characters something else comes back").format(sent=len(longer))
    return ok("probe xml_id", _("{width} characters come back whole; {detail}").format(width=len(key), detail=detail))


def _zones(task: Mapping[str, Any], fields: Mapping[str, Any], server: str, answers: Answers) -> Check:
    """The offset printed on the task's dates is that of now in the zone in force."""
    owner = queries.profile().of(answers.items["profile"])
    created, deadline = str(task.get("createdDate") or ""), str(task.get("deadline") or "")
    detail = _("task dates {dates}, server.time {server}, profile {profile}").format(
        dates=created[19:] or "?", server=server[19:] or "?", profile=owner.time_zone or _("names no zone")
    )
    try:
        off = abs(datetime.fromisoformat(created) - datetime.fromisoformat(server))
        moved = datetime.fromisoformat(deadline) - datetime.fromisoformat(fields["DEADLINE"])
    except (ValueError, TypeError):  # the latter: one without an offset
        detail = _("{detail}; dates {created} and {deadline} cannot be read").format(
            detail=detail, created=repr(created), deadline=repr(deadline)
        )
        return warn("probe zones", detail, _("Send us this block."))
    detail = _("{detail}; created {n} s from server.time, the deadline {moved:+.0f} s from what was sent").format(
        detail=detail, n=off.seconds + off.days * 86_400, moved=moved.total_seconds()
    )
    if off > NEAR:
        return warn("probe zones", detail, _("Send us this block."))
    return ok("probe zones", detail)


def _stamps(answers: Answers) -> Check:
    """How far the stamps of events lie from their own clocks: by the server's offset, where it is not in UTC."""
    apart: Counter[int] = Counter()
    found = (item.value for key, item in answers.items.items() if key.rstrip("0123456789") == "absences")
    for row in absence_rows(filter(None, map(parsing.mapping_or_none, found))):
        zone, stamp = find_zone(row.get("TZ_FROM")), parsing.int_of(row.get("DATE_FROM_TS_UTC"))
        try:
            clock = datetime.strptime(str(row.get("DATE_FROM")), "%d.%m.%Y %H:%M:%S").replace(tzinfo=zone)
        except ValueError:  # a whole day, a row of the absence chart, another format
            continue
        if zone and stamp and row.get("DT_SKIP_TIME") != "Y":
            apart[round((stamp - clock.timestamp()) / 60)] += 1
    if not apart:
        return ok("probe calendar", _("no event with a time and a date like 31.12.2026 to see its stamps"))
    detail = ", ".join(f"{minutes:+d} ({count})" for minutes, count in apart.most_common(MOST_STAMPS))
    return ok("probe calendar", _("stamps of events are off by minutes: {detail}").format(detail=detail))


def _chat(
    added: Mapping[str, Any], task: Mapping[str, Any], listed: Mapping[str, Any], later: Mapping[str, Any]
) -> Check:
    """Whether the task has a chat, and whether `activityDate` shows a task that is untouched."""
    detail = _("add {select}; chat in its answer: {added}, in a list: {listed}, by get: {later}").format(
        select=_("ignores select") if "title" in added else _("obeys select"),
        added=_chat_of(added),
        listed=_chat_of(listed),
        later=_chat_of(later),
    )
    created, activity, last = task.get("createdDate"), task.get("activityDate"), later.get("activityDate")
    if created and created == activity == last:
        return ok("probe chat", _("{detail}; activityDate equals createdDate").format(detail=detail))
    dates = _("createdDate {created}, activityDate {activity}, then {last}")
    return ok("probe chat", f"{detail}; {dates.format(created=created, activity=activity, last=last)}")


def _chat_of(row: Mapping[str, Any]) -> str:
    if "chatId" not in row:
        return _("no such field")
    return _("yes") if parsing.int_of(row["chatId"]) else _("no")


def _history(fields: list[str]) -> Check:
    return ok("probe history", _("tasks.task.history.list is there: {names}").format(names=", ".join(fields) or "–"))


def _rest3(client: Client) -> Check:
    """Ask REST 3.0 for a task without fields, with a key longer than is allowed: neither can make a task."""
    try:
        client.call_v3("tasks.task.add", {"fields": {}}, {"Idempotency-Key": "x" * 256})
    except errors.PortalError as error:
        code = error.portal_code.upper()
        if code.endswith("INVALIDIDEMPOTENCYKEYEXCEPTION"):
            return ok("probe rest3", _("REST 3.0 is there, and looks at Idempotency-Key"))
        if code.endswith(("INSUFFICIENTSCOPEEXCEPTION", "INSUFFICIENT_SCOPE")):
            return ok("probe rest3", _("REST 3.0 is there; Idempotency-Key not settled, the webhook lacks “tasks”"))
        if code.endswith("REQUESTVALIDATIONEXCEPTION"):
            return ok("probe rest3", _("REST 3.0 is there; Idempotency-Key not settled, the fields were judged first"))
        if code == "ERROR_METHOD_NOT_FOUND" or not code:
            return ok("probe rest3", _("not there ({reason})").format(reason=error.message))
        return ok("probe rest3", _("not settled ({reason})").format(reason=error.message))
    return ok("probe rest3", _("not settled: a call without fields was accepted"))


# clearing up


def _clear_up(
    client: Client,
    task_id: int | None,
    fields: Mapping[str, Any],
    sleep: Sleep,
    say: Say,
    pauses: Sequence[int],
    *,
    again: bool = True,
) -> Check:
    """Delete the task; where its id is not known, look for it first, before each of the pauses.

    One Ctrl-C does not stop the deletion, `again` says that it may still come.
    """
    title, problem = fields["TITLE"], None
    ids = [] if task_id is None else [task_id]
    try:
        if task_id is None:
            if pauses == LATE_PAUSES_S:
                say(_("the answer was lost; looking for up to a minute whether the task was made"))
            ids = _find(client, fields, sleep, pauses)
        for id_ in ids:
            problem = _delete(client, id_, sleep) or problem
    except errors.PortalError as error:
        detail = _("whether it was made is not known: {reason}").format(reason=error.message)
    except BaseException as error:
        if again and ids and isinstance(error, KeyboardInterrupt):
            _clear_up(client, ids[0], fields, sleep, say, (), again=False)
        else:
            say(_by_hand(title, ids))
        raise
    else:
        names = _names(ids)
        if not ids:
            return ok("probe task", _("none was made"))
        if problem is None:
            where = _("in project #{id}").format(id=fields["GROUP_ID"]) if "GROUP_ID" in fields else _("in no project")
            return ok(
                "probe task",
                _("{names} for user #{person}, {where}: made and deleted").format(
                    names=names, person=fields["RESPONSIBLE_ID"], where=where
                ),
            )
        detail = _("{names} could not be deleted: {reason}").format(names=names, reason=problem.message)
    say(f"{detail}. {_by_hand(title, ids)}")
    return fail("probe task", detail, _by_hand(title, ids))


def _names(ids: Sequence[int]) -> str:
    return ", ".join(f"#{id_}" for id_ in ids)


def _by_hand(title: str, ids: Sequence[int]) -> str:
    task = f"“{title}” ({_names(ids)})" if ids else f"“{title}”"
    return _("Look on the portal for the task {task}, and delete it by hand.").format(task=task)


def _find(client: Client, fields: Mapping[str, Any], sleep: Sleep, pauses: Sequence[int]) -> list[int]:
    """The ids of the task whose answer was lost, by its key and by its title."""
    problem: errors.PortalError | None = None
    for pause in pauses:
        try:
            rows = [
                row
                for item in client.batch(queries.tasks_called(fields["XML_ID"], fields["TITLE"])).values()
                for row in queries.task_rows(item.value)
            ]
        except errors.PortalError as error:
            problem = error
        else:
            problem = None
            ours = [row for row in rows if row.get("xmlId") == fields["XML_ID"] or row.get("title") == fields["TITLE"]]
            if ours:
                return sorted({parsing.id_of(row, "id", "tasks.task.list") for row in ours})
        sleep(pause)
    if problem is not None:
        raise problem
    return []


def _delete(client: Client, task_id: int, sleep: Sleep) -> errors.PortalError | None:
    """Delete it, and again where that may help; why it is still there."""
    problem: errors.PortalError | None = None
    command = queries.delete_task(task_id)
    for wait in (0, 1, 2):
        if wait:
            sleep(wait)
        try:
            client.call(command.method, command.params)
            return None
        except errors.PortalError as error:
            problem = error
        try:
            if not client.call("tasks.task.get", {"taskId": task_id, "select": ["ID"]}).result:
                return None
        except errors.PortalError:
            continue
        if not (isinstance(problem, errors.PortalBusy) or error_codes.may_have_been_done(command.method, problem)):
            break  # a refusal that will be the same again
    return problem
