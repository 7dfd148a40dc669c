"""`/openapi.json`: what it says, and that every endpoint answers so in each of its outcomes."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from jsonschema import ValidationError

from b24tools import context
from b24tools.core import errors, i18n
from b24tools.onec import order as onec_order
from b24tools.sandbox import demo_company
from b24tools.sandbox.faults import Fault
from b24tools.server import services
from b24tools.server.auth import Access
from scripts.write_api_docs import describe_service
from tests.support.description import check_value, find_operation
from tests.support.orders import MOSCOW, Clock
from tests.support.server import SERVE, Served, as_bytes, event_body, head, order, raw, serving

OPERATIONS = {
    "getBoard", "getDecision", "getHealth", "getLeaderboard", "getLoad", "getMetrics", "getOrder",
    "getPlan", "getReadiness", "getSetting", "getStart", "getToday", "getTodayOfAll", "listClosedTasks",
    "listOrders", "listPeople", "listSettings", "ping", "planOrder", "receiveWebhook", "sendOrder", "setSetting",
}  # fmt: skip
HARDY = {"ping"}  # what works without database and portal
OPEN = {"ping", "getHealth", "getReadiness", "receiveWebhook"}
NAMES = {"order": "1Ц-00000100", "key": "producer_mode", "task": "69", "person": "Сварщик"}
OTHER = {"ИдентификаторЗаказа": "other", "НомерЗаказа": "1Ц-2"}


def list_operations() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Method, path and description of all."""
    for path, operations in describe_service()["paths"].items():
        for method, operation in operations.items():
            yield method.upper(), path.format(**NAMES), operation


def test_every_operation_has_a_name_and_named_models() -> None:
    """Of each answer in JSON, and of each body; nothing in it is just anything."""
    description = describe_service()
    operations = {operation["operationId"]: operation for _method, _path, operation in list_operations()}
    assert OPERATIONS <= operations.keys()
    for name, operation in operations.items():
        for status, answer in operation["responses"].items():
            for kind, content in answer.get("content", {}).items():
                schema = content["schema"].get("items", content["schema"])
                assert kind in ("text/html", "text/plain") or set(schema) == {"$ref"}, f"{name} {status}"
        assert all(parameter["description"] for parameter in operation.get("parameters", ())), name
        for status in operation["responses"].keys() - {"200", "202", "304"}:
            models = json.dumps(operation["responses"][status])
            assert name in ("getHealth", "getReadiness") or "Problem" in models, f"{name} {status}"
    for name, schema in description["components"]["schemas"].items():
        assert schema.get("description") or "enum" in schema, name
        undescribed = [key for key, field in schema.get("properties", {}).items() if not field.get("description")]
        assert [] == undescribed, name
    references = {part for part in json.dumps(description).split('"') if part.startswith("#/components/schemas/")}
    assert {reference.rpartition("/")[2] for reference in references} == set(description["components"]["schemas"])
    assert [code.value for code in errors.ErrorCode] == description["components"]["schemas"]["ErrorCode"]["enum"]


@pytest.mark.long
def test_the_description_is_the_same_in_every_language(tmp_path: Path) -> None:
    """Programs are generated from it."""
    descriptions = []
    for language in ("en", "ru"):
        with i18n.speaking(language), serving(demo_company.build(context.now), tmp_path) as served:
            descriptions.append(served.client.get("/openapi.json").json())
    assert descriptions[0] == descriptions[1]
    assert "Orders from 1C become tasks in Bitrix24" in descriptions[1]["info"]["description"]


def test_the_order_has_its_russian_keys() -> None:
    """And an example that is a whole order, of these days."""
    describe_service.cache_clear()  # another test may have stopped the clock
    schemas = describe_service()["components"]["schemas"]
    assert ["ИдентификаторЗаказа", "НомерЗаказа", "Калькуляция"] == schemas["Order"]["required"]
    (example,) = schemas["Order"]["examples"]
    (read,) = onec_order.read_orders(as_bytes(example), MOSCOW)
    assert ("1Ц-00000069", 1, 1) == (read.number, len(read.lines), len(read.files))
    assert read.wanted is not None
    assert timedelta(days=10) < read.wanted - context.now() < timedelta(days=20)


def test_the_examples_are_what_they_are_examples_of() -> None:
    """By their own schemas, which leave no room for other keys."""
    schemas = {name: form for name, form in describe_service()["components"]["schemas"].items() if "examples" in form}
    del schemas["Order"]  # dates of 1C have no offset; it was read above
    for name, schema in schemas.items():
        for example in schema["examples"]:
            check_value(example, {"$ref": f"#/components/schemas/{name}"})
            if "properties" in schema:
                with pytest.raises(ValidationError):
                    check_value(example | {"more": 1}, {"$ref": f"#/components/schemas/{name}"})


