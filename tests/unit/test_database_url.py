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
        (
            "postgresql://h/d?options=-c%20work_mem%3D8MB&user=u@azure&password=a+b",
            "postgresql://h/d?options=-c%20work_mem%3D8MB&user=u%40azure&password=a%2Bb",
            "b24tools",
            "postgresql://h/d (b24tools)",
        ),
        ("postgresql:///d?host=/run/pg", "postgresql:///d?host=%2Frun%2Fpg", "b24tools", "postgresql:///d (b24tools)"),
    ],
)
def test_an_address_is_taken_apart(url: str, libpq: str, schema: str, shown: str) -> None:
    """The schema is ours, the rest is libpq's; neither password nor options are shown."""
    address = read(url, HERE)
    assert (DatabaseUrl(libpq, schema, HERE), shown) == (address, str(address))
    assert "p%40x" not in repr(address) and "password" not in repr(address)


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


@pytest.mark.parametrize(
    "password", ["s3@cret", "12/s3cret", "s3#cret", "12?x=s3cret", "s3%cret", "[s3cret", "a:1/s3@cret"]
)
def test_a_password_with_a_sign_of_urls_is_refused_with_what_to_write(password: str) -> None:
    """Half of it would be taken for the host, and shown as that."""
    with pytest.raises(errors.ConfigError) as caught:
        config.load({"B24_DATABASE_URL": f"postgresql://u:{password}@h/d", "B24_DATA_DIR": "/data"})
    assert "in a password write @ %40, / %2F, : %3A, # %23, ? %3F, % %25" in caught.value.message
    assert "cret" not in caught.value.line


def test_the_passwords_are_secrets_and_the_address_without_one_is_none() -> None:
    """An error has to name it."""
    url = "postgresql://planner@db/b24?sslpassword=k%2Fey&password=a+b"
    assert {"k/ey", "a+b"} <= config.load({"B24_DATABASE_URL": url, "B24_DATA_DIR": "/data"}).own_secrets
    settings = config.load({"B24_DATABASE_URL": "postgresql://planner@db/b24", "B24_DATA_DIR": "/data"})
    assert str(settings.database) == settings.scrubber.scrub(str(settings.database))


def test_the_password_is_one_of_the_secrets() -> None:
    """As it is in the address, and as it was meant."""
    settings = config.load({"B24_DATABASE_URL": "postgresql://planner:s3cr%2Ft@db/b24", "B24_DATA_DIR": "/data"})
    assert "s3cr/t" in settings.own_secrets
    assert "***" in settings.scrubber.scrub("planner:s3cr%2Ft@db")
    assert "s3cr" not in repr(settings) + repr(settings.database) + str(settings.database)
    assert config.load({"B24_DATA_DIR": "/data"}).database == Path("/data/b24tools.db")
