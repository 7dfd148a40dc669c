"""Secrets, however they are spelled: `***` in their place, in whatever is shown, answered, logged or stored.

Texts come from anywhere, so all of this takes time in proportion to their length: they are decoded, with the place of
each character remembered, and searched for plain words. No pattern may try one place in several ways.
"""

from __future__ import annotations

import base64
import logging
import re
from collections.abc import Iterable, Iterator, Sequence
from urllib.parse import unquote

HIDDEN = "***"
ENCODINGS = 3  # one around the other
LEAST_BASE64 = 6  # characters by which a secret inside of base64 is recognised
LEAST_IN_ORDERS = 6  # characters of one that no order has by chance
LEAST_CUT = 8  # characters of one that was cut off
TAIL = 8  # characters of its end by which one is looked for at first; its beginning may be any address's
CUT = "…"

# What may be a secret of somebody: the code in a webhook's address, as JSON and URLs have it, and named tokens.
_SLASH = r"(?:\\?/|%2F)"
_REST = rf"rest(?:{_SLASH}api)?{_SLASH}[^/\\%\s\"'<>]+{_SLASH}"
_CODE = re.compile(rf"({_SLASH}{_REST})[A-Za-z0-9]{{8,}}", re.IGNORECASE)
_TOKEN = re.compile(
    r"((?:token|auth|sessid|password|secret)[\"']{0,3}\s{0,9}"
    r"(?:[:=]|%3D|\w{0,20}=[\"'][^<>]{0,99}\bvalue=)\s{0,9}[\"']?)[\w.~+/-]{8,}",
    re.IGNORECASE,
)
# The same for a text in small letters, to see quickly whether there may be any
_MAYBE_CODE, _MAYBE_TOKEN = re.compile(rf"{_REST}[a-z0-9]{{8}}".lower()), re.compile(_TOKEN.pattern.lower())
_CODE_IN_SETTING = re.compile(r"/rest/(?:api/)?[^/?#]+/([A-Za-z0-9]{4,})(?=[/?#]|$)", re.IGNORECASE)
_ESCAPED = re.compile(
    r"\\+(?:u([0-9A-Fa-f]{4})|x([0-9A-Fa-f]{2})|([0-3][0-7]{2}))?"
    r"|((?:%(?:25)*[0-9A-Fa-f]{2})+)|&(?:#\w{1,8}|\w{1,8});"
)
_PERCENT = re.compile(r"%(?:25)*([0-9A-Fa-f]{2})")
_OF_URLS = str.maketrans("-_", "+/")
_BLURRED = str.maketrans("-_", " /")
_FULL_WIDTH = {0xFF00 + sign: 0x20 + sign for sign in range(1, 0x5F)}  # as some keyboards write Latin letters
_MAY_BE_CODE = re.compile(r"[A-Za-z0-9]{8,}")


def silence_loggers() -> None:
    """Let the HTTP client log no address: httpx, and the successor that a library may have brought instead."""
    for name in ("httpx", "httpcore", "httpx2", "httpcore2"):
        logging.getLogger(name).setLevel(logging.WARNING)


class Scrubber:
    """Hides these secrets, and what looks like somebody else's."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        secrets = set(filter(None, secrets))
        self._plain = {
            _fold(form) for secret in secrets for form in (secret, secret.replace("\\", ""), _to_hex(secret)) if form
        }
        self._in_base64 = {form for secret in secrets for form in _list_base64(secret)}
        self._cut = [_list_cuts(words) for words in (self._plain, self._in_base64)]
        self._tails = {_blur(word)[-TAIL:] for words in (self._plain, self._in_base64) for word in words}

    def scrub(self, text: str) -> str:
        """Return the text without secrets: plain, in capitals, percent-encoded, as JSON, HTML or base64 have them."""
        text = self.hide(text)
        if text.isascii() and not (_MAYBE_CODE.search(lower := text.lower()) or _MAYBE_TOKEN.search(lower)):
            return text
        return _TOKEN.sub(rf"\1{HIDDEN}", _CODE.sub(rf"\1{HIDDEN}", text))

    def hide(self, text: str) -> str:
        """Return the text without these secrets; what looks like somebody else's stays."""
        return self._hide(text) if self._may_be_in(text) else text

    def _may_be_in(self, text: str) -> bool:
        """Tell quickly whether there may be anything to hide; False only where `_hide` finds nothing."""
        for _layer in range(ENCODINGS + 1):
            blurred = _blur(text)
            for tail in self._tails:
                if tail in blurred:
                    return True
            if CUT in text and any(self._find(text)):
                return True
            plain = _unescape(text)
            if plain == text:
                break
            text = plain
        return False

    def _hide(self, text: str) -> str:
        """Put `***` in place of each secret, from where its first character is spelled to where its last one is."""
        plain, starts, ends = text, list(range(len(text))), list(range(1, len(text) + 1))
        spans: list[tuple[int, int]] = []
        for _layer in range(ENCODINGS + 1):
            spans += ((starts[first], ends[last - 1]) for first, last in self._find(plain))
            decoded = _decode(plain, starts, ends)
            if decoded[0] == plain:
                break
            plain, starts, ends = decoded
        parts, behind = [], 0
        for first, last in sorted(spans):
            if first >= behind:
                parts += [text[behind:first], HIDDEN]
            behind = max(behind, last)
        return "".join([*parts, text[behind:]])

    def _find(self, plain: str) -> Iterator[tuple[int, int]]:
        """Find the secrets in a decoded text, whole or cut off at its `…`."""
        texts = _fold(plain), plain.translate(_OF_URLS)
        for text, words, cut in zip(texts, (self._plain, self._in_base64), self._cut, strict=True):
            for word in words:
                place = text.find(word)
                while place >= 0:
                    yield place, place + len(word)
                    place = text.find(word, place + len(word))
            place = text.find(CUT)
            while place >= 0:
                beginnings = cut.get(text[max(0, place - LEAST_CUT) : place], ())
                if fitting := [beginning for beginning in beginnings if text.endswith(beginning, 0, place)]:
                    yield place - max(map(len, fitting)), place
                place = text.find(CUT, place + 1)


