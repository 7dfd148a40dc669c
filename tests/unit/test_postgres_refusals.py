"""What a server refuses, and how that is said: whether a person must act, what to do, and that it goes on by itself."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import unquote

import pytest

from b24tools import context
from b24tools.core import config, database_url, errors
from b24tools.core.database_url import DatabaseUrl
from b24tools.jobs.doctor.database import check_server_clock
from b24tools.sandbox import demo_company
from b24tools.store import inspection
from tests.support import postgres
from tests.support.closed_tasks import NOW
from tests.support.server import as_bytes, order, serving

psycopg = pytest.importorskip("psycopg")
pytestmark = [pytest.mark.long, pytest.mark.sqlite]

OWNER = "Let the schema with its tables belong to the user of B24_DATABASE_URL, who may connect and create."
READ_ONLY = "Set default_transaction_read_only to off for the server, the database or the user."
WRONG_URL = "B24_DATABASE_URL names the server, the user and the database, which must be there."
SESSIONS = "Allow more connections: max_connections of the server, CONNECTION LIMIT of the user or the database."


@dataclass(frozen=True)
class Place:
    """A database of the test's own, with a user who owns it. `schema`: as tables of it are named."""

    url: str
    address: DatabaseUrl
    name: str

    def change(self, *statements: str) -> None:
        """As the server's administrator, in that database; `{name}` is that of the database and its user."""
        url = self.url.replace("/postgres?", f"/{self.name}?")
        with psycopg.connect(url, autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement.replace("{name}", self.name).encode())

    def settings(self, folder: Path) -> config.Settings:
        """Of a machine on it."""
        url = f"{self.address.libpq}&schema={self.address.schema}"
        return config.Settings.model_validate({"B24_DATA_DIR": folder, "B24_DATABASE_URL": url})

    def save(self, folder: Path) -> None:
        """Save an order as a command does."""
        with context.Session(self.settings(folder), lambda _text: None).open_store() as opened:
            opened.orders.save("a", "1", NOW)


@pytest.fixture
def place(postgres_url: str, tmp_path: Path) -> Iterator[Place]:
    """A user and its database, with a schema."""
    name = postgres.name_schema(tmp_path)
    url = postgres_url.replace(f"//{postgres.USER}@/postgres?", f"//{name}@/{name}?")
    place = Place(postgres_url, database_url.read(f"{url}&schema=s", tmp_path), name)
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(f"CREATE ROLE {name} LOGIN".encode())
        connection.execute(f"CREATE DATABASE {name} OWNER {name}".encode())
        place.save(tmp_path)
        yield place
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())
        connection.execute(f"DROP ROLE {name}".encode())


@pytest.mark.parametrize(
    ("breaks", "restores", "reason", "status", "hint"),
    [
        (
            "ALTER ROLE {name} SET default_transaction_read_only = on",
            "ALTER ROLE {name} RESET default_transaction_read_only",
            "in a read-only transaction",
            2,
            READ_ONLY,
        ),
        (
            "ALTER TABLE s.orders OWNER TO postgres_admin",
            "ALTER TABLE s.orders OWNER TO {name}",
            "permission denied for table orders",
            2,
            OWNER,
        ),
        ("ALTER SCHEMA s OWNER TO postgres_admin", "ALTER SCHEMA s OWNER TO {name}", "for schema s", 2, OWNER),
        (
            "REVOKE CONNECT ON DATABASE {name} FROM PUBLIC, {name}",
            "GRANT CONNECT ON DATABASE {name} TO {name}",
            "permission denied for database",
            2,
            OWNER,
        ),
        ("ALTER ROLE {name} NOLOGIN", "ALTER ROLE {name} LOGIN", "is not permitted to log in", 2, WRONG_URL),
        (
            "ALTER ROLE {name} CONNECTION LIMIT 0",
            "ALTER ROLE {name} CONNECTION LIMIT -1",
            "too many conn",
            75,
            SESSIONS,
        ),
        (
            "ALTER DATABASE {name} CONNECTION LIMIT 0",
            "ALTER DATABASE {name} CONNECTION LIMIT -1",
            "too many conn",
            75,
            SESSIONS,
        ),
    ],
)
def test_what_a_server_refuses_is_said_with_what_to_do(
    place: Place, tmp_path: Path, breaks: str, restores: str, reason: str, status: int, hint: str
) -> None:
    """To a command and to doctor alike; what a person has to change does not end with try later; then all goes on."""
    place.change("DROP ROLE IF EXISTS postgres_admin", "CREATE ROLE postgres_admin")
    place.change(breaks)
    try:
        for attempt in (lambda: place.save(tmp_path), lambda: inspection.look(place.address)):
            with pytest.raises(errors.B24ToolsError) as caught:
                attempt()
            assert (status, hint) == (caught.value.exit_status, caught.value.hint)
            assert reason in caught.value.message, caught.value.message
    finally:
        place.change(restores, "DROP OWNED BY postgres_admin", "DROP ROLE postgres_admin")
    place.save(tmp_path)


