"""The orders of 1C: every form that is accepted, every refusal in its words."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import tracemalloc
import urllib.parse
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, Field

from b24tools.core import errors
from b24tools.onec import order as onec_order
from b24tools.onec import task_fields, values

ORDERS = Path(__file__).parent.parent / "data" / "orders"
SAMPLE = (ORDERS / "sample.json").read_bytes()
MOSCOW = ZoneInfo("Europe/Moscow")
ZERO_GUID = "00000000-0000-0000-0000-000000000000"
BYTES = bytes(range(256))
BASE64 = base64.b64encode(BYTES).decode()

patient = settings(deadline=None, max_examples=400, suppress_health_check=[HealthCheck.too_slow])


def raw_order(**changes: Any) -> dict[str, Any]:
    """The smallest order, as 1C's keys have it, with `changes`."""
    line = {"Должность": "Сварщик", "ДолжностьИдентификатор": "878944cb", "Время": 60}
    return {"ИдентификаторЗаказа": "b7c57163", "НомерЗаказа": "1Ц-69", "Калькуляция": [line], **changes}


def raw_line(**changes: Any) -> dict[str, Any]:
    """The smallest order with `changes` in its only line."""
    return raw_order(Калькуляция=[{"Должность": "Сварщик", "Время": 60, **changes}])


def raw_file(**changes: Any) -> dict[str, Any]:
    """The smallest order with one file."""
    return raw_order(ПрисоединенныеФайлы=[{"Имя": "a.txt", "ДвоичныеДанные": BASE64, **changes}])


def read(raw: Any) -> onec_order.Order:
    """The only order of a value written as JSON."""
    [order] = onec_order.read_orders(json.dumps(raw, ensure_ascii=False).encode("utf-8", "surrogatepass"), MOSCOW)
    return order


class WiderOrder(onec_order.Order):
    """An order with a text field that the program has not yet."""

    remark: str | None = Field(None, validation_alias="Примечание")


def secret_texts(model: type[BaseModel]) -> dict[str, str]:
    """A secret for each key of a model that takes text."""
    fields = model.model_fields.values()
    return {str(one.validation_alias): "secret" for one in fields if one.annotation in (str, str | None)}


