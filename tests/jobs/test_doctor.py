"""`doctor` on a plant with each thing broken in turn: it names the thing and the mend, and changes nothing."""

from __future__ import annotations

import getpass
import hashlib
import os
import sqlite3
from collections.abc import Callable
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import trustme

from b24tools.bitrix24 import queries
from b24tools.core import certificates, config, errors
from b24tools.jobs.doctor import job, machine, webhook
from b24tools.jobs.doctor.checks import Checks, Examination, Finding, Need, Report, warn
from b24tools.onec import order as onec_order
from b24tools.sandbox import demo_company
from b24tools.sandbox.faults import Fault
from b24tools.scheduling.calendar import DayRule
from b24tools.scheduling.calendar_file import OwnDays
from b24tools.store import Store, inspection
from b24tools.store.events import NewEvent
from tests.support.doctor import HOST, USUAL, database, examine, found, make_well, not_ok, prepare, take_snapshot
from tests.support.orders import MOSCOW, Works, order
from tests.support.rights import forbid

Break = Callable[[Works], Any]


@pytest.fixture
def well(works: Works) -> Works:
    """A plant where nothing is to be mended."""
    make_well(works)
    return works


def test_all_is_well_in_two_requests(well: Works) -> None:
    """Every check has its line, none asks for anything, and nothing was written to the portal."""
    checks = examine(well)

    names = [check.check for check in checks]
    silent = {"database_clock", "env_file", "setting", "ownership", "restored", "dropped_fields", "scopes", "position"}
    silent |= {
        "excluded_users",
        "hidden_users",
        "opted_out_users",
        "fallback_user",
        "inbox",
        "missed_events",
        "backup",
        "network_share",
    }
    silent |= {"people_file", "people_hours", "people_names"}
    assert {} == not_ok(checks)
    assert {check.name for check in job.CHECKS} - silent == {name.partition(" ")[0] for name in names}
    assert len(names) == len(set(names))
    assert {""} == {check.fix for check in checks}
    assert 2 == len(well.portal.log)
    assert [] == well.portal.writes()


def test_the_database_stays_as_it_was(well: Works) -> None:
    """To the last byte, and no file comes or goes beside it."""
    well.assign(order())

    def state() -> dict[str, str]:
        return {
            str(path): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(well.folder.rglob("*"))
            if path.is_file()
        }

    before = state()
    examine(well)

    assert before == state()


def test_it_looks_while_others_write(well: Works) -> None:
    """A run that holds the lock and a transaction does not stop it."""
    with well.tools() as tools, tools.lock, tools.store.transaction():
        assert {} == not_ok(examine(well))


def test_a_folder_that_is_not_there_is_not_made(works: Works) -> None:
    """Local checks and those of the portal run all the same."""
    checks = examine(works)

    assert not works.folder.exists()
    assert "not there yet" in found(checks, "data_folder").detail
    assert "not there yet" in found(checks, "database").detail


def _rename(name: str, new: str) -> Break:
    return lambda works: setattr(demo_company.department(works.portal, name), "name", new)


def _no_people(works: Works) -> None:
    for user in works.portal.users.values():
        if user.position == "Поклейщик":
            user.active = False


def _not_admin(works: Works) -> None:
    works.portal.owner.admin = False


def _fault(**values: Any) -> Break:
    return lambda works: works.portal.faults.add(Fault(**{"times": 99, **values}))


def _two_groups(works: Works) -> None:
    works.portal.add_group("Задачи из 1с", 1)


def _close_groups(works: Works) -> None:
    for group in works.portal.groups.values():
        group.closed = True


def _leave_group(works: Works) -> None:
    _not_admin(works)
    works.portal.groups[1].members.discard(1)


def _no_storage(works: Works) -> None:
    works.portal.disk.storages.clear()


def _no_exclusions_known(works: Works) -> None:
    works.portal.schedules[1]["CALENDAR"]["EXCLUSIONS"] = [{"date": "soon"}]


def _based_on_another(works: Works) -> None:
    works.portal.schedules[1]["CALENDAR"]["PARENT_CALENDAR_ID"] = 7


def _flexible(works: Works) -> None:
    works.portal.schedules[1]["SCHEDULE_TYPE"] = "FLEXTIME"


def _two_shifts(works: Works) -> None:
    schedule = works.portal.add_schedule(8, 16, kind="SHIFT")
    schedule["SHIFTS"].append(schedule["SHIFTS"][0] | {"WORK_TIME_START": 57600, "WORK_TIME_END": 82800})


def _clock_off(seconds: float) -> Break:
    def shift(works: Works) -> None:
        now = works.clock.now
        works.portal.now = lambda: now + timedelta(seconds=seconds)

    return shift


def _own_zone(name: str) -> Break:
    return lambda works: setattr(works.portal.owner, "time_zone", name)


def _no_schedule(works: Works) -> None:
    works.portal.schedules.clear()


def _move(works: Works) -> None:
    works.portal.moved_to = "https://new.example"


def _drop_keys(works: Works) -> None:
    works.portal.keep_xml_id = False


def _dismiss_owner(works: Works) -> None:
    works.portal.owner.active = False


def _user_brief(works: Works) -> None:
    works.portal.scopes |= {"user_brief"}
    works.portal.scopes.discard("user")


