"""The incoming webhook's address: read once, never shown."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from b24tools.core import errors, hosts
from b24tools.core.i18n import _
from b24tools.core.secrets import HIDDEN, Scrubber

# A box may live in a folder of its host, and a login may stand for the user's number: then only the length of the
# code tells it from a method. People paste the address with the example's method behind it, or without the last slash.
_WEBHOOK = re.compile(
    r"(?P<site>https?://[^/?#@\s\\]+)(?P<folder>(?:/(?!rest/)[^/?#\s\\]+)*)/rest/(?:api/)?"
    r"(?:(?P<owner>[1-9]\d{0,17})/(?P<code>[A-Za-z0-9]+)"
    r"|(?P<login>(?!api/|\d+/)[^/?#\s\\]{3,})/(?P<long_code>[A-Za-z0-9]{8,}))"
    r"(?:/(?P<tail>(?:[A-Za-z0-9_.]+/?)?(?:[?#].*)?))?(?P<query>[?#].*)?",
    re.IGNORECASE | re.ASCII,
)


@dataclass(frozen=True, slots=True)
class Address:
    """Where the portal is, whose webhook it is, and the secret.

    `host` names the portal: as people write it, with a port that is not the usual one and the folder of a box that
    lives in one. `portal` is the URL that people open. `owner_id` is None where a login stands in the address.
    `tail` is what was pasted behind the code.
    """

    host: str
    portal: str
    owner_id: int | None
    base: str = field(repr=False)
    secret: str = field(repr=False)
    tail: str = field(default="", repr=False)

    def scrub(self, text: str) -> str:
        """The text without the secret, however it is spelled, should somebody else have put it there; nor others."""
        return Scrubber([self.secret]).scrub(text)

    def scrub_bytes(self, content: bytes) -> bytes:
        """An answer without the secret: links of the portal may have it."""
        return content.replace(self.secret.encode(), HIDDEN.encode())


def read(webhook_url: str) -> Address:
    """Take a webhook's URL apart; raises ConfigError without repeating it."""
    match = _WEBHOOK.fullmatch(webhook_url.strip())
    host = host_of(match["site"]) if match else ""
    if match is None or not host:
        raise wrong()
    scheme, folder = match["site"].partition("://")[0].lower(), match["folder"]
    owner, code = match["owner"] or match["login"], match["code"] or match["long_code"]
    return Address(
        host=host + folder,
        portal=f"{scheme}://{host}{folder}",
        owner_id=int(match["owner"]) if match["owner"] else None,
        base=f"{scheme}://{hosts.to_wire(host)}{folder}/rest/{owner}/{code}/",
        secret=code,
        tail=(match["tail"] or "") + (match["query"] or ""),
    )


def wrong() -> errors.ConfigError:
    """The error for what is no webhook's address."""
    return errors.ConfigError(
        _("BITRIX_WEBHOOK_URL is not the address of an incoming webhook"),
        _("Expected https://PORTAL/rest/USER_ID/CODE/ from Developer resources → Other → Incoming webhook."),
    )


def portal_of(url: str) -> str:
    """The name of the portal whose webhook's address this is, as `Address.host` has it; "" if it is none."""
    match, host = _WEBHOOK.fullmatch(url), host_of(url)
    return host + match["folder"] if match and host else ""


def host_of(url: str) -> str:
    """The host of a URL, with the port where it is not the usual one; "" if there is none."""
    try:
        parts = urlsplit(url)
        name, port = unquote(parts.hostname or ""), parts.port
    except ValueError:
        return ""
    usual = {"http": 80, "https": 443}.get(parts.scheme)
    return hosts.read((f"[{name}]" if ":" in name else name) + ("" if port in (None, usual) else f":{port}"))
