"""What a ranking is narrowed to: a project, a department with all below it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from b24tools.core import errors
from b24tools.core.i18n import _

if TYPE_CHECKING:  # a ranking of all must not pay for it
    from b24tools.core.models import Department


@dataclass(frozen=True)
class Scope:
    """The project and the department whose work counts, each with its id; None: all.

    `inside`: the department and all below it.
    """

    group: tuple[int, str] | None = None
    department: tuple[int, str] | None = None
    inside: frozenset[int] | None = None

    @property
    def group_id(self) -> int | None:
        """The project's id."""
        return self.group[0] if self.group else None

    @property
    def names(self) -> list[str]:
        """The names of what it is narrowed to."""
        return [one[1] for one in (self.department, self.group) if one]


def find_scope(
    group: str | None, department: str | None, groups: Mapping[int, str], departments: Iterable[Department]
) -> Scope:
    """Find the project and the department that names or ids mean. Raises ConfigError, of several with their ids."""
    from b24tools.core.org_structure import Staff

    project, home, inside = None, None, None
    if group is not None:
        group_id = _find(
            group, groups, _('there is no project "{name}"'), _('several projects are called "{name}": {ids}')
        )
        project = group_id, groups.get(group_id, f"#{group_id}")
    if department is not None:
        staff = Staff(departments, (), 0)
        names = {one.id: one.name for one in staff.departments.values()}
        id_ = _find(
            department, names, _('there is no department "{name}"'), _('several departments are called "{name}": {ids}')
        )
        home, inside = (id_, names.get(id_, f"#{id_}")), frozenset(staff.below(id_))
    return Scope(project, home, inside)


def _find(text: str, names: Mapping[int, str], unknown: str, several: str) -> int:
    from b24tools.core.names import hint_nearest, nearest_name, read_id, same_name

    number = read_id(text.strip().removeprefix("#"))
    if number is not None and (number in names or not names):
        return number
    found = [id_ for id_, name in names.items() if same_name(name) == same_name(text)]
    if len(found) == 1:
        return found[0]
    if found:
        ids = ", ".join(f"#{id_}" for id_ in sorted(found))
        hint = _("Give the id of the right one.")
        raise errors.ConfigError(several.format(name=text, ids=ids), hint, code=errors.ErrorCode.AMBIGUOUS)
    otherwise = _("No names are known yet: run `b24tools snapshot` once, or give the id.")
    if names:
        otherwise = _("There are: {known}").format(known=", ".join(sorted(set(names.values()))[:20]))
    raise errors.ConfigError(unknown.format(name=text), hint_nearest(nearest_name(text, names.values()), otherwise))
