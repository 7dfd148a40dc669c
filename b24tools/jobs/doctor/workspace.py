"""The project for the tasks and the folder for the files."""

from __future__ import annotations

from collections.abc import Iterator

from b24tools.bitrix24 import queries
from b24tools.core import errors
from b24tools.core.i18n import _
from b24tools.jobs.doctor.asking import Answers
from b24tools.jobs.doctor.checks import Check, fail, guarded, listed, ok, warn
from b24tools.jobs.doctor.subject import Subject


def check(subject: Subject, answers: Answers) -> Iterator[Check]:
    """Both are made when they are missing, if the portal allows it."""
    yield from guarded("group", lambda: [_group(subject, answers)])
    yield from guarded("folder", lambda: [_folder(subject, answers)])


def _group(subject: Subject, answers: Answers) -> Check:
    found = answers.read("group", queries.projects(subject.group))
    if not found and subject.group.isdecimal():
        return fail(
            "group",
            _("the portal has no project {id}").format(id=subject.group),
            _("Create the project by hand, or set B24_GROUP to an existing one, by name or id."),
        )
    if not found:
        return warn(
            "group",
            _("“{name}” is not there: the first order makes it, if the owner may").format(name=subject.group),
            _("Create the project by hand, or set B24_GROUP to an existing one, by name or id."),
        )
    chosen = found[0]
    told = f"{chosen.name} (#{chosen.id})"
    if chosen.archived:
        return fail(
            "group",
            _("{name} is archived: it takes no tasks").format(name=told),
            _("Take the project out of the archive, or set B24_GROUP to another one."),
        )
    if not may_create(answers, chosen.id):
        return fail(
            "group",
            _("{name}: the webhook's owner may not make tasks there").format(name=told),
            _("Make the owner a member of the project, with the right to create tasks."),
        )
    archived = _("(archived)")
    others = [f"#{one.id} {archived}" if one.archived else f"#{one.id}" for one in found[1:]]
    if others:
        return warn(
            "group",
            _("{name}; others of that name: {ids}").format(name=told, ids=listed(others)),
            _("Set B24_GROUP to the id of the right one."),
        )
    return ok("group", told)


def may_create(answers: Answers, group_id: int) -> bool:
    """What the portal says of the right; an administrator has it. Where it says nothing, nothing is held against it."""
    if answers.read("profile", queries.profile()).admin or not answers.has("may_create"):
        return True
    try:
        return answers.read("may_create", queries.may_create_tasks(group_id))
    except errors.PortalError:
        return True


def _folder(subject: Subject, answers: Answers) -> Check:
    storages = answers.read("storage", queries.storages())
    root = answers.read("storage", queries.common_storage())
    if subject.folder.isdecimal():
        try:
            answers.read("folder", queries.children(0, ""))
        except errors.PortalBusy:
            raise
        except errors.PortalError as error:
            return fail(
                "folder",
                _("B24_FOLDER={id}: the folder cannot be read: {reason}").format(
                    id=subject.folder, reason=error.message
                ),
                _("Give the id from the folder's address on the company drive, or the folder's name."),
            )
        return ok("folder", f"#{subject.folder}")
    if root is None:
        return fail(
            "folder",
            _("the portal shows no common storage for files"),
            _("Let the webhook's owner use the company drive, or set B24_FOLDER to the id of a folder."),
        )
    found = answers.read("folder", queries.children(0, subject.folder))
    folders = [id_ for id_, _name, kind in found if kind == "folder"]
    if not folders and found:
        return fail(
            "folder",
            _("“{name}” is a file on the company drive, not a folder").format(name=subject.folder),
            _("Rename that file, or set B24_FOLDER to another name."),
        )
    if not folders:
        return warn(
            "folder",
            _("“{name}” is not there: the first order with files makes it").format(name=subject.folder),
            _("Make the folder on the company drive, or set B24_FOLDER to an existing one, by name or id."),
        )
    told = _("{name} (#{id}) on the company drive").format(name=subject.folder, id=folders[0])
    if len(folders) > 1 or storages > 1:
        return warn(
            "folder",
            _("{told}; there are several folders or common drives").format(told=told),
            _("Set B24_FOLDER to the id of the right folder."),
        )
    return ok("folder", told)
