"""`b24tools sample`."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from b24tools.cli.invocation import Invocation
from b24tools.cli.localized import READING, explain
from b24tools.core import errors
from b24tools.core.i18n import _
from b24tools.core.org_structure import Staff
from b24tools.onec import sample_order
from b24tools.render.console import print_text


@explain(
    ("sample --number 1", "Another order than that of the day."),
    statuses=READING,
)
def sample(
    ctx: typer.Context,
    number: Annotated[
        str | None, typer.Option("--number", metavar="NUMBER", help="The order's number; else one of today.")
    ] = None,
) -> None:
    """Print an order with today's dates. Its positions are those of your portal, else those of the sandbox."""
    invocation: Invocation = ctx.obj
    session = invocation.open_session()
    today = session.local_now().date()
    if session.settings.webhook_url is None:
        order = sample_order.build_sample(today, number)
        invocation.messenger.info(_("BITRIX_WEBHOOK_URL is not set: these are the positions of the sandbox."))
    else:
        with session.open_planning(read_only=True) as (tools, _rules):
            staff = tools.directory.company(with_files=False).staff
            positions = _find_positions(staff, tools.store.settings.excluded_users())
        if not positions:
            raise errors.ConfigError(
                _("no department below {name} has people").format(name=staff.departments[staff.root_id].name),
                _("See `b24tools doctor`."),
            )
        executor = staff.departments[staff.root_id].name
        order = sample_order.build_sample_for(positions, executor, today, number)
    print_text(json.dumps(order, ensure_ascii=False, indent=4))


def _find_positions(staff: Staff, excluded: frozenset[int]) -> list[str]:
    """Find departments of production in which somebody works: those of the sandbox's order first, in its order."""
    usual = [name for name, _id, _minutes, _sum in sample_order.LINES]
    homes = {home for person in staff.people.values() if person.active for home in person.department_ids}
    names = [
        staff.departments[department_id].name
        for department_id in sorted(staff.inside)
        if department_id != staff.root_id
    ]
    wanted = sorted(
        {staff.departments[home].name for home in homes & staff.inside} & set(names),
        key=lambda name: (usual.index(name) if name in usual else len(usual), names.index(name)),
    )
    return [name for name in wanted if staff.position(name, None, excluded).people]
