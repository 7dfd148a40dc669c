"""What people see of the leaderboard: whole screens, whole files, what programs get."""

from __future__ import annotations

import io
import json
import re
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from rich.cells import cell_len
from rich.console import Console

from b24tools.core import i18n, periods
from b24tools.core.team_goal import TeamGoal
from b24tools.jobs import leaderboard
from b24tools.jobs.leaderboard import Board, Row
from b24tools.render import leaderboard as render_leaderboard
from b24tools.render import leaderboard_export, leaderboard_text, messages
from b24tools.render.console import Screen, print_file
from b24tools.store import Store
from tests.support import golden as screens
from tests.support.closed_tasks import LAST, MOSCOW, NOW, THIS, collect, invented, person, save, task
from tests.support.leaderboards import opened, plant

__all__ = ["opened", "plant"]  # fixtures


def drawn(board: Board, width: int = 80, encoding: str = "utf-8", now: datetime = NOW) -> str:
    """The ranking on a terminal without colours, so that a diff can be read."""
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding, errors="replace", newline="")
    console = Console(file=stream, width=width, force_terminal=True, color_system=None)
    render_leaderboard.print_board(board, MOSCOW, now, Screen(console))
    stream.flush()
    text = stream.buffer.getvalue().decode(encoding)  # type: ignore[attr-defined]
    return "".join(f"{line.rstrip()}\n" for line in text.splitlines())


@pytest.mark.parametrize("language", ["en", "ru"])
@pytest.mark.parametrize("width", [50, 60, 80, 200])
def test_the_plant(plant: Callable[..., Board], width: int, language: str) -> None:
    """Ties, movement, somebody new, on-time under 3, a hidden one."""
    i18n.use(language)

    screens.check(f"leaderboard/people_{width}.{language}.txt", drawn(plant(), width))


def test_a_message_has_more_than_bare_places(plant: Callable[..., Board]) -> None:
    """Not the last one, what the middle has, the goal; and whether a part is missing."""
    board = replace(plant(spares_last=True), goal=TeamGoal("tasks", 5, 40, 38, 8, 7.5), complete=False)

    lines = messages.to_plain(messages.write_board(board)).splitlines()

    assert [
        "Leaderboard: week 47, 16–22 November 2026",
        "🥇 Иван Петров - 9 tasks, 13.5 h",
        "🥈 Алёна Ёлкина - 7 tasks, 2.8 h",
        "🥈 Мария Кузнецова - 7 tasks, 15.8 h",
        "4. Алексей Жуков - 4 tasks, 8.0 h",
        "4. Борис Иванов - 4 tasks, 4.0 h",
        "6. Пётр Сидоров-Задунайский - 3 tasks, 2.3 h",
        "7. Глеб Новый - 2 tasks, 16.0 h",
        "median 4, the first quarter has 7 or more",
        "team goal: 38 of 40 tasks (95%), 7.5 of 8 present",
        "Incomplete: part of this period was never collected.",
    ] == lines
    assert "" == messages.write_board(replace(board, rows=()))


def test_namesakes_are_told_apart_by_their_ids(plant: Callable[..., Board]) -> None:
    """On a terminal, in Markdown and on the page; nobody else has an id behind the name."""
    board = plant()
    twins = [replace(row, name="Ян Ли") if place < 2 else row for place, row in enumerate(board.rows)]
    board = replace(board, rows=twins)
    expected = [f"#{row.id}" for row in twins[:2]]
    texts = (
        drawn(board),
        leaderboard_export.to_markdown(board, MOSCOW, NOW).replace("\\", ""),
        leaderboard_export.to_html(board, MOSCOW, NOW),
    )
    for text in texts:
        assert expected == list(dict.fromkeys(re.findall(r"\((#\d+)\)", text)))


@pytest.mark.parametrize("language", ["en", "ru"])
def test_the_goal_of_the_team(opened: Store, plant: Callable[..., Board], language: str) -> None:
    """A line with a bar below the table."""
    i18n.use(language)
    opened.settings.save("team_goal", "6 tasks")

    screens.check(f"leaderboard/goal_80.{language}.txt", drawn(plant()))


@pytest.mark.parametrize("language", ["en", "ru"])
def test_where_a_person_stands(plant: Callable[..., Board], language: str) -> None:
    """Below the table, in a few lines of a narrow terminal."""
    i18n.use(language)

    screens.check(f"leaderboard/me_80.{language}.txt", drawn(plant(me="Сидоров-Задунайский Пётр", department="13")))