def of_webhook(url: str) -> list[str]:
    """Return what is secret in a webhook's address: all of it, and its code; in a wrong one all that may be a code."""
    match = _CODE_IN_SETTING.search(url)
    path = url.partition("://")[2].partition("/")[2]
    return [url, *([match[1]] if match else _MAY_BE_CODE.findall(path))]


def of_ping(url: str) -> list[str]:
    """Return what is secret in the address of a dead man's switch: all of it, and what may be a key in it."""
    path = url.partition("://")[2].partition("/")[2]
    parts = re.split(r"[/?&=#]", path)
    words = [word for word in parts if not re.search(r"\{(command|profile)\}", word) and len(word) >= LEAST_CUT]
    return [url, *words]


def _fold(text: str) -> str:
    """Fold case and full width, and a plus sign to the blank that it is in forms; the length stays."""
    text = text if text.isascii() else text.translate(_FULL_WIDTH)
    text = text.replace("+", " ")
    lower = text.lower()
    return lower if len(lower) == len(text) else "".join(c if len(c.lower()) > 1 else c.lower() for c in text)


def _blur(text: str) -> str:
    """Fold a text, and make one of the signs that differ where secrets are spelled as they are and in base64."""
    return _fold(text).translate(_BLURRED)


def _list_cuts(words: Iterable[str]) -> dict[str, list[str]]:
    """List the beginnings of these words by their last characters."""
    cuts: dict[str, list[str]] = {}
    for word in words:
        for length in range(LEAST_CUT, len(word)):
            cuts.setdefault(word[length - LEAST_CUT : length], []).append(word[:length])
    return cuts


def _to_hex(secret: str) -> str:
    return secret.encode("utf-8", "replace").hex()


def _list_base64(secret: str) -> set[str]:
    """Write a secret in base64 as it may stand in a text: as UTF-8 or UTF-16, in capitals, once or twice."""
    contents = [
        secret.encode("utf-8", "replace"),
        secret.upper().encode("utf-8", "replace"),
        secret.encode("utf-16-le"),
    ]
    once = {form for content in contents for form in _write_base64(content)}
    return once | {form for inner in _write_base64(contents[0]) for form in _write_base64(inner.encode())}


def _write_base64(content: bytes) -> Iterator[str]:
    """Write bytes in base64 as they look behind none, one or two others, without what depends on these."""
    for before in range(3):
        whole = base64.b64encode(bytes(before) + content).decode()
        inner = whole[(0, 2, 3)[before] : (before + len(content)) * 8 // 6]
        if len(inner) >= LEAST_BASE64:
            yield inner


def _unescape_html(text: str) -> str:
    if "&" not in text:
        return text
    import html  # its table of names is long

    return html.unescape(text)


def _unescape_json(match: re.Match[str]) -> str:
    if digits := match[1] or match[2]:
        return chr(int(digits, 16))
    return chr(int(match[3], 8)) if match[3] else ""


def _unescape(text: str) -> str:
    """Take one layer of escapes off as `_decode` does, which knows the places as well."""
    if "\\" in text or "%25" in text or ("&" in text and ";" in text):
        return _ESCAPED.sub(_unescape_one, text)
    return unquote(text)


def _unescape_one(match: re.Match[str]) -> str:
    if match[4]:
        return bytes.fromhex("".join(_PERCENT.findall(match[4]))).decode("utf-8", "replace")
    return _unescape_json(match) if match[0].startswith("\\") else _unescape_html(match[0])


def _decode(text: str, starts: Sequence[int], ends: Sequence[int]) -> tuple[str, list[int], list[int]]:
    """Take one layer of JSON's, HTML's and URLs' escapes off; each character knows where it is spelled."""
    parts: list[str] = []
    new_starts: list[int] = []
    new_ends: list[int] = []

    def add(signs: str, first: int, last: int) -> None:
        parts.append(signs)
        new_starts.extend([starts[first]] * len(signs))
        new_ends.extend([ends[last - 1]] * len(signs))

    behind = 0
    for match in _ESCAPED.finditer(text):
        parts.append(text[behind : match.start()])
        new_starts += starts[behind : match.start()]
        new_ends += ends[behind : match.start()]
        behind = match.end()
        if match[4]:
            units = _PERCENT.finditer(text, match.start(), match.end())
            raw = [(int(unit[1], 16), unit.start(), unit.end()) for unit in units]
            place = 0
            while place < len(raw):
                size = 1
                while place + size < len(raw) and raw[place][0] >= 0xC0 and 0x80 <= raw[place + size][0] < 0xC0:
                    size += 1
                run = raw[place : place + size]
                add(bytes(byte for byte, _first, _last in run).decode("utf-8", "replace"), run[0][1], run[-1][2])
                place += size
        elif match[0].startswith("\\"):
            add(_unescape_json(match), match.start(), match.end())
        else:
            add(_unescape_html(match[0]), match.start(), match.end())
    parts.append(text[behind:])
    new_starts += starts[behind:]
    new_ends += ends[behind:]
    return "".join(parts), new_starts, new_ends
