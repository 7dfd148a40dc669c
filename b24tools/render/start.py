"""The start page: where to go from here, and whether all is well."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from b24tools.core.i18n import _
from b24tools.core.sizes import format_duration
from b24tools.render.markup import Html, element, join
from b24tools.render.page_parts import link_page


def to_html(
    root: str, look: Mapping[str, str], pages: Iterable[tuple[str, str]], status: str, snapshot_age_s: int | None
) -> Html:
    """Write a card for each page, then links for programs. `root`: the way up to `/`.

    `look`: what links to pages carry on; `status`: as /healthz has it.
    """
    words = {
        "plan": _("Orders and people over time: what is done when, what is late, and what holds it up."),
        "orders": _("All open orders in a table: wanted, promised, ready, late by how much."),
        "load": _("How full the days of everybody are in the weeks to come."),
        "today": _("What each person has to do today, for the screen and for paper."),
        "board": _("Who has closed how many tasks this week, for a screen on the wall."),
    }
    cards = [
        element(
            "a",
            element("b", name),
            element("span", words.get(path, "")),
            class_="card",
            href=link_page(root, path, look),
        )
        for path, name in pages
    ]
    links = [(_("Description of the HTTP side"), "docs"), (_("Health"), "healthz"), (_("Settings"), "configs")]
    health = {
        "ok": _("All is well."),
        "stale": _("Something waits too long, or the snapshot is old: see the page of health."),
        "failed": _("The database cannot be used: log.log in the data folder has the details."),
    }
    age = (
        _("The last snapshot is {age} old.").format(age=format_duration(snapshot_age_s))
        if snapshot_age_s is not None
        else _("No snapshot was taken yet.")
    )
    return join(
        [
            element("div", *cards, class_="cards"),
            element("p", f"{health[status]} {age}", class_=None if status == "ok" else "warning"),
            element("p", *(element("a", name, href=root + path, class_="apart") for name, path in links)),
        ]
    )
