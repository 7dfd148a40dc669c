"""`/docs`: the description of the endpoints, readable without internet."""

from __future__ import annotations

import html
from importlib import resources
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request
from fastapi.openapi.utils import get_openapi
from fastapi.responses import FileResponse, HTMLResponse, Response
from pydantic import BaseModel

from b24tools import __version__
from b24tools.core.i18n import _
from b24tools.onec import order as onec_order

PAGE = """<!DOCTYPE html>
<html><head><meta charset="utf-8"><title>{title}</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" type="image/png" href="{folder}favicon-32x32.png">
<link rel="stylesheet" href="{folder}swagger-ui.css"></head>
<body><div id="page"></div>
<script src="{folder}swagger-ui-bundle.js"></script><script src="{folder}start.js"></script></body></html>
"""
START = """SwaggerUIBundle({
  // without the name and password that may stand in the address: fetch() refuses those
  url: location.origin + location.pathname.replace(/\\/docs\\/*$/, "/openapi.json"),
  dom_id: "#page", deepLinking: true, docExpansion: "list", validatorUrl: null,
  defaultModelsExpandDepth: 2, presets: [SwaggerUIBundle.presets.apis], layout: "BaseLayout",
});
"""
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self';"
    " base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
ASSETS = {
    "swagger-ui.css": "text/css",
    "swagger-ui-bundle.js": "text/javascript",
    "favicon-32x32.png": "image/png",
}
DAY_S = 86_400
GROUPS = {"/": "1C", "/plan": "1C", "/webhook": "Bitrix24"}  # the headings; the rest is b24tools' own


class Message(BaseModel):
    """What 1C is answered; `warnings` only where there are any."""

    message: str
    warnings: list[str] = []


class Problem(BaseModel):
    """What went wrong."""

    detail: str


class Received(BaseModel):
    """What became of an event: accepted, ignored_by_mode or event_ignored."""

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


def add_pages(api: FastAPI) -> None:
    """The page and what it is made of."""
    folder = Path(str(resources.files("fastapi_swagger") / "resources"))
    kept = {"Cache-Control": f"private, max-age={DAY_S}"}

    @api.get("/docs", include_in_schema=False)
    def page(request: Request) -> Response:
        beside = "" if request.scope["raw_path"].endswith(b"/") else "docs/"  # a browser counts from the last slash
        content = PAGE.format(title=html.escape(api.title), folder=beside)
        return HTMLResponse(content, headers={"Content-Security-Policy": POLICY})

    @api.get("/docs/start.js", include_in_schema=False)
    def start() -> Response:
        return Response(START, media_type="text/javascript")

    @api.get("/docs/{name}", include_in_schema=False)
    def asset(name: str) -> Response:
        if name not in ASSETS:
            return Response(status_code=404)
        return FileResponse(folder / name, media_type=ASSETS[name], headers=kept)


def describe(api: FastAPI, *, with_token: bool) -> None:
    """Let `/openapi.json` tell of the order with its Russian keys, and of the token. Called when all is added."""
    schema = _schema(api, with_token=with_token)
    api.openapi = lambda: schema  # type: ignore[method-assign]  # FastAPI's own way to extend it


def _schema(api: FastAPI, *, with_token: bool) -> dict[str, Any]:
    schema = get_openapi(
        title=api.title, version=__version__, description=api.description, routes=api.routes, summary=api.summary
    )
    order = onec_order.Order.model_json_schema(ref_template="#/components/schemas/{model}")
    parts = schema.setdefault("components", {}).setdefault("schemas", {})
    parts |= order.pop("$defs", {})
    parts["Order"] = order
    parts["Problem"] = Problem.model_json_schema()
    for name in ("HTTPValidationError", "ValidationError"):  # FastAPI's own form of a refusal, which is not ours
        parts.pop(name, None)
    for path, operations in schema["paths"].items():
        for operation in operations.values():
            operation["tags"] = [GROUPS.get(path, "b24tools")]
            if "HTTPValidationError" in str(operation["responses"].get("422")):
                del operation["responses"]["422"]
    if with_token:
        schema["components"]["securitySchemes"] = {
            "bearer": {"type": "http", "scheme": "bearer"},
            "basic": {"type": "http", "scheme": "basic", "description": _("The token is the password.")},
        }
        schema["security"] = [{"bearer": []}, {"basic": []}]
        for path in ("/ping/", "/healthz", "/webhook"):
            for operation in schema["paths"][path].values():
                operation["security"] = []
    return schema


def order_body() -> dict[str, Any]:
    """An order or a list of orders, for `openapi_extra`."""
    reference = {"$ref": "#/components/schemas/Order"}
    example = onec_order.Order.model_json_schema()["examples"][0]
    return {
        "requestBody": {
            "required": True,
            "description": _("An order or a list of orders, up to 64 MiB; Content-Type does not matter."),
            "content": {
                "application/json": {
                    "schema": {"oneOf": [reference, {"type": "array", "items": reference, "minItems": 1}]},
                    "example": example,
                }
            },
        }
    }


def event_body() -> dict[str, Any]:
    """Bitrix24's own form, for `openapi_extra`."""
    event = {
        "type": "object",
        "properties": {"event": {"type": "string"}, "data": {"type": "object"}, "auth": {"type": "object"}},
        "required": ["event", "data", "auth"],
    }
    form = "event=ONTASKUPDATE&data%5BFIELDS_AFTER%5D%5BID%5D=2536&ts=1769071218&auth%5Bapplication_token%5D=..."
    return {
        "requestBody": {
            "required": True,
            "content": {
                "application/x-www-form-urlencoded": {"schema": event, "example": form},
                "application/json": {"schema": event},
            },
        }
    }


def setting_body() -> dict[str, Any]:
    """A key and a value, for `openapi_extra`."""
    example = {"key": "producer_mode", "value": "webhook"}
    content = {"schema": {"$ref": "#/components/schemas/Setting"}, "example": example}
    return {"requestBody": {"required": True, "content": {"application/json": content}}}


def answers(model: Any, *refusals: int, status: int = 200) -> dict[int | str, dict[str, Any]]:
    """What is answered when all is well, and the refusals that there are; for `responses`."""
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
    # named by hand: FastAPI would take the type of the page for that of its refusals
    content = {"application/json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    problems: dict[int | str, dict[str, Any]] = {
        number: {"description": words[number], "content": content} for number in refusals
    }
    return {status: {"model": model, "description": _("Done.")}} | problems
