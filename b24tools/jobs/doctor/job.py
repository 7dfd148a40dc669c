"""The whole examination: as far as it can go, and never a trace left but what `--write-probe` is asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from datetime import datetime, timedelta

from b24tools.bitrix24.client import Client
from b24tools.core import errors
from b24tools.core.i18n import _, ngettext
from b24tools.jobs.doctor import company, database, machine, order, settings, working_time, workspace
from b24tools.jobs.doctor.asking import Answers, Known, ask
from b24tools.jobs.doctor.checks import FAIL, Check, fail, from_error, guarded, ok
from b24tools.jobs.doctor.subject import Subject
from b24tools.jobs.doctor.webhook import check, check_address, check_refusal
from b24tools.store import Store, read_store

POSITIONS_OF = timedelta(days=180)

OpenClient = Callable[[], AbstractContextManager[Client]]
Probe = Callable[[Client, Subject, Answers], list[Check]]


def examine(
    subject: Subject, open_client: OpenClient, clock: Callable[[], datetime], probe: Probe | None = None
) -> list[Check]:
    """Every check, in the order in which one mends. `clock` tells the moment in the zone that times are shown in.

    `probe`: what writes to the portal, on request only.
    """
    checks = [*settings.check(subject), *machine.check(subject, clock())]
    with _database(subject, checks) as opened:
        known = Known()
        if opened is not None:
            checks += database.check(opened, clock())
            known = _known(opened, clock())
        checks.append(settings.outgoing_token(subject, known.mode))
        address = check_address(subject)
        checks.append(address)
        answers, probed = None, list[Check]()
        if address.status != FAIL:
            answers, probed = _ask(subject, known, opened, open_client, clock, checks, probe)
    if answers is not None:
        checks += _sections(subject, answers, known)
    checks += order.check(subject, answers, known, clock())
    if probe is not None and not probed:
        fix = _("Begin with the first that fails, then try again.")
        probed = [fail("probe task", _("not made: the portal did not answer what was asked before"), fix)]
    return checks + probed


@contextmanager
def _database(subject: Subject, checks: list[Check]) -> Iterator[Store | None]:
    """The database, where it can be read; what was seen of it goes to the checks."""
    found, seen = database.check_file(subject)
    opened = None
    if seen is not None:
        try:
            opened = read_store(subject.database)
        except errors.ConfigError as error:
            found = from_error("database", error)
    checks.append(found)
    if opened is None:
        yield None
        return
    with closing(opened):
        yield opened


def _known(opened: Store, now: datetime) -> Known:
    return Known(
        excluded=opened.settings.excluded_users(),
        hidden=opened.settings.hidden_users(),
        positions=opened.orders.positions_since(now - POSITIONS_OF),
        key=opened.orders.latest_key(),
        mode=opened.settings.get("producer_mode"),
    )


def _ask(
    subject: Subject,
    known: Known,
    opened: Store | None,
    open_client: OpenClient,
    clock: Callable[[], datetime],
    checks: list[Check],
    probe: Probe | None,
) -> tuple[Answers | None, list[Check]]:
    """What the portal says, and what the probe found; one line, if it says nothing."""
    try:
        with open_client() as client:
            checks.append(settings.rate(subject, client.host))
            if opened is not None:
                checks.append(database.host(opened, client.host))
            answers = ask(client, subject, known, order.orders_of(subject), clock)
            if answers.failure is not None:
                checks.append(from_error("portal", answers.failure))
                return answers, []
            requests = ngettext("{n} request", "{n} requests", client.requests).format(n=client.requests)
            checks.append(ok("portal", _("{url} answers ({requests})").format(url=client.url, requests=requests)))
            if probe is None:
                return answers, []
            return answers, guarded("probe task", lambda: probe(client, subject, answers))
    except errors.B24ToolsError as error:
        webhook = next(place for place, one in enumerate(checks) if one.check == "webhook")
        if refused := check_refusal(error, checks[webhook].detail):
            checks[webhook] = refused
        else:
            checks.append(from_error("portal", error))
        return None, []


def _sections(subject: Subject, answers: Answers, known: Known) -> list[Check]:
    checks = [*check(subject, answers, known)]
    checks += company.check(subject, answers, known)
    checks += workspace.check(subject, answers)
    checks += working_time.check(subject, answers)
    return checks
