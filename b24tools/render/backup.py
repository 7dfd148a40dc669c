"""Backups: what was written, what was put back, and what follows from that."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from b24tools.core.database_url import Location
from b24tools.core.i18n import _, ngettext
from b24tools.core.sizes import format_size
from b24tools.core.timestamps import to_text
from b24tools.jobs.backup import Backup, Manifest, Restored


def describe(made: Backup) -> str:
    """Say in a line what was written."""
    text = _("Backup written and checked: {path}, {size}, {contents}.").format(
        path=made.path, size=format_size(made.size), contents=_count(made.manifest)
    )
    if made.removed:
        n = len(made.removed)
        text += " " + ngettext("{n} older one was deleted.", "{n} older ones were deleted.", n).format(n=n)
    return text


def data(made: Backup, zone: ZoneInfo) -> dict[str, Any]:
    """The `data` of `backup --json`."""
    return {
        "path": str(made.path),
        "bytes": made.size,
        **_describe_manifest(made.manifest, zone),
        "removed": [str(path) for path in made.removed],
    }


def ask(manifest: Manifest, database: Location, zone: ZoneInfo) -> str:
    """Ask before a database is replaced."""
    return _("The backup of {moment} ({portal}, {contents}) takes the place of {database}. Go on?").format(
        moment=f"{manifest.made_at.astimezone(zone):%d.%m.%Y %H:%M}",
        portal=manifest.portal_host or "-",
        contents=_count(manifest),
        database=database,
    )


def describe_restored(restored: Restored, path: Path, since: date, zone: ZoneInfo) -> Iterator[str]:
    """Say what was put back, where the old one is, and what happens next."""
    manifest = restored.manifest
    yield _("Restored {path} of {moment}: {contents}.").format(
        path=path, moment=f"{manifest.made_at.astimezone(zone):%d.%m.%Y %H:%M}", contents=_count(manifest)
    )
    if restored.aside:
        yield _("What was there before lies beside it: {paths}.").format(paths=", ".join(map(str, restored.aside)))
    if restored.is_behind:
        text = ngettext(
            "Orders may have been sent after the backup: the next `assign` of its {n} order, and of any other, looks "
            "up the tasks on the portal before it writes, and makes none twice.",
            "Orders may have been sent after the backup: the next `assign` of each of its {n} orders, and of any "
            "other, looks up the tasks on the portal before it writes, and makes none twice.",
            restored.orders,
        )
        yield text.format(n=restored.orders)
        yield _("Messages and the outboxes for 1C go on from now: what changed since the backup is not said again.")
    else:
        yield _("No order was sent after the backup: the next `assign` goes on as if nothing had happened.")
    yield _("Closed tasks since then: `b24tools snapshot --since {day}`.").format(day=since)


def restored_data(restored: Restored, since: date, zone: ZoneInfo) -> dict[str, Any]:
    """The `data` of `restore --json`."""
    return {
        **_describe_manifest(restored.manifest, zone),
        "aside": [str(path) for path in restored.aside],
        "looks_up": restored.orders if restored.is_behind else 0,
        "snapshot_since": since.isoformat(),
    }


def _describe_manifest(manifest: Manifest, zone: ZoneInfo) -> dict[str, Any]:
    return {
        "made_at": to_text(manifest.made_at, zone),
        "version": manifest.version,
        "portal_host": manifest.portal_host,
        "tables": manifest.tables,
    }


def _count(manifest: Manifest) -> str:
    orders = manifest.tables.get("orders", 0)
    tasks = manifest.tables.get("closed_tasks", manifest.tables.get("tasks", 0))  # its name before m017
    return ", ".join(
        (
            ngettext("{n} order", "{n} orders", orders).format(n=orders),
            ngettext("{n} closed task", "{n} closed tasks", tasks).format(n=tasks),
        )
    )
