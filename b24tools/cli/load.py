"""`load` at the command line."""

from __future__ import annotations

import sys

from b24tools import context
from b24tools.core.i18n import _
from b24tools.render import console
from b24tools.render import load as render_load


def run(here: context.Session, talk: console.Talk, department: str | None, *, as_json: bool) -> int:
    """Show who has how much to do; the exit status."""
    from b24tools.jobs import load

    with here.assign_tools(dry_run=True, progress=lambda _stage, _done, _total: None) as tools:
        rules = context.assign_rules(here.settings, tools.store, {})
        found = load.load(tools, rules, department)
        talk.detail(_("requests to the portal: {count}").format(count=tools.client.requests))
    if as_json:
        data = render_load.data(found, here.settings.zone)
        console.envelope("load", data, ok=True, warnings=found.warnings)
        return 0
    render_load.screen(found, here.settings.zone, context.now())
    if not found.groups:
        talk.say(_("Nobody is there."))
    elif sys.stdout.isatty():
        talk.say(render_load.legend())
    return 0
