"""What a body may make the parser do: values are counted before they are made, files aside."""

from __future__ import annotations

import json
from zoneinfo import ZoneInfo

import pytest

from b24tools.core import errors
from b24tools.onec import decoding
from b24tools.onec.order import MAX_ITEMS, read_orders

MOSCOW = ZoneInfo("Europe/Moscow")
ENDLESS = {
    "lists": b"[" + b"[]," * 200_000 + b"[]]",
    "numbers": b"[" + b"0," * 400_000 + b"0]",
    "keys": b"{" + b'"":0,' * 400_000 + b'"":0}',
    "depth": b"[" * 400_000,
    "escapes": b'["' + b"\\n" * 5_000_000 + b'"]',
    "utf-16": ("[" + "[]," * 200_000 + "[]]").encode("utf-16"),
    "a form": b"x=%5B" + b"%5B%5D%2C" * 200_000 + b"%5D",
    "an encoded form": b"x=%5B" + b"%20" * 5_000_000,
}


@pytest.mark.parametrize("body", ENDLESS.values(), ids=ENDLESS)
def test_more_values_than_an_order_can_have_are_refused(body: bytes) -> None:
    """Before they are made; over HTTP with 413."""
    with pytest.raises(errors.OrderError, match=r"^the JSON holds more than 300000 values, files aside$") as caught:
        read_orders(body, MOSCOW)

    assert errors.ErrorCode.TOO_LARGE == caught.value.code
    assert "Send the orders in several parts." == caught.value.hint


@pytest.mark.long
def test_the_longest_order_is_read() -> None:
    """With as many lines as it may have, and a file that is broken into lines, whose slashes are escaped."""
    lines = [
        {"Должность": "Сварщик", "ДолжностьИдентификатор": f"{number}", "Время": 60, "Сумма": 1, "Код": [1, 2]}
        for number in range(MAX_ITEMS)
    ]
    content = "\\r\\n".join(["/" * 76] * 20_000).replace("/", "\\/")
    text = json.dumps({"ИдентификаторЗаказа": "1", "НомерЗаказа": "1", "Калькуляция": lines}, indent=8)
    text = text[:-1] + f', "ПрисоединенныеФайлы": [{{"Имя": "a", "ДвоичныеДанные": "{content}"}}]}}'

    [order] = read_orders(text.encode(), MOSCOW)

    assert MAX_ITEMS == len(order.lines)
    assert 20_000 * 57 == len(order.files[0].content)


@pytest.mark.parametrize("body", [b" " * 3 * 2**20, b"\n" * 3 * 2**20 + b"{}"])
def test_blanks_without_end_are_nothing(body: bytes) -> None:
    """As no body at all is."""
    with pytest.raises(errors.OrderError, match=r"^the order is empty$"):
        read_orders(body, MOSCOW)


def test_blanks_at_the_end_are_forgiven() -> None:
    """However many: 1C's buffers are not cut to size."""
    assert [1] == decoding.parse("[1]" + " \n" * 2**20)
