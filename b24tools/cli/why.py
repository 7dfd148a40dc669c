"""`why` at the command line."""

from __future__ import annotations

from b24tools import context
from b24tools.jobs import why
from b24tools.render import console
from b24tools.render.why import data, screen


def run(here: context.Session, task_id: int, *, as_json: bool) -> int:
    """Tell why a task's person got it, from the database alone; the exit status."""
    settings = here.settings
    with here.read_store() as kept:
        found = why.explain(kept, task_id, settings.data_dir)
    if as_json:
        console.envelope("why", data(found, settings.zone), ok=True)
    else:
        screen(found, settings.zone)
    return 0
