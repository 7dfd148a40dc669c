"""`b24tools leaderboard` at the command line: periods, exit statuses, what goes where, what it does not load."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from b24tools import context
from b24tools.cli import app
from b24tools.store import open_store
from tests.support import closed_tasks as closed
from tests.support.closed_tasks import MOSCOW, NOW, THIS

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def b24tools(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run the command on the test's Friday; status, stdout, stderr."""
    monkeypatch.setattr(context, "now", lambda: NOW)

    def run(*arguments: str) -> tuple[int, str, str]:
        capsys.readouterr()
        status = app.main(arguments)
        return status, *capsys.readouterr()

    return run


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A data folder with the small plant in it."""
    closed.main(tmp_path / "data")
    return tmp_path / "data"


@pytest.mark.parametrize(
    ("options", "label"),
    [
        ("", "2026-W47"),
        ("--week", "2026-W47"),
        ("--month", "2026-11"),
        ("last", "2026-W46"),
        ("last --week", "2026-W46"),
        ("LAST --month", "2026-10"),
        ("2026-W46", "2026-W46"),
        ("2026-w7 --week", "2026-W07"),
        ("2026-2", "2026-02"),
        ("2026-02 --month", "2026-02"),
    ],
)
def test_the_period_that_is_meant(b24tools: Run, options: str, label: str) -> None:
    """This week unless told otherwise."""
    _status, out, _err = b24tools("leaderboard", *options.split(), "--json")

    assert label == json.loads(out)["data"]["period"]["label"]


def test_this_week_is_the_zones(b24tools: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """On Sunday evening in London it is Monday in Moscow."""
    monkeypatch.setattr(context, "now", lambda: THIS.end + timedelta(hours=1))

    _status, out, _err = b24tools("leaderboard", "--json")

    assert "2026-W48" == json.loads(out)["data"]["period"]["label"]


def test_the_table(b24tools: Run, folder: Path) -> None:
    """On stdout; nothing to say besides."""
    status, out, err = b24tools("leaderboard", "--top", "3")

    lines = out.splitlines()
    assert (0, "") == (status, err)
    assert "Leaderboard: week 47, 16-22 November 2026" == lines[0]
    assert ["1", "+1", "Иван", "Петров"] == lines[4].split()[:4]
    assert [
        "9 people, 38 tasks, 65.8 h, 6 not shown",
        "median 4, the first quarter has 7 or more",
        "most improved: Иван Петров, Алёна Ёлкина",
        "all on time: Мария Кузнецова",
    ] == lines[-4:]


def test_quiet_does_not_silence_the_table(b24tools: Run, folder: Path) -> None:
    """It is data that was asked for."""
    assert b24tools("leaderboard") == b24tools("-q", "leaderboard")


def test_json(b24tools: Run, folder: Path) -> None:
    """One object with the keys of the contract."""
    status, out, err = b24tools("leaderboard", "--by", "hours", "--json")

    body = json.loads(out)
    assert (0, "") == (status, err)
    assert ["version", "command", "ok", "data", "warnings", "error"] == list(body)
    assert (1, "leaderboard", True, [], None) == (
        body["version"],
        body["command"],
        body["ok"],
        body["warnings"],
        body["error"],
    )
    assert ["period", "by", "as_of", "rows", "benchmarks", "scope", "goal"] == list(body["data"])
    assert ("hours", 9, "Глеб Новый") == (
        body["data"]["by"],
        len(body["data"]["rows"]),
        body["data"]["rows"][0]["name"],
    )


@pytest.mark.parametrize(
    ("form", "start"), [("csv", "\ufeffPlace;"), ("md", "**Leaderboard"), ("html", "<!doctype html>")]
)
def test_files(b24tools: Run, folder: Path, form: str, start: str) -> None:
    """To be redirected."""
    status, out, err = b24tools("leaderboard", "--format", form)

    assert (0, "") == (status, err)
    assert out.startswith(start)


@pytest.mark.parametrize(("age", "status"), [("3m", 0), ("26h", 0), ("1d", 0), ("2m", 1), ("0h", 1)])
def test_max_age(b24tools: Run, folder: Path, age: str, status: int) -> None:
    """The table is printed all the same; data that are older are an error for the monitoring."""
    told, out, err = b24tools("leaderboard", "--max-age", age)

    assert status == told
    assert out.startswith("Leaderboard")
    expected = "the data are 3 min old. Run `b24tools snapshot`, and look whether cron still does.\n" if status else ""
    assert expected == err


def test_max_age_in_json(b24tools: Run, folder: Path) -> None:
    """The data and the error."""
    status, out, _err = b24tools("leaderboard", "--max-age", "1m", "--json")

    body = json.loads(out)
    assert (1, False, "stale", 9) == (status, body["ok"], body["error"]["code"], len(body["data"]["rows"]))


@pytest.mark.parametrize(
    "arguments",
    [
        ["--max-age", "soon"],
        ["2026-W54"],
        ["--by", "luck"],
        ["--top", "0"],
        ["--format", "xls"],
        ["--week", "--month"],
        ["2026-W46", "--month"],
        ["2026-11", "--week"],
        ["--json", "--format", "csv"],
    ],
)
def test_wrong_usage(b24tools: Run, folder: Path, arguments: list[str]) -> None:
    """One line, status 2, nothing on stdout; with --json the object."""
    status, out, err = b24tools("leaderboard", *arguments)

    assert (2, 1) == (status, err.count("\n"))
    assert "" == out or "--json" in arguments


def test_without_data_the_folder_is_named(b24tools: Run, tmp_path: Path) -> None:
    """Exit 0, and no folder or database is made; --max-age fails."""
    told = f"no data yet for 2026-W47 in {tmp_path / 'data'}: run `b24tools snapshot`"

    assert (0, "", told + "\n") == b24tools("leaderboard")
    assert (0, "", "") == b24tools("-q", "leaderboard")
    assert (1, "", told + ".\n") == b24tools("leaderboard", "--max-age", "26h")
    status, out, err = b24tools("leaderboard", "--json")
    assert (0, "", [told]) == (status, err, json.loads(out)["warnings"])
    assert (None, [], False) == (
        json.loads(out)["data"]["as_of"],
        json.loads(out)["data"]["rows"],
        json.loads(out)["data"]["period"]["complete"],
    )
    assert not (tmp_path / "data").exists()


def test_a_week_that_was_never_collected_says_how_to(b24tools: Run, folder: Path) -> None:
    """The command for it."""
    status, out, err = b24tools("leaderboard", "2026-W40")

    assert (0, "") == (status, out)
    assert f"no data yet for 2026-W40 in {folder}: run `b24tools snapshot --since 2026-09-28`\n" == err


@pytest.mark.parametrize(
    ("period", "command"),
    [
        ("2026-W47", "snapshot --reconcile"),
        ("2026-W46", "snapshot --reconcile"),
        ("2026-W45", "snapshot --since 2026-11-02"),
    ],
)
def test_in_webhook_mode_another_command_collects(b24tools: Run, period: str, command: str) -> None:
    """`snapshot` alone does nothing then, and says how other weeks are read."""
    b24tools("mode", "webhook")
    assert b24tools("leaderboard", period)[2].endswith(f": run `b24tools {command}`\n")


def test_what_an_incomplete_period_wants(b24tools: Run, folder: Path) -> None:
    """A line below the table."""
    _status, out, _err = b24tools("leaderboard", "--month")

    assert out.splitlines()[-1].startswith("Incomplete: part of this period was never collected.")
    assert "snapshot --since 2026-10-26" in out


def test_another_process_may_be_writing(b24tools: Run, folder: Path) -> None:
    """A snapshot that takes long keeps nobody from looking."""
    with closing(open_store(folder / "b24tools.db")) as opened, opened.transaction():
        opened.tasks.save([closed.task(1, 1, THIS.start)], NOW, MOSCOW)

        status, out, _err = b24tools("leaderboard")

    assert (0, True) == (status, "38 tasks" in out)


def test_it_loads_nothing_heavy(folder: Path) -> None:
    """No HTTP client, no web framework, no cache, not the database's toolbox; Rich only for a terminal."""
    heavy = {"httpx", "fastapi", "starlette", "uvicorn", "sqlite_utils", "diskcache", "rich", "asyncio", "ssl"}
    code = (
        "import sys; from b24tools.cli import app; status = app.main(['leaderboard', '--teams']);"
        f"print(status, sorted({heavy} & set(sys.modules)), file=sys.stderr)"
    )
    env = os.environ | {"B24_DATA_DIR": str(folder)}

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=env)

    assert "0 []\n" == done.stderr.splitlines(keepends=True)[-1]