def test_secrets_are_taken_out_of_every_text_of_an_order(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whichever the model has: also of one that comes later."""
    monkeypatch.setattr(onec_order, "Order", WiderOrder)
    line = secret_texts(onec_order.Line) | {"Время": 60}
    file = secret_texts(onec_order.Attachment) | {"ДвоичныеДанные": BASE64}
    raw = secret_texts(WiderOrder) | raw_order(НомерЗаказа="secret", Калькуляция=[line], ПрисоединенныеФайлы=[file])
    data = json.dumps(raw, ensure_ascii=False).encode()

    (order,) = onec_order.read_orders(data, MOSCOW, hide=lambda text: text.replace("secret", "***"))

    hidden = dict.fromkeys(("number", "department", "customer", "manager", "remark"), "***")
    assert {"id": "b7c57163", **hidden} == {name: getattr(order, name) for name in ("id", *hidden)}
    assert [("***", "***")] == [(line.position, line.position_id) for line in order.lines]
    assert [("***", BYTES)] == [(file.name, file.content) for file in order.files]
    assert ["order *** holds a token or the webhook of the settings"] == [
        text.partition(":")[0] for text in order.warnings
    ]


def refusal(source: Any) -> str:
    """The message with which bytes, or a value written as JSON, are refused."""
    data = source if isinstance(source, bytes) else json.dumps(source, ensure_ascii=False).encode()
    with pytest.raises(errors.OrderError) as caught:
        onec_order.read_orders(data, MOSCOW)
    return caught.value.message


def make_order(*positions: str, **fields: Any) -> onec_order.Order:
    """An order built in code."""
    lines = tuple(onec_order.Line(position=position, minutes=5) for position in positions)
    return onec_order.Order(**{"id": "ID", "number": "1Ц-69", "lines": lines, **fields})


# The real ones, whole


def test_the_sample_is_read_whole() -> None:
    """A real order of 1C, field by field."""
    expected = onec_order.Order(
        id="b7c57163-8c5d-11ef-905d-a41731192b22",
        number="1Ц-00000069",
        date=datetime(2024, 10, 17, 13, 56, 45, tzinfo=MOSCOW),
        department="Производство",
        done=False,
        wanted=datetime(2024, 11, 4, tzinfo=MOSCOW),
        accepted=datetime(2024, 10, 18, tzinfo=MOSCOW),
        lines=tuple(
            onec_order.Line(position=position, position_id=position_id, minutes=minutes, amount=Decimal(amount))
            for position, position_id, minutes, amount in (
                ("Макетчик", "878944cb-75a2-47d4-8b62-1f2fd573aabd", 1310.48, "5320.55"),
                ("Печатник/плотер", "f2244a48-e526-11e6-8b87-f07959705c55", 68.67, "240.35"),
                ("Фрезеровщик", "b1de1b37-e6c0-11e6-8d98-f07959705c55", 107.13, "374.97"),
                ("Сварщик", "7703741f-2084-46b1-9abd-c7df534dfeb8", 216.05, "1080.25"),
                ("Монтажник", "2ea74570-48a3-4ad8-a94d-3cb82e7725cc", 932.1, "4008.03"),
                ("Поклейщик", "b421c97f-9d9f-4285-b39c-1f99490b2461", 490.9, "2110.87"),
            )
        ),
        files=(onec_order.Attachment(name="test.json", content=b'{"test": "test"}'),),
    )
    assert [expected] == onec_order.read_orders(SAMPLE, MOSCOW)


def test_an_order_with_all_the_habits_of_1c_is_read_whole() -> None:
    """A mark, CRLF, tabs, text booleans, comma decimals, odd spaces, broken and percent-encoded base64."""
    expected = onec_order.Order(
        id="B7C57163-8C5D-11EF-905D-A41731192B22",
        number="1Ц-00000070",
        date=datetime(2024, 10, 17, 9, 56, 45, tzinfo=MOSCOW),
        department="Производство",
        wanted=datetime(2024, 11, 4, tzinfo=MOSCOW),
        customer="ООО «Ромашка [Юг]» #7",
        lines=(
            onec_order.Line(position="Сварщик", minutes=1310.48, amount=Decimal("5320.55")),
            onec_order.Line(position="Сварщик", minutes=68.67),
        ),
        files=(
            onec_order.Attachment(name="чертёж.pdf", content=BYTES),
            onec_order.Attachment(name="photo.JPG", content=BYTES),
        ),
        warnings=('ПрисоединенныеФайлы[2]: the file "пустой.txt" is empty and is left out',),
    )
    assert [expected] == onec_order.read_orders((ORDERS / "habits.json").read_bytes(), MOSCOW)


# Bytes


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "windows-1251"])
def test_the_encodings_of_1c_give_the_same_order(encoding: str) -> None:
    """UTF-8 with or without a mark, UTF-16 by its mark, windows-1251."""
    assert onec_order.read_orders(SAMPLE, MOSCOW) == onec_order.read_orders(SAMPLE.decode().encode(encoding), MOSCOW)


def test_utf16_of_both_byte_orders_is_told_by_its_mark() -> None:
    """Little-endian and big-endian."""
    text = "\ufeff" + SAMPLE.decode()
    for encoding in ("utf-16-le", "utf-16-be"):
        assert onec_order.read_orders(SAMPLE, MOSCOW) == onec_order.read_orders(text.encode(encoding), MOSCOW)


def test_line_ends_and_tabs_do_not_matter() -> None:
    """Pretty-printed with CRLF and tabs, or on one line."""
    raw = json.loads(SAMPLE)
    pretty = json.dumps(raw, ensure_ascii=False, indent="\t").replace("\n", "\r\n")
    assert read(raw) == onec_order.read_orders(pretty.encode(), MOSCOW)[0]


def test_line_breaks_inside_a_string_are_read() -> None:
    """JSON put together by hand does not escape them."""
    data = json.dumps(raw_order(Контрагент="А@Б")).replace("@", "\r\n").encode()
    assert onec_order.read_orders(data, MOSCOW)[0].customer == "А  Б"


def test_a_list_holds_several_orders() -> None:
    """In the order of the file."""
    orders = onec_order.read_orders(json.dumps([raw_order(), raw_order(НомерЗаказа="2")]).encode(), MOSCOW)
    assert [order.number for order in orders] == ["1Ц-69", "2"]


@pytest.mark.parametrize(
    "body",
    [
        urllib.parse.urlencode({"order": SAMPLE}).encode(),
        urllib.parse.urlencode({"order": SAMPLE}, quote_via=urllib.parse.quote).encode(),
        urllib.parse.urlencode({"order": SAMPLE.decode().encode("cp1251")}).encode(),
        urllib.parse.urlencode({"key": "5", "order": SAMPLE, "empty": ""}).encode(),
        b"order=" + SAMPLE,
        b"=\r\n" + SAMPLE,
    ],
)
def test_a_form_with_the_order_in_one_field_is_read(body: bytes) -> None:
    """Encoded either way, in either encoding, among other fields, or not encoded at all."""
    assert onec_order.read_orders(SAMPLE, MOSCOW) == onec_order.read_orders(body, MOSCOW)


def test_plus_signs_of_base64_survive_every_kind_of_form() -> None:
    """Encoded as %2B, as +, or left alone in a form that encodes nothing."""
    content = b"\xfb\xef\xbe" * 4
    raw = raw_file(ДвоичныеДанные=base64.b64encode(content).decode(), Имя="a & b = 100%.txt")
    text = json.dumps(raw)
    assert "+" in text
    for body in (urllib.parse.urlencode({"order": text}), f"order={text}"):
        [order] = onec_order.read_orders(body.encode(), MOSCOW)
        assert (onec_order.Attachment(name="a & b = 100%.txt", content=content),) == order.files


def test_a_form_that_lost_the_plus_signs_of_base64_is_refused() -> None:
    """A raw + of an encoded form is a space: dropping it would change the file."""
    body = "order=" + urllib.parse.quote(json.dumps(raw_file(ДвоичныеДанные="++++YWJj+w==")), safe="+")
    assert refusal(body.encode()) == (
        'ПрисоединенныеФайлы[0].ДвоичныеДанные: "    YWJj w==" has spaces where a form loses plus signs; send + as %2B'
    )


def test_a_form_with_two_orders_is_refused() -> None:
    """Which one is meant is not ours to guess."""
    body = urllib.parse.urlencode({"a": "{}", "b": "{}"}).encode()
    assert refusal(body) == 'this is not JSON: line 1, column 1, near "a=%7B%7D&b=%7B%7D"'


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "the order is empty"),
        (b" \r\n\t", "the order is empty"),
        (b"\xef\xbb\xbf", "the order is empty"),
        (b"\xff\xfe", "the order is empty"),
        (b"[]", "the list of orders is empty"),
        (b"5", "5 is not an order"),
        (b"null", "null is not an order"),
        (b'"\xd0\x96"', '"Ж" is not an order'),
        (b"[5]", "[0]: 5 is not an object"),
        (b"[[]]", "[0]: a list is not an object"),
        (b'{"a": 1,\r\n  "b": 2', "the JSON breaks off at line 2, column 9: the file is not complete"),
        (b'{"a": "b', "the JSON breaks off at line 1, column 7: the file is not complete"),
        (b'{"a":', "the JSON breaks off at line 1, column 6: the file is not complete"),
        ('{"Ж": 1,\n"ё" 2}'.encode(), 'this is not JSON: line 2, column 5, near "2}"'),
        (
            b"{} {}",
            'this is not JSON: line 1, column 4, near "{}"; several orders belong into one list: [{…}, {…}]',
        ),
        (
            b"<html>not found</html>, sorry",
            'this is not JSON: line 1, column 1, near "<html>not found</htm"; it is XML or HTML, '
            "send the order with ЗаписатьJSON",
        ),
        (b"PK\x03\x04\x00", "this is a file of the format ZIP: send the JSON itself"),
        (
            b"\x98\xff",
            "the text is not UTF-8, and no encoding known here gives the keys of an order: send it in UTF-8",
        ),
        (b"\xff\xfe{", "the text is not valid UTF-16: the file is damaged or cut off"),
        (
            '{"a":\n"Ж'.encode() + b"\xff" + b'"}',
            "the text is not valid UTF-8 at line 2, column 3: the file is damaged or cut off",
        ),
        (
            b'\xef\xbb\xbf{"\xff"}',
            "the text is not valid UTF-8 at line 1, column 3: the file is damaged or cut off",
        ),
        (b"[" * 100_000, "the JSON is nested too deeply"),
        (b'{"a":' * 100_000, "the JSON is nested too deeply"),
    ],
)
def test_bytes_that_hold_no_order_are_refused_in_one_line(data: bytes, message: str) -> None:
    """Each kind of damage has its own words."""
    assert message == refusal(data)


@pytest.mark.parametrize("length", range(1, len(SAMPLE) - 1, 7))
def test_a_file_cut_off_anywhere_is_refused(length: int) -> None:
    """At any byte: nothing of it is taken for an order."""
    message = refusal(SAMPLE[:length])
    assert "breaks off" in message or "cut off" in message or "not JSON" in message


def test_an_order_that_is_too_large_is_refused_by_its_size() -> None:
    """The size is checked before anything is read; the exception tells it apart."""
    with pytest.raises(onec_order.OrderTooLarge, match=r"^the order is larger than 64 MiB$") as caught:
        onec_order.read_orders(b"x" * (64 * 1024 * 1024 + 1), MOSCOW)
    assert (caught.value.exit_status, caught.value.code) == (2, "too_large")
    with pytest.raises(onec_order.OrderTooLarge, match=r"^the order is larger than 1 KiB$"):
        onec_order.read_orders(SAMPLE, MOSCOW, max_bytes=1024)
    assert onec_order.read_orders(SAMPLE, MOSCOW, max_bytes=len(SAMPLE))


class Drip(io.RawIOBase):
    """A pipe that gives a few bytes at a time."""

    def __init__(self) -> None:
        super().__init__()
        self.given = 0

    def read(self, size: int = -1) -> bytes:
        """As many as asked for, seven at most, for ever."""
        self.given += min(size, 7)
        return b"1234567"[:size]


def test_a_source_is_read_to_one_byte_past_the_limit() -> None:
    """An endless pipe ends there; a short file is read whole."""
    drip = Drip()
    assert 101 == len(onec_order.read_source(drip, 100)) == drip.given  # type: ignore[arg-type]
    assert onec_order.read_source(io.BytesIO(b"abc")) == b"abc"
    assert onec_order.read_source(io.BytesIO(b"")) == b""


@pytest.mark.parametrize("encode", [str, urllib.parse.quote, lambda text: "\r\n".join([text[:76], text[76:]])])
def test_a_large_order_takes_a_few_times_its_size(encode: Any) -> None:
    """Plain, percent-encoded and broken base64."""
    data = json.dumps(raw_file(ДвоичныеДанные=encode(BASE64[:-4] * 12_000)), ensure_ascii=False).encode()
    tracemalloc.start()
    onec_order.read_orders(data, MOSCOW)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 6 * len(data)


# Fields


def test_optional_fields_may_be_missing() -> None:
    """The id, the number and the lines with position and time are enough."""
    expected = onec_order.Order(
        id="b7c57163",
        number="1Ц-69",
        lines=(onec_order.Line(position="Сварщик", position_id="878944cb", minutes=60),),
    )
    assert expected == read(raw_order())
    assert not expected.done
    assert not expected.wanted_is_day


@pytest.mark.parametrize("blank", [None, "", "  "])
def test_optional_fields_may_be_blank(blank: str | None) -> None:
    """Null and empty text mean nothing."""
    optional = "ДатаЗаказа Исполнитель Выполнен РекоммендуемаяДатаСдачи ДатаПриема Контрагент Менеджер"
    raw = raw_line(ДолжностьИдентификатор=blank, Сумма=blank)
    raw |= dict.fromkeys([*optional.split(), "ПрисоединенныеФайлы"], blank)
    assert read(raw_line()) == read(raw)


def test_unknown_keys_and_our_own_field_names_are_ignored() -> None:
    """Whatever they hold, however deep."""
    deep: Any = float("nan")
    for _depth in range(300):
        deep = [deep]
    raw = raw_order(Состояние=deep, id="x", number=5, warnings=["x"], wanted_is_day=True, lines=[])
    assert read(raw_order()) == read(raw)


def test_keys_are_known_in_any_case_and_with_spaces() -> None:
    """The exact spelling wins where both are there."""
    assert read(raw_order(**{" контрагент ": "А"})).customer == "А"
    assert read(raw_order(**{"КОНТРАГЕНТ": "А", "Контрагент": "Б"})).customer == "Б"
    assert read(raw_line(ВРЕМЯ="abc")).lines[0].minutes == 60.0
    assert read(raw_order(ДатаПриема="2024-10-18")) == read(raw_order(ДатаПриёма="2024-10-18"))


@pytest.mark.parametrize(("value", "text"), [("69", "69"), (" 69\t", "69"), (69, "69"), (10**40, "1" + "0" * 40)])
def test_identifiers_and_numbers_are_trimmed_text(value: Any, text: str) -> None:
    """A whole number is taken as text."""
    order = read(raw_order(ИдентификаторЗаказа=value, НомерЗаказа=value))
    assert (text, text) == (order.id, order.number)


def test_text_is_one_line_without_control_characters() -> None:
    """Half of an emoji, which 1C leaves when it cuts a string, becomes a replacement character, with a warning."""
    line = {"Должность": "Свар\0щик", "Время": 5}
    data = json.dumps(raw_order(Контрагент=" А\n\0Б \ud83d", Калькуляция=[line]), ensure_ascii=True).encode()
    (order,) = onec_order.read_orders(data, MOSCOW)
    assert ("А  Б \ufffd", "Свар щик") == (order.customer, order.lines[0].position)
    reason = "has characters that are no text; others stand in their place"
    expected = [
        rf'Контрагент: " А\n\u0000Б \ud83d" {reason}',
        rf'Должность: "Свар\u0000щик" {reason}',
    ]
    assert expected == [warning for warning in order.warnings if reason in warning]


@pytest.mark.parametrize("sign", ["\0", "\ud83d"])
def test_an_identifier_with_broken_signs_is_refused(sign: str) -> None:
    """With another character in their place two orders may be one."""
    with pytest.raises(errors.OrderError, match=r"ИдентификаторЗаказа: .* has characters that are no text"):
        onec_order.read_orders(json.dumps(raw_order(ИдентификаторЗаказа=f"а{sign}")).encode(), MOSCOW)


@pytest.mark.parametrize("zero", [ZERO_GUID, "", None, "{" + ZERO_GUID + "}", f" {ZERO_GUID} "])
def test_an_empty_reference_is_no_position_id(zero: str | None) -> None:
    """1C's empty reference is all zeros."""
    assert read(raw_line(ДолжностьИдентификатор=zero)).lines[0].position_id is None


@pytest.mark.parametrize("value", [True, 1, 1.0, "true", "True", "Да", "ДА", " да ", "Истина", "1", "Y", "yes"])
def test_yes_has_many_spellings(value: Any) -> None:
    """In any letter case."""
    assert read(raw_order(Выполнен=value)).done is True


@pytest.mark.parametrize("value", [False, 0, 0.0, "false", "Нет", "ЛОЖЬ", "0", "n", "No", "", " ", None])
def test_no_has_many_spellings(value: Any) -> None:
    """And so has nothing at all."""
    assert read(raw_order(Выполнен=value)).done is False


@pytest.mark.parametrize(
    ("value", "minutes"),
    [
        (0, 0.0),
        (-0.0, 0.0),
        (60, 60.0),
        (1310.48, 1310.48),
        (1e3, 1000.0),
        ("1310.48", 1310.48),
        ("1310,48", 1310.48),
        (" 1 310,48 ", 1310.48),
        ("1\u00a0310,48", 1310.48),
        ("1\u202f310.48", 1310.48),
        ("1\u2009310,48", 1310.48),
        ("1,310.48", 1310.48),
        ("1.310,48", 1310.48),
        ("1,310", 1.31),
        ("+5", 5.0),
        (5_256_000, 5_256_000.0),
    ],
)
def test_time_is_a_number_in_any_of_the_spellings_of_1c(value: Any, minutes: float) -> None:
    """A comma or a dot, thousands apart or not."""
    assert minutes == read(raw_line(Время=value)).lines[0].minutes


@pytest.mark.parametrize(
    ("value", "amount"),
    [(5320.55, "5320.55"), ("5 320,55", "5320.55"), (-10, "-10"), ("−10", "-10"), (0.1, "0.1"), (None, None)],
)
def test_a_sum_is_kept_to_the_kopeck(value: Any, amount: str | None) -> None:
    """As a decimal; it may be negative, or missing."""
    assert (amount and Decimal(amount)) == read(raw_line(Сумма=value)).lines[0].amount


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2024-10-17T13:56:45", datetime(2024, 10, 17, 13, 56, 45, tzinfo=MOSCOW)),
        ("2024-10-17 13:56", datetime(2024, 10, 17, 13, 56, tzinfo=MOSCOW)),
        ("2024-10-17T13:56:45.1234567", datetime(2024, 10, 17, 13, 56, 45, 123456, tzinfo=MOSCOW)),
        ("2024-10-17T13:56:45Z", datetime(2024, 10, 17, 16, 56, 45, tzinfo=MOSCOW)),
        ("2024-10-17T13:56:45.5+05:00", datetime(2024, 10, 17, 11, 56, 45, 500000, tzinfo=MOSCOW)),
        ("2024-10-17T13:56:45 +0500", datetime(2024, 10, 17, 11, 56, 45, tzinfo=MOSCOW)),
        ("2024-10-17", datetime(2024, 10, 17, tzinfo=MOSCOW)),
        ("17.10.2024 13:56:45", datetime(2024, 10, 17, 13, 56, 45, tzinfo=MOSCOW)),
        ("17.10.2024 9:05", datetime(2024, 10, 17, 9, 5, tzinfo=MOSCOW)),
        (" 17.10.2024\u00a0 9:05:00 ", datetime(2024, 10, 17, 9, 5, tzinfo=MOSCOW)),
        ("17.10.2024", datetime(2024, 10, 17, tzinfo=MOSCOW)),
        ("20241017135645", datetime(2024, 10, 17, 13, 56, 45, tzinfo=MOSCOW)),
        ("20241017", datetime(2024, 10, 17, tzinfo=MOSCOW)),
    ],
)
def test_dates_are_read_in_the_notations_of_1c(text: str, moment: datetime) -> None:
    """Without a zone they are in the configured one, to which the others are moved."""
    order = read(raw_order(ДатаЗаказа=text, ДатаПриема=text))
    assert (moment, moment) == (order.date, order.accepted)
    assert MOSCOW is order.date.tzinfo


