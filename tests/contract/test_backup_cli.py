"""`b24tools backup` and `b24tools restore`: what they write, refuse, say; and a drill while all is in use."""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import sqlite3
import stat
import subprocess
import sys
import threading
import zipfile
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from b24tools import context
from b24tools.cli import app
from b24tools.core import locks
from b24tools.core.database_url import DatabaseUrl
from b24tools.sandbox import demo_company, server
from b24tools.sandbox.state import Portal
from b24tools.store import open_store
from b24tools.store.events import NewEvent
from tests.support.closed_tasks import MOSCOW, NOW, task
from tests.support.orders import Clock
from tests.support.server import as_bytes, order

Run = Callable[..., tuple[int, str, str]]
GUID = "11111111-2222-3333-4444-{:012}"


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock of the program and of the plant."""
    clock = Clock()
    monkeypatch.setattr(context, "now", clock)
    return clock


@pytest.fixture
def portal(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Iterator[Portal]:
    """The demo plant on a port."""
    portal = demo_company.build(clock)
    monkeypatch.setenv("B24_REQUESTS_PER_SECOND", "1000")
    monkeypatch.setenv("B24_BURST", "1000")
    monkeypatch.setenv("B24_RETRY_SECONDS", "0")
    with server.serve(portal) as url:
        monkeypatch.setenv("BITRIX_WEBHOOK_URL", portal.webhook_url(url))
        yield portal


@pytest.fixture
def b24tools(capsys: pytest.CaptureFixture[str]) -> Run:
    """Run the program: status, stdout, stderr."""

    def run(*arguments: str | Path) -> tuple[int, str, str]:
        capsys.readouterr()
        status = app.main([str(argument) for argument in arguments])
        return status, *capsys.readouterr()

    return run


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """The data folder."""
    return Path(os.environ.get("B24_DATA_DIR", tmp_path / "data"))


def write_orders(folder: Path, *numbers: int, **changes: Any) -> Path:
    """A file with these orders of 1C."""
    orders = [order(**{"ИдентификаторЗаказа": GUID.format(n), "НомерЗаказа": f"1Ц-{n:05}"} | changes) for n in numbers]
    path = folder / "orders.json"
    path.write_bytes(as_bytes(orders))
    return path


def dump(path: Path) -> dict[str, list[tuple[Any, ...]]]:
    """All rows of all tables but what a restore notes."""
    with closing(sqlite3.connect(path)) as connection:
        names = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return {
            name: sorted(connection.execute(f"SELECT * FROM {name}").fetchall(), key=repr)
            for name in names
            if name not in ("noticed", "_sqlite_migrations") and not name.startswith("sqlite_")
        }


def test_a_backup_is_a_zip_that_any_program_reads(portal: Portal, b24tools: Run, data: Path, tmp_path: Path) -> None:
    """A manifest with counts and hashes, JSON lines a table, the user's files; for the user alone, without secrets."""
    assert 0 == b24tools("assign", write_orders(tmp_path, 1, 2))[0]
    (data / "calendar.json").write_text("{}", encoding="utf-8")

    status, out, _err = b24tools("backup", "--json")
    made = json.loads(out)["data"]
    path = Path(made["path"])

    assert (0, data / "backups" / "b24tools-2026-11-23-070000.zip") == (status, path)
    assert [path] == list(path.parent.iterdir())
    assert made["bytes"] == path.stat().st_size
    assert ([0o600, 0o700]) == [stat.S_IMODE(place.stat().st_mode) for place in (path, path.parent)]
    with zipfile.ZipFile(path) as archive:
        manifest = json.loads(archive.read("manifest.json"))
        parts = {name: archive.read(name) for name in archive.namelist() if name != "manifest.json"}
    assert {name: part["sha256"] for name, part in manifest["parts"].items()} == {
        name: hashlib.sha256(content).hexdigest() for name, content in parts.items()
    }
    assert b"{}" == parts.pop("calendar.json")
    rows = {name: [json.loads(line) for line in content.splitlines()] for name, content in parts.items()}
    assert {name: len(lines) for name, lines in rows.items()} == {
        f"{table}.jsonl": count for table, count in made["tables"].items()
    }
    assert ["1Ц-00001", "1Ц-00002"] == [row["number"] for row in rows["orders.jsonl"]]
    assert manifest["portal_host"] == made["portal_host"] == os.environ["BITRIX_WEBHOOK_URL"].split("/")[2]
    assert portal.secret.encode() not in b"".join(parts.values())


