"""`b24tools assign` as people and scripts meet it: files, settings and portals of every kind, statuses, JSON."""

from __future__ import annotations

import io
import json
import os
import shlex
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from b24tools import context
from b24tools.cli import app
from b24tools.core import config
from b24tools.sandbox import demo_company, server
from b24tools.sandbox.faults import Fault
from b24tools.sandbox.state import Portal

SAMPLE = Path(__file__).parent.parent / "data" / "orders" / "sample.json"
ENVELOPE = ["version", "command", "ok", "data", "warnings", "error"]
ORDER = ["order", "outcome", "tasks", "finish", "wanted", "late_s", "late_work_s", "promise", "bottleneck"]
TASK = [
    *("position", "outcome", "task_id", "title", "responsible", "department", "start", "end", "ready"),
    *("deadline", "estimate_s", "files", "warnings", "error"),
]


@dataclass
class Told:
    """What a command said."""

    status: int
    out: str
    err: str

    @property
    def envelope(self) -> dict[str, Any]:
        """The one JSON object on stdout."""
        envelope = json.loads(self.out)
        assert list(envelope) == ENVELOPE
        assert envelope["ok"] is (self.status == 0)
        return dict(envelope)

    @property
    def line(self) -> str:
        """The one line on stderr."""
        assert self.err.count("\n") == 1, self.err
        assert "Traceback" not in self.err
        return self.err.rstrip("\n")


Run = Callable[..., Told]


@pytest.fixture
def portal(monkeypatch: pytest.MonkeyPatch) -> Iterator[Portal]:
    """The plant on a port of this machine, in the settings."""
    plant_portal = demo_company.build(context.now)
    with server.serve(plant_portal) as url:
        monkeypatch.setenv("BITRIX_WEBHOOK_URL", plant_portal.webhook_url(url))
        monkeypatch.setenv("B24_REQUESTS_PER_SECOND", "1000")
        monkeypatch.setenv("B24_RETRY_SECONDS", "0")
        yield plant_portal


