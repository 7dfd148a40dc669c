"""What people move, rename or delete on the portal, and whose webhook it is: never a second task of a line."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from b24tools.cli import app
from b24tools.core import errors
from b24tools.onec import task_fields
from b24tools.sandbox import demo_company, server
from b24tools.sandbox.records import Group
from b24tools.store import read_store
from tests.support.crash import (
    ESTIMATE,
    FOLDER,
    LETTER,
    SKETCH,
    assert_sent_again_changes_nothing,
    killed_at,
    new_works,
    picture,
)
from tests.support.orders import Works, order

LINES = (("Сварщик", 60), ("Сварщик", 60), ("Макетчик", 120))
SENT = order(LINES, files=(SKETCH, ESTIMATE))
NO_KEYS = "the portal does not keep external keys (XML_ID): tasks are found again by their titles"


def sent_before(folder: Path, **options: Any) -> Works:
    """A plant with an order sent some minutes ago."""
    works = new_works(folder, **options)
    works.assign(SENT)
    works.clock.now += timedelta(minutes=5)
    works.portal.log.clear()
    return works


def task_ids(works: Works) -> list[int]:
    """Our tasks, by title, for a portal with keys and without."""
    titles = {task_fields.title(SENT, line) for line in SENT.lines}
    return [task.id for task in works.portal.tasks if task.title in titles]


def project(works: Works) -> Group:
    """The project for our tasks."""
    return next(group for group in works.portal.groups.values() if group.name == demo_company.GROUP)


def drop_object(works: Works, name: str) -> None:
    """Delete a file or a folder of the disk, with what is in it; the tasks keep their ties."""
    objects = works.portal.disk.objects
    (row,) = [row for row in objects.values() if row.name.startswith(name)]
    for gone in [row, *works.portal.disk.children(row.id)]:
        gone.parent = 0


def rename_project(works: Works) -> None:
    """By a person, on the portal."""
    project(works).name = "Старые задачи"


def delete_project(works: Works) -> None:
    """Its tasks stay without one."""
    gone = project(works)
    for task_id in task_ids(works):
        works.portal.set_task(task_id, group=0)
    del works.portal.groups[gone.id]


def move_task(works: Works) -> None:
    """To another project."""
    other = next(group for group in works.portal.groups.values() if group.name == "Выставка")
    works.portal.act("tasks.task.update", {"taskId": task_ids(works)[0], "fields": {"GROUP_ID": other.id}})


def clear_keys(works: Works) -> None:
    """By another program."""
    for task_id in task_ids(works):
        works.portal.set_task(task_id, xml_id=None)


def rename_tasks(works: Works) -> None:
    """By a person."""
    for task_id in task_ids(works):
        works.portal.act("tasks.task.update", {"taskId": task_id, "fields": {"DESCRIPTION": "сделать!"}})


CHANGES: dict[str, Callable[[Works], None]] = {
    "project renamed": rename_project,
    "project deleted": delete_project,
    "folder deleted": lambda works: drop_object(works, FOLDER),
    "file deleted": lambda works: drop_object(works, "эскиз"),
    "task moved to another project": move_task,
    "keys cleared": clear_keys,
    "tasks rewritten": rename_tasks,
}


@pytest.mark.long
@pytest.mark.parametrize("keep_xml_id", [True, False], ids=["keys", "no keys"])
@pytest.mark.parametrize("change", CHANGES.values(), ids=list(CHANGES))
def test_what_people_did_gives_the_same_order_nothing_to_do(
    change: Callable[[Works], None], keep_xml_id: bool, tmp_path: Path
) -> None:
    """The ledger knows the tasks by their ids, whatever else is gone."""
    works = sent_before(tmp_path, keep_xml_id=keep_xml_id)
    before = task_ids(works)
    change(works)
    assert_sent_again_changes_nothing(works, SENT)
    assert before == task_ids(works)


@pytest.mark.long
@pytest.mark.parametrize("keep_xml_id", [True, False], ids=["keys", "no keys"])
@pytest.mark.parametrize("change", CHANGES.values(), ids=list(CHANGES))
def test_what_people_did_does_not_hinder_a_changed_order(
    change: Callable[[Works], None], keep_xml_id: bool, tmp_path: Path
) -> None:
    """One more line and one more file: three tasks are updated, one is made, in the project, with all files."""
    works = sent_before(tmp_path, keep_xml_id=keep_xml_id)
    before = task_ids(works)
    change(works)
    more = order([*LINES, ("Монтажник", 60)], files=(SKETCH, ESTIMATE, LETTER))
    (result,) = works.assign(more)
    assert ["updated"] * 3 + ["created"] == [task.outcome for task in result.tasks]
    assert before == [task.task_id for task in result.tasks[:3]]
    new = works.portal.tasks[result.tasks[3].task_id or 0]
    assert (demo_company.GROUP, 3) == (works.portal.groups[new.group].name, len(new.attachments))
    assert [3, 3, 3] == [len(works.portal.tasks[task_id].attachments) for task_id in before]
    assert [demo_company.GROUP] == [row.name for row in works.portal.groups.values() if row.name == demo_company.GROUP]
    assert_sent_again_changes_nothing(works, more)


@pytest.mark.parametrize("keep_xml_id", [True, False], ids=["keys", "no keys"])
def test_a_deleted_task_is_made_again_once_with_its_files(keep_xml_id: bool, tmp_path: Path) -> None:
    """The files are on the disk already, and hang on the new task once."""
    works = sent_before(tmp_path, keep_xml_id=keep_xml_id)
    before = picture(works.portal)
    first = task_ids(works)[0]
    works.portal.act("tasks.task.delete", {"taskId": first})
    (result,) = works.assign(SENT)
    deleted = f"task {first} was deleted on the portal: created again"
    missing = () if keep_xml_id else (NO_KEYS,)
    assert [("created", (deleted, *missing)), ("unchanged", ()), ("unchanged", ())] == [
        (task.outcome, task.warnings) for task in result.tasks
    ]
    assert before["files"] == picture(works.portal)["files"]
    assert [2, 2, 2] == [len(works.portal.tasks[task_id].attachments) for task_id in task_ids(works)]
    assert_sent_again_changes_nothing(works, SENT)


@pytest.mark.parametrize("number", range(1, 3))
@pytest.mark.parametrize("executed", [True, False], ids=["executed", "not executed"])
def test_a_run_that_dies_while_it_makes_a_deleted_task_again(number: int, executed: bool, tmp_path: Path) -> None:
    """The ledger has forgotten the deleted one by then."""
    works = sent_before(tmp_path)
    works.portal.act("tasks.task.delete", {"taskId": task_ids(works)[0]})
    with killed_at(works.portal, number, executed=executed):
        works.assign(SENT)
    works.clock.now += timedelta(seconds=1)
    works.assign(SENT)
    assert [2, 2, 2] == [len(works.portal.tasks[task_id].attachments) for task_id in task_ids(works)]
    assert_sent_again_changes_nothing(works, SENT)


def test_without_keys_the_first_send_warns_and_the_second_writes_nothing(tmp_path: Path) -> None:
    """Two lines of one position are two tasks; a filter that the portal ignores brings rows that count for nothing."""
    works = new_works(tmp_path, keep_xml_id=False)
    (result,) = works.assign(SENT)
    assert [("created", (NO_KEYS,))] * 3 == [(task.outcome, task.warnings) for task in result.tasks]
    assert task_ids(works) == [task.task_id for task in result.tasks]
    assert_sent_again_changes_nothing(works, SENT)


def test_a_portal_that_keeps_keys_but_cannot_search_them_is_no_danger(tmp_path: Path) -> None:
    """Every row has a key there; after a crash the title finds the task, and its key confirms it."""
    works = new_works(tmp_path)
    handle, searches = works.portal.handle, 0

    def without_search(method: str, path: str, query: str, headers: Any, body: bytes, **options: Any) -> Any:
        nonlocal searches
        searches += body.count(b"XML_ID%5D%5B")
        return handle(method, path, query, headers, body.replace(b"XML_ID%5D%5B", b"XML_IDEA%5D%5B"), **options)

    works.portal.handle = without_search  # type: ignore[method-assign]
    with killed_at(works.portal, 8, executed=True):
        works.assign(SENT)
    works.clock.now += timedelta(seconds=1)
    assert 3 == len(task_ids(works))
    (result,) = works.assign(SENT)
    assert ("unchanged", task_ids(works)) == (result.outcome, [task.task_id for task in result.tasks])
    assert searches > 0


# whose webhook


def test_an_owner_who_is_no_administrator_is_refused(tmp_path: Path) -> None:
    """He sees a part of the tasks: what he does not see would be made again."""
    works = sent_before(tmp_path)
    works.portal.owner.admin = False
    with pytest.raises(errors.PortalDenied) as caught:
        works.assign(order([*LINES, ("Монтажник", 60)]))
    assert (
        1,
        "the webhook's owner, Алексей Админов, is not an administrator and sees only part of the tasks",
        "Let an administrator create the webhook; or set B24_NON_ADMIN=1 to plan by what the owner sees.",
        [],
    ) == (caught.value.exit_status, caught.value.message, caught.value.hint, works.portal.writes())


def test_an_owner_who_is_no_administrator_may_be_allowed(tmp_path: Path) -> None:
    """With a warning that people may be busier than they look."""
    works = new_works(tmp_path)
    works.portal.owner.admin = False
    (result,) = works.assign(order([("Сварщик", 60)], department="Сварщик"), non_admin=True)
    assert (
        "the webhook's owner is not an administrator: people may be busier than they look" in result.warnings
    ) is True
    assert ["created"] == [task.outcome for task in result.tasks]


@pytest.mark.parametrize("number", range(0, 4))
def test_a_renamed_portal_is_not_followed(number: int, tmp_path: Path) -> None:
    """Renamed before the run or in the middle of it: nothing is written there, and at the new address nothing twice."""
    works = new_works(tmp_path)
    handle, count = works.portal.handle, 0

    def moving(*args: Any, **kwargs: Any) -> Any:
        nonlocal count
        count += 1
        works.portal.moved_to = "https://new.example" if count > number else None
        return handle(*args, **kwargs)

    works.portal.handle = moving  # type: ignore[method-assign]
    with pytest.raises(errors.ConfigError, match=r"^the portal has moved to new\.example$"):
        works.assign(SENT)
    assert [] == [call for call in works.portal.writes() if call[0] == "tasks.task.add"]
    works.portal.handle = handle  # type: ignore[method-assign]
    works.portal.moved_to = None
    works.clock.now += timedelta(seconds=1)
    assert ["created"] == [result.outcome for result in works.assign(SENT)]
    assert 3 == len(task_ids(works))


def test_the_database_of_one_portal_does_not_meet_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit status 2 with both ways out; the second of them heals it."""
    works = sent_before(tmp_path / "data")
    file = tmp_path / "order.json"
    lines = [{"Должность": line.position, "Время": line.minutes} for line in SENT.lines]
    file.write_text(json.dumps({"ИдентификаторЗаказа": SENT.id, "НомерЗаказа": SENT.number, "Калькуляция": lines}))
    with server.serve(works.portal) as base:
        monkeypatch.setenv("BITRIX_WEBHOOK_URL", works.portal.webhook_url(base))
        host = base.removeprefix("http://")
        assert 2 == app.main(["assign", str(file)])
        assert (
            f"the database is about the portal portal.example, but the webhook leads to {host}. "
            f"For another portal set another B24_DATA_DIR; if the portal was renamed, run "
            f"`b24tools config portal_host {host}`.\n"
        ) in capsys.readouterr().err
        assert [] == works.portal.log
        assert 0 == app.main(["config", "portal_host", host])
        assert 0 == app.main(["assign", str(file), "--json"])
    assert 3 == len(task_ids(works))
    with closing(read_store(tmp_path / "data" / "b24tools.db", dry_run=True)) as opened:
        assert opened.settings.get("portal_host") == host