@pytest.mark.parametrize(
    "text",
    ["0001-01-01T00:00:00", "0001-01-01T00:00:00Z", "0100-01-01T00:00:00", "01.01.0001 0:00:00", "00010101000000"],
)
def test_the_empty_date_of_1c_is_no_date(text: str) -> None:
    """Also as COM gives it."""
    raw = raw_order(ДатаЗаказа=text, ДатаПриема=text, РекоммендуемаяДатаСдачи=text)
    assert read(raw_order()) == read(raw)


@pytest.mark.parametrize(
    ("text", "is_day", "wanted"),
    [
        ("2024-11-04", True, datetime(2024, 11, 4, tzinfo=MOSCOW)),
        ("04.11.2024", True, datetime(2024, 11, 4, tzinfo=MOSCOW)),
        ("2024-11-04T00:00:00", True, datetime(2024, 11, 4, tzinfo=MOSCOW)),
        ("04.11.2024 0:00:00", True, datetime(2024, 11, 4, tzinfo=MOSCOW)),
        ("2024-11-04T00:00:00Z", True, datetime(2024, 11, 4, tzinfo=MOSCOW)),
        ("2024-11-04T00:00:00-05:00", True, datetime(2024, 11, 4, tzinfo=MOSCOW)),
        ("2024-11-03T21:00:00Z", True, datetime(2024, 11, 4, tzinfo=MOSCOW)),
        ("2024-11-04T15:30:00", False, datetime(2024, 11, 4, 15, 30, tzinfo=MOSCOW)),
        ("2024-11-04T00:00:01", False, datetime(2024, 11, 4, 0, 0, 1, tzinfo=MOSCOW)),
    ],
)
def test_a_wanted_midnight_is_a_day(text: str, is_day: bool, wanted: datetime) -> None:
    """As written, or in the configured zone."""
    order = read(raw_order(РекоммендуемаяДатаСдачи=text))
    assert (is_day, wanted) == (order.wanted_is_day, order.wanted)


