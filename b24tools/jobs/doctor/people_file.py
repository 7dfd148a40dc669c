"""people.json: whether the people, departments and schedules that it names are on the portal."""

from __future__ import annotations

from b24tools.bitrix24 import queries
from b24tools.core.i18n import _, ngettext
from b24tools.core.names import nearest_name, same_name
from b24tools.jobs.doctor.checks import Checks, Examination, Finding, Need, listed, ok, warn
from b24tools.jobs.doctor.company import COMPANY, company
from b24tools.jobs.doctor.working_time import write_hours
from b24tools.scheduling import portal_hours

checks = Checks(lambda: "people.json")

schedules = Need(lambda batch, exam: {number: batch.add(queries.schedule(number)) for number in exam.people.schedules})


@checks.add("people_file", lambda: _("people"), *COMPANY)
def check_people_file(exam: Examination) -> Finding | None:
    """Count the people that are named, and find those who are gone."""
    ids = sorted(exam.people.people)
    if not ids:
        return None
    everyone = exam[company]
    gone = [everyone.describe(user_id) for user_id in ids if not everyone.is_active(user_id)]
    if gone:
        return warn(listed(gone), _("Correct these ids in people.json, or leave them out."))
    slow = [everyone.describe(user_id) for user_id in ids if exam.people.of(user_id).rate != 1]
    count = ngettext("{n} person works in a way of their own", "{n} people work in a way of their own", len(ids))
    detail = count.format(n=len(ids))
    return ok(_("{people}; another rate: {names}"), people=detail, names=listed(slow)) if slow else ok(detail)


@checks.add("people_hours", lambda: _("hours"), schedules)
def check_hours(exam: Examination) -> list[Finding]:
    """Read every schedule that is named."""
    findings = []
    for number, answer in exam[schedules].items():
        read = portal_hours.from_schedule(answer.value, exam.settings.zone)
        name = _("schedule {id}").format(id=number)
        if read is None:
            detail = _("it is not on the portal, may not be read, or has no hours to plan by: the usual hours count")
            fix = _("Correct the number in people.json: it stands in the address when a schedule is opened.")
            findings.append(warn(detail, fix, about=name))
        elif read[1]:
            detail = "; ".join([write_hours(read[0]), *read[1]])
            findings.append(warn(detail, _("Correct the schedule on the portal."), about=name))
        else:
            findings.append(ok(write_hours(read[0]), about=name))
    return findings


@checks.add("people_names", lambda: _("positions"), *COMPANY)
def check_names(exam: Examination) -> Finding | None:
    """Find names of departments and positions that mean nothing: they change nothing, without a word."""
    file, staff = exam.people, exam[company].staff
    departments = {same_name(department.name): department.name for department in staff.departments.values()}
    ids = set(map(str, staff.departments))
    positions = departments.keys() | set(map(same_name, [*file.departments_of, *exam.positions, *exam.settings.route]))
    names = [name for terms in file.people.values() for name in (*terms.only, *terms.never)]
    unknown = [name for name in file.departments_of.values() if same_name(name) not in departments]
    unknown += [name for name in file.schedules_of if same_name(name) not in departments and name not in ids]
    unknown += [name for name in names if same_name(name) not in positions]
    if not unknown:
        return ok(_("all departments and positions are known")) if names or file.departments_of else None
    nearest = {name: nearest_name(name, departments.values()) for name in dict.fromkeys(unknown)}
    texts = [f"“{name}” (“{near}”?)" if near else f"“{name}”" for name, near in nearest.items()]
    return warn(
        _("neither a department nor a position of past orders: {names}"),
        _("Write them in people.json as the portal or 1C does."),
        names=listed(texts),
    )
