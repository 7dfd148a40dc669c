"""`b24tools doctor`."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from b24tools import context
from b24tools.cli import order_files, quiet
from b24tools.cli.invocation import Invocation, Json
from b24tools.cli.localized import LOCAL, explain
from b24tools.core import errors
from b24tools.core.database_url import DatabaseUrl
from b24tools.render.console import name_portal

if TYPE_CHECKING:
    from b24tools.jobs.doctor.checks import Report

RETRY_S = 5.0  # a portal that is away is news enough


@explain(
    ("doctor", "All that can be looked at without writing."),
    ("doctor --order order.json", "Whether the positions of an order have their departments, too."),
    statuses=LOCAL | {0: "nothing fails", 1: "a check fails"},
)
def doctor(
    ctx: typer.Context,
    order: Annotated[
        Path | None, typer.Option("--order", metavar="FILE", help="Check an order file against the portal, too.")
    ] = None,
    write_probe: Annotated[
        bool,
        typer.Option(
            "--write-probe",
            help="Make ONE task and delete it at once, to see how this portal keeps keys, dates and chats.",
        ),
    ] = False,
    as_json: Json = False,
) -> int:
    """Check settings, portal, people, folders. It says what is wrong and how to fix it; only --write-probe writes."""
    from b24tools.render import doctor as render_doctor

    invocation: Invocation = ctx.obj
    messenger = invocation.messenger
    findings = examine(invocation, order, write_probe=write_probe)
    failure = render_doctor.verdict_error(findings)
    if as_json:
        invocation.print_json(render_doctor.data(findings), error=failure)
    else:
        shown = [finding for finding in findings if render_doctor.is_news(finding)] if messenger.is_quiet else findings
        if messenger.is_quiet:
            session = context.Session(invocation.inspect_settings().settings, messenger.info)
            is_whole = any(finding.check == "portal" and finding.status != "fail" for finding in findings)
            shown = quiet.choose_new_findings(session, shown, context.now(), is_whole=is_whole)
        render_doctor.report(shown, folded=messenger.level < 1)
        messenger.info(render_doctor.verdict(findings))
    return 0 if failure is None else failure.exit_status


def examine(invocation: Invocation, order: Path | None = None, *, write_probe: bool = False) -> list[Report]:
    """Look at everything, and at an order; the texts have no secrets in them."""
    from b24tools.jobs.doctor import job
    from b24tools.jobs.doctor.checks import Examination
    from b24tools.jobs.doctor.write_probe import make_check

    messenger = invocation.messenger
    inspection = invocation.inspect_settings()
    scrub = messenger.scrub = inspection.settings.scrubber.scrub
    invocation.start_ping(inspection.settings)
    session = context.Session(inspection.settings, messenger.detail)
    exam = Examination(inspection, session.local_now, order_file=str(order or ""), reads_all=messenger.level != 0)
    if isinstance(inspection.settings.database, DatabaseUrl):
        with suppress(errors.B24ToolsError), session.read_store():
            pass  # other machines may have changed both files
    try:
        exam.own_days = context.own_days(inspection.settings)
    except errors.ConfigError as error:
        exam.inspection = replace(exam.inspection, problems=(*exam.inspection.problems, ("calendar.json", error)))
    try:
        exam.people = context.own_people(inspection.settings)
    except errors.ConfigError as error:
        exam.inspection = replace(exam.inspection, problems=(*exam.inspection.problems, ("people.json", error)))
    try:
        exam.orders = order_files.read_orders(order, inspection.settings) if order else ()
    except errors.B24ToolsError as error:
        exam.order_error = error
    retry_s = min(RETRY_S, inspection.settings.retry_seconds)
    open_client = partial(session.open_client, retry_s=retry_s, leave_no_trace=True)
    probe = make_check(time.sleep, lambda text: messenger.warn(errors.as_sentence(text))) if write_probe else None
    findings = job.examine(exam, open_client, probe)
    return [
        replace(finding, detail=name_portal(scrub(finding.detail)), fix=name_portal(scrub(finding.fix)))
        for finding in findings
    ]
