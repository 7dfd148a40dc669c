"""`b24tools init`."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Collection, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from b24tools import context
from b24tools.cli import sandbox, stdin
from b24tools.cli.invocation import Invocation
from b24tools.cli.localized import READING, explain
from b24tools.core import config, data_folder, env_file, errors, i18n
from b24tools.core.i18n import _, os_reason
from b24tools.core.names import same_name, suggest_name
from b24tools.core.org_structure import find_root

if TYPE_CHECKING:
    from b24tools.jobs.init import Offer

HEADING = "Written by `b24tools init`; docs/settings.md explains every setting."
LONGEST_WAIT_S = 10.0  # a person waits: a wrong address is asked for again
WEBHOOKS = ("BITRIX_WEBHOOK_URL", "BITRIX_WEBHOOK")


@explain(
    ("init", "Asks for everything on the terminal."),
    ("init --webhook-file webhook.txt --yes", "Takes what is usual, without a question."),
    ("--profile plant-2 init", "Writes the file of a second portal."),
    statuses=READING,
)
def init(
    ctx: typer.Context,
    webhook_file: Annotated[
        str | None,
        typer.Option("--webhook-file", metavar="FILE", help="Where the webhook's URL stands; - for stdin."),
    ] = None,
    department: Annotated[
        str | None, typer.Option("--department", metavar="NAME", help="The production department, by name or id.")
    ] = None,
    group: Annotated[
        str | None, typer.Option("--group", metavar="NAME", help="The project for the tasks, by name or id.")
    ] = None,
    folder: Annotated[
        str | None, typer.Option("--folder", metavar="NAME", help="The folder for the orders' files, by name or id.")
    ] = None,
    zone: Annotated[str | None, typer.Option("--tz", metavar="ZONE", help="The time zone of the plant.")] = None,
    data_dir: Annotated[
        Path | None, typer.Option("--data-dir", metavar="DIR", help="Where the database and the log live.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Change a settings file that is there without asking.")] = False,
) -> None:
    """Ask for the webhook and the names on the portal, check them, and write .env. Other settings in it stay."""
    invocation: Invocation = ctx.obj
    asks = stdin.is_terminal() and webhook_file != "-"
    target = invocation.settings_file or Path(".env")
    old = _read_old(invocation, target, asks=asks, yes=yes)
    url, offer, settings = _read_webhook(invocation, target if old else Path(os.devnull), webhook_file, asks=asks)
    _describe(invocation, offer)
    given = {"B24_DEPARTMENT": department, "B24_GROUP": group, "B24_FOLDER": folder, "B24_TZ": zone}
    values = {"BITRIX_WEBHOOK_URL": url} | _choose_names(invocation, offer, settings, given, asks=asks)
    values["B24_DATA_DIR"] = _choose_data_dir(invocation, offer.host, data_dir, settings.data_dir, asks=asks)
    values["B24_LANG"] = i18n.current_language()
    if invocation.profile:
        with suppress(OSError):  # what is wrong with the folder, the next line says
            target.parent.mkdir(mode=data_folder.PRIVATE_FOLDER, parents=True, exist_ok=True)
    env_file.write_settings(target, values, HEADING, old, check=partial(config.load, {}))
    invocation.messenger.info(
        _(
            "{path} is written. Next: `b24tools doctor` checks everything; `b24tools sample > order.json` and "
            "`b24tools assign order.json --dry-run` show a plan."
        ).format(path=target)
    )


def _read_old(invocation: Invocation, target: Path, *, asks: bool, yes: bool) -> str:
    """Return the text of the file that is there, "" of none or of the sandbox's. Raises ConfigError if it must stay."""
    old = env_file.read_text(target)
    if old.startswith(f"# {sandbox.OURS}"):
        return ""  # its token and its data folder are no others'
    if old.strip() and not yes:
        question = _("{path} has settings already. Change them? Those that are not asked for stay.").format(path=target)
        refusal = errors.UsageError(
            _("{path} has settings already: it stays as it is").format(path=target),
            _("With --yes it is changed without asking; `b24tools --env-file FILE init` writes another one."),
        )
        if not asks or not invocation.confirm(question, refusal):
            raise refusal
    return old


