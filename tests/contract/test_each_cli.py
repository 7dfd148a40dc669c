"""`each`: a command for all profiles, in processes of their own."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from b24tools.cli import app
from b24tools.jobs import schedule as job
from b24tools.jobs.each import Answer
from b24tools.sandbox import demo_company, server

FAKE = """import json, sys
words = sys.argv[1:]
profile = words[0].removeprefix("--profile=")
if "--json" in words:
    found = [["ok", "a"], ["warn", "b"], ["fail", "c"]][: {"one": 1, "two": 3}.get(profile, 0)]
    print(json.dumps({"data": [{"check": c, "status": s, "detail": "d"} for s, c in found], "error": None}))
elif profile == "two":
    print("it is broken", file=sys.stderr)
elif "-q" not in words and profile != "silent":
    print(*words[1:])
sys.exit({"two": 1, "silent": 75}.get(profile, 0))
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three profiles, and a program in place of ours."""
    folder = tmp_path / "profiles"
    folder.mkdir()
    for name in ("one", "two", "three"):
        (folder / f"{name}.env").touch()
    monkeypatch.setenv("B24_PROFILES", str(folder))
    (tmp_path / "fake.py").write_text(FAKE, "utf-8")
    monkeypatch.setattr(job, "find_program", lambda: (sys.executable, "-S", "-E", str(tmp_path / "fake.py")))
    return folder


def run(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, list[str], list[str]]:
    """Exit status and the lines of both outputs; as they end is no order."""
    status = app.main(list(words))
    out, err = capsys.readouterr()
    return status, sorted(out.splitlines()), sorted(err.splitlines())


@pytest.mark.usefixtures("folder")
def test_each_line_has_its_portal_in_front(capsys: pytest.CaptureFixture[str]) -> None:
    """The profile also stands where its name is to go; the summary names who was not done."""
    inbox = ["assign", "--inbox", "/srv/{profile}"]
    one, three = "one    assign --inbox /srv/one", "three  assign --inbox /srv/three"
    summary = "3 portals: 2 done; with another exit status: two (1)."

    assert (1, [one, three], [summary, "two    it is broken"]) == run(capsys, "each", "--", *inbox)
    assert (1, [], ["two    it is broken"]) == run(capsys, "-q", "each", "--", *inbox)
    assert (0, ["one    mode", "three  mode"], ["2 portals: all done."]) == run(
        capsys, "each", "mode", "--profiles", "one, three"
    )


def test_one_that_says_nothing_has_a_line(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """But for cron. What is no profile by its name is named."""
    (folder / "silent.env").touch()
    (folder / "Silent Too.env").touch()
    warning = "no profiles, by their names: Silent Too.env; a name has small Latin letters, digits and hyphens."

    assert (
        75,
        ["one     mode", "silent  exit status 75"],
        ["2 portals: 1 done; with another exit status: silent (75)."],
    ) == (run(capsys, "each", "--profiles", "silent,one", "--", "mode"))
    assert warning in run(capsys, "each", "--", "mode")[2]
    assert (75, [], []) == run(capsys, "-q", "each", "--profiles", "silent,one", "--", "mode")


def test_a_profile_that_is_gone_stops_no_other(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Its own run says so; a link that leads nowhere is none to be left out."""
    (folder / "link.env").symlink_to(folder / "nowhere")
    assert [f"{name}  mode" for name in ("link ", "one  ", "three")] == run(capsys, "each", "--", "mode")[1]
    assert ["gone  mode", "one   mode"] == run(capsys, "each", "--profiles", "gone,one", "--", "mode")[1]


