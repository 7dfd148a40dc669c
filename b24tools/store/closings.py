"""What was closed in a time: the index `tasks_by_span` has the closed tasks by 28 days, and within these by person.

So nothing has to be sorted to count by person, a person's tasks lie together, and new ones come near its end.
"""

from __future__ import annotations

from b24tools.store.database import Database

SPAN_S = 28 * 86400  # as in the index
SPAN = f"closed_at / {SPAN_S}"
# the spans that have any, one look into the index each; the last one is NULL
_SPANS = f"""WITH RECURSIVE spans (number) AS (
    SELECT min({SPAN}) FROM closed_tasks
    UNION ALL SELECT (SELECT min({SPAN}) FROM closed_tasks WHERE {SPAN} > number) FROM spans WHERE number IS NOT NULL
)"""  # noqa: S608 - constants


def within(start: str = ":start", end: str = ":end") -> str:
    """Return SQL for the closed tasks of [`start`, `end`), which are parameters in seconds since 1970."""
    return f"{SPAN} BETWEEN {start} / {SPAN_S} AND {end} / {SPAN_S} AND closed_at >= {start} AND closed_at < {end}"


def find_first(db: Database, user_id: int) -> int | None:
    """Return when a person closed the first task that is known, in seconds since 1970."""
    sql = (
        f"{_SPANS} SELECT min((SELECT min(closed_at) FROM closed_tasks WHERE {SPAN} = number"  # noqa: S608 - constants
        " AND responsible_id = :user_id AND gone = 0)) FROM spans"
    )
    first: int | None = db.query(sql, {"user_id": user_id})[0][0]
    return first
