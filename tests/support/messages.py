"""Messages of a plant: what one run plans and sends, and what people and chats then have."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from b24tools.jobs import messages
from b24tools.jobs.messages import Sending
from b24tools.render.messages import make_writer, to_plain
from tests.support.orders import MOSCOW, Works, rules

ALL = ("people", "managers")


def follow(works: Works, audiences: Collection[str] = ALL) -> None:
    """What every command does before its work."""
    with works.tools() as tools:
        tools.store.messages.follow(audiences, works.clock())


def send(works: Works, audiences: Collection[str] = ALL, **changes: Any) -> Sending:
    """What every command does after its work."""
    with works.tools() as tools:
        messages.plan_news(tools.store, audiences, works.clock())
        return messages.send_due(tools, rules(**changes), make_writer(MOSCOW, works.clock()))


def received(works: Works) -> list[tuple[str, str]]:
    """Where and what, without markup, in the sequence of sending."""
    return [(message.dialog, to_plain(message.text)) for message in works.portal.messages]


def states(works: Works) -> list[tuple[str, str]]:
    """To whom, and the state, of each message in the queue."""
    with works.tools() as tools:
        sql = "SELECT coalesce(chat, '#' || person_id), state FROM messages ORDER BY id"
        return [tuple(row) for row in tools.store.database.query(sql)]
