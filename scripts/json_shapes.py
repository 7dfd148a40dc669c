"""What `--json` prints as `data`, command by command, for docs/json.md; a test compares it with what is printed.

What HTTP answers as well is in `b24tools/server/models.py`.
"""

from __future__ import annotations

from datetime import date
from typing import Any, Literal

from pydantic import AwareDatetime
from typing_extensions import TypeAliasType

from b24tools.server.models import (
    AssignedOrder,
    CountingRule,
    Leaderboard,
    OrdersAsTheyStand,
    PersonInCharge,
    ProducerMode,
    RankingRow,
    Shape,
    about,
)
from b24tools.server.work_models import Decision, PersonLoad, WorkList

Moment = AwareDatetime | None
MoveReason = TypeAliasType(
    "MoveReason", Literal["away", "without", "gone", "late", "first", "displaced", "follows", "unfinished"]
)
MoveOutcome = TypeAliasType("MoveOutcome", Literal["planned", "moved", "skipped", "failed"])
EventStatus = TypeAliasType("EventStatus", Literal["waiting", "done", "failed", "ignored", "ignored_by_mode"])
EntryOutcome = TypeAliasType(
    "EntryOutcome",
    Literal[
        "created",
        "updated",
        "unchanged",
        "adopted",
        "completed",
        "partial",
        "failed",
        "planned",
        "moved",
        "skipped",
        "superseded",
        "cancelled",
        "renewed",
        "cut",
    ],
)
DigestOutcome = TypeAliasType("DigestOutcome", Literal["planned", "sent", "waiting", "same", "nothing", "failed"])


class SnapshotWeek(Shape):
    """A week that was collected."""

    week: str = about("Its name: `2026-W47`.")
    from_: AwareDatetime = about("Its first moment.", alias="from")
    to: AwareDatetime = about("The first moment after it.")
    tasks: int = about("Closed tasks.")
    new: int = about("How many of them were not known.")
    changed: int = about("How many of them have changed.")
    same: int = about("How many of them were known as they are.")
    gone: int = about("Tasks that were known and are closed there no more.")
    complete: bool = about("Whether the run has read everything; of the whole run.")
    people: int = about("How many people were read; of the whole run.")
    requests: int = about("HTTP requests to the portal; of the whole run.")
    changes: int = about("Changes since the complete run before; of the whole run, in webhook mode.", default=0)
    missed: int = about("How many of them came without an event; likewise.", default=0)


class SnapshotSkipped(Shape):
    """A snapshot that was not wanted."""

    skipped: ProducerMode = about("The mode, in which events do it.")


class Replayed(Shape):
    """Events that were followed again."""

    processed: int = about("All of them.")
    applied: int = about("Those whose task was saved.")
    ignored: int = about("Those that change nothing.")
    failed: int = about("Those that could not be followed.")


class Event(Shape):
    """An event as it is stored."""

    id: int = about("Its number in the database.")
    received_at: AwareDatetime = about("When it came.")
    event: str = about("What happened: ONTASKADD, ONTASKUPDATE, ONTASKDELETE, …")
    task_id: int | None = about("The task that it names.")
    status: EventStatus = about("What was done with it.")
    attempts: int = about("How often it was tried.")
    error: str | None = about("Why it failed, or null.")
    next_try_at: Moment = about("When it is tried again; null: only by `replay`.")
    processed_at: Moment = about("When it was done with.")
    body: str = about("What came, without the token.")


class Mode(Shape):
    """How closed tasks are collected."""

    producer_mode: ProducerMode = about("Asked for by `snapshot`, or sent by the portal.")


class RunningSetting(Shape):
    """A setting that may change while b24tools runs."""

    key: str = about("Its name.")
    value: str = about("Its value, as text; lists are ids with commas.")


class Place(Shape):
    """Whose an operation is and when."""

    responsible: PersonInCharge = about("Who does it.")
    start: Moment = about("When it begins.")
    end: Moment = about("When it ends.")


class Move(Shape):
    """An operation that moves, or stays though it should move."""

    task_id: int = about("The task's id on the portal.")
    order: str = about("The number of the order.")
    position: str = about("The position that does it, as 1C names it.")
    from_: Place = about("As it was.", alias="from")
    to: Place | None = about("As it will be; null: it stays.")
    reason: MoveReason = about(
        "`away`, `without`, `gone`: its person; `late`, `first`: its order; `displaced`: it makes room;"
        " `follows`: what it waits for moves; `unfinished`: an earlier replan was cut."
    )
    outcome: MoveOutcome = about("What was done.")
    note: str = about("Why it stays or failed; may be empty.")


class OrderChange(Shape):
    """What the moves do to an order."""

    number: str = about("The number of the order.")
    finish_before: Moment = about("When it would be ready without them.")
    finish_after: Moment = about("When it will be ready.")
    late_before_s: int = about("How late it would be without them, by the clock.")
    late_after_s: int = about("How late it will be, by the clock.")


class Replan(Shape):
    """What moves, and what that does to the orders."""

    moves: list[Move] = about("What moves.")
    orders: list[OrderChange] = about("The orders that end at another time.")


class LastMonth(Shape):
    """What a norm would have changed in the last calendar month."""

    tasks: int = about("Tasks that were given out.")
    estimate_s: int = about("Their time from 1C, in seconds.")
    with_norm_s: int = about("The same with the norm.")


