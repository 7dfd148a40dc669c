"""What a portal dropped of a task is seen in its answer, whatever its plan, its shapes and its zone."""

from __future__ import annotations

from contextlib import closing
from typing import Any

import pytest

from b24tools.bitrix24.dropped_fields import dropped_fields
from b24tools.sandbox.php import camel
from b24tools.store import open_store
from tests.support.orders import MONDAY, Works

SENT: dict[str, Any] = {
    "TITLE": "Сварщик: 42",
    "XML_ID": "1c:key",
    "GROUP_ID": 5,
    "RESPONSIBLE_ID": 7,
    "CREATED_BY": 3,
    "AUDITORS": [9],
    "ACCOMPLICES": [11, 12],
    "ALLOW_TIME_TRACKING": "Y",
    "TIME_ESTIMATE": 3600,
    "START_DATE_PLAN": "2026-11-23T09:00:00+03:00",
    "END_DATE_PLAN": "2026-11-23T10:00:00+03:00",
    "DEADLINE": "2026-11-25T19:00:00+03:00",
}
MADE: dict[str, Any] = {
    "id": "1",
    "xmlId": "1c:key",
    "groupId": "5",
    "responsibleId": "7",
    "createdBy": "3",
    "auditors": ["9"],
    "accomplices": {"0": "12", "3": "11"},
    "allowTimeTracking": "Y",
    "timeEstimate": "3600",
    "startDatePlan": "2026-11-23T11:00:00+05:00",
    "endDatePlan": "2026-11-23T12:00:00+05:00",
    "deadline": "2026-11-25T21:00:00+05:00",
}


@pytest.mark.parametrize(
    ("made", "dropped"),
    [
        ({}, []),
        ({"groupId": "0"}, ["GROUP_ID"]),
        ({"groupId": None}, ["GROUP_ID"]),
        ({"auditors": []}, ["AUDITORS"]),
        ({"auditors": ["9", "3"]}, []),
        ({"accomplices": ["11"]}, ["ACCOMPLICES"]),
        ({"accomplices": False, "auditors": None}, ["AUDITORS", "ACCOMPLICES"]),
        ({"allowTimeTracking": "N", "timeEstimate": "0"}, ["ALLOW_TIME_TRACKING", "TIME_ESTIMATE"]),
        ({"timeEstimate": None}, ["TIME_ESTIMATE"]),
        ({"responsibleId": "1", "createdBy": "1"}, ["RESPONSIBLE_ID", "CREATED_BY"]),
        ({"startDatePlan": None, "endDatePlan": "0000-00-00 00:00:00"}, ["START_DATE_PLAN", "END_DATE_PLAN"]),
        ({"startDatePlan": "2026-11-24T11:00:00+05:00"}, []),
        ({"deadline": "2026-11-28T21:00:00+05:00"}, ["DEADLINE"]),
        ({"deadline": None}, ["DEADLINE"]),
        ({"deadline": "2026-11-25T22:00:00+05:00"}, []),
    ],
    ids=str,
)
def test_what_is_not_there_is_named(made: dict[str, Any], dropped: list[str]) -> None:
    """Ids come as text, lists as objects, moments in other zones; the scheduler may move a plan."""
    assert dropped == dropped_fields(SENT, MADE | made)


def test_what_was_sent_empty_or_is_not_answered_is_not_judged() -> None:
    """An update sends few fields, an older portal answers with fewer."""
    assert [] == dropped_fields(SENT, {"id": "1"})
    assert [] == dropped_fields({"AUDITORS": [], "DEADLINE": "", "GROUP_ID": None, "CREATED_BY": 0}, {"deadline": None})
    assert [] == dropped_fields({"ALLOW_TIME_TRACKING": "N"}, {"allowTimeTracking": "N"})


@pytest.mark.parametrize("value", [None, False, 99, "", "9999-12-31", [], ["x", None, []], {"0": {}}, {}], ids=str)
def test_no_shape_of_an_answer_stops_it(value: Any) -> None:
    """Whatever the portal says, it is read, and is not what was sent."""
    assert set(MADE) - {"id", "xmlId"} == {camel(name) for name in dropped_fields(SENT, dict.fromkeys(MADE, value))}


def test_a_run_remembers_what_was_dropped_and_forgets_what_came_back(works: Works) -> None:
    """A larger plan takes what a small one dropped; what was not sent says nothing."""
    with closing(open_store(None)) as opened:
        opened.people.save_last_read("people", MONDAY)

        opened.notices.note_dropped(["GROUP_ID", "AUDITORS"], ["GROUP_ID", "AUDITORS", "DEADLINE"], MONDAY)
        assert {"AUDITORS": MONDAY, "GROUP_ID": MONDAY} == opened.notices.dropped_fields()

        later = works.clock.now.replace(hour=23)
        opened.notices.note_dropped(["GROUP_ID"], ["GROUP_ID", "TITLE"], later)
        assert {"AUDITORS": MONDAY, "GROUP_ID": later} == opened.notices.dropped_fields()

        opened.notices.note_dropped([], ["GROUP_ID", "AUDITORS"], later)
        assert {} == opened.notices.dropped_fields()
        assert MONDAY == opened.people.last_read("people", MONDAY)
