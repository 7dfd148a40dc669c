"""The folder that 1C drops orders into, as cron empties it."""

from __future__ import annotations

import gzip
import json
import logging
import os
import shutil
import sqlite3
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from b24tools import context
from b24tools.cli import app, assign, order_files
from b24tools.core import config, inbox
from b24tools.jobs import assign as assign_job
from b24tools.sandbox import demo_company, server
from b24tools.sandbox.faults import Fault
from b24tools.sandbox.state import Portal
from b24tools.store import database

SAMPLE = Path(__file__).parent.parent / "data" / "orders" / "sample.json"
OLD_S = 100


@pytest.fixture
def portal(monkeypatch: pytest.MonkeyPatch) -> Iterator[Portal]:
    """The plant on a port of this machine, in the settings."""
    plant_portal = demo_company.build(lambda: context.now())
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


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root acts for others")
def test_what_root_makes_in_an_inbox_is_of_whom_the_data_folder_is(portal: Portal, folder: Path) -> None:
    """Cron could move nothing there. A group that 1C has given to the inbox stays."""
    data = Path(os.environ["B24_DATA_DIR"])
    data.mkdir(exist_ok=True)
    shutil.chown(data, "nobody", "nogroup")
    shutil.chown(folder, group="games")
    folder.chmod(0o2770)
    drop(folder, "a.json")
    drop(folder, "b.json", text="{")

    assert 3 == take(folder)

    owners = {path.name: (path.owner(), path.group()) for path in folder.iterdir()}
    assert {"done": ("nobody", "games"), "failed": ("nobody", "games")} == owners


def test_a_compressed_order_is_taken(portal: Portal, folder: Path) -> None:
    """As one that is not; the second time, its whole ending stays."""
    for _time in range(2):
        plain = drop(folder, "a.json")
        packed = folder / "a.json.gz"
        packed.write_bytes(gzip.compress(plain.read_bytes()))
        os.utime(packed, (plain.stat().st_mtime,) * 2)
        plain.unlink()
        assert 0 == take(folder)
    names = tree(folder)
    assert (2, ["done/a.json.gz"]) == (len(names), [name for name in names if len(name) < 15])
    assert all(name.startswith("done/a.") and name.endswith(".json.gz") for name in names)


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
    assert [inbox.QUIET_S] == slept[:1]


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
    names = tree(folder)
    assert (2, 2, 2) == (
        sum(name.startswith("done/a.") for name in names),
        sum(name.startswith("failed/bad.") and name.endswith(".json") for name in names),
        sum(name.endswith(".json.txt") for name in names),
    )
    assert "done/a.json" in names and "failed/bad.json" in names


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


