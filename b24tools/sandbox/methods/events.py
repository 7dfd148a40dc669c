"""The bodies of the portal's outgoing webhooks."""

from __future__ import annotations

from datetime import datetime
from typing import Final
from urllib.parse import urlencode

from b24tools.sandbox.records import Handler

UNDEFINED: Final = "undefined"
EVENTS: Final = ("ONTASKADD", "ONTASKUPDATE", "ONTASKDELETE")


def body(event: str, task_id: int, handler: Handler, now: datetime, domain: str, member_id: str) -> bytes:
    """Write a form body with its keys in the order of the wire. It has the task's id, never what changed.

    A missing half is the text "undefined", not an empty value; `ts` is when the portal queued it.
    """
    task = {"before": ("data[FIELDS_BEFORE][ID]", str(task_id)), "after": ("data[FIELDS_AFTER][ID]", str(task_id))}
    return urlencode(
        [
            ("event", event),
            ("event_handler_id", str(handler.id)),
            ("data[FIELDS_BEFORE]", UNDEFINED) if event == "ONTASKADD" else task["before"],
            ("data[FIELDS_AFTER]", UNDEFINED) if event == "ONTASKDELETE" else task["after"],
            ("data[IS_ACCESSIBLE_BEFORE]", "N" if event == "ONTASKADD" else UNDEFINED),
            ("data[IS_ACCESSIBLE_AFTER]", "N" if event == "ONTASKDELETE" else UNDEFINED),
            ("ts", str(int(now.timestamp()))),
            ("auth[domain]", domain),
            ("auth[client_endpoint]", f"https://{domain}/rest/"),
            ("auth[server_endpoint]", "https://oauth.bitrix24.tech/rest/"),
            ("auth[member_id]", member_id),
            ("auth[application_token]", handler.token),
        ]
    ).encode()
