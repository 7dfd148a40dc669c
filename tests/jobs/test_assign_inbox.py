"""The folder that 1C drops orders into, as cron empties it."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from b24tools import context
from b24tools.cli import app, assign, order_files
from b24tools.jobs import assign as assign_job
from b24tools.sandbox import demo_company, server
from b24tools.sandbox.faults import Fault
from b24tools.sandbox.state import Portal

SAMPLE = Path(__file__).parent.parent / "data" / "orders" / "sample.json"
OLD_S = 100


@pytest.fixture
def portal(monkeypatch: pytest.MonkeyPatch) -> Iterator[Portal]:
    """The plant on a port of this machine, in the settings."""
    plant_portal = demo_company.build(context.now)
    with server.serve(plant_portal) as url:
        monkeypatch.setenv("BITRIX_WEBHOOK_URL", plant_portal.webhook_url(url))
        monkeypatch.setenv("B24_REQUESTS_PER_SECOND", "1000")
        monkeypatch.setenv("B24_RETRY_SECONDS", "0")
        yield plant_portal


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An empty inbox."""
    made = tmp_path / "orders"
    made.mkdir()
    return made


def drop(folder: Path, name: str, *, age_s: float = OLD_S, text: str | None = None, **changes: Any) -> Path:
    """1C writes a file so many seconds ago: an order of one welder's line without a wanted date, or this text."""
    values = json.loads(SAMPLE.read_text(encoding="utf-8"))
    values |= {"Калькуляция": values["Калькуляция"][3:4], "РекоммендуемаяДатаСдачи": "", "ПрисоединенныеФайлы": []}
    values |= {"ИдентификаторЗаказа": name, "НомерЗаказа": name} | changes
    path = folder / name
    path.write_text(json.dumps(values, ensure_ascii=False) if text is None else text, encoding="utf-8")
    written = time.time() - age_s
    os.utime(path, (written, written))
    return path


def take(folder: Path, *options: str) -> int:
    """One run of cron."""
    return app.main([*options, "assign", "--inbox", str(folder)])


def tree(folder: Path) -> list[str]:
    """What is where."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_ripe_orders_are_done_oldest_first(portal: Portal, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What was written to a moment ago, and what is no *.json, stays."""
    drop(folder, "b.json", age_s=300)
    drop(folder, "a.JSON", age_s=200)
    drop(folder, "fresh.json", age_s=1)
    drop(folder, "order.json.tmp")
    (folder / "sub.json").mkdir()
    assert 0 == take(folder)
    assert ["done/a.JSON", "done/b.json", "fresh.json", "order.json.tmp"] == tree(folder)
    made = [task.title for task in portal.tasks if (task.xml_id or "").startswith("1c:")]
    assert ["Сварщик: b.json", "Сварщик: a.JSON"] == made
    out, err = capsys.readouterr()
    assert (["Order b.json: created", "Order a.JSON: created"], "") == (
        [line.partition(",")[0] for line in out.splitlines() if line.startswith("Order")],
        err,
    )


