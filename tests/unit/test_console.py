"""What people see of orders: whole screens, on a terminal of 80 columns and as plain text."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from rich.console import Console

from b24tools import context
from b24tools.assignment.report import Bottleneck, OrderResult, Promise, TaskResult
from b24tools.core import config, errors, i18n
from b24tools.core.sizes import format_duration
from b24tools.render import assign
from b24tools.render.console import Column, Messenger, Screen, wrap_words
from tests.support import golden as screens
from tests.support.orders import MOSCOW

NOW = datetime(2026, 11, 23, 4, tzinfo=UTC)
URL = "https://portal.example"


def at(day: int, hour: int, minute: int = 0, *, year: int = 2026) -> datetime:
    """A moment of November in Moscow."""
    return datetime(year, 11, day, hour, minute, tzinfo=MOSCOW)


def task(position: str, outcome: str = "created", **changes: Any) -> TaskResult:
    """A line that went well."""
    values: dict[str, Any] = {
        "task_id": 12345,
        "title": f"{position}: 1Ц-00000069",
        "responsible": (10, "Павел Исаев"),
        "department": (9, "Сварщик"),
        "start": at(23, 9),
        "end": at(23, 12, 40),
        "deadline": at(27, 18),
        "estimate_s": 13_200,
        "files": ("чертёж.pdf",),
    }
    return TaskResult(position, outcome, **values | changes)


NOTHING: dict[str, Any] = {"task_id": None, "start": None, "end": None, "deadline": None, "responsible": None}
NOBODY = errors.B24ToolsError(
    'there is no department "Водитель" under "Производство" (the nearest name is "Водолаз")',
    "Name the department as the position, or set B24_FALLBACK_USER to the id of who gets such work.",
)
PASSED = "the wanted date 04.11.2026 has passed: the deadline is the end of the plan"
ORDERS = (
    OrderResult(
        "b7c57163-8c5d-11ef-905d-a41731192b22",
        "1Ц-00000069",
        "partial",
        (
            task("Сварщик"),
            task("Печатник/плотер", "updated", task_id=7, responsible=(8, "Тимур Галиев")),
            task("Водитель", "failed", **NOTHING, error=NOBODY),
            task("Макетчик", "adopted", end=at(14, 18, year=2027), deadline=at(14, 18, year=2027)),
        ),
        finish=at(14, 18, year=2027),
        wanted=at(27, 23, 59),
        late_s=352 * 86_400,
        warnings=('the webhook has no scope "calendar": absences and working hours are not read',),
    ),
    OrderResult(
        "2",
        "Заказ [срочный] № 5",
        "created",
        (
            task(
                "Оператор лазерной гравировально-фрезерной установки с ЧПУ",
                responsible=(19, "Константин-Александр Константинопольский-Задунайский"),
                warnings=(PASSED,),
            ),
            task("Слесарьсборщикметаллоконструкцийпятогоразряда", warnings=(PASSED,), task_id=123_456_789),
        ),
        finish=at(23, 12, 40),
        wanted=at(23, 23, 59),
        promise=Promise(
            at(23, 12, 40), date(2026, 11, 23), 0, Bottleneck("Слесарь [пятого разряда]", 0, 13_200, "Ян Рад")
        ),
    ),
    OrderResult("3", "3", "unchanged", (task("Сварщик", "unchanged", ready=at(23, 17)),), finish=at(23, 17)),
    OrderResult("4", "4", "completed", (task("Сварщик", "completed"),), finish=at(23, 12, 40), wanted=at(4, 23)),
    OrderResult(
        "5",
        "5",
        "planned",
        (task("Сварщик", "planned", task_id=None),),
        finish=at(27, 12, 40),
        wanted=at(23, 23, 59),
        late_s=304_800,
        promise=Promise(
            at(27, 12, 40),
            date(2026, 11, 27),
            99_600,
            Bottleneck("Сварщик", 104_400, 13_200, "Павел Исаев", date(2026, 11, 26)),
        ),
    ),
    OrderResult("6", "6", "unchanged", (), warnings=("Калькуляция: the list is empty",)),
)


def drawn(width: int) -> str:
    """The orders on a terminal without colours, so that a diff can be read."""
    stream = io.StringIO()
    console = Console(file=stream, width=width, force_terminal=True, color_system=None, highlight=False)
    assign.print_orders(ORDERS, MOSCOW, URL, NOW, Messenger(), Screen(console))
    return "".join(f"{line.rstrip()}\n" for line in stream.getvalue().splitlines())


@pytest.mark.parametrize("width", [60, 80])
@pytest.mark.parametrize("language", ["en", "ru"])
def test_orders_fit_a_terminal(language: str, width: int, capsys: pytest.CaptureFixture[str]) -> None:
    """Long names are folded, nothing is cut off; where a task opens is said once."""
    i18n.use(language)
    screen = drawn(width)
    screens.check(f"orders_{width}.{language}.txt", screen)
    assert width >= max(map(len, screen.splitlines()))
    assert 1 == capsys.readouterr().err.count("https://portal.example/company/personal/user/0/tasks/task/view/")


@pytest.mark.parametrize("language", ["en", "ru"])
def test_orders_are_plain_text_elsewhere(language: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A line per task and per remark, however long, with the task's address at its end: for grep and for mail."""
    i18n.use(language)
    assign.print_orders(ORDERS, MOSCOW, URL, NOW, Messenger())
    out, err = capsys.readouterr()
    screens.check(f"orders_plain.{language}.txt", out)
    assert ("", False) == (err, "\x1b" in out)


