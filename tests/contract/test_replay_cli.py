"""`b24tools replay`: events from wherever they are, once more."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from b24tools import context
from b24tools.cli import app
from b24tools.jobs.events import process, replay_files
from b24tools.sandbox import server
from b24tools.sandbox.faults import Fault
from tests.support import events as listening
from tests.support.events import TOKEN, Listener

FORM = (Path(__file__).parent.parent / "data" / "events" / "ontaskupdate.txt").read_text(encoding="utf-8")
JSON = json.dumps({"event": "ONTASKUPDATE", "data": {"FIELDS_AFTER": {"ID": "2536"}}})
Run = Callable[..., "Told"]


class Told:
    """What a command said."""

    def __init__(self, status: int, out: str, err: str) -> None:
        self.status, self.out, self.err = status, out, err

    @property
    def data(self) -> Any:
        """What --json printed."""
        found = json.loads(self.out)
        assert ["version", "command", "ok", "data", "warnings", "error"] == list(found)
        assert "replay" == found["command"]
        assert found["ok"] is (self.status == 0)
        return found["data"]


@pytest.fixture
def here(tmp_path: Path) -> Listener:
    return listening.listener(tmp_path / "data")


@pytest.fixture
def run(here: Listener, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """One run of the command, on the listener's clock and data folder."""
    monkeypatch.setenv("BITRIX_WEBHOOK_URL", here.portal.webhook_url("https://portal.example"))
    monkeypatch.setenv("B24_REQUESTS_PER_SECOND", "1000")
    monkeypatch.setenv("B24_RETRY_SECONDS", "0")
    monkeypatch.setenv("B24_DATA_DIR", str(here.folder))
    monkeypatch.setattr(context, "now", here.clock)
    original = context.Session.__init__

    def opened(self: context.Session, *arguments: Any, **options: Any) -> None:
        original(self, *arguments, **options)
        self.transport = server.transport(here.portal)

    monkeypatch.setattr(context.Session, "__init__", opened)

    def replay(*words: object, stdin: bytes = b"") -> Told:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        capsys.readouterr()
        options = [str(word) for word in words]
        flags = ["-q"] if "-q" in options else []
        status = app.main([*flags, "replay", *(word for word in options if word != "-q")])
        out, err = capsys.readouterr()
        return Told(status, out, err)

    return replay


def counts(processed: int, applied: int, ignored: int = 0, failed: int = 0) -> dict[str, int]:
    return {"processed": processed, "applied": applied, "ignored": ignored, "failed": failed}


# shapes


