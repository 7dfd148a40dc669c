"""`POST /` and `POST /plan`: what 1C sends and what it is answered."""

from __future__ import annotations

import gzip
import json
import socket
import time
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from b24tools import context
from b24tools.core import locks
from b24tools.jobs import history
from b24tools.sandbox import demo_company
from b24tools.sandbox.faults import Fault
from tests.support.orders import Clock
from tests.support.server import OUTGOING, SERVE, Served, as_bytes, head, order, raw, serving, wait_until

OK = b'{"message":"ok"}'
UPDATE_FAILED = '{"message":"При обновлении задачи произошла ошибка"}'.encode()
TWO_LINES = (("Сварщик", 60.0), ("Монтажник", 90.0))
PLANNED = {
    "position": "Сварщик",
    "outcome": "created",
    "task_id": 69,
    "title": "Сварщик: 1Ц-00000100",
    "responsible": {"id": 10, "name": "Павел Исаев"},
    "department": {"id": 9, "name": "Сварщик"},
    "start": "2026-11-23T09:00:00+03:00",
    "end": "2026-11-23T10:00:00+03:00",
    "ready": "2026-11-23T10:00:00+03:00",
    "deadline": "2026-11-23T10:00:00+03:00",
    "estimate_s": 3600,
    "files": [],
    "warnings": [],
    "error": None,
}
ORDER = {
    "order": {"id": "11111111-2222-3333-4444-555555555555", "number": "1Ц-00000100"},
    "outcome": "created",
    "tasks": [PLANNED],
    "finish": "2026-11-23T10:00:00+03:00",
    "wanted": None,
    "late_s": 0,
    "late_work_s": 0,
    "promise": "2026-11-23",
    "bottleneck": {
        "position": "Сварщик",
        "wait_s": 0,
        "work_s": 3600,
        "person": "Павел Исаев",
        "away_until": None,
        "planned_later": False,
        "accepted": None,
    },
}


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Monday morning."""
    clock = Clock()
    monkeypatch.setattr(context, "now", clock)
    return clock


@pytest.fixture
def served(tmp_path: Path, clock: Clock) -> Iterator[Served]:
    """The service of the plant; its portal is asked once."""
    portal = demo_company.build(clock)
    with serving(portal, tmp_path / "data", B24_RETRY_SECONDS=0) as opened:
        yield opened


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """One service for orders that do not meet."""
    with serving(demo_company.build(context.now), tmp_path_factory.mktemp("shared")) as opened:
        yield opened


def made(served: Served) -> list[str]:
    """The titles of the tasks that we made."""
    return [task.title for task in served.portal.tasks if task.xml_id]


def post(served: Served, value: Any, query: str = "") -> tuple[int, bytes]:
    """Status and body."""
    answer = served.client.post(f"/{query}", content=value if isinstance(value, bytes) else as_bytes(value))
    return answer.status_code, answer.content


def test_an_order_becomes_tasks(served: Served) -> None:
    """And 1C reads the answer it knows, in UTF-8."""
    answer = served.client.post("/", content=as_bytes(order()))

    assert (200, OK) == (answer.status_code, answer.content)
    assert "application/json; charset=utf-8" == answer.headers["content-type"]
    assert ["Сварщик: 1Ц-00000100"] == made(served)


@pytest.mark.long
def test_no_secret_that_somebody_types_into_an_order_is_stored_or_shown(tmp_path: Path, clock: Clock) -> None:
    """Whichever it is, in whatever field: the work is given out, and the sender is warned."""
    portal = demo_company.build(clock)
    portal.secret = "zs3cr3tw3bh00kc0"
    secrets = [portal.webhook_url("https://portal.example"), "zs3cr3tw3bh00kc0", OUTGOING, SERVE]
    lines = [
        {"Должность": f"Сварщик {OUTGOING}", "Время": 60, "ДолжностьИдентификатор": SERVE},
        {"Должность": "Сварщик", "Время": 60},
    ]
    sent = order(
        НомерЗаказа=f"1Ц-{SERVE}",
        Исполнитель=f"Цех {SERVE.upper()}",
        Контрагент=f"ООО {secrets[0]}",
        Менеджер=f"Иванов {OUTGOING}",
        Калькуляция=lines,
        Контрагентъ=f"{SERVE}",
        ПрисоединенныеФайлы=[{"Имя": f"{SERVE}.txt", "ДвоичныеДанные": "eHl6"}],
    )
    with serving(portal, tmp_path / "data", B24_SERVE_TOKEN=SERVE, B24_FALLBACK_USER=10) as served:
        answers = [
            served.client.post("/?details=1", content=as_bytes(sent)),
            served.client.post("/plan", content=as_bytes(sent)),
            served.client.get("/orders"),
            served.client.post("/", content=as_bytes(sent | {"ИдентификаторЗаказа": OUTGOING})),
        ]
        with closing(served.open_store()) as opened:
            assert ["1Ц-***"] == [entry.number for entry in history.find(opened, None, tmp_path)]
    left = [path.read_bytes().decode("utf-8", "replace") for path in tmp_path.rglob("*") if path.is_file()]
    asked = [str(entry) for entry in portal.log] + [task.title for task in portal.tasks]
    seen = "\n".join([*(answer.text for answer in answers), *left, *asked]).replace(f"/rest/1/{portal.secret}", "")

    assert [200, 200, 200, 422] == [answer.status_code for answer in answers]
    assert ["Сварщик ***: 1Ц-***", "Сварщик: 1Ц-***"] == made(served)
    assert any("*** stands in its place" in warning for warning in answers[0].json()["warnings"])
    assert "ИдентификаторЗаказа holds a token or the webhook of the settings" == answers[3].json()["detail"]
    assert [] == [secret for secret in secrets if secret.lower() in seen.lower()]


def test_a_token_that_an_order_may_hold_by_chance_hides_nothing(tmp_path: Path, clock: Clock) -> None:
    """A short one would spoil numbers."""
    with serving(demo_company.build(clock), tmp_path / "data", B24_SERVE_TOKEN="00100") as served:
        assert (200, OK) == post(served, order())
        assert ["Сварщик: 1Ц-00000100"] == made(served)


def test_details_say_what_became_of_each_line(served: Served) -> None:
    """The same data as `assign --json`, beside the message."""
    answer = served.client.post("/?details=1", content=as_bytes(order()))

    assert {"message": "ok", "orders": [ORDER]} == answer.json()
    assert "Сварщик" in answer.text


def test_an_order_sent_again_changes_nothing(served: Served) -> None:
    """And is answered as the first time."""
    post(served, order())
    before = len(served.portal.writes())

    assert (200, OK) == post(served, order())
    assert before == len(served.portal.writes())


def test_warnings_of_orders_and_lines_are_in_the_answer(served: Served) -> None:
    """A copy that a person made is left and named; 1C is not left without a word."""
    post(served, order())
    (task,) = (task for task in served.portal.tasks if (task.xml_id or "").startswith("1c:"))
    copy = served.portal.add_task("Копия", responsible=3, xml_id=task.xml_id)
    text = f"1Ц-00000100: Сварщик: task {copy.id} carries the key of this line as well (a copy?): it was left"
    status, body = post(served, order())
    assert (200, {"message": "ok", "warnings": [text]}) == (status, json.loads(body))


def test_a_list_of_orders_is_taken(served: Served) -> None:
    """All planned together."""
    assert (200, OK) == post(served, [order(), order(ИдентификаторЗаказа="2", НомерЗаказа="1Ц-2")])
    assert ["Сварщик: 1Ц-00000100", "Сварщик: 1Ц-2"] == made(served)


@pytest.mark.parametrize(
    ("change", "method"),
    [({"Калькуляция": [{"Должность": "Сварщик", "Время": 90}]}, "update"), ({"Выполнен": True}, "complete")],
)
def test_a_failed_update_has_the_answer_of_old(served: Served, change: Any, method: str) -> None:
    """200 with these very words: the replaced service's clients compare them."""
    post(served, order())
    served.portal.faults.add(Fault("error", method=f"tasks.task.{method}", code="ERROR_CORE", times=9))

    assert (200, UPDATE_FAILED) == post(served, order(**change))


