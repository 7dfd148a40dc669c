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
            tasks.estimate_s / 3600.0 AS estimate_h, tasks.spent_s / 3600.0 AS spent_h, all_lines.order_id,
            all_lines.position
        FROM tasks
        LEFT JOIN people ON people.id = tasks.responsible_id
        LEFT JOIN departments ON departments.id = people.department_id
        LEFT JOIN projects ON projects.id = tasks.group_id
        LEFT JOIN all_lines ON all_lines.line_no = tasks.line
        WHERE tasks.gone = 0""",  # noqa: S608 - constants
    "v_operations": f"""
        SELECT lines.key AS id, lines.order_id, orders.number AS order_number, orders.customer, lines.line,
            lines.position, lines.task_id, {_while_open("lines.responsible_id")} AS responsible_id,
            {_while_open("people.name")} AS responsible,
            departments.name AS department, lines.assigned_at, lines.starts_at, lines.ends_at, lines.deadline,
            lines.estimate_s / 3600.0 AS estimate_h, tasks.spent_s / 3600.0 AS spent_h, tasks.closed_at
        FROM all_lines AS lines
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
        LEFT JOIN all_lines AS lines ON lines.order_id = orders.id
        LEFT JOIN tasks ON tasks.id = lines.task_id AND tasks.gone = 0
        GROUP BY orders.id, orders.number, orders.customer, orders.wanted, orders.promised_first, orders.priority,
            orders.first_sent_at, orders.last_sent_at, orders.outcome, orders.is_over""",
    "v_weeks": f"""
        SELECT week, user_id, name, department, tasks, hours, on_time, on_time_of
        FROM closed_by_week
        WHERE NOT EXISTS (SELECT 1 FROM settings WHERE key IN ('hidden_users', 'opted_out_users')
            AND {_LISTED.format(person="user_id")})""",  # noqa: S608 - constants
}


def make_text_views(moment: str) -> dict[str, str]:
    """Return the views that show the largest tables with their moments as text.

    `moment`: an engine's SQL for the text of `{}`, seconds since 1970.
    """
    task = {
        name: moment.format(name)
        for name in ("created_at", "changed_at", "closed_at", "deadline", "saved_at", "first_deadline")
    }
    line = {
        name: moment.format(f"packed_lines.{name}")
        for name in ("starts_at", "ends_at", "deadline", "assigned_at", "first_deadline")
    }
    return {
        "tasks": f"""
            SELECT id, title, responsible_id, created_by, group_id, status, {task["created_at"]} AS created_at,
                {task["changed_at"]} AS changed_at, {task["closed_at"]} AS closed_at, week,
                {task["deadline"]} AS deadline, estimate_s, spent_s, gone, {task["saved_at"]} AS saved_at, read_no,
                {task["first_deadline"]} AS first_deadline, line
            FROM closed_tasks""",  # noqa: S608 - constants
        "all_lines": f"""
            SELECT key, order_id, line, position, state, task_id, responsible_id, department_id, starts_at, ends_at,
                deadline, first_deadline, estimate_s, assigned_at, sent_values, line_no
            FROM order_tasks
            UNION ALL
            SELECT coalesce(packed_lines.key, '1c:' || packed_orders.order_id || ':' || packed_lines.key_end),
                packed_orders.order_id, packed_lines.line, packed_lines.position,
                coalesce(packed_lines.state, 'done'), packed_lines.task_id, packed_lines.responsible_id,
                packed_lines.department_id, {line["starts_at"]}, {line["ends_at"]}, {line["deadline"]},
                {line["first_deadline"]}, packed_lines.estimate_s, {line["assigned_at"]},
                CASE WHEN packed_lines.flags & 1 <> 0 THEN '{{"cancelled":true}}' ELSE '{{}}' END, packed_lines.line_no
            FROM packed_lines JOIN packed_orders ON packed_orders.number = packed_lines.order_number""",  # noqa: S608 - constants
    }
