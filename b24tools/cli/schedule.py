"""`b24tools schedule`."""

from __future__ import annotations

import os
import re
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from b24tools.cli.invocation import Invocation
from b24tools.cli.localized import PROGRAM, explain
from b24tools.cli.usage import refuse_together
from b24tools.core import config, errors
from b24tools.core.i18n import _
from b24tools.render.console import print_text

if TYPE_CHECKING:
    from b24tools.jobs.schedule import Installation


class Scheduler(StrEnum):
    """What starts commands by the clock."""

    CRON = "cron"
    SYSTEMD = "systemd"
    WINDOWS = "windows"


@explain(
    ("schedule cron --inbox orders", "What crontab -e wants to have."),
    ("schedule systemd --user b24tools --install", "As root: units of the system."),
    ("schedule windows --remove", "Takes the tasks out of Task Scheduler."),
)
def schedule(
    ctx: typer.Context,
    scheduler: Annotated[
        Scheduler | None,
        typer.Argument(
            metavar="cron|systemd|windows", help="What for; else the usual one of this system.", show_default=False
        ),
    ] = None,
    inbox: Annotated[
        Path | None, typer.Option("--inbox", metavar="DIR", help="The folder that 1C puts orders into.")
    ] = None,
    serve: Annotated[bool, typer.Option("--serve", help="With the HTTP service (systemd, windows).")] = False,
    user: Annotated[
        str | None, typer.Option("--user", metavar="NAME", help="Whom units run as, or whose crontab; else your own.")
    ] = None,
    name: Annotated[
        str | None,
        typer.Option(
            "--name", metavar="NAME", help="How units and tasks are called; else b24tools, with the profile behind."
        ),
    ] = None,
    install: Annotated[bool, typer.Option("--install", help="Put the entries there; else they are printed.")] = False,
    remove: Annotated[bool, typer.Option("--remove", help="Take the entries away.")] = False,
) -> None:
    """Let cron, systemd or Task Scheduler run b24tools by itself. It prints the entries, with all paths."""
    invocation: Invocation = ctx.obj
    refuse_together({"--install": install, "--remove": remove}, _("Give one of them."))
    if name is None:
        name = f"{PROGRAM}-{invocation.profile.name}" if invocation.profile else PROGRAM
    if not re.fullmatch(r"[A-Za-z0-9][\w-]{0,39}", name, re.ASCII):
        raise errors.UsageError(
            _('--name "{name}" cannot be a part of a file name').format(name=name), _("An example: plant2")
        )
    scheduler = scheduler or (Scheduler.WINDOWS if os.name == "nt" else Scheduler.CRON)
    if serve and scheduler is Scheduler.CRON:
        raise errors.UsageError(
            _("cron runs no service: --serve is for systemd and windows"), _("Leave it out, or choose those.")
        )
    if user and scheduler is Scheduler.WINDOWS:
        raise errors.UsageError(
            _("tasks of Task Scheduler run as SYSTEM: --user is for cron and systemd"), _("Leave it out.")
        )
    wanted = _read_installation(invocation, inbox, user or "", name, serve=serve, remove=remove)
    run = {Scheduler.CRON: _use_cron, Scheduler.SYSTEMD: _use_systemd, Scheduler.WINDOWS: _use_windows}[scheduler]
    if message := run(wanted, install=install, remove=remove):
        invocation.messenger.info(message)


def _read_installation(
    invocation: Invocation, inbox: Path | None, user: str, name: str, *, serve: bool, remove: bool
) -> Installation:
    """Read what entries need, as cron will read it: from the file alone. Raises ConfigError where it is not there.

    To `remove` them takes only the file's name.
    """
    from b24tools.jobs.schedule import Installation, find_program

    inspection = invocation.inspect_settings({})
    file, settings = inspection.file or (invocation.settings_file if remove else None), inspection.settings
    if file is None:
        inspection.check()
        raise errors.UsageError(
            _("there is no settings file: cron and services know no others"),
            _("`b24tools init` writes one; name another one with --env-file."),
        )
    profiles_file, each = None, {}
    if not remove:
        inspection.check()
        if not invocation.profile and settings.profiles and not settings.webhook_url:
            each = _read_profiles(file, inbox, serve=serve)
        else:
            _require(inspection, "BITRIX_WEBHOOK_URL", "B24_DATA_DIR")
        if invocation.profile:
            source = config.inspect({}, invocation.env_file)
            _require(source, "B24_PROFILES")
            profiles_file = source.file
    if not user and os.name != "nt" and os.geteuid() == 0:
        try:
            user = file.owner()
        except (KeyError, OSError):
            user = "root"
    return Installation(
        find_program(),
        config.absolute(file),
        str(settings.data_dir),
        config.absolute(inbox) if inbox else "",
        user,
        name,
        notify=all(one.settings.notify for one in each.values()) if each else bool(settings.notify),
        serve=serve,
        zone=settings.zone.key,
        profile=settings.profile,
        profiles_file=config.absolute(profiles_file) if profiles_file else "",
        profiles={name: str(one.settings.data_dir) for name, one in each.items()},
        profile_files=tuple(config.absolute(one.file) for one in each.values() if one.file),
    )


