"""Connections to PostgreSQL: how they are opened, what they make of values and of errors, and which wait to be used."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from typing import Any

import psycopg
from psycopg.adapt import Dumper, Loader
from psycopg.conninfo import conninfo_to_dict
from psycopg.pq import TransactionStatus
from psycopg.types.string import StrDumper

from b24tools.core import errors
from b24tools.core.database_url import DatabaseUrl
from b24tools.core.i18n import _
from b24tools.store.database import BUSY_TIMEOUT_S, Conflict, ServerError
from b24tools.store.idle_connections import IdleConnections

IDLE_S = 60  # a machine that dies in the middle of a transaction holds the others up no longer
_CONNECTING = {
    "connect_timeout": 10,
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
}
# A machine that vanishes without a word loses its locks after a minute, not after the two hours of the server's system
_NOTICING = (
    "SET tcp_keepalives_idle = 30; SET tcp_keepalives_interval = 10; SET tcp_keepalives_count = 3;"
    " SET tcp_user_timeout = 30000;"
)
_NUL_IN_JSON = re.compile(r"(?<!\\)((?:\\\\)*)\\u0000")
# What a server says that answers and will not: a person must see to it. It has no code for it before the connection.
_REFUSALS = re.compile(
    r"authentication failed|no password supplied|does not exist|pg_hba\.conf|not permitted to log in|permission denied"
    r"|не пройдена|не существует|не задан пароль|нет прав|нет доступа"
    # what libpq says of a URL whose options are wrong, or do not fit the server's encryption
    r"|invalid \S+ value|invalid port number|invalid integer value|could not match|definition of service"
    r"|unrecognized configuration parameter|SSL was required|certificate verify failed|does not match host name",
    re.IGNORECASE,
)
_FULL_OF_SESSIONS = re.compile(
    r"too many clients|too many connections|connection slots|слишком много|слоты подключений", re.IGNORECASE
)
_DENIED_CONNECTION = re.compile(r"permission denied for|нет доступа к")
_PASSING = ("25006", "25P03")  # a server that is about to become the first one again; a connection that was idle
_READ_ONLY, _DENIED, _DISK_FULL, _SESSIONS = "25006", "42501", "53100", "53300"


class PostgresRow(tuple[Any, ...]):
    """A row whose values go by their columns' names, too."""

    places: Mapping[str, int]

    def __getitem__(self, place: Any) -> Any:
        return super().__getitem__(self.places[place] if isinstance(place, str) else place)

    def keys(self) -> Iterable[str]:
        """The names of the columns."""
        return self.places.keys()


class _BoolDumper(Dumper):
    """There are no booleans in the tables: 1 or 0, as SQLite has them."""

    def dump(self, obj: bool) -> bytes:
        return b"1" if obj else b"0"

    def quote(self, obj: bool) -> bytes:
        return self.dump(obj)


class _TextDumper(StrDumper):
    """A text as it can be saved."""

    def dump(self, obj: str) -> Any:
        return super().dump(clean_text(obj))


def clean_text(text: str) -> str:
    """Return a text as PostgreSQL can have it: without NUL, and without one that is escaped in JSON."""
    if "\0" not in text and "\\u0000" not in text:  # nearly all: the pattern takes a third of a restore
        return text
    return _NUL_IN_JSON.sub("\\1\ufffd", text.replace("\0", "\ufffd"))


class _NumberLoader(Loader):
    """A sum of whole numbers is a whole number."""

    def load(self, data: Any) -> int | float:
        text = bytes(data).decode()
        return float(text) if "." in text or "N" in text else int(text)


def _make_rows(cursor: psycopg.Cursor[Any]) -> Any:
    places: dict[str, int] = {}
    for place, column in enumerate(cursor.description or ()):
        places.setdefault(column.name, place)

    def make(values: Sequence[Any]) -> PostgresRow:
        row = PostgresRow(values)
        row.places = places
        return row

    return make


def name_session(address: DatabaseUrl, what: str = "") -> str:
    """Return what the server's list of sessions says of one; of `what` it is not the rows that it is open for."""
    return f"b24tools {what}|" if what else f"b24tools:{address.schema}"