def test_files_from_a_computer_whose_clock_is_ahead_are_taken_when_they_hold_still(
    portal: Portal, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Looked at twice, a few seconds apart: one that is still being written stays, as does one that is taken away."""
    drop(folder, "still.json", age_s=-3 * 3600)
    drop(folder, "seconds.json", age_s=-30)
    growing = drop(folder, "growing.json", age_s=-3 * 3600)
    gone = drop(folder, "gone.json", age_s=-3600)
    touched = drop(folder, "touched.json", age_s=-3600)
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        growing.write_text(growing.read_text(encoding="utf-8") + " ", encoding="utf-8")
        ahead = time.time() + 3600
        os.utime(touched, (ahead, ahead))
        gone.unlink(missing_ok=True)

    monkeypatch.setattr(assign.time, "sleep", sleep)
    assert 0 == take(folder)
    assert ["done/seconds.json", "done/still.json", "growing.json", "touched.json"] == tree(folder)
    assert [order_files.QUIET_S] == slept[:1]


def test_a_fresh_file_makes_nobody_wait(portal: Portal, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is the next run's."""
    drop(folder, "a.json")
    drop(folder, "fresh.json", age_s=2)
    slept: list[float] = []
    monkeypatch.setattr(assign.time, "sleep", slept.append)
    assert (0, []) == (take(folder), slept)


def test_quiet_is_silent_while_all_is_well(portal: Portal, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Cron mails whatever is printed."""
    drop(folder, "a.json")
    assert 0 == take(folder, "-q")
    assert ("", "") == capsys.readouterr()
    assert ["done/a.json"] == tree(folder)


@pytest.mark.parametrize("options", [[], ["-q"]])
def test_nothing_there_is_silent(
    folder: Path, capsys: pytest.CaptureFixture[str], options: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit 0, without a word to the portal."""
    monkeypatch.setenv("BITRIX_WEBHOOK_URL", "http://127.0.0.1:1/rest/1/abc/")
    assert 0 == take(folder, *options)
    assert ("", "") == capsys.readouterr()


def test_a_bad_order_goes_to_failed_with_its_reason(
    portal: Portal, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The others are done; exit 3 and a line for cron's mail."""
    bad = drop(folder, "bad.json", text="{")
    drop(folder, "good.json")
    assert 3 == take(folder, "-q")
    assert ["done/good.json", "failed/bad.json", "failed/bad.json.txt"] == tree(folder)
    out, err = capsys.readouterr()
    reason = (
        f"{bad}: the JSON breaks off at line 1, column 2: the file is not complete."
        " Correct the order in 1C and send it again.\n"
    )
    assert ("", reason, reason) == (out, err, (folder / "failed/bad.json.txt").read_text(encoding="utf-8"))
    assert 0 == take(folder)


def test_only_bad_orders_are_exit_2(portal: Portal, folder: Path) -> None:
    """And the portal is not asked."""
    drop(folder, "bad.json", text="[]")
    assert 2 == take(folder)
    assert [] == portal.log


def test_names_taken_in_done_and_failed_do_not_lose_a_file(portal: Portal, folder: Path) -> None:
    """1C writes the same name again: both stay, the later with its moment in the name."""
    for _time in range(2):
        drop(folder, "a.json")
        drop(folder, "bad.json", text="{")
        assert 3 == take(folder)
    found = tree(folder)
    assert (2, 2, 2) == (
        sum(name.startswith("done/a.") for name in found),
        sum(name.startswith("failed/bad.") and name.endswith(".json") for name in found),
        sum(name.endswith(".json.txt") for name in found),
    )
    assert "done/a.json" in found and "failed/bad.json" in found


def test_a_busy_portal_leaves_the_files_for_next_time(
    portal: Portal, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit 75; the bad one is put away all the same; the next minute does the rest."""
    drop(folder, "a.json")
    drop(folder, "bad.json", text="{")
    portal.faults.add(Fault("limit", times=9))
    assert 75 == take(folder)
    assert ["a.json", "failed/bad.json", "failed/bad.json.txt"] == tree(folder)
    assert 2 == capsys.readouterr().err.count("\n")
    portal.faults.clear()
    assert 0 == take(folder)
    assert "done/a.json" in tree(folder)


def test_a_file_with_a_line_that_failed_stays(portal: Portal, folder: Path) -> None:
    """It is sent again until somebody mends it; a list of orders is one file."""
    order = json.loads(drop(folder, "a.json").read_text(encoding="utf-8"))
    lost = order | {"ИдентификаторЗаказа": "2", "Калькуляция": [{"Должность": "Водитель", "Время": 5}]}
    drop(folder, "a.json", text=json.dumps([order, lost]))
    drop(folder, "b.json")
    assert 3 == take(folder)
    assert ["a.json", "done/b.json"] == tree(folder)
    works = portal.add_department("Водитель", parent=4)
    portal.add_user("Иван", "Рулёв", departments=[works.id])
    assert 0 == take(folder)
    assert ["done/a.json", "done/b.json"] == tree(folder)


def test_a_file_that_stays_does_not_undo_a_newer_one(portal: Portal, folder: Path) -> None:
    """Of several files of one order the newest counts, in whatever run; the older go with it."""
    lines = [{"Должность": "Сварщик", "Время": 60}, {"Должность": "Водитель", "Время": 5}]
    drop(folder, "a.json", age_s=300, ИдентификаторЗаказа="X", НомерЗаказа="X", Калькуляция=lines)
    assert 3 == take(folder)
    lines = [{"Должность": "Сварщик", "Время": 300}]
    drop(folder, "b.json", age_s=200, ИдентификаторЗаказа="X", НомерЗаказа="X", Калькуляция=lines)
    assert 0 == take(folder)
    assert 0 == take(folder)
    assert ["done/a.json", "done/b.json"] == tree(folder)
    assert [300 * 60] == [task.time_estimate for task in portal.tasks if task.title == "Сварщик: X"]


def test_quiet_keeps_to_itself_what_is_tried_again(
    portal: Portal, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Neither a table nor a line while the snapshots are fresh."""
    drop(folder, "a.json")
    monkeypatch.setattr(context.Session, "is_fresh", lambda self: True)
    portal.faults.add(Fault("limit", method="tasks.task.add", times=50))
    assert 75 == take(folder, "-q")
    assert ("", "") == tuple(capsys.readouterr())


def test_a_file_that_cannot_be_read_stays_where_it_is(
    portal: Portal, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The order may be good: a person must give the right to read it."""
    closed = drop(folder, "closed.json")
    drop(folder, "a.json")
    opened = Path.open

    def refused(self: Path, *arguments: Any, **options: Any) -> Any:
        if self == closed:
            raise PermissionError(13, "Permission denied", str(self))
        return opened(self, *arguments, **options)

    monkeypatch.setattr(Path, "open", refused)
    assert 3 == take(folder, "-q")
    assert ["closed.json", "done/a.json"] == tree(folder)
    assert f"{closed}: Permission denied." in capsys.readouterr().err


def test_a_file_another_run_has_taken_is_none_of_ours(
    portal: Portal, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Two runs of cron overlap: listed, and gone when it is read."""
    gone = drop(folder, "a.json")
    list_ripe = order_files.list_ripe

    def taken(*arguments: Any) -> Any:
        found = list_ripe(*arguments)
        gone.unlink()
        return found

    monkeypatch.setattr(order_files, "list_ripe", taken)
    assert 0 == take(folder)
    assert ("", "") == capsys.readouterr()


def test_a_file_written_anew_while_it_is_done_stays(
    portal: Portal, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The new writing has not been read: it is the next run's."""
    drop(folder, "a.json")
    really = assign_job.orders

    def slowly(*arguments: Any, **options: Any) -> Any:
        results = really(*arguments, **options)
        drop(folder, "a.json", age_s=50, Контрагент="Лютик")
        return results

    monkeypatch.setattr(assign_job, "orders", slowly)
    assert 0 == take(folder)
    assert ["a.json"] == tree(folder)
    monkeypatch.undo()


def test_a_folder_that_is_not_there_is_named(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit 2."""
    missing = folder / "nowhere"
    assert 2 == take(missing)
    assert capsys.readouterr().err.startswith(f"the inbox {missing} cannot be read: No such file or directory.")


def test_a_file_that_cannot_be_moved_is_told_after_the_work(
    portal: Portal, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A file has the name of the folder `done`: the results are still told, every file is still tried."""
    (folder / "done").write_text("", encoding="utf-8")
    drop(folder, "a.json")
    drop(folder, "b.json")
    assert 3 == app.main(["assign", "--inbox", str(folder), "--json"])
    out, err = capsys.readouterr()
    assert ["created", "created"] == [one["outcome"] for one in json.loads(out)["data"]]
    assert 2 == err.count("was handled but cannot be moved")
    assert ["a.json", "b.json", "done"] == tree(folder)


def test_many_files_are_done_in_portions_and_told_at_once(
    portal: Portal, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One JSON object for all of them; a portal that breaks down midway leaves the rest."""
    monkeypatch.setattr(assign, "INBOX_FILES", 3)
    for number in range(7):
        drop(folder, f"{number}.json", age_s=100 - number)
    assert 0 == app.main(["assign", "--inbox", str(folder), "--json"])
    found = json.loads(capsys.readouterr().out)
    assert [f"{number}.json" for number in range(7)] == [one["order"]["number"] for one in found["data"]]
    for number in range(7, 11):
        drop(folder, f"{number}.json", age_s=100 - number)
    portal.faults.add(Fault("limit", times=99, skip=2))
    assert 3 == app.main(["assign", "--inbox", str(folder), "--json"])
    found = json.loads(capsys.readouterr().out)
    assert (3, "portal_busy", ["10.json"]) == (
        len(found["data"]),
        found["error"]["code"],
        [name for name in tree(folder) if "/" not in name],
    )


def test_json_of_an_empty_inbox_is_an_empty_list(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One object, as always."""
    assert 0 == app.main(["assign", "--inbox", str(folder), "--json"])
    expected = {"version": 1, "command": "assign", "ok": True, "data": [], "warnings": [], "error": None}
    assert expected == json.loads(capsys.readouterr().out)
