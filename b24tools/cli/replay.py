"""`b24tools replay`: which events, from where, and how it went."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from b24tools import context
from b24tools.cli import stdin
from b24tools.cli.invocation import Invocation, Json
from b24tools.cli.localized import WRITING, explain
from b24tools.core import clock, errors, periods
from b24tools.core.i18n import _, ngettext, os_reason
from b24tools.render.console import Trouble, print_text

if TYPE_CHECKING:
    from b24tools.jobs.events.replay_files import Found
    from b24tools.store.events import StoredEvent

LISTED = 50  # the last ones, where no other choice was made


@explain(
    ("replay --list", "Which events are stored, and what came of them."),
    ("replay --failed", "Process again what has failed."),
    ("replay events.jsonl --dry-run", "Events from a file; writes nothing."),
    statuses=WRITING,
)
def replay(
    ctx: typer.Context,
    files: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="FILE|-", help="Bodies of the outgoing webhook, in any shape; - is stdin.", show_default=False
        ),
    ] = None,
    failed: Annotated[bool, typer.Option("--failed", help="Stored events that failed.")] = False,
    since: Annotated[
        str | None, typer.Option("--since", metavar="SPAN", help="Stored events that came since then (90m, 2h, 3d).")
    ] = None,
    ids: Annotated[
        list[int] | None, typer.Option("--id", metavar="N", min=1, help="This stored event; may be repeated.")
    ] = None,
    list_only: Annotated[bool, typer.Option("--list", help="Only list the stored events.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Read the portal, write nothing.")] = False,
    as_json: Json = False,
) -> int:
    """Process events of the portal again. They come from files, or from those that `serve` has stored."""
    from b24tools.jobs.events import process
    from b24tools.render import events as render_events

    invocation: Invocation = ctx.obj
    messenger = invocation.messenger
    chooses = failed or since is not None or bool(ids)
    _check_options(files=bool(files), chooses=chooses, list_only=list_only)
    session = invocation.open_session(logs=not (list_only or dry_run))
    zone, now = session.settings.zone, context.now()
    start = None if since is None else _subtract(now, since)
    entries = [entry for path in files or () for entry in _read_file(path)]
    stored: list[StoredEvent] = []
    if not files:
        with session.read_store() as store:
            stored = store.events.find(
                status="failed" if failed else None,
                since=start,
                until=None if start is None else clock.latest_known(now),
                ids=ids or (),
                last=None if chooses else LISTED,
            )
        missing = sorted(set(ids or ()) - {event.id for event in stored})
        if missing and not failed and since is None:
            raise errors.ConfigError(
                _("there is no stored event {ids}").format(ids=", ".join(map(str, missing))),
                _("`b24tools replay --list` shows the last ones."),
            )
    if list_only:
        if as_json:
            invocation.print_json(render_events.data(stored, zone))
            return 0
        if stored:
            render_events.print_stored(stored, zone, now)
        else:
            messenger.info(_("No such event is stored in {folder}.").format(folder=session.settings.database_place))
        if len(stored) == LISTED and not chooses:
            messenger.info(_("These are the last {n}; --since 7d shows a week.").format(n=LISTED))
        return 0
    if not stored and not entries:
        messenger.info(_("Nothing to do: no such event is stored."))
    if dry_run and not as_json and stored:
        render_events.print_stored(stored, zone, now)
    if dry_run and not as_json and entries:
        render_events.print_found(entries)
    bodies = [entry.event for entry in entries if entry.event]
    broken, notes = (
        tuple(
            f"{entry.place}: {entry.refusal.message}" for entry in entries if entry.refusal and entry.is_note is is_note
        )
        for is_note in (False, True)
    )
    done = process.Processed(len(broken), failed=len(broken), reasons=broken, warnings=notes)
    if stored or bodies:
        with session.open_client() as client, session.open_store(dry_run=dry_run) as store:
            store.settings.check_host(client.host)
            done += process.replay(store, client, zone, now, stored)
            done += process.replay(store, client, zone, now, bodies)
    status, error = 0, None
    if done.failed:
        only_bad = done.failed == len(broken)
        status = 3 if done.failed < done.processed else 2 if only_bad else 1
        message = ngettext("{n} event failed: {reason}", "{n} events failed: {reason}", done.failed)
        error = errors.B24ToolsError(
            message.format(n=done.failed, reason="; ".join(done.reasons[:3])),
            code=errors.ErrorCode.BAD_EVENT if only_bad else errors.ErrorCode.FAILED,
        )
    messenger.record(logging.INFO, render_events.summarize(done, dry_run=dry_run))
    if as_json:
        invocation.print_json(render_events.counts(done), warnings=done.warnings, error=error)
    elif not messenger.is_quiet and done.processed:
        print_text(render_events.summarize(done, dry_run=dry_run))
        for warning in done.warnings:
            messenger.info(warning)
    if error is not None:
        messenger.error(error, Trouble())
    return status


def _check_options(*, files: bool, chooses: bool, list_only: bool) -> None:
    hint = _("See `b24tools replay --help`.")
    if files and chooses:
        raise errors.UsageError(_("--failed, --since and --id choose stored events, not files"), hint)
    if files and list_only:
        raise errors.UsageError(_("--list lists stored events; for files there is --dry-run"), hint)
    if not files and not chooses and not list_only:
        raise errors.UsageError(_("name files, - for stdin, or stored events with --failed, --since or --id"), hint)


def _subtract(now: datetime, span: str) -> datetime:
    try:
        return now - periods.parse_span(span)
    except OverflowError:  # before the year 1
        return datetime.min.replace(tzinfo=UTC)


def _read_file(path: Path) -> list[Found]:
    from b24tools.jobs.events import replay_files

    is_stdin = str(path) == "-"
    try:
        if not is_stdin:
            return replay_files.read(path.name, path.read_bytes())
        return replay_files.read(_("stdin"), stdin.get().buffer.read())
    except OSError as error:
        name = _("stdin") if is_stdin else path
        raise errors.UsageError(
            _("{path} cannot be read: {reason}").format(path=name, reason=os_reason(error)),
            _("Name files with events, or - for stdin."),
        ) from None