def test_the_wanted_date_has_two_spellings() -> None:
    """The one of 1C and the right one; of both the one that says something. Two values are refused."""
    second = datetime(2024, 11, 5, tzinfo=MOSCOW)
    assert second == read(raw_order(РекомендуемаяДатаСдачи="2024-11-05")).wanted
    both = {"РекоммендуемаяДатаСдачи": "", "РекомендуемаяДатаСдачи": "2024-11-05"}
    assert second == read(raw_order(**both)).wanted
    assert second == read(raw_order(**{**both, "РекоммендуемаяДатаСдачи": "05.11.2024 0:00:00"})).wanted
    with pytest.raises(errors.OrderError) as caught:
        read(raw_order(**{**both, "РекоммендуемаяДатаСдачи": "2024-11-04"}))
    assert caught.value.message == (
        '"РекоммендуемаяДатаСдачи", "РекомендуемаяДатаСдачи": one date in two spellings, with different values: '
        "leave only one"
    )


@pytest.mark.parametrize(
    "text",
    [
        BASE64,
        base64.encodebytes(BYTES).decode(),
        base64.encodebytes(BYTES).decode().replace("\n", "\r\n"),
        urllib.parse.quote(BASE64),
        urllib.parse.quote(base64.encodebytes(BYTES).decode().replace("\n", "\r\n"), safe=""),
        "".join(f"%{ord(char):02x}" for char in BASE64),
        f"\t{BASE64[:50]} {BASE64[50:]}",
        f"data:text/plain;charset=utf-8;base64,{BASE64}",
        base64.urlsafe_b64encode(BYTES).decode(),
    ],
)
def test_base64_is_read_however_it_was_carried(text: str) -> None:
    """Broken into lines, percent-encoded, in the alphabet of URLs, or as an address."""
    assert (onec_order.Attachment(name="a.txt", content=BYTES),) == read(raw_file(ДвоичныеДанные=text)).files


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a.txt", "a.txt"),
        (" a.txt ", "a.txt"),
        ("C:\\x\\a.txt", "a.txt"),
        ("../../a.txt", "a.txt"),
        ("a\r\nb\0.t", "ab.t"),
    ],
)
def test_file_names_lose_folders_and_control_characters(name: str, expected: str) -> None:
    """Slashes of both kinds."""
    assert expected == read(raw_file(Имя=name)).files[0].name