@pytest.mark.sqlite
def test_what_is_restored_is_what_was_there(portal: Portal, b24tools: Run, data: Path, tmp_path: Path) -> None:
    """Row by row, with the files; what was there since stays beside, and nothing is looked up if nothing was sent."""
    b24tools("assign", write_orders(tmp_path, 1, 2))
    (data / "people.json").write_text('{"positions": {}}', encoding="utf-8")
    b24tools("backup", tmp_path / "a.zip")
    before = dump(data / "b24tools.db")
    b24tools("config", "excluded_users", "7")
    (data / "people.json").write_text("{}", encoding="utf-8")

    status, out, _err = b24tools("restore", tmp_path / "a.zip", "--yes", "--json")

    restored = json.loads(out)["data"]
    aside = [data / "b24tools.2026-11-23-070000.db", data / "people.2026-11-23-070000.json"]
    assert (0, list(map(str, aside)), 0) == (status, restored["aside"], restored["looks_up"])
    assert before == dump(data / "b24tools.db")
    assert [("excluded_users", "7")] == [row for row in dump(aside[0])["settings"] if row[0] == "excluded_users"]
    assert ('{"positions": {}}', "{}") == ((data / "people.json").read_text("utf-8"), aside[1].read_text("utf-8"))
    assert [0o600] * 4 == [
        stat.S_IMODE(path.stat().st_mode) for path in (*aside, data / "b24tools.db", data / "people.json")
    ]


def closed_by_week(b24tools: Run) -> list[tuple[str, int]]:
    """The leaderboard of the week."""
    rows = json.loads(b24tools("leaderboard", "--json")[1])["data"]["rows"]
    return [(row["name"], row["tasks"]) for row in rows]


@pytest.mark.long
@pytest.mark.sqlite
def test_a_drill(portal: Portal, b24tools: Run, data: Path, clock: Clock, tmp_path: Path) -> None:
    """Backed up while events arrive and orders are sent; after the restore no task is made twice and none is lost."""
    b24tools("assign", write_orders(tmp_path, *range(1, 41)))
    b24tools("snapshot")
    stop, begun = threading.Event(), threading.Event()

    def receive_events() -> None:
        with closing(open_store(data / "b24tools.db")) as store:
            while not stop.is_set():
                store.events.add([NewEvent(clock.now, "ONTASKUPDATE", 1, "body", None)])
                begun.set()

    sender = threading.Thread(target=receive_events)
    sender.start()
    begun.wait(10)
    try:
        made = json.loads(b24tools("backup", tmp_path / "a.zip", "--json")[1])["data"]
    finally:
        stop.set()
        sender.join()
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        counters = [json.loads(line) for line in archive.read("counters.jsonl").splitlines()]
    assert made["tables"]["events"] == next(row["value"] for row in counters if row["name"] == "watched") > 0

    clock.now += timedelta(minutes=10)
    b24tools("assign", write_orders(tmp_path, *range(41, 51)))
    b24tools("assign", write_orders(tmp_path, 1, 2, Калькуляция=[{"Должность": "Сварщик", "Время": 120}]))
    closed = next(task for task in portal.tasks if task.title == "Сварщик: 1Ц-00003")
    portal.act("tasks.task.complete", {"taskId": closed.id})
    b24tools("snapshot")
    board = closed_by_week(b24tools)
    tasks = [(task.id, task.title, task.time_estimate) for task in portal.tasks]

    status, _out, err = b24tools("restore", tmp_path / "a.zip", "--yes")
    assert 0 == status
    assert "the next `assign` of each of its 40 orders, and of any other, looks up the tasks" in err
    write_orders(tmp_path, *range(1, 51))
    orders = json.loads((tmp_path / "orders.json").read_bytes())
    for sent in orders[:2]:
        sent["Калькуляция"][0]["Время"] = 120
    (tmp_path / "orders.json").write_bytes(as_bytes(orders))
    status, out, _err = b24tools("assign", tmp_path / "orders.json", "--json")

    assert (0, {"unchanged"}) == (status, {result["outcome"] for result in json.loads(out)["data"]})
    assert tasks == [(task.id, task.title, task.time_estimate) for task in portal.tasks]
    assert 0 == b24tools("snapshot", "--since", "2026-11-23")[0]
    assert board == closed_by_week(b24tools) != []
    assert 50 == len({task.xml_id for task in portal.tasks if task.xml_id})