@pytest.fixture
def b24tools(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """One run of the program inside this process."""

    def run(*arguments: object, stdin: bytes | None = None) -> Told:
        if stdin is not None:
            monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        capsys.readouterr()
        status = app.main([str(argument) for argument in arguments])
        return Told(status, *capsys.readouterr())

    return run


def outcomes(told: Told) -> list[tuple[str, list[str]]]:
    """Each order's outcome and those of its tasks."""
    return [(result["outcome"], [task["outcome"] for task in result["tasks"]]) for result in told.envelope["data"]]


def changed(**changes: Any) -> str:
    """The sample order with other values, as JSON."""
    return json.dumps(json.loads(SAMPLE.read_text(encoding="utf-8")) | changes, ensure_ascii=False)


def test_the_reason_beside_a_bad_order_of_the_inbox_holds_no_secret(
    portal: Portal, b24tools: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor does what is printed, as text or as JSON."""
    monkeypatch.setenv("B24_SERVE_TOKEN", "serve-token-of-the-tests")
    for name in "ab":
        file = tmp_path / f"{name}.json"
        file.write_text(changed(Выполнен="serve-token-of-the-tests, and more"), encoding="utf-8")
        os.utime(file, (0, 0))
        said = b24tools("assign", "--inbox", tmp_path, *(["--json"] if name == "a" else []))
        assert "serve-token" not in said.out + said.err
        reason = (tmp_path / "failed" / f"{name}.json.txt").read_text(encoding="utf-8")
        assert 'Выполнен: "***, and more"' in reason and "serve-token" not in reason


# the sample order


def test_the_sample_order_makes_six_tasks_and_says_so(portal: Portal, b24tools: Run) -> None:
    """When it is ready and what holds it up, a row per task with its address, a warning that the date is past."""
    told = b24tools("assign", SAMPLE)
    assert (0, "") == (told.status, told.err)
    lines = told.out.splitlines()
    assert lines[0].startswith("Order 1Ц-00000069: created, 6 tasks; ready ")
    assert "wanted by 04.11.2024; late by " in lines[0]
    assert lines[1].startswith('"Макетчик" holds it up: 21 h 55 min of work')
    ids = sorted(task.id for task in portal.tasks if (task.xml_id or "").startswith("1c:"))
    host = os.environ["BITRIX_WEBHOOK_URL"].partition("/rest/")[0]
    assert [f"{host}/company/personal/user/0/tasks/task/view/{task_id}/" for task_id in ids] == [
        line.split()[-1] for line in lines[3:9]
    ]
    assert ["  ! the wanted date 04.11.2024 has passed: the deadline is the end of the plan"] == lines[9:]


def test_the_json_has_exactly_the_keys_of_the_contract(portal: Portal, b24tools: Run) -> None:
    """Names, order, and the types of the values."""
    told = b24tools("assign", SAMPLE, "--json")
    envelope = told.envelope
    assert (0, "", 1, "assign", [], None) == (
        told.status,
        told.err,
        envelope["version"],
        envelope["command"],
        envelope["warnings"],
        envelope["error"],
    )
    result = envelope["data"][0]
    assert (ORDER, TASK) == (list(result), list(result["tasks"][0]))
    assert {"id": "b7c57163-8c5d-11ef-905d-a41731192b22", "number": "1Ц-00000069"} == result["order"]
    task = result["tasks"][3]
    assert {
        "position": "Сварщик",
        "outcome": "created",
        "title": "Сварщик: 1Ц-00000069",
        "department": {"id": 9, "name": "Сварщик"},
        "estimate_s": 220 * 60,
        "files": ["test.json"],
        "error": None,
    } == {name: task[name] for name in ("position", "outcome", "title", "department", "estimate_s", "files", "error")}
    assert task["end"].endswith("+03:00") and task["end"] == task["deadline"]
    assert task["responsible"]["name"] == portal.users[task["responsible"]["id"]].full_name
    assert result["finish"] == max(task["end"] for task in result["tasks"])
    assert ("2024-11-04T23:59:59+03:00", True) == (result["wanted"], result["late_s"] > 0)


@pytest.mark.long
def test_the_sample_order_is_the_same_in_every_form_1c_may_send(portal: Portal, b24tools: Run, tmp_path: Path) -> None:
    """Encodings, stdin, decimals with commas, base64 in pieces: all six tasks unchanged, nothing written."""
    text = SAMPLE.read_text(encoding="utf-8")
    assert [("created", ["created"] * 6)] == outcomes(b24tools("assign", SAMPLE, "--json"))
    forms = {
        "bom": text.encode("utf-8-sig"),
        "utf-16": text.encode("utf-16"),
        "utf-16-be": b"\xfe\xff" + text.encode("utf-16-be"),
        "windows-1251": text.encode("windows-1251"),
        "comma decimals": text.replace("1310.48", '"1\u00a0310,48"').replace("68.67", '"68,67"').encode(),
        "broken base64": text.replace("eyJ0ZXN0Ijog", "eyJ0ZX\\r\\nN0Ijog").encode(),
        "a list": f"[{text}]".encode(),
        "one line": " ".join(text.split()).encode(),
        "right spelling": text.replace("Рекоммендуемая", "Рекомендуемая").encode(),
    }
    portal.log.clear()
    for number, (form, data) in enumerate(forms.items()):
        file = tmp_path / f"{number}.json"
        file.write_bytes(data)
        assert [("unchanged", ["unchanged"] * 6)] == outcomes(b24tools("assign", file, "--json")), form
    assert [("unchanged", ["unchanged"] * 6)] == outcomes(b24tools("assign", "-", "--json", stdin=text.encode()))
    assert [] == portal.writes()


# orders that cannot be read

BAD = {
    "not JSON": (b"hello", 'this is not JSON: line 1, column 1, near "hello"'),
    "empty": (b"", "the order is empty"),
    "cut off": (SAMPLE.read_bytes()[:700].decode("utf-8", "ignore").encode(), "the file is not complete"),
    "a number": (b"5", "5 is not an order"),
    "an empty list": (b"[]", "the list of orders is empty"),
    "no lines": (changed(Калькуляция=None).encode(), "Калькуляция: null is not a list"),
    "a wrong type": (
        changed(Калькуляция=[{"Должность": "Сварщик", "Время": "abc"}]).encode(),
        'Калькуляция[0].Время: "abc" is not a number of minutes',
    ),
    "negative time": (
        changed(Калькуляция=[{"Должность": "Сварщик", "Время": -5}]).encode(),
        "Калькуляция[0].Время: -5 is a negative number of minutes",
    ),
    "a missing field": (changed(Калькуляция=[{"Должность": "Сварщик"}]).encode(), "Калькуляция[0].Время: missing"),
    "a binary": (bytes(range(256)), "not"),
    "no base64": (
        changed(ПрисоединенныеФайлы=[{"Имя": "a", "ДвоичныеДанные": "?"}]).encode(),
        'ПрисоединенныеФайлы[0].ДвоичныеДанные: "?" is not base64',
    ),
}


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_order_is_refused_in_one_line(portal: Portal, b24tools: Run, tmp_path: Path, kind: str) -> None:
    """Exit 2, the file and the reason; the portal is not even asked; JSON all the same."""
    data, reason = BAD[kind]
    file = tmp_path / "order.json"
    file.write_bytes(data)
    told = b24tools("assign", file)
    assert (2, "") == (told.status, told.out)
    assert told.line.startswith(f"{file}: ") and reason in told.line
    assert told.line.endswith("Correct the order in 1C and send it again.")
    assert told.line == b24tools("assign", "-", stdin=data).line.replace("stdin: ", f"{file}: ", 1)
    error = b24tools("assign", file, "--json").envelope["error"]
    assert ("bad_order", told.line) == (error["code"], f"{error['message']}. {error['hint']}")
    assert [] == portal.log


@pytest.mark.parametrize("name", ["missing.json", ".", "/dev/null/x"])
def test_a_file_that_cannot_be_read_is_named(portal: Portal, b24tools: Run, name: str) -> None:
    """Missing, a folder, not even a path."""
    told = b24tools("assign", name)
    assert (2, True) == (told.status, told.line.startswith(f"{name}: "))
    assert told.line.endswith("Name a file with an order that this user may read.")
    assert "usage" == b24tools("assign", name, "--json").envelope["error"]["code"]
    assert [] == portal.log


def test_a_file_nobody_may_read_is_named(
    portal: Portal, b24tools: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As root reads everything, the refusal is played."""
    file = tmp_path / "order.json"
    file.write_bytes(SAMPLE.read_bytes())
    opened = Path.open

    def refused(self: Path, *arguments: Any, **options: Any) -> Any:
        if self == file:
            raise PermissionError(13, "Permission denied", str(self))
        return opened(self, *arguments, **options)

    monkeypatch.setattr(Path, "open", refused)
    assert (
        f"{file}: Permission denied. Name a file with an order that this user may read."
        == b24tools("assign", file).line
    )
    assert [] == portal.log


def test_several_files_with_one_bad_are_done_but_for_that_one(portal: Portal, b24tools: Run, tmp_path: Path) -> None:
    """Exit 3; the line names the bad one; the good ones are planned together."""
    bad, other = tmp_path / "bad.json", tmp_path / "other.json"
    bad.write_text("{", encoding="utf-8")
    other.write_text(changed(ИдентификаторЗаказа="2", НомерЗаказа="2"), encoding="utf-8")
    told = b24tools("assign", SAMPLE, bad, other, "--json")
    assert 3 == told.status
    assert [("created", ["created"] * 6)] * 2 == outcomes(told)
    assert told.line.startswith(f"{bad}: ")
    assert "bad_order" == told.envelope["error"]["code"]


def test_a_line_that_fails_makes_the_run_partly_done(portal: Portal, b24tools: Run, tmp_path: Path) -> None:
    """Exit 3, the order, the line and the mend; with nothing but failures 1."""
    file = tmp_path / "order.json"
    lines = [{"Должность": "Сварщик", "Время": 5}, {"Должность": "Сварщег", "Время": 5}]
    file.write_text(changed(Калькуляция=lines), encoding="utf-8")
    told = b24tools("assign", file)
    assert 3 == told.status
    assert told.line.startswith('1Ц-00000069, Сварщег: there is no department "Сварщег" under "Производство"')
    assert "B24_FALLBACK_USER" in told.line
    assert [("partial", ["unchanged", "failed"])] == outcomes(b24tools("assign", file, "--json"))
    file.write_text(changed(ИдентификаторЗаказа="2", Калькуляция=lines[1:]), encoding="utf-8")
    assert 1 == b24tools("assign", file).status


# usage


USAGE = {
    "no file": (["assign"], "name order files, - for stdin, or a folder with --inbox"),
    "files and an inbox": (["assign", "a.json", "--inbox", "."], "name order files, - for stdin, or a folder"),
    "an inbox and a dry run": (["assign", "--inbox", ".", "--dry-run"], "--inbox moves files, --dry-run must not"),
    "a pin without a user": (["assign", "a.json", "--to", "Сварщик"], '--to "Сварщик" is not POSITION=PERSON'),
    "a pin to user 0": (["assign", "a.json", "--to", "Сварщик=0"], '--to "Сварщик=0" is not POSITION=PERSON'),
    "a pin without a position": (["assign", "a.json", "--to", "=Козлов"], "is not POSITION=PERSON"),
    "a trial that is none": (["assign", "a.json", "--without", "17"], "--without is a trial"),
    "days of nobody": (["assign", "a.json", "--until", "2026-11-30"], "--from and --until say when --without is away"),
    "an unknown option": (["assign", "a.json", "--dry"], "--dry"),
    "an unknown command": (["asign"], "asign"),
    "an option without a value": (["assign", "--inbox"], "--inbox"),
}


@pytest.mark.parametrize("kind", USAGE)
def test_a_usage_error_is_one_line_and_one_object(b24tools: Run, kind: str) -> None:
    """Exit 2, also with --json."""
    arguments, reason = USAGE[kind]
    told = b24tools(*arguments)
    assert (2, "", True) == (told.status, told.out, reason in told.line)
    if kind != "an option without a value":
        arguments = [*arguments, "--json"]
        envelope = b24tools(*arguments).envelope
        assert (None, "assign" if arguments[0] == "assign" else "") == (envelope["data"], envelope["command"])
        assert reason in envelope["error"]["message"]


def test_a_trial_says_what_if_somebody_were_away(portal: Portal, b24tools: Run) -> None:
    """By name or id, today or for some days; nothing is written."""

    def planned(*words: str) -> str:
        data = b24tools("assign", SAMPLE, "--dry-run", "--json", *words).envelope["data"]
        return str(data[0]["tasks"][3]["responsible"]["name"])

    usual = planned()
    surname = usual.split()[-1]
    assert usual != planned("--without", surname, "--until", "2030-01-01")
    told = b24tools("assign", SAMPLE, "--dry-run", "--without", "Никто")
    assert (2, True) == (told.status, 'there is no person called "Никто"' in told.line)
    assert [] == portal.writes()


def test_pins_are_taken_from_the_command_line(portal: Portal, b24tools: Run) -> None:
    """A position with an equals sign in it, too."""
    told = b24tools("assign", SAMPLE, "--to", "Сварщик=11", "--to", "a=b=12", "--json")
    assert {"id": 11, "name": "Виктор Козлов"} == told.envelope["data"][0]["tasks"][3]["responsible"]
    assert ["1Ц-00000069: --to a=b=12: no order has this position"] == told.envelope["warnings"]


def test_a_dry_run_writes_nothing_and_shows_the_plan(portal: Portal, b24tools: Run) -> None:
    """Even with -q: the plan is what was asked for."""
    told = b24tools("-q", "assign", SAMPLE, "--dry-run")
    assert (0, "") == (told.status, told.err)
    assert told.out.startswith("Order 1Ц-00000069: plan only, 6 tasks; ready ")
    assert [] == portal.writes()
    assert [("planned", ["planned"] * 6)] == outcomes(b24tools("-q", "assign", SAMPLE, "--dry-run", "--json"))


def test_quiet_says_nothing_when_all_is_well(portal: Portal, b24tools: Run, tmp_path: Path) -> None:
    """And shows what a person should look at."""
    file = tmp_path / "order.json"
    file.write_text(changed(РекоммендуемаяДатаСдачи=""), encoding="utf-8")
    assert Told(0, "", "") == b24tools("-q", "assign", file)
    warned = b24tools("-q", "assign", file, "--to", "Сварщик=11")
    assert (0, True) == (warned.status, "--to does not change who does it" in warned.out)
    assert [("unchanged", ["unchanged"] * 6)] == outcomes(b24tools("-q", "assign", file, "--json"))


def test_verbose_counts_the_requests(portal: Portal, b24tools: Run) -> None:
    """On stderr."""
    b24tools("assign", SAMPLE)
    assert "requests to the portal: 1" == b24tools("-v", "assign", SAMPLE).line


# settings


def test_without_a_webhook_the_mend_is_told(b24tools: Run) -> None:
    """Exit 2."""
    told = b24tools("assign", SAMPLE)
    assert (2, "") == (told.status, told.out)
    assert told.line.startswith("BITRIX_WEBHOOK_URL is not set. Run `b24tools init`")
    assert "settings" == b24tools("assign", SAMPLE, "--json").envelope["error"]["code"]


@pytest.mark.parametrize("url", ["portal.example", "https://portal.example/", "ftp://portal.example/rest/1/abc/"])
def test_a_webhook_that_is_none_is_told(b24tools: Run, monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    """Exit 2, and the secret is not repeated."""
    monkeypatch.setenv("BITRIX_WEBHOOK_URL", url)
    told = b24tools("assign", SAMPLE)
    assert (2, True) == (told.status, "BITRIX_WEBHOOK_URL" in told.line)
    assert "abc" not in told.err
    assert "settings" == b24tools("assign", SAMPLE, "--json").envelope["error"]["code"]


def test_a_wrong_webhook_code_is_told(portal: Portal, b24tools: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """401: a new webhook is wanted; exit 1, and the code is nowhere in the output."""
    monkeypatch.setenv("BITRIX_WEBHOOK_URL", os.environ["BITRIX_WEBHOOK_URL"].replace(portal.secret, "0therc0de"))
    told = b24tools("assign", SAMPLE)
    assert (1, "") == (told.status, told.out)
    assert "BITRIX_WEBHOOK_URL" in told.line and "0therc0de" not in told.err
    assert "denied" == b24tools("assign", SAMPLE, "--json").envelope["error"]["code"]


@pytest.mark.parametrize("scope", ["task", "user", "department", "sonet_group", "disk"])
def test_a_missing_scope_is_named(portal: Portal, b24tools: Run, scope: str) -> None:
    """Exit 1, nothing written."""
    portal.scopes.discard(scope)
    told = b24tools("assign", SAMPLE)
    assert (1, True) == (told.status, f"“{scope}”" in told.line)
    assert [] == portal.writes()
    assert "denied" == b24tools("assign", SAMPLE, "--json").envelope["error"]["code"]


def test_an_order_without_files_needs_no_disk(portal: Portal, b24tools: Run, tmp_path: Path) -> None:
    """The scope is asked for only when there is a file."""
    portal.scopes.discard("disk")
    file = tmp_path / "order.json"
    file.write_text(changed(ПрисоединенныеФайлы=[]), encoding="utf-8")
    assert 0 == b24tools("assign", file).status


def test_a_portal_that_is_down_is_to_be_tried_later(
    b24tools: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Connection refused: exit 75, and a bad file beside it is told as well."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    monkeypatch.setenv("BITRIX_WEBHOOK_URL", f"http://127.0.0.1:{port}/rest/1/s3cr3tc0de/")
    monkeypatch.setenv("B24_RETRY_SECONDS", "0")
    told = b24tools("assign", SAMPLE)
    assert (75, "", True) == (told.status, told.out, f"127.0.0.1:{port}" in told.line)
    assert "s3cr3tc0de" not in told.err
    assert "portal_busy" == b24tools("assign", SAMPLE, "--json").envelope["error"]["code"]
    (tmp_path / "bad.json").write_text("{", encoding="utf-8")
    both = b24tools("assign", "bad.json", SAMPLE)
    assert (75, ["bad.json", "cannot connect to 127.0.0.1"]) == (
        both.status,
        [line.partition(":")[0] for line in both.err.splitlines()],
    )


SETTINGS = {
    "B24_TZ": ("Europe/Moskow", "B24_TZ (from the environment): not a time zone; an example: Europe/Moscow"),
    "B24_ROUND_MINUTES": ("0", "B24_ROUND_MINUTES (from the environment): "),
    "B24_FALLBACK_USER": ("boss", "B24_FALLBACK_USER (from the environment): "),
    "B24_COUNTRY": ("ZZ", "B24_COUNTRY (from the environment): "),
}


@pytest.mark.parametrize("name", SETTINGS)
def test_a_wrong_setting_is_named(portal: Portal, b24tools: Run, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Which one, where it was set, what was expected; exit 2."""
    value, reason = SETTINGS[name]
    monkeypatch.setenv(name, value)
    told = b24tools("assign", SAMPLE)
    assert (2, True) == (told.status, told.line.startswith(reason))
    assert "settings" == b24tools("assign", SAMPLE, "--json").envelope["error"]["code"]
    assert [] == portal.log


def test_a_missing_settings_file_is_named(b24tools: Run) -> None:
    """--env-file must exist."""
    told = b24tools("--env-file", "nowhere.env", "assign", SAMPLE)
    assert (2, True) == (told.status, told.line.startswith("nowhere.env cannot be read: "))
    assert 2 == b24tools("--env-file", "nowhere.env", "assign", SAMPLE, "--json").envelope["version"] + 1


def test_a_settings_file_in_windows_1251_is_told(b24tools: Run, tmp_path: Path) -> None:
    """Notepad's old habit."""
    (tmp_path / ".env").write_bytes("B24_DEPARTMENT=Цех\n".encode("windows-1251"))
    told = b24tools("assign", SAMPLE)
    assert (2, f"{tmp_path / '.env'} is not UTF-8 text. Save it again in the encoding UTF-8.") == (
        told.status,
        told.line,
    )


def test_a_settings_file_with_a_byte_order_mark_is_read(
    portal: Portal, b24tools: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Notepad's new habit: the mark is no part of the first name."""
    url = os.environ["BITRIX_WEBHOOK_URL"]
    monkeypatch.delenv("BITRIX_WEBHOOK_URL")
    (tmp_path / ".env").write_text(f"BITRIX_WEBHOOK_URL={url}\n", encoding="utf-8-sig")
    assert 0 == b24tools("assign", SAMPLE).status


def test_places_may_be_given_by_id(portal: Portal, b24tools: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Department, project and folder."""
    prices = next(row for row in portal.disk.objects.values() if row.name == "Прайс-листы")
    for name, number in (("B24_DEPARTMENT", 6), ("B24_GROUP", 2), ("B24_FOLDER", prices.id)):
        monkeypatch.setenv(name, str(number))
    told = b24tools("assign", SAMPLE, "--json")
    outside = {"Макетчик", "Монтажник", "Поклейщик"}
    assert outside == {task["position"] for task in told.envelope["data"][0]["tasks"] if task["outcome"] == "failed"}
    assert {2} == {task.group for task in portal.tasks if (task.xml_id or "").startswith("1c:")}
    assert ["test (1Ц-00000069, a7cd6c22).json"] == [
        row.name for row in portal.disk.objects.values() if row.parent == prices.id
    ]
    portal.log.clear()
    b24tools("assign", SAMPLE, "--json")
    assert [] == portal.writes()


@pytest.mark.parametrize("name", ["B24_DEPARTMENT", "B24_FOLDER"])
def test_a_place_given_by_an_id_that_is_not_there_is_told(
    portal: Portal, b24tools: Run, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Exit 2, the setting, nothing written."""
    monkeypatch.setenv(name, "4040")
    told = b24tools("assign", SAMPLE)
    assert (2, True, True) == (told.status, name in told.line, "4040" in told.line)
    assert [] == portal.writes()


def test_another_portal_for_the_same_data_stops(portal: Portal, b24tools: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its task numbers mean other tasks; both ways out are named."""
    b24tools("assign", SAMPLE)
    monkeypatch.setenv("BITRIX_WEBHOOK_URL", os.environ["BITRIX_WEBHOOK_URL"].replace("127.0.0.1", "localhost"))
    told = b24tools("assign", SAMPLE)
    assert (2, True, True) == (told.status, "B24_DATA_DIR" in told.line, "config portal_host localhost" in told.line)


def test_a_data_folder_that_cannot_be_is_named(
    portal: Portal, b24tools: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A file is in its place."""
    (tmp_path / "taken").write_text("", encoding="utf-8")
    monkeypatch.setenv("B24_DATA_DIR", str(tmp_path / "taken"))
    told = b24tools("assign", SAMPLE)
    assert (2, True, True) == (told.status, str(tmp_path / "taken") in told.line, "B24_DATA_DIR" in told.line)
    assert [] == portal.writes()


def test_another_run_at_work_is_waited_for_and_then_told(portal: Portal, b24tools: Run, tmp_path: Path) -> None:
    """Exit 75: who holds the lock, with which command, since when."""
    with context.Session(config.load(), print, command="replan").hold_lock("assign"):
        told = b24tools("assign", SAMPLE)
    holder = f"another run of `b24tools replan` is at work: process {os.getpid()}"
    assert (75, True) == (told.status, told.line.startswith(holder))
    assert [] == portal.writes()


def test_a_portal_that_breaks_after_the_plan_fails_the_tasks_with_75(portal: Portal, b24tools: Run) -> None:
    """Busy while writing: the orders are in the JSON, each line with its error."""
    portal.faults.add(Fault("limit", method="disk.folder.addsubfolder", times=99))
    told = b24tools("assign", SAMPLE, "--json")
    assert 75 == told.status
    assert [("failed", ["failed"] * 6)] == outcomes(told)
    assert "portal_busy" == told.envelope["error"]["code"]


# as a process


def process(*arguments: object, **options: Any) -> subprocess.CompletedProcess[bytes]:
    """The program itself."""
    command = [sys.executable, "-m", "b24tools", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, timeout=60, check=False, **options)


@pytest.mark.long
def test_output_is_utf_8_in_the_c_locale(portal: Portal, monkeypatch: pytest.MonkeyPatch) -> None:
    """Cron has no locale; the order comes through a pipe."""
    for name in ("LANG", "LC_CTYPE", "PYTHONUTF8", "PYTHONIOENCODING"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LC_ALL", "C")
    monkeypatch.setenv("PYTHONCOERCECLOCALE", "0")
    done = process("assign", "-", input=SAMPLE.read_bytes())
    assert (0, b"") == (done.returncode, done.stderr)
    assert "Order 1Ц-00000069: created, 6 tasks" in done.stdout.decode("utf-8")


@pytest.mark.long
def test_a_reader_that_has_seen_enough_is_no_error(portal: Portal, tmp_path: Path) -> None:
    """`| head -1`: no traceback, and the work was done."""
    orders = [json.loads(changed(ИдентификаторЗаказа=str(number), ПрисоединенныеФайлы=[])) for number in range(40)]
    (tmp_path / "orders.json").write_text(json.dumps(orders), encoding="utf-8")
    command = f"set -o pipefail; '{sys.executable}' -m b24tools assign orders.json | head -1"
    done = subprocess.run(["bash", "-c", command], capture_output=True, timeout=60, check=False)
    assert (0, b"", 1) == (done.returncode, done.stderr, done.stdout.count(b"\n"))
    assert 240 == sum((task.xml_id or "").startswith("1c:") for task in portal.tasks)


@pytest.mark.long
def test_ctrl_c_is_one_line_and_130(portal: Portal) -> None:
    """While the portal thinks; nothing more is said, and with --json that too is an object."""
    said = b"interrupted; it is safe to run the same command again.\n"
    for arguments in ([], ["--json"]):
        thinking, go_on = threading.Event(), threading.Event()

        def think(_seconds: float, thinking: threading.Event = thinking, go_on: threading.Event = go_on) -> None:
            thinking.set()
            go_on.wait(20)

        portal.sleep = think
        portal.faults.add(Fault("slow", delay_s=3))
        command = [sys.executable, "-m", "b24tools", "assign", str(SAMPLE), *arguments]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as running:
            assert thinking.wait(20)
            running.send_signal(signal.SIGINT)
            out, err = running.communicate(timeout=20)
            go_on.set()
        assert (130, said) == (running.returncode, err)
        codes = [json.loads(out)["error"]["code"]] if arguments else [out]
        assert (["interrupted"] if arguments else [b""]) == codes
    assert [] == portal.writes()


@pytest.mark.long
def test_a_huge_file_is_refused_without_reading_it_all(portal: Portal, tmp_path: Path) -> None:
    """200 MB of nothing, with 300 MB of address space more than the program itself wants."""
    huge = tmp_path / "huge.json"
    with huge.open("wb") as stream:
        stream.truncate(200 * 1024 * 1024)
    script = (
        "import resource, sys; from b24tools.cli import app, assign;"
        "used = int(open('/proc/self/statm').read().split()[0]) * resource.getpagesize();"
        "resource.setrlimit(resource.RLIMIT_AS, (used + 150 * 2**20,) * 2);"
        "sys.exit(app.main(['assign', 'huge.json']))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, timeout=60, check=False)
    assert (2, b"huge.json: the order is larger than 64 MiB. Correct the order in 1C and send it again.\n") == (
        done.returncode,
        done.stderr,
    )


@pytest.mark.long
def test_a_closed_stdin_is_told(portal: Portal) -> None:
    """A service may have none."""
    command = f"'{sys.executable}' -m b24tools assign - <&-"
    done = subprocess.run(["bash", "-c", command], capture_output=True, timeout=60, check=False)
    assert (2, True) == (done.returncode, done.stderr.startswith(b"stdin: "))


@pytest.mark.long
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a disk that is always full")
@pytest.mark.parametrize(
    ("redirection", "status", "said"),
    [
        (">&-", 2, "no.json: No such file or directory. Name a file with an order that this user may read.\n"),
        ("2>&-", 2, ""),
        ("2>/dev/full", 2, ""),
        ("--json >/dev/full", 1, "No space left on device. Make room on that disk. "),
    ],
)
def test_closed_and_full_outputs_are_no_traceback(redirection: str, status: int, said: str, tmp_path: Path) -> None:
    """What can still be said is said, in one line."""
    command = f"{shlex.quote(sys.executable)} -m b24tools assign no.json {redirection}"
    done = subprocess.run(command, shell=True, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (status, 1 if said else 0) == (done.returncode, done.stderr.count("\n"))
    assert done.stderr.startswith(said)
