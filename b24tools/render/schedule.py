"""Entries for cron, systemd and Task Scheduler, and a service for Windows, as text."""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from xml.sax.saxutils import escape

from b24tools.core.i18n import _
from b24tools.jobs.schedule import DAILY, MONDAYS, Entry, Installation

DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
SETTLES_S = 6  # an order is taken when it was not written for five seconds
HARDENING = (  # for units of the system: a user's own may not do all of it
    "ProtectSystem=strict",
    "ProtectHome=read-only",
    "PrivateTmp=true",
    "PrivateDevices=true",
    "ProtectKernelTunables=true",
    "ProtectKernelModules=true",
    "ProtectControlGroups=true",
    "RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX",
    "RestrictNamespaces=true",
    "RestrictRealtime=true",
    "RestrictSUIDSGID=true",
    "LockPersonality=true",
    "SystemCallArchitectures=native",
    "CapabilityBoundingSet=",
)


def cron(installation: Installation) -> str:
    """Return the lines of a crontab, between two that find them again."""
    last_week = Entry("leaderboard", ("leaderboard", "last"), _("last week's leaderboard"), at="08:00", days=MONDAYS)
    lines = [
        f"# b24tools begin: {installation.env_file}",
        "# " + _("Made by `b24tools schedule cron`: run it again with --install instead of changing these lines."),
        "# "
        + _("Silent while all is well. What cron mails, a person must look at; MAILTO=... above sends it elsewhere."),
        'CONTENT_TYPE="text/plain; charset=UTF-8"',
    ]
    for entry in [*installation.entries(), last_week]:
        command = shlex.join(installation.command_of(entry)).replace("%", r"\%")
        lines += ["", f"# {_describe_time(entry)}: {entry.purpose}", f"{_cron_time(entry)}  {command}"]
    return "\n".join([*lines, f"# b24tools end: {installation.env_file}"]) + "\n"


def _cron_time(entry: Entry) -> str:
    if entry.every_min:
        return f"{'*' if entry.every_min == 1 else f'*/{entry.every_min}'} * * * *"
    hour, minute = entry.at.split(":")
    days = "*" if entry.days == DAILY else "-".join(str(day + 1) for day in sorted({entry.days[0], entry.days[-1]}))
    return f"{int(minute)} {int(hour)} * * {days}"


def _describe_time(entry: Entry) -> str:
    if entry.every_min:
        return _("Every minute") if entry.every_min == 1 else _("Every {n} minutes").format(n=entry.every_min)
    if entry.days == DAILY:
        return _("Every day")
    return _("On Mondays") if entry.days == MONDAYS else _("From Monday to Friday")


def units(installation: Installation) -> dict[str, str]:
    """Return systemd's units by their file names: a timer for each entry, a path for the inbox, the service."""
    by_file: dict[str, str] = {}
    for entry in installation.entries():
        name, about = f"{installation.name}-{entry.name}", f"Description=b24tools: {entry.purpose}"
        wait = [f"ExecStartPre=sleep {SETTLES_S}"] if entry.name == "assign" else []
        service = [
            "Type=oneshot",
            *wait,
            f"ExecStart={_join_systemd(installation.command_of(entry))}",
            "SuccessExitStatus=75",
            f"TimeoutStartSec={'infinity' if installation.profiles else '1h'}",  # `each` has a limit for each of them
        ]
        by_file[f"{name}.service"] = _service(installation, about, service)
        exact = ["AccuracySec=1s"] if entry.every_min else ["Persistent=true"]
        timer = [f"OnCalendar={_calendar(entry, installation.zone)}", *exact]
        by_file[f"{name}.timer"] = _unit(
            installation, ("Unit", [about]), ("Timer", timer), ("Install", ["WantedBy=timers.target"])
        )
        if entry.name == "assign":
            path = [f"PathChanged={inbox.replace('%', '%%')}" for inbox in installation.inboxes]
            by_file[f"{name}.path"] = _unit(
                installation, ("Unit", [about]), ("Path", path), ("Install", ["WantedBy=paths.target"])
            )
    if installation.serve:
        service = [
            f"ExecStart={_join_systemd(installation.command('serve'))}",
            "Restart=on-failure",
            "RestartSec=10",
            "RestartPreventExitStatus=2",
            "TimeoutStopSec=150",
        ]
        target = "multi-user.target" if installation.user else "default.target"
        text = _service(installation, "Description=b24tools", service)
        by_file[f"{installation.name}.service"] = f"{text}\n[Install]\nWantedBy={target}\n"
    return by_file


def _calendar(entry: Entry, zone: str) -> str:
    if entry.every_min:
        return "minutely" if entry.every_min == 1 else f"*:0/{entry.every_min}"
    days = "" if entry.days == DAILY else f"{DAYS[entry.days[0]][:3]}..{DAYS[entry.days[-1]][:3]} "
    return f"{days}*-*-* {entry.at} {zone}".rstrip()


