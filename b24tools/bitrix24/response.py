"""One HTTP answer of the portal: a body with a result, a failure that may pass, or an error."""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from pydantic_core import from_json

from b24tools.bitrix24 import error_codes, webhook_url
from b24tools.bitrix24.error_codes import ErrorCode, Retry
from b24tools.bitrix24.retry import FailedAttempt
from b24tools.core import errors, hosts
from b24tools.core.i18n import _

Outcome = dict[str, Any] | FailedAttempt | errors.B24ToolsError

WORDS = 100  # characters of a page that are quoted
BEGINNING = 300  # characters of an answer for the log
_LOOKED_AT = 8192  # bytes of a page or a notice that the quoted words are taken from

# An answer among other text begins a line, or comes behind a tag.
_OPENING = re.compile(r"(?:\A|[>\r\n\ufeff])[ \t]*(\{)")
_ANSWER = re.compile(r'\{\s*"(?:result|error)"')
_LINE_GOES_ON = re.compile(r"[ \t]*(?:</|[^\s<])")
_BROKEN_OFF = re.compile(r"(?:Fatal|Parse) error\b|\bUncaught \w", re.IGNORECASE)
_PHP_SPEAKS = re.compile(r"\bon line (?:<b>)?\d")
_DECODER = json.JSONDecoder()


def read(
    method: str, status: int, content: bytes, *, location: str, portal: webhook_url.Address
) -> tuple[Outcome, str]:
    """Tell what an answer means, and quote the first words that stood around it. `location`: the header."""
    if 300 <= status < 400:
        return _moved(location, portal), ""
    content = portal.scrub_bytes(content)  # before anything can be quoted from it
    body, noise = _parse(content), ""
    if body is None:
        body, noise = _find(content)
    if body is None:
        return _no_json(method, status, content, portal), ""
    words = _quote(noise[:_LOOKED_AT], portal) if noise else ""
    if (error := error_codes.read_error(body)) is not None:
        code, description = error
        return _failed(method, code, portal.scrub(description), status, portal), words
    if "result" not in body or status >= 400 or (method == "batch" and not _is_batch(body["result"])):
        reason = _("an answer of another form (HTTP {status})").format(status=status)
        return FailedAttempt(method, reason, may_have_run=True), words
    return body, words


def beginning(content: bytes, portal: webhook_url.Address) -> str:
    """Quote the first characters of an answer, on one line and without secrets, for the log."""
    return _one_line(portal.scrub(_text(portal.scrub_bytes(content))))[:BEGINNING]


def _parse(content: bytes) -> dict[str, Any] | None:
    try:
        body = from_json(content)  # quicker, and it keeps a name that comes ten thousand times once
    except ValueError:
        try:
            # takes a byte order mark, any depth, and half a surrogate pair, which no database takes
            body = json.loads(json.dumps(json.loads(content), ensure_ascii=False).encode("utf-8", "replace"))
        except (ValueError, RecursionError):
            return None
    return body if isinstance(body, dict) else None


def _find(content: bytes) -> tuple[dict[str, Any] | None, str]:
    """Find the answer among notices of PHP and comments, and these; None where it is in doubt which it is.

    Notices may quote JSON of others: so it must stand by itself, be the only one, and no error have ended the script
    before it.
    """
    text = content.decode("utf-8", "replace")
    span: tuple[int, int] | None = None
    at = 0
    while opening := _OPENING.search(text, at):
        start = opening.start(1)
        try:
            body, at = _DECODER.raw_decode(text, start)
        except (ValueError, RecursionError):
            if _ANSWER.match(text, start):  # it was cut
                return None, ""
            at = start + 1
            continue
        if "result" in body or "error" in body:
            if span is not None:
                return None, ""
            span = start, at
    if span is None or _ANSWER.search(text, span[1]):
        return None, ""
    before, after = text[: span[0]].strip("\ufeff \t\r\n"), text[span[1] :]
    if before and (_LINE_GOES_ON.match(after) or _BROKEN_OFF.search(before)):
        return None, ""
    return _parse(text[span[0] : span[1]].encode()), f"{before}\n{after}".strip()


def _text(content: bytes) -> str:
    """Decode the start of an answer: pages of a box may be in windows-1251."""
    start = content[:_LOOKED_AT]
    try:
        return codecs.getincrementaldecoder("utf-8")().decode(start)  # its end may be half a letter
    except UnicodeDecodeError:
        return start.decode("cp1251", "replace")


def _quote(text: str, portal: webhook_url.Address) -> str:
    """Take the title of a page, or its first words, without secrets."""
    title = re.search(r"<title\b[^>]*>\s*([^<]*\S)\s*</title", text, re.IGNORECASE)
    shown = title[1] if title else re.sub(r"(?s)<(script|style)\b.*?</\1\s*>", " ", text, flags=re.IGNORECASE)
    return _one_line(portal.scrub(error_codes.clean(shown.replace("<!--", " ").replace("-->", " "))))[:WORDS].strip()


