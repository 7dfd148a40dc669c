"""`/openapi.json` and `/docs`: the endpoints with the order's Russian keys, on a page that needs no internet.

The description is English in every language of b24tools: programs are generated from it.
"""

from __future__ import annotations

import html
from collections.abc import Callable, Collection
from datetime import date
from importlib import resources
from pathlib import Path
from string import Template
from typing import Any

from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import FileResponse, HTMLResponse
from pydantic import BaseModel
from pydantic.alias_generators import to_camel

from b24tools import __version__
from b24tools.onec import order
from b24tools.render import page_assets
from b24tools.server.auth import OPEN_PATHS
from b24tools.server.examples import make_examples
from b24tools.server.models import PortalEvent, Problem
from b24tools.server.responses import Reply

SWAGGER = Path(str(resources.files("fastapi_swagger") / "resources"))
ASSETS = {
    "swagger-ui.css": (SWAGGER, "text/css"),
    "swagger-ui-bundle.js": (SWAGGER, "text/javascript"),
    "favicon-32x32.png": (SWAGGER, "image/png"),
    "start.js": (page_assets.FOLDER, "text/javascript"),
}
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self';"
    " base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
DAY_S = 86_400
FASTAPI_REFUSAL = "HTTPValidationError"
COMMON = (401, 403, 500, 503)  # refusals of every address that is not open to all
REFUSALS = {
    207: "Some lines are done, others are not; the text says which, and why.",
    400: "The body cannot be read.",
    401: "A token is needed.",
    403: "The token is wrong, or a page of a foreign site asks.",
    404: "There is no such thing.",
    408: "The body did not arrive in time.",
    409: "Several orders, people, departments or projects are called so; the text names their identifiers.",
    413: "The body is too large.",
    415: "The compression of the body is not known; gzip and deflate are.",
    422: "The data are wrong; sending the same again will not help.",
    500: "Something failed; the text says what was done and what was not.",
    503: "Try later: Retry-After says when. Sending the same again is safe.",
}


class Api(FastAPI):
    """FastAPI with our answers and our description."""

    def __init__(self, *, with_token: bool, read_day: Callable[[], date]) -> None:
        super().__init__(
            title="b24tools",
            version=__version__,
            description="Orders from 1C become tasks in Bitrix24; closed tasks become a leaderboard.",
            default_response_class=Reply,
            generate_unique_id_function=lambda route: to_camel(route.name),
            docs_url=None,
            redoc_url=None,
            redirect_slashes=False,
        )
        self._with_token = with_token
        self._read_day = read_day

    def openapi(self) -> dict[str, Any]:
        """Describe the endpoints, once; add what FastAPI cannot see: an order is read from any bytes."""
        if self.openapi_schema:
            return self.openapi_schema
        schema = super().openapi()
        components = schema["components"]
        components["schemas"].pop(FASTAPI_REFUSAL, None)
        components["schemas"].pop("ValidationError", None)
        for body in (order.Order, PortalEvent):
            model = body.model_json_schema(ref_template="#/components/schemas/{model}")
            components["schemas"] |= model.pop("$defs") | {body.__name__: model}
        for described in components["schemas"].values():
            for field in described.get("properties", {}).values():
                field.pop("default", None)  # it only says that the key is not in every answer
        for described in components["schemas"].values():
            for field in described.get("properties", {}).values():
                field.pop("title", None)  # the key once more
        examples = make_examples(self._read_day())
        for name, example in examples.items():
            components["schemas"][name]["examples"] = [example]
        if self._with_token:
            components["securitySchemes"] = {
                "bearer": {"type": "http", "scheme": "bearer"},
                "basic": {"type": "http", "scheme": "basic", "description": "The token is the password."},
            }
            schema["security"] = [{"bearer": []}, {"basic": []}]
        for path, operations in schema["paths"].items():
            for operation in operations.values():
                operation.setdefault("tags", ["b24tools"])
                for parameter in operation.get("parameters", ()):
                    if parameter["name"] in ("period", "week"):
                        parameter["example"] = examples["Leaderboard"]["period"]["label"]
                if path in OPEN_PATHS:
                    operation["security"] = []
                if FASTAPI_REFUSAL in str(operation["responses"].get("422")):
                    del operation["responses"]["422"]  # FastAPI's own, where nothing that is given can be wrong
        return schema


def add_docs(api: FastAPI) -> None:
    """Add the page and what it is made of."""

    @api.get("/docs", include_in_schema=False)
    def read_page(request: Request) -> HTMLResponse:
        page = Template(page_assets.read_asset("docs.html"))
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


def describe_answers(
    *refusals: int, done: int = 200, model: type[BaseModel] = Problem, common: Collection[int] = COMMON
) -> dict[int | str, dict[str, Any]]:
    """Describe what is answered when all is well, and these refusals with the `common` ones; for `responses`."""
    problems: dict[int | str, dict[str, Any]] = {
        status: {"model": model, "description": REFUSALS[status]} for status in sorted({*refusals, *common})
    }
    return {done: {"description": "Done."}} | problems


def describe_page(*refusals: int, common: Collection[int] = COMMON) -> dict[int | str, dict[str, Any]]:
    """Describe an answer that is a page for people, and these refusals with the common ones; for `responses`."""
    page = {"text/html": {"schema": {"type": "string"}}}
    return describe_answers(*refusals, common=common) | {200: {"content": page, "description": "A page."}}
