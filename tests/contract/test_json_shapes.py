"""`--json` of every command, compared with what docs/json.md says of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import typer.main
from pydantic import TypeAdapter

from b24tools import context
from b24tools.cli import app
from b24tools.jobs.events import process
from b24tools.sandbox import demo_company, server
from b24tools.sandbox.state import Portal
from b24tools.store import open_store
from scripts.json_shapes import COMMANDS
from tests.support.orders import Clock
from tests.support.server import FORM, OUTGOING, as_bytes, event_body, order

TWO_LINES = (("Сварщик", 240.0), ("Монтажник", 90.0))
Run = Callable[..., Any]


@pytest.fixture
def portal(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Portal]:
    """The plant on a port of this machine, on a Monday morning."""
    clock = Clock()
    monkeypatch.setattr(context, "now", clock)
    plant = demo_company.build(clock)
    with server.serve(plant) as url:
        monkeypatch.setenv("BITRIX_WEBHOOK_URL", plant.webhook_url(url))
        monkeypatch.setenv("B24_REQUESTS_PER_SECOND", "1000")
        monkeypatch.setenv("B24_RETRY_SECONDS", "0")
        monkeypatch.setenv("B24_DATA_DIR", str(tmp_path))
        (tmp_path / "profiles").mkdir()
        (tmp_path / "profiles" / "plant-2.env").touch()
        monkeypatch.setenv("B24_PROFILES", str(tmp_path / "profiles"))
        yield plant


@pytest.fixture
def seen() -> set[str]:
    """The commands whose data were compared."""
    return set()


@pytest.fixture
def run(portal: Portal, seen: set[str], capsys: pytest.CaptureFixture[str]) -> Run:
    """A command with `--json`; its data, after they were compared."""

    def run(command: str, *more: str, status: int = 0) -> Any:
        ended = app.main([*command.split(), *more, "--json"])
        printed = capsys.readouterr()
        assert status == ended, printed.err
        answer = json.loads(printed.out)
        assert ["version", "command", "ok", "data", "warnings", "error"] == list(answer)
        if answer["data"] is not None:
            shape = TypeAdapter(COMMANDS[command])
            shape.validate_json(json.dumps(answer["data"]), strict=True, extra="forbid")
            if answer["data"]:
                seen.add(command)
        return answer["data"]

    return run


def test_every_command_that_takes_json_is_described() -> None:
    """And nothing else is."""
    group: Any = typer.main.get_command(app.app)
    commands = {name for name, verb in group.commands.items() if any("--json" in param.opts for param in verb.params)}
    assert commands == {name.partition(" ")[0] for name in COMMANDS}


@pytest.mark.long
def test_every_command_prints_what_is_described(run: Run, seen: set[str], portal: Portal, tmp_path: Path) -> None:
    """From the first order to the last event."""
    file, events = tmp_path / "order.json", tmp_path / "event.txt"
    file.write_bytes(as_bytes(order(TWO_LINES, Контрагент="ООО «Ромашка»", РекоммендуемаяДатаСдачи="2026-11-23")))
    run("assign", str(file), "--dry-run")
    (made,) = run("assign", str(file))
    (tmp_path / "bad.json").write_bytes(as_bytes(order([("Нет такого", 5.0)], ИдентификаторЗаказа="bad")))
    run("assign", str(tmp_path / "bad.json"), status=1)
    run("assign", str(tmp_path / "none.json"), status=2)

    task = made["tasks"][0]
    today = context.now().date()
    run("why", str(task["task_id"]))
    portal.add_absence(task["responsible"]["id"], today - timedelta(days=1), today + timedelta(days=20))
    run("orders", "--all")
    run("replan", "--dry-run")
    assert ["moved"] == [move["outcome"] for move in run("replan", "--yes")["moves"]]
    assert run("why", str(task["task_id"]))["earlier"]
    run("why --order", made["order"]["id"])
    terms = {"rate": 0.5, "hours_a_week": 30, "only": ["Сварщик"], "never": ["Маляр"]}
    (tmp_path / "people.json").write_text(json.dumps({"people": {task["responsible"]["id"]: terms}}), encoding="utf-8")
    assert [terms] == [person["terms"] for person in run("load") if "terms" in person]
    run("load", task["responsible"]["name"])
    run("today")
    run("history")
    run("digest", "--to", "chat42", "--dry-run")

    run("leaderboard")
    run("leaderboard --profiles", "plant-2")
    run("leaderboard --rules")
    portal.tasks[task["task_id"]].time_spent = 3600
    portal.act("tasks.task.complete", {"taskId": task["task_id"]}, user_id=1)
    run("snapshot")
    assert run("why", str(task["task_id"]))["now"]["closed_at"]
    assert [1] == [norm["n"] for norm in run("norms")]
    run("orders", "--all")
    for options in ((), ("--teams",), ("--month", "--by", "hours"), ("last",)):
        run("leaderboard", *options)
    run("mode", "webhook")
    run("snapshot")
    run("config")
    run("config", "hidden_users", "7")

    body = event_body(portal, task["task_id"])
    events.write_bytes(body)
    run("replay", str(events))
    with closing(open_store(tmp_path / "b24tools.db")) as store:
        process.receive(store, body, FORM["Content-Type"], [OUTGOING], context.now())
    run("replay --list")
    run("config", "doctor_ignore", "add", f"logins {today} they come in December")
    assert [True] == ["known" in check for check in run("doctor", status=1) if check["check"] == "logins"]
    assert [0] == [answer["status"] for answer in run("each", "--", "mode")]
    run("backup", str(tmp_path / "a.zip"))
    assert 1 < run("restore", str(tmp_path / "a.zip"), "--yes")["tables"]["orders"]
    assert COMMANDS.keys() == seen