def test_a_task_is_a_link_on_a_terminal() -> None:
    """Its number can be clicked."""
    stream = io.StringIO()
    console = Console(file=stream, width=80, force_terminal=True, color_system="standard", legacy_windows=False)
    assign.print_orders(ORDERS[:1], MOSCOW, URL, NOW, Messenger(level=-1), Screen(console))
    assert "https://portal.example/company/personal/user/0/tasks/task/view/12345/\x1b\\" in stream.getvalue()


def test_what_is_late_stands_out() -> None:
    """In red on a terminal, in words and with a mark everywhere."""
    late = OrderResult("7", "7", "created", (task("Сварщик", end=at(28, 12)),), finish=at(28, 12), wanted=at(27, 23))
    stream = io.StringIO()
    console = Console(file=stream, width=90, force_terminal=True, color_system="standard", highlight=False)
    assign.print_orders([replace(late, late_s=46_800)], MOSCOW, URL, NOW, Messenger(level=-1), Screen(console))
    red = [text.partition("m")[2] for text in stream.getvalue().split("\x1b[") if text.startswith("1;31m")]
    assert ["late by 13 h", "27.11 !"] == [text.strip() for text in red]


class Terminal(io.StringIO):
    """A stream that says it is one."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("environment", "colored"), [({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)]
)
def test_a_message_is_broken_between_words_on_a_terminal(
    environment: dict[str, str], colored: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At its width, and an error is red; elsewhere a message is a line, without colors."""
    for name, value in ({"COLUMNS": "40", "TERM": "xterm", "NO_COLOR": ""} | environment).items():
        monkeypatch.setenv(name, value)
    said = []
    for stream in (Terminal(), io.StringIO()):
        monkeypatch.setattr("sys.stderr", stream)
        Messenger().error(errors.B24ToolsError("no data yet for 2026-W48", "run `b24tools snapshot` and look again"))
        said.append(stream.getvalue())

    lines = "no data yet for 2026-W48. Run\n`b24tools snapshot` and look again."
    assert [f"\x1b[31m{lines}\x1b[0m\n" if colored else f"{lines}\n", lines.replace("\n", " ") + "\n"] == said


def test_each_line_of_a_message_is_broken_for_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """A list of names, as `init` offers them."""
    monkeypatch.setenv("COLUMNS", "20")
    monkeypatch.setattr("sys.stderr", stream := Terminal())

    Messenger().info("Department:\n  1. Production\n  2. Sales of the house\n\n  3. Office")

    assert "Department:\n  1. Production\n  2. Sales of the\n     house\n\n  3. Office\n" == stream.getvalue()


def test_a_wait_of_no_time_is_not_said() -> None:
    """Only one of a second or more."""
    said: list[str] = []
    session = context.Session(config.load(), said.append)
    for seconds in (0.0, 0.4, 0.9, 1.0, 12.4):
        session.say_wait(seconds, "the portal is busy")
    assert ["the portal is busy; waiting 1 s", "the portal is busy; waiting 12 s"] == said


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("  ! the wanted date has passed", ["  ! the wanted date", "    has passed"]),
        ("three and a half, 3 h 40 min", ["three and a half,", "3 h 40 min"]),
        ("https://portal.example/task/1 opens", ["https://portal.example/task/1", "opens"]),
        ("`a command that is too long to stay in one`", ["`a command that is", "too long to stay in", "one`"]),
        ("", []),
    ],
)
def test_lines_end_between_words(text: str, lines: list[str]) -> None:
    """What follows a mark is indented; a command, and a number with its unit, stay together where they can."""
    assert lines == wrap_words(text, 20)


