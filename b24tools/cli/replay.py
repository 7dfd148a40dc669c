"""`replay` at the command line: which events, from where, and what the user is told."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from b24tools import context
from b24tools.core import clock, errors, periods
from b24tools.core.i18n import _, ngettext, os_reason
from b24tools.jobs.events import payload, process, replay_files
from b24tools.jobs.events.process import Processed
from b24tools.render import console
from b24tools.render import events as render_events
from b24tools.store.events import StoredEvent

LISTED = 50  # the last ones, where no other choice was made


@dataclass(frozen=True)
class Wanted:
    """What the options said. `since` is a span of time, as text."""

    files: Sequence[Path] = ()
    failed: bool = False
    since: str | None = None
    ids: Sequence[int] = ()
    list_only: bool = False
    dry_run: bool = False
    as_json: bool = False

    @property
    def chooses(self) -> bool:
        """Whether the inbox is asked for some of its events."""
        return self.failed or self.since is not None or bool(self.ids)


@dataclass
class _Chosen:
    """Events of the inbox, or bodies of files; and what looked like one but is none."""

    kept: list[StoredEvent] = field(default_factory=list)
    found: list[replay_files.Found] = field(default_factory=list)

    @property
    def bodies(self) -> list[payload.Event]:
        return [one.event for one in self.found if one.event is not None]

    @property
    def refused(self) -> list[str]:
        return [f"{one.place}: {one.refusal.message}" for one in self.found if one.refusal is not None]

    def listed(self) -> list[render_events.Listed]:
        """For the table."""
        of_files = [
            render_events.Listed(one.place, one.event.name, payload.task_of(one.event))
            if one.event
            else render_events.Listed(one.place, "-", None, error=one.refusal.message if one.refusal else "")
            for one in self.found
        ]
        return of_files + [render_events.Listed(str(one.id), one.event, one.task_id, one) for one in self.kept]


def replay(here: context.Session, talk: console.Talk, wanted: Wanted) -> int:
    """Follow events again; the exit status."""
    _check(wanted)
    since = None if wanted.since is None else _before_now(wanted.since)
    chosen = _Chosen(found=[one for path in wanted.files for one in _read(path)])
    if not wanted.files:
        last = LISTED if wanted.list_only and not wanted.chooses else None
        nothing_yet = not here.settings.database.is_file()
        with here.open_store(copy=wanted.dry_run or nothing_yet) as opened:
            status = "failed" if wanted.failed else None
            until = None if since is None else clock.latest_known(context.now())
            chosen.kept = opened.events(status=status, since=since, until=until, ids=wanted.ids, last=last)
        _check_known(wanted, chosen.kept)
    if wanted.list_only:
        return _list(here, talk, wanted, chosen)
    if not chosen.kept and not chosen.found:
        talk.say(_("Nothing to do: the inbox has no such event."))
    if wanted.dry_run and not wanted.as_json and (chosen.kept or chosen.found):
        render_events.say(render_events.table(chosen.listed(), here.settings.zone, context.now()))
    done = _follow(here, chosen, dry_run=wanted.dry_run)
    return _tell(talk, wanted, done, len(chosen.refused))


def _before_now(span: str) -> datetime:
    try:
        return context.now() - periods.parse_span(span)
    except OverflowError:  # before the year 1
        return datetime.min.replace(tzinfo=UTC)


def _check(wanted: Wanted) -> None:
    hint = _("See `b24tools replay --help`.")
    if wanted.files and wanted.chooses:
        raise errors.ConfigError(_("--failed, --since and --id are about the inbox, not about files"), hint)
    if wanted.files and wanted.list_only:
        raise errors.ConfigError(_("--list is about the inbox; for files there is --dry-run"), hint)
    if not wanted.files and not wanted.chooses and not wanted.list_only:
        raise errors.ConfigError(
            _("name files, - for stdin, or events of the inbox with --failed, --since or --id"), hint
        )


def _read(path: Path) -> list[replay_files.Found]:
    if str(path) == "-":
        return replay_files.read(_("stdin"), sys.stdin.buffer.read())
    try:
        return replay_files.read(path.name, path.read_bytes())
    except OSError as error:
        raise errors.ConfigError(
            _("{path} cannot be read: {reason}").format(path=path, reason=os_reason(error)),
            _("Name files with events, or - for stdin."),
        ) from None


def _check_known(wanted: Wanted, kept: Sequence[StoredEvent]) -> None:
    missing = sorted(set(wanted.ids) - {one.id for one in kept})
    if missing and not wanted.failed and wanted.since is None:
        raise errors.ConfigError(
            _("the inbox has no event {ids}").format(ids=", ".join(map(str, missing))),
            _("`b24tools replay --list` shows the last ones."),
        )


def _list(here: context.Session, talk: console.Talk, wanted: Wanted, chosen: _Chosen) -> int:
    if wanted.as_json:
        console.envelope("replay", render_events.rows(chosen.kept, here.settings.zone), ok=True)
        return 0
    if chosen.kept:
        render_events.say(render_events.table(chosen.listed(), here.settings.zone, context.now()))
    else:
        talk.say(_("The inbox in {folder} has no such event.").format(folder=here.settings.data_dir))
    if len(chosen.kept) == LISTED and not wanted.chooses:
        talk.say(_("These are the last {n}; --since 7d shows a week.").format(n=LISTED))
    return 0


def _follow(here: context.Session, chosen: _Chosen, *, dry_run: bool) -> Processed:
    refused = chosen.refused
    done = Processed(len(refused), 0, 0, len(refused), tuple(refused))
    if not chosen.kept and not chosen.bodies:
        return done
    with here.open_client() as client, here.open_store(copy=dry_run) as opened:
        context.check_host(opened, client.host)
        zone = here.settings.zone
        done += process.replay(opened, client, zone, context.now(), chosen.kept)
        return done + process.replay(opened, client, zone, context.now(), chosen.bodies)


def _tell(talk: console.Talk, wanted: Wanted, done: Processed, refused: int) -> int:
    status = 0
    error = None
    if done.failed:
        status = 3 if done.failed < done.processed else 2 if refused == done.failed else 1
        message = ngettext("{n} event failed: {reason}", "{n} events failed: {reason}", done.failed)
        error = errors.B24ToolsError(message.format(n=done.failed, reason="; ".join(done.reasons[:3])))
        error.code = "bad_event" if refused == done.failed else "failed"
    if wanted.as_json:
        console.envelope("replay", render_events.counts(done), ok=status == 0, warnings=done.warnings, error=error)
    elif talk.level >= 0 and done.processed:
        console.text(render_events.summary(done, dry_run=wanted.dry_run))
        for warning in done.warnings:
            talk.say(warning)
    if error is not None:
        talk.error(error)
    return status
