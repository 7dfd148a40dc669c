"""`b24tools replan` as planners and cron meet it: what it asks, its statuses, its JSON."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from b24tools import context
from b24tools.cli import app
from b24tools.core import config
from b24tools.sandbox import demo_company, server
from b24tools.sandbox.state import Portal

MOVE = ["task_id", "order", "position", "from", "to", "reason", "outcome", "note"]
CHANGE = ["number", "finish_before", "finish_after", "late_before_s", "late_after_s"]
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def portal(monkeypatch: pytest.MonkeyPatch) -> Iterator[Portal]:
    """The plant on a port of this machine, in the settings."""
    plant = demo_company.build(context.now)
    with server.serve(plant) as url:
        monkeypatch.setenv("BITRIX_WEBHOOK_URL", plant.webhook_url(url))
        monkeypatch.setenv("B24_REQUESTS_PER_SECOND", "1000")
        monkeypatch.setenv("B24_RETRY_SECONDS", "0")
        yield plant


@pytest.fixture
def b24tools(capsys: pytest.CaptureFixture[str], tmp_path: Any) -> Run:
    """One run of the program inside this process: its status, stdout and stderr."""

    def run(*arguments: str) -> tuple[int, str, str]:
        status = app.main(list(arguments))
        told = capsys.readouterr()
        return status, told.out, told.err

    return run


@pytest.fixture
def sick(portal: Portal, b24tools: Run, tmp_path: Any) -> tuple[str, int]:
    """An order of a welder who falls ill: the welder's name, the task."""
    body = {
        "ИдентификаторЗаказа": "11111111-2222-3333-4444-555555555555",
        "НомерЗаказа": "7",
        "ДатаЗаказа": "2026-01-01T00:00:00",
        "Выполнен": False,
        "Калькуляция": [{"Должность": "Сварщик", "Время": 240}],
    }
    file = tmp_path / "order.json"
    file.write_text(json.dumps(body), encoding="utf-8")
    status, out, _err = b24tools("assign", str(file), "--json")
    assert 0 == status
    task = json.loads(out)["data"][0]["tasks"][0]
    today = context.now().date()
    portal.add_absence(task["responsible"]["id"], today - timedelta(days=1), today + timedelta(days=20))
    return task["responsible"]["name"], task["task_id"]


def test_without_a_terminal_it_prints_and_ends_with_2(portal: Portal, sick: tuple[str, int], b24tools: Run) -> None:
    """Cron has to say --yes; then it moves, and the next run has nothing to do."""
    name, task = sick
    writes = len(portal.writes())
    status, out, err = b24tools("replan")
    assert (2, 1) == (status, err.count("\n"))
    assert f"{name} →" in out
    assert "--yes" in err
    assert [] == portal.writes()[writes:]
    status, out, err = b24tools("replan", "--yes")
    assert (0, "") == (status, err)
    note = (config.load().data_dir / "run" / "assign.lock.json").read_text(encoding="utf-8")
    assert "replan" == json.loads(note)["command"]  # for those who wait
    assert portal.tasks[task].responsible != portal.tasks[task].creator
    assert (0, "", "Nothing is to be moved.\n") == b24tools("replan", "--yes")
    status, out, _err = b24tools("why", str(task))
    assert f"A replan took it from {name}: the person is away." in out
    assert 2 == out.count(f"Task {task}, Сварщик: 7: given to")


def test_the_json_of_a_plan_and_of_its_moves(portal: Portal, sick: tuple[str, int], b24tools: Run) -> None:
    """The same keys whatever the status; without --yes an error beside the data."""
    name, task = sick
    for arguments, status, outcome in (((), 2, "planned"), (("--dry-run",), 0, "planned"), (("--yes",), 0, "moved")):
        exit_status, out, _err = b24tools("replan", "--json", *arguments)
        envelope = json.loads(out)
        assert (status, status == 0) == (exit_status, envelope["ok"])
        (move,) = envelope["data"]["moves"]
        assert MOVE == list(move)
        assert (task, "7", "Сварщик", "away", outcome) == (
            move["task_id"],
            move["order"],
            move["position"],
            move["reason"],
            move["outcome"],
        )
        assert name == move["from"]["responsible"]["name"] != move["to"]["responsible"]["name"]
        assert [CHANGE] == [list(order) for order in envelope["data"]["orders"]]
        assert "usage" == (envelope["error"] or {}).get("code", "usage")


