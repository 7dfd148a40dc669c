"""A backup: a zip of a manifest, the database's rows as JSON lines, one file a table, and the user's own JSON files.

It says nothing about the engine and holds no secret. It is made of one state of a live database, read through after it
was written, and has its name only then.
"""

from __future__ import annotations

import hashlib
import json
import re
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import IO, Any

from pydantic import AwareDatetime, BaseModel, Field, ValidationError

from b24tools import __version__
from b24tools.core import data_folder, errors
from b24tools.core.database_url import Location
from b24tools.core.i18n import _, os_hint, os_reason
from b24tools.store import Store, copies, open_store
from b24tools.store.database import list_companions
from b24tools.store.save_counter import count_saves

FORMAT = 1
MANIFEST = "manifest.json"
FOLDER = "backups"
_ROWS = ".jsonl"
_NAME = re.compile(r"b24tools-\d{4}-\d\d-\d\d-\d{6}\.zip")
_ENCRYPTED = 1  # of a member's flags
_FIRST, _LAST = (1980, 1, 1, 0, 0, 0), (2107, 12, 31, 23, 59, 58)  # that a zip can have; a clock may be further off
_PART = ".b24tools-backup.part"  # one backup at a time: what a kill leaves, the next one writes over


class Part(BaseModel):
    """A file in the zip. `rows`: of a table."""

    rows: int | None = None
    bytes: int
    sha256: str


class Manifest(BaseModel):
    """What a backup says of itself. `schema`: the migrations that its rows have been through."""

    format: int
    version: str
    schema_steps: list[str] = Field(alias="schema")
    made_at: AwareDatetime
    portal_host: str
    parts: dict[str, Part]

    @property
    def tables(self) -> dict[str, int]:
        """How many rows each table has."""
        return {name.removesuffix(_ROWS): part.rows or 0 for name, part in self.parts.items() if name.endswith(_ROWS)}


@dataclass(frozen=True)
class Backup:
    """A backup that was written. `removed`: older ones that were deleted."""

    path: Path
    manifest: Manifest
    size: int
    removed: tuple[Path, ...] = ()


@dataclass(frozen=True)
class Restored:
    """What was put back. `aside`: where what was there before lies now. `orders`: how many the portal knows better.

    `is_behind`: orders may have been sent after the backup; then `assign` reads their tasks before it changes them.
    """

    manifest: Manifest
    aside: tuple[Location, ...]
    orders: int
    is_behind: bool


def choose_path(target: Path | None, folder: Path, now: datetime) -> Path:
    """Return where a backup goes: a name with the date in `backups/` of the data folder, or in the folder `target`.

    `now` in the zone of people. Raises ConfigError for a file that is no backup: it would be replaced, and UsageError
    for what may be a folder that nobody has made yet: each night's backup would replace the one before.
    """
    name = f"b24tools-{now:%Y-%m-%d-%H%M%S}.zip"
    if target is None:
        return folder / FOLDER / name
    if target.is_dir():
        return target / name
    if target.suffix.lower() != ".zip":
        message = _("{path} is no folder, and no name of a backup: that ends in .zip").format(path=target)
        raise errors.UsageError(message, _("Make that folder, or name a file that ends in .zip."))
    if target.exists():
        try:
            read_manifest(target)
        except errors.UsageError:
            raise
        except errors.ConfigError as error:
            message = _("{path} is there, and is no backup: it stays as it is").format(path=target)
            raise errors.ConfigError(message, _("Choose another name, or name a folder.")) from error
    return target


# writing


def make(store: Store, folder: Path, path: Path, now: datetime, *, keep: int | None = None) -> Backup:
    """Write a backup of what `store`, opened for reading, shows; `keep` so many of those in its folder, at least this.

    Raises B24ToolsError where it cannot be written, or does not read as it was written.
    """
    part = path.with_name(_PART)
    with _explain_disk(path):
        if path.parent == folder / FOLDER:
            data_folder.make_folder(path.parent)
        with data_folder.write_whole(path, part=part, durable=True) as stream:
            manifest = _write(store, folder, stream, now)
            stream.flush()
            if check(part) != manifest:
                raise errors.B24ToolsError(
                    _("the backup does not read as it was written"), _("Look after the disk, and try again.")
                )
        removed = [] if keep is None else sorted(file for file in path.parent.iterdir() if _NAME.fullmatch(file.name))
        removed = [file for file in removed[: -keep if keep else None] if file != path]
        for file in removed:
            file.unlink()
        return Backup(path, manifest, path.stat().st_size, tuple(removed))


