"""`b24tools doctor` at the command line: statuses, JSON, what -q leaves out, settings from real files."""

from __future__ import annotations

import errno
import io
import json
import os
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from rich.console import Console

from b24tools import context
from b24tools.cli import app
from b24tools.core import config, i18n
from b24tools.jobs.doctor.checks import Report
from b24tools.render import console as render_console
from b24tools.render import doctor
from b24tools.sandbox import demo_company, server
from b24tools.sandbox.faults import Fault
from b24tools.sandbox.state import Portal
from b24tools.store import open_store
from tests.support.doctor import examine, make_well
from tests.support.orders import Clock, Works

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def portal(monkeypatch: pytest.MonkeyPatch) -> Iterator[Portal]:
    """The demo plant on a port."""
    clock = Clock()
    monkeypatch.setattr(context, "now", clock)
    portal = demo_company.build(clock)
    with server.serve(portal) as url:
        monkeypatch.setenv("BITRIX_WEBHOOK_URL", portal.webhook_url(url))
        yield portal


@pytest.fixture
def b24tools(capsys: pytest.CaptureFixture[str]) -> Run:
    """Run the program: status, stdout, stderr."""

    def run(*arguments: str) -> tuple[int, str, str]:
        capsys.readouterr()
        status = app.main(arguments)
        return status, *capsys.readouterr()

    return run


def test_warnings_do_not_fail(portal: Portal, b24tools: Run, tmp_path: Path) -> None:
    """A line per check, one line at the end on stderr; nothing is written anywhere."""
    status, out, err = b24tools("-v", "doctor")

    assert 0 == status
    assert {"ok", "warn"} == {line[:4].strip() for line in out.splitlines()}
    assert "warn  logins: can be given work, but never logged in: Лев Фомин (#22). Send the invitation again" in out
    assert f"{len(out.splitlines())} checks: nothing fails, 4 to look at.\n" == err
    assert [] == portal.writes()
    (tmp_path / "data").mkdir()
    b24tools("doctor")
    assert [tmp_path / "data"] == list(tmp_path.rglob("*"))