def test_a_file_that_a_newer_one_supersedes_is_noted(
    portal: Portal, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With -v on stderr, in the log, and in the history; before what was done of the newer one."""
    drop(folder, "p.json", age_s=300, ИдентификаторЗаказа="X", НомерЗаказа="X")
    drop(folder, "q.json", age_s=200, ИдентификаторЗаказа="X", НомерЗаказа="X")
    assert 0 == take(folder, "-v")
    text = "p.json: superseded by q.json"
    assert text in capsys.readouterr().err.splitlines()
    log = config.load().data_dir / "log.log"
    assert [f"order X: {text}; assign by"] == [
        line[line.index("order X") :].rpartition(" ")[0]
        for line in log.read_text(encoding="utf-8").splitlines()
        if "superseded" in line
    ]
    assert 0 == app.main(["history", "X", "--json"])
    entries = json.loads(capsys.readouterr().out)["data"]
    assert [("superseded", text, []), ("created", None, ["Сварщик"])] == [
        (entry["outcome"], entry["error"], [task["position"] for task in entry["tasks"]]) for entry in entries
    ]
    assert 0 == app.main(["history", "X"])
    assert f"left out - {text}" in " ".join(capsys.readouterr().out.split())


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
    list_ripe = inbox.list_ripe

    def taken(*arguments: Any) -> Any:
        ripe = list_ripe(*arguments)
        gone.unlink()
        return ripe

    monkeypatch.setattr(inbox, "list_ripe", taken)
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
    """A file has the name of the folder `done`: the results are told, every file is tried, the reason is told once."""
    (folder / "done").write_text("", encoding="utf-8")
    drop(folder, "a.json")
    drop(folder, "b.json")
    assert 3 == app.main(["assign", "--inbox", str(folder), "--json"])
    out, err = capsys.readouterr()
    assert ["created", "created"] == [result["outcome"] for result in json.loads(out)["data"]]
    assert err == (
        f"{folder / 'a.json'} was handled but cannot be moved to {folder / 'done'}: File exists (and 1 more file)."
        f" Rename or delete the file {folder / 'done'}: a folder of that name is needed there.\n"
    )
    assert ["a.json", "b.json", "done"] == tree(folder)


@pytest.mark.long
def test_many_files_are_done_in_portions_and_told_at_once(
    portal: Portal, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One JSON object for all of them; a portal that breaks down midway leaves the rest."""
    monkeypatch.setattr(order_files, "INBOX_FILES", 3)
    for number in range(7):
        drop(folder, f"{number}.json", age_s=100 - number)
    assert 0 == app.main(["assign", "--inbox", str(folder), "--json"])
    envelope = json.loads(capsys.readouterr().out)
    assert [f"{number}.json" for number in range(7)] == [result["order"]["number"] for result in envelope["data"]]
    for number in range(7, 11):
        drop(folder, f"{number}.json", age_s=100 - number)
    portal.faults.add(Fault("limit", times=99, skip=2))
    assert 3 == app.main(["assign", "--inbox", str(folder), "--json"])
    envelope = json.loads(capsys.readouterr().out)
    assert (3, "portal_busy", ["10.json"]) == (
        len(envelope["data"]),
        envelope["error"]["code"],
        [name for name in tree(folder) if "/" not in name],
    )


def test_json_of_an_empty_inbox_is_an_empty_list(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One object, as always."""
    assert 0 == app.main(["assign", "--inbox", str(folder), "--json"])
    expected = {"version": 1, "command": "assign", "ok": True, "data": [], "warnings": [], "error": None}
    assert expected == json.loads(capsys.readouterr().out)


# what cron mails


@dataclass
class Cron:
    """Runs the command with -q, and gathers what it mails."""

    folder: Path
    now: datetime
    status: int = 0

    def __call__(self) -> datetime:
        return self.now

    def run(self, capsys: pytest.CaptureFixture[str]) -> list[str]:
        """One run: the lines of its mail."""
        capsys.readouterr()
        self.status = take(self.folder, "-q")
        out, err = capsys.readouterr()
        return (out + err).splitlines()

    def mails(self, capsys: pytest.CaptureFixture[str], *minutes: int) -> list[int]:
        """Run so many minutes from now; those when something is mailed."""
        start, mailed = self.now, []
        for minute in minutes:
            self.now = start + timedelta(minutes=minute)
            if self.run(capsys):
                mailed.append(minute)
        return mailed


DAY = 24 * 60
MINUTES = (0, 1, 2, 59, 60, 61, 239, 240, 241, DAY - 1, DAY, DAY + 1, 2 * DAY - 1, 2 * DAY, 2 * DAY + 1)
SAID = [0, 60, 240, DAY, 2 * DAY]


@pytest.fixture
def cron(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Cron:
    """On a clock that the test moves. The portal's goes with it."""
    made = Cron(folder, datetime.now(UTC).replace(microsecond=0))
    monkeypatch.setattr(context, "now", made)
    return made


def stuck(folder: Path, name: str, **changes: Any) -> Path:
    """Drop an order of which no line can be assigned."""
    return drop(folder, name, **{"Калькуляция": [{"Должность": "Водитель", "Время": 5}]} | changes)


@pytest.mark.long
def test_an_order_that_cannot_be_assigned_is_mailed_now_and_then(
    cron: Cron, portal: Portal, capsys: pytest.CaptureFixture[str]
) -> None:
    """Not every minute, and not never; the status is the same each time, and JSON is whole."""
    stuck(cron.folder, "a.json")
    assert [0, 60, 240, DAY] == cron.mails(capsys, 0, 1, 60, 61, 240, DAY - 1, DAY)
    assert 1 == cron.status
    assert ["a.json"] == tree(cron.folder)


def test_the_mail_says_which_order_and_why(cron: Cron, portal: Portal, capsys: pytest.CaptureFixture[str]) -> None:
    """And what is to be done."""
    stuck(cron.folder, "a.json")
    mail = cron.run(capsys)
    assert mail[0] == "Order a.json: failed, 1 task"
    assert mail[-1].startswith('a.json, Водитель: there is no department "Водитель"')


@pytest.mark.long
def test_another_order_of_the_same_cause_is_mailed_at_once(
    cron: Cron, portal: Portal, capsys: pytest.CaptureFixture[str]
) -> None:
    """Only that one; then both in one mail."""
    stuck(cron.folder, "a.json")
    assert [0] == cron.mails(capsys, 0, 30)
    stuck(cron.folder, "b.json")
    mail = "\n".join(cron.run(capsys))
    assert ("a.json" in mail, "b.json" in mail) == (False, True)
    cron.now += timedelta(hours=1)
    mail = "\n".join(cron.run(capsys))
    assert ("a.json" in mail, "b.json" in mail) == (True, True)
    assert [] == cron.mails(capsys, 1, 2)


@pytest.mark.long
def test_what_is_over_is_news_when_it_comes_back(
    cron: Cron, portal: Portal, capsys: pytest.CaptureFixture[str]
) -> None:
    """A department was made, and is gone again."""
    path = stuck(cron.folder, "a.json")
    assert [0] == cron.mails(capsys, 0, 1)
    path.unlink()
    assert [] == cron.mails(capsys, 1)
    stuck(cron.folder, "a.json")
    assert [1] == cron.mails(capsys, 1, 2)


@pytest.mark.long
def test_warnings_of_an_order_that_stays_are_mailed_once(
    cron: Cron, portal: Portal, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The right to move it is missing: that is one cause for all files, too."""
    for name in ("a.json", "b.json"):
        drop(cron.folder, name, Калькуляция=[])
    (cron.folder / "done").write_text("", encoding="utf-8")
    assert [0, 60] == cron.mails(capsys, 0, 1, 2, 60)
    drop(cron.folder, "c.json")
    assert [] == cron.mails(capsys, 1)


@pytest.mark.long
def test_what_is_said_of_a_whole_run_is_not_mailed_with_each_good_order(
    cron: Cron, portal: Portal, capsys: pytest.CaptureFixture[str]
) -> None:
    """The webhook may not read the calendar, the clock is off: two causes, whatever comes, and pauses between."""
    portal.scopes.discard("calendar")
    portal.now = lambda: context.now() + timedelta(minutes=20)
    start, mails = cron.now, {}
    for minute in (0, 1, 2, 3, 60, 61):
        for name in "ab" if minute != 1 else "":
            drop(cron.folder, f"{minute}{name}.json")
        cron.now = start + timedelta(minutes=minute)
        if said := cron.run(capsys):
            mails[minute] = said
    assert [0, 60] == list(mails)
    for said in mails.values():
        assert [True, True] == [said[0].endswith("the portal's counts."), "scope" in said[1]], said
        assert 2 == len(said)


def test_what_is_said_of_a_whole_run_is_said_once_for_named_files(
    cron: Cron, portal: Portal, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And not by the next one; the orders are good. log.log has it, too."""
    monkeypatch.setattr(logging.root, "handlers", [])  # of pytest, without which Python prints what has no log
    portal.now = lambda: context.now() + timedelta(minutes=20)
    mails = []
    for name in "ab":
        files = [str(drop(tmp_path, f"{name}{number}.json")) for number in range(2)]
        assert 0 == app.main(["-q", "assign", *files])
        mails.append("".join(capsys.readouterr()).count("clock"))
    assert [1, 0] == mails
    assert (tmp_path / "data" / "log.log").read_text(encoding="utf-8").count(" WARNING this machine's clock") == 2


@pytest.mark.long
@pytest.mark.parametrize("is_fresh", [True, False])
def test_silence_about_a_portal_that_is_away_ends_when_an_order_has_waited_an_hour(
    cron: Cron, portal: Portal, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, is_fresh: bool
) -> None:
    """With old data it is said at once. An order that cannot be assigned has been mailed, and is no news afterwards."""
    monkeypatch.setattr(context.Session, "is_fresh", lambda self: is_fresh)
    stuck(cron.folder, "stuck.json")
    cron.run(capsys)
    drop(cron.folder, "a.json", age_s=60)
    os.utime(cron.folder / "stuck.json", (cron.now.timestamp() - 9999,) * 2)
    portal.faults.add(Fault("limit", times=9999))
    start = 60 if is_fresh else 1
    assert [start, start + 60, start + 240] == cron.mails(capsys, 1, 2, 58, 60, 61, 120, 241, 300)
    assert 75 == cron.status
    portal.faults.clear()
    cron.now -= timedelta(minutes=250)
    assert [] == cron.mails(capsys, 0)


@pytest.mark.long
def test_a_portal_that_comes_and_goes_is_not_mailed_each_time(
    cron: Cron, portal: Portal, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where no snapshot is ever taken, too."""
    mailed = []
    for minute in range(3):
        cron.now += timedelta(minutes=1)
        drop(cron.folder, f"{minute}.json")
        portal.faults.add(Fault("limit", times=9999))
        mailed += cron.mails(capsys, 0)
        portal.faults.clear()
        mailed += cron.mails(capsys, 0)
    assert [0] == mailed


@pytest.mark.long
def test_what_is_wrong_with_the_installation_is_mailed_now_and_then(
    cron: Cron, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Before there is a database; a change is mailed at once."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.delenv("BITRIX_WEBHOOK_URL", raising=False)
    drop(cron.folder, "a.json")
    assert SAID == cron.mails(capsys, *MINUTES)
    assert 2 == cron.status
    monkeypatch.setenv("B24_TZ", "Mars")
    assert [0] == cron.mails(capsys, 0, 1)
    cron.folder.rename(tmp_path / "elsewhere")
    monkeypatch.delenv("B24_TZ")
    assert [0] == cron.mails(capsys, 0, 1)


@pytest.mark.long
def test_a_full_disk_is_mailed_now_and_then(
    cron: Cron, portal: Portal, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Though the database cannot note what was said."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    drop(cron.folder, "a.json")
    assert [] == cron.mails(capsys, 0)
    drop(cron.folder, "b.json")

    def fail(*_arguments: Any, **_named: Any) -> Any:
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(database.Database, "transaction", fail)
    assert [0, 60, DAY] == cron.mails(capsys, 0, 1, 60, 61, DAY)
    assert 1 == cron.status


@pytest.mark.long
def test_a_clock_that_was_ahead_does_not_silence_a_cause(
    cron: Cron, portal: Portal, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is said anew, once."""
    stuck(cron.folder, "a.json")
    cron.now += timedelta(days=365)
    assert [0] == cron.mails(capsys, 0, 1)
    cron.now -= timedelta(days=365)
    assert [0, 60] == cron.mails(capsys, 0, 1, 59, 60)


def test_a_bad_order_is_mailed_once_though_it_cannot_be_moved(cron: Cron, capsys: pytest.CaptureFixture[str]) -> None:
    """Whatever else it says."""
    drop(cron.folder, "bad.json", text="{")
    (cron.folder / "failed").write_text("", encoding="utf-8")
    assert [0, 60] == cron.mails(capsys, 0, 1, 2, 60)


# names


@pytest.mark.parametrize("letter", ["я", "\U0001f600"])
def test_names_of_full_length_are_moved_the_second_time_too(portal: Portal, folder: Path, letter: str) -> None:
    """255 bytes, in any alphabet, with the reason beside a bad one."""
    name = letter * (250 // len(letter.encode())) + ".json"
    for number in range(2):
        drop(folder, name, ИдентификаторЗаказа="1", НомерЗаказа="1")
        assert 0 == take(folder)
        drop(folder, name, text="{")
        assert 2 == take(folder)
        kept = [path.name for path in (folder / "done").iterdir()]
        failed = sorted(path.name for path in (folder / "failed").iterdir())
        assert (number + 1, name in kept) == (len(kept), True)
        assert all(bad + ".txt" == reason for bad, reason in zip(failed[::2], failed[1::2], strict=True))
        assert 2 * (number + 1) == len(failed)


def test_a_name_that_is_no_text_is_moved(portal: Portal, folder: Path) -> None:
    """In an encoding of DOS, on a disk that does not care."""
    path = os.fsencode(folder) + b"/\x87\xaa\xa0\xa7.json"
    with open(path, "wb") as stream:  # noqa: PTH123 - a Path has no bytes
        stream.write(b"{")
    os.utime(path, (time.time() - OLD_S,) * 2)
    assert 2 == take(folder)
    failed = {os.fsencode(file.name) for file in (folder / "failed").iterdir()}
    assert {b"\x87\xaa\xa0\xa7.json", b"\x87\xaa\xa0\xa7.json.txt"} == failed


def test_on_a_terminal_it_is_said_each_time(
    portal: Portal, folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever runs it by hand has not read cron's mail, and is not kept from being mailed."""
    drop(folder, "bad.json", **{"Калькуляция": [{"Должность": "Гальваник", "Время": 5}]})
    for _time in range(2):
        with monkeypatch.context() as terminal:
            terminal.setattr("sys.stderr.isatty", lambda: True)
            assert 1 == take(folder, "-q")
        assert "there is no department" in capsys.readouterr().err
    assert 1 == take(folder, "-q")
    assert "there is no department" in capsys.readouterr().err
    assert 1 == take(folder, "-q")
    assert ("", "") == capsys.readouterr()


@pytest.mark.skipif(os.name == "nt", reason="names are text there")
def test_of_a_name_that_is_no_text_the_reason_is_said_once(
    portal: Portal, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A bad order, a line that fails, and a file that a newer one supersedes; the inbox's own name is none, too."""
    box = folder / os.fsdecode(b"\xcf\xf0")
    box.mkdir()
    names = [os.fsdecode(bytes([0xCF, letter]) + b".json") for letter in range(0xE0, 0xE4)]
    unknown = [{"Должность": "Гальваник", "Время": 5}]
    ids = {"ИдентификаторЗаказа": "1", "НомерЗаказа": "1"}
    drop(box, names[0], age_s=300, **ids)
    drop(box, names[1], age_s=200, **ids)
    drop(box, names[2], **{"ИдентификаторЗаказа": "2", "НомерЗаказа": "2", "Калькуляция": unknown})
    drop(box, names[3], text="{bad")
    assert 3 == take(box, "-q")
    said = "".join(capsys.readouterr())
    assert 'orders/??/??.json: this is not JSON: line 1, column 2, near "bad"' in said
    assert "2, Гальваник: there is no department" in said
    assert 1 == take(box, "-q")
    assert ("", "") == capsys.readouterr()
    assert 0 == app.main(["history", "1"])
    assert "left out - ??.json: superseded by ??.json" in capsys.readouterr().out


# what was done long ago


def test_what_was_done_is_deleted_after_its_days(portal: Portal, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The day it was done counts, not when 1C wrote it; bad orders wait for a person."""
    drop(folder, "old.json", age_s=400 * 86400)
    drop(folder, "bad.json", age_s=400 * 86400, text="{")
    assert 3 == take(folder)
    assert ["done/old.json", "failed/bad.json", "failed/bad.json.txt"] == tree(folder)
    for name, days in (("older.json", 91), ("younger.json", 89), ("notes.txt", 400)):
        drop(folder / "done", name, age_s=days * 86400)
    assert 0 == take(folder)
    assert ["done/notes.txt", "done/old.json", "done/younger.json"] == tree(folder / ".")[:3]
    monkeypatch.setenv("B24_KEEP_DONE_DAYS", "30")
    assert 0 == take(folder)
    assert ["done/notes.txt", "done/old.json"] == tree(folder)[:2]


def test_a_clock_that_is_a_year_ahead_deletes_nothing(
    cron: Cron, portal: Portal, capsys: pytest.CaptureFixture[str]
) -> None:
    """Neither on a run with nothing to do, nor by this machine's clock where the portal's is known."""
    (cron.folder / "done").mkdir()
    drop(cron.folder / "done", "a.json")
    cron.now += timedelta(days=365)
    cron.run(capsys)
    assert ["done/a.json"] == tree(cron.folder)
    portal.now = lambda: datetime.now(UTC)
    drop(cron.folder / "done", "wrong.json", age_s=-365 * 86400)
    drop(cron.folder, "b.json")
    cron.run(capsys)
    assert ["done/a.json", "done/b.json", "done/wrong.json"] == tree(cron.folder)
