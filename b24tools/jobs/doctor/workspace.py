"""Where tasks and files go: the project with its tool and dates, the fields that tasks must have, the folder."""

from __future__ import annotations

from datetime import timedelta

from b24tools.bitrix24 import queries
from b24tools.bitrix24.batch import Batch, Pending
from b24tools.bitrix24.queries import Project
from b24tools.core import errors
from b24tools.core.i18n import _
from b24tools.core.names import describe_foreign_letters, fold_shapes, parts_to_ask
from b24tools.jobs.doctor.checks import Checks, Examination, Finding, Need, fail, listed, ok, require, warn
from b24tools.jobs.doctor.webhook import is_in_cloud, owner

REACH = timedelta(days=92)  # as far ahead as a plan looks at first
DAY = timedelta(days=1)

checks = Checks(lambda: _("The company"))


def _add_folder(batch: Batch, exam: Examination) -> Pending[list[tuple[int, str, str]]]:
    name = exam.settings.folder
    if name.isdecimal():
        return batch.add(queries.children(int(name), name))
    return batch.add(queries.children(exam[storage].reference(0, "ROOT_OBJECT_ID"), name))


def _add_alike_folders(batch: Batch, exam: Examination) -> list[Pending[list[tuple[int, str, str]]]]:
    name = exam.settings.folder
    root = int(name) if name.isdecimal() else exam[storage].reference(0, "ROOT_OBJECT_ID")
    return [batch.add(queries.children(root, name, part=part)) for part in parts_to_ask(name)]


projects = Need(lambda batch, exam: batch.add(queries.groups_named(exam.settings.group)))
alike_projects = Need(
    lambda batch, exam: [
        batch.add(queries.groups_named(exam.settings.group, part=part)) for part in parts_to_ask(exam.settings.group)
    ]
)
may_create = Need(lambda batch, exam: batch.add(queries.may_create_tasks(require(find_project(exam)).id)), late=True)
project_dates = Need(lambda batch, exam: batch.add(queries.project_dates(require(find_project(exam)).id)), late=True)
mandatory_fields = Need(lambda batch, _exam: batch.add(queries.mandatory_fields()))
storage = Need(lambda batch, _exam: batch.add(queries.common_storage()))
folder = Need(_add_folder)
alike_folders = Need(_add_alike_folders)


def _warn_of_alike(setting: str, wanted: str, id: int, name: str) -> Finding:
    """Say that `assign` takes what only looks like the name: two would look the same."""
    detail = _("“{name}” is not there; “{other}” is taken, which looks the same{letters}")
    letters = describe_foreign_letters(wanted, name)
    return warn(detail, _("Set {setting}={id}."), name=wanted, other=name, letters=letters, setting=setting, id=id)


def find_project(exam: Examination) -> Project | None:
    """Return the project for the tasks, unless there is none, or it cannot be read."""
    answer = exam[projects]
    return answer.value[0] if answer.error is None and answer.value else None


def may_create_tasks(exam: Examination) -> bool:
    """Whether the portal lets the owner create tasks in the project. What it does not say counts as yes."""
    return exam[may_create].error is not None or exam[may_create].value


@checks.add("group", lambda: _("project"), owner, projects, alike_projects, may_create)
def check_project(exam: Examination) -> Finding:
    matches, wanted = exam[projects].value, exam.settings.group
    if not matches:
        fix = _("Create the project by hand, or set B24_GROUP to an existing one, by name or id.")
        if wanted.isdecimal():
            return fail(_("the portal has no project {id}"), fix, id=wanted)
        if alike := next((project for asked in exam[alike_projects] for project in asked.value), None):
            return _warn_of_alike("B24_GROUP", wanted, alike.id, alike.name)
        return warn(_("“{name}” is not there: the first order makes it, if the owner may"), fix, name=wanted)
    name = f"{matches[0].name} (#{matches[0].id})"
    if matches[0].archived:
        fix = _("Take the project out of the archive, or set B24_GROUP to another one.")
        return fail(_("{name} is archived: it takes no tasks"), fix, name=name)
    if not exam[owner].value.admin and not may_create_tasks(exam):
        fix = _("Make the owner a member of the project, with the right to create tasks; its tool “Tasks” must be on.")
        return fail(_("{name}: the webhook's owner may not make tasks there"), fix, name=name)
    if len(matches) > 1:
        archived = _("(archived)")
        others = [f"#{other.id} {archived}" if other.archived else f"#{other.id}" for other in matches[1:]]
        fix = _("Set B24_GROUP to the id of the right one.")
        return warn(_("{name}; others of that name: {ids}"), fix, name=name, ids=listed(others))
    return ok(name)