def test_the_same_file_twice_is_kept_once() -> None:
    """Same name and content; of one name but another content both stay."""
    files = [{"Имя": "a", "ДвоичныеДанные": data} for data in ("YQ==", "Yg==", "Y\nQ==")]
    assert [file.content for file in read(raw_order(ПрисоединенныеФайлы=files)).files] == [b"a", b"b"]


def test_an_empty_costing_is_accepted_with_a_warning() -> None:
    """There is nothing to do, and that is said."""
    order = read(raw_order(Калькуляция=[]))
    assert order.lines == ()
    assert order.warnings == ("Калькуляция: the list is empty, there is nothing to make tasks of",)


# Refusals

NOT_A_NUMBER = "is not a number of minutes"


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("abc", f'"abc" {NOT_A_NUMBER}'),
        ("", f'"" {NOT_A_NUMBER}'),
        (None, f"null {NOT_A_NUMBER}"),
        (True, f"true {NOT_A_NUMBER}"),
        ([5], f"a list {NOT_A_NUMBER}"),
        ({}, f"an object {NOT_A_NUMBER}"),
        ("1 31", f'"1 31" {NOT_A_NUMBER}'),
        ("1'310", f'"1\'310" {NOT_A_NUMBER}'),
        ("1.310.480", f'"1.310.480" {NOT_A_NUMBER}'),
        ("1,31.4", f'"1,31.4" {NOT_A_NUMBER}'),
        ("1,310,48", f'"1,310,48" {NOT_A_NUMBER}'),
        ("90 мин", f'"90 мин" {NOT_A_NUMBER}'),
        ("1:30", f'"1:30" {NOT_A_NUMBER}'),
        ("nan", f'"nan" {NOT_A_NUMBER}'),
        ("inf", f'"inf" {NOT_A_NUMBER}'),
        ("٣", f'"٣" {NOT_A_NUMBER}'),
        (float("nan"), f"NaN {NOT_A_NUMBER}"),
        (float("inf"), f"Infinity {NOT_A_NUMBER}"),
        ("9" * 70, f'"{"9" * 59}…" {NOT_A_NUMBER}'),
        (-5, "-5 is a negative number of minutes"),
        ("-0,5", '"-0,5" is a negative number of minutes'),
        (5_256_001, "5256001 is more than ten years of minutes"),
        (1e300, "1e+300 is more than ten years of minutes"),
    ],
)
def test_a_time_that_is_no_number_of_minutes_is_refused(value: Any, reason: str) -> None:
    """With the path, the value and the reason."""
    assert f"Калькуляция[0].Время: {reason}" == refusal(raw_line(Время=value))


@pytest.mark.parametrize("number", ["1e400", "-1e400", "9" * 400, "9" * 5000, "9" * 5000 + ".5"])
def test_a_number_beyond_all_measure_is_refused_as_written(number: str) -> None:
    """More than a float or Python's integers from text can hold."""
    data = json.dumps(raw_line(Время="@")).replace('"@"', number).encode()
    shown = number if len(number) < 60 else number[:59] + "…"
    assert f'Калькуляция[0].Время: "{shown}" {NOT_A_NUMBER}' == refusal(data)


NOT_A_DATE = "is not a date"


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("завтра", f'"завтра" {NOT_A_DATE}'),
        ("2024-13-01", f'"2024-13-01" {NOT_A_DATE}'),
        ("2024-02-30T00:00:00", f'"2024-02-30T00:00:00" {NOT_A_DATE}'),
        ("2024-10-17T13:56:45+25:00", f'"2024-10-17T13:56:45+25:00" {NOT_A_DATE}'),
        ("2024-W42-4", f'"2024-W42-4" {NOT_A_DATE}'),
        ("17.10.24", f'"17.10.24" {NOT_A_DATE}'),
        ("17/10/2024", f'"17/10/2024" {NOT_A_DATE}'),
        ("٢٠٢٤-10-17", f'"٢٠٢٤-10-17" {NOT_A_DATE}'),
        ("0000-00-00", f'"0000-00-00" {NOT_A_DATE}'),
        (20241017, f"20241017 {NOT_A_DATE}"),
        (True, f"true {NOT_A_DATE}"),
        ([], f"a list {NOT_A_DATE}"),
        ("9999-12-31T23:59:59Z", '"9999-12-31T23:59:59Z" is not in the years 1980-2199'),
        ("0204-10-17", '"0204-10-17" is not in the years 1980-2199'),
    ],
)
@pytest.mark.parametrize("key", ["ДатаЗаказа", "ДатаПриема", "РекоммендуемаяДатаСдачи", "РекомендуемаяДатаСдачи"])
def test_a_date_that_cannot_be_is_refused(key: str, value: Any, reason: str) -> None:
    """Under the key as it was written."""
    assert f"{key}: {reason}" == refusal(raw_order(**{key: value}))