@pytest.mark.parametrize(
    ("break_it", "name", "status", "detail", "fix"),
    [
        (_not_admin, "owner", "fail", "Алексей Админов (#1) is no administrator", "an administrator create"),
        (_rename("Производство", "Производство и склад"), "department", "fail", "no department", "и склад"),
        (_rename("Цех", "Макетчик"), "same_names", "warn", "Макетчик (#5, #6)", "Исполнитель"),
        (_no_people, "people", "warn", "no active people in Поклейщик (#11)", "B24_FALLBACK_USER"),
        (_two_groups, "group", "warn", "(#1); others of that name: #3", "B24_GROUP to the id"),
        (_close_groups, "group", "fail", "is archived", "out of the archive"),
        (lambda works: works.portal.groups.clear(), "group", "warn", "the first order makes it", "by hand"),
        (_leave_group, "group", "fail", "may not make tasks there", "a member of the project"),
        (_no_storage, "folder", "fail", "no common storage", "the company drive"),
        (
            lambda works: works.portal.schedules.clear(),
            "schedule",
            "warn",
            "schedule 1 is not there",
            "B24_SCHEDULE_ID",
        ),
        (_not_admin, "schedule", "warn", "may not be read", "an administrator's webhook"),
        (_flexible, "schedule", "warn", "FLEXTIME: no hours to plan by", "fixed hours"),
        (_two_shifts, "schedule", "warn", "several shifts a day", "Correct the schedule"),
        (_no_exclusions_known, "exclusions", "warn", "cannot be read: they are planned", "Mark them again"),
        (_based_on_another, "exclusions", "warn", "the calendar it is based on", "holidays in the schedule itself"),
        (_clock_off(100), "clock", "warn", "the portal is ahead of this machine by 1 min", "NTP"),
        (_clock_off(-3600), "clock", "fail", "this machine is ahead of the portal by 1 h", "NTP"),
        (
            _own_zone("Asia/Yekaterinburg"),
            "zones",
            "warn",
            "in Asia/Yekaterinburg (from: the profile of the webhook's owner); B24_TZ Europe/Moscow, server +03:00",
            "Set B24_TZ",
        ),
        (_user_brief, "scope user", "warn", "only user_brief", "tick “user”"),
        (_fault(kind="unreachable"), "portal", "fail", "cannot connect to portal.example", "Check the network"),
        (_fault(kind="html"), "portal", "fail", "HTTP 502", "Try again later."),
        (_fault(kind="limit"), "portal", "fail", "Too many requests", "Try again later."),
        (_fault(kind="cut_before"), "portal", "fail", "broke", "Try again later."),
        (_fault(kind="overload"), "portal", "fail", "OVERLOAD_LIMIT", "support"),
        (_fault(kind="operating", method="timeman.schedule.get"), "schedule", "fail", "time limit", "later"),
        (
            lambda works: setattr(works.portal, "moved_to", "https://new.example"),
            "portal",
            "fail",
            "new.example",
            "BITRIX",
        ),
        (lambda works: setattr(works.portal, "believes_http", True), "portal", "fail", "Https required", "TLS proxy"),
        (_dismiss_owner, "webhook", "fail", "user 1; the portal refuses it: Unable to auth", "its owner was dismissed"),
        (
            lambda works: setattr(works.portal, "keep_xml_id", False),
            "keys",
            "warn",
            "XML_ID is ignored",
            "the database",
        ),
    ],
)
def test_what_is_broken_on_the_portal_is_named(
    well: Works, break_it: Break, name: str, status: str, detail: str, fix: str
) -> None:
    """With what to do about it; a portal that gives no answer is one line."""
    break_it(well)

    check = found(examine(well), name)

    assert status == check.status
    assert detail in check.detail
    assert fix in check.fix


def test_a_webhook_that_the_portal_does_not_know_is_named(well: Works) -> None:
    """Deleted, or copied wrongly; the secret is not shown."""
    checks = examine(well, webhook_url=f"https://{HOST}/rest/1/wrongsecret/")
    check = found(checks, "webhook")

    assert {"webhook": "fail"} == not_ok(checks)
    assert "INVALID_CREDENTIALS" in check.detail
    causes = ("it was deleted", "edited by another administrator", "its date has passed", "its owner was dismissed")
    assert [] == [cause for cause in causes if cause not in check.fix]
    assert "wrongsecret" not in check.detail + check.fix


@pytest.mark.parametrize(
    ("scope", "status"),
    [
        *((name, "fail") for name in ("task", "user", "department", "sonet_group", "disk")),
        *((name, "warn") for name in ("timeman", "calendar")),
    ],
)
def test_a_missing_scope_is_told_once(well: Works, scope: str, status: str) -> None:
    """What cannot be looked at without it has no line of its own, and nobody is accused of what is not seen."""
    well.assign(order())
    well.portal.scopes.discard(scope)

    checks = examine(well, route=("Сварщик",), fallback_user=3)

    assert {f"scope {scope}": status} == not_ok(checks)
    assert "missing; " in found(checks, f"scope {scope}").detail
    assert f"tick “{scope}”" in found(checks, f"scope {scope}").fix


@pytest.mark.parametrize(
    ("method", "check"), [("user.get", "people"), ("department.get", "department"), ("profile", "owner")]
)
def test_a_refusal_is_told_once(well: Works, method: str, check: str) -> None:
    """By the first check that meets it, though many others need that answer, too."""
    well.portal.faults.add(Fault("error", method=method, times=99, code="INTERNAL_SERVER_ERROR", description="Broken"))

    assert [check] == [name for name, status in not_ok(examine(well)).items() if status == "fail"]


