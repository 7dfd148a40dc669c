"""The database's file in any state, before every command and under a running `serve`; who may read it."""

from __future__ import annotations

import errno
import json
import os
import shutil
import sqlite3
import stat
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import filelock
import httpx
import pytest

from b24tools import context
from b24tools.cli import app
from b24tools.core import config, data_folder, errors, locks
from b24tools.sandbox import demo_company, server
from b24tools.store import database, migrations, open_store
from tests.contract.test_serve import running
from tests.support.processes import open_shop
from tests.support.server import Served, as_bytes, event_body, order, serving

RESTORE = database.explain_restoring()
LOCAL = "As some network folders have none: set B24_DATA_DIR to a local one."
UPDATE = "Update this b24tools, or set another B24_DATA_DIR."
COMMANDS = (
    "assign order.json", "assign --dry-run order.json", "assign --inbox inbox", "snapshot", "mode", "mode webhook",
    "config", "replay --list", "replay --failed", "leaderboard", "load", "orders", "why 5", "serve --port 0",
)  # fmt: skip
ENDED = "while `b24tools serve` was running"
PROBLEM = "the last {what} could not be stored; this stays so until one is, or `b24tools serve` is started again"
HINT = "Stop it, see that the right database is in its place, start it again; until then nothing is taken."


def make_empty(path: Path) -> None:
    path.write_bytes(b"")


def make_random(path: Path) -> None:
    path.write_bytes(b"\x07" * 20_000)


def cut_off(path: Path) -> None:
    os.truncate(path, 9000)


