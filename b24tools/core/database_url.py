"""The address of a database on a PostgreSQL server."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

from b24tools.core.i18n import _

SCHEMA = "b24tools"
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
    def password(self) -> str:
        """The password, as it was meant; "" where it is none of the URL's."""
        parts = urlsplit(self.libpq)
        return unquote(parts.password or dict(parse_qsl(parts.query)).get("password", ""))


Location = Path | DatabaseUrl  # a file of SQLite's, or a schema on a server


def name_schema(profile: str) -> str:
    """Return the schema of a profile where the URL names none: one database has all portals; "" is the only one."""
    return f"{SCHEMA}_{profile.replace('-', '_')}" if profile else SCHEMA


def read(url: str, folder: Path, profile: str = "") -> DatabaseUrl:
    """Take a URL apart. Raises ValueError for what is none, never with the URL in the text."""
    try:
        parts = urlsplit(url)
        for host in parts.netloc.rpartition("@")[2].split(","):  # libpq takes several: a server and its standby
            _port = urlsplit(f"//{host}").port
        options = dict(parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query)))
    except ValueError:
        raise ValueError(_expect()) from None
    if parts.scheme not in ("postgresql", "postgres") or parts.fragment:
        raise ValueError(_expect())
    schema = options.pop("schema", name_schema(profile))
    if not _SCHEMA_NAME.fullmatch(schema) or schema.startswith("pg_"):
        raise ValueError(_("the schema's name has small Latin letters, digits and underscores, at most 40"))
    libpq = parts._replace(scheme="postgresql", query=urlencode(options)).geturl()
    if not parts.netloc:  # urlsplit drops the slashes of an empty one
        libpq = libpq.replace("postgresql:", "postgresql://", 1)
    return DatabaseUrl(libpq, schema, folder)


def _expect() -> str:
    return _("not an address of PostgreSQL; an example: postgresql://user:password@host/database")