def test_a_line_that_cannot_be_made_is_named_beside_those_that_were(served: Served) -> None:
    """500: 1C shows the text."""
    status, body = post(served, order([*TWO_LINES, ("Космонавт", 5.0)]), "?details=1")

    answer = json.loads(body)
    assert 500 == status
    assert answer["detail"].startswith("order 1Ц-00000100 - done: Сварщик (#69), Монтажник (#70); failed: Космонавт - ")
    assert ("failed", True) == (answer["code"], answer["hint"].endswith("."))
    assert ["created", "created", "failed"] == [task["outcome"] for task in answer["orders"][0]["tasks"]]


def test_a_client_may_have_207_where_some_lines_are_done(served: Served) -> None:
    """In place of 500 alone: where nothing is done, and where all is, it is answered as without."""
    answers = [
        served.client.post(f"/?partial={partial}", content=as_bytes(order(lines, ИдентификаторЗаказа=str(number))))
        for number, (partial, lines) in enumerate(
            [(207, [*TWO_LINES, ("Космонавт", 5.0)]), (207, [("Космонавт", 5.0)]), (207, TWO_LINES), (1, TWO_LINES)]
        )
    ]
    assert [207, 500, 200, 422] == [answer.status_code for answer in answers]
    assert answers[0].json()["detail"].startswith("order 1Ц-00000100 - done: Сварщик (#69), Монтажник (#70); failed: ")


