"""The forms in which orders come that are not plain JSON in UTF-8: read where that is certain, else named."""

from __future__ import annotations

import base64
import bz2
import codecs
import gzip
import json
import lzma
import zlib
from collections.abc import Callable
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from b24tools.core import errors
from b24tools.onec import order as onec_order
from b24tools.onec import values

pack = partial(gzip.compress, mtime=0)  # the same bytes in every process

MOSCOW = ZoneInfo("Europe/Moscow")
LINE = {"Должность": "Сварщик", "ДолжностьИдентификатор": "s", "Время": 60, "Сумма": 100}
ORDER: dict[str, Any] = {
    "ИдентификаторЗаказа": "11111111-2222-3333-4444-555555555501",
    "НомерЗаказа": "РВ-0001",
    "ДатаЗаказа": "2026-11-20T10:15:00",
    "Исполнитель": "Производство",
    "Выполнен": False,
    "Контрагент": "Счётчик",
    "Калькуляция": [LINE],
}
TEXT = json.dumps(ORDER, ensure_ascii=False)
PLAIN = TEXT.encode()


def read(data: bytes | str, content_type: str = "", content_encoding: str = "", **more: Any) -> list[onec_order.Order]:
    """The orders of a body."""
    data = data.encode() if isinstance(data, str) else data
    return onec_order.read_orders(data, MOSCOW, content_type=content_type, content_encoding=content_encoding, **more)


def refusal(data: bytes | str, content_type: str = "", content_encoding: str = "", **more: Any) -> str:
    """Why a body is refused."""
    with pytest.raises(errors.OrderError) as caught:
        read(data, content_type, content_encoding, **more)
    return caught.value.message


EXPECTED = read(PLAIN)

# Encodings


@pytest.mark.parametrize(
    "data",
    [
        *(TEXT.encode(name) for name in ("cp1251", "cp866", "koi8-r", "iso8859-5")),
        TEXT.replace("Калькуляция", "КАЛЬКУЛЯЦИЯ").replace("Должность", "ДОЛЖНОСТЬ").encode("cp866"),
        b"order=" + TEXT.encode("cp866"),
        *(TEXT.encode(name) for name in ("utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be")),
        *(f" \r\n{TEXT}".encode(name) for name in ("utf-16-le", "utf-16-be")),
        codecs.BOM_UTF8 * 2 + PLAIN,
        codecs.BOM_UTF8 * 3 + b"\r\n" + PLAIN,
        ("\ufeff" * 2 + TEXT).encode("utf-16-le"),
        ("\ufeff" * 2 + TEXT).encode("utf-16-be"),
        codecs.BOM_UTF8 + ("\ufeff" + TEXT).encode("utf-16-le"),
    ],
)
def test_an_encoding_is_known_by_its_mark_or_by_the_keys(data: bytes) -> None:
    """Old consoles and old exchanges of 1C; the mark left out, or written by two programs."""
    assert EXPECTED == read(data)


ESCAPED = json.dumps(ORDER | {"Контрагент": "@"}).replace("@", "Клён")  # its keys are ASCII


@pytest.mark.parametrize(
    ("encoding", "content_type"),
    [
        ("cp866", "application/json; charset=cp866"),
        ("cp866", "application/json;charset=IBM866"),
        ("koi8-r", 'text/plain; charset="koi8-r"'),
        ("cp1251", "application/json; Charset = windows-1251; x=y"),
        ("utf-8", "application/json; charset=windows-1251"),
        ("utf-16-le", "application/json; charset=utf-8"),
    ],
)
def test_the_charset_decides_where_the_keys_do_not(encoding: str, content_type: str) -> None:
    """What is certain without it stays so."""
    assert ["Клён"] == [order.customer for order in read(ESCAPED.encode(encoding), content_type)]