def _read_webhook(
    invocation: Invocation, file: Path, webhook_file: str | None, *, asks: bool
) -> tuple[str, Offer, config.Settings]:
    """Read the webhook's URL, and what its portal offers; on a terminal until it works. Raises B24ToolsError."""
    from b24tools.jobs.init import read_offer

    profile = invocation.profile.name if invocation.profile else ""
    written = config.inspect(env_file=file, profile=profile).settings
    known = written.webhook_url
    url = "" if webhook_file is None else _read_url(webhook_file)
    if not profile:
        url = url or next((os.environ[name].strip() for name in WEBHOOKS if os.environ.get(name)), "")
    is_asked = asks and not url
    while True:
        if is_asked:
            question = _("The URL of the incoming webhook, from Developer resources (it is not shown)")
            if known:
                question = _("The URL of the incoming webhook (it is not shown; Enter: the one in the file)")
            url = typer.prompt(question, "" if known else None, hide_input=True, show_default=False, err=True).strip()
        url = url or (known.get_secret_value() if known else "")
        if not url:
            raise errors.UsageError(
                _("there is no webhook, and no terminal to ask for it"),
                _("Give a file with its URL, --webhook-file FILE (- for stdin), or set BITRIX_WEBHOOK_URL."),
            )
        try:
            given = config.load({"BITRIX_WEBHOOK_URL": url}, Path(os.devnull)).webhook_url
            settings = written.model_copy(update={"webhook_url": given})
            invocation.messenger.scrub = settings.scrubber.scrub
            wait_s = min(settings.retry_seconds, LONGEST_WAIT_S) if is_asked else settings.retry_seconds
            waiting = settings.model_copy(update={"retry_seconds": wait_s})
            session = context.Session(waiting, invocation.messenger.info)
            with session.open_client(leave_no_trace=True) as client:
                return url, read_offer(client), settings
        except errors.B24ToolsError as error:
            if not is_asked:
                raise
            invocation.messenger.error(error)


def _read_url(name: str) -> str:
    """Read the first line that is not empty, of a file or of stdin."""
    shown = _("stdin") if name == "-" else name
    try:
        text = stdin.get().read() if name == "-" else Path(name).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeError) as error:
        reason = os_reason(error) if isinstance(error, OSError) else _("it is not UTF-8 text")
        raise errors.ConfigError(
            _("{path} cannot be read: {reason}").format(path=shown, reason=reason), _("Name another file.")
        ) from error
    url = next((line.strip() for line in text.splitlines() if line.strip()), "")
    if not url:
        raise errors.ConfigError(
            _("{path} is empty").format(path=shown), _("It should have one line, the URL of the incoming webhook.")
        )
    return url.removeprefix("BITRIX_WEBHOOK_URL=")


def _describe(invocation: Invocation, offer: Offer) -> None:
    """Say whose webhook it is, and what it lacks."""
    messenger, name = invocation.messenger, offer.owner.name or f"#{offer.owner.id}"
    if offer.owner.admin:
        messenger.info(
            _("{host} answers; the webhook is of {name}, an administrator.").format(host=offer.host, name=name)
        )
    else:
        messenger.warn(
            _(
                "{host} answers, but {name} is no administrator and sees only a part of the tasks: let an "
                "administrator create the webhook."
            ).format(host=offer.host, name=name)
        )
    if offer.missing_scopes:
        messenger.warn(
            _(
                "The webhook lacks scopes: {scopes}. Edit it on the portal; `b24tools doctor` says what each is for."
            ).format(scopes=", ".join(offer.missing_scopes))
        )


