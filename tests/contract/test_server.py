"""What the service shows and takes besides orders: events, settings, closed tasks, its health, its description."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timedelta
from html import escape
from pathlib import Path
from typing import Any, get_args

import httpx
import pytest

from b24tools import context
from b24tools.core import periods
from b24tools.core.models import Department, Status
from b24tools.jobs.leaderboard.badges import BADGES
from b24tools.jobs.orders import STATES
from b24tools.sandbox import demo_company
from b24tools.sandbox.faults import Fault
from b24tools.server import models
from b24tools.store.people import People
from b24tools.store.settings import POLLING, RUNNING_SETTINGS, WEBHOOK
from tests.support import closed_tasks as closed
from tests.support.orders import Clock
from tests.support.server import FORM, OUTGOING, Served, as_bytes, event_body, order, serving, wait_until

HOUR = timedelta(hours=1)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The Friday of 2026-W47."""
    clock = Clock(closed.NOW)
    monkeypatch.setattr(context, "now", clock)
    return clock


@pytest.fixture
def served(tmp_path: Path, clock: Clock) -> Iterator[Served]:
    """The service of the plant."""
    with serving(demo_company.build(clock), tmp_path / "data") as opened:
        yield opened


@pytest.fixture(scope="module")
def refusing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """One service for all that it refuses."""
    with serving(demo_company.build(context.now), tmp_path_factory.mktemp("refusing")) as opened:
        yield opened


def seen(answer: httpx.Response) -> tuple[int, Any]:
    """Status and JSON."""
    return answer.status_code, answer.json()


def test_ping_has_the_answer_of_old(served: Served) -> None:
    """With and without the slash; HEAD for those who only look."""
    for path in ("/ping/", "/ping"):
        answer = served.client.get(path)
        assert (200, b'{"message":"Pong"}') == (answer.status_code, answer.content)
    assert (200, b"") == (served.client.head("/ping/").status_code, served.client.head("/ping/").content)


# events


def rows(served: Served) -> list[tuple[Any, ...]]:
    """Event, task and state of all that is stored."""
    with closing(served.open_store()) as opened:
        return [(event.event, event.task_id, event.status) for event in opened.events.find()]


def test_in_polling_mode_an_event_is_stored_and_left(served: Served) -> None:
    """The token's value is not."""
    assert (202, {"status": "ignored_by_mode"}) == seen(served.event(12))
    assert [("ONTASKUPDATE", 12, "ignored_by_mode")] == rows(served)
    with closing(served.open_store()) as opened:
        assert OUTGOING not in opened.events.find()[0].body


def test_in_webhook_mode_an_event_is_followed(served: Served, clock: Clock) -> None:
    """And so are those that polling left; the switch holds from the next event on."""
    first, second = [task.id for task in served.portal.tasks][:2]
    served.event(first)
    answer = served.client.post("/configs", json={"key": "producer_mode", "value": "webhook"})
    assert (200, {"key": "producer_mode", "value": "webhook"}) == seen(answer)

    assert (202, {"status": "accepted"}) == seen(served.event(second))
    wait_until(lambda: {state for _event, _task, state in rows(served)} == {"done"})
    assert [("ONTASKUPDATE", first, "done"), ("ONTASKUPDATE", second, "done")] == rows(served)


def test_an_event_of_another_kind_is_stored_and_said_to_be_ignored(served: Served) -> None:
    """The outgoing webhook may be ticked for anything."""
    assert (202, {"status": "event_ignored"}) == seen(served.event(12, "ONCRMDEALADD"))
    assert [("ONCRMDEALADD", None, "ignored")] == rows(served)


def test_a_form_of_the_service_before_is_taken(served: Served) -> None:
    """With FIELDS for both halves."""
    body = f"event=ONTASKUPDATE&data[FIELDS][ID]=5&auth[application_token]={OUTGOING}"

    assert (202, {"status": "ignored_by_mode"}) == seen(served.client.post("/webhook", content=body, headers=FORM))
    assert [("ONTASKUPDATE", 5, "ignored_by_mode")] == rows(served)


