"""What the ledger keeps of a draft: before it is written, while it is under way, and afterwards."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

from b24tools.assignment.plan import ADD, DEFER, UPDATE, Draft
from b24tools.core.models import Task
from b24tools.store.orders import LedgerTask

UNSHOWN = ("DESCRIPTION", "DEADLINE_CHANGE_REASON")  # a task is not compared with these
UNKNOWN: list[str] = []  # in place of a value that 1C sent: it equals none


def row(draft: Draft, state: str, now: datetime) -> LedgerTask:
    """The line as the draft has it; `state` is planned, writing or done."""
    item = draft.item
    kept = draft.action == UPDATE and "DEADLINE" not in draft.fields  # then the task's may be one set by hand
    return LedgerTask(
        key=item.key,
        order_id=item.order.id,
        line=item.number,
        position=item.line.position,
        title=item.title,
        state=state,
        task_id=draft.task.id if draft.task else None,
        responsible_id=draft.responsible[0] if draft.responsible else None,
        department_id=draft.department.id if draft.department else None,
        start=draft.start,
        end=draft.end,
        deadline=item.known.deadline if kept and item.known else draft.deadline,
        estimate_s=draft.estimate_s if draft.outcome == "adopted" else draft.ordered_s,
        sent_values={
            "onec": item.values,
            "auditor_id": draft.auditor_id,
            "deadline_from_slot": draft.deadline_from_slot,
            "cancelled": _is_deferred_by_us(draft),
        },
        assigned_at=now if draft.action == ADD else (item.known.assigned_at if item.known else None),
        writing_since=None,
        position_id=item.line.position_id,
        old_key=other_key(draft),
        other_tasks=item.known.other_tasks if item.known else (),
    )


def other_key(draft: Draft) -> str | None:
    """The key that the line's task carries, where it is not the line's own."""
    known, task = draft.item.known, draft.task
    if task is None or task.xml_id in ("", draft.item.key) or (known and task.xml_id in known.keys):
        return known.old_key if known else None
    return task.xml_id


def put_off(draft: Draft, now: datetime) -> LedgerTask:
    """The line of a cancelled order: whether its task is deferred by us. Of the order's values nothing is written."""
    known, task = draft.item.known, draft.task
    if known is None or task is None or not draft.item.is_trusted(task):
        known = replace(row(draft, "done", now), estimate_s=draft.estimate_s)
        known = replace(known, sent_values={**known.sent_values, "onec": dict(draft.before)})
    sent_values = {**known.sent_values, "cancelled": _is_deferred_by_us(draft)}
    return replace(known, state="done", task_id=task.id if task else None, sent_values=sent_values)


def _is_deferred_by_us(draft: Draft) -> bool:
    """Noted before the task is deferred, until it is known to be renewed."""
    if draft.action == DEFER:
        return True
    before = draft.item.known.sent_values.get("cancelled", False) if draft.item.known else False
    return before and (draft.item.order.cancelled or draft.renews)


def may_change(known: LedgerTask, draft: Draft) -> LedgerTask:
    """The ledger's row while an update is under way: cut now, the next send writes what it changes in any case."""
    before = known.sent_values.get("onec", {})
    changed = [name for name, value in draft.item.values.items() if before.get(name) != value]
    sent_values = {**known.sent_values, "onec": {**before, **dict.fromkeys(changed, UNKNOWN)}}
    sent_values["under_way"] = {name: value for name, value in draft.fields.items() if name not in UNSHOWN}
    if draft.deadline and draft.deadline_from_slot and "DEADLINE" in draft.fields:
        sent_values["deadline_under_way"] = draft.deadline.isoformat()
    return replace(
        known,
        state="done",
        task_id=draft.task.id if draft.task else None,
        sent_values=sent_values,
        estimate_s=None if "minutes" in changed else known.estimate_s,
    )


def has_ended(draft: Draft, known: LedgerTask) -> bool:
    """Whether no update of the line can be under way: none is unanswered, or the task shows all its values."""
    fields: dict[str, Any] = known.sent_values.get("under_way", {})
    if known.writing_since is None:
        return True
    return bool(fields) and draft.task is not None and all(_shows(draft.task, *field) for field in fields.items())


def _shows(task: Task, name: str, value: Any) -> bool:
    shown: dict[str, object] = {
        "TITLE": task.title,
        "TIME_ESTIMATE": task.estimate_s,
        "START_DATE_PLAN": task.start,
        "END_DATE_PLAN": task.end,
        "DEADLINE": task.deadline,
        "CREATED_BY": task.created_by,
        "AUDITORS": sorted(task.auditor_ids),
        "XML_ID": task.xml_id,
    }
    if name in ("START_DATE_PLAN", "END_DATE_PLAN", "DEADLINE"):
        value = datetime.fromisoformat(value) if value else None
    return name in shown and shown[name] == (sorted(value) if name == "AUDITORS" else value)