# ids that come back


@pytest.mark.parametrize("done", [False, True], ids=["open", "done"])
def test_a_restored_portal_gives_an_id_again_and_it_means_another_task(done: bool, tmp_path: Path) -> None:
    """Made anew, the portal has another order's task under the ledger's id: that one is left alone."""
    works = new_works(tmp_path)
    first = works.assign(order())[0].tasks[0].task_id
    works.portal = demo_company.build(works.clock)
    other = order([("Макетчик", 60)], id="22222222-2222-3333-4444-555555555555", number="1Ц-00000200")
    assert first == works.assign(other)[0].tasks[0].task_id
    before = copy.copy(works.portal.tasks[first or 0])
    (task,) = works.assign(order(done=done))[0].tasks
    assert before == works.portal.tasks[first or 0]
    own = [] if done else [task.task_id]
    assert [own] == list(works.tasks_of(order()).values())
    assert ("unchanged" if done else "created", False) == (task.outcome, task.task_id == first)
    assert [[first]] == list(works.tasks_of(other).values())


def test_an_id_that_came_back_is_no_task_of_a_removed_line(tmp_path: Path) -> None:
    """The order has lost the line, and the portal its task: another order's task of that id is not named."""
    works = new_works(tmp_path)
    works.assign(order([("Макетчик", 60), ("Сварщик", 60)]))
    works.portal = demo_company.build(works.clock)
    other = order([("Монтажник", 60), ("Монтажник", 60)], id="22222222-2222-3333-4444-555555555555", number="1Ц-2")
    works.assign(other)
    assert ["Сварщик"] == [task.position for task in works.assign(order())[0].tasks]


