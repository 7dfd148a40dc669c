"""`schedule`: what it prints for cron, systemd and Windows, and how that gets there and away."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from xml.etree import ElementTree

import pytest

from b24tools.cli import app
from b24tools.core import config
from b24tools.jobs import schedule as job
from b24tools.render import schedule as render_schedule
from scripts import write_schedule
from tests.contract.test_docs import _parse

EXAMPLE = write_schedule.EXAMPLE
ODD = replace(EXAMPLE, env_file="/opt/b24 $t%/.env", inbox="/srv/1c's/or ders", data_dir="/var/lib/b 24")
NAMESPACE = "{http://schemas.microsoft.com/windows/2004/02/mit/task}"
WEBHOOK = "https://portal.example/rest/1/abcdefgh12/"
AS_ROOT = pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root acts for others")
FAKE = """#!/bin/sh
echo "$*" >> {log}
{body}
"""


@pytest.fixture
def env_file(tmp_path: Path) -> Path:
    """Settings as cron reads them."""
    file = tmp_path / ".env"
    file.write_text(f"BITRIX_WEBHOOK_URL={WEBHOOK}\nB24_DATA_DIR=data\n", "utf-8")
    return file


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of programs that stand for those of the system: crontab has a file, systemctl notes its words."""
    folder = tmp_path / "programs"
    folder.mkdir()
    bodies = {
        "crontab": f"""[ "$1" = -u ] && shift 2
if [ "$1" = - ]; then cat > {folder}/tab; elif [ -f {folder}/tab ]; then cat {folder}/tab
else echo no crontab for me >&2; exit 1; fi""",
        "systemctl": "",
    }
    for name, body in bodies.items():
        (folder / name).write_text(FAKE.format(log=folder / f"{name}.log", body=body), "utf-8")
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr(job, "find_program", lambda: ("/opt/b24tools/.venv/bin/b24tools",))
    return folder


def called(programs: Path, name: str) -> list[str]:
    """How a program was called, in turn."""
    return (programs / f"{name}.log").read_text("utf-8").splitlines()


def test_the_crontab_and_the_pages_have_what_is_printed() -> None:
    """`python -m scripts.write_schedule` was run."""
    files = write_schedule.fill()

    assert [] == [path.name for path, text in files.items() if text != path.read_text("utf-8")]
    assert [4, 4] == [text.count("```ini\n# /etc/systemd") for path, text in files.items() if path.suffix == ".md"]


def test_all_three_run_the_same_commands() -> None:
    """With the settings file, quietly; the shell, systemd and Windows take odd paths apart as they are meant."""
    cron = [line.split(maxsplit=5)[5] for line in render_schedule.cron(ODD).splitlines() if re.match(r"[\d*]", line)]
    lines = [
        re.findall(r"^ExecStart=(.*)$", text, re.M)[0].replace("$$", "$").replace("%%", "%")
        for name, text in render_schedule.units(replace(ODD, serve=False)).items()
        if name.endswith(".service")
    ]
    tasks = [ElementTree.fromstring(text.encode("utf-16")) for text in render_schedule.tasks(ODD).values()]
    windows = [
        [task.findtext(f".//{NAMESPACE}Command"), *shlex.split(task.findtext(f".//{NAMESPACE}Arguments") or "")]
        for task in tasks
    ]

    commands = [shlex.split(command.replace(r"\%", "%")) for command in cron]
    assert [shlex.split(line) for line in lines] == commands[:-1] == windows
    assert {(*ODD.program, "--env-file", ODD.env_file, "-q")} == {tuple(command[:4]) for command in commands}
    for command in commands:
        _parse(command[1:])


def test_the_digest_needs_somebody_to_send_to_and_orders_a_folder() -> None:
    """Else these entries would fail every day."""
    bare = replace(EXAMPLE, notify=False, inbox="", serve=False)

    assert ["snapshot", "reconcile", "backup", "doctor", "replan"] == [entry.name for entry in bare.entries()]
    assert 10 == len(render_schedule.units(bare))


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="there is no systemd-analyze")
@pytest.mark.parametrize("user", ["root", ""])
def test_systemd_takes_the_units(user: str, tmp_path: Path) -> None:
    """Without a remark."""
    installation = replace(ODD, program=(sys.executable, "-m", "b24tools"), user=user)
    for name, text in render_schedule.units(installation).items():
        (tmp_path / name).write_text(text, "utf-8")

    kind = [] if user else ["--user"]
    done = subprocess.run(
        ["systemd-analyze", *kind, "verify", *map(str, tmp_path.iterdir())],
        capture_output=True,
        encoding="utf-8",
        env=os.environ | {"XDG_RUNTIME_DIR": str(tmp_path)},
        check=False,
    )

    assert (0, "") == (done.returncode, done.stdout + done.stderr)