def test_a_new_check_is_one_function(well: Works, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it needs rides in the batches that are sent anyway; without it the check is left out."""
    first = Need(lambda batch, _exam: batch.add(queries.task(1, ("ID", "TITLE"))))
    later = Need(lambda batch, exam: batch.add(queries.task(int(exam[first].value["id"]) + 1, ("ID",))), late=True)
    checks = Checks(lambda: "New things")

    @checks.add("second_task", lambda: "the second task", first, later)
    def check_second_task(exam: Examination) -> Finding:
        return warn("{first} comes before {later}", "swap {first}", about="b", first="1", later=exam[later].value["id"])

    monkeypatch.setattr(job, "CHECKS", [*job.CHECKS, *checks])
    findings = examine(well)

    expected = Report("warn", "1 comes before 2", "swap 1", "b", "second_task b", "the second task b", "New things")
    assert expected == findings[-1]
    assert 2 == len(well.portal.log)
    well.portal.faults.add(Fault("unreachable", times=99))
    assert "second_task b" not in not_ok(examine(well))


def test_names_may_have_braces(well: Works) -> None:
    """They are names, not places to put something."""
    demo_company.department(well.portal, "Производство").name = "Цех {0}"

    findings = examine(well, department="Цех {0}", group="{group}", folder="{folder}", route=("{position}",))

    assert "fail" == found(findings, "position {position}").status
    assert "“{group}” is not there" in found(findings, "group").detail
    assert "“{folder}” is not there" in found(findings, "folder").detail
    assert "Цех {0} (#4), 7 departments below it" == found(findings, "department").detail


def test_a_webhook_that_outlived_its_owner_is_named(well: Works) -> None:
    """The id in its address is no longer whose it is; with somebody to create tasks instead it only warns."""
    user = well.portal.dismiss_owner()
    check = found(examine(well), "owner")
    softened = found(examine(well, fallback_user=3), "owner")
    user.admin = False
    powerless = found(examine(well, fallback_user=3), "owner")

    assert ("fail", "warn", "fail") == (check.status, softened.status, powerless.status)
    lives_on = f"the webhook's owner was dismissed, and it lives on as the invisible user #{user.id}: tasks that he "
    assert f"{lives_on}creates belong to no person" == check.detail == powerless.detail
    assert "Let an active administrator create the webhook anew" in check.fix
    assert "set B24_FALLBACK_USER" in check.fix
    assert f"{check.detail}; user 3 of B24_FALLBACK_USER creates them instead" == softened.detail


@pytest.mark.long
def test_a_login_in_the_address_is_no_other_owner(well: Works) -> None:
    """Unless the portal shows no such person; in a large company he is asked for by his id."""
    url = f"https://{HOST}/rest/admin/{well.portal.secret}/"
    assert "ok" == found(examine(well, webhook_url=url), "owner").status

    for number in range(400):
        well.portal.add_user("Имя", f"Фамилия{number}", departments=[1])
    owner = well.portal.users.pop(1)
    owner.id = well.portal.owner_id = 9999
    well.portal.users[9999] = owner
    assert "ok" == found(examine(well, webhook_url=url), "owner").status

    owner.departments = []
    assert "fail" == found(examine(well, webhook_url=url), "owner").status


def test_the_zone_in_force_is_shown(well: Works) -> None:
    """The offset of a task's date decides, not the profile; where no named zone has it, that is a warning."""
    well.portal.owner.time_zone = "Asia/Omsk"
    well.portal.use_time_zones = False
    assert (
        "ok",
        "dates are read in Europe/Moscow (from: B24_TZ, and the portal's offset agrees); B24_TZ Europe/Moscow, "
        "server +03:00",
    ) == (found(examine(well), "zones").status, found(examine(well), "zones").detail)

    well.portal.server_zone = ZoneInfo("Asia/Vladivostok")
    check = found(examine(well), "zones")
    assert "warn" == check.status
    assert check.detail.startswith("dates are read in UTC+10:00 (from: the offset of the tasks' dates); B24_TZ")
    assert "neither the profile of the webhook's owner (Asia/Omsk) nor B24_TZ (Europe/Moscow)" in check.detail


def test_what_the_portal_drops_is_shown(well: Works) -> None:
    """With the day on which an order showed it, until an order shows that it is there."""
    well.portal.small_tariff = True
    well.assign(order(manager="Авдеев Борис"))

    check = found(examine(well), "dropped_fields")
    assert "warn" == check.status
    assert (
        "the portal drops ALLOW_TIME_TRACKING, AUDITORS, GROUP_ID from new tasks without an error (seen 23.11.2026): "
        "its plan has none of that"
    ) == check.detail

    well.portal.small_tariff = False
    well.assign(order(id="2", manager="Авдеев Борис"))
    assert {} == not_ok(examine(well))


def test_a_restored_database_is_a_line_until_older_weeks_were_collected(well: Works) -> None:
    """It names the command that brings the closed tasks back."""
    well.assign(order())
    (well.folder / "b24tools.saves").write_text("1000")
    well.assign(order())

    check = found(examine(well), "restored")
    assert ("warn", "on 23.11.2026 the database was older than the portal's tasks: it was restored, or lost") == (
        check.status,
        check.detail,
    )
    assert "`b24tools snapshot --since 2026-10-23`" in check.fix

    week = well.clock() - timedelta(days=21)
    with well.tools() as tools:
        run = tools.store.snapshot_runs.begin(week, week + timedelta(days=7), well.clock(), admin=True)
        tools.store.snapshot_runs.finish(run, well.clock(), complete=True)
    assert {} == not_ok(examine(well))


@pytest.mark.parametrize("break_it", [_fault(kind="unreachable"), _move])
def test_a_portal_that_is_away_leaves_the_rest(well: Works, break_it: Break) -> None:
    """One line for it; all that is known here is there."""
    break_it(well)

    checks = examine(well)

    assert {"portal": "fail"} == not_ok(checks)
    assert "portal" == checks[-1].check
    assert {"This machine", "The portal"} == {check.section for check in checks}


@pytest.mark.parametrize(("store", "status"), [("/etc/ssl/cert.pem", "ok"), (certificates.CERTIFI, "warn")])
def test_the_store_that_vouches_is_named(
    store: str, status: str, works: Works, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The system's, with the bundle; certifi's list instead wants a look."""
    monkeypatch.setattr(certificates, "name_store", lambda: store)
    bundle = works.folder.parent / "ca.pem"
    trustme.CA().cert_pem.write_to_path(str(bundle))

    portal = found(examine(works, ca_bundle=bundle), "portal")

    assert status == portal.status
    assert portal.detail.endswith(f"; for its certificate vouches {store}, {bundle}")


def test_what_fails_in_the_middle_leaves_the_first_answers(well: Works) -> None:
    """The second batch is refused: the line says so, and what the first one told is shown."""
    well.portal.faults.add(Fault("overload", method="calendar.accessibility.get", times=99))

    checks = examine(well)

    assert {"portal": "fail"} == not_ok(checks)
    assert "16 people can be given work" == found(checks, "people").detail
    assert "absences" not in {check.check for check in checks}


def test_people_who_should_perhaps_get_no_work_are_listed(works: Works) -> None:
    """Who heads a department, who never logged in; with commands that add these to the others."""
    with database(works) as opened:
        opened.settings.save("excluded_users", "7")

    checks = examine(works)

    assert "Роман Морозов (#13, Монтажник)" in found(checks, "heads").detail
    assert "excluded_users add 13`" in found(checks, "heads").fix
    assert "Лев Фомин (#22)" in found(checks, "logins").detail
    assert "excluded_users add 22`" in found(checks, "logins").fix


def test_a_portal_that_shows_no_logins_accuses_nobody(well: Works) -> None:
    """With a narrow scope LAST_LOGIN is missing for everybody."""
    for user in well.portal.users.values():
        user.last_login = None

    assert "does not show" in found(examine(well), "logins").detail


@pytest.mark.parametrize(
    ("setting", "value", "status", "detail"),
    [
        ("excluded_users", "3,999", "warn", "user 999 does not exist"),
        ("hidden_users", "21", "warn", "Олег Ушаков (#21) is dismissed"),
        ("hidden_users", "3", "ok", "Борис Авдеев (#3)"),
    ],
)
def test_people_named_by_id_exist(well: Works, setting: str, value: str, status: str, detail: str) -> None:
    """Those of the running settings."""
    with database(well) as opened:
        opened.settings.save(setting, value)

    check = found(examine(well), setting)

    assert (status, detail) == (check.status, check.detail)


@pytest.mark.parametrize(("user", "status"), [(3, "ok"), (21, "fail"), (999, "fail")])
def test_the_fallback_works_there(well: Works, user: int, status: str) -> None:
    """Work given to somebody dismissed would lie there."""
    assert status == found(examine(well, fallback_user=user), "fallback_user").status


def test_positions_of_past_orders_have_departments(well: Works) -> None:
    """`Печатник/плотер` without a department: the nearest name; with a fallback it only warns."""
    well.assign(order([("Печатник/плотер", 30), ("Сварщик", 30)]))
    assert "Печатник/плотер, Сварщик" in found(examine(well), "positions").detail
    _rename("Печатник/плотер", "Печатник плоттер")(well)

    check = found(examine(well), "position Печатник/плотер")
    softened = found(examine(well, fallback_user=3), "position Печатник/плотер")

    assert ("fail", "warn") == (check.status, softened.status)
    assert "the nearest is “Печатник плоттер”" in check.detail
    assert "set B24_FALLBACK_USER" in check.fix
    assert "user 3 of B24_FALLBACK_USER gets the work" in softened.detail


def test_positions_of_the_route_have_departments(well: Works) -> None:
    """A misspelt one would never begin."""
    assert "Сварщик" in found(examine(well, route=("Сварщикк",)), "position Сварщикк").detail


def test_a_folder_or_project_given_by_id_exists(well: Works) -> None:
    """Else no task and no file can be put there."""
    assert {"group": "fail", "folder": "fail"} == not_ok(examine(well, group="99", folder="99999"))


def test_a_folder_that_is_missing_is_made_later(well: Works) -> None:
    """That is said, and no more; a file of that name is in the way."""
    assert "warn" == found(examine(well, folder="Чертежи"), "folder").status
    root = next(storage.root for storage in well.portal.disk.storages.values() if storage.entity_type == "common")
    well.portal.add_file(root, "Чертежи", b"1")
    assert "is a file" in found(examine(well, folder="Чертежи"), "folder").detail


def test_keys_that_the_portal_kept_are_found(well: Works) -> None:
    """The last order's task is asked for by its key: the surest sign; when it is deleted it is missed."""
    (sent,) = well.assign(order())
    assert "came by its key" in found(examine(well), "keys").detail

    well.portal.act("tasks.task.delete", {"taskId": sent.tasks[0].task_id})

    assert "warn" == found(examine(well), "keys").status


def test_a_company_of_hundreds_is_read_by_its_departments(well: Works) -> None:
    """Production is all there, and it took one batch more."""
    office = demo_company.department(well.portal, "Офис").id
    welders = demo_company.department(well.portal, "Сварщик").id
    for number in range(400):
        well.portal.add_user("Имя", f"Офисный{number}", departments=[office])
    late = well.portal.add_user("Имя", "Последний", departments=[welders], last_login=None)

    checks = examine(well)

    assert f"Имя Последний (#{late.id})" in found(checks, "logins").detail
    assert "17 people" in found(checks, "people").detail
    assert 2 == len(well.portal.log)


@pytest.mark.parametrize(
    ("url", "status", "detail"),
    [
        ("https://portal.example/rest/1/abc/profile.json", "warn", "the method of the example"),
        ("http://portal.example/rest/1/abc/", "warn", "in clear"),
        ("http://127.0.0.1:8024/rest/1/abc/", "ok", "http://127.0.0.1:8024, user 1"),
        ("  https://portal.example/rest/1/abc/  ", "ok", "https://portal.example, user 1"),
        ("https://portal.example/rest/1/ab c/", "fail", "blanks"),
        ("portal.example/rest/1/abc/", "fail", "https://"),
        ("https://portal.example/company/", "fail", "the address of a page"),
        ("https://portal.example/rest/anna/abc/", "fail", "no user's number"),
    ],
)
def test_the_form_of_the_webhook_is_looked_at(works: Works, url: str, status: str, detail: str) -> None:
    """Without the network, and without showing the secret."""
    check = webhook.check_address(prepare(works, webhook_url=url))

    assert status == check.status
    assert detail in check.detail
    assert "abc" not in check.detail + check.fix


def test_without_a_webhook_the_rest_is_looked_at(well: Works) -> None:
    """One line fails, with the mend."""
    checks = examine(well, webhook_url=None)

    assert {"webhook": "fail"} == not_ok(checks)
    assert "BITRIX_WEBHOOK_URL is not set" == found(checks, "webhook").detail
    assert "Run `b24tools init`" in found(checks, "webhook").fix
    assert [] == well.portal.log


def test_another_portal_is_noticed(well: Works) -> None:
    """The database's ids mean nothing there."""
    with database(well) as opened:
        opened.settings.save("portal_host", "old.example")

    check = found(examine(well), "portal_host")

    assert "fail" == check.status
    assert f"old.example, but the webhook leads to {HOST}" in check.detail
    assert f"config portal_host {HOST}" in check.fix


@pytest.mark.parametrize(("hours", "status"), [(1, "ok"), (3, "fail")])
def test_the_age_of_the_last_snapshot_is_told(works: Works, hours: int, status: str) -> None:
    """Against `snapshot_max_age_h`."""
    with database(works) as opened:
        take_snapshot(works, opened, 24 + hours)

    check = found(examine(works), "snapshot")

    assert status == check.status
    assert f", 1 day {hours} h ago (mode" in check.detail


def test_no_snapshot_at_all_only_warns(works: Works) -> None:
    """Whoever only sends orders needs none."""
    with database(works):
        pass

    check = found(examine(works), "snapshot")

    assert "warn" == check.status
    assert "b24tools snapshot" in check.fix


def test_a_snapshot_of_the_future_is_told(works: Works) -> None:
    """Its age is unknown; one that can be dated stands before it."""
    with database(works) as opened:
        take_snapshot(works, opened, -400 * 24)
    check = found(examine(works), "snapshot")
    assert ("fail", True) == (check.status, "dated in the future" in check.detail)

    with database(works) as opened:
        take_snapshot(works, opened, 1)
    assert "ok" == found(examine(works), "snapshot").status


def test_orders_of_unknown_fate_are_named(well: Works) -> None:
    """Those of a run that was cut, and those whose answer never came."""
    well.assign(order())
    with database(well) as opened:
        opened.orders.save("22", "1Ц-00000101", well.clock.now)
        opened.orders.mark_sent(opened.orders.lines([order().id]), well.clock.now)

    check = found(examine(well), "orders")

    assert "warn" == check.status
    assert {"1Ц-00000100", "1Ц-00000101"} == set(check.detail.rpartition(": ")[2].split(", "))


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({}, [("ok", "{folder}: 0 orders wait")]),
        ({"a.json": 59, "b.JSON": -300, "c.JSON.gz": 1, ".d": 9}, [("ok", "{folder}: 3 orders wait")]),
        (
            {"a.xml": 900, "done": 1, "b.json.tmp": 1},
            [
                ("ok", "{folder}: 0 orders wait"),
                ("warn", "{folder}: no orders, never taken: a.xml, b.json.tmp, done, gone.json, sub"),
            ],
        ),
        ({"a.json": 61}, [("fail", "{folder}: 1 order waits, the oldest since {moment}")]),
        ({"failed/a.json": 900, "failed/a.json.txt": 900}, [("warn", "{folder}: 1 bad order")]),
    ],
)
def test_orders_that_wait_in_the_inbox_are_told(
    well: Works, tmp_path: Path, files: dict[str, int], expected: list[tuple[str, str]]
) -> None:
    """How long, and how many are bad; a folder that is gone is left out."""
    folder = tmp_path / "orders"
    (folder / "failed").mkdir(parents=True)
    with database(well) as opened:
        for path in (folder, tmp_path / "gone"):
            opened.notices.remember_inbox(path, well.clock.now)
    if "done" in files:
        (folder / "sub").mkdir()
        (folder / "gone.json").symlink_to("nowhere")
    for name, minutes in files.items():
        (folder / name).write_text("{}", encoding="utf-8")
        os.utime(folder / name, (well.clock.now.timestamp() - minutes * 60,) * 2)
    seen = [(check.status, check.detail) for check in examine(well) if check.check == "inbox"]
    moment = (well.clock.now - timedelta(minutes=61)).astimezone(MOSCOW)
    texts = [(status, text.format(folder=folder, moment=f"{moment:%d.%m.%Y %H:%M}")) for status, text in expected]
    assert texts == seen