@pytest.mark.parametrize("content_type", ["", "application/json", "a/b; charset=klingon", "a/b; charset=latin-1"])
@pytest.mark.parametrize("encoding", ["cp866", "koi8-r", "cp1251"])
def test_an_encoding_that_cannot_be_told_is_refused(encoding: str, content_type: str) -> None:
    """Three alphabets would each give other letters."""
    message = "the text is not UTF-8, and no encoding known here gives the keys of an order: send it in UTF-8"
    assert message == refusal(ESCAPED.encode(encoding), content_type)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (TEXT.encode("utf-16-le")[:-1], "the text is not valid UTF-16: the file is damaged or cut off"),
        (TEXT.encode("utf-32-be")[:-1], "the text is not valid UTF-32: the file is damaged or cut off"),
        (b"%PDF-1.7 \xff", "this is a file of the format PDF: send the JSON itself"),
        (lzma.compress(PLAIN), "this is a file of the format xz: send the JSON itself"),
        (bz2.compress(PLAIN), "this is a file of the format bzip2: send the JSON itself"),
        (zlib.compress(PLAIN), "this is a file of the format zlib: send the JSON itself"),
        (
            zlib.compress(PLAIN, wbits=-15),
            "this is compressed (deflate) without a word of it: send Content-Encoding: deflate, or the JSON",
        ),
        (b"Rar!\x1a\x07", "this is a file of the format RAR: send the JSON itself"),
        (TEXT.encode("ascii", "replace"), "letters were lost, the keys are question marks: send the order in UTF-8"),
    ],
)
def test_a_damaged_text_is_named(data: bytes, message: str) -> None:
    """As what it is."""
    assert message == refusal(data)


@pytest.mark.parametrize("encoding", ["cp1251", "latin-1", "cp866"])
def test_a_text_that_was_encoded_twice_is_named(encoding: str) -> None:
    """A program in between took UTF-8 for its own alphabet."""
    raw = {key: value for key, value in ORDER.items() if key in ("НомерЗаказа", "Калькуляция")}
    text = json.dumps(raw | {"Калькуляция": []}, ensure_ascii=False).encode().decode(encoding)
    message = f"the text was encoded twice: its UTF-8 was taken for {encoding}; send it in UTF-8 once"
    assert message == refusal(text.encode())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"#",df2f4c5e-1b2a-4f5e-9f5a-1c2d3e4f5a6b,{"S","x"}}', "it is 1C's internal form (ЗначениеВСтрокуВнутр)"),
        ('{"S","РВ-0001"}', "it is 1C's internal form (ЗначениеВСтрокуВнутр)"),
        ('<?xml version="1.0"?><Order/>', "it is XML or HTML, send the order with ЗаписатьJSON"),
        ("--x\r\nContent-Disposition: form-data\r\n", "it is a form of several parts (multipart/form-data)"),
        (f"{TEXT}\n{TEXT}", "several orders belong into one list: [{…}, {…}]"),
        (base64.b64encode(PLAIN).decode(), "it is base64, send the JSON itself as the body"),
        (base64.encodebytes(b"[\r\n" + PLAIN + b"]").decode(), "it is base64, send the JSON itself as the body"),
        ('{"ДатаЗаказа": new Date(1765411200000)}', "write dates as ISO (ФорматДатыJSON.ISO)"),
    ],
)
def test_what_is_no_json_is_named(text: str, message: str) -> None:
    """Beside the place where it stops to be JSON."""
    assert message in refusal(text)


@pytest.mark.parametrize("key", ["Bремя", "Bpeмя", "врeмя"])
def test_a_key_with_a_letter_of_another_alphabet_is_named(key: str) -> None:
    """It looks as if it were there."""
    line = {name: value for name, value in LINE.items() if name != "Время"} | {key: 60}
    message = refusal(json.dumps(ORDER | {"Калькуляция": [line]}))
    assert message.startswith('Калькуляция[0].Время: missing; "')
    assert "is Latin here and Cyrillic there" in message


