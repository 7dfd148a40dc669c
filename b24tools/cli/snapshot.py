"""`snapshot` and `mode` at the command line: which weeks, and what the user is told."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

from b24tools import context
from b24tools.core import errors, periods
from b24tools.core.i18n import _
from b24tools.jobs import snapshot
from b24tools.render import console
from b24tools.render.snapshot import data, lines

POLLING, WEBHOOK = "polling", "webhook"
EARLIEST = 2000  # before Bitrix24; a portal takes a date it cannot read for 1970


@dataclass(frozen=True)
class Wanted:
    """What the options said."""

    week: str | None = None
    since: str | None = None
    reconcile: bool = False
    as_json: bool = False


def take(here: context.Session, talk: console.Talk, wanted: Wanted) -> int:
    """One snapshot; the exit status."""
    settings = here.settings
    now = context.now()
    span = _chosen(wanted, now, settings.zone)
    if not wanted.reconcile and _mode(here) == WEBHOOK:
        talk.say(
            _(
                "Nothing to do: in webhook mode the portal's events bring the tasks. "
                "`b24tools snapshot --reconcile` reads them all the same, `b24tools mode polling` switches back."
            )
        )
        if wanted.as_json:
            console.envelope("snapshot", {"skipped": WEBHOOK}, ok=True)
        return 0
    rules = snapshot.Rules(
        settings.zone,
        settings.directory_cache_h,
        settings.people_cache_h,
        settings.non_admin,
        settings.parallel,
    )
    with here.snapshot_tools() as (client, opened):
        chosen = span or snapshot.due(opened, now, settings.zone)
        with talk.progress(time_left=True) as progress:
            result = snapshot.take(opened, client, chosen, rules, now=context.now, progress=progress)
    _tell(talk, result, settings.zone, as_json=wanted.as_json)
    return result.exit_status


def mode(here: context.Session, value: str | None, *, as_json: bool) -> None:
    """Show or set how closed tasks are collected."""
    with here.open_store() as opened:
        if value is not None:
            opened.save_setting("producer_mode", value, context.now())
        current = opened.setting("producer_mode")
    if as_json:
        console.envelope("mode", {"producer_mode": current}, ok=True)
    else:
        console.text(current)


def _mode(here: context.Session) -> str:
    with here.open_store() as opened:
        return opened.setting("producer_mode")


def _chosen(wanted: Wanted, now: datetime, zone: ZoneInfo) -> list[periods.Period]:
    """The weeks that the options name; none where the database decides. Raises ConfigError."""
    if sum((wanted.week is not None, wanted.since is not None, wanted.reconcile)) > 1:
        raise errors.ConfigError(_("--week, --since and --reconcile exclude each other"), _("Name one of them."))
    if wanted.reconcile:
        return snapshot.last_two(now, zone)
    if wanted.week is not None:
        return [_week(wanted.week, now, zone)]
    if wanted.since is not None:
        return _since(wanted.since, now, zone)
    return []


def _week(text: str, now: datetime, zone: ZoneInfo) -> periods.Period:
    week = periods.parse(text, zone)
    if week.kind != periods.WEEK:
        raise errors.ConfigError(_('--week "{text}" is not a week').format(text=text), _("An example: --week 2026-W47"))
    if week.first.year < EARLIEST or week.start > now:
        raise errors.ConfigError(
            _("{week} is not a week that has begun").format(week=week.label), _("An example: --week 2026-W47")
        )
    return week


def _since(text: str, now: datetime, zone: ZoneInfo) -> list[periods.Period]:
    hint = _("An example: --since 2026-01-01")
    try:
        day = date.fromisoformat(text.strip())
    except ValueError:
        raise errors.ConfigError(_('--since "{text}" is not a date').format(text=text), hint) from None
    span = snapshot.since(day, now, zone) if day.year >= EARLIEST else []
    if not span or day > now.astimezone(zone).date():
        raise errors.ConfigError(_("--since {day}: the date is out of range").format(day=day), hint)
    return span


def _partly_blind() -> errors.B24ToolsError:
    return errors.PortalDenied(
        _("the webhook's owner is not an administrator: tasks that they do not see are missing, none is marked gone"),
        _("Let an administrator create the webhook; or set B24_NON_ADMIN=1 to count what the owner sees."),
        method="profile",
    )


def _tell(talk: console.Talk, result: snapshot.Result, zone: ZoneInfo, *, as_json: bool) -> None:
    blind = None if result.complete else _partly_blind()
    error = blind if result.exit_status else None
    if as_json:
        warnings = [*([blind.message] if blind and not error else []), *result.warnings]
        console.envelope("snapshot", data(result, zone), ok=error is None, warnings=warnings, error=error)
    elif talk.level >= 0:
        lines(result)
    if error:
        talk.error(error)
    elif blind:
        talk.detail(blind.message)
    for warning in result.warnings:
        talk.say(warning)
    talk.detail(_("requests to the portal: {count}").format(count=result.requests))
