"""What pages are made of beside their content: templates, styles, scripts, and what the scripts are given."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from b24tools.core.i18n import _, ngettext

FOLDER = Path(__file__).with_name("templates")
PLURALS = {"one": 1, "few": 2, "many": 5, "other": 5}  # CLDR's names, each with a number that is said so


def list_age_words() -> dict[str, Any]:
    """List what the script says of ages, in the language in use."""
    return {
        "age": _("Data as of {moment}, {ago}"),
        "ago": _("{age} ago"),
        "now": _("just now"),
        "minutes": _("{n} min"),
        "hours": _("{n} h"),
        "days": count_forms(lambda n: ngettext("{n} day", "{n} days", n)),
        "away": _("The server is away since {moment}"),
        "refused": _("The server answers with error {status}"),
    }


def count_forms(form: Callable[[int], str]) -> dict[str, str]:
    """Return the forms of a message by CLDR's names of plurals; `form`: that for a number."""
    return {name: form(n) for name, n in PLURALS.items()}


def dump_setup(setup: dict[str, Any]) -> str:
    """Write what the script is given, so that nothing in it ends its element."""
    return json.dumps(setup, ensure_ascii=False).replace("<", "\\u003c")


@cache
def read_asset(name: str) -> str:
    """Read a file of a page."""
    return FOLDER.joinpath(name).read_text(encoding="utf-8")


def read_assets(*names: str) -> str:
    """Read several files as one."""
    return "".join(map(read_asset, names))