def test_a_key_that_may_be_meant_for_a_missing_one_is_named() -> None:
    """Beside what is missing."""
    raw = {{"НомерЗаказа": "Номер_Заказа"}.get(key, key): value for key, value in ORDER.items()}
    assert 'НомерЗаказа: missing (is "Номер_Заказа" meant?)' == refusal(json.dumps(raw))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (TEXT[:-1] + ', "Выполнен": true}', 'the key "Выполнен" stands twice: leave only one'),
        (TEXT[:-1] + ', "отменен": false, "ОТМЕНЕН": true}', 'the key "ОТМЕНЕН" stands twice: leave only one'),
        (f"[{TEXT[:-1]}, {TEXT[1:]}]", '[0]: the key "ИдентификаторЗаказа" stands twice: leave only one'),
        (
            TEXT.replace('"Время": 60', '"Время": 60, "Время": 60'),
            'Калькуляция[0]: the key "Время" stands twice: leave only one',
        ),
        (
            TEXT[:-1] + ', "ПрисоединенныеФайлы": [{"Имя": "a", "Имя": "b", "ДвоичныеДанные": ""}]}',
            'ПрисоединенныеФайлы[0]: the key "Имя" stands twice: leave only one',
        ),
        (
            '{"#type": "jv8:Structure", "#value": ['
            + ", ".join(
                json.dumps({"name": key, "Value": value}) for key, value in [*ORDER.items(), ("Выполнен", True)]
            )
            + "]}",
            'the key "Выполнен" stands twice: leave only one',
        ),
        (f'{{"order": {TEXT}, "order": {TEXT}}}', "two orders stand under one key: send a list of orders"),
    ],
)
def test_a_key_that_stands_twice_is_refused(text: str, message: str) -> None:
    """The last one would win, which may be the one that completes the order."""
    assert message == refusal(text)


def test_what_means_nothing_may_stand_twice() -> None:
    """Keys that are no keys of an order."""
    assert EXPECTED == read(TEXT[:-1] + ', "x": 1, "x": 2}') == read(f'{{"x": 1, "x": 2, "order": {TEXT}}}')


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ("Bыполнен", '"Bыполнен" is not "Выполнен"; "B" is Latin here and Cyrillic there'),
        ("Отменeн", '"Отменeн" is not "Отменен"; "e" is Latin here and Cyrillic there'),
        (
            "РекомендуемаяДатaСдачи",
            '"РекомендуемаяДатaСдачи" is not "РекомендуемаяДатаСдачи"; "a" is Latin here and Cyrillic there',
        ),
    ],
)
def test_an_optional_key_with_a_letter_of_another_alphabet_is_refused(key: str, message: str) -> None:
    """Nobody can see that it is another key."""
    assert message == refusal(json.dumps(ORDER | {key: True}))


@pytest.mark.parametrize(
    ("key", "known"),
    [
        ("Отменено", "Отменен"),
        ("Отмена", "Отменен"),
        ("ПометкаНаУдаление", "ПометкаУдаления"),
        ("РекомендованнаяДатаСдачи", "РекоммендуемаяДатаСдачи"),
        ("ДатаПриёмки", "ДатаПриема"),
        ("Мэнеджер", "Менеджер"),
        ("Приоретет", "Приоритет"),
        ("ПрикрепленныеФайлы", "ПрисоединенныеФайлы"),
        ("МенеджерКод", None),
        ("ИННКонтрагента", None),
        ("Выполнено", "Выполнен"),
        ("Исполнители", None),
        ("Комментарий", None),
        ("Ы" * 100_000, None),
    ],
)
def test_what_is_nearly_an_optional_key_is_said(key: str, known: str | None) -> None:
    """Unless the key itself is there and says something, or a word was added to it."""
    expected = (f'"{key}" is not a key that b24tools knows; did you mean "{known}"?',) if known else ()
    assert [expected] == [order.warnings for order in read(json.dumps(ORDER | {key: True}))]


@pytest.mark.parametrize("said", [False, "", "нет", None])
def test_of_two_that_say_no_nothing_is_said(said: Any) -> None:
    """Neither the key nor what is nearly that would change anything."""
    assert [()] == [order.warnings for order in read(json.dumps(ORDER | {"Выполнено": said}))]


