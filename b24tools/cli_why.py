"""`why` at the command line."""

from __future__ import annotations

from b24tools import session, show, show_why
from b24tools.jobs import why


def run(here: session.Session, task_id: int, *, as_json: bool) -> int:
    """Tell why a task's person got it, from the database alone; the exit status."""
    settings = here.settings
    nothing_yet = not settings.database.is_file()  # and nothing is made to look for it
    with here.open_store(copy=nothing_yet) as kept:
        found = why.explain(kept, task_id, settings.data_dir)
    if as_json:
        show.envelope("why", show_why.data(found, settings.zone), ok=True)
    else:
        show_why.screen(found, settings.zone)
    return 0