def test_more_than_max_moves_moves_nothing(portal: Portal, sick: tuple[str, int], b24tools: Run) -> None:
    """A wrong absence must not turn the whole plant over at night."""
    writes = len(portal.writes())
    status, _out, err = b24tools("replan", "--yes", "--max-moves", "0")
    assert (2, []) == (status, portal.writes()[writes:])
    assert "1 task would move, more than --max-moves 0: none was moved" in err


@pytest.mark.long
@pytest.mark.parametrize("scope", ["calendar", "timeman"])
def test_without_hours_and_absences_nothing_is_moved(
    scope: str, portal: Portal, sick: tuple[str, int], b24tools: Run
) -> None:
    """What is not known is not guessed: --without would still find something to move."""
    portal.scopes.discard(scope)
    shutil.rmtree(Path(os.environ["B24_DATA_DIR"]) / "cache")
    writes = len(portal.writes())
    status, _out, err = b24tools("replan", "--yes", "--without", sick[0])
    assert (1, []) == (status, portal.writes()[writes:])
    assert scope in err


@pytest.mark.parametrize(
    "arguments",
    [
        ("--from", "2026-11-24"),
        ("--without", "Никто"),
        ("--first", "404"),
        ("--frozen", "soon"),
        ("--without", "1", "--from", "2026-11-24", "--until", "2026-11-23"),
    ],
)
def test_a_wrong_question_is_refused(arguments: tuple[str, ...], portal: Portal, b24tools: Run) -> None:
    """Exit 2 and one line that says what to do."""
    status, out, err = b24tools("replan", *arguments)
    assert (2, "", 1) == (status, out, err.count("\n"))


def test_what_keeps_an_order_late_is_said_but_not_to_cron(portal: Portal, b24tools: Run, tmp_path: Any) -> None:
    """Somebody has given both operations to one person; the other welder has nothing to do."""
    body = {
        "ИдентификаторЗаказа": "11111111-2222-3333-4444-555555555555",
        "НомерЗаказа": "7",
        "ДатаЗаказа": "2026-01-01T00:00:00",
        "ДатаВыполнения": (context.now() - timedelta(days=3)).date().isoformat() + "T00:00:00",
        "Выполнен": False,
        "Калькуляция": [{"Должность": "Сварщик", "Время": 480}, {"Должность": "Сварщик", "Время": 480}],
    }
    file = tmp_path / "order.json"
    file.write_text(json.dumps(body), encoding="utf-8")
    _status, out, _err = b24tools("assign", str(file), "--json")
    first, second = json.loads(out)["data"][0]["tasks"]
    assert first["responsible"] != second["responsible"]
    to = {"taskId": second["task_id"], "userId": first["responsible"]["id"]}
    portal.act("tasks.task.delegate", to, user_id=second["responsible"]["id"])
    assert (0, "", "") == b24tools("-q", "replan", "--yes")
    status, out, err = b24tools("replan", "--yes")
    assert (0, "Nothing is to be moved.\n") == (status, err)
    assert "stays: somebody has changed it or written about it" in " ".join(out.split())


def test_it_asks_on_a_terminal(
    portal: Portal, sick: tuple[str, int], b24tools: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No is no, and only a yes is one: in either language."""
    asked: list[str] = []
    answers = iter(["", "Да"])

    def answer(text: str, **_options: object) -> str:
        asked.append(text)
        return next(answers)

    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    monkeypatch.setattr("typer.prompt", answer)
    writes = len(portal.writes())
    status, _out, err = b24tools("replan")
    assert (0, "Nothing was moved.\n", []) == (status, err, portal.writes()[writes:])
    assert 0 == b24tools("replan")[0]
    assert 1 == len(portal.writes()[writes:])
    assert 2 * ["Moves: 1 task; orders that end at another time: 1 order. Move them? [y/N]"] == asked