@pytest.mark.parametrize(
    "text",
    ["YQ=", "YWI==", "YWJj=", "Y!", "====", "YQ==YQ==", "ab+_", "привет", "a b!c", "%zz%", "YQ==\u00a0", "%FF%FF"],
)
def test_damaged_base64_is_refused(text: str) -> None:
    """Nothing of the content is guessed."""
    shown = text.replace("\u00a0", "\\u00a0")
    assert f'ПрисоединенныеФайлы[0].ДвоичныеДанные: "{shown}" is not base64' == refusal(raw_file(ДвоичныеДанные=text))


EMPTY_ID = "is an empty identifier: has the document been saved in 1C?"


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (raw_order(ИдентификаторЗаказа=""), 'ИдентификаторЗаказа: "" is empty'),
        (raw_order(ИдентификаторЗаказа=None), "ИдентификаторЗаказа: null is empty"),
        (raw_order(ИдентификаторЗаказа=True), "ИдентификаторЗаказа: true is not a text"),
        (raw_order(ИдентификаторЗаказа=1.5), "ИдентификаторЗаказа: 1.5 is not a text"),
        (raw_order(ИдентификаторЗаказа={}), "ИдентификаторЗаказа: an object is not a text"),
        (raw_order(ИдентификаторЗаказа=ZERO_GUID), f'ИдентификаторЗаказа: "{ZERO_GUID}" {EMPTY_ID}'),
        (raw_order(НомерЗаказа="  "), 'НомерЗаказа: "  " is empty'),
        (raw_order(НомерЗаказа=[]), "НомерЗаказа: a list is not a text"),
        (raw_order(Исполнитель=5), "Исполнитель: 5 is not a text"),
        (raw_order(Выполнен="может"), 'Выполнен: "может" is neither yes nor no'),
        (raw_order(Выполнен=2), "Выполнен: 2 is neither yes nor no"),
        (raw_order(Выполнен=[]), "Выполнен: a list is neither yes nor no"),
        (raw_order(Контрагент={"Код": 5}), "Контрагент: an object is not a text"),
        (raw_order(Менеджер=False), "Менеджер: false is not a text"),
        (raw_order(Калькуляция=None), "Калькуляция: null is not a list"),
        (raw_order(Калькуляция=""), 'Калькуляция: "" is not a list'),
        (raw_order(Калькуляция={}), "Калькуляция: an object is not a list"),
        (raw_order(Калькуляция=[5]), "Калькуляция[0]: 5 is not an object"),
        (raw_order(Калькуляция=[0] * 10_001), "Калькуляция: 10001 items are more than the 10000 an order may hold"),
        (raw_line(Должность=""), 'Калькуляция[0].Должность: "" is empty'),
        (raw_line(Должность=5), "Калькуляция[0].Должность: 5 is not a text"),
        (raw_line(ДолжностьИдентификатор=[]), "Калькуляция[0].ДолжностьИдентификатор: a list is not a text"),
        (raw_line(Сумма="abc"), 'Калькуляция[0].Сумма: "abc" is not a sum of money'),
        (raw_line(Сумма=1e15), "Калькуляция[0].Сумма: 1000000000000000.0 is not a sum of money"),
        (raw_order(Калькуляция=[{"Время": 5}]), "Калькуляция[0].Должность: missing"),
        (raw_order(Калькуляция=[{"Должность": "А"}]), "Калькуляция[0].Время: missing"),
        (raw_order(ПрисоединенныеФайлы={}), "ПрисоединенныеФайлы: an object is not a list"),
        (raw_order(ПрисоединенныеФайлы=["a"]), 'ПрисоединенныеФайлы[0]: "a" is not an object'),
        (raw_order(ПрисоединенныеФайлы=[{"Имя": "a"}]), "ПрисоединенныеФайлы[0].ДвоичныеДанные: missing"),
        (raw_file(ДвоичныеДанные=None), "ПрисоединенныеФайлы[0].ДвоичныеДанные: null is not base64"),
        (raw_file(Имя=""), 'ПрисоединенныеФайлы[0].Имя: "" is empty'),
        (raw_file(Имя="dir/"), 'ПрисоединенныеФайлы[0].Имя: "dir/" is not a file name'),
        (raw_file(Имя="a\\.."), 'ПрисоединенныеФайлы[0].Имя: "a\\\\.." is not a file name'),
        (raw_file(Имя=5), "ПрисоединенныеФайлы[0].Имя: 5 is not a text"),
        ({}, "ИдентификаторЗаказа: missing; НомерЗаказа: missing; Калькуляция: missing"),
        ([raw_order(), raw_line(Время="abc")], f'[1].Калькуляция[0].Время: "abc" {NOT_A_NUMBER}'),
        ([raw_order(), 5], "[1]: 5 is not an object"),
    ],
)
def test_a_wrong_value_is_refused_with_path_value_and_reason(raw: Any, message: str) -> None:
    """At every place of an order."""
    assert message == refusal(raw)


def test_the_path_spells_keys_as_the_sender_did() -> None:
    """So that they can be searched for; unless a line break is in the key."""
    assert refusal(raw_line(**{"Сум\nма": "abc"})) == 'Калькуляция[0].Сумма: "abc" is not a sum of money'
    raw = raw_order(**{"калькуляция ": [{"ДОЛЖНОСТЬ": "А", "время": "abc"}]})
    del raw["Калькуляция"]
    assert f'калькуляция [0].время: "abc" {NOT_A_NUMBER}' == refusal(raw)


def test_of_many_problems_the_first_three_are_told() -> None:
    """And the number of the others."""
    bad = {"Должность": "", "Время": -1}
    assert refusal(raw_order(НомерЗаказа="", Калькуляция=[bad, bad])) == (
        'НомерЗаказа: "" is empty; Калькуляция[0].Должность: "" is empty; '
        "Калькуляция[0].Время: -1 is a negative number of minutes; and 2 more"
    )


def test_a_refusal_is_one_line_that_can_be_shown() -> None:
    """Line breaks and other unprintable characters of the value are escaped, and it is cut."""
    message = refusal(raw_line(Время="\n\u2028\u202e" + "x" * 1000))
    assert f'Калькуляция[0].Время: "\\n\\u2028\\u202e{"x" * 56}…" {NOT_A_NUMBER}' == message


# Keys, texts, names


