"""What -q lets through, for cron mails it: a cause once, again when it changes, then after an hour, four hours, daily.

What was said is kept in the database. Where that cannot be written, on a full disk for instance, an empty file among
the system's temporary ones remembers it: it needs no room, and its two times say since when and when last.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from b24tools import context
from b24tools.cli.invocation import Invocation
from b24tools.core import clock, config, errors, inbox
from b24tools.render.console import Held

if TYPE_CHECKING:
    from b24tools.store.notices import Notice

HOUR = timedelta(hours=1)
STEPS = (HOUR, timedelta(hours=4))
LONG_AGO = timedelta(days=2)  # a file that old is of another story


def release(invocation: Invocation, status: int) -> None:
    """Print of what was held back what a person must look at now."""
    messenger = invocation.messenger
    if messenger.level >= 0 or not (messenger.held or invocation.command):
        return
    session = context.Session(config.inspect(env_file=invocation.env_file).settings, messenger.info)
    now = context.now()
    held = messenger.held
    reached_end = invocation.reached_end  # what was not met then is over
    if any(one.passes for one in held):
        reached_end = False  # it may have come before what else there is
        if _may_wait(invocation, session, status, now):
            held = [one for one in held if not one.passes]
    scope = f"{invocation.command} {invocation.inbox or ''}".rstrip()
    for one in _choose(session, scope, held, now, reached_end=reached_end):
        one.say()
    messenger.held.clear()


def _may_wait(invocation: Invocation, session: context.Session, status: int, now: datetime) -> bool:
    """Whether what passes by itself is no news: the data are young, and no order has waited an hour."""
    if invocation.inbox is None:
        return status == errors.TRY_LATER and session.is_fresh()
    try:
        oldest = inbox.look(invocation.inbox).oldest
    except OSError:
        return False
    return session.is_fresh() and (oldest is None or now - oldest < inbox.LONG_WAIT)


def _choose(
    session: context.Session, scope: str, held: Sequence[Held], now: datetime, *, reached_end: bool
) -> list[Held]:
    """Return what is due, and note that it has been said."""
    causes: dict[str, list[Held]] = {}
    for one in held:
        if one.cause:
            causes.setdefault(one.cause, []).append(one)
    try:
        due = _choose_by_database(session, scope, causes, now, reached_end=reached_end)
    except (errors.B24ToolsError, OSError):
        folder = session.settings.data_dir
        due = [one for cause, alike in causes.items() if _is_due_by_file(folder, cause, now) for one in alike]
    return [one for one in held if not one.cause or one in due]


def _choose_by_database(
    session: context.Session, scope: str, causes: Mapping[str, Sequence[Held]], now: datetime, *, reached_end: bool
) -> list[Held]:
    """Raise B24ToolsError or OSError where the database cannot be written, or is not there yet."""
    if not causes and not session.settings.database.exists():
        return []
    session.settings.database.stat()
    with session.read_store() as store:
        known = store.notices.read()
    due, changed = [], {}
    for cause, alike in causes.items():
        said, notice = _judge(known.get(cause), scope, alike, now)
        due += said
        if notice != known.get(cause):
            changed[cause] = notice
    gone = [
        cause
        for cause, notice in known.items()
        if reached_end
        and notice.scope == scope
        and cause not in causes
        and not (cause in errors.PASSING and timedelta() <= now - notice.last_at < HOUR)  # it comes and goes
    ]
    if changed or gone:
        with session.open_store() as store, store.transaction():
            store.notices.save(changed)
            store.notices.forget(gone)
    return due


def _judge(known: Notice | None, scope: str, alike: Sequence[Held], now: datetime) -> tuple[list[Held], Notice]:
    """Return what to say now about a cause, and what is known of it from now on."""
    from b24tools.store.notices import Notice

    orders = frozenset(one.order for one in alike)
    if known is None or clock.known_moment(known.last_at, now) is None:
        return list(alike), Notice(scope, now, now, orders)
    if _count_steps(now - known.first_at) > _count_steps(known.last_at - known.first_at):
        return list(alike), Notice(scope, known.first_at, now, orders)
    new = [one for one in alike if one.order not in known.orders]
    if new:
        return new, Notice(scope, now, now, known.orders | orders)
    return [], known


def _count_steps(passed: timedelta) -> int:
    """Count how often a cause is said again within this time."""
    return sum(passed >= step for step in STEPS) + max(0, passed.days)


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
        is_due = not is_known or _count_steps(now - first) > _count_steps(last - first)
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
