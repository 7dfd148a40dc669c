"""What the tables say, in Russian: the README has them in both languages."""

from __future__ import annotations

WORDS = {
    "This week: ": "Эта неделя: ",
    "A year: ": "Год: ",
    " tasks, 5000 people": " задач, 5000 сотрудников",
    "An order of 6 lines and one file": "Заказ из 6 строк с одним файлом",
    "fast-bitrix24, saved": "fast-bitrix24 с записью",
    "b24pysdk, saved": "b24pysdk с записью",
    "one list per person": "по списку на каждого сотрудника",
    "b24tools serve, the first order": "b24tools serve, первый заказ",
    "b24tools assign, the first order": "b24tools assign, первый заказ",
    "the replaced service, the first order": "прежний сервис, первый заказ",
    "b24tools serve, the next": "b24tools serve, следующий",
    "b24tools assign, the next": "b24tools assign, следующий",
    "the replaced service, the next": "прежний сервис, следующий",
    "Start-up, 9 rounds": "Запуск, 9 кругов",
    "a bare Typer program": "пустая программа на Typer",
    "one Rich table with Typer": "одна таблица Rich с Typer",
    "b24tools leaderboard, nothing collected": "b24tools leaderboard, данных нет",
    "b24tools leaderboard, 100000 tasks": "b24tools leaderboard, 100000 задач",
    "to bare Typer": "к пустой Typer",
    "to one table": "к одной таблице",
    "a bare FastAPI endpoint": "пустой метод FastAPI",
    "b24tools serve, events": "b24tools serve, события",
    "b24tools serve, orders": "b24tools serve, заказы",
    "Keeping 5000 events": "Запись 5000 событий",
    "read only": "только разбор",
    "kept, ": "с записью, по ",
    "| at once |": "| сразу |",
    " at once |": " |",
    "writes to the disk": "записей на диск",
    "Serving\n": "Служба\n",
    "Growth\n": "Рост\n",
    "tasks of a year": "задач за год",
    "CPU µs a task": "мкс процессора на задачу",
    "leaderboard ms": "leaderboard, мс",
    "Planning 100 orders of 6 lines, after the portal's answers": "План 100 заказов по 6 строк, после ответов портала",
    "open tasks": "открытых задач",
    "| people |": "| людей |",
    "CPU ms a line": "мс процессора на строку",
    "time to b24tools'": "время к b24tools",
    "CPU s": "процессор, с",
    "peak MB": "память, МБ",
    "a second": "в секунду",
    "seconds": "секунд",
    "requests": "запросов",
    "refused": "отказов",
    "p50 ms": "половина, мс",
    "p99 ms": "99 из 100, мс",
    " ms |": " мс |",
    "Memory of `b24tools serve` with an hour of ": "Память `b24tools serve` за час из ",
    " events in fast motion: ": " событий, пропущенный ускоренно: ",
    " MB at the start, ": " МБ в начале, ",
    " after each third.": " после каждой трети.",
    " cores of ": " ядра ",
    " at the start.": " в начале.",
    "; load ": "; загрузка ",
}


def translated(text: str) -> str:
    """The tables in Russian."""
    for english, russian in WORDS.items():
        text = text.replace(english, russian)
    return text