def test_what_stays_wrong_is_mailed_once(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A file that is no profile, a portal that is cut off each time: not with every line of cron."""
    (folder / "Two.env").touch()
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    cut = [Answer("one", 75, "", "it is broken\ninterrupted\n", in_time=False)]
    monkeypatch.setattr("b24tools.jobs.each.run_each", lambda *_words: cut)
    runs = [run(capsys, "-q", "each", "--", "mode") for _time in range(2)]
    warning = "no profiles, by their names: Two.env; a name has small Latin letters, digits and hyphens."
    lines = ["one    Cut off after 1h; it is safe to run it again.", "one    interrupted", "one    it is broken"]
    assert [(75, [], [warning, *lines]), (75, [], lines[2:])] == runs


@pytest.mark.usefixtures("folder")
def test_doctor_is_one_table(capsys: pytest.CaptureFixture[str]) -> None:
    """How many checks are how, and the first to begin with."""
    assert 1 == app.main(["each", "doctor"])
    assert (
        "Portal  OK  To look at  Fail  Begin with\n"
        "one      1           0     0  -\n"
        "three    -           -     -  done\n"
        "two      1           1     1  c: d\n"
    ) == capsys.readouterr().out


@pytest.mark.usefixtures("folder")
def test_json_has_the_answer_of_each(capsys: pytest.CaptureFixture[str]) -> None:
    """On whichever side --json stands."""
    for words in (["each", "--json", "--", "doctor"], ["each", "--", "doctor", "--json"]):
        assert 1 == app.main(words)
        answer = json.loads(capsys.readouterr().out)
        assert ("each", False, "failed") == (answer["command"], answer["ok"], answer["error"]["code"])
        assert [("one", 0, 1), ("three", 0, 0), ("two", 1, 3)] == [
            (portal["profile"], portal["status"], len(portal["answer"]["data"])) for portal in answer["data"]
        ]


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["each", "--", "serve"], "serve is nothing for all portals at once"),
        (["each", "--", "each", "mode"], "each is nothing for all portals at once"),
        (["each", "--", "-q", "mode"], "-q stands before the command"),
        (["each", "--", "snapshott"], "No such command snapshott (the nearest is snapshot)"),
        (["each", "--", "snapshot", "--wek"], "no such option: --wek"),
        (["each", "--json", "--", "export", "people"], "export has no --json"),
        (["each", "--", "assign", "--inbox", "/srv/1c"], "/srv/1c would be one and the same for all portals"),
        (["each", "--", "assign", "{profile}.json", "a.json"], "a.json would be one and the same for all portals"),
        (["each", "--", "backup", "a.zip"], "a.zip would be one and the same for all portals"),
        (["--profile", "one", "each", "--", "mode"], "--profile and each exclude each other"),
        (["each", "--timeout", "0m", "--", "mode"], "--timeout 0m leaves no time"),
        (["each", "--profiles", "one,../two", "--", "mode"], '"../two" cannot be the name of a profile'),
    ],
)
def test_what_is_wrong_for_all_is_refused_once(
    words: list[str], reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Before any portal is touched."""
    assert 2 == app.main(words)
    out, err = capsys.readouterr()
    assert not out or json.loads(out)["data"] is None
    assert reason in err


@pytest.mark.long
def test_thirty_portals_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One of them broken: real processes, a sandbox with a webhook for each; cron's line and the table of doctor."""
    folder = tmp_path / "profiles"
    folder.mkdir()
    monkeypatch.setenv("B24_PROFILES", str(folder))
    names = [f"p{number:02}" for number in range(30)]
    plant = demo_company.build(lambda: datetime.now(UTC))
    with server.serve(plant) as url:
        for name in names:
            webhook = "" if name == "p07" else plant.webhook_url(url)
            (folder / f"{name}.env").write_text(
                f"BITRIX_WEBHOOK_URL={webhook}\nB24_DATA_DIR={name}\nB24_REQUESTS_PER_SECOND=1000\nB24_RETRY_SECONDS=0\n",
                "utf-8",
            )
        status, out, err = run(capsys, "each", "--", "snapshot")
        assert 1 == app.main(["each", "--profiles", "p00,p07", "doctor"])
        table = capsys.readouterr().out.splitlines()

    others = [name for name in names if name != "p07"]
    assert 2 == status
    assert set(others) == {line[:3] for line in out}
    assert ["30 portals: 29 done; with another exit status: p07 (2).", "p07  BITRIX_WEBHOOK_URL is not set"] == [
        line.partition(". Run")[0] for line in err
    ]
    assert ["p00", "p07"] == [line[:3] for line in table[1:]]
    assert all((folder / name / "b24tools.db").exists() for name in others)