def send(served: Any) -> tuple[int, bool]:
    """An order; the answer's status, and whether it says when to try again."""
    answer = served.client.post("/", content=as_bytes(order()), headers={"Content-Type": "application/json"})
    return answer.status_code, "retry-after" in answer.headers


def test_a_server_that_must_not_write_is_waited_for_by_the_service(place: Place, tmp_path: Path) -> None:
    """Orders get 503, `/ready` too; a session that began then is not used again when the server may write."""
    url = f"{place.address.libpq}&schema=s"
    portal = demo_company.build(context.now)
    with serving(portal, tmp_path / "one", B24_DATABASE_URL=url, B24_RETRY_SECONDS=0) as served:
        assert ((200, False), 200) == (send(served), served.client.get("/ready").status_code)
        end_sessions = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{name}'"
        place.change("ALTER ROLE {name} SET default_transaction_read_only = on", end_sessions)
        for _turn in range(2):
            assert ((503, True), 503) == (send(served), served.client.get("/ready").status_code)
        place.change("ALTER ROLE {name} RESET default_transaction_read_only")
        assert ((200, False), 200) == (send(served), served.client.get("/ready").status_code)
    assert 1 == sum((task.xml_id or "").startswith("1c:") for task in portal.tasks)


def test_a_clock_that_is_off_is_said_by_doctor(place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In either direction; within a minute it is right."""
    with context.Session(place.settings(tmp_path), lambda _text: None).read_store() as opened:

        def check(**ahead: float) -> tuple[str, str]:
            monkeypatch.setattr("b24tools.core.clock.read_clock", lambda: datetime.now(UTC) + timedelta(**ahead))
            exam: Any = SimpleNamespace(database=opened, now=NOW)
            finding = check_server_clock(exam)
            assert finding is not None
            return finding.status, finding.detail

        assert ("ok", "agrees with this machine's") == check(seconds=20)
        assert ("warn", "this machine is ahead of the database server by 2 h") == check(hours=2, seconds=30)
        assert ("warn", "the database server is ahead of this machine by 1 h 59 min") == check(hours=-2, seconds=30)


def test_a_standby_is_read_and_waited_for(tmp_path: Path) -> None:
    """It may become the first server at any moment."""
    programs = postgres.find_programs()
    assert programs is not None
    with postgres.run_server(programs) as server:
        address = database_url.read(server.url, tmp_path)
        place = Place(server.url, address, postgres.USER)
        place.save(tmp_path)
        server.stop()
        signal = Path(unquote(server.url.partition("host=")[2]), "data", "standby.signal")
        signal.touch()
        server.start()
        with pytest.raises(errors.Busy) as caught:
            place.save(tmp_path)
        expected = "It is a standby: name both servers in B24_DATABASE_URL, with target_session_attrs=read-write."
        assert expected == caught.value.hint
        session = context.Session(place.settings(tmp_path), lambda _text: None)
        with session.read_store() as opened:
            assert {"a": None} == opened.orders.outcomes(["a"])
        signal.unlink()
        server.stop()
        server.start()
        place.save(tmp_path)
