"""The sandbox's REST transport, through both doors: addresses, bodies, envelopes, errors, limits."""

from __future__ import annotations

import json
import socket
from datetime import timedelta
from typing import Any

import httpx
import pytest

from b24tools.sandbox import demo_company, server
from b24tools.sandbox.faults import Fault
from b24tools.sandbox.state import Portal
from tests.sandbox.client import NOW, Asker, Clock

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"


def test_success_has_the_portals_envelope_byte_for_byte(door: Asker) -> None:
    """Key order, escaped slashes and angle brackets, raw Cyrillic, an empty map as a list."""
    door.portal.users[1].name = "Ирина & <Ко>/'\"\\"
    response = door.post("profile", b"", JSON)
    expected = (
        '{"result":{"ID":"1","ADMIN":true,"NAME":"Ирина \\u0026 \\u003CКо\\u003E\\/\\u0027\\u0022\\\\",'
        '"LAST_NAME":"Админов","PERSONAL_GENDER":"","TIME_ZONE":""},'
        '"time":{"start":1794992400,"finish":1794992400.05,"duration":0.05,"processing":0,'
        '"date_start":"2026-11-18T12:00:00+03:00","date_finish":"2026-11-18T12:00:00+03:00"}}'
    )
    assert (200, "application/json; charset=utf-8", expected) == (
        response.status_code,
        response.headers["Content-Type"],
        response.text,
    )


def test_list_envelope_has_next_and_total_after_result(bare: Asker) -> None:
    """Result, next, total, time: in this order, counters as integers."""
    for number in range(60):
        bare.portal.add_task(str(number), responsible=1)
    body = bare.body("tasks.task.list", order={"ID": "asc"}, select=["ID"])
    assert list(body) == ["result", "next", "total", "time"]
    assert (body["next"], body["total"]) == (50, 60)


def test_empty_maps_leave_as_lists(bare: Asker) -> None:
    """PHP has one kind of array."""
    bare.portal.add_task("Одна", responsible=1)
    task = bare.result("tasks.task.list", select=["ID", "AUDITORS"])["tasks"][0]
    assert task == {"id": "1", "auditors": [], "group": [], "auditorsData": []}


@pytest.mark.parametrize("suffix", ["", "/", ".json", ".JSON"])
def test_method_is_found_in_any_case_and_with_the_json_suffix(door: Asker, suffix: str) -> None:
    """`Tasks.Task.List` works as well."""
    assert door.result(f"Tasks.Task.List{suffix}") == {"tasks": []}


def test_get_with_a_query_string_works_like_post(door: Asker) -> None:
    """Bracket notation in the address."""
    door.portal.add_task("Первая", responsible=1)
    path, query = f"{door.portal.webhook_path}tasks.task.get", "taskId=1&select[]=TITLE"
    assert door.request("GET", path, query).json()["result"]["task"]["title"] == "Первая"


def test_body_wins_over_the_query_string(door: Asker) -> None:
    """They are merged; on a clash the body counts."""
    for title in ("Первая", "Вторая"):
        door.portal.add_task(title, responsible=1)
    response = door.post("tasks.task.get", b'{"taskId":2}', JSON, "taskId=1&select[]=TITLE")
    assert response.json()["result"]["task"]["title"] == "Вторая"


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        (JSON, b'{"filter":{"ID":1}'),
        (JSON, b'\xef\xbb\xbf{"filter":{"ID":1}}'),
        ("text/plain", b'{"filter":{"ID":1}}'),
        (FORM, b'{"filter":{"ID":1}}'),
    ],
    ids=["broken", "BOM", "text/plain", "form"],
)
def test_unread_json_means_no_parameters_at_all(bare: Asker, content_type: str, body: bytes) -> None:
    """Not an error: the filter is gone and every task comes back."""
    for title in ("Первая", "Вторая"):
        bare.portal.add_task(title, responsible=1)
    assert bare.post("tasks.task.list", body, content_type).json()["total"] == 2


