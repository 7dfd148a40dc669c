"""CSV as Excel in Russia opens it by a double click."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence

from b24tools.render.console import clean

BOM = "\ufeff"


def write_csv(rows: Iterable[Sequence[object]]) -> str:
    """Write a BOM, semicolons, CRLF."""
    stream = io.StringIO()
    csv.writer(stream, delimiter=";", lineterminator="\r\n").writerows(rows)
    return BOM + stream.getvalue()


def make_inert(cell: str) -> str:
    """Mark a cell that Excel would take for a formula."""
    cell = clean(cell)
    return f"'{cell}" if cell.startswith(("=", "+", "-", "@", "\t")) else cell