def _service(installation: Installation, about: str, lines: Sequence[str]) -> str:
    network = ["Wants=network-online.target", "After=network-online.target"] if installation.user else []
    may_be_missing = [*installation.profiles.values(), *installation.inboxes]
    folders = [*([] if installation.profiles else [installation.data_dir]), *(f"-{path}" for path in may_be_missing)]
    limits = ["NoNewPrivileges=true"]
    if installation.user:
        lines = [f"User={installation.user}", *lines]
        writable = " ".join(_quote_systemd(folder) for folder in folders)
        limits += [*HARDENING, f"ReadWritePaths={writable}"]
    return _unit(installation, ("Unit", [about, *network]), ("Service", [*lines, *limits]))


def _unit(installation: Installation, *sections: tuple[str, Iterable[str]]) -> str:
    """Write a unit; its first line says of which installation it is."""
    mark = f"# Made by `b24tools schedule systemd` for {installation.env_file}"
    return "\n\n".join([mark, *("\n".join([f"[{name}]", *lines]) for name, lines in sections)]) + "\n"


def _join_systemd(words: Iterable[str]) -> str:
    return " ".join(_quote_systemd(word).replace("$", "$$") for word in words)


def _quote_systemd(word: str) -> str:
    escaped = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return f'"{escaped}"' if set(word) & set(" \t\"';") else escaped


def tasks(installation: Installation) -> dict[str, str]:
    """Return Task Scheduler's descriptions by the names of the tasks; they run as the system."""
    return {f"{installation.name}-{entry.name}": _task(installation, entry) for entry in installation.entries()}


def task_names(installation: Installation) -> list[str]:
    """Return the names of all tasks that there may be."""
    names = ("assign", "snapshot", "reconcile", "backup", "doctor", "replan", "digest")
    return [f"{installation.name}-{name}" for name in names]


def _task(installation: Installation, entry: Entry) -> str:
    program, *words = installation.command_of(entry)
    days = "".join(f"<{DAYS[day]} />" for day in entry.days)
    trigger = f"""<TimeTrigger>
      <Repetition>
        <Interval>PT{entry.every_min}M</Interval>
      </Repetition>
      <StartBoundary>2026-01-01T00:00:00</StartBoundary>
    </TimeTrigger>"""
    if entry.at:
        trigger = f"""<CalendarTrigger>
      <StartBoundary>2026-01-01T{entry.at}:00</StartBoundary>
      <ScheduleByWeek>
        <DaysOfWeek>{days}</DaysOfWeek>
        <WeeksInterval>1</WeeksInterval>
      </ScheduleByWeek>
    </CalendarTrigger>"""
    return f"""<?xml version="1.0" encoding="UTF-16"?>
<Task version="1.2" xmlns="http://schemas.microsoft.com/windows/2004/02/mit/task">
  <RegistrationInfo>
    <Description>b24tools: {escape(entry.purpose)}</Description>
  </RegistrationInfo>
  <Triggers>
    {trigger}
  </Triggers>
  <Principals>
    <Principal id="Author">
      <UserId>S-1-5-18</UserId>
      <RunLevel>HighestAvailable</RunLevel>
    </Principal>
  </Principals>
  <Settings>
    <MultipleInstancesPolicy>IgnoreNew</MultipleInstancesPolicy>
    <DisallowStartIfOnBatteries>false</DisallowStartIfOnBatteries>
    <StopIfGoingOnBatteries>false</StopIfGoingOnBatteries>
    <StartWhenAvailable>true</StartWhenAvailable>
    <ExecutionTimeLimit>{"PT0S" if installation.profiles else "PT1H"}</ExecutionTimeLimit>
  </Settings>
  <Actions Context="Author">
    <Exec>
      <Command>{escape(program)}</Command>
      <Arguments>{escape(subprocess.list2cmdline(words))}</Arguments>
    </Exec>
  </Actions>
</Task>
"""


def winsw(installation: Installation) -> str:
    """Return the description of the service for WinSW, which stops it as Ctrl+C does."""
    program, *words = installation.command("serve")
    purpose = _("orders and events over HTTP, and the board")
    return f"""<service>
  <id>{escape(installation.name)}</id>
  <name>{escape(installation.name)}</name>
  <description>{escape(purpose)}</description>
  <executable>{escape(program)}</executable>
  <arguments>{escape(subprocess.list2cmdline(words))}</arguments>
  <onfailure action="restart" delay="10 sec"/>
  <stoptimeout>150 sec</stoptimeout>
  <log mode="none"/>
</service>
"""


def join_files(files: Mapping[str, str], heading: str) -> str:
    """Join files to one text, each below a line with its name."""
    return "\n".join(f"{heading.format(name=name)}\n{text}" for name, text in files.items()).rstrip()