@pytest.mark.sqlite
def test_nothing_is_restored_while_anything_runs(portal: Portal, b24tools: Run, data: Path, tmp_path: Path) -> None:
    """A run that holds a lock, and whatever has the database open, as `serve` has."""
    b24tools("mode", "webhook")
    b24tools("backup", tmp_path / "a.zip")
    before = (data / "b24tools.db").read_bytes()

    with closing(open_store(data / "b24tools.db")) as store:
        store.settings.get("producer_mode")
        status, _out, err = b24tools("restore", tmp_path / "a.zip", "--yes")
    assert (75, f"a program has the database {data / 'b24tools.db'} open. ") == (status, err.partition("Stop")[0])
    for name in ("assign", "snapshot", "backup", "orders", "digest"):
        with locks.hold(data, name, 0, context.now):
            assert 75 == b24tools("restore", tmp_path / "a.zip", "--yes")[0]
    assert before == (data / "b24tools.db").read_bytes()
    assert [] == [path for path in data.iterdir() if ".restored." in path.name or "2026" in path.name]


@pytest.mark.sqlite
def test_it_asks_before_it_replaces(portal: Portal, b24tools: Run, data: Path, tmp_path: Path) -> None:
    """Without a terminal it wants --yes; where there is no database it need not ask."""
    b24tools("mode", "webhook")
    b24tools("backup", tmp_path / "a.zip")

    assert (2, "nothing was restored: there is no terminal to ask on. With --yes it does not ask.\n") == (
        (told := b24tools("restore", tmp_path / "a.zip"))[0],
        told[2],
    )
    (data / "b24tools.db").unlink()
    assert 0 == b24tools("restore", tmp_path / "a.zip")[0]
    assert "webhook\n" == b24tools("mode")[1]


