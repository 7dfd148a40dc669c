"""`b24tools orders`."""

from __future__ import annotations

import json
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Literal

import typer

from b24tools import context
from b24tools.cli.invocation import Invocation, Json
from b24tools.cli.localized import READING, explain
from b24tools.cli.usage import refuse_together
from b24tools.core import errors
from b24tools.core.i18n import _, ngettext


@explain(
    ("orders --late", "What will not be done in time, and why."),
    ("orders 1Ц-00000069", "An order with its lines."),
    ("orders --outbox to-1c", "For cron: write what has changed into a folder for 1C."),
    statuses=READING | {75: "try later: the portal is busy or away, or another run is at it"},
)
def orders(
    ctx: typer.Context,
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="NUMBER", help="Numbers or identifiers of orders; with their lines.", show_default=False
        ),
    ] = None,
    late: Annotated[bool, typer.Option("--late", help="Only those that are late.")] = False,
    only_open: Annotated[bool, typer.Option("--open", help="Those that are not over (the default).")] = False,
    everything: Annotated[bool, typer.Option("--all", help="Also those that are over.")] = False,
    since: Annotated[
        str | None,
        typer.Option(
            "--changed-since",
            metavar="SPAN|CURSOR",
            help="Those that changed since, also if they are over: a span (2h, 90m, 7d) or an earlier `cursor`.",
        ),
    ] = None,
    form: Annotated[Literal["table", "csv"], typer.Option("--format", help="How it is printed.")] = "table",
    outbox: Annotated[
        Path | None,
        typer.Option(
            "--outbox",
            metavar="DIR",
            help="For 1C: write a JSON file into this folder for each order that changed since the last time.",
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Show how orders stand. It tells what is done, when the rest will be, and what holds it up."""
    from b24tools.assignment.order_lookup import find_order
    from b24tools.assignment.standing import LATE, OVER, OrderStanding
    from b24tools.jobs import orders as job
    from b24tools.render import orders as render_orders
    from b24tools.render.console import print_file

    chosen = {"--late": late, "--open": only_open, "--all": everything, "NUMBER": bool(names)}
    refuse_together(chosen | {"--outbox": outbox is not None})
    if form == "csv":
        refuse_together({"--outbox": outbox is not None, "--json": as_json, "--format csv": True})
    invocation: Invocation = ctx.obj
    session = invocation.open_session(logs=outbox is not None)
    if since and since.strip().isdecimal() and not as_json and outbox is None:  # a person rather means a span
        text = _("{number} counts as the cursor of an earlier answer; a span has a unit: {number}h, {number}d")
        invocation.messenger.info(errors.as_sentence(text.format(number=since.strip())))
    settings = session.settings
    with ExitStack() as stack:
        if outbox is not None:
            wait_s = settings.retry_seconds
            stack.enter_context(session.hold_lock("orders", wait_s, say=True))
        is_new = not session.has_database()  # then none is made: nothing was sent yet
        tools, rules = stack.enter_context(invocation.open_planning(session, read_only=is_new))
        after = None if since is None else job.read_since(tools.store.orders, since, tools.clock.now())
        files: tuple[Path, ...] = ()
        notice = ""
        if outbox is not None:

            def write(order: OrderStanding) -> str:
                return json.dumps(render_orders.order_data(order, settings.zone), ensure_ascii=False, indent=2) + "\n"

            filled = job.fill_outbox(tools, rules, outbox, write, after)
            listing, files, notice = filled.listing, filled.files, filled.notice
        else:
            rows = [find_order(tools.store.orders, name, settings.database_place) for name in names or ()]
            with_over = everything or (since and not only_open)
            states = {LATE} if late else {*job.STATES} if with_over else {*job.STATES} - {OVER}
            listing = job.list_orders(tools, rules, rows=rows, since=after, states=states)
    if not is_new:
        invocation.send_messages(session)
    if as_json:
        warnings = (*filter(None, (notice,)), *listing.warnings)
        invocation.print_json(render_orders.data(listing, settings.zone), warnings=warnings)
    elif outbox is not None:
        if notice:
            invocation.messenger.warn(notice)
        for warning in listing.warnings:  # each time the same: cron need not mail it
            invocation.messenger.info(warning)
        text = ngettext("{n} file written to {folder}", "{n} files written to {folder}", len(files))
        invocation.messenger.info(text.format(n=len(files), folder=outbox))
    elif form == "csv":
        print_file(render_orders.to_csv(listing, settings.zone))
    elif names:
        render_orders.print_details(listing, settings.zone, tools.client.url, context.now())
    elif listing.orders:
        render_orders.print_orders(listing, settings.zone, context.now())
    else:
        invocation.messenger.info(_("There is no such order in {folder}.").format(folder=settings.database_place))