def _keep_event(works: Works, opened: Store, status: str, minutes_ago: float) -> None:
    at = works.clock.now - timedelta(minutes=minutes_ago)
    opened.events.add([NewEvent(at, "ONTASKUPDATE", 5, "body", None)])
    if status == "failed":
        with opened.transaction():
            opened.events.fail(5, 99, "no", None)


@pytest.mark.parametrize(
    ("status", "minutes", "expected", "fix"),
    [("waiting", 10, "ok", ""), ("waiting", 20, "fail", "b24tools serve"), ("failed", 5, "warn", "replay --failed")],
)
def test_events_that_wait_or_fail_are_told(well: Works, status: str, minutes: float, expected: str, fix: str) -> None:
    """With who follows them, or how to try them again."""
    with database(well) as opened:
        opened.settings.save("producer_mode", "webhook")
        _keep_event(well, opened, status, minutes)

    check = found(examine(well), "events")

    assert expected == check.status
    assert fix in check.fix


def test_a_damaged_database_is_named(well: Works) -> None:
    """And nothing is asked of it."""
    path = well.folder / "b24tools.db"
    content = bytearray(path.read_bytes())
    content[4096 : 4096 * 5] = b"x" * 4096 * 4
    path.write_bytes(content)

    assert "fail" == found(examine(well), "database").status
    path.write_bytes(b"no database at all, but a letter" * 100)
    assert "is damaged" in found(examine(well), "database").detail