def test_weeks_and_months_stand_in_the_help(b24tools: Run) -> None:
    """What a period looks like."""
    status, out, _err = b24tools("leaderboard", "--help")

    assert 0 == status
    assert "2026-W46, 2026-11" in out


def test_a_reader_that_has_seen_enough_is_no_error(folder: Path) -> None:
    """`| head`: no complaint, and the status is 0."""
    command = f"set -o pipefail; '{sys.executable}' -m b24tools leaderboard 2026-W47 | true"
    env = os.environ | {"B24_DATA_DIR": str(folder)}

    done = subprocess.run(["bash", "-c", command], capture_output=True, timeout=60, check=False, env=env)

    assert (0, b"", b"") == (done.returncode, done.stdout, done.stderr)


def test_what_it_is_narrowed_to_and_whose_place_is_wanted(b24tools: Run, folder: Path) -> None:
    """Names as people write them; a mistake is a usage error that names the nearest one."""
    _status, out, _err = b24tools("leaderboard", "--department", "покраска", "--me", "Кузнецова", "--json")
    data = json.loads(out)["data"]

    assert {"group": None, "department": {"id": 12, "name": "Покраска"}} == data["scope"]
    assert [(1, 2), (2, 7)] == [(row["place"], row["user_id"]) for row in data["rows"]]
    assert (1, None) == (data["benchmarks"]["me"]["place"], data["benchmarks"]["me"]["next_place"])
    for arguments, words in (
        (("--department", "Покрасочная"), 'there is no department "Покрасочная"'),
        (("--group", "Ремонт"), 'there is no project "Ремонт"'),
        (("--me", "Петрова"), 'there is no person called "Петрова"'),
        (("--me", "1", "--teams"), "--me and --teams exclude each other"),
    ):
        status, out, err = b24tools("leaderboard", *arguments)
        assert (2, "", True) == (status, out, words in err)