GUID = "b7c57163-8c5d-11ef-905d-a41731192b22"
SPELLINGS = (
    GUID,
    GUID.upper(),
    "{" + GUID + "}",
    GUID.replace("-", ""),
    f"urn:uuid:{GUID}",
    f" {GUID[:18]}\u00a0{GUID[18:]} ",
    f"\ufeff{GUID}\u200b",
    f"({GUID})",
    f"'{GUID}'",
    f"«{GUID}»",
    f"guid'{GUID}'",
    f'new УникальныйИдентификатор("{GUID}")',
    f'Новый УникальныйИдентификатор("{GUID}")',
    f"urn:uuid:{{{GUID}}}",
    GUID.replace("-", "_"),
    *(GUID.replace("-", dash) for dash in "\u2010\u2011\u2013\u2014\u2212\uff0d"),
    GUID.replace("c", "\u0441").replace("a", "\u0430"),
    GUID.upper().replace("B", "\u0412"),
    GUID.replace("b7", "\uff42\uff17"),
)


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_whatever_spells_a_guid_is_one_id(spelling: str) -> None:
    """Of an order and of a position alike."""
    raw = raw_line(ДолжностьИдентификатор=spelling)
    raw["ИдентификаторЗаказа"] = spelling
    order = read(raw)
    assert (order.id, order.lines[0].position_id) == (GUID, GUID)


@pytest.mark.parametrize(
    "text",
    [
        f"Заказ {GUID}",
        f"{GUID}-1",
        f"{GUID} {GUID}",
        f"x{GUID}",
        f"0x{GUID}".replace("-", ""),
        GUID[:-1],
        GUID.replace("0", "o"),
        GUID.replace("0", "о").replace("-", ""),
        "e1cib/data/Документ.Заказ?ref=905da41731192b2211ef8c5db7c57163",
    ],
)
def test_what_is_not_quite_a_guid_is_refused(text: str) -> None:
    """A second spelling would be a second order, with a second set of tasks."""
    message = "is not quite a GUID: send the 36 characters of the identifier and nothing else"
    for reader in (values.read_order_id, values.read_position_id):
        with pytest.raises(ValueError, match=message):
            reader(text)


@pytest.mark.parametrize("text", ["12345678-0001-0002-0003", "f" * 64, "рв-0001-0002-0003-000000000004", "a-b'c"])
def test_an_id_of_another_form_is_left(text: str) -> None:
    """However many digits and dashes it has."""
    assert text == values.read_order_id(text)


def test_an_id_that_is_no_guid_loses_its_case_and_its_spaces() -> None:
    """So 1C's codes are one order however they are typed."""
    assert "зк-001 а" == values.read_order_id("  ЗК-001\u00a0 А ")


def test_a_key_is_made_of_the_orders_guid_and_a_digest_of_the_line() -> None:
    """Fifty characters; the position's name stands in for a missing id; repeated positions are numbered."""
    lines = (
        onec_order.Line(position="Сварщик", position_id="878944cb", minutes=5),
        onec_order.Line(position="Сварщик", position_id="878944cb", minutes=5),
        onec_order.Line(position="Печатник  /\u00a0Плотёр", minutes=5),
        onec_order.Line(position="ПЕЧАТНИК / плоте\u200bр", minutes=5),
        onec_order.Line(position="печатник / плотер", minutes=5),
    )
    identities = ("878944cb", "878944cb:2", "печатник/плотер", "печатник/плотер:2", "печатник/плотер:3")
    digests = [hashlib.sha256(identity.encode()).hexdigest()[:10] for identity in identities]
    keys = task_fields.line_keys(make_order(id=GUID, lines=lines))
    assert tuple(f"1c:{GUID}:{digest}" for digest in digests) == keys
    assert {50} == {len(key) for key in keys}


def test_the_key_of_an_order_without_a_guid_is_a_digest_of_both() -> None:
    """So it fits whatever 1C calls the order."""
    digest = hashlib.sha256("зк-001\0a".encode()).hexdigest()[:40]
    assert ("1c:" + digest,) == task_fields.line_keys(make_order("a", id="зк-001"))


def test_an_order_whose_lines_come_to_one_key_is_refused() -> None:
    """Both would be one task; the message names the lines."""
    raw = raw_line(Должность="a")
    raw["Калькуляция"] += [dict(raw["Калькуляция"][0], Должность=name) for name in ("a:2", "a")]
    message = refusal(raw)
    assert message.startswith("Калькуляция[1] and Калькуляция[2]: these lines cannot be told apart")


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ("Заказ #5", "Заказ №5"),
        ("#5", "№5"),
        ("а\n#5\t#6\u00a0#7", "а\n№5\t№6\u00a0№7"),
        ("# #", "№ №"),
        ("##5", "№#5"),
        ("C#", "C#"),
        ("a#b [#c]", "a#b [#c]"),
    ],
)
def test_a_hash_that_begins_a_word_becomes_a_number_sign(text: str, safe: str) -> None:
    """The portal would make a tag of it."""
    assert safe == task_fields.safe_text(text)


def test_a_title_is_what_the_portal_keeps() -> None:
    """Position and number, without tags, no longer than 250 characters."""
    order = make_order("Сварщик #1", "я" * 300, "я" * 249, number="#69")
    titles = [task_fields.title(order, line) for line in order.lines]
    assert titles == ["Сварщик №1: №69", "я" * 250, "я" * 249 + ":"]


def test_a_description_tells_the_customer_the_sum_and_the_wanted_date() -> None:
    """In Russian; brackets cannot make markup, a # no tag."""
    line = onec_order.Line(position="Сварщик", minutes=5, amount=Decimal("1234567.891"))
    order = make_order(
        customer="[URL=http://x]Ромашка[/URL] #7", lines=(line,), wanted=datetime(2024, 11, 4, tzinfo=MOSCOW)
    )
    assert task_fields.description(order, line, show_sum=True) == (
        "Заказчик: (URL=http://x)Ромашка(/URL) №7\nСумма: 1\u00a0234\u00a0567,89\nДата сдачи: 04.11.2024"
    )
    assert "Сумма" not in task_fields.description(order, line, show_sum=False)


def test_a_description_leaves_blanks_out() -> None:
    """A time is told only where one was given."""
    order = make_order("Сварщик", wanted=datetime(2024, 11, 4, 15, 30, tzinfo=MOSCOW))
    assert task_fields.description(order, order.lines[0], show_sum=True) == "Дата сдачи: 04.11.2024 15:30"
    empty = make_order("Сварщик")
    assert task_fields.description(empty, empty.lines[0], show_sum=True) == ""