@pytest.mark.parametrize(
    ("more", "word"),
    [
        ({"Действие": "Удалить"}, "Удалить"),
        ({"Статус": "Отменён"}, "Отменён"),
        ({"isDeleted": True}, "isDeleted"),
        ({"isDeleted": False, "Действие": "Записать"}, None),
        ({"Действие": "Удалить", "Отменен": True}, None),
        ({"Действие": "Удалить", "Отменен": False}, "Удалить"),
        ({"Действие": "Удалить", "ПометкаУдаления": True}, None),
    ],
)
def test_a_word_in_the_order_that_cancels_nothing_is_said(more: dict[str, Any], word: str | None) -> None:
    """Beside the order it is refused; in it, it is one of many unknown keys."""
    text = f'"{word}" in the order means nothing: to cancel an order, send it with Отменен = true'
    assert [(text,) if word else ()] == [order.warnings for order in read(json.dumps(ORDER | more))]


def test_what_is_nearly_a_key_of_lines_is_said_once() -> None:
    """For the whole order."""
    lines = [LINE | {"ДолжностьИдентификатор": str(number), "Порядоk": "", "Порядк": 1} for number in range(3)]
    message = refusal(json.dumps(ORDER | {"Калькуляция": lines}))
    assert message.startswith('Калькуляция[0]: "Порядоk" is not "Порядок"; "k" is Latin here and Cyrillic there; ')
    for line in lines:
        del line["Порядоk"]
    [order] = read(json.dumps(ORDER | {"Калькуляция": lines}))
    assert ('"Порядк" is not a key that b24tools knows; did you mean "Порядок"?',) == order.warnings


# Compression


@pytest.mark.parametrize(
    ("data", "encoding"),
    [
        (pack(PLAIN), "gzip"),
        (pack(PLAIN), "x-gzip"),
        (pack(PLAIN), "GZIP, identity"),
        (pack(PLAIN), ""),
        (pack(PLAIN[:100]) + pack(PLAIN[100:]), "gzip"),
        (pack(TEXT.encode("cp1251")), "gzip"),
        (pack(TEXT.encode("utf-16")), "gzip"),
        (pack(b"order=" + PLAIN), ""),
        (zlib.compress(PLAIN), "deflate"),
        (zlib.compress(PLAIN, wbits=-15), "deflate"),
        (zlib.compress(PLAIN, level=0), "deflate"),
        (PLAIN, "gzip"),
        (PLAIN, "deflate"),
        (PLAIN, "identity"),
    ],
)
def test_a_compressed_order_is_read(data: bytes, encoding: str) -> None:
    """gzip of a file, too; deflate in both its meanings; what a proxy has unpacked already."""
    assert EXPECTED == read(data, content_encoding=encoding)


@pytest.mark.parametrize(
    ("data", "encoding", "message"),
    [
        (pack(PLAIN)[:-1], "gzip", "the compressed order is not complete: it was cut off"),
        (pack(PLAIN)[:-9], "", "the compressed order is not complete: it was cut off"),
        (pack(PLAIN)[:5], "", "the compressed order is not complete: it was cut off"),
        (zlib.compress(PLAIN)[:-3], "deflate", "the compressed order is not complete: it was cut off"),
        (zlib.compress(PLAIN, wbits=-15)[:-3], "deflate", "the compressed order is not complete: it was cut off"),
        (pack(PLAIN) + b"x", "gzip", "the compressed order is damaged: it cannot be unpacked"),
        (b"\x1f\x8b garbage", "gzip", "the compressed order is damaged: it cannot be unpacked"),
        (zlib.compress(PLAIN)[:9] + b"\xff" * 40, "deflate", "the compressed order is damaged: it cannot be unpacked"),
        (b"\xff" * 40, "deflate", "the compressed order is damaged: it cannot be unpacked"),
        *(
            (data, name, "the order is compressed twice: compress it once, or send the JSON as it is")
            for data, name in (
                (pack(pack(PLAIN)), "gzip"),
                (pack(pack(PLAIN)), ""),
                (zlib.compress(pack(PLAIN)), "deflate"),
                (pack(zlib.compress(PLAIN)), "gzip"),
            )
        ),
        (pack(b""), "gzip", "the order is empty"),
        (b"", "deflate", "the order is empty"),
        (pack(b"<a/>"), "gzip", 'this is not JSON: line 1, column 1, near "<a/>"'),
    ],
)
def test_a_compressed_order_that_cannot_be_unpacked_is_refused(data: bytes, encoding: str, message: str) -> None:
    """Nothing of it is taken for an order."""
    assert refusal(data, content_encoding=encoding).startswith(message)