@pytest.mark.parametrize(("missed", "expected"), [(None, None), (4, "ok"), (5, "warn")])
def test_changes_without_an_event_are_counted(well: Works, missed: int | None, expected: str | None) -> None:
    """In webhook mode, where a run has counted them; one in a hundred is no reason to look."""
    with database(well) as opened:
        opened.settings.save("producer_mode", "webhook")
        run = opened.snapshot_runs.last_complete(well.clock.now)
        assert run is not None
        sql = "UPDATE snapshot_runs SET changes = 412, missed = ? WHERE id = ?"
        opened.database.execute(sql, [missed, run.id])

    checks = [check for check in examine(well) if check.check == "missed_events"]

    assert [expected] * (expected is not None) == [check.status for check in checks]
    assert all(f"{missed} of 412 changes came without an event" in check.detail for check in checks)


def test_a_database_of_another_version_is_named(well: Works) -> None:
    """An older one is read in a copy and stays old; a newer one is not touched."""
    path = well.folder / "b24tools.db"
    with sqlite3.connect(path) as connection:
        connection.execute("DROP TABLE events")
        connection.execute("DELETE FROM _sqlite_migrations WHERE name = 'm003_events'")
    connection.close()
    assert "of an older b24tools" in found(examine(well), "database").detail
    assert "ok" == found(examine(well), "events").status

    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE _sqlite_migrations SET name = 'm999_later' WHERE name = 'm002_history'")
    connection.close()
    assert "by a newer b24tools" in found(examine(well), "database").detail


