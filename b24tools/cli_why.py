"""`why` at the command line."""

from __future__ import annotations

from contextlib import closing

from b24tools import session, show, show_why, store
from b24tools.jobs import why


def run(here: session.Session, task_id: int, *, as_json: bool) -> int:
    """Tell why a task's person got it, from the database alone; the exit status."""
    zone = here.settings.zone
    with session.told_of_the_database(here.settings.database), closing(store.open_copy(here.settings.database)) as kept:
        found = why.explain(kept, task_id, here.settings.data_dir)
    if as_json:
        show.envelope("why", show_why.data(found, zone), ok=True)
    else:
        show_why.screen(found, zone)
    return 0