@pytest.mark.parametrize("pack", [gzip.compress, zlib.compress])
def test_what_comes_out_is_limited(pack: Callable[[bytes], bytes]) -> None:
    """A bomb of a few kilobytes is refused before it has filled the memory; so are several small ones."""
    encoding = "gzip" if pack is gzip.compress else "deflate"
    with pytest.raises(onec_order.OrderTooLarge):
        read(pack(b"[" + b" " * 10_000_000), content_encoding=encoding, max_bytes=100_000)
    if pack is gzip.compress:
        with pytest.raises(onec_order.OrderTooLarge):
            read(pack(b" " * 60_000) * 2, max_bytes=100_000)
    assert EXPECTED == read(pack(PLAIN), content_encoding=encoding, max_bytes=len(PLAIN))


# Wrapped


def tagged(value: Any, *, name: str = "name") -> Any:
    """What СериализаторXDTO.ЗаписатьJSON writes of a Структура or a Соответствие."""
    if isinstance(value, dict):
        kind = "jv8:Structure" if name == "name" else "jv8:Map"
        pairs = [{name: tagged(key, name=name), "Value": tagged(item, name=name)} for key, item in value.items()]
        return {"#type": kind, "#value": pairs}
    if isinstance(value, list):
        return {"#type": "jv8:Array", "#value": [tagged(item, name=name) for item in value]}
    kinds = {str: "jxs:string", bool: "jxs:boolean", int: "jxs:decimal", float: "jxs:decimal"}
    return {"#type": kinds[type(value)], "#value": value} if value is not None else None


TABLE = {
    "#type": "jv8:ValueTable",
    "#value": {
        "column": [{"Name": tagged(key), "ValueType": {}} for key in LINE],
        "row": [{"Value": [tagged(value) for value in LINE.values()]}],
    },
}


@pytest.mark.parametrize(
    "value",
    [
        tagged(ORDER),
        tagged(ORDER, name="Key"),
        [tagged(ORDER)],
        tagged([ORDER]),
        {"#value": tagged(ORDER)["#value"]},
        {"#type": "jv8:Structure", "#value": [{"name": key, "Value": tagged(ORDER[key])} for key in ORDER]},
        {"#type": "jv8:Structure", "#value": [{"Name": key, "value": value} for key, value in ORDER.items()]},
        tagged({"Заказ": ORDER}),
        ORDER | {"Калькуляция": tagged([LINE])},
        ORDER | {"Калькуляция": TABLE},
        ORDER | {"Менеджер": {"#type": "jv8:Null"}, "Приоритет": {"#type": "jv8:Null", "#value": ""}},
        ORDER | {"Отменен": {"#type": "jv8:Null", "#value": {}}},
        {"#type": "jxs:string", "#value": TEXT},
        {"order": ORDER},
        {"Заказ": ORDER, "version": 1},
        {"data": {"order": ORDER}},
        {"orders": [ORDER]},
        {"value": [ORDER], "odata.metadata": "x"},
        {"jsonrpc": "2.0", "method": "assign", "params": [ORDER], "id": 1},
        [{"order": ORDER}],
        [[ORDER]],
        {"body": TEXT},
        {"headers": {"a": "b"}, "body": "\ufeff" + TEXT},
        TEXT,
        [TEXT],
        {"Источник": "Удаленный склад", "Тип": "Сторонний", "cancel": False, "Заказ": ORDER},
    ],
)
def test_a_wrapped_order_is_read(value: Any) -> None:
    """In the types of XDTO, in an envelope, as a text in JSON."""
    assert EXPECTED == read(json.dumps(value, ensure_ascii=False))


