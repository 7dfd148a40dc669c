"""Why a person got a task, as the ledger keeps it for `why`: what was known when it was decided."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from b24tools.assignment.plan import Draft
from b24tools.core.timestamps import to_text
from b24tools.scheduling.workload import Candidate
from b24tools.store.decisions import Decision

MOST_CANDIDATES = 20  # the best: a department of hundreds would fill the database


def decision(draft: Draft, now: datetime) -> Decision:
    """Who was considered for a new task, and all that `why` will have to say about it."""
    choice = draft.choice
    assert choice is not None  # noqa: S101 - every new task has one
    item = draft.item
    kept = [one for place, one in enumerate(choice.candidates) if place < MOST_CANDIDATES or one.chosen]
    return Decision(
        key=item.key,
        task_id=None,
        position=item.line.position,
        decided_at=now,
        responsible_id=choice.responsible_id,
        reason=choice.reason,
        candidates=[_record(one, draft) for one in kept],
        details={
            "order": item.order.number,
            "department": draft.department.name if draft.department else None,
            "nearest": draft.nearest,
            "work_s": draft.estimate_s,
            "not_before": to_text(draft.not_before),
            "after": draft.after.item.line.position if draft.after else None,
            "margin_s": choice.margin_s,
            "others": len(choice.candidates) - len(kept),
        },
    )


def _record(candidate: Candidate, draft: Draft) -> dict[str, Any]:
    return {
        "id": candidate.id,
        "name": candidate.name,
        "free": to_text(candidate.free),
        "start": to_text(candidate.start),
        "finish": to_text(candidate.finish),
        "open_s": candidate.open_s,
        "busy": candidate.busy,
        "absent": [[to_text(start), to_text(end)] for start, end in candidate.absent],
        "inside": candidate.id in draft.inside,
        "chosen": candidate.chosen,
        "note": candidate.note,
    }
