"""`b24tools snapshot` and `b24tools mode`."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from typing import Annotated
from zoneinfo import ZoneInfo

import typer

from b24tools import context
from b24tools.cli.completion import suggest
from b24tools.cli.invocation import Invocation, Json
from b24tools.cli.localized import WRITING, explain
from b24tools.core import errors, periods
from b24tools.core.i18n import _
from b24tools.render import snapshot as render_snapshot
from b24tools.render.console import print_text

EARLIEST = 2000  # before Bitrix24; a portal takes a date it cannot read for 1970


@explain(
    ("snapshot", "This week; for cron, every hour or so."),
    ("snapshot --since 2026-01-01", "Once, to begin with: all weeks of this year."),
    statuses=WRITING | {3: "done, but the owner of the webhook does not see all tasks"},
)
def snapshot(
    ctx: typer.Context,
    week: Annotated[str | None, typer.Option("--week", metavar="WEEK", help="This week only: 2026-W47.")] = None,
    since: Annotated[
        str | None, typer.Option("--since", metavar="DAY", help="Every week from this day on: 2026-01-01.")
    ] = None,
    reconcile: Annotated[
        bool, typer.Option("--reconcile", help="This week and the one before, whatever the mode.")
    ] = False,
    as_json: Json = False,
) -> int:
    """Collect the closed tasks of a week. They go into the database, with the people."""
    from b24tools.jobs import snapshot as job
    from b24tools.scheduling.holidays import production_calendar

    invocation: Invocation = ctx.obj
    messenger = invocation.messenger
    session = invocation.open_session(logs=True)
    settings, now = session.settings, context.now()
    zone = settings.zone
    if sum((week is not None, since is not None, reconcile)) > 1:
        raise errors.UsageError(_("--week, --since and --reconcile exclude each other"), _("Name one of them."))
    weeks: list[periods.Period] = []  # none: the database decides
    if week is not None:
        weeks = [_read_week(week, zone, now)]
    elif since is not None:
        weeks = _read_since(since, zone, now)
    elif reconcile:
        weeks = job.last_two(now, zone)
    if not reconcile:
        with session.open_store() as store:
            follows_events = store.settings.follows_events()
        if follows_events:
            messenger.info(
                _(
                    "Nothing to do: in webhook mode the portal's events bring the tasks. "
                    "`b24tools snapshot --reconcile` reads this week and the one before all the same; others are read "
                    "after `b24tools mode polling`, and `b24tools mode webhook` goes back to events."
                )
            )
            if as_json:
                invocation.print_json({"skipped": "webhook"})
            invocation.send_messages(session)
            return 0
    with session.snapshot_tools() as (client, store), messenger.progress(time_left=True) as progress:
        rules = job.SnapshotRules(
            zone,
            settings.directory_cache_h,
            settings.people_cache_h,
            settings.non_admin,
            settings.parallel,
            days=[context.own_days(settings).days, production_calendar(settings.country).days],
            keep=timedelta(days=settings.keep_days),
            hide=settings.order_scrubber.hide,
            at_night=reconcile,
        )
        weeks = weeks or job.due(store, now, zone)
        result = job.take(store, client, weeks, rules, now=context.now, progress=progress)
    invocation.send_messages(session)
    error, warnings = None, list(result.warnings)
    if not result.complete:
        partial = errors.PortalDenied(
            _(
                "the webhook's owner is not an administrator: "
                "tasks that they do not see are missing, none is marked gone"
            ),
            _("Let an administrator create the webhook; or set B24_NON_ADMIN=1 to count what the owner sees."),
        )
        if result.exit_status:
            error = partial
        else:
            warnings.insert(0, partial.message)
            messenger.detail(partial.message)
    lines = render_snapshot.describe_weeks(result)
    messenger.record(logging.INFO, "; ".join(lines))
    if as_json:
        invocation.print_json(render_snapshot.data(result, zone), warnings=warnings, error=error)
    elif not messenger.is_quiet:
        print_text("\n".join(lines))
    if error:
        messenger.error(error)
    for warning in result.warnings:
        messenger.info(warning)
    messenger.detail(_("requests to the portal: {count}").format(count=result.requests))
    return result.exit_status


@explain(
    ("mode", "Which one it is."),
    ("mode webhook", "From now on the portal's events bring the closed tasks."),
)
def mode(
    ctx: typer.Context,
    value: Annotated[
        str | None,
        typer.Argument(
            metavar="polling|webhook",
            help="The new mode.",
            show_default=False,
            autocompletion=suggest("polling", "webhook"),
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Show or set the way of collecting. It is polling or webhook."""
    invocation: Invocation = ctx.obj
    with invocation.open_session(logs=value is not None).open_store() as store:
        if value is not None:
            store.settings.save("producer_mode", value, context.now())
        current = store.settings.get("producer_mode")
    if as_json:
        invocation.print_json({"producer_mode": current})
    else:
        print_text(current)


def _read_week(text: str, zone: ZoneInfo, now: datetime) -> periods.Period:
    hint = _("An example: --week 2026-W47")
    week = periods.parse(text, zone)
    if week.kind != periods.WEEK:
        raise errors.UsageError(_('--week "{text}" is not a week').format(text=text), hint)
    if week.first.year < EARLIEST or week.start > now:
        raise errors.UsageError(_("{week} is not a week that has begun").format(week=week.label), hint)
    return week


def _read_since(text: str, zone: ZoneInfo, now: datetime) -> list[periods.Period]:
    from b24tools.jobs import snapshot as job

    hint = _("An example: --since 2026-01-01")
    today = now.astimezone(zone).date()
    day = periods.read_day(text, today)
    if day > today:
        raise errors.UsageError(_("--since {day}: the date is out of range").format(day=day), hint)
    return job.since(day, now, zone)
