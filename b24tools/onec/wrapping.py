"""Take an order out of what 1C and those between wrap it in: XDTO's types, an envelope, JSON inside a string."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from itertools import islice
from typing import Any

from b24tools.core import errors
from b24tools.core.i18n import _
from b24tools.core.names import fold_shapes, same_name
from b24tools.onec import decoding
from b24tools.onec.values import show

_MARKS = ("ИдентификаторЗаказа", "НомерЗаказа", "Калькуляция")
_OPTIONAL = (
    *("Выполнен", "ПометкаУдаления", "Отменен", "ПрисоединенныеФайлы", "Исполнитель", "Контрагент", "Менеджер"),
    *("Приоритет", "ДатаПриема", "РекоммендуемаяДатаСдачи", "РекомендуемаяДатаСдачи"),
)
_IS_MARK = frozenset(map(same_name, _MARKS))
_IS_OPTIONAL = frozenset(map(fold_shapes, _OPTIONAL))
_DEEPEST, _LONGEST = 4, 1000
# what says beside an order that it is to be taken back: {"Действие": "Удалить", "Заказ": {…}}, {"deleted": true, …}
_TAKES_BACK = re.compile(
    r"(?:is_?)?(?:удал(?:и\w*|[её]н(?:[иоа]\w*)?)|(?:отмен|аннул|сторно|delet|cancel|remov|revok)\w*)(?:\s?заказ\w*)?",
    re.IGNORECASE,
)
_ODATA = ("odata.", "@odata.", "__metadata")


def unwrap(value: Any) -> list[Any]:
    """The orders in a part of parsed JSON; what holds none is left as it is, for its own message.

    Raise OrderError where there are several in different places, or where something outside may change the meaning.
    """
    if _is_order(value):
        return [value]
    orders = list(_find(value, _DEEPEST))
    if len(orders) > 1:
        raise errors.OrderError(
            _("{count} orders lie in different places of one object: send a list of orders").format(count=len(orders))
        )
    if orders:
        return orders[0] if isinstance(orders[0], list) else orders
    _refuse_other_forms(value)
    return [value]


def _is_order(value: Any) -> bool:
    return isinstance(value, dict) and len(value) <= _LONGEST and any(same_name(key) in _IS_MARK for key in value)


def _find(value: Any, depth: int) -> Iterator[Any]:
    """The orders and lists of orders in a value."""
    if isinstance(value, str) and value.lstrip("\ufeff \t\r\n").startswith(("{", "[")):
        with suppress(errors.OrderError):
            value = read_xdto(decoding.parse(value.lstrip("\ufeff")))
    if _is_order(value) or (isinstance(value, list) and value and all(map(_is_order, value))):
        yield value
    elif depth and isinstance(value, list) and len(value) <= _LONGEST:
        for item in value:
            yield from _find(item, depth - 1)
    elif depth and isinstance(value, dict):
        orders = [order for item in value.values() for order in _find(item, depth - 1)]
        outside = (key for key, item in value.items() if fold_shapes(key) in _IS_OPTIONAL and item not in (None, ""))
        if orders and (key := next(outside, None)):
            raise errors.OrderError(_("{key} stands outside of the order: put it into the order").format(key=key))
        words = (find_taking_back(key, item) for key, item in value.items())
        if orders and (word := next(filter(None, words), None)):
            text = _("{word} stands beside the order: to cancel an order, send it with Отменен = true")
            raise errors.OrderError(text.format(word=show(word)))
        yield from orders
    elif depth and isinstance(value, decoding.Twice) and any(order for item in value for order in _find(item, depth)):
        raise errors.OrderError(_("two orders stand under one key: send a list of orders"))


def find_taking_back(key: str, value: Any) -> str | None:
    """Return the word of a key and its value that says that something is to be taken back."""
    word = key if value is True else value
    return word if isinstance(word, str) and _TAKES_BACK.fullmatch(word.strip()[:60]) else None


def read_xdto(value: Any) -> Any:
    """The plain value of what СериализаторXDTO.ЗаписатьJSON writes as `#type` and `#value`."""
    try:
        return _read_xdto(value)
    except RecursionError:
        raise errors.OrderError(_("the JSON is nested too deeply")) from None


def _read_xdto(value: Any) -> Any:
    if isinstance(value, list):
        return [_read_xdto(item) for item in value]
    if not isinstance(value, dict):
        return value
    if str(value.get("#type", "")).endswith((":Null", ":Undefined")):
        return None
    if "#value" not in value:
        return {key: _read_xdto(item) for key, item in value.items()}
    kind, inner = str(value.get("#type", "")), value["#value"]
    if isinstance(inner, list) and (kind.endswith(("Structure", "Map")) or (inner and all(map(_is_pair, inner)))):
        pairs = ({same_name(key): item for key, item in pair.items()} for pair in inner if isinstance(pair, dict))
        return decoding.make_object(
            [(str(_read_xdto(pair.get("name", pair.get("key")))), _read_xdto(pair.get("value"))) for pair in pairs]
        )
    if isinstance(inner, dict) and kind.endswith("ValueTable"):
        return _read_table(inner)
    if isinstance(inner, dict) and "#value" not in inner:  # an object of the database: its type says what it is
        return {"#type": kind} | {key: _read_xdto(item) for key, item in inner.items()}
    return _read_xdto(inner)


def _is_pair(value: Any) -> bool:
    return isinstance(value, dict) and {same_name(key) for key in value} in ({"name", "value"}, {"key", "value"})


def _read_table(table: dict[str, Any]) -> list[dict[str, Any]]:
    """The rows of a ТаблицаЗначений, each by the names of its columns."""
    columns = [str(_read_xdto(column.get("Name"))) for column in table.get("column") or () if isinstance(column, dict)]
    rows = []
    for row in table.get("row") or ():
        cells = row.get("Value") if isinstance(row, dict) else row
        cells = cells if isinstance(cells, list) else [cells]
        if len(cells) != len(columns):
            raise errors.OrderError(
                _("a ТаблицаЗначений cannot be read: send Калькуляция as an array of structures, with ЗаписатьJSON")
            )
        rows.append(dict(zip(columns, map(_read_xdto, cells), strict=True)))
    return rows


def is_odata(value: Any) -> bool:
    """Whether this is an answer of 1C's OData, in any of its versions, or a row of one."""
    for _level in range(_DEEPEST):
        value = value[0] if isinstance(value, list) and value else value
        if not isinstance(value, dict):
            return False
        if any(key.startswith(_ODATA) or key.endswith("_Key") for key in islice(value, _LONGEST)):
            return True
        inner = value.get("d")
        if isinstance(inner, dict) and "results" in inner:
            return True
        value = value.get("value", inner)
    return False


