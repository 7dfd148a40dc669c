"""An order as 1C writes it, with dates around today: dates without a zone, the misspelt key, minutes with fractions."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from typing import Any

WELDING = "Сварщик"
LINES = (  # position, its id in 1C, minutes, sum
    ("Макетчик", "878944cb-75a2-47d4-8b62-1f2fd573aabd", 1310.48, 5320.55),
    ("Печатник/плотер", "f2244a48-e526-11e6-8b87-f07959705c55", 68.67, 240.35),
    ("Фрезеровщик", "b1de1b37-e6c0-11e6-8d98-f07959705c55", 107.13, 374.97),
    (WELDING, "7703741f-2084-46b1-9abd-c7df534dfeb8", 216.05, 1080.25),
    ("Монтажник", "2ea74570-48a3-4ad8-a94d-3cb82e7725cc", 932.1, 4008.03),
    ("Поклейщик", "b421c97f-9d9f-4285-b39c-1f99490b2461", 490.9, 2110.87),
)
ORDERS = uuid.UUID("5a1c2f6e-0d3b-5c55-9a41-2f6d0c7e8b10")  # the names of sample orders become ids in it
Line = tuple[str, str, float, float]


def build_order(
    today: date, number: str, order_id: str, lines: Sequence[Line], *, manager: str = "", done: bool = False
) -> dict[str, Any]:
    """Build an order of yesterday for the department Производство, wanted in two weeks, with one file."""
    names = ("Должность", "ДолжностьИдентификатор", "Время", "Сумма")
    return {
        "ИдентификаторЗаказа": order_id,
        "НомерЗаказа": number,
        "ДатаЗаказа": f"{today - timedelta(days=1)}T00:00:00",
        "Исполнитель": "Производство",
        "Контрагент": "ООО «Ромашка»",
        "Менеджер": manager,
        "Выполнен": done,
        "РекоммендуемаяДатаСдачи": f"{today + timedelta(days=14)}T00:00:00",
        "Калькуляция": [dict(zip(names, line, strict=True)) for line in lines],
        "ПрисоединенныеФайлы": [{"Имя": "макет.json", "ДвоичныеДанные": "eyJ0ZXN0IjogInRlc3QifQ=="}],
    }


def build_sample(today: date, number: str | None = None) -> dict[str, Any]:
    """Build an order for the sandbox. One number has one id: sent twice, it is one set of tasks.

    Without a number it is that of the day, in a form that no real order has.
    """
    number = number or f"ПРИМЕР-{today:%Y%m%d}"
    return build_order(today, number, str(uuid.uuid5(ORDERS, number)), LINES, manager="Тихонова Анна")


def build_sample_for(positions: Iterable[str], executor: str, today: date, number: str | None = None) -> dict[str, Any]:
    """Build the same order for other departments: as many of them as it has lines, and no manager."""
    order = build_sample(today, number)
    lines = zip(order["Калькуляция"], positions, strict=False)
    costing = [line | {"Должность": name, "ДолжностьИдентификатор": ""} for line, name in lines]
    return order | {"Исполнитель": executor, "Менеджер": "", "Калькуляция": costing}
