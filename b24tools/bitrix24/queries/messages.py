"""Messages in chats, and notifications."""

from __future__ import annotations

from typing import Any

from b24tools.bitrix24.batch import Query
from b24tools.bitrix24.parsing import id_of, int_or_zero, mapping_of, php_values

CLIENT = "b24tools"  # a webhook is no application: a tag counts, if at all, only with this beside it


def post_message(dialog: str, text: str) -> Query[int]:
    """Write in a chat (`chat42`, `sg7`) as the webhook's owner, who must be in it; the message's id."""
    return Query("im.message.add", {"DIALOG_ID": dialog, "MESSAGE": text, "URL_PREVIEW": "N"}, int_or_zero)


def notify_person(user_id: int, text: str, plain: str, tag: str) -> Query[int]:
    """Notify a person on behalf of the system; the notification's id, 0 where the portal has sent none.

    `plain`: for mail and push. By the documentation an older notification with the tag is replaced; by the source of
    the module im (26.250, CIMRestService::notifyAdd) a webhook's tag is dropped.
    """
    params = {"USER_ID": user_id, "MESSAGE": text, "MESSAGE_OUT": plain, "TAG": tag, "CLIENT_ID": CLIENT}
    return Query("im.notify.system.add", params, int_or_zero)


def tags_of_notifications() -> Query[dict[int, str]]:
    """The tags of the owner's own last notifications, by their ids; "" for one without."""

    def read(result: Any) -> dict[int, str]:
        rows = [row for row in php_values(mapping_of(result).get("notifications")) if isinstance(row, dict)]
        return {id_of(row, "id"): str(row.get("notify_tag") or "") for row in rows}

    return Query("im.notify.get", {"LIMIT": 50}, read)


def delete_notification(notification_id: int) -> Query[bool]:
    """Delete a notification of the owner's own."""
    return Query("im.notify.delete", {"ID": notification_id}, bool)