def test_without_estimates_there_are_no_hours(opened: Store) -> None:
    """No column of them, no ranking by them, and no medal for nothing."""
    save(opened, [task(number, number % 2, THIS.start, hours=0) for number in range(3)])

    by_tasks = drawn(leaderboard.board(opened, THIS, now=NOW))
    by_hours = leaderboard.board(opened, THIS, now=NOW, by="hours")

    assert "Hours" not in by_tasks
    assert ((), 0) == (by_hours.rows, by_hours.benchmarks.ranked)
    assert "Nothing that was closed has an estimate: there is no ranking by hours." in drawn(by_hours)
    save(opened, [task(9, 1, THIS.start, hours=1)])
    medals = drawn(leaderboard.board(opened, THIS, now=NOW, by="hours"))
    assert (1, 0) == (medals.count("🥇"), medals.count("🥈"))


def test_what_an_owner_who_is_no_administrator_has_collected(opened: Store) -> None:
    """No command brings more; where something was left out there is one."""
    save(opened, [task(1, 1, THIS.start)])
    collect(opened, THIS.start, THIS.end, NOW, complete=False)
    part = "Only what the webhook's owner sees was collected: the owner is not an administrator."
    week, month = (leaderboard.board(opened, one, now=NOW) for one in (THIS, periods.parse("2026-11", MOSCOW)))
    assert (False, True, part) == (
        week.complete,
        " ".join(drawn(week).split()).endswith(part),
        messages.to_plain(messages.write_board(week)).splitlines()[-1],
    )
    command = "Run `b24tools snapshot --since 2026-10-26`."
    assert (False, True) == (month.complete, " ".join(drawn(month).split()).endswith(command))


def test_where_all_have_opted_out_tasks_were_closed_all_the_same(opened: Store, plant: Callable[..., Board]) -> None:
    """The first place is not free, and there are hours."""
    opened.settings.save("opted_out_users", ",".join(map(str, [*range(1, 9), 77])))
    boards = [plant(by=by) for by in ("tasks", "hours")]
    assert [((), 29)] * 2 == [(board.rows, board.total_tasks) for board in boards]
    assert ["All who have closed tasks do not want to be named."] * 2 == [
        drawn(board).strip().splitlines()[-1] for board in boards
    ]


@pytest.mark.parametrize("language", ["en", "ru"])
def test_the_plant_without_utf8(plant: Callable[..., Board], language: str) -> None:
    """cp866 knows the names, but neither medals nor dots."""
    i18n.use(language)

    screen = drawn(plant(), encoding="cp866")

    screens.check(f"leaderboard/people_ascii.{language}.txt", screen)
    assert "?" not in screen


@pytest.mark.parametrize("language", ["en", "ru"])
def test_the_plant_in_a_pipe(plant: Callable[..., Board], language: str, capsys: pytest.CaptureFixture[str]) -> None:
    """No frame, no bar, no medals, no colours; whole names."""
    i18n.use(language)

    render_leaderboard.print_board(plant(), MOSCOW, NOW)

    screens.check(f"leaderboard/people_plain.{language}.txt", capsys.readouterr().out)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("hours", {"by": "hours"}),
        ("teams", {"teams": True}),
        ("teams_hours", {"teams": True, "by": "hours"}),
        ("top", {"top": 3}),
        ("month", {"period": periods.parse("2026-11", MOSCOW)}),
        ("first_week", {"period": LAST}),
    ],
)
def test_other_rankings(plant: Callable[..., Board], name: str, options: dict[str, Any]) -> None:
    """By hours, of teams, cut, of an incomplete month, of a week with nothing to compare with."""
    screens.check(f"leaderboard/{name}_80.en.txt", drawn(plant(**options)))


@pytest.mark.parametrize("width", [80, 200])
def test_names_of_sixty_characters(width: int) -> None:
    """They give way to the figures on a narrow terminal."""
    long = "Александра-Екатерина Константинопольская-Преображенская Третья"[:60]
    assert 60 == len(long)
    rows = (
        Row(
            1, None, 1, long, "Отдел технического контроля и приёмки продукции заказчиком №1", 1204, 1204, 3100.5, 5, 9
        ),
        Row(2, 3, 2, "漢字 かな é", "Цех", 7, 7, 1.0, 0, 0),
        Row(3, -1, 3, "Ли", None, 1, 1, 0.1, 3, 3),
    )

    printed = drawn(invented(rows), width)

    screens.check(f"leaderboard/long_{width}.en.txt", printed)
    assert width >= max(cell_len(line) for line in printed.splitlines())


