"""`doctor --write-probe`: one task made, looked at and deleted, to settle what differs from portal to portal.

Nothing in the findings names a person, the portal or the webhook: the block is for sending to the authors.
"""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from b24tools import __version__
from b24tools.bitrix24 import error_codes, parsing, queries
from b24tools.bitrix24.client import Client
from b24tools.bitrix24.dropped_fields import dropped_fields
from b24tools.bitrix24.portal_time import find_zone
from b24tools.core import errors, hosts
from b24tools.core.i18n import _, ngettext
from b24tools.jobs.doctor.checks import Check, Examination, Finding, NotLookedAt, fail, from_error, ok, warn
from b24tools.jobs.doctor.company import DEPARTMENTS, everybody
from b24tools.jobs.doctor.webhook import is_in_cloud, is_system_user, login_owner, owner
from b24tools.jobs.doctor.working_time import absences
from b24tools.jobs.doctor.workspace import find_project, may_create, may_create_tasks, projects

MOST_STAMPS = 3  # a series has those of its first event
LONGER = "0123456789"  # behind a key of 50 characters
LATE_PAUSES_S = (1, 2, 4, 8, 15, 15, 15, 0)  # the portal may work on a lost request for a minute
NEAR_S = 300
LOOKED_AT = (
    *("ID", "XML_ID", "GROUP_ID", "RESPONSIBLE_ID", "CREATED_BY", "AUDITORS", "ALLOW_TIME_TRACKING", "TIME_ESTIMATE"),
    *("START_DATE_PLAN", "END_DATE_PLAN", "DEADLINE", "CREATED_DATE", "CHANGED_DATE", "ACTIVITY_DATE"),
)

Row = Mapping[str, Any]


NEEDS = (owner, login_owner, projects, may_create, *DEPARTMENTS, everybody, absences)


def make_check(sleep: Callable[[float], None], say: Callable[[str], None]) -> Check:
    """Make the check that writes; `sleep` and `say` as in `_TestTask`."""

    def section() -> str:
        return _("The test task (for sending to us: no names, no addresses, no secrets)")

    return Check("probe", lambda: "", section, partial(run, sleep=sleep, say=say), NEEDS)


def run(exam: Examination, sleep: Callable[[float], None], say: Callable[[str], None]) -> list[Finding]:
    """Make the task, look at it and delete it, whatever happens in between."""
    if exam.client is None or not all(need in exam.answers for need in NEEDS):
        fix = _("Begin with the first that fails, then try again.")
        return [fail(_("not made: the portal did not answer what was asked before"), fix, about="task")]
    client, person = exam.client, exam[owner].value.id
    if is_system_user(exam):
        if exam.settings.fallback_user is None:
            fix = _("Set B24_FALLBACK_USER to the id of a person, or create the webhook anew.")
            detail = _("not made: the webhook's owner is a system user, who can be given no task")
            return [fail(detail, fix, about="task")]
        person = exam.settings.fallback_user
    fields = _make_fields(exam, person)
    task = _TestTask(client, fields, sleep, say)
    findings: list[Finding] = []
    try:
        # the documentation knows no `select` here; without one the portal makes the task's chat
        answer = client.call("tasks.task.add", {"fields": fields, "select": ["ID", "XML_ID"]})
        added = queries.task_row(answer.result, "tasks.task.add")
        task.ids = [parsing.id_of(added, "id", "tasks.task.add")]
        findings += _look(exam, client, added, task.ids[0], fields)
    except errors.PortalError as error:
        if not isinstance(error, errors.PortalUncertain):
            task.pauses = (0,) if error_codes.may_have_been_done("tasks.task.add", error) else ()
        findings.append(from_error(error, "look" if task.ids else "add"))
    finally:
        findings.append(task.clear_up())
    for name in (client.host, hosts.to_wire(client.host)):
        findings = [replace(finding, detail=finding.detail.replace(name, "***")) for finding in findings]
    return findings


