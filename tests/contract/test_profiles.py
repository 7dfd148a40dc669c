"""`--profile`, on both sides of a command, and what runs by it."""

from __future__ import annotations

import io
import json
import re
import shlex
import sys
from contextlib import closing
from pathlib import Path

import pytest

from b24tools.cli import app
from b24tools.jobs import schedule as job
from b24tools.sandbox.state import Portal
from b24tools.store import open_store
from tests.contract.test_setup import is_private, portal
from tests.support import closed_tasks

__all__ = ["portal"]  # the fixture

WEBHOOK = "BITRIX_WEBHOOK_URL=https://portal.example/rest/1/abcdefgh12/\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the profiles, with one."""
    folder = tmp_path / "profiles"
    folder.mkdir()
    monkeypatch.setenv("B24_PROFILES", str(folder))
    (folder / "one.env").write_text(f"{WEBHOOK}B24_DATA_DIR=one\n", "utf-8")
    return folder


@pytest.mark.parametrize("words", [["--profile", "one", "mode", "webhook"], ["mode", "webhook", "--profile=one"]])
def test_a_profile_has_a_database_of_its_own(
    words: list[str], folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """On whichever side of the command it stands; the environment's stays as it is."""
    assert 0 == app.main(words)
    capsys.readouterr()

    assert 0 == app.main(["mode"])
    assert "polling\n" == capsys.readouterr().out
    assert (folder / "one" / "b24tools.db").exists()


def test_two_profiles_are_refused_and_one_twice_is_one(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """On both sides of the command: the last one does not win. Likewise two settings files."""
    assert 0 == app.main(["--profile", "one", "mode", "--profile=one"])
    for words, message in (
        (["--profile", "one", "mode", "--profile", "two"], "--profile is given more than once: one, two"),
        (["mode", "--env-file=a", "--env-file", "b"], "--env-file is given more than once: a, b"),
    ):
        capsys.readouterr()
        assert 2 == app.main(words)
        assert f"{message}. Name one of them.\n" == capsys.readouterr().err
    assert 2 == app.main(["mode", "--profile=one", "--profile=two", "--json"])
    assert "usage" == json.loads(capsys.readouterr().out)["error"]["code"]


def test_the_language_is_the_profiles(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Here it wins over the environment, too."""
    (folder / "one.env").write_text("B24_LANG=ru\nB24_DATA_DIR=one\n", "utf-8")

    assert 2 == app.main(["--profile", "one", "snapshot"])
    assert "не задан BITRIX_WEBHOOK_URL" in capsys.readouterr().err


def test_advice_is_for_this_profile(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A command in it can be copied."""
    (folder / "one.env").write_text("B24_DATA_DIR=one\n", "utf-8")

    assert 2 == app.main(["--profile", "one", "snapshot"])
    assert "Run `b24tools --profile one init` with the URL" in capsys.readouterr().err
    assert 2 == app.main(["--profile", "one", "snapshot", "--json"])
    assert "Run `b24tools --profile one init` with the URL" in json.loads(capsys.readouterr().out)["error"]["hint"]
    for words in (["doctor"], ["doctor", "--json"], ["-v", "doctor"]):
        app.main(["--profile", "one", *words])
        assert set(re.findall(r"`b24tools \S+ \S+ \w+", capsys.readouterr().out)) >= {"`b24tools --profile one init"}
    app.main(["doctor"])
    assert "--profile" not in capsys.readouterr().out


def test_a_profile_that_is_not_there(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With what there is."""
    assert 2 == app.main(["mode", "--profile", "two"])
    assert (
        f"there is no profile {folder / 'two.env'}. There are: one. `b24tools --profile two init` writes it.\n"
    ) == capsys.readouterr().err


def test_init_writes_a_profile(
    portal: tuple[Portal, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its folder, too, for its owner alone; the webhook of the environment is another portal's."""
    _plant, webhook = portal
    monkeypatch.setenv("B24_PROFILES", str(tmp_path / "new"))
    monkeypatch.setenv("BITRIX_WEBHOOK_URL", "https://other.example/rest/1/abcdefgh12/")

    assert 2 == app.main(["--profile", "two", "init", "--yes"])
    assert "there is no webhook, and no terminal to ask for it" in capsys.readouterr().err
    monkeypatch.setattr(sys, "stdin", io.StringIO(f"{webhook}\n"))
    assert 0 == app.main(["--profile", "two", "init", "--webhook-file", "-"])

    file = tmp_path / "new" / "two.env"
    assert f"{file} is written. Next: `b24tools --profile two doctor` checks everything" in capsys.readouterr().err
    assert is_private(file)
    assert f"BITRIX_WEBHOOK_URL={webhook}\n" in (text := file.read_text("utf-8"))
    assert f"B24_DATA_DIR={tmp_path / 'home' / 'b24tools-two'}\n" in text


def test_the_profile_stands_in_the_entries(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the file that names the folder: cron knows no environment. Units have the profile in their names."""
    monkeypatch.setattr(job, "find_program", lambda: ("/opt/b24tools",))

    assert 2 == app.main(["--profile", "one", "schedule", "cron"])
    assert "B24_PROFILES is not set in .env: cron and services know no other settings" in capsys.readouterr().err
    (tmp_path / ".env").write_text("B24_PROFILES=profiles\n", "utf-8")
    assert 0 == app.main(["--profile", "one", "schedule", "cron"])
    lines = capsys.readouterr().out.splitlines()
    assert 0 == app.main(["--profile", "one", "schedule", "systemd", "--user", "b24"])
    units = capsys.readouterr().out

    assert f"# b24tools begin: {folder / 'one.env'}" == lines[0]
    commands = [shlex.split(line)[5:] for line in lines if line[:1] in "*0123456789" and line]
    assert {("/opt/b24tools", "--env-file", str(tmp_path / ".env"), "--profile", "one", "-q")} == {
        tuple(command[:6]) for command in commands
    }
    assert "# /etc/systemd/system/b24tools-one-snapshot.service\n" in units
    assert f"ReadWritePaths={folder / 'one'}\n" in units


def test_one_entry_is_for_all_profiles(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where the settings name their folder and no portal; each has its inbox and its data folder."""
    monkeypatch.setattr(job, "find_program", lambda: ("/opt/b24tools",))
    (tmp_path / ".env").write_text("B24_PROFILES=profiles\n", "utf-8")
    (folder / "two.env").write_text("B24_DATA_DIR=two\nB24_NOTIFY=chat1\n", "utf-8")

    def schedule(*words: str) -> str:
        assert 0 == app.main(["schedule", *words])
        return capsys.readouterr().out

    cron = [line.split(maxsplit=5)[5] for line in schedule("cron").splitlines() if line[:1] in "*0123456789" and line]
    each = f"/opt/b24tools --env-file {tmp_path / '.env'} -q each"
    commands = "snapshot", "snapshot --reconcile", "backup --keep 14", "doctor", "replan --yes", "leaderboard last"
    assert [f"{each} -- {words}" for words in commands] == cron
    units = schedule("systemd", "--user", "b24", "--inbox", "/srv/1c/{profile}")
    inbox = "--timeout 10m -- assign --inbox /srv/1c/{profile}\nSuccessExitStatus=75\nTimeoutStartSec=infinity\n"
    assert f"ExecStart={each} {inbox}" in units
    assert "[Path]\nPathChanged=/srv/1c/one\nPathChanged=/srv/1c/two\n" in units
    assert f"ReadWritePaths=-{folder / 'one'} -{folder / 'two'} -/srv/1c/one -/srv/1c/two\n" in units
    assert "<ExecutionTimeLimit>PT0S</ExecutionTimeLimit>" in schedule("windows")
    (folder / "one.env").write_text(f"{WEBHOOK}B24_DATA_DIR=one\nB24_NOTIFY=chat1\n", "utf-8")
    assert f"{each} -- digest\n" in schedule("cron")


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["cron", "--inbox", "/srv/1c"], "/srv/1c would be one and the same for all portals"),
        (["systemd", "--serve"], ".env names the folder of many portals, and a service is for one"),
        (["cron"], "B24_DATA_DIR is not set in {folder}/two.env"),
    ],
)
def test_what_is_nothing_for_all_profiles_is_refused(
    words: list[str], line: str, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Before an entry is printed."""
    (tmp_path / ".env").write_text("B24_PROFILES=profiles\n", "utf-8")
    (folder / "two.env").write_text(WEBHOOK, "utf-8")

    assert 2 == app.main(["schedule", *words])
    out, err = capsys.readouterr()
    assert ("", True) == (out, line.format(folder=folder) in err), err


def test_what_is_quiet_is_so_for_each_profile(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One cause of two portals is said of both."""
    (folder / "two.env").write_text(f"{WEBHOOK}B24_DATA_DIR=two\n", "utf-8")
    for name in ("one", "two"):
        with closing(open_store(folder / name / "b24tools.db")) as store:
            closed_tasks.plant(store)

    said = []
    for name in ("one", "one", "two"):
        assert 1 == app.main(["-q", "--profile", name, "leaderboard", "2026-W47", "--max-age", "1m"])
        said.append(bool(capsys.readouterr().err))

    assert [True, False, True] == said
