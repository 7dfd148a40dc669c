"""im.message.add, im.notify.system.add, im.notify.personal.add, im.notify.get and im.notify.delete.

Not emulated: keyboards, menus, replies, and what an ATTACH must look like beyond its size.
"""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from b24tools.sandbox import php
from b24tools.sandbox.methods import PAGE, Call, RestError, method
from b24tools.sandbox.records import Message

if TYPE_CHECKING:
    from b24tools.sandbox.state import Portal

ATTACH_SIZE: Final = 60_000


@method("im.message.add", "im", writes=True)
def add_message(call: Call) -> int:
    """Write in a chat as the webhook's owner, who must be in it: being an administrator is not enough."""
    portal, params = call.portal, php.upper_keys(call.params)
    dialog = None if params.get("DIALOG_ID") is None else php.to_text(params["DIALOG_ID"])
    text = _read_text(params, required=not params.get("ATTACH"))
    if dialog is not None and dialog.startswith(("chat", "sg")):
        chat = _find_chat(portal, dialog)
        if chat == 0:
            raise RestError("CHAT_ID_EMPTY", "Chat ID can't be empty")
        if call.user.id not in list_members(portal, chat):
            raise RestError("ACCESS_ERROR", "It is forbidden to send messages to this chat", 403)
        for task in _tasks_of(portal, chat):  # a message under a task moves ACTIVITY_DATE, and nothing else
            portal.tasks.change(task, activity_at=portal.stamp)
        return _post(portal, f"chat{chat}", call.user.id, text)
    if dialog is None and params.get("USER_ID") is None:
        raise RestError("PARAMS_ERROR", "Incorrect params")
    person = _read_person(params.get("USER_ID") if dialog is None else dialog)
    if person not in portal.users:
        raise RestError("USER_NOT_FOUND", "User not found")
    return _post(portal, str(person), call.user.id, text)


def notify(call: Call, *, by_system: bool) -> int | bool:
    """Notify a person; false where no one can read it.

    A TAG takes an older notification's place. A webhook has no application, and so no tag; by the documentation, not
    by the source, it has one together with CLIENT_ID.
    """
    params = php.upper_keys(call.params)
    person = _read_person(params.get("TO", params.get("USER_ID")))
    text = _read_text(params, required=True)
    user, messages = call.portal.users.get(person), call.portal.messages
    if user is None or not user.active:
        return False
    dialog, tag = f"notify{person}", ""
    if call.portal.tags_by_webhook and params.get("CLIENT_ID") and params.get("TAG"):
        tag = f"MP|{php.to_text(params['CLIENT_ID'])}|{php.to_text(params['TAG'])}"
        messages[:] = [message for message in messages if (message.dialog, message.tag) != (dialog, tag)]
    return _post(call.portal, dialog, 0 if by_system else call.user.id, text, tag)


method("im.notify.system.add", "im", writes=True)(partial(notify, by_system=True))
method("im.notify.personal.add", "im", writes=True)(partial(notify, by_system=False))


@method("im.notify.get", "im")
def list_notifications(call: Call) -> dict[str, Any]:
    """List the caller's own last notifications, the newest first."""
    limit = php.to_int(php.upper_keys(call.params).get("LIMIT")) or PAGE
    dialog = f"notify{call.user.id}"
    own = [message for message in call.portal.messages if message.dialog == dialog]
    rows = [
        {
            "id": message.id,
            "author_id": message.author,
            "date": call.write_date(message.at),
            "notify_module": "rest",
            "notify_event": "rest_notify",
            "notify_tag": message.tag or None,
            "text": message.text,
        }
        for message in own[: -min(limit, PAGE) - 1 : -1]
    ]
    return {"notifications": rows, "users": []} | ({"total_count": len(own)} if own else {})


@method("im.notify.delete", "im", writes=True)
def delete_notification(call: Call) -> bool:
    """Delete one of the caller's own notifications, by its ID."""
    number, messages = php.to_int(php.upper_keys(call.params).get("ID")), call.portal.messages
    left = [message for message in messages if (message.id, message.dialog) != (number, f"notify{call.user.id}")]
    is_found = len(left) < len(messages)
    messages[:] = left
    return is_found


def list_members(portal: Portal, chat: int) -> set[int]:
    """List who is in a chat: in that of a task its people, in that of a project its members."""
    members = set(portal.chats.get(chat, ()))
    for task in _tasks_of(portal, chat):
        members |= {task.creator, task.responsible, *task.accomplices, *task.auditors}
    return members.union(*(group.members for group in portal.groups.values() if group.chat == chat))


def _tasks_of(portal: Portal, chat: int) -> list[Any]:
    return [portal.tasks[id_] for id_, chat_id in portal.task_chats.items() if chat_id == chat and id_ in portal.tasks]


def _find_chat(portal: Portal, dialog: str) -> int:
    """Find the chat of `chat2001` or of the project `sg5`; 0 for what cannot be one."""
    number = php.to_int(dialog.removeprefix("chat").removeprefix("sg"))
    if dialog.startswith("chat"):
        return max(0, number)
    group = portal.groups.get(number)
    if group is not None and not group.chat:
        group.chat = portal.new_chat()
    return group.chat if group else 0


def _post(portal: Portal, dialog: str, author: int, text: str, tag: str = "") -> int:
    portal.messages.append(Message(portal.next_message(), dialog, author, text, portal.stamp, tag))
    return portal.messages[-1].id


def _read_person(value: Any) -> int:
    if php.to_int(value) <= 0:
        raise RestError("USER_ID_EMPTY", "User ID can't be empty")
    return php.to_int(value)


def _read_text(params: dict[str, Any], *, required: bool) -> str:
    message, attach = params.get("MESSAGE"), params.get("ATTACH")
    text = message.strip() if isinstance(message, str) else ""
    if required and not text:
        raise RestError("MESSAGE_EMPTY", "Message can't be empty")
    if attach and isinstance(attach, str):
        try:
            attach = json.loads(attach)
        except ValueError:
            attach = "unreadable"
    if attach and not php.is_array(attach):
        raise RestError("ATTACH_ERROR", "Incorrect attach params")
    if attach and len(json.dumps(attach, ensure_ascii=False).encode()) > ATTACH_SIZE:
        raise RestError("ATTACH_OVERSIZE", "You have exceeded the maximum allowable size of attach")
    return text
