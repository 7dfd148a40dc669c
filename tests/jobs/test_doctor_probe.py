"""`doctor --write-probe`: what it settles on portals of different kinds, and that its task never stays."""

from __future__ import annotations

import json
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest

from b24tools.jobs.doctor import job, write_probe
from b24tools.jobs.doctor.checks import Report
from b24tools.render import doctor
from b24tools.sandbox import server
from b24tools.sandbox.faults import Fault
from tests.support.doctor import HOST, examine, found, make_well, not_ok
from tests.support.orders import Works

REQUESTS = 2  # of the doctor itself, before those of the probe
USUAL = {
    "portal": "b24tools {version}; own server; 2026-11-23T07:00+03:00",
    "filter": "XML_ID finds the task, and only that",
    "zones": "task dates +03:00, server.time +03:00, profile names no zone; created 0 s from server.time, the deadline "
    "+0 s from what was sent",
    "calendar": "stamps of events are off by minutes: -180 (2), -10260 (1), -20340 (1)",
    "chat": "add ignores select; chat in its answer: yes, in a list: yes, by get: yes; activityDate equals createdDate",
    "history": "tasks.task.history.list is there: NEW",
    "dropped": "none: the task is as it was sent",
    "xml_id": "50 characters come back whole; of 60 characters 50 come back",
    "rest3": "not there ({no_rest})",
    "task": "#69 for user #1, in project #1: made and deleted",
}


@pytest.fixture
def well(works: Works) -> Works:
    """A plant where all is well."""
    make_well(works)
    return works


def probe(works: Works, **changes: Any) -> list[Report]:
    """The doctor's checks with those of the probe."""
    return examine(works, probe=write_probe.make_check(works.clock.sleep, works.said.append), **changes)


def settled(checks: list[Report]) -> dict[str, str]:
    """What the probe found."""
    return {check.check.removeprefix("probe "): check.detail for check in checks if check.check.startswith("probe ")}


def test_one_task_settles_all_and_is_deleted(well: Works) -> None:
    """It is there for six requests, under a title that says so, and nothing of it warns."""
    before = [task.id for task in well.portal.tasks]

    checks = probe(well)

    assert {} == not_ok(checks)
    detail = settled(checks)
    assert list(USUAL) == list(detail)
    plain = {name: text for name, text in USUAL.items() if "{" not in text}
    assert plain == {name: detail[name] for name in plain}
    assert "404" in detail["rest3"]
    assert before == [task.id for task in well.portal.tasks]
    writes = well.portal.writes()
    assert ["tasks.task.add", "tasks.task.update", "tasks.task.delete"] == [method for method, _params in writes]
    assert writes[0][1]["fields"]["TITLE"].startswith("b24tools: a test, this task is being deleted (")
    assert 50 == len(writes[0][1]["fields"]["XML_ID"])
    assert REQUESTS + 5 == len(well.portal.log)  # and one to REST 3.0
    assert [] == well.clock.slept


def test_the_block_names_no_person(well: Works) -> None:
    """It is for sending to strangers: no host, no secret, no name of a person, even where the portal failed."""
    well.portal.faults.add(Fault("cut_before", method="tasks.task.get", times=99))
    words = {HOST, well.portal.secret, *(user.last_name for user in well.portal.users.values())}

    for checks in (probe(well), probe(well, transport=_Rest3(well, 404, {}))):
        block = "\n".join(doctor.line(check) for check in checks if check.check.startswith("probe "))
        assert [] == [word for word in words if word in block]
    assert "cannot connect to ***" in block or "broke" in block


def _american(works: Works) -> None:
    works.portal.owner.time_zone = "America/New_York"


def _broken_clock(works: Works) -> None:
    works.portal.use_time_zones = False
    works.portal.owner.time_zone = "Asia/Omsk"


def _no_events(works: Works) -> None:
    works.portal.meetings.clear()


def _server_in_utc(works: Works) -> None:
    works.portal.server_zone = ZoneInfo("UTC")
    works.portal.meetings = [meeting for meeting in works.portal.meetings if not meeting.repeats]


