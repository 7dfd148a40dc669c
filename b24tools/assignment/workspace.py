"""The project for the tasks and the folder for the files: made when they are missing, once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from b24tools.assignment.plan import Draft, Rules
from b24tools.assignment.portal_state import PortalState
from b24tools.assignment.recovery import Pace
from b24tools.bitrix24 import queries
from b24tools.bitrix24.client import Client
from b24tools.bitrix24.org_cache import Places, first_id
from b24tools.core import errors
from b24tools.core.i18n import _
from b24tools.store.database import Store

NAME_TAKEN = "DISK_OBJ_22000"


class PlaceMaker:
    """Makes what is missing before anything is put there."""

    def __init__(self, client: Client, store: Store, portal: PortalState, rules: Rules, pace: Pace) -> None:
        self._client = client
        self._store = store
        self._portal = portal
        self._rules = rules
        self._pace = pace

    def prepare(self, adds: Sequence[Draft], with_files: Sequence[Draft]) -> Places:
        """Make the project for new tasks and the folder for files; the drafts that go without fail."""
        places = self._portal.places
        try:
            if adds and places.group_id is None:
                group_id = self._find_or_make_project([draft.item.key for draft in adds])
                places = replace(places, group_id=group_id)
        except errors.PortalError as error:
            _fail(adds, error)
        with_files = [draft for draft in with_files if draft.error is None]
        try:
            if with_files and places.folder_id is None:
                folder_id = self._make_folder(places.root_folder_id)
                places = replace(places, folder_id=folder_id)
        except errors.PortalError as error:
            _fail(with_files, error)
        return places

    def _find_or_make_project(self, keys: Sequence[str]) -> int:
        """Names of projects are not unique: one that may be in the making is waited for to the end."""
        name = self._rules.group
        if name.isdecimal():
            raise errors.PortalError(_("the portal has no project {id}").format(id=name), self._project_hint())
        earlier = self._store.last_unanswered()
        found = None if earlier is None else self._look_for_project(earlier)
        if found is not None:
            return found
        try:
            return self._make_noted_project(name, keys)
        except errors.PortalUncertain as error:
            found = self._look_for_project(error.sent_at or self._pace.clock())
        return found if found is not None else self._make_noted_project(name, keys)

    def _make_noted_project(self, name: str, keys: Sequence[str]) -> int:
        """The ledger knows since when it may be in the making."""
        self._store.mark_sent(keys, self._pace.clock())
        try:
            return self._make_project(name)
        except errors.PortalUncertain as error:  # it may have left long after it was ready to
            self._store.mark_sent(keys, error.sent_at or self._pace.clock())
            raise

    def _look_for_project(self, since: datetime) -> int | None:
        found: list[int] = []

        def look() -> bool:
            groups = self._client.ask(queries.groups_named(self._rules.group))
            project = first_id(groups)
            found.extend([] if project is None else [project])
            return bool(found)

        self._pace.look_until(since, look, self._rules.zone)
        return next(iter(found), None)

    def _make_project(self, name: str) -> int:
        try:
            return self._client.ask(queries.create_group(name))
        except errors.PortalBusy:
            raise
        except errors.PortalError as error:
            raise errors.PortalDenied(
                _('the project "{name}" does not exist and cannot be created: {reason}').format(
                    name=name, reason=error.message
                ),
                self._project_hint(),
                method=error.method,
                portal_code=error.portal_code,
            ) from None

    def _project_hint(self) -> str:
        return _("Create the project by hand, or set B24_GROUP to an existing one, by name or id.")

    def _make_folder(self, root_id: int | None) -> int:
        """Two folders cannot have one name, so making it may be repeated."""
        if root_id is None:
            raise errors.PortalDenied(
                _("the portal shows no common storage for files"),
                _("Let the webhook's owner use the company drive, or set B24_FOLDER to the id of a folder."),
            )
        name = self._rules.folder
        try:
            return self._client.ask(queries.add_folder(root_id, name))
        except errors.PortalError as error:
            if not may_be_there(error):
                raise
        return self._folder(root_id, name) or self._make_folder_again(root_id, name)

    def _make_folder_again(self, root_id: int, name: str) -> int:
        try:
            return self._client.ask(queries.add_folder(root_id, name))
        except errors.PortalError as error:
            found = self._folder(root_id, name) if may_be_there(error) else None
            if found is None:
                raise
            return found

    def _folder(self, root_id: int, name: str) -> int | None:
        return first_id(one for one in self._client.ask(queries.children(root_id, name)) if one[2] == "folder")


def may_be_there(error: errors.PortalError) -> bool:
    """Whether what was to be put on the disk may be there all the same."""
    return isinstance(error, errors.PortalUncertain) or error.portal_code == NAME_TAKEN


def _fail(drafts: Sequence[Draft], error: errors.PortalError) -> None:
    for draft in drafts:
        draft.fail(error)