@pytest.mark.parametrize(
    ("name", "number", "stored"),
    [
        ("чертёж.pdf", "1Ц-69", "чертёж (1Ц-69, ca978112).pdf"),
        ("a.tar.gz", "1", "a.tar (1, ca978112).gz"),
        ("README", "1", "README (1, ca978112)"),
        (".profile", "1", "_profile (1, ca978112)"),
        ('a*?"<>|:b.txt', "1/2\\3", "a_______b (1_2_3, ca978112).txt"),
        ("..a .. .txt", "1", "__a____ (1, ca978112).txt"),
        ("я" * 300 + ".pdf", "1", "я" * 182 + " (1, ca978112).pdf"),
        ("a." + "x" * 300, "n" * 300, "a." + "x" * 125 + " (" + "n" * 60 + ", ca978112)"),
    ],
)
def test_a_stored_name_tells_order_and_content(name: str, number: str, stored: str) -> None:
    """Without forbidden characters, 200 characters at most, the extension kept."""
    assert stored == task_fields.stored_name(number, onec_order.Attachment(name=name, content=b"a"))
    assert len(stored) <= 200


def test_the_schema_has_the_keys_of_1c() -> None:
    """For the page that describes the HTTP endpoints."""
    schema = onec_order.Order.model_json_schema()
    sample = json.loads(SAMPLE)
    optional = {"Контрагент", "Менеджер", "Приоритет", "ПометкаУдаления", "Отменен"}
    assert {*sample, *optional} == set(schema["properties"])
    assert schema["required"] == ["ИдентификаторЗаказа", "НомерЗаказа", "Калькуляция"]


def test_contents_of_files_stay_out_of_reprs() -> None:
    """A log line must not grow by a file."""
    attachment = onec_order.Attachment(name="a.txt", content=b"abc")
    assert repr(attachment) == "Attachment(name='a.txt')"
    assert attachment.sha256[:8] == "ba7816bf"


# Whatever comes

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(
        ["Да", "1 310,48", "2024-10-17T13:56:45", ZERO_GUID, "YQ==", "0001-01-01", "", "-1", 10**400, 1e308]
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


def read_or_refuse(data: bytes) -> list[onec_order.Order]:
    """The orders, or none with a message of one line."""
    try:
        orders = onec_order.read_orders(data, MOSCOW)
    except errors.OrderError as error:
        assert error.message
        assert error.message.isprintable()
        return []
    for order in orders:
        keys = task_fields.line_keys(order)
        assert len(order.lines) == len(set(keys))
        assert all(key.startswith("1c:") and len(key) <= 50 for key in keys)
        for line in order.lines:
            task_fields.title(order, line).encode()
            task_fields.description(order, line, show_sum=True).encode()
        for file in order.files:
            assert len(task_fields.stored_name(order.number, file).encode()) > 0
    return orders


@patient
@given(
    st.binary()
    | st.builds(lambda head, tail: head + tail, st.sampled_from([b"{", b"[", b"a={", b"a=%7B"]), st.binary())
)
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    """Never another exception."""
    read_or_refuse(data)


@pytest.mark.long
@patient
@given(st.integers(0, len(SAMPLE) - 1), st.binary(max_size=3), st.integers(0, 3))
def test_a_damaged_sample_is_read_or_refused(place: int, patch: bytes, removed: int) -> None:
    """A few bytes changed, added or lost anywhere."""
    read_or_refuse(SAMPLE[:place] + patch + SAMPLE[place + removed :])


def paths(node: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Where the nodes of a JSON value are, itself included."""
    children = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    return [path, *(below for key, child in children for below in paths(child, (*path, key)))]


RAW = json.loads((ORDERS / "habits.json").read_bytes().decode("utf-8-sig"))
PATHS = paths(RAW)


@pytest.mark.long
@patient
@given(st.lists(st.tuples(st.sampled_from(PATHS), JSON), min_size=1, max_size=3))
def test_any_value_anywhere_is_read_or_refused(changes: list[tuple[tuple[Any, ...], Any]]) -> None:
    """Random nodes of an order replaced by random JSON."""
    holder = {"order": json.loads(json.dumps(RAW))}
    for path, value in changes:
        node: Any = holder
        *way, last = ("order", *path)
        try:
            for key in way:
                node = node[key]
            node[last] = value
        except (TypeError, KeyError, IndexError):
            continue
    read_or_refuse(json.dumps(holder["order"]).encode())


@patient
@given(st.binary(), st.integers(1, 80), st.booleans())
def test_base64_comes_back(content: bytes, width: int, quoted: bool) -> None:
    """However it is broken or quoted."""
    text = base64.b64encode(content).decode()
    text = "\r\n".join(text[start : start + width] for start in range(0, len(text), width))
    assert content == values.read_content(urllib.parse.quote(text, safe="") if quoted else text)


@patient
@given(
    st.decimals(0, 5_256_000, places=2),
    st.sampled_from(["", " ", "\u00a0", "\u202f", "\u2009"]),
    st.sampled_from([".", ","]),
)
def test_numbers_come_back(number: Decimal, space: str, point: str) -> None:
    """However they are written."""
    text = f"{number:,.2f}".replace(",", "@").replace(".", point).replace("@", space)
    assert float(number) == values.read_minutes(text)
    assert number == values.read_amount(text)


@patient
@given(st.datetimes(datetime(1980, 1, 2), datetime(2199, 12, 30)), st.integers(-14 * 60, 14 * 60))  # noqa: DTZ001
@example(datetime(1987, 9, 26, 22), 0)  # noqa: DTZ001
def test_dates_come_back(moment: datetime, offset: int) -> None:
    """With any offset."""
    there = moment.replace(tzinfo=UTC) - timedelta(minutes=offset)
    sign, minutes = "-+"[offset >= 0], abs(offset)
    text = f"{moment.isoformat()}{sign}{minutes // 60:02}:{minutes % 60:02}"
    back = values.read_moment(text, MOSCOW)
    assert there == (back and back.astimezone(UTC))  # in an hour that a clock shows twice, zones never compare equal


@pytest.mark.long
@patient
@given(st.binary(max_size=50), st.integers(1, 5))
def test_percent_decoding_by_blocks_is_that_of_the_library(data: bytes, scale: int) -> None:
    """Wherever a block ends."""
    text = (urllib.parse.quote_from_bytes(data).encode() + b"%4%%") * scale
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(values, "_BLOCK", 3)
        assert urllib.parse.unquote_to_bytes(text) == values.unquote(text)