@pytest.mark.parametrize(
    ("change", "detail"),
    [
        ({"xml_id_width": 200}, {"xml_id": "50 characters come back whole; of 60 characters 60 come back"}),
        (
            {"xml_id_overflow": "refuse"},
            {
                "xml_id": "50 characters come back whole; 60 are refused (ERROR_UNKNOWN_UPDATE_TASK_ERROR), 50 remain",
            },
        ),
        ({"xml_id_width": 30}, {"xml_id": "of 50 characters 30 come back", "filter": "XML_ID finds nothing"}),
        (
            {"keep_xml_id": False},
            {"xml_id": "of 50 characters 0 come back", "filter": "XML_ID is ignored: 50 tasks came"},
        ),
        (
            {"forum_comments": True},
            {
                "chat": "add ignores select; chat in its answer: no, in a list: no, by get: no; "
                "activityDate equals createdDate"
            },
        ),
        (
            _american,
            {
                "zones": "task dates -05:00, server.time +03:00, profile America/New_York; created 0 s from "
                "server.time, the deadline +0 s from what was sent"
            },
        ),
        (
            _broken_clock,
            {
                "zones": "task dates +03:00, server.time +03:00, profile Asia/Omsk; created 0 s from server.time, "
                "the deadline +0 s from what was sent"
            },
        ),
        (_no_events, {"calendar": "no event with a time and a date like 31.12.2026 to see its stamps"}),
        (_server_in_utc, {"calendar": "stamps of events are off by minutes: +0 (1)"}),
        ({"small_tariff": True}, {"dropped": "GROUP_ID, AUDITORS, ALLOW_TIME_TRACKING"}),
        (lambda works: works.portal.groups.clear(), {"task": "#69 for user #1, in no project: made and deleted"}),
    ],
    ids=lambda value: "",
)
def test_portals_differ(well: Works, change: Any, detail: dict[str, str]) -> None:
    """In the width of the key, the chat, the zone; the task goes all the same."""
    if callable(change):
        change(well)
    else:
        for name, value in change.items():
            setattr(well.portal, name, value)
    count = len(well.portal.tasks)

    found_out = settled(probe(well))

    assert detail == {name: found_out[name] for name in detail}
    assert count == len(well.portal.tasks)


class _Rest3(httpx.BaseTransport):
    """A plant with REST 3.0, as far as the probe can see it: one answer, and what was asked."""

    def __init__(self, works: Works, status: int, body: dict[str, Any]) -> None:
        self._works = server.transport(works.portal)
        self._answer = (status, body)
        self.asked: list[tuple[str, dict[str, Any], str]] = []

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if not request.url.path.startswith("/rest/api/"):
            return self._works.handle_request(request)
        body = json.loads(request.read())
        self.asked.append((request.url.path.rpartition("/")[2], body, request.headers["Idempotency-Key"]))
        status, answer = self._answer
        return httpx.Response(status, json=answer)


def _exception(name: str) -> dict[str, Any]:
    return {"error": {"code": f"BITRIX_REST_V3_EXCEPTION_{name}", "message": "Text"}}


@pytest.mark.parametrize(
    ("status", "body", "detail"),
    [
        (400, _exception("INVALIDIDEMPOTENCYKEYEXCEPTION"), "REST 3.0 is there, and looks at Idempotency-Key"),
        (
            400,
            _exception("VALIDATION_REQUESTVALIDATIONEXCEPTION"),
            "REST 3.0 is there; Idempotency-Key not settled, the fields were judged first",
        ),
        (
            403,
            _exception("INSUFFICIENTSCOPEEXCEPTION"),
            "REST 3.0 is there; Idempotency-Key not settled, the webhook lacks “tasks”",
        ),
        (403, _exception("ACCESSDENIEDEXCEPTION"), "not settled (tasks.task.add: Text (BITRIX_REST_V3_EXCEPTION_ACC"),
        (404, {"error": "ERROR_METHOD_NOT_FOUND", "error_description": "Method not found!"}, "not there (tasks.task."),
        (200, {"result": {"result": False}}, "not settled: a call without fields was accepted"),
    ],
)
def test_rest3_is_asked_without_making_a_task(well: Works, status: int, body: dict[str, Any], detail: str) -> None:
    """No fields, and a key that is too long by one."""
    transport = _Rest3(well, status, body)

    check = found(probe(well, transport=transport), "probe rest3")

    assert ("ok", detail) == (check.status, check.detail[: len(detail)])
    assert [("tasks.task.add", {"fields": {}}, "x" * 256)] == transport.asked


FAULTS: dict[str, dict[str, Any]] = {
    "cut before": {"kind": "cut_before"},
    "cut after": {"kind": "cut_after"},
    "half": {"kind": "half"},
    "page, done": {"kind": "html", "executed": True},
    "page": {"kind": "html"},
    "error, done": {"kind": "error", "code": "ERROR_UNKNOWN_ADD_TASK_ERROR", "executed": True},
    "error": {"kind": "error"},
    "late by 50 s": {"kind": "late", "delay_s": 50},
    "limit": {"kind": "limit"},
    "away": {"kind": "unreachable"},
}


@pytest.fixture
def bare(well: Works, monkeypatch: pytest.MonkeyPatch) -> Works:
    """Without the checks that only read what was answered: the probe is looked at many times."""
    monkeypatch.setattr(job, "CHECKS", [])
    return well


