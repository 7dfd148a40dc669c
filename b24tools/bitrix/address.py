"""The incoming webhook's address: read once, never shown."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from b24tools import errors
from b24tools.i18n import _

# People paste the address with the method of the example behind it, or without the last slash.
_WEBHOOK = re.compile(
    r"(?P<portal>https?://[^/?#@\s\\]+)/rest/(?:api/)?(?P<owner>[1-9]\d{0,17})/(?P<code>[A-Za-z0-9]+)"
    r"(?:/(?:[A-Za-z0-9_.]+/?)?)?(?:[?#].*)?",
    re.IGNORECASE | re.ASCII,
)


@dataclass(frozen=True, slots=True)
class Address:
    """Where the portal is, whose webhook it is, and the secret.

    `host` has a port if that is not the usual one; `portal` is the URL that people open.
    """

    host: str
    portal: str
    owner_id: int
    base: str = field(repr=False)
    secret: str = field(repr=False)

    def scrub(self, text: str) -> str:
        """The text without the secret, should somebody else have put it there."""
        return text.replace(self.secret, "***")

    def scrub_bytes(self, content: bytes) -> bytes:
        """An answer without the secret: links of the portal may have it."""
        return content.replace(self.secret.encode(), b"***")


def read(webhook_url: str) -> Address:
    """Take a webhook's URL apart; raises ConfigError without repeating it."""
    match = _WEBHOOK.fullmatch(webhook_url.strip())
    host = host_of(match["portal"]) if match else ""
    if match is None or not host:
        raise wrong()
    base = f"{match['portal']}/rest/{match['owner']}/{match['code']}/"
    return Address(host=host, portal=match["portal"], owner_id=int(match["owner"]), base=base, secret=match["code"])


def wrong() -> errors.ConfigError:
    """The error for what is no webhook's address."""
    return errors.ConfigError(
        _("BITRIX_WEBHOOK_URL is not the address of an incoming webhook"),
        _("expected https://PORTAL/rest/USER_ID/CODE/ from Developer resources → Other → Incoming webhook"),
    )


def host_of(url: str) -> str:
    """The host of a URL, with the port where it is not the usual one; "" if there is none."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return ""
    if ":" in host:
        host = f"[{host}]"
    usual = {"http": 80, "https": 443}.get(parts.scheme)
    return host if port in (None, usual) else f"{host}:{port}"
