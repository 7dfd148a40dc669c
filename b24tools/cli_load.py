"""`load` at the command line."""

from __future__ import annotations

import sys

from b24tools import session, show, show_load
from b24tools.i18n import _


def run(here: session.Session, talk: show.Talk, department: str | None, *, as_json: bool) -> int:
    """Show who has how much to do; the exit status."""
    from b24tools.jobs import load

    with here.assign_tools(dry_run=True, progress=lambda _stage, _done, _total: None) as tools:
        rules = session.assign_rules(here.settings, tools.store, {})
        found = load.load(tools, rules, department)
        talk.detail(_("requests to the portal: {count}").format(count=tools.client.requests))
    if as_json:
        data = show_load.data(found, here.settings.zone)
        show.envelope("load", data, ok=True, warnings=found.warnings)
        return 0
    show_load.screen(found, here.settings.zone, session.now())
    if not found.groups:
        talk.say(_("Nobody is there."))
    elif sys.stdout.isatty():
        talk.say(show_load.legend())
    return 0
