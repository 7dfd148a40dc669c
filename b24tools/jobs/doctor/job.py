"""The whole examination, as far as it can go. It leaves no trace but what `--write-probe` is asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack
from dataclasses import replace
from typing import Any

from b24tools.bitrix24.client import Client
from b24tools.core import errors
from b24tools.core.i18n import _
from b24tools.jobs.doctor import company, database, machine, order, people_file, webhook, working_time, workspace
from b24tools.jobs.doctor.checks import Check, Examination, Finding, Need, NotLookedAt, Report, warn

IGNORED = "doctor_ignore"
PARTS = (machine, database, webhook, company, workspace, working_time, people_file)
CHECKS: list[Check] = [check for part in PARTS for check in part.checks]


def examine(
    exam: Examination, open_client: Callable[[], AbstractContextManager[Client]], probe: Check | None = None
) -> list[Report]:
    """Run every check, in the order in which one fixes things. `probe`: the one that writes, see `write_probe`."""
    checks = (*CHECKS, *order.checks, *([probe] if probe else ()))
    with ExitStack() as stack:
        database.open_database(exam, stack)
        if exam.webhook:
            try:
                exam.client = stack.enter_context(open_client())
                _ask(exam, exam.client, dict.fromkeys(need for check in checks for need in check.needs))
            except errors.B24ToolsError as error:
                exam.failure = error
        runs = [check.run(exam) for check in (*CHECKS, *order.file_checks)]
        runs += [check.run(exam, given) for given in exam.orders for check in order.checks]
        runs += [probe.run(exam)] if probe else []
    findings = [finding for reports in runs for finding in reports]
    check = Check(IGNORED, lambda: IGNORED, machine.checks.section, _find_unknown)
    return [*(_acknowledge(exam, finding) for finding in findings), *check.run(exam)]


def list_names() -> frozenset[str]:
    """Return the names of all checks, without what of several things each is about."""
    checks = (*CHECKS, *order.file_checks, *order.checks)
    return frozenset(check.name.partition(" ")[0] for check in checks) | {"probe"}


def _find_unknown(exam: Examination) -> Iterator[Finding]:
    """Find what is acknowledged of no check."""
    names = list_names()
    fix = _('`b24tools doctor --json` has the names; `b24tools config doctor_ignore remove "{name}"` takes it away.')
    for acknowledged in exam.acknowledged:
        if acknowledged.check.partition(" ")[0] not in names:
            yield warn(_("there is no check “{name}”"), fix, name=acknowledged.check)


def _acknowledge(exam: Examination, finding: Report) -> Report:
    """Add what is known of what is not ok."""
    for acknowledged in exam.acknowledged if finding.status != "ok" else ():
        if acknowledged.covers(finding.check, exam.now.date()):
            return replace(finding, known=f"{acknowledged.until:%d.%m.%Y} {acknowledged.note}".rstrip())
    return finding


def _ask(exam: Examination, client: Client, needs: Iterable[Need[Any]]) -> None:
    """Ask for all that is needed, in two batches; of one that fails as a whole there are no answers."""
    exam.asked_at = exam.clock()
    for late in (False, True):
        batch, asked = client.new_batch(), []
        for need in needs:
            if need.late == late:
                before = len(batch)
                try:
                    exam.answers[need] = need.add(batch, exam)
                except (errors.PortalError, NotLookedAt) as error:  # for whoever reads it
                    exam.answers[need] = error
                if len(batch) > before:
                    asked.append(need)
        try:
            batch.send()
        except errors.B24ToolsError:
            for need in asked:
                del exam.answers[need]
            raise
        if not late:
            exam.answered_at = exam.clock()
