"""Whose certificates are believed."""

from __future__ import annotations

import contextlib
import socket
import ssl
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import certifi
import pytest
import trustme

from b24tools.core import certificates, errors
from tests.support.rights import forbid

NOWHERE = ssl.DefaultVerifyPaths(None, None, "SSL_CERT_FILE", "/no/cert.pem", "SSL_CERT_DIR", "/no/certs")


@pytest.fixture(autouse=True)
def forget() -> Iterator[None]:
    """The context that a process remembers."""
    certificates._open_trust.cache_clear()
    yield
    certificates._open_trust.cache_clear()


def count(file: Path | str) -> int:
    """How many authorities a file has."""
    return Path(file).read_text(encoding="utf-8").count("BEGIN CERTIFICATE")


def test_the_system_vouches(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Where OpenSSL looks, also by `SSL_CERT_FILE`; else where other systems have their list."""
    authority = tmp_path / "own.pem"
    trustme.CA().cert_pem.write_to_path(str(authority))
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))
    monkeypatch.setenv("SSL_CERT_FILE", str(authority))
    assert (str(authority), 1) == (certificates.name_store(), len(certificates.open_trust().get_ca_certs()))

    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "missing.pem"))
    monkeypatch.setattr(certificates, "FILES", (str(authority),))
    certificates._open_trust.cache_clear()
    assert (str(authority), 1) == (certificates.name_store(), len(certificates.open_trust().get_ca_certs()))


def test_a_bundle_that_cannot_be_looked_at_is_a_setting_that_is_wrong(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """As one in root's home, for the user of cron."""
    forbid(monkeypatch, tmp_path)
    with pytest.raises(errors.ConfigError, match="is not a file of certificates"):
        certificates.open_trust(tmp_path / "own.pem")


def test_a_system_without_certificates_takes_certifi(monkeypatch: pytest.MonkeyPatch) -> None:
    """As a small container has none."""
    monkeypatch.setattr(ssl, "get_default_verify_paths", lambda: NOWHERE)
    monkeypatch.setattr(ssl, "create_default_context", lambda: ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))
    monkeypatch.setattr(certificates, "FILES", ())

    assert ("certifi", count(certifi.where())) == (
        certificates.name_store(),
        len(certificates.open_trust().get_ca_certs()),
    )


def test_a_system_that_verifies_by_itself_is_asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """By truststore; a bundle is trusted besides."""
    monkeypatch.setattr(certificates, "VERIFIERS", {sys.platform: "Windows"})
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    authority, bundle = trustme.CA(), tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(bundle))
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(tls)

    def is_trusted(trust: ssl.SSLContext) -> bool:
        with socket.create_server(("127.0.0.1", 0)) as listener:

            def shake_hands() -> None:
                with contextlib.suppress(OSError), tls.wrap_socket(listener.accept()[0], server_side=True) as opened:
                    opened.recv(1)

            thread = threading.Thread(target=shake_hands)
            thread.start()
            try:
                with (
                    socket.create_connection(listener.getsockname()) as plain,
                    trust.wrap_socket(plain, server_hostname="127.0.0.1"),
                ):
                    return True
            except ssl.SSLCertVerificationError:
                return False
            finally:
                thread.join()

    assert "Windows" == certificates.name_store()
    assert [False, True] == [is_trusted(certificates.open_trust(file)) for file in (None, bundle)]
