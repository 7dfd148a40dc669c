"""The shell of all pages: navigation, age of the data, language, theme, and what a browser may do with the page.

A page of planners is `render_page(request, look, title, main, reading)`: its `main` comes from `render/`.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from string import Template
from typing import Annotated, Literal
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from fastapi import Depends, Query, Request, Response
from fastapi.responses import HTMLResponse
from pydantic import BeforeValidator, TypeAdapter

from b24tools import __version__, context
from b24tools.core import i18n
from b24tools.core.errors import as_sentence
from b24tools.core.i18n import _, pgettext
from b24tools.core.timestamps import to_text
from b24tools.render.markup import Html, element, escape, join
from b24tools.render.page_assets import dump_setup, list_age_words, read_asset, read_assets
from b24tools.render.page_parts import View, link_page
from b24tools.server.responses import Reply

LANGUAGES = {"en": "English", "ru": "Русский"}
THEMES = ("auto", "light", "dark")
SMALLEST_PACKED = 1024  # bytes; what is smaller is not worth packing
RELOAD_S = 10  # after so long a browser opens a page again that could not be shown
HTML, JSON = "text/html", "application/json"


Language = Annotated[Literal["en", "ru"] | None, BeforeValidator(lambda word: word if word in LANGUAGES else None)]
Theme = Annotated[Literal["auto", "light", "dark"], BeforeValidator(lambda word: word if word in THEMES else "auto")]


@dataclass(frozen=True)
class Look:
    """How a page is wanted: its language (None: the server's own), its theme, and whether with a new reading."""

    lang: Literal["en", "ru"] | None = None
    theme: Literal["auto", "light", "dark"] = "auto"
    fresh: bool = False


def _read_look(
    lang: Annotated[Language, Query(include_in_schema=False)] = None,
    theme: Annotated[Theme, Query(include_in_schema=False)] = "auto",
    fresh: Annotated[bool, Query(include_in_schema=False)] = False,
) -> Look:
    return Look(lang, theme, fresh)


PageLook = Annotated[Look, Depends(_read_look)]


_LANGUAGE: TypeAdapter[Literal["en", "ru"] | None] = TypeAdapter(Language)
_THEME: TypeAdapter[Literal["auto", "light", "dark"]] = TypeAdapter(Theme)


@dataclass(frozen=True)
class Age:
    """When what a page shows was read, and why it could not be read again; times are shown in `zone`."""

    read_at: datetime
    zone: ZoneInfo
    problem: str = ""


def wants_html(request: Request) -> bool:
    """Tell whether the client would rather have a page than JSON, by its Accept; without a preference not."""
    weights: dict[str, float] = {}
    accepted = request.headers.get("accept", "").lower()
    if HTML not in accepted:
        return False
    for part in accepted.split(","):
        kind, *parameters = (word.strip() for word in part.split(";"))
        quality = next((word[2:] for word in parameters if word.startswith("q=")), "1")
        try:
            weights[kind] = float(quality)
        except ValueError:
            weights[kind] = 0.0
    everything = weights.get("*/*", 0.0)
    return weights.get(HTML, 0.0) > weights.get(JSON, weights.get("application/*", everything))


def read_language(request: Request) -> Literal["en", "ru"] | None:
    """Return the language that a page was asked for in; None: the server's own, in which JSON is always.

    Every request speaks it. What is a page whatever is accepted speaks that of its address.
    """
    return _LANGUAGE.validate_python(request.query_params.get("lang")) if wants_html(request) else None


def list_pages() -> list[tuple[str, str]]:
    """List what the navigation leads to: path and name."""
    return [
        ("plan", _("Plan")),
        ("orders", _("Orders")),
        ("load", _("Workload")),
        ("today", _("Today")),
        ("board", _("Leaderboard")),
    ]


def render_page(
    request: Request,
    look: Look,
    title: str,
    main: Html,
    age: Age | None = None,
    *,
    status: int = 200,
    style: str = "",
) -> HTMLResponse:
    """Render a page in the language in use, packed where the client takes that; `style`: of this page alone."""
    style = read_assets("colors.css", "planner.css") + style
    root = find_root(request)
    path = request.scope["path"].strip("/")
    kept = keep_look(request)
    nav = join(
        element("a", name, href=link_page(root, at, kept), aria_current=_mark(path.partition("/")[0] == at))
        for at, name in [("", pgettext("page", "Start")), *list_pages()]
    )
    setup = {
        "now": context.now().timestamp(),
        "zone": age.zone.key if age else "UTC",
        "words": list_age_words(),
    }
    content = Template(read_asset("planner.html")).substitute(
        language=i18n.current_language(),
        theme=look.theme,
        title=escape(title),
        skip=escape(_("To the content")),
        pages=escape(_("Pages")),
        nav=nav,
        age=_render_age(request, age),
        main=main,
        footer=_render_footer(request, look, with_version=status not in (401, 403)),
        setup=dump_setup(setup),
        style=style,
        script=read_assets("common.js", "planner.js"),
    )
    policy = make_policy(
        read_assets("common.js", "planner.js"),
        style,
        forms="'self'",
        trusted="planner",
    )
    headers = {"Content-Security-Policy": policy, "Vary": "Accept, Accept-Encoding"}
    body = content.encode("utf-8", "replace")
    if len(body) >= SMALLEST_PACKED and _takes_gzip(request):
        body = gzip.compress(body, 6, mtime=0)
        headers["Content-Encoding"] = "gzip"
    return HTMLResponse(body, status, headers)


def answer_problem(request: Request, status: int, problem: dict[str, str]) -> Response:
    """Answer with what went wrong, and what to do: in JSON, or in place of a page."""
    if wants_html(request) and (request.method == "GET" or status == 405):
        return _render_error(request, status, problem)
    return Reply(problem, status)


def _render_error(request: Request, status: int, problem: dict[str, str]) -> HTMLResponse:
    look = Look(read_language(request), _THEME.validate_python(request.query_params.get("theme")))
    main = join(
        [
            element("p", as_sentence(problem["detail"]), class_="warning"),
            element("p", problem["hint"]),
            element("p", _("Error code: {code}").format(code=problem["code"])),
        ]
    )
    title = _("Try again a little later") if status == 503 else _("That did not work")
    page = render_page(request, look, title, main, status=status)
    if status == 503:
        page.headers["Refresh"] = str(RELOAD_S)
    return page


def keep_look(request: Request) -> dict[str, str]:
    """Return the parameters of language and theme, which links and forms have to carry on."""
    return {name: request.query_params[name] for name in ("lang", "theme") if name in request.query_params}


def make_view(request: Request, session: context.Session, now: datetime) -> View:
    """Return what a page for planners is drawn with. `now`: when what it shows was read."""
    link = partial(change_query, request)
    return View(session.portal_url, session.settings.zone, now, find_root(request), link, keep_look(request))


def find_root(request: Request) -> str:
    """Return the way from this page up to `/`, which may be a folder of a proxy: "./", "../", …"""
    return "../" * (request.scope["raw_path"].count(b"/") - 1) or "./"


def _mark(is_current: bool) -> str | None:
    return "page" if is_current else None


def _render_age(request: Request, age: Age | None) -> Html:
    if age is None:
        return Html("")
    moment = age.read_at.astimezone(age.zone)
    text = _("Data as of {moment}").format(moment=f"{moment:%d.%m %H:%M}")
    shown = element(
        "p",
        f"{text}. {age.problem}" if age.problem else text,
        id="age",
        role="status",
        class_="old" if age.problem else None,
        data_at=to_text(age.read_at, age.zone),
        data_problem=age.problem or None,
    )
    return join([shown, element("a", _("Refresh"), id="fresh", href=change_query(request, fresh="1"))])


def _render_footer(request: Request, look: Look, *, with_version: bool) -> Html:
    spoken = i18n.current_language()
    themes = {"auto": _("as the system"), "light": _("light"), "dark": _("dark")}
    links = [
        element("a", name, href=change_query(request, lang=code), hreflang=code, lang=code)
        for code, name in LANGUAGES.items()
        if code != spoken
    ]
    links += [
        element("a", name, href=change_query(request, theme=code))
        for code, name in themes.items()
        if code != look.theme
    ]
    name = f"b24tools {__version__}" if with_version else "b24tools"
    return join([*(element("span", link) for link in links), element("span", name)])


def change_query(request: Request, **changes: str | None) -> str:
    """Return the address of this page with other parameters; None takes one away."""
    query = dict(request.query_params) | changes
    query.pop("fresh", None) if "fresh" not in changes else None
    return "?" + urlencode({key: value for key, value in query.items() if value is not None})


def make_policy(script: str, style: str, *, forms: str = "'none'", trusted: str = "") -> str:
    """Allow a page this script with this style, and to ask us; `trusted`: the script's policy that reads pages."""
    return (
        f"default-src 'none'; script-src {_hash(script)}; style-src {_hash(style)}; img-src data:; connect-src 'self';"
        f" base-uri 'none'; form-action {forms}; frame-ancestors 'none'; require-trusted-types-for 'script'"
        + (f"; trusted-types {trusted}" if trusted else "")
    )


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _takes_gzip(request: Request) -> bool:
    for part in request.headers.get("accept-encoding", "").lower().split(","):
        name, _semicolon, quality = part.replace(" ", "").partition(";q=")
        if name == "gzip":
            return quality.strip("0.") != "" or not quality
    return False
