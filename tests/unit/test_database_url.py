"""The address of a database on a server: what is taken, what is shown, what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from b24tools.core import config, errors
from b24tools.core.database_url import DatabaseUrl, read

HERE = Path("/data")


@pytest.mark.parametrize(
    ("url", "libpq", "schema", "shown"),
    [
        ("postgresql://h/d", "postgresql://h/d", "b24tools", "postgresql://h/d (b24tools)"),
        (
            "postgres://u:p%40x@h:5433/d",
            "postgresql://u:p%40x@h:5433/d",
            "b24tools",
            "postgresql://u@h:5433/d (b24tools)",
        ),
        ("postgresql://u@h/d?schema=shop_2", "postgresql://u@h/d", "shop_2", "postgresql://u@h/d (shop_2)"),
        (
            "postgresql://u@a:5432,b:5433/d?sslmode=verify-full&schema=x&password=p",
            "postgresql://u@a:5432,b:5433/d?sslmode=verify-full&password=p",
            "x",
            "postgresql://u@a:5432,b:5433/d (x)",
        ),
        ("postgresql:///d?host=/run/pg", "postgresql:///d?host=%2Frun%2Fpg", "b24tools", "postgresql:///d (b24tools)"),
    ],
)
def test_an_address_is_taken_apart(url: str, libpq: str, schema: str, shown: str) -> None:
    """The schema is ours, the rest is libpq's; neither password nor options are shown."""
    found = read(url, HERE)
    assert (DatabaseUrl(libpq, schema, HERE), shown) == (found, str(found))
    assert "p%40x" not in repr(found) and "password" not in repr(found)


@pytest.mark.parametrize(
    "url",
    [
        "mysql://h/d",
        "db.example/d",
        "postgresql://h:x/d",
        "postgresql://h:1,g:x/d",
        "postgresql://h/d?schema=",
        "postgresql://h/d?schema=Цех",
        "postgresql://h/d?schema=pg_x",
        'postgresql://h/d?schema=a"b',
        "postgresql://h/d#x",
        "postgresql://u:s3cret@h/d?schema=" + "x" * 41,
    ],
)
def test_what_is_no_address_is_refused(url: str) -> None:
    """With the setting's name, and never with what it holds."""
    with pytest.raises(errors.ConfigError) as caught:
        config.load({"B24_DATABASE_URL": url, "B24_DATA_DIR": "/data"})
    assert caught.value.message.startswith("B24_DATABASE_URL (from the environment): ")
    assert url not in caught.value.line and "s3cret" not in caught.value.line


def test_the_password_is_one_of_the_secrets() -> None:
    """As it is in the address, and as it was meant."""
    settings = config.load({"B24_DATABASE_URL": "postgresql://planner:s3cr%2Ft@db/b24", "B24_DATA_DIR": "/data"})
    assert {"s3cr/t", "postgresql://planner:s3cr%2Ft@db/b24"} <= settings.own_secrets
    assert "s3cr" not in repr(settings) + repr(settings.database) + str(settings.database)
    assert config.load({"B24_DATA_DIR": "/data"}).database == Path("/data/b24tools.db")
