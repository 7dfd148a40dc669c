"""What runs by itself, and putting it into cron, systemd or Task Scheduler."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from b24tools.core import data_folder, errors
from b24tools.core.i18n import _, os_reason
from b24tools.core.profiles import PLACEHOLDER

DAILY, WORKDAYS, MONDAYS = range(7), range(5), range(1)
SYSTEM_UNITS = Path("/etc/systemd/system")
NO_CRONTAB = "no crontab for"  # what crontab says of a user without one


@dataclass(frozen=True)
class Entry:
    """A command that runs by itself: every so many minutes, or at a clock time on some days (0 is Monday)."""

    name: str
    words: tuple[str, ...]
    purpose: str
    every_min: int = 0
    at: str = ""
    days: range = DAILY


@dataclass(frozen=True)
class Installation:
    """What the entries say of this installation; paths are absolute.

    `program`: how b24tools is started. `profile`: the portal's, of those that `profiles_file` names a folder of; ""
    for the only one. `inbox`: "" where orders come over HTTP only. `user`: whom units of the system run as, or whose
    crontab it is; "" for one's own. `name`: how all entries begin. `serve`: with the service. `zone`: of the plant.
    `profiles`: the data folder of each where one entry is for all of them; then `inbox` has the profile in its name,
    and `profile_files` are their settings files.
    """

    program: tuple[str, ...]
    env_file: str
    data_dir: str
    inbox: str = ""
    user: str = ""
    name: str = "b24tools"
    notify: bool = False
    serve: bool = False
    zone: str = ""
    profile: str = ""
    profiles_file: str = ""
    profiles: Mapping[str, str] = field(default_factory=dict)
    profile_files: tuple[str, ...] = ()

    @property
    def data_dirs(self) -> list[str]:
        """The folders that entries write to, of each profile its own."""
        return list(self.profiles.values()) or [self.data_dir]

    @property
    def settings_files(self) -> list[str]:
        """The files that entries read their settings from, and the folder in which they look for profiles."""
        folders = dict.fromkeys(str(Path(file).parent) for file in self.profile_files)
        return [file for file in (self.env_file, self.profiles_file, *folders, *self.profile_files) if file]

    @property
    def inboxes(self) -> list[str]:
        """The folders that orders come into, of each profile its own."""
        each = [self.inbox.replace(PLACEHOLDER, name) for name in self.profiles] or [self.inbox]
        return each if self.inbox else []

    def command(self, *words: str) -> list[str]:
        """Return the words of a command line, as it is run."""
        if self.profile:
            return [*self.program, "--env-file", self.profiles_file, "--profile", self.profile, *words]
        return [*self.program, "--env-file", self.env_file, *words]

    def command_of(self, entry: Entry) -> list[str]:
        """Return the words of an entry's command line: quiet, for all profiles where it is for all."""
        limit = ["--timeout", "10m"] if entry.name == "assign" else []  # no portal waits for the orders of a slow one
        return self.command("-q", *(["each", *limit, "--"] if self.profiles else []), *entry.words)

    def entries(self) -> list[Entry]:
        """List what is to run, the most frequent first."""
        inbox = Entry(
            "assign", ("assign", "--inbox", self.inbox), _("the orders that 1C has put into a folder"), every_min=1
        )
        digest = Entry(
            "digest", ("digest",), _("the morning's messages to the chats of B24_NOTIFY"), at="08:50", days=WORKDAYS
        )
        return [
            *([inbox] if self.inbox else []),
            Entry("snapshot", ("snapshot",), _("the tasks closed this week"), every_min=5),
            Entry(
                "reconcile",
                ("snapshot", "--reconcile"),
                _("this week and the one before, whatever the mode"),
                at="03:27",
            ),
            Entry("backup", ("backup", "--keep", "14"), _("a backup; the last 14 stay"), at="02:07"),
            Entry("doctor", ("doctor",), _("what is wrong, and how to fix it"), at="04:12"),
            Entry(
                "replan",
                ("replan", "--yes"),
                _("work of who is away goes to others, late orders come sooner"),
                at="06:30",
                days=WORKDAYS,
            ),
            *([digest] if self.notify else []),
        ]


def find_program() -> tuple[str, ...]:
    """Return how to start this b24tools from anywhere: its script beside Python, else Python with the module."""
    if getattr(sys, "frozen", False):
        return (sys.executable,)
    script = Path(sys.executable).with_name("b24tools.exe" if os.name == "nt" else "b24tools")
    return (str(script),) if script.is_file() else (sys.executable, "-m", "b24tools")


def install_cron(block: str, installation: Installation) -> None:
    """Put the block at the end of the user's crontab, in place of its earlier form. Raises B24ToolsError."""
    _check_access(installation)
    before = _read_crontab(installation)
    rest = _without_block(before, block)
    _write_crontab(f"{rest.rstrip()}\n\n{block}" if rest.strip() else block, installation)


