"""What b24tools asks the portal: each request and the reader of its answer in one place."""

# mypy: implicit-reexport
# ruff: noqa: F401

from b24tools.bitrix24.queries.disk import add_folder, attached_file, children, common_storage, upload_file
from b24tools.bitrix24.queries.groups import (
    Project,
    create_group,
    groups_named,
    may_create_tasks,
    project_dates,
    projects,
)
from b24tools.bitrix24.queries.tasks import (
    CLOSED_SELECT,
    FOREIGN_KEY,
    FULL_SELECT,
    PLAN_SELECT,
    add_task,
    approve_task,
    attach_file,
    attachments,
    closed_between,
    complete_task,
    defer_task,
    delete_task,
    fetch_names_on_tasks,
    foreign_key,
    listed_chat,
    mandatory_fields,
    newest_tasks,
    open_work_count,
    open_work_of,
    read_record,
    read_task,
    renew_task,
    task,
    task_history,
    task_row,
    task_rows,
    tasks_as_closed,
    tasks_by_id,
    tasks_by_key,
    tasks_titled,
    update_task,
)
from b24tools.bitrix24.queries.users import (
    PEOPLE_SELECT,
    Departments,
    departments,
    everybody,
    fetch_people,
    fetch_people_of,
    paged,
    people_by_id,
    people_by_surname,
    people_of,
    read_departments,
    read_people,
    unknown_person,
)
from b24tools.bitrix24.queries.webhook import profile, scopes, server_time
from b24tools.bitrix24.queries.working_time import absences, calendar_settings, schedule
