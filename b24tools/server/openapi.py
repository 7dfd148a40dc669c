"""`/openapi.json`: the endpoints with the order's Russian keys, their refusals, and the token."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel

from b24tools import __version__
from b24tools.core.i18n import _
from b24tools.onec import order
from b24tools.server.auth import OPEN_PATHS
from b24tools.server.responses import Reply

FORM_EXAMPLE = "event=ONTASKUPDATE&data%5BFIELDS_AFTER%5D%5BID%5D=2536&ts=1769071218&auth%5Bapplication_token%5D=..."


class Message(BaseModel):
    """What 1C is answered; `warnings` only where there are any."""

    message: str
    warnings: list[str] = []


class Problem(BaseModel):
    """What went wrong."""

    detail: str


class Received(BaseModel):
    """What happens with an event: accepted, ignored_by_mode or event_ignored."""

    status: str


class Setting(BaseModel):
    """A setting that may change while b24tools runs."""

    key: str
    value: str


class Health(BaseModel):
    """Ages in seconds; null where there is nothing yet."""

    status: str
    snapshot_age_s: int | None
    oldest_event_age_s: int | None


class Api(FastAPI):
    """FastAPI with our answers and our description."""

    def __init__(self, *, with_token: bool) -> None:
        super().__init__(
            title="b24tools",
            version=__version__,
            description=_("Orders from 1C become tasks in Bitrix24; closed tasks become a leaderboard."),
            default_response_class=Reply,
            docs_url=None,
            redoc_url=None,
            redirect_slashes=False,
        )
        self._with_token = with_token

    def openapi(self) -> dict[str, Any]:
        """Describe the endpoints, once; add what FastAPI cannot see: an order is read from any bytes."""
        if self.openapi_schema:
            return self.openapi_schema
        schema = super().openapi()
        components = schema["components"]
        model = order.Order.model_json_schema(ref_template="#/components/schemas/{model}")
        components["schemas"] |= model.pop("$defs", {}) | {"Order": model}
        if self._with_token:
            components["securitySchemes"] = {
                "bearer": {"type": "http", "scheme": "bearer"},
                "basic": {"type": "http", "scheme": "basic", "description": _("The token is the password.")},
            }
            schema["security"] = [{"bearer": []}, {"basic": []}]
            for path in OPEN_PATHS:
                for operation in schema["paths"][path].values():
                    operation["security"] = []
        return schema


def order_body() -> dict[str, Any]:
    """Describe an order or a list of orders, for `openapi_extra`."""
    reference = {"$ref": "#/components/schemas/Order"}
    content = {
        "schema": {"oneOf": [reference, {"type": "array", "items": reference, "minItems": 1}]},
        "example": order.Order.model_json_schema()["examples"][0],
    }
    description = _("An order or a list of orders, up to 64 MiB; Content-Type does not matter.")
    return _body({"application/json": content}, description=description)


def event_body() -> dict[str, Any]:
    """Describe Bitrix24's own form, for `openapi_extra`."""
    parts = {"event": {"type": "string"}, "data": {"type": "object"}, "auth": {"type": "object"}}
    schema = {"type": "object", "properties": parts, "required": list(parts)}
    form = {"schema": schema, "example": FORM_EXAMPLE}
    return _body({"application/x-www-form-urlencoded": form, "application/json": {"schema": schema}})


def setting_body() -> dict[str, Any]:
    """Describe a key and a value, for `openapi_extra`."""
    example = {"key": "producer_mode", "value": "webhook"}
    schema = {"$ref": "#/components/schemas/Setting"}
    return _body({"application/json": {"schema": schema, "example": example}})


def _body(content: dict[str, Any], **more: str) -> dict[str, Any]:
    return {"requestBody": {"required": True, "content": content, **more}}


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Describe these refusals, for `responses`."""
    words = {
        400: _("The body cannot be read."),
        401: _("A token is needed."),
        403: _("The token is wrong, or a page of a foreign site asks."),
        404: _("There is no such thing."),
        413: _("The body is too large."),
        422: _("The data are wrong; sending the same again will not help."),
        500: _("Something failed; the text says what was done and what was not."),
        503: _("Try later: Retry-After says when. Sending the same again is safe."),
    }
    return {status: {"model": Problem, "description": words[status]} for status in statuses}
