"""How orders and people stand, read from the portal once for all pages."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field, replace

from b24tools.assignment.plan import Rules
from b24tools.assignment.standing import Standings
from b24tools.jobs import orders, plan_page
from b24tools.server.readings import Reading
from b24tools.server.services import PAGE_WAIT_S, Services


@dataclass(frozen=True)
class PlanReading:
    """Open orders, late ones first, and what everybody does.

    `standings` is what they were read off; its workload is not for two threads at once: hold `lanes`.
    """

    listing: orders.Listing
    departments: tuple[plan_page.DepartmentPlan, ...]
    standings: Standings
    rules: Rules
    lanes: threading.Lock = field(default_factory=threading.Lock)


def read_plan(services: Services, *, fresh: bool = False, is_page: bool = True) -> Reading[PlanReading]:
    """Return the last reading of the open orders and of everybody's work, or read it. Raises as `Readings.get`.

    A page does not wait long for a portal that is silent; a program waits for the end.
    """

    def read() -> PlanReading:
        with services.open_planning() as (tools, rules):
            listing, standings = orders.list_with_standings(tools, rules)
            departments = plan_page.lay_out(standings, listing.orders, rules.excluded)
            return PlanReading(_scrub(services, listing), departments, standings, rules)

    return services.readings.get("plan", read, fresh=fresh, wait_s=PAGE_WAIT_S if is_page else None)


def read_open_orders(services: Services, *, fresh: bool = False) -> Reading[orders.Listing]:
    """Return the open orders of the last reading of the plan."""
    reading = read_plan(services, fresh=fresh)
    return Reading(reading.value.listing, reading.read_at, reading.problem)


def read_all_orders(services: Services, *, fresh: bool = False) -> Reading[orders.Listing]:
    """Return all orders, also those that are done, which are read for nothing else."""

    def read() -> orders.Listing:
        with services.open_planning() as (tools, rules):
            return _scrub(services, orders.list_orders(tools, rules, states=orders.STATES))

    return services.readings.get("orders", read, fresh=fresh, wait_s=PAGE_WAIT_S)


def _scrub(services: Services, listing: orders.Listing) -> orders.Listing:
    """Take secrets out of the warnings."""
    return replace(listing, warnings=tuple(map(services.scrub, listing.warnings)))
