"""Departments and people: whom a position means, and who should perhaps not get work."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from b24tools.core.i18n import _, ngettext
from b24tools.core.models import Person
from b24tools.core.org_structure import Staff, nearest_name, same_name
from b24tools.jobs.doctor.asking import Answers, Known
from b24tools.jobs.doctor.checks import Check, fail, guarded, listed, ok, warn
from b24tools.jobs.doctor.subject import Subject

MOST_POSITIONS = 20


def check(subject: Subject, answers: Answers, known: Known) -> Iterator[Check]:
    """The production department, what is below it, and who works there."""
    found = guarded("department", lambda: [_root(subject, answers)])
    yield from found
    staff = answers.staff
    if staff is not None:
        yield from guarded("people", lambda: _crew(answers, staff, known))
        yield from _names(staff)
        if answers.knows_people:
            yield from _positions(subject, known, staff)
    yield from _named(subject, answers, known)


def position(name: str, staff: Staff, under: str | None, subject: Subject, known: Known, check_name: str) -> Check:
    """Which department and people a position of 1C means."""
    match = staff.position(name, under, known.excluded)
    root = staff.departments[staff.root_id].name
    if match.people:
        homes = ", ".join(f"{one.name} (#{one.id})" for one in match.departments)
        people = ngettext("{n} person", "{n} people", len(match.people)).format(n=len(match.people))
        return ok(check_name, f"{homes}: {people}")
    if match.departments:
        home = match.departments[0]
        told = _("{department} (#{id}): no active people there").format(department=home.name, id=home.id)
        mend = _("Put people into that department")
    elif match.nearest:
        told = _("no such department in {root}; the nearest is “{nearest}”").format(root=root, nearest=match.nearest)
        mend = _("Give the department the position's name, or the position the department's")
    else:
        told = _("no such department in {root}").format(root=root)
        mend = _("Make a department of that name in {root}").format(root=root)
    if subject.fallback_user:
        told = _("{told}: user {id} of B24_FALLBACK_USER gets the work").format(told=told, id=subject.fallback_user)
        return warn(check_name, told, f"{mend}.")
    return fail(check_name, told, _("{mend}, or set B24_FALLBACK_USER.").format(mend=mend))


def person_name(answers: Answers, user_id: int) -> str:
    """The name with the id, as far as it is known."""
    row = answers.people.get(user_id, {})
    name = f"{row.get('NAME') or ''} {row.get('LAST_NAME') or ''}".strip()
    return f"{name} (#{user_id})" if name else f"#{user_id}"


def _root(subject: Subject, answers: Answers) -> Check:
    if answers.items["departments0"].error is not None:
        raise answers.items["departments0"].error
    names = [one.name for one in answers.departments]
    if answers.root is None:
        nearest = nearest_name(subject.department, names)
        return fail(
            "department",
            _('the portal has no department "{name}"').format(name=subject.department),
            _(
                'Set B24_DEPARTMENT to the production department, by name or id; the nearest name there is "{nearest}".'
            ).format(nearest=nearest)
            if nearest
            else _("Set B24_DEPARTMENT to the production department, by name or id."),
        )
    same = [one for one in answers.departments if same_name(one.name) == same_name(subject.department)]
    staff = Staff(answers.departments, (), answers.root.id)
    below = len(list(staff.below(answers.root.id))) - 1
    told = _("{name} (#{id}), {below} below it").format(
        name=answers.root.name,
        id=answers.root.id,
        below=ngettext("{n} department", "{n} departments", below).format(n=below),
    )
    if len(same) > 1 and not subject.department.isdecimal():
        ids = listed([f"#{one.id}" for one in same])
        return warn(
            "department",
            _("{told}; several have this name: {ids}").format(told=told, ids=ids),
            _("Set B24_DEPARTMENT to the id of the right one."),
        )
    if not below:
        return fail(
            "department",
            _("{told}: no position can be found").format(told=told),
            _("Make departments named as the positions of 1C below it, or set B24_DEPARTMENT to another one."),
        )
    return ok("department", told)


def _crew(answers: Answers, staff: Staff, known: Known) -> Iterator[Check]:
    if answers.items["people0"].error is not None:
        raise answers.items["people0"].error
    inside = [one for one in staff.below(staff.root_id) if one != staff.root_id]
    crew = [
        person
        for person in staff.people.values()
        if person.active and person.id not in known.excluded and set(inside) & set(person.department_ids)
    ]
    empty = [one for one in inside if not _people_below(staff, one, crew)]
    told = ngettext("{n} person can be given work", "{n} people can be given work", len(crew)).format(n=len(crew))
    if not crew:
        yield fail("people", told, _("Put people into the departments below production; see excluded_users, too."))
    elif empty:
        names = listed([f"{staff.departments[one].name} (#{one})" for one in empty])
        yield warn(
            "people",
            _("{told}; nobody active in {departments}").format(told=told, departments=names),
            _("Put people there, or delete the department: its work goes to B24_FALLBACK_USER, or fails."),
        )
    else:
        yield ok("people", told)
    yield from _heads(staff, crew, known)
    yield from _logins(answers, crew, known)


def _people_below(staff: Staff, department_id: int, crew: Iterable[Person]) -> bool:
    homes = set(staff.below(department_id))
    return any(homes & set(person.department_ids) for person in crew)


def _heads(staff: Staff, crew: Sequence[Person], known: Known) -> Iterator[Check]:
    heads = [(person, [one.name for one in staff.departments.values() if one.head_id == person.id]) for person in crew]
    leading = [(person, names) for person, names in heads if names]
    if not leading:
        yield ok("heads", _("nobody who can be given work heads a department"))
        return
    told = listed([f"{person.name} (#{person.id}, {', '.join(names)})" for person, names in leading])
    yield warn(
        "heads",
        _("can be given work, and heads a department: {names}").format(names=told),
        _("Should they have none: {command}").format(command=_exclude(known, [person.id for person, _n in leading])),
    )


def _logins(answers: Answers, crew: Sequence[Person], known: Known) -> Iterator[Check]:
    """LAST_LOGIN is left out where it is NULL, and for everybody where the scope does not show it."""
    if not any(answers.people[person.id].get("LAST_LOGIN") for person in crew):
        if crew:
            yield ok("logins", _("the portal does not show who has ever logged in"))
        return
    never = [person for person in crew if not answers.people[person.id].get("LAST_LOGIN")]
    if not never:
        yield ok("logins", _("everybody who can be given work has logged in"))
        return
    yield warn(
        "logins",
        _("can be given work, but never logged in: {names}").format(
            names=listed([f"{person.name} (#{person.id})" for person in never])
        ),
        _("Send the invitation again, or leave them out: {command}").format(
            command=_exclude(known, [person.id for person in never])
        ),
    )


def _exclude(known: Known, ids: Iterable[int]) -> str:
    return f"`b24tools config excluded_users {','.join(str(one) for one in sorted(known.excluded | set(ids)))}`"


def _names(staff: Staff) -> Iterator[Check]:
    """Several departments of one name inside production."""
    by_name: dict[str, list[int]] = defaultdict(list)
    for one in staff.below(staff.root_id):
        if one != staff.root_id:
            by_name[same_name(staff.departments[one].name)].append(one)
    twice = [ids for ids in by_name.values() if len(ids) > 1]
    if not twice:
        yield ok("same_names", _("every department below production has a name of its own"))
        return
    told = listed(
        [f"{staff.departments[ids[0]].name} ({', '.join(f'#{one}' for one in sorted(ids))})" for ids in twice]
    )
    yield warn(
        "same_names",
        _("several departments of one name: {names}").format(names=told),
        _("Rename them, unless Исполнитель of the orders tells them apart: else their people are taken together."),
    )


def _positions(subject: Subject, known: Known, staff: Staff) -> Iterator[Check]:
    """The positions of past orders and of B24_ROUTE."""
    names = list(dict.fromkeys([*known.positions, *subject.route]))
    checks = [position(name, staff, None, subject, known, f"position {name}") for name in names]
    bad = [one for one in checks if one.status != "ok"]
    yield from bad[:MOST_POSITIONS]
    if len(bad) > MOST_POSITIONS:
        rest = [one.check.partition(" ")[2] for one in bad[MOST_POSITIONS:]]
        yield fail(
            "positions",
            _("likewise: {names}").format(names=listed(rest)),
            _("As above; is B24_DEPARTMENT the right department?"),
        )
    if not names:
        yield ok("positions", _("no order was sent yet: `b24tools doctor --order FILE` looks at one"))
    elif not bad:
        yield ok("positions", _("all of past orders and of B24_ROUTE have people: {names}").format(names=listed(names)))


def _named(subject: Subject, answers: Answers, known: Known) -> Iterator[Check]:
    """People whom settings name by id."""
    if not answers.knows_people or answers.failure is not None:
        return
    for name, ids in (("excluded_users", known.excluded), ("hidden_users", known.hidden)):
        if not ids:
            continue
        wrong = [_state(answers, one) for one in sorted(ids) if not _is_active(answers, one)]
        if wrong:
            left = ",".join(str(one) for one in sorted(ids) if _is_active(answers, one))
            command = f'`b24tools config {name} "{left}"`'
            yield warn(name, listed(wrong), _("Leave them out: {command}").format(command=command))
        else:
            yield ok(name, listed([person_name(answers, one) for one in sorted(ids)]))
    fallback = subject.fallback_user
    if fallback and not _is_active(answers, fallback):
        yield fail(
            "fallback_user",
            _state(answers, fallback),
            _("Set B24_FALLBACK_USER to the id of somebody who works there, or leave it empty."),
        )
    elif fallback:
        yield ok("fallback_user", person_name(answers, fallback))


def _is_active(answers: Answers, user_id: int) -> bool:
    return answers.people.get(user_id, {}).get("ACTIVE") in (True, "Y")


def _state(answers: Answers, user_id: int) -> str:
    if user_id in answers.people:
        return _("{name} is dismissed").format(name=person_name(answers, user_id))
    return _("user {id} does not exist").format(id=user_id)