def test_a_lost_database_and_keys_that_cannot_be_searched_make_nothing_twice(tmp_path: Path) -> None:
    """The title finds the tasks, and their keys say whose they are."""
    works = new_works(tmp_path)
    works.assign(SENT)
    before = task_ids(works)
    works.folder = tmp_path / "new"
    works.folder.mkdir()
    handle = works.portal.handle

    def without_search(method: str, path: str, query: str, headers: Any, body: bytes, **options: Any) -> Any:
        return handle(method, path, query, headers, body.replace(b"XML_ID%5D%5B", b"XML_IDEA%5D%5B"), **options)

    works.portal.handle = without_search  # type: ignore[method-assign]
    works.assign(SENT)
    assert before == task_ids(works)


def test_a_task_lost_hours_ago_is_not_waited_for(tmp_path: Path) -> None:
    """Whatever the portal was making is there: one request reads all, the other writes."""
    works = new_works(tmp_path)
    works.assign(order([("Макетчик", 60)], id="warm", number="w"))
    with killed_at(works.portal, 2, executed=False):
        works.assign(order())
    works.clock.now += timedelta(hours=3)
    works.clock.slept.clear()
    works.portal.log.clear()
    assert "created" == works.assign(order())[0].outcome
    assert (2, []) == (len(works.portal.log), works.clock.slept)
