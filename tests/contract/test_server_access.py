"""Who may come in, what goes with every answer, what is written down."""

from __future__ import annotations

import base64
import logging
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from b24tools import context
from b24tools.core import config, errors, log_file
from b24tools.sandbox import demo_company
from b24tools.server import auth
from b24tools.server.auth import Access
from b24tools.store.people import People
from tests.support.server import BOARD, FORM, OUTGOING, SERVE, Served, as_bytes, event_body, head, order, raw, serving

PROTECTED = [
    ("POST", "/"),
    ("POST", "/plan"),
    ("GET", "/configs"),
    ("GET", "/configs/producer_mode"),
    ("POST", "/configs"),
    ("GET", "/users"),
    ("GET", "/tasks/week"),
    ("GET", "/leaderboard"),
    ("GET", "/load"),
    ("GET", "/metrics"),
    ("GET", "/today"),
    ("GET", "/docs"),
    ("GET", "/docs/swagger-ui.css"),
    ("GET", "/openapi.json"),
    ("GET", "/nothing"),
    ("DELETE", "/webhook/x"),
]
OPEN = [("GET", "/ping/"), ("GET", "/ping"), ("GET", "/healthz"), ("GET", "/healthz/"), ("GET", "/ready")]
HEADERS = {
    "x-content-type-options": "nosniff",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """With both tokens, as on a network."""
    access = Access(SERVE, BOARD, origins=("https://intranet.example",))
    with serving(demo_company.build(context.now), tmp_path_factory.mktemp("guarded"), access) as opened:
        yield opened


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Without a token, for this machine only."""
    with serving(demo_company.build(context.now), tmp_path_factory.mktemp("local"), Access(host="127.0.0.1")) as opened:
        yield opened


def basic(text: str) -> dict[str, str]:
    """HTTP Basic with this user:password."""
    return {"Authorization": "Basic " + base64.b64encode(text.encode()).decode()}


def bearer(token: str) -> dict[str, str]:
    """This token."""
    return {"Authorization": f"Bearer {token}"}


@pytest.mark.parametrize(("method", "path"), PROTECTED)
def test_without_the_token_nothing_is_shown(guarded: Served, method: str, path: str) -> None:
    """401 that names the way 1C knows; not even whether the address exists."""
    wrong: list[dict[str, Any]] = [
        {},
        {"Authorization": ""},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer " + SERVE[:-1]},
        {"Authorization": "Bearer " + SERVE + "x"},
        {"Authorization": "Bearer пароль".encode()},
        {"Authorization": "Digest " + SERVE},
        {"Authorization": SERVE},
        {"Authorization": "Basic ***"},
        basic(SERVE),
        basic(f"{SERVE}:"),
        basic("user:" + SERVE.upper()),
    ]
    for headers in wrong:
        answer = guarded.client.request(method, path, headers=headers, content=b"{}" if method == "POST" else None)
        assert 401 == answer.status_code, headers
        assert {
            "detail": "a token is needed: Bearer, or the password of HTTP Basic",
            "code": "unauthorized",
            "hint": "Send the value of B24_SERVE_TOKEN with the request.",
        } == answer.json()
        assert 'Basic realm="b24tools", charset="UTF-8"' == answer.headers["www-authenticate"]


@pytest.mark.parametrize(("method", "path"), PROTECTED)
@pytest.mark.parametrize(
    "headers",
    [
        bearer(SERVE),
        {"Authorization": f"bearer  {SERVE}"},
        basic(f"1c:{SERVE}"),
        basic(f":{SERVE}"),
    ],
    ids=["bearer", "sloppy", "basic", "no user"],
)
def test_the_token_opens_everything(guarded: Served, method: str, path: str, headers: dict[str, str]) -> None:
    """As a Bearer, or as a password."""
    answer = guarded.client.request(method, path, headers=headers, content=b"{" if method == "POST" else None)

    expected = 422 if method == "POST" else 404 if path in ("/nothing", "/webhook/x") else 200
    assert expected == answer.status_code


@pytest.mark.parametrize(("method", "path"), PROTECTED)
def test_the_boards_token_opens_the_leaderboard_only(guarded: Served, method: str, path: str) -> None:
    """A screen on the wall knows no more."""
    for headers in (basic(f"tv:{BOARD}"), bearer(BOARD)):
        answer = guarded.client.request(method, path, headers=headers, content=b"{}" if method == "POST" else None)
        assert (200 if path == "/leaderboard" else 401) == answer.status_code


def test_the_boards_token_shows_no_single_persons_weeks(guarded: Served) -> None:
    """`me` is for whoever has the whole token."""
    asked = [guarded.client.get("/leaderboard?me=7", headers=bearer(token)).status_code for token in (BOARD, SERVE)]

    assert [401, 404] == asked  # there is no such person yet


@pytest.mark.parametrize(("method", "path"), OPEN)
def test_some_addresses_are_open_to_everybody(guarded: Served, method: str, path: str) -> None:
    """What watches the service has no token."""
    assert 200 == guarded.client.request(method, path).status_code


def test_the_webhook_has_a_token_of_its_own(guarded: Served) -> None:
    """Bitrix24 cannot send another one."""
    assert 202 == guarded.event(12).status_code
    assert 403 == guarded.event(12, token=SERVE).status_code


def test_a_large_body_without_the_token_is_not_read(guarded: Served) -> None:
    """And its sender sees why."""
    body = b"x" * 5_000_000
    answer = guarded.client.post("/", content=body)

    assert 401 == answer.status_code
    assert 200 == guarded.client.get("/ping/").status_code  # over the same connection
    announced = raw(guarded.port, head("POST", "/", "Content-Length: 1000000000", "Expect: 100-continue"))
    assert announced.startswith(b"HTTP/1.1 401 ")


def test_every_answer_has_safe_headers(guarded: Served) -> None:
    """Refusals, too."""
    token = bearer(SERVE)
    for method, path, headers in [
        *((*address, token) for address in PROTECTED),
        *((*address, {}) for address in OPEN),
        ("GET", "/", {}),
    ]:
        answered = guarded.client.request(method, path, headers=headers).headers
        own = {"content-security-policy"} if path == "/docs" else set()
        own |= {"cache-control"} if path in ("/leaderboard", "/docs/swagger-ui.css") else set()
        assert HEADERS.keys() <= answered.keys()
        assert {key: value for key, value in HEADERS.items() if key not in own} == {
            key: answered[key] for key in HEADERS if key not in own
        }
        assert "server" not in answered


def test_pages_of_named_sites_may_call(guarded: Served) -> None:
    """CORS for them alone."""
    ask = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}
    good, bad = {"Origin": "https://intranet.example"}, {"Origin": "https://evil.example"}
    token = bearer(SERVE)

    allowed = guarded.client.options("/", headers=ask | good)
    assert (200, "https://intranet.example") == (allowed.status_code, allowed.headers["access-control-allow-origin"])
    assert "access-control-allow-origin" not in guarded.client.options("/", headers=ask | bad).headers
    answer = guarded.client.get("/configs", headers=token | good)
    assert "https://intranet.example" == answer.headers["access-control-allow-origin"]
    assert "access-control-allow-origin" not in guarded.client.get("/configs", headers=token | bad).headers
    assert 422 == guarded.client.post("/", content=b"{", headers=token | good).status_code


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 422),
        ({"Sec-Fetch-Site": "same-origin"}, 422),
        ({"Sec-Fetch-Site": "none"}, 422),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site", "Origin": "http://127.0.0.1:9000"}, 403),
        ({"Origin": "http://127.0.0.1:PORT"}, 422),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
    ],
)
def test_a_page_of_another_site_cannot_send_orders(local: Served, headers: dict[str, str], status: int) -> None:
    """A browser lets any page post anywhere; 1C sends none of these headers."""
    sent = {name: value.replace("PORT", str(local.port)) for name, value in headers.items()}

    for path in ("/", "/plan", "/configs"):
        assert status == local.client.post(path, content=b"{", headers=sent).status_code
    assert 200 == local.client.get("/configs", headers=sent).status_code


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1:8000", 200),
        ("localhost", 200),
        ("LOCALHOST:8000", 200),
        ("b24tools.localhost", 200),
        ("[::1]:8000", 200),
        ("192.168.1.5", 200),
        ("evil.example", 403),
        ("127.0.0.1.evil.example", 403),
        ("localhost.evil.example:8000", 403),
        ("[::1", 403),
    ],
)
def test_a_foreign_name_that_leads_here_is_refused(local: Served, host: str, status: int) -> None:
    """DNS rebinding: the page of another site would read the answers."""
    assert status == local.client.get("/configs", headers={"Host": host}).status_code
    assert 200 == local.client.get("/healthz", headers={"Host": host}).status_code


def settings(folder: Path, **more: Any) -> config.Settings:
    """With this data folder."""
    return config.Settings.model_validate({"B24_DATA_DIR": folder} | more)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1"])
def test_the_network_is_not_let_in_without_a_token(tmp_path: Path, host: str) -> None:
    """Exit status 2, unless that is said to be wanted."""
    with pytest.raises(errors.ConfigError) as caught:
        auth.choose_access(settings(tmp_path), host, no_auth=False)

    assert f"{host} is open to the network, and B24_SERVE_TOKEN is not set" == caught.value.message
    assert Access() == auth.choose_access(settings(tmp_path), host, no_auth=True)
    origins = settings(tmp_path, B24_CORS_ORIGINS="https://Intranet.example/, *")
    assert Access(origins=("https://intranet.example", "*")) == auth.choose_access(origins, host, no_auth=True)
    with_token = settings(tmp_path, B24_SERVE_TOKEN=SERVE, B24_BOARD_TOKEN=BOARD)
    assert Access(SERVE, BOARD) == auth.choose_access(with_token, host, no_auth=False)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "::1", "localhost"])
def test_this_machine_is_let_in_without_a_token(tmp_path: Path, host: str) -> None:
    """By its own names only."""
    assert Access(host=host) == auth.choose_access(settings(tmp_path), host, no_auth=False)


def test_an_address_that_is_none_is_refused(tmp_path: Path) -> None:
    """In one line."""
    for host in ("no such host", "256.1.1.1", ""):
        with pytest.raises(errors.ConfigError):
            auth.choose_access(settings(tmp_path, B24_SERVE_TOKEN=SERVE), host or "…", no_auth=False)


# the log


@pytest.fixture
def quiet_loggers() -> Iterator[None]:
    """As they were."""
    before = {name: logging.getLogger(name).handlers[:] for name in log_file.LOGGERS}
    yield
    assert before == {name: logging.getLogger(name).handlers for name in log_file.LOGGERS}


def test_each_request_leaves_a_line_without_secrets(
    tmp_path: Path, quiet_loggers: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nor do exceptions leave any: not the webhook's URL, not a token, whatever repeats them."""
    portal = demo_company.build(context.now)
    url = portal.webhook_url("https://portal.example")
    with_all = settings(
        tmp_path,
        BITRIX_WEBHOOK_URL=url,
        BITRIX_OUTGOING_TOKEN=f"older,{OUTGOING}",
        B24_SERVE_TOKEN=SERVE,
        B24_BOARD_TOKEN=BOARD,
    )

    def broken(_self: People) -> dict[int, str]:
        raise KeyError(f"{url} {SERVE} {BOARD} {OUTGOING} {portal.secret}")

    monkeypatch.setattr(People, "names", broken)
    with (
        log_file.write_log(with_all, 2) as path,
        serving(portal, tmp_path, Access(SERVE, BOARD), BITRIX_OUTGOING_TOKEN=f"older,{OUTGOING}") as served,
    ):
        answers = [
            served.client.get("/users?x=1", headers=bearer(SERVE)),
            served.client.post(f"/?token={SERVE}", content=as_bytes(order()), headers=basic(f"{BOARD}:{SERVE}")),
            served.client.get(f"/configs/{SERVE}%0AForged: line", headers=bearer(SERVE)),
            served.client.post("/webhook", content=event_body(portal, 12, token="older"), headers=FORM),
        ]
    written = path.read_text(encoding="utf-8")
    shown = written + capsys.readouterr().err

    assert [500, 200, 404, 202] == [answer.status_code for answer in answers]
    for secret in (url, portal.secret, SERVE, BOARD, OUTGOING):
        assert secret not in shown
    assert 'KeyError: "*** *** *** *** ***"' in written or "KeyError: '*** *** *** *** ***'" in written
    assert "Traceback" in written
    lines = [line.split(" ", 3)[3] for line in written.splitlines() if " INFO " in line and " ms " in line]
    assert [
        "GET /users 500 MS B 127.0.0.1",
        "POST / 200 MS B ***@127.0.0.1",
        "GET /configs/***%0AForged:%20line 404 MS B 127.0.0.1"
        ': not_found: there is no running setting "*** Forged: line"',
        "POST /webhook 202 MS B 127.0.0.1",
    ] == [re.sub(r" \d+ ms \d+ B ", " MS B ", line) for line in lines]
    assert "order 1Ц-00000100: created (Сварщик created #69); POST / by ***@127.0.0.1" in written
    moments = {" ".join(line.split(" ", 2)[:2]) for line in written.splitlines() if " INFO " in line}
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}\+03:00", moment) for moment in moments)


