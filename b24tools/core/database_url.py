"""The address of a database on a PostgreSQL server."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

from b24tools.core.i18n import _

SCHEMA = "b24tools"
_UNESCAPED = re.compile(r"%(?![0-9A-Fa-f]{2})")  # a % that stands for itself: libpq refuses it
_SCHEMA_NAME = re.compile(r"[a-z_][a-z0-9_]{0,39}")  # it is renamed with a date by `restore`


@dataclass(frozen=True)
class DatabaseUrl:
    """`libpq`: the URL as the library takes it, with the password. `folder`: this machine's data folder.

    `schema` is part of the URL as `?schema=NAME`: so several installations share one database.
    """

    libpq: str = field(repr=False)
    schema: str
    folder: Path

    def __str__(self) -> str:
        """For people: without the password and the options."""
        parts = urlsplit(self.libpq)
        place = parts.netloc.rpartition("@")[2]
        user = f"{unquote(parts.username)}@" if parts.username else ""
        return f"postgresql://{user}{place}{parts.path} ({self.schema})"

    @property
    def name(self) -> str:
        """What may be said of it to clients: nothing of the network."""
        return f"PostgreSQL ({self.schema})"

    @property
    def passwords(self) -> frozenset[str]:
        """The passwords in the URL, as they were meant: the user's, and that of the key of a certificate."""
        parts = urlsplit(self.libpq)
        options = dict(parse_qsl(parts.query))
        passwords = {unquote(parts.password or ""), options.get("password", ""), options.get("sslpassword", "")}
        return frozenset(passwords - {""})


Location = Path | DatabaseUrl  # a file of SQLite's, or a schema on a server


def name_schema(profile: str) -> str:
    """Return the schema of a profile where the URL names none: one database has all portals; "" is the only one."""
    return f"{SCHEMA}_{profile.replace('-', '_')}" if profile else SCHEMA


def read(url: str, folder: Path, profile: str = "") -> DatabaseUrl:
    """Take a URL apart. Raises ValueError for what is none, never with the URL in the text.

    A password with a sign that means something in a URL moves the places of all that follows, and half of it would be
    taken for the host or the user: it is refused unless that sign is escaped.
    """
    try:
        place, _mark, query = url.partition("?")
        cut = urlsplit(place)
        if place.count("@") > 1 or "@" in cut.path or (cut.netloc and not cut.path and "@" in query):
            raise ValueError
        parts = urlsplit(url)
        for host in parts.netloc.rpartition("@")[2].split(","):  # libpq takes several: a server and its standby
            _port = urlsplit(f"//{host}").port
        query = parts.query.replace("+", "%2B")  # libpq takes it as it is
        options = dict(parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query)))
    except ValueError:
        raise ValueError(_expect_escaped() if "@" in url else _expect()) from None
    if _UNESCAPED.search(url):
        raise ValueError(_expect_escaped())
    if parts.scheme not in ("postgresql", "postgres") or parts.fragment:
        raise ValueError(_expect())
    schema = options.pop("schema", name_schema(profile))
    if not _SCHEMA_NAME.fullmatch(schema) or schema.startswith("pg_"):
        raise ValueError(_("the schema's name has small Latin letters, digits and underscores, at most 40"))
    libpq = parts._replace(scheme="postgresql", query=urlencode(options, quote_via=quote)).geturl()
    if not parts.netloc:  # urlsplit drops the slashes of an empty one
        libpq = libpq.replace("postgresql:", "postgresql://", 1)
    return DatabaseUrl(libpq, schema, folder)


def _expect() -> str:
    return _("not an address of PostgreSQL; an example: postgresql://user:password@host/database")


def _expect_escaped() -> str:
    escaped = "@ %40, / %2F, : %3A, # %23, ? %3F, % %25"
    return _("{expected}; in a password write {escaped}").format(expected=_expect(), escaped=escaped)
