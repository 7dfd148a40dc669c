"""The sandbox's messages and notifications: who may speak where."""

from __future__ import annotations

from typing import Any

import pytest

from tests.sandbox.client import Asker, Clock
from tests.sandbox.shop import add, as_user, shop


@pytest.fixture
def clock() -> Clock:
    """Noon in Moscow."""
    return Clock()


@pytest.fixture
def ask(clock: Clock) -> Asker:
    """The shop's portal with a chat of its owner and one of others."""
    ask = shop(clock)
    ask.portal.new_chat(1, 3)
    ask.portal.new_chat(4, 5)
    return ask


def said(ask: Asker) -> list[tuple[str, int, str]]:
    """Where, by whom and what."""
    return [(message.dialog, message.author, message.text) for message in ask.portal.messages]


def test_owner_speaks_in_chats_projects_and_to_people(ask: Asker) -> None:
    """Names of parameters in any case; the answer is a number."""
    ask.portal.add_group("Заказы", 1)
    numbers = [
        ask.result("im.message.add", DIALOG_ID="chat2001", MESSAGE=" Доброе утро "),
        ask.result("im.message.add", dialog_id="sg1", message="[b]Сводка[/b]"),
        ask.result("im.message.add", DIALOG_ID="3", MESSAGE="Привет"),
        ask.result("im.message.add", DIALOG_ID=3, ATTACH=[{"MESSAGE": "x"}]),
    ]
    assert numbers == [34001, 34002, 34003, 34004]
    assert said(ask) == [
        ("chat2001", 1, "Доброе утро"),
        ("chat2003", 1, "[b]Сводка[/b]"),
        ("3", 1, "Привет"),
        ("3", 1, ""),
    ]


@pytest.mark.parametrize(
    ("params", "status", "code"),
    [
        ({"DIALOG_ID": "chat2001"}, 400, "MESSAGE_EMPTY"),
        ({"DIALOG_ID": "chat2001", "MESSAGE": " "}, 400, "MESSAGE_EMPTY"),
        ({"MESSAGE": "x"}, 400, "PARAMS_ERROR"),
        ({"DIALOG_ID": "chat2002", "MESSAGE": "x"}, 403, "ACCESS_ERROR"),
        ({"DIALOG_ID": "chat9999", "MESSAGE": "x"}, 403, "ACCESS_ERROR"),
        ({"DIALOG_ID": "chat", "MESSAGE": "x"}, 400, "CHAT_ID_EMPTY"),
        ({"DIALOG_ID": "sg7", "MESSAGE": "x"}, 400, "CHAT_ID_EMPTY"),
        ({"DIALOG_ID": "общий", "MESSAGE": "x"}, 400, "USER_ID_EMPTY"),
        ({"DIALOG_ID": "99", "MESSAGE": "x"}, 400, "USER_NOT_FOUND"),
        ({"DIALOG_ID": "3", "MESSAGE": "x", "ATTACH": "x"}, 400, "ATTACH_ERROR"),
        ({"DIALOG_ID": "3", "ATTACH": [{"MESSAGE": "x" * 60_000}]}, 400, "ATTACH_OVERSIZE"),
    ],
)
def test_what_cannot_be_said_is_refused(ask: Asker, params: dict[str, Any], status: int, code: str) -> None:
    """An administrator has to be in the chat as well."""
    assert ask.error("im.message.add", **params)[:2] == (status, code)
    assert ask.portal.messages == []


def test_chat_of_a_task_is_open_to_its_people_and_moves_its_activity(ask: Asker, clock: Clock) -> None:
    """The creator is one of them; a boss is not."""
    chat = add(ask)["chatId"]
    clock.move(minutes=1)
    ask.result("im.message.add", DIALOG_ID=f"chat{chat}", MESSAGE="x")
    task = ask.portal.tasks[1]
    assert (said(ask), task.activity_at - task.changed_at) == ([(f"chat{chat}", 1, "x")], 60)
    refusal = as_user(ask, 2).error("im.message.add", DIALOG_ID=f"chat{chat}", MESSAGE="x")
    assert refusal[:2] == (403, "ACCESS_ERROR")


@pytest.mark.parametrize(("method", "author"), [("im.notify.system.add", 0), ("im.notify.personal.add", 1)])
def test_notifications_reach_whoever_is_there(ask: Asker, method: str, author: int) -> None:
    """From the system or from the owner; false for somebody dismissed."""
    ask.portal.users[4].active = False
    answers = [ask.result(method, USER_ID=user, MESSAGE="Новая задача") for user in (3, 4, 99)]
    assert (answers, ask.result(method, to=5, message="x")) == ([34001, False, False], 34002)
    assert said(ask) == [("notify3", author, "Новая задача"), ("notify5", author, "x")]
    refusals = [ask.error(method, **params)[:2] for params in ({"MESSAGE": "x"}, {"USER_ID": 3})]
    assert refusals == [(400, "USER_ID_EMPTY"), (400, "MESSAGE_EMPTY")]


@pytest.mark.parametrize(
    ("as_documented", "more", "left"),
    [(True, {}, 3), (True, {"CLIENT_ID": "b24tools"}, 2), (False, {"CLIENT_ID": "b24tools"}, 3)],
)
def test_tag_takes_the_place_of_an_older_notification(
    ask: Asker, as_documented: bool, more: dict[str, str], left: int
) -> None:
    """Of the same person, and only together with CLIENT_ID; by the source a webhook's notification has no tag."""
    ask.portal.tags_by_webhook = as_documented
    for user, text in ((3, "первая"), (5, "чужая"), (3, "вторая")):
        ask.result("im.notify.system.add", USER_ID=user, MESSAGE=text, TAG="order-1", **more)
    assert [text for _, _, text in said(ask)] == ["первая", "чужая", "вторая"][-left:]


@pytest.mark.parametrize(("as_documented", "tag"), [(True, "MP|b24tools|trial"), (False, None)])
def test_owner_sees_and_deletes_his_own_notifications(ask: Asker, as_documented: bool, tag: str | None) -> None:
    """The newest first, with their tags; those of others are not there for him."""
    ask.portal.tags_by_webhook = as_documented
    ask.result("im.notify.system.add", USER_ID=3, MESSAGE="чужая")
    for text in ("раз", "два"):
        ask.result("im.notify.system.add", USER_ID=1, MESSAGE=text, TAG=text, CLIENT_ID="b24tools")
    ask.result("im.notify.system.add", USER_ID=1, MESSAGE="три", TAG="trial", CLIENT_ID="b24tools")
    rows = ask.result("im.notify.get", LIMIT=2)["notifications"]
    assert [(row["id"], row["text"]) for row in rows] == [(34004, "три"), (34003, "два")]
    assert rows[0]["notify_tag"] == tag
    assert [ask.result("im.notify.delete", ID=number) for number in (34004, 34001, 34004)] == [True, False, False]
    assert [text for _, _, text in said(ask)] == ["чужая", "раз", "два"]


def test_messages_need_their_scope(ask: Asker) -> None:
    """`im`."""
    ask.portal.scopes.remove("im")
    assert ask.error("im.message.add", DIALOG_ID="3", MESSAGE="x")[1] == "insufficient_scope"
