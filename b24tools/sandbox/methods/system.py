"""server.time, scope, methods, method.get, app.info, and the methods a webhook may not call."""

from __future__ import annotations

from typing import Any, Final

from b24tools.sandbox import php
from b24tools.sandbox.rest import Call, Method, RestError


def server_time(call: Call) -> str:
    """Now, on the server's clock."""
    return call.portal.now().astimezone(call.portal.server_zone).isoformat(timespec="seconds")


def scope(call: Call) -> list[str]:
    """The webhook's scopes; `full` asks for all there are."""
    if php.is_true(call.params.get("full")):
        return sorted({method.scope for method in call.portal.methods.values() if method.scope} | call.portal.scopes)
    return sorted(call.portal.scopes)


def list_methods(call: Call) -> list[str]:
    """Names of the methods the webhook's scopes open."""
    known = call.portal.methods.values()
    return [method.name for method in known if not method.scope or method.scope in call.portal.scopes]


def get_method(call: Call) -> dict[str, bool]:
    """Whether a method exists and may be called."""
    method = call.portal.methods.get(php.to_text(php.upper_keys(call.params).get("NAME")).lower())
    available = method is not None and (not method.scope or method.scope in call.portal.scopes)
    return {"isExisting": method is not None, "isAvailable": available}


def app_info(call: Call) -> dict[str, Any]:
    """A webhook is no application: only scopes and licence."""
    return {"SCOPE": sorted(call.portal.scopes), "LICENSE": "ru_nfr"}


def deny_webhook(call: Call) -> Any:
    """Events belong to applications."""
    raise RestError("WRONG_AUTH_TYPE", "Current authorization type is denied for this method", 403)


FOR_APPLICATIONS: Final = ("events", "event.bind", "event.unbind", "event.get", "event.test")
METHODS: Final = (
    Method("server.time", "", server_time),
    Method("scope", "", scope),
    Method("methods", "", list_methods),
    Method("method.get", "", get_method),
    Method("app.info", "", app_info),
    *(Method(name, "", deny_webhook) for name in FOR_APPLICATIONS),
)