@pytest.mark.parametrize(
    ("value", "message"),
    [
        *(
            (
                outside | {"Заказ": ORDER},
                f'"{word}" stands beside the order: to cancel an order, send it with Отменен = true',
            )
            for outside, word in (
                ({"Действие": "Удалить"}, "Удалить"),
                ({"action": "DELETE"}, "DELETE"),
                ({"method": "cancelOrder"}, "cancelOrder"),
                ({"ВидСобытия": "отмена заказа"}, "отмена заказа"),
                ({"isDeleted": True}, "isDeleted"),
                ({"Удалён": True}, "Удалён"),
            )
        ),
        ({"a": ORDER, "b": ORDER}, "2 orders lie in different places of one object: send a list of orders"),
        (
            {"old": {"a": ORDER}, "new": [ORDER]},
            "2 orders lie in different places of one object: send a list of orders",
        ),
        ({"order": ORDER, "Выполнен": True}, "Выполнен stands outside of the order: put it into the order"),
        ({"order": ORDER, "Bыполнен": True}, "Bыполнен stands outside of the order: put it into the order"),
        ({"order": ORDER, "Приоритет": 1}, "Приоритет stands outside of the order: put it into the order"),
        ({"Менеджер": "Иванов", "orders": [ORDER]}, "Менеджер stands outside of the order: put it into the order"),
        ({"Отменён": 1, "x": {"order": ORDER}}, "Отменён stands outside of the order: put it into the order"),
        (
            {"odata.metadata": "x", "value": [{"Ref_Key": "1", "Number": "2"}]},
            "this is an answer of 1C's OData, with the keys of a document: send an object with the keys "
            "ИдентификаторЗаказа, НомерЗаказа, Калькуляция",
        ),
        (
            {"Ref_Key": "1", "Number": "2"},
            "this is an answer of 1C's OData, with the keys of a document: send an object with the keys "
            "ИдентификаторЗаказа, НомерЗаказа, Калькуляция",
        ),
        *(
            (
                document,
                "this is an answer of 1C's OData, with the keys of a document: send an object with the keys "
                "ИдентификаторЗаказа, НомерЗаказа, Калькуляция",
            )
            for document in (
                {"odata.metadata": "x", "value": [{"НомерЗаказа": "2"}]},
                {"odata.metadata": "x", "НомерЗаказа": "2", "Калькуляция": [{"LineNumber": 1}]},
                {"Ref_Key": "1", "НомерЗаказа": "2", "Калькуляция": []},
                ORDER | {"Ref_Key": "1", "Калькуляция": [{"LineNumber": 1, "Должность_Key": "2"}]},
                {"d": {"results": [{"Number": "2"}]}},
                {"d": {"results": [{"НомерЗаказа": "2"}, {"НомерЗаказа": "3"}]}},
                {"d": {"__metadata": {}, "Number": "2"}},
            )
        ),
        (
            {"#type": "jcfg:DocumentObject.Заказ", "#value": {"Ref": "1", "Number": "2"}},
            "this is jcfg:DocumentObject.Заказ in the form of XDTO, and no order: send an object with the keys "
            "ИдентификаторЗаказа, НомерЗаказа, Калькуляция",
        ),
        (
            tagged({"Number": "1"}),
            "ИдентификаторЗаказа: missing; НомерЗаказа: missing; Калькуляция: missing",
        ),
        (
            {"Заказ": ORDER | {"Калькуляция": {"#type": "jv8:ValueTable", "#value": {"column": [], "row": [[1]]}}}},
            "a ТаблицаЗначений cannot be read: send Калькуляция as an array of structures, with ЗаписатьJSON",
        ),
        ({"order": {}}, "ИдентификаторЗаказа: missing; НомерЗаказа: missing; Калькуляция: missing"),
        (
            {"a": {"b": {"c": {"d": {"e": ORDER}}}}},
            "ИдентификаторЗаказа: missing; НомерЗаказа: missing; Калькуляция: missing",
        ),
        ({"order": tagged(ORDER | {"НомерЗаказа": 5.5})}, "НомерЗаказа: 5.5 is not a text"),
    ],
)
def test_a_wrapping_that_is_not_certain_is_named(value: Any, message: str) -> None:
    """Which order is meant, or what, is not ours to guess."""
    assert message == refusal(json.dumps(value, ensure_ascii=False))