def make_newer(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("INSERT INTO _sqlite_migrations VALUES (NULL, ?, 'm999_later', '2030')", [migrations.SET])


def number_newer(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 7")


def lose(path: Path) -> None:
    path.with_name(f"{path.name}-wal").write_bytes(b"a page")
    path.unlink()


STATES: dict[str, tuple[Callable[[Path], None], str, str]] = {
    "empty": (
        make_empty,
        "the database {path} is empty: a full disk or a copy that broke off has left it so",
        RESTORE,
    ),
    "random": (make_random, "the database {path} is damaged: file is not a database", RESTORE),
    "cut off": (cut_off, "the database {path} is damaged: database disk image is malformed", RESTORE),
    "newer": (make_newer, "{path} was made by a newer b24tools", UPDATE),
    "numbered": (number_newer, "{path} was made by a newer b24tools", UPDATE),
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a user with an order, an inbox, a database; the portal is out of reach."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BITRIX_WEBHOOK_URL", "http://127.0.0.1:9/rest/1/sandboxsandbox00/")
    monkeypatch.setenv("B24_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("B24_RETRY_SECONDS", "0")
    open_store(tmp_path / "data" / "b24tools.db").close()
    (tmp_path / "order.json").write_bytes(as_bytes(order()))
    (tmp_path / "inbox").mkdir()
    (tmp_path / "inbox" / "order.json").write_bytes(as_bytes(order()))
    os.utime(tmp_path / "inbox" / "order.json", (1, 1))
    return tmp_path


@pytest.mark.long
@pytest.mark.parametrize("state", STATES)
def test_what_is_no_sound_database_of_ours_is_refused_by_every_command(
    folder: Path, capsys: pytest.CaptureFixture[str], state: str
) -> None:
    """In the same words; the file is left as it is, and so is the inbox."""
    make, message, hint = STATES[state]
    path = folder / "data" / "b24tools.db"
    make(path)
    before = path.read_bytes()

    for command in COMMANDS if state == "newer" else ("mode webhook", "leaderboard", "assign --inbox inbox"):
        status = app.main(command.split())
        line = capsys.readouterr().err
        assert (2, f"{message.format(path=path)}. {hint}\n") == (status, line), command

    assert before == path.read_bytes()
    assert [folder / "inbox" / "order.json"] == list((folder / "inbox").iterdir())
    assert 1 == app.main(["doctor", "--json"])
    checks = {check["check"]: check for check in json.loads(capsys.readouterr().out)["data"]}
    assert ("fail", hint) == (checks["database"]["status"], checks["database"]["fix"])


def test_a_log_without_its_database_is_not_laid_over_a_new_one(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """SQLite would take it for that."""
    path = folder / "data" / "b24tools.db"
    lose(path)

    expected = f"the database {path} is gone, but {path}-wal, which belongs to it, is there. {RESTORE}\n"
    for command in ("mode webhook", "leaderboard", "history", "why 1", "replay --list", "assign --dry-run order.json"):
        assert 2 == app.main(command.split()), command
        assert expected == capsys.readouterr().err, command
    assert 1 == app.main(["doctor", "--json"])
    checks = {check["check"]: check for check in json.loads(capsys.readouterr().out)["data"]}
    assert ("fail", RESTORE) == (checks["database"]["status"], checks["database"]["fix"])
    assert not path.exists()


def test_a_database_that_could_not_be_made_is_made_anew(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A kill or a full disk in the first run leaves nothing in its place."""
    path = folder / "data" / "b24tools.db"
    path.unlink()
    with monkeypatch.context() as full:
        full.setattr(migrations, "apply", lambda connection, *_upto: connection.execute("PRAGMA no_such(").fetchone())
        assert 2 == app.main(["mode", "webhook"])
    assert not path.exists()

    assert 0 == app.main(["mode", "webhook"])
    with closing(open_store(path)) as opened:
        assert "webhook" == opened.settings.get("producer_mode")


def test_a_file_system_without_locks_is_named(folder: Path) -> None:
    """Not as a lack of rights or space."""
    path = folder / "data" / "b24tools.db"
    error = sqlite3.OperationalError("disk I/O error")
    error.sqlite_errorcode = sqlite3.SQLITE_IOERR_LOCK

    with pytest.raises(errors.ConfigError) as caught, database.explain_failures(path):
        raise error

    assert f"the database {path} cannot be used: disk I/O error" == caught.value.message
    assert LOCAL == caught.value.hint


def test_a_full_disk_is_named_where_sqlite_only_knows_of_a_failure(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a tmpfs: it cannot make the index of its log."""
    path = folder / "data" / "b24tools.db"
    error = sqlite3.OperationalError("disk I/O error")
    error.sqlite_errorcode = sqlite3.SQLITE_IOERR_SHMMAP
    usage = shutil.disk_usage(folder)
    monkeypatch.setattr(shutil, "disk_usage", lambda place: usage._replace(free=4096 if place == path.parent else 9**9))

    explained = database.explain(path, error)

    assert f"the database {path} cannot be used: the disk is full" == explained.message
    assert "database" == explained.code
    assert LOCAL == database.explain(Path(path.name), error).hint


@pytest.mark.parametrize(
    ("failure", "reason", "hint"),
    [
        (errno.EACCES, "Permission denied (EACCES)", "the user who runs b24tools must be allowed to write there."),
        (
            errno.EINVAL,
            "Invalid argument (EINVAL)",
            "see whether its file system has locks, or choose a local one.",
        ),
    ],
)
def test_a_lock_that_fails_names_folder_and_error(
    folder: Path, monkeypatch: pytest.MonkeyPatch, failure: int, reason: str, hint: str
) -> None:
    """Rights are blamed only where the system does so."""

    def fail(*_arguments: object, **_options: object) -> None:
        raise OSError(failure, os.strerror(failure))

    monkeypatch.setattr("filelock.FileLock.acquire", fail)
    with pytest.raises(errors.ConfigError) as caught, locks.hold(folder, "assign", 0, context.now):
        pass
    assert f"the folder {folder} cannot be locked: {reason}" == caught.value.message
    assert f"B24_DATA_DIR names it: {hint}" == caught.value.hint


def test_a_folder_that_may_not_be_seen_is_named_as_one_that_may_not_be_used(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is another user's, or below one's home that is read-only; what cannot be seen is taken to be there."""
    data = folder / "data"

    def refuse(*_arguments: object) -> bool:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    with monkeypatch.context() as closed:
        closed.setattr(data_folder, "prepare", refuse)
        assert 2 == app.main(["backup"])
    hint = "B24_DATA_DIR names it: the user who runs b24tools must be allowed to write there."
    assert f"the folder {data} cannot be locked: Permission denied (EACCES). {hint}\n" == capsys.readouterr().err
    monkeypatch.setattr(Path, "exists", refuse)
    assert context.Session(config.load(), print).has_database()


def test_locks_lie_in_a_folder_of_their_own_and_hold_what_an_older_version_looks_at(folder: Path) -> None:
    """`serve` of 0.1 may still run during an upgrade: it is waited for, and waits."""
    data = folder / "data"
    with locks.hold(data, "assign", 0, context.now):
        with pytest.raises(filelock.Timeout):
            filelock.FileLock(data / "assign.lock").acquire(timeout=0)
        with pytest.raises(errors.Busy), locks.hold(data, "assign", 0, context.now):
            pass
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (data / "run", *(data / "run").iterdir())}
    assert {"run": 0o700, "assign.lock": 0o600, "assign.lock.json": 0o600} == modes
    with (
        filelock.FileLock(data / "assign.lock"),
        pytest.raises(errors.Busy),
        locks.hold(data, "assign", 0, context.now),
    ):
        pass


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("failure", [errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP])
def test_a_folder_without_flock_is_refused_without_a_warning_of_a_library(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], failure: int
) -> None:
    """filelock would print it, and leave files behind."""
    fcntl = pytest.importorskip("fcntl")

    def fail(*_arguments: object) -> None:
        raise OSError(failure, os.strerror(failure))

    monkeypatch.setattr(fcntl, "flock", fail)
    data_folder.has_locks.cache_clear()

    assert [2, 2] == [app.main(command.split()) for command in ("assign order.json", "snapshot")]
    lines = capsys.readouterr().err.splitlines()
    assert 2 == len(lines), lines
    assert all(line.endswith(f"its file system has no locks. {LOCAL}") for line in lines)
    assert [] == list((folder / "data").glob("*.lock"))


def test_a_folder_without_locks_is_refused_by_every_command(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """SQLite takes its database for one that is always busy."""
    fcntl = pytest.importorskip("fcntl")

    def fail(*_arguments: object) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "lockf", fail)
    data_folder.has_locks.cache_clear()
    path = folder / "data"

    for command in COMMANDS:
        assert 2 == app.main(command.split()), command
        line = capsys.readouterr().err
        assert line.endswith(f"cannot be used: its file system has no locks. {LOCAL}\n"), command
    assert 1 == app.main(["doctor", "--json"])
    checks = {check["check"]: check for check in json.loads(capsys.readouterr().out)["data"]}
    detail = f"the folder {path} cannot be locked: its file system has no locks"
    assert ("fail", detail) == (checks["data_folder"]["status"], checks["data_folder"]["detail"])


# under a running serve


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    """The service of the plant."""
    with serving(demo_company.build(context.now), tmp_path / "data", B24_RETRY_SECONDS=0) as opened:
        yield opened


def remove(path: Path) -> None:
    path.rename(path.with_name("away"))


def replace(path: Path) -> None:
    open_store(path.with_name("other.db")).close()
    path.with_name("other.db").replace(path)


def remove_log(path: Path) -> None:
    path.with_name(f"{path.name}-wal").unlink()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (remove, f"b24tools.db was removed {ENDED}"),
        (replace, f"b24tools.db was replaced {ENDED}"),
        (remove_log, f"b24tools.db-wal was removed {ENDED}"),
        (make_empty, "the database b24tools.db is empty: a full disk or a copy that broke off has left it so"),
    ],
)
def test_what_happens_to_the_files_is_noticed_before_an_event_is_accepted(
    served: Served, change: Callable[[Path], None], message: str
) -> None:
    """Nor an order; what monitors the service is warned."""
    assert 202 == served.event(5).status_code
    path = served.settings.database
    change(path)

    ways = ("/webhook", event_body(served.portal, 6)), ("/", as_bytes(order())), ("/plan", as_bytes(order()))
    refused = [served.client.post(way, content=body) for way, body in ways for _again in range(2)]
    refused += [served.client.get("/leaderboard"), served.client.get("/configs")]
    health = served.client.get("/healthz")

    hint = RESTORE if change is make_empty else HINT
    body = {"detail": message, "code": "database", "hint": hint}
    assert [(503, "30", body)] * 8 == [
        (answer.status_code, answer.headers["retry-after"], answer.json()) for answer in refused
    ]
    assert [] == [task.title for task in served.portal.tasks if task.xml_id]
    assert 503 == health.status_code
    assert {
        "status": "failed",
        "snapshot_age_s": None,
        "oldest_event_age_s": None,
        "problem": "the database cannot be used",
    } == health.json()
    assert change is not remove or not path.exists()


def test_a_database_that_is_back_in_its_place_goes_on(served: Served) -> None:
    """Moved away by mistake: no restart is needed."""
    path = served.settings.database
    path.rename(path.with_name("away"))
    assert 503 == served.event(5).status_code
    path.with_name("away").rename(path)

    assert 202 == served.event(6).status_code
    with closing(served.open_store()) as opened:
        assert [6] == [event.task_id for event in opened.events.find()]
    assert "ok" == served.client.get("/healthz").json()["status"]


@pytest.mark.parametrize("checkpoint", ["TRUNCATE", "PASSIVE"])
def test_an_older_state_copied_into_the_file_is_noticed(served: Served, checkpoint: str) -> None:
    """A backup put back with cp, which keeps the file's identity."""
    path, backup = served.settings.database, served.settings.data_dir.parent / "backup.db"
    with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(backup)) as copy:
        source.backup(copy)
    assert [202, 202] == [served.event(task_id).status_code for task_id in (5, 6)]
    assert 200 == served.client.get("/leaderboard").status_code
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA wal_checkpoint({checkpoint})")
    shutil.copyfile(backup, path)

    answer = served.event(7)

    detail = f"an older state was copied into b24tools.db {ENDED}"
    assert (503, detail, HINT) == (answer.status_code, answer.json()["detail"], answer.json()["hint"])


def test_health_fails_until_something_is_stored_again(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """A refusal that is the sender's own fault changes nothing."""
    with monkeypatch.context() as broken:
        broken.setattr("b24tools.jobs.events.process.add", _fail)
        assert 503 == served.event(5).status_code
    assert 403 == served.event(5, token="wrong").status_code
    health = served.client.get("/healthz")
    assert (503, "failed", PROBLEM.format(what="event")) == (
        health.status_code,
        health.json()["status"],
        health.json()["problem"],
    )

    assert 202 == served.event(5).status_code

    healthy = {"status": "ok", "snapshot_age_s": None, "oldest_event_age_s": None, "last_intake_age_s": 0}
    assert (200, healthy) == ((health := served.client.get("/healthz")).status_code, health.json())


def test_health_fails_until_an_order_is_stored_whatever_events_come(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Events come all the time: what they say of themselves is nothing about orders."""
    with monkeypatch.context() as broken:
        broken.setattr("b24tools.jobs.assign.orders", _fail)
        assert 503 == served.client.post("/", content=as_bytes(order())).status_code
    assert 202 == served.event(5).status_code
    health = served.client.get("/healthz")
    assert (503, PROBLEM.format(what="order")) == (health.status_code, health.json()["problem"])

    assert 200 == served.client.post("/", content=as_bytes(order())).status_code

    assert "ok" == served.client.get("/healthz").json()["status"]


def test_a_wrong_setting_says_nothing_about_the_health_of_the_database(served: Served) -> None:
    """Whoever sends an order is told which file it is; it is mended without another order."""
    people = served.settings.data_dir / "people.json"
    people.write_text("{", encoding="utf-8")
    answer = served.client.post("/", content=as_bytes(order()))
    people.unlink()
    assert (500, "settings") == (answer.status_code, answer.json()["code"])
    assert "ok" == served.client.get("/healthz").json()["status"]


def _fail(*_arguments: object, **_options: object) -> str:
    raise sqlite3.OperationalError("database or disk is full")


# who may read


@pytest.mark.skipif(os.name == "nt", reason="rights of Windows")
@pytest.mark.parametrize("command", ["assign --dry-run order.json", "assign order.json", "snapshot", "mode", "load"])
def test_the_data_folder_is_for_its_user_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str) -> None:
    """Whatever makes it first, and whatever the umask of who runs it."""
    portal = demo_company.build(lambda: datetime.now(UTC))
    (tmp_path / "order.json").write_bytes(as_bytes(order()))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("B24_DATA_DIR", str(tmp_path / "data"))
    before = os.umask(0)
    try:
        with server.serve(portal) as url:
            monkeypatch.setenv("BITRIX_WEBHOOK_URL", portal.webhook_url(url))
            assert 0 == app.main(command.split())
    finally:
        os.umask(before)
    assert {} == {path.name: oct(mode) for path, mode in modes(tmp_path / "data").items() if mode & 0o077}


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root may give files away")
def test_what_root_makes_is_the_owners_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each file, while root has the folder open, and what a killed run has left; a link of that user's gets nothing."""
    portal = demo_company.build(lambda: datetime.now(UTC))
    (tmp_path / "order.json").write_bytes(as_bytes(order()))
    (data := tmp_path / "data").mkdir()
    (tmp_path / "elsewhere").mkdir()
    (data / "cache").symlink_to(tmp_path / "elsewhere")
    (data / "log.log").write_text("", "utf-8")
    shutil.chown(data, "nobody")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("B24_DATA_DIR", str(data))

    def list_roots() -> list[str]:
        return sorted(str(path.relative_to(data)) for path in data.rglob("*") if path.lstat().st_uid == 0)

    with server.serve(portal) as url:
        monkeypatch.setenv("BITRIX_WEBHOOK_URL", portal.webhook_url(url))
        for command in ("assign order.json", "snapshot", "backup", "orders", "mode webhook"):
            assert 0 == app.main(command.split())
        with closing(open_store(data / "b24tools.db")) as store, store.transaction():
            store.settings.get("producer_mode")
            assert ["cache"] == list_roots()
            assert {0} == {path.stat().st_uid for path in (tmp_path / "elsewhere").iterdir()}
        (data / "cache").unlink()
        for command in ("assign order.json", "backup a.zip", "restore a.zip --yes", "replan --yes", "load"):
            assert 0 == app.main(command.split())
        assert (data / "cache" / "cache.db").exists()
        assert [] == list_roots()


def modes(folder: Path) -> dict[Path, int]:
    return {path: path.stat().st_mode & 0o777 for path in (folder, *folder.rglob("*"))}


@pytest.mark.skipif(os.name == "nt", reason="rights of Windows")
def test_a_data_folder_that_others_could_read_is_made_private(tmp_path: Path) -> None:
    """An administrator's mkdir, or a version that did not care. Links lead elsewhere."""
    folder, target = tmp_path / "data", tmp_path / "target"
    folder.mkdir()
    target.touch()
    target.chmod(0o644)
    open_store(folder / "b24tools.db").close()
    (folder / "log.log.1").touch()
    (folder / "calendar.json").symlink_to(target)
    (folder / "cache").mkdir()
    (folder / "cache" / "cache.db").touch()
    for path in (folder, folder / "cache", folder / "cache" / "cache.db", folder / "b24tools.db", folder / "log.log.1"):
        path.chmod(0o755 if path.is_dir() else 0o664)

    open_store(folder / "b24tools.db").close()

    private = {path: mode for path, mode in modes(folder).items() if path.name != "calendar.json"}
    assert {path: 0o700 if path.is_dir() else 0o600 for path in private} == private
    assert 0o644 == target.stat().st_mode & 0o777


@pytest.mark.skipif(os.name == "nt", reason="rights of Windows")
def test_a_folder_with_other_things_keeps_its_rights(tmp_path: Path) -> None:
    """It may be a home, or /tmp; what is ours there is private."""
    tmp_path.chmod(0o755)
    (tmp_path / "letters").touch()
    (tmp_path / "letters").chmod(0o644)

    open_store(tmp_path / "b24tools.db").close()

    assert [0o755, 0o644, 0o600] == [modes(tmp_path)[tmp_path / name] for name in ("", "letters", "b24tools.db")]


@pytest.mark.long
@pytest.mark.skipif(os.name == "nt", reason="rights of Windows")
def test_what_serve_writes_is_private(tmp_path: Path) -> None:
    """The log, too, and what it becomes when it is full."""
    with open_shop(tmp_path) as shop, running(shop, code="import os; os.umask(0); ") as (_process, port):
        body = event_body(shop.portal, 5)
        assert 202 == httpx.post(f"http://127.0.0.1:{port}/webhook", content=body, trust_env=False).status_code
        rights = modes(tmp_path / "data")

    assert {"b24tools.db", "b24tools.db-wal", "b24tools.db-shm", "log.log"} <= {path.name for path in rights}
    assert {} == {path.name: oct(mode) for path, mode in rights.items() if mode & 0o077}
