"""How orders and people stand: read from the portal once for all who look, and anew for 1C when it asks for orders."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace

from b24tools.assignment.plan import Rules
from b24tools.assignment.standing import Standings
from b24tools.assignment.tools import Tools
from b24tools.core import errors
from b24tools.core.i18n import _
from b24tools.jobs import orders, people_plans
from b24tools.server.readings import Reading
from b24tools.server.services import Services

PAGE_RETRY_S = 3.0  # so long a portal that refuses is asked again for a page
PAGE_WAIT_S = 4.0  # so long a page waits for a portal that is silent


@dataclass(frozen=True)
class PlanReading:
    """Open orders, late ones first, and what everybody does.

    `standings` is what they were read off; its workload is not for two threads at once: hold `lanes`.
    """

    listing: orders.Listing
    departments: tuple[people_plans.DepartmentPlan, ...]
    standings: Standings
    rules: Rules
    lanes: threading.Lock = field(default_factory=threading.Lock)


def read_plan(services: Services, *, fresh: bool = False, is_page: bool = True) -> Reading[PlanReading]:
    """Return the last reading of the open orders and of everybody's work, or read it. Raises as `Readings.get`.

    A page does not wait long for a portal that is silent; a program waits for the end.
    """

    def read() -> PlanReading:
        with _open_for_all(services) as (tools, rules):
            listing, standings = orders.list_with_standings(tools, rules)
            departments = people_plans.lay_out(standings, listing.orders, rules.excluded)
            return PlanReading(_scrub(services, listing), departments, standings, rules)

    return services.readings.get("plan", read, fresh=fresh, wait_s=PAGE_WAIT_S if is_page else None)


def read_open_orders(services: Services, *, fresh: bool = False) -> Reading[orders.Listing]:
    """Return the open orders of the last reading of the plan."""
    reading = read_plan(services, fresh=fresh)
    return Reading(reading.value.listing, reading.read_at, reading.problem)


def read_all_orders(services: Services, *, fresh: bool = False) -> Reading[orders.Listing]:
    """Return all orders, also those that are done, which are read for nothing else."""

    def read() -> orders.Listing:
        with _open_for_all(services) as (tools, rules):
            return _scrub(services, orders.list_orders(tools, rules, states=orders.STATES))

    return services.readings.get("orders", read, fresh=fresh, wait_s=PAGE_WAIT_S)


def read_orders_now(services: Services, choose: Callable[[Tools, Rules], orders.Listing]) -> orders.Listing:
    """Read orders as they stand at this moment. Who asks at the same time waits, or is told to come later: Busy."""
    session = services.session
    if not services.reading_orders.acquire(timeout=session.settings.retry_seconds):
        raise errors.Busy(_("the orders are being read for somebody else"), _("Try again a little later."))
    try:
        with session.open_planning(read_only=False) as (tools, rules):
            return _scrub(services, choose(tools, rules))
    finally:
        services.reading_orders.release()


def _open_for_all(services: Services) -> AbstractContextManager[tuple[Tools, Rules]]:
    """Open what reads the portal for pages, which do not wait long for it, and notes in the database what it found."""
    session = services.session
    return session.open_planning(read_only=False, retry_s=min(PAGE_RETRY_S, session.settings.retry_seconds))


def _scrub(services: Services, listing: orders.Listing) -> orders.Listing:
    """Take secrets out of the warnings."""
    return replace(listing, warnings=tuple(map(services.scrub, listing.warnings)))