@pytest.mark.long
@pytest.mark.parametrize("fault", FAULTS.values(), ids=list(FAULTS))
def test_the_task_goes_whatever_request_fails(bare: Works, fault: dict[str, Any]) -> None:
    """Each of its requests in turn; what is done late is waited for."""
    before = [task.id for task in bare.portal.tasks]
    for number in range(1, 6):
        bare.portal.faults.add(Fault(at=len(bare.portal.log) + REQUESTS + number, **fault))

        checks = probe(bare)
        bare.clock.sleep(120)
        bare.portal.run_late(due_only=True)

        assert before == [task.id for task in bare.portal.tasks]
        assert "ok" == found(checks, "probe task").status
        assert 0 == len(bare.portal.faults)


class _Interrupted(httpx.BaseTransport):
    """Ctrl-C while requests of these numbers are under way, before or after the portal has done them."""

    def __init__(self, works: Works, *numbers: int, executed: bool) -> None:
        self._works = server.transport(works.portal)
        self._numbers = numbers
        self._number = 0
        self._executed = executed

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self._number += 1
        if self._number - REQUESTS not in self._numbers:
            return self._works.handle_request(request)
        if self._executed:
            self._works.handle_request(request)
        raise KeyboardInterrupt


@pytest.mark.parametrize("executed", [False, True])
def test_the_task_goes_after_ctrl_c(bare: Works, *, executed: bool) -> None:
    """Wherever it comes, in the deletion, too."""
    before = [task.id for task in bare.portal.tasks]
    for number in range(1, 7):
        with pytest.raises(KeyboardInterrupt):
            probe(bare, transport=_Interrupted(bare, number, executed=executed))

        assert before == [task.id for task in bare.portal.tasks]
    assert [] == [text for text in bare.said if "by hand" in text]


def test_a_second_ctrl_c_names_the_task(well: Works) -> None:
    """Then somebody must look."""
    with pytest.raises(KeyboardInterrupt):
        probe(well, transport=_Interrupted(well, 2, 3, 4, executed=False))

    title = well.portal.tasks.get(69).title
    assert [f"Look on the portal for the task “{title}” (#69), and delete it by hand."] == well.said


def test_a_task_that_cannot_be_deleted_is_named(well: Works) -> None:
    """With its id and title, as a failure, and at once."""
    well.portal.faults.add(Fault("error", method="tasks.task.delete", times=99, code="1048582", description="No"))

    check = found(probe(well), "probe task")

    title = well.portal.tasks.get(69).title
    by_hand = f"Look on the portal for the task “{title}” (#69), and delete it by hand."
    assert ("fail", "#69 could not be deleted: tasks.task.delete: No (1048582)") == (check.status, check.detail)
    assert by_hand == check.fix
    assert [f"{check.detail}. {by_hand}"] == well.said


def test_a_portal_that_falls_silent_leaves_it_open(well: Works) -> None:
    """Whether the task was made is not known: that is a failure that says where to look."""
    well.portal.faults.add(Fault("cut_after", method="tasks.task.add"))
    well.portal.faults.add(Fault("html", skip=REQUESTS, times=999))

    check = found(probe(well), "probe task")

    assert "fail" == check.status
    assert "whether it was made is not known" in check.detail
    assert "this task is being deleted (" in check.fix


def test_a_task_is_for_a_person(well: Works) -> None:
    """A system user is none: without B24_FALLBACK_USER there is no task."""
    well.portal.dismiss_owner()

    check = found(probe(well), "probe task")
    assert ("fail", "Set B24_FALLBACK_USER to the id of a person, or create the webhook anew.") == (
        check.status,
        check.fix,
    )
    assert [] == well.portal.writes()

    assert "#69 for user #3, in project #1: made and deleted" == settled(probe(well, fallback_user=3))["task"]
    fields = well.portal.writes()[0][1]["fields"]
    assert (3, 3, [3]) == (fields["RESPONSIBLE_ID"], fields["CREATED_BY"], fields["AUDITORS"])


def test_a_refused_task_is_named(well: Works) -> None:
    """With the portal's reason; nothing is looked for where nothing can have been made."""
    well.portal.owner.admin = False
    well.portal.groups.clear()
    well.portal.scopes.discard("task")

    checks = probe(well)

    assert "fail" == found(checks, "probe add").status
    assert ("ok", "none was made") == (found(checks, "probe task").status, found(checks, "probe task").detail)


def test_without_an_answer_of_the_portal_there_is_no_task(well: Works) -> None:
    """The portal's own line says why."""
    well.portal.faults.add(Fault("html", times=99))

    checks = probe(well)

    assert ("fail", "not made: the portal did not answer what was asked before") == (
        found(checks, "probe task").status,
        found(checks, "probe task").detail,
    )
    assert [] == well.portal.writes()