@pytest.mark.parametrize("opened", ['{"#value":', '{"#value":[', '[{"a":', '{"a":'])
@pytest.mark.parametrize("times", [3, 100, 300, 480, 900])
def test_types_nested_without_end_are_refused(opened: str, times: int) -> None:
    """In one line, as any other nesting."""
    end = "".join({"{": "}", "[": "]"}.get(char, "") for char in reversed(opened))
    message = refusal(opened * times + "1" + end * times)
    assert message in {
        "the JSON is nested too deeply",
        "ИдентификаторЗаказа: missing; НомерЗаказа: missing; Калькуляция: missing",
        "1 is not an order",
        "[0]: a list is not an object",
        "[0]: ИдентификаторЗаказа: missing; НомерЗаказа: missing; Калькуляция: missing",
        "[0].ИдентификаторЗаказа: missing; [0].НомерЗаказа: missing; [0].Калькуляция: missing",
    }


# Dates


@pytest.mark.parametrize(
    "text",
    [
        "1899-12-30T00:00:00",
        "30.12.1899 0:00:00",
        "1899-12-29T21:29:43Z",
        "3999-12-31",
        "3999-12-31T00:00:00",
        "3999-12-31T23:59:59",
        "3999-12-31T23:59:59Z",
        "3999-12-30T21:00:00Z",
        "3999-12-31T20:59:59.000Z",
        "3999-12-30T14:00:00+00:00",
        "4000-01-01T04:59:59Z",
        "0000-12-31T21:29:43Z",
        "0001-01-02T00:00:00+12:00",
        "31.12.3999",
        "31.12.3999 23:59:59",
        "39991231",
        "39991231235959",
        f"/Date({1000 * int(datetime(3999, 12, 31, tzinfo=MOSCOW).timestamp())})/",
        f"new Date({1000 * int(datetime(3999, 12, 31, 23, 59, 59, tzinfo=MOSCOW).timestamp())})",
        "/Date(-62135596800000)/",
        "/Date(-62135607600000)/",
        "new Date(-62135596800000)",
    ],
)
@pytest.mark.parametrize("key", ["ДатаЗаказа", "ДатаПриема", "РекоммендуемаяДатаСдачи"])
def test_never_is_no_date(key: str, text: str) -> None:
    """1C's last day, and its empty date in milliseconds."""
    [order] = read(json.dumps(ORDER | {key: text}))
    field = {"ДатаЗаказа": "date", "ДатаПриема": "accepted", "РекоммендуемаяДатаСдачи": "wanted"}[key]
    assert getattr(order, field) is None


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("/Date(1765411200000)/", datetime(2025, 12, 11, 3, tzinfo=MOSCOW)),
        ("\\/Date(1765411200000)\\/", datetime(2025, 12, 11, 3, tzinfo=MOSCOW)),
        ("/Date(1765411200000+0500)/", datetime(2025, 12, 11, 3, tzinfo=MOSCOW)),
        ("/Date(1765411200000-0800)/", datetime(2025, 12, 11, 3, tzinfo=MOSCOW)),
        ("new Date(1765411200000)", datetime(2025, 12, 11, 3, tzinfo=MOSCOW)),
        (" new Date(1765400400000) ", datetime(2025, 12, 11, tzinfo=MOSCOW)),
        ("2025-12-11T00:00:00.000Z", datetime(2025, 12, 11, 3, tzinfo=MOSCOW)),
        ("/Date(500000000000)/", datetime(1985, 11, 5, 3, 53, 20, tzinfo=MOSCOW)),
    ],
)
def test_milliseconds_are_a_moment(text: str, moment: datetime) -> None:
    """As ФорматДатыJSON.Microsoft and .JavaScript write them: of UTC."""
    assert moment == values.read_moment(text, MOSCOW)


def test_a_midnight_in_milliseconds_is_that_day() -> None:
    """1C's dates are midnights of its own zone."""
    [order] = read(json.dumps(ORDER | {"РекоммендуемаяДатаСдачи": "/Date(1765400400000)/"}))
    assert (datetime(2025, 12, 11, tzinfo=MOSCOW), True) == (order.wanted, order.wanted_is_day)