@pytest.mark.parametrize("content_type", ["application/json; charset=utf-8", "application/vnd.api+json"])
def test_json_is_read_under_its_relatives_too(bare: Asker, content_type: str) -> None:
    """A charset, or +json."""
    bare.portal.add_task("Первая", responsible=1)
    assert bare.post("tasks.task.list", b'{"filter":{"ID":7}}', content_type).json()["total"] == 0


def test_form_body_is_read_in_bracket_notation(door: Asker) -> None:
    """Percent-encoded brackets and plus signs."""
    body = b"fields%5BTITLE%5D=%D0%90+%2B&fields[RESPONSIBLE_ID]=1&fields[TAGS][]=a&fields[TAGS][]=b"
    door.post("tasks.task.add", body, FORM)
    task = door.portal.tasks[1]
    assert (task.title, task.tags) == ("А +", ("a", "b"))


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/rest/1/wrong/no.such.method", (404, "ERROR_METHOD_NOT_FOUND", "Method not found!")),
        ("/rest/1/wrong/profile", (401, "INVALID_CREDENTIALS", "Invalid request credentials")),
        ("/rest/2/{secret}/profile", (401, "INVALID_CREDENTIALS", "Invalid request credentials")),
        ("/rest/profile", (401, "NO_AUTH_FOUND", "Wrong authorization data")),
    ],
)
def test_refusals_come_in_the_portals_order_and_without_time(
    bare: Asker, path: str, expected: tuple[int, str, str]
) -> None:
    """An unknown method is named before the secret is looked at."""
    response = bare.request("POST", path.format(secret=bare.portal.secret))
    status, code, text = expected
    assert (status, {"error": code, "error_description": text}) == (response.status_code, response.json())


def test_missing_scope_is_refused(bare: Asker) -> None:
    """At the top with a text, inside a batch without one."""
    bare.portal.scopes.discard("task")
    text = "The request requires higher privileges than provided by the webhook token"
    assert (401, "insufficient_scope", text) == bare.error("tasks.task.list")
    errors = bare.result("batch", cmd={"a": "tasks.task.list", "b": "profile"})["result_error"]
    assert errors == {"a": {"error": "insufficient_scope", "error_description": ""}}


def test_dismissed_owner_stops_the_webhook(bare: Asker) -> None:
    """Its rights die with its owner."""
    bare.portal.owner.active = False
    assert bare.error("profile") == (401, "authorization_error", "Unable to authorize user")


def test_plain_http_is_refused_when_asked_for(door: Asker) -> None:
    """The cloud wants https; this portal only when asked to."""
    door.portal.https_only = True
    answer = door.status_and_body("profile")
    plain = {"error": "INVALID_REQUEST", "error_description": "Https required."}
    assert ((401, plain) if door.base_url.startswith("http:") else 200) == (
        answer if door.base_url.startswith("http:") else answer[0]
    )


def test_reserved_token_parameter_breaks_a_call(bare: Asker) -> None:
    """A parameter called `token` belongs to signed links."""
    assert bare.error("profile", token="x")[1] == "ACCESS_DENIED"


def test_renamed_portal_redirects(door: Asker) -> None:
    """302 with the whole path, so the secret travels in Location."""
    door.portal.moved_to = "https://new.example"
    response = door.post("profile", b"{}", JSON, "a=1")
    assert (302, f"https://new.example{door.portal.webhook_path}profile?a=1") == (
        response.status_code,
        response.headers["Location"],
    )


