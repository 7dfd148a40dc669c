"""HTML and SVG put together from elements: what is not markup already is escaped."""

from __future__ import annotations

import html
from collections.abc import Iterable
from functools import cache, lru_cache

from b24tools.core.names import drop_invisible

VOID = frozenset({"br", "input", "link", "meta"})


class Html(str):
    """Text that is markup already."""

    __slots__ = ()


def element(name: str, /, *children: str, **attributes: object) -> Html:
    """Write an element; a child that is no Html is text.

    `class_` is `class`, `stroke_width` is `stroke-width`; an attribute that is None or False is left out, True has no
    value.
    """
    head = f"<{name}"
    for key, value in attributes.items():
        if value is None or value is False:
            continue
        head += _name_attribute(key)
        if value is not True:
            head += f'="{escape(value if isinstance(value, str) else str(value))}"'
    if name in VOID:
        return Html(f"{head}>")
    return Html(f"{head}>{''.join(map(escape, children))}</{name}>")


def join(parts: Iterable[str], between: str = "") -> Html:
    """Write markup and text one after the other."""
    return Html(between.join(map(escape, parts)))


def escape(text: str) -> str:
    """Return text as markup; what is markup stays."""
    return text if type(text) is Html else _escape(text)


@lru_cache(4096)  # names, words and sizes come again and again
def _escape(text: str) -> str:
    return html.escape(drop_invisible(text))  # what turns the direction of writing would garble what stands around it


@cache
def _name_attribute(key: str) -> str:
    return f" {key.rstrip('_').replace('_', '-')}"
