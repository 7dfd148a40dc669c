"""One HTTP answer of the portal: a body with a result, a trouble that may pass, or an error."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from pydantic_core import from_json

from b24tools import errors
from b24tools.bitrix import address, codes
from b24tools.bitrix.patience import Trouble, said
from b24tools.i18n import _

Outcome = dict[str, Any] | Trouble | errors.B24ToolsError


def read(method: str, status: int, content: bytes, *, location: str, portal: address.Address) -> Outcome:
    """What an answer means. `location` is the header of that name."""
    if 300 <= status < 400:
        return _moved(location, portal)
    body = _parse(portal.scrub_bytes(content))  # before anything can be quoted from it
    if body is None:
        return _no_json(method, status)
    found = codes.read_error(body)
    if found is not None:
        code, description = found
        return _failed(method, code, description, status, body)
    if "result" not in body or status >= 400 or (method == "batch" and not _is_batch(body["result"])):
        return Trouble(method, _("an answer of another form (HTTP {status})").format(status=status), may_have_run=True)
    return body


def resets(times: Mapping[str, Any], now: float) -> dict[str, float]:
    """When each method's account of server time is eased, by our clock, from its `time` object.

    The portal tells the moment by its own clock, `finish` is the same clock's now.
    """
    ends = {}
    for method, found in times.items():
        if not isinstance(found, Mapping):
            continue
        reset, finish = found.get("operating_reset_at"), found.get("finish")
        if isinstance(reset, (int, float)) and isinstance(finish, (int, float)):
            ends[method] = now + float(reset) - float(finish)
    return ends


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


def _is_batch(result: Any) -> bool:
    return isinstance(result, Mapping) and ("result" in result or "result_error" in result)


def _failed(method: str, code: str, description: str, status: int, body: Mapping[str, Any]) -> Outcome:
    verdict = codes.judge(code, status)
    if verdict in (codes.Verdict.DENIED, codes.Verdict.REFUSED):
        return codes.refusal(method, code, description, status)
    hint = codes.hint_for(method, code)
    said = description or hint or _("HTTP {status}").format(status=status)
    return Trouble(method, f"{said} ({code})" if code else said, verdict is codes.Verdict.UNSURE, codes.canonical(code))


def _no_json(method: str, status: int) -> Outcome:
    """Web servers and proxies answer in HTML. What they refuse themselves with 4xx did not run."""
    reason = _("not an answer of the REST API (HTTP {status})").format(status=status)
    if status == 429:
        return Trouble(method, reason, may_have_run=False)
    if not 400 <= status < 500:
        return Trouble(method, reason, may_have_run=True)
    hints = {
        401: _("the web server before the portal wants a password"),
        403: _("the web server before the portal refuses this machine"),
        404: _("there is no REST at this address: check BITRIX_WEBHOOK_URL"),
        407: _("the proxy wants a password: check HTTPS_PROXY"),
        413: _("too large for the portal's web server: its limit is a setting there (nginx: client_max_body_size)"),
    }
    kind = errors.PortalDenied if status in (401, 403, 407) else errors.PortalError
    return kind(said(method, reason), hints.get(status, ""), method=method)


def _moved(location: str, portal: address.Address) -> errors.ConfigError:
    """A renamed portal answers with a redirect; a POST that follows it would lose its parameters."""
    host = address.host_of(location)
    if host and host != portal.host:
        return errors.ConfigError(
            _("the portal has moved to {host}").format(host=portal.scrub(host)),
            _("put the new address in BITRIX_WEBHOOK_URL and run `b24tools config portal_host {host}`").format(
                host=portal.scrub(host)
            ),
        )
    if host and location.lower().startswith("https:") and portal.base.lower().startswith("http:"):
        return errors.ConfigError(
            _("{host} wants https").format(host=portal.host),
            _("the address in BITRIX_WEBHOOK_URL must begin with https://"),
        )
    return errors.ConfigError(
        _("{host} sends calls of the webhook elsewhere").format(host=portal.host),
        _("check BITRIX_WEBHOOK_URL, and the portal's web server"),
    )
