"""`export`: people, closed tasks and orders as files for others."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from b24tools import context
from b24tools.cli import app
from b24tools.store import open_store
from tests.support import closed_tasks
from tests.support.orders import MONDAY, Works, order


@pytest.fixture
def plant(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The closed tasks of the leaderboard's tests."""
    monkeypatch.setattr(context, "now", lambda: closed_tasks.NOW)
    with closing(open_store(tmp_path / "data" / "b24tools.db")) as store:
        closed_tasks.plant(store)


def read_lines(capsysbinary: pytest.CaptureFixture[bytes], *words: str) -> list[dict[str, Any]]:
    """The rows of `export … --format jsonl`."""
    assert 0 == app.main(["export", *words, "--format", "jsonl"])
    return [json.loads(line) for line in capsysbinary.readouterr().out.splitlines()]


@pytest.mark.usefixtures("plant")
def test_people_and_closed_tasks(capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    """Moments in the zone of the settings; a spreadsheet has the same columns and rows."""
    people, tasks = (read_lines(capsysbinary, what) for what in ("people", "tasks"))
    day = tasks[len(tasks) // 2]["closed_at"][:10]
    late = read_lines(capsysbinary, "tasks", "--since", day)

    assert {"id", "name", "active", "department", "saved_at"} == set(people[0])
    assert all(isinstance(person["active"], bool) for person in people)
    assert tasks[0]["closed_at"].endswith("+03:00")
    assert sorted(task["closed_at"] for task in tasks) == [task["closed_at"] for task in tasks]
    assert [task for task in tasks if task["closed_at"] >= day] == late
    assert 0 < len(late) < len(tasks)
    for what, rows in (("people", people), ("tasks", tasks)):
        assert 0 == app.main(["export", what])
        text = capsysbinary.readouterr().out.decode("utf-8-sig")
        table = list(csv.DictReader(io.StringIO(text, newline=""), delimiter=";"))
        assert [{name: "" if value is None else str(value) for name, value in row.items()} for row in rows] == [
            row | ({"active": str(row["active"] == "1")} if "active" in row else {}) for row in table
        ]


def test_orders_have_a_row_for_each_line(
    works: Works, monkeypatch: pytest.MonkeyPatch, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    """With the task and the person of each; a customer's name is no formula of a spreadsheet."""
    monkeypatch.setattr(context, "now", lambda: MONDAY)
    works.assign(order([("Сварщик", 60), ("Макетчик", 30)], id="A", number="1Ц-7", customer="=1+1"))

    welding, layout = read_lines(capsysbinary, "orders")

    task = next(task for task in works.portal.tasks if task.title == "Сварщик: 1Ц-7")
    person = works.portal.users[task.responsible]
    assert {
        "number": "1Ц-7",
        "customer": "=1+1",
        "first_sent_at": "2026-11-23T07:00:00+03:00",
        "position": "Сварщик",
        "task_id": task.id,
        "responsible_id": person.id,
        "starts_at": "2026-11-23T09:00:00+03:00",
        "ends_at": "2026-11-23T10:00:00+03:00",
        "estimate_s": 3600,
    }.items() <= welding.items()
    assert ("a", "Макетчик", 1800) == tuple(layout[name] for name in ("order_id", "position", "estimate_s"))
    assert [] == read_lines(capsysbinary, "orders", "--since", "tomorrow")
    assert 0 == app.main(["export", "orders"])
    assert ";'=1+1;" in capsysbinary.readouterr().out.decode("utf-8-sig").splitlines()[1]


@pytest.mark.usefixtures("plant")
def test_a_reader_that_has_seen_enough_is_no_failure(tmp_path: Path) -> None:
    """Of the database neither: `export … | head`."""
    done = subprocess.run(
        ["sh", "-c", f'exec 3>&1; ("{sys.executable}" -m b24tools export tasks --format jsonl; echo $? >&3) | true'],
        env=os.environ | {"B24_DATA_DIR": str(tmp_path / "data")},
        capture_output=True,
        check=False,
    )

    assert (b"0\n", b"") == (done.stdout, done.stderr)


@pytest.mark.usefixtures("plant")
def test_closed_tasks_of_who_has_opted_out_are_not_exported(
    tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    """Beside the file it is said that some are missing."""
    everything = read_lines(capsysbinary, "tasks")
    with closing(open_store(tmp_path / "data" / "b24tools.db")) as store:
        store.settings.save("opted_out_users", "1,2")

    assert 0 == app.main(["export", "tasks", "--format", "jsonl"])
    out, err = capsysbinary.readouterr()

    assert [row for row in everything if row["responsible_id"] not in (1, 2)] == list(map(json.loads, out.splitlines()))
    assert "without the tasks of 2 people who have opted out\n" == err.decode()


def test_an_empty_database_has_no_rows(capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    """A heading for spreadsheets, nothing for programs."""
    assert [] == read_lines(capsysbinary, "people")
    assert 0 == app.main(["export", "people"])
    assert "\ufeffid;name;active;department;saved_at\r\n" == capsysbinary.readouterr().out.decode()


def test_parquet_needs_a_package(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """And says which."""
    monkeypatch.setitem(sys.modules, "pyarrow", None)

    assert 2 == app.main(["export", "people", "--format", "parquet"])
    assert (
        "Parquet needs the package pyarrow, which is not installed. "
        "Install b24tools with it, `pip install '.[parquet]'`, or choose --format jsonl.\n"
    ) == capsys.readouterr().err


@pytest.mark.usefixtures("plant")
def test_parquet_has_the_same_rows(capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    """Where the package is there."""
    parquet = pytest.importorskip("pyarrow.parquet")

    tasks = read_lines(capsysbinary, "tasks")
    assert 0 == app.main(["export", "tasks", "--format", "parquet"])

    assert tasks == parquet.read_table(io.BytesIO(capsysbinary.readouterr().out)).to_pylist()


@pytest.mark.usefixtures("plant")
def test_a_file_is_whole_or_not_there(tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    """It has what stdout would have had, and nothing lies beside it."""
    (folder := tmp_path / "exports").mkdir()
    (folder / "tasks.csv").write_bytes(b"old")
    for form, what in (("csv", "tasks"), ("jsonl", "people")):
        assert 0 == app.main(["export", what, "--format", form])
        printed = capsysbinary.readouterr().out
        assert 0 == app.main(["export", what, "--format", form, "--out", str(folder / f"{what}.{form}")])
        assert (b"", printed) == (capsysbinary.readouterr().out, (folder / f"{what}.{form}").read_bytes())
    assert {"tasks.csv", "people.jsonl"} == {path.name for path in folder.iterdir()}

    assert 2 == app.main(["export", "tasks", "--out", str(tmp_path / "none" / "tasks.csv")])
    assert b"none/tasks.csv cannot be written: No such file" in capsysbinary.readouterr().err


def test_parquet_has_its_types_without_a_row(tmp_path: Path) -> None:
    """So that the files of many portals fit together."""
    parquet = pytest.importorskip("pyarrow.parquet")

    types = {}
    for what in ("people", "tasks", "orders"):
        assert 0 == app.main(["export", what, "--format", "parquet", "--out", f"{what}.parquet"])
        types |= {field.name: str(field.type) for field in parquet.read_schema(f"{what}.parquet")}

    assert {
        "id": "int64",
        "active": "bool",
        "name": "string",
        "closed_at": "string",
        "estimate_s": "int64",
        "order_id": "string",
        "task_id": "int64",
        "deadline": "string",
    }.items() <= types.items()


@pytest.mark.skipif(sys.platform != "linux", reason="limits the size of a file")
@pytest.mark.parametrize("how", ["print_text", "print_file"])
def test_a_disk_that_takes_a_part_is_a_failure(tmp_path: Path, how: str) -> None:
    """Also where Python does not buffer: there a part is written without an error."""
    program = (
        "import resource, signal\nfrom b24tools.cli import app\nfrom b24tools.render import console\n"
        "def fill(_arguments, _invocation):\n    try:\n"
        f"        console.{how}('x' * 1000)\n"
        "    except OSError as error:\n        return app._fail(_invocation, app._describe_unexpected(error))\n"
        "app._run = fill\nsignal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (500, 500))\nraise SystemExit(app.main([]))"
    )
    for options in ([], ["-u"]):
        with (tmp_path / "out").open("wb") as out:
            command = [sys.executable, *options, "-c", program]
            run = subprocess.run(command, stdout=out, stderr=subprocess.PIPE, encoding="utf-8", check=False)
        assert (1, 500) == (run.returncode, (tmp_path / "out").stat().st_size)
        assert "File too large. Make room on that disk. Sending again is safe.\n" == run.stderr
