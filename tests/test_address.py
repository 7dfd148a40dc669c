"""The webhook's address and the way to it: what is taken, what is refused, without showing the secret."""

from __future__ import annotations

import ssl
from pathlib import Path

import httpx
import pytest
import trustme
from scripted import REQUEST, SECRET, URL, Script, check_no_secret, ok, open_client

from b24tools import errors
from b24tools.bitrix.client import Client
from b24tools.bitrix.throttle import Throttle


@pytest.mark.parametrize(
    ("url", "host"),
    [
        (f"https://plant.bitrix24.ru/rest/7/{SECRET}", "plant.bitrix24.ru"),
        (f" https://plant.bitrix24.ru/rest/7/{SECRET}/ ", "plant.bitrix24.ru"),
        (f"https://plant.bitrix24.ru/rest/7/{SECRET}/profile.json", "plant.bitrix24.ru"),
        (f"https://plant.bitrix24.ru/rest/7/{SECRET}/user.get.json?ID=1", "plant.bitrix24.ru"),
        (f"https://Plant.Bitrix24.ru:443/rest/7/{SECRET}/", "plant.bitrix24.ru"),
        (f"https://box.local:8443/rest/7/{SECRET}/", "box.local:8443"),
        (f"http://127.0.0.1:8024/rest/7/{SECRET}/", "127.0.0.1:8024"),
        (f"https://завод.рф/rest/api/7/{SECRET}/", "завод.рф"),
    ],
)
def test_a_webhook_address_is_taken_as_people_paste_it(url: str, host: str) -> None:
    """A missing slash, a method behind it, a port: all the same webhook."""
    script = Script(ok(1))
    client = open_client(script, url=url)
    client.call("profile")
    assert (host, 7, f"/rest/7/{SECRET}/profile") == (client.host, client.owner_id, script.requests[0].url.path)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "plant.bitrix24.ru",
        f"ftp://plant.bitrix24.ru/rest/7/{SECRET}/",
        f"https://plant.bitrix24.ru/rest/{SECRET}/",
        f"https://plant.bitrix24.ru/rest/me/{SECRET}/",
        f"https://plant.bitrix24.ru/rest/7/{SECRET}/a/b/c",
        f"https://user:pass@plant.bitrix24.ru/rest/7/{SECRET}/",
        f"https://plant.bitrix24.ru:99999/rest/7/{SECRET}/",
        f"https://xn--0/rest/7/{SECRET}/",
        f"https://завод..рф/rest/7/{SECRET}/",
        f"https:///rest/7/{SECRET}/",
    ],
)
def test_what_is_no_webhook_address_is_refused_without_repeating_it(url: str) -> None:
    """The message names the setting and the form, never the value."""
    with pytest.raises(errors.ConfigError) as caught:
        open_client(Script(), url=url)
    assert (caught.value.message, caught.value.hint) == (
        "BITRIX_WEBHOOK_URL is not the address of an incoming webhook",
        "expected https://PORTAL/rest/USER_ID/CODE/ from Developer resources → Other → Incoming webhook",
    )
    check_no_secret(caught.value)


def test_an_unknown_certificate_authority_is_a_matter_of_settings() -> None:
    """Repeating does not help; naming the authority does."""
    failure = httpx.ConnectError("[SSL: CERTIFICATE_VERIFY_FAILED]", request=REQUEST)
    failure.__cause__ = ssl.SSLCertVerificationError(1, "self-signed certificate")
    script = Script(failure)
    with pytest.raises(errors.ConfigError) as caught:
        open_client(script).call("user.get")
    assert (caught.value.message, caught.value.hint, len(script.requests)) == (
        "the certificate of plant.bitrix24.ru cannot be verified",
        "put the file of the authority that signed it in B24_CA_BUNDLE",
        1,
    )
    check_no_secret(caught.value)


def test_a_ca_bundle_is_read_from_its_path(tmp_path: Path) -> None:
    """A file of certificates is taken; anything else names the setting."""
    good, bad = tmp_path / "ca.pem", tmp_path / "bad.pem"
    trustme.CA().cert_pem.write_to_path(str(good))
    bad.write_text("no certificate")
    open_client(Script(), verify=str(good)).close()
    for path in (bad, tmp_path / "missing.pem"):
        with pytest.raises(errors.ConfigError, match="B24_CA_BUNDLE"):
            open_client(Script(), verify=str(path))


def test_proxy_settings_that_cannot_be_used_are_named_without_their_password(monkeypatch: pytest.MonkeyPatch) -> None:
    """httpx's own message would repeat the proxy's address."""
    monkeypatch.setenv("HTTPS_PROXY", f"gopher://me:{SECRET}@proxy:8080")
    with pytest.raises(errors.ConfigError) as caught:
        Client(URL, throttle=Throttle(None))
    assert caught.value.message == "the proxy settings cannot be used"
    check_no_secret(caught.value)
