"""The hours that a run plans by, and what is not known about them."""

from __future__ import annotations

from b24tools.bitrix.directory import Company
from b24tools.i18n import _
from b24tools.jobs.assign.draft import Rules
from b24tools.jobs.assign.reading import Portal
from b24tools.planning import sources
from b24tools.planning.calendar import WorkCalendar


def working_hours(company: Company, rules: Rules) -> tuple[WorkCalendar, list[str]]:
    """The calendar to plan by, and what is to be said of where it comes from."""
    zone = rules.zone
    found = sources.from_schedule(company.schedule, zone) or sources.from_settings(company.calendar_settings, zone)
    if found is None:
        return sources.default(zone), [_("the portal shows no working hours: planned for Mon-Fri 9-18")]
    return found


def not_known(company: Company, portal: Portal) -> list[str]:
    """What the portal did not tell about hours and absences, and so is not counted."""
    warnings = []
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
