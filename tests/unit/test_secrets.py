"""Secrets in all spellings, wherever they stand; and nothing else."""

from __future__ import annotations

import base64
import html
import json
from collections.abc import Callable
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from b24tools.core import secrets
from b24tools.core.config import Settings
from b24tools.core.secrets import Scrubber

CODE = "zs3cr3tw3bh00kc0"
URL = f"https://plant.bitrix24.ru/rest/7/{CODE}/"
TOKENS = [CODE, "serve-token-of-the-tests", "p/a+ss wörd\"&'<"]
SPELLINGS: dict[str, Callable[[str], str]] = {
    "plain": str,
    "capitals": str.upper,
    "a URL's": lambda text: quote(text, safe=""),
    "each byte": lambda text: "".join(f"%{byte:02X}" for byte in text.encode()),
    "twice": lambda text: quote("".join(f"%{byte:02x}" for byte in text.encode())),
    "half": lambda text: f"%{ord(text[0]):x}{text[1:]}",
    "JSON": json.dumps,
    "JSON in JSON": lambda text: json.dumps(json.dumps(text)),
    "numbers": lambda text: "".join(f"\\u{ord(sign):04x}" for sign in text),
    "hexadecimal": lambda text: text.encode().hex().upper(),
    "Python's bytes": lambda text: "".join(f"\\x{byte:02x}" for byte in text.encode("latin-1")),
    "octal": lambda text: "".join(f"\\{byte:03o}" for byte in text.encode("latin-1")),
    "full width": lambda text: "".join(chr(ord(sign) + 0xFEE0) if "!" <= sign <= "~" else sign for sign in text),
    "slashes": lambda text: text.replace("/", "\\/"),
    "HTML": html.escape,
    "HTML's numbers": lambda text: "".join(f"&#{ord(sign)};" for sign in text),
    "repr": repr,
    "base64": lambda text: base64.b64encode(text.encode()).decode(),
    "Basic": lambda text: base64.b64encode(f"1c:{text}".encode()).decode(),
    "Basic of another length": lambda text: base64.b64encode(f"cron:{text}".encode()).decode(),
    "base64 of UTF-16": lambda text: base64.b64encode(text.encode("utf-16-le")).decode(),
    "base64 of capitals": lambda text: base64.b64encode(text.upper().encode()).decode(),
    "base64 in base64": lambda text: base64.b64encode(base64.b64encode(text.encode())).decode(),
    "base64 in a URL": lambda text: quote(base64.urlsafe_b64encode(f"u:{text}:more".encode()), safe=""),
}


@pytest.mark.parametrize(("name", "spell"), SPELLINGS.items(), ids=SPELLINGS)
@pytest.mark.parametrize("token", TOKENS, ids=["code", "token", "signs"])
def test_a_secret_is_hidden_however_it_is_spelled(token: str, name: str, spell: Callable[[str], str]) -> None:
    """Whole; of base64 stays what stands around it, with a sign or two that depend on both."""
    before, hidden, after = Scrubber(TOKENS).scrub(f"before {spell(token)} after").partition("***")

    assert hidden
    if "Basic" in name or "base64" in name:
        most = len(quote(base64.b64encode(b"u::more"), safe="")) + 6
        assert len(before) - len("before ") <= 7 and len(after) - len(" after") <= most
    else:
        assert (before.rstrip("\\\"'"), after.lstrip("\\\"'")) == ("before ", " after")


@given(st.text(), st.sampled_from(TOKENS), st.text())
def test_it_is_hidden_wherever_it_stands(before: str, token: str, after: str) -> None:
    """And once hidden there is nothing more to hide."""
    scrub = Scrubber(TOKENS).scrub
    hidden = scrub(before + token + after)
    assert token not in hidden
    assert hidden == scrub(hidden)


@pytest.mark.parametrize(
    "text",
    [
        f"{CODE} https://plant.bitrix24.ru/company/ and https://plant.bitrix24.ru/rest/7/another0code/",
        f"{CODE} {URL[:-3]} {base64.b64encode(URL.encode()).decode()[:-9]}",
        CODE + "token" * 9_000 + 'auth x="' * 9_000,
        CODE + "\\" * 60_000 + "%25" * 20_000 + "&amp;" * 9_000 + "12345678…" * 9_000,
    ],
    ids=["addresses", "beginnings", "names", "escapes"],
)
def test_no_text_takes_long(text: str) -> None:
    """A pattern that tries one place in several ways would take years for the beginnings of a secret."""
    assert CODE not in Scrubber([*TOKENS, URL]).scrub(text)


def test_what_was_cut_off_is_hidden_to_its_end() -> None:
    """Half of a code is half a code."""
    scrub = Scrubber([CODE]).scrub
    encoded = base64.b64encode(f"1c:{CODE}".encode()).decode()
    assert f'no "***…", no {encoded[:4]}***…' == scrub(f'no "{CODE[:12]}…", no {encoded[:20]}…')


@pytest.mark.parametrize(
    "text",
    [
        "Заказ 1Ц-00000100: Сварщик: the person is away",
        "B24_SERVE_TOKEN (from /srv/b24tools/.env): expected a number",
        "the portal plant.bitrix24.ru, department 7, /rest/7/",
        "GET /configs/producer_mode 200 3 ms 20 B 127.0.0.1",
        "%D0%97%D0%B0%D0%BA%D0%B0%D0%B7 \\u0417 &#1047; bm90aGluZyBoZXJl",
    ],
)
def test_all_else_stays_as_it_is(text: str) -> None:
    """A log that hides too much is no log."""
    assert text == Scrubber([*TOKENS, URL]).scrub(text)


def test_secrets_of_others_are_hidden_by_their_place() -> None:
    """The code of any webhook, and what is called a token."""
    scrub = Scrubber().scrub
    assert "at https://b.example/rest/api/12/***/user.get" == scrub(
        "at https://b.example/rest/api/12/abcdef12/user.get"
    )
    assert "https:\\/\\/b.example\\/rest\\/1\\/***\\/" == scrub("https:\\/\\/b.example\\/rest\\/1\\/abcdef12\\/")
    assert '"access_token": "***"' == scrub('"access_token": "abcdefgh12"')


@pytest.mark.parametrize(
    ("url", "hidden"),
    [
        (URL, CODE),
        (f"https://plant.bitrix24.ru/rest/api/7/{CODE}/department.get.json?ID=1", CODE),
        (f"http://plant/company/rest/admin/{CODE}", CODE),
        (f"plant.bitrix24.ru/rest/7/{CODE}", CODE),
        (f"https://plant.bitrix24.ru/rest/{CODE}/", CODE),
        (f"https://plant.bitrix24.ru/rest/x/7/{CODE}/", CODE),
    ],
)
def test_the_code_of_a_webhook_is_found_in_its_address(url: str, hidden: str) -> None:
    """Of one that cannot be used, too; its other parts are no secrets."""
    scrub = Scrubber(secrets.of_webhook(url)).scrub
    assert "code ***, user 7, department.get" == scrub(f"code {hidden}, user 7, department.get")


def test_settings_know_all_their_secrets() -> None:
    """Each of several tokens by itself."""
    given = {
        "BITRIX_WEBHOOK_URL": URL,
        "BITRIX_OUTGOING_TOKEN": "older-token, newer-token",
        "B24_SERVE_TOKEN": "serve,token",
        "B24_BOARD_TOKEN": "board-token",
        "B24_DATA_DIR": "/srv/data",
    }
    text = f"{CODE} older-token newer-token serve,token board-token serve /srv/data"
    assert "*** *** *** *** *** serve /srv/data" == Settings.model_validate(given).scrubber.scrub(text)