@pytest.mark.long
@pytest.mark.parametrize("width", [80, 200])
def test_two_thousand_people(width: int) -> None:
    """Every line has the same width, and the last ones still have a bar."""
    rows = tuple(
        Row(n, 2001 - 2 * n, n, f"Имя Фамильный{n}", f"Цех {n % 40}", 2001 - n, 2001 - n, (2001 - n) / 10, n % 7, 7)
        for n in range(1, 2001)
    )

    lines = drawn(invented(rows), width).splitlines()

    screens.check(f"leaderboard/2000_{width}.en.txt", "\n".join([*lines[:12], "…", *lines[-8:], ""]))
    assert 2000 + 7 == len(lines)
    assert 1 == len({cell_len(line) for line in lines[3:-2]})
    assert width >= cell_len(lines[3])


def test_one_person() -> None:
    """Singular words."""
    rows = (Row(1, 0, 1, "Иван Петров", "Цех", 1, 1, 2.5, 1, 1),)

    screens.check("leaderboard/one_80.en.txt", drawn(invented(rows)))


@pytest.mark.parametrize(
    ("name", "period", "runs"),
    [
        ("empty", THIS, True),
        ("empty_past", LAST, True),
        ("to_come", periods.parse("2027-W01", MOSCOW), True),
        ("nothing", THIS, False),
    ],
)
def test_an_empty_week(opened: Store, name: str, period: periods.Period, runs: bool) -> None:
    """A friendly line instead of a table."""
    if runs:
        collect(opened, LAST.start, THIS.end, NOW - timedelta(minutes=3))

    board = leaderboard.board(opened, period, now=NOW)

    screens.check(f"leaderboard/{name}.en.txt", drawn(board))


@pytest.mark.parametrize(
    ("first", "after", "kind", "english", "russian"),
    [
        ((2026, 11, 16), (2026, 11, 23), "week", "week 47, 16–22 November 2026", "неделя 47, 16–22 ноября 2026"),
        ((2026, 4, 27), (2026, 5, 4), "week", "week 18, 27 April – 3 May 2026", "неделя 18, 27 апреля – 3 мая 2026"),
        (
            (2026, 12, 28),
            (2027, 1, 4),
            "week",
            "week 53, 28 December 2026 – 3 January 2027",
            "неделя 53, 28 декабря 2026 – 3 января 2027",
        ),
        ((2026, 5, 1), (2026, 6, 1), "month", "May 2026", "май 2026"),
    ],
)
def test_a_period_in_words(
    first: tuple[int, int, int], after: tuple[int, int, int], kind: str, english: str, russian: str
) -> None:
    """Days, months and years are named once where once is enough."""
    period = periods.Period(date(*first), date(*after), kind, MOSCOW)
    told = []
    for language in ("en", "ru"):
        i18n.use(language)
        told.append(leaderboard_text.describe_period(period))

    assert [english, russian] == told


@pytest.mark.parametrize(
    ("ago", "expected"),
    [
        (timedelta(seconds=20), "Data as of 14:04, just now; mode webhook"),
        (timedelta(minutes=3), "Data as of 14:02, 3 min ago; mode webhook"),
        (timedelta(hours=15), "Data as of 19.11 23:05, 15 h ago; mode webhook"),
        (timedelta(days=330), "Data as of 25.12.2025 14:05, 330 days ago; mode webhook"),
    ],
)
def test_the_age_of_the_data(ago: timedelta, expected: str) -> None:
    """The day only where it is not today, the year only where it is another one."""
    assert expected == leaderboard_text.describe_age(NOW - ago, "webhook", MOSCOW, NOW)


@pytest.mark.parametrize(
    ("on_time", "of", "expected"), [(2, 2, "-"), (3, 3, "100%"), (2, 3, "67%"), (0, 3, "0%"), (1, 8, "13%")]
)
def test_the_share_on_time_is_hidden_below_three(on_time: int, of: int, expected: str) -> None:
    """One of one is no merit."""
    assert expected == leaderboard_text.format_share(Row(1, 0, 1, "", None, 9, 9, 1.0, on_time, of))


# what programs get


