"""HTML and SVG put together from elements: what is not markup already is escaped."""

from __future__ import annotations

import html
from collections.abc import Iterable

VOID = frozenset({"br", "input", "link", "meta"})


class Html(str):
    """Text that is markup already."""

    __slots__ = ()


def element(name: str, /, *children: str, **attributes: object) -> Html:
    """Write an element; a child that is no Html is text.

    `class_` is `class`, `stroke_width` is `stroke-width`; an attribute that is None or False is left out, True has no
    value.
    """
    head = name
    for key, value in attributes.items():
        if value is None or value is False:
            continue
        head += f" {key.rstrip('_').replace('_', '-')}"
        if value is not True:
            head += f'="{html.escape(str(value))}"'
    return Html(f"<{head}>") if name in VOID else Html(f"<{head}>{join(children)}</{name}>")


def join(parts: Iterable[str], between: str = "") -> Html:
    """Write markup and text one after the other."""
    return Html(between.join(part if type(part) is Html else html.escape(part, quote=False) for part in parts))