def test_only_a_yes_is_one(b24tools: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In either language, as for every other command that asks."""
    b24tools("mode", "webhook")
    b24tools("backup", tmp_path / "a.zip")
    b24tools("mode", "polling")

    def answer(text: str) -> tuple[int, str]:
        monkeypatch.setattr("sys.stdin", io.StringIO(text))
        monkeypatch.setattr("sys.stdin.isatty", lambda: True)
        return b24tools("restore", tmp_path / "a.zip")[0], b24tools("mode")[1]

    assert [(130, "polling\n"), (130, "polling\n"), (0, "webhook\n")] == list(map(answer, ["\n", "нет\n", "Да\n"]))


def damage_manifest(change: Callable[[dict[str, Any]], None]) -> Callable[[Path], None]:
    """Change what a backup says of itself."""

    def damage(path: Path) -> None:
        with zipfile.ZipFile(path) as archive:
            members = {name: archive.read(name) for name in archive.namelist()}
        manifest = json.loads(members["manifest.json"])
        change(manifest)
        with zipfile.ZipFile(path, "w") as archive:
            for name, content in members.items():
                archive.writestr(name, json.dumps(manifest) if name == "manifest.json" else content)

    return damage


def encrypt(path: Path) -> None:
    """As far as the zip says: somebody has packed it anew with a password."""
    content = bytearray(path.read_bytes())
    for mark, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):  # of each file, and of the list of them
        at = content.find(mark)
        while at >= 0:
            content[at + flags] |= 1
            at = content.find(mark, at + 1)
    path.write_bytes(content)


NEWER = "{path} was made by a newer b24tools, 0.1.0. Update this b24tools.\n"
DAMAGED = "{path} is no backup of b24tools, or a damaged one: {reason}. Take another one.\n"


@pytest.mark.sqlite
@pytest.mark.parametrize(
    ("damage", "message", "reason"),
    [
        (damage_manifest(lambda meta: meta["schema"].append("m999_later")), NEWER, ""),
        (damage_manifest(lambda meta: meta.update(format=2)), NEWER, ""),
        (damage_manifest(lambda meta: meta["parts"]["settings.jsonl"].update(rows=5)), DAMAGED, "settings.jsonl"),
        (damage_manifest(lambda meta: meta["parts"]["settings.jsonl"].update(sha256="0")), DAMAGED, "settings.jsonl"),
        (damage_manifest(lambda meta: meta.pop("parts")), DAMAGED, "manifest.json"),
        (lambda path: path.write_bytes(path.read_bytes()[:-200]), DAMAGED, "File is not a zip file"),
        (encrypt, DAMAGED, "it was packed with a password"),
    ],
    ids=["schema", "format", "rows", "hash", "manifest", "cut off", "encrypted"],
)
def test_what_is_no_whole_backup_is_refused(
    damage: Callable[[Path], None], message: str, reason: str, b24tools: Run, data: Path, tmp_path: Path
) -> None:
    """Before anything is touched."""
    path = tmp_path / "a.zip"
    b24tools("mode", "webhook")
    b24tools("backup", path)
    damage(path)
    before = (data / "b24tools.db").read_bytes()

    status, _out, err = b24tools("restore", path, "--yes")

    assert (2, message.format(path=path, reason=reason)) == (status, err)
    assert before == (data / "b24tools.db").read_bytes()


def test_only_the_last_ones_stay(b24tools: Run, data: Path, clock: Clock, tmp_path: Path) -> None:
    """Of those with a date in their name, in that folder; a file of another kind is never written over."""
    b24tools("mode", "webhook")
    (folder := tmp_path / "copies").mkdir()
    (folder / "mine.zip").write_bytes(b"mine")
    for _day in range(4):
        clock.now += timedelta(days=1)
        assert 0 == b24tools("backup", folder, "--keep", "2")[0]

    assert ["b24tools-2026-11-26-070000.zip", "b24tools-2026-11-27-070000.zip", "mine.zip"] == sorted(
        path.name for path in folder.iterdir()
    )
    message = f"{folder / 'mine.zip'} is there, and is no backup: it stays as it is. Choose another name, or name a"
    assert (2, True) == ((told := b24tools("backup", folder / "mine.zip"))[0], told[2].startswith(message))
    assert b"mine" == (folder / "mine.zip").read_bytes()
    hint = "Make that folder, or name another one; without a name it is backups/ in the data folder.\n"
    for path in (folder / "b.zip", folder / "new"):
        message = f"--keep counts the backups of a folder, and {path} is none. {hint}"
        assert (2, "", message) == b24tools("backup", path, "--keep", "2")
    hint = "Make that folder, or name a file that ends in .zip.\n"
    message = f"{folder / 'new'} is no folder, and no name of a backup: that ends in .zip. {hint}"
    assert (2, "", message) == b24tools("backup", folder / "new")


@pytest.mark.sqlite
def test_a_backup_of_an_older_schema_is_brought_up_to_date(
    b24tools: Run, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its rows fit the schema as it was then, and go through what came after."""
    b24tools("mode", "webhook")
    b24tools("backup", tmp_path / "a.zip")
    before = dump(data / "b24tools.db")
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    manifest = json.loads(members["manifest.json"])
    manifest["schema"] = manifest["schema"][:1]
    for name in [name for name in members if name.partition(".")[0] not in FIRST_TABLES]:
        members.pop(name)
        manifest["parts"].pop(name, None)
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
        archive.writestr("manifest.json", json.dumps(manifest))

    assert 0 == b24tools("restore", tmp_path / "a.zip", "--yes")[0]

    assert before == dump(data / "b24tools.db")


FIRST_TABLES = ("settings", "orders", "order_tasks", "files", "task_files", "decisions")


def test_a_full_disk_leaves_nothing_behind(
    b24tools: Run, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The backup before it stays as it was."""
    b24tools("mode", "webhook")
    b24tools("backup", tmp_path / "a.zip")
    before = (tmp_path / "a.zip").read_bytes()

    def refuse(*_arguments: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", refuse)
    status, _out, err = b24tools("backup", tmp_path / "a.zip")

    assert (1, f"{tmp_path / 'a.zip'}: No space left on device. Make room on that disk.\n") == (status, err)
    assert before == (tmp_path / "a.zip").read_bytes()
    assert [] == list(tmp_path.glob(".b24tools*"))


def test_what_is_written_has_a_size_and_what_is_not_there_a_hint(b24tools: Run, data: Path, tmp_path: Path) -> None:
    """However small, with what is in it; a name that is wrong is no question of space."""
    b24tools("mode", "webhook")
    with closing(open_store(data / "b24tools.db")) as store, store.database.transaction():
        store.tasks.save([task(number, 7, NOW) for number in (1, 2)], NOW, MOSCOW)

    _status, _out, err = b24tools("backup", tmp_path / "a.zip")
    sizes = [-(-(tmp_path / "a.zip").stat().st_size // 1024)]
    assert f"Backup written and checked: {tmp_path / 'a.zip'}, {sizes[0]} KiB, 0 orders, 2 closed tasks.\n" == err
    missing = "No such file or directory. Check the name, and the folders in it.\n"
    assert (2, "", f"{tmp_path / 'b.zip'}: {missing}") == b24tools("restore", tmp_path / "b.zip")
    status, _out, err = b24tools("restore", tmp_path)
    assert (2, True) == (status, err.startswith(f"{tmp_path}: Is a directory."))
    status, _out, err = b24tools("backup", tmp_path / "nowhere" / "b.zip")
    assert (1, True) == (status, err.endswith(missing)), err


MARKED = "SELECT count(*) FROM orders WHERE portal_wins = 1"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a disk that is always full")
def test_a_backup_is_made_though_that_cannot_be_said(b24tools: Run, data: Path) -> None:
    """The disk behind stderr is full; so it is for the log, which is said there."""
    b24tools("mode", "webhook")
    (data / "log.log").unlink()
    (data / "log.log").symlink_to("/dev/full")
    with Path("/dev/full").open("w") as full:
        command = [sys.executable, "-m", "b24tools", "backup", "--json"]
        plain = [
            subprocess.run(words, stdout=subprocess.PIPE, stderr=full, check=False) for words in (command, command[:-1])
        ]

    assert [0, 0] == [done.returncode for done in plain]
    assert Path(json.loads(plain[0].stdout)["data"]["path"]).exists()


@pytest.mark.parametrize("moment", ["1970-01-02", "2200-01-01"])
def test_a_clock_that_is_far_off_stops_no_backup(b24tools: Run, clock: Clock, tmp_path: Path, moment: str) -> None:
    """A zip knows no such years."""
    b24tools("mode", "webhook")
    clock.now = datetime.fromisoformat(f"{moment}T00:00+00:00")

    assert 0 == b24tools("backup", tmp_path / "a.zip")[0]
    assert 0 == b24tools("restore", tmp_path / "a.zip", "--yes")[0]
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        kinds = {(member.compress_type, member.external_attr >> 16) for member in archive.infolist()}
    assert {(zipfile.ZIP_DEFLATED, 0o600)} == kinds


@pytest.mark.sqlite
def test_whoever_restores_twice_is_protected_twice(portal: Portal, b24tools: Run, data: Path, tmp_path: Path) -> None:
    """Also where the folder was lost, and the count in it; by copies of the database as well."""

    def restore() -> tuple[int, int]:
        status, out, _err = b24tools("restore", tmp_path / "a.zip", "--yes", "--json")
        assert 0 == status
        with closing(sqlite3.connect(data / "b24tools.db")) as connection:
            return json.loads(out)["data"]["looks_up"], connection.execute(MARKED).fetchone()[0]

    b24tools("assign", write_orders(tmp_path, 1))
    b24tools("backup", tmp_path / "a.zip")
    shutil.copy(data / "b24tools.db", tmp_path / "copy.db")
    b24tools("assign", write_orders(tmp_path, 2))

    assert [(1, 1)] * 3 == [restore() for _time in range(3)]
    shutil.rmtree(data)
    assert [(1, 1)] * 2 == [restore() for _time in range(2)]
    b24tools("assign", write_orders(tmp_path, 1))
    for _time in range(2):
        shutil.copy(tmp_path / "copy.db", data / "b24tools.db")
        assert "the database is older than the tasks on the portal" in b24tools("assign", write_orders(tmp_path, 3))[1]


@pytest.mark.sqlite
def test_what_is_moved_to_a_server_and_back_is_not_restored(
    portal: Portal,
    b24tools: Run,
    data: Path,
    clock: Clock,
    tmp_path: Path,
    address: DatabaseUrl,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Unless something was sent after the backup, by whichever machine, wherever the backup is put."""
    server_url = f"{address.libpq}&schema={address.schema}"
    path = tmp_path / "a.zip"

    def move(url: str) -> int:
        clock.now += timedelta(minutes=1)
        monkeypatch.setenv("B24_DATABASE_URL", url)
        status, out, _err = b24tools("restore", path, "--yes", "--json")
        assert 0 == status, out
        return int(json.loads(out)["data"]["looks_up"])

    monkeypatch.setenv("B24_DATABASE_URL", "")
    b24tools("assign", write_orders(tmp_path, 1))
    moved = []
    for url in (server_url, "", server_url):
        b24tools("backup", path)
        moved.append(move(url))
    b24tools("assign", write_orders(tmp_path, 2))
    b24tools("backup", path)
    shutil.copytree(data, tmp_path / "other")
    monkeypatch.setenv("B24_DATA_DIR", str(tmp_path / "other"))
    b24tools("assign", write_orders(tmp_path, 3))
    monkeypatch.setenv("B24_DATA_DIR", str(data))

    assert [0, 0, 0, 2, 2] == [*moved, move(server_url), move("")]