def remove_cron(block: str, installation: Installation) -> bool:
    """Take the block out of the user's crontab; return whether it was there."""
    before = _read_crontab(installation)
    rest = _without_block(before, block)
    if rest != before:
        _write_crontab(rest, installation)
    return rest != before


def crontab(installation: Installation, *words: str) -> list[str]:
    """Return a command line about the user's crontab."""
    return ["crontab", *(["-u", installation.user] if _is_other(installation.user) else []), *words]


def _read_crontab(installation: Installation) -> str:
    line = crontab(installation, "-l")
    done = _run(line)
    if done.returncode and NO_CRONTAB not in done.stderr:
        raise _failed(" ".join(line), done)
    return done.stdout if not done.returncode else ""


def _write_crontab(text: str, installation: Installation) -> None:
    line = crontab(installation, "-")
    done = _run(line, text)
    if done.returncode:
        raise _failed(" ".join(line), done)


def _without_block(crontab: str, block: str) -> str:
    """Return the crontab without what stands from the block's first line to its last."""
    lines = block.splitlines()
    first, last = lines[0], lines[-1]
    rest: list[str] = []
    is_inside = False
    for line in crontab.splitlines():
        if line == first:
            is_inside = True
        if not is_inside:
            rest.append(line)
        if line == last:
            is_inside = False
    if is_inside:
        raise errors.ConfigError(
            _("the crontab has the line “{first}”, but not “{last}”").format(first=first, last=last),
            _("Take out the lines of b24tools by hand with `crontab -e`, then run this again."),
        )
    return "\n".join(rest).rstrip("\n") + "\n" if rest else ""


def units_folder(user: str) -> Path:
    """Return where units are: of the system if they run as a `user`, else this user's own."""
    if user:
        return SYSTEM_UNITS
    return Path(os.environ.get("XDG_CONFIG_HOME") or "~/.config").expanduser() / "systemd" / "user"


def install_units(units: Mapping[str, str], installation: Installation) -> None:
    """Write the units, and start their timers, path and service. Earlier ones that are no longer wanted go.

    Raises ConfigError before anything is written where a file is not ours.
    """
    folder = units_folder(installation.user)
    ours = find_units(folder, installation)
    mark = next(iter(units.values())).splitlines()[0]
    for name in units:
        if (folder / name).exists() and name not in ours:
            raise errors.ConfigError(
                _("{path} does not begin with “{mark}”: it is of another installation").format(
                    path=folder / name, mark=mark
                ),
                _("Choose another name for these with --name, or remove that file."),
            )
    _systemctl(installation, "daemon-reload")  # whether systemd runs here
    _prepare_data_folder(installation)
    _check_access(installation)
    _stop_units([name for name in ours if name not in units], folder, installation)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in units.items():
            (folder / name).write_text(text, encoding="utf-8")
    except OSError as error:
        raise _unwritable(folder, error) from error
    _systemctl(installation, "daemon-reload")
    _systemctl(installation, "enable", "--now", *(name for name, text in units.items() if "[Install]" in text))


def remove_units(installation: Installation) -> list[str]:
    """Stop and delete the units of this installation; return their names."""
    folder = units_folder(installation.user)
    ours = find_units(folder, installation)
    if ours:
        _stop_units(ours, folder, installation)
        _systemctl(installation, "daemon-reload")
    return ours


def find_units(folder: Path, installation: Installation) -> list[str]:
    """Return the names of the units that were written for these settings."""
    found = []
    for path in sorted(folder.glob(f"{installation.name}*")):
        try:
            first = path.read_text(encoding="utf-8").partition("\n")[0]
        except (OSError, UnicodeError):
            continue
        if first.startswith("#") and first.endswith(f" {installation.env_file}"):
            found.append(path.name)
    return found


def _stop_units(names: Sequence[str], folder: Path, installation: Installation) -> None:
    starting = [name for name in names if "[Install]" in (folder / name).read_text(encoding="utf-8")]
    if starting:
        _systemctl(installation, "disable", "--now", *starting)
    try:
        for name in names:
            (folder / name).unlink()
    except OSError as error:
        raise _unwritable(folder, error) from error


def _is_other(user: str) -> bool:
    """Whether that is another user than this one, whatever the environment calls it: `su` leaves it as it was."""
    if os.name == "nt" or not user:
        return False
    import pwd

    with suppress(KeyError):
        return pwd.getpwnam(user).pw_uid != os.geteuid()
    return True