def test_an_event_in_json_is_taken(served: Served) -> None:
    """Tests and proxies send it so."""
    body = {"event": "ONTASKADD", "data": {"FIELDS_AFTER": {"ID": "7"}}, "auth": {"application_token": OUTGOING}}

    assert (202, {"status": "ignored_by_mode"}) == seen(served.client.post("/webhook", json=body))
    assert [("ONTASKADD", 7, "ignored_by_mode")] == rows(served)


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"", 400, "bad_event"),
        (b"\xff\xfe\x00", 400, "bad_event"),
        (b"{", 400, "bad_event"),
        (b"hello", 400, "bad_event"),
        (b"event=ONTASKADD&data[FIELDS_AFTER][ID]=5&auth[application_token]=wrong", 403, "forbidden"),
        (b"event=ONTASKADD&data[FIELDS_AFTER][ID]=5", 403, "forbidden"),
        (b"event=ONTASKADD&data[FIELDS_AFTER][ID]=x&auth[application_token]=" + OUTGOING.encode(), 422, "bad_event"),
        (b"event=ONTASKADD&" + b"a=1&" * 1000, 413, "too_large"),
        (b"event=ONTASKADD&a" + b"[b]" * 9 + b"=1", 413, "too_large"),
        (b"event=ONTASKADD&a=" + b"1" * 65_536, 413, "too_large"),
    ],
    ids=["empty", "binary", "broken", "text", "token", "no token", "no id", "pairs", "depth", "size"],
)
def test_a_body_that_is_no_event_of_ours_is_refused_and_not_stored(
    refusing: Served, body: bytes, status: int, code: str
) -> None:
    """With a reason that does not repeat it."""
    answer = refusing.client.post("/webhook", content=body, headers=FORM)

    problem = answer.json()
    assert (status, ["detail", "code", "hint"], code) == (answer.status_code, list(problem), problem["code"])
    assert problem["hint"].endswith(".") and problem["hint"] not in problem["detail"]
    assert OUTGOING not in answer.text
    assert [] == rows(refusing)


def test_without_a_token_in_the_settings_no_event_is_taken(tmp_path: Path, clock: Clock) -> None:
    """403: anybody could send them."""
    with serving(demo_company.build(clock), tmp_path, BITRIX_OUTGOING_TOKEN=None) as served:
        assert 403 == served.event(12).status_code
        assert 403 == served.event(12, token="").status_code


def test_two_tokens_are_taken_while_they_are_changed(tmp_path: Path, clock: Clock) -> None:
    """Comma-separated."""
    with serving(demo_company.build(clock), tmp_path, BITRIX_OUTGOING_TOKEN="old-token, new-token") as served:
        assert [202, 202, 403] == [
            served.event(12, token=token).status_code for token in ("old-token", "new-token", "old-token, new-token")
        ]


# settings


def test_the_running_settings_are_shown_and_set(served: Served) -> None:
    """Every value is a string."""
    shown = [
        {"key": "producer_mode", "value": "polling"},
        {"key": "hidden_users", "value": ""},
        {"key": "opted_out_users", "value": ""},
        {"key": "excluded_users", "value": ""},
        {"key": "team_goal", "value": ""},
        {"key": "snapshot_max_age_h", "value": "26"},
        {"key": "count_own", "value": "0"},
        {"key": "doctor_ignore", "value": ""},
    ]
    assert (200, shown) == seen(served.client.get("/configs"))
    assert (200, shown[0]) == seen(served.client.get("/configs/producer_mode"))
    assert (200, {"key": "hidden_users", "value": "7,12"}) == seen(
        served.client.post("/configs", content=b'{"key":"hidden_users","value":"7,12"}', headers=FORM)
    )
    assert (200, {"key": "snapshot_max_age_h", "value": "30"}) == seen(
        served.client.post("/configs/", json={"key": "snapshot_max_age_h", "value": 30})
    )
    assert {"key": "hidden_users", "value": "7,12"} == served.client.get("/configs/hidden_users").json()