def test_many_portals_are_counted_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With their names in the heading, beside the departments, and in the place of ids; each in its zone."""
    monkeypatch.setattr(context, "now", lambda: NOW)
    monkeypatch.setenv("B24_PROFILES", str(tmp_path))
    for name, zone in (("one", "Europe/Moscow"), ("two", "Asia/Omsk")):
        (tmp_path / f"{name}.env").write_text(f"B24_DATA_DIR={name}\nB24_TZ={zone}\n", "utf-8")
    with closing(open_store(tmp_path / "one" / "b24tools.db")) as store:
        closed.plant(store)

    assert 0 == app.main(["leaderboard", "--profiles", "one,two", "--top", "1"])
    out, err = capsys.readouterr()
    assert 0 == app.main(["leaderboard", "--profiles", "one,two", "--top", "1", "--json"])
    data = json.loads(capsys.readouterr().out)["data"]
    assert 0 == app.main(["leaderboard", "--profiles", "one,two", "--top", "1", "--format", "csv"])
    csv = capsys.readouterr().out

    lines = out.splitlines()
    assert lines[0].endswith(", one, two")
    assert "Сварочный цех (one)" in out
    assert "Run `b24tools each --profiles one,two -- snapshot`." in lines[-1]
    assert (
        "Each portal's days begin in its own zone: one Europe/Moscow, two Asia/Omsk.\n"
        "no data yet for 2026-W47 in two: run `b24tools each --profiles two -- snapshot`\n"
    ) == err
    assert (["one", "two"], None, [{"profile": "one", "id": 1}]) == (
        data["portals"],
        data["rows"][0]["user_id"],
        data["rows"][0]["accounts"],
    )
    assert "one #1" in csv


def test_the_rules_come_with_each_warning_once(b24tools: Run, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The settings are read once."""
    monkeypatch.setenv("B24_SPEED", "7")

    status, out, err = b24tools("leaderboard", "--rules")

    assert (0, "- ", 1) == (status, out[:2], err.count("B24_SPEED"))


@pytest.mark.parametrize("words", [["--me", "1"], ["--rules"], ["--group", "x"], ["--profile", "one"]])
def test_many_portals_do_not_go_with_what_is_of_one(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A usage error."""
    monkeypatch.setenv("B24_PROFILES", str(tmp_path))
    (tmp_path / "one.env").touch()

    assert 2 == app.main(["leaderboard", "--profiles", "one", *words])
    assert f"--profiles and {words[0]} exclude each other. Name one of them.\n" == capsys.readouterr().err
