"""The views for analysts, docs/analysts.md: plain columns over the tables, in SQL that two engines understand.

They are a promise to others' reports: a column may be added, and none is taken away or means something else.
A later migration that makes a table or a view below anew takes these away before, and makes them again.
"""

from __future__ import annotations

from typing import Final

_OPTED_OUT = "EXISTS (SELECT 1 FROM settings WHERE key = 'opted_out_users' AND {listed})"
_LISTED = "',' || replace(value, ' ', '') || ',' LIKE '%,' || {person} || ',%'"


def _unless_opted_out(column: str, person: str = "tasks.responsible_id") -> str:
    """Return the column; of a closed task of who has opted out it is null: it counts without a name."""
    return f"CASE WHEN NOT {_OPTED_OUT.format(listed=_LISTED.format(person=person))} THEN {column} END"


def _while_open(column: str) -> str:
    """Return the column of a line; once its task is closed only unless who was given it, or closed it, has opted out.

    Else the task's number would lead from a line with a name to a closed task without one.
    """
    unnamed = _unless_opted_out(_unless_opted_out(column), "lines.responsible_id")
    return f"CASE WHEN tasks.id IS NULL THEN {column} ELSE {unnamed} END"


VIEWS: Final = {
    "v_people": """
        SELECT people.id, people.name, people.email, people.active, people.department_id,
            departments.name AS department, people.saved_at AS read_at
        FROM people LEFT JOIN departments ON departments.id = people.department_id""",
    "v_tasks": f"""
        SELECT tasks.id, tasks.title, {_unless_opted_out("tasks.responsible_id")} AS responsible_id,
            {_unless_opted_out("people.name")} AS responsible, {_unless_opted_out("departments.name")} AS department,
            tasks.group_id AS project_id, projects.name AS project, tasks.created_at, tasks.closed_at, tasks.week,
            tasks.first_deadline, tasks.deadline,
            CASE WHEN tasks.closed_at <= tasks.first_deadline THEN 1 WHEN tasks.first_deadline IS NOT NULL THEN 0 END
                AS on_time,
            tasks.estimate_s / 3600.0 AS estimate_h, tasks.spent_s / 3600.0 AS spent_h, order_tasks.order_id,
            order_tasks.position
        FROM tasks
        LEFT JOIN people ON people.id = tasks.responsible_id
        LEFT JOIN departments ON departments.id = people.department_id
        LEFT JOIN projects ON projects.id = tasks.group_id
        LEFT JOIN order_tasks ON order_tasks.key = tasks.line
        WHERE tasks.gone = 0""",  # noqa: S608 - constants
    "v_operations": f"""
        SELECT lines.key AS id, lines.order_id, orders.number AS order_number, orders.customer, lines.line,
            lines.position, lines.task_id, {_while_open("lines.responsible_id")} AS responsible_id,
            {_while_open("people.name")} AS responsible,
            departments.name AS department, lines.assigned_at, lines.starts_at, lines.ends_at, lines.deadline,
            lines.estimate_s / 3600.0 AS estimate_h, tasks.spent_s / 3600.0 AS spent_h, tasks.closed_at
        FROM order_tasks AS lines
        JOIN orders ON orders.id = lines.order_id
        LEFT JOIN people ON people.id = lines.responsible_id
        LEFT JOIN departments ON departments.id = lines.department_id
        LEFT JOIN tasks ON tasks.id = lines.task_id AND tasks.gone = 0""",  # noqa: S608 - constants
    "v_orders": """
        SELECT orders.id, orders.number, orders.customer, orders.wanted, orders.promised_first, orders.priority,
            orders.first_sent_at, orders.last_sent_at, orders.outcome, orders.is_over,
            count(lines.key) AS operations, count(tasks.id) AS closed, min(lines.starts_at) AS starts_at,
            max(lines.ends_at) AS ends_at, max(tasks.closed_at) AS last_closed_at,
            sum(lines.estimate_s) / 3600.0 AS estimate_h, sum(tasks.spent_s) / 3600.0 AS spent_h
        FROM orders
        LEFT JOIN order_tasks AS lines ON lines.order_id = orders.id
        LEFT JOIN tasks ON tasks.id = lines.task_id AND tasks.gone = 0
        GROUP BY orders.id, orders.number, orders.customer, orders.wanted, orders.promised_first, orders.priority,
            orders.first_sent_at, orders.last_sent_at, orders.outcome, orders.is_over""",
    "v_weeks": f"""
        SELECT week, user_id, name, department, tasks, hours, on_time, on_time_of
        FROM closed_by_week
        WHERE NOT EXISTS (SELECT 1 FROM settings WHERE key IN ('hidden_users', 'opted_out_users')
            AND {_LISTED.format(person="user_id")})""",  # noqa: S608 - constants
}
