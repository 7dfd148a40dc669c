"""The whole examination, as far as it can go. It leaves no trace but what `--write-probe` is asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, ExitStack, closing
from typing import Any

from b24tools.bitrix24.client import Client
from b24tools.core import errors
from b24tools.jobs.doctor import (
    company,
    database,
    machine,
    order,
    settings,
    webhook,
    working_time,
    workspace,
    write_probe,
)
from b24tools.jobs.doctor.checks import Check, Examination, Finding, Need

STAGES = 3
PARTS = (settings, machine, database, webhook, company, workspace, working_time)
CHECKS: list[Check] = [check for part in PARTS for check in part.checks]


def examine(
    exam: Examination, open_client: Callable[[], AbstractContextManager[Client]], probe: Check | None = None
) -> list[Finding]:
    """Run every check, in the order in which one fixes things. `probe`: the one that writes, see `write_probe`."""
    with ExitStack() as stack:
        if store := database.open_database(exam):
            stack.enter_context(closing(store))
        if not isinstance(exam.address, errors.ConfigError):
            checks = (*CHECKS, *order.checks, *([probe] if probe else ()))
            try:
                exam.client = stack.enter_context(open_client())
                _ask(exam, exam.client, dict.fromkeys(need for check in checks for need in check.needs))
            except errors.B24ToolsError as error:
                exam.failure = error
        findings = [finding for check in CHECKS for finding in check.run(exam)]
        findings += order.examine(exam)
        if probe:
            findings += probe.run(exam) or write_probe.not_made.run(exam)
    return findings


def _ask(exam: Examination, client: Client, needs: Iterable[Need[Any]]) -> None:
    """Ask for all that is needed, in a batch for each stage; of one that fails as a whole there are no answers."""
    exam.asked_at = exam.clock()
    for stage in range(STAGES):
        before = dict(exam.answers)
        batch = client.new_batch()
        for need in needs:
            if need.stage == stage:
                exam.answers[need] = need.add(batch, exam)
        try:
            batch.send()
        except errors.PortalError:
            exam.answers = before
            raise
        if stage == 0:
            exam.answered_at = exam.clock()
