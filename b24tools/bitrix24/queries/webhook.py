"""The webhook itself: whose it is, what it may do, what time it is there."""

from __future__ import annotations

from typing import Any

from b24tools.bitrix24.batch import Query
from b24tools.bitrix24.parsing import id_of, mapping_of, php_values
from b24tools.core.models import Owner


def profile() -> Query[Owner]:
    """Whose webhook it is, and whether with an administrator's rights. Needs no scope."""

    def read(result: Any) -> Owner:
        row = mapping_of(result)
        name = f"{row.get('NAME') or ''} {row.get('LAST_NAME') or ''}".strip()
        return Owner(id_of(row, "ID"), name, row.get("ADMIN") is True, str(row.get("TIME_ZONE") or ""))

    return Query("profile", {}, read)


def server_time() -> Query[str]:
    """The server's clock with its zone's offset, ISO 8601."""
    return Query("server.time", {}, str)


def scopes() -> Query[list[str]]:
    """The scopes of the webhook. Needs none itself."""
    return Query("scope", {}, lambda result: [str(scope) for scope in php_values(result)])