def test_the_words_of_the_description_are_those_that_the_code_has() -> None:
    """Settings (but portal_host, which is changed by command only), modes, states, badges, statuses, periods."""
    described = {
        models.SettingKey: RUNNING_SETTINGS.keys() - {"portal_host"},
        models.ProducerMode: {POLLING, WEBHOOK},
        models.OrderState: set(STATES),
        models.BadgeName: set(BADGES),
        models.TaskStatus: {status.name.lower() for status in Status},
        models.PeriodKind: {periods.WEEK, periods.MONTH, periods.QUARTER, periods.YEAR},
    }
    assert described == {alias: set(get_args(alias.__value__)) for alias in described}


def test_a_setting_that_does_not_fit_is_refused(served: Served) -> None:
    """With the known ones, or with examples."""
    lists = "producer_mode, hidden_users, opted_out_users, excluded_users"
    known = f"There are: {lists}, team_goal, snapshot_max_age_h, count_own, doctor_ignore"
    unknown = {"detail": 'there is no running setting "portal_host"', "hint": f"{known}."}
    post = served.client.post

    assert (404, unknown | {"code": "not_found"}) == seen(served.client.get("/configs/portal_host"))
    assert (422, unknown | {"code": "bad_request"}) == seen(post("/configs", json={"key": "portal_host", "value": "x"}))
    unfit = {
        "detail": 'producer_mode: "often" does not fit',
        "code": "settings",
        "hint": "Examples: polling, webhook.",
    }
    assert (422, unfit) == seen(post("/configs", json={"key": "producer_mode", "value": "often"}))
    expected = {
        "detail": 'expected JSON like {"key": "...", "value": "..."}',
        "code": "bad_request",
        "hint": "GET /configs shows the keys.",
    }
    for body in (b"", b"[]", b'{"key": 1, "value": ""}', b'{"key": "producer_mode"}', b"[" * 5000, b"\xff"):
        assert (422, expected) == seen(post("/configs", content=body))
    assert 413 == post("/configs", content=b" " * 70_000).status_code


# what was closed


@pytest.fixture
def filled(served: Served) -> Served:
    """Two people, three closed tasks of this week and one of the last."""
    with closing(served.open_store()) as opened, opened.transaction():
        people = [closed.person(7, "Ольга Ким", 11), closed.person(8, "Пётр О'Нил", 11)]
        opened.people.save(people, closed.NOW)
        tasks = [closed.task(number, user_id, closed.NOW - ago) for number, user_id, ago in CLOSED]
        opened.tasks.save(tasks, closed.NOW, closed.MOSCOW)
        for week in (closed.LAST, closed.THIS):
            opened.snapshot_runs.finish(
                opened.snapshot_runs.begin(week.start, week.end, closed.NOW - HOUR), closed.NOW, complete=True
            )
    return served


CLOSED = [(102, 7, HOUR), (101, 7, 2 * HOUR), (103, 8, HOUR), (90, 8, timedelta(days=7))]


def test_people_and_closed_tasks_are_shown_as_before(filled: Served) -> None:
    """As the replaced system's API had them."""
    assert (200, {"7": "Ольга Ким", "8": "Пётр О'Нил"}) == seen(filled.client.get("/users"))
    assert (200, {"7": [101, 102], "8": [103]}) == seen(filled.client.get("/tasks/week"))
    assert (200, {"8": [90]}) == seen(filled.client.get("/tasks/week?week=2026-W46"))
    assert (200, {"8": [90]}) == seen(filled.client.get("/tasks/week?week=last"))
    assert (200, {}) == seen(filled.client.get("/tasks/week?week=2026-W01"))
    hint = "/docs describes what this address takes."
    month = {"detail": '"2026-11" is not a week; an example: 2026-W47', "code": "bad_request", "hint": hint}
    assert (422, month) == seen(filled.client.get("/tasks/week?week=2026-11"))
    assert 422 == filled.client.get("/tasks/week?week=2026-W99").status_code


