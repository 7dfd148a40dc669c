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
    "utf-16": ("[" + "[]," * 200_000 + "[]]").encode("utf-16"),
    "a form": b"x=%5B" + b"%5B%5D%2C" * 200_000 + b"%5D",
}


@pytest.mark.parametrize("body", ENDLESS.values(), ids=ENDLESS)
def test_more_values_than_an_order_can_have_are_refused(body: bytes) -> None:
    """Before they are made; over HTTP with 413."""
    with pytest.raises(errors.OrderError, match=r"^the JSON holds more than 300000 values, files aside$") as caught:
        read_orders(body, MOSCOW)

    assert errors.ErrorCode.TOO_LARGE == caught.value.code
    assert "Send the orders in several parts." == caught.value.hint


ESCAPED = "more than 4000000 characters are written as "


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b'["' + b"\\n" * 5_000_000 + b'"]', ESCAPED + r"\uXXXX, \n or \/"),
        (b'["' + b"\\u0041" * 5_000_000 + b'"]', ESCAPED + r"\uXXXX, \n or \/"),
        (b"x=%5B" + b"%20" * 5_000_000, ESCAPED + "%XX"),
        (b'{\n"a": ' + b"1" * 30_000 + b"}", "a number of more than 10000 digits stands at line 2"),
        (b"[1." + b"1" * 30_000 + b"]", "a number of more than 10000 digits stands at line 1"),
        (b"-1e" + b"1" * 30_000, "a number of more than 10000 digits stands at line 1"),
        (("[" + "1" * 30_000 + "]").encode("utf-16"), "a number of more than 10000 digits stands at line 1"),
    ],
    ids=["breaks", "numbers of letters", "a form", "integer", "fraction", "power", "utf-16"],
)
def test_what_takes_long_to_read_is_refused_before_it_is_read(body: bytes, message: str) -> None:
    """And in its own words."""
    with pytest.raises(errors.OrderError) as caught:
        read_orders(body, MOSCOW)

    assert (message, errors.ErrorCode.TOO_LARGE) == (caught.value.message, caught.value.code)


def test_digits_of_a_file_or_of_a_text_are_no_number() -> None:
    """However many, and wherever they begin."""
    text = json.dumps({"ИдентификаторЗаказа": "1", "НомерЗаказа": "1", "Калькуляция": [], "Код": "a" + "1" * 50_000})
    text = text[:-1] + f', "ПрисоединенныеФайлы": [{{"Имя": "a", "ДвоичныеДанные": "eHl6{"1234" * 90_000}"}}]}}'

    [order] = read_orders(text.encode(), MOSCOW)

    assert 270_003 == len(order.files[0].content)


@pytest.mark.parametrize("length", [10_000, 10_001])
@pytest.mark.parametrize(
    "key", ["НомерЗаказа", "Контрагент", "Выполнен", "ДатаЗаказа", "ИдентификаторЗаказа", "Должность", "Имя"]
)
def test_a_text_of_a_bearable_length_is_read(key: str, length: int) -> None:
    """A longer one would have to be folded, normalised and compared, while no other thread runs."""
    value = "й" * length
    line, file = {"Должность": "Сварщик", "Время": 1}, {"Имя": "a", "ДвоичныеДанные": "eHl6"}
    raw = {"ИдентификаторЗаказа": "1", "НомерЗаказа": "1", "Калькуляция": [line], "ПрисоединенныеФайлы": [file]}
    (line if key in line else file if key in file else raw)[key] = value
    reason = "is longer than the 10000 characters that a value may have"

    try:
        read_orders(json.dumps(raw).encode(), MOSCOW)
    except errors.OrderError as error:
        assert (reason in error.message) is (length > 10_000)
    else:
        assert length == 10_000


def test_a_key_of_a_bearable_length_is_read() -> None:
    """Of any object, wherever it lies."""
    raw = {"ИдентификаторЗаказа": "1", "НомерЗаказа": "1", "Калькуляция": [], "Код": [{"к" * 100_001: 1}]}

    with pytest.raises(errors.OrderError, match=r"is longer than the 100000 characters that a key may have$"):
        read_orders(json.dumps(raw).encode(), MOSCOW)


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
