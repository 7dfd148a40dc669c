"""`doctor` at the command line: what is examined, how it is shown, and with which status it ends."""

from __future__ import annotations

import time
from dataclasses import replace
from functools import partial
from pathlib import Path
from zoneinfo import ZoneInfo

from b24tools import context
from b24tools.core import config, errors
from b24tools.core.i18n import _, os_reason
from b24tools.jobs.doctor import job, write_probe
from b24tools.jobs.doctor.checks import Examination
from b24tools.onec import order as onec_order
from b24tools.render import doctor
from b24tools.render.console import Messenger
from b24tools.render.json import print_envelope

RETRY_S = 5.0  # a portal that is away is news enough


def examine(messenger: Messenger, env_file: Path | None, order: Path | None, *, probe: bool, as_json: bool) -> int:
    """Examine, show, and return the exit status: 1 if anything fails. `probe`: make a task and delete it."""
    inspection = config.inspect(env_file=env_file)
    session = context.Session(inspection.settings, messenger.detail)
    exam = Examination(inspection, session.local_now, order_file=str(order or ""))
    try:
        exam.own_days = context.own_days(inspection.settings)
    except errors.ConfigError as error:
        exam.inspection = replace(inspection, problems=(*inspection.problems, ("calendar.json", error)))
    try:
        exam.orders = _read_orders(order, inspection.settings.zone) if order else ()
    except errors.B24ToolsError as error:
        exam.order_error = error
    open_client = partial(
        session.open_client, retry_s=min(RETRY_S, inspection.settings.retry_seconds), leave_no_trace=True
    )
    writing = (
        write_probe.make_check(time.sleep, lambda text: messenger.warn(errors.as_sentence(text))) if probe else None
    )
    findings = job.examine(exam, open_client, writing)
    failure = doctor.verdict_error(findings)
    if as_json:
        print_envelope("doctor", doctor.data(findings), error=failure)
    else:
        doctor.report(findings, only_bad=messenger.level < 0)
        messenger.info(doctor.verdict(findings))
    return 0 if failure is None else failure.exit_status


def _read_orders(path: Path, zone: ZoneInfo) -> list[onec_order.Order]:
    """Read the orders of a file. Raise OrderError or ConfigError, which name the file."""
    try:
        with path.open("rb") as stream:
            return onec_order.read_orders(onec_order.read_source(stream), zone)
    except errors.OrderError as error:
        hint = error.hint or _("Correct the order in 1C and send it again.")
        raise type(error)(f"{path}: {error.message}", hint) from None
    except OSError as error:
        hint = _("Name a file with an order that this user may read.")
        raise errors.ConfigError(f"{path}: {os_reason(error)}", hint) from error
