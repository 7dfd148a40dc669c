"""What every test stands on: no settings from outside, no network but this machine's own."""

from __future__ import annotations

import os
import signal
import socket
import sqlite3
import ssl
from collections.abc import Collection, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import diskcache
import pytest
from hypothesis import settings

from b24tools.core import database_url, i18n
from b24tools.core.database_url import DatabaseUrl
from b24tools.store import database, migrations
from tests.support import postgres

# Started in the background, a shell has SIGINT ignored, and that is inherited by what the tests start.
signal.signal(signal.SIGINT, signal.default_int_handler)

# Reading the authorities for each client takes a sixteenth of a second; what a test adds to a context is its own.
_new_context = ssl.create_default_context
_context_of = cache(lambda cafile: _new_context(cafile=cafile))
ssl.create_default_context = lambda *purpose, **given: (
    _new_context(*purpose, **given) if purpose or list(given) != ["cafile"] else _context_of(given["cafile"])
)

# No test cuts the power, and waiting for the disk was half of the time of the tests.
database.SYNCHRONOUS = "OFF"
diskcache.DEFAULT_SETTINGS["sqlite_synchronous"] = 0

_apply = migrations.apply


@cache
def _migrated() -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:", check_same_thread=False, isolation_level=None)
    connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
    _apply(connection)
    return connection


def _apply_or_copy(connection: sqlite3.Connection, upto: Collection[str] = migrations.NAMES) -> None:
    """Apply the migrations; a new database gets a copy of one that has had all, in a thirtieth of the time."""
    if set(upto) >= migrations.NAMES and not connection.execute("SELECT 1 FROM sqlite_master").fetchone():
        _migrated().backup(connection)
    else:
        _apply(connection, upto)


migrations.apply = _apply_or_copy

settings.register_profile("b24tools", deadline=None)  # how long an example takes depends on who else is at work
settings.load_profile("b24tools")

OURS = ("B24_", "BITRIX_", "TZ_NAME")


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> Iterator[None]:
    """Our variables removed, an empty working folder, English messages, no holidays: tests run on any day."""
    umask = os.umask(0o022)  # `serve` sets its own
    for name in os.environ:
        if name.startswith(OURS):
            monkeypatch.delenv(name)
    monkeypatch.setenv("B24_LANG", "en")
    monkeypatch.setenv("B24_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "home"))  # where data are without that setting
    monkeypatch.setenv("B24_COUNTRY", "none")
    monkeypatch.chdir(tmp_path)
    i18n.use("en")
    yield
    os.umask(umask)
    i18n.use("en")


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection beyond this machine fails the test that tries it."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: Any) -> None:
        if isinstance(address, tuple) and address[0] not in ("127.0.0.1", "::1", "localhost"):
            raise AssertionError(f"a test tried to reach {address[0]}")
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", guarded)


def pytest_addoption(parser: pytest.Parser) -> None:
    """The same tests on the other engine."""
    parser.addoption("--database", choices=("sqlite", "postgres"), default="sqlite", help="what the tests run on")


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[postgres.Server]:
    """A server of this session's own; without its programs, or psycopg, the tests that need it are skipped."""
    pytest.importorskip("psycopg")
    programs = postgres.find_programs()
    if programs is None:
        pytest.skip("there is no PostgreSQL here")
    with postgres.run_server(programs) as server:
        yield server


@pytest.fixture
def postgres_url(postgres_server: postgres.Server) -> str:
    """Its address."""
    return postgres_server.url


@pytest.fixture
def address(postgres_url: str, tmp_path: Path) -> Iterator[DatabaseUrl]:
    """A schema of the test's own, which is not there yet."""
    import psycopg

    schema = postgres.name_schema(tmp_path)
    yield database_url.read(f"{postgres_url}&schema={schema}", tmp_path)
    with psycopg.connect(postgres_url) as connection:
        names = connection.execute("SELECT nspname FROM pg_namespace WHERE nspname LIKE %s", [f"{schema}%"]).fetchall()
    postgres.drop_schemas(postgres_url, {name for (name,) in names})


@pytest.fixture(autouse=True)
def chosen_database(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """With `--database postgres` a schema for each database that the test opens."""
    if request.config.getoption("--database") == "sqlite":
        yield
        return
    if request.node.get_closest_marker("sqlite"):
        pytest.skip("about a file of SQLite's")
    redirection = postgres.Redirection(request.getfixturevalue("postgres_url"))
    redirection.install(monkeypatch)
    yield
    monkeypatch.undo()
    postgres.drop_schemas(redirection.url, redirection.schemas)


@pytest.fixture
def works(tmp_path: Any) -> Any:
    """The demo plant on Monday at seven."""
    from b24tools.sandbox import demo_company
    from tests.support.orders import Clock, Works

    clock = Clock()
    return Works(demo_company.build(clock), tmp_path / "data", clock)