def test_a_redirect_to_a_cyrillic_name_goes_round_in_circles(door: Asker) -> None:
    """Clients send its punycode, which is not what the server's settings say; with punycode there it serves."""
    scheme = door.base_url.partition(":")[0]
    punycode = "цех.example".encode("idna").decode()
    target, host = f"{door.portal.webhook_path}profile", {"Host": punycode}
    door.portal.moved_to = f"{scheme}://цех.example"
    for headers in ({}, host):
        moved = door.request("POST", target, headers=headers)
        raw = dict(moved.headers.raw)[b"Location"] if door.client else moved.headers["Location"].encode()
        assert (302, f"{scheme}://цех.example{target}".encode()) == (moved.status_code, raw)
    door.portal.moved_to = f"{scheme}://{punycode}/"
    assert [302, 200] == [door.request("POST", target, headers=headers).status_code for headers in ({}, host)]


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/portal/rest/1/{secret}/profile", 200),
        ("/portal/rest/1/wrong/profile", 401),
        ("/rest/1/{secret}/profile", 404),
        ("/portals/rest/1/{secret}/profile", 404),
        ("/portal/portal/rest/1/{secret}/profile", 404),
    ],
)
def test_a_box_may_live_in_a_folder_of_its_host(bare: Asker, path: str, status: int) -> None:
    """Nowhere else on that host is there a portal."""
    bare.portal.folder = "/portal"
    assert status == bare.request("POST", path.format(secret=bare.portal.secret)).status_code
    assert bare.portal.webhook_url("https://box.example/") == f"https://box.example/portal/rest/1/{bare.portal.secret}/"


def test_addresses_that_a_box_in_a_folder_gives_lead_there(door: Asker) -> None:
    """The second step of an upload."""
    door.portal.folder = "/portal"
    root = door.portal.add_storage("common", "Общий диск", "shared_files_s1").root
    url = door.result("disk.folder.uploadfile", id=root, data={"NAME": "план.pdf"})["uploadUrl"]
    assert url.startswith(f"{door.base_url}/portal/rest/1/{door.portal.secret}/upload/?token=")


@pytest.mark.parametrize(
    ("login", "uid", "expected"),
    [
        ("admin", "admin", 200),
        ("admin", "Admin", 200),
        ("a.админ@firm.ru", "a.%D0%B0%D0%B4%D0%BC%D0%B8%D0%BD%40firm.ru", 200),
        ("admin", "1", 200),
        ("admin", "01", 401),
        ("admin", "user2", 401),
        ("2", "2", 401),
    ],
)
def test_a_login_may_stand_in_place_of_the_id(door: Asker, login: str, uid: str, expected: int) -> None:
    """What is a number is an id."""
    door.portal.add_user("Анна", "Сидорова", departments=[1])
    door.portal.owner.login = login
    assert expected == door.request("POST", f"/rest/{uid}/{door.portal.secret}/profile").status_code


def test_the_login_of_a_dismissed_owner_is_not_found(bare: Asker) -> None:
    """The id is, and is refused in other words."""
    bare.portal.owner.active = False
    codes = [
        bare.request("POST", f"/rest/{uid}/{bare.portal.secret}/profile").json()["error"] for uid in ("admin", "1")
    ]
    assert ["INVALID_CREDENTIALS", "authorization_error"] == codes


def test_a_box_behind_a_proxy_may_take_https_for_http(bare: Asker) -> None:
    """It refuses every call with a secret, and knows its methods all the same."""
    bare.portal.believes_http = True
    assert (401, "INVALID_REQUEST", "Https required.") == bare.error("profile")
    assert 404 == bare.error("no.such.method")[0]
    assert [] == bare.portal.writes()


def test_notices_of_php_stand_before_the_json_and_a_comment_after_it(door: Asker) -> None:
    """In answers of all kinds, under the same type; what is before PHP knows nothing of it."""
    plain = door.post("server.time", b"", JSON).text
    door.portal.php_notice, door.portal.php_comment = "<br />\n<b>Deprecated</b>:  strlen()<br />\n", "\n<!-- 0.1 -->"
    noisy = door.post("server.time", b"", JSON)
    assert (door.portal.php_notice + plain + door.portal.php_comment, JSON) == (
        noisy.text, noisy.headers["Content-Type"].partition(";")[0],
    )  # fmt: skip
    door.portal.faults.add(Fault("error"))
    for status in (400, 404):
        refused = door.post("no.such.method", b"", JSON)
        assert (status, "<br />", "-->") == (refused.status_code, refused.text[:6], refused.text[-3:])
    door.portal.faults.add(Fault("limit"))
    assert "QUERY_LIMIT_EXCEEDED" == door.post("profile", b"", JSON).json()["error"]