def test_the_leaderboard_is_shown(filled: Served) -> None:
    """The same data as `leaderboard --json`."""
    answer = filled.client.get("/leaderboard").json()

    assert "2026-W47" == answer["period"]["label"]
    assert [(1, "Ольга Ким", 2), (2, "Пётр О'Нил", 1)] == [
        (row["place"], row["name"], row["tasks"]) for row in answer["rows"]
    ]
    assert 1 == len(filled.client.get("/leaderboard?top=1").json()["rows"])
    assert "hours" == filled.client.get("/leaderboard?by=hours&kind=month").json()["by"]
    assert "2026-W46" == filled.client.get("/leaderboard?period=last").json()["period"]["label"]
    assert "2026-11" == filled.client.get("/leaderboard?period=2026-11").json()["period"]["label"]
    for query in ("by=luck", "top=0", "top=x", "period=soon", "kind=day", "teams=maybe"):
        refused = filled.client.get(f"/leaderboard?{query}")
        assert (422, ["detail", "code", "hint"]) == (refused.status_code, list(refused.json()))
        assert isinstance(refused.json()["detail"], str)


def test_an_unchanged_leaderboard_is_not_sent_again(filled: Served) -> None:
    """ETag and If-None-Match."""
    first = filled.client.get("/leaderboard")
    tag = first.headers["etag"]

    for known in (tag, f'"other", W/{tag}', "*"):
        again = filled.client.get("/leaderboard", headers={"If-None-Match": known})
        assert (304, b"", tag) == (again.status_code, again.content, again.headers["etag"])
    filled.client.post("/configs", json={"key": "hidden_users", "value": "8"})
    assert 200 == filled.client.get("/leaderboard", headers={"If-None-Match": tag}).status_code


def test_who_has_opted_out_is_in_no_list(filled: Served) -> None:
    """Neither as a name nor with tasks; in the totals they count."""
    with closing(filled.open_store()) as opened:
        opened.people.save([closed.person(9, "Третий Сварщик", 11)], closed.NOW)
        opened.people.save_departments([Department(11, "Сварка", None, None)], closed.NOW)
    filled.client.post("/configs", json={"key": "opted_out_users", "value": "8"})

    ranking = filled.client.get("/leaderboard?details=1").json()

    assert [7] == [row["user_id"] for row in ranking["rows"]]
    assert {"rows": 1, "tasks": 3, "hours": 3.0} == ranking["totals"]
    assert "others" not in ranking
    assert (200, {"7": "Ольга Ким", "9": "Третий Сварщик"}) == seen(filled.client.get("/users"))
    assert (200, {"7": [101, 102]}) == seen(filled.client.get("/tasks/week"))


def test_the_rules_are_words_for_programs_and_people(filled: Served) -> None:
    """How many have opted out, not who."""
    filled.client.post("/configs", json={"key": "opted_out_users", "value": "7,8"})

    rules = filled.client.get("/leaderboard/rules").json()
    page = filled.client.get("/leaderboard/rules", headers={"Accept": "text/html"})

    values = {rule["rule"]: rule["value"] for rule in rules}
    assert {
        "count_own": "0",
        "lines": "once",
        "on_time": "first_deadline",
        "opted_out_users": "2",
        "hidden_users": "0",
        "seasons": "7d",
        "zone": "Europe/Moscow",
    } == values
    assert all(escape(rule["text"]) in page.text for rule in rules)
    assert 422 == filled.client.get("/leaderboard/rules?period=2026-Q5").status_code


# health


def test_health_shows_how_old_the_data_are(served: Served, clock: Clock) -> None:
    """Nothing yet is no trouble; beyond `snapshot_max_age_h`, or an event that waits 15 minutes, is."""
    health = {"status": "ok", "snapshot_age_s": None, "oldest_event_age_s": None}
    assert (200, health) == seen(served.client.get("/healthz"))
    with closing(served.open_store()) as opened, opened.transaction():
        run = opened.snapshot_runs.begin(closed.THIS.start, closed.THIS.end, clock())
        opened.snapshot_runs.finish(run, clock(), complete=True)
    clock.now += timedelta(hours=26)
    assert (200, {**health, "snapshot_age_s": 93600}) == seen(served.client.get("/healthz"))
    clock.now += timedelta(seconds=1)
    assert (503, {**health, "status": "stale", "snapshot_age_s": 93601}) == seen(served.client.get("/healthz"))