def test_windows_reads_the_times() -> None:
    """Every minute or five; every day; on working days; one at a time, as the system."""
    tasks = {
        name: ElementTree.fromstring(text.encode("utf-16")) for name, text in render_schedule.tasks(EXAMPLE).items()
    }

    times = {
        name.removeprefix("b24tools-"): (
            task.findtext(f".//{NAMESPACE}Interval"),
            (task.findtext(f".//{NAMESPACE}StartBoundary") or "").partition("T")[2],
            len(list(task.iterfind(f".//{NAMESPACE}DaysOfWeek/*"))),
        )
        for name, task in tasks.items()
    }
    assert {
        "assign": ("PT1M", "00:00:00", 0),
        "snapshot": ("PT5M", "00:00:00", 0),
        "reconcile": (None, "03:27:00", 7),
        "backup": (None, "02:07:00", 7),
        "doctor": (None, "04:12:00", 7),
        "replan": (None, "06:30:00", 5),
        "digest": (None, "08:50:00", 5),
    } == times
    assert list(tasks) == render_schedule.task_names(EXAMPLE)
    service = ElementTree.fromstring(render_schedule.winsw(ODD))
    words = shlex.split(service.findtext("arguments") or "")
    assert [*ODD.program, "--env-file", ODD.env_file, "serve"] == [service.findtext("executable"), *words]


