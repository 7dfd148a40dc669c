"""`b24tools config`."""

from __future__ import annotations

from typing import Annotated

import typer

from b24tools import context
from b24tools.cli.completion import suggest
from b24tools.cli.invocation import Invocation, Json
from b24tools.cli.localized import explain
from b24tools.core import errors
from b24tools.core.i18n import _
from b24tools.render.console import print_text
from b24tools.render.settings import print_settings


def _complete_key(incomplete: str) -> list[str]:
    from b24tools.store.settings import RUNNING_SETTINGS

    return suggest("list", *RUNNING_SETTINGS)(incomplete)


def _complete_value(ctx: typer.Context, incomplete: str) -> list[str]:
    from b24tools.store.settings import RUNNING_SETTINGS

    setting = RUNNING_SETTINGS.get(ctx.params.get("key") or "")
    words = setting.form.split("|") if setting else []
    return suggest(*(words if all(map(str.isalnum, words)) else ("add", "remove")))(incomplete)


@explain(
    ("config", "All of them, with their values."),
    ("config snapshot_max_age_h 48", "Data may be two days old before anybody is warned."),
    ("config excluded_users add Иванов", "Give this person no work from now on."),
)
def config(
    ctx: typer.Context,
    key: Annotated[
        str | None,
        typer.Argument(
            metavar="KEY",
            help="The setting's name; list explains all of them.",
            show_default=False,
            autocompletion=_complete_key,
        ),
    ] = None,
    value: Annotated[
        str | None,
        typer.Argument(
            metavar="VALUE|add|remove",
            help="The new value; or how a list changes.",
            show_default=False,
            autocompletion=_complete_value,
        ),
    ] = None,
    item: Annotated[
        str | None,
        typer.Argument(metavar="PERSON", help="Whom to add or remove, by name or id.", show_default=False),
    ] = None,
    as_json: Json = False,
) -> None:
    """Show or set what may change while b24tools runs."""
    from b24tools.jobs import settings as jobs_settings
    from b24tools.store.settings import RUNNING_SETTINGS

    is_change = value in (jobs_settings.ADD, jobs_settings.REMOVE)
    if is_change != (item is not None):
        raise errors.UsageError(
            _("{value} wants one person, or one check of doctor").format(value=value)
            if is_change
            else _("a setting has one value: {given} is too much").format(given=item),
            _("For example: b24tools config excluded_users add Иванов"),
        )
    invocation: Invocation = ctx.obj
    with invocation.open_session(logs=value is not None).open_store() as store:
        if key is not None and value is not None and item is not None:
            jobs_settings.change_list(store, key, value, item, context.now(), context.list_checks)
        elif key is not None and value is not None:
            jobs_settings.save_setting(store, key, value, context.now(), context.list_checks)
        names = list(RUNNING_SETTINGS) if key in (None, "list") else [str(key)]
        settings = [(name, store.settings.get(name)) for name in names]
        people = {str(person.id): person for person in store.people.all()} if key == "list" else {}
    if as_json:
        invocation.print_json([{"key": name, "value": current} for name, current in settings])
        return
    if key == "list":
        print_settings(settings, people)
        return
    for name, current in settings:
        print_text(f"{name} {current}".rstrip())