@pytest.mark.parametrize(
    ("content", "count"),
    [
        (FORM, 1),
        (FORM + "\r\n", 1),
        (f"{FORM}\n\n# the second\n{FORM}\n", 2),
        (FORM.replace("%5B", "[").replace("%5D", "]"), 1),
        (f'2026-11-23T10:00:01+03:00 POST /webhook 202 "{FORM}"\n', 1),
        (f"curl -d '{FORM}' http://127.0.0.1:8000/webhook\n", 1),
        (JSON, 1),
        (json.dumps(json.loads(JSON), indent=2), 1),
        (f"[{JSON}, {JSON}]", 2),
        (f"{JSON}\n{JSON}\n\n{JSON}", 3),
        (f"{JSON}\n{FORM}\n", 2),
        (f"{json.dumps(json.loads(JSON), indent=2)}\n\n" * 3, 3),
        (json.dumps([FORM, FORM]), 2),
        (json.dumps({"headers": {"host": "x"}, "body": FORM}), 1),
        (json.dumps({"version": 1, "command": "replay", "data": [{"id": 1, "event": "", "body": FORM}]}), 1),
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_events_are_found_in_every_shape_people_have(content: str, count: int, encoding: str) -> None:
    """A raw body, several of them, JSON in all its forms, lines of a log."""
    found = replay_files.read("file", content.encode(encoding))

    assert [("ONTASKUPDATE", {"ID": "2536"})] * count == [
        (one.event.name, one.event.data["FIELDS_AFTER"]) for one in found if one.event
    ]
    assert len(found) == count


@pytest.mark.parametrize(
    ("content", "places"),
    [
        ("", ["file"]),
        ("hello\n\nworld", ["file:1"]),
        (f"{FORM}\nhello", ["file:2"]),
        ('{"event": ', ["file:1"]),
        ("[1, [2], {}]", ["file:1"]),
        (f"\n{json.dumps(json.loads(JSON), indent=2)}\n{{\n}}\n[\n0]", ["file:13"]),
        ("event=ONTASKADD&data[FIELDS_AFTER][ID]=0", ["file:1"]),
        ("[" * 100_000, ["file:1"]),
    ],
)
def test_what_looks_like_an_event_but_is_none_is_named(content: str, places: list[str]) -> None:
    """With its place in the file."""
    found = replay_files.read("file", content.encode())

    assert places == [one.place for one in found if one.refusal]


# files


@pytest.mark.parametrize("mode", ["polling", "webhook"])
def test_events_of_a_file_are_followed_in_both_modes_without_a_token(here: Listener, run: Run, mode: str) -> None:
    """They are not kept: whoever has the file has them."""
    here.switch(mode)
    task_id = here.closed_task()
    file = here.folder / "bodies.txt"
    file.write_bytes(b"\n".join(one.body.replace(TOKEN.encode(), b"other") for one in here.portal.outbox))

    told = run(file, "--json")

    assert (0, counts(2, 2)) == (told.status, told.data)
    assert [task_id] == list(here.counted())
    assert [] == here.statuses()


def test_replaying_twice_changes_nothing(here: Listener, run: Run) -> None:
    """Not a column but the one that says when."""
    here.closed_task()
    body = here.portal.outbox[-1].body
    run("-", stdin=body)
    columns = "id, title, responsible_id, status, changed_at, closed_at, week, deadline, estimate_s, gone"
    before = here.query(f"SELECT {columns} FROM tasks"), here.query("SELECT * FROM people")

    assert counts(2, 2) == run("-", "--json", stdin=body + b"\n" + body).data
    assert before == (here.query(f"SELECT {columns} FROM tasks"), here.query("SELECT * FROM people"))


def test_many_tasks_of_a_file_are_read_by_fifty(here: Listener, run: Run) -> None:
    """Each once, however often it is named."""
    made = [here.closed_task() for _number in range(70)]
    lines = [one.body for one in here.portal.outbox] * 2

    told = run("-", "--json", stdin=b"\n".join(lines))

    assert counts(280, 280) == told.data
    assert made == list(here.counted())
    assert 3 == here.asked()  # two with tasks, one with a person


def test_one_bad_body_does_not_stop_the_others(here: Listener, run: Run) -> None:
    """Partly done is 3; the line names the place; other events are of no use."""
    task_id = here.closed_task()
    body = here.portal.outbox[-1].body

    told = run("-", "--json", stdin=b"event=ONTASKCOMMENTADD\nrubbish\n" + body)

    assert (3, counts(3, 1, 1, 1)) == (told.status, told.data)
    assert "1 event failed: stdin:2: the body cannot be read: it is neither a form nor JSON.\n" == told.err
    assert [task_id] == list(here.counted())


@pytest.mark.parametrize("stdin", [b"", b"rubbish"])
def test_nothing_but_bad_bodies_is_2(run: Run, stdin: bytes) -> None:
    """Sending them again does not help, and the portal is not asked."""
    told = run("-", "--json", stdin=stdin)

    assert (2, counts(1, 0, 0, 1)) == (told.status, told.data)


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["bodies.txt", "--failed"],
        ["bodies.txt", "--list"],
        ["no such file"],
        ["--since", "soon"],
        ["--id", "0"],
        ["--id", "7"],
    ],
)
def test_what_cannot_be_meant_is_2(run: Run, words: list[str]) -> None:
    """Before anything is done."""
    told = run(*words)

    assert (2, "") == (told.status, told.out)
    assert 1 == told.err.count("\n")