def test_every_stamp_is_of_the_portals_clock(bare: Asker, clock: Clock) -> None:
    """Ten minutes ahead of ours."""
    portal = bare.portal
    portal.now = lambda: clock() + timedelta(minutes=10)
    root = portal.add_storage("common", "Общий диск", "shared_files_s1").root
    handler = portal.add_handler("http://127.0.0.1/", "token")
    ahead = "2026-11-18T12:10:00+03:00"
    made = bare.result("tasks.task.add", fields={"TITLE": "x", "RESPONSIBLE_ID": 1})["task"]
    stamps = {made[name] for name in ("createdDate", "changedDate", "activityDate", "statusChangedDate")}
    done = bare.result("tasks.task.complete", taskId=1)["task"]
    stamps |= {done["closedDate"], done["changedDate"], done["statusChangedDate"], bare.result("server.time")}
    stamps |= {bare.result("disk.folder.addsubfolder", id=root, data={"NAME": "x"})["CREATE_TIME"]}
    stamps |= {bare.body("profile")["time"]["date_start"], bare.body("batch", cmd={})["time"]["date_finish"]}
    assert {ahead} == stamps
    assert {int(portal.now().timestamp())} == {bare.body("profile")["time"]["start"]}
    assert f"ts={int(portal.now().timestamp())}&".encode() in portal.event_body("ONTASKADD", 1, handler)
    assert {portal.now()} == {entry.at for entry in portal.log}


def test_paths_beyond_rest_are_not_found(bare: Asker) -> None:
    """REST 3.0 is not emulated either."""
    statuses = [
        bare.request("GET", path).status_code for path in ("/x", f"/rest/api/1/{bare.portal.secret}/tasks.task.get")
    ]
    assert statuses == [404, 404]


def test_51_requests_pass_before_the_rate_limit(bare: Asker, clock: Clock) -> None:
    """Then two more every second; a refused one is not counted."""
    bare.portal.rate_limit = True
    statuses = [bare.status_and_body("profile")[0] for _ in range(53)]
    assert statuses == [200] * 51 + [503] * 2
    assert bare.error("profile") == (503, "QUERY_LIMIT_EXCEEDED", "Too many requests")
    clock.move(seconds=1)
    assert [bare.status_and_body("profile")[0] for _ in range(3)] == [200, 200, 503]


def test_operating_time_blocks_the_next_call_of_that_method(bare: Asker, clock: Clock) -> None:
    """The one that crosses the line finishes; other methods go on; the oldest minute leaves after ten."""
    bare.portal.operating_limit_s = 10.0
    bare.portal.seconds["tasks.task.list"] = 6.0
    first = bare.body("tasks.task.list")["time"]
    clock.move(minutes=2)
    second = bare.body("tasks.task.list")["time"]
    reset = int(NOW.timestamp()) + 600
    assert [(6.0, reset), (12.0, reset)] == [
        (time["operating"], time["operating_reset_at"]) for time in (first, second)
    ]
    text = "Method is blocked due to operation time limit."
    assert (429, "OPERATION_TIME_LIMIT", text) == bare.error("tasks.task.list")
    batch = bare.result("batch", cmd={"a": "tasks.task.list", "b": "user.get"})
    assert {"a": {"error": "OPERATION_TIME_LIMIT", "error_description": text}} == batch["result_error"]
    clock.move(minutes=8)
    assert bare.status_and_body("tasks.task.list")[0] == 200


