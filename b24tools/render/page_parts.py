"""What pages are put together from: the form above, warnings, tables, and links that carry language and theme on."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from b24tools.core.i18n import _
from b24tools.render.markup import Html, element, join


@dataclass(frozen=True)
class View:
    """What a page is drawn with. `link`: the address of this page with other parameters; `root`: the way to `/`.

    `portal_url`: where the tasks are. `hidden`: the parameters that links and forms carry on.
    """

    portal_url: str
    zone: ZoneInfo
    now: datetime
    root: str
    link: Callable[..., str]
    hidden: Mapping[str, str]

    @property
    def today(self) -> date:
        """The day of `now`."""
        return self.now.astimezone(self.zone).date()

    def link_to(self, path: str, **parameters: str) -> str:
        """Return the address of another page."""
        return link_page(self.root, path, self.hidden, **parameters)


def link_page(root: str, path: str, look: Mapping[str, str], **parameters: str) -> str:
    """Return the address of a page, with the language and theme that links carry on; `root`: the way to `/`."""
    query = urlencode({**parameters, **look})
    return f"{root}{path}?{query}" if query else f"{root}{path}"


def render_form(view: View, *fields: Html, tabs: str = "") -> Html:
    """Write the form above a page; `tabs` stand before its fields."""
    hidden = [render_hidden(name, value) for name, value in view.hidden.items()]
    return element("form", tabs, *hidden, *fields, element("button", _("Show")), class_="filter")


def render_hidden(name: str, value: str) -> Html:
    """Write a field that is not shown."""
    return element("input", type="hidden", name=name, value=value)


def render_search(label: str, name: str, value: str) -> Html:
    """Write a field for a part of a name."""
    return element("label", label, element("input", type="search", name=name, value=value or None))


def render_choice(label: str, name: str, options: Iterable[tuple[str, str]], chosen: str) -> Html:
    """Write a choice of values with their texts."""
    items = (element("option", text, value=value, selected=value == chosen) for value, text in options)
    return element("label", label, element("select", *items, name=name))


def render_warnings(warnings: Iterable[str]) -> Html:
    """Write a paragraph for each."""
    return join(element("p", warning, class_="warning") for warning in warnings)


def render_titles(titles: Iterable[str]) -> Html:
    """Write the row of a table's head."""
    return element("tr", *(element("th", title, scope="col") for title in titles))


def render_cells(titles: Sequence[str], cells: Sequence[str], short: Container[int] = ()) -> list[Html]:
    """Write the cells behind a row's name; on a phone each has its title before it. `short`: those of one line."""
    return [
        element("td", cell, data_label=title, class_="short" if number in short else None)
        for number, (title, cell) in enumerate(zip(titles, cells, strict=True))
    ]


def render_scrolled(content: Html, label: str, kind: str = "scroll") -> Html:
    """Write what may be wider than the screen, so that the keyboard can scroll it."""
    return element("div", content, class_=kind, tabindex="0", role="region", aria_label=label)
