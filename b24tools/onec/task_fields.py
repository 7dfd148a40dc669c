"""What an order gives its tasks: the key by which each is found again, its title, its description, its files' names."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import datetime, time
from decimal import Decimal
from typing import TYPE_CHECKING

from b24tools.core.line_keys import KEY_PREFIX, KEY_WIDTH
from b24tools.core.names import key_name
from b24tools.onec import values

if TYPE_CHECKING:  # the model refuses orders whose lines would have one key
    from b24tools.onec.order import Attachment, Line, Order

MAX_KEY_0_1 = 200
MAX_TITLE = 250
MAX_FILE_NAME = 200
_MAX_DETAIL = 1000
_MAX_NUMBER = 60
_MAX_EXTENSION = 20
_FORBIDDEN = re.compile(r'[\\/:*?"<>|\x00-\x1f\x7f-\x9f]')
_LABELS = {"customer": "Заказчик:", "amount": "Сумма:", "wanted": "Дата сдачи:"}


def line_keys(order: Order) -> tuple[str, ...]:
    """The XML_ID of each line's task, by which it is found again; unique within an order that was read."""
    return tuple(make_key(order.id, identity) for identity in _number(identify(line) for line in order.lines))


def keys_by_name(order: Order) -> tuple[str, ...]:
    """The keys that the lines would have without their positions' ids: an id may come, go, or be another one."""
    return tuple(make_key(order.id, name) for name in _number(key_name(line.position) for line in order.lines))


def keys_of_0_1(order: Order) -> tuple[tuple[str, ...], ...]:
    """For each line the keys that version 0.1 gave it: as a column of 200 characters holds them, and one of 50."""
    seen: Counter[str] = Counter()
    keys = []
    for line in order.lines:
        base = f"{KEY_PREFIX}{order.id}:{_normalize(line.position_id or line.position)}"
        seen[base] += 1
        key = base if seen[base] == 1 else f"{base}:{seen[base]}"
        if len(key) > MAX_KEY_0_1:
            key = f"{KEY_PREFIX}sha256:{hashlib.sha256(key.encode()).hexdigest()}"
        keys.append(tuple(dict.fromkeys((key, key[:KEY_WIDTH]))))
    return tuple(keys)


def all_keys(order: Order) -> tuple[tuple[str, ...], ...]:
    """For each line all keys under which its task may be found."""
    lines = zip(line_keys(order), keys_by_name(order), keys_of_0_1(order), strict=True)
    return tuple(tuple(dict.fromkeys((key, by_name, *old))) for key, by_name, old in lines)


def make_key(order_id: str, identity: str) -> str:
    """The external key of a line: `1c:` with the order's GUID and a digest of the line, else a digest of both.

    At most 50 characters: MySQL cuts what is longer without a word, PostgreSQL makes no task of it.
    """
    if values.is_guid(order_id):
        return f"{KEY_PREFIX}{order_id}:{hashlib.sha256(identity.encode()).hexdigest()[:10]}"
    return KEY_PREFIX + hashlib.sha256(f"{order_id}\0{identity}".encode()).hexdigest()[:40]


def identify(line: Line) -> str:
    """What distinguishes a line from the others of its order: the position's id, or its name where it has none."""
    return line.position_id or key_name(line.position)


def _number(identities: Iterable[str]) -> Iterator[str]:
    """The same with `:2` for the second line of a position, and so on."""
    seen: Counter[str] = Counter()
    for identity in identities:
        seen[identity] += 1
        yield identity if seen[identity] == 1 else f"{identity}:{seen[identity]}"


def _normalize(text: str) -> str:
    return " ".join(text.lower().split())


def safe_text(text: str) -> str:
    """The text with № for each # that begins a word: the portal would make a tag of that word."""
    return re.sub(r"(^|\s)#", r"\1№", text)


def title(order: Order, line: Line) -> str:
    """The task's title, as the portal will keep it."""
    return safe_text(f"{line.position}: {order.number}").strip()[:MAX_TITLE].rstrip()


def description(order: Order, line: Line, show_sum: bool) -> str:
    """What the worker reads in the task; always in Russian, as the order is."""
    return describe(order.customer, line.amount if show_sum else None, order.wanted)


def describe(customer: str | None, amount: Decimal | None, wanted: datetime | None) -> str:
    """The same, of its values."""
    parts = []
    if customer:
        parts.append(f"{_LABELS['customer']} {_without_markup(customer)}")
    if amount is not None:
        shown = f"{amount:,.2f}".replace(",", "\u00a0").replace(".", ",")
        parts.append(f"{_LABELS['amount']} {shown}")
    if wanted:
        day = f"{wanted:%d.%m.%Y}" if wanted.time() == time.min else f"{wanted:%d.%m.%Y %H:%M}"
        parts.append(f"{_LABELS['wanted']} {day}")
    return safe_text("\n".join(parts))


def read_description(text: str) -> dict[str, str] | None:
    """What a description of ours says, by the name of the value; None where it has lines that are not ours."""
    by_name = {}
    for line in text.splitlines():
        name = next((name for name, label in _LABELS.items() if line.startswith(label)), None)
        if name is None and line.strip():
            return None
        if name is not None:
            by_name[name] = " ".join(line.split())
    return by_name


def is_within(description: str, text: str) -> bool:
    """Whether a text has all lines of a description of ours."""
    lines = {" ".join(line.split()) for line in text.splitlines()}
    return all(" ".join(line.split()) in lines for line in description.splitlines())


def _without_markup(text: str) -> str:
    """Round brackets for square ones: BBCode knows no way to write a bracket that is only a bracket."""
    return text[:_MAX_DETAIL].replace("[", "(").replace("]", ")")


def stored_name(order_number: str, attachment: Attachment) -> str:
    """The name under which the file lies on the portal: the same order and content, the same name."""
    stem, _dot, extension = attachment.name.rpartition(".")
    if not stem.strip(". ") or not 0 < len(extension) <= _MAX_EXTENSION:
        stem, suffix = attachment.name, ""
    else:
        suffix = f".{extension}"
    tail = f" ({order_number[:_MAX_NUMBER]}, {attachment.sha256[:8]}){suffix}"
    stem = stem[: MAX_FILE_NAME - len(tail)]
    inner = stem.strip(". ")
    start = len(stem) - len(stem.lstrip(". "))
    stem = "_" * start + inner + "_" * (len(stem) - start - len(inner))
    return _FORBIDDEN.sub("_", stem + tail)
