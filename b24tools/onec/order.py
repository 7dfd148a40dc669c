"""Orders as 1C sends them: lenient about form, strict about meaning."""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import time
from decimal import Decimal
from functools import cache, cached_property
from itertools import islice
from typing import Annotated, Any, BinaryIO
from zoneinfo import ZoneInfo

from pydantic import (
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    model_validator,
)
from pydantic.json_schema import SkipJsonSchema

from b24tools.core import errors
from b24tools.core.i18n import _
from b24tools.core.names import describe_foreign_letters, fold_shapes, same_name
from b24tools.core.sizes import format_size
from b24tools.onec import decoding, values, wrapping
from b24tools.onec.task_fields import line_keys

MAX_BYTES = 64 * 1024 * 1024
MAX_ITEMS = 10_000
_PROBLEMS_SHOWN = 3
_NEARLY, _LONGEST_KEY, _MOST_COMPARED = 0.75, 60, 1000

_WANTED = "РекоммендуемаяДатаСдачи"
_WANTED_SPELT_RIGHT = "РекомендуемаяДатаСдачи"
_CANCELS = frozenset(("Отменен", "ПометкаУдаления"))


class OrderTooLarge(errors.OrderError):
    """More bytes than an order may have."""

    code = errors.ErrorCode.TOO_LARGE


@dataclass(frozen=True)
class _Source:
    """What the fields of one file have to know to be read."""

    zone: ZoneInfo
    from_form: bool = False
    is_odata: bool = False
    hide: Callable[[str], str] = str
    remarks: dict[str, None] = field(default_factory=dict)  # what there is to say of keys and texts of one order
    near: dict[str, list[str]] = field(default_factory=dict)  # the known keys that an unknown one may be meant for


def _source(info: ValidationInfo) -> _Source:
    context = info.context
    return context if isinstance(context, _Source) else _Source(ZoneInfo("UTC"))


def _read_list(value: object) -> object:
    """A list of a bearable length."""
    if isinstance(value, tuple):
        return value
    if not isinstance(value, list):
        raise ValueError(_("{value} is not a list").format(value=values.show(value)))
    if len(value) > MAX_ITEMS:
        raise ValueError(
            _("{count} items are more than the {most} an order may hold").format(count=len(value), most=MAX_ITEMS)
        )
    return value


_Text = Annotated[str | None, BeforeValidator(values.read_text)]
_Moment = Annotated[
    AwareDatetime | None,
    BeforeValidator(lambda value, info: values.read_moment(value, _source(info).zone)),
]
_DayOrMoment = Annotated[
    AwareDatetime | None,
    BeforeValidator(lambda value, info: values.read_day_or_moment(value, _source(info).zone)),
]
_Content = Annotated[
    bytes,
    BeforeValidator(lambda value, info: values.read_content(value, from_form=_source(info).from_form)),
    Field(json_schema_extra={"format": "byte"}),
]


class _Model(BaseModel):
    """Read from JSON by 1C's keys, built in code by field names."""

    model_config = ConfigDict(frozen=True, populate_by_name=True)

    @model_validator(mode="before")
    @classmethod
    def _take_known_keys(cls, value: Any, info: ValidationInfo) -> Any:
        if not isinstance(info.context, _Source) or isinstance(value, cls):
            return value
        if not isinstance(value, dict):
            raise ValueError(_("{value} is not an object").format(value=values.show(value)))
        aliases = {
            str(field_info.validation_alias): field_info.is_required()
            for field_info in cls.model_fields.values()
            if field_info.validation_alias
        }
        keys = _find_keys(value, aliases)
        _check_keys(value, keys, aliases, info.context)
        _refuse_two_dates(value, info.context.zone)
        given = {alias: value[key] for alias, key in keys.items()}
        for alias, item in given.items():
            if values.has_broken_signs(item):
                text = _("{key}: {value} has characters that are no text; others stand in their place")
                info.context.remarks[text.format(key=alias, value=values.show(item))] = None
        return given