def _one_line(text: str) -> str:
    return " ".join("".join(character if character.isprintable() else " " for character in text).split())


def _is_batch(result: Any) -> bool:
    return isinstance(result, Mapping) and ("result" in result or "result_error" in result)


def _failed(method: str, code: str, description: str, status: int, portal: webhook_url.Address) -> Outcome:
    retry, known = error_codes.judge(code, status), error_codes.find_code(code)
    if retry in (Retry.ALWAYS, Retry.READS_ONLY):
        reason = description or _("HTTP {status}").format(status=status)
        reason = f"{reason} ({code})" if code else reason
        hint = error_codes.hint_for(method, code)
        return FailedAttempt(method, reason, retry is Retry.READS_ONLY, known.name if known else code, hint=hint)
    error = error_codes.refusal(method, code, description, status)
    if known is ErrorCode.INVALID_REQUEST and portal.base.startswith("https:"):
        error.hint = _(
            "The call came by https, but PHP on the box does not see that: let the web server behind the TLS proxy "
            "set HTTPS=on for PHP where X-Forwarded-Proto is https, or set https_request in bitrix/.settings.php."
        )
    return error


def _no_json(method: str, status: int, content: bytes, portal: webhook_url.Address) -> Outcome:
    """Judge an answer of a web server or a proxy, mostly HTML. What they refuse themselves with 4xx did not run."""
    text = _text(content).strip("\ufeff \t\r\n")
    is_text = text[:1] not in ("", "{", "[")
    words = _quote(text, portal) if is_text else ""
    reason = _("not an answer of the REST API (HTTP {status})").format(status=status)
    if words:
        reason = _("{reason}: “{words}”").format(reason=reason, words=words)
    if status == 429:
        return FailedAttempt(method, reason, may_have_run=False)
    if status < 300 and is_text and not _ANSWER.search(content.decode("utf-8", "replace")):
        if _BROKEN_OFF.search(text) or _PHP_SPEAKS.search(text):
            hint = _("PHP broke off on the portal (memory_limit, max_execution_time?): its error log says more.")
            return FailedAttempt(method, reason, may_have_run=True, hint=hint)
        hint = _(
            "A login page, a proxy or a stub stands where the portal's REST should be: check BITRIX_WEBHOOK_URL, "
            "HTTPS_PROXY and the portal's web server."
        )
        return FailedAttempt(method, reason, may_have_run=True, hint=hint, is_page=True)
    if not 400 <= status < 500:
        return FailedAttempt(method, reason, may_have_run=True)
    hints = {
        401: _("The web server before the portal wants a password."),
        403: _("The web server before the portal refuses this machine."),
        404: _("There is no REST at this address: check BITRIX_WEBHOOK_URL."),
        407: _("The proxy wants a password: check HTTPS_PROXY."),
        413: _("Too large for the portal's web server: its limit is a setting there (nginx: client_max_body_size)."),
    }
    kind = errors.PortalDenied if status in (401, 403, 407) else errors.PortalError
    return kind(error_codes.name_method(method, reason), hints.get(status, ""), method=method)


def _moved(location: str, portal: webhook_url.Address) -> errors.ConfigError:
    """Explain a redirect: a renamed portal answers so, and a POST that follows it would lose its parameters."""
    host, site = webhook_url.host_of(location), webhook_url.portal_of(location)
    here = webhook_url.host_of(portal.portal)
    new = site or host
    if new and new != portal.host and (site or host != here):
        return errors.ConfigError(
            _("the portal has moved to {host}").format(host=portal.scrub(new)),
            _("Put the new address in BITRIX_WEBHOOK_URL and run `b24tools config portal_host {host}`.").format(
                host=portal.scrub(new)
            ),
        )
    if host and location.lower().startswith("https:") and portal.base.startswith("http:"):
        return errors.ConfigError(
            _("{host} wants https").format(host=portal.host),
            _("The address in BITRIX_WEBHOOK_URL must begin with https://."),
        )
    if host and urlsplit(location).netloc.lower() != (name := hosts.to_wire(here)):
        return errors.ConfigError(
            _("{host} sends calls of the webhook to another spelling of its own name").format(host=portal.host),
            _(
                "The portal's web server must take {name} as its own name, without a redirect (nginx: server_name)."
            ).format(name=name),
        )
    return errors.ConfigError(
        _("{host} sends calls of the webhook elsewhere").format(host=portal.host),
        _("Check BITRIX_WEBHOOK_URL, and the portal's web server."),
    )