def test_a_busy_portal_asks_to_come_again(served: Served) -> None:
    """Before anything was written."""
    served.portal.faults.add(Fault("limit", times=99))

    answer = served.client.post("/", content=as_bytes(order()))

    assert 503 == answer.status_code
    assert "30" == answer.headers["retry-after"]
    assert ["detail", "code", "hint"] == list(answer.json())
    assert ("portal_busy", "Try again later.") == (answer.json()["code"], answer.json()["hint"])
    assert [] == made(served)


def test_a_portal_that_turns_busy_halfway_asks_to_come_again(served: Served) -> None:
    """Even after a part was written; the same order then makes the rest."""
    served.portal.faults.add(Fault("error", method="tasks.task.add", skip=1, code="QUERY_LIMIT_EXCEEDED", times=1))

    status, body = post(served, order(TWO_LINES))
    assert 503 == status, body
    assert (200, OK) == post(served, order(TWO_LINES))
    assert ["Монтажник: 1Ц-00000100", "Сварщик: 1Ц-00000100"] == sorted(made(served))


def test_another_run_that_holds_the_lock_is_waited_for_and_then_named(served: Served, clock: Clock) -> None:
    """503, nothing written."""
    with locks.hold(served.settings.data_dir, "assign", 0, clock):
        answer = served.client.post("/", content=as_bytes(order()))

    assert (503, "30") == (answer.status_code, answer.headers["retry-after"])
    assert "another run of `b24tools assign` is at work" in answer.json()["detail"]
    assert [] == made(served)


def test_a_refusal_of_the_portal_is_passed_on(served: Served) -> None:
    """500, and how to fix it."""
    served.portal.users[1].admin = False

    status, body = post(served, order())

    assert 500 == status
    assert "is not an administrator and sees only part of the tasks" in json.loads(body)["detail"]


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        (b"", "the order is empty"),
        (b"{", "the JSON breaks off at line 1, column 2: the file is not complete"),
        (b"[]", "the list of orders is empty"),
        (as_bytes(order([("Сварщик", "abc")])), 'Калькуляция[0].Время: "abc" is not a number of minutes'),
        (as_bytes(order(НомерЗаказа=None)), "НомерЗаказа: "),
    ],
)
def test_a_bad_order_is_refused_with_the_reason(shared: Served, body: bytes, detail: str) -> None:
    """422, and the portal is not asked."""
    before = len(shared.portal.log)
    status, answer = post(shared, body)

    assert 422 == status
    assert json.loads(answer)["detail"].startswith(detail)
    assert before == len(shared.portal.log)


@pytest.mark.parametrize(
    ("write", "content_type"),
    [
        (lambda text: text.encode("cp1251"), "text/plain"),
        (lambda text: text.encode("utf-8-sig"), "application/json"),
        (lambda text: text.encode("utf-16"), "application/json"),
        (str.encode, None),
        (str.encode, "application/x-www-form-urlencoded"),
        (lambda text: b"order=" + quote(text).encode(), "application/x-www-form-urlencoded"),
        (str.encode, "multipart/form-data"),
        (str.encode, "nonsense; ;="),
    ],
    ids=["cp1251", "bom", "utf-16", "untyped", "typed-wrong", "form", "multipart", "nonsense"],
)
def test_an_order_is_taken_in_any_form(
    shared: Served, write: Callable[[str], bytes], content_type: str | None, request: pytest.FixtureRequest
) -> None:
    """1C's programmers are careless about encodings and types."""
    name = request.node.callspec.id
    body = write(as_bytes(order(ИдентификаторЗаказа=name, НомерЗаказа=name)).decode())
    lines = [f"Content-Length: {len(body)}", "Connection: close"]
    lines += [f"Content-Type: {content_type}"] if content_type else []

    answer = raw(shared.port, head("POST", "/", *lines), body)

    assert answer.endswith(OK), answer
    assert f"Сварщик: {name}" == made(shared)[-1]