def test_of_a_file_that_cannot_be_read_nothing_is_said_to_be_unset(
    b24tools: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor is advised what would make a second installation."""
    (tmp_path / ".env").write_text("BITRIX_WEBHOOK_URL=https://portal.example/rest/1/abcdefgh12/\n", "utf-8")
    monkeypatch.delenv("B24_DATA_DIR", raising=False)
    monkeypatch.chdir(tmp_path)
    read = Path.read_bytes

    def refuse(path: Path) -> bytes:
        if path.name == ".env":
            raise PermissionError(errno.EACCES, "Permission denied")
        return read(path)

    monkeypatch.setattr(Path, "read_bytes", refuse)
    status, out, _err = b24tools("doctor", "--json")

    checks = {check["check"]: check["detail"] for check in json.loads(out)["data"]}
    assert (1, f"{tmp_path / '.env'} cannot be read: Permission denied") == (status, checks.pop("env_file"))
    assert [] == [name for name in checks if name in ("settings", "webhook") or name.startswith("setting ")]


def test_what_is_in_order_is_one_line(portal: Portal, b24tools: Run) -> None:
    """The names of the checks; -v has all that was seen."""
    verbose = b24tools("-v", "doctor")[1].splitlines()

    *rest, last = b24tools("doctor")[1].splitlines()

    assert [line for line in verbose if not line.startswith("ok")] == rest
    assert [line[6:].partition(": ")[0] for line in verbose if line.startswith("ok")] == last[6:].split(", ")


def test_quiet_says_only_what_is_new(portal: Portal, b24tools: Run) -> None:
    """Since the last time with -q; what was in order meanwhile is new again. The status is the same each time."""
    b24tools("mode", "webhook")
    portal.scopes.discard("disk")

    def said() -> tuple[int, list[str]]:
        status, out, _err = b24tools("-q", "doctor")
        return status, [line[6:].partition(": ")[0] for line in out.splitlines() if line.startswith("fail")]

    assert (1, ["outgoing_token", "scope disk"]) == said()
    assert (1, []) == said()
    portal.scopes.discard("timeman")
    b24tools("mode", "polling")
    assert "" == b24tools("-q", "doctor", "--json")[2]
    assert (1, []) == said()
    b24tools("mode", "webhook")
    assert (1, ["outgoing_token"]) == said()


def test_quiet_says_each_of_two_inboxes_once(portal: Portal, b24tools: Run, tmp_path: Path) -> None:
    """They are findings of one check: the first must not be news for ever."""
    b24tools("mode", "polling")
    for name in ("first", "second"):
        failed = tmp_path / name / "failed"
        failed.mkdir(parents=True)
        (failed / "order.json").write_text("{", "utf-8")
        with closing(open_store(Path(os.environ["B24_DATA_DIR"]) / "b24tools.db")) as store, store.transaction():
            store.notices.remember_inbox(tmp_path / name, context.now())
    first, second = (b24tools("-q", "doctor")[1] for _ in range(2))
    assert (True, True, "") == ("first" in first, "second" in first, second)


def test_quiet_on_a_terminal_says_all_and_leaves_cron_its_news(
    portal: Portal, b24tools: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever looks has not read the mail, and does not read it for others."""
    b24tools("mode", "webhook")
    with monkeypatch.context() as terminal:
        terminal.setattr("sys.stderr.isatty", lambda: True)
        shown = [b24tools("-q", "doctor")[1] for _time in range(2)]
    assert shown == [b24tools("-q", "doctor")[1]] * 2
    assert "fail  outgoing_token" in shown[0]
    assert "" == b24tools("-q", "doctor")[1]


def test_what_is_acknowledged_is_no_alarm_until_its_day(portal: Portal, b24tools: Run) -> None:
    """With the reason, by the check or by all of its name; a day later it is one again."""
    portal.scopes.discard("disk")
    config = ("config", "doctor_ignore")
    assert 0 == b24tools(*config, "add", "scope 2026-11-23 no files this year")[0]

    status, out, err = b24tools("doctor")
    assert (0, False, True) == (status, "fail" in out, "acknowledged" in err)
    (known,) = [row for row in json.loads(b24tools("doctor", "--json")[1])["data"] if row["check"] == "scope disk"]
    assert ("fail", "23.11.2026 no files this year") == (known["status"], known["known"])
    assert "(acknowledged until 23.11.2026 no files this year)" in b24tools("-v", "doctor")[1]

    said = "the last day of “scope disk”, 22.11.2026, is over: doctor would go on to name it. "
    for words in (("add", "scope disk 2026-11-22 x"), ("scope disk 2026-11-22 x",)):
        assert (2, "", f"{said}Give a day to come, as YYYY-MM-DD.\n") == b24tools(*config, *words)
    with closing(open_store(Path(os.environ["B24_DATA_DIR"]) / "b24tools.db")) as store:
        store.settings.save("doctor_ignore", "scope disk 2026-11-22 x; scope 2026-11-23 y; logins 2026-11-23 z")
    assert 0 == b24tools(*config, "add", "zones 2026-11-23 what is over may stay")[0]
    assert 0 == b24tools(*config, "remove", "scope")[0]
    assert 0 == b24tools(*config, "remove", "logins 2026-11-23 z")[0]
    kept = "doctor_ignore scope disk 2026-11-22 x; zones 2026-11-23 what is over may stay\n"
    assert kept == b24tools(*config)[1]
    assert 1 == b24tools("doctor")[0]


@pytest.mark.parametrize("words", ["disk_space", "disk_space soon", "disk_space 2026-13-01 x", "2026-11-23 x"])
def test_an_acknowledgement_has_a_check_and_a_day(words: str, b24tools: Run) -> None:
    """Else it would be for ever, or of nothing."""
    status, _out, err = b24tools("config", "doctor_ignore", "add", words)

    assert (2, True) == (status, err.startswith(f'doctor_ignore: "{words}" is not a check, a last day and a note.'))


def test_an_acknowledgement_of_no_check_is_refused(b24tools: Run) -> None:
    """With the nearest name, added, set or removed; what a check is about may be anything."""
    config = ("config", "doctor_ignore")
    refused = (2, "", 'there is no check “disk_spase”. The nearest name is "disk_space".\n')

    assert refused == b24tools(*config, "add", "disk_spase 2027-01-31 x")
    assert refused == b24tools(*config, "remove", "disk_spase")
    assert refused == b24tools(*config, "probe 2027-01-31; disk_spase 2027-01-31 x")
    status, _out, err = b24tools(*config, "add", "12345 2027-01-31")
    assert (2, True) == (status, err.startswith("there is no check “12345”. There are: absences, agreement, "))
    assert [0, 0, 0] == [
        b24tools(*config, *words)[0]
        for words in (("add", "scope x 2027-01-31"), ("add", "order 1Ц-7 2027-01-31"), ("remove", "logins"))
    ]


def test_an_acknowledgement_of_a_check_of_another_version_is_named(portal: Portal, b24tools: Run) -> None:
    """It would be silent."""
    with closing(open_store(Path(os.environ["B24_DATA_DIR"]) / "b24tools.db")) as store:
        store.settings.save("doctor_ignore", "disc 2027-01-31 x")

    assert "warn  doctor_ignore: there is no check “disc”" in b24tools("doctor")[1]
    assert (0, "doctor_ignore\n", "") == b24tools("config", "doctor_ignore", "remove", "disc")


def test_the_probe_is_made_on_request_only(portal: Portal, b24tools: Run) -> None:
    """Its block is shown even where all is well and -q is given; `data` has it, too. The task is gone afterwards."""
    before = [task.id for task in portal.tasks]

    status, out, err = b24tools("-q", "doctor", "--write-probe")
    block = [line for line in out.splitlines() if line[6:].startswith("probe ")]
    data = json.loads(b24tools("doctor", "--write-probe", "--json")[1])["data"]

    assert (0, "") == (status, err)
    names = ["portal", "filter", "zones", "calendar", "chat", "history", "dropped", "xml_id", "rest3", "task"]
    assert [f"probe {name}" for name in names] == [line[6:].partition(":")[0] for line in block]
    assert block[-1] == f"ok    probe task: #{before[-1] + 1} for user #1, in project #1: made and deleted"
    assert names == [check["check"][6:] for check in data if check["check"].startswith("probe ")]
    assert before == [task.id for task in portal.tasks]
    assert portal.secret not in out


def test_a_probe_that_stays_is_said_at_once(portal: Portal, b24tools: Run) -> None:
    """On stderr, though the rest is quiet, and with status 1."""
    portal.faults.add(Fault("error", method="tasks.task.delete", times=99, code="1048582", description="No"))

    status, out, err = b24tools("-q", "doctor", "--write-probe")

    assert 1 == status
    assert "fail  probe task: #69 could not be deleted" in out
    assert err.startswith("#69 could not be deleted: tasks.task.delete: No (1048582). Look on the portal for the task")


def test_a_failure_is_status_1(portal: Portal, b24tools: Run) -> None:
    """The JSON has all checks, and the first that fails as its error."""
    portal.scopes -= {"disk", "timeman"}

    status, out, _err = b24tools("doctor", "--json")

    envelope = json.loads(out)
    assert (1, False, "doctor") == (status, envelope["ok"], envelope["command"])
    assert all(list(check) == ["check", "status", "detail", "fix"] for check in envelope["data"])
    assert ["scope disk"] == [check["check"] for check in envelope["data"] if check["status"] == "fail"]
    assert envelope["error"]["code"] == "unwell"
    assert envelope["error"]["message"].startswith("scope disk: missing")


def test_quiet_shows_only_what_is_not_ok(portal: Portal, b24tools: Run) -> None:
    """Nothing on stderr: cron mails only what somebody must look at."""
    portal.scopes.discard("disk")

    status, out, err = b24tools("-q", "doctor")

    assert (1, "") == (status, err)
    assert {"warn", "fail"} == {line[:4] for line in out.splitlines()}


def test_quiet_says_nothing_again_because_the_portal_was_away(portal: Portal, b24tools: Run) -> None:
    """What only the portal shows was not looked at then: it was not in order."""
    b24tools("mode", "polling")  # makes the database, in which it is noted
    portal.scopes.discard("calendar")
    assert "scope calendar" in b24tools("-q", "doctor")[1]
    assert "" == b24tools("-q", "doctor")[1]
    portal.faults.add(Fault("html", status=502, times=99))
    assert b24tools("-q", "doctor")[1].startswith("fail  portal: ")
    portal.faults.clear()
    assert "" == b24tools("-q", "doctor")[1]
    portal.scopes.add("calendar")
    assert "scope calendar" not in b24tools("-q", "doctor")[1]
    portal.scopes.discard("calendar")
    assert "scope calendar" in b24tools("-q", "doctor")[1]


def test_an_order_file_is_read(portal: Portal, b24tools: Run, tmp_path: Path) -> None:
    """A bad one fails, and so does one that is not there; the rest is looked at."""
    (tmp_path / "bad.json").write_text('{"НомерЗаказа": "1"}', encoding="utf-8")

    status, out, _err = b24tools("-q", "doctor", "--order", str(tmp_path / "bad.json"))
    assert 1 == status
    assert "ИдентификаторЗаказа" in out
    assert "Correct the order in 1C" in out.splitlines()[-1]

    status, out, _err = b24tools("-q", "doctor", "--order", "missing.json")
    assert "fail  order: missing.json: No such file or directory." in out


def test_all_that_is_wrong_in_the_settings_is_told(
    b24tools: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """At once, with the nearest names; what does not fit has its default, and the rest is examined."""
    monkeypatch.delenv("B24_DATA_DIR")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("B24_DEPARTAMENT", "Цех")
    env = tmp_path / "settings.env"
    env.write_text("B24_TZ=Moscow\nB24_ROUND_MINUTES=x\nBITRX_WEBHOOK_URL=https://x/rest/1/secretsecret/\nPATH=1\n")
    env.chmod(0o600)

    status, out, err = b24tools("--env-file", str(env), "-q", "doctor")

    assert 1 == status
    lines = [line.partition(": ")[0] for line in out.splitlines()]
    assert [
        "fail  setting B24_TZ",
        "fail  setting B24_ROUND_MINUTES",
        "warn  setting BITRX_WEBHOOK_URL",
        "warn  setting B24_DEPARTAMENT",
        "warn  setting B24_DATA_DIR",
        "fail  webhook",
    ] == lines
    assert "Write BITRIX_WEBHOOK_URL, if that is meant" in out
    assert "Write B24_DEPARTMENT, if that is meant" in out
    assert "secretsecret" not in out + err


def test_a_settings_file_that_cannot_be_read_is_one_line(b24tools: Run, tmp_path: Path) -> None:
    """Not UTF-8, or not there."""
    (tmp_path / "bad.env").write_bytes("B24_GROUP=Задачи".encode("cp1251"))

    for name, word in (("bad.env", "UTF-8"), ("missing.env", "No such file")):
        status, out, _err = b24tools("--env-file", str(tmp_path / name), "-q", "doctor")

        assert 1 == status
        assert "fail  env_file: " in out
        assert word in out


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such rights")
def test_a_settings_file_that_all_may_read_is_told(b24tools: Run, tmp_path: Path) -> None:
    """The webhook in it is a password."""
    (tmp_path / "open.env").write_text("B24_LANG=en\n")
    (tmp_path / "open.env").chmod(0o644)

    assert f"`chmod 600 {tmp_path / 'open.env'}`" in b24tools("--env-file", str(tmp_path / "open.env"), "doctor")[1]
    assert "chmod" not in b24tools("--env-file", "/dev/null", "doctor")[1]


def test_the_inspection_of_good_settings_is_what_is_loaded() -> None:
    """Both read the same."""
    env = {"B24_DATA_DIR": "/data", "TZ_NAME": "Asia/Omsk", "B24_BURST": "7"}

    inspection = config.inspect(env)

    assert config.load(env) == inspection.settings
    assert ((), ()) == (inspection.problems, inspection.unknown)
    assert {"B24_DATA_DIR", "B24_TZ", "B24_BURST"} == inspection.given


def test_a_terminal_shows_marks_and_the_mend_below(monkeypatch: pytest.MonkeyPatch) -> None:
    """In 80 columns, under headings; plain signs where the terminal has no others."""
    missing = "missing; stores the orders' files: orders with files fail without it"
    checks = [
        Report("ok", "https://portal.example, user 1", title="webhook", section="The portal"),
        Report("fail", missing, "tick it", title="scope disk", section="The portal"),
        Report("warn", "nobody", "`b24tools`", title="Сварщик", section="Order 7"),
        Report(
            "ok", "50 characters", title="xml_id", section="The test task (for sending to us: no names, no secrets)"
        ),
    ]
    drawn = []
    for encoding in ("utf-8", "ascii"):
        stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding, errors="replace")
        console = Console(file=stream, force_terminal=True, width=60, color_system=None, legacy_windows=False)
        monkeypatch.setattr(render_console, "open_console", lambda console=console: console)
        doctor.report(checks, folded=False)
        stream.seek(0)
        drawn.append([line.rstrip() for line in stream.read().splitlines()])

    assert [
        "The portal",
        "✓ webhook            https://portal.example, user 1",
        "✗ scope disk         missing; stores the orders' files:",
        "                     orders with files fail without it",
        "                     → Tick it.",
        "Order 7",
        "! Сварщик            nobody",
        "                     → `b24tools`",
        "The test task (for sending to us: no names, no secrets)",
        "✓ xml_id             50 characters",
    ] == drawn[0]
    assert "x scope disk" in drawn[1][2]
    assert "-> Tick it." in drawn[1][4]


@pytest.mark.parametrize(("language", "readme"), [("en", "docs/doctor.md"), ("ru", "docs/ru/doctor.md")])
def test_the_example_in_the_readme_is_what_is_drawn(
    works: Works, monkeypatch: pytest.MonkeyPatch, language: str, readme: str
) -> None:
    """With a scope taken away, a position without a department and a newcomer."""
    i18n.use(language)
    make_well(works)
    works.portal.scopes.discard("disk")
    demo_company.person(works.portal, "Фомин").last_login = None
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=True, width=80, color_system=None, legacy_windows=False)
    monkeypatch.setattr(render_console, "open_console", lambda: console)
    checks = examine(works, route=("Плоттер",))

    doctor.report(checks)

    drawn = [line.rstrip() for line in stream.getvalue().splitlines()]
    text = (Path(__file__).parent.parent.parent / readme).read_text(encoding="utf-8")
    (block,) = (body for body in text.split("```text\n")[1:] if "✗" in body)
    *findings, verdict = block.partition("```")[0].splitlines()
    assert [] == [line for line in findings if line not in drawn]
    assert doctor.verdict(checks).partition(": ")[2] == verdict.partition(": ")[2]
