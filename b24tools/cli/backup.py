"""`b24tools backup` and `b24tools restore`."""

from __future__ import annotations

import logging
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer

from b24tools import context
from b24tools.cli.invocation import Invocation, Json
from b24tools.cli.localized import LOCAL, explain
from b24tools.core import errors
from b24tools.core.i18n import _
from b24tools.render import backup as render_backup

LOCKS = ("assign", "snapshot", "backup", "orders", "digest")  # of whatever changes the database
BUSY = LOCAL | {75: "something is running: try later"}
OVERLAP = timedelta(days=31)  # what was closed, and read, shortly before a backup may have changed since


@explain(
    ("backup", "Into backups/ in the data folder."),
    ("backup /mnt/nas/b24tools --keep 14", "For cron: into a folder on another disk, the last 14 stay."),
    statuses=BUSY,
)
def backup(
    ctx: typer.Context,
    file: Annotated[
        Path | None,
        typer.Argument(
            metavar="FILE", help="A file or a folder; without it backups/ in the data folder.", show_default=False
        ),
    ] = None,
    keep: Annotated[
        int | None,
        typer.Option(
            "--keep", metavar="N", min=1, help="Delete all but the last N in that folder.", show_default=False
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Write a copy of the live database into a zip. calendar.json and people.json go with it."""
    from b24tools.jobs import backup as job

    invocation: Invocation = ctx.obj
    session = invocation.open_session(logs=True)
    settings = session.settings
    if keep is not None and file is not None and not file.is_dir():
        raise errors.UsageError(
            _("--keep counts the backups of a folder, and {path} is none").format(path=file),
            _("Make that folder, or name another one; without a name it is backups/ in the data folder."),
        )
    with session.hold_lock("backup", settings.retry_seconds):
        if not session.has_database():
            raise errors.ConfigError(
                _("there is no database {path}: nothing is to be backed up").format(path=settings.database),
                _("B24_DATA_DIR names its folder."),
                code=errors.ErrorCode.DATABASE,
            )
        path = job.choose_path(file and file.absolute(), settings.data_dir, session.local_now())
        with session.read_store() as store:
            made = job.make(store, settings.data_dir, path, session.local_now(), keep=keep)
        with session.open_store() as store, store.transaction():
            store.notices.note_backup(path, context.now())
    invocation.messenger.record(logging.INFO, render_backup.describe(made))
    if as_json:
        invocation.print_json(render_backup.data(made, settings.zone))
    else:
        invocation.messenger.info(render_backup.describe(made))


@explain(("restore b24tools-20261128-020700.zip", "Stop serve and cron first."), statuses=BUSY)
def restore(
    ctx: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What `b24tools backup` has written.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: Json = False,
) -> None:
    """Put a backup in the place of the database. The old one stays beside it."""
    from contextlib import ExitStack

    from b24tools.jobs import backup as job

    invocation: Invocation = ctx.obj
    session = invocation.open_session(logs=True)
    settings, messenger = session.settings, invocation.messenger
    path = file.absolute()
    manifest = job.read_manifest(path)
    if session.has_database() and not yes:
        message = _("nothing was restored: there is no terminal to ask on")
        question = render_backup.ask(manifest, settings.database, settings.zone)
        if not invocation.confirm(question, errors.UsageError(message, _("With --yes it does not ask."))):
            raise typer.Abort
    with ExitStack() as stack:
        for name in LOCKS:
            stack.enter_context(session.hold_lock(name))
        restored = job.restore(path, settings.database, session.local_now())
    since = (manifest.made_at - OVERLAP).astimezone(settings.zone).date()
    messenger.record(logging.INFO, f"restored {path} of {manifest.made_at.isoformat(timespec='seconds')}")
    if as_json:
        invocation.print_json(render_backup.restored_data(restored, since, settings.zone))
    else:
        for line in render_backup.describe_restored(restored, path, since, settings.zone):
            messenger.info(line)
