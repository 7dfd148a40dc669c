"""`b24tools export`."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping
from datetime import datetime, time
from typing import Annotated, Any, Literal

import typer

from b24tools.cli.invocation import Invocation
from b24tools.cli.localized import explain
from b24tools.core import errors, periods
from b24tools.core.i18n import _, ngettext
from b24tools.render.console import print_file
from b24tools.render.csv_file import make_inert, write_csv


@explain(
    ("export tasks --since 2026-01-01", "The closed tasks of the year, for Excel."),
    ("export orders --format jsonl", "All orders, line by line, for a program."),
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
) -> None:
    """Write people, closed tasks or orders as a file to stdout. No network."""
    from b24tools.store import export as store_export

    invocation: Invocation = ctx.obj
    session = invocation.open_session()
    zone = session.settings.zone
    start = None
    if since is not None:
        start = datetime.combine(periods.read_day(since, session.local_now().date()), time(), zone)
    if form == "parquet":
        _check_parquet()
    with session.read_store() as store:
        columns = store_export.columns(store, what)
        rows = store_export.rows(store, what, start, zone)
        if form == "csv":
            cells = ([_write_cell(row[name]) for name in columns] for row in rows)
            print_file(write_csv([columns, *cells]))
        elif form == "jsonl":
            for row in rows:
                print_file(json.dumps(row, ensure_ascii=False) + "\n")
        else:
            _print_parquet(columns, rows)
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


def _check_parquet() -> None:
    """Raise ConfigError where Parquet cannot be written, or would be written to a terminal."""
    try:
        import pyarrow.parquet  # noqa: F401
    except ImportError:
        raise errors.ConfigError(
            _("Parquet needs the package pyarrow, which is not installed"),
            _("Install b24tools with it, `pip install '.[parquet]'`, or choose --format jsonl."),
            code=errors.ErrorCode.USAGE,
        ) from None
    if sys.stdout.isatty():
        raise errors.ConfigError(
            _("Parquet is nothing to read on a terminal"), _("Send it to a file with >."), code=errors.ErrorCode.USAGE
        )


def _print_parquet(columns: Iterable[str], rows: Iterable[Mapping[str, Any]]) -> None:
    import io

    import pyarrow
    from pyarrow import parquet

    found = list(rows)
    table = pyarrow.table({name: [row[name] for row in found] for name in columns})
    file = io.BytesIO()
    parquet.write_table(table, file)
    sys.stdout.buffer.write(file.getvalue())
    sys.stdout.buffer.flush()