class Seen:
    """Operation and status of what was answered; `serving` checks each answer itself."""

    def __init__(self) -> None:
        self.outcomes: set[tuple[str, str]] = set()

    def note(self, method: str, path: str, status: int) -> None:
        operation = find_operation(method, path)
        self.outcomes.add((operation["operationId"], str(status)))

    def watch(self, response: httpx.Response) -> None:
        if find_operation(response.request.method, response.request.url.path):
            self.note(response.request.method, response.request.url.path, response.status_code)


@pytest.fixture
def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Any]]:
    """A service of the plant on a Monday morning."""
    clock = Clock()
    monkeypatch.setattr(context, "now", clock)

    @contextmanager
    def start(seen: Seen, name: str, access: Access) -> Iterator[Served]:
        with serving(demo_company.build(clock), tmp_path / name, access, B24_RETRY_SECONDS=0) as served:
            served.client.event_hooks["response"].append(seen.watch)
            yield served

    yield start


def ask(served: Served, method: str, path: str, **more: Any) -> int:
    """The status of a request that is good unless `more` says otherwise."""
    body = {"/webhook": event_body(served.portal, 12), "/configs": b'{"key": "producer_mode", "value": "polling"}'}
    content = body.get(path, as_bytes(order())) if method == "POST" else None
    headers = {"Content-Type": "application/x-www-form-urlencoded"} if path == "/webhook" else {}
    headers |= more.pop("headers", {})
    return served.client.request(method, path, **({"content": content} | more), headers=headers).status_code


def send(served: Served, *lines: tuple[str, float], path: str = "/", **changes: Any) -> int:
    """The status of an order with these lines."""
    body = as_bytes(order(lines or (("Сварщик", 60.0),), **changes))
    return served.client.post(f"{path}{'&' if '?' in path else '?'}details=1", content=body).status_code