class Line(_Model):
    """One operation of the costing: who does it, for how long."""

    position: Annotated[str, BeforeValidator(values.read_name)] = Field(
        validation_alias="Должность", description="The position: the name of a department on the portal."
    )
    position_id: Annotated[str | None, BeforeValidator(values.read_position_id)] = Field(
        None,
        validation_alias="ДолжностьИдентификатор",
        description="The position's identifier; with the order's it is how the task is found again.",
    )
    minutes: Annotated[float, BeforeValidator(values.read_minutes)] = Field(
        validation_alias="Время", description="Working time in minutes; also as text: `1 310,48`."
    )
    amount: Annotated[Decimal | None, BeforeValidator(values.read_amount)] = Field(
        None, validation_alias="Сумма", description="The cost of the work; also as text."
    )
    stage: Annotated[int | None, BeforeValidator(values.read_stage)] = Field(
        None, validation_alias="Порядок", description="The stage of the route: lower ones are done first."
    )


class Attachment(_Model):
    """A file that came with an order."""

    name: Annotated[str, BeforeValidator(values.read_file_name)] = Field(
        validation_alias="Имя", description="The name of the file."
    )
    content: _Content = Field(validation_alias="ДвоичныеДанные", repr=False, description="What it holds, as base64.")

    @cached_property
    def sha256(self) -> str:
        """The content's digest, in hexadecimal."""
        return hashlib.sha256(self.content).hexdigest()


class Order(_Model):
    """An order of 1C; each of its lines becomes a task."""

    id: Annotated[str, BeforeValidator(values.read_order_id)] = Field(
        validation_alias="ИдентификаторЗаказа", description="The order's identifier, the same whenever it is sent."
    )
    number: Annotated[str, BeforeValidator(values.read_code)] = Field(
        validation_alias="НомерЗаказа", description="Its number; also a whole number."
    )
    date: _Moment = Field(
        None,
        validation_alias="ДатаЗаказа",
        description="Its date; without an offset in the zone of B24_TZ, as all dates.",
    )
    department: _Text = Field(
        None, validation_alias="Исполнитель", description="A department; its head becomes the creator of the tasks."
    )
    done: Annotated[bool, BeforeValidator(values.read_flag)] = Field(
        False, validation_alias="Выполнен", description="Whether all is done; also `Да`, `Нет`, 0, 1, as all flags."
    )
    marked_for_deletion: Annotated[bool, BeforeValidator(values.read_flag)] = Field(
        False, validation_alias="ПометкаУдаления", description="Whether it is marked for deletion: cancelled."
    )
    called_off: Annotated[bool, BeforeValidator(values.read_flag)] = Field(
        False, validation_alias="Отменен", description="Whether it is cancelled."
    )
    wanted: _DayOrMoment = Field(
        None,
        validation_alias=_WANTED,
        description=f"The wanted day, or moment; the key may also be spelt {_WANTED_SPELT_RIGHT}.",
    )
    accepted: _Moment = Field(None, validation_alias="ДатаПриема", description="No work begins before this.")
    customer: _Text = Field(None, validation_alias="Контрагент", description="Who ordered it.")
    manager: _Text = Field(None, validation_alias="Менеджер", description="Who looks after it.")
    priority: Annotated[int | None, BeforeValidator(values.read_priority)] = Field(
        None, validation_alias="Приоритет", description="Its place among others, 1 first; 0: none."
    )
    lines: Annotated[tuple[Line, ...], BeforeValidator(_read_list)] = Field(
        validation_alias="Калькуляция", description="The costing: each line becomes a task."
    )
    files: Annotated[
        tuple[Attachment, ...],
        BeforeValidator(lambda value: () if values.is_blank(value) else _read_list(value)),
    ] = Field((), validation_alias="ПрисоединенныеФайлы", description="Files for all its tasks.")
    warnings: SkipJsonSchema[tuple[str, ...]] = ()

    @property
    def cancelled(self) -> bool:
        """Whether 1C has cancelled the order, in either of its two ways."""
        return self.marked_for_deletion or self.called_off

    @property
    def wanted_is_day(self) -> bool:
        """Whether `wanted` is a day without a time: 1C writes such days as their midnight."""
        return self.wanted is not None and self.wanted.time() == time.min


