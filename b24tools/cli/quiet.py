"""What -q lets through, for cron mails it: a cause once, again when it changes, then after an hour, four hours, daily.

On a terminal each time.

What was said is saved in the database. Where that cannot be written, on a full disk for instance, an empty file among
the system's temporary ones remembers it: it needs no room, and its two times say since when and when last.
"""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from b24tools import context
from b24tools.cli.invocation import Invocation
from b24tools.core import clock, errors, inbox
from b24tools.render.console import OF_THE_RUN, Held, Trouble

if TYPE_CHECKING:
    from b24tools.jobs.doctor.checks import Report
    from b24tools.store.notices import Notice

FINDINGS = "findings"  # the scope of notices of doctor
# from the first time on: within so long of it, it is said again after so long
PAUSES = (
    (timedelta(hours=1), timedelta(hours=1)),
    (timedelta(hours=4), timedelta(hours=3)),
    (timedelta(days=1), timedelta(hours=20)),
)
DAILY = timedelta(days=1)
LONG_AGO = timedelta(days=2)  # a file that old is of another story


def release(invocation: Invocation, status: int) -> None:
    """Print of what was held back what a person must look at now."""
    messenger = invocation.messenger
    if not (messenger.held or invocation.command):
        return
    session = context.Session(invocation.inspect_settings().settings, messenger.info)
    now = context.now()
    scope = inbox.show_name(f"{invocation.command} {invocation.inbox or ''}".rstrip())
    known: dict[str, Notice] | None = None
    with suppress(errors.B24ToolsError, OSError):
        if session.has_database():
            with session.read_store() as store:
                known = store.notices.read()
    held = [(_describe_trouble(line), line.say) for line in messenger.held]
    may_forget = invocation.reached_end
    if any(trouble.passes for trouble, _say in held):
        may_forget = False  # what was not met may come after it
        stays = {order.partition("/")[0] for notice in (known or {}).values() for order in notice.orders}
        if _may_wait(invocation, session, status, now, stays):
            held = [(trouble, say) for trouble, say in held if not trouble.passes]
    if held and _is_watched():
        for _trouble, say in held:
            say()
        return
    causes: dict[str, set[Trouble]] = {}
    for trouble, _say in held:
        if trouble.cause:
            causes.setdefault(trouble.cause, set()).add(trouble)
    gone = [
        cause
        for cause, notice in (known or {}).items()
        if may_forget and notice.scope == scope and (invocation.has_assigned or OF_THE_RUN not in notice.orders)
    ]
    due = None if known is None else _choose(session, known, scope, causes, now, gone)
    if due is None:
        folder = session.settings.data_dir
        due = {trouble for cause, alike in causes.items() if _is_due_by_file(folder, cause, now) for trouble in alike}
    for trouble, say in held:
        if not trouble.cause or trouble in due:
            say()
    messenger.held.clear()


def _describe_trouble(held: Held) -> Trouble:
    """Say what a line is about. What passes is one cause, whatever is said of it; other errors are what they say."""
    error = held.error
    if error is not None and (error.exit_status == errors.TRY_LATER or error.code == errors.ErrorCode.STALE):
        return Trouble(error.code, passes=error.exit_status == errors.TRY_LATER)
    if held.trouble is None and error is not None and error.code not in errors.OF_THE_INPUT:
        return Trouble(error.message)
    return held.trouble or Trouble()


def choose_new_findings(
    session: context.Session, findings: Sequence[Report], now: datetime, *, is_whole: bool
) -> list[Report]:
    """Return what doctor did not say the last time, and note what it says now; all of it where that cannot be noted.

    On a terminal it is all, and nothing is noted.

    What is in order again is forgotten, and so is new when it comes back; unless `is_whole` is false: the portal did
    not answer, and what it would show was not looked at.
    """
    from b24tools.store.notices import Notice

    if _is_watched():
        return list(findings)
    causes: dict[str, Report] = {}
    for finding in findings:
        if not finding.check.startswith("probe "):
            cause = f"{FINDINGS}: {finding.status} {finding.check}"
            causes[f"{cause}: {finding.fix}" if cause in causes else cause] = finding  # of several inboxes, say
    new: list[Report] = list(findings)
    with suppress(errors.B24ToolsError, OSError):
        if session.has_database():
            with session.open_store() as store, store.transaction():
                known = {cause for cause, notice in store.notices.read().items() if notice.scope == FINDINGS}
                store.notices.forget(known - causes.keys() if is_whole else ())
                store.notices.save({cause: Notice(FINDINGS, now, now) for cause in causes.keys() - known})
            new = [finding for finding in findings if not any(causes.get(cause) is finding for cause in known)]
    return new