@pytest.mark.usefixtures("env_file")
def test_cron_takes_the_lines_and_gives_them_back(
    programs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Once however often they are put there, behind what was there, which stays as it is."""
    tab = programs / "tab"
    tab.write_text("MAILTO=boss\n0 0 * * *  backup\n", "utf-8")
    app.main(["schedule", "cron", "--inbox", "orders"])
    block = capsys.readouterr().out

    assert 0 == app.main(["schedule", "cron", "--install"])
    assert 0 == app.main(["schedule", "cron", "--inbox", "orders", "--install"])
    assert f"MAILTO=boss\n0 0 * * *  backup\n\n{block}" == tab.read_text("utf-8")
    assert f"-q assign --inbox {tmp_path}/orders\n" in block
    assert 0 == app.main(["schedule", "cron", "--remove"])
    assert "MAILTO=boss\n0 0 * * *  backup\n" == tab.read_text("utf-8")
    assert 0 == app.main(["schedule", "cron", "--remove"])
    assert "The crontab has no entries of these settings.\n" == capsys.readouterr().err.splitlines(keepends=True)[-1]


def test_a_settings_file_has_one_name(programs: Path, env_file: Path, tmp_path: Path) -> None:
    """However it is reached: a second installation takes the place of the first, and systemd takes no `..`."""
    env_file.write_text(env_file.read_text("utf-8").replace("=data", "=programs/../data"), "utf-8")
    words = ["--env-file", "programs/../.env", "schedule", "cron", "--inbox", "programs/../orders", "--install"]

    assert 0 == app.main(["schedule", "cron", "--inbox", "orders", "--install"])
    first = (programs / "tab").read_text("utf-8")
    assert 0 == app.main(words)

    assert first == (programs / "tab").read_text("utf-8")
    assert tmp_path / "data" == config.load({}, env_file).data_dir


@AS_ROOT
def test_root_gives_the_entries_to_the_user_of_the_settings(
    programs: Path, units_folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of cron as of systemd; what that user could not use at night is refused now."""
    monkeypatch.setattr(job, "find_program", lambda: ("/bin/true",))
    with TemporaryDirectory() as name:
        folder, file = Path(name), Path(name, ".env")
        file.write_text(f"BITRIX_WEBHOOK_URL={WEBHOOK}\nB24_DATA_DIR=data\n", "utf-8")
        file.chmod(0o600)
        words = ["--env-file", str(file), "schedule", "cron", "--install"]

        assert 2 == app.main([*words, "--user", "no-such"])
        assert 2 == app.main([*words, "--user", "nobody"])
        folder.chmod(0o755)
        assert 2 == app.main([*words, "--user", "nobody"])
        shutil.chown(file, "nobody")
        (folder / "data").mkdir(0o700)
        assert 2 == app.main(words)
        assert 2 == app.main(["--env-file", str(file), "schedule", "systemd", "--install"])
        shutil.chown(folder / "data", "nobody")
        assert 0 == app.main(words)
        assert 0 == app.main([*words[:-1], "--remove"])
        monkeypatch.setattr(job, "find_program", lambda: ("/bin/false",))
        assert 2 == app.main(words)

    hints = [
        f"`chown nobody {path}`, as root; and others must be let into the folders above it.\n"
        for path in (file, folder / "data")
    ]
    assert (
        "there is no user no-such. Make one, `useradd --system no-such`, or name another one with --user.\n"
        + f"nobody may not read {file}. {hints[0]}" * 2
        + f"nobody may not write to {folder}/data. {hints[1]}" * 2
        + "The crontab has the entries; `crontab -u nobody -l` shows them.\n"
        "The entries are out of the crontab.\n"
        "nobody cannot run `/bin/false --version`. As that user it says why; what is below /root, Python too, is for "
        "root only: install it elsewhere.\n"
    ) == capsys.readouterr().err
    assert ["-u nobody -l", "-u nobody -", "-u nobody -l", "-u nobody -"] == called(programs, "crontab")
    assert not units_folder.exists()


@AS_ROOT
def test_root_gives_no_entries_to_who_cannot_read_the_settings_of_each_profile(
    programs: Path, units_folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nor to who cannot list the folder in which they are; of cron as of systemd."""
    monkeypatch.setattr(job, "find_program", lambda: ("/bin/true",))
    with TemporaryDirectory() as name:
        folder, file, profiles = Path(name), Path(name, ".env"), Path(name, "profiles")
        folder.chmod(0o755)
        profiles.mkdir(0o711)
        file.write_text(f"B24_PROFILES={profiles}\n", "utf-8")
        files = [profiles / f"{one}.env" for one in ("one", "two")]
        for one in files:
            one.write_text(f"BITRIX_WEBHOOK_URL={WEBHOOK}\nB24_DATA_DIR={folder / one.stem}\n", "utf-8")
            one.chmod(0o600)
        words = ["--env-file", str(file), "schedule"]
        for path, kind in ((profiles, "cron"), (files[0], "cron"), (files[1], "systemd")):
            assert 2 == app.main([*words, kind, "--user", "nobody", "--install"])
            assert f"nobody may not read {path}. " in capsys.readouterr().err
            shutil.chown(path, "nobody")
        assert 0 == app.main([*words, "cron", "--user", "nobody", "--install"])


@pytest.mark.usefixtures("env_file")
def test_a_first_crontab_is_made(programs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Where there was none."""
    app.main(["schedule"])

    assert 0 == app.main(["schedule", "cron", "--install"])
    out, err = capsys.readouterr()
    assert (out, "The crontab has the entries; `crontab -l` shows them.\n") == (
        (programs / "tab").read_text("utf-8"),
        err,
    )


def test_a_damaged_crontab_stays(programs: Path, env_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What follows a beginning without an end is not ours to delete."""
    text = f"# b24tools begin: {env_file}\n0 0 * * *  backup\n"
    (programs / "tab").write_text(text, "utf-8")

    assert 2 == app.main(["schedule", "cron", "--install"])
    assert (
        f"the crontab has the line “# b24tools begin: {env_file}”, but not “# b24tools end: {env_file}”. "
        "Take out the lines of b24tools by hand with `crontab -e`, then run this again.\n"
    ) == capsys.readouterr().err
    assert text == (programs / "tab").read_text("utf-8")


@pytest.mark.usefixtures("env_file")
def test_a_crontab_that_cannot_be_read_is_not_overwritten(programs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A refusal is said in one line."""
    (programs / "crontab").write_text("#!/bin/sh\necho you are not allowed >&2; exit 1\n", "utf-8")

    assert 1 == app.main(["schedule", "cron", "--install"])
    assert (
        "`crontab -l` failed: you are not allowed. "
        "Without --install the entries are printed, to be put there by hand.\n"
    ) == capsys.readouterr().err


@pytest.fixture
def units_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """In place of /etc/systemd/system."""
    folder = tmp_path / "units"
    monkeypatch.setattr(job, "SYSTEM_UNITS", folder)
    return folder


def test_systemd_takes_the_units_and_gives_them_back(
    programs: Path, units_folder: Path, env_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The data folder is made first; what is no longer wanted is stopped and deleted; others' units stay."""
    command = ["schedule", "systemd", "--user", env_file.owner()]

    assert 0 == app.main([*command, "--inbox", "orders", "--serve", "--install"])
    first = sorted(path.name for path in units_folder.iterdir())
    (units_folder / "b24tools-mine.service").write_text("[Service]\n", "utf-8")
    assert 0 == app.main([*command, "--install"])
    second = sorted(path.name for path in units_folder.iterdir())
    assert 0 == app.main([*command, "--remove"])

    assert (tmp_path / "data").is_dir()
    staying = [
        f"b24tools-{name}.{kind}"
        for name in ("backup", "doctor", "reconcile", "replan", "snapshot")
        for kind in ("service", "timer")
    ]
    gone = ["b24tools-assign.path", "b24tools-assign.timer", "b24tools.service"]
    assert sorted([*staying, *gone, "b24tools-assign.service"]) == first
    assert sorted([*staying, "b24tools-mine.service"]) == second
    assert ["b24tools-mine.service"] == [path.name for path in units_folder.iterdir()]
    timers = " ".join(f"b24tools-{name}.timer" for name in ("snapshot", "reconcile", "backup", "doctor", "replan"))
    assert [
        "daemon-reload",
        "daemon-reload",
        f"enable --now b24tools-assign.timer b24tools-assign.path {timers} b24tools.service",
        "daemon-reload",
        f"disable --now {' '.join(gone)}",
        "daemon-reload",
        f"enable --now {timers}",
        f"disable --now {' '.join(sorted(timers.split()))}",
        "daemon-reload",
    ] == called(programs, "systemctl")
    assert capsys.readouterr().err.endswith(f"Removed from {units_folder}: {', '.join(staying)}\n")


def test_nothing_is_written_where_systemd_does_not_run(
    programs: Path, units_folder: Path, env_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As in a container, which may have its program."""
    (programs / "systemctl").write_text("#!/bin/sh\n[ $1 = --version ] || { echo not booted >&2; exit 1; }\n", "utf-8")

    assert 1 == app.main(["schedule", "systemd", "--user", env_file.owner(), "--install"])
    assert capsys.readouterr().err.startswith("`systemctl daemon-reload` failed: not booted. ")
    assert (False, False) == (units_folder.exists(), (tmp_path / "data").exists())


def test_units_of_another_installation_stay(
    programs: Path, units_folder: Path, env_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A second portal on the machine needs another name."""
    units_folder.mkdir()
    other = units_folder / "b24tools-snapshot.timer"
    other.write_text("# Made by `b24tools schedule systemd` for /opt/other/.env\n", "utf-8")

    assert 2 == app.main(["schedule", "systemd", "--user", env_file.owner(), "--install"])
    assert (
        f"{other} does not begin with “# Made by `b24tools schedule systemd` for {env_file}”: it is of another "
        "installation. Choose another name for these with --name, or remove that file.\n"
    ) == capsys.readouterr().err
    assert 0 == app.main(["schedule", "systemd", "--user", env_file.owner(), "--name", "plant2", "--install"])
    assert [other] == list(units_folder.glob("b24tools*"))


@pytest.mark.parametrize(
    ("words", "settings", "line"),
    [
        (
            [],
            None,
            "there is no settings file: cron and services know no others. "
            "`b24tools init` writes one; name another one with --env-file.",
        ),
        (
            [],
            "BITRIX_WEBHOOK_URL=https://portal.example/rest/1/abcdefgh12/",
            "B24_DATA_DIR is not set in {file}: cron and services know no other settings. "
            "Set it there, or let `b24tools init` do it.",
        ),
        (
            ["cron", "--serve"],
            "",
            "cron runs no service: --serve is for systemd and windows. Leave it out, or choose those.",
        ),
        (
            ["windows", "--user", "b24tools"],
            "",
            "tasks of Task Scheduler run as SYSTEM: --user is for cron and systemd. Leave it out.",
        ),
        (["--install", "--remove"], "", "--install and --remove exclude each other. Give one of them."),
        (["--name", "a/b"], "", '--name "a/b" cannot be a part of a file name. An example: plant2.'),
        (
            ["windows", "--install"],
            "BITRIX_WEBHOOK_URL=https://portal.example/rest/1/abcdefgh12/\nB24_DATA_DIR=data",
            "Task Scheduler is a part of Windows, and this is another system. "
            "Without --install the entries are printed; run this on the Windows machine itself.",
        ),
    ],
)
def test_schedule_says_what_to_do(
    words: list[str], settings: str | None, line: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What cron would not find is refused now; environment variables are not there at night."""
    file = tmp_path / ".env"
    if settings is not None:
        file.write_text(f"{settings}\n", "utf-8")

    assert 2 == app.main(["schedule", *words])
    assert ("", f"{line.format(file=file)}\n") == capsys.readouterr()


def test_entries_go_though_the_settings_are_gone(programs: Path, env_file: Path) -> None:
    """They are found by the name of the file."""
    assert 0 == app.main(["schedule", "cron", "--install"])
    env_file.unlink()

    assert 0 == app.main(["--env-file", str(env_file), "schedule", "cron", "--remove"])
    assert "" == (programs / "tab").read_text("utf-8")


@pytest.mark.parametrize("scheduler", ["cron", "systemd", "windows"])
def test_no_secret_is_printed(scheduler: str, env_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Entries name the settings file; crontabs, units and tasks can be read by others."""
    assert 0 == app.main(["schedule", scheduler, "--inbox", "orders", *(["--serve"] if scheduler != "cron" else [])])
    out, err = capsys.readouterr()
    assert (True, False, "") == (str(env_file) in out, "abcdefgh12" in out, err)
