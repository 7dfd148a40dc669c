"""Second tasks of a line: only those that a lost request of ours made, and no person has touched, may be deleted."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import suppress

from b24tools.assignment.portal_state import PortalState
from b24tools.assignment.recovery import is_at_creation, is_of_lost_write
from b24tools.assignment.writes import Line
from b24tools.bitrix24 import queries
from b24tools.bitrix24.client import Client
from b24tools.core import errors
from b24tools.core.i18n import _
from b24tools.core.models import Task
from b24tools.store import Store

_log = logging.getLogger("b24tools")


def choose_spares(client: Client, store: Store, portal: PortalState, lines: Sequence[Line]) -> None:
    """Decide which of the tasks with a line's key may be deleted; the others are left, and named.

    That is what a lost request of ours made, as it was made: nothing else that carries our key is ours to delete,
    a person's copy least of all.
    """
    lost = store.lost_writes.read([line.key for line in lines])
    ours = {
        other.id: other
        for line in lines
        for other in line.plan.others
        if line.plan.task is not None and line.plan.task.is_open and is_of_lost_write(other, lost.get(line.key, ()))
    }
    clean = _read_without_history(client, portal, list(ours.values()))
    for line in lines:
        line.spare = [other for other in line.plan.others if other.id in clean]
        for other in line.plan.others:
            if other.is_open and other.id not in clean:
                line.warn(_("task {id} carries the key of this line as well (a copy?): it was left"), id=other.id)


def _read_without_history(client: Client, portal: PortalState, tasks: Sequence[Task]) -> set[int]:
    """Read which of the tasks have a history that shows nothing but that the webhook's owner made them."""
    batch = client.new_batch()
    histories = [(task, batch.add(queries.task_history(task.id, portal.zone))) for task in tasks]
    with suppress(errors.PortalError):  # then each history has it
        batch.send()
    clean = set()
    for task, history in histories:
        try:
            happened = history.value
        except errors.PortalError:
            continue
        made_by = [user for name, _moment, user in happened if name == "NEW"]
        if made_by == [portal.owner.id] and all(
            name == "NEW" or is_at_creation(moment, task) for name, moment, _user in happened
        ):
            clean.add(task.id)
    return clean


def note_deleted(line: Line, spare: Task) -> None:
    """Say that a second task is gone, in the report and in the log."""
    message = _("task {id}, a second one of this line that a lost request had made, was deleted").format(id=spare.id)
    line.warn(message)
    _log.info(message)


def note_not_deleted(line: Line, spare: Task, error: errors.PortalError) -> None:
    """Say why a second task is still there, or may be."""
    if isinstance(error, errors.PortalUncertain):
        line.warn(
            _("whether task {id}, a second one of this line, was deleted is not known ({reason})"),
            id=spare.id,
            reason=error.message,
        )
    else:
        line.warn(_("task {id}, a second one of this line, could not be deleted: {reason}"), id=spare.id, reason=error)