def read_source(stream: BinaryIO, max_bytes: int = MAX_BYTES) -> bytes:
    """The stream's bytes, one more than allowed at most: `read_orders` refuses that as too large."""
    parts: list[bytes] = []
    left = max_bytes + 1
    while left and (part := stream.read(left)):
        parts.append(part)
        left -= len(part)
    return b"".join(parts)


def read_orders(
    data: bytes,
    zone: ZoneInfo,
    *,
    max_bytes: int = MAX_BYTES,
    content_type: str = "",
    content_encoding: str = "",
    hide: Callable[[str], str] = str,
) -> list[Order]:
    """The orders of a file or a request body, one or a list; OrderError when any cannot be read.

    Of the headers of a request, `content_encoding` may name a compression, and `content_type` an encoding. `hide`
    takes secrets out of what the orders say, before anybody stores or shows it.
    """
    if len(data) <= max_bytes:
        data = decoding.unpack(data, content_encoding, max_bytes)
    if len(data) > max_bytes:
        raise OrderTooLarge(_("the order is larger than {size}").format(size=format_size(max_bytes)))
    body, from_form = decoding.find_json(data)
    text = decoding.decode(body, decoding.find_charset(content_type))
    del body
    parsed = decoding.parse(text)
    parsed = wrapping.read_xdto(parsed) if "#value" in text or "#type" in text else parsed
    del text
    source = _Source(zone, from_form, wrapping.is_odata(parsed), hide)
    if isinstance(parsed, list):
        if not parsed:
            raise errors.OrderError(_("the list of orders is empty"))
        orders: list[Order] = []
        for place, item in enumerate(parsed):
            orders += [_read_order(raw, source, f"[{place}]") for raw in wrapping.unwrap(item)]
        return orders
    raw_orders = wrapping.unwrap(parsed)
    if len(raw_orders) > 1:
        return [_read_order(raw, source, f"[{place}]") for place, raw in enumerate(raw_orders)]
    if not isinstance(raw_orders[0], dict):
        raise errors.OrderError(_("{value} is not an order").format(value=values.show(parsed)))
    return [_read_order(raw_orders[0], source)]


def _read_order(raw: Any, source: _Source, place: str = "") -> Order:
    source = replace(source, remarks={})
    try:
        order = Order.model_validate(raw, context=source)
    except ValidationError as error:
        is_missing = any(detail["type"] == "missing" for detail in error.errors(include_url=False, include_input=False))
        if is_missing and (source.is_odata or wrapping.is_odata(raw)):
            raise wrapping.odata_error() from None
        raise errors.OrderError(_describe(error, raw, place)) from None
    order = order.model_copy(update={"warnings": (*order.warnings, *source.remarks)})
    order = _hide_secrets(order, source.hide, place)
    _refuse_equal_keys(order, place)
    return _leave_out_useless_files(order)


def _hide_secrets(order: Order, hide: Callable[[str], str], place: str) -> Order:
    """Take secrets out of all texts, with a warning. Raise OrderError for one in the id: without it two may be one."""
    hidden: Order = _hide_in(order, hide)
    if hidden == order:
        return order
    path = f"{place}ИдентификаторЗаказа"
    if hidden.id != order.id:
        raise errors.OrderError(
            _("{path} holds a token or the webhook of the settings").format(path=path),
            _("Send the identifier that the order has in 1C, and replace the secret: others may have seen it."),
        )
    warning = _(
        "order {number} holds a token or the webhook of the settings: *** stands in its place; "
        "take it out in 1C, and replace it: others may have seen it"
    )
    return hidden.model_copy(update={"warnings": (*hidden.warnings, warning.format(number=hidden.number))})


