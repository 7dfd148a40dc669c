"""What work takes against what 1C gives for it: a table for people, CSV for Excel, `data` for programs."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from b24tools.core.i18n import _
from b24tools.render.console import Column, Screen
from b24tools.render.csv_file import make_inert, write_csv
from b24tools.render.formats import format_decimal, format_month, format_work

if TYPE_CHECKING:
    from b24tools.core.periods import Period
    from b24tools.jobs.norms import Norm


def data(norms: Sequence[Norm]) -> list[dict[str, Any]]:
    """Return the `data` of `norms --json`."""
    rows = []
    for norm in norms:
        factors = norm.factors
        figures = (factors.median, factors.q1, factors.q3) if factors else (None, None, None)
        median, q1, q3 = (None if figure is None else float(figure) for figure in figures)
        row = {"position": norm.position, "n": factors.n if factors else 0, "median": median, "q1": q1, "q3": q3}
        last = {"tasks": norm.planned, "estimate_s": norm.planned_s, "with_norm_s": norm.with_norm_s}
        rows.append(row | {"enough": norm.is_enough, "last_month": last})
    return rows


def to_csv(norms: Sequence[Norm]) -> str:
    """Write a file for Excel, with the decimal mark of the language."""
    rows: list[list[object]] = [
        [_("Position"), _("Tasks"), *_titles(), _("Planned last month, h"), _("With the norm, h")]
    ]
    for norm in norms:
        factors = norm.factors
        hours = [format_decimal(seconds / 3600) for seconds in (norm.planned_s, norm.with_norm_s)]
        rows.append([make_inert(norm.position), factors.n if factors else 0, *_figures(norm), *hours])
    return write_csv(rows)


def print_norms(norms: Sequence[Norm], month: Period, screen: Screen | None = None) -> None:
    """Print a line for each position; what is too little to plan by is marked."""
    columns = [
        Column(_("Position"), overflow="fold"),
        Column(_("Tasks"), right=True),
        *(Column(title, right=True) for title in _titles()),
        Column(_("Planned in {month}").format(month=format_month(month.first)), right=True),
        Column(_("With the norm"), right=True),
    ]
    rows = []
    for norm in norms:
        n = str(norm.factors.n if norm.factors else 0)
        planned = format_work(norm.planned_s) if norm.planned else "-"
        changed = format_work(norm.with_norm_s) if norm.planned and norm.is_enough else "-"
        rows.append([norm.position, n if norm.is_enough else f"{n} *", *_figures(norm), planned, changed])
    screen = screen or Screen()
    screen.print_table(columns, rows)
    if not all(norm.is_enough for norm in norms):
        screen.print(_("* too few closed tasks with time noted on them for a norm"))


def _titles() -> list[str]:
    return [_("Median"), _("Quarter below"), _("Quarter above")]


def _figures(norm: Norm) -> list[str]:
    """Write median and quartiles: 1 is what 1C gives."""
    factors = norm.factors
    return [_format(figure) for figure in ((factors.median, factors.q1, factors.q3) if factors else (None, None, None))]


def _format(figure: Fraction | None) -> str:
    return "-" if figure is None else format_decimal(float(figure), 2)