def test_the_log_does_not_grow_without_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Old ones are dropped."""
    monkeypatch.setattr(log_file, "MOST_BYTES", 1000)
    with log_file.write_log(settings(tmp_path), -1):
        for number in range(500):
            logging.getLogger("b24tools.serve").info("a line of the log, number %d", number)

    sizes = {path.name: path.stat().st_size for path in tmp_path.glob("log.log*") if path.suffix != ".lock"}
    assert {"log.log", "log.log.1", "log.log.2", "log.log.3"} == set(sizes)
    assert max(sizes.values()) <= 1000


def test_a_log_that_cannot_be_written_is_named_and_stops_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Once, however much there is to say."""
    (tmp_path / "log.log").mkdir()

    with log_file.write_log(settings(tmp_path), -1) as path:
        for number in range(3):
            logging.getLogger("b24tools.serve").info("line %d", number)

    assert f"{path} cannot be written: Is a directory\n" == capsys.readouterr().err


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_a_full_disk_is_named_once_and_shows_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Not with each line, and not with logging's own words, which repeat the line with its secrets."""
    log = logging.getLogger("b24tools.serve")
    (tmp_path / "log.log").symlink_to("/dev/full")
    with log_file.write_log(settings(tmp_path, B24_SERVE_TOKEN=SERVE), -1) as path:
        for number in range(3):
            log.info("%s %d", SERVE, number)
        path.unlink()
        log.info("free again")

    assert f"{path} cannot be written: No space left on device\n" == capsys.readouterr().err
    assert ["free again"] == [line.split(" ", 3)[3] for line in path.read_text(encoding="utf-8").splitlines()]


def test_tracebacks_are_for_the_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """On stderr only with -vv."""
    shown = {}
    for level in (0, 2):
        with log_file.write_log(settings(tmp_path), level) as path:
            try:
                raise KeyError("lost")
            except KeyError:
                logging.getLogger("b24tools.serve").exception("GET /users")
        shown[level] = capsys.readouterr().err

    assert "GET /users\nKeyError: 'lost'\n" == shown[0]
    assert "Traceback" in shown[2]
    assert 2 == path.read_text(encoding="utf-8").count("Traceback")


@pytest.mark.parametrize(("level", "expected"), [(-1, "boom\n"), (0, "careful\nboom\n"), (1, "note\ncareful\nboom\n")])
def test_stderr_has_as_much_as_was_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], level: int, expected: str
) -> None:
    """The file has everything."""
    log = logging.getLogger("b24tools.serve")
    with log_file.write_log(settings(tmp_path), level) as path:
        log.info("note")
        log.warning("careful")
        log.error("boom")

    assert expected == capsys.readouterr().err
    assert 3 == len(path.read_text(encoding="utf-8").splitlines())
