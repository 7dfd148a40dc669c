"""The database: the file itself, orders without an answer, the last snapshot, the events."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing
from datetime import timedelta
from typing import Any

from b24tools.core import clock, errors, inbox
from b24tools.core.i18n import _, ngettext, os_reason
from b24tools.core.sizes import HOUR_S, format_duration, format_size
from b24tools.jobs.doctor.checks import Checks, Examination, Finding, fail, from_error, listed, ok, require, warn
from b24tools.store import database, inspection, read_store
from b24tools.store.events import FAILED, WAITING
from b24tools.store.settings import WEBHOOK

LONG_WAIT = timedelta(minutes=15)
MISSED_OF = 100  # one change of so many may come without an event
LARGEST_CLOCK_ERROR = timedelta(minutes=1)
OLD_BACKUP = timedelta(days=8)  # of those who make one a week
POSITIONS_OF = timedelta(days=180)

checks = Checks(lambda: _("This machine"))


def open_database(exam: Examination, stack: ExitStack) -> None:
    """Open the database for reading, where that can be done, and note in `exam` what it says. Change nothing."""
    path = exam.settings.database
    try:
        if not database.exists(path):
            return
        exam.looked = inspection.look(path, reads_all=exam.reads_all)
        if exam.looked.damage or exam.looked.foreign_migrations:
            return
        store = exam.database = stack.enter_context(closing(read_store(path)))
    except errors.B24ToolsError as error:
        exam.database_error = error
        return
    exam.mode = store.settings.get("producer_mode")
    exam.excluded, exam.hidden = store.settings.excluded_users(), store.settings.hidden_users()
    exam.opted_out = store.settings.opted_out_users()
    exam.positions = store.orders.positions_since(exam.now - POSITIONS_OF)
    exam.last_key = store.orders.latest_key()
    exam.acknowledged = store.settings.acknowledged()


@checks.add("database", lambda: _("database"))
def check_file(exam: Examination) -> Finding:
    path, looked = exam.settings.database, exam.looked
    if exam.database_error:
        return from_error(exam.database_error)
    if looked is None:
        return _find_left_behind(exam) or ok(_("{path}: not there yet, the first command makes it"), path=path)
    if looked.damage:
        return fail(_("{path} is damaged: {reason}"), database.explain_restoring(), path=path, reason=looked.damage[0])
    if not looked.writable:
        fix = _("Let the user who runs b24tools write the files b24tools.db* and their folder.")
        return fail(_("{path} can be read, but not written"), fix, path=path)
    if looked.foreign_migrations:
        fix = _("Update this b24tools, or set another B24_DATA_DIR.")
        return fail(_("{path} was made by a newer b24tools"), fix, path=path)
    text = _("{path}, {size}, no damage found")
    if looked.pending:
        text = _("{path}, {size}, no damage found; of an older b24tools, the next command brings it up to date")
    elif looked.is_partly_read:
        text = _("{path}, {size}, no damage found in what changes; all of it is read with -v, and at night with -q")
    return _find_left_behind(exam) or ok(text, path=path, size=format_size(database.measure(path)))


def _find_left_behind(exam: Examination) -> Finding | None:
    """Find orders that are in the data folder's file, while the settings name a server that has none."""
    file = exam.settings.database_file
    if file == exam.settings.database or (exam.database and exam.database.orders.count()):
        return None
    try:
        if not database.exists(file):
            return None
        with closing(read_store(file)) as store:
            count = store.orders.count()
    except errors.B24ToolsError:
        return None
    if not count:
        return None
    text = ngettext("{path} has no order, and {n} is in {file}", "{path} has no order, and {n} are in {file}", count)
    fix = _(
        "Take B24_DATABASE_URL out, run `b24tools backup`, put it back, and run `b24tools restore FILE`; "
        "or move {file} away."
    )
    return warn(text, fix, path=exam.settings.database, n=count, file=file)


@checks.add("database_clock", lambda: _("clock of the database"))
def check_server_clock(exam: Examination) -> Finding | None:
    """Compare with the server's clock, by which events are leased and the portal's limits go."""
    if exam.database is None or not exam.database.database.is_shared:
        return None
    ahead = exam.database.database.correct_clock(exam.now) - exam.now
    if abs(ahead) <= LARGEST_CLOCK_ERROR:
        return ok(_("agrees with this machine's"))
    fix = _("Let the database server and this machine keep their time by NTP.")
    text = _("this machine is ahead of the database server by {off}")
    if ahead > timedelta():
        text = _("the database server is ahead of this machine by {off}")
    return warn(text, fix, off=format_duration(int(abs(ahead).total_seconds())))