def test_time_block_has_no_counters_without_the_brake(bare: Asker) -> None:
    """A self-hosted portal does not count."""
    assert "operating" not in bare.body("profile")["time"]


def test_log_tells_reads_from_writes_and_keeps_no_secret(bare: Asker) -> None:
    """Ordinals, methods, commands of batches; the address is nowhere in it."""
    bare.result("profile")
    bare.result("batch", cmd={"a": "user.get?ACTIVE=1", "b": "tasks.task.add?fields[TITLE]=x&fields[RESPONSIBLE_ID]=1"})
    bare.body("tasks.task.delete", taskId=99)
    log = [(entry.ordinal, entry.method, entry.methods, entry.is_write, entry.outcome) for entry in bare.portal.log]
    assert log == [
        (1, "profile", ["profile"], False, "ok"),
        (2, "batch", ["user.get", "tasks.task.add"], True, "ok"),
        (3, "tasks.task.delete", ["tasks.task.delete"], True, "1048582"),
    ]
    write = ("tasks.task.add", {"fields": {"TITLE": "x", "RESPONSIBLE_ID": "1"}})
    assert [write, ("tasks.task.delete", {"taskId": 99})] == bare.portal.writes()
    assert bare.portal.secret not in repr(bare.portal.log) + repr(bare.portal)


def test_human_page_names_the_portal_and_hides_the_secret() -> None:
    """At the root of the port."""
    portal = demo_company.build(Clock())
    with server.serve(portal) as url:
        page = httpx.get(url).text
    assert ("portal.example" in page, f"{url}/rest/1/" in page, portal.secret in page) == (True, True, False)


@pytest.mark.parametrize(
    ("method", "params", "expected"),
    [
        ("server.time", {}, "2026-11-18T12:00:00+03:00"),
        ("scope", {}, ["calendar", "department", "disk", "im", "sonet_group", "task", "timeman", "user"]),
    ],
)
def test_system_methods_answer(portal: Portal, method: str, params: dict[str, Any], expected: Any) -> None:
    """Those that need no scope."""
    assert expected == Asker(portal).result(method, **params)


def test_owner_id_may_be_another(clock: Clock) -> None:
    """The address carries it."""
    portal = Portal(clock, owner_id=17, secret="abcdefghijklmnop")
    assert portal.webhook_url() == "https://portal.example/rest/17/abcdefghijklmnop/"
    assert Asker(portal).result("profile")["ID"] == "17"


def test_json_lists_may_stand_for_objects_and_back(portal: Portal) -> None:
    """`{"0": …}` in a select is a list to PHP."""
    portal.add_task("Первая", responsible=1)
    response = Asker(portal).post("tasks.task.get", json.dumps({"taskId": 1, "select": {"0": "TITLE"}}).encode(), JSON)
    assert response.json()["result"]["task"]["title"] == "Первая"


def test_a_request_that_breaks_off_is_not_carried_out(portal: Portal) -> None:
    """Half a body is no body of a smaller request; one in chunks is refused."""
    head = f"POST {portal.webhook_path}tasks.task.list HTTP/1.1\r\nHost: portal\r\n".encode()
    with server.serve(portal) as url:
        for rest in (b"Content-Length: 50\r\n\r\n{", b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"):
            with socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2]))) as connection:
                connection.sendall(head + rest)
                connection.shutdown(socket.SHUT_WR)
                answer = b"".join(iter(lambda: connection.recv(4096), b""))
    assert (b"HTTP/1.1 411 ", []) == (answer[:13], portal.log)


def test_a_port_that_is_taken_is_an_os_error(portal: Portal) -> None:
    """And nothing else: the command names the port."""
    with server.serve(portal) as url, pytest.raises(OSError, match=r"Address already in use|10048|10013"):
        server.run(portal, "127.0.0.1", int(url.rpartition(":")[2]))