def _write(store: Store, folder: Path, stream: IO[bytes], now: datetime) -> Manifest:
    parts: dict[str, Part] = {}
    moment = min(max(_FIRST, now.timetuple()[:6]), _LAST)
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:

        def describe(name: str) -> zipfile.ZipInfo:
            member = zipfile.ZipInfo(name, moment)
            member.compress_type = zipfile.ZIP_DEFLATED
            return member

        def add(name: str, pieces: Iterable[bytes], *, counts: bool) -> None:
            count = size = 0
            digest = hashlib.sha256()
            with archive.open(describe(name), "w", force_zip64=True) as member:
                for count, piece in enumerate(pieces, 1):  # noqa: B007 - counted
                    member.write(piece)
                    digest.update(piece)
                    size += len(piece)
            parts[name] = Part(rows=count if counts else None, bytes=size, sha256=digest.hexdigest())

        for table in copies.list_tables(store.database):
            rows = (
                json.dumps(row, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
                for row in copies.read_rows(store.database, table)
            )
            add(table + _ROWS, rows, counts=True)
        for name in data_folder.OWN_FILES:
            with suppress(FileNotFoundError):
                add(name, [(folder / name).read_bytes()], counts=False)
        values = {
            "format": FORMAT,
            "version": __version__,
            "schema": copies.list_schema(),
            "made_at": now,
            "portal_host": store.settings.get("portal_host"),
            "parts": parts,
        }
        manifest = Manifest.model_validate(values)
        archive.writestr(describe(MANIFEST), manifest.model_dump_json(by_alias=True, indent=1, exclude_none=True))
    return manifest


# reading


def read_manifest(path: Path) -> Manifest:
    """Read what a backup says of itself. Raises ConfigError for one of a newer b24tools, and for what is none."""
    with _explain(path), zipfile.ZipFile(path) as archive:
        if any(member.flag_bits & _ENCRYPTED for member in archive.infolist()):
            raise _damaged(path, _("it was packed with a password"))
        manifest = Manifest.model_validate_json(archive.read(MANIFEST))
    if manifest.format > FORMAT or not set(manifest.schema_steps) <= set(copies.list_schema()):
        raise errors.ConfigError(
            _("{path} was made by a newer b24tools, {version}").format(path=path, version=manifest.version),
            _("Update this b24tools."),
            code=errors.ErrorCode.DATABASE,
        )
    return manifest


def check(path: Path) -> Manifest:
    """Read a backup through, and compare all of it with its manifest. Raises ConfigError where they differ."""
    manifest = read_manifest(path)
    with _explain(path), zipfile.ZipFile(path) as archive:
        for name, part in manifest.parts.items():
            for _piece in _read_part(path, archive, name, part):
                pass
    return manifest


def _read_part(path: Path, archive: zipfile.ZipFile, name: str, part: Part) -> Iterator[bytes]:
    """Yield the lines of a part. Raises ConfigError at its end where it is not what the manifest says."""
    count = size = 0
    digest = hashlib.sha256()
    with archive.open(name) as member:
        for line in member:
            count, size = count + 1, size + len(line)
            if size > part.bytes:
                break
            digest.update(line)
            yield line
    if (size, digest.hexdigest()) != (part.bytes, part.sha256) or part.rows not in (None, count):
        raise _damaged(path, name)


def _damaged(path: Path, reason: object) -> errors.ConfigError:
    message = _("{path} is no backup of b24tools, or a damaged one: {reason}").format(path=path, reason=reason)
    return errors.ConfigError(message, _("Take another one."), code=errors.ErrorCode.DATABASE)


@contextmanager
def _explain(path: Path) -> Iterator[None]:
    """Turn what reading a zip raises into a ConfigError."""
    with _explain_disk(path):
        try:
            yield
        except (zipfile.BadZipFile, zlib.error, EOFError, KeyError, ValidationError, NotImplementedError) as error:
            raise _damaged(path, MANIFEST if isinstance(error, ValidationError) else error) from error
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError, PermissionError) as error:  # a wrong name
            raise errors.UsageError(_describe_refusal(path, error), os_hint(error)) from error


@contextmanager
def _explain_disk(path: Path) -> Iterator[None]:
    """Turn what the system refuses into an error."""
    try:
        yield
    except OSError as error:
        raise errors.B24ToolsError(_describe_refusal(path, error), os_hint(error)) from error


def _describe_refusal(path: Path, error: OSError) -> str:
    return _("{path}: {reason}").format(path=error.filename or path, reason=os_reason(error))


# putting back


def restore(path: Path, database: Location, now: datetime) -> Restored:
    """Put a backup in the place of the database and of the user's files; what was there stays beside, with the date.

    Call it with all locks held. Raises ConfigError for what is no whole backup, Busy while a program has the database
    open: then nothing was changed.
    """
    manifest = check(path)
    stamp = f"{now:%Y-%m-%d-%H%M%S}"
    folder = database.parent if isinstance(database, Path) else database.folder
    new, aside = folder / "b24tools.restored.db", copies.name_aside(database, stamp)
    left: list[Location] = []
    replaced = count_saves(database)
    with _explain(path), zipfile.ZipFile(path) as archive:

        def read_rows(name: str) -> Iterator[dict[str, Any]]:
            return map(json.loads, _read_part(path, archive, name, manifest.parts[name]))

        tables: dict[str, Callable[[], Iterable[dict[str, Any]]]] = {
            table: partial(read_rows, table + _ROWS) for table in manifest.tables
        }
        try:
            copies.create(new, manifest.schema_steps, tables)
            with closing(open_store(new, beside=database)) as store:
                is_behind, orders = store.orders.note_put_back(now, replaced), store.orders.count()
                with store.transaction():
                    store.notices.note_backup(path, manifest.made_at)
            if copies.put_in_place(new, database, aside):
                left.append(aside)
            with closing(open_store(database)) as store:
                store.orders.follow_save_counter()
        finally:
            for file in (new, *list_companions(new)):
                file.unlink(missing_ok=True)
        for name in data_folder.OWN_FILES:
            if name in manifest.parts and (old := _put_own(folder / name, archive.read(name), stamp)):
                left.append(old)
    return Restored(manifest, tuple(left), orders, is_behind)


def _put_own(path: Path, content: bytes, stamp: str) -> Path | None:
    """Write a file of the user's; return where another one that was there lies now."""
    old = None
    if path.exists() and path.read_bytes() != content:
        old = path.replace(path.with_suffix(f".{stamp}.json"))
    with data_folder.write_whole(path) as file:
        file.write(content)
    return old