class PositionNorm(Shape):
    """What work takes against what 1C gives for it."""

    position: str = about("The position, as 1C names it.")
    n: int = about("Closed tasks on which time was noted.")
    median: float | None = about("Time noted as a share of 1C's minutes; null without such tasks.")
    q1: float | None = about("The quartile below.")
    q3: float | None = about("The quartile above.")
    enough: bool = about("Whether `B24_NORMS=learned` plans with it.")
    last_month: LastMonth = about("What it would have changed.")


class EntryLine(Shape):
    """A line that was changed, or could not be."""

    position: str = about("The position that does it, as 1C names it.")
    outcome: EntryOutcome = about("What was done with the task.")
    task_id: int | None = about("The task's id on the portal; null: there is none.")


class HistoryEntry(Shape):
    """What one run did for an order."""

    at: AwareDatetime = about("When it was done.")
    command: str = about("`assign`, `replan`, or `POST /` where `b24tools serve` was called.")
    order: str = about("The number of the order.")
    outcome: EntryOutcome = about(
        "What came of it; `failed` also where nothing could be planned, `cancelled`, `renewed`: 1C has cancelled the "
        "order, or taken it up again, `cut`: the run was killed, `tasks` says how far it had come."
    )
    by: str = about("The user who ran the command, or the caller: `user@address` of HTTP Basic, else the address.")
    order_id: str = about("The identifier that 1C sent, in its one spelling.")
    tasks: list[EntryLine] = about("Its lines that were not `unchanged`.")
    error: str | None = about("Why it failed, or null.")
    times: int = about("How often in a row the same was done.")
    last_at: AwareDatetime = about("When it was done last.")


class SentDigest(Shape):
    """What a chat or a person was sent."""

    to: str = about("The chat, as `chat42`, or the id of the person.")
    what: list[Literal["board", "late", "changes", "doctor", "mine"]] = about("The parts that have something to say.")
    outcome: DigestOutcome = about(
        "`same`: it was sent today; `waiting`: it goes with the first command within the day's working hours."
    )
    text: str = about("The message, as BB-code.")


class Finding(Shape):
    """What a check found."""

    check: str = about("The check, and after a blank which of several things it is about.")
    status: Literal["ok", "warn", "fail"] = about("With a `fail` that is not acknowledged the exit status is 1.")
    detail: str = about("What was found, in the language of B24_LANG.")
    fix: str = about("How to fix it; may be empty.")
    known: str = about("Until when `doctor_ignore` covers it, and the note; only of those.", default="")


class Backup(Shape):
    """A backup that was written."""

    path: str = about("The file.")
    bytes: int = about("Its size.")
    made_at: AwareDatetime = about("The moment that it shows.")
    version: str = about("The b24tools that wrote it.")
    portal_host: str = about("The portal that it is about; may be empty.")
    tables: dict[str, int] = about("How many rows each table of the database has in it.")
    removed: list[str] = about("Older backups that `--keep` has deleted.")


class Restored(Shape):
    """A backup that was put back."""

    made_at: AwareDatetime = about("The moment that it shows.")
    version: str = about("The b24tools that wrote it.")
    portal_host: str = about("The portal that it is about; may be empty.")
    tables: dict[str, int] = about("How many rows each table of the database has in it.")
    aside: list[str] = about("Where what was there before lies now.")
    looks_up: int = about("How many orders the next `assign` compares with their tasks on the portal.")
    snapshot_since: date = about("The day from which `snapshot --since` brings closed tasks back.")


class PortalAccount(Shape):
    """A person or a department on one of many portals."""

    profile: str = about("The name of the profile.")
    id: int = about("The id there.")


class JointRow(RankingRow):
    """A person, or with `--teams` a department, in the ranking of many portals."""

    user_id: None = about("Null: ids are of one portal.")
    accounts: list[PortalAccount] = about("Where the person is, the portal with the most tasks first.")


class JointLeaderboard(Leaderboard):
    """The ranking of a period on many portals."""

    rows: list[JointRow] = about("The first place first.")
    portals: list[str] = about("The names of the profiles.")


class PortalRun(Shape):
    """How a command ended for one of many portals."""

    profile: str = about("The name of the profile.")
    status: int = about("The exit status; 75 also where it was cut off.")
    answer: dict[str, Any] | None = about("The whole object that the command printed; null: it printed none.")
    said: list[str] = about("The lines of its stderr.")


COMMANDS: dict[str, Any] = {
    "assign": list[AssignedOrder],
    "orders": OrdersAsTheyStand,
    "replan": Replan,
    "history": list[HistoryEntry],
    "why": Decision,
    "why --order": list[Decision],
    "load": list[PersonLoad],
    "today": list[WorkList],
    "digest": list[SentDigest],
    "norms": list[PositionNorm],
    "leaderboard": Leaderboard,
    "leaderboard --profiles": JointLeaderboard,
    "leaderboard --rules": list[CountingRule],
    "snapshot": list[SnapshotWeek] | SnapshotSkipped,
    "mode": Mode,
    "config": list[RunningSetting],
    "replay": Replayed,
    "replay --list": list[Event],
    "doctor": list[Finding],
    "backup": Backup,
    "restore": Restored,
    "each": list[PortalRun],
}
