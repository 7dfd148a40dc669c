"""The hours that a run plans by: the portal's, with the country's production calendar and the user's days."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from b24tools.assignment.plan import Draft, Rules
from b24tools.assignment.portal_state import Portal
from b24tools.bitrix24.org_cache import OrgData
from b24tools.core.i18n import _
from b24tools.scheduling import portal_hours
from b24tools.scheduling.calendar import WorkCalendar
from b24tools.scheduling.holidays import NONE, production_calendar, with_production


def working_hours(company: OrgData, rules: Rules) -> tuple[WorkCalendar, list[str]]:
    """The calendar to plan by, and what is to be said of where it comes from."""
    calendar, warnings = portal_hours.portal_hours(company.schedule, company.calendar_settings, rules.zone)
    return with_production(calendar, production_calendar(rules.country).days, rules.own.days), warnings


def not_known(company: OrgData, portal: Portal) -> list[str]:
    """What the portal did not tell about hours and absences, and so is not counted; what is doubtful about times."""
    warnings = [*([portal.clock.warning] if portal.clock.warning else []), *portal.doubts]
    if portal.absences_problem:
        warnings.append(_("the absences are not known: {reason}").format(reason=portal.absences_problem))
    for scope in dict.fromkeys([*company.missing_scopes, *portal.missing_scopes]):
        warnings.append(
            _('the webhook has no scope "{scope}": {loss}').format(
                scope=scope,
                loss=_("the work schedule is not read")
                if scope == "timeman"
                else _("absences and working hours are not read"),
            )
        )
    return warnings


def unchecked_years(drafts: Iterable[Draft], rules: Rules) -> Sequence[str]:
    """A warning for each year that what is to be written reaches into, and whose days off nobody has checked."""
    if rules.country == NONE:
        return []
    years: set[int] = set()
    for draft in drafts:
        if "END_DATE_PLAN" in draft.fields and draft.start and draft.end:
            start, end = draft.start.astimezone(rules.zone), draft.end.astimezone(rules.zone)
            years |= set(range(start.year, end.year + 1))
        if "DEADLINE" in draft.fields and draft.deadline and draft.item.order.wanted_is_day:
            years.add(draft.deadline.astimezone(rules.zone).year)
    unchecked = years - production_calendar(rules.country).verified - rules.own.checked
    return [
        _(
            "the days off of {country} for {year} are not checked against its official calendar: moved days may be "
            'missing; put them into calendar.json and add "checked": [{year}] to it'
        ).format(country=rules.country, year=year)
        for year in sorted(unchecked)
    ]
