"""What the tables say, in Russian: the README has them in both languages."""

from __future__ import annotations

import re

WORDS = {
    "This week": "Эта неделя",
    "A year of orders: ": "Год заказов: ",
    "| a year of rows |": "| строки за год |",
    "| after the first night |": "| после первой ночи |",
    "| its backup |": "| её копия |",
    "| restored |": "| из копии |",
    "| a year later, with no new order |": "| ещё через год без новых заказов |",
    "| command |": "| команда |",
    "| empty: ms |": "| пустая база, мс |",
    " a year: ms |": " год, мс |",
    " MB |": " МБ |",
    "A year": "Год",
    " s for an answer": " с на ответ",
    " tasks, 5000 people": " задач, 5000 сотрудников",
    "; rounds: ": "; кругов: ",
    "snapshot --week, the next": "snapshot --week, следующий раз",
    "An order of 6 lines and one file": "Заказ из 6 строк с одним файлом",
    ", its chain": ", его цепочкой",
    ", at once": ", всё сразу",
    ", saved": ", с записью",
    "one list per person, once": "по списку на каждого сотрудника, один раз",
    "b24tools serve, the first order": "b24tools serve, первый заказ",
    "b24tools assign, the first order": "b24tools assign, первый заказ",
    "the replaced service, the first order": "прежний сервис, первый заказ",
    "b24tools serve, the next": "b24tools serve, следующий",
    "b24tools assign, the next": "b24tools assign, следующий",
    "the replaced service, the next": "прежний сервис, следующий",
    "Start-up": "Запуск",
    "a bare Typer program": "пустая программа на Typer",
    "one Rich table with Typer": "одна таблица Rich с Typer",
    "b24tools leaderboard, nothing collected": "b24tools leaderboard, данных нет",
    "b24tools leaderboard, 100000 tasks": "b24tools leaderboard, 100000 задач",
    "× bare Typer": "× пустая Typer",
    "× one table": "× одна таблица",
    "a bare FastAPI endpoint": "пустой метод FastAPI",
    "b24tools serve, events": "b24tools serve, события",
    "b24tools serve, orders": "b24tools serve, заказы",
    "Storing 5000 events": "Запись 5000 событий",
    "read only": "только разбор",
    "| stored |": "| с записью |",
    "| at once |": "| одновременно |",
    " at once |": " |",
    "writes to the disk": "записей на диск",
    "Serving\n": "Служба\n",
    "Growth\n": "Рост\n",
    "its peak МБ": "её пик памяти, МБ",
    "tasks of a year": "задач за год",
    "CPU µs a task": "мкс процессора на задачу",
    "leaderboard ms": "leaderboard, мс",
    "Planning 100 orders of 6 lines, after the portal's answers": "План 100 заказов по 6 строк, после ответов портала",
    "open tasks": "открытых задач",
    "| people |": "| людей |",
    "| moves |": "| переносов |",
    "Replanning\n": "Перепланирование\n",
    "Plans that are kept up; plants: ": "Планы, которые обновляются; производств: ",
    "| route | load | plan | orders | late, % | days late, of all orders | moves per operation |": (
        "| очередь | загрузка | план | заказов | опоздали, % | дней опоздания на заказ | переносов на операцию |"
    ),
    "| yes |": "| да |",
    "| no |": "| нет |",
    "| first come |": "| по порядку поступления |",
    "| by date |": "| по дате сдачи |",
    "| work of the sick moved |": "| работа больных перенесена |",
    "| nightly replan |": "| перепланирование каждое утро |",
    "CPU ms a line": "мс процессора на строку",
    "CPU s": "процессор, с",
    "peak МБ": "пик памяти, МБ",
    "a second": "в секунду",
    "seconds": "секунд",
    "requests": "запросов",
    "refused": "отказов",
    "p50 ms": "медиана, мс",
    "p99 ms": "99-й процентиль, мс",
    " ms |": " мс |",
    "Memory of `b24tools serve` with an hour of ": "Память `b24tools serve` за час, ",
    " events in fast motion, without the limit: ": " событий, ускоренно и без предела запросов: ",
    " MB at the start, ": " МБ в начале, ",
    " after each third.": " после каждой трети.",
    " at the start.": " в начале.",
    "; load ": "; загрузка ",
}


NAMES = re.compile(
    r"× serve|`[^`]*`|b24tools( (--)?[a-z]+)*|leaderboard|history|config|replay --list|b24pysdk|fast-bitrix24"
    r"|python -c pass"
)


def translated(text: str) -> str:
    """The tables in Russian. Raises ValueError for a word of English that stays in a table."""
    text = re.sub(r"^(\d+) cores of (.+?),", r"\2, ядер: \1,", text)
    for english, russian in WORDS.items():
        text = text.replace(english, russian)
    text = re.sub(r"(?<=\| )(\d+)\.(\d+)(?= \|)", r"\1,\2", text)
    tables = "\n".join(line for line in text.splitlines() if line.startswith("|"))
    if left := re.findall(r"\b[a-z]{2,}\b", NAMES.sub("", tables)):
        raise ValueError(f"no Russian for {left}")
    return text