@checks.add("orders", lambda: _("orders"))
def check_orders(exam: Examination) -> Finding:
    """Name the orders of which it is not known how their writes ended."""
    orders = require(exam.database).orders
    unsettled = [number for _id, number in orders.unsettled()]
    if not unsettled:
        count = orders.count()
        return ok(ngettext("{n} order sent so far", "{n} orders sent so far", count), n=count)
    detail = ngettext(
        "{n} order was cut off, or an answer of the portal never came: {numbers}",
        "{n} orders were cut off, or an answer of the portal never came: {numbers}",
        len(unsettled),
    )
    fix = _("Send them again from 1C: what is there is found, nothing is made twice.")
    return warn(detail, fix, n=len(unsettled), numbers=listed(unsettled))


@checks.add("snapshot", lambda: _("snapshot"))
def check_snapshot(exam: Examination) -> Finding:
    runs, non_admin = require(exam.database).snapshot_runs, exam.settings.non_admin
    run = runs.last_taken(exam.now, non_admin=non_admin)
    command = "b24tools snapshot --reconcile" if exam.mode == WEBHOOK else "b24tools snapshot"
    fix = _("Run `{command}` and look at what it says; by the clock: `b24tools schedule`.").format(command=command)
    if run is None and runs.has_complete(non_admin=non_admin):
        return fail(_("the last complete one is dated in the future: the clock of this computer was wrong then"), fix)
    if run is None:
        return warn(_("never taken: the leaderboard is empty"), fix)
    age_h = (exam.now - run.started_at) / timedelta(hours=1)
    limit_h = float(require(exam.database).settings.get("snapshot_max_age_h"))
    detail = _("{moment}, {age} ago (mode {mode})").format(
        moment=f"{run.started_at.astimezone(exam.now.tzinfo):%d.%m.%Y %H:%M}",
        age=format_duration(max(0, int(age_h * HOUR_S))),
        mode=exam.mode,
    )
    if age_h > limit_h:
        return fail(_("the last complete one: {run}; snapshot_max_age_h is {limit:g}"), fix, run=detail, limit=limit_h)
    return ok(detail)


@checks.add("events", lambda: _("events"))
def check_events(exam: Examination) -> Finding:
    events = require(exam.database).events
    counts, oldest = events.count_by_status(), events.oldest_unprocessed()
    since = clock.known_moment(oldest, exam.now)
    if oldest is not None and exam.mode == WEBHOOK and (since is None or exam.now - since > LONG_WAIT):
        n = counts.get(WAITING, 0)
        detail = ngettext("{n} event waits, the oldest since {moment}", "{n} events wait, the oldest since {moment}", n)
        fix = _("`b24tools serve` follows them: is it running, and with this data folder?")
        return fail(detail, fix, n=n, moment=f"{oldest.astimezone(exam.now.tzinfo):%d.%m.%Y %H:%M}")
    if failed := counts.get(FAILED, 0):
        fix = _("`b24tools replay --list` says why, `b24tools replay --failed` tries them again.")
        return warn(ngettext("{n} event failed", "{n} events failed", failed), fix, n=failed)
    total = sum(counts.values())
    return ok(ngettext("{n} event stored, none failed", "{n} events stored, none failed", total), n=total)


@checks.add("missed_events", lambda: _("missed events"))
def check_missed_events(exam: Examination) -> Finding | None:
    """Say how many changes the last complete run in webhook mode found that no event had reported."""
    run = require(exam.database).snapshot_runs.last_measured(exam.now)
    if exam.mode != WEBHOOK or run is None or run.missed is None or run.changes is None:
        return None
    detail = ngettext(
        "{missed} of {n} change came without an event (reconciled {moment})",
        "{missed} of {n} changes came without an event (reconciled {moment})",
        run.changes,
    )
    moment = f"{run.started_at.astimezone(exam.now.tzinfo):%d.%m.%Y %H:%M}"
    values: dict[str, Any] = {"missed": run.missed, "n": run.changes, "moment": moment}
    if run.missed * MISSED_OF <= run.changes:
        return ok(detail, **values)
    fix = _(
        "Look whether the outgoing webhook has all its events and its address leads here, and whether serve was away; "
        "`b24tools snapshot --reconcile` every night brings what is missed."
    )
    return warn(detail, fix, **values)