def test_health_knows_the_snapshots_of_an_owner_who_sees_a_part(tmp_path: Path, clock: Clock) -> None:
    """With B24_NON_ADMIN=1 there are no others: that they stopped must be seen all the same."""
    with serving(demo_company.build(clock), tmp_path / "data", B24_NON_ADMIN=1) as served:
        for began, complete in ((clock() - timedelta(days=9), True), (clock(), False)):
            with closing(served.open_store()) as opened, opened.transaction():
                run = opened.snapshot_runs.begin(closed.THIS.start, closed.THIS.end, began)
                opened.snapshot_runs.finish(run, began, complete=complete)
        health = {"status": "ok", "snapshot_age_s": 0, "oldest_event_age_s": None}
        assert (200, health) == seen(served.client.get("/healthz"))
        clock.now += timedelta(hours=27)
        assert (503, {**health, "status": "stale", "snapshot_age_s": 97200}) == seen(served.client.get("/healthz"))


def test_health_shows_events_that_wait_too_long(served: Served, clock: Clock) -> None:
    """While the portal is away, say."""
    served.portal.faults.add(Fault("cut_before", times=10_000))
    served.client.post("/configs", json={"key": "producer_mode", "value": "webhook"})
    served.event(12)
    clock.now += timedelta(minutes=15)
    health = {"status": "ok", "snapshot_age_s": None, "oldest_event_age_s": 900, "last_intake_age_s": 900}
    assert (200, health) == seen(served.client.get("/healthz"))
    clock.now += timedelta(seconds=1)
    assert (503, {**health, "status": "stale", "oldest_event_age_s": 901, "last_intake_age_s": 901}) == seen(
        served.client.get("/healthz")
    )


def test_health_shows_orders_that_wait_too_long(served: Served, clock: Clock, tmp_path: Path) -> None:
    """In the folders that cron empties, where there are any; bad ones are counted."""
    folder = tmp_path / "orders"
    (folder / "failed").mkdir(parents=True)
    with closing(served.open_store()) as opened:
        opened.notices.remember_inbox(folder, clock())
        opened.notices.remember_inbox(tmp_path / "gone", clock())
    health: dict[str, Any] = {"status": "ok", "snapshot_age_s": None, "oldest_event_age_s": None}
    assert (200, {**health, "inbox_oldest_age_s": None, "inbox_failed": 0}) == seen(served.client.get("/healthz"))
    for name in ("failed/bad.json", "failed/bad.json.txt", "new.json", "old.json", "notes.txt"):
        (folder / name).write_text("{}", encoding="utf-8")
        age_s = 3600 if name == "old.json" else 60
        os.utime(folder / name, (clock().timestamp() - age_s,) * 2)
    assert (200, {**health, "inbox_oldest_age_s": 3600, "inbox_failed": 1}) == seen(served.client.get("/healthz"))
    clock.now += timedelta(seconds=1)
    stale = {**health, "status": "stale", "inbox_oldest_age_s": 3601, "inbox_failed": 1}
    assert (503, stale) == seen(served.client.get("/healthz"))


def test_health_counts_orders_that_failed(served: Served, clock: Clock) -> None:
    """And says when one came last; that alone is no alarm."""
    served.client.post("/", content=as_bytes(order()))
    served.client.post("/", content=as_bytes(order((("Космонавт", 60),), **{"ИдентификаторЗаказа": "b"})))
    clock.now += timedelta(minutes=5)
    health = {"status": "ok", "snapshot_age_s": None, "oldest_event_age_s": None}
    answer = served.client.get("/healthz").json()
    assert 290 < answer.pop("last_intake_age_s") <= 300  # the portal dates orders, to a second
    assert {**health, "failed_orders": 1} == answer