def _check_access(installation: Installation) -> None:
    """As root: raise ConfigError for the first path that the entries' user could not use at night."""
    if not _is_other(installation.user) or os.geteuid() != 0:
        return
    import pwd

    try:
        person = pwd.getpwnam(installation.user)
    except KeyError:
        raise errors.UsageError(
            _("there is no user {name}").format(name=installation.user),
            _("Make one, `useradd --system {name}`, or name another one with --user.").format(name=installation.user),
        ) from None
    groups = os.getgrouplist(person.pw_name, person.pw_gid)

    def can(*words: str) -> bool:
        with suppress(OSError):  # it may not be run at all
            return not subprocess.run(  # noqa: S603 - fixed programs
                words,
                user=person.pw_uid,
                group=person.pw_gid,
                extra_groups=groups,
                cwd="/",
                capture_output=True,
                check=False,
            ).returncode
        return False

    if not can(*installation.program, "--version"):
        command = shlex.join([*installation.program, "--version"])
        raise errors.ConfigError(
            _("{user} cannot run `{command}`").format(user=person.pw_name, command=command),
            _("As that user it says why; what is below /root, Python too, is for root only: install it elsewhere."),
        )
    for flag, path, message in (
        *(("-r", path, _("{user} may not read {path}")) for path in installation.settings_files),
        *(
            ("-w", path, _("{user} may not write to {path}"))
            for path in (*installation.data_dirs, *installation.inboxes)
        ),
    ):
        if Path(path).exists() and not can("test", flag, path):
            raise errors.ConfigError(
                message.format(user=person.pw_name, path=path),
                _("`chown {user} {path}`, as root; and others must be let into the folders above it.").format(
                    user=person.pw_name, path=path
                ),
            )


def _prepare_data_folder(installation: Installation) -> None:
    """Make the data folders that are not there: a unit that may write there only does not start without them."""
    try:
        for folder in map(Path, installation.data_dirs):
            if not folder.exists():
                data_folder.prepare(folder)
                if installation.user:
                    shutil.chown(folder, installation.user)
    except (OSError, LookupError) as error:
        reason = os_reason(error) if isinstance(error, OSError) else str(error)
        raise errors.ConfigError(
            _("the data folder {path} cannot be made for {user}: {reason}").format(
                path=folder, user=installation.user, reason=reason
            ),
            _("Make it by hand, and let that user own it."),
        ) from error


def _systemctl(installation: Installation, *words: str) -> None:
    line = ["systemctl", *([] if installation.user else ["--user"]), *words]
    done = _run(line)
    if done.returncode:
        raise _failed(" ".join(line[:4]), done)


def install_tasks(tasks: Mapping[str, str], known: Sequence[str]) -> None:
    """Give the tasks to Task Scheduler, and take those away that are only `known`."""
    _check_windows()
    with tempfile.TemporaryDirectory(prefix="b24tools-") as folder:
        for name, text in tasks.items():
            file = Path(folder) / f"{name}.xml"
            file.write_text(text, encoding="utf-16")
            done = _run(["schtasks", "/Create", "/TN", name, "/XML", str(file), "/F"])
            if done.returncode:
                raise _failed(f"schtasks /Create /TN {name}", done)
    remove_tasks([name for name in known if name not in tasks])


def remove_tasks(names: Sequence[str]) -> list[str]:
    """Take tasks away from Task Scheduler; return the names of those that were there."""
    _check_windows()
    return [name for name in names if not _run(["schtasks", "/Delete", "/TN", name, "/F"]).returncode]


def _check_windows() -> None:
    if os.name != "nt":
        raise errors.UsageError(
            _("Task Scheduler is a part of Windows, and this is another system"),
            _("Without --install the entries are printed; run this on the Windows machine itself."),
        )


def _run(words: Sequence[str], text: str | None = None) -> subprocess.CompletedProcess[str]:
    """Run a program of the system, with its messages in English. Raises ConfigError where it is not there."""
    try:
        return subprocess.run(  # noqa: S603 - fixed programs
            words,
            input=text,
            capture_output=True,
            encoding="oem" if os.name == "nt" else "utf-8",  # of the console: schtasks speaks the language of Windows
            errors="replace",
            env=os.environ | {"LC_ALL": "C"},
            check=False,
        )
    except OSError as error:
        raise errors.ConfigError(
            _("{program} cannot be run: {reason}").format(program=words[0], reason=os_reason(error)),
            _("Install it, or choose another of cron, systemd and windows."),
        ) from error


def _failed(command: str, done: subprocess.CompletedProcess[str]) -> errors.B24ToolsError:
    reason = " ".join((done.stderr or done.stdout).split()) or str(done.returncode)
    return errors.B24ToolsError(
        _("`{command}` failed: {reason}").format(command=command, reason=reason),
        _("Without --install the entries are printed, to be put there by hand."),
    )


def _unwritable(folder: Path, error: OSError) -> errors.ConfigError:
    return errors.ConfigError(
        _("{path} cannot be written: {reason}").format(path=folder, reason=os_reason(error)),
        _("Run this as root for units of the system; without --user they are your own."),
    )
