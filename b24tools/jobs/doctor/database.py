"""What is kept: the database, orders whose fate is unknown, the last snapshot, the events."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from b24tools.core import clock, errors, hosts
from b24tools.core.i18n import _, ngettext
from b24tools.jobs.doctor import machine
from b24tools.jobs.doctor.checks import Check, fail, from_error, listed, ok, warn
from b24tools.jobs.doctor.subject import Subject
from b24tools.store import Store
from b24tools.store.events import FAILED, WAITING
from b24tools.store.inspection import Looked, look

LONG_WAIT = timedelta(minutes=15)


def check_file(subject: Subject) -> tuple[Check, Looked | None]:
    """Whether the database can be used; what was seen of it, where it can be read at all."""
    path = subject.database
    try:
        path.stat()
    except FileNotFoundError:
        return ok("database", _("{path}: not there yet, the first command makes it").format(path=path)), None
    except OSError:
        pass  # the reader will say why
    try:
        seen = look(path)
    except errors.ConfigError as error:
        return from_error("database", error), None
    if seen.damage:
        mend = _("Stop everything that uses it, keep the file, and put back the last copy of it.")
        return fail("database", _("{path} is damaged: {reason}").format(path=path, reason=seen.damage[0]), mend), None
    if not seen.writable:
        return (
            fail(
                "database",
                _("{path} can be read, but not written").format(path=path),
                _("Let the user who runs b24tools write the files b24tools.db* and their folder."),
            ),
            seen,
        )
    if seen.foreign_migrations:
        return (
            fail(
                "database",
                _("{path} was made by a newer b24tools").format(path=path),
                _("Update this b24tools, or set another B24_DATA_DIR."),
            ),
            None,
        )
    told = _("{path}, {size}, no damage found").format(path=path, size=machine.size(path.stat().st_size))
    if seen.pending:
        told = _("{told}; of an older b24tools, the next command brings it up to date").format(told=told)
    return ok("database", told), seen


def check(opened: Store, now: datetime) -> Iterator[Check]:
    """What the rows say. `now` in the zone that times are shown in."""
    mode = opened.settings.get("producer_mode")
    yield _orders(opened)
    yield _snapshot(opened, now, mode)
    yield _events(opened, now, mode)
    yield from _restored(opened, now)
    yield from _dropped(opened, now)


def _restored(opened: Store, now: datetime) -> Iterator[Check]:
    """A backup is older than the portal: what was closed and sent since is missing in it."""
    if moment := opened.orders.restored_at():
        day = moment.astimezone(now.tzinfo)
        yield warn(
            "restored",
            _("on {day} the database was older than the portal's tasks: it was restored, or lost").format(
                day=f"{day:%d.%m.%Y}"
            ),
            _("Bring the closed tasks back: `b24tools snapshot --since {day}`. Send the open orders again.").format(
                day=f"{day - timedelta(days=31):%Y-%m-%d}"
            ),
        )


def _dropped(opened: Store, now: datetime) -> Iterator[Check]:
    """What the last runs sent and the portal left out of the tasks, without an error."""
    dropped = opened.orders.dropped_fields()
    if dropped:
        seen = clock.known_moment(max(dropped.values()), now)
        day = seen.astimezone(now.tzinfo).strftime("%d.%m.%Y") if seen else "?"
        yield warn(
            "dropped_fields",
            _(
                "the portal drops {names} from new tasks without an error (seen {day}): its plan has none of that"
            ).format(names=", ".join(dropped), day=day),
            _(
                "Take a plan of Bitrix24 with projects, observers and time tracking, or do without; the line goes when "
                "an order shows that they are there."
            ),
        )


def host(opened: Store, host_now: str) -> Check:
    """Ids of one portal mean nothing on another."""
    known = opened.settings.get("portal_host")
    if known and not hosts.is_same(known, host_now):
        return fail(
            "portal_host",
            _("the database is about the portal {known}, but the webhook leads to {host}").format(
                known=known, host=host_now
            ),
            _(
                "For another portal set another B24_DATA_DIR; if the portal was renamed, run "
                "`b24tools config portal_host {host}`."
            ).format(host=host_now),
        )
    return ok("portal_host", known or _("the database knows none yet"))


def _orders(opened: Store) -> Check:
    unsettled = opened.orders.unsettled()
    if unsettled:
        numbers = listed([number for _id, number in unsettled])
        return warn(
            "orders",
            ngettext(
                "{n} order was cut off, or an answer of the portal never came: {numbers}",
                "{n} orders were cut off, or an answer of the portal never came: {numbers}",
                len(unsettled),
            ).format(n=len(unsettled), numbers=numbers),
            _("Send them again from 1C: what is there is found, nothing is made twice."),
        )
    count = opened.orders.count()
    return ok("orders", ngettext("{n} order sent so far", "{n} orders sent so far", count).format(n=count))


def _snapshot(opened: Store, now: datetime, mode: str) -> Check:
    run = opened.snapshot_runs.last_complete(now)
    limit_h = float(opened.settings.get("snapshot_max_age_h"))
    by_hand = "b24tools snapshot --reconcile" if mode == "webhook" else "b24tools snapshot"
    mend = _("Run `{command}` and look at what it says; by the clock: crontab.example.").format(command=by_hand)
    if run is None and opened.snapshot_runs.has_complete():
        told = _("the last complete one is dated in the future: the clock of this computer was wrong then")
        return fail("snapshot", told, mend)
    if run is None:
        return warn("snapshot", _("never taken: the leaderboard is empty"), mend)
    age = now - run.started_at
    told = _("{moment}, {hours:.1f} h ago (mode {mode})").format(
        moment=run.started_at.astimezone(now.tzinfo).strftime("%d.%m.%Y %H:%M"),
        hours=max(0.0, age / timedelta(hours=1)),
        mode=mode,
    )
    if age > timedelta(hours=limit_h):
        return fail(
            "snapshot",
            _("the last complete one: {told}; snapshot_max_age_h is {limit:g}").format(told=told, limit=limit_h),
            mend,
        )
    return ok("snapshot", told)


def _events(opened: Store, now: datetime, mode: str) -> Check:
    counts = opened.events.count_by_status()
    oldest = opened.events.oldest_unprocessed()
    known = clock.known_moment(oldest, now)
    if oldest is not None and mode == "webhook" and (known is None or now - known > LONG_WAIT):
        return fail(
            "events",
            ngettext(
                "{n} event waits, the oldest since {moment}",
                "{n} events wait, the oldest since {moment}",
                counts.get(WAITING, 0),
            ).format(n=counts.get(WAITING, 0), moment=oldest.astimezone(now.tzinfo).strftime("%d.%m.%Y %H:%M")),
            _("`b24tools serve` follows them: is it running, and with this data folder?"),
        )
    if failed := counts.get(FAILED, 0):
        return warn(
            "events",
            ngettext("{n} event failed", "{n} events failed", failed).format(n=failed),
            _("`b24tools replay --list` says why, `b24tools replay --failed` tries them again."),
        )
    total = sum(counts.values())
    return ok("events", ngettext("{n} event kept, none fails", "{n} events kept, none fails", total).format(n=total))
