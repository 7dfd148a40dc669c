"""The webhook's address and the way to it: what is taken, what is refused, without showing the secret."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import trustme

from b24tools.bitrix24.batch import Answer
from b24tools.bitrix24.client import Client
from b24tools.bitrix24.rate_limit import RateLimiter
from b24tools.core import errors
from tests.support.http import SECRET, URL, Script, check_no_secret, ok, open_client


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
        (f"https://ЗАВОД.РФ./rest/7/{SECRET}/", "завод.рф"),
        (f"HTTPS://XN--80AEGJ1B.xn--p1ai/rest/7/{SECRET}/", "завод.рф"),
        (f"http://[::1]:8024/rest/7/{SECRET}?x#y", "[::1]:8024"),
    ],
)
def test_a_webhook_address_is_taken_as_people_paste_it(url: str, host: str) -> None:
    """A missing slash, a method behind it, a port, another spelling of the host: all the same webhook."""
    script = Script(ok(1))
    client = open_client(script, url=url)
    client.call("profile")
    assert (host, 7, f"/rest/7/{SECRET}/profile") == (client.host, client.owner_id, script.requests[0].url.path)


@pytest.mark.parametrize(
    ("url", "owner", "host", "sent_to"),
    [
        (
            f"https://box.local/portal/rest/7/{SECRET}/",
            7,
            "box.local/portal",
            f"https://box.local/portal/rest/7/{SECRET}/profile",
        ),
        (
            f"https://завод.рф:8443/a/B/rest/api/7/{SECRET}/user.get.json?ID=1",
            7,
            "завод.рф:8443/a/B",
            f"https://xn--80aegj1b.xn--p1ai:8443/a/B/rest/7/{SECRET}/profile",
        ),
        (
            f"https://box.local/rest/admin/{SECRET}/profile",
            None,
            "box.local",
            f"https://box.local/rest/admin/{SECRET}/profile",
        ),
        (
            f"https://box.local/portal/rest/i.ivanov@plant.ru/{SECRET}",
            None,
            "box.local/portal",
            f"https://box.local/portal/rest/i.ivanov@plant.ru/{SECRET}/profile",
        ),
    ],
)
def test_a_box_may_live_in_a_folder_and_a_login_stand_for_the_number(
    url: str, owner: int | None, host: str, sent_to: str
) -> None:
    """The folder is a part of what names the portal, and of what people open: two boxes may share a host."""
    script = Script(ok(1))
    client = open_client(script, url=url)
    client.call("profile")
    assert (owner, host, f"https://{host}", sent_to) == (
        client.owner_id,
        client.host,
        client.url,
        str(script.requests[0].url),
    )


@pytest.mark.parametrize(
    "url",
    [
        "",
        f"https://plant.bitrix24.ru/rest/api/{SECRET}/",
        f"https://plant.bitrix24.ru/rest/{SECRET}/profile/",
        f"https://plant.bitrix24.ru/rest/7/{SECRET}/rest/7/{SECRET}/",
        f"https://plant..ru/rest/7/{SECRET}/",
        f"https://{'a' * 64}.ru/rest/7/{SECRET}/",
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
        "Expected https://PORTAL/rest/USER_ID/CODE/ from Developer resources → Other → Incoming webhook.",
    )
    check_no_secret(caught.value)


@pytest.fixture
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def port(authority: trustme.CA) -> Iterator[int]:
    """A portal on this machine whose certificate only `authority` vouches for."""
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(tls)
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            with contextlib.suppress(OSError), tls.wrap_socket(listener.accept()[0], server_side=True) as connection:
                asked = b""
                while not asked.endswith(b"{}"):
                    asked += connection.recv(65536) or b"{}"
                connection.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\n{"result":1}')

        thread = threading.Thread(target=answer)
        thread.start()
        yield int(listener.getsockname()[1])
        thread.join()


def test_an_unknown_certificate_authority_is_a_matter_of_settings(port: int) -> None:
    """Repeating does not help; naming the authority does."""
    client = Client(f"https://127.0.0.1:{port}/rest/7/{SECRET}/", rate_limiter=RateLimiter(None))
    with closing(client), pytest.raises(errors.ConfigError) as caught:
        client.call("user.get")
    assert (caught.value.message, caught.value.hint, client.requests) == (
        f"the certificate of 127.0.0.1:{port} cannot be verified: unable to get local issuer certificate",
        "Put the file of the authority that signed it in B24_CA_BUNDLE.",
        0,
    )
    check_no_secret(caught.value)


def test_an_own_certificate_authority_is_trusted(port: int, authority: trustme.CA, tmp_path: Path) -> None:
    """`verify` may be the path of its certificate."""
    bundle = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(bundle))
    url = f"https://127.0.0.1:{port}/rest/7/{SECRET}/"
    with closing(Client(url, rate_limiter=RateLimiter(None), ca_bundle=bundle, retry_s=0)) as client:
        assert Answer(1) == client.call("user.get")


def test_a_ca_bundle_that_is_none_is_refused(tmp_path: Path) -> None:
    """With the name of the setting."""
    bad = tmp_path / "bad.pem"
    bad.write_text("no certificate")
    for path in (bad, tmp_path / "missing.pem"):
        with pytest.raises(errors.ConfigError, match="B24_CA_BUNDLE"):
            open_client(Script(), ca_bundle=path)


def test_proxy_settings_that_cannot_be_used_are_named_without_their_password(monkeypatch: pytest.MonkeyPatch) -> None:
    """httpx's own message would repeat the proxy's address."""
    monkeypatch.setenv("HTTPS_PROXY", f"gopher://me:{SECRET}@proxy:8080")
    with pytest.raises(errors.ConfigError) as caught:
        Client(URL, rate_limiter=RateLimiter(None))
    assert caught.value.message == "the proxy settings cannot be used"
    check_no_secret(caught.value)