def _choose_names(
    invocation: Invocation, offer: Offer, settings: config.Settings, given: dict[str, str | None], *, asks: bool
) -> dict[str, str]:
    """Choose department, project, folder and zone: as given, as asked for, else as the settings have them."""
    department = given["B24_DEPARTMENT"] or settings.department
    roots = [root.name for root in offer.roots()]
    if asks and given["B24_DEPARTMENT"] is None and roots:
        fits = find_root(offer.departments, department)
        department = _choose(
            invocation,
            _("The production department (below it are the positions)"),
            roots,
            fits.name if fits else roots[0],
            [candidate.name for candidate in offer.departments],
        )
    if offer.departments and find_root(offer.departments, department) is None:
        message = _('the portal has no department "{name}"').format(name=department)
        raise errors.ConfigError(
            message + suggest_name(department, (candidate.name for candidate in offer.departments)),
            _("Name the production department with --department, by name or id."),
        )
    values = {"B24_DEPARTMENT": department}
    for name, title, known, default in (
        (
            "B24_GROUP",
            _("The project for the tasks; another name is created by the first order"),
            {project.id: project.name for project in offer.projects},
            settings.group,
        ),
        (
            "B24_FOLDER",
            _("The folder for files; another name is created likewise"),
            dict(offer.folders),
            settings.folder,
        ),
    ):
        value = given[name] or default
        if asks and given[name] is None:
            value = _choose(invocation, title, [*known.values()], value, ids=known)
        values[name] = value
    is_set = "zone" in settings.model_fields_set
    zone = given["B24_TZ"] or (settings.zone.key if is_set or not offer.zone else offer.zone)
    values["B24_TZ"] = zone if given["B24_TZ"] or not asks else _ask_zone(invocation, zone)
    return values


def _ask_zone(invocation: Invocation, default: str) -> str:
    from b24tools.bitrix24.portal_time import find_zone

    while find_zone(answer := str(typer.prompt(_("The time zone"), default, err=True)).strip()) is None:
        invocation.messenger.info(_("This is not a time zone; an example: Europe/Moscow."))
    return answer


def _choose(
    invocation: Invocation,
    title: str,
    names: Sequence[str],
    default: str,
    only: Sequence[str] | None = None,
    ids: Collection[int] = (),
) -> str:
    """Ask for one of the names, by its number in the list, by its id, or as it is. `only`: no others will do."""
    invocation.messenger.info(
        "\n".join([f"{title}:", *(f"  {number}. {name}" for number, name in enumerate(names, 1))])
    )
    while True:
        answer = str(typer.prompt(_("Number or name"), default, err=True)).strip()
        if answer != default and answer.isdecimal() and 1 <= int(answer) <= len(names):
            return names[int(answer) - 1]
        known = next((name for name in only or names if same_name(name) == same_name(answer)), None)
        # another number is no new name: as a setting it would be an id
        is_free = only is None and (not answer.isdecimal() or answer == default or int(answer) in ids)
        if known or is_free:
            return known or answer
        invocation.messenger.info(_('There is no "{name}".').format(name=answer) + suggest_name(answer, only or ()))


def _choose_data_dir(invocation: Invocation, host: str, given: Path | None, default: Path, *, asks: bool) -> str:
    """Return the data folder, on a terminal once it will do; it is not made. Raises ConfigError."""
    while True:
        folder = given or default
        if asks and given is None:
            folder = Path(typer.prompt(_("The folder for the database and the log"), str(default), err=True))
        folder = Path(config.absolute(folder))
        try:
            _check_folder(folder)
            _check_database(folder, host, invocation)
        except errors.ConfigError as error:
            if not asks or given is not None:
                raise
            invocation.messenger.error(error)
        else:
            return str(folder)


def _check_folder(folder: Path) -> None:
    """Raise ConfigError where there can be no such folder, or none that we may write to."""
    try:
        there = next((path for path in (folder, *folder.parents) if path.exists()), folder)
        if not there.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
        tempfile.TemporaryFile(dir=there).close()  # rights alone do not tell
    except OSError as error:
        raise errors.ConfigError(
            _("{path} cannot be written: {reason}").format(path=folder, reason=os_reason(error)),
            _("Name another data folder, or make that one for this user."),
        ) from error


def _check_database(folder: Path, host: str, invocation: Invocation) -> None:
    """Raise ConfigError where the folder's database is about another portal."""
    settings = config.inspect({"B24_DATA_DIR": str(folder)}, Path(os.devnull)).settings
    with context.Session(settings, invocation.messenger.info).read_store() as store:
        store.settings.check_host(host)