def test_a_portal_that_is_away_is_75(here: Listener, run: Run) -> None:
    """Kept events stay as they are."""
    here.closed_task()
    here.arrive()
    here.portal.faults.add(Fault("unreachable", times=1000))

    assert 75 == run("--since", "1h").status
    assert 75 == run("-", stdin=FORM.encode()).status
    assert ["waiting", "waiting"] == here.statuses()


def test_a_portal_that_refuses_is_1(here: Listener, run: Run) -> None:
    """With the reason; what is kept is tried again by itself."""
    here.closed_task()
    here.arrive()
    here.portal.scopes.remove("task")

    told = run("--since", "1h", "--json")

    assert (1, counts(2, 0, 0, 2)) == (told.status, told.data)
    assert "insufficient_scope" in told.err
    assert [("failed", 1, 1)] * 2 == here.query("SELECT status, attempts, next_try_at IS NOT NULL FROM events")


def test_another_portals_database_is_left_alone(here: Listener, run: Run) -> None:
    """Ids would be mixed up."""
    with here.store() as opened:
        opened.settings.save("portal_host", "other.example")

    assert 2 == run("-", stdin=FORM.encode()).status
    assert 0 == here.asked()


# the inbox


def test_events_dated_in_the_future_are_not_the_latest(here: Listener, run: Run) -> None:
    """They came at an unknown time, long ago: --list shows them, and --id follows them."""
    here.clock.now += timedelta(days=400)
    here.closed_task()
    here.arrive()
    here.clock.now -= timedelta(days=400)

    assert counts(0, 0) == run("--since", "1h", "--json").data
    assert [1, 2] == [one["id"] for one in run("--list", "--json").data]
    assert counts(2, 2) == run("--id", "1", "--id", "2", "--json").data


def test_failed_events_are_followed_again(here: Listener, run: Run) -> None:
    """After the last try, and when what was wrong is mended."""
    task_id = here.closed_task()
    here.arrive()
    here.portal.scopes.remove("task")
    for _turn in range(len(process.RETRIES) + 1):
        here.process()
        here.clock.now += process.RETRIES[-1]
    here.portal.scopes.add("task")

    assert counts(2, 2) == run("--failed", "--json").data
    assert ["done", "done"] == here.statuses()
    assert [task_id] == list(here.counted())
    assert counts(0, 0) == run("--failed", "--json").data


def test_what_polling_left_aside_can_be_followed(here: Listener, run: Run) -> None:
    """By time, by number, or both; the mode stays."""
    here.switch("polling")
    first = here.closed_task()
    here.arrive()
    here.clock.now += process.RETRIES[3]  # an hour
    second = here.closed_task()
    here.arrive()

    assert counts(2, 2) == run("--since", "30m", "--json").data
    assert [second] == list(here.counted())
    assert ["ignored_by_mode"] * 2 + ["done"] * 2 == here.statuses()
    assert counts(1, 1) == run("--id", 2, "--json").data
    assert [first, second] == list(here.counted())
    assert counts(2, 2) == run("--id", 3, "--id", 4, "--json").data
    assert counts(4, 4) == run("--since", "999999d", "--json").data


def test_a_dry_run_says_what_would_happen_and_writes_nothing(here: Listener, run: Run) -> None:
    """It asks the portal, and works on a copy."""
    here.closed_task()
    here.arrive()

    told = run("--since", "1h", "--dry-run")

    assert 0 == told.status
    assert "2 events: 2 applied, 0 ignored, 0 failed (nothing was written)" == told.out.splitlines()[-1]
    assert "ONTASKADD" in told.out
    assert counts(2, 2) == run("--since", "1h", "--dry-run", "--json").data
    assert counts(1, 1) == run("-", "--dry-run", "--json", stdin=FORM.replace("2536", "2").encode()).data
    assert ["waiting", "waiting"] == here.statuses()
    assert {} == here.counted()


