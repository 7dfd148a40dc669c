"""`b24tools leaderboard`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

import typer

from b24tools import context
from b24tools.cli.invocation import Invocation, Json
from b24tools.cli.localized import LOCAL, explain
from b24tools.cli.usage import refuse_json_with, refuse_together
from b24tools.core import config, errors, periods
from b24tools.core.i18n import _
from b24tools.core.sizes import format_duration
from b24tools.render.console import print_file


@explain(
    ("leaderboard last --by hours", "The week before, by hours."),
    ("leaderboard 2026-11 --teams", "The departments in November 2026."),
    ("-q leaderboard --max-age 26h", "For cron: fails when no snapshot was taken for a day."),
    statuses=LOCAL | {1: "the data are older than --max-age, or cannot be read"},
)
def leaderboard(
    ctx: typer.Context,
    period: Annotated[
        str | None,
        typer.Argument(
            metavar="PERIOD",
            help="2026-W46, 2026-11, 2026-Q4, 2026 or last; this week if left out.",
            show_default=False,
        ),
    ] = None,
    week: Annotated[bool, typer.Option("--week", help="This week (the default).")] = False,
    month: Annotated[bool, typer.Option("--month", help="This month; with last: the one before.")] = False,
    quarter: Annotated[bool, typer.Option("--quarter", help="This quarter; with last: the one before.")] = False,
    year: Annotated[bool, typer.Option("--year", help="This year; with last: the one before.")] = False,
    by: Annotated[Literal["tasks", "hours"], typer.Option("--by", help="What the ranking goes by.")] = "tasks",
    teams: Annotated[bool, typer.Option("--teams", help="Rank departments, per active member.")] = False,
    top: Annotated[int | None, typer.Option("--top", metavar="N", min=1, help="The first N rows only.")] = None,
    group: Annotated[
        str | None, typer.Option("--group", metavar="PROJECT", help="Tasks of this project only, by name or id.")
    ] = None,
    department: Annotated[
        str | None,
        typer.Option("--department", metavar="DEPARTMENT", help="This department with all below it, by name or id."),
    ] = None,
    me: Annotated[
        str | None,
        typer.Option("--me", metavar="PERSON", help="Also this person's place, best week and trend, by name or id."),
    ] = None,
    form: Annotated[
        Literal["table", "csv", "md", "html"], typer.Option("--format", help="How it is printed.")
    ] = "table",
    max_age: Annotated[
        str | None, typer.Option("--max-age", metavar="SPAN", help="Fail when the data are older (26h, 90m, 2d).")
    ] = None,
    profiles: Annotated[
        str | None,
        typer.Option(
            "--profiles",
            metavar="NAME,NAME",
            help="Count these portals together; who is on several is joined by e-mail.",
        ),
    ] = None,
    rules: Annotated[
        bool, typer.Option("--rules", help="Show by which rules the period is counted, instead of the ranking.")
    ] = False,
    as_json: Json = False,
) -> int:
    """Show who closed how many tasks."""
    from b24tools.jobs.leaderboard import read_board, read_joint_board
    from b24tools.render import leaderboard as render_leaderboard
    from b24tools.render import leaderboard_text

    invocation: Invocation = ctx.obj
    refuse_json_with(form, as_json=as_json)
    alone = {"--profile": invocation.profile, "--group": group, "--department": department, "--me": me}
    for option, value in (alone | {"--rules": rules or None}).items():
        refuse_together({"--profiles": profiles is not None, option: value is not None})
    portals = {} if profiles is None else _read_portals(invocation, profiles)
    settings = next(iter(portals.values())) if portals else invocation.open_session().settings
    now = context.now()
    kinds = {periods.WEEK: week, periods.MONTH: month, periods.QUARTER: quarter, periods.YEAR: year}
    chosen = _choose_period(period, [kind for kind, is_given in kinds.items() if is_given], settings.zone, now)
    if rules:
        _show_rules(invocation, settings, chosen, as_json=as_json)
        return 0
    limit = None if max_age is None else periods.parse_span(max_age)
    refuse_together({"--me": me is not None, "--teams": teams})
    if portals:
        databases = {name: (portal.database, portal.zone) for name, portal in portals.items()}
        board = read_joint_board(databases, chosen, now=now, by=by, teams=teams, top=top)
        if board.rules is None:
            invocation.messenger.info(
                _("On some of these portals tasks that people set themselves count, on others not.")
            )
    else:
        board = read_board(
            settings.database, chosen, now=now, by=by, teams=teams, top=top, group=group, department=department, me=me
        )
    portals_without = board.without_data or board.portals
    command, missing = leaderboard_text.snapshot_command(chosen, now, portals_without, board.mode), ""
    if board.as_of is None and now >= chosen.start and (board.without_data or not board.rows):
        missing = _("no data yet for {period} in {folder}: run `{command}`").format(
            period=chosen.label,
            folder=", ".join(board.without_data) or settings.database_place,
            command=command,
        )
    if by == "hours" and board.total_tasks and not board.has_hours:
        warnings = [leaderboard_text.say_no_hours()]
    else:
        warnings = [missing] if missing else []
    error = None if limit is None else _check_age(board.as_of, limit, now, missing, command)
    if as_json:
        data = render_leaderboard.data(board, settings.zone)
        invocation.print_json(data, warnings=warnings, error=error)
    elif form == "table" and (board.rows or not missing):
        render_leaderboard.print_board(board, settings.zone, now)
    elif form != "table":
        from b24tools.render import leaderboard_export

        if form == "csv":
            print_file(leaderboard_export.to_csv(board))
            for reservation in leaderboard_export.list_reservations(board, now):
                invocation.messenger.info(reservation)
        else:
            write = leaderboard_export.to_markdown if form == "md" else leaderboard_export.to_html
            print_file(write(board, settings.zone, now))
    if error is not None:
        invocation.messenger.error(error)
        return error.exit_status
    if missing and not as_json:
        invocation.messenger.info(missing)
    return 0


def _choose_period(text: str | None, kinds: Sequence[str], zone: ZoneInfo, now: datetime) -> periods.Period:
    """Return the period that is meant; `kinds`: the options that were given. Raises ConfigError."""
    refuse_together({f"--{kind}": True for kind in kinds})
    chosen = periods.choose(text, kinds[0] if kinds else periods.WEEK, zone, now)
    if kinds and chosen.kind != kinds[0]:
        option = f"--{kinds[0]}"
        raise errors.UsageError(
            _("{period} does not go with {option}").format(period=chosen.label, option=option),
            _("Leave out {option}.").format(option=option),
        )
    return chosen


def _read_portals(invocation: Invocation, names: str) -> dict[str, config.Settings]:
    """Return the settings of the profiles. Raises ConfigError for those that are broken."""
    from b24tools.core.profiles import choose_profiles

    chosen, _others = choose_profiles(names, invocation.env_file)
    portals = {profile.name: config.inspect(env_file=profile.file, profile=profile.name).check() for profile in chosen}
    zones = {name: settings.zone.key for name, settings in portals.items()}
    if len(set(zones.values())) > 1:
        text = _("Each portal's days begin in its own zone: {zones}")
        shown = ", ".join(f"{name} {zone}" for name, zone in zones.items())
        invocation.messenger.info(errors.as_sentence(text.format(zones=shown)))
    return portals


def _show_rules(invocation: Invocation, settings: config.Settings, period: periods.Period, *, as_json: bool) -> None:
    from b24tools.jobs.leaderboard import read_rules
    from b24tools.render import counting_rules, leaderboard_text
    from b24tools.render.console import print_text

    rules, season = read_rules(settings.database, period)
    if as_json:
        invocation.print_json(counting_rules.data(rules))
        return
    if season is not None:
        print_text(leaderboard_text.describe_season(season, rules_differ=False) + "\n")
    print_text("\n".join(f"- {text}" for _rule, _value, text in counting_rules.list_rules(rules)))


def _check_age(
    as_of: datetime | None, limit: timedelta, now: datetime, missing: str, command: str
) -> errors.B24ToolsError | None:
    """Return the error about data that are older than `limit`, or not there."""
    if as_of is None:
        message = missing or _("it is not known how old the data are")
    elif now - as_of > limit:
        message = _("the data are {age} old").format(age=format_duration(int((now - as_of).total_seconds())))
    else:
        return None
    hint = "" if missing else _("Run `{command}`, and look whether cron still does.").format(command=command)
    return errors.B24ToolsError(message, hint, code=errors.ErrorCode.STALE)