def test_a_row_too_wide_for_a_terminal_is_a_paragraph() -> None:
    """What a cell says stays with its title, and what is empty is left out."""
    stream = io.StringIO()
    console = Console(file=stream, width=30, force_terminal=True, color_system=None, highlight=False)
    columns = [Column("Person", overflow="fold"), Column("Start"), Column("End"), Column("Task")]
    Screen(console).print_table(columns, [["Иван Петров", "23.11 09:00", "-", ("#7", "link https://portal.example")]])
    assert "Иван Петров\n  Start: 23.11 09:00; Task: #7\n" == stream.getvalue()


def test_the_json_of_an_order() -> None:
    """Times in the configured zone, pairs as objects, errors with their mend; when a task will be ready, as in text."""
    (late,) = next(one for one in assign.data(ORDERS, MOSCOW) if one["order"]["number"] == "3")["tasks"]
    assert ("2026-11-23T12:40:00+03:00", "2026-11-23T17:00:00+03:00") == (late["end"], late["ready"])
    data = assign.data(ORDERS[:1], MOSCOW)[0]
    assert {
        "position": "Водитель",
        "outcome": "failed",
        "task_id": None,
        "title": "Водитель: 1Ц-00000069",
        "responsible": None,
        "department": {"id": 9, "name": "Сварщик"},
        "start": None,
        "end": None,
        "ready": None,
        "deadline": None,
        "estimate_s": 13_200,
        "files": ["чертёж.pdf"],
        "warnings": [],
        "error": {"code": "failed", "message": NOBODY.message, "hint": NOBODY.hint},
    } == data["tasks"][2]
    assert {
        "order": {"id": "b7c57163-8c5d-11ef-905d-a41731192b22", "number": "1Ц-00000069"},
        "outcome": "partial",
        "finish": "2027-11-14T18:00:00+03:00",
        "wanted": "2026-11-27T23:59:00+03:00",
        "late_s": 352 * 86_400,
        "late_work_s": 0,
        "promise": None,
        "bottleneck": None,
    } == {name: value for name, value in data.items() if name != "tasks"}
    assert "2026-11-23T09:00:00+03:00" == data["tasks"][0]["start"]
    assert json.dumps(data)
    held_up = {
        "position": "Сварщик",
        "wait_s": 104_400,
        "work_s": 13_200,
        "person": "Павел Исаев",
        "away_until": "2026-11-26",
        "planned_later": False,
        "accepted": None,
    }
    assert {"late_work_s": 99_600, "promise": "2026-11-27", "bottleneck": held_up} == {
        name: assign.data(ORDERS[4:5], MOSCOW)[0][name] for name in ("late_work_s", "promise", "bottleneck")
    }


@pytest.mark.parametrize(
    ("span", "said"),
    [
        (timedelta(seconds=59), "0 min"),
        (timedelta(minutes=59), "59 min"),
        (timedelta(hours=1), "1 h"),
        (timedelta(hours=23, minutes=59), "23 h 59 min"),
        (timedelta(days=1), "1 day"),
        (timedelta(days=2, hours=5), "2 days 5 h"),
        (timedelta(days=11, hours=5), "11 days"),
    ],
)
def test_durations_are_told_in_two_units(span: timedelta, said: str) -> None:
    """No hours beside ten days."""
    assert said == format_duration(int(span.total_seconds()))


@pytest.mark.parametrize(
    ("message", "hint", "line"),
    [
        ("it broke", "mend it", "it broke. Mend it."),
        ("it broke.", "", "it broke."),
        ("did it break?", "Look!", "did it break? Look!"),
        ("one\ntwo", "three\nfour", "one two. Three four."),
    ],
)
def test_an_error_is_one_line(message: str, hint: str, line: str) -> None:
    """What happened, and what to do, as sentences."""
    assert line == errors.B24ToolsError(message, hint).line