def test_quiet_says_nothing_but_errors(here: Listener, run: Run) -> None:
    """Cron has nothing to mail."""
    here.closed_task()
    here.arrive()

    told = run("-q", "--since", "1h")

    assert (0, "", "") == (told.status, told.out, told.err)


# the list


@pytest.fixture
def varied(here: Listener) -> Listener:
    """An event of every status."""
    here.closed_task()
    here.follow()
    here.receive(FORM.replace("ONTASKUPDATE", "ONTASKCOMMENTADD").replace("REDACTED" * 4, TOKEN).encode())
    here.portal.scopes.remove("task")
    here.new_task()
    here.follow()
    here.switch("polling")
    here.receive(FORM.replace("REDACTED" * 4, TOKEN).encode())
    return here


def test_the_list_is_readable_on_eighty_columns(varied: Listener, run: Run) -> None:
    """A line per event, below them why one failed."""
    told = run("--list")

    assert 0 == told.status
    assert (
        """\
No.  Event             Task  Received        Tries  Status
  1  ONTASKADD           69  23.11 07:01:00      0  done
  2  ONTASKUPDATE        69  23.11 07:01:00      0  done
  3  ONTASKCOMMENTADD     -  23.11 07:01:03      0  ignored
  4  ONTASKADD           70  23.11 07:01:03      1  failed
  5  ONTASKUPDATE      2536  23.11 07:01:06      0  polling mode
  ! 4: tasks.task.list: (insufficient_scope); next try 23.11 07:02:06
"""
        == told.out
    )
    assert all(len(line) <= 80 for line in told.out.splitlines())


def test_the_list_is_chosen_like_what_is_followed(varied: Listener, run: Run) -> None:
    """By what failed, by time, by number; an empty one says where it looked."""
    assert [4] == [one["id"] for one in run("--list", "--failed", "--json").data]
    assert [1, 5] == [one["id"] for one in run("--list", "--id", 5, "--id", 1, "--json").data]
    assert [3, 4, 5] == [one["id"] for one in run("--list", "--since", "0.08m", "--json").data]
    varied.clock.now += process.RETRIES[-1]
    told = run("--list", "--since", "1h")
    assert (0, "") == (told.status, told.out)
    assert str(varied.folder) in told.err


def test_the_list_as_json_can_be_replayed(varied: Listener, run: Run, tmp_path: Path) -> None:
    """It has the bodies, without the token."""
    told = run("--list", "--json")
    file = tmp_path / "events.json"
    file.write_text(told.out, encoding="utf-8")
    varied.portal.scopes.add("task")

    assert ["id", "received_at", "event", "task_id", "status", "attempts", "error", "next_try_at"] == list(
        told.data[0]
    )[:8]
    assert TOKEN not in told.out
    assert counts(5, 4, 1) == run(file, "--json").data


def test_a_list_without_a_database_makes_none(here: Listener, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Looking is not writing."""
    elsewhere = here.folder / "elsewhere"
    monkeypatch.setenv("B24_DATA_DIR", str(elsewhere))

    told = run("--list")

    assert (0, "") == (told.status, told.out)
    assert not elsewhere.exists()


def test_only_the_last_fifty_are_listed_unless_chosen(here: Listener, run: Run) -> None:
    """A busy inbox fits the screen."""
    for _number in range(30):
        here.closed_task()
    here.arrive()

    told = run("--list")

    assert 51 == len(told.out.splitlines())
    assert "These are the last 50" in told.err
    assert 60 == len(run("--list", "--since", "1d", "--json").data)


def test_a_strange_name_does_nothing_to_a_terminal(here: Listener, run: Run) -> None:
    """Whoever knows the token may send any event."""
    here.receive(f"event=ON\x1b[31mREDREDREDREDREDRED&auth[application_token]={TOKEN}".encode())

    told = run("--list")

    assert "\x1b" not in told.out
    assert "ON[31MREDREDREDREDREDR…" in told.out
