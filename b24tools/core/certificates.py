"""Whose certificates are believed: the system's store and `B24_CA_BUNDLE`; certifi's where the system has none."""

from __future__ import annotations

import os
import ssl
import sys
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Final

from b24tools.core import data_folder, errors
from b24tools.core.i18n import _

CERTIFI: Final = "certifi"
# Systems that verify by themselves, by what a group policy or the keychain has
VERIFIERS: Final = {"win32": "Windows", "darwin": "macOS"}
# Where Linux and the BSDs have their list, for a Python that was built to look elsewhere
FILES: Final = (
    "/etc/ssl/cert.pem",
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/ca-bundle.pem",
)


def open_trust(bundle: Path | None = None) -> ssl.SSLContext:
    """Make the context of connections that begin here: it trusts the system's store and the bundle, a file or folder.

    Raises ConfigError for a bundle that is none.
    """
    changed_at = None
    with suppress(OSError):  # said below
        changed_at = bundle.stat().st_mtime if bundle is not None else None
    return _open_trust(bundle, changed_at)


def name_store() -> str:
    """Name the store that vouches for portals: a system, a path, or certifi where this system has no store."""
    return VERIFIERS.get(sys.platform) or _find_store() or CERTIFI


@lru_cache(maxsize=1)  # reading all authorities takes longer than planning an order
def _open_trust(bundle: Path | None, _changed_at: float | None) -> ssl.SSLContext:
    context = _open_store()
    if bundle is None:
        return context
    try:
        context.load_verify_locations(**{"capath" if data_folder.is_folder(bundle) else "cafile": str(bundle)})
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        raise errors.ConfigError(
            _("B24_CA_BUNDLE: {path} is not a file of certificates").format(path=bundle),
            _("Expected a PEM file with the certificate of the authority."),
        ) from error
    return context


def _open_store() -> ssl.SSLContext:
    if sys.platform in VERIFIERS:
        import truststore

        context: ssl.SSLContext = truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        if (named := os.environ.get("SSL_CERT_FILE")) and Path(named).is_file():  # elsewhere OpenSSL obeys it by itself
            context.load_verify_locations(named)
        return context
    context, store = ssl.create_default_context(), _find_store()
    if store is None:
        import certifi

        store = certifi.where()
    if store not in _list_defaults():
        context.load_verify_locations(store)
    return context


def _find_store() -> str | None:
    """Find the list of authorities: what OpenSSL reads by itself (`SSL_CERT_FILE`, `SSL_CERT_DIR`), or another."""
    return next(iter(_list_defaults()), None) or next(filter(os.path.isfile, FILES), None)


def _list_defaults() -> list[str]:
    """List the places that OpenSSL reads by itself, if there is anything in them."""
    paths = ssl.get_default_verify_paths()
    places = [paths.cafile] if paths.cafile else []
    if paths.capath and any(Path(paths.capath).glob("*.[0-9]")):
        places.append(paths.capath)
    return places