def test_ready_while_the_database_can_be_written(served: Served) -> None:
    """Whatever waits or is old; a program that holds the database for longer than a balancer waits makes it unready."""
    assert (200, {"status": "ready"}) == seen(served.client.get("/ready"))
    with closing(served.open_store()) as opened, opened.transaction():
        opened.settings.save("hidden_users", "7")
        failed = {"status": "failed", "problem": "the database cannot be written"}
        assert (503, failed) == seen(served.client.get("/ready"))
    assert (200, {"status": "ready"}) == seen(served.client.get("/ready"))


def test_metrics_are_numbers_for_prometheus(served: Served, clock: Clock) -> None:
    """Each with its help and type; what there is nothing of is left out."""
    served.client.post("/", content=as_bytes(order()))
    served.event(12)
    with closing(served.open_store()) as opened, opened.transaction():
        opened.notices.note_backup(Path("a.zip"), clock())
    clock.now += timedelta(minutes=5)
    answer = served.client.get("/metrics")
    lines = answer.text.splitlines()
    values = {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in lines if line[0] != "#"}
    assert "text/plain; version=0.0.4; charset=utf-8" == answer.headers["content-type"]
    assert values.pop("b24tools_database_bytes") > 100_000
    assert values.pop("b24tools_portal_requests_total") > 3
    assert 298 < values.pop("b24tools_last_order_age_seconds") <= 300
    assert {
        "b24tools_healthy": 1,
        'b24tools_orders{state="created"}': 1,
        "b24tools_orders_unsettled": 0,
        'b24tools_events{state="ignored_by_mode"}': 1,
        "b24tools_last_event_age_seconds": 300,
        "b24tools_backup_age_seconds": 300,
    } == values
    names = {line.split()[2]: line.split()[3] for line in lines if line.startswith("# TYPE")}
    assert "counter" == names.pop("b24tools_portal_requests_total")
    assert {"gauge"} == set(names.values())
    assert {name.partition("{")[0] for name in values} <= {line.split()[2] for line in lines if "# HELP" in line}


def test_metrics_count_the_changes_without_an_event(served: Served, clock: Clock) -> None:
    """Of the last complete run, in webhook mode only: in the other one none is due."""

    def read() -> list[str]:
        return [line for line in served.client.get("/metrics").text.splitlines() if line.startswith("b24tools_change")]

    with closing(served.open_store()) as opened:
        run = opened.snapshot_runs.begin(closed.THIS.start, closed.THIS.end, clock.now - timedelta(hours=1))
        with opened.transaction():
            opened.snapshot_runs.finish(replace(run, changes=412, missed=3), clock.now, complete=True)
        assert [] == read()
        opened.settings.save("producer_mode", "webhook")
    assert ["b24tools_changes 412", "b24tools_changes_without_event 3"] == read()


def test_health_takes_what_is_dated_in_the_future_for_old(served: Served, clock: Clock) -> None:
    """A run or an event under a clock that was wrong: of an unknown age, until one comes that can be dated."""

    def complete(began: datetime) -> None:
        with closing(served.open_store()) as opened, opened.transaction():
            run = opened.snapshot_runs.begin(closed.THIS.start, closed.THIS.end, began)
            opened.snapshot_runs.finish(run, began, complete=True)

    now = clock.now
    stale = {"status": "stale", "snapshot_age_s": None, "oldest_event_age_s": None}
    complete(now + timedelta(days=400))
    assert (503, stale) == seen(served.client.get("/healthz"))
    complete(now + timedelta(minutes=10))
    assert (200, {**stale, "status": "ok", "snapshot_age_s": 0}) == seen(served.client.get("/healthz"))
    served.portal.faults.add(Fault("cut_before", times=10_000))
    served.client.post("/configs", json={"key": "producer_mode", "value": "webhook"})
    clock.now = now + timedelta(days=400)
    served.event(12)
    clock.now = now
    assert (503, {**stale, "snapshot_age_s": 0, "last_intake_age_s": 0}) == seen(served.client.get("/healthz"))


# description