def _hide_in(value: Any, hide: Callable[[str], str]) -> Any:
    """Return a model, or what it holds, with all its texts changed."""
    if isinstance(value, str):
        return hide(value)
    if isinstance(value, tuple):
        return tuple(_hide_in(item, hide) for item in value)
    if isinstance(value, _Model):
        return value.model_copy(update={name: _hide_in(item, hide) for name, item in value})
    return value


def _refuse_equal_keys(order: Order, place: str) -> None:
    """Two lines with one key would share one task."""
    first: dict[str, int] = {}
    for number, key in enumerate(line_keys(order)):
        if first.setdefault(key, number) != number:
            raise errors.OrderError(
                _("{first} and {second}: these lines cannot be told apart: both would have the key {key}").format(
                    first=f"{place}Калькуляция[{first[key]}]",
                    second=f"{place}Калькуляция[{number}]",
                    key=key,
                ),
                _("Give one of the two positions another identifier (ДолжностьИдентификатор) in 1C."),
            )


def _describe(error: ValidationError, raw: Any, place: str) -> str:
    """The first few problems in one line, each with the path as the sender spelt it."""
    problems = []
    for detail in error.errors(include_url=False, include_input=False)[:_PROBLEMS_SHOWN]:
        path = _spell_path(detail["loc"], raw, place)
        if detail["type"] == "missing":
            reason = _("missing") + _find_likely_key(detail["loc"], raw)
        else:
            reason = str(detail["ctx"]["error"])
        problems.append(f"{path}: {reason}" if path else reason)
    if rest := error.error_count() - len(problems):
        problems.append(_("and {count} more").format(count=rest))
    return "; ".join(problems)


def _spell_path(location: tuple[int | str, ...], raw: Any, place: str) -> str:
    path = place
    for part in location:
        if isinstance(part, int):
            path += f"[{part}]"
            raw = raw[part]
        else:
            key = _find_keys(raw, [part]).get(part, part)
            shown = key if key.isprintable() else part
            path += f".{shown}" if path else shown
            raw = raw.get(key)
    return path


def _find_likely_key(location: tuple[int | str, ...], raw: Any) -> str:
    """Say which key in the place of a missing one may be meant for it, and what differs; "" of none."""
    *way, alias = location
    for part in way:
        raw = raw[part] if isinstance(part, int) else raw[_find_keys(raw, [part])[part]]
    keys = list(islice(raw, MAX_ITEMS))
    if text := next((text for key in keys if (text := describe_foreign_letters(key, str(alias)))), ""):
        return text
    likely = [key for key in keys[:_MOST_COMPARED] if len(key) <= _LONGEST_KEY and _is_near(key, str(alias))]
    return _(" (is {key} meant?)").format(key=values.show(likely[0])) if likely else ""


def _find_keys(value: Mapping[str, Any], aliases: Iterable[str]) -> dict[str, str]:
    """Under which key each alias is written here: what looks alike is one key."""
    written = {same_name(key): key for key in value}
    by_alias = {}
    for alias in aliases:
        spellings = (_WANTED, _WANTED_SPELT_RIGHT) if alias == _WANTED else (alias,)
        keys = [key for name in spellings if (key := name if name in value else written.get(same_name(name)))]
        if keys:
            by_alias[alias] = next((key for key in keys if not values.is_blank(value[key])), keys[0])
    return by_alias