@pytest.mark.parametrize(
    "value",
    [
        1765411200000,
        1765411200,
        "1765411200000",
        "Date(1765411200000)",
        "/Date(abc)/",
        "/Date(1765411200000+03:00)/",
        "/Date(99999999999999)/",
        "/Date(999999999999999)/",
        "new Date(2025, 11, 11)",
        "new Date()",
        "Thu Dec 11 2025 00:00:00 GMT+0300",
        "3999-12-30",
        "4000-01-01",
        "9999-12-31",
    ],
)
def test_a_date_that_is_not_certain_is_refused(value: Any) -> None:
    """A bare number may be anything."""
    assert refusal(json.dumps(ORDER | {"ДатаЗаказа": value})).startswith("ДатаЗаказа: ")


# Files

BYTES = bytes(range(256)) * 8
PACKED = base64.b64encode(BYTES).decode()


@pytest.mark.parametrize(
    "text",
    [
        PACKED[:1002],
        PACKED[:1003],
        PACKED[:1001],
        PACKED.rstrip("="),
        PACKED[:1002] + "\r\n",
        base64.encodebytes(BYTES).decode()[:1003],
        base64.urlsafe_b64encode(BYTES).decode()[:1003],
        base64.urlsafe_b64encode(BYTES).decode().rstrip("="),
        f"data:application/octet-stream;base64,{PACKED[:1002]}",
        PACKED[:1002].replace("+", "%2B").replace("/", "%2F"),
        "Y",
    ],
)
def test_base64_that_was_cut_off_is_refused(text: str) -> None:
    """Without its end it cannot be told from a smaller file."""
    message = refusal(json.dumps(ORDER | {"ПрисоединенныеФайлы": [{"Имя": "a.bin", "ДвоичныеДанные": text}]}))
    assert message.startswith("ПрисоединенныеФайлы[0].ДвоичныеДанные: ")
    assert message.endswith(" is not complete: base64 was cut off, or lacks the = at its end")


def test_base64_that_lost_its_plus_signs_is_refused() -> None:
    """Spaces between lines are no loss, those elsewhere would shorten the file without a word."""
    content = b"abc" * 60 + bytes.fromhex("fbefbe") + b"abc" * 70
    packed = base64.b64encode(content).decode()

    def send(text: str) -> str:
        return json.dumps(ORDER | {"ПрисоединенныеФайлы": [{"Имя": "a.bin", "ДвоичныеДанные": text}]})

    in_lines = " ".join(packed[start : start + 76] for start in range(0, len(packed), 76))
    assert content == read(send(in_lines))[0].files[0].content
    assert refusal(send(packed.replace("+", " "))) == (
        f"ПрисоединенныеФайлы[0].ДвоичныеДанные: {values.show(packed.replace('+', ' '))} "
        "has spaces where its plus signs were; send base64 as Base64Строка() writes it"
    )


@pytest.mark.parametrize(
    "text", [BYTES.hex(), BYTES.hex().upper(), BYTES.hex(" "), BYTES[:32].hex("-"), f"0x{BYTES.hex()}"]
)
def test_hexadecimal_digits_are_no_base64(text: str) -> None:
    """They would be stored as another file."""
    message = refusal(json.dumps(ORDER | {"ПрисоединенныеФайлы": [{"Имя": "a.bin", "ДвоичныеДанные": text}]}))
    assert message.endswith(" looks like hexadecimal digits: send base64, as Base64Строка() writes it")


@pytest.mark.parametrize("data", [bytes(300), b"abc", bytes(range(48)) * 3, b"\xd3\x4d" * 30])
def test_base64_of_few_letters_stays_base64(data: bytes) -> None:
    """Zeros are nothing but A."""
    file = {"Имя": "a.bin", "ДвоичныеДанные": base64.b64encode(data).decode()}
    assert [data] == [order.files[0].content for order in read(json.dumps(ORDER | {"ПрисоединенныеФайлы": [file]}))]


def test_the_sample_of_the_demo_is_read_in_every_form() -> None:
    """A real order, with a file."""
    sample = (Path(__file__).parent.parent / "data" / "orders" / "sample.json").read_bytes()
    raw = json.loads(sample)
    expected = read(sample)
    assert [expected] * 4 == [
        read(json.dumps(tagged(raw))),
        read(json.dumps({"order": raw})),
        read(pack(sample)),
        read(sample.decode().encode("cp866")),
    ]