@pytest.mark.parametrize(
    ("encode", "headers"),
    [
        (gzip.compress, {"Content-Encoding": "gzip"}),
        (gzip.compress, {"Content-Encoding": "x-gzip", "Content-Type": "application/octet-stream"}),
        (gzip.compress, {}),
        (zlib.compress, {"Content-Encoding": "deflate"}),
        (lambda data: zlib.compress(data, wbits=-15), {"Content-Encoding": "deflate"}),
        (bytes, {"Content-Encoding": "identity"}),
        (bytes, {"Content-Encoding": "gzip"}),
        (lambda data: data.decode().encode("cp866"), {"Content-Type": "application/json; charset=utf-8"}),
        (lambda data: data.decode().encode("koi8-r"), {}),
        (lambda data: data.decode().encode("utf-16-le"), {}),
        (lambda data: b"\xef\xbb\xbf" * 2 + data, {}),
        (lambda data: b'{"order": ' + data + b"}", {}),
        (
            lambda data: (
                json.dumps(json.loads(data) | {"Менеджер": "Тихонова Анна"})
                .replace(json.dumps("Тихонова Анна"), '"Тихонова Анна"')
                .encode("koi8-r")
            ),
            {"Content-Type": "text/plain; charset=KOI8-R"},
        ),
    ],
)
def test_an_order_is_planned_in_any_compression_and_encoding(
    shared: Served, encode: Callable[[bytes], bytes], headers: dict[str, str]
) -> None:
    """What can be told with certainty is read, without a warning."""
    answer = shared.client.post("/plan", content=encode(as_bytes(order(НомерЗаказа="З-7"))), headers=headers)

    assert 200 == answer.status_code, answer.text
    assert [("Сварщик: З-7", [])] == [(task["title"], task["warnings"]) for task in answer.json()[0]["tasks"]]
    assert [] == answer.json()[0].get("warnings", [])


@pytest.mark.parametrize("name", ["br", "zstd", "compress", "gzip, gzip", "br, gzip", "aws-chunked"])
@pytest.mark.parametrize("path", ["/", "/plan"])
def test_another_compression_is_answered_with_415(shared: Served, path: str, name: str) -> None:
    """And with those that are understood."""
    answer = shared.client.post(path, content=as_bytes(order()), headers={"Content-Encoding": name})

    assert (415, "gzip, deflate") == (answer.status_code, answer.headers["accept-encoding"])
    assert f"Content-Encoding: {name} is not understood" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("make", "status", "detail"),
    [
        (lambda: gzip.compress(b"[" + b" " * (64 * 2**20), 1), 413, "the order is larger than 64 MiB"),
        (lambda: gzip.compress(as_bytes(order()))[:-4], 422, "the compressed order is not complete: it was cut off"),
        (lambda: b"\x1f\x8b\x08 no", 422, "the compressed order is"),
        (lambda: gzip.compress(b""), 422, "the order is empty"),
    ],
    ids=["bomb", "cut", "damaged", "empty"],
)
def test_a_compressed_body_that_holds_no_order_is_refused(
    shared: Served, make: Callable[[], bytes], status: int, detail: str
) -> None:
    """Some 300 KB that become more than 64 MB, too."""
    answer = shared.client.post("/", content=make(), headers={"Content-Encoding": "gzip"})

    assert (status, True) == (answer.status_code, answer.json()["detail"].startswith(detail)), answer.text


def test_a_body_announced_too_large_is_refused_at_once(shared: Served) -> None:
    """Without waiting for it."""
    answer = raw(shared.port, head("POST", "/", f"Content-Length: {10**9}", "Expect: 100-continue"))

    assert answer.startswith(b"HTTP/1.1 413 ")
    assert answer.endswith(
        b'{"detail":"the body is larger than 64 MiB","code":"too_large","hint":"Send it in smaller parts."}'
    )


def test_a_body_that_turns_out_too_large_is_refused_before_its_end(shared: Served) -> None:
    """The sender of a gigabyte sees why, and has not sent it."""
    chunk = b"100000\r\n" + b" " * 0x100000 + b"\r\n"
    sent = 0
    with socket.create_connection(("127.0.0.1", shared.port), timeout=20) as connection:
        connection.sendall(head("POST", "/", "Transfer-Encoding: chunked"))
        try:
            while sent < 1000:
                connection.sendall(chunk)
                sent += 1
        except OSError:
            pass
        answer = connection.recv(65536)

    assert sent < 200
    assert answer.startswith(b"HTTP/1.1 413 ")