@pytest.mark.long
def test_every_endpoint_answers_as_described_in_each_of_its_outcomes(
    start: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """All that the description names is seen, and nothing else."""
    seen = Seen()
    with start(seen, "open", Access()) as served:
        for _twice in range(2):
            served.portal.add_user("Ян", "Двойной", departments=[9])
        take_orders(served)
        read_what_there_is(served)
        refuse_bodies(served, seen, monkeypatch)
    for error, status in ((errors.Busy("held"), 503), (KeyError("bug"), 500)):
        with start(seen, str(status), Access()) as served:
            break_down(served, monkeypatch, error, status)
    with start(seen, "token", Access(SERVE, host="127.0.0.1")) as served:
        for method, path, operation in list_operations():
            if operation["operationId"] not in OPEN:
                assert 401 == ask(served, method, path)
    with start(seen, "local", Access(host="127.0.0.1")) as served:
        for method, path, operation in list_operations():
            if operation["operationId"] not in OPEN:
                assert 403 == ask(served, method, path, headers={"Host": "elsewhere.example"})

    described = {
        (operation["operationId"], status)
        for _method, _path, operation in list_operations()
        for status in operation["responses"]
    }
    assert described == seen.outcomes


def take_orders(served: Served) -> None:
    """Made, changed, finished, refused, and not written for three reasons."""
    faults = served.portal.faults
    assert 200 == send(served, path="/plan")
    assert 200 == send(served, РекоммендуемаяДатаСдачи="2026-11-23T00:00:00")
    assert 200 == send(served, ("Сварщик", 90.0), Контрагент="ООО «Ромашка»")
    faults.add(Fault("error", method="tasks.task.update", code="ERROR_CORE", times=9))
    assert 200 == send(served, ("Сварщик", 70.0))
    faults.clear()
    assert 500 == send(served, ("Сварщик", 70.0), ("Нет такого", 5.0), **OTHER)
    assert 207 == send(served, ("Сварщик", 70.0), ("Нет такого", 5.0), **OTHER, path="/?partial=207")
    assert 200 == send(served, ("Сварщик", 70.0), ("Нет такого", 5.0), **OTHER, path="/plan")
    assert 422 == send(served, ("Сварщик", -1.0)) == send(served, ("Сварщик", -1.0), path="/plan")
    assert 200 == send(served, ("Монтажник", 70.0), ИдентификаторЗаказа="third", НомерЗаказа="1Ц-2")
    assert 200 == send(served, ("Монтажник", 70.0), ИдентификаторЗаказа="third", НомерЗаказа="1Ц-2", Выполнен=True)
    for path in ("/", "/plan", "/orders", "/orders/1Ц-00000100"):
        faults.add(Fault("limit", times=99))
        assert 503 == (send(served, path=path) if "orders" not in path else served.client.get(path).status_code)
        faults.clear()


def read_what_there_is(served: Served) -> None:
    """In all that may be asked for, and before and after there is anything."""
    client = served.client
    assert 404 == client.get("/orders/9").status_code
    assert 409 == client.get("/orders/1Ц-2").status_code
    assert 200 == client.get("/orders", params={"state": "all"}).status_code
    assert ["1Ц-00000100"] == [row["number"] for row in client.get("/orders/1Ц-00000100").json()["orders"]]
    for path, query in (
        ("/orders", "state=lost"),
        ("/tasks/week", "week=x"),
        ("/leaderboard", "top=0"),
        ("/leaderboard/rules", "period=soon"),
        ("/board", "by=x"),
    ):
        assert 422 == client.get(f"{path}?{query}").status_code
    task_id = client.get("/orders/1Ц-00000100").json()["orders"][0]["lines"][0]["task_id"]
    both = ("/load", "/load?department=Сварщик", "/today", "/today/Сварщик", f"/why/{task_id}", "/orders")
    for path in (*both, "/plan", "/", "/leaderboard/rules"):
        for kind in ("application/json", "text/html"):
            assert 200 == client.get(path, headers={"Accept": kind}).status_code
    for path in ("/load?department=x", "/today/x", "/why/9"):
        assert 404 == client.get(path).status_code
    for path in ("/load?department=Ян Двойной", "/today/Ян Двойной"):
        assert 409 == client.get(path).status_code
    for path in ("/load?weeks=0", "/today?date=x", "/today/x?date=x", "/plan?weeks=-1", "/why/x"):
        assert 422 == client.get(path).status_code
    assert 200 == client.get("/ping").status_code == client.get("/healthz").status_code
    for path in ("/configs", "/configs/producer_mode", "/users", "/tasks/week", "/board", "/leaderboard?details=1"):
        assert 200 == client.get(path).status_code
    for path in ("/leaderboard?teams=1", "/leaderboard?period=2026-11&by=hours&teams=1"):
        answer = client.get(path)
        assert 304 == client.get(path, headers={"If-None-Match": answer.headers["etag"]}).status_code
    with closing(served.open_store()) as store, store.transaction():
        store.database.insert_values("projects", ("id", "name"), [(901, "Namesakes"), (902, "Namesakes")])
    for path in ("/leaderboard", "/board"):
        assert 404 == client.get(f"{path}?group=none").status_code
        assert 409 == client.get(f"{path}?group=Namesakes").status_code
    assert 200 == client.get("/metrics").status_code == client.get("/ready").status_code
    assert 404 == client.get("/configs/colour").status_code
    assert 422 == client.post("/configs", content=b"{}").status_code
    assert 200 == ask(served, "POST", "/configs")
    assert {202} == {served.event(12).status_code, served.event(12, "ONCRMLEADADD").status_code}
    assert 403 == served.event(12, token="wrong").status_code
    assert 400 == ask(served, "POST", "/webhook", content=b"\xff{")
    no_task = event_body(served.portal, 12).replace(b"%5BID%5D", b"%5BX%5D").replace(b"[ID]", b"[X]")
    assert 422 == ask(served, "POST", "/webhook", content=no_task)


def refuse_bodies(served: Served, seen: Seen, monkeypatch: pytest.MonkeyPatch) -> None:
    """Too large, not arriving, compressed by what is not known."""
    with monkeypatch.context() as hurried:
        hurried.setattr(services, "IDLE_S", 0.02)
        for path in ("/", "/plan", "/configs", "/webhook"):
            for length, status in (("99999999999", 413), ("10", 408)):
                answer = raw(served.port, head("POST", path, f"Content-Length: {length}", "Connection: close"))
                described = find_operation("POST", path)["responses"][str(status)]["content"]["application/json"]
                assert answer.startswith(f"HTTP/1.1 {status}".encode()), answer
                check_value(json.loads(answer.partition(b"\r\n\r\n")[2]), described["schema"])
                seen.note("POST", path, status)
    for path in ("/", "/plan"):
        assert 415 == ask(served, "POST", path, headers={"Content-Encoding": "br"})


def break_down(served: Served, monkeypatch: pytest.MonkeyPatch, error: Exception, status: int) -> None:
    """Raise an error from whatever opens the database or the portal."""

    def refuse(*_given: Any, **_more: Any) -> Any:
        raise error

    with monkeypatch.context() as broken:
        for owner, name in (
            (services.Services, "open_store"),
            (context.Session, "read_store"),
            (context.Session, "open_planning"),
        ):
            broken.setattr(owner, name, refuse)
        for method, path, operation in list_operations():
            name = operation["operationId"]
            if name not in HARDY and (name, status) != ("getStart", 503):  # it says so on the page
                assert status == (answered := ask(served, method, path)), f"{method} {path}: {answered}"
