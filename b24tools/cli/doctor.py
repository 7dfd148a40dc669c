"""`doctor` at the command line: what is examined, how it is shown, and with which status it ends."""

from __future__ import annotations

import time
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from b24tools import context
from b24tools.core import config, errors
from b24tools.core.i18n import _, os_reason
from b24tools.jobs.doctor import job, write_probe
from b24tools.jobs.doctor.checks import FAIL
from b24tools.jobs.doctor.subject import OrderFile, Stray, Subject
from b24tools.onec import order as onec_order
from b24tools.render import doctor
from b24tools.render.console import Messenger
from b24tools.render.json import print_envelope

PATIENCE_S = 5.0  # a portal that is away is news enough


def examine(messenger: Messenger, env_file: Path | None, order: Path | None, *, probe: bool, as_json: bool) -> int:
    """Examine, show, and the exit status: 1 if anything fails. `probe`: make a task and delete it."""
    found = config.inspect(env_file=env_file)
    here = context.Session(found.settings, messenger.detail)
    subject = _subject(found, None if order is None else _read(order, found.settings))

    def open_client() -> AbstractContextManager[Any]:
        return here.open_client(retry_s=min(PATIENCE_S, found.settings.retry_seconds), leave_no_trace=True)

    def warn(message: str) -> None:
        messenger.warn(errors.as_sentence(message))

    writing = partial(write_probe.run, sleep=time.sleep, say=warn) if probe else None
    checks = job.examine(subject, open_client, here.local_now, writing)
    failed = [one for one in checks if one.status == FAIL]
    if as_json:
        print_envelope("doctor", doctor.data(checks), error=doctor.verdict_error(checks))
    else:
        doctor.report(checks, only_bad=messenger.level < 0)
        messenger.info(doctor.verdict(checks))
    return errors.B24ToolsError.exit_status if failed else 0


def _subject(found: config.Inspection, order_file: OrderFile | None) -> Subject:
    settings = found.settings
    problem = None
    problems = list(found.problems)
    own: dict[str, Any] = {}
    try:
        own["own"] = context.own_days(settings)
    except errors.ConfigError as error:
        problems.append(("calendar.json", error))
    url = ""
    try:
        url = config.webhook_url(settings)
    except errors.ConfigError as error:
        problem = error
    serve, board = _secret(settings.serve_token), _secret(settings.board_token)
    return Subject(
        env_file=found.file,
        given=found.given,
        strays=[Stray(one.name, one.where, one.nearest) for one in found.unknown],
        problems=problems,
        data_dir=settings.data_dir,
        database=settings.database,
        zone=settings.zone,
        lang=settings.lang,
        department=settings.department,
        group=settings.group,
        folder=settings.folder,
        schedule_id=settings.schedule_id,
        fallback_user=settings.fallback_user,
        route=settings.route,
        non_admin=settings.non_admin,
        ca_bundle=settings.ca_bundle,
        requests_per_second=settings.requests_per_second,
        burst=settings.burst,
        outgoing_tokens=len([one for one in _secret(settings.outgoing_token).split(",") if one.strip()]),
        serve_token_length=len(serve),
        tokens_alike=bool(serve) and serve == board,
        webhook_url=url,
        webhook_problem=problem,
        country=settings.country,
        **own,
        order_file=order_file,
    )


def _secret(value: SecretStr | None) -> str:
    return "" if value is None else value.get_secret_value()


def _read(path: Path, settings: config.Settings) -> OrderFile:
    """The orders of a file, or what is wrong with it."""
    try:
        with path.open("rb") as stream:
            return OrderFile(str(path), onec_order.read_orders(onec_order.read_source(stream), settings.zone))
    except errors.OrderError as error:
        hint = error.hint or _("Correct the order in 1C and send it again.")
        return OrderFile(str(path), error=type(error)(f"{path}: {error.message}", hint))
    except OSError as error:
        return OrderFile(
            str(path),
            error=errors.ConfigError(
                f"{path}: {os_reason(error)}", _("Name a file with an order that this user may read.")
            ),
        )
