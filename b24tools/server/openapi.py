"""`/openapi.json` and `/docs`: the endpoints with the order's Russian keys, on a page that needs no internet."""

from __future__ import annotations

import html
from importlib import resources
from pathlib import Path
from string import Template
from typing import Annotated, Any

from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import FileResponse, HTMLResponse
from pydantic import BaseModel, Field
from pydantic.alias_generators import to_camel

from b24tools import __version__
from b24tools.core.i18n import _
from b24tools.onec import order
from b24tools.server.auth import OPEN_PATHS
from b24tools.server.responses import Reply

PAGES = Path(__file__).parent / "pages"
SWAGGER = Path(str(resources.files("fastapi_swagger") / "resources"))
ASSETS = {
    "swagger-ui.css": (SWAGGER, "text/css"),
    "swagger-ui-bundle.js": (SWAGGER, "text/javascript"),
    "favicon-32x32.png": (SWAGGER, "image/png"),
    "start.js": (PAGES, "text/javascript"),
}
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self';"
    " base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
DAY_S = 86_400


class Message(BaseModel):
    """What 1C is answered; `warnings` only where there are any."""

    message: str
    warnings: list[str] = []


class Problem(BaseModel):
    """What went wrong, its code for programs, and what to do."""

    detail: str
    code: str
    hint: str


class Received(BaseModel):
    """What happens with an event: accepted, ignored_by_mode or event_ignored."""

    status: str


class Setting(BaseModel):
    """A setting that may change while b24tools runs."""

    key: str
    value: Annotated[str, Field(coerce_numbers_to_str=True)]


class Health(BaseModel):
    """Ages in seconds; null where there is nothing yet. Of the inbox only where `assign --inbox` has one.

    `status`: ok, stale, or failed, then with the `problem`.
    """

    status: str
    snapshot_age_s: int | None
    oldest_event_age_s: int | None
    inbox_oldest_age_s: int | None = None
    inbox_failed: int = 0
    problem: str = ""


class Api(FastAPI):
    """FastAPI with our answers and our description."""

    def __init__(self, *, with_token: bool) -> None:
        super().__init__(
            title="b24tools",
            version=__version__,
            description=_("Orders from 1C become tasks in Bitrix24; closed tasks become a leaderboard."),
            default_response_class=Reply,
            generate_unique_id_function=lambda route: to_camel(route.name),
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
        for path, operations in schema["paths"].items():
            for operation in operations.values():
                operation.setdefault("tags", ["b24tools"])
                if path in OPEN_PATHS:
                    operation["security"] = []
        return schema


def add_docs(api: FastAPI) -> None:
    """Add the page and what it is made of."""

    @api.get("/docs", include_in_schema=False)
    def read_page(request: Request) -> HTMLResponse:
        page = Template((PAGES / "docs.html").read_text(encoding="utf-8"))
        beside = "" if request.scope["raw_path"].endswith(b"/") else "docs/"  # a browser counts from the last slash
        content = page.substitute(title=html.escape(api.title), folder=beside)
        return HTMLResponse(content, headers={"Content-Security-Policy": POLICY})

    @api.get("/docs/{name}", include_in_schema=False)
    def read_asset(name: str) -> FileResponse:
        if name not in ASSETS:
            raise HTTPException(404)
        folder, kind = ASSETS[name]
        return FileResponse(folder / name, media_type=kind, headers={"Cache-Control": f"private, max-age={DAY_S}"})


def describe_body(content: dict[str, Any], **more: str) -> dict[str, Any]:
    """Describe a body that FastAPI does not read itself, by its Content-Type; for `openapi_extra`."""
    return {"requestBody": {"required": True, "content": content, **more}}


def describe_answers(*refusals: int, done: int = 200) -> dict[int | str, dict[str, Any]]:
    """Describe what is answered when all is well, and these refusals; for `responses`."""
    words = {
        400: _("The body cannot be read."),
        401: _("A token is needed."),
        403: _("The token is wrong, or a page of a foreign site asks."),
        404: _("There is no such thing."),
        409: _("Several orders have this number; the text names their identifiers."),
        413: _("The body is too large."),
        415: _("The compression of the body is not known; gzip and deflate are."),
        422: _("The data are wrong; sending the same again will not help."),
        500: _("Something failed; the text says what was done and what was not."),
        503: _("Try later: Retry-After says when. Sending the same again is safe."),
    }
    problems: dict[int | str, dict[str, Any]] = {
        status: {"model": Problem, "description": words[status]} for status in refusals
    }
    return {done: {"description": _("Done.")}} | problems


def describe_page(*refusals: int) -> dict[int | str, dict[str, Any]]:
    """Describe an answer that is a page, and these refusals; for `responses`."""
    return describe_answers(*refusals) | {200: {"content": {"text/html": {}}, "description": _("Done.")}}