def test_the_page_of_the_description_needs_nothing_from_elsewhere(served: Served) -> None:
    """All it loads comes from here, and its policy allows nothing else."""
    page = served.client.get("/docs")
    nested = served.client.get("/docs/")

    assert page.text.replace('="docs/', '="') == nested.text  # a browser counts from the last slash
    assert "//" not in page.text.replace("<!--", "")
    assert "default-src 'none'; script-src 'self'; style-src 'self'" in page.headers["content-security-policy"]
    for name, kind in (
        ("swagger-ui.css", "text/css; charset=utf-8"),
        ("swagger-ui-bundle.js", "text/javascript; charset=utf-8"),
        ("start.js", "text/javascript; charset=utf-8"),
        ("favicon-32x32.png", "image/png"),
    ):
        asset = served.client.get(f"/docs/{name}")
        assert (200, kind) == (asset.status_code, asset.headers["content-type"])
        assert f"docs/{name}" in page.text
    for name in ("..%2f..%2fmain.py", "main.py", "%2e%2e/main.py"):
        assert 404 == served.client.get(f"/docs/{name}").status_code


# trouble


def test_a_bug_is_answered_without_its_words(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """They may hold anything; the log has them."""

    def broken(_self: People) -> dict[int, str]:
        raise KeyError("secret of the house")

    monkeypatch.setattr(People, "names", broken)

    expected = {
        "detail": "an unexpected error, KeyError; log.log in the data folder has the details",
        "code": "failed",
        "hint": "Report it with what log.log has about it.",
    }
    assert (500, expected) == seen(served.client.get("/users"))


def test_what_is_not_there_is_said_in_the_same_form(served: Served) -> None:
    """404 leads on, 405 names all methods that the address takes."""
    missing = {
        "detail": "there is no such address",
        "code": "not_found",
        "hint": "/docs lists the addresses that there are.",
    }
    assert (404, missing) == seen(served.client.get("/nothing"))
    for path, allowed in (
        ("/", "GET, HEAD, POST"),
        ("/configs", "GET, HEAD, POST"),
        ("/webhook/", "POST"),
        ("/ping/", "GET, HEAD"),
    ):
        answer = served.client.delete(path)
        hint = "/docs describes what this address takes."
        expected = {"detail": f"this address takes {allowed}, not DELETE", "code": "bad_request", "hint": hint}
        assert (405, expected) == seen(answer)
        assert allowed == answer.headers["allow"]
    described = served.client.get("/openapi.json").json()["paths"]
    for path, methods in described.items():
        allowed = {method.upper() for method in methods} | ({"HEAD"} if "get" in methods else set())
        assert ", ".join(sorted(allowed)) == served.client.options(path).headers["allow"]
    assert 200 == served.client.head("/configs").status_code


@pytest.mark.long
def test_orders_events_and_switches_at_once_leave_nothing_behind(tmp_path: Path, clock: Clock) -> None:
    """Five clients, two modes: no locked database, no task twice, every event stored."""

    def work(number: int) -> list[int]:
        with httpx.Client(base_url=served.url, timeout=60, trust_env=False) as client:
            statuses = []
            for turn in range(8):
                mode = "webhook" if turn % 2 else "polling"
                sent = order(ИдентификаторЗаказа=f"id-{turn // 2}", НомерЗаказа=f"1Ц-{turn // 2}")
                statuses += [
                    *(client.post("/webhook", content=body, headers=FORM).status_code for body in bodies),
                    client.post("/configs", json={"key": "producer_mode", "value": mode}).status_code,
                    *([client.post("/", content=as_bytes(sent)).status_code] if number < 2 else []),
                ]
            return statuses

    portal = demo_company.build(clock)
    bodies = [event_body(portal, task.id) for task in list(portal.tasks)[:5]]
    with serving(portal, tmp_path / "data", B24_RETRY_SECONDS=60) as served:
        with ThreadPoolExecutor(5) as pool:
            statuses = {status for answers in pool.map(work, range(5)) for status in answers}
        stored = len(rows(served))

    assert {200, 202} == statuses
    assert 5 * 8 * 5 == stored
    ours = sorted(task.title for task in portal.tasks if task.xml_id)
    assert [f"Сварщик: 1Ц-{n}" for n in range(4)] == ours
