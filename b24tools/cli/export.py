"""`b24tools export`."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, time
from pathlib import Path
from typing import Annotated, Any, BinaryIO, Literal

import typer

from b24tools.cli.invocation import Invocation
from b24tools.cli.localized import explain
from b24tools.core import data_folder, errors, periods
from b24tools.core.i18n import _, ngettext, os_reason
from b24tools.render.csv_file import make_inert, write_csv


@explain(
    ("export tasks --since 2026-01-01", "The closed tasks of the year, for Excel."),
    ("export orders --format jsonl", "All orders, line by line, for a program."),
    ("export tasks --format parquet --out tasks.parquet", "A file with types, for analysts."),
)
def export(
    ctx: typer.Context,
    what: Annotated[
        Literal["people", "tasks", "orders"],
        typer.Argument(metavar="people|tasks|orders", help="What: tasks are the closed ones.", show_default=False),
    ],
    form: Annotated[
        Literal["csv", "jsonl", "parquet"],
        typer.Option("--format", help="For Excel, a JSON object a line, or Parquet."),
    ] = "csv",
    since: Annotated[
        str | None,
        typer.Option(
            "--since", metavar="DAY", help="Tasks closed, orders sent and people read from this day on; else all."
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="The file, replaced when it is whole; else stdout.")
    ] = None,
) -> None:
    """Write people, closed tasks or orders as a file. No network."""
    from b24tools.store import export as store_export

    invocation: Invocation = ctx.obj
    session = invocation.open_session()
    zone = session.settings.zone
    start = None
    if since is not None:
        start = datetime.combine(periods.read_day(since, session.local_now().date()), time(), zone)
    if form == "parquet":
        _check_parquet(is_terminal=out is None and sys.stdout.isatty())
    with session.read_store() as store:
        columns = store_export.columns(store, what)
        rows = store_export.rows(store, what, start, zone)
        with _open_target(out) as file:
            if form == "csv":
                cells = ([_write_cell(row[name]) for name in columns] for row in rows)
                file.write(write_csv([columns, *cells]).encode())
            elif form == "jsonl":
                for row in rows:
                    file.write(json.dumps(row, ensure_ascii=False).encode() + b"\n")
            else:
                _write_parquet(columns, rows, file)
        if what == "tasks" and (count := len(store.settings.opted_out_users())):
            text = ngettext(
                "without the tasks of {n} person who has opted out",
                "without the tasks of {n} people who have opted out",
                count,
            )
            invocation.messenger.info(text.format(n=count))


def _write_cell(value: Any) -> object:
    if isinstance(value, bool):
        return int(value)
    return make_inert(value) if isinstance(value, str) else value


@contextmanager
def _open_target(out: Path | None) -> Iterator[BinaryIO]:
    """Open stdout, or a file beside the wanted one that takes its place at the end: others never read half of it.

    Raises ConfigError where it cannot be written.
    """
    if out is None:
        sys.stdout.flush()
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    try:
        with data_folder.write_whole(out, private=False) as file:
            yield file
    except OSError as error:
        raise errors.ConfigError(
            _("{path} cannot be written: {reason}").format(path=out, reason=os_reason(error)),
            _("Name a file in a folder that you may write to."),
        ) from error


def _check_parquet(*, is_terminal: bool) -> None:
    """Raise ConfigError where Parquet cannot be written, or would be written to a terminal."""
    try:
        import pyarrow.parquet  # noqa: F401
    except ImportError:
        raise errors.UsageError(
            _("Parquet needs the package pyarrow, which is not installed"),
            _("Install b24tools with it, `pip install '.[parquet]'`, or choose --format jsonl."),
        ) from None
    if is_terminal:
        raise errors.UsageError(_("Parquet is nothing to read on a terminal"), _("Send it to a file with >."))


def _write_parquet(columns: Iterable[str], rows: Iterable[Mapping[str, Any]], file: BinaryIO) -> None:
    """Write rows with the same types, whatever is in them: the files of many portals are read as one table."""
    import pyarrow
    from pyarrow import parquet

    from b24tools.store.export import NUMBERS, TRUTHS

    types = {True: pyarrow.int64(), False: pyarrow.string()}
    schema = pyarrow.schema([(name, pyarrow.bool_() if name in TRUTHS else types[name in NUMBERS]) for name in columns])
    parquet.write_table(pyarrow.Table.from_pylist(list(rows), schema), file)