def _read_profiles(file: Path, inbox: Path | None, *, serve: bool) -> dict[str, config.Inspection]:
    """Read the settings of all profiles, by name, for entries that run `each`. Raises ConfigError."""
    from b24tools.core.profiles import check_path, choose_profiles

    if serve:
        raise errors.UsageError(
            _("{file} names the folder of many portals, and a service is for one").format(file=file),
            _("`b24tools --profile NAME schedule` sets it up."),
        )
    if inbox:
        check_path(inbox)
    inspections = {
        profile.name: config.inspect({}, profile.file, profile.name) for profile in choose_profiles(None, file)[0]
    }
    for inspection in inspections.values():
        _require(inspection, "B24_DATA_DIR")
    return inspections


def _require(inspection: config.Inspection, *names: str) -> None:
    """Raise ConfigError for a setting that the file does not have."""
    for name in names:
        if name not in inspection.given:
            raise errors.ConfigError(
                _("{name} is not set in {file}: cron and services know no other settings").format(
                    name=name, file=inspection.file or ".env"
                ),
                _("Set it there, or let `b24tools init` do it."),
            )


def _use_cron(wanted: Installation, *, install: bool, remove: bool) -> str:
    from b24tools.jobs import schedule as job
    from b24tools.render import schedule as render_schedule

    block = render_schedule.cron(wanted)
    if install:
        job.install_cron(block, wanted)
        command = " ".join(job.crontab(wanted, "-l"))
        return _("The crontab has the entries; `{command}` shows them.").format(command=command)
    if remove:
        is_gone = job.remove_cron(block, wanted)
        return (
            _("The entries are out of the crontab.") if is_gone else _("The crontab has no entries of these settings.")
        )
    print_text(block.rstrip())
    return ""


def _use_systemd(wanted: Installation, *, install: bool, remove: bool) -> str:
    from b24tools.jobs import schedule as job
    from b24tools.render import schedule as render_schedule

    units, folder = render_schedule.units(wanted), job.units_folder(wanted.user)
    if install:
        job.install_units(units, wanted)
        message = _("The units are in {folder}; `systemctl list-timers` shows when they run.").format(folder=folder)
        if not wanted.user:
            hint = _("They run while you are signed in; after `loginctl enable-linger`, always.")
            return f"{message} {hint}"
        if wanted.user == "root":
            hint = _("They run as root; better make a user for b24tools, and give --user (docs/deploy.md).")
            return f"{message} {hint}"
        return message
    if remove:
        names = job.remove_units(wanted)
        return _("Removed from {folder}: {names}").format(folder=folder, names=", ".join(names) or _("nothing"))
    print_text(render_schedule.join_files({str(folder / file): text for file, text in units.items()}, "# {name}"))
    return ""


def _use_windows(wanted: Installation, *, install: bool, remove: bool) -> str:
    from b24tools.jobs import schedule as job
    from b24tools.render import schedule as render_schedule

    tasks, known = render_schedule.tasks(wanted), render_schedule.task_names(wanted)
    service = Path(wanted.env_file).with_name(f"{wanted.name}-service.xml")
    winsw = _("{file} describes the service: put WinSW beside it as {program}, and run `{program} install`.").format(
        file=service, program=f"{wanted.name}-service.exe"
    )
    if install:
        job.install_tasks(tasks, known)
        if wanted.serve:
            service.write_text(render_schedule.winsw(wanted), encoding="utf-8")
        message = _("Task Scheduler has the tasks {names}.").format(names=", ".join(tasks))
        return f"{message} {winsw}" if wanted.serve else message
    if remove:
        gone = job.remove_tasks(known)
        return _("Removed from Task Scheduler: {names}").format(names=", ".join(gone) or _("nothing"))
    comment = "<!-- schtasks /Create /TN {name} /XML {name}.xml -->"
    print_text(render_schedule.join_files(tasks, comment))
    if wanted.serve:
        print_text(f"\n<!-- {winsw} -->\n{render_schedule.winsw(wanted).rstrip()}")
    return ""