@checks.add("group_tasks", lambda: _("project's tasks"), owner, projects, may_create)
def check_task_tool(exam: Examination) -> Finding | None:
    """An administrator creates tasks in every project, unless its tool for tasks is switched off.

    In the cloud `sonet_group.feature.access` does not know the portal's administrators, and refuses them as well where
    they are no members (IsAdmin in main/classes/general/user.php), though they may create tasks.
    """
    project = find_project(exam)
    if project is None or project.archived or not exam[owner].value.admin:
        return None  # see the check of the project
    if may_create_tasks(exam):
        return ok(_("tasks can be created in the project"))
    fix = _("Switch the tool “Tasks” on in the project's settings, and make the webhook's owner a member.")
    if is_in_cloud(exam):
        return warn(_("no task can be created: the project's tool “Tasks” is off, or the owner is no member"), fix)
    return fail(_("no task can be created: the project's tool “Tasks” is switched off"), fix)


@checks.add("group_dates", lambda: _("project's dates"), projects, project_dates)
def check_project_dates(exam: Examination) -> Finding:
    """The portal refuses tasks whose plan or deadline lies outside the dates of the project."""
    asked = exam[project_dates]
    if asked.error and not isinstance(asked.error, errors.PortalBusy):
        return ok(_("not looked at: only a webhook with the scope “socialnetwork” sees whether the project has dates"))
    start, finish = asked.value
    fix = _("Change the project's dates in its settings, or remove them.")
    if start and exam.now < start:
        return fail(_("the project begins on {day:%d.%m.%Y}: tasks before are refused"), fix, day=start)
    if not finish:
        return ok(_("the project has no end date"))
    end = finish + DAY  # the last day is a part of the project
    if end <= exam.now:
        return fail(_("the project ended on {day:%d.%m.%Y}: every task is refused"), fix, day=finish)
    detail = _("the project ends on {day:%d.%m.%Y}: tasks that are planned or wanted later are refused")
    return warn(detail, fix, day=finish) if end < exam.now + REACH else ok(detail, day=finish)


@checks.add("mandatory_fields", lambda: _("mandatory fields"), mandatory_fields)
def check_mandatory_fields(exam: Examination) -> Finding:
    """The portal misses mandatory custom fields of tasks only where any is sent; the files are one."""
    names = [name for name in exam[mandatory_fields].value if name != "UF_TASK_WEBDAV_FILES"]
    if not names:
        return ok(_("no custom field of tasks is mandatory"))
    fix = _("Make these custom fields of tasks optional on the portal.")
    return fail(_("{names}: tasks of orders with files are refused without them"), fix, names=listed(names))


@checks.add("folder", lambda: _("folder"), storage, folder, alike_folders)
def check_folder(exam: Examination) -> Finding:
    name = exam.settings.folder
    root, answer = exam[storage].value, exam[folder]
    if name.isdecimal():
        if answer.error is None:
            return ok(f"#{name}")
        if isinstance(answer.error, errors.PortalBusy):
            raise answer.error
        detail = _("B24_FOLDER={id}: the folder cannot be read: {reason}")
        fix = _("Give the id from the folder's address on the company drive, or the folder's name.")
        return fail(detail, fix, id=name, reason=answer.error.message)
    if root is None:
        fix = _("Let the webhook's owner use the company drive, or set B24_FOLDER to the id of a folder.")
        return fail(_("the portal shows no common storage for files"), fix)
    folders = [id_ for id_, _name, kind in answer.value if kind == "folder"]
    if not folders and answer.value:
        fix = _("Rename that file, or set B24_FOLDER to another name.")
        return fail(_("“{name}” is a file on the company drive, not a folder"), fix, name=name)
    if not folders:
        rows = (row for asked in exam[alike_folders] for row in asked.value)
        if alike := next(
            (row for row in rows if row[2] == "folder" and fold_shapes(row[1]) == fold_shapes(name)), None
        ):
            return _warn_of_alike("B24_FOLDER", name, *alike[:2])
        fix = _("Make the folder on the company drive, or set B24_FOLDER to an existing one, by name or id.")
        return warn(_("“{name}” is not there: the first order with files makes it"), fix, name=name)
    if len(folders) > 1 or len(exam[storage].item.result) > 1:
        detail = _("{name} (#{id}) on the company drive; there are several folders or common drives")
        return warn(detail, _("Set B24_FOLDER to the id of the right folder."), name=name, id=folders[0])
    return ok(_("{name} (#{id}) on the company drive"), name=name, id=folders[0])