def test_a_database_that_may_only_be_read_is_read_as_it_stands(well: Works, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without leaving a log of SQLite's beside it, which its owner might not be able to use; what it says is told."""
    monkeypatch.setattr(inspection, "_is_writable", lambda _path: False)

    checks = examine(well)

    assert {"database": "fail"} == not_ok(checks)
    assert "can be read, but not written" in found(checks, "database").detail
    assert ["b24tools.db"] == [path.name for path in well.folder.iterdir()]


def test_a_database_that_cannot_be_opened_leaves_the_rest(well: Works) -> None:
    """A folder in its place; the other checks do without it."""
    (well.folder / "b24tools.db").unlink()
    (well.folder / "b24tools.db").mkdir()

    assert {"database": "fail"} == not_ok(examine(well))


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="needs rights that can be taken away")
def test_a_folder_that_nobody_may_enter_is_named(well: Works) -> None:
    """What cannot even be looked for is no traceback."""
    well.folder.chmod(0)
    try:
        assert {"data_folder": "fail", "database": "fail"} == not_ok(examine(well))
    finally:
        well.folder.chmod(0o700)


def test_what_this_user_cannot_get_at_is_named(well: Works, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the folder and the certificates in root's home, for the user of cron; the other checks go on."""
    closed = tmp_path / "closed"
    closed.mkdir()
    forbid(monkeypatch, closed)

    checks = examine(well, data_dir=closed / "data", ca_bundle=closed / "ca.pem")

    assert {"setting B24_CA_BUNDLE": "fail", "data_folder": "fail", "database": "fail"} == not_ok(checks)
    user = getpass.getuser()
    assert (
        f"{closed / 'ca.pem'} is not there, or {user} may not read it" == found(checks, "setting B24_CA_BUNDLE").detail
    )
    assert f"{closed / 'data'}: {user} may not enter {closed}" == found(checks, "data_folder").detail


def test_a_full_disk_is_named(well: Works, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nearly full, and full."""
    usage = machine.shutil._ntuple_diskusage
    for free, status in ((machine.LITTLE_BYTES - 1, "warn"), (machine.TOO_LITTLE_BYTES - 1, "fail")):
        monkeypatch.setattr(machine.shutil, "disk_usage", lambda _path, free=free: usage(10**12, 10**12 - free, free))
        assert status == found(examine(well), "disk_space").status

    def refuse(**_options: Any) -> Any:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(machine.tempfile, "TemporaryFile", refuse)
    check = found(examine(well), "data_folder")

    assert "No space left on device" in check.detail
    assert "Make room" in check.fix


def test_a_folder_that_cannot_be_used_is_named(well: Works, tmp_path: Path) -> None:
    """One that is a file, one of another user."""
    (tmp_path / "file").write_text("")
    assert "is not a folder" in found(examine(well, data_dir=tmp_path / "file"), "data_folder").detail
    assert "fail" == found(examine(well, data_dir=tmp_path / "file" / "data"), "data_folder").status

    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o755)
    assert "`chmod 700" in found(examine(well, data_dir=tmp_path / "open"), "ownership").fix


def test_a_damaged_cache_only_warns(well: Works) -> None:
    """It is made again."""
    well.assign(order())
    assert "entries" in found(examine(well), "cache").detail
    (well.folder / "cache" / "cache.db").write_bytes(b"nonsense" * 1000)

    assert "Delete the folder" in found(examine(well), "cache").fix


@pytest.mark.parametrize(
    ("changes", "name", "status", "fix"),
    [
        (
            {"unknown": [config.Unknown("B24_DEPARTEMENT", ".env", "B24_DEPARTMENT")]},
            "setting B24_DEPARTEMENT",
            "warn",
            "Write",
        ),
        ({"unknown": [config.Unknown("B24_X", "env", None)]}, "setting B24_X", "warn", "Remove it"),
        ({"problems": [("B24_TZ", errors.ConfigError("no zone", "x"))]}, "setting B24_TZ", "fail", "X."),
        ({"problems": [("", errors.ConfigError("not UTF-8", "x"))]}, "env_file", "fail", "X."),
        ({"given": frozenset()}, "setting B24_DATA_DIR", "warn", "Write B24_DATA_DIR="),
        ({"ca_bundle": Path("/no/such.pem")}, "setting B24_CA_BUNDLE", "fail", "PEM"),
        ({"serve_token": "1234"}, "serve_token", "warn", "token_hex"),
        ({"board_token": USUAL["serve_token"]}, "serve_token", "warn", "B24_BOARD_TOKEN"),
        ({"outgoing_token": None}, "outgoing_token", "warn", "BITRIX_OUTGOING_TOKEN"),
        ({"outgoing_token": None, "serve_token": None}, "outgoing_token", "ok", ""),
        ({"requests_per_second": 50.0}, "rate", "ok", ""),
    ],
)
def test_settings_that_are_wrong_are_named(
    works: Works, changes: dict[str, Any], name: str, status: str, fix: str
) -> None:
    """With what to write instead."""
    exam = prepare(works, **changes)
    checks = [finding for check in (*machine.checks, *webhook.checks) for finding in check.run(exam)]

    check = found(checks, name)

    assert status == check.status
    assert fix in check.fix


@pytest.mark.parametrize(("host", "status"), [("plant.bitrix24.ru", "warn"), ("bitrix.plant.ru", "ok")])
def test_a_rate_that_the_cloud_refuses_is_named(works: Works, host: str, status: str) -> None:
    """An own server may allow more."""
    exam = prepare(works, burst=300, webhook_url=f"https://{host}/rest/1/abc/")

    assert status == webhook.check_rate(exam).status


def test_in_webhook_mode_the_token_must_be_set(well: Works) -> None:
    """Every event would be refused."""
    with database(well) as opened:
        opened.settings.save("producer_mode", "webhook")

    check = found(examine(well, outgoing_token=None, serve_token=None), "outgoing_token")

    assert "fail" == check.status
    assert "mode polling" in check.fix


def _tool_off(works: Works) -> None:
    works.portal.groups[1].tasks_enabled = False


@pytest.mark.parametrize(
    ("admin", "host", "name", "status", "detail"),
    [
        (True, HOST, "group_tasks", "fail", "the project's tool “Tasks” is switched off"),
        (True, "plant.bitrix24.ru", "group_tasks", "warn", "is off, or the owner is no member"),
        (False, HOST, "group", "fail", "the webhook's owner may not make tasks there"),
    ],
)
def test_a_project_without_the_task_tool_is_named(
    well: Works, admin: bool, host: str, name: str, status: str, detail: str
) -> None:
    """No order gets a task there; in the cloud the portal refuses an administrator for another reason, too."""
    _tool_off(well)
    well.portal.owner.admin = admin

    check = found(examine(well, webhook_url=well.portal.webhook_url(f"https://{host}")), name)

    assert (status, True) == (check.status, detail in check.detail)
    assert "“Tasks”" in check.fix
    assert "failed" == well.assign(order(), non_admin=True)[0].outcome


def _midnight(day: str) -> int:
    return int(datetime.fromisoformat(f"{day}T00:00:00+03:00").timestamp())


@pytest.mark.parametrize(
    ("dates", "status", "detail"),
    [
        ({}, "ok", "the project has no end date"),
        ({"date_finish": "2026-11-22"}, "fail", "the project ended on 22.11.2026: every task is refused"),
        (
            {"date_finish": "2026-11-23"},
            "warn",
            "the project ends on 23.11.2026: tasks that are planned or wanted later",
        ),
        ({"date_finish": "2027-02-21"}, "warn", "the project ends on 21.02.2027"),
        ({"date_finish": "2027-02-23"}, "ok", "the project ends on 23.02.2027"),
        ({"date_start": "2026-11-24"}, "fail", "the project begins on 24.11.2026: tasks before are refused"),
        ({"date_start": "2026-11-23", "date_finish": "2027-12-31"}, "ok", "the project ends on 31.12.2027"),
    ],
)
def test_a_project_with_dates_is_named(well: Works, dates: dict[str, str], status: str, detail: str) -> None:
    """As far ahead as plans are made; the last day is a part of it. What fails, fails for every order."""
    well.portal.scopes.add("socialnetwork")
    for name, day in dates.items():
        setattr(well.portal.groups[1], name, _midnight(day))

    check = found(examine(well), "group_dates")

    assert (status, detail) == (check.status, check.detail[: len(detail)])
    assert ("" if status == "ok" else "Change the project's dates in its settings, or remove them.") == check.fix
    assert (status == "fail") == (well.assign(order())[0].outcome == "failed")


def test_dates_that_do_not_count_or_are_not_shown_are_no_fault(well: Works) -> None:
    """A workgroup has none; without the scope they cannot be seen, which is said."""
    well.portal.groups[1].date_finish = _midnight("2026-11-01")
    hidden = found(examine(well), "group_dates")
    well.portal.scopes.add("socialnetwork")
    well.portal.groups[1].project = False

    assert ("ok", True) == (hidden.status, "the scope “socialnetwork”" in hidden.detail)
    assert "the project has no end date" == found(examine(well), "group_dates").detail


def test_mandatory_custom_fields_are_named(well: Works) -> None:
    """Orders with files fail for them, those without pass; the field of the files itself is filled in."""
    well.portal.user_fields |= {"UF_AUTO_1": ("Договор", "string"), "UF_AUTO_2": ("Цвет", "string")}
    well.portal.mandatory_fields |= {"UF_TASK_WEBDAV_FILES"}
    assert "ok" == found(examine(well), "mandatory_fields").status
    well.portal.mandatory_fields |= {"UF_AUTO_1"}

    check = found(examine(well), "mandatory_fields")

    assert ("fail", "UF_AUTO_1: tasks of orders with files are refused without them") == (check.status, check.detail)
    assert "Make these custom fields of tasks optional on the portal." == check.fix
    (sample,) = onec_order.read_orders((Path(__file__).parent.parent / "data/orders/sample.json").read_bytes(), MOSCOW)
    assert ["failed", "created"] == [result.outcome for result in well.assign(sample, order())]


def test_a_non_administrator_by_choice_only_warns(well: Works) -> None:
    """B24_NON_ADMIN=1. The snapshots of such an owner are snapshots."""
    _not_admin(well)
    with well.tools() as tools:
        tools.store.database.execute("UPDATE snapshot_runs SET complete = 0")

    findings = examine(well, non_admin=True)

    assert ("warn", "ok") == (found(findings, "owner").status, found(findings, "snapshot").status)


def test_the_days_on_which_calendars_differ_are_shown(works: Works) -> None:
    """The demo plant's schedule has the whole New Year's week off, its portal's calendar only three days."""
    check = found(examine(works), "agreement")

    assert "warn" == check.status
    assert "worked by the portal's calendar only 05.01.2027, 06.01.2027, 08.01.2027" in check.detail


def test_what_the_country_changes_of_the_hours_is_shown(well: Works) -> None:
    """Off, worked and shorter days for a year ahead; nothing for a person to do."""
    check = found(examine(well, country="RU"), "production")

    assert ("ok", "") == (check.status, check.fix)
    off = "31.12.2026, 04.01.2027, 22.02.2027, 03.05.2027, 10.05.2027, 14.06.2027 and 1 more"
    assert f"RU: off {off}; worked 20.02.2027; shorter 30.04.2027, 11.06.2027, 03.11.2027" == check.detail


def test_a_day_that_the_portal_has_off_and_the_country_works_is_shown(well: Works) -> None:
    """The portal counts: somebody may have marked the wrong Saturday."""
    well.portal.schedules[1]["CALENDAR"]["EXCLUSIONS"]["2027"]["2"] = {"20": "0", "23": "0"}

    check = found(examine(well, country="RU"), "production")

    assert "warn" == check.status
    assert check.detail.endswith("; off on the portal, though the country works: 20.02.2027")


def test_a_year_that_nobody_checked_is_shown_until_the_user_has(well: Works) -> None:
    """Belarus had moved no days of 2027 by then."""
    well.portal.schedules[1]["CALENDAR"]["EXCLUSIONS"] = []
    check = found(examine(well, country="BY"), "production")
    checked = found(
        examine(well, country="BY", own_days=OwnDays({date(2026, 12, 26): DayRule(worked=True)}, {2027})), "production"
    )

    assert ("warn", True) == (check.status, check.detail.endswith("; not checked against the official calendar: 2027"))
    assert 'add "checked": [2027].' in check.fix
    assert ("ok", True) == (checked.status, "; worked 26.12.2026" in checked.detail)


def test_without_a_country_the_portals_hours_stay(well: Works) -> None:
    """B24_COUNTRY=none."""
    assert "none: nothing differs from the portal's hours for a year ahead" == found(examine(well), "production").detail


def test_a_backup_is_wanted_once_there_is_something_to_lose(well: Works) -> None:
    """Not on the first day; then never or long ago is a line, and one of this week is well."""
    well.assign(order())
    assert "backup" not in {check.check for check in examine(well)}
    well.clock.now += timedelta(days=9)
    assert ("warn", "never made") == ((check := found(examine(well), "backup")).status, check.detail)
    for days, status, words in (
        (0, "ok", "{}: a.zip"),
        (9, "warn", "the last one is of {}: a.zip"),
        (-9, "warn", "the last one has the date of a wrong clock: a.zip"),
    ):
        with database(well) as opened, opened.transaction():
            opened.notices.note_backup(Path("a.zip"), at := well.clock.now - timedelta(days=days))
        check = found(examine(well), "backup")
        assert (status, words.format(f"{at.astimezone(MOSCOW):%d.%m.%Y %H:%M}")) == (check.status, check.detail)


def test_a_network_share_is_named(well: Works, monkeypatch: pytest.MonkeyPatch) -> None:
    """SQLite's log is for one machine."""
    monkeypatch.setattr(machine, "find_network_share", lambda _folder: "cifs")
    check = found(examine(well), "network_share")
    assert ("warn", True) == (check.status, "is on a network share (cifs)" in check.detail)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root may give files away")
def test_a_folder_that_another_users_cron_works_in_is_named(well: Works) -> None:
    """Its files are of two users: one of the two will be locked out."""
    os.chown(well.folder, 1, 1)
    checks = [check for check in examine(well) if check.check == "ownership"]
    assert [True] == ["but root works in it, too: b24tools.db" in check.detail for check in checks]
    assert (checks[0].fix or "").endswith(f"these are not: `chown -R daemon {well.folder}`.")


@pytest.mark.parametrize("name", ["cache", "backups"])
def test_a_folder_in_it_that_another_user_keeps_is_named(
    well: Works, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """A cache that nobody may look into is not empty."""
    folder = well.folder / name
    folder.mkdir(exist_ok=True)
    forbid(monkeypatch, folder)

    checks = examine(well)

    user = machine._name_user()
    assert f"{user} may not write {folder}, which {user} has made" == found(checks, "ownership").detail
    if name == "cache":
        check = found(checks, "cache")
        assert ("warn", f"{user} may not use {folder}") == (check.status, check.detail)


@pytest.mark.parametrize("name", ["Задачи из 1c", "Зaдачи из 1с"])
def test_a_project_that_only_looks_like_the_one_is_named(well: Works, name: str) -> None:
    """`assign` takes it: it makes no second one."""
    check = found(examine(well, group=name), "group")

    assert ("warn", "Set B24_GROUP=1.") == (check.status, check.fix)
    assert check.detail.startswith(f"“{name}” is not there; “Задачи из 1с” is taken, which looks the same")


def test_a_folder_that_only_looks_like_the_one_is_named(well: Works) -> None:
    """Likewise."""
    check = found(examine(well, folder="Прaйс-листы"), "folder")

    assert "warn" == check.status
    assert check.detail == (
        '“Прaйс-листы” is not there; “Прайс-листы” is taken, which looks the same; "a" is Latin here and Cyrillic there'
    )
