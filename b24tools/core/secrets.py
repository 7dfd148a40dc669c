"""Secrets, however they are spelled: `***` in their place, in whatever is shown, answered, logged or stored."""

from __future__ import annotations

import base64
import html
import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from urllib.parse import unquote

HIDDEN = "***"
ENCODINGS = 3  # one around the other
LEAST_BASE64 = 6  # characters by which a secret inside of base64 can be told

# What may be a secret of somebody: the code in a webhook's address, as JSON and URLs have it, and named tokens.
_SLASH = r"(?:\\?/|%2F)"
_CODE = re.compile(rf"({_SLASH}rest(?:{_SLASH}api)?{_SLASH}[^/\\%\s\"'<>]+{_SLASH})[A-Za-z0-9]{{8,}}", re.IGNORECASE)
_TOKEN = re.compile(
    r"(\b\w*(?:token|auth|sessid|password|secret)[\"']*\s*(?:[:=]|%3D|\w*=[\"'][^<>]*\bvalue=)\s*[\"']?)[\w.~+/-]{8,}",
    re.IGNORECASE,
)
_CODE_IN_SETTING = re.compile(r"/rest/(?:api/)?[^/?#]+/([A-Za-z0-9]{4,})(?=[/?#]|$)", re.IGNORECASE)
_ESCAPE = re.compile(r"\\+u([0-9A-Fa-f]{4})")
_OF_BASE64 = {"+": "-", "/": "_"}  # in URLs
_OF_URLS = str.maketrans("-_", "+/")
_MAY_BE_CODE = re.compile(r"[A-Za-z0-9]{8,}")


class Scrubber:
    """Hides these secrets, and what looks like somebody else's."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._secrets = frozenset(filter(None, secrets))
        self._plain = {secret.lower() for secret in self._secrets}
        self._in_base64 = {form for secret in self._secrets for form in _write_base64(secret)}

    def scrub(self, text: str) -> str:
        """Return the text without secrets: plain, in capitals, percent-encoded, as JSON, HTML or base64 have them."""
        if self._is_in(text):
            text = _compile(self._secrets).sub(HIDDEN, text)
        return _TOKEN.sub(rf"\1{HIDDEN}", _CODE.sub(rf"\1{HIDDEN}", text))

    def _is_in(self, text: str) -> bool:
        """Tell quickly whether a secret is there at all; where it stands, only the long pattern finds."""
        plain = text
        for _layer in range(ENCODINGS):
            plain = html.unescape(unquote(_ESCAPE.sub(lambda found: chr(int(found[1], 16)), plain)))
        plain = plain.replace("\\", "")
        lower, standard = plain.lower().replace("+", " "), plain.translate(_OF_URLS)
        return any(one.replace("+", " ").replace("\\", "") in lower for one in self._plain) or any(
            one in standard for one in self._in_base64
        )


def of_webhook(url: str) -> list[str]:
    """Return what is secret in a webhook's address: all of it, and its code; in a wrong one all that may be a code."""
    found = _CODE_IN_SETTING.search(url)
    path = url.partition("://")[2].partition("/")[2]
    return [url, *([found[1]] if found else _MAY_BE_CODE.findall(path))]


def _write_base64(secret: str) -> Iterator[str]:
    """Write a secret in base64 as it looks behind none, one or two other bytes, without what depends on them."""
    content = secret.encode("utf-8", "replace")
    for before in range(3):
        whole = base64.b64encode(bytes(before) + content).decode()
        inner = whole[(0, 2, 3)[before] : (before + len(content)) * 8 // 6]
        if len(inner) >= LEAST_BASE64:
            yield inner


@lru_cache(maxsize=16)
def _compile(secrets: frozenset[str]) -> re.Pattern[str]:
    forms = []
    for secret in sorted(secrets, key=len, reverse=True):
        forms.append("".join(_spell({sign, sign.lower(), sign.upper()}) for sign in secret))
        forms += ["".join(_spell({sign, _OF_BASE64.get(sign, sign)}) for sign in one) for one in _write_base64(secret)]
    return re.compile("|".join(forms))


def _spell(signs: Iterable[str]) -> str:
    """Match any of these characters as text, URLs, JSON and HTML may have it."""
    forms = []
    for sign in sorted(signs):
        percent = "".join(f"%(?:25)*{byte:02x}" for byte in sign.encode("utf-8", "replace"))
        forms += [re.escape(html.escape(sign)), rf"\\*{re.escape(sign)}", f"(?i:{percent})"]
        if len(sign) == 1:
            forms.append(rf"(?i:\\+u{ord(sign):04x}|&#(?:0*{ord(sign)}|x0*{ord(sign):x});)")
        if sign == " ":
            forms.append("[+]")
    return f"(?:{'|'.join(forms)})"