@checks.add("inbox", lambda: _("inbox"))
def check_inbox(exam: Examination) -> Iterator[Finding]:
    """Look into the folders that `assign --inbox` has taken orders from."""
    for folder in require(exam.database).notices.inboxes():
        try:
            found = inbox.inspect(folder)
        except FileNotFoundError:
            continue
        except OSError as error:
            fix = _("Let the user of this command read it.")
            yield warn(_("{path}: {reason}"), fix, path=folder, reason=os_reason(error))
            continue
        since = clock.known_moment(found.oldest, exam.now)
        values: dict[str, Any] = {"path": folder, "n": found.files, "failed": found.failed}
        values["moment"] = f"{since.astimezone(exam.now.tzinfo):%d.%m.%Y %H:%M}" if since else "?"
        if since and exam.now - since > inbox.LONG_WAIT:
            text = ngettext(
                "{path}: {n} order waits, the oldest since {moment}",
                "{path}: {n} orders wait, the oldest since {moment}",
                found.files,
            )
            yield fail(text, _("`b24tools assign --inbox {path}` says why; does cron run it?"), **values)
        if found.failed:
            text = ngettext("{path}: {failed} bad order", "{path}: {failed} bad orders", found.failed)
            yield warn(text, _("Read why in {path}/failed, send them again from 1C, delete the files."), **values)
        elif not since or exam.now - since <= inbox.LONG_WAIT:
            yield ok(ngettext("{path}: {n} order waits", "{path}: {n} orders wait", found.files), **values)
        if found.others:
            fix = _("Names of orders end in .json or .json.gz: rename them, or take them away.")
            yield warn(_("{path}: no orders, never taken: {names}"), fix, path=folder, names=listed(found.others))


@checks.add("backup", lambda: _("backup"))
def check_backup(exam: Examination) -> Finding | None:
    """Ask for a backup once there is a week's work to lose."""
    store = require(exam.database)
    last = store.notices.last_backup()
    fix = _("Once a night: `b24tools -q backup FOLDER --keep 14`, best with a folder on another disk.")
    if last is None:
        return warn(_("never made"), fix) if store.orders.has_begun(exam.now - OLD_BACKUP) else None
    path, stamp = last
    made_at = clock.known_moment(stamp, exam.now)
    if made_at is None:
        return warn(_("the last one has the date of a wrong clock: {path}"), fix, path=path)
    day = f"{made_at.astimezone(exam.now.tzinfo):%d.%m.%Y %H:%M}"
    if exam.now - made_at > OLD_BACKUP:
        return warn(_("the last one is of {day}: {path}"), fix, day=day, path=path)
    return ok(_("{day}: {path}"), day=day, path=path)


@checks.add("restored", lambda: _("a restored database"))
def check_restored(exam: Examination) -> Finding:
    """A backup is older than the portal: what was closed and sent since is missing in it."""
    day = require(require(exam.database).orders.restored_at()).astimezone(exam.now.tzinfo)
    detail = _("on {day:%d.%m.%Y} the database was older than the portal's tasks: it was restored, or lost")
    fix = _("Bring the closed tasks back: `b24tools snapshot --since {since:%Y-%m-%d}`. Send the open orders again.")
    return warn(detail, fix, day=day, since=day - timedelta(days=31))


@checks.add("dropped_fields", lambda: _("dropped fields"))
def check_dropped_fields(exam: Examination) -> Finding | None:
    """Name what the last runs sent and the portal left out of the tasks, without an error."""
    dropped = require(exam.database).notices.dropped_fields()
    if not dropped:
        return None
    seen = clock.known_moment(max(dropped.values()), exam.now)
    detail = _("the portal drops {names} from new tasks without an error (seen {day}): its plan has none of that")
    fix = _(
        "Take a plan of Bitrix24 with projects, observers and time tracking, or do without; the line goes when "
        "an order shows that they are there."
    )
    day = f"{seen.astimezone(exam.now.tzinfo):%d.%m.%Y}" if seen else "?"
    return warn(detail, fix, names=", ".join(dropped), day=day)