def _is_watched() -> bool:
    """Return whether this runs on a terminal and not in cron, whose mail whoever looks may not have read."""
    return sys.stderr is not None and sys.stderr.isatty()


def _may_wait(
    invocation: Invocation, session: context.Session, status: int, now: datetime, stays: Collection[str]
) -> bool:
    """Whether what passes by itself is no news: the data are young, and no order but those that stay waits an hour."""
    if invocation.inbox is None:
        return status == errors.TRY_LATER and session.is_fresh()
    try:
        times = [entry.stat().st_mtime for entry in inbox.scan(invocation.inbox) if entry.name not in stays]
    except OSError:
        return False
    oldest = now.timestamp() - inbox.LONG_WAIT.total_seconds()
    return session.is_fresh() and min(times, default=now.timestamp()) > oldest


def _choose(
    session: context.Session,
    known: Mapping[str, Notice],
    scope: str,
    causes: Mapping[str, Collection[Trouble]],
    now: datetime,
    may_be_gone: Collection[str],
) -> set[Trouble] | None:
    """Return what is due, and note that it has been said; None where that cannot be noted.

    Of `may_be_gone` is forgotten what was not met again.
    """
    due: set[Trouble] = set()
    changed: dict[str, Notice] = {}
    for cause, alike in causes.items():
        said, notice = _judge(known.get(cause), scope, alike, now)
        due.update(said)
        if notice != known.get(cause):
            changed[cause] = notice
    gone = [
        cause
        for cause in may_be_gone
        if cause not in causes  # what passes comes and goes
        and not (cause in errors.PASSING and timedelta() <= now - known[cause].last_at < inbox.LONG_WAIT)
    ]
    try:
        if changed or gone:
            with session.open_store() as store, store.transaction():
                store.notices.save(changed)
                store.notices.forget(gone)
    except (errors.B24ToolsError, OSError):
        return None
    return due


def _judge(
    known: Notice | None, scope: str, alike: Collection[Trouble], now: datetime
) -> tuple[Collection[Trouble], Notice]:
    """Return what to say now about a cause, and what is known of it from now on."""
    from b24tools.store.notices import Notice

    names = {trouble: f"{trouble.file}/{trouble.order_id}" if trouble.file else trouble.order_id for trouble in alike}
    orders = frozenset(names.values())
    if known is None or clock.known_moment(known.last_at, now) is None:
        return alike, Notice(scope, now, now, orders)
    if _is_due(known.first_at, known.last_at, now):
        return alike, Notice(scope, known.first_at, now, orders)
    new = [trouble for trouble, name in names.items() if name not in known.orders]
    if new:
        return new, Notice(scope, now, now, known.orders | orders)
    return (), known


def _is_due(first: datetime, last: datetime, now: datetime) -> bool:
    """Whether a cause is to be said again."""
    pause = next((pause for limit, pause in PAUSES if last - first < limit), DAILY)
    return now - last >= pause


def _is_due_by_file(folder: Path, cause: str, now: datetime) -> bool:
    name = hashlib.sha256(f"{folder}\0{cause}".encode(errors="replace")).hexdigest()[:16]
    # `tempfile` would try to write something first
    temporary = Path(os.environ.get("TMPDIR") or os.environ.get("TEMP") or "/tmp")  # noqa: S108 - nothing is in it
    path = temporary / f"b24tools-{name}"
    first = last = now
    is_due = True
    try:
        status = path.lstat()
        first, last = (datetime.fromtimestamp(stamp, UTC) for stamp in (status.st_atime, status.st_mtime))
        is_known = clock.known_moment(last, now) is not None and now - last < LONG_AGO
        is_due = not is_known or _is_due(first, last, now)
        first = first if is_known else now
    except FileNotFoundError:
        pass
    except OSError:
        return True
    if is_due:
        try:
            os.close(os.open(path, os.O_CREAT | os.O_WRONLY | getattr(os, "O_NOFOLLOW", 0), 0o600))
            os.utime(path, (first.timestamp(), now.timestamp()))
        except OSError:
            pass
    return is_due
