"""`/docs`: the description of the endpoints as a page that needs no internet."""

from __future__ import annotations

import html
from importlib import resources
from pathlib import Path
from string import Template

from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import FileResponse, HTMLResponse, Response

from b24tools.server.services import Services

PAGES = Path(__file__).parent.parent / "pages"
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


def add_routes(api: FastAPI, _services: Services) -> None:
    """Add the page and what it is made of."""

    @api.get("/docs", include_in_schema=False)
    def read_page(request: Request) -> HTMLResponse:
        page = Template((PAGES / "docs.html").read_text(encoding="utf-8"))
        beside = "" if request.scope["raw_path"].endswith(b"/") else "docs/"  # a browser counts from the last slash
        content = page.substitute(title=html.escape(api.title), folder=beside)
        return HTMLResponse(content, headers={"Content-Security-Policy": POLICY})

    @api.get("/docs/{name}", include_in_schema=False)
    def read_asset(name: str) -> Response:
        if name not in ASSETS:
            raise HTTPException(404)
        folder, media_type = ASSETS[name]
        return FileResponse(
            folder / name, media_type=media_type, headers={"Cache-Control": f"private, max-age={DAY_S}"}
        )