def test_json(plant: Callable[..., Board]) -> None:
    """The keys of the contract; times in the zone."""
    board = plant(top=2)

    expected = {
        "period": {
            "kind": "week",
            "label": "2026-W47",
            "from": "2026-11-16T00:00:00+03:00",
            "to": "2026-11-23T00:00:00+03:00",
            "complete": True,
        },
        "by": "tasks",
        "as_of": "2026-11-20T14:02:00+03:00",
        "rows": [
            {
                "place": 1,
                "user_id": 1,
                "name": "Иван Петров",
                "department": "Сварочный цех",
                "tasks": 9,
                "hours": 13.5,
                "on_time": 8,
                "on_time_of": 9,
                "moved": 1,
                "badges": ["most_improved"],
            },
            {
                "place": 2,
                "user_id": 3,
                "name": "Алёна Ёлкина",
                "department": "Монтаж и упаковка",
                "tasks": 7,
                "hours": 2.8,
                "on_time": 2,
                "on_time_of": 3,
                "moved": 2,
                "badges": ["most_improved"],
            },
        ],
        "benchmarks": {"ranked": 9, "median": 4.0, "first_quarter": 7, "me": None},
        "scope": {"group": None, "department": None},
        "goal": None,
    }
    assert expected == render_leaderboard.data(board, MOSCOW)


def test_json_of_somebody_new_and_of_a_team(plant: Callable[..., Board]) -> None:
    """`moved` is "new"; a team has three keys more."""
    new = render_leaderboard.data(plant(), MOSCOW)["rows"][6]
    team = render_leaderboard.data(plant(teams=True), MOSCOW)["rows"][0]

    assert ("Глеб Новый", "new") == (new["name"], new["moved"])
    assert {
        "user_id": None,
        "name": "Покраска",
        "department_id": 12,
        "people": 1,
        "per_person": 8.0,
    }.items() <= team.items()


# terminals


class Terminal(io.TextIOWrapper):
    """stdout that is a terminal, or not."""

    def __init__(self, encoding: str, terminal: bool) -> None:
        super().__init__(io.BytesIO(), encoding=encoding, errors="replace", newline="")
        self.terminal = terminal

    def isatty(self) -> bool:
        return self.terminal

    def text(self) -> str:
        self.flush()
        return self.buffer.getvalue().decode(self.encoding)  # type: ignore[attr-defined]


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Terminal]:
    """Put a screen in the place of stdout."""
    for name in ("NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "80")

    def place(encoding: str = "utf-8", *, terminal: bool = True) -> Terminal:
        screen = Terminal(encoding, terminal)
        monkeypatch.setattr(sys, "stdout", screen)
        return screen

    return place


def test_a_terminal_gets_colours_a_bar_and_medals(
    plant: Callable[..., Board], terminal: Callable[..., Terminal]
) -> None:
    """The same words as without colours."""
    out = terminal()

    render_leaderboard.print_board(plant(), MOSCOW, NOW)

    assert "\x1b[32m▲1" in out.text()
    plain = re.sub(r"\x1b\[[0-9;]*m", "", out.text())
    assert drawn(plant()) == "".join(f"{line.rstrip()}\n" for line in plain.splitlines())


def test_csv_goes_out_as_it_is(plant: Callable[..., Board], terminal: Callable[..., Terminal]) -> None:
    """Windows must not add another carriage return, nor a terminal's encoding eat letters."""
    out = terminal("cp866")

    print_file(leaderboard_export.to_csv(plant()))

    assert leaderboard_export.to_csv(plant()).encode() == out.buffer.getvalue()  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", ["\x1b[31mred", "a\rb", "a\nb", "\u202eabc", "a\x07"])
def test_a_name_does_not_move_the_cursor(name: str) -> None:
    """Control characters and turns of the writing direction are dropped."""
    printed = drawn(invented((Row(1, 0, 1, name, name, 1, 1, 1.0, 0, 0),)))

    assert printed.replace("\n", "").isprintable()
    assert 8 == printed.count("\n")


def test_a_board_with_movement_shows_it_only_if_there_was_one_before(plant: Callable[..., Board]) -> None:
    """Everybody "new" says nothing."""
    assert "new" not in drawn(plant(LAST))


def test_json_is_json(plant: Callable[..., Board]) -> None:
    """Nothing in it that JSON does not know."""
    assert json.loads(json.dumps(render_leaderboard.data(plant(teams=True, by="hours"), MOSCOW)))


def test_a_person_nobody_knows_and_a_company_of_one(opened: Store) -> None:
    """A number stands for a name, a dash for a team."""
    opened.people.save([person(5, "", 1)], NOW)
    save(opened, [task(1, 5, THIS.start), task(2, 6, THIS.start)])

    board = leaderboard.board(opened, THIS, now=NOW)

    assert [("#5", None), ("#6", None)] == [(row.name, row.department) for row in board.rows]
