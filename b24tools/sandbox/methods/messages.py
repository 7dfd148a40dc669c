"""im.message.add, im.notify.system.add and im.notify.personal.add.

Not emulated: keyboards, menus, replies, and what an ATTACH must look like beyond its size.
"""

from __future__ import annotations

import json
from typing import Any, Final

from b24tools.sandbox import php
from b24tools.sandbox.rest import Call, Method, RestError

ATTACH_SIZE: Final = 60_000


def add_message(call: Call) -> int:
    """Say something in a chat as the webhook's owner, who must be in it: being an administrator is not enough."""
    params = php.upper_keys(call.params)
    text = _text(params)
    if not text and not params.get("ATTACH"):
        raise RestError("MESSAGE_EMPTY", "Message can't be empty")
    _check_attach(params)
    dialog = php.to_text(params["DIALOG_ID"]) if params.get("DIALOG_ID") is not None else None
    if dialog is not None and dialog.startswith(("chat", "sg")):
        chat = call.portal.chat_by_dialog(dialog)
        if chat == 0:
            raise RestError("CHAT_ID_EMPTY", "Chat ID can't be empty")
        if call.user.id not in call.portal.chat_members(chat):
            raise RestError("ACCESS_ERROR", "It is forbidden to send messages to this chat", 403)
        return call.portal.say(chat, call.user.id, text).id
    if dialog is None and params.get("USER_ID") is None:
        raise RestError("PARAMS_ERROR", "Incorrect params")
    person = _person(php.to_int(params.get("USER_ID") if dialog is None else dialog))
    if person not in call.portal.users:
        raise RestError("USER_NOT_FOUND", "User not found")
    return call.portal.post(str(person), call.user.id, text).id


def _text(params: dict[str, Any]) -> str:
    text = params.get("MESSAGE")
    return text.strip() if isinstance(text, str) else ""


def _person(user_id: int) -> int:
    if user_id <= 0:
        raise RestError("USER_ID_EMPTY", "User ID can't be empty")
    return user_id


def _check_attach(params: dict[str, Any]) -> None:
    attach = params.get("ATTACH")
    if attach and isinstance(attach, str):
        try:
            attach = json.loads(attach)
        except ValueError:
            attach = None
    if params.get("ATTACH") and not php.is_array(attach):
        raise RestError("ATTACH_ERROR", "Incorrect attach params")
    if attach and len(json.dumps(attach, ensure_ascii=False).encode()) > ATTACH_SIZE:
        raise RestError("ATTACH_OVERSIZE", "You have exceeded the maximum allowable size of attach")


def _notify(call: Call, author: int) -> int | bool:
    """A TAG takes an older notification's place, but only together with CLIENT_ID: a webhook has no application."""
    params = php.upper_keys(call.params)
    person, text = _person(php.to_int(params.get("TO", params.get("USER_ID")))), _text(params)
    if not text:
        raise RestError("MESSAGE_EMPTY", "Message can't be empty")
    _check_attach(params)
    user = call.portal.users.get(person)
    if user is None or not user.active:
        return False
    tag = ""
    if params.get("CLIENT_ID") and params.get("TAG"):
        tag = f"{php.to_text(params['CLIENT_ID'])}|{php.to_text(params['TAG'])}"
        older = [one for one in call.portal.messages if one.dialog == f"notify{person}" and one.tag == tag]
        for message in older:
            call.portal.messages.remove(message)
    return call.portal.post(f"notify{person}", author, text, tag=tag).id


def notify_by_system(call: Call) -> int | bool:
    """A notification from the system."""
    return _notify(call, 0)


def notify_by_owner(call: Call) -> int | bool:
    """A notification from the webhook's owner."""
    return _notify(call, call.user.id)


METHODS: Final = (
    Method("im.message.add", "im", add_message, writes=True),
    Method("im.notify.system.add", "im", notify_by_system, writes=True),
    Method("im.notify.personal.add", "im", notify_by_owner, writes=True),
)