def odata_error() -> errors.OrderError:
    """Return the error that names OData, with what to send instead."""
    return errors.OrderError(
        _("this is an answer of 1C's OData, with the keys of a document: {ask}").format(ask=_ask())
    )


def _ask() -> str:
    return _("send an object with the keys {keys}").format(keys=", ".join(_MARKS))


def _refuse_other_forms(value: Any) -> None:
    """Say what it is that holds no order, where that can be seen. Raise OrderError."""
    ask = _ask()
    first = value[0] if isinstance(value, list) and value else value
    if not isinstance(first, dict):
        return
    if is_odata(value):
        raise odata_error()
    if "#type" in first:
        kind = str(first["#type"])[:60]
        raise errors.OrderError(_("this is {kind} in the form of XDTO, and no order: {ask}").format(kind=kind, ask=ask))
    for key in islice(first, _LONGEST):
        if key.strip() and not key.strip("? "):
            raise errors.OrderError(_("letters were lost, the keys are question marks: send the order in UTF-8"))
        for encoding in ("cp1251", "latin-1", "cp866"):
            with suppress(UnicodeError):
                if same_name(key.encode(encoding).decode("utf-8")) in _IS_MARK:
                    text = _("the text was encoded twice: its UTF-8 was taken for {encoding}; send it in UTF-8 once")
                    raise errors.OrderError(text.format(encoding=encoding))
