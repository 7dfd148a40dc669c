"""People, closed tasks and orders as flat rows: for spreadsheets and for other programs."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from b24tools.core.timestamps import from_text, to_text
from b24tools.store import Store

MOMENTS = ("wanted", "deadline")  # beside what ends with _at
NUMBERS = ("id", "responsible_id", "group_id", "task_id", "estimate_s", "spent_s")  # the other columns are texts
TRUTHS = ("active",)
QUERIES = {  # each with the column that --since is compared with
    "people": """
        SELECT people.id, people.name, people.active, departments.name AS department, people.saved_at
        FROM people LEFT JOIN departments ON departments.id = people.department_id
        WHERE people.saved_at >= ? ORDER BY people.id""",
    "tasks": """
        SELECT tasks.id, tasks.title, tasks.responsible_id, people.name AS responsible, departments.name AS department,
            tasks.group_id, tasks.created_at, tasks.closed_at, tasks.week, tasks.deadline, tasks.estimate_s,
            tasks.spent_s
        FROM tasks LEFT JOIN people ON people.id = tasks.responsible_id
        LEFT JOIN departments ON departments.id = people.department_id
        WHERE tasks.gone = 0 AND tasks.closed_at >= ? ORDER BY tasks.closed_at, tasks.id""",
    "orders": """
        SELECT orders.id AS order_id, orders.number, orders.customer, orders.wanted, orders.first_sent_at,
            orders.last_sent_at, orders.outcome, lines.position, lines.task_id, lines.responsible_id,
            people.name AS responsible, lines.starts_at, lines.ends_at, lines.deadline, lines.estimate_s
        FROM orders LEFT JOIN all_lines AS lines ON lines.order_id = orders.id
        LEFT JOIN people ON people.id = lines.responsible_id
        WHERE orders.last_sent_at >= ? ORDER BY orders.first_sent_at, orders.id, lines.line""",
}


def columns(store: Store, what: str) -> list[str]:
    """Return the names of the columns of such rows."""
    return store.database.columns(QUERIES[what], ["9"])


def rows(store: Store, what: str, since: datetime | None, zone: ZoneInfo) -> Iterator[dict[str, Any]]:
    """Yield the rows since then: tasks by their end, people by when they were read, orders by their last send.

    Of who has opted out there are no closed tasks: who closed what is what such a person does not want to be seen.
    Moments are ISO 8601 text in the zone; durations are in seconds.
    """
    absent = store.settings.opted_out_users()
    for row in store.database.read(QUERIES[what], [to_text(since) or ""]):
        values = dict(row)
        if what == "tasks" and values["responsible_id"] in absent:
            continue
        for name, value in values.items():
            if value is not None and (name.endswith("_at") or name in MOMENTS):
                values[name] = to_text(from_text(value), zone)
        values |= {name: bool(values[name]) for name in TRUTHS if name in values}
        yield values