def _check_keys(
    value: Mapping[str, Any], by_alias: Mapping[str, str], aliases: Mapping[str, bool], source: _Source
) -> None:
    """Refuse a known key that stands twice, or whose letters only look like its own; note what is nearly a known key.

    `aliases` are the known keys, each with whether it is required.
    """
    names, looks = _fold_keys(tuple(aliases))
    empty = {alias for alias, key in by_alias.items() if values.says_nothing(value[key])}
    absent = [alias for alias, required in aliases.items() if not required and alias not in by_alias.keys() - empty]
    is_kept = _CANCELS.issubset(aliases) and not _CANCELS & (by_alias.keys() - empty)
    seen: set[str] = set()
    for key, item in value.items():
        if (name := same_name(key)) in names:
            if isinstance(item, decoding.Twice) or (name in seen and names[name] not in value):
                raise ValueError(_("the key {key} stands twice: leave only one").format(key=values.show(key)))
            seen.add(name)
        elif meant := looks.get(fold_shapes(key)):
            if meant in by_alias or not aliases.get(meant):  # else it is missing, and the message says why
                text = _("{key} is not {known}").format(key=values.show(key), known=values.show(meant))
                raise ValueError(text + describe_foreign_letters(key, meant))
        elif near := next((alias for alias in _find_near(key, source) if alias in absent), None):
            if near in empty and values.says_nothing(item):
                continue
            text = _("{key} is not a key that b24tools knows; did you mean {known}?")
            source.remarks[text.format(key=values.show(key), known=values.show(near))] = None
        elif is_kept and (word := wrapping.find_taking_back(key, item)):
            text = _("{word} in the order means nothing: to cancel an order, send it with Отменен = true")
            source.remarks[text.format(word=values.show(word))] = None


def _refuse_two_dates(value: Mapping[str, Any], zone: ZoneInfo) -> None:
    """Refuse the two spellings of the wanted date with two values; one that is blank does not count."""
    spellings = {same_name(_WANTED), same_name(_WANTED_SPELT_RIGHT)}
    given = {key: item for key, item in value.items() if same_name(key) in spellings and not values.is_blank(item)}
    if len(given) > 1:
        dates: list[object] = list(given.values())
        with suppress(ValueError):
            dates = [values.read_day_or_moment(item, zone) for item in dates]
        if dates[0] != dates[1]:
            text = _("{keys}: one date in two spellings, with different values: leave only one")
            raise ValueError(text.format(keys=", ".join(map(values.show, given))))


@cache
def _fold_keys(aliases: tuple[str, ...]) -> tuple[dict[str, str], dict[str, str]]:
    """The known keys by their names as they are compared, and by what their letters look like."""
    known = [*aliases, *([_WANTED_SPELT_RIGHT] if _WANTED in aliases else [])]
    return {same_name(key): key for key in known}, {fold_shapes(key): key for key in known}


def _find_near(key: str, source: _Source) -> list[str]:
    """The optional keys that one may be meant for; what adds a word to one, as МенеджерКод does, is another key."""
    if key not in source.near:
        if len(key) > _LONGEST_KEY or len(source.near) >= _MOST_COMPARED:
            return []
        models = (Order, Line, Attachment)
        fields = [info for model in models for info in model.model_fields.values() if not info.is_required()]
        optional = [str(info.validation_alias) for info in fields if info.validation_alias]
        source.near[key] = [known for known in optional if _is_near(key, known)]
    return source.near[key]


def _is_near(key: str, known: str) -> bool:
    name, wanted = same_name(key), same_name(known)
    if wanted in name:
        return name.startswith(wanted) and key[len(known) :].islower() and len(name) <= len(wanted) + 2
    return difflib.SequenceMatcher(None, name, wanted, autojunk=False).ratio() >= _NEARLY


def _leave_out_useless_files(order: Order) -> Order:
    """Without repeated and empty files: the portal takes an upload of no bytes for a question where to upload."""
    warnings = list(order.warnings)
    if not order.lines:
        warnings.append(_("Калькуляция: the list is empty, there is nothing to make tasks of"))
    files: dict[tuple[str, str], Attachment] = {}
    for place, file in enumerate(order.files):
        if file.content:
            files.setdefault((file.name, file.sha256), file)
        else:
            path = f"ПрисоединенныеФайлы[{place}]"
            warnings.append(
                _("{path}: the file {name} is empty and is left out").format(path=path, name=values.show(file.name))
            )
    return order.model_copy(update={"files": tuple(files.values()), "warnings": tuple(warnings)})