def connect(address: DatabaseUrl, what: str = "") -> psycopg.Connection[Any]:
    """Return a connection to the schema, for its rows or only for `what`. Raises ServerError.

    Raises ConfigError behind a pooler that gives each transaction another session: no lock and no setting holds there.
    """
    try:
        connection = _connect(address, what)
        try:
            _require_own_session(connection, address)
            connection.execute(
                f'SET search_path TO "{address.schema}"; {_NOTICING} SET lock_timeout = {BUSY_TIMEOUT_S * 1000};'
                f" SET idle_in_transaction_session_timeout = {IDLE_S * 1000}; SET standard_conforming_strings = on;"
                # the ledger must survive a power cut, whatever the server's default is
                " SELECT set_config('synchronous_commit', 'local', FALSE)"
                " WHERE current_setting('synchronous_commit') = 'off'"
            )
        except BaseException:
            connection.close()
            raise
    except (psycopg.Error, OSError) as error:
        raise explain(error) from error
    return connection


def _connect(address: DatabaseUrl, what: str) -> psycopg.Connection[Any]:
    options = {**_CONNECTING, **conninfo_to_dict(address.libpq), "application_name": name_session(address, what)}
    connection: psycopg.Connection[Any] = psycopg.connect(
        autocommit=True,
        cursor_factory=psycopg.ClientCursor,
        row_factory=_make_rows,
        **options,  # type: ignore[arg-type]
    )
    connection.adapters.register_dumper(bool, _BoolDumper)
    connection.adapters.register_dumper(str, _TextDumper)
    connection.adapters.register_loader("numeric", _NumberLoader)
    return connection


def _require_own_session(connection: psycopg.Connection[Any], address: DatabaseUrl) -> None:
    """Raise ConfigError where another connection is given the same session while this one is open."""
    pid = _read_pid(connection)
    if connection.info.backend_pid == pid or address in _pooled:  # a pooler between tells a number of its own
        return
    with closing(_connect(address, "looks")) as other, other.transaction():
        is_shared = _read_pid(other) == pid
    if is_shared:
        raise errors.ConfigError(
            _("behind {path} is a pooler that gives each transaction another session: no lock holds there").format(
                path=address
            ),
            _("Set B24_DATABASE_URL to the server itself, or let the pooler pool sessions."),
            code=errors.ErrorCode.DATABASE,
        )
    _pooled.add(address)


def _read_pid(connection: psycopg.Connection[Any]) -> int:
    return int(connection.execute("SELECT pg_backend_pid()").fetchone()[0])  # type: ignore[index]


_pooled: set[DatabaseUrl] = set()  # those behind a pooler of sessions


idle: IdleConnections[psycopg.Connection[Any]] = IdleConnections()


def put_away(address: DatabaseUrl, connection: psycopg.Connection[Any]) -> bool:
    """Let a connection wait for its next user; False where it is lost, or there are enough."""
    try:
        if connection.info.transaction_status != TransactionStatus.IDLE:
            connection.execute("ROLLBACK")
    except psycopg.Error:
        return False
    # what a session may write is settled when it begins
    is_read_only = connection.info.parameter_status("default_transaction_read_only") == "on"
    return not (connection.closed or is_read_only) and idle.put_away(address, connection)


def explain(error: Exception, connection: psycopg.Connection[Any] | None = None) -> ServerError:
    """Return what psycopg says as an error that the callers know. `connection`: the one that it came over."""
    text = str(error)
    reason = text.strip().partition("\n")[0] or type(error).__name__
    if isinstance(error, psycopg.IntegrityError):
        return Conflict(reason, passes=False)
    code = getattr(error, "sqlstate", None) or ""
    passes = isinstance(error, psycopg.OperationalError | psycopg.InterfaceError | OSError) or code in _PASSING
    hint = ""
    if code == _SESSIONS or (not code and _FULL_OF_SESSIONS.search(text)):
        hint = _("Allow more connections: max_connections of the server, CONNECTION LIMIT of the user or the database.")
    elif code == _DISK_FULL:
        passes, hint = False, _("Free some space on the server's disk.")
    elif code == _DENIED or (not code and _DENIED_CONNECTION.search(text)):
        passes = False
        hint = _("Let the schema with its tables belong to the user of B24_DATABASE_URL, who may connect and create.")
    elif code == _READ_ONLY and connection is not None:
        passes, hint = _explain_read_only(connection)
    elif not code and _REFUSALS.search(text):
        passes = False
    return ServerError(reason, passes=passes, hint=hint)


def _explain_read_only(connection: psycopg.Connection[Any]) -> tuple[bool, str]:
    """Return whether a server that refuses to write will, and what to do. It says by itself what it is, from 14 on."""
    if connection.info.parameter_status("in_hot_standby") == "on":
        hint = _("It is a standby: name both servers in B24_DATABASE_URL, with target_session_attrs=read-write.")
        return True, hint
    if connection.info.parameter_status("default_transaction_read_only") == "on":
        return False, _("Set default_transaction_read_only to off for the server, the database or the user.")
    return True, ""