def test_an_order_is_handled_to_its_end_though_the_client_hangs_up(served: Served) -> None:
    """1C waits thirty seconds, if at all."""
    body = as_bytes(order(TWO_LINES))
    raw(served.port, head("POST", "/", f"Content-Length: {len(body)}"), body, answer=False)

    wait_until(lambda: len(made(served)) == 2)
    wait_until(lambda: post(served, order(TWO_LINES)) == (200, OK))  # the first one has let go of the lock
    assert 2 == len(made(served))


@pytest.mark.long
def test_an_order_that_breaks_off_makes_nothing(served: Served) -> None:
    """Half of a list may well be JSON."""
    body = as_bytes(order())
    raw(served.port, head("POST", "/", f"Content-Length: {len(body) + 100}"), body, answer=False)

    time.sleep(0.3)
    assert [] == made(served)


def test_a_plan_writes_nothing(served: Served) -> None:
    """The data of `assign --dry-run`."""
    answer = served.client.post("/plan", content=as_bytes(order()))

    planned = {**PLANNED, "outcome": "planned", "task_id": None}
    assert (200, [{**ORDER, "outcome": "planned", "tasks": [planned]}]) == (answer.status_code, answer.json())
    assert [] == served.portal.writes()
    assert 422 == served.client.post("/plan", content=b"{").status_code


def test_a_plan_has_the_warnings_of_each_order(shared: Served) -> None:
    """Those of lines stand at the lines; an order of which there is nothing to say has no such key."""
    changes = {"81": {"Исполнитель": "Нет такого"}, "82": {"Менеджер": "Никто Никак"}, "83": {}}
    orders = [order(ИдентификаторЗаказа=order_id, НомерЗаказа=order_id, **more) for order_id, more in changes.items()]
    answer = shared.client.post("/plan", content=as_bytes(orders))
    assert [
        ['Исполнитель: the portal has no department "Нет такого"'],
        ['Менеджер: no active person of the portal is "Никто Никак", so the tasks have no observer'],
        None,
    ] == [planned.get("warnings") for planned in answer.json()]


def test_orders_of_one_service_do_not_contend_for_the_lock(
    tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Asking for it again and again, one of them could go without for many seconds."""
    there: list[int] = [0]
    most: list[int] = [0]
    hold = locks.hold

    @contextmanager
    def counted(*arguments: Any) -> Iterator[None]:
        there[0] += 1
        most[0] = max(most[0], there[0])
        with hold(*arguments):
            yield
        there[0] -= 1

    monkeypatch.setattr(locks, "hold", counted)
    with (
        serving(demo_company.build(clock), tmp_path / "data", B24_RETRY_SECONDS=30) as served,
        ThreadPoolExecutor(4) as pool,
    ):
        bodies = [order(ИдентификаторЗаказа=f"id-{n}", НомерЗаказа=f"1Ц-{n}") for n in range(4)]
        answers = list(pool.map(lambda body: post(served, body), bodies))

    assert ([(200, OK)] * 4, [1]) == (answers, most)


@pytest.mark.long
def test_many_orders_at_once_make_each_task_once(tmp_path: Path, clock: Clock) -> None:
    """Several of them the same, pressed again by somebody impatient."""
    portal = demo_company.build(clock)
    with serving(portal, tmp_path / "data", B24_RETRY_SECONDS=30) as served, ThreadPoolExecutor(8) as pool:
        bodies = [order(ИдентификаторЗаказа=f"id-{n % 4}", НомерЗаказа=f"1Ц-{n % 4}") for n in range(8)]
        answers = list(pool.map(lambda body: post(served, body), bodies))

    assert [(200, OK)] * 8 == answers
    assert [f"Сварщик: 1Ц-{n}" for n in range(4)] == sorted(made(served))


def test_people_learn_of_their_work_after_the_answer(tmp_path: Path, clock: Clock) -> None:
    """Once, within their hours; a right that is missing does not change the answer."""
    portal = demo_company.build(clock)
    clock.now += timedelta(hours=3)
    with serving(portal, tmp_path / "data", B24_NOTIFY="people") as served:
        portal.scopes.discard("im")
        assert OK == served.client.post("/", content=as_bytes(order())).content
        portal.scopes.add("im")
        assert OK == served.client.post("/", content=as_bytes(order())).content
        wait_until(lambda: portal.messages)
    assert ["notify10"] == [message.dialog for message in portal.messages]