def _make_fields(exam: Examination, person: int) -> dict[str, Any]:
    """Make what `assign` sends, too: in the project for orders, where tasks may be created in it."""
    token = secrets.token_hex(20)
    start = (exam.now + timedelta(days=1)).replace(minute=0, second=0, microsecond=0)
    title = _("b24tools: a test, this task is being deleted")
    fields = {
        "TITLE": f"{title} ({token[:8]})",
        "XML_ID": f"1c:doctor:{token}",  # 50 characters, as long as those of orders
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
    project = find_project(exam)
    if project and not project.archived and (exam[owner].value.admin or may_create_tasks(exam)):
        fields["GROUP_ID"] = project.id
    return fields


def _look(exam: Examination, client: Client, added: Row, task_id: int, fields: Mapping[str, Any]) -> list[Finding]:
    """Look at the task in every way, each for itself."""
    key, kind = fields["XML_ID"], _("cloud") if is_in_cloud(exam) else _("own server")
    batch = client.new_batch()
    server = batch.add(queries.server_time())
    task = batch.add(queries.task(task_id, LOOKED_AT))
    by_key = batch.add(queries.tasks_by_key([key]))
    history = batch.add(queries.task_history(task_id, UTC))
    listed = batch.add(queries.listed_chat(task_id))
    later = batch.add(queries.task(task_id, ("ID", "CHAT_ID", "ACTIVITY_DATE")))  # last: it may make one
    batch.send()
    looks: dict[str, Callable[[], Finding]] = {
        "portal": lambda: ok(f"b24tools {__version__}; {kind}; {exam.now.isoformat(timespec='minutes')}"),
        "filter": lambda: _look_at_filter([row.get("xmlId") for row in by_key.value], key),
        "zones": lambda: _look_at_zones(exam, task.value, fields["DEADLINE"], server.value),
        "calendar": lambda: _look_at_stamps(exam),
        "chat": lambda: _look_at_chat(added, task.value, listed.value, later.value),
        "history": lambda: ok(
            _("tasks.task.history.list is there: {names}"), names=", ".join(name for name, _at, _by in history.value)
        ),
        "dropped": lambda: _look_at_dropped(dropped_fields(fields, task.value)),
        "xml_id": lambda: _look_at_key_width(client, str(task.value.get("xmlId") or ""), task_id, key),
        "rest3": lambda: _look_at_rest3(client),
    }
    findings = []
    for about, look in looks.items():
        try:
            findings.append(replace(look(), about=about))
        except errors.PortalError as error:
            findings.append(from_error(error, about))
        except NotLookedAt:
            pass  # another check says why
    return findings


def _look_at_filter(keys: list[Any], key: str) -> Finding:
    fix = _("Nothing to set: tasks are found by the database and by their exact titles.")
    if not keys:
        return warn(_("XML_ID finds nothing"), fix)
    if keys != [key]:
        text = ngettext("XML_ID is ignored: {n} task came", "XML_ID is ignored: {n} tasks came", len(keys))
        return warn(text, fix, n=len(keys))
    return ok(_("XML_ID finds the task, and only that"))


def _look_at_zones(exam: Examination, task: Row, sent_deadline: str, server: str) -> Finding:
    """The offset printed on the task's dates is that of now in the zone in force."""
    created, deadline = str(task.get("createdDate") or ""), str(task.get("deadline") or "")
    fix = _("Send us this block.")
    try:
        off = (datetime.fromisoformat(created) - datetime.fromisoformat(server)).total_seconds()
        moved = (datetime.fromisoformat(deadline) - datetime.fromisoformat(sent_deadline)).total_seconds()
    except (ValueError, TypeError):  # the latter: one without an offset
        return warn(_("dates {created!r} and {deadline!r} cannot be read"), fix, created=created, deadline=deadline)
    text = _(
        "task dates {dates}, server.time {server}, profile {profile}; created {n:.0f} s from server.time, the deadline "
        "{moved:+.0f} s from what was sent"
    )
    profile = exam[owner].value.time_zone or _("names no zone")
    detail = text.format(dates=created[19:], server=server[19:], profile=profile, n=abs(off), moved=moved)
    return warn(detail, fix) if abs(off) > NEAR_S else ok(detail)


def _look_at_stamps(exam: Examination) -> Finding:
    """See how far the stamps of events lie from their own clocks: by the server's offset, where it is not in UTC."""
    apart: Counter[int] = Counter()
    calendars = [of_person for pending in exam[absences][1] for of_person in pending.value.values()]
    rows = [row for of_person in calendars for row in parsing.php_values(of_person)]
    for row in filter(None, map(parsing.mapping_or_none, rows)):
        zone, stamp = find_zone(row.get("TZ_FROM")), parsing.int_or_zero(row.get("DATE_FROM_TS_UTC"))
        try:
            clock = datetime.strptime(str(row.get("DATE_FROM")), "%d.%m.%Y %H:%M:%S").replace(tzinfo=zone)
        except ValueError:  # a whole day, a row of the absence chart, another format
            continue
        if zone and stamp and row.get("DT_SKIP_TIME") != "Y":
            apart[round((stamp - clock.timestamp()) / 60)] += 1
    if not apart:
        return ok(_("no event with a time and a date like 31.12.2026 to see its stamps"))
    stamps = ", ".join(f"{minutes:+d} ({count})" for minutes, count in apart.most_common(MOST_STAMPS))
    return ok(_("stamps of events are off by minutes: {stamps}"), stamps=stamps)


def _look_at_chat(added: Row, task: Row, listed: Row, later: Row) -> Finding:
    """See whether the task has a chat, and whether `activityDate` shows a task that is untouched."""

    def show(row: Row) -> str:
        if "chatId" not in row:
            return _("no such field")
        return _("yes") if parsing.int_or_zero(row["chatId"]) else _("no")

    detail = _("add {select}; chat in its answer: {added}, in a list: {listed}, by get: {later}").format(
        select=_("ignores select") if "title" in added else _("obeys select"),
        added=show(added),
        listed=show(listed),
        later=show(later),
    )
    created, activity, last = task.get("createdDate"), task.get("activityDate"), later.get("activityDate")
    dates = _("activityDate equals createdDate")
    if not created or not created == activity == last:
        dates = _("createdDate {created}, activityDate {activity}, then {last}").format(
            created=created, activity=activity, last=last
        )
    return ok(f"{detail}; {dates}")


def _look_at_dropped(names: list[str]) -> Finding:
    if names:
        return warn(", ".join(names), _("The portal's plan has none of that: see “dropped fields”."))
    return ok(_("none: the task is as it was sent"))


def _look_at_key_width(client: Client, back: str, task_id: int, key: str) -> Finding:
    """The column of XML_ID holds 50 characters as installed: MySQL cuts a longer value, PostgreSQL refuses it."""
    if back != key:
        fix = _("Nothing to set: tasks are found by the database and by their exact titles.")
        return warn(_("of {sent} characters {back} come back"), fix, sent=len(key), back=len(back))
    longer, refusal = key + LONGER, ""
    try:
        client.call("tasks.task.update", {"taskId": task_id, "fields": {"XML_ID": longer}, "select": ["ID"]})
    except errors.PortalError as error:
        refusal = error.portal_code or error.code
    back = str(client.ask(queries.task(task_id, ("ID", "XML_ID"))).get("xmlId") or "")
    text = _("of {sent} characters something else comes back")
    if refusal:
        text = _("{sent} are refused ({code}), {back} remain")
    elif longer.startswith(back):
        text = _("of {sent} characters {back} come back")
    rest = text.format(sent=len(longer), back=len(back), code=refusal)
    return ok(_("{width} characters come back whole; {rest}"), width=len(key), rest=rest)


def _look_at_rest3(client: Client) -> Finding:
    """Ask REST 3.0 for a task without fields, with a key longer than is allowed: neither can make a task."""
    try:
        client.call_v3("tasks.task.add", {"fields": {}}, {"Idempotency-Key": "x" * 256})
    except errors.PortalError as error:
        code = error.portal_code.upper()
        if code.endswith("INVALIDIDEMPOTENCYKEYEXCEPTION"):
            return ok(_("REST 3.0 is there, and looks at Idempotency-Key"))
        if code.endswith(("INSUFFICIENTSCOPEEXCEPTION", "INSUFFICIENT_SCOPE")):
            return ok(_("REST 3.0 is there; Idempotency-Key not settled, the webhook lacks “tasks”"))
        if code.endswith("REQUESTVALIDATIONEXCEPTION"):
            return ok(_("REST 3.0 is there; Idempotency-Key not settled, the fields were judged first"))
        text = _("not there ({reason})") if code in ("", "ERROR_METHOD_NOT_FOUND") else _("not settled ({reason})")
        return ok(text, reason=error.message)
    return ok(_("not settled: a call without fields was accepted"))


@dataclass
class _TestTask:
    """The task, and how to be rid of it. `ids`: its id, once that is known; `pauses`: after each look for it.

    `say`: what must be said at once, lest it be lost.
    """

    client: Client
    fields: Mapping[str, Any]
    sleep: Callable[[float], None]
    say: Callable[[str], None]
    ids: list[int] = field(default_factory=list)
    pauses: Sequence[int] = LATE_PAUSES_S

    def clear_up(self) -> Finding:
        """Delete the task; where its id is not known, look for it first."""
        try:
            self.ids = self.ids or self._find()
            problem = self._delete()
        except errors.PortalError as error:
            detail = _("whether it was made is not known: {reason}").format(reason=error.message)
        except BaseException as error:
            gone = False
            try:  # one Ctrl-C does not stop the deletion
                gone = isinstance(error, KeyboardInterrupt) and bool(self.ids) and self._delete() is None
            finally:
                if not gone:
                    self.say(self._advise())
            raise
        else:
            names, group = ", ".join(f"#{id_}" for id_ in self.ids), self.fields.get("GROUP_ID")
            if not self.ids:
                return ok(_("none was made"), about="task")
            if problem is None:
                where = _("in project #{id}").format(id=group) if group else _("in no project")
                text = _("{names} for user #{person}, {where}: made and deleted")
                return ok(text, about="task", names=names, person=self.fields["RESPONSIBLE_ID"], where=where)
            detail = _("{names} could not be deleted: {reason}").format(names=names, reason=problem.message)
        self.say(f"{detail}. {self._advise()}")
        return fail(detail, self._advise(), about="task")

    def _advise(self) -> str:
        task = f"“{self.fields['TITLE']}”"
        if self.ids:
            task += f" ({', '.join(f'#{id_}' for id_ in self.ids)})"
        return _("Look on the portal for the task {task}, and delete it by hand.").format(task=task)

    def _find(self) -> list[int]:
        """Return the ids of the task whose answer was lost, by its key and its title: a portal may ignore the one."""
        if self.pauses == LATE_PAUSES_S:
            self.say(_("the answer was lost; looking for up to a minute whether the task was made"))
        key, title = self.fields["XML_ID"], self.fields["TITLE"]
        problem: errors.PortalError | None = None
        for pause in self.pauses:
            batch = self.client.new_batch()
            pages = [batch.add(queries.newest_tasks(*wanted)) for wanted in (("XML_ID", key), ("TITLE", title))]
            try:
                batch.send()
                rows = [row for page in pages for row in page.value]
                ours = [row for row in rows if row.get("xmlId") == key or row.get("title") == title]
                if ours:
                    return sorted({parsing.id_of(row, "id", "tasks.task.list") for row in ours})
                problem = None
            except errors.PortalError as error:
                problem = error
            self.sleep(pause)
        if problem is not None:
            raise problem
        return []

    def _delete(self) -> errors.PortalError | None:
        """Delete what there is and look whether it is gone, again where that may help; return why it is not."""
        problem: errors.PortalError | None = None
        for pause in (1, 2, 0):
            batch = self.client.new_batch()
            deleted = [batch.add(queries.delete_task(task_id)) for task_id in self.ids]
            left = [batch.add(queries.task(task_id, ("ID",))) for task_id in self.ids]
            try:
                batch.send()
            except errors.PortalError as error:
                problem = error
            else:
                stayed = [one.error for one, rest in zip(deleted, left, strict=True) if rest.error or rest.item.result]
                problem = next(filter(None, stayed), None)
                if problem is None:
                    return None
                busy = isinstance(problem, errors.PortalBusy)
                if not busy and not error_codes.may_have_been_done("tasks.task.delete", problem):
                    break  # a refusal that will be the same again
            self.sleep(pause)
        return problem
