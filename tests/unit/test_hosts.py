"""Hosts: which spellings are one."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from b24tools.core import errors, hosts
from b24tools.jobs.doctor import webhook
from b24tools.jobs.doctor.checks import Examination
from b24tools.store import open_store
from tests.support.doctor import inspect
from tests.support.orders import MONDAY

LABELS = st.text("abcxyz0189абвёыя", min_size=1, max_size=10)


@given(st.lists(LABELS, min_size=1, max_size=3), st.sampled_from(["", ":8443"]), st.sampled_from(["", "/Portal"]))
def test_every_spelling_of_a_host_is_read_as_one(labels: list[str], port: str, folder: str) -> None:
    """Punycode, capitals, a dot at the end; the folder's letters stay as they are."""
    plain = ".".join(labels)
    wire = hosts.to_wire(plain)
    seen = {hosts.read(name + port + folder) for name in (plain, plain.upper(), wire, wire.upper(), f"{plain}.")}
    assert (seen, wire.isascii()) == ({plain + port + folder}, True)


@pytest.mark.parametrize(
    ("written", "sent"),
    [
        ("https://intranet.example", "https://intranet.example"),
        ("https://intranet.example/", "https://intranet.example"),
        ("HTTPS://Intranet.Example:443/1c/", "https://intranet.example"),
        ("http://intranet.example:8080/", "http://intranet.example:8080"),
        ("https://завод.рф", "https://xn--80aegj1b.xn--p1ai"),
        ("http://[::1]:3000/", "http://[::1]:3000"),
        ("null", "null"),
        ("*", "*"),
        ("https://", "https://"),
    ],
)
def test_an_origin_is_written_as_browsers_send_it(written: str, sent: str) -> None:
    """People copy it from the address bar."""
    assert sent == hosts.read_origin(written)


@pytest.mark.parametrize("name", ["", ".", "a..b", "xn--0", "a" * 64, "завод..рф", "\u200d"])
def test_what_cannot_be_a_host_is_none(name: str) -> None:
    """Nothing is guessed of it."""
    assert "" == hosts.read(name)


@pytest.mark.parametrize(
    ("known", "now", "same"),
    [
        ("", "завод.рф", True),
        ("xn--80aegj1b.xn--p1ai", "завод.рф", True),  # as versions before this one remembered it
        ("Plant.Bitrix24.ru.", "plant.bitrix24.ru", True),
        ("box.local/a", "box.local/b", False),
        ("box.local", "box.local:8443", False),
        ("what was typed once", "завод.рф", False),
    ],
)
def test_a_database_meets_only_its_own_portal(tmp_path: Path, known: str, now: str, same: bool) -> None:
    """Commands stop and `doctor` names it, both or neither."""
    with contextlib.closing(open_store(tmp_path / "b24tools.db")) as opened:
        with opened.transaction():
            opened.database.insert("settings", [{"key": "portal_host", "value": known}], key=["key"])
        stopped = False
        try:
            opened.settings.check_host(now)
        except errors.ConfigError as error:
            stopped = f"config portal_host {now}" in error.hint
        exam = Examination(inspect(tmp_path, webhook_url=f"https://{now}/rest/1/abc/"), lambda: MONDAY)
        exam.database = opened
        assert (not same, "ok" if same else "fail") == (stopped, webhook.check_host(exam).status)
